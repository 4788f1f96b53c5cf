//! Drawing a graph: the `dot` language of Graphviz, as `crm_simulate --save-dotfile` writes it.

use crate::{Action, ActionKind, TransitionGraph};
use std::{collections::BTreeMap, fmt::Write as _};

/// Writes `graph` for `dot`: an action per node (pseudo-actions orange, others green), an arrow per input.
pub fn to_dot(graph: &TransitionGraph) -> String {
    let names: BTreeMap<u32, String> =
        graph.synapses.iter().map(|s| (s.action.id, name(&s.action))).collect();
    let mut actions: Vec<(&String, &str)> = Vec::new();
    let mut arrows: Vec<(&String, &String)> = Vec::new();
    for synapse in &graph.synapses {
        let to = &names[&synapse.action.id];
        actions.push((to, if synapse.action.kind == ActionKind::Pseudo { "orange" } else { "black" }));
        arrows.extend(synapse.inputs.iter().filter_map(|id| names.get(id)).map(|from| (from, to)));
    }
    actions.sort_unstable();
    arrows.sort_unstable();
    let mut out = String::from(" digraph \"g\" {\n");
    for (from, to) in arrows {
        let _ = writeln!(out, "\"{from}\" -> \"{to}\" [ style = bold]");
    }
    for (name, font) in actions {
        let _ = writeln!(out, "\"{name}\" [ style=bold color=\"green\" fontcolor=\"{font}\"]");
    }
    out.push_str("}\n");
    out
}

/// An action's key and node, escaped for a quoted name.
fn name(action: &Action) -> String {
    let key = action.internal_key.as_ref().unwrap_or(&action.key);
    let text = match &action.node {
        Some((node, _)) => format!("{key} {node}"),
        None => key.to_string(),
    };
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
