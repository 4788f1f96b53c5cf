//! What the executor knows, and keeps over a restart of its program.

use super::{AgentExit, FormerParameters, RunId, is_not_to_be_late};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};
use systole_types::{Monotonic, Timestamp};
use systole_wire::exec::{Operation, OperationResult};

/// How many operations of one resource may wait.
pub(super) const MAX_QUEUED: usize = 64;

/// How many results are kept for a `systoled` that does not come.
const MAX_RESULTS: usize = 4096;

/// Everything that must not be forgotten until the host's next boot.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Book {
    pub boot_id: String,
    pub last_call: u64,
    pub last_number: u64,
    pub acknowledged: u64,
    /// Not yet acknowledged, by number.
    pub results: VecDeque<OperationResult>,
    /// By operation key.
    pub recurring: BTreeMap<String, Recurring>,
    /// By resource.
    pub lanes: BTreeMap<String, Lane>,
    /// What resources run with.
    #[serde(default)]
    pub former: FormerParameters,
}

/// A recurring operation in force.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Recurring {
    pub operation: Operation,
    /// Exit code and status last reported.
    pub reported: Option<(i32, i32)>,
    /// The moment that was reported with it, seconds since 1970.
    #[serde(default)]
    pub reported_at: Option<i64>,
    /// When it takes its turn; `None` while it waits in its lane or runs.
    #[serde(skip)]
    pub due: Option<Monotonic>,
    /// There was a sign of a change while it waited or ran: it takes another turn at once.
    #[serde(skip)]
    pub stirred: bool,
}

/// A resource's operations: one runs, the others wait.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Lane {
    pub running: Option<Running>,
    pub queue: VecDeque<Queued>,
}

/// An operation that waits.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Queued {
    pub operation: Operation,
    /// Its start delay ends here.
    #[serde(skip)]
    pub not_before: Monotonic,
    #[serde(skip)]
    pub since: Monotonic,
}

/// An operation that runs.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Running {
    pub operation: Operation,
    #[serde(skip)]
    pub run: RunId,
    pub process: Option<String>,
    #[serde(skip)]
    pub started: Monotonic,
    #[serde(skip)]
    pub waited: Duration,
    /// As read from the disk, everything is a leftover.
    #[serde(skip)]
    pub stage: Stage,
}

/// How far a run has come. Moments are those of the next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Stage {
    /// Within its time; `None` if there is no limit.
    InTime(Option<Monotonic>),
    /// Asked to end.
    Terminated(Monotonic),
    /// Killed.
    Killed(Monotonic),
    /// Killed, still there, and reported.
    Reported,
    /// Run by an earlier program.
    #[default]
    Leftover,
}

/// How long a run took, and how long it waited.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Span {
    pub exec: Duration,
    pub queue: Duration,
}

impl Book {
    pub fn to_bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("maps have text keys")
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    /// One-shot operations running or waiting.
    pub fn in_flight(&self) -> Vec<Operation> {
        let running =
            self.lanes.values().filter_map(|lane| lane.running.as_ref().map(|running| &running.operation));
        let queued = self.lanes.values().flat_map(|lane| lane.queue.iter().map(|queued| &queued.operation));
        running.chain(queued).filter(|operation| operation.interval_ms == 0).cloned().collect()
    }

    pub fn running(&mut self, run: RunId) -> Option<&mut Running> {
        self.lanes.values_mut().filter_map(|lane| lane.running.as_mut()).find(|running| running.is(run))
    }

    pub fn take_running(&mut self, run: RunId) -> Option<Running> {
        let is_it = |lane: &&mut Lane| lane.running.as_ref().is_some_and(|running| running.is(run));
        self.lanes.values_mut().find(is_it)?.running.take()
    }

    /// The recurring operation this is a run of, unless it was cancelled or replaced meanwhile.
    pub fn recurring_of(&mut self, operation: &Operation) -> Option<&mut Recurring> {
        self.recurring.get_mut(&operation.key).filter(|entry| entry.operation.call == operation.call)
    }

    /// Whether anything waits its turn that would begin something.
    pub fn would_begin(&self) -> bool {
        let mut queued = self.lanes.values().flat_map(|lane| &lane.queue);
        queued.any(|queued| is_not_to_be_late(&queued.operation))
    }

    /// Takes out what waits its turn and is unwanted.
    pub fn take_queued(&mut self, unwanted: impl Fn(&Queued) -> bool) -> Vec<Operation> {
        let mut taken = Vec::new();
        for lane in self.lanes.values_mut().filter(|lane| lane.queue.iter().any(&unwanted)) {
            let (gone, kept): (VecDeque<_>, _) =
                std::mem::take(&mut lane.queue).into_iter().partition(&unwanted);
            lane.queue = kept;
            taken.extend(gone.into_iter().map(|queued| queued.operation));
        }
        taken
    }

    /// Resources for which an earlier program was running something, with the process where it is known.
    /// Recurring operations that waited their turn are taken out: they start anew.
    pub fn interrupted(&mut self) -> Vec<(String, Option<String>)> {
        for lane in self.lanes.values_mut() {
            lane.queue.retain(|queued| queued.operation.interval_ms == 0);
        }
        let running =
            self.lanes.iter().filter_map(|(resource, lane)| Some((resource, lane.running.as_ref()?)));
        running.map(|(resource, running)| (resource.clone(), running.process.clone())).collect()
    }

    pub fn add_result(
        &mut self,
        operation: Operation,
        exit: &AgentExit,
        at: Timestamp,
        span: Span,
    ) -> OperationResult {
        self.last_number += 1;
        let result = OperationResult {
            number: self.last_number,
            operation,
            rc: exit.rc.code(),
            status: exit.status.code(),
            exit_reason: exit.exit_reason.clone(),
            at: at.0,
            exec_ms: millis(span.exec),
            queue_ms: millis(span.queue),
        };
        self.former.learn(&result);
        if self.results.len() >= MAX_RESULTS {
            let oldest = self.results.iter().position(|result| result.operation.interval_ms > 0).unwrap_or(0);
            self.results.remove(oldest);
        }
        self.results.push_back(result.clone());
        result
    }
}

impl Lane {
    pub fn is_empty(&self) -> bool {
        self.running.is_none() && self.queue.is_empty()
    }

    /// The operation that can run now.
    pub fn next(&mut self, now: Monotonic) -> Option<Queued> {
        let free = self.running.is_none() && self.queue.front()?.not_before <= now;
        if free { self.queue.pop_front() } else { None }
    }

    pub fn deadline(&self) -> Option<Monotonic> {
        match &self.running {
            Some(running) => match running.stage {
                Stage::InTime(deadline) => deadline,
                Stage::Terminated(deadline) | Stage::Killed(deadline) => Some(deadline),
                Stage::Reported | Stage::Leftover => None,
            },
            None => self.queue.front().map(|queued| queued.not_before),
        }
    }
}

impl Running {
    pub fn begin(run: RunId, queued: Queued, now: Monotonic) -> Self {
        let limit = queued.operation.timeout_ms;
        let deadline = (limit > 0).then(|| now + Duration::from_millis(limit));
        Self {
            run,
            process: None,
            started: now,
            waited: now - queued.since,
            stage: Stage::InTime(deadline),
            operation: queued.operation,
        }
    }

    fn is(&self, run: RunId) -> bool {
        self.run == run && self.stage != Stage::Leftover
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
