//! Members whose executor is away.
//!
//! Such a member does nothing, but what it runs goes on running: it is neither off nor lost. So the DC plans as if its node
//! were in maintenance. What its history says still counts, nothing of it is started elsewhere, and nothing is planned there.

use super::{Dc, NodeMachine};
use crate::Level;
use std::collections::BTreeSet;
use systole_cib::model::{AttributeSet, Cib, NvPair};
use systole_graph::{Action, ActionId, ActionKind, TransitionGraph};
use systole_types::{ElementId, NodeId, Score};

impl NodeMachine {
    /// Whether a member may run something though its executor is away. One that was booted since, and has attached none,
    /// runs nothing.
    pub(super) fn may_run_without_executor(&self, id: u32, name: &str) -> bool {
        let is_attached = self.replica.ledger.nodes.get(&id).is_some_and(|entry| entry.attached);
        !is_attached && self.replica.has_history(name)
    }

    /// Members for which that is so.
    pub(super) fn without_executor(&self) -> BTreeSet<NodeId> {
        let members = self.group.members().iter();
        let away = members.filter(|(id, name)| self.may_run_without_executor(*id, name));
        away.map(|(_, name)| NodeId::new(name)).collect()
    }

    /// Says for people which members these are, whenever they are others than before.
    pub(super) fn tell_without_executor(&mut self, dc: &mut Dc, away: &BTreeSet<NodeId>) {
        if dc.without_executor == *away {
            return;
        }
        for name in away.difference(&dc.without_executor) {
            let text = format!(
                "the executor of {name} is away: nothing is done there, and what it runs is not started elsewhere. Start the \
                 executor again, or end systoled there if nothing runs there any more"
            );
            self.log(Level::Error, text);
        }
        dc.without_executor.clone_from(away);
    }
}

/// What a CIB is while nothing can be done on some nodes: these are in maintenance, whatever else is said of them.
pub(super) fn in_maintenance(cib: &Cib, nodes: &BTreeSet<NodeId>) -> Cib {
    let mut cib = cib.clone();
    let is_one = |name: &Option<NodeId>| name.as_ref().is_some_and(|name| nodes.contains(name));
    for state in cib.node_states.iter_mut().filter(|state| is_one(&state.name)) {
        state.attributes.push(AttributeSet {
            id: ElementId::new("executor-is-away"),
            score: Score::INFINITY,
            rule: None,
            pairs: vec![NvPair { id: None, name: "maintenance".into(), value: Some("true".into()) }],
        });
    }
    cib
}

/// Leaves out of a plan what these members would have to do, and all that waits for it: a start that waits for a probe there,
/// say. Fencing one of them takes others.
pub(super) fn leave_out(graph: &mut TransitionGraph, members: &BTreeSet<NodeId>) {
    let takes_one = |action: &Action| {
        let member = action.router.as_ref().or(action.node.as_ref().map(|(name, _)| name));
        action.kind != ActionKind::Pseudo
            && &*action.operation != "stonith"
            && member.is_some_and(|member| members.contains(member))
    };
    let actions = graph.synapses.iter().map(|synapse| &synapse.action);
    let mut gone: BTreeSet<ActionId> =
        actions.filter(|action| takes_one(action)).map(|action| action.id).collect();
    loop {
        let stays = |synapse: &&systole_graph::Synapse| !gone.contains(&synapse.action.id);
        let waits = graph.synapses.iter().filter(stays);
        let waits = waits.filter(|synapse| synapse.inputs.iter().any(|input| gone.contains(input)));
        let more: Vec<ActionId> = waits.map(|synapse| synapse.action.id).collect();
        if more.is_empty() {
            break;
        }
        gone.extend(more);
    }
    graph.synapses.retain(|synapse| !gone.contains(&synapse.action.id));
}
