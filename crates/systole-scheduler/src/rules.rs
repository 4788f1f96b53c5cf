//! Rules, and the attribute sets that depend on them.
//!
//! Source: Pacemaker Explained, "Rules".

mod calendar;
mod compare;
mod date;
mod iso8601;
mod phase;
mod span;

pub use calendar::{Civil, DateForm};
pub use date::defect as date_defect;
pub use iso8601::{parse_civil, parse_date_time, parse_local_time};
pub use phase::{Phase, phase_of};
pub use span::{Period, Span};

use crate::status::Attributes;
use std::{
    borrow::Cow,
    cmp::Reverse,
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};
use systole_cib::model::{
    Agent, AttributeCondition, AttributeSet, BooleanOp, Comparison, Condition, Rule, ValueSource,
};
use systole_types::{LocalTime, Timestamp, parse_duration};

/// What a rule is held against. What is `None` makes conditions on it not hold.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The moment.
    pub now: Timestamp,
    /// How far local time is east of UTC, in seconds: for `date_spec`, and for times written without zone.
    pub utc_offset: i64,
    /// Attributes of the node; `None` where node expressions are not allowed (meta attributes, options).
    pub node: Option<&'a Attributes>,
    /// The resource's parameters, for `value-source="param"`.
    pub parameters: Option<&'a Attributes>,
    /// The resource's meta attributes, for `value-source="meta"`.
    pub meta: Option<&'a Attributes>,
    /// For `<rsc_expression>`.
    pub agent: Option<&'a Agent>,
    /// For `<op_expression>`: name and interval.
    pub operation: Option<(&'a str, Duration)>,
    /// Groups of the `rsc-pattern` that matched (`%0`...`%9` in attribute names); empty if none.
    pub captures: &'a [&'a str],
}

impl Input<'_> {
    /// Nothing but the moment.
    pub fn at(now: impl Into<LocalTime>) -> Self {
        let LocalTime { at: now, utc_offset } = now.into();
        Self {
            now,
            utc_offset,
            node: None,
            parameters: None,
            meta: None,
            agent: None,
            operation: None,
            captures: &[],
        }
    }
}

/// When the result of a rule may change next: the moment by which the cluster should be scheduled again.
#[derive(Debug)]
pub struct Recheck {
    /// As Pacemaker knows it, and graphs tell it.
    known: AtomicI64,
    /// When a `date_spec` may come to hold or cease to: Pacemaker leaves these to `cluster-recheck-interval`.
    in_spec: AtomicI64,
}

impl Default for Recheck {
    fn default() -> Self {
        Self { known: AtomicI64::new(i64::MAX), in_spec: AtomicI64::new(i64::MAX) }
    }
}

impl Recheck {
    /// Something changes at `at`.
    pub fn by(&self, at: Timestamp) {
        self.known.fetch_min(at.0, Ordering::Relaxed);
    }

    /// A `date_spec` may change at `at`.
    fn spec_by(&self, at: Timestamp) {
        self.in_spec.fetch_min(at.0, Ordering::Relaxed);
    }

    /// The earliest moment noted, for graphs.
    pub fn earliest(&self) -> Option<Timestamp> {
        let at = self.known.load(Ordering::Relaxed);
        (at != i64::MAX).then_some(Timestamp(at))
    }

    /// The earliest moment at which anything may change: when to schedule again.
    pub fn next(&self) -> Option<Timestamp> {
        let at = self.known.load(Ordering::Relaxed).min(self.in_spec.load(Ordering::Relaxed));
        (at != i64::MAX).then_some(Timestamp(at))
    }
}

/// Whether `rule` holds. Conditions are looked at in order until the result is clear; only those looked at say when it
/// may change. A rule without conditions holds.
pub fn holds(rule: &Rule, input: &Input<'_>, recheck: &Recheck) -> bool {
    let mut conditions = rule.conditions.iter().map(|condition| condition_holds(condition, input, recheck));
    match rule.combine {
        BooleanOp::And => conditions.all(|holds| holds),
        BooleanOp::Or => rule.conditions.is_empty() || conditions.any(|holds| holds),
    }
}

/// Moments that are looked at to find out when a rule changes: enough for a year by hours, which is how `date_spec`s are looked at.
const MAX_MOMENTS: usize = 9_000;

/// When `rule` next ceases to hold, or begins to. `None`: never, or too far away to be seen.
pub fn next_change(rule: &Rule, input: &Input<'_>) -> Option<Timestamp> {
    let before = holds(rule, input, &Recheck::default());
    let mut at = input.now;
    for _ in 0..MAX_MOMENTS {
        let recheck = Recheck::default();
        if holds(rule, &Input { now: at, ..*input }, &recheck) != before {
            return Some(at);
        }
        at = recheck.next().filter(|next| *next > at)?;
    }
    None
}

fn condition_holds(condition: &Condition, input: &Input<'_>, recheck: &Recheck) -> bool {
    match condition {
        Condition::Rule(rule) => holds(rule, input, recheck),
        Condition::Attribute(condition) => attribute_holds(condition, input),
        Condition::Date(condition) => date::holds(condition, input, recheck),
        Condition::Resource { class, provider, kind } => {
            let (actual_class, actual_provider, actual_kind) = match input.agent {
                Some(agent) => (Some(&agent.class), agent.provider.as_ref(), Some(&agent.kind)),
                None => (None, None, None),
            };
            let fits = |wanted: &Option<_>, actual| wanted.is_none() || wanted.as_ref() == actual;
            fits(class, actual_class) && fits(provider, actual_provider) && fits(kind, actual_kind)
        }
        Condition::Operation { name, interval } => {
            let Ok(wanted) = interval.as_deref().map(parse_duration).transpose() else { return false };
            input.operation.is_some_and(|(actual_name, actual_interval)| {
                &**name == actual_name
                    && wanted.is_none_or(|wanted| wanted.as_millis() == actual_interval.as_millis())
            })
        }
        Condition::Invalid => false,
    }
}

fn attribute_holds<'i>(condition: &'i AttributeCondition, input: &Input<'i>) -> bool {
    let lookup = |table: Option<&'i Attributes>, name: &str| {
        table.and_then(|table| table.get(name)).map(|value| &**value)
    };
    let name = replace_captures(&condition.attribute, input.captures);
    let actual = lookup(input.node, &name);
    let needs_value = !matches!(condition.comparison, Comparison::Defined | Comparison::NotDefined);
    if needs_value != condition.value.is_some() {
        return false;
    }
    let reference = condition.value.as_ref().and_then(|value| match condition.value_source {
        ValueSource::Literal => Some(&**value),
        ValueSource::Parameter => lookup(input.parameters, value),
        ValueSource::Meta => lookup(input.meta, value),
    });
    compare::compare(actual, condition.comparison, reference, condition.kind)
}

/// Puts what a `rsc-pattern` matched in the place of `%0` (all of it) to `%9` (its groups).
pub fn replace_captures<'a>(text: &'a str, captures: &[&str]) -> Cow<'a, str> {
    if captures.is_empty() || !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let digit = rest[at + 1..].chars().next().and_then(|c| c.to_digit(10));
        result.push_str(&rest[..at]);
        match digit {
            Some(digit) => {
                result.push_str(captures.get(digit as usize).copied().unwrap_or_default());
                rest = &rest[at + 2..];
            }
            None => {
                result.push('%');
                rest = &rest[at + 1..];
            }
        }
    }
    result.push_str(rest);
    Cow::Owned(result)
}

/// Which value wins where a name is met twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// What `into` has already stays.
    KeepFirst,
    /// A later one replaces it.
    Overwrite,
}

/// Merges the sets whose rules hold into `into`, by precedence: the set named `first` (if any), then by falling score; of
/// sets of the same score the last one in the document counts. Inside one set the first pair of a name counts. A pair
/// without value is skipped.
pub fn merge(
    sets: &[AttributeSet],
    first: Option<&str>,
    input: &Input<'_>,
    how: Merge,
    into: &mut Attributes,
    recheck: &Recheck,
) {
    if let [only] = sets {
        return merge_set(only, input, how, into, recheck);
    }
    let mut ranked: Vec<&AttributeSet> = sets.iter().collect();
    let is_first = |set: &AttributeSet| first == Some(set.id.as_str());
    match how {
        Merge::KeepFirst => {
            ranked.reverse();
            ranked.sort_by_key(|set| (Reverse(is_first(set)), Reverse(set.score)));
        }
        Merge::Overwrite => ranked.sort_by_key(|set| (is_first(set), set.score)),
    }
    for set in ranked {
        merge_set(set, input, how, into, recheck);
    }
}

fn merge_set(set: &AttributeSet, input: &Input<'_>, how: Merge, into: &mut Attributes, recheck: &Recheck) {
    if set.rule.as_ref().is_some_and(|rule| !holds(rule, input, recheck)) {
        return;
    }
    for pair in &set.pairs {
        let Some(value) = &pair.value else { continue };
        if value.eq_ignore_ascii_case("#default") {
            // Takes back what a set of higher precedence said. Deprecated since Pacemaker 2.1.8.
            into.remove(&pair.name);
        } else if how == Merge::Overwrite || !into.contains_key(&pair.name) {
            into.insert(pair.name.clone(), value.clone());
        }
    }
}

/// Whether any set's rule looks at node attributes, so that the result differs from node to node.
pub fn depends_on_node(sets: &[AttributeSet]) -> bool {
    fn looks_at_node(rule: &Rule) -> bool {
        rule.conditions.iter().any(|condition| match condition {
            Condition::Attribute(_) => true,
            Condition::Rule(rule) => looks_at_node(rule),
            _ => false,
        })
    }
    sets.iter().filter_map(|set| set.rule.as_ref()).any(looks_at_node)
}

/// Whether any of the sets counts only where a rule holds.
pub fn are_in(sets: &[AttributeSet]) -> bool {
    sets.iter().any(|set| set.rule.is_some())
}

#[cfg(test)]
mod tests;
