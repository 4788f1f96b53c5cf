//! Keeps a node's daemons running, as systemd does on a real host.

use crate::stack::{Daemon, Stack};
use anyhow::{Context, Result};
use rustix::process::{Pid, WaitStatus};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    process::{Command, Stdio},
    sync::{Mutex, MutexGuard},
    thread,
    time::{Duration, Instant},
};

/// A daemon that dies is started again after this long.
const RESTART_AFTER: Duration = Duration::from_millis(100);

/// One that dies at once every time is started again this rarely.
const RESTART_AFTER_AT_MOST: Duration = Duration::from_secs(5);

/// A daemon that ran this long did start.
const HAS_STARTED: Duration = Duration::from_secs(2);

/// Where programs on a node look for programs.
pub const NODE_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The daemons of a node.
pub struct Daemons {
    daemons: Vec<Daemon>,
    running: Mutex<BTreeMap<i32, Running>>,
}

struct Running {
    daemon: &'static Daemon,
    since: Instant,
    restart_after: Duration,
}

impl Daemons {
    /// The daemons of `node`, not started yet.
    pub fn new(node: &str, stack: Stack) -> &'static Self {
        Box::leak(Box::new(Daemons { daemons: stack.daemons(node), running: Mutex::new(BTreeMap::new()) }))
    }

    /// Starts all of them.
    ///
    /// # Errors
    /// If one cannot be started.
    pub fn start(&'static self) -> Result<()> {
        fs::create_dir_all("/run/systole")?;
        self.daemons.iter().try_for_each(|daemon| self.spawn(daemon, RESTART_AFTER))
    }

    /// A process of this node ended; if it was a daemon, it is started again.
    pub fn ended(&'static self, pid: Pid, status: WaitStatus) {
        let Some(ended) = self.lock().remove(&pid.as_raw_pid()) else { return };
        let wait = if ended.since.elapsed() >= HAS_STARTED { RESTART_AFTER } else { ended.restart_after };
        let how = how_ended(status);
        say(
            "warning",
            &format!("{} (process {pid}) {how}; it is started again in {wait:?}", ended.daemon.name),
        );
        thread::spawn(move || {
            thread::sleep(wait);
            let next_wait = (wait * 2).min(RESTART_AFTER_AT_MOST);
            if let Err(error) = self.spawn(ended.daemon, next_wait) {
                say("error", &format!("{error:#}"));
            }
        });
    }

    fn spawn(&self, daemon: &'static Daemon, restart_after: Duration) -> Result<()> {
        // Held over the start: the process may end before it is noted down.
        let mut running = self.lock();
        let log = log_file(daemon.name)?;
        let mut command = Command::new(&daemon.program);
        command.args(&daemon.arguments);
        command.env_clear().env("PATH", NODE_PATH);
        command.env("LC_ALL", "C").env("HOME", "/root").current_dir("/");
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("cannot start {}", daemon.name))?;
        let pid = i32::try_from(child.id()).expect("process ids are small");
        running.insert(pid, Running { daemon, since: Instant::now(), restart_after });
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<i32, Running>> {
        self.running.lock().expect("no thread panics with the lock held")
    }
}

/// Where a daemon's output goes.
pub fn log_path(program: &str) -> String {
    format!("/var/log/systole/{program}.log")
}

fn log_file(program: &str) -> Result<File> {
    let path = log_path(program);
    File::options().create(true).append(true).open(&path).with_context(|| format!("cannot open {path}"))
}

fn how_ended(status: WaitStatus) -> String {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

/// Writes a line on the node's console.
fn say(level: &str, text: &str) {
    systole_link::log_line("init", level, text);
}
