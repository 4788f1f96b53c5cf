//! From document to text, the way Pacemaker lays it out.

use super::{
    Content, Document, Element, Key,
    document::{NONE, TEXT},
};

/// How a document is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Style {
    /// A line per element, two spaces per level, a newline at the end: as Pacemaker's tools write.
    #[default]
    Indented,
    /// Nothing between elements.
    Compact,
}

impl Document {
    /// The document as indented text, comments beside the root included.
    pub fn to_text(&self) -> String {
        self.write(Style::Indented)
    }

    /// The document as text.
    pub fn write(&self, style: Style) -> String {
        let out = String::with_capacity(self.text.len() + 64);
        let mut writer = Writer { document: self, style, left_out: &[], out };
        for (key, _) in self.beside_root().filter(|(_, is_after)| !is_after) {
            writer.node(key.0);
        }
        writer.node(self.root);
        for (key, _) in self.beside_root().filter(|(_, is_after)| *is_after) {
            writer.node(key.0);
        }
        writer.out
    }
}

impl Element<'_> {
    /// The element, with all below it, as indented text.
    pub fn to_text(self) -> String {
        self.write(Style::Indented)
    }

    /// The element, with all below it, as text.
    pub fn write(self, style: Style) -> String {
        let mut writer = Writer { document: self.document, style, left_out: &[], out: String::new() };
        writer.node(self.key);
        writer.out
    }

    /// The element, with all below it, as compact text without attributes of these names.
    pub(crate) fn write_without(self, left_out: &[&str]) -> String {
        let mut writer =
            Writer { document: self.document, style: Style::Compact, left_out, out: String::new() };
        writer.node(self.key);
        writer.out
    }

    /// The element without its children, as compact text.
    pub fn tag_to_text(self) -> String {
        let mut writer =
            Writer { document: self.document, style: Style::Compact, left_out: &[], out: String::new() };
        writer.tag(self.key);
        writer.out.push_str("/>");
        writer.out
    }
}

struct Writer<'d> {
    document: &'d Document,
    style: Style,
    /// Names of attributes that are not written.
    left_out: &'d [&'d str],
    out: String,
}

impl Writer<'_> {
    /// Writes a node and all below it, without recursion.
    fn node(&mut self, top: u32) {
        let (mut at, mut depth) = (top, 0);
        // Inside of an element with text, layout would change the text; this is the depth of the outermost such element.
        let mut inline: Option<usize> = None;
        loop {
            let node = self.document.nodes[at as usize];
            self.open(at, if inline.is_some() { None } else { Some(depth) });
            if node.first != NONE {
                if inline.is_none() && self.has_text(node.first) {
                    inline = Some(depth);
                }
                if inline.is_none() {
                    self.newline();
                }
                at = node.first;
                depth += 1;
                continue;
            }
            if inline.is_none() {
                self.newline();
            }
            while at != top && self.document.nodes[at as usize].next == NONE {
                at = self.document.nodes[at as usize].parent;
                depth -= 1;
                self.close(at, if inline.is_some() { None } else { Some(depth) });
                if inline == Some(depth) {
                    inline = None;
                }
                if inline.is_none() {
                    self.newline();
                }
            }
            if at == top {
                return;
            }
            at = self.document.nodes[at as usize].next;
        }
    }

    fn has_text(&self, first: u32) -> bool {
        self.document.siblings(first).any(|at| self.document.nodes[at as usize].name == TEXT)
    }

    fn open(&mut self, at: u32, depth: Option<usize>) {
        self.indent(depth);
        match self.document.content(Key(at)) {
            Content::Element(_) => {
                self.tag(at);
                let is_empty = self.document.nodes[at as usize].first == NONE;
                self.out.push_str(if is_empty { "/>" } else { ">" });
            }
            Content::Text(text) => escape_text(&mut self.out, text),
            Content::Comment(text) => {
                self.out.push_str("<!--");
                self.out.push_str(text);
                self.out.push_str("-->");
            }
            Content::Instruction(text) => {
                self.out.push_str("<?");
                self.out.push_str(text);
                self.out.push_str("?>");
            }
        }
    }

    /// `<name a="b"`, still open.
    fn tag(&mut self, at: u32) {
        let document = self.document;
        self.out.push('<');
        self.out.push_str(document.names.get(document.nodes[at as usize].name));
        for attr in document.attrs_of(at) {
            let name = document.names.get(attr.name);
            if self.left_out.contains(&name) {
                continue;
            }
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("=\"");
            escape_attribute(&mut self.out, document.slice(attr.value));
            self.out.push('"');
        }
    }

    fn close(&mut self, at: u32, depth: Option<usize>) {
        self.indent(depth);
        self.out.push_str("</");
        self.out.push_str(self.document.names.get(self.document.nodes[at as usize].name));
        self.out.push('>');
    }

    fn indent(&mut self, depth: Option<usize>) {
        if let (Some(depth), Style::Indented) = (depth, self.style) {
            self.out.extend(std::iter::repeat_n("  ", depth));
        }
    }

    fn newline(&mut self) {
        if self.style == Style::Indented {
            self.out.push('\n');
        }
    }
}

/// Writes `value` as it has to stand between double quotes. Spelled as Pacemaker 3.0 does, since digests depend on it.
pub fn escape_attribute(out: &mut String, value: &str) {
    escape(out, value, |b| match b {
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'&' => Some("&amp;"),
        b'"' => Some("&quot;"),
        b'\t' => Some("&#x09;"),
        b'\n' => Some("&#x0A;"),
        b'\r' => Some("&#x0D;"),
        0x7f => Some("&#x7F;"),
        _ => None,
    });
}

/// Writes `text` as it has to stand between tags.
pub fn escape_text(out: &mut String, text: &str) {
    escape(out, text, |b| match b {
        b'<' => Some("&lt;"),
        b'>' => Some("&gt;"),
        b'&' => Some("&amp;"),
        b'\r' => Some("&#x0D;"),
        0x7f => Some("&#x7F;"),
        _ => None,
    });
}

fn escape(out: &mut String, text: &str, replacement: impl Fn(u8) -> Option<&'static str>) {
    let mut done = 0;
    for (at, byte) in text.bytes().enumerate() {
        if let Some(replacement) = replacement(byte) {
            out.push_str(&text[done..at]);
            out.push_str(replacement);
            done = at + 1;
        }
    }
    out.push_str(&text[done..]);
}
