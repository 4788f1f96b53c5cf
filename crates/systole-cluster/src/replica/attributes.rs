//! Node attributes beside the configuration: transient ones, in the status section, and what is not written there.
//!
//! The status section has the values. The ledger has what it cannot tell: how long changes of an attribute are held back
//! (its dampening), which values are held back at present, and the values of private attributes, which are never written.
//! Values of a node go when the node does.

use super::{Counted, Place, Replica, status::is_mark};
use crate::message::{
    AttributeChange, AttributeLedger, AttributeValue, Dampen, LEVEL_OF_FORGETTING, LEVEL_OF_KEEPING,
    LEVEL_OF_REFUSALS, Wish,
};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};
use systole_types::Score;

/// How many attributes are remembered, beside those with values, of which it was said how to treat them.
const MAX_DEFINED: usize = 1024;

/// A value on a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Valued {
    /// The node's name.
    pub node: String,
    /// The attribute's name.
    pub name: String,
    /// Its value.
    pub value: String,
}

impl Replica {
    /// The value of an attribute on a node: as it was asked for last, written or not.
    pub fn attribute(&self, node: &str, name: &str) -> Option<String> {
        let held = self.ledger.attributes.get(name).and_then(|entry| entry.held.get(node));
        held.cloned().unwrap_or_else(|| self.written_attributes(node).remove(name))
    }

    /// Values of attributes: of one name or all, on one node or all.
    pub fn attributes(&self, name: Option<&str>, node: Option<&str>) -> Vec<Valued> {
        let status = self.cib.root().child("status");
        let states = status.into_iter().flat_map(|status| status.children_named("node_state"));
        let mut values: BTreeMap<(String, String), String> = BTreeMap::new();
        for at in states.filter_map(|state| state.attr("uname")) {
            let written = self.written_attributes(at).into_iter();
            values.extend(written.map(|(name, value)| ((at.to_owned(), name), value)));
        }
        for (name, entry) in &self.ledger.attributes {
            for (node, value) in &entry.held {
                let key = (node.clone(), name.clone());
                match value {
                    Some(value) => _ = values.insert(key, value.clone()),
                    None => _ = values.remove(&key),
                }
            }
        }
        let is_wanted = |wanted: Option<&str>, is: &str| wanted.is_none_or(|wanted| wanted == is);
        let values = values.into_iter().map(|((node, name), value)| Valued { node, name, value });
        values.filter(|it| is_wanted(name, &it.name) && is_wanted(node, &it.node)).collect()
    }

    /// What is wished, with the attributes by their names that fit a pattern now.
    pub fn spelt_out<'w>(&self, wish: &'w Wish) -> Cow<'w, Wish> {
        match wish {
            Wish::Attributes(changes) if changes.iter().any(|change| change.pattern) => {
                Cow::Owned(Wish::Attributes(changes.iter().flat_map(|change| self.meant(change)).collect()))
            }
            _ => Cow::Borrowed(wish),
        }
    }

    fn meant(&self, change: &AttributeChange) -> Vec<AttributeChange> {
        if !change.pattern {
            return vec![change.clone()];
        }
        // The member that was asked has refused what is no pattern.
        let Ok(pattern) = regex_lite::Regex::new(&change.name) else { return Vec::new() };
        let known = self.attributes(None, None).into_iter().map(|it| it.name);
        let names: BTreeSet<String> = known.filter(|name| pattern.is_match(name)).collect();
        let named = |name| AttributeChange { name, pattern: false, ..change.clone() };
        names.into_iter().map(named).collect()
    }

    fn written_attributes(&self, node: &str) -> BTreeMap<String, String> {
        let attributes = self.node_state(node).and_then(|state| state.child("transient_attributes"));
        let sets = attributes.into_iter().flat_map(|it| it.children_named("instance_attributes"));
        let sets = sets.filter(|set| !is_mark(set));
        let pairs = sets.flat_map(|set| set.children_named("nvpair"));
        pairs
            .filter_map(|pair| Some((pair.attr("name")?.to_owned(), pair.attr("value")?.to_owned())))
            .collect()
    }

    /// Attributes change. Whether the CIB did.
    pub fn set_attributes(&mut self, changes: &[AttributeChange]) -> bool {
        let mut has_changed = false;
        for change in changes {
            has_changed |= self.change_attribute(change);
        }
        if has_changed {
            self.count(Counted::Status);
        }
        has_changed
    }

    pub(super) fn change_attribute(&mut self, change: &AttributeChange) -> bool {
        self.define(change);
        let old = self.attribute(&change.node, &change.name);
        let value = match &change.to {
            AttributeValue::Keep => return false,
            AttributeValue::Remove => None,
            AttributeValue::Set(value) => Some(value.clone()),
            AttributeValue::Increment => Some(added(old.as_deref(), 1)),
            AttributeValue::Add(step) => Some(added(old.as_deref(), *step)),
        };
        let entry = self.ledger.attributes.get_mut(&change.name);
        if let Some(entry) = entry.filter(|entry| entry.private || entry.delay_ms > 0) {
            if old != value || (entry.private && value.is_none()) {
                entry.n_changes += 1;
                match (entry.private, &value) {
                    (true, None) => _ = entry.held.remove(&change.node),
                    _ => _ = entry.held.insert(change.node.clone(), value),
                }
            }
            return false;
        }
        self.write_attribute(&change.node, &change.name, value.as_deref())
    }

    /// Takes down what a change says of the attribute itself.
    fn define(&mut self, change: &AttributeChange) {
        let known = self.ledger.attributes.contains_key(&change.name);
        let is_prompt = self.level >= LEVEL_OF_REFUSALS && is_prompt(&change.name);
        let delay = match change.dampen {
            Some(Dampen { ms, if_new }) if (!if_new || !known) && !is_prompt => Some(ms),
            _ => None,
        };
        let private = change.private && !is_prompt;
        let is_plain = delay.unwrap_or(0) == 0 && !private && change.set.is_none();
        if is_plain && !known {
            return;
        }
        if !known && self.level >= LEVEL_OF_FORGETTING {
            self.make_room_for_attributes();
        }
        let entry = self.ledger.attributes.entry(change.name.clone()).or_default();
        if let Some(ms) = delay {
            entry.delay_ms = ms;
        }
        if !known {
            entry.private = private;
            entry.set.clone_from(&change.set);
        }
    }

    /// Where as much is known of attributes beside their values as there may be, what has no value anywhere is forgotten.
    fn make_room_for_attributes(&mut self) {
        if self.ledger.attributes.len() < MAX_DEFINED {
            return;
        }
        let valued: BTreeSet<String> = self.attributes(None, None).into_iter().map(|it| it.name).collect();
        self.ledger.attributes.retain(|name, entry| !entry.held.is_empty() || valued.contains(name));
    }

    /// What shows whether somebody may say of an attribute what a change says of it, apart from its value: that would hold for
    /// all nodes, whoever writes it afterwards. It takes that the value could be changed on each that has one, here and now. Nothing
    /// if nothing new is said.
    pub fn changes_like_defining(&self, change: &AttributeChange) -> Vec<AttributeChange> {
        let mut after = self.clone();
        after.define(change);
        if after.ledger.attributes.get(&change.name) == self.ledger.attributes.get(&change.name) {
            return Vec::new();
        }
        let valued = self.attributes(Some(&change.name), None).into_iter();
        let others = valued.filter(|it| it.node != change.node).map(|it| it.node);
        let plain = |node: String| {
            let old = self.written_attributes(&node).remove(&change.name).unwrap_or_default();
            let to = AttributeValue::Set(format!("{old}+"));
            AttributeChange { node, name: change.name.clone(), to, ..AttributeChange::default() }
        };
        std::iter::once(change.node.clone()).chain(others).map(plain).collect()
    }

    /// Forgets what is known of an attribute but for its set: values go into the CIB at once then.
    pub fn make_prompt(&mut self, name: &str) {
        if let Some(entry) = self.ledger.attributes.get_mut(name) {
            *entry = AttributeLedger { set: entry.set.take(), ..AttributeLedger::default() };
        }
    }

    /// Writes held back values of these attributes.
    pub fn write_out_attributes(&mut self, names: &[String]) -> bool {
        let mut has_changed = false;
        for name in names {
            let entry = self.ledger.attributes.get_mut(name).filter(|entry| !entry.private);
            let held = entry.map(|entry| std::mem::take(&mut entry.held)).unwrap_or_default();
            for (node, value) in held {
                has_changed |= self.write_attribute(&node, name, value.as_deref());
            }
        }
        if has_changed {
            self.count(Counted::Status);
        }
        has_changed
    }

    fn write_attribute(&mut self, node: &str, name: &str, value: Option<&str>) -> bool {
        let id = self.id_of(node).map_or_else(|| node.to_owned(), |id| id.to_string());
        let set = self.ledger.attributes.get(name).and_then(|entry| entry.set.clone());
        let place = Place { id, name: node.to_owned() };
        self.status().set_attribute(&place, set.as_deref(), name, value)
    }

    /// Attributes with values that are held back: name, how often they changed, and for how long.
    pub fn held_attributes(&self) -> impl Iterator<Item = (&String, &AttributeLedger)> {
        let entries = self.ledger.attributes.iter();
        entries.filter(|(_, entry)| !entry.private && !entry.held.is_empty())
    }

    /// A node is lost: its attributes do not count any more, unless it comes back as it was. Every new DC says so again.
    pub(super) fn set_attributes_aside(&mut self, node: &str) {
        let mut values = self.ledger.kept_attributes.remove(node).unwrap_or_default();
        if self.level < LEVEL_OF_KEEPING {
            values.clear();
        }
        values.extend(self.written_attributes(node));
        values.remove("shutdown");
        self.forget_attributes(node);
        if !values.is_empty() {
            self.ledger.kept_attributes.insert(node.to_owned(), values);
        }
    }

    /// A node that was lost is back, and was not booted meanwhile.
    pub(super) fn restore_attributes(&mut self, node: &str) {
        let kept = self.ledger.kept_attributes.remove(node).unwrap_or_default();
        for (name, value) in kept {
            if self.attribute(node, &name).is_none() {
                self.write_attribute(node, &name, Some(&value));
            }
        }
    }

    /// A node is gone, and its transient attributes with it.
    pub(super) fn forget_attributes(&mut self, node: &str) {
        self.status().erase_attributes(node);
        self.ledger.kept_attributes.remove(node);
        for entry in self.ledger.attributes.values_mut() {
            entry.held.remove(node);
        }
    }
}

/// Whether the cluster itself goes by an attribute's value, which is never held back nor kept from the CIB then.
fn is_prompt(name: &str) -> bool {
    name == "shutdown" || name.starts_with("fail-count-") || name.starts_with("last-failure-")
}

/// A score with something added to it.
fn added(old: Option<&str>, step: i32) -> String {
    let old: Score = old.and_then(|old| old.parse().ok()).unwrap_or(Score::ZERO);
    (old + Score::finite(step.into())).to_string()
}
