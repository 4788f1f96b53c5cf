//! The connection itself: how it comes to be, how it is watched, how it ends, and the operations of the resource that
//! stands for it (`ocf:pacemaker:remote`).

use super::{Effect, LossCause, RemoteMachine, own_result};
use crate::Level;
use std::{collections::BTreeMap, time::Duration};
use systole_types::{Monotonic, Now, OcfRc, OpStatus};
use systole_wire::{
    PROTOCOL,
    exec::{FromExecutor, Operation, OperationResult},
    remote::{Call, PORT, PROTOCOL_VERSION, RC_PROTOCOL, Registered, Reply, is_compatible},
};

/// How long one attempt may take: to connect, to shake hands and to register.
const ATTEMPT: Duration = Duration::from_secs(10);

/// How long to wait between attempts.
const RETRY: Duration = Duration::from_secs(1);

/// After this long without a word from the daemon it is asked for one.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// After this long without a word, although it was asked, the connection counts as lost.
const SILENCE: Duration = Duration::from_secs(20);

/// How far the daemon's word about its uptime may be off: it counts whole seconds.
const UPTIME_SLACK: Duration = Duration::from_secs(2);

/// The connection.
#[derive(Debug)]
pub(super) struct Link {
    /// This cluster node, for the daemon's log.
    host: String,
    stage: Stage,
    /// Where the connection goes, or went.
    address: (String, u16),
    start: Option<Start>,
    /// Recurring monitors of the connection resource, by operation key.
    monitors: BTreeMap<String, Monitor>,
    last_id: u32,
    heard_at: Monotonic,
    /// A poke that was not answered yet.
    poke: Option<u32>,
    /// When the daemon of the last connection was started at the latest, if it ever said so.
    daemon_started: Option<Monotonic>,
    migration: Migration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Idle,
    /// The hand connects and shakes hands.
    Connecting {
        until: Monotonic,
    },
    /// Between two attempts.
    Waiting {
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
    Up,
}

/// Moving the connection to another cluster node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Migration {
    No,
    /// Another node is about to connect.
    Expected,
    /// It has.
    Done,
}

/// A start under way.
#[derive(Debug)]
struct Start {
    operation: Operation,
    since: Monotonic,
    deadline: Monotonic,
    /// What the daemon said of itself.
    registered: Registered,
}

#[derive(Debug)]
struct Monitor {
    operation: Operation,
    /// When it takes its turn; `None` while it waits for an answer, or has nothing to look at any more.
    due: Option<Monotonic>,
    /// When the answer it waits for is overdue.
    answer_due: Option<Monotonic>,
    reported: Option<(i32, i32, i64)>,
}

impl Link {
    pub fn new(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            stage: Stage::Idle,
            address: (String::new(), PORT),
            start: None,
            monitors: BTreeMap::new(),
            last_id: 0,
            heard_at: Monotonic::default(),
            poke: None,
            daemon_started: None,
            migration: Migration::No,
        }
    }

    pub fn is_up(&self) -> bool {
        self.stage == Stage::Up
    }

    pub fn next_id(&mut self) -> u32 {
        // Stock daemons read it as a signed number.
        self.last_id = if self.last_id >= i32::MAX.cast_unsigned() { 1 } else { self.last_id + 1 };
        self.last_id
    }

    pub fn heard(&mut self, now: Monotonic) {
        self.heard_at = now;
    }

    pub fn taken_over(&mut self) {
        if self.migration == Migration::Expected {
            self.migration = Migration::Done;
        }
    }

    pub fn next_deadline(&self) -> Option<Monotonic> {
        let stage = match self.stage {
            Stage::Idle => None,
            Stage::Connecting { until }
            | Stage::Waiting { until }
            | Stage::Registering { until, .. }
            | Stage::Inspecting { until, .. } => Some(until),
            Stage::Up => Some(self.heard_at + if self.poke.is_some() { SILENCE } else { KEEPALIVE }),
        };
        let monitors = self.monitors.values().flat_map(|monitor| [monitor.due, monitor.answer_due]);
        monitors.flatten().chain(stage).min()
    }
}

impl RemoteMachine {
    /// An operation of the connection resource.
    pub(super) fn perform(&mut self, now: Now, operation: Operation) {
        match (operation.operation.as_str(), operation.interval_ms) {
            ("start" | "migrate_from", _) => self.start(now, operation),
            ("stop", _) => self.stop(now, operation),
            ("monitor", 0) => {
                let rc = if self.is_up() { OcfRc::Ok } else { OcfRc::NotRunning };
                self.answer(now, operation, (rc, OpStatus::Done), "");
            }
            ("monitor", _) => {
                let key = operation.key.clone();
                let monitor = Monitor { operation, due: Some(now.mono), answer_due: None, reported: None };
                self.link.monitors.insert(key, monitor);
                self.expire(now);
            }
            ("migrate_to", _) => {
                self.link.migration = Migration::Expected;
                self.answer(now, operation, OK, "");
            }
            ("reload" | "reload-agent", _) => self.answer(now, operation, OK, ""),
            (other, _) => {
                let reason = format!("a connection to a remote node has no operation {other}");
                self.answer(now, operation, (OcfRc::Unimplemented, OpStatus::NotSupported), &reason);
            }
        }
    }

    pub(super) fn cancel_monitor(&mut self, now: Now, key: &str) {
        if let Some(monitor) = self.link.monitors.remove(key) {
            self.answer(now, monitor.operation, (OcfRc::Error, OpStatus::Cancelled), "");
        }
    }

    fn start(&mut self, now: Now, operation: Operation) {
        let address = address(&operation, &self.node);
        if self.is_up() && self.link.address == address {
            return self.answer(now, operation, OK, "");
        }
        if let Some(earlier) = self.link.start.take() {
            self.answer(now, earlier.operation, (OcfRc::Error, OpStatus::Cancelled), "started again");
        }
        if self.is_up() {
            self.end(now, "connected anew", true);
        }
        let deadline = now.mono + Duration::from_millis(operation.timeout_ms);
        self.link.monitors.clear();
        self.link.address = address;
        self.link.migration = Migration::No;
        self.link.start =
            Some(Start { operation, since: now.mono, deadline, registered: Registered::default() });
        self.connect(now);
    }

    fn connect(&mut self, now: Now) {
        let Some(start) = &self.link.start else { return };
        let until = start.deadline.min(now.mono + ATTEMPT);
        self.link.stage = Stage::Connecting { until };
        let (address, port) = self.link.address.clone();
        self.effects.push(Effect::Connect { address, port });
    }

    /// Both ends know the key: says who we are.
    pub(super) fn register(&mut self, now: Now) {
        let Stage::Connecting { until } = self.link.stage else { return };
        self.link.heard(now.mono);
        let client = format!("systole-{}", self.link.host);
        let protocol = PROTOCOL_VERSION.to_owned();
        let call = self.send(Call::Register { client, protocol, is_provider: true });
        self.link.stage = Stage::Registering { call, until };
    }

    pub(super) fn replied(&mut self, now: Now, reply: Reply) {
        match self.link.stage {
            Stage::Registering { call, until } if call == reply.id => self.registered(now, reply, until),
            Stage::Inspecting { call, .. } if call == reply.id => self.inspected(now, &reply),
            Stage::Up if self.link.poke == Some(reply.id) => {
                self.link.poke = None;
                self.confirm_monitors(now);
            }
            Stage::Up => self.operation_replied(now, &reply),
            _ => {}
        }
    }

    fn registered(&mut self, now: Now, reply: Reply, until: Monotonic) {
        let registered = reply.registered.unwrap_or_default();
        if reply.rc == RC_PROTOCOL || !is_compatible(&registered.protocol) {
            let reason = format!(
                "the remote daemon speaks protocol {}, this node {PROTOCOL_VERSION}",
                registered.protocol
            );
            return self.fail_start(now, &reason);
        }
        if reply.rc < 0 {
            return self.fail_start(now, &format!("the remote daemon refuses us (error {})", -reply.rc));
        }
        if let Some(start) = &mut self.link.start {
            start.registered = registered;
        }
        let call = self.send(Call::Recurring { resource: None });
        self.link.stage = Stage::Inspecting { call, until };
    }

    /// The daemon said what recurs there. Daemons that cannot (before 1.1.22) drop it all with their last connection.
    fn inspected(&mut self, now: Now, reply: &Reply) {
        let Some(start) = self.link.start.take() else { return };
        self.link.stage = Stage::Up;
        self.link.poke = None;
        self.end_strangers(&reply.recurring);
        let restarted = self.is_another_daemon(now, &start.registered);
        self.effects.push(Effect::Up { restarted, start_state: start.registered.start_state.clone() });
        self.effects.push(Effect::Says(FromExecutor::Welcome {
            protocol: PROTOCOL,
            boot_id: start.registered.client.clone(),
            recurring: Vec::new(),
            in_flight: Vec::new(),
            unacknowledged: Vec::new(),
            last_call: 0,
            last_number: 0,
            acknowledged: 0,
        }));
        let exec_ms = u64::try_from((now.mono - start.since).as_millis()).unwrap_or(u64::MAX);
        let result = own_result(start.operation, now, (OcfRc::Ok.code(), OpStatus::Done), "");
        self.effects.push(Effect::Connection(Box::new(OperationResult { exec_ms, ..result })));
    }

    fn is_another_daemon(&mut self, now: Now, registered: &Registered) -> bool {
        let uptime = registered.uptime.map(Duration::from_secs);
        let started = uptime.map(|uptime| Monotonic(now.mono.0.saturating_sub(uptime)));
        let before = std::mem::replace(&mut self.link.daemon_started, started);
        !matches!((before, started), (Some(before), Some(started)) if started <= before + UPTIME_SLACK)
    }

    fn stop(&mut self, now: Now, operation: Operation) {
        if let Some(start) = self.link.start.take() {
            self.answer(now, start.operation, (OcfRc::Error, OpStatus::Cancelled), "stopped meanwhile");
        }
        self.link.monitors.clear();
        match self.link.stage {
            Stage::Idle => {}
            Stage::Up => self.end(now, "the connection was stopped", true),
            _ => {
                self.link.stage = Stage::Idle;
                self.effects.push(Effect::Disconnect);
            }
        }
        self.answer(now, operation, OK, "");
    }

    pub(super) fn lost(&mut self, now: Now, cause: LossCause, reason: &str) {
        match self.link.stage {
            Stage::Idle | Stage::Waiting { .. } => {}
            Stage::Up => self.drop_connection(now, reason),
            _ if cause == LossCause::Key => self.fail_start(now, reason),
            _ => self.attempt_failed(now, reason),
        }
    }

    /// The connection is of no more use, unexpectedly.
    fn drop_connection(&mut self, now: Now, reason: &str) {
        let reason = format!("lost the connection to {}: {reason}", self.node);
        self.log(Level::Warning, reason.clone());
        self.end(now, &reason, false);
        let keys: Vec<String> = self.link.monitors.keys().cloned().collect();
        for key in keys {
            self.monitored(now, &key, (OcfRc::Error, OpStatus::Error), &reason);
        }
        for monitor in self.link.monitors.values_mut() {
            (monitor.due, monitor.answer_due) = (None, None);
        }
    }

    fn end(&mut self, now: Now, reason: &str, expected: bool) {
        self.link.stage = Stage::Idle;
        self.link.poke = None;
        let moved = self.link.migration == Migration::Done;
        self.give_up_operations(now, reason);
        self.effects.push(Effect::Disconnect);
        self.effects.push(Effect::Down { expected, moved, reason: reason.to_owned() });
    }

    /// Tries again, if there is time.
    fn attempt_failed(&mut self, now: Now, reason: &str) {
        let until = now.mono + RETRY;
        match &self.link.start {
            Some(start) if until < start.deadline => self.link.stage = Stage::Waiting { until },
            _ => self.fail_start(now, reason),
        }
    }

    fn fail_start(&mut self, now: Now, reason: &str) {
        self.link.stage = Stage::Idle;
        self.effects.push(Effect::Disconnect);
        if let Some(start) = self.link.start.take() {
            let (address, port) = &self.link.address;
            let reason = format!("cannot connect to {address} port {port}: {reason}");
            self.answer(now, start.operation, (OcfRc::Error, OpStatus::Error), &reason);
        }
    }

    pub(super) fn expire(&mut self, now: Now) {
        match self.link.stage {
            Stage::Connecting { until } if until <= now.mono => {
                self.effects.push(Effect::Disconnect);
                self.attempt_failed(now, "no answer");
            }
            Stage::Registering { until, .. } | Stage::Inspecting { until, .. } if until <= now.mono => {
                self.effects.push(Effect::Disconnect);
                self.attempt_failed(now, "the remote daemon does not answer");
            }
            Stage::Waiting { until } if until <= now.mono => self.connect(now),
            Stage::Up => self.watch(now),
            _ => {}
        }
        self.run_monitors(now);
    }

    /// Sees to it that an established connection is alive.
    fn watch(&mut self, now: Now) {
        let silence = now.mono - self.link.heard_at;
        if self.link.poke.is_some() && silence >= SILENCE {
            self.drop_connection(now, &format!("no answer for {} s", SILENCE.as_secs()));
        } else if silence >= KEEPALIVE {
            self.poke();
        }
    }

    fn poke(&mut self) {
        if self.link.poke.is_none() {
            self.link.poke = Some(self.send(Call::Poke));
        }
    }

    fn run_monitors(&mut self, now: Now) {
        let is_due = |at: Option<Monotonic>| at.is_some_and(|at| at <= now.mono);
        let due = |monitor: &Monitor| is_due(monitor.due) || is_due(monitor.answer_due);
        let keys: Vec<String> = self
            .link
            .monitors
            .iter()
            .filter(|(_, monitor)| due(monitor))
            .map(|(key, _)| key.clone())
            .collect();
        for key in keys {
            let is_up = self.is_up();
            let Some(monitor) = self.link.monitors.get_mut(&key) else { continue };
            let (interval, timeout) = (monitor.operation.interval_ms, monitor.operation.timeout_ms);
            if monitor.answer_due.take().is_some() {
                monitor.due = Some(now.mono + Duration::from_millis(interval));
                let reason = format!("no answer within {timeout} ms");
                self.monitored(now, &key, (OcfRc::Error, OpStatus::TimedOut), &reason);
            } else if is_up {
                monitor.due = None;
                let patience = if timeout == 0 { SILENCE } else { Duration::from_millis(timeout) };
                monitor.answer_due = Some(now.mono + patience);
                self.poke();
            } else {
                monitor.due = Some(now.mono + Duration::from_millis(interval));
                self.monitored(now, &key, (OcfRc::NotRunning, OpStatus::Done), "");
            }
        }
    }

    fn confirm_monitors(&mut self, now: Now) {
        let waiting = |monitor: &Monitor| monitor.answer_due.is_some();
        let keys: Vec<String> = self
            .link
            .monitors
            .iter()
            .filter(|(_, monitor)| waiting(monitor))
            .map(|(key, _)| key.clone())
            .collect();
        for key in keys {
            if let Some(monitor) = self.link.monitors.get_mut(&key) {
                monitor.answer_due = None;
                monitor.due = Some(now.mono + Duration::from_millis(monitor.operation.interval_ms));
            }
            self.monitored(now, &key, OK, "");
        }
    }

    /// A recurring monitor of the connection found something: told if it is news.
    fn monitored(&mut self, now: Now, key: &str, (rc, status): (OcfRc, OpStatus), reason: &str) {
        let Some(monitor) = self.link.monitors.get_mut(key) else { return };
        let outcome = (rc.code(), status.code());
        if monitor.reported.is_some_and(|(rc, status, _)| (rc, status) == outcome) {
            return;
        }
        // As in `operations`: the newer of two results has to have the later second.
        let at = monitor.reported.map_or(now.wall.0, |(_, _, at)| now.wall.0.max(at + 1));
        monitor.reported = Some((outcome.0, outcome.1, at));
        let result = own_result(monitor.operation.clone(), now, (rc.code(), status), reason);
        self.effects.push(Effect::Connection(Box::new(OperationResult { at, ..result })));
    }

    fn answer(&mut self, now: Now, operation: Operation, (rc, status): (OcfRc, OpStatus), reason: &str) {
        let result = own_result(operation, now, (rc.code(), status), reason);
        self.effects.push(Effect::Connection(Box::new(result)));
    }
}

const OK: (OcfRc, OpStatus) = (OcfRc::Ok, OpStatus::Done);

/// Where the daemon listens: parameters of `ocf:pacemaker:remote`.
fn address(operation: &Operation, node: &str) -> (String, u16) {
    let parameter = |name: &str| operation.parameters.get(name).filter(|value| !value.is_empty());
    let address = parameter("addr").or_else(|| parameter("server")).map_or(node, String::as_str);
    let port = parameter("port").and_then(|port| port.parse().ok()).unwrap_or(PORT);
    (address.to_owned(), port)
}
