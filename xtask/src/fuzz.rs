//! `cargo xtask fuzz`: random clusters, planned by us and by the incumbent.

use crate::shell;
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;

/// What is compared.
#[derive(Debug, Args)]
pub struct Options {
    /// How many clusters.
    #[arg(long, default_value_t = 1000)]
    cases: u64,
    /// The first one's seed.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The incumbent's crm_simulate [default: SYSTOLE_ORACLE, else Debian's].
    #[arg(long)]
    oracle: Option<PathBuf>,
    /// What clusters are made of: `classic`; `wide`, all that the language has; `strewn`, the same with states that no plan led to;
    /// `tangled`, few resources with many constraints.
    #[arg(long, default_value = "wide")]
    family: String,
    /// Print how many of the clusters had each part of the language.
    #[arg(long)]
    census: bool,
    /// Alter cases of the scheduler corpus instead of making CIBs up.
    #[arg(long)]
    corpus: bool,
    /// With --corpus: alter settings, for the most part, and what happens by them.
    #[arg(long, requires = "corpus")]
    settings: bool,
    /// Do not look for smaller CIBs.
    #[arg(long)]
    no_shrink: bool,
    /// Compare plans that leave out what is at rest with plans of everything, through so many changes of each cluster;
    /// asks no incumbent.
    #[arg(long, value_name = "CHANGES", conflicts_with = "file")]
    rest: Option<u32>,
    /// Compare on this CIB only.
    #[arg(long, conflicts_with_all = ["cases", "seed"])]
    file: Option<PathBuf>,
}

/// Builds the fuzzer and runs it.
///
/// # Errors
/// If it cannot be built, or plans differ.
pub fn run(options: &Options) -> Result<()> {
    let build =
        ["run", "--quiet", "--profile", "simulation", "--package", "systole-fuzz", "--bin", "fuzz", "--"];
    let mut command = shell::cargo(build);
    command.args(["--cases", &options.cases.to_string(), "--seed", &options.seed.to_string()]);
    command.args(["--family", &options.family]);
    if options.census {
        command.arg("--census");
    }
    if let Some(oracle) = &options.oracle {
        command.arg("--oracle").arg(oracle);
    }
    if let Some(n_changes) = options.rest {
        command.args(["--rest", &n_changes.to_string()]);
    }
    if let Some(file) = &options.file {
        command.arg("--file").arg(file);
    }
    if options.corpus {
        command.arg("--corpus");
    }
    if options.settings {
        command.arg("--settings");
    }
    if options.no_shrink {
        command.arg("--no-shrink");
    }
    shell::run(&mut command)
}
