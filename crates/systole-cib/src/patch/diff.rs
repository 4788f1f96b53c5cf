//! Making a patchset.

use crate::{
    digest,
    xml::{Content, Document, Element, Key},
    xpath::path_of,
};
use std::collections::{BTreeMap, BTreeSet};

/// Whether a patchset says which versions it leads from and to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// It fits only the version it was made from, and the result has exactly the version it was made to. A digest of the
    /// result goes with it.
    Checked,
    /// It fits any version, and the changes of the version are left out: `crm_diff --no-version`.
    Ignored,
}

/// What has to be done to make `old` into `new`; `None` if they are the same.
pub fn diff(old: &Document, new: &Document, versions: Versions) -> Option<Document> {
    let mut patch = Document::new("diff");
    let root = patch.root_key();
    patch.set_attr(root, "format", "2");
    if versions == Versions::Checked {
        patch.set_attr(root, "digest", &digest::of_document(new));
        write_versions(&mut patch, old, new);
    }
    let n_before = patch.root().children().count();
    let mut differ = Differ { patch, versions };
    differ.document(old, new);
    let has_changes = differ.patch.root().children().count() > n_before;
    let mut patch = differ.patch;
    put_deletions_first(&mut patch);
    has_changes.then_some(patch)
}

/// As Pacemaker has them: what is deleted is named as it was before anything else is done.
fn put_deletions_first(patch: &mut Document) {
    let is_deletion = |change: &Element<'_>| change.attr("operation") == Some("delete");
    let changes: Vec<Element<'_>> = patch.root().children_named("change").collect();
    let Some(first) = changes.iter().position(|change| !is_deletion(change)) else { return };
    let before = changes[first].key();
    let late: Vec<Key> = changes[first..].iter().filter(|it| is_deletion(it)).map(|it| it.key()).collect();
    let root = patch.root_key();
    for deletion in late {
        patch.move_to(deletion, root, Some(before));
    }
}

fn write_versions(patch: &mut Document, old: &Document, new: &Document) {
    let root = patch.root_key();
    let version = patch.append(root, "version");
    for (name, document) in [("source", old), ("target", new)] {
        let element = patch.append(version, name);
        for attr in VERSION {
            patch.set_attr(element, attr, document.root().attr(attr).unwrap_or("0"));
        }
    }
}

pub(super) const VERSION: [&str; 3] = ["admin_epoch", "epoch", "num_updates"];

struct Differ {
    patch: Document,
    versions: Versions,
}

impl Differ {
    fn document(&mut self, old: &Document, new: &Document) {
        let (old, new) = (old.root(), new.root());
        if old.name() == new.name() && old.id() == new.id() && can_compare(old, new) {
            self.element(old, new);
        } else if old != new {
            self.change("delete", &path_of(old));
            let change = self.change("create", "");
            self.patch.set_attr(change, "position", "0");
            self.patch.import(change, None, new);
        }
    }

    /// Compares two elements of the same name and id whose children can be told apart.
    ///
    /// Recursion is bounded by the depth of a document.
    fn element(&mut self, old: Element<'_>, new: Element<'_>) {
        self.attributes(old, new);
        self.children(old, new);
    }

    fn change(&mut self, operation: &str, path: &str) -> Key {
        let root = self.patch.root_key();
        let change = self.patch.append(root, "change");
        self.patch.set_attr(change, "operation", operation);
        self.patch.set_attr(change, "path", path);
        change
    }

    fn attributes(&mut self, old: Element<'_>, new: Element<'_>) {
        let is_root = new.parent().is_none();
        let counts = |name: &str| !(is_root && self.versions == Versions::Ignored && VERSION.contains(&name));
        let relevant = |element| Element::attrs(element).filter(|(name, _)| counts(name));
        if relevant(old).eq(relevant(new)) {
            return;
        }
        let set: Vec<_> = relevant(new).filter(|(name, value)| old.attr(name) != Some(value)).collect();
        let unset: Vec<_> = relevant(old).filter(|(name, _)| new.attr(name).is_none()).collect();
        let change = self.change("modify", &path_of(new));
        let list = self.patch.append(change, "change-list");
        for (name, value) in set {
            let attr = self.patch.append(list, "change-attr");
            self.patch.set_attr(attr, "name", name);
            self.patch.set_attr(attr, "operation", "set");
            self.patch.set_attr(attr, "value", value);
        }
        for (name, _) in unset {
            let attr = self.patch.append(list, "change-attr");
            self.patch.set_attr(attr, "name", name);
            self.patch.set_attr(attr, "operation", "unset");
        }
        let result = self.patch.append(change, "change-result");
        let element = self.patch.append(result, new.name());
        new.attrs().for_each(|(name, value)| {
            self.patch.set_attr(element, name, value);
        });
    }

    fn children(&mut self, old: Element<'_>, new: Element<'_>) {
        let (before, after) = (nodes(old), nodes(new));
        let old_places: BTreeMap<Name<'_>, usize> = places(&before);
        let new_places: BTreeMap<Name<'_>, usize> = places(&after);
        let kept = self.kept(&before, &after, &old_places);
        let path = path_of(new);
        // Comments have no name to be found by: from the last to the first, their places hold while they are deleted.
        for (place, node) in before.iter().enumerate().rev() {
            if matches!(node, Child::Comment(_)) && !kept.comments {
                let change = self.change("delete", &format!("{path}/comment"));
                self.patch.set_attr(change, "position", &place.to_string());
            }
        }
        for node in &before {
            if let Child::Element(element) = node {
                let same = new_places.get(&name(*element)).and_then(|place| after[*place].element());
                if same.is_none_or(|same| !can_compare(*element, same)) {
                    self.change("delete", &path_of(*element));
                }
            }
        }
        for (place, node) in after.iter().enumerate() {
            match node {
                Child::Comment(text) if !kept.comments => {
                    let change = self.change("create", &path);
                    self.patch.set_attr(change, "position", &place.to_string());
                    self.patch.append_comment(change, text);
                }
                Child::Comment(_) => {}
                Child::Element(element) => {
                    let same = old_places.get(&name(*element)).and_then(|place| before[*place].element());
                    self.child(same, *element, place, kept.elements.contains(&place));
                }
            }
        }
    }

    fn child(&mut self, old: Option<Element<'_>>, new: Element<'_>, place: usize, stays: bool) {
        match old.filter(|old| can_compare(*old, new)) {
            Some(old) => {
                if !stays {
                    let change = self.change("move", &path_of(new));
                    self.patch.set_attr(change, "position", &place.to_string());
                }
                self.element(old, new);
            }
            None => {
                let parent = new.parent().map(path_of).unwrap_or_default();
                let change = self.change("create", &parent);
                self.patch.set_attr(change, "position", &place.to_string());
                self.patch.import(change, None, new);
            }
        }
    }

    /// Which children of `after` can stay where they are: as many elements as keep their order, and the comments if
    /// nothing around them changes.
    fn kept(
        &self,
        before: &[Child<'_>],
        after: &[Child<'_>],
        old_places: &BTreeMap<Name<'_>, usize>,
    ) -> Kept {
        let is_same_list = before.len() == after.len() && before.iter().zip(after).all(|(a, b)| a.is_same(b));
        if is_same_list {
            return Kept { comments: true, elements: (0..after.len()).collect() };
        }
        let common: Vec<(usize, usize)> = after
            .iter()
            .enumerate()
            .filter_map(|(place, node)| {
                let element = node.element()?;
                let old = *old_places.get(&name(element))?;
                can_compare(before[old].element()?, element).then_some((place, old))
            })
            .collect();
        Kept { comments: false, elements: longest_rise(&common) }
    }
}

struct Kept {
    comments: bool,
    /// Places in the new list.
    elements: BTreeSet<usize>,
}

/// A child that a patchset can speak of.
enum Child<'d> {
    Element(Element<'d>),
    Comment(&'d str),
}

impl<'d> Child<'d> {
    fn element(&self) -> Option<Element<'d>> {
        match self {
            Self::Element(element) => Some(*element),
            Self::Comment(_) => None,
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Element(a), Self::Element(b)) => name(*a) == name(*b) && can_compare(*a, *b),
            (Self::Comment(a), Self::Comment(b)) => a == b,
            _ => false,
        }
    }
}

type Name<'d> = (&'d str, Option<&'d str>);

fn name(element: Element<'_>) -> Name<'_> {
    (element.name(), element.id())
}

fn nodes(parent: Element<'_>) -> Vec<Child<'_>> {
    let document = parent.document();
    let children = document.contents(parent.key());
    children
        .filter_map(|(key, content)| match content {
            Content::Element(_) => Some(Child::Element(document.element(key))),
            Content::Comment(text) => Some(Child::Comment(text)),
            Content::Text(_) | Content::Instruction(_) => None,
        })
        .collect()
}

fn places<'d>(nodes: &[Child<'d>]) -> BTreeMap<Name<'d>, usize> {
    let elements = nodes.iter().enumerate().filter_map(|(place, node)| Some((name(node.element()?), place)));
    elements.collect()
}

/// Whether the children of both can be told apart by name and id. Otherwise the elements are the same only if they are
/// equal, and replaced as a whole if not.
fn can_compare(old: Element<'_>, new: Element<'_>) -> bool {
    (is_clear(old) && is_clear(new)) || old == new
}

/// Whether each child element is found by its name and id. One without id must be the only one of its name.
fn is_clear(element: Element<'_>) -> bool {
    let document = element.document();
    let mut seen = BTreeSet::new();
    let mut without_id = BTreeSet::new();
    let is_clear = document.contents(element.key()).all(|(key, content)| match content {
        Content::Element(_) => {
            let child = document.element(key);
            if child.id().is_none() {
                without_id.insert(child.name());
            }
            child.id().is_none_or(|id| !id.contains('\'')) && !child.is("comment") && seen.insert(name(child))
        }
        Content::Comment(_) => true,
        Content::Text(_) | Content::Instruction(_) => false,
    });
    is_clear && !seen.iter().any(|(name, id)| id.is_some() && without_id.contains(name))
}

/// Of pairs `(new place, old place)` in order of the new places, the new places of a longest run in which the old ones
/// rise too.
fn longest_rise(pairs: &[(usize, usize)]) -> BTreeSet<usize> {
    let mut ends: Vec<usize> = Vec::new();
    let mut previous: Vec<Option<usize>> = Vec::with_capacity(pairs.len());
    for (n, (_, old)) in pairs.iter().enumerate() {
        let len = ends.partition_point(|end| pairs[*end].1 < *old);
        previous.push(len.checked_sub(1).map(|before| ends[before]));
        if len == ends.len() {
            ends.push(n);
        } else {
            ends[len] = n;
        }
    }
    let last = ends.last().copied();
    std::iter::successors(last, |n| previous[*n]).map(|n| pairs[n].0).collect()
}
