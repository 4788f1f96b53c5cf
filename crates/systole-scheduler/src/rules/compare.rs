//! Comparison of attribute values. Source: Pacemaker Explained, "Node Attribute Expressions".

use std::cmp::Ordering;
use systole_cib::model::{Comparison, ValueKind};

/// Whether `actual` compares with `reference` as wanted. A missing value is less than any, but no order holds with it.
pub(super) fn compare(
    actual: Option<&str>,
    comparison: Comparison,
    reference: Option<&str>,
    kind: Option<ValueKind>,
) -> bool {
    let kind = kind.unwrap_or_else(|| guess_kind(comparison, actual, reference));
    let both = actual.zip(reference);
    let is_equal = || match both {
        // Which of two texts comes first is not asked: nearly all rules compare this way.
        Some((actual, reference)) if kind == ValueKind::String => actual.eq_ignore_ascii_case(reference),
        Some((actual, reference)) => order(actual, reference, kind).is_eq(),
        None => actual == reference,
    };
    let is = |wanted: fn(Ordering) -> bool| {
        both.is_some_and(|(actual, reference)| wanted(order(actual, reference, kind)))
    };
    match comparison {
        Comparison::Defined => actual.is_some(),
        Comparison::NotDefined => actual.is_none(),
        Comparison::Equal => is_equal(),
        Comparison::NotEqual => !is_equal(),
        Comparison::Less => is(Ordering::is_lt),
        Comparison::LessOrEqual => is(Ordering::is_le),
        Comparison::Greater => is(Ordering::is_gt),
        Comparison::GreaterOrEqual => is(Ordering::is_ge),
    }
}

/// Order means numbers (with a point anywhere: of floating point), equality means text.
fn guess_kind(comparison: Comparison, actual: Option<&str>, reference: Option<&str>) -> ValueKind {
    use Comparison::{Greater, GreaterOrEqual, Less, LessOrEqual};
    match comparison {
        Less | LessOrEqual | Greater | GreaterOrEqual => {
            let has_point = |text: Option<&str>| text.is_some_and(|text| text.contains('.'));
            if has_point(actual) || has_point(reference) { ValueKind::Number } else { ValueKind::Integer }
        }
        _ => ValueKind::String,
    }
}

/// Values that are no numbers are compared as text, whatever the kind.
fn order(a: &str, b: &str, kind: ValueKind) -> Ordering {
    let numeric = match kind {
        ValueKind::String => None,
        ValueKind::Integer => parse_integer_prefix(a).zip(parse_integer_prefix(b)).map(|(a, b)| a.cmp(&b)),
        ValueKind::Number => parse_number_prefix(a)
            .zip(parse_number_prefix(b))
            .map(|(a, b)| a.partial_cmp(&b).unwrap_or(Ordering::Equal)),
        ValueKind::Version => Some(order_versions(a, b)),
    };
    numeric.unwrap_or_else(|| order_text(a, b))
}

fn order_text(a: &str, b: &str) -> Ordering {
    let lower = |byte: u8| byte.to_ascii_lowercase();
    a.bytes().map(lower).cmp(b.bytes().map(lower))
}

/// The whole number a text begins with: `12 apples` is 12. `None` if it begins with none, or one out of range.
pub(super) fn parse_integer_prefix(text: &str) -> Option<i64> {
    let text = text.trim_ascii_start();
    let sign = usize::from(text.starts_with(['-', '+']));
    let n_digits = text.bytes().skip(sign).take_while(u8::is_ascii_digit).count();
    text[..sign + n_digits].parse().ok()
}

/// The number a text begins with: `1.5GB` is 1.5.
fn parse_number_prefix(text: &str) -> Option<f64> {
    let text = text.trim_ascii_start();
    let bytes = text.as_bytes();
    let digits_from = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut end = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    end += digits_from(end);
    if bytes.get(end) == Some(&b'.') {
        end += 1 + digits_from(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let n_digits = digits_from((end + 1 + sign).min(bytes.len()));
        if n_digits > 0 {
            end += 1 + sign + n_digits;
        }
    }
    text[..end].parse().ok()
}

/// By number, segment by segment; a missing segment is 0, and what follows the dotted numbers does not count.
fn order_versions(a: &str, b: &str) -> Ordering {
    fn segments(text: &str) -> impl Iterator<Item = i64> + '_ {
        let text = text.trim_ascii_start();
        let n = text.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
        text[..n]
            .split('.')
            .map(|segment| segment.parse().unwrap_or(if segment.is_empty() { 0 } else { i64::MAX }))
    }
    let (mut a, mut b) = (segments(a), segments(b));
    loop {
        match (a.next(), b.next()) {
            (None, None) => return Ordering::Equal,
            (x, y) => match x.unwrap_or(0).cmp(&y.unwrap_or(0)) {
                Ordering::Equal => {}
                unequal => return unequal,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Comparison::{Defined, Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotDefined, NotEqual};

    #[test]
    fn values_are_compared_as_their_kind_says() {
        use ValueKind::{Integer, Number, String, Version};
        for (a, comparison, b, kind, expected) in [
            ("Web", Equal, "wEB", None, true),
            ("1", Equal, "01", None, false),
            ("1", Equal, "01", Some(Integer), true),
            ("10", Greater, "9", None, true),
            ("10", Greater, "9", Some(String), false),
            ("1.10", Less, "1.9", None, true),
            ("1.10", Less, "1.9", Some(Version), false),
            ("1.0", Equal, "1", Some(Version), true),
            ("1.2rc3", Equal, " 1.2", Some(Version), true),
            ("12 apples", Equal, "12", Some(Integer), true),
            ("many", Less, "few", Some(Integer), false),
            ("1.5GB", GreaterOrEqual, "1.5", None, true),
            ("-1", LessOrEqual, "0", None, true),
            ("1e3", Equal, "1000", Some(Number), true),
            ("a", NotEqual, "b", None, true),
        ] {
            assert_eq!(
                compare(Some(a), comparison, Some(b), kind),
                expected,
                "{a:?} {comparison:?} {b:?} as {kind:?}"
            );
        }
    }

    #[test]
    fn a_missing_value_equals_only_another_one() {
        for (a, comparison, b, expected) in [
            (None, Defined, None, false),
            (None, NotDefined, None, true),
            (Some(""), Defined, None, true),
            (None, Equal, Some("x"), false),
            (None, NotEqual, Some("x"), true),
            (Some("x"), NotEqual, None, true),
            (None, Equal, None, true),
            (None, Less, Some("5"), false),
            (Some("5"), Greater, None, false),
            (None, LessOrEqual, None, false),
        ] {
            assert_eq!(compare(a, comparison, b, None), expected, "{a:?} {comparison:?} {b:?}");
        }
    }
}
