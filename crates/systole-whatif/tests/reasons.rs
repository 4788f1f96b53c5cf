//! Whatever is not where one would expect it has a reason: over the public scheduler corpus.
//!
//! The corpus lies beside the repository, or where `SYSTOLE_CORPUS` says; without it the test says so and passes.
//! `SYSTOLE_CASE=NAME` looks at one case.

use std::{env, fs, path::PathBuf};
use systole_cib::model::Cib;
use systole_scheduler::{Node, Transition, placement::Detail, plan::Origin, status::NodeKind};
use systole_types::{NodeId, Role, Score, Timestamp};
use systole_whatif::{
    Moment,
    why::{Answer, Asker, Reason, Why},
};

#[test]
fn every_resource_that_will_not_run_has_a_reason_on_every_node() {
    check("instances that will not run", |transition, answer| {
        (!will_run(answer)).then(|| is_explained(transition, answer))
    });
}

#[test]
fn every_node_that_a_resource_is_banned_from_has_a_reason() {
    check("bans", |_, answer| {
        let is_banned = |score: Option<Score>| score.is_none_or(|score| score == Score::MINUS_INFINITY);
        let mut banned = answer.nodes.iter().filter(|part| is_banned(part.score)).peekable();
        banned.peek()?;
        let holds_everywhere = answer.reasons.iter().any(Reason::rules_out);
        Some(holds_everywhere || banned.all(|part| part.reasons.iter().any(Reason::rules_out)))
    });
}

/// Asks about every instance of every case; `is_explained` answers `None` where it has nothing to say.
fn check(what: &str, is_explained: impl Fn(&Transition<'_>, &Answer) -> Option<bool>) {
    let Some(corpus) = corpus() else {
        eprintln!("SKIPPED: no scheduler corpus (set SYSTOLE_CORPUS)");
        return;
    };
    let only = env::var("SYSTOLE_CASE").ok();
    let mut names: Vec<String> = fs::read_dir(corpus.join("xml"))
        .expect("the corpus has xml/")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.strip_suffix(".xml").map(str::to_owned))
        .filter(|name| only.as_ref().is_none_or(|only| only == name))
        .collect();
    names.sort();
    let (mut n_asked, mut unexplained) = (0, Vec::new());
    for name in &names {
        let text =
            fs::read_to_string(corpus.join("xml").join(format!("{name}.xml"))).expect("a readable case");
        let (cib, _) = Cib::parse(&text).expect("well-formed XML");
        let moment = Moment { now: Timestamp(1_767_225_600), origin: Origin::Shown };
        let transition = moment.schedule(&cib, Detail::Scores);
        let asker = Asker::new(&transition);
        for (rsc, _) in transition.status.iter_resources().filter(|(_, rsc)| rsc.is_primitive()) {
            let answer = asker.answer(rsc);
            let Some(is_explained) = is_explained(&transition, &answer) else { continue };
            n_asked += 1;
            if !is_explained {
                if only.is_some() {
                    println!("{answer:#?}");
                }
                unexplained.push(format!("{name}: {}", answer.resource));
            }
        }
    }
    println!("{n_asked} {what}, {} without a reason", unexplained.len());
    assert!(unexplained.is_empty(), "{what} without a reason:\n{}", unexplained.join("\n"));
}

fn is_stuck(answer: &Answer) -> bool {
    answer
        .all_reasons()
        .any(|(_, reason)| matches!(&reason.why, Why::Stuck { task, .. } if &**task == "start"))
}

fn will_run(answer: &Answer) -> bool {
    answer.assigned.is_some() && answer.next_role != Role::Stopped && !is_stuck(answer)
}

/// A reason that holds everywhere, or one for each node.
fn is_explained(transition: &Transition<'_>, answer: &Answer) -> bool {
    let is_told =
        |name: &NodeId| answer.on(name).is_some_and(|part| part.reasons.iter().any(Reason::rules_out));
    let is_for_others = |node: &Node<'_>| {
        matches!(node.kind, NodeKind::Ping) || (node.is_bundle() && answer.on(&node.name).is_none())
    };
    answer.reasons.iter().any(Reason::rules_out)
        || is_stuck(answer)
        || transition.status.nodes.iter().all(|node| is_for_others(node) || is_told(&node.name))
}

fn corpus() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let root = env::var_os("SYSTOLE_CORPUS").map_or(beside, PathBuf::from);
    Some(root.join("scheduler")).filter(|path| path.join("xml").is_dir())
}
