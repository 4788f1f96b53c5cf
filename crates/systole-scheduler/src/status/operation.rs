//! Operations: configured properties, failures.

use super::{Attributes, RscIdx, Status};
use std::{sync::Arc, time::Duration};
use systole_types::{Role, Score, Timestamp};

/// `on-fail`: what follows from a failed operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OnFail {
    /// As if it had succeeded.
    Ignore,
    /// Demote, then as usual.
    Demote,
    /// Stop and start, here or elsewhere.
    Restart,
    /// Restart the container (of a bundle's or guest's connection).
    RestartContainer,
    /// Fence the remote node, or drop its connection.
    ResetRemote,
    /// May not run on that node any more.
    Ban,
    /// Hands off.
    Block,
    /// Stop for good.
    Stop,
    /// Put the node in standby.
    Standby,
    /// Fence the node.
    Fence,
}

/// Effective properties of an operation: its own, its meta attributes, `op_defaults`, built-in defaults.
#[derive(Clone, Debug, PartialEq)]
pub struct OpMeta {
    /// `on-fail`.
    pub on_fail: OnFail,
    /// Role after a failure, where `on_fail` has a say in it.
    pub fail_role: Role,
    /// `timeout`.
    pub timeout: Duration,
    /// `start-delay`, or what `interval-origin` makes of it.
    pub start_delay: Duration,
    /// `role`, of a recurring monitor.
    pub role: Option<Role>,
    /// `enabled`.
    pub enabled: bool,
    /// `record-pending`.
    pub record_pending: bool,
    /// All as text, as actions carry them (`CRM_meta_...`): milliseconds where they are durations.
    pub raw: Attributes,
}

/// An operation that was sent and has not answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    /// `start`, `monitor`...
    pub task: Arc<str>,
    /// Zero unless recurring.
    pub interval: Duration,
    /// Where it runs.
    pub node: super::NodeIdx,
}

/// How often an operation of a resource has failed on a node: a `fail-count-RSC#OP_INTERVAL` attribute with its `last-failure-...`.
#[derive(Clone, Debug, PartialEq)]
pub struct FailCount {
    /// The resource's name in the attribute: without instance number for anonymous clones.
    pub resource: Arc<str>,
    /// The resource it is about; `None` if there is none of that name.
    pub instance: Option<RscIdx>,
    /// `OP_INTERVAL`; empty in the form of old releases.
    pub operation: Arc<str>,
    /// How often.
    pub count: Score,
    /// When last.
    pub last_failure: Option<Timestamp>,
}

/// Effective properties of `name` of `rsc` every `interval`.
pub(super) fn effective(status: &Status<'_>, rsc: RscIdx, name: &str, interval: Duration) -> OpMeta {
    let mut raw = Attributes::new();
    if let Some(op) = status.configured_operation(rsc, name, interval) {
        raw.extend(op.properties.iter().cloned());
    }
    OpMeta {
        on_fail: OnFail::Restart,
        fail_role: Role::Started,
        timeout: Duration::from_secs(20),
        start_delay: Duration::ZERO,
        role: raw.get("role").and_then(|role| role.parse().ok()),
        enabled: true,
        record_pending: true,
        raw,
    }
}
