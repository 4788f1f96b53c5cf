//! What one relation between two actions means for both, and for what they are part of.

use super::{
    action::{ActIdx, Flags, Reason},
    draft::Draft,
    relation::Relation,
    task::Task,
};
use crate::{NodeIdx, RscIdx, status::Kind};
use systole_types::Role;

/// What is looked at for each kind of relation, in this order, and which flags it is about.
const KINDS: [(Relation, Flags); 10] = [
    (Relation::FIRST_FORCES_THEN, Flags::OPTIONAL),
    (Relation::RESTART, Flags::OPTIONAL.with(Flags::RUNNABLE)),
    (Relation::THEN_NEEDS_FIRST, Flags::OPTIONAL),
    (Relation::PROMOTED_THEN_NEEDS_FIRST, Flags::OPTIONAL),
    (Relation::NESTED_PROBE, Flags::RUNNABLE),
    (Relation::FIRST_ENABLES_THEN, Flags::RUNNABLE),
    (Relation::STEP_OF_MIGRATION, Flags::OPTIONAL),
    (Relation::THEN_INSTEAD, Flags::OPTIONAL),
    (Relation::ORDERED, Flags::RUNNABLE),
    (Relation::ASYMMETRIC, Flags::RUNNABLE),
];

impl Draft<'_, '_> {
    pub(super) fn apply_relation(
        &mut self,
        link_idx: u32,
        first_flags: Flags,
        then_flags: Flags,
        n_possible: &mut u32,
    ) {
        let link = self.links[link_idx as usize];
        let (first, then, mut relation) = (link.first, link.then, link.relation);
        let mut node = self.a(then).node;
        if relation.has(Relation::FIRST_FORCES_THEN_THERE) {
            node = self.a(first).node;
            relation = relation.without(Relation::FIRST_FORCES_THEN_THERE) | Relation::FIRST_FORCES_THEN;
        }
        if relation.has(Relation::ENOUGH_OF_FIRST) && first_flags.has(Flags::RUNNABLE) {
            *n_possible += 1;
        }
        for (kind, filter) in KINDS.into_iter().filter(|(kind, _)| relation.has(*kind)) {
            if self.links[link_idx as usize].relation == Relation::NONE {
                break;
            }
            self.apply_kind(link_idx, kind, filter, node, first_flags);
        }
        let is_required = |flags: Flags| !flags.has(Flags::OPTIONAL);
        if relation.has(Relation::FIRST_SHOWS_THEN)
            && self.is(first, Flags::RUNNABLE)
            && is_required(first_flags)
        {
            self.set(then, Flags::ALWAYS_SHOWN);
        }
        if relation.has(Relation::THEN_SHOWS_FIRST) && is_required(then_flags) {
            self.set(first, Flags::ALWAYS_SHOWN);
        }
        let binds = Relation::FIRST_FORCES_THEN | Relation::THEN_NEEDS_FIRST | Relation::RESTART;
        if relation.has_any(binds) && self.is_stop_of_what_is_left_alone(first) {
            self.take(then, Flags::RUNNABLE);
        }
    }

    /// Applies one kind of relation, if it says anything about actions with these flags.
    fn apply_kind(
        &mut self,
        link_idx: u32,
        kind: Relation,
        filter: Flags,
        node: Option<NodeIdx>,
        first_flags: Flags,
    ) {
        let (optional, runnable) = (Flags::OPTIONAL, Flags::RUNNABLE);
        let (first, then) = (self.links[link_idx as usize].first, self.links[link_idx as usize].then);
        let (first_rsc, then_rsc) = (self.a(first).rsc, self.a(then).rsc);
        match kind {
            Relation::NESTED_PROBE => {
                let stops = first_rsc.is_some_and(|rsc| self.r(rsc).is_active());
                if then_rsc.is_some() && !first_flags.has(runnable) && stops {
                    self.links[link_idx as usize].relation = Relation::NONE;
                } else if then_rsc.is_some() {
                    self.update(first, then, node, first_flags, filter, Relation::FIRST_ENABLES_THEN);
                }
            }
            Relation::THEN_NEEDS_FIRST if first_rsc.is_some() => {
                self.update_by(first_rsc, first, then, node, first_flags, filter, kind);
            }
            _ if then_rsc.is_some() => self.update(first, then, node, first_flags, filter, kind),
            Relation::FIRST_FORCES_THEN if !first_flags.has(optional) => self.take(then, optional),
            Relation::FIRST_ENABLES_THEN if !first_flags.has(runnable) => self.take(then, runnable),
            Relation::THEN_NEEDS_FIRST if !first_flags.has(optional) && self.is(first, runnable) => {
                self.unset(first, runnable);
                self.changed.first = true;
            }
            _ => {}
        }
    }

    /// Whether the action would stop what is not managed, and cannot be done.
    fn is_stop_of_what_is_left_alone(&self, action: ActIdx) -> bool {
        let is_left_alone = |rsc: RscIdx| !self.rsc[rsc.i()].managed && self.is_blocked(rsc);
        self.a(action).task == Task::Stop
            && !self.is(action, Flags::RUNNABLE)
            && self.a(action).rsc.is_some_and(is_left_alone)
    }

    /// Takes flags away from the action that is visited.
    fn take(&mut self, action: ActIdx, flags: Flags) {
        if self.a(action).flags.has_any(flags) {
            self.unset(action, flags);
            self.changed.then = true;
        }
    }

    /// Applies one kind of relation, in the way of the resource that `then` is of.
    pub(super) fn update(
        &mut self,
        first: ActIdx,
        then: ActIdx,
        node: Option<NodeIdx>,
        first_flags: Flags,
        filter: Flags,
        kind: Relation,
    ) {
        self.update_by(self.a(then).rsc, first, then, node, first_flags, filter, kind);
    }

    #[expect(clippy::too_many_arguments, reason = "one relation with all that it is judged by")]
    fn update_by(
        &mut self,
        by: Option<RscIdx>,
        first: ActIdx,
        then: ActIdx,
        node: Option<NodeIdx>,
        first_flags: Flags,
        filter: Flags,
        kind: Relation,
    ) {
        let first_flags = if kind == Relation::FIRST_FORCES_THEN {
            Flags(first_flags.0 & Flags::OPTIONAL.0)
        } else {
            first_flags
        };
        let Some(by) = by else { return };
        let Some(then_rsc) = self.a(then).rsc else {
            // Only a singleton comes after: the relation is about `first` alone.
            self.update_pair(first, then, first_flags, filter, kind);
            return;
        };
        match &self.r(by).kind {
            Kind::Primitive(_) => self.update_pair(first, then, first_flags, filter, kind),
            Kind::Group(_) => {
                self.update_pair(first, then, first_flags, filter, kind);
                self.update_parts(then_rsc, first, then, node, (first_flags, filter), kind, false);
            }
            Kind::Clone(_) | Kind::Bundle(_) if self.can_interleave(first, then) => {
                self.update_interleaved(first, then, node, filter, kind);
            }
            Kind::Clone(_) | Kind::Bundle(_) => {
                self.update_pair(first, then, first_flags, filter, kind);
                self.update_parts(then_rsc, first, then, node, (first_flags, filter), kind, true);
            }
        }
    }

    /// What holds for a collective's action holds for its parts' too.
    #[expect(clippy::too_many_arguments, reason = "one relation with all that it is judged by")]
    fn update_parts(
        &mut self,
        collective: RscIdx,
        first: ActIdx,
        then: ActIdx,
        node: Option<NodeIdx>,
        (first_flags, filter): (Flags, Flags),
        kind: Relation,
        only_runnable: bool,
    ) {
        if kind == Relation::ORDERED && self.is_of_primitives(collective) {
            // Nothing follows for primitives.
            return;
        }
        let task = self.a(then).task;
        for part in self.instances(collective) {
            let Some(action) = self.find_task(part, task, node) else { continue };
            if only_runnable && !self.effective_flags(action, node).has(Flags::RUNNABLE) {
                continue;
            }
            let before = self.a(action).flags;
            self.update(first, action, node, first_flags, filter, kind);
            if only_runnable && self.a(action).flags != before {
                for follower in self.followers(action) {
                    self.visit_meanwhile(follower);
                }
            }
        }
    }

    fn followers(&self, action: ActIdx) -> Vec<ActIdx> {
        self.a(action).after.iter().rev().map(|&link| self.links[link as usize].then).collect()
    }

    /// Applies one kind of relation to the two actions themselves.
    fn update_pair(
        &mut self,
        first: ActIdx,
        then: ActIdx,
        first_flags: Flags,
        filter: Flags,
        kind: Relation,
    ) {
        let before = (self.a(first).flags, self.a(then).flags);
        self.judge_pair(first, then, first_flags, filter, kind);
        if self.a(then).flags != before.1 {
            self.changed.then = true;
            if self.a(then).rsc.is_some_and(|rsc| self.r(rsc).parent.is_some()) {
                self.visit_meanwhile(then);
            }
        }
        // What the visit to `then` did to `first` counts, too: that decides what is visited next, and so reasons.
        self.changed.first |= self.a(first).flags != before.0;
    }

    fn judge_pair(&mut self, first: ActIdx, then: ActIdx, first_flags: Flags, filter: Flags, kind: Relation) {
        let (optional, runnable, migratable) = (Flags::OPTIONAL, Flags::RUNNABLE, Flags::MIGRATABLE);
        let then_required = !self.is(then, optional);
        match kind {
            Relation::ASYMMETRIC => self.apply_asymmetric(first, then),
            Relation::THEN_NEEDS_FIRST if then_required => {
                if !first_flags.has(optional) {
                    self.take_because(first, optional, then);
                }
                if first_flags.has(migratable) && !self.is(then, migratable) {
                    self.take_because(first, migratable, then);
                }
            }
            Relation::PROMOTED_THEN_NEEDS_FIRST if then_required => {
                let was_promoted = self.a(then).rsc.is_some_and(|rsc| self.role(rsc) == Role::Promoted);
                if was_promoted {
                    self.take_because(first, optional, then);
                    if self.is(first, migratable) && !self.is(then, migratable) {
                        self.take_because(first, migratable, then);
                    }
                }
            }
            Relation::STEP_OF_MIGRATION => {
                if !self.is(then, migratable.with(runnable)) {
                    self.take_because(first, runnable, then);
                }
                if then_required {
                    self.take_because(first, optional, then);
                }
            }
            Relation::THEN_INSTEAD if !self.is(first, runnable) => {
                self.take_because(then, migratable, first);
                self.unset(then, Flags::PSEUDO);
            }
            Relation::FIRST_ENABLES_THEN if self.is(then, runnable) && !first_flags.has(runnable) => {
                self.take_because(then, runnable, first);
                self.take_because(then, migratable, first);
            }
            Relation::FIRST_FORCES_THEN
                if !then_required && !first_flags.has(optional) && !self.is(first, migratable) =>
            {
                self.take_because(then, optional, first);
            }
            Relation::RESTART => self.apply_restart(first, then, filter),
            _ => {}
        }
    }

    fn apply_asymmetric(&mut self, first: ActIdx, then: ActIdx) {
        let Some(rsc) = self.a(then).rsc else { return };
        if self.is(first, Flags::RUNNABLE) {
            return;
        }
        if self.is(then, Flags::OPTIONAL) {
            let role = self.state(rsc, true);
            let node = self.a(then).node;
            let runs_there_only = node.is_some_and(|node| self.r(rsc).running_on == [node]);
            match self.a(then).task {
                Task::Stop if role == Role::Stopped => return,
                Task::Start if role >= Role::Started && runs_there_only => return,
                _ => {}
            }
        }
        self.take_because(then, Flags::OPTIONAL, first);
        self.take_because(then, Flags::RUNNABLE, first);
    }

    /// A start that has to be done, or cannot be, means that the stop before it has to be.
    fn apply_restart(&mut self, first: ActIdx, then: ActIdx, filter: Flags) {
        let (optional, runnable, migratable) = (Flags::OPTIONAL, Flags::RUNNABLE, Flags::MIGRATABLE);
        let Some(rsc) = self.a(then).rsc else { return };
        let is_required = filter.has(optional) && !self.is(then, optional);
        let is_impossible = filter.has(runnable)
            && !self.is(then, runnable)
            && self.rsc[rsc.i()].managed
            && self.a(first).rsc == Some(rsc);
        if !is_required && !is_impossible {
            return;
        }
        if self.is(first, runnable) || !self.is(then, optional) {
            self.take_because(first, optional, then);
        }
        if !self.is(then, migratable) {
            self.take_because(first, migratable, then);
        }
        if !self.is(first, optional) && !self.is(first, runnable) {
            self.take_because(then, runnable, first);
        }
    }

    /// Takes a flag away, with the reason if that is another resource's action.
    fn take_because(&mut self, action: ActIdx, flag: Flags, because: ActIdx) {
        if !self.is(action, flag) {
            return;
        }
        self.unset(action, flag);
        if self.a(action).rsc != self.a(because).rsc {
            let what = match flag {
                Flags::RUNNABLE => "unrunnable",
                Flags::MIGRATABLE => "unmigrateable",
                _ => "required",
            };
            self.explain(action, Reason::Action(what, because), false);
        }
    }

    /// What has to run together with something that cannot be started (or promoted) cannot be either.
    pub(super) fn block_dependents(&mut self, action: ActIdx) {
        let Some(rsc) = self.a(action).rsc else { return };
        let task = self.a(action).task;
        let is_start = task == Task::Start;
        if self.is(action, Flags::RUNNABLE) || !(is_start || task == Task::Promote) {
            return;
        }
        let top = self.top(rsc);
        let whole = self.r(top).parent.unwrap_or(top);
        let all_blocked = self.r(whole).children.iter().all(|&child| {
            self.find_task(child, task, None).is_some_and(|action| !self.is(action, Flags::RUNNABLE))
        });
        if !all_blocked {
            return;
        }
        for (dependent, dependent_role, primary_role) in self.mandatory_dependents(whole) {
            if is_start || primary_role == Role::Promoted {
                let blocked = if dependent_role == Role::Promoted { Task::Promote } else { Task::Start };
                self.block_task(dependent, blocked, rsc);
            }
        }
    }

    fn block_task(&mut self, rsc: RscIdx, task: Task, because: RscIdx) {
        for action in self.list_actions_of(rsc) {
            if self.is(action, Flags::RUNNABLE) && self.a(action).task == task {
                self.unset(action, Flags::RUNNABLE);
                self.explain(action, Reason::ColocatedWith(because), false);
                self.block_dependents(action);
                // At once: what follows from it decides what is left to block.
                self.visit_now(action);
            }
        }
        for &child in self.parts(rsc) {
            self.block_task(child, task, because);
        }
    }
}
