//! Names a person gives, held against those there are: what is not there is told with the name that was probably meant.

use crate::Failed;
use systole_scheduler::{NodeIdx, Status};

/// The node of that name.
///
/// # Errors
/// If there is none.
pub fn node(status: &Status<'_>, name: &str) -> anyhow::Result<NodeIdx> {
    let known = || status.iter_nodes().map(|(_, node)| node.name.as_str());
    status.find_node(name).ok_or_else(|| unknown("node", name, known()))
}

/// The error that there is no `kind` (a node, a resource) of that name, and which of the `known` names is near it.
pub fn unknown<'k>(kind: &str, name: &str, known: impl IntoIterator<Item = &'k str>) -> anyhow::Error {
    Failed::no_such(match nearest(name, known) {
        Some(near) => format!("there is no {kind} {name}: did you mean {near}?"),
        None => format!("there is no {kind} {name}"),
    })
}

/// The `known` name that differs in the fewest letters, if that is no more than a third of them. Of several, the first.
pub fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let apart = |other: &str| strsim::osa_distance(name, other);
    let (n_apart, near) =
        known.into_iter().map(|other| (apart(other), other)).min_by_key(|(n_apart, _)| *n_apart)?;
    (n_apart <= name.chars().count() / 3).then_some(near)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_there_is_told_with_the_nearest() {
        for (name, near) in [
            ("stonith-enabeld", Some("stonith-enabled")),
            ("maintenance", None),
            ("maintenance_mode", Some("maintenance-mode")),
            ("web", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, ["stonith-enabled", "maintenance-mode"]), near, "{name}");
        }
    }
}
