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

use crate::{
    diagnostic::Diagnostic,
    model::Cib,
    xml::{Document, XmlError},
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

/// Reads the typed view of a CIB.
pub fn read(document: &Document) -> (Cib, Vec<Diagnostic>) {
    let mut reader = Reader::new(document.root());
    let cib = reader.cib(document.root());
    (cib, reader.into_diagnostics())
}
