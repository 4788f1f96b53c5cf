//! The configuration language as a table: which elements stand where, with which attributes, since when and until when.
//!
//! Sources: Pacemaker Explained, and the behaviour of Pacemaker 3.0.2 (what it takes as valid under each schema). An entry
//! without a limit is of all schemas.

mod constraints;
mod resources;
mod rules;
mod sections;
mod sets;

pub(super) use sections::CIB;

use super::{kind::Word, version::Schema};

/// A word of all schemas.
const fn word(word: &'static str) -> Word {
    (word, super::version::SchemaSet::ALL)
}

/// A word of the schemas from `first` on.
const fn since(word: &'static str, first: Schema) -> Word {
    (word, first.and_later())
}

/// A word of the schemas before `end`.
const fn before(word: &'static str, end: Schema) -> Word {
    (word, end.before())
}

/// A word of the schemas from `first` on and before `end`.
const fn between(word: &'static str, first: Schema, end: Schema) -> Word {
    (word, first.and_later().and(end.before()))
}

/// Roles of instances, as constraints and operations know them.
const ROLES: [Word; 6] = [
    word("Stopped"),
    word("Started"),
    word("Master"),
    word("Slave"),
    since("Promoted", Schema::V3_7),
    since("Unpromoted", Schema::V3_7),
];
