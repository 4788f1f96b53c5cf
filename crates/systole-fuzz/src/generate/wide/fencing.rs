//! Fence devices, levels, priorities, unfencing.

use crate::generate::sketch::Sketch;

impl Sketch {
    fn device_ids(&self) -> Vec<String> {
        let devices = self.resources.iter().filter(|rsc| rsc.id.starts_with("fence"));
        devices.map(|rsc| rsc.id.clone()).collect()
    }

    fn add_device(&mut self, agent: &str, parameters: &[(&str, &str)], meta: &[(&str, &str)]) -> String {
        let id = format!("fence{}", self.device_ids().len() + 1);
        let attributes = [("id", &*id), ("class", "stonith"), ("type", agent)];
        let key = self.add(self.sections.resources, "primitive", &attributes);
        if !parameters.is_empty() {
            self.add_pairs(key, "instance_attributes", parameters);
        }
        if !meta.is_empty() {
            self.add_pairs(key, "meta_attributes", meta);
        }
        if self.random.chance(60) {
            let (operations, id) = (self.add(key, "operations", &[]), self.new_id("op"));
            let op = self.add(operations, "op", &[("id", &id), ("name", "monitor"), ("interval", "60s")]);
            if self.random.chance(40) {
                let on_fail = *self.random.pick(&["ignore", "restart", "stop", "block", "fence"]);
                self.document.set_attr(op, "on-fail", on_fail);
            }
        }
        self.describe(&id, false, false, true);
        id
    }

    /// Levels by a node's name, a pattern or an attribute.
    pub fn add_fencing_topology(&mut self) {
        while self.device_ids().len() < 2 {
            self.add_device("fence_ipmilan", &[("pcmk_host_check", "static-list")], &[]);
        }
        let topology = self.section("fencing-topology");
        let n_levels = self.random.between(1, 4);
        for _ in 0..n_levels {
            let (id, devices) = (self.new_id("level"), self.device_ids());
            let one = self.random.pick(&devices).clone();
            let devices = if self.random.chance(40) { devices.join(",") } else { one };
            let index = self.random.between(1, 3).to_string();
            let attributes = [("id", &*id), ("index", &index), ("devices", &devices)];
            let level = self.add(topology, "fencing-level", &attributes);
            match self.random.between(0, 2) {
                0 => {
                    let node = self.any_node();
                    self.document.set_attr(level, "target", &node);
                }
                1 => {
                    self.document.set_attr(level, "target-pattern", "node[0-9]+");
                }
                _ => {
                    self.document.set_attr(level, "target-attribute", "rack");
                    self.document.set_attr(level, "target-value", "r1");
                }
            }
        }
    }

    /// Devices with other agents and parameters.
    pub fn add_other_fence_devices(&mut self) {
        match self.random.between(0, 3) {
            0 => {
                self.add_device("fence_watchdog", &[], &[]);
                self.set_option("have-watchdog", "true");
                self.set_option("fencing-watchdog-timeout", "10s");
            }
            1 => {
                let map = [("pcmk_host_map", "node1:1;node2:2"), ("pcmk_reboot_action", "off")];
                self.add_device("fence_apc", &map, &[("requires", "nothing")]);
            }
            2 => {
                let parameters = [("key", "abc"), ("devices", "/dev/sda")];
                let meta = [("provides", "unfencing"), ("requires", "quorum")];
                self.add_device("fence_scsi", &parameters, &meta);
                self.set_option("fencing-enabled", "true");
            }
            _ => {
                self.add_device("external/ssh", &[("hostlist", "node1 node2")], &[("priority", "3")]);
            }
        }
    }

    /// Two or three nodes whose fencing is delayed by what runs there.
    pub fn add_fencing_priorities(&mut self) {
        self.set_option("fencing-enabled", "true");
        let delay = *self.random.pick(&["15s", "60s", "1min"]);
        self.set_option("priority-fencing-delay", delay);
        let owners = self.configured(|element| {
            ["primitive", "group", "clone", "bundle"].iter().any(|name| element.is(name))
        });
        for owner in owners {
            if self.random.chance(50) {
                let priority = *self.random.pick(&["1", "5", "10", "0"]);
                self.set_meta(owner, "priority", priority);
            }
        }
    }

    /// A device that unfences, resources that ask for it, and nodes that are unfenced, or were with other parameters.
    pub fn unfence(&mut self) {
        if let Some(device) = self.any_configured(|element| element.attr("class") == Some("stonith")) {
            self.set_meta(device, "provides", "unfencing");
            if self.random.chance(50)
                && let Some(primitive) = self.any_primitive()
            {
                let requires = *self.random.pick(&["unfencing", "fencing", "quorum", "nothing"]);
                self.set_meta(primitive, "requires", requires);
            }
        }
        for state in self.states() {
            if self.random.chance(60) {
                let when = *self.random.pick(&["1779999000", "0", "1779999000"]);
                self.set_transient(state, "#node-unfenced", when);
            }
            if self.random.chance(40) {
                let digest = "fence1:fence_scsi:f2317cad3d54cec5d7d7aa7d0bf35cf8,";
                self.set_transient(state, "#digests-all", digest);
                self.set_transient(state, "#digests-secure", digest);
            }
        }
    }
}
