//! Alterations of the configuration.

use super::{Patient, pick};
use systole_cib::xml::{Element, Key};

const RESOURCES: [&str; 5] = ["primitive", "group", "clone", "master", "bundle"];
/// Every value of `on-fail`.
pub(super) const ON_FAIL: [&str; 8] =
    ["ignore", "block", "stop", "restart", "standby", "fence", "demote", "restart-container"];
pub(super) const SCORES: [&str; 8] = ["INFINITY", "-INFINITY", "INFINITY", "0", "1", "100", "-100", "5"];

/// Class, provider and type.
const AGENTS: [(&str, &str, &str); 7] = [
    ("ocf", "pacemaker", "Stateful"),
    ("ocf", "heartbeat", "IPaddr2"),
    ("ocf", "pacemaker", "remote"),
    ("lsb", "", "apache2"),
    ("service", "", "nfs-server"),
    ("systemd", "", "sshd@tty1"),
    ("stonith", "", "fence_xvm"),
];

pub(super) fn is_resource(element: Element<'_>) -> bool {
    RESOURCES.contains(&element.name())
}

fn is_set_of_pairs(element: Element<'_>) -> bool {
    ["meta_attributes", "instance_attributes", "cluster_property_set", "utilization"]
        .contains(&element.name())
}

impl Patient<'_> {
    /// Gives a pair another value of the corpus.
    pub(super) fn change_pair(&mut self) -> Option<String> {
        let key = self.any(|element| element.is("nvpair"))?;
        let before = self.tag(key);
        let element = self.document.element(key);
        let known = (element.parent()?.name().to_owned(), element.attr("name")?.to_owned());
        let values = self.stock.pairs.get(&known)?;
        let value = pick(&mut self.random, values)?;
        self.document.set_attr(key, "value", &value);
        Some(format!("{before} with {value}"))
    }

    /// Adds a pair of the corpus: an option of the cluster, or a meta-attribute.
    pub(super) fn add_pair(&mut self) -> Option<String> {
        let set = match self.random.between(0, 2) {
            0 => self.any(|element| element.is("cluster_property_set"))?,
            1 => self.any(is_set_of_pairs)?,
            _ => self.own_meta_attributes()?,
        };
        let kind = self.document.element(set).name().to_owned();
        let names: Vec<&(String, String)> = self.stock.pairs.keys().filter(|(set, _)| *set == kind).collect();
        if names.is_empty() {
            return None;
        }
        let chosen = (*self.random.pick(&names)).clone();
        let value = pick(&mut self.random, &self.stock.pairs[&chosen])?;
        let known = self.document.element(set).children().find(|pair| pair.attr("name") == Some(&chosen.1));
        match known.map(Element::key) {
            Some(known) => {
                self.document.set_attr(known, "value", &value);
            }
            None => {
                let id = self.new_id();
                self.append(set, "nvpair", &[("id", &id), ("name", &chosen.1), ("value", &value)]);
            }
        }
        Some(format!("{} of {} {}={value}", kind, self.above(set), chosen.1))
    }

    fn above(&self, key: Key) -> String {
        let parent = self.document.element(key).parent();
        parent.and_then(Element::id).unwrap_or_default().to_owned()
    }

    /// The meta-attributes of some resource, made if it has none.
    fn own_meta_attributes(&mut self) -> Option<Key> {
        let resource = self.any(is_resource)?;
        let element = self.document.element(resource);
        if let Some(known) = element.child("meta_attributes") {
            return known.attr("id-ref").is_none().then(|| known.key());
        }
        let first = element.children().next().filter(|_| !element.is("bundle")).map(Element::key);
        let id = self.new_id();
        let set = match first {
            Some(first) => self.document.insert_before(first, "meta_attributes"),
            None => self.document.append(resource, "meta_attributes"),
        };
        self.document.set_attr(set, "id", &id);
        Some(set)
    }

    fn any_resource(&mut self) -> Option<String> {
        self.any_attribute(is_resource, "id")
    }

    /// Adds a constraint between resources that there are.
    pub(super) fn add_constraint(&mut self) -> Option<String> {
        let section = self.any(|element| element.is("constraints"))?;
        let (one, other, id) = (self.any_resource()?, self.any_resource()?, self.new_id());
        let score = *self.random.pick(&SCORES);
        let key = match self.random.between(0, 2) {
            0 => {
                let node = self.any_attribute(|element| element.is("node"), "uname")?;
                let key = self.append(section, "rsc_location", &[("id", &id), ("rsc", &one)]);
                self.document.set_attr(key, "node", &node);
                self.document.set_attr(key, "score", score);
                self.sometimes(key, "resource-discovery", &["always", "never", "exclusive"]);
                key
            }
            _ if one == other => return None,
            1 => {
                let attributes = [("id", &*id), ("rsc", &one), ("with-rsc", &other), ("score", score)];
                let key = self.append(section, "rsc_colocation", &attributes);
                self.sometimes(key, "rsc-role", &["Started", "Master", "Slave"]);
                self.sometimes(key, "with-rsc-role", &["Started", "Master", "Slave"]);
                self.sometimes(key, "influence", &["true", "false"]);
                key
            }
            _ => {
                let attributes = [("id", &*id), ("first", &one), ("then", &other)];
                let key = self.append(section, "rsc_order", &attributes);
                self.sometimes(key, "first-action", &["start", "promote", "stop", "demote"]);
                self.sometimes(key, "then-action", &["start", "promote", "stop", "demote"]);
                self.sometimes(key, "kind", &["Mandatory", "Optional", "Serialize"]);
                self.sometimes(key, "symmetrical", &["true", "false"]);
                key
            }
        };
        Some(format!("with {}", self.tag(key)))
    }

    /// Makes a clone or a group of a primitive.
    pub(super) fn wrap_primitive(&mut self) -> Option<String> {
        let primitive = self.any(|element| {
            element.is("primitive") && element.parent().is_some_and(|parent| parent.is("resources"))
        })?;
        let id = self.new_id();
        let kind = *self.random.pick(&["clone", "clone", "group"]);
        let wrapper = self.document.insert_before(primitive, kind);
        self.document.set_attr(wrapper, "id", &id);
        if kind == "clone" {
            let meta_id = self.new_id();
            let meta = self.append(wrapper, "meta_attributes", &[("id", &meta_id)]);
            for name in ["promotable", "interleave", "globally-unique", "notify", "ordered"] {
                if self.random.chance(25) {
                    let id = self.new_id();
                    self.append(meta, "nvpair", &[("id", &id), ("name", name), ("value", "true")]);
                }
            }
        }
        self.document.move_to(primitive, wrapper, None);
        let done = format!("{} in {}", self.document.element(primitive).id()?, self.tag(wrapper));
        // Constraints name the outermost.
        let inner = self.document.element(primitive).id()?.to_owned();
        for name in ["rsc", "with-rsc", "first", "then"] {
            for key in self.all(|element| element.attr(name) == Some(&*inner)) {
                self.document.set_attr(key, name, &id);
            }
        }
        for key in self.all(|element| element.is("resource_ref") && element.id() == Some(&*inner)) {
            self.document.set_attr(key, "id", &id);
        }
        Some(done)
    }

    /// Gives a primitive another agent, which the nodes' histories may know already.
    pub(super) fn change_agent(&mut self) -> Option<String> {
        let primitive = self.any(|element| element.is("primitive") && element.attr("class").is_some())?;
        let (class, provider, kind) = *self.random.pick(&AGENTS);
        let before = self.tag(primitive);
        let id = self.document.element(primitive).id()?.to_owned();
        let mut all = vec![primitive];
        if self.random.chance(70) {
            let is_of = |name: &str| name.split(':').next() == Some(&*id);
            all.extend(self.all(|element| element.is("lrm_resource") && element.id().is_some_and(is_of)));
        }
        for key in all {
            self.document.set_attr(key, "class", class);
            self.document.set_attr(key, "type", kind);
            if provider.is_empty() {
                self.document.remove_attr(key, "provider");
            } else {
                self.document.set_attr(key, "provider", provider);
            }
        }
        Some(format!("{before} as {class} {kind}"))
    }

    /// Adds a constraint with a set of resources, or two.
    pub(super) fn add_set_constraint(&mut self) -> Option<String> {
        let section = self.any(|element| element.is("constraints"))?;
        let kind = *self.random.pick(&["rsc_order", "rsc_colocation"]);
        let id = self.new_id();
        let constraint = self.append(section, kind, &[("id", &id)]);
        if kind == "rsc_colocation" {
            let score = *self.random.pick(&SCORES);
            self.document.set_attr(constraint, "score", score);
        } else {
            self.sometimes(constraint, "kind", &["Mandatory", "Optional", "Serialize"]);
        }
        let mut members = self.all(|element| {
            is_resource(element) && element.parent().is_some_and(|parent| parent.is("resources"))
        });
        let n_sets = self.random.between(1, 2);
        for _ in 0..n_sets {
            let id = self.new_id();
            let set = self.append(constraint, "resource_set", &[("id", &id)]);
            self.sometimes(set, "sequential", &["true", "false"]);
            if kind == "rsc_order" {
                self.sometimes(set, "require-all", &["true", "false"]);
                self.sometimes(set, "action", &["start", "promote", "stop", "demote"]);
            } else {
                self.sometimes(set, "role", &["Started", "Master", "Slave"]);
            }
            for _ in 0..self.random.between(1, 3) {
                if members.is_empty() {
                    break;
                }
                let at = self.random.between(0, members.len() as u64 - 1) as usize;
                let member = self.document.element(members.swap_remove(at)).id()?.to_owned();
                self.append(set, "resource_ref", &[("id", &member)]);
            }
            if self.document.element(set).children().count() == 0 {
                self.document.remove(set);
            }
        }
        if self.document.element(constraint).children().count() == 0 {
            self.document.remove(constraint);
            return None;
        }
        Some(format!("with {}", self.document.element(constraint).to_text()))
    }

    /// Makes a resource depend on a ticket.
    pub(super) fn add_ticket(&mut self) -> Option<String> {
        let section = self.any(|element| element.is("constraints"))?;
        let (id, rsc) = (self.new_id(), self.any_resource()?);
        let key = self.append(section, "rsc_ticket", &[("id", &id), ("rsc", &rsc), ("ticket", "altered")]);
        self.sometimes(key, "rsc-role", &["Started", "Master", "Slave"]);
        self.sometimes(key, "loss-policy", &["stop", "demote", "fence", "freeze"]);
        if self.random.chance(60) {
            let status = self.any(|element| element.is("status"))?;
            let tickets = self.document.element(status).child("tickets").map(Element::key);
            let tickets = tickets.unwrap_or_else(|| self.document.append(status, "tickets"));
            let granted = *self.random.pick(&["true", "false"]);
            let ticket = self.append(tickets, "ticket_state", &[("id", "altered"), ("granted", granted)]);
            self.sometimes(ticket, "standby", &["true", "false"]);
        }
        Some(format!("with {}", self.tag(key)))
    }

    /// Gives a node an attribute that keeps resources off it, or makes it another kind of node.
    pub(super) fn disturb_node(&mut self) -> Option<String> {
        let node = self.any(|element| element.is("node") && element.attr("uname").is_some())?;
        let known = self.document.element(node).child("instance_attributes").map(Element::key);
        let set = match known {
            Some(set) => set,
            None => {
                let id = self.new_id();
                self.append(node, "instance_attributes", &[("id", &id)])
            }
        };
        let (name, values): (&str, &[&str]) = *self.random.pick(&[
            ("standby", &["on", "off", "true"][..]),
            ("maintenance", &["true", "false"]),
            ("#health-disk", &["red", "yellow", "green"]),
            ("health-node", &["-10", "5"]),
        ]);
        let (id, value) = (self.new_id(), *self.random.pick(values));
        self.append(set, "nvpair", &[("id", &id), ("name", name), ("value", value)]);
        Some(format!("{} with {name}={value}", self.document.element(node).attr("uname")?))
    }

    pub(super) fn sometimes(&mut self, key: Key, name: &str, values: &[&str]) {
        if self.random.chance(30) {
            let value = *self.random.pick(values);
            self.document.set_attr(key, name, value);
        }
    }

    /// Makes a constraint name something else.
    pub(super) fn change_reference(&mut self) -> Option<String> {
        let names = ["rsc", "with-rsc", "first", "then", "node"];
        let key = self.any(|element| {
            element.parent().is_some_and(|parent| parent.is("constraints"))
                && names.iter().any(|name| element.attr(name).is_some())
        })?;
        let before = self.tag(key);
        let element = self.document.element(key);
        let has: Vec<&str> = names.into_iter().filter(|name| element.attr(name).is_some()).collect();
        let name = *self.random.pick(&has);
        let value = match name {
            "node" => self.any_attribute(|element| element.is("node"), "uname")?,
            _ => self.any_resource()?,
        };
        self.document.set_attr(key, name, &value);
        Some(format!("{before} with {name}={value}"))
    }

    /// Adds an operation to a primitive, or an option to an operation.
    pub(super) fn change_operation(&mut self) -> Option<String> {
        if self.random.chance(50)
            && let Some(op) = self.any(|element| element.is("op"))
        {
            let (name, values): (&str, &[&str]) = *self.random.pick(&[
                ("on-fail", &ON_FAIL[..]),
                ("role", &["Started", "Master", "Slave", "Stopped"][..]),
                ("enabled", &["true", "false"][..]),
                ("record-pending", &["true", "false"][..]),
                ("interval", &["0", "10s", "11s", "60s"][..]),
                ("start-delay", &["10s"][..]),
                ("timeout", &["17s"][..]),
            ]);
            let value = *self.random.pick(values);
            let before = self.tag(op);
            self.document.set_attr(op, name, value);
            return Some(format!("{before} with {name}={value}"));
        }
        let primitive = self.any(|element| element.is("primitive"))?;
        let operations = self.document.element(primitive).child("operations").map(Element::key);
        let operations = operations.unwrap_or_else(|| self.document.append(primitive, "operations"));
        let id = self.new_id();
        let task = *self.random.pick(&["monitor", "monitor", "start", "stop", "promote", "demote"]);
        let interval = if task == "monitor" { *self.random.pick(&["10s", "15s", "0"]) } else { "0" };
        let op = self.append(operations, "op", &[("id", &id), ("name", task), ("interval", interval)]);
        self.sometimes(op, "on-fail", &["ignore", "block", "stop", "standby", "fence", "demote"]);
        self.sometimes(op, "role", &["Started", "Master", "Stopped"]);
        Some(format!("{} with {}", self.document.element(primitive).id()?, self.tag(op)))
    }

    /// Puts a resource, constraint, node or the like before one of its siblings.
    pub(super) fn reorder(&mut self) -> Option<String> {
        let key = self.any(|element| {
            let parent = element.parent().map(Element::name);
            ["resources", "constraints", "nodes", "group", "status", "lrm_resources", "lrm_resource"]
                .iter()
                .any(|name| parent == Some(name))
        })?;
        let parent = self.document.element(key).parent()?;
        let siblings: Vec<Key> = parent
            .children()
            .filter(|sibling| sibling.name() == self.document.element(key).name())
            .map(Element::key)
            .collect();
        let parent = parent.key();
        let before = *self.random.pick(&siblings);
        if before == key {
            return None;
        }
        self.document.move_to(key, parent, Some(before));
        Some(format!("{} before {}", self.tag(key), self.tag(before)))
    }

    /// Changes whether there is quorum, or who is the DC.
    pub(super) fn change_root(&mut self) -> Option<String> {
        let root = self.document.root_key();
        let (name, values): (&str, &[&str]) = *self.random.pick(&[
            ("have-quorum", &["0", "1"][..]),
            ("no-quorum-panic", &["1"][..]),
            ("dc-uuid", &["1"][..]),
        ]);
        let value = *self.random.pick(values);
        self.document.set_attr(root, name, value);
        Some(format!("{name}={value}"))
    }
}
