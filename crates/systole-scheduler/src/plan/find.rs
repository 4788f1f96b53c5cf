//! Looking actions up.

use super::{
    action::ActIdx,
    draft::Draft,
    task::{Key, Task, TaskSet},
};
use crate::{NodeIdx, RscIdx};

/// An action of a resource, with what it is looked up by: there are many more look-ups than actions.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub action: ActIdx,
    pub key: Key,
    pub task: Task,
    pub node: Option<NodeIdx>,
}

/// All actions of a resource, oldest first.
#[derive(Clone, Debug, Default)]
pub(super) struct ActionsOf {
    all: Vec<Known>,
    /// What their keys say and what they do: most look-ups find nothing, and need not go through them all.
    tasks: TaskSet,
}

impl ActionsOf {
    pub fn push(&mut self, known: Known) {
        self.tasks.insert(known.key.task());
        self.tasks.insert(known.task);
        self.all.push(known);
    }

    /// Those among which all with this task are, in what they do or in their keys.
    fn with(&self, task: Task) -> &[Known] {
        if self.tasks.may_have(task) { &self.all } else { &[] }
    }
}

impl Draft<'_, '_> {
    /// All actions of `rsc`, oldest first.
    pub fn actions_of(
        &self,
        rsc: RscIdx,
    ) -> impl DoubleEndedIterator<Item = ActIdx> + ExactSizeIterator + '_ {
        self.by_rsc[rsc.i()].all.iter().map(|known| known.action)
    }

    /// Has an action of `rsc` do something else.
    pub fn turn_into(&mut self, rsc: RscIdx, action: ActIdx, task: Task) {
        let actions = &mut self.by_rsc[rsc.i()];
        actions.tasks.insert(task);
        if let Some(known) = actions.all.iter_mut().find(|known| known.action == action) {
            known.task = task;
        }
        self.a_mut(action).task = task;
    }

    /// How many actions of `rsc` there are.
    pub fn n_actions_of(&self, rsc: RscIdx) -> usize {
        self.by_rsc[rsc.i()].all.len()
    }

    /// The `n`th action of `rsc`.
    pub fn nth_action_of(&self, rsc: RscIdx, n: usize) -> ActIdx {
        self.by_rsc[rsc.i()].all[n].action
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
        let actions = &mut self.by_rsc[rsc.i()];
        if !actions.tasks.may_have(key.task()) {
            return;
        }
        let may_be_on = |there: Option<NodeIdx>| node.is_none() || there.is_none() || there == node;
        for known in actions.all.iter_mut().filter(|known| may_be_on(known.node) && known.key == key) {
            if let (Some(node), None) = (node, known.node) {
                known.node = Some(node);
                self.actions[known.action.i()].node = Some(node);
            }
            found(known.action);
        }
    }

    /// The action of `rsc` with this key that comes after the `n`th action of the resource, and its own number.
    pub fn find_after(&self, rsc: RscIdx, key: Key, n: usize) -> Option<(usize, ActIdx)> {
        let mut later = self.by_rsc[rsc.i()].with(key.task()).iter().enumerate().skip(n);
        later.find(|(_, known)| known.key == key).map(|(n, known)| (n, known.action))
    }

    /// Actions of `rsc` with this key that are known to be on `node`, oldest first.
    pub fn find_on(&self, rsc: RscIdx, key: Key, node: NodeIdx) -> Vec<ActIdx> {
        let known = self.by_rsc[rsc.i()]
            .with(key.task())
            .iter()
            .filter(|known| known.node == Some(node) && known.key == key);
        known.map(|known| known.action).collect()
    }

    /// The latest action of `rsc` with this task, on `node` if one is given.
    pub fn find_task(&self, rsc: RscIdx, task: Task, node: Option<NodeIdx>) -> Option<ActIdx> {
        let is_it = |known: &&Known| known.task == task && (node.is_none() || known.node == node);
        self.by_rsc[rsc.i()].with(task).iter().rev().find(is_it).map(|known| known.action)
    }

    /// The latest action of `rsc` with this key.
    pub fn find_key(&self, rsc: RscIdx, key: Key) -> Option<ActIdx> {
        let known = self.by_rsc[rsc.i()].with(key.task()).iter().rev().find(|known| known.key == key);
        known.map(|known| known.action)
    }
}
