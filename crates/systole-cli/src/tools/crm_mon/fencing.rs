//! `crm_mon --watch-fencing`: which lost nodes are off, as seen in the CIB.

use crate::Exit;
use std::collections::BTreeMap;
use systole_cib::{
    parse_bool,
    xml::{Document, Element},
};

/// The event's name, where an operation has its task.
const EVENT: &str = "st_notify_fence";

/// Looks for nodes that were lost and are known to be off since.
#[derive(Default)]
pub(super) struct FencingWatch {
    /// `None` before the first look.
    known: Option<BTreeMap<String, Standing>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Gone, though it should be there.
    Lost,
    /// Gone, and known to be off.
    Off,
    /// A remote node that was fenced.
    Fenced,
    /// Anything else.
    Other,
}

impl Standing {
    fn of(state: Element<'_>) -> Self {
        let is = |name: &str| state.attr(name).is_some_and(|value| parse_bool(value) == Some(true));
        let is_member = is("in_ccm")
            || state.attr("in_ccm").is_some_and(|since| since.parse::<u64>().is_ok_and(|n| n > 0));
        match state.attr("expected") {
            _ if is("node_fenced") => Self::Fenced,
            _ if is_member => Self::Other,
            Some("member") => Self::Lost,
            Some("down") => Self::Off,
            _ => Self::Other,
        }
    }
}

impl FencingWatch {
    /// What a program is told of each node that was fenced since the last look.
    pub fn news(&mut self, document: &Document) -> Vec<Vec<(&'static str, String)>> {
        let status = document.root().child("status");
        let states = status.into_iter().flat_map(|status| status.children_named("node_state"));
        let now: BTreeMap<String, Standing> = states
            .filter_map(|state| Some((state.attr("uname").or(state.id())?.to_owned(), Standing::of(state))))
            .collect();
        let before = self.known.replace(now.clone());
        let is_news = |(name, standing): &(&String, &Standing)| {
            let was = before.as_ref().map(|before| before.get(*name).copied());
            match standing {
                Standing::Off => was == Some(Some(Standing::Lost)),
                Standing::Fenced => was.is_some_and(|was| was != Some(Standing::Fenced)),
                _ => false,
            }
        };
        now.iter().filter(is_news).map(|(name, _)| variables(name)).collect()
    }
}

/// In the words of Pacemaker's tool. The CIB does not say who confirmed it, nor where.
fn variables(node: &str) -> Vec<(&'static str, String)> {
    let description =
        format!("Operation off of {node} by a human for a client@a node: {} (ref=(none))", Exit::Ok.text());
    let ok = || Exit::Ok.code().to_string();
    vec![
        ("CRM_notify_node", node.to_owned()),
        ("CRM_notify_task", EVENT.to_owned()),
        ("CRM_notify_desc", description),
        ("CRM_notify_rc", ok()),
        ("CRM_notify_target_rc", ok()),
        ("CRM_notify_status", ok()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cib(states: &[(&str, &str)]) -> Document {
        let states: String = states
            .iter()
            .enumerate()
            .map(|(id, (name, attributes))| {
                format!("<node_state id=\"{id}\" uname=\"{name}\" {attributes}/>")
            })
            .collect();
        Document::parse(format!("<cib><configuration/><status>{states}</status></cib>")).expect("XML")
    }

    #[test]
    fn a_lost_node_that_is_off_is_told_once_and_one_that_was_shut_down_never() {
        let up = "in_ccm=\"true\" expected=\"member\"";
        let lost = "in_ccm=\"0\" expected=\"member\"";
        let off = "in_ccm=\"false\" expected=\"down\"";
        let mut watch = FencingWatch::default();
        let mut told = |alpha: &str, beta: &str, far: &str| -> Vec<String> {
            let states = cib(&[("alpha", alpha), ("beta", beta), ("far", far)]);
            watch.news(&states).into_iter().map(|variables| variables[0].1.clone()).collect()
        };
        let remote = "remote_node=\"true\" in_ccm=\"true\"";
        let fenced = "remote_node=\"true\" in_ccm=\"false\" node_fenced=\"1\"";
        assert!(told(up, off, remote).is_empty());
        assert!(told(lost, up, remote).is_empty());
        assert_eq!(told(off, off, fenced), ["alpha", "far"]);
        assert!(told(off, off, fenced).is_empty());
    }
}
