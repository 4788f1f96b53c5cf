//! Bundles whose image has no remote daemon (`agentless=true`): the host's executor enters the container once it has
//! started and leaves this program there as its remote daemon, with the tools and, if the image has none, the host's agents.
//!
//! From then on the bundle is one like any other. See `docs/decisions/agentless-bundles.md`.

use crate::process::{ProcessName, open};
use anyhow::{Context, Result, bail, ensure};
use rustix::{
    fs::CWD,
    mount::{MountFlags, MoveMountFlags, OpenTreeFlags, mount_bind, mount_remount, move_mount, open_tree},
    thread::{
        CapabilitySet, ThreadNameSpaceType, move_into_thread_name_spaces, remove_capability_from_bounding_set,
    },
};
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs::{self, File},
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::{ffi::OsStringExt, fs::symlink, net::UnixStream, process::CommandExt},
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use systole_agents::Outcome;
use systole_types::OcfRc;
use systole_wire::exec::Operation;

/// The argument that makes this program enter a container.
pub const ENTER: &str = "--enter-container";

/// How the scheduler tells that a container is to be entered.
const META: &str = "CRM_meta_agentless";

/// Where programs of ours are in the container.
const BIN: &str = "/run/systole/bin";

/// The name by which this program is a remote daemon.
const REMOTED: &str = "pacemaker-remoted";

/// Where agents are, on hosts and in containers.
const AGENTS: &str = "/usr/lib/ocf";

/// Where programs are looked for if the image does not say.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Sees to it that a container that `operation` has started has a remote daemon, if it is to have one of ours. A start
/// without one is a failed start.
pub(crate) fn complete(
    operation: &Operation,
    outcome: &mut Outcome,
    container: Option<&ProcessName>,
    ocf_root: &Path,
) {
    let is_wanted = operation.parameters.get(META).is_some_and(|value| value == "true");
    if !is_wanted || operation.operation != "start" || outcome.rc != OcfRc::Ok {
        return;
    }
    let brought = match container {
        Some(process) => bring(process, ocf_root),
        None => Err("its first process cannot be found".to_owned()),
    };
    if let Err(reason) = brought {
        outcome.rc = OcfRc::Error;
        outcome.exit_reason = format!("no remote daemon could be brought into the container: {reason}");
    }
}

/// Runs this program in a mount namespace of its own, where it can make things read-only, to enter the container.
fn bring(container: &ProcessName, ocf_root: &Path) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new("unshare");
    command.args(["--mount", "--"]).arg(program).args([ENTER, &container.to_string()]).arg(ocf_root);
    let output =
        command.stdin(Stdio::null()).output().map_err(|error| format!("cannot run unshare: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(said.lines().last().unwrap_or("it is not known why").to_owned())
        }
    }
}

/// Enters the container whose first process is `arguments[0]`, a process's name, and starts a remote daemon there;
/// `arguments[1]` is where the host has agents. Returns once the daemon runs.
///
/// To be called by a process with one thread, in a mount namespace of its own.
///
/// # Errors
/// If something of this cannot be done.
pub fn enter_container(arguments: &[OsString]) -> Result<()> {
    let [process, ocf_root] = arguments else { bail!("{ENTER} PROCESS OCF_ROOT") };
    let process: ProcessName = process.to_string_lossy().parse().context("this is no process's name")?;
    // What is made here is for everybody in the container.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
    let container = Container::look_at(process)?;
    let host = Host::gather(Path::new(ocf_root))?;
    join_control_groups(process.pid);
    move_into_thread_name_spaces(container.pidfd.as_fd(), container.namespaces)
        .context("cannot enter the container's namespaces")?;
    if UnixStream::connect(systole_wire::api::SOCKET).is_ok() {
        // A start of what runs already: so does the daemon.
        return Ok(());
    }
    host.unpack()?;
    drop_capabilities(container.capabilities);
    container.start_daemon()
}

/// What has to be known of a container before it is entered.
struct Container {
    pidfd: OwnedFd,
    namespaces: ThreadNameSpaceType,
    /// Its first process's variables.
    environment: BTreeMap<OsString, OsString>,
    /// Capabilities that processes in there may have.
    capabilities: CapabilitySet,
    /// Where its first process writes its errors.
    log: Stdio,
}

impl Container {
    fn look_at(process: ProcessName) -> Result<Self> {
        let pidfd = open(&process).context("the container has ended")?;
        let dir = PathBuf::from(format!("/proc/{}", process.pid));
        let environment = fs::read(dir.join("environ")).context("cannot read the container's environment")?;
        let status =
            fs::read_to_string(dir.join("status")).context("cannot read the container's capabilities")?;
        let log =
            File::options().append(true).open(dir.join("fd/2")).map_or_else(|_| Stdio::null(), Stdio::from);
        Ok(Self {
            pidfd,
            namespaces: namespaces(&dir),
            environment: variables(&environment),
            capabilities: bounding_set(&status)
                .context("the kernel does not say what capabilities it has")?,
            log,
        })
    }

    /// Starts the daemon among the container's processes, with the container's own environment.
    fn start_daemon(mut self) -> Result<()> {
        let path = self.environment.remove(OsStr::new("PATH")).unwrap_or_else(|| DEFAULT_PATH.into());
        let program = Path::new(BIN).join(REMOTED);
        let mut command = Command::new(&program);
        command.arg("--remote").env_clear().envs(self.environment).current_dir("/").process_group(0);
        command.env("PATH", [path, BIN.into()].join(OsStr::new(":")));
        // The agents' word for where the tools are, and the daemon's for burying what they leave behind.
        command.env("HA_SBIN_DIR", BIN).env("PCMK_remote_pid1", "full");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(self.log);
        let daemon = command.spawn().with_context(|| {
            format!("cannot run {} in there (is it linked statically?)", program.display())
        })?;
        // It belongs to the container from now on.
        drop(daemon);
        Ok(())
    }
}

/// All the container has of its own. A process cannot enter the user namespace it is in.
fn namespaces(dir: &Path) -> ThreadNameSpaceType {
    let mut all = ThreadNameSpaceType::MOUNT
        | ThreadNameSpaceType::PROCESS_ID
        | ThreadNameSpaceType::NETWORK
        | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME
        | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION
        | ThreadNameSpaceType::CONTROL_GROUP;
    let user = |dir: &Path| fs::read_link(dir.join("ns/user")).ok();
    if user(dir) != user(Path::new("/proc/self")) {
        all |= ThreadNameSpaceType::USER;
    }
    all
}

/// `NAME=VALUE`, each with a zero byte after it.
fn variables(environment: &[u8]) -> BTreeMap<OsString, OsString> {
    let variables = environment.split(|&byte| byte == 0).filter_map(|variable| {
        let at = variable.iter().position(|&byte| byte == b'=').filter(|&at| at > 0)?;
        let text = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        Some((text(&variable[..at]), text(&variable[at + 1..])))
    });
    variables.collect()
}

/// `CapBnd` in `/proc/PID/status`.
fn bounding_set(status: &str) -> Option<CapabilitySet> {
    let text = status.lines().find_map(|line| line.strip_prefix("CapBnd:"))?.trim();
    Some(CapabilitySet::from_bits_retain(u64::from_str_radix(text, 16).ok()?))
}

/// Whatever is started from now on has no more capabilities than `kept`.
fn drop_capabilities(kept: CapabilitySet) {
    for capability in (0..u64::BITS).map(|number| CapabilitySet::from_bits_retain(1 << number)) {
        if !kept.intersects(capability) {
            // The kernel knows fewer than there are bits.
            let _ = remove_capability_from_bounding_set(capability);
        }
    }
}

/// What the host puts into a container: mounts that belong nowhere yet, read-only.
struct Host {
    daemon: OwnedFd,
    tools: OwnedFd,
    /// Names of tools.
    names: Vec<String>,
    agents: Option<OwnedFd>,
}

impl Host {
    fn gather(ocf_root: &Path) -> Result<Self> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let tools = program.with_file_name("systole");
        ensure!(tools.exists(), "there is no {} for the agents' tools", tools.display());
        let listed = Command::new(&tools).arg("--list-tools").output().context("cannot run systole")?;
        let names = String::from_utf8_lossy(&listed.stdout).lines().map(str::to_owned).collect();
        Ok(Self {
            daemon: read_only(&program)?,
            tools: read_only(&tools)?,
            names,
            agents: ocf_root.is_dir().then(|| read_only(ocf_root)).transpose()?,
        })
    }

    /// Mounts it all; called in the container.
    fn unpack(&self) -> Result<()> {
        let bin = Path::new(BIN);
        make_dir(bin)?;
        for (tree, name) in [(&self.daemon, REMOTED), (&self.tools, "systole")] {
            let file = bin.join(name);
            File::create(&file).with_context(|| format!("cannot make {} in there", file.display()))?;
            attach(tree, &file)?;
        }
        for name in self.names.iter().filter(|name| !name.contains('/')) {
            match symlink("systole", bin.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(error).with_context(|| format!("cannot make {name} in there"));
                }
                _ => {}
            }
        }
        if let Some(agents) = self.agents.as_ref().filter(|_| !Path::new(AGENTS).exists()) {
            make_dir(Path::new(AGENTS))?;
            attach(agents, Path::new(AGENTS))?;
        }
        Ok(())
    }
}

/// `path` as a mount of its own that nobody can write to.
fn read_only(path: &Path) -> Result<OwnedFd> {
    let cannot = || format!("cannot make {} a mount", path.display());
    mount_bind(path, path).with_context(cannot)?;
    mount_remount(path, MountFlags::BIND | MountFlags::RDONLY, "").with_context(cannot)?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    open_tree(CWD, path, flags).with_context(cannot)
}

fn attach(tree: &OwnedFd, at: &Path) -> Result<()> {
    move_mount(tree, "", CWD, at, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
        .with_context(|| format!("cannot mount {} in there", at.display()))
}

fn make_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("cannot make {} in there", path.display()))
}

/// Puts this process into the control groups of the process `pid`: what runs in the container counts as the container's,
/// and does not end with the executor's service. Where that is not possible, it says so and goes on.
fn join_control_groups(pid: u32) {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    for dir in control_groups(&groups, &mounts) {
        if let Err(error) = fs::write(dir.join("cgroup.procs"), "0") {
            let message = format!("cannot join the container's control group {}: {error}", dir.display());
            systole_link::log_line("execd", "warning", &message);
        }
    }
}

/// The directories of the control groups in `groups` (`/proc/PID/cgroup`), by `mounts` (`/proc/self/mountinfo`).
fn control_groups(groups: &str, mounts: &str) -> Vec<PathBuf> {
    let hierarchies: Vec<Hierarchy<'_>> = mounts.lines().filter_map(Hierarchy::read).collect();
    let dirs = groups.lines().filter_map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let hierarchy = hierarchies.iter().find(|hierarchy| hierarchy.has(controllers))?;
        let below = Path::new(path).strip_prefix(hierarchy.root).ok()?;
        Some(Path::new(hierarchy.at).join(below))
    });
    dirs.collect()
}

/// A hierarchy of control groups, as it is mounted.
struct Hierarchy<'a> {
    root: &'a str,
    at: &'a str,
    is_unified: bool,
    options: &'a str,
}

impl<'a> Hierarchy<'a> {
    /// A line of `mountinfo`. Source: proc_pid_mountinfo(5).
    fn read(line: &'a str) -> Option<Self> {
        let (mount, filesystem) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (root, at) = (mount.next()?, mount.next()?);
        let mut filesystem = filesystem.split(' ');
        let kind = filesystem.next()?;
        let options = filesystem.nth(1).unwrap_or_default();
        matches!(kind, "cgroup" | "cgroup2").then_some(Self {
            root,
            at,
            is_unified: kind == "cgroup2",
            options,
        })
    }

    /// Whether it is the one with these controllers; the unified one has no names.
    fn has(&self, controllers: &str) -> bool {
        match controllers.split(',').next() {
            None | Some("") => self.is_unified,
            Some(first) => !self.is_unified && self.options.split(',').any(|option| option == first),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_groups_are_found_where_they_are_mounted() {
        let mounts = "\
30 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
32 30 0:30 /lab /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
33 30 0:31 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
34 30 0:32 / /sys/fs/cgroup/unified rw,relatime shared:4 - cgroup2 cgroup2 rw";
        let groups = "9:name=systemd:/a\n8:pids:/lab/b\n3:cpuset:/\n1:cpu,cpuacct:/a/b\n0::/c";
        let found = control_groups(groups, mounts);
        let expected = ["systemd/a", "pids/b", "cpu,cpuacct/a/b", "unified/c"]
            .map(|dir| Path::new("/sys/fs/cgroup").join(dir));
        assert_eq!(found, expected);
    }

    #[test]
    fn an_environment_and_a_bounding_set_are_read_as_the_kernel_writes_them() {
        let found = variables(b"A=b=c\0PATH=/bin\0=x\0broken\0\0");
        assert_eq!(found, BTreeMap::from([("A".into(), "b=c".into()), ("PATH".into(), "/bin".into())]));
        let set = bounding_set("CapEff:\t0000000000000000\nCapBnd:\t0000000000000003\n");
        assert_eq!(set, Some(CapabilitySet::CHOWN | CapabilitySet::DAC_OVERRIDE));
        assert_eq!(bounding_set("CapEff:\t0\n"), None);
    }
}
