//! Resources: the tree, and what is observed of each.

use super::{Meta, NodeIdx, NodeSet, Pending, RscIdx, text::is_true};
use std::{borrow::Cow, sync::Arc, time::Duration};
use systole_cib::model::{self, AttributeSet, ResourceHistory};
use systole_types::{ResourceId, Role, Score, Timestamp};

/// A resource, or an instance of one.
#[derive(Clone, Debug)]
pub struct Resource<'a> {
    /// Name, with instance number for instances of clones: `web:0`.
    pub id: ResourceId,
    /// The name histories know it by where that is not `id`: of instances of anonymous clones found in a history
    /// (`clone_name` of the reference algorithm); `None` for one not seen anywhere.
    pub history_id: Option<ResourceId>,
    /// What it is.
    pub kind: Kind<'a>,
    /// The collective it is part of.
    pub parent: Option<RscIdx>,
    /// Members, instances, or the parts of a bundle's replicas.
    pub children: Vec<RscIdx>,
    /// Instance number, of an instance of a clone and what is in it.
    pub instance: Option<u32>,
    /// Meta attributes.
    pub meta: Meta,
    /// Each instance is different: part of a globally unique clone (or of none).
    pub is_unique: bool,
    /// Instance of a promotable clone, or the clone itself.
    pub is_promotable: bool,
    /// Not (any more) in the configuration.
    pub removed: Option<Removed>,
    /// The cluster acts on it: `is-managed`, no maintenance, not blocked.
    pub managed: bool,
    /// In maintenance mode (its own, the cluster's, or its node's).
    pub maintenance: bool,
    /// Left alone because of a failure.
    pub blocked: bool,
    /// Needs recovery: stop and start.
    pub failed: bool,
    /// A failure that is ignored (`on-fail=ignore`) happened.
    pub failure_ignored: bool,
    /// A start was sent and has not answered.
    pub start_pending: bool,
    /// Has to be stopped because it failed (not with `on-fail=block` or `demote`).
    pub stop_if_failed: bool,
    /// May migrate live: `allow-migrate`, unless a migration failed in a way that forbids it.
    pub migratable: bool,
    /// `reconnect_interval` of a connection to a remote node.
    pub reconnect_interval: Option<Duration>,
    /// For the instances inside a bundle: probed for only on their own replica.
    pub exclusive_discovery: bool,
    /// Current role. For collectives the highest of their children.
    pub role: Role,
    /// Role wanted by target-role or by failures, before placement; `Unknown`: nothing special.
    pub next_role: Role,
    /// Why `next_role` is what it is.
    pub next_role_reason: Option<&'static str>,
    /// Nodes it is active on, in the order found.
    pub running_on: Vec<NodeIdx>,
    /// Nodes where its state is known.
    pub known_on: NodeSet,
    /// Operations without answer.
    pub pending: Option<Pending>,
    /// Partial migration: source and target.
    pub partial_migration: Option<(NodeIdx, NodeIdx)>,
    /// Sources of migrations that were not finished by a stop: it has to be stopped there. The latest found is first.
    pub dangling_migrations: Vec<NodeIdx>,
    /// Locked to this node since then, which is shutting down cleanly.
    pub shutdown_lock: Option<(NodeIdx, Timestamp)>,
    /// Histories of this instance: node, and position in [`Node::histories`](super::Node::histories).
    pub histories: Vec<(NodeIdx, u32)>,
    /// Container this resource lives in, for connections to guest nodes (and a bundle's child).
    pub container: Option<RscIdx>,
    /// The guest node connections (and addresses) bound to this container.
    pub contained: Vec<RscIdx>,
    /// The remote or guest node this is the connection of.
    pub remote_node: Option<NodeIdx>,
}

/// What a resource is.
#[derive(Clone, Debug)]
pub enum Kind<'a> {
    /// Managed by an agent.
    Primitive(PrimitiveData<'a>),
    /// Members in sequence.
    Group(GroupData<'a>),
    /// Instances.
    Clone(CloneData<'a>),
    /// Containers.
    Bundle(BundleData<'a>),
}

/// Something an agent manages.
#[derive(Clone, Debug)]
pub struct PrimitiveData<'a> {
    /// Agent, operations, own parameters. Instances of a clone share it; implicit resources of bundles and removed
    /// resources have one made for them.
    pub definition: Arc<Cow<'a, model::Primitive>>,
    /// Parameter sets of parents, nearest first: merged after the primitive's own.
    pub inherited: Vec<&'a [AttributeSet]>,
    /// Parameters differ from node to node.
    pub node_dependent: bool,
    /// Some parameters, or properties of operations, are under a rule.
    pub has_rules: bool,
    /// Some operation has parameters of its own.
    pub operations_have_parameters: bool,
    /// A fence device.
    pub is_fence_device: bool,
    /// A connection to a remote or guest node (`ocf:pacemaker:remote`).
    pub is_remote_connection: bool,
    /// Utilization (for all nodes; rules on it see no node).
    pub utilization: std::collections::BTreeMap<Arc<str>, i64>,
    /// Parameters where they are the same on all nodes, once asked for; instances of a clone share them.
    pub(super) parameters: Arc<std::sync::OnceLock<Arc<super::Attributes>>>,
}

/// A group.
#[derive(Clone, Debug)]
pub struct GroupData<'a> {
    /// As configured.
    pub definition: &'a model::Group,
    /// `ordered`; true but for old configurations.
    pub ordered: bool,
    /// `collocated`; true but for old configurations.
    pub colocated: bool,
}

/// A clone.
#[derive(Clone, Debug)]
pub struct CloneData<'a> {
    /// As configured; `None` for the implicit clone inside a bundle.
    pub definition: Option<&'a model::CloneResource>,
    /// `clone-max`.
    pub max: u32,
    /// `clone-node-max`.
    pub node_max: u32,
    /// `promoted-max`.
    pub promoted_max: u32,
    /// `promoted-node-max`.
    pub promoted_node_max: u32,
    /// `clone-min`, if it is given.
    pub min: Option<u32>,
    /// `interleave`.
    pub interleave: bool,
    /// `ordered`.
    pub ordered: bool,
    /// `globally-unique`.
    pub unique: bool,
    /// It is not unique although it should be: what is in it cannot tell instances apart.
    pub is_made_anonymous: bool,
}

/// A bundle. Its resources: `children` has the containers, addresses, connections and the inner clone.
#[derive(Clone, Debug)]
pub struct BundleData<'a> {
    /// As configured.
    pub definition: &'a model::Bundle,
    /// `promoted-max`.
    pub promoted_max: u32,
    /// `replicas-per-host`.
    pub per_host: u32,
    /// `replicas`: there are fewer if what is inside cannot have so many instances.
    pub max: u32,
    /// Replicas in order.
    pub replicas: Vec<Replica>,
    /// The clone of the resource inside.
    pub inner: Option<RscIdx>,
}

/// A replica of a bundle.
#[derive(Clone, Debug)]
pub struct Replica {
    /// Its number.
    pub offset: u32,
    /// Its address, as text.
    pub address: Option<Arc<str>>,
    /// The address resource.
    pub ip: Option<RscIdx>,
    /// The container.
    pub container: RscIdx,
    /// The connection to the guest node inside.
    pub remote: Option<RscIdx>,
    /// The instance inside.
    pub child: Option<RscIdx>,
    /// The guest node.
    pub node: Option<NodeIdx>,
}

/// Why something is not (any more) in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// No resource of that name.
    Resource,
    /// An instance beyond `clone-max`.
    Instance,
    /// The container of a removed guest connection (or the connection itself).
    ContainerFiller,
}

/// One history: what was done to an instance on a node.
#[derive(Clone, Copy, Debug)]
pub struct HistoryRef<'a> {
    /// The instance it was matched with.
    pub resource: RscIdx,
    /// The resource that has its very name, if there was one when it was matched.
    pub namesake: Option<RscIdx>,
    /// It was managed by another agent then.
    pub is_other_agent: bool,
    /// What was done.
    pub history: &'a ResourceHistory,
}

/// Where a resource may not run (or should rather not) by what the history says.
#[derive(Clone, Debug, PartialEq)]
pub struct Ban {
    /// Which resource.
    pub resource: RscIdx,
    /// On which node; `None`: on every node that was known by then.
    pub node: Option<NodeIdx>,
    /// Usually −INFINITY; INFINITY where it has to stay because it is not managed.
    pub score: Score,
    /// Counts for what is inside a collective too.
    pub with_children: bool,
    /// How many resources were known by then: instances that come to light later are not concerned.
    pub n_known: usize,
    /// How many nodes were known by then: those of removed connections come to light with their histories.
    pub n_nodes: usize,
    /// Why.
    pub reason: &'static str,
}

/// A fail count that has to be cleared.
#[derive(Clone, Debug, PartialEq)]
pub struct ClearFailCount {
    /// Which resource.
    pub resource: RscIdx,
    /// On which node.
    pub node: NodeIdx,
    /// Why.
    pub reason: &'static str,
    /// Whether the (remote or guest) node's connection was known to need a reset when it was asked for: whether it can be
    /// cleared is not judged again.
    pub node_is_reset: bool,
}

impl<'a> Resource<'a> {
    /// The agent's side, of a primitive.
    pub fn primitive(&self) -> Option<&PrimitiveData<'a>> {
        match &self.kind {
            Kind::Primitive(data) => Some(data),
            _ => None,
        }
    }

    /// The clone's side.
    pub fn clone_data(&self) -> Option<&CloneData<'a>> {
        match &self.kind {
            Kind::Clone(data) => Some(data),
            _ => None,
        }
    }

    /// The bundle's side.
    pub fn bundle(&self) -> Option<&BundleData<'a>> {
        match &self.kind {
            Kind::Bundle(data) => Some(data),
            _ => None,
        }
    }

    /// Whether instances of a clone, or replicas of a bundle, go in pairs with those of others: `interleave`.
    pub fn interleaves(&self) -> bool {
        match &self.kind {
            Kind::Clone(clone) => clone.interleave,
            Kind::Bundle(_) => is_true(self.meta.raw.get("interleave").map(|value| &**value)),
            Kind::Primitive(_) | Kind::Group(_) => false,
        }
    }

    /// Whether it is a primitive.
    pub const fn is_primitive(&self) -> bool {
        matches!(self.kind, Kind::Primitive(_))
    }

    /// Whether it is a group.
    pub const fn is_group(&self) -> bool {
        matches!(self.kind, Kind::Group(_))
    }

    /// Whether it is a clone.
    pub const fn is_clone(&self) -> bool {
        matches!(self.kind, Kind::Clone(_))
    }

    /// Whether it is a bundle.
    pub const fn is_bundle(&self) -> bool {
        matches!(self.kind, Kind::Bundle(_))
    }

    /// The name histories (and operation keys) know it by: without instance number for anonymous instances that are
    /// known somewhere.
    pub fn known_as(&self) -> &ResourceId {
        self.history_id.as_ref().unwrap_or(&self.id)
    }

    /// Whether it runs somewhere.
    pub fn is_active(&self) -> bool {
        !self.running_on.is_empty()
    }
}

impl<'a> Resource<'a> {
    /// A resource of which nothing has been observed: stopped, managed as its meta attributes say.
    pub(super) fn new(id: ResourceId, kind: Kind<'a>, meta: Meta, cluster_in_maintenance: bool) -> Self {
        let maintenance = meta.maintenance || cluster_in_maintenance;
        Self {
            id,
            history_id: None,
            kind,
            parent: None,
            children: Vec::new(),
            instance: None,
            is_unique: true,
            is_promotable: false,
            removed: None,
            managed: meta.is_managed.unwrap_or(true) && !maintenance,
            maintenance,
            blocked: false,
            failed: false,
            failure_ignored: false,
            start_pending: false,
            stop_if_failed: false,
            migratable: meta.allow_migrate,
            reconnect_interval: None,
            exclusive_discovery: false,
            role: Role::Stopped,
            next_role: Role::Unknown,
            next_role_reason: None,
            running_on: Vec::new(),
            known_on: NodeSet::default(),
            pending: None,
            partial_migration: None,
            dangling_migrations: Vec::new(),
            shutdown_lock: None,
            histories: Vec::new(),
            container: None,
            contained: Vec::new(),
            remote_node: None,
            meta,
        }
    }

    /// Another instance of the same clone, of which nothing has been observed.
    pub(super) fn like(
        &self,
        id: ResourceId,
        instance: u32,
        parent: RscIdx,
        cluster_in_maintenance: bool,
    ) -> Self {
        let mut other = Self::new(id, self.kind.clone(), self.meta.clone(), cluster_in_maintenance);
        other.parent = Some(parent);
        other.instance = Some(instance);
        other.is_unique = self.is_unique;
        other.is_promotable = self.is_promotable;
        other
    }

    /// The name without instance number.
    pub fn base_id(&self) -> &str {
        match &self.kind {
            Kind::Primitive(data) => data.definition.id.as_str(),
            Kind::Group(data) => data.definition.id.as_str(),
            Kind::Clone(_) | Kind::Bundle(_) => self.id.as_str(),
        }
    }
}
