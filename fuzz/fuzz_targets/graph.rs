//! A text as a transition graph.

#![no_main]

use libfuzzer_sys::fuzz_target;
use systole_graph::{Flaw, check, read_graph, write_graph};

fuzz_target!(|text: &str| {
    let Ok(graph) = read_graph(text) else { return };
    let flaws = check(&graph);
    let again = read_graph(&write_graph(&graph)).expect("a graph that was written is read");
    // Inputs that are not there cannot be written.
    if !flaws.iter().any(|flaw| matches!(flaw, Flaw::MissingInput { .. } | Flaw::DoubleId(_))) {
        assert_eq!(again, graph);
    }
});
