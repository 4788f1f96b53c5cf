//! What has to be done for one instance: taken down, brought up, promoted, demoted.
//!
//! Source: Pacemaker Explained, "Resource Operations" and "Resource Options" (`multiple-active`).

use super::{
    action::{ActIdx, Flags, Reason},
    draft::Draft,
    relation::{End, Relation},
    task::{Key, Task},
};
use crate::{
    NodeIdx, RscIdx,
    status::{MultipleActive, PlacementStrategy, Requires},
};
use systole_types::Role;

/// A step from one role to the next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Stop,
    Start,
    Promote,
    Demote,
}

/// The first step from one role towards another, and the role it leads to. `None`: nothing has to be done, or can be.
const fn step(from: Role, to: Role) -> Option<(Step, Role)> {
    match (from, to) {
        (Role::Stopped, Role::Started) => Some((Step::Start, Role::Started)),
        (Role::Stopped, Role::Unpromoted | Role::Promoted) => Some((Step::Start, Role::Unpromoted)),
        (Role::Started | Role::Unpromoted, Role::Promoted) => Some((Step::Promote, Role::Promoted)),
        (Role::Started, Role::Stopped | Role::Unknown)
        | (Role::Unpromoted, Role::Stopped | Role::Started | Role::Unknown)
        | (Role::Unknown, Role::Stopped | Role::Started | Role::Unpromoted | Role::Promoted) => {
            Some((Step::Stop, Role::Stopped))
        }
        (Role::Promoted, Role::Stopped | Role::Started | Role::Unpromoted) => {
            Some((Step::Demote, Role::Unpromoted))
        }
        _ => None,
    }
}

/// What an instance needs besides the change to the role it should have.
#[derive(Default)]
struct Needs {
    /// To be stopped, whatever it is to do then.
    stop: bool,
    /// To be promoted again.
    promotion: bool,
    /// To be migrated from this node instead of being stopped there.
    migration_from: Option<NodeIdx>,
}

impl Draft<'_, '_> {
    /// Creates the actions of one instance.
    pub(super) fn create_primitive_actions(&mut self, rsc: RscIdx) {
        if self.next_role[rsc.i()] == Role::Unknown {
            let role = if self.assigned[rsc.i()].is_none() { Role::Stopped } else { Role::Started };
            self.next_role[rsc.i()] = role;
        }
        for node in self.r(rsc).dangling_migrations.clone() {
            let stop = self.action(rsc, Key::once(Task::Stop), Some(node), false);
            self.set(stop, Flags::MIGRATION_ABORT);
        }
        let needs = self.find_needs(rsc);
        self.create_restart(rsc, needs.stop, needs.promotion);
        self.create_role_change(rsc);
        self.create_recurring(rsc);
        if let Some(source) = needs.migration_from {
            self.create_migration(rsc, source);
        }
    }

    fn find_needs(&mut self, rsc: RscIdx) -> Needs {
        let (current, n_active, n_clean) = self.active_node(rsc);
        let target = self.assigned[rsc.i()];
        let may_move = target.is_some() && self.next_role[rsc.i()] >= Role::Started;
        let moves_from = current.filter(|_| may_move && current != target);
        let mut needs = Needs {
            stop: moves_from.is_some(),
            migration_from: moves_from.filter(|&source| self.can_migrate(rsc, source)),
            ..Needs::default()
        };
        let is_multiply_active = match self.rsc[rsc.i()].partial_migration {
            Some((source, goal))
                if needs.migration_from == Some(source) && n_active == 2 && target == Some(goal) =>
            {
                false
            }
            Some(_) => {
                self.rsc[rsc.i()].partial_migration = None;
                needs = Needs { stop: true, ..Needs::default() };
                false
            }
            None if self.r(rsc).meta.requires >= Requires::Fencing => n_active > 1,
            None => n_clean > 1,
        };
        needs.stop |= is_multiply_active && self.stops_for_being_active_twice(rsc);
        if self.rsc[rsc.i()].start_pending {
            let start = self.start(rsc, target);
            self.set(start, Flags::ALWAYS_SHOWN);
        }
        if moves_from.is_none() {
            self.add_needs_where_it_is(rsc, current.is_some(), &mut needs);
        }
        needs
    }

    fn stops_for_being_active_twice(&mut self, rsc: RscIdx) -> bool {
        let policy = self.r(rsc).meta.multiple_active;
        self.rsc[rsc.i()].stop_unexpected |= policy == MultipleActive::StopUnexpected;
        matches!(policy, MultipleActive::StopStart | MultipleActive::StopUnexpected)
    }

    /// What one that does not move needs: it has failed, is blocked, or has to be started anew.
    fn add_needs_where_it_is(&mut self, rsc: RscIdx, is_active: bool, needs: &mut Needs) {
        let (state, target) = (self.rsc[rsc.i()], self.assigned[rsc.i()]);
        if state.failed {
            needs.stop |= state.stop_if_failed;
            needs.promotion = !state.stop_if_failed && self.next_role[rsc.i()] == Role::Promoted;
        } else if self.is_blocked(rsc) {
            needs.stop = true;
        } else if self.role(rsc) > Role::Started && is_active && target.is_some() {
            let start = self.start(rsc, target);
            needs.stop |= !self.is(start, Flags::OPTIONAL);
        }
    }

    /// The start of `rsc`, optional unless somebody says otherwise.
    pub(super) fn start(&mut self, rsc: RscIdx, node: Option<NodeIdx>) -> ActIdx {
        self.action(rsc, Key::once(Task::Start), node, true)
    }

    /// Down to stopped and up to the role it has now: what a restart would be. Optional unless it is needed.
    fn create_restart(&mut self, rsc: RscIdx, need_stop: bool, need_promote: bool) {
        self.rsc[rsc.i()].restarting = true;
        let original = self.role(rsc);
        let mut role = original;
        while role != Role::Stopped {
            let Some((what, next)) = step(role, Role::Stopped) else { break };
            self.take_step(rsc, what, !need_stop);
            role = next;
        }
        while original <= self.next_role[rsc.i()] && role != original && !self.is_blocked(rsc) {
            let Some((what, next)) = step(role, original) else { break };
            let is_needed = need_stop || (next == Role::Promoted && need_promote);
            self.take_step(rsc, what, !is_needed);
            role = next;
        }
        self.rsc[rsc.i()].restarting = false;
    }

    /// From the role it has to the one it should have.
    fn create_role_change(&mut self, rsc: RscIdx) {
        let mut role = self.role(rsc);
        while role != self.next_role[rsc.i()] {
            let Some((what, next)) = step(role, self.next_role[rsc.i()]) else { break };
            self.take_step(rsc, what, false);
            role = next;
        }
    }

    fn take_step(&mut self, rsc: RscIdx, what: Step, optional: bool) {
        match what {
            Step::Stop => self.create_stops(rsc, optional),
            Step::Start => self.create_start(rsc, optional),
            Step::Promote => self.create_promote(rsc, optional),
            Step::Demote => self.create_demotes(rsc, optional),
        }
    }

    /// Whether `rsc` may stay on `node` while it is stopped everywhere else (`multiple-active=stop_unexpected`).
    fn is_expected_on(&self, rsc: RscIdx, node: Option<NodeIdx>) -> bool {
        let state = &self.rsc[rsc.i()];
        state.stop_unexpected
            && state.restarting
            && self.next_role[rsc.i()] > Role::Stopped
            && node.is_some()
            && self.assigned[rsc.i()] == node
    }

    fn create_stops(&mut self, rsc: RscIdx, mut optional: bool) {
        for node in self.r(rsc).running_on.clone() {
            if self.is_expected_on(rsc, Some(node)) {
                continue;
            }
            if let Some((_, target)) = self.rsc[rsc.i()].partial_migration {
                if node == target && self.assigned[rsc.i()] == Some(node) {
                    continue;
                }
                optional = false;
            }
            let stop = self.action(rsc, Key::once(Task::Stop), Some(node), optional);
            let state = self.rsc[rsc.i()];
            if self.assigned[rsc.i()].is_none() {
                self.explain(stop, Reason::Text("node availability".into()), true);
            } else if state.restarting && state.stop_unexpected {
                self.explain(stop, Reason::Text("being multiply active".into()), true);
            }
            if !state.managed {
                self.unset(stop, Flags::RUNNABLE);
            }
            if self.r(rsc).meta.requires == Requires::Unfencing {
                let unfence = self.fence_op(node, Some("on"), true, None, false);
                self.link(stop, unfence, Relation::THEN_NEEDS_FIRST);
            }
        }
    }

    fn create_start(&mut self, rsc: RscIdx, optional: bool) {
        let node = self.assigned[rsc.i()];
        let start = self.start(rsc, node);
        if let Some(node) = node {
            self.order_after_unfencing(rsc, node, start, Relation::FIRST_FORCES_THEN);
        }
        if self.is(start, Flags::RUNNABLE) && !optional {
            self.unset(start, Flags::OPTIONAL);
        }
        if self.is_expected_on(rsc, node) {
            self.set(start, Flags::PSEUDO);
        }
    }

    fn create_promote(&mut self, rsc: RscIdx, optional: bool) {
        let node = self.assigned[rsc.i()];
        let on_node = |draft: &Self, task: Task| match node {
            Some(node) => draft.find_on(rsc, Key::once(task), node),
            None => Vec::new(),
        };
        if on_node(self, Task::Start).iter().all(|&start| self.is(start, Flags::RUNNABLE)) {
            let promote = self.action(rsc, Key::once(Task::Promote), node, optional);
            if self.is_expected_on(rsc, node) {
                self.set(promote, Flags::PSEUDO);
            }
        } else {
            for promote in on_node(self, Task::Promote) {
                self.unset(promote, Flags::RUNNABLE);
            }
        }
    }

    fn create_demotes(&mut self, rsc: RscIdx, optional: bool) {
        for node in self.r(rsc).running_on.clone() {
            if !self.is_expected_on(rsc, Some(node)) {
                self.action(rsc, Key::once(Task::Demote), Some(node), optional);
            }
        }
    }

    /// Orders among the actions of one instance, and with the container it lives in.
    pub(super) fn order_primitive(&mut self, rsc: RscIdx) {
        // A ticket is lost before orders are made, other reasons to leave a resource alone come to light later.
        let is_frozen = self.is_blocked(rsc) && !self.r(rsc).blocked;
        if !self.r(rsc).managed || is_frozen {
            return;
        }
        let primitive = self.r(rsc).primitive();
        let is_fence_device = primitive.is_some_and(|p| p.is_fence_device);
        let is_connection = primitive.is_some_and(|p| p.is_remote_connection);
        let restart = Relation::ORDERED | Relation::FIRST_FORCES_THEN | Relation::RESTART;
        self.order_tasks((rsc, Task::Stop), (rsc, Task::Start), restart);
        if self.r(self.top(rsc)).is_promotable || self.role(rsc) > Role::Unpromoted {
            self.order_tasks((rsc, Task::Demote), (rsc, Task::Stop), Relation::PROMOTED_THEN_NEEDS_FIRST);
            self.order_tasks((rsc, Task::Start), (rsc, Task::Promote), Relation::FIRST_ENABLES_THEN);
        }
        let cancels = Relation::IF_SAME_NODE | Relation::THEN_CANCELS_FIRST;
        self.order_tasks((rsc, Task::LrmDelete), (rsc, Task::Monitor), cancels);
        if !is_fence_device && self.have_unfencing && self.r(rsc).meta.requires == Requires::Unfencing {
            for node in self.candidates(rsc) {
                self.order_restart_vs_unfencing(rsc, node);
            }
        }
        let has_utilization = primitive.is_some_and(|p| !p.utilization.is_empty());
        if has_utilization && self.status.options.placement_strategy != PlacementStrategy::Default {
            self.order_by_utilization(rsc);
        }
        if let Some(container) = self.r(rsc).container {
            self.order_with_container(rsc, container, is_connection);
        }
    }

    fn order_with_container(&mut self, rsc: RscIdx, container: RscIdx, is_connection: bool) {
        if is_connection {
            self.order_tasks((container, Task::Monitor), (rsc, Task::Stop), Relation::ORDERED);
        } else {
            let is_nested = self.r(container).primitive().is_some_and(|p| p.is_remote_connection)
                || self.r(container).contained.iter().any(|&inner| self.r(inner).remote_node.is_some());
            if is_nested {
                return;
            }
        }
        let starts = Relation::FIRST_FORCES_THEN | Relation::FIRST_ENABLES_THEN;
        self.order_tasks((container, Task::Start), (rsc, Task::Start), starts);
        self.order_tasks((rsc, Task::Stop), (container, Task::Stop), Relation::THEN_NEEDS_FIRST);
    }

    /// Capacity has to be given up before it is taken.
    fn order_by_utilization(&mut self, rsc: RscIdx) {
        let relation = Relation::IF_SAME_NODE_OR_TARGET;
        for node in self.r(rsc).running_on.clone() {
            let freed = self.load_stopped(node);
            self.order(End::Key(rsc, Key::once(Task::Stop)), End::Action(freed), relation);
        }
        for node in self.candidates(rsc) {
            let freed = self.load_stopped(node);
            self.order(End::Action(freed), End::Key(rsc, Key::once(Task::Start)), relation);
            self.order(End::Action(freed), End::Key(rsc, Key::once(Task::MigrateTo)), relation);
        }
    }

    fn load_stopped(&mut self, node: NodeIdx) -> ActIdx {
        let action = self.pseudo(&format!("load_stopped_{}", self.status.node(node).name));
        if self.a(action).node.is_none() {
            self.a_mut(action).node = Some(node);
            self.unset(action, Flags::OPTIONAL);
        }
        action
    }
}
