//! The plan while it is being made: actions, links between them, and what planning itself finds out about nodes and resources.

use super::{
    action::{ActIdx, Action, Flags, Reason},
    find::{ActionsOf, Known},
    relation::{End, Link, Order, Relation},
    task::{Key, Task, TaskNames},
};
use crate::{
    Node, NodeIdx, Note, RscIdx, Status,
    placement::Placement,
    status::{Requires, Resource},
};
use std::{collections::BTreeMap, sync::Arc};
use systole_types::Role;

/// For so many actions room is made beforehand at most.
const MAX_RESERVED: usize = 100_000;

/// What planning finds out about a resource beside its status.
#[derive(Clone, Copy, Debug, Default)]
pub struct RscState {
    /// Needs recovery.
    pub failed: bool,
    /// ...by being stopped.
    pub stop_if_failed: bool,
    /// A start is due even if nothing changes.
    pub start_pending: bool,
    /// Will be reloaded.
    pub reload: bool,
    /// Is being taken down and up again.
    pub restarting: bool,
    /// Is stopped only where it should not be.
    pub stop_unexpected: bool,
    /// Managed; nothing is without fencing where that is required.
    pub managed: bool,
    /// A partial migration is carried on with.
    pub partial_migration: Option<(NodeIdx, NodeIdx)>,
    /// A clone's instances are in the order of their numbers again: a probe for them was thought of.
    pub is_by_number: bool,
}

/// What planning finds out about a node beside its status.
#[derive(Clone, Copy, Debug, Default)]
pub struct NodeState {
    /// Can be reached (remote and guest nodes: their connection runs, or will run).
    pub online: bool,
    /// Needs fencing.
    pub unclean: bool,
    /// Is leaving.
    pub shutdown: bool,
    /// A remote or guest node whose connection has to be reset.
    pub reset: bool,
}

/// The plan while it is being made.
pub struct Draft<'s, 'a> {
    /// What is true.
    pub status: &'s Status<'a>,
    /// Where each instance should run.
    pub placement: &'s Placement,
    /// ...as far as orders leave it so.
    pub assigned: Vec<Option<NodeIdx>>,
    /// What orders have taken off its node again.
    pub(super) taken_back: Vec<(RscIdx, NodeIdx)>,
    /// Role after the transition.
    pub next_role: Vec<Role>,
    /// Resources, as planning finds them.
    pub rsc: Vec<RscState>,
    /// Whether places count: until then resources are as configured, and nodes as they are.
    pub is_placed: bool,
    /// Nodes, as planning finds them.
    pub node: Vec<NodeState>,
    /// All actions, in the order made.
    pub actions: Vec<Action>,
    /// All links.
    pub links: Vec<Link>,
    /// Orders that wait for their actions.
    pub orders: Vec<Order>,
    /// Actions of each resource, in the order made.
    pub(super) by_rsc: Vec<ActionsOf>,
    /// Notifications of each clone that wants them.
    pub notifications: BTreeMap<RscIdx, super::notify::CloneNotifications>,
    /// Whether there is a fence device.
    pub have_fencing: bool,
    /// Whether nodes have to be unfenced.
    pub have_unfencing: bool,
    /// Parameters that are nobody else's business may have been taken out of the CIB.
    pub is_sanitized: bool,
    /// What is compared with today's configuration when places are known.
    pub(super) put_off: Vec<super::config::PutOff<'s>>,
    /// What was noticed.
    pub notes: Vec<Note>,
    /// How often propagation may still look at a link: nothing may make it go on for ever.
    pub(super) looks_left: usize,
    /// Resources that need no plan: see [`super::rest`].
    pub left_out: Vec<bool>,
    /// Something has to do with what is left out, after all.
    pub is_overreached: bool,
    /// How many visits are in the middle of one another.
    pub(super) depth: usize,
    /// Work left for propagation.
    pub(super) to_visit: Vec<ActIdx>,
    /// What the relation looked at last has changed.
    pub(super) changed: super::propagate::Changed,
    /// Operations that only an agent knows.
    pub(super) task_names: TaskNames,
    singletons: BTreeMap<Arc<str>, ActIdx>,
}

impl<'s, 'a> Draft<'s, 'a> {
    /// An empty plan for all resources but those `left_out`.
    pub fn new(status: &'s Status<'a>, placement: &'s Placement, left_out: Vec<bool>) -> Self {
        // Memory that is not used in the end costs nothing; growing step by step would copy all actions again and again.
        let n_planned = left_out.iter().filter(|is_left_out| !**is_left_out).count();
        let n_actions = n_planned.saturating_mul(status.nodes.len() + 4).min(MAX_RESERVED);
        let mut draft = Self {
            status,
            placement,
            assigned: placement.assigned.clone(),
            taken_back: Vec::new(),
            next_role: placement.next_role.clone(),
            rsc: status.resources.iter().map(Self::rsc_state).collect(),
            is_placed: false,
            node: Vec::with_capacity(status.nodes.len()),
            actions: Vec::with_capacity(n_actions),
            links: Vec::with_capacity(n_actions),
            orders: Vec::new(),
            by_rsc: vec![ActionsOf::default(); status.resources.len()],
            notifications: BTreeMap::new(),
            have_fencing: status.have_fencing,
            have_unfencing: status.unfencing_in_use,
            is_sanitized: false,
            put_off: Vec::new(),
            notes: Vec::new(),
            looks_left: 0,
            left_out,
            is_overreached: false,
            depth: 0,
            to_visit: Vec::new(),
            changed: super::propagate::Changed::default(),
            task_names: TaskNames::default(),
            singletons: BTreeMap::new(),
        };
        draft.node.extend(status.nodes.iter().map(|node| NodeState {
            online: node.online,
            unclean: node.unclean,
            shutdown: node.shutdown,
            reset: node.remote_requires_reset,
        }));
        draft
    }

    /// From here on resources are managed as tickets and missing fence devices leave them.
    pub fn take_managed(&mut self) {
        for (state, managed) in self.rsc.iter_mut().zip(&self.placement.managed) {
            state.managed = *managed;
        }
    }

    /// From here on nodes are what they will be with their connections where these were assigned. What has been considered so
    /// far has been for nodes as they are.
    pub fn take_outlook(&mut self) {
        self.is_placed = true;
        for ((state, outlook), node) in
            self.node.iter_mut().zip(&self.placement.nodes).zip(&self.status.nodes)
        {
            state.online = outlook.online;
            state.shutdown = outlook.shutdown;
            if outlook.unclean != node.unclean {
                state.unclean = outlook.unclean;
            }
        }
        self.take_managed();
    }

    /// Whether the plan stands: no node was lost in the making, which would concern all that runs there, and nothing came
    /// to what is left out. (Guest nodes that were lost before have been planned with all that runs there.)
    pub fn holds(&self) -> bool {
        let is_lost = |(state, node): (&NodeState, &Node<'_>)| {
            state.reset != node.remote_requires_reset || state.unclean != node.unclean
        };
        !self.is_overreached && !self.node.iter().zip(&self.status.nodes).any(is_lost)
    }

    fn rsc_state(rsc: &Resource<'_>) -> RscState {
        RscState {
            failed: rsc.failed,
            stop_if_failed: rsc.stop_if_failed,
            start_pending: rsc.start_pending,
            managed: rsc.managed,
            partial_migration: rsc.partial_migration,
            ..RscState::default()
        }
    }

    /// A resource's status.
    pub fn r(&self, rsc: RscIdx) -> &'s Resource<'a> {
        &self.status.resources[rsc.i()]
    }

    /// What a group or a clone consists of: instances in the order in which they were assigned or promoted, until a look at
    /// where to probe for them puts them in the order of their numbers. What comes first in the graph and in summaries
    /// depends on it.
    pub fn parts(&self, rsc: RscIdx) -> &'s [RscIdx] {
        let resource = self.r(rsc);
        if resource.is_clone() && !self.rsc[rsc.i()].is_by_number {
            &self.placement.children[rsc.i()]
        } else {
            &resource.children
        }
    }

    /// An action.
    pub fn a(&self, action: ActIdx) -> &Action {
        &self.actions[action.i()]
    }

    /// An action, to change.
    pub fn a_mut(&mut self, action: ActIdx) -> &mut Action {
        &mut self.actions[action.i()]
    }

    /// Whether an action has all these flags.
    pub fn is(&self, action: ActIdx, flags: Flags) -> bool {
        self.actions[action.i()].flags.has(flags)
    }

    /// Sets flags.
    pub fn set(&mut self, action: ActIdx, flags: Flags) {
        let old = self.actions[action.i()].flags;
        self.actions[action.i()].flags = old.with(flags);
    }

    /// Takes flags away.
    pub fn unset(&mut self, action: ActIdx, flags: Flags) {
        let old = self.actions[action.i()].flags;
        self.actions[action.i()].flags = old.without(flags);
    }

    /// Gives a reason, unless there is one and `overwrite` is false.
    pub fn explain(&mut self, action: ActIdx, reason: Reason, overwrite: bool) {
        let action = self.a_mut(action);
        if overwrite || action.reason.is_none() {
            action.reason = Some(reason);
        }
    }

    /// Adds a `CRM_meta_...` attribute, or replaces its value.
    pub fn add_meta(&mut self, action: ActIdx, name: &'static str, value: impl Into<Arc<str>>) {
        let meta = &mut self.a_mut(action).meta;
        match meta.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value.into(),
            None => meta.push((name, value.into())),
        }
    }

    /// A `CRM_meta_...` attribute that was added.
    pub fn added_meta(&self, action: ActIdx, name: &str) -> Option<&str> {
        self.a(action).meta.iter().find(|(known, _)| *known == name).map(|(_, value)| &**value)
    }

    /// The action of `rsc` with this key on `node`, made if there is none. One without a node yet gets this one.
    pub fn action(&mut self, rsc: RscIdx, key: Key, node: Option<NodeIdx>, optional: bool) -> ActIdx {
        let task = match key {
            Key::Op(task, _) => task,
            Key::Notify(..) => Task::Notify,
        };
        self.action_doing(rsc, key, task, node, optional)
    }

    /// As [`Draft::action`], where what is done is not what the key says.
    pub fn action_doing(
        &mut self,
        rsc: RscIdx,
        key: Key,
        task: Task,
        node: Option<NodeIdx>,
        optional: bool,
    ) -> ActIdx {
        self.is_overreached |= self.left_out[rsc.i()];
        let known = self.find(rsc, key, node);
        let action = known.unwrap_or_else(|| self.make(rsc, key, task, node, optional));
        let (has_node, recurs) = (self.a(action).node.is_some(), self.a(action).key.interval_ms() > 0);
        if has_node && !self.is(action, Flags::PSEUDO) && !self.rsc[rsc.i()].managed && !recurs {
            self.set(action, Flags::OPTIONAL);
        } else if !optional {
            self.unset(action, Flags::OPTIONAL);
        }
        self.judge_runnable(action, rsc);
        action
    }

    fn make(&mut self, rsc: RscIdx, key: Key, task: Task, node: Option<NodeIdx>, optional: bool) -> ActIdx {
        let needs = match (task, self.r(rsc).meta.requires) {
            (Task::Start | Task::Promote, Requires::Fencing | Requires::Unfencing) => Requires::Fencing,
            (Task::Start | Task::Promote, Requires::Quorum) => Requires::Quorum,
            _ => Requires::Nothing,
        };
        let mut flags = Flags::RUNNABLE;
        if optional {
            flags = flags.with(Flags::OPTIONAL);
        }
        if task == Task::LrmDelete {
            flags = flags.with(Flags::ON_DC);
        }
        let action = Action { flags, needs, ..Action::new(Some(rsc), key, task, node) };
        let action = self.push(action);
        self.by_rsc[rsc.i()].push(Known { action, key, task, node });
        action
    }

    fn push(&mut self, action: Action) -> ActIdx {
        let idx = ActIdx(u32::try_from(self.actions.len()).expect("fewer than 4 billion actions"));
        self.actions.push(action);
        idx
    }

    /// An action that belongs to no resource, made if there is none of that name.
    pub fn singleton(&mut self, name: &str, task: Task, node: Option<NodeIdx>, flags: Flags) -> ActIdx {
        if let Some(&known) = self.singletons.get(name) {
            return known;
        }
        let name: Arc<str> = name.into();
        let mut action = Action::new(None, Key::once(task), task, node);
        action.flags = flags;
        action.name = Some(name.clone());
        let action = self.push(action);
        self.singletons.insert(name, action);
        action
    }

    /// The action that belongs to no resource, if there is one of that name.
    pub fn find_singleton(&self, name: &str) -> Option<ActIdx> {
        self.singletons.get(name).copied()
    }

    /// A pseudo-action that belongs to no resource and carries its name as its operation.
    pub fn pseudo(&mut self, name: &str) -> ActIdx {
        let flags = Flags::PSEUDO.with(Flags::RUNNABLE).with(Flags::OPTIONAL);
        self.singleton(name, Task::AsNamed, None, flags)
    }

    /// A pseudo-action of a collective.
    pub fn collective_pseudo(&mut self, rsc: RscIdx, task: Task, optional: bool, runnable: bool) -> ActIdx {
        let action = self.action(rsc, Key::once(task), None, optional);
        self.set(action, Flags::PSEUDO);
        if runnable {
            self.set(action, Flags::RUNNABLE);
        }
        action
    }

    /// Links two actions; `false` if they are linked that way already.
    pub fn link(&mut self, first: ActIdx, then: ActIdx, relation: Relation) -> bool {
        if relation == Relation::NONE || first == then {
            return false;
        }
        let (after, before) = (&self.a(first).after, &self.a(then).before);
        let shorter = if after.len() <= before.len() { after } else { before };
        let is_known = shorter.iter().any(|&link| {
            let link = &self.links[link as usize];
            link.first == first && link.then == then && link.made_as.has_any(relation)
        });
        if is_known {
            return false;
        }
        let idx = u32::try_from(self.links.len()).expect("fewer than 4 billion links");
        self.links.push(Link { first, then, relation, made_as: relation });
        self.a_mut(first).after.push(idx);
        self.a_mut(then).before.push(idx);
        true
    }

    /// Orders what may not exist yet.
    pub fn order(&mut self, first: End, then: End, relation: Relation) {
        let is_left_out = |end: &End| matches!(end, End::Key(rsc, _) if self.left_out[rsc.i()]);
        self.is_overreached |= is_left_out(&first) || is_left_out(&then);
        let order = Order { first, then, relation };
        let equivalents = self.migration_equivalents(&order);
        self.orders.push(order);
        self.orders.extend(equivalents);
    }

    /// Orders a task of one resource before a task of another.
    pub fn order_tasks(&mut self, first: (RscIdx, Task), then: (RscIdx, Task), relation: Relation) {
        self.order(End::Key(first.0, Key::once(first.1)), End::Key(then.0, Key::once(then.1)), relation);
    }

    /// What an action does, as text.
    pub fn task_text<'t>(&'t self, action: &'t Action) -> &'t str {
        match &action.name {
            Some(name) if action.task == Task::AsNamed => name,
            _ => self.task_names.text(action.task),
        }
    }

    /// A key as text.
    pub fn key_text(&self, key: Key) -> String {
        match key {
            Key::Op(task, interval) => format!("{}_{interval}", self.task_names.text(task)),
            Key::Notify(moment, task) => {
                format!("{}_notify_{}_0", moment.as_str(), self.task_names.text(task))
            }
        }
    }

    /// The resource of one side of an order.
    pub fn end_rsc(&self, end: &End) -> Option<RscIdx> {
        match end {
            End::Action(action) => self.a(*action).rsc,
            End::Key(rsc, _) => Some(*rsc),
        }
    }

    /// The task of one side of an order.
    pub fn end_task(&self, end: &End) -> Task {
        match *end {
            End::Action(action) => self.a(action).task,
            End::Key(_, Key::Op(task, _)) => task,
            End::Key(_, Key::Notify(..)) => Task::Notify,
        }
    }
}
