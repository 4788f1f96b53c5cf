//! What values attributes can have.

use super::version::SchemaSet;

/// A word, and the schemas that it is meant for.
pub(super) type Word = (&'static str, SchemaSet);

/// What values an attribute can have.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Anything.
    Text,
    /// A name that no other element has.
    Id,
    /// The name of another element.
    Reference,
    /// A whole number of at most 24 digits.
    Integer,
    /// A whole number, 0 or more.
    Count,
    /// A level of fencing: 1 or more, since schema 4.0 up to 9.
    Level,
    /// `true`, `false`, `1` or `0`.
    Boolean,
    /// A whole number or infinity.
    Score,
    /// One of some words.
    OneOf(&'static [Word]),
    /// Anything but some words.
    NoneOf(&'static [Word]),
    /// Ids, with commas between.
    Devices,
    /// A port, or two with a dash between.
    Ports,
    /// The name of a schema, or `none`.
    SchemaName,
}

impl Kind {
    /// The schemas in which an attribute of this kind can have the value.
    pub(super) fn allowing(self, value: &str) -> SchemaSet {
        use super::version::Schema;
        let all = |is_allowed| if is_allowed { SchemaSet::ALL } else { SchemaSet::NONE };
        let word = value.trim_matches(is_space);
        match self {
            Self::Text => SchemaSet::ALL,
            Self::Id | Self::Reference => all(is_id(word)),
            Self::Integer => all(digits(unsigned(word, ['+', '-'])).is_some()),
            Self::Count => all(is_count(word)),
            Self::Level => match digits(unsigned(word, ['+'])) {
                None | Some("") => SchemaSet::NONE,
                Some(level) if level.len() == 1 => SchemaSet::ALL,
                Some(_) => Schema::V4_0.before(),
            },
            Self::Boolean => all(matches!(word, "true" | "false" | "1" | "0")),
            Self::Score => {
                let is_infinite = matches!(word, "INFINITY" | "+INFINITY" | "-INFINITY");
                all(is_infinite || !Self::Integer.allowing(word).is_empty())
            }
            Self::OneOf(words) => named(words, value),
            Self::NoneOf(words) => SchemaSet::ALL.without(named(words, value)),
            Self::Devices => all(value.split(',').all(|id| !id.is_empty() && id.bytes().all(is_device_byte))),
            Self::Ports => all(!value.is_empty() && value.bytes().all(|b| b.is_ascii_digit() || b == b'-')),
            Self::SchemaName => all(word == "none" || Schema::named(word).is_some()),
        }
    }

    /// What such an attribute takes, for a message.
    pub(super) fn describe(self, schemas: SchemaSet) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Id | Self::Reference => {
                "an id (a letter or _ first, then letters, digits, dots, dashes and _)".to_owned()
            }
            Self::Integer => "a whole number".to_owned(),
            Self::Count => "a whole number, 0 or more".to_owned(),
            Self::Level => "a number from 1 to 9".to_owned(),
            Self::Boolean => "true or false".to_owned(),
            Self::Score => "a score (a whole number, INFINITY or -INFINITY)".to_owned(),
            Self::OneOf(words) => {
                let meant = words.iter().filter(|(_, when)| !when.and(schemas).is_empty());
                format!("one of {}", meant.map(|(word, _)| *word).collect::<Vec<_>>().join(", "))
            }
            Self::NoneOf(_) => "a name that is still supported".to_owned(),
            Self::Devices => "ids of fencing devices with commas between".to_owned(),
            Self::Ports => "a range of ports such as 8000-8010".to_owned(),
            Self::SchemaName => "the name of a schema, such as pacemaker-4.0, or none".to_owned(),
        }
    }
}

/// Without one of these signs in front.
fn unsigned<const N: usize>(word: &str, signs: [char; N]) -> &str {
    word.strip_prefix(signs).unwrap_or(word)
}

/// Spaces around a value, and more than one within, do not count.
fn named(words: &[Word], value: &str) -> SchemaSet {
    // Hardly any value has spaces, and then it has to be spelled like the word.
    let has_spaces = value.contains(is_space);
    let is_same = |word: &str| {
        word == value
            || has_spaces && {
                let pieces = |text| str::split(text, is_space).filter(|piece: &&str| !piece.is_empty());
                pieces(word).eq(pieces(value))
            }
    };
    words.iter().filter(|(word, _)| is_same(word)).fold(SchemaSet::NONE, |all, (_, when)| all.or(*when))
}

const fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// The digits of a whole number without leading zeros; `None` if there is something else, or too many of them.
fn digits(text: &str) -> Option<&str> {
    let is_number = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let digits = text.trim_start_matches('0');
    (is_number && digits.len() <= 24).then_some(digits)
}

/// Zero may have a minus.
fn is_count(word: &str) -> bool {
    match word.strip_prefix('-') {
        Some(negative) => digits(negative) == Some(""),
        None => digits(unsigned(word, ['+'])).is_some(),
    }
}

/// Whether XML allows this as the name of something: a name without colons.
pub(super) fn is_id(id: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() | matches!(b, b'_' | b'-' | b'.');
    // Without leaving early: so that many bytes are looked at together.
    let all_plain = id.bytes().fold(true, |all, b| all & is_plain(b));
    if all_plain && id.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        return true;
    }
    let mut chars = id.chars();
    let is_first = |c: char| c.is_alphabetic() || c == '_';
    let is_other = |c: char| {
        c.is_alphanumeric()
            || matches!(c, '_' | '-' | '.' | '\u{b7}')
            || matches!(c, '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
    };
    chars.next().is_some_and(is_first) && chars.all(is_other)
}

fn is_device_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')
}

#[cfg(test)]
mod tests {
    use super::{super::version::Schema, *};

    #[test]
    fn values_are_judged_by_their_kind() {
        let cases = [
            (Kind::Integer, "1 +1 -1 0 007", "1.5 x +"),
            (Kind::Count, "0 -0 5", "-1 x"),
            (Kind::Boolean, "true false 0 1", "True yes"),
            (Kind::Score, "5 INFINITY +INFINITY -INFINITY", "infinity ++5"),
            (Kind::Id, "a _a a-1.b ä", "1 a:b -a"),
            (Kind::Devices, "a a,b", ",a a,,b a;b"),
            (Kind::Ports, "80 80-90", "80:90"),
            (Kind::SchemaName, "none pacemaker-3.9", "pacemaker-3.99"),
        ];
        for (kind, good, bad) in cases {
            for (text, is_allowed) in [(good, true), (bad, false)] {
                for value in text.split(' ') {
                    assert_eq!(
                        kind.allowing(value) == SchemaSet::ALL,
                        is_allowed,
                        "{value:?}: {}",
                        kind.describe(SchemaSet::ALL)
                    );
                }
            }
        }
        assert_eq!(Kind::Integer.allowing(&"1".repeat(25)), SchemaSet::NONE);
        assert_eq!(Kind::Integer.allowing(&("0".repeat(25) + "1")), SchemaSet::ALL);
        assert_eq!(Kind::Level.allowing("10"), Schema::V4_0.before());
        assert_eq!(Kind::Level.allowing("0"), SchemaSet::NONE);
        const WORDS: [Word; 2] = [("a b", SchemaSet::ALL), ("late", Schema::NEWEST.alone())];
        let words = Kind::OneOf(&WORDS);
        assert_eq!(words.allowing(" a  b "), SchemaSet::ALL);
        assert_eq!(words.allowing("late"), Schema::NEWEST.alone());
    }
}
