//! Where resources are and will be, in which role, and what they are part of.

use super::{draft::Draft, view::top};
use crate::{NodeIdx, RscIdx, status::Requires};
use systole_types::Role;

impl Draft<'_, '_> {
    /// Where a resource runs, with the number of nodes it is active on and of those that are up and clean.
    /// Of several nodes: the source of a migration, else (unless fencing is required) the first one up and clean.
    pub fn active_node(&self, rsc: RscIdx) -> (Option<NodeIdx>, usize, usize) {
        let resource = self.r(rsc);
        let is_happy = |node: NodeIdx| self.node[node.i()].online && !self.node[node.i()].unclean;
        let nodes = &resource.running_on;
        let source = self.rsc[rsc.i()].partial_migration.map(|(source, _)| source);
        let chosen = match source {
            Some(source) => nodes.iter().rfind(|&&node| node == source),
            None if resource.meta.requires >= Requires::Fencing => None,
            None => nodes.iter().find(|&&node| is_happy(node)),
        };
        let n_clean = nodes.iter().filter(|&&node| is_happy(node)).count();
        (chosen.or(nodes.first()).copied(), nodes.len(), n_clean)
    }

    /// Where a resource runs.
    pub fn current_node(&self, rsc: RscIdx) -> Option<NodeIdx> {
        self.active_node(rsc).0
    }

    /// The one node a resource (with all it consists of) is assigned to, or is active on; `None` if there are several.
    pub fn location(&self, rsc: RscIdx, current: bool) -> Option<NodeIdx> {
        let mut place = None;
        self.is_all_in(&mut place, rsc, current).then_some(place).flatten()
    }

    /// Whether a resource is nowhere but in `place`, which the first place found becomes.
    fn is_all_in(&self, place: &mut Option<NodeIdx>, rsc: RscIdx, current: bool) -> bool {
        let resource = self.r(rsc);
        if !resource.children.is_empty() {
            return resource.children.iter().all(|&child| self.is_all_in(place, child, current));
        }
        let nodes = if current { resource.running_on.as_slice() } else { self.assigned[rsc.i()].as_slice() };
        nodes.iter().all(|&node| *place.get_or_insert(node) == node)
    }

    /// The role a resource has, or will have: for collectives the highest of their parts.
    pub fn state(&self, rsc: RscIdx, current: bool) -> Role {
        let resource = self.r(rsc);
        if resource.children.is_empty() {
            return if current { self.role(rsc) } else { self.next_role[rsc.i()] };
        }
        resource.children.iter().map(|&child| self.state(child, current)).max().unwrap_or_default()
    }

    /// Whether a resource, or anything it consists of, is managed.
    pub fn any_managed(&self, rsc: RscIdx) -> bool {
        self.rsc[rsc.i()].managed || self.r(rsc).children.iter().any(|&child| self.any_managed(child))
    }

    /// The top of the tree that `rsc` is in, not going above a bundle's inner resources.
    pub fn top(&self, rsc: RscIdx) -> RscIdx {
        top(self.status, rsc)
    }

    /// Whether `ancestor` is above `rsc`.
    pub fn is_parent(&self, mut rsc: RscIdx, ancestor: RscIdx) -> bool {
        while let Some(parent) = self.r(rsc).parent {
            if parent == ancestor {
                return true;
            }
            rsc = parent;
        }
        false
    }

    /// Whether a resource is part of a bundle.
    pub fn is_bundled(&self, rsc: RscIdx) -> bool {
        let mut at = rsc;
        while let Some(parent) = self.r(at).parent {
            at = parent;
        }
        at != rsc && self.r(at).is_bundle()
    }

    /// Whether notifications are wanted.
    pub fn notifies(&self, rsc: RscIdx) -> bool {
        self.r(rsc).meta.notify
    }

    /// Top-level resources that are planned, by priority, then as configured: the order in which the plan is made.
    pub fn roots(&self) -> Vec<RscIdx> {
        self.placement.order.iter().copied().filter(|root| !self.left_out[root.i()]).collect()
    }
}
