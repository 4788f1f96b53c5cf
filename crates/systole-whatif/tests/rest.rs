//! Carried out without failures, plans come to rest: over the public scheduler corpus.

use std::collections::BTreeSet;
use systole_cib::xml::Document;
use systole_graph::check;
use systole_scheduler::{placement::Detail, plan::Origin};
use systole_types::Timestamp;
use systole_whatif::{MAX_ROUNDS, Moment, Settled, settle};

/// The cases that do not.
fn listed() -> BTreeSet<&'static str> {
    let lines = include_str!("restless.txt").lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.split_once(':').expect("a name and a reason").0).collect()
}

#[test]
fn carried_out_without_failures_the_corpus_comes_to_rest() {
    let moment = Moment { now: Timestamp(1_767_225_600).into(), origin: Origin::Shown };
    let (mut rounds, mut wrong, mut n_never) = ([0; MAX_ROUNDS], Vec::new(), 0);
    let mut listed = listed();
    let cases = systole_reference::scheduler_cases();
    for case in &cases {
        let name = &case.name;
        let mut document = Document::parse(case.text("xml")).expect("well-formed XML");
        let mut flaws = Vec::new();
        let settled = settle(&mut document, moment, Detail::Result, &mut |transition| {
            flaws.extend(check(&transition.graph));
        });
        let is_listed = listed.remove(name.as_str());
        match settled {
            _ if !flaws.is_empty() => wrong.push(format!("{name}: {flaws:?}")),
            Settled::AtRest(_) if is_listed => {
                wrong.push(format!("{name} comes to rest: take it off the list"))
            }
            Settled::AtRest(n) => rounds[n] += 1,
            _ if is_listed => n_never += 1,
            other => wrong.push(format!("{name}: {other:?}")),
        }
    }
    println!("at rest after so many rounds: {rounds:?}; {n_never} never");
    if systole_reference::chosen().is_none() && !cases.is_empty() {
        assert!(listed.is_empty(), "listed, but there are no such cases: {listed:?}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
