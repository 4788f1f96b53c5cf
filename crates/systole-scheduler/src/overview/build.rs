//! From [`Status`] to [`Overview`].

use super::{Overview, Summary};
use crate::Status;

/// Builds the whole overview.
pub(super) fn overview(status: &Status<'_>) -> Overview {
    Overview {
        summary: summary(status),
        nodes: Vec::new(),
        resources: Vec::new(),
        failures: Vec::new(),
        bans: Vec::new(),
        tickets: Vec::new(),
        history: Vec::new(),
    }
}

fn summary(status: &Status<'_>) -> Summary {
    let option = |name: &str| status.options.raw.get(name).cloned();
    Summary {
        stack: option("cluster-infrastructure"),
        cluster_name: option("cluster-name"),
        dc: status.dc.map(|dc| (status.node(dc).name.clone(), status.node(dc).uuid.clone())),
        dc_version: option("dc-version"),
        has_mixed_versions: false,
        has_quorum: status.has_quorum,
        last_change: status.cib.last_change.clone(),
        n_nodes: status.nodes.len(),
        n_instances: status.resources.iter().filter(|rsc| rsc.is_primitive()).count(),
        n_disabled: 0,
        n_blocked: status.resources.iter().filter(|rsc| rsc.is_primitive() && rsc.blocked).count(),
        maintenance: status.options.maintenance,
        stop_all: status.options.stop_all,
        fencing_enabled: status.options.fencing_enabled,
        symmetric: status.options.symmetric,
        no_quorum_policy: status.options.no_quorum.as_str(),
        fencing_timeout_ms: u64::try_from(status.options.fencing_timeout.as_millis()).unwrap_or(u64::MAX),
        priority_fencing_delay_ms: u64::try_from(status.options.priority_fencing_delay.as_millis())
            .unwrap_or(u64::MAX),
    }
}
