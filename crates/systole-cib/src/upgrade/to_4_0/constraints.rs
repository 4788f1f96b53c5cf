//! Location constraints have one rule, and no constraint has a lifetime.

use super::{
    super::support::{append, attr, configuration, copy_into, keys},
    PREFIX,
};
use crate::xml::{Document, Element, Key};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn change(document: &mut Document, is_original: impl Fn(Key) -> bool) {
    let is_of_many = |e: Element<'_>| e.is("rsc_location") && e.children_named("rule").nth(1).is_some();
    for key in keys(configuration(document), is_of_many) {
        references_of_permissions(document, key);
        one_rule_each(document, key);
    }
    keep_rules(document, is_original);
    for key in keys(configuration(document), |e| e.is("lifetime")) {
        let Some(constraint) = document.element(key).parent() else { continue };
        let (is_location, constraint) = (constraint.is("rsc_location"), constraint.key());
        if is_location {
            lifetime(document, constraint, key);
        } else {
            document.remove(key);
        }
    }
}

fn rules(document: &Document, key: Key) -> Vec<Key> {
    document.element(key).children_named("rule").map(Element::key).collect()
}

fn id_of_rule(id: &str, n: usize) -> String {
    format!("{PREFIX}{id}-{n}")
}

/// A constraint with several rules becomes as many constraints.
fn one_rule_each(document: &mut Document, key: Key) {
    let Some(parent) = document.element(key).parent().map(Element::key) else { return };
    let id = attr(document, key, "id");
    let attrs: Vec<(String, String)> =
        document.element(key).attrs().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let around = |name: &str| keys(document.element(key).children(), |e| e.is(name));
    let (sets, lifetimes) = (around("resource_set"), around("lifetime"));
    let all = rules(document, key);
    // The last is made first: while the originals of sets and lifetimes are there, it gets copies, which are references to
    // the first one's in the end.
    let mut before = document.element(key).next_sibling().map(Element::key);
    for (at, rule) in all.into_iter().enumerate().rev() {
        let new = document.append(parent, "rsc_location");
        document.move_to(new, parent, before);
        for (name, value) in &attrs {
            document.set_attr(new, name, value);
        }
        document.set_attr(new, "id", &id_of_rule(&id, at + 1));
        for part in sets.iter().copied().chain([rule]).chain(lifetimes.iter().copied()) {
            if at == 0 || part == rule {
                document.move_to(part, new, None);
            } else {
                copy_into(document, part, new, None);
            }
        }
        before = Some(new);
    }
    document.remove(key);
}

/// A permission about such a constraint is about all it became.
fn references_of_permissions(document: &mut Document, constraint: Key) {
    let id = attr(document, constraint, "id");
    let n = rules(document, constraint).len();
    let about: Vec<String> = (1..=n).map(|n| format!("@id = '{}'", id_of_rule(&id, n))).collect();
    for key in keys(configuration(document), |e| e.is("acl_permission") && e.attr("reference") == Some(&id)) {
        document.remove_attr(key, "reference");
        document.set_attr(key, "xpath", &format!("//*[{}]", about.join(" or ")));
    }
}

/// Rules in lifetimes of colocation and order constraints that are referred to from elsewhere get a constraint of their
/// own, which is about no resource.
fn keep_rules(document: &mut Document, is_original: impl Fn(Key) -> bool) {
    let doomed_lifetime = |rule: Element<'_>| {
        let mut around = std::iter::successors(rule.parent(), |at| at.parent());
        let found = around.find(|e| {
            e.is("lifetime") && e.parent().is_some_and(|c| matches!(c.name(), "rsc_colocation" | "rsc_order"))
        });
        found.map(Element::key)
    };
    let mut places: BTreeMap<&str, (usize, BTreeSet<Key>)> = BTreeMap::new();
    for rule in configuration(document).filter(|e| e.is("rule")) {
        let (n, lifetimes) = places.entry(rule.id().unwrap_or_default()).or_default();
        *n += 1;
        lifetimes.extend(doomed_lifetime(rule));
    }
    // Twice in one lifetime counts as needed too (as with Pacemaker).
    let is_needed = |rule: Element<'_>| {
        places.get(rule.id().unwrap_or_default()).is_some_and(|(n, lifetimes)| lifetimes.len() != *n)
    };
    let is_top = |rule: Element<'_>| rule.parent().is_some_and(|parent| parent.is("lifetime"));
    let needed = keys(configuration(document), |e| {
        e.is("rule") && is_top(e) && doomed_lifetime(e).is_some() && is_original(e.key()) && is_needed(e)
    });
    let constraints = configuration(document).find(|e| e.is("constraints")).map(Element::key);
    let (Some(constraints), false) = (constraints, needed.is_empty()) else { return };
    let id = format!("{PREFIX}coloc-order-lifetime-rules");
    let attrs = [("id", id.as_str()), ("rsc-pattern", "a^")];
    let constraint = append(document, constraints, "rsc_location", &attrs);
    let wrapper = format!("{id}-rule");
    let wrapper = append(document, constraint, "rule", &[("id", &wrapper), ("score", "-INFINITY")]);
    for rule in needed {
        document.move_to(rule, wrapper, None);
    }
}

/// A location constraint holds if its own condition and one of its lifetime's rules hold.
fn lifetime(document: &mut Document, constraint: Key, lifetime: Key) {
    let id = attr(document, constraint, "id");
    let own = rules(document, constraint);
    let name = format!("{PREFIX}{id}-lifetime-and-rule");
    let both = append(document, constraint, "rule", &[("id", &name), ("boolean-op", "and")]);
    if own.is_empty() {
        node_as_rule(document, constraint, both, &id);
    }
    document.remove_attr(constraint, "node");
    document.remove_attr(constraint, "score");
    own.into_iter().for_each(|rule| document.move_to(rule, both, None));
    let of_lifetime = rules(document, lifetime);
    let mut parent = both;
    if of_lifetime.len() > 1 {
        let name = format!("{PREFIX}{id}-lifetime-or-rule");
        parent = append(document, both, "rule", &[("id", &name), ("boolean-op", "or")]);
    }
    of_lifetime.into_iter().for_each(|rule| document.move_to(rule, parent, None));
    document.remove(lifetime);
}

/// The constraint's node and score as a rule.
fn node_as_rule(document: &mut Document, constraint: Key, parent: Key, id: &str) {
    let (node, score) = (attr(document, constraint, "node"), attr(document, constraint, "score"));
    let name = format!("{PREFIX}{id}-node-score-rule");
    let rule = append(document, parent, "rule", &[("id", &name), ("score", &score)]);
    let expression = format!("{name}-expr");
    let attrs =
        [("id", expression.as_str()), ("attribute", "#uname"), ("operation", "eq"), ("value", node.as_str())];
    append(document, rule, "expression", &attrs);
}
