//! Nodes for displays.

use super::{AttributeView, NodeStateWord, NodeView, NodeViewKind};
use crate::{
    Node, NodeIdx, Status,
    status::{HealthColor, NodeKind},
};
use std::sync::Arc;

/// Attributes that begin like this say nothing that is not shown otherwise.
const HIDDEN: [&str; 6] = ["fail-count", "last-failure", "shutdown", "terminate", "standby", "#"];

/// All nodes by name.
pub(super) fn nodes(status: &Status<'_>) -> Vec<NodeView> {
    status.nodes_by_name.iter().map(|&node| view(status, node)).collect()
}

/// Whether members that say so run different feature sets.
pub(super) fn has_mixed_versions(status: &Status<'_>) -> bool {
    let mut versions = status.nodes.iter().filter_map(|node| node.attribute("#feature-set"));
    let first = versions.next();
    versions.any(|version| Some(version) != first)
}

fn view(status: &Status<'_>, idx: NodeIdx) -> NodeView {
    let node = status.node(idx);
    let container = match node.kind {
        NodeKind::Guest { container, .. } => Some(container),
        _ => None,
    };
    NodeView {
        name: node.name.clone(),
        uuid: node.uuid.clone(),
        kind: kind(node),
        state: state(node),
        online: node.online,
        standby: node.standby,
        standby_on_fail: node.standby_on_fail,
        maintenance: node.maintenance,
        pending: node.pending,
        unclean: node.unclean,
        shutdown: node.shutdown,
        expected_up: node.expected_up,
        is_dc: node.is_dc,
        health: match node.health_color {
            HealthColor::Green => "green",
            HealthColor::Yellow => "yellow",
            HealthColor::Red => "red",
        },
        feature_set: node.attributes.get("#feature-set").cloned(),
        running: node.running.iter().map(|&rsc| status.rsc(rsc).id.clone()).collect(),
        host: container.and_then(|rsc| status.current_node(rsc)).map(|host| status.node(host).name.clone()),
        container: container.map(|rsc| status.rsc(rsc).id.clone()),
        attributes: attributes(status, node),
        utilization: node.utilization.iter().map(|(name, value)| (name.clone(), *value)).collect(),
    }
}

fn kind(node: &Node<'_>) -> NodeViewKind {
    match node.kind {
        NodeKind::Member => NodeViewKind::Member,
        NodeKind::Remote { .. } => NodeViewKind::Remote,
        NodeKind::Guest { .. } => NodeViewKind::Guest,
        NodeKind::Ping => NodeViewKind::Ping,
    }
}

fn state(node: &Node<'_>) -> NodeStateWord {
    use NodeStateWord as Word;
    match node {
        Node { unclean: true, online: true, .. } => Word::UncleanOnline,
        Node { unclean: true, pending: true, .. } => Word::UncleanPending,
        Node { unclean: true, .. } => Word::UncleanOffline,
        Node { pending: true, .. } => Word::Pending,
        Node { standby_on_fail: true, online: true, .. } => Word::StandbyOnFail,
        Node { standby: true, online: true, .. } => Word::Standby,
        Node { standby: true, .. } => Word::OfflineStandby,
        Node { maintenance: true, online: true, .. } => Word::Maintenance,
        Node { maintenance: true, .. } => Word::OfflineMaintenance,
        Node { online: true, .. } => Word::Online,
        Node { .. } => Word::Offline,
    }
}

fn attributes(status: &Status<'_>, node: &Node<'_>) -> Vec<AttributeView> {
    let shown =
        node.attributes.iter().filter(|(name, _)| !HIDDEN.iter().any(|hidden| name.starts_with(hidden)));
    shown
        .map(|(name, value)| AttributeView {
            name: name.clone(),
            value: value.clone(),
            expected: expected_pings(status, node, name),
        })
        .collect()
}

/// What a ping resource that runs on the node would write into the attribute if it reached all its hosts.
fn expected_pings(status: &Status<'_>, node: &Node<'_>, name: &Arc<str>) -> Option<i64> {
    node.running.iter().find_map(|&rsc| {
        let agent = &status.rsc(rsc).primitive()?.definition.agent;
        if !["ping", "pingd"].iter().any(|kind| agent.kind.eq_ignore_ascii_case(kind)) {
            return None;
        }
        let parameters = status.parameters(rsc, None);
        let own_name = parameters.get("name").map_or("pingd", |name| &**name);
        let hosts = parameters.get("host_list").map_or("", |hosts| &**hosts);
        let multiplier = parameters.get("multiplier").and_then(|text| text.parse().ok()).unwrap_or(1);
        let n_hosts = if hosts.is_empty() { 0 } else { hosts.split(' ').count() };
        let n_hosts = i64::try_from(n_hosts).ok()?;
        (own_name == &**name).then_some(n_hosts * multiplier)
    })
}
