//! Small clusters in which anything may have happened to anything: histories that no plan led to.
//!
//! Where the other families let a cluster live, here every instance is on every node in some state or other, drawn on its
//! own. Most regression tests are of this kind: a few resources, and a state that is rare in life.

use super::sketch::{Sketch, THEMES, Table};
use crate::NOW;
use std::collections::BTreeSet;
use systole_cib::{read, xml::Key};
use systole_scheduler::Status;

/// Task, interval, result, status.
type Entry = (&'static str, &'static str, i32, &'static str);

/// Courses of events, the last one first or in any other order, and in how many of a few hundred cases each.
const COURSES: [(u64, &[Entry]); 26] = [
    (90, &[("monitor", "0", 7, "0")]),
    (80, &[("start", "0", 0, "0"), ("monitor", "10000", 0, "0")]),
    (20, &[("start", "0", 0, "0")]),
    (15, &[("monitor", "0", 0, "0")]),
    (12, &[("stop", "0", 0, "0")]),
    (10, &[("start", "0", 0, "0"), ("monitor", "10000", 7, "0")]),
    (10, &[("start", "0", 0, "0"), ("monitor", "10000", 1, "0")]),
    (8, &[("start", "0", 1, "0")]),
    (5, &[("start", "0", 1, "2")]),
    (5, &[("start", "0", 5, "0")]),
    (5, &[("start", "0", 6, "0")]),
    (5, &[("monitor", "0", 5, "5")]),
    (8, &[("stop", "0", 1, "0")]),
    (4, &[("stop", "0", 1, "2")]),
    (6, &[("start", "0", 193, "-1")]),
    (6, &[("stop", "0", 193, "-1")]),
    (5, &[("monitor", "0", 193, "-1")]),
    (4, &[("start", "0", 0, "0"), ("monitor", "10000", 193, "-1")]),
    (4, &[("monitor", "0", 1, "0")]),
    (4, &[("start", "0", 0, "0"), ("stop", "0", 0, "0"), ("monitor", "10000", 0, "0")]),
    (3, &[("start", "0", 0, "0"), ("monitor", "10000", 190, "0")]),
    (3, &[("start", "0", 0, "0"), ("monitor", "10000", 1, "2")]),
    (3, &[("monitor", "0", 7, "0"), ("monitor", "15000", 7, "0")]),
    (3, &[("start", "0", 1, "4")]),
    (3, &[("start", "0", 0, "0"), ("reload-agent", "0", 0, "0")]),
    (3, &[("monitor", "0", 0, "1")]),
];

/// ...of what can be promoted.
const PROMOTED_COURSES: [(u64, &[Entry]); 9] = [
    (40, &[("start", "0", 0, "0"), ("promote", "0", 0, "0"), ("monitor", "11000", 8, "0")]),
    (10, &[("monitor", "0", 8, "0")]),
    (8, &[("start", "0", 0, "0"), ("promote", "0", 1, "0")]),
    (8, &[("promote", "0", 0, "0"), ("demote", "0", 0, "0")]),
    (8, &[("promote", "0", 0, "0"), ("demote", "0", 1, "0")]),
    (8, &[("promote", "0", 0, "0"), ("monitor", "11000", 9, "0")]),
    (6, &[("promote", "0", 193, "-1")]),
    (5, &[("demote", "0", 193, "-1")]),
    (5, &[("start", "0", 0, "0"), ("monitor", "11000", 8, "0")]),
];

const ATTRIBUTES: Table<'_> = &[
    ("standby", 6, &["on", "off"]),
    ("maintenance", 4, &["true"]),
    ("terminate", 3, &["true"]),
    ("shutdown", 6, &["1779999990", "0"]),
    ("#health-disk", 5, &["red", "yellow", "green"]),
    ("probe_complete", 5, &["true"]),
];

/// An instance, as nodes know it.
struct Known {
    name: String,
    class: String,
    provider: Option<String>,
    kind: String,
    can_be_promoted: bool,
    /// Inside a bundle: the node it is on, if it is anywhere.
    only_on: Option<String>,
    /// Is nowhere but on cluster nodes.
    on_members: bool,
}

impl Sketch {
    /// Few resources, with little left out.
    pub fn draw_few_themes(&mut self) {
        let n_themes = self.random.between(1, 5);
        self.themes = (0..n_themes).map(|_| *self.random.pick(&THEMES)).collect();
    }

    /// Strews states over all nodes and resources.
    pub fn strew_states(&mut self) {
        for state in self.states() {
            if self.random.chance(18) {
                let states = [
                    "clean",
                    "clean-zero",
                    "lost",
                    "lost-zero",
                    "hung",
                    "pending",
                    "joining",
                    "up-since",
                    "odd",
                ];
                let how = *self.random.pick(&states);
                self.set_node_state(state, how);
            }
        }
        let (known, remotes) = self.known_instances();
        for (remote, is_bundled) in remotes {
            let is_there = self
                .states()
                .iter()
                .any(|state| self.document.element(*state).attr("uname") == Some(&*remote));
            if !is_there && self.random.chance(85) {
                let attributes = [("id", &*remote), ("uname", &*remote), ("remote_node", "true")];
                let state = self.add(self.sections.status, "node_state", &attributes);
                let in_ccm = *self.random.pick(&["true", "true", "true", "false"]);
                self.document.set_attr(state, "in_ccm", in_ccm);
                self.add(state, "lrm", &[("id", &remote)]);
                let is_odd = self.random.chance(10) && !is_bundled;
                if is_odd {
                    self.set_transient(state, "maintenance", "true");
                }
            }
        }
        for state in self.states() {
            self.strew_histories(state, &known);
            for (name, value) in self.draw(ATTRIBUTES) {
                self.set_transient(state, name, value);
            }
        }
        self.set_promotion_scores();
        if self.random.chance(12) {
            let root = self.document.root_key();
            self.document.set_attr(root, "have-quorum", "false");
        }
    }

    /// Primitives as they are known to nodes, and names of remote and guest nodes with whether they are bundles'.
    fn known_instances(&self) -> (Vec<Known>, Vec<(String, bool)>) {
        let (cib, _) = read(&self.document);
        let status = Status::unpack(&cib, NOW);
        let node_of = |rsc| {
            status.iter_resources().find_map(|(_, bundle)| {
                let replica = bundle.bundle()?.replicas.iter().find(|replica| replica.child == Some(rsc))?;
                Some(status.node(replica.node?).name.to_string())
            })
        };
        let mut known = Vec::new();
        for (rsc, resource) in status.iter_resources() {
            let Some(primitive) = resource.primitive() else { continue };
            let agent = &primitive.definition.agent;
            let is_unique = resource.is_unique || resource.instance.is_none();
            let name = if is_unique { resource.id.as_str() } else { resource.base_id() };
            known.push(Known {
                name: name.to_owned(),
                class: agent.class.to_string(),
                provider: agent.provider.as_ref().map(ToString::to_string),
                kind: agent.kind.to_string(),
                can_be_promoted: status.rsc(status.top_of(rsc)).is_promotable,
                only_on: node_of(rsc),
                on_members: primitive.is_remote_connection || primitive.is_fence_device,
            });
        }
        let remotes = status.iter_nodes().filter(|(_, node)| node.is_remote_or_guest());
        let remotes = remotes.map(|(_, node)| (node.name.to_string(), node.is_bundle())).collect();
        (known, remotes)
    }

    fn strew_histories(&mut self, state: Key, known: &[Known]) {
        let element = self.document.element(state);
        let name = element.attr("uname").unwrap_or_default().to_owned();
        let is_remote = element.attr("remote_node").is_some();
        let Some(lrm) = element.child("lrm").map(systole_cib::xml::Element::key) else { return };
        let list = self.add(lrm, "lrm_resources", &[]);
        let mut seen = BTreeSet::new();
        for instance in known {
            let percent = match &instance.only_on {
                Some(only) if *only == name => 90,
                Some(_) => 0,
                None if is_remote && instance.on_members => 0,
                None if is_remote => 50,
                None => 80,
            };
            if self.random.chance(percent) && seen.insert(&instance.name) {
                self.strew_history(state, list, instance);
            }
        }
    }

    fn strew_history(&mut self, state: Key, list: Key, instance: &Known) {
        let name = &instance.name;
        let attributes = [("id", &**name), ("class", &*instance.class), ("type", &*instance.kind)];
        let history = self.add(list, "lrm_resource", &attributes);
        if let Some(provider) = &instance.provider {
            self.document.set_attr(history, "provider", provider);
        }
        let course = match instance.can_be_promoted && self.random.chance(40) {
            true => self.course(&PROMOTED_COURSES),
            false => self.course(&COURSES),
        };
        for (i, (task, interval, rc, status)) in course.iter().enumerate() {
            let is_last = i == 0 && self.random.chance(60);
            let id = if is_last { format!("{name}_last_0") } else { format!("{name}_{task}_{interval}") };
            let age = *self.random.pick(&[20, 20, 300, 4000]);
            self.set_operation(history, &id, name, task, interval, *rc, status, age);
            let is_failure = *rc != 0 && *rc != 193 && !(*rc == 7 && *task == "monitor" && *interval == "0");
            if is_failure && self.random.chance(70) {
                let count = *self.random.pick(&["1", "2", "INFINITY"]);
                let suffix = format!("{}#{task}_{interval}", name.split(':').next().unwrap_or_default());
                self.set_transient(state, &format!("fail-count-{suffix}"), count);
                self.set_transient(state, &format!("last-failure-{suffix}"), &(NOW.0 - age).to_string());
            }
        }
        if self.random.chance(2) {
            self.document.set_attr(history, "shutdown-lock", "1779999900");
        }
    }

    fn course(&mut self, courses: &'static [(u64, &'static [Entry])]) -> &'static [Entry] {
        let total: u64 = courses.iter().map(|(weight, _)| weight).sum();
        let mut at = self.random.between(0, total - 1);
        for (weight, course) in courses {
            if at < *weight {
                return course;
            }
            at -= weight;
        }
        &[]
    }
}
