//! Pacemaker's daemons, as far as front ends ask the programs: what release they are of, and which options there are.
//!
//! `pcs` and `crmsh` run `/usr/lib/pacemaker/pacemaker-fenced metadata` and its kin for every option they are to set. The work is done by `systoled`.

use crate::{
    Exit, Failed, Session, args,
    report::{OutputArgs, Report},
    runner,
};
use clap::Parser;
use std::ffi::OsString;
use systole_output::options::{Daemon, daemon_metadata};
use systole_types::FEATURE_SET;

/// What Pacemaker was built with, as far as front ends ask for it.
const FEATURES: &str = "agent-manpages corosync-ge-2 lsb monotonic remote systemd";

/// What stands where Pacemaker tells what it was built from.
const BUILD: &str = concat!("systole-", env!("CARGO_PKG_VERSION"));

/// Answer for one of Pacemaker's daemons: what options it has.
#[derive(Parser)]
#[command(disable_version_flag = true)]
struct PartArgs {
    /// `metadata`: print the options; `version`: print the release
    what: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs `pacemaker-based` and its kin.
pub fn part(session: &mut Session<'_>, words: &[OsString]) -> anyhow::Result<Exit> {
    runner::run(
        session,
        words,
        |args: &PartArgs| &args.output,
        |session, args| {
            let daemon = match session.tool.as_str() {
                "pacemaker-based" => Daemon::Based,
                "pacemaker-controld" => Daemon::Controller,
                "pacemaker-fenced" => Daemon::Fencer,
                _ => Daemon::Scheduler,
            };
            match args.what.as_deref() {
                Some("metadata") => {
                    let tree = daemon_metadata(daemon, args::PACEMAKER_VERSION);
                    Ok(Report::new(format!("<?xml version=\"1.0\"?>\n{}", tree.to_xml()), tree))
                }
                Some("version") => Ok(Report {
                    text: format!("CRM Version: {} ({BUILD})\n", args::PACEMAKER_VERSION),
                    ..Report::default()
                }),
                _ => Err(not_a_daemon()),
            }
        },
    )
}

/// Answer for Pacemaker's main daemon: what it is.
#[derive(Parser)]
#[command(name = "pacemakerd", disable_version_flag = true)]
struct MainArgs {
    /// Print the release and what it supports
    #[arg(short = 'F', long)]
    features: bool,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs `pacemakerd`.
pub fn main(session: &mut Session<'_>, words: &[OsString]) -> anyhow::Result<Exit> {
    runner::run(
        session,
        words,
        |args: &MainArgs| &args.output,
        |_, args| {
            if !args.features {
                return Err(not_a_daemon());
            }
            let (release, build) = (args::PACEMAKER_VERSION, BUILD);
            let tree = systole_output::options::version(release, build, FEATURE_SET, FEATURES);
            Ok(Report::new(
                format!("Pacemaker {release} (Build: {build})\n Supporting v{FEATURE_SET}: {FEATURES}\n"),
                tree,
            ))
        },
    )
}

fn not_a_daemon() -> anyhow::Error {
    Failed::new(Exit::Usage, "this only answers for Pacemaker's daemon: the cluster is started by systoled")
        .into()
}
