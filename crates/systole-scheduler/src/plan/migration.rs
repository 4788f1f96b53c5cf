//! Live migration. Source: Pacemaker Explained, "Migrating Resources".

use super::{
    action::{ActIdx, Flags},
    draft::Draft,
    relation::{End, Order, Relation},
    task::{Key, Task},
};
use crate::{NodeIdx, RscIdx};

impl Draft<'_, '_> {
    /// Whether `rsc` can move from `current` to where it is assigned without being stopped.
    pub(super) fn can_migrate(&self, rsc: RscIdx, current: NodeIdx) -> bool {
        let state = &self.rsc[rsc.i()];
        self.r(rsc).migratable
            && state.managed
            && !state.failed
            && !state.start_pending
            && !self.node[current.i()].unclean
            && self.assigned[rsc.i()].is_some_and(|target| !self.node[target.i()].unclean)
    }

    /// Prepares a migration. The start becomes a pseudo-action; should the migration turn out impossible, it becomes real
    /// again, and the stop comes first.
    pub(super) fn create_migration(&mut self, rsc: RscIdx, current: NodeIdx) {
        let Some(target) = self.assigned[rsc.i()] else { return };
        let is_under_way = self.rsc[rsc.i()].partial_migration.is_some();
        let start = self.action(rsc, Key::once(Task::Start), Some(target), true);
        let stop = self.action(rsc, Key::once(Task::Stop), Some(current), true);
        let to = (!is_under_way).then(|| self.action(rsc, Key::once(Task::MigrateTo), Some(current), true));
        let from = self.action(rsc, Key::once(Task::MigrateFrom), Some(target), true);
        self.set(start, Flags::MIGRATABLE.with(Flags::PSEUDO));
        self.set(stop, Flags::MIGRATABLE);
        self.set(from, Flags::MIGRATABLE);
        let needs = self.a(start).needs;
        let step = Relation::ORDERED | Relation::STEP_OF_MIGRATION;
        if let Some(to) = to {
            self.set(to, Flags::MIGRATABLE);
            self.a_mut(to).needs = needs;
            self.order_tasks((rsc, Task::Monitor), (rsc, Task::MigrateTo), Relation::ORDERED);
            self.order_tasks((rsc, Task::MigrateTo), (rsc, Task::MigrateFrom), step);
        } else {
            self.a_mut(from).needs = needs;
            self.order_tasks((rsc, Task::Monitor), (rsc, Task::MigrateFrom), Relation::ORDERED);
        }
        self.order_tasks((rsc, Task::MigrateFrom), (rsc, Task::Stop), step);
        self.order_tasks((rsc, Task::MigrateFrom), (rsc, Task::Start), step | Relation::THEN_INSTEAD);
        if let Some(to) = to {
            self.add_migration_meta(to, current, target);
            // A connection's migration is not recorded as pending: its history is the cluster node's.
            if !self.r(rsc).primitive().is_some_and(|p| p.is_remote_connection) {
                self.add_meta(to, "record-pending", "true");
            }
        }
        self.add_migration_meta(from, current, target);
    }

    fn add_migration_meta(&mut self, action: ActIdx, source: NodeIdx, target: NodeIdx) {
        let name = |node: NodeIdx| self.status.node(node).name.as_str().to_owned();
        let (source, target) = (name(source), name(target));
        self.add_meta(action, "migrate_source", source);
        self.add_meta(action, "migrate_target", target);
    }

    /// What an order between two resources means for their migrations.
    pub(super) fn migration_equivalents(&self, order: &Order) -> Vec<Order> {
        let (Some(first), Some(then)) = (self.end_rsc(&order.first), self.end_rsc(&order.then)) else {
            return Vec::new();
        };
        let (first_can, then_can) = (self.r(first).migratable, self.r(then).migratable);
        if !(first_can || then_can)
            || first == then
            || self.is_parent(first, then)
            || self.is_parent(then, first)
        {
            return Vec::new();
        }
        let new = |first_task: Task, then_task: Task, relation| Order {
            first: End::Key(first, Key::once(first_task)),
            then: End::Key(then, Key::once(then_task)),
            relation,
        };
        let unless_first =
            if first_can { Relation::ORDERED | Relation::UNLESS_FIRST_MIGRATES } else { Relation::ORDERED };
        let is_partial = self.r(then).partial_migration.is_some();
        let mut found = Vec::new();
        match (self.end_task(&order.first), self.end_task(&order.then)) {
            (Task::Start, Task::Start) => {
                if first_can && then_can {
                    found.push(new(Task::MigrateFrom, Task::MigrateTo, Relation::ORDERED));
                }
                if then_can {
                    found.push(new(Task::Start, Task::MigrateTo, unless_first));
                }
            }
            (Task::Stop, Task::Stop) if then_can => {
                found.push(new(Task::Stop, Task::MigrateTo, unless_first));
                if is_partial {
                    found.push(new(Task::Stop, Task::MigrateFrom, unless_first));
                }
            }
            (Task::Promote, Task::Start) if then_can => {
                found.push(new(Task::Promote, Task::MigrateTo, Relation::ORDERED));
            }
            (Task::Demote, Task::Stop) if then_can => {
                found.push(new(Task::Demote, Task::MigrateTo, Relation::ORDERED));
                if is_partial {
                    found.push(new(Task::Demote, Task::MigrateFrom, Relation::ORDERED));
                }
            }
            _ => {}
        }
        found
    }
}
