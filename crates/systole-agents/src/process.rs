//! One program run to its end or its timeout, in a process group of its own.

use crate::{
    Outcome, STDERR_LIMIT, STDOUT_LIMIT,
    capture::{Capture, Keep, exit_reason},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open},
};
use std::{
    io::{self, Read, Write as _},
    os::{
        fd::{AsFd, OwnedFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};
use systole_types::{OcfRc, OpStatus};

/// How long a process group has between SIGTERM and SIGKILL once its time is up.
pub const GRACE: Duration = Duration::from_millis(500);

/// What fits into a pipe before anybody reads it.
const INPUT_LIMIT: usize = 60_000;

/// As [`run`], with `input` on standard input.
pub(crate) fn run_with_input(
    command: Command,
    input: &str,
    timeout: Duration,
    spawned: &mut dyn FnMut(u32),
) -> Outcome {
    let piped = || -> io::Result<Stdio> {
        let (reader, mut writer) = io::pipe()?;
        writer.write_all(input.as_bytes())?;
        Ok(reader.into())
    };
    if input.len() > INPUT_LIMIT {
        return Outcome::finished(OcfRc::Error, OpStatus::Error, "there are too many parameters");
    }
    match piped() {
        Ok(stdin) => run_on(command, stdin, timeout, spawned),
        Err(error) => {
            Outcome::finished(OcfRc::Error, OpStatus::Error, format!("no pipe to the agent: {error}"))
        }
    }
}

/// Runs `command` in its own process group, nothing on standard input, for at most `timeout`.
///
/// Only the program itself is waited for: what it leaves running (a container's monitor, a daemon) goes on, and may hold
/// its output open.
pub fn run(command: Command, timeout: Duration, spawned: &mut dyn FnMut(u32)) -> Outcome {
    run_on(command, Stdio::null(), timeout, spawned)
}

fn run_on(mut command: Command, stdin: Stdio, timeout: Duration, spawned: &mut dyn FnMut(u32)) -> Outcome {
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).current_dir("/").process_group(0);
    let started = Instant::now();
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return cannot_spawn(&command, &error),
    };
    spawned(child.id());
    let mut outcome =
        match Supervision::new(&mut child, started, timeout).and_then(|supervision| supervision.run()) {
            Ok(outcome) => outcome,
            Err(error) => {
                kill_group(child.id(), Signal::KILL);
                let _ = child.wait();
                Outcome::finished(OcfRc::Error, OpStatus::Error, format!("lost sight of the agent: {error}"))
            }
        };
    outcome.elapsed = started.elapsed();
    outcome
}

fn cannot_spawn(command: &Command, error: &io::Error) -> Outcome {
    let path = command.get_program().to_string_lossy();
    let reason = format!("cannot start {path}: {error}");
    match error.kind() {
        io::ErrorKind::NotFound => Outcome::not_installed(reason),
        io::ErrorKind::PermissionDenied => {
            Outcome::finished(OcfRc::InsufficientPrivilege, OpStatus::Error, reason)
        }
        _ => Outcome::finished(OcfRc::Error, OpStatus::Error, reason),
    }
}

/// A child being watched.
struct Supervision<'a> {
    child: &'a mut Child,
    pidfd: OwnedFd,
    streams: [Stream; 2],
    deadline: Instant,
    timeout: Duration,
    end: End,
}

/// How far the end has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Running,
    Terminated,
    Killed,
}

struct Stream {
    pipe: Option<Box<dyn Pipe>>,
    capture: Capture,
}

trait Pipe: Read + AsFd {}
impl<T: Read + AsFd> Pipe for T {}

impl<'a> Supervision<'a> {
    fn new(child: &'a mut Child, started: Instant, timeout: Duration) -> io::Result<Self> {
        let pid = Pid::from_child(child);
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        let stdout = child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Pipe>);
        let stderr = child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Pipe>);
        let streams = [
            Stream::new(stdout, Capture::new(Keep::First, STDOUT_LIMIT))?,
            Stream::new(stderr, Capture::new(Keep::Last, STDERR_LIMIT))?,
        ];
        Ok(Self { child, pidfd, streams, deadline: started + timeout, timeout, end: End::Running })
    }

    fn run(mut self) -> io::Result<Outcome> {
        loop {
            if self.wait()? {
                let status = self.child.wait()?;
                return Ok(self.finish(status));
            }
            if Instant::now() >= self.deadline {
                self.expire();
            }
        }
    }

    /// Waits for output, the child's end or the deadline; true if the child has ended.
    fn wait(&mut self) -> io::Result<bool> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
        let mut fds = vec![PollFd::new(&self.pidfd, PollFlags::IN)];
        fds.extend(
            self.streams.iter().filter_map(|s| s.pipe.as_ref()).map(|pipe| PollFd::new(pipe, PollFlags::IN)),
        );
        match poll(&mut fds, Some(&left)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let ended = !fds[0].revents().is_empty();
        drop(fds);
        for stream in &mut self.streams {
            stream.drain();
        }
        Ok(ended)
    }

    fn expire(&mut self) {
        let (signal, end) = match self.end {
            End::Running => (Signal::TERM, End::Terminated),
            End::Terminated | End::Killed => (Signal::KILL, End::Killed),
        };
        kill_group(self.child.id(), signal);
        self.end = end;
        self.deadline = Instant::now() + GRACE;
    }

    fn finish(self, status: ExitStatus) -> Outcome {
        let [stdout, stderr] = self.streams.map(|stream| stream.capture.into_text());
        let (rc, op_status, reason) = if self.end != End::Running {
            // The leader may have obeyed SIGTERM while its helpers did not.
            kill_group(self.child.id(), Signal::KILL);
            let reason = format!("Resource agent did not complete within {}", human(self.timeout));
            (OcfRc::Error, OpStatus::TimedOut, reason)
        } else if let Some(code) = status.code() {
            (OcfRc::from_code(code), OpStatus::Done, exit_reason(&stderr))
        } else {
            let signal = status.signal().unwrap_or_default();
            let reason = format!("Resource agent interrupted by signal {signal}");
            (OcfRc::Error, OpStatus::Error, reason)
        };
        Outcome { rc, status: op_status, exit_reason: reason, stdout, stderr, elapsed: Duration::ZERO }
    }
}

impl Stream {
    fn new(pipe: Option<Box<dyn Pipe>>, capture: Capture) -> io::Result<Self> {
        if let Some(pipe) = &pipe {
            fcntl_setfl(pipe, fcntl_getfl(pipe)? | OFlags::NONBLOCK)?;
        }
        Ok(Self { pipe, capture })
    }

    /// Takes what is there now.
    fn drain(&mut self) {
        let mut buffer = [0; 8192];
        while let Some(pipe) = &mut self.pipe {
            match pipe.read(&mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(n) => self.capture.push(&buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.pipe = None,
            }
        }
    }
}

/// Sends `signal` to the process group `pgid`; that it is gone already is no error.
pub(crate) fn kill_group(pgid: u32, signal: Signal) {
    if let Some(pgid) = i32::try_from(pgid).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(pgid, signal);
    }
}

/// `20s`, `1500ms`.
fn human(span: Duration) -> String {
    if span.subsec_millis() == 0 { format!("{}s", span.as_secs()) } else { format!("{}ms", span.as_millis()) }
}
