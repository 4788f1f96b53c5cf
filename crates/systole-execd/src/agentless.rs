//! Bundles whose image has no remote daemon (`agentless=true`): the host's executor enters the container once it has
//! started and leaves this program there as its remote daemon, with the tools and, if the image has none, the host's agents.
//!
//! From then on the bundle is one like any other. See `docs/decisions/agentless-bundles.md`.

mod mounts;
mod runtime;

use crate::{
    containers::{container_name, id_of},
    process::{ProcessName, open},
};
use anyhow::{Context, Result, bail, ensure};
use mounts::{Host, Root};
use runtime::{Runtime, State};
use rustix::{
    fs::{CWD, Mode, OFlags, fcntl_setfl, openat},
    process::{WaitOptions, getpid, set_child_subreaper, wait},
    thread::{
        LinkNameSpaceType, ThreadNameSpaceType, move_into_link_name_space, move_into_thread_name_spaces,
    },
};
use std::{
    ffi::OsString,
    fs::{self, File},
    io,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::{
            ffi::{OsStrExt, OsStringExt},
            fs::MetadataExt,
            net::UnixStream,
        },
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};
use systole_agents::Outcome;
use systole_types::{OcfRc, OpStatus};
use systole_wire::exec::Operation;

/// The argument that makes this program enter a container.
pub const ENTER: &str = "--enter-container";

/// How the scheduler tells that a container is to be entered.
const META: &str = "CRM_meta_agentless";

/// Where programs of ours are in the container.
const BIN: &str = "/run/systole/bin";

/// The name by which this program is a remote daemon.
const REMOTED: &str = "pacemaker-remoted";

/// Where programs are looked for if the image does not say.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The machine ends a start at its timeout, and what enters the container with it; should nobody be there to do it, this
/// is how long it may take.
const LIMIT: Duration = Duration::from_secs(60);

/// How long a daemon that runs may take to listen, and how often that is looked for.
const PATIENCE: Duration = Duration::from_secs(20);
const ROUND: Duration = Duration::from_millis(5);

/// What a container must not share with the host: the daemon's socket would be the host's.
const OWN_DIRS: [&str; 2] = ["/run", "/run/systole"];

/// Sees to it that a container that `operation` has started has a remote daemon, if it is to have one of ours. A start
/// without one is a failed start. `spawned` is told the process group that does it.
pub(crate) fn complete(
    operation: &Operation,
    outcome: &mut Outcome,
    container: Option<&ProcessName>,
    ocf_root: &Path,
    spawned: &mut dyn FnMut(u32),
) {
    let is_wanted = operation.parameters.get(META).is_some_and(|value| value == "true");
    if !is_wanted || operation.operation != "start" || outcome.rc != OcfRc::Ok {
        return;
    }
    let id = container_name(operation).and_then(id_of);
    let brought = match container.zip(id) {
        Some((process, id)) => bring(process, &id, ocf_root, spawned),
        None => Err("its first process cannot be found".to_owned()),
    };
    if let Err(reason) = brought {
        outcome.rc = OcfRc::Error;
        outcome.exit_reason = format!("no remote daemon could be brought into the container: {reason}");
    }
}

/// Runs this program in a mount namespace of its own, where it can make things read-only, to enter the container.
fn bring(
    container: &ProcessName,
    id: &str,
    ocf_root: &Path,
    spawned: &mut dyn FnMut(u32),
) -> Result<(), String> {
    let program = own_program().map_err(|error| error.to_string())?;
    let mut command = Command::new("unshare");
    command.args(["--mount", "--"]).arg(program).args([ENTER, &container.to_string(), id]).arg(ocf_root);
    let outcome = systole_agents::run_program(command, LIMIT, spawned);
    for line in outcome.stderr.lines() {
        systole_link::log_line("execd", "notice", &format!("entering a container: {line}"));
    }
    match (outcome.rc, outcome.status) {
        (OcfRc::Ok, OpStatus::Done) => Ok(()),
        (_, OpStatus::Done) => Err(outcome.stderr.lines().last().unwrap_or("it is not known why").to_owned()),
        _ => Err(outcome.exit_reason),
    }
}

/// This program's file. If an upgrade has replaced it, the kernel says so after its name.
fn own_program() -> io::Result<PathBuf> {
    let program = std::env::current_exe()?.into_os_string().into_vec();
    let name = program.strip_suffix(b" (deleted)").unwrap_or(&program);
    Ok(PathBuf::from(OsString::from_vec(name.to_vec())))
}

/// Enters the container whose first process is `arguments[0]`, a process's name, and whose runtime calls it `arguments[1]`, and has a
/// remote daemon started there; `arguments[2]` is where the host has agents. Returns once the daemon runs.
///
/// To be called by a process with one thread, in a mount namespace of its own.
///
/// # Errors
/// If something of this cannot be done.
pub fn enter_container(arguments: &[OsString]) -> Result<()> {
    let [process, id, ocf_root] = arguments else { bail!("{ENTER} PROCESS ID OCF_ROOT") };
    let process: ProcessName = process.to_string_lossy().parse().context("this is no process's name")?;
    // What is made here is for everybody in the container.
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let mut container = Container::look_at(process, &id.to_string_lossy())?;
    let host = Host::gather(Path::new(ocf_root))?;
    match container.equip(&host)? {
        Found::Nothing => container.start_daemon(),
        // A start of what runs already: so does the daemon.
        Found::Daemon => Ok(()),
    }
}

/// A container that is to be entered.
struct Container {
    pidfd: OwnedFd,
    runtime: Runtime,
    state: State,
    root: Root,
    /// Where its first process writes its errors.
    log: Stdio,
}

/// What was in a container before.
enum Found {
    Nothing,
    Daemon,
}

impl Container {
    fn look_at(process: ProcessName, id: &str) -> Result<Self> {
        let pidfd = open(&process).context("the container has ended")?;
        let runtime = Runtime::of(id)?;
        let state = runtime.state()?;
        ensure!(state.pid == process.pid, "the container has been started anew");
        let dir = PathBuf::from(format!("/proc/{}", process.pid));
        let root = |map: &str| {
            let map = fs::read_to_string(dir.join(map)).context("cannot read the container's users")?;
            host_id_of_root(&map).context("the container has no root")
        };
        Ok(Self {
            pidfd,
            runtime,
            state,
            root: Root { uid: root("uid_map")?, gid: root("gid_map")? },
            log: log(&dir.join("fd/2")).map_or_else(|_| Stdio::null(), Stdio::from),
        })
    }

    /// Does `what` in the container's mount namespace.
    fn visit<T>(&self, what: impl FnOnce() -> Result<T>) -> Result<T> {
        let home = File::open("/proc/self/ns/mnt").context("cannot find the way back")?;
        move_into_thread_name_spaces(self.pidfd.as_fd(), ThreadNameSpaceType::MOUNT)
            .context("cannot enter the container's mount namespace")?;
        let done = what()?;
        move_into_link_name_space(home.as_fd(), Some(LinkNameSpaceType::Mount))
            .context("cannot leave the container's mount namespace")?;
        Ok(done)
    }

    /// Puts into the container what the daemon needs.
    fn equip(&self, host: &Host) -> Result<Found> {
        let hosts = OWN_DIRS.map(identity);
        self.visit(|| {
            for (dir, host) in OWN_DIRS.into_iter().zip(hosts) {
                ensure!(host.is_none() || identity(dir) != host, "the container's {dir} is the host's");
            }
            if does_daemon_listen() {
                return Ok(Found::Daemon);
            }
            host.unpack(self.root)?;
            Ok(Found::Nothing)
        })
    }

    /// Has the daemon started among the container's processes.
    fn start_daemon(&mut self) -> Result<()> {
        let process = self.state.daemon()?;
        // The runtime leaves it to us, and does not say whether it could be run.
        set_child_subreaper(Some(getpid())).context("cannot wait for the daemon")?;
        self.runtime.start(&process, std::mem::replace(&mut self.log, Stdio::null()))?;
        self.visit(await_daemon)
    }
}

fn does_daemon_listen() -> bool {
    UnixStream::connect(systole_wire::api::SOCKET).is_ok()
}

/// Waits until the daemon, a child of this process, listens.
fn await_daemon() -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !does_daemon_listen() {
        if let Ok(Some((_, status))) = wait(WaitOptions::NOHANG) {
            let how = match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => format!("with code {code}"),
                (_, signal) => format!("by signal {}", signal.unwrap_or_default()),
            };
            bail!("the daemon has ended there at once, {how} (is it linked statically?)");
        }
        ensure!(Instant::now() < deadline, "the daemon runs there, but does not listen");
        std::thread::sleep(ROUND);
    }
    Ok(())
}

/// The host's number for root, by a user namespace's `uid_map` or `gid_map`. Source: user_namespaces(7).
fn host_id_of_root(map: &str) -> Option<u32> {
    map.lines().find_map(|line| {
        let mut fields = line.split_whitespace();
        let (inside, outside) = (fields.next()?, fields.next()?);
        (inside == "0").then(|| outside.parse().ok())?
    })
}

/// What tells a directory from every other.
fn identity(dir: &str) -> Option<(u64, u64)> {
    fs::metadata(dir).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// The pipe at `fd`, to write to. Nothing but a pipe is opened: a container may have put there what it likes.
fn log(fd: &Path) -> io::Result<OwnedFd> {
    let found = openat(CWD, fd, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let found = PathBuf::from(format!("/proc/self/fd/{}", found.as_raw_fd()));
    if !fs::read_link(&found)?.as_os_str().as_bytes().starts_with(b"pipe:[") {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // A pipe that nobody reads would be waited for.
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let pipe = openat(CWD, &found, flags, Mode::empty())?;
    fcntl_setfl(&pipe, OFlags::APPEND)?;
    Ok(pipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_whoever_the_map_says() {
        let maps = [
            ("         0          0 4294967295\n", Some(0)),
            ("         1     200000      65535\n         0       1000          1\n", Some(1000)),
            ("      1000       1000          1\n", None),
            ("", None),
        ];
        for (map, root) in maps {
            assert_eq!(host_id_of_root(map), root, "{map:?}");
        }
    }
}
