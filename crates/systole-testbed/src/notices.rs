//! Notifications: what they say has to be so, and whoever needs it has to hear it.

use crate::{Micros, agents::named};
use std::collections::{BTreeMap, BTreeSet};
use systole_types::TransitionKey;
use systole_wire::exec::Operation;

/// Watches notifications.
#[derive(Debug, Default)]
pub struct Notices {
    /// What was done with success, by the plan it belongs to.
    done: BTreeSet<Deed>,
    /// The last promotion of a copy of each resource: when it was asked for, and on which node.
    promotions: BTreeMap<String, (Micros, String)>,
    /// Who was in maintenance mode when a copy of each resource was last to be promoted: nothing is said there.
    left_alone: BTreeMap<String, BTreeSet<String>>,
    /// When each node was last without its daemon, its executor, its session or quorum, so that what it was to hear may be lost.
    disturbed: BTreeMap<String, Micros>,
    /// When there was last no partition with quorum that could keep in mind who is to be told what.
    forgotten_at: Micros,
}

/// Something done to a copy: in which plan (its number and its DC), to which resource, what, and on which node.
type Deed = (i64, String, String, String, String);

fn deed(of: &Operation, what: &str, node: &str) -> Option<Deed> {
    let key: TransitionKey = of.transition_key.parse().ok()?;
    Some((key.transition, key.uuid.to_string(), of.resource.clone(), what.to_owned(), node.to_owned()))
}

impl Notices {
    /// An operation has succeeded on a node.
    pub fn done(&mut self, operation: &Operation, node: &str) {
        if matches!(operation.operation.as_str(), "start" | "stop" | "promote" | "demote") {
            self.done.extend(deed(operation, &operation.operation, node));
        }
    }

    /// What is wrong with an operation that begins now, if it is a notification: what it says that was done must have been done
    /// in its plan, and what it says that is to be done must not. (Only stops and demotions may be done without an agent.)
    pub fn is_wrong(&self, operation: &Operation) -> Option<String> {
        if operation.operation != "notify" {
            return None;
        }
        let text =
            |name: &str| operation.parameters.get(&format!("CRM_meta_notify_{name}")).map(String::as_str);
        let (what, is_post) = (text("operation")?, text("type")? == "post");
        let may_be_implied = matches!(what, "stop" | "demote");
        let is_done = |node: &&str| deed(operation, what, node).is_some_and(|deed| self.done.contains(&deed));
        let mut nodes = named(operation, what);
        let wrong = match is_post {
            true if may_be_implied => None,
            true => nodes.find(|node| !is_done(node)),
            false => nodes.find(|node| is_done(node)),
        };
        let when = if is_post { "was done and was not" } else { "is to be done and was already" };
        wrong.map(|node| format!("{} says that {what} on {node} {when}", operation.key))
    }

    /// A copy of a resource was promoted on a node, which was asked for at that moment.
    pub fn promoted(&mut self, asked: Micros, resource: &str, node: &str) {
        self.promotions.insert(resource.to_owned(), (asked, node.to_owned()));
    }

    /// A copy of a resource is to be promoted, while these nodes are in maintenance mode.
    pub fn ordered(&mut self, resource: &str, left_alone: BTreeSet<String>) {
        self.left_alone.insert(resource.to_owned(), left_alone);
    }

    /// Something happened to a node that may cost it a notification, or the others one of what it did.
    pub fn disturbed(&mut self, now: Micros, node: &str) {
        self.disturbed.insert(node.to_owned(), now);
    }

    /// Nobody has quorum now.
    pub fn forgotten(&mut self, now: Micros) {
        self.forgotten_at = now;
    }

    /// Whether the copy of a resource on a node must know by now that the one on `promoted` is, in a cluster at rest. That the DC has
    /// changed meanwhile, or others came and went, is no excuse.
    pub fn must_be_known(&self, resource: &str, promoted: &str, node: &str) -> bool {
        let Some((asked, last)) = self.promotions.get(resource) else { return false };
        if self.left_alone.get(resource).is_some_and(|nodes| nodes.contains(node)) {
            return false;
        }
        let was_there = |node: &str| self.disturbed.get(node).is_none_or(|at| at < asked);
        // Without fencing, one that was away may come back promoted while another was promoted in its place.
        *asked > self.forgotten_at && [last.as_str(), promoted, node].into_iter().all(was_there)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(transition: u32, name: &str, lists: &[(&str, &str)]) -> Operation {
        let parameters = lists.iter();
        let parameters = parameters
            .map(|(name, value)| (format!("CRM_meta_notify_{name}"), (*value).to_owned()))
            .collect();
        Operation {
            call: 0,
            key: format!("p_{name}_0"),
            resource: "p".to_owned(),
            class: "ocf".to_owned(),
            provider: None,
            agent: "Stateful".to_owned(),
            operation: name.to_owned(),
            interval_ms: 0,
            timeout_ms: 0,
            start_delay_ms: 0,
            parameters,
            transition_key: format!("1:{transition}:0:12345678-1234-1234-1234-123456789012"),
            expected_rc: None,
            digests: Default::default(),
        }
    }

    #[test]
    fn a_notification_must_say_what_was_done_in_its_plan_and_no_more() {
        let mut notices = Notices::default();
        notices.done(&operation(1, "promote", &[]), "b");
        for (transition, when, node, is_wrong) in [
            (1, "post", "b", false),
            (1, "post", "c", true),
            (2, "post", "b", true),
            (1, "pre", "b", true),
            (1, "pre", "c", false),
        ] {
            let lists = [("type", when), ("operation", "promote"), ("promote_uname", node)];
            let notification = operation(transition, "notify", &lists);
            let found = notices.is_wrong(&notification);
            assert_eq!(found.is_some(), is_wrong, "{when} {node} in transition {transition}: {found:?}");
        }
    }

    #[test]
    fn the_promoted_copy_must_be_known_where_nothing_was_disturbed_since() {
        let mut notices = Notices::default();
        assert!(!notices.must_be_known("p", "b", "a"));
        notices.promoted(5, "p", "b");
        notices.disturbed(4, "a");
        notices.disturbed(6, "c");
        assert!(notices.must_be_known("p", "b", "a"));
        assert!(!notices.must_be_known("p", "b", "c"));
        assert!(!notices.must_be_known("p", "c", "a"), "it has come back promoted");
        notices.disturbed(7, "b");
        assert!(!notices.must_be_known("p", "b", "a"), "what came of the promotion may be lost");
        notices.promoted(8, "p", "c");
        assert!(notices.must_be_known("p", "c", "a"));
        notices.ordered("p", ["a".to_owned()].into());
        assert!(!notices.must_be_known("p", "c", "a"), "it was in maintenance mode");
        notices.ordered("p", BTreeSet::new());
        notices.forgotten(9);
        assert!(!notices.must_be_known("p", "c", "a"));
    }
}
