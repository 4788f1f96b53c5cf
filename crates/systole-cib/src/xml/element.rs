//! Reading a document: elements, their attributes and what is below them.

use super::{
    Content, Document, Key, Position,
    document::{NONE, TEXT},
};
use std::fmt;

/// One element of a document, to be read. Cheap to copy; edits go through [`Document`] by [`Element::key`].
#[derive(Clone, Copy)]
pub struct Element<'d> {
    pub(super) document: &'d Document,
    pub(super) key: u32,
}

impl<'d> Element<'d> {
    /// The key by which the document can be edited here.
    pub fn key(self) -> Key {
        Key(self.key)
    }

    /// The document this is an element of.
    pub fn document(self) -> &'d Document {
        self.document
    }

    /// The element's name.
    pub fn name(self) -> &'d str {
        self.document.names.get(self.document.nodes[self.key as usize].name)
    }

    /// Whether the element has this name.
    pub fn is(self, name: &str) -> bool {
        self.name() == name
    }

    /// An attribute's value.
    pub fn attr(self, name: &str) -> Option<&'d str> {
        let name = self.document.names.find(name)?;
        let attr = self.document.attrs_of(self.key).iter().find(|attr| attr.name == name)?;
        Some(self.document.slice(attr.value))
    }

    /// The values of the attributes that `columns` names, in that order.
    pub(crate) fn pick<const N: usize>(self, columns: &Columns<N>) -> [Option<&'d str>; N] {
        let mut values = [None; N];
        for attr in self.document.attrs_of(self.key) {
            let column = columns.of_name.get(attr.name as usize).copied().unwrap_or(NO_COLUMN);
            if let Some(value) = values.get_mut(usize::from(column)) {
                *value = Some(self.document.slice(attr.value));
            }
        }
        values
    }

    /// `id`.
    pub fn id(self) -> Option<&'d str> {
        self.attr("id")
    }

    /// All attributes, in order, with their values.
    pub fn attrs(self) -> Attributes<'d> {
        Attributes { element: self, next: 0 }
    }

    /// How many attributes there are.
    pub(crate) fn n_attrs(self) -> usize {
        self.document.attrs_of(self.key).len()
    }

    /// Where the element's tag begins in the text the document was read from; `None` for what was added since.
    pub fn position(self) -> Option<Position> {
        let at = self.document.nodes[self.key as usize].at;
        (at != NONE).then(|| self.document.position(at))
    }

    /// The element around this one.
    pub fn parent(self) -> Option<Element<'d>> {
        let parent = self.document.nodes[self.key as usize].parent;
        (parent != NONE && parent != 0).then_some(Element { document: self.document, key: parent })
    }

    /// Child elements in order.
    pub fn children(self) -> Children<'d> {
        Children { document: self.document, next: self.document.nodes[self.key as usize].first }
    }

    /// The first child element of this name.
    pub fn child(self, name: &str) -> Option<Element<'d>> {
        self.children().find(|child| child.is(name))
    }

    /// Child elements of this name.
    pub fn children_named(self, name: &'d str) -> impl Iterator<Item = Element<'d>> + Clone {
        self.children().filter(move |child| child.is(name))
    }

    /// The next sibling that is an element.
    pub fn next_sibling(self) -> Option<Element<'d>> {
        Children { document: self.document, next: self.document.nodes[self.key as usize].next }.next()
    }

    /// This element and all below it, in document order.
    pub fn descendants(self) -> Descendants<'d> {
        Descendants { top: self.key, next: Some(self) }
    }

    /// The text directly inside, pieces joined.
    pub fn text(self) -> String {
        let contents = self.document.contents(self.key());
        contents
            .filter_map(|(_, content)| if let Content::Text(text) = content { Some(text) } else { None })
            .collect()
    }

    /// Whether there is text directly inside.
    pub fn has_text(self) -> bool {
        let first = self.document.nodes[self.key as usize].first;
        self.document.siblings(first).any(|at| self.document.nodes[at as usize].name == TEXT)
    }
}

impl PartialEq for Element<'_> {
    /// Same name, attributes in the same order, and same contents.
    fn eq(&self, other: &Self) -> bool {
        let (mut left, mut right) = (walk(*self), walk(*other));
        loop {
            match (left.next(), right.next()) {
                (None, None) => return true,
                (Some((a, a_depth, a_key)), Some((b, b_depth, b_key))) => {
                    let same_attrs = match (a, b) {
                        (Content::Element(_), Content::Element(_)) => {
                            self.document.element(a_key).attrs().eq(other.document.element(b_key).attrs())
                        }
                        _ => true,
                    };
                    if a != b || a_depth != b_depth || !same_attrs {
                        return false;
                    }
                }
                _ => return false,
            }
        }
    }
}

impl fmt::Debug for Element<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}", self.name())?;
        self.attrs().try_for_each(|(name, value)| write!(f, " {name}={value:?}"))?;
        f.write_str(">")
    }
}

/// Every node from `top` down in document order, with its depth.
fn walk(top: Element<'_>) -> impl Iterator<Item = (Content<'_>, usize, Key)> {
    let document = top.document;
    let mut next = Some((top.key, 0_usize));
    std::iter::from_fn(move || {
        let (at, depth) = next?;
        let node = &document.nodes[at as usize];
        next = if node.first != NONE {
            Some((node.first, depth + 1))
        } else {
            let (mut up, mut up_depth) = (at, depth);
            loop {
                if up == top.key {
                    break None;
                }
                let node = &document.nodes[up as usize];
                if node.next != NONE {
                    break Some((node.next, up_depth));
                }
                (up, up_depth) = (node.parent, up_depth - 1);
            }
        };
        Some((document.content(Key(at)), depth, Key(at)))
    })
}

/// Names of attributes that are wanted of many elements of one document. Void once the document is edited.
pub(crate) struct Columns<const N: usize> {
    /// By the names' numbers.
    of_name: Vec<u8>,
}

const NO_COLUMN: u8 = u8::MAX;

impl<const N: usize> Columns<N> {
    /// Where `names` are in `document`.
    pub fn new(document: &Document, names: &[&str; N]) -> Self {
        assert!(N < usize::from(NO_COLUMN), "so few that a byte can number them");
        let mut of_name = Vec::new();
        for (column, name) in (0..).zip(names) {
            let Some(number) = document.names.find(name) else { continue };
            if of_name.len() <= number as usize {
                of_name.resize(number as usize + 1, NO_COLUMN);
            }
            of_name[number as usize] = column;
        }
        Self { of_name }
    }
}

/// Attributes in order.
#[derive(Clone)]
pub struct Attributes<'d> {
    element: Element<'d>,
    next: usize,
}

impl<'d> Iterator for Attributes<'d> {
    type Item = (&'d str, &'d str);

    fn next(&mut self) -> Option<Self::Item> {
        let document = self.element.document;
        let attr = document.attrs_of(self.element.key).get(self.next)?;
        self.next += 1;
        Some((document.names.get(attr.name), document.slice(attr.value)))
    }
}

/// Child elements in order.
#[derive(Clone)]
pub struct Children<'d> {
    document: &'d Document,
    next: u32,
}

impl<'d> Iterator for Children<'d> {
    type Item = Element<'d>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.next != NONE {
            let key = self.next;
            let node = &self.document.nodes[key as usize];
            self.next = node.next;
            if node.name < u32::MAX - 3 {
                return Some(Element { document: self.document, key });
            }
        }
        None
    }
}

/// An element and all below it, in document order.
#[derive(Clone)]
pub struct Descendants<'d> {
    top: u32,
    next: Option<Element<'d>>,
}

impl<'d> Iterator for Descendants<'d> {
    type Item = Element<'d>;

    fn next(&mut self) -> Option<Self::Item> {
        let current = self.next?;
        self.next = current.children().next().or_else(|| {
            let mut up = current;
            loop {
                if up.key == self.top {
                    return None;
                }
                if let Some(next) = up.next_sibling() {
                    return Some(next);
                }
                up = up.parent()?;
            }
        });
        Some(current)
    }
}
