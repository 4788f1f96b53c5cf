//! Sets of pairs: their order, pairs that never counted, and options that are gone.

use super::super::support::{attr, keys};
use crate::xml::{Document, Element, Key};

pub(super) fn change(document: &mut Document) {
    for parent in keys(document.root().descendants(), |e| e.children().any(is_set)) {
        in_order_of_score(document, parent);
    }
    for set in keys(document.root().descendants(), |e| e.child("nvpair").is_some()) {
        pairs(document, set);
    }
}

fn is_set(element: Element<'_>) -> bool {
    matches!(
        element.name(),
        "cluster_property_set" | "instance_attributes" | "meta_attributes" | "utilization"
    )
}

/// Sets come last, those of the highest score first of them: the order in which they count.
fn in_order_of_score(document: &mut Document, parent: Key) {
    let rank = |set: Element<'_>| {
        let is_first = set.is("cluster_property_set") && set.id() == Some("cib-bootstrap-options");
        let score = match set.attr("score") {
            None => 0.0,
            Some("INFINITY" | "+INFINITY") => f64::INFINITY,
            Some(score) => score.trim().parse().unwrap_or(f64::NEG_INFINITY),
        };
        (is_first, score)
    };
    let mut sets: Vec<(Key, (bool, f64))> = document
        .element(parent)
        .children()
        .filter(|e| is_set(*e))
        .map(|set| (set.key(), rank(set)))
        .collect();
    sets.sort_by(|(_, a), (_, b)| b.0.cmp(&a.0).then(b.1.total_cmp(&a.1)));
    for (set, _) in sets {
        document.move_to(set, parent, None);
    }
}

fn pairs(document: &mut Document, set: Key) {
    let is_options = document.element(set).is("cluster_property_set");
    for pair in keys(document.element(set).children(), |e| e.is("nvpair")) {
        let name = attr(document, pair, "name");
        let Some(value) = document.element(pair).attr("value") else {
            document.remove(pair);
            continue;
        };
        match name.as_str() {
            _ if !is_options => {}
            "remove-after-stop" => document.remove(pair),
            "stonith-action" if value == "poweroff" => {
                document.set_attr(pair, "value", "off");
            }
            _ => {
                if let Some((_, new)) = RENAMED.iter().find(|(old, _)| *old == name) {
                    document.set_attr(pair, "name", new);
                }
            }
        }
    }
    remove_repeated(document, set);
}

const RENAMED: [(&str, &str); 3] = [
    ("crmd-finalization-timeout", "join-finalization-timeout"),
    ("crmd-integration-timeout", "join-integration-timeout"),
    ("crmd-transition-delay", "transition-delay"),
];

/// Of pairs of one name the first counts, and `#default` takes back what was said before.
fn remove_repeated(document: &mut Document, set: Key) {
    let all: Vec<(Key, String, bool)> = document
        .element(set)
        .children_named("nvpair")
        .map(|pair| {
            let name = pair.attr("name").unwrap_or_default().to_owned();
            (pair.key(), name, pair.attr("value") == Some("#default"))
        })
        .collect();
    for (at, (key, name, is_default)) in all.iter().enumerate() {
        let mut later = all[at + 1..].iter().filter(|(_, other, _)| other == name);
        let is_repeated = if *is_default {
            later.next().is_some()
        } else {
            let is_taken_back = later.any(|(.., is_default)| *is_default);
            let before = all[..at].iter().rev().find(|(_, other, _)| other == name);
            is_taken_back || before.is_some_and(|(.., is_default)| !is_default)
        };
        if is_repeated {
            document.remove(*key);
        }
    }
}
