//! Constraints that keep resources off nodes, for displays.

use super::BanView;
use crate::{
    RscIdx, Status,
    placement::{by_priority, pattern},
    rules::{self, Input, replace_captures},
};
use systole_cib::model::{Constraint, Location, LocationTarget, Preference, Rule, RuleScore};
use systole_types::{ElementId, NodeId, Role, Score};

/// Those of location constraints, the last one first, as the incumbent lists them: where nodes are named, and where rules hold now.
pub(super) fn bans(status: &Status<'_>) -> Vec<BanView> {
    let locations = status.cib.constraints.iter().filter_map(|constraint| match constraint {
        Constraint::Location(location) => Some(location),
        _ => None,
    });
    let mut views: Vec<BanView> = locations.flat_map(|location| all_wishes(status, location)).collect();
    views.retain(|view| view.score < Score::ZERO);
    views.reverse();
    views
}

/// What a constraint of one resource (or of all with one tag) says of which nodes, the last one first.
pub fn wishes(status: &Status<'_>, location: &Location) -> Vec<BanView> {
    match &location.resources {
        LocationTarget::Resource(_) => {
            let mut views = all_wishes(status, location);
            views.reverse();
            views
        }
        _ => Vec::new(),
    }
}

/// What of a constraint is the same for all of its rules, for one resource.
struct Terms<'t> {
    location: &'t Location,
    rsc: RscIdx,
    role: Option<Role>,
    score: Option<Score>,
    captures: &'t [&'t str],
}

/// What a constraint says of which nodes: the one that is named, or those where a rule holds, by the rule's id.
fn all_wishes(status: &Status<'_>, location: &Location) -> Vec<BanView> {
    let now = Input::at(status.local_time());
    if location.lifetime.iter().any(|rule| !rules::holds(rule, &now, &status.recheck)) {
        return Vec::new();
    }
    let plain = |rsc| Terms { location, rsc, role: location.role, score: None, captures: &[] };
    match &location.resources {
        LocationTarget::Resource(name) => {
            let targets = status.constraint_targets(name.as_str());
            targets.into_iter().flat_map(|rsc| of_resource(status, &plain(rsc))).collect()
        }
        LocationTarget::Pattern { pattern, is_negated } => {
            let Some(regex) = pattern::compile(pattern) else { return Vec::new() };
            let matching = by_priority(status).into_iter().flat_map(|rsc| {
                match (regex.captures(status.rsc(rsc).id.as_str()), *is_negated) {
                    (Some(captures), false) => {
                        let captures: Vec<&str> =
                            captures.iter().map(|group| group.map_or("", |group| group.as_str())).collect();
                        of_resource(status, &Terms { captures: &captures, ..plain(rsc) })
                    }
                    (None, true) => of_resource(status, &plain(rsc)),
                    _ => Vec::new(),
                }
            });
            matching.collect()
        }
        LocationTarget::Sets(sets) => {
            let mut views = Vec::new();
            for (set, members) in sets.iter().zip(status.set_members(sets)) {
                for rsc in members.into_iter().map_while(|member| member.resource) {
                    let role = set.role.or(location.role);
                    views.extend(of_resource(status, &Terms { role, score: set.score, ..plain(rsc) }));
                }
            }
            views
        }
    }
}

fn of_resource(status: &Status<'_>, terms: &Terms<'_>) -> Vec<BanView> {
    let location = terms.location;
    let ban = |id: &ElementId, node: &NodeId, score: Score, role: Option<Role>| BanView {
        id: id.clone(),
        resource: status.rsc(terms.rsc).id.clone(),
        top: status.rsc(status.top_of(terms.rsc)).id.clone(),
        node: node.clone(),
        score,
        promoted_only: role == Some(Role::Promoted),
    };
    match &location.preference {
        // A node that there is not is kept off by nothing.
        Preference::Node { node, .. } if status.find_node(node.as_str()).is_none() => Vec::new(),
        Preference::Node { node, score } => {
            vec![ban(&location.id, node, terms.score.unwrap_or(*score), terms.role)]
        }
        Preference::Rules(rules) => {
            let of_rule = |rule: &Rule| {
                let role = rule.role.or(terms.role);
                let nodes = where_it_holds(status, terms, rule);
                nodes.into_iter().map(|(node, score)| ban(&rule.id, &node, score, role)).collect::<Vec<_>>()
            };
            rules.iter().flat_map(of_rule).collect()
        }
        Preference::None => Vec::new(),
    }
}

/// Nodes where a rule holds, by name, and what it gives there.
fn where_it_holds(status: &Status<'_>, terms: &Terms<'_>, rule: &Rule) -> Vec<(NodeId, Score)> {
    let mut found = Vec::new();
    for &node in &status.nodes_by_name {
        let data = status.node(node);
        let parameters = status.parameters(terms.rsc, Some(node));
        let input = Input {
            node: Some(&data.attributes),
            parameters: Some(&parameters),
            meta: Some(&status.rsc(terms.rsc).meta.raw),
            captures: terms.captures,
            ..Input::at(status.local_time())
        };
        let score = match &rule.score {
            Some(RuleScore::Fixed(score)) => Some(*score),
            Some(RuleScore::NodeAttribute(name)) => {
                let name = replace_captures(name, terms.captures);
                data.attribute(&name).and_then(|value| status.options.score_of(value))
            }
            None => None,
        };
        if let Some(score) = score.filter(|_| rules::holds(rule, &input, &status.recheck)) {
            found.push((data.name.clone(), score));
        }
    }
    found
}
