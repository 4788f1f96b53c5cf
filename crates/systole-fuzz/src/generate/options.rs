//! Cluster options, and defaults for resources and operations.

use super::sketch::{Sketch, Table, Theme};

const ALWAYS: Table<'_> = &[
    ("symmetric-cluster", 12, &["false", "true"]),
    ("stop-all-resources", 2, &["true"]),
    ("maintenance-mode", 2, &["true", "false"]),
    ("start-failure-is-fatal", 15, &["false", "true"]),
    ("concurrent-fencing", 10, &["false", "true"]),
    ("enable-startup-probes", 4, &["false"]),
    ("startup-fencing", 8, &["false", "true"]),
    ("stop-orphan-resources", 8, &["false", "true"]),
    ("stop-orphan-actions", 8, &["false", "true"]),
    ("cluster-delay", 5, &["30s", "2min"]),
    ("batch-limit", 4, &["10"]),
    ("migration-limit", 4, &["2", "-1"]),
    ("node-pending-timeout", 8, &["10", "2h", "0"]),
    ("cluster-recheck-interval", 5, &["5min", "0"]),
    ("stop-removed-resources", 4, &["false", "true"]),
    ("cancel-removed-actions", 4, &["false", "true"]),
    ("cluster-name", 4, &["c1"]),
];

const FENCING: Table<'_> = &[
    ("priority-fencing-delay", 15, &["15s", "0"]),
    ("fencing-action", 20, &["off", "reboot"]),
    ("have-watchdog", 15, &["true", "false"]),
    ("fencing-watchdog-timeout", 15, &["10", "-1", "0"]),
    ("fencing-timeout", 8, &["90s"]),
    ("fence-remote-without-quorum", 10, &["true", "false"]),
];

const HEALTH: Table<'_> = &[
    ("node-health-strategy", 95, &["none", "migrate-on-red", "only-green", "progressive", "custom"]),
    ("node-health-base", 40, &["0", "100", "-10", "INFINITY"]),
    ("node-health-green", 30, &["0", "10"]),
    ("node-health-yellow", 30, &["0", "-10", "-INFINITY"]),
    ("node-health-red", 30, &["-INFINITY", "-100"]),
];

const STRATEGIES: [&str; 4] = ["default", "utilization", "minimal", "balanced"];

const RSC_DEFAULTS: Table<'_> = &[
    ("resource-stickiness", 50, &["0", "1", "100", "INFINITY"]),
    ("migration-threshold", 25, &["1", "3", "INFINITY"]),
    ("failure-timeout", 25, &["60s", "10min", "0"]),
    ("is-managed", 6, &["false"]),
    ("target-role", 6, &["Stopped", "Started", "Unpromoted"]),
    ("priority", 10, &["1", "7"]),
    ("allow-migrate", 10, &["true"]),
    ("multiple-active", 10, &["block", "stop_only", "stop_unexpected"]),
    ("maintenance", 3, &["true"]),
    ("requires", 5, &["nothing", "quorum", "fencing"]),
];

const OP_DEFAULTS: Table<'_> = &[
    ("timeout", 60, &["7s", "90s"]),
    ("on-fail", 12, &["ignore", "block", "stop", "restart", "standby"]),
    ("record-pending", 15, &["true", "false"]),
    ("enabled", 3, &["false"]),
    ("interval", 3, &["10s"]),
];

impl Sketch {
    /// Adds all that is true for the cluster as a whole.
    pub fn add_options(&mut self) {
        let mut options = self.draw(ALWAYS);
        let is_fenced = self.chance_if(Theme::Fencing, 95, 60);
        options.push(("fencing-enabled", if is_fenced { "true" } else { "false" }));
        if self.is_about(Theme::Fencing) {
            options.extend(self.draw(FENCING));
        }
        if self.is_about(Theme::Health) {
            options.extend(self.draw(HEALTH));
        }
        if self.chance_if(Theme::Quorum, 90, 15) {
            let policies = ["stop", "ignore", "freeze", "demote", "fence"];
            options.push(("no-quorum-policy", *self.random.pick(&policies)));
        }
        if self.chance_if(Theme::Utilization, 90, 2) {
            options.push(("placement-strategy", *self.random.pick(&STRATEGIES)));
        }
        if self.chance_if(Theme::ShutdownLock, 95, 1) {
            options.push(("shutdown-lock", "true"));
            if self.random.chance(30) {
                options.push(("shutdown-lock-limit", *self.random.pick(&["5min", "2h", "0"])));
            }
        }
        let set = self.add_pairs(self.sections.crm_config, "cluster_property_set", &options);
        if self.is_about(Theme::Dates) && self.random.chance(15) {
            self.add_date_rule(set);
        }
        self.add_defaults("rsc_defaults", RSC_DEFAULTS);
        self.add_defaults("op_defaults", OP_DEFAULTS);
    }

    fn add_defaults(&mut self, section: &str, table: Table<'_>) {
        if !self.chance_if(Theme::Defaults, 70, 15) {
            return;
        }
        let key = self.add(self.sections.configuration, section, &[]);
        let n_sets = if self.is_about(Theme::Defaults) { self.random.between(1, 3) } else { 1 };
        for _ in 0..n_sets {
            let pairs = self.draw(table);
            let set = self.add_pairs(key, "meta_attributes", &pairs);
            if self.random.chance(30) {
                let score = *self.random.pick(&["1", "5", "10", "INFINITY", "-3"]);
                self.document.set_attr(set, "score", score);
            }
            if self.chance_if(Theme::Rules, 50, 20) {
                self.add_defaults_rule(set, section == "op_defaults");
            }
        }
    }
}
