//! Tells many stories: `simulate [--seeds N] [--from SEED]`, or one: `simulate --seed SEED`.

use std::{
    collections::BTreeMap,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};
use systole_testbed::scenario::{self, Outcome};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let option = |name: &str| {
        let at = arguments.iter().position(|argument| argument == name)?;
        arguments.get(at + 1)?.parse::<u64>().ok()
    };
    if let Some(seed) = option("--dump") {
        println!("{}", scenario::dump(seed, option("--at").unwrap_or(30)));
        return ExitCode::SUCCESS;
    }
    if let Some(seed) = option("--seed") {
        let outcome = scenario::tell(seed);
        println!("{outcome}");
        return if outcome.violation.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    let (from, n_seeds) = (option("--from").unwrap_or(0), option("--seeds").unwrap_or(1000));
    let started = Instant::now();
    let mut faults = BTreeMap::new();
    let mut failures = BTreeMap::<String, Vec<u64>>::new();
    let (mut n_writes, mut n_changes) = (0, 0);
    for outcome in tell_all(from, n_seeds) {
        for (fault, count) in outcome.faults {
            *faults.entry(fault).or_insert(0) += count;
        }
        n_writes += outcome.n_writes;
        n_changes += outcome.n_changes;
        if let Some(violation) = outcome.violation {
            failures.entry(violation).or_default().push(outcome.seed);
        }
    }
    println!("{n_seeds} seeds from {from} in {:.1} s", started.elapsed().as_secs_f64());
    println!("{n_writes} writes acknowledged, {n_changes} starts and stops, faults: {faults:?}");
    for (violation, seeds) in &failures {
        println!("{violation}: {} seeds: {:?}", seeds.len(), &seeds[..seeds.len().min(8)]);
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Tells the stories on every processor there is.
fn tell_all(from: u64, n_seeds: u64) -> Vec<Outcome> {
    let next = AtomicU64::new(from);
    let tell_some = || {
        let mut outcomes = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= from + n_seeds {
                return outcomes;
            }
            let outcome = scenario::tell(seed);
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
