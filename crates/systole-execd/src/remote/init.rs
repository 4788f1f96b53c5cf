//! The first process of a container: somebody has to bury orphans and to hear signals.

use anyhow::{Context, Result, bail};
use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, set_child_subreaper, wait,
};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    os::unix::process::CommandExt,
    process::{Command, ExitCode},
};
use systole_link::{Poll, Signals};

/// What a remote daemon's process has to do besides serving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Nothing.
    Plain,
    /// Take its settings from the container's file.
    Variables,
    /// That, and be the container's first process.
    Init,
}

/// The role by the number of this process and `PCMK_remote_pid1`, as Pacemaker has it.
pub fn role(pid: u32, setting: Option<&str>) -> Role {
    match (pid, setting) {
        (1, _) | (_, Some("full")) => Role::Init,
        (_, Some("vars")) => Role::Variables,
        _ => Role::Plain,
    }
}

/// Signals that are passed on to the daemon.
const PASSED_ON: [(i32, Signal); 6] = [
    (1, Signal::HUP),
    (2, Signal::INT),
    (3, Signal::QUIT),
    (10, Signal::USR1),
    (12, Signal::USR2),
    (15, Signal::TERM),
];

/// Runs `command` with `variables` (those that are set already count) as the daemon, under the name this process was
/// called by; buries who dies, passes signals on, and ends as it ends.
///
/// # Errors
/// If the daemon cannot be started.
pub fn supervise(command: &[OsString], variables: &BTreeMap<String, String>) -> Result<ExitCode> {
    let children = Signals::catch(&[17]).context("cannot catch signals")?;
    let mut passed_on = Vec::new();
    for (number, signal) in PASSED_ON {
        passed_on.push((Signals::catch(&[number]).context("cannot catch signals")?, signal));
    }
    // Where another process is the first, what the daemon's agents leave behind still comes here.
    set_child_subreaper(Some(getpid())).context("cannot become the one who buries orphans")?;
    let Some((program, arguments)) = command.split_first() else { bail!("there is nothing to run") };
    let missing = variables.iter().filter(|(name, _)| std::env::var_os(name).is_none());
    let child = Command::new(program)
        .args(arguments)
        .envs(missing)
        .arg0(std::env::args_os().next().unwrap_or_else(|| program.clone()))
        .spawn()
        .with_context(|| format!("cannot run {}", program.display()))?;
    let daemon = Pid::from_child(&child);
    loop {
        let mut poll = Poll::new();
        let children_idx = poll.add(&children);
        let indices: Vec<usize> = passed_on.iter().map(|(signals, _)| poll.add(signals)).collect();
        let ready = poll.wait(None)?;
        for ((signals, signal), idx) in passed_on.iter().zip(indices) {
            if ready.has(idx) && signals.drain() > 0 {
                // That it is gone already will be seen below.
                let _ = kill_process(daemon, *signal);
            }
        }
        if ready.has(children_idx) {
            children.drain();
            while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
                if pid == daemon {
                    return Ok(exit_code(status));
                }
            }
        }
    }
}

fn exit_code(status: WaitStatus) -> ExitCode {
    let code = status.exit_status().and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_process_and_whoever_is_told_to_act_like_it() {
        for (pid, setting, expected) in [
            (1, None, Role::Init),
            (1, Some("vars"), Role::Init),
            (7, None, Role::Plain),
            (7, Some("default"), Role::Plain),
            (7, Some("vars"), Role::Variables),
            (7, Some("full"), Role::Init),
        ] {
            assert_eq!(role(pid, setting), expected);
        }
    }
}
