//! What happens to clusters, as the settings provide for it: failures, nodes that leave or are lost, operations under way.

use super::{
    Patient,
    configuration::{ON_FAIL, is_resource},
};
use systole_cib::xml::{Element, Key};

/// How a node is, as releases say it: `in_ccm`, `crmd`, `join`, `expected`.
const STATES: [(&str, &str, &str, &str); 16] = [
    ("true", "online", "member", "member"),
    ("1779990000", "1779990000", "member", "member"),
    ("1779990000", "1779990000", "pending", "member"),
    ("1779990000", "1779990000", "down", "member"),
    ("1779999999", "1779999999", "down", "down"),
    ("1779990000", "0", "member", "member"),
    ("1779990000", "0", "down", "down"),
    ("0", "0", "down", "down"),
    ("0", "0", "member", "member"),
    ("0", "0", "down", "member"),
    ("true", "online", "pending", "member"),
    ("true", "online", "down", "member"),
    ("true", "offline", "member", "member"),
    ("true", "offline", "down", "down"),
    ("false", "offline", "down", "down"),
    ("false", "offline", "down", "member"),
];

impl Patient<'_> {
    /// An operation fails, and what is to happen then is said.
    pub(super) fn fail_as_configured(&mut self) -> Option<String> {
        let history = self.any(|element| element.is("lrm_resource"))?;
        let name = self.document.element(history).id()?.to_owned();
        let base = name.split(':').next()?.to_owned();
        let primitive = self.document.find_id(&base).filter(|found| found.is("primitive"))?.key();
        let task =
            *self.random.pick(&["monitor", "monitor", "start", "stop", "promote", "demote", "migrate_from"]);
        let interval = if task == "monitor" { "10000" } else { "0" };
        let on_fail = *self.random.pick(&ON_FAIL);
        self.configure_operation(primitive, task, interval, on_fail);
        let (rc, status) =
            *self.random.pick(&[("1", "0"), ("7", "0"), ("1", "4"), ("1", "2"), ("5", "0"), ("9", "0")]);
        let age = *self.random.pick(&[5, 100, 4000]);
        let suffix =
            if self.random.chance(50) { "last_failure_0".to_owned() } else { format!("{task}_{interval}") };
        self.add_result(history, &format!("{name}_{suffix}"), task, interval, (rc, status), age)?;
        if self.random.chance(70) {
            let state = self.state_of(history)?;
            let count = *self.random.pick(&["1", "2", "INFINITY"]);
            self.set_transient_to(state, &format!("fail-count-{base}#{task}_{interval}"), count);
            let when = (self.now() - age).to_string();
            self.set_transient_to(state, &format!("last-failure-{base}#{task}_{interval}"), &when);
        }
        if self.random.chance(40) {
            let set = self.set_of(primitive, "meta_attributes");
            let (meta, value) = self.draw_one(&[
                ("failure-timeout", 2, &["10s", "10min", "2h"]),
                ("migration-threshold", 2, &["1", "3"]),
                ("critical", 1, &["false"]),
            ]);
            self.set_pair(set, meta, value);
        }
        Some(format!("{name} failed to {task} ({status}:{rc}), on-fail={on_fail}"))
    }

    fn configure_operation(&mut self, primitive: Key, task: &str, interval: &str, on_fail: &str) {
        let known = self.document.element(primitive).child("operations").map(Element::key);
        let operations = known.unwrap_or_else(|| self.document.append(primitive, "operations"));
        let seconds = if interval == "0" { "0" } else { "10s" };
        let is_it = |op: &Element<'_>| {
            op.attr("name") == Some(task) && (seconds == "0" || op.attr("interval") == Some("10s"))
        };
        let known = self.document.element(operations).children().find(is_it).map(Element::key);
        let op = known.unwrap_or_else(|| {
            let id = self.new_id();
            self.append(operations, "op", &[("id", &id), ("name", task), ("interval", seconds)])
        });
        self.document.set_attr(op, "on-fail", on_fail);
    }

    fn state_of(&self, key: Key) -> Option<Key> {
        let mut above = std::iter::successors(self.document.element(key).parent(), |above| above.parent());
        above.find(|above| above.is("node_state")).map(Element::key)
    }

    /// Writes down a result (`rc-code` and `op-status`), as the history's last, in place of an entry of that id and operation.
    fn add_result(
        &mut self,
        history: Key,
        id: &str,
        task: &str,
        interval: &str,
        (rc, status): (&str, &str),
        age: i64,
    ) -> Option<Key> {
        let name = self.document.element(history).id()?.to_owned();
        let (is_same, key) =
            (format!("{name}_{task}_{interval}"), "7:3:0:11111111-2222-3333-4444-555555555555");
        let entries = self.document.element(history).children();
        let calls = entries.filter_map(|entry| entry.attr("call-id")?.parse::<i64>().ok());
        let call = (calls.max().unwrap_or(0).max(0) + 1).to_string();
        let entries = self.document.element(history).children();
        let known =
            entries.filter(|entry| entry.id() == Some(id) || entry.attr("operation_key") == Some(&*is_same));
        let known: Vec<Key> = known.map(Element::key).collect();
        known.into_iter().for_each(|entry| self.document.remove(entry));
        let entry = self.append(history, "lrm_rsc_op", &[("id", id), ("operation_key", &is_same)]);
        for (name, value) in [
            ("operation", task),
            ("interval", interval),
            ("rc-code", rc),
            ("op-status", status),
            ("call-id", &*call),
            ("crm_feature_set", "3.20.2"),
            ("transition-key", key),
            ("transition-magic", &format!("{status}:{rc};{key}")),
            ("last-rc-change", &(self.now() - age).to_string()),
        ] {
            self.document.set_attr(entry, name, value);
        }
        Some(entry)
    }

    /// A node is in a state that makes sense, in the words of some release.
    pub(super) fn set_whole_state(&mut self) -> Option<String> {
        let state = self.any(|element| element.is("node_state") && element.attr("remote_node").is_none())?;
        let (in_ccm, crmd, join, expected) = *self.random.pick(&STATES);
        for (name, value) in [("in_ccm", in_ccm), ("crmd", crmd), ("join", join), ("expected", expected)] {
            self.document.set_attr(state, name, value);
        }
        self.sometimes(state, "node_fenced", &["0", "1779999000"]);
        if matches!(in_ccm, "false" | "0") && self.random.chance(40) {
            let parts: Vec<Key> = self.document.element(state).children().map(Element::key).collect();
            parts.into_iter().for_each(|part| self.document.remove(part));
        }
        Some(format!("now {}", self.tag(state)))
    }

    /// A node is shut down, or was, with locks for what ran there.
    pub(super) fn lock_for_shutdown(&mut self) -> Option<String> {
        let state = self.any(|element| element.is("node_state") && element.attr("remote_node").is_none())?;
        if self.random.chance(70) {
            self.set_option_to("shutdown-lock", "true")?;
            if self.random.chance(30) {
                self.set_option_to("shutdown-lock-limit", "10min")?;
            }
        }
        if self.random.chance(40) {
            let when = (self.now() - 10).to_string();
            self.set_transient_to(state, "shutdown", &when);
            return Some(format!("{} leaves", self.document.element(state).attr("uname")?));
        }
        for (name, value) in
            [("in_ccm", "false"), ("crmd", "offline"), ("join", "down"), ("expected", "down")]
        {
            self.document.set_attr(state, name, value);
        }
        let histories =
            self.document.element(state).descendants().filter(|element| element.is("lrm_resource"));
        let histories: Vec<Key> = histories.map(Element::key).collect();
        for history in histories {
            if !self.random.chance(60) {
                continue;
            }
            let since = (self.now() - *self.random.pick(&[100, 5000])).to_string();
            self.document.set_attr(history, "shutdown-lock", &since);
            if self.random.chance(70) {
                let entries: Vec<Key> = self.document.element(history).children().map(Element::key).collect();
                entries.into_iter().for_each(|entry| self.document.remove(entry));
                let id = format!("{}_last_0", self.document.element(history).id()?);
                self.add_result(history, &id, "stop", "0", ("0", "0"), 90)?;
            }
        }
        Some(format!("{} was shut down", self.document.element(state).attr("uname")?))
    }

    /// An operation is under way.
    pub(super) fn make_pending(&mut self) -> Option<String> {
        let history = self.any(|element| element.is("lrm_resource"))?;
        let name = self.document.element(history).id()?.to_owned();
        let (task, interval) = *self.random.pick(&[
            ("start", "0"),
            ("stop", "0"),
            ("monitor", "0"),
            ("monitor", "10000"),
            ("promote", "0"),
            ("demote", "0"),
            ("migrate_to", "0"),
            ("migrate_from", "0"),
            ("reload", "0"),
            ("notify", "0"),
        ]);
        let id = if interval == "0" { format!("{name}_last_0") } else { format!("{name}_{task}_{interval}") };
        let entry = self.add_result(history, &id, task, interval, ("193", "-1"), 5)?;
        if self.random.chance(60) {
            self.document.set_attr(entry, "call-id", "-1");
        }
        if task.starts_with("migrate") {
            let here = self.state_of(history)?;
            let here = self.document.element(here).attr("uname")?.to_owned();
            let there = self.any_attribute(|element| element.is("node"), "uname")?;
            let (from, to) = if task == "migrate_to" { (here, there) } else { (there, here) };
            self.document.set_attr(entry, "migrate_source", &from);
            self.document.set_attr(entry, "migrate_target", &to);
        }
        Some(format!("pending {}", self.tag(entry)))
    }

    pub(super) fn change_health(&mut self) -> Option<String> {
        let strategy = *self.random.pick(&["migrate-on-red", "only-green", "progressive", "custom"]);
        self.set_option_to("node-health-strategy", strategy)?;
        let mut done = format!("health by {strategy}");
        for state in self.all(|element| element.is("node_state")) {
            if self.random.chance(60) {
                let name = *self.random.pick(&["#health-disk", "#health-smart"]);
                let value = *self.random.pick(&["red", "yellow", "green", "-10", "5", "-INFINITY"]);
                self.set_transient_to(state, name, value);
                done = format!("{done}, {name}={value}");
            }
        }
        Some(done)
    }

    /// A node is lost, and fencing it is delayed by what runs where.
    pub(super) fn fence_by_priority(&mut self) -> Option<String> {
        self.set_option_to("fencing-enabled", "true")?;
        self.set_option_to("priority-fencing-delay", "15s")?;
        for owner in self.all(is_resource) {
            if self.random.chance(40) {
                let set = self.set_of(owner, "meta_attributes");
                let value = *self.random.pick(&["1", "5", "10", "-1"]);
                self.set_pair(set, "priority", value);
            }
        }
        let state = self.any(|element| element.is("node_state") && element.attr("remote_node").is_none())?;
        for (name, value) in
            [("in_ccm", "false"), ("crmd", "offline"), ("join", "down"), ("expected", "member")]
        {
            self.document.set_attr(state, name, value);
        }
        Some(format!("{} lost, fenced by priority", self.document.element(state).attr("uname")?))
    }

    /// What is active on a node is active on another, too.
    pub(super) fn run_twice(&mut self) -> Option<String> {
        let history = self.any(|element| element.is("lrm_resource"))?;
        let base = self.document.element(history).id()?.split(':').next()?.to_owned();
        let owner = self.document.find_id(&base).filter(|found| found.is("primitive"))?.key();
        let set = self.set_of(owner, "meta_attributes");
        let how = *self.random.pick(&["stop_start", "stop_only", "block", "stop_unexpected"]);
        self.set_pair(set, "multiple-active", how);
        let target = self.any(|element| element.is("lrm_resources"))?;
        let done = self.copy_history_to(history, target)?;
        Some(format!("{done}, {base} multiple-active={how}"))
    }
}
