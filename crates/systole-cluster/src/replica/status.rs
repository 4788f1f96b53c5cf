//! Edits of the status section, as Pacemaker writes it.

use super::Place;
use crate::message::{NodeUpdate, Standing};
use std::sync::Arc;
use systole_cib::{
    history::{self, History},
    model::{Agent, HistoryEntry, RecordedOp, Verified, Writer},
    xml::{Document, Element, Key},
};
use systole_scheduler::status::recorded_digest;
use systole_types::{NodeId, NodeUuid, OcfRc, OpStatus, ResourceId, Timestamp, TransitionMagic};
use systole_wire::{
    EXECUTOR_ATTRIBUTE, EXECUTOR_AWAY,
    exec::{Digest, Operation, OperationResult},
};

/// The result code of an operation that has none yet.
const RC_PENDING: i32 = 193;

/// How the id of the set of attributes ends by which a node is shown to be without executor.
const MARK_SUFFIX: &str = "-executor-is-away";

/// Whether a set of transient attributes is the cluster's own mark of a node without executor, and nobody's to change.
pub(super) fn is_mark(set: &Element<'_>) -> bool {
    set.id().is_some_and(is_id_of_mark)
}

/// Whether a set of that id would be taken for such a mark.
pub(crate) fn is_id_of_mark(id: &str) -> bool {
    id.ends_with(MARK_SUFFIX)
}

/// The status section of a CIB, for changing it.
pub(super) struct Status<'d> {
    document: &'d mut Document,
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

    /// The state of a node whose history is written.
    fn node_of(&mut self, place: &Place) -> Key {
        if place.id == place.name {
            self.set_remote(&place.name, &[]);
        }
        self.node(&place.id, &place.name)
    }

    pub fn find_resource(&self, node: &str, resource: &str) -> Option<Key> {
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
            Standing::Member | Standing::Stranded => ["true", "online", "member", "member"],
            Standing::Pending => ["true", "offline", "pending", expected],
            Standing::Lost => ["false", "offline", "down", expected],
            Standing::Off => ["false", "offline", "down", "down"],
        };
        self.set_all(key, &[("in_ccm", in_ccm), ("crmd", crmd), ("join", join), ("expected", expected)]);
        self.show_absence(key, update);
    }

    /// Shows that a node's executor is away, in a form that every tool and every Pacemaker understands: it is in maintenance, and has
    /// an attribute that says why. The set is the cluster's own; no tool's change of attributes touches it.
    fn show_absence(&mut self, state: Key, update: &NodeUpdate) {
        let id = update.id.to_string();
        let set_id = format!("status-{id}{MARK_SUFFIX}");
        let present = self.document.element(state).child("transient_attributes");
        let mark = present.and_then(|attributes| attributes.children().find(is_mark)).map(Element::key);
        match (update.standing, mark) {
            (Standing::Stranded, None) => {
                let attributes = self.child(state, "transient_attributes");
                self.document.set_attr(attributes, "id", &id);
                let set = self.document.append(attributes, "instance_attributes");
                self.set_all(set, &[("id", &set_id), ("score", "INFINITY")]);
                for (name, value) in [("maintenance", "true"), (EXECUTOR_ATTRIBUTE, EXECUTOR_AWAY)] {
                    let pair = self.document.append(set, "nvpair");
                    self.set_all(
                        pair,
                        &[("id", &format!("{set_id}-{name}")), ("name", name), ("value", value)],
                    );
                }
            }
            (Standing::Stranded, Some(_)) | (_, None) => {}
            (_, Some(mark)) => self.document.remove(mark),
        }
    }

    /// Has a node's mark say this, if it has one: that the executor is away, or that the node has left with what it runs.
    pub fn mark(&mut self, node: &str, value: &str) {
        let state = self.find_node(node).map(|key| self.document.element(key));
        let attributes = state.and_then(|state| state.child("transient_attributes"));
        let mark = attributes.and_then(|attributes| attributes.children().find(is_mark));
        let mut pairs = mark.into_iter().flat_map(Element::children);
        let reason = pairs.find(|pair| pair.attr("name") == Some(EXECUTOR_ATTRIBUTE)).map(Element::key);
        if let Some(reason) = reason {
            self.document.set_attr(reason, "value", value);
        }
    }

    /// Takes all such marks away.
    pub fn remove_marks(&mut self) {
        let status = self.document.root().child("status").into_iter();
        let attributes = status
            .flat_map(|status| status.children_named("node_state"))
            .filter_map(|state| state.child("transient_attributes"));
        let sets = attributes.flat_map(Element::children);
        let marks: Vec<Key> = sets.filter(is_mark).map(Element::key).collect();
        for mark in marks {
            self.document.remove(mark);
        }
    }

    /// Writes down something about a remote or guest node.
    pub fn set_remote(&mut self, name: &str, pairs: &[(&str, &str)]) {
        let key = self.node(name, name);
        self.set_all(key, &[("remote_node", "true")]);
        self.set_all(key, pairs);
    }

    /// Forgets a node's transient attributes.
    pub fn erase_attributes(&mut self, node: &str) {
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

    /// Forgets what was done on a node to other resources than `kept`.
    pub fn erase_history_except(&mut self, node: &str, kept: &[String]) {
        if kept.is_empty() {
            return self.erase_history(node);
        }
        let resources = self.find_node(node).and_then(|key| {
            self.document.element(key).child("lrm")?.child("lrm_resources").map(Element::key)
        });
        let entries = resources.into_iter().flat_map(|key| self.document.element(key).children());
        let is_kept = |id: &str| kept.iter().any(|name| name == id);
        let others: Vec<Key> =
            entries.filter(|entry| !entry.id().is_some_and(is_kept)).map(Element::key).collect();
        for key in others {
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

    /// Writes down that an operation was asked for on a node. One that recurs is written down with its first result.
    pub fn record_pending(&mut self, place: &Place, operation: &Operation, feature_set: &str) {
        if operation.interval_ms == 0
            && let Some(entry) = entry(&place.name, operation, feature_set)
        {
            self.node_of(place);
            history::record(self.document, &history_of(&place.id, operation), &entry);
        }
    }

    /// Writes down the result of an operation on a node. Recurring operations end where the state changes.
    pub fn record(&mut self, place: &Place, result: &OperationResult, feature_set: &str) {
        let operation = &result.operation;
        let Some(pending) = entry(&place.name, operation, feature_set) else { return };
        let (rc, status) = (OcfRc::from_code(result.rc), OpStatus::from_code(result.status));
        let entry = HistoryEntry {
            rc,
            status,
            call_id: Some(i64::try_from(operation.call).unwrap_or(-1)),
            magic: pending.magic.clone().map(|magic| TransitionMagic { rc, status, ..magic }),
            exit_reason: Some(result.exit_reason.as_str().into()),
            last_rc_change: Some(Timestamp(result.at)),
            exec_time_ms: Some(result.exec_ms),
            queue_time_ms: Some(result.queue_ms),
            ..pending
        };
        self.node_of(place);
        history::record(self.document, &history_of(&place.id, operation), &entry);
        if let Some(key) =
            self.find_resource(&place.name, &operation.resource).filter(|_| changes_state(operation))
        {
            self.erase_recurring(key);
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

    /// Sets a transient attribute, in a set of that id or the usual one, or removes it. Whether that made a difference.
    pub fn set_attribute(
        &mut self,
        place: &Place,
        set: Option<&str>,
        name: &str,
        value: Option<&str>,
    ) -> bool {
        let Some(value) = value else {
            return self.remove_attributes(&place.name, |attribute| attribute == name);
        };
        if let Some(pair) = self.find_attribute(&place.name, name) {
            return self.document.set_attr(pair, "value", value);
        }
        let state = self.node_of(place);
        let attributes = self.child(state, "transient_attributes");
        self.document.set_attr(attributes, "id", &place.id);
        let set_id = set.map_or_else(|| format!("status-{}", place.id), str::to_owned);
        let set = self.child_with_id(attributes, "instance_attributes", &set_id);
        let pair = self.document.append(set, "nvpair");
        self.set_all(
            pair,
            &[("id", &history::sanitized(&format!("{set_id}-{name}"))), ("name", name), ("value", value)],
        );
        true
    }

    fn find_attribute(&self, node: &str, name: &str) -> Option<Key> {
        let attributes = self.document.element(self.find_node(node)?).child("transient_attributes")?;
        let sets = attributes.children_named("instance_attributes").filter(|set| !is_mark(set));
        let mut pairs = sets.flat_map(|set| set.children_named("nvpair"));
        pairs.find(|pair| pair.attr("name") == Some(name)).map(Element::key)
    }

    /// Removes the transient attributes of a node that are `unwanted`. Whether there were any.
    pub fn remove_attributes(&mut self, node: &str, unwanted: impl Fn(&str) -> bool) -> bool {
        let Some(state) = self.find_node(node) else { return false };
        let Some(attributes) = self.document.element(state).child("transient_attributes") else {
            return false;
        };
        let sets = attributes.children_named("instance_attributes").filter(|set| !is_mark(set));
        let pairs = sets.flat_map(|set| set.children_named("nvpair"));
        let gone: Vec<Key> =
            pairs.filter(|pair| pair.attr("name").is_some_and(&unwanted)).map(Element::key).collect();
        for key in &gone {
            self.document.remove(*key);
        }
        !gone.is_empty()
    }
}

/// Whose history an operation belongs to.
fn history_of(id: &str, operation: &Operation) -> History {
    let container = operation.parameters.get("CRM_meta_container").map(ResourceId::new);
    History {
        node: NodeUuid::new(id),
        resource: ResourceId::new(&operation.resource),
        agent: Agent {
            class: operation.class.as_str().into(),
            provider: operation.provider.as_deref().map(Into::into),
            kind: operation.agent.as_str().into(),
        },
        container,
    }
}

/// An operation as it is written down until it has a result; `None` if its keys are not those of an operation.
fn entry(node: &str, operation: &Operation, feature_set: &str) -> Option<HistoryEntry> {
    let migration = |name: &str| operation.parameters.get(name).map(NodeId::new);
    let (rc, status) = (OcfRc::from_code(RC_PENDING), OpStatus::Pending);
    let parameters = operation.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let op = RecordedOp {
        id: "".into(),
        key: operation.key.parse().ok()?,
        has_key: true,
        task: operation.operation.as_str().into(),
        interval_ms: operation.interval_ms,
        digest_all: Some(recorded_digest(parameters, operation.interval_ms > 0).into()),
        digest_restart: operation.digests.restart.as_ref().map(recorded),
        digest_secure: operation.digests.secure.as_ref().map(recorded),
        migrate_source: migration("CRM_meta_migrate_source"),
        migrate_target: migration("CRM_meta_migrate_target"),
    };
    let by = Writer { on_node: Some(NodeId::new(node)), feature_set: Some(feature_set.into()), origin: None };
    Some(HistoryEntry {
        op: op.into(),
        by: by.into(),
        call_id: Some(-1),
        rc,
        status,
        magic: Some(TransitionMagic { status, rc, key: operation.transition_key.parse().ok()? }),
        is_magic_written: true,
        exit_reason: None,
        last_rc_change: None,
        exec_time_ms: None,
        queue_time_ms: None,
        verified: Verified::default(),
    })
}

/// A digest as histories have it.
fn recorded(digest: &Digest) -> (Option<Arc<str>>, Arc<str>) {
    (Some(digest.names.as_str().into()), digest.digest.as_str().into())
}

fn changes_state(operation: &Operation) -> bool {
    operation.interval_ms == 0 && !matches!(operation.operation.as_str(), "monitor" | "asyncmon" | "notify")
}
