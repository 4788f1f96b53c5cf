//! Graphs as Pacemaker wrote them: read, written and read again, and checked.

#![expect(clippy::disallowed_methods, reason = "the corpus is in files")]

use std::{env, fs, path::PathBuf};
use systole_graph::{check, read_graph, write_graph};

fn expected_graphs() -> Vec<PathBuf> {
    let root = env::var_os("SYSTOLE_CORPUS").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus")),
        PathBuf::from,
    );
    let Ok(entries) = fs::read_dir(root.join("scheduler/exp")) else {
        eprintln!("SKIPPED: no corpus at {} (set SYSTOLE_CORPUS)", root.display());
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|e| e.path())).collect();
    files.sort();
    files
}

#[test]
fn a_graph_survives_being_written() {
    for file in expected_graphs() {
        let text = fs::read_to_string(&file).expect("readable");
        let graph = read_graph(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let again = read_graph(&write_graph(&graph)).expect("our own output is well formed");
        assert_eq!(graph, again, "{}", file.display());
        for element in ["synapse", "rsc_op", "crm_event", "pseudo_event", "primitive"] {
            let tag = format!("<{element} ");
            let count = |text: &str| text.matches(&tag).count();
            assert_eq!(count(&write_graph(&graph)), count(&text), "<{element}> of {}", file.display());
        }
    }
}

#[test]
fn the_checker_accepts_what_pacemaker_plans() {
    for file in expected_graphs() {
        let text = fs::read_to_string(&file).expect("readable");
        let graph = read_graph(&text).expect("well formed");
        let flaws: Vec<String> = check(&graph).iter().map(ToString::to_string).collect();
        assert!(flaws.is_empty(), "{}: {flaws:#?}", file.display());
    }
}
