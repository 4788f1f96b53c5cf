//! The state of a cluster as plain data. `--json` prints it as it is.

use serde::Serialize;

/// The state of a cluster.
#[derive(Clone, Debug, Default, Serialize)]
pub struct StatusReport {
    /// The first lines.
    pub summary: Summary,
    /// Nodes by name.
    pub nodes: Vec<NodeReport>,
    /// Resources in the order configured, removed ones last.
    pub resources: Vec<ResourceReport>,
    /// Failed operations.
    pub failures: Vec<FailureReport>,
    /// Location constraints that ban a resource from a node.
    pub bans: Vec<BanReport>,
    /// Tickets.
    pub tickets: Vec<TicketReport>,
}

/// The first lines of a status.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// `corosync`, `hub`...
    pub stack: Option<String>,
    /// The DC's name.
    pub dc: Option<String>,
    /// The DC's id.
    pub dc_id: Option<String>,
    /// The DC's version.
    pub dc_version: Option<String>,
    /// Whether the partition has quorum.
    pub has_quorum: bool,
    /// When this was looked at, seconds since 1970.
    pub last_updated: i64,
    /// When the configuration changed last, as written.
    pub last_change: Option<String>,
    /// By whom.
    pub last_change_user: Option<String>,
    /// With what program.
    pub last_change_client: Option<String>,
    /// On which node.
    pub last_change_origin: Option<String>,
    /// How many nodes there are, guests included.
    pub n_nodes: usize,
    /// How many instances.
    pub n_resources: usize,
    /// How many of them are disabled.
    pub n_disabled: usize,
    /// How many of them are left alone because of failures.
    pub n_blocked: usize,
    /// Cluster options worth knowing.
    pub options: OptionsReport,
}

/// Cluster options worth knowing.
#[derive(Clone, Debug, Serialize)]
pub struct OptionsReport {
    /// `fencing-enabled`.
    pub fencing_enabled: bool,
    /// `fencing-action`.
    pub fencing_action: String,
    /// `fencing-timeout`.
    pub fencing_timeout_ms: u128,
    /// `symmetric-cluster`.
    pub symmetric: bool,
    /// `no-quorum-policy`.
    pub no_quorum_policy: String,
    /// `maintenance-mode`.
    pub maintenance_mode: bool,
    /// `stop-all-resources`.
    pub stop_all: bool,
    /// `priority-fencing-delay`.
    pub priority_fencing_delay_ms: u128,
}

impl Default for OptionsReport {
    fn default() -> Self {
        Self {
            fencing_enabled: true,
            fencing_action: "reboot".to_owned(),
            fencing_timeout_ms: 60_000,
            symmetric: true,
            no_quorum_policy: "stop".to_owned(),
            maintenance_mode: false,
            stop_all: false,
            priority_fencing_delay_ms: 0,
        }
    }
}

/// Kinds of node, as they are labelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum NodeLabel {
    /// Runs the cluster layer.
    #[default]
    Member,
    /// Reached by a connection.
    Remote,
    /// Lives in a resource.
    Guest,
}

/// A node.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NodeReport {
    /// Name.
    pub name: String,
    /// `id`.
    pub id: String,
    /// What kind of node.
    pub kind: NodeLabel,
    /// Can run resources.
    pub online: bool,
    /// `standby` attribute.
    pub standby: bool,
    /// In standby because of a failure.
    pub standby_on_fail: bool,
    /// In maintenance.
    pub maintenance: bool,
    /// Coming up.
    pub pending: bool,
    /// Needs fencing.
    pub unclean: bool,
    /// Is leaving.
    pub shutdown: bool,
    /// Is meant to be up.
    pub expected_up: bool,
    /// Schedules.
    pub is_dc: bool,
    /// `green`, `yellow` or `red`.
    pub health: String,
    /// The features its software knows, if that is known.
    pub feature_set: Option<String>,
    /// Of a guest node: the resource it lives in.
    pub container: Option<String>,
    /// Of a guest node: where that runs.
    pub host: Option<String>,
    /// What runs here, in the order found.
    pub running: Vec<PrimitiveReport>,
    /// Attributes by name, with what a connectivity attribute should be.
    pub attributes: Vec<AttributeReport>,
    /// What was done here, in the order of the status section.
    pub history: Vec<HistoryReport>,
}

/// A node attribute.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AttributeReport {
    /// Name.
    pub name: String,
    /// Value.
    pub value: String,
    /// What a `ping` resource would count if everything answered.
    pub expected: Option<i64>,
}

/// What was done to a resource on a node.
#[derive(Clone, Debug, Default, Serialize)]
pub struct HistoryReport {
    /// The instance.
    pub resource: String,
    /// Not configured any more.
    pub removed: bool,
    /// `migration-threshold`.
    pub migration_threshold: i64,
    /// Failures counted.
    pub fail_count: Option<String>,
    /// When it failed last, seconds since 1970.
    pub last_failure: Option<i64>,
    /// Operations by call number.
    pub operations: Vec<OperationReport>,
}

/// One operation.
#[derive(Clone, Debug, Default, Serialize)]
pub struct OperationReport {
    /// Number of the executor's call.
    pub call: i64,
    /// `start`, `monitor`, `probe`...
    pub task: String,
    /// Result.
    pub rc: i32,
    /// Result in words.
    pub rc_text: String,
    /// Milliseconds; 0 if done once.
    pub interval_ms: u64,
    /// When the result changed last.
    pub last_rc_change: Option<i64>,
    /// How long it took.
    pub exec_ms: Option<u64>,
    /// How long it waited.
    pub queue_ms: Option<u64>,
}

/// A failed operation.
#[derive(Clone, Debug, Default, Serialize)]
pub struct FailureReport {
    /// `RSC_monitor_10000`.
    pub key: String,
    /// The instance.
    pub resource: String,
    /// `monitor`, `start`...
    pub task: String,
    /// Milliseconds; 0 if done once.
    pub interval_ms: u64,
    /// Where.
    pub node: String,
    /// Result.
    pub rc: i32,
    /// Result in words.
    pub rc_text: String,
    /// How the execution went, in words.
    pub status: String,
    /// Whether the agent ran to its end.
    pub ran: bool,
    /// What the agent said.
    pub reason: Option<String>,
    /// Number of the executor's call.
    pub call: i64,
    /// When, seconds since 1970.
    pub last_rc_change: Option<i64>,
    /// How long it took.
    pub exec_ms: u64,
    /// How long it waited.
    pub queue_ms: u64,
}

/// A ban.
#[derive(Clone, Debug, Default, Serialize)]
pub struct BanReport {
    /// The constraint.
    pub id: String,
    /// The resource.
    pub resource: String,
    /// Not there.
    pub node: String,
    /// The node's id.
    pub node_id: String,
    /// −1,000,000 is never.
    pub score: i32,
    /// Only in the promoted role.
    pub promoted_only: bool,
}

/// A ticket.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TicketReport {
    /// Name.
    pub id: String,
    /// Granted to this site.
    pub granted: bool,
    /// In standby.
    pub standby: bool,
    /// When it was granted last.
    pub last_granted: Option<i64>,
}

/// A resource of any kind.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum ResourceReport {
    /// An agent's.
    Primitive(PrimitiveReport),
    /// Members in sequence.
    Group(GroupReport),
    /// Instances.
    Clone(CloneReport),
    /// Containers.
    Bundle(BundleReport),
}

/// What all kinds of resources share.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Common {
    /// Name, with instance number.
    pub id: String,
    /// Name as shown: without the number of interchangeable instances.
    pub name: String,
    /// Not configured any more.
    pub removed: bool,
    /// The cluster acts on it.
    pub managed: bool,
    /// Left alone for maintenance.
    pub maintenance: bool,
    /// Left alone after a failure.
    pub blocked: bool,
    /// Failed.
    pub failed: bool,
    /// Failed, and nobody minds.
    pub failure_ignored: bool,
    /// `target-role` as written.
    pub target_role: Option<String>,
    /// `description`.
    pub description: Option<String>,
}

impl Common {
    /// Whether `target-role` keeps it stopped.
    pub fn is_disabled(&self) -> bool {
        self.target_role.as_deref().is_some_and(|role| role.eq_ignore_ascii_case("stopped"))
    }

    /// `maintenance`, `unmanaged` or nothing.
    pub fn unmanaged_word(&self) -> Option<&'static str> {
        if self.maintenance {
            Some("maintenance")
        } else if self.managed {
            None
        } else {
            Some("unmanaged")
        }
    }
}

/// A node a resource is on.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Place {
    /// Name.
    pub name: String,
    /// `id`.
    pub id: String,
    /// Whether it is up.
    pub online: bool,
    /// Whether it needs fencing.
    pub unclean: bool,
}

/// Something an agent manages.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PrimitiveReport {
    /// What all kinds share.
    #[serde(flatten)]
    pub common: Common,
    /// `ocf:heartbeat:podman`.
    pub agent: String,
    /// `Started`, `Stopped`...
    pub role: String,
    /// Runs somewhere.
    pub active: bool,
    /// What is being done to it: `Starting`, `Monitoring`...
    pub pending: Option<String>,
    /// Locked to this node.
    pub locked_to: Option<String>,
    /// Can be promoted.
    pub promotable: bool,
    /// Where it runs.
    pub nodes: Vec<Place>,
    /// Why it is not running, if a probe failed: `Not installed`. Per node.
    pub failed_probes: Vec<(String, String)>,
}

/// A group.
#[derive(Clone, Debug, Default, Serialize)]
pub struct GroupReport {
    /// What all kinds share.
    #[serde(flatten)]
    pub common: Common,
    /// In order.
    pub members: Vec<PrimitiveReport>,
}

/// A clone.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CloneReport {
    /// What all kinds share.
    #[serde(flatten)]
    pub common: Common,
    /// What it has instances of.
    pub child: String,
    /// Promotable.
    pub promotable: bool,
    /// Each instance is different.
    pub unique: bool,
    /// How many instances there may be.
    pub max: usize,
    /// Instances.
    pub instances: Vec<InstanceReport>,
    /// Nodes where an instance may be: those without one are listed as stopped.
    pub allowed: Vec<String>,
}

/// An instance of a clone.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum InstanceReport {
    /// Of a primitive.
    Primitive(PrimitiveReport),
    /// Of a group.
    Group(GroupReport),
}

/// A bundle.
#[derive(Clone, Debug, Default, Serialize)]
pub struct BundleReport {
    /// What all kinds share.
    #[serde(flatten)]
    pub common: Common,
    /// `podman`, `docker`.
    pub runtime: String,
    /// The image.
    pub image: String,
    /// Each replica is different.
    pub unique: bool,
    /// Replicas.
    pub replicas: Vec<ReplicaReport>,
}

/// A replica of a bundle.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ReplicaReport {
    /// Its number.
    pub number: u32,
    /// Its address.
    pub address: Option<String>,
    /// The address's resource.
    pub ip: Option<PrimitiveReport>,
    /// The container.
    pub container: PrimitiveReport,
    /// The connection to the guest node inside.
    pub remote: Option<PrimitiveReport>,
    /// The instance inside.
    pub child: Option<PrimitiveReport>,
}

impl ReplicaReport {
    /// Its resources in the order they are shown in.
    pub fn parts(&self) -> impl Iterator<Item = &PrimitiveReport> {
        self.ip.iter().chain(&self.child).chain([&self.container]).chain(&self.remote)
    }
}

impl ResourceReport {
    /// What all kinds share.
    pub fn common(&self) -> &Common {
        match self {
            Self::Primitive(primitive) => &primitive.common,
            Self::Group(group) => &group.common,
            Self::Clone(clone) => &clone.common,
            Self::Bundle(bundle) => &bundle.common,
        }
    }

    /// All its instances of agents.
    pub fn primitives(&self) -> Vec<&PrimitiveReport> {
        match self {
            Self::Primitive(primitive) => vec![primitive],
            Self::Group(group) => group.members.iter().collect(),
            Self::Clone(clone) => clone.instances.iter().flat_map(InstanceReport::primitives).collect(),
            Self::Bundle(bundle) => bundle.replicas.iter().flat_map(ReplicaReport::parts).collect(),
        }
    }

    /// Whether anything of it runs.
    pub fn is_active(&self) -> bool {
        self.primitives().iter().any(|primitive| primitive.active)
    }
}

impl InstanceReport {
    /// What all kinds share.
    pub fn common(&self) -> &Common {
        match self {
            Self::Primitive(primitive) => &primitive.common,
            Self::Group(group) => &group.common,
        }
    }

    /// Its instances of agents.
    pub fn primitives(&self) -> Vec<&PrimitiveReport> {
        match self {
            Self::Primitive(primitive) => vec![primitive],
            Self::Group(group) => group.members.iter().collect(),
        }
    }
}
