//! What actions mean for each other: whether they have to be done, and can be. Repeated until nothing changes.

use super::{
    action::{ActIdx, Flags},
    draft::Draft,
    relation::{End, Relation},
    task::{Key, Moment, Task},
};
use crate::{
    NodeIdx, Note, RscIdx,
    note::{Level, NoteKind},
};
use systole_types::Role;

/// Looks per link, on average, after which propagation is given up: a bound for hostile configurations.
const MAX_LOOKS_PER_LINK: usize = 200;

/// So many visits may be in the middle of one another.
const MAX_DEPTH: usize = 100;

/// What the relation looked at last has changed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Changed {
    pub(super) first: bool,
    pub(super) then: bool,
}

impl Changed {
    /// Both sides have.
    pub(super) fn both(&mut self) {
        (self.first, self.then) = (true, true);
    }
}

/// Something to do while consequences are worked out.
enum Job {
    /// Begin to look at an action.
    Visit(ActIdx),
    /// Go on with one.
    Go(Visit),
}

/// An action that is being looked at.
struct Visit {
    action: ActIdx,
    /// Links still to be looked at, counted from the first made.
    n_left: usize,
    /// As they were at the beginning.
    flags: Flags,
    has_changed: bool,
    /// Of inputs of which a certain number is enough, how many can be done.
    n_possible: u32,
}

impl Draft<'_, '_> {
    /// Turns orders into links between actions that exist, in the sequence the orders were made.
    pub(super) fn apply_orders(&mut self) {
        let orders = std::mem::take(&mut self.orders);
        for order in &orders {
            match &order.first {
                End::Action(first) => self.apply_to_then(*first, &order.then, order.relation),
                End::Key(rsc, key) => self.apply_to_key((*rsc, *key), &order.then, order.relation),
            }
        }
        let made_meanwhile = std::mem::replace(&mut self.orders, orders);
        self.orders.extend(made_meanwhile);
    }

    fn apply_to_key(&mut self, (rsc, key): (RscIdx, Key), then: &End, relation: Relation) {
        // What is said of the history that is erased by the DC is said of the agent's cleanup where nothing else is: Pacemaker
        // takes the one's key for the other's.
        let is_missing = matches!(key, Key::Op(Task::LrmDelete, 0)) && self.find_key(rsc, key).is_none();
        let cleanup = Key::once(Task::Delete);
        let key = if is_missing { cleanup } else { key };
        let mut seen = 0;
        while let Some((n, first)) = self.find_after(rsc, key, seen) {
            self.apply_to_then(first, then, relation);
            seen = n + 1;
        }
        if seen == 0
            && self.end_rsc(then) != Some(rsc)
            && let Some(first) = self.stand_in(rsc, key)
        {
            self.apply_to_then(first, then, relation);
        }
    }

    /// An optional action for the first side of an order where there is none, unless it is clear that none is needed.
    fn stand_in(&mut self, rsc: RscIdx, key: Key) -> Option<ActIdx> {
        let role = self.state(rsc, true);
        match (role, key) {
            (Role::Stopped, Key::Op(Task::Stop, 0)) | (Role::Unpromoted, Key::Op(Task::Demote, 0)) => None,
            _ => Some(self.action(rsc, key, None, true)),
        }
    }

    fn apply_to_then(&mut self, first: ActIdx, then: &End, mut relation: Relation) {
        let then_rsc = self.end_rsc(then);
        if then_rsc.is_some() && self.a(first).rsc == then_rsc && self.is(first, Flags::MIGRATION_ABORT) {
            relation = relation.without(Relation::FIRST_FORCES_THEN);
        }
        match then {
            End::Action(action) => {
                self.link(first, *action, relation);
            }
            End::Key(rsc, key) => {
                let mut seen = 0;
                while let Some((n, then)) = self.find_after(*rsc, *key, seen) {
                    self.link(first, then, relation);
                    seen = n + 1;
                }
            }
        }
    }

    /// Works out all consequences, beginning with the latest action.
    pub(super) fn propagate(&mut self) {
        self.limit_looks();
        let mut jobs = Vec::new();
        for i in (0..self.actions.len()).rev() {
            self.visit(ActIdx(u32::try_from(i).expect("an action's index")), &mut jobs);
        }
    }

    /// Looks again at actions that something was done to outside of a visit.
    pub(super) fn visit_changed(&mut self) {
        let mut jobs = Vec::new();
        for action in std::mem::take(&mut self.to_visit) {
            self.visit(action, &mut jobs);
        }
    }

    /// Works out what follows for an action, at once.
    pub(super) fn visit_now(&mut self, action: ActIdx) {
        self.visit(action, &mut Vec::new());
    }

    /// As [`Self::visit_now`], in the middle of another visit: what is left to be looked at there is looked at afterwards. Only
    /// so deep as the stack allows; beyond that it waits for the end of the link.
    pub(super) fn visit_meanwhile(&mut self, action: ActIdx) {
        if self.depth >= MAX_DEPTH {
            self.to_visit.push(action);
            return;
        }
        let changed = std::mem::take(&mut self.changed);
        self.depth += 1;
        self.visit_now(action);
        self.depth -= 1;
        self.changed = changed;
    }

    pub(super) fn limit_looks(&mut self) {
        self.looks_left = (self.links.len() + self.actions.len()).saturating_mul(MAX_LOOKS_PER_LINK);
    }

    /// Judges an action by what comes before it, one link after the other. Wherever that changes something, those that
    /// depend on it are visited before the next link is looked at: which reason an action gets depends on this sequence,
    /// and it is the reference release's.
    ///
    /// `jobs` is empty before and after.
    fn visit(&mut self, action: ActIdx, jobs: &mut Vec<Job>) {
        jobs.push(Job::Visit(action));
        while let Some(job) = jobs.pop() {
            match job {
                Job::Visit(action) => {
                    let n_links = self.a(action).before.len();
                    if self.looks_left < n_links + 1 {
                        jobs.clear();
                        return;
                    }
                    self.looks_left -= n_links + 1;
                    let flags = self.a(action).flags;
                    jobs.push(Job::Go(Visit {
                        action,
                        n_left: n_links,
                        flags,
                        has_changed: false,
                        n_possible: 0,
                    }));
                }
                Job::Go(visit) => self.look_at_next(visit, jobs),
            }
        }
    }

    /// Looks at the next link that something may follow from.
    fn look_at_next(&mut self, mut visit: Visit, jobs: &mut Vec<Job>) {
        while visit.n_left > 0 {
            visit.n_left -= 1;
            let link = self.a(visit.action).before[visit.n_left];
            if self.to_visit.is_empty() && self.has_no_consequence(link) {
                continue;
            }
            let first = self.links[link as usize].first;
            self.changed = Changed::default();
            self.follow(link, visit.action, &mut visit.n_possible);
            visit.has_changed |= self.changed.then;
            jobs.push(Job::Go(visit));
            if self.changed.first {
                jobs.push(Job::Visit(first));
                self.push_followers(first, jobs);
            }
            jobs.extend(self.to_visit.drain(..).rev().map(Job::Visit));
            return;
        }
        self.finish_visit(&visit, jobs);
    }

    fn finish_visit(&mut self, visit: &Visit, jobs: &mut Vec<Job>) {
        let then = visit.action;
        let mut has_changed = visit.has_changed;
        if self.a(then).enough > 0 {
            if visit.n_possible >= self.a(then).enough {
                self.set(then, Flags::RUNNABLE);
            } else {
                self.unset(then, Flags::RUNNABLE);
            }
            has_changed = self.a(then).flags != visit.flags;
        }
        if !has_changed {
            return;
        }
        self.push_followers(then, jobs);
        jobs.push(Job::Visit(then));
        if visit.flags.has(Flags::RUNNABLE) && !self.is(then, Flags::RUNNABLE) {
            self.block_dependents(then);
        }
        jobs.extend(self.to_visit.drain(..).rev().map(Job::Visit));
    }

    /// Has all that comes after an action visited, the latest first.
    fn push_followers(&self, action: ActIdx, jobs: &mut Vec<Job>) {
        let after = &self.a(action).after;
        jobs.extend(after.iter().map(|&link| Job::Visit(self.links[link as usize].then)));
    }

    fn follow(&mut self, link_idx: u32, then: ActIdx, n_possible: &mut u32) {
        let link = self.links[link_idx as usize];
        let (first, relation) = (link.first, link.relation);
        if relation == Relation::NONE {
            return;
        }
        if relation.has(Relation::IF_SAME_NODE)
            && let (Some(a), Some(b)) = (self.node_of_start(first), self.node_of_start(then))
            && a != b
        {
            self.links[link_idx as usize].relation = Relation::NONE;
            return;
        }
        let first_rsc = self.a(first).rsc;
        if relation.has(Relation::THEN_CANCELS_FIRST)
            && first_rsc.is_some()
            && !self.is(then, Flags::OPTIONAL)
        {
            self.set(first, Flags::OPTIONAL);
            if let (Task::Reload, Some(rsc)) = (&self.a(first).task, first_rsc) {
                self.rsc[rsc.i()].reload = false;
            }
        }
        let representative = self.representative(first, then);
        if representative != first {
            if self.link(representative, then, relation) {
                self.links[link_idx as usize].relation = Relation::NONE;
                self.changed.then = true;
            }
            return;
        }
        let first_flags = self.flags_for_order(first, then);
        let then_flags = self.flags_for_order(then, first);
        self.apply_relation(link_idx, first_flags, then_flags, n_possible);
    }

    /// Whether nothing can follow from a link. Of a mere order between primitives' actions nothing ever does, and of others
    /// little as long as neither action has to be done and both can be: in a cluster at rest that is true of nearly all.
    fn has_no_consequence(&self, link: u32) -> bool {
        let even_so = Relation::IF_SAME_NODE
            | Relation::STEP_OF_MIGRATION
            | Relation::FIRST_FORCES_THEN_THERE
            | Relation::ENOUGH_OF_FIRST;
        let link = &self.links[link as usize];
        if link.relation == Relation::NONE {
            return true;
        }
        let (first, then) = (self.a(link.first), self.a(link.then));
        let neither_matters = Flags::OPTIONAL.with(Flags::RUNNABLE);
        let is_primitive = |rsc: Option<RscIdx>| rsc.is_some_and(|rsc| self.r(rsc).is_primitive());
        let is_settled = || {
            first.flags.has(neither_matters)
                && then.flags.has(neither_matters)
                && !link.relation.has_any(even_so)
        };
        (link.relation == Relation::ORDERED || is_settled())
            && is_primitive(first.rsc)
            && is_primitive(then.rsc)
    }

    /// Where an action happens; a group's start happens where its members are.
    fn node_of_start(&self, action: ActIdx) -> Option<NodeIdx> {
        let is_group_start = self.a(action).task == Task::Start;
        match self.a(action).rsc.filter(|&rsc| is_group_start && self.r(rsc).is_group()) {
            Some(group) => self.location(group, false),
            None => self.a(action).node,
        }
    }

    /// For other resources, a collective's action is over when all its instances are done (and have been notified).
    fn representative(&self, first: ActIdx, then: ActIdx) -> ActIdx {
        let (Some(first_rsc), Some(then_rsc)) = (self.a(first).rsc, self.a(then).rsc) else { return first };
        if first_rsc == then_rsc || self.is_parent(then_rsc, first_rsc) || self.r(first_rsc).is_primitive() {
            return first;
        }
        let Key::Op(task, 0) = &self.a(first).key else { return first };
        let is_known = matches!(
            task,
            Task::Start
                | Task::Started
                | Task::Stop
                | Task::Stopped
                | Task::Promote
                | Task::Promoted
                | Task::Demote
                | Task::Demoted
        );
        if !is_known {
            return first;
        }
        let done = task.completion();
        // A bundle has no notifications of its own; asking for them there means that its actions stand for themselves.
        let is_in_bundle = self.r(self.status.root_of(first_rsc)).is_bundle();
        let waits_for_notification =
            self.notifies(first_rsc) && (self.r(first_rsc).is_clone() || is_in_bundle);
        let key = if waits_for_notification { Key::Notify(Moment::PostDone, done) } else { Key::once(done) };
        self.find_key(first_rsc, key).unwrap_or(first)
    }

    /// Flags as an order with `other` sees them. Of a clone's action only the instances on the node of `other` matter, and
    /// whether it can be done anywhere.
    fn flags_for_order(&mut self, action: ActIdx, other: ActIdx) -> Flags {
        let flags = self.effective_flags(action, None);
        let is_clone = self.a(action).rsc.is_some_and(|rsc| self.r(rsc).is_clone());
        let Some(node) = is_clone.then(|| self.node_of_start(other)).flatten() else { return flags };
        let there = self.effective_flags(action, Some(node));
        if flags.has(Flags::RUNNABLE) { there.with(Flags::RUNNABLE) } else { there }
    }

    /// Drops links that make no sense: with the guest node's own container, and those that would close a circle of
    /// migrations.
    pub(super) fn drop_invalid_links(&mut self) {
        for then in (0..self.actions.len()).rev() {
            let then = ActIdx(u32::try_from(then).expect("an action's index"));
            for i in 0..self.a(then).before.len() {
                let idx = self.a(then).before[i];
                let link = self.links[idx as usize];
                if link.relation == Relation::NONE {
                    continue;
                }
                let then_rsc = self.a(then).rsc;
                let runs_in_it = self.a(link.first).node.is_some_and(|node| {
                    matches!(self.status.node(node).kind, crate::status::NodeKind::Guest { container, .. } if Some(container) == then_rsc)
                });
                let is_users =
                    !link.relation.has(Relation::EVEN_IN_GUEST) && self.a(link.first).rsc.is_some();
                let closes_circle = link.relation == Relation::IF_SAME_NODE_OR_TARGET
                    && then_rsc.is_some()
                    && self.a(then).task == Task::MigrateTo
                    && self.is_on_circle(then, idx);
                if is_users && runs_in_it {
                    self.note_ignored_order(link.first, then);
                }
                if (is_users && runs_in_it) || closes_circle {
                    self.links[idx as usize].relation = Relation::NONE;
                }
            }
        }
    }

    fn note_ignored_order(&mut self, first: ActIdx, then: ActIdx) {
        let (Some(first), Some(then)) = (self.a(first).rsc, self.a(then).rsc) else { return };
        let note = Note::new(Level::Warning, NoteKind::OrderIgnored { first: self.r(first).id.clone() });
        let note = note.resource(&self.r(then).id);
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// Whether `then` comes, over one of its links, before itself.
    fn is_on_circle(&self, then: ActIdx, link: u32) -> bool {
        let mut seen = vec![false; self.actions.len()];
        let mut to_follow = vec![(then, link)];
        while let Some((after, link)) = to_follow.pop() {
            let first = self.links[link as usize].first;
            if seen[first.i()] || !self.is_input(after, link) {
                continue;
            }
            if first == then {
                return true;
            }
            seen[first.i()] = true;
            to_follow.extend(self.a(first).before.iter().map(|&link| (first, link)));
        }
        false
    }
}
