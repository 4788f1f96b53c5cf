//! Resources with what they rarely have.

use crate::generate::sketch::{Sketch, Table};
use systole_cib::xml::{Element, Key};

const META: Table<'_> = &[
    ("target-role", 20, &["Started", "Stopped", "Promoted", "Unpromoted", "Master", "Slave", "started"]),
    ("is-managed", 12, &["false", "no", "0", "off"]),
    ("maintenance", 10, &["true", "yes", "1"]),
    ("multiple-active", 20, &["stop_start", "stop_only", "block", "stop_unexpected"]),
    ("requires", 15, &["nothing", "quorum", "fencing", "unfencing"]),
    ("migration-threshold", 20, &["1", "2", "INFINITY", "0", "-1"]),
    ("failure-timeout", 20, &["5s", "PT1M", "1h", "2d"]),
    ("resource-stickiness", 15, &["-1", "INFINITY", "-INFINITY", "+5", "200"]),
    ("priority", 15, &["INFINITY", "-INFINITY", "3", "-3"]),
    ("critical", 10, &["false"]),
    ("allow-migrate", 15, &["true"]),
    ("allow-unhealthy-nodes", 10, &["true"]),
    ("owner", 10, &["someone"]),
    ("container-attribute-target", 5, &["host"]),
];

const CLONE_META: Table<'_> = &[
    ("clone-max", 40, &["0", "1", "2", "10", "-1"]),
    ("clone-node-max", 40, &["2", "3", "0"]),
    ("clone-min", 30, &["1", "2", "9"]),
    ("globally-unique", 30, &["true", "false"]),
    ("interleave", 40, &["true"]),
    ("ordered", 40, &["true"]),
    ("notify", 40, &["true"]),
    ("promoted-max", 30, &["0", "2", "5", "-1"]),
    ("promoted-node-max", 30, &["2", "0"]),
    ("master-max", 10, &["2"]),
    ("master-node-max", 10, &["2"]),
    ("resource-stickiness", 15, &["5", "0"]),
    ("target-role", 10, &["Unpromoted", "Promoted", "Slave", "Master"]),
];

const REMOTE_META: Table<'_> = &[
    ("remote-addr", 40, &["192.0.2.78", "guest.example.org"]),
    ("remote-port", 40, &["3123"]),
    ("remote-connect-timeout", 40, &["2min", "45"]),
    ("remote-allow-migrate", 40, &["true", "false"]),
    ("allow-migrate", 40, &["true"]),
    ("requires", 20, &["quorum", "nothing", "fencing"]),
    ("resource-stickiness", 10, &["100"]),
    ("is-managed", 8, &["false"]),
];

const CONNECTION: Table<'_> = &[
    ("reconnect_interval", 60, &["30s", "5min", "1"]),
    ("server", 30, &["192.0.2.10"]),
    ("addr", 20, &["192.0.2.11"]),
    ("port", 20, &["3124"]),
];

/// Class, provider and type.
const AGENTS: [(&str, &str, &str); 7] = [
    ("systemd", "", "sshd@tty1"),
    ("lsb", "", "apache2"),
    ("service", "", "nfs-server"),
    ("ocf", "heartbeat", "Filesystem"),
    ("ocf", "custom", "Thing"),
    ("ocf", "pacemaker", "ping"),
    ("ocf", "pacemaker", "SysInfo"),
];

impl Sketch {
    /// Sets meta attributes that are rarely set, sometimes by a set with a rule or a score.
    pub fn vary_meta_attributes(&mut self) {
        let owners = self.configured(|element| {
            ["primitive", "group", "clone", "bundle", "template"].iter().any(|name| element.is(name))
        });
        for owner in owners {
            if !self.random.chance(40) {
                continue;
            }
            let pairs = self.draw(META);
            if self.random.chance(60) {
                for (name, value) in pairs {
                    self.set_meta(owner, name, value);
                }
                continue;
            }
            let set = self.add_pairs(owner, "meta_attributes", &pairs);
            if self.random.chance(50) {
                let score = *self.random.pick(&["1", "100", "-1", "INFINITY"]);
                self.document.set_attr(set, "score", score);
            }
            if self.random.chance(50) {
                self.add_date_rule(set);
            }
        }
    }

    /// Adds primitives with agents of other classes, in a group perhaps.
    pub fn add_other_agents(&mut self) {
        let (class, provider, kind) = *self.random.pick(&AGENTS);
        let in_group = self.random.chance(30);
        let parent = if in_group {
            let group = self.new_id("g");
            let key = self.add(self.sections.resources, "group", &[("id", &group)]);
            self.describe(&group, false, false, false);
            key
        } else {
            self.sections.resources
        };
        let id = self.new_id("p");
        let key = self.add(parent, "primitive", &[("id", &id), ("class", class), ("type", kind)]);
        if !provider.is_empty() {
            self.document.set_attr(key, "provider", provider);
        }
        self.add_pairs(key, "instance_attributes", &[("name", "pingd"), ("device", "/dev/sdb1")]);
        self.describe(&id, false, in_group, true);
        let attributes = [("name", "monitor"), ("interval", "10s")];
        let (operations, op) = (self.add(key, "operations", &[]), self.new_id("op"));
        let op = self.add(operations, "op", &[("id", &op), attributes[0], attributes[1]]);
        if self.random.chance(30) {
            self.document.set_attr(op, "timeout", "40s");
        }
    }

    /// A template, two primitives of it, one of them cloned, and constraints that name the template.
    pub fn add_cloned_template(&mut self) {
        let template = self.new_id("t");
        let attributes =
            [("id", &*template), ("class", "ocf"), ("provider", "pacemaker"), ("type", "Stateful")];
        let key = self.add(self.sections.resources, "template", &attributes);
        self.add_pairs(key, "instance_attributes", &[("state", "/run/t"), ("passwd", "x")]);
        self.add_pairs(key, "meta_attributes", &[("migration-threshold", "2")]);
        self.add_monitors(key);
        let plain = self.new_id("p");
        self.add(self.sections.resources, "primitive", &[("id", &plain), ("template", &template)]);
        self.describe(&plain, false, false, true);
        let clone = self.new_id("c");
        let key = self.add(self.sections.resources, "clone", &[("id", &clone)]);
        let is_promotable = self.random.chance(50);
        if is_promotable {
            self.add_pairs(key, "meta_attributes", &[("promotable", "true")]);
        }
        let inner = self.new_id("p");
        let inner_key = self.add(key, "primitive", &[("id", &inner), ("template", &template)]);
        if self.random.chance(50) {
            self.add_monitors(inner_key);
        }
        self.describe(&clone, is_promotable, false, false);
        self.describe(&inner, false, true, true);
        let (id, node) = (self.new_id("loc"), self.any_node());
        let score = *self.random.pick(&["50", "-INFINITY", "-5"]);
        let attributes = [("id", &*id), ("rsc", &*template), ("node", &*node), ("score", score)];
        self.add(self.sections.constraints, "rsc_location", &attributes);
    }

    fn add_monitors(&mut self, parent: Key) {
        let operations = self.add(parent, "operations", &[]);
        for (interval, role) in [("10s", "Promoted"), ("12s", "Unpromoted")] {
            let id = self.new_id("op");
            let attributes = [("id", &*id), ("name", "monitor"), ("interval", interval), ("role", role)];
            self.add(operations, "op", &attributes);
        }
    }

    /// Clones with rare numbers of instances.
    pub fn vary_clones(&mut self) {
        for clone in self.configured(|element| element.is("clone")) {
            for (name, value) in self.draw(CLONE_META) {
                // What is inside has other agents than OCF's, which make a unique clone anonymous by halves.
                let is_group = self.document.element(clone).child("group").is_some();
                if !(is_group && name == "globally-unique") {
                    self.set_meta(clone, name, value);
                }
            }
        }
    }

    /// Guests and remote nodes with all that can be said of their connections.
    pub fn vary_guests(&mut self) {
        let owners = self.configured(|element| element.is("primitive"));
        for owner in owners {
            let element = self.document.element(owner);
            let is_guest = element
                .children()
                .flat_map(Element::children)
                .any(|pair| pair.attr("name") == Some("remote-node"));
            let is_remote = element.attr("type") == Some("remote");
            if is_guest {
                for (name, value) in self.draw(REMOTE_META) {
                    self.set_meta(owner, name, value);
                }
            } else if is_remote {
                let known = self.document.element(owner).child("instance_attributes").map(Element::key);
                if let Some(known) = known {
                    self.document.remove(known);
                }
                let parameters = self.draw(CONNECTION);
                self.add_pairs(owner, "instance_attributes", &parameters);
            }
        }
    }
}
