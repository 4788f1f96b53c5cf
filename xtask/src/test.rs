//! `cargo xtask test`.

use crate::{
    live, packages,
    shell::{self, shout},
    simulate,
};
use anyhow::Result;
use std::time::Instant;

/// Which tests.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Leave the live tests out: no root, no packages, no containers.
    #[arg(long)]
    quick: bool,
}

/// A part of the test run: what is said, and what is done.
type Step = (&'static str, fn() -> Result<()>);

/// Runs every step in turn and stops at the first that fails.
pub fn run(options: &Options) -> Result<()> {
    let quick: [Step; 4] = [
        ("formatting", formatting),
        ("lints", lints),
        ("unit and integration tests", cargo_test),
        ("simulated clusters", simulation),
    ];
    for (what, step) in quick {
        timed(what, step)?;
    }
    if options.quick {
        shout("SKIPPED: live tests, because of --quick");
    } else if !packages::is_root() {
        shout("SKIPPED: live tests, because they need root (namespaces, mounts, containers)");
    } else {
        timed("Debian packages", || packages::install_missing(packages::Scope::Tests))?;
        timed("live tests", live_tests)?;
    }
    Ok(())
}

fn timed(what: &str, step: fn() -> Result<()>) -> Result<()> {
    println!("== {what}");
    let start = Instant::now();
    step()?;
    println!("== {what}: passed in {:.0} s", start.elapsed().as_secs_f64());
    Ok(())
}

fn live_tests() -> Result<()> {
    live::run(&live::Options::default())
}

fn formatting() -> Result<()> {
    shell::run(&mut shell::cargo(["fmt", "--all", "--check"]))
}

fn lints() -> Result<()> {
    // A lint needs no Corosync: only linking does.
    let corosync = ["--package", "systole-corosync", "--features", "corosync", "--all-targets", "--quiet"];
    shell::run(shell::cargo(["clippy"]).args(corosync).args(["--", "-D", "warnings"]))?;
    shell::run(&mut shell::cargo([
        "clippy",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ]))
}

fn simulation() -> Result<()> {
    simulate::Options::for_tests().iter().try_for_each(simulate::run)
}

fn cargo_test() -> Result<()> {
    shell::run(&mut shell::cargo(["test", "--workspace", "--quiet"]))
}
