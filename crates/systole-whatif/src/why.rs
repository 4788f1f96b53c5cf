//! Why a resource is where it is, and why not elsewhere: the scheduler's notes, put together for one resource.

mod ask;
mod elements;
pub(crate) mod orders;
mod text;
mod waits;

pub use ask::Asker;
pub use orders::IgnoredOrder;

use crate::{Circle, happening::Happening};
use std::sync::Arc;
use systole_scheduler::note::{Cause, NotPromoted, Obstacle};
use systole_types::{ElementId, NodeId, OcfRc, OpStatus, ResourceId, Role, Score, Timestamp};

/// What is told of one resource.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The resource that was asked about.
    pub resource: ResourceId,
    /// `primitive`, `group`, `clone`, `bundle`.
    pub kind: &'static str,
    /// How many copies there are and should be, of a clone or bundle.
    pub copies: Option<Copies>,
    /// Each instance (or member) below it; itself, if agents manage it directly.
    pub parts: Vec<Part>,
}

/// A part of a resource: an instance, a member, or all that a bundle's replica consists of.
#[derive(Clone, Debug)]
pub struct Part {
    /// `web:0`, `replica 1`.
    pub name: String,
    /// What is told of what agents manage in it.
    pub answers: Vec<Answer>,
}

/// Copies of a clone or bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copies {
    /// How many there should be: `clone-max`, `replicas`.
    pub wanted: u32,
    /// How many run.
    pub active: u32,
    /// How many should be promoted; 0 unless promotable.
    pub promoted_wanted: u32,
    /// How many are.
    pub promoted: u32,
}

/// What is told of one instance.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its name.
    pub resource: ResourceId,
    /// Its role now.
    pub role: Role,
    /// Where it is active.
    pub running_on: Vec<NodeId>,
    /// The same, where that is a guest node with the node its container is active on.
    pub hosts: Vec<NodeId>,
    /// Where the scheduler wants it.
    pub assigned: Option<NodeId>,
    /// In which role.
    pub next_role: Role,
    /// It is where it belongs, and nothing is to be done.
    pub is_settled: bool,
    /// What holds wherever it is.
    pub reasons: Vec<Reason>,
    /// What holds for single nodes, by name.
    pub nodes: Vec<NodeAnswer>,
    /// What happens to it next.
    pub happenings: Vec<Happening>,
    /// What that waits for.
    pub waits: Vec<Wait>,
}

/// What is told of an instance on one node.
#[derive(Clone, Debug)]
pub struct NodeAnswer {
    /// The node.
    pub node: NodeId,
    /// How much the instance is wanted there; `None`: it may never run there.
    pub score: Option<Score>,
    /// What counts.
    pub reasons: Vec<Reason>,
}

/// One reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    /// The element of the configuration it comes from.
    pub element: Option<ElementId>,
    /// What it is.
    pub why: Why,
    /// When the rule it comes from will not hold any more, if that is certain.
    pub until: Option<Timestamp>,
}

/// What a reason says.
#[derive(Clone, Debug, PartialEq)]
pub enum Why {
    /// A score counts.
    Score(Score, Cause),
    /// It may not run there.
    Banned(Cause),
    /// It is not promoted.
    NotPromoted(NotPromoted),
    /// A score counts for its promotion; −INFINITY forbids it.
    Promotion(Score, Cause),
    /// It may run only where this resource does (or is promoted), which is where it is.
    OnlyWith {
        /// The other resource.
        with: ResourceId,
        /// In the promoted role.
        promoted: bool,
    },
    /// Something that should be done cannot be.
    Stuck {
        /// What.
        task: Arc<str>,
        /// Why not.
        obstacle: Obstacle,
    },
    /// The node itself cannot run it.
    Node(NodeFault),
    /// Its scores there add up to less than zero.
    BelowZero(Score),
    /// Nothing allows the node.
    NotAllowed {
        /// `symmetric-cluster=false`: a constraint could.
        opt_in: bool,
    },
    /// Another node is better.
    Worse {
        /// Which.
        than: NodeId,
        /// Its score.
        score: Score,
    },
    /// Another node is as good.
    NoBetter {
        /// Which.
        than: NodeId,
        /// It runs there already.
        runs_there: bool,
    },
    /// The cluster leaves it alone.
    Unmanaged(Unmanaged),
    /// `stop-all-resources`.
    StopAll,
    /// It is not in the configuration any more.
    Removed,
    /// The partition has no quorum, and `no-quorum-policy` is this.
    NoQuorum(&'static str),
    /// An operation failed there.
    Failed(Failure),
    /// What is planned for it waits for itself.
    Circle(Circle),
    /// A constraint with `resource-discovery="exclusive"` names the node.
    Discovery,
    /// The node is a bundle's guest: nothing else runs there.
    GuestOfBundle(ResourceId),
}

/// Why a node runs nothing (new).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeFault {
    /// Offline.
    Offline,
    /// Unclean: it has to be fenced before what it ran may run elsewhere.
    Unclean {
        /// It can be.
        can_be_fenced: bool,
    },
    /// In standby.
    Standby,
    /// In standby since an operation failed (`on-fail=standby`).
    StandbyOnFail,
    /// In maintenance.
    Maintenance,
    /// Shutting down.
    ShuttingDown,
    /// Still joining.
    Pending,
    /// A guest or remote node that is not up: its container or connection.
    NotConnected(ResourceId),
}

/// Why the cluster leaves a resource alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmanaged {
    /// `maintenance-mode` of the cluster.
    Cluster,
    /// Its node is in maintenance.
    Node(NodeId),
    /// `maintenance` of the resource.
    Resource,
    /// `is-managed=false`.
    IsManaged,
    /// A failure that blocks it: `on-fail=block`, a failed stop without fencing, `multiple-active=block`.
    Blocked,
    /// Fencing is on, and there is no fence device.
    NoFenceDevice,
    /// `loss-policy=freeze` of a ticket that was lost.
    Frozen,
    /// Not in the configuration, and `stop-removed-resources=false`.
    Removed,
}

/// A failed operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// `monitor`, `start`...
    pub operation: Arc<str>,
    /// Result of the agent.
    pub rc: OcfRc,
    /// What the executor says of it.
    pub status: OpStatus,
    /// What the agent said.
    pub exit_reason: Option<Arc<str>>,
    /// When.
    pub at: Option<Timestamp>,
}

/// An action that has to wait.
#[derive(Clone, Debug, PartialEq)]
pub struct Wait {
    /// `start`, `stop`, `promote`...
    pub task: String,
    /// Where.
    pub node: Option<NodeId>,
    /// What comes first.
    pub after: Vec<Prior>,
}

/// Something that has to be done first.
#[derive(Clone, Debug, PartialEq)]
pub struct Prior {
    /// `start`, `stop`, `fence`...
    pub task: String,
    /// Of which resource, if of one.
    pub resource: Option<ResourceId>,
    /// Where.
    pub node: Option<NodeId>,
    /// The order constraints that say so.
    pub orders: Vec<ElementId>,
}

impl Reason {
    /// A reason that comes from no element.
    pub const fn plain(why: Why) -> Self {
        Self { element: None, why, until: None }
    }

    /// Whether it alone keeps a resource off (or down).
    pub fn rules_out(&self) -> bool {
        !matches!(
            self.why,
            Why::Score(..)
                | Why::Worse { .. }
                | Why::NoBetter { .. }
                | Why::NotPromoted(_)
                | Why::Promotion(..)
                | Why::OnlyWith { .. }
                | Why::Failed(_)
                | Why::Discovery
        )
    }
}

impl NodeAnswer {
    /// Whether it is a bundle's guest, which the resource has nothing to do with.
    pub fn is_other_guest(&self) -> bool {
        matches!(self.reasons.as_slice(), [Reason { why: Why::GuestOfBundle(_), .. }])
    }
}

impl Answer {
    /// Why it is not promoted, where it should be and others are not worth more.
    pub fn lacks_promotion(&self) -> bool {
        let is_lack = |why: &Why| matches!(why, Why::NotPromoted(why) if !matches!(why, NotPromoted::Enough(1..) | NotPromoted::NotRunning));
        self.all_reasons().any(|(_, reason)| is_lack(&reason.why))
    }

    /// Every reason, with the node it is about.
    pub fn all_reasons(&self) -> impl Iterator<Item = (Option<&NodeId>, &Reason)> {
        let of_nodes = self
            .nodes
            .iter()
            .flat_map(|part| part.reasons.iter().map(move |reason| (Some(&part.node), reason)));
        self.reasons.iter().map(|reason| (None, reason)).chain(of_nodes)
    }

    /// Whether it runs in the guest `node`, and that on `host`.
    pub fn is_inside(&self, node: &NodeId, host: &NodeId) -> bool {
        node != host && self.running_on.contains(node) && self.hosts.contains(host)
    }

    /// The answer about one node.
    pub fn on(&self, node: &NodeId) -> Option<&NodeAnswer> {
        self.nodes.iter().find(|part| part.node == *node)
    }
}
