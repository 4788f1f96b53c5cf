//! Histories of what is not configured any more, not over, or there more than once.

use crate::generate::{history::RESULTS, sketch::Sketch};
use systole_cib::xml::{Element, Key};

impl Sketch {
    fn lists_of_histories(&self) -> Vec<Key> {
        self.all_of(None, "lrm_resources")
    }

    /// Some entry that is no stop and over, with its history and name.
    fn any_entry(&mut self, is_wanted: impl Fn(Element<'_>) -> bool) -> Option<(Key, Key, String)> {
        let entries: Vec<Key> = self
            .all_of(None, "lrm_rsc_op")
            .into_iter()
            .filter(|entry| is_wanted(self.document.element(*entry)))
            .collect();
        if entries.is_empty() {
            return None;
        }
        let entry = *self.random.pick(&entries);
        let history = self.document.element(entry).parent()?;
        Some((entry, history.key(), history.id()?.to_owned()))
    }

    /// An operation that is configured failed, as it says what is to happen then.
    pub fn fail_an_operation(&mut self) {
        let Some((history, name)) = self.any_history() else { return };
        let base = name.split(':').next().unwrap_or_default().to_owned();
        let known = self.document.find_id(&base).map(Element::key);
        let ops: Vec<(String, String)> = known.map_or_else(Vec::new, |key| {
            let ops = self.document.element(key).descendants().filter(|op| op.is("op"));
            ops.filter_map(|op| Some((op.attr("name")?.to_owned(), op.attr("interval")?.to_owned())))
                .collect()
        });
        let is_recurring = |interval: &str| !matches!(interval, "0" | "0s");
        let (task, interval) = if ops.is_empty() {
            ("start".to_owned(), "0".to_owned())
        } else {
            let (task, interval) = self.random.pick(&ops).clone();
            let seconds: String = interval.chars().filter(char::is_ascii_digit).collect();
            let interval = if is_recurring(&interval) { format!("{seconds}000") } else { "0".to_owned() };
            (task, interval)
        };
        let rc = *self.random.pick(&RESULTS);
        let status = *self.random.pick(&["0", "4", "2", "3", "5", "6", "7", "8", "1"]);
        let age = *self.random.pick(&[2, 70, 700, 100_000]);
        let id = if interval == "0" {
            *self.random.pick(&["last_0", "last_failure_0"])
        } else {
            *self.random.pick(&["last_failure_0", "monitor_10000"])
        };
        self.set_operation(history, &format!("{name}_{id}"), &name, &task, &interval, rc, status, age);
        let Some(state) = self.state_of(history) else { return };
        if self.random.chance(75) {
            let count = *self.random.pick(&["1", "2", "INFINITY"]);
            self.set_transient(state, &format!("fail-count-{base}#{task}_{interval}"), count);
            let when = (crate::NOW.0 - age).to_string();
            self.set_transient(state, &format!("last-failure-{base}#{task}_{interval}"), &when);
        }
    }

    /// A resource that is active on two nodes, or three, which it may not be.
    pub fn run_on_two_nodes(&mut self) {
        let is_start = |entry: Element<'_>| {
            entry.attr("operation") == Some("start") && entry.attr("rc-code") == Some("0")
        };
        let Some((_, history, name)) = self.any_entry(is_start) else { return };
        let base = name.split(':').next().unwrap_or_default();
        if let Some(owner) = self.document.find_id(base).map(Element::key) {
            let how = *self.random.pick(&["stop_start", "stop_only", "block", "stop_unexpected"]);
            self.set_meta(owner, "multiple-active", how);
        }
        let copy = self.document.clone();
        for list in self.lists_of_histories() {
            if self.random.chance(40) {
                continue;
            }
            let known = self.document.element(list).children().find(|known| known.id() == Some(&*name));
            match known.map(Element::key) {
                Some(known) if known == history => continue,
                Some(known) => self.document.remove(known),
                None => {}
            }
            self.document.import(list, None, copy.element(history));
        }
    }

    /// Histories of what was removed: on several nodes, as instances, members, replicas and connections.
    pub fn leave_removed(&mut self) {
        let kinds = [
            ("old1", "Dummy"),
            ("old2:0", "Stateful"),
            ("old2:1", "Stateful"),
            ("old2", "Stateful"),
            ("b-99-podman-0", "podman"),
            ("b-99-0", "remote"),
            ("b-99-ip-192.0.2.99", "IPaddr2"),
            ("oldremote", "remote"),
            ("oldfence", "fence_xvm"),
        ];
        let (name, kind) = *self.random.pick(&kinds);
        for list in self.lists_of_histories() {
            let is_known = self.document.element(list).children().any(|known| known.id() == Some(name));
            if is_known || self.random.chance(40) {
                continue;
            }
            let class = if kind.starts_with("fence") { "stonith" } else { "ocf" };
            let history = self.add(list, "lrm_resource", &[("id", name), ("class", class), ("type", kind)]);
            if class == "ocf" {
                let provider = if kind == "Dummy" { "pacemaker" } else { "heartbeat" };
                self.document.set_attr(history, "provider", provider);
            }
            if self.random.chance(15) {
                self.document.set_attr(history, "container", "vm9");
            }
            let last = format!("{name}_last_0");
            let (task, rc, status) = *self.random.pick(&[
                ("start", 0, "0"),
                ("start", 0, "0"),
                ("stop", 0, "0"),
                ("monitor", 7, "0"),
                ("monitor", 0, "0"),
                ("stop", 1, "0"),
                ("promote", 0, "0"),
                ("start", 193, "-1"),
            ]);
            self.set_operation(history, &last, name, task, "0", rc, status, 900);
            if task == "start" && self.random.chance(50) {
                let id = format!("{name}_monitor_10000");
                let rc = *self.random.pick(&[0, 0, 7, 1]);
                self.set_operation(history, &id, name, "monitor", "10000", rc, "0", 800);
            }
        }
        if self.random.chance(25) {
            let how = *self.random.pick(&["false", "true"]);
            self.set_option("stop-removed-resources", how);
        }
    }

    /// Recurring operations that nobody asks for any more.
    pub fn leave_recurring(&mut self) {
        let n_entries = self.random.between(1, 3);
        for _ in 0..n_entries {
            let Some((history, name)) = self.any_history() else { return };
            let (task, interval) = *self.random.pick(&[
                ("monitor", "15000"),
                ("monitor", "10000"),
                ("check", "30000"),
                ("monitor", "1000"),
            ]);
            let rc = *self.random.pick(&[0, 0, 0, 7, 8, 1]);
            let id = format!("{name}_{task}_{interval}");
            self.set_operation(history, &id, &name, task, interval, rc, "0", 300);
        }
        if self.random.chance(25) {
            let how = *self.random.pick(&["false", "true"]);
            self.set_option("cancel-removed-actions", how);
        }
    }

    /// Operations that are not over.
    pub fn leave_pending(&mut self) {
        let n_entries = self.random.between(1, 2);
        for _ in 0..n_entries {
            let Some((history, name)) = self.any_history() else { return };
            let tasks = [
                ("start", "0"),
                ("stop", "0"),
                ("monitor", "0"),
                ("monitor", "10000"),
                ("promote", "0"),
                ("demote", "0"),
                ("notify", "0"),
                ("reload", "0"),
                ("reload-agent", "0"),
            ];
            let (task, interval) = *self.random.pick(&tasks);
            let id =
                if interval == "0" { format!("{name}_last_0") } else { format!("{name}_{task}_{interval}") };
            self.set_operation(history, &id, &name, task, interval, 193, "-1", 20);
            let known = self.document.element(history).children().find(|entry| entry.id() == Some(&*id));
            if let (true, Some(entry)) = (self.random.chance(60), known.map(Element::key)) {
                self.document.set_attr(entry, "call-id", "-1");
            }
        }
    }

    /// Operations that were cancelled, timed out, could not be carried out, or were never known.
    pub fn leave_cancelled(&mut self) {
        let Some((entry, _, _)) = self.any_entry(|_| true) else { return };
        let status = *self.random.pick(&["1", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"]);
        let rc = *self
            .random
            .pick(&["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "189", "190", "191", "198"]);
        let key = self.document.element(entry).attr("transition-key").unwrap_or_default().to_owned();
        self.document.set_attr(entry, "op-status", status);
        self.document.set_attr(entry, "rc-code", rc);
        self.document.set_attr(entry, "transition-magic", &format!("{status}:{rc};{key}"));
    }

    /// Entries without what they usually have, or with what they rarely have.
    pub fn vary_entries(&mut self) {
        let Some((entry, history, _)) = self.any_entry(|_| true) else { return };
        match self.random.between(0, 7) {
            0 => self.document.remove_attr(entry, "transition-key"),
            1 => self.document.remove_attr(entry, "transition-magic"),
            2 => self.document.remove_attr(entry, "call-id"),
            3 => self.document.set_attr(entry, "exit-reason", "the disk is full"),
            4 => self.document.remove_attr(entry, "operation_key"),
            5 => self.document.set_attr(history, "type", "Other"),
            6 => self.document.set_attr(entry, "queue-time", "12"),
            _ => self.document.remove_attr(entry, "interval"),
        };
    }
}
