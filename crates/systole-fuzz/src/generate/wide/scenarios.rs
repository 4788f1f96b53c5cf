//! Stories that need several things at once.

use crate::generate::sketch::Sketch;
use systole_cib::xml::Element;

impl Sketch {
    /// A node was shut down, and what ran there waits for it.
    pub fn lock_for_shutdown(&mut self) {
        self.set_option("shutdown-lock", "true");
        if self.random.chance(40) {
            let limit = *self.random.pick(&["10min", "3h", "10s"]);
            self.set_option("shutdown-lock-limit", limit);
        }
        let Some(state) = self.any_state() else { return };
        if self.random.chance(30) {
            self.set_transient(state, "shutdown", "1779999900");
            return;
        }
        if self.document.element(state).attr("remote_node").is_none() {
            let how = *self.random.pick(&["clean", "clean-zero", "lost", "up"]);
            self.set_node_state(state, how);
        }
        for history in self.all_of(Some(state), "lrm_resource") {
            if self.random.chance(60) {
                let since = *self.random.pick(&["1779999900", "1779990000", "1700000000", "0"]);
                self.document.set_attr(history, "shutdown-lock", since);
                let Some(name) = self.document.element(history).id().map(str::to_owned) else { continue };
                let entries = self.document.element(history).children().map(Element::key);
                let entries: Vec<_> = entries.collect();
                entries.into_iter().for_each(|entry| self.document.remove(entry));
                let id = format!("{name}_last_0");
                let (task, rc) = *self.random.pick(&[("stop", 0), ("stop", 0), ("monitor", 7), ("start", 0)]);
                self.set_operation(history, &id, &name, task, "0", rc, "0", 90);
            }
        }
    }
}
