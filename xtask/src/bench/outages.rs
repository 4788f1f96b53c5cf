//! Outages, by the bench that the incumbent's own figures come from: the same lab, nodes, probes, images and clock for both.

use super::incumbent;
use crate::{
    packages,
    shell::{self, shout},
};
use anyhow::{Context, Result, ensure};
use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    process::Command,
};

/// The scenarios, and what of each is an outage or else what a user waits for.
const FIGURES: &[(&str, &str, &str)] = &[
    ("S1a", "outage_s", "a bundle's container is killed, until it serves again"),
    ("S1b", "outage_s", "a service's process is killed (monitor every 10 s), until it serves again"),
    ("S2", "service_s", "the node of an address loses power, until the service behind it answers"),
    ("S3a", "vip_gap_s", "an address is moved by command: without an answer"),
    ("S3b", "vip_gap_s", "the node of an address goes to standby: without an answer"),
    ("S4", "bundle_all_s", "all nodes boot, until every container answers"),
    (
        "S5a",
        "promoted_elsewhere_s",
        "the promoted copy's process dies (monitor every 10 s), until another is promoted",
    ),
    ("S5c", "promoted_elsewhere_s", "the promoted copy's node loses power, until another is promoted"),
    ("S5d", "lasting_master_s", "the promoted Redis' container is killed, until a Redis is master for good"),
    ("S6a", "Stopped_to_agent_stop_s", "a change of the CIB, until the agent is called"),
];

/// A lab of its own, beside any other.
const NAMES: [(&str, &str); 3] =
    [("LAB_SUBNET", "10.78.0"), ("LAB_BRIDGE", "sysbench0"), ("LAB_PREFIX", "sysbench")];

/// Where the lab keeps its images, which are there for the next time. Not below `/var`, which is an overlay in its nodes.
const DIR: &str = "/tmp/systole-bench-lab";

/// The lab's weight against whatever else the machine does.
const CPU_SHARES: &str = "65536";

const DRIVER: &str = include_str!("outages.py");

/// The lab, with what it takes to run it.
struct Lab {
    home: PathBuf,
}

/// Prints the table.
///
/// # Errors
/// If a lab does not come up.
pub fn run(n_runs: usize) -> Result<()> {
    println!("\noutages (medians of {n_runs} runs; neither stack has fencing)");
    let home =
        std::env::var_os("SYSTOLE_HA_LAB").map_or_else(|| shell::root().join("../shared/lab"), PathBuf::from);
    if !packages::is_root() || !home.join("bench").is_file() {
        shout(&format!(
            "SKIPPED: this takes root, and {} (SYSTOLE_HA_LAB names another place)",
            home.display()
        ));
        return Ok(());
    }
    if let Some(what) = incumbent::missing().or_else(|| missing("/usr/bin/mmdebstrap")) {
        shout(&format!("SKIPPED: {what} is not installed"));
        return Ok(());
    }
    packages::install_missing(packages::Scope::Tests)?;
    shell::build_release()?;
    shell::build_corosync(true)?;
    own_directory(Path::new(DIR))?;
    let lab = Lab { home };
    if !Path::new(DIR).join("images/store/overlay-images").is_dir() {
        println!("building images into {DIR}");
        let mirror =
            std::env::var("LAB_MIRROR").unwrap_or_else(|_| "http://deb.debian.org/debian".to_owned());
        shell::output(lab.command("images/build.sh", &[]).env("LAB_MIRROR", mirror))?;
    }
    let ours = lab.measure(&shell::root().join("xtask/stacks/systole.sh").to_string_lossy(), n_runs)?;
    let theirs = lab.measure("pacemaker", n_runs)?;
    print(&ours, &theirs);
    Ok(())
}

/// Makes the directory, which nobody else may have made or write to: what is in it is run as root.
fn own_directory(dir: &Path) -> Result<()> {
    match fs::DirBuilder::new().mode(0o755).create(dir) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        made => return made.with_context(|| format!("cannot make {}", dir.display())),
    }
    let found = fs::symlink_metadata(dir)?;
    let own = found.is_dir() && found.uid() == 0 && found.mode() & 0o022 == 0;
    ensure!(own, "{} is not a directory that only root writes to: remove it", dir.display());
    Ok(())
}

fn missing(program: &'static str) -> Option<&'static str> {
    (!Path::new(program).exists()).then_some(program)
}

impl Lab {
    fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(self.home.join(program));
        command.args(args).envs(NAMES).env("LAB_DIR", DIR);
        command
    }

    /// Has one stack go through every scenario.
    fn measure(&self, stack: &str, n_runs: usize) -> Result<serde_json::Value> {
        let results = std::env::temp_dir().join(format!("systole-outages-{}.json", std::process::id()));
        let measured =
            shell::output(&mut self.command("lab", &["up", "--stack", stack, "--cpu-shares", CPU_SHARES]))
                .and_then(|_| {
                    let mut command = Command::new("python3");
                    command.args(["-c", DRIVER]).arg(&self.home).envs(NAMES).env("LAB_DIR", DIR);
                    command.args(["--runs", &n_runs.to_string(), "--out"]).arg(&results);
                    command.args(FIGURES.iter().map(|(scenario, ..)| scenario));
                    // It takes minutes; what it prints tells how far it is.
                    shell::run(&mut command)
                });
        shell::output(&mut self.command("lab", &["down", "--wipe"]))?;
        measured?;
        let text = fs::read_to_string(&results).context("the bench wrote no results")?;
        fs::remove_file(&results)?;
        let found: serde_json::Value =
            serde_json::from_str(&text).context("the bench's results are no JSON")?;
        Ok(found["scenarios"].clone())
    }
}

fn print(ours: &serde_json::Value, theirs: &serde_json::Value) {
    println!("{:<92} {:>9} {:>9} {:>7}", "", "ours", "theirs", "ratio");
    for (scenario, metric, what) in FIGURES {
        let median = |results: &serde_json::Value| results[scenario]["metrics"][metric]["median"].as_f64();
        let (ours, theirs) = (median(ours), median(theirs));
        let seconds = |figure: Option<f64>| figure.map_or("-".into(), |figure| format!("{figure:.3} s"));
        let ratio = match (ours, theirs) {
            (Some(ours), Some(theirs)) if ours > 0.0 => format!("{:.1}", theirs / ours),
            _ => "-".into(),
        };
        println!(
            "{:<92} {:>9} {:>9} {ratio:>7}",
            format!("{scenario:<4} {what}"),
            seconds(ours),
            seconds(theirs)
        );
    }
}
