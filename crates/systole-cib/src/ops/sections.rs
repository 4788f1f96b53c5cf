//! The sections of a CIB, by the names that scopes have.

use super::{Failure, apply::OpError};
use crate::{
    ElementName,
    xml::{Document, Element, Key},
};

/// Sections of `<configuration>`: those every CIB has, then the others.
const OF_CONFIGURATION: [&str; 10] = [
    "crm_config",
    "nodes",
    "resources",
    "constraints",
    "rsc_defaults",
    "op_defaults",
    "fencing-topology",
    "acls",
    "tags",
    "alerts",
];

/// How many of those every CIB has.
const N_REQUIRED: usize = 4;

/// Names from the root down to the section.
fn path(name: &str) -> Result<Vec<&str>, OpError> {
    match name {
        "cib" | "all" => Ok(vec![]),
        "configuration" | "status" => Ok(vec![name]),
        _ if OF_CONFIGURATION.contains(&name) => Ok(vec!["configuration", name]),
        _ => {
            let known = OF_CONFIGURATION.join(", ");
            let message = format!("{name:?} is not a section of the CIB: use configuration, status, {known}");
            Err(OpError::new(Failure::BadInput, message))
        }
    }
}

/// Whether a CIB may have a section of that name.
pub(super) fn is_known(name: &str) -> bool {
    path(name).is_ok_and(|path| !path.is_empty())
}

/// Whether every CIB has the section.
pub(super) fn is_required(name: &str) -> bool {
    matches!(name, "configuration" | "status") || OF_CONFIGURATION[..N_REQUIRED].contains(&name)
}

/// The section called `name`.
pub(super) fn find<'d>(document: &'d Document, name: &str) -> Result<Element<'d>, OpError> {
    path(name)?
        .into_iter()
        .try_fold(document.root(), Element::child)
        .ok_or_else(|| OpError::new(Failure::NotFound, format!("the CIB has no <{name}> section")))
}

/// The section called `name`; an empty one is made where there is none.
pub(super) fn find_or_make(document: &mut Document, name: &str) -> Result<Key, OpError> {
    let mut at = document.root_key();
    for step in path(name)? {
        let child = document.element(at).child(step).map(Element::key);
        at = child.unwrap_or_else(|| document.append(at, step));
    }
    Ok(at)
}

/// The section called `name` in what a call brings, if that is the section or a document around it. `None` if it is
/// something to go into the section.
pub(super) fn within<'i>(input: &'i Document, name: &str) -> Result<Option<Element<'i>>, OpError> {
    let path = path(name)?;
    let root = input.root();
    let is_section = path.last().is_some_and(|last| root.is(last)) || (path.is_empty() && root.is("cib"));
    if is_section {
        return Ok(Some(root));
    }
    let rest: &[&str] = match root.name() {
        "cib" => &path,
        "configuration" if path.first() == Some(&"configuration") => &path[1..],
        _ => return Ok(None),
    };
    rest.iter()
        .try_fold(root, |at, step| at.child(step))
        .map(Some)
        .ok_or_else(|| OpError::new(Failure::BadInput, format!("the XML given has no <{name}> section")))
}

/// Sections that every CIB has stay.
pub(super) fn may_delete(element: Element<'_>) -> Result<(), OpError> {
    let parent = element.parent().map(Element::name);
    let is_section = match (element.name(), parent) {
        ("configuration" | "status", parent) => parent == Some("cib"),
        (_, parent) => parent == Some("configuration"),
    };
    if parent.is_none() || (is_section && is_required(element.name())) {
        let message = format!("{} cannot be deleted: replace it with an empty one", ElementName::of(element));
        return Err(OpError::new(Failure::Invalid, message));
    }
    Ok(())
}
