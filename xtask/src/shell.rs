//! Running other programs.

use anyhow::{Context, Result, ensure};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The workspace's top folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_owned()
}

/// The cargo that runs us, in the workspace's top folder.
pub fn cargo<I: IntoIterator<Item = S>, S: AsRef<std::ffi::OsStr>>(args: I) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root());
    command
}

/// Runs `command` with its output on ours.
///
/// # Errors
/// If it cannot be started or does not end well; the error names it.
pub fn run(command: &mut Command) -> Result<()> {
    let line = shown(command);
    let status = command.status().with_context(|| format!("cannot start {line}"))?;
    ensure!(status.success(), "{line} failed ({status})");
    Ok(())
}

/// Runs `command` and returns what it printed.
///
/// # Errors
/// As [`run`]; the error has what it said on standard error.
pub fn output(command: &mut Command) -> Result<String> {
    let line = shown(command);
    let output = command.output().with_context(|| format!("cannot start {line}"))?;
    ensure!(
        output.status.success(),
        "{line} failed ({}): {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs `command` and returns what it printed, however it ended.
///
/// # Errors
/// If it cannot be started.
pub fn output_whatever(command: &mut Command) -> Result<String> {
    let line = shown(command);
    let output = command.output().with_context(|| format!("cannot start {line}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Builds the three programs for release; their folder.
///
/// # Errors
/// If they do not compile.
pub fn build_release() -> Result<PathBuf> {
    build(&["--release"]).map(|()| target().join("release"))
}

/// Builds the three programs for debugging; their folder.
///
/// # Errors
/// If they do not compile.
pub fn build_debug() -> Result<PathBuf> {
    build(&[]).map(|()| target().join("debug"))
}

/// Those that also go into containers are linked statically. Only that last step differs: all they are made of is the same.
fn build(profile: &[&str]) -> Result<()> {
    run(cargo(["build", "--quiet", "--package", "systoled"]).args(profile))?;
    for (package, program) in [("systole-execd", "systole-execd"), ("systole-cli", "systole")] {
        let mut command = cargo(["rustc", "--quiet", "--package", package, "--bin", program]);
        run(command.args(profile).args(["--", "-C", "target-feature=+crt-static"]))?;
    }
    Ok(())
}

/// Builds `systole-corosync`, which takes Corosync's libraries.
///
/// # Errors
/// If it does not compile.
pub fn build_corosync(release: bool) -> Result<()> {
    let mut command = cargo(["build", "--quiet", "--package", "systole-corosync", "--features", "corosync"]);
    run(command.args(release.then_some("--release")))
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// Says something that must not be overlooked.
pub fn shout(text: &str) {
    println!("\n**** {text}\n");
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
