//! `systole-corosync`.

use anyhow::{Context, Result};
use clap::Parser;
use std::{path::PathBuf, process::ExitCode};
use systole_link::Signals;

/// Connects this node's systoled to Corosync: membership, quorum, and messages in agreed order.
///
/// Runs as root, or as a user that Corosync lets in (uidgid.d). Restarted, it costs the node its membership for a moment
/// and no resource. SIGTERM ends it.
#[derive(Parser)]
#[command(name = "systole-corosync", version)]
struct Arguments {
    /// The socket systoled connects to.
    #[arg(long, default_value = "/run/systole/hub.sock", env = "SYSTOLE_HUB", value_name = "PATH")]
    socket: PathBuf,
}

fn main() -> ExitCode {
    match serve(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            systole_link::log_line("systole-corosync", "error", &format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn serve(arguments: &Arguments) -> Result<()> {
    let stop = Signals::catch(&[15, 2]).context("cannot catch signals")?;
    systole_corosync::server::run(&arguments.socket, &stop)
}
