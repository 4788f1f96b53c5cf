//! Which schemas there are, and sets of them.

use std::fmt;

/// Every schema a CIB may name, oldest first.
const NAMES: [&str; 26] = [
    "pacemaker-1.0",
    "pacemaker-1.2",
    "pacemaker-1.3",
    "pacemaker-2.0",
    "pacemaker-2.1",
    "pacemaker-2.2",
    "pacemaker-2.3",
    "pacemaker-2.4",
    "pacemaker-2.5",
    "pacemaker-2.6",
    "pacemaker-2.7",
    "pacemaker-2.8",
    "pacemaker-2.9",
    "pacemaker-2.10",
    "pacemaker-3.0",
    "pacemaker-3.1",
    "pacemaker-3.2",
    "pacemaker-3.3",
    "pacemaker-3.4",
    "pacemaker-3.5",
    "pacemaker-3.6",
    "pacemaker-3.7",
    "pacemaker-3.8",
    "pacemaker-3.9",
    "pacemaker-3.10",
    "pacemaker-4.0",
];

/// One schema: what the configuration language was at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Schema(u8);

#[allow(missing_docs, reason = "they say it themselves")]
impl Schema {
    pub const V1_0: Self = Self(0);
    pub const V1_2: Self = Self(1);
    pub const V1_3: Self = Self(2);
    pub const V2_0: Self = Self(3);
    pub const V2_1: Self = Self(4);
    pub const V2_2: Self = Self(5);
    pub const V2_3: Self = Self(6);
    pub const V2_4: Self = Self(7);
    pub const V2_5: Self = Self(8);
    pub const V2_6: Self = Self(9);
    pub const V2_7: Self = Self(10);
    pub const V2_8: Self = Self(11);
    pub const V2_9: Self = Self(12);
    pub const V2_10: Self = Self(13);
    pub const V3_0: Self = Self(14);
    pub const V3_1: Self = Self(15);
    pub const V3_2: Self = Self(16);
    pub const V3_3: Self = Self(17);
    pub const V3_4: Self = Self(18);
    pub const V3_5: Self = Self(19);
    pub const V3_6: Self = Self(20);
    pub const V3_7: Self = Self(21);
    pub const V3_8: Self = Self(22);
    pub const V3_9: Self = Self(23);
    pub const V3_10: Self = Self(24);
    pub const V4_0: Self = Self(25);
    pub const NEWEST: Self = Self::V4_0;
}

impl Schema {
    /// The schema of this name, as `validate-with` has it.
    pub fn named(name: &str) -> Option<Self> {
        let at = NAMES.iter().position(|known| *known == name)?;
        u8::try_from(at).ok().map(Self)
    }

    /// The name, as `validate-with` has it.
    pub const fn name(self) -> &'static str {
        NAMES[self.0 as usize]
    }

    /// The schema that came after this one.
    pub fn next(self) -> Option<Self> {
        (self < Self::NEWEST).then_some(Self(self.0 + 1))
    }

    /// This schema alone.
    pub const fn alone(self) -> SchemaSet {
        SchemaSet(1 << self.0)
    }

    /// This schema and all later ones.
    pub const fn and_later(self) -> SchemaSet {
        SchemaSet(SchemaSet::ALL.0 & !(self.alone().0 - 1))
    }

    /// All schemas before this one.
    pub const fn before(self) -> SchemaSet {
        SchemaSet(self.alone().0 - 1)
    }
}

impl fmt::Display for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Some of the schemas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchemaSet(u32);

impl SchemaSet {
    /// All there are.
    pub const ALL: Self = Self((1 << NAMES.len()) - 1);
    /// None.
    pub const NONE: Self = Self(0);

    /// Whether there is none in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this one is in it.
    pub const fn has(self, schema: Schema) -> bool {
        self.0 & schema.alone().0 != 0
    }

    /// Those that are in both.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those that are in either.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those that are not in the other.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The oldest of them.
    pub fn oldest(self) -> Option<Schema> {
        let at = self.0.trailing_zeros();
        (!self.is_empty()).then(|| Schema(u8::try_from(at).expect("there are fewer than 32 schemas")))
    }

    /// The newest of them.
    pub fn newest(self) -> Option<Schema> {
        let at = self.0.checked_ilog2()?;
        Some(Schema(u8::try_from(at).expect("there are fewer than 32 schemas")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_are_ordered_by_number_and_not_by_text() {
        let named = |name| Schema::named(name).expect(name);
        assert!(named("pacemaker-2.9") < named("pacemaker-2.10"));
        assert!(named("pacemaker-3.9") < named("pacemaker-3.10"));
        assert_eq!(named("pacemaker-3.10").next(), Some(Schema::NEWEST));
        assert_eq!(Schema::NEWEST.next(), None);
        for unknown in ["none", "pacemaker-1.1", "pacemaker-0.6", "pacemaker-4", ""] {
            assert_eq!(Schema::named(unknown), None, "{unknown}");
        }
        for at in 0..26 {
            assert_eq!(Schema::named(Schema(at).name()), Some(Schema(at)));
        }
        for (schema, name) in
            [(Schema::V1_3, "1.3"), (Schema::V2_0, "2.0"), (Schema::V3_0, "3.0"), (Schema::V3_7, "3.7")]
        {
            assert_eq!(schema.name(), format!("pacemaker-{name}"));
        }
    }

    #[test]
    fn sets_are_cut_at_a_schema() {
        let later = Schema::V3_9.and_later();
        assert_eq!((later.oldest(), later.newest()), (Some(Schema::V3_9), Some(Schema::V4_0)));
        assert_eq!(Schema::V1_2.before(), Schema::V1_0.alone());
        assert_eq!(later.or(Schema::V3_9.before()), SchemaSet::ALL);
        assert!(later.and(Schema::V3_9.before()).is_empty() && SchemaSet::NONE.oldest().is_none());
    }
}
