//! Workshop commands: `cargo xtask demo|test|simulate|fuzz|compare|tools|bench|fix`.

mod bench;
mod client;
mod compare;
mod demo;
mod fix;
mod fuzz;
mod lab;
mod live;
mod measure;
mod packages;
mod shell;
mod simulate;
mod test;
mod tools;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::{path::PathBuf, process::ExitCode};

/// Commands for people who work on Systole, or want to see it run.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Show a cluster at work: an OpenStack control plane that outlives the death of a container and of a node.
    Demo(demo::Options),
    /// Run the live tests alone: real daemons, containers and agents, and real faults (as root).
    Live(live::Options),
    /// Run every test: formatting, lints, unit and integration tests, and (as root) the live tests in a real lab.
    Test(test::Options),
    /// Tell random stories of simulated clusters, with faults by a seed, and see whether they keep their promises.
    Simulate(simulate::Options),
    /// Compare our plans for random clusters with the incumbent's, and show the smallest clusters on which they differ.
    Fuzz(fuzz::Options),
    /// Give command lines to our tools and to the incumbent's, and show where they answer differently.
    Compare(compare::Options),
    /// Make a directory of links, one per tool name, all to the release binary.
    Tools {
        /// Where; made if missing.
        dir: PathBuf,
    },
    /// Print our figures against the incumbent's, measured in the same run where it is installed.
    Bench(bench::Options),
    /// Apply formatting and the lints that can be applied by themselves.
    Fix,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> Result<()> {
    match task {
        Task::Demo(options) => demo::run(&options),
        Task::Live(options) => live::run(&options),
        Task::Simulate(options) => simulate::run(&options),
        Task::Fuzz(options) => fuzz::run(&options),
        Task::Compare(options) => compare::run(&options),
        Task::Test(options) => test::run(&options),
        Task::Tools { dir } => tools::link(&dir),
        Task::Bench(options) => bench::run(&options),
        Task::Fix => fix::run(),
    }
}
