//! Phase 2: where each instance should run, and in which role.
//!
//! Source: Pacemaker Explained, chapters "Resource Constraints", "Collective Resources" and "Utilization and Placement
//! Strategy"; ties are broken as Pacemaker 3.0.2 breaks them.
//!
//! Every resource has a table of nodes with a score each. Tables are filled from what holds for nodes as such
//! ([`criteria`]: history, health, locations, stickiness, fail counts), then resources are assigned one after the other,
//! each to the best node of its table, after colocated ones have had their say ([`affinity`]).

mod affinity;
mod bundle;
mod candidates;
mod colocation;
mod criteria;
mod group;
pub(crate) mod hash_order;
mod instances;
mod location;
pub(crate) mod pattern;
mod primitive;
mod promotable;
mod reason;
mod table;
mod ticket;
mod utilization;
mod work;

pub use colocation::ColocationLink;
pub use table::{Discovery, Entry, NodeTable};

use crate::{
    NodeIdx, Note, RscIdx, Status,
    status::{FencingRequest, NodeSet},
};
use candidates::{Afterwards, Candidates as _};
use std::{collections::BTreeMap, sync::Arc};
use systole_types::{Role, Score, Timestamp};
use work::Assigner;

/// Where each instance should run. Vectors are indexed by [`RscIdx`], `nodes` by [`NodeIdx`].
#[derive(Clone, Debug, Default)]
pub struct Placement {
    /// The node chosen for each primitive; `None`: nowhere.
    pub assigned: Vec<Option<NodeIdx>>,
    /// Of which primitives it was decided that no node can take them. Instances beyond the number wanted, and members of an
    /// instance that may not stay where it is, are nowhere without it.
    pub given_up: Vec<bool>,
    /// The role each resource should have after the transition. For collectives only what was asked for.
    pub next_role: Vec<Role>,
    /// Current roles: as in the status, but instances of promotable clones are `Unpromoted` rather than `Started`.
    pub role: Vec<Role>,
    /// Whether the cluster acts on each resource: as in the status, less what tickets and missing fence devices leave.
    pub managed: Vec<bool>,
    /// Whether each resource is left alone: as in the status, and where a ticket with `loss-policy=freeze` was lost.
    pub blocked: Vec<bool>,
    /// Whether each resource is looked for only where a location constraint says so.
    pub exclusive: Vec<bool>,
    /// Of instances of promotable clones: how much it was worth promoting them.
    pub promotion_score: Vec<Score>,
    /// What became of the priority of resources whose colocations changed it: members of groups that are promoted.
    pub priorities: BTreeMap<RscIdx, i32>,
    /// Shutdown locks.
    pub locks: Vec<Option<Locked>>,
    /// Top-level resources in the order in which they were assigned.
    pub order: Vec<RscIdx>,
    /// Children; instances in the order in which they were assigned or promoted.
    pub children: Vec<Vec<RscIdx>>,
    /// The scores that decided.
    pub allowed: Vec<NodeTable>,
    /// Nodes that the configuration allows or bans a resource on, whatever came of it; only where capacities or unfencing
    /// ask for it.
    pub candidates: BTreeMap<RscIdx, NodeSet>,
    /// Nodes, as they will be: remote nodes come and go with their connections.
    pub nodes: Vec<NodeOutlook>,
    /// What each node has left to give, where that decides anything.
    pub free: Vec<BTreeMap<Arc<str>, i64>>,
    /// All colocations, unpacked.
    pub colocations: Vec<ColocationLink>,
    /// Per top-level resource, if there are any: positions in `colocations` of those that bind others to it.
    dependents: Vec<(RscIdx, Vec<u32>)>,
    /// Nodes that have to be fenced because a ticket was lost.
    pub fencing: Vec<FencingRequest>,
    /// Lines of `crm_simulate --show-scores --show-utilization`, in the order worked out; empty unless
    /// [`Detail::Scores`] was asked for.
    pub scores: Vec<ScoreLine>,
    /// Reasons.
    pub notes: Vec<Note>,
}

/// What a node will be once resources are where they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeOutlook {
    /// As [`Node::online`](crate::Node::online).
    pub online: bool,
    /// As [`Node::shutdown`](crate::Node::shutdown).
    pub shutdown: bool,
    /// As [`Node::unclean`](crate::Node::unclean).
    pub unclean: bool,
    /// How many resources will be there.
    pub n_assigned: u32,
}

/// A resource waits for the node that was shut down with it: `shutdown-lock`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Locked {
    /// For which node.
    pub node: NodeIdx,
    /// Since when.
    pub since: Timestamp,
}

/// One line of `crm_simulate --show-scores` or `--show-utilization`.
#[derive(Clone, Debug, PartialEq)]
pub enum ScoreLine {
    /// How much a resource is wanted on a node.
    Allocation {
        /// The step that scored: `pcmk__primitive_assign`...
        step: &'static str,
        /// Which resource.
        resource: RscIdx,
        /// On which node.
        node: NodeIdx,
        /// How much.
        score: Score,
    },
    /// How much it is worth promoting an instance.
    Promotion {
        /// Which instance.
        resource: RscIdx,
        /// Where it will be, if anywhere.
        node: Option<NodeIdx>,
        /// How much.
        score: Score,
    },
    /// What a node has to give.
    Capacity {
        /// `Original`: before anything is assigned; `Remaining`: afterwards.
        when: &'static str,
        /// Which node.
        node: NodeIdx,
        /// By name.
        amounts: BTreeMap<Arc<str>, i64>,
    },
    /// What a resource takes of a node it was assigned to.
    Utilization {
        /// Which resource.
        resource: RscIdx,
        /// Of which node.
        node: NodeIdx,
        /// By name.
        amounts: BTreeMap<Arc<str>, i64>,
    },
}

/// The step that [`ScoreLine::Utilization`] stands for, as `crm_simulate` names it.
pub const ASSIGNMENT: &str = "pcmk__assign_resource";

/// Amounts in the order in which Pacemaker tells them: that of its hash table.
pub fn as_come_across(amounts: &BTreeMap<Arc<str>, i64>) -> impl Iterator<Item = (&Arc<str>, i64)> {
    let names: Vec<&Arc<str>> = amounts.keys().collect();
    let texts: Vec<&str> = names.iter().map(|name| &***name).collect();
    hash_order::hash_order(&texts).into_iter().map(move |at| (names[at], amounts[names[at]]))
}

impl ScoreLine {
    /// Whether it tells a score, rather than an amount.
    pub const fn is_score(&self) -> bool {
        matches!(self, Self::Allocation { .. } | Self::Promotion { .. })
    }

    /// The line as `crm_simulate` prints it.
    pub fn text(&self, status: &Status<'_>) -> String {
        let id = |rsc: RscIdx| &status.rsc(rsc).id;
        let name = |node: NodeIdx| &status.node(node).name;
        let list = |amounts: &BTreeMap<Arc<str>, i64>| -> String {
            as_come_across(amounts).map(|(name, amount)| format!(" {name}={amount}")).collect()
        };
        match self {
            Self::Allocation { step, resource, node, score } => {
                format!("{step}: {} allocation score on {}: {score}", id(*resource), name(*node))
            }
            Self::Promotion { resource, node: None, score } => {
                format!("{} promotion score (inactive): {score}", id(*resource))
            }
            Self::Promotion { resource, node: Some(node), score } => {
                format!("{} promotion score on {}: {score}", id(*resource), name(*node))
            }
            Self::Capacity { when, node, amounts } => {
                format!("{when}: {} capacity:{}", name(*node), list(amounts))
            }
            Self::Utilization { resource, node, amounts } => {
                format!("{ASSIGNMENT}: {} utilization on {}:{}", id(*resource), name(*node), list(amounts))
            }
        }
    }
}

impl Placement {
    /// Colocations that bind others to a top-level resource: its own, and those of its members.
    pub fn colocations_with(&self, rsc: RscIdx) -> impl Iterator<Item = &ColocationLink> {
        let found = self.dependents.binary_search_by_key(&rsc, |(primary, _)| *primary);
        let indexes = found.map_or(&[][..], |i| &self.dependents[i].1);
        indexes.iter().map(|index| &self.colocations[*index as usize])
    }

    /// The nodes of a resource's table, best first, after resources were taken off nodes again.
    pub fn best_first(
        &self,
        rsc: RscIdx,
        status: &Status<'_>,
        taken_back: &[(RscIdx, NodeIdx)],
    ) -> Vec<NodeIdx> {
        let nodes = Afterwards::new(self, status, taken_back);
        let entries = nodes.sorted_candidates(&self.allowed[rsc.i()], None);
        entries.into_iter().map(|entry| entry.node).collect()
    }
}

/// How much of the reasoning is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Detail {
    /// The result.
    #[default]
    Result,
    /// The scores too, as `crm_simulate --show-scores` prints them, and where they come from.
    Scores,
    /// All actions too that were considered, as `crm_simulate --save-dotfile` draws them.
    Drawing,
}

/// Top-level resources by priority, then as configured; removed ones last.
pub(crate) fn by_priority(st: &Status<'_>) -> Vec<RscIdx> {
    let mut order = st.roots.clone();
    order.sort_by_key(|root| {
        let rsc = st.rsc(*root);
        let priority = if rsc.removed.is_some() { 0 } else { rsc.meta.priority.value() };
        (rsc.removed.is_some(), std::cmp::Reverse(priority))
    });
    order
}

/// Works out where each instance should run.
pub fn assign(status: &Status<'_>) -> Placement {
    assign_in_detail(status, Detail::Result)
}

/// Notes in the status what follows at once from lost tickets, before anything is placed.
pub(crate) fn apply_lost_tickets(status: &mut Status<'_>) {
    let mut work = Assigner::new(status, Detail::Result);
    work.fill_tables();
    work.unpack_constraints();
    let unclean: Vec<bool> = work.nodes.iter().map(|node| node.unclean).collect();
    let states: Vec<_> = work.rsc.iter().map(|rsc| (rsc.managed, rsc.blocked, rsc.failed)).collect();
    for (node, unclean) in status.nodes.iter_mut().zip(unclean) {
        node.unclean = unclean;
    }
    for (resource, state) in status.resources.iter_mut().zip(states) {
        (resource.managed, resource.blocked, resource.failed) = state;
    }
}

/// Works out where each instance should run, keeping as much of the reasoning as wanted.
pub fn assign_in_detail(status: &Status<'_>, detail: Detail) -> Placement {
    let mut work = Assigner::new(status, detail);
    work.fill_tables();
    work.apply_history();
    work.unpack_constraints();
    work.apply_shutdown_locks();
    work.apply_locations();
    work.apply_stickiness();
    work.apply_failures_and_discovery();
    work.add_implicit_colocations();
    work.note_candidates();
    work.assign_all();
    work.finish()
}
