//! Results for programs: a tree that is written as XML in Pacemaker's `<pacemaker-result>` envelope, or as JSON.
//!
//! In JSON an element is an object: its attributes by name, its children in arrays by their element's name, its text
//! as `text`.

use serde_json::{Map, Value as Json};
use systole_cib::xml::{escape_attribute, escape_text};

/// The version of Pacemaker's result schema that is followed.
pub const API_VERSION: &str = "2.42";

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text.
    Text(String),
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

macro_rules! from_int {
    ($($int:ty),*) => { $(impl From<$int> for Value {
        fn from(value: $int) -> Self {
            Self::Int(i64::try_from(value).unwrap_or(i64::MAX))
        }
    })* };
}
from_int!(i64, i32, u32, u64, usize);

/// An element.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    name: String,
    attrs: Vec<(String, Value)>,
    children: Vec<Tree>,
    text: Option<String>,
    is_raw: bool,
}

impl Tree {
    /// An element called `name`.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), attrs: Vec::new(), children: Vec::new(), text: None, is_raw: false }
    }

    /// An element with text in it.
    pub fn with_text(name: &str, text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), ..Self::new(name) }
    }

    /// An element whose text is written as CDATA: for XML within XML.
    pub fn with_cdata(name: &str, text: impl Into<String>) -> Self {
        Self { text: Some(text.into()), is_raw: true, ..Self::new(name) }
    }

    /// A copy of a piece of a CIB.
    pub fn from_element(element: systole_cib::xml::Element<'_>) -> Self {
        Self {
            name: element.name().to_owned(),
            attrs: element.attrs().map(|(name, value)| (name.to_owned(), value.into())).collect(),
            children: element.children().map(Self::from_element).collect(),
            text: element.has_text().then(|| element.text()),
            is_raw: false,
        }
    }

    /// With an attribute.
    #[must_use]
    pub fn attr(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.attrs.push((name.to_owned(), value.into()));
        self
    }

    /// With an attribute if there is a value for it.
    #[must_use]
    pub fn maybe<V: Into<Value>>(self, name: &str, value: Option<V>) -> Self {
        match value {
            Some(value) => self.attr(name, value),
            None => self,
        }
    }

    /// With a child.
    #[must_use]
    pub fn child(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    /// With children.
    #[must_use]
    pub fn children(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        self.children.extend(children);
        self
    }

    /// Adds a child.
    pub fn push(&mut self, child: Self) {
        self.children.push(child);
    }

    /// Whether it has no children.
    pub fn is_childless(&self) -> bool {
        self.children.is_empty()
    }

    /// As indented XML.
    pub fn to_xml(&self) -> String {
        let mut out = String::new();
        self.write(0, &mut out);
        out
    }

    fn write(&self, depth: usize, out: &mut String) {
        let indent = "  ".repeat(depth);
        out.push_str(&indent);
        out.push('<');
        out.push_str(&self.name);
        for (name, value) in &self.attrs {
            out.push_str(&format!(" {name}=\""));
            match value {
                Value::Text(text) => escape_attribute(out, text),
                Value::Bool(value) => out.push_str(&value.to_string()),
                Value::Int(value) => out.push_str(&value.to_string()),
            }
            out.push('"');
        }
        match (&self.text, self.children.is_empty()) {
            (None, true) => out.push_str("/>\n"),
            (Some(text), true) => {
                out.push('>');
                if self.is_raw {
                    out.push_str(&format!("<![CDATA[{}]]>", text.replace("]]>", "]]]]><![CDATA[>")));
                } else {
                    escape_text(out, text);
                }
                out.push_str(&format!("</{}>\n", self.name));
            }
            (text, false) => {
                out.push('>');
                if let Some(text) = text {
                    escape_text(out, text);
                }
                out.push('\n');
                for child in &self.children {
                    child.write(depth + 1, out);
                }
                out.push_str(&format!("{indent}</{}>\n", self.name));
            }
        }
    }

    /// As JSON: see the module's description.
    pub fn to_json(&self) -> Json {
        let mut object = Map::new();
        for (name, value) in &self.attrs {
            let value = match value {
                Value::Text(text) => Json::from(text.clone()),
                Value::Bool(value) => Json::from(*value),
                Value::Int(value) => Json::from(*value),
            };
            object.insert(name.clone(), value);
        }
        if let Some(text) = &self.text {
            object.insert("text".to_owned(), Json::from(text.clone()));
        }
        for child in &self.children {
            let list = object.entry(child.name.clone()).or_insert_with(|| Json::Array(Vec::new()));
            match list {
                Json::Array(list) => list.push(child.to_json()),
                // An attribute of that name: the children go beside it.
                _ => {
                    let list = object
                        .entry(format!("{}_list", child.name))
                        .or_insert_with(|| Json::Array(Vec::new()));
                    if let Json::Array(list) = list {
                        list.push(child.to_json());
                    }
                }
            }
        }
        Json::Object(object)
    }
}

/// The whole result of a tool: what it says, and how it ended.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// The command line.
    pub request: String,
    /// What was said.
    pub content: Vec<Tree>,
    /// The exit code.
    pub code: u8,
    /// The exit code in words.
    pub message: String,
    /// What went wrong.
    pub errors: Vec<String>,
}

impl Envelope {
    fn tree(&self) -> Tree {
        let mut status =
            Tree::new("status").attr("code", u32::from(self.code)).attr("message", self.message.as_str());
        if !self.errors.is_empty() {
            let errors = self.errors.iter().map(|error| Tree::with_text("error", error.as_str()));
            status.push(Tree::new("errors").children(errors));
        }
        Tree::new("pacemaker-result")
            .attr("api-version", API_VERSION)
            .attr("request", self.request.as_str())
            .children(self.content.iter().cloned())
            .child(status)
    }

    /// As XML.
    pub fn to_xml(&self) -> String {
        self.tree().to_xml()
    }

    /// As XML in the root element that `crm_mon --as-xml` wrote before there was an envelope.
    pub fn to_legacy_xml(&self, version: &str) -> String {
        let root = Tree::new("crm_mon").attr("version", version).children(self.content.iter().cloned());
        root.to_xml()
    }

    /// As JSON, a line.
    pub fn to_json(&self) -> String {
        format!("{:#}\n", self.tree().to_json())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tree_gives_xml_and_json() {
        let tree = Tree::new("nodes")
            .attr("resource", "a<b")
            .child(Tree::with_text("node", "x&y"))
            .child(Tree::with_text("node", "z"));
        assert_eq!(
            tree.to_xml(),
            "<nodes resource=\"a&lt;b\">\n  <node>x&amp;y</node>\n  <node>z</node>\n</nodes>\n"
        );
        assert_eq!(tree.to_json().to_string(), r#"{"node":[{"text":"x&y"},{"text":"z"}],"resource":"a<b"}"#);
    }
}
