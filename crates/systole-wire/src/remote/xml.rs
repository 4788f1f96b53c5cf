//! Reading and writing the attributes of messages.

use systole_cib::xml::{Document, Element, Key, Style, XmlError};

/// Text that is not the message it should be. The connection goes on; the message is dropped.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// Not XML.
    #[error("a message is not XML")]
    Xml(#[from] XmlError),
    /// An element that nobody knows.
    #[error("unknown message <{element}> ({operation:?})")]
    Unknown {
        /// The root element.
        element: String,
        /// Its `lrmd_op` or `lrmd_ipc_op`.
        operation: String,
    },
    /// Something is missing, or is not a number.
    #[error("<{element}> has no usable {attribute}")]
    Attribute {
        /// The element.
        element: String,
        /// The attribute.
        attribute: &'static str,
    },
}

/// Attributes as messages need them.
pub(super) trait Attributes {
    /// The attribute, which has to be there.
    fn need(&self, attribute: &'static str) -> Result<&str, MessageError>;
    /// The attribute as a number, 0 if it is not there or is none.
    fn number<T: std::str::FromStr + Default>(&self, attribute: &str) -> T;
}

impl Attributes for Element<'_> {
    fn need(&self, attribute: &'static str) -> Result<&str, MessageError> {
        self.attr(attribute)
            .ok_or_else(|| MessageError::Attribute { element: self.name().to_owned(), attribute })
    }

    fn number<T: std::str::FromStr + Default>(&self, attribute: &str) -> T {
        self.attr(attribute).and_then(|value| value.parse().ok()).unwrap_or_default()
    }
}

/// A document under construction.
pub(super) struct Builder {
    pub document: Document,
    at: Key,
}

impl Builder {
    pub fn new(root: &str) -> Self {
        let document = Document::new(root);
        let at = document.root_key();
        Self { document, at }
    }

    pub fn set(mut self, attribute: &str, value: impl ToString) -> Self {
        let value = value.to_string();
        // XML has no way to write control characters, and a peer would drop the whole message.
        let is_fit = |c: char| match c {
            '\t' | '\n' | '\r' => true,
            '\u{fffe}' | '\u{ffff}' => false,
            other => other >= ' ',
        };
        if value.chars().all(is_fit) {
            self.document.set_attr(self.at, attribute, &value);
        } else {
            let value: String = value.chars().map(|c| if is_fit(c) { c } else { '\u{fffd}' }).collect();
            self.document.set_attr(self.at, attribute, &value);
        }
        self
    }

    pub fn set_some(self, attribute: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.set(attribute, value),
            None => self,
        }
    }

    /// Goes on inside a new child of the present element.
    pub fn inside(mut self, child: &str) -> Self {
        self.at = self.document.append(self.at, child);
        self
    }

    /// Goes back to the parent.
    pub fn outside(mut self) -> Self {
        self.at = self.document.element(self.at).parent().map_or(self.document.root_key(), Element::key);
        self
    }

    /// Copies `element` into the present one.
    pub fn import(mut self, element: Element<'_>) -> Self {
        self.document.import(self.at, None, element);
        self
    }

    pub fn text(&self) -> String {
        self.document.write(Style::Compact)
    }
}
