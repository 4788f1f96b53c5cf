//! Where the engine waits for more, or for less, than a graph says.

use super::{is_fencing, telling::tell_only_what_is_planned};
use std::collections::{BTreeMap, BTreeSet};
use systole_graph::{Action, ActionId, ActionKind, ResourceRef, TransitionGraph, circle};
use systole_types::NodeId;

/// Makes a graph what the engine carries out.
pub fn amend(graph: &mut TransitionGraph) {
    open_circles(graph);
    promote_after_probes(graph);
    isolate_before_closing(graph);
    tell_only_what_is_planned(graph);
}

/// Has the connection to a remote node that is to be fenced stopped only after that.
///
/// Graphs stop it at once, the incumbent's too: once that is done, nothing says any more that the node has to be fenced, and
/// should the plan be given up before the fencing is confirmed, the next one recovers from it without.
fn isolate_before_closing(graph: &mut TransitionGraph) {
    let actions = graph.synapses.iter().map(|synapse| &synapse.action);
    let fencing = actions.filter(|action| is_fencing(action));
    let to_fence: Vec<(ActionId, NodeId)> =
        fencing.filter_map(|action| Some((action.id, action.node.as_ref()?.0.clone()))).collect();
    if to_fence.is_empty() {
        return;
    }
    let mut followers = followers(graph);
    for (fencing, node) in to_fence {
        for synapse in &mut graph.synapses {
            let is_stop = is_stop_of_connection(&synapse.action, &node);
            if is_stop && !all_after(&followers, synapse.action.id).contains(&fencing) {
                followers.entry(fencing).or_default().push(synapse.action.id);
                synapse.inputs.push(fencing);
                synapse.inputs.sort_unstable();
                synapse.inputs.dedup();
            }
        }
    }
}

/// In a graph that goes round in circles, nothing is stopped only after probes of a guest whose container is to be started:
/// they find nothing, and may themselves wait for the stop.
///
/// Such is the plan for a bundle of which one replica is recovered and another starts that has to be probed, the incumbent's
/// too; it would stay where it is until its next regular check.
fn open_circles(graph: &mut TransitionGraph) {
    if circle(graph).is_empty() {
        return;
    }
    let guests = new_guests(graph);
    let actions = graph.synapses.iter().map(|synapse| &synapse.action);
    let is_new = |node: &NodeId| guests.contains(node);
    let in_vain: BTreeSet<ActionId> = actions
        .filter(|action| is_probe(action) && action.node.as_ref().is_some_and(|(node, _)| is_new(node)))
        .map(|action| action.id)
        .collect();
    for synapse in &mut graph.synapses {
        if matches!(&*synapse.action.operation, "stop" | "stopped" | "demote" | "demoted") {
            synapse.inputs.retain(|input| !in_vain.contains(input));
        }
    }
}

/// A remote node cannot be reached: the stop of its connection, which is broken, need not wait for what was to be done
/// there before. Else it would wait for ever, and the connection could not be recovered.
///
/// This is learnt while the graph is carried out.
pub fn let_go(graph: &mut TransitionGraph, node: &NodeId) {
    let actions = graph.synapses.iter().map(|synapse| &synapse.action);
    let is_there = |action: &&Action| action.node.as_ref().is_some_and(|(name, _)| name == node);
    let there: BTreeSet<ActionId> = actions.filter(is_there).map(|action| action.id).collect();
    for synapse in &mut graph.synapses {
        if is_stop_of_connection(&synapse.action, node) {
            synapse.inputs.retain(|input| !there.contains(input));
        }
    }
}

/// The remote nodes whose connections a graph stops: those that [`let_go`] may be called for with an effect.
pub fn stopped_connections(graph: &TransitionGraph) -> BTreeSet<NodeId> {
    let actions = || graph.synapses.iter().map(|synapse| &synapse.action);
    let nodes: BTreeSet<&NodeId> = actions().filter_map(|action| Some(&action.node.as_ref()?.0)).collect();
    let is_stopped = |node: &&&NodeId| actions().any(|action| is_stop_of_connection(action, node));
    nodes.iter().filter(is_stopped).map(|node| (*node).clone()).collect()
}

/// Whether a resource is the connection to a remote or guest node.
pub fn is_connection(resource: &ResourceRef) -> bool {
    &*resource.kind == "remote" && resource.provider.as_deref() == Some("pacemaker")
}

/// Whether an action ends the connection to a remote node, which goes by the node's name.
fn is_stop_of_connection(action: &Action, node: &NodeId) -> bool {
    matches!(&action.kind, ActionKind::Resource(resource) if resource.id.as_str() == node.as_str())
        && &*action.operation == "stop"
}

/// Guests that are connected to after their containers are started. A guest goes by the name of its connection.
fn new_guests(graph: &TransitionGraph) -> BTreeSet<NodeId> {
    let starts = || {
        let actions = graph.synapses.iter().map(|synapse| &synapse.action);
        actions.filter(|action| &*action.operation == "start")
    };
    let started: BTreeSet<&str> = starts().filter_map(resource).collect();
    let is_new = |action: &&Action| action.meta("container").is_some_and(|name| started.contains(name));
    starts().filter(is_new).filter_map(resource).map(NodeId::new).collect()
}

/// Has every promotion wait for the probes of the same resource, wherever they are: one of them may find a promoted copy on a
/// node that was cut off, and then the plan is wrong. What is promoted on a remote or guest node waits for all probes on
/// cluster nodes: they may find another container of the guest's name, with a promoted copy in it.
///
/// Graphs do not say so where no copy is to be started, for the incumbent's neither: there a node that comes back brings its
/// history along, here it is probed. A probe that itself waits for the promotion is not waited for.
fn promote_after_probes(graph: &mut TransitionGraph) {
    let is_promotion = |action: &Action| &*action.operation == "promote" && base(action).is_some();
    let n_synapses = graph.synapses.len();
    let promotions: Vec<usize> =
        (0..n_synapses).filter(|at| is_promotion(&graph.synapses[*at].action)).collect();
    if promotions.is_empty() {
        return;
    }
    let mut followers = followers(graph);
    for at in promotions {
        let promotion = &graph.synapses[at].action;
        let (id, resource, is_far) = (promotion.id, base(promotion), promotion.router.is_some());
        let actions = graph.synapses.iter().map(|synapse| &synapse.action);
        let may_tell = |action: &Action| base(action) == resource || is_far && action.router.is_none();
        let probes = actions.filter(|action| is_probe(action) && may_tell(action));
        let mut probes: Vec<ActionId> = probes.map(|action| action.id).collect();
        if probes.is_empty() {
            continue;
        }
        let after = all_after(&followers, id);
        probes.retain(|probe| !after.contains(probe));
        for probe in probes {
            followers.entry(probe).or_default().push(id);
            graph.synapses[at].inputs.push(probe);
        }
        graph.synapses[at].inputs.sort_unstable();
        graph.synapses[at].inputs.dedup();
    }
}

/// Whether an action asks what is so.
pub fn is_probe(action: &Action) -> bool {
    &*action.operation == "monitor"
        && resource(action).is_some()
        && action.meta("interval").is_none_or(|interval| interval == "0")
}

/// The resource that an action is done to.
fn resource(action: &Action) -> Option<&str> {
    match &action.kind {
        ActionKind::Resource(resource) => Some(resource.id.as_str()),
        ActionKind::Pseudo | ActionKind::Cluster => None,
    }
}

/// The same, without the number of the instance.
pub fn base(action: &Action) -> Option<&str> {
    resource(action).map(without_number)
}

/// The id of a resource, of which this may be an instance.
pub fn without_number(id: &str) -> &str {
    id.split_once(':').map_or(id, |(base, _)| base)
}

/// What waits for each action.
pub fn followers(graph: &TransitionGraph) -> BTreeMap<ActionId, Vec<ActionId>> {
    let mut followers: BTreeMap<ActionId, Vec<ActionId>> = BTreeMap::new();
    for synapse in &graph.synapses {
        synapse.inputs.iter().for_each(|input| followers.entry(*input).or_default().push(synapse.action.id));
    }
    followers
}

/// What waits for an action, indirectly too.
pub fn all_after(followers: &BTreeMap<ActionId, Vec<ActionId>>, action: ActionId) -> BTreeSet<ActionId> {
    let mut found = BTreeSet::new();
    let mut open = vec![action];
    while let Some(action) = open.pop() {
        let new = followers.get(&action).into_iter().flatten().filter(|follower| found.insert(**follower));
        open.extend(new);
    }
    found
}
