//! Whatever is not where one would expect it has a reason: over the public scheduler corpus.
//!
//! The corpus lies beside the repository, or where `SYSTOLE_CORPUS` says; without it the test says so and passes.
//! `SYSTOLE_CASE=NAME` looks at one case.

use systole_cib::model::Cib;
use systole_scheduler::{Node, Transition, note::Cause, placement::Detail, plan::Origin, status::NodeKind};
use systole_types::{NodeId, Role, Score, Timestamp};
use systole_whatif::{
    Moment,
    why::{Answer, Asker, NodeAnswer, Reason, Why},
};

#[test]
fn whatever_does_not_run_or_may_not_run_somewhere_has_a_reason() {
    let (mut n_down, mut n_banned, mut unexplained) = (0, 0, Vec::new());
    for case in systole_reference::scheduler_cases() {
        let (cib, _) = Cib::parse(&case.text("xml")).expect("well-formed XML");
        let moment = Moment { now: Timestamp(1_767_225_600).into(), origin: Origin::Shown };
        let transition = moment.schedule(&cib, Detail::Scores);
        let asker = Asker::new(&transition);
        for (rsc, _) in transition.status.iter_resources().filter(|(_, rsc)| rsc.is_primitive()) {
            let answer = asker.answer(rsc);
            let (is_down, is_banned) = (!will_run(&answer), answer.nodes.iter().any(is_ban));
            n_down += usize::from(is_down);
            n_banned += usize::from(is_banned);
            let is_told = (!is_down || is_explained(&transition, &answer))
                && (!is_banned || bans_are_explained(&answer));
            if !is_told {
                if systole_reference::chosen().is_some() {
                    println!("{answer:#?}");
                }
                unexplained.push(format!("{}: {}", case.name, answer.resource));
            }
        }
    }
    println!(
        "{n_down} instances that will not run, {n_banned} that are banned somewhere, {} without a reason",
        unexplained.len()
    );
    assert!(unexplained.is_empty(), "no reason for\n{}", unexplained.join("\n"));
}

fn is_ban(part: &NodeAnswer) -> bool {
    part.score.is_none_or(|score| score == Score::MINUS_INFINITY)
}

fn bans_are_explained(answer: &Answer) -> bool {
    let mut banned = answer.nodes.iter().filter(|part| is_ban(part));
    answer.reasons.iter().any(Reason::rules_out)
        || banned.all(|part| part.reasons.iter().any(Reason::rules_out))
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

/// Where no single reason decides.
#[test]
fn the_scores_that_are_told_add_up_to_the_score() {
    let (mut n_nodes, mut wrong) = (0, Vec::new());
    for case in systole_reference::scheduler_cases() {
        let (cib, _) = Cib::parse(&case.text("xml")).expect("well-formed XML");
        let moment = Moment { now: Timestamp(1_767_225_600).into(), origin: Origin::Shown };
        let transition = moment.schedule(&cib, Detail::Scores);
        let asker = Asker::new(&transition);
        for (rsc, _) in transition.status.iter_resources().filter(|(_, rsc)| rsc.is_primitive()) {
            let answer = asker.answer(rsc);
            // Where a ticket forbids promotion, the answer's score is made of what is told.
            let is_made = |reason: &Reason| {
                matches!(reason.why, Why::Promotion(Score::MINUS_INFINITY, Cause::Ticket { .. }))
            };
            if answer.reasons.iter().any(Reason::rules_out)
                || answer.all_reasons().any(|(_, reason)| is_made(reason))
            {
                continue;
            }
            for part in answer.nodes.iter().filter(|part| !part.reasons.iter().any(Reason::rules_out)) {
                let Some(score) = part.score else { continue };
                let told = part.reasons.iter().filter_map(|reason| match &reason.why {
                    Why::Score(score, _) => Some(*score),
                    _ => None,
                });
                n_nodes += 1;
                if told.fold(Score::ZERO, |sum, score| sum + score) != score {
                    let texts: Vec<String> = part.reasons.iter().map(ToString::to_string).collect();
                    wrong.push(format!(
                        "{}: {} on {}: {score}: {}",
                        case.name,
                        answer.resource,
                        part.node,
                        texts.join("; ")
                    ));
                }
            }
        }
    }
    println!("{n_nodes} scores, {} that do not add up", wrong.len());
    assert!(wrong.is_empty(), "these do not add up:\n{}", wrong.join("\n"));
}
