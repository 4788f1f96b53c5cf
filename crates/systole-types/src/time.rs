//! Moments and spans. Brains get both as parameters and never read a clock.

use std::{
    ops::{Add, Sub},
    time::Duration,
};

/// A moment on the wall clock in whole seconds since 1970-01-01T00:00:00Z, as the CIB keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

/// A moment as a clock on the wall of some place shows it: rules about days and hours mean local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct LocalTime {
    /// The moment.
    pub at: Timestamp,
    /// How many seconds the clock is ahead of UTC.
    pub utc_offset: i64,
}

impl From<Timestamp> for LocalTime {
    /// In UTC.
    fn from(at: Timestamp) -> Self {
        Self { at, utc_offset: 0 }
    }
}

/// A moment on a clock that never jumps; only differences mean anything, and only on one host and boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Monotonic(pub Duration);

impl Add<Duration> for Monotonic {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span))
    }
}

impl Sub for Monotonic {
    type Output = Duration;

    /// The span since `earlier`; zero if `earlier` is in fact later.
    fn sub(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Both clocks, read together by the hand that calls a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Now {
    /// For deadlines and spans.
    pub mono: Monotonic,
    /// For what is written down and for rules with dates.
    pub wall: Timestamp,
}

/// Text that is not a span of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a span of time: write 30, 30s, 500ms, 2min, 1h or an ISO 8601 duration such as PT1M")]
pub struct DurationError(pub String);

/// Reads a span as the CIB writes it: a number with an optional unit ([`parse_number_with_unit`]), or an ISO 8601 duration
/// (`PT30S`).
/// Source: Pacemaker Explained, "Time Values".
///
/// # Errors
/// If the text is neither.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let trimmed = text.trim();
    if !trimmed.starts_with(['P', 'p']) {
        return parse_number_with_unit(text);
    }
    parse_iso(trimmed).ok_or_else(|| DurationError(text.to_owned()))
}

/// Reads a span as timeouts and start delays are written: a number with an optional unit (`us`, `ms`, `s`, `min`, `h`, and
/// whatever begins so: `seconds`). Without a unit the number counts seconds. Of a fraction the whole part counts, as with
/// Pacemaker.
///
/// # Errors
/// If the text is no such thing, or less than nothing.
pub fn parse_number_with_unit(text: &str) -> Result<Duration, DurationError> {
    with_unit(text).ok_or_else(|| DurationError(text.to_owned()))
}

fn with_unit(text: &str) -> Option<Duration> {
    let text = text.trim_start();
    let text = text.strip_prefix('+').unwrap_or(text);
    let n_digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(n_digits);
    let number: u64 = number.parse().ok()?;
    let unit = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').trim_start();
    const UNITS: [(&str, u64); 5] =
        [("ms", 1_000), ("us", 1), ("s", 1_000_000), ("m", 60_000_000), ("h", 3_600_000_000)];
    let begins = |start: &str| unit.get(..start.len()).is_some_and(|at| at.eq_ignore_ascii_case(start));
    let micros = match UNITS.iter().find(|(start, _)| begins(start)) {
        Some((_, micros)) => *micros,
        None => unit.is_empty().then_some(1_000_000)?,
    };
    Some(Duration::from_micros(number.saturating_mul(micros)))
}

/// `PnYnMnWnDTnHnMnS` with whole numbers; a year counts 365 days and a month 30. Hours and seconds are taken without
/// the `T` too, as Pacemaker does (`P10S`).
fn parse_iso(text: &str) -> Option<Duration> {
    let mut seconds: u64 = 0;
    let mut in_time = false;
    let mut digits = String::new();
    let mut any = false;
    for c in text.chars().skip(1) {
        let unit = match (c.to_ascii_uppercase(), in_time) {
            ('0'..='9', _) => {
                digits.push(c);
                continue;
            }
            ('T', false) if digits.is_empty() => {
                in_time = true;
                continue;
            }
            ('Y', false) => 365 * 86_400,
            ('M', false) => 30 * 86_400,
            ('W', false) => 7 * 86_400,
            ('D', false) => 86_400,
            ('H', _) => 3_600,
            ('M', true) => 60,
            ('S', _) => 1,
            _ => return None,
        };
        seconds = seconds.saturating_add(digits.parse::<u64>().ok()?.saturating_mul(unit));
        digits.clear();
        any = true;
    }
    (any && digits.is_empty()).then_some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_in_every_spelling_of_the_cib() {
        for (text, millis) in [
            ("0", 0),
            ("20", 20_000),
            ("20s", 20_000),
            ("500ms", 500),
            ("1500us", 1),
            ("2min", 120_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            (" 30 s ", 30_000),
            ("1.5s", 1_000),
            ("+4 seconds", 4_000),
            ("2 hours", 7_200_000),
            ("PT1M", 60_000),
            ("P1DT2H3S", 93_603_000),
            ("P40S", 40_000),
        ] {
            assert_eq!(parse_duration(text).map(|d| d.as_millis()), Ok(millis), "{text:?}");
        }
        for bad in ["", "s", "-5", "5 apples", "P", "PT", "P1X", ".5s"] {
            assert!(parse_duration(bad).is_err(), "{bad:?}");
        }
        assert!(parse_number_with_unit("PT1M").is_err(), "timeouts are no ISO 8601 durations");
    }
}
