//! Scores: how much something is wanted somewhere.

use std::{
    fmt,
    ops::{Add, AddAssign, Neg},
    str::FromStr,
};

/// How much something is wanted somewhere: an integer from −1,000,000 to 1,000,000, the ends meaning ±INFINITY.
///
/// Addition saturates, and −INFINITY wins over everything, INFINITY included.
/// Source: Pacemaker Explained, "Scores".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Score(i32);

impl Score {
    /// As good as an obligation.
    pub const INFINITY: Self = Self(1_000_000);
    /// Never.
    pub const MINUS_INFINITY: Self = Self(-1_000_000);
    /// Indifferent.
    pub const ZERO: Self = Self(0);

    /// The score of value `value`, brought into the range if it lies outside.
    pub const fn finite(value: i64) -> Self {
        if value >= Self::INFINITY.0 as i64 {
            Self::INFINITY
        } else if value <= Self::MINUS_INFINITY.0 as i64 {
            Self::MINUS_INFINITY
        } else {
            Self(value as i32)
        }
    }

    /// The number; ±1,000,000 for ±INFINITY.
    pub const fn value(self) -> i32 {
        self.0
    }

    /// Whether this is INFINITY or −INFINITY.
    pub const fn is_infinite(self) -> bool {
        self.0 == Self::INFINITY.0 || self.0 == Self::MINUS_INFINITY.0
    }
}

impl Add for Score {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        if self == Self::MINUS_INFINITY || other == Self::MINUS_INFINITY {
            Self::MINUS_INFINITY
        } else if self == Self::INFINITY || other == Self::INFINITY {
            Self::INFINITY
        } else {
            Self::finite(i64::from(self.0) + i64::from(other.0))
        }
    }
}

impl AddAssign for Score {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Neg for Score {
    type Output = Self;

    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::INFINITY => f.pad("INFINITY"),
            Self::MINUS_INFINITY => f.pad("-INFINITY"),
            Self(value) => f.pad(&value.to_string()),
        }
    }
}

impl fmt::Debug for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is not a score.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a score: write a whole number, INFINITY or -INFINITY")]
pub struct ScoreError(pub String);

impl FromStr for Score {
    type Err = ScoreError;

    /// Reads a whole number, `INFINITY`, `+INFINITY` or `-INFINITY`, in capital letters. Numbers out of range become ±INFINITY.
    fn from_str(text: &str) -> Result<Self, ScoreError> {
        match text {
            "INFINITY" | "+INFINITY" => Ok(Self::INFINITY),
            "-INFINITY" => Ok(Self::MINUS_INFINITY),
            number => parse_saturating(number.trim()).ok_or_else(|| ScoreError(text.to_owned())),
        }
    }
}

impl Score {
    /// A score as people write it: what follows a number is left out of account, `1.0` is 1. `None` if it begins with none.
    pub fn read(text: &str) -> Option<Self> {
        text.parse().ok().or_else(|| {
            let text = text.trim_start();
            let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
            let n_digits = digits.bytes().take_while(u8::is_ascii_digit).count();
            parse_saturating(&text[..text.len() - digits.len() + n_digits])
        })
    }
}

/// Reads a whole number of any length; one beyond `i64` counts as the end it lies towards.
fn parse_saturating(number: &str) -> Option<Score> {
    let digits = number.strip_prefix(['+', '-']).unwrap_or(number);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let end = if number.starts_with('-') { i64::MIN } else { i64::MAX };
    Some(Score::finite(number.parse().unwrap_or(end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minus_infinity_beats_infinity() {
        let (min, max, five) = (Score::MINUS_INFINITY, Score::INFINITY, Score::finite(5));
        for (a, b, sum) in
            [(max, min, min), (max, five, max), (min, five, min), (five, five, Score::finite(10))]
        {
            assert_eq!((a + b, b + a), (sum, sum), "{a:?} and {b:?}");
        }
    }

    #[test]
    fn sums_stay_in_range() {
        assert_eq!(Score::finite(999_999) + Score::finite(5), Score::INFINITY);
        assert_eq!(Score::finite(-999_999) + Score::finite(-5), Score::MINUS_INFINITY);
    }

    #[test]
    fn what_follows_a_number_is_left_out_of_account() {
        for (text, value) in [
            ("5x", Some(5)),
            (" -7.5", Some(-7)),
            ("+3", Some(3)),
            ("0x10", Some(0)),
            ("99999999999999999999 or so", Some(1_000_000)),
            ("-INFINITY", Some(-1_000_000)),
            ("INFINITY and more", None),
            ("-", None),
            ("", None),
            ("ten", None),
        ] {
            assert_eq!(Score::read(text).map(Score::value), value, "{text:?}");
        }
    }

    #[test]
    fn text_and_value_agree() {
        for (text, score) in [
            ("INFINITY", Score::INFINITY),
            ("-INFINITY", Score::MINUS_INFINITY),
            ("100", Score::finite(100)),
            ("-7", Score::finite(-7)),
        ] {
            assert_eq!(text.parse::<Score>().as_ref(), Ok(&score));
            assert_eq!(score.to_string(), text);
        }
        assert_eq!("+INFINITY".parse::<Score>(), Ok(Score::INFINITY));
        assert_eq!("99999999999999999999999".parse::<Score>(), Ok(Score::INFINITY));
        assert_eq!("-99999999999999999999999".parse::<Score>(), Ok(Score::MINUS_INFINITY));
        for bad in ["", "-", "ten", "1.5", "0x10", "infinity", "-Infinity", "INFINITY "] {
            assert!(bad.parse::<Score>().is_err(), "{bad:?}");
        }
    }
}
