//! Meta attributes of resources, typed.

use std::{sync::Arc, time::Duration};
use systole_types::{NodeId, Role, Score};

/// Effective meta attributes of a resource: its own, its parents', `rsc_defaults`, then built-in defaults.
/// Source: Pacemaker Explained, "Resource Options".
#[derive(Clone, Debug, PartialEq)]
pub struct Meta {
    /// `priority`.
    pub priority: Score,
    /// `resource-stickiness`.
    pub stickiness: Score,
    /// `target-role`; `None`: not given (`Started` means not given too).
    pub target_role: Option<Role>,
    /// `is-managed`, less what maintenance and blocking make of it: see [`Resource`](super::Resource).
    pub is_managed: bool,
    /// `maintenance`, or `maintenance-mode`.
    pub maintenance: bool,
    /// `migration-threshold`; INFINITY: never.
    pub migration_threshold: Score,
    /// `failure-timeout`; `None`: never.
    pub failure_timeout: Option<Duration>,
    /// `requires`.
    pub requires: Requires,
    /// `multiple-active`.
    pub multiple_active: MultipleActive,
    /// `allow-migrate`.
    pub allow_migrate: bool,
    /// `critical`: the default of `influence` of colocations.
    pub critical: bool,
    /// `allow-unhealthy-nodes`.
    pub allow_unhealthy_nodes: bool,
    /// `container-attribute-target=host`.
    pub attributes_on_host: bool,
    /// `notify`.
    pub notify: bool,
    /// `remote-node`: the guest node that the resource is the container of.
    pub remote_node: Option<NodeId>,
    /// All of them as text, as actions carry them.
    pub raw: Arc<super::Attributes>,
}

/// `requires`: what has to be before a resource is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Requires {
    /// Nothing.
    Nothing,
    /// Quorum.
    Quorum,
    /// Quorum, and all failed nodes fenced.
    #[default]
    Fencing,
    /// That, and the node itself unfenced.
    Unfencing,
}

/// `multiple-active`: what to do with a resource that runs on several nodes and should not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum MultipleActive {
    /// Stop everywhere, start on one.
    #[default]
    StopStart,
    /// Stop everywhere.
    StopOnly,
    /// Leave it alone.
    Block,
    /// Stop all but the one that is where it should be.
    StopUnexpected,
}
