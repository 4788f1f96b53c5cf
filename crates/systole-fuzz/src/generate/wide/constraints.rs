//! Constraints with what they rarely say.

use crate::generate::sketch::{Described, Sketch};
use systole_cib::xml::Key;

const SCORES: [&str; 8] = ["INFINITY", "-INFINITY", "+INFINITY", "+7", "-7", "999999", "1000001", "0"];
const ROLES: [&str; 4] = ["Promoted", "Unpromoted", "Started", "Stopped"];

impl Sketch {
    /// Resources that are in nothing, one of each kind at most of what is inside others.
    fn outer(&self) -> Vec<Described> {
        self.resources.iter().filter(|rsc| !rsc.is_inner && !rsc.is_tag()).cloned().collect()
    }

    /// So many of the outer resources, each once.
    fn some_outer(&mut self, n: usize) -> Vec<Described> {
        let mut outer = self.outer();
        let mut chosen = Vec::new();
        while chosen.len() < n && !outer.is_empty() {
            let at = self.random.between(0, outer.len() as u64 - 1) as usize;
            chosen.push(outer.swap_remove(at));
        }
        chosen
    }

    /// Locations by pattern, by set, by rules with what a pattern matched, with every way of discovery.
    pub fn add_rare_locations(&mut self) {
        let n_locations = self.random.between(1, 3);
        for _ in 0..n_locations {
            let (id, node, score) = (self.new_id("loc"), self.any_node(), *self.random.pick(&SCORES));
            let key = self.add(self.sections.constraints, "rsc_location", &[("id", &id)]);
            match self.random.between(0, 3) {
                0 => {
                    self.document.set_attr(key, "rsc-pattern", "^(p|c|g|b)-([0-9]+)");
                    let (rule, expression) = (self.new_id("rule"), self.new_id("expr"));
                    let rule = self.add(key, "rule", &[("id", &rule), ("score", score)]);
                    let attribute = *self.random.pick(&["rack", "#uname", "for-%1"]);
                    let value = *self.random.pick(&["r%2", "node%2", "%1", "r1"]);
                    let attributes = [
                        ("id", &*expression),
                        ("attribute", attribute),
                        ("operation", "eq"),
                        ("value", value),
                    ];
                    self.add(rule, "expression", &attributes);
                    continue;
                }
                1 => {
                    let members = self.some_outer(3);
                    let set = self.new_id("rset");
                    let set = self.add(key, "resource_set", &[("id", &set)]);
                    for member in &members {
                        self.add(set, "resource_ref", &[("id", &member.id)]);
                    }
                    if members.iter().any(|member| member.is_promotable) {
                        let role = *self.random.pick(&ROLES[..3]);
                        self.document.set_attr(set, "role", role);
                    }
                }
                2 => {
                    let pattern = *self.random.pick(&[".*", "p-[13579]", "^b-", "nothing"]);
                    self.document.set_attr(key, "rsc-pattern", pattern);
                }
                _ => {
                    let Some(rsc) = self.some_outer(1).pop() else { continue };
                    self.document.set_attr(key, "rsc", &rsc.id);
                    if self.random.chance(40) {
                        let role = *self.random.pick(&ROLES);
                        self.document.set_attr(key, "role", role);
                    }
                }
            }
            self.document.set_attr(key, "node", &node);
            self.document.set_attr(key, "score", score);
            if self.random.chance(50) {
                let how = *self.random.pick(&["always", "never", "exclusive"]);
                self.document.set_attr(key, "resource-discovery", how);
            }
        }
    }

    /// Constraints between any two, in all roles and with all actions.
    pub fn add_role_constraints(&mut self) {
        let n_constraints = self.random.between(1, 3);
        for _ in 0..n_constraints {
            let pair = self.some_outer(2);
            let [one, other] = &pair[..] else { return };
            let (id, score) = (self.new_id("con"), *self.random.pick(&SCORES));
            if self.random.chance(55) {
                let attributes =
                    [("id", &*id), ("rsc", &*one.id), ("with-rsc", &*other.id), ("score", score)];
                let key = self.add(self.sections.constraints, "rsc_colocation", &attributes);
                self.sometimes(key, "rsc-role", 50, &ROLES);
                self.sometimes(key, "with-rsc-role", 50, &ROLES);
                self.sometimes(key, "node-attribute", 30, &["rack", "zone", "site-name", "nowhere"]);
                self.sometimes(key, "influence", 30, &["true", "false"]);
            } else {
                // What waits for what runs on it would wait for itself.
                let (one, other) = if other.is_connection() { (other, one) } else { (one, other) };
                let attributes = [("id", &*id), ("first", &*one.id), ("then", &*other.id)];
                let key = self.add(self.sections.constraints, "rsc_order", &attributes);
                let actions = ["start", "stop", "promote", "demote"];
                self.sometimes(key, "first-action", 60, &actions);
                self.sometimes(key, "then-action", 60, &actions);
                self.sometimes(key, "kind", 60, &["Optional", "Serialize", "Mandatory"]);
                self.sometimes(key, "symmetrical", 35, &["true", "false"]);
                self.sometimes(key, "require-all", 30, &["true", "false"]);
            }
        }
    }

    fn sometimes(&mut self, key: Key, name: &str, percent: u64, values: &[&str]) {
        if self.random.chance(percent) {
            let value = *self.random.pick(values);
            self.document.set_attr(key, name, value);
        }
    }

    /// Chains of sets: some that need not all be there, some with roles, some that run beside each other.
    pub fn add_chain_of_sets(&mut self) {
        let is_order = self.random.chance(60);
        let members = self.some_outer(6);
        if members.len() < 2 {
            return;
        }
        let (id, kind) = (self.new_id("chain"), if is_order { "rsc_order" } else { "rsc_colocation" });
        let key = self.add(self.sections.constraints, kind, &[("id", &id)]);
        if is_order {
            self.sometimes(key, "kind", 50, &["Mandatory", "Optional", "Serialize"]);
            self.sometimes(key, "symmetrical", 30, &["true", "false"]);
        } else {
            let score = *self.random.pick(&["INFINITY", "-INFINITY", "50", "-50"]);
            self.document.set_attr(key, "score", score);
        }
        for part in members.chunks(2) {
            let set = self.new_id("rset");
            let set = self.add(key, "resource_set", &[("id", &set)]);
            for member in part {
                self.add(set, "resource_ref", &[("id", &member.id)]);
            }
            self.sometimes(set, "sequential", 60, &["true", "false", "false"]);
            if is_order {
                let is_sequential = self.document.element(set).attr("sequential") != Some("false");
                // The schema allows it of others too, where it means nothing.
                if !is_sequential || self.random.chance(10) {
                    self.sometimes(set, "require-all", 60, &["true", "false", "false"]);
                }
                self.sometimes(set, "action", 40, &["start", "stop", "promote", "demote"]);
                self.sometimes(set, "kind", 10, &["Mandatory", "Optional", "Serialize"]);
            } else {
                self.sometimes(set, "role", 40, &ROLES);
                self.sometimes(set, "score", 20, &SCORES);
                self.sometimes(set, "ordering", 15, &["group", "listed"]);
            }
        }
    }

    /// A ticket with every loss policy and role, granted, revoked or on standby.
    pub fn add_tickets_of_all_kinds(&mut self) {
        for policy in ["stop", "demote", "fence", "freeze"] {
            if !self.random.chance(50) {
                continue;
            }
            let Some(rsc) = self.some_outer(1).pop() else { return };
            let id = self.new_id("ticket");
            let name = *self.random.pick(&["ticketD", "ticketE"]);
            let attributes = [("id", &*id), ("ticket", name), ("rsc", &*rsc.id), ("loss-policy", policy)];
            let key = self.add(self.sections.constraints, "rsc_ticket", &attributes);
            self.sometimes(key, "rsc-role", 50, &ROLES);
        }
        let known = self.document.element(self.sections.status).child("tickets").map(|tickets| tickets.key());
        let tickets = known.unwrap_or_else(|| self.document.append(self.sections.status, "tickets"));
        for name in ["ticketD", "ticketE"] {
            let is_known = self.document.element(tickets).children().any(|state| state.id() == Some(name));
            if self.random.chance(80) && !is_known {
                let state = self.add(tickets, "ticket_state", &[("id", name), ("granted", "true")]);
                self.sometimes(state, "last-granted", 60, &["1779990000"]);
                self.sometimes(state, "standby", 20, &["true", "false"]);
            }
        }
    }

    /// A ticket that was granted is taken away, or put on standby.
    pub fn lose_a_ticket(&mut self) {
        let Some(ticket) = self.any_of("ticket_state") else { return };
        let (name, value) = *self.random.pick(&[
            ("granted", "false"),
            ("standby", "true"),
            ("granted", "true"),
            ("granted", "0"),
        ]);
        self.document.set_attr(ticket, name, value);
    }

    /// Parameters and options of resources and operations that depend on the node, the date and the resource.
    pub fn add_parameter_rules(&mut self) {
        let Some(primitive) = self.any_primitive() else { return };
        for value in ["first", "second"] {
            let set = self.add_pairs(primitive, "instance_attributes", &[("fake", value), ("state", value)]);
            self.sometimes(set, "score", 50, &["2", "7", "-3"]);
            if self.random.chance(50) {
                self.add_node_rule(set);
            } else {
                self.add_date_rule(set);
            }
        }
        for section in ["rsc_defaults", "op_defaults"] {
            let pairs: &[(&str, &str)] = match section {
                "rsc_defaults" => &[("resource-stickiness", "33"), ("migration-threshold", "3")],
                _ => &[("timeout", "33s"), ("on-fail", "restart")],
            };
            if self.random.chance(60) {
                let key = self.section(section);
                let set = self.add_pairs(key, "meta_attributes", pairs);
                self.add_defaults_rule(set, section == "op_defaults");
            }
        }
    }
}
