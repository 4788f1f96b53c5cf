//! `cibadmin --upgrade`: to the newest schema, in today's words.
//!
//! What is renamed is what schema 4.0 does not know any more. Names of cluster options that are only deprecated
//! (`stonith-enabled`) stay as they are written, since other tools look for them.

use super::{
    Failure,
    apply::{OpError, line_of},
};
use crate::{
    ElementName,
    xml::{Document, Element, Key},
};

/// The newest schema.
pub(super) const NEWEST: &str = "pacemaker-4.0";

pub(super) fn upgrade(document: &mut Document) -> Result<(), OpError> {
    let root = document.root();
    match root.attr("validate-with") {
        Some(NEWEST) => return Ok(()),
        Some("none") => {
            let message =
                "validate-with is \"none\": there is nothing to upgrade from, set it to a schema first";
            return Err(OpError::new(Failure::Invalid, message));
        }
        _ => {}
    }
    let below = root.child("configuration").into_iter().flat_map(Element::descendants);
    let elements: Vec<Key> = below.map(Element::key).collect();
    for key in &elements {
        check_supported(document.element(*key))?;
    }
    for key in elements {
        upgrade_element(document, key);
    }
    let root = document.root_key();
    document.set_attr(root, "validate-with", NEWEST);
    Ok(())
}

/// What is gone without a replacement has to be decided about by the administrator.
fn check_supported(element: Element<'_>) -> Result<(), OpError> {
    let problem = match (element.name(), element.attr("class")) {
        ("rkt", _) => "rkt containers are not supported any more: use <podman> instead, or delete the bundle",
        ("primitive" | "template", Some("nagios" | "upstart")) => {
            "its class is not supported any more: delete it"
        }
        ("lifetime", _) if element.parent().is_some_and(|parent| parent.is("rsc_location")) => {
            "<lifetime> is not supported any more: put its conditions into the constraint's rule"
        }
        _ => return Ok(()),
    };
    let at = if element.id().is_some() { element } else { element.parent().unwrap_or(element) };
    Err(OpError::new(Failure::Invalid, format!("{}{}: {problem}", ElementName::of(at), line_of(at))))
}

fn upgrade_element(document: &mut Document, key: Key) {
    let element = document.element(key);
    match element.name() {
        "master" => master(document, key),
        "podman" | "docker" => rename_attr(document, key, "masters", "promoted-max"),
        "node" if element.attr("type") == Some("normal") => {
            document.set_attr(key, "type", "member");
        }
        "nvpair" => nvpair(document, key),
        "date_spec" => {
            document.remove_attr(key, "moon");
        }
        "fencing-level" => {
            let index = element.attr("index").and_then(|index| index.parse::<u64>().ok());
            if index.is_some_and(|index| index > 9) {
                document.remove(key);
            }
        }
        "lifetime" => document.remove(key),
        "rsc_location" => {
            role(document, key, "role");
            one_rule_each(document, key);
        }
        "rsc_colocation" | "rsc_order" | "rsc_ticket" | "resource_set" | "rule" | "op" => {
            for name in ["role", "rsc-role", "with-rsc-role"] {
                role(document, key, name);
            }
        }
        _ => {}
    }
}

/// A location constraint has one rule only: others get constraints of their own, which comes to the same.
fn one_rule_each(document: &mut Document, key: Key) {
    let constraint = document.element(key);
    let rules: Vec<Key> = constraint.children_named("rule").map(Element::key).collect();
    let id = constraint.id().unwrap_or_default().to_owned();
    let attrs: Vec<(String, String)> =
        constraint.attrs().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut before = constraint.next_sibling().map(Element::key);
    let parent = constraint.parent().map(Element::key);
    for (n, rule) in rules.into_iter().enumerate().skip(1).rev() {
        let copy = match (before, parent) {
            (Some(next), _) => document.insert_before(next, "rsc_location"),
            (None, Some(parent)) => document.append(parent, "rsc_location"),
            (None, None) => return,
        };
        for (name, value) in &attrs {
            document.set_attr(copy, name, value);
        }
        document.set_attr(copy, "id", &format!("{id}-{}", n + 1));
        document.move_to(rule, copy, None);
        before = Some(copy);
    }
}

/// A `<master>` becomes a clone that says it is promotable.
fn master(document: &mut Document, key: Key) {
    document.rename(key, "clone");
    let id = document.element(key).id().unwrap_or("clone").to_owned();
    let existing = document.element(key).child("meta_attributes").map(Element::key);
    let first = document.element(key).children().next().map(Element::key);
    let meta = existing.unwrap_or_else(|| {
        let meta = match first {
            Some(first) => document.insert_before(first, "meta_attributes"),
            None => document.append(key, "meta_attributes"),
        };
        document.set_attr(meta, "id", &format!("{id}-meta_attributes"));
        meta
    });
    let has_it = document.element(meta).children().any(|pair| pair.attr("name") == Some("promotable"));
    if !has_it {
        let pair = document.append(meta, "nvpair");
        document.set_attr(pair, "id", &format!("{id}-meta_attributes-promotable"));
        document.set_attr(pair, "name", "promotable");
        document.set_attr(pair, "value", "true");
    }
}

fn nvpair(document: &mut Document, key: Key) {
    let element = document.element(key);
    let set = element.parent().map_or("", Element::name);
    let name = element.attr("name").unwrap_or_default();
    let renamed = match (set, name) {
        ("cluster_property_set", "crmd-finalization-timeout") => "join-finalization-timeout",
        ("cluster_property_set", "crmd-integration-timeout") => "join-integration-timeout",
        ("cluster_property_set", "crmd-transition-delay") => "transition-delay",
        ("meta_attributes", "master-max") => "promoted-max",
        ("meta_attributes", "master-node-max") => "promoted-node-max",
        ("cluster_property_set", "remove-after-stop") => return document.remove(key),
        ("cluster_property_set", "stonith-action") if element.attr("value") == Some("poweroff") => {
            document.set_attr(key, "value", "off");
            return;
        }
        ("meta_attributes", "target-role") => return role(document, key, "value"),
        _ if element.attr("value").is_none() && element.attr("id-ref").is_none() => {
            return document.remove(key);
        }
        _ => return,
    };
    document.set_attr(key, "name", renamed);
}

fn rename_attr(document: &mut Document, key: Key, old: &str, new: &str) {
    let Some(value) = document.element(key).attr(old).map(str::to_owned) else { return };
    document.remove_attr(key, old);
    if document.element(key).attr(new).is_none() {
        document.set_attr(key, new, &value);
    }
}

/// `Master` and `Slave` become `Promoted` and `Unpromoted`.
fn role(document: &mut Document, key: Key, attr: &str) {
    let today = match document.element(key).attr(attr) {
        Some("Master" | "master") => "Promoted",
        Some("Slave" | "slave") => "Unpromoted",
        _ => return,
    };
    document.set_attr(key, attr, today);
}
