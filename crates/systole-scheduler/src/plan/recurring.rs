//! Recurring operations. Source: Pacemaker Explained, "Monitoring Resources for Failure".

use super::{
    action::{ActIdx, Flags},
    draft::Draft,
    relation::{End, Relation},
    task::{Key, Task},
};
use crate::{
    NodeIdx, RscIdx,
    status::{is_enabled, property},
};
use std::{sync::Arc, time::Duration};
use systole_cib::model::{Operation, Primitive};
use systole_types::Role;

/// A configured recurring operation.
pub(super) struct Recurring<'p> {
    pub name: &'p Arc<str>,
    pub interval: Duration,
    /// Only while the instance has this role.
    pub role: Option<Role>,
}

impl Recurring<'_> {
    /// Whether it recurs while the instance has `role`.
    pub fn is_for(&self, role: Role) -> bool {
        self.role.map_or(role != Role::Promoted, |only| role == only)
    }
}

impl Draft<'_, '_> {
    /// Sets up, keeps or cancels the recurring operations of an instance.
    pub(super) fn create_recurring(&mut self, rsc: RscIdx) {
        if self.is_blocked(rsc) || self.r(rsc).maintenance {
            return;
        }
        let node = self.assigned[rsc.i()];
        let is_on = node.is_some_and(|node| !self.status.node(node).maintenance)
            && (self.next_role[rsc.i()] != Role::Stopped || !self.rsc[rsc.i()].managed);
        let primitive = self.r(rsc).primitive();
        let operations =
            primitive.map_or_else(Vec::new, |own| recurring_operations(&own.definition).collect());
        let start = is_on.then(|| self.start(rsc, node));
        for operation in &operations {
            let interval = u32::try_from(operation.interval.as_millis()).unwrap_or(u32::MAX);
            let key = Key::Op(self.task_names.task(operation.name), interval);
            if let Some(start) = start {
                self.recur_where_active(rsc, start, node, (operation, key));
            }
            if operation.role == Some(Role::Stopped) && self.r(rsc).is_unique {
                self.recur_where_inactive(rsc, node, key);
            }
        }
    }

    fn recur_where_active(
        &mut self,
        rsc: RscIdx,
        start: ActIdx,
        node: Option<NodeIdx>,
        (op, key): (&Recurring<'_>, Key),
    ) {
        if op.role == Some(Role::Stopped) {
            return;
        }
        let next = self.next_role[rsc.i()];
        let is_running = self.is(start, Flags::OPTIONAL)
            && node.is_some_and(|node| {
                let known = self.find_on(rsc, key, node);
                !known.is_empty() && !known.iter().any(|&action| self.is(action, Flags::RESCHEDULE))
            });
        if !op.is_for(next) {
            if is_running {
                self.cancel_for_role_change(rsc, node, key);
            }
            return;
        }
        let action = self.action(rsc, key, node, is_running);
        let is_up = node.is_some_and(|node| self.node[node.i()].online && !self.node[node.i()].unclean);
        if !self.is(start, Flags::RUNNABLE) || !is_up {
            self.unset(action, Flags::RUNNABLE);
        }
        if next == Role::Promoted {
            self.a_mut(action).expected_rc = Some(8);
        }
        if node.is_some() && !self.rsc[rsc.i()].managed {
            return;
        }
        let after = |task: Task| End::Key(rsc, Key::once(task));
        let enables = Relation::FIRST_FORCES_THEN | Relation::FIRST_ENABLES_THEN;
        self.order(after(Task::Start), End::Action(action), enables);
        self.order(after(Task::Reload), End::Action(action), enables);
        let ordered = Relation::ORDERED | Relation::FIRST_ENABLES_THEN;
        if next == Role::Promoted {
            self.order(after(Task::Promote), End::Action(action), ordered);
        } else if self.role(rsc) == Role::Promoted {
            self.order(after(Task::Demote), End::Action(action), ordered);
        }
    }

    fn cancel_for_role_change(&mut self, rsc: RscIdx, node: Option<NodeIdx>, key: Key) {
        let cancel = self.cancel(rsc, key, node);
        let before = match (self.role(rsc), self.next_role[rsc.i()]) {
            (Role::Started | Role::Unpromoted, Role::Promoted) => Task::Promote,
            (Role::Started | Role::Unpromoted, Role::Stopped) => Task::Stop,
            (Role::Promoted, _) => Task::Demote,
            _ => return,
        };
        self.order(End::Action(cancel), End::Key(rsc, Key::once(before)), Relation::FIRST_ENABLES_THEN);
    }

    /// `role="Stopped"`: makes sure the instance is not running where it should not.
    fn recur_where_inactive(&mut self, rsc: RscIdx, node: Option<NodeIdx>, key: Key) {
        for i in 0..self.status.nodes_by_name.len() {
            let other = self.status.nodes_by_name[i];
            let known = self.find_on(rsc, key, other);
            if node == Some(other) {
                if !known.is_empty() {
                    let cancel = self.cancel(rsc, key, node);
                    if matches!(self.next_role[rsc.i()], Role::Started | Role::Unpromoted) {
                        let start = End::Key(rsc, Key::once(Task::Start));
                        self.order(End::Action(cancel), start, Relation::FIRST_ENABLES_THEN);
                    }
                }
                continue;
            }
            let action = self.action(rsc, key, Some(other), !known.is_empty());
            self.a_mut(action).expected_rc = Some(7);
            let is_managed = self.rsc[rsc.i()].managed;
            if is_managed {
                for probe in self.find_all(rsc, Key::once(Task::Monitor), Some(other)) {
                    self.link(probe, action, Relation::FIRST_ENABLES_THEN);
                }
            }
            for stop in self.find_on(rsc, Key::once(Task::Stop), other) {
                let is_due = !self.is(stop, Flags::OPTIONAL) && !self.is(action, Flags::OPTIONAL);
                if is_due && !is_managed {
                    self.set(action, Flags::OPTIONAL);
                }
                if !self.is(stop, Flags::RUNNABLE) {
                    self.unset(action, Flags::RUNNABLE);
                }
                if is_managed {
                    let relation = Relation::FIRST_FORCES_THEN | Relation::FIRST_ENABLES_THEN;
                    self.order(End::Action(stop), End::Action(action), relation);
                }
            }
            if !self.node[other.i()].online || self.node[other.i()].unclean {
                self.unset(action, Flags::RUNNABLE);
            }
        }
    }

    /// Cancels a recurring operation.
    pub(super) fn cancel(&mut self, rsc: RscIdx, key: Key, node: Option<NodeIdx>) -> ActIdx {
        let cancel = self.action_doing(rsc, key, Task::Cancel, node, false);
        self.turn_into(rsc, cancel, Task::Cancel);
        if let Key::Op(task, interval) = key {
            let name: Arc<str> = self.task_names.text(task).into();
            self.add_meta(cancel, "operation", name);
            self.add_meta(cancel, "interval", interval.to_string());
        }
        cancel
    }

    /// Cancels a recurring operation that the history knows and the configuration does not want (any more).
    pub(super) fn cancel_known(&mut self, rsc: RscIdx, key: Key, call_id: Option<i64>, node: NodeIdx) {
        let cancel = self.cancel(rsc, key, Some(node));
        if let Some(call_id) = call_id {
            self.add_meta(cancel, "call-id", call_id.to_string());
        }
        self.order(End::Key(rsc, Key::once(Task::Stop)), End::Action(cancel), Relation::ORDERED);
    }
}

/// The recurring operations of a primitive.
pub(super) fn recurring_operations(primitive: &Primitive) -> impl Iterator<Item = Recurring<'_>> {
    let operations = &primitive.operations;
    let is_same = |op: &Operation, other: &&Operation| other.interval == op.interval && other.name == op.name;
    let is_alone = move |op: &Operation| operations.iter().filter(|other| is_same(op, other)).count() == 1;
    let with_interval = operations.iter().filter(|op| !op.interval.is_zero());
    with_interval.filter(move |op| can_recur(&op.name) && is_alone(op) && is_enabled(op)).filter_map(|op| {
        let role = match property(op, "role").map(str::parse::<Role>) {
            None => None,
            Some(Ok(Role::Unknown) | Err(_)) => return None,
            Some(Ok(role)) => Some(role),
        };
        Some(Recurring { name: &op.name, interval: op.interval, role })
    })
}

fn can_recur(operation: &str) -> bool {
    !matches!(
        operation,
        "stop" | "start" | "demote" | "promote" | "reload-agent" | "migrate_to" | "migrate_from"
    )
}
