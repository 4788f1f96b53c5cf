//! What is understood, and will not be for ever. Each kind is told once, at the first place.
//!
//! Source: what Pacemaker 3.0.2 warns of. It ends its checks with an error for that, and so do we.

use super::Verifier;
use crate::{
    diagnostic::{Diagnostic, Severity},
    model::Cib,
    read::{parse_bool, value_of},
    spelling,
    xml::Element,
};
use std::collections::BTreeSet;
use systole_types::parse_duration;

impl Verifier {
    /// `configuration` is as the newest schema has it: what is renamed on the way there is not told.
    pub fn deprecated(&mut self, configuration: Element<'_>, cib: &Cib) {
        let mut told = BTreeSet::new();
        for element in configuration.descendants() {
            for message in of(element, configuration) {
                if told.insert(message.clone()) {
                    self.outdated(element, message);
                }
            }
        }
        for (name, effect) in SWITCHES {
            let value = value_of(&cib.cluster_options, name);
            if value.and_then(parse_bool) == Some(false) {
                let at = configuration.child("crm_config").unwrap_or(configuration);
                self.outdated(at, format!("the cluster option '{name}' is deprecated: {effect}"));
            }
        }
    }

    fn outdated(&mut self, element: Element<'_>, message: String) {
        self.found.push(Diagnostic::about(Severity::Deprecated, element, message));
    }
}

/// Cluster options that will be true for ever.
const SWITCHES: [(&str, &str); 4] = [
    ("enable-startup-probes", "probes are left out by constraints with resource-discovery"),
    ("concurrent-fencing", "nodes will be fenced at the same time"),
    ("stop-removed-resources", "removed resources will be stopped"),
    ("cancel-removed-actions", "removed operations will be cancelled"),
];

/// What is deprecated of an element itself.
fn of(element: Element<'_>, configuration: Element<'_>) -> Vec<String> {
    let mut found = Vec::new();
    let attr = |name| element.attr(name);
    match element.name() {
        "nvpair" => found.extend(setting(element)),
        "op" if !recurs(element) => {}
        "rsc_order" => found.extend(order(element, configuration)),
        "resource_set" if element.parent().is_some_and(|parent| parent.is("rsc_colocation")) => {
            let direction = attr("ordering").filter(|value| !value.eq_ignore_ascii_case("group"));
            found.extend(direction.map(|_| "'ordering' of a resource set is deprecated".to_owned()));
        }
        "expression" if is_in_operation(element) => {
            found.push("rules about node attributes are deprecated for operations".to_owned());
        }
        _ => {}
    }
    if !element.is("op") || recurs(element) {
        let is_role = |name: &str| matches!(name, "role" | "rsc-role" | "with-rsc-role");
        found
            .extend(element.attrs().filter(|(name, _)| is_role(name)).filter_map(|(_, role)| old_role(role)));
    }
    found
}

/// A role of an operation is looked at where it recurs.
fn recurs(op: Element<'_>) -> bool {
    op.attr("interval").and_then(|interval| parse_duration(interval).ok()).is_some_and(|i| !i.is_zero())
}

fn is_in_operation(expression: Element<'_>) -> bool {
    std::iter::successors(expression.parent(), |element| element.parent())
        .any(|element| element.is("op") || element.is("op_defaults"))
}

/// Of an `<nvpair>`.
fn setting(pair: Element<'_>) -> Option<String> {
    let (name, value) = (pair.attr("name")?, pair.attr("value")?);
    if value.eq_ignore_ascii_case("#default") {
        return Some(format!("the value #default of '{name}' is deprecated: leave it out"));
    }
    match pair.parent()?.name() {
        "cluster_property_set" => cluster_option(pair, name),
        "meta_attributes" if name == "target-role" => old_role(value),
        "meta_attributes" if spelling::meta_attribute(name) != name => {
            Some(format!("the name '{name}' is deprecated: it is '{}' now", spelling::meta_attribute(name)))
        }
        _ => None,
    }
}

/// Names with a prefix of `crmd-` are renamed by the upgrade, and mean nothing in a newer configuration.
fn cluster_option(pair: Element<'_>, name: &str) -> Option<String> {
    let today = spelling::cluster_option(name);
    let section = pair.parent().and_then(Element::parent)?;
    let is_known_twice = || section.descendants().any(|e| e.is("nvpair") && e.attr("name") == Some(today));
    let is_older = today != name && !name.starts_with("crmd-") && !is_known_twice();
    is_older.then(|| format!("the name '{name}' is deprecated: it is '{today}' now"))
}

fn order(order: Element<'_>, configuration: Element<'_>) -> Vec<String> {
    let mut found = Vec::new();
    if order.attr("kind").is_none() && order.attr("score").is_some() {
        found.push("score of an order is deprecated: use kind".to_owned());
    }
    if order.attr("require-all").is_some() {
        let is_first = |e: &Element<'_>| e.is("clone") && e.id().is_some() && e.id() == order.attr("first");
        if configuration.descendants().find(is_first).is_some_and(|clone| !has_meta(clone, "clone-min")) {
            found.push("require-all of an order is deprecated: use clone-min of the clone".to_owned());
        }
    }
    found
}

fn has_meta(resource: Element<'_>, name: &str) -> bool {
    let sets = resource.children_named("meta_attributes");
    sets.flat_map(Element::children).any(|pair| pair.attr("name") == Some(name))
}

fn old_role(role: &str) -> Option<String> {
    let today = match role.to_ascii_lowercase().as_str() {
        "master" => "Promoted",
        "slave" => "Unpromoted",
        _ => return None,
    };
    Some(format!("the role {role} is deprecated: it is {today} now"))
}
