//! What makes the rule of a location constraint hold on a node, or cease to: another attribute of the node, or the passing of time.
//!
//! Values are not derived from the comparison but tried: those that other nodes have come first.

use super::Remedy;
use crate::Event;
use std::{collections::BTreeSet, sync::Arc};
use systole_cib::{
    model::{
        AttributeCondition, Cib, Condition, Constraint, Location, LocationTarget, Preference, Rule,
        RuleScore, ValueSource,
    },
    xml::{Document, Element},
};
use systole_scheduler::{
    NodeIdx, RscIdx, Status,
    rules::{self, Input, Recheck},
    status::{Attributes, Node},
};
use systole_types::{ElementId, Score, Timestamp};

/// The location constraints about any of these resources.
pub(crate) fn locations_about<'s>(
    status: &Status<'s>,
    chain: &[RscIdx],
) -> impl Iterator<Item = &'s Location> {
    let is_about = |location: &&Location| {
        let names: Vec<&ElementId> = match &location.resources {
            LocationTarget::Resource(name) => vec![name],
            LocationTarget::Sets(sets) => sets.iter().flat_map(|set| &set.members).collect(),
            LocationTarget::Pattern { .. } => Vec::new(),
        };
        let mut targets = names.into_iter().flat_map(|name| status.constraint_targets(name.as_str()));
        targets.any(|target| chain.contains(&target))
    };
    locations(status.cib).filter(is_about)
}

fn locations(cib: &Cib) -> impl Iterator<Item = &Location> {
    cib.constraints.iter().filter_map(|constraint| match constraint {
        Constraint::Location(location) => Some(location),
        _ => None,
    })
}

/// The rules of a location constraint.
pub(crate) fn rules_of(location: &Location) -> &[Rule] {
    match &location.preference {
        Preference::Rules(rules) => rules,
        _ => &[],
    }
}

/// The rule of a location constraint with that id.
pub(crate) fn find<'s>(status: &Status<'s>, id: &ElementId) -> Option<&'s Rule> {
    locations(status.cib).flat_map(rules_of).find(|rule| rule.id == *id)
}

/// A rule, the resource whose place it decides about, and a node.
#[derive(Clone, Copy)]
pub(crate) struct Place<'s> {
    pub status: &'s Status<'s>,
    pub rsc: RscIdx,
    pub node: NodeIdx,
    pub rule: &'s Rule,
}

impl Place<'_> {
    /// Looks at a rule as the node's attributes would have it. Patterns' groups are not known here.
    fn look<T>(&self, attributes: &Attributes, look: impl Fn(&Input<'_>) -> T) -> T {
        let parameters = self.status.parameters(self.rsc, Some(self.node));
        look(&Input {
            node: Some(attributes),
            parameters: Some(&parameters),
            meta: Some(&self.status.rsc(self.rsc).meta.raw),
            ..Input::at(self.status.local_time())
        })
    }

    fn attributes(&self) -> &Attributes {
        &self.status.node(self.node).attributes
    }

    /// Whether the rule holds now.
    pub fn holds(&self) -> bool {
        self.look(self.attributes(), |input| rules::holds(self.rule, input, &Recheck::default()))
    }

    /// When it will cease to hold, or begin to.
    pub fn changes_at(&self) -> Option<Timestamp> {
        self.look(self.attributes(), |input| rules::next_change(self.rule, input))
    }

    /// Changes that bring the rule nearer to holding, or to not holding: one for each attribute that is not as it should be.
    pub fn remedies(&self, document: &Document, should_hold: bool) -> Vec<Remedy> {
        if self.holds() == should_hold {
            return Vec::new();
        }
        let conditions = conditions(self.rule);
        let mut names: Vec<&Arc<str>> = conditions.iter().map(|condition| &condition.attribute).collect();
        names.sort();
        names.dedup();
        let mut remedies: Vec<Remedy> = Vec::new();
        // `#uname` and its kin are what the node is, not what somebody set; groups of patterns are not known here.
        for name in names.into_iter().filter(|name| !name.starts_with('#') && !name.contains('%')) {
            let about: Vec<&AttributeCondition> =
                conditions.iter().copied().filter(|condition| condition.attribute == *name).collect();
            remedies.extend(self.better_value(&about, should_hold).map(|value| Remedy::SetAttribute {
                node: self.status.node(self.node).name.clone(),
                name: name.to_string(),
                // Without a value it is removed.
                value: value.map(|value| value.to_string()).unwrap_or_default(),
                is_transient: is_transient(document, name),
            }));
        }
        remedies.extend(self.changes_at().map(|at| Remedy::Event(Event::TimeIs(at))));
        remedies
    }

    /// A value of the attribute that some conditions are about with which the rule is as it should be; or else one of them that is not.
    fn better_value(&self, about: &[&AttributeCondition], should_hold: bool) -> Option<Option<Arc<str>>> {
        let fits = |rule: &Rule, value: &Option<Arc<str>>| {
            let mut attributes = self.attributes().clone();
            let name = &about.first().expect("an attribute is named by a condition").attribute;
            match value {
                Some(value) => attributes.insert(name.clone(), value.clone()),
                None => attributes.remove(name),
            };
            self.look(&attributes, |input| rules::holds(rule, input, &Recheck::default())) == should_hold
        };
        let candidates = self.candidates(about);
        if let Some(value) = candidates.iter().find(|value| fits(self.rule, value)) {
            return Some(value.clone());
        }
        let now = self.attributes().get(&about.first()?.attribute).cloned();
        about.iter().find_map(|condition| {
            let conditions = vec![Condition::Attribute((*condition).clone())];
            let alone = Rule { conditions, ..self.rule.clone() };
            let is_amiss = !fits(&alone, &now);
            candidates.iter().find(|value| is_amiss && fits(&alone, value)).cloned()
        })
    }

    /// Values that might do: those of other nodes, what is compared with, none at all, a little more or less.
    fn candidates(&self, about: &[&AttributeCondition]) -> Vec<Option<Arc<str>>> {
        let named = |node: &Node<'_>| node.attributes.get(&about.first()?.attribute).cloned();
        let others: BTreeSet<Arc<str>> = self.status.nodes.iter().filter_map(named).collect();
        let references: Vec<Arc<str>> =
            about.iter().filter_map(|condition| self.reference(condition)).collect();
        let numbers = references.iter().filter_map(|value| value.trim().parse::<i64>().ok());
        let near: Vec<Arc<str>> = numbers
            .flat_map(|number| [number.checked_add(1), number.checked_sub(1)])
            .flatten()
            .map(|number| number.to_string().into())
            .collect();
        let mut values: Vec<Option<Arc<str>>> = others.into_iter().chain(references).map(Some).collect();
        values.push(None);
        values.extend(near.into_iter().map(Some));
        values.push(Some("true".into()));
        values
    }

    /// What a condition compares with.
    fn reference(&self, condition: &AttributeCondition) -> Option<Arc<str>> {
        let value = condition.value.as_ref()?;
        match condition.value_source {
            ValueSource::Literal => Some(value.clone()),
            ValueSource::Parameter => self.status.parameters(self.rsc, Some(self.node)).get(value).cloned(),
            ValueSource::Meta => self.status.rsc(self.rsc).meta.raw.get(value).cloned(),
        }
    }
}

/// All conditions on attributes, those of nested rules too.
fn conditions(rule: &Rule) -> Vec<&AttributeCondition> {
    let mut found = Vec::new();
    for condition in &rule.conditions {
        match condition {
            Condition::Attribute(condition) => found.push(condition),
            Condition::Rule(rule) => found.extend(conditions(rule)),
            _ => {}
        }
    }
    found
}

/// Whether a node has an attribute of that name until it leaves the cluster: then it is one that agents keep, say.
fn is_transient(document: &Document, name: &str) -> bool {
    let states = document.root().child("status").into_iter().flat_map(|status| status.children());
    let sets = states.flat_map(|state| state.children_named("transient_attributes"));
    sets.flat_map(Element::descendants).any(|pair| pair.is("nvpair") && pair.attr("name") == Some(name))
}

/// Whether a rule that holds makes a node better.
pub(super) fn is_in_favour(rule: &Rule) -> bool {
    matches!(rule.score, Some(RuleScore::Fixed(score)) if score > Score::ZERO)
}
