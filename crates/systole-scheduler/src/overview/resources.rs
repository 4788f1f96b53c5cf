//! The resource tree for displays.

use super::{Flags, LocationView, PrimitiveView, ReplicaView, ResourceView, ResourceViewKind};
use crate::{
    NodeIdx, Resource, RscIdx, Status,
    status::{BundleData, CloneData, Kind, Pending, PrimitiveData, Replica},
};
use systole_types::{NodeId, OcfRc, OpStatus, ResourceId, Role};

/// A resource with its parts.
pub(super) fn resource(status: &Status<'_>, idx: RscIdx) -> ResourceView {
    let rsc = status.rsc(idx);
    let parts = || rsc.children.iter().map(|&child| resource(status, child)).collect();
    let kind = match &rsc.kind {
        Kind::Primitive(data) => ResourceViewKind::Primitive(primitive(status, idx, data)),
        Kind::Group(_) => ResourceViewKind::Group { members: parts() },
        Kind::Clone(data) => clone(status, idx, data, parts()),
        Kind::Bundle(data) => bundle(status, data, rsc.is_unique),
    };
    let is_numbered = rsc.instance.is_some() && rsc.is_unique;
    ResourceView {
        id: if is_numbered { rsc.id.clone() } else { ResourceId::new(rsc.base_id()) },
        full_id: rsc.id.clone(),
        kind,
        flags: flags(status, idx),
    }
}

fn flags(status: &Status<'_>, idx: RscIdx) -> Flags {
    let rsc = status.rsc(idx);
    Flags {
        active: is_active(status, idx, true),
        partially_active: is_active(status, idx, false),
        removed: rsc.removed.is_some(),
        blocked: rsc.blocked,
        managed: rsc.managed,
        maintenance: rsc.maintenance,
        failed: rsc.failed,
        failure_ignored: rsc.failure_ignored,
        disabled: is_disabled(rsc),
        target_role: shown_target_role(status, rsc),
        target_role_text: target_role_text(status, rsc),
        description: description(rsc),
        locked_to: rsc.shutdown_lock.map(|(node, _)| status.node(node).name.clone()),
    }
}

fn description(rsc: &Resource<'_>) -> Option<std::sync::Arc<str>> {
    match &rsc.kind {
        Kind::Primitive(data) => data.definition.description.clone(),
        Kind::Group(data) => data.definition.description.clone(),
        Kind::Clone(data) => data.definition.and_then(|clone| clone.description.clone()),
        Kind::Bundle(data) => data.definition.description.clone(),
    }
}

/// `target-role` as given; a clone's may be given inside it.
fn target_role_text(status: &Status<'_>, rsc: &Resource<'_>) -> Option<std::sync::Arc<str>> {
    let own = rsc.meta.raw.get("target-role");
    let first = rsc.children.first().filter(|_| rsc.is_clone());
    own.or_else(|| status.rsc(*first?).meta.raw.get("target-role")).cloned()
}

/// `target-role` where it keeps the resource from what it could be; a clone's may be given inside it.
fn shown_target_role(status: &Status<'_>, rsc: &Resource<'_>) -> Option<Role> {
    let first = rsc.children.first().filter(|_| rsc.is_clone()).map(|&first| status.rsc(first));
    match (rsc.meta.target_role, first) {
        (None, Some(first)) => first.meta.target_role.filter(|_| is_disabled(first)),
        (role, _) => role.filter(|_| is_disabled(rsc)),
    }
}

/// Whether `target-role` keeps it from what it could be.
pub(super) fn is_disabled(rsc: &Resource<'_>) -> bool {
    match rsc.meta.target_role {
        Some(Role::Stopped) => true,
        Some(Role::Unpromoted) => rsc.is_promotable,
        _ => false,
    }
}

/// Whether all of it runs, or any.
fn is_active(status: &Status<'_>, idx: RscIdx, all: bool) -> bool {
    let rsc = status.rsc(idx);
    match &rsc.kind {
        Kind::Primitive(_) => rsc.running_on.iter().any(|&node| {
            let there = status.node(node);
            there.unclean || there.online || !rsc.managed
        }),
        Kind::Group(_) | Kind::Clone(_) => {
            let mut parts = rsc.children.iter().map(|&child| is_active(status, child, all));
            if all { parts.all(|active| active) } else { parts.any(|active| active) }
        }
        Kind::Bundle(data) => {
            let parts = data.replicas.iter().flat_map(|replica| {
                [replica.ip, replica.child, Some(replica.container), replica.remote].into_iter().flatten()
            });
            let mut parts = parts.map(|part| is_active(status, part, all));
            if all { parts.all(|active| active) } else { parts.any(|active| active) }
        }
    }
}

fn primitive(status: &Status<'_>, idx: RscIdx, data: &PrimitiveData<'_>) -> PrimitiveView {
    let rsc = status.rsc(idx);
    let lock = rsc.shutdown_lock.map(|(node, _)| node);
    let current = status.current_node(idx);
    let shown_at = current.or_else(|| rsc.pending.as_ref().map(|pending| pending.node)).or(lock);
    let shown_at = shown_at.filter(|_| rsc.running_on.len() < 2);
    PrimitiveView {
        agent: data.definition.agent.clone(),
        role: displayed_role(status, idx),
        nodes: rsc.running_on.iter().map(|&node| location(status, node)).collect(),
        pending: rsc.pending.as_ref().and_then(pending_word),
        pending_on: rsc.pending.as_ref().map(|pending| status.node(pending.node).name.clone()),
        failed_probe: failed_probe(
            status,
            idx,
            host_in_bundle(status, idx).map_or(shown_at, |host| host.or(lock)),
        ),
        current: current.map(|node| location(status, node)),
        shown_at: shown_at.map(|node| location(status, node)),
        locked_at: lock.map(|node| location(status, node)),
        is_internal: rsc.meta.raw.get("internal_rsc").is_some_and(|value| &**value == "true"),
    }
}

fn location(status: &Status<'_>, node: NodeIdx) -> LocationView {
    let node = status.node(node);
    LocationView {
        node: node.name.clone(),
        uuid: node.uuid.clone(),
        online: node.online,
        unclean: node.unclean,
    }
}

/// What can be promoted is unpromoted, not just started.
fn displayed_role(status: &Status<'_>, idx: RscIdx) -> Role {
    match status.rsc(idx).role {
        Role::Started if status.rsc(status.top_of(idx)).is_promotable => Role::Unpromoted,
        role => role,
    }
}

fn pending_word(pending: &Pending) -> Option<&'static str> {
    match &*pending.task {
        "start" => Some("Starting"),
        "stop" => Some("Stopping"),
        "migrate_to" | "migrate_from" => Some("Migrating"),
        "promote" => Some("Promoting"),
        "demote" => Some("Demoting"),
        "monitor" => Some("Monitoring"),
        _ => None,
    }
}

/// Of what is part of a bundle's replica: the node that its line shows, where the container is.
fn host_in_bundle(status: &Status<'_>, idx: RscIdx) -> Option<Option<NodeIdx>> {
    let bundle = status.rsc(status.root_of(idx)).bundle()?;
    let is_part = |replica: &&Replica| {
        [replica.ip, Some(replica.container), replica.remote, replica.child].contains(&Some(idx))
    };
    bundle.replicas.iter().find(is_part).map(|replica| status.current_node(replica.container))
}

/// The result of a probe that failed in a way that counts as "not running", on `node` or anywhere.
fn failed_probe(status: &Status<'_>, idx: RscIdx, node: Option<NodeIdx>) -> Option<OcfRc> {
    if displayed_role(status, idx) != Role::Stopped {
        return None;
    }
    // Of what is in a clone, Pacemaker looks for the clone's child by name: for a group's probes there, of which there are none.
    let top = status.rsc(status.top_of(idx));
    let clone_child = top.children.first().filter(|_| top.is_clone());
    masked_probe(
        status,
        clone_child.map_or(status.rsc(idx).id.as_str(), |&child| status.rsc(child).base_id()),
        node,
    )
}

fn masked_probe(status: &Status<'_>, base: &str, node: Option<NodeIdx>) -> Option<OcfRc> {
    // Where a probe was is what its entry says, not whose history it is in.
    let name = node.map(|node| status.node(node).name.as_str());
    let is_there = |on: &NodeId| name.is_none_or(|name| on.as_str().eq_ignore_ascii_case(name));
    let probes = status.failed_operations.iter().map(|failure| failure.entry).filter(|entry| {
        &*entry.op.task == "monitor"
            && entry.op.interval_ms == 0
            && entry.by.on_node.as_ref().is_some_and(is_there)
            && (matches!(entry.rc, OcfRc::NotInstalled | OcfRc::InvalidParam)
                || entry.status == OpStatus::NotInstalled)
    });
    probes.into_iter().find(|entry| entry.op.key.resource.as_str() == base).map(|entry| entry.rc)
}

fn clone(
    status: &Status<'_>,
    idx: RscIdx,
    data: &CloneData<'_>,
    instances: Vec<ResourceView>,
) -> ResourceViewKind {
    let rsc = status.rsc(idx);
    let child = rsc.children.first().map_or("", |&first| status.rsc(first).base_id());
    ResourceViewKind::Clone {
        child: ResourceId::new(child),
        unique: data.unique,
        promotable: rsc.is_promotable,
        max: data.max,
        instances,
        stopped: if data.unique { Vec::new() } else { stopped_on(status, idx, child) },
    }
}

/// Nodes that the clone could run on as far as the configuration of the cluster goes, and does not.
///
/// Where nodes have to be opted in, placement alone could tell. Pacemaker then shows the nodes that failures keep the clone off,
/// and, only if there are none, those where its state is known.
fn stopped_on(status: &Status<'_>, clone: RscIdx, child: &str) -> Vec<(NodeId, Option<OcfRc>)> {
    let rsc = status.rsc(clone);
    let bans = || status.bans.iter().filter(|ban| ban.resource == clone);
    let is_banned = |node: NodeIdx| bans().any(|ban| ban.node.is_none_or(|there| there == node));
    let could_run = |node: NodeIdx| {
        if status.options.symmetric {
            let there = status.node(node);
            // What bans a resource from all nodes makes it know even those inside bundles.
            there.is_configured && !there.is_bundle() || is_banned(node)
        } else if bans().next().is_some() {
            is_banned(node)
        } else {
            rsc.known_on.contains(node)
        }
    };
    let nodes = status.nodes_by_name.iter().copied();
    let nodes = nodes.filter(|&node| could_run(node) && !rsc.running_on.contains(&node));
    nodes.map(|node| (status.node(node).name.clone(), masked_probe(status, child, Some(node)))).collect()
}

fn bundle(status: &Status<'_>, data: &BundleData<'_>, unique: bool) -> ResourceViewKind {
    let replica = |replica: &Replica| {
        let view = |part: RscIdx| resource(status, part);
        ReplicaView {
            number: replica.offset,
            address: replica.address.clone(),
            ip: replica.ip.map(view),
            child: replica.child.map(view),
            container: view(replica.container),
            remote: replica.remote.map(view),
        }
    };
    ResourceViewKind::Bundle {
        runtime: data.definition.container.runtime.as_str(),
        image: data.definition.container.image.clone(),
        unique,
        is_set: data.max > 1,
        replicas: data.replicas.iter().map(replica).collect(),
    }
}
