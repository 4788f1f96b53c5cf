//! What is wrong with a text that is not XML.

use super::Position;

/// A text could not be read as XML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {}, column {}: {problem}", position.line, position.column)]
pub struct XmlError {
    /// Where.
    pub position: Position,
    /// What.
    pub problem: XmlProblem,
}

/// What can be wrong with XML.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XmlProblem {
    /// Markup that cannot be told apart.
    #[error("not well formed: {0}")]
    Syntax(String),
    /// No element at all.
    #[error("there is no XML element here")]
    NoElement,
    /// The text ends inside an element.
    #[error("<{0}> is not closed before the end of the text")]
    NotClosed(String),
    /// A second element beside the root.
    #[error("<{0}> stands outside of the document's one root element")]
    SecondRoot(String),
    /// Text beside the root.
    #[error("there is text outside of the root element")]
    TextOutside,
    /// Something that cannot be the name of an element or attribute.
    #[error("{0:?} cannot be a name in XML")]
    BadName(String),
    /// An attribute without `=` and a quoted value.
    #[error("attribute {0} needs a value in quotes")]
    BadAttribute(String),
    /// An attribute given twice.
    #[error("attribute {attribute} of <{element}> is given twice")]
    DuplicateAttribute {
        /// The element's name.
        element: String,
        /// The attribute's name.
        attribute: String,
    },
    /// `&name;` other than the five of XML, or not closed.
    #[error("{0} is not an entity that is known here: write & as &amp;")]
    UnknownEntity(String),
    /// `<` inside of an attribute's value.
    #[error("an attribute's value contains <: write it as &lt;")]
    BareLess,
    /// A character that XML does not allow at all.
    #[error("character U+{0:04X} is not allowed in XML")]
    BadCharacter(u32),
    /// `<!DOCTYPE ...>`.
    #[error("document type declarations are not accepted: remove <!DOCTYPE ...>")]
    DocumentType,
    /// Elements within elements beyond [`super::MAX_DEPTH`].
    #[error("elements are nested deeper than {} levels", super::MAX_DEPTH)]
    TooDeep,
    /// More than [`super::MAX_ATTRIBUTES`] attributes.
    #[error("an element has more than {} attributes", super::MAX_ATTRIBUTES)]
    TooManyAttributes,
    /// More bytes than can be addressed.
    #[error("the text is larger than 2 GiB")]
    TooLarge,
}
