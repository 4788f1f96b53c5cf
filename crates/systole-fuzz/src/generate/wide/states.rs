//! States of nodes.

use crate::generate::sketch::Sketch;
use systole_cib::xml::{Element, Key};

impl Sketch {
    /// States without names, of nodes that nobody knows, or named otherwise than configured.
    pub fn forget_names(&mut self) {
        for state in self.states() {
            let is_remote = self.document.element(state).attr("remote_node").is_some();
            if is_remote || !self.random.chance(50) {
                continue;
            }
            match self.random.between(0, 2) {
                0 | 1 => self.document.remove_attr(state, "uname"),
                _ => {
                    let id = self.document.element(state).id().unwrap_or_default().to_owned();
                    self.document.set_attr(state, "id", &format!("9{id}"))
                }
            };
        }
        if self.random.chance(30) {
            let state = self.add(self.sections.status, "node_state", &[("id", "77")]);
            let how = *self.random.pick(&["up", "clean", "lost", "odd"]);
            self.set_node_state(state, how);
            if self.random.chance(60) {
                self.document.set_attr(state, "uname", "stranger");
            }
        }
    }

    /// Nodes of several releases, as in the middle of an upgrade.
    pub fn mix_feature_sets(&mut self) {
        let root = self.document.root_key();
        let of_dc = *self.random.pick(&["3.20.2", "3.19.0", "3.16.2", "3.0.14", "3.0.9"]);
        self.document.set_attr(root, "crm_feature_set", of_dc);
        for state in self.states() {
            if self.random.chance(60) {
                let version = *self.random.pick(&["3.20.2", "3.19.0", "3.16.2", "3.15.1", "3.0.14"]);
                self.set_transient(state, "#feature-set", version);
            }
            if self.random.chance(30) {
                self.document.set_attr(state, "crm_feature_set", "3.16.2");
            }
        }
        for entry in self.all_of(None, "lrm_rsc_op") {
            if self.random.chance(40) {
                let version = *self.random.pick(&["3.0.5", "3.0.8", "3.0.9", "3.0.14", "3.2.0", "3.16.2"]);
                self.document.set_attr(entry, "crm_feature_set", version);
            }
        }
    }

    /// States with any word in any place.
    pub fn vary_states(&mut self) {
        for state in self.states() {
            if !self.random.chance(40) {
                continue;
            }
            let is_remote = self.document.element(state).attr("remote_node").is_some();
            let (name, values): (&str, &[&str]) = *self.random.pick(&[
                ("in_ccm", &["true", "false", "1779990000", "0", "1"][..]),
                ("crmd", &["online", "offline", "1779990000", "0"][..]),
                ("join", &["member", "down", "pending", "banned", "nack"][..]),
                ("expected", &["member", "down"][..]),
                ("node_fenced", &["1779990000", "1", "0"][..]),
                ("shutdown", &["1779990000", "0"][..]),
                ("standby", &["true"][..]),
            ]);
            let is_for_remotes = matches!(name, "node_fenced" | "in_ccm");
            if is_remote && !is_for_remotes {
                continue;
            }
            if self.random.chance(15) {
                self.document.remove_attr(state, name);
            } else {
                let value = *self.random.pick(values);
                self.document.set_attr(state, name, value);
            }
        }
    }

    /// The states of remote nodes and guests say that they are such, as the cluster writes them.
    pub fn report_remotes(&mut self) {
        for name in self.remotes.clone() {
            let known =
                self.states().into_iter().find(|state| self.document.element(*state).id() == Some(&name));
            let state = match known {
                Some(known) => known,
                None if self.random.chance(30) => {
                    self.add(self.sections.status, "node_state", &[("id", &name), ("uname", &name)])
                }
                None => continue,
            };
            let in_ccm = *self.random.pick(&["true", "true", "true", "false"]);
            self.document.set_attr(state, "remote_node", "true");
            self.document.set_attr(state, "in_ccm", in_ccm);
        }
    }

    /// Remote nodes and guests that are lost, fenced, in maintenance, or have no state.
    pub fn lose_remotes(&mut self) {
        let is_remote = |state: &Element<'_>| state.is("node_state") && state.attr("remote_node").is_some();
        let status = self.document.element(self.sections.status);
        let states: Vec<Key> = status.children().filter(is_remote).map(Element::key).collect();
        for state in states {
            match self.random.between(0, 5) {
                0 => {
                    self.document.set_attr(state, "in_ccm", "false");
                }
                1 => {
                    self.document.set_attr(state, "in_ccm", "false");
                    self.document.set_attr(state, "node_fenced", "1779999000");
                }
                2 => self.document.remove(state),
                3 => {
                    self.document.set_attr(state, "node_in_maintenance", "1");
                    self.set_transient(state, "maintenance", "true");
                }
                4 => self.set_transient(state, "terminate", "true"),
                _ => self.set_transient(state, "standby", "on"),
            }
        }
    }

    /// The partition has no quorum, some nodes are lost, and it is up to the policy.
    pub fn lose_quorum(&mut self) {
        let root = self.document.root_key();
        let value = *self.random.pick(&["false", "0"]);
        self.document.set_attr(root, "have-quorum", value);
        if self.random.chance(40) {
            self.document.set_attr(root, "no-quorum-panic", "1");
        }
        let policy = *self.random.pick(&["stop", "freeze", "ignore", "demote", "fence", "suicide"]);
        self.set_option("no-quorum-policy", policy);
        for state in self.states() {
            let is_remote = self.document.element(state).attr("remote_node").is_some();
            if !is_remote && self.random.chance(35) {
                let how = *self.random.pick(&["lost", "clean", "lost-zero", "pending"]);
                self.set_node_state(state, how);
            }
        }
        if self.random.chance(30) {
            self.set_option("fence-remote-without-quorum", "true");
        }
    }
}
