//! Constraints made at an administrator's request.

use super::Args;
use crate::{
    Cluster, Exit, Failed, Session, dates,
    report::Report,
    resource_ops::{self, Place},
    view::View,
};
use systole_scheduler::overview::{ResourceView, ResourceViewKind};
use systole_types::{Role, Timestamp};

/// Makes the resource run elsewhere, or on the given node.
pub(super) fn move_away(
    session: &mut Session<'_>,
    cluster: &mut Cluster,
    view: &View,
    args: &Args,
    id: &str,
) -> anyhow::Result<Report> {
    if view.cib.resources.iter().all(|resource| resource.id().as_str() != id) && id.contains(':') {
        return Err(Failed::new(
            Exit::InvalidParam,
            format!("Cannot operate on clone resource instance '{id}'"),
        )
        .into());
    }
    let Some(node) = &args.node else { return ban_current(session, cluster, view, args, id, "moved") };
    resource_ops::check_node(&view.overview, node)?;
    let at = running_at(view, id, args.promoted)?;
    if at.len() == 1 && at[0] == *node && !args.force {
        return Err(Failed::new(
            Exit::Exists,
            "Error performing operation: Requested item already exists (it runs there already)",
        )
        .into());
    }
    let (until, mut report) = lifetime(session, args)?;
    let there = resource_ops::made_constraints(&view.document, Some(id), Some(node));
    resource_ops::delete_constraints(cluster, &there)?;
    let place = Place { resource: id, node, promoted_only: args.promoted, until: until.clone() };
    place.prefer(cluster)?;
    if let ([current], true) = (at.as_slice(), args.force) {
        let ban = Place { resource: id, node: current, promoted_only: args.promoted, until };
        ban.ban(cluster)?;
        report.text.push_str(&ban_warning(&ban, args));
    }
    Ok(report)
}

/// Keeps the resource off a node: the given one, or the one it runs on.
pub(super) fn ban(
    session: &mut Session<'_>,
    cluster: &mut Cluster,
    view: &View,
    args: &Args,
    id: &str,
) -> anyhow::Result<Report> {
    let Some(node) = &args.node else { return ban_current(session, cluster, view, args, id, "banned") };
    resource_ops::check_node(&view.overview, node)?;
    ban_from(session, cluster, args, id, node)
}

fn ban_current(
    session: &mut Session<'_>,
    cluster: &mut Cluster,
    view: &View,
    args: &Args,
    id: &str,
    done: &str,
) -> anyhow::Result<Report> {
    let at = running_at(view, id, args.promoted)?;
    let [node] = at.as_slice() else {
        let role = if args.promoted { "promoted" } else { "active" };
        return Err(Failed::usage(format!(
            "Resource '{id}' not {done}: {role} in {} locations.\n\
             To prevent '{id}' from running on a specific location, specify a node.",
            at.len()
        )));
    };
    let node = node.clone();
    ban_from(session, cluster, args, id, &node)
}

fn ban_from(
    session: &mut Session<'_>,
    cluster: &mut Cluster,
    args: &Args,
    id: &str,
    node: &str,
) -> anyhow::Result<Report> {
    let (until, mut report) = lifetime(session, args)?;
    let place = Place { resource: id, node, promoted_only: args.promoted, until };
    place.ban(cluster)?;
    report.text.push_str(&ban_warning(&place, args));
    Ok(report)
}

fn ban_warning(place: &Place<'_>, args: &Args) -> String {
    if args.quiet {
        return String::new();
    }
    let (resource, node) = (place.resource, place.node);
    let what = if place.promoted_only { "being promoted" } else { "running" };
    format!(
        "WARNING: Creating rsc_location constraint '{}' with a score of -INFINITY for resource {resource} on {node}.\n\
         \tThis will prevent {resource} from {what} on {node} until the constraint is removed using the clear option \
         or by editing the CIB with an appropriate tool.\n\
         \tThis will be the case even if {node} is the last node in the cluster\n",
        place.ban_id()
    )
}

/// Takes such constraints back.
pub(super) fn clear(
    session: &mut Session<'_>,
    cluster: &mut Cluster,
    view: &View,
    args: &Args,
) -> anyhow::Result<Report> {
    if let Some(id) = &args.resource {
        resource_ops::find_views(&view.overview, id)?;
    } else if !args.expired {
        return Err(Failed::usage("Must supply a resource ID with -r/--resource"));
    }
    if let Some(node) = &args.node {
        resource_ops::check_node(&view.overview, node)?;
    }
    let mut ids =
        resource_ops::made_constraints(&view.document, args.resource.as_deref(), args.node.as_deref());
    if args.expired {
        ids = resource_ops::expired_constraints(&view.document, &ids, session.now);
    }
    resource_ops::delete_constraints(cluster, &ids)?;
    let text = ids.iter().map(|id| format!("Removing constraint: {id}\n")).collect();
    Ok(Report { text, ..Report::default() })
}

/// The end of `--lifetime`, and what is said about it.
fn lifetime(session: &Session<'_>, args: &Args) -> anyhow::Result<(Option<String>, Report)> {
    let Some(text) = &args.lifetime else { return Ok((None, Report::silent())) };
    let span =
        systole_types::parse_duration(text).map_err(|error| Failed::usage(format!("--lifetime: {error}")))?;
    let end = Timestamp(session.now.0.saturating_add(i64::try_from(span.as_secs()).unwrap_or(i64::MAX)));
    let until = dates::utc_text(end);
    let text = format!("Migration will take effect until: {until}\n");
    Ok((Some(until), Report { text, ..Report::default() }))
}

/// Names of nodes where the resource runs (or is promoted).
pub(super) fn running_at(view: &View, id: &str, promoted: bool) -> anyhow::Result<Vec<String>> {
    let mut at = Vec::new();
    for resource in resource_ops::find_views(&view.overview, id)? {
        let shown: Vec<&ResourceView> = match &resource.kind {
            // A bundle is where its containers are.
            ResourceViewKind::Bundle { replicas, .. } => {
                replicas.iter().map(|replica| &replica.container).collect()
            }
            _ => systole_output::status::primitives(resource),
        };
        for primitive in shown {
            let ResourceViewKind::Primitive(data) = &primitive.kind else { continue };
            if promoted && data.role != Role::Promoted {
                continue;
            }
            for place in &data.nodes {
                if !at.contains(&place.node.to_string()) {
                    at.push(place.node.to_string());
                }
            }
        }
    }
    Ok(at)
}
