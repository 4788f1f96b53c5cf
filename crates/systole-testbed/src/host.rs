//! A simulated host: power, disk, the two daemons and what their effects do.

use crate::{Micros, check::attributes::Past, cluster::Blow, station::Station};
use std::collections::VecDeque;
use systole_cluster::{Event, NodeMachine, Snapshot, Token};
use systole_wire::{
    PROTOCOL, ProtocolVersion,
    exec::{FromExecutor, ToExecutor},
};

/// A daemon that is back within this time was restarted; nobody must have missed it.
pub const RESTART: Micros = 1_900_000;

/// A host.
pub struct Host {
    /// Its name.
    pub name: String,
    /// Whether it has power.
    pub is_on: bool,
    /// Counts boots.
    pub boot: u32,
    /// What its `systoled` says to speak, when it is started next.
    pub speaks: ProtocolVersion,
    /// `systoled`, while it runs.
    pub node: Option<NodeMachine>,
    /// Until when `systoled` does nothing, though its connections are open.
    pub hangs_until: Option<Micros>,
    /// When the cluster layer has had enough of that.
    pub dropped_at: Option<Micros>,
    /// What it has not read meanwhile.
    pub unread: Vec<Event>,
    /// `systole-execd`, while it runs, and its agents.
    pub station: Station,
    /// Whether the two are connected.
    pub is_linked: bool,
    /// What happens when the executor is told to demote or stop something.
    pub at_word: Option<Blow>,
    /// When `systoled` has had enough of an executor that hangs.
    pub executor_dropped_at: Option<Micros>,
    /// When each daemon starts, if that is arranged.
    pub node_starts_at: Option<Micros>,
    /// See `node_starts_at`.
    pub executor_starts_at: Option<Micros>,
    /// Since when they are.
    pub linked_since: Micros,
    /// When the two connect.
    pub links_at: Option<Micros>,
    /// Under way to the executor.
    pub to_executor: VecDeque<(Micros, ToExecutor)>,
    /// Under way to the node's daemon.
    pub to_node: VecDeque<(Micros, FromExecutor)>,
    /// What is on disk.
    pub disk: Option<Snapshot>,
    /// Whether the disk is full.
    pub is_full: bool,
    /// Whether the disk hangs: nothing comes of what is asked of it until it goes on.
    pub hangs: bool,
    /// Whether each write takes seconds.
    pub is_slow: bool,
    /// How many seconds its clock is ahead.
    pub clock_ahead: i64,
    /// What is being written.
    pub writing: VecDeque<(Micros, Token, Snapshot)>,
    /// Since when its daemon is in a view without quorum.
    pub quorum_lost_at: Option<Micros>,
    /// Whether the node has to join (again): it had no power, was cut off, or its daemon was away for longer than a
    /// restart takes.
    pub has_to_join: bool,
    /// When it last joined.
    pub joined_at: Micros,
    /// Since when its daemon is away.
    pub away_since: Option<Micros>,
    /// When it last lost its power or left, and when its daemon last ended.
    pub past: Past,
    /// Whether the daemon has left in good order and is not to be started until someone does.
    pub has_left: bool,
}

impl Host {
    /// A host without power.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            is_on: false,
            boot: 0,
            speaks: PROTOCOL,
            node: None,
            hangs_until: None,
            dropped_at: None,
            unread: Vec::new(),
            station: Station::default(),
            is_linked: false,
            linked_since: 0,
            at_word: None,
            executor_dropped_at: None,
            quorum_lost_at: None,
            node_starts_at: None,
            executor_starts_at: None,
            links_at: None,
            to_executor: VecDeque::new(),
            to_node: VecDeque::new(),
            disk: None,
            is_full: false,
            hangs: false,
            is_slow: false,
            clock_ahead: 0,
            writing: VecDeque::new(),
            has_to_join: true,
            joined_at: 0,
            away_since: Some(0),
            past: Past::default(),
            has_left: false,
        }
    }

    /// Whether the others cannot count on it being there, or know that it was away only for a restart.
    pub fn is_absent(&self, now: Micros) -> bool {
        self.has_to_join || self.away_since.is_some_and(|since| now - since > RESTART)
    }

    /// The name of its present boot.
    pub fn boot_id(&self) -> String {
        format!("{}-{}", self.name, self.boot)
    }

    /// When something happens here next.
    pub fn next(&self) -> Option<Micros> {
        let deadline = |at: Option<systole_types::Monotonic>| at.map(|at| at.0.as_micros() as Micros);
        let times = [
            self.node_starts_at,
            self.executor_starts_at,
            self.links_at,
            self.to_executor.front().map(|(at, _)| *at),
            self.to_node.front().map(|(at, _)| *at),
            self.writing.front().filter(|_| !self.hangs).map(|(at, ..)| *at),
            self.station.next(),
            self.dropped_at,
            self.executor_dropped_at,
            self.hangs_until,
            self.awake().and_then(|node| deadline(node.next_deadline())),
        ];
        times.into_iter().flatten().min()
    }

    /// `systoled`, while it runs and does not hang.
    pub fn awake(&self) -> Option<&NodeMachine> {
        self.node.as_ref().filter(|_| self.hangs_until.is_none())
    }

    /// The connection between the daemons is gone.
    pub fn unlink(&mut self) {
        self.is_linked = false;
        self.links_at = None;
        self.to_executor.clear();
        self.to_node.clear();
    }
}
