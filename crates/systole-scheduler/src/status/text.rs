//! Values written as text, as the reference release reads them.
//!
//! Source: Pacemaker Explained, "Configuration Value Types".

use std::{cmp::Ordering, num::IntErrorKind, time::Duration};
use systole_cib::parse_bool;
use systole_types::{Score, parse_duration, parse_number_with_unit};

/// Whether there is a text, and it says yes.
pub(crate) fn is_true(text: Option<&str>) -> bool {
    text.and_then(parse_bool) == Some(true)
}

/// A score; `default` where there is none or it cannot be read.
pub(crate) fn score(text: Option<&str>, default: Score) -> Score {
    text.and_then(Score::read).unwrap_or(default)
}

/// A span of time; zero where it cannot be read.
pub(crate) fn span(text: &str) -> Duration {
    parse_duration(text).unwrap_or_default()
}

/// A timeout or start delay, which may not be an ISO 8601 duration; what cannot be read is none at all.
pub(crate) fn delay(text: &str) -> Duration {
    parse_number_with_unit(text).unwrap_or_default()
}

/// Rounds up to whole seconds, as failure timeouts are compared.
pub(crate) fn whole_seconds(span: Duration) -> i64 {
    let seconds = span.as_secs() + u64::from(span.subsec_millis() >= 500);
    i64::try_from(if seconds == 0 && !span.is_zero() { 1 } else { seconds }).unwrap_or(i64::MAX)
}

/// An amount of utilization. What is no number is the least there is, as in the reference release.
pub(crate) fn amount(text: &str) -> i64 {
    let sign_and_spaces = |c: char| c.is_ascii_whitespace() || matches!(c, '+' | '-');
    if !text.trim_start_matches(sign_and_spaces).starts_with(|c: char| c.is_ascii_digit()) {
        return i64::from(i32::MIN);
    }
    leading_integer(text).clamp(i64::from(i32::MIN), i64::from(i32::MAX))
}

/// A whole number not below `min`; anything less, or unreadable, is `min`.
pub(crate) fn at_least(text: Option<&str>, min: u32) -> Option<u32> {
    let number = leading_integer(text?).clamp(i64::from(min), i64::from(i32::MAX));
    Some(u32::try_from(number).unwrap_or(min))
}

/// The number that a text begins with, as whole numbers are read; 0 if there is none, the most there is if it is beyond.
pub(crate) fn leading_integer(text: &str) -> i64 {
    let text = text.trim_start();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let n_digits = digits.bytes().take_while(u8::is_ascii_digit).count();
    match text[..text.len() - digits.len() + n_digits].parse() {
        Ok(number) => number,
        Err(error) if *error.kind() == IntErrorKind::PosOverflow => i64::MAX,
        Err(error) if *error.kind() == IntErrorKind::NegOverflow => i64::MIN,
        Err(_) => 0,
    }
}

/// Compares names so that numbers in them count as numbers, and the case of letters does not: `node9` before `node10`.
pub fn compare_names(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a.as_bytes(), b.as_bytes());
    while let (Some(&x), Some(&y)) = (a.first(), b.first()) {
        if x.is_ascii_digit() && y.is_ascii_digit() {
            let (digits_a, rest_a) = leading_digits(a);
            let (digits_b, rest_b) = leading_digits(b);
            let order = compare_digits(digits_a, digits_b).then(digits_a.len().cmp(&digits_b.len()));
            if order.is_ne() {
                return order;
            }
            (a, b) = (rest_a, rest_b);
        } else {
            let order = x.to_ascii_lowercase().cmp(&y.to_ascii_lowercase());
            if order.is_ne() {
                return order;
            }
            (a, b) = (&a[1..], &b[1..]);
        }
    }
    a.is_empty().cmp(&b.is_empty()).reverse()
}

fn leading_digits(text: &[u8]) -> (&[u8], &[u8]) {
    text.split_at(text.iter().take_while(|c| c.is_ascii_digit()).count())
}

fn compare_digits(a: &[u8], b: &[u8]) -> Ordering {
    let strip = |digits: &[u8]| digits.iter().position(|&c| c != b'0').unwrap_or(digits.len());
    let (a, b) = (&a[strip(a)..], &b[strip(b)..]);
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

/// A resource's name without instance number: `web` of `web:0`. A bare number or a trailing colon is left alone.
pub(crate) fn base_name(id: &str) -> &str {
    match id.rsplit_once(':') {
        Some((base, number))
            if !base.is_empty() && !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit()) =>
        {
            base
        }
        _ => id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count_as_numbers() {
        let mut names = vec!["node10", "Node9", "node1", "node", "node01", "a"];
        names.sort_by(|a, b| compare_names(a, b));
        assert_eq!(names, ["a", "node", "node1", "node01", "Node9", "node10"]);
    }

    #[test]
    fn instance_numbers_are_taken_off() {
        for (id, base) in [
            ("web:0", "web"),
            ("web:12", "web"),
            ("web", "web"),
            ("a:b", "a:b"),
            ("web:", "web:"),
            (":1", ":1"),
        ] {
            assert_eq!(base_name(id), base, "{id}");
        }
    }
}
