//! What the node machine is told, and what it asks for: the contract with `systoled`'s hands.

use crate::{InputKind, StartState};
use std::{fmt, time::Duration};
use systole_types::CibVersion;
use systole_wire::{api, exec, hub};

/// What happened. Events of one source are handed over in the order in which they happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The program started: the first event, exactly once.
    Started {
        /// This node's name.
        node: String,
        /// Differs after each boot of the host, and only then (in a lab: each boot of the lab node).
        /// The same as the executor's [`exec::FromExecutor::Welcome`] says.
        boot_id: String,
        /// Random bits, new at each start: the source of transition UUIDs.
        seed: u128,
        /// The CIB found on disk; `None` if there is none or it cannot be read.
        stored: Option<Snapshot>,
    },
    /// The cluster layer has a new membership, and this node is in it.
    View(hub::View),
    /// A message in agreed order, this node's own included.
    Delivered {
        /// The sender's number.
        from: u32,
        /// What was given to [`Effect::Cast`] there.
        payload: String,
    },
    /// The connection to the cluster layer is gone. After a reconnection comes a [`Event::View`];
    /// if that takes long, the machine goes on as a node that was cut off.
    ClusterLost,
    /// A connection to the executor is up.
    ExecutorConnected,
    /// It is gone.
    ExecutorLost,
    /// The executor says something.
    Executor(exec::FromExecutor),
    /// Something happened in a session with the executor of a remote or guest node.
    Remote {
        /// The session of [`Effect::Remote`] it belongs to; events of sessions that were closed are ignored.
        session: SessionId,
        /// What.
        event: RemoteEvent,
    },
    /// A tool asks something.
    Request {
        /// Which connection.
        client: ClientId,
        /// The request. The hand has checked `user` against the socket's credentials; without a user it is the daemon's own.
        request: api::Request,
        /// The groups that the user is in, for access control lists.
        groups: Vec<String>,
    },
    /// A tool's connection is gone.
    ClientGone(ClientId),
    /// The snapshot of [`Effect::Persist`] with this token is on disk, and so is every one with a smaller token:
    /// of several that wait, a hand writes the newest only.
    Durable(Token),
    /// It could not be written. What was on disk before is still there. The machine tries again by itself.
    DiskFailed {
        /// Which; smaller tokens failed too.
        token: Token,
        /// Why, for people: `No space left on device`.
        error: String,
    },
    /// The moment `next_deadline` named has come.
    DeadlineReached,
}

/// What has to be done, in the order given.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Multicast in agreed order to every member, this node included. Dropped if there is no cluster layer.
    Cast(String),
    /// Tell the executor. Dropped if it is not connected.
    ToExecutor(exec::ToExecutor),
    /// Do something about a session with the executor of a remote or guest node.
    Remote {
        /// Which: new for each [`RemoteCommand::Open`] on this node.
        session: SessionId,
        /// What.
        command: RemoteCommand,
    },
    /// Put this on disk (fsync, rename, fsync of the directory), then say [`Event::Durable`] or [`Event::DiskFailed`].
    Persist {
        /// Counts up.
        token: Token,
        /// What to keep.
        snapshot: Snapshot,
    },
    /// Answer a tool; dropped if it is gone.
    Reply {
        /// Which connection.
        client: ClientId,
        /// What to say.
        response: api::Response,
    },
    /// Keep a scheduler input as `pe-input-N.bz2`, `pe-warn-N.bz2` or `pe-error-N.bz2`. Whether that works is of no
    /// consequence for the cluster.
    SaveInput {
        /// Which series.
        kind: InputKind,
        /// The transition it led to, for the log.
        transition: u64,
        /// The CIB as it was scheduled.
        xml: String,
    },
    /// Write to the log.
    Log {
        /// How important.
        level: Level,
        /// A sentence.
        message: String,
    },
    /// Leave the cluster layer at once, as if the connection to it were lost ([`Event::ClusterLost`] comes of that), and do not
    /// join again before so long.
    StayAway(Duration),
    /// Leave the cluster layer in good order (what was cast before goes out first) and end the program with success.
    LeaveCluster,
    /// End the program with failure, to be started anew: going on would risk the data.
    Die {
        /// Why.
        reason: String,
    },
}

/// What happened in a session.
#[derive(Clone, Debug, PartialEq)]
pub enum RemoteEvent {
    /// The remote executor says something: [`exec::FromExecutor::Welcome`] first, once the session is up. What it does
    /// not tell (a stock executor knows no history), the session fills in with nothing. Results may bear any number.
    Says(exec::FromExecutor),
    /// How the remote node is to begin, told before its executor's welcome.
    StartState(StartState),
    /// The session is over, or did not come about: refused, cut off, or nothing was heard for too long.
    Lost {
        /// Why, for people.
        reason: String,
    },
}

/// What to do about a session.
#[derive(Clone, Debug, PartialEq)]
pub enum RemoteCommand {
    /// Connect and register. Once this works, say [`RemoteEvent::Says`] with a welcome; see to it that a peer that falls
    /// silent is noticed. If not, or no longer, say [`RemoteEvent::Lost`], once.
    Open(Endpoint),
    /// Tell the remote executor. [`exec::ToExecutor::Hello`] is never told this way.
    Tell(exec::ToExecutor),
    /// Close it; nothing more is to be said of it. What runs there goes on.
    Close,
}

/// Where a remote executor listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The remote or guest node's name.
    pub node: String,
    /// A host name or an address.
    pub address: String,
    /// The port, where it is not the usual one.
    pub port: Option<u16>,
}

/// One session with a remote executor. A node never uses a number twice while its program runs, and hardly ever after.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct SessionId(pub u64);

/// One connection of a tool; a hand never uses a number twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// A request to write to disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// A CIB as it is kept on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The document for `cib.xml`, with an empty status section as Pacemaker writes it.
    pub xml: String,
    /// Its version.
    pub version: CibVersion,
    /// Counts the quorate memberships this CIB has lived through: kept in a small file of its own beside `cib.xml`
    /// (a decimal number), 0 where there is none. Of two CIBs with the same `admin_epoch`, the one with the higher
    /// generation wins: a partition without quorum cannot outvote one that had it.
    pub generation: u64,
}

/// How important a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For developers.
    Debug,
    /// What goes on.
    Info,
    /// What an administrator wants to have read: a new DC, a node lost.
    Notice,
    /// Something is amiss.
    Warning,
    /// Something does not work.
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}
