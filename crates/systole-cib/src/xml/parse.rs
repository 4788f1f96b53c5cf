//! From text to document, in one pass.

use super::{
    Document, Key, Position, XmlError, XmlProblem,
    document::{Attr, COMMENT, INSTRUCTION, NONE, Span, TEXT, to_u32},
    text::Text,
};

/// How deep elements may be nested; libxml2, and so Pacemaker, has the same limit.
pub const MAX_DEPTH: usize = 256;

/// How many attributes an element may have. They are looked up one by one, so that many more would take for ever.
pub const MAX_ATTRIBUTES: usize = 10_000;

const BYTE_ORDER_MARK: char = '\u{feff}';

const CDATA: &str = "<![CDATA[";

impl Document {
    /// Reads a document. A text that is given away is not copied.
    ///
    /// # Errors
    /// If the text is not well-formed XML, has a document type, or is nested deeper than [`MAX_DEPTH`].
    pub fn parse(text: impl Into<String>) -> Result<Self, XmlError> {
        let mut text = text.into();
        if text.starts_with(BYTE_ORDER_MARK) {
            text.drain(..BYTE_ORDER_MARK.len_utf8());
        }
        if text.len() > (u32::MAX / 2) as usize {
            return Err(XmlError {
                position: Position { line: 1, column: 1 },
                problem: XmlProblem::TooLarge,
            });
        }
        let mut parser = Parser::new(&text);
        let outcome = parser.run();
        let Parser { mut document, values, .. } = parser;
        document.source_len = text.len();
        text.push_str(&values);
        document.text = Text::new(text);
        match outcome {
            Ok(()) => Ok(document),
            Err((at, problem)) => {
                let at = to_u32(at.min(document.source_len));
                Err(XmlError { position: document.position(at), problem })
            }
        }
    }
}

/// A problem and the byte offset it is at.
type Trouble = (usize, XmlProblem);

struct Parser<'s> {
    source: &'s str,
    /// Where in the source reading has come to.
    at: usize,
    document: Document,
    /// Values that could not be taken from the source as they are; they come to stand behind it.
    values: String,
    /// The document and the elements that are open.
    open: Vec<Key>,
    /// Text since the last tag.
    pending: String,
    /// By the names' numbers: the element that had an attribute of that name last.
    with: Vec<u32>,
    /// What came next inside of tags, in the places of [`place`].
    successors: Vec<Successor<'s>>,
}

/// The attribute that came after another last, in an element of some name, or first in it: elements of a kind have their
/// attributes in the same sequence, and written in the same way, more often than not.
#[derive(Clone, Copy)]
struct Successor<'s> {
    element: u32,
    previous: u32,
    name: u32,
    /// How it was written, from the space in front of it to the quote before its value.
    ahead: &'s [u8],
}

impl Successor<'_> {
    const NONE: Self = Self { element: NONE, previous: NONE, name: NONE, ahead: &[] };
}

/// How many successors are remembered; a CIB has some 300 different ones.
const N_SUCCESSORS: usize = 1024;

/// Where the successor of an attribute is remembered.
const fn place(element: u32, previous: u32) -> usize {
    (element.wrapping_mul(67).wrapping_add(previous)) as usize % N_SUCCESSORS
}

/// What comes next inside a tag.
enum Inside {
    /// Its end.
    End {
        /// Whether the element has to be closed by another tag.
        has_content: bool,
    },
    /// An attribute.
    Attribute {
        /// The name's number.
        name: u32,
        /// Where the value begins, behind the quote.
        value: usize,
    },
}

impl<'s> Parser<'s> {
    fn new(source: &'s str) -> Self {
        let mut document = Document::empty();
        // About what a status section has for its length. What is not needed is never touched.
        document.nodes.reserve(source.len() / 150);
        document.attrs.reserve(source.len() / 16);
        Self {
            source,
            at: 0,
            document,
            values: String::new(),
            open: vec![Key(0)],
            pending: String::new(),
            with: Vec::new(),
            successors: vec![Successor::NONE; N_SUCCESSORS],
        }
    }

    fn run(&mut self) -> Result<(), Trouble> {
        loop {
            self.text()?;
            match self.source.as_bytes()[self.at..] {
                [] => return self.finish(),
                [_, b'/', ..] => self.end_tag()?,
                [_, b'!', ..] => self.declaration()?,
                [_, b'?', ..] => self.instruction()?,
                _ => self.element()?,
            }
        }
    }

    fn finish(&mut self) -> Result<(), Trouble> {
        self.flush()?;
        if let [_, .., last] = self.open[..] {
            return Err((self.at, XmlProblem::NotClosed(self.name_of(last).to_owned())));
        }
        if self.document.root == NONE {
            return Err((self.at, XmlProblem::NoElement));
        }
        Ok(())
    }

    fn name_of(&self, element: Key) -> &str {
        self.document.names.get(self.document.nodes[element.0 as usize].name)
    }

    fn parent(&self) -> Key {
        *self.open.last().expect("the document itself is never closed")
    }

    /// Reads text up to the next `<`, or to the end.
    fn text(&mut self) -> Result<(), Trouble> {
        let bytes = self.source.as_bytes();
        let start = self.at;
        let end_of_space = skip_space(bytes, start);
        if self.pending.is_empty() && matches!(bytes.get(end_of_space), None | Some(b'<')) {
            self.at = end_of_space;
            if !self.source[end_of_space..].starts_with(CDATA) {
                return Ok(());
            }
        }
        self.at = memchr::memchr(b'<', &bytes[end_of_space..]).map_or(bytes.len(), |n| end_of_space + n);
        let text = &self.source[start..self.at];
        check_characters(text).map_err(|(at, problem)| (start + at, problem))?;
        let mut rest = text;
        while let Some(at) = rest.find('&') {
            self.push_text(&rest[..at]);
            rest = &rest[at..];
            let len = rest.find(';').map_or(rest.len(), |end| end + 1);
            let c = reference(&rest[..len]).map_err(|problem| (self.at - rest.len(), problem))?;
            self.pending.push(c);
            rest = &rest[len..];
        }
        self.push_text(rest);
        Ok(())
    }

    fn push_text(&mut self, text: &str) {
        if text.contains('\r') {
            self.pending.push_str(&text.replace("\r\n", "\n").replace('\r', "\n"));
        } else {
            self.pending.push_str(text);
        }
    }

    /// Makes a node of the text since the last tag, unless it is only layout.
    fn flush(&mut self) -> Result<(), Trouble> {
        if self.pending.is_empty() || skip_space(self.pending.as_bytes(), 0) == self.pending.len() {
            self.pending.clear();
            return Ok(());
        }
        if self.open.len() == 1 {
            return Err((self.at, XmlProblem::TextOutside));
        }
        let text = std::mem::take(&mut self.pending);
        let span = self.push_value(&text);
        self.push_node(TEXT, span, NONE);
        Ok(())
    }

    fn push_node(&mut self, name: u32, span: Span, at: u32) -> Key {
        let key = self.document.push_node(name, span, at);
        self.document.put(key, self.parent(), None);
        key
    }

    fn push_value(&mut self, value: &str) -> Span {
        let start = to_u32(self.source.len() + self.values.len());
        self.values.push_str(value);
        Span { start, len: to_u32(value.len()) }
    }

    fn end_tag(&mut self) -> Result<(), Trouble> {
        self.flush()?;
        let start = self.at;
        let Some(n) = memchr::memchr(b'>', &self.source.as_bytes()[start..]) else {
            return Err((start, XmlProblem::Syntax("</ without >".to_owned())));
        };
        let end = start + n;
        let name = self.source[start + 2..end].trim_ascii_end();
        let open = self.parent();
        if self.open.len() == 1 {
            return Err((start, XmlProblem::Syntax(format!("</{}> closes nothing", shortened(name)))));
        }
        if self.name_of(open) != name {
            let problem =
                format!("</{}> stands where <{}> has to be closed", shortened(name), self.name_of(open));
            return Err((start, XmlProblem::Syntax(problem)));
        }
        self.open.pop();
        self.at = end + 1;
        Ok(())
    }

    /// Reads `<!...`: a comment or a stretch of plain text. Document types are refused.
    fn declaration(&mut self) -> Result<(), Trouble> {
        let start = self.at;
        let rest = &self.source[start..];
        if rest.starts_with("<!--") {
            return self.other(COMMENT, "<!--", "-->");
        }
        if rest.starts_with(CDATA) {
            let end = self.end_of(start, CDATA, "]]>")?;
            check_characters(&self.source[start..end]).map_err(|(at, problem)| (start + at, problem))?;
            self.pending.push_str(&self.source[start + CDATA.len()..end]);
            self.at = end + "]]>".len();
            return Ok(());
        }
        let is_document_type = rest.as_bytes().get(..9).is_some_and(|b| b.eq_ignore_ascii_case(b"<!DOCTYPE"));
        let unknown = || XmlProblem::Syntax(format!("{:?} is no markup", shortened(rest)));
        Err((start, if is_document_type { XmlProblem::DocumentType } else { unknown() }))
    }

    /// Reads `<?...?>`. XML declarations are not kept.
    fn instruction(&mut self) -> Result<(), Trouble> {
        let end = self.end_of(self.at, "<?", "?>")?;
        if !is(self.source.as_bytes()[self.at + 2], NAME_START) {
            return Err((self.at, XmlProblem::Syntax("an instruction has to begin with a name".to_owned())));
        }
        let is_declaration = match self.source[self.at + 2..end].strip_prefix("xml") {
            Some(rest) => rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_whitespace()),
            None => false,
        };
        if is_declaration {
            self.at = end + 2;
            return Ok(());
        }
        self.other(INSTRUCTION, "<?", "?>")
    }

    fn other(&mut self, kind: u32, open: &str, close: &str) -> Result<(), Trouble> {
        self.flush()?;
        let at = self.at;
        let (start, end) = (at + open.len(), self.end_of(at, open, close)?);
        check_characters(&self.source[start..end]).map_err(|(n, problem)| (start + n, problem))?;
        self.push_node(kind, Span { start: to_u32(start), len: to_u32(end - start) }, to_u32(at));
        self.at = end + close.len();
        Ok(())
    }

    /// Where the `close` is that belongs to the `open` at `start`.
    fn end_of(&self, start: usize, open: &str, close: &str) -> Result<usize, Trouble> {
        let inside = start + open.len();
        match self.source[inside..].find(close) {
            Some(n) => Ok(inside + n),
            None => Err((start, XmlProblem::Syntax(format!("{open} without {close}")))),
        }
    }

    /// Reads `<name ...>` or `<name .../>`.
    fn element(&mut self) -> Result<(), Trouble> {
        self.flush()?;
        let start = self.at;
        let name = self.name(start + 1)?;
        if self.open.len() == 1 && self.document.root != NONE {
            return Err((start, XmlProblem::SecondRoot(name.to_owned())));
        }
        let first = self.document.attrs.len();
        self.at = start + 1 + name.len();
        let name = self.document.names.intern(name);
        let has_content = self.attributes(start, name)?;
        let len = to_u32(self.document.attrs.len() - first);
        let key = self.push_node(name, Span { start: to_u32(first), len }, to_u32(start));
        if self.open.len() == 1 {
            self.document.root = key.0;
        }
        if self.open.len() > MAX_DEPTH {
            return Err((start, XmlProblem::TooDeep));
        }
        if has_content {
            self.open.push(key);
        }
        Ok(())
    }

    /// Reads the attributes of the element that begins at `start`, and the end of its tag. Whether the element has to be
    /// closed by another tag.
    fn attributes(&mut self, start: usize, element: u32) -> Result<bool, Trouble> {
        let bytes = self.source.as_bytes();
        let number = to_u32(self.document.nodes.len());
        let most = self.document.attrs.len() + MAX_ATTRIBUTES;
        let mut name = element;
        loop {
            if self.document.attrs.len() > most {
                return Err((start, XmlProblem::TooManyAttributes));
            }
            let next = self.successors[place(element, name)];
            let is_next = (next.element, next.previous) == (element, name);
            if is_next && bytes[self.at..].starts_with(next.ahead) {
                (name, self.at) = (next.name, self.at + next.ahead.len());
            } else {
                match self.inside_of_tag(start, element)? {
                    Inside::End { has_content } => return Ok(has_content),
                    Inside::Attribute { name: next, value } => {
                        let ahead = &bytes[self.at..value];
                        self.successors[place(element, name)] =
                            Successor { element, previous: name, name: next, ahead };
                        (name, self.at) = (next, value);
                    }
                }
            }
            let (value, end) = self.value(self.at - 1, bytes[self.at - 1])?;
            if std::mem::replace(&mut self.with[name as usize], number) == number {
                let [element, attribute] = [element, name].map(|n| self.document.names.get(n).to_owned());
                return Err((start, XmlProblem::DuplicateAttribute { element, attribute }));
            }
            self.document.attrs.push(Attr { name, value });
            self.at = end + 1;
        }
    }

    /// What comes next inside the tag of the element that begins at `start`. The end of the tag is read with it.
    fn inside_of_tag(&mut self, start: usize, element: u32) -> Result<Inside, Trouble> {
        let (bytes, before) = (self.source.as_bytes(), self.at);
        let at = skip_space(bytes, before);
        match bytes[at..] {
            [b'>', ..] => {
                self.at = at + 1;
                Ok(Inside::End { has_content: true })
            }
            [b'/', b'>', ..] => {
                self.at = at + 2;
                Ok(Inside::End { has_content: false })
            }
            [] | [b'/' | b'<', ..] => {
                let element = shortened(self.document.names.get(element));
                Err((start, XmlProblem::Syntax(format!("the tag <{element} has no end"))))
            }
            _ if at == before => {
                let problem = "a space is missing before an attribute".to_owned();
                Err((before, XmlProblem::Syntax(problem)))
            }
            _ => {
                let (name, open) = self.attribute_name(at)?;
                Ok(Inside::Attribute { name, value: open + 1 })
            }
        }
    }

    /// Reads the `name=` that begins at `start`, and returns the name's number, and where the first quote is.
    fn attribute_name(&mut self, start: usize) -> Result<(u32, usize), Trouble> {
        let bytes = self.source.as_bytes();
        let text = self.name(start)?;
        let bad = || (start, XmlProblem::BadAttribute(text.to_owned()));
        let equals = skip_space(bytes, start + text.len());
        if bytes.get(equals) != Some(&b'=') {
            return Err(bad());
        }
        let open = skip_space(bytes, equals + 1);
        if !matches!(bytes.get(open), Some(b'"' | b'\'')) {
            return Err(bad());
        }
        let name = self.document.names.intern(text);
        if self.with.len() <= name as usize {
            self.with.resize(name as usize + 1, NONE);
        }
        Ok((name, open))
    }

    /// Reads an attribute's value, between `quote`s, of which the first is at `open`. It is a stretch of the source where it
    /// can be taken as it is. With it comes where the closing quote is.
    fn value(&mut self, open: usize, quote: u8) -> Result<(Span, usize), Trouble> {
        let bytes = self.source.as_bytes();
        let start = open + 1;
        let mut end = start + n_plain(&bytes[start..]);
        // The other kind of quote stands for itself.
        while bytes.get(end).is_some_and(|&b| b != quote && matches!(b, b'"' | b'\'')) {
            end += 1 + n_plain(&bytes[end + 1..]);
        }
        if bytes.get(end) == Some(&quote) {
            return Ok((Span { start: to_u32(start), len: to_u32(end - start) }, end));
        }
        let Some(n) = memchr::memchr(quote, &bytes[end..]) else {
            return Err((open, XmlProblem::Syntax("an attribute's value has no end".to_owned())));
        };
        end += n;
        let value = resolve(&self.source[start..end]).map_err(|(at, problem)| (start + at, problem))?;
        Ok((self.push_value(&value), end))
    }

    /// The name of an element or attribute that begins at `start`.
    fn name(&self, start: usize) -> Result<&'s str, Trouble> {
        let rest = &self.source[start..];
        let bytes = rest.as_bytes();
        let len = bytes.iter().position(|&b| !is(b, NAME)).unwrap_or(bytes.len());
        let is_whole =
            matches!(bytes.get(len), None | Some(b' ' | b'\n' | b'\t' | b'\r' | b'=' | b'/' | b'>'));
        if is_whole && bytes.first().is_some_and(|&b| is(b, NAME_START)) {
            return Ok(&rest[..len]);
        }
        let end = rest.find([' ', '\n', '\t', '\r', '=', '/', '>']).unwrap_or(rest.len());
        Err((start, XmlProblem::BadName(shortened(&rest[..end]))))
    }
}

/// An attribute's value with references resolved.
fn resolve(raw: &str) -> Result<String, Trouble> {
    check_characters(raw)?;
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(c) = rest.chars().next() {
        let at = raw.len() - rest.len();
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
    Ok(value)
}

/// A byte that may begin a name.
const NAME_START: u8 = 1;
/// A byte that may be in a name.
const NAME: u8 = 2;
/// A byte of an attribute's value that stands for itself, and is no quote.
const PLAIN: u8 = 4;

/// What each byte may be. A byte of a longer character may be in any name.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut b = 0_u8;
    loop {
        let starts = b.is_ascii_alphabetic() || matches!(b, b'_' | b':') || b >= 0x80;
        let is_plain = b' ' <= b && b < 0x80 && !matches!(b, b'&' | b'<' | b'"' | b'\'');
        classes[b as usize] = if starts { NAME_START | NAME } else { 0 }
            | if b.is_ascii_digit() || matches!(b, b'-' | b'.') { NAME } else { 0 }
            | if is_plain { PLAIN } else { 0 };
        if b == u8::MAX {
            break classes;
        }
        b += 1;
    }
};

const fn is(byte: u8, class: u8) -> bool {
    CLASSES[byte as usize] & class != 0
}

/// How many bytes at the front are plain. Values are most of a CIB, so eight bytes are looked at together.
fn n_plain(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (n, word) in words.iter().enumerate() {
        if let Some(at) = first_special(u64::from_le_bytes(*word)) {
            return n * 8 + at;
        }
    }
    words.len() * 8 + rest.iter().position(|&b| !is(b, PLAIN)).unwrap_or(rest.len())
}

/// Which of the eight bytes of a word is the first that is not plain.
fn first_special(word: u64) -> Option<usize> {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGHEST_BITS: u64 = ONES << 7;
    // The highest bit of a byte is set in `word` if it is no ASCII, and in the difference if it is less than what is taken
    // away. What is borrowed from the bytes behind such a one does not matter: the first one counts.
    let less_than = |n: u8, word: u64| word.wrapping_sub(ONES * u64::from(n));
    let equal = |b: u8, word: u64| less_than(1, word ^ (ONES * u64::from(b)));
    // & and ' differ in their last bit alone.
    let ampersand_or_quote = equal(b'\'', word | ONES);
    let special = word | less_than(b' ', word) | equal(b'"', word) | ampersand_or_quote | equal(b'<', word);
    let found = special & HIGHEST_BITS;
    (found != 0).then(|| found.trailing_zeros() as usize / 8)
}

fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while bytes.get(at).is_some_and(|b| matches!(b, b' ' | b'\n' | b'\t' | b'\r')) {
        at += 1;
    }
    at
}

/// Whether this may be the name of an element or attribute.
pub(crate) fn is_name(name: &str) -> bool {
    name.bytes().next().is_some_and(|b| is(b, NAME_START)) && name.bytes().all(|b| is(b, NAME))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_tells_its_first_special_byte_wherever_that_is() {
        for place in 0..8 {
            for byte in 0..=u8::MAX {
                for behind in [b'a', b'~', b' ', 0, b'"', 0x80, 0xff] {
                    let mut word = [behind; 8];
                    word[..place].fill(b'!');
                    word[place] = byte;
                    let expected = word.iter().position(|&b| !is(b, PLAIN));
                    assert_eq!(first_special(u64::from_le_bytes(word)), expected, "{word:?}");
                    assert_eq!(n_plain(&word), expected.unwrap_or(8), "{word:?}");
                }
            }
        }
    }
}
