//! Graphs as Pacemaker wrote them: read, written and read again, and checked.

use systole_graph::{check, read_graph, write_graph};
use systole_reference::scheduler_cases;

#[test]
fn a_graph_survives_being_written() {
    for case in scheduler_cases() {
        let text = case.text("exp");
        let graph = read_graph(&text).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        let again = read_graph(&write_graph(&graph)).expect("our own output is well formed");
        assert_eq!(graph, again, "{}", case.name);
        for element in ["synapse", "rsc_op", "crm_event", "pseudo_event", "primitive"] {
            let tag = format!("<{element} ");
            let count = |text: &str| text.matches(&tag).count();
            assert_eq!(count(&write_graph(&graph)), count(&text), "<{element}> of {}", case.name);
        }
    }
}

#[test]
fn the_checker_accepts_what_pacemaker_plans() {
    for case in scheduler_cases() {
        let text = case.text("exp");
        let graph = read_graph(&text).expect("well formed");
        let flaws: Vec<String> = check(&graph).iter().map(ToString::to_string).collect();
        assert!(flaws.is_empty(), "{}: {flaws:#?}", case.name);
    }
}
