//! The part of XPath 1.0 that clients of the CIB use.
//!
//! Covered: paths from the root or from anywhere (`/`, `//`), unions (`|`), every axis but `namespace`, `following`
//! and `preceding`, name tests, `*`, `node()`, `text()`, predicates with `and`, `or`, `not()`, comparisons of strings
//! and numbers, positions, and the functions `not true false position last count name local-name string number
//! contains starts-with string-length normalize-space translate concat id`. Anything else (arithmetic, variables) is an error
//! that says so.
//!
//! Of an expression that ends in an attribute, [`find`] tells the elements that have it, and [`matches`] which attribute.

mod eval;
mod parse;

use crate::xml::{Document, Element, Key};

/// Why nothing could be searched for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XPathError {
    /// Not an expression, or one with parts that are not covered.
    #[error("XPath {expression:?} cannot be read at character {at}: {problem}")]
    Syntax {
        /// The expression.
        expression: String,
        /// Characters before the place.
        at: usize,
        /// What is wrong.
        problem: String,
    },
    /// The expression gives a string, number or boolean.
    #[error("XPath {0:?} does not find elements")]
    NotElements(String),
    /// The search was given up.
    #[error("XPath {0:?} takes too long: name the elements on the way instead of using // more than once")]
    TooCostly(String),
}

/// An expression, ready to be searched with.
#[derive(Clone, Debug)]
pub struct XPath {
    text: String,
    expression: parse::Expr,
}

impl XPath {
    /// Reads an expression.
    ///
    /// # Errors
    /// If it is none, or has parts that are not covered.
    pub fn parse(text: &str) -> Result<Self, XPathError> {
        let expression = parse::parse(text)?;
        Ok(Self { text: text.to_owned(), expression })
    }

    /// Whether attributes are found, not elements.
    pub fn ends_in_attribute(&self) -> bool {
        self.expression.ends_in_attribute()
    }

    /// Whether predicates or steps follow parentheses, at any place.
    pub fn has_filters(&self) -> bool {
        self.expression.has_filters()
    }

    /// The elements found, each once, in document order.
    ///
    /// # Errors
    /// If the expression does not find elements, or the search takes too long.
    pub fn find<'d>(&self, document: &'d Document) -> Result<Vec<Element<'d>>, XPathError> {
        let mut found: Vec<Element<'d>> = self.matches(document)?.into_iter().map(|it| it.element).collect();
        found.dedup();
        Ok(found)
    }

    /// What is found, in document order.
    ///
    /// # Errors
    /// As [`XPath::find`].
    pub fn matches<'d>(&self, document: &'d Document) -> Result<Vec<Match<'d>>, XPathError> {
        let found = eval::find(&self.expression, document).map_err(|stop| match stop {
            eval::Stop::TooCostly => XPathError::TooCostly(self.text.clone()),
            eval::Stop::NotNodes => XPathError::NotElements(self.text.clone()),
        })?;
        let of = |(key, attribute)| Match { element: document.element(key), attribute };
        Ok(found.into_iter().map(of).collect())
    }
}

/// An element that was found, or one of its attributes.
#[derive(Clone, Copy, Debug)]
pub struct Match<'d> {
    /// The element that was found, or has what was found.
    pub element: Element<'d>,
    /// The name of the attribute that was found.
    pub attribute: Option<&'d str>,
}

/// Finds elements and attributes by an expression.
///
/// # Errors
/// As [`find`].
pub fn matches<'d>(document: &'d Document, expression: &str) -> Result<Vec<Match<'d>>, XPathError> {
    XPath::parse(expression)?.matches(document)
}

/// Finds elements by an expression.
///
/// # Errors
/// If it is none, has parts that are not covered, does not find elements, or takes too long.
pub fn find<'d>(document: &'d Document, expression: &str) -> Result<Vec<Element<'d>>, XPathError> {
    XPath::parse(expression)?.find(document)
}

/// The path by which Pacemaker names an element: `/cib/configuration/resources/primitive[@id='vip']`.
pub fn path_of(element: Element<'_>) -> String {
    let mut steps = Vec::new();
    let mut at = Some(element);
    while let Some(element) = at {
        steps.push(match element.id() {
            Some(id) => format!("/{}[@id='{id}']", element.name()),
            None => format!("/{}", element.name()),
        });
        at = element.parent();
    }
    steps.reverse();
    steps.concat()
}

/// The element at a path as [`path_of`] writes it.
pub(crate) fn at_path(document: &Document, path: &str) -> Option<Key> {
    let mut rest = path.strip_prefix('/')?;
    let mut at: Option<Element<'_>> = None;
    loop {
        let (name, id, after) = step(rest)?;
        let matches = |e: &Element<'_>| e.is(name) && id.is_none_or(|id| e.id() == Some(id));
        at = Some(match at {
            None => Some(document.root()).filter(matches)?,
            Some(parent) => parent.children().find(matches)?,
        });
        if after.is_empty() {
            return at.map(Element::key);
        }
        rest = after.strip_prefix('/')?;
    }
}

/// The first step of a path: name, id, and what follows.
fn step(path: &str) -> Option<(&str, Option<&str>, &str)> {
    let end = path.find(['/', '[']).unwrap_or(path.len());
    let (name, rest) = path.split_at(end);
    let Some(predicate) = rest.strip_prefix("[@id='") else {
        return rest
            .starts_with('/')
            .then_some((name, None, rest))
            .or((rest.is_empty()).then_some((name, None, "")));
    };
    let close = predicate.find("']")?;
    Some((name, Some(&predicate[..close]), &predicate[close + 2..]))
}
