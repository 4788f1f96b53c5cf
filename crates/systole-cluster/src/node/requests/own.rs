//! What this node was told to change of its own transient attributes, in case that is lost with the replica it went into.
//!
//! A partition without quorum takes such changes, as the incumbent's attribute manager does: what agents say of their node is so
//! whoever is there to hear it. When partitions join, one replica wins, and what was said in the other one is said again by the node
//! that it is about. Which of them the winner lacks, their numbers tell.

use crate::{
    message::{Asker, AttributeChange, AttributeValue, Wish},
    replica::failed_resource,
};
use std::collections::BTreeMap;

/// How many changes are remembered: of the same attribute, those since it was last set.
const MAX_CHANGES: usize = 1024;

/// Changes of a node's attributes that its own tools have asked for, by the number of the request.
#[derive(Debug, Default)]
pub(super) struct OwnChanges {
    changes: BTreeMap<u64, (AttributeChange, Option<Asker>)>,
    /// Which of them the present replica lacks, with the last request that had been said when that was found.
    lost: BTreeMap<u64, u64>,
}

impl OwnChanges {
    /// A request of this node, which goes by `name`, was applied. Whether it is one to be remembered.
    pub fn remember(&mut self, number: u64, wish: &Wish, asker: Option<&Asker>, name: &str) -> bool {
        let Wish::Attributes(changes) = wish else { return false };
        // Tools change one attribute of one node with a request, but where they name a pattern.
        let [change] = &changes[..] else { return false };
        if change.node != name {
            return false;
        }
        let mut change = change.clone();
        if has_value(&change) {
            self.take_the_place_of_earlier(&mut change);
        }
        self.changes.insert(number, (change, asker.cloned()));
        while self.changes.len() > MAX_CHANGES {
            self.changes.pop_first();
        }
        true
    }

    /// Another request was applied: what it sets or removes of this node is no more what its own tools have said.
    pub fn overruled(&mut self, wish: &Wish, name: &str) {
        let Wish::Attributes(changes) = wish else { return };
        for change in changes.iter().filter(|change| change.node == name && has_value(change)) {
            self.changes.retain(|_, (earlier, _)| earlier.name != change.name);
        }
    }

    /// Failures were cleared: what was said of them does not hold any more, but that they have no count.
    pub fn forget_failures(&mut self, is_gone: impl Fn(&str) -> bool) {
        self.changes.retain(|_, (change, _)| {
            change.to == AttributeValue::Remove
                || failed_resource(&change.name).is_none()
                || !is_gone(&change.name)
        });
    }

    /// Whether something was said of failures.
    pub fn has_failures(&self) -> bool {
        self.changes.values().any(|(change, _)| failed_resource(&change.name).is_some())
    }

    /// Whether a wish adds to an attribute of which something is to be said again before, unless it gets another value anyway.
    pub fn is_added_to(&self, wish: &Wish, wanted: &[&Wish], name: &str) -> bool {
        let Wish::Attributes(changes) = wish else { return false };
        let mut lost =
            self.lost.keys().filter_map(|number| self.changes.get(number)).map(|(change, _)| change);
        lost.any(|earlier| {
            let adds = |change: &AttributeChange| change.name == earlier.name && !has_value(change);
            changes.iter().any(|change| change.node == name && adds(change)) && !is_wanted(wanted, earlier)
        })
    }

    /// What was said of the attribute itself still holds.
    fn take_the_place_of_earlier(&mut self, change: &mut AttributeChange) {
        self.changes.retain(|_, (earlier, _)| {
            let is_other = earlier.name != change.name;
            if !is_other {
                change.dampen = change.dampen.or(earlier.dampen);
                change.private |= earlier.private;
                change.set = change.set.take().or(earlier.set.take());
            }
            is_other
        });
    }

    /// The members have a replica that has this node's requests up to `applied`, of those that it has said, the last of them `said`. The
    /// others stay in mind: status sections are not on disk, so that after a restart of the other members even a replica with quorum
    /// may lack them. A replica with a request that was said after it was found that a change is lost lacks that change, too.
    pub fn compare(&mut self, applied: u64, said: u64) {
        let changes = &self.changes;
        self.lost.retain(|number, said_before| {
            changes.contains_key(number) && (*number > applied || *said_before < applied)
        });
        for (number, _) in self.changes.range(applied + 1..) {
            self.lost.entry(*number).or_insert(said);
        }
    }

    /// What a request that waits for its answer has changed is said again with it.
    pub fn leave_to_request(&mut self, number: u64) {
        self.changes.remove(&number);
    }

    /// What that replica lacks, to be said now as requests with numbers after `last`; but for what gets another value anyway. Of patterns,
    /// `wanted` has both what is asked and what it means now.
    pub fn say_lost(
        &mut self,
        wanted: &[&Wish],
        last: &mut u64,
    ) -> Vec<(u64, AttributeChange, Option<Asker>)> {
        let mut said = Vec::new();
        for number in std::mem::take(&mut self.lost).into_keys() {
            if self.changes.get(&number).is_none_or(|(change, _)| is_wanted(wanted, change)) {
                continue;
            }
            *last += 1;
            if let Some((change, asker)) = self.changes.remove(&number) {
                said.push((*last, change.clone(), asker.clone()));
                self.changes.insert(*last, (change, asker));
            }
        }
        said
    }
}

/// Whether an attribute gets another value anyway.
fn is_wanted(wanted: &[&Wish], change: &AttributeChange) -> bool {
    let is_meant = |wish: &&Wish| match wish {
        Wish::Attributes(changes) => changes.iter().any(|it| overrules(it, change)),
        _ => false,
    };
    wanted.iter().any(is_meant)
}

/// Whether nothing is left of what an earlier wish does to attributes after a later one.
pub(super) fn leaves_nothing_of(later: &Wish, earlier: &Wish) -> bool {
    let Wish::Attributes(changes) = earlier else { return false };
    changes.iter().all(|change| is_wanted(&[later], change))
}

/// Whether it does not matter what value the attribute has had.
fn has_value(change: &AttributeChange) -> bool {
    matches!(change.to, AttributeValue::Set(_) | AttributeValue::Remove)
}

/// Whether nothing is left of an earlier change of one attribute after this one. A pattern that sets finds only what is there already.
fn overrules(later: &AttributeChange, earlier: &AttributeChange) -> bool {
    let fits = match (&later.to, later.pattern) {
        (AttributeValue::Remove, true) => {
            regex_lite::Regex::new(&later.name).is_ok_and(|pattern| pattern.is_match(&earlier.name))
        }
        (_, is_pattern) => !is_pattern && has_value(later) && later.name == earlier.name,
    };
    fits && later.node == earlier.node
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Dampen;

    fn change(node: &str, name: &str, to: AttributeValue) -> AttributeChange {
        AttributeChange { node: node.into(), name: name.into(), to, ..AttributeChange::default() }
    }

    fn told(own: &mut OwnChanges, number: u64, change: AttributeChange) {
        own.remember(number, &Wish::Attributes(vec![change]), None, "a");
    }

    /// Names of what is said again after a replica with so many requests has won.
    fn lost(own: &mut OwnChanges, applied: u64, wanted: &[&Wish]) -> Vec<String> {
        own.compare(applied, applied);
        own.say_lost(wanted, &mut 100).into_iter().map(|(_, change, _)| change.name).collect()
    }

    fn set(value: &str) -> AttributeValue {
        AttributeValue::Set(value.into())
    }

    fn told_all() -> OwnChanges {
        let mut own = OwnChanges::default();
        told(&mut own, 1, change("a", "x", set("1")));
        told(&mut own, 2, change("a", "x", AttributeValue::Add(3)));
        told(&mut own, 3, change("b", "other node", set("7")));
        told(&mut own, 4, change("a", "y", AttributeValue::Remove));
        own
    }

    #[test]
    fn what_was_set_last_and_added_since_is_said_again_of_this_node_only() {
        assert_eq!(lost(&mut told_all(), 0, &[]), ["x", "x", "y"]);
        assert_eq!(lost(&mut told_all(), 1, &[]), ["x", "y"]);
        let mut own = told_all();
        told(&mut own, 5, change("a", "x", set("2")));
        assert_eq!(lost(&mut own, 0, &[]), ["y", "x"]);
        assert_eq!(lost(&mut own, 100, &[]), ["y", "x"], "what was said may be lost, too");
        assert_eq!(lost(&mut own, 102, &[]), [""; 0]);
        let wish = Wish::Attributes(vec![change("a", "x", set("9"))]);
        assert_eq!(lost(&mut told_all(), 0, &[&wish]), ["y"], "another value is to come");
    }

    #[test]
    fn what_is_lost_stays_so_until_it_is_said_again_or_a_replica_has_it() {
        for (applied, said_again) in [
            // A request was said since, and none of these: they are in no replica that has it.
            (5, &["x", "x", "y"][..]),
            // This is another replica, of a partition that had them all.
            (4, &[]),
            // And of one that had the first.
            (1, &["x", "y"]),
            (0, &["x", "x", "y"]),
        ] {
            let mut own = told_all();
            own.compare(0, 4);
            assert_eq!(lost(&mut own, applied, &[]), said_again, "{applied}");
        }
    }

    #[test]
    fn what_others_have_changed_since_is_not_said_again() {
        let wish = |changes: &[AttributeChange]| Wish::Attributes(changes.to_vec());
        let (removal, one_more) = (AttributeValue::Remove, AttributeValue::Add(1));
        for (changes, left) in [
            (vec![change("a", "x", removal.clone())], &["y"][..]),
            (vec![change("a", "x", set("2"))], &["y"]),
            (vec![change("a", "x", removal.clone()), change("a", "y", removal.clone())], &[]),
            (vec![change("a", "x", one_more)], &["x", "x", "y"]),
            (vec![change("b", "x", removal)], &["x", "x", "y"]),
        ] {
            let mut own = told_all();
            own.overruled(&wish(&changes), "a");
            assert_eq!(lost(&mut own, 0, &[]), left, "{changes:?}");
        }
    }

    #[test]
    fn what_is_to_come_keeps_back_only_what_it_leaves_nothing_of() {
        let pattern = |to| AttributeChange { pattern: true, ..change("a", "^x", to) };
        for (change, said) in [
            (change("a", "x", AttributeValue::Keep), &["x", "x", "y"][..]),
            (change("a", "x", AttributeValue::Add(1)), &["x", "x", "y"]),
            (change("a", "x", AttributeValue::Remove), &["y"]),
            (pattern(AttributeValue::Remove), &["y"]),
            (pattern(set("2")), &["x", "x", "y"]),
        ] {
            let wish = Wish::Attributes(vec![change]);
            assert_eq!(lost(&mut told_all(), 0, &[&wish]), said, "{wish:?}");
        }
    }

    #[test]
    fn what_was_said_of_an_attribute_goes_with_its_last_value_and_memory_is_bounded() {
        let mut own = OwnChanges::default();
        let dampen = Some(Dampen { ms: 5000, if_new: false });
        told(&mut own, 1, AttributeChange { dampen, ..change("a", "x", set("1")) });
        told(&mut own, 2, change("a", "x", set("2")));
        assert_eq!(own.changes[&2].0.dampen, dampen);
        (3..3000).for_each(|number| told(&mut own, number, change("a", "n", AttributeValue::Add(1))));
        assert_eq!(own.changes.len(), MAX_CHANGES);
    }
}
