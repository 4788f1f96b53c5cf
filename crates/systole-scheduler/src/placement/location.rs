//! Location constraints.
//!
//! Source: Pacemaker Explained, "Deciding Which Nodes a Resource Can Run On".

use super::{
    pattern,
    table::{Discovery, add},
    work::Assigner,
};
use crate::{
    NodeIdx, Note, RscIdx,
    note::{Cause, Level, NoteKind},
    rules::{self, Input, replace_captures},
    status::Kind,
};
use systole_cib::model::{self, LocationTarget, Preference, ResourceDiscovery, ResourceSet, Rule, RuleScore};
use systole_types::{ElementId, NodeId, Role, Score};

/// Scores of one resource on some nodes.
#[derive(Clone, Debug)]
pub(super) struct Location<'s> {
    /// The constraint or rule it comes from; `None` for node health.
    pub id: Option<&'s ElementId>,
    pub rsc: RscIdx,
    /// Only in this role; `Unknown`: in any.
    pub role: Role,
    pub nodes: Vec<(NodeIdx, i32)>,
    pub discovery: Discovery,
}

/// What of a constraint is the same for all the resources it names.
struct Terms<'s> {
    constraint: &'s model::Location,
    role: Option<Role>,
    score: Option<Score>,
}

impl<'s> Assigner<'s, '_> {
    pub fn unpack_location(&mut self, constraint: &'s model::Location) {
        let now = Input::at(self.st.local_time());
        if constraint.lifetime.iter().any(|rule| !rules::holds(rule, &now, &self.st.recheck)) {
            return;
        }
        let terms = Terms { constraint, role: constraint.role, score: None };
        match &constraint.resources {
            LocationTarget::Resource(id) => {
                for rsc in self.targets(&constraint.id, id) {
                    self.locate(&terms, rsc, &[]);
                }
            }
            LocationTarget::Pattern { pattern, is_negated } => {
                self.locate_matching(&terms, pattern, *is_negated)
            }
            LocationTarget::Sets(sets) => {
                for (set, rsc) in self.resources_of_sets(&constraint.id, sets) {
                    let terms = Terms { constraint, role: set.role.or(constraint.role), score: set.score };
                    self.locate(&terms, rsc, &[]);
                }
            }
        }
    }

    /// The resources that a constraint means; a note if there are none.
    pub fn targets(&mut self, constraint: &ElementId, name: &ElementId) -> Vec<RscIdx> {
        let found = self.st.constraint_targets(name.as_str());
        if found.is_empty() {
            self.note_unknown(constraint, name);
        }
        found
    }

    /// The resources that a constraint's sets mean, up to the first member that does not exist.
    pub fn resources_of_sets<'c>(
        &mut self,
        constraint: &ElementId,
        sets: &'c [ResourceSet],
    ) -> Vec<(&'c ResourceSet, RscIdx)>
    where
        's: 'c,
    {
        let mut found = Vec::new();
        for (set, members) in sets.iter().zip(self.st.set_members(sets)) {
            for member in members {
                let Some(rsc) = member.resource else {
                    self.note_unknown(constraint, member.name);
                    return found;
                };
                found.push((set, rsc));
            }
        }
        found
    }

    /// A constraint names what is not there.
    pub fn note_unknown(&mut self, constraint: &ElementId, name: &ElementId) {
        let text =
            format!("constraint {constraint} is ignored: there is no resource, template or tag {name}");
        self.notes.push(Note::new(Level::ConfigError, NoteKind::Text(text.into())).element(constraint));
    }

    fn locate_matching(&mut self, terms: &Terms<'s>, pattern: &str, is_negated: bool) {
        let Some(regex) = pattern::compile(pattern) else {
            let text = format!("constraint {} is ignored: {pattern:?} is no pattern", terms.constraint.id);
            self.notes.push(
                Note::new(Level::ConfigError, NoteKind::Text(text.into())).element(&terms.constraint.id),
            );
            return;
        };
        let st = self.st;
        for rsc in self.order.clone() {
            match (regex.captures(st.rsc(rsc).id.as_str()), is_negated) {
                (Some(captures), false) => {
                    let groups: Vec<&str> =
                        captures.iter().map(|group| group.map_or("", |group| group.as_str())).collect();
                    self.locate(terms, rsc, &groups);
                }
                (None, true) => self.locate(terms, rsc, &[]),
                _ => {}
            }
        }
    }

    fn locate(&mut self, terms: &Terms<'s>, rsc: RscIdx, captures: &[&str]) {
        let constraint = terms.constraint;
        let discovery = match constraint.discovery {
            ResourceDiscovery::Always => Discovery::Always,
            ResourceDiscovery::Never => Discovery::Never,
            ResourceDiscovery::Exclusive => Discovery::Exclusive,
        };
        match &constraint.preference {
            Preference::Node { node, score } => {
                let Some(node) = self.find_node(node) else { return };
                let score = terms.score.unwrap_or(*score).value();
                let role = location_role(terms.role);
                self.new_location(Some(&constraint.id), rsc, role, vec![(node, score)], discovery);
            }
            Preference::Rules(rules) => {
                // A rule without score says nothing, not even where to look for the resource.
                for rule in rules.iter().filter(|rule| rule.score.is_some()) {
                    let nodes = self.nodes_of_rule(rule, rsc, captures);
                    let role = location_role(rule.role);
                    self.new_location(Some(&rule.id), rsc, role, nodes, discovery);
                }
            }
            Preference::None => {}
        }
    }

    fn find_node(&self, name: &NodeId) -> Option<NodeIdx> {
        self.st.find_node(name.as_str())
    }

    /// Nodes where a rule holds, with its score there.
    fn nodes_of_rule(&self, rule: &Rule, rsc: RscIdx, captures: &[&str]) -> Vec<(NodeIdx, i32)> {
        let Some(rule_score) = &rule.score else { return Vec::new() };
        let resource = self.st.rsc(rsc);
        let mut nodes = Vec::new();
        for (node, data) in self.st.iter_nodes() {
            // Looked up even if the rule does not ask for them: rules about dates among them count for `recheck-by`.
            let parameters = self.st.parameters(rsc, Some(node));
            let input = Input {
                node: Some(&data.attributes),
                parameters: Some(&parameters),
                meta: Some(&resource.meta.raw),
                captures,
                ..Input::at(self.st.local_time())
            };
            if !rules::holds(rule, &input, &self.st.recheck) {
                continue;
            }
            match rule_score {
                RuleScore::Fixed(score) => nodes.push((node, score.value())),
                RuleScore::NodeAttribute(name) => {
                    let name = replace_captures(name, captures);
                    let value = self.attribute(node, &name, resource.meta.attributes_on_host, Host::Current);
                    if let Some(score) = value.and_then(|value| self.st.options.score_of(value)) {
                        nodes.push((node, score.value()));
                    }
                }
            }
        }
        nodes
    }

    pub fn new_location(
        &mut self,
        id: Option<&'s ElementId>,
        rsc: RscIdx,
        role: Role,
        nodes: Vec<(NodeIdx, i32)>,
        discovery: Discovery,
    ) {
        let index = u32::try_from(self.locations.len()).expect("fewer than 4 billion of them");
        self.rsc[rsc.i()].locations.push(index);
        if discovery == Discovery::Exclusive {
            self.rsc[rsc.i()].exclusive = true;
        }
        self.locations.push(Location { id, rsc, role, nodes, discovery });
    }

    /// Adds the scores of all location constraints to the tables, the last one first: what goes beyond INFINITY on the way
    /// stays INFINITY, whatever is taken off later.
    pub fn apply_locations(&mut self) {
        let locations = std::mem::take(&mut self.locations);
        let indexes = 0..u32::try_from(locations.len()).expect("fewer than 4 billion of them");
        for (index, location) in indexes.zip(&locations).rev() {
            self.apply_location(location.rsc, index, location, Weight::Full);
        }
        self.locations = locations;
    }

    fn apply_location(&mut self, rsc: RscIdx, index: u32, location: &Location<'_>, weight: Weight) {
        let children = self.rsc[rsc.i()].children.clone();
        match self.kind(rsc) {
            Kind::Primitive(_) => self.add_location_scores(rsc, location, weight),
            Kind::Group(group) => {
                let is_colocated = group.colocated;
                self.add_location_scores(rsc, location, weight);
                for (i, member) in children.into_iter().enumerate() {
                    // Members follow the first, which alone counts the score; the others are only allowed there.
                    let weight = if is_colocated && i > 0 { Weight::None } else { weight };
                    self.apply_location(member, index, location, weight);
                }
            }
            Kind::Clone(_) => {
                self.add_location_scores(rsc, location, weight);
                for instance in children {
                    self.apply_location(instance, index, location, weight);
                }
            }
            Kind::Bundle(bundle) => {
                let replicas: Vec<_> =
                    bundle.replicas.iter().map(|replica| (replica.container, replica.ip)).collect();
                let inner = bundle.inner;
                self.add_location_scores(rsc, location, weight);
                for (container, address) in replicas {
                    self.apply_location(container, index, location, weight);
                    if let Some(address) = address {
                        self.apply_location(address, index, location, weight);
                    }
                }
                // What is inside is bound to its containers; only its roles can prefer a place.
                if let (Some(inner), Role::Unpromoted | Role::Promoted) = (inner, location.role) {
                    self.apply_location(inner, index, location, weight);
                    self.rsc[inner.i()].locations.push(index);
                }
            }
        }
    }

    /// Adds a location's scores to the table of one resource, unless it is for another role.
    pub fn add_location_scores(&mut self, rsc: RscIdx, location: &Location<'_>, weight: Weight) {
        if location.role > Role::Unknown && location.role != self.rsc[rsc.i()].next_role {
            return;
        }
        for &(node, score) in &location.nodes {
            let score = if weight == Weight::Full { score } else { 0 };
            let mut new = self.base_entry(node);
            new.score = score;
            let (entry, is_new) = self.tables[rsc.i()].entry(node, || new);
            if !is_new {
                entry.score = add(entry.score, score);
            }
            if entry.discovery < location.discovery {
                entry.discovery = location.discovery;
                if location.discovery == Discovery::Exclusive {
                    self.rsc[rsc.i()].exclusive = true;
                }
            }
            if score != 0 {
                let cause = if location.id.is_some() { Cause::Location } else { Cause::NodeHealth };
                self.because(rsc, Some(node), score, location.id, |_| cause);
            }
        }
    }

    /// A node attribute as a resource sees it: of a guest node, with `container-attribute-target=host`, that of the
    /// container's host.
    pub fn attribute(&self, node: NodeIdx, name: &str, on_host: bool, which: Host) -> Option<&'s str> {
        let node = if on_host { self.host_of(node, which)? } else { node };
        self.st.node(node).attribute(name)
    }

    /// The node a guest node's container runs (or will run) on; any other node is its own host.
    pub fn host_of(&self, node: NodeIdx, which: Host) -> Option<NodeIdx> {
        let crate::status::NodeKind::Guest { container, .. } = self.st.node(node).kind else {
            return Some(node);
        };
        match which {
            Host::Current => self.fixed[container.i()].active.first().copied(),
            Host::Assigned => self.rsc[container.i()].assigned,
        }
    }
}

/// Which host of a container is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Host {
    Current,
    Assigned,
}

/// Whether a location's scores count, or only say that its nodes are allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    Full,
    None,
}

/// A promotable instance has to be started before it is promoted, so that what is said for `Started` or `Unpromoted`
/// goes for any role.
fn location_role(role: Option<Role>) -> Role {
    match role {
        None | Some(Role::Started | Role::Unpromoted) => Role::Unknown,
        Some(role) => role,
    }
}
