//! What happens to resources and nodes, for people: the "Transition Summary".

use super::{Change, ChangeKind};
use crate::{NodeIdx, RscIdx, Status, status::NodeKind};
use systole_types::Role;

/// Lines about changes, as the incumbent lays them out: those about resources in columns. A name that is longer than all
/// before it widens its column by two more, as in the reference release.
pub fn summary_lines(changes: &[Change], status: &Status<'_>) -> Vec<String> {
    let of_resources = || changes.iter().filter_map(|change| Some((change, change.resource?)));
    let details_width = of_resources().map(|(change, _)| details(change, status).len()).fold(5, usize::max);
    let id_width = of_resources().map(|(_, rsc)| status.rsc(rsc).id.as_str().len());
    let id_width = id_width.fold(5, |width, len| if len > width { len + 2 } else { width });
    let line = |change: &Change| match change.resource {
        Some(rsc) => resource_line(change, rsc, status, (id_width, details_width)),
        None => node_line(change, status),
    };
    changes.iter().map(line).collect()
}

fn resource_line(
    change: &Change,
    rsc: RscIdx,
    status: &Status<'_>,
    (id_width, details_width): (usize, usize),
) -> String {
    let because = match (&change.reason, change.is_blocked) {
        (Some(reason), true) => format!("  due to {reason} (blocked)"),
        (Some(reason), false) => format!("  due to {reason}"),
        (None, true) => "  blocked".to_owned(),
        (None, false) => String::new(),
    };
    let (what, id, details) = (change.kind.word(), status.rsc(rsc).id.as_str(), details(change, status));
    format!("{what:<8}   {id:<id_width$}   ( {details:>details_width$} ){because}")
}

fn node_line(change: &Change, status: &Status<'_>) -> String {
    let name = change.from.map(|node| match status.node(node).kind {
        NodeKind::Guest { container, .. } => {
            format!("{} (resource: {})", status.node(node).name, status.rsc(container).id)
        }
        _ => status.node(node).name.to_string(),
    });
    let how = match &change.kind {
        ChangeKind::Fence(how) => format!(" ({how})"),
        _ => String::new(),
    };
    let (what, name, reason) = (change.kind.word(), name.unwrap_or_default(), change.reason.as_deref());
    format!("{what}{how} {name} '{}'", reason.unwrap_or_default())
}

/// In which role and where something is and will be.
fn details(change: &Change, status: &Status<'_>) -> String {
    let (role, next): (Role, Role) = (change.role, change.next_role);
    let name = |node: NodeIdx| status.node(node).name.as_str();
    let needs_role = role > Role::Started || next > Role::Unpromoted;
    match (change.from, change.to) {
        (None, None) => String::new(),
        (None, Some(to)) if needs_role => format!("{role} -> {next} {}", name(to)),
        (None, Some(to)) => name(to).to_owned(),
        (Some(from), None) if needs_role => format!("{role} {}", name(from)),
        (Some(from), None) => name(from).to_owned(),
        (Some(from), Some(to)) => match (role == next, from == to) {
            (true, true) if needs_role => format!("{role} {}", name(from)),
            (true, true) => name(from).to_owned(),
            (true, false) if needs_role => format!("{} -> {} {role}", name(from), name(to)),
            (true, false) => format!("{} -> {}", name(from), name(to)),
            (false, true) => format!("{role} -> {next} {}", name(from)),
            (false, false) => format!("{role} {} -> {next} {}", name(from), name(to)),
        },
    }
}
