//! From document to typed view: [`Cib::parse`] and [`read`].
//!
//! Nothing here fails. What cannot be understood is left out and told as a [`Diagnostic`]; the rest goes on.

mod configuration;
mod constraints;
mod context;
mod resources;
mod rules;
mod sets;
mod status;
mod view;

use crate::{
    diagnostic::{Diagnostic, Severity},
    model::{Cib, DateCondition, Rule},
    xml::{Document, Element, XmlError},
};
use context::Reader;

impl Cib {
    /// Reads a CIB from its text.
    ///
    /// # Errors
    /// If the text is not XML. A text that is XML always gives a CIB, with diagnostics for what is wrong with it.
    pub fn parse(text: &str) -> Result<(Self, Vec<Diagnostic>), XmlError> {
        Ok(read(&Document::parse(text)?))
    }
}

pub(crate) use {configuration::version, sets::value_of};
pub use {context::parse_bool, view::View};

/// Everything in the configuration that cannot be understood, elements of unknown names included.
pub(crate) fn errors_of_configuration(document: &Document) -> Vec<Diagnostic> {
    let mut reader = Reader::new(document.root());
    reader.is_strict = true;
    let mut cib = Cib::default();
    match document.root().child("configuration") {
        Some(configuration) => reader.configuration(configuration, &mut cib),
        None => reader.error(document.root(), "<configuration> is missing"),
    }
    let mut diagnostics = reader.into_diagnostics();
    diagnostics.retain(|diagnostic| diagnostic.severity == Severity::Error);
    diagnostics
}

/// Reads one `<rule>` of a document, wherever it stands. `None`: it refers to itself, or to what is not there.
pub fn rule(element: Element<'_>) -> Option<Rule> {
    Reader::new(element.document().root()).rule(element)
}

/// Reads one `<date_expression>` of a document. `None`: something is missing that its operation needs.
pub fn date_condition(element: Element<'_>) -> Option<DateCondition> {
    Reader::new(element.document().root()).date_condition(element)
}

/// Reads the typed view of a CIB. Who reads the same document again and again has a [`View`].
pub fn read(document: &Document) -> (Cib, Vec<Diagnostic>) {
    let mut reader = Reader::new(document.root());
    let cib = reader.cib(document.root());
    (cib, reader.into_diagnostics())
}
