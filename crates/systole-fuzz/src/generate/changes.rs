//! What administrators do to a running cluster.

use super::sketch::Sketch;
use systole_cib::xml::{Element, Key};

impl Sketch {
    /// Changes something.
    pub fn change_configuration(&mut self) {
        match self.random.between(0, 9) {
            0 | 1 => self.change_meta(),
            2 | 3 => self.change_parameter(),
            4 => self.remove_primitive(),
            5 => self.add_plain_primitive(),
            6 => {
                let section = self.sections.resources;
                self.add_any(section);
            }
            7 => self.add_any_constraint(),
            8 => self.remove_constraint(),
            _ => self.change_operation(),
        }
    }

    fn described(&mut self) -> Option<Key> {
        let ids: Vec<String> = self.resources.iter().map(|rsc| rsc.id.clone()).collect();
        let id = self.random.pick(&ids).clone();
        let found = self.document.find_id(&id).filter(|element| !element.is("tag"));
        found.map(Element::key)
    }

    fn change_meta(&mut self) {
        let Some(rsc) = self.described() else { return };
        let (name, values): (&str, &[&str]) = *self.random.pick(&[
            ("target-role", &["Stopped", "Started", "Unpromoted", "Promoted"][..]),
            ("is-managed", &["false", "true"][..]),
            ("maintenance", &["true", "false"][..]),
            ("priority", &["1", "20"][..]),
            ("clone-max", &["1", "2", "5"][..]),
            ("promoted-max", &["1", "2"][..]),
            ("migration-threshold", &["1", "2"][..]),
            ("resource-stickiness", &["0", "1000"][..]),
            ("globally-unique", &["true", "false"][..]),
        ]);
        let value = *self.random.pick(values);
        let set = self.document.element(rsc).child("meta_attributes").map(Element::key);
        let Some(set) = set else {
            self.add_pairs(rsc, "meta_attributes", &[(name, value)]);
            return;
        };
        let known = self.document.element(set).children().find(|pair| pair.attr("name") == Some(name));
        match known.map(Element::key) {
            Some(known) => {
                self.document.set_attr(known, "value", value);
            }
            None => {
                let id = self.new_id("pair");
                self.add(set, "nvpair", &[("id", &id), ("name", name), ("value", value)]);
            }
        }
    }

    fn change_parameter(&mut self) {
        let Some(rsc) = self.described() else { return };
        if !self.document.element(rsc).is("primitive") {
            return;
        }
        let value = *self.random.pick(&["changed", "again"]);
        let pair = self.document.element(rsc).child("instance_attributes");
        let pair = pair.and_then(|set| set.child("nvpair")).map(Element::key);
        match pair {
            Some(pair) => {
                self.document.set_attr(pair, "value", value);
            }
            None => {
                self.add_pairs(rsc, "instance_attributes", &[("fake", value)]);
            }
        }
    }

    /// Removes a primitive that no constraint names.
    fn remove_primitive(&mut self) {
        let Some(rsc) = self.described() else { return };
        let element = self.document.element(rsc);
        let is_free =
            element.is("primitive") && element.parent().is_some_and(|parent| parent.is("resources"));
        let id = element.id().unwrap_or_default().to_owned();
        let configuration = self.document.element(self.sections.configuration);
        let is_named = configuration.descendants().any(|element| {
            element.attrs().any(|(name, value)| {
                value == id && (name != "id" || element.is("resource_ref") || element.is("obj_ref"))
            })
        });
        if is_free && !is_named && self.resources.len() > 1 {
            self.document.remove(rsc);
            self.resources.retain(|known| known.id != id);
        }
    }

    fn remove_constraint(&mut self) {
        let constraints: Vec<Key> =
            self.document.element(self.sections.constraints).children().map(Element::key).collect();
        if !constraints.is_empty() {
            let constraint = *self.random.pick(&constraints);
            self.document.remove(constraint);
        }
    }

    fn change_operation(&mut self) {
        let resources = self.document.element(self.sections.resources);
        let operations: Vec<Key> =
            resources.descendants().filter(|element| element.is("op")).map(Element::key).collect();
        if operations.is_empty() {
            return;
        }
        let op = *self.random.pick(&operations);
        match self.random.between(0, 2) {
            0 => self.document.remove(op),
            1 => {
                if self
                    .document
                    .element(op)
                    .attr("interval")
                    .is_some_and(|interval| !interval.starts_with('0'))
                {
                    self.document.set_attr(op, "interval", "15s");
                }
            }
            _ => {
                self.document.set_attr(op, "timeout", "44s");
            }
        }
    }
}
