//! Transient node attributes, failcounts among them.

use super::{child_with_id, find_node_state, node_state};
use crate::xml::{Document, Element, Key};
use systole_types::{NodeUuid, Score, Timestamp};

/// A transient attribute's value on a node.
pub fn transient_attribute<'d>(document: &'d Document, node: &NodeUuid, name: &str) -> Option<&'d str> {
    pairs(document, node).into_iter().find(|pair| pair.attr("name") == Some(name))?.attr("value")
}

/// Sets a transient attribute, or deletes it if `value` is `None`.
pub fn set_attribute(document: &mut Document, node: &NodeUuid, name: &str, value: Option<&str>) -> bool {
    let found: Vec<Key> = pairs(document, node)
        .into_iter()
        .filter(|pair| pair.attr("name") == Some(name))
        .map(Element::key)
        .collect();
    match (value, found.first()) {
        (Some(value), Some(key)) => document.set_attr(*key, "value", value),
        (Some(value), None) => {
            add(document, node, name, value);
            true
        }
        (None, _) => {
            found.iter().for_each(|key| document.remove(*key));
            !found.is_empty()
        }
    }
}

/// Forgets all transient attributes of a node, as when it stops.
pub fn erase_attributes(document: &mut Document, node: &NodeUuid) -> bool {
    let all =
        find_node_state(document, node).into_iter().flat_map(|e| e.children_named("transient_attributes"));
    let found: Vec<Key> = all.map(Element::key).collect();
    found.iter().for_each(|key| document.remove(*key));
    !found.is_empty()
}

/// The attribute that counts failures of an operation: `fail-count-RSC#OPERATION_INTERVAL`.
pub fn failcount_name(resource: &str, operation: &str, interval_ms: u64) -> String {
    format!("fail-count-{resource}#{operation}_{interval_ms}")
}

/// The attribute that says when an operation failed last: `last-failure-RSC#OPERATION_INTERVAL`.
pub fn last_failure_name(resource: &str, operation: &str, interval_ms: u64) -> String {
    format!("last-failure-{resource}#{operation}_{interval_ms}")
}

/// Counts a failure by `by`: one, or INFINITY for one that must not be tried again there. `resource` is the name that
/// failures are counted under: without instance number for anonymous clones.
pub fn add_failure(
    document: &mut Document,
    node: &NodeUuid,
    resource: &str,
    (operation, interval_ms): (&str, u64),
    by: Score,
    now: Timestamp,
) -> bool {
    let name = failcount_name(resource, operation, interval_ms);
    let old = transient_attribute(document, node, &name)
        .and_then(|value| value.parse().ok())
        .unwrap_or(Score::ZERO);
    let counted = set_attribute(document, node, &name, Some(&(old + by).to_string()));
    let last = last_failure_name(resource, operation, interval_ms);
    set_attribute(document, node, &last, Some(&now.0.to_string())) | counted
}

/// Forgets the failures of a resource on a node: of one operation, or of all.
pub fn clear_failures(
    document: &mut Document,
    node: &NodeUuid,
    resource: &str,
    operation: Option<(&str, u64)>,
) -> bool {
    let is_meant = |name: &str| {
        let rest = name.strip_prefix("fail-count-").or_else(|| name.strip_prefix("last-failure-"));
        let Some(rest) = rest.and_then(|rest| rest.strip_prefix(resource)) else { return false };
        match (operation, rest.strip_prefix('#')) {
            (None, after) => rest.is_empty() || after.is_some(),
            (Some((operation, interval_ms)), Some(after)) => after == format!("{operation}_{interval_ms}"),
            (Some(_), None) => false,
        }
    };
    let found: Vec<Key> = pairs(document, node)
        .into_iter()
        .filter(|p| p.attr("name").is_some_and(is_meant))
        .map(Element::key)
        .collect();
    found.iter().for_each(|key| document.remove(*key));
    !found.is_empty()
}

fn pairs<'d>(document: &'d Document, node: &NodeUuid) -> Vec<Element<'d>> {
    let all =
        find_node_state(document, node).into_iter().flat_map(|e| e.children_named("transient_attributes"));
    let sets = all.flat_map(|attributes| attributes.children_named("instance_attributes"));
    sets.flat_map(|set| set.children_named("nvpair")).collect()
}

fn add(document: &mut Document, node: &NodeUuid, name: &str, value: &str) {
    let state = node_state(document, node);
    let attributes = child_with_id(document, state, "transient_attributes", node.as_str());
    let set_id = sanitized(&format!("status-{node}"));
    let set = child_with_id(document, attributes, "instance_attributes", &set_id);
    let pair = document.append(set, "nvpair");
    document.set_attr(pair, "id", &sanitized(&format!("{set_id}-{name}")));
    document.set_attr(pair, "name", name);
    document.set_attr(pair, "value", value);
}

/// The text as an id: characters that an id must not have become dots.
pub fn sanitized(text: &str) -> String {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.') || !c.is_ascii();
    text.chars().map(|c| if is_allowed(c) { c } else { '.' }).collect()
}
