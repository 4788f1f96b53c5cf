//! `cargo xtask bench`: our figures beside the incumbent's, taken in the same run.

mod cases;
mod control_plane;
mod growth;
pub mod incumbent;
mod live;
mod outages;
mod scheduler;
mod synthetic;

use crate::{
    measure::{self, Usage},
    shell,
};
use anyhow::{Context, Result};
use clap::ValueEnum as _;
use std::{
    fs::File,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Runs of each command; medians are printed.
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Longest run of the incumbent, seconds.
    #[arg(long, default_value_t = 120)]
    limit: u64,
    /// The largest synthetic cluster, in resource instances.
    #[arg(long, default_value_t = 1000)]
    instances: u32,
    /// Follow growth up to 64 nodes x 10,000 instances, and 1,000 remote nodes (takes minutes, and 3 GiB of memory).
    #[arg(long)]
    full_growth: bool,
    /// Leave out what takes a lab (and root).
    #[arg(long)]
    no_lab: bool,
    /// Only what takes a lab.
    #[arg(long, conflicts_with = "no_lab")]
    only_lab: bool,
    /// Only these tables.
    #[arg(long, value_enum, value_delimiter = ',', conflicts_with = "only_lab")]
    only: Vec<Table>,
}

/// What there are figures of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Table {
    /// Scheduling of synthetic clusters.
    Scheduling,
    /// Scheduling inside one process: phases, planning again after a change, the whole corpus.
    InProcess,
    /// Every case of the corpus, a process each.
    Cases,
    /// How time grows with the cluster.
    Growth,
    /// Status displays.
    Status,
    /// A running cluster.
    Lab,
    /// How long services are away after faults. Only if asked for by name: it takes half an hour.
    Outages,
    /// The same for a control plane's services. Only if asked for by name: it takes half an hour.
    ControlPlane,
}

/// Sizes of synthetic clusters: nodes, resource instances.
const SIZES: &[(u32, u32)] = &[(4, 100), (8, 300), (16, 1000), (32, 2000), (64, 5000), (64, 10_000)];

/// Prints every table.
pub fn run(options: &Options) -> Result<()> {
    if options.only_lab {
        return live::run();
    }
    let is_wanted = |table: Table| match options.only.as_slice() {
        [] => !matches!(table, Table::Outages | Table::ControlPlane),
        only => only.contains(&table),
    };
    let bench = Bench::new(options)?;
    for table in Table::value_variants().iter().filter(|table| is_wanted(**table)) {
        match table {
            Table::Scheduling => bench.scheduling()?,
            Table::InProcess => bench.in_process()?,
            Table::Cases => bench.cases()?,
            Table::Growth => bench.growth()?,
            Table::Status => bench.status()?,
            Table::Lab if options.no_lab => {}
            Table::Lab => live::run()?,
            Table::Outages => outages::run(options.runs)?,
            Table::ControlPlane => control_plane::run()?,
        }
    }
    Ok(())
}

struct Bench<'a> {
    options: &'a Options,
    tools: PathBuf,
    inputs: PathBuf,
}

impl<'a> Bench<'a> {
    fn new(options: &'a Options) -> Result<Self> {
        let inputs = std::env::temp_dir().join(format!("systole-bench-{}", std::process::id()));
        let tools = inputs.join("tools");
        std::fs::create_dir_all(&inputs)?;
        crate::tools::link(&tools)?;
        Ok(Self { options, tools, inputs })
    }

    /// Time of a status command on a CIB file.
    fn status(&self) -> Result<()> {
        heading("status (crm_mon -1r on a CIB file)");
        for &(n_nodes, n_instances) in SIZES.iter().filter(|(_, n)| *n <= self.options.instances) {
            let Some(cib) = self.synthetic(n_nodes, n_instances, "running")? else { return Ok(()) };
            self.compare(
                &format!("{n_nodes} nodes x {n_instances} running"),
                "crm_mon",
                &["-1r"],
                Some(&cib),
            )?;
        }
        Ok(())
    }

    /// One row: our tool and the incumbent's with the same arguments.
    fn compare(&self, what: &str, tool: &str, args: &[&str], cib_file: Option<&Path>) -> Result<()> {
        let measured = |program: &Path| {
            let setting = cib_file.map(|file| format!("CIB_file={}", file.display()));
            let prefix = setting.iter().flat_map(|setting| ["env", setting.as_str()]);
            let command: Vec<&str> = prefix.chain([text(program)]).chain(args.iter().copied()).collect();
            measure::median(&command, self.options.runs, Duration::from_secs(self.options.limit))
        };
        let ours = measured(&self.tools.join(tool))?;
        let theirs = incumbent(tool).map(|program| measured(&program)).transpose()?.flatten();
        println!("{what:<28} {}", row(ours, theirs));
        Ok(())
    }

    /// A synthetic CIB, or `None` (said once) where there is no generator.
    fn synthetic(&self, n_nodes: u32, n_instances: u32, state: &str) -> Result<Option<PathBuf>> {
        let generator = corpus().join("gen_cib.py");
        if !generator.is_file() {
            println!("SKIPPED: {} is not there (SYSTOLE_CORPUS names another place)", generator.display());
            return Ok(None);
        }
        let file = self.inputs.join(format!("{n_nodes}x{n_instances}-{state}.xml"));
        if !file.is_file() {
            let mut command = Command::new("python3");
            command.arg(&generator).args([
                "--nodes",
                &n_nodes.to_string(),
                "--resources",
                &n_instances.to_string(),
            ]);
            command.args(["--state", state]).stdout(File::create(&file)?);
            shell::run(&mut command).context("cannot write a synthetic CIB")?;
        }
        Ok(Some(file))
    }
}

impl Drop for Bench<'_> {
    fn drop(&mut self) {
        // Nothing depends on it: a leftover in the temporary folder is only untidy.
        let _ = std::fs::remove_dir_all(&self.inputs);
    }
}

fn heading(what: &str) {
    println!(
        "\n{what}\n{:<28} {:>10} {:>10} {:>8} {:>10} {:>10} {:>8}",
        "", "ours", "theirs", "ratio", "ours", "theirs", "ratio"
    );
}

fn row(ours: Option<Usage>, theirs: Option<Usage>) -> String {
    let seconds =
        |usage: Option<Usage>| usage.map_or("-".into(), |u| format!("{:.3} s", u.user.as_secs_f64()));
    let mebibytes = |usage: Option<Usage>| usage.map_or("-".into(), |u| format!("{} MiB", u.peak_kib / 1024));
    let ratio = |pick: fn(Usage) -> f64| match (ours, theirs) {
        (Some(ours), Some(theirs)) if pick(ours) > 0.001 => format!("{:.1}", pick(theirs) / pick(ours)),
        _ => "-".into(),
    };
    let failed = if ours.is_some_and(|usage| !usage.ok) { "  (ours did not exit with 0)" } else { "" };
    format!(
        "{:>10} {:>10} {:>8} {:>10} {:>10} {:>8}{failed}",
        seconds(ours),
        seconds(theirs),
        ratio(|usage| usage.user.as_secs_f64()),
        mebibytes(ours),
        mebibytes(theirs),
        ratio(|usage| usage.peak_kib as f64),
    )
}

/// The incumbent's tool of that name: beside `SYSTOLE_ORACLE`, else where Debian puts it.
fn incumbent(tool: &str) -> Option<PathBuf> {
    let oracle = std::env::var_os("SYSTOLE_ORACLE").map(PathBuf::from);
    let dirs = oracle.as_deref().and_then(Path::parent).map(Path::to_owned).into_iter();
    dirs.chain(["/usr/sbin".into(), "/usr/bin".into()]).map(|dir| dir.join(tool)).find(|file| file.is_file())
}

/// Where the shared test data lies.
fn corpus() -> PathBuf {
    std::env::var_os("SYSTOLE_CORPUS").map_or_else(|| shell::root().join("../shared/corpus"), PathBuf::from)
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary and build folders have plain names")
}
