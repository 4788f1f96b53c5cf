//! Items of a simulation's lists: a line and an element each.

use crate::tree::Tree;
use std::{collections::BTreeMap, sync::Arc};
use systole_scheduler::{
    NodeIdx, RscIdx, Status,
    placement::{ASSIGNMENT, ScoreLine, as_come_across},
    plan::{Change, ChangeKind},
    status::NodeKind,
};
use systole_types::Role;
use systole_whatif::{Injected, NodeEvent, Step, TicketEvent};

/// A modification for people.
pub fn modification(done: &Injected) -> String {
    match done {
        Injected::Quorum(value) => format!("Setting quorum: {value}"),
        Injected::Watchdog(value) => format!("Setting watchdog: {value}"),
        Injected::Node(NodeEvent::Online, node) => format!("Bringing node {node} online"),
        Injected::Node(NodeEvent::Offline, node) => format!("Taking node {node} offline"),
        Injected::Node(NodeEvent::Failing, node) => format!("Failing node {node}"),
        Injected::Ticket(TicketEvent::Standby, ticket) => format!("Making ticket {ticket} standby"),
        Injected::Ticket(event, ticket) => format!("{} ticket {ticket}", ticket_word(*event)),
        Injected::Operation(spec) => format!("Injecting {spec} into the configuration"),
        Injected::Attribute { name, value, state } => attribute_text(name, value, state),
    }
}

fn attribute_text(name: &str, value: &str, state: &str) -> String {
    format!("Injecting attribute {name}={value} into /node_state '{state}'")
}

fn attribute_tree(name: &str, value: &str, state: &str) -> Tree {
    Tree::new("inject_attr")
        .attr("name", name)
        .attr("value", value)
        .attr("node_path", "/node_state")
        .attr("cib_node", state)
}

const fn ticket_word(event: TicketEvent) -> &'static str {
    match event {
        TicketEvent::Granting => "Granting",
        TicketEvent::Revoking => "Revoking",
        TicketEvent::Standby => "Standby",
        TicketEvent::Activating => "Activating",
    }
}

/// All modifications, in the order of the schema: nodes, tickets, operations, attributes.
pub fn modifications(all: &[Injected]) -> Tree {
    let mut tree = Tree::new("modifications");
    let mut elements: Vec<(u8, Tree)> = Vec::new();
    for done in all {
        match done {
            Injected::Quorum(value) => tree = tree.attr("quorum", value.as_str()),
            Injected::Watchdog(value) => tree = tree.attr("watchdog", value.as_str()),
            Injected::Node(event, node) => {
                let action = match event {
                    NodeEvent::Online => "Online",
                    NodeEvent::Offline => "Offline",
                    NodeEvent::Failing => "Failing",
                };
                elements
                    .push((0, Tree::new("modify_node").attr("action", action).attr("node", node.as_str())));
            }
            Injected::Ticket(event, ticket) => {
                let element = Tree::new("modify_ticket").attr("action", ticket_word(*event));
                elements.push((1, element.attr("ticket", ticket.as_str())));
            }
            Injected::Operation(spec) => {
                elements.push((2, Tree::new("inject_spec").attr("spec", spec.as_str())));
            }
            Injected::Attribute { name, value, state } => {
                elements.push((3, attribute_tree(name, value, state)));
            }
        }
    }
    elements.sort_by_key(|(rank, _)| *rank);
    tree.children(elements.into_iter().map(|(_, element)| element))
}

/// A score, or an amount.
pub fn score(line: &ScoreLine, status: &Status<'_>) -> Tree {
    let id = |rsc: RscIdx| status.rsc(rsc).id.as_str();
    let name = |node: NodeIdx| status.node(node).name.as_str();
    match line {
        ScoreLine::Allocation { step, resource, node, score } => Tree::new("node_weight")
            .attr("function", *step)
            .attr("node", name(*node))
            .attr("score", score.to_string())
            .attr("id", id(*resource)),
        ScoreLine::Promotion { resource, node, score } => Tree::new("promotion_score")
            .attr("id", id(*resource))
            .attr("score", score.to_string())
            .maybe("node", node.map(name)),
        ScoreLine::Capacity { when, node, amounts } => {
            with_amounts(Tree::new("capacity").attr("node", name(*node)).attr("comment", *when), amounts)
        }
        ScoreLine::Utilization { resource, node, amounts } => {
            let tree = Tree::new("utilization").attr("resource", id(*resource)).attr("node", name(*node));
            with_amounts(tree.attr("function", ASSIGNMENT), amounts)
        }
    }
}

fn with_amounts(tree: Tree, amounts: &BTreeMap<Arc<str>, i64>) -> Tree {
    tree.children(as_come_across(amounts).map(|(name, amount)| Tree::with_text(name, amount.to_string())))
}

/// A change.
pub fn change(change: &Change, status: &Status<'_>) -> Tree {
    let name = |node: Option<NodeIdx>| node.map(|node| status.node(node).name.as_str());
    let Some(rsc) = change.resource else {
        let task = match &change.kind {
            ChangeKind::Fence(how) => format!("Fence ({how})"),
            kind => kind.word().to_owned(),
        };
        let node = change.from.map(|node| status.node(node)).map(|node| match node.kind {
            NodeKind::Guest { container, .. } => {
                format!("{} (resource: {})", node.name, status.rsc(container).id)
            }
            _ => node.name.to_string(),
        });
        return Tree::new("node_action")
            .attr("task", task)
            .maybe("node", node)
            .maybe("reason", change.reason.as_deref());
    };
    let (role, next) = (change.role, change.next_role);
    let needs_role = role > Role::Started || next > Role::Unpromoted;
    let (same_role, same_node) = (role == next, change.from == change.to);
    let tree = Tree::new("rsc_action")
        .attr("action", change.kind.word().to_lowercase())
        .attr("resource", status.rsc(rsc).id.as_str());
    let (role, next) = (role.to_string(), next.to_string());
    let tree = match (name(change.from), name(change.to)) {
        (None, to) if needs_role => tree.attr("role", role).attr("next-role", next).maybe("dest", to),
        (None, to) => tree.maybe("node", to),
        (Some(from), None) if needs_role => tree.attr("role", role).attr("node", from),
        (Some(from), None) => tree.attr("node", from),
        (Some(from), Some(to)) => match (same_role, same_node) {
            (true, true) if needs_role => tree.attr("role", role).attr("source", from),
            (true, true) => tree.attr("source", from),
            (true, false) if needs_role => tree.attr("source", from).attr("dest", to).attr("role", role),
            (true, false) => tree.attr("source", from).attr("dest", to),
            (false, true) => tree.attr("role", role).attr("next-role", next).attr("source", from),
            (false, false) => {
                tree.attr("role", role).attr("source", from).attr("next-role", next).attr("dest", to)
            }
        },
    };
    tree.maybe("reason", change.reason.as_deref()).maybe("blocked", change.is_blocked.then_some(true))
}

/// A step for people.
pub fn step_text(step: &Step) -> String {
    match step {
        Step::Pseudo { key, node: Some(node) } => format!("Pseudo action:   {key} on {node}"),
        Step::Pseudo { key, node: None } => format!("Pseudo action:   {key}"),
        Step::Resource { resource, operation, interval_ms: 0, node } => {
            format!("Resource action: {resource:<15} {operation} on {node}")
        }
        Step::Resource { resource, operation, interval_ms, node } => {
            format!("Resource action: {resource:<15} {operation}={interval_ms} on {node}")
        }
        Step::Cluster { operation, resource: Some(resource), node } => {
            format!("Cluster action:  {operation} for {resource} on {node}")
        }
        Step::Cluster { operation, resource: None, node } => {
            format!("Cluster action:  {operation} on {node}")
        }
        Step::Fencing { target, action } => format!("Fencing {target} ({action})"),
        Step::Counted { name, value, state } => attribute_text(name, value, state),
        Step::Pretended { action, rc } => format!("Pretending action {action} failed with rc={}", rc.code()),
    }
}

/// A step, unless it is only pretended.
pub fn step(step: &Step) -> Option<Tree> {
    Some(match step {
        Step::Pseudo { key, node } => {
            Tree::new("pseudo_action").attr("task", key.as_str()).maybe("node", node.as_deref())
        }
        Step::Resource { resource, operation, interval_ms, node } => Tree::new("rsc_action")
            .attr("resource", resource.as_str())
            .attr("op", operation.as_str())
            .attr("node", node.as_str())
            .maybe("interval", (*interval_ms > 0).then_some(*interval_ms)),
        Step::Cluster { operation, resource, node } => Tree::new("cluster_action")
            .attr("task", operation.as_str())
            .attr("node", node.as_str())
            .maybe("id", resource.as_deref()),
        Step::Fencing { target, action } => {
            Tree::new("fencing_action").attr("target", target.as_str()).attr("op", action.as_str())
        }
        Step::Counted { name, value, state } => attribute_tree(name, value, state),
        Step::Pretended { .. } => return None,
    })
}
