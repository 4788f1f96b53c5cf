//! Cluster options and nodes.

use crate::{
    generate::sketch::{Sketch, Table},
    older,
};

const OPTIONS: Table<'_> = &[
    ("stop-all-resources", 8, &["true", "false"]),
    ("maintenance-mode", 8, &["true"]),
    ("no-quorum-policy", 25, &["suicide", "demote", "freeze", "fence", "stop", "ignore"]),
    ("symmetric-cluster", 15, &["false", "no", "0"]),
    ("start-failure-is-fatal", 15, &["false", "0"]),
    ("startup-fencing", 15, &["false", "no"]),
    ("enable-startup-probes", 10, &["false"]),
    ("stop-orphan-resources", 10, &["false"]),
    ("stop-orphan-actions", 10, &["false"]),
    ("node-pending-timeout", 10, &["1h", "30s"]),
    ("migration-limit", 6, &["0", "1"]),
    ("placement-strategy", 10, &["utilization", "minimal", "balanced"]),
    ("shutdown-lock", 15, &["true"]),
    ("shutdown-lock-limit", 10, &["1min", "10h"]),
    ("fencing-reaction", 5, &["stop", "panic"]),
    ("node-action-limit", 5, &["3"]),
    ("load-threshold", 5, &["70%"]),
    ("cluster-infrastructure", 10, &["corosync"]),
    ("dc-version", 10, &["3.0.2-1"]),
    ("node-health-strategy", 10, &["migrate-on-red", "custom", "only-green", "progressive"]),
];

impl Sketch {
    /// Sets options that are rarely set.
    pub fn add_rare_options(&mut self) {
        for (name, value) in self.draw(OPTIONS) {
            self.set_option(name, value);
        }
    }

    /// Adds a second set of options: of two values of one option, the first set's counts, or the one with the higher score.
    pub fn add_second_options(&mut self) {
        let options = self.draw(OPTIONS);
        let set = self.add_pairs(self.sections.crm_config, "cluster_property_set", &options);
        if self.random.chance(30) {
            self.document.set_attr(set, "id", "cib-bootstrap-options");
        }
        if self.random.chance(50) {
            let score = *self.random.pick(&["10", "INFINITY", "-5", "0"]);
            self.document.set_attr(set, "score", score);
        }
        if self.random.chance(40) {
            self.add_date_rule(set);
        }
    }

    /// Calls options by their former names, and fence devices' actions too.
    pub fn spell_options_otherwise(&mut self) {
        for (name, former) in older::OPTIONS {
            let found = self.configured(|element| element.is("nvpair") && element.attr("name") == Some(name));
            if self.random.chance(80) {
                for pair in found {
                    self.document.set_attr(pair, "name", former);
                }
            }
        }
    }

    /// Nodes with a description, a score, a kind, attributes in two sets.
    pub fn describe_nodes(&mut self) {
        for node in self.configured(|element| element.is("node")) {
            let is_remote = self.document.element(node).attr("type").is_some();
            if !is_remote && self.random.chance(50) {
                self.document.set_attr(node, "type", "member");
            }
            if self.random.chance(20) {
                let score = *self.random.pick(&["10", "-10", "100", "-INFINITY", "INFINITY", "0"]);
                self.document.set_attr(node, "score", score);
            }
            if self.random.chance(20) {
                self.document.set_attr(node, "description", "in the cellar");
            }
            if self.random.chance(30) {
                let (name, value) = *self.random.pick(&[
                    ("rack", "r2"),
                    ("standby", "on"),
                    ("maintenance", "true"),
                    ("site-name", "west"),
                    ("cluster-name", "mine"),
                    ("terminate", "true"),
                    ("resource-discovery-enabled", "false"),
                ]);
                let set = self.add_pairs(node, "instance_attributes", &[(name, value)]);
                if self.random.chance(30) {
                    self.document.set_attr(set, "score", "5");
                }
                if self.random.chance(20) {
                    self.add_date_rule(set);
                }
            }
        }
    }

    /// Capacities in words that are rarely used, and needs of what runs.
    pub fn add_capacities(&mut self) {
        let strategy = *self.random.pick(&["utilization", "minimal", "balanced"]);
        self.set_option("placement-strategy", strategy);
        for node in self.configured(|element| element.is("node")) {
            let value = *self.random.pick(&["4", "10", "2", "1"]);
            self.add_pairs(node, "utilization", &[("memory", value)]);
        }
        for rsc in self.configured(|element| element.is("primitive")) {
            if self.random.chance(70) {
                let value = *self.random.pick(&["1", "2", "3", "0", "-1"]);
                let set = self.add_pairs(rsc, "utilization", &[("memory", value)]);
                if self.random.chance(10) {
                    self.add_date_rule(set);
                }
            }
        }
    }
}
