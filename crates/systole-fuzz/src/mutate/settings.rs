//! Alterations by the language's own values: options, meta-attributes, operations, rules and states that few cases of the corpus
//! have, in their words of old and of today.

use super::{
    Patient,
    configuration::{SCORES, is_resource},
};
use crate::{NOW, generate::Table};
use systole_cib::xml::{Element, Key};

const OPTIONS: Table<'_> = &[
    ("node-health-strategy", 10, &["none", "migrate-on-red", "only-green", "progressive", "custom"]),
    ("node-health-base", 4, &["0", "100", "-10", "INFINITY"]),
    ("node-health-yellow", 3, &["-5", "5", "-INFINITY"]),
    ("concurrent-fencing", 5, &["true", "false"]),
    ("priority-fencing-delay", 6, &["15s", "0", "1min"]),
    ("shutdown-lock", 8, &["true"]),
    ("shutdown-lock-limit", 4, &["5min", "10h"]),
    ("placement-strategy", 6, &["default", "utilization", "minimal", "balanced"]),
    ("maintenance-mode", 8, &["true", "false"]),
    ("stop-all-resources", 3, &["true"]),
    ("symmetric-cluster", 5, &["false", "true"]),
    ("no-quorum-policy", 8, &["stop", "freeze", "ignore", "demote", "suicide", "fence"]),
    ("start-failure-is-fatal", 6, &["false", "true"]),
    ("startup-fencing", 5, &["false"]),
    ("enable-startup-probes", 4, &["false"]),
    ("stonith-enabled", 5, &["true", "false"]),
    ("fencing-enabled", 5, &["true", "false"]),
    ("fencing-action", 4, &["off", "reboot"]),
    ("stonith-action", 2, &["poweroff", "reboot"]),
    ("have-watchdog", 3, &["true"]),
    ("stonith-watchdog-timeout", 3, &["10", "-1", "0"]),
    ("stop-orphan-resources", 5, &["false"]),
    ("stop-orphan-actions", 5, &["false"]),
    ("stop-removed-resources", 3, &["false"]),
    ("migration-limit", 2, &["0", "1"]),
    ("node-pending-timeout", 4, &["0", "10s", "1h"]),
    ("default-resource-stickiness", 2, &["100"]),
    ("default-action-timeout", 2, &["35s"]),
    ("is-managed-default", 2, &["false"]),
];

const META: Table<'_> = &[
    ("target-role", 14, &["Started", "Stopped", "Master", "Slave", "Promoted", "Unpromoted"]),
    ("is-managed", 8, &["false", "true"]),
    ("maintenance", 6, &["true", "false"]),
    ("multiple-active", 6, &["stop_start", "stop_only", "block", "stop_unexpected"]),
    ("allow-migrate", 8, &["true", "false"]),
    ("failure-timeout", 8, &["5s", "60s", "1h", "PT10M"]),
    ("migration-threshold", 8, &["1", "2", "INFINITY", "0"]),
    ("resource-stickiness", 7, &["1", "100", "-1", "INFINITY", "-INFINITY"]),
    ("requires", 6, &["nothing", "quorum", "fencing", "unfencing"]),
    ("priority", 6, &["1", "10", "-1", "INFINITY"]),
    ("critical", 5, &["false"]),
    ("allow-unhealthy-nodes", 4, &["true"]),
    ("container-attribute-target", 2, &["host"]),
    ("restart-type", 2, &["restart"]),
    ("clone-max", 4, &["0", "1", "2", "5"]),
    ("clone-node-max", 3, &["1", "2"]),
    ("clone-min", 3, &["1", "2"]),
    ("interleave", 5, &["true", "false"]),
    ("ordered", 4, &["true", "false"]),
    ("notify", 4, &["true", "false"]),
    ("globally-unique", 3, &["true", "false"]),
    ("promotable", 3, &["true"]),
    ("promoted-max", 3, &["0", "1", "2"]),
    ("master-node-max", 2, &["1", "2"]),
];

/// In how many of so many alterations, and how it is done.
type Step<'s> = (u64, fn(&mut Patient<'s>) -> Option<String>);

impl<'s> Patient<'s> {
    const STEPS: [Step<'s>; 17] = [
        (8, Self::set_option),
        (12, Self::set_meta),
        (5, Self::set_default_by_rule),
        (12, Self::fail_as_configured),
        (3, Self::set_origin),
        (5, Self::locate_by_rule),
        (4, Self::colocate_by_attribute),
        (3, Self::place_by_capacity),
        (4, Self::share_pair),
        (8, Self::set_whole_state),
        (5, Self::lock_for_shutdown),
        (6, Self::make_pending),
        (4, Self::change_health),
        (4, Self::fence_by_priority),
        (4, Self::serialize),
        (4, Self::set_by_rule),
        (4, Self::run_twice),
    ];

    /// Sets something to one of the values that the language has for it.
    pub(super) fn set_something(&mut self) -> Option<String> {
        let total: u64 = Self::STEPS.iter().map(|(share, _)| share).sum();
        let mut at = self.random.between(0, total - 1);
        for (share, step) in Self::STEPS {
            if at < share {
                return step(self);
            }
            at -= share;
        }
        None
    }

    pub(super) fn draw_one<'t>(&mut self, table: Table<'t>) -> (&'t str, &'t str) {
        let total: u64 = table.iter().map(|(_, share, _)| share).sum();
        let mut at = self.random.between(0, total - 1);
        for (name, share, values) in table {
            if at < *share {
                return (name, *self.random.pick(values));
            }
            at -= share;
        }
        unreachable!("the shares' sum is above every number drawn")
    }

    /// When the CIB is scheduled.
    pub(super) fn now(&self) -> i64 {
        let said = self.document.root().attr("execution-date").and_then(|date| date.parse().ok());
        said.unwrap_or(NOW.0)
    }

    /// The first set of a kind that always counts, made if there is none.
    pub(super) fn set_of(&mut self, owner: Key, kind: &str) -> Key {
        let own = self.document.element(owner).children();
        let known =
            own.filter(|set| set.is(kind) && set.attr("id-ref").is_none() && set.child("rule").is_none());
        let known = known.map(Element::key).next();
        known.unwrap_or_else(|| self.new_set(owner, kind))
    }

    /// A further set of a kind.
    fn new_set(&mut self, owner: Key, kind: &str) -> Key {
        let id = self.new_id();
        let element = self.document.element(owner);
        let first = element.children().next().filter(|_| !element.is("bundle")).map(Element::key);
        let set = match first {
            Some(first) => self.document.insert_before(first, kind),
            None => self.document.append(owner, kind),
        };
        self.document.set_attr(set, "id", &id);
        set
    }

    pub(super) fn set_pair(&mut self, set: Key, name: &str, value: &str) {
        let known = self.document.element(set).children().find(|pair| pair.attr("name") == Some(name));
        match known.map(Element::key) {
            Some(known) => {
                self.document.set_attr(known, "value", value);
            }
            None => {
                let id = self.new_id();
                self.append(set, "nvpair", &[("id", &id), ("name", name), ("value", value)]);
            }
        }
    }

    pub(super) fn set_option_to(&mut self, name: &str, value: &str) -> Option<()> {
        let section = self.any(|element| element.is("crm_config"))?;
        let set = self.set_of(section, "cluster_property_set");
        self.set_pair(set, name, value);
        Some(())
    }

    fn set_option(&mut self) -> Option<String> {
        let (name, value) = self.draw_one(OPTIONS);
        self.set_option_to(name, value)?;
        Some(format!("{name}={value}"))
    }

    fn set_meta(&mut self) -> Option<String> {
        let owner = self.any(is_resource)?;
        let (name, value) = self.draw_one(META);
        let set = self.set_of(owner, "meta_attributes");
        self.set_pair(set, name, value);
        Some(format!("{} {name}={value}", self.document.element(owner).id()?))
    }

    /// Some primitive, by its agent: class, provider, type.
    fn any_agent(&mut self) -> Option<(String, Option<String>, String)> {
        let primitive = self.any(|element| element.is("primitive") && element.attr("type").is_some())?;
        let element = self.document.element(primitive);
        let own = |name| element.attr(name).map(str::to_owned);
        Some((own("class")?, own("provider"), own("type")?))
    }

    /// Defaults for what has some agent, or for some operation.
    fn set_default_by_rule(&mut self) -> Option<String> {
        let is_for_operations = self.random.chance(50);
        let name = if is_for_operations { "op_defaults" } else { "rsc_defaults" };
        let configuration = self.any(|element| element.is("configuration"))?;
        let known = self.document.element(configuration).child(name).map(Element::key);
        let section = known.unwrap_or_else(|| self.document.append(configuration, name));
        let set = self.new_set(section, "meta_attributes");
        let (id, expression) = (self.new_id(), self.new_id());
        let rule = self.append(set, "rule", &[("id", &id)]);
        self.sometimes(rule, "boolean-op", &["and", "or"]);
        let (class, provider, kind) = self.any_agent()?;
        if self.random.chance(if is_for_operations { 40 } else { 100 }) {
            let by_agent = self.append(rule, "rsc_expression", &[("id", &expression), ("class", &class)]);
            if let Some(provider) = provider.filter(|_| self.random.chance(50)) {
                self.document.set_attr(by_agent, "provider", &provider);
            }
            if self.random.chance(70) {
                self.document.set_attr(by_agent, "type", &kind);
            }
        }
        if is_for_operations {
            let id = self.new_id();
            let task = *self.random.pick(&["monitor", "start", "stop", "promote", "migrate_to"]);
            let by_operation = self.append(rule, "op_expression", &[("id", &id), ("name", task)]);
            self.sometimes(by_operation, "interval", &["0", "10s", "60s"]);
        }
        let table: Table<'_> = if is_for_operations {
            &[
                ("on-fail", 3, &["ignore", "block", "stop", "fence", "standby", "restart"]),
                ("timeout", 2, &["11s", "2min"]),
                ("record-pending", 1, &["false"]),
                ("enabled", 1, &["false"]),
            ]
        } else {
            META
        };
        let (pair, value) = self.draw_one(table);
        self.set_pair(set, pair, value);
        Some(format!("{name} with {}", self.document.element(set).to_text()))
    }

    /// When a recurring operation is to be carried out first.
    fn set_origin(&mut self) -> Option<String> {
        let op = self.any(|element| {
            element.is("op") && element.attr("interval").is_some_and(|interval| !interval.starts_with('0'))
        })?;
        let before = self.tag(op);
        self.document.remove_attr(op, "start-delay");
        self.document.remove_attr(op, "interval-origin");
        let (name, value) = self.draw_one(&[
            ("interval-origin", 3, &["2026-05-28 20:00:07Z", "2030-01-01", "2008-01-01 00:00:03"]),
            ("start-delay", 1, &["10s", "0", "INFINITY"]),
        ]);
        if self.random.chance(60) {
            self.document.set_attr(op, name, value);
        } else {
            let set = self.set_of(op, "meta_attributes");
            self.set_pair(set, name, value);
        }
        Some(format!("{before} with {name}={value}"))
    }

    /// A rule about nodes, or the date.
    fn add_rule(&mut self, owner: Key, score: Option<(&str, &str)>, may_see_node: bool) -> Key {
        let id = self.new_id();
        let first = self.document.element(owner).children().next().map(Element::key);
        let rule = match first {
            Some(first) => self.document.insert_before(first, "rule"),
            None => self.document.append(owner, "rule"),
        };
        self.document.set_attr(rule, "id", &id);
        if let Some((name, value)) = score {
            self.document.set_attr(rule, name, value);
        }
        self.sometimes(rule, "boolean-op", &["and", "or"]);
        for _ in 0..self.random.between(1, 2) {
            let id = self.new_id();
            if !may_see_node || self.random.chance(20) {
                let (operation, side) = *self.random.pick(&[("gt", "start"), ("lt", "end")]);
                let date = *self.random.pick(&["2026-05-28", "2008-01-01", "2030-01-01 00:00:00Z"]);
                self.append(rule, "date_expression", &[("id", &id), ("operation", operation), (side, date)]);
                continue;
            }
            let known = self.any(|element| element.is("nvpair") && is_of_node(element));
            let known = known.map(|pair| self.document.element(pair));
            let of = |pair: Element<'_>, name| pair.attr(name).unwrap_or_default().to_owned();
            let known = known.map(|pair| (of(pair, "name"), of(pair, "value")));
            let by_name = self
                .any_attribute(|element| element.is("node"), "uname")
                .map(|name| ("#uname".to_owned(), name));
            let known = if self.random.chance(60) { known.or(by_name) } else { by_name };
            let (attribute, value) = known.unwrap_or_default();
            let operation = *self.random.pick(&["eq", "ne", "lt", "gte", "defined", "not_defined"]);
            let expression = self.append(
                rule,
                "expression",
                &[("id", &id), ("attribute", &attribute), ("operation", operation)],
            );
            if !operation.ends_with("defined") {
                self.document.set_attr(expression, "value", &value);
                self.sometimes(expression, "type", &["string", "integer", "number", "version"]);
            }
        }
        rule
    }

    fn locate_by_rule(&mut self) -> Option<String> {
        let section = self.any(|element| element.is("constraints"))?;
        let (id, rsc) = (self.new_id(), self.any_attribute(is_resource, "id")?);
        let key = self.append(section, "rsc_location", &[("id", &id), ("rsc", &rsc)]);
        let attribute = self.any(|element| element.is("nvpair") && is_of_node(element));
        let attribute =
            attribute.and_then(|pair| self.document.element(pair).attr("name").map(str::to_owned));
        let score = *self.random.pick(&SCORES);
        let score = match attribute.filter(|_| self.random.chance(40)) {
            Some(attribute) => ("score-attribute", attribute),
            None => ("score", score.to_owned()),
        };
        let rule = self.add_rule(key, Some((score.0, &score.1)), true);
        self.sometimes(rule, "role", &["Started", "Master", "Slave", "Promoted"]);
        self.sometimes(key, "resource-discovery", &["always", "never", "exclusive"]);
        Some(format!("with {}", self.document.element(key).to_text()))
    }

    /// Nodes with their attributes, and a resource that is to be where another's node has the same.
    fn colocate_by_attribute(&mut self) -> Option<String> {
        let section = self.any(|element| element.is("constraints"))?;
        let (id, one, other) =
            (self.new_id(), self.any_attribute(is_resource, "id")?, self.any_attribute(is_resource, "id")?);
        if one == other {
            return None;
        }
        for node in self.all(|element| element.is("node") && element.attr("uname").is_some()) {
            if self.random.chance(85) {
                let set = self.set_of(node, "instance_attributes");
                let rack = *self.random.pick(&["r1", "r2"]);
                self.set_pair(set, "rack", rack);
            }
        }
        let score = *self.random.pick(&SCORES);
        let attributes = [("id", &*id), ("rsc", &one), ("with-rsc", &other), ("score", score)];
        let key = self.append(section, "rsc_colocation", &attributes);
        self.document.set_attr(key, "node-attribute", "rack");
        self.sometimes(key, "rsc-role", &["Started", "Master", "Slave"]);
        self.sometimes(key, "with-rsc-role", &["Started", "Master", "Slave"]);
        Some(format!("with {}", self.tag(key)))
    }

    fn place_by_capacity(&mut self) -> Option<String> {
        let strategy = *self.random.pick(&["utilization", "minimal", "balanced"]);
        self.set_option_to("placement-strategy", strategy)?;
        for node in self.all(|element| element.is("node") && element.attr("uname").is_some()) {
            let set = self.set_of(node, "utilization");
            let value = *self.random.pick(&["2", "4", "10"]);
            self.set_pair(set, "memory", value);
        }
        for rsc in self.all(|element| element.is("primitive")) {
            if self.random.chance(60) {
                let set = self.set_of(rsc, "utilization");
                let value = *self.random.pick(&["1", "2", "3"]);
                self.set_pair(set, "memory", value);
            }
        }
        Some(format!("placed by {strategy}"))
    }

    /// Another set has a pair by reference, sometimes under another name.
    fn share_pair(&mut self) -> Option<String> {
        let kind = *self.random.pick(&["meta_attributes", "instance_attributes"]);
        let is_of_resource = |set: Element<'_>| set.is(kind) && set.parent().is_some_and(is_resource);
        let pair = self.any(|element| {
            element.is("nvpair")
                && element.attr("id-ref").is_none()
                && element.parent().is_some_and(is_of_resource)
        })?;
        let set = self.any(|set| is_of_resource(set) && set.attr("id-ref").is_none())?;
        let element = self.document.element(pair);
        let (id, name) = (element.id()?.to_owned(), element.attr("name")?.to_owned());
        if self.document.element(set).children().any(|known| known.attr("name") == Some(&*name)) {
            return None;
        }
        let reference = self.append(set, "nvpair", &[("id-ref", &id)]);
        if kind == "instance_attributes" {
            self.sometimes(reference, "name", &["fake", "state"]);
        }
        Some(format!("{} by reference in {}", self.tag(pair), self.tag(set)))
    }

    /// Some resources that start one at a time.
    fn serialize(&mut self) -> Option<String> {
        let section = self.any(|element| element.is("constraints"))?;
        let (one, other, id) =
            (self.any_attribute(is_resource, "id")?, self.any_attribute(is_resource, "id")?, self.new_id());
        if one == other {
            return None;
        }
        let kind = *self.random.pick(&["Serialize", "Serialize", "Optional"]);
        let key = if self.random.chance(50) {
            let attributes = [("id", &*id), ("first", &one), ("then", &other), ("kind", kind)];
            self.append(section, "rsc_order", &attributes)
        } else {
            let key = self.append(section, "rsc_order", &[("id", &id), ("kind", kind)]);
            let set = self.new_id();
            let set = self.append(key, "resource_set", &[("id", &set)]);
            self.sometimes(set, "sequential", &["false"]);
            for name in [one, other] {
                self.append(set, "resource_ref", &[("id", &name)]);
            }
            key
        };
        self.sometimes(key, "symmetrical", &["false"]);
        Some(format!("with {}", self.document.element(key).to_text()))
    }

    /// A set of pairs that counts by a rule.
    fn set_by_rule(&mut self) -> Option<String> {
        let owner = self.any(is_resource)?;
        let is_primitive = self.document.element(owner).is("primitive");
        let has_parameters = is_primitive && self.random.chance(50);
        let kind = if has_parameters { "instance_attributes" } else { "meta_attributes" };
        let set = self.new_set(owner, kind);
        let (name, value) = match has_parameters {
            true => self.draw_one(&[("fake", 1, &["1", "2"]), ("state", 1, &["/run/s"])]),
            false => self.draw_one(META),
        };
        self.set_pair(set, name, value);
        self.sometimes(set, "score", &["1", "-1", "INFINITY"]);
        self.add_rule(set, None, has_parameters);
        Some(format!("{} with {}", self.document.element(owner).id()?, self.document.element(set).to_text()))
    }
}

/// Whether a pair is an attribute of a node, permanent or transient.
fn is_of_node(pair: Element<'_>) -> bool {
    let owner = pair.parent().and_then(Element::parent);
    owner.is_some_and(|owner| owner.is("node") || owner.is("transient_attributes"))
}
