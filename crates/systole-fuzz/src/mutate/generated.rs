//! Alterations by the generator: what it does to clusters that it makes up.

use super::Patient;
use crate::generate::Sketch;
use std::mem;
use systole_cib::{
    schema::{self, Schema},
    xml::{Document, Element, Key},
};

/// In how many of so many alterations, what is said of it, and how it is done.
type Step = (u64, &'static str, fn(&mut Sketch));

const STEPS: [Step; 8] = [
    (50, "something rare", Sketch::take_any_step),
    (8, "the plan carried out, or something happening", Sketch::go_on),
    (4, "having lived", Sketch::live),
    (10, "something going wrong", Sketch::suffer_any),
    (5, "its configuration changed", Sketch::change_configuration),
    (4, "promotion scores", Sketch::set_promotion_scores),
    (6, "states strewn over it", strew),
    (5, "in an older language", Sketch::speak_an_older_language),
];

impl Patient<'_> {
    /// Does something that the generator does.
    pub(super) fn generate(&mut self) -> Option<String> {
        let seed = self.random.bits();
        let mut sketch = Sketch::adopt(self.document.clone(), seed)?;
        let total: u64 = STEPS.iter().map(|(share, ..)| share).sum();
        let mut at = self.random.between(0, total - 1);
        let step = STEPS.iter().find(|(share, ..)| {
            let is_it = at < *share;
            at = at.saturating_sub(*share);
            is_it
        });
        let (_, what, step) = step?;
        let before = self.document.to_text();
        step(&mut sketch);
        let is_changed = sketch.document.to_text() != before;
        *self.document = mem::replace(&mut sketch.document, Document::new("cib"));
        is_changed.then(|| format!("with {what} (step of seed {seed})"))
    }
}

/// Forgets all histories, and puts others in their place.
fn strew(sketch: &mut Sketch) {
    let keys = |document: &Document, name: &str| -> Vec<Key> {
        let status = document.root().child("status").into_iter().flat_map(Element::descendants);
        status.filter(|element| element.is(name)).map(Element::key).collect()
    };
    for history in keys(&sketch.document, "lrm") {
        sketch.document.remove(history);
    }
    for state in keys(&sketch.document, "node_state") {
        let id = sketch.document.element(state).id().unwrap_or_default().to_owned();
        sketch.add(state, "lrm", &[("id", &id)]);
    }
    sketch.strew_states();
}

/// Names a schema that the CIB fits, if it does not fit the one that it names (any more): a later one, else any. False if there is
/// none: the incumbent would refuse the CIB.
pub(super) fn names_a_fitting_schema(document: &mut Document) -> bool {
    let root = document.root_key();
    let Some(named) = document.root().attr("validate-with").and_then(Schema::named) else { return true };
    let fitting = schema::fitting(document);
    if fitting.has(named) {
        return true;
    }
    let Some(chosen) = fitting.and(named.and_later()).oldest().or_else(|| fitting.oldest()) else {
        return false;
    };
    document.set_attr(root, "validate-with", chosen.name());
    true
}
