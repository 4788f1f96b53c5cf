//! Resources of every kind.

use super::sketch::{Described, Sketch, Table, Theme};
use systole_cib::xml::Key;

const META: Table<'_> = &[
    ("priority", 14, &["1", "5", "10", "-5", "0"]),
    ("resource-stickiness", 12, &["0", "1", "100", "INFINITY", "-100"]),
    ("target-role", 7, &["Started", "Stopped", "Unpromoted", "Promoted"]),
    ("is-managed", 4, &["false", "true"]),
    ("migration-threshold", 12, &["1", "2", "3", "0", "INFINITY"]),
    ("failure-timeout", 10, &["10s", "1h", "0", "3600"]),
    ("multiple-active", 8, &["stop_start", "stop_only", "block", "stop_unexpected"]),
    ("requires", 6, &["nothing", "quorum", "fencing", "unfencing"]),
    ("critical", 6, &["false", "true"]),
    ("allow-unhealthy-nodes", 4, &["true", "false"]),
    ("container-attribute-target", 2, &["host"]),
];

const CLONE_META: Table<'_> = &[
    ("clone-max", 35, &["1", "2", "3", "4", "0", "6"]),
    ("clone-node-max", 15, &["1", "2", "3"]),
    ("clone-min", 12, &["1", "2", "3"]),
    ("interleave", 40, &["true", "false"]),
    ("ordered", 20, &["true", "false"]),
    ("globally-unique", 15, &["true", "false"]),
    ("priority", 10, &["1", "10"]),
    ("resource-stickiness", 10, &["0", "1", "100"]),
    ("target-role", 7, &["Started", "Stopped", "Unpromoted", "Promoted"]),
    ("is-managed", 4, &["false"]),
    ("maintenance", 3, &["true"]),
];

const PROMOTED_META: Table<'_> =
    &[("promoted-max", 35, &["1", "2", "3", "0"]), ("promoted-node-max", 12, &["1", "2"])];

const GROUP_META: Table<'_> = &[
    ("priority", 12, &["2", "10"]),
    ("resource-stickiness", 15, &["0", "1", "50"]),
    ("target-role", 8, &["Stopped", "Started"]),
    ("is-managed", 4, &["false"]),
    ("maintenance", 3, &["true"]),
    ("ordered", 6, &["false", "true"]),
    ("collocated", 4, &["false", "true"]),
    ("critical", 5, &["false"]),
    ("multiple-active", 4, &["block"]),
];

const BUNDLE_META: Table<'_> = &[
    ("priority", 10, &["3", "10"]),
    ("resource-stickiness", 10, &["0", "10"]),
    ("target-role", 8, &["Stopped", "Started", "Unpromoted", "Promoted"]),
    ("is-managed", 4, &["false"]),
    ("maintenance", 2, &["true"]),
    ("container-attribute-target", 8, &["host"]),
    ("multiple-active", 4, &["block"]),
    ("notify", 12, &["true"]),
    ("ordered", 8, &["false", "true"]),
    ("interleave", 15, &["true", "false"]),
    ("migration-threshold", 8, &["1", "3"]),
    ("failure-timeout", 6, &["1h"]),
];

const ON_FAIL: [&str; 7] = ["ignore", "block", "stop", "restart", "fence", "standby", "restart-container"];
const UTILIZATION: [&str; 4] = ["0", "1", "2", "3"];

/// Class, provider and type.
type Agent = (&'static str, Option<&'static str>, &'static str);

const AGENTS: [Agent; 7] = [
    ("ocf", Some("pacemaker"), "Dummy"),
    ("ocf", Some("pacemaker"), "Dummy"),
    ("ocf", Some("heartbeat"), "IPaddr2"),
    ("ocf", Some("pacemaker"), "Stateful"),
    ("systemd", None, "httpd"),
    ("lsb", None, "postfix"),
    ("service", None, "cron"),
];

/// What a primitive is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Plain,
    Inner {
        promotable: bool,
    },
    /// A member of a group that may be cloned.
    Member,
}

impl Sketch {
    /// Adds resources of every kind that this case is about.
    pub fn add_resources(&mut self) {
        if self.chance_if(Theme::Fencing, 85, 30) || self.is_about(Theme::Unfencing) {
            self.add_fence_device();
        }
        if self.is_about(Theme::Templates) {
            self.add_template();
        }
        if self.is_about(Theme::Remotes) {
            self.add_remotes();
        }
        if self.is_about(Theme::Guests) {
            self.add_guests();
        }
        let n_resources = self.random.between(1, 5);
        for _ in 0..n_resources {
            let section = self.sections.resources;
            self.add_any(section);
        }
    }

    /// Adds a resource of some kind.
    pub fn add_any(&mut self, section: Key) {
        let kinds =
            [(Theme::Groups, 3, 1), (Theme::Clones, 4, 1), (Theme::Promotable, 4, 1), (Theme::Bundles, 4, 0)];
        let mut weights: Vec<u64> =
            kinds.iter().map(|(theme, many, few)| if self.is_about(*theme) { *many } else { *few }).collect();
        weights.push(3);
        let mut at = self.random.between(0, weights.iter().sum::<u64>() - 1);
        let choice = weights.iter().position(|&weight| {
            let is_here = at < weight;
            at = at.saturating_sub(weight);
            is_here
        });
        match choice {
            Some(0) => {
                self.add_group(section, false);
            }
            Some(1) => self.add_clone(section, false),
            Some(2) => self.add_clone(section, true),
            Some(3) => self.add_bundle(section),
            _ => {
                self.add_primitive(section, Purpose::Plain);
            }
        }
    }

    pub(super) fn describe(&mut self, id: &str, is_promotable: bool, is_inner: bool, is_primitive: bool) {
        self.resources.push(Described { id: id.to_owned(), is_promotable, is_inner, is_primitive });
    }

    fn add_fence_device(&mut self) {
        let n_devices = self.random.between(1, 2);
        for number in 1..=n_devices {
            let id = format!("fence{number}");
            let attributes = [("id", &*id), ("class", "stonith"), ("type", "fence_xvm")];
            let key = self.add(self.sections.resources, "primitive", &attributes);
            let parameters = self.draw(&[
                ("pcmk_host_list", 50, &["node1 node2 node3"]),
                ("pcmk_monitor_timeout", 8, &["45s", "100"]),
                ("passwd", 10, &["secret"]),
                ("pcmk_delay_base", 8, &["5s"]),
            ]);
            if !parameters.is_empty() {
                self.add_pairs(key, "instance_attributes", &parameters);
            }
            let mut meta = self.draw(&[
                ("priority", 10, &["9"]),
                ("target-role", 5, &["Stopped", "Started"]),
                ("is-managed", 4, &["false"]),
                ("migration-threshold", 8, &["1"]),
            ]);
            if self.is_about(Theme::Unfencing) && number == 1 {
                meta.push(("provides", "unfencing"));
            }
            if !meta.is_empty() {
                self.add_pairs(key, "meta_attributes", &meta);
            }
            if self.random.chance(40) {
                self.add_operations(key, Purpose::Plain);
            }
            self.describe(&id, false, false, true);
        }
    }

    fn add_template(&mut self) {
        let attributes =
            [("id", "template1"), ("class", "ocf"), ("provider", "pacemaker"), ("type", "Dummy")];
        let key = self.add(self.sections.resources, "template", &attributes);
        self.add_parameters(key);
        self.add_meta(key, META);
        self.add_operations(key, Purpose::Plain);
    }

    fn add_remotes(&mut self) {
        let n_remotes = self.random.between(1, 2);
        for number in 1..=n_remotes {
            let id = format!("remote{number}");
            let attributes = [("id", &*id), ("class", "ocf"), ("provider", "pacemaker"), ("type", "remote")];
            let key = self.add(self.sections.resources, "primitive", &attributes);
            let parameters =
                self.draw(&[("server", 50, &["192.0.2.9"]), ("reconnect_interval", 30, &["60s", "10"])]);
            if !parameters.is_empty() {
                self.add_pairs(key, "instance_attributes", &parameters);
            }
            let meta = self.draw(&[
                ("allow-migrate", 10, &["true", "false"]),
                ("target-role", 7, &["Stopped"]),
                ("is-managed", 5, &["false"]),
                ("migration-threshold", 8, &["1"]),
                ("priority", 8, &["5"]),
            ]);
            if !meta.is_empty() {
                self.add_pairs(key, "meta_attributes", &meta);
            }
            self.add_operations(key, Purpose::Plain);
            if self.random.chance(60) {
                let attributes = [("id", &*id), ("uname", &*id), ("type", "remote")];
                let node = self.add(self.sections.nodes, "node", &attributes);
                self.add_node_attributes(node);
            }
            self.describe(&id, false, false, true);
            self.remotes.push(id);
        }
    }

    fn add_guests(&mut self) {
        let n_guests = self.random.between(1, 2);
        for number in 1..=n_guests {
            let (id, name) = (format!("vm{number}"), format!("guest{number}"));
            let attributes =
                [("id", &*id), ("class", "ocf"), ("provider", "heartbeat"), ("type", "VirtualDomain")];
            let in_group = self.random.chance(15);
            let parent = if in_group {
                let group = self.new_id("vmgroup");
                self.add(self.sections.resources, "group", &[("id", &group)])
            } else {
                self.sections.resources
            };
            let key = self.add(parent, "primitive", &attributes);
            let mut meta = self.draw(META);
            meta.push(("remote-node", &name));
            if self.chance_if(Theme::Migration, 70, 15) {
                meta.push(("allow-migrate", "true"));
            }
            let extra = self.draw(&[
                ("remote-addr", 20, &["192.0.2.77"]),
                ("remote-port", 20, &["3122"]),
                ("remote-connect-timeout", 15, &["90s"]),
                ("remote-allow-migrate", 15, &["true", "false"]),
            ]);
            meta.extend(extra);
            self.add_pairs(key, "meta_attributes", &meta);
            self.add_operations(key, Purpose::Plain);
            if self.random.chance(30) {
                let attributes = [("id", &*name), ("uname", &*name), ("type", "remote")];
                let node = self.add(self.sections.nodes, "node", &attributes);
                self.add_node_attributes(node);
            }
            self.describe(&id, false, in_group, true);
            self.remotes.push(name);
        }
    }

    fn add_primitive(&mut self, parent: Key, purpose: Purpose) -> String {
        let id = self.new_id("p");
        let is_template = self.is_about(Theme::Templates) && self.random.chance(50);
        let key = self.add(parent, "primitive", &[("id", &id)]);
        if is_template {
            self.document.set_attr(key, "template", "template1");
        } else {
            let agent = match purpose {
                Purpose::Inner { promotable: true } => ("ocf", Some("pacemaker"), "Stateful"),
                // Other agents make a unique clone anonymous, which the reference does half only: docs/deviations.md.
                Purpose::Member => ("ocf", Some("pacemaker"), "Dummy"),
                _ => *self.random.pick(&AGENTS),
            };
            let (class, provider, kind) = agent;
            self.document.set_attr(key, "class", class);
            if let Some(provider) = provider {
                self.document.set_attr(key, "provider", provider);
            }
            self.document.set_attr(key, "type", kind);
        }
        self.add_parameters(key);
        self.add_meta(key, META);
        self.add_operations(key, purpose);
        if self.is_about(Theme::Utilization) && self.random.chance(80) {
            let (cpu, ram) = (*self.random.pick(&UTILIZATION), *self.random.pick(&UTILIZATION));
            self.add_pairs(key, "utilization", &[("cpu", cpu), ("ram", ram)]);
        }
        self.describe(&id, false, purpose != Purpose::Plain, true);
        id
    }

    fn add_parameters(&mut self, key: Key) {
        if self.chance_if(Theme::Digests, 80, 20) {
            let parameters = self.draw(&[
                ("state", 60, &["r1", "/run/state"]),
                ("fake", 50, &["one", "two", "r1"]),
                ("passwd", 20, &["secret"]),
                ("ip", 20, &["192.0.2.1"]),
            ]);
            let set = self.add_pairs(key, "instance_attributes", &parameters);
            self.refer_to_pair(set);
            if self.chance_if(Theme::Rules, 30, 2) {
                self.add_node_rule(set);
            }
        }
        if self.is_about(Theme::Rules) && self.random.chance(25) {
            let set = self.add_pairs(key, "instance_attributes", &[("fake", "by-rule")]);
            let score = *self.random.pick(&["1", "10"]);
            self.document.set_attr(set, "score", score);
            self.add_node_rule(set);
        }
    }

    fn add_meta(&mut self, key: Key, table: Table<'_>) {
        let mut meta = self.draw(table);
        if self.chance_if(Theme::Maintenance, 15, 1) {
            meta.push(("maintenance", "true"));
        }
        if self.chance_if(Theme::Migration, 70, 5) {
            meta.push(("allow-migrate", "true"));
        }
        if !meta.is_empty() {
            let set = self.add_pairs(key, "meta_attributes", &meta);
            self.refer_to_pair(set);
            if self.is_about(Theme::Dates) && self.random.chance(15) {
                self.add_date_rule(set);
            }
        }
    }

    /// Takes a pair that another set has, by `id-ref`, now and then. (Of whole sets the reference forgets it for resources:
    /// docs/deviations.md.)
    fn refer_to_pair(&mut self, set: Key) {
        if !self.is_about(Theme::References) || !self.random.chance(35) {
            return;
        }
        let kind = self.document.element(set).name().to_owned();
        let resources = self.document.element(self.sections.resources);
        let pairs = resources.descendants().filter(|element| element.is("nvpair"));
        let pairs = pairs.filter(|pair| {
            let set = pair.parent().filter(|set| set.is(&kind));
            let is_primitives = set.and_then(|set| set.parent()).is_some_and(|rsc| rsc.is("primitive"));
            is_primitives && pair.attr("name") != Some("remote-node")
        });
        let ids: Vec<String> = pairs.filter_map(|pair| pair.id().map(str::to_owned)).collect();
        if !ids.is_empty() {
            let known = self.random.pick(&ids).clone();
            self.add(set, "nvpair", &[("id-ref", &known)]);
        }
    }

    /// The id of some element of that name among the resources.
    fn any_id_of(&mut self, name: &str) -> Option<String> {
        let resources = self.document.element(self.sections.resources);
        let found = resources.descendants().filter(|element| element.is(name));
        let ids: Vec<String> = found.filter_map(|element| element.id().map(str::to_owned)).collect();
        (!ids.is_empty()).then(|| self.random.pick(&ids).clone())
    }

    fn add_operations(&mut self, parent: Key, purpose: Purpose) {
        let mut operations: Vec<(&str, &str, Option<&str>)> = Vec::new();
        if purpose == (Purpose::Inner { promotable: true }) {
            operations.extend([("monitor", "10s", Some("Promoted")), ("monitor", "11s", Some("Unpromoted"))]);
            operations.retain(|_| self.random.chance(70));
        } else if self.random.chance(70) {
            operations.push(("monitor", "10s", None));
        }
        if self.random.chance(15) {
            let role = *self.random.pick(&[None, Some("Stopped"), Some("Started"), Some("Unpromoted")]);
            operations.push(("monitor", "20s", role));
        }
        if self.random.chance(5) {
            operations.push(("audit", "25s", None));
        }
        for name in ["start", "stop", "promote", "demote", "migrate_to", "migrate_from", "monitor"] {
            let is_for_promotable = matches!(name, "promote" | "demote");
            let is_sensible = !is_for_promotable || purpose == (Purpose::Inner { promotable: true });
            if is_sensible && self.random.chance(10) {
                operations.push((name, if name == "monitor" { "0" } else { "0s" }, None));
            }
        }
        if operations.is_empty() {
            return;
        }
        // With a template, operations referred to would have to be merged, which the reference does not do.
        if self.is_about(Theme::References)
            && !self.is_about(Theme::Templates)
            && self.random.chance(30)
            && let Some(known) = self.any_id_of("operations")
        {
            self.add(parent, "operations", &[("id-ref", &known)]);
            return;
        }
        let id = self.new_id("ops");
        let attributes = [("id", &*id)];
        let attributes = if self.is_about(Theme::References) { &attributes[..] } else { &[] };
        let key = self.add(parent, "operations", attributes);
        for (name, interval, role) in operations {
            self.add_operation(key, name, interval, role);
        }
    }

    fn add_operation(&mut self, parent: Key, name: &str, interval: &str, role: Option<&str>) {
        let id = self.new_id("op");
        let op = self.add(parent, "op", &[("id", &id), ("name", name), ("interval", interval)]);
        if let Some(role) = role {
            self.document.set_attr(op, "role", role);
        }
        if self.chance_if(Theme::Failures, 30, 12) {
            let mut on_fail = *self.random.pick(&ON_FAIL);
            if matches!(name, "monitor" | "promote") && self.random.chance(15) {
                on_fail = "demote";
            }
            self.document.set_attr(op, "on-fail", on_fail);
        }
        let attributes = self.draw(&[
            ("timeout", 25, &["7s", "2min"]),
            ("enabled", 4, &["false", "true"]),
            ("record-pending", 8, &["true", "false"]),
        ]);
        for (name, value) in attributes {
            self.document.set_attr(op, name, value);
        }
        if interval != "0s" && self.random.chance(4) {
            match self.random.between(0, 1) {
                0 => self.document.set_attr(op, "start-delay", "15s"),
                _ => self.document.set_attr(op, "interval-origin", "2026-05-01 00:00:03Z"),
            };
        }
        if self.random.chance(4) {
            self.add_pairs(op, "instance_attributes", &[("OCF_CHECK_LEVEL", "10")]);
        }
        if self.random.chance(3) {
            self.add_pairs(op, "meta_attributes", &[("timeout", "33s")]);
        }
    }

    pub(super) fn add_group(&mut self, parent: Key, is_inner: bool) -> String {
        let id = self.new_id("g");
        let key = self.add(parent, "group", &[("id", &id)]);
        self.add_meta(key, GROUP_META);
        let n_members = self.random.between(1, 4);
        for _ in 0..n_members {
            let purpose = if is_inner { Purpose::Member } else { Purpose::Inner { promotable: false } };
            self.add_primitive(key, purpose);
        }
        self.describe(&id, false, is_inner, false);
        id
    }

    fn add_clone(&mut self, parent: Key, is_promotable: bool) {
        let id = self.new_id("c");
        let key = self.add(parent, "clone", &[("id", &id)]);
        let mut meta = self.draw(CLONE_META);
        if self.chance_if(Theme::Notify, 80, 10) {
            meta.push(("notify", "true"));
        }
        if is_promotable {
            meta.push(("promotable", "true"));
            meta.extend(self.draw(PROMOTED_META));
        }
        self.add_pairs(key, "meta_attributes", &meta);
        if self.random.chance(if is_promotable { 10 } else { 20 }) {
            self.add_group(key, true);
        } else {
            self.add_primitive(key, Purpose::Inner { promotable: is_promotable });
        }
        self.describe(&id, is_promotable, false, false);
    }

    pub(super) fn add_bundle(&mut self, parent: Key) {
        let id = self.new_id("b");
        let key = self.add(parent, "bundle", &[("id", &id)]);
        self.add_meta(key, BUNDLE_META);
        let engine = *self.random.pick(&["podman", "docker"]);
        let container = self.add(key, engine, &[("image", "pcmk:test")]);
        let is_promotable = self.random.chance(40);
        let attributes = self.draw(&[
            ("replicas", 70, &["1", "2", "3"]),
            ("replicas-per-host", 15, &["1", "2"]),
            ("network", 20, &["host", "bridge"]),
            ("options", 20, &["--log-driver=none", "-e \"A=b c\""]),
            ("run-command", 20, &["/bin/sh /run.sh"]),
        ]);
        for (name, value) in attributes {
            self.document.set_attr(container, name, value);
        }
        if is_promotable {
            let value = *self.random.pick(&["1", "1", "2"]);
            self.document.set_attr(container, "promoted-max", value);
        }
        let has_network = self.random.chance(80);
        if has_network {
            self.add_bundle_network(key);
        }
        if self.random.chance(30) {
            self.add_bundle_storage(key);
        }
        if has_network && self.random.chance(70) {
            self.add_primitive(key, Purpose::Inner { promotable: is_promotable });
        }
        self.describe(&id, is_promotable, false, false);
    }

    fn add_bundle_network(&mut self, bundle: Key) {
        let network = self.add(bundle, "network", &[]);
        let attributes = self.draw(&[
            ("ip-range-start", 60, &["192.0.2.100", "192.0.2.200"]),
            ("control-port", 50, &["3121", "9876"]),
            ("host-interface", 15, &["eth0"]),
            ("host-netmask", 15, &["24"]),
            ("add-host", 10, &["false", "true"]),
        ]);
        for (name, value) in &attributes {
            self.document.set_attr(network, name, value);
        }
        if !attributes.iter().any(|(name, _)| matches!(*name, "ip-range-start" | "control-port")) {
            self.document.set_attr(network, "control-port", "3199");
        }
        if self.random.chance(30) {
            let id = self.new_id("port");
            let mapping = self.add(network, "port-mapping", &[("id", &id)]);
            if self.random.chance(50) {
                self.document.set_attr(mapping, "port", "80");
                if self.random.chance(50) {
                    self.document.set_attr(mapping, "internal-port", "8080");
                }
            } else {
                self.document.set_attr(mapping, "range", "2000-2005");
            }
        }
    }

    fn add_bundle_storage(&mut self, bundle: Key) {
        let storage = self.add(bundle, "storage", &[]);
        let id = self.new_id("storage");
        let source = *self.random.pick(&["source-dir", "source-dir-root"]);
        let attributes = [("id", &*id), (source, "/srv/data"), ("target-dir", "/data")];
        let mapping = self.add(storage, "storage-mapping", &attributes);
        if self.random.chance(50) {
            self.document.set_attr(mapping, "options", "rw,z");
        }
    }

    /// Adds a primitive by itself, as an administrator would.
    pub fn add_plain_primitive(&mut self) {
        let section = self.sections.resources;
        self.add_primitive(section, Purpose::Plain);
    }
}
