//! What happens to resources and nodes: a line each.

use crate::tree::Tree;
use systole_scheduler::plan::ChangeKind;
use systole_types::{NodeId, Role};
use systole_whatif::{Happening, Settled};

/// A line: `vip moves alpha -> beta (proxy-podman-0 has to be stopped)`.
pub fn line(happening: &Happening) -> String {
    let subject = match &happening.resource {
        Some(resource) => resource.to_string(),
        None => happening.from.as_ref().map(NodeId::to_string).unwrap_or_default(),
    };
    format!("{subject} {}{}", what(happening), because(happening))
}

/// Why a cluster does not come to rest; nothing if it does.
pub fn unrest(settled: &Settled) -> String {
    match settled {
        Settled::AtRest(_) => String::new(),
        Settled::Restless(_) => {
            "The cluster would not come to rest: it goes on changing things.\n".to_owned()
        }
        Settled::Stuck(circle) => format!("The cluster would get stuck: {circle}.\n"),
    }
}

/// The same, about the resource that has just been named.
pub fn of_itself(happening: &Happening) -> String {
    // Why something cannot be done is told by itself.
    let is_told = happening.is_blocked || happening.reason.as_deref() == Some("node availability");
    let because = if is_told { String::new() } else { because(happening) };
    format!("it {}{because}", what(happening))
}

/// What happens: `moves alpha -> beta`.
pub fn what(happening: &Happening) -> String {
    let at = |node: &Option<NodeId>| node.as_ref().map_or(String::new(), |node| format!(" on {node}"));
    let (from, to) = (&happening.from, &happening.to);
    let way = || match (from, to) {
        (Some(from), Some(to)) if from != to => format!(" {from} -> {to}"),
        (_, to) => at(if to.is_some() { to } else { from }),
    };
    let role = match happening.next_role {
        Role::Promoted if happening.role != Role::Promoted => ", and is promoted",
        _ => "",
    };
    match (&happening.kind, happening.is_blocked) {
        (ChangeKind::Fence(_), false) if is_guest(happening) => "goes down with its container".to_owned(),
        (ChangeKind::Fence(how), false) => format!("is fenced ({how})"),
        (ChangeKind::Fence(_), true) => "should be fenced, and cannot be".to_owned(),
        (ChangeKind::Shutdown, _) => "leaves the cluster".to_owned(),
        (ChangeKind::Start, false) => format!("starts{}{role}", at(to)),
        (ChangeKind::Start, true) => format!("should start{}, and cannot", at(to)),
        (ChangeKind::Stop, false) => format!("stops{}", at(from)),
        (ChangeKind::Stop, true) => format!("should stop{}, and cannot", at(from)),
        (ChangeKind::Move, _) => format!("moves{}{role}", way()),
        (ChangeKind::Migrate, _) => format!("migrates{}, without a stop", way()),
        (ChangeKind::Restart, _) => format!("restarts{}{role}", way()),
        (ChangeKind::Recover, _) => format!("is recovered from a failure{}", way()),
        (ChangeKind::Reload, _) => format!("is reloaded{}", way()),
        (ChangeKind::Promote, false) => format!("is promoted{}", way()),
        (ChangeKind::Promote, true) => format!("should be promoted{}, and cannot be", way()),
        (ChangeKind::Demote, _) => format!("is demoted{}", way()),
        (ChangeKind::Repromote, _) => format!("is demoted and promoted again{}", way()),
    }
}

/// Fencing a guest is no more than stopping what it lives in.
fn is_guest(happening: &Happening) -> bool {
    happening.reason.as_deref() == Some("guest is unclean")
}

/// The scheduler's reason in a sentence of its own, in brackets.
fn because(happening: &Happening) -> String {
    let reason = match (&happening.reason, &happening.cause) {
        (None, None) => return String::new(),
        (None, Some(cause)) => return format!(" ({cause})"),
        (Some(reason), Some(cause)) if says_little(reason) => return format!(" ({cause})"),
        (Some(reason), _) => reason,
    };
    if is_guest(happening) {
        return String::new();
    }
    let words: Vec<&str> = reason.split(' ').collect();
    let text = match words.as_slice() {
        ["required", resource, task] => format!("{resource} has to be {}", done(task)),
        ["unrunnable", resource, task] => format!("{resource} cannot be {}", done(task)),
        ["unmigrateable", resource, _] => format!("{resource} cannot migrate with it"),
        ["colocation", "with", resource] => format!("{resource}, which it is placed with, cannot run"),
        ["resource", "definition", "change"] => "its parameters or its agent were changed".to_owned(),
        ["node", "availability"] => "no node may run it".to_owned(),
        _ => reason.clone(),
    };
    format!(" ({text})")
}

/// Whether a reason of the scheduler's is one for many cases.
fn says_little(reason: &str) -> bool {
    matches!(reason, "node availability" | "resource definition change")
}

fn done(task: &str) -> &str {
    match task {
        "start" => "started",
        "stop" => "stopped",
        "promote" => "promoted",
        "demote" => "demoted",
        other => other,
    }
}

/// For programs.
pub fn tree(happening: &Happening) -> Tree {
    let how = match &happening.kind {
        ChangeKind::Fence(how) => Some(&**how),
        _ => None,
    };
    let is_node = happening.resource.is_none();
    let place = happening.from.as_ref().map(NodeId::as_str);
    let role = |role: Role| (!is_node).then(|| role.as_str());
    Tree::new(if is_node { "node_change" } else { "resource_change" })
        .attr("action", happening.kind.word().to_ascii_lowercase())
        .maybe("how", how)
        .maybe("resource", happening.resource.as_ref().map(|id| id.as_str()))
        .maybe(if is_node { "node" } else { "from" }, place)
        .maybe("to", happening.to.as_ref().map(NodeId::as_str))
        .maybe("role", role(happening.role))
        .maybe("next_role", role(happening.next_role))
        .maybe("reason", happening.reason.as_deref())
        .maybe("cause", happening.cause.as_deref())
        .attr("blocked", happening.is_blocked)
}
