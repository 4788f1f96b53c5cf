//! Histories and failures for displays.

use super::{FailureView, NodeHistoryView, ResourceHistoryView};
use crate::{
    NodeIdx, RscIdx, Status,
    status::{FailedOperation, Failures, in_order},
};
use systole_cib::model::{HistoryEntry, ResourceHistory};
use systole_types::{NodeId, OperationKey, ResourceId};

/// A failed operation.
pub(super) fn failure(status: &Status<'_>, failure: &FailedOperation<'_>) -> FailureView {
    let entry = failure.entry;
    // Where no key is written down, the id is read as one.
    let by_id = if entry.op.has_key { None } else { OperationKey::split(&entry.op.id).ok() };
    let resource = by_id.map_or_else(|| entry.op.key.resource.clone(), |(name, ..)| ResourceId::new(name));
    operation(&status.node(failure.node).name, &resource, entry)
}

/// Histories of all nodes that the status section knows, in its order.
pub(super) fn history(status: &Status<'_>) -> Vec<NodeHistoryView> {
    let states = status.cib.node_states.iter();
    let nodes = states.filter_map(|state| status.find_node(state.name.as_ref()?.as_str()));
    nodes
        .map(|node| NodeHistoryView {
            node: status.node(node).name.clone(),
            resources: status
                .node(node)
                .histories
                .iter()
                .map(|of| resource(status, node, of.resource, of.history))
                .collect(),
        })
        .collect()
}

fn resource(
    status: &Status<'_>,
    node: NodeIdx,
    rsc: RscIdx,
    history: &ResourceHistory,
) -> ResourceHistoryView {
    let failures = status.failures(rsc, node, Failures::All);
    // Instances that are all alike are called by what they are instances of.
    let id = history.resource.as_str();
    let shown = match id.rsplit_once(':') {
        Some((base, _)) if !status.rsc(rsc).is_unique => ResourceId::new(base),
        _ => history.resource.clone(),
    };
    let name = &status.node(node).name;
    ResourceHistoryView {
        id: history.resource.clone(),
        resource: shown,
        // By this name, of instances too.
        removed: status.rsc(rsc).known_as() != &history.resource && status.find_resource(id).is_none(),
        migration_threshold: status.rsc(rsc).meta.migration_threshold,
        fail_count: failures.count,
        last_failure: failures.last_failure,
        operations: in_order(&history.operations)
            .into_iter()
            .map(|entry| operation(name, &history.resource, entry))
            .collect(),
    }
}

fn operation(node: &NodeId, resource: &ResourceId, entry: &HistoryEntry) -> FailureView {
    FailureView {
        key: if entry.op.has_key { entry.op.key.to_string().into() } else { entry.op.id.clone() },
        has_key: entry.op.has_key,
        resource: resource.clone(),
        task: entry.op.task.clone(),
        interval_ms: entry.op.interval_ms,
        node: node.clone(),
        rc: entry.rc,
        status: entry.status,
        call: entry.call(),
        exit_reason: entry.exit_reason.clone(),
        last_rc_change: entry.last_rc_change,
        queued_ms: entry.queue_time_ms,
        exec_ms: entry.exec_time_ms,
    }
}
