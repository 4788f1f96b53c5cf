//! Alterations of the status section.

use super::Patient;
use crate::NOW;
use systole_cib::xml::{Element, Key};

fn is_entry(element: Element<'_>) -> bool {
    element.is("lrm_rsc_op")
}

fn is_state(element: Element<'_>) -> bool {
    element.is("node_state")
}

impl Patient<'_> {
    /// An operation ended otherwise.
    pub(super) fn change_result(&mut self) -> Option<String> {
        let entry = self.any(is_entry)?;
        let before = self.tag(entry);
        let rc = *self.random.pick(&["0", "1", "2", "5", "6", "7", "8", "9", "190", "191", "193", "196"]);
        let status = match rc {
            "193" => "-1",
            _ => *self.random.pick(&["0", "0", "4", "2", "1", "5", "7"]),
        };
        if self.random.chance(70) {
            self.document.set_attr(entry, "rc-code", rc);
        }
        if rc == "193" || self.random.chance(70) {
            self.document.set_attr(entry, "op-status", status);
        }
        let element = self.document.element(entry);
        let rc = element.attr("rc-code").unwrap_or(rc).to_owned();
        let status = element.attr("op-status").unwrap_or(status).to_owned();
        if let Some(key) = element.attr("transition-key").map(str::to_owned) {
            self.document.set_attr(entry, "transition-magic", &format!("{status}:{rc};{key}"));
        }
        if self.random.chance(25) {
            let (task, interval) = *self.random.pick(&[
                ("monitor", "0"),
                ("monitor", "10000"),
                ("start", "0"),
                ("stop", "0"),
                ("promote", "0"),
                ("demote", "0"),
                ("migrate_to", "0"),
                ("migrate_from", "0"),
            ]);
            self.document.set_attr(entry, "operation", task);
            self.document.set_attr(entry, "interval", interval);
        }
        if self.random.chance(25) {
            let when = (NOW.0 - *self.random.pick(&[5, 100, 4000])).to_string();
            self.document.set_attr(entry, "last-rc-change", &when);
        }
        Some(format!("{before} now {}", self.tag(entry)))
    }

    /// A node is in another state.
    pub(super) fn change_node_state(&mut self) -> Option<String> {
        let state = self.any(is_state)?;
        let before = self.tag(state);
        let (name, values): (&str, &[&str]) = *self.random.pick(&[
            ("in_ccm", &["true", "false", "0", "1780000000"][..]),
            ("crmd", &["online", "offline", "0", "1780000000"][..]),
            ("join", &["member", "down", "pending"][..]),
            ("expected", &["member", "down"][..]),
        ]);
        let value = *self.random.pick(values);
        self.document.set_attr(state, name, value);
        if name == "in_ccm" && self.random.chance(50) {
            let online = if value == "true" { "online" } else { "offline" };
            self.document.set_attr(state, "crmd", online);
        }
        Some(format!("{before} now {}", self.tag(state)))
    }

    /// A transient attribute of a node.
    pub(super) fn set_transient(&mut self) -> Option<String> {
        let state = self.any(is_state)?;
        let resource = self.any_attribute(|element| element.is("lrm_resource"), "id").unwrap_or_default();
        let resource = resource.split(':').next().unwrap_or_default().to_owned();
        let task = *self.random.pick(&["monitor_10000", "start_0", "stop_0", "monitor_0", "promote_0"]);
        let count = format!("fail-count-{resource}#{task}");
        let failure = format!("last-failure-{resource}#{task}");
        let promotion = format!("master-{resource}");
        let (name, values): (&str, &[&str]) = *self.random.pick(&[
            ("standby", &["on", "off"][..]),
            ("maintenance", &["true", "false"]),
            ("terminate", &["true"]),
            ("shutdown", &["1779999990", "0"]),
            ("#health-disk", &["red", "yellow", "green"]),
            (&count, &["1", "3", "INFINITY"]),
            (&count, &["1", "3", "INFINITY"]),
            (&failure, &["1779999990", "1779990000"]),
            (&promotion, &["10", "100", "-INFINITY", "0", "5"]),
            (&promotion, &["10", "100", "-INFINITY", "0", "5"]),
        ]);
        let value = *self.random.pick(values);
        let name = name.to_owned();
        self.set_transient_to(state, &name, value);
        Some(format!("{} has {name}={value}", self.document.element(state).attr("uname")?))
    }

    pub(super) fn set_transient_to(&mut self, state: Key, name: &str, value: &str) {
        let id = self.document.element(state).id().unwrap_or_default().to_owned();
        let attributes = self.document.element(state).child("transient_attributes").map(Element::key);
        let attributes =
            attributes.unwrap_or_else(|| self.append(state, "transient_attributes", &[("id", &id)]));
        let set = self.document.element(attributes).child("instance_attributes").map(Element::key);
        let set = set.unwrap_or_else(|| {
            self.append(attributes, "instance_attributes", &[("id", &format!("status-{id}"))])
        });
        let known = self.document.element(set).children().find(|pair| pair.attr("name") == Some(name));
        if let Some(known) = known.map(Element::key) {
            self.document.set_attr(known, "value", value);
        } else {
            let id = self.new_id();
            self.append(set, "nvpair", &[("id", &id), ("name", name), ("value", value)]);
        }
    }

    /// What one node's history says of a resource, another's says too.
    pub(super) fn copy_history(&mut self) -> Option<String> {
        let history = self.any(|element| element.is("lrm_resource"))?;
        let target = self.any(|element| element.is("lrm_resources"))?;
        self.copy_history_to(history, target)
    }

    pub(super) fn copy_history_to(&mut self, history: Key, target: Key) -> Option<String> {
        let element = self.document.element(history);
        if element.parent()?.key() == target {
            return None;
        }
        let id = element.id()?.to_owned();
        let known = self.document.element(target).children().find(|known| known.id() == Some(&*id));
        let known = known.map(Element::key);
        let copy = self.document.clone();
        self.document.import(target, None, copy.element(history));
        if let Some(known) = known {
            self.document.remove(known);
        }
        let node = self.document.element(target).parent()?.parent()?.attr("uname")?.to_owned();
        Some(format!("{} also on {node}", self.tag(history)))
    }

    /// Another entry of a history, like one of those there are.
    pub(super) fn copy_entry(&mut self) -> Option<String> {
        let entry = self.any(is_entry)?;
        let parent = self.document.element(entry).parent()?.key();
        let copy = self.document.clone();
        let new = self.document.import(parent, None, copy.element(entry));
        let id = self.new_id();
        self.document.set_attr(new, "id", &id);
        let (task, interval) = *self.random.pick(&[
            ("monitor", "10000"),
            ("monitor", "12000"),
            ("start", "0"),
            ("stop", "0"),
            ("promote", "0"),
            ("demote", "0"),
        ]);
        self.document.set_attr(new, "operation", task);
        self.document.set_attr(new, "interval", interval);
        if self.random.chance(60) {
            let call = *self.random.pick(&["1", "500", "999"]);
            self.document.set_attr(new, "call-id", call);
        }
        let rc = *self.random.pick(&["0", "0", "1", "7", "8"]);
        self.document.set_attr(new, "rc-code", rc);
        Some(format!("with {}", self.tag(new)))
    }
}
