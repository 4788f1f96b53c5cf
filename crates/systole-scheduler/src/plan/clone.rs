//! Clones, promotable ones too. Source: Pacemaker Explained, "Clones".

use super::{action::Flags, draft::Draft, relation::Relation, task::Task, view::is_discovered};
use crate::{NodeIdx, RscIdx, Status, status::NodeSet};

impl Draft<'_, '_> {
    /// Creates the actions of a clone.
    pub(super) fn create_clone_actions(&mut self, clone: RscIdx) {
        let instances = self.parts(clone);
        self.create_instance_actions(clone, instances);
        if !self.r(clone).is_promotable {
            return;
        }
        let (mut promoting, mut demoting) = (false, false);
        for &instance in instances {
            self.create_actions(instance);
            self.add_role_changes(instance, &mut promoting, &mut demoting);
        }
        self.create_promotion_pseudo(clone, promoting, demoting);
    }

    fn add_role_changes(&self, rsc: RscIdx, promoting: &mut bool, demoting: &mut bool) {
        for &child in &self.r(rsc).children {
            self.add_role_changes(child, promoting, demoting);
        }
        if self.r(rsc).children.is_empty() {
            for action in self.actions_of(rsc) {
                let action = self.a(action);
                *promoting |= action.task == Task::Promote && !action.flags.has(Flags::OPTIONAL);
                *demoting |= action.task == Task::Demote && !action.flags.has(Flags::OPTIONAL);
            }
        }
    }

    fn create_promotion_pseudo(&mut self, clone: RscIdx, promoting: bool, demoting: bool) {
        let promote = self.collective_pseudo(clone, Task::Promote, !promoting, true);
        let promoted = self.collective_pseudo(clone, Task::Promoted, !promoting, true);
        self.a_mut(promoted).priority = 1_000_000;
        self.create_promote_notifications(clone, promote, promoted);
        let demote = self.collective_pseudo(clone, Task::Demote, !demoting, true);
        let demoted = self.collective_pseudo(clone, Task::Demoted, !demoting, true);
        self.a_mut(demoted).priority = 1_000_000;
        self.create_demote_notifications(clone, demote, demoted);
    }

    /// Orders among a clone's instances.
    pub(super) fn order_clone(&mut self, clone: RscIdx) {
        let promotable = self.r(clone).is_promotable;
        self.order_tasks((clone, Task::Stopped), (clone, Task::Start), Relation::ORDERED);
        self.order_tasks((clone, Task::Start), (clone, Task::Started), Relation::FIRST_ENABLES_THEN);
        self.order_tasks((clone, Task::Stop), (clone, Task::Stopped), Relation::FIRST_ENABLES_THEN);
        if promotable {
            self.order_tasks((clone, Task::Demoted), (clone, Task::Stop), Relation::ORDERED);
            self.order_tasks((clone, Task::Started), (clone, Task::Promote), Relation::FIRST_ENABLES_THEN);
        }
        let ordered = self.r(clone).clone_data().is_some_and(|data| data.ordered);
        let instances = self.r(clone).children.clone();
        for (i, &instance) in instances.iter().enumerate() {
            self.order_internally(instance);
            let up = Relation::FIRST_ENABLES_THEN | Relation::THEN_SHOWS_FIRST;
            self.order_tasks((clone, Task::Start), (instance, Task::Start), up);
            self.order_tasks((instance, Task::Start), (clone, Task::Started), Relation::FIRST_SHOWS_THEN);
            self.order_tasks((clone, Task::Stop), (instance, Task::Stop), Relation::THEN_SHOWS_FIRST);
            self.order_tasks((instance, Task::Stop), (clone, Task::Stopped), Relation::FIRST_SHOWS_THEN);
            if ordered {
                for &later in &instances[i + 1..] {
                    self.order_tasks((instance, Task::Start), (later, Task::Start), Relation::ORDERED);
                    self.order_tasks((later, Task::Stop), (instance, Task::Stop), Relation::ORDERED);
                }
            }
        }
        if promotable {
            self.order_promotion(clone, &instances, ordered);
        }
    }

    fn order_promotion(&mut self, clone: RscIdx, instances: &[RscIdx], ordered: bool) {
        self.order_promotable_restart(clone);
        let mut previous: Option<RscIdx> = None;
        for &instance in instances {
            self.order_tasks((instance, Task::Demote), (instance, Task::Promote), Relation::ORDERED);
            self.order_tasks((clone, Task::Promote), (instance, Task::Promote), Relation::ORDERED);
            self.order_tasks((instance, Task::Promote), (clone, Task::Promoted), Relation::ORDERED);
            if let Some(previous) = previous.filter(|_| ordered) {
                self.order_tasks((previous, Task::Promote), (instance, Task::Promote), Relation::ORDERED);
            }
            self.order_tasks((clone, Task::Demote), (instance, Task::Demote), Relation::THEN_SHOWS_FIRST);
            self.order_tasks((instance, Task::Demote), (clone, Task::Demoted), Relation::FIRST_SHOWS_THEN);
            if let Some(previous) = previous.filter(|_| ordered) {
                self.order_tasks((instance, Task::Demote), (previous, Task::Demote), Relation::ORDERED);
            }
            previous = Some(instance);
        }
    }

    /// All demoted, all stopped, all started, and only then promoted.
    pub(super) fn order_promotable_restart(&mut self, rsc: RscIdx) {
        for (first, then) in [
            (Task::Stopped, Task::Start),
            (Task::Stopped, Task::Promote),
            (Task::Demoted, Task::Stop),
            (Task::Demoted, Task::Start),
            (Task::Demoted, Task::Promote),
            (Task::Started, Task::Promote),
            (Task::Demote, Task::Demoted),
        ] {
            self.order_tasks((rsc, first), (rsc, then), Relation::ORDERED);
        }
    }

    /// Probes for a clone: every instance if they differ, else the one that is (or will be) there.
    pub(super) fn probe_clone(&mut self, clone: RscIdx, node: NodeIdx, asked: &[NodeSet]) -> bool {
        let is_exclusive = self.placement.exclusive[clone.i()];
        self.rsc[clone.i()].is_by_number |=
            !is_exclusive || is_discovered(self.status, self.placement, clone, node);
        let instances = &self.r(clone).children;
        if self.r(clone).clone_data().is_some_and(|data| data.unique) {
            return self.probe_all(instances, node, asked);
        }
        let known = instances.iter().find(|&&i| is_known_on(self.status, i, node));
        let placed = || instances.iter().find(|&&i| self.location(i, false) == Some(node));
        match known.or_else(placed).or_else(|| instances.first()).copied() {
            Some(instance) => self.probe(instance, node, asked),
            None => false,
        }
    }
}

/// Whether the state of a resource, or of anything it consists of, is known on a node.
pub(super) fn is_known_on(status: &Status<'_>, rsc: RscIdx, node: NodeIdx) -> bool {
    let resource = status.rsc(rsc);
    if resource.children.is_empty() {
        return resource.known_on.contains(node);
    }
    resource.children.iter().any(|&child| is_known_on(status, child, node))
}
