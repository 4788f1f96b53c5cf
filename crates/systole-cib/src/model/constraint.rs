//! `<constraints>`.

use super::Rule;
use std::sync::Arc;
use systole_types::{ElementId, NodeId, Role, Score};

/// A constraint of any kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Constraint {
    /// `<rsc_location>`.
    Location(Location),
    /// `<rsc_colocation>`.
    Colocation(Colocation),
    /// `<rsc_order>`.
    Order(Order),
    /// `<rsc_ticket>`.
    Ticket(TicketConstraint),
}

/// Where a resource may or should run.
#[derive(Clone, Debug, PartialEq)]
pub struct Location {
    /// `id`.
    pub id: ElementId,
    /// Which resources.
    pub resources: LocationTarget,
    /// `role`: only when in this role.
    pub role: Option<Role>,
    /// Where, and how much.
    pub preference: Preference,
    /// `resource-discovery`.
    pub discovery: ResourceDiscovery,
    /// `<lifetime>`: the constraint counts only while this holds.
    pub lifetime: Vec<Rule>,
}

/// Which resources a location constraint is about. Names may be of resources, templates or tags.
#[derive(Clone, Debug, PartialEq)]
pub enum LocationTarget {
    /// `rsc`.
    Resource(ElementId),
    /// `rsc-pattern`; `!` in front (here `is_negated`) turns it round.
    Pattern {
        /// A POSIX extended regular expression.
        pattern: Arc<str>,
        /// Resources that do *not* match are meant.
        is_negated: bool,
    },
    /// `<resource_set>`s.
    Sets(Vec<ResourceSet>),
}

/// Where, and how much.
#[derive(Clone, Debug, PartialEq)]
pub enum Preference {
    /// `node` and `score`.
    Node {
        /// The node's name.
        node: NodeId,
        /// How much.
        score: Score,
    },
    /// `<rule>`s.
    Rules(Vec<Rule>),
    /// Neither (a set with scores of its own).
    None,
}

/// Whether a resource is probed for on a node: `resource-discovery`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ResourceDiscovery {
    /// Probed for.
    #[default]
    Always,
    /// Never probed for on that node.
    Never,
    /// Probed for, and run, only on nodes of such constraints.
    Exclusive,
}

/// Resources that should or should not run together.
#[derive(Clone, Debug, PartialEq)]
pub struct Colocation {
    /// `id`.
    pub id: ElementId,
    /// `score`; INFINITY if not given for a pair. `None` when not given (sets then fall back on their own).
    pub score: Option<Score>,
    /// Whether the dependent's preferences count for the primary: `influence`.
    pub influence: Option<bool>,
    /// `node-attribute`: "together" means nodes where this attribute is the same.
    pub node_attribute: Option<Arc<str>>,
    /// What is colocated.
    pub members: ColocationMembers,
}

/// What a colocation is about. Names may be of resources, templates or tags.
#[derive(Clone, Debug, PartialEq)]
pub enum ColocationMembers {
    /// `rsc` and `with-rsc`.
    Pair {
        /// `rsc`: placed after, and relative to, the primary.
        dependent: ElementId,
        /// `rsc-role`.
        dependent_role: Option<Role>,
        /// `with-rsc`.
        primary: ElementId,
        /// `with-rsc-role`.
        primary_role: Option<Role>,
    },
    /// `<resource_set>`s.
    Sets(Vec<ResourceSet>),
}

/// What has to happen before what.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// `id`.
    pub id: ElementId,
    /// `kind`, or what an older `score` says; `None` if neither is given (`Mandatory` then, sets fall back on their own).
    pub kind: Option<OrderKind>,
    /// `symmetrical`, if given.
    pub symmetrical: Option<bool>,
    /// `require-all`, if given.
    pub require_all: Option<bool>,
    /// What is ordered.
    pub members: OrderMembers,
}

/// How binding an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum OrderKind {
    /// `Optional`: only if both happen in the same transition.
    Optional,
    /// `Mandatory`: the second never without the first.
    #[default]
    Mandatory,
    /// `Serialize`: never at the same time, in any order.
    Serialize,
}

/// What an order is about. Names may be of resources, templates or tags.
#[derive(Clone, Debug, PartialEq)]
pub enum OrderMembers {
    /// `first` and `then`.
    Pair {
        /// `first`.
        first: ElementId,
        /// `first-action`; `start` if not given.
        first_action: Option<OrderAction>,
        /// `then`.
        then: ElementId,
        /// `then-action`; same as `first-action` if not given.
        then_action: Option<OrderAction>,
    },
    /// `<resource_set>`s.
    Sets(Vec<ResourceSet>),
}

/// An action that can be ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderAction {
    /// `start`.
    Start,
    /// `stop`.
    Stop,
    /// `promote`.
    Promote,
    /// `demote`.
    Demote,
}

/// A `<resource_set>`; an `id-ref` has been replaced by what it refers to.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceSet {
    /// `id`.
    pub id: ElementId,
    /// `sequential`; true if not given.
    pub sequential: bool,
    /// Whether `sequential` is given: only then does one member stand for the set in orders with its neighbours.
    pub sequential_is_given: bool,
    /// `require-all`; true if not given.
    pub require_all: bool,
    /// `role`.
    pub role: Option<Role>,
    /// `action`.
    pub action: Option<OrderAction>,
    /// `score`.
    pub score: Option<Score>,
    /// `kind`.
    pub kind: Option<OrderKind>,
    /// In a colocation each resource goes with the next rather than the one before: the deprecated `ordering="listed"`.
    pub with_next: bool,
    /// `<resource_ref>`s in order: resources, templates or tags.
    pub members: Vec<ElementId>,
}

/// A resource that needs a ticket.
#[derive(Clone, Debug, PartialEq)]
pub struct TicketConstraint {
    /// `id`.
    pub id: ElementId,
    /// `ticket`.
    pub ticket: Arc<str>,
    /// `loss-policy`, if given.
    pub loss_policy: Option<LossPolicy>,
    /// What needs the ticket.
    pub resources: TicketResources,
}

/// What needs a ticket.
#[derive(Clone, Debug, PartialEq)]
pub enum TicketResources {
    /// `rsc` and `rsc-role`.
    Resource {
        /// A resource, template or tag.
        resource: ElementId,
        /// Only this role needs it.
        role: Option<Role>,
    },
    /// `<resource_set>`s.
    Sets(Vec<ResourceSet>),
}

/// What happens to a resource whose ticket is lost: `loss-policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossPolicy {
    /// Stopped.
    Stop,
    /// Demoted.
    Demote,
    /// Nodes that run it are fenced.
    Fence,
    /// Left as it is.
    Freeze,
}
