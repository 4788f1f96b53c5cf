//! `<node_state>`s.

use super::{erase_attributes, erase_history, find_node_state, node_state, put};
use crate::xml::{Document, Element};
use systole_types::{NodeId, NodeUuid, Timestamp};

/// How far a node has got on its way into the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Join {
    /// Not at all.
    #[default]
    Down,
    /// It asked to.
    Pending,
    /// All the way.
    Member,
    /// It was turned away.
    Banned,
}

impl Join {
    /// As the CIB writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Pending => "pending",
            Self::Member => "member",
            Self::Banned => "banned",
        }
    }
}

/// How `in_ccm` and `crmd` are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum MembershipFormat {
    /// `true` and `online`: readable by every release.
    #[default]
    Words,
    /// Since when, as releases from 2.1.7 on write it; 0 if not.
    Times,
}

/// What the cluster layer and the join say about a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Membership {
    /// A member of the cluster layer, since then.
    pub member_since: Option<Timestamp>,
    /// In the process group of the controllers, since then.
    pub peer_since: Option<Timestamp>,
    /// How far it has got.
    pub join: Join,
    /// Whether it is meant to be up.
    pub is_expected: bool,
}

impl Membership {
    /// Up and running since `since`.
    pub const fn online(since: Timestamp) -> Self {
        Self { member_since: Some(since), peer_since: Some(since), join: Join::Member, is_expected: true }
    }

    /// Gone, as it was meant to be.
    pub const fn shut_down() -> Self {
        Self { member_since: None, peer_since: None, join: Join::Down, is_expected: false }
    }

    /// Gone, though it was meant to be up.
    pub const fn lost() -> Self {
        Self { member_since: None, peer_since: None, join: Join::Down, is_expected: true }
    }
}

/// Writes a cluster node's membership. `origin` is what changed it, for people.
pub fn set_membership(
    document: &mut Document,
    node: &NodeUuid,
    name: &NodeId,
    membership: &Membership,
    format: MembershipFormat,
    origin: &str,
) -> bool {
    let time = |since: Option<Timestamp>| since.map_or(0, |since| since.0).to_string();
    let word = |since: Option<Timestamp>, yes: &str, no: &str| since.map_or(no, |_| yes).to_owned();
    let (in_ccm, crmd) = match format {
        MembershipFormat::Words => {
            (word(membership.member_since, "true", "false"), word(membership.peer_since, "online", "offline"))
        }
        MembershipFormat::Times => (time(membership.member_since), time(membership.peer_since)),
    };
    let state = node_state(document, node);
    let mut changed = false;
    for (attr, value) in [
        ("uname", name.as_str()),
        ("in_ccm", &in_ccm),
        ("crmd", &crmd),
        ("crm-debug-origin", origin),
        ("join", membership.join.as_str()),
        ("expected", if membership.is_expected { "member" } else { "down" }),
    ] {
        changed |= document.set_attr(state, attr, value);
    }
    changed
}

/// Sets or removes single attributes of a node's state: `remote_node`, `node_fenced`, `node_in_maintenance`, `uname`...
pub fn set_state(document: &mut Document, node: &NodeUuid, attributes: &[(&str, Option<&str>)]) -> bool {
    let state = node_state(document, node);
    attributes.iter().fold(false, |changed, (name, value)| put(document, state, name, *value) | changed)
}

/// Forgets a node's history and transient attributes, as when it comes back or is known to be gone. Its state stays.
pub fn erase_status(document: &mut Document, node: &NodeUuid) -> bool {
    erase_history(document, node) | erase_attributes(document, node)
}

/// Removes a node's state altogether, as when it leaves the cluster for good.
pub fn erase_node(document: &mut Document, node: &NodeUuid) -> bool {
    match find_node_state(document, node).map(Element::key) {
        Some(key) => {
            document.remove(key);
            true
        }
        None => false,
    }
}
