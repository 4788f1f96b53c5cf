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

/// Reads a span as the CIB writes it: a whole number with an optional unit (`us`, `ms`, `s`, `min`, `h`...), or an
/// ISO 8601 duration (`PT30S`). Without a unit the number counts seconds.
/// Source: Pacemaker Explained, "Time Values".
///
/// # Errors
/// If the text is neither.
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let trimmed = text.trim();
    let parsed = if trimmed.starts_with(['P', 'p']) { parse_iso(trimmed) } else { parse_with_unit(trimmed) };
    parsed.ok_or_else(|| DurationError(text.to_owned()))
}

fn parse_with_unit(text: &str) -> Option<Duration> {
    let n_digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(n_digits);
    let number: u64 = number.parse().ok()?;
    const UNITS: [(u64, &[&str]); 5] = [
        (1_000_000, &["", "s", "sec"]),
        (1_000, &["ms", "msec"]),
        (60_000_000, &["m", "min"]),
        (3_600_000_000, &["h", "hr"]),
        (1, &["us", "usec"]),
    ];
    let is_unit = |name: &&str| name.eq_ignore_ascii_case(unit.trim());
    let (micros, _) = *UNITS.iter().find(|(_, names)| names.iter().any(is_unit))?;
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
            ("PT1M", 60_000),
            ("P1DT2H3S", 93_603_000),
            ("P40S", 40_000),
        ] {
            assert_eq!(parse_duration(text).map(|d| d.as_millis()), Ok(millis), "{text:?}");
        }
        for bad in ["", "s", "-5", "5 apples", "P", "PT", "P1X", "1.5s"] {
            assert!(parse_duration(bad).is_err(), "{bad:?}");
        }
    }
}
