//! Whether a configuration is well spoken: which elements, attributes and values a schema of the configuration language has.
//!
//! `validate-with` names the schema a CIB is written in. The language is a table (`language`), in which every entry says in
//! which schemas it holds; one pass over a document tells all the schemas that it fits.

mod faults;
mod ids;
mod judge;
mod kind;
mod language;
mod shape;
mod version;

pub use version::{Schema, SchemaSet};

use crate::{Diagnostic, xml::Document};
use faults::Faults;
use judge::Judge;

/// The schemas that the document fits.
pub fn fitting(document: &Document) -> SchemaSet {
    fitting_of(document, SchemaSet::ALL)
}

/// Those of some schemas that the document fits.
pub fn fitting_of(document: &Document, schemas: SchemaSet) -> SchemaSet {
    if !document.root().is(language::CIB.name) {
        return SchemaSet::NONE;
    }
    let mut judge = Judge::silent();
    let fits = judge.element(document.root(), &language::CIB, schemas);
    judge.ids.check().into_iter().fold(fits, |fits, (_, at)| fits.without(at))
}

/// What is wrong with the document by a schema.
pub fn check(document: &Document, schema: Schema) -> Vec<Diagnostic> {
    let mut judge = Judge::telling();
    judge.element(document.root(), &language::CIB, schema.alone());
    let ids = std::mem::take(&mut judge.ids);
    let mut faults: Faults<'_> = judge.into_faults();
    for (fault, at) in ids.check() {
        if at.has(schema) {
            faults.push(fault);
        }
    }
    faults.into_diagnostics()
}
