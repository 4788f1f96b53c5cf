//! Scores of the public scheduler corpus: what `crm_simulate --show-scores` prints, line by line.
//!
//! The corpus lies beside the repository, or where `SYSTOLE_CORPUS` says; without it the test says so and passes.
//! `SYSTOLE_CASE=NAME` shows the difference for one case.

use std::collections::BTreeMap;
use systole_cib::model::Cib;
use systole_scheduler::{
    Status,
    placement::{Detail, Placement, assign_in_detail},
};
use systole_types::Timestamp;

#[test]
fn scores_are_those_of_the_corpus() {
    let cases = systole_reference::scheduler_cases();
    let mut different = Vec::new();
    for case in &cases {
        let expected = case.text("scores");
        let expected =
            sorted(expected.lines().filter(|line| line.contains(" score ")).map(str::to_owned).collect());
        let actual = std::panic::catch_unwind(|| sorted(scores(&case.text("xml")))).unwrap_or_default();
        if actual != expected {
            if systole_reference::chosen().is_some() {
                show_difference(&expected, &actual);
            }
            different.push(case.name.as_str());
        }
    }
    println!("scores: {} of {} cases agree", cases.len() - different.len(), cases.len());
    assert!(different.is_empty(), "these differ: {}", different.join(" "));
}

fn scores(text: &str) -> Vec<String> {
    let (cib, _) = Cib::parse(text).expect("well-formed XML");
    let status = Status::unpack(&cib, Timestamp(1_767_225_600));
    lines(&status, &assign_in_detail(&status, Detail::Scores))
}

fn lines(status: &Status<'_>, placement: &Placement) -> Vec<String> {
    placement.scores.iter().filter(|line| line.is_score()).map(|line| line.text(status)).collect()
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

fn show_difference(expected: &[String], actual: &[String]) {
    let mut counts: BTreeMap<&String, i32> = BTreeMap::new();
    expected.iter().for_each(|line| *counts.entry(line).or_default() -= 1);
    actual.iter().for_each(|line| *counts.entry(line).or_default() += 1);
    for (line, count) in counts.into_iter().filter(|(_, count)| *count != 0) {
        println!("{} {line}", if count < 0 { "-" } else { "+" }.repeat(count.unsigned_abs() as usize));
    }
}
