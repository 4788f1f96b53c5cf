//! What may happen to a cluster without anybody changing its configuration.

use crate::record::{Membership, Recorder};
use std::fmt;
use systole_cib::xml::Document;
use systole_scheduler::{Status, rules, status::NodeKind};
use systole_types::{LocalTime, NodeId, Timestamp};

/// Something that happens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Event {
    /// A node is lost: it answers no more, and may still run what it ran.
    NodeLost(NodeId),
    /// A node is off, and known to be: switched off cleanly, or confirmed by a person.
    NodeOff(NodeId),
    /// A node comes (back) up.
    NodeBack(NodeId),
    /// The partition loses quorum.
    QuorumLost,
    /// The partition gets quorum.
    QuorumBack,
    /// Time goes by until then.
    TimeIs(Timestamp),
}

impl Event {
    /// Reads `node lost N`, `node off N`, `node back N`, `quorum lost`, `quorum back`, `time DATE`. What a date leaves out is as it is `now`.
    pub fn from_words(words: &[&str], now: LocalTime) -> Option<Self> {
        Some(match words {
            ["time", date] => Self::TimeIs(rules::parse_local_time(date, now)?.at),
            ["node", "lost", node] => Self::NodeLost((*node).into()),
            ["node", "off", node] => Self::NodeOff((*node).into()),
            ["node", "back", node] => Self::NodeBack((*node).into()),
            ["quorum", "lost"] => Self::QuorumLost,
            ["quorum", "back"] => Self::QuorumBack,
            _ => return None,
        })
    }

    /// The words it is read from.
    pub fn words(&self) -> Vec<String> {
        let date = self.date();
        let words: &[&str] = match self {
            Self::TimeIs(_) => &["time", &date],
            Self::NodeLost(node) => &["node", "lost", node.as_str()],
            Self::NodeOff(node) => &["node", "off", node.as_str()],
            Self::NodeBack(node) => &["node", "back", node.as_str()],
            Self::QuorumLost => &["quorum", "lost"],
            Self::QuorumBack => &["quorum", "back"],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// For the passing of time: when, in UTC and as one word.
    fn date(&self) -> String {
        match self {
            Self::TimeIs(at) => rules::Civil::at(*at, 0).text().replace(' ', "T"),
            _ => String::new(),
        }
    }

    /// The node it happens to, if to one.
    pub const fn node(&self) -> Option<&NodeId> {
        match self {
            Self::NodeLost(node) | Self::NodeOff(node) | Self::NodeBack(node) => Some(node),
            Self::QuorumLost | Self::QuorumBack | Self::TimeIs(_) => None,
        }
    }

    /// Lets it happen. Quorum follows from how many nodes are up (see [`quorum_of`]), unless the event is about it.
    pub fn happen(&self, document: &mut Document, now: Timestamp) {
        self.write(document, now);
        if matches!(self, Self::QuorumLost | Self::QuorumBack | Self::TimeIs(_)) {
            return;
        }
        let (cib, _) = systole_cib::read(document);
        if let Some(has_quorum) = quorum_of(&Status::unpack(&cib, now)) {
            set_quorum(document, has_quorum);
        }
    }

    /// Writes it down, and nothing that follows from it.
    pub(crate) fn write(&self, document: &mut Document, now: Timestamp) {
        match self {
            Self::NodeLost(node) => {
                let mut recorder = Recorder::new(document, now);
                let state = recorder.node_state(node.as_str(), None);
                recorder.set_node_state(state, Membership::Up);
                for (name, value) in [("in_ccm", "false"), ("crmd", "offline")] {
                    recorder.document.set_attr(state, name, value);
                }
            }
            Self::NodeOff(node) => {
                let mut recorder = Recorder::new(document, now);
                let state = recorder.node_state(node.as_str(), None);
                recorder.set_node_state(state, Membership::Down);
                recorder.forget_node(state);
            }
            Self::NodeBack(node) => {
                let mut recorder = Recorder::new(document, now);
                let state = recorder.node_state(node.as_str(), None);
                recorder.set_node_state(state, Membership::Up);
                recorder.forget_node(state);
            }
            Self::QuorumLost => set_quorum(document, false),
            Self::QuorumBack => set_quorum(document, true),
            Self::TimeIs(at) => {
                let root = document.root_key();
                document.set_attr(root, "execution-date", &at.0.to_string());
            }
        }
    }
}

pub(crate) fn set_quorum(document: &mut Document, has_quorum: bool) {
    let root = document.root_key();
    document.set_attr(root, "have-quorum", if has_quorum { "1" } else { "0" });
}

/// Whether the nodes that are up are a majority, each having one vote. `None` where that cannot be told: with two nodes
/// Corosync's `two_node` (or a third vote) decides.
pub fn quorum_of(status: &Status<'_>) -> Option<bool> {
    let members = || status.nodes.iter().filter(|node| node.kind == NodeKind::Member);
    let (n_all, n_up) = (members().count(), members().filter(|node| node.online).count());
    majority(n_all, n_up)
}

pub(crate) fn majority(n_all: usize, n_up: usize) -> Option<bool> {
    (n_all > 2).then_some(n_up * 2 > n_all)
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NodeLost(node) => write!(f, "{node} is lost"),
            Self::NodeOff(node) => write!(f, "confirm that {node} is off"),
            Self::NodeBack(node) => write!(f, "start the cluster on {node}"),
            Self::QuorumLost => f.write_str("quorum is lost"),
            Self::QuorumBack => f.write_str("get quorum back"),
            Self::TimeIs(_) => write!(f, "wait until {}", self.date()),
        }
    }
}
