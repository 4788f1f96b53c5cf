//! Parameters and meta attributes of primitives and templates that changed their names.

use super::{
    super::support::{attr, has_rule, keys},
    sets::remove_if_empty,
};
use crate::xml::{Document, Element, Key};

/// Parameters of fencing devices.
const PARAMETERS: [(&str, &str); 6] = [
    ("pcmk_list_cmd", "pcmk_list_action"),
    ("pcmk_monitor_cmd", "pcmk_monitor_action"),
    ("pcmk_off_cmd", "pcmk_off_action"),
    ("pcmk_on_cmd", "pcmk_on_action"),
    ("pcmk_reboot_cmd", "pcmk_reboot_action"),
    ("pcmk_status_cmd", "pcmk_status_action"),
];

pub(super) fn change(document: &mut Document, resource: Key) {
    for set in keys(document.element(resource).children(), |e| e.is("instance_attributes")) {
        for pair in keys(document.element(set).children(), |e| e.is("nvpair")) {
            parameter(document, pair);
        }
        remove_if_empty(document, set);
    }
    let sets = keys(document.element(resource).children(), |e| e.is("meta_attributes"));
    let fates: Vec<_> = sets.iter().enumerate().map(|(at, _)| fates(document, &sets[at..])).collect();
    for (set, fates) in sets.into_iter().zip(fates) {
        let is_emptied = !fates.is_empty() && fates.iter().all(|(_, fate)| matches!(fate, Fate::Dropped));
        let n_pairs = document.element(set).children_named("nvpair").count();
        for (pair, fate) in &fates {
            match fate {
                Fate::Dropped | Fate::SaidElsewhere => document.remove(*pair),
                Fate::Became(name, value) => {
                    document.set_attr(*pair, "name", name);
                    if document.element(*pair).attr("value").is_some() {
                        document.set_attr(*pair, "value", value);
                    }
                }
            }
        }
        if n_pairs == 0 || (is_emptied && n_pairs == fates.len()) {
            document.remove(set);
        }
    }
}

fn parameter(document: &mut Document, pair: Key) {
    let (name, value) = (attr(document, pair, "name"), attr(document, pair, "value"));
    if name == "pcmk_arg_map" {
        // Only this mapping can be said otherwise.
        match value.strip_prefix("port:").filter(|argument| !argument.contains(',')) {
            Some(argument) => {
                document.set_attr(pair, "name", "pcmk_host_argument");
                document.set_attr(pair, "value", argument);
            }
            None => document.remove(pair),
        }
    } else if let Some((_, new)) = PARAMETERS.iter().find(|(old, _)| *old == name) {
        document.set_attr(pair, "name", new);
    }
}

enum Fate {
    Dropped,
    /// Another pair says it.
    SaidElsewhere,
    Became(&'static str, &'static str),
}

/// What a meta attribute is called now, and which value it has.
fn todays(pair: Element<'_>) -> Option<Option<(&'static str, &'static str)>> {
    match (pair.attr("name")?, pair.attr("value")) {
        ("isolation" | "isolation-host" | "isolation-instance" | "isolation-wrapper", _) => {
            // What ran in a container of this kind cannot run without: it stays stopped until someone decides.
            Some(Some(("target-role", "Stopped")))
        }
        ("resource-failure-stickiness" | "resource_failure_stickiness", Some("-INFINITY")) => {
            Some(Some(("migration-threshold", "1")))
        }
        ("resource-failure-stickiness" | "resource_failure_stickiness", _) => Some(None),
        _ => None,
    }
}

/// What becomes of the changed pairs of the first set, given the sets that follow it. A pair that is followed by another
/// of the same new name stays only if nothing is before it in the sets without rules (as with Pacemaker).
fn fates(document: &Document, sets: &[Key]) -> Vec<(Key, Fate)> {
    let Some(first) = sets.first().map(|set| document.element(*set)) else { return Vec::new() };
    let without_rules = sets.iter().map(|set| document.element(*set)).filter(|set| !has_rule(*set));
    let pairs = without_rules.flat_map(|set| set.children_named("nvpair"));
    let said: Vec<(Key, Option<&str>)> = pairs
        .filter_map(|pair| match todays(pair) {
            None => Some((pair.key(), None)),
            Some(Some((name, _))) => Some((pair.key(), Some(name))),
            Some(None) => None,
        })
        .collect();
    let decide = |pair: Element<'_>| {
        let fate = match todays(pair)? {
            None => Fate::Dropped,
            Some((name, value)) => {
                let is_said = said.iter().any(|(_, said)| *said == Some(name));
                let is_first = said.first().is_some_and(|(key, _)| *key == pair.key());
                if is_said && !is_first { Fate::SaidElsewhere } else { Fate::Became(name, value) }
            }
        };
        Some((pair.key(), fate))
    };
    first.children_named("nvpair").filter_map(decide).collect()
}
