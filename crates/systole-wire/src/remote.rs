//! What a cluster node and a remote daemon say to each other: the protocol of Pacemaker Remote.
//!
//! [`frame`] is the envelope of a message on the wire, [`message`] what is in it, [`proxy`] what tools on the remote
//! side say to the cluster through the connection. TLS is not the business of this module. Facts are from watching
//! Pacemaker 2.1.5 and 3.0.2.

pub mod frame;
pub mod message;
pub mod proxy;
pub mod stock;
mod xml;

pub use frame::{Decoder, Frame, FrameError, MAX_MESSAGE_BYTES};
pub use message::{Call, Done, FromRemote, Notice, Recurring, Registered, Reply, Run, ToRemote};
pub use proxy::{ProxyBody, ProxyMessage};
pub use xml::MessageError;

/// The port a remote daemon listens at unless it is told otherwise.
pub const PORT: u16 = 3121;

/// The version of the protocol that is spoken here. With 1.2 a daemon may ask for schema files, which is not for us.
pub const PROTOCOL_VERSION: &str = "1.1";

/// Whether a peer that speaks `version` can be understood: anything with the same major part.
pub fn is_compatible(version: &str) -> bool {
    version.split('.').next() == Some("1")
}

/// The error code for "wrong protocol version" in replies: `-EPROTO`.
pub const RC_PROTOCOL: i32 = -71;
