//! Utilization: nodes with capacities, resources that use them up.
//!
//! Source: Pacemaker Explained, "Utilization and Placement Strategy".

use super::{
    Detail, ScoreLine,
    affinity::LONGEST_CHAIN,
    candidates::Candidates as _,
    instances::merge_sort,
    table::{Entry, INFINITY, NodeTable},
    work::Assigner,
};
use crate::{
    NodeIdx, RscIdx,
    note::Cause,
    status::{Kind, PlacementStrategy},
};
use std::{cmp::Ordering, collections::BTreeMap, sync::Arc};

/// Amounts by name. A name that is missing counts 0.
pub(super) type Capacities = BTreeMap<Arc<str>, i64>;

impl Assigner<'_, '_> {
    pub fn consume(&mut self, node: NodeIdx, rsc: RscIdx) {
        self.change_capacity(node, rsc, -1);
    }

    pub fn release(&mut self, node: NodeIdx, rsc: RscIdx) {
        self.change_capacity(node, rsc, 1);
    }

    /// Where capacity decides nothing it is counted only to be shown.
    fn change_capacity(&mut self, node: NodeIdx, rsc: RscIdx, sign: i64) {
        if self.strategy() == PlacementStrategy::Default && self.detail < Detail::Scores {
            return;
        }
        for (name, amount) in self.utilization(rsc) {
            let free = self.nodes[node.i()].free.entry(name).or_default();
            *free = free
                .saturating_add(amount.saturating_mul(sign))
                .clamp(i64::from(i32::MIN), i64::from(i32::MAX));
        }
    }

    /// Writes down what nodes have to give, if anyone wants to know. Bundle nodes have nothing of their own.
    pub fn show_capacities(&mut self, when: &'static str) {
        if self.detail < Detail::Scores {
            return;
        }
        let nodes = self.st.nodes_by_name.iter().copied().filter(|node| !self.st.node(*node).is_bundle());
        let line = |node: NodeIdx| {
            let amounts = self.nodes[node.i()].free.clone();
            ScoreLine::Capacity { when, node, amounts }
        };
        let lines: Vec<ScoreLine> = nodes.map(line).collect();
        self.scores.extend(lines);
    }

    /// Writes down what a resource takes of a node, if anyone wants to know.
    pub fn show_utilization(&mut self, node: NodeIdx, rsc: RscIdx) {
        if self.detail >= Detail::Scores {
            let amounts = self.utilization(rsc);
            self.scores.push(ScoreLine::Utilization { resource: rsc, node, amounts });
        }
    }

    fn utilization(&self, rsc: RscIdx) -> Capacities {
        self.st.rsc(rsc).primitive().map(|data| data.utilization.clone()).unwrap_or_default()
    }

    /// Bans a resource from nodes without capacity for it and all that goes with it; if there is no node for all, from
    /// those without capacity for itself. Returns the node with most free capacity in the latter case.
    pub fn ban_full_nodes(&mut self, rsc: RscIdx) -> Option<NodeIdx> {
        if self.strategy() == PlacementStrategy::Default {
            return None;
        }
        let mut together = Vec::new();
        self.collect_colocated(rsc, rsc, 0, &mut together);
        let mut needed = Capacities::new();
        // Latest found first, as the sums of collectives depend on what else is in the list.
        together.reverse();
        for &other in &together {
            self.add_utilization(other, &together, &mut needed);
        }
        let fits = |work: &Self, node: NodeIdx, needed: &Capacities| {
            needed
                .iter()
                .all(|(name, amount)| *amount <= work.nodes[node.i()].free.get(name).copied().unwrap_or(0))
        };
        let entries: Vec<_> = self.tables[rsc.i()].iter().copied().collect();
        let candidates = self.as_come_across(&entries).into_iter().filter(|entry| self.is_usable(entry));
        let candidates: Vec<NodeIdx> = candidates.map(|entry| entry.node).collect();
        let any_fits = candidates.iter().any(|node| fits(self, *node, &needed));
        let needed = if any_fits { needed } else { self.utilization(rsc) };
        let roomier = |a: NodeIdx, b: NodeIdx| if self.compare_capacities(b, a).is_lt() { b } else { a };
        let roomiest = candidates.iter().copied().reduce(roomier);
        for node in candidates {
            if !fits(self, node, &needed) {
                self.prefer(rsc, node, -INFINITY);
                self.because(rsc, Some(node), -INFINITY, None, |work| work.lack(node, &needed));
            }
        }
        roomiest.filter(|_| !any_fits)
    }

    /// The first thing a node has not enough left of.
    fn lack(&self, node: NodeIdx, needed: &Capacities) -> Cause {
        let free = |name: &Arc<str>| self.nodes[node.i()].free.get(name).copied().unwrap_or(0);
        let lacking = needed.iter().find(|(name, amount)| **amount > free(name));
        let (name, needed) = lacking.expect("a node that has all is not ruled out");
        Cause::Capacity { name: name.clone(), needed: *needed, free: free(name) }
    }

    /// Resources that have to be where `rsc` is, by any chain of mandatory colocations.
    fn collect_colocated(&self, rsc: RscIdx, start: RscIdx, depth: usize, found: &mut Vec<RscIdx>) {
        if found.contains(&rsc) || depth >= LONGEST_CHAIN {
            return;
        }
        if let Kind::Group(group) = self.kind(rsc) {
            let is_cloned = self.parent(rsc).is_some_and(|parent| self.st.rsc(parent).is_clone());
            if group.colocated || is_cloned {
                found.push(rsc);
                for member in &self.rsc[rsc.i()].children {
                    self.collect_colocated(*member, start, depth + 1, found);
                }
                return;
            }
        }
        found.push(rsc);
        for index in self.this_with(rsc) {
            let colocation = &self.colocations[index as usize];
            if colocation.primary != start && self.would_bind(rsc, colocation.primary, colocation) {
                self.collect_colocated(colocation.primary, start, depth + 1, found);
            }
        }
        for index in self.with_this(rsc) {
            let colocation = &self.colocations[index as usize];
            let dependent = colocation.dependent;
            // Which instance a dependent will be with is not known yet.
            let is_unsure = self.st.rsc(rsc).is_clone() && !self.st.rsc(dependent).is_clone();
            if dependent != start && !is_unsure && self.would_bind(dependent, rsc, colocation) {
                self.collect_colocated(dependent, start, depth + 1, found);
            }
        }
    }

    /// Adds what a resource will use, unless it has been assigned and counted.
    fn add_utilization(&self, rsc: RscIdx, together: &[RscIdx], sum: &mut Capacities) {
        if !self.rsc[rsc.i()].unassigned {
            return;
        }
        let children = &self.rsc[rsc.i()].children;
        match self.kind(rsc) {
            Kind::Primitive(data) => {
                for (name, amount) in &data.utilization {
                    let total = sum.entry(name.clone()).or_default();
                    *total = total.saturating_add(*amount);
                }
            }
            Kind::Group(group) => {
                let is_cloned = self.parent(rsc).is_some_and(|parent| self.st.rsc(parent).is_clone());
                let n_counted = if group.colocated || is_cloned { children.len() } else { 1 };
                for member in children.iter().take(n_counted) {
                    if self.rsc[member.i()].unassigned && !together.contains(member) {
                        self.add_utilization(*member, together, sum);
                    }
                }
            }
            Kind::Clone(_) => {
                let mut is_counted = false;
                for child in children {
                    if together.contains(child) {
                        is_counted = true;
                    } else if self.rsc[child.i()].children.iter().any(|member| together.contains(member)) {
                        self.add_utilization(*child, together, sum);
                        is_counted = true;
                    }
                }
                if let (false, Some(first)) = (is_counted, children.first()) {
                    self.add_utilization(*first, together, sum);
                }
            }
            Kind::Bundle(bundle) => {
                if let Some(first) = bundle.replicas.first() {
                    self.add_utilization(first.container, together, sum);
                }
            }
        }
    }

    /// Where a resource is; of a bundle, where its first container is.
    fn place(&self, rsc: RscIdx) -> Option<NodeIdx> {
        match self.kind(rsc) {
            Kind::Bundle(bundle) => {
                bundle.replicas.iter().find_map(|replica| self.current(replica.container))
            }
            _ => self.current(rsc),
        }
    }

    /// Puts resources in the order in which capacity is given out: by priority, then by how much they want to be where
    /// they are, then by how much they want to be on the best nodes.
    pub fn sort_by_wishes(&mut self) {
        let mut nodes: Vec<Entry> =
            (0..self.nodes.len()).map(|node| self.base_entry(NodeIdx::new(node))).collect();
        nodes.sort_by_key(|entry| self.name_rank[entry.node.i()]);
        // Free capacities of several kinds may contradict each other.
        let nodes = merge_sort(nodes, &|a, b| self.compare_candidates(a, b, None));
        let wishes: Vec<(RscIdx, NodeTable)> =
            self.order.clone().into_iter().map(|rsc| (rsc, self.own_wishes(rsc))).collect();
        let compare = |a: &usize, b: &usize| {
            let ((a, wishes_a), (b, wishes_b)) = (&wishes[*a], &wishes[*b]);
            let priority = |rsc: &RscIdx| self.rsc[rsc.i()].priority;
            let score = |wishes: &NodeTable, node: Option<NodeIdx>| {
                node.and_then(|node| wishes.score(node)).unwrap_or(-INFINITY)
            };
            let by_place = || score(wishes_b, self.place(*b)).cmp(&score(wishes_a, self.place(*a)));
            let by_node =
                |entry: &Entry| score(wishes_b, Some(entry.node)).cmp(&score(wishes_a, Some(entry.node)));
            priority(b).cmp(&priority(a)).then_with(by_place).then_with(|| {
                nodes.iter().map(by_node).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
            })
        };
        let sorted = merge_sort((0..wishes.len()).collect(), &compare);
        self.order = sorted.into_iter().map(|i| wishes[i].0).collect();
    }
}
