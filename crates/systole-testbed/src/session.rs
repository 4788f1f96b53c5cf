//! A node's session with a remote daemon, and the connection under it.

use crate::{Micros, NodeIdx, far::FarIdx, pop_if};
use std::collections::VecDeque;
use systole_cluster::{
    RemoteEvent, SessionId,
    remote::{RemoteSession, server::RemoteClient},
};
use systole_types::Now;

/// A node's session with a remote daemon.
#[derive(Debug)]
pub struct Session {
    /// Its number on that node.
    pub id: SessionId,
    /// The node.
    pub node: NodeIdx,
    /// The remote daemon.
    pub far: FarIdx,
    /// What the daemon knows it by.
    pub client: RemoteClient,
    /// The node's end, until it is closed or its program ends.
    pub machine: Option<RemoteSession>,
    /// When it connects or fails to.
    pub connects_at: Option<Micros>,
    /// Whether the daemon was told of it, and not yet that it is gone.
    pub is_connected: bool,
    /// Whether the node was told welcome.
    pub is_up: bool,
    /// Whether nothing gets through any more, in neither direction.
    pub is_cut: bool,
    /// Under way to the remote daemon.
    pub to_far: VecDeque<(Micros, String)>,
    /// Under way to the node's end.
    pub to_near: VecDeque<(Micros, Wire)>,
    /// The same, where it does not keep to the order in which it was sent.
    pub strays: VecDeque<(Micros, Wire)>,
    /// What the node's end tells the node.
    pub to_node: VecDeque<(Micros, RemoteEvent)>,
}

/// What comes over a connection.
#[derive(Clone, Debug, PartialEq)]
pub enum Wire {
    /// A message.
    Text(String),
    /// The end of the connection, and why.
    Reset(String),
}

/// Which ends of a session do nothing at present.
#[derive(Clone, Copy, Debug)]
pub struct Asleep {
    /// The node's.
    pub near: bool,
    /// The remote daemon's.
    pub far: bool,
}

impl Session {
    /// Begins to connect.
    pub fn open(
        (id, node): (SessionId, NodeIdx),
        (far, name): (FarIdx, &str),
        host: &str,
        client: RemoteClient,
        now: Now,
        connects_at: Micros,
    ) -> Self {
        Self {
            id,
            node,
            far,
            client,
            machine: Some(RemoteSession::new(name, host, now)),
            connects_at: Some(connects_at),
            is_connected: false,
            is_up: false,
            is_cut: false,
            to_far: VecDeque::new(),
            to_near: VecDeque::new(),
            strays: VecDeque::new(),
            to_node: VecDeque::new(),
        }
    }

    /// When something happens here next.
    pub fn next(&self, asleep: Asleep) -> Option<Micros> {
        let deadline = self.machine.as_ref().and_then(RemoteSession::next_deadline);
        let far = self.to_far.front().map(|(at, _)| *at);
        let near = [
            self.to_near.front().map(|(at, _)| *at),
            self.strays.front().map(|(at, _)| *at),
            self.to_node.front().map(|(at, _)| *at),
            self.connects_at,
            deadline.map(|at| at.0.as_micros() as Micros),
        ];
        let near = near.into_iter().flatten().filter(|_| !asleep.near);
        near.chain(far.filter(|_| !asleep.far)).min()
    }

    /// Whether it is of no more use to anybody.
    pub fn is_over(&self) -> bool {
        self.machine.is_none() && (self.is_cut || self.to_far.is_empty())
    }

    /// Sends to the remote daemon.
    pub fn send_far(&mut self, text: String, at: Micros) {
        if self.is_connected && !self.is_cut {
            push(&mut self.to_far, text, at);
        }
    }

    /// Sends to the node's end.
    pub fn send_near(&mut self, wire: Wire, at: Micros) {
        if !self.is_cut {
            push(&mut self.to_near, wire, at);
        }
    }

    /// Sends to the node's end, past what is under way already or after what is sent later.
    pub fn send_stray(&mut self, wire: Wire, at: Micros) {
        if !self.is_cut {
            let after = self.strays.partition_point(|(earlier, _)| *earlier <= at);
            self.strays.insert(after, (at, wire));
        }
    }

    /// From now on nothing gets through, and neither end is told.
    pub fn cut(&mut self) {
        self.is_cut = true;
        self.connects_at = None;
        self.to_far.clear();
        self.to_near.clear();
        self.strays.clear();
    }

    /// The node's end is gone: what it has sent still arrives.
    pub fn leave(&mut self) {
        self.machine = None;
        self.connects_at = None;
        self.to_near.clear();
        self.strays.clear();
        self.to_node.clear();
    }

    /// What arrives at the remote daemon now.
    pub fn due_far(&mut self, now: Micros) -> Option<String> {
        pop_if(&mut self.to_far, |(at, _)| *at <= now).map(|(_, text)| text)
    }

    /// What arrives at the node's end now.
    pub fn due_near(&mut self, now: Micros) -> Option<Wire> {
        let stray = pop_if(&mut self.strays, |(at, _)| *at <= now);
        stray.or_else(|| pop_if(&mut self.to_near, |(at, _)| *at <= now)).map(|(_, wire)| wire)
    }

    /// What the node is told now.
    pub fn due_node(&mut self, now: Micros) -> Option<RemoteEvent> {
        pop_if(&mut self.to_node, |(at, _)| *at <= now).map(|(_, event)| event)
    }
}

/// Things that go one way arrive in the order in which they were sent.
fn push<T>(queue: &mut VecDeque<(Micros, T)>, what: T, at: Micros) {
    let earliest = queue.back().map_or(0, |(at, _)| *at);
    queue.push_back((earliest.max(at), what));
}
