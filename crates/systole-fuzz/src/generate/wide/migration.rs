//! Live migrations that are not over.

use crate::generate::sketch::Sketch;
use systole_cib::xml::{Element, Key};

/// An entry: where (source or target), task, result, status, whether the history has it at all.
struct Part {
    at_source: bool,
    task: &'static str,
    results: &'static [(i32, &'static str)],
    percent: u64,
}

const DONE_OR_NOT: &[(i32, &str)] = &[(0, "0"), (0, "0"), (1, "0"), (1, "4"), (193, "-1"), (1, "2")];
const DONE: &[(i32, &str)] = &[(0, "0"), (0, "0"), (0, "0"), (1, "0"), (193, "-1")];
const FOUND: &[(i32, &str)] = &[(0, "0"), (7, "0"), (1, "0")];

/// What is written of a migration, in its order.
const COURSE: [Part; 6] = [
    Part { at_source: true, task: "migrate_to", results: DONE_OR_NOT, percent: 92 },
    Part { at_source: false, task: "migrate_from", results: DONE_OR_NOT, percent: 65 },
    Part { at_source: true, task: "stop", results: DONE, percent: 25 },
    Part { at_source: false, task: "monitor", results: FOUND, percent: 20 },
    Part { at_source: true, task: "start", results: DONE, percent: 8 },
    Part { at_source: false, task: "stop", results: DONE, percent: 12 },
];

impl Sketch {
    /// Leaves a resource in the middle of a migration, with both nodes up or one of them lost.
    pub fn migrate_halfway(&mut self) {
        let Some(name) = self.any_plain() else { return };
        let states = self.states();
        let has_history = |state: &Key| {
            self.document.element(*state).child("lrm").is_some_and(|lrm| lrm.children().next().is_some())
        };
        let mut able: Vec<Key> = states.into_iter().filter(has_history).collect();
        if able.len() < 2 {
            return;
        }
        if self.random.chance(50) {
            able.reverse();
        }
        let (source, target) = (able[0], able[1]);
        if let Some(owner) = self.document.find_id(&name).map(Element::key) {
            self.set_meta(owner, "allow-migrate", "true");
        }
        let names = [source, target].map(|state| {
            let element = self.document.element(state);
            element.attr("uname").or(element.id()).unwrap_or_default().to_owned()
        });
        let Some(histories) = self.histories_of_both(&name, source, target) else { return };
        for part in COURSE {
            if !self.random.chance(part.percent) {
                continue;
            }
            let history = histories[usize::from(!part.at_source)];
            let (rc, status) = *self.random.pick(part.results);
            let is_migration = part.task.starts_with("migrate");
            // The history keeps the last operation of a kind, and the last of all under another id.
            let id = match (is_migration, self.random.chance(50)) {
                (true, true) => format!("{name}_{}_0", part.task),
                _ => format!("{name}_last_0"),
            };
            let id = if part.task == "monitor" { format!("{name}_monitor_10000") } else { id };
            let interval = if part.task == "monitor" { "10000" } else { "0" };
            self.set_operation(history, &id, &name, part.task, interval, rc, status, 60);
            let entry = self.document.element(history).children().find(|entry| entry.id() == Some(&*id));
            if let (true, Some(entry)) = (is_migration, entry.map(Element::key)) {
                self.document.set_attr(entry, "migrate_source", &names[0]);
                self.document.set_attr(entry, "migrate_target", &names[1]);
            }
        }
        if self.random.chance(35) {
            let lost = *self.random.pick(&[source, target]);
            let how = *self.random.pick(&["lost", "clean", "pending", "hung"]);
            if self.document.element(lost).attr("remote_node").is_none() {
                self.set_node_state(lost, how);
            }
        }
        if self.random.chance(30) {
            let node = *self.random.pick(&[source, target]);
            self.set_transient(node, "standby", "on");
        }
    }

    /// The histories of a resource on both nodes; the one on the target is made if there is none.
    fn histories_of_both(&mut self, name: &str, source: Key, target: Key) -> Option<[Key; 2]> {
        let mut found = Vec::new();
        for state in [source, target] {
            let list = *self.all_of(Some(state), "lrm_resources").first()?;
            let known = self.document.element(list).children().find(|known| known.id() == Some(name));
            let known = known.map(Element::key);
            found.push(match known {
                Some(known) => known,
                None => {
                    let rsc = self.document.find_id(name)?;
                    let described: Vec<(String, String)> = ["id", "class", "provider", "type"]
                        .into_iter()
                        .filter_map(|attr| Some((attr.to_owned(), rsc.attr(attr)?.to_owned())))
                        .collect();
                    let described: Vec<(&str, &str)> =
                        described.iter().map(|(name, value)| (&**name, &**value)).collect();
                    self.add(list, "lrm_resource", &described)
                }
            });
        }
        Some([found[0], found[1]])
    }
}
