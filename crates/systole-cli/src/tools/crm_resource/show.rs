//! What is known of resources.

use super::Args;
use crate::{Failed, edit, report::Report, resource_ops, view::View};
use systole_output::{
    outline::Style,
    status::{ListOptions, agent_text, primitives, resource_list, resource_tree},
    tree::Tree,
    words::op_status_text,
};
use systole_scheduler::overview::{FailureView, Overview, ResourceView, ResourceViewKind};
use systole_types::Role;

/// All resources with their state.
pub(super) fn list(view: &View) -> Report {
    let options = ListOptions { inactive: true, hide_nodes: true, ..ListOptions::default() };
    let mut list = resource_list(&view.overview, &options);
    if list.is_empty() {
        list.push(0, "No resources");
    }
    let trees = Tree::new("resources").children(view.overview.resources.iter().map(resource_tree));
    Report::new(format!("Full List of Resources:\n{}", list.render(Style::default())), trees)
}

/// Names of all instances.
pub(super) fn list_raw(view: &View) -> Report {
    let mut report = Report::silent();
    let mut tree = Tree::new("resources");
    for root in &view.overview.resources {
        for instance in raw_order(root) {
            report.text.push_str(&format!("{}\n", instance.full_id));
            tree.push(Tree::new("resource").attr("id", instance.full_id.as_str()));
        }
    }
    report.trees.push(tree);
    report
}

/// Of a bundle, what runs it comes before what it runs.
fn raw_order(root: &ResourceView) -> Vec<&ResourceView> {
    let ResourceViewKind::Bundle { replicas, .. } = &root.kind else { return primitives(root) };
    let outer = replicas
        .iter()
        .flat_map(|replica| replica.ip.iter().chain([&replica.container]).chain(&replica.remote));
    outer.chain(replicas.iter().filter_map(|replica| replica.child.as_ref())).collect()
}

/// The resource's state and configuration.
pub(super) fn query(view: &View, id: &str, raw: bool) -> anyhow::Result<Report> {
    let element = edit::resource(&view.document, id)?;
    let xml = element.to_text();
    let mut report = Report::silent();
    let mut tree = Tree::new("resource_config");
    if !raw {
        let state: Vec<ResourceView> =
            resource_ops::find_views(&view.overview, id)?.into_iter().cloned().collect();
        tree = tree.children(state.iter().map(resource_tree));
        let alone = Overview { resources: state, ..view.overview.clone() };
        let options = ListOptions { inactive: true, ..ListOptions::default() };
        report.text = resource_list(&alone, &options).render(Style { depth: 0, bullet: "" });
        report.text.push_str("Resource XML:\n");
    }
    report.text.push_str(&xml);
    report.trees.push(tree.child(Tree::with_cdata("xml", xml)));
    Ok(report)
}

/// Where the resource runs.
pub(super) fn locate(view: &View, id: &str, quiet: bool) -> anyhow::Result<Report> {
    let mut places = Vec::new();
    for resource in resource_ops::find_views(&view.overview, id)? {
        locations(resource, &mut places);
    }
    // The reference finds instances in this order, and scripts have been seen to take the first.
    places.reverse();
    let mut report = Report::silent();
    let mut tree = Tree::new("nodes").attr("resource", id);
    for (node, promoted) in &places {
        report.text.push_str(&if quiet {
            format!("{node}\n")
        } else {
            format!("resource {id} is running on: {node}{}\n", if *promoted { " Promoted" } else { "" })
        });
        let place = Tree::with_text("node", node.as_str());
        tree.push(place.maybe("state", promoted.then_some("promoted")));
    }
    if places.is_empty() && !quiet {
        report.errors.push(format!("resource {id} is NOT running"));
    }
    report.trees.push(tree);
    Ok(report)
}

fn locations(resource: &ResourceView, places: &mut Vec<(String, bool)>) {
    match &resource.kind {
        ResourceViewKind::Primitive(primitive) => {
            let promoted = primitive.role == Role::Promoted;
            places.extend(primitive.nodes.iter().map(|place| (place.node.to_string(), promoted)));
        }
        ResourceViewKind::Group { members } => {
            let mut inner = Vec::new();
            members.iter().for_each(|member| locations(member, &mut inner));
            for (node, _) in inner {
                if !places.iter().any(|(known, _)| *known == node) {
                    places.push((node, false));
                }
            }
        }
        ResourceViewKind::Clone { instances, .. } => {
            instances.iter().for_each(|instance| locations(instance, places));
        }
        ResourceViewKind::Bundle { replicas, .. } => {
            for replica in replicas {
                for part in [Some(&replica.container), replica.child.as_ref()].into_iter().flatten() {
                    let mut inner = Vec::new();
                    locations(part, &mut inner);
                    places.extend(inner.into_iter().map(|(node, _)| (node, false)));
                }
            }
        }
    }
}

/// Recorded operations.
///
/// # Errors
/// If there is no such node. A resource that nobody knows has no history, as in the incumbent.
pub(super) fn operations(view: &View, args: &Args, all: bool) -> anyhow::Result<Report> {
    let overview = &view.overview;
    let is_known = |name: &str| overview.nodes.iter().any(|node| node.name.as_str() == name);
    if let Some(name) = args.node.as_deref().filter(|name| !is_known(name)) {
        return Err(Failed::no_such(format!("Node '{name}' not found")));
    }
    let instances: Vec<&ResourceView> = overview.resources.iter().flat_map(primitives).collect();
    let mut report = Report::silent();
    let mut tree = Tree::new("operations");
    for history in &overview.history {
        if args.node.as_deref().is_some_and(|wanted| history.node.as_str() != wanted) {
            continue;
        }
        for resource in &history.resources {
            let name = resource.resource.as_str();
            if args.resource.as_deref().is_some_and(|wanted| name != wanted) {
                continue;
            }
            let instance =
                instances.iter().find(|view| view.full_id.as_str() == name || view.id.as_str() == name);
            let agent = instance.and_then(|view| match &view.kind {
                ResourceViewKind::Primitive(primitive) => {
                    Some((agent_text(&primitive.agent), primitive.role))
                }
                _ => None,
            });
            for operation in if all { &resource.operations[..] } else { since_start(&resource.operations) } {
                let lead = match &agent {
                    Some((agent, role)) => format!("{name}\t({agent}):\t {role}: "),
                    None => format!("{name}: "),
                };
                report.text.push_str(&format!(
                    "{lead}{} (node={}, call={}, rc={}, exec={}ms): {}\n",
                    operation.key,
                    operation.node,
                    operation.call,
                    operation.rc.code(),
                    operation.exec_ms.unwrap_or(0),
                    op_status_text(operation.status)
                ));
                tree.push(
                    Tree::new("operation")
                        .attr("op", &*operation.key)
                        .attr("node", operation.node.as_str())
                        .attr("call", operation.call)
                        .attr("rc", operation.rc.code())
                        .attr("status", op_status_text(operation.status))
                        .attr("rsc", name)
                        .maybe("agent", agent.as_ref().map(|(agent, _)| with_all_parts(agent)))
                        .maybe("exec-time", operation.exec_ms),
                );
            }
        }
    }
    report.trees.push(tree);
    Ok(report)
}

/// Of operations in the order they were called, those since the last start; none if a stop came after it.
fn since_start(operations: &[FailureView]) -> &[FailureView] {
    let last = |tasks: &[&str]| operations.iter().rposition(|operation| tasks.contains(&&*operation.task));
    match (last(&["start", "migrate_from"]), last(&["stop", "migrate_to"])) {
        (start, Some(stop)) if start.is_none_or(|start| start < stop) => &[],
        (Some(start), _) => &operations[start..],
        _ => operations,
    }
}

/// The agent with three parts, the middle one empty where there is no provider: as this list has always shown it.
fn with_all_parts(agent: &str) -> String {
    match agent.split(':').count() {
        2 => agent.replacen(':', "::", 1),
        _ => agent.to_owned(),
    }
}
