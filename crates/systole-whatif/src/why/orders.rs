//! Which order constraints stand between two resources.

use systole_cib::model::{Constraint, OrderMembers, ResourceSet};
use systole_scheduler::{RscIdx, Status, Transition, note::NoteKind};
use systole_types::{ElementId, ResourceId};

/// Ids of the order constraints that put one resource (or what it is part of) before the other, in either direction.
pub(crate) fn orders_between(status: &Status<'_>, one: RscIdx, other: RscIdx) -> Vec<ElementId> {
    let (one, other) = (with_parents(status, one), with_parents(status, other));
    let means = |name: &ElementId, chain: &[RscIdx]| {
        status.constraint_targets(name.as_str()).iter().any(|target| chain.contains(target))
    };
    let is_between = |first: &[ElementId], then: &[ElementId]| {
        let any = |names: &[ElementId], chain: &[RscIdx]| names.iter().any(|name| means(name, chain));
        (any(first, &one) && any(then, &other)) || (any(first, &other) && any(then, &one))
    };
    let orders = status.cib.constraints.iter().filter_map(|constraint| match constraint {
        Constraint::Order(order) => Some(order),
        _ => None,
    });
    let between = orders.filter(|order| match &order.members {
        OrderMembers::Pair { first, then, .. } => {
            is_between(std::slice::from_ref(first), std::slice::from_ref(then))
        }
        OrderMembers::Sets(sets) => {
            let members = |sets: &[ResourceSet]| -> Vec<ElementId> {
                sets.iter().flat_map(|set| set.members.iter().cloned()).collect()
            };
            // Members of a set that is not sequential wait for other sets only.
            let inside = sets.iter().filter(|set| set.sequential).map(std::slice::from_ref);
            inside.map(members).any(|all| is_between(&all, &all))
                || (1..sets.len()).any(|at| is_between(&members(&sets[..at]), &members(&sets[at..])))
        }
    });
    between.map(|order| order.id.clone()).collect()
}

/// An order that is not kept: `then` is the container of the guest that `first` runs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredOrder {
    /// What was to come first.
    pub first: ResourceId,
    /// What was to wait for it.
    pub then: ResourceId,
    /// The constraints that say so.
    pub orders: Vec<ElementId>,
}

impl IgnoredOrder {
    /// Those of a transition that was scheduled with [`Detail::Scores`](systole_scheduler::placement::Detail).
    pub fn all(transition: &Transition<'_>) -> Vec<Self> {
        let status = &transition.status;
        let notes = transition.notes.iter().filter_map(|note| match (&note.kind, &note.resource) {
            (NoteKind::OrderIgnored { first }, Some(then)) => Some((first, then)),
            _ => None,
        });
        let with_orders = |(first, then): (&ResourceId, &ResourceId)| {
            let idx = |id: &ResourceId| status.find_resource(id.as_str());
            let orders = idx(first).zip(idx(then)).map(|(first, then)| orders_between(status, first, then));
            Self { first: first.clone(), then: then.clone(), orders: orders.unwrap_or_default() }
        };
        notes.map(with_orders).collect()
    }
}

/// A resource and all it is part of.
pub(crate) fn with_parents(status: &Status<'_>, rsc: RscIdx) -> Vec<RscIdx> {
    std::iter::successors(Some(rsc), |rsc| status.rsc(*rsc).parent).collect()
}
