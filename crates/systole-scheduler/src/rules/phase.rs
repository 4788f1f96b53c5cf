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

/// Why that cannot be told of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unclear {
    /// It is not about dates.
    NoDate,
    /// It is about several dates.
    SeveralDates,
    /// It is about something that comes again and again.
    Recurring,
    /// A date or range cannot be read.
    Unreadable,
}

/// The phase of the one date that `rule` is about, and whether that is a `date_spec`. Other conditions are passed over.
///
/// # Errors
/// If there is not one such date, or it has no beginning and end.
pub fn phase_of(rule: &Rule, input: &Input<'_>) -> Result<(Phase, bool), Unclear> {
    let mut dates = Vec::new();
    let mut n_invalid = 0;
    collect(rule, &mut dates, &mut n_invalid);
    let date = match dates[..] {
        [date] => date,
        [] if n_invalid > 0 => return Err(Unclear::Unreadable),
        [] => return Err(Unclear::NoDate),
        _ => return Err(Unclear::SeveralDates),
    };
    let is_spec = matches!(date, DateCondition::Spec(_));
    if let DateCondition::Spec(fields) = date
        && !fields.iter().any(|(name, _)| &**name == "years")
    {
        return Err(Unclear::Recurring);
    }
    let phase = date::phase(date, input, &Recheck::default()).ok_or(Unclear::Unreadable)?;
    Ok((phase, is_spec))
}

fn collect<'r>(rule: &'r Rule, dates: &mut Vec<&'r DateCondition>, n_invalid: &mut usize) {
    for condition in &rule.conditions {
        match condition {
            Condition::Rule(inner) => collect(inner, dates, n_invalid),
            Condition::Date(date) => dates.push(date),
            Condition::Invalid => *n_invalid += 1,
            _ => {}
        }
    }
}
