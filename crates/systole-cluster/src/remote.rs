//! The machine of one session with a remote executor: a stock `pacemaker-remoted`, or `systole-execd --remote`.
//!
//! The node machine asks for a session ([`RemoteCommand::Open`]), talks through it in the words of the local executor,
//! and hears of it in [`RemoteEvent`]s; the hand has a [`RemoteSession`] for each, between the node machine and the
//! connection. A session that is lost is not opened again: whether and when to try is the node machine's business.
//!
//! The daemon keeps nothing for us: whatever was in flight when a session ends is unknown from then on, and what recurs
//! there ends with its last connection. So a welcome never knows of any operation, and whatever recurs at the far end
//! although nobody asked for it in this session is ended before the welcome.
//!
//! [`server::RemoteServer`] is the far end.
//!
//! [`RemoteCommand::Open`]: crate::RemoteCommand::Open

mod operations;
pub mod server;
#[cfg(test)]
mod tests;

use crate::{Level, RemoteEvent};
use operations::Operations;
use std::time::Duration;
use systole_types::{Monotonic, Now};
use systole_wire::{
    PROTOCOL,
    exec::{FromExecutor, ToExecutor},
    remote::{
        Call, FromRemote, Notice, PROTOCOL_VERSION, ProxyMessage, RC_PROTOCOL, Reply, ToRemote, is_compatible,
    },
};

/// How long it may take to connect, to shake hands and to register.
const OPENING: Duration = Duration::from_secs(10);

/// After this long without a word from the daemon it is asked for one.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// After this long without a word, although it was asked, the session counts as lost.
const SILENCE: Duration = Duration::from_secs(20);

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The connection stands, and both ends have proved that they know the key.
    Connected,
    /// The connection could not be made, or has come to an end that was not asked for.
    Lost {
        /// For people.
        reason: String,
    },
    /// The daemon says something. A hand drops (and logs) messages that cannot be read.
    Received(FromRemote),
    /// What the remote executor is told.
    Told(ToExecutor),
    /// Answers and events for tools on the remote side.
    Proxy(ProxyMessage),
    /// The moment `next_deadline` named has come.
    DeadlineReached,
}

/// What has to be done, in the order given.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Tell the daemon.
    Send(ToRemote),
    /// Tell the node machine. After [`RemoteEvent::Lost`] drop the connection and the machine.
    Tell(RemoteEvent),
    /// A tool on the remote side says something, or the daemon itself. What tools wait for is void when the session is
    /// lost.
    Proxy(ProxyMessage),
    /// Write to the log.
    Log {
        /// How important.
        level: Level,
        /// A sentence.
        message: String,
    },
}

/// The machine of one session. The hand connects as soon as it makes one.
#[derive(Debug)]
pub struct RemoteSession {
    /// The remote node.
    node: String,
    /// This cluster node, for the daemon's log.
    host: String,
    stage: Stage,
    last_id: u32,
    operations: Operations,
    effects: Vec<Effect>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The hand connects and shakes hands.
    Connecting {
        until: Monotonic,
    },
    /// The daemon was told who we are: the call that waits for its answer.
    Registering {
        call: u32,
        until: Monotonic,
    },
    /// The daemon was asked what recurs there.
    Inspecting {
        call: u32,
        until: Monotonic,
    },
    /// The node machine was told welcome. When the daemon was last heard; a poke that was not answered yet.
    Up {
        heard_at: Monotonic,
        poke: Option<u32>,
    },
    Lost,
}

impl RemoteSession {
    /// A session of the cluster node `host` with the remote node `node`, which begins to connect `now`.
    pub fn new(node: &str, host: &str, now: Now) -> Self {
        Self {
            node: node.to_owned(),
            host: host.to_owned(),
            stage: Stage::Connecting { until: now.mono + OPENING },
            last_id: 0,
            operations: Operations::default(),
            effects: Vec::new(),
        }
    }

    /// The remote node's name.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Whether the node machine was told welcome, and not yet that the session is lost.
    pub fn is_up(&self) -> bool {
        matches!(self.stage, Stage::Up { .. })
    }

    /// Takes in what happened and says what to do.
    pub fn handle(&mut self, now: Now, event: Event) -> Vec<Effect> {
        match event {
            Event::Connected => self.register(),
            Event::Lost { reason } => self.lose(reason),
            Event::Received(message) => self.received(now, message),
            Event::Told(message) if self.is_up() => self.told(now, message),
            Event::Proxy(message) if self.is_up() => {
                self.send(Call::Forward(message));
            }
            // The node machine does not know yet that the session is lost.
            Event::Told(_) | Event::Proxy(_) => {}
            Event::DeadlineReached => self.expire(now),
        }
        std::mem::take(&mut self.effects)
    }

    /// When the next [`Event::DeadlineReached`] is due.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        match self.stage {
            Stage::Connecting { until }
            | Stage::Registering { until, .. }
            | Stage::Inspecting { until, .. } => Some(until),
            Stage::Up { heard_at, poke: None } => Some(heard_at + KEEPALIVE),
            Stage::Up { heard_at, poke: Some(_) } => Some(heard_at + SILENCE),
            Stage::Lost => None,
        }
    }

    /// Both ends know the key: says who we are.
    fn register(&mut self) {
        let Stage::Connecting { until } = self.stage else { return };
        let client = format!("systole-{}", self.host);
        let protocol = PROTOCOL_VERSION.to_owned();
        let call = self.send(Call::Register { client, protocol, is_provider: true, speaks_api: true });
        self.stage = Stage::Registering { call, until };
    }

    fn received(&mut self, now: Now, message: FromRemote) {
        if let Stage::Up { heard_at, .. } = &mut self.stage {
            *heard_at = now.mono;
        }
        match message {
            FromRemote::Reply(reply) => self.replied(now, reply),
            FromRemote::Notice(Notice::Done(done)) if self.is_up() => self.done(now, *done),
            FromRemote::Notice(_) => {}
            FromRemote::Proxy(message) if self.is_up() => self.effects.push(Effect::Proxy(message)),
            // Tools that speak so early get no answer before the session is up, and try again.
            FromRemote::Proxy(_) => {}
        }
    }

    fn replied(&mut self, now: Now, reply: Reply) {
        match self.stage {
            Stage::Registering { call, until } if call == reply.id => self.registered(reply, until),
            Stage::Inspecting { call, .. } if call == reply.id => self.inspected(now, &reply),
            Stage::Up { heard_at, poke } if poke == Some(reply.id) => {
                self.stage = Stage::Up { heard_at, poke: None };
            }
            Stage::Up { .. } => self.operation_replied(now, &reply),
            _ => {}
        }
    }

    fn registered(&mut self, reply: Reply, until: Monotonic) {
        let registered = reply.registered.unwrap_or_default();
        if reply.rc == RC_PROTOCOL || !is_compatible(&registered.protocol) {
            let theirs = registered.protocol;
            return self.lose(format!("the daemon speaks protocol {theirs}, this node {PROTOCOL_VERSION}"));
        }
        if reply.rc < 0 {
            return self.lose(format!("the daemon refuses us (error {})", -reply.rc));
        }
        match registered.start_state.as_deref().map(str::parse) {
            Some(Ok(state)) => self.effects.push(Effect::Tell(RemoteEvent::StartState(state))),
            Some(Err(error)) => {
                self.log(Level::Warning, format!("{}: {error}: taken for default", self.node))
            }
            None => {}
        }
        let call = self.send(Call::Recurring { resource: None });
        self.stage = Stage::Inspecting { call, until };
    }

    /// The daemon said what recurs there. Daemons that cannot (before 1.1.22) drop it all with their last connection.
    fn inspected(&mut self, now: Now, reply: &Reply) {
        self.stage = Stage::Up { heard_at: now.mono, poke: None };
        self.end_strangers(&reply.recurring);
        self.effects.push(Effect::Tell(RemoteEvent::Says(FromExecutor::Welcome {
            protocol: PROTOCOL,
            boot_id: String::new(),
            recurring: Vec::new(),
            in_flight: Vec::new(),
            unacknowledged: Vec::new(),
            last_call: 0,
            last_number: 0,
            acknowledged: 0,
        })));
    }

    fn expire(&mut self, now: Now) {
        match self.stage {
            Stage::Connecting { until } if until <= now.mono => {
                self.lose(format!("no connection within {} s", OPENING.as_secs()));
            }
            Stage::Registering { until, .. } | Stage::Inspecting { until, .. } if until <= now.mono => {
                self.lose("the daemon does not answer".to_owned());
            }
            Stage::Up { heard_at, poke } => match (now.mono - heard_at, poke) {
                (silence, Some(_)) if silence >= SILENCE => {
                    self.lose(format!("no answer for {} s", SILENCE.as_secs()));
                }
                (silence, None) if silence >= KEEPALIVE => {
                    let poke = Some(self.send(Call::Poke));
                    self.stage = Stage::Up { heard_at, poke };
                }
                _ => {}
            },
            _ => {}
        }
    }

    fn lose(&mut self, reason: String) {
        if self.stage != Stage::Lost {
            self.stage = Stage::Lost;
            self.effects.push(Effect::Tell(RemoteEvent::Lost { reason }));
        }
    }

    fn send(&mut self, call: Call) -> u32 {
        // Stock daemons read it as a signed number.
        self.last_id = if self.last_id >= i32::MAX.cast_unsigned() { 1 } else { self.last_id + 1 };
        self.effects.push(Effect::Send(ToRemote { id: self.last_id, call }));
        self.last_id
    }

    fn log(&mut self, level: Level, message: impl Into<String>) {
        self.effects.push(Effect::Log { level, message: message.into() });
    }
}
