//! Incumbents of the 2.x releases: what they call things, and how they are known to plan otherwise than 3.0.2.
//!
//! They print summaries without titles and scores under other names, so plans alone are compared. Differences of known
//! kinds are counted by kind; nothing is left out of account. Of the others a newer incumbent, if there is one, tells which
//! have changed since.

use crate::judge::{Difference, Level};
use std::{collections::BTreeMap, path::Path, process::Command};
use systole_cib::xml::{Document, Element, Key};

/// Names that options had before 3.0, and that most administrators still know.
pub(crate) const OPTIONS: [(&str, &str); 6] = [
    ("fencing-enabled", "stonith-enabled"),
    ("fencing-action", "stonith-action"),
    ("fencing-timeout", "stonith-timeout"),
    ("fencing-watchdog-timeout", "stonith-watchdog-timeout"),
    ("stop-removed-resources", "stop-orphan-resources"),
    ("cancel-removed-actions", "stop-orphan-actions"),
];

/// Whether a `crm_simulate` is of a release before 3.0.
pub fn is_older(oracle: &Path) -> bool {
    let version = Command::new(oracle).arg("--version").output();
    let text = version.map(|run| String::from_utf8_lossy(&run.stdout).into_owned()).unwrap_or_default();
    text.starts_with("Pacemaker 2.") || text.starts_with("Pacemaker 1.")
}

/// Puts a CIB into words that 2.1 knows. We read them too. Its schemas end before ours, so it is told not to validate.
pub fn translate(cib: &mut Document) {
    let root = cib.root_key();
    cib.set_attr(root, "validate-with", "none");
    let all: Vec<Key> = cib.root().descendants().chain([cib.root()]).map(Element::key).collect();
    for key in all {
        if cib.element(key).attr("crm_feature_set").is_some() {
            cib.set_attr(key, "crm_feature_set", "3.16.2");
        }
        let name = cib.element(key).attr("name").unwrap_or_default();
        if let Some((_, old)) = OPTIONS.iter().find(|(new, _)| *new == name) {
            cib.set_attr(key, "name", old);
        }
    }
}

/// What a case's differences come to: the known kind that explains all of them, else the first that none explains.
pub fn class(found: &[Difference]) -> Option<String> {
    let is_plan = |difference: &&Difference| {
        matches!(difference.level, Level::Oracle | Level::L0 | Level::L1 | Level::L2 | Level::L3)
    };
    let plan: Vec<&Difference> = found.iter().filter(is_plan).collect();
    let first = plan.first()?;
    if first.level == Level::L1 {
        let actions = plan.iter().filter(|difference| difference.level == Level::L1);
        let actions: Vec<&str> = actions.map(|difference| difference.kind.as_str()).collect();
        return Some(class_of_actions(&plan).map_or_else(|| format!("L1 {}", actions[0]), str::to_owned));
    }
    let unknown = plan.iter().find(|difference| known_detail(difference).is_none());
    Some(match unknown {
        Some(difference) => format!("{:?} {}", difference.level, difference.kind),
        None => known_detail(first).unwrap_or_default().to_owned(),
    })
}

/// Attributes that 2.1 gives otherwise.
fn known_detail(difference: &Difference) -> Option<&'static str> {
    let (what, of) = difference.kind.rsplit_once(" of ")?;
    match (difference.level, what) {
        (Level::L3, _) if of == "stonith" => Some("known: attributes of fencing"),
        (Level::L3, _) if what.starts_with("CRM_meta_notify") => Some("known: lists in notifications"),
        _ => None,
    }
}

/// Whether the same is done to other instances, or on other nodes.
fn class_of_actions(plan: &[&Difference]) -> Option<&'static str> {
    let balance = |simplify: &dyn Fn(&str) -> String| {
        let mut sum: BTreeMap<String, i64> = BTreeMap::new();
        for difference in plan.iter().filter(|difference| difference.level == Level::L1) {
            let sign = if difference.kind.starts_with("missing") { -1 } else { 1 };
            *sum.entry(simplify(&difference.text)).or_default() += sign;
        }
        sum.values().all(|count| *count == 0)
    };
    let without_number = |text: &str| {
        let (key, node) = text.split_once(" on ").unwrap_or((text, ""));
        let key: String = match key.split_once(':') {
            Some((base, rest)) => format!("{base}{}", rest.trim_start_matches(|c: char| c.is_ascii_digit())),
            None => key.to_owned(),
        };
        (key, node.to_owned())
    };
    if balance(&|text| format!("{:?}", without_number(text))) {
        Some("known: numbers of instances")
    } else if balance(&|text| without_number(text).0) {
        Some("known: other nodes")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(kind: &str, text: &str) -> Difference {
        Difference { level: Level::L1, kind: kind.into(), text: text.into() }
    }

    #[test]
    fn known_differences_are_told_apart() {
        let missing = |text| action("missing rsc_op start", text);
        let extra = |text| action("extra rsc_op start", text);
        let number = [missing("rsc_op a:0_start_0 on n1"), extra("rsc_op a:1_start_0 on n1")];
        let tie = [missing("rsc_op a_start_0 on n1"), extra("rsc_op a_start_0 on n2")];
        let other = [missing("rsc_op a_start_0 on n1"), extra("rsc_op b_start_0 on n1")];
        for (found, expected) in [
            (&number[..], Some("known: numbers of instances")),
            (&tie[..], Some("known: other nodes")),
            (&other[..], Some("L1 missing rsc_op start")),
            (&[], None),
        ] {
            assert_eq!(class(found).as_deref(), expected);
        }
    }

    #[test]
    fn options_get_their_former_names() {
        let mut cib = crate::generate::cib(crate::generate::Family::Classic, 3);
        translate(&mut cib);
        let text = cib.to_text();
        assert!(text.contains("stonith-enabled") && !text.contains("fencing-enabled"), "{text}");
    }
}
