//! The present state as plain data, for status displays: what `crm_mon` shows, less how it shows it.
//!
//! Built from [`Status`] alone; nothing is planned here.

mod bans;
mod build;
mod history;
mod nodes;
mod resources;

use std::sync::Arc;
use systole_cib::model::{Agent, LastChange};
use systole_types::{ElementId, NodeId, NodeUuid, OcfRc, OpStatus, ResourceId, Role, Score, Timestamp};

use crate::Status;
pub use bans::wishes;

/// The present state of the cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct Overview {
    /// The head of the display.
    pub summary: Summary,
    /// Nodes in the order displays list them: by name.
    pub nodes: Vec<NodeView>,
    /// Top-level resources in the order configured; removed ones last.
    pub resources: Vec<ResourceView>,
    /// Failed operations, in the order of the status section ("Failed Resource Actions").
    pub failures: Vec<FailureView>,
    /// Constraints that keep a resource off a node ("Negative Location Constraints").
    pub bans: Vec<BanView>,
    /// Tickets by name.
    pub tickets: Vec<TicketView>,
    /// Operation histories ("Operations"), nodes in the order of the status section.
    pub history: Vec<NodeHistoryView>,
}

/// The head of the display.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// `cluster-infrastructure`: `corosync`.
    pub stack: Option<Arc<str>>,
    /// `cluster-name`.
    pub cluster_name: Option<Arc<str>>,
    /// The DC: name and uuid. A `dc-uuid` of an unknown node is none.
    pub dc: Option<(NodeId, NodeUuid)>,
    /// `dc-version`.
    pub dc_version: Option<Arc<str>>,
    /// Members run different feature sets (an upgrade under way).
    pub has_mixed_versions: bool,
    /// The partition has quorum.
    pub has_quorum: bool,
    /// Who changed the configuration last, and when.
    pub last_change: LastChange,
    /// Nodes, remote, guest and bundle nodes included.
    pub n_nodes: usize,
    /// Primitive instances.
    pub n_instances: usize,
    /// Of these, disabled by `target-role`.
    pub n_disabled: usize,
    /// Of these, blocked by a failure.
    pub n_blocked: usize,
    /// `maintenance-mode`.
    pub maintenance: bool,
    /// `stop-all-resources`.
    pub stop_all: bool,
    /// `fencing-enabled`: without it data is at risk.
    pub fencing_enabled: bool,
    /// `symmetric-cluster`.
    pub symmetric: bool,
    /// `no-quorum-policy`, as text.
    pub no_quorum_policy: &'static str,
    /// `fencing-timeout`, milliseconds.
    pub fencing_timeout_ms: u64,
    /// `priority-fencing-delay`, milliseconds.
    pub priority_fencing_delay_ms: u64,
}

/// A node.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeView {
    /// Name.
    pub name: NodeId,
    /// `id`.
    pub uuid: NodeUuid,
    /// What kind of node.
    pub kind: NodeViewKind,
    /// The word for its state.
    pub state: NodeStateWord,
    /// See [`Node`](crate::Node).
    pub online: bool,
    /// `standby` attribute.
    pub standby: bool,
    /// Standby after a failure.
    pub standby_on_fail: bool,
    /// `maintenance` attribute.
    pub maintenance: bool,
    /// Coming up.
    pub pending: bool,
    /// Needs fencing.
    pub unclean: bool,
    /// Leaving.
    pub shutdown: bool,
    /// Expected to be a member.
    pub expected_up: bool,
    /// The DC.
    pub is_dc: bool,
    /// `green`, `yellow` or `red`.
    pub health: &'static str,
    /// `#feature-set` of a member that says it.
    pub feature_set: Option<Arc<str>>,
    /// Active resources of its own (for `standby (with active resources)`, and `--group-by-node`): names as displayed.
    pub running: Vec<ResourceId>,
    /// For a guest node: where its container runs.
    pub host: Option<NodeId>,
    /// For a guest node: its container.
    pub container: Option<ResourceId>,
    /// Node attributes worth showing, by name; fail counts and the like are left out.
    pub attributes: Vec<AttributeView>,
    /// Capacities.
    pub utilization: Vec<(Arc<str>, i64)>,
}

/// What kind of node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeViewKind {
    /// Runs the cluster layer.
    Member,
    /// Remote node.
    Remote,
    /// Guest node (of bundles too).
    Guest,
    /// From older days.
    Ping,
}

/// The word for a node's state, in the order in which the first that fits is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeStateWord {
    /// `UNCLEAN (online)`.
    UncleanOnline,
    /// `UNCLEAN (pending)`.
    UncleanPending,
    /// `UNCLEAN (offline)`.
    UncleanOffline,
    /// `pending`.
    Pending,
    /// `standby (on-fail)`; with active resources or without.
    StandbyOnFail,
    /// `standby`; with active resources or without: see [`NodeView::running`].
    Standby,
    /// `OFFLINE (standby)`.
    OfflineStandby,
    /// `maintenance`.
    Maintenance,
    /// `OFFLINE (maintenance)`.
    OfflineMaintenance,
    /// `online`: listed in one line with others.
    Online,
    /// `OFFLINE`: listed in one line with others.
    Offline,
}

/// A node attribute.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributeView {
    /// Name.
    pub name: Arc<str>,
    /// Value.
    pub value: Arc<str>,
    /// For the result of a ping resource: what is expected, if that is known. (`Connectivity is degraded`...)
    pub expected: Option<i64>,
}

/// A resource of any kind.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceView {
    /// Name as displayed: without instance number for instances of anonymous clones.
    pub id: ResourceId,
    /// Name with instance number, as the scheduler knows it.
    pub full_id: ResourceId,
    /// What it is.
    pub kind: ResourceViewKind,
    /// Flags that any kind has.
    pub flags: Flags,
}

/// Flags that any kind of resource has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flags {
    /// Runs somewhere (a collective: all of it).
    pub active: bool,
    /// Runs in part somewhere.
    pub partially_active: bool,
    /// Not (any more) in the configuration.
    pub removed: bool,
    /// Left alone because of a failure.
    pub blocked: bool,
    /// The cluster acts on it.
    pub managed: bool,
    /// In maintenance.
    pub maintenance: bool,
    /// Needs recovery.
    pub failed: bool,
    /// A failure was ignored.
    pub failure_ignored: bool,
    /// `target-role=Stopped` (or it counts as that).
    pub disabled: bool,
    /// `target-role` where it says something: what displays show.
    pub target_role: Option<Role>,
    /// `target-role` as written.
    pub target_role_text: Option<Arc<str>>,
    /// `description`.
    pub description: Option<Arc<str>>,
    /// Held for a node that shut down cleanly.
    pub locked_to: Option<NodeId>,
}

/// What a resource is, with its parts.
#[derive(Clone, Debug, PartialEq)]
pub enum ResourceViewKind {
    /// Managed by an agent.
    Primitive(PrimitiveView),
    /// `Resource Group`.
    Group {
        /// Members in order.
        members: Vec<ResourceView>,
    },
    /// `Clone Set`.
    Clone {
        /// What is cloned: name without number.
        child: ResourceId,
        /// `globally-unique`.
        unique: bool,
        /// `promotable`.
        promotable: bool,
        /// `clone-max`.
        max: u32,
        /// Instances in order; removed ones last.
        instances: Vec<ResourceView>,
        /// Nodes where there could be an instance and is none, by name; with the result of a probe that failed there.
        /// Of anonymous clones only.
        stopped: Vec<(NodeId, Option<OcfRc>)>,
    },
    /// `Container bundle`, or `Container bundle set` with more than one replica.
    Bundle {
        /// `podman`, `docker`.
        runtime: &'static str,
        /// `image`.
        image: Arc<str>,
        /// `replicas-per-host` is more than 1.
        unique: bool,
        /// More than one replica is asked for, even if there cannot be as many.
        is_set: bool,
        /// Replicas in order.
        replicas: Vec<ReplicaView>,
    },
}

/// A primitive or an instance of one.
#[derive(Clone, Debug, PartialEq)]
pub struct PrimitiveView {
    /// The agent.
    pub agent: Agent,
    /// Role to display: `Started`, `Stopped`, `Promoted`...
    pub role: Role,
    /// Where it is active.
    pub nodes: Vec<LocationView>,
    /// An operation under way: `Starting`, `Stopping`, `Monitoring`...
    pub pending: Option<&'static str>,
    /// Where the operation under way runs.
    pub pending_on: Option<NodeId>,
    /// The result of a failed probe that counts as "not running" (on the node it is locked to or was on, if any).
    pub failed_probe: Option<OcfRc>,
    /// The node it counts as being on.
    pub current: Option<LocationView>,
    /// The node it is shown at where it is not on several: its own, that of an operation under way, or that of its
    /// shutdown lock.
    pub shown_at: Option<LocationView>,
    /// The node it is locked to while that is shut down.
    pub locked_at: Option<LocationView>,
    /// Made by the cluster itself, and shown only where details are asked for: a connection to a guest node.
    pub is_internal: bool,
}

/// A place where a resource is active.
#[derive(Clone, Debug, PartialEq)]
pub struct LocationView {
    /// The node.
    pub node: NodeId,
    /// Its id.
    pub uuid: NodeUuid,
    /// The node is online and clean.
    pub online: bool,
    /// The node needs fencing.
    pub unclean: bool,
}

/// A replica of a bundle.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplicaView {
    /// Its number.
    pub number: u32,
    /// Its address.
    pub address: Option<Arc<str>>,
    /// The address resource.
    pub ip: Option<ResourceView>,
    /// The instance inside.
    pub child: Option<ResourceView>,
    /// The container.
    pub container: ResourceView,
    /// The connection to the guest node.
    pub remote: Option<ResourceView>,
}

/// A failed operation.
#[derive(Clone, Debug, PartialEq)]
pub struct FailureView {
    /// `RSC_monitor_10000`; the entry's id where no key is written down.
    pub key: Arc<str>,
    /// Whether a key is written down.
    pub has_key: bool,
    /// The resource as its history names it.
    pub resource: ResourceId,
    /// `monitor`.
    pub task: Arc<str>,
    /// Milliseconds; 0 for what is done once.
    pub interval_ms: u64,
    /// On which node.
    pub node: NodeId,
    /// The agent's result.
    pub rc: OcfRc,
    /// How the execution went.
    pub status: OpStatus,
    /// Number of the call.
    pub call: i64,
    /// What the agent said.
    pub exit_reason: Option<Arc<str>>,
    /// When the result changed last.
    pub last_rc_change: Option<Timestamp>,
    /// Milliseconds in the queue.
    pub queued_ms: Option<u64>,
    /// Milliseconds of execution.
    pub exec_ms: Option<u64>,
}

/// A constraint that keeps a resource off a node.
#[derive(Clone, Debug, PartialEq)]
pub struct BanView {
    /// The constraint.
    pub id: ElementId,
    /// The resource.
    pub resource: ResourceId,
    /// What it is part of.
    pub top: ResourceId,
    /// The node.
    pub node: NodeId,
    /// How much.
    pub score: Score,
    /// Only from being promoted there.
    pub promoted_only: bool,
}

/// A ticket.
#[derive(Clone, Debug, PartialEq)]
pub struct TicketView {
    /// Name.
    pub id: Arc<str>,
    /// Granted to this site.
    pub granted: bool,
    /// In standby.
    pub standby: bool,
    /// When it was granted last.
    pub last_granted: Option<Timestamp>,
    /// Further attributes of its state, with `granted` as it is recorded.
    pub other: Vec<(Arc<str>, Arc<str>)>,
}

/// Operation histories of one node.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeHistoryView {
    /// The node.
    pub node: NodeId,
    /// Per resource, in the order of the status section.
    pub resources: Vec<ResourceHistoryView>,
}

/// What was done to one resource on one node ("Operations", "Migration Summary").
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceHistoryView {
    /// The resource as its history names it.
    pub id: ResourceId,
    /// The same without the number of an instance that is like all others.
    pub resource: ResourceId,
    /// It is not (any more) in the configuration.
    pub removed: bool,
    /// `migration-threshold`.
    pub migration_threshold: Score,
    /// How often it has failed there.
    pub fail_count: Score,
    /// When last.
    pub last_failure: Option<Timestamp>,
    /// Operations in the order they were called.
    pub operations: Vec<FailureView>,
}

impl ResourceView {
    fn drop_pending(&mut self) {
        match &mut self.kind {
            ResourceViewKind::Primitive(primitive) => {
                primitive.pending = None;
                primitive.pending_on = None;
            }
            ResourceViewKind::Group { members } => members.iter_mut().for_each(Self::drop_pending),
            ResourceViewKind::Clone { instances, .. } => instances.iter_mut().for_each(Self::drop_pending),
            ResourceViewKind::Bundle { replicas, .. } => {
                for replica in replicas {
                    let parts = [&mut replica.ip, &mut replica.child, &mut replica.remote];
                    parts.into_iter().flatten().for_each(Self::drop_pending);
                    replica.container.drop_pending();
                }
            }
        }
    }
}

impl Overview {
    /// What displays show of `status`.
    pub fn new(status: &Status<'_>) -> Self {
        build::overview(status)
    }

    /// The same once constraints have been looked at: for a lost ticket nodes may have to be fenced, and resources be left as they are.
    pub fn after_constraints(mut status: Status<'_>) -> Self {
        // Blocked by a failure are those that were before.
        let n_blocked = build::n_blocked(&status);
        crate::placement::apply_lost_tickets(&mut status);
        let mut overview = Self::new(&status);
        overview.summary.n_blocked = n_blocked;
        overview
    }

    /// The same without bans and operation histories, for displays that show neither: they take longer than the rest.
    pub fn without_history(status: &Status<'_>) -> Self {
        build::without_history(status)
    }

    /// The same without operations under way: as things will be once those are over.
    #[must_use]
    pub fn without_pending(mut self) -> Self {
        self.resources.iter_mut().for_each(ResourceView::drop_pending);
        self
    }
}
