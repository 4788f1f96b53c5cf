//! Whether two answers are the same, level by level, as the corpus is judged.

use crate::answer::Answer;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};
use systole_graph::{Action, ActionKind, TransitionGraph};

/// A way in which two answers differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// What is compared.
    pub level: Level,
    /// The kind of difference: the same kind often has the same cause.
    pub kind: String,
    /// The difference in full.
    pub text: String,
}

/// What is compared. Earlier ones explain later ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The incumbent fails: there is nothing to compare with.
    Oracle,
    /// We fail.
    L0,
    /// "Current cluster status".
    Status,
    /// Scores (L5).
    L5,
    /// Actions.
    L1,
    /// What waits for what.
    L2,
    /// What actions are told.
    L3,
    /// Attributes of the graph.
    L3h,
    /// "Transition Summary" (a part of L4b).
    Summary,
    /// "Revised Cluster Status".
    L4,
    /// "Executing Cluster Transition" (a part of L4b).
    L4b,
    /// Standard error.
    Complaints,
}

impl Difference {
    fn of_level(level: Level, kind: &str) -> Self {
        Self { level, kind: kind.to_owned(), text: String::new() }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}: {}", self.level, self.kind, self.text)
    }
}

/// What tells an action from others, whatever its number: kind, operation, key, node.
type Name = (&'static str, String, String, String);

fn name(action: &Action) -> Name {
    let kind = match action.kind {
        ActionKind::Pseudo => "pseudo_event",
        ActionKind::Cluster => "crm_event",
        ActionKind::Resource(_) => "rsc_op",
    };
    let node = action.node.as_ref().map_or(String::new(), |(node, _)| node.to_string());
    (kind, action.operation.to_string(), action.key.to_string(), node)
}

fn show(name: &Name) -> String {
    let (kind, _, key, node) = name;
    if node.is_empty() { format!("{kind} {key}") } else { format!("{kind} {key} on {node}") }
}

/// All differences, the most telling first.
pub fn compare(theirs: &Answer, ours: &Answer) -> Vec<Difference> {
    let (theirs_graph, ours_graph) = match (&theirs.graph, &ours.graph) {
        (Ok(theirs), Ok(ours)) => (theirs, ours),
        (Err(failure), _) => return vec![Difference::of_level(Level::Oracle, failure)],
        (_, Err(failure)) => return vec![Difference::of_level(Level::L0, failure)],
    };
    let possible = theirs.failure.is_some().then(|| without_the_impossible(theirs_graph, ours_graph));
    let theirs_graph = possible.as_ref().unwrap_or(theirs_graph);
    let mut found = Vec::new();
    compare_sections(Level::Status, "Current cluster status", theirs, ours, &mut found);
    compare_scores(theirs, ours, &mut found);
    let has_same_actions = compare_actions(theirs_graph, ours_graph, &mut found);
    if has_same_actions {
        compare_precedence(theirs_graph, ours_graph, &mut found);
        compare_details(theirs_graph, ours_graph, &mut found);
    }
    compare_properties(theirs_graph, ours_graph, &mut found);
    match (&theirs.failure, &ours.failure) {
        (None, Some(failure)) => found.insert(0, Difference::of_level(Level::L0, failure)),
        // What comes of a plan that cannot be carried out is no standard.
        (Some(failure), None) if found.is_empty() => found.push(Difference::of_level(Level::Oracle, failure)),
        (Some(_), Some(failure)) if found.is_empty() => {
            found.push(Difference::of_level(Level::Oracle, &format!("as we do: {failure}")));
        }
        _ => {}
    }
    if theirs.failure.is_some() {
        return found;
    }
    compare_sections(Level::Summary, "Transition Summary", theirs, ours, &mut found);
    compare_sections(Level::L4, "Revised Cluster Status", theirs, ours, &mut found);
    compare_sections(Level::L4b, "Executing Cluster Transition", theirs, ours, &mut found);
    compare_complaints(theirs, ours, &mut found);
    found
}

/// `theirs` without what we leave out because it waits for something that is not in the graph (see `docs/deviations.md`).
fn without_the_impossible(theirs: &TransitionGraph, ours: &TransitionGraph) -> TransitionGraph {
    let kept: BTreeSet<Name> = ours.synapses.iter().map(|synapse| name(&synapse.action)).collect();
    let mut possible = theirs.clone();
    loop {
        let ids: BTreeSet<u32> = possible.synapses.iter().map(|synapse| synapse.action.id).collect();
        possible.synapses.retain(|synapse| {
            let is_impossible = !matches!(synapse.action.kind, ActionKind::Cluster)
                && synapse.inputs.iter().any(|input| !ids.contains(input));
            !is_impossible || kept.contains(&name(&synapse.action))
        });
        if possible.synapses.len() == ids.len() {
            return possible;
        }
    }
}

/// What one list has more than the other: "-" theirs, "+" ours.
fn unlike<T: Ord + Clone>(theirs: &[T], ours: &[T]) -> Vec<(char, T)> {
    let mut counts: BTreeMap<&T, i64> = BTreeMap::new();
    theirs.iter().for_each(|item| *counts.entry(item).or_default() -= 1);
    ours.iter().for_each(|item| *counts.entry(item).or_default() += 1);
    let unlike = counts.into_iter().filter(|(_, count)| *count != 0);
    unlike.map(|(item, count)| (if count < 0 { '-' } else { '+' }, item.clone())).collect()
}

fn compare_sections(level: Level, title: &str, theirs: &Answer, ours: &Answer, found: &mut Vec<Difference>) {
    let (theirs, ours) = (theirs.section(title), ours.section(title));
    if theirs == ours {
        return;
    }
    let unlike = unlike(theirs, ours);
    let kind = match unlike.first() {
        None => "sequence".to_owned(),
        Some((sign, line)) => format!("{sign} {}", without_names(line)),
    };
    let mut lines: Vec<String> = unlike.iter().map(|(sign, line)| format!("{sign} {line}")).collect();
    if unlike.is_empty() {
        let first = theirs.iter().zip(ours).position(|(theirs, ours)| theirs != ours).unwrap_or(0);
        lines.push(format!("at line {first}: - {} + {}", theirs[first], ours[first]));
    }
    found.push(Difference { level, kind, text: format!("\n    {}", lines.join("\n    ")) });
}

fn compare_complaints(theirs: &Answer, ours: &Answer, found: &mut Vec<Difference>) {
    let unlike = unlike(&theirs.complaints, &ours.complaints);
    let Some((sign, line)) = unlike.first() else { return };
    let kind = format!("{sign} {}", without_names(line));
    let lines: Vec<String> = unlike.iter().map(|(sign, line)| format!("{sign} {line}")).collect();
    found.push(Difference {
        level: Level::Complaints,
        kind,
        text: format!("\n    {}", lines.join("\n    ")),
    });
}

/// A line less all words with digits: names, numbers.
fn without_names(line: &str) -> String {
    let words = line.split(' ').filter(|word| !word.contains(|c: char| c.is_ascii_digit()));
    words.collect::<Vec<_>>().join(" ")
}

fn compare_scores(theirs: &Answer, ours: &Answer, found: &mut Vec<Difference>) {
    let title = "Assignment Scores";
    let unlike = unlike(theirs.section(title), ours.section(title));
    let Some((_, first)) = unlike.first() else { return };
    let kind = first.split_whitespace().nth(1).unwrap_or_default().trim_end_matches(':').to_owned();
    let kind = if kind.contains("__") || kind.contains("assign") { kind } else { "promotion".to_owned() };
    let lines: Vec<String> = unlike.iter().map(|(sign, line)| format!("{sign} {line}")).collect();
    found.push(Difference { level: Level::L5, kind, text: format!("\n    {}", lines.join("\n    ")) });
}

fn names(graph: &TransitionGraph) -> Vec<Name> {
    graph.synapses.iter().map(|synapse| name(&synapse.action)).collect()
}

fn compare_actions(theirs: &TransitionGraph, ours: &TransitionGraph, found: &mut Vec<Difference>) -> bool {
    let unlike = unlike(&names(theirs), &names(ours));
    for (sign, name) in &unlike {
        let kind = if *sign == '-' { "missing" } else { "extra" };
        let kind = format!("{kind} {} {}", name.0, name.1);
        found.push(Difference { level: Level::L1, kind, text: show(name) });
    }
    unlike.is_empty()
}

/// Pairs of actions of which the second waits for the first, directly or not.
fn precedence(graph: &TransitionGraph) -> BTreeSet<(Name, Name)> {
    let index: BTreeMap<u32, usize> =
        graph.synapses.iter().enumerate().map(|(at, synapse)| (synapse.action.id, at)).collect();
    let names = names(graph);
    let mut pairs = BTreeSet::new();
    for (then, synapse) in graph.synapses.iter().enumerate() {
        let mut seen = BTreeSet::new();
        let mut open: Vec<u32> = synapse.inputs.clone();
        while let Some(first) = open.pop() {
            if let Some(&at) = index.get(&first)
                && seen.insert(at)
            {
                open.extend(&graph.synapses[at].inputs);
            }
        }
        pairs.extend(seen.into_iter().map(|first| (names[first].clone(), names[then].clone())));
    }
    pairs
}

fn compare_precedence(theirs: &TransitionGraph, ours: &TransitionGraph, found: &mut Vec<Difference>) {
    let (theirs, ours) = (precedence(theirs), precedence(ours));
    for (kind, pairs) in [("missing", theirs.difference(&ours)), ("extra", ours.difference(&theirs))] {
        for (first, then) in pairs {
            let kind = format!("{kind} {} then {}", first.1, then.1);
            let text = format!("{} then {}", show(first), show(then));
            found.push(Difference { level: Level::L2, kind, text });
        }
    }
}

/// All an action is told: name and value.
fn details(graph: &TransitionGraph) -> Vec<(Name, String, String)> {
    let mut all = Vec::new();
    for synapse in &graph.synapses {
        let action = &synapse.action;
        let name = name(action);
        let mut tell = |what: &str, value: String| all.push((name.clone(), what.to_owned(), value));
        let told = action.attributes.iter().filter(|(name, _)| &***name != "crm_feature_set");
        told.for_each(|(name, value)| tell(name, value.to_string()));
        tell("resource", format!("{:?}", action.kind));
        tell("about", format!("{:?}", action.about));
        tell("router", format!("{:?}", action.router));
        tell("downed", format!("{:?}", action.downed));
        tell("maintenance", format!("{:?}", action.maintenance));
        tell("internal key", format!("{:?}", action.internal_key));
        tell("element", format!("{:?}", action.extra));
        tell("priority", synapse.priority.to_string());
    }
    all
}

fn compare_details(theirs: &TransitionGraph, ours: &TransitionGraph, found: &mut Vec<Difference>) {
    for (sign, (name, what, value)) in unlike(&details(theirs), &details(ours)) {
        let kind = format!("{what} of {}", name.1);
        let text = format!("{sign} {}: {what}={value}", show(&name));
        found.push(Difference { level: Level::L3, kind, text });
    }
}

fn compare_properties(theirs: &TransitionGraph, ours: &TransitionGraph, found: &mut Vec<Difference>) {
    let of = |graph: &TransitionGraph| {
        let ignored = ["transition_id", "batch-limit", "crm_feature_set"];
        let mut properties = graph.properties.clone();
        properties.retain(|(name, _)| !ignored.contains(&&**name));
        properties
    };
    for (sign, (name, value)) in unlike(&of(theirs), &of(ours)) {
        let text = format!("{sign} {name}={value}");
        found.push(Difference { level: Level::L3h, kind: name.to_string(), text });
    }
}
