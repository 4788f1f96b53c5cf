//! What a changed CIB has to fulfil before it takes the old one's place, and how its version counts.

use super::{
    CibAction, Failure,
    apply::{Changed, OpError, Stamp, version},
};
use crate::{
    patch,
    validate::{self, Finding},
    xml::{Document, Element},
};
use std::collections::BTreeSet;

/// Attributes of `<cib>` that a change may touch without being a change of the configuration.
const VOLATILE: [&str; 9] = [
    "admin_epoch",
    "epoch",
    "num_updates",
    "cib-last-written",
    "update-origin",
    "update-client",
    "update-user",
    "have-quorum",
    "dc-uuid",
];

/// What is different. An action that puts whole elements in place may have put back what was there.
pub(super) fn changes(old: &Document, new: &Document, action: CibAction) -> Changed {
    if old.n_edits() == new.n_edits() {
        return Changed::Nothing;
    }
    let may_be_same = matches!(action, CibAction::Replace | CibAction::Patch | CibAction::Upgrade);
    let settings = |document: &Document| -> Vec<(String, String)> {
        let attrs = document.root().attrs().filter(|(name, _)| !VOLATILE.contains(name));
        let mut attrs: Vec<_> = attrs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        attrs.sort();
        attrs
    };
    let (old_configuration, new_configuration) =
        (old.root().child("configuration"), new.root().child("configuration"));
    if old_configuration != new_configuration || settings(old) != settings(new) {
        Changed::Configuration
    } else if may_be_same && old == new {
        Changed::Nothing
    } else {
        Changed::Status
    }
}

/// Refuses what could not be read again.
pub(super) fn check_bounds(document: &Document) -> Result<(), OpError> {
    let is_too_much = |element: Element<'_>| element.n_attrs() > crate::xml::MAX_ATTRIBUTES;
    let too_many = || OpError::new(Failure::Invalid, "an element would have too many attributes");
    if is_too_much(document.root()) {
        return Err(too_many());
    }
    let mut depths = vec![document.root().children()];
    while let Some(level) = depths.last_mut() {
        match level.next() {
            Some(child) if is_too_much(child) => return Err(too_many()),
            Some(child) => depths.push(child.children()),
            None => {
                depths.pop();
            }
        }
        if depths.len() > crate::xml::MAX_DEPTH {
            return Err(OpError::new(Failure::Invalid, "elements would be nested too deeply"));
        }
    }
    Ok(())
}

/// Refuses what is no `<cib>` with its sections in their order, by whatever schema: what is found by its place must not be
/// pushed from there. Pacemaker's schemas refuse it too, but where the CIB is not checked at all. What is there already stays.
pub(super) fn check_sections(old: &Document, new: &Document) -> Result<(), OpError> {
    if !new.root().is("cib") {
        let message = format!("the root element must be <cib>, not <{}>", new.root().name());
        return Err(OpError::new(Failure::BadInput, message));
    }
    let names = |document: &Document| -> Vec<String> {
        document.root().children().map(|child| child.name().to_owned()).collect()
    };
    let mut usual = ["configuration", "status"].into_iter();
    let sections = names(new);
    if sections.iter().all(|name| usual.any(|section| section == name)) || sections == names(old) {
        return Ok(());
    }
    let message = format!("<cib> holds <configuration> and then <status>, not <{}>", sections.join(">, <"));
    Err(OpError::new(Failure::Invalid, message))
}

/// Refuses mistakes that were not there before.
pub(super) fn check_valid(old: &Document, new: &Document) -> Result<(), OpError> {
    let found = validate::configuration(new);
    if found.is_empty() {
        return Ok(());
    }
    let before: BTreeSet<Finding> = validate::configuration(old).iter().map(Finding::of).collect();
    let added: Vec<_> =
        found.into_iter().filter(|diagnostic| !before.contains(&Finding::of(diagnostic))).collect();
    let Some(first) = added.first() else { return Ok(()) };
    let more = if added.len() > 1 { format!(" (and {} more)", added.len() - 1) } else { String::new() };
    Err(OpError::new(Failure::Invalid, format!("{}: {}{more}", first.element, first.message)))
}

pub(super) fn count(document: &mut Document, changed: Changed) {
    let version = version(document);
    let version = match changed {
        Changed::Nothing => return,
        Changed::Status => version.after_status(),
        Changed::Configuration => version.after_configuration(),
    };
    patch::set_version(document, version);
}

pub(super) fn write_stamp(document: &mut Document, stamp: &Stamp) {
    let root = document.root_key();
    for (name, value) in [
        ("cib-last-written", &stamp.now_text),
        ("update-origin", &stamp.origin),
        ("update-client", &stamp.client),
        ("update-user", &stamp.user),
    ] {
        if !value.is_empty() {
            document.set_attr(root, name, value);
        }
    }
}
