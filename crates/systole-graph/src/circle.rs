//! Actions that wait for one another in a circle: none of them can ever begin.

use crate::{Action, TransitionGraph};
use std::collections::{BTreeMap, VecDeque};

/// A shortest circle through some action that waits for itself, in sequence: each waits for the one before it, and the
/// first for the last. Empty where everything can be carried out. Takes time in proportion to the graph.
pub fn circle(graph: &TransitionGraph) -> Vec<&Action> {
    let index: BTreeMap<u32, usize> =
        graph.synapses.iter().enumerate().map(|(at, synapse)| (synapse.action.id, at)).collect();
    let inputs: Vec<Vec<usize>> = graph
        .synapses
        .iter()
        .map(|synapse| synapse.inputs.iter().filter_map(|input| index.get(input).copied()).collect())
        .collect();
    let Some(&first) = stuck(&inputs).first() else { return Vec::new() };
    let mut is_stuck = vec![false; inputs.len()];
    stuck(&inputs).into_iter().for_each(|at| is_stuck[at] = true);
    // Whatever is stuck waits for something stuck: going back ends in a circle.
    let mut seen = vec![false; inputs.len()];
    let mut at = first;
    while !seen[at] {
        seen[at] = true;
        at = inputs[at].iter().copied().find(|&input| is_stuck[input]).unwrap_or(at);
    }
    shortest_way_back(&inputs, at).into_iter().map(|at| &graph.synapses[at].action).collect()
}

/// Actions left over when all that can ever fire has fired.
pub fn stuck(inputs: &[Vec<usize>]) -> Vec<usize> {
    let mut waiting: Vec<usize> = inputs.iter().map(Vec::len).collect();
    let mut successors: Vec<Vec<usize>> = vec![Vec::new(); inputs.len()];
    for (then, firsts) in inputs.iter().enumerate() {
        firsts.iter().for_each(|&first| successors[first].push(then));
    }
    let mut ready: Vec<usize> = (0..inputs.len()).filter(|&at| waiting[at] == 0).collect();
    while let Some(first) = ready.pop() {
        for &then in &successors[first] {
            waiting[then] -= 1;
            if waiting[then] == 0 {
                ready.push(then);
            }
        }
    }
    (0..inputs.len()).filter(|&at| waiting[at] > 0).collect()
}

/// From an action over what it waits for to itself, turned round.
fn shortest_way_back(inputs: &[Vec<usize>], to: usize) -> Vec<usize> {
    let mut came_from: BTreeMap<usize, usize> = BTreeMap::new();
    let mut open = VecDeque::from([to]);
    while let Some(at) = open.pop_front() {
        for &input in &inputs[at] {
            if input == to {
                let back = std::iter::successors(Some(at), |at| came_from.get(at).copied());
                return back.collect();
            }
            if let std::collections::btree_map::Entry::Vacant(entry) = came_from.entry(input) {
                entry.insert(at);
                open.push_back(input);
            }
        }
    }
    Vec::new()
}
