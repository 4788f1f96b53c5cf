//! A text as a transition graph.

#![no_main]

use libfuzzer_sys::fuzz_target;
use systole_graph::{check, read_graph, write_graph};

fuzz_target!(|text: &str| {
    let Ok(graph) = read_graph(text) else { return };
    check(&graph);
    let again = read_graph(&write_graph(&graph)).expect("a graph that was written is read");
    assert_eq!(again, graph);
});
