//! What would let a resource be on a node: constraints, their rules, and attributes of the node.

use super::Collector;
use crate::{
    remedy::{Remedy, rule},
    why::orders::with_parents,
};
use systole_cib::{
    model::ResourceDiscovery,
    xml::{Document, Element},
};
use systole_scheduler::RscIdx;
use systole_types::{ElementId, NodeId};

impl Collector<'_, '_> {
    pub(super) fn undo_location(&mut self, at: Option<&NodeId>, element: Option<&ElementId>) {
        let Some(constraint) = element.and_then(|id| constraint_of(self.document, id)) else { return };
        let id = constraint.id().unwrap_or_default();
        match constraint.attr("rsc").filter(|_| id.starts_with("cli-")) {
            Some(resource) => self.add(Remedy::Clear { resource: resource.to_owned(), node: at.cloned() }),
            None => self.add(Remedy::DeleteConstraint(id.into())),
        }
    }

    pub(super) fn delete_constraint(&mut self, element: Option<&ElementId>) {
        if let Some(id) = element.and_then(|id| constraint_of(self.document, id)).and_then(Element::id) {
            self.add(Remedy::DeleteConstraint(id.into()));
        }
    }

    /// Removes configured colocations of two resources (or what they are part of).
    pub(super) fn separate(&mut self, rsc: RscIdx, other: RscIdx) {
        let (one, two) = (with_parents(self.status, rsc), with_parents(self.status, other));
        let links = self.asker.transition().placement.colocations.iter();
        let ids: Vec<ElementId> = links
            .filter(|link| {
                (one.contains(&link.dependent) && two.contains(&link.primary))
                    || (two.contains(&link.dependent) && one.contains(&link.primary))
            })
            .filter(|link| !link.id.starts_with('#'))
            .map(|link| ElementId::new(&link.id))
            .collect();
        ids.iter().for_each(|id| self.delete_constraint(Some(id)));
    }

    pub(super) fn heal(&mut self, at: Option<&NodeId>) {
        let Some(node) = at.and_then(|name| self.status.find_node(name.as_str())) else { return };
        let node = self.status.node(node);
        let bad = node.attributes.iter().filter(|(name, value)| {
            name.starts_with("#health") && (matches!(&***value, "red" | "yellow") || value.starts_with('-'))
        });
        let remedies: Vec<Remedy> = bad
            .map(|(name, _)| Remedy::SetAttribute {
                node: node.name.clone(),
                name: name.to_string(),
                value: "green".to_owned(),
                is_transient: true,
            })
            .collect();
        remedies.into_iter().for_each(|remedy| self.add(remedy));
    }

    /// Has the rule of a location constraint hold no longer.
    pub(super) fn change_rule(&mut self, rsc: RscIdx, at: Option<&NodeId>, element: Option<&ElementId>) {
        let Some(rule) = element.and_then(|id| rule::find(self.status, id)) else { return };
        let Some(node) = self.node_of(at) else { return };
        self.add_all(rule::Place { status: self.status, rsc, node, rule }.remedies(self.document, false));
    }

    /// Has the rules hold that would make a node better, or allow it.
    pub(super) fn fulfil_rules(&mut self, rsc: RscIdx, node: &NodeId) {
        let Some(node) = self.status.find_node(node.as_str()) else { return };
        let chain = with_parents(self.status, rsc);
        let locations: Vec<_> = rule::locations_about(self.status, &chain).collect();
        for rule in locations.into_iter().flat_map(rule::rules_of).filter(|rule| rule::is_in_favour(rule)) {
            let place = rule::Place { status: self.status, rsc, node, rule };
            self.add_all(place.remedies(self.document, true));
        }
    }

    fn add_all(&mut self, remedies: Vec<Remedy>) {
        remedies.into_iter().for_each(|remedy| self.add(remedy));
    }

    /// Makes a node one of those that constraints with `resource-discovery="exclusive"` mean: by the attribute they look at,
    /// or by removing them.
    pub(super) fn widen_discovery(&mut self, rsc: RscIdx, at: Option<&NodeId>) {
        let chain = with_parents(self.status, rsc);
        // A bundle's container is no place for anything but what is inside.
        let Some(node) = self.node_of(at).filter(|node| !self.status.node(*node).is_bundle()) else { return };
        let locations: Vec<_> = rule::locations_about(self.status, &chain).collect();
        for location in locations {
            if location.discovery == ResourceDiscovery::Exclusive {
                for rule in rule::rules_of(location) {
                    let place = rule::Place { status: self.status, rsc, node, rule };
                    self.add_all(place.remedies(self.document, true));
                }
                self.add(Remedy::DeleteConstraint(location.id.clone()));
            }
        }
    }
}

/// The constraint that an element is, or is part of.
fn constraint_of<'d>(document: &'d Document, id: &ElementId) -> Option<Element<'d>> {
    let mut element = document.find_id(id.as_str())?;
    while let Some(parent) = element.parent() {
        if parent.is("constraints") {
            return Some(element);
        }
        element = parent;
    }
    None
}
