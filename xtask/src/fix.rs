//! `cargo xtask fix`.

use crate::shell;
use anyhow::Result;

/// Applies formatting and machine-applicable lints.
pub fn run() -> Result<()> {
    shell::run(&mut shell::cargo([
        "clippy",
        "--workspace",
        "--all-targets",
        "--fix",
        "--allow-dirty",
        "--allow-staged",
        "--quiet",
    ]))?;
    shell::run(&mut shell::cargo(["fmt", "--all"]))
}
