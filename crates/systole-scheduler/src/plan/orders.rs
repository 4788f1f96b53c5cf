//! Order constraints. Source: Pacemaker Explained, "Specifying the Order in which Resources Should Start/Stop".

use super::{
    draft::Draft,
    relation::{End, Relation},
    task::{Key, Task},
};
use crate::RscIdx;
use systole_cib::model::{self, Constraint, OrderAction, OrderKind, OrderMembers, ResourceSet};
use systole_types::{Role, Score};

/// Which of the relations of a constraint is meant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Symmetry {
    /// The only one.
    Asymmetric,
    /// The one that is written down.
    Forward,
    /// The one that follows for the inverse actions.
    Inverse,
}

fn symmetry(kind: OrderKind, explicit: Option<bool>) -> Symmetry {
    match (kind, explicit) {
        (OrderKind::Serialize, _) | (_, Some(false)) => Symmetry::Asymmetric,
        _ => Symmetry::Forward,
    }
}

fn relation(kind: OrderKind, first: &Task, symmetry: Symmetry) -> Relation {
    match (kind, symmetry) {
        (OrderKind::Optional, _) => Relation::ORDERED,
        (OrderKind::Serialize, _) => Relation::SERIALIZE,
        (OrderKind::Mandatory, Symmetry::Asymmetric) => Relation::ORDERED | Relation::ASYMMETRIC,
        (OrderKind::Mandatory, Symmetry::Forward) => {
            let forces = Relation::ORDERED | Relation::FIRST_FORCES_THEN;
            let is_up = matches!(first, Task::Start | Task::Started | Task::Promote | Task::Promoted);
            if is_up { forces | Relation::FIRST_ENABLES_THEN } else { forces }
        }
        (OrderKind::Mandatory, Symmetry::Inverse) => Relation::ORDERED | Relation::THEN_NEEDS_FIRST,
    }
}

const fn task(action: Option<OrderAction>) -> Task {
    match action {
        None | Some(OrderAction::Start) => Task::Start,
        Some(OrderAction::Stop) => Task::Stop,
        Some(OrderAction::Promote) => Task::Promote,
        Some(OrderAction::Demote) => Task::Demote,
    }
}

impl Set<'_> {
    /// Members that orders with neighbours are about.
    fn speakers(&self, first: bool) -> &[RscIdx] {
        let speaker = if first { self.members.first() } else { self.members.last() };
        speaker.filter(|_| self.has_speaker).map_or(&self.members, std::slice::from_ref)
    }
}

/// A resource set whose names have been looked up.
struct Set<'c> {
    id: &'c str,
    sequential: bool,
    /// Between sets its last member stands for it as the former, its first as the latter (other way round backwards).
    has_speaker: bool,
    require_all: bool,
    kind: Option<OrderKind>,
    task: Task,
    members: Vec<RscIdx>,
}

impl Draft<'_, '_> {
    /// Turns all order constraints into orders.
    pub(super) fn order_by_constraints(&mut self) {
        let status = self.status;
        for constraint in &status.cib.constraints {
            if let Constraint::Order(order) = constraint {
                self.order_by_constraint(order);
            }
        }
        let placement = self.placement;
        for link in placement.colocations.iter().filter(|link| link.score == Score::MINUS_INFINITY) {
            self.order_apart((link.dependent, link.dependent_role), (link.primary, link.primary_role));
            self.order_apart((link.primary, link.primary_role), (link.dependent, link.dependent_role));
        }
    }

    /// Of two resources that must not be together, one leaves its role before the other takes its own there.
    fn order_apart(&mut self, (first, first_role): (RscIdx, Role), (then, then_role): (RscIdx, Role)) {
        let leave: &[Task] = match first_role {
            Role::Promoted => &[Task::Demote],
            Role::Unpromoted => &[Task::Stop, Task::Promote],
            _ => &[Task::Stop],
        };
        let enter: &[Task] = match then_role {
            Role::Promoted => &[Task::Promote],
            Role::Unpromoted => &[Task::Start, Task::Demote],
            _ => &[Task::Start],
        };
        for leave in leave {
            for enter in enter {
                let relation = Relation::IF_REQUIRED_ON_SAME_NODE;
                self.order_tasks((first, leave.clone()), (then, enter.clone()), relation);
            }
        }
    }

    fn order_by_constraint(&mut self, order: &model::Order) {
        match &order.members {
            OrderMembers::Pair { first, first_action, then, then_action } => {
                let (first, then) = (first.as_str(), then.as_str());
                let first_rsc = self.status.find_for_constraint(first);
                let then_rsc = self.status.find_for_constraint(then);
                let first_task = task(*first_action);
                let then_task = then_action.map_or_else(|| first_task.clone(), |action| task(Some(action)));
                if let (Some(first), Some(then)) = (first_rsc, then_rsc) {
                    self.order_pair(order, (first, first_task), (then, then_task));
                    return;
                }
                // A tag or template stands for all its members, in no particular order.
                let set = |name: &str, action: Option<OrderAction>| Set {
                    id: "",
                    sequential: false,
                    has_speaker: false,
                    require_all: true,
                    kind: None,
                    task: task(action),
                    members: self.status.constraint_targets(name),
                };
                let sets = [set(first, *first_action), set(then, *then_action)];
                if sets.iter().all(|set| !set.members.is_empty()) {
                    self.order_sets(order, &sets);
                }
            }
            OrderMembers::Sets(sets) => {
                // Nothing from a set on whose members do not all exist counts.
                let sets: Vec<Set<'_>> = sets.iter().map_while(|set| self.resolve(set)).collect();
                self.order_sets(order, &sets);
            }
        }
    }

    fn resolve<'c>(&self, set: &'c ResourceSet) -> Option<Set<'c>> {
        let mut members = Vec::new();
        for name in &set.members {
            let targets = self.status.constraint_targets(name.as_str());
            if targets.is_empty() {
                return None;
            }
            members.extend(targets);
        }
        Some(Set {
            id: set.id.as_str(),
            sequential: set.sequential,
            has_speaker: set.sequential && set.sequential_is_given,
            require_all: set.require_all,
            kind: set.kind,
            task: task(set.action),
            members,
        })
    }

    fn order_pair(&mut self, order: &model::Order, first: (RscIdx, Task), then: (RscIdx, Task)) {
        let kind = order.kind.unwrap_or_default();
        let symmetry = symmetry(kind, order.symmetrical);
        let forward = relation(kind, &first.1, symmetry);
        let min = self.r(first.0).clone_data().map_or(0, |clone| match clone.min {
            0 if order.require_all == Some(false) => 1,
            min => min,
        });
        if min > 0 {
            let name = format!("clone-one-or-more:{}", order.id);
            let members = self.r(first.0).children.clone();
            self.order_enough((&name, min), (&members, &first.1), (&[then.0], &then.1), forward);
        } else {
            self.order_tasks(first.clone(), then.clone(), forward);
        }
        if symmetry == Symmetry::Forward {
            let backward = relation(kind, &first.1.inverse(), Symmetry::Inverse);
            self.order_tasks((then.0, then.1.inverse()), (first.0, first.1.inverse()), backward);
        }
    }

    /// Orders `thens` after a pseudo-action that is possible once enough of `firsts` are.
    fn order_enough(
        &mut self,
        (name, enough): (&str, u32),
        (firsts, first_task): (&[RscIdx], &Task),
        (thens, then_task): (&[RscIdx], &Task),
        relation: Relation,
    ) {
        let met = self.pseudo(name);
        self.a_mut(met).enough = enough;
        for &first in firsts {
            let end = End::Key(first, Key::once(first_task.clone()));
            self.order(end, End::Action(met), Relation::ENOUGH_OF_FIRST | Relation::FIRST_SHOWS_THEN);
        }
        for &then in thens {
            let end = End::Key(then, Key::once(then_task.clone()));
            self.order(End::Action(met), end, relation | Relation::FIRST_ENABLES_THEN);
        }
    }

    fn order_sets(&mut self, order: &model::Order, sets: &[Set<'_>]) {
        let kind = order.kind.unwrap_or_default();
        let symmetry = symmetry(kind, order.symmetrical);
        for (i, set) in sets.iter().enumerate() {
            self.order_within(order, kind, set);
            let Some(last) = i.checked_sub(1).map(|i| &sets[i]) else { continue };
            self.order_between(last, set, kind, symmetry);
            if symmetry == Symmetry::Forward {
                self.order_between(set, last, kind, Symmetry::Inverse);
            }
        }
    }

    fn order_within(&mut self, order: &model::Order, parent_kind: OrderKind, set: &Set<'_>) {
        let kind = set.kind.unwrap_or(parent_kind);
        let symmetry = symmetry(kind, order.symmetrical);
        let forward = relation(kind, &set.task, symmetry);
        if kind == OrderKind::Serialize {
            for (i, &first) in set.members.iter().enumerate() {
                for &then in &set.members[i + 1..] {
                    self.order_tasks((first, set.task.clone()), (then, set.task.clone()), forward);
                }
            }
        } else if set.sequential {
            for pair in set.members.windows(2) {
                self.order_tasks((pair[0], set.task.clone()), (pair[1], set.task.clone()), forward);
            }
        }
        if symmetry == Symmetry::Forward && set.sequential {
            let inverse = set.task.inverse();
            let backward = relation(kind, &inverse, Symmetry::Inverse);
            for pair in set.members.windows(2) {
                self.order_tasks((pair[1], inverse.clone()), (pair[0], inverse.clone()), backward);
            }
        }
    }

    fn order_between(&mut self, first: &Set<'_>, then: &Set<'_>, kind: OrderKind, symmetry: Symmetry) {
        let (mut first_task, mut then_task) = (first.task.clone(), then.task.clone());
        if symmetry == Symmetry::Inverse {
            (first_task, then_task) = (first_task.inverse(), then_task.inverse());
        }
        let relation = relation(kind, &first_task, symmetry);
        if !first.require_all && !matches!(first_task, Task::Stop | Task::Demote) {
            let name = format!("one-or-more:{}", first.id);
            self.order_enough(
                (&name, 1),
                (&first.members, &first_task),
                (&then.members, &then_task),
                relation,
            );
            return;
        }
        let is_forward = symmetry != Symmetry::Inverse;
        for &first in first.speakers(!is_forward) {
            for &then in then.speakers(is_forward) {
                self.order_tasks((first, first_task.clone()), (then, then_task.clone()), relation);
            }
        }
    }
}
