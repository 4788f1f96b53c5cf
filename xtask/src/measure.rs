//! Measuring a whole process from outside: its user CPU time and peak memory, as the kernel accounts them.

use anyhow::{Context, Result};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use std::{
    fs,
    io::Read,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

/// What a finished process used.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// User CPU.
    pub user: Duration,
    /// From start to end.
    pub wall: Duration,
    /// Peak resident set.
    pub peak_kib: u64,
    /// Whether it ended with exit code 0.
    pub ok: bool,
}

/// Runs `command` `n_runs` times, output thrown away, and returns the median of each figure.
///
/// A run longer than `limit` is killed, and `None` returned.
///
/// # Errors
/// If the command, or `/usr/bin/env`'s `python3` that reads the kernel's accounts, cannot be started.
pub fn median(command: &[&str], n_runs: usize, limit: Duration) -> Result<Option<Usage>> {
    let mut runs = Vec::new();
    for _ in 0..n_runs {
        match once(command, limit)? {
            Some(usage) => runs.push(usage),
            None => return Ok(None),
        }
    }
    let middle = |mut values: Vec<u128>| {
        values.sort_unstable();
        values[values.len() / 2]
    };
    let nanos = |pick: fn(&Usage) -> Duration| {
        Duration::from_nanos(
            u64::try_from(middle(runs.iter().map(|run| pick(run).as_nanos()).collect())).unwrap_or(u64::MAX),
        )
    };
    Ok(Some(Usage {
        user: nanos(|run| run.user),
        wall: nanos(|run| run.wall),
        peak_kib: u64::try_from(middle(runs.iter().map(|run| u128::from(run.peak_kib)).collect()))
            .unwrap_or(u64::MAX),
        ok: runs.iter().all(|run| run.ok),
    }))
}

/// Time on the processor, in the kernel too, of one run of `command`: for what is over too soon to tell the two apart.
/// Output is thrown away.
///
/// # Errors
/// If the command cannot be started, or the kernel does not tell.
pub fn processor_time(command: &[&str]) -> Result<Duration> {
    let (program, args) = command.split_first().context("there is no command")?;
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {program}"))?;
    // What the kernel knows of a process is there until somebody waits for it in earnest.
    let pid = Pid::from_child(&child);
    let time = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
        .map_err(anyhow::Error::from)
        .and_then(|_| Ok(fs::read_to_string(format!("/proc/{}/schedstat", child.id()))?));
    child.wait()?;
    let time = time.with_context(|| format!("cannot measure {program}"))?;
    let nanos = time.split(' ').next().and_then(|nanos| nanos.parse().ok());
    nanos.map(Duration::from_nanos).with_context(|| format!("an odd account of {program}: {time:?}"))
}

/// Starts the command, waits for it with `wait4`, and prints what the kernel says of it. Kept to Python's standard
/// library, so that this crate needs neither `unsafe` nor GNU time.
///
/// The most memory of a process is counted from before it became another program: started by Python itself, no command
/// would seem to take less than Python. So a shell, which is smaller than any command, starts it and is gone, and Python
/// takes the orphan over (36: `PR_SET_CHILD_SUBREAPER`).
const REPORT: &str = "import ctypes,os,sys
ctypes.CDLL(None).prctl(36,1,0,0,0)
null=os.open(os.devnull,os.O_RDWR)
shell=os.fork()
if shell==0:
    os.dup2(null,0);os.dup2(null,1);os.dup2(null,2)
    os.execv('/bin/sh',['sh','-c','\"$@\" &','sh',*sys.argv[1:]])
os.waitpid(shell,0)
_,status,usage=os.wait4(-1,0)
print(usage.ru_utime,usage.ru_maxrss,os.waitstatus_to_exitcode(status))";

fn once(command: &[&str], limit: Duration) -> Result<Option<Usage>> {
    let start = Instant::now();
    let mut child = Command::new("timeout")
        .arg(limit.as_secs().max(1).to_string())
        .args(["python3", "-c", REPORT])
        .args(command)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start timeout and python3, which measure")?;
    let mut text = String::new();
    child.stdout.take().expect("was piped").read_to_string(&mut text)?;
    if child.wait()?.code() == Some(124) {
        return Ok(None);
    }
    let wall = start.elapsed();
    let words: Vec<&str> = text.split_whitespace().collect();
    let [user, peak, code] = words.as_slice() else {
        anyhow::bail!("cannot measure {}: {text:?}", command.join(" "))
    };
    anyhow::ensure!(*code != "127", "cannot start {}", command[0]);
    Ok(Some(Usage {
        user: Duration::from_secs_f64(user.parse()?),
        wall,
        peak_kib: peak.parse()?,
        ok: *code == "0",
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_command_takes_less_memory_than_what_measures_it() -> Result<()> {
        let usage = once(&["true"], Duration::from_secs(60))?.context("it ends at once")?;
        assert!(usage.ok && usage.peak_kib < 4096, "{usage:?}");
        assert!(!once(&["false"], Duration::from_secs(60))?.context("it ends at once")?.ok);
        assert!(once(&["/nowhere/to-be-found"], Duration::from_secs(60)).is_err(), "it cannot be started");
        Ok(())
    }
}
