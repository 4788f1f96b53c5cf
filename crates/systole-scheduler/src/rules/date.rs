//! `<date_expression>`. Source: Pacemaker Explained, "Date/Time Expressions".

use super::{Input, Phase, Recheck, calendar::Civil, compare::parse_integer_prefix, iso8601};
use std::sync::Arc;
use systole_cib::model::DateCondition;
use systole_types::Timestamp;

/// Whether the moment fulfils the condition. A date or range that cannot be read fulfils nothing.
pub(super) fn holds(condition: &DateCondition, input: &Input<'_>, recheck: &Recheck) -> bool {
    phase(condition, input, recheck) == Some(Phase::InEffect)
}

/// Where the moment stands to the condition. `None`: a date or range cannot be read.
pub(super) fn phase(condition: &DateCondition, input: &Input<'_>, recheck: &Recheck) -> Option<Phase> {
    let now = input.now;
    let read = |text: &str| iso8601::parse_civil(text, now, input.utc_offset);
    match condition {
        DateCondition::After { start } => Some(after(now, read(start)?.timestamp(), recheck)),
        DateCondition::Before { end } => Some(before(now, read(end)?.timestamp(), recheck)),
        DateCondition::InRange { start, end, duration } => {
            let start = start.as_deref().map(read).map_or(Some(None), |start| start.map(Some))?;
            let end = end.as_deref().map(read).map_or(Some(None), |end| end.map(Some))?;
            let end = match (end, duration, start) {
                (None, _, None) => return None,
                (Some(end), ..) => Some(end),
                (None, Some(duration), Some(start)) => Some(add_duration(start, duration)?),
                (None, None, Some(_)) => None,
            };
            Some(in_range(now, start.map(Civil::timestamp), end.map(Civil::timestamp), recheck))
        }
        DateCondition::Spec(fields) => {
            let (phase, lasts) = spec_phase(Civil::at(now, input.utc_offset), fields)?;
            recheck.spec_by(Timestamp(now.0.saturating_add(lasts)));
            Some(phase)
        }
    }
}

/// What of the condition cannot be read, whatever the time: such a condition is never fulfilled.
pub fn defect(condition: &DateCondition) -> Option<String> {
    let date = |what: &str, text: Option<&str>| {
        let text = text?;
        let is_date = iso8601::parse_civil(text, Timestamp(0), 0).is_some();
        (!is_date).then(|| format!("{what}: {text:?} is not an ISO 8601 date and time"))
    };
    match condition {
        DateCondition::After { start } => date("start", Some(start)),
        DateCondition::Before { end } => date("end", Some(end)),
        DateCondition::InRange { start, end, duration } => date("start", start.as_deref())
            .or_else(|| date("end", end.as_deref()))
            .or_else(|| duration.as_deref().filter(|_| end.is_none()).and_then(defect_of_duration)),
        DateCondition::Spec(fields) => fields.iter().find_map(|(name, range)| {
            let is_bad = FIELDS.contains(&&**name) && range_phase(0, range).is_none();
            is_bad.then(|| format!("{name}: {range:?} is neither a number nor a range of numbers"))
        }),
    }
}

fn defect_of_duration(duration: &[(Arc<str>, Arc<str>)]) -> Option<String> {
    let (unit, number) =
        duration.iter().find(|(unit, number)| UNITS.contains(&&**unit) && amount(number).is_none())?;
    Some(format!("duration: {unit}: {number:?} is not a number in the range allowed here"))
}

fn after(now: Timestamp, start: Timestamp, recheck: &Recheck) -> Phase {
    if now <= start {
        recheck.by(Timestamp(start.0.saturating_add(1)));
        return Phase::NotYet;
    }
    Phase::InEffect
}

fn before(now: Timestamp, end: Timestamp, recheck: &Recheck) -> Phase {
    if now < end {
        recheck.by(end);
        return Phase::InEffect;
    }
    Phase::Expired
}

/// Both ends belong to the range.
fn in_range(now: Timestamp, start: Option<Timestamp>, end: Option<Timestamp>, recheck: &Recheck) -> Phase {
    if let Some(start) = start.filter(|start| now < *start) {
        recheck.by(start);
        return Phase::NotYet;
    }
    match end {
        Some(end) if now > end => Phase::Expired,
        Some(end) => {
            recheck.by(Timestamp(end.0.saturating_add(1)));
            Phase::InEffect
        }
        None => Phase::InEffect,
    }
}

/// `start` and a `<duration>`: large units first, whatever the order in the document.
fn add_duration(start: Civil, duration: &[(Arc<str>, Arc<str>)]) -> Option<Civil> {
    let amount = |unit: &str| match duration.iter().find(|(name, _)| &**name == unit) {
        None => Some(0),
        Some((_, number)) => amount(number),
    };
    let [years, months, weeks, days, hours, minutes, seconds] = UNITS.map(amount);
    Some(
        start
            .add_years(years?)
            .add_months(months?)
            .add_days(weeks? * 7)
            .add_days(days?)
            .add_seconds(hours? * 3600)
            .add_seconds(minutes? * 60)
            .add_seconds(seconds?),
    )
}

/// The units of a `<duration>`, large ones first.
const UNITS: [&str; 7] = ["years", "months", "weeks", "days", "hours", "minutes", "seconds"];

fn amount(number: &str) -> Option<i64> {
    parse_integer_prefix(number).filter(|number| i32::try_from(*number).is_ok())
}

/// Fields of a `<date_spec>`, in the order in which they are looked at: the first that does not fit says whether the moment
/// is too early or too late. Fields of older days (`moon`) do not restrict anything.
const FIELDS: [&str; 10] = [
    "years",
    "months",
    "monthdays",
    "hours",
    "minutes",
    "seconds",
    "yeardays",
    "weekyears",
    "weeks",
    "weekdays",
];

/// Where the moment stands to a `date_spec`, and for how many seconds that is certain: until the next second, minute or hour begins, by
/// the unit that rules it out, or else by the smallest one it names. Days too are looked at hourly, since clocks are changed.
fn spec_phase(now: Civil, fields: &[(Arc<str>, Arc<str>)]) -> Option<(Phase, i64)> {
    let (month, day) = now.month_and_day();
    let (week_year, week, weekday) = now.week();
    let (hour, minute, second) = (now.second / 3600, now.second / 60 % 60, now.second % 60);
    let values = [now.year, month, day, hour, minute, second, now.yday, week_year, week, weekday];
    let until_next = |unit: i64| unit - now.second.rem_euclid(unit);
    let mut smallest = 3600;
    for (field, value) in FIELDS.iter().zip(values) {
        let Some((_, range)) = fields.iter().find(|(name, _)| name.as_ref() == *field) else { continue };
        let unit = match *field {
            "seconds" => 1,
            "minutes" => 60,
            _ => 3600,
        };
        let phase = range_phase(value, range)?;
        if phase != Phase::InEffect {
            return Some((phase, until_next(unit)));
        }
        smallest = smallest.min(unit);
    }
    Some((Phase::InEffect, until_next(smallest)))
}

/// Where `value` stands to `range`: `5`, `1-5`, `5-` or `-5`.
fn range_phase(value: i64, range: &str) -> Option<Phase> {
    let number = |text: &str| text.trim_start().parse::<i64>().ok();
    let (low, high) = match range.split_once('-') {
        None => (Some(number(range)?), Some(number(range)?)),
        Some(("", "")) => return None,
        Some((low, "")) => (Some(number(low)?), None),
        Some(("", high)) => (None, Some(number(high)?)),
        Some((low, high)) => (Some(number(low)?), Some(number(high)?)),
    };
    Some(if low.is_some_and(|low| value < low) {
        Phase::NotYet
    } else if high.is_some_and(|high| value > high) {
        Phase::Expired
    } else {
        Phase::InEffect
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_moment_and_no_duration_is_too_much(now: i64, year in 1_i64..=i32::MAX.into(), amounts: [i32; 7]) {
            let units = ["years", "months", "weeks", "days", "hours", "minutes", "seconds"];
            let amounts = amounts.map(|amount| amount.to_string());
            let pairs: Vec<_> = units.into_iter().zip(amounts.iter().map(String::as_str)).collect();
            let input = Input::at(Timestamp(now));
            holds(&range(&format!("{year}-001"), "", &pairs), &input, &Recheck::default());
            holds(&DateCondition::Spec(vec![("weekyears".into(), "1-".into())]), &input, &Recheck::default());
        }
    }

    #[test]
    fn what_cannot_be_read_is_a_defect() {
        let spec = |field: &str, range: &str| DateCondition::Spec(vec![(field.into(), range.into())]);
        for (condition, what) in [
            (range("2024-02-30", "", &[]), Some("start")),
            (range("2024-02-29", "2024-W54-1", &[]), Some("end")),
            (range("2024-02-29", "", &[("seconds", "-99999999999")]), Some("duration: seconds")),
            (range("2024-02-29", "2024-03-01", &[("seconds", "many")]), None),
            (DateCondition::After { start: "now".into() }, Some("start")),
            (DateCondition::Before { end: "20240101T000060Z".into() }, Some("end")),
            (spec("months", "junk"), Some("months")),
            (spec("hours", "-"), Some("hours")),
            (spec("moon", "blue"), None),
            (spec("weekdays", "9-1"), None),
        ] {
            let defect = defect(&condition);
            assert_eq!(defect.is_some(), what.is_some(), "{condition:?}: {defect:?}");
            assert!(defect.unwrap_or_default().starts_with(what.unwrap_or_default()), "{condition:?}");
        }
    }

    /// Whether `condition` holds at `now`, and when that may change.
    fn check(now: &str, condition: &DateCondition) -> (bool, Option<String>) {
        let at = |text: &str| iso8601::parse_date_time(text, Timestamp(0), 0).expect("a date");
        let recheck = Recheck::default();
        let holds = holds(condition, &Input::at(at(now)), &recheck);
        let next = recheck.earliest().map(|next| {
            let civil = Civil::at(next, 0);
            let (month, day) = civil.month_and_day();
            format!(
                "{:04}-{month:02}-{day:02} {:02}:{:02}:{:02}",
                civil.year,
                civil.second / 3600,
                civil.second / 60 % 60,
                civil.second % 60
            )
        });
        (holds, next)
    }

    fn range(start: &str, end: &str, duration: &[(&str, &str)]) -> DateCondition {
        let text = |text: &str| (!text.is_empty()).then(|| text.into());
        let pairs: Vec<_> =
            duration.iter().map(|(unit, number)| ((*unit).into(), (*number).into())).collect();
        DateCondition::InRange {
            start: text(start),
            end: text(end),
            duration: (!pairs.is_empty()).then_some(pairs),
        }
    }

    #[test]
    fn a_range_includes_both_its_ends() {
        let next = |text: &str| Some(text.to_owned());
        let january = range("2024-01-01", "2024-01-31", &[]);
        for (now, expected) in [
            ("2023-12-31 23:59:59Z", (false, next("2024-01-01 00:00:00"))),
            ("2024-01-01", (true, next("2024-01-31 00:00:01"))),
            ("2024-01-31", (true, next("2024-01-31 00:00:01"))),
            ("2024-01-31 00:00:01Z", (false, None)),
        ] {
            assert_eq!(check(now, &january), expected, "{now}");
        }
        assert_eq!(check("2024-01-05", &range("2024-01-01", "", &[])), (true, None));
        assert_eq!(check("2024-01-05", &range("", "2024-01-01", &[])), (false, None));
        assert_eq!(check("2024-01-05", &range("", "", &[])), (false, None));
        assert_eq!(check("2024-01-05", &range("someday", "2024-02-01", &[])), (false, None));
    }

    #[test]
    fn gt_and_lt_exclude_the_moment_itself() {
        let (gt, lt) = (
            DateCondition::After { start: "2024-01-01".into() },
            DateCondition::Before { end: "2024-01-01".into() },
        );
        assert_eq!(check("2024-01-01", &gt), (false, Some("2024-01-01 00:00:01".to_owned())));
        assert_eq!(check("2024-01-01 00:00:01Z", &gt), (true, None));
        assert_eq!(check("2024-01-01", &lt), (false, None));
        assert_eq!(check("2023-12-31", &lt), (true, Some("2024-01-01 00:00:00".to_owned())));
    }

    #[test]
    fn a_duration_stands_in_for_the_end() {
        for (duration, last) in [
            (&[("hours", "2")][..], "2024-01-31 02:00:00Z"),
            (&[("months", "1")], "2024-02-29"),
            (&[("days", "1"), ("months", "1")], "2024-03-01"),
            (&[("weeks", "1"), ("minutes", "-1")], "2024-02-06 23:59:00Z"),
        ] {
            let condition = range("2024-01-31", "", duration);
            assert!(check(last, &condition).0, "{duration:?}");
            let next = check(last, &condition).1.expect("it ends");
            assert!(!check(&format!("{next}Z"), &condition).0, "{duration:?}");
        }
        assert!(!check("2024-01-31", &range("2024-01-31", "", &[("hours", "many")])).0);
    }

    #[test]
    fn a_date_spec_holds_if_every_field_is_in_its_range() {
        // A Wednesday, day 66 of the year, in week 10.
        let now = "2024-03-06 10:20:30Z";
        for (fields, expected) in [
            (&[("years", "2024")][..], true),
            (&[("years", "2025")], false),
            (&[("months", "1-3"), ("monthdays", "6")], true),
            (&[("hours", "9-16"), ("weekdays", "1-5")], true),
            (&[("hours", "9-16"), ("weekdays", "6-7")], false),
            (&[("minutes", "20-"), ("seconds", "-30")], true),
            (&[("seconds", "-29")], false),
            (&[("yeardays", "66"), ("weekyears", "2024"), ("weeks", "10")], true),
            (&[], true),
            (&[("hours", "-")], false),
            (&[("hours", "ten")], false),
        ] {
            let pairs = fields.iter().map(|(field, range)| ((*field).into(), (*range).into())).collect();
            assert_eq!(check(now, &DateCondition::Spec(pairs)).0, expected, "{fields:?}");
        }
    }

    #[test]
    fn a_spec_is_looked_at_again_when_the_unit_that_rules_it_out_changes() {
        let now = iso8601::parse_date_time("2024-03-06 14:20:30Z", Timestamp(0), 0).expect("a date");
        for (fields, seconds) in [
            (&[("seconds", "0-45")][..], 1),
            (&[("minutes", "20-"), ("years", "2024")], 30),
            (&[("weekdays", "1")], 39 * 60 + 30),
            (&[("years", "2019"), ("seconds", "0-30")], 39 * 60 + 30),
            (&[("minutes", "21"), ("seconds", "0-30")], 30),
        ] {
            let pairs = fields.iter().map(|(field, range)| ((*field).into(), (*range).into())).collect();
            let recheck = Recheck::default();
            holds(&DateCondition::Spec(pairs), &Input::at(now), &recheck);
            assert_eq!(recheck.next(), Some(Timestamp(now.0 + seconds)), "{fields:?}");
        }
    }
}
