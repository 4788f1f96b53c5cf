//! `<lrm_rsc_op>`s.

use super::{child, child_with_id, find_node_state, node_state, put};
use crate::{
    model::{Agent, HistoryEntry, RecordedOp},
    read::parse_bool,
    xml::{Document, Element, Key},
};
use std::{borrow::Cow, sync::Arc, time::Duration};
use systole_types::{NodeUuid, OcfRc, OpStatus, OperationKey, ResourceId, TransitionMagic};

/// Whose history an operation belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// The node it was done on.
    pub node: NodeUuid,
    /// The instance, as `<lrm_resource>` names it.
    pub resource: ResourceId,
    /// The agent that did it.
    pub agent: Agent,
    /// The resource that contains this guest connection.
    pub container: Option<ResourceId>,
}

/// Records the result of an operation.
///
/// `entry.op.id` does not count: a success goes to `RSC_last_0`, or to the recurring operation's own entry; a failure to
/// `RSC_last_failure_0`, and to `RSC_last_0` unless it recurs; migrations and notifications have entries of their own.
/// What counts as failure follows from `entry.status`, and from the result expected by `entry.magic`. A reload is
/// recorded as a start or, if it failed, as a monitor; a notification as a success.
/// Source: Pacemaker 3.0.2's behaviour.
pub fn record(document: &mut Document, history: &History, entry: &HistoryEntry) -> bool {
    let entry = remapped(entry);
    let resource = lrm_resource(document, history);
    let exit_reason = entry.exit_reason.as_deref().filter(|_| is_failure(&entry)).unwrap_or("");
    let mut changed = false;
    for id in ids(&entry) {
        let op = child_with_id(document, resource, "lrm_rsc_op", &id);
        changed |= write(document, op, &entry, exit_reason);
    }
    changed
}

/// A reload under the name of what it amounts to; a notification, whose failure has no consequence, as a success.
fn remapped(entry: &HistoryEntry) -> Cow<'_, HistoryEntry> {
    let is_done = entry.status == OpStatus::Done;
    match &*entry.op.task {
        "reload" | "reload-agent" => {
            let task: Arc<str> = if is_done { "start".into() } else { "monitor".into() };
            let key = OperationKey { operation: task.clone(), ..entry.op.key.clone() };
            let op = RecordedOp { task, key, ..RecordedOp::clone(&entry.op) };
            Cow::Owned(HistoryEntry { op: Arc::new(op), ..entry.clone() })
        }
        "notify" if entry.status != OpStatus::Pending => {
            let (rc, status) = (OcfRc::Ok, OpStatus::Done);
            let magic = entry.magic.clone().map(|magic| TransitionMagic { rc, status, ..magic });
            Cow::Owned(HistoryEntry { rc, status, magic, ..entry.clone() })
        }
        _ => Cow::Borrowed(entry),
    }
}

/// Whether the result is not the one asked for. What is pending or was cancelled has none yet.
fn is_failure(entry: &HistoryEntry) -> bool {
    match entry.status {
        OpStatus::Pending | OpStatus::Cancelled => false,
        OpStatus::NotSupported
        | OpStatus::TimedOut
        | OpStatus::Error
        | OpStatus::NotConnected
        | OpStatus::NoFenceDevice
        | OpStatus::NoSecrets
        | OpStatus::Invalid => true,
        _ => entry.rc != entry.magic.as_ref().map_or(OcfRc::Ok, |magic| magic.key.target_rc),
    }
}

/// The ids of the entries a result goes to.
fn ids(entry: &HistoryEntry) -> Vec<String> {
    let resource = &entry.op.key.resource;
    let own = entry.op.key.to_string();
    match &*entry.op.task {
        "notify" | "migrate_to" | "migrate_from" => vec![own],
        _ if is_failure(entry) && entry.op.interval_ms > 0 => vec![format!("{resource}_last_failure_0")],
        _ if is_failure(entry) => vec![format!("{resource}_last_failure_0"), format!("{resource}_last_0")],
        _ if entry.op.interval_ms > 0 => vec![own],
        _ => vec![format!("{resource}_last_0")],
    }
}

fn lrm_resource(document: &mut Document, history: &History) -> Key {
    let state = node_state(document, &history.node);
    let lrm = child_with_id(document, state, "lrm", history.node.as_str());
    let resources = child(document, lrm, "lrm_resources");
    let resource = child_with_id(document, resources, "lrm_resource", history.resource.as_str());
    let Agent { class, provider, kind } = &history.agent;
    put(document, resource, "type", Some(kind));
    put(document, resource, "class", Some(class));
    put(document, resource, "provider", provider.as_deref());
    put(document, resource, "container", history.container.as_ref().map(ResourceId::as_str));
    resource
}

/// Writes the attributes in Pacemaker's order. Whether any of them changed.
fn write(document: &mut Document, op: Key, entry: &HistoryEntry, exit_reason: &str) -> bool {
    let number = |number: Option<u64>| number.map(|n| n.to_string());
    let (restart_names, restart) = split(&entry.op.digest_restart);
    let (secure_names, secure) = split(&entry.op.digest_secure);
    let attributes: [(&str, Option<String>); 23] = [
        ("operation_key", Some(entry.op.key.to_string())),
        ("operation", Some(entry.op.task.to_string())),
        ("crm-debug-origin", text(&entry.by.origin)),
        ("crm_feature_set", text(&entry.by.feature_set)),
        ("transition-key", entry.magic.as_ref().map(|magic| magic.key.to_string())),
        ("transition-magic", entry.magic.as_ref().map(ToString::to_string)),
        ("exit-reason", Some(exit_reason.to_owned())),
        ("on_node", entry.by.on_node.as_ref().map(ToString::to_string)),
        ("call-id", entry.call_id.map(|call| call.to_string())),
        ("rc-code", Some(entry.rc.code().to_string())),
        ("op-status", Some(entry.status.code().to_string())),
        ("interval", Some(entry.op.interval_ms.to_string())),
        ("last-rc-change", entry.last_rc_change.map(|at| at.0.to_string())),
        ("exec-time", number(entry.exec_time_ms)),
        ("queue-time", number(entry.queue_time_ms)),
        ("migrate_source", entry.op.migrate_source.as_ref().map(ToString::to_string)),
        ("migrate_target", entry.op.migrate_target.as_ref().map(ToString::to_string)),
        ("op-digest", text(&entry.op.digest_all)),
        ("op-force-restart", restart_names),
        ("op-restart-digest", restart),
        ("op-secure-params", secure_names),
        ("op-secure-digest", secure),
        // Pacemaker before 1.1.15 wrote this beside last-rc-change; a stale one would be shown.
        ("last-run", None),
    ];
    let mut changed = false;
    for (name, value) in &attributes {
        changed |= put(document, op, name, value.as_deref());
    }
    changed
}

fn text(value: &Option<Arc<str>>) -> Option<String> {
    value.as_ref().map(ToString::to_string)
}

fn split(digest: &Option<(Option<Arc<str>>, Arc<str>)>) -> (Option<String>, Option<String>) {
    match digest {
        Some((names, digest)) => (names.as_ref().map(ToString::to_string), Some(digest.to_string())),
        None => (None, None),
    }
}

/// The histories of one resource on a node.
fn find_resources<'d>(document: &'d Document, node: &NodeUuid, resource: &ResourceId) -> Vec<Element<'d>> {
    let lrm = find_node_state(document, node).into_iter().flat_map(|state| state.children_named("lrm"));
    let resources = lrm.flat_map(|lrm| lrm.children_named("lrm_resources")).flat_map(Element::children);
    resources.filter(|e| e.id() == Some(resource.as_str())).collect()
}

/// Whether an `<lrm_resource>` goes by a name that configured instances share, with the agent it was recorded with.
///
/// Schedulers have the history of an instance that is not configured any more deleted under the name histories know it by,
/// wherever that name is found. All instances of an anonymous clone share it (so do a bundle's replicas, if a node has one
/// at most), and what is recorded of those that stay must not go with it: they would seem not to run.
pub fn is_of_instances(document: &Document, entry: Element<'_>) -> bool {
    let resources = document.root().child("configuration").and_then(|section| section.child("resources"));
    let find = |within: Element<'_>, kind: &str, id: Option<&str>| {
        within.descendants().find(|element| element.is(kind) && element.id() == id).map(Element::key)
    };
    let Some(resources) = resources else { return false };
    let mut collectives = resources.children().filter(|element| have_instances_one_name(*element));
    let Some(primitive) = collectives.find_map(|collective| find(collective, "primitive", entry.id())) else {
        return false;
    };
    let primitive = document.element(primitive);
    let template = primitive.attr("template").and_then(|id| find(resources, "template", Some(id)));
    let agent = template.map_or(primitive, |template| document.element(template));
    ["class", "provider", "type"].iter().all(|name| agent.attr(name) == entry.attr(name))
}

/// Whether histories know all instances of what is in `collective` by the same name.
fn have_instances_one_name(collective: Element<'_>) -> bool {
    let sets = || collective.children_named("meta_attributes").flat_map(Element::children);
    let is_unique = |pair: Element<'_>| {
        pair.attr("name") == Some("globally-unique") && pair.attr("value").and_then(parse_bool) == Some(true)
    };
    let is_one_a_node = |container: Element<'_>| container.attr("replicas-per-host").is_none_or(|n| n == "1");
    match collective.name() {
        "clone" | "master" => !sets().any(is_unique),
        "bundle" => collective.children().all(is_one_a_node),
        _ => false,
    }
}

/// Forgets everything about one resource on a node: `lrm_delete`, clean-up, refresh.
pub fn erase_resource(document: &mut Document, node: &NodeUuid, resource: &ResourceId) -> bool {
    let found: Vec<Key> = find_resources(document, node, resource).into_iter().map(Element::key).collect();
    found.iter().for_each(|key| document.remove(*key));
    !found.is_empty()
}

/// Forgets the history of all resources on a node.
pub fn erase_history(document: &mut Document, node: &NodeUuid) -> bool {
    let lrm = find_node_state(document, node).into_iter().flat_map(|state| state.children_named("lrm"));
    let found: Vec<Key> = lrm.map(Element::key).collect();
    found.iter().for_each(|key| document.remove(*key));
    !found.is_empty()
}

/// Forgets the result of one operation: of a recurring one that was cancelled, or (with interval zero) of the last
/// operation, if it was this. The entry of its last failure goes too.
pub fn delete_operation(
    document: &mut Document,
    node: &NodeUuid,
    resource: &ResourceId,
    key: &OperationKey,
) -> bool {
    let is_recurring = key.interval > Duration::ZERO;
    let own = key.to_string();
    let last = format!("{}_last_0", key.resource);
    let last_failure = format!("{}_last_failure_0", key.resource);
    let is_meant = |op: &Element<'_>| {
        let id = op.id().unwrap_or_default();
        let is_this = op.attr("operation_key") == Some(&*own);
        id == own || (id == last_failure && is_this) || (!is_recurring && id == last && is_this)
    };
    let resources = find_resources(document, node, resource).into_iter();
    let found: Vec<Key> = resources.flat_map(Element::children).filter(is_meant).map(Element::key).collect();
    found.iter().for_each(|key| document.remove(*key));
    !found.is_empty()
}
