//! What can be wrong with a configuration by the table of the language, in words.

use super::{kind::Kind, shape::Slot, version::SchemaSet};
use crate::{Diagnostic, Severity, xml::Element};

/// More than this are counted, not kept.
const MAX_FAULTS: usize = 1000;

/// Something that is wrong with an element.
pub(super) struct Fault<'d> {
    element: Element<'d>,
    what: What,
}

/// What is wrong.
enum What {
    /// Something is not there: an attribute, or `a <rule>`.
    Missing(String),
    /// Anything else, in words.
    Wrong(String),
}

/// What was found in a document.
#[derive(Default)]
pub(super) struct Faults<'d> {
    kept: Vec<Fault<'d>>,
    n_dropped: usize,
}

impl<'d> Faults<'d> {
    pub fn push(&mut self, fault: Fault<'d>) {
        if self.kept.len() < MAX_FAULTS {
            self.kept.push(fault);
        } else {
            self.n_dropped += 1;
        }
    }

    pub fn extend(&mut self, others: Self) {
        self.n_dropped += others.n_dropped;
        others.kept.into_iter().for_each(|fault| self.push(fault));
    }

    /// How much is wrong with the element itself, beside what is missing.
    pub fn n_wrong(&self, element: Element<'d>) -> usize {
        let is_own = |fault: &&Fault<'d>| fault.element.key() == element.key();
        self.kept.iter().filter(is_own).filter(|fault| matches!(fault.what, What::Wrong(_))).count()
    }

    /// What the element itself lacks.
    fn missing(&self, element: Element<'d>) -> Vec<&str> {
        let own = self.kept.iter().filter(|fault| fault.element.key() == element.key());
        let missing = own.filter_map(|fault| match &fault.what {
            What::Missing(what) => Some(what.as_str()),
            What::Wrong(_) => None,
        });
        missing.collect()
    }

    /// What to say about an element that fits none of its forms, given what each form has against it.
    pub fn of_alternatives(element: Element<'d>, mut forms: Vec<Self>, schemas: SchemaSet) -> Self {
        let Some(fewest) = forms.iter().map(|form| form.n_wrong(element)).min() else {
            let mut faults = Self::default();
            faults.push(Fault::not_of_schema(element, schemas));
            return faults;
        };
        forms.retain(|form| form.n_wrong(element) == fewest);
        let mut lacks: Vec<Vec<&str>> = forms.iter().map(|form| form.missing(element)).collect();
        lacks.sort_by_key(Vec::len);
        let mut least: Vec<Vec<&str>> = Vec::new();
        for lack in lacks {
            if !least.iter().any(|less| less.iter().all(|what| lack.contains(what))) {
                least.push(lack);
            }
        }
        let choice: Vec<String> = least.iter().map(|lack| lack.join(" and ")).collect();
        let is_choice = choice.len() > 1;
        let needs = format!("needs {}", choice.join(", or "));
        let mut best = forms.into_iter().min_by_key(|form| form.kept.len()).unwrap_or_default();
        if is_choice {
            best.kept
                .retain(|fault| fault.element.key() != element.key() || matches!(fault.what, What::Wrong(_)));
            best.push(Fault::new(element, needs));
        }
        best
    }

    pub fn into_diagnostics(self) -> Vec<Diagnostic> {
        let about =
            |fault: Fault<'_>| Diagnostic::about(Severity::Error, fault.element, fault.what.into_message());
        let mut diagnostics: Vec<Diagnostic> = self.kept.into_iter().map(about).collect();
        if let Some(last) = diagnostics.last_mut().filter(|_| self.n_dropped > 0) {
            last.message += &format!(" ({} more diagnostics are not listed)", self.n_dropped);
        }
        diagnostics
    }
}

impl What {
    fn into_message(self) -> String {
        match self {
            Self::Missing(what) if what.starts_with("a <") => format!("needs {what}"),
            Self::Missing(what) => format!("{what} is missing"),
            Self::Wrong(message) => message,
        }
    }
}

impl<'d> Fault<'d> {
    fn new(element: Element<'d>, message: impl Into<String>) -> Self {
        Self { element, what: What::Wrong(message.into()) }
    }

    fn missing(element: Element<'d>, what: impl Into<String>) -> Self {
        Self { element, what: What::Missing(what.into()) }
    }

    pub fn unknown_element(element: Element<'d>, schemas: SchemaSet) -> Self {
        let place = element.parent().map_or("a document", Element::name);
        Self::new(element, format!("<{}> is not known in <{place}>{}", element.name(), by(schemas)))
    }

    pub fn not_of_schema(element: Element<'d>, schemas: SchemaSet) -> Self {
        Self::new(element, format!("<{}> is not known{}", element.name(), by(schemas)))
    }

    pub fn unknown_attribute(
        element: Element<'d>,
        name: &str,
        elsewhere: SchemaSet,
        schemas: SchemaSet,
    ) -> Self {
        let hint = match (elsewhere.oldest(), elsewhere.newest(), schemas.oldest()) {
            (Some(first), _, Some(now)) if first > now => format!(" (it came with {first})"),
            (_, Some(last), Some(now)) if last < now => format!(" (the last that had it is {last})"),
            _ => String::new(),
        };
        Self::new(element, format!("attribute {name} is not known here{}{hint}", by(schemas)))
    }

    pub fn bad_value(
        element: Element<'d>,
        name: &str,
        value: &str,
        kinds: impl Iterator<Item = Kind>,
        schemas: SchemaSet,
    ) -> Self {
        let value: String = value.chars().take(80).collect();
        let kinds: Vec<Kind> = kinds.collect();
        if kinds.iter().any(|kind| matches!(kind, Kind::NoneOf(_))) {
            return Self::new(element, format!("{name} {value:?} is not supported any more{}", by(schemas)));
        }
        let kinds: Vec<String> = kinds.into_iter().map(|kind| kind.describe(schemas)).collect();
        Self::new(element, format!("{name}: {value:?} is not {}", kinds.join(" or ")))
    }

    pub fn missing_attribute(element: Element<'d>, name: &str) -> Self {
        Self::missing(element, name)
    }

    pub fn needs_one_of(element: Element<'d>, names: impl Iterator<Item = &'static str>) -> Self {
        Self::missing(element, names.collect::<Vec<_>>().join(" or "))
    }

    pub fn too_many_attributes(element: Element<'d>, names: impl Iterator<Item = &'static str>) -> Self {
        let names: Vec<&str> = names.collect();
        Self::new(element, format!("{} cannot be given together", names.join(" and ")))
    }

    pub fn text(element: Element<'d>) -> Self {
        Self::new(element, "there is text inside, which has no meaning here")
    }

    pub fn too_late(element: Element<'d>) -> Self {
        Self::new(element, "stands too late: it has to come before elements that are further up")
    }

    pub fn wrong_number(element: Element<'d>, slot: &Slot, n: usize, schemas: SchemaSet) -> Self {
        let is_known =
            |shape: &&&super::shape::Shape| shape.forms.iter().any(|form| !form.when.and(schemas).is_empty());
        let names: Vec<String> =
            slot.shapes.iter().filter(is_known).map(|shape| format!("<{}>", shape.name)).collect();
        let names = names.join(" or ");
        if n < slot.least {
            return Self::missing(element, format!("a {names}"));
        }
        Self::new(element, format!("only one {names} is allowed, not {n}"))
    }

    pub fn duplicate_id(element: Element<'d>, first: Element<'d>) -> Self {
        let line = first.position().map_or(String::new(), |p| format!(" (line {})", p.line));
        let name = first.name();
        Self::new(element, format!("the id is already that of a <{name}>{line}: ids must be unique"))
    }

    pub fn dangling(element: Element<'d>, name: &str, id: &str) -> Self {
        let id: String = id.chars().take(80).collect();
        Self::new(element, format!("{name} refers to {id:?}, which does not exist"))
    }
}

/// ` by schema pacemaker-3.9`, if it is about one schema.
fn by(schemas: SchemaSet) -> String {
    match (schemas.oldest(), schemas.newest()) {
        (Some(oldest), Some(newest)) if oldest == newest => format!(" by schema {oldest}"),
        _ => String::new(),
    }
}
