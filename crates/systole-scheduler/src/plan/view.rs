//! What planning asks of placement.

use super::draft::Draft;
use crate::{
    NodeIdx, RscIdx, Status,
    placement::{Discovery, Placement},
};
use systole_types::{Role, Score, Timestamp};

impl Draft<'_, '_> {
    /// The role a resource has.
    pub(super) fn role(&self, rsc: RscIdx) -> Role {
        self.placement.role[rsc.i()]
    }

    /// Whether a resource is left alone because of a failure.
    pub(super) fn is_blocked(&self, rsc: RscIdx) -> bool {
        self.placement.blocked[rsc.i()]
    }

    /// Nodes a resource is known to be allowed or banned on, by name.
    pub(super) fn allowed_nodes(&self, rsc: RscIdx) -> Vec<NodeIdx> {
        let nodes = self.status.nodes_by_name.iter().copied();
        // Where a clone is not even looked for, it is not known to be allowed either; without probes, nobody looks anywhere.
        let has_probes = self.status.options.startup_probes;
        let is_exclusive = has_probes && self.placement.exclusive[rsc.i()] && self.r(rsc).is_clone();
        let is_asked = |node: NodeIdx| {
            let outlook = &self.placement.nodes[node.i()];
            is_exclusive && outlook.online && !outlook.unclean && self.status.node(node).discovery
        };
        let is_known = |node| match self.placement.allowed[rsc.i()].get(node) {
            Some(entry) => !is_asked(node) || entry.discovery == Discovery::Exclusive,
            None => false,
        };
        nodes.filter(|&node| is_known(node)).collect()
    }

    /// Nodes that the configuration allows or bans a resource on, by name.
    pub(super) fn candidates(&self, rsc: RscIdx) -> Vec<NodeIdx> {
        let Some(known) = self.placement.candidates.get(&rsc) else { return Vec::new() };
        self.status.nodes_by_name.iter().copied().filter(|node| known.contains(*node)).collect()
    }

    /// Whether a resource is known to be allowed or banned on a node.
    pub(super) fn is_allowed(&self, rsc: RscIdx, node: NodeIdx) -> bool {
        self.placement.allowed[rsc.i()].get(node).is_some()
    }

    /// Nodes from the best to the worst.
    pub(super) fn nodes_by_preference(&self, rsc: RscIdx) -> Vec<NodeIdx> {
        self.placement.best_first(rsc, self.status, &self.taken_back)
    }

    /// The node a resource is kept for while that is shut down, and since when.
    pub(super) fn shutdown_lock(&self, rsc: RscIdx) -> Option<(NodeIdx, Timestamp)> {
        self.placement.locks[rsc.i()].map(|lock| (lock.node, lock.since))
    }

    /// Resources that have to run together with this one: with their roles and this one's.
    pub(super) fn mandatory_dependents(&self, rsc: RscIdx) -> Vec<(RscIdx, Role, Role)> {
        let mandatory = self.placement.colocations_with(rsc).filter(|link| link.score == Score::INFINITY);
        mandatory.map(|link| (link.dependent, link.dependent_role, link.primary_role)).collect()
    }
}

/// The top of the tree that `rsc` is in, not going above a bundle's inner resources.
pub(super) fn top(status: &Status<'_>, mut rsc: RscIdx) -> RscIdx {
    while let Some(parent) = status.rsc(rsc).parent {
        if status.rsc(parent).is_bundle() {
            break;
        }
        rsc = parent;
    }
    rsc
}

/// Whether a resource is looked for on a node.
pub(super) fn is_discovered(status: &Status<'_>, placement: &Placement, rsc: RscIdx, node: NodeIdx) -> bool {
    let entry = placement.allowed[rsc.i()].get(node);
    match entry.map(|entry| entry.discovery) {
        Some(Discovery::Never) => false,
        Some(Discovery::Exclusive) => true,
        None if status.node(node).is_bundle() => false,
        Some(Discovery::Always) | None => {
            !placement.exclusive[rsc.i()] && !placement.exclusive[top(status, rsc).i()]
        }
    }
}
