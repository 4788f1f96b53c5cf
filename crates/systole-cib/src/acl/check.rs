//! Whether a user may make a change: what is different is held against the permissions, element by element.

use super::{Access, Acl, Hidden, Marks, is_enabled};
use crate::xml::{Document, Element};

impl Acl {
    /// Whether the permissions allow what makes `new` of `old`. An element may be changed or removed where it is writable; a new one
    /// has to be writable where it is put, unless it has nothing but an id.
    pub fn allows(&self, old: &Document, new: &Document) -> bool {
        let check = Check { before: self.marks(old), after: self.marks(new) };
        check.allows(old.root(), new.root()) && (!disables(old, new) || check.may_write_options(old))
    }

    /// Whether the permissions allow changes of the outermost element, which has the version.
    pub fn allows_version(&self, document: &Document) -> bool {
        self.marks(document).access(document.root()) == Access::Writable
    }
}

impl Acl {
    /// Whether `change`, which says whether it can be made, sets attributes that are hidden. It is tried with other values in their
    /// place: to set what is there already is no change, and who guesses would hear of it. The outermost element has no secrets.
    pub(crate) fn sets_hidden(
        &self,
        document: &Document,
        change: impl FnOnce(&mut Document) -> bool,
    ) -> bool {
        let mut hidden = self.hidden(document);
        hidden.attributes.remove(&document.root_key());
        let mut before = document.clone();
        for (key, names) in &hidden.attributes {
            for name in names {
                let other = format!("{}?", document.element(*key).attr(name).unwrap_or_default());
                before.set_attr(*key, name, &other);
            }
        }
        let mut after = before.clone();
        !change(&mut after) || sets_any(&hidden, before.root(), after.root())
    }
}

fn sets_any(hidden: &Hidden, old: Element<'_>, new: Element<'_>) -> bool {
    if hidden.attributes.contains_key(&old.key()) && is_different(old, new) {
        return true;
    }
    let mut rest: Vec<Element<'_>> = new.children().collect();
    old.children().any(|child| {
        let at = rest.iter().position(|other| is_same(child, *other));
        at.is_some_and(|at| sets_any(hidden, child, rest.remove(at)))
    })
}

/// Whether attributes differ.
fn is_different(old: Element<'_>, new: Element<'_>) -> bool {
    old.attrs().any(|(name, value)| new.attr(name) != Some(value))
        || new.attrs().any(|(name, _)| old.attr(name).is_none())
}

fn is_same(one: Element<'_>, other: Element<'_>) -> bool {
    other.is(one.name()) && other.id() == one.id()
}

struct Check {
    before: Marks,
    after: Marks,
}

/// Whether access control is enabled before a change and not afterwards.
fn disables(old: &Document, new: &Document) -> bool {
    is_enabled(old) && !is_enabled(new)
}

impl Check {
    /// Whether all sets of options may be written. Where several say whether access control is enabled their order decides, which
    /// everybody may change elsewhere.
    fn may_write_options(&self, old: &Document) -> bool {
        let configurations = old.root().children_named("configuration");
        let sections = configurations.flat_map(|it| it.children_named("crm_config"));
        sections.flat_map(Element::children).all(|set| self.before.access(set) == Access::Writable)
    }

    fn allows(&self, old: Element<'_>, new: Element<'_>) -> bool {
        // Children are paired by their names. Of the outermost element another name would be another document.
        if !new.is(old.name()) {
            return false;
        }
        if is_different(old, new) && self.before.access(old) != Access::Writable {
            return false;
        }
        let mut rest: Vec<Element<'_>> = new.children().collect();
        for child in old.children() {
            let at = rest.iter().position(|other| is_same(child, *other));
            let is_allowed = match at {
                Some(at) => self.allows(child, rest.remove(at)),
                None => self.before.access(child) == Access::Writable,
            };
            if !is_allowed {
                return false;
            }
        }
        rest.into_iter().all(|created| self.allows_creation(created))
    }

    fn allows_creation(&self, created: Element<'_>) -> bool {
        (is_scaffolding(created) || self.after.access(created) == Access::Writable)
            && created.children().all(|child| self.allows_creation(child))
    }
}

/// What only holds other elements may be created by everybody, except among the access control lists themselves.
fn is_scaffolding(element: Element<'_>) -> bool {
    let mut above = std::iter::successors(element.parent(), |at| at.parent());
    element.attrs().all(|(name, _)| name == "id") && !above.any(|at| at.is("acls"))
}
