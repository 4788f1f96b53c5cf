//! What has to be told once an action is done. The members keep it in mind, should this engine be gone by then.

use super::{Engine, Run, is_told_anyway, says_something};
use std::collections::{BTreeMap, BTreeSet};
use systole_graph::{Action, ActionId, ActionKind, Synapse, TransitionGraph};

/// Notifications, and what they wait for.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// Resource actions that are not confirmed yet.
    pub after: Vec<Action>,
    /// The notifications.
    pub tell: Vec<Action>,
}

/// Notifications of a graph that wait for the same. Positions are those of synapses.
#[derive(Debug)]
pub(super) struct Group {
    /// Actions, directly or behind pseudo-actions that count as done as soon as all they wait for is.
    waits_for: BTreeMap<ActionId, usize>,
    /// The notifications.
    tell: Vec<usize>,
}

/// The notifications that are sent in any case, once what they tell of is done.
pub(super) fn all_in(graph: &TransitionGraph) -> Vec<Group> {
    let told = |it: &Synapse| is_told_anyway(it) && &*it.action.operation == "notify";
    if !graph.synapses.iter().any(told) {
        return Vec::new();
    }
    let positions: BTreeMap<ActionId, usize> =
        graph.synapses.iter().enumerate().map(|(at, synapse)| (synapse.action.id, at)).collect();
    let mut groups: BTreeMap<BTreeMap<ActionId, usize>, Vec<usize>> = BTreeMap::new();
    for (at, _) in graph.synapses.iter().enumerate().filter(|(_, synapse)| told(synapse)) {
        groups.entry(what_it_waits_for(graph, &positions, at)).or_default().push(at);
    }
    groups.into_iter().map(|(waits_for, tell)| Group { waits_for, tell }).collect()
}

fn what_it_waits_for(
    graph: &TransitionGraph,
    positions: &BTreeMap<ActionId, usize>,
    at: usize,
) -> BTreeMap<ActionId, usize> {
    let is_passed = |synapse: &Synapse| {
        let action = &synapse.action;
        is_told_anyway(synapse) && action.kind == ActionKind::Pseudo && !says_something(action)
    };
    let (mut found, mut seen) = (BTreeMap::new(), BTreeSet::new());
    let mut open = graph.synapses[at].inputs.clone();
    while let Some(id) = open.pop() {
        let Some(at) = positions.get(&id).copied().filter(|_| seen.insert(id)) else { continue };
        match &graph.synapses[at] {
            synapse if is_passed(synapse) => open.extend(&synapse.inputs),
            _ => _ = found.insert(id, at),
        }
    }
    found
}

impl Engine {
    /// The notifications that follow a resource action that is sent. Each is named once in a plan: with the first action that it waits
    /// for, unless it still waits for something else than resource actions then.
    pub fn notices_after(&mut self, id: ActionId) -> Vec<Notice> {
        self.run.as_mut().map(|run| run.notices_after(id)).unwrap_or_default()
    }
}

impl Run {
    fn notices_after(&mut self, id: ActionId) -> Vec<Notice> {
        let is_after = |group: &Group| group.waits_for.contains_key(&id);
        if !self.unnamed.iter().any(is_after) {
            return Vec::new();
        }
        let waiting = self.waiting.iter().map(|(at, _)| self.graph.synapses[*at].action.id);
        let open: BTreeSet<ActionId> = waiting.chain(self.in_flight.keys().copied()).collect();
        let mut notices = Vec::new();
        for group in std::mem::take(&mut self.unnamed) {
            let action = |at: &usize| self.graph.synapses[*at].action.clone();
            let unconfirmed = group.waits_for.iter().filter(|(id, _)| open.contains(id));
            let after: Vec<Action> = unconfirmed.map(|(_, at)| action(at)).collect();
            let is_of_resource = |action: &Action| matches!(action.kind, ActionKind::Resource(_));
            if is_after(&group) && after.iter().all(is_of_resource) {
                notices.push(Notice { after, tell: group.tell.iter().map(action).collect() });
            } else {
                self.unnamed.push(group);
            }
        }
        notices
    }
}
