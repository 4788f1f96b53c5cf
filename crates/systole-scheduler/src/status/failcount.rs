//! How often resources have failed, and whether that still counts.
//!
//! Source: Pacemaker Explained, "Handling Resource Failure".

use super::{
    FailCount, NodeIdx, RscIdx, Status,
    history::Entry,
    operation::property,
    text::{base_name, span, whole_seconds},
    unpack::Unpack,
};
use std::time::Duration;
use systole_cib::model::{HistoryEntry, Operation};
use systole_types::{Score, Timestamp};

/// Which failures count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failures {
    /// All on record.
    All,
    /// Only if `failure-timeout` has not outdated them all.
    Effective,
    /// As `Effective`, and those of what lives in the resource besides (not in a bundle's container).
    EffectiveWithContained,
}

/// How often a resource has failed on a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FailureRecord {
    /// How often; the sum over its operations.
    pub count: Score,
    /// When last; `None` if there was no failure, or nobody knows when.
    pub last_failure: Option<Timestamp>,
}

impl Status<'_> {
    /// How often `rsc` has failed on `node`. Instances of an anonymous clone on a node are counted together.
    pub fn failures(&self, rsc: RscIdx, node: NodeIdx, which: Failures) -> FailureRecord {
        let on_record = self.failures_on_record(rsc, node);
        if on_record.count == Score::ZERO
            && (which != Failures::EffectiveWithContained || self.rsc(rsc).contained.is_empty())
        {
            return FailureRecord::default();
        }
        let timeout = self.rsc(rsc).meta.failure_timeout;
        let timeout =
            timeout.filter(|_| on_record.count <= Score::ZERO || !self.is_blocked_by_failure(rsc, node));
        self.counted(rsc, node, on_record, which, timeout)
    }

    /// Whether `failure-timeout` of `rsc` does not count, since a failure with `on-fail=block` is on record on `node`.
    pub fn is_failure_timeout_ignored(&self, rsc: RscIdx, node: NodeIdx) -> bool {
        let timeout = self.rsc(rsc).meta.raw.get("failure-timeout");
        timeout.is_some_and(|timeout| !span(timeout).is_zero())
            && self.failures_on_record(rsc, node).count > Score::ZERO
            && self.is_blocked_by_failure(rsc, node)
    }

    /// How often `rsc` has failed on `node`: the count only.
    pub fn fail_count(&self, rsc: RscIdx, node: NodeIdx, which: Failures) -> Score {
        self.failures(rsc, node, which).count
    }

    fn failures_on_record(&self, rsc: RscIdx, node: NodeIdx) -> FailureRecord {
        let counts = &self.node(node).fail_counts;
        if counts.is_empty() {
            return FailureRecord::default();
        }
        let known_as = self.rsc(rsc).known_as().as_str();
        let base = base_name(known_as);
        let instance: Option<u32> = known_as.get(base.len() + 1..).and_then(|number| number.parse().ok());
        let is_unique = self.rsc(rsc).is_unique;
        let first = counts.partition_point(|count| &*count.resource < base);
        let mine = counts[first..].iter().take_while(|count| &*count.resource == base);
        let mut record = FailureRecord::default();
        for FailCount { count, last_failure, .. } in
            mine.filter(|count| !is_unique || count.instance == instance)
        {
            record.count += *count;
            record.last_failure = record.last_failure.max(*last_failure);
        }
        record
    }

    fn counted(
        &self,
        rsc: RscIdx,
        node: NodeIdx,
        mut record: FailureRecord,
        which: Failures,
        timeout: Option<Duration>,
    ) -> FailureRecord {
        if let (Some(timeout), Some(last), true) = (timeout, record.last_failure, which != Failures::All)
            && last.0 > 0
            && self.now > Timestamp(last.0.saturating_add(whole_seconds(timeout)))
        {
            record.count = Score::ZERO;
        }
        if which == Failures::EffectiveWithContained && !self.is_bundled(rsc) {
            for &contained in &self.rsc(rsc).contained {
                // Only what is directly inside: configurations can claim that two resources contain each other.
                let inside = self.failures(contained, node, Failures::Effective);
                record.count =
                    Score::finite(i64::from(record.count.value()) + i64::from(inside.count.value()));
                record.last_failure = record.last_failure.max(inside.last_failure);
            }
        }
        record.last_failure = record.last_failure.filter(|at| record.count > Score::ZERO && at.0 > 0);
        record
    }

    /// Whether a failed operation with `on-fail=block` is on record: then failures do not expire.
    fn is_blocked_by_failure(&self, rsc: RscIdx, node: NodeIdx) -> bool {
        let base = self.rsc(rsc).base_id();
        blocking_operations(self, rsc).any(|op| {
            let histories =
                self.node(node).state.and_then(|state| state.history.as_ref()).into_iter().flatten();
            let histories = histories.filter(|history| history.resource.as_str() == base);
            histories.flat_map(|history| &history.operations).any(|entry| is_failure_of(base, op, entry))
        })
    }
}

impl<'a> Unpack<'a> {
    /// Failures with regard to one entry of the history: if that entry is a failure with `on-fail=block`, the resource's
    /// failures do not expire from here on.
    pub(super) fn failures_blocking(&mut self, entry: &Entry<'a>, which: Failures) -> FailureRecord {
        let (rsc, node) = (entry.rsc, entry.node);
        let on_record = self.failures_on_record(rsc, node);
        if on_record.count > Score::ZERO && self.rsc(rsc).meta.failure_timeout.is_some() {
            let base = self.rsc(rsc).base_id();
            if blocking_operations(self, rsc).any(|op| is_failure_of(base, op, entry.raw)) {
                self.resources[rsc.i()].meta.failure_timeout = None;
            }
        }
        let timeout = self.rsc(rsc).meta.failure_timeout;
        self.counted(rsc, node, on_record, which, timeout)
    }
}

/// Operations with `on-fail=block` of their own; those that stand elsewhere are not looked at, as in the reference release.
fn blocking_operations<'s>(status: &'s Status<'_>, rsc: RscIdx) -> impl Iterator<Item = &'s Operation> {
    let operations =
        status.rsc(rsc).primitive().map_or(&[][..], |primitive| &primitive.definition.operations);
    operations.iter().filter(|op| !op.is_reference && property(op, "on-fail") == Some("block"))
}

/// Whether an entry of the history of `base` is a failure of the configured operation.
fn is_failure_of(base: &str, op: &Operation, entry: &HistoryEntry) -> bool {
    let interval_ms = op.interval.as_millis();
    if u128::from(entry.op.interval_ms) != interval_ms || !op.name.eq_ignore_ascii_case(&entry.op.task) {
        return false;
    }
    let Some(rest) = entry.op.id.strip_prefix(base).and_then(|rest| rest.strip_prefix('_')) else {
        return false;
    };
    rest == "last_failure_0"
        || (rest == format!("{}_{interval_ms}", op.name)
            && entry.magic.as_ref().is_none_or(|magic| magic.key.target_rc != entry.rc))
}
