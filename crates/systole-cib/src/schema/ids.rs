//! Ids have to be unique, and references have to lead to one.

use super::{faults::Fault, kind::Kind, shape::Attr, version::SchemaSet};
use crate::{lookup::Lookup, xml::Element};
use std::collections::BTreeMap;

/// How many elements of one id are remembered.
const MAX_TWINS: usize = 8;

/// An element that has an id, with the schemas in which it is one.
type Named<'d> = (Element<'d>, SchemaSet);

/// Ids and references that were come across, with the schemas in which they are such.
#[derive(Default)]
pub(super) struct Ids<'d> {
    named: Vec<(&'d str, Named<'d>)>,
    references: Vec<(&'d str, Element<'d>, &'static str, SchemaSet)>,
}

impl<'d> Ids<'d> {
    pub fn note(
        &mut self,
        element: Element<'d>,
        attrs: impl Iterator<Item = &'static Attr>,
        schemas: SchemaSet,
    ) {
        for attr in attrs {
            let when = attr.when.and(schemas);
            if when.is_empty() || !matches!(attr.kind, Kind::Id | Kind::Reference) {
                continue;
            }
            let Some(value) = element.attr(attr.name) else { continue };
            let value = value.trim_matches([' ', '\t', '\n', '\r']);
            if matches!(attr.kind, Kind::Id) {
                self.named.push((value, (element, when)));
            } else {
                self.references.push((value, element, attr.name, when));
            }
        }
    }

    /// A mark at what was noted last.
    pub fn mark(&self) -> (usize, usize) {
        (self.named.len(), self.references.len())
    }

    /// Changes the schemas of all that was noted since a mark.
    pub fn map_since(&mut self, mark: (usize, usize), map: impl Fn(SchemaSet) -> SchemaSet) {
        self.named[mark.0..].iter_mut().for_each(|(_, (_, when))| *when = map(*when));
        self.references[mark.1..].iter_mut().for_each(|(.., when)| *when = map(*when));
    }

    /// What is wrong with them, in document order as far as that is known, with the schemas in which it is wrong.
    pub fn check(self) -> Vec<(Fault<'d>, SchemaSet)> {
        let named: Lookup<'d, Named<'d>> = self.named.into_iter().collect();
        // By the place of the first with an id: in which schemas there is one of that id.
        let mut there: Vec<SchemaSet> = named.items().iter().map(|(_, (_, when))| *when).collect();
        let mut found = Vec::new();
        let mut known: BTreeMap<usize, Vec<Named<'d>>> = BTreeMap::new();
        for (place, first) in named.twins() {
            let (_, (element, when)) = named.items()[place];
            there[first] = there[first].or(when);
            let known = known.entry(first).or_insert_with(|| vec![named.items()[first].1]);
            found.extend(clash(known, element, when));
        }
        for (id, element, name, when) in self.references {
            let there = named.place(id).map_or(SchemaSet::NONE, |place| there[place]);
            let missing = when.without(there);
            if !missing.is_empty() {
                found.push((Fault::dangling(element, name, id), missing));
            }
        }
        found
    }
}

/// What is wrong with one more element of an id, which is then one of those that are known.
fn clash<'d>(
    known: &mut Vec<Named<'d>>,
    element: Element<'d>,
    when: SchemaSet,
) -> Option<(Fault<'d>, SchemaSet)> {
    // An element is noted once for each of the forms that it was held against.
    let others = known.iter().filter(|(other, _)| other.key() != element.key());
    let clashing = others.filter(|(_, at)| !at.and(when).is_empty());
    let at = clashing.clone().fold(SchemaSet::NONE, |all, (_, at)| all.or(at.and(when)));
    let fault = clashing.clone().next().map(|(first, _)| (Fault::duplicate_id(element, *first), at));
    match known.iter().position(|(other, _)| other.key() == element.key()) {
        Some(same) => known[same].1 = known[same].1.or(when),
        // More than a few of an id add nothing.
        None if known.len() < MAX_TWINS => known.push((element, when)),
        None => {}
    }
    fault
}
