//! `crm_mon --daemonize`: a process of its own that goes on.

use super::Args;
use crate::{Exit, Failed, Session, report::Form};
use std::{
    ffi::OsStr,
    fs,
    os::unix::process::CommandExt as _,
    process::{Command, Stdio},
};

/// Set in the environment of the process in the background.
const MARK: &str = "SYSTOLE_CRM_MON_IN_BACKGROUND";

/// Whether this is the process in the background. It then leaves the session of its terminal.
pub(super) fn is_there(session: &mut Session<'_>) -> bool {
    let is_there = session.env.remove(OsStr::new(MARK)).is_some();
    if is_there {
        // Refused only to who leads a group of processes already, which nothing of a terminal concerns then.
        let _ = rustix::process::setsid();
    }
    is_there
}

/// Starts the process in the background by the same command line.
///
/// Agents find it by its words: it is called as this one was.
pub(super) fn start(session: &Session<'_>, args: &Args) -> anyhow::Result<Exit> {
    if args.external_agent.is_none() {
        if !args.has_file() {
            return Err(Failed::usage(
                "--daemonize requires at least one of --output-to (with value not set to '-') and --external-agent",
            ));
        }
        if args.output.form() == Form::None {
            return Err(Failed::usage("--daemonize requires --external-agent if used with --output-as=none"));
        }
    }
    let failed = |error| Failed::new(Exit::Os, format!("Could not fork daemon: {error}"));
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    let mut words = std::env::args_os();
    command.arg0(words.next().unwrap_or_else(|| session.tool.clone().into())).args(words);
    command.env_clear().envs(&session.env).env(MARK, "1");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().map_err(failed)?;
    if let Some(file) = &args.pid_file {
        fs::write(file, format!("{}\n", child.id())).map_err(|error| {
            Failed::new(Exit::CannotCreate, format!("cannot write {}: {error}", file.display()))
        })?;
    }
    Ok(Exit::Ok)
}
