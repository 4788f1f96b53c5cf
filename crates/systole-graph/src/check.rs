//! The independent check of a graph: what must hold of every plan, whatever led to it.
//!
//! Written against the graph alone. It shares nothing with the scheduler, so a mistake there is not repeated here.

use crate::{
    Action, ActionKind, TransitionGraph,
    circle::{circle, stuck},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Something that must not be in a graph.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flaw {
    /// Two actions with one number.
    DoubleId(u32),
    /// An input that is no action of the graph.
    MissingInput {
        /// The action that waits.
        action: u32,
        /// What it waits for.
        input: u32,
    },
    /// Actions that wait for one another in a circle: each for the one before it, the first for the last.
    Cycle(Vec<String>),
    /// An action that does not wait, not even indirectly, for another that has to be over first.
    Unordered {
        /// Must be over...
        first: String,
        /// ...before this begins.
        then: String,
    },
    /// An instance is started, or goes on running, in two places.
    TwoCopies {
        /// The instance.
        instance: String,
        /// The two starts.
        starts: (String, String),
    },
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DoubleId(id) => write!(f, "two actions have the number {id}"),
            Self::MissingInput { action, input } => {
                write!(f, "action {action} waits for {input}, which is not in the graph")
            }
            Self::Cycle(actions) => {
                write!(f, "each waits for the one before, the first for the last: {}", actions.join(", "))
            }
            Self::Unordered { first, then } => write!(f, "{then} does not wait for {first}"),
            Self::TwoCopies { instance, starts } => {
                write!(f, "{instance} is started twice: {} and {}", starts.0, starts.1)
            }
        }
    }
}

/// Checks that `graph` can be carried out, and that doing so never has an instance active twice.
///
/// An empty answer means: numbers are unique, inputs exist, nothing waits for itself; a start waits for every stop
/// of its instance, a promotion for the start, a stop for the demotion on its node; no instance starts in two places;
/// what ran on a fenced node starts elsewhere only after the fencing.
pub fn check(graph: &TransitionGraph) -> Vec<Flaw> {
    let mut flaws = Vec::new();
    let mut index: BTreeMap<u32, usize> = BTreeMap::new();
    for (at, synapse) in graph.synapses.iter().enumerate() {
        if index.insert(synapse.action.id, at).is_some() {
            flaws.push(Flaw::DoubleId(synapse.action.id));
        }
    }
    let mut inputs: Vec<Vec<usize>> = Vec::with_capacity(graph.synapses.len());
    for synapse in &graph.synapses {
        let known = synapse.inputs.iter().filter_map(|input| {
            let at = index.get(input).copied();
            if at.is_none() {
                flaws.push(Flaw::MissingInput { action: synapse.action.id, input: *input });
            }
            at
        });
        let known = known.collect();
        inputs.push(known);
    }
    if !stuck(&inputs).is_empty() {
        flaws.push(Flaw::Cycle(circle(graph).into_iter().map(describe).collect()));
    }
    if flaws.is_empty() {
        flaws.extend(unsafe_orders(graph, &inputs));
    }
    flaws
}

/// What the graph does with one instance.
#[derive(Default)]
struct Doings {
    starts: Vec<usize>,
    stops: Vec<usize>,
    promotions: Vec<usize>,
    demotions: Vec<usize>,
}

fn unsafe_orders(graph: &TransitionGraph, inputs: &[Vec<usize>]) -> Vec<Flaw> {
    let mut instances: BTreeMap<&str, Doings> = BTreeMap::new();
    let mut fencings: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, synapse) in graph.synapses.iter().enumerate() {
        let action = &synapse.action;
        if is_fencing(action)
            && let Some((node, _)) = &action.node
        {
            fencings.entry(node.as_str()).or_default().push(at);
        }
        let (Some(instance), true) = (instance(action), action.node.is_some()) else { continue };
        let doings = instances.entry(instance).or_default();
        match &*action.operation {
            "start" => doings.starts.push(at),
            "stop" => doings.stops.push(at),
            "promote" => doings.promotions.push(at),
            "demote" => doings.demotions.push(at),
            _ => {}
        }
    }
    let mut must = Vec::new();
    let mut flaws = Vec::new();
    for (instance, doings) in &instances {
        pairs(&mut must, &doings.stops, &doings.starts, |_, _| true);
        pairs(&mut must, &doings.starts, &doings.promotions, |a, b| same_node(graph, a, b));
        pairs(&mut must, &doings.demotions, &doings.stops, |a, b| same_node(graph, a, b));
        for &stop in doings.stops.iter().filter(|&&at| graph.synapses[at].action.kind == ActionKind::Pseudo) {
            let node = graph.synapses[stop].action.node.as_ref().map_or("", |(node, _)| node.as_str());
            let fencings = fencings.get(node).map_or(&[][..], Vec::as_slice);
            pairs(&mut must, fencings, &doings.starts, |_, start| !same_node(graph, stop, start));
        }
        if let [first, .., last] = doings.starts.as_slice() {
            let (first, last) = (&graph.synapses[*first].action, &graph.synapses[*last].action);
            let starts = (describe(first), describe(last));
            flaws.push(Flaw::TwoCopies { instance: (*instance).to_owned(), starts });
        }
    }
    let mut by_then: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    must.into_iter().for_each(|(first, then)| by_then.entry(then).or_default().push(first));
    for (then, firsts) in by_then {
        let before = ancestors(inputs, then);
        for first in firsts.into_iter().filter(|first| !before.contains(first)) {
            let (first, then) = (&graph.synapses[first].action, &graph.synapses[then].action);
            flaws.push(Flaw::Unordered { first: describe(first), then: describe(then) });
        }
    }
    flaws
}

fn pairs(
    must: &mut Vec<(usize, usize)>,
    firsts: &[usize],
    thens: &[usize],
    when: impl Fn(usize, usize) -> bool,
) {
    for &first in firsts {
        must.extend(thens.iter().filter(|&&then| when(first, then)).map(|&then| (first, then)));
    }
}

fn ancestors(inputs: &[Vec<usize>], of: usize) -> BTreeSet<usize> {
    let mut seen = BTreeSet::new();
    let mut open = inputs[of].clone();
    while let Some(at) = open.pop() {
        if seen.insert(at) {
            open.extend(inputs[at].iter().copied());
        }
    }
    seen
}

fn same_node(graph: &TransitionGraph, a: usize, b: usize) -> bool {
    graph.synapses[a].action.node == graph.synapses[b].action.node
}

fn is_fencing(action: &Action) -> bool {
    action.kind == ActionKind::Cluster
        && &*action.operation == "stonith"
        && action.meta("stonith_action") != Some("on")
}

/// The instance that an action of a resource is about, by its full name: the key less operation and interval.
fn instance(action: &Action) -> Option<&str> {
    let key = action.internal_key.as_deref().unwrap_or(&action.key);
    let rest = key.rsplit_once('_')?.0;
    rest.strip_suffix(&*action.operation)?.strip_suffix('_')
}

/// An action as people know it: `RSC_start_0 on NODE`.
pub fn describe(action: &Action) -> String {
    let key = action.internal_key.as_deref().unwrap_or(&action.key);
    match &action.node {
        Some((node, _)) => format!("{key} on {node}"),
        None => key.to_owned(),
    }
}
