//! What values cluster options take.
//!
//! Source: Pacemaker Explained, "Cluster Options".

/// A kind of value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Boolean,
    Duration,
    /// A span, or a negative number for "work it out".
    WatchdogTimeout,
    Integer,
    Score,
    Percentage,
    OneOf(&'static [&'static str]),
}

impl Kind {
    /// What such a value looks like.
    pub(super) fn describe(self) -> String {
        match self {
            Self::Boolean => "true or false".to_owned(),
            Self::Duration => "a span of time such as 30s or 5min".to_owned(),
            Self::WatchdogTimeout => "a span of time such as 10s, or -1".to_owned(),
            Self::Integer => "a whole number".to_owned(),
            Self::Score => "a score: a whole number, INFINITY or -INFINITY".to_owned(),
            Self::Percentage => "a percentage such as 80%".to_owned(),
            Self::OneOf(words) => format!("one of {}", words.join(", ")),
        }
    }
}

/// What kind of value an option takes, by today's name; `None` if there is no such option.
pub(super) fn kind(option: &str) -> Option<Kind> {
    Some(match option {
        "no-quorum-policy" => Kind::OneOf(&["stop", "freeze", "ignore", "demote", "fence", "suicide"]),
        "fencing-action" => Kind::OneOf(&["reboot", "off", "poweroff"]),
        "fencing-reaction" => Kind::OneOf(&["stop", "panic"]),
        "placement-strategy" => Kind::OneOf(&["default", "utilization", "minimal", "balanced"]),
        "node-health-strategy" => {
            Kind::OneOf(&["none", "migrate-on-red", "only-green", "progressive", "custom"])
        }
        "symmetric-cluster"
        | "maintenance-mode"
        | "start-failure-is-fatal"
        | "enable-startup-probes"
        | "enable-acl"
        | "shutdown-lock"
        | "fencing-enabled"
        | "fence-remote-without-quorum"
        | "have-watchdog"
        | "concurrent-fencing"
        | "startup-fencing"
        | "stop-all-resources"
        | "stop-removed-resources"
        | "cancel-removed-actions" => Kind::Boolean,
        "cluster-delay"
        | "cluster-recheck-interval"
        | "dc-deadtime"
        | "election-timeout"
        | "fencing-timeout"
        | "join-finalization-timeout"
        | "join-integration-timeout"
        | "node-pending-timeout"
        | "priority-fencing-delay"
        | "shutdown-escalation"
        | "shutdown-lock-limit"
        | "transition-delay" => Kind::Duration,
        "fencing-watchdog-timeout" => Kind::WatchdogTimeout,
        "load-threshold" => Kind::Percentage,
        "batch-limit"
        | "fencing-max-attempts"
        | "migration-limit"
        | "node-action-limit"
        | "pe-error-series-max"
        | "pe-input-series-max"
        | "pe-warn-series-max" => Kind::Integer,
        "node-health-base" | "node-health-green" | "node-health-red" | "node-health-yellow" => Kind::Score,
        _ => return None,
    })
}
