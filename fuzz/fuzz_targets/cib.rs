//! A text as a CIB: whatever it says, it is read, checked and planned for, and the plan holds together.

#![no_main]

use libfuzzer_sys::fuzz_target;
use systole_cib::{
    schema::{self, Schema},
    upgrade,
    verify::verify,
    xml::{Document, Style},
};
use systole_graph::{Flaw, check, read_graph, write_graph};
use systole_scheduler::{Overview, schedule};
use systole_types::Timestamp;

fuzz_target!(|text: &str| {
    let Ok(document) = Document::parse(text) else { return };
    let again = Document::parse(document.write(Style::Compact).as_str()).expect("what was written");
    assert!(again == document, "written as it was read");
    let fits = schema::fitting(&document);
    if let Some(newest) = fits.newest() {
        assert_eq!(schema::check(&document, newest), [], "one pass and the other agree");
    } else {
        assert!(!schema::check(&document, Schema::NEWEST).is_empty(), "one pass and the other agree");
    }
    verify(&document);
    let (cib, _) = upgrade::read(&document);
    let transition = schedule(&cib, Timestamp(1_700_000_000));
    let flaws = check(&transition.graph);
    // Orders may go round in a circle; the engine says so and waits for a change.
    let is_bad = |flaw: &&Flaw| matches!(flaw, Flaw::DoubleId(_) | Flaw::MissingInput { .. });
    assert_eq!(flaws.iter().find(is_bad), None);
    read_graph(&write_graph(&transition.graph)).expect("a graph that was written is read");
    Overview::new(&transition.status);
});
