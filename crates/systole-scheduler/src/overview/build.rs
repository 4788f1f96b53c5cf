//! From [`Status`] to [`Overview`].

use super::{Overview, Summary, TicketView, bans, history, nodes, resources};
use crate::{Resource, Status, placement::hash_order::hash_order};
use std::sync::Arc;
use std::time::Duration;
use systole_types::Role;

/// Builds the whole overview.
pub(super) fn overview(status: &Status<'_>) -> Overview {
    Overview { bans: bans::bans(status), history: history::history(status), ..without_history(status) }
}

/// Builds it without histories and bans.
pub(super) fn without_history(status: &Status<'_>) -> Overview {
    Overview {
        summary: summary(status),
        nodes: nodes::nodes(status),
        resources: status.roots.iter().map(|&rsc| resources::resource(status, rsc)).collect(),
        failures: status.failed_operations.iter().map(|failure| history::failure(status, failure)).collect(),
        bans: Vec::new(),
        tickets: tickets(status),
        history: Vec::new(),
    }
}

fn counted<'s, 'a>(status: &'s Status<'a>) -> impl Iterator<Item = &'s Resource<'a>> {
    let is_there = |rsc: &&Resource<'_>| rsc.removed.is_none() || rsc.role > Role::Stopped;
    status.resources.iter().filter(|rsc| rsc.is_primitive()).filter(is_there)
}

/// How many instances a failure blocks.
pub(super) fn n_blocked(status: &Status<'_>) -> usize {
    counted(status).filter(|rsc| rsc.blocked).count()
}

fn summary(status: &Status<'_>) -> Summary {
    let option = |name: &str| status.options.raw.get(name).cloned();
    let counted = || counted(status);
    Summary {
        stack: option("cluster-infrastructure"),
        cluster_name: option("cluster-name"),
        dc: status.dc.map(|dc| (status.node(dc).name.clone(), status.node(dc).uuid.clone())),
        dc_version: option("dc-version"),
        has_mixed_versions: nodes::has_mixed_versions(status),
        has_quorum: status.has_quorum,
        last_change: status.cib.last_change.clone(),
        n_nodes: status.nodes.len(),
        n_instances: counted().count(),
        n_disabled: counted().filter(|rsc| resources::is_disabled(rsc)).count(),
        n_blocked: n_blocked(status),
        maintenance: status.options.maintenance,
        stop_all: status.options.stop_all,
        fencing_enabled: status.options.fencing_enabled,
        symmetric: status.options.symmetric,
        no_quorum_policy: status.options.no_quorum.as_str(),
        fencing_timeout_ms: millis(status.options.fencing_timeout),
        priority_fencing_delay_ms: millis(status.options.priority_fencing_delay),
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn tickets(status: &Status<'_>) -> Vec<TicketView> {
    let tickets: Vec<_> = status.tickets.iter().collect();
    let ids: Vec<&str> = tickets.iter().map(|(id, _)| &***id).collect();
    hash_order(&ids)
        .into_iter()
        .map(|at| tickets[at])
        .map(|(id, state)| TicketView {
            id: id.clone(),
            granted: state.granted,
            standby: state.standby,
            last_granted: state.entry.and_then(|entry| entry.last_granted),
            other: state.entry.map(recorded).unwrap_or_default(),
        })
        .collect()
}

/// What is recorded of a ticket besides what each has.
fn recorded(ticket: &systole_cib::model::Ticket) -> Vec<(Arc<str>, Arc<str>)> {
    let granted = if ticket.granted { "true" } else { "false" };
    std::iter::once(("granted".into(), granted.into())).chain(ticket.other.iter().cloned()).collect()
}
