//! Phase 1: what is true, by the configuration, the history and the moment.
//!
//! Everything is in arenas with small integer indexes ([`NodeIdx`], [`RscIdx`]); later phases keep their own results in
//! vectors beside these. Nothing here is changed after [`Status::unpack`].
//!
//! Constraints are not unpacked here: location, colocation and ticket constraints belong to placement, order constraints
//! to planning; [`Status::constraint_targets`] resolves the names they use.

mod build;
mod bundle;
mod clone;
mod connection;
mod digest;
mod failcount;
mod history;
mod implicit;
mod index;
mod lookup;
mod membership;
mod meta;
mod migration;
mod node;
mod nodes;
mod operation;
mod options;
mod resource;
pub(crate) mod text;
mod unfencing;
mod unpack;

pub use digest::{Digest, DigestChange, Digests, recorded_digest};
pub use failcount::{FailureRecord, Failures};
pub(crate) use history::in_order;
pub(crate) use index::NameHasher;
pub use index::{NodeIdx, NodeSet, RscIdx};
pub use meta::{Meta, MultipleActive, Requires};
pub use node::{FencingRequest, HealthColor, Node, NodeKind};
pub use operation::{FailCount, OnFail, OpMeta, Pending};
pub(crate) use operation::{is_enabled, property};
pub use options::{HealthStrategy, NoQuorum, Options, PlacementStrategy};
pub use resource::{
    Ban, BundleData, ClearFailCount, CloneData, GroupData, HistoryRef, Kind, PrimitiveData, Removed, Replica,
    Resource,
};
pub use text::compare_names;
pub(crate) use text::{is_true, leading_integer};
pub(crate) use unfencing::Device;

use crate::{Note, rules::Recheck};
use index::Names;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use systole_cib::model::{Cib, HistoryEntry, ResourceSet, Ticket};
use systole_types::{ElementId, LocalTime, Timestamp};

/// How deep guest nodes may live in guest nodes: beyond it somebody has made them live in each other.
pub(crate) const MAX_NESTING: usize = 8;

/// Names with values: node attributes, parameters, meta attributes.
pub type Attributes = BTreeMap<Arc<str>, Arc<str>>;

/// What is true.
#[derive(Debug)]
pub struct Status<'a> {
    /// The CIB it was unpacked from.
    pub cib: &'a Cib,
    /// The moment: `execution-date` of the CIB if it has one.
    pub now: Timestamp,
    /// How many seconds local time is ahead of UTC.
    pub utc_offset: i64,
    /// When this should be worked out again at the latest.
    pub recheck: Recheck,
    /// Cluster options.
    pub options: Options,
    /// Whether the partition has quorum.
    pub has_quorum: bool,
    /// The DC, if it is known.
    pub dc: Option<NodeIdx>,
    /// Nodes: cluster nodes as configured, then nodes only known from the status, remote and guest nodes in the order found.
    pub nodes: Vec<Node<'a>>,
    /// Nodes by name, ascending: the order in which the reference algorithm looks at nodes where nothing else decides.
    pub nodes_by_name: Vec<NodeIdx>,
    /// Resources, every parent before its children; top-level ones in the order configured, removed ones last.
    pub resources: Vec<Resource<'a>>,
    /// Top-level resources in order.
    pub roots: Vec<RscIdx>,
    /// Tickets by name. A ticket named only in constraints is here too, not granted.
    pub tickets: BTreeMap<Arc<str>, TicketState<'a>>,
    /// Nodes that have to be fenced by what the history says, in the order found.
    pub fencing: Vec<FencingRequest>,
    /// Where resources may not run (or should not) by what the history says, in the order found.
    pub bans: Vec<Ban>,
    /// Fail counts that have expired or become meaningless, and have to be cleared.
    pub clear_fail_counts: Vec<ClearFailCount>,
    /// Failures of connections whose address is the host of their container: whether parameters have changed since can be
    /// told when it is known where that will be.
    pub failures_to_compare: Vec<FailedOperation<'a>>,
    /// Reasons.
    pub notes: Vec<Note>,
    /// Actions that the history calls for, in the order found: `fencing` and `clear_fail_counts` are among them, and
    /// stops, demotes and the recurring operations that are active. The graph lists actions by their order of creation.
    pub early: Vec<EarlyAction>,
    /// Failed operations, in the order found.
    pub failed_operations: Vec<FailedOperation<'a>>,
    /// Some fence device is configured (or a watchdog counts as one).
    pub have_fencing: bool,
    /// Unfencing is asked for somewhere: [`Cib::mentions_unfencing`].
    pub unfencing_in_use: bool,
    /// Entries of recurring operations whose failure has expired: they have to be done anew.
    expired_recurring: BTreeSet<usize>,
    by_name: Names,
    first_instances: Names,
    node_names: Names,
}

/// So many tags and templates can be named in one set, those that tags stand for included: a tag may stand for itself.
const MAX_TAGS: usize = 1_000;

/// A member of a constraint's set.
#[derive(Clone, Copy, Debug)]
pub struct SetMember<'c> {
    /// The name it is called by: its own, or for a clone that of what is in it.
    pub name: &'c ElementId,
    /// `None`: there is no such resource.
    pub resource: Option<RscIdx>,
}

/// An action that the history calls for.
#[derive(Clone, Debug, PartialEq)]
pub enum EarlyAction {
    /// Fence the node: see [`Status::fencing`].
    Fence(NodeIdx),
    /// Stop the resource on the node.
    Stop {
        /// The resource.
        rsc: RscIdx,
        /// The node.
        node: NodeIdx,
        /// It has to be done; else it is only there for others to be ordered with.
        is_required: bool,
    },
    /// Demote the resource on the node.
    Demote {
        /// The resource.
        rsc: RscIdx,
        /// The node.
        node: NodeIdx,
    },
    /// A recurring operation that is active.
    Recurring {
        /// The resource.
        rsc: RscIdx,
        /// The node.
        node: NodeIdx,
        /// `monitor`.
        task: Arc<str>,
        /// How often.
        interval: Duration,
    },
    /// Clear the fail count: position in [`Status::clear_fail_counts`].
    ClearFailCount(usize),
    /// Erase the resource's history on the node: its shutdown lock has expired.
    ClearHistory {
        /// The resource.
        rsc: RscIdx,
        /// The node.
        node: NodeIdx,
    },
}

impl EarlyAction {
    /// The resource it is about; `None`: it is about a node.
    pub fn rsc(&self, status: &Status<'_>) -> Option<RscIdx> {
        match self {
            Self::Fence(_) => None,
            Self::Stop { rsc, .. }
            | Self::Demote { rsc, .. }
            | Self::Recurring { rsc, .. }
            | Self::ClearHistory { rsc, .. } => Some(*rsc),
            Self::ClearFailCount(which) => Some(status.clear_fail_counts[*which].resource),
        }
    }
}

/// A failed operation.
#[derive(Clone, Copy, Debug)]
pub struct FailedOperation<'a> {
    /// The resource.
    pub rsc: RscIdx,
    /// The node.
    pub node: NodeIdx,
    /// The entry of the history.
    pub entry: &'a HistoryEntry,
}

/// A ticket.
#[derive(Clone, Debug, Default)]
pub struct TicketState<'a> {
    /// Granted to this site.
    pub granted: bool,
    /// Granted, but resources are kept from being promoted or started with it.
    pub standby: bool,
    /// As the status section has it.
    pub entry: Option<&'a Ticket>,
}

impl<'a> Status<'a> {
    /// Works out what is true.
    pub fn unpack(cib: &'a Cib, now: impl Into<LocalTime>) -> Self {
        unpack::Unpack::run(cib, now.into())
    }

    /// The moment, as rules look at it.
    pub fn local_time(&self) -> LocalTime {
        LocalTime { at: self.now, utc_offset: self.utc_offset }
    }

    fn empty(cib: &'a Cib, now: LocalTime, recheck: Recheck, options: Options) -> Self {
        Self {
            cib,
            now: now.at,
            utc_offset: now.utc_offset,
            recheck,
            options,
            has_quorum: cib.have_quorum,
            dc: None,
            nodes: Vec::new(),
            nodes_by_name: Vec::new(),
            resources: Vec::new(),
            roots: Vec::new(),
            tickets: BTreeMap::new(),
            fencing: Vec::new(),
            bans: Vec::new(),
            clear_fail_counts: Vec::new(),
            failures_to_compare: Vec::new(),
            notes: Vec::new(),
            early: Vec::new(),
            failed_operations: Vec::new(),
            have_fencing: false,
            unfencing_in_use: false,
            expired_recurring: BTreeSet::new(),
            by_name: Names::default(),
            first_instances: Names::default(),
            node_names: Names::default(),
        }
    }

    /// A node.
    pub fn node(&self, node: NodeIdx) -> &Node<'a> {
        &self.nodes[node.i()]
    }

    /// A resource.
    pub fn rsc(&self, rsc: RscIdx) -> &Resource<'a> {
        &self.resources[rsc.i()]
    }

    /// The node of that name, whatever the case of letters.
    pub fn find_node(&self, name: &str) -> Option<NodeIdx> {
        unpack::lookup(&self.node_names, name)
    }

    /// The resource of exactly that name, with instance number if it has one.
    pub fn find_resource(&self, name: &str) -> Option<RscIdx> {
        self.by_name.get(name).map(RscIdx)
    }

    /// The resource that a constraint means by `name`: for the name of a clone's (or bundle's) child without instance
    /// number, the clone (the inner one, of a bundle), provided that the history of some node knows an instance by it.
    pub fn find_for_constraint(&self, name: &str) -> Option<RscIdx> {
        if let Some(rsc) = self.find_resource(name) {
            return Some(rsc);
        }
        let top = self.first_instances.get(name).map(|instance| self.top_of(RscIdx(instance)))?;
        self.is_known_as(top, name).then_some(top)
    }

    fn is_known_as(&self, rsc: RscIdx, name: &str) -> bool {
        let is_itself = self.rsc(rsc).history_id.as_ref().is_some_and(|id| id.as_str() == name);
        is_itself || self.rsc(rsc).children.iter().any(|&child| self.is_known_as(child, name))
    }

    /// The resources that a constraint means by `name`: a resource, or those of a tag or template, in order.
    pub fn constraint_targets(&self, name: &str) -> Vec<RscIdx> {
        if let Some(rsc) = self.find_for_constraint(name) {
            return vec![rsc];
        }
        // What comes after one that means nothing is not looked at any more.
        self.tagged(name).into_iter().map_while(|id| self.find_for_constraint(id.as_str())).collect()
    }

    /// The resource of that name, or each that a tag or template names, if there is any such; `None` in the list: there is
    /// no resource of that name.
    pub fn stands_for(&self, name: &str) -> Option<Vec<Option<RscIdx>>> {
        if let Some(rsc) = self.find_for_constraint(name) {
            return Some(vec![Some(rsc)]);
        }
        let members = self.tagged(name);
        let members = members.into_iter().map(|id| self.find_for_constraint(id.as_str())).collect();
        Some(members).filter(|members: &Vec<_>| !members.is_empty())
    }

    /// What a tag or template stands for, each once.
    fn tagged(&self, name: &str) -> Vec<&'a ElementId> {
        let tags = self.cib.templates.iter().chain(&self.cib.tags).filter(|tag| tag.id.as_str() == name);
        let mut members = Vec::new();
        for member in tags.flat_map(|tag| &tag.members) {
            if !members.contains(&member) {
                members.push(member);
            }
        }
        members
    }

    /// The members of a constraint's sets, by the names they go by there, tags and templates replaced by what they stand for.
    ///
    /// Where any name means nothing, no tag of the constraint is replaced, and none of them means anything.
    pub fn set_members<'c>(&self, sets: &'c [ResourceSet]) -> Vec<Vec<SetMember<'c>>>
    where
        'a: 'c,
    {
        let written = || sets.iter().map(|set| set.members.iter().collect()).collect();
        let names: Option<Vec<Vec<&'c ElementId>>> =
            sets.iter().map(|set| self.untagged(&set.members)).collect();
        let member =
            |name: &'c ElementId| SetMember { name, resource: self.find_for_constraint(name.as_str()) };
        let members = |names: Vec<&'c ElementId>| names.into_iter().map(member).collect();
        names.unwrap_or_else(written).into_iter().map(members).collect()
    }

    /// Names of resources in place of those of tags, which may stand for tags. `None` if one means nothing.
    fn untagged<'c>(&self, names: &'c [ElementId]) -> Option<Vec<&'c ElementId>>
    where
        'a: 'c,
    {
        let mut open: Vec<&'c ElementId> = names.iter().rev().collect();
        let mut found = Vec::new();
        let mut n_replaced = 0;
        while let Some(name) = open.pop() {
            if self.find_for_constraint(name.as_str()).is_some() {
                found.push(name);
                continue;
            }
            let members = self.tagged(name.as_str());
            n_replaced += 1;
            if members.is_empty() || n_replaced > MAX_TAGS {
                return None;
            }
            open.extend(members.into_iter().rev());
        }
        Some(found)
    }

    /// All resources with their indexes.
    pub fn iter_resources(&self) -> impl Iterator<Item = (RscIdx, &Resource<'a>)> {
        self.resources.iter().enumerate().map(|(i, rsc)| (RscIdx::new(i), rsc))
    }

    /// All nodes with their indexes.
    pub fn iter_nodes(&self) -> impl Iterator<Item = (NodeIdx, &Node<'a>)> {
        self.nodes.iter().enumerate().map(|(i, node)| (NodeIdx::new(i), node))
    }

    /// The clone or group that `rsc` is part of, or `rsc` itself; of what is inside a bundle, the inner clone.
    pub fn top_of(&self, mut rsc: RscIdx) -> RscIdx {
        while let Some(parent) = self.rsc(rsc).parent.filter(|&parent| !self.rsc(parent).is_bundle()) {
            rsc = parent;
        }
        rsc
    }

    /// Whether `rsc` is inside a bundle, as one of its implicit resources or as what it contains.
    pub fn is_bundled(&self, rsc: RscIdx) -> bool {
        self.rsc(rsc).parent.is_some() && self.rsc(self.root_of(rsc)).is_bundle()
    }

    /// Whether nodes should be fenced, but nothing is there that could do so: then nothing is managed.
    pub fn lacks_fencing(&self) -> bool {
        self.options.fencing_enabled && !self.have_fencing
    }

    /// Whether the node could be fenced: by a device, or (a guest node) by stopping what it lives in.
    pub fn can_fence(&self, node: NodeIdx) -> bool {
        self.can_fence_within(node, MAX_NESTING)
    }

    fn can_fence_within(&self, node: NodeIdx, nesting: usize) -> bool {
        let there = self.node(node);
        if let NodeKind::Guest { container, .. } = there.kind {
            let mut hosts = self.rsc(container).running_on.iter();
            return nesting > 0
                && hosts.all(|&host| self.node(host).online || self.can_fence_within(host, nesting - 1));
        }
        if !self.options.fencing_enabled || !self.have_fencing {
            return false;
        }
        if self.has_quorum || self.options.no_quorum == NoQuorum::Ignore {
            return true;
        }
        // Without quorum, nodes of our own partition can be fenced. A remote node may have been taken over by another
        // partition if there can be one.
        let may_be_elsewhere = there.is_remote()
            && !self.options.fence_remote_without_quorum
            && self.nodes.iter().any(|other| !other.online);
        there.online && !may_be_elsewhere
    }

    /// The top-level resource that `rsc` is part of.
    pub fn root_of(&self, mut rsc: RscIdx) -> RscIdx {
        while let Some(parent) = self.rsc(rsc).parent {
            rsc = parent;
        }
        rsc
    }
}
