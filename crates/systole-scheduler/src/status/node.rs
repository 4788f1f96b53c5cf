//! Nodes.

use super::{Attributes, HistoryRef, NodeIdx, RscIdx};
use std::{collections::BTreeMap, sync::Arc};
use systole_cib::model::NodeState;
use systole_types::{NodeId, NodeUuid, Score};

/// A node, as things stand.
#[derive(Clone, Debug)]
pub struct Node<'a> {
    /// Name.
    pub name: NodeId,
    /// `id`.
    pub uuid: NodeUuid,
    /// What kind of node.
    pub kind: NodeKind,
    /// Base score of the node (`score` of `<node>`; a node of `type="ping"` never runs anything).
    pub base_score: Score,
    /// Can run resources as far as membership goes.
    pub online: bool,
    /// Needs fencing before what it ran may run elsewhere.
    pub unclean: bool,
    /// Nothing is known of it: no `<node_state>` (`startup-fencing` decided over it).
    pub unseen: bool,
    /// Coming up, not a member of the controllers' group yet.
    pub pending: bool,
    /// Runs nothing: `standby` attribute.
    pub standby: bool,
    /// In standby because of an operation with `on-fail=standby`.
    pub standby_on_fail: bool,
    /// `maintenance` attribute.
    pub maintenance: bool,
    /// Is leaving, or has asked to.
    pub shutdown: bool,
    /// Is expected to be a member (`expected="member"`).
    pub expected_up: bool,
    /// Schedules.
    pub is_dc: bool,
    /// `<node>` or `<node_state>` exists, or its connection is configured; `false` for what only old history names.
    pub is_configured: bool,
    /// Probes are done here (`resource-discovery-enabled`, for remote and guest nodes).
    pub discovery: bool,
    /// A remote node whose connection failed in a way that needs fencing.
    pub remote_requires_reset: bool,
    /// A remote node known to have been fenced since it was last up.
    pub remote_was_fenced: bool,
    /// The status section says it is in maintenance (remote and guest nodes: `node_in_maintenance`).
    pub remote_maintenance: bool,
    /// Sum of health attributes by the health strategy: counts for every resource there.
    pub health: Score,
    /// The worst of its health attributes, as a colour.
    pub health_color: HealthColor,
    /// Sum of the priorities of what runs here, for `priority-fencing-delay`.
    pub priority: i32,
    /// Its history has been looked at.
    pub is_unpacked: bool,
    /// Permanent and transient attributes merged, and `#uname`, `#id`, `#kind`, `#is_dc`, `#site-name`, `#cluster-name`...
    pub attributes: Attributes,
    /// Capacities.
    pub utilization: BTreeMap<Arc<str>, i64>,
    /// Resources active here, instances and connections, in the order found.
    pub running: Vec<RscIdx>,
    /// Operation histories of this node that could be matched with a resource, in document order, each with the instance it is of.
    pub histories: Vec<HistoryRef<'a>>,
    /// `fail-count-...` attributes of this node: for lookups without building names.
    pub fail_counts: Vec<super::FailCount>,
    /// `<node_state>`.
    pub state: Option<&'a NodeState>,
}

/// Health as a colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum HealthColor {
    /// All is well, or health is ignored.
    #[default]
    Green,
    /// Something is amiss.
    Yellow,
    /// Resources should leave.
    Red,
}

/// What kind of node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeKind {
    /// Runs the cluster layer.
    Member,
    /// Reached through a connection resource that is not bound to a container.
    Remote {
        /// The connection; `None` where only the node is left of it.
        connection: Option<RscIdx>,
    },
    /// Lives inside a resource (a virtual machine, a bundle's container).
    Guest {
        /// The connection.
        connection: RscIdx,
        /// The resource it lives in.
        container: RscIdx,
        /// A bundle's replica.
        is_bundle: bool,
    },
    /// Of `type="ping"`: only to be looked at.
    Ping,
}

impl Node<'_> {
    /// The base score as things stand: what is down or leaving is out of the question. Configured resources are made before
    /// this is known, and begin with the base score itself.
    pub fn present_score(&self) -> Score {
        let is_out = !self.is_remote_or_guest() && !self.unseen && (!self.online || self.shutdown);
        if is_out { Score::MINUS_INFINITY } else { self.base_score }
    }

    /// Whether it has been asked to shut down, by its attribute. A remote node's connection may be stopping without.
    pub fn is_asked_to_leave(&self) -> bool {
        self.attribute("shutdown").is_some_and(|value| value != "0")
    }

    /// A node of which nothing is known yet.
    pub(super) fn new(name: NodeId, uuid: NodeUuid, kind: NodeKind, base_score: Score) -> Self {
        Self {
            name,
            uuid,
            kind,
            base_score,
            online: false,
            unclean: false,
            unseen: true,
            pending: false,
            standby: false,
            standby_on_fail: false,
            maintenance: false,
            shutdown: false,
            expected_up: false,
            is_dc: false,
            is_configured: false,
            discovery: true,
            remote_requires_reset: false,
            remote_was_fenced: false,
            remote_maintenance: false,
            health: Score::ZERO,
            health_color: HealthColor::Green,
            priority: 0,
            is_unpacked: false,
            attributes: Attributes::new(),
            utilization: BTreeMap::new(),
            running: Vec::new(),
            histories: Vec::new(),
            fail_counts: Vec::new(),
            state: None,
        }
    }

    /// Whether it is a remote or guest node.
    pub const fn is_remote_or_guest(&self) -> bool {
        matches!(self.kind, NodeKind::Remote { .. } | NodeKind::Guest { .. })
    }

    /// Whether it is a guest node, of a bundle or not.
    pub const fn is_guest(&self) -> bool {
        matches!(self.kind, NodeKind::Guest { .. })
    }

    /// Whether it is a bundle's replica.
    pub const fn is_bundle(&self) -> bool {
        matches!(self.kind, NodeKind::Guest { is_bundle: true, .. })
    }

    /// Whether it is a remote node that is no guest.
    pub const fn is_remote(&self) -> bool {
        matches!(self.kind, NodeKind::Remote { .. })
    }

    /// The connection of a remote or guest node.
    pub const fn connection(&self) -> Option<RscIdx> {
        match self.kind {
            NodeKind::Remote { connection } => connection,
            NodeKind::Guest { connection, .. } => Some(connection),
            NodeKind::Member | NodeKind::Ping => None,
        }
    }

    /// An attribute, permanent or transient.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(|value| &**value)
    }

    /// Whether resources may be run here as things stand: online, clean, neither standby, maintenance nor leaving.
    pub const fn is_available(&self) -> bool {
        self.online && !self.shutdown && !self.unclean && !self.standby && !self.maintenance
    }
}

/// A node that has to be fenced, by what was found while unpacking. (For a guest node: its container has to be recovered.)
#[derive(Clone, Debug, PartialEq)]
pub struct FencingRequest {
    /// Which node.
    pub node: NodeIdx,
    /// Why: as the graph's and the summary's reason.
    pub reason: Arc<str>,
    /// Whether `priority-fencing-delay` counts (not if the node was lost as a whole).
    pub priority_delay: bool,
}
