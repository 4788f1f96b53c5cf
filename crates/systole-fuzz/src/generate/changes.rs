//! What administrators do to a running cluster.

use super::sketch::{Sketch, Theme};
use systole_cib::xml::{Element, Key};

impl Sketch {
    /// Changes something.
    pub fn change_configuration(&mut self) {
        match self.random.between(0, 11) {
            0 | 1 => self.change_meta(),
            2 | 3 => self.change_parameter(),
            4 => self.remove_resource(),
            10 => self.change_container(),
            11 => self.forget_node(),
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
        // Means nothing but for clones, and the reference takes it half seriously for what is inside them.
        if name == "globally-unique" && !self.document.element(rsc).is("clone") {
            return;
        }
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

    /// Removes a resource that nothing names, with all that is in it.
    fn remove_resource(&mut self) {
        let Some(rsc) = self.described() else { return };
        let element = self.document.element(rsc);
        let is_outer = element.parent().is_some_and(|parent| parent.is("resources"));
        if !is_outer || element.is("template") {
            return;
        }
        let ids = |element: Element<'_>| -> Vec<String> {
            let inner = element.descendants().filter_map(|inner| inner.id());
            inner.chain(element.id()).map(str::to_owned).collect()
        };
        let gone = ids(element);
        let configuration = self.document.element(self.sections.configuration);
        let is_named = configuration.descendants().any(|element| {
            element.attrs().any(|(name, value)| {
                let is_reference = name != "id" || element.is("resource_ref") || element.is("obj_ref");
                is_reference && gone.iter().any(|id| id == value)
            })
        });
        let n_left = self.resources.iter().filter(|known| !gone.contains(&known.id)).count();
        if !is_named && n_left > 0 {
            self.document.remove(rsc);
            self.resources.retain(|known| !gone.contains(&known.id));
        }
    }

    /// More or fewer replicas, another image...
    fn change_container(&mut self) {
        let resources = self.document.element(self.sections.resources);
        let containers: Vec<Key> = resources
            .descendants()
            .filter(|element| element.is("podman") || element.is("docker"))
            .map(Element::key)
            .collect();
        if containers.is_empty() {
            return;
        }
        let container = *self.random.pick(&containers);
        let (name, values): (&str, &[&str]) = *self.random.pick(&[
            ("replicas", &["1", "2", "3", "4"][..]),
            ("replicas", &["1", "2", "3", "4"][..]),
            ("promoted-max", &["1", "2"][..]),
            ("image", &["pcmk:new"][..]),
            ("options", &["--memory=1g"][..]),
            ("replicas-per-host", &["1", "2"][..]),
        ]);
        let value = *self.random.pick(values);
        self.document.set_attr(container, name, value);
    }

    /// A node's entry goes, its state does not.
    fn forget_node(&mut self) {
        let nodes: Vec<Key> =
            self.document.element(self.sections.nodes).children().map(Element::key).collect();
        if nodes.len() > 1 && self.random.chance(40) {
            let node = *self.random.pick(&nodes);
            self.document.remove(node);
        }
    }

    fn remove_constraint(&mut self) {
        let constraints: Vec<Key> =
            self.document.element(self.sections.constraints).children().map(Element::key).collect();
        if !constraints.is_empty() {
            let constraint = *self.random.pick(&constraints);
            // Others may refer to its rule.
            let has_rule = self.document.element(constraint).child("rule").is_some();
            if !has_rule || !self.is_about(Theme::References) {
                self.document.remove(constraint);
            }
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
