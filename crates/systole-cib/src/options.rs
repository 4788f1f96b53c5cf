//! Options: their names, what values they take, and what they are for. Here those of the cluster.
//!
//! Source: Pacemaker Explained, "Cluster Options".

mod resource;

pub use resource::{FENCE_DEVICE, PRIMITIVE_META};

/// A kind of value.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Any text.
    Text,
    /// True or false.
    Boolean,
    /// A span of time.
    Duration,
    /// A span of time that is allowed for something.
    Timeout,
    /// A number of a TCP port.
    Port,
    /// A span, or a negative number for "work it out".
    WatchdogTimeout,
    /// A whole number.
    Integer,
    /// A whole number or an infinity.
    Score,
    /// So many of a hundred.
    Percentage,
    /// One of these words.
    OneOf(&'static [&'static str]),
}

impl Kind {
    /// What such a value looks like.
    pub fn describe(self) -> String {
        match self {
            Self::Text => "any text".to_owned(),
            Self::Boolean => "true or false".to_owned(),
            Self::Duration | Self::Timeout => "a span of time such as 30s or 5min".to_owned(),
            Self::Port => "a number of a port".to_owned(),
            Self::WatchdogTimeout => "a span of time such as 10s, or -1".to_owned(),
            Self::Integer => "a whole number".to_owned(),
            Self::Score => "a score: a whole number, INFINITY or -INFINITY".to_owned(),
            Self::Percentage => "a percentage such as 80%".to_owned(),
            Self::OneOf(words) => format!("one of {}", words.join(", ")),
        }
    }
}

/// An option.
#[derive(Clone, Copy, Debug)]
pub struct OptionInfo {
    /// Today's name.
    pub name: &'static str,
    /// What values it takes.
    pub kind: Kind,
    /// What counts where it is not set; empty if nothing does.
    pub default: &'static str,
    /// Who sets it.
    pub audience: Audience,
    /// What it is for.
    pub about: &'static str,
}

/// Whom an option is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// Administrators.
    Everyone,
    /// Those who know exactly what they do.
    Experts,
    /// The cluster itself sets it.
    Cluster,
}

/// All options, in the sequence in which they are listed.
pub const CLUSTER_OPTIONS: &[OptionInfo] = &[
    OptionInfo {
        name: "cluster-name",
        kind: Kind::Text,
        default: "",
        audience: Audience::Everyone,
        about: "What the cluster is called; rules know it as #cluster-name",
    },
    OptionInfo {
        name: "dc-version",
        kind: Kind::Text,
        default: "",
        audience: Audience::Cluster,
        about: "Release of the node that schedules, written by the cluster",
    },
    OptionInfo {
        name: "cluster-infrastructure",
        kind: Kind::Text,
        default: "",
        audience: Audience::Cluster,
        about: "What carries messages between nodes, written by the cluster",
    },
    OptionInfo {
        name: "dc-deadtime",
        kind: Kind::Duration,
        default: "20s",
        audience: Audience::Everyone,
        about: "How long a node that starts waits to hear from others",
    },
    OptionInfo {
        name: "cluster-recheck-interval",
        kind: Kind::Duration,
        default: "15min",
        audience: Audience::Everyone,
        about: "How often the cluster plans anew when nothing happens",
    },
    OptionInfo {
        name: "election-timeout",
        kind: Kind::Duration,
        default: "2min",
        audience: Audience::Experts,
        about: "How long an election of the DC may take",
    },
    OptionInfo {
        name: "shutdown-escalation",
        kind: Kind::Duration,
        default: "20min",
        audience: Audience::Experts,
        about: "How long a node may take to leave in good order",
    },
    OptionInfo {
        name: "join-integration-timeout",
        kind: Kind::Duration,
        default: "3min",
        audience: Audience::Experts,
        about: "How long nodes may take to answer the DC's offer to join",
    },
    OptionInfo {
        name: "join-finalization-timeout",
        kind: Kind::Duration,
        default: "30min",
        audience: Audience::Experts,
        about: "How long nodes may take to finish joining",
    },
    OptionInfo {
        name: "transition-delay",
        kind: Kind::Duration,
        default: "0s",
        audience: Audience::Experts,
        about: "How long to wait for further events before planning",
    },
    OptionInfo {
        name: "no-quorum-policy",
        kind: Kind::OneOf(&["stop", "freeze", "ignore", "demote", "fence", "suicide"]),
        default: "stop",
        audience: Audience::Everyone,
        about: "What happens to resources in a partition without quorum",
    },
    OptionInfo {
        name: "shutdown-lock",
        kind: Kind::Boolean,
        default: "false",
        audience: Audience::Everyone,
        about: "Whether resources of a node that was shut down wait for it to come back",
    },
    OptionInfo {
        name: "shutdown-lock-limit",
        kind: Kind::Duration,
        default: "0",
        audience: Audience::Everyone,
        about: "How long they wait at most; 0: without end",
    },
    OptionInfo {
        name: "enable-acl",
        kind: Kind::Boolean,
        default: "false",
        audience: Audience::Everyone,
        about: "Whether access control lists count",
    },
    OptionInfo {
        name: "cluster-ipc-limit",
        kind: Kind::Integer,
        default: "",
        audience: Audience::Experts,
        about: "Without effect: what waits for a client has bounds of its own",
    },
    OptionInfo {
        name: "symmetric-cluster",
        kind: Kind::Boolean,
        default: "true",
        audience: Audience::Everyone,
        about: "Whether resources may run anywhere unless a constraint forbids it",
    },
    OptionInfo {
        name: "maintenance-mode",
        kind: Kind::Boolean,
        default: "false",
        audience: Audience::Everyone,
        about: "Whether the cluster leaves all resources as they are",
    },
    OptionInfo {
        name: "start-failure-is-fatal",
        kind: Kind::Boolean,
        default: "true",
        audience: Audience::Everyone,
        about: "Whether a failed start keeps the resource off the node for good",
    },
    OptionInfo {
        name: "enable-startup-probes",
        kind: Kind::Boolean,
        default: "true",
        audience: Audience::Everyone,
        about: "Whether a node's resources are looked for when it joins",
    },
    OptionInfo {
        name: "fence-remote-without-quorum",
        kind: Kind::Boolean,
        default: "false",
        audience: Audience::Experts,
        about: "Whether remote nodes are fenced without quorum too",
    },
    OptionInfo {
        name: "fencing-enabled",
        kind: Kind::Boolean,
        default: "true",
        audience: Audience::Experts,
        about: "Whether nodes are fenced before what they ran is recovered",
    },
    OptionInfo {
        name: "fencing-action",
        kind: Kind::OneOf(&["reboot", "off", "poweroff"]),
        default: "reboot",
        audience: Audience::Everyone,
        about: "What is done to a node that has to be fenced",
    },
    OptionInfo {
        name: "fencing-reaction",
        kind: Kind::OneOf(&["stop", "panic"]),
        default: "stop",
        audience: Audience::Everyone,
        about: "What a node does that learns of its own fencing",
    },
    OptionInfo {
        name: "fencing-timeout",
        kind: Kind::Duration,
        default: "60s",
        audience: Audience::Everyone,
        about: "How long fencing may take",
    },
    OptionInfo {
        name: "have-watchdog",
        kind: Kind::Boolean,
        default: "false",
        audience: Audience::Cluster,
        about: "Whether nodes have a watchdog, written by the cluster",
    },
    OptionInfo {
        name: "fencing-watchdog-timeout",
        kind: Kind::WatchdogTimeout,
        default: "0",
        audience: Audience::Everyone,
        about: "After what time a lost node counts as reset by its own watchdog; 0: never",
    },
    OptionInfo {
        name: "fencing-max-attempts",
        kind: Kind::Score,
        default: "10",
        audience: Audience::Everyone,
        about: "How often fencing a node is tried before the cluster waits",
    },
    OptionInfo {
        name: "concurrent-fencing",
        kind: Kind::Boolean,
        default: "true",
        audience: Audience::Everyone,
        about: "Whether several nodes may be fenced at once",
    },
    OptionInfo {
        name: "startup-fencing",
        kind: Kind::Boolean,
        default: "true",
        audience: Audience::Experts,
        about: "Whether nodes that were never seen are fenced at the start",
    },
    OptionInfo {
        name: "priority-fencing-delay",
        kind: Kind::Duration,
        default: "0",
        audience: Audience::Everyone,
        about: "How much later the more important side of a split is fenced",
    },
    OptionInfo {
        name: "node-pending-timeout",
        kind: Kind::Duration,
        default: "0",
        audience: Audience::Everyone,
        about: "How long a member may take to join its processes; 0: without end",
    },
    OptionInfo {
        name: "cluster-delay",
        kind: Kind::Duration,
        default: "60s",
        audience: Audience::Everyone,
        about: "How much longer than its own time limit an action may take over the network",
    },
    OptionInfo {
        name: "load-threshold",
        kind: Kind::Percentage,
        default: "80%",
        audience: Audience::Everyone,
        about: "How much CPU the cluster's programs may use before they take things slower",
    },
    OptionInfo {
        name: "node-action-limit",
        kind: Kind::Integer,
        default: "0",
        audience: Audience::Everyone,
        about: "How many actions run at a time on a node; 0: twice the number of cores",
    },
    OptionInfo {
        name: "batch-limit",
        kind: Kind::Integer,
        default: "0",
        audience: Audience::Everyone,
        about: "How many actions run at a time in the cluster; 0: as the load allows",
    },
    OptionInfo {
        name: "migration-limit",
        kind: Kind::Integer,
        default: "-1",
        audience: Audience::Everyone,
        about: "How many live migrations run at a time on a node; -1: any number",
    },
    OptionInfo {
        name: "stop-all-resources",
        kind: Kind::Boolean,
        default: "false",
        audience: Audience::Everyone,
        about: "Whether everything is to be stopped",
    },
    OptionInfo {
        name: "stop-removed-resources",
        kind: Kind::Boolean,
        default: "true",
        audience: Audience::Everyone,
        about: "Whether resources that are taken out of the configuration are stopped",
    },
    OptionInfo {
        name: "cancel-removed-actions",
        kind: Kind::Boolean,
        default: "true",
        audience: Audience::Everyone,
        about: "Whether recurring operations that are taken out of the configuration are cancelled",
    },
    OptionInfo {
        name: "pe-error-series-max",
        kind: Kind::Integer,
        default: "-1",
        audience: Audience::Everyone,
        about: "How many scheduler inputs with errors are kept; -1: all",
    },
    OptionInfo {
        name: "pe-warn-series-max",
        kind: Kind::Integer,
        default: "5000",
        audience: Audience::Everyone,
        about: "How many scheduler inputs with warnings are kept; -1: all",
    },
    OptionInfo {
        name: "pe-input-series-max",
        kind: Kind::Integer,
        default: "4000",
        audience: Audience::Everyone,
        about: "How many other scheduler inputs are kept; -1: all",
    },
    OptionInfo {
        name: "node-health-strategy",
        kind: Kind::OneOf(&["none", "migrate-on-red", "only-green", "progressive", "custom"]),
        default: "none",
        audience: Audience::Everyone,
        about: "What health attributes of nodes mean for resources",
    },
    OptionInfo {
        name: "node-health-base",
        kind: Kind::Score,
        default: "0",
        audience: Audience::Everyone,
        about: "With the strategy progressive: the score every node begins with",
    },
    OptionInfo {
        name: "node-health-green",
        kind: Kind::Score,
        default: "0",
        audience: Audience::Everyone,
        about: "What green is worth",
    },
    OptionInfo {
        name: "node-health-yellow",
        kind: Kind::Score,
        default: "0",
        audience: Audience::Everyone,
        about: "What yellow is worth",
    },
    OptionInfo {
        name: "node-health-red",
        kind: Kind::Score,
        default: "-INFINITY",
        audience: Audience::Everyone,
        about: "What red is worth",
    },
    OptionInfo {
        name: "placement-strategy",
        kind: Kind::OneOf(&["default", "utilization", "minimal", "balanced"]),
        default: "default",
        audience: Audience::Everyone,
        about: "Whether and how what nodes have and resources need counts",
    },
];

/// What kind of value an option takes, by today's name; `None` if there is no such option.
pub(crate) fn kind(option: &str) -> Option<Kind> {
    CLUSTER_OPTIONS.iter().find(|known| known.name == option).map(|known| known.kind)
}
