//! Access control lists: what of the CIB a user may see and change.
//!
//! Every permission of a user names elements. What a permission says of an element holds for what is in it too, until another
//! says something else; "deny" wins on the same element. What no permission is about is denied.
//! Source: Pacemaker Explained, "Access Control Lists (ACLs)"; details by trying Pacemaker 3.0.2.

mod check;

use crate::{
    read::{self, parse_bool},
    xml::{Content, Document, Element, Key},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Users who may do everything.
const PRIVILEGED: [&str; 2] = ["root", "hacluster"];

/// What a user may do with an element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Neither see nor change it.
    Denied,
    /// See it.
    Readable,
    /// See and change it.
    Writable,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Denied => "denied",
            Self::Readable => "readable",
            Self::Writable => "writable",
        })
    }
}

/// What a permission grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
    Deny,
}

/// The permissions of a user.
#[derive(Clone, Debug, Default)]
pub struct Acl {
    /// Kinds, and XPaths of what they are about.
    permissions: Vec<(Kind, String)>,
}

impl Acl {
    /// The permissions that are in force for `user`, who is in `groups`; `None` if these may do everything, because the user is
    /// privileged or access control is not enabled.
    pub fn in_force(document: &Document, user: &str, groups: &[String]) -> Option<Self> {
        (!is_privileged(user) && is_enabled(document)).then(|| Self::of(document, user, groups))
    }

    /// The permissions of `user`, whether they are in force or not.
    pub fn of(document: &Document, user: &str, groups: &[String]) -> Self {
        let mut acl = Self::default();
        for list in lists(document) {
            let name = list.attr("name").or(list.id());
            let is_meant = match list.name() {
                "acl_target" => name == Some(user),
                "acl_group" => groups.iter().any(|group| name == Some(group)),
                _ => false,
            };
            if is_meant {
                acl.take_in(document, list);
            }
        }
        acl
    }

    /// Takes in what a target or group refers to, and what stands in it.
    fn take_in(&mut self, document: &Document, list: Element<'_>) {
        for child in list.children() {
            match child.name() {
                "role" => {
                    let mut roles = lists(document).filter(|element| element.is("acl_role"));
                    if let Some(role) = roles.find(|role| child.id().is_some() && role.id() == child.id()) {
                        self.permissions.extend(role.children_named("acl_permission").filter_map(permission));
                    }
                }
                "acl_permission" => self.permissions.extend(permission(child)),
                _ => {}
            }
        }
    }

    /// What the permissions say of the elements of `document`. Where one that denies cannot be searched for, everything is denied.
    pub fn marks(&self, document: &Document) -> Marks {
        let mut marks = Marks::default();
        for (kind, xpath) in &self.permissions {
            let found = match crate::xpath::find(document, xpath) {
                Ok(found) => found,
                Err(_) if *kind == Kind::Deny => {
                    return Marks { deny: BTreeSet::from([document.root().key()]), ..Marks::default() };
                }
                Err(_) => Vec::new(),
            };
            for element in found {
                let set = match kind {
                    Kind::Read => &mut marks.read,
                    Kind::Write => &mut marks.write,
                    Kind::Deny => &mut marks.deny,
                };
                set.insert(element.key());
            }
        }
        marks
    }

    fn hidden(&self, document: &Document) -> Hidden {
        let marks = self.marks(document);
        let mut hidden = Hidden::default();
        for key in &marks.deny {
            hidden.hide(document.element(*key), &marks);
        }
        hidden.hide(document.root(), &marks);
        hidden
    }

    /// What the user may see of the document; `None` if that is nothing. Of elements that may not be seen but have some in them that
    /// may, the names and ids are left.
    pub fn readable(&self, document: &Document) -> Option<Document> {
        let hidden = self.hidden(document);
        if hidden.elements.contains(&document.root_key()) {
            return None;
        }
        let mut copy = document.clone();
        for (key, names) in &hidden.attributes {
            for name in names {
                copy.remove_attr(*key, name);
            }
        }
        for key in hidden.comments.iter().chain(&hidden.elements) {
            copy.remove(*key);
        }
        Some(copy)
    }
}

/// What cannot be seen.
#[derive(Default)]
struct Hidden {
    elements: BTreeSet<Key>,
    attributes: BTreeMap<Key, Vec<String>>,
    comments: Vec<Key>,
}

impl Hidden {
    /// Marks what of an element cannot be seen; whether anything of it can.
    fn hide(&mut self, element: Element<'_>, marks: &Marks) -> bool {
        if self.elements.contains(&element.key()) {
            return false;
        }
        if marks.own(element) >= Some(Access::Readable) {
            return true;
        }
        let names = element.attrs().filter(|(name, _)| *name != "id").map(|(name, _)| name.to_owned());
        self.attributes.insert(element.key(), names.collect());
        let contents = element.document().contents(element.key());
        self.comments.extend(
            contents.filter(|(_, content)| matches!(content, Content::Comment(_))).map(|(key, _)| key),
        );
        let mut has_readable = false;
        for child in element.children() {
            has_readable |= self.hide(child, marks);
        }
        if !has_readable {
            self.elements.insert(element.key());
        }
        has_readable
    }
}

/// What permissions say of elements.
#[derive(Debug, Default)]
pub struct Marks {
    read: BTreeSet<Key>,
    write: BTreeSet<Key>,
    deny: BTreeSet<Key>,
}

impl Marks {
    /// What is said of the element itself.
    fn own(&self, element: Element<'_>) -> Option<Access> {
        let key = element.key();
        if self.deny.contains(&key) {
            Some(Access::Denied)
        } else if self.write.contains(&key) {
            Some(Access::Writable)
        } else {
            self.read.contains(&key).then_some(Access::Readable)
        }
    }

    /// What may be done with an element. To see it, what is said nearest counts; to change it, the nearest that denies or
    /// allows changes does.
    pub fn access(&self, element: Element<'_>) -> Access {
        let said = || std::iter::successors(Some(element), |at| at.parent()).filter_map(|at| self.own(at));
        if said().find(|access| *access != Access::Readable) == Some(Access::Writable) {
            return Access::Writable;
        }
        match said().next() {
            None | Some(Access::Denied) => Access::Denied,
            Some(_) => Access::Readable,
        }
    }
}

/// Whether access control does not apply to `user`.
pub fn is_privileged(user: &str) -> bool {
    user.is_empty() || PRIVILEGED.contains(&user)
}

/// Targets, groups and roles. Elsewhere in the document, where others may write, such elements mean nothing; of several
/// sections, all count, so that none can hide another.
fn lists(document: &Document) -> impl Iterator<Item = Element<'_>> {
    let root = Some(document.root()).filter(|root| root.is("cib"));
    let configurations = root.into_iter().flat_map(|root| root.children_named("configuration"));
    configurations.flat_map(|it| it.children_named("acls")).flat_map(Element::children)
}

/// Whether the cluster option `enable-acl` is set.
fn is_enabled(document: &Document) -> bool {
    let (cib, _) = read::read(document);
    read::value_of(&cib.cluster_options, "enable-acl").and_then(parse_bool).unwrap_or(false)
}

fn permission(element: Element<'_>) -> Option<(Kind, String)> {
    let kind = match element.attr("kind")? {
        "read" => Kind::Read,
        "write" => Kind::Write,
        "deny" => Kind::Deny,
        _ => return None,
    };
    if let Some(xpath) = element.attr("xpath") {
        return Some((kind, xpath.to_owned()));
    }
    let (tag, reference) = (element.attr("object-type"), element.attr("reference"));
    let tag = match (tag, reference) {
        (Some(tag), _) => tag,
        (None, Some(_)) => "*",
        (None, None) => return None,
    };
    let condition = match (reference, element.attr("attribute")) {
        (Some(id), Some(attribute)) => format!("[@id='{id}' and @{attribute}]"),
        (Some(id), None) => format!("[@id='{id}']"),
        (None, Some(attribute)) => format!("[@{attribute}]"),
        (None, None) => String::new(),
    };
    Some((kind, format!("//{tag}{condition}")))
}

#[cfg(test)]
mod tests;
