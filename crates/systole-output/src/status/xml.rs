//! The status as a tree, in the elements of Pacemaker's result schema.

use super::{
    ListOptions, Section, TextOptions, agent_text, histories,
    nodes::{features_shown, running_on, wanted_here},
    parts,
};
use crate::{
    tree::Tree,
    words::{date_text, iso_text, op_status_text, rc_text},
};
use systole_scheduler::overview::{
    FailureView, NodeView, NodeViewKind, Overview, PrimitiveView, ReplicaView, ResourceHistoryView,
    ResourceView, ResourceViewKind, Summary,
};
use systole_types::{Score, Timestamp};

/// The elements of the status, for an [`Envelope`](crate::tree::Envelope).
pub fn status_tree(overview: &Overview, options: &TextOptions) -> Vec<Tree> {
    let has = |section| options.sections.contains(&section);
    let mut trees = Vec::new();
    let summary = summary(&overview.summary, options);
    if !summary.is_childless() {
        trees.push(summary);
    }
    if has(Section::Nodes) {
        let shown = overview.nodes.iter().filter(|node| options.list.wants_node(node.name.as_str()));
        trees.push(Tree::new("nodes").children(shown.map(|node| node_tree(overview, node, &options.list))));
    }
    if has(Section::Resources) {
        trees.extend(resources(overview, options));
    }
    for (section, tree) in [
        (Section::Attributes, attributes(overview, options)),
        (Section::Operations, history(overview, options)),
        (Section::Failures, failures(overview, options)),
        (Section::Tickets, tickets(overview, options)),
        (Section::Bans, bans(overview, options)),
    ] {
        let is_wanted = has(section) || (section == Section::Operations && has(Section::FailCounts));
        let is_said_empty =
            section == Section::Operations && histories(overview, &options.list).next().is_some();
        if is_wanted && (!tree.is_childless() || is_said_empty) {
            trees.push(tree);
        }
    }
    trees
}

fn summary(summary: &Summary, options: &TextOptions) -> Tree {
    let has = |section| options.sections.contains(&section);
    let mut tree = Tree::new("summary");
    if has(Section::Stack) {
        tree.push(Tree::new("stack").attr("type", summary.stack.as_deref().unwrap_or("unknown")));
    }
    if has(Section::Dc) {
        tree.push(dc(summary));
    }
    if has(Section::Times) {
        let now = date_text(options.now, options.utc_offset);
        tree.push(Tree::new("last_update").attr("time", now));
        let change = &summary.last_change;
        tree.push(
            Tree::new("last_change")
                .attr("time", change.at.as_deref().unwrap_or(""))
                .attr("user", change.user.as_deref().unwrap_or(""))
                .attr("client", change.client.as_deref().unwrap_or(""))
                .attr("origin", change.origin.as_deref().unwrap_or("")),
        );
    }
    if has(Section::Counts) {
        tree.push(Tree::new("nodes_configured").attr("number", summary.n_nodes));
        tree.push(
            Tree::new("resources_configured")
                .attr("number", summary.n_instances)
                .attr("disabled", summary.n_disabled)
                .attr("blocked", summary.n_blocked),
        );
    }
    if has(Section::Options) {
        tree.push(cluster_options(summary));
    }
    tree
}

fn dc(summary: &Summary) -> Tree {
    match &summary.dc {
        None => Tree::new("current_dc").attr("present", false),
        Some((name, uuid)) => Tree::new("current_dc")
            .attr("present", true)
            .attr("version", summary.dc_version.as_deref().unwrap_or(""))
            .attr("name", name.as_str())
            .attr("id", uuid.as_str())
            .attr("with_quorum", summary.has_quorum)
            .attr("mixed_version", summary.has_mixed_versions),
    }
}

fn cluster_options(summary: &Summary) -> Tree {
    Tree::new("cluster_options")
        .attr("fencing-enabled", summary.fencing_enabled)
        .attr("fencing-timeout-ms", summary.fencing_timeout_ms)
        .attr("symmetric-cluster", summary.symmetric)
        .attr("no-quorum-policy", summary.no_quorum_policy)
        .attr("maintenance-mode", summary.maintenance)
        .attr("stop-all-resources", summary.stop_all)
        .attr("priority-fencing-delay-ms", summary.priority_fencing_delay_ms)
        .attr("stonith-enabled", summary.fencing_enabled)
        .attr("stonith-timeout-ms", summary.fencing_timeout_ms)
}

fn node_tree(overview: &Overview, node: &NodeView, options: &ListOptions) -> Tree {
    let (kind, container) = match node.kind {
        NodeViewKind::Member => ("member", None),
        NodeViewKind::Ping => ("ping", None),
        NodeViewKind::Remote => ("remote", None),
        NodeViewKind::Guest => ("remote", node.container.as_ref().map(|id| id.as_str())),
    };
    let running = running_on(overview, node);
    let tree = Tree::new("node")
        .attr("name", node.name.as_str())
        .attr("id", node.uuid.as_str())
        .attr("online", node.online)
        .attr("standby", node.standby)
        .attr("standby_onfail", node.standby_on_fail)
        .attr("maintenance", node.maintenance)
        .attr("pending", node.pending)
        .attr("unclean", node.unclean)
        .attr("health", node.health)
        .maybe("feature_set", features_shown(node))
        .attr("shutdown", node.shutdown)
        .attr("expected_up", node.expected_up)
        .attr("is_dc", node.is_dc)
        .attr("resources_running", node.running.len())
        .attr("type", kind)
        .maybe("id_as_resource", container);
    if !options.group_by_node {
        return tree;
    }
    let running = running.into_iter().filter(|view| wanted_here(overview, view, options));
    tree.children(running.map(|view| primitive_tree(view, true)))
}

fn resources(overview: &Overview, options: &TextOptions) -> Option<Tree> {
    let list = &options.list;
    let listed: Vec<&ResourceView> = overview.resources.iter().filter(|view| is_listed(view, list)).collect();
    // Those that are not asked for still make a list, as with Pacemaker's tool.
    let wanted = listed.iter().filter(|view| list.wants(view));
    let parts = wanted.map(|view| resource_part(view, list, list.names(view)));
    (!listed.is_empty()).then(|| Tree::new("resources").children(parts))
}

/// Whether a resource has a place in the list by its state, and by where it is. Below nodes, only what is active nowhere is left for the list.
fn is_listed(view: &ResourceView, list: &ListOptions) -> bool {
    let flags = &view.flags;
    let is_out_by_state = match list.group_by_node {
        true => flags.active,
        false if flags.partially_active => !list.is_at_wanted_node(view),
        false => !list.inactive,
    };
    (flags.active || !flags.removed) && !is_out_by_state
}

/// A resource with all its parts.
pub fn resource_tree(view: &ResourceView) -> Tree {
    resource_part(view, &ListOptions { inactive: true, describe: true, ..ListOptions::default() }, true)
}

/// A resource by itself; of groups only members that run, and nothing of a group of which none does.
pub fn active_resource_tree(view: &ResourceView) -> Option<Tree> {
    let is_group = matches!(view.kind, ResourceViewKind::Group { .. });
    let tree = resource_part(view, &ListOptions::default(), true);
    (!is_group || !tree.is_childless()).then_some(tree)
}

/// A resource with those parts that are asked for; all if the whole is.
fn resource_part(view: &ResourceView, options: &ListOptions, named: bool) -> Tree {
    let wanted = |part: &&ResourceView| (named || options.wants(part)) && options.is_at_wanted_node(part);
    let is_group = matches!(view.kind, ResourceViewKind::Group { .. });
    let wanted = |part: &&ResourceView| wanted(part) && (!is_group || options.inactive || part.flags.active);
    let flags = &view.flags;
    let description = flags.description.as_deref().filter(|_| options.describes());
    match &view.kind {
        ResourceViewKind::Primitive(_) => primitive_tree(view, options.describes()),
        ResourceViewKind::Group { members } => Tree::new("group")
            .attr("id", view.full_id.as_str())
            // Of a group that is shown in part, Pacemaker counts from the first member that is shown.
            .attr("number_resources", members.iter().skip_while(|part| !wanted(part)).count())
            .attr("maintenance", flags.maintenance)
            .attr("managed", flags.managed)
            .attr("disabled", flags.disabled)
            .maybe("description", description)
            .children(members.iter().filter(wanted).map(|part| primitive_tree(part, options.describes()))),
        ResourceViewKind::Clone { unique, promotable, instances, .. } => Tree::new("clone")
            .attr("id", view.id.as_str())
            .attr("multi_state", *promotable)
            .attr("unique", *unique)
            .attr("maintenance", flags.maintenance)
            .attr("managed", flags.managed)
            .attr("disabled", flags.disabled)
            .attr("failed", flags.failed)
            .attr("failure_ignored", flags.failure_ignored)
            .maybe("target_role", flags.target_role_text.as_deref())
            .maybe("description", description)
            .children(
                instances
                    .iter()
                    .filter(wanted)
                    .map(|instance| resource_part(instance, options, named || options.names(instance))),
            ),
        ResourceViewKind::Bundle { runtime, image, unique, replicas, .. } => Tree::new("bundle")
            .attr("id", view.id.as_str())
            .attr("type", *runtime)
            .attr("image", &**image)
            .attr("unique", *unique)
            .attr("maintenance", flags.maintenance)
            .attr("managed", flags.managed)
            .attr("failed", flags.failed)
            .maybe("description", description)
            .children(replicas.iter().filter_map(|replica| replica_tree(replica, options, named))),
    }
}

fn replica_tree(replica: &ReplicaView, options: &ListOptions, named: bool) -> Option<Tree> {
    if !options.is_at_wanted_node(&replica.container) {
        return None;
    }
    let shown = super::replica_parts(replica).filter(|part| named || options.names(part));
    let tree = Tree::new("replica")
        .attr("id", replica.number.to_string())
        .children(shown.map(|part| primitive_tree(part, options.describes())));
    (!tree.is_childless()).then_some(tree)
}

/// The operation under way that does not change what a resource is.
const MONITORING: &str = "Monitoring";

/// An instance of an agent, with its description if that is wanted.
fn primitive_tree(view: &ResourceView, describe: bool) -> Tree {
    let ResourceViewKind::Primitive(primitive) = &view.kind else {
        let parts = parts(view).into_iter().map(|part| primitive_tree(part, describe));
        return Tree::new("resource").children(parts);
    };
    let flags = &view.flags;
    Tree::new("resource")
        .attr("id", view.id.as_str())
        .attr("resource_agent", agent_text(&primitive.agent))
        .attr("role", primitive.pending.filter(|word| *word != MONITORING).unwrap_or(primitive.role.as_str()))
        .maybe("target_role", flags.target_role_text.as_deref())
        .attr("active", flags.active)
        .attr("orphaned", flags.removed)
        .attr("removed", flags.removed)
        .attr("blocked", flags.blocked)
        .attr("maintenance", flags.maintenance)
        .attr("managed", flags.managed)
        .attr("failed", flags.failed)
        .attr("failure_ignored", flags.failure_ignored)
        .attr("nodes_running_on", primitive.nodes.len())
        .maybe("pending", primitive.pending.filter(|word| *word == MONITORING))
        .maybe("locked_to", flags.locked_to.as_ref().map(|node| node.as_str()))
        .maybe("description", flags.description.as_deref().filter(|_| describe))
        .children(places(primitive))
}

fn places(primitive: &PrimitiveView) -> impl Iterator<Item = Tree> {
    primitive.nodes.iter().map(|place| {
        Tree::new("node")
            .attr("name", place.node.as_str())
            .attr("id", place.uuid.as_str())
            .attr("cached", place.online)
    })
}

fn attributes(overview: &Overview, options: &TextOptions) -> Tree {
    let shown = overview.nodes.iter().filter(|node| {
        options.list.wants_node(node.name.as_str()) && node.online && !node.attributes.is_empty()
    });
    Tree::new("node_attributes").children(shown.map(|node| {
        Tree::new("node").attr("name", node.name.as_str()).children(node.attributes.iter().map(|attribute| {
            Tree::new("attribute")
                .attr("name", &*attribute.name)
                .attr("value", &*attribute.value)
                .maybe("expected", attribute.expected)
        }))
    }))
}

fn history(overview: &Overview, options: &TextOptions) -> Tree {
    let all = options.sections.contains(&Section::Operations);
    let mut tree = Tree::new("node_history");
    for (_, history) in histories(overview, &options.list) {
        let shown = history
            .resources
            .iter()
            .filter(|resource| super::text::wants_history(overview, options, resource))
            .filter(|resource| {
                if all { super::operations_shown(resource).next().is_some() } else { has_failed(resource) }
            })
            .map(|resource| resource_history(resource, options, all));
        let node = Tree::new("node").attr("name", history.node.as_str()).children(shown);
        if !node.is_childless() {
            tree.push(node);
        }
    }
    tree
}

fn has_failed(resource: &ResourceHistoryView) -> bool {
    resource.fail_count != Score::ZERO || resource.last_failure.is_some()
}

fn resource_history(resource: &ResourceHistoryView, options: &TextOptions, all: bool) -> Tree {
    let date = |at: Timestamp| date_text(at, options.utc_offset);
    let mut tree = Tree::new("resource_history")
        .attr("id", if all { &resource.resource } else { &resource.id }.as_str())
        .attr("orphan", resource.removed)
        .attr("removed", resource.removed);
    if !resource.removed {
        tree = tree.attr("migration-threshold", resource.migration_threshold.value());
        if has_failed(resource) {
            tree = tree
                .attr("fail-count", resource.fail_count.value())
                .maybe("last-failure", resource.last_failure.map(date));
        }
    }
    if !all {
        return tree;
    }
    tree.children(super::operations_shown(resource).map(|(task, operation)| {
        Tree::new("operation_history")
            .attr("call", operation.call)
            .attr("task", task)
            .attr("rc", operation.rc.code())
            .attr("rc_text", rc_text(operation.rc))
            .maybe("interval", (operation.interval_ms > 0).then(|| format!("{}ms", operation.interval_ms)))
            .maybe("last-rc-change", operation.last_rc_change.map(date))
            .maybe("exec-time", operation.exec_ms.map(|ms| format!("{ms}ms")))
            .maybe("queue-time", operation.queued_ms.map(|ms| format!("{ms}ms")))
    }))
}

fn failures(overview: &Overview, options: &TextOptions) -> Tree {
    let wanted = |failure: &&FailureView| {
        super::is_worth_showing(failure)
            && options.list.wants_node(failure.node.as_str())
            && options.list.resources.as_ref().is_none_or(|wanted| wanted.contains(failure.resource.as_str()))
    };
    Tree::new("failures").children(overview.failures.iter().filter(wanted).map(|failure| {
        let tree = Tree::new("failure")
            .attr(if failure.has_key { "op_key" } else { "id" }, &*failure.key)
            .attr("node", failure.node.as_str())
            .attr("exitstatus", rc_text(failure.rc))
            .attr("exitreason", failure.exit_reason.as_deref().unwrap_or("none"))
            .attr("exitcode", failure.rc.code())
            .attr("call", failure.call)
            .attr("status", op_status_text(failure.status));
        let Some(at) = failure.last_rc_change else { return tree };
        tree.attr("last-rc-change", iso_text(at, options.utc_offset))
            .maybe("queued", failure.queued_ms)
            .maybe("exec", failure.exec_ms)
            .attr("interval", failure.interval_ms)
            .attr("task", &*failure.task)
    }))
}

fn tickets(overview: &Overview, options: &TextOptions) -> Tree {
    Tree::new("tickets").children(overview.tickets.iter().map(|ticket| {
        let tree = Tree::new("ticket")
            .attr("id", &*ticket.id)
            .attr("status", if ticket.granted { "granted" } else { "revoked" })
            .attr("standby", ticket.standby)
            .maybe("last-granted", ticket.last_granted.map(|at| date_text(at, options.utc_offset)));
        ticket.other.iter().fold(tree, |tree, (name, value)| tree.attr(name, &**value))
    }))
}

fn bans(overview: &Overview, options: &TextOptions) -> Tree {
    Tree::new("bans").children(overview.bans.iter().filter(|ban| super::text::is_wanted(ban, options)).map(
        |ban| {
            Tree::new("ban")
                .attr("id", ban.id.as_str())
                .attr("resource", ban.resource.as_str())
                .attr("node", ban.node.as_str())
                .attr("weight", ban.score.value())
                .attr("promoted-only", ban.promoted_only)
                .attr("master_only", ban.promoted_only)
        },
    ))
}
