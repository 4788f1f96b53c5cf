//! Whether a resource, with all it consists of, is as it should be.

use crate::{
    NodeIdx, RscIdx, Status,
    placement::{Discovery, Entry, Placement},
    plan::{
        clone::is_known_on,
        config::{is_configured, is_looked_at, since_last_start},
        probes::is_asked_about,
        recurring::{Recurring, recurring_operations},
    },
    rules,
    status::{
        BundleData, DigestChange, EarlyAction, Kind, NodeKind, NodeSet, PrimitiveData, Removed, Resource,
        in_order,
    },
};
use systole_cib::model::HistoryEntry;
use systole_types::Role;

/// How a resource at rest is: up, or down where it should be down.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Up(NodeIdx),
    Down,
}

/// What resources are judged by.
pub(super) struct Rest<'s, 'a> {
    status: &'s Status<'a>,
    placement: &'s Placement,
    /// The history calls for something to be done with it.
    disturbed: Vec<bool>,
    /// Recurring operations that are active, by resource.
    recurring: Vec<(RscIdx, &'s EarlyAction)>,
    /// Nodes that are asked what they run, less those inside bundles.
    asked: NodeSet,
    /// Those inside bundles.
    asked_bundles: NodeSet,
}

impl<'s, 'a> Rest<'s, 'a> {
    pub fn of(status: &'s Status<'a>, placement: &'s Placement) -> Self {
        let mut rest = Self {
            status,
            placement,
            disturbed: vec![false; status.resources.len()],
            recurring: Vec::with_capacity(status.early.len()),
            asked: NodeSet::default(),
            asked_bundles: NodeSet::default(),
        };
        rest.take_histories();
        if status.options.startup_probes {
            rest.take_nodes();
        }
        rest
    }

    fn take_histories(&mut self) {
        for early in &self.status.early {
            let Some(rsc) = early.rsc(self.status) else { continue };
            match early {
                EarlyAction::Recurring { .. } => self.recurring.push((rsc, early)),
                _ => self.disturbed[rsc.i()] = true,
            }
        }
        self.recurring.sort_by_key(|(rsc, _)| *rsc);
        for history in self.status.nodes.iter().flat_map(|node| &node.histories) {
            // A history by another name than its resource's may be taken for that of another.
            let other = history.namesake.filter(|namesake| *namesake != history.resource);
            if history.is_other_agent || other.is_some() {
                self.disturbed[history.resource.i()] = true;
            }
            if let Some(other) = other {
                self.disturbed[other.i()] = true;
            }
        }
    }

    fn take_nodes(&mut self) {
        for (idx, node) in self.status.iter_nodes() {
            let outlook = &self.placement.nodes[idx.i()];
            if outlook.online && !outlook.unclean && node.discovery {
                if node.is_bundle() {
                    self.asked_bundles.insert(idx);
                } else {
                    self.asked.insert(idx);
                }
            }
        }
    }

    /// Whether a top-level resource runs, all of it as it should, and nothing has to be asked about it.
    pub fn is_at_rest(&self, root: RscIdx) -> bool {
        self.is_up(root) && !self.is_probed(root)
    }

    pub fn is_up(&self, root: RscIdx) -> bool {
        match &self.status.rsc(root).kind {
            Kind::Primitive(_) | Kind::Group(_) => matches!(self.state(root), Some(State::Up(_))),
            Kind::Clone(_) => self.is_clone_up(root),
            Kind::Bundle(bundle) => self.is_bundle_up(root, bundle),
        }
    }

    /// Instances may be down, but not all. Of an anonymous clone there may be more than wanted: nodes beyond those that run
    /// one are known not to by the history of another.
    fn is_clone_up(&self, clone: RscIdx) -> bool {
        let resource = self.status.rsc(clone);
        let is_unique = resource.clone_data().is_none_or(|data| data.unique);
        let is_left_over = |instance: &RscIdx| self.status.rsc(*instance).removed.is_some();
        if !self.is_undisturbed(clone) || (is_unique && resource.children.iter().any(is_left_over)) {
            return false;
        }
        let mut is_any_up = false;
        for &instance in &resource.children {
            match self.state(instance) {
                Some(State::Up(_)) => is_any_up = true,
                Some(State::Down) => {}
                None => return false,
            }
        }
        is_any_up
    }

    fn is_bundle_up(&self, root: RscIdx, bundle: &BundleData<'_>) -> bool {
        let is_up = |rsc: RscIdx| matches!(self.state(rsc), Some(State::Up(_)));
        self.is_undisturbed(root)
            && bundle.inner.is_none_or(|inner| self.is_clone_up(inner))
            && !bundle.replicas.is_empty()
            && bundle.replicas.iter().all(|replica| {
                let parts = [replica.ip, Some(replica.container), replica.remote, replica.child];
                parts.into_iter().flatten().all(is_up)
            })
    }

    /// The state of an instance: a primitive's, or that of all members of a group. `None`: it is not at rest.
    fn state(&self, rsc: RscIdx) -> Option<State> {
        let resource = self.status.rsc(rsc);
        if !self.is_undisturbed(rsc) {
            return None;
        }
        match &resource.kind {
            Kind::Primitive(primitive) => self.primitive_state(rsc, resource, primitive),
            Kind::Group(_) => {
                let first = self.state(*resource.children.first()?)?;
                resource.children[1..]
                    .iter()
                    .all(|&member| self.state(member) == Some(first))
                    .then_some(first)
            }
            Kind::Clone(_) | Kind::Bundle(_) => None,
        }
    }

    /// Whether it is managed, has not failed, and nothing is under way with it.
    fn is_undisturbed(&self, rsc: RscIdx) -> bool {
        let resource = self.status.rsc(rsc);
        let is_ours = matches!(resource.removed, None | Some(Removed::Instance))
            && resource.managed
            && self.placement.managed[rsc.i()]
            && !resource.maintenance
            && !resource.blocked
            && !self.placement.blocked[rsc.i()];
        is_ours
            && !self.disturbed[rsc.i()]
            && !resource.failed
            && !resource.stop_if_failed
            && !resource.start_pending
            && resource.pending.is_none()
            && resource.partial_migration.is_none()
            && resource.dangling_migrations.is_empty()
            && resource.shutdown_lock.is_none()
            && self.placement.locks[rsc.i()].is_none()
    }

    fn primitive_state(
        &self,
        rsc: RscIdx,
        resource: &Resource<'_>,
        primitive: &PrimitiveData<'_>,
    ) -> Option<State> {
        let (role, next_role) = (self.placement.role[rsc.i()], self.placement.next_role[rsc.i()]);
        if role != next_role {
            return None;
        }
        match (resource.running_on.as_slice(), self.placement.assigned[rsc.i()]) {
            ([], None) if role == Role::Stopped => {
                self.runs_recurring(rsc, resource, primitive, None).then_some(State::Down)
            }
            (&[node], Some(assigned))
                if node == assigned && role > Role::Stopped && resource.removed.is_none() =>
            {
                let is_settled = self.can_be_on(node)
                    && self.runs_recurring(rsc, resource, primitive, Some(node))
                    && self.is_unchanged(rsc, node);
                is_settled.then_some(State::Up(node))
            }
            _ => None,
        }
    }

    /// Whether a node is fit to run things, and will be.
    fn can_be_on(&self, node: NodeIdx) -> bool {
        let outlook = &self.placement.nodes[node.i()];
        let there = self.status.node(node);
        let is_host_up = match there.kind {
            NodeKind::Guest { container, .. } => {
                self.status.rsc(container).running_on.iter().all(|host| self.placement.nodes[host.i()].online)
            }
            _ => true,
        };
        is_host_up
            && outlook.online
            && !outlook.shutdown
            && there.online
            && !there.shutdown
            && !there.standby
            && !there.standby_on_fail
            && !there.maintenance
            && !there.pending
    }

    /// Whether just those recurring operations are active that should be.
    fn runs_recurring(
        &self,
        rsc: RscIdx,
        resource: &Resource<'_>,
        primitive: &PrimitiveData<'_>,
        on: Option<NodeIdx>,
    ) -> bool {
        let operations = &primitive.definition.operations;
        // Rules about operations say when to look again, of whatever is planned.
        if operations.iter().any(|operation| rules::are_in(&operation.meta)) {
            return false;
        }
        let begin = self.recurring.partition_point(|(other, _)| *other < rsc);
        let mut n_active = self.recurring[begin..].iter().take_while(|(other, _)| *other == rsc).count();
        let active = &self.recurring[begin..begin + n_active];
        let next_role = self.placement.next_role[rsc.i()];
        for wanted in recurring_operations(&primitive.definition) {
            if wanted.role == Some(Role::Stopped) {
                // Those are for where the resource is not.
                if resource.is_unique {
                    return false;
                }
            } else if let Some(node) = on.filter(|_| wanted.is_for(next_role)) {
                let is_it = |(_, early): &&(RscIdx, &EarlyAction)| is_recurring(early, &wanted, node);
                if !active.iter().any(|early| is_it(&early)) {
                    return false;
                }
                n_active = n_active.saturating_sub(active.iter().filter(is_it).count());
            }
        }
        n_active == 0
    }

    /// Whether the operations of the present run are still as they are configured.
    fn is_unchanged(&self, rsc: RscIdx, node: NodeIdx) -> bool {
        let histories = self.status.rsc(rsc).histories.iter().filter(|(there, _)| *there == node);
        let mut histories = histories.map(|(_, at)| &self.status.node(node).histories[*at as usize]);
        histories.all(|history| {
            let history = &history.history.operations;
            let is_verified = self.is_verified(rsc, history);
            debug_assert!(!is_verified || self.is_run_unchanged(rsc, node, history), "{rsc:?} on {node:?}");
            is_verified || self.is_run_unchanged(rsc, node, history)
        })
    }

    /// Whether all operations of a history are known to be as they are configured, those before the present run too: then it
    /// does not matter when that began.
    fn is_verified(&self, rsc: RscIdx, history: &[HistoryEntry]) -> bool {
        let resource = self.status.rsc(rsc);
        history.iter().all(|entry| {
            let is_wanted = entry.op.interval_ms == 0 || is_configured(resource, entry);
            entry.op.digest_restart.is_none()
                && (!is_looked_at(entry) || is_wanted && self.status.is_verified(rsc, entry))
        })
    }

    fn is_run_unchanged(&self, rsc: RscIdx, node: NodeIdx, history: &[HistoryEntry]) -> bool {
        let resource = self.status.rsc(rsc);
        let host = resource.container.and_then(|container| {
            self.placement.assigned[container.i()].or_else(|| self.status.current_node(container))
        });
        let host = host.map(|host| &self.status.node(host).name);
        let entries = in_order(history);
        let entries = since_last_start(&entries);
        entries.iter().all(|entry| {
            let is_wanted = entry.op.interval_ms == 0 || is_configured(resource, entry);
            let first = || self.status.first_compared(rsc, history, entries, entry);
            let change = || self.status.digest_change(rsc, node, entry, first(), host);
            !is_looked_at(entry) || is_wanted && change() == DigestChange::None
        })
    }

    /// Whether some node has to be asked whether the resource, or something it consists of, runs there.
    fn is_probed(&self, rsc: RscIdx) -> bool {
        let resource = self.status.rsc(rsc);
        match &resource.kind {
            Kind::Primitive(_) => {
                self.asked_of(rsc).any(|node| self.is_asked_about(rsc, node))
                    || self.is_probed_in_bundles(rsc)
            }
            Kind::Clone(clone) if !clone.unique => {
                let instances = &resource.children;
                self.asked_of(rsc).any(|node| self.is_any_asked_about(instances, node))
                    || instances.iter().any(|&instance| self.is_probed_in_bundles(instance))
            }
            Kind::Group(_) | Kind::Clone(_) => resource.children.iter().any(|&child| self.is_probed(child)),
            Kind::Bundle(bundle) => bundle.replicas.iter().any(|replica| {
                let parts = [replica.ip, Some(replica.container), replica.remote];
                let own_node = replica.child.zip(replica.node);
                own_node.is_some_and(|(child, node)| self.is_asked_about(child, node))
                    || parts.into_iter().flatten().any(|part| self.is_probed(part))
            }),
        }
    }

    /// Nodes, but for those inside bundles, on which it is not known what a resource does.
    fn asked_of(&self, rsc: RscIdx) -> impl Iterator<Item = NodeIdx> {
        let known = &self.status.rsc(rsc).known_on;
        self.asked.iter().filter(|node| !known.contains(*node))
    }

    /// Whether a node has to be asked about an anonymous clone: about the instance that it is known to have, or else any.
    fn is_any_asked_about(&self, instances: &[RscIdx], node: NodeIdx) -> bool {
        match instances.iter().find(|&&instance| is_known_on(self.status, instance, node)) {
            Some(&known) => self.is_asked_about(known, node),
            None => instances.iter().any(|&instance| self.is_asked_about(instance, node)),
        }
    }

    /// Whether some node inside a bundle has to be asked. Those are only where a location constraint says so.
    fn is_probed_in_bundles(&self, rsc: RscIdx) -> bool {
        let is_listed =
            |entry: &&Entry| entry.discovery != Discovery::Never && self.asked_bundles.contains(entry.node);
        let mut listed = self.placement.allowed[rsc.i()].iter().filter(is_listed);
        listed.any(|entry| self.is_asked_about(rsc, entry.node))
            || self.status.rsc(rsc).children.iter().any(|&child| self.is_probed_in_bundles(child))
    }

    fn is_asked_about(&self, rsc: RscIdx, node: NodeIdx) -> bool {
        let resource = self.status.rsc(rsc);
        match resource.kind {
            Kind::Primitive(_) => is_asked_about(self.status, self.placement, rsc, node),
            _ => resource.children.iter().any(|&child| self.is_asked_about(child, node)),
        }
    }
}

/// Whether it is that recurring operation on that node.
fn is_recurring(early: &EarlyAction, wanted: &Recurring<'_>, on: NodeIdx) -> bool {
    let EarlyAction::Recurring { node, task, interval, .. } = early else { return false };
    *node == on && *interval == wanted.interval && task == wanted.name
}
