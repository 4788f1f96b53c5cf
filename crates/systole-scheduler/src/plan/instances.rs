//! What clones and bundles have in common: instances, pseudo-actions around them, and how one collective's instances
//! pair up with another's.
//!
//! Source: Pacemaker Explained, "Clones", `interleave`.

use super::{
    action::{ActIdx, Flags},
    draft::Draft,
    relation::Relation,
    task::{Key, Task},
};
use crate::{NodeIdx, RscIdx, status::Kind};
use systole_types::Role;

/// What instances are about to do.
#[derive(Clone, Copy, Default)]
struct Activity {
    starting: bool,
    stopping: bool,
    restarting: bool,
    active: bool,
}

impl Draft<'_, '_> {
    /// Creates the actions of instances, and the pseudo-actions of the collective around them.
    pub(super) fn create_instance_actions(&mut self, collective: RscIdx, instances: &[RscIdx]) {
        let mut activity = Activity::default();
        for &instance in instances {
            self.create_actions(instance);
            self.add_activity(instance, &mut activity);
        }
        let start = self.collective_pseudo(collective, Task::Start, !activity.starting, true);
        let started = self.collective_pseudo(collective, Task::Started, !activity.starting, false);
        self.a_mut(started).priority = 1_000_000;
        if activity.active || activity.starting {
            self.set(started, Flags::RUNNABLE);
        }
        let stop = self.collective_pseudo(collective, Task::Stop, !activity.stopping, true);
        let stopped = self.collective_pseudo(collective, Task::Stopped, !activity.stopping, true);
        self.a_mut(stopped).priority = 1_000_000;
        if !activity.restarting {
            self.set(stop, Flags::MIGRATABLE);
        }
        if self.r(collective).is_clone() {
            self.create_clone_notifications(collective, (start, started), (stop, stopped));
        }
    }

    fn add_activity(&self, instance: RscIdx, activity: &mut Activity) {
        let resource = self.r(instance);
        if !resource.children.is_empty() {
            resource.children.iter().for_each(|&child| self.add_activity(child, activity));
            return;
        }
        let (mut starting, mut stopping) = (false, false);
        for action in self.actions_of(instance) {
            let action = self.a(action);
            if action.flags.has(Flags::OPTIONAL) {
                continue;
            }
            starting |= action.task == Task::Start && action.flags.has(Flags::RUNNABLE);
            stopping |=
                action.task == Task::Stop && action.flags.has_any(Flags::PSEUDO.with(Flags::RUNNABLE));
        }
        activity.starting |= starting;
        activity.stopping |= stopping;
        activity.restarting |= starting && stopping;
        activity.active |= resource.is_active();
    }

    /// Instances of a clone; containers of a bundle.
    pub(super) fn instances(&self, collective: RscIdx) -> Vec<RscIdx> {
        match &self.r(collective).kind {
            Kind::Bundle(bundle) => bundle.replicas.iter().map(|replica| replica.container).collect(),
            _ => self.parts(collective).to_vec(),
        }
    }

    /// Flags of any action, as orders see it: those of collectives follow from their instances.
    pub(super) fn effective_flags(&mut self, action: ActIdx, node: Option<NodeIdx>) -> Flags {
        let Some(rsc) = self.a(action).rsc else { return self.a(action).flags };
        match &self.r(rsc).kind {
            Kind::Primitive(_) => self.a(action).flags,
            Kind::Group(_) => self.group_flags(action, node),
            Kind::Clone(_) => self.collective_flags(action, self.parts(rsc), node),
            Kind::Bundle(bundle) => {
                // What is promoted or demoted is what is inside.
                let task = &self.a(action).task;
                let is_inside = matches!(
                    task,
                    Task::Notify
                        | Task::Notified
                        | Task::Promote
                        | Task::Promoted
                        | Task::Demote
                        | Task::Demoted
                );
                match bundle.inner {
                    Some(inner) if is_inside => self.collective_flags(action, self.parts(inner), node),
                    _ => self.collective_flags(action, &self.instances(rsc), node),
                }
            }
        }
    }

    fn collective_flags(&mut self, action: ActIdx, instances: &[RscIdx], node: Option<NodeIdx>) -> Flags {
        let task = self.instance_task(action);
        let mut flags = Flags::OPTIONAL.with(Flags::RUNNABLE).with(Flags::PSEUDO);
        let mut any_runnable = false;
        for &instance in instances {
            let instance_node = node.filter(|_| self.r(instance).is_primitive());
            let Some(instance_action) = self.find_task(instance, task, instance_node) else { continue };
            let instance_flags = self.effective_flags(instance_action, node);
            if flags.has(Flags::OPTIONAL) && !instance_flags.has(Flags::OPTIONAL) {
                flags = flags.without(Flags::OPTIONAL);
                self.unset(action, Flags::OPTIONAL);
            }
            any_runnable |= instance_flags.has(Flags::RUNNABLE);
        }
        if !any_runnable {
            flags = flags.without(Flags::RUNNABLE);
            if node.is_none() {
                self.unset(action, Flags::RUNNABLE);
            }
        }
        flags
    }

    /// What instances do for a collective's action: for instances that are groups that is a pseudo-action too.
    fn instance_task(&self, action: ActIdx) -> Task {
        let rsc = self.a(action).rsc.expect("only asked for collectives");
        let task = match self.a(action).key {
            Key::Notify(_, task) => task,
            Key::Op(..) => self.a(action).task,
        };
        if self.is_of_primitives(rsc) { task.work() } else { task }
    }

    /// Whether what is in a group, clone or bundle are primitives.
    pub(super) fn is_of_primitives(&self, collective: RscIdx) -> bool {
        let resource = self.r(collective);
        resource.is_bundle() || resource.children.first().is_none_or(|&first| self.r(first).is_primitive())
    }

    /// Whether `instance` is (or will be) on `node`, in `role` if that is not unknown.
    pub(super) fn instance_matches(
        &self,
        instance: RscIdx,
        node: NodeIdx,
        role: Role,
        current: bool,
    ) -> bool {
        (role == Role::Unknown || self.state(instance, current) == role)
            && !self.is_any_blocked(instance)
            && self.location(instance, current) == Some(node)
    }

    fn is_any_blocked(&self, rsc: RscIdx) -> bool {
        self.is_blocked(rsc) || self.r(rsc).children.iter().any(|&child| self.is_any_blocked(child))
    }

    /// The instance of `collective` that belongs to `rsc`: the one on its node, or on the best node that has one.
    pub(super) fn compatible_instance(
        &self,
        rsc: RscIdx,
        collective: RscIdx,
        current: bool,
    ) -> Option<RscIdx> {
        let instances = self.instances(collective);
        let on = |node| {
            instances.iter().copied().find(|&i| self.instance_matches(i, node, Role::Unknown, current))
        };
        match self.location(rsc, current) {
            Some(node) => on(node),
            None => self.nodes_by_preference(rsc).into_iter().find_map(on),
        }
    }

    /// Whether instances of two collectives are ordered pair by pair.
    pub(super) fn can_interleave(&self, first: ActIdx, then: ActIdx) -> bool {
        let (Some(first_rsc), Some(then_rsc)) = (self.a(first).rsc, self.a(then).rsc) else { return false };
        let is_collective = |rsc: RscIdx| self.r(rsc).is_clone() || self.r(rsc).is_bundle();
        if first_rsc == then_rsc || !is_collective(first_rsc) || !is_collective(then_rsc) {
            return false;
        }
        let decides = match &self.a(then).key {
            Key::Op(Task::Stop | Task::Demote, 0) => first_rsc,
            _ => then_rsc,
        };
        self.r(decides).interleaves()
    }

    /// Applies a relation between two collectives pair by pair. Returns whether anything changed.
    pub(super) fn update_interleaved(
        &mut self,
        first: ActIdx,
        then: ActIdx,
        node: Option<NodeIdx>,
        filter: Flags,
        kind: Relation,
    ) {
        let first_rsc = self.a(first).rsc.expect("checked by can_interleave");
        let then_rsc = self.a(then).rsc.expect("checked by can_interleave");
        let first_task = self.instance_task(first);
        let then_task = self.a(then).task;
        // With notifications it is the last of those that is waited for.
        let current = matches!(
            &self.a(first).key,
            Key::Op(Task::Stopped | Task::Demoted, 0) | Key::Notify(_, Task::Stopped | Task::Demoted)
        );
        for then_instance in self.instances(then_rsc) {
            let Some(first_instance) = self.compatible_instance(then_instance, first_rsc, current) else {
                let is_bound = kind.has_any(Relation::FIRST_ENABLES_THEN | Relation::FIRST_FORCES_THEN);
                if !current && is_bound {
                    self.unassign(then_instance);
                }
                continue;
            };
            let is_down = matches!(self.a(first).task, Task::Stop | Task::Stopped);
            let first_action = self.instance_action(first_instance, first_task, node, !is_down);
            let is_inside =
                matches!(then_task, Task::Promote | Task::Promoted | Task::Demote | Task::Demoted);
            let then_action = self.instance_action(then_instance, then_task, node, is_inside);
            let (Some(first_action), Some(then_action)) = (first_action, then_action) else { continue };
            if self.link(first_action, then_action, kind) {
                self.changed.both();
            }
            let flags = self.effective_flags(first_action, node);
            self.update(first_action, then_action, node, flags, filter, kind);
        }
    }

    /// The action of an instance; of what is inside of it, for a bundle's container.
    fn instance_action(
        &self,
        instance: RscIdx,
        task: Task,
        node: Option<NodeIdx>,
        inside: bool,
    ) -> Option<ActIdx> {
        match self.inside_of(instance).filter(|_| inside) {
            Some(child) => self.find_task(child, task, None),
            None => self.find_task(instance, task, node),
        }
    }

    /// What runs inside a bundle's container.
    fn inside_of(&self, container: RscIdx) -> Option<RscIdx> {
        let bundle = self.r(self.r(container).parent?).bundle()?;
        bundle.replicas.iter().find(|replica| replica.container == container)?.child
    }

    /// Takes an instance off the node it was assigned to: what it should run with will not be there.
    pub(super) fn unassign(&mut self, rsc: RscIdx) {
        if !self.r(rsc).children.is_empty() {
            for &child in self.parts(rsc) {
                self.unassign(child);
            }
            return;
        }
        self.next_role[rsc.i()] = Role::Stopped;
        self.drop_actions_of_unassigned(rsc);
        if let Some(node) = self.assigned[rsc.i()].take() {
            self.taken_back.push((rsc, node));
            self.changed.then = true;
        }
    }

    /// Actions made before it was known that an instance runs nowhere.
    pub(super) fn drop_actions_of_unassigned(&mut self, rsc: RscIdx) {
        for action in self.list_actions_of(rsc) {
            match self.a(action).task {
                Task::Stop => self.unset(action, Flags::OPTIONAL),
                Task::Start => self.unset(action, Flags::RUNNABLE),
                _ if self.a(action).key.interval_ms() > 0 && self.a(action).expected_rc != Some(7) => {
                    self.unset(action, Flags::RUNNABLE);
                }
                _ => {}
            }
        }
    }
}
