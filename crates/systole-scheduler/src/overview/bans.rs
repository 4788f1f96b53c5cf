//! Constraints that keep resources off nodes, for displays.

use super::BanView;
use crate::{
    Status,
    rules::{self, Input},
};
use systole_cib::model::{Constraint, Location, LocationTarget, Preference, Rule, RuleScore};
use systole_types::{ElementId, NodeId, ResourceId, Role, Score};

/// Those of one resource, the last one first, as the incumbent lists them: where nodes are named, and where rules hold now.
pub(super) fn bans(status: &Status<'_>) -> Vec<BanView> {
    let constraints = status.cib.constraints.iter().rev();
    constraints
        .filter_map(|constraint| match constraint {
            Constraint::Location(location) => Some(location),
            _ => None,
        })
        .flat_map(|location| of_location(status, location))
        .collect()
}

fn of_location(status: &Status<'_>, location: &Location) -> Vec<BanView> {
    let mut views = wishes(status, location);
    views.retain(|view| view.score < Score::ZERO);
    views
}

/// What a constraint of one resource says of which nodes: the one that is named, or those where a rule holds, by the rule's id.
pub fn wishes(status: &Status<'_>, location: &Location) -> Vec<BanView> {
    let LocationTarget::Resource(resource) = &location.resources else { return Vec::new() };
    let ban = |id: &ElementId, node: &NodeId, score: Score, role: Option<Role>| BanView {
        id: id.clone(),
        resource: ResourceId::new(resource.as_str()),
        node: node.clone(),
        score,
        promoted_only: role == Some(Role::Promoted),
    };
    match &location.preference {
        Preference::Node { node, score } => vec![ban(&location.id, node, *score, location.role)],
        Preference::Rules(all) => {
            let now = Input::at(status.local_time());
            if location.lifetime.iter().any(|rule| !rules::holds(rule, &now, &status.recheck)) {
                return Vec::new();
            }
            let of_rule = |rule: &Rule| {
                let role = rule.role.or(location.role);
                let nodes = where_it_holds(status, resource.as_str(), rule);
                nodes.into_iter().map(|(node, score)| ban(&rule.id, &node, score, role)).collect::<Vec<_>>()
            };
            all.iter().rev().flat_map(of_rule).collect()
        }
        Preference::None => Vec::new(),
    }
}

/// Nodes, the last one first, where a rule holds, and what it gives there.
fn where_it_holds(status: &Status<'_>, resource: &str, rule: &Rule) -> Vec<(NodeId, Score)> {
    let Some(rsc) = status.constraint_targets(resource).first().copied() else { return Vec::new() };
    let mut found = Vec::new();
    for (node, data) in status.iter_nodes() {
        let parameters = status.parameters(rsc, Some(node));
        let input = Input {
            node: Some(&data.attributes),
            parameters: Some(&parameters),
            meta: Some(&status.rsc(rsc).meta.raw),
            ..Input::at(status.local_time())
        };
        let score = match &rule.score {
            Some(RuleScore::Fixed(score)) => Some(*score),
            Some(RuleScore::NodeAttribute(name)) => data.attribute(name).and_then(|value| value.parse().ok()),
            None => None,
        };
        if let Some(score) = score.filter(|_| rules::holds(rule, &input, &status.recheck)) {
            found.push((data.name.clone(), score));
        }
    }
    found.reverse();
    found
}
