//! Recorded cases of Pacemaker's command lines, where they are present: each passes, or is on the list of those that do
//! not yet. The list only shrinks.

mod support;

use std::{collections::BTreeSet, fs, process::Command};
use support::Place;

const NOT_YET: &str = include_str!("corpus-not-yet.txt");

#[test]
fn recorded_command_lines_do_what_pacemakers_did() {
    let Some(root) = systole_reference::folder("corpus/cli") else { return };
    let place = Place::new();
    let verdicts = place.dir.join("verdicts.json");
    let run = Command::new("python3")
        .arg(root.join("replay.py"))
        .arg(place.tools())
        .arg(&root)
        .arg("--json")
        .arg(&verdicts)
        .output();
    let Ok(run) = run else {
        eprintln!("SKIPPED: the cases are replayed by a Python script, and there is no python3 here");
        return;
    };
    eprintln!("{}", String::from_utf8_lossy(&run.stdout));
    let text = fs::read_to_string(&verdicts).expect("the script wrote its verdicts");
    let verdicts: serde_json::Map<String, serde_json::Value> = serde_json::from_str(&text).expect("JSON");
    let failing: BTreeSet<&str> =
        verdicts.iter().filter(|(_, verdict)| *verdict != "pass").map(|(case, _)| case.as_str()).collect();
    let listed: BTreeSet<&str> =
        NOT_YET.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let worse: Vec<_> = failing.difference(&listed).collect();
    let better: Vec<_> = listed.difference(&failing).collect();
    assert!(worse.is_empty(), "these passed before: {worse:#?}");
    assert!(better.is_empty(), "these pass now, take them off corpus-not-yet.txt: {better:#?}");
}
