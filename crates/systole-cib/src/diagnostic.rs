//! What a reader of a CIB has to say about it, and about which element.

use crate::xml::{Element, Position};
use std::{fmt, sync::Arc};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Understood, though without use: no reason to refuse a configuration.
    Advice,
    /// Understood, and will not be for ever.
    Deprecated,
    /// Worth knowing: it is understood, but pointless or probably not what was meant.
    Warning,
    /// A part of the CIB is left out of account.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Advice | Self::Deprecated | Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One thing that is wrong with a CIB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The file the CIB was read from, if that is known.
    pub file: Option<Arc<str>>,
    /// Where in that file; `None` for what was added since.
    pub position: Option<Position>,
    /// The element it is about.
    pub element: ElementName,
    /// What is wrong and what to do: a sentence without full stop.
    pub message: String,
}

impl fmt::Display for Diagnostic {
    /// `error: cib.xml:12:5: <primitive id="vip">: class is missing`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.severity)?;
        match (&self.file, self.position) {
            (Some(file), Some(position)) => write!(f, "{file}:{position}: ")?,
            (Some(file), None) => write!(f, "{file}: ")?,
            (None, Some(position)) => write!(f, "line {}, column {}: ", position.line, position.column)?,
            (None, None) => {}
        }
        write!(f, "{}: {}", self.element, self.message)
    }
}

/// An element as people find it again: by its name and `id`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ElementName {
    /// The element's name.
    pub name: String,
    /// `id`, if it has one.
    pub id: Option<String>,
}

impl ElementName {
    /// How `element` is called.
    pub fn of(element: Element<'_>) -> Self {
        Self { name: element.name().to_owned(), id: element.id().map(str::to_owned) }
    }
}

impl fmt::Display for ElementName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.id {
            Some(id) => write!(f, "<{} id=\"{id}\">", self.name),
            None => write!(f, "<{}>", self.name),
        }
    }
}

impl Diagnostic {
    /// A diagnostic about `element`.
    pub fn about(severity: Severity, element: Element<'_>, message: impl Into<String>) -> Self {
        Self {
            severity,
            file: element.document().file().cloned(),
            position: element.position(),
            element: ElementName::of(element),
            message: message.into(),
        }
    }
}
