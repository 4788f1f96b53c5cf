//! Small edits that all steps need.

use crate::xml::{Document, Element, Key};

/// Elements below `<configuration>`, in document order.
pub(super) fn configuration(document: &Document) -> impl Iterator<Item = Element<'_>> {
    document.root().child("configuration").into_iter().flat_map(Element::descendants)
}

/// Keys of the elements that are of interest.
pub(super) fn keys<'d>(
    elements: impl Iterator<Item = Element<'d>>,
    is_wanted: impl Fn(Element<'d>) -> bool,
) -> Vec<Key> {
    elements.filter(|element| is_wanted(*element)).map(Element::key).collect()
}

/// A set that rules decide about.
pub(super) fn has_rule(set: Element<'_>) -> bool {
    set.child("rule").is_some()
}

/// A copy of an element, to be put in elsewhere in its document.
pub(super) fn piece(element: Element<'_>) -> Document {
    let mut piece = Document::new("piece");
    let root = piece.root_key();
    piece.replace(root, element);
    piece
}

/// Adds a copy of one of the document's own elements.
pub(super) fn copy_into(document: &mut Document, from: Key, parent: Key, before: Option<Key>) -> Key {
    let piece = piece(document.element(from));
    document.import(parent, before, piece.root())
}

/// Adds an element with these attributes to the end of another.
pub(super) fn append(document: &mut Document, parent: Key, name: &str, attrs: &[(&str, &str)]) -> Key {
    let key = document.append(parent, name);
    for (name, value) in attrs {
        document.set_attr(key, name, value);
    }
    key
}

/// An attribute's value of one's own.
pub(super) fn attr(document: &Document, key: Key, name: &str) -> String {
    document.element(key).attr(name).unwrap_or_default().to_owned()
}

/// Gives an attribute another name; it keeps its value.
pub(super) fn rename_attr(document: &mut Document, key: Key, old: &str, new: &str) {
    if let Some(value) = document.element(key).attr(old).map(str::to_owned) {
        document.remove_attr(key, old);
        document.set_attr(key, new, &value);
    }
}
