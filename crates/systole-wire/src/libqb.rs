//! libqb's IPC as a server meets it: how Pacemaker's own tools talk to the daemons of their host.
//!
//! A tool connects to a stream socket and greets ([`greeting`]); the answer names a pair of datagram sockets in either
//! direction, and messages ([`message`]) go over these. That is libqb's transport by sockets. Its other one, shared memory,
//! is not spoken here: `docs/decisions/libqb-over-sockets.md`.
//!
//! Numbers are in the byte order of this host, which both ends share. Facts are from libqb's headers and from watching the
//! tools of Pacemaker 2.1.5 and 3.0.2 with libqb 2.0.6.

pub mod greeting;
pub mod message;

pub use greeting::{Greeting, GreetingError, accepted, refused};
pub use message::{Inbox, Message, MessageError, Outgoing};

/// The socket of the daemon that watches over the others. Remote hosts have none, and turn tools away.
pub const WATCHER: &str = "pacemakerd";

/// The sockets a remote daemon passes on to the cluster, by the services' names.
pub const SERVICES: [&str; 6] = ["cib_ro", "cib_rw", "cib_shm", "attrd", "crmd", "stonith-ng"];

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

fn i32_at(bytes: &[u8], at: usize) -> Option<i32> {
    u32_at(bytes, at).map(u32::cast_signed)
}

fn put(bytes: &mut [u8], at: usize, field: &[u8]) {
    bytes[at..at + field.len()].copy_from_slice(field);
}
