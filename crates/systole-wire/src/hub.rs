//! What a node says to the local hub: the cluster layer of one machine.
//!
//! The hub numbers every message once and passes it to every member in that order; a change of membership has its place
//! in the same order, so all members of a view see the same messages in it.

use crate::ProtocolVersion;
use serde::{Deserialize, Serialize};

/// From a node to the hub.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToHub {
    /// First message.
    Join {
        /// The protocol spoken.
        protocol: ProtocolVersion,
        /// The node's name.
        node: String,
    },
    /// To every member of the partition, the sender included, in agreed order.
    Cast {
        /// Opaque to the hub.
        payload: String,
    },
    /// From the lab, instead of joining: changes who hears whom. Answered by [`FromHub::Nodes`] or
    /// [`FromHub::Refused`].
    Control(Control),
    /// Answers [`FromHub::Ping`].
    Pong,
}

/// What the lab asks of the hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// These nodes hear each other and nobody else from now on.
    Split {
        /// Their names.
        nodes: Vec<String>,
    },
    /// These nodes are back with everyone who was not split off.
    Heal {
        /// Their names; everyone if empty.
        nodes: Vec<String>,
    },
    /// Changes nothing.
    List,
}

/// What the hub knows of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HubNode {
    /// Its number.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Whether it is connected.
    pub joined: bool,
    /// The partition it is in, or would be: 0 unless it was split off.
    pub partition: u64,
}

/// From the hub to a node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromHub {
    /// The join was refused.
    Refused {
        /// Why.
        message: String,
    },
    /// Every node the hub was set up for.
    Nodes {
        /// By number.
        nodes: Vec<HubNode>,
    },
    /// From here on this is the membership.
    View(View),
    /// A message in agreed order.
    Deliver {
        /// Its sender.
        from: u32,
        /// Opaque to the hub.
        payload: String,
    },
    /// To a node that has been silent for a while: [`ToHub::Pong`] keeps it in the membership. Nodes that join with
    /// protocol 1.0 do not know it and are not asked.
    Ping,
}

/// A membership.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    /// Counts up; two partitions never use the same number.
    pub number: u64,
    /// This node's own number.
    pub own_id: u32,
    /// Members: number and name, by number.
    pub members: Vec<(u32, String)>,
    /// Whether the partition has quorum.
    pub has_quorum: bool,
}
