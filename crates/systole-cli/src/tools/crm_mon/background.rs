//! `crm_mon --daemonize`: a process of its own that goes on.

use super::Args;
use crate::{Exit, Failed, Session, cluster::check_writable, report::Form};
use std::{
    ffi::OsStr,
    fmt::Display,
    fs::{self, File},
    io::Write as _,
    os::unix::{ffi::OsStrExt as _, process::CommandExt as _},
    path::Path,
    process::{Command, Stdio},
};

/// Set in the environment of the process in the background.
pub(super) const MARK: &str = "SYSTOLE_CRM_MON_IN_BACKGROUND";

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
    if let Some(page) = args.output.destination() {
        check_writable(page).map_err(|error| cannot_write(page, format!("{error:#}")))?;
    }
    let failed = |error| Failed::new(Exit::Os, format!("Could not fork daemon: {error}"));
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    let mut words = std::env::args_os();
    command.arg0(words.next().unwrap_or_else(|| session.tool.clone().into())).args(words);
    command.env_clear().envs(&session.env).env(MARK, "1");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let Some(path) = &args.pid_file else {
        command.spawn().map_err(failed)?;
        return Ok(Exit::Ok);
    };
    // Before the process: without its number nobody would find it again.
    let mut file = take_pid_file(path, &session.tool)?;
    let started = command.spawn().map_err(failed).and_then(|mut child| {
        writeln!(file, "{}", child.id()).map_err(|error| {
            let _ = child.kill();
            let _ = child.wait();
            cannot_write(path, error)
        })
    });
    if started.is_err() {
        let _ = fs::remove_file(path);
    }
    started.map(|()| Exit::Ok).map_err(Into::into)
}

fn cannot_write(path: &Path, why: impl Display) -> Failed {
    Failed::new(Exit::CannotCreate, format!("cannot write {}: {why}", path.display()))
}

/// Makes the file for the process's number; one that was left over goes. A link is not followed.
fn take_pid_file(path: &Path, tool: &str) -> Result<File, Failed> {
    if let Ok(meta) = fs::symlink_metadata(path) {
        if !meta.is_file() {
            return Err(cannot_write(path, "this is not a regular file"));
        }
        let content = fs::read_to_string(path).map_err(|error| cannot_write(path, error))?;
        match content.trim().parse::<u32>() {
            Ok(pid) if is_running(pid, tool) => {
                let text = format!("already running [pid {pid} in {}]", path.display());
                return Err(Failed::new(Exit::Error, text));
            }
            Err(_) if !content.trim().is_empty() => {
                return Err(cannot_write(path, "what is there is not the number of a process"));
            }
            _ => fs::remove_file(path).map_err(|error| cannot_write(path, error))?,
        }
    }
    File::create_new(path).map_err(|error| cannot_write(path, error))
}

/// Whether the process is this tool, called by its own name or as a word of another program.
fn is_running(pid: u32, tool: &str) -> bool {
    let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let mut words = command.split(|byte| *byte == 0).take(2);
    words.any(|word| Path::new(OsStr::from_bytes(word)).file_name() == Some(OsStr::new(tool)))
}
