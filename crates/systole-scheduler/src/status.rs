//! Phase 1: what is true, by the configuration, the history and the moment.
//!
//! Everything is in arenas with small integer indexes ([`NodeIdx`], [`RscIdx`]); later phases keep their own results in
//! vectors beside these. Nothing here is changed after [`Status::unpack`].
//!
//! Constraints are not unpacked here: location, colocation and ticket constraints belong to placement, order constraints
//! to planning; [`Status::constraint_targets`] resolves the names they use.

mod index;
mod lookup;
mod meta;
mod node;
mod operation;
mod options;
mod resource;

pub use index::{NodeIdx, NodeSet, RscIdx};
pub use lookup::{DigestChange, Failures};
pub use meta::{Meta, MultipleActive, Requires};
pub use node::{FencingRequest, Node, NodeKind};
pub use operation::{FailCount, OnFail, OpMeta, Pending};
pub use options::{HealthStrategy, NoQuorum, Options, PlacementStrategy};
pub use resource::{
    Ban, BundleData, ClearFailCount, CloneData, GroupData, Kind, PrimitiveData, Removed, Replica, Resource,
};

use crate::{Note, rules::Recheck};
use std::{collections::BTreeMap, sync::Arc};
use systole_cib::model::{Cib, Ticket};
use systole_types::{ResourceId, Timestamp};

/// Names with values: node attributes, parameters, meta attributes.
pub type Attributes = BTreeMap<Arc<str>, Arc<str>>;

/// What is true.
#[derive(Debug)]
pub struct Status<'a> {
    /// The CIB it was unpacked from.
    pub cib: &'a Cib,
    /// The moment: `execution-date` of the CIB if it has one.
    pub now: Timestamp,
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
    /// Reasons.
    pub notes: Vec<Note>,
    /// Resources by name.
    by_name: BTreeMap<ResourceId, RscIdx>,
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
    pub fn unpack(cib: &'a Cib, now: Timestamp) -> Self {
        Self {
            cib,
            now: cib.execution_date.unwrap_or(now),
            recheck: Recheck::default(),
            options: Options::default(),
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
            notes: Vec::new(),
            by_name: BTreeMap::new(),
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

    /// The node of that name.
    pub fn find_node(&self, name: &str) -> Option<NodeIdx> {
        let found = self.nodes_by_name.binary_search_by(|&node| self.node(node).name.as_str().cmp(name));
        found.ok().map(|i| self.nodes_by_name[i])
    }

    /// The resource of exactly that name, with instance number if it has one.
    pub fn find_resource(&self, name: &str) -> Option<RscIdx> {
        self.by_name.get(name).copied()
    }

    /// The resource that a constraint means by `name`: for the name of a clone's (or bundle's) child without instance
    /// number, the clone.
    pub fn find_for_constraint(&self, name: &str) -> Option<RscIdx> {
        self.find_resource(name)
    }

    /// The resources that a constraint means by `name`: a resource, or those of a tag or template, in order.
    pub fn constraint_targets(&self, name: &str) -> Vec<RscIdx> {
        if let Some(rsc) = self.find_for_constraint(name) {
            return vec![rsc];
        }
        let tags = self.cib.templates.iter().chain(&self.cib.tags).filter(|tag| tag.id.as_str() == name);
        tags.flat_map(|tag| &tag.members).filter_map(|id| self.find_for_constraint(id.as_str())).collect()
    }

    /// All resources with their indexes.
    pub fn iter_resources(&self) -> impl Iterator<Item = (RscIdx, &Resource<'a>)> {
        self.resources.iter().enumerate().map(|(i, rsc)| (RscIdx::new(i), rsc))
    }

    /// All nodes with their indexes.
    pub fn iter_nodes(&self) -> impl Iterator<Item = (NodeIdx, &Node<'a>)> {
        self.nodes.iter().enumerate().map(|(i, node)| (NodeIdx::new(i), node))
    }

    /// The top-level resource that `rsc` is part of.
    pub fn root_of(&self, mut rsc: RscIdx) -> RscIdx {
        while let Some(parent) = self.rsc(rsc).parent {
            rsc = parent;
        }
        rsc
    }
}
