//! What planning asks of placement.

use super::draft::Draft;
use crate::{NodeIdx, RscIdx};
use systole_cib::model::ResourceDiscovery;
use systole_types::{Role, Timestamp};

impl Draft<'_, '_> {
    /// The role a resource has.
    pub(super) fn role(&self, rsc: RscIdx) -> Role {
        self.r(rsc).role
    }

    /// Nodes a resource is known to be allowed or banned on, by name.
    pub(super) fn allowed_nodes(&self, _rsc: RscIdx) -> Vec<NodeIdx> {
        self.status.nodes_by_name.clone()
    }

    /// Whether a resource is known to be allowed or banned on a node.
    pub(super) fn is_allowed(&self, _rsc: RscIdx, _node: NodeIdx) -> bool {
        true
    }

    /// Nodes from the best to the worst.
    pub(super) fn nodes_by_preference(&self, rsc: RscIdx) -> Vec<NodeIdx> {
        self.allowed_nodes(rsc)
    }

    /// Whether a resource is looked for on a node.
    pub(super) fn discovery(&self, _rsc: RscIdx, _node: NodeIdx) -> ResourceDiscovery {
        ResourceDiscovery::Always
    }

    /// Whether a resource is looked for only where a constraint says so.
    pub(super) fn is_discovery_exclusive(&self, _rsc: RscIdx) -> bool {
        false
    }

    /// The node a resource is kept for while that is shut down, and since when.
    pub(super) fn shutdown_lock(&self, rsc: RscIdx) -> Option<(NodeIdx, Timestamp)> {
        self.r(rsc).shutdown_lock
    }

    /// Digests of all parameters of devices that unfence, for the fencer to compare. Whether any has changed.
    pub(super) fn add_unfencing_digests(&mut self, _op: super::ActIdx, _node: NodeIdx) -> bool {
        false
    }

    /// Resources that have to run together with this one: with their roles and this one's.
    pub(super) fn mandatory_dependents(&self, _rsc: RscIdx) -> Vec<(RscIdx, Role, Role)> {
        Vec::new()
    }
}
