//! Ids have to be unique, and references have to lead to one.

use super::{faults::Fault, kind::Kind, shape::Attr, version::SchemaSet};
use crate::xml::Element;
use std::collections::BTreeMap;

/// How many elements of one id are remembered.
const MAX_TWINS: usize = 8;

/// Ids and references that were come across, with the schemas in which they are such.
#[derive(Default)]
pub(super) struct Ids<'d> {
    named: Vec<(&'d str, Element<'d>, SchemaSet)>,
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
                self.named.push((value, element, when));
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
        self.named[mark.0..].iter_mut().for_each(|(.., when)| *when = map(*when));
        self.references[mark.1..].iter_mut().for_each(|(.., when)| *when = map(*when));
    }

    /// What is wrong with them, in document order as far as that is known, with the schemas in which it is wrong.
    pub fn check(self) -> Vec<(Fault<'d>, SchemaSet)> {
        let mut found = Vec::new();
        let mut known: BTreeMap<&str, Vec<(Element<'d>, SchemaSet)>> = BTreeMap::new();
        for (id, element, when) in self.named {
            let known = known.entry(id).or_default();
            // An element is noted once for each of the forms that it was held against.
            let others = known.iter().filter(|(other, _)| other.key() != element.key());
            let clashing = others.filter(|(_, at)| !at.and(when).is_empty());
            let at = clashing.clone().fold(SchemaSet::NONE, |all, (_, at)| all.or(at.and(when)));
            if let Some((first, _)) = clashing.clone().next() {
                found.push((Fault::duplicate_id(element, *first), at));
            }
            match known.iter().position(|(other, _)| other.key() == element.key()) {
                Some(at) => known[at].1 = known[at].1.or(when),
                // More than a few of an id add nothing.
                None if known.len() < MAX_TWINS => known.push((element, when)),
                None => {}
            }
        }
        for (id, element, name, when) in self.references {
            let there = known.get(id).into_iter().flatten().fold(SchemaSet::NONE, |all, (_, at)| all.or(*at));
            let missing = when.without(there);
            if !missing.is_empty() {
                found.push((Fault::dangling(element, name, id), missing));
            }
        }
        found
    }
}
