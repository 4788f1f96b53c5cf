//! ISO 8601 durations and periods, as Pacemaker reads them: whole numbers, each with its own sign if need be (`P1Y-1D`), units in any
//! order, and a `T` only to tell minutes from months.

use super::{calendar::Civil, iso8601};
use std::fmt;
use systole_types::Timestamp;

/// A duration in the units of the calendar. How long it is depends on where it begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Years.
    pub years: i64,
    /// Months.
    pub months: i64,
    /// Days, weeks among them.
    pub days: i64,
    /// Seconds, hours and minutes among them.
    pub seconds: i64,
}

impl Span {
    /// Reads `PnYnMnWnDTnHnMnS`; what follows white space or a `/` is not looked at. `None` if that is no duration, or
    /// one of nothing.
    pub fn parse(text: &str) -> Option<Self> {
        let end = text.find(|c: char| c == '/' || c.is_ascii_whitespace()).unwrap_or(text.len());
        let mut rest = text[..end].strip_prefix('P')?;
        let (mut span, mut in_time) = (Self::default(), false);
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('T') {
                (rest, in_time) = (after, true);
                continue;
            }
            let (number, after) = read_number(rest)?;
            let unit = after.chars().next()?;
            span.add(number, unit, in_time)?;
            rest = &after[unit.len_utf8()..];
        }
        (span != Self::default()).then_some(span)
    }

    /// A year and a number of months replace what was said before, the other units add up.
    fn add(&mut self, number: i64, unit: char, in_time: bool) -> Option<()> {
        let (field, added) = match unit {
            'Y' => (&mut self.years, None),
            'M' if !in_time => (&mut self.months, None),
            'W' => (&mut self.days, Some(number * 7)),
            'D' => (&mut self.days, Some(number)),
            'H' => (&mut self.seconds, Some(number * 3600)),
            'M' => (&mut self.seconds, Some(number * 60)),
            'S' => (&mut self.seconds, Some(number)),
            _ => return None,
        };
        let value = added.map_or(number, |added| *field + added);
        *field = i64::from(i32::try_from(value).ok()?);
        Some(())
    }

    /// The same backwards.
    const fn negated(self) -> Self {
        Self { years: -self.years, months: -self.months, days: -self.days, seconds: -self.seconds }
    }
}

/// A number of up to ten digits, with a sign or a colon before it, and what comes after it.
fn read_number(text: &str) -> Option<(i64, &str)> {
    let digits = text.strip_prefix(['-', '+', ':']).unwrap_or(text);
    let n_digits = digits.bytes().take(10).take_while(u8::is_ascii_digit).count();
    let (number, rest) = digits.split_at(n_digits);
    let number = i64::from(number.parse::<i32>().ok()?);
    Some((if text.starts_with('-') { -number } else { number }, rest))
}

/// For people, padded as Pacemaker's tools do: ` 2 days 3600 seconds (1 hour)`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = |n: i64| if n == 1 { "" } else { "s" };
        for (number, unit, width) in
            [(self.years, "year", 4), (self.months, "month", 2), (self.days, "day", 2)]
        {
            if number != 0 {
                write!(f, "{number:width$} {unit}{} ", s(number))?;
            }
        }
        let Self { seconds, .. } = *self;
        if seconds != 0 || (self.years, self.months, self.days) == (0, 0, 0) {
            write!(f, "{seconds} second{}", s(seconds))?;
        }
        if seconds.abs() < 60 {
            return Ok(());
        }
        let (hours, minutes, rest) = (seconds.abs() / 3600, seconds.abs() / 60 % 60, seconds.abs() % 60);
        let parts = [
            (hours, format!("{hours} hour{}", s(hours))),
            (minutes, format!("{minutes} minute{}", s(minutes))),
            // The plural is that of the whole number of seconds, as in the reference implementation.
            (rest, format!("{rest} second{}", s(seconds))),
        ];
        let parts: Vec<_> = parts.into_iter().filter(|(n, _)| *n != 0).map(|(_, text)| text).collect();
        write!(f, " ({})", parts.join(" "))
    }
}

impl Civil {
    /// `span` later: years first, then months, days and seconds.
    pub fn add_span(self, span: Span) -> Self {
        self.add_years(span.years).add_months(span.months).add_days(span.days).add_seconds(span.seconds)
    }
}

/// A start and an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// Its first moment.
    pub start: Civil,
    /// Its last.
    pub end: Civil,
}

impl Period {
    /// Reads `START/END`, `START/DURATION` or `DURATION/END`; a duration alone begins `now`. Both ends have to lie in the years 1 to 9999.
    pub fn parse(text: &str, now: Timestamp, utc_offset: i64) -> Option<Self> {
        let read = |text: &str| iso8601::parse_civil(text, now, utc_offset);
        let (first, last) = match text.split_once('/') {
            Some((_, last)) => (text, Some(last)),
            None => (text, None),
        };
        let is_span = |text: &str| text.starts_with('P');
        let period = match last {
            None => {
                let start = Civil::at(now, utc_offset);
                Self { start, end: start.add_span(Span::parse(first)?) }
            }
            Some(last) if is_span(first) && !is_span(last) => {
                let end = read(last)?;
                Self { start: end.add_span(Span::parse(first)?.negated()), end }
            }
            Some(last) if is_span(last) => {
                let start = read(first)?;
                Self { start, end: start.add_span(Span::parse(last)?) }
            }
            Some(last) => Self { start: read(first)?, end: read(last)? },
        };
        (period.start.is_exact() && period.end.is_exact()).then_some(period)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, shown) in [
            ("P1Y2M10DT2H30M", "   1 year  2 months 10 days 9000 seconds (2 hours 30 minutes)"),
            ("P1W", " 7 days "),
            ("PT1S", "1 second"),
            ("PT1M", "60 seconds (1 minute)"),
            ("PT3601S", "3601 seconds (1 hour 1 seconds)"),
            ("P-1DT-1H", "-1 days -3600 seconds (1 hour)"),
            ("P1H/2020", "3600 seconds (1 hour)"),
            ("P1D1W", " 8 days "),
            ("P2M1Y", "   1 year  2 months "),
        ] {
            assert_eq!(Span::parse(text).map(|span| span.to_string()).as_deref(), Some(shown), "{text}");
        }
        for text in
            ["", "P", "PT", "P1", "1D", "P0D", "P1.5D", "p1d", "P99999999999D", "P1X", "PT2147483647H"]
        {
            assert_eq!(Span::parse(text), None, "{text}");
        }
    }

    #[test]
    fn periods_may_be_given_by_two_of_start_end_and_duration() {
        let text = |text: &str| {
            let period = Period::parse(text, Timestamp(0), 0)?;
            Some(format!("{} to {}", period.start.text(), period.end.text()))
        };
        for (given, expected) in [
            ("2005-01-01/2005-12-31", Some("2005-01-01 00:00:00Z to 2005-12-31 00:00:00Z")),
            ("2005-01-31/P1M", Some("2005-01-31 00:00:00Z to 2005-02-28 00:00:00Z")),
            ("P1D/2005-01-01", Some("2004-12-31 00:00:00Z to 2005-01-01 00:00:00Z")),
            ("P1D", Some("1970-01-01 00:00:00Z to 1970-01-02 00:00:00Z")),
            ("2005-01-01", None),
            ("P1D/P1D", None),
            ("2005-01-01/", None),
            ("2005-01-01/P9999Y", None),
        ] {
            assert_eq!(text(given).as_deref(), expected, "{given}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "P?[-+:0-9YMWDTHS/é]{0,16}") {
            if let Some(span) = Span::parse(&text) {
                Civil::at(Timestamp(0), 0).add_span(span).text();
                Civil::at(Timestamp(0), 0).add_span(span.negated()).text();
            }
            Period::parse(&text, Timestamp(0), 0);
        }
    }
}
