//! Clusters on which plans once differed from the incumbent's: each as small as the fuzzer could make it.
//!
//! `found/NAME.xml` is the CIB, `found/NAME.txt` what is planned for it. With `SYSTOLE_UPDATE=1` the latter is written anew;
//! where there is an oracle of the reference release (`SYSTOLE_ORACLE`), its plan is compared too.

use std::{env, fmt::Write as _, fs, path::PathBuf};
use systole_fuzz::{
    answer::{Answer, Workplace},
    judge::{self, Level},
};

fn found() -> Vec<PathBuf> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/found");
    let files = fs::read_dir(folder).expect("there is a folder").map(|entry| entry.expect("readable").path());
    let mut files: Vec<PathBuf> =
        files.filter(|file| file.extension().is_some_and(|end| end == "xml")).collect();
    files.sort();
    files
}

/// The answer as text: all that is printed, and of the graph what is not.
fn text(answer: &Answer) -> String {
    let mut text = String::new();
    for (title, lines) in &answer.sections {
        let _ = writeln!(text, "{title}:");
        lines.iter().for_each(|line| {
            let _ = writeln!(text, "  {line}");
        });
    }
    let graph = answer.graph.as_ref().expect("a graph");
    text.push_str("Graph:\n");
    for (name, value) in &graph.properties {
        let _ = writeln!(text, "  {name}={value}");
    }
    for synapse in &graph.synapses {
        let action = &synapse.action;
        let node = action.node.as_ref().map_or(String::new(), |(node, _)| format!(" on {node}"));
        let digests = action.meta("digests_secure").map_or(String::new(), |digests| format!(" {digests}"));
        let _ = writeln!(
            text,
            "  {}{node} priority={} extra={:?} downed={:?}{digests}",
            action.key, synapse.priority, action.extra, action.downed
        );
    }
    text
}

#[test]
fn plans_are_what_they_were_found_to_be() {
    let workplace = Workplace::new("found").expect("a folder for the files");
    let is_update = env::var_os("SYSTOLE_UPDATE").is_some();
    let mut wrong = Vec::new();
    for file in found() {
        let name = file.file_stem().expect("files have names").to_string_lossy().into_owned();
        workplace.put(&fs::read_to_string(&file).expect("readable")).expect("written");
        let ours = text(&workplace.ours());
        let expected = file.with_extension("txt");
        if is_update {
            fs::write(&expected, &ours).expect("written");
        } else if fs::read_to_string(&expected).unwrap_or_default() != ours {
            wrong.push(format!("{name}: now\n{ours}"));
        }
    }
    assert!(wrong.is_empty(), "not as found/NAME.txt says:\n{}", wrong.join("\n"));
}

#[test]
fn the_incumbent_plans_the_same() {
    let Some(oracle) = systole_fuzz::answer::reference_oracle() else { return };
    let workplace = Workplace::new("found-oracle").expect("a folder for the files");
    for file in found() {
        workplace.put(&fs::read_to_string(&file).expect("readable")).expect("written");
        let theirs = workplace.theirs(&oracle).expect("the oracle can be run");
        let differences = judge::compare(&theirs, &workplace.ours());
        // That a plan cannot be carried out is told only where it is the same.
        let differences = differences.iter().filter(|difference| difference.level != Level::Oracle);
        let differences: Vec<String> = differences.map(ToString::to_string).collect();
        assert!(differences.is_empty(), "{}: {differences:#?}", file.display());
    }
}
