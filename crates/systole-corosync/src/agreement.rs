//! From what Corosync says to views all members agree on. Sans-I/O.
//!
//! Corosync gives each process a membership and messages in one order (CPG), and, on another line and at another time,
//! whether the partition has quorum (votequorum). A view needs both at the same place in the order, and a number.
//! So after each change every process of the group tells the others its [`State`]: what it sees, whether that has quorum,
//! and whether a node's daemon is connected to it. States come in the same order among the messages everywhere; with
//! the last of them everybody knows the same, and a view is due.
//!
//! A payload travels in pieces. One that is not out completely when its sender tells a new state is sent again from its
//! beginning, and receivers drop what they have of it, so that no payload is received in a view by only some of its members.

use crate::frame::{Assembly, Frame, piece};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use systole_wire::hub::View;

/// Corosync's own count, which goes into the numbers of views, is cut off here: there is room for as many views again.
const MAX_SEQUENCE: u64 = 1 << 31;

/// A membership of Corosync's own, by the name Corosync gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ring {
    /// The node it is named for.
    pub leader: u32,
    /// Counts up.
    pub sequence: u64,
}

/// A process of the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Process {
    /// Its node.
    pub node: u32,
    /// Its number on the node.
    pub pid: u32,
}

/// What the node's daemon is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// From here on this is the membership.
    View(View),
    /// A message in agreed order.
    Deliver {
        /// Its sender.
        from: u32,
        /// What was cast.
        payload: String,
    },
}

/// What a process tells the group after a change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    ring: Ring,
    processes: Vec<Process>,
    has_quorum: bool,
    /// The highest number its views have had.
    last_number: u64,
    daemon: Option<Daemon>,
}

/// A node's daemon that is connected.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Daemon {
    name: String,
    /// Counts the connections: a daemon that comes back must be seen to have gone.
    session: u64,
}

/// What a view says, less its number.
#[derive(Clone, Debug, Default, PartialEq)]
struct Content {
    daemons: BTreeMap<u32, Daemon>,
    has_quorum: bool,
}

/// One process of the group.
#[derive(Debug)]
pub struct Agreement {
    own: Process,
    ring: Ring,
    processes: Vec<Process>,
    /// What votequorum said last, and of which ring.
    quorum: (Ring, bool),
    daemon: Option<Daemon>,
    n_sessions: u64,
    /// The states told in this ring by these processes.
    states: BTreeMap<Process, State>,
    /// Whether a view was made of them.
    agreed: bool,
    /// The present view, also while the next is being agreed on.
    content: Content,
    last_number: u64,
    assemblies: BTreeMap<Process, Assembly>,
    outgoing: Outgoing,
}

/// What waits to be sent.
#[derive(Debug, Default)]
struct Outgoing {
    state_is_due: bool,
    payloads: VecDeque<String>,
    /// How much of the first payload is sent.
    offset: usize,
    n_bytes: usize,
}

impl Agreement {
    /// The process `own`, which is about to join the group, where Corosync is in `ring`.
    pub fn new(own: Process, ring: Ring, has_quorum: bool) -> Self {
        Self {
            own,
            ring,
            processes: Vec::new(),
            quorum: (ring, has_quorum),
            daemon: None,
            n_sessions: 0,
            states: BTreeMap::new(),
            agreed: false,
            content: Content::default(),
            last_number: 0,
            assemblies: BTreeMap::new(),
            outgoing: Outgoing::default(),
        }
    }

    /// Corosync has formed a new membership.
    pub fn ring_changed(&mut self, ring: Ring) {
        if self.ring != ring {
            self.ring = ring;
            self.start_over();
        }
    }

    /// The processes of the group are `processes` from here on.
    pub fn processes_changed(&mut self, mut processes: Vec<Process>) {
        processes.sort_unstable();
        self.assemblies.retain(|process, _| processes.contains(process));
        self.processes = processes;
        self.start_over();
    }

    /// Votequorum says whether the partition `ring` has quorum.
    pub fn quorum_changed(&mut self, ring: Ring, has_quorum: bool) {
        if self.quorum != (ring, has_quorum) {
            self.quorum = (ring, has_quorum);
            self.tell_state();
        }
    }

    /// Whether this process is one of the group.
    pub fn is_in_group(&self) -> bool {
        self.processes.contains(&self.own)
    }

    /// The node's daemon has connected.
    pub fn daemon_came(&mut self, name: String) {
        self.n_sessions += 1;
        self.daemon = Some(Daemon { name, session: self.n_sessions });
        self.tell_state();
    }

    /// The node's daemon has gone; what it cast and was not sent yet is dropped.
    pub fn daemon_went(&mut self) {
        self.daemon = None;
        self.outgoing = Outgoing::default();
        self.tell_state();
    }

    /// The node's daemon casts `payload`.
    pub fn cast(&mut self, payload: String) {
        self.outgoing.n_bytes += payload.len();
        self.outgoing.payloads.push_back(payload);
    }

    /// How much was cast and is not sent yet, in bytes.
    pub fn n_unsent(&self) -> usize {
        self.outgoing.n_bytes
    }

    /// What is to be sent to the group next; once it is, call [`Self::sent`].
    pub fn next_frame(&self) -> Option<Vec<u8>> {
        if self.outgoing.state_is_due {
            return Some(Frame::State(self.state()).encode());
        }
        let payload = self.outgoing.payloads.front()?;
        Some(piece(payload.as_bytes(), self.outgoing.offset).encode())
    }

    /// The frame that [`Self::next_frame`] gave is sent.
    pub fn sent(&mut self) {
        let outgoing = &mut self.outgoing;
        if std::mem::take(&mut outgoing.state_is_due) {
            return;
        }
        outgoing.offset += crate::frame::MAX_PIECE;
        let n_bytes = outgoing.payloads.front().map_or(0, String::len);
        if outgoing.offset >= n_bytes {
            outgoing.payloads.pop_front();
            outgoing.n_bytes -= n_bytes;
            outgoing.offset = 0;
        }
    }

    /// A message of the group, this process's own included.
    pub fn received(&mut self, from: Process, bytes: &[u8]) -> Vec<Told> {
        match Frame::decode(bytes) {
            Some(Frame::State(state)) => self.state_told(from, state),
            Some(Frame::Piece { starts, ends, bytes }) => {
                let payload = self.assemblies.entry(from).or_default().take(starts, ends, bytes);
                payload.and_then(|payload| self.deliver(from, payload)).into_iter().collect()
            }
            None => Vec::new(),
        }
    }

    fn start_over(&mut self) {
        self.states.clear();
        self.agreed = false;
        self.tell_state();
    }

    /// Has the state told again, once votequorum speaks of the same ring as CPG.
    fn tell_state(&mut self) {
        self.outgoing.state_is_due = self.quorum.0 == self.ring && self.is_in_group();
        self.outgoing.offset = 0;
    }

    fn state(&self) -> State {
        State {
            ring: self.ring,
            processes: self.processes.clone(),
            has_quorum: self.quorum.1,
            last_number: self.last_number,
            daemon: self.daemon.clone(),
        }
    }

    fn state_told(&mut self, from: Process, state: State) -> Vec<Told> {
        self.assemblies.remove(&from);
        if (state.ring, &state.processes) != (self.ring, &self.processes) {
            return Vec::new();
        }
        self.states.insert(from, state);
        if self.states.len() < self.processes.len() {
            return Vec::new();
        }
        self.agree()
    }

    /// All have told their states: makes the views that are due.
    fn agree(&mut self) -> Vec<Told> {
        if !self.agreed {
            let told = self.states.values().map(|state| state.last_number).max().unwrap_or(0);
            self.last_number = told.max(self.ring.sequence.min(MAX_SEQUENCE));
        }
        let daemons =
            self.states.iter().filter_map(|(process, state)| Some((process.node, state.daemon.clone()?)));
        let next = Content {
            daemons: daemons.collect(),
            has_quorum: self.states.values().all(|state| state.has_quorum),
        };
        if std::mem::replace(&mut self.agreed, true) && next == self.content {
            return Vec::new();
        }
        // A daemon that went and came back between two views must be seen to have gone. The number of that view in between
        // is set aside whether it is needed here or not, since members who come from elsewhere do not need it.
        let mut without = next.clone();
        without.daemons.retain(|node, now| self.content.daemons.get(node).is_none_or(|old| old == now));
        let in_between = (without != next).then(|| self.enter(without, 1)).flatten();
        let told = self.enter(next, 2);
        self.last_number += 2;
        in_between.into_iter().chain(told).collect()
    }

    fn enter(&mut self, content: Content, number: u64) -> Option<Told> {
        self.content = content;
        self.is_daemon_in_view().then(|| Told::View(self.view(self.last_number + number)))
    }

    fn view(&self, number: u64) -> View {
        let members = self.content.daemons.iter().map(|(&node, daemon)| (node, daemon.name.clone()));
        // Partitions have no node in common: with one of its own in it, no other partition has the same number.
        let lowest = self.processes.first().map_or(0, |process| process.node);
        View {
            number: (number << 32) | u64::from(lowest),
            own_id: self.own.node,
            members: members.collect(),
            has_quorum: self.content.has_quorum,
        }
    }

    fn is_daemon_in_view(&self) -> bool {
        self.daemon.is_some() && self.content.daemons.get(&self.own.node) == self.daemon.as_ref()
    }

    /// A payload counts between members of a view only; what others sent before they became members does not.
    fn deliver(&self, from: Process, payload: Vec<u8>) -> Option<Told> {
        let counts = self.is_daemon_in_view() && self.content.daemons.contains_key(&from.node);
        let payload = counts.then(|| String::from_utf8(payload).ok())??;
        Some(Told::Deliver { from: from.node, payload })
    }
}

#[cfg(test)]
mod tests;
