//! What a query answers.

use super::{CibCall, Failure, Scope, apply::OpError, sections};
use crate::{
    xml::{Document, Element, Style},
    xpath::{self, Match},
};

/// What the call asks for, as text.
pub(super) fn query(document: &Document, call: &CibCall) -> Result<String, OpError> {
    let write = |element: Element<'_>| {
        if call.options.no_children { element.tag_to_text() + "\n" } else { element.to_text() }
    };
    match &call.scope {
        Scope::All => Ok(write(document.root())),
        Scope::Section(name) => Ok(write(sections::find(document, name)?)),
        Scope::XPath(expression) => {
            let found = xpath_matches(document, expression)?;
            if let [Match { element, attribute: None }] = found[..] {
                return Ok(write(element));
            }
            let mut all = Document::new("xpath-query");
            let root = all.root_key();
            for Match { element, attribute } in found {
                match attribute {
                    // Of several attributes of one name the last stays.
                    Some(name) => _ = all.set_attr(root, name, element.attr(name).unwrap_or("")),
                    None if call.options.no_children => {
                        let copy = Document::parse(element.tag_to_text())?;
                        all.import(root, None, copy.root());
                    }
                    None => _ = all.import(root, None, element),
                }
            }
            Ok(all.write(Style::Indented))
        }
    }
}

/// What an XPath finds, which is something.
pub(super) fn xpath_matches<'d>(document: &'d Document, expression: &str) -> Result<Vec<Match<'d>>, OpError> {
    let found = xpath::matches(document, expression)?;
    if found.is_empty() {
        return Err(OpError::new(Failure::NotFound, format!("XPath {expression:?} finds nothing")));
    }
    Ok(found)
}
