//! The configuration in the words of an older schema, with what only older schemas have.

use crate::{generate::sketch::Sketch, older};
use systole_cib::{
    schema::{self, Schema, SchemaSet},
    xml::{Document, Element, Key},
};

/// Releases between which much was renamed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Era {
    /// Schemas before 3.0.
    Early,
    /// 3.0 to 3.10.
    Late,
}

const ROLES: [(&str, &str); 2] = [("Promoted", "Master"), ("Unpromoted", "Slave")];

/// Names that numbers of promoted instances had before 4.0.
const PROMOTED: [(&str, &str); 2] =
    [("promoted-max", "master-max"), ("promoted-node-max", "master-node-max")];

/// Cluster options that are gone since 3.0, or called otherwise.
const EARLY_OPTIONS: [(&str, &str); 11] = [
    ("default-resource-stickiness", "50"),
    ("default_resource_stickiness", "INFINITY"),
    ("default-action-timeout", "35s"),
    ("default-migration-threshold", "2"),
    ("default-resource-failure-stickiness", "-INFINITY"),
    ("is-managed-default", "false"),
    ("is_managed_default", "true"),
    ("no_quorum_policy", "ignore"),
    ("symmetric_cluster", "false"),
    ("stop_orphan_resources", "false"),
    ("transition_idle_timeout", "70s"),
];

/// Cluster options that are gone since 4.0.
const LATE_OPTIONS: [(&str, &str); 5] = [
    ("crmd-transition-delay", "2s"),
    ("crmd-integration-timeout", "5min"),
    ("remove-after-stop", "true"),
    ("stonith-action", "poweroff"),
    ("cluster-delay", "#default"),
];

impl Sketch {
    /// Says it all in the words of an older schema, if some schema of that time has words for it.
    pub fn speak_an_older_language(&mut self) {
        let today = self.document.clone();
        let era = *self.random.pick(&[Era::Late, Era::Early]);
        for era in [era, Era::Late] {
            self.document = today.clone();
            self.translate(era);
            let of_era = match era {
                Era::Early => Schema::V3_0.before(),
                Era::Late => Schema::V3_0.and_later().and(Schema::V4_0.before()),
            };
            let fitting = schema::fitting(&self.document).and(of_era);
            if let Some(chosen) = self.any_schema(fitting) {
                let root = self.document.root_key();
                self.document.set_attr(root, "validate-with", chosen.name());
                return;
            }
        }
        self.document = today;
    }

    fn any_schema(&mut self, set: SchemaSet) -> Option<Schema> {
        let all = std::iter::successors(set.oldest(), |schema| schema.next());
        let all: Vec<Schema> = all.filter(|schema| set.has(*schema)).collect();
        // The oldest ones have words for the fewest configurations.
        let n = if self.random.chance(50) { all.len().div_ceil(3) } else { all.len() };
        (n > 0).then(|| *self.random.pick(&all[..n]))
    }

    fn translate(&mut self, era: Era) {
        rename(&mut self.document);
        for key in self.configured(|element| element.is("clone")) {
            if self.random.chance(60) {
                make_master(&mut self.document, key);
            }
        }
        if self.random.chance(30) {
            let (name, value) = *self.random.pick(&LATE_OPTIONS);
            self.set_option(name, value);
        }
        if let (true, Some(primitive)) = (self.random.chance(10), self.any_primitive()) {
            self.set_meta(primitive, "restart-type", "restart");
        }
        if self.random.chance(30) {
            self.add_former_constraints();
        }
        if self.random.chance(20) {
            self.repeat_pairs();
        }
        if self.random.chance(15) {
            self.add_former_resources();
        }
        if era == Era::Early {
            self.say_as_early();
        }
    }

    /// Locations with two rules or a lifetime, colocations and orders with one.
    fn add_former_constraints(&mut self) {
        let locations =
            self.configured(|element| element.is("rsc_location") && element.child("rule").is_some());
        for location in locations {
            if self.random.chance(50) {
                self.add_location_rule(location, false);
            }
        }
        for constraint in
            self.configured(|element| element.parent().is_some_and(|parent| parent.is("constraints")))
        {
            let may_have = ["rsc_location", "rsc_colocation", "rsc_order"]
                .contains(&self.document.element(constraint).name());
            if may_have && self.random.chance(25) {
                let first = self.document.element(constraint).children().next().map(Element::key);
                let lifetime = match first {
                    Some(first) => self.document.insert_before(first, "lifetime"),
                    None => self.document.append(constraint, "lifetime"),
                };
                self.add_date_rule(lifetime);
            }
        }
    }

    /// Sets with several pairs of one name, the last of which counted, or a default.
    fn repeat_pairs(&mut self) {
        let pairs = self.configured(|element| element.is("nvpair") && element.attr("name").is_some());
        for pair in pairs {
            if !self.random.chance(15) {
                continue;
            }
            let element = self.document.element(pair);
            let (name, value) = (
                element.attr("name").unwrap_or_default().to_owned(),
                element.attr("value").unwrap_or_default().to_owned(),
            );
            let Some(set) = element.parent().map(Element::key) else { continue };
            let id = self.new_id("again");
            let value = if self.random.chance(40) { "#default".to_owned() } else { value };
            self.add(set, "nvpair", &[("id", &id), ("name", &name), ("value", &value)]);
        }
    }

    /// Resources of classes that are gone, and a node that only answers pings.
    fn add_former_resources(&mut self) {
        let id = self.new_id("p");
        let class = *self.random.pick(&["upstart", "nagios"]);
        let attributes = [("id", &*id), ("class", class), ("type", "old")];
        self.add(self.sections.resources, "primitive", &attributes);
        let constraint = self.new_id("colo");
        if let Some(other) = self.any_plain() {
            let attributes =
                [("id", &*constraint), ("rsc", &*other), ("with-rsc", &*id), ("score", "INFINITY")];
            self.add(self.sections.constraints, "rsc_colocation", &attributes);
        }
        if self.random.chance(40) {
            let attributes = [("id", "88"), ("uname", "pinged"), ("type", "ping")];
            self.add(self.sections.nodes, "node", &attributes);
        }
    }

    /// What was said of operations, nodes and defaults before 3.0.
    fn say_as_early(&mut self) {
        let n_options = self.random.between(0, 2);
        for _ in 0..n_options {
            let (name, value) = *self.random.pick(&EARLY_OPTIONS);
            self.set_option(name, value);
        }
        for node in self.configured(|element| element.is("node") && element.attr("type") != Some("remote")) {
            let kind = *self.random.pick(&["normal", "member", "normal"]);
            self.document.set_attr(node, "type", kind);
        }
        for op in self.configured(|element| element.is("op")) {
            if self.random.chance(10) {
                let requires = *self.random.pick(&["nothing", "quorum", "fencing"]);
                self.document.set_attr(op, "requires", requires);
            }
            if self.random.chance(10) {
                let (name, value) =
                    *self.random.pick(&[("timeout", "17s"), ("on-fail", "block"), ("start-delay", "3s")]);
                self.add_pairs(op, "instance_attributes", &[(name, value)]);
            }
        }
        for colocation in self.configured(|element| element.is("rsc_colocation")) {
            let is_plain = self.document.element(colocation).attr("rsc").is_some();
            if is_plain && self.random.chance(10) {
                self.document.remove_attr(colocation, "score");
                self.document.set_attr(colocation, "score-attribute", "size");
            }
        }
    }
}

fn keys(document: &Document, is_wanted: impl Fn(Element<'_>) -> bool) -> Vec<Key> {
    document.root().descendants().filter(|element| is_wanted(*element)).map(Element::key).collect()
}

/// Roles and options under their former names.
fn rename(document: &mut Document) {
    for key in keys(document, |_| true) {
        for name in ["role", "rsc-role", "with-rsc-role"] {
            let former = document.element(key).attr(name).and_then(|role| former(&ROLES, role));
            if let Some(former) = former {
                document.set_attr(key, name, former);
            }
        }
        let element = document.element(key);
        if element.is("nvpair") {
            let name = element
                .attr("name")
                .and_then(|name| former(&older::OPTIONS, name).or_else(|| former(&PROMOTED, name)));
            let is_role = element.attr("name") == Some("target-role");
            let value = element.attr("value").filter(|_| is_role).and_then(|value| former(&ROLES, value));
            for (attr, value) in [("name", name), ("value", value)] {
                if let Some(value) = value {
                    document.set_attr(key, attr, value);
                }
            }
        } else if let Some(value) = element.attr("promoted-max").map(str::to_owned) {
            document.remove_attr(key, "promoted-max");
            document.set_attr(key, "masters", &value);
        }
    }
}

fn former(table: &[(&'static str, &'static str)], name: &str) -> Option<&'static str> {
    table.iter().find(|(today, _)| *today == name).map(|(_, former)| *former)
}

/// A promotable clone by its former name.
fn make_master(document: &mut Document, clone: Key) {
    let pairs = document.element(clone).children().flat_map(Element::children);
    let says = pairs.filter(|pair| pair.attr("name") == Some("promotable"));
    let says: Vec<Key> = says.map(Element::key).collect();
    if !says.is_empty() {
        says.into_iter().for_each(|pair| document.remove(pair));
        document.rename(clone, "master");
    }
}
