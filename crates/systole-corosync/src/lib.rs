//! The cluster layer over Corosync.
//!
//! `systole-corosync` is a program beside `systoled` that speaks the local hub's protocol to it, and CPG, votequorum and cmap
//! to Corosync. [`Agreement`] makes of what Corosync says the views that [`systole_wire::hub`] promises: numbered, with
//! quorum, the same for all members and at the same place among the messages. It is sans-I/O and needs no Corosync;
//! what does is behind the feature `corosync`.

mod agreement;
#[cfg(feature = "corosync")]
pub mod corosync;
mod frame;
#[cfg(feature = "corosync")]
pub mod server;

pub use agreement::{Agreement, Process, Ring, Told};
