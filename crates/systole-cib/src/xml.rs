//! XML as a value that loses nothing a CIB is made of: elements in order, attributes in order, text and comments,
//! with the line and column each came from.
//!
//! Layout between elements is not kept (the writer has Pacemaker's own), nor are XML declarations and CDATA marks.
//! Document types are refused, so there are no entities but the five of XML itself.

mod changes;
mod document;
mod element;
mod error;
mod names;
mod parse;
mod text;
mod write;

pub(crate) use changes::{Changed, Mark};
pub use document::{Content, Document, Key, Position};
pub(crate) use element::Columns;
pub use element::{Attributes, Children, Descendants, Element};
pub use error::{XmlError, XmlProblem};
pub(crate) use parse::is_name;
pub use parse::{MAX_ATTRIBUTES, MAX_DEPTH};
pub use write::{Style, escape_attribute, escape_text};
