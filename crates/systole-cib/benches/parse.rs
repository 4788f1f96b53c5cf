//! How fast a CIB is read: `cargo bench -p systole-cib -- FILE...`, best of five rounds.
//!
//! Where Linux tells it, time on the processor is measured, so that what else runs on the machine counts less.

#![expect(clippy::disallowed_methods, reason = "it measures files given on the command line")]

use std::{
    env, fs,
    hint::black_box,
    sync::LazyLock,
    time::{Duration, Instant},
};
use systole_cib::{
    model,
    ops::{self, CibAction, CibCall, CibOptions, Scope, Stamp},
    xml::{Document, Element},
};

fn main() {
    let files: Vec<String> = env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    if files.is_empty() {
        println!("SKIPPED: name the CIBs to read, as in: cargo bench -p systole-cib -- big.xml");
    }
    for file in files {
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{file}: {error}"));
        let document = Document::parse(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
        let megabytes = text.len() as f64 / 1e6;
        println!("{file}: {megabytes:.1} MB, {} nodes", document.n_nodes());
        measure("parse", megabytes, || Document::parse(&text));
        measure("clone", megabytes, || document.clone());
        measure("read", megabytes, || model::read(&document));
        measure("write", megabytes, || document.to_text());
        let call = CibCall {
            action: CibAction::Modify,
            scope: Scope::Section("status".to_owned()),
            xml: document
                .root()
                .child("status")
                .and_then(|status| status.child("node_state"))
                .map(Element::tag_to_text),
            options: CibOptions::default(),
        };
        let mut n = 0;
        measure("modify", megabytes, || {
            n += 1;
            let xml = call.xml.as_ref().map(|xml| xml.replace("crmd=", &format!("x=\"{n}\" crmd=")));
            ops::apply(&mut document.clone(), &CibCall { xml, ..call.clone() }, &Stamp::default())
        });
        measure("digest", megabytes, || systole_cib::digest::on_disk(document.root()));
    }
}

fn measure<T>(what: &str, megabytes: f64, mut work: impl FnMut() -> T) {
    let round = |_| {
        let start = time_used();
        black_box(work());
        time_used() - start
    };
    let best = (0..5).map(round).min().unwrap_or_default();
    println!("  {what:8} {:8.1} ms {:8.0} MB/s", best.as_secs_f64() * 1e3, megabytes / best.as_secs_f64());
}

/// Time on the processor so far; on other systems than Linux, time gone by.
fn time_used() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    match stat.split(' ').next().and_then(|nanos| nanos.parse().ok()) {
        Some(nanos) => Duration::from_nanos(nanos),
        None => START.elapsed(),
    }
}
