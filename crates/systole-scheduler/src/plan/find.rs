//! Looking actions up.

use super::{
    action::ActIdx,
    draft::Draft,
    task::{Key, Task, TaskSet},
};
use crate::{NodeIdx, RscIdx, status::NodeSet};

/// An action of a resource, with what it is looked up by: there are many more look-ups than actions.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub action: ActIdx,
    pub key: Key,
    pub task: Task,
    pub node: Option<NodeIdx>,
}

/// The key of a probe.
const PROBE: Key = Key::once(Task::Monitor);

/// All actions of a resource.
#[derive(Clone, Debug, Default)]
pub(super) struct ActionsOf {
    /// Oldest first.
    all: Vec<ActIdx>,
    /// Those with the key of a probe. There is one for each node, and nearly all look-ups are for something else: they would
    /// have to fetch the probes of a large cluster from memory each time.
    probes: Actions,
    /// Nodes that have a probe.
    probed: NodeSet,
    /// Whether there was a probe of which it was not known on which node it is.
    has_probe_anywhere: bool,
    /// The others.
    others: Actions,
}

/// Some of the actions of a resource, oldest first.
#[derive(Clone, Debug, Default)]
struct Actions {
    list: Vec<Known>,
    /// What their keys say and what they do: most look-ups find nothing, and need not go through them all.
    tasks: TaskSet,
}

impl Actions {
    fn push(&mut self, known: Known) {
        self.tasks.insert(known.key.task());
        self.tasks.insert(known.task);
        self.list.push(known);
    }

    /// Those among which all with this task are, in what they do or in their keys.
    fn with(&self, task: Task) -> &[Known] {
        if self.tasks.may_have(task) { &self.list } else { &[] }
    }
}

impl ActionsOf {
    pub fn push(&mut self, known: Known) {
        self.all.push(known.action);
        if known.key != PROBE {
            self.others.push(known);
            return;
        }
        match known.node {
            Some(node) => _ = self.probed.insert(node),
            None => self.has_probe_anywhere = true,
        }
        self.probes.push(known);
    }

    /// Those among which all with this key are.
    fn with_key(&self, key: Key) -> &[Known] {
        if key == PROBE { &self.probes.list } else { self.others.with(key.task()) }
    }

    /// Those among which all with this key are that are on a node, or may be.
    fn that_may_be(&mut self, key: Key, node: Option<NodeIdx>) -> &mut [Known] {
        match key {
            PROBE => {
                let may_be_on = |node| self.has_probe_anywhere || self.probed.contains(node);
                if node.is_none_or(may_be_on) { &mut self.probes.list } else { &mut [] }
            }
            _ if self.others.tasks.may_have(key.task()) => &mut self.others.list,
            _ => &mut [],
        }
    }
}

impl Draft<'_, '_> {
    /// All actions of `rsc`, oldest first.
    pub fn actions_of(
        &self,
        rsc: RscIdx,
    ) -> impl DoubleEndedIterator<Item = ActIdx> + ExactSizeIterator + '_ {
        self.by_rsc[rsc.i()].all.iter().copied()
    }

    /// Has an action of `rsc` do something else.
    pub fn turn_into(&mut self, rsc: RscIdx, action: ActIdx, task: Task) {
        let all = &mut self.by_rsc[rsc.i()];
        for actions in [&mut all.probes, &mut all.others] {
            if let Some(known) = actions.list.iter_mut().find(|known| known.action == action) {
                known.task = task;
                actions.tasks.insert(task);
            }
        }
        self.a_mut(action).task = task;
    }

    /// How many actions of `rsc` there are.
    pub fn n_actions_of(&self, rsc: RscIdx) -> usize {
        self.by_rsc[rsc.i()].all.len()
    }

    /// The `n`th action of `rsc`.
    pub fn nth_action_of(&self, rsc: RscIdx, n: usize) -> ActIdx {
        self.by_rsc[rsc.i()].all[n]
    }

    /// As [`Draft::actions_of`], for those who change them meanwhile.
    pub fn list_actions_of(&self, rsc: RscIdx) -> Vec<ActIdx> {
        self.actions_of(rsc).collect()
    }

    /// Actions of `rsc` with this key, oldest first. With a `node`, those on it; one without a node gets it.
    pub fn find_all(&mut self, rsc: RscIdx, key: Key, node: Option<NodeIdx>) -> Vec<ActIdx> {
        let mut found = Vec::new();
        self.find_each(rsc, key, node, |action| found.push(action));
        found
    }

    /// The oldest of [`Draft::find_all`].
    pub fn find(&mut self, rsc: RscIdx, key: Key, node: Option<NodeIdx>) -> Option<ActIdx> {
        let mut first = None;
        self.find_each(rsc, key, node, |action| first = first.or(Some(action)));
        first
    }

    fn find_each(&mut self, rsc: RscIdx, key: Key, node: Option<NodeIdx>, mut found: impl FnMut(ActIdx)) {
        let actions = self.by_rsc[rsc.i()].that_may_be(key, node);
        let may_be_on = |there: Option<NodeIdx>| node.is_none() || there.is_none() || there == node;
        for known in actions.iter_mut().filter(|known| may_be_on(known.node) && known.key == key) {
            if let (Some(node), None) = (node, known.node) {
                known.node = Some(node);
                self.actions[known.action.i()].node = Some(node);
            }
            found(known.action);
        }
    }

    /// The next action of `rsc` with this key, with a number. The first `n` are left out: one more than the number that was
    /// given with the action before.
    pub fn find_after(&self, rsc: RscIdx, key: Key, n: usize) -> Option<(usize, ActIdx)> {
        let mut later = self.by_rsc[rsc.i()].with_key(key).iter().enumerate().skip(n);
        later.find(|(_, known)| known.key == key).map(|(n, known)| (n, known.action))
    }

    /// Actions of `rsc` with this key that are known to be on `node`, oldest first.
    pub fn find_on(&self, rsc: RscIdx, key: Key, node: NodeIdx) -> Vec<ActIdx> {
        let known = self.by_rsc[rsc.i()]
            .with_key(key)
            .iter()
            .filter(|known| known.node == Some(node) && known.key == key);
        known.map(|known| known.action).collect()
    }

    /// The latest action of `rsc` with this task, on `node` if one is given.
    pub fn find_task(&self, rsc: RscIdx, task: Task, node: Option<NodeIdx>) -> Option<ActIdx> {
        let is_it = |known: &&Known| known.task == task && (node.is_none() || known.node == node);
        let actions = &self.by_rsc[rsc.i()];
        let latest =
            |actions: &Actions| actions.with(task).iter().rev().find(is_it).map(|known| known.action);
        latest(&actions.probes).max(latest(&actions.others))
    }

    /// The latest action of `rsc` with this key.
    pub fn find_key(&self, rsc: RscIdx, key: Key) -> Option<ActIdx> {
        let known = self.by_rsc[rsc.i()].with_key(key).iter().rev().find(|known| known.key == key);
        known.map(|known| known.action)
    }
}
