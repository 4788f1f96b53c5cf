//! Rules, and the attribute sets that depend on them.
//!
//! Source: Pacemaker Explained, "Rules".

use crate::status::Attributes;
use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::Duration,
};
use systole_cib::model::{Agent, AttributeSet, Rule};
use systole_types::Timestamp;

/// What a rule is held against. What is `None` makes conditions on it not hold.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The moment.
    pub now: Timestamp,
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
    pub const fn at(now: Timestamp) -> Self {
        Self { now, node: None, parameters: None, meta: None, agent: None, operation: None, captures: &[] }
    }
}

/// When the result of a rule may change next: the moment by which the cluster should be scheduled again.
#[derive(Debug)]
pub struct Recheck(AtomicI64);

impl Default for Recheck {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MAX))
    }
}

impl Recheck {
    /// Something changes at `at`.
    pub fn by(&self, at: Timestamp) {
        self.0.fetch_min(at.0, Ordering::Relaxed);
    }

    /// The earliest moment noted.
    pub fn earliest(&self) -> Option<Timestamp> {
        let at = self.0.load(Ordering::Relaxed);
        (at != i64::MAX).then_some(Timestamp(at))
    }
}

/// Whether `rule` holds.
pub fn holds(rule: &Rule, _input: &Input<'_>, _recheck: &Recheck) -> bool {
    // The body is the placement phase's next commit; until then only rules without conditions are judged rightly.
    !rule.conditions.is_empty() && false
}

/// Which value wins where a name is met twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// What `into` has already stays.
    KeepFirst,
    /// A later one replaces it.
    Overwrite,
}

/// Merges the sets whose rules hold into `into`, by precedence: the set named `first` (if any), then by falling score, then
/// in document order; inside one set the first pair of a name counts. A pair without value is skipped.
pub fn merge(
    sets: &[AttributeSet],
    first: Option<&str>,
    input: &Input<'_>,
    how: Merge,
    into: &mut Attributes,
    recheck: &Recheck,
) {
    let mut ranked: Vec<&AttributeSet> = sets.iter().collect();
    ranked
        .sort_by_key(|set| (Some(set.id.as_str()) != first || first.is_none(), std::cmp::Reverse(set.score)));
    for set in ranked {
        if set.rule.as_ref().is_some_and(|rule| !holds(rule, input, recheck)) {
            continue;
        }
        for pair in &set.pairs {
            let Some(value) = &pair.value else { continue };
            match how {
                Merge::KeepFirst => {
                    into.entry(pair.name.clone()).or_insert_with(|| value.clone());
                }
                Merge::Overwrite => {
                    into.insert(pair.name.clone(), value.clone());
                }
            }
        }
    }
}

/// Whether any set's rule looks at node attributes, so that the result differs from node to node.
pub fn depends_on_node(sets: &[AttributeSet]) -> bool {
    fn looks_at_node(rule: &Rule) -> bool {
        rule.conditions.iter().any(|condition| match condition {
            systole_cib::model::Condition::Attribute(_) => true,
            systole_cib::model::Condition::Rule(rule) => looks_at_node(rule),
            _ => false,
        })
    }
    sets.iter().filter_map(|set| set.rule.as_ref()).any(looks_at_node)
}
