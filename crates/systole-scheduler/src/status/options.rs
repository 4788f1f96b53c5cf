//! Cluster options that decide something.

use super::{Attributes, text::score};
use crate::rules::{self, Input, Merge, Recheck};
use std::{sync::Arc, time::Duration};
use systole_cib::{model::Cib, parse_bool};
use systole_types::{LocalTime, Score, parse_duration};

/// The set of options that counts before all others.
const FIRST_SET: &str = "cib-bootstrap-options";

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
    /// `fence-remote-without-quorum`.
    pub fence_remote_without_quorum: bool,
    /// Every option as given: for graphs and displays.
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
            fence_remote_without_quorum: false,
            raw: super::Attributes::new(),
        }
    }
}

impl Options {
    /// The options of a CIB. Unreadable values count as not given.
    pub(super) fn unpack(cib: &Cib, now: LocalTime, recheck: &Recheck) -> Self {
        let mut raw = Attributes::new();
        rules::merge(
            &cib.cluster_options,
            Some(FIRST_SET),
            &Input::at(now),
            Merge::KeepFirst,
            &mut raw,
            recheck,
        );
        let given = Given(&raw);
        let default = Self::default();
        let fencing_enabled = given.flag(&["fencing-enabled", "stonith-enabled"], default.fencing_enabled);
        let health_strategy = given.health_strategy();
        let (health_green, health_yellow, health_red) = given.health_scores(health_strategy);
        Self {
            no_quorum: given.no_quorum(fencing_enabled, cib.have_quorum || cib.no_quorum_panic),
            symmetric: given.flag(&["symmetric-cluster"], default.symmetric),
            fencing_enabled,
            fencing_action: given.fencing_action(),
            fencing_timeout: given.span(&["fencing-timeout", "stonith-timeout"], default.fencing_timeout),
            have_watchdog: given.flag(&["have-watchdog"], default.have_watchdog),
            concurrent_fencing: given.flag(&["concurrent-fencing"], default.concurrent_fencing),
            startup_fencing: fencing_enabled && given.flag(&["startup-fencing"], default.startup_fencing),
            priority_fencing_delay: given.span(&["priority-fencing-delay"], default.priority_fencing_delay),
            stop_all: given.flag(&["stop-all-resources"], default.stop_all),
            stop_removed_resources: given.flag(&["stop-removed-resources", "stop-orphan-resources"], true),
            stop_removed_actions: given.flag(&["cancel-removed-actions", "stop-orphan-actions"], true),
            maintenance: given.flag(&["maintenance-mode"], default.maintenance),
            start_failure_is_fatal: given.flag(&["start-failure-is-fatal"], default.start_failure_is_fatal),
            startup_probes: given.flag(&["enable-startup-probes"], default.startup_probes),
            shutdown_lock: given.flag(&["shutdown-lock"], default.shutdown_lock),
            shutdown_lock_limit: given.span(&["shutdown-lock-limit"], default.shutdown_lock_limit),
            node_pending_timeout: given.span(&["node-pending-timeout"], default.node_pending_timeout),
            placement_strategy: given.placement_strategy(),
            health_strategy,
            health_base: score(given.text(&["node-health-base"]), default.health_base),
            health_green,
            health_yellow,
            health_red,
            cluster_delay: given.span(&["cluster-delay"], default.cluster_delay),
            fence_remote_without_quorum: given.flag(&["fence-remote-without-quorum"], false),
            raw,
        }
    }

    /// A score as node attributes give it: a number or ±INFINITY, or a colour of node health.
    pub(crate) fn score_of(&self, value: &str) -> Option<Score> {
        match value {
            _ if value.eq_ignore_ascii_case("green") => Some(self.health_green),
            _ if value.eq_ignore_ascii_case("yellow") => Some(self.health_yellow),
            _ if value.eq_ignore_ascii_case("red") => Some(self.health_red),
            number => Score::read(number),
        }
    }
}

/// Options as given, each under today's name and the names it had before.
struct Given<'a>(&'a Attributes);

impl Given<'_> {
    fn text(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.0.get(*name)).map(|value| &**value)
    }

    fn flag(&self, names: &[&str], default: bool) -> bool {
        self.text(names).and_then(parse_bool).unwrap_or(default)
    }

    fn span(&self, names: &[&str], default: Duration) -> Duration {
        self.text(names).and_then(|text| parse_duration(text).ok()).unwrap_or(default)
    }

    fn is(&self, names: &[&str], words: &[&str]) -> bool {
        self.text(names).is_some_and(|text| words.iter().any(|word| text.eq_ignore_ascii_case(word)))
    }

    /// `poweroff` is a word of older schemas, and `off` once a CIB is upgraded. In capitals it is no word at all.
    fn fencing_action(&self) -> Arc<str> {
        match self.text(&["fencing-action", "stonith-action"]) {
            Some("off") => "off".into(),
            _ => "reboot".into(),
        }
    }

    /// A partition that never had quorum does not fence, and without fencing there is no fencing for want of quorum.
    fn no_quorum(&self, fencing_enabled: bool, had_quorum: bool) -> NoQuorum {
        let name = ["no-quorum-policy"];
        if self.is(&name, &["ignore"]) {
            NoQuorum::Ignore
        } else if self.is(&name, &["freeze"]) {
            NoQuorum::Freeze
        } else if self.is(&name, &["demote"]) {
            NoQuorum::Demote
        } else if self.is(&name, &["fence", "suicide"]) && fencing_enabled && had_quorum {
            NoQuorum::Fence
        } else {
            NoQuorum::Stop
        }
    }

    fn placement_strategy(&self) -> PlacementStrategy {
        match self.text(&["placement-strategy"]) {
            Some(text) if text.eq_ignore_ascii_case("utilization") => PlacementStrategy::Utilization,
            Some(text) if text.eq_ignore_ascii_case("minimal") => PlacementStrategy::Minimal,
            Some(text) if text.eq_ignore_ascii_case("balanced") => PlacementStrategy::Balanced,
            _ => PlacementStrategy::Default,
        }
    }

    fn health_strategy(&self) -> HealthStrategy {
        match self.text(&["node-health-strategy"]) {
            Some(text) if text.eq_ignore_ascii_case("migrate-on-red") => HealthStrategy::MigrateOnRed,
            Some(text) if text.eq_ignore_ascii_case("only-green") => HealthStrategy::OnlyGreen,
            Some(text) if text.eq_ignore_ascii_case("progressive") => HealthStrategy::Progressive,
            Some(text) if text.eq_ignore_ascii_case("custom") => HealthStrategy::Custom,
            _ => HealthStrategy::None,
        }
    }

    /// What green, yellow and red count under a strategy.
    fn health_scores(&self, strategy: HealthStrategy) -> (Score, Score, Score) {
        let of = |name, default| score(self.text(&[name]), default);
        match strategy {
            HealthStrategy::None => (Score::ZERO, Score::ZERO, Score::ZERO),
            HealthStrategy::MigrateOnRed => (Score::ZERO, Score::ZERO, Score::MINUS_INFINITY),
            HealthStrategy::OnlyGreen => (Score::ZERO, Score::MINUS_INFINITY, Score::MINUS_INFINITY),
            HealthStrategy::Progressive | HealthStrategy::Custom => (
                of("node-health-green", Score::ZERO),
                of("node-health-yellow", Score::ZERO),
                of("node-health-red", Score::MINUS_INFINITY),
            ),
        }
    }
}
