//! From text to document. Tokens come from `quick-xml`; attributes, references, names and limits are looked after here.

use super::{
    Document, Key, Position, XmlError, XmlProblem,
    document::{Attr, COMMENT, INSTRUCTION, NONE, Span, TEXT, to_u32},
};
use quick_xml::{Reader, events::Event};

/// How deep elements may be nested; libxml2, and so Pacemaker, has the same limit.
pub const MAX_DEPTH: usize = 256;

/// Attributes up to this number are compared with each other to find duplicates; more are sorted.
const FEW_ATTRIBUTES: usize = 16;

impl Document {
    /// Reads a document.
    ///
    /// # Errors
    /// If the text is not well-formed XML, has a document type, or is nested deeper than [`MAX_DEPTH`].
    pub fn parse(text: &str) -> Result<Self, XmlError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut document = Self::empty();
        if text.len() > (u32::MAX / 2) as usize {
            return Err(XmlError {
                position: Position { line: 1, column: 1 },
                problem: XmlProblem::TooLarge,
            });
        }
        document.source_len = text.len();
        document.text.reserve(text.len() + text.len() / 16);
        document.text.push_str(text);
        let newlines = memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| to_u32(at + 1));
        document.lines = std::iter::once(0).chain(newlines).collect();
        let mut parser = Parser {
            source: text,
            document,
            open: vec![Key(0)],
            pending: String::new(),
            scratch: Vec::new(),
        };
        parser.run().map_err(|(at, problem)| XmlError {
            position: parser.document.position(to_u32(at.min(text.len()))),
            problem,
        })?;
        Ok(parser.document)
    }
}

/// A problem and the byte offset it is at.
type Trouble = (usize, XmlProblem);

struct Parser<'s> {
    source: &'s str,
    document: Document,
    /// The document and the elements that are open.
    open: Vec<Key>,
    /// Text since the last tag.
    pending: String,
    /// Names of the attributes of one element, to look for duplicates.
    scratch: Vec<u32>,
}

impl Parser<'_> {
    fn run(&mut self) -> Result<(), Trouble> {
        let source = self.source;
        let mut reader = Reader::from_str(source);
        loop {
            let start = offset(reader.buffer_position());
            let event = reader
                .read_event()
                .map_err(|error| (offset(reader.error_position()), XmlProblem::Syntax(error.to_string())))?;
            let end = offset(reader.buffer_position());
            match event {
                Event::Start(_) => {
                    self.flush(start)?;
                    let key = self.element(start, end - 1)?;
                    if self.open.len() > MAX_DEPTH {
                        return Err((start, XmlProblem::TooDeep));
                    }
                    self.open.push(key);
                }
                Event::Empty(_) => {
                    self.flush(start)?;
                    self.element(start, end - 2)?;
                }
                Event::End(_) => {
                    self.flush(start)?;
                    self.open.pop();
                }
                Event::Text(_) => self.text(start, end)?,
                Event::CData(_) => {
                    check_characters(&source[start..end]).map_err(|(at, p)| (start + at, p))?;
                    self.pending.push_str(&source[start + "<![CDATA[".len()..end - "]]>".len()]);
                }
                Event::GeneralRef(_) => {
                    let c = reference(&source[start..end]).map_err(|p| (start, p))?;
                    self.pending.push(c);
                }
                Event::Comment(_) => self.other(COMMENT, start, start + "<!--".len(), end - "-->".len())?,
                Event::PI(_) => self.other(INSTRUCTION, start, start + "<?".len(), end - "?>".len())?,
                Event::Decl(_) => {}
                Event::DocType(_) => return Err((start, XmlProblem::DocumentType)),
                Event::Eof => return self.finish(start),
            }
        }
    }

    fn finish(&mut self, end: usize) -> Result<(), Trouble> {
        self.flush(end)?;
        if let [_, .., last] = self.open[..] {
            return Err((end, XmlProblem::NotClosed(self.document.element(last).name().to_owned())));
        }
        if self.document.root == NONE {
            return Err((end, XmlProblem::NoElement));
        }
        Ok(())
    }

    fn parent(&self) -> Key {
        *self.open.last().expect("the document itself is never closed: end tags are matched by the reader")
    }

    fn text(&mut self, start: usize, end: usize) -> Result<(), Trouble> {
        let text = &self.source[start..end];
        check_characters(text).map_err(|(at, problem)| (start + at, problem))?;
        if text.contains('\r') {
            self.pending.push_str(&text.replace("\r\n", "\n").replace('\r', "\n"));
        } else {
            self.pending.push_str(text);
        }
        Ok(())
    }

    /// Makes a node of the text since the last tag, unless it is only layout.
    fn flush(&mut self, before: usize) -> Result<(), Trouble> {
        if self.pending.bytes().all(|b| matches!(b, b' ' | b'\n' | b'\t' | b'\r')) {
            self.pending.clear();
            return Ok(());
        }
        if self.open.len() == 1 {
            return Err((before, XmlProblem::TextOutside));
        }
        let span = self.document.push_text(&self.pending);
        self.pending.clear();
        let key = self.document.push_node(TEXT, span, NONE);
        self.document.link(key, self.parent(), None);
        Ok(())
    }

    fn other(&mut self, kind: u32, at: usize, start: usize, end: usize) -> Result<(), Trouble> {
        self.flush(at)?;
        check_characters(&self.source[start..end]).map_err(|(n, problem)| (start + n, problem))?;
        let key = self.document.push_node(
            kind,
            Span { start: to_u32(start), len: to_u32(end - start) },
            to_u32(at),
        );
        self.document.link(key, self.parent(), None);
        Ok(())
    }

    /// Reads the tag from its `<` at `start` up to `end`, where its `>` or `/>` is.
    fn element(&mut self, start: usize, end: usize) -> Result<Key, Trouble> {
        let tag = &self.source[..end];
        let name_end = name_end(tag, start + 1)?;
        let name = &tag[start + 1..name_end];
        if self.open.len() == 1 && self.document.root != NONE {
            return Err((start, XmlProblem::SecondRoot(name.to_owned())));
        }
        let first = self.document.attrs.len();
        self.attributes(tag, name_end)?;
        let len = to_u32(self.document.attrs.len() - first);
        self.check_duplicates(start, name, first)?;
        let name = self.document.names.intern(name);
        let key = self.document.push_node(name, Span { start: to_u32(first), len }, to_u32(start));
        let parent = self.parent();
        self.document.link(key, parent, None);
        if parent.0 == 0 {
            self.document.root = key.0;
        }
        Ok(key)
    }

    fn attributes(&mut self, tag: &str, mut at: usize) -> Result<(), Trouble> {
        let bytes = tag.as_bytes();
        loop {
            let start = skip_space(bytes, at);
            if start == bytes.len() {
                return Ok(());
            }
            if start == at {
                return Err((at, XmlProblem::Syntax("a space is missing before an attribute".to_owned())));
            }
            let end = name_end(tag, start)?;
            let equals = skip_space(bytes, end);
            let bad = || (start, XmlProblem::BadAttribute(tag[start..end].to_owned()));
            if bytes.get(equals) != Some(&b'=') {
                return Err(bad());
            }
            let open = skip_space(bytes, equals + 1);
            let quote = bytes.get(open).copied().filter(|b| matches!(b, b'"' | b'\'')).ok_or_else(bad)?;
            let close = memchr::memchr(quote, &bytes[open + 1..]).ok_or_else(bad)? + open + 1;
            let value = self.value(open + 1, close)?;
            let name = self.document.names.intern(&tag[start..end]);
            self.document.attrs.push(Attr { name, value });
            at = close + 1;
        }
    }

    /// An attribute's value: a stretch of the source where it can be taken as it is.
    fn value(&mut self, start: usize, end: usize) -> Result<Span, Trouble> {
        let raw = &self.source[start..end];
        if raw.bytes().all(|b| (b' '..0x80).contains(&b) && b != b'&' && b != b'<') {
            return Ok(Span { start: to_u32(start), len: to_u32(end - start) });
        }
        check_characters(raw).map_err(|(at, problem)| (start + at, problem))?;
        let mut value = String::with_capacity(raw.len());
        let mut rest = raw;
        while let Some(c) = rest.chars().next() {
            let at = end - rest.len();
            let mut len = c.len_utf8();
            match c {
                '&' => {
                    len = rest.find(';').map_or(rest.len(), |end| end + 1);
                    value.push(reference(&rest[..len]).map_err(|problem| (at, problem))?);
                }
                '<' => return Err((at, XmlProblem::BareLess)),
                '\r' if rest.starts_with("\r\n") => {
                    len = 2;
                    value.push(' ');
                }
                '\n' | '\r' | '\t' => value.push(' '),
                c => value.push(c),
            }
            rest = &rest[len..];
        }
        Ok(self.document.push_text(&value))
    }

    fn check_duplicates(&mut self, at: usize, element: &str, first: usize) -> Result<(), Trouble> {
        let attrs = &self.document.attrs[first..];
        let duplicate = if attrs.len() <= FEW_ATTRIBUTES {
            (1..attrs.len())
                .find(|i| attrs[..*i].iter().any(|a| a.name == attrs[*i].name))
                .map(|i| attrs[i].name)
        } else {
            self.scratch.clear();
            self.scratch.extend(attrs.iter().map(|attr| attr.name));
            self.scratch.sort_unstable();
            self.scratch.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
        };
        match duplicate {
            None => Ok(()),
            Some(name) => {
                let attribute = self.document.names.get(name).to_owned();
                Err((at, XmlProblem::DuplicateAttribute { element: element.to_owned(), attribute }))
            }
        }
    }
}

fn offset(position: u64) -> usize {
    usize::try_from(position).expect("the text's length was checked")
}

fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(|b| matches!(b, b' ' | b'\n' | b'\t' | b'\r')) {
        at += 1;
    }
    at
}

/// Where the name that begins at `start` ends.
fn name_end(tag: &str, start: usize) -> Result<usize, Trouble> {
    let rest = &tag[start..];
    let is_end = |b: &u8| matches!(b, b' ' | b'\n' | b'\t' | b'\r' | b'=');
    let len = rest.as_bytes().iter().position(is_end).unwrap_or(rest.len());
    let name = &rest[..len];
    if is_name(name) { Ok(start + len) } else { Err((start, XmlProblem::BadName(shortened(name)))) }
}

/// Whether this may be the name of an element or attribute.
pub(crate) fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    let starts = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_' || b == b':' || b >= 0x80);
    starts && bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':' | b'-' | b'.') || b >= 0x80)
}

/// The character that `&...;` stands for.
fn reference(text: &str) -> Result<char, XmlProblem> {
    let unknown = || XmlProblem::UnknownEntity(shortened(text));
    let name = text.strip_prefix('&').and_then(|t| t.strip_suffix(';')).ok_or_else(unknown)?;
    let code = match name {
        "lt" => return Ok('<'),
        "gt" => return Ok('>'),
        "amp" => return Ok('&'),
        "quot" => return Ok('"'),
        "apos" => return Ok('\''),
        _ => match name.strip_prefix("#x") {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => name.strip_prefix('#').ok_or_else(unknown)?.parse(),
        }
        .map_err(|_| unknown())?,
    };
    char::from_u32(code).filter(|c| is_allowed(*c)).ok_or(XmlProblem::BadCharacter(code))
}

/// Whether XML allows this character.
pub(super) fn is_allowed(c: char) -> bool {
    !matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

fn check_characters(text: &str) -> Result<(), Trouble> {
    if text.bytes().all(|b| (b' '..0x80).contains(&b) || matches!(b, b'\n' | b'\t')) {
        return Ok(());
    }
    match text.char_indices().find(|(_, c)| !is_allowed(*c)) {
        Some((at, c)) => Err((at, XmlProblem::BadCharacter(c.into()))),
        None => Ok(()),
    }
}

/// The beginning of a text, for a message.
fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}
