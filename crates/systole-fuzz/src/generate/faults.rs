//! What goes wrong, or is otherwise told to the status section.

use super::{
    history::RESULTS,
    sketch::{Sketch, Theme},
};
use crate::NOW;
use systole_cib::xml::{Element, Key};

const UUID: &str = "11111111-2222-3333-4444-555555555555";

impl Sketch {
    /// Lets some things happen.
    pub fn suffer(&mut self) {
        let n_faults = *self.random.pick(&[0, 1, 1, 2, 3]);
        for _ in 0..n_faults {
            self.suffer_any();
        }
        for theme in self.themes.clone() {
            if self.random.chance(50) {
                self.suffer_for(theme);
            }
        }
    }

    pub fn suffer_any(&mut self) {
        match self.random.between(0, 15) {
            13 => self.age_entry(),
            14 => self.age_state(),
            0 => self.change_node_state(),
            1 => self.set_node_attribute(),
            2 | 3 => self.add_failure(),
            4 => self.add_fail_count(),
            5 => self.change_result(),
            6 => self.make_any_pending(),
            7 => self.forget_operation(),
            8 => self.forget_history(),
            9 => self.copy_history(),
            10 => self.change_digest(),
            11 => self.set_promotion_scores(),
            12 => self.ask_for_shutdown(),
            _ => self.leave_orphan(),
        }
    }

    fn suffer_for(&mut self, theme: Theme) {
        match theme {
            Theme::Failures => self.add_failure(),
            Theme::NodeLoss | Theme::Fencing => self.change_node_state(),
            Theme::Pending => self.make_any_pending(),
            Theme::Orphans => self.leave_orphan(),
            Theme::Digests => self.change_digest(),
            Theme::Quorum => self.change_quorum(),
            Theme::Health => self.set_health(),
            Theme::ShutdownLock => self.lock_or_leave(),
            Theme::Unfencing => self.set_unfenced(),
            Theme::Maintenance => self.set_node_attribute(),
            Theme::Tickets => self.change_ticket(),
            Theme::Promotable => self.set_promotion_scores(),
            Theme::Migration => self.leave_half_migrated(),
            _ => {}
        }
    }

    pub(super) fn states(&self) -> Vec<Key> {
        let states = self.document.element(self.sections.status).children();
        states.filter(|state| state.is("node_state")).map(Element::key).collect()
    }

    pub(super) fn any_state(&mut self) -> Option<Key> {
        let states = self.states();
        (!states.is_empty()).then(|| *self.random.pick(&states))
    }

    pub(super) fn all_of(&self, state: Option<Key>, name: &str) -> Vec<Key> {
        let from = state.unwrap_or(self.sections.status);
        let found = self.document.element(from).descendants().filter(|element| element.is(name));
        found.map(Element::key).collect()
    }

    pub(super) fn any_of(&mut self, name: &str) -> Option<Key> {
        let all = self.all_of(None, name);
        (!all.is_empty()).then(|| *self.random.pick(&all))
    }

    fn change_node_state(&mut self) {
        let Some(state) = self.any_state() else { return };
        if self.document.element(state).attr("remote_node").is_some() {
            let in_ccm = *self.random.pick(&["true", "false"]);
            self.document.set_attr(state, "in_ccm", in_ccm);
            return;
        }
        let how = *self.random.pick(&[
            "up",
            "up-since",
            "clean",
            "clean-zero",
            "lost",
            "lost-zero",
            "lost",
            "hung",
            "pending",
            "joining",
            "pending-since",
            "odd",
        ]);
        self.set_node_state(state, how);
        if how.starts_with("clean") && self.random.chance(80) {
            let parts: Vec<Key> = self.document.element(state).children().map(Element::key).collect();
            parts.into_iter().for_each(|part| self.document.remove(part));
        }
    }

    /// Sets a transient attribute.
    pub(super) fn set_transient(&mut self, state: Key, name: &str, value: &str) {
        let id = self.document.element(state).id().unwrap_or_default().to_owned();
        let attributes = match self.document.element(state).child("transient_attributes") {
            Some(known) => known.key(),
            None => self.add(state, "transient_attributes", &[("id", &id)]),
        };
        let set = match self.document.element(attributes).child("instance_attributes") {
            Some(known) => known.key(),
            None => self.add(attributes, "instance_attributes", &[("id", &format!("status-{id}"))]),
        };
        let known = self.document.element(set).children().find(|pair| pair.attr("name") == Some(name));
        match known.map(Element::key) {
            Some(known) => {
                self.document.set_attr(known, "value", value);
            }
            None => {
                let id = format!("status-{id}-{name}");
                self.add(set, "nvpair", &[("id", &id), ("name", name), ("value", value)]);
            }
        }
    }

    fn set_node_attribute(&mut self) {
        let Some(state) = self.any_state() else { return };
        let (name, values): (&str, &[&str]) = *self.random.pick(&[
            ("standby", &["on", "off", "true"][..]),
            ("maintenance", &["true", "false"][..]),
            ("terminate", &["true", "1779999999", "false"][..]),
            ("rack", &["r1", "r2"][..]),
            ("zone", &["1", "10"][..]),
            ("#feature-set", &["3.20.2"][..]),
        ]);
        let value = *self.random.pick(values);
        self.set_transient(state, name, value);
    }

    fn ask_for_shutdown(&mut self) {
        let Some(state) = self.any_state() else { return };
        let when = *self.random.pick(&["1779999000", "1779999990", "0", "true"]);
        self.set_transient(state, "shutdown", when);
    }

    /// Some resource that a node's history knows, with its name.
    pub(super) fn any_history(&mut self) -> Option<(Key, String)> {
        let key = self.any_of("lrm_resource")?;
        Some((key, self.document.element(key).id()?.to_owned()))
    }

    pub(super) fn state_of(&self, mut key: Key) -> Option<Key> {
        loop {
            let parent = self.document.element(key).parent()?;
            if parent.is("node_state") {
                return Some(parent.key());
            }
            key = parent.key();
        }
    }

    /// Some operation fails, or is found to have an unexpected result.
    fn add_failure(&mut self) {
        let Some((history, name)) = self.any_history() else { return };
        let tasks = [
            ("monitor", "10000"),
            ("monitor", "10000"),
            ("monitor", "11000"),
            ("start", "0"),
            ("stop", "0"),
            ("promote", "0"),
            ("demote", "0"),
            ("monitor", "0"),
            ("asyncmon", "0"),
            ("notify", "0"),
        ];
        let (task, interval) = *self.random.pick(&tasks);
        let rc = *self.random.pick(&RESULTS);
        let status = *self.random.pick(&["0", "0", "0", "4", "2", "3", "5", "7"]);
        let age = *self.random.pick(&[5, 100, 4000]);
        let id = format!("{name}_last_failure_0");
        self.set_operation(history, &id, &name, task, interval, rc, status, age);
        if task != "monitor" && self.random.chance(70) {
            self.set_operation(history, &format!("{name}_last_0"), &name, task, interval, rc, status, age);
        }
        if self.random.chance(80) {
            let Some(state) = self.state_of(history) else { return };
            let suffix = format!("{name}#{task}_{interval}");
            let count = *self.random.pick(&["1", "2", "3", "INFINITY"]);
            self.set_transient(state, &format!("fail-count-{suffix}"), count);
            self.set_transient(state, &format!("last-failure-{suffix}"), &(NOW.0 - age).to_string());
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a history entry")]
    pub(super) fn set_operation(
        &mut self,
        history: Key,
        id: &str,
        name: &str,
        task: &str,
        interval: &str,
        rc: i32,
        status: &str,
        age: i64,
    ) {
        let known = self.document.element(history).children().find(|op| op.id() == Some(id));
        let op = match known.map(Element::key) {
            Some(known) => known,
            None => self.add(history, "lrm_rsc_op", &[("id", id)]),
        };
        let calls =
            self.document.element(history).children().filter_map(|op| op.attr("call-id")?.parse().ok());
        let call: i64 = calls.max().unwrap_or(0).max(0) + 1;
        let key = format!("7:3:0:{UUID}");
        for (attribute, value) in [
            ("operation_key", &*format!("{name}_{task}_{interval}")),
            ("operation", task),
            ("crm_feature_set", "3.20.2"),
            ("transition-key", &key),
            ("transition-magic", &format!("{status}:{rc};{key}")),
            ("call-id", &call.to_string()),
            ("rc-code", &rc.to_string()),
            ("op-status", status),
            ("interval", interval),
            ("last-rc-change", &(NOW.0 - age).to_string()),
            ("exec-time", "0"),
            ("queue-time", "0"),
        ] {
            self.document.set_attr(op, attribute, value);
        }
    }

    fn add_fail_count(&mut self) {
        let Some(state) = self.any_state() else { return };
        let names: Vec<String> =
            self.resources.iter().filter(|rsc| rsc.is_primitive).map(|rsc| rsc.id.clone()).collect();
        if names.is_empty() {
            return;
        }
        let name = self.random.pick(&names).clone();
        let suffix = *self.random.pick(&["#monitor_10000", "#start_0", "#stop_0", "", "#monitor_0"]);
        let count = *self.random.pick(&["1", "2", "3", "INFINITY", "1000000"]);
        self.set_transient(state, &format!("fail-count-{name}{suffix}"), count);
        if self.random.chance(80) {
            let age = *self.random.pick(&[1, 30, 5000]);
            self.set_transient(state, &format!("last-failure-{name}{suffix}"), &(NOW.0 - age).to_string());
        }
    }

    fn change_result(&mut self) {
        let Some(op) = self.any_of("lrm_rsc_op") else { return };
        let rc = self.random.pick(&RESULTS).to_string();
        let magic = self.document.element(op).attr("transition-key").unwrap_or_default().to_owned();
        self.document.set_attr(op, "rc-code", &rc);
        self.document.set_attr(op, "transition-magic", &format!("0:{rc};{magic}"));
    }

    /// Says that an operation that was carried out is still running.
    pub fn make_pending(&mut self, node: &str, operation_key: &str) {
        let state =
            self.states().into_iter().find(|state| self.document.element(*state).attr("uname") == Some(node));
        let Some(state) = state else { return };
        let operations = self.all_of(Some(state), "lrm_rsc_op");
        let found = operations
            .into_iter()
            .find(|op| self.document.element(*op).attr("operation_key") == Some(operation_key));
        if let Some(op) = found {
            self.set_pending(op);
        }
    }

    fn set_pending(&mut self, op: Key) {
        let key = self.document.element(op).attr("transition-key").unwrap_or_default().to_owned();
        self.document.set_attr(op, "op-status", "-1");
        self.document.set_attr(op, "rc-code", "193");
        self.document.set_attr(op, "transition-magic", &format!("-1:193;{key}"));
        if self.random.chance(50) {
            self.document.set_attr(op, "call-id", "-1");
        }
    }

    fn make_any_pending(&mut self) {
        if let Some(op) = self.any_of("lrm_rsc_op") {
            self.set_pending(op);
        }
    }

    fn forget_operation(&mut self) {
        if let Some(op) = self.any_of("lrm_rsc_op") {
            self.document.remove(op);
        }
    }

    fn forget_history(&mut self) {
        if let Some(history) = self.any_of("lrm_resource") {
            self.document.remove(history);
        }
    }

    /// An instance is found active where it should not be.
    fn copy_history(&mut self) {
        let Some((history, name)) = self.any_history() else { return };
        let Some(state) = self.any_state() else { return };
        let Some(resources) = self.all_of(Some(state), "lrm_resources").first().copied() else { return };
        let known = self.document.element(resources).children().find(|known| known.id() == Some(&name));
        if let Some(known) = known.map(Element::key) {
            if known == history {
                return;
            }
            self.document.remove(known);
        }
        let copy = self.document.element(history).document().clone();
        self.document.import(resources, None, copy.element(history));
    }

    fn change_digest(&mut self) {
        let Some(op) = self.any_of("lrm_rsc_op") else { return };
        // Entries of one operation differ in their digests in no cluster, and the reference compares them all by the first
        // one's parameters: docs/deviations.md.
        let key = self.document.element(op).attr("operation_key").map(str::to_owned);
        let Some(history) = self.document.element(op).parent() else { return };
        let same = history.children().filter(|entry| entry.attr("operation_key").map(str::to_owned) == key);
        let same: Vec<Key> = same.map(Element::key).collect();
        let how = self.random.between(0, 5);
        same.into_iter().for_each(|op| self.change_digest_of(op, how));
    }

    fn change_digest_of(&mut self, op: Key, how: u64) {
        let wrong = "00000000000000000000000000000000";
        match how {
            0 => {
                self.document.remove_attr(op, "op-digest");
            }
            1 => {
                self.document.set_attr(op, "op-digest", wrong);
            }
            2 => {
                self.document.set_attr(op, "op-digest", wrong);
                self.document.set_attr(op, "op-force-restart", " state ");
                self.document.set_attr(op, "op-restart-digest", "f2317cad3d54cec5d7d7aa7d0bf35cf8");
            }
            3 => {
                self.document.set_attr(op, "op-digest", wrong);
                self.document.set_attr(op, "op-force-restart", " state ");
                self.document.set_attr(op, "op-restart-digest", wrong);
            }
            4 => {
                self.document.set_attr(op, "op-digest", wrong);
                self.document.set_attr(op, "op-secure-params", " passwd ");
                self.document.set_attr(op, "op-secure-digest", wrong);
            }
            _ => {
                self.document.set_attr(op, "op-force-restart", " fake ");
                self.document.set_attr(op, "op-restart-digest", wrong);
            }
        }
    }

    /// An entry as older releases wrote it.
    fn age_entry(&mut self) {
        let Some(op) = self.any_of("lrm_rsc_op") else { return };
        match self.random.between(0, 4) {
            0 => self.document.remove_attr(op, "crm_feature_set"),
            1 => self.document.set_attr(op, "crm_feature_set", "3.0.10"),
            2 => self.document.remove_attr(op, "last-rc-change"),
            3 => self.document.remove_attr(op, "on_node"),
            _ => self.document.set_attr(op, "last-run", "1779999000"),
        };
    }

    /// A node's state as older releases wrote it.
    fn age_state(&mut self) {
        let Some(state) = self.any_state() else { return };
        self.document.set_attr(state, "ha", "active");
        self.document.set_attr(state, "shutdown", "0");
        self.document.set_attr(state, "crm-debug-origin", "do_update_resource");
    }

    /// History of a resource that is not configured (any more).
    fn leave_orphan(&mut self) {
        let Some(state) = self.any_state() else { return };
        let Some(resources) = self.all_of(Some(state), "lrm_resources").first().copied() else { return };
        let kinds = ["gone1", "gone2", "gone3:0", "gone3:1", "goneb-podman-0", "goneb-0", "goneg:5"];
        let name = *self.random.pick(&kinds);
        let known = self.document.element(resources).children().any(|known| known.id() == Some(name));
        if known {
            return;
        }
        let attributes = [("id", name), ("class", "ocf"), ("provider", "pacemaker"), ("type", "Dummy")];
        let history = self.add(resources, "lrm_resource", &attributes);
        let last = format!("{name}_last_0");
        match self.random.between(0, 3) {
            0 => self.set_operation(history, &last, name, "monitor", "0", 7, "0", 500),
            1 => self.set_operation(history, &last, name, "stop", "0", 0, "0", 500),
            2 => self.set_operation(history, &last, name, "stop", "0", 1, "0", 500),
            _ => {
                self.set_operation(history, &last, name, "start", "0", 0, "0", 500);
                if self.random.chance(50) {
                    let id = format!("{name}_monitor_10000");
                    self.set_operation(history, &id, name, "monitor", "10000", 0, "0", 400);
                }
            }
        }
    }

    /// Recurring operations nobody asked for, and half of a migration.
    fn leave_half_migrated(&mut self) {
        let states = self.states();
        let Some((history, name)) = self.any_history() else { return };
        // Instances of clones do not migrate.
        let is_plain = self.resources.iter().any(|rsc| rsc.id == name && rsc.is_primitive && !rsc.is_inner);
        if states.len() < 2 || !is_plain {
            return;
        }
        let source_state = self.state_of(history);
        let targets: Vec<Key> = states.into_iter().filter(|state| Some(*state) != source_state).collect();
        let target_state = *self.random.pick(&targets);
        let uname = |state: Option<Key>| {
            state.and_then(|state| self.document.element(state).attr("uname")).unwrap_or_default().to_owned()
        };
        let (source, target) = (uname(source_state), uname(Some(target_state)));
        let (rc, status) = *self.random.pick(&[(0, "0"), (0, "0"), (1, "0"), (193, "-1")]);
        let id = format!("{name}_migrate_to_0");
        self.set_operation(history, &id, &name, "migrate_to", "0", rc, status, 50);
        self.say_migration(history, &id, &source, &target);
        if rc == 0 && self.random.chance(60) {
            let Some(resources) = self.all_of(Some(target_state), "lrm_resources").first().copied() else {
                return;
            };
            let known = self.document.element(resources).children().find(|known| known.id() == Some(&name));
            let there = match known.map(Element::key) {
                Some(known) => known,
                None => {
                    let element = self.document.element(history);
                    let attributes: Vec<(String, String)> =
                        element.attrs().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
                    let attributes: Vec<(&str, &str)> =
                        attributes.iter().map(|(name, value)| (&**name, &**value)).collect();
                    self.add(resources, "lrm_resource", &attributes)
                }
            };
            let (rc, status) = *self.random.pick(&[(0, "0"), (1, "0"), (193, "-1")]);
            let id = format!("{name}_migrate_from_0");
            self.set_operation(there, &id, &name, "migrate_from", "0", rc, status, 40);
            self.say_migration(there, &id, &source, &target);
        }
    }

    fn say_migration(&mut self, history: Key, id: &str, source: &str, target: &str) {
        let op = self.document.element(history).children().find(|op| op.id() == Some(id)).map(Element::key);
        if let Some(op) = op {
            self.document.set_attr(op, "migrate_source", source);
            self.document.set_attr(op, "migrate_target", target);
        }
    }

    /// Promotable instances say how gladly they would be promoted.
    pub fn set_promotion_scores(&mut self) {
        if !self.chance_if(Theme::Promotable, 90, 60) {
            return;
        }
        let clones: Vec<String> =
            self.resources.iter().filter(|rsc| rsc.is_promotable).map(|rsc| rsc.id.clone()).collect();
        for clone in clones {
            let element = self.document.find_id(&clone);
            let primitive = element.and_then(|clone| clone.child("primitive")?.id().map(str::to_owned));
            let Some(primitive) = primitive else { continue };
            for state in self.states() {
                if self.random.chance(60) {
                    let values = ["5", "10", "10", "100", "1", "-5", "-INFINITY", "INFINITY", "0"];
                    let value = *self.random.pick(&values);
                    self.set_transient(state, &format!("master-{primitive}"), value);
                }
            }
        }
    }

    fn change_quorum(&mut self) {
        let value = *self.random.pick(&["false", "true", "false", "0"]);
        let root = self.document.root_key();
        self.document.set_attr(root, "have-quorum", value);
    }

    fn set_health(&mut self) {
        let Some(state) = self.any_state() else { return };
        let value = *self.random.pick(&["red", "yellow", "green", "-1", "25"]);
        let name = *self.random.pick(&["#health-disk", "#health-smart"]);
        self.set_transient(state, name, value);
    }

    fn lock_or_leave(&mut self) {
        if self.random.chance(50) {
            self.ask_for_shutdown();
        } else if let Some(history) = self.any_of("lrm_resource") {
            let since = *self.random.pick(&["1779999000", "1779999990", "1700000000"]);
            self.document.set_attr(history, "shutdown-lock", since);
        }
    }

    fn set_unfenced(&mut self) {
        let Some(state) = self.any_state() else { return };
        let when = *self.random.pick(&["1779999000", "0"]);
        self.set_transient(state, "#node-unfenced", when);
        if self.random.chance(50) {
            let digest = "fence1:fence_xvm:f2317cad3d54cec5d7d7aa7d0bf35cf8,";
            let wrong = "fence1:fence_xvm:00000000000000000000000000000000,";
            let name = *self.random.pick(&["#digests-all", "#digests-secure"]);
            let value = *self.random.pick(&[digest, wrong]);
            self.set_transient(state, name, value);
        }
    }

    fn change_ticket(&mut self) {
        let Some(ticket) = self.any_of("ticket_state") else { return };
        let name = *self.random.pick(&["granted", "standby"]);
        let value = *self.random.pick(&["true", "false"]);
        self.document.set_attr(ticket, name, value);
    }
}
