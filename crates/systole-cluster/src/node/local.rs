//! The executors this node speaks for, as the machine knows them: its own, and those of the remote and guest nodes it
//! is connected to.
//!
//! What an executor does goes on whether or not anybody listens. So whenever a replica and an executor come together,
//! they are compared: what the replica knows and the executor does not is taken out of the replica, and the other way
//! round. Results are acknowledged when they are recorded in agreed order, and not before.

mod appearances;
mod known;

pub(super) use known::Executor;

use super::NodeMachine;
use crate::{
    Effect, Level,
    executor::begins_something,
    message::{Attach, Hand, LEVEL_OF_FAREWELLS, LEVEL_OF_WITHDRAWALS, Message, Perform},
    replica::Attached,
};
use std::{collections::BTreeSet, time::Duration};
use systole_types::OpStatus;
use systole_wire::{
    PROTOCOL,
    exec::{FromExecutor, Operation, OperationResult, ToExecutor},
};

/// How long this node's executor may take to come back.
const PATIENCE: Duration = Duration::from_secs(10);

impl NodeMachine {
    pub(super) fn executor_connected(&mut self) {
        let hello = ToExecutor::Hello { protocol: PROTOCOL, node: self.name.clone() };
        self.effects.push(Effect::ToExecutor(hello));
    }

    pub(super) fn executor_lost(&mut self) {
        self.local.lose(self.now.mono);
        self.agents.executor_is_gone();
        self.send_all_unsent();
    }

    /// A result of that number was made up for a node: what is done there next comes after it.
    pub(super) fn count_call(&mut self, node: &str, call: u64) {
        if node == self.name {
            self.local.count_call(call);
        } else if let Some(executor) = self.connections.executor_mut(node) {
            executor.count_call(call);
        }
    }

    /// What is done next comes after all that is on record, made up results included, which the executor knows nothing of.
    fn reserve_calls(&mut self, by: &Hand) {
        let Some(place) = self.replica.place(self.group.own_id(), by) else { return };
        let last = self.replica.last_call_on(&place.name);
        if let Some(executor) = self.executor_of(by) {
            executor.count_call(last);
        }
    }

    fn executor_of(&mut self, by: &Hand) -> Option<&mut Executor> {
        match by {
            Hand::Executor => Some(&mut self.local),
            Hand::Connections => None,
            Hand::Remote(name) => self.connections.executor_mut(name),
        }
    }

    fn look_at(&self, by: &Hand) -> Option<&Executor> {
        match by {
            Hand::Executor => Some(&self.local),
            Hand::Connections => None,
            Hand::Remote(name) => self.connections.executor(name),
        }
    }

    fn tell_executor(&mut self, by: &Hand, message: ToExecutor) {
        match by {
            Hand::Executor => self.effects.push(Effect::ToExecutor(message)),
            Hand::Connections => {}
            Hand::Remote(name) => self.tell_remote(name, message),
        }
    }

    /// This node's executor says something.
    pub(super) fn executor_says(&mut self, message: FromExecutor) {
        match message {
            FromExecutor::Result(result) => self.has_result(&Hand::Executor, *result),
            FromExecutor::Appeared { resource } => self.has_appeared(resource),
            // That it is there, is what the hands want to know.
            FromExecutor::Pong => {}
            FromExecutor::Described { agent, metadata } => {
                self.described(&Hand::Executor, agent, metadata.as_deref());
            }
            FromExecutor::Welcome { ref boot_id, last_number, acknowledged, protocol, .. } => {
                self.agents.executor_is_there(protocol);
                if *boot_id != self.boot_id {
                    let text =
                        format!("the executor knows boot {boot_id}, this daemon boot {}", self.boot_id);
                    self.log(Level::Error, text);
                }
                (self.local.last_number, self.local.acknowledged) = (last_number, acknowledged);
                self.welcomed(&Hand::Executor, message);
                // What waits for its agent, on remote nodes too, asks anew: the former program does not answer.
                self.send_all_unsent();
            }
        }
    }

    /// An executor has said what it does.
    pub(super) fn welcomed(&mut self, by: &Hand, welcome: FromExecutor) {
        let FromExecutor::Welcome { recurring, in_flight, unacknowledged, last_call, .. } = welcome else {
            return;
        };
        let Some(executor) = self.executor_of(by) else { return };
        (executor.is_welcome, executor.was_welcome) = (true, true);
        executor.missed_at = None;
        executor.last_call = executor.last_call.max(last_call);
        executor.recurring = recurring.into_iter().collect();
        let by_key = |operation: Operation| (operation.transition_key.clone(), operation);
        executor.running = in_flight.into_iter().map(by_key).collect();
        executor.announced = unacknowledged.into_iter().collect();
        executor.results.clear();
        executor.is_recording = false;
        self.withdraw_starts_at(by);
        self.attach(by);
    }

    /// Without quorum, nothing is begun any more that was decided with it: what still waits its turn at an executor is taken back.
    /// What runs already is not affected.
    pub(super) fn withdraw_starts(&mut self) {
        for by in self.hands() {
            self.withdraw_starts_at(&by);
        }
    }

    fn withdraw_starts_at(&mut self, by: &Hand) {
        let is_possible = *by == Hand::Executor || self.replica.level >= LEVEL_OF_WITHDRAWALS;
        let Some(executor) = self.look_at(by).filter(|_| is_possible && self.group.lacks_quorum()) else {
            return;
        };
        let begins = executor.running.values().filter(|operation| begins_something(operation));
        let keys: Vec<String> = begins.map(|operation| operation.key.clone()).collect();
        for key in keys {
            self.tell_executor(by, ToExecutor::Cancel { key });
        }
    }

    /// This node's executor, and those that it has something to do with over connections.
    fn hands(&self) -> impl Iterator<Item = Hand> + use<> {
        std::iter::once(Hand::Executor).chain(self.connections.remotes())
    }

    /// An executor has a result.
    pub(super) fn has_result(&mut self, by: &Hand, mut result: OperationResult) {
        result.at = self.moment_after_the_last(by, &result.operation, result.at);
        let is_told_apart = *by != Hand::Executor && self.replica.level >= LEVEL_OF_WITHDRAWALS;
        let is_settled = self.group.is_settled();
        let Some(executor) = self.executor_of(by) else { return };
        executor.running.remove(&result.operation.transition_key);
        let was_last_announced =
            executor.announced.remove(&result.operation.transition_key) && executor.announced.is_empty();
        if result.status == OpStatus::Cancelled.code() {
            executor.recurring.remove(&result.operation.key);
            if result.operation.interval_ms == 0 && is_told_apart {
                // Should this be lost with the view, the operation is missed when the executor attaches.
                if is_settled {
                    self.cast(Message::Withdrawn { keys: vec![result.operation.transition_key] });
                }
                return;
            }
            if result.operation.interval_ms == 0 {
                // It was withdrawn: that it was asked for must not stay on record as if it might still be done.
                result.status = OpStatus::NotConnected.code();
                result.exit_reason = "it was withdrawn before it began".to_owned();
            }
        }
        if *by != Hand::Executor {
            // A remote executor may number its results as it likes, or not at all.
            result.number = executor.last_number + 1;
        }
        executor.last_number = executor.last_number.max(result.number);
        executor.results.push_back(result);
        self.report(by);
        if was_last_announced {
            self.reconcile_monitors(by);
        }
    }

    /// The moment `at`, or one after the last result that is recorded of a recurring operation: history tells two results of one
    /// call apart by whole seconds only and must take the newer for the newer, though clocks are set back and
    /// daemons that knew the last moment start anew.
    pub(super) fn moment_after_the_last(&self, by: &Hand, operation: &Operation, at: i64) -> i64 {
        if operation.interval_ms == 0 {
            return at;
        }
        let node = match by {
            Hand::Executor | Hand::Connections => &self.name,
            Hand::Remote(node) => node,
        };
        let last = self.replica.recurring_changed_at(node, &operation.key);
        last.map_or(at, |last| at.max(last.saturating_add(1)))
    }

    /// Tells the members how an executor and the replica compare.
    pub(super) fn attach(&mut self, by: &Hand) {
        if !self.group.is_settled() || !self.look_at(by).is_some_and(Executor::is_there) {
            return;
        }
        self.reserve_calls(by);
        self.send_unsent(by);
        let own_id = self.group.own_id();
        let (Some(executor), Some(place)) = (self.look_at(by), self.replica.place(own_id, by)) else {
            return;
        };
        let ledger = &self.replica.ledger;
        let of_it = ledger.in_flight.iter().filter(|(_, perform)| perform.is_for(own_id, by));
        let lost = of_it.filter(|(_, perform)| !executor.expects(&perform.operation));
        let is_unknown = |key: &String| !executor.knows_monitor(key) && !self.is_connection_monitor(by, key);
        let lost_monitors = self.replica.recorded_monitors(&place.name);
        let in_flight = executor.running.values();
        let in_flight = in_flight.filter(|running| !ledger.in_flight.contains_key(&running.transition_key));
        let in_flight = in_flight.map(|operation| Perform::new(own_id, by.clone(), operation.clone()));
        let attach = Attach {
            by: by.clone(),
            session: self.connections.session_of(by),
            acknowledged: executor.acknowledged,
            forgetful: executor.last_number < self.replica.recorded(own_id, by),
            lost_operations: lost.map(|(key, _)| key.clone()).collect(),
            lost_monitors: lost_monitors.into_iter().filter(is_unknown).collect(),
            in_flight: in_flight.collect(),
        };
        self.cast(Message::Attach(attach));
    }

    /// Whether a recorded monitor is one of a connection, which the executor knows nothing of.
    fn is_connection_monitor(&self, by: &Hand, key: &str) -> bool {
        let mut held = self.replica.connections_of(self.group.own_id());
        *by == Hand::Executor
            && held.any(|(_, entry)| entry.monitor.as_ref().is_some_and(|monitor| monitor.key == key))
    }

    /// An executor that stays away is told to the members: nothing can be run on this node.
    pub(super) fn miss_executor(&mut self) {
        if self.local.missed_at.is_none_or(|at| at > self.now.mono) {
            return;
        }
        self.local.missed_at = (!self.group.is_settled()).then(|| self.now.mono + PATIENCE);
        if self.group.is_settled() {
            self.local.is_attached = false;
            self.log(Level::Error, "the executor does not come back: nothing can be run on this node");
            self.cast(Message::Detach);
            self.tell_why_it_stays();
        }
    }

    /// A node that is to leave cannot while its executor is away and may run something: nobody could stop that.
    pub(super) fn tell_why_it_stays(&mut self) {
        let runs_nothing = || self.booted_without_executor().contains(self.name.as_str());
        if self.group.is_settled() && self.is_leaving() && !self.local.is_there() && !runs_nothing() {
            let text = "this node cannot leave in good order while its executor is away: what runs here could not be stopped. Start the \
                        executor again, or end systoled by a second SIGTERM, which leaves what runs here as it is";
            self.log(Level::Error, text);
        }
    }

    pub(super) fn detached(&mut self, from: u32) {
        self.replica.detach(from);
        let name = self.replica.name_of(from).unwrap_or_default().to_owned();
        self.ask_back_anew();
        if from == self.group.own_id() && self.local.is_given_up() {
            // Decided long ago by the time it is back: it counts as lost then, and is asked for anew.
            self.local.unsent.clear();
        }
        self.let_go_of_executor(from);
        self.plan_anew(&format!("the executor of {name} is gone"));
    }

    pub(super) fn attached(&mut self, from: u32, attach: &Attach) {
        let asked = self.replica.asked_of(from, &attach.by);
        let attached = self.replica.attach(from, attach);
        let is_gone = |key: &String| !self.replica.ledger.in_flight.contains_key(key);
        let gone: Vec<String> = asked.into_iter().filter(is_gone).collect();
        self.operations_failed(&gone);
        let name = self.replica.place(from, &attach.by).map(|place| place.name).unwrap_or_default();
        if attached == Attached::Erased {
            self.log(
                Level::Notice,
                format!("what was done on {name} is not known in full: it will be probed"),
            );
        }
        let why = format!("{name} has joined");
        match attached {
            Attached::Unchanged => {}
            Attached::Fresh => self.plan_after_this(&why),
            Attached::Current | Attached::Erased => self.plan_anew(&why),
        }
        if from == self.group.own_id()
            && let Some(executor) = self.executor_of(&attach.by)
        {
            executor.is_attached = true;
            self.acknowledge(&attach.by);
            self.reconcile_monitors(&attach.by);
            self.report(&attach.by);
        }
    }

    /// See [`Self::reconcile_monitors`], of all executors.
    pub(super) fn reconcile_all_monitors(&mut self) {
        for by in self.hands() {
            self.reconcile_monitors(&by);
        }
    }

    /// Ends recurring operations that the replica does not know: those that should be will be asked for again. What the executor
    /// still has to say may be the first result of one, which will be known then.
    fn reconcile_monitors(&mut self, by: &Hand) {
        let own_id = self.group.own_id();
        let Some(place) = self.replica.place(own_id, by) else { return };
        let is_ready = |executor: &&Executor| executor.is_attached && executor.announced.is_empty();
        let Some(executor) = self.look_at(by).filter(is_ready) else { return };
        let mut known: BTreeSet<String> = self.replica.recorded_monitors(&place.name).into_iter().collect();
        let in_flight = self.replica.ledger.in_flight.values().filter(|perform| perform.is_for(own_id, by));
        known.extend(in_flight.map(|perform| perform.operation.key.clone()));
        known.extend(executor.results.iter().map(|result| result.operation.key.clone()));
        let unknown: Vec<String> =
            executor.recurring.keys().filter(|key| !known.contains(*key)).cloned().collect();
        for key in unknown {
            self.cancel(by, key);
        }
    }

    fn cancel(&mut self, by: &Hand, key: String) {
        if let Some(executor) = self.executor_of(by) {
            executor.recurring.remove(&key);
            executor.unsent.retain(|operation| operation.interval_ms == 0 || operation.key != key);
        }
        self.tell_executor(by, ToExecutor::Cancel { key });
    }

    /// An operation is to be run: by this node, perhaps.
    pub(super) fn performed(&mut self, perform: &Perform) {
        let operation = &perform.operation;
        if !self.replica.can_reach(perform) {
            return self.operations_failed(std::slice::from_ref(&operation.transition_key));
        }
        self.replica.perform(perform);
        let is_cancel = operation.operation == "cancel";
        if perform.node == self.group.own_id() {
            match &perform.by {
                Hand::Connections => self.connect(operation),
                by if is_cancel => self.cancel(by, operation.key.clone()),
                by => {
                    if let Some(executor) = self.executor_of(by).filter(|it| !it.is_given_up()) {
                        executor.unsent.push(operation.clone());
                    }
                    self.send_unsent(by);
                }
            }
        }
        if !self.can_be_answered(perform) {
            // It was sent before it was heard that the executor is away.
            self.operations_failed(std::slice::from_ref(&operation.transition_key));
        }
        if is_cancel {
            self.operation_done(&operation.transition_key);
        }
    }

    /// See [`Self::send_unsent`], to all executors.
    pub(super) fn send_all_unsent(&mut self) {
        for by in self.hands() {
            self.send_unsent(&by);
        }
    }

    /// Hands operations to an executor, except those that the members have given up meanwhile, and those that wait for
    /// their agent to describe itself or for others of the same resource that do.
    fn send_unsent(&mut self, by: &Hand) {
        let Some(executor) = self.executor_of(by).filter(|executor| executor.is_welcome) else { return };
        let mut waiting: Vec<Operation> = Vec::new();
        for mut operation in std::mem::take(&mut executor.unsent) {
            if !self.replica.ledger.in_flight.contains_key(&operation.transition_key) {
                continue;
            }
            let is_behind = waiting.iter().any(|other| other.resource == operation.resource);
            if self.awaits_description(by, &operation) || is_behind {
                waiting.push(operation);
                continue;
            }
            self.complete(by, &mut operation);
            let Some(executor) = self.executor_of(by) else { return };
            executor.take_up(&mut operation);
            self.tell_executor(by, ToExecutor::Run(Box::new(operation)));
        }
        if let Some(executor) = self.executor_of(by) {
            executor.unsent = waiting;
        }
    }

    /// The DC asks back what was to be begun by a plan that is out of date. What an executor has is not affected: what
    /// waits for one that is away is dropped here and told to be, and what waited and was dropped with an earlier view.
    pub(super) fn asked_back(&mut self, keys: &[String]) {
        let mut taken_back = Vec::new();
        for by in self.hands() {
            taken_back.extend(self.never_handed_over(&by, keys));
            let Some(executor) = self.executor_of(&by).filter(|executor| !executor.is_welcome) else {
                continue;
            };
            let gone = executor.unsent.extract_if(.., |operation| keys.contains(&operation.transition_key));
            taken_back.extend(gone.map(|operation| operation.transition_key));
        }
        if !taken_back.is_empty() {
            self.cast(Message::Withdrawn { keys: taken_back });
        }
    }

    /// What of this is in flight, and was dropped before an executor which is away was given it. Before its first welcome that is
    /// not known: a former run of this program may have given it. Nor is it known by a replica that its results were not recorded in.
    fn never_handed_over(&self, by: &Hand, keys: &[String]) -> Vec<String> {
        let own_id = self.group.own_id();
        let recorded = self.replica.recorded(own_id, by);
        let is_known = |executor: &&Executor| {
            !executor.is_welcome && executor.was_welcome && executor.acknowledged <= recorded
        };
        let Some(executor) = self.look_at(by).filter(is_known) else { return Vec::new() };
        let is_lost = |key: &&String| {
            let perform = self.replica.ledger.in_flight.get(*key).filter(|it| it.is_for(own_id, by));
            perform.is_some_and(|perform| !executor.expects(&perform.operation))
        };
        keys.iter().filter(is_lost).cloned().collect()
    }

    /// A member has taken operations back.
    pub(super) fn withdrawn(&mut self, from: u32, keys: &[String]) {
        let gone = self.replica.withdraw(from, keys);
        self.operations_failed(&gone);
        self.plan_anew("what waited for an executor was taken back");
    }

    /// Has results recorded, one message at a time, as long as this node is the one to speak for that executor.
    fn report(&mut self, by: &Hand) {
        if matches!(by, Hand::Remote(name) if !self.replica.holds(self.group.own_id(), name)) {
            return;
        }
        let Some(executor) = self.executor_of(by) else { return };
        if executor.is_attached && !executor.is_recording && !executor.results.is_empty() {
            executor.is_recording = true;
            let results = executor.results.iter().cloned().collect();
            self.cast(Message::Record { by: by.clone(), results });
        }
    }

    pub(super) fn recorded(&mut self, from: u32, by: &Hand, results: &[OperationResult]) {
        let news = self.replica.record(from, by, results);
        if from == self.group.own_id()
            && let Some(executor) = self.executor_of(by)
        {
            executor.is_recording = false;
            self.acknowledge(by);
            if news.iter().any(|result| result.status == OpStatus::NotConnected.code()) {
                self.reconcile_monitors(by);
            }
            self.report(by);
        }
        self.results_known(&news);
    }

    /// Results that are recorded need not be kept by the executor.
    fn acknowledge(&mut self, by: &Hand) {
        let recorded = self.replica.recorded(self.group.own_id(), by);
        let Some(executor) = self.executor_of(by) else { return };
        executor.results.retain(|result| result.number > recorded);
        if recorded > executor.acknowledged {
            executor.acknowledged = recorded;
            if *by == Hand::Executor {
                self.effects.push(Effect::ToExecutor(ToExecutor::Acknowledge { number: recorded }));
            }
        }
    }

    /// A node is to leave. It goes when the DC has heard this itself: else the DC might take it for lost. If it is the DC that is to
    /// leave, that is confirmed by another member, who may be the DC next.
    pub(super) fn is_to_leave(&mut self, node: u32) {
        if let Some(entry) = self.replica.ledger.nodes.get_mut(&node) {
            entry.leaving = true;
        }
        if self.who_confirms_leave_of(node) == Some(self.group.own_id()) {
            self.cast(Message::Farewell { node });
        }
    }

    /// One that stays, if there is one. If it is lost before it has said so, the members are others, and the node is told to leave anew.
    fn who_confirms_leave_of(&self, node: u32) -> Option<u32> {
        let dc = self.group.dc();
        if dc != Some(node) || self.replica.level < LEVEL_OF_FAREWELLS {
            return dc;
        }
        let others = self.group.members().iter().map(|(id, _)| *id).filter(|id| *id != node);
        others.min_by_key(|id| (self.replica.has_left(*id), *id)).or(dc)
    }

    pub(super) fn leave(&mut self, node: u32) {
        if node == self.group.own_id() {
            self.log(Level::Notice, "leaving the cluster in good order");
            self.answer_shutdown();
            self.effects.push(Effect::LeaveCluster);
        }
    }
}
