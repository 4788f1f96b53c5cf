//! Rules: on node attributes, dates, resources and operations.

use super::sketch::{Sketch, Theme};
use systole_cib::xml::Key;

/// Around [`crate::NOW`], which is 2026-05-28 20:26:40, a Thursday.
const MOMENTS: [&str; 10] = [
    "2026-05-28",
    "2026-05-28 20:26:40Z",
    "2026-05-28 20:26:41Z",
    "2026-05-28T20:30:00Z",
    "2026-05-27 12:00:00Z",
    "2026-148",
    "2026-W22-4",
    "2025-01-01",
    "2026-06-01 00:00:00Z",
    "2026-05-28 22:26:40+02:00",
];

const DATE_SPEC: [(&str, &[&str]); 8] = [
    ("years", &["2026", "2025-2027", "2027", "2026-"]),
    ("months", &["5", "1-6", "6-12", "-5"]),
    ("monthdays", &["28", "1-27", "20-31"]),
    ("hours", &["20", "9-17", "18-23", "20-20"]),
    ("minutes", &["26", "0-30", "30-59"]),
    ("weekdays", &["4", "1-5", "6-7"]),
    ("yeardays", &["148", "1-100"]),
    ("weeks", &["22", "1-21"]),
];

const DURATION: [(&str, &[&str]); 7] = [
    ("years", &["1"]),
    ("months", &["1", "13"]),
    ("weeks", &["1"]),
    ("days", &["1", "400"]),
    ("hours", &["1", "23"]),
    ("minutes", &["5"]),
    ("seconds", &["30", "100000"]),
];

const ATTRIBUTES: [&str; 5] = ["rack", "zone", "size", "#uname", "#kind"];
const VALUES: [&str; 9] = ["r1", "r2", "1", "5", "10", "1.5", "node1", "cluster", "1.0.3"];

impl Sketch {
    /// A rule for a location constraint, with its score.
    pub fn add_location_rule(&mut self, parent: Key, is_promotable: bool) {
        if self.is_about(Theme::References) && self.random.chance(30) {
            let constraints = self.document.element(self.sections.constraints);
            let known = constraints.descendants().filter(|element| element.is("rule"));
            let known = known.filter(|rule| rule.parent().is_some_and(|parent| parent.is("rsc_location")));
            let ids: Vec<String> = known.filter_map(|rule| rule.id().map(str::to_owned)).collect();
            if !ids.is_empty() {
                let id = self.random.pick(&ids).clone();
                self.add(parent, "rule", &[("id-ref", &id)]);
                return;
            }
        }
        let rule = self.start_rule(parent);
        if is_promotable && self.random.chance(30) {
            let role = *self.random.pick(&["Promoted", "Unpromoted", "Started"]);
            self.document.set_attr(rule, "role", role);
        }
        match self.random.between(0, 9) {
            0 => {
                self.document.set_attr(rule, "score-attribute", "size");
            }
            _ => {
                let scores = ["INFINITY", "-INFINITY", "10", "100", "-100", "0", "1"];
                let score = *self.random.pick(&scores);
                self.document.set_attr(rule, "score", score);
            }
        }
        self.add_terms(rule, 2, true);
    }

    /// A rule for instance attributes, which may look at the node.
    pub fn add_node_rule(&mut self, parent: Key) {
        let rule = self.start_rule(parent);
        self.add_terms(rule, 1, true);
    }

    /// A rule for what may look at the date only.
    pub fn add_date_rule(&mut self, parent: Key) {
        let rule = self.start_rule(parent);
        self.add_terms(rule, 0, false);
    }

    /// A rule for defaults of resources or operations.
    pub fn add_defaults_rule(&mut self, parent: Key, is_for_operations: bool) {
        let rule = self.start_rule(parent);
        let n_terms = self.random.between(1, 2);
        for _ in 0..n_terms {
            match self.random.between(0, 3) {
                0 => self.add_date(rule),
                1 if is_for_operations => {
                    let id = self.new_id("expr");
                    let name = *self.random.pick(&["monitor", "start", "stop", "promote"]);
                    let expression = self.add(rule, "op_expression", &[("id", &id), ("name", name)]);
                    if self.random.chance(30) {
                        let interval = *self.random.pick(&["10s", "0", "20s"]);
                        self.document.set_attr(expression, "interval", interval);
                    }
                }
                _ => self.add_rsc_expression(rule),
            }
        }
    }

    fn add_rsc_expression(&mut self, rule: Key) {
        let id = self.new_id("expr");
        let expression = self.add(rule, "rsc_expression", &[("id", &id)]);
        let parts = self.draw(&[
            ("class", 60, &["ocf", "systemd", "stonith"]),
            ("provider", 40, &["pacemaker", "heartbeat"]),
            ("type", 40, &["Dummy", "Stateful", "remote", "IPaddr2"]),
        ]);
        for (name, value) in parts {
            self.document.set_attr(expression, name, value);
        }
    }

    fn start_rule(&mut self, parent: Key) -> Key {
        let id = self.new_id("rule");
        // A set's rule comes before its pairs.
        let first = self.document.element(parent).children().find(|child| child.is("nvpair"));
        let rule = match first.map(|child| child.key()) {
            Some(first) => self.document.insert_before(first, "rule"),
            None => self.document.append(parent, "rule"),
        };
        self.document.set_attr(rule, "id", &id);
        if self.random.chance(50) {
            let operator = *self.random.pick(&["and", "or"]);
            self.document.set_attr(rule, "boolean-op", operator);
        }
        rule
    }

    fn add_terms(&mut self, rule: Key, depth: u32, may_see_node: bool) {
        let n_terms = self.random.between(1, 3);
        for _ in 0..n_terms {
            if depth > 0 && self.random.chance(15) {
                let inner = self.start_rule(rule);
                self.add_terms(inner, depth - 1, may_see_node);
            } else if !may_see_node || self.chance_if(Theme::Dates, 50, 5) {
                self.add_date(rule);
            } else {
                self.add_expression(rule);
            }
        }
    }

    fn add_expression(&mut self, rule: Key) {
        let id = self.new_id("expr");
        let attribute = *self.random.pick(&ATTRIBUTES);
        let operations = ["eq", "ne", "lt", "gt", "lte", "gte", "defined", "not_defined", "eq", "eq"];
        let operation = *self.random.pick(&operations);
        let attributes = [("id", &*id), ("attribute", attribute), ("operation", operation)];
        let expression = self.add(rule, "expression", &attributes);
        if !operation.ends_with("defined") {
            let value = *self.random.pick(&VALUES);
            self.document.set_attr(expression, "value", value);
        }
        if self.random.chance(30) {
            let kind = *self.random.pick(&["string", "integer", "number", "version"]);
            self.document.set_attr(expression, "type", kind);
        }
        if self.random.chance(12) && !operation.ends_with("defined") {
            let source = *self.random.pick(&["literal", "param", "meta"]);
            self.document.set_attr(expression, "value-source", source);
            if source != "literal" {
                let value = *self.random.pick(&["state", "fake", "priority", "target-role"]);
                self.document.set_attr(expression, "value", value);
            }
        }
    }

    fn add_date(&mut self, rule: Key) {
        let id = self.new_id("date");
        let date = self.add(rule, "date_expression", &[("id", &id)]);
        let operation = *self.random.pick(&["in_range", "in_range", "gt", "lt", "date_spec"]);
        self.document.set_attr(date, "operation", operation);
        let (from, to) = (*self.random.pick(&MOMENTS), *self.random.pick(&MOMENTS));
        match operation {
            "gt" => {
                self.document.set_attr(date, "start", from);
            }
            "lt" => {
                self.document.set_attr(date, "end", to);
            }
            "date_spec" => self.add_date_parts(date, "date_spec", &DATE_SPEC, 35),
            _ => match self.random.between(0, 3) {
                0 => {
                    self.document.set_attr(date, "end", to);
                }
                1 => {
                    self.document.set_attr(date, "start", from);
                    self.add_date_parts(date, "duration", &DURATION, 30);
                }
                _ => {
                    self.document.set_attr(date, "start", from);
                    self.document.set_attr(date, "end", to);
                }
            },
        }
    }

    fn add_date_parts(&mut self, date: Key, name: &str, table: &[(&str, &[&str])], percent: u64) {
        let id = self.new_id("parts");
        let key = self.add(date, name, &[("id", &id)]);
        for (part, values) in table {
            if self.random.chance(percent) {
                let value = *self.random.pick(values);
                self.document.set_attr(key, part, value);
            }
        }
    }
}
