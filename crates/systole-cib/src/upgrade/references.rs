//! `id-ref`s are written out before a step and drawn together again after it, so that the step need not know of them.

use super::support::{attr, configuration, keys};
use crate::xml::{Document, Element, Key, MAX_DEPTH};
use std::collections::{BTreeMap, BTreeSet};

/// How many elements references may be written out to. Bounds what references within references make of a small CIB.
pub(super) const MAX_WRITTEN_OUT: usize = 100_000;

/// Puts a copy of what it stands for in the place of every reference; `None` if there is no end of it.
///
/// The copies have the ids of what they are copies of. Pairs that have a name beside the reference are left to `named_pair`.
pub(super) fn write_out(
    document: &mut Document,
    named_pair: impl Fn(&mut Document, Key, Element<'_>),
) -> Option<()> {
    let whole = document.clone();
    let is_named = |e: &Element<'_>| !matches!(e.name(), "resource_ref" | "obj_ref" | "role");
    let mut targets: BTreeMap<&str, Element<'_>> = BTreeMap::new();
    for element in configuration(&whole).filter(is_named) {
        if let Some(id) = element.id() {
            targets.entry(id).or_insert(element);
        }
    }
    let is_reference = |e: Element<'_>| e.attr("id-ref").is_some();
    let mut open = keys(configuration(document), is_reference);
    let mut left = MAX_WRITTEN_OUT;
    while let Some(key) = open.pop() {
        let reference = document.element(key);
        let target = *targets.get(reference.attr("id-ref")?)?;
        left = left.checked_sub(target.descendants().take(left + 1).count())?;
        if reference.is("nvpair") && reference.attr("name").is_some() {
            named_pair(document, key, target);
            continue;
        }
        if depth(reference) + height(target) > MAX_DEPTH {
            return None;
        }
        let copy = document.replace(key, target);
        open.extend(keys(document.element(copy).descendants(), is_reference));
    }
    Some(())
}

fn depth(element: Element<'_>) -> usize {
    std::iter::successors(Some(element), |at| at.parent()).count()
}

fn height(element: Element<'_>) -> usize {
    let top = depth(element);
    element.descendants().map(|below| depth(below) - top).max().unwrap_or(0)
}

/// Makes references again of elements that are no originals, if their id is that of an original element or of one further
/// up in the document.
pub(super) fn draw_together(document: &mut Document, is_original: impl Fn(Key) -> bool) {
    let all = document.root().descendants().filter(|e| is_original(e.key()));
    let originals: BTreeSet<String> = all.filter_map(Element::id).map(str::to_owned).collect();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    let mut drawn: BTreeSet<Key> = BTreeSet::new();
    for key in keys(document.root().descendants(), |e| e.id().is_some()) {
        let id = attr(document, key, "id");
        let is_known = originals.contains(&id) || seen.contains(&id);
        seen.insert(id.clone());
        let mut around = std::iter::successors(document.element(key).parent(), |at| at.parent());
        if is_known && !is_original(key) && !around.any(|at| drawn.contains(&at.key())) {
            drawn.insert(key);
            make_reference(document, key, &id);
        }
    }
}

/// Leaves nothing of an element but a reference.
pub(super) fn make_reference(document: &mut Document, key: Key, id: &str) {
    let children = keys(document.element(key).children(), |_| true);
    children.into_iter().for_each(|child| document.remove(child));
    let names: Vec<String> = document.element(key).attrs().map(|(name, _)| name.to_owned()).collect();
    for name in names {
        document.remove_attr(key, &name);
    }
    document.set_attr(key, "id-ref", id);
}
