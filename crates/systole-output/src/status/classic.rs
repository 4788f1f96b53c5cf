//! The list of resources as releases before 2.0 printed it: `Podman container set`, `Master`, `ocf::heartbeat:galera`.

use super::parts;
use systole_cib::model::Agent;
use systole_scheduler::overview::{Overview, ReplicaView, ResourceView, ResourceViewKind};
use systole_types::Role;

/// Every resource, in the old layout.
pub fn resource_list(overview: &Overview) -> String {
    let mut out = String::new();
    for view in &overview.resources {
        resource(view, 0, &mut out);
    }
    out
}

/// One resource, in the old layout.
fn resource(view: &ResourceView, depth: usize, out: &mut String) {
    match &view.kind {
        ResourceViewKind::Primitive(primitive) => {
            let at: Vec<&str> = primitive.nodes.iter().map(|place| place.node.as_str()).collect();
            line(depth, view.id.as_str(), view, &at, out);
        }
        ResourceViewKind::Group { .. } => {
            collective(view, depth, &format!("Resource Group: {}", view.full_id), out)
        }
        ResourceViewKind::Clone { child, promotable, .. } => {
            let title = if *promotable { "Master/Slave Set" } else { "Clone Set" };
            collective(view, depth, &format!("{title}: {} [{child}]", view.id), out);
        }
        ResourceViewKind::Bundle { runtime, image, is_set, replicas, .. } => {
            let runtime = match *runtime {
                "podman" => "Podman",
                "docker" => "Docker",
                other => other,
            };
            let set = if *is_set { " set" } else { "" };
            push(depth, &format!("{runtime} container{set}: {} [{image}]", view.id), out);
            for replica in replicas {
                replica_line(replica, depth + 1, out);
            }
        }
    }
}

fn collective(view: &ResourceView, depth: usize, title: &str, out: &mut String) {
    push(depth, title, out);
    for part in parts(view) {
        resource(part, depth + 1, out);
    }
}

fn replica_line(replica: &ReplicaView, depth: usize, out: &mut String) {
    let mut name = replica.remote.as_ref().unwrap_or(&replica.container).id.to_string();
    if let Some(address) = &replica.address {
        name.push_str(&format!(" ({address})"));
    }
    let at: Vec<&str> = match &replica.container.kind {
        ResourceViewKind::Primitive(container) => container.nodes.iter().map(|p| p.node.as_str()).collect(),
        _ => Vec::new(),
    };
    line(depth, &name, replica.child.as_ref().unwrap_or(&replica.container), &at, out);
}

fn line(depth: usize, name: &str, view: &ResourceView, at: &[&str], out: &mut String) {
    let ResourceViewKind::Primitive(primitive) = &view.kind else { return };
    let mut text = format!("{name}\t({}):\t", agent_text(&primitive.agent));
    if view.flags.removed {
        text.push_str(" ORPHANED ");
    }
    if view.flags.failed {
        text.push_str("FAILED");
        if primitive.role > Role::Unpromoted {
            text.push_str(&format!(" {}", primitive.role.as_classic_str()));
        }
    } else {
        text.push_str(primitive.role.as_classic_str());
    }
    match at {
        [] => {}
        [node] => text.push_str(&format!(" {node}")),
        nodes => text.push_str(&format!(" [ {} ]", nodes.join(" "))),
    }
    let mut flags = Vec::new();
    if view.flags.disabled {
        flags.push("disabled");
    }
    if view.flags.blocked {
        flags.push("blocked");
    } else if !view.flags.managed {
        flags.push("unmanaged");
    }
    if !flags.is_empty() {
        text.push_str(&format!(" ({})", flags.join(", ")));
    }
    push(depth, &text, out);
}

/// Old releases put two colons between class and provider.
fn agent_text(agent: &Agent) -> String {
    match &agent.provider {
        Some(provider) => format!("{}::{provider}:{}", agent.class, agent.kind),
        None => format!("{}:{}", agent.class, agent.kind),
    }
}

/// Adds a line, tabs as a terminal would show them: the old layout was indented by one blank more than is shown here.
fn push(depth: usize, text: &str, out: &mut String) {
    let mut column = 1 + depth * 2;
    out.push_str(&"  ".repeat(depth));
    for c in text.chars() {
        if c == '\t' {
            let blanks = 8 - column % 8;
            out.push_str(&" ".repeat(blanks));
            column += blanks;
        } else {
            out.push(c);
            column += 1;
        }
    }
    out.push('\n');
}
