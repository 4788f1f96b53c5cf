//! Operations: what they need to run (`requires`) is a matter of the resource, and their own settings are meta attributes.

use super::{
    super::support::{append, has_rule, keys},
    sets::{NewSet, Pair, add_pairs, remove_if_empty},
};
use crate::xml::{Document, Element, Key};

/// Settings of an operation that were found among its parameters.
const SETTINGS: [&str; 7] =
    ["interval-origin", "start-delay", "enabled", "on-fail", "record-pending", "role", "timeout"];

/// Changes the operations of a primitive or template, and gives the sets that the resource itself gets.
pub(super) fn change(document: &mut Document, resource: Key) -> Vec<NewSet> {
    let moved = requirements(document.element(resource));
    let is_op = |e: Element<'_>| e.is("op") && e.parent().is_some_and(|list| list.is("operations"));
    for op in keys(document.element(resource).descendants(), is_op) {
        operation(document, resource, op);
    }
    moved
}

fn ops(resource: Element<'_>) -> impl Iterator<Item = Element<'_>> {
    resource.children_named("operations").flat_map(|list| list.children_named("op"))
}

/// Only what is needed to start or promote ever counted.
fn counts(op: Element<'_>) -> bool {
    matches!(op.attr("name"), Some("start" | "promote"))
}

fn requires(set: Element<'_>) -> impl Iterator<Item = Element<'_>> {
    set.children_named("nvpair").filter(|pair| pair.attr("name") == Some("requires"))
}

/// Whether the resource says this itself.
fn says(resource: Element<'_>, name: &str) -> bool {
    let sets = resource.children_named("meta_attributes").filter(|set| !has_rule(*set));
    sets.flat_map(|set| set.children_named("nvpair")).any(|pair| pair.attr("name") == Some(name))
}

/// `requires` of operations as sets of the resource: the last one of an operation's attributes, else the last set that has
/// it, meta attributes before parameters; and those that depend on rules.
fn requirements(resource: Element<'_>) -> Vec<NewSet> {
    if says(resource, "requires") {
        return Vec::new();
    }
    let attribute = ops(resource).filter(|op| counts(*op) && op.attr("requires").is_some()).last();
    if let Some(op) = attribute {
        let id = format!("_2TO3_{}-meta-requires", op.id().unwrap_or_default());
        let pair = Pair::new(&id, "requires", op.attr("requires").unwrap_or_default());
        let id = format!("_2TO3_{}-meta", resource.id().unwrap_or_default());
        return vec![NewSet { like: None, id, pairs: vec![pair] }];
    }
    let is_set = |e: &Element<'_>| matches!(e.name(), "meta_attributes" | "instance_attributes");
    let sets: Vec<Element<'_>> = ops(resource)
        .filter(|op| counts(*op))
        .flat_map(|op| op.children().filter(is_set))
        .filter(|set| requires(*set).next().is_some())
        .collect();
    let is_plain = |set: &Element<'_>, name: &str| set.is(name) && !has_rule(*set);
    let has_plain_meta = sets.iter().any(|set| is_plain(set, "meta_attributes"));
    let moved = sets.iter().enumerate().filter(|(at, set)| {
        let is_followed = sets[at + 1..].iter().any(|later| is_plain(later, set.name()));
        !(is_followed || set.is("instance_attributes") && has_plain_meta)
    });
    moved.map(|(_, set)| NewSet::like(*set, requires(*set).map(Pair::of).collect())).collect()
}

fn operation(document: &mut Document, resource: Key, op: Key) {
    document.remove_attr(op, "requires");
    let (plain, with_rules) = settings(document.element(resource), document.element(op));
    for set in keys(document.element(op).children(), |e| e.is("instance_attributes")) {
        let is_gone = |e: Element<'_>| {
            let name = e.attr("name");
            e.is("nvpair") && name.is_some_and(|name| name == "requires" || SETTINGS.contains(&name))
        };
        let pairs = keys(document.element(set).children(), is_gone);
        pairs.into_iter().for_each(|pair| document.remove(pair));
        remove_if_empty(document, set);
    }
    let metas = keys(document.element(op).children(), |e| e.is("meta_attributes"));
    let first = metas.iter().copied().find(|set| !has_rule(document.element(*set)));
    for set in &metas {
        let pairs: Vec<Key> = requires(document.element(*set)).map(Element::key).collect();
        pairs.into_iter().for_each(|pair| document.remove(pair));
    }
    if !plain.is_empty() {
        let set = first.unwrap_or_else(|| {
            let id = format!("_2TO3_{}-meta", document.element(op).id().unwrap_or_default());
            append(document, op, "meta_attributes", &[("id", &id)])
        });
        add_pairs(document, set, &plain);
    }
    metas.into_iter().for_each(|set| remove_if_empty(document, set));
    with_rules.into_iter().for_each(|set| set.append_to(document, op));
}

/// The settings among an operation's parameters: those that always hold, and those that rules decide about. The last set
/// counts, and nothing does that the resource says itself.
fn settings(resource: Element<'_>, op: Element<'_>) -> (Vec<Pair>, Vec<NewSet>) {
    let sets: Vec<Element<'_>> = op.children_named("instance_attributes").collect();
    let has = |set: &Element<'_>, name: &str| {
        set.children_named("nvpair").any(|pair| pair.attr("name") == Some(name))
    };
    let (mut plain, mut with_rules) = (Vec::new(), Vec::new());
    for (at, set) in sets.iter().enumerate() {
        let is_moved = |found: &Element<'_>| {
            let name = found.attr("name").unwrap_or_default();
            let is_followed = sets[at + 1..].iter().any(|later| !has_rule(*later) && has(later, name));
            SETTINGS.contains(&name) && !says(resource, name) && !is_followed
        };
        let pairs: Vec<Pair> = set.children_named("nvpair").filter(is_moved).map(Pair::of).collect();
        match has_rule(*set) {
            false => plain.extend(pairs),
            true if pairs.is_empty() => {}
            true => with_rules.push(NewSet::like(*set, pairs)),
        }
    }
    (plain, with_rules)
}
