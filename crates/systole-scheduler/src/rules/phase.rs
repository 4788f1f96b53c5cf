//! Where a moment stands to a rule that is about one date: what `crm_rule --check` tells.

use super::{Input, Recheck, date};
use systole_cib::model::{Condition, DateCondition, Rule};

/// Where a moment stands to a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Its time has not come.
    NotYet,
    /// Its time is now.
    InEffect,
    /// Its time is over.
    Expired,
}

/// The phase of the one date that `rule` is about. Other conditions are passed over. `None` if there is not one such date, or it
/// cannot be read.
pub fn phase_of(rule: &Rule, input: &Input<'_>) -> Option<Phase> {
    let mut dates = Vec::new();
    collect(rule, &mut dates);
    match dates[..] {
        [date] => date::phase(date, input, &Recheck::default()),
        _ => None,
    }
}

fn collect<'r>(rule: &'r Rule, dates: &mut Vec<&'r DateCondition>) {
    for condition in &rule.conditions {
        match condition {
            Condition::Rule(inner) => collect(inner, dates),
            Condition::Date(date) => dates.push(date),
            _ => {}
        }
    }
}
