//! The machine of one connection to a remote daemon: on a remote host, or inside a container.
//!
//! A remote node has no `systoled`. One cluster node holds the connection to it and runs its operations through that:
//! the resource `ocf:pacemaker:remote` of the remote node's name stands for the connection. There is one
//! [`RemoteMachine`] for each such resource on each node that was ever told to hold it; it is made when the first
//! operation of the resource arrives and may be dropped whenever it is idle.
//!
//! How the node machine uses it:
//!
//! - Operations **of the connection resource** itself (`start`, `monitor`, `stop`, `migrate_to`, `migrate_from`...) go
//!   in as [`Event::Connection`] instead of to the local executor. Their results come out as [`Effect::Connection`] and
//!   are recorded on *this* node, as for any resource here.
//! - Operations **of resources on the remote node** go in as [`Event::Told`], in the local executor's own words
//!   ([`ToExecutor`]), and their results come out as [`Effect::Says`] ([`FromExecutor::Result`]), to be recorded on
//!   the *remote* node. Call numbers are the caller's business as with the local executor (counted per remote node);
//!   result numbers count up from 1 in each machine and need no acknowledgement.
//! - [`Effect::Up`] says that the remote node can be used from now on, before the result of the `start`. What runs
//!   there is not known then, and no recurring operation is in force there: it has to be probed.
//! - [`Effect::Down`] says that it cannot be used any more. Before it come results for all that was in flight (status
//!   [`OpStatus::NotConnected`]), after it the failure of the connection's own recurring monitors, if the end was not
//!   asked for. The machine does not connect again by itself: the cluster decides (fence, restart the container,
//!   `reconnect_interval`).
//! - What tools on the remote side say to the cluster comes out as [`Effect::Proxy`], answers go in as
//!   [`Event::Proxy`]. Every session is over when the connection is.
//!
//! The hand performs [`Effect::Connect`] (connect, TLS handshake), [`Effect::Send`] and [`Effect::Disconnect`], and
//! says [`Event::Connected`], [`Event::Lost`] and [`Event::Received`]. A simulator can leave TLS and XML out and pass
//! the messages as they are; the far end is [`server::RemoteServer`].

mod link;
mod operations;
pub mod server;
#[cfg(test)]
mod tests;

use crate::Level;
use link::Link;
use operations::Operations;
use systole_types::{Monotonic, Now, OpStatus};
use systole_wire::{
    exec::{FromExecutor, Operation, OperationResult, ToExecutor},
    remote::{Call, FromRemote, Notice, ProxyBody, ProxyMessage, ToRemote},
};

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The cluster wants an operation of the connection resource performed on this node.
    Connection(Box<Operation>),
    /// A recurring operation of the connection resource is to end; its key.
    CancelConnection(String),
    /// What the executor of the remote node is told.
    Told(ToExecutor),
    /// Answers and events for tools on the remote side.
    Proxy(ProxyMessage),
    /// [`Effect::Connect`] worked, and both ends have proved that they know the key.
    Connected,
    /// [`Effect::Connect`] failed, or the connection has come to an end that was not asked for.
    Lost {
        /// What kind of end.
        cause: LossCause,
        /// For people.
        reason: String,
    },
    /// The remote daemon says something. A hand drops (and logs) messages that cannot be read.
    Received(FromRemote),
    /// The moment `next_deadline` named has come.
    DeadlineReached,
}

/// How a connection came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossCause {
    /// Nobody listens, or the host is not reached: may pass.
    Unreachable,
    /// The TLS handshake did not come to its end. A port that is forwarded to a container is like this until the
    /// daemon listens; so is a stock daemon with another key.
    Handshake,
    /// The keys differ, for certain, or ours cannot be read: trying again is of no use.
    Key,
    /// An established connection was closed or reset.
    Closed,
    /// The peer sent what cannot be a message.
    Garbled,
}

/// What has to be done, in the order given.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Connect there, in place of any earlier connection, and shake hands. The machine sees to the time limit.
    Connect {
        /// A host name or an address.
        address: String,
        /// The port.
        port: u16,
    },
    /// Drop the connection; [`Event::Lost`] is not said for it. What was sent before may go out first.
    Disconnect,
    /// Tell the remote daemon. Dropped if there is no connection.
    Send(ToRemote),
    /// The result of an operation of the connection resource, for the history of this node.
    Connection(Box<OperationResult>),
    /// As if the remote node's executor said it, for the history of the remote node.
    Says(FromExecutor),
    /// The remote node can be used.
    Up {
        /// The daemon is not the one that the last connection was to: it was restarted, or it does not say.
        restarted: bool,
        /// The state its administrator wants the node in at start: `standby`, `member`...
        start_state: Option<String>,
    },
    /// The remote node cannot be used any more.
    Down {
        /// Whether the cluster asked for it.
        expected: bool,
        /// Another node has taken the connection over: the remote node itself is not gone.
        moved: bool,
        /// For people.
        reason: String,
    },
    /// A tool on the remote side says something, or the daemon itself ([`ProxyBody::ShutdownRequest`]).
    Proxy(ProxyMessage),
    /// Write to the log.
    Log {
        /// How important.
        level: Level,
        /// A sentence.
        message: String,
    },
}

/// The machine of one connection.
#[derive(Debug)]
pub struct RemoteMachine {
    /// The remote node.
    node: String,
    link: Link,
    operations: Operations,
    effects: Vec<Effect>,
}

impl RemoteMachine {
    /// A machine for the remote node `node`, on the cluster node `host`, without a connection.
    pub fn new(node: &str, host: &str) -> Self {
        Self {
            node: node.to_owned(),
            link: Link::new(host),
            operations: Operations::default(),
            effects: Vec::new(),
        }
    }

    /// Takes in what happened and says what to do.
    pub fn handle(&mut self, now: Now, event: Event) -> Vec<Effect> {
        match event {
            Event::Connection(operation) => self.perform(now, *operation),
            Event::CancelConnection(key) => self.cancel_monitor(now, &key),
            Event::Told(message) => self.told(now, message),
            Event::Proxy(message) => {
                if self.is_up() {
                    self.send(Call::Forward(message));
                }
            }
            Event::Connected => self.register(now),
            Event::Lost { cause, reason } => self.lost(now, cause, &reason),
            Event::Received(message) => self.received(now, message),
            Event::DeadlineReached => self.expire(now),
        }
        std::mem::take(&mut self.effects)
    }

    /// When the next [`Event::DeadlineReached`] is due.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.link.next_deadline()
    }

    /// Whether the remote node can be used.
    pub fn is_up(&self) -> bool {
        self.link.is_up()
    }

    /// The remote node's name.
    pub fn node(&self) -> &str {
        &self.node
    }

    fn received(&mut self, now: Now, message: FromRemote) {
        self.link.heard(now.mono);
        match message {
            FromRemote::Reply(reply) => self.replied(now, reply),
            FromRemote::Notice(Notice::Done(done)) if self.is_up() => self.done(now, *done),
            FromRemote::Notice(Notice::NewClient) => self.link.taken_over(),
            FromRemote::Notice(_) => {}
            FromRemote::Proxy(message) => {
                if message.body == ProxyBody::ShutdownRequest {
                    let node = &self.node;
                    let message =
                        format!("{node} is told to shut down and asks to be relieved of its resources");
                    self.log(Level::Notice, message);
                }
                self.effects.push(Effect::Proxy(message));
            }
        }
    }

    fn send(&mut self, call: Call) -> u32 {
        let id = self.link.next_id();
        self.effects.push(Effect::Send(ToRemote { id, call }));
        id
    }

    fn log(&mut self, level: Level, message: impl Into<String>) {
        self.effects.push(Effect::Log { level, message: message.into() });
    }
}

/// A result that no agent is behind.
fn own_result(
    operation: Operation,
    now: Now,
    (rc, status): (i32, OpStatus),
    reason: &str,
) -> OperationResult {
    OperationResult {
        number: 0,
        operation,
        rc,
        status: status.code(),
        exit_reason: reason.to_owned(),
        at: now.wall.0,
        exec_ms: 0,
        queue_ms: 0,
    }
}
