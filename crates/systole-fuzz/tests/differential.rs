//! A small batch of random clusters. `cargo xtask fuzz` runs as many as wanted.

use systole_cib::{read, xml::Document};
use systole_fuzz::{
    NOW,
    answer::{Workplace, reference_oracle},
    generate::{self, Family},
    judge::{self, Level},
    mutate::{Alterations, Stock},
    shrink,
};
use systole_graph::check;
use systole_scheduler::{placement::Detail, plan::Origin, schedule};
use systole_whatif::{Moment, settle};

/// Seeds whose clusters are known to be planned alike. Of others, one in a hundred differs still: docs/known-gaps.md.
const SEEDS: std::ops::Range<u64> = 0..60;

/// Altered cases that are known to be planned alike.
const ALTERED: [(Alterations, std::ops::Range<u64>); 2] =
    [(Alterations::Any, 400_000..400_010), (Alterations::Settings, 400_000..400_010)];

/// Orders make a connection wait for what runs on its own node: the incumbent's graph has the same circle.
const CIRCULAR: [u64; 1] = [31];

/// The incumbent does not come to rest either.
const RESTLESS: &[u64] = &[31, 37];

#[test]
fn the_same_seed_gives_the_same_cluster() {
    for seed in 0..5 {
        assert_eq!(
            generate::cib(Family::Classic, seed).to_text(),
            generate::cib(Family::Classic, seed).to_text()
        );
    }
    assert_ne!(generate::cib(Family::Classic, 1).to_text(), generate::cib(Family::Classic, 2).to_text());
}

#[test]
fn generated_clusters_have_no_mistakes_and_graphs_no_flaws() {
    for seed in SEEDS {
        let document = generate::cib(Family::Classic, seed);
        let (cib, diagnostics) = read(&document);
        assert!(diagnostics.is_empty(), "seed {seed}: {diagnostics:?}");
        let flaws = check(&schedule(&cib, NOW).graph);
        assert_eq!(!flaws.is_empty(), CIRCULAR.contains(&seed), "seed {seed}: {flaws:?}");
    }
}

#[test]
fn shrinking_keeps_what_holds_and_little_else() {
    let cib = generate::cib(Family::Classic, 7);
    let smallest = shrink::shrink(&cib, 1000, &mut |candidate: &Document| {
        candidate.root().descendants().any(|element| element.is("primitive"))
    });
    let primitives = smallest.root().descendants().filter(|element| element.is("primitive")).count();
    assert_eq!(primitives, 1, "{}", smallest.to_text());
    assert!(smallest.to_text().len() < 700, "{}", smallest.to_text());
}

#[test]
fn the_incumbent_plans_the_same_for_random_clusters() {
    let Some(oracle) = reference_oracle() else { return };
    let workplace = Workplace::new("differential").expect("a folder for the files");
    for seed in SEEDS {
        let mut cib = generate::cib(Family::Classic, seed);
        let root = cib.root_key();
        cib.set_attr(root, "validate-with", "none");
        workplace.put(&cib.to_text()).expect("written");
        let theirs = workplace.theirs(&oracle).expect("the oracle can be run");
        let differences = judge::compare(&theirs, &workplace.ours());
        if let Some(first) = differences.first().filter(|first| first.level != Level::Oracle) {
            panic!("seed {seed}: {first}");
        }
    }
}

#[test]
fn the_incumbent_plans_the_same_for_altered_cases_of_the_corpus() {
    let Some(stock) = Stock::read().expect("the corpus can be read") else { return };
    let Some(oracle) = reference_oracle() else { return };
    let workplace = Workplace::new("altered").expect("a folder for the files");
    for (kind, seed) in ALTERED.into_iter().flat_map(|(kind, seeds)| seeds.map(move |seed| (kind, seed))) {
        let (cib, done) = stock.cib(&stock.mutant(kind, seed));
        assert_eq!(stock.cib(&stock.mutant(kind, seed)).0.to_text(), cib.to_text());
        workplace.put(&cib.to_text()).expect("written");
        let theirs = workplace.theirs(&oracle).expect("the oracle can be run");
        let differences = judge::compare(&theirs, &workplace.ours());
        if let Some(first) = differences.first().filter(|first| first.level != Level::Oracle) {
            panic!("seed {seed}, {done:?}: {first}");
        }
    }
}

#[test]
fn carried_out_without_failures_random_clusters_come_to_rest() {
    let moment = Moment { now: NOW.into(), origin: Origin::Shown };
    let mut restless = Vec::new();
    for seed in SEEDS {
        let mut flaws = Vec::new();
        let settled =
            settle(&mut generate::cib(Family::Classic, seed), moment, Detail::Result, &mut |transition| {
                flaws.extend(check(&transition.graph));
            });
        if !settled.is_at_rest() || !flaws.is_empty() {
            restless.push((seed, settled, flaws));
        }
    }
    let seeds: Vec<u64> = restless.iter().map(|(seed, ..)| *seed).collect();
    assert_eq!(seeds, RESTLESS, "{restless:#?}");
}
