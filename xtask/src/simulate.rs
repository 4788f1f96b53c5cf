//! `cargo xtask simulate`: random stories of whole clusters, in memory.

use crate::shell;
use anyhow::Result;
use clap::Args;

/// What is told.
#[derive(Debug, Args)]
pub struct Options {
    /// How many stories.
    #[arg(long, default_value_t = 3000)]
    seeds: u64,
    /// The first one's seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Tell this one story, and all that happened in it.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// Of such clusters only: plain, guests (with containers and a remote node), those with more that happens: harsh, harsh-guests, with daemons
    /// of different minor versions: mixed, or where orders to demote or stop are not answered: unanswered.
    #[arg(long)]
    family: Option<String>,
}

impl Options {
    /// As many stories as the tests tell: of those with guests, as many as are known to hold.
    pub fn for_tests() -> [Self; 6] {
        let of = |family: &str, seeds| Self { seeds, from: 0, seed: None, family: Some(family.to_owned()) };
        [
            of("plain", 2000),
            of("guests", 200),
            of("harsh", 300),
            of("harsh-guests", 30),
            of("mixed", 200),
            of("unanswered", 60),
        ]
    }
}

/// Builds the simulator and runs it.
///
/// # Errors
/// If it cannot be built, or some story ends badly.
pub fn run(options: &Options) -> Result<()> {
    let build = [
        "run",
        "--quiet",
        "--profile",
        "simulation",
        "--package",
        "systole-testbed",
        "--bin",
        "simulate",
        "--",
    ];
    let mut command = shell::cargo(build);
    match options.seed {
        Some(seed) => command.args(["--seed", &seed.to_string()]),
        None => command.args(["--seeds", &options.seeds.to_string(), "--from", &options.from.to_string()]),
    };
    if let Some(family) = &options.family {
        command.args(["--family", family]);
    }
    shell::run(&mut command)
}
