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
    Failed::no_such(format!("there is no {kind} {name}{}", hint(name, known)))
}

/// What an error about a name ends with if one of the `known` names is near it.
pub fn hint<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    nearest(name, known).map_or_else(String::new, |near| format!(": did you mean {near}?"))
}

/// The `known` name that differs in the fewest letters, if that is no more than a third of them. Of several, the first.
fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
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
