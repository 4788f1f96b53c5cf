//! Whether a user may make a change: what is different is held against the permissions, element by element.

use super::{Access, Acl, Marks};
use crate::xml::{Document, Element};

impl Acl {
    /// Whether the permissions allow what makes `new` of `old`. An element may be changed or removed where it is writable; a new one
    /// has to be writable where it is put, unless it has nothing but an id.
    pub fn allows(&self, old: &Document, new: &Document) -> bool {
        let check = Check { before: self.marks(old), after: self.marks(new) };
        check.allows(old.root(), new.root())
    }

    /// Whether the permissions allow changes of the outermost element, which has the version.
    pub fn allows_version(&self, document: &Document) -> bool {
        self.marks(document).access(document.root()) == Access::Writable
    }
}

struct Check {
    before: Marks,
    after: Marks,
}

impl Check {
    fn allows(&self, old: Element<'_>, new: Element<'_>) -> bool {
        // Children are paired by their names. Of the outermost element another name would be another document.
        if !new.is(old.name()) {
            return false;
        }
        let is_changed = old.attrs().any(|(name, value)| new.attr(name) != Some(value))
            || new.attrs().any(|(name, _)| old.attr(name).is_none());
        if is_changed && self.before.access(old) != Access::Writable {
            return false;
        }
        let mut rest: Vec<Element<'_>> = new.children().collect();
        for child in old.children() {
            let at = rest.iter().position(|other| other.is(child.name()) && other.id() == child.id());
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
