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
const REPORT: &str = "import os,sys
null=os.open(os.devnull,os.O_RDWR)
pid=os.fork()
if pid==0:
    os.dup2(null,0);os.dup2(null,1);os.dup2(null,2)
    try: os.execvp(sys.argv[1],sys.argv[1:])
    except OSError: os._exit(127)
_,status,usage=os.wait4(pid,0)
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
