//! Older names of options, and what they are called today. The one place that knows them.
//!
//! Sources: Pacemaker 3.0.2's option table (names with an alias), and what its schema upgrades rename.

/// What a cluster option of an older name is called today.
pub fn cluster_option(name: &str) -> &str {
    CLUSTER_OPTIONS.iter().find(|(old, _)| *old == name).map_or(name, |(_, new)| new)
}

/// The older name under which a cluster option is found in CIBs, if it has one that releases still read.
pub fn older_cluster_option(name: &str) -> Option<&'static str> {
    CLUSTER_OPTIONS.iter().find(|(_, new)| *new == name).map(|(old, _)| *old)
}

/// What a meta attribute of an older name is called today.
pub fn meta_attribute(name: &str) -> &str {
    match name {
        "master-max" => "promoted-max",
        "master-node-max" => "promoted-node-max",
        other => other,
    }
}

/// The name of a meta attribute as agents and older releases know it.
pub fn older_meta_attribute(name: &str) -> &str {
    match name {
        "promoted-max" => "master-max",
        "promoted-node-max" => "master-node-max",
        other => other,
    }
}

/// Cluster options that were renamed: older name, today's name. Names with underscores, of schemas before 3.0, are renamed
/// by the upgrade and mean nothing in a newer configuration.
const CLUSTER_OPTIONS: [(&str, &str); 11] = [
    ("stonith-enabled", "fencing-enabled"),
    ("stonith-action", "fencing-action"),
    ("stonith-timeout", "fencing-timeout"),
    ("stonith-max-attempts", "fencing-max-attempts"),
    ("stonith-watchdog-timeout", "fencing-watchdog-timeout"),
    ("fence-reaction", "fencing-reaction"),
    ("stop-orphan-resources", "stop-removed-resources"),
    ("stop-orphan-actions", "cancel-removed-actions"),
    ("crmd-finalization-timeout", "join-finalization-timeout"),
    ("crmd-integration-timeout", "join-integration-timeout"),
    ("crmd-transition-delay", "transition-delay"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_older_name_leads_to_todays() {
        for (old, new) in [
            ("stonith-enabled", "fencing-enabled"),
            ("fence-reaction", "fencing-reaction"),
            ("stop-orphan-actions", "cancel-removed-actions"),
            ("crmd-transition-delay", "transition-delay"),
            ("no-quorum-policy", "no-quorum-policy"),
            ("no_quorum_policy", "no_quorum_policy"),
            ("anything-else", "anything-else"),
        ] {
            assert_eq!(cluster_option(old), new);
            assert_eq!(cluster_option(new), new, "today's name stays");
        }
        assert_eq!(older_cluster_option("fencing-timeout"), Some("stonith-timeout"));
        assert_eq!(meta_attribute("master-node-max"), "promoted-node-max");
        assert_eq!(older_meta_attribute(meta_attribute("master-max")), "master-max");
    }
}
