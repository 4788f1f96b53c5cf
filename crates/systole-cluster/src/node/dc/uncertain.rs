//! Copies that were to be demoted or stopped, and of which nobody knows whether they were.
//!
//! The scheduler goes by the history, which may take such a copy for one that is not promoted: what was on record of its
//! promotion is overwritten by the demotion that is asked for, and an earlier failure may stand beside that. A demotion that failed
//! counts as one that will be recovered by a stop, which nobody can do where the executor is away. So what the DC knows beyond the
//! history counts here: no other copy is promoted, or started in place of that one, unless the plan first stops or
//! fences it. On a remote node, that goes for the time until it is connected to again, too.

use super::{NodeMachine, without_executor::take_out};
use crate::{
    Level,
    engine::caution::{all_after, base, followers, is_connection, without_number},
    message::Hand,
};
use std::collections::{BTreeMap, BTreeSet};
use systole_cib::model::{Cib, HistoryEntry, NodeState};
use systole_graph::{Action, ActionId, ActionKind, TransitionGraph};
use systole_types::{NodeId, OpStatus};

/// A copy of which it is not known whether it was demoted, or stopped.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Uncertain {
    node: String,
    /// Without the number of the instance.
    resource: String,
    /// Whether it was to be stopped.
    is_stop: bool,
}

impl NodeMachine {
    /// Takes out of a plan what is not to be done before it is known what became of such copies. `sorted_out` is of the whole plan, before
    /// anything was left out for want of an executor. Whether that may be known once this plan is carried out: another one has to follow
    /// then, since results that were to come call for none. All else that tells of such a copy does.
    pub(super) fn hold_back_for_uncertain(
        &mut self,
        graph: &mut TransitionGraph,
        cib: &Cib,
        away: &BTreeSet<NodeId>,
        sorted_out: &BTreeSet<NodeId>,
    ) -> bool {
        let n_nodes = self.replica.known_nodes().len();
        let on_record = self.on_record(cib, away, sorted_out);
        let copies: BTreeSet<Uncertain> = self.without_answer().chain(on_record).collect();
        let mut held_for = Vec::new();
        for copy in copies {
            if hold_back(graph, &copy, n_nodes) {
                let Uncertain { node, resource, is_stop } = &copy;
                let done = if *is_stop { "stopped" } else { "demoted" };
                let text = format!(
                    "nothing takes the place of {resource} on {node} before it is known whether that was {done}"
                );
                self.log(Level::Warning, text);
                held_for.push(copy);
            }
        }
        let actions = graph.synapses.iter().map(|synapse| &synapse.action);
        let mut telling = actions.filter(|action| held_for.iter().any(|copy| may_tell_of(action, copy)));
        telling.next().is_some()
    }

    /// By what was asked of executors that are away, or whose node has left, or the one that holds the connection to it.
    fn without_answer(&self) -> impl Iterator<Item = Uncertain> {
        let in_flight = self.replica.ledger.in_flight.values();
        let open =
            in_flight.filter(|perform| perform.by != Hand::Connections && !self.can_be_answered(perform));
        open.filter_map(|perform| {
            let place = self.replica.place(perform.node, &perform.by)?;
            uncertain(&place.name, &perform.operation.resource, &perform.operation.operation)
        })
    }

    /// By demotions and stops that are the last thing on record: those that were given up and not answered since; where nothing can
    /// be done about it, those that failed; and where a plan has yet to find out or make sure what runs, those without an answer, too.
    fn on_record(&self, cib: &Cib, away: &BTreeSet<NodeId>, sorted_out: &BTreeSet<NodeId>) -> Vec<Uncertain> {
        let given_up = &self.replica.ledger.given_up;
        if away.is_empty() && given_up.is_empty() && sorted_out.is_empty() {
            return Vec::new();
        }
        let is_given_up = |entry: &HistoryEntry| {
            entry.magic.as_ref().is_some_and(|magic| given_up.contains(&magic.key.to_string()))
        };
        let mut found = Vec::new();
        for state in &cib.node_states {
            let Some(node) = &state.name else { continue };
            let is_sorted_out = sorted_out.contains(node) && counts_as_there(state);
            let histories = state.history.iter().flatten().filter(|history| !history.is_mere_absence);
            let last = histories.flat_map(|history| {
                let entries = history.operations.iter().filter(|entry| entry.op.id.ends_with("_last_0"));
                entries.map(|entry| (&history.resource, entry))
            });
            let is_open = |entry: &HistoryEntry| {
                has_failed(entry) && (away.contains(node) || is_given_up(entry))
                    || !entry.has_succeeded() && is_sorted_out
            };
            found.extend(
                last.filter(|(_, entry)| is_open(entry)).filter_map(|(resource, entry)| {
                    uncertain(node.as_str(), resource.as_str(), &entry.op.task)
                }),
            );
        }
        found
    }
}

/// Nodes that a plan fences, or, of remote ones, connects to: before, it is not known what runs there.
pub(super) fn sorted_out(graph: &TransitionGraph) -> BTreeSet<NodeId> {
    let actions = graph.synapses.iter().map(|synapse| &synapse.action);
    let found = actions.filter_map(|action| match (&*action.operation, &action.kind) {
        ("stonith", _) => action.node.as_ref().map(|(node, _)| node.clone()),
        ("start", ActionKind::Resource(resource)) if is_connection(resource) => {
            Some(NodeId::new(resource.id.as_str()))
        }
        _ => None,
    });
    found.collect()
}

/// Whether a node is not known to be gone. One that was lost is not; a remote one is from when its connection was stopped.
fn counts_as_there(state: &NodeState) -> bool {
    !state.is_remote || state.in_ccm.as_deref() == Some("true")
}

fn has_failed(entry: &HistoryEntry) -> bool {
    entry.status != OpStatus::Pending && !entry.has_succeeded()
}

/// If that is an operation which takes something away.
fn uncertain(node: &str, resource: &str, operation: &str) -> Option<Uncertain> {
    let is_stop = match operation {
        "demote" => false,
        "stop" => true,
        _ => return None,
    };
    Some(Uncertain { node: node.to_owned(), resource: without_number(resource).to_owned(), is_stop })
}

/// Takes out of a plan for so many nodes what is not to be done before it is known what became of a copy. Whether there was anything.
fn hold_back(graph: &mut TransitionGraph, copy: &Uncertain, n_nodes: usize) -> bool {
    let followers = followers(graph);
    let actions = || graph.synapses.iter().map(|synapse| &synapse.action);
    let settled: BTreeSet<ActionId> = actions()
        .filter(|action| settles(action, copy))
        .flat_map(|action| all_after(&followers, action.id))
        .collect();
    let held = actions().filter(|action| takes_its_place(action, copy, n_nodes));
    let held: BTreeSet<ActionId> =
        held.map(|action| action.id).filter(|action| !settled.contains(action)).collect();
    if held.is_empty() {
        return false;
    }
    let gone = with_what_leads_only_there(graph, &followers, held);
    take_out(graph, gone);
    true
}

/// Whether it is known what a copy is once that is done.
fn settles(action: &Action, copy: &Uncertain) -> bool {
    let is_there = action.node.as_ref().is_some_and(|(node, _)| node.as_str() == copy.node);
    let ends_it = || match &*action.operation {
        "stop" => true,
        "demote" => !copy.is_stop,
        _ => false,
    };
    is_there && (&*action.operation == "stonith" || base(action) == Some(&copy.resource) && ends_it())
}

/// Whether more may be known of a copy once that is done: on its node, with the connection to that, or to what a guest lives in.
fn may_tell_of(action: &Action, copy: &Uncertain) -> bool {
    let is_about_connection = match &action.kind {
        ActionKind::Resource(resource) => is_connection(resource) && resource.id.as_str() == copy.node,
        ActionKind::Pseudo | ActionKind::Cluster => false,
    };
    let is_there = action.node.as_ref().is_some_and(|(node, _)| node.as_str() == copy.node);
    is_there || is_about_connection || action.downed.iter().any(|uuid| uuid.as_str() == copy.node)
}

/// Whether an action must not be done while a copy may still be what it was. A start need not wait where each node has a copy of its
/// own.
fn takes_its_place(action: &Action, copy: &Uncertain, n_nodes: usize) -> bool {
    let has_room = || {
        let n_copies = action.meta("clone_max").and_then(|text| text.parse::<usize>().ok());
        action.meta("globally_unique") == Some("false") && n_copies.is_some_and(|n| n >= n_nodes)
    };
    base(action) == Some(&copy.resource)
        && match &*action.operation {
            "promote" => true,
            "start" => copy.is_stop && !has_room(),
            _ => false,
        }
}

/// Actions, and what would be done for nothing but them: peers are not told of a promotion that does not come, nor is the monitor
/// of an unpromoted copy ended.
fn with_what_leads_only_there(
    graph: &TransitionGraph,
    followers: &BTreeMap<ActionId, Vec<ActionId>>,
    mut gone: BTreeSet<ActionId>,
) -> BTreeSet<ActionId> {
    let is_preparation = |action: &Action| {
        let is_mere_order =
            action.kind == ActionKind::Pseudo && action.downed.is_empty() && action.maintenance.is_empty();
        is_mere_order || matches!(&*action.operation, "notify" | "cancel")
    };
    loop {
        let actions = graph.synapses.iter().map(|synapse| &synapse.action);
        let open = actions.filter(|action| is_preparation(action) && !gone.contains(&action.id));
        let in_vain = open.filter(|action| {
            followers.get(&action.id).is_some_and(|after| after.iter().all(|action| gone.contains(action)))
        });
        let more: Vec<ActionId> = in_vain.map(|action| action.id).collect();
        if more.is_empty() {
            return gone;
        }
        gone.extend(more);
    }
}
