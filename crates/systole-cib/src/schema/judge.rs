//! Holds a document against the table of the language, for any number of schemas at a time.

use super::{
    faults::{Fault, Faults},
    ids::Ids,
    shape::{Attr, Content, Form, Lag, Need, Shape, Slot},
    version::SchemaSet,
};
use crate::xml::Element;

/// Goes through a document.
pub(super) struct Judge<'d> {
    /// What was found, if that is of interest. Then the judge has one schema in mind only.
    faults: Option<Faults<'d>>,
    pub ids: Ids<'d>,
}

impl<'d> Judge<'d> {
    /// A judge who only tells which schemas a document fits.
    pub fn silent() -> Self {
        Self { faults: None, ids: Ids::default() }
    }

    /// A judge who tells what is wrong.
    pub fn telling() -> Self {
        Self { faults: Some(Faults::default()), ids: Ids::default() }
    }

    pub fn into_faults(self) -> Faults<'d> {
        self.faults.unwrap_or_default()
    }

    /// Those of the schemas in which the element fits the shape.
    pub fn element(&mut self, element: Element<'d>, shape: &'static Shape, schemas: SchemaSet) -> SchemaSet {
        match (shape.forms, self.faults.is_some()) {
            ([form], _) => self.form(element, shape, form, schemas),
            (forms, false) => {
                let fits = |all: SchemaSet, form| all.or(self.form(element, shape, form, schemas));
                forms.iter().fold(SchemaSet::NONE, fits)
            }
            (forms, true) => self.closest_form(element, shape, forms, schemas),
        }
    }

    /// Judges by the forms that there is least to say against, and tells that.
    fn closest_form(
        &mut self,
        element: Element<'d>,
        shape: &'static Shape,
        forms: &'static [Form],
        schemas: SchemaSet,
    ) -> SchemaSet {
        let told = self.faults.take();
        let mut scored: Vec<(usize, &'static Form)> = Vec::new();
        for form in forms.iter().filter(|form| !form.when.and(schemas).is_empty()) {
            self.faults = Some(Faults::default());
            self.attributes(element, shape, form, schemas);
            scored.push((self.take_faults().n_wrong(element), form));
        }
        let fewest = scored.iter().map(|(n, _)| *n).min().unwrap_or(0);
        let mut close = Vec::new();
        let mut fits = SchemaSet::NONE;
        for (_, form) in scored.into_iter().filter(|(n, _)| *n == fewest) {
            self.faults = Some(Faults::default());
            fits = fits.or(self.form(element, shape, form, schemas));
            close.push(self.take_faults());
        }
        self.faults = told;
        let found = Faults::of_alternatives(element, close, schemas);
        if let Some(faults) = self.faults.as_mut().filter(|_| fits.is_empty()) {
            faults.extend(found);
        }
        fits
    }

    fn take_faults(&mut self) -> Faults<'d> {
        self.faults.take().unwrap_or_default()
    }

    fn form(
        &mut self,
        element: Element<'d>,
        shape: &'static Shape,
        form: &'static Form,
        schemas: SchemaSet,
    ) -> SchemaSet {
        let mut fits = schemas.and(form.when);
        if fits.is_empty() {
            self.fault(|| Fault::not_of_schema(element, schemas));
            return fits;
        }
        fits = fits.and(self.attributes(element, shape, form, fits));
        if self.is_decided(fits) {
            return fits;
        }
        if let Content::Slots(slots) = &form.content {
            let asked = if self.faults.is_some() { schemas } else { fits };
            fits = fits.and(self.content(element, slots, asked));
        }
        let attrs = shape.attrs.iter().chain(form.attrs);
        self.ids.note(element, attrs, fits);
        fits
    }

    /// Whether nothing that may still be found makes a difference: nobody wants to be told what.
    fn is_decided(&self, fits: SchemaSet) -> bool {
        fits.is_empty() && self.faults.is_none()
    }

    fn fault(&mut self, fault: impl FnOnce() -> Fault<'d>) {
        if let Some(faults) = &mut self.faults {
            faults.push(fault());
        }
    }
}

/// Attributes.
impl<'d> Judge<'d> {
    fn attributes(
        &mut self,
        element: Element<'d>,
        shape: &'static Shape,
        form: &'static Form,
        schemas: SchemaSet,
    ) -> SchemaSet {
        if matches!(form.content, Content::Anything) {
            return schemas;
        }
        let attrs = || shape.attrs.iter().chain(form.attrs);
        let mut fits = schemas;
        for (name, value) in element.attrs() {
            // Declarations of namespaces are no attributes.
            if name.starts_with("xmlns:") {
                continue;
            }
            let known = || attrs().filter(|attr| attr.name == name);
            let (mut allowed, mut right) = (SchemaSet::NONE, SchemaSet::NONE);
            for attr in known() {
                allowed = allowed.or(attr.when);
                right = right.or(attr.when.and(attr.kind.allowing(value)));
            }
            if schemas.and(allowed).is_empty() {
                self.fault(|| Fault::unknown_attribute(element, name, allowed, schemas));
            } else if schemas.and(right).is_empty() {
                let kinds = known().map(|attr| attr.kind);
                self.fault(|| Fault::bad_value(element, name, value, kinds, schemas));
            }
            fits = fits.and(right);
            if self.is_decided(fits) {
                return fits;
            }
        }
        for attr in attrs().filter(|attr| attr.need != Need::May && !schemas.and(attr.when).is_empty()) {
            fits = fits.without(self.need(element, attr, attrs, schemas));
        }
        fits
    }

    /// The schemas in which the attribute, or its group, is not there as it has to be. A group is looked at when its
    /// first one is.
    fn need<I: Iterator<Item = &'static Attr>>(
        &mut self,
        element: Element<'d>,
        attr: &'static Attr,
        attrs: impl Fn() -> I,
        schemas: SchemaSet,
    ) -> SchemaSet {
        let is_there = |attr: &&Attr| element.attr(attr.name).is_some();
        if attr.need == Need::Must {
            if is_there(&attr) {
                return SchemaSet::NONE;
            }
            self.fault(|| Fault::missing_attribute(element, attr.name));
            return attr.when;
        }
        let group = || attrs().filter(|other| other.need == attr.need && !other.when.and(schemas).is_empty());
        if group().next().is_some_and(|first| !std::ptr::eq(first, attr)) {
            return SchemaSet::NONE;
        }
        let when = group().fold(SchemaSet::NONE, |all, attr| all.or(attr.when));
        match group().filter(is_there).count() {
            0 if matches!(attr.need, Need::OneOf(_)) => {
                self.fault(|| Fault::needs_one_of(element, group().map(|attr| attr.name)));
                when
            }
            0 | 1 => SchemaSet::NONE,
            _ => {
                self.fault(|| Fault::too_many_attributes(element, group().filter(is_there).map(|a| a.name)));
                when
            }
        }
    }
}

/// What is inside.
impl<'d> Judge<'d> {
    fn content(&mut self, element: Element<'d>, slots: &'static [Slot], schemas: SchemaSet) -> SchemaSet {
        let mut fits = schemas;
        if element.has_text() {
            self.fault(|| Fault::text(element));
            fits = SchemaSet::NONE;
        }
        let mut counts = [0_usize; MAX_SLOTS];
        let mut place = 0;
        for child in element.children() {
            if self.is_decided(fits) {
                break;
            }
            fits = fits.and(self.child(child, slots, schemas, &mut counts, &mut place));
        }
        for (slot, n) in slots.iter().zip(counts) {
            let at = schemas.and(slot.when);
            if at.is_empty() || (slot.least..=slot.most).contains(&n) {
                continue;
            }
            self.fault(|| Fault::wrong_number(element, slot, n, schemas));
            fits = fits.without(slot.when);
        }
        fits
    }

    fn child(
        &mut self,
        child: Element<'d>,
        slots: &'static [Slot],
        schemas: SchemaSet,
        counts: &mut [usize; MAX_SLOTS],
        place: &mut u8,
    ) -> SchemaSet {
        let mut fits = SchemaSet::NONE;
        let mut is_known = false;
        let name = child.name();
        for (slot, count) in slots.iter().zip(counts) {
            let Some(shape) = slot.shapes.iter().find(|shape| shape.name == name) else { continue };
            let at = schemas.and(slot.when);
            if at.is_empty() {
                continue;
            }
            is_known = true;
            *count += 1;
            if slot.place < *place {
                self.fault(|| Fault::too_late(child));
                continue;
            }
            *place = slot.place;
            let mark = self.ids.mark();
            let inner = self.element(child, shape, lagged(at, slot.lags));
            fits = fits.or(unlagged(inner, at, slot.lags));
            if !slot.lags.is_empty() {
                self.ids.map_since(mark, |when| unlagged(when, at, slot.lags));
            }
        }
        if !is_known {
            self.fault(|| Fault::unknown_element(child, schemas));
        }
        fits
    }
}

/// How many slots a form may have.
const MAX_SLOTS: usize = 12;

/// The schemas to ask about, where some lag behind.
fn lagged(schemas: SchemaSet, lags: &[Lag]) -> SchemaSet {
    lags.iter().fold(schemas, |asked, lag| {
        let rest = asked.without(lag.during);
        if schemas.and(lag.during).is_empty() { rest } else { rest.or(lag.as_of.alone()) }
    })
}

/// What the answers mean for the schemas that were meant.
fn unlagged(answers: SchemaSet, schemas: SchemaSet, lags: &[Lag]) -> SchemaSet {
    lags.iter().fold(answers.and(schemas), |fits, lag| {
        let rest = fits.without(lag.during);
        if answers.has(lag.as_of) { rest.or(schemas.and(lag.during)) } else { rest }
    })
}

#[cfg(test)]
mod tests {
    use super::{super::version::Schema, *};

    #[test]
    fn a_part_that_lags_is_asked_about_as_of_then() {
        let lags = [Lag { during: Schema::V3_0.before(), as_of: Schema::V1_0 }];
        let asked = lagged(SchemaSet::ALL, &lags);
        assert_eq!(asked, Schema::V1_0.alone().or(Schema::V3_0.and_later()));
        assert_eq!(unlagged(Schema::V1_0.alone(), SchemaSet::ALL, &lags), Schema::V3_0.before());
        assert_eq!(unlagged(Schema::V3_5.alone(), SchemaSet::ALL, &lags), Schema::V3_5.alone());
    }
}
