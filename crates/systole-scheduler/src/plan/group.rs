//! Groups: members one after the other, pseudo-actions around them.
//!
//! Source: Pacemaker Explained, "Groups".

use super::{
    action::{ActIdx, Flags},
    draft::Draft,
    relation::Relation,
    task::Task,
};
use crate::{
    NodeIdx, RscIdx,
    status::{Kind, is_true},
};

/// What the orders of a member depend on.
struct Place {
    ordered: bool,
    promotable: bool,
    previous: Option<RscIdx>,
    last_active: Option<RscIdx>,
}

impl Draft<'_, '_> {
    /// Creates the actions of a group's members, and those around them.
    pub(super) fn create_group_actions(&mut self, group: RscIdx) {
        for member in self.r(group).children.clone() {
            self.create_actions(member);
        }
        for task in [Task::Start, Task::Started, Task::Stop, Task::Stopped] {
            self.collective_pseudo(group, task, true, true);
        }
        if is_true(self.r(group).meta.raw.get("promotable").map(|value| &**value)) {
            for task in [Task::Demote, Task::Demoted, Task::Promote, Task::Promoted] {
                self.collective_pseudo(group, task, true, true);
            }
        }
    }

    /// Orders among a group's members.
    pub(super) fn order_group(&mut self, group: RscIdx) {
        let Kind::Group(data) = &self.r(group).kind else { return };
        self.order_tasks((group, Task::Stop), (group, Task::Stopped), Relation::FIRST_ENABLES_THEN);
        self.order_tasks((group, Task::Stopped), (group, Task::Start), Relation::ORDERED);
        self.order_tasks((group, Task::Start), (group, Task::Started), Relation::FIRST_ENABLES_THEN);
        let promotable = self.r(self.top(group)).is_promotable;
        let mut place = Place { ordered: data.ordered, promotable, previous: None, last_active: None };
        for member in self.r(group).children.clone() {
            self.order_member(group, member, &mut place);
        }
    }

    fn order_member(&mut self, group: RscIdx, member: RscIdx, place: &mut Place) {
        self.order_internally(member);
        let (mut down, mut down_done) = (Relation::THEN_SHOWS_FIRST, Relation::FIRST_SHOWS_THEN);
        if place.previous.is_none() && place.ordered {
            down |= Relation::ORDERED;
            down_done = Relation::FIRST_FORCES_THEN;
        }
        let up_done = Relation::FIRST_ENABLES_THEN | Relation::FIRST_FORCES_THEN | Relation::FIRST_SHOWS_THEN;
        if place.promotable {
            self.order_tasks((group, Task::Demote), (member, Task::Demote), down);
            self.order_tasks((member, Task::Demote), (group, Task::Demoted), down_done);
            self.order_tasks((member, Task::Promote), (group, Task::Promoted), up_done);
            self.order_tasks((group, Task::Promote), (member, Task::Promote), Relation::THEN_SHOWS_FIRST);
        }
        self.order_tasks((group, Task::Stop), (member, Task::Stop), down);
        self.order_tasks((member, Task::Stop), (group, Task::Stopped), down_done);
        self.order_tasks((group, Task::Start), (member, Task::Start), Relation::THEN_SHOWS_FIRST);
        self.order_tasks((member, Task::Start), (group, Task::Started), up_done);
        match place.previous {
            _ if !place.ordered => self.order_unordered_member(group, member, place.promotable),
            None => {}
            Some(previous) => self.order_after_member(previous, member, place.promotable),
        }
        if self.r(member).is_active() {
            let was_down = place.previous.is_some_and(|previous| !self.r(previous).is_active());
            if place.ordered
                && was_down
                && let Some(last) = place.last_active
            {
                self.order_tasks((member, Task::Stop), (last, Task::Stop), Relation::ORDERED);
            }
            place.last_active = Some(member);
        }
        place.previous = Some(member);
    }

    fn order_unordered_member(&mut self, group: RscIdx, member: RscIdx, promotable: bool) {
        let relation =
            Relation::FIRST_FORCES_THEN | Relation::FIRST_ENABLES_THEN | Relation::THEN_SHOWS_FIRST;
        self.order_tasks((group, Task::Start), (member, Task::Start), relation);
        if promotable {
            self.order_tasks((group, Task::Promote), (member, Task::Promote), relation);
        }
    }

    fn order_after_member(&mut self, previous: RscIdx, member: RscIdx, promotable: bool) {
        let up = Relation::FIRST_FORCES_THEN | Relation::FIRST_ENABLES_THEN;
        self.order_tasks((previous, Task::Start), (member, Task::Start), up);
        self.order_tasks((member, Task::Stop), (previous, Task::Stop), Relation::ORDERED | Relation::RESTART);
        if self.r(member).is_active() && !self.r(previous).is_active() {
            // A hole in the group: what comes later goes down before the hole is filled.
            let relation = Relation::THEN_NEEDS_FIRST | Relation::FIRST_ENABLES_THEN;
            self.order_tasks((member, Task::Stop), (previous, Task::Start), relation);
        }
        if promotable {
            self.order_tasks((previous, Task::Promote), (member, Task::Promote), up);
            self.order_tasks((member, Task::Demote), (previous, Task::Demote), Relation::ORDERED);
        }
    }

    /// Flags of a group's pseudo-action, by those of its members.
    pub(super) fn group_flags(&mut self, action: ActIdx, node: Option<NodeIdx>) -> Flags {
        let group = self.a(action).rsc.expect("only asked for groups");
        let task = self.a(action).task;
        let mut flags = Flags::OPTIONAL.with(Flags::RUNNABLE).with(Flags::PSEUDO);
        for i in 0..self.r(group).children.len() {
            let member = self.r(group).children[i];
            let member_task = task.work();
            match self.find_task(member, member_task, node) {
                Some(member_action) => {
                    let member_flags = self.a(member_action).flags;
                    if !member_flags.has(Flags::OPTIONAL) {
                        flags = flags.without(Flags::OPTIONAL);
                        self.unset(action, Flags::OPTIONAL);
                    }
                    if member_task != task && !member_flags.has(Flags::RUNNABLE) && flags.has(Flags::RUNNABLE)
                    {
                        flags = flags.without(Flags::RUNNABLE);
                        self.unset(action, Flags::RUNNABLE);
                    }
                }
                None if !matches!(member_task, Task::Stop | Task::Demote) => {
                    flags = flags.without(Flags::RUNNABLE);
                }
                None => {}
            }
        }
        flags
    }
}
