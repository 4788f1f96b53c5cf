//! Order constraints. Source: Pacemaker Explained, "Specifying the Order in which Resources Should Start/Stop".

use super::{
    draft::Draft,
    relation::{End, Relation},
    task::{Key, Task},
};
use crate::{RscIdx, Status, placement::Placement, status::SetMember};
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

fn relation(kind: OrderKind, first: Task, symmetry: Symmetry) -> Relation {
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

/// A set with the members it names; `None` if one of them does not exist.
fn resolve<'c>(set: &'c ResourceSet, named: &[SetMember<'_>]) -> Option<Set<'c>> {
    Some(Set {
        id: set.id.as_str(),
        sequential: set.sequential,
        has_speaker: set.sequential && set.sequential_is_given,
        require_all: set.require_all,
        kind: set.kind,
        task: task(set.action),
        members: named.iter().map(|member| member.resource).collect::<Option<_>>()?,
    })
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

/// One side of what a constraint orders.
#[derive(Clone, Debug)]
pub(super) enum Side {
    /// A task of a resource.
    Task(RscIdx, Task),
    /// What is possible once enough of several tasks are: position in [`Constraints::enough`].
    Enough(usize),
}

/// What a constraint orders.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub first: Side,
    pub then: Side,
    pub relation: Relation,
}

/// What all order constraints ask for, and those colocations that come to an order.
pub(super) struct Constraints<'s, 'a> {
    status: &'s Status<'a>,
    /// In sequence.
    pub orders: Vec<Wanted>,
    /// Pseudo-actions that are possible once so many of their inputs are, by name.
    enough: Vec<(String, u32)>,
}

impl Draft<'_, '_> {
    /// Enters what constraints ask for, as far as it is between resources that are planned.
    pub(super) fn order_by_constraints(&mut self, constraints: &Constraints<'_, '_>) {
        for wanted in &constraints.orders {
            let is_left_out = |side: &Side| matches!(side, Side::Task(rsc, _) if self.left_out[rsc.i()]);
            if is_left_out(&wanted.first) || is_left_out(&wanted.then) {
                continue;
            }
            let first = self.end(&wanted.first, &constraints.enough);
            let then = self.end(&wanted.then, &constraints.enough);
            self.order(first, then, wanted.relation);
        }
    }

    fn end(&mut self, side: &Side, enough: &[(String, u32)]) -> End {
        match side {
            Side::Task(rsc, task) => End::Key(*rsc, Key::once(*task)),
            Side::Enough(which) => {
                let (name, enough) = &enough[*which];
                let met = self.pseudo(name);
                self.a_mut(met).enough = *enough;
                End::Action(met)
            }
        }
    }
}

impl<'s, 'a> Constraints<'s, 'a> {
    /// What all constraints ask for.
    pub fn of(status: &'s Status<'a>, placement: &Placement) -> Self {
        let mut all = Self { status, orders: Vec::new(), enough: Vec::new() };
        for constraint in &status.cib.constraints {
            if let Constraint::Order(order) = constraint {
                all.order_by_constraint(order);
            }
        }
        all.keep_apart(placement);
        all
    }

    fn order_tasks(&mut self, first: (RscIdx, Task), then: (RscIdx, Task), relation: Relation) {
        self.order(Side::Task(first.0, first.1), Side::Task(then.0, then.1), relation);
    }

    fn order(&mut self, first: Side, then: Side, relation: Relation) {
        self.orders.push(Wanted { first, then, relation });
    }

    /// What must not run together on a node does not even overlap there.
    fn keep_apart(&mut self, placement: &Placement) {
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
                self.order_tasks((first, *leave), (then, *enter), relation);
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
                let then_task = then_action.map_or_else(|| first_task, |action| task(Some(action)));
                if let (Some(first), Some(then)) = (first_rsc, then_rsc) {
                    self.order_pair(order, (first, first_task), (then, then_task));
                    return;
                }
                let names = [(first, *first_action), (then, *then_action)];
                if names.iter().all(|(name, _)| self.status.stands_for(name).is_some()) {
                    let sets: Vec<Set<'_>> =
                        names.iter().map_while(|(name, action)| self.unordered_set(name, *action)).collect();
                    self.order_sets(order, &sets);
                }
            }
            OrderMembers::Sets(sets) => {
                // Nothing from a set on whose members do not all exist counts.
                let named = self.status.set_members(sets);
                let sets: Vec<Set<'_>> =
                    sets.iter().zip(named).map_while(|(set, members)| resolve(set, &members)).collect();
                self.order_sets(order, &sets);
            }
        }
    }

    /// A resource, or all that a tag or template stands for, in no particular order; `None` if any of it does not exist.
    fn unordered_set(&self, name: &str, action: Option<OrderAction>) -> Option<Set<'static>> {
        let members = self.status.stands_for(name)?;
        Some(Set {
            id: "",
            sequential: false,
            has_speaker: false,
            require_all: true,
            kind: None,
            task: task(action),
            members: members.into_iter().collect::<Option<_>>()?,
        })
    }

    fn order_pair(&mut self, order: &model::Order, first: (RscIdx, Task), then: (RscIdx, Task)) {
        let kind = order.kind.unwrap_or_default();
        let symmetry = symmetry(kind, order.symmetrical);
        let forward = relation(kind, first.1, symmetry);
        // Even a `clone-min` of 0 counts, and then `require-all` does not.
        let min = self
            .status
            .rsc(first.0)
            .clone_data()
            .map_or(0, |clone| clone.min.unwrap_or_else(|| u32::from(order.require_all == Some(false))));
        if min > 0 {
            let name = format!("clone-one-or-more:{}", order.id);
            let members = self.status.rsc(first.0).children.clone();
            self.order_enough((&name, min), (&members, first.1), (&[then.0], then.1), forward);
        } else {
            self.order_tasks(first, then, forward);
        }
        if symmetry == Symmetry::Forward {
            let backward = relation(kind, first.1.inverse(), Symmetry::Inverse);
            self.order_tasks((then.0, then.1.inverse()), (first.0, first.1.inverse()), backward);
        }
    }

    /// Orders `thens` after a pseudo-action that is possible once enough of `firsts` are.
    fn order_enough(
        &mut self,
        (name, enough): (&str, u32),
        (firsts, first_task): (&[RscIdx], Task),
        (thens, then_task): (&[RscIdx], Task),
        relation: Relation,
    ) {
        let met = Side::Enough(self.enough.len());
        self.enough.push((name.to_owned(), enough));
        for &first in firsts {
            let side = Side::Task(first, first_task);
            self.order(side, met.clone(), Relation::ENOUGH_OF_FIRST | Relation::FIRST_SHOWS_THEN);
        }
        for &then in thens {
            let side = Side::Task(then, then_task);
            self.order(met.clone(), side, relation | Relation::FIRST_ENABLES_THEN);
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
        let forward = relation(kind, set.task, symmetry);
        if kind == OrderKind::Serialize {
            for (i, &first) in set.members.iter().enumerate() {
                for &then in &set.members[i + 1..] {
                    self.order_tasks((first, set.task), (then, set.task), forward);
                }
            }
        } else if set.sequential {
            for pair in set.members.windows(2) {
                self.order_tasks((pair[0], set.task), (pair[1], set.task), forward);
            }
        }
        if symmetry == Symmetry::Forward && set.sequential {
            let inverse = set.task.inverse();
            let backward = relation(kind, inverse, Symmetry::Inverse);
            for pair in set.members.windows(2) {
                self.order_tasks((pair[1], inverse), (pair[0], inverse), backward);
            }
        }
    }

    fn order_between(&mut self, first: &Set<'_>, then: &Set<'_>, kind: OrderKind, symmetry: Symmetry) {
        let (mut first_task, mut then_task) = (first.task, then.task);
        if symmetry == Symmetry::Inverse {
            (first_task, then_task) = (first_task.inverse(), then_task.inverse());
        }
        let relation = relation(kind, first_task, symmetry);
        if !first.require_all && !matches!(first_task, Task::Stop | Task::Demote) {
            let name = format!("one-or-more:{}", first.id);
            self.order_enough((&name, 1), (&first.members, first_task), (&then.members, then_task), relation);
            return;
        }
        let is_forward = symmetry != Symmetry::Inverse;
        for &first in first.speakers(!is_forward) {
            for &then in then.speakers(is_forward) {
                self.order_tasks((first, first_task), (then, then_task), relation);
            }
        }
    }
}
