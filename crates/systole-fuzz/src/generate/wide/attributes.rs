//! Node attributes.

use crate::{NOW, generate::sketch::Sketch};

impl Sketch {
    /// Sets transient attributes that are rarely set.
    pub fn set_rare_attributes(&mut self) {
        let n_attributes = self.random.between(1, 3);
        for _ in 0..n_attributes {
            let Some(state) = self.any_state() else { return };
            let (name, values): (&str, &[&str]) = *self.random.pick(&[
                ("standby", &["on", "yes", "1", "off", "0"][..]),
                ("maintenance", &["true", "1", "false", "0"][..]),
                ("terminate", &["true", "1", "1779999999", "0"][..]),
                ("shutdown", &["1779999990", "1", "0"][..]),
                ("probe_complete", &["true"][..]),
                ("resource-discovery-enabled", &["false"][..]),
                ("#health-smart", &["red", "yellow", "green", "-7", "purple"][..]),
                ("#health-cpu", &["red", "yellow", "green"][..]),
                ("#health_disk", &["red"][..]),
                ("pingd", &["0", "1000"][..]),
                ("rack", &["r2"][..]),
                ("size", &["7", "1.2.3"][..]),
                ("site-name", &["north"][..]),
            ]);
            let value = *self.random.pick(values);
            self.set_transient(state, name, value);
        }
    }

    /// Fail counts as older releases wrote them, and in every other way.
    pub fn count_failures_as_before(&mut self) {
        let names: Vec<String> =
            self.resources.iter().filter(|rsc| rsc.is_primitive).map(|rsc| rsc.id.clone()).collect();
        for state in self.states() {
            if names.is_empty() || !self.random.chance(50) {
                continue;
            }
            let name = self.random.pick(&names).clone();
            let suffix =
                *self.random.pick(&["", "#monitor_10000", "#start_0", ":0", ":1#monitor_0", "#stop_0"]);
            let count = *self.random.pick(&["1", "2", "INFINITY", "0", "1000000", "-1", "some"]);
            self.set_transient(state, &format!("fail-count-{name}{suffix}"), count);
            if self.random.chance(70) {
                let age = *self.random.pick(&[3, 50, 4000, -10]);
                let when = (NOW.0 - age).to_string();
                self.set_transient(state, &format!("last-failure-{name}{suffix}"), &when);
            }
        }
    }
}
