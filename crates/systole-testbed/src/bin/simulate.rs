//! Tells many stories: `simulate [--seeds N] [--from SEED]`, or one: `simulate --seed SEED`. With `--family NAME`, of
//! such clusters only; else of all, or of plain ones if it is one story. `simulate --dump SEED` prints the CIB at the story's
//! end, with `--at SECS` the last input of a scheduler up to then.

use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};
use systole_testbed::scenario::{self, Family, Outcome};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let text = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)
    };
    let option = |name: &str| text(name)?.parse::<u64>().ok();
    let name = text("--family");
    let families: Vec<Family> =
        Family::ALL.into_iter().filter(|family| name.is_none_or(|name| family.name() == name)).collect();
    let Some(family) = families.first().copied() else {
        eprintln!("there is no family {}", name.map_or("", String::as_str));
        return ExitCode::FAILURE;
    };
    if let Some(seed) = option("--dump") {
        println!("{}", scenario::dump(family, seed, text("--at").and_then(|at| at.parse().ok())));
        return ExitCode::SUCCESS;
    }
    if let Some(seed) = option("--seed") {
        let outcome = scenario::tell(family, seed);
        println!("{outcome}");
        return if outcome.violation.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    let (from, n_seeds) = (option("--from").unwrap_or(0), option("--seeds").unwrap_or(1000));
    let told = families.iter().map(|family| tell_family(*family, from, n_seeds));
    if told.fold(true, |held, it| held & it) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Tells the stories of a family, and whether all ended well.
fn tell_family(family: Family, from: u64, n_seeds: u64) -> bool {
    let started = Instant::now();
    let mut faults = BTreeMap::new();
    let mut failures = BTreeMap::<String, Vec<u64>>::new();
    let (mut n_writes, mut n_changes, mut n_held_back) = (0, 0, [0, 0]);
    for outcome in tell_all(family, from, n_seeds) {
        for (fault, count) in outcome.faults {
            *faults.entry(fault).or_insert(0) += count;
        }
        n_writes += outcome.n_writes;
        n_changes += outcome.n_changes;
        n_held_back[0] += outcome.n_held_back;
        n_held_back[1] += u64::from(outcome.n_held_back > 0);
        if let Some(violation) = outcome.violation {
            failures.entry(violation).or_default().push(outcome.seed);
        }
    }
    println!("{}: {n_seeds} seeds from {from} in {:.1} s", family.name(), started.elapsed().as_secs_f64());
    println!("{n_writes} writes acknowledged, {n_changes} starts and stops, faults: {faults:?}");
    let [n_held_back, n_stories] = n_held_back;
    println!(
        "{n_held_back} times, in {n_stories} stories, nothing took the place of a copy of unknown state"
    );
    for (violation, seeds) in &failures {
        println!("{violation}: {} seeds: {:?}", seeds.len(), &seeds[..seeds.len().min(8)]);
    }
    failures.is_empty()
}

/// Tells the stories on every processor there is.
fn tell_all(family: Family, from: u64, n_seeds: u64) -> Vec<Outcome> {
    let next = AtomicU64::new(from);
    let tell_some = || {
        let mut outcomes = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= from + n_seeds {
                return outcomes;
            }
            let outcome = scenario::tell(family, seed);
            let story = if outcome.violation.is_some() { outcome.story } else { String::new() };
            outcomes.push(Outcome { story, ..outcome });
        }
    };
    let n_workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..n_workers).map(|_| scope.spawn(tell_some)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("a story is told to its end")).collect()
    })
}
