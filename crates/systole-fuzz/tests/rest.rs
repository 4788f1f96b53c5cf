//! What is at rest is left out of plans, and makes no difference. `cargo xtask fuzz --rest CHANGES` looks at as many clusters as
//! wanted.

use systole_cib::xml::Document;
use systole_fuzz::{
    generate::{self, Family},
    rest::{Verdict, disturb, judge},
};

/// How many of the top-level resources were left out; that the plans differ is a failure.
fn left_out(what: &str, document: &Document) -> usize {
    match judge(document) {
        Verdict::Same { n_left_out, .. } => n_left_out,
        Verdict::Different(how) => panic!("{what}: {how}"),
    }
}

#[test]
fn plans_are_the_same_without_what_is_at_rest() {
    let mut n_left_out = 0;
    for seed in 0..40 {
        generate::life(Family::Classic, seed, 4, &mut |document| {
            n_left_out += left_out(&format!("seed {seed}"), document)
        });
    }
    assert!(n_left_out > 100, "only {n_left_out} top-level resources were left out, all together");
}

/// A guest node is fenced by its container's stop: what runs elsewhere stays left out.
#[test]
fn a_lost_guest_concerns_what_runs_there_alone() {
    let cases = systole_reference::scheduler_cases().into_iter().filter(|case| case.name.contains("bundle"));
    let mut n_lost = 0;
    for case in cases.step_by(4) {
        let document = Document::parse(case.text("xml")).expect("well formed");
        disturb(document, 20, &mut |document| {
            let n_left_out = left_out(&case.name, document);
            let (cib, _) = systole_cib::read(document);
            let status = systole_scheduler::Status::unpack(&cib, systole_fuzz::NOW);
            let is_lost = status.nodes.iter().any(|node| node.is_guest() && node.remote_requires_reset);
            n_lost += usize::from(is_lost && n_left_out > 0);
        });
    }
    assert!(n_lost > 0, "no guest was lost beside something at rest");
}

/// Every tenth corpus case: as it is, at rest, and with a result changed after that.
#[test]
fn corpus_cases_are_planned_the_same_without_what_is_at_rest() {
    let cases: Vec<_> = systole_reference::scheduler_cases().into_iter().step_by(10).collect();
    let mut n_left_out = 0;
    for case in &cases {
        let document = Document::parse(case.text("xml")).expect("well formed");
        disturb(document, 2, &mut |document| n_left_out += left_out(&case.name, document));
    }
    assert!(n_left_out >= cases.len(), "{n_left_out} left out in {} clusters", cases.len());
}
