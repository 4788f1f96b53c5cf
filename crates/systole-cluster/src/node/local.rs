//! This node's executor, as the machine knows it.
//!
//! What the executor does goes on whether or not anybody listens. So whenever a replica and an executor come together,
//! they are compared: what the replica knows and the executor does not is taken out of the replica, and the other way
//! round. Results are acknowledged when they are recorded in agreed order, and not before.

use super::NodeMachine;
use crate::{
    Effect, Level,
    message::{Attach, Message, Perform},
    replica::Attached,
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};
use systole_types::{Monotonic, OpStatus, OperationKey};
use systole_wire::{
    PROTOCOL,
    exec::{FromExecutor, Operation, OperationResult, ToExecutor},
};

/// How long the executor may take to come back.
const PATIENCE: Duration = Duration::from_secs(10);

/// What this node's executor is known to do.
#[derive(Debug, Default)]
pub(super) struct Local {
    is_welcome: bool,
    /// Whether the attachment was applied in this view.
    is_attached: bool,
    last_call: u64,
    last_number: u64,
    acknowledged: u64,
    /// Recurring operations in force: operation keys with calls.
    recurring: BTreeMap<String, u64>,
    /// Operations done once, by transition key.
    running: BTreeMap<String, Operation>,
    /// Transition keys of results announced in the welcome.
    announced: BTreeSet<String>,
    /// What could not be sent yet.
    unsent: Vec<Operation>,
    /// Not yet recorded.
    results: VecDeque<OperationResult>,
    /// A record is under way.
    is_recording: bool,
    /// When its absence is told to the members.
    missed_at: Option<Monotonic>,
}

impl Local {
    pub fn is_there(&self) -> bool {
        self.is_welcome
    }

    pub fn lose(&mut self, now: Monotonic) {
        self.is_welcome = false;
        self.missed_at = Some(now + PATIENCE);
    }

    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.missed_at
    }

    /// The view changed. What was not handed to the executor before is not handed to it: it was decided without the
    /// nodes that join now, and counts as lost when the executor attaches.
    pub fn detach(&mut self) {
        self.is_attached = false;
        self.is_recording = false;
        self.unsent.clear();
    }

    /// Whether a result for this operation can be expected.
    fn expects(&self, operation: &Operation) -> bool {
        let key = &operation.transition_key;
        self.running.contains_key(key)
            || self.announced.contains(key)
            || self.recurring.contains_key(&operation.key)
            || self.unsent.iter().any(|unsent| unsent.transition_key == *key)
            || self.results.iter().any(|result| result.operation.transition_key == *key)
    }

    fn knows_monitor(&self, key: &str) -> bool {
        self.recurring.contains_key(key)
            || self.unsent.iter().any(|operation| operation.key == key)
            || self.results.iter().any(|result| result.operation.key == key)
    }
}

impl NodeMachine {
    pub(super) fn executor_connected(&mut self) {
        let hello = ToExecutor::Hello { protocol: PROTOCOL, node: self.name.clone() };
        self.effects.push(Effect::ToExecutor(hello));
    }

    pub(super) fn executor_says(&mut self, message: FromExecutor) {
        match message {
            FromExecutor::Welcome {
                boot_id,
                recurring,
                in_flight,
                unacknowledged,
                last_call,
                last_number,
                acknowledged,
                ..
            } => {
                if boot_id != self.boot_id {
                    let message =
                        format!("the executor knows boot {boot_id}, this daemon boot {}", self.boot_id);
                    self.log(Level::Error, message);
                }
                let local = &mut self.local;
                local.is_welcome = true;
                local.missed_at = None;
                local.last_call = local.last_call.max(last_call);
                (local.last_number, local.acknowledged) = (last_number, acknowledged);
                local.recurring = recurring.into_iter().collect();
                let by_key = |operation: Operation| (operation.transition_key.clone(), operation);
                local.running = in_flight.into_iter().map(by_key).collect();
                local.announced = unacknowledged.into_iter().collect();
                local.results.clear();
                local.is_recording = false;
                self.attach();
            }
            FromExecutor::Result(result) => {
                self.local.running.remove(&result.operation.transition_key);
                if result.status == OpStatus::Cancelled.code() {
                    self.local.recurring.remove(&result.operation.key);
                }
                self.local.last_number = self.local.last_number.max(result.number);
                self.local.results.push_back(*result);
                self.report();
            }
        }
    }

    /// Tells the members how the executor and the replica compare.
    pub(super) fn attach(&mut self) {
        if !self.group.is_settled() || !self.local.is_welcome {
            return;
        }
        self.send_unsent();
        let own_id = self.group.own_id();
        let ledger = &self.replica.ledger;
        let of_mine = ledger.in_flight.iter().filter(|(_, perform)| perform.node == own_id);
        let lost = of_mine.filter(|(_, perform)| !self.local.expects(&perform.operation));
        let known_as_recorded = self.replica.recorded_monitors(&self.name);
        let in_flight = self
            .local
            .running
            .values()
            .filter(|running| !ledger.in_flight.contains_key(&running.transition_key));
        let recorded = ledger.nodes.get(&own_id).map_or(0, |entry| entry.recorded);
        let attach = Attach {
            acknowledged: self.local.acknowledged,
            forgetful: self.local.last_number < recorded,
            lost_operations: lost.map(|(key, _)| key.clone()).collect(),
            lost_monitors: known_as_recorded
                .into_iter()
                .filter(|key| !self.local.knows_monitor(key))
                .collect(),
            in_flight: in_flight
                .map(|operation| Perform { node: own_id, operation: operation.clone() })
                .collect(),
        };
        self.cast(Message::Attach(attach));
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
        }
    }

    pub(super) fn detached(&mut self, from: u32) {
        self.replica.detach(from);
        let name = self.replica.name_of(from).unwrap_or_default().to_owned();
        self.plan_anew(&format!("the executor of {name} is gone"));
    }

    pub(super) fn attached(&mut self, from: u32, attach: &Attach) {
        let attached = self.replica.attach(from, attach);
        let name = self.replica.name_of(from).unwrap_or_default().to_owned();
        if attached == Attached::Erased {
            self.log(
                Level::Notice,
                format!("what was done on {name} is not known in full: it will be probed"),
            );
        }
        self.plan_anew(&format!("{name} has joined"));
        if from == self.group.own_id() {
            self.local.is_attached = true;
            self.acknowledge();
            self.reconcile_monitors();
            self.report();
        }
    }

    /// Ends recurring operations that the replica does not know: those that should be will be asked for again.
    pub(super) fn reconcile_monitors(&mut self) {
        if !self.local.is_attached {
            return;
        }
        let own_id = self.group.own_id();
        let mut known: BTreeSet<String> = self.replica.recorded_monitors(&self.name).into_iter().collect();
        let in_flight = self.replica.ledger.in_flight.values().filter(|perform| perform.node == own_id);
        known.extend(in_flight.map(|perform| perform.operation.key.clone()));
        known.extend(self.local.results.iter().map(|result| result.operation.key.clone()));
        let unknown: Vec<String> =
            self.local.recurring.keys().filter(|key| !known.contains(*key)).cloned().collect();
        for key in unknown {
            self.local.recurring.remove(&key);
            self.effects.push(Effect::ToExecutor(ToExecutor::Cancel { key }));
        }
    }

    /// An operation is to be run: on this node, perhaps.
    pub(super) fn performed(&mut self, perform: &Perform) {
        self.replica.perform(perform);
        let operation = &perform.operation;
        let is_cancel = operation.operation == "cancel";
        if perform.node == self.group.own_id() {
            if is_cancel {
                self.local.recurring.remove(&operation.key);
                self.effects.push(Effect::ToExecutor(ToExecutor::Cancel { key: operation.key.clone() }));
            } else {
                self.local.unsent.push(operation.clone());
                self.send_unsent();
            }
        }
        if is_cancel {
            self.operation_done(&operation.transition_key);
        }
    }

    /// Hands operations to the executor, except those that the members have given up meanwhile.
    fn send_unsent(&mut self) {
        if !self.local.is_welcome {
            return;
        }
        for mut operation in std::mem::take(&mut self.local.unsent) {
            if !self.replica.ledger.in_flight.contains_key(&operation.transition_key) {
                continue;
            }
            self.local.last_call += 1;
            operation.call = self.local.last_call;
            if operation.interval_ms > 0 {
                self.local.recurring.insert(operation.key.clone(), operation.call);
            } else {
                if !matches!(operation.operation.as_str(), "monitor" | "notify") {
                    let of_it = |key: &str| {
                        key.parse::<OperationKey>()
                            .is_ok_and(|key| key.resource.as_str() == operation.resource)
                    };
                    self.local.recurring.retain(|key, _| !of_it(key));
                }
                self.local.running.insert(operation.transition_key.clone(), operation.clone());
            }
            self.effects.push(Effect::ToExecutor(ToExecutor::Run(Box::new(operation))));
        }
    }

    /// Has results recorded, one message at a time.
    fn report(&mut self) {
        if self.local.is_attached && !self.local.is_recording && !self.local.results.is_empty() {
            self.local.is_recording = true;
            let results = self.local.results.iter().cloned().collect();
            self.cast(Message::Record { results });
        }
    }

    pub(super) fn recorded(&mut self, from: u32, results: &[OperationResult]) {
        let news = self.replica.record(from, results);
        if from == self.group.own_id() {
            self.local.is_recording = false;
            self.acknowledge();
            if news.iter().any(|result| result.status == OpStatus::NotConnected.code()) {
                self.reconcile_monitors();
            }
            self.report();
        }
        self.results_known(&news);
    }

    /// Results that are recorded need not be kept by the executor.
    fn acknowledge(&mut self) {
        let recorded = self.replica.ledger.nodes.get(&self.group.own_id()).map_or(0, |entry| entry.recorded);
        self.local.results.retain(|result| result.number > recorded);
        if recorded > self.local.acknowledged {
            self.local.acknowledged = recorded;
            self.effects.push(Effect::ToExecutor(ToExecutor::Acknowledge { number: recorded }));
        }
    }

    /// A node is to leave. It goes when the DC has heard this itself: else the DC might take it for lost.
    pub(super) fn is_to_leave(&mut self, node: u32) {
        if let Some(entry) = self.replica.ledger.nodes.get_mut(&node) {
            entry.leaving = true;
        }
        if self.is_dc() {
            self.cast(Message::Farewell { node });
        }
    }

    pub(super) fn leave(&mut self, node: u32) {
        if node == self.group.own_id() {
            self.log(Level::Notice, "leaving the cluster in good order");
            self.answer_shutdown();
            self.effects.push(Effect::LeaveCluster);
        }
    }
}
