//! How fast a CIB is scheduled, phase by phase: `cargo bench -p systole-scheduler -- FILE...`, best of five rounds.
//! Measured is time on the processor, so that what else runs on the machine counts less.

use rustix::time::{ClockId, clock_gettime};
use std::{env, fs, hint::black_box, time::Duration};
use systole_cib::xml::Document;
use systole_scheduler::{
    Status,
    placement::{self, Detail},
    plan::{self, Origin},
};
use systole_types::Timestamp;

/// For CIBs that do not say when they are from.
const NOW: Timestamp = Timestamp(1_750_100_000);

fn main() {
    let files: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    if files.is_empty() {
        println!("SKIPPED: name the CIBs to schedule, as in: cargo bench -p systole-scheduler -- big.xml");
    }
    for file in files {
        phases(&file);
    }
}

/// One line per phase.
fn phases(file: &str) {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"));
    let document = Document::parse(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
    let (cib, _) = systole_cib::read(&document);
    let status = Status::unpack(&cib, NOW);
    let placement = placement::assign(&status);
    let graph = plan::plan(&status, &placement, Origin::Shown, Detail::Result).graph;
    println!("{file}: {} resources, {} actions", status.resources.len(), graph.synapses.len());
    measure("parse", || Document::parse(text.as_str()));
    measure("read", || systole_cib::read(&document));
    measure("unpack", || Status::unpack(&cib, NOW));
    measure("assign", || placement::assign(&status));
    measure("plan", || plan::plan(&status, &placement, Origin::Shown, Detail::Result));
    measure("write", || systole_graph::write_graph(&graph));
}

fn measure<T>(what: &str, mut work: impl FnMut() -> T) {
    let round = |_| {
        let start = time_used();
        let result = black_box(work());
        let made = time_used() - start;
        drop(result);
        (made, time_used() - start - made)
    };
    let rounds: Vec<(Duration, Duration)> = (0..5).map(round).collect();
    let best = |pick: fn(&(Duration, Duration)) -> Duration| {
        rounds.iter().map(pick).min().unwrap_or_default().as_secs_f64() * 1e3
    };
    println!("  {what:8} {:8.2} ms, and {:8.2} ms to drop it", best(|round| round.0), best(|round| round.1));
}

/// Time this thread was on the processor.
fn time_used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
