//! Messages between programs: one JSON object a line, versioned, unknown fields ignored.
//!
//! [`api`] is what tools say to `systoled`, [`exec`] what `systoled` says to `systole-execd`, [`hub`] what a node says
//! to the local hub. `docs/api.md` describes them for people. Two exceptions are Pacemaker's own: [`remote`], spoken with
//! remote hosts and containers, and [`libqb`], spoken by its tools there.

#![forbid(unsafe_code)]

pub mod api;
pub mod exec;
mod frame;
pub mod hub;
pub mod libqb;
pub mod remote;

pub use frame::{FrameError, MAX_FRAME_BYTES, decode, encode};

/// The version of every protocol here. A peer with another major part is refused; a newer minor part is fine.
pub const PROTOCOL: ProtocolVersion = ProtocolVersion { major: 1, minor: 10 };

/// The transient attribute of a node that is planned around, since nothing can be done there although something may run.
pub const EXECUTOR_ATTRIBUTE: &str = "systole-executor";

/// Its value where the node is a member and its executor is away.
pub const EXECUTOR_AWAY: &str = "away";

/// Its value where the node has left in good order with what it runs.
pub const EXECUTOR_LEFT: &str = "left";

/// A protocol's version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct ProtocolVersion {
    /// Changes when old peers cannot understand any more.
    pub major: u16,
    /// Changes when something was added.
    pub minor: u16,
}

/// A text that is no version of a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a version of the protocol is two numbers, as in 1.7")]
pub struct NotAVersion;

impl std::str::FromStr for ProtocolVersion {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        let (major, minor) = text.split_once('.').ok_or(NotAVersion)?;
        let number = |text: &str| text.parse().map_err(|_| NotAVersion);
        Ok(Self { major: number(major)?, minor: number(minor)? })
    }
}
