//! Every case of the scheduler corpus: the graph is compared with the one Pacemaker makes.
//!
//! Three levels: actions (L1), what waits for what (L2), and what actions are told (L3).

use std::collections::{BTreeMap, BTreeSet};
use systole_cib::model::Cib;
use systole_graph::{Action, ActionKind, TransitionGraph, check, read_graph};
use systole_scheduler::{placement::Detail, plan::Origin, rules, schedule_in_detail};
use systole_types::Timestamp;

/// What tells an action from others, whatever its number.
type Name = (u8, String, String, Option<String>);

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

#[test]
fn graphs_are_those_that_pacemaker_makes() {
    let mut wrong = Vec::new();
    for case in systole_reference::scheduler_cases() {
        let name = &case.name;
        let (cib, _) = Cib::parse(&case.text("xml")).unwrap_or_else(|error| panic!("{name}: {error}"));
        let given = case.moment.as_ref().map(|text| {
            rules::parse_date_time(text, Timestamp(0), 0).expect("the manifest has dates that can be read")
        });
        let now = given.or(cib.execution_date).unwrap_or(Timestamp(1_780_000_000));
        let ours = schedule_in_detail(&cib, now, Detail::Result, Origin::Shown).graph;
        let flaws: Vec<String> = check(&ours).iter().map(ToString::to_string).collect();
        assert!(flaws.is_empty(), "{name}: {flaws:#?}");
        let expected = read_graph(&case.text("exp")).expect("well formed");
        let failed = failed_levels(&expected, &ours);
        if !failed.is_empty() {
            wrong.push(format!("{name}: {}", failed.join(" ")));
        }
    }
    assert!(wrong.is_empty(), "these differ, at these levels:\n{}", wrong.join("\n"));
}
