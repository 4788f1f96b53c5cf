//! The state of the cluster, from [`systole_scheduler::Overview`].
//!
//! Layouts are those of Pacemaker's `crm_mon` ([`text`], [`xml`]), and of its releases before 2.0 ([`classic`]).

pub mod classic;
mod html;
mod nodes;
mod resources;
mod text;
mod xml;

pub use self::html::{Page, status_html, unreachable_html};
pub use self::xml::{active_resource_tree, resource_tree, status_tree};
pub use nodes::{node_list, node_status};
pub use resources::{primitive_line, resource_lines, resource_list};
pub use text::{Section, TextOptions, failure_line, status_lists, status_text};

use std::collections::BTreeSet;
use systole_scheduler::overview::{
    FailureView, NodeHistoryView, NodeView, Overview, ResourceHistoryView, ResourceView, ResourceViewKind,
};
use systole_types::{OcfRc, OpStatus};

/// What to list, and how.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// Inactive resources too.
    pub inactive: bool,
    /// Every instance and every part of bundles by itself, ids of nodes.
    pub detail: bool,
    /// Descriptions of resources, also without details.
    pub describe: bool,
    /// Only counts of primitives.
    pub brief: bool,
    /// Resources below the nodes they are on.
    pub group_by_node: bool,
    /// Where a resource runs is left out.
    pub hide_nodes: bool,
    /// Only these nodes; all if `None`.
    pub nodes: Option<BTreeSet<String>>,
    /// Only these resources; all if `None`.
    pub resources: Option<BTreeSet<String>>,
}

impl ListOptions {
    /// Whether descriptions are shown.
    pub const fn describes(&self) -> bool {
        self.detail || self.describe
    }

    /// Whether the node is asked for.
    pub fn wants_node(&self, name: &str) -> bool {
        self.nodes.as_ref().is_none_or(|nodes| nodes.contains(name))
    }

    /// Whether this very resource is asked for.
    pub fn names(&self, view: &ResourceView) -> bool {
        self.resources
            .as_ref()
            .is_none_or(|wanted| wanted.contains(view.id.as_str()) || wanted.contains(view.full_id.as_str()))
    }

    /// Whether the resource or any part of it is asked for.
    pub fn wants(&self, view: &ResourceView) -> bool {
        self.names(view) || parts(view).into_iter().any(|part| self.wants(part))
    }

    /// Whether a resource that runs (or does not) where it does is shown under the choice of nodes.
    fn is_at_wanted_node(&self, view: &ResourceView) -> bool {
        match &self.nodes {
            None => true,
            Some(wanted) => {
                let places = places(view);
                places.is_empty() || places.iter().any(|place| wanted.contains(*place))
            }
        }
    }
}

/// Histories of nodes that are asked for and online. If there are none, nothing is said about histories at all.
fn histories<'v>(
    overview: &'v Overview,
    options: &ListOptions,
) -> impl Iterator<Item = (&'v NodeView, &'v NodeHistoryView)> {
    overview.history.iter().filter_map(|history| {
        let node = overview.nodes.iter().find(|node| node.name == history.node)?;
        (node.online && options.wants_node(node.name.as_str())).then_some((node, history))
    })
}

/// Direct parts of a collective resource.
fn parts(view: &ResourceView) -> Vec<&ResourceView> {
    match &view.kind {
        ResourceViewKind::Primitive(_) => Vec::new(),
        ResourceViewKind::Group { members } => members.iter().collect(),
        ResourceViewKind::Clone { instances, .. } => instances.iter().collect(),
        ResourceViewKind::Bundle { replicas, .. } => replicas.iter().flat_map(replica_parts).collect(),
    }
}

/// A replica's resources in the order they are shown in.
fn replica_parts(replica: &systole_scheduler::overview::ReplicaView) -> impl Iterator<Item = &ResourceView> {
    replica.ip.iter().chain(&replica.child).chain([&replica.container]).chain(&replica.remote)
}

/// Names of the nodes a resource runs on, of all its parts.
fn places(view: &ResourceView) -> BTreeSet<&str> {
    match &view.kind {
        ResourceViewKind::Primitive(primitive) => primitive.nodes.iter().map(|p| p.node.as_str()).collect(),
        _ => parts(view).into_iter().flat_map(places).collect(),
    }
}

/// Whether a failure is worth showing: a probe that finds the agent missing or misconfigured on a node where the
/// resource is not wanted is none.
fn is_worth_showing(failure: &FailureView) -> bool {
    let is_probe = failure.interval_ms == 0 && matches!(&*failure.task, "monitor" | "probe");
    let is_expected = matches!(failure.rc, OcfRc::NotInstalled | OcfRc::InvalidParam)
        || failure.status == OpStatus::NotInstalled;
    !(is_probe && is_expected)
}

/// Operations worth showing, with the word for each: not notifications, nor probes that found nothing.
fn operations_shown(history: &ResourceHistoryView) -> impl Iterator<Item = (&str, &FailureView)> {
    history.operations.iter().filter_map(|operation| {
        let is_probe = operation.interval_ms == 0 && &*operation.task == "monitor";
        let is_dull = &*operation.task == "notify" || (is_probe && operation.rc == OcfRc::NotRunning);
        (!is_dull).then(|| (if is_probe { "probe" } else { &*operation.task }, operation))
    })
}

/// All instances of agents below (or at) `view`.
pub fn primitives(view: &ResourceView) -> Vec<&ResourceView> {
    match &view.kind {
        ResourceViewKind::Primitive(_) => vec![view],
        _ => parts(view).into_iter().flat_map(primitives).collect(),
    }
}

/// `ocf:heartbeat:podman`.
pub fn agent_text(agent: &systole_cib::model::Agent) -> String {
    match &agent.provider {
        Some(provider) => format!("{}:{provider}:{}", agent.class, agent.kind),
        None => format!("{}:{}", agent.class, agent.kind),
    }
}
