//! Editing the status section the way Pacemaker's controller and attribute manager do: operation history, node states
//! and transient node attributes.
//!
//! Every function works on the document in place and says whether it changed anything; [`count`] then counts the change.
//! Keys into the document that were held before are void. What is edited is made where it is missing.

mod attributes;
mod node_state;
mod operations;

pub use attributes::{
    add_failure, clear_failures, erase_attributes, failcount_name, last_failure_name, sanitized,
    set_attribute, transient_attribute,
};
pub use node_state::{
    Join, Membership, MembershipFormat, erase_node, erase_status, set_membership, set_state,
};
pub use operations::{History, delete_operation, erase_history, erase_resource, is_of_instances, record};

use crate::{
    patch, read,
    xml::{Document, Element, Key},
};
use systole_types::{CibVersion, NodeUuid};

/// Counts `num_updates` up after changes of the status section, and tidies the document. Returns the new version.
pub fn count(document: &mut Document) -> CibVersion {
    let mut version = read::version(document.root());
    version.num_updates += 1;
    patch::set_version(document, version);
    document.tidy();
    version
}

/// The `<node_state>` of a node.
fn find_node_state<'d>(document: &'d Document, node: &NodeUuid) -> Option<Element<'d>> {
    document.root().child("status")?.children_named("node_state").find(|e| e.id() == Some(node.as_str()))
}

fn node_state(document: &mut Document, node: &NodeUuid) -> Key {
    if let Some(state) = find_node_state(document, node) {
        return state.key();
    }
    let root = document.root_key();
    let status = child(document, root, "status");
    let state = document.append(status, "node_state");
    document.set_attr(state, "id", node.as_str());
    state
}

/// The first child of that name; made if there is none.
fn child(document: &mut Document, parent: Key, name: &str) -> Key {
    match document.element(parent).child(name).map(Element::key) {
        Some(key) => key,
        None => document.append(parent, name),
    }
}

/// The child of that name and id; made if there is none.
fn child_with_id(document: &mut Document, parent: Key, name: &str, id: &str) -> Key {
    let found =
        document.element(parent).children().find(|e| e.is(name) && e.id() == Some(id)).map(Element::key);
    found.unwrap_or_else(|| {
        let key = document.append(parent, name);
        document.set_attr(key, "id", id);
        key
    })
}

/// Sets an attribute, or removes it. Whether that changed anything.
fn put(document: &mut Document, key: Key, name: &str, value: Option<&str>) -> bool {
    match value {
        Some(value) => document.set_attr(key, name, value),
        None => document.remove_attr(key, name),
    }
}
