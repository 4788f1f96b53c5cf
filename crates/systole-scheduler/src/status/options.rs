//! Cluster options that decide something.

use std::{sync::Arc, time::Duration};
use systole_types::Score;

/// Cluster options with their defaults filled in. Source: Pacemaker Explained, "Cluster Options".
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// `no-quorum-policy`, after what the situation makes of it (`suicide` without fencing is `stop`).
    pub no_quorum: NoQuorum,
    /// `symmetric-cluster`: resources may run anywhere unless a constraint says otherwise.
    pub symmetric: bool,
    /// `fencing-enabled`.
    pub fencing_enabled: bool,
    /// `fencing-action`: `reboot` or `off`.
    pub fencing_action: Arc<str>,
    /// `fencing-timeout`.
    pub fencing_timeout: Duration,
    /// `have-watchdog`.
    pub have_watchdog: bool,
    /// `concurrent-fencing`.
    pub concurrent_fencing: bool,
    /// `startup-fencing`: nodes never seen are fenced.
    pub startup_fencing: bool,
    /// `priority-fencing-delay`.
    pub priority_fencing_delay: Duration,
    /// `stop-all-resources`.
    pub stop_all: bool,
    /// `stop-orphan-resources`, `stop-removed-resources`.
    pub stop_removed_resources: bool,
    /// `stop-orphan-actions`, `stop-removed-actions`.
    pub stop_removed_actions: bool,
    /// `maintenance-mode`.
    pub maintenance: bool,
    /// `start-failure-is-fatal`.
    pub start_failure_is_fatal: bool,
    /// `enable-startup-probes`.
    pub startup_probes: bool,
    /// `shutdown-lock`.
    pub shutdown_lock: bool,
    /// `shutdown-lock-limit`; zero: none.
    pub shutdown_lock_limit: Duration,
    /// `node-pending-timeout`; zero: none.
    pub node_pending_timeout: Duration,
    /// `placement-strategy`.
    pub placement_strategy: PlacementStrategy,
    /// `node-health-strategy`.
    pub health_strategy: HealthStrategy,
    /// `node-health-base`.
    pub health_base: Score,
    /// `node-health-green`.
    pub health_green: Score,
    /// `node-health-yellow`.
    pub health_yellow: Score,
    /// `node-health-red`.
    pub health_red: Score,
    /// `cluster-delay`.
    pub cluster_delay: Duration,
    /// `transition-delay`... and every option as given, the first value of a name counting: for graphs and displays.
    pub raw: super::Attributes,
}

/// `no-quorum-policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum NoQuorum {
    /// Stop everything.
    #[default]
    Stop,
    /// Keep what runs, start nothing.
    Freeze,
    /// Go on.
    Ignore,
    /// Demote what is promoted, stop what cannot be demoted and fence devices stay.
    Demote,
    /// Fence all nodes of the partition.
    Fence,
}

impl NoQuorum {
    /// As the option's value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Freeze => "freeze",
            Self::Ignore => "ignore",
            Self::Demote => "demote",
            Self::Fence => "fence",
        }
    }
}

/// `placement-strategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PlacementStrategy {
    /// Number of instances, capacities ignored.
    #[default]
    Default,
    /// Capacities must suffice, number of instances is balanced.
    Utilization,
    /// As few nodes as possible.
    Minimal,
    /// Capacities must suffice, free capacity is balanced.
    Balanced,
}

/// `node-health-strategy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum HealthStrategy {
    /// Health is ignored.
    #[default]
    None,
    /// Resources leave a node that is red.
    MigrateOnRed,
    /// Resources stay only on green nodes.
    OnlyGreen,
    /// Sum of all health attributes with `node-health-base`.
    Progressive,
    /// The administrator's rules decide.
    Custom,
}

impl Default for Options {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            no_quorum: NoQuorum::Stop,
            symmetric: true,
            fencing_enabled: true,
            fencing_action: "reboot".into(),
            fencing_timeout: seconds(60),
            have_watchdog: false,
            concurrent_fencing: true,
            startup_fencing: true,
            priority_fencing_delay: seconds(0),
            stop_all: false,
            stop_removed_resources: true,
            stop_removed_actions: true,
            maintenance: false,
            start_failure_is_fatal: true,
            startup_probes: true,
            shutdown_lock: false,
            shutdown_lock_limit: seconds(0),
            node_pending_timeout: seconds(0),
            placement_strategy: PlacementStrategy::Default,
            health_strategy: HealthStrategy::None,
            health_base: Score::ZERO,
            health_green: Score::ZERO,
            health_yellow: Score::ZERO,
            health_red: Score::MINUS_INFINITY,
            cluster_delay: seconds(60),
            raw: super::Attributes::new(),
        }
    }
}
