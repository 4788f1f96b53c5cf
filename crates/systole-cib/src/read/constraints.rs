//! `<constraints>`.

use super::context::Reader;
use crate::{
    model::{
        Cib, Colocation, ColocationMembers, Constraint, Location, LocationTarget, LossPolicy, Order,
        OrderAction, OrderKind, OrderMembers, Preference, ResourceDiscovery, ResourceSet, TicketConstraint,
        TicketResources,
    },
    xml::Element,
};
use systole_types::{ElementId, NodeId, Score};

const KINDS: [(&str, OrderKind); 3] = [
    ("Mandatory", OrderKind::Mandatory),
    ("Optional", OrderKind::Optional),
    ("Serialize", OrderKind::Serialize),
];

const ACTIONS: [(&str, OrderAction); 4] = [
    ("start", OrderAction::Start),
    ("stop", OrderAction::Stop),
    ("promote", OrderAction::Promote),
    ("demote", OrderAction::Demote),
];

const DISCOVERIES: [(&str, ResourceDiscovery); 3] = [
    ("always", ResourceDiscovery::Always),
    ("never", ResourceDiscovery::Never),
    ("exclusive", ResourceDiscovery::Exclusive),
];

const LOSS_POLICIES: [(&str, LossPolicy); 4] = [
    ("stop", LossPolicy::Stop),
    ("demote", LossPolicy::Demote),
    ("fence", LossPolicy::Fence),
    ("freeze", LossPolicy::Freeze),
];

impl<'d> Reader<'d> {
    pub fn constraints(&mut self, section: Element<'d>, cib: &mut Cib) {
        for element in section.children() {
            if element.id().is_none() {
                self.error(element, "id is missing: the constraint is ignored");
                continue;
            }
            let constraint = match element.name() {
                "rsc_location" => self.location(element).map(Constraint::Location),
                "rsc_colocation" => self.colocation(element).map(Constraint::Colocation),
                "rsc_order" => self.order(element).map(Constraint::Order),
                "rsc_ticket" => self.ticket_constraint(element).map(Constraint::Ticket),
                _ => {
                    self.unknown(element, "<constraints>");
                    None
                }
            };
            cib.constraints.extend(constraint);
        }
    }

    fn location(&mut self, element: Element<'d>) -> Option<Location> {
        let sets = self.resource_sets(element);
        let resources = match (element.attr("rsc"), element.attr("rsc-pattern")) {
            (Some(resource), _) => LocationTarget::Resource(ElementId::new(resource)),
            (None, Some(pattern)) => {
                let (is_negated, pattern) =
                    pattern.strip_prefix('!').map_or((false, pattern), |rest| (true, rest));
                LocationTarget::Pattern { pattern: self.shared(pattern), is_negated }
            }
            (None, None) if !sets.is_empty() => LocationTarget::Sets(sets),
            (None, None) => {
                self.error(element, "needs rsc, rsc-pattern or a <resource_set>: the constraint is ignored");
                return None;
            }
        };
        let lifetime = element.child("lifetime").map(|lifetime| self.rules(lifetime)).unwrap_or_default();
        Some(Location {
            id: self.element_id(element),
            resources,
            role: self.role(element, "role"),
            preference: self.preference(element)?,
            discovery: self.word(element, "resource-discovery", &DISCOVERIES).unwrap_or_default(),
            lifetime,
        })
    }

    /// A node with a score, or rules. Sets may do with neither.
    fn preference(&mut self, element: Element<'d>) -> Option<Preference> {
        if let Some(node) = element.attr("node").filter(|_| element.attr("score").is_some()) {
            let score = self.score(element, "score")?;
            return Some(Preference::Node { node: NodeId::new(node), score });
        }
        let rules = self.rules(element);
        if !rules.is_empty() {
            return Some(Preference::Rules(rules));
        }
        if element.child("rule").is_some() {
            self.error(element, "none of its rules can be read: the constraint is ignored");
            return None;
        }
        if element.child("resource_set").is_none() {
            self.error(element, "needs a node with a score, or a rule: the constraint is ignored");
            return None;
        }
        Some(Preference::None)
    }

    fn colocation(&mut self, element: Element<'d>) -> Option<Colocation> {
        let sets = self.resource_sets(element);
        let members = if sets.is_empty() {
            let (dependent, primary) = (self.required(element, "rsc")?, self.required(element, "with-rsc")?);
            ColocationMembers::Pair {
                dependent: ElementId::new(dependent),
                dependent_role: self.role(element, "rsc-role"),
                primary: ElementId::new(primary),
                primary_role: self.role(element, "with-rsc-role"),
            }
        } else {
            ColocationMembers::Sets(sets)
        };
        let score = self.score(element, "score");
        if score.is_none() && element.attr("score").is_some() {
            return None;
        }
        Some(Colocation {
            id: self.element_id(element),
            score,
            influence: self.boolean(element, "influence"),
            node_attribute: self.text(element, "node-attribute"),
            members,
        })
    }

    fn order(&mut self, element: Element<'d>) -> Option<Order> {
        let sets = self.resource_sets(element);
        let members = if sets.is_empty() {
            let (first, then) = (self.required(element, "first")?, self.required(element, "then")?);
            OrderMembers::Pair {
                first: ElementId::new(first),
                first_action: self.word(element, "first-action", &ACTIONS),
                then: ElementId::new(then),
                then_action: self.word(element, "then-action", &ACTIONS),
            }
        } else {
            OrderMembers::Sets(sets)
        };
        Some(Order {
            id: self.element_id(element),
            kind: self.kind(element),
            symmetrical: self.boolean(element, "symmetrical"),
            require_all: self.boolean(element, "require-all"),
            members,
        })
    }

    /// `kind`; in older CIBs a `score`, of which 0 means optional and everything else mandatory.
    fn kind(&mut self, element: Element<'d>) -> Option<OrderKind> {
        if element.attr("kind").is_some() {
            return self.word(element, "kind", &KINDS);
        }
        let score = self.score(element, "score")?;
        Some(if score == Score::ZERO { OrderKind::Optional } else { OrderKind::Mandatory })
    }

    fn ticket_constraint(&mut self, element: Element<'d>) -> Option<TicketConstraint> {
        let ticket = self.required(element, "ticket")?;
        let sets = self.resource_sets(element);
        let resources = if sets.is_empty() {
            let resource = ElementId::new(self.required(element, "rsc")?);
            TicketResources::Resource { resource, role: self.role(element, "rsc-role") }
        } else {
            TicketResources::Sets(sets)
        };
        Some(TicketConstraint {
            id: self.element_id(element),
            ticket: self.shared(ticket),
            loss_policy: self.word(element, "loss-policy", &LOSS_POLICIES),
            resources,
        })
    }

    fn resource_sets(&mut self, parent: Element<'d>) -> Vec<ResourceSet> {
        parent.children_named("resource_set").filter_map(|set| self.resource_set(set)).collect()
    }

    fn resource_set(&mut self, element: Element<'d>) -> Option<ResourceSet> {
        let element = self.resolve(element)?;
        let references = element.children_named("resource_ref");
        let members: Vec<ElementId> =
            references.filter_map(|r| self.required(r, "id").map(ElementId::new)).collect();
        if members.is_empty() {
            self.warning(element, "the set is empty");
        }
        Some(ResourceSet {
            id: self.element_id(element),
            sequential: self.boolean(element, "sequential").unwrap_or(true),
            sequential_is_given: element.attr("sequential").is_some(),
            require_all: self.boolean(element, "require-all").unwrap_or(true),
            role: self.role(element, "role"),
            action: self.word(element, "action", &ACTIONS),
            score: self.score(element, "score"),
            kind: self.word(element, "kind", &KINDS),
            with_next: element
                .attr("ordering")
                .is_some_and(|ordering| !ordering.eq_ignore_ascii_case("group")),
            members,
        })
    }
}
