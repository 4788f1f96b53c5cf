//! Which of several nodes a resource is best off on.
//!
//! Source: Pacemaker Explained, "Utilization and Placement Strategy" and "How Pacemaker Decides Where to Place a Resource".

use super::{
    Placement,
    hash_order::hash_order,
    instances::merge_sort,
    table::{Entry, INFINITY, NodeTable},
    utilization::Capacities,
};
use crate::{NodeIdx, RscIdx, Status, status::PlacementStrategy};
use std::{cmp::Ordering, collections::BTreeSet, sync::Arc};

/// Nodes, with what decides between two of them.
pub(super) trait Candidates {
    fn strategy(&self) -> PlacementStrategy;

    /// Whether resources may run on a node, as far as the node goes.
    fn is_available(&self, node: NodeIdx) -> bool;

    /// What a node has left to give.
    fn free(&self, node: NodeIdx) -> &Capacities;

    /// How many resources were assigned to a node.
    fn n_assigned(&self, node: NodeIdx) -> u32;

    /// Where a node stands among all, by name.
    fn name_rank(&self, node: NodeIdx) -> u32;

    fn uuid(&self, node: NodeIdx) -> &str;

    /// Fewer than zero names of which `a` has more than `b` come first: which of two nodes has more free capacity.
    fn compare_capacities(&self, a: NodeIdx, b: NodeIdx) -> Ordering {
        let (a, b) = (self.free(a), self.free(b));
        let names: BTreeSet<&Arc<str>> = a.keys().chain(b.keys()).collect();
        let amount = |of: &Capacities, name: &Arc<str>| of.get(name).copied().unwrap_or(0);
        let balance: i32 = names.into_iter().map(|name| amount(b, name).cmp(&amount(a, name)) as i32).sum();
        balance.cmp(&0)
    }

    /// A candidate's score, as far as the node can run anything.
    fn score_there(&self, entry: &Entry) -> i32 {
        if self.is_available(entry.node) { entry.score } else { -INFINITY }
    }

    /// Which of two candidates comes first: better score, then (as the strategy says) more free capacity, fewer
    /// resources, the preferred node, and at last the name.
    fn compare_candidates(&self, a: &Entry, b: &Entry, preferred: Option<NodeIdx>) -> Ordering {
        let by_name = || self.name_rank(a.node).cmp(&self.name_rank(b.node));
        let by_score = self.score_there(b).cmp(&self.score_there(a));
        if by_score.is_ne() {
            return by_score;
        }
        if self.strategy() == PlacementStrategy::Minimal {
            return by_name();
        }
        if self.strategy() == PlacementStrategy::Balanced {
            let by_capacity = self.compare_capacities(a.node, b.node);
            if by_capacity.is_ne() {
                return by_capacity;
            }
        }
        let is_preferred = |entry: &Entry| preferred == Some(entry.node);
        self.n_assigned(a.node)
            .cmp(&self.n_assigned(b.node))
            .then_with(|| is_preferred(b).cmp(&is_preferred(a)))
            .then_with(by_name)
    }

    /// A table's nodes, best first.
    fn sorted_candidates(&self, table: &NodeTable, preferred: Option<NodeIdx>) -> Vec<Entry> {
        let mut entries: Vec<Entry> = table.iter().copied().collect();
        if self.strategy() == PlacementStrategy::Balanced {
            let mut found = self.as_come_across(&entries);
            found.reverse();
            return merge_sort(found, &|a, b| self.compare_candidates(a, b, preferred));
        }
        entries.sort_by(|a, b| self.compare_candidates(a, b, preferred));
        entries
    }

    /// The best of a table's nodes.
    fn best_candidate(&self, table: &NodeTable, preferred: Option<NodeIdx>) -> Option<Entry> {
        if self.strategy() == PlacementStrategy::Balanced {
            return self.sorted_candidates(table, preferred).into_iter().next();
        }
        // Only those of the best score need a closer look.
        let best = table.iter().map(|entry| self.score_there(entry)).max()?;
        let best = table.iter().filter(|entry| self.score_there(entry) == best);
        best.copied().min_by(|a, b| self.compare_candidates(a, b, preferred))
    }

    /// Entries of a table in the order in which Pacemaker comes across them.
    fn as_come_across(&self, entries: &[Entry]) -> Vec<Entry> {
        let mut by_name = entries.to_vec();
        by_name.sort_by_key(|entry| self.name_rank(entry.node));
        let ids: Vec<&str> = by_name.iter().map(|entry| self.uuid(entry.node)).collect();
        hash_order(&ids).into_iter().map(|at| by_name[at]).collect()
    }
}

/// Nodes once everything was assigned, less what has been taken off them again since.
pub(super) struct Afterwards<'a, 'c> {
    status: &'a Status<'c>,
    placement: &'a Placement,
    n_assigned: Vec<u32>,
    free: Vec<Capacities>,
    name_rank: Vec<u32>,
}

impl<'a, 'c> Afterwards<'a, 'c> {
    pub fn new(placement: &'a Placement, status: &'a Status<'c>, taken_back: &[(RscIdx, NodeIdx)]) -> Self {
        let mut n_assigned: Vec<u32> = placement.nodes.iter().map(|node| node.n_assigned).collect();
        let mut free = placement.free.clone();
        for (rsc, node) in taken_back {
            n_assigned[node.i()] = n_assigned[node.i()].saturating_sub(1);
            for (name, amount) in status.rsc(*rsc).primitive().into_iter().flat_map(|data| &data.utilization)
            {
                let free = free[node.i()].entry(name.clone()).or_default();
                *free = free.saturating_add(*amount).clamp(i64::from(i32::MIN), i64::from(i32::MAX));
            }
        }
        let mut name_rank = vec![0; status.nodes.len()];
        for (rank, node) in (0..).zip(&status.nodes_by_name) {
            name_rank[node.i()] = rank;
        }
        Self { status, placement, n_assigned, free, name_rank }
    }
}

impl Candidates for Afterwards<'_, '_> {
    fn strategy(&self) -> PlacementStrategy {
        self.status.options.placement_strategy
    }

    fn is_available(&self, node: NodeIdx) -> bool {
        let (node, outlook) = (self.status.node(node), &self.placement.nodes[node.i()]);
        let can_run = outlook.online && !outlook.shutdown && !outlook.unclean;
        can_run && !node.standby && !node.standby_on_fail && !node.maintenance
    }

    fn free(&self, node: NodeIdx) -> &Capacities {
        &self.free[node.i()]
    }

    fn n_assigned(&self, node: NodeIdx) -> u32 {
        self.n_assigned[node.i()]
    }

    fn name_rank(&self, node: NodeIdx) -> u32 {
        self.name_rank[node.i()]
    }

    fn uuid(&self, node: NodeIdx) -> &str {
        self.status.node(node).uuid.as_str()
    }
}
