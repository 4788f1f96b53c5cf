//! Failures and history that are forgotten, and failures that are made up.

use super::{Args, command::Command, find::Found, why};
use crate::{Cluster, Exit, Failed, Session, report::Report, resource_ops, view};
use systole_scheduler::{NodeIdx, RscIdx};
use systole_wire::api::FailedOperation;

/// Forgets failures (or all history), or takes a resource to have failed.
pub(super) fn perform(
    session: &Session<'_>,
    cluster: &mut Cluster,
    found: &Found<'_>,
    args: &Args,
    command: Command,
) -> anyhow::Result<Report> {
    let in_file = !cluster.is_live() && session.rehearsal.is_none() && session.tool == "crm_resource";
    if in_file && session.var("CIB_file").is_none() {
        let message = "Error connecting to the controller: a shadow copy has none";
        return Err(Failed::new(Exit::Disconnected, message).into());
    }
    match (command, in_file) {
        (_, true) => Ok(dry_run(found, args, command)),
        (Command::Fail, false) => fail(cluster, found, args),
        _ => forget(cluster, found, args, command == Command::Cleanup),
    }
}

fn forget(
    cluster: &mut Cluster,
    found: &Found<'_>,
    args: &Args,
    only_failed: bool,
) -> anyhow::Result<Report> {
    let interval = super::duration(args.interval.as_deref())?;
    let operation = match (&args.operation, interval) {
        (None, Some(_)) => return Err(Failed::usage("--interval goes with --operation: name the operation")),
        // A refresh is about everything, whatever is named.
        (Some(name), interval) if only_failed => {
            Some(crate::tools::crm_failcount::failed_operation(name, interval))
        }
        _ => None,
    };
    cluster.cleanup(args.resource.as_deref(), found.given_node(), only_failed, operation)?;
    let what = args.resource.as_deref().unwrap_or("all resources");
    let place = found.given_node().unwrap_or("all nodes");
    let mut report = Report { text: format!("Cleaned up {what} on {place}\n"), ..Report::default() };
    if let Some(rsc) = found.rsc.filter(|_| !args.quiet) {
        let tree = why::check(&found.status, meant(found, rsc, args), found.node, &mut report);
        report.trees.push(tree);
    }
    Ok(report)
}

/// Forgets failures of a resource on a node (of one operation, if given).
///
/// # Errors
/// As `--cleanup`.
pub fn forget_failures(
    session: &mut Session<'_>,
    resource: &str,
    node: &str,
    operation: Option<FailedOperation>,
) -> anyhow::Result<Report> {
    let mut cluster = Cluster::open(session)?;
    let view = view::look(session, &mut cluster)?;
    resource_ops::find_views(&view.overview, resource)?;
    resource_ops::check_node(&view.overview, node)?;
    cluster.cleanup(Some(resource), Some(node), true, operation)?;
    Ok(Report { text: format!("Cleaned up {resource} on {node}\n"), ..Report::default() })
}

/// The whole of which the resource is part, unless `--force` insists on the part.
fn meant(found: &Found<'_>, rsc: RscIdx, args: &Args) -> RscIdx {
    if args.force { rsc } else { found.status.root_of(rsc) }
}

/// What would be done if there were a cluster.
fn dry_run(found: &Found<'_>, args: &Args, command: Command) -> Report {
    let mut report = Report::silent();
    let Some(rsc) = found.rsc else {
        let place = found.given_node().unwrap_or("all nodes");
        if !args.quiet {
            report.text = format!("Dry run: skipping clean-up of {place} due to CIB_file\n");
        }
        return report;
    };
    if command == Command::Fail {
        let (id, node) = (args.resource.as_deref().unwrap_or(""), found.given_node().unwrap_or(""));
        report.errors.push(format!("Dry run: skipping fail of {id} on {node} due to CIB_file"));
        return report;
    }
    let whole = meant(found, rsc, args);
    for part in primitives(found, whole) {
        for node in places(found, part) {
            let (id, node) = (&found.status.rsc(part).id, found.node_name(node));
            report.errors.push(format!("Dry run: skipping clean-up of {id} on {node} due to CIB_file"));
        }
    }
    if !args.quiet {
        let tree = why::check(&found.status, whole, found.node, &mut report);
        report.trees.push(tree);
    }
    report
}

fn primitives(found: &Found<'_>, rsc: RscIdx) -> Vec<RscIdx> {
    let resource = found.status.rsc(rsc);
    if resource.is_primitive() {
        return vec![rsc];
    }
    resource.children.iter().flat_map(|child| primitives(found, *child)).collect()
}

/// Nodes that know of the resource, or the one that was given.
fn places(found: &Found<'_>, rsc: RscIdx) -> Vec<NodeIdx> {
    match found.node {
        Some(node) => vec![node],
        None => {
            let known = found.status.rsc(rsc).known_on.iter();
            known.filter(|node| found.status.node(*node).online).collect()
        }
    }
}

/// Takes a resource to have failed on a node, where the cluster recovers from that.
fn fail(cluster: &mut Cluster, found: &Found<'_>, args: &Args) -> anyhow::Result<Report> {
    let rsc = found.resource()?;
    let node = found.given_node().ok_or_else(|| Failed::usage("Must supply a node name with -N/--node"))?;
    let resource = found.status.rsc(rsc);
    let id = args.resource.as_deref().unwrap_or("");
    if !resource.is_primitive() {
        let message = format!("We can only process primitive resources, not {id}");
        return Err(Failed::new(Exit::Software, message).into());
    }
    if !found.node.is_some_and(|node| found.status.node(node).online) {
        return Err(Failed::new(Exit::Disconnected, format!("Node {node} is not online")).into());
    }
    cluster.fail(resource.known_as().as_str(), node)?;
    Ok(Report {
        text: "Waiting for 1 reply from the controller\n... got reply (done)\n".to_owned(),
        ..Report::default()
    })
}
