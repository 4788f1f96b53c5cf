//! Reasons as data: what the scheduler noticed, and what follows from it.

use std::{fmt, sync::Arc, time::Duration};
use systole_types::{ElementId, NodeId, ResourceId, Score, TransitionMagic};

/// One reason. `explain`, logs and the simulator all render these.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// The resource it is about, if any.
    pub resource: Option<ResourceId>,
    /// The node it is about, if any.
    pub node: Option<NodeId>,
    /// The element of the configuration it comes from, if any.
    pub element: Option<ElementId>,
    /// How much it matters.
    pub level: Level,
    /// What it says.
    pub kind: NoteKind,
}

/// How much a note matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Of interest when asked for.
    Info,
    /// Worth a person's attention (`Warning` of the incumbent's logs).
    Warning,
    /// A mistake in the configuration.
    ConfigError,
}

/// What a note says. Grows with the scheduler: add a variant with data rather than a text where someone may want to ask for it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum NoteKind {
    /// The node will be fenced.
    NeedsFencing {
        /// Why.
        reason: Arc<str>,
    },
    /// An operation failed.
    OperationFailed {
        /// `RSC_monitor_10000`.
        key: Arc<str>,
        /// What follows.
        consequence: Arc<str>,
    },
    /// The resource may not run on the node; on no node, if the note is about none.
    Banned(Cause),
    /// A score counted for the resource on the node.
    Scored(Score, Cause),
    /// The instance is not promoted where it runs.
    NotPromoted(NotPromoted),
    /// A score counted for promoting the instance on the node it is assigned to; −INFINITY forbids it.
    PromotionScored(Score, Cause),
    /// Something that should be done to the resource on the node cannot be.
    Stuck {
        /// `start`, `stop`, `promote`...
        task: Arc<str>,
        /// Why not.
        obstacle: Obstacle,
    },
    /// The resource is found active on several nodes.
    MultipleActive {
        /// On these.
        nodes: Vec<NodeId>,
    },
    /// The node is unclean, and nothing can be done about it.
    NotFenced,
    /// An order is left out: the resource is the container of the guest that `first` runs in, and would wait for what is inside of itself.
    OrderIgnored {
        /// What was to come first.
        first: ResourceId,
    },
    /// Only private parameters differ from those an operation was run with, and they may have been taken out of the CIB.
    OnlyPrivateChanged {
        /// The operation's name.
        operation: Arc<str>,
        /// Zero for one that does not recur.
        interval: Duration,
        /// By which it is told from others.
        magic: Option<TransitionMagic>,
    },
    /// A device has changed since it unfenced the node.
    DeviceChanged {
        /// What the node would have to remember for this to be no change; `None` if only private parameters differ.
        summary: Option<Arc<str>>,
        /// It was found when resources had their places.
        is_late: bool,
    },
    /// Anything else, as a sentence.
    Text(Arc<str>),
}

/// Where a score comes from, or what keeps a resource off a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Cause {
    /// A location constraint, or a rule of one: the note's element.
    Location,
    /// Health attributes of the node.
    NodeHealth,
    /// `resource-stickiness`.
    Stickiness,
    /// The promotion score that the agent gave the instance there.
    Promotion,
    /// A colocation constraint (the note's element), or what resources are to each other.
    Colocation {
        /// The other resource.
        with: ResourceId,
        /// What it has to say.
        says: Companion,
    },
    /// `migration-threshold`.
    Failures {
        /// How often it failed.
        count: Score,
        /// How often it may.
        threshold: Score,
    },
    /// An operation that failed in a way that forbids another try.
    History(&'static str),
    /// `shutdown-lock`: it waits for this node.
    ShutdownLock(NodeId),
    /// `resource-discovery="exclusive"` names other nodes.
    Discovery,
    /// A ticket that is not granted, or in standby.
    Ticket {
        /// Its name.
        ticket: Arc<str>,
        /// It is granted: only standby keeps it from counting.
        is_granted: bool,
    },
    /// It is to be stopped: by `target-role`, or as a failure asks for.
    ToBeStopped(&'static str),
    /// The node has not enough left of what the resource (and what goes with it) needs.
    Capacity {
        /// Of what.
        name: Arc<str>,
        /// How much is needed.
        needed: i64,
        /// How much is left.
        free: i64,
    },
    /// The node has as many instances as it may have.
    NodeFull,
    /// There are as many instances as there may be.
    EnoughInstances,
    /// It has to be where this container, or remote connection, is.
    Inside(ResourceId),
    /// Fence devices, and connections to remote nodes, run on cluster nodes only.
    ClusterNodesOnly,
}

/// What the other side of a colocation has to say about a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Companion {
    /// It will be there.
    IsHere,
    /// It will be on another node.
    IsElsewhere(NodeId),
    /// It will be nowhere.
    IsNowhere,
    /// It has several parts, none of which decides alone.
    IsSeveral,
    /// It will be promoted there.
    IsPromotedHere,
    /// It will be promoted on these nodes.
    IsPromotedOn(Vec<NodeId>),
    /// It will be promoted nowhere.
    IsPromotedNowhere,
    /// It follows this resource, and likes the node.
    Likes,
    /// It follows this resource, and would rather not be there.
    Dislikes,
    /// It follows this resource, and may not run there.
    MayNot,
}

/// Why an instance is not promoted.
#[derive(Clone, Debug, PartialEq)]
pub enum NotPromoted {
    /// `promoted-max` others are worth more.
    Enough(u32),
    /// Neither its agent nor a constraint gives it a promotion score.
    NoScore,
    /// Its promotion score is below zero.
    Score(Score),
    /// `target-role=Unpromoted`, or what a failure asks for.
    ToBeUnpromoted(&'static str),
    /// It will not run.
    NotRunning,
    /// The node has as many promoted instances as it may have, or cannot take one.
    NodeFull,
    /// Nothing new is promoted without quorum (`no-quorum-policy=freeze`).
    NoQuorum,
}

/// Why an action cannot be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Obstacle {
    /// Another action that has to be done before cannot be.
    Action {
        /// Of this resource; `None`: of a node, or of several resources.
        resource: Option<ResourceId>,
        /// `start`, `stop`...
        task: Arc<str>,
    },
    /// It has to run together with this resource, which cannot be started (or promoted).
    Companion(ResourceId),
    /// The partition has no quorum.
    NoQuorum,
    /// The node cannot be reached.
    NodeAway,
    /// The node is joining still.
    NodePending,
    /// Whether it runs on this node already cannot be found out.
    NotProbed(NodeId),
    /// The cluster leaves the resource alone.
    Unmanaged,
    /// As planning calls it.
    Other(Arc<str>),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Location => f.write_str("location constraint"),
            Self::NodeHealth => f.write_str("node health"),
            Self::Stickiness => f.write_str("resource-stickiness"),
            Self::Promotion => f.write_str("promotion score"),
            Self::Colocation { with, says } => match says {
                Companion::IsHere => write!(f, "{with} will be there"),
                Companion::IsElsewhere(node) => write!(f, "{with} will be on {node}"),
                Companion::IsNowhere => write!(f, "{with}, which it has to be with, will run nowhere"),
                Companion::IsSeveral => write!(f, "where {with} will be"),
                Companion::IsPromotedHere => write!(f, "{with} will be promoted there"),
                Companion::IsPromotedOn(nodes) => {
                    let names: Vec<&str> = nodes.iter().map(NodeId::as_str).collect();
                    write!(f, "{with} will be promoted on {}", names.join(" and "))
                }
                Companion::IsPromotedNowhere => write!(f, "{with} will be promoted nowhere"),
                Companion::Likes => write!(f, "{with}, which follows it, would like to be there"),
                Companion::Dislikes => write!(f, "{with}, which follows it, would rather not be there"),
                Companion::MayNot => write!(f, "{with}, which follows it, may not run there"),
            },
            Self::Failures { count, threshold } => {
                write!(f, "failures there: {count}, migration-threshold: {threshold}")
            }
            Self::History(word) => f.write_str(history_words(word)),
            Self::ShutdownLock(node) => write!(f, "it waits for {node}, which was shut down (shutdown-lock)"),
            Self::Discovery => f.write_str("resource-discovery is exclusive to other nodes"),
            Self::Ticket { ticket, is_granted } => {
                write!(f, "ticket {ticket} is {}", if *is_granted { "in standby" } else { "not granted" })
            }
            Self::ToBeStopped("target-role") => f.write_str("target-role says Stopped"),
            Self::ToBeStopped(word) => write!(f, "it has to be stopped: {word}"),
            Self::Capacity { name, needed, free } => {
                write!(f, "not enough {name} left: {needed} needed, {free} free")
            }
            Self::NodeFull => f.write_str("the node has as many instances as it may have"),
            Self::EnoughInstances => f.write_str("there are as many instances as there may be"),
            Self::Inside(container) => write!(f, "it has to be where {container} is"),
            Self::ClusterNodesOnly => f.write_str("it runs on cluster nodes only"),
        }
    }
}

/// Plain words for the scheduler's own names of bans.
fn history_words(word: &str) -> &str {
    match word {
        "hard-error" => "an operation failed there in a way that makes another try pointless (hard error)",
        "fatal-error" => "an operation failed in a way that makes a try anywhere pointless (fatal error)",
        "__stop_fail__" => "its stop failed there",
        "__action_migration_auto__" => "an operation with on-fail=migrate failed there",
        "masked-probe-failure" => "its probe failed there: the agent cannot work there",
        "not_managed_default" => "it is not managed, and stays where it is",
        "__removed_do_not_run__" => "it is not in the configuration any more",
        "not to be started anywhere" => {
            "a failure keeps it from being started, or it is active several times"
        }
        other => other,
    }
}

impl fmt::Display for NotPromoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enough(0) => f.write_str("promoted-max is 0"),
            Self::Enough(max) => write!(f, "promoted-max is {max}, and others are worth more"),
            Self::NoScore => {
                f.write_str("it has no promotion score: neither its agent nor a constraint gives one")
            }
            Self::Score(score) => write!(f, "its promotion score is {score}"),
            Self::ToBeUnpromoted("target-role") => f.write_str("target-role says Unpromoted"),
            Self::ToBeUnpromoted(word) => write!(f, "it has to be unpromoted: {word}"),
            Self::NotRunning => f.write_str("it will not run"),
            Self::NodeFull => f.write_str("its node cannot take (another) promoted instance"),
            Self::NoQuorum => f.write_str("without quorum nothing is promoted (no-quorum-policy=freeze)"),
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Action { resource: Some(resource), task } => {
                write!(f, "{task} of {resource} has to come first, and cannot be done")
            }
            Self::Action { resource: None, task } => {
                write!(f, "{task} has to come first, and cannot be done")
            }
            Self::Companion(resource) => write!(f, "{resource}, which it has to run with, cannot be started"),
            Self::NoQuorum => f.write_str("the partition has no quorum"),
            Self::NodeAway => f.write_str("the node cannot be reached"),
            Self::NodePending => f.write_str("the node is still joining"),
            Self::NotProbed(node) => write!(f, "whether it runs on {node} already cannot be found out"),
            Self::Unmanaged => f.write_str("the cluster leaves the resource alone"),
            Self::Other(word) => f.write_str(word),
        }
    }
}

impl Note {
    /// A note about nothing in particular yet.
    pub fn new(level: Level, kind: NoteKind) -> Self {
        Self { resource: None, node: None, element: None, level, kind }
    }

    /// About this resource.
    #[must_use]
    pub fn resource(mut self, id: &ResourceId) -> Self {
        self.resource = Some(id.clone());
        self
    }

    /// About this node.
    #[must_use]
    pub fn node(mut self, name: &NodeId) -> Self {
        self.node = Some(name.clone());
        self
    }

    /// From this element of the configuration.
    #[must_use]
    pub fn element(mut self, id: &ElementId) -> Self {
        self.element = Some(id.clone());
        self
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(resource) = &self.resource {
            write!(f, "{resource}")?;
        }
        if let Some(node) = &self.node {
            write!(f, "{}{node}", if self.resource.is_some() { " on " } else { "" })?;
        }
        if self.resource.is_some() || self.node.is_some() {
            f.write_str(": ")?;
        }
        match &self.kind {
            NoteKind::NeedsFencing { reason } => write!(f, "will be fenced: {reason}")?,
            NoteKind::OperationFailed { key, consequence } => write!(f, "{key} failed: {consequence}")?,
            NoteKind::Banned(cause) => write!(f, "may not run there: {cause}")?,
            NoteKind::Scored(score, cause) => write!(f, "{score}: {cause}")?,
            NoteKind::NotPromoted(why) => write!(f, "not promoted: {why}")?,
            NoteKind::PromotionScored(score, cause) => write!(f, "promotion: {score}: {cause}")?,
            NoteKind::Stuck { task, obstacle } => write!(f, "{task} cannot be done: {obstacle}")?,
            NoteKind::MultipleActive { nodes } => {
                f.write_str("active on several nodes:")?;
                for node in nodes {
                    write!(f, " {node}")?;
                }
            }
            NoteKind::NotFenced => f.write_str("is unclean, and cannot be fenced")?,
            NoteKind::OrderIgnored { first } => {
                write!(f, "an order after {first} is ignored: that runs in the guest whose container it is")?;
            }
            NoteKind::OnlyPrivateChanged { operation, .. } => {
                write!(f, "only private parameters changed since {operation}")?;
            }
            NoteKind::DeviceChanged { summary: Some(_), .. } => {
                f.write_str("changed since it unfenced the node")?
            }
            NoteKind::DeviceChanged { summary: None, .. } => {
                f.write_str("only private parameters changed since it unfenced the node")?;
            }
            NoteKind::Text(text) => f.write_str(text)?,
        }
        match &self.element {
            Some(element) => write!(f, " (from {element})"),
            None => Ok(()),
        }
    }
}
