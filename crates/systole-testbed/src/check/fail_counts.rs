//! Fail counts: each failure that is recorded counts, once, and nothing else does.
//!
//! A message that records failures is to change the counts by just these, one that clears them takes away what it is about, and no
//! other message changes any. What a replica has counted so far goes with it: to whom it is copied, and away where it loses against
//! another. So a failure may count in the winner that has counted in the loser, but not twice in one of them. What an executor is told
//! to forget, since it is recorded, has to be counted; and nothing counts more often than an executor has reported it.

mod said;

use crate::{Micros, NodeIdx};
use said::{Failure, Said};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use systole_cib::xml::Document;
use systole_wire::exec::OperationResult;

/// What counts as INFINITY.
const INFINITY: i64 = 1_000_000;

/// A node and what has failed there, as `RSC#OPERATION_INTERVAL`.
type Key = (String, String);

/// A fail count as a CIB has it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Count {
    value: i64,
    /// When it last failed, as the CIB has it.
    last: Option<String>,
    /// Since when there is a count.
    since: Micros,
    /// When it last grew.
    grown_at: Micros,
}

type Counts = BTreeMap<Key, Count>;

/// What is known of a replica, wherever it came from.
#[derive(Clone, Debug, Default)]
struct Lineage {
    counts: Counts,
    /// Failures that have counted: transition key, and when (of operations that are done once: zero).
    counted: BTreeSet<(String, i64)>,
    /// Operations that were given up, and count as failed already.
    given_up: BTreeSet<String>,
    /// Counts of nodes that are lost, which may come back as they were.
    aside: BTreeMap<String, (Micros, Counts)>,
    /// Whether the daemon was without a cluster layer, and has told itself what nobody heard.
    has_strayed: bool,
}

/// Which of its results an executor has reported: where it runs, with its boot, and the result's number.
type Report = (String, u64);

/// Watches fail counts.
#[derive(Debug, Default)]
pub struct FailCounts {
    /// Whether anything is expected at all: where members speak an older version, the DC's requests count, which may be lost with it.
    pub is_off: bool,
    /// By host.
    lineages: BTreeMap<NodeIdx, Lineage>,
    /// What replicas had counted that are on their way to others, by who has sent them.
    copies: BTreeMap<NodeIdx, Lineage>,
    /// Failures that executors have reported, by transition key.
    reported: BTreeMap<String, BTreeSet<Report>>,
    /// Up to which number each executor was told to forget its results.
    acknowledged: BTreeMap<String, u64>,
    /// The last message that was read, with what it says.
    latest: (String, Value),
}

/// Who hears something, from whom, and whether the members were agreed before and are after it.
#[derive(Clone, Copy, Debug)]
pub struct Hearing {
    /// The host whose daemon hears it.
    pub by: NodeIdx,
    /// The host whose daemon has said it.
    pub from: NodeIdx,
    /// Whether the hearer had the members' replica before.
    pub was_settled: bool,
    /// Whether it has it now.
    pub is_settled: bool,
}

impl FailCounts {
    /// A daemon starts: nothing has failed, as far as it knows.
    pub fn daemon_starts(&mut self, idx: NodeIdx) {
        self.lineages.remove(&idx);
    }

    /// A daemon is without a cluster layer: what it tells itself nobody hears.
    pub fn strays(&mut self, idx: NodeIdx) {
        self.lineages.entry(idx).or_default().has_strayed = true;
    }

    /// A daemon says something.
    pub fn says(&mut self, idx: NodeIdx, payload: &str) {
        if said::kind(payload) == Some("copy") {
            self.copies.insert(idx, self.lineages.get(&idx).cloned().unwrap_or_default());
        }
    }

    /// An executor has a result. `whose`: where it runs, with its boot.
    pub fn reported(&mut self, whose: &str, result: &OperationResult) {
        if said::is_failure(result) {
            let reports = self.reported.entry(result.operation.transition_key.clone()).or_default();
            reports.insert((whose.to_owned(), result.number));
        }
    }

    /// An executor is told that its results are recorded up to a number. What is wrong with that.
    pub fn acknowledged(&mut self, idx: NodeIdx, whose: &str, number: u64) -> Option<String> {
        let before = self.acknowledged.insert(whose.to_owned(), number).unwrap_or(0);
        let lineage = self.lineages.get(&idx)?;
        let is_meant = |report: &Report| report.0 == whose && (before + 1..=number).contains(&report.1);
        let mut meant = self.reported.iter().filter(|(_, reports)| reports.iter().any(is_meant));
        let is_counted = |key: &str| lineage.counted.iter().any(|(counted, _)| counted == key);
        let (key, _) = meant.find(|(key, _)| !self.is_off && !is_counted(key))?;
        Some(format!("a failure of {key} on {whose} was acknowledged and is not counted"))
    }

    /// A daemon has heard something, and this is its CIB now. What is wrong with the fail counts in it. `lost_at`: when hosts last lost
    /// their power, by name.
    pub fn heard(
        &mut self,
        now: Micros,
        hearing: Hearing,
        payload: &str,
        cib: &Document,
        lost_at: impl Fn(&str) -> Option<Micros>,
    ) -> Option<String> {
        let kind = said::kind(payload)?;
        let found = counts_in(cib, now);
        let known = self.lineages.entry(hearing.by).or_default();
        let has_agreed = hearing.is_settled && !hearing.was_settled;
        if !has_agreed && known.counts.is_empty() && found.is_empty() && !said::records(kind) {
            return None;
        }
        if has_agreed && kind == "copy" {
            *known = self.copies.get(&hearing.from).cloned().unwrap_or_default();
        }
        let said = Said::read(kind, payload, &mut self.latest, cib);
        let is_heard = hearing.was_settled && hearing.is_settled;
        let wrong = match has_agreed {
            _ if known.has_strayed => None,
            true => known.agree(&found),
            false if is_heard => known.step(&said, &found, &lost_at),
            false => (!known.is_as_before(&found)).then(|| "they have changed by the way".to_owned()),
        };
        known.has_strayed &= !has_agreed;
        known.take(now, found, &said);
        let wrong = wrong.or_else(|| self.is_too_often(hearing.by));
        wrong.filter(|_| !self.is_off).map(|wrong| format!("fail counts, after {kind}: {wrong}"))
    }

    /// Whether something has counted more often than it was reported.
    fn is_too_often(&self, idx: NodeIdx) -> Option<String> {
        let lineage = self.lineages.get(&idx)?;
        let mut n_counted: BTreeMap<&str, usize> = BTreeMap::new();
        for (key, _) in &lineage.counted {
            *n_counted.entry(key).or_default() += 1;
        }
        let mut repeated = n_counted.into_iter().filter(|(_, n)| *n > 1);
        let (key, n) =
            repeated.find(|(key, n)| self.reported.get(*key).is_some_and(|reports| *n > reports.len()))?;
        Some(format!("a failure of {key} has counted {n} times, and was not reported as often"))
    }

    /// What has outlived its node, by what a daemon's CIB says of a node with that past.
    pub fn has_outlived(&self, idx: NodeIdx, node: &str, began_at: Micros) -> Option<String> {
        let counts = &self.lineages.get(&idx)?.counts;
        let mut older = counts.iter().filter(|((at, _), count)| at == node && count.since < began_at);
        let ((_, what), _) = older.next().filter(|_| !self.is_off)?;
        Some(format!("the fail count of {what} on {node} has outlived its node, or that it was cleaned up"))
    }

    /// A failure that a daemon's CIB has, and that was the last one of its kind before a moment.
    pub fn is_older_than(&self, idx: NodeIdx, latest: Micros) -> Option<String> {
        let counts = &self.lineages.get(&idx)?.counts;
        let mut older = counts.iter().filter(|(_, count)| count.grown_at < latest);
        let ((node, what), _) = older.next().filter(|_| !self.is_off)?;
        Some(format!("the failure of {what} on {node}"))
    }

    /// What members do not agree on.
    pub fn disagree(&self) -> Option<String> {
        let mut pairs = self.lineages.values().zip(self.lineages.values().skip(1));
        let is_other = |(one, other): &(&Lineage, &Lineage)| !self.is_off && !one.is_as_before(&other.counts);
        pairs.any(|pair| is_other(&pair)).then(|| "members have different fail counts".to_owned())
    }
}

impl Lineage {
    fn is_as_before(&self, found: &Counts) -> bool {
        self.counts.len() == found.len()
            && found.iter().all(|(key, count)| self.counts.get(key).is_some_and(|known| known.is(count)))
    }

    /// The members have agreed: nodes that were booted have no counts any more, nothing else has changed.
    fn agree(&self, found: &Counts) -> Option<String> {
        for (key, count) in found {
            if !self.counts.get(key).is_some_and(|known| known.is(count)) {
                return Some(format!("{key:?} is {}, and was {:?}", count.value, self.counts.get(key)));
            }
        }
        let is_left = |node: &str| found.keys().any(|(at, _)| at == node);
        let mut gone = self.counts.keys().filter(|key| !found.contains_key(*key));
        gone.find(|(node, _)| is_left(node)).map(|key| format!("{key:?} is gone, others are not"))
    }

    /// What is wrong with counts after something was said that does what `said` says.
    fn step(&self, said: &Said, found: &Counts, lost_at: &impl Fn(&str) -> Option<Micros>) -> Option<String> {
        let keys: BTreeSet<&Key> =
            self.counts.keys().chain(found.keys()).chain(said.failures.iter().map(|it| &it.key)).collect();
        for key in keys {
            let (before, after) = (self.counts.get(key), found.get(key));
            let is_fine = self.is_fine(key, said, after)
                || said.brings_back.contains(&key.0) && self.was_aside(key, after, lost_at);
            if !is_fine {
                let of = |count: Option<&Count>| count.map_or(0, |count| count.value);
                let n_failed = said.failures.iter().filter(|it| it.key == *key).count();
                return Some(format!(
                    "{key:?} was {} and is {}, with {n_failed} failures told",
                    of(before),
                    of(after)
                ));
            }
        }
        None
    }

    /// Whether a count is what can come of what was said.
    fn is_fine(&self, key: &Key, said: &Said, after: Option<&Count>) -> bool {
        let before = self.counts.get(key).map_or(0, |count| count.value);
        let of_it = || said.failures.iter().filter(|it| it.key == *key && !self.has_counted(it));
        let sum = |base: i64, all: bool| {
            of_it().filter(|it| all || it.is_written).fold(base, |value, it| it.counted_to(value))
        };
        let value = after.map_or(0, |count| count.value);
        let fits = |base: i64| (sum(base, false)..=sum(base, true)).contains(&value);
        let may_stay = !said.clears(key);
        let may_go = said.may_clear(key);
        let is_timed = value == before
            || of_it().next().is_none()
            || after.is_none_or(|count| of_it().any(|it| count.last == Some(it.at.to_string())));
        is_timed && (may_stay && fits(before) || may_go && fits(0))
    }

    /// What has counted already, or was given up and did then.
    fn has_counted(&self, failure: &Failure) -> bool {
        self.counted.contains(&failure.id()) || self.given_up.contains(&failure.transition_key)
    }

    /// Whether a count is back that was set aside when its node was lost, which was not booted since.
    fn was_aside(
        &self,
        (node, what): &Key,
        after: Option<&Count>,
        lost_at: &impl Fn(&str) -> Option<Micros>,
    ) -> bool {
        let Some((since, counts)) = self.aside.get(node) else { return false };
        let known = counts.get(&(node.clone(), what.clone()));
        lost_at(node).is_none_or(|at| at < *since)
            && after.zip(known).is_some_and(|(after, known)| after.is(known))
    }

    /// These are the counts from now on.
    fn take(&mut self, now: Micros, found: Counts, said: &Said) {
        for node in &said.sets_aside {
            let of_it = self.counts.iter().filter(|((at, _), _)| at == node);
            let of_it: Counts = of_it.map(|(key, count)| (key.clone(), count.clone())).collect();
            self.aside.entry(node.clone()).or_insert_with(|| (now, Counts::new())).1.extend(of_it);
        }
        for node in &said.gone {
            self.aside.remove(node);
        }
        for failure in &said.failures {
            let is_late = self.given_up.remove(&failure.transition_key);
            if failure.is_written || found.get(&failure.key).is_some_and(|it| it.value > 0) || is_late {
                self.counted.insert(failure.id());
            }
            if said.gives_up {
                self.given_up.insert(failure.transition_key.clone());
            }
        }
        let known = std::mem::replace(&mut self.counts, found);
        for (key, count) in &mut self.counts {
            let aside = || self.aside.get(&key.0).and_then(|(_, counts)| counts.get(key));
            let same = known.get(key).filter(|it| it.value <= count.value).or_else(aside);
            count.since = same.map_or(count.since, |it| it.since);
            count.grown_at = same.filter(|it| it.is(count)).map_or(count.grown_at, |it| it.grown_at);
        }
        for node in &said.brings_back {
            self.aside.remove(node);
        }
    }
}

impl Count {
    fn is(&self, other: &Self) -> bool {
        (self.value, &self.last) == (other.value, &other.last)
    }
}

/// The fail counts that a CIB has.
fn counts_in(cib: &Document, now: Micros) -> Counts {
    let mut counts = Counts::new();
    for state in cib.root().child("status").into_iter().flat_map(|status| status.children_named("node_state"))
    {
        let (Some(node), Some(attributes)) = (state.attr("uname"), state.child("transient_attributes"))
        else {
            continue;
        };
        let pairs =
            || attributes.children_named("instance_attributes").flat_map(|set| set.children_named("nvpair"));
        for pair in pairs() {
            let (Some(name), Some(value)) = (pair.attr("name"), pair.attr("value")) else { continue };
            let Some(what) = name.strip_prefix("fail-count-") else { continue };
            let last = format!("last-failure-{what}");
            let last =
                pairs().find(|pair| pair.attr("name") == Some(&last)).and_then(|pair| pair.attr("value"));
            let value = if value == "INFINITY" { INFINITY } else { value.parse().unwrap_or(0) };
            let count = Count { value, last: last.map(str::to_owned), since: now, grown_at: now };
            counts.insert((node.to_owned(), what.to_owned()), count);
        }
    }
    counts
}

#[cfg(test)]
mod tests;
