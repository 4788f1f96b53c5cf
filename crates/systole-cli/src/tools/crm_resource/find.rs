//! The resource and the node that a command is about.

use super::{Args, command::Command};
use crate::{Exit, Failed, view::View};
use systole_output::status::primitives;
use systole_scheduler::{
    NodeIdx, RscIdx, Status,
    overview::{Overview, ResourceView, ResourceViewKind},
};
use systole_types::{LocalTime, Role};

/// What a name without an instance number finds, beside the resource that has this very name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// Nothing.
    Whole,
    /// The first instance of an anonymous clone.
    OfAnonymous,
    /// The first instance of any clone.
    OfAny,
}

/// The state, and what was found in it.
pub(super) struct Found<'v> {
    pub view: &'v View,
    pub status: Status<'v>,
    pub rsc: Option<RscIdx>,
    pub node: Option<NodeIdx>,
}

impl<'v> Found<'v> {
    /// # Errors
    /// If there is no such node or resource, or it is an instance where that is not meant.
    pub fn of(view: &'v View, args: &Args, command: Command, now: LocalTime) -> anyhow::Result<Self> {
        let status = Status::unpack(&view.cib, now);
        let node = match &args.node {
            None => None,
            Some(name) => Some(status.find_node(name).ok_or_else(|| no_node(name))?),
        };
        let rsc = match (&args.resource, command.finds()) {
            (Some(id), Some(base)) => Some(
                resource(&status, id, base)
                    .ok_or_else(|| Failed::new(Exit::NoSuch, format!("Resource '{id}' not found")))?,
            ),
            _ => None,
        };
        let found = Self { view, status, rsc, node };
        found.check_instance(args, command)?;
        Ok(found)
    }

    fn check_instance(&self, args: &Args, command: Command) -> anyhow::Result<()> {
        let (Some(rsc), Some(id)) = (self.rsc, &args.resource) else { return Ok(()) };
        let parent = self.status.rsc(rsc).parent;
        let is_instance = id.contains(':') && parent.is_some_and(|parent| self.status.rsc(parent).is_clone());
        if command.rejects_instances() && is_instance {
            let message = format!("Cannot operate on clone resource instance '{id}'");
            return Err(Failed::new(Exit::InvalidParam, message).into());
        }
        Ok(())
    }

    /// The resource that a command which needs one is about.
    ///
    /// # Errors
    /// If none was named.
    pub fn resource(&self) -> anyhow::Result<RscIdx> {
        self.rsc.ok_or_else(|| Failed::usage("Must supply a resource ID with -r/--resource"))
    }

    pub fn node_name(&self, node: NodeIdx) -> &str {
        self.status.node(node).name.as_str()
    }

    /// The name of the node that was given.
    pub fn given_node(&self) -> Option<&str> {
        self.node.map(|node| self.node_name(node))
    }

    /// How the resource looks in status displays.
    pub fn shown(&self, rsc: RscIdx) -> Option<&'v ResourceView> {
        let id = self.status.rsc(rsc).id.as_str();
        within(&self.view.overview, id)
    }

    /// On how many nodes a resource is, and the one that counts as its own. A bundle is where its containers are.
    pub fn active(&self, rsc: RscIdx) -> (usize, Option<NodeIdx>) {
        let status = &self.status;
        let Some(bundle) = status.rsc(rsc).bundle() else {
            return (status.n_active(rsc), status.current_node(rsc));
        };
        let mut nodes: Vec<NodeIdx> = Vec::new();
        for replica in &bundle.replicas {
            for node in &status.rsc(replica.container).running_on {
                if !nodes.contains(node) {
                    nodes.push(*node);
                }
            }
        }
        (nodes.len(), nodes.first().copied())
    }

    /// The clone, where its instances were named by the name that they have in common.
    pub fn all_of(&self, rsc: RscIdx, named: &str) -> RscIdx {
        let resource = self.status.rsc(rsc);
        let clone = resource.parent.filter(|parent| self.status.rsc(*parent).is_clone());
        clone.filter(|_| resource.id != *named).unwrap_or(rsc)
    }

    /// Instances of a promotable clone that are promoted.
    pub fn promoted(&self, clone: RscIdx) -> Vec<RscIdx> {
        let rsc = |idx: RscIdx| self.status.rsc(idx);
        let is_promoted = |idx: &RscIdx| rsc(*idx).role == Role::Promoted;
        // A group is as high as its highest member.
        let counts = |child: &RscIdx| is_promoted(child) || rsc(*child).children.iter().any(is_promoted);
        rsc(clone).children.iter().copied().filter(counts).collect()
    }
}

pub(super) fn no_node(name: &str) -> anyhow::Error {
    Failed::no_such(format!("Node '{name}' not found"))
}

/// The first resource, outer ones before what is in them, that a name fits.
fn resource(status: &Status<'_>, id: &str, base: Base) -> Option<RscIdx> {
    let mut open: Vec<RscIdx> = status.roots.iter().rev().copied().collect();
    while let Some(rsc) = open.pop() {
        let resource = status.rsc(rsc);
        let by_base = match base {
            Base::Whole => false,
            Base::OfAnonymous => !resource.is_unique,
            Base::OfAny => true,
        };
        let is_meant = resource.id == *id
            || resource.history_id.as_ref().is_some_and(|known| *known == *id)
            || by_base && resource.base_id() == id;
        if is_meant {
            return Some(rsc);
        }
        open.extend(resource.children.iter().rev());
    }
    None
}

fn within<'o>(overview: &'o Overview, id: &str) -> Option<&'o ResourceView> {
    let mut open: Vec<&ResourceView> = overview.resources.iter().collect();
    while let Some(view) = open.pop() {
        if view.full_id.as_str() == id {
            return Some(view);
        }
        match &view.kind {
            ResourceViewKind::Primitive(_) => {}
            ResourceViewKind::Group { members } => open.extend(members),
            ResourceViewKind::Clone { instances, .. } => open.extend(instances),
            ResourceViewKind::Bundle { .. } => open.extend(primitives(view)),
        }
    }
    None
}
