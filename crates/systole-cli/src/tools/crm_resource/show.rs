//! What is known of resources.

use super::{Args, find::Found};
use crate::{Exit, edit, report::Report, view::View};
use systole_cib::{
    upgrade,
    xml::{Document, Key},
};
use systole_output::{
    outline::Style,
    status::{
        ListOptions, active_resource_tree, agent_text, primitive_line, primitives, resource_lines,
        resource_list, resource_tree,
    },
    tree::Tree,
    words::{date_text, op_status_text},
};
use systole_scheduler::{
    Resource,
    overview::{FailureView, ResourceView, ResourceViewKind},
};
use systole_types::{OcfRc, OpStatus, Role};

/// All resources with their state. None is no success.
pub(super) fn list(view: &View) -> Report {
    let options = ListOptions { inactive: true, hide_nodes: true, describe: true, ..ListOptions::default() };
    let list = resource_list(&view.overview, &options);
    if view.overview.resources.is_empty() {
        return Report { text: "No resources\n".to_owned(), ..Report::default() }.ending(Exit::NoSuch);
    }
    let is_there = |view: &&ResourceView| view.flags.active || !view.flags.removed;
    let listed = view.overview.resources.iter().filter(is_there);
    let trees = Tree::new("resources").children(listed.map(resource_tree));
    Report::new(format!("Full List of Resources:\n{}", list.render(Style::default())), trees)
}

/// Names of all instances.
pub(super) fn list_raw(view: &View) -> Report {
    let instances: Vec<&ResourceView> = view.overview.resources.iter().flat_map(raw_order).collect();
    if view.overview.resources.is_empty() {
        let errors = vec!["NO resources configured\n".to_owned()];
        return Report { errors, ..Report::default() }.ending(Exit::NoSuch);
    }
    let text = instances.iter().map(|instance| format!("{}\n", instance.full_id)).collect::<String>();
    let items = instances
        .iter()
        .map(|instance| Tree::with_text("item", instance.full_id.as_str()).attr("name", "resource"));
    let list = Tree::new("list").attr("name", "resource names").attr("count", instances.len().to_string());
    Report::new(text, list.children(items))
}

/// Of a bundle, what runs it comes before what it runs.
fn raw_order(root: &ResourceView) -> Vec<&ResourceView> {
    let ResourceViewKind::Bundle { replicas, .. } = &root.kind else { return primitives(root) };
    let outer = replicas
        .iter()
        .flat_map(|replica| [&replica.container].into_iter().chain(&replica.ip).chain(&replica.remote));
    outer.chain(replicas.iter().filter_map(|replica| replica.child.as_ref())).collect()
}

/// Whether templates are put into what is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Templates {
    Expanded,
    Named,
}

/// The resource's state and configuration.
pub(super) fn query(found: &Found<'_>, templates: Templates) -> anyhow::Result<Report> {
    let rsc = found.resource()?;
    let mut report = Report::silent();
    let mut tree = Tree::new("resource_config");
    if let Some(state) = found.shown(rsc) {
        tree = tree.children(active_resource_tree(state));
        let lines = resource_lines(&found.view.overview, state);
        report.text = lines.lines().map(|(_, line)| format!("{line}\n")).collect();
        report.text.push_str("Resource XML:\n");
    }
    let xml = configuration(found, templates)?;
    report.text.push_str(&xml);
    report.trees.push(tree.child(Tree::with_cdata("xml", xml)));
    Ok(report)
}

/// The resource's element as the scheduler has it: in clones with the instance's number beside its id.
fn configuration(found: &Found<'_>, templates: Templates) -> anyhow::Result<String> {
    let resource = found.status.rsc(found.resource()?);
    let newest = upgrade::for_reading(&found.view.document).ok().flatten();
    let mut copy = newest.map_or_else(|| found.view.document.clone(), |upgraded| upgraded.document);
    let key = edit::resource(&copy, resource.base_id())?.key();
    let members: Vec<Key> =
        copy.element(key).children_named("primitive").map(|member| member.key()).collect();
    for key in [key].into_iter().chain(members) {
        if let Some(number) = resource.instance.filter(|_| !resource.is_clone()) {
            copy.set_attr(key, "clone", &number.to_string());
        }
        if templates == Templates::Expanded {
            put_in_template(&mut copy, key);
        }
    }
    Ok(copy.element(key).to_text())
}

/// A primitive that names a template has what that has, and then its own.
fn put_in_template(copy: &mut Document, primitive: Key) {
    let name = copy.element(primitive).attr("template").map(str::to_owned);
    let template = name.and_then(|name| {
        let resources = edit::section(copy, "resources")?;
        resources.children_named("template").find(|it| it.id() == Some(&name)).map(|it| it.key())
    });
    let Some(template) = template else { return };
    copy.remove_attr(primitive, "template");
    let attrs: Vec<(String, String)> = copy
        .element(template)
        .attrs()
        .filter(|(name, _)| *name != "id")
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let number = copy.element(primitive).attr("clone").map(str::to_owned);
    copy.remove_attr(primitive, "clone");
    for (name, value) in attrs {
        copy.set_attr(primitive, &name, &value);
    }
    if let Some(number) = number {
        copy.set_attr(primitive, "clone", &number);
    }
    let source = copy.clone();
    let first = copy.element(primitive).children().next().map(|child| child.key());
    let own = source.element(primitive).child("operations");
    for child in source.element(template).children() {
        match own.filter(|_| child.is("operations")) {
            None => _ = copy.import(primitive, first, child),
            Some(own) => {
                // Operations of the template that the primitive does not have of its own.
                let is_own = |op: &systole_cib::xml::Element<'_>| {
                    own.children().any(|known| {
                        known.attr("name") == op.attr("name") && known.attr("interval") == op.attr("interval")
                    })
                };
                for op in child.children().filter(|op| !is_own(op)) {
                    copy.import(own.key(), None, op);
                }
            }
        }
    }
}

/// Where the resource runs.
pub(super) fn locate(found: &Found<'_>, args: &Args, id: &str) -> anyhow::Result<Report> {
    let status = &found.status;
    let rsc = found.resource()?;
    let resource = status.rsc(rsc);
    let top = status.top_of(rsc);
    // All instances of an anonymous clone are meant by the name they have in common.
    let is_common_name = status.rsc(top).is_clone()
        && !resource.is_unique
        && resource.history_id.as_ref().is_some_and(|known| *known == *id)
        && resource.id != *id;
    let parts = match (resource.is_clone(), is_common_name) {
        (true, _) => resource.children.clone(),
        (_, true) => status.rsc(top).children.clone(),
        (false, false) => vec![rsc],
    };
    let mut places = Vec::new();
    for part in parts {
        let part = status.rsc(part);
        let is_promoted = part.is_promotable && part.role == Role::Promoted;
        places.extend(part.running_on.iter().map(|node| (found.node_name(*node), is_promoted)));
    }
    // The reference finds instances in this order, and scripts have been seen to take the first.
    places.reverse();
    let mut report = Report::silent();
    let mut tree = Tree::new("nodes").attr("resource", id);
    for (node, promoted) in &places {
        report.text.push_str(&if args.quiet {
            format!("{node}\n")
        } else {
            format!("resource {id} is running on: {node}{}\n", if *promoted { " Promoted" } else { "" })
        });
        let place = Tree::with_text("node", *node);
        tree.push(place.maybe("state", promoted.then_some("promoted")));
    }
    if places.is_empty() && !args.quiet && !args.output.is_for_programs() {
        report.errors.push(format!("resource {id} is NOT running"));
    }
    report.trees.push(tree);
    Ok(report)
}

/// Recorded operations. A resource that nobody knows has no history, as in the incumbent.
pub(super) fn operations(found: &Found<'_>, args: &Args, all: bool, utc_offset: i64) -> Report {
    let overview = &found.view.overview;
    let instances: Vec<&ResourceView> = overview.resources.iter().flat_map(primitives).collect();
    let mut report = Report::silent();
    let mut tree = Tree::new("operations");
    for history in &overview.history {
        if found.given_node().is_some_and(|wanted| history.node.as_str() != wanted) {
            continue;
        }
        for resource in &history.resources {
            let name = resource.resource.as_str();
            // Histories are found by the name that they have, with the number of an instance.
            if args.resource.as_deref().is_some_and(|wanted| resource.id.as_str() != wanted) {
                continue;
            }
            // The first that is called so or has a history of that name, which may be an instance of another number.
            let is_known_as =
                |rsc: &&Resource<'_>| rsc.id == resource.id || rsc.history_id.as_ref() == Some(&resource.id);
            let known = found.status.resources.iter().find(is_known_as);
            let instance = known.and_then(|rsc| instances.iter().find(|view| view.full_id == rsc.id));
            let agent = instance.and_then(|view| match &view.kind {
                ResourceViewKind::Primitive(primitive) => Some(agent_text(&primitive.agent)),
                _ => None,
            });
            let state =
                instance.map_or_else(|| format!("Unknown resource {name}"), |view| primitive_line(view));
            for operation in if all { &resource.operations[..] } else { since_start(&resource.operations) } {
                let changed = operation.last_rc_change.map(|at| date_text(at, utc_offset));
                let took = operation.exec_ms.map_or_else(|| "(null)".to_owned(), |ms| ms.to_string());
                let at = changed
                    .as_ref()
                    .map_or(String::new(), |at| format!(", last-rc-change='{at}', exec={took}ms"));
                report.text.push_str(&format!(
                    "{state}: {} (node={}, call={}, rc={}{at}): {}\n",
                    operation.key,
                    operation.node,
                    operation.call,
                    operation.rc.code(),
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
                        .maybe("agent", agent.as_deref().map(with_all_parts))
                        .maybe("exec-time", operation.exec_ms.filter(|_| changed.is_some()))
                        .maybe("last-rc-change", changed),
                );
            }
        }
    }
    if !tree.is_childless() {
        report.trees.push(tree);
    }
    report
}

/// Of operations in the order they were called, those since the last start, or since what tells that there was one; none if a stop came
/// after it.
fn since_start(operations: &[FailureView]) -> &[FailureView] {
    let last = |tasks: &[&str]| operations.iter().rposition(|operation| tasks.contains(&&*operation.task));
    let is_stop = |operation: &FailureView| &*operation.task == "stop" && operation.status == OpStatus::Done;
    let stop = operations.iter().rposition(is_stop);
    let start = last(&["start", "migrate_from"])
        .or_else(|| last(&["promote", "demote"]))
        .or_else(|| found_running_at(operations));
    match (start, stop) {
        (start, Some(stop)) if start.is_none_or(|start| start < stop) => &[],
        (Some(start), _) => &operations[start..],
        _ => operations,
    }
}

/// The first monitor since the last stop before it that found the resource running.
fn found_running_at(operations: &[FailureView]) -> Option<usize> {
    let (mut stop, mut found) = (None, None);
    for (at, operation) in operations.iter().enumerate() {
        let is_running = matches!(operation.rc, OcfRc::Ok | OcfRc::Promoted);
        match &*operation.task {
            "stop" if operation.status == OpStatus::Done => stop = Some(at),
            "monitor" if found <= stop && is_running => found = Some(at),
            _ => {}
        }
    }
    found
}

/// The agent with three parts, the middle one empty where there is no provider: as this list has always shown it.
fn with_all_parts(agent: &str) -> String {
    match agent.split(':').count() {
        2 => agent.replacen(':', "::", 1),
        _ => agent.to_owned(),
    }
}
