//! How the table of the language is written: shapes of elements, their attributes and what may be inside.

use super::{
    kind::Kind,
    version::{Schema, SchemaSet},
};

/// What an element of a name looks like at a place of the language.
pub(super) struct Shape {
    pub name: &'static str,
    /// Attributes of all its forms.
    pub attrs: &'static [Attr],
    /// The forms it may have: it has to fit one.
    pub forms: &'static [Form],
}

/// One form of an element.
pub(super) struct Form {
    pub when: SchemaSet,
    pub attrs: &'static [Attr],
    pub content: Content,
}

/// What may be inside of an element.
pub(super) enum Content {
    /// Elements of these slots.
    Slots(&'static [Slot]),
    /// Anything at all.
    Anything,
}

/// An attribute.
#[derive(Clone, Copy)]
pub(super) struct Attr {
    pub name: &'static str,
    pub kind: Kind,
    pub need: Need,
    pub when: SchemaSet,
}

/// Whether an attribute has to be there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Must,
    May,
    /// Exactly one of those of the group.
    OneOf(u8),
    /// At most one of those of the group.
    AtMostOneOf(u8),
}

/// Shapes of which an element may have one.
pub(super) type Shapes = &'static [&'static Shape];

/// A list of shapes that can stand in the table: constants cannot hold references to the shapes themselves.
macro_rules! shapes {
    ($($shape:expr),+) => {{
        static LIST: crate::schema::shape::Shapes = &[$(&$shape),+];
        &LIST
    }};
}
pub(super) use shapes;

/// Elements that may be inside of another.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    /// An element fits if it fits one of them.
    pub shapes: &'static Shapes,
    pub least: usize,
    pub most: usize,
    pub when: SchemaSet,
    /// Those of a lower place have to stand before those of a higher one.
    pub place: u8,
    /// Schemas in which this part of the language was still what it had been in an older schema.
    pub lags: &'static [Lag],
}

/// In some schemas, a part of the language is what it was in an older one.
#[derive(Clone, Copy)]
pub(super) struct Lag {
    pub during: SchemaSet,
    pub as_of: Schema,
}

/// An attribute that has to be there.
pub(super) const fn must(name: &'static str, kind: Kind) -> Attr {
    Attr { name, kind, need: Need::Must, when: SchemaSet::ALL }
}

/// An attribute that may be there.
pub(super) const fn may(name: &'static str, kind: Kind) -> Attr {
    Attr { name, kind, need: Need::May, when: SchemaSet::ALL }
}

/// An attribute of a group of which exactly one has to be there.
pub(super) const fn one_of(group: u8, name: &'static str, kind: Kind) -> Attr {
    Attr { name, kind, need: Need::OneOf(group), when: SchemaSet::ALL }
}

/// An attribute of a group of which one may be there.
pub(super) const fn at_most_one_of(group: u8, name: &'static str, kind: Kind) -> Attr {
    Attr { name, kind, need: Need::AtMostOneOf(group), when: SchemaSet::ALL }
}

impl Attr {
    pub const fn since(self, first: Schema) -> Self {
        Self { when: self.when.and(first.and_later()), ..self }
    }

    pub const fn before(self, end: Schema) -> Self {
        Self { when: self.when.and(end.before()), ..self }
    }
}

/// Any number of elements.
pub(super) const fn any(shapes: &'static Shapes) -> Slot {
    Slot { shapes, least: 0, most: usize::MAX, when: SchemaSet::ALL, place: 0, lags: &[] }
}

/// One or more elements.
pub(super) const fn some(shapes: &'static Shapes) -> Slot {
    Slot { least: 1, ..any(shapes) }
}

/// One element.
pub(super) const fn one(shapes: &'static Shapes) -> Slot {
    Slot { least: 1, most: 1, ..any(shapes) }
}

/// An element, or none.
pub(super) const fn at_most_one(shapes: &'static Shapes) -> Slot {
    Slot { most: 1, ..any(shapes) }
}

impl Slot {
    pub const fn since(self, first: Schema) -> Self {
        Self { when: self.when.and(first.and_later()), ..self }
    }

    pub const fn before(self, end: Schema) -> Self {
        Self { when: self.when.and(end.before()), ..self }
    }

    /// Behind the slots of lower places.
    pub const fn at(self, place: u8) -> Self {
        Self { place, ..self }
    }

    pub const fn lagging(self, lags: &'static [Lag]) -> Self {
        Self { lags, ..self }
    }
}

impl Form {
    /// A form of all schemas.
    pub const fn new(attrs: &'static [Attr], content: &'static [Slot]) -> Self {
        Self { when: SchemaSet::ALL, attrs, content: Content::Slots(content) }
    }

    pub const fn since(self, first: Schema) -> Self {
        Self { when: self.when.and(first.and_later()), ..self }
    }

    pub const fn before(self, end: Schema) -> Self {
        Self { when: self.when.and(end.before()), ..self }
    }
}

impl Shape {
    /// A shape of one form.
    pub const fn simple(name: &'static str, attrs: &'static [Attr], forms: &'static [Form; 1]) -> Self {
        Self { name, attrs, forms }
    }
}
