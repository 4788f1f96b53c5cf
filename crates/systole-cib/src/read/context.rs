//! What all readers share: the ids of the configuration, diagnostics, and the reading of single values.

use super::status::{ENTRY, HISTORY};
use crate::{
    diagnostic::{Diagnostic, Severity},
    lookup::Lookup,
    model::Writer,
    xml::{Columns, Document, Element},
};
use std::{fmt::Display, str::FromStr, sync::Arc, time::Duration};
use systole_types::{ElementId, ResourceId, Role, Score, parse_duration};

/// More diagnostics than this are counted, not kept.
const MAX_DIAGNOSTICS: usize = 1000;

/// How many elements may be read by way of references, altogether; long values count as several. Bounds what references
/// within references, or many references to a large set, can make of a small CIB.
const MAX_REFERRED: usize = 500_000;

/// How many bytes of values count as one more element.
const BYTES_PER_ELEMENT: usize = 256;

/// How many references may lead to the next before it counts as a circle.
const MAX_HOPS: usize = 32;

pub(super) struct Reader<'d> {
    /// The first element of each id below `<configuration>`.
    pub ids: Lookup<'d, Element<'d>>,
    /// Ids of rules being read, outermost first: one that comes up again is a circle.
    pub open_rules: Vec<&'d str>,
    /// Unknown elements are errors.
    pub is_strict: bool,
    /// Where the attributes of histories are.
    pub history_columns: Columns<{ HISTORY.len() }>,
    /// Where the attributes of history entries are.
    pub entry_columns: Columns<{ ENTRY.len() }>,
    referred_left: usize,
    strings: Strings,
    /// Who wrote the history entry that was read last.
    pub last_writer: Arc<Writer>,
    diagnostics: Vec<Diagnostic>,
    n_dropped: usize,
}

/// Elements whose `id` names another element rather than themselves, or is of a kind of its own.
fn has_id_of_its_own(element: Element<'_>) -> bool {
    match element.name() {
        "resource_ref" | "obj_ref" | "node" | "device" => false,
        "role" => !element.parent().is_some_and(|parent| matches!(parent.name(), "acl_target" | "acl_group")),
        _ => true,
    }
}

impl<'d> Reader<'d> {
    pub fn new(root: Element<'d>) -> Self {
        let mut reader = Self::without_references(root);
        reader.strings = Strings::for_document(root.document());
        if let Some(configuration) = root.child("configuration") {
            let elements = configuration.descendants().filter(|element| has_id_of_its_own(*element));
            reader.ids = elements.filter_map(|element| Some((element.id()?, element))).collect();
            reader.tell_of_twins();
        }
        reader
    }

    /// For parts in which nothing refers to anything.
    pub fn without_references(root: Element<'d>) -> Self {
        Self {
            ids: Lookup::default(),
            open_rules: Vec::new(),
            is_strict: false,
            history_columns: Columns::new(root.document(), &HISTORY),
            entry_columns: Columns::new(root.document(), &ENTRY),
            referred_left: MAX_REFERRED,
            strings: Strings::with_room_for(0),
            last_writer: Arc::default(),
            diagnostics: Vec::new(),
            n_dropped: 0,
        }
    }

    fn tell_of_twins(&mut self) {
        for (place, first) in self.ids.twins() {
            if self.diagnostics.len() >= MAX_DIAGNOSTICS {
                self.n_dropped += 1;
                continue;
            }
            let (element, first) = (self.ids.items()[place].1, self.ids.items()[first].1);
            let line = first.position().map_or(String::new(), |p| format!(" (line {})", p.line));
            let message = format!("the id is already that of a <{}>{line}: ids must be unique", first.name());
            self.error(element, message);
        }
    }

    pub fn error(&mut self, element: Element<'_>, message: impl Into<String>) {
        self.tell(Severity::Error, element, message);
    }

    pub fn warning(&mut self, element: Element<'_>, message: impl Into<String>) {
        self.tell(Severity::Warning, element, message);
    }

    fn tell(&mut self, severity: Severity, element: Element<'_>, message: impl Into<String>) {
        if self.diagnostics.len() < MAX_DIAGNOSTICS {
            self.diagnostics.push(Diagnostic::about(severity, element, message));
        } else {
            self.n_dropped += 1;
        }
    }

    pub fn into_diagnostics(mut self) -> Vec<Diagnostic> {
        let n_dropped = self.n_dropped;
        if let Some(last) = self.diagnostics.last_mut().filter(|_| n_dropped > 0) {
            last.message += &format!(" ({n_dropped} more diagnostics are not listed)");
        }
        self.diagnostics
    }

    /// A copy of a text, often one made before: a status section says the same thing many times.
    pub fn shared(&mut self, text: &str) -> Arc<str> {
        self.strings.share(text)
    }

    /// The same, where there is one that it is likely to be the same as.
    pub fn shared_like(&mut self, likely: Option<&Arc<str>>, text: &str) -> Arc<str> {
        match likely {
            Some(likely) if **likely == *text => Arc::clone(likely),
            _ => self.shared(text),
        }
    }

    pub fn text(&mut self, element: Element<'d>, name: &str) -> Option<Arc<str>> {
        element.attr(name).map(|value| self.shared(value))
    }

    /// `id`, or an empty one for an element that should have one but has not.
    pub fn element_id(&mut self, element: Element<'d>) -> ElementId {
        match element.id() {
            Some(id) => ElementId::new(id),
            None => {
                self.error(element, "id is missing");
                ElementId::new("")
            }
        }
    }

    /// `id` of a resource. Histories say it again and again, and share its text.
    pub fn resource_id(&mut self, element: Element<'d>) -> Option<ResourceId> {
        let id = self.required(element, "id")?;
        Some(ResourceId::from(self.shared(id)))
    }

    pub fn required(&mut self, element: Element<'d>, name: &str) -> Option<&'d str> {
        let value = element.attr(name).filter(|value| !value.is_empty());
        if value.is_none() {
            self.error(element, format!("{name} is missing"));
        }
        value
    }

    /// A value of a type that reads itself; one that is not readable is told and left out.
    pub fn value<T: FromStr<Err: Display>>(&mut self, element: Element<'d>, name: &str) -> Option<T> {
        match element.attr(name)?.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.error(element, format!("{name}: {error}"));
                None
            }
        }
    }

    pub fn number<T: FromStr>(&mut self, element: Element<'d>, name: &str) -> Option<T> {
        self.number_in(element, (name, element.attr(name)))
    }

    /// A number in an attribute that was looked up before.
    pub fn number_in<T: FromStr>(
        &mut self,
        element: Element<'d>,
        (name, text): (&str, Option<&'d str>),
    ) -> Option<T> {
        let text = text?;
        // Hardly ever is there space around it.
        let number = text.parse().or_else(|_| text.trim().parse()).ok();
        if number.is_none() {
            self.error(element, format!("{name}: {text:?} is not a whole number in the range allowed here"));
        }
        number
    }

    pub fn boolean(&mut self, element: Element<'d>, name: &str) -> Option<bool> {
        let text = element.attr(name)?;
        let value = parse_bool(text);
        if value.is_none() {
            self.error(element, format!("{name}: {text:?} is neither true nor false"));
        }
        value
    }

    pub fn score(&mut self, element: Element<'d>, name: &str) -> Option<Score> {
        self.value(element, name)
    }

    pub fn role(&mut self, element: Element<'d>, name: &str) -> Option<Role> {
        self.value(element, name)
    }

    /// One of the words that are allowed, in any case of letters.
    pub fn word<T: Copy>(&mut self, element: Element<'d>, name: &str, words: &[(&str, T)]) -> Option<T> {
        let text = element.attr(name)?;
        let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text)).map(|(_, value)| *value);
        if found.is_none() {
            let allowed: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.error(element, format!("{name}: {text:?} is none of {}", allowed.join(", ")));
        }
        found
    }

    /// An `interval`; zero where it cannot be read.
    pub fn interval(&mut self, element: Element<'d>, name: &str) -> Duration {
        match element.attr(name).map(parse_duration) {
            None => Duration::ZERO,
            Some(Ok(interval)) => interval,
            Some(Err(error)) => {
                self.error(element, format!("{name}: {error}"));
                Duration::ZERO
            }
        }
    }

    pub fn unknown(&mut self, element: Element<'d>, place: &str) {
        if self.is_strict {
            self.error(element, format!("<{}> is not known in {place}", element.name()));
        } else {
            self.warning(element, format!("<{}> is not known in {place}: it is ignored", element.name()));
        }
    }

    /// The element itself, or the one its `id-ref` leads to. `None`, and told, if that leads nowhere, round in a
    /// circle, or to an element of another name.
    pub fn resolve(&mut self, element: Element<'d>) -> Option<Element<'d>> {
        let mut at = element;
        for _ in 0..MAX_HOPS {
            let Some(id) = at.attr("id-ref") else {
                return if at.key() == element.key() || self.may_refer(element, at) {
                    Some(at)
                } else {
                    None
                };
            };
            match self.ids.get(id) {
                None => {
                    self.error(element, format!("id-ref refers to {id:?}, which does not exist"));
                    return None;
                }
                Some(next) if !next.is(element.name()) => {
                    let message = format!("id-ref refers to {id:?}, which is a <{}>", next.name());
                    self.error(element, message);
                    return None;
                }
                Some(next) => at = *next,
            }
        }
        self.error(element, "id-ref leads round in a circle");
        None
    }

    /// Whether what is below `to` may be read once more on behalf of `element`.
    pub fn may_refer(&mut self, element: Element<'d>, to: Element<'d>) -> bool {
        let mut n_wanted = 0;
        for element in to.descendants() {
            let n_bytes: usize = element.attrs().map(|(_, value)| value.len()).sum();
            n_wanted += 1 + n_bytes / BYTES_PER_ELEMENT;
            if n_wanted > self.referred_left {
                break;
            }
        }
        if n_wanted > self.referred_left {
            self.error(
                element,
                format!("references expand to more than {MAX_REFERRED} elements: the rest is ignored"),
            );
            return false;
        }
        self.referred_left -= n_wanted;
        true
    }
}

/// Texts made lately, each in one of the two places its look gives it: what comes often is found, at next to no cost.
struct Strings {
    places: Vec<Option<Arc<str>>>,
}

impl Strings {
    /// Room for the different texts of a document: a status section says most things once per node.
    fn for_document(document: &Document) -> Self {
        Self::with_room_for(document.n_nodes() / 2)
    }

    fn with_room_for(n_texts: usize) -> Self {
        Self { places: vec![None; n_texts.next_power_of_two().clamp(1 << 6, 1 << 20)] }
    }

    fn share(&mut self, text: &str) -> Arc<str> {
        let first = place(text) as usize & (self.places.len() - 1);
        for at in [first, first ^ 1] {
            match &self.places[at] {
                Some(known) if **known == *text => return Arc::clone(known),
                Some(_) => {}
                None => return Arc::clone(self.places[at].insert(text.into())),
            }
        }
        Arc::clone(self.places[first].insert(text.into()))
    }
}

/// A number that differs for most texts, made of the last 24 bytes and the length.
fn place(text: &str) -> u64 {
    let tail = &text.as_bytes()[text.len().saturating_sub(24)..];
    let (words, rest) = tail.as_chunks::<8>();
    let rest = rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
    let words = words.iter().map(|word| u64::from_le_bytes(*word)).chain([rest]);
    let mixed = words.fold(text.len() as u64, |mixed, word| {
        (mixed ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
    });
    mixed ^ mixed >> 32
}

/// Whether a text means yes or no, the way Pacemaker reads booleans.
pub fn parse_bool(text: &str) -> Option<bool> {
    const TRUE: [&str; 5] = ["true", "on", "yes", "y", "1"];
    const FALSE: [&str; 5] = ["false", "off", "no", "n", "0"];
    let is_in = |words: [&str; 5]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is_in(TRUE) { Some(true) } else { is_in(FALSE).then_some(false) }
}
