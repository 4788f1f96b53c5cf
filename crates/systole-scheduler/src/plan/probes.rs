//! Probes: learning what runs where before anything is started.
//!
//! Source: Pacemaker Explained, "Resource Operations", `resource-discovery`.

use super::{
    action::{ActIdx, Flags},
    draft::Draft,
    relation::{End, Order, Relation},
    task::{Key, Task},
    view::is_discovered,
};
use crate::{
    NodeIdx, RscIdx, Status,
    placement::Placement,
    status::{Kind, NodeKind, NodeSet},
};
use systole_types::Role;

impl Draft<'_, '_> {
    /// Creates probes on all nodes that can be asked.
    pub(super) fn create_probes(&mut self) {
        let roots = self.roots();
        let inside = self.nodes_inside_bundles();
        let asked = self.nodes_asked(&inside);
        for i in 0..self.status.nodes_by_name.len() {
            let node = self.status.nodes_by_name[i];
            let state = self.node[node.i()];
            if !state.online {
                if self.is_failed_remote(node) {
                    self.lose_node(node, "the connection is unrecoverable", false);
                }
            } else if !state.unclean && self.status.node(node).discovery {
                // There are as many such nodes as replicas, and hardly any has to do with more than one bundle.
                let may_be_asked = |root: &RscIdx| {
                    let is_elsewhere = || self.r(*root).is_bundle() && !inside[root.i()].contains(node);
                    !(self.status.node(node).is_bundle() && is_elsewhere())
                };
                let roots: Vec<RscIdx> = roots.iter().copied().filter(may_be_asked).collect();
                self.probe_all(&roots, node, &asked);
            }
        }
    }

    /// Per resource, the nodes it is asked about on. Found resource by resource: probes are made node by node, and for each
    /// node the scores of all resources of a large cluster would have to be fetched from memory again.
    ///
    /// What is part of a bundle is not looked at on all the nodes `inside` other bundles.
    fn nodes_asked(&self, inside: &[NodeSet]) -> Vec<NodeSet> {
        let nodes_where = |is_bundle: bool| -> NodeSet {
            let nodes = self.status.iter_nodes().filter(|(_, node)| node.is_bundle() == is_bundle);
            nodes.map(|(idx, _)| idx).collect()
        };
        let (outside, in_bundles) = (nodes_where(false), nodes_where(true));
        let asked = |rsc: RscIdx| {
            let root = self.status.root_of(rsc);
            let in_bundles = if self.r(root).is_bundle() { &inside[root.i()] } else { &in_bundles };
            let is_asked = |node: &NodeIdx| is_asked_about(self.status, self.placement, rsc, *node);
            outside.iter().chain(in_bundles.iter()).filter(is_asked).collect()
        };
        let nodes = |rsc: RscIdx| if self.left_out[rsc.i()] { NodeSet::default() } else { asked(rsc) };
        self.status.iter_resources().map(|(rsc, _)| nodes(rsc)).collect()
    }

    /// Of each bundle, the nodes inside any bundle that something of it may be asked about on.
    fn nodes_inside_bundles(&self) -> Vec<NodeSet> {
        let mut nodes = vec![NodeSet::default(); self.status.resources.len()];
        for (rsc, _) in self.status.iter_resources() {
            let root = self.status.root_of(rsc);
            if self.r(root).is_bundle() {
                let listed = self.placement.allowed[rsc.i()].iter().map(|entry| entry.node);
                nodes[root.i()].extend(listed.filter(|node| self.status.node(*node).is_bundle()));
            }
        }
        nodes
    }

    pub(super) fn probe_all(&mut self, resources: &[RscIdx], node: NodeIdx, asked: &[NodeSet]) -> bool {
        let mut any = false;
        for &rsc in resources {
            any |= self.probe(rsc, node, asked);
        }
        any
    }

    /// Probes for a resource on a node if that is needed; whether it was.
    pub(super) fn probe(&mut self, rsc: RscIdx, node: NodeIdx, asked: &[NodeSet]) -> bool {
        match &self.r(rsc).kind {
            Kind::Primitive(_) => asked[rsc.i()].contains(node) && self.probe_primitive(rsc, node),
            Kind::Group(_) => self.probe_all(&self.r(rsc).children, node, asked),
            Kind::Clone(_) => self.probe_clone(rsc, node, asked),
            Kind::Bundle(_) => self.probe_bundle(rsc, node, asked),
        }
    }

    fn probe_primitive(&mut self, rsc: RscIdx, node: NodeIdx) -> bool {
        let top = self.top(rsc);
        if let NodeKind::Guest { container, .. } = self.status.node(node).kind
            && self.leave_to_guest(node, container, top)
        {
            return false;
        }
        let probe = self.make_probe(rsc, node);
        let top = if self.r(top).is_clone() { top } else { rsc };
        let mut relation = Relation::ORDERED;
        if !self.is(probe, Flags::RUNNABLE) && !self.is_active_anywhere(top) {
            relation |= Relation::FIRST_ENABLES_THEN;
        }
        self.order(End::Action(probe), End::Key(top, Key::once(Task::Start)), relation);
        // Who is told new parameters is known from the histories, which have been looked at: hardly anybody.
        let reload = Key::once(Task::Reload);
        if self.find_key(top, reload).is_some() {
            self.order(End::Action(probe), End::Key(top, reload), Relation::ORDERED);
        }
        true
    }

    fn is_active_anywhere(&self, rsc: RscIdx) -> bool {
        self.r(rsc).is_active() || self.r(rsc).children.iter().any(|&child| self.is_active_anywhere(child))
    }

    fn make_probe(&mut self, rsc: RscIdx, node: NodeIdx) -> ActIdx {
        let probe = self.action(rsc, Key::once(Task::Monitor), Some(node), false);
        self.unset(probe, Flags::OPTIONAL);
        self.order_after_unfencing(rsc, node, probe, Relation::ORDERED);
        if !self.r(rsc).running_on.contains(&node) {
            self.a_mut(probe).expected_rc = Some(7);
        } else if self.role(rsc) == Role::Promoted {
            self.a_mut(probe).expected_rc = Some(8);
        }
        probe
    }

    /// On a guest node that is down, or going down, there is nothing to probe for: orders what is left to order.
    fn leave_to_guest(&mut self, node: NodeIdx, container: RscIdx, top: RscIdx) -> bool {
        let guest = self.r(container);
        if guest.role == Role::Stopped {
            if let Some(host) = self.assigned[container.i()]
                && !guest.known_on.contains(host)
            {
                self.order_tasks((container, Task::Monitor), (top, Task::Start), Relation::ORDERED);
            }
            return true;
        }
        let state = self.node[node.i()];
        let moves = self.assigned[container.i()].is_some_and(|host| !guest.running_on.contains(&host));
        let will_stop = state.reset
            || state.unclean
            || self.rsc[container.i()].failed
            || self.next_role[container.i()] == Role::Stopped
            || (guest.role > Role::Stopped && moves);
        if will_stop {
            self.order_tasks((container, Task::Stop), (top, Task::Start), Relation::ORDERED);
        }
        will_stop
    }

    /// What probes have to come before, beyond the start of what they are for.
    pub(super) fn order_probes(&mut self) {
        for rsc in 0..self.status.resources.len() {
            let rsc = RscIdx::new(rsc);
            if self.r(rsc).is_primitive() && !self.left_out[rsc.i()] {
                let mut known = Vec::new();
                for probe in self.find_all(rsc, Key::once(Task::Monitor), None) {
                    self.order_after_probe(rsc, probe, &mut known);
                }
            }
        }
        let orders = std::mem::take(&mut self.orders);
        for order in &orders {
            self.order_probes_like_stop(order);
        }
        self.orders = orders;
    }

    /// What probes of `rsc` come before does not depend on the node: `known` has it, by what depends on the probes.
    fn order_after_probe(&mut self, rsc: RscIdx, probe: ActIdx, known: &mut Vec<(ActIdx, Vec<ActIdx>)>) {
        for i in (0..self.a(probe).after.len()).rev() {
            let link = self.links[self.a(probe).after[i] as usize];
            self.order_instances_after_probe(probe, link.then, link.made_as);
            let place = known.iter().position(|(then, _)| *then == link.then).unwrap_or_else(|| {
                known.push((link.then, self.undone_for(rsc, link.then)));
                known.len() - 1
            });
            for &undo in &known[place].1 {
                self.link(probe, undo, Relation::ORDERED);
            }
        }
    }

    /// What would be restarted on account of what a probe finds is not taken down before the probe is over: what takes that
    /// down which has to be done after `then`.
    fn undone_for(&mut self, probed: RscIdx, then: ActIdx) -> Vec<ActIdx> {
        let (mut seen, mut undone) = (Vec::new(), Vec::new());
        self.add_undone(probed, then, &mut seen, &mut undone);
        for action in seen {
            self.unset(action, Flags::VISITED);
        }
        undone
    }

    /// Where a clone cannot be probed on a node, none of its instances that are down is started.
    fn order_instances_after_probe(&mut self, probe: ActIdx, then: ActIdx, relation: Relation) {
        let Some(collective) = self.a(then).rsc else { return };
        let is_collective = self.r(collective).is_clone() || self.r(collective).is_bundle();
        let probed = self.a(probe).rsc.map(|rsc| self.top(rsc));
        if !is_collective
            || self.is(probe, Flags::RUNNABLE)
            || relation.has(Relation::FIRST_ENABLES_THEN)
            || probed != Some(collective)
            || self.a(then).task != Task::Start
        {
            return;
        }
        for i in (0..self.a(then).after.len()).rev() {
            let start = self.links[self.a(then).after[i] as usize].then;
            let Some(rsc) = self.a(start).rsc else { continue };
            if !self.r(rsc).is_active() && self.top(rsc) == collective && self.a(start).task == Task::Start {
                self.link(probe, start, Relation::ORDERED | Relation::FIRST_ENABLES_THEN);
            }
        }
    }

    fn add_undone(
        &mut self,
        probed: RscIdx,
        after: ActIdx,
        seen: &mut Vec<ActIdx>,
        undone: &mut Vec<ActIdx>,
    ) {
        if self.is(after, Flags::VISITED) {
            return;
        }
        self.set(after, Flags::VISITED);
        seen.push(after);
        let after_rsc = self.a(after).rsc;
        if let Some(rsc) = after_rsc.filter(|&rsc| rsc != probed && self.r(rsc).is_primitive()) {
            let undo = match self.a(after).task {
                Task::Start => Some(Task::Stop),
                Task::Promote => Some(Task::Demote),
                _ => None,
            };
            let undo = undo.map(|undo| self.find_all(rsc, Key::once(undo), None)).unwrap_or_default();
            undone.extend(undo.into_iter().filter(|&action| !self.is(action, Flags::PSEUDO)));
        }
        let interleaves = after_rsc.is_some_and(|rsc| self.r(rsc).interleaves());
        let partner = after_rsc
            .filter(|_| interleaves)
            .and_then(|collective| self.compatible_instance(probed, collective, false));
        for i in (0..self.a(after).after.len()).rev() {
            let link = self.links[self.a(after).after[i] as usize];
            if !link.made_as.has(Relation::FIRST_FORCES_THEN) {
                let (Some(rsc), Some(next)) = (after_rsc, self.a(link.then).rsc) else { continue };
                let is_simple = self.r(rsc).is_primitive() || self.r(probed).parent == Some(rsc);
                let is_member =
                    !self.r(next).is_clone() && !self.r(next).is_bundle() && self.r(next).parent == Some(rsc);
                let other_pair = !self.r(rsc).is_group() && interleaves && partner != Some(next);
                if is_simple || !is_member || other_pair {
                    continue;
                }
            }
            self.add_undone(probed, link.then, seen, undone);
        }
    }

    /// What waits for a stop waits for probes of the same resource too: they may find that there is something to stop.
    fn order_probes_like_stop(&mut self, order: &Order) {
        let Some(first_rsc) = self.end_rsc(&order.first) else { return };
        let then_rsc = self.end_rsc(&order.then);
        let is_stop = |draft: &Self, end: &End| match end {
            End::Action(action) => draft.a(*action).task == Task::Stop,
            End::Key(_, key) => matches!(key, Key::Op(Task::Stop, 0)),
        };
        if then_rsc == Some(first_rsc) || order.relation == Relation::NONE || !is_stop(self, &order.first) {
            return;
        }
        if then_rsc.is_some() && self.r(first_rsc).container == then_rsc && is_stop(self, &order.then) {
            return;
        }
        let mut relation = Relation::ORDERED;
        for condition in [Relation::UNLESS_FIRST_MIGRATES, Relation::IF_SAME_NODE] {
            if order.relation.has(condition) {
                relation |= condition;
            }
        }
        if matches!(order.relation, Relation::IF_REQUIRED_ON_SAME_NODE | Relation::IF_SAME_NODE_OR_TARGET) {
            relation = order.relation;
        }
        let probes = self.find_all(first_rsc, Key::once(Task::Monitor), None);
        if probes.is_empty() {
            return;
        }
        let thens = match &order.then {
            End::Action(action) => vec![*action],
            End::Key(rsc, key) => self.find_all(*rsc, *key, None),
        };
        for probe in probes {
            for &then in &thens {
                if self.is_probe_needed_before(probe, then) {
                    self.link(probe, then, relation);
                }
            }
        }
    }

    /// Unfencing comes before probes, and another node's shutdown does not wait for them.
    fn is_probe_needed_before(&self, probe: ActIdx, then: ActIdx) -> bool {
        let same_node = self.a(probe).node == self.a(then).node;
        match self.a(then).task {
            Task::Fence => !(same_node && self.added_meta(then, "stonith_action") == Some("on")),
            Task::Shutdown => same_node,
            _ => true,
        }
    }
}

/// Whether it is not known of a primitive what it does on a node, and would be asked for there, were the node as it seems.
pub(super) fn is_asked_about(status: &Status<'_>, placement: &Placement, rsc: RscIdx, node: NodeIdx) -> bool {
    let resource = status.rsc(rsc);
    if resource.known_on.contains(node) {
        return false;
    }
    let Some(primitive) = resource.primitive() else { return false };
    let target = status.node(node);
    if target.is_remote_or_guest() {
        let holds_guest = resource.contained.iter().any(|&inner| status.rsc(inner).remote_node.is_some());
        let cannot_be_there =
            primitive.is_fence_device || primitive.is_remote_connection || (target.is_guest() && holds_guest);
        if cannot_be_there {
            return false;
        }
    }
    let lives_inside = resource.container.is_some() && !primitive.is_remote_connection;
    !lives_inside && resource.removed.is_none() && is_discovered(status, placement, rsc, node)
}
