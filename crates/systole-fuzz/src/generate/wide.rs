//! What the configuration language and the status section have beside what every cluster gets: each rarely, so that few
//! meet in one case.

mod attributes;
mod bundles;
mod configuration;
mod constraints;
mod fencing;
mod history;
mod language;
mod migration;
mod operations;
mod resources;
mod scenarios;
mod states;

use super::sketch::Sketch;
use systole_cib::xml::{Element, Key};

/// In how many of 100 cases something is done, and what.
pub(super) type Step = (u64, fn(&mut Sketch));

/// Done before the cluster lives.
const CONFIGURED: [Step; 22] = [
    (6, Sketch::add_fencing_topology),
    (5, Sketch::add_other_fence_devices),
    (5, Sketch::add_fencing_priorities),
    (6, Sketch::add_rare_options),
    (4, Sketch::add_second_options),
    (5, Sketch::spell_options_otherwise),
    (5, Sketch::describe_nodes),
    (8, Sketch::add_full_operations),
    (6, Sketch::vary_operations),
    (10, Sketch::share_by_reference),
    (6, Sketch::vary_meta_attributes),
    (5, Sketch::add_other_agents),
    (4, Sketch::add_cloned_template),
    (5, Sketch::vary_clones),
    (6, Sketch::vary_bundles),
    (5, Sketch::vary_guests),
    (6, Sketch::add_rare_locations),
    (5, Sketch::add_role_constraints),
    (5, Sketch::add_chain_of_sets),
    (4, Sketch::add_tickets_of_all_kinds),
    (5, Sketch::add_parameter_rules),
    (4, Sketch::add_capacities),
];

/// Done when it has lived.
const REPORTED: [Step; 19] = [
    (50, Sketch::report_remotes),
    (5, Sketch::forget_names),
    (5, Sketch::mix_feature_sets),
    (6, Sketch::vary_states),
    (4, Sketch::lose_remotes),
    (6, Sketch::set_rare_attributes),
    (4, Sketch::count_failures_as_before),
    (7, Sketch::migrate_halfway),
    (7, Sketch::fail_an_operation),
    (6, Sketch::run_on_two_nodes),
    (5, Sketch::leave_removed),
    (5, Sketch::leave_recurring),
    (5, Sketch::leave_pending),
    (4, Sketch::leave_cancelled),
    (4, Sketch::lock_for_shutdown),
    (4, Sketch::unfence),
    (5, Sketch::lose_quorum),
    (4, Sketch::lose_a_ticket),
    (3, Sketch::vary_entries),
];

impl Sketch {
    /// Adds to the configuration, rarely, what every part of the language allows.
    pub fn widen_configuration(&mut self) {
        self.take_steps(&CONFIGURED);
    }

    /// Adds to the status section, rarely, what clusters come to.
    pub fn widen_status(&mut self) {
        self.take_steps(&REPORTED);
        if self.random.chance(40) {
            self.speak_an_older_language();
        }
    }

    /// Does one of the things that are rare, whatever the odds.
    pub fn take_any_step(&mut self) {
        let n_configured = CONFIGURED.len() as u64;
        let at = self.random.between(0, n_configured + REPORTED.len() as u64 - 1) as usize;
        let (_, step) = CONFIGURED.iter().chain(&REPORTED).nth(at).expect("one of them");
        step(self);
    }

    fn take_steps(&mut self, steps: &[Step]) {
        for (percent, step) in steps {
            if self.random.chance(*percent) {
                step(self);
            }
        }
    }

    /// Elements of the configuration that are of interest.
    fn configured(&self, is_wanted: impl Fn(Element<'_>) -> bool) -> Vec<Key> {
        let all = self.document.element(self.sections.configuration).descendants();
        all.filter(|element| is_wanted(*element)).map(Element::key).collect()
    }

    /// One of the elements of the configuration that are of interest.
    fn any_configured(&mut self, is_wanted: impl Fn(Element<'_>) -> bool) -> Option<Key> {
        let all = self.configured(is_wanted);
        (!all.is_empty()).then(|| *self.random.pick(&all))
    }

    /// Some primitive.
    fn any_primitive(&mut self) -> Option<Key> {
        self.any_configured(|element| element.is("primitive") && element.attr("class") != Some("stonith"))
    }

    /// A primitive that is in nothing, and no connection or device: its id.
    fn any_plain(&mut self) -> Option<String> {
        let plain = self.resources.iter().filter(|rsc| {
            rsc.is_primitive && !rsc.is_inner && !rsc.is_connection() && !rsc.id.starts_with("fence")
        });
        let ids: Vec<String> = plain.map(|rsc| rsc.id.clone()).collect();
        (!ids.is_empty()).then(|| self.random.pick(&ids).clone())
    }

    /// Sets a meta attribute of an element of the configuration.
    fn set_meta(&mut self, owner: Key, name: &str, value: &str) {
        let own = self.document.element(owner).children();
        let set = own.filter(|set| set.is("meta_attributes") && set.child("rule").is_none()).last();
        let Some(set) = set.map(Element::key) else {
            self.add_pairs(owner, "meta_attributes", &[(name, value)]);
            return;
        };
        let known = self.document.element(set).children().find(|pair| pair.attr("name") == Some(name));
        if let Some(known) = known.map(Element::key) {
            self.document.set_attr(known, "value", value);
        } else {
            let id = self.new_id("pair");
            self.add(set, "nvpair", &[("id", &id), ("name", name), ("value", value)]);
        }
    }

    /// Sets a cluster option.
    fn set_option(&mut self, name: &str, value: &str) {
        let set = self.document.element(self.sections.crm_config).child("cluster_property_set");
        let Some(set) = set.map(Element::key) else { return };
        let known = self.document.element(set).children().find(|pair| pair.attr("name") == Some(name));
        if let Some(known) = known.map(Element::key) {
            self.document.set_attr(known, "value", value);
        } else {
            let id = self.new_id("pair");
            self.add(set, "nvpair", &[("id", &id), ("name", name), ("value", value)]);
        }
    }

    /// A section of the configuration that not every CIB has.
    fn section(&mut self, name: &str) -> Key {
        let known = self.document.element(self.sections.configuration).child(name).map(Element::key);
        known.unwrap_or_else(|| self.document.append(self.sections.configuration, name))
    }
}
