//! `cargo xtask test`.

use crate::{packages, shell};
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
    let quick: [Step; 3] =
        [("formatting", formatting), ("lints", lints), ("unit and integration tests", cargo_test)];
    for (what, step) in quick {
        timed(what, step)?;
    }
    if options.quick {
        println!("SKIPPED: live tests, because of --quick");
    } else if !packages::is_root() {
        println!("SKIPPED: live tests, because they need root");
    } else {
        timed("Debian packages", packages::install_missing)?;
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

fn formatting() -> Result<()> {
    shell::run(&mut shell::cargo(["fmt", "--all", "--check"]))
}

fn lints() -> Result<()> {
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

fn cargo_test() -> Result<()> {
    shell::run(&mut shell::cargo(["test", "--workspace", "--quiet"]))
}
