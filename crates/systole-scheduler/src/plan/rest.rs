//! Which resources need no plan: those that are as they should be, and that nothing that has to be done can reach.
//!
//! In a cluster that runs, that is nearly all of them. To leave them out is sound for three reasons:
//!
//! 1. Of a resource *at rest* ([`resource`]) every action there would be need not be done, and can be; no start, stop,
//!    probe, cancellation or reload is due. Such an action is in no graph, and another that waits for it waits for nothing.
//! 2. An order between two resources at rest changes nothing about either ([`Reach::is_harmless`]); where it would (it waits for
//!    a start that there is not), both are planned.
//! 3. What an order lets one resource do to another is known from its relation. Whatever can be reached that way from a
//!    resource that is not at rest is planned, step by step; and so is, with its actions, whatever has an order with that.
//!
//! What concerns all resources of a node (it is fenced, unless it is a guest; it leaves) or of the cluster (capacities,
//! unfencing) is not taken apart: then everything is planned. If planning itself finds a node lost, it begins anew with everything
//! ([`Draft::holds`](super::draft::Draft::holds)).

mod resource;

use super::{
    orders::{Constraints, Side, Wanted},
    relation::Relation,
    task::Task,
};
use crate::{
    RscIdx, Status,
    placement::Placement,
    rules,
    status::{Kind, NoQuorum, NodeKind, NodeSet, PlacementStrategy, Requires},
};
use resource::Rest;
use systole_types::{Role, Score};

/// The resources that need no plan; `None` if all are planned.
pub(super) fn left_out(
    status: &Status<'_>,
    placement: &Placement,
    constraints: &Constraints<'_, '_>,
) -> Option<Vec<bool>> {
    if !is_calm(status, placement) {
        return None;
    }
    let mut reach = Reach::new(status, placement);
    let rest = Rest::of(status, placement);
    for &root in &status.roots {
        if !rest.is_at_rest(root) {
            reach.wake(root);
        }
    }
    reach.add_constraints(&constraints.orders);
    reach.add_colocations();
    reach.add_hosts();
    reach.wake_lost_guests();
    reach.spread();
    reach.add_neighbours(&constraints.orders);
    Some(reach.left_out())
}

/// Whether nothing happens that concerns all resources of a node or of the cluster.
fn is_calm(status: &Status<'_>, placement: &Placement) -> bool {
    let options = &status.options;
    let nodes = status.nodes.iter().zip(&placement.nodes);
    (status.has_quorum || options.no_quorum == NoQuorum::Ignore)
        && !options.stop_all
        && options.placement_strategy == PlacementStrategy::Default
        && !status.unfencing_in_use
        && status.fencing.is_empty()
        && placement.fencing.is_empty()
        // Rules about operations say when to look again, of whatever is planned.
        && !rules::are_in(&status.cib.operation_defaults)
        && nodes.into_iter().all(|(node, outlook)| {
            let is_leaving = outlook.online && outlook.shutdown;
            let is_lost = node.remote_requires_reset && !node.is_guest();
            !(outlook.unclean || is_leaving || node.unclean || is_lost)
        })
}

/// What can be reached from resources that are not at rest. All is told of top-level resources.
struct Reach<'s, 'a> {
    status: &'s Status<'a>,
    placement: &'s Placement,
    /// Of each resource, the top-level one that it is part of.
    root: Vec<RscIdx>,
    /// Not at rest, or reached from one that is not; by top-level resource.
    awake: Vec<bool>,
    /// Which can do something to which.
    edges: Vec<(RscIdx, RscIdx)>,
}

impl<'s, 'a> Reach<'s, 'a> {
    fn new(status: &'s Status<'a>, placement: &'s Placement) -> Self {
        let mut root: Vec<RscIdx> = Vec::with_capacity(status.resources.len());
        for (rsc, resource) in status.iter_resources() {
            // Parents come before their children.
            root.push(resource.parent.map_or(rsc, |parent| root[parent.i()]));
        }
        let awake = vec![false; status.resources.len()];
        Self { status, placement, root, awake, edges: Vec::new() }
    }

    fn root(&self, rsc: RscIdx) -> RscIdx {
        self.root[rsc.i()]
    }

    fn wake(&mut self, rsc: RscIdx) {
        let root = self.root(rsc);
        self.awake[root.i()] = true;
    }

    fn add_edge(&mut self, from: RscIdx, to: RscIdx) {
        let (from, to) = (self.root(from), self.root(to));
        if from != to {
            self.edges.push((from, to));
        }
    }

    /// What orders let resources do to each other.
    fn add_constraints(&mut self, orders: &[Wanted]) {
        let to_then = Relation::FIRST_FORCES_THEN | Relation::FIRST_ENABLES_THEN | Relation::ASYMMETRIC;
        for wanted in orders {
            let (first, then) = match (&wanted.first, &wanted.then) {
                (Side::Task(first, _), Side::Task(then, _)) => (*first, *then),
                (Side::Task(rsc, _), Side::Enough(_)) | (Side::Enough(_), Side::Task(rsc, _)) => {
                    // What counts others is planned with all that it counts.
                    self.wake(*rsc);
                    continue;
                }
                (Side::Enough(_), Side::Enough(_)) => continue,
            };
            if !self.is_harmless(wanted) {
                self.wake(first);
                self.wake(then);
            }
            if wanted.relation.has_any(to_then) {
                self.add_edge(first, then);
            }
            if wanted.relation.has(Relation::THEN_NEEDS_FIRST) {
                self.add_edge(then, first);
                if self.placement.blocked[first.i()] || !self.placement.managed[first.i()] {
                    self.add_edge(first, then);
                }
            }
        }
    }

    /// Whether an order changes nothing as long as both its sides are at rest: what is to be done first could be, wherever
    /// the other side asks for it.
    fn is_harmless(&self, wanted: &Wanted) -> bool {
        let (Side::Task(first, task), Side::Task(then, then_task)) = (&wanted.first, &wanted.then) else {
            return false;
        };
        let exists = match task {
            Task::Start | Task::Stop => self.is_any(*first, &|role| role > Role::Stopped),
            Task::Promote | Task::Demote => self.is_any(*first, &|role| role == Role::Promoted),
            _ => false,
        };
        // Instances pair up if the side that has to wait (going down, the other) says so.
        let decides = if matches!(then_task, Task::Stop | Task::Demote) { first } else { then };
        let binds = Relation::FIRST_FORCES_THEN | Relation::FIRST_ENABLES_THEN;
        let is_paired = wanted.relation.has_any(binds) && self.status.rsc(*decides).interleaves();
        exists && (!is_paired || self.pairs_up(*first, *then))
    }

    fn is_any(&self, rsc: RscIdx, is_wanted: &dyn Fn(Role) -> bool) -> bool {
        let resource = self.status.rsc(rsc);
        match resource.kind {
            Kind::Primitive(_) => is_wanted(self.placement.role[rsc.i()]),
            _ => resource.children.iter().any(|&child| self.is_any(child, is_wanted)),
        }
    }

    /// Whether wherever an instance of `then` is, there is one of `first`.
    fn pairs_up(&self, first: RscIdx, then: RscIdx) -> bool {
        let is_pair = |rsc: RscIdx| self.status.rsc(rsc).is_clone();
        if !is_pair(first) || !is_pair(then) {
            // Pairs are made of collectives only. What a bundle's replica is paired with is not looked into.
            return !self.status.rsc(first).is_bundle() && !self.status.rsc(then).is_bundle();
        }
        let (mut firsts, mut thens) = (NodeSet::default(), NodeSet::default());
        self.add_places(first, &mut firsts);
        self.add_places(then, &mut thens);
        thens.iter().all(|node| firsts.contains(node))
    }

    fn add_places(&self, rsc: RscIdx, places: &mut NodeSet) {
        places.extend(self.placement.assigned[rsc.i()]);
        self.status.rsc(rsc).children.iter().for_each(|&child| self.add_places(child, places));
    }

    /// What cannot be started takes those with it that have to run with it.
    fn add_colocations(&mut self) {
        let placement = self.placement;
        for link in placement.colocations.iter().filter(|link| link.score == Score::INFINITY) {
            self.add_edge(link.primary, link.dependent);
        }
    }

    /// What runs on a remote or guest node has to do with the connection to it and with what it lives in.
    fn add_hosts(&mut self) {
        let status = self.status;
        for (rsc, resource) in status.iter_resources() {
            let places = resource.running_on.iter().copied().chain(self.placement.assigned[rsc.i()]);
            let connections = places.filter_map(|node| status.node(node).connection());
            let containers = connections.clone().filter_map(|connection| status.rsc(connection).container);
            for other in connections.chain(containers).chain(resource.container).collect::<Vec<_>>() {
                self.add_edge(rsc, other);
                self.add_edge(other, rsc);
            }
        }
    }

    /// A guest node that is lost is fenced by the stop of its container: that concerns what runs there, which the container
    /// takes with it, and what may run there unseen and does not wait for fencing anyway.
    fn wake_lost_guests(&mut self) {
        let status = self.status;
        for (lost, node) in status.iter_nodes().filter(|(_, node)| node.remote_requires_reset) {
            if let NodeKind::Guest { container, connection, .. } = node.kind {
                self.wake(container);
                self.wake(connection);
            }
            for (rsc, resource) in status.iter_resources() {
                let is_listed = || self.placement.allowed[rsc.i()].get(lost).is_some();
                let is_unseen =
                    resource.meta.requires == Requires::Quorum && !resource.known_on.contains(lost);
                if is_unseen && is_listed() {
                    self.wake(rsc);
                }
            }
        }
    }

    /// Wakes whatever can be reached from what is awake.
    fn spread(&mut self) {
        self.edges.sort_unstable();
        self.edges.dedup();
        let mut left: Vec<RscIdx> =
            self.status.roots.iter().copied().filter(|root| self.awake[root.i()]).collect();
        while let Some(root) = left.pop() {
            let begin = self.edges.partition_point(|edge| edge.0 < root);
            for (_, to) in self.edges[begin..].iter().take_while(|edge| edge.0 == root) {
                if !std::mem::replace(&mut self.awake[to.i()], true) {
                    left.push(*to);
                }
            }
        }
    }

    /// What has an order with something that is awake is planned too, though nothing can happen to it.
    fn add_neighbours(&mut self, orders: &[Wanted]) {
        let mut neighbours = Vec::new();
        for wanted in orders {
            if let (Side::Task(first, _), Side::Task(then, _)) = (&wanted.first, &wanted.then) {
                let (first, then) = (self.root(*first), self.root(*then));
                if self.awake[first.i()] != self.awake[then.i()] {
                    neighbours.push(if self.awake[first.i()] { then } else { first });
                }
            }
        }
        for neighbour in neighbours {
            self.awake[neighbour.i()] = true;
        }
    }

    fn left_out(&self) -> Vec<bool> {
        self.root.iter().map(|root| !self.awake[root.i()]).collect()
    }
}
