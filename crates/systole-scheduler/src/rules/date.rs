//! `<date_expression>`. Source: Pacemaker Explained, "Date/Time Expressions".

use super::{Input, Recheck, calendar::Civil, compare::parse_integer_prefix, iso8601};
use std::sync::Arc;
use systole_cib::model::DateCondition;
use systole_types::Timestamp;

/// Whether the moment fulfils the condition. A date or range that cannot be read fulfils nothing.
pub(super) fn holds(condition: &DateCondition, input: &Input<'_>, recheck: &Recheck) -> bool {
    let now = input.now;
    let read = |text: &str| iso8601::read(text, now, input.utc_offset);
    match condition {
        DateCondition::After { start } => {
            read(start).is_some_and(|start| after(now, start.timestamp(), recheck))
        }
        DateCondition::Before { end } => read(end).is_some_and(|end| before(now, end.timestamp(), recheck)),
        DateCondition::InRange { start, end, duration } => {
            let Some(start) = start.as_deref().map(read).map_or(Some(None), |start| start.map(Some)) else {
                return false;
            };
            let Some(end) = end.as_deref().map(read).map_or(Some(None), |end| end.map(Some)) else {
                return false;
            };
            if start.is_none() && end.is_none() {
                return false;
            }
            let end = match (end, duration, start) {
                (Some(end), ..) => Some(end),
                (None, Some(duration), Some(start)) => match add_duration(start, duration) {
                    Some(end) => Some(end),
                    None => return false,
                },
                (None, ..) => None,
            };
            in_range(now, start.map(Civil::timestamp), end.map(Civil::timestamp), recheck)
        }
        DateCondition::Spec(fields) => matches_spec(Civil::at(now, input.utc_offset), fields),
    }
}

fn after(now: Timestamp, start: Timestamp, recheck: &Recheck) -> bool {
    if now <= start {
        recheck.by(Timestamp(start.0.saturating_add(1)));
    }
    now > start
}

fn before(now: Timestamp, end: Timestamp, recheck: &Recheck) -> bool {
    if now < end {
        recheck.by(end);
    }
    now < end
}

/// Both ends belong to the range.
fn in_range(now: Timestamp, start: Option<Timestamp>, end: Option<Timestamp>, recheck: &Recheck) -> bool {
    if let Some(start) = start.filter(|start| now < *start) {
        recheck.by(start);
        return false;
    }
    match end {
        Some(end) if now > end => false,
        Some(end) => {
            recheck.by(Timestamp(end.0.saturating_add(1)));
            true
        }
        None => true,
    }
}

/// `start` and a `<duration>`: large units first, whatever the order in the document.
fn add_duration(start: Civil, duration: &[(Arc<str>, Arc<str>)]) -> Option<Civil> {
    let amount = |unit: &str| match duration.iter().find(|(name, _)| &**name == unit) {
        None => Some(0),
        Some((_, number)) => parse_integer_prefix(number).filter(|n| i32::try_from(*n).is_ok()),
    };
    Some(
        start
            .add_years(amount("years")?)
            .add_months(amount("months")?)
            .add_days(amount("weeks")? * 7)
            .add_days(amount("days")?)
            .add_seconds(amount("hours")? * 3600)
            .add_seconds(amount("minutes")? * 60)
            .add_seconds(amount("seconds")?),
    )
}

fn matches_spec(now: Civil, fields: &[(Arc<str>, Arc<str>)]) -> bool {
    let (month, day) = now.month_and_day();
    let (week_year, week, weekday) = now.week();
    fields.iter().all(|(field, range)| {
        let value = match &**field {
            "years" => now.year,
            "months" => month,
            "monthdays" => day,
            "hours" => now.second / 3600,
            "minutes" => now.second / 60 % 60,
            "seconds" => now.second % 60,
            "yeardays" => now.yday,
            "weekyears" => week_year,
            "weeks" => week,
            "weekdays" => weekday,
            // Fields of older days (`moon`) do not restrict anything.
            _ => return true,
        };
        is_within(value, range)
    })
}

/// Whether `value` is in `range`: `5`, `1-5`, `5-` or `-5`.
fn is_within(value: i64, range: &str) -> bool {
    let number = |text: &str| text.trim_start().parse::<i64>().ok();
    match range.split_once('-') {
        None => number(range) == Some(value),
        Some(("", "")) => false,
        Some((low, "")) => number(low).is_some_and(|low| value >= low),
        Some(("", high)) => number(high).is_some_and(|high| value <= high),
        Some((low, high)) => {
            number(low).zip(number(high)).is_some_and(|(low, high)| (low..=high).contains(&value))
        }
    }
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
}
