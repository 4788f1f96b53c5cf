//! The document: an arena of nodes, and the edits made to it.

use super::{
    Element,
    changes::{Change, Changed, Changes, Mark},
    names::Names,
    text::Text,
};
use std::{
    fmt,
    sync::{Arc, OnceLock},
};

/// Marks the absence of a node.
pub(super) const NONE: u32 = u32::MAX;
/// `Node::name` of a piece of text.
pub(super) const TEXT: u32 = u32::MAX;
/// `Node::name` of a comment.
pub(super) const COMMENT: u32 = u32::MAX - 1;
/// `Node::name` of a processing instruction.
pub(super) const INSTRUCTION: u32 = u32::MAX - 2;
/// `Node::name` of the document itself, which holds the root element and comments beside it.
const DOCUMENT: u32 = u32::MAX - 3;

/// A line and column of the source, both counted from 1; the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Line.
    pub line: u32,
    /// Column.
    pub column: u32,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A node of one document. Stays valid until the node is removed or the document tidied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(pub(super) u32);

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content<'d> {
    /// An element, by its name.
    Element(&'d str),
    /// Text, entities resolved.
    Text(&'d str),
    /// A comment.
    Comment(&'d str),
    /// A processing instruction, without `<?` and `?>`.
    Instruction(&'d str),
}

/// A stretch of [`Document::text`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Span {
    pub start: u32,
    pub len: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Attr {
    pub name: u32,
    pub value: Span,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub parent: u32,
    pub first: u32,
    pub last: u32,
    pub prev: u32,
    pub next: u32,
    /// A number in [`Names`], or one of the constants above.
    pub name: u32,
    /// Elements: their stretch of [`Document::attrs`]. Others: their stretch of [`Document::text`].
    pub span: Span,
    /// Byte offset in the source; `NONE` for what was made later.
    pub at: u32,
}

/// An XML document.
///
/// All nodes live in one vector and all values in one text, so a document of any size is cloned by a few copies of
/// memory, and what was read is not copied at all. What edits leave behind is reclaimed by [`Document::tidy`].
#[derive(Clone)]
pub struct Document {
    pub(super) nodes: Vec<Node>,
    pub(super) attrs: Vec<Attr>,
    /// The source, then every value that was unescaped or set later.
    pub(super) text: Text,
    pub(super) names: Names,
    pub(super) root: u32,
    file: Option<Arc<str>>,
    /// Length of the source at the front of `text`.
    pub(super) source_len: usize,
    /// Offsets at which the source's lines begin, once somebody asks for a line.
    lines: OnceLock<Arc<[u32]>>,
    /// Roughly how many bytes belong to nothing any more.
    wasted: usize,
    changes: Changes,
}

impl Document {
    /// A document of one element.
    pub fn new(root: &str) -> Self {
        let mut document = Self::empty();
        let key = document.append(Key(0), root);
        document.root = key.0;
        document
    }

    /// A document without its root yet, for the parser.
    pub(super) fn empty() -> Self {
        let top = Node {
            parent: NONE,
            first: NONE,
            last: NONE,
            prev: NONE,
            next: NONE,
            name: DOCUMENT,
            span: Span::default(),
            at: NONE,
        };
        Self {
            nodes: vec![top],
            attrs: Vec::new(),
            text: Text::default(),
            names: Names::default(),
            root: NONE,
            file: None,
            source_len: 0,
            lines: OnceLock::new(),
            wasted: 0,
            changes: Changes::default(),
        }
    }

    /// The same document, knowing which file it was read from.
    #[must_use]
    pub fn from_file(mut self, name: &str) -> Self {
        self.file = Some(name.into());
        self
    }

    /// The file the document was read from, if that was told.
    pub fn file(&self) -> Option<&Arc<str>> {
        self.file.as_ref()
    }

    /// The root element.
    pub fn root(&self) -> Element<'_> {
        self.element(Key(self.root))
    }

    /// The root element's key.
    pub fn root_key(&self) -> Key {
        Key(self.root)
    }

    /// The element of `key`.
    ///
    /// # Panics
    /// If `key` is not of an element of this document.
    pub fn element(&self, key: Key) -> Element<'_> {
        assert!(self.nodes[key.0 as usize].name < DOCUMENT, "the key is of an element");
        Element { document: self, key: key.0 }
    }

    /// The element of `key`, if that is of one.
    pub(crate) fn find_element(&self, key: Key) -> Option<Element<'_>> {
        (self.nodes[key.0 as usize].name < DOCUMENT).then_some(Element { document: self, key: key.0 })
    }

    /// The first element, in document order, with this `id`. Goes through all elements.
    pub fn find_id(&self, id: &str) -> Option<Element<'_>> {
        self.root().descendants().find(|element| element.id() == Some(id))
    }

    /// How many nodes the document has; removed ones count until it is tidied.
    pub fn n_nodes(&self) -> usize {
        self.nodes.len() - 1
    }

    /// A key beyond those of all nodes there are: what is added later has this one or a higher one.
    pub(crate) fn end_key(&self) -> Key {
        Key(to_u32(self.nodes.len()))
    }

    /// How many edits were made that changed something. Copies count on from there.
    pub(crate) fn n_edits(&self) -> u64 {
        self.changes.n_edits
    }

    /// This moment, to ask for the edits made since.
    pub(crate) fn mark(&self) -> Mark {
        self.changes.mark()
    }

    /// Edits since `mark`; `None` if that is of another document, or too long ago.
    pub(crate) fn changes_since(&self, mark: &Mark) -> Option<&[Change]> {
        self.changes.since(mark)
    }

    /// What a node is.
    pub fn content(&self, key: Key) -> Content<'_> {
        let node = &self.nodes[key.0 as usize];
        match node.name {
            TEXT => Content::Text(self.slice(node.span)),
            COMMENT => Content::Comment(self.slice(node.span)),
            INSTRUCTION => Content::Instruction(self.slice(node.span)),
            name => Content::Element(self.names.get(name)),
        }
    }

    /// All children of an element, text and comments too.
    pub fn contents(&self, parent: Key) -> impl Iterator<Item = (Key, Content<'_>)> {
        let first = self.nodes[parent.0 as usize].first;
        self.siblings(first).map(|at| (Key(at), self.content(Key(at))))
    }

    /// Comments and instructions before or after the root element, with which side they stand on.
    pub(super) fn beside_root(&self) -> impl Iterator<Item = (Key, bool)> {
        let mut is_after = false;
        self.siblings(self.nodes[0].first).filter_map(move |at| {
            is_after |= at == self.root;
            (at != self.root).then_some((Key(at), is_after))
        })
    }

    pub(super) fn siblings(&self, first: u32) -> impl Iterator<Item = u32> {
        std::iter::successors((first != NONE).then_some(first), |at| {
            let next = self.nodes[*at as usize].next;
            (next != NONE).then_some(next)
        })
    }

    pub(super) fn slice(&self, span: Span) -> &str {
        self.text.slice(span)
    }

    pub(super) fn attrs_of(&self, key: u32) -> &[Attr] {
        let span = self.nodes[key as usize].span;
        &self.attrs[span.start as usize..(span.start + span.len) as usize]
    }

    /// Where in the source the byte at `offset` is.
    pub(super) fn position(&self, offset: u32) -> Position {
        let lines = self.lines.get_or_init(|| {
            let source = &self.text.read().as_bytes()[..self.source_len];
            std::iter::once(0).chain(memchr::memchr_iter(b'\n', source).map(|at| to_u32(at + 1))).collect()
        });
        let line = lines.partition_point(|start| *start <= offset).max(1);
        let start = lines.get(line - 1).copied().unwrap_or(0) as usize;
        let before = self.text.read().as_bytes().get(start..offset as usize).unwrap_or_default();
        let column = before.iter().filter(|byte| !is_continuation(**byte)).count();
        Position { line: to_u32(line), column: to_u32(column + 1) }
    }
}

/// Edits.
impl Document {
    /// Adds an element at the end of `parent`'s children.
    pub fn append(&mut self, parent: Key, name: &str) -> Key {
        let name = self.names.intern(name);
        let key = self.push_node(name, Span { start: to_u32(self.attrs.len()), len: 0 }, NONE);
        self.link(key, parent, None);
        key
    }

    /// Adds an element before `sibling`.
    pub fn insert_before(&mut self, sibling: Key, name: &str) -> Key {
        let parent = Key(self.nodes[sibling.0 as usize].parent);
        let key = self.append(parent, name);
        self.move_to(key, parent, Some(sibling));
        key
    }

    /// Adds text at the end of `parent`'s children.
    pub fn append_text(&mut self, parent: Key, text: &str) -> Key {
        let span = self.push_text(text);
        let key = self.push_node(TEXT, span, NONE);
        self.link(key, parent, None);
        key
    }

    /// Adds a comment at the end of `parent`'s children.
    pub fn append_comment(&mut self, parent: Key, text: &str) -> Key {
        let span = self.push_text(text);
        let key = self.push_node(COMMENT, span, NONE);
        self.link(key, parent, None);
        key
    }

    /// Sets an attribute; a new one goes to the end. Whether anything changed.
    pub fn set_attr(&mut self, key: Key, name: &str, value: &str) -> bool {
        let name = self.names.intern(name);
        let span = self.nodes[key.0 as usize].span;
        for at in span.start as usize..(span.start + span.len) as usize {
            if self.attrs[at].name == name {
                let old = self.attrs[at].value;
                if self.slice(old) == value {
                    return false;
                }
                self.wasted += old.len as usize;
                self.changes.note(key, Changed::Attribute);
                self.attrs[at].value = self.push_text(value);
                return true;
            }
        }
        let value = self.push_text(value);
        self.changes.note(key, Changed::Attribute);
        self.push_attr(key, Attr { name, value });
        true
    }

    /// Removes an attribute. Whether it was there.
    pub fn remove_attr(&mut self, key: Key, name: &str) -> bool {
        let Some(name) = self.names.find(name) else { return false };
        let span = self.nodes[key.0 as usize].span;
        let (start, end) = (span.start as usize, (span.start + span.len) as usize);
        let Some(at) = self.attrs[start..end].iter().position(|attr| attr.name == name) else { return false };
        self.attrs.copy_within(start + at + 1..end, start + at);
        self.nodes[key.0 as usize].span.len -= 1;
        self.wasted += size_of::<Attr>();
        self.changes.note(key, Changed::Attribute);
        true
    }

    /// Gives an element another name.
    pub fn rename(&mut self, key: Key, name: &str) {
        self.nodes[key.0 as usize].name = self.names.intern(name);
        self.changes.note(Key(self.nodes[key.0 as usize].parent), Changed::Contents);
    }

    /// Takes a node and all below it out of the document.
    ///
    /// # Panics
    /// If `key` is the root's.
    pub fn remove(&mut self, key: Key) {
        assert_ne!(key.0, self.root, "the root element stays");
        self.wasted += self.weight(key);
        self.unlink(key);
    }

    /// Moves a node, with all below it, to `parent`: before one of its children, or to the end.
    ///
    /// # Panics
    /// If `parent` is the node itself or below it.
    pub fn move_to(&mut self, key: Key, parent: Key, before: Option<Key>) {
        if before == Some(key) {
            return;
        }
        let mut up = parent.0;
        while up != NONE {
            assert_ne!(up, key.0, "an element cannot move into itself");
            up = self.nodes[up as usize].parent;
        }
        self.unlink(key);
        self.link(key, parent, before);
    }

    /// Takes a node out, to be put back by [`Document::attach`].
    pub(crate) fn detach(&mut self, key: Key) {
        self.unlink(key);
    }

    /// Puts back what was taken out.
    pub(crate) fn attach(&mut self, key: Key, parent: Key, before: Option<Key>) {
        self.link(key, parent, before);
    }

    /// Copies an element, with all below it, from another document: before one of `parent`'s children, or to the end.
    pub fn import(&mut self, parent: Key, before: Option<Key>, from: Element<'_>) -> Key {
        let key = self.import_node(parent, from.document, from.key);
        if before.is_some() {
            self.move_to(key, parent, before);
        }
        key
    }

    /// Puts a copy of `from` where `key` is.
    pub fn replace(&mut self, key: Key, from: Element<'_>) -> Key {
        if key.0 == self.root {
            self.wasted += self.weight(key);
            let new = self.import(Key(0), Some(key), from);
            self.unlink(key);
            self.root = new.0;
            return new;
        }
        let parent = Key(self.nodes[key.0 as usize].parent);
        let new = self.import(parent, Some(key), from);
        self.remove(key);
        new
    }

    /// Reclaims what edits left behind, if that is much. Every [`Key`] held is void then, and so are lines and columns.
    pub fn tidy(&mut self) {
        let in_use =
            self.text.len() + self.nodes.len() * size_of::<Node>() + self.attrs.len() * size_of::<Attr>();
        if self.wasted > 4096 && self.wasted > in_use / 2 {
            *self = self.copied();
        }
    }

    /// A copy with nothing left behind by edits.
    fn copied(&self) -> Self {
        let mut copy = Self { file: self.file.clone(), ..Self::empty() };
        for at in self.siblings(self.nodes[0].first) {
            let key = copy.import_node(Key(0), self, at);
            if at == self.root {
                copy.root = key.0;
            }
        }
        copy.changes = self.changes.clone();
        copy
    }

    /// Copies node `from` of `source` and all below to the end of `parent`, without recursion.
    fn import_node(&mut self, parent: Key, source: &Document, from: u32) -> Key {
        let top = self.import_one(parent, source, from);
        let (mut at, mut target) = (from, top);
        loop {
            let node = &source.nodes[at as usize];
            if node.first != NONE {
                at = node.first;
                target = self.import_one(target, source, at);
                continue;
            }
            while at != from && source.nodes[at as usize].next == NONE {
                at = source.nodes[at as usize].parent;
                target = Key(self.nodes[target.0 as usize].parent);
            }
            if at == from {
                return top;
            }
            at = source.nodes[at as usize].next;
            target = self.import_one(Key(self.nodes[target.0 as usize].parent), source, at);
        }
    }

    fn import_one(&mut self, parent: Key, source: &Document, from: u32) -> Key {
        let node = source.nodes[from as usize];
        let key = if node.name < DOCUMENT {
            let name = self.names.intern(source.names.get(node.name));
            let start = to_u32(self.attrs.len());
            for attr in source.attrs_of(from) {
                let name = self.names.intern(source.names.get(attr.name));
                let value = self.push_text(source.slice(attr.value));
                self.attrs.push(Attr { name, value });
            }
            self.push_node(name, Span { start, len: node.span.len }, NONE)
        } else {
            let span = self.push_text(source.slice(node.span));
            self.push_node(node.name, span, NONE)
        };
        self.link(key, parent, None);
        key
    }

    pub(super) fn push_node(&mut self, name: u32, span: Span, at: u32) -> Key {
        let key = to_u32(self.nodes.len());
        self.nodes.push(Node {
            parent: NONE,
            first: NONE,
            last: NONE,
            prev: NONE,
            next: NONE,
            name,
            span,
            at,
        });
        Key(key)
    }

    pub(super) fn push_text(&mut self, text: &str) -> Span {
        self.text.push(text)
    }

    /// Adds an attribute behind the element's others, which move to the end of the store unless they are there.
    fn push_attr(&mut self, key: Key, attr: Attr) {
        let span = self.nodes[key.0 as usize].span;
        let (start, end) = (span.start as usize, (span.start + span.len) as usize);
        if end != self.attrs.len() {
            self.nodes[key.0 as usize].span.start = to_u32(self.attrs.len());
            self.attrs.extend_from_within(start..end);
            self.wasted += (end - start) * size_of::<Attr>();
        }
        self.attrs.push(attr);
        self.nodes[key.0 as usize].span.len += 1;
    }

    fn link(&mut self, key: Key, parent: Key, before: Option<Key>) {
        self.changes.note(parent, Changed::Contents);
        self.put(key, parent, before);
    }

    /// Puts a node in its place. That is no edit while a document is read.
    pub(super) fn put(&mut self, key: Key, parent: Key, before: Option<Key>) {
        let next = before.map_or(NONE, |key| key.0);
        let prev = match before {
            Some(sibling) => self.nodes[sibling.0 as usize].prev,
            None => self.nodes[parent.0 as usize].last,
        };
        let node = &mut self.nodes[key.0 as usize];
        (node.parent, node.prev, node.next) = (parent.0, prev, next);
        match prev {
            NONE => self.nodes[parent.0 as usize].first = key.0,
            prev => self.nodes[prev as usize].next = key.0,
        }
        match next {
            NONE => self.nodes[parent.0 as usize].last = key.0,
            next => self.nodes[next as usize].prev = key.0,
        }
    }

    fn unlink(&mut self, key: Key) {
        let Node { parent, prev, next, .. } = self.nodes[key.0 as usize];
        self.changes.note(Key(parent), Changed::Contents);
        match prev {
            NONE => self.nodes[parent as usize].first = next,
            prev => self.nodes[prev as usize].next = next,
        }
        match next {
            NONE => self.nodes[parent as usize].last = prev,
            next => self.nodes[next as usize].prev = prev,
        }
    }

    /// Roughly how many bytes a node and all below it take.
    fn weight(&self, key: Key) -> usize {
        let mut weight = size_of::<Node>();
        if self.nodes[key.0 as usize].name < DOCUMENT {
            for element in self.element(key).descendants() {
                let attrs = self.attrs_of(element.key);
                weight += size_of::<Node>()
                    + attrs.iter().map(|a| size_of::<Attr>() + a.value.len as usize).sum::<usize>();
            }
        }
        weight
    }
}

impl PartialEq for Document {
    /// Same elements, attributes (in order), text and comments; where they came from does not count.
    fn eq(&self, other: &Self) -> bool {
        self.root() == other.root()
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

/// Whether a byte of UTF-8 belongs to the character before it.
fn is_continuation(byte: u8) -> bool {
    byte & 0b1100_0000 == 0b1000_0000
}

pub(super) fn to_u32(n: usize) -> u32 {
    u32::try_from(n)
        .expect("a document stays below 4 GiB: the parser and the callers of edits bound their inputs")
}
