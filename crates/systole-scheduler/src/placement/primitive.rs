//! Choosing the node of a primitive, and the order in which resources are assigned.

use super::{
    affinity::LONGEST_CHAIN,
    candidates::Candidates as _,
    table::{Entry, INFINITY},
    work::Assigner,
};
use crate::{
    NodeIdx, RscIdx,
    note::Cause,
    status::{Kind, NoQuorum, PlacementStrategy},
};
use std::collections::BTreeSet;
use systole_types::Role;

/// What becomes of a resource for which there is no node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnFailure {
    /// It will be stopped.
    Stop,
    /// Nothing yet: it will be tried again.
    Retry,
}

impl Assigner<'_, '_> {
    /// Assigns all resources: connections to remote nodes first, since what runs there depends on them.
    pub fn assign_all(&mut self) {
        if self.strategy() != PlacementStrategy::Default {
            self.sort_by_wishes();
        }
        self.show_capacities("Original");
        let order = self.order.clone();
        let (connections, others): (Vec<_>, Vec<_>) = order
            .into_iter()
            .partition(|rsc| self.st.rsc(*rsc).primitive().is_some_and(|data| data.is_remote_connection));
        for rsc in connections {
            let target = self.st.rsc(rsc).partial_migration.map(|(_, target)| target);
            self.assign_after_distant_primaries(rsc, target);
        }
        for rsc in others {
            self.assign_after_distant_primaries(rsc, None);
        }
        self.show_capacities("Remaining");
    }

    /// Assigns a resource. Primaries are assigned when a dependent asks for their place; those at the end of a very long
    /// chain are assigned beforehand, since the stack has an end.
    fn assign_after_distant_primaries(&mut self, rsc: RscIdx, prefer: Option<NodeIdx>) {
        let may_be_long = self.colocations.len() > LONGEST_CHAIN && !self.primaries(rsc).is_empty();
        let (order, longest) = if may_be_long { self.primaries_first(rsc) } else { (Vec::new(), 0) };
        if longest > LONGEST_CHAIN {
            for primary in order {
                self.assign(primary, None, OnFailure::Stop);
            }
        }
        self.assign(rsc, prefer, OnFailure::Stop);
    }

    /// Unassigned resources that `rsc` goes with, directly or not, each after its own primaries; and how long the longest
    /// chain is.
    fn primaries_first(&self, rsc: RscIdx) -> (Vec<RscIdx>, usize) {
        let mut order = Vec::new();
        let mut longest = 0;
        let mut met = BTreeSet::from([rsc]);
        let mut path = vec![(rsc, self.primaries(rsc))];
        while let Some((at, left)) = path.last_mut() {
            match left.pop() {
                Some(next) if met.insert(next) => {
                    let primaries = self.primaries(next);
                    path.push((next, primaries));
                    longest = longest.max(path.len());
                }
                Some(_) => {}
                None => {
                    order.push(*at);
                    path.pop();
                }
            }
        }
        order.pop();
        (order, longest)
    }

    fn primaries(&self, rsc: RscIdx) -> Vec<RscIdx> {
        let own = &self.rsc[rsc.i()];
        let of_members = own.children.iter().flat_map(|member| &self.rsc[member.i()].this_with);
        let all = own.this_with.iter().chain(of_members);
        let primaries = all.map(|index| self.colocations[*index as usize].primary);
        primaries.filter(|primary| self.rsc[primary.i()].unassigned).collect()
    }

    /// Chooses the node of a resource, or of all that it consists of. `prefer` is taken if it is as good as any.
    pub fn assign(&mut self, rsc: RscIdx, prefer: Option<NodeIdx>, on_failure: OnFailure) -> Option<NodeIdx> {
        match self.kind(rsc) {
            Kind::Primitive(_) => self.assign_primitive(rsc, prefer, on_failure),
            Kind::Group(_) => self.assign_group(rsc, prefer, on_failure),
            Kind::Clone(_) => self.assign_clone(rsc, prefer, on_failure),
            Kind::Bundle(_) => self.assign_bundle(rsc, prefer, on_failure),
        }
    }

    fn assign_primitive(
        &mut self,
        rsc: RscIdx,
        prefer: Option<NodeIdx>,
        on_failure: OnFailure,
    ) -> Option<NodeIdx> {
        if let Some(parent) = self.parent(rsc)
            && !self.rsc[parent.i()].assigning
        {
            self.assign(parent, prefer, on_failure);
        }
        if !self.rsc[rsc.i()].unassigned {
            return self.rsc[rsc.i()].assigned;
        }
        if self.rsc[rsc.i()].assigning {
            return None;
        }
        self.rsc[rsc.i()].assigning = true;
        self.apply_colocations(rsc);
        self.apply_role_limits(rsc);
        self.show_scores("pcmk__primitive_assign", rsc);
        if self.st.lacks_fencing() {
            self.rsc[rsc.i()].managed = false;
        }
        if !self.rsc[rsc.i()].managed {
            self.rsc[rsc.i()].next_role = self.rsc[rsc.i()].role;
            let current = self.current(rsc).map(|node| self.base_entry(node));
            self.settle(rsc, current, true, on_failure);
        } else if self.st.options.stop_all {
            self.settle(rsc, None, true, on_failure);
        } else {
            self.choose(rsc, prefer, on_failure);
        }
        self.rsc[rsc.i()].assigning = false;
        if self.st.rsc(rsc).primitive().is_some_and(|data| data.is_remote_connection) {
            self.update_remote_node(rsc);
        }
        self.rsc[rsc.i()].assigned
    }

    /// Colocations with and of a resource: musts first, so that as many as possible are kept.
    fn apply_colocations(&mut self, rsc: RscIdx) {
        let (this_with, with_this) = (self.this_with(rsc), self.with_this(rsc));
        for is_mandatory in [true, false] {
            for &index in &this_with {
                if self.colocations[index as usize].is_mandatory() == is_mandatory {
                    self.follow_primary(rsc, index);
                }
            }
            for &index in &with_this {
                if self.colocations[index as usize].is_mandatory() == is_mandatory {
                    self.add_wishes_of_dependent(rsc, index);
                }
            }
        }
    }

    /// Applies a colocation to its dependent, the primary being assigned first. One that can be done without is given
    /// up if it would leave no node.
    fn follow_primary(&mut self, rsc: RscIdx, index: u32) {
        let colocation = self.colocations[index as usize];
        let is_dispensable = colocation.dependent_role >= Role::Promoted
            || (-INFINITY < colocation.score && colocation.score < 0);
        let before = is_dispensable.then(|| self.tables[rsc.i()].clone());
        if self.rsc[colocation.primary.i()].unassigned {
            self.assign(colocation.primary, None, OnFailure::Stop);
        }
        let (told, n_reasons) = (self.before_colocation(rsc), self.n_reasons());
        self.apply_to_dependent(rsc, colocation.primary, &colocation);
        self.because_of_colocation(rsc, told, &colocation);
        if let Some(before) = before
            && !self.any_usable(&self.tables[rsc.i()])
        {
            self.tables[rsc.i()] = before;
            self.forget_reasons(rsc, n_reasons);
        }
    }

    /// `target-role=Stopped`, and no role above the present one without quorum under `no-quorum-policy=freeze`.
    fn apply_role_limits(&mut self, rsc: RscIdx) {
        let state = &self.rsc[rsc.i()];
        if state.next_role == Role::Stopped {
            self.ban_everywhere(rsc);
            self.because(rsc, None, -INFINITY, None, |work| {
                Cause::ToBeStopped(work.st.rsc(rsc).next_role_reason.unwrap_or("target-role"))
            });
        } else if state.next_role > state.role
            && !self.st.has_quorum
            && self.st.options.no_quorum == NoQuorum::Freeze
        {
            self.rsc[rsc.i()].next_role = state.role;
        }
    }

    /// Chooses the best node of a resource's table: the preferred one if none is better, and where it runs if that is
    /// as good.
    fn choose(&mut self, rsc: RscIdx, prefer: Option<NodeIdx>, on_failure: OnFailure) {
        let roomiest = self.ban_full_nodes(rsc);
        let prefer = prefer.or(roomiest);
        if !self.rsc[rsc.i()].unassigned {
            return;
        }
        let current = self.current(rsc);
        let table = &self.tables[rsc.i()];
        let Some(best) = self.best_candidate(table, current) else {
            return self.settle(rsc, None, false, on_failure);
        };
        let preferred = prefer
            .and_then(|node| table.get(node).copied())
            .filter(|entry| entry.score >= best.score && self.is_usable(entry));
        let chosen = preferred.unwrap_or_else(|| self.best_or_current(rsc, best, current));
        self.settle(rsc, Some(chosen), false, on_failure);
    }

    fn best_or_current(&self, rsc: RscIdx, best: Entry, current: Option<NodeIdx>) -> Entry {
        let is_unique_instance = self
            .parent(rsc)
            .is_some_and(|parent| self.st.rsc(parent).clone_data().is_some_and(|clone| clone.unique));
        // An instance of a unique clone that gets here is a spare one: instances that can stay have been assigned.
        if is_unique_instance || best.score <= 0 || !self.is_available(best.node) {
            return best;
        }
        current
            .filter(|node| self.is_usable(&self.base_entry(*node)))
            .and_then(|node| self.tables[rsc.i()].get(node))
            .filter(|entry| entry.score == best.score)
            .copied()
            .unwrap_or(best)
    }

    /// Writes down where a resource (or each member) goes. Unless `force`d, a node that cannot take it is refused.
    pub fn settle(&mut self, rsc: RscIdx, to: Option<Entry>, force: bool, on_failure: OnFailure) {
        if self.has_children(rsc) {
            for child in self.rsc[rsc.i()].children.clone() {
                self.settle(child, to, force, on_failure);
            }
            return;
        }
        let is_refused = |entry: &Entry| {
            !force
                && (entry.score < 0
                    || !(self.is_available(entry.node) || self.st.node(entry.node).is_guest()))
        };
        let to = to.filter(|entry| !is_refused(entry));
        self.unassign(rsc);
        self.rsc[rsc.i()].unassigned = false;
        match to {
            None => {
                if on_failure == OnFailure::Stop {
                    self.rsc[rsc.i()].next_role = Role::Stopped;
                    self.rsc[rsc.i()].given_up = true;
                }
            }
            Some(entry) => {
                self.rsc[rsc.i()].assigned = Some(entry.node);
                self.rsc[rsc.i()].assigned_score = entry.score;
                self.nodes[entry.node.i()].n_assigned += 1;
                self.consume(entry.node, rsc);
                self.show_utilization(entry.node, rsc);
            }
        }
    }

    /// Takes back where a resource (or each member) was to go.
    pub fn unassign(&mut self, rsc: RscIdx) {
        self.rsc[rsc.i()].unassigned = true;
        if self.has_children(rsc) {
            for child in self.rsc[rsc.i()].children.clone() {
                self.unassign(child);
            }
        } else if let Some(node) = self.rsc[rsc.i()].assigned.take() {
            self.nodes[node.i()].n_assigned -= 1;
            self.release(node, rsc);
        }
    }

    /// A remote node comes up with its connection, and goes with it.
    fn update_remote_node(&mut self, connection: RscIdx) {
        let Some(node) = self.st.rsc(connection).remote_node else { return };
        let state = &self.rsc[connection.i()];
        let is_up = state.assigned.is_some() && state.next_role != Role::Stopped;
        // The connection will show how it is; no need to fence it before.
        let will_be_seen = self.st.node(node).unseen;
        self.nodes[node.i()].change(|node| {
            if is_up {
                node.online = true;
                node.unclean &= !will_be_seen;
            } else {
                node.shutdown = true;
            }
        });
    }
}
