//! The local hub: the cluster layer of one machine.
//!
//! Nodes connect over a Unix socket; the hub gives every message its place in one order and tells every node who is
//! there. [`Sequencer`] decides, [`Hub`] is its hands, [`control`] is for whoever cuts and heals.

#![forbid(unsafe_code)]

pub mod control;
mod pulse;
mod sequencer;
mod server;
mod users;

pub use pulse::{Beat, Patience, Pulse};
pub use sequencer::{Link, Outgoing, Sequencer};
pub use server::{Hub, HubError, LIMITS};
pub use users::{cluster_user, trusted_users};
