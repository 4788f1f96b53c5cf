//! Members whose executor is away, and nodes that have left in good order with what they run.
//!
//! Such a node does nothing, but what it runs goes on running: it is neither off nor lost. So the DC plans as if it
//! were in maintenance. What its history says still counts, nothing of it is started elsewhere, and nothing is planned there.
//! One that was booted since runs nothing, and is planned without until its executor is there.

use super::{Dc, NodeMachine};
use crate::{
    Level,
    engine::caution::is_probe,
    message::{Hand, LEVEL_OF_LEFTOVERS, Message, NodeLedger, Perform},
};
use std::collections::BTreeSet;
use systole_cib::model::{AttributeSet, Cib, NvPair};
use systole_graph::{Action, ActionId, ActionKind, TransitionGraph};
use systole_types::{ElementId, NodeId, Score};

impl NodeMachine {
    /// Whether a member may run something though its executor is away.
    pub(super) fn may_run_without_executor(&self, id: u32, name: &str) -> bool {
        !self.has_executor(id) && (self.replica.has_history(name) || self.has_worked(id, name))
    }

    /// Members for which that is so, and nodes that have left with what they run.
    pub(in crate::node) fn without_executor(&self) -> BTreeSet<NodeId> {
        let members = self.group.members().iter();
        let away = members.filter(|(id, name)| self.may_run_without_executor(*id, name));
        let known = self.replica.known_nodes().into_iter();
        let gone =
            known.filter(|(id, name)| !self.group.is_member(*id) && self.replica.has_left_running(*id, name));
        away.map(|(_, name)| NodeId::new(name)).chain(gone.map(|(_, name)| NodeId::new(&name))).collect()
    }

    /// Takes probes out of a plan that nobody could make, and that nothing has to wait for: of a resource that nothing is on record of where
    /// a node has left with what it runs. What it did run is on record, and stays there.
    pub(super) fn spare_probes(&self, graph: &mut TransitionGraph) {
        if self.replica.level < LEVEL_OF_LEFTOVERS {
            return;
        }
        let is_spared = |action: &Action| {
            let (ActionKind::Resource(resource), Some((node, _))) = (&action.kind, &action.node) else {
                return false;
            };
            is_probe(action)
                && action.router.is_none()
                && self.replica.tells_all(node.as_str())
                && !self.replica.knows_of(node.as_str(), resource.id.as_str())
        };
        let actions = graph.synapses.iter().map(|synapse| &synapse.action);
        let spared: BTreeSet<ActionId> =
            actions.filter(|action| is_spared(action)).map(|action| action.id).collect();
        graph.synapses.retain(|synapse| !spared.contains(&synapse.action.id));
        for synapse in &mut graph.synapses {
            synapse.inputs.retain(|input| !spared.contains(input));
        }
    }

    /// Members that were booted since they were last there with an executor, and have attached none. Of one that was not there
    /// before, as after a restart of all daemons, that is not known.
    pub(in crate::node) fn booted_without_executor(&self) -> BTreeSet<NodeId> {
        let members = self.group.members().iter();
        let is_one = |id: u32, name: &str| {
            !self.has_executor(id) && !self.may_run_without_executor(id, name) && self.is_expected(name)
        };
        members.filter(|(id, name)| is_one(*id, name)).map(|(_, name)| NodeId::new(name)).collect()
    }

    /// Whether an answer may come while the members are as they are. An executor that is away gives none: its node is planned around,
    /// and what comes of an operation is known when it is back. Until then the operation is on record as not answered: what
    /// was to be stopped does not count as stopped. Nor does a member answer for a remote node whose connection it does not hold: one that
    /// has left in good order with that connection may be back, as another program without it.
    pub(in crate::node) fn can_be_answered(&self, perform: &Perform) -> bool {
        self.group.is_member(perform.node)
            && self.replica.can_reach(perform)
            && (perform.by != Hand::Executor || self.has_executor(perform.node))
    }

    /// A member's executor is away: nothing of the present plan waits for it.
    pub(in crate::node) fn let_go_of_executor(&mut self, id: u32) {
        let keys = self.replica.asked_of(id, &Hand::Executor);
        self.operations_failed(&keys);
    }

    fn has_executor(&self, id: u32) -> bool {
        self.replica.ledger.nodes.get(&id).is_some_and(|entry| entry.attached)
    }

    /// Whether a member's executor did anything since the node was booted, and the member has not left in good order since. A
    /// history that was forgotten meanwhile, for the sake of a refresh, does not change that.
    fn has_worked(&self, id: u32, name: &str) -> bool {
        let has_results = |entry: &NodeLedger| entry.worked || entry.recorded > 0;
        self.replica.ledger.nodes.get(&id).is_some_and(has_results) && self.is_expected(name)
    }

    fn is_expected(&self, name: &str) -> bool {
        self.replica.node_state(name).is_some_and(|state| state.attr("expected") == Some("member"))
    }

    /// Those of them that are to leave need no plan for that.
    pub(super) fn part_with(&mut self, booted: &BTreeSet<NodeId>) {
        let is_to_leave = |id: u32, name: &str| {
            let is_told = self.replica.ledger.nodes.get(&id).is_some_and(|entry| entry.leaving);
            !is_told && booted.contains(name) && self.replica.attribute(name, "shutdown").is_some()
        };
        let members = self.group.members().iter();
        let leaving: Vec<u32> =
            members.filter(|(id, name)| is_to_leave(*id, name)).map(|(id, _)| *id).collect();
        for node in leaving {
            self.cast(Message::Leave { node });
        }
    }

    /// Says for people which members these are, whenever they are others than before.
    pub(super) fn tell_without_executor(&mut self, dc: &mut Dc, away: &BTreeSet<NodeId>) {
        if dc.without_executor == *away {
            return;
        }
        for name in away.difference(&dc.without_executor) {
            if !self.group.members().iter().any(|(_, member)| member == name.as_str()) {
                let text = format!(
                    "{name} has left with what it runs: that is not started elsewhere until {name} is back. If it is off, confirm that"
                );
                self.log(Level::Warning, text);
                continue;
            }
            let text = format!(
                "the executor of {name} is away: nothing is done there, and what it runs is not started elsewhere. Start the \
                 executor again, or, if nothing runs there any more, end systoled there, which takes two SIGTERMs"
            );
            self.log(Level::Error, text);
        }
        dc.without_executor.clone_from(away);
    }
}

/// Makes of a CIB what it is while nothing can be done on some nodes: these are in maintenance, whatever else is said of them.
pub(super) fn put_in_maintenance(cib: &mut Cib, nodes: &BTreeSet<NodeId>) {
    let is_one = |name: &Option<NodeId>| name.as_ref().is_some_and(|name| nodes.contains(name));
    for state in cib.node_states.iter_mut().filter(|state| is_one(&state.name)) {
        state.attributes.push(AttributeSet {
            id: ElementId::new("executor-is-away"),
            score: Score::INFINITY,
            rule: None,
            pairs: vec![NvPair { id: None, name: "maintenance".into(), value: Some("true".into()) }],
        });
    }
}

/// Makes of a CIB what it is where these nodes run nothing for certain: they are off. Else a node that was lost, and is back
/// before its executor, would have to be fenced.
pub(super) fn take_for_off(cib: &mut Cib, nodes: &BTreeSet<NodeId>) {
    let is_one = |name: &Option<NodeId>| name.as_ref().is_some_and(|name| nodes.contains(name));
    for state in cib.node_states.iter_mut().filter(|state| is_one(&state.name)) {
        state.in_ccm = Some("false".into());
        (state.join, state.expected) = (Some("down".into()), Some("down".into()));
    }
}

/// Leaves out of a plan what these members would have to do, and all that waits for it: a start that waits for a probe there,
/// say. Fencing one of them takes others. That one is not told to leave keeps nobody else, the DC above all, from leaving.
pub(super) fn leave_out(graph: &mut TransitionGraph, members: &BTreeSet<NodeId>) {
    let takes_one = |action: &Action| {
        let member = action.router.as_ref().or(action.node.as_ref().map(|(name, _)| name));
        action.kind != ActionKind::Pseudo
            && &*action.operation != "stonith"
            && member.is_some_and(|member| members.contains(member))
    };
    let is_farewell = |action: &Action| takes_one(action) && &*action.operation == "do_shutdown";
    let farewells = graph.synapses.iter().map(|synapse| &synapse.action).filter(|action| is_farewell(action));
    let farewells: BTreeSet<ActionId> = farewells.map(|action| action.id).collect();
    graph.synapses.retain(|synapse| !farewells.contains(&synapse.action.id));
    for synapse in &mut graph.synapses {
        synapse.inputs.retain(|input| !farewells.contains(input));
    }
    let actions = graph.synapses.iter().map(|synapse| &synapse.action);
    let gone = actions.filter(|action| takes_one(action)).map(|action| action.id).collect();
    take_out(graph, gone);
}

/// Takes actions out of a plan, and all that waits for them.
pub(super) fn take_out(graph: &mut TransitionGraph, mut gone: BTreeSet<ActionId>) {
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
