//! `crm_resource --why`: the incumbent's own few checks, word for word; with `-V`, the scheduler's reasons after them, as `systole explain`
//! tells them.

use super::find::Found;
use crate::report::Report;
use systole_cib::parse_bool;
use systole_output::{explain::Told, tree::Tree};
use systole_scheduler::{
    NodeIdx, RscIdx, Status,
    placement::Detail,
    status::{HealthColor, HealthStrategy},
};
use systole_types::Role;
use systole_whatif::{Moment, why::Asker};

/// Tells what might keep resources from running: all, one, or those of a node.
pub(super) fn why(found: &Found<'_>) -> Report {
    let Found { status, rsc, node, .. } = found;
    let (rsc, node) = (*rsc, *node);
    let mut report = Report::silent();
    let mut reason = Tree::new("reason");
    match (rsc, node) {
        (Some(rsc), None) => {
            let running = is_active(status, rsc, None);
            say(&mut report, format!("Resource {} is {}running", status.rsc(rsc).id, not_unless(running)));
            reason = reason.attr("running", running).child(check(status, rsc, None, &mut report));
        }
        (Some(rsc), Some(node)) => {
            let name = &status.node(node).name;
            let running = is_active(status, rsc, Some(node));
            let id = &status.rsc(rsc).id;
            say(&mut report, format!("Resource {id} is {}running on host {name}", not_unless(running)));
            reason = reason.maybe("running_on", running.then(|| name.as_str())).child(check(
                status,
                rsc,
                Some(node),
                &mut report,
            ));
        }
        (None, None) => {
            let parts = status.roots.iter().map(|rsc| {
                let running = is_active(status, *rsc, None);
                let id = &status.rsc(*rsc).id;
                say(&mut report, format!("Resource {id} is {}running", not_unless(running)));
                let check = check(status, *rsc, None, &mut report);
                Tree::new("resource").attr("id", id.as_str()).attr("running", running).child(check)
            });
            let parts: Vec<Tree> = parts.collect();
            reason.push(Tree::new("resources").children(parts));
        }
        (None, Some(node)) => {
            let name = &status.node(node).name;
            let parts = status.node(node).running.iter().map(|rsc| {
                let id = &status.rsc(*rsc).id;
                say(&mut report, format!("Resource {id} is running on host {name}"));
                let check = check(status, *rsc, Some(node), &mut report);
                let part = Tree::new("resource").attr("id", id.as_str()).attr("running", true);
                part.attr("host", name.as_str()).child(check)
            });
            let parts: Vec<Tree> = parts.collect();
            reason.push(Tree::new("resources").children(parts));
        }
    }
    report.trees.push(reason);
    report
}

/// Why the resource (or each one) is where it is, by the scheduler's own notes.
pub(super) fn scheduler_reasons(found: &Found<'_>, moment: Moment) -> String {
    let transition = moment.schedule(&found.view.cib, Detail::Scores);
    let asker = Asker::new(&transition);
    let meant = match found.rsc {
        Some(rsc) => vec![rsc],
        None => found.status.roots.clone(),
    };
    let only = found.node.map(|node| &found.status.node(node).name);
    let told = meant.into_iter().map(|rsc| {
        let explanation = asker.explain(rsc);
        let told = Told { explanation: &explanation, only, advice: None, utc_offset: moment.now.utc_offset };
        format!("\n{}", told.text())
    });
    told.collect()
}

fn say(report: &mut Report, line: String) {
    report.text.push_str(&line);
    report.text.push('\n');
}

const fn not_unless(running: bool) -> &'static str {
    if running { "" } else { "not " }
}

/// Whether anything of it is active (on the node).
fn is_active(status: &Status<'_>, rsc: RscIdx, node: Option<NodeIdx>) -> bool {
    let resource = status.rsc(rsc);
    let here = |at: &NodeIdx| node.is_none_or(|node| node == *at);
    match resource.is_primitive() {
        true => resource.running_on.iter().any(here),
        false => resource.children.iter().any(|child| is_active(status, *child, node)),
    }
}

/// The checks of a resource, told of the outermost it is part of (within a bundle, of what stands in it).
pub(super) fn check(status: &Status<'_>, rsc: RscIdx, node: Option<NodeIdx>, report: &mut Report) -> Tree {
    let top = status.top_of(rsc);
    let resource = status.rsc(rsc);
    let id = &status.rsc(top).id;
    let mut tree = Tree::new("check").attr("id", id.as_str());
    let chain = std::iter::successors(Some(rsc), |rsc| status.rsc(*rsc).parent.filter(|_| *rsc != top));
    let role = chain.into_iter().find_map(|rsc| status.rsc(rsc).meta.raw.get("target-role"));
    match role.and_then(|role| role.parse::<Role>().ok()) {
        Some(Role::Stopped) => {
            say(report, format!("Configuration specifies '{id}' should remain stopped"));
            tree = tree.attr("remain_stopped", true);
        }
        Some(Role::Unpromoted) if status.rsc(top).is_promotable => {
            say(report, format!("Configuration specifies '{id}' should not be promoted"));
            tree = tree.attr("promotable", false);
        }
        _ => {}
    }
    // Maintenance comes and goes, and is not told here, as with Pacemaker's tool.
    let is_managed = resource.meta.raw.get("is-managed").is_none_or(|value| parse_bool(value) == Some(true));
    if !is_managed {
        say(report, format!("Configuration prevents cluster from stopping or starting unmanaged '{id}'"));
        tree = tree.attr("unmanaged", true);
    }
    if let Some((node, _)) = resource.shutdown_lock {
        let node = &status.node(node).name;
        say(report, format!("'{id}' is locked to node {node} due to shutdown"));
        tree = tree.attr("locked-to", node.as_str());
    }
    let is_unhealthy = match node {
        Some(node) => is_unhealthy(status, node),
        None => !status.nodes.is_empty() && status.iter_nodes().all(|(node, _)| is_unhealthy(status, node)),
    };
    if is_unhealthy {
        let strategy = status.options.raw.get("node-health-strategy").map_or("", |text| text);
        say(report, format!("'{id}' cannot run on unhealthy nodes due to node-health-strategy='{strategy}'"));
        tree = tree.attr("unhealthy", true);
    }
    tree
}

/// Whether the node's health alone keeps resources off it.
fn is_unhealthy(status: &Status<'_>, node: NodeIdx) -> bool {
    let color = status.node(node).health_color;
    match status.options.health_strategy {
        HealthStrategy::MigrateOnRed => color == HealthColor::Red,
        HealthStrategy::OnlyGreen => color != HealthColor::Green,
        _ => false,
    }
}
