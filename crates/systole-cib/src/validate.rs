//! Whether a configuration may be written: what a schema would say about it, in words.

use crate::{
    diagnostic::{Diagnostic, ElementName, Severity},
    read,
    schema::{self, Schema},
    xml::{Document, Element},
};
use std::collections::BTreeSet;

/// Everything for which a write of this CIB is refused. With `validate-with="none"` that is nothing.
pub fn configuration(document: &Document) -> Vec<Diagnostic> {
    match declared(document) {
        Declared::Unchecked => Vec::new(),
        Declared::Known(schema) => schema::check(document, schema),
        Declared::Missing | Declared::Unknown => {
            let mut found = read::errors_of_configuration(document);
            found.extend(references(document));
            found
        }
    }
}

/// What a CIB says about the schema it is written in.
pub(crate) enum Declared {
    /// One of the schemas there are.
    Known(Schema),
    /// A name that is not known.
    Unknown,
    /// Nothing.
    Missing,
    /// That it is not to be checked.
    Unchecked,
}

pub(crate) fn declared(document: &Document) -> Declared {
    match document.root().attr("validate-with") {
        None => Declared::Missing,
        Some("none") => Declared::Unchecked,
        Some(name) => Schema::named(name).map_or(Declared::Unknown, Declared::Known),
    }
}

/// What a diagnostic says, wherever it stands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding(String, Option<String>, String);

impl Finding {
    pub fn of(diagnostic: &Diagnostic) -> Self {
        let ElementName { name, id } = diagnostic.element.clone();
        Self(name, id, diagnostic.message.clone())
    }
}

/// References in constraints, sets and primitives to ids that do not exist. Tags may name what is not there.
pub(crate) fn references(document: &Document) -> Vec<Diagnostic> {
    let Some(configuration) = document.root().child("configuration") else { return Vec::new() };
    let is_definition = |e: &Element<'_>| !matches!(e.name(), "resource_ref" | "obj_ref");
    let ids: BTreeSet<&str> =
        configuration.descendants().filter(is_definition).filter_map(Element::id).collect();
    let mut found = Vec::new();
    for element in configuration.descendants() {
        let attributes: &[&str] = match element.name() {
            "rsc_location" | "rsc_ticket" => &["rsc"],
            "rsc_colocation" => &["rsc", "with-rsc"],
            "rsc_order" => &["first", "then"],
            "resource_ref" => &["id"],
            "primitive" => &["template"],
            _ => continue,
        };
        for name in attributes {
            if let Some(target) = element.attr(name).filter(|target| !ids.contains(target)) {
                let message = format!("{name} refers to {target:?}, which does not exist");
                found.push(Diagnostic::about(Severity::Error, element, message));
            }
        }
    }
    found
}
