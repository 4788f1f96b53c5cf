//! The executor's machine: which agent runs when, and what is told of it.

mod book;
mod event;
mod former;

use crate::{Level, engine::CLUSTER_DELAY};
pub use event::{AgentExit, Effect, Event, KillSignal, RunId};
pub(crate) use former::FormerParameters;

use book::{Book, Lane, MAX_QUEUED, Queued, Recurring, Running, Span, Stage};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};
use systole_types::{Monotonic, Now, OcfRc, OpStatus, Timestamp};
use systole_wire::{
    PROTOCOL, ProtocolVersion,
    exec::{FromExecutor, Operation, ToExecutor},
};

/// How long a process group may take to end after a signal.
const KILL_PATIENCE: Duration = Duration::from_secs(5);

/// How long something that appeared may be on its way to be known: an agent ends after what it started, and is asked for a monitor
/// then. Asked too early, an agent would say that it does not run yet.
const APPEARANCE_PATIENCE: Duration = Duration::from_secs(1);

/// How long the program may do nothing while something waits its turn that would begin. It looks every [`WATCHFUL`]; if it comes
/// to that only after so long, it stood still, and what it was asked for may be wrong by now.
const STANDSTILL: Duration = Duration::from_secs(5);
/// See [`STANDSTILL`].
const WATCHFUL: Duration = Duration::from_secs(1);

/// How much longer than its own timeout what would begin may wait its turn: as long as a DC waits for the answer, if the configuration does not
/// say otherwise, but that it waits for notifications before it in the queue, too. Where it would have waited for longer, it plans anew
/// after a probe; where it has given up before, it has counted the start as failed, and asks for a stop behind it.
const QUEUE_PATIENCE: Duration = CLUSTER_DELAY;

/// Since which minor part of the protocol `systoled` knows what to do about it.
const MINOR_OF_APPEARANCES: u16 = 5;

/// The executor's machine: one operation of a resource at a time, the others wait their turn.
///
/// - An operation that changes a resource's state (anything but a monitor or a notification) ends the recurring
///   operations of that resource, without a result for them.
/// - A recurring operation's interval counts from the end of one run to the start of the next.
/// - A stop gets the parameters of the start before it, not those of today's configuration.
/// - What would begin something (a start, a promotion, a migration) and waits its turn is begun only while `systoled` is connected that asked for
///   it, if this program has not stood still since, and not too late. Otherwise it gets the status [`OpStatus::NotConnected`]:
///   see `docs/decisions/what-an-executor-begins.md`.
/// - An operation that was running when the program was killed is waited for. If its result is lost it gets the status
///   [`OpStatus::NotConnected`].
#[derive(Debug, Default)]
pub struct ExecutorMachine {
    book: Book,
    /// What `systoled` speaks, while it is connected.
    peer: Option<ProtocolVersion>,
    /// When to look whether what appeared was asked for, by instance.
    appeared: BTreeMap<String, Monotonic>,
    last_run: u64,
    /// When it last did something.
    active_at: Monotonic,
    changed: bool,
    effects: Vec<Effect>,
}

impl ExecutorMachine {
    /// A machine that waits for [`Event::Started`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in what happened and says what to do, in that order.
    pub fn handle(&mut self, now: Now, event: Event) -> Vec<Effect> {
        if now.mono - self.active_at > STANDSTILL {
            self.drop_what_would_begin(now, "the executor stood still before it began");
        }
        self.active_at = now.mono;
        match event {
            Event::Started { boot_id, state } => self.start_up(now, boot_id, state),
            Event::Connected => self.peer = None,
            Event::Disconnected => {
                self.peer = None;
                self.drop_what_would_begin(now, "systoled was gone before it began");
            }
            Event::Messages(messages) => messages.into_iter().for_each(|message| self.obey(now, message)),
            Event::Spawned { run, process } => self.spawned(run, process),
            Event::Exited { run, exit } => self.exited(now, run, &exit),
            Event::LeftoverEnded { process, exit } => self.leftover_ended(now, &process, &exit),
            Event::LeftoverGone { process } => {
                self.leftover_ended(now, &process, &AgentExit::unknown());
            }
            Event::Stirred { resource } => self.stir(now, &resource),
            Event::Appeared { resource } => {
                self.appeared.insert(resource, now.mono + APPEARANCE_PATIENCE);
            }
            Event::Described { agent, metadata } => {
                self.effects.push(Effect::Send(FromExecutor::Described { agent, metadata }));
            }
            Event::DeadlineReached => self.expire(now),
        }
        self.drop_what_is_too_late(now);
        self.pump(now);
        let mut effects = std::mem::take(&mut self.effects);
        if std::mem::take(&mut self.changed) {
            effects.insert(0, Effect::Persist(self.book.to_bytes()));
        }
        effects
    }

    /// When the next [`Event::DeadlineReached`] is due.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        let lanes = self.book.lanes.values().filter_map(Lane::deadline);
        let recurring = self.book.recurring.values().filter_map(|recurring| recurring.due);
        let watch = self.book.would_begin().then(|| self.active_at + WATCHFUL);
        lanes.chain(recurring).chain(self.appeared.values().copied()).chain(watch).min()
    }

    /// Keys of the recurring operations in force.
    pub fn recurring(&self) -> impl Iterator<Item = &str> {
        self.book.recurring.keys().map(String::as_str)
    }

    fn obey(&mut self, now: Now, message: ToExecutor) {
        match message {
            ToExecutor::Hello { protocol, .. } => self.welcome(protocol),
            ToExecutor::Run(operation) => self.accept(now, *operation),
            ToExecutor::Cancel { key } => self.cancel(now, &key),
            ToExecutor::Forget { resource } => self.forget(now, &resource),
            ToExecutor::Acknowledge { number } => self.acknowledge(number),
            ToExecutor::Describe(agent) => self.effects.push(Effect::Describe(agent)),
            ToExecutor::Ping => self.effects.push(Effect::Send(FromExecutor::Pong)),
        }
    }

    fn welcome(&mut self, protocol: ProtocolVersion) {
        if protocol.major != PROTOCOL.major {
            let message =
                format!("systoled speaks protocol {}.x, this executor {}.x", protocol.major, PROTOCOL.major);
            return self.effects.push(Effect::Log { level: Level::Error, message });
        }
        let welcome = FromExecutor::Welcome {
            protocol: PROTOCOL,
            boot_id: self.book.boot_id.clone(),
            recurring: self
                .book
                .recurring
                .iter()
                .map(|(key, entry)| (key.clone(), entry.operation.call))
                .collect(),
            in_flight: self.book.in_flight(),
            unacknowledged: self
                .book
                .results
                .iter()
                .map(|result| result.operation.transition_key.clone())
                .collect(),
            last_call: self.book.last_call,
            last_number: self.book.last_number,
            acknowledged: self.book.acknowledged,
        };
        self.peer = Some(protocol);
        self.effects.push(Effect::Send(welcome));
        let results = self
            .book
            .results
            .iter()
            .map(|result| Effect::Send(FromExecutor::Result(Box::new(result.clone()))));
        self.effects.extend(results);
    }

    fn acknowledge(&mut self, number: u64) {
        if number > self.book.acknowledged {
            self.book.acknowledged = number;
            self.book.results.retain(|result| result.number > number);
            self.changed = true;
        }
    }

    fn accept(&mut self, now: Now, operation: Operation) {
        if operation.call <= self.book.last_call {
            let message =
                format!("call {} ({}) was asked for before: ignored", operation.call, operation.key);
            return self.effects.push(Effect::Log { level: Level::Warning, message });
        }
        self.book.last_call = operation.call;
        self.changed = true;
        if changes_state(&operation) {
            self.end_recurring(&operation.resource);
        }
        let due = now.mono + Duration::from_millis(operation.start_delay_ms);
        if operation.interval_ms > 0 {
            let key = operation.key.clone();
            self.unqueue(&operation.resource, |queued| queued.key == key);
            self.book.recurring.insert(
                key,
                Recurring { operation, reported: None, reported_at: None, due: Some(due), stirred: false },
            );
            return self.enqueue_due(now);
        }
        let lane = self.book.lanes.entry(operation.resource.clone()).or_default();
        if lane.queue.len() >= MAX_QUEUED {
            let reason = format!("{MAX_QUEUED} operations of this resource are waiting already");
            return self.report(now, operation, &AgentExit::failed(OpStatus::Error, reason), Span::default());
        }
        lane.queue.push_back(Queued { operation, not_before: due, since: now.mono });
    }

    /// Ends recurring operations of `resource` because its state is about to change.
    fn end_recurring(&mut self, resource: &str) {
        self.book.recurring.retain(|_, entry| entry.operation.resource != resource);
        self.unqueue(resource, |queued| queued.interval_ms > 0);
    }

    fn unqueue(&mut self, resource: &str, unwanted: impl Fn(&Operation) -> bool) -> Vec<Operation> {
        let Some(lane) = self.book.lanes.get_mut(resource) else { return Vec::new() };
        let (gone, kept) =
            std::mem::take(&mut lane.queue).into_iter().partition(|queued| unwanted(&queued.operation));
        lane.queue = kept;
        let gone: VecDeque<Queued> = gone;
        gone.into_iter().map(|queued| queued.operation).collect()
    }

    fn cancel(&mut self, now: Now, key: &str) {
        let recurring = self.book.recurring.remove(key).map(|entry| entry.operation);
        let resources: Vec<String> = self.book.lanes.keys().cloned().collect();
        let queued: Vec<Operation> = resources
            .iter()
            .flat_map(|resource| self.unqueue(resource, |operation| operation.key == key))
            .collect();
        let waiting = queued.into_iter().filter(|operation| operation.interval_ms == 0);
        for operation in recurring.into_iter().chain(waiting).collect::<Vec<_>>() {
            self.report(
                now,
                operation,
                &AgentExit::failed(OpStatus::Cancelled, String::new()),
                Span::default(),
            );
        }
    }

    fn forget(&mut self, now: Now, resource: &str) {
        self.end_recurring(resource);
        self.book.former.forget(resource);
        self.changed = true;
        for operation in self.unqueue(resource, |_| true) {
            self.report(
                now,
                operation,
                &AgentExit::failed(OpStatus::Cancelled, String::new()),
                Span::default(),
            );
        }
    }

    fn spawned(&mut self, run: RunId, process: String) {
        let Some(running) = self.book.running(run) else { return };
        // Where a monitor's process is, need not outlive the program: it ends by itself and changes nothing.
        self.changed |= running.operation.interval_ms == 0;
        running.process = Some(process);
    }

    fn exited(&mut self, now: Now, run: RunId, exit: &AgentExit) {
        let Some(running) = self.book.take_running(run) else { return };
        let exit = match running.stage {
            Stage::InTime(_) => exit.clone(),
            Stage::Reported => return self.rest(now, &running.operation),
            _ => AgentExit::timed_out(&running.operation),
        };
        self.finish(now, running, &exit);
    }

    /// A run is over: reports it if it is news, and lets its recurring operation rest for its interval.
    fn finish(&mut self, now: Now, running: Running, exit: &AgentExit) {
        let span = Span { exec: now.mono - running.started, queue: running.waited };
        if running.operation.operation == "stop" && exit.rc == OcfRc::Ok {
            // It was stopped with what runs: a container, say, that was made by a start which had taken too long.
            self.appeared.remove(&running.operation.resource);
        }
        if running.operation.interval_ms == 0 {
            self.changed = true;
            return self.report(now, running.operation, exit, span);
        }
        self.rest(now, &running.operation);
        self.announce(now, running.operation, exit, span);
    }

    /// Reports what a recurring operation found, if that is news and it is still in force.
    fn announce(&mut self, now: Now, operation: Operation, exit: &AgentExit, span: Span) {
        let Some(entry) = self.book.recurring_of(&operation) else { return };
        let outcome = (exit.rc.code(), exit.status.code());
        if entry.reported.replace(outcome) != Some(outcome) {
            // History tells two results of one call apart by whole seconds only, and must take the newer for the newer.
            let wall = entry.reported_at.map_or(now.wall, |at| now.wall.max(Timestamp(at + 1)));
            entry.reported_at = Some(wall.0);
            self.report(Now { wall, ..now }, operation, exit, span);
        }
    }

    fn rest(&mut self, now: Now, operation: &Operation) {
        if let Some(entry) = self.book.recurring_of(operation) {
            let interval = Duration::from_millis(operation.interval_ms);
            entry.due = Some(if std::mem::take(&mut entry.stirred) { now.mono } else { now.mono + interval });
        }
    }

    fn stir(&mut self, now: Now, resource: &str) {
        for entry in self.book.recurring.values_mut().filter(|entry| entry.operation.resource == resource) {
            match &mut entry.due {
                Some(due) => *due = now.mono,
                // It may have looked too early: it looks again.
                None => entry.stirred = true,
            }
        }
        self.enqueue_due(now);
    }

    fn report(&mut self, now: Now, operation: Operation, exit: &AgentExit, span: Span) {
        let result = self.book.add_result(operation, exit, now.wall, span);
        self.changed = true;
        self.effects.push(Effect::Send(FromExecutor::Result(Box::new(result))));
    }

    fn expire(&mut self, now: Now) {
        let lanes: Vec<String> = self.book.lanes.keys().cloned().collect();
        for resource in lanes {
            self.expire_lane(now, &resource);
        }
        self.enqueue_due(now);
        self.tell_appeared(now);
    }

    /// Tells of what has begun to run by nobody's order: what is being started has its lane, and what was started its monitor. (A
    /// resource without one is told of too; `systoled` knows whether it was started.)
    fn tell_appeared(&mut self, now: Now) {
        let due: Vec<String> = self
            .appeared
            .iter()
            .filter(|(_, at)| **at <= now.mono)
            .map(|(resource, _)| resource.clone())
            .collect();
        for resource in due {
            let Some(peer) = self.peer.filter(|_| !self.book.lanes.contains_key(&resource)) else {
                self.appeared.insert(resource, now.mono + APPEARANCE_PATIENCE);
                continue;
            };
            self.appeared.remove(&resource);
            let is_watched = self.book.recurring.values().any(|entry| entry.operation.resource == resource);
            if !is_watched && peer.minor >= MINOR_OF_APPEARANCES {
                self.effects.push(Effect::Send(FromExecutor::Appeared { resource }));
            }
        }
    }

    /// A run beyond its time is asked to end, then killed; if it cannot be killed it is reported, and blocks its lane.
    fn expire_lane(&mut self, now: Now, resource: &str) {
        let Some(running) = self.book.lanes.get_mut(resource).and_then(|lane| lane.running.as_mut()) else {
            return;
        };
        let (run, due) = (running.run, now.mono + KILL_PATIENCE);
        match running.stage {
            Stage::InTime(Some(deadline)) if deadline <= now.mono => {
                running.stage = Stage::Terminated(due);
                self.effects.push(Effect::Kill { run, signal: KillSignal::Term });
            }
            Stage::Terminated(deadline) if deadline <= now.mono => {
                running.stage = Stage::Killed(due);
                self.effects.push(Effect::Kill { run, signal: KillSignal::Kill });
            }
            Stage::Killed(deadline) if deadline <= now.mono => {
                running.stage = Stage::Reported;
                let operation = running.operation.clone();
                let span = Span { exec: now.mono - running.started, queue: running.waited };
                let exit = AgentExit::timed_out(&operation);
                if operation.interval_ms == 0 {
                    self.report(now, operation, &exit, span);
                } else {
                    self.announce(now, operation, &exit, span);
                }
            }
            _ => {}
        }
    }

    /// Recurring operations whose interval is over take their turn.
    fn enqueue_due(&mut self, now: Now) {
        for entry in
            self.book.recurring.values_mut().filter(|entry| entry.due.is_some_and(|due| due <= now.mono))
        {
            entry.due = None;
            let operation = entry.operation.clone();
            let lane = self.book.lanes.entry(operation.resource.clone()).or_default();
            lane.queue.push_back(Queued { operation, not_before: now.mono, since: now.mono });
        }
    }

    /// Starts what can be started.
    fn pump(&mut self, now: Now) {
        let former = &mut self.book.former;
        for lane in self.book.lanes.values_mut() {
            let Some(mut queued) = lane.next(now.mono) else { continue };
            former.begin(&mut queued.operation);
            self.last_run += 1;
            let run = RunId(self.last_run);
            self.changed |= queued.operation.interval_ms == 0;
            self.effects.push(Effect::Execute { run, operation: Box::new(queued.operation.clone()) });
            lane.running = Some(Running::begin(run, queued, now.mono));
        }
        self.book.lanes.retain(|_, lane| !lane.is_empty());
    }

    fn start_up(&mut self, now: Now, boot_id: String, state: Option<Vec<u8>>) {
        match state.map(|bytes| Book::from_bytes(&bytes)) {
            Some(Ok(book)) if book.boot_id == boot_id => self.book = book,
            Some(Err(error)) => {
                let message =
                    format!("the state kept by the last executor cannot be read and is ignored: {error}");
                self.effects.push(Effect::Log { level: Level::Error, message });
            }
            _ => {}
        }
        self.book.boot_id = boot_id;
        self.changed = true;
        for entry in self.book.recurring.values_mut() {
            entry.due = Some(now.mono);
        }
        let lost: Vec<(String, Option<String>)> = self.book.interrupted();
        for (resource, process) in lost {
            match process {
                Some(process) => self.effects.push(Effect::EndLeftover { process }),
                None => self.close(now, &resource, &AgentExit::unknown()),
            }
        }
        // Nobody knows how long ago the last program ended.
        self.drop_what_would_begin(now, "the executor was restarted before it began");
        self.enqueue_due(now);
    }

    /// What was to be begun and was not may be wrong by now. Whoever wanted it asks anew.
    fn drop_what_would_begin(&mut self, now: Now, why: &str) {
        let dropped = self.book.take_queued(|queued| is_not_to_be_late(&queued.operation));
        self.report_dropped(now, dropped, why);
    }

    fn drop_what_is_too_late(&mut self, now: Now) {
        let is_too_late = |queued: &Queued| {
            let patience = Duration::from_millis(queued.operation.timeout_ms) + QUEUE_PATIENCE;
            let is_limited = queued.operation.timeout_ms > 0;
            is_limited && is_not_to_be_late(&queued.operation) && queued.not_before + patience < now.mono
        };
        let dropped = self.book.take_queued(is_too_late);
        self.report_dropped(now, dropped, "it waited for too long before it could begin");
    }

    fn report_dropped(&mut self, now: Now, dropped: Vec<Operation>, why: &str) {
        for operation in dropped {
            let message = format!("{} is not begun any more: {why}", operation.key);
            self.effects.push(Effect::Log { level: Level::Warning, message });
            let exit = AgentExit::failed(OpStatus::NotConnected, why.to_owned());
            self.report(now, operation, &exit, Span::default());
        }
    }

    fn leftover_ended(&mut self, now: Now, process: &str, exit: &AgentExit) {
        let is_it = |running: &Running| {
            running.stage == Stage::Leftover && running.process.as_deref() == Some(process)
        };
        let lane = self.book.lanes.iter().find(|(_, lane)| lane.running.as_ref().is_some_and(is_it));
        if let Some(resource) = lane.map(|(resource, _)| resource.clone()) {
            self.close(now, &resource, exit);
        }
    }

    /// What an earlier program was running for `resource` is over.
    fn close(&mut self, now: Now, resource: &str, exit: &AgentExit) {
        let running = self.book.lanes.get_mut(resource).and_then(|lane| lane.running.take());
        if let Some(running) = running.filter(|running| running.operation.interval_ms == 0) {
            self.report(now, running.operation, exit, Span::default());
        }
    }
}

/// Whether an operation may leave its resource in another state.
pub fn changes_state(operation: &Operation) -> bool {
    operation.interval_ms == 0
        && !matches!(operation.operation.as_str(), "monitor" | "notify" | "meta-data" | "status")
}

/// Whether an operation makes a resource active, or more so: what must not be done any more once it is not known to be right.
pub(crate) fn begins_something(operation: &Operation) -> bool {
    matches!(operation.operation.as_str(), "start" | "promote" | "migrate_from")
}

/// Whether an operation is not to be begun once the executor cannot vouch for it. The first half of a migration, too, whose agent begins the
/// copy on the target; until it is begun, the resource runs here as it did, which is why nobody takes it back for the sake of a quorum.
fn is_not_to_be_late(operation: &Operation) -> bool {
    begins_something(operation) || operation.operation == "migrate_to"
}

#[cfg(test)]
mod tests;
