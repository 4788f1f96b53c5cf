//! Simulated remote daemons, in containers and on hosts of their own, and the sessions of nodes with them.
//!
//! They are as forgetful as a stock remote daemon: what recurs ends with the session that asked for it, and a result
//! whose session is gone is told to nobody.

use crate::{Micros, NodeIdx, Random, SECOND, agents::Agents, pop_if};
use std::collections::{BTreeMap, VecDeque};
use systole_cluster::{RemoteEvent, SessionId, executor::RunId};
use systole_types::OpStatus;
use systole_wire::{
    PROTOCOL,
    exec::{FromExecutor, Operation, OperationResult, ToExecutor},
};

/// A remote daemon, by its place in the list.
pub type FarIdx = usize;

/// After so long a silence, a session counts as broken.
const SILENCE: Micros = 3 * SECOND;

/// Where a remote daemon is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// In a container that does not run on this host.
    NoContainer(NodeIdx),
    /// In a container on this host.
    Container(NodeIdx),
    /// On a machine of its own, with power or without.
    Machine(bool),
}

/// A remote daemon and what runs around it.
pub struct Far {
    /// The remote or guest node's name.
    pub name: String,
    /// Where it is.
    pub site: Site,
    /// Whether the daemon runs.
    pub is_up: bool,
    /// When the daemon starts, if that is arranged.
    pub starts_at: Option<Micros>,
    /// Whether it was cut off, or lost its power or its daemon, at any time.
    pub was_disturbed: bool,
    /// Counts containers, or boots.
    pub incarnation: u32,
    /// The incarnation in which a session broke that nobody closed.
    pub broken_in: Option<u32>,
    /// What runs here.
    pub agents: Agents,
    /// One operation of a resource at a time.
    queues: BTreeMap<String, VecDeque<(SessionId, Operation)>>,
    owners: BTreeMap<u64, SessionId>,
    recurring: Vec<Recurring>,
}

struct Recurring {
    session: SessionId,
    operation: Operation,
    /// `None` while it runs or waits.
    due: Option<Micros>,
    reported: Option<i32>,
}

impl Far {
    /// In a container that does not run yet, or on a machine without power.
    pub fn new(name: &str, site: Site) -> Self {
        Self {
            name: name.to_owned(),
            site,
            is_up: false,
            starts_at: None,
            was_disturbed: false,
            incarnation: 0,
            broken_in: None,
            agents: Agents::default(),
            queues: BTreeMap::new(),
            owners: BTreeMap::new(),
            recurring: Vec::new(),
        }
    }

    /// Whether it is in a container.
    pub fn is_guest(&self) -> bool {
        !matches!(self.site, Site::Machine(_))
    }

    /// The host its container is on, if it is in one.
    pub fn host(&self) -> Option<NodeIdx> {
        match self.site {
            Site::NoContainer(host) | Site::Container(host) => Some(host),
            Site::Machine(_) => None,
        }
    }

    /// Whether something can run here.
    pub fn exists(&self) -> bool {
        matches!(self.site, Site::Container(_) | Site::Machine(true))
    }

    /// When something happens here next.
    pub fn next(&self) -> Option<Micros> {
        let due = self.recurring.iter().filter_map(|recurring| recurring.due);
        due.chain(self.starts_at).chain(self.agents.next()).min()
    }

    /// It begins: a container was started, or a machine got power.
    pub fn begin(&mut self, site: Site, starts_at: Micros) {
        self.site = site;
        self.incarnation += 1;
        self.starts_at = Some(starts_at);
    }

    /// Everything here ends.
    pub fn end(&mut self, site: Site) {
        let faults = std::mem::take(&mut self.agents.failing_starts);
        *self = Self {
            was_disturbed: self.was_disturbed,
            incarnation: self.incarnation,
            broken_in: self.broken_in,
            ..Self::new(&self.name, site)
        };
        self.agents.failing_starts = faults;
    }

    /// The daemon ends; what runs here goes on.
    pub fn end_daemon(&mut self) {
        self.is_up = false;
        self.queues.clear();
        self.owners.clear();
        self.recurring.clear();
        self.agents.processes.clear();
    }

    /// A session is gone: what recurs for it ends.
    pub fn forget(&mut self, session: SessionId) {
        self.recurring.retain(|recurring| recurring.session != session);
        for queue in self.queues.values_mut() {
            queue.retain(|(owner, _)| *owner != session);
        }
    }

    /// A node says something.
    pub fn obey(&mut self, session: SessionId, message: ToExecutor, now: Micros) {
        match message {
            ToExecutor::Run(operation) if operation.interval_ms > 0 => {
                self.recurring.retain(|recurring| recurring.operation.key != operation.key);
                let entry = Recurring { session, operation: *operation, due: Some(now), reported: None };
                self.recurring.push(entry);
            }
            ToExecutor::Run(operation) => {
                if !matches!(operation.operation.as_str(), "monitor" | "notify") {
                    self.recurring.retain(|recurring| recurring.operation.resource != operation.resource);
                }
                let queue = self.queues.entry(operation.resource.clone()).or_default();
                queue.push_back((session, *operation));
            }
            ToExecutor::Cancel { key } => self.recurring.retain(|recurring| recurring.operation.key != key),
            ToExecutor::Forget { resource } => {
                self.recurring.retain(|recurring| recurring.operation.resource != resource);
            }
            ToExecutor::Hello { .. } | ToExecutor::Acknowledge { .. } => {}
        }
    }

    /// Starts the processes whose turn it is.
    pub fn pump(&mut self, now: Micros, n_processes: &mut u64, random: &mut Random) {
        if !self.is_up {
            return;
        }
        for recurring in self.recurring.iter_mut().filter(|it| it.due.is_some_and(|due| due <= now)) {
            recurring.due = None;
            let queue = self.queues.entry(recurring.operation.resource.clone()).or_default();
            queue.push_back((recurring.session, recurring.operation.clone()));
        }
        for (resource, queue) in &mut self.queues {
            let is_busy = self.agents.processes.values().any(|it| it.operation.resource == *resource);
            if let Some((session, operation)) = pop_if(queue, |_| !is_busy) {
                *n_processes += 1;
                self.owners.insert(*n_processes, session);
                self.agents.spawn(*n_processes, RunId(*n_processes), operation, now, random);
            }
        }
    }

    /// A process is over: what is told of it, and in which session.
    pub fn finished(&mut self, id: u64, at: i64, now: Micros) -> Option<(SessionId, FromExecutor)> {
        let process = self.agents.processes.remove(&id)?;
        let session = self.owners.remove(&id)?;
        let exit = self.agents.exit(&process);
        let operation = process.operation;
        if operation.interval_ms > 0 {
            let is_it = |it: &&mut Recurring| it.session == session && it.operation.key == operation.key;
            let recurring = self.recurring.iter_mut().find(is_it)?;
            recurring.due = Some(now + operation.interval_ms * 1000);
            if recurring.reported.replace(exit.rc.code()) == Some(exit.rc.code()) {
                return None;
            }
        }
        let result = OperationResult {
            number: 0,
            operation,
            rc: exit.rc.code(),
            status: OpStatus::Done.code(),
            exit_reason: exit.exit_reason,
            at,
            exec_ms: 1,
            queue_ms: 0,
        };
        Some((session, FromExecutor::Result(Box::new(result))))
    }

    /// Whether a resource is monitored here.
    pub fn monitors(&self, resource: &str) -> bool {
        self.recurring.iter().any(|recurring| recurring.operation.resource == resource)
    }
}

/// A node's session with a remote daemon.
pub struct Session {
    /// Its number on that node.
    pub id: SessionId,
    /// The node.
    pub node: NodeIdx,
    /// The remote daemon.
    pub far: FarIdx,
    /// Whether it has come about.
    pub is_up: bool,
    /// When it comes about or fails.
    pub connects_at: Option<Micros>,
    /// Under way to the remote daemon.
    pub to_far: VecDeque<(Micros, ToExecutor)>,
    /// Under way to the node.
    pub to_node: VecDeque<(Micros, RemoteEvent)>,
    /// Whether it is over but for what is under way to the node.
    pub is_over: bool,
}

impl Session {
    /// Begins to connect.
    pub fn open(id: SessionId, node: NodeIdx, far: FarIdx, connects_at: Micros) -> Self {
        Self {
            id,
            node,
            far,
            is_up: false,
            connects_at: Some(connects_at),
            to_far: VecDeque::new(),
            to_node: VecDeque::new(),
            is_over: false,
        }
    }

    /// When something happens here next.
    pub fn next(&self) -> Option<Micros> {
        let queues = [self.to_far.front().map(|(at, _)| *at), self.to_node.front().map(|(at, _)| *at)];
        queues.into_iter().flatten().chain(self.connects_at).min()
    }

    /// Sends to the node.
    pub fn tell_node(&mut self, event: RemoteEvent, at: Micros) {
        let earliest = self.to_node.back().map_or(0, |(at, _)| *at);
        self.to_node.push_back((earliest.max(at), event));
    }

    /// Sends to the remote daemon.
    pub fn tell_far(&mut self, message: ToExecutor, at: Micros) {
        let earliest = self.to_far.back().map_or(0, |(at, _)| *at);
        self.to_far.push_back((earliest.max(at), message));
    }

    /// It ends: at once where the other end says so, after a silence where it cannot.
    pub fn end(&mut self, reason: &str, is_silent: bool, now: Micros) {
        if std::mem::replace(&mut self.is_over, true) {
            return;
        }
        self.connects_at = None;
        self.to_far.clear();
        if is_silent {
            self.to_node.clear();
        }
        let at = now + if is_silent { SILENCE } else { 500 };
        self.tell_node(RemoteEvent::Lost { reason: reason.to_owned() }, at);
    }

    /// What arrives at the remote daemon now.
    pub fn due_far(&mut self, now: Micros) -> Option<ToExecutor> {
        pop_if(&mut self.to_far, |(at, _)| *at <= now).map(|(_, message)| message)
    }

    /// What arrives at the node now.
    pub fn due_node(&mut self, now: Micros) -> Option<RemoteEvent> {
        pop_if(&mut self.to_node, |(at, _)| *at <= now).map(|(_, event)| event)
    }
}

/// What a remote daemon that remembers nothing says first.
pub fn welcome() -> RemoteEvent {
    RemoteEvent::Says(FromExecutor::Welcome {
        protocol: PROTOCOL,
        boot_id: String::new(),
        recurring: Vec::new(),
        in_flight: Vec::new(),
        unacknowledged: Vec::new(),
        last_call: 0,
        last_number: 0,
        acknowledged: 0,
    })
}
