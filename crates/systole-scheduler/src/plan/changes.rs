//! What happens to resources and nodes.

use super::{
    Change, ChangeKind,
    action::{ActIdx, Flags, Reason},
    draft::Draft,
    task::{Key, Task},
};
use crate::{NodeIdx, RscIdx, status::Kind};
use systole_types::Role;

/// Where an instance is and goes, and the steps planned for that.
struct Steps {
    role: Role,
    from: Option<NodeIdx>,
    to: Option<NodeIdx>,
    start: Option<ActIdx>,
    can_start: bool,
    stop: Option<ActIdx>,
    promote: Option<ActIdx>,
    demote: Option<ActIdx>,
}

impl Steps {
    fn is_move(&self) -> bool {
        self.from.is_some() && self.to.is_some() && self.from != self.to
    }
}

/// What a change is called, and the action that shows whether it can be made, and why it is.
struct Named {
    kind: ChangeKind,
    to: Option<NodeIdx>,
    action: Option<ActIdx>,
    /// The action that says why, if it is another one.
    because: Option<ActIdx>,
}

impl Named {
    fn new(kind: ChangeKind, to: Option<NodeIdx>, action: Option<ActIdx>) -> Self {
        Named { kind, to, action, because: None }
    }

    fn because(self, because: Option<ActIdx>) -> Self {
        Named { because, ..self }
    }
}

impl Draft<'_, '_> {
    /// What changes, nodes first.
    pub(super) fn changes(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        self.node_changes(&mut changes);
        for root in self.roots() {
            self.resource_changes(root, &mut changes);
        }
        changes
    }

    fn node_changes(&self, changes: &mut Vec<Change>) {
        for i in (0..self.actions.len()).rev() {
            let idx = ActIdx(u32::try_from(i).expect("an action's index"));
            let action = self.a(idx);
            if action.rsc.is_some() || action.flags.has(Flags::OPTIONAL) {
                continue;
            }
            let Some(node) = action.node else { continue };
            let kind = match action.task {
                Task::Shutdown => ChangeKind::Shutdown,
                Task::Fence => {
                    ChangeKind::Fence(self.added_meta(idx, "stonith_action").unwrap_or_default().into())
                }
                _ => continue,
            };
            // What needs no reason, a node's own wish to leave, is not listed.
            let Some(reason) = self.reason_text(idx) else { continue };
            changes.push(Change {
                kind,
                resource: None,
                from: Some(node),
                to: None,
                role: Role::Unknown,
                next_role: Role::Unknown,
                reason: Some(reason.into()),
                is_blocked: !self.is(idx, Flags::RUNNABLE),
            });
        }
    }

    fn resource_changes(&mut self, rsc: RscIdx, changes: &mut Vec<Change>) {
        match &self.r(rsc).kind {
            Kind::Bundle(bundle) => {
                for replica in &bundle.replicas {
                    let parts = [replica.ip, Some(replica.container), replica.remote, replica.child];
                    parts.into_iter().flatten().for_each(|part| self.resource_changes(part, changes));
                }
            }
            Kind::Primitive(_) => self.instance_changes(rsc, changes),
            _ => {
                for &child in self.parts(rsc) {
                    self.resource_changes(child, changes);
                }
            }
        }
    }

    fn instance_changes(&mut self, rsc: RscIdx, changes: &mut Vec<Change>) {
        let (from, to) = (self.current_node(rsc), self.assigned[rsc.i()]);
        let is_gone = from.is_none() && (self.r(rsc).removed.is_some() || to.is_none());
        if is_gone || !self.rsc[rsc.i()].managed {
            return;
        }
        let steps = self.steps(rsc);
        if steps.role != self.next_role[rsc.i()] && self.ends(rsc, &steps) {
            for node in self.r(rsc).running_on.clone() {
                let stop = self.find(rsc, Key::once(Task::Stop), Some(node));
                let named =
                    Named::new(ChangeKind::Stop, None, stop).because(self.reason_to_stop(stop, &steps));
                changes.extend(self.change(named, rsc, (steps.role, Some(node))));
            }
            return;
        }
        let named = match steps.role == self.next_role[rsc.i()] {
            true => self.name_in_same_role(rsc, &steps),
            false => self.name_in_other_role(rsc, &steps),
        };
        changes.extend(named.and_then(|named| self.change(named, rsc, (steps.role, from))));
    }

    fn steps(&mut self, rsc: RscIdx) -> Steps {
        let (from, to) = (self.current_node(rsc), self.assigned[rsc.i()]);
        let is_unexpected = self.rsc[rsc.i()].stop_unexpected;
        let role = match self.role(rsc) {
            Role::Stopped if from.is_some() => Role::Started,
            role => role,
        };
        let mut find = |task: Task, node| self.find(rsc, Key::once(task), node);
        let start = find(Task::Start, to);
        let can_start = start.is_some_and(|start| self.is(start, Flags::RUNNABLE));
        let mut find = |task: Task, node| self.find(rsc, Key::once(task), node);
        let stop = find(Task::Stop, from.filter(|_| can_start))
            .or_else(|| is_unexpected.then(|| find(Task::Stop, None)).flatten());
        Steps {
            role,
            from,
            to,
            start,
            can_start,
            stop,
            promote: find(Task::Promote, to),
            demote: find(Task::Demote, to),
        }
    }

    /// Whether nothing comes after the stop.
    fn ends(&self, rsc: RscIdx, steps: &Steps) -> bool {
        let cannot_start = steps.start.is_some() && !steps.can_start;
        steps.stop.is_some() && (self.next_role[rsc.i()] == Role::Stopped || cannot_start)
    }

    /// The action that says why something stops: what hinders the start, if the stop does not say.
    fn reason_to_stop(&self, stop: Option<ActIdx>, steps: &Steps) -> Option<ActIdx> {
        stop.filter(|&stop| self.a(stop).reason.is_some()).or(steps.start)
    }

    fn is_due(&self, action: Option<ActIdx>) -> bool {
        action.is_some_and(|action| !self.is(action, Flags::OPTIONAL))
    }

    fn name_in_same_role(&mut self, rsc: RscIdx, steps: &Steps) -> Option<Named> {
        let state = self.rsc[rsc.i()];
        let to = steps.to;
        let migration = self.find(rsc, Key::once(Task::MigrateFrom), to);
        let can_migrate = migration.is_some_and(|from| self.is(from, Flags::RUNNABLE));
        Some(if can_migrate && steps.from.is_some() {
            Named::new(ChangeKind::Migrate, to, steps.start)
        } else if state.reload {
            Named::new(ChangeKind::Reload, to, steps.start)
        } else if !self.is_due(steps.start) {
            let is_due_again = self.is_due(steps.demote) && self.is_due(steps.promote);
            return is_due_again
                .then(|| Named::new(ChangeKind::Repromote, to, steps.promote).because(steps.demote));
        } else if !steps.can_start {
            Named::new(ChangeKind::Stop, None, steps.stop).because(self.reason_to_stop(steps.stop, steps))
        } else if steps.is_move() {
            let kind = if state.failed { ChangeKind::Recover } else { ChangeKind::Move };
            Named::new(kind, to, steps.stop)
        } else if state.failed {
            Named::new(ChangeKind::Recover, None, steps.stop)
        } else {
            Named::new(ChangeKind::Restart, to, steps.start)
        })
    }

    fn name_in_other_role(&self, rsc: RscIdx, steps: &Steps) -> Option<Named> {
        let state = self.rsc[rsc.i()];
        let next_role = self.next_role[rsc.i()];
        let to = steps.to;
        Some(if steps.stop.is_some() && state.failed && state.stop_if_failed {
            Named::new(ChangeKind::Recover, to, steps.stop).because(steps.start)
        } else if steps.is_move() {
            Named::new(ChangeKind::Move, to, steps.stop)
        } else if state.reload {
            Named::new(ChangeKind::Reload, to, steps.start)
        } else if self.is_due(steps.stop) {
            Named::new(ChangeKind::Restart, to, steps.start)
        } else if steps.role == Role::Promoted {
            Named::new(ChangeKind::Demote, to, steps.demote)
        } else if next_role == Role::Promoted {
            Named::new(ChangeKind::Promote, to, steps.promote)
        } else if steps.role == Role::Stopped && next_role > Role::Stopped {
            Named::new(ChangeKind::Start, to, steps.start)
        } else {
            return None;
        })
    }

    /// The change of that name, if the action it is told by is there.
    fn change(&self, named: Named, rsc: RscIdx, (role, from): (Role, Option<NodeIdx>)) -> Option<Change> {
        let action = named.action?;
        Some(Change {
            kind: named.kind,
            resource: Some(rsc),
            from,
            to: named.to,
            role,
            next_role: self.next_role[rsc.i()],
            reason: self.reason_text(named.because.unwrap_or(action)).map(Into::into),
            is_blocked: !self.is(action, Flags::RUNNABLE),
        })
    }

    fn reason_text(&self, action: ActIdx) -> Option<String> {
        Some(match self.a(action).reason.as_ref()? {
            Reason::Text(text) => text.to_string(),
            Reason::ColocatedWith(rsc) => format!("colocation with {}", self.r(*rsc).id),
            Reason::Action(what, because) => {
                let because = self.a(*because);
                match because.rsc {
                    Some(rsc) => format!("{what} {} {}", self.r(rsc).id, self.task_text(because)),
                    None => format!("{what} {}", self.task_text(because)),
                }
            }
        })
    }
}
