//! From 3.10 to 4.0: what is not supported any more is gone, or said in another way.

mod constraints;
mod removed;
mod sets;

use super::{
    references,
    support::{append, attr, configuration, keys, rename_attr},
};
use crate::xml::{Document, Element, Key};

/// Begins the ids of all that is made here.
const PREFIX: &str = "pcmk__3_10_upgrade-";

/// `None` if references have no end.
pub(super) fn change(document: &mut Document, notes: &mut Vec<String>) -> Option<()> {
    let originals = document.end_key();
    references::write_out(document, |document, key, target| {
        let name = attr(document, key, "name");
        let id = format!("{PREFIX}{}-{name}", target.id().unwrap_or_default());
        let pair = document.insert_before(key, "nvpair");
        for (name, value) in target.attrs() {
            document.set_attr(pair, name, value);
        }
        document.set_attr(pair, "id", &id);
        document.set_attr(pair, "name", &name);
        document.remove(key);
    })?;
    sets::change(document);
    nodes_and_resources(document);
    fencing_levels(document);
    constraints::change(document, |key| key < originals);
    removed::change(document, notes);
    references::draw_together(document, |key| key < originals);
    permissions(document);
    Some(())
}

fn nodes_and_resources(document: &mut Document) {
    for key in keys(configuration(document), |e| e.is("date_spec")) {
        document.remove_attr(key, "moon");
    }
    let constraints = configuration(document).find(|e| e.is("constraints")).map(Element::key);
    for key in keys(configuration(document), |e| e.is("node") && e.attr("type") == Some("ping")) {
        document.set_attr(key, "type", "member");
        let name = attr(document, key, "uname");
        if let Some(constraints) = constraints {
            ban(document, constraints, &name);
        }
    }
    for key in keys(configuration(document), |e| e.is("master")) {
        promotable(document, key);
    }
    for key in keys(configuration(document), |e| e.attr("masters").is_some()) {
        rename_attr(document, key, "masters", "promoted-max");
    }
}

/// Nothing ever ran on a ping node.
fn ban(document: &mut Document, constraints: Key, node: &str) {
    let id = format!("{PREFIX}ping-node-ban-{node}");
    let attrs = [
        ("id", id.as_str()),
        ("rsc-pattern", ".*"),
        ("node", node),
        ("score", "-INFINITY"),
        ("resource-discovery", "never"),
    ];
    append(document, constraints, "rsc_location", &attrs);
}

/// A `<master>` becomes a clone that says it is promotable, whatever else it says.
fn promotable(document: &mut Document, key: Key) {
    document.rename(key, "clone");
    let id = format!("{PREFIX}promotable-legacy-{}-meta_attributes", attr(document, key, "id"));
    let first = document.element(key).children().next().map(Element::key);
    let set = append(document, key, "meta_attributes", &[("id", &id), ("score", "INFINITY")]);
    document.move_to(set, key, first);
    let pair = format!("{id}-promotable");
    append(document, set, "nvpair", &[("id", &pair), ("name", "promotable"), ("value", "true")]);
}

fn fencing_levels(document: &mut Document) {
    let is_above_9 = |e: Element<'_>| {
        e.is("fencing-level")
            && e.attr("index")
                .and_then(|index| index.trim().parse::<f64>().ok())
                .is_some_and(|index| index > 9.0)
    };
    for key in keys(configuration(document), is_above_9) {
        document.remove(key);
    }
}

/// Permissions about what is gone are about nothing.
fn permissions(document: &mut Document) {
    let ids: std::collections::BTreeSet<String> =
        document.root().descendants().filter_map(Element::id).map(str::to_owned).collect();
    for key in keys(configuration(document), |e| e.is("acl_permission")) {
        let is_gone = document.element(key).attr("reference").is_some_and(|id| !ids.contains(id));
        if is_gone {
            document.remove_attr(key, "reference");
            document.set_attr(key, "xpath", "/*[false()]");
        }
    }
}
