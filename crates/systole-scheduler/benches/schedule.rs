//! How fast CIBs are scheduled: `cargo bench -p systole-scheduler -- FILE... [--all-of DIRECTORY]`.
//!
//! The best of several rounds, and the one in the middle: what else runs on the machine shows in the difference.
//! Of each file: every phase, and planning again after one changed result. Of a directory: all its CIBs together.
//! Measured is time on the processor, so that what else runs on the machine counts less.

#![expect(clippy::disallowed_methods, reason = "it measures files given on the command line")]

use rustix::time::{ClockId, clock_gettime};
use std::{env, fs, hint::black_box, time::Duration};
use systole_cib::{
    View,
    xml::{Document, Key},
};
use systole_scheduler::{Status, placement, plan, plan::Origin, schedule};
use systole_types::Timestamp;

/// As in the daemon that plans.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// For CIBs that do not say when they are from.
const NOW: Timestamp = Timestamp(1_750_100_000);

/// Rounds go on until both are reached.
const MIN_ROUNDS: usize = 5;
const ENOUGH: Duration = Duration::from_millis(500);

fn main() {
    let mut args = env::args().skip(1).filter(|arg| arg != "--bench").peekable();
    if args.peek().is_none() {
        println!("SKIPPED: name the CIBs to schedule, as in: cargo bench -p systole-scheduler -- big.xml");
    }
    while let Some(arg) = args.next() {
        if arg == "--all-of" {
            all_of(&args.next().expect("--all-of is followed by a directory"));
        } else {
            phases(&arg);
            plan_again(&arg);
        }
    }
}

fn read_file(file: &str) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn parse(file: &str) -> Document {
    Document::parse(read_file(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// One line per phase.
fn phases(file: &str) {
    let text = read_file(file);
    let document = parse(file);
    let (cib, _) = systole_cib::read(&document);
    let status = Status::unpack(&cib, NOW);
    let placement = placement::assign(&status);
    let plan = || plan::plan(&status, &placement, Origin::Shown, placement::Detail::Result);
    let graph = plan().graph;
    println!("{file}: {} resources, {} actions", status.resources.len(), graph.synapses.len());
    measure("parse", || Document::parse(text.as_str()));
    measure("read", || systole_cib::read(&document));
    measure("unpack", || Status::unpack(&cib, NOW));
    measure("assign", || placement::assign(&status));
    measure("plan", plan);
    measure("write", || systole_graph::write_graph(&graph));
}

/// Planning again when one operation has failed, as the DC does: by a view that is kept up. Each round it is another.
fn plan_again(file: &str) {
    let mut document = parse(file);
    let results: Vec<(Key, String)> = document
        .root()
        .descendants()
        .filter(|element| element.is("lrm_rsc_op"))
        .filter_map(|element| Some((element.key(), element.attr("rc-code")?.to_owned())))
        .collect();
    if results.is_empty() {
        return;
    }
    let mut view = View::default();
    view.of(&document);
    let mut n = 0;
    let mut last: Option<&(Key, String)> = None;
    let mut reading = Vec::new();
    let mut fail_another = || {
        // What failed in the round before is as it was.
        if let Some((key, rc)) = last {
            document.set_attr(*key, "rc-code", rc);
            view.of(&document);
        }
        n += 1;
        let next = &results[n * 7919 % results.len()];
        document.set_attr(next.0, "rc-code", "1");
        last = Some(next);
        let start = time_used();
        let cib = view.of(&document);
        reading.push(time_used() - start);
        let transition = schedule(cib, NOW);
        let made = time_used() - start;
        drop(black_box(transition));
        (made, time_used() - start - made)
    };
    measure_rounds("again", &mut fail_another);
    reading.sort_unstable();
    println!(
        "  of which {:8.2} ms ({:.2}) to read what has changed",
        millis(reading[0]),
        millis(reading[reading.len() / 2])
    );
}

/// All CIBs of a directory: loading and scheduling them, then scheduling them once more.
fn all_of(directory: &str) {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{directory}: {error}"));
    let mut files: Vec<String> =
        entries.map(|entry| entry.expect("readable").path().display().to_string()).collect();
    files.sort();
    println!("{directory}: {} CIBs in one process", files.len());
    let start = time_used();
    let cibs: Vec<_> = files.iter().map(|file| systole_cib::read(&parse(file)).0).collect();
    cibs.iter().for_each(|cib| drop(black_box(schedule(cib, NOW))));
    println!("  {:8} {:8.2} ms", "first", millis(time_used() - start));
    measure("further", || cibs.iter().map(|cib| schedule(cib, NOW).graph.synapses.len()).sum::<usize>());
}

fn measure<T>(what: &str, mut work: impl FnMut() -> T) {
    measure_rounds(what, &mut || {
        let start = time_used();
        let result = black_box(work());
        let made = time_used() - start;
        drop(result);
        (made, time_used() - start - made)
    });
}

/// Of rounds that tell how long something took, and dropping what came of it.
fn measure_rounds(what: &str, round: &mut dyn FnMut() -> (Duration, Duration)) {
    let begin = time_used();
    let (mut made, mut dropped) = (Vec::new(), Vec::new());
    while made.len() < MIN_ROUNDS || time_used() - begin < ENOUGH {
        let times = round();
        made.push(times.0);
        dropped.push(times.1);
    }
    made.sort_unstable();
    dropped.sort_unstable();
    let (best, middle) = (millis(made[0]), millis(made[made.len() / 2]));
    println!("  {what:8} {best:8.2} ms ({middle:.2}), and {:8.2} ms to drop it", millis(dropped[0]));
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Time this thread was on the processor.
fn time_used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
