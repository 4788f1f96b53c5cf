//! The plan while it is being made: actions, links between them, and what planning itself finds out about nodes and resources.

use super::{
    relation::{End, Link, Order, Relation},
    task::{Key, Task},
};
use crate::{
    NodeIdx, RscIdx, Status,
    placement::Placement,
    status::{NoQuorum, NodeKind, Requires, Resource},
};
use std::{collections::BTreeMap, sync::Arc};
use systole_types::Role;

/// An action's position in [`Draft::actions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActIdx(pub u32);

impl ActIdx {
    /// For vectors that run beside the actions.
    pub const fn i(self) -> usize {
        self.0 as usize
    }
}

/// What is known of an action so far. A set of bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Flags(pub u16);

impl Flags {
    /// Only orders others.
    pub const PSEUDO: Self = Self(1);
    /// Can be done.
    pub const RUNNABLE: Self = Self(1 << 1);
    /// Need not be done.
    pub const OPTIONAL: Self = Self(1 << 2);
    /// Is in the graph even if it need not be done.
    pub const ALWAYS_SHOWN: Self = Self(1 << 3);
    /// Belongs to a live migration, or may be replaced by one.
    pub const MIGRATABLE: Self = Self(1 << 4);
    /// Cleans up after an interrupted migration.
    pub const MIGRATION_ABORT: Self = Self(1 << 5);
    /// A recurring operation that has to be set up anew.
    pub const RESCHEDULE: Self = Self(1 << 6);
    /// Done by the DC itself, wherever its node is.
    pub const ON_DC: Self = Self(1 << 7);
    /// For walks over links: seen.
    pub const VISITED: Self = Self(1 << 8);
    /// Is in the graph.
    pub const IN_GRAPH: Self = Self(1 << 10);

    /// Whether all of `other` are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is set.
    pub const fn has_any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Without `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// Why an action is what it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// As told.
    Text(Arc<str>),
    /// Another action cannot be done, has to be done, or cannot migrate.
    Action(&'static str, ActIdx),
    /// Placed together with this resource.
    ColocatedWith(RscIdx),
}

/// Something that may have to be done.
#[derive(Clone, Debug)]
pub struct Action {
    /// For which resource; `None`: for a node, or for nothing but order.
    pub rsc: Option<RscIdx>,
    /// Tells it apart from others of the resource.
    pub key: Key,
    /// What is done; differs from the key's for `cancel`.
    pub task: Task,
    /// The operation whose configured properties it has: what was to be done when it was made.
    pub made_as: Task,
    /// Its name where there is no resource: `stonith-node1-reboot`.
    pub name: Option<Arc<str>>,
    /// Where.
    pub node: Option<NodeIdx>,
    /// State so far.
    pub flags: Flags,
    /// What has to be before it is done.
    pub needs: Requires,
    /// Synapse priority, if higher than the resource's.
    pub priority: i32,
    /// Why.
    pub reason: Option<Reason>,
    /// How many of its `ENOUGH_OF_FIRST` inputs have to be possible.
    pub enough: u32,
    /// The result that counts as success, where that is not 0.
    pub expected_rc: Option<u8>,
    /// `CRM_meta_...` attributes beyond those of the operation's definition.
    pub meta: Vec<(Arc<str>, Arc<str>)>,
    /// Links to what comes first; positions in [`Draft::links`].
    pub before: Vec<u32>,
    /// Links to what comes after.
    pub after: Vec<u32>,
}

/// An action of a resource, with what it is looked up by: there are many more look-ups than actions.
#[derive(Clone, Debug)]
struct Known {
    action: ActIdx,
    key: Key,
    task: Task,
    node: Option<NodeIdx>,
}

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
    /// Can be reached (remote and guest nodes: their connection will run).
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
    /// Role after the transition.
    pub next_role: Vec<Role>,
    /// Resources, as planning finds them.
    pub rsc: Vec<RscState>,
    /// Nodes, as planning finds them.
    pub node: Vec<NodeState>,
    /// All actions, in the order made.
    pub actions: Vec<Action>,
    /// All links.
    pub links: Vec<Link>,
    /// Orders that wait for their actions.
    pub orders: Vec<Order>,
    /// Actions of each resource, in the order made.
    by_rsc: Vec<Vec<Known>>,
    /// Notifications of each clone that wants them.
    pub notifications: BTreeMap<RscIdx, super::notify::CloneNotifications>,
    /// Whether there is a fence device.
    pub have_fencing: bool,
    /// Whether nodes have to be unfenced.
    pub have_unfencing: bool,
    /// Parameters that are nobody else's business may have been taken out of the CIB.
    pub is_sanitized: bool,
    /// How often propagation may still look at a link: nothing may make it go on for ever.
    pub(super) looks_left: usize,
    /// Work left for propagation.
    pub(super) to_visit: Vec<ActIdx>,
    /// What the relation looked at last has changed.
    pub(super) changed: super::propagate::Changed,
    singletons: BTreeMap<Arc<str>, ActIdx>,
}

impl<'s, 'a> Draft<'s, 'a> {
    /// An empty plan.
    pub fn new(status: &'s Status<'a>, placement: &'s Placement) -> Self {
        let mut draft = Self {
            status,
            placement,
            assigned: placement.assigned.clone(),
            next_role: placement.next_role.clone(),
            rsc: status.resources.iter().map(Self::rsc_state).collect(),
            node: Vec::with_capacity(status.nodes.len()),
            actions: Vec::new(),
            links: Vec::new(),
            orders: Vec::new(),
            by_rsc: vec![Vec::new(); status.resources.len()],
            notifications: BTreeMap::new(),
            have_fencing: status.have_fencing,
            have_unfencing: status.unfencing_in_use,
            is_sanitized: false,
            looks_left: 0,
            to_visit: Vec::new(),
            changed: super::propagate::Changed::default(),
            singletons: BTreeMap::new(),
        };
        draft.node.extend(status.nodes.iter().zip(&placement.nodes).map(|(node, outlook)| NodeState {
            online: outlook.online,
            unclean: outlook.unclean,
            shutdown: outlook.shutdown,
            reset: node.remote_requires_reset,
        }));
        for (state, managed) in draft.rsc.iter_mut().zip(&placement.managed) {
            state.managed = *managed;
        }
        draft
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
    pub fn add_meta(&mut self, action: ActIdx, name: &str, value: impl Into<Arc<str>>) {
        let meta = &mut self.a_mut(action).meta;
        match meta.iter_mut().find(|(known, _)| &**known == name) {
            Some((_, old)) => *old = value.into(),
            None => meta.push((name.into(), value.into())),
        }
    }

    /// A `CRM_meta_...` attribute that was added.
    pub fn added_meta(&self, action: ActIdx, name: &str) -> Option<&str> {
        self.a(action).meta.iter().find(|(known, _)| &**known == name).map(|(_, value)| &**value)
    }

    /// The action of `rsc` with this key on `node`, made if there is none. One without a node yet gets this one.
    pub fn action(&mut self, rsc: RscIdx, key: Key, node: Option<NodeIdx>, optional: bool) -> ActIdx {
        let task = match &key {
            Key::Op(task, _) => task.clone(),
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
        let known = self.find(rsc, &key, node);
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
        let needs = match (&task, self.r(rsc).meta.requires) {
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
        let action = Action { flags, needs, ..Action::new(Some(rsc), key.clone(), task.clone(), node) };
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
        let mut action = Action::new(None, Key::once(task.clone()), task, node);
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
        self.singleton(name, Task::Other(name.into()), None, flags)
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

    /// All actions of `rsc`, oldest first.
    pub fn actions_of(
        &self,
        rsc: RscIdx,
    ) -> impl DoubleEndedIterator<Item = ActIdx> + ExactSizeIterator + '_ {
        self.by_rsc[rsc.i()].iter().map(|known| known.action)
    }

    /// Has an action of `rsc` do something else.
    pub fn turn_into(&mut self, rsc: RscIdx, action: ActIdx, task: Task) {
        if let Some(known) = self.by_rsc[rsc.i()].iter_mut().find(|known| known.action == action) {
            known.task = task.clone();
        }
        self.a_mut(action).task = task;
    }

    /// How many actions of `rsc` there are.
    pub fn n_actions_of(&self, rsc: RscIdx) -> usize {
        self.by_rsc[rsc.i()].len()
    }

    /// The `n`th action of `rsc`.
    pub fn nth_action_of(&self, rsc: RscIdx, n: usize) -> ActIdx {
        self.by_rsc[rsc.i()][n].action
    }

    /// As [`Draft::actions_of`], for those who change them meanwhile.
    pub fn list_actions_of(&self, rsc: RscIdx) -> Vec<ActIdx> {
        self.actions_of(rsc).collect()
    }

    /// Actions of `rsc` with this key, oldest first. With a `node`, those on it; one without a node gets it.
    pub fn find_all(&mut self, rsc: RscIdx, key: &Key, node: Option<NodeIdx>) -> Vec<ActIdx> {
        let mut found = Vec::new();
        self.find_each(rsc, key, node, |action| found.push(action));
        found
    }

    /// The oldest of [`Draft::find_all`].
    pub fn find(&mut self, rsc: RscIdx, key: &Key, node: Option<NodeIdx>) -> Option<ActIdx> {
        let mut first = None;
        self.find_each(rsc, key, node, |action| first = first.or(Some(action)));
        first
    }

    fn find_each(&mut self, rsc: RscIdx, key: &Key, node: Option<NodeIdx>, mut found: impl FnMut(ActIdx)) {
        for known in self.by_rsc[rsc.i()].iter_mut().filter(|known| known.key == *key) {
            if let (Some(node), None) = (node, known.node) {
                known.node = Some(node);
                self.actions[known.action.i()].node = Some(node);
            }
            if node.is_none() || known.node == node {
                found(known.action);
            }
        }
    }

    /// The action of `rsc` with this key that comes after the `n`th action of the resource, and its own number.
    pub fn find_after(&self, rsc: RscIdx, key: &Key, n: usize) -> Option<(usize, ActIdx)> {
        let mut later = self.by_rsc[rsc.i()].iter().enumerate().skip(n);
        later.find(|(_, known)| known.key == *key).map(|(n, known)| (n, known.action))
    }

    /// Actions of `rsc` with this key that are known to be on `node`, oldest first.
    pub fn find_on(&self, rsc: RscIdx, key: &Key, node: NodeIdx) -> Vec<ActIdx> {
        let known = self.by_rsc[rsc.i()].iter().filter(|known| known.node == Some(node) && known.key == *key);
        known.map(|known| known.action).collect()
    }

    /// The latest action of `rsc` with this task, on `node` if one is given.
    pub fn find_task(&self, rsc: RscIdx, task: &Task, node: Option<NodeIdx>) -> Option<ActIdx> {
        let is_it = |known: &&Known| known.task == *task && (node.is_none() || known.node == node);
        self.by_rsc[rsc.i()].iter().rev().find(is_it).map(|known| known.action)
    }

    /// The latest action of `rsc` with this key.
    pub fn find_key(&self, rsc: RscIdx, key: &Key) -> Option<ActIdx> {
        let known = self.by_rsc[rsc.i()].iter().rev().find(|known| known.key == *key);
        known.map(|known| known.action)
    }

    /// Whether an action can be done, by its node and by quorum.
    fn judge_runnable(&mut self, action: ActIdx, rsc: RscIdx) {
        let (flags, node, needs) = (self.a(action).flags, self.a(action).node, self.a(action).needs);
        if flags.has(Flags::PSEUDO) {
            return;
        }
        let Some(node) = node else {
            self.unset(action, Flags::RUNNABLE);
            return;
        };
        let (state, is_guest) = (self.node[node.i()], self.status.node(node).is_guest());
        let on_dc = flags.has(Flags::ON_DC);
        if !on_dc && !state.online && (!is_guest || state.reset) {
            self.unset(action, Flags::RUNNABLE);
            if self.rsc[rsc.i()].managed && self.a(action).task == Task::Stop && !state.unclean {
                self.lose_node(node, "stop is unrunnable", false);
            }
        } else if !on_dc && self.status.node(node).pending {
            self.unset(action, Flags::RUNNABLE);
        } else if needs == Requires::Nothing {
            self.a_mut(action).reason = None;
            if is_guest && !self.can_fence(node) {
                self.unset(action, Flags::RUNNABLE);
            } else {
                self.set(action, Flags::RUNNABLE);
            }
        } else {
            self.judge_by_quorum(action, rsc);
        }
    }

    fn judge_by_quorum(&mut self, action: ActIdx, rsc: RscIdx) {
        let (role, next) = (self.role(rsc), self.next_role[rsc.i()]);
        let policy = match self.status.options.no_quorum {
            _ if self.status.has_quorum => NoQuorum::Ignore,
            NoQuorum::Demote if matches!(role, Role::Promoted | Role::Unpromoted) => {
                if next > Role::Unpromoted {
                    self.next_role[rsc.i()] = Role::Unpromoted;
                }
                NoQuorum::Ignore
            }
            NoQuorum::Demote => NoQuorum::Stop,
            other => other,
        };
        match policy {
            NoQuorum::Stop => {
                self.unset(action, Flags::RUNNABLE);
                self.explain(action, Reason::Text("no quorum".into()), true);
            }
            NoQuorum::Freeze => {
                if !self.is_fully_active(rsc) || next > role {
                    self.unset(action, Flags::RUNNABLE);
                    self.explain(action, Reason::Text("quorum freeze".into()), true);
                }
            }
            _ => self.set(action, Flags::RUNNABLE),
        }
    }

    /// Whether a resource runs on a node that is up and clean, or on one that is unclean and cannot be told from it.
    fn is_fully_active(&self, rsc: RscIdx) -> bool {
        self.r(rsc).running_on.iter().any(|&node| {
            let state = self.node[node.i()];
            state.online || state.unclean || !self.rsc[rsc.i()].managed
        })
    }

    /// Whether `node` can be fenced as things stand.
    pub fn can_fence(&self, node: NodeIdx) -> bool {
        if let NodeKind::Guest { container, .. } = self.status.node(node).kind {
            let hosts = &self.r(container).running_on;
            return hosts.iter().all(|&host| self.node[host.i()].online || self.can_fence(host));
        }
        let options = &self.status.options;
        options.fencing_enabled
            && self.have_fencing
            && (self.status.has_quorum
                || options.no_quorum == NoQuorum::Ignore
                || (self.node[node.i()].online && !self.may_be_elsewhere(node)))
    }

    /// Without quorum, a remote node may have been taken over by another partition if there can be one.
    fn may_be_elsewhere(&self, node: NodeIdx) -> bool {
        if self.status.options.fence_remote_without_quorum {
            return false;
        }
        let NodeKind::Remote { connection: Some(connection) } = self.status.node(node).kind else {
            return false;
        };
        self.placement.allowed[connection.i()].iter().any(|entry| !self.node[entry.node.i()].online)
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
            link.first == first && link.then == then && link.relation.has_any(relation)
        });
        if is_known {
            return false;
        }
        let idx = u32::try_from(self.links.len()).expect("fewer than 4 billion links");
        self.links.push(Link { first, then, relation });
        self.a_mut(first).after.push(idx);
        self.a_mut(then).before.push(idx);
        true
    }

    /// Orders what may not exist yet.
    pub fn order(&mut self, first: End, then: End, relation: Relation) {
        let order = Order { first, then, relation };
        let equivalents = self.migration_equivalents(&order);
        self.orders.push(order);
        self.orders.extend(equivalents);
    }

    /// Orders a task of one resource before a task of another.
    pub fn order_tasks(&mut self, first: (RscIdx, Task), then: (RscIdx, Task), relation: Relation) {
        self.order(End::Key(first.0, Key::once(first.1)), End::Key(then.0, Key::once(then.1)), relation);
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
        match end {
            End::Action(action) => self.a(*action).task.clone(),
            End::Key(_, Key::Op(task, _)) => task.clone(),
            End::Key(_, Key::Notify(..)) => Task::Notify,
        }
    }

    /// Where a resource runs, with the number of nodes it is active on and of those that are up and clean.
    /// Of several nodes: the source of a migration, else (unless fencing is required) the first one up and clean.
    pub fn active_node(&self, rsc: RscIdx) -> (Option<NodeIdx>, usize, usize) {
        let resource = self.r(rsc);
        let is_happy = |node: NodeIdx| self.node[node.i()].online && !self.node[node.i()].unclean;
        let nodes = &resource.running_on;
        let source = self.rsc[rsc.i()].partial_migration.map(|(source, _)| source);
        let chosen = match source {
            Some(source) => nodes.iter().rfind(|&&node| node == source),
            None if resource.meta.requires >= Requires::Fencing => None,
            None => nodes.iter().find(|&&node| is_happy(node)),
        };
        let n_clean = nodes.iter().filter(|&&node| is_happy(node)).count();
        (chosen.or(nodes.first()).copied(), nodes.len(), n_clean)
    }

    /// Where a resource runs.
    pub fn current_node(&self, rsc: RscIdx) -> Option<NodeIdx> {
        self.active_node(rsc).0
    }

    /// The one node a resource (with all it consists of) is assigned to, or is active on; `None` if there are several.
    pub fn location(&self, rsc: RscIdx, current: bool) -> Option<NodeIdx> {
        let mut place = None;
        self.is_all_in(&mut place, rsc, current).then_some(place).flatten()
    }

    /// Whether a resource is nowhere but in `place`, which the first place found becomes.
    fn is_all_in(&self, place: &mut Option<NodeIdx>, rsc: RscIdx, current: bool) -> bool {
        let resource = self.r(rsc);
        if !resource.children.is_empty() {
            return resource.children.iter().all(|&child| self.is_all_in(place, child, current));
        }
        let nodes = if current { resource.running_on.as_slice() } else { self.assigned[rsc.i()].as_slice() };
        nodes.iter().all(|&node| *place.get_or_insert(node) == node)
    }

    /// The role a resource has, or will have: for collectives the highest of their parts.
    pub fn state(&self, rsc: RscIdx, current: bool) -> Role {
        let resource = self.r(rsc);
        if resource.children.is_empty() {
            return if current { self.role(rsc) } else { self.next_role[rsc.i()] };
        }
        resource.children.iter().map(|&child| self.state(child, current)).max().unwrap_or_default()
    }

    /// Whether a resource, or anything it consists of, is managed.
    pub fn any_managed(&self, rsc: RscIdx) -> bool {
        self.rsc[rsc.i()].managed || self.r(rsc).children.iter().any(|&child| self.any_managed(child))
    }

    /// The top of the tree that `rsc` is in, not going above a bundle's inner resources.
    pub fn top(&self, mut rsc: RscIdx) -> RscIdx {
        while let Some(parent) = self.r(rsc).parent {
            if self.r(parent).is_bundle() {
                break;
            }
            rsc = parent;
        }
        rsc
    }

    /// Whether `ancestor` is above `rsc`.
    pub fn is_parent(&self, mut rsc: RscIdx, ancestor: RscIdx) -> bool {
        while let Some(parent) = self.r(rsc).parent {
            if parent == ancestor {
                return true;
            }
            rsc = parent;
        }
        false
    }

    /// Whether a resource is part of a bundle.
    pub fn is_bundled(&self, rsc: RscIdx) -> bool {
        let mut at = rsc;
        while let Some(parent) = self.r(at).parent {
            at = parent;
        }
        at != rsc && self.r(at).is_bundle()
    }

    /// Whether notifications are wanted.
    pub fn notifies(&self, rsc: RscIdx) -> bool {
        self.r(rsc).meta.notify
    }

    /// Top-level resources by priority, then as configured: the order in which the plan is made.
    pub fn roots(&self) -> Vec<RscIdx> {
        self.placement.order.clone()
    }
}

impl Action {
    fn new(rsc: Option<RscIdx>, key: Key, task: Task, node: Option<NodeIdx>) -> Self {
        Self {
            rsc,
            key,
            made_as: task.clone(),
            task,
            name: None,
            node,
            flags: Flags::default(),
            needs: Requires::Nothing,
            priority: 0,
            reason: None,
            enough: 0,
            expected_rc: None,
            meta: Vec::new(),
            before: Vec::new(),
            after: Vec::new(),
        }
    }
}
