//! Sets that stand for others are copies during the change: what they refer to may change, or go.

use super::super::{
    references::{MAX_WRITTEN_OUT, make_reference},
    support::{attr, configuration, keys, piece},
};
use crate::xml::{Document, Element, Key};
use std::collections::BTreeMap;

/// Begins the id of a set's copy.
const COPY: &str = "_cibtr-2_";

/// Begins the ids of what is in a set's copy.
const WITHIN_COPY: &str = "__cibtr-2_";

fn is_set(element: Element<'_>) -> bool {
    matches!(element.name(), "cluster_property_set" | "instance_attributes" | "meta_attributes")
}

type ByName = BTreeMap<(String, String), Vec<Key>>;

/// Sets by element name and id.
fn by_name(document: &Document) -> ByName {
    let mut sets = ByName::new();
    for set in configuration(document).filter(|e| is_set(*e)) {
        if let Some(id) = set.id() {
            sets.entry((set.name().to_owned(), id.to_owned())).or_default().push(set.key());
        }
    }
    sets
}

/// Puts copies in the place of references; `None` if one refers to something else, or there is no end of it.
pub(super) fn unfold(document: &mut Document) -> Option<()> {
    let sets = by_name(document);
    let mut left = MAX_WRITTEN_OUT;
    for key in keys(configuration(document), |e| is_set(e) && e.attr("id-ref").is_some()) {
        let reference = document.element(key);
        let id = reference.attr("id-ref")?.to_owned();
        let [target] = sets.get(&(reference.name().to_owned(), id.clone()))?[..] else { return None };
        left = left.checked_sub(document.element(target).descendants().count())?;
        let piece = piece(document.element(target));
        let copy = document.replace(key, piece.root());
        for inside in keys(document.element(copy).descendants(), |e| e.id().is_some()) {
            let old = attr(document, inside, "id");
            let new =
                if inside == copy { format!("{COPY}{old}") } else { format!("{WITHIN_COPY}{id}__{old}") };
            document.set_attr(inside, "id", &new);
        }
    }
    Some(())
}

/// Makes references again of copies that are still the same as what they are copies of.
pub(super) fn fold(document: &mut Document) {
    let is_copy = |e: Element<'_>| is_set(e) && e.id().is_some_and(|id| id.starts_with(COPY));
    let sets = by_name(document);
    for key in keys(configuration(document), is_copy) {
        let copy = document.element(key);
        let id = copy.id().and_then(|id| id.strip_prefix(COPY)).unwrap_or_default().to_owned();
        let original = sets.get(&(copy.name().to_owned(), id.clone())).and_then(|sets| sets.first());
        let original = original.map(|original| document.element(*original));
        if original.is_some_and(|original| without_ids(original) == without_ids(copy)) {
            make_reference(document, key, &id);
        }
    }
}

fn without_ids(element: Element<'_>) -> String {
    element.write_without(&["id"])
}

/// A set of pairs that a resource or an operation gets.
pub(super) struct NewSet {
    /// What it is made of: a set without its pairs, or nothing.
    pub like: Option<Document>,
    pub id: String,
    pub pairs: Vec<Pair>,
}

impl NewSet {
    /// A set with the rule and the score of another.
    pub fn like(set: Element<'_>, pairs: Vec<Pair>) -> Self {
        let mut like = piece(set);
        for pair in keys(like.root().children(), |e| e.is("nvpair")) {
            like.remove(pair);
        }
        let id = format!("_2TO3_{}", set.id().unwrap_or_default());
        Self { like: Some(like), id, pairs }
    }

    /// Adds the set to the end of an element.
    pub fn append_to(self, document: &mut Document, parent: Key) {
        let key = match &self.like {
            Some(like) => document.import(parent, None, like.root()),
            None => document.append(parent, "meta_attributes"),
        };
        document.rename(key, "meta_attributes");
        document.set_attr(key, "id", &self.id);
        add_pairs(document, key, &self.pairs);
    }
}

pub(super) fn add_pairs(document: &mut Document, set: Key, pairs: &[Pair]) {
    for Pair(attrs) in pairs {
        let pair = document.append(set, "nvpair");
        for (name, value) in attrs {
            document.set_attr(pair, name, value);
        }
    }
}

/// The attributes of a pair.
#[derive(Clone)]
pub(super) struct Pair(Vec<(String, String)>);

impl Pair {
    pub fn new(id: &str, name: &str, value: &str) -> Self {
        let attrs = [("id", id), ("name", name), ("value", value)];
        Self(attrs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec())
    }

    /// A pair as it is.
    pub fn of(element: Element<'_>) -> Self {
        Self(element.attrs().map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(attr, _)| attr == name).map_or("", |(_, value)| value)
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.0.iter_mut().filter(|(attr, _)| attr == name).for_each(|(_, old)| value.clone_into(old));
    }
}

/// Takes out sets that have no pairs any more.
pub(super) fn remove_if_empty(document: &mut Document, set: Key) {
    if document.element(set).child("nvpair").is_none() {
        document.remove(set);
    }
}
