//! Connections to remote and guest nodes: operations of `ocf:pacemaker:remote`, which the daemon performs itself.
//!
//! A start opens a session, a monitor tells whether it is up, a stop closes it. A session that breaks is a failed monitor
//! at once. What the replica says this node holds and it does not, because its daemon was restarted, is taken up again:
//! what runs on the remote node has gone on meanwhile.

use super::{NodeMachine, local::Executor};
use crate::{
    Effect, Endpoint, Level, RemoteCommand, RemoteEvent, SessionId, StartState,
    message::{ConnectionReport, Hand, Message},
};
use std::{collections::BTreeMap, time::Duration};
use systole_types::{Monotonic, OcfRc, OpStatus};
use systole_wire::exec::{FromExecutor, Operation, OperationResult, ToExecutor};

/// How long after a failure a session is tried to be opened again.
const RETRY: Duration = Duration::from_secs(1);
/// How long it may take to take up a connection again that an earlier program on this node held. Shorter than the DC
/// waits for it.
const RESUME_PATIENCE: Duration = Duration::from_secs(8);
/// The interval a broken connection is reported under if nobody asked for a monitor.
const UNWATCHED_INTERVAL_MS: u64 = 60_000;

/// This node's connections.
#[derive(Debug, Default)]
pub(super) struct Connections {
    /// By the remote node's name.
    links: BTreeMap<String, Link>,
    n_sessions: u64,
    /// Not yet recorded.
    reports: Vec<ConnectionReport>,
    /// Breaks that were reported, by the remote node's name: the replica they went into may lose against another.
    breaks: BTreeMap<String, Break>,
    /// When the last result of a recurring monitor was had, by the remote node's name, seconds since 1970.
    monitored_at: BTreeMap<String, i64>,
    last_call: u64,
}

#[derive(Debug)]
struct Link {
    session: SessionId,
    /// The operation that began it.
    start: Operation,
    /// The recurring monitor in force.
    monitor: Option<Operation>,
    /// What waits for the session to be up.
    waiting: Vec<Operation>,
    stage: Stage,
    /// Why the last try failed; empty before one has.
    trouble: String,
    /// How the remote node is to begin.
    start_state: StartState,
    /// At the other end; of use once the session is up.
    executor: Executor,
}

/// A connection that broke.
#[derive(Debug)]
struct Break {
    /// The transition key of the start that began it.
    begun_by: String,
    report: ConnectionReport,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Asked for.
    Opening { deadline: Monotonic },
    /// It did not come about, and is tried again.
    Resting { until: Monotonic, deadline: Monotonic },
    /// The remote executor has said welcome.
    Up,
}

impl Link {
    fn next_deadline(&self) -> Option<Monotonic> {
        match self.stage {
            Stage::Opening { deadline } => Some(deadline),
            Stage::Resting { until, deadline } => Some(until.min(deadline)),
            Stage::Up => None,
        }
    }

    /// Whether somebody has been asked for this session who was not told that it is over.
    fn is_open(&self) -> bool {
        !matches!(self.stage, Stage::Resting { .. })
    }

    fn endpoint(&self) -> Endpoint {
        let parameter = |name: &str| self.start.parameters.get(name).filter(|value| !value.is_empty());
        let address = parameter("addr").or_else(|| parameter("server"));
        Endpoint {
            node: self.start.resource.clone(),
            address: address.unwrap_or(&self.start.resource).clone(),
            port: parameter("port").and_then(|port| port.parse().ok()),
        }
    }
}

impl Connections {
    pub fn executor_mut(&mut self, name: &str) -> Option<&mut Executor> {
        self.links.get_mut(name).map(|link| &mut link.executor)
    }

    pub fn executor(&self, name: &str) -> Option<&Executor> {
        self.links.get(name).map(|link| &link.executor)
    }

    /// The session with an executor; none with this node's own.
    pub fn session_of(&self, by: &Hand) -> SessionId {
        match by {
            Hand::Remote(name) => self.links.get(name).map(|link| link.session).unwrap_or_default(),
            Hand::Executor | Hand::Connections => SessionId::default(),
        }
    }

    /// The remote executors this node has something to do with.
    pub fn remotes(&self) -> Vec<Hand> {
        self.links.keys().cloned().map(Hand::Remote).collect()
    }

    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.links.values().filter_map(Link::next_deadline).min()
    }

    /// The view changed: see [`Executor::detach`].
    pub fn detach(&mut self) {
        self.links.values_mut().for_each(|link| link.executor.detach());
    }

    /// The break of the connection that `start` began, if it broke.
    fn break_of(&self, start: &Operation) -> Option<ConnectionReport> {
        let known = self.breaks.get(&start.resource)?;
        (known.begun_by == start.transition_key).then(|| known.report.clone())
    }

    fn by_session(&self, session: SessionId) -> Option<String> {
        self.links.iter().find(|(_, link)| link.session == session).map(|(name, _)| name.clone())
    }
}

impl NodeMachine {
    pub(super) fn tell_remote(&mut self, name: &str, message: ToExecutor) {
        if let Some(link) = self.connections.links.get(name) {
            let command = RemoteCommand::Tell(message);
            self.effects.push(Effect::Remote { session: link.session, command });
        }
    }

    /// Carries out an operation of a connection.
    pub(super) fn connect(&mut self, operation: &Operation) {
        let name = operation.resource.clone();
        let mut operation = operation.clone();
        let before = self.replica.last_call(&self.name, &name);
        self.connections.last_call = self.connections.last_call.max(before) + 1;
        operation.call = self.connections.last_call;
        // No agent is run that could be waited for: the first probe may go without the description, not the start.
        self.awaits_description(&Hand::Connections, &operation);
        self.complete(&Hand::Connections, &mut operation);
        let deadline = self.now.mono + Duration::from_millis(operation.timeout_ms);
        let is_up = self.is_connected(&name);
        match operation.operation.as_str() {
            "start" | "migrate_from" if !is_up => {
                self.connections.breaks.remove(&name);
                self.open(&operation, deadline);
                self.wait_for_session(operation);
            }
            "start" | "migrate_from" | "migrate_to" if is_up => self.report_done(operation, OcfRc::Ok),
            "monitor" if is_up => {
                if operation.interval_ms > 0
                    && let Some(link) = self.connections.links.get_mut(&name)
                {
                    link.monitor = Some(operation.clone());
                }
                self.report_done(operation, OcfRc::Ok);
            }
            "monitor" if self.connections.links.contains_key(&name) => {
                self.wait_for_session(operation);
            }
            "monitor" => self.report_done(operation, OcfRc::NotRunning),
            "stop" => {
                self.close(&name);
                self.report_done(operation, OcfRc::Ok);
            }
            "cancel" => {
                if let Some(link) = self.connections.links.get_mut(&name) {
                    link.monitor.take_if(|monitor| monitor.key == operation.key);
                }
            }
            "reload" | "reload-agent" => self.report_done(operation, OcfRc::Ok),
            _ => self.report_done(operation, OcfRc::Unimplemented),
        }
    }

    /// Whether a session with the remote node is up.
    fn is_connected(&self, name: &str) -> bool {
        self.connections.links.get(name).is_some_and(|link| link.stage == Stage::Up)
    }

    fn wait_for_session(&mut self, operation: Operation) {
        if let Some(link) = self.connections.links.get_mut(&operation.resource) {
            link.waiting.push(operation);
        }
    }

    /// Begins to connect to the node that `start` names.
    fn open(&mut self, start: &Operation, deadline: Monotonic) {
        self.connections.n_sessions += 1;
        let session = SessionId((self.seed as u64).wrapping_add(self.connections.n_sessions));
        let old = self.connections.links.remove(&start.resource);
        if let Some(old) = old.as_ref().filter(|old| old.is_open()) {
            self.effects.push(Effect::Remote { session: old.session, command: RemoteCommand::Close });
        }
        let (monitor, waiting, trouble) =
            old.map(|old| (old.monitor, old.waiting, old.trouble)).unwrap_or_default();
        let link = Link {
            session,
            start: start.clone(),
            monitor,
            waiting,
            stage: Stage::Opening { deadline },
            trouble,
            start_state: StartState::default(),
            executor: Executor::default(),
        };
        let command = RemoteCommand::Open(link.endpoint());
        self.connections.links.insert(start.resource.clone(), link);
        self.effects.push(Effect::Remote { session, command });
    }

    /// Ends a session, if there is one, and what waits for it.
    fn close(&mut self, name: &str) {
        let Some(link) = self.connections.links.remove(name) else { return };
        if link.is_open() {
            self.effects.push(Effect::Remote { session: link.session, command: RemoteCommand::Close });
        }
        for operation in link.waiting {
            self.report_failure(link.session, operation, "the connection was closed meanwhile");
        }
    }

    pub(super) fn remote_event(&mut self, session: SessionId, event: RemoteEvent) {
        let Some(name) = self.connections.by_session(session) else { return };
        let by = Hand::Remote(name.clone());
        match event {
            RemoteEvent::Says(FromExecutor::Result(result)) => self.has_result(&by, *result),
            RemoteEvent::Says(FromExecutor::Described { agent, metadata }) => {
                self.described(&by, agent, metadata.as_deref());
            }
            RemoteEvent::Says(welcome) => self.session_is_up(name, &by, welcome),
            RemoteEvent::StartState(state) => {
                if let Some(link) = self.connections.links.get_mut(&name) {
                    link.start_state = state;
                }
            }
            RemoteEvent::Lost { reason } => self.session_lost(&name, &reason),
        }
    }

    fn session_is_up(&mut self, name: String, by: &Hand, welcome: FromExecutor) {
        let Some(link) = self.connections.links.get_mut(&name) else { return };
        link.stage = Stage::Up;
        self.agents.remote_is_gone(&name);
        let (waiting, start_state) = (std::mem::take(&mut link.waiting), link.start_state);
        self.log(Level::Info, format!("connected to the executor of {name}"));
        // Not where only this node's daemon is new: the remote node goes on.
        if waiting.iter().any(|operation| matches!(operation.operation.as_str(), "start" | "migrate_from")) {
            self.force_start_state(&name, true, start_state);
        }
        for operation in waiting {
            if operation.interval_ms > 0
                && let Some(link) = self.connections.links.get_mut(&name)
            {
                link.monitor = Some(operation.clone());
            }
            self.report_done(operation, OcfRc::Ok);
        }
        self.welcomed(by, welcome);
    }

    fn session_lost(&mut self, name: &str, reason: &str) {
        let Some(link) = self.connections.links.get_mut(name) else { return };
        match link.stage {
            Stage::Opening { deadline } | Stage::Resting { deadline, .. } => {
                link.stage = Stage::Resting { until: self.now.mono + RETRY, deadline };
                let before = std::mem::replace(&mut link.trouble, reason.to_owned());
                // Tried every second: what stays the same is told once.
                let level = if before == reason { Level::Debug } else { Level::Info };
                self.log(level, format!("cannot connect to {name} yet: {reason}"));
            }
            Stage::Up => {
                self.agents.remote_is_gone(name);
                self.log(Level::Error, format!("the connection to {name} is lost: {reason}"));
                self.report_break(name, &format!("remote connection unexpectedly dropped: {reason}"));
            }
        }
    }

    /// Tries again what did not come about, and gives up what took too long. Called after every event.
    pub(super) fn keep_connecting(&mut self) {
        let now = self.now.mono;
        let due = |link: &Link| link.next_deadline().is_some_and(|at| at <= now);
        let names: Vec<String> = self
            .connections
            .links
            .iter()
            .filter(|(_, link)| due(link))
            .map(|(name, _)| name.clone())
            .collect();
        for name in names {
            let link = &self.connections.links[&name];
            match link.stage {
                Stage::Resting { deadline, .. } if now < deadline => {
                    let start = link.start.clone();
                    self.open(&start, deadline);
                }
                _ => self.give_up_session(&name),
            }
        }
    }

    /// A session did not come about in time.
    fn give_up_session(&mut self, name: &str) {
        let Some(link) = self.connections.links.get_mut(name) else { return };
        let (session, is_open, waiting) = (link.session, link.is_open(), std::mem::take(&mut link.waiting));
        let why = match std::mem::take(&mut link.trouble) {
            trouble if trouble.is_empty() => "no answer in time".to_owned(),
            trouble => trouble,
        };
        self.log(Level::Error, format!("cannot connect to {name}: {why}"));
        if is_open {
            self.effects.push(Effect::Remote { session, command: RemoteCommand::Close });
        }
        if self.replica.holds(self.group.own_id(), name) {
            self.report_break(name, &format!("the connection could not be taken up again: {why}"));
        }
        self.connections.links.remove(name);
        for operation in waiting {
            let reason = format!("cannot connect to the remote executor in time: {why}");
            self.report_failure(session, operation, &reason);
        }
    }

    /// A connection that stood is broken: its monitor fails now.
    fn report_break(&mut self, name: &str, reason: &str) {
        let Some(link) = self.connections.links.remove(name) else { return };
        // A session that was to be taken up again is known to the members under its earlier number.
        let known = self.replica.ledger.connections.get(name).map(|entry| entry.session);
        let session = if link.stage == Stage::Up { link.session } else { known.unwrap_or(link.session) };
        self.connections.last_call += 1;
        let begun_by = link.start.transition_key.clone();
        let monitor = link.monitor.unwrap_or_else(|| Operation {
            call: self.connections.last_call,
            key: format!("{name}_monitor_{UNWATCHED_INTERVAL_MS}"),
            operation: "monitor".to_owned(),
            interval_ms: UNWATCHED_INTERVAL_MS,
            ..link.start
        });
        self.report_failure(session, monitor, reason);
        if let Some(report) = self.connections.reports.last().cloned() {
            self.connections.breaks.insert(name.to_owned(), Break { begun_by, report });
        }
        for operation in link.waiting {
            self.report_failure(session, operation, reason);
        }
    }

    fn report_done(&mut self, operation: Operation, rc: OcfRc) {
        let session = self.connections.session_of(&Hand::Remote(operation.resource.clone()));
        self.report_connection(session, operation, (rc, OpStatus::Done), "");
    }

    fn report_failure(&mut self, session: SessionId, operation: Operation, reason: &str) {
        self.report_connection(session, operation, (OcfRc::Error, OpStatus::Error), reason);
    }

    fn report_connection(
        &mut self,
        session: SessionId,
        operation: Operation,
        (rc, status): (OcfRc, OpStatus),
        reason: &str,
    ) {
        let mut at = self.now.wall.0;
        if operation.interval_ms > 0 {
            at = self.moment_after_the_last(&Hand::Connections, &operation, at);
            // What is not recorded yet counts, too.
            let last = self.connections.monitored_at.entry(operation.resource.clone()).or_insert(i64::MIN);
            at = at.max(last.saturating_add(1));
            *last = at;
        }
        let result = OperationResult {
            number: 0,
            operation,
            rc: rc.code(),
            status: status.code(),
            exit_reason: reason.to_owned(),
            at,
            exec_ms: 0,
            queue_ms: 0,
        };
        let report = ConnectionReport { session, result };
        self.connections.reports.push(report.clone());
        if self.group.is_settled() {
            self.cast(Message::Connection { reports: vec![report] });
        }
    }

    pub(super) fn connections_reported(&mut self, from: u32, reports: &[ConnectionReport]) {
        let reported = self.replica.connections_reported(from, reports);
        if from == self.group.own_id() {
            self.connections.reports.retain(|kept| !reports.iter().any(|told| told.is_same(kept)));
            self.resume_connections();
        }
        self.close_unwanted();
        if let Some(node) = &reported.forgotten {
            self.give_up_plan(&format!("{node} has been connected to and has to be probed"));
        }
        self.results_known(&reported.news);
        self.operations_failed(&reported.given_up);
    }

    /// The members have settled anew: what the replica says of this node's connections, and what is so, become the same.
    pub(super) fn attach_connections(&mut self) {
        if !self.connections.reports.is_empty() {
            let reports = self.connections.reports.clone();
            self.cast(Message::Connection { reports });
        }
        self.close_unwanted();
        self.resume_connections();
        self.repeat_lost_operations();
        for by in self.connections.remotes() {
            self.attach(&by);
        }
    }

    /// Ends sessions of this node that the members know nothing of, or know another node to have: nobody would listen to
    /// what is said there.
    pub(super) fn close_unwanted(&mut self) {
        let own_id = self.group.own_id();
        let ledger = &self.replica.ledger;
        let is_wanted = |name: &str, link: &Link| {
            self.replica.holds(own_id, name) || ledger.in_flight.contains_key(&link.start.transition_key)
        };
        let links = self.connections.links.iter();
        let unwanted: Vec<String> =
            links.filter(|(name, link)| !is_wanted(name, link)).map(|(name, _)| name.clone()).collect();
        unwanted.iter().for_each(|name| self.close(name));
    }

    /// Takes up again what this node is to hold and does not. What it saw break is not taken up: only recovery by the
    /// cluster makes sure of what runs there.
    fn resume_connections(&mut self) {
        let reports = &self.connections.reports;
        let is_reported = |name: &str| reports.iter().any(|report| report.result.operation.resource == name);
        let held = self.replica.connections_of(self.group.own_id());
        let missing: Vec<_> = held
            .filter(|(name, _)| !self.connections.links.contains_key(*name) && !is_reported(name))
            .map(|(_, entry)| (entry.start.clone(), entry.monitor.clone(), entry.session))
            .collect();
        for (start, monitor, session) in missing {
            if let Some(report) = self.connections.break_of(&start) {
                let report = ConnectionReport { session, ..report };
                self.connections.reports.push(report.clone());
                self.cast(Message::Connection { reports: vec![report] });
                continue;
            }
            self.open(&start, self.now.mono + RESUME_PATIENCE);
            if let Some(link) = self.connections.links.get_mut(&start.resource) {
                link.monitor = monitor;
            }
        }
    }

    /// Operations that are in flight for the members, and that this daemon knows nothing of since it was restarted.
    fn repeat_lost_operations(&mut self) {
        let own_id = self.group.own_id();
        let is_known = |key: &String| {
            let mut waiting = self.connections.links.values().flat_map(|link| &link.waiting);
            let mut reports = self.connections.reports.iter();
            waiting.any(|operation| operation.transition_key == *key)
                || reports.any(|report| report.result.operation.transition_key == *key)
        };
        let in_flight = self.replica.ledger.in_flight.iter();
        let lost: Vec<Operation> = in_flight
            .filter(|(key, perform)| perform.is_for(own_id, &Hand::Connections) && !is_known(key))
            .map(|(_, perform)| perform.operation.clone())
            .collect();
        lost.iter().for_each(|operation| self.connect(operation));
    }
}
