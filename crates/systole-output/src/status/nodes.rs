//! The list of nodes.

use super::{ListOptions, primitives, resources};
use crate::outline::{Outline, name_list};
use systole_scheduler::overview::{NodeStateWord, NodeView, NodeViewKind, Overview, ResourceView};

/// A node's state in words: `online`, `standby (with active resources)`, `UNCLEAN (offline)`...
pub fn node_status(node: &NodeView) -> String {
    let word = match node.state {
        NodeStateWord::UncleanOnline => "UNCLEAN (online)",
        NodeStateWord::UncleanPending => "UNCLEAN (pending)",
        NodeStateWord::UncleanOffline => "UNCLEAN (offline)",
        NodeStateWord::Pending => "pending",
        NodeStateWord::StandbyOnFail => "standby (on-fail)",
        NodeStateWord::Standby if node.running.is_empty() => "standby",
        NodeStateWord::Standby => "standby (with active resources)",
        NodeStateWord::OfflineStandby => "OFFLINE (standby)",
        NodeStateWord::Maintenance => "maintenance",
        NodeStateWord::OfflineMaintenance => "OFFLINE (maintenance)",
        NodeStateWord::Online => "online",
        NodeStateWord::Offline => "OFFLINE",
    };
    if node.health == "green" {
        return word.to_owned();
    }
    format!("{word} (health is {})", node.health.to_uppercase())
}

/// Nodes that need a line of their own, then names of those online and offline.
pub fn node_list(overview: &Overview, options: &ListOptions) -> Outline {
    let mut outline = Outline::new();
    let shown = || overview.nodes.iter().filter(|node| options.wants_node(node.name.as_str()));
    if options.detail || options.group_by_node {
        for node in shown() {
            node_with_resources(overview, node, options, &mut outline);
        }
        return outline;
    }
    for node in shown().filter(|node| !is_plain(node)) {
        outline.push(0, format!("{} {}: {}", label(node), node.name, node_status(node)));
    }
    for (title, kind, online) in [
        ("Online", NodeViewKind::Member, true),
        ("OFFLINE", NodeViewKind::Member, false),
        ("RemoteOnline", NodeViewKind::Remote, true),
        ("RemoteOFFLINE", NodeViewKind::Remote, false),
        ("GuestOnline", NodeViewKind::Guest, true),
    ] {
        let names: Vec<&str> = shown()
            .filter(|node| is_plain(node) && kind_listed(node) == kind && node.online == online)
            .map(|node| node.name.as_str())
            .collect();
        if !names.is_empty() {
            outline.push(0, name_list(title, &names));
        }
    }
    outline
}

/// Whether there is no more to say of the node than online or offline.
fn is_plain(node: &NodeView) -> bool {
    matches!(node.state, NodeStateWord::Online | NodeStateWord::Offline) && node.health == "green"
}

fn kind_listed(node: &NodeView) -> NodeViewKind {
    if node.kind == NodeViewKind::Ping { NodeViewKind::Member } else { node.kind }
}

fn label(node: &NodeView) -> &'static str {
    match node.kind {
        NodeViewKind::Member => "Node",
        NodeViewKind::Remote => "RemoteNode",
        NodeViewKind::Guest => "GuestNode",
        NodeViewKind::Ping => "Ping",
    }
}

/// `NAME`, with id or host where details are asked for: `controller-0 (1)`, `galera-bundle-0@controller-0`.
pub(super) fn node_name(node: &NodeView, detail: bool) -> String {
    match (detail, node.kind) {
        (false, _) => node.name.to_string(),
        (true, NodeViewKind::Guest) => {
            format!("{}@{}", node.name, node.host.as_ref().map_or("", |host| host.as_str()))
        }
        (true, _) if node.uuid.as_str() != node.name.as_str() => format!("{} ({})", node.name, node.uuid),
        (true, _) => node.name.to_string(),
    }
}

fn node_with_resources(overview: &Overview, node: &NodeView, options: &ListOptions, outline: &mut Outline) {
    let mut line = format!("{} {}: {}", label(node), node_name(node, options.detail), node_status(node));
    if options.detail
        && let Some(features) = features_shown(node)
    {
        line.push_str(&format!(", feature set {features}"));
    }
    if !options.group_by_node {
        outline.push(0, line);
        return;
    }
    let running: Vec<&ResourceView> =
        running_on(overview, node).into_iter().filter(|view| wanted_here(overview, view, options)).collect();
    if options.brief && running.is_empty() {
        return;
    }
    outline.push(0, line + ":");
    outline.push(1, "Resources:");
    if options.brief {
        for text in resources::brief_counts(&running, false, resources::Names::Hidden) {
            outline.push(2, text);
        }
        return;
    }
    for view in running.into_iter().filter(|view| options.detail || !resources::is_internal(view)) {
        let mut text = resources::primitive_text(view, view.id.as_str(), resources::At::Nowhere);
        if let Some(description) = &view.flags.description {
            text.push_str(&format!(" ({description})"));
        }
        outline.push(2, text);
    }
}

/// Features of a member that is online and to stay so; one that does not say is from before it was said.
pub(super) fn features_shown(node: &NodeView) -> Option<&str> {
    let is_shown = node.online && node.expected_up && node.kind == NodeViewKind::Member;
    is_shown.then(|| node.feature_set.as_deref().unwrap_or("<3.15.1"))
}

/// The instances that run on `node`, in the order found.
pub(super) fn running_on<'a>(overview: &'a Overview, node: &NodeView) -> Vec<&'a ResourceView> {
    let all: Vec<&ResourceView> = overview.resources.iter().flat_map(primitives).collect();
    let is_here = |view: &&&ResourceView| super::places(view).contains(node.name.as_str());
    node.running
        .iter()
        .filter_map(|id| {
            all.iter()
                .filter(is_here)
                .find(|view| view.full_id == *id)
                .or_else(|| all.iter().filter(is_here).find(|view| view.id == *id))
                .copied()
        })
        .collect()
}

/// Whether a resource, or what it is part of, is among those that are wanted.
pub(super) fn wanted_here(overview: &Overview, view: &ResourceView, options: &ListOptions) -> bool {
    options.names(view)
        || overview
            .resources
            .iter()
            .any(|root| options.names(root) && primitives(root).iter().any(|part| std::ptr::eq(*part, view)))
}
