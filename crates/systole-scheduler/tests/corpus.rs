//! Every case of the scheduler corpus: the graph is compared with the one Pacemaker makes.
//!
//! Three levels: actions (L1), what waits for what (L2), and what actions are told (L3). Cases that fail are listed in
//! `not-yet.txt` with the levels they fail; the list may only shrink.

#![expect(clippy::disallowed_methods, reason = "the corpus is in files, and its speed is told")]

use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::PathBuf,
};
use systole_cib::model::Cib;
use systole_graph::{Action, ActionKind, TransitionGraph, check, read_graph};
use systole_scheduler::{placement::Detail, plan::Origin, rules, schedule_in_detail};
use systole_types::Timestamp;

/// What tells an action from others, whatever its number.
type Name = (u8, String, String, Option<String>);

fn corpus() -> Option<PathBuf> {
    let default = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/corpus"));
    let root = env::var_os("SYSTOLE_CORPUS").map_or_else(default, PathBuf::from).join("scheduler");
    if root.join("xml").is_dir() {
        return Some(root);
    }
    eprintln!("SKIPPED: no corpus at {} (set SYSTOLE_CORPUS)", root.display());
    None
}

fn name(action: &Action) -> Name {
    let kind = match action.kind {
        ActionKind::Pseudo => 0,
        ActionKind::Cluster => 1,
        ActionKind::Resource(_) => 2,
    };
    let node = action.node.as_ref().map(|(node, _)| node.to_string());
    (kind, action.operation.to_string(), action.key.to_string(), node)
}

fn actions(graph: &TransitionGraph) -> Vec<Name> {
    let mut names: Vec<Name> = graph.synapses.iter().map(|synapse| name(&synapse.action)).collect();
    names.sort();
    names
}

/// Pairs of actions of which the second waits for the first, directly or not.
fn precedence(graph: &TransitionGraph) -> BTreeSet<(Name, Name)> {
    let index: BTreeMap<u32, usize> =
        graph.synapses.iter().enumerate().map(|(at, synapse)| (synapse.action.id, at)).collect();
    let names: Vec<Name> = graph.synapses.iter().map(|synapse| name(&synapse.action)).collect();
    let mut pairs = BTreeSet::new();
    for (then, synapse) in graph.synapses.iter().enumerate() {
        let mut seen = BTreeSet::new();
        let mut open: Vec<u32> = synapse.inputs.clone();
        while let Some(first) = open.pop() {
            let at = index[&first];
            if seen.insert(at) {
                open.extend(&graph.synapses[at].inputs);
            }
        }
        pairs.extend(seen.into_iter().map(|first| (names[first].clone(), names[then].clone())));
    }
    pairs
}

/// All an action is told, as text.
fn details(graph: &TransitionGraph) -> Vec<(Name, String)> {
    let mut all: Vec<(Name, String)> = graph
        .synapses
        .iter()
        .map(|synapse| {
            let action = &synapse.action;
            let attributes: Vec<_> =
                action.attributes.iter().filter(|(name, _)| &***name != "crm_feature_set").collect();
            let text = format!(
                "{:?} {attributes:?} {:?} {:?} {:?} {:?} {:?} {}",
                action.kind,
                action.about,
                action.router,
                action.downed,
                action.maintenance,
                action.extra,
                synapse.priority
            );
            (name(action), text)
        })
        .collect();
    all.sort();
    all
}

/// Levels at which two graphs differ.
fn failed_levels(expected: &TransitionGraph, ours: &TransitionGraph) -> Vec<&'static str> {
    if actions(expected) != actions(ours) {
        return vec!["L1", "L2", "L3"];
    }
    let mut failed = Vec::new();
    if precedence(expected) != precedence(ours) {
        failed.push("L2");
    }
    if details(expected) != details(ours) {
        failed.push("L3");
    }
    failed
}

/// The moments that some cases are to be scheduled at, from the corpus's manifest.
fn moments(manifest: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for line in manifest.lines().filter(|line| line.contains("\"-t\"")) {
        let words: Vec<&str> = line.split('"').collect();
        if let (Some(case), Some(at)) = (words.get(1), words.iter().position(|word| *word == "-t")) {
            found.insert((*case).to_owned(), words[at + 2].to_owned());
        }
    }
    found
}

fn not_yet() -> BTreeMap<String, String> {
    let list = include_str!("not-yet.txt").lines().filter(|line| !line.starts_with('#'));
    let entries = list.filter_map(|line| line.split_once(' '));
    entries.map(|(case, levels)| (case.to_owned(), levels.trim().to_owned())).collect()
}

#[test]
fn graphs_are_those_that_pacemaker_makes() {
    let Some(root) = corpus() else { return };
    let manifest = fs::read_to_string(root.join("manifest.json")).expect("the corpus has a manifest");
    let moments = moments(&manifest);
    let mut files: Vec<PathBuf> = fs::read_dir(root.join("xml"))
        .expect("readable")
        .map(|entry| entry.expect("readable").path())
        .collect();
    files.sort();
    let mut listed = not_yet();
    let (mut n_cases, mut wrong) = (0, Vec::new());
    for file in files {
        let case = file.file_stem().expect("files have names").to_string_lossy().into_owned();
        let text = fs::read_to_string(&file).expect("readable");
        let (cib, _) = Cib::parse(&text).unwrap_or_else(|error| panic!("{case}: {error}"));
        let given = moments.get(&case).map(|text| {
            rules::parse_date_time(text, Timestamp(0), 0).expect("the manifest has dates that can be read")
        });
        let now = given.or(cib.execution_date).unwrap_or(Timestamp(1_780_000_000));
        let ours = schedule_in_detail(&cib, now, Detail::Result, Origin::Shown).graph;
        let flaws: Vec<String> = check(&ours).iter().map(ToString::to_string).collect();
        assert!(flaws.is_empty(), "{case}: {flaws:#?}");
        let expected =
            fs::read_to_string(root.join(format!("exp/{case}.exp"))).expect("every case has a graph");
        let expected = read_graph(&expected).expect("well formed");
        let failed = failed_levels(&expected, &ours).join(" ");
        n_cases += 1;
        if listed.remove(&case).unwrap_or_default() != failed {
            wrong.push(format!("{case} {failed}"));
        }
    }
    println!("{n_cases} cases, {} of them not yet right", not_yet().len());
    assert!(listed.is_empty(), "listed in not-yet.txt, but there are no such cases: {listed:?}");
    assert!(
        wrong.is_empty(),
        "not as not-yet.txt says (a case without a level passes and has to be taken off the list):\n{}",
        wrong.join("\n")
    );
}
