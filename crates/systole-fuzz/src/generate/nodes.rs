//! Nodes as configured, and their states.

use super::sketch::{Sketch, Table, Theme};
use systole_cib::xml::Key;

const ATTRIBUTES: Table<'_> = &[
    ("rack", 50, &["r1", "r2"]),
    ("zone", 20, &["1", "2", "10"]),
    ("size", 20, &["5", "10", "1.5", "INFINITY", "1.0.3"]),
    ("standby", 5, &["on", "true", "off", "false"]),
    ("maintenance", 3, &["true", "false"]),
    ("site-name", 4, &["east"]),
    ("resource-discovery-enabled", 3, &["false", "true"]),
];

const CAPACITY: [&str; 5] = ["0", "1", "2", "4", "8"];

impl Sketch {
    /// Adds the cluster nodes.
    pub fn add_nodes(&mut self) {
        let n_nodes = *self.random.pick(&[1, 2, 2, 3, 3, 3, 4, 5]);
        for number in 1..=n_nodes {
            let (id, name) = (number.to_string(), format!("node{number}"));
            let key = self.add(self.sections.nodes, "node", &[("id", &id), ("uname", &name)]);
            self.add_node_attributes(key);
            self.nodes.push((id, name));
        }
    }

    /// Adds permanent attributes and utilization.
    pub fn add_node_attributes(&mut self, node: Key) {
        if self.chance_if(Theme::Rules, 80, 25) {
            let attributes = self.draw(ATTRIBUTES);
            self.add_pairs(node, "instance_attributes", &attributes);
        }
        if self.is_about(Theme::Health) && self.random.chance(50) {
            let value = *self.random.pick(&["red", "yellow", "green", "-10", "100"]);
            self.add_pairs(node, "instance_attributes", &[("#health-disk", value)]);
        }
        if self.is_about(Theme::Utilization) {
            let (cpu, ram) = (*self.random.pick(&CAPACITY), *self.random.pick(&CAPACITY));
            self.add_pairs(node, "utilization", &[("cpu", cpu), ("ram", ram)]);
        }
    }

    /// Adds the states of cluster nodes: most are up.
    pub fn add_status(&mut self) {
        for (id, name) in self.nodes.clone() {
            if self.random.chance(4) {
                continue;
            }
            let state = self.add(self.sections.status, "node_state", &[("id", &id), ("uname", &name)]);
            let is_down = self.random.chance(4);
            self.set_node_state(state, if is_down { "clean" } else { "up" });
            self.add(state, "lrm", &[("id", &id)]);
        }
        if self.is_about(Theme::Tickets) {
            self.add_ticket_states();
        }
    }

    fn add_ticket_states(&mut self) {
        let tickets = self.add(self.sections.status, "tickets", &[]);
        for ticket in ["ticketA", "ticketB"] {
            if self.random.chance(75) {
                let granted = *self.random.pick(&["true", "false", "true"]);
                let state = self.add(tickets, "ticket_state", &[("id", ticket), ("granted", granted)]);
                if self.random.chance(50) {
                    self.document.set_attr(state, "last-granted", "1779990000");
                }
                if self.random.chance(25) {
                    let standby = *self.random.pick(&["true", "false"]);
                    self.document.set_attr(state, "standby", standby);
                }
            }
        }
    }

    /// Sets what membership, controller and join say of a node.
    pub fn set_node_state(&mut self, state: Key, how: &str) {
        let values = match how {
            "up" => ["true", "online", "member", "member"],
            "up-since" => ["1779990000", "1779990001", "member", "member"],
            "clean" => ["false", "offline", "down", "down"],
            "clean-zero" => ["0", "0", "down", "down"],
            "lost" => ["false", "offline", "down", "member"],
            "lost-zero" => ["0", "0", "member", "member"],
            "hung" => ["true", "offline", "member", "member"],
            "pending" => ["true", "offline", "down", "member"],
            "joining" => ["true", "online", "pending", "member"],
            "pending-since" => ["1779999000", "0", "down", "member"],
            _ => ["false", "online", "member", "member"],
        };
        for (name, value) in ["in_ccm", "crmd", "join", "expected"].into_iter().zip(values) {
            self.document.set_attr(state, name, value);
        }
    }
}
