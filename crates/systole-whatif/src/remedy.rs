//! The smallest change that would bring a resource where it is wanted.
//!
//! Changes are derived from the reasons of an [`Explanation`](crate::why::Explanation), made on a copy of the CIB, and followed
//! to rest: what is told has been seen to work.

pub(crate) mod rule;
mod search;
mod suggest;

pub use search::{Found, Search, Verified, is_reached};
pub use suggest::suggestions;

use crate::event::Event;
use std::fmt;
use systole_types::{ElementId, NodeId};

/// One change an administrator could make.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remedy {
    /// Let it run.
    Enable(String),
    /// Let the cluster act on it.
    Manage(String),
    /// Forget failures: of all resources if none is named.
    Cleanup {
        /// Whose.
        resource: Option<String>,
        /// Where.
        node: Option<NodeId>,
    },
    /// Forget all history, and probe again.
    Refresh {
        /// Whose.
        resource: String,
        /// Where.
        node: Option<NodeId>,
    },
    /// End standby.
    Unstandby(NodeId),
    /// End maintenance.
    Unmaintenance(NodeId),
    /// Take back a ban or move.
    Clear {
        /// Of what.
        resource: String,
        /// Where.
        node: Option<NodeId>,
    },
    /// Something happens that is no change of the configuration: a node comes back, say.
    Event(Event),
    /// Grant a ticket.
    GrantTicket(String),
    /// End a ticket's standby.
    ActivateTicket(String),
    /// Set a meta attribute.
    SetMeta {
        /// Of which resource.
        resource: String,
        /// Which.
        name: &'static str,
        /// To what.
        value: String,
    },
    /// Set an attribute of a node.
    SetAttribute {
        /// Which node.
        node: NodeId,
        /// Which attribute.
        name: String,
        /// To what; removed, if empty.
        value: String,
        /// Until the next reboot.
        is_transient: bool,
    },
    /// Say that a node has more capacity.
    SetCapacity {
        /// Which node.
        node: NodeId,
        /// Of what.
        name: String,
        /// How much.
        value: i64,
    },
    /// Prefer a node.
    Move {
        /// What.
        resource: String,
        /// Where to.
        node: NodeId,
        /// In the promoted role only.
        promoted: bool,
        /// Where it wants to stay at all costs: it is banned from there, too.
        force: bool,
    },
    /// Remove a constraint.
    DeleteConstraint(ElementId),
    /// Set a cluster option.
    SetOption {
        /// Which.
        name: &'static str,
        /// To what.
        value: &'static str,
    },
}

impl Remedy {
    /// The command, word by word; for an event the words that `systole plan` knows it by.
    pub fn words(&self) -> Vec<String> {
        let node_words = |node: &Option<NodeId>| {
            node.iter().flat_map(|node| ["--node".to_owned(), node.to_string()]).collect::<Vec<_>>()
        };
        let line = |words: &[&str]| -> Vec<String> {
            std::iter::once("systole").chain(words.iter().copied()).map(str::to_owned).collect()
        };
        match self {
            Self::Enable(resource) => line(&["resource", "enable", resource]),
            Self::Manage(resource) => line(&["resource", "manage", resource]),
            Self::Cleanup { resource, node } => {
                let mut words = line(&["resource", "cleanup"]);
                words.extend(resource.clone());
                words.extend(node_words(node));
                words
            }
            Self::Refresh { resource, node } => {
                let mut words = line(&["resource", "refresh", resource]);
                words.extend(node_words(node));
                words
            }
            Self::Unstandby(node) => line(&["node", "unstandby", node.as_str()]),
            Self::Unmaintenance(node) => line(&["node", "unmaintenance", node.as_str()]),
            Self::Clear { resource, node } => {
                let mut words = line(&["resource", "clear", resource]);
                words.extend(node.as_ref().map(NodeId::to_string));
                words
            }
            Self::Event(event) => event.words(),
            Self::GrantTicket(ticket) => line(&["ticket", "grant", ticket]),
            Self::ActivateTicket(ticket) => line(&["ticket", "activate", ticket]),
            Self::SetMeta { resource, name, value } => {
                line(&["resource", "meta", resource, &format!("{name}={value}")])
            }
            Self::SetAttribute { node, name, value, is_transient } => {
                let mut words = line(&["node", "attribute", node.as_str(), &format!("{name}={value}")]);
                words.extend(is_transient.then(|| "--transient".to_owned()));
                words
            }
            Self::SetCapacity { node, name, value } => {
                line(&["node", "capacity", node.as_str(), &format!("{name}={value}")])
            }
            Self::Move { resource, node, promoted, force } => {
                let mut words = line(&["resource", "move", resource, node.as_str()]);
                words.extend(promoted.then(|| "--promoted".to_owned()));
                words.extend(force.then(|| "--force".to_owned()));
                words
            }
            Self::DeleteConstraint(id) => line(&["constraint", "delete", id.as_str()]),
            Self::SetOption { name, value } => line(&["option", "set", &format!("{name}={value}")]),
        }
    }

    /// What has to be thought of before.
    pub fn caution(&self) -> Option<&'static str> {
        match self {
            Self::SetOption { name: "no-quorum-policy", .. } => {
                Some("only if the nodes that are away are known to be off: two copies would run otherwise")
            }
            Self::SetOption { name: "fencing-enabled", .. } => {
                Some("in test clusters only: better configure a fence device")
            }
            Self::Event(Event::NodeOff(_)) => Some("only once the node is known to be off"),
            Self::SetCapacity { .. } => Some("only if the node has it"),
            Self::SetAttribute { .. } => Some("only if that is so of the node"),
            _ => None,
        }
    }

    /// Whether two copies may run, or data be lost, if it is done without thought.
    pub(crate) const fn is_dangerous(&self) -> bool {
        matches!(self, Self::SetOption { name, .. } if matches!(name.as_bytes(), b"no-quorum-policy" | b"fencing-enabled"))
    }

    /// Whether it only takes back what somebody set, or a failure left, for a while.
    pub(crate) const fn is_mild(&self) -> bool {
        matches!(self, Self::Cleanup { .. }) || self.rank() == 0
    }

    /// Whether both set the same, of a resource or node: one of them would undo the other.
    pub(crate) fn sets_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::SetMeta { resource, name, .. }, Self::SetMeta { resource: of, name: also, .. }) => {
                resource == of && name == also
            }
            (Self::SetAttribute { node, name, .. }, Self::SetAttribute { node: of, name: also, .. }) => {
                node == of && name == also
            }
            (Self::Event(Event::TimeIs(_)), Self::Event(Event::TimeIs(_))) => true,
            _ => false,
        }
    }

    /// Whether it changes where a resource may run at all.
    pub(crate) const fn widens_choice(&self) -> bool {
        matches!(
            self,
            Self::DeleteConstraint(_) | Self::SetAttribute { .. } | Self::Move { promoted: false, .. }
        )
    }

    /// How far it goes: what takes back a passing state comes before what changes the configuration for good.
    pub(crate) const fn rank(&self) -> u8 {
        match self {
            Self::Enable(_) | Self::Manage(_) | Self::Unstandby(_) | Self::Unmaintenance(_) => 0,
            Self::Cleanup { .. } | Self::Clear { .. } => 1,
            Self::Event(Event::NodeBack(_) | Event::TimeIs(_)) => 2,
            Self::GrantTicket(_) | Self::ActivateTicket(_) | Self::Refresh { .. } => 2,
            Self::SetMeta { .. } | Self::SetAttribute { .. } => 3,
            Self::Move { .. } => 4,
            Self::DeleteConstraint(_) | Self::SetCapacity { .. } => 5,
            Self::Event(_) => 6,
            Self::SetOption { .. } => 7,
        }
    }
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(event) => event.fmt(f),
            _ => {
                for (i, word) in self.words().iter().enumerate() {
                    let space = if i == 0 { "" } else { " " };
                    let needs_quotes = word.contains(|c: char| c.is_whitespace() || "#$&*;<>'\"".contains(c));
                    match needs_quotes {
                        true => write!(f, "{space}'{word}'")?,
                        false => write!(f, "{space}{word}")?,
                    }
                }
                Ok(())
            }
        }
    }
}
