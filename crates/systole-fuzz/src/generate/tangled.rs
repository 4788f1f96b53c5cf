//! Few resources, most of which consist of others, tied to each other by many constraints.
//!
//! In the other families few constraints meet. Here what one of them leads to (a ban, a restart, something to wait for) is the
//! beginning of what others lead to, through clones, cloned groups and bundles that need not all do the same.

use super::{
    sketch::{Sketch, Table, Theme},
    wide::Step,
};
use systole_cib::xml::{Element, Key};

const KINDS: [Theme; 6] =
    [Theme::Groups, Theme::Clones, Theme::Promotable, Theme::Bundles, Theme::Guests, Theme::Remotes];

/// What is rare elsewhere, in how many of 100 cases.
const RARE: [Step; 12] = [
    (15, Sketch::vary_clones),
    (15, Sketch::vary_bundles),
    (15, Sketch::lose_remotes),
    (15, Sketch::lose_quorum),
    (12, Sketch::add_capacities),
    (10, Sketch::add_fencing_topology),
    (10, Sketch::unfence),
    (10, Sketch::lock_for_shutdown),
    (15, Sketch::migrate_halfway),
    (10, Sketch::lose_a_ticket),
    (15, Sketch::fail_an_operation),
    (10, Sketch::run_on_two_nodes),
];

const PROMOTED: Table<'_> = &[
    ("promoted-max", 60, &["1", "2", "3", "0"]),
    ("promoted-node-max", 30, &["2", "3"]),
    ("clone-max", 40, &["2", "3", "4", "5"]),
    ("clone-node-max", 30, &["2"]),
    ("clone-min", 20, &["1", "2"]),
    ("interleave", 60, &["true"]),
    ("ordered", 40, &["true"]),
    ("notify", 30, &["true"]),
    ("globally-unique", 25, &["true"]),
];

/// Results that monitors, and others, may have.
const RESULTS: [&str; 12] = ["0", "1", "5", "6", "7", "8", "9", "189", "190", "191", "192", "193"];

impl Sketch {
    /// Two kinds of resources, and little else.
    pub fn draw_themes_of_kinds(&mut self) {
        let mut themes = vec![*self.random.pick(&KINDS), *self.random.pick(&KINDS)];
        if self.random.chance(50) {
            themes.push(Theme::Sets);
        }
        let other = *self.random.pick(&super::sketch::THEMES);
        themes.push(other);
        self.themes = themes;
    }

    /// Adds clones of groups, promotable for the most part.
    pub fn add_cloned_groups(&mut self) {
        let n_clones = self.random.between(0, 2);
        for _ in 0..n_clones {
            let id = self.new_id("c");
            let key = self.add(self.sections.resources, "clone", &[("id", &id)]);
            let mut meta = self.draw(PROMOTED);
            let is_promotable = self.random.chance(65);
            if is_promotable {
                meta.push(("promotable", "true"));
            }
            self.add_pairs(key, "meta_attributes", &meta);
            self.add_group(key, true);
            self.describe(&id, is_promotable, false, false);
        }
    }

    /// Ties resources to each other.
    pub fn tangle(&mut self) {
        let n_constraints = self.random.between(2, 7);
        for _ in 0..n_constraints {
            match self.random.between(0, 9) {
                0..=4 => self.add_any_constraint(),
                5..=6 => self.add_role_constraints(),
                7 => self.add_chain_of_sets(),
                8 => self.add_rare_locations(),
                _ => self.add_tickets_of_all_kinds(),
            }
        }
    }

    /// Has happen what happens rarely, and operations end as they rarely do.
    pub fn tangle_status(&mut self) {
        for (percent, step) in RARE {
            if self.random.chance(percent) {
                step(self);
            }
        }
        let entries: Vec<Key> = self.all_of(None, "lrm_rsc_op");
        for entry in entries {
            if self.random.chance(6) {
                let rc = *self.random.pick(&RESULTS);
                let status = if rc == "193" { "-1" } else { *self.random.pick(&["0", "0", "4", "2"]) };
                let key = self.document.element(entry).attr("transition-key").unwrap_or_default().to_owned();
                self.document.set_attr(entry, "rc-code", rc);
                self.document.set_attr(entry, "op-status", status);
                self.document.set_attr(entry, "transition-magic", &format!("{status}:{rc};{key}"));
            }
        }
        self.set_scores_of_members();
    }

    /// Members of promotable clones' groups say how gladly they would be promoted.
    fn set_scores_of_members(&mut self) {
        let is_clone = |element: &Element<'_>| element.is("clone") && element.child("group").is_some();
        let all = self.document.element(self.sections.resources).descendants().filter(is_clone);
        let members = all.flat_map(|clone| clone.descendants().filter(|member| member.is("primitive")));
        let members: Vec<String> = members.filter_map(|member| member.id().map(str::to_owned)).collect();
        for member in members {
            for state in self.states() {
                if self.random.chance(30) {
                    let value = *self.random.pick(&["5", "10", "1", "-INFINITY", "INFINITY"]);
                    self.set_transient(state, &format!("master-{member}"), value);
                }
            }
        }
    }
}
