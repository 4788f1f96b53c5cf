//! Bundles in every variation of network and storage.

use crate::generate::sketch::{Sketch, Table};
use systole_cib::xml::{Element, Key};

const CONTAINER: Table<'_> = &[
    ("replicas", 40, &["1", "2", "4", "0"]),
    ("replicas-per-host", 40, &["1", "2", "3"]),
    ("promoted-max", 20, &["0", "1", "3"]),
    ("network", 40, &["host", "none", "pod"]),
    ("options", 40, &["--user=root --log-driver=journald", "", "-e A=B"]),
    ("run-command", 30, &["/bin/bash /usr/local/bin/kolla_start", "/usr/sbin/pacemaker_remoted", ""]),
];

const NETWORK: Table<'_> = &[
    ("ip-range-start", 60, &["192.0.2.253", "192.0.2.1", "10.0.253.254", "192.0.2.255"]),
    ("control-port", 50, &["3121", "4000"]),
    ("host-interface", 30, &["eth0", "bond0.100"]),
    ("host-netmask", 30, &["24", "32"]),
    ("add-host", 30, &["true", "false"]),
];

const META: Table<'_> = &[
    ("container-attribute-target", 30, &["host"]),
    ("target-role", 20, &["Started", "Stopped", "Unpromoted", "Promoted", "Master"]),
    ("is-managed", 15, &["false"]),
    ("maintenance", 10, &["true"]),
    ("notify", 20, &["true"]),
    ("ordered", 20, &["true", "false"]),
    ("interleave", 20, &["true", "false"]),
    ("resource-stickiness", 15, &["10", "INFINITY"]),
    ("requires", 10, &["quorum", "nothing"]),
    ("critical", 10, &["false"]),
    ("multiple-active", 10, &["block", "stop_only", "stop_unexpected"]),
    ("priority", 10, &["7"]),
];

/// Meta attributes of the primitive in it.
const INNER: Table<'_> = &[
    ("container-attribute-target", 40, &["host"]),
    ("resource-stickiness", 15, &["3"]),
    ("notify", 20, &["true"]),
    ("ordered", 15, &["true"]),
    ("interleave", 15, &["true"]),
    ("migration-threshold", 15, &["1"]),
    ("target-role", 10, &["Unpromoted", "Stopped"]),
    ("priority", 10, &["4"]),
];

impl Sketch {
    /// Gives bundles other attributes; adds one if there is none.
    pub fn vary_bundles(&mut self) {
        let mut bundles = self.configured(|element| element.is("bundle"));
        if bundles.is_empty() {
            let section = self.sections.resources;
            self.add_bundle(section);
            bundles = self.configured(|element| element.is("bundle"));
        }
        for bundle in bundles {
            self.vary_bundle(bundle);
        }
    }

    fn vary_bundle(&mut self, bundle: Key) {
        let child = |sketch: &Self, names: &[&str]| {
            let mut children = sketch.document.element(bundle).children();
            children.find(|child| names.iter().any(|name| child.is(name))).map(Element::key)
        };
        if let Some(container) = child(self, &["podman", "docker"]) {
            for (name, value) in self.draw(CONTAINER) {
                self.document.set_attr(container, name, value);
            }
        }
        if let Some(network) = child(self, &["network"]) {
            for (name, value) in self.draw(NETWORK) {
                self.document.set_attr(network, name, value);
            }
            self.add_ports(network);
        }
        let storage = child(self, &["storage"]).unwrap_or_else(|| self.document.append(bundle, "storage"));
        self.add_mappings(storage);
        for (name, value) in self.draw(META) {
            self.set_meta(bundle, name, value);
        }
        if let Some(primitive) = child(self, &["primitive"]) {
            for (name, value) in self.draw(INNER) {
                self.set_meta(primitive, name, value);
            }
            if self.random.chance(20) {
                self.add_pairs(primitive, "utilization", &[("cpu", "1")]);
            }
        }
        if self.random.chance(10) {
            self.add_pairs(bundle, "instance_attributes", &[("nothing", "counts")]);
        }
    }

    fn add_ports(&mut self, network: Key) {
        let ports: [&[(&str, &str)]; 3] =
            [&[("port", "3306")], &[("port", "80"), ("internal-port", "8080")], &[("range", "4567-4569")]];
        for attributes in ports {
            if self.random.chance(35) {
                let id = self.new_id("port");
                let mapping = self.add(network, "port-mapping", &[("id", &id)]);
                for (name, value) in attributes {
                    self.document.set_attr(mapping, name, value);
                }
            }
        }
    }

    fn add_mappings(&mut self, storage: Key) {
        let mappings: [(&str, &str, &str, &str); 4] = [
            ("source-dir", "/var/log/b", "/var/log", "rw,Z"),
            ("source-dir-root", "/var/log/b", "/var/log/b", ""),
            ("source-dir", "/etc/b.conf", "/etc/b.conf", "ro"),
            ("source-dir-root", "/srv", "/srv", "rw"),
        ];
        for (kind, source, target, options) in mappings {
            if self.random.chance(30) {
                let id = self.new_id("storage");
                let attributes = [("id", &*id), (kind, source), ("target-dir", target)];
                let mapping = self.add(storage, "storage-mapping", &attributes);
                if !options.is_empty() {
                    self.document.set_attr(mapping, "options", options);
                }
            }
        }
    }
}
