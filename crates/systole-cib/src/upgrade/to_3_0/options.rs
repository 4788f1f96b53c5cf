//! Cluster options: names, and defaults that moved to `<rsc_defaults>` and `<op_defaults>`.

use super::{
    super::support::{append, attr, configuration, has_rule, keys},
    sets::{Pair, add_pairs, remove_if_empty},
};
use crate::xml::{Document, Element, Key};

/// What becomes of an option.
#[derive(Clone, Copy)]
enum Fate {
    Dropped,
    Renamed(&'static str),
    /// It is a meta attribute in this section now.
    Moved(&'static str, &'static str),
}

use Fate::{Dropped, Moved, Renamed};

const OPERATIONS: &str = "op_defaults";
const RESOURCES: &str = "rsc_defaults";

/// Options, with dashes, that changed. All were spelled with underscores too.
const CHANGED: [(&str, Fate); 10] = [
    ("default-action-timeout", Moved(OPERATIONS, "timeout")),
    ("default-migration-threshold", Dropped),
    ("default-resource-failure-stickiness", Dropped),
    ("default-resource-stickiness", Moved(RESOURCES, "resource-stickiness")),
    ("expected-quorum-votes", Dropped),
    ("is-managed-default", Moved(RESOURCES, "is-managed")),
    ("notification-agent", Dropped),
    ("notification-recipient", Dropped),
    ("transition_idle_timeout", Renamed("cluster-delay")),
    ("remove_after_stop", Renamed("remove-after-stop")),
];

/// Options that are spelled with dashes now.
const WITH_DASHES: [(&str, &str); 10] = [
    ("cluster_recheck_interval", "cluster-recheck-interval"),
    ("dc_deadtime", "dc-deadtime"),
    ("election_timeout", "election-timeout"),
    ("no_quorum_policy", "no-quorum-policy"),
    ("shutdown_escalation", "shutdown-escalation"),
    ("startup_fencing", "startup-fencing"),
    ("stonith_action", "stonith-action"),
    ("stonith_enabled", "stonith-enabled"),
    ("stop_orphan_actions", "stop-orphan-actions"),
    ("stop_orphan_resources", "stop-orphan-resources"),
];

/// Cluster layers that are no more.
const FORMER_LAYERS: [&str; 5] =
    ["heartbeat", "openais", "classic openais", "classic openais (with plugin)", "cman"];

fn fate(name: &str, value: &str) -> Option<Fate> {
    if name == "cluster-infrastructure" {
        return FORMER_LAYERS.contains(&value).then_some(Dropped);
    }
    if name == "symmetric_cluster" {
        return Some(Renamed("symmetric-cluster"));
    }
    if let Some((_, new)) = WITH_DASHES.iter().find(|(old, _)| *old == name) {
        return Some(Renamed(new));
    }
    let dashed = match name {
        "default_action_timeout"
        | "default_migration_threshold"
        | "default_resource_failure_stickiness"
        | "default_resource_stickiness"
        | "is_managed_default" => name.replace('_', "-"),
        _ => name.to_owned(),
    };
    // Of a failure stickiness, only this value can be said otherwise: the first failure moves the resource away.
    if dashed == "default-resource-failure-stickiness" && value == "-INFINITY" {
        return Some(Moved(RESOURCES, "migration-threshold"));
    }
    CHANGED.iter().find(|(old, _)| *old == dashed).map(|(_, fate)| *fate)
}

pub(super) fn change(document: &mut Document) {
    let mut moved: Vec<(&str, Pair)> = Vec::new();
    for set in keys(configuration(document), |e| e.is("cluster_property_set")) {
        for key in keys(document.element(set).children(), |e| e.is("nvpair")) {
            let mut pair = Pair::of(document.element(key));
            match fate(pair.get("name"), pair.get("value")) {
                None => {}
                Some(Renamed(new)) => {
                    document.set_attr(key, "name", new);
                }
                Some(Dropped) => document.remove(key),
                Some(Moved(section, new)) => {
                    // What depends on a rule has no place there.
                    if !has_rule(document.element(set)) {
                        pair.set("name", new);
                        if new == "migration-threshold" {
                            pair.set("value", "1");
                        }
                        moved.push((section, pair));
                    }
                    document.remove(key);
                }
            }
        }
        remove_if_empty(document, set);
    }
    for section in [OPERATIONS, RESOURCES] {
        let pairs = moved.iter().filter(|(to, _)| *to == section).map(|(_, pair)| pair.clone()).collect();
        add_defaults(document, section, pairs);
    }
}

/// What is there by that name already counts.
fn add_defaults(document: &mut Document, section: &str, mut pairs: Vec<Pair>) {
    let Some(configuration) = document.root().child("configuration") else { return };
    if pairs.is_empty() {
        return;
    }
    let (configuration, existing) = (configuration.key(), configuration.child(section).map(Element::key));
    let Some(section_key) = existing else {
        let key = document.append(configuration, section);
        let id = format!("_2TO3_-{}", section.replace('_', "-"));
        let set = append(document, key, "meta_attributes", &[("id", &id)]);
        return add_pairs(document, set, &pairs);
    };
    let sets: Vec<Key> =
        keys(document.element(section_key).children(), |e| e.is("meta_attributes") && !has_rule(e));
    for set in &sets {
        for key in keys(document.element(*set).children(), |e| e.is("nvpair")) {
            let name = attr(document, key, "name");
            pairs.retain(|pair| pair.get("name") != name);
        }
    }
    if let Some(first) = sets.first() {
        add_pairs(document, *first, &pairs);
    }
}
