//! What is known of an executor: what it does, and what is still to be said to it or of it.

use super::PATIENCE;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use systole_types::{Monotonic, OperationKey};
use systole_wire::exec::{Operation, OperationResult};

/// What an executor is known to do.
#[derive(Debug, Default)]
pub(in crate::node) struct Executor {
    pub(super) is_welcome: bool,
    /// Whether it ever was there since this daemon has been started.
    pub(super) was_welcome: bool,
    /// Whether the attachment was applied in this view.
    pub(super) is_attached: bool,
    pub(super) last_call: u64,
    pub(super) last_number: u64,
    pub(super) acknowledged: u64,
    /// Recurring operations in force: operation keys with calls.
    pub(super) recurring: BTreeMap<String, u64>,
    /// Operations done once, by transition key.
    pub(super) running: BTreeMap<String, Operation>,
    /// Transition keys of results announced in the welcome that have not come yet.
    pub(super) announced: BTreeSet<String>,
    /// What could not be sent yet.
    pub(super) unsent: Vec<Operation>,
    /// Not yet recorded.
    pub(super) results: VecDeque<OperationResult>,
    /// A record is under way.
    pub(super) is_recording: bool,
    /// What seems to run that nobody asked it to start, as far as that cannot be judged yet: resources.
    pub(super) appeared: BTreeSet<String>,
    /// When its absence is told to the members.
    pub(super) missed_at: Option<Monotonic>,
}

impl Executor {
    pub fn is_there(&self) -> bool {
        self.is_welcome
    }

    /// Whether it is there, or once was.
    pub fn was_there(&self) -> bool {
        self.was_welcome
    }

    /// Whether it is away, and the members were told.
    pub(super) fn is_given_up(&self) -> bool {
        !self.is_welcome && self.was_welcome && self.missed_at.is_none()
    }

    pub fn lose(&mut self, now: Monotonic) {
        self.is_welcome = false;
        self.missed_at = Some(now + PATIENCE);
    }

    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.missed_at
    }

    /// Operations from now on have higher numbers than this.
    pub fn count_call(&mut self, call: u64) {
        self.last_call = self.last_call.max(call);
    }

    /// The view changed. What was not handed to the executor before is not handed to it: it was decided without the
    /// nodes that join now, and counts as lost when the executor attaches.
    pub fn detach(&mut self) {
        self.is_attached = false;
        self.is_recording = false;
        self.unsent.clear();
    }

    /// Whether a result for this operation can be expected.
    pub(super) fn expects(&self, operation: &Operation) -> bool {
        let key = &operation.transition_key;
        self.running.contains_key(key)
            || self.announced.contains(key)
            || self.recurring.contains_key(&operation.key)
            || self.unsent.iter().any(|unsent| unsent.transition_key == *key)
            || self.results.iter().any(|result| result.operation.transition_key == *key)
    }

    /// Numbers an operation that is handed to the executor, and keeps in mind what it means for others.
    pub(super) fn take_up(&mut self, operation: &mut Operation) {
        self.last_call += 1;
        operation.call = self.last_call;
        if operation.interval_ms > 0 {
            self.recurring.insert(operation.key.clone(), operation.call);
            return;
        }
        if !matches!(operation.operation.as_str(), "monitor" | "notify") {
            let is_of_it = |key: &str| {
                key.parse::<OperationKey>().is_ok_and(|key| key.resource.as_str() == operation.resource)
            };
            self.recurring.retain(|key, _| !is_of_it(key));
        }
        self.running.insert(operation.transition_key.clone(), operation.clone());
    }

    pub(super) fn knows_monitor(&self, key: &str) -> bool {
        self.recurring.contains_key(key)
            || self.unsent.iter().any(|operation| operation.key == key)
            || self.results.iter().any(|result| result.operation.key == key)
    }
}
