//! What is said again, or later, after the members have changed: requests that wait for their answer, and what a node was told of its own
//! attributes.

use super::{Pending, Stage, in_doubt};
use crate::{
    message::{Message, Wish},
    node::NodeMachine,
    replica::{Cleanup, Written},
};

impl NodeMachine {
    /// The members have settled anew: what the replica does not have is said again.
    pub(in crate::node) fn repeat_requests(&mut self) {
        let applied = match self.replica.ledger.nodes.get(&self.group.own_id()) {
            Some(entry) if entry.incarnation == self.incarnation() => entry.requests,
            _ => 0,
        };
        if let Some(wish) = self.start_wish.filter(|number| *number <= applied) {
            self.start_wish_answered(wish, true);
        }
        self.tools.heard.clear();
        let version = self.replica.version();
        let (mut lacking, mut passed_over) = (Vec::new(), Vec::new());
        for (number, pending) in &mut self.tools.pending {
            match pending.stage {
                _ if *number > applied => {
                    lacking.push(*number);
                    continue;
                }
                // It was put off, and others that were asked for later have been carried out.
                Stage::Unsaid => {
                    passed_over.push(*number);
                    continue;
                }
                Stage::Said => {
                    pending.stage = Stage::Applied(Written { version, output: None, is_configuration: true });
                }
                Stage::Applied(_) => {}
            }
            // Whoever is in this view has it with the replica.
            pending.everywhere = false;
        }
        self.tools.own.compare(applied, self.tools.last_said);
        self.tools.adding.clear();
        for number in lacking {
            let is_in_doubt = self.is_in_doubt(number);
            if !is_in_doubt {
                self.tools.own.leave_to_request(number);
            }
            if is_in_doubt || !self.is_put_off(number) {
                self.say_again(number);
            }
        }
        for number in passed_over {
            if !self.is_put_off(number) {
                self.say_late(vec![number]);
            }
        }
    }

    /// The CIB has this node's state: what it was told to change of its own attributes, and the replica lacks, is said again. What is
    /// wanted of the same attribute at present comes later, and takes its place.
    pub(in crate::node) fn say_own_changes_again(&mut self) {
        if self.replica.node_state(&self.name).is_none() {
            return;
        }
        let asked = || self.tools.pending.values().map(|pending| &pending.wish);
        let meant: Vec<_> = asked().map(|wish| self.replica.spelt_out(wish)).collect();
        let wanted: Vec<&Wish> = asked().chain(meant.iter().map(|wish| &**wish)).collect();
        for (number, change, asker) in self.tools.own.say_lost(&wanted, &mut self.tools.last_number) {
            let wish = Box::new(Wish::Attributes(vec![change]));
            self.tools.last_said = number;
            self.cast(Message::Request {
                incarnation: self.incarnation(),
                number,
                wish,
                heard: false,
                asker,
            });
        }
        let put_off = std::mem::take(&mut self.tools.adding);
        self.say_late(put_off.into_iter().collect());
    }

    /// What this node's tools have said of failures that are cleared now is not said again.
    pub(in crate::node) fn forget_own_failures(&mut self, is_cleared: impl Fn(&str) -> bool) {
        let (replica, name) = (&self.replica, &self.name);
        let is_gone = |attribute: &str| is_cleared(attribute) && replica.attribute(name, attribute).is_none();
        self.tools.own.forget_failures(is_gone);
    }

    /// See [`Self::forget_own_failures`], of a cleanup.
    pub(super) fn forget_own_cleaned_up(&mut self, what: &Cleanup<'_>) {
        if self.tools.own.has_failures() {
            let is_meant = self.replica.failures_meant(what, &self.name);
            self.forget_own_failures(is_meant);
        }
    }

    /// Whether a request that adds to an attribute is put off, since what the attribute was before is to be said again first.
    pub(super) fn is_put_off(&mut self, number: u64) -> bool {
        let tools = &self.tools;
        let wanted: Vec<&Wish> = tools.pending.values().map(|pending| &pending.wish).collect();
        let pending = tools.pending.get(&number);
        let adds = pending.is_some_and(|pending| tools.own.is_added_to(&pending.wish, &wanted, &self.name));
        if let Some(pending) = self.tools.pending.get_mut(&number).filter(|_| adds) {
            pending.stage = Stage::Unsaid;
            self.tools.adding.insert(number);
        }
        adds
    }

    /// Says requests that were put off, under new numbers: those that have been said meanwhile come before them. Where the members are
    /// not settled, they are said when these are.
    pub(super) fn say_late(&mut self, numbers: Vec<u64>) {
        for number in numbers {
            self.tools.adding.remove(&number);
            let Some(pending) = self.tools.pending.remove(&number) else { continue };
            self.tools.last_number += 1;
            let number = self.tools.last_number;
            self.tools.pending.insert(number, pending);
            if self.group.is_settled() {
                self.say_again(number);
            }
        }
    }

    /// A partition without quorum cannot know whether the others applied a request whose echo was lost.
    fn is_in_doubt(&self, number: u64) -> bool {
        let is_said = |pending: &Pending| pending.from.is_some() && !matches!(pending.stage, Stage::Unsaid);
        !self.group.has_quorum() && self.tools.pending.get(&number).is_some_and(is_said)
    }

    fn say_again(&mut self, number: u64) {
        if !self.is_in_doubt(number) {
            return self.say(number);
        }
        let from = self.tools.pending.remove(&number).and_then(|pending| pending.from);
        if let Some(from) = from {
            self.reply(from, in_doubt());
        }
    }
}
