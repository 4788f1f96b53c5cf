//! Transient attributes: no value is lost that was acknowledged, and none outlives its node.
//!
//! What was acknowledged is kept
//! - where it was set in a partition with quorum, in which the node is that it is about, and every member had time to hear of it,
//!   until nobody has quorum;
//! - where it was set on the node that it is about, in whatever partition, until the daemon there ends.
//!
//! Either way it need not be there any more when the node has left, and must not be when the node has lost its power.

use crate::{Micros, NodeIdx};
use systole_cib::xml::Document;
use systole_wire::api::{AttributeUpdate, Call, Reply};

/// How long it takes, at most, until every member has heard of something.
const HEARD: Micros = 100_000;

/// Watches transient attributes.
#[derive(Debug, Default)]
pub struct Attributes {
    updates: Vec<Update>,
    /// When there was last no partition with quorum.
    forgotten_at: Micros,
}

/// A value that a tool has set.
#[derive(Clone, Debug)]
struct Update {
    /// The tool's request.
    number: u64,
    /// Where it was asked for, and about which node it is.
    by: NodeIdx,
    about: NodeIdx,
    name: String,
    value: String,
    asked: Micros,
    acknowledged: Option<Micros>,
    /// In which view, if it has quorum and the node in it.
    view: Option<u64>,
    /// Whether it is not known yet if every member has heard of it.
    is_open: bool,
}

/// The value of a node's transient attribute, as a CIB has it.
pub fn value_in(cib: &Document, node: &str, name: &str) -> Option<String> {
    let states = cib.root().child("status")?.children_named("node_state");
    let state = states.into_iter().find(|state| state.attr("uname") == Some(node))?;
    let mut pairs = state.child("transient_attributes")?.descendants();
    pairs.find(|pair| pair.attr("name") == Some(name))?.attr("value").map(str::to_owned)
}

/// What is to be known of a host to tell what has to be kept.
#[derive(Clone, Copy, Debug, Default)]
pub struct Past {
    /// When it last lost its power.
    pub lost_at: Micros,
    /// When its node last left. Others that did not hear of that take it for lost, and its attributes for its own when it is back.
    pub left_at: Micros,
    /// When its daemon last ended.
    pub ended_at: Micros,
}

impl Attributes {
    /// A tool asks for something.
    pub fn asked(&mut self, now: Micros, number: u64, by: NodeIdx, about: Option<NodeIdx>, call: &Call) {
        let (Call::Attribute(update), Some(about)) = (call, about) else { return };
        let AttributeUpdate { name, value: Some(value), .. } = update else { return };
        // Agents set the same score again and again: whose it is cannot be told.
        if name.starts_with("master-") {
            return;
        }
        let (name, value) = (name.clone(), value.clone());
        let (acknowledged, view, is_open) = (None, None, false);
        let update = Update { number, by, about, name, value, asked: now, acknowledged, view, is_open };
        self.updates.push(update);
    }

    /// It has an answer. `view`: the one it was asked in, if that has quorum; with its members.
    pub fn answered(&mut self, now: Micros, number: u64, reply: &Reply, view: Option<(u64, &[NodeIdx])>) {
        let update = self.updates.iter_mut().find(|update| update.number == number);
        let Some(update) = update.filter(|_| *reply == Reply::Done) else { return };
        update.acknowledged = Some(now);
        update.view = view.filter(|(_, members)| members.contains(&update.about)).map(|(view, _)| view);
        update.is_open = update.view.is_some();
    }

    /// Time has passed: what was said in a view that is over may not have been heard by everybody.
    pub fn heard(&mut self, now: Micros, view_of: impl Fn(NodeIdx) -> Option<u64>) {
        for update in self.updates.iter_mut().filter(|update| update.is_open) {
            if update.acknowledged.is_some_and(|at| now > at + HEARD) {
                update.is_open = false;
            } else if view_of(update.by) != update.view {
                (update.is_open, update.view) = (false, None);
            }
        }
    }

    /// Nobody has quorum now.
    pub fn forgotten(&mut self, now: Micros) {
        self.forgotten_at = now;
    }

    /// What is wrong with the values that a cluster at rest has of a node's attributes.
    pub fn is_wrong(
        &self,
        about: NodeIdx,
        past: Past,
        value_of: impl Fn(&str) -> Option<String>,
    ) -> Option<String> {
        let of_node = || self.updates.iter().filter(|update| update.about == about);
        for update in of_node() {
            let value = value_of(&update.name);
            if value.as_ref() == Some(&update.value)
                && update.acknowledged.is_some_and(|at| at < past.lost_at)
            {
                return Some(format!("{} of {} has outlived its node", update.value, update.name));
            }
            let may_be_later = |other: &&Update| {
                other.name == update.name && other.acknowledged.is_none_or(|at| at >= update.asked)
            };
            let is_explained = || {
                value
                    .as_ref()
                    .is_some_and(|value| of_node().filter(may_be_later).any(|it| it.value == *value))
            };
            if self.is_kept(update, past) && !is_explained() {
                let (name, kept) = (&update.name, &update.value);
                return Some(format!("{name}={kept} was acknowledged, and the value is {value:?}"));
            }
        }
        None
    }

    fn is_kept(&self, update: &Update, past: Past) -> bool {
        let gone_at = past.lost_at.max(past.left_at);
        let Some(at) = update.acknowledged.filter(|at| *at > gone_at) else { return false };
        let is_with_all = update.view.is_some() && at > self.forgotten_at;
        is_with_all || update.by == update.about && at > past.ended_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOST: &str = "a value that was acknowledged is lost";

    fn set(attributes: &mut Attributes, now: Micros, by: NodeIdx, value: &str, members: &[NodeIdx]) {
        let update =
            AttributeUpdate { name: "x".into(), value: Some(value.into()), ..AttributeUpdate::default() };
        attributes.asked(now, now, by, Some(0), &Call::Attribute(update));
        attributes.answered(now + 1, now, &Reply::Done, Some((7, members)).filter(|_| !members.is_empty()));
    }

    fn wrong(attributes: &Attributes, past: Past, value: Option<&str>) -> bool {
        attributes.is_wrong(0, past, |_| value.map(str::to_owned)).is_some()
    }

    #[test]
    fn a_value_with_all_members_is_kept_until_nobody_has_quorum_and_until_its_node_goes() {
        let mut attributes = Attributes::default();
        set(&mut attributes, 10, 1, "v", &[0, 1]);
        attributes.heard(20 + HEARD, |_| Some(8));
        assert!(wrong(&attributes, Past::default(), None), "{LOST}");
        assert!(!wrong(&attributes, Past::default(), Some("v")));
        assert!(
            wrong(&attributes, Past { lost_at: 30, ended_at: 30, left_at: 0 }, Some("v")),
            "it has outlived its node"
        );
        assert!(!wrong(&attributes, Past { lost_at: 30, ended_at: 30, left_at: 0 }, None));
        attributes.forgotten(40);
        assert!(!wrong(&attributes, Past::default(), None));
    }

    #[test]
    fn a_value_that_others_may_not_have_heard_of_is_kept_by_its_own_node_only() {
        for (by, is_kept) in [(1, false), (0, true)] {
            let mut attributes = Attributes::default();
            set(&mut attributes, 10, by, "v", &[0, 1]);
            attributes.heard(12, |_| Some(8));
            assert_eq!(wrong(&attributes, Past::default(), None), is_kept);
            assert!(!wrong(&attributes, Past { ended_at: 30, ..Past::default() }, None));
        }
    }

    #[test]
    fn a_later_value_may_have_taken_its_place() {
        let mut attributes = Attributes::default();
        set(&mut attributes, 10, 0, "v", &[0, 1]);
        set(&mut attributes, 20, 1, "w", &[]);
        assert!(!wrong(&attributes, Past::default(), Some("w")));
        assert!(!wrong(&attributes, Past::default(), Some("v")), "the later one is not kept");
        set(&mut attributes, 30, 0, "z", &[0, 1]);
        assert!(wrong(&attributes, Past::default(), Some("w")), "{LOST}");
    }
}
