//! Clones, and whatever else has instances: how instances are spread over nodes.
//!
//! As many instances as possible stay where they are, in order of how well they are placed; the rest go to the best
//! nodes left. No node gets more than its fair share early on.
//!
//! Source: Pacemaker Explained, "Clones", "Clone Stickiness".

use super::{
    affinity::{Wishes, factor_of},
    candidates::Candidates as _,
    colocation::Colocation,
    primitive::OnFailure,
    table::{INFINITY, NodeTable},
    work::Assigner,
};
use crate::{NodeIdx, RscIdx, note::Cause, status::Kind};
use std::cmp::Ordering;
use systole_types::Role;

/// By what an instance counts as being on a node.
#[derive(Clone, Copy, Debug)]
pub(super) enum Match {
    /// It is on that very node.
    Node,
    /// Its node has the same value of an attribute; `None`: the name, which for what sees hosts is the host's.
    Value(Option<u32>),
}

impl<'s> Assigner<'s, '_> {
    pub(super) fn assign_clone(
        &mut self,
        rsc: RscIdx,
        prefer: Option<NodeIdx>,
        on_failure: OnFailure,
    ) -> Option<NodeIdx> {
        if !self.rsc[rsc.i()].unassigned || self.rsc[rsc.i()].assigning {
            return None;
        }
        let Kind::Clone(clone) = self.kind(rsc) else { return None };
        let (max, node_max) = (clone.max, clone.node_max);
        self.rsc[rsc.i()].assigning = true;
        let is_promotable = self.st.rsc(rsc).is_promotable;
        if is_promotable {
            self.add_promotion_scores(rsc);
        }
        for index in self.this_with(rsc) {
            self.assign(self.colocations[index as usize].primary, prefer, on_failure);
        }
        for index in self.with_this(rsc) {
            self.add_wishes_of_dependent(rsc, index);
        }
        self.show_scores("pcmk__clone_assign", rsc);
        let instances = self.sort_instances(self.rsc[rsc.i()].children.clone());
        self.rsc[rsc.i()].children = instances.clone();
        self.assign_instances(rsc, &instances, max, node_max);
        if is_promotable {
            self.choose_roles(rsc);
        }
        self.rsc[rsc.i()].unassigned = false;
        self.rsc[rsc.i()].assigning = false;
        None
    }

    /// Spreads up to `max` instances over the nodes of a collective's table, at most `node_max` on each.
    pub fn assign_instances(&mut self, collective: RscIdx, instances: &[RscIdx], max: u32, node_max: u32) {
        let mut n_available = 0;
        let mut table = std::mem::take(&mut self.tables[collective.i()]);
        for entry in table.iter_mut() {
            entry.count = 0;
            n_available += u32::from(self.is_available(entry.node));
        }
        self.tables[collective.i()] = table;
        let fair_share = max.checked_div(n_available).unwrap_or(0).max(1);

        let mut n_assigned = 0;
        for &instance in instances {
            if n_assigned >= max {
                break;
            }
            if let Some(current) = self.node_to_stay_on(instance, fair_share)
                && self.assign_to_current(instance, current, node_max, max - n_assigned)
            {
                n_assigned += 1;
            }
        }
        for &instance in instances {
            if !self.rsc[instance.i()].unassigned {
                continue;
            }
            if n_assigned >= max {
                self.ban_everywhere(instance);
                self.because(instance, None, -INFINITY, None, |_| Cause::EnoughInstances);
            } else if self.assign_instance(instance, None, node_max).is_some() {
                n_assigned += 1;
            }
        }
    }

    /// The node where an instance runs, if it is well there and the node has not got its share yet.
    fn node_to_stay_on(&self, instance: RscIdx, fair_share: u32) -> Option<NodeIdx> {
        let is_well = self.rsc[instance.i()].unassigned && !self.rsc[instance.i()].failed;
        let node = self.current(instance).filter(|_| is_well)?;
        let has_room = self.parent_entry(instance, node).is_none_or(|entry| entry.count < fair_share);
        (has_room && self.is_usable(&self.base_entry(node))).then_some(node)
    }

    /// Tries to leave an instance where it is.
    ///
    /// If another node is better, one place there is taken as given away, and it is tried again: so instances are spread
    /// as preferences ask for, but as few as possible change places.
    fn assign_to_current(&mut self, instance: RscIdx, current: NodeIdx, node_max: u32, n_left: u32) -> bool {
        let parent = self.parent(instance).unwrap_or(instance);
        if !self.tables[instance.i()].get(current).is_some_and(|entry| self.is_usable(entry)) {
            return false;
        }
        let parent_before = self.tables[parent.i()].clone();
        let before = self.save_tables(instance);
        let n_reasons = self.n_reasons();
        let mut stays = false;
        for _ in 0..n_left {
            let chosen = self.assign_instance(instance, Some(current), node_max);
            if chosen == Some(current) {
                stays = true;
                break;
            }
            self.restore_tables(&before);
            self.forget_reasons(instance, n_reasons);
            if chosen.is_none() {
                self.rsc[instance.i()].unassigned = true;
                break;
            }
            self.unassign(instance);
        }
        self.tables[parent.i()] = parent_before;
        if stays {
            self.count_instance(instance, current);
        }
        stays
    }

    fn save_tables(&self, rsc: RscIdx) -> Vec<(RscIdx, NodeTable)> {
        let mut saved = vec![(rsc, self.tables[rsc.i()].clone())];
        for child in &self.rsc[rsc.i()].children {
            saved.extend(self.save_tables(*child));
        }
        saved
    }

    fn restore_tables(&mut self, saved: &[(RscIdx, NodeTable)]) {
        for (rsc, table) in saved {
            self.tables[rsc.i()].clone_from(table);
        }
    }

    /// Assigns one instance; with a preferred node, in a way that can be taken back.
    fn assign_instance(
        &mut self,
        instance: RscIdx,
        prefer: Option<NodeIdx>,
        node_max: u32,
    ) -> Option<NodeIdx> {
        if self.rsc[instance.i()].assigning {
            return None;
        }
        self.ban_from_full_nodes(instance, node_max);
        let on_failure = if prefer.is_some() { OnFailure::Retry } else { OnFailure::Stop };
        let chosen = self.assign(instance, prefer, on_failure);
        if let Some(node) = chosen {
            self.count_instance(instance, node);
        }
        chosen
    }

    fn count_instance(&mut self, instance: RscIdx, node: NodeIdx) {
        let parent = self.parent(instance).unwrap_or(instance);
        if let Some(entry) = self.tables[parent.i()].get_mut(node) {
            entry.count += 1;
        }
    }

    /// Bans an instance (and its members) from nodes that cannot take another.
    fn ban_from_full_nodes(&mut self, instance: RscIdx, node_max: u32) {
        let is_removed = self.st.rsc(instance).removed.is_some();
        let mut table = std::mem::take(&mut self.tables[instance.i()]);
        let mut full = Vec::new();
        for entry in table.iter_mut() {
            let can_take = !is_removed
                && self.is_available(entry.node)
                && self
                    .parent_entry(instance, entry.node)
                    .is_some_and(|parent| parent.score >= 0 && parent.count < node_max);
            if !can_take {
                entry.score = -INFINITY;
                full.push(entry.node);
            }
        }
        self.tables[instance.i()] = table;
        for node in full.iter().filter(|_| self.keeps_reasons()).copied().collect::<Vec<_>>() {
            let is_full = self.parent_entry(instance, node).is_some_and(|entry| entry.count >= node_max);
            if is_full {
                self.because(instance, Some(node), -INFINITY, None, |_| Cause::NodeFull);
            }
        }
        for child in self.rsc[instance.i()].children.clone() {
            for node in &full {
                if let Some(entry) = self.tables[child.i()].get_mut(*node) {
                    entry.score = -INFINITY;
                }
            }
        }
    }

    // The order of instances

    /// Instances in the order in which they may stay where they are.
    pub fn sort_instances(&mut self, instances: Vec<RscIdx>) -> Vec<RscIdx> {
        let ranked = self.with_colocated_scores(instances);
        merge_sort(ranked, &|a, b| self.compare_instances(*a, *b))
            .into_iter()
            .map(|(instance, _)| instance)
            .collect()
    }

    /// With each instance what colocations make of the node it runs on; 0 where there are none.
    pub fn with_colocated_scores(&mut self, instances: Vec<RscIdx>) -> Vec<(RscIdx, i32)> {
        instances.into_iter().map(|instance| (instance, self.colocated_score(instance))).collect()
    }

    fn colocated_score(&mut self, instance: RscIdx) -> i32 {
        let Some(node) = self.current(instance) else { return 0 };
        let (this_with, with_this) = (self.this_with(instance), self.with_this(instance));
        let entry = self.base_entry(node);
        if this_with.is_empty() && with_this.is_empty() {
            return entry.score;
        }
        let mut table: NodeTable = [entry].into_iter().collect();
        for index in this_with {
            let colocation = self.colocations[index as usize];
            let wishes = Wishes { of_primaries: false, only_if_possible: false, only_positive: false };
            self.add_wishes(
                colocation.primary,
                instance,
                &mut table,
                &colocation,
                factor_of(colocation.score),
                wishes,
            );
        }
        for index in with_this {
            let colocation = self.colocations[index as usize];
            if self.has_influence(&colocation, instance) {
                let wishes = Wishes { of_primaries: false, only_if_possible: false, only_positive: true };
                let factor = factor_of(colocation.score);
                self.add_wishes(colocation.dependent, instance, &mut table, &colocation, factor, wishes);
            }
        }
        table.score(node).unwrap_or_default()
    }

    /// Which of two instances goes first: less multiply active, on an allowed node, of higher priority, active, on a node
    /// that can run something, with fewer others on it, not failed, better colocated, of lower number.
    pub fn compare_instances(&self, (a, score_a): (RscIdx, i32), (b, score_b): (RscIdx, i32)) -> Ordering {
        let n_active = |rsc: RscIdx| self.fixed[rsc.i()].active.len();
        if n_active(a) > 0 && n_active(b) > 0 && n_active(a) != n_active(b) {
            return n_active(a).cmp(&n_active(b));
        }
        let allowed = |rsc: RscIdx| match self.current(rsc) {
            None => (true, None),
            Some(node) if self.tables[rsc.i()].score(node).is_some_and(|score| score >= 0) => {
                (true, Some(node))
            }
            Some(_) => (false, None),
        };
        let ((can_a, node_a), (can_b, node_b)) = (allowed(a), allowed(b));
        let priority = |rsc: RscIdx| self.rsc[rsc.i()].priority;
        let order = can_b.cmp(&can_a).then_with(|| priority(b).cmp(&priority(a)));
        if order.is_ne() {
            return order;
        }
        let (node_a, node_b) = match (node_a, node_b) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Greater,
            (Some(_), None) => return Ordering::Less,
            (Some(node_a), Some(node_b)) => (node_a, node_b),
        };
        let order = self.is_available(node_b).cmp(&self.is_available(node_a));
        if order.is_ne() {
            return order;
        }
        let (entry_a, entry_b) = match (self.parent_entry(a, node_a), self.parent_entry(b, node_b)) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Greater,
            (Some(_), None) => return Ordering::Less,
            (Some(entry_a), Some(entry_b)) => (entry_a, entry_b),
        };
        let failed = |rsc: RscIdx| self.any_member(rsc, &|work, rsc| work.rsc[rsc.i()].failed);
        entry_a
            .count
            .cmp(&entry_b.count)
            .then_with(|| failed(a).cmp(&failed(b)))
            .then_with(|| score_b.cmp(&score_a))
            .then_with(|| self.instance_number(a).cmp(&self.instance_number(b)))
    }

    /// What follows the last `:` (or, of bundles, `-`) of an instance's name.
    fn instance_number(&self, rsc: RscIdx) -> u64 {
        let name = self.st.rsc(rsc).id.as_str();
        let number = name.rsplit_once(':').or_else(|| name.rsplit_once('-')).map_or("", |(_, number)| number);
        number.parse().unwrap_or(0)
    }

    // Clones as primaries

    pub(super) fn apply_from_clone(
        &mut self,
        dependent: RscIdx,
        clone: RscIdx,
        colocation: &Colocation<'s>,
    ) -> i32 {
        if self.rsc[clone.i()].unassigned {
            return 0;
        }
        if self.st.rsc(clone).is_promotable && colocation.primary_role != Role::Unknown {
            if self.rsc[dependent.i()].unassigned {
                self.apply_from_roles(dependent, clone, colocation);
                return 0;
            }
            if colocation.dependent_role == Role::Promoted {
                return self.apply_roles_to_priority(dependent, clone, colocation);
            }
        }
        if self.can_interleave(colocation) {
            return self.apply_interleaved(dependent, clone, colocation);
        }
        let instances = self.rsc[clone.i()].children.clone();
        if colocation.score >= INFINITY {
            let nodes: Vec<(NodeIdx, i32)> = instances
                .into_iter()
                .filter(|instance| !self.is_blocked(*instance))
                .filter_map(|instance| Some((self.assigned_node(instance)?, self.assigned_score(instance))))
                .collect();
            self.restrict_to(dependent, &nodes, false);
            return 0;
        }
        let mut change = 0;
        for instance in instances {
            let more = self.apply_from_primary(dependent, instance, colocation);
            change = super::table::add(change, more);
        }
        change
    }

    fn apply_interleaved(&mut self, dependent: RscIdx, clone: RscIdx, colocation: &Colocation<'s>) -> i32 {
        match self.compatible_instance(dependent, clone, Role::Unknown, Match::Node) {
            Some(instance) => self.apply_to_dependent(dependent, instance, colocation),
            None => {
                if colocation.score >= INFINITY {
                    self.settle(dependent, None, true, OnFailure::Stop);
                }
                0
            }
        }
    }

    /// Instances of two clones (or bundles) are paired if the dependent asks for it, and both have as many on a node.
    fn can_interleave(&self, colocation: &Colocation<'_>) -> bool {
        let per_node = |rsc: RscIdx| match self.kind(rsc) {
            Kind::Clone(clone) => clone.node_max,
            Kind::Bundle(bundle) => bundle.per_host,
            Kind::Primitive(_) | Kind::Group(_) => 1,
        };
        self.st.rsc(colocation.dependent).interleaves()
            && per_node(colocation.dependent) == per_node(colocation.primary)
    }

    /// The instance of a collective that is where `rsc` will be; if that is open, on the best node allowed to it.
    pub fn compatible_instance(
        &self,
        rsc: RscIdx,
        collective: RscIdx,
        role: Role,
        by: Match,
    ) -> Option<RscIdx> {
        let instances = self.instances_of(collective);
        let on = |node: NodeIdx| {
            instances.iter().copied().find(|instance| self.instance_matches(*instance, node, role, by))
        };
        match self.assigned_node(rsc) {
            Some(node) => on(node),
            None => {
                let candidates = self.sorted_candidates(&self.tables[rsc.i()], None);
                candidates.into_iter().find_map(|entry| on(entry.node))
            }
        }
    }

    fn instances_of(&self, collective: RscIdx) -> Vec<RscIdx> {
        match self.kind(collective) {
            Kind::Bundle(bundle) => bundle.replicas.iter().map(|replica| replica.container).collect(),
            _ => self.rsc[collective.i()].children.clone(),
        }
    }

    /// Whether an instance will be on a node (or one that counts as it), in a role, and able to run.
    pub fn instance_matches(&self, instance: RscIdx, node: NodeIdx, role: Role, by: Match) -> bool {
        if (role != Role::Unknown && role != self.next_role(instance)) || self.is_blocked(instance) {
            return false;
        }
        self.assigned_node(instance).is_some_and(|place| match by {
            Match::Node => place == node,
            Match::Value(attribute) => {
                self.place_value(place, attribute, instance) == self.place_value(node, attribute, instance)
            }
        })
    }
}

/// A stable sort that minds neither equal elements nor an order that contradicts itself; the reference implementation's
/// orders of instances sometimes do, and what comes out then depends on how the list is halved.
pub(super) fn merge_sort<T: Copy>(list: Vec<T>, compare: &dyn Fn(&T, &T) -> Ordering) -> Vec<T> {
    if list.len() < 2 {
        return list;
    }
    let (first, second) = list.split_at(list.len() / 2);
    let (first, second) = (merge_sort(first.to_vec(), compare), merge_sort(second.to_vec(), compare));
    let (mut i, mut j) = (0, 0);
    let mut merged = Vec::with_capacity(list.len());
    while i < first.len() && j < second.len() {
        if compare(&first[i], &second[j]).is_le() {
            merged.push(first[i]);
            i += 1;
        } else {
            merged.push(second[j]);
            j += 1;
        }
    }
    merged.extend_from_slice(&first[i..]);
    merged.extend_from_slice(&second[j..]);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_sort_is_stable(list in proptest::collection::vec((0_u8..5, 0_u8..100), 0..40)) {
            let mut expected = list.clone();
            expected.sort_by_key(|(key, _)| *key);
            prop_assert_eq!(merge_sort(list, &|a, b| a.0.cmp(&b.0)), expected);
        }
    }
}
