//! What the daemons' loops are made of: line-framed Unix sockets that never block, a way to wait for many of them, and
//! wake-ups from signals and threads.
//!
//! One thread, one [`Poll`] a round; every buffer has a limit, and a peer that lets its own overflow is let go.

mod clock;
mod connection;
mod listener;
mod peer;
mod poll;
mod users;
mod wake;
mod work;
mod zone;

pub use clock::{Clock, boot_id, log_line};
pub use connection::{Connection, Limits, LinkError};
pub use listener::Listener;
pub use peer::{Credentials, ProcessMark, Sender, ask_for_process, peer_of, process_of, receive_from_user};
pub use poll::{Poll, Ready};
pub use users::{group, groups_of, user, user_name};
pub use wake::{Signals, Waker, waker};
pub use work::{Doing, Work};
pub use zone::utc_offset;
