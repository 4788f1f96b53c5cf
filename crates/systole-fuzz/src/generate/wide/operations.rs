//! Operations in all their variety.

use crate::generate::sketch::{Sketch, Table};
use systole_cib::xml::{Element, Key};

/// What may be said to happen if an operation of that name fails.
const ON_FAIL: [(&str, &str, &[&str]); 9] = [
    ("start", "0s", &["restart", "stop", "ignore", "block", "fence", "standby"]),
    ("stop", "0s", &["fence", "block", "ignore", "standby", "stop", "restart", "demote"]),
    ("monitor", "10s", &["ignore", "block", "stop", "restart", "fence", "standby", "demote"]),
    ("monitor", "11s", &["ignore", "block", "stop", "restart", "fence", "standby", "demote"]),
    ("promote", "0s", &["demote", "restart", "block", "fence", "ignore", "stop", "standby"]),
    ("demote", "0s", &["demote", "restart", "block", "fence", "ignore", "stop", "standby"]),
    ("migrate_to", "0s", &["restart", "block", "stop", "fence", "ignore"]),
    ("migrate_from", "0s", &["restart", "block", "stop", "fence", "ignore"]),
    ("notify", "0s", &["ignore", "restart", "block"]),
];

const RARE: Table<'_> = &[
    ("timeout", 40, &["20000ms", "1min", "PT90S", "0", "-1", "5 s", "2h", "30000"]),
    ("enabled", 20, &["false", "0", "no", "true"]),
    ("record-pending", 20, &["false", "true"]),
    ("description", 10, &["every now and then"]),
];

impl Sketch {
    /// Gives a primitive an operation of every kind, with something to happen if it fails.
    pub fn add_full_operations(&mut self) {
        let Some(primitive) = self.any_primitive() else { return };
        let known = self.document.element(primitive).child("operations").map(Element::key);
        if let Some(known) = known {
            if self.is_referred_to(known) {
                return;
            }
            self.document.remove(known);
        }
        let operations = self.add(primitive, "operations", &[]);
        for (name, interval, values) in ON_FAIL {
            if !self.random.chance(75) {
                continue;
            }
            let id = self.new_id("op");
            let attributes = [("id", &*id), ("name", name), ("interval", interval)];
            let op = self.add(operations, "op", &attributes);
            if interval == "11s" {
                let role = *self.random.pick(&["Promoted", "Unpromoted", "Stopped", "Started"]);
                self.document.set_attr(op, "role", role);
            }
            if self.random.chance(70) {
                let value = *self.random.pick(values);
                self.document.set_attr(op, "on-fail", value);
            }
        }
    }

    fn is_referred_to(&self, key: Key) -> bool {
        let id = self.document.element(key).id();
        id.is_some() && !self.configured(|element| element.attr("id-ref") == id).is_empty()
    }

    /// Says of operations what is rarely said, in rare ways.
    pub fn vary_operations(&mut self) {
        for op in self.configured(|element| element.is("op")) {
            if !self.random.chance(60) {
                continue;
            }
            let interval = self.document.element(op).attr("interval").unwrap_or_default().to_owned();
            for (name, value) in self.draw(RARE) {
                let is_boolean = name == "enabled" && !matches!(value, "true" | "false");
                // A word that the schema does not have for attributes is one for pairs.
                if is_boolean || self.random.chance(30) && name != "description" {
                    self.set_meta(op, name, value);
                } else {
                    self.document.set_attr(op, name, value);
                }
            }
            match (self.random.between(0, 9), &*interval) {
                (0, "10s") => self.document.set_attr(op, "interval", "10000ms"),
                (1, "10s") => self.document.set_attr(op, "interval", "PT10S"),
                (2, "20s") => self.document.set_attr(op, "interval", "20"),
                (3, "10s") => self.document.set_attr(op, "start-delay", "5s"),
                (4, "10s" | "20s") => {
                    let origin =
                        *self.random.pick(&["2026-05-28 20:00:07Z", "2027-01-01", "2026-05-28T20:26:45Z"]);
                    self.set_meta(op, "interval-origin", origin);
                    true
                }
                (5, _) => {
                    self.add_pairs(op, "instance_attributes", &[("OCF_CHECK_LEVEL", "20"), ("depth", "2")]);
                    true
                }
                (6, _) => {
                    let set = self.add_pairs(op, "meta_attributes", &[("timeout", "66s")]);
                    self.add_date_rule(set);
                    true
                }
                (7, _) => {
                    let set = self.add_pairs(op, "instance_attributes", &[("depth", "3")]);
                    self.add_node_rule(set);
                    true
                }
                _ => false,
            };
        }
    }

    /// Lets defaults stand for sets of resources and operations, and a location for another's rule, by `id-ref`.
    pub fn share_by_reference(&mut self) {
        // Where resources and operations do so, the reference forgets it: docs/deviations.md.
        for (section, owner) in [("rsc_defaults", "primitive"), ("op_defaults", "op")] {
            let is_shared = |set: Element<'_>| {
                set.is("meta_attributes") && set.parent().is_some_and(|parent| parent.is(owner))
            };
            let Some(set) = self.any_configured(is_shared) else { continue };
            let id = self.document.element(set).id().unwrap_or_default().to_owned();
            let section = self.section(section);
            self.add(section, "meta_attributes", &[("id-ref", &id)]);
        }
        let is_of_location = |rule: Element<'_>| {
            rule.is("rule") && rule.parent().is_some_and(|parent| parent.is("rsc_location"))
        };
        if let (Some(rule), Some(rsc)) = (self.any_configured(is_of_location), self.any_plain())
            && let Some(rule) = self.document.element(rule).id().map(str::to_owned)
        {
            let id = self.new_id("loc");
            let attributes = [("id", &*id), ("rsc", &*rsc)];
            let key = self.add(self.sections.constraints, "rsc_location", &attributes);
            self.add(key, "rule", &[("id-ref", &rule)]);
        }
    }
}
