//! Edits of the status section, as Pacemaker writes it.

use crate::message::{AttributeValue, NodeUpdate, Standing};
use systole_cib::xml::{Document, Element, Key};
use systole_types::Score;
use systole_wire::exec::{Operation, OperationResult};

/// The result code of an operation that has none yet.
const RC_PENDING: i32 = 193;
/// The status of an operation that has no result yet.
const STATUS_PENDING: i32 = -1;

/// The status section of a CIB, for changing it.
pub(super) struct Status<'d> {
    document: &'d mut Document,
}

/// How an operation is written down.
pub(super) struct Entry<'o> {
    pub operation: &'o Operation,
    pub rc: i32,
    pub status: i32,
    pub exit_reason: &'o str,
    pub at: i64,
    pub exec_ms: u64,
    pub queue_ms: u64,
    /// −1 while it is not known.
    pub call: i64,
}

impl<'o> Entry<'o> {
    pub fn pending(operation: &'o Operation) -> Self {
        let (rc, status) = (RC_PENDING, STATUS_PENDING);
        Self { operation, rc, status, exit_reason: "", at: 0, exec_ms: 0, queue_ms: 0, call: -1 }
    }

    pub fn of(result: &'o OperationResult) -> Self {
        Self {
            operation: &result.operation,
            rc: result.rc,
            status: result.status,
            exit_reason: &result.exit_reason,
            at: result.at,
            exec_ms: result.exec_ms,
            queue_ms: result.queue_ms,
            call: i64::try_from(result.operation.call).unwrap_or(-1),
        }
    }
}

impl<'d> Status<'d> {
    pub fn of(document: &'d mut Document) -> Self {
        Self { document }
    }

    fn section(&mut self) -> Key {
        let root = self.document.root_key();
        self.child(root, "status")
    }

    /// The first child with this name, made if there is none.
    fn child(&mut self, parent: Key, name: &str) -> Key {
        let found = self.document.element(parent).child(name).map(Element::key);
        found.unwrap_or_else(|| self.document.append(parent, name))
    }

    /// The child with this name and id, made if there is none.
    fn child_with_id(&mut self, parent: Key, name: &str, id: &str) -> Key {
        let found = self.document.element(parent).children_named(name).find(|child| child.id() == Some(id));
        if let Some(key) = found.map(Element::key) {
            return key;
        }
        let key = self.document.append(parent, name);
        self.document.set_attr(key, "id", id);
        key
    }

    fn find_node(&self, node: &str) -> Option<Key> {
        let section = self.document.root().child("status")?;
        section.children_named("node_state").find(|state| state.attr("uname") == Some(node)).map(Element::key)
    }

    fn node(&mut self, id: &str, name: &str) -> Key {
        if let Some(key) = self.find_node(name) {
            return key;
        }
        let section = self.section();
        let key = self.child_with_id(section, "node_state", id);
        self.document.set_attr(key, "uname", name);
        key
    }

    fn find_resource(&self, node: &str, resource: &str) -> Option<Key> {
        let state = self.document.element(self.find_node(node)?);
        let resources = state.child("lrm")?.child("lrm_resources")?;
        resources.children_named("lrm_resource").find(|entry| entry.id() == Some(resource)).map(Element::key)
    }

    fn set_all(&mut self, key: Key, pairs: &[(&str, &str)]) {
        for (name, value) in pairs {
            self.document.set_attr(key, name, value);
        }
    }

    /// Writes down how a node stands.
    pub fn stand(&mut self, update: &NodeUpdate) {
        let key = self.node(&update.id.to_string(), &update.name);
        let was_expected = self.document.element(key).attr("expected").map(str::to_owned);
        let expected = was_expected.as_deref().unwrap_or("down");
        let [in_ccm, crmd, join, expected] = match update.standing {
            Standing::Member => ["true", "online", "member", "member"],
            Standing::Pending => ["true", "offline", "pending", expected],
            Standing::Lost => ["false", "offline", "down", expected],
            Standing::Off => ["false", "offline", "down", "down"],
        };
        self.set_all(key, &[("in_ccm", in_ccm), ("crmd", crmd), ("join", join), ("expected", expected)]);
    }

    /// Forgets all that is known of a node but its state.
    pub fn erase_node(&mut self, node: &str) {
        self.erase_history(node);
        let attributes =
            self.find_node(node).and_then(|key| self.document.element(key).child("transient_attributes"));
        if let Some(key) = attributes.map(Element::key) {
            self.document.remove(key);
        }
    }

    /// Forgets what was done on a node.
    pub fn erase_history(&mut self, node: &str) {
        let history = self.find_node(node).and_then(|key| self.document.element(key).child("lrm"));
        if let Some(key) = history.map(Element::key) {
            self.document.remove(key);
        }
    }

    /// Forgets what was done to one resource on a node. Whether there was anything.
    pub fn erase_resource(&mut self, node: &str, resource: &str) -> bool {
        let found = self.find_resource(node, resource);
        found.inspect(|key| self.document.remove(*key)).is_some()
    }

    /// Forgets the last failure of a resource on a node, if it was of this operation (of any, if `None`).
    pub fn erase_last_failure(&mut self, node: &str, resource: &str, operation_key: Option<&str>) {
        let id = format!("{resource}_last_failure_0");
        let entry = self.find_resource(node, resource).and_then(|key| {
            let entries = self.document.element(key).children_named("lrm_rsc_op");
            let mut of_it = entries
                .filter(|entry| operation_key.is_none_or(|key| entry.attr("operation_key") == Some(key)));
            of_it.find(|entry| entry.id() == Some(&id)).map(Element::key)
        });
        if let Some(key) = entry {
            self.document.remove(key);
        }
    }

    /// Forgets a recurring operation of a node. Whether there was one.
    pub fn erase_operation(&mut self, node: &str, resource: &str, operation_key: &str) -> bool {
        let entry = self.find_resource(node, resource).and_then(|key| {
            let is_it = |entry: &Element<'_>| entry.id() == Some(operation_key);
            self.document.element(key).children_named("lrm_rsc_op").find(is_it).map(Element::key)
        });
        entry.inspect(|key| self.document.remove(*key)).is_some()
    }

    /// Writes down an operation of `resource` on a node: the result of what was done last, of each recurring
    /// operation, and of the last failure each have an entry of their own.
    pub fn record(&mut self, id: &str, node: &str, entry: &Entry<'_>) {
        let operation = entry.operation;
        let is_pending = entry.status == STATUS_PENDING;
        let state = self.node(id, node);
        let lrm = self.child(state, "lrm");
        self.document.set_attr(lrm, "id", id);
        let resources = self.child(lrm, "lrm_resources");
        let resource = self.child_with_id(resources, "lrm_resource", &operation.resource);
        self.set_all(resource, &[("class", &operation.class), ("type", &operation.agent)]);
        match &operation.provider {
            Some(provider) => self.document.set_attr(resource, "provider", provider),
            None => self.document.remove_attr(resource, "provider"),
        };
        if let Some(container) = operation.parameters.get("CRM_meta_container") {
            self.document.set_attr(resource, "container", container);
        }
        if !is_pending && changes_state(operation) {
            self.erase_recurring(resource);
        }
        let name = &operation.resource;
        let failed = !is_pending && is_failure(entry);
        if failed {
            self.write_entry(resource, &format!("{name}_last_failure_0"), node, entry);
        }
        match operation.interval_ms {
            0 => self.write_entry(resource, &format!("{name}_last_0"), node, entry),
            // The entry of a recurring operation keeps its last success.
            _ if failed || is_pending => {}
            _ => self.write_entry(resource, &operation.key, node, entry),
        }
    }

    fn erase_recurring(&mut self, resource: Key) {
        let entries = self.document.element(resource).children_named("lrm_rsc_op");
        let is_recurring = |entry: &Element<'_>| {
            entry.attr("interval") != Some("0")
                && !entry.id().is_some_and(|id| id.ends_with("_last_failure_0"))
        };
        let recurring: Vec<Key> = entries.filter(is_recurring).map(Element::key).collect();
        for key in recurring {
            self.document.remove(key);
        }
    }

    fn write_entry(&mut self, resource: Key, id: &str, node: &str, entry: &Entry<'_>) {
        let key = self.child_with_id(resource, "lrm_rsc_op", id);
        let operation = entry.operation;
        let magic = format!("{}:{};{}", entry.status, entry.rc, operation.transition_key);
        let at = entry.at.to_string();
        self.set_all(
            key,
            &[
                ("operation_key", &operation.key),
                ("operation", &operation.operation),
                ("crm_feature_set", super::FEATURE_SET),
                ("transition-key", &operation.transition_key),
                ("transition-magic", &magic),
                ("exit-reason", entry.exit_reason),
                ("on_node", node),
                ("call-id", &entry.call.to_string()),
                ("rc-code", &entry.rc.to_string()),
                ("op-status", &entry.status.to_string()),
                ("interval", &operation.interval_ms.to_string()),
                ("last-rc-change", &at),
                ("exec-time", &entry.exec_ms.to_string()),
                ("queue-time", &entry.queue_ms.to_string()),
            ],
        );
        for (parameter, attribute) in
            [("CRM_meta_migrate_source", "migrate_source"), ("CRM_meta_migrate_target", "migrate_target")]
        {
            if let Some(value) = operation.parameters.get(parameter) {
                self.document.set_attr(key, attribute, value);
            }
        }
    }

    /// Changes a transient attribute. Whether that made a difference.
    pub fn set_attribute(&mut self, id: &str, node: &str, name: &str, to: &AttributeValue) -> bool {
        if *to == AttributeValue::Remove {
            return self.remove_attributes(node, |attribute| attribute == name);
        }
        let state = self.node(id, node);
        let attributes = self.child(state, "transient_attributes");
        self.document.set_attr(attributes, "id", id);
        let set = self.child_with_id(attributes, "instance_attributes", &format!("status-{id}"));
        let pair =
            self.document.element(set).children_named("nvpair").find(|pair| pair.attr("name") == Some(name));
        let old = pair.and_then(|pair| pair.attr("value")).map(str::to_owned);
        let pair = pair.map(Element::key);
        let value = match to {
            AttributeValue::Increment => {
                let old: Score = old.as_deref().and_then(|old| old.parse().ok()).unwrap_or(Score::finite(0));
                (old + Score::finite(1)).to_string()
            }
            AttributeValue::Set(value) => value.clone(),
            AttributeValue::Remove => return false,
        };
        let pair = pair.unwrap_or_else(|| self.document.append(set, "nvpair"));
        self.set_all(pair, &[("id", &format!("status-{id}-{name}")), ("name", name), ("value", &value)]);
        old.as_ref() != Some(&value)
    }

    /// Removes the transient attributes of a node that are `unwanted`. Whether there were any.
    pub fn remove_attributes(&mut self, node: &str, unwanted: impl Fn(&str) -> bool) -> bool {
        let Some(state) = self.find_node(node) else { return false };
        let Some(attributes) = self.document.element(state).child("transient_attributes") else {
            return false;
        };
        let sets = attributes.children_named("instance_attributes");
        let pairs = sets.flat_map(|set| set.children_named("nvpair"));
        let gone: Vec<Key> =
            pairs.filter(|pair| pair.attr("name").is_some_and(&unwanted)).map(Element::key).collect();
        for key in &gone {
            self.document.remove(*key);
        }
        !gone.is_empty()
    }
}

/// Whether a result is not the one its transition key asked for. A cancelled operation did not fail.
fn is_failure(entry: &Entry<'_>) -> bool {
    let target =
        entry.operation.transition_key.split(':').nth(2).and_then(|text| text.parse().ok()).unwrap_or(0);
    !super::is_success(entry.status, entry.rc, target)
}

fn changes_state(operation: &Operation) -> bool {
    operation.interval_ms == 0 && !matches!(operation.operation.as_str(), "monitor" | "notify")
}
