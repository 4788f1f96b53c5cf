//! Scores of the public scheduler corpus: what `crm_simulate --show-scores` prints, line by line.
//!
//! The corpus lies beside the repository, or where `SYSTOLE_CORPUS` says; without it the test says so and passes.
//! `SYSTOLE_CASE=NAME` shows the difference for one case.

#![expect(clippy::disallowed_methods, reason = "the corpus is in files")]

use std::{collections::BTreeMap, env, fs, path::PathBuf};
use systole_cib::model::Cib;
use systole_scheduler::{
    Status,
    placement::{Detail, Placement, assign_in_detail},
};
use systole_types::Timestamp;

#[test]
fn scores_are_those_of_the_corpus() {
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
    let mut different = Vec::new();
    for name in &names {
        let text =
            fs::read_to_string(corpus.join("xml").join(format!("{name}.xml"))).expect("a readable case");
        let expected =
            fs::read_to_string(corpus.join("scores").join(format!("{name}.scores"))).expect("its scores");
        let expected =
            sorted(expected.lines().filter(|line| line.contains(" score ")).map(str::to_owned).collect());
        let actual = std::panic::catch_unwind(|| sorted(scores(&text))).unwrap_or_default();
        if actual != expected {
            if only.is_some() {
                show_difference(&expected, &actual);
            }
            different.push(name.clone());
        }
    }
    println!("scores: {} of {} cases agree", names.len() - different.len(), names.len());
    assert!(different.is_empty(), "these differ: {}", different.join(" "));
}

fn corpus() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let root = env::var_os("SYSTOLE_CORPUS").map_or(beside, PathBuf::from);
    Some(root.join("scheduler")).filter(|path| path.join("xml").is_dir())
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
