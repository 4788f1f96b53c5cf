//! Resources of kinds that are gone, and the constraints that were about them.

use super::super::support::{attr, configuration, keys};
use crate::xml::{Document, Element, Key};
use std::collections::BTreeSet;

pub(super) fn change(document: &mut Document, notes: &mut Vec<String>) {
    let templates = keys(configuration(document), |e| e.is("template") && is_of_former_class(e));
    let names: BTreeSet<String> = templates.iter().map(|key| attr(document, *key, "id")).collect();
    let is_gone = |e: Element<'_>| {
        is_of_former_class(e) || e.attr("template").is_some_and(|template| names.contains(template))
    };
    let all_gone = |e: Element<'_>| {
        let mut primitives = e.descendants().filter(|e| e.is("primitive"));
        primitives.all(is_gone)
    };
    let resources = keys(configuration(document), |e| match e.name() {
        "primitive" => is_gone(e),
        "group" | "clone" => all_gone(e),
        "bundle" => e.child("rkt").is_some(),
        _ => false,
    });
    let ids: BTreeSet<String> = resources.iter().map(|key| attr(document, *key, "id")).collect();
    for key in templates.into_iter().chain(resources) {
        let element = document.element(key);
        let id = element.id().unwrap_or_default();
        notes.push(match (element.name(), element.attr("class")) {
            ("bundle", _) => format!("dropping bundle {id} because rkt containers are no longer supported"),
            (name, Some(class)) => {
                format!("dropping {name} {id} because {class} resources are no longer supported")
            }
            (name, None) => format!("dropping {name} {id} because nothing in it is supported any more"),
        });
        document.remove(key);
    }
    constraints(document, &ids);
    meta_attributes(document);
}

fn is_of_former_class(element: Element<'_>) -> bool {
    element
        .attr("class")
        .is_some_and(|class| class.eq_ignore_ascii_case("nagios") || class.eq_ignore_ascii_case("upstart"))
}

/// Constraints about resources that are gone go too; so do those whose sets are left with nothing.
fn constraints(document: &mut Document, gone: &BTreeSet<String>) {
    let names_one = |e: Element<'_>, attrs: &[&str]| {
        attrs.iter().any(|name| e.attr(name).is_some_and(|id| gone.contains(id)))
    };
    let is_reference = |e: Element<'_>| e.is("resource_ref") && names_one(e, &["id"]);
    let is_empty =
        |e: Element<'_>| e.is("resource_set") && e.children_named("resource_ref").all(is_reference);
    let is_constraint = |e: Element<'_>| {
        let attrs: &[&str] = match e.name() {
            "rsc_location" | "rsc_ticket" => &["rsc"],
            "rsc_colocation" => &["rsc", "with-rsc"],
            "rsc_order" => &["first", "then"],
            _ => return false,
        };
        let mut sets = e.children_named("resource_set").peekable();
        names_one(e, attrs) || (sets.peek().is_some() && sets.all(is_empty))
    };
    let all: Vec<Key> = keys(configuration(document), |e| is_reference(e) || is_empty(e) || is_constraint(e));
    all.into_iter().for_each(|key| document.remove(key));
}

/// Meta attributes that are gone.
fn meta_attributes(document: &mut Document) {
    let is_gone = |e: Element<'_>| {
        let set = e.parent().filter(|set| e.is("nvpair") && set.is("meta_attributes"));
        let owner = set.and_then(Element::parent).map_or("", Element::name);
        match e.attr("name") {
            Some("restart-type") => {
                matches!(owner, "template" | "primitive" | "group" | "clone" | "bundle" | "rsc_defaults")
            }
            Some("can_fail" | "role_after_failure") => matches!(owner, "op" | "op_defaults"),
            _ => false,
        }
    };
    for key in keys(configuration(document), is_gone) {
        document.remove(key);
    }
}
