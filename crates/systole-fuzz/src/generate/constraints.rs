//! Constraints of every kind.

use super::sketch::{Described, Sketch, Theme};
use systole_cib::xml::Key;

const SCORES: [&str; 9] = ["INFINITY", "INFINITY", "-INFINITY", "10", "100", "-10", "-100", "1", "500"];

impl Sketch {
    /// Adds constraints among what there is.
    pub fn add_constraints(&mut self) {
        if self.is_about(Theme::Tags) {
            self.add_tags();
        }
        let most = *self.random.pick(&[1, 3, 6]);
        let n_constraints = self.random.between(0, most);
        for _ in 0..n_constraints {
            self.add_any_constraint();
        }
        if self.is_about(Theme::Tickets) {
            let n_tickets = self.random.between(1, 3);
            (0..n_tickets).for_each(|_| self.add_ticket());
        }
        if !self.remotes.is_empty() && self.random.chance(40) {
            self.add_location();
        }
    }

    /// Adds one constraint.
    pub fn add_any_constraint(&mut self) {
        match self.random.between(0, 8) {
            0..=2 => self.add_location(),
            3..=5 if self.chance_if(Theme::Sets, 60, 10) => self.add_colocation_sets(),
            3..=5 => self.add_colocation(),
            _ if self.chance_if(Theme::Sets, 60, 10) => self.add_order_sets(),
            _ => self.add_order(),
        }
    }

    fn any_resource(&mut self) -> Described {
        let outer: Vec<Described> =
            self.resources.iter().filter(|rsc| !rsc.is_inner || self.n_outer() == 0).cloned().collect();
        let all = if self.random.chance(12) { self.resources.clone() } else { outer };
        self.random.pick(&all).clone()
    }

    fn n_outer(&self) -> usize {
        self.resources.iter().filter(|rsc| !rsc.is_inner).count()
    }

    fn two_resources(&mut self) -> Option<(Described, Described)> {
        let first = self.any_resource();
        for _ in 0..8 {
            let second = self.any_resource();
            // Two tags could share a member, a tag or a clone have the other one: ordering a resource after itself is too
            // much for the reference.
            if second.id != first.id
                && !(first.is_tag() || second.is_tag() || first.is_inner || second.is_inner)
            {
                return Some((first, second));
            }
        }
        None
    }

    fn role_of(&mut self, rsc: &Described) -> Option<&'static str> {
        let roles: &[Option<&str>] = if rsc.is_promotable {
            &[None, Some("Promoted"), Some("Promoted"), Some("Unpromoted"), Some("Started")]
        } else {
            &[None, None, None, None, None, None, Some("Started"), Some("Stopped")]
        };
        *self.random.pick(roles)
    }

    fn add_tags(&mut self) {
        let tags = self.add(self.sections.configuration, "tags", &[]);
        for number in 1..=2 {
            let id = format!("tag{number}");
            let tag = self.add(tags, "tag", &[("id", &id)]);
            let n_members = self.random.between(1, 3);
            let members: Vec<Described> = (0..n_members).map(|_| self.any_resource()).collect();
            let members = members.iter().filter(|rsc| !rsc.is_tag()).map(|rsc| rsc.id.clone());
            let members: Vec<String> = members.collect();
            if members.is_empty() {
                self.document.remove(tag);
                continue;
            }
            for member in &members {
                self.add(tag, "obj_ref", &[("id", member)]);
            }
            self.resources.push(Described { id, is_promotable: false, is_inner: false, is_primitive: false });
        }
    }

    fn add_location(&mut self) {
        let id = self.new_id("loc");
        let rsc = self.any_resource();
        let key = self.add(self.sections.constraints, "rsc_location", &[("id", &id)]);
        if self.random.chance(8) {
            let pattern = *self.random.pick(&["p-.*", "^c-[0-9]+$", "(p|g)-(.)", "!p-.*"]);
            self.document.set_attr(key, "rsc-pattern", pattern);
        } else if self.is_about(Theme::Sets) && self.random.chance(20) {
            self.add_set(key, false);
        } else {
            self.document.set_attr(key, "rsc", &rsc.id);
        }
        if self.chance_if(Theme::Rules, 60, 15) {
            self.add_location_rule(key, rsc.is_promotable);
        } else {
            let (node, score) = (self.any_node(), *self.random.pick(&SCORES));
            self.document.set_attr(key, "node", &node);
            self.document.set_attr(key, "score", score);
            let is_set = self.document.element(key).child("resource_set").is_some();
            if let Some(role) = self.role_of(&rsc).filter(|_| !is_set) {
                self.document.set_attr(key, "role", role);
            }
        }
        if self.random.chance(12) {
            let discovery = *self.random.pick(&["always", "never", "exclusive"]);
            self.document.set_attr(key, "resource-discovery", discovery);
        }
    }

    fn add_colocation(&mut self) {
        let Some((dependent, primary)) = self.two_resources() else { return };
        let (id, score) = (self.new_id("colo"), *self.random.pick(&SCORES));
        let attributes =
            [("id", &*id), ("score", score), ("rsc", &*dependent.id), ("with-rsc", &*primary.id)];
        let key = self.add(self.sections.constraints, "rsc_colocation", &attributes);
        if let Some(role) = self.role_of(&dependent) {
            self.document.set_attr(key, "rsc-role", role);
        }
        if let Some(role) = self.role_of(&primary) {
            self.document.set_attr(key, "with-rsc-role", role);
        }
        if self.random.chance(10) {
            let attribute = *self.random.pick(&["rack", "zone", "#uname"]);
            self.document.set_attr(key, "node-attribute", attribute);
        }
        self.add_influence(key);
    }

    fn add_influence(&mut self, key: Key) {
        if self.random.chance(12) {
            let influence = *self.random.pick(&["true", "false"]);
            self.document.set_attr(key, "influence", influence);
        }
    }

    fn add_order(&mut self) {
        let Some((mut first, mut then)) = self.two_resources() else { return };
        if then.is_connection() {
            // What waits for what runs on it would wait for itself.
            std::mem::swap(&mut first, &mut then);
        }
        let id = self.new_id("order");
        let attributes = [("id", &*id), ("first", &*first.id), ("then", &*then.id)];
        let key = self.add(self.sections.constraints, "rsc_order", &attributes);
        let actions = |rsc: &Described| {
            if rsc.is_promotable {
                &["start", "promote", "demote", "stop"][..]
            } else {
                &["start", "stop"][..]
            }
        };
        if self.random.chance(if first.is_promotable { 60 } else { 12 }) {
            let action = *self.random.pick(actions(&first));
            self.document.set_attr(key, "first-action", action);
        }
        if self.random.chance(if then.is_promotable { 60 } else { 12 }) {
            let action = *self.random.pick(actions(&then));
            self.document.set_attr(key, "then-action", action);
        }
        self.add_order_kind(key);
        if self.random.chance(10) {
            let value = *self.random.pick(&["true", "false"]);
            self.document.set_attr(key, "require-all", value);
        }
    }

    fn add_order_kind(&mut self, key: Key) {
        match self.random.between(0, 9) {
            0..=4 => {
                let kind = *self.random.pick(&["Mandatory", "Optional", "Serialize", "Mandatory"]);
                self.document.set_attr(key, "kind", kind);
            }
            5 => {
                let score = *self.random.pick(&["INFINITY", "0", "10"]);
                self.document.set_attr(key, "score", score);
            }
            _ => {}
        }
        if self.random.chance(15) {
            let value = *self.random.pick(&["true", "false"]);
            self.document.set_attr(key, "symmetrical", value);
        }
    }

    /// A set of one to three resources; says whether any is promotable.
    fn add_set(&mut self, parent: Key, is_for_order: bool) -> Option<Key> {
        let id = self.new_id("rset");
        let key = self.add(parent, "resource_set", &[("id", &id)]);
        let n_members = self.random.between(1, 4);
        let mut members: Vec<Described> = Vec::new();
        for _ in 0..n_members {
            let rsc = self.any_resource();
            if members.iter().all(|known| known.id != rsc.id) {
                members.push(rsc);
            }
        }
        if self.random.chance(40) {
            let value = *self.random.pick(&["true", "false"]);
            self.document.set_attr(key, "sequential", value);
        }
        let is_promotable = members.iter().all(|rsc| rsc.is_promotable);
        if is_for_order {
            if self.random.chance(25) {
                let value = *self.random.pick(&["true", "false"]);
                self.document.set_attr(key, "require-all", value);
            }
            if self.random.chance(if is_promotable { 60 } else { 12 }) {
                let all = ["start", "stop", "promote", "demote"];
                let n_actions = if is_promotable { 4 } else { 2 };
                let action = *self.random.pick(&all[..n_actions]);
                self.document.set_attr(key, "action", action);
            }
        } else if is_promotable && self.random.chance(50) {
            let role = *self.random.pick(&["Promoted", "Unpromoted", "Started"]);
            self.document.set_attr(key, "role", role);
        }
        for rsc in &members {
            self.add(key, "resource_ref", &[("id", &rsc.id)]);
        }
        Some(key)
    }

    fn add_colocation_sets(&mut self) {
        let (id, score) = (self.new_id("colo"), *self.random.pick(&SCORES));
        let attributes = [("id", &*id), ("score", score)];
        let key = self.add(self.sections.constraints, "rsc_colocation", &attributes);
        self.add_influence(key);
        let n_sets = self.random.between(1, 3);
        for _ in 0..n_sets {
            let set = self.add_set(key, false);
            if let (Some(set), true) = (set, self.random.chance(15)) {
                let score = *self.random.pick(&SCORES);
                self.document.set_attr(set, "score", score);
            }
        }
    }

    /// Sets of an order share no member: ordering a resource after itself is too much for the reference.
    fn add_order_sets(&mut self) {
        let mut used = Vec::new();
        let id = self.new_id("order");
        let key = self.add(self.sections.constraints, "rsc_order", &[("id", &id)]);
        self.add_order_kind(key);
        let n_sets = self.random.between(1, 3);
        for _ in 0..n_sets {
            let Some(set) = self.add_set(key, true) else { continue };
            let members = self.document.element(set).children().filter_map(|member| member.id());
            let members: Vec<String> = members.map(str::to_owned).collect();
            if members.iter().any(|member| used.contains(member) || member.starts_with("tag")) {
                self.document.remove(set);
                continue;
            }
            used.extend(members);
            if self.random.chance(8) {
                let kind = *self.random.pick(&["Mandatory", "Optional", "Serialize"]);
                self.document.set_attr(set, "kind", kind);
            }
        }
        if used.is_empty() {
            self.document.remove(key);
        }
    }

    fn add_ticket(&mut self) {
        let id = self.new_id("ticket");
        let ticket = *self.random.pick(&["ticketA", "ticketB", "ticketC"]);
        let key = self.add(self.sections.constraints, "rsc_ticket", &[("id", &id), ("ticket", ticket)]);
        if self.is_about(Theme::Sets) && self.random.chance(30) {
            self.add_set(key, false);
        } else {
            let rsc = self.any_resource();
            self.document.set_attr(key, "rsc", &rsc.id);
            if let Some(role) = self.role_of(&rsc) {
                self.document.set_attr(key, "rsc-role", role);
            }
        }
        if self.random.chance(75) {
            let policy = *self.random.pick(&["stop", "demote", "fence", "freeze"]);
            self.document.set_attr(key, "loss-policy", policy);
        }
    }
}
