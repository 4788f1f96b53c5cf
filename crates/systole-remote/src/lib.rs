//! The hands of connections between cluster nodes and remote daemons: sockets that never block, TLS, messages.
//!
//! [`Dialer`] is the end that connects, [`Doorkeeper`] the end that is connected to, [`SecureStream`] what both have
//! once the handshake is under way. The key is read anew for each connection, so that it may be changed at any time.

#![forbid(unsafe_code)]

mod dialer;
mod doorkeeper;
mod key;
mod stream;

pub use dialer::Dialer;
pub use doorkeeper::{Doorkeeper, Doors, listen};
pub use key::{KeyError, key_path, read_key};
pub use stream::{End, SecureStream};
