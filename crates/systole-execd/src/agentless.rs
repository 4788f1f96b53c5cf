//! Bundles whose image has no remote daemon (`agentless=true`): the host's executor enters the container once it has
//! started and leaves this program there as its remote daemon, with the tools and, if the image has none, the host's agents.
//!
//! From then on the bundle is one like any other. See `docs/decisions/agentless-bundles.md`.

use crate::process::{ProcessName, open};
use anyhow::{Context, Result, bail, ensure};
use rustix::{
    fs::{CWD, Mode, OFlags, fcntl_setfl, mkdirat, openat, symlinkat},
    io::Errno,
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MoveMountFlags, OpenTreeFlags,
        fsconfig_create, fsconfig_set_string, fsmount, fsopen, mount_bind, mount_remount, move_mount,
        open_tree,
    },
    thread::{
        CapabilitySet, ThreadNameSpaceType, capabilities, clear_ambient_capability_set,
        move_into_thread_name_spaces, remove_capability_from_bounding_set, set_capabilities,
    },
};
use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs, io,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::{
            ffi::{OsStrExt, OsStringExt},
            fs::MetadataExt,
            net::UnixStream,
            process::CommandExt,
        },
    },
    path::{Component, Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
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

/// The program that is all of the tools.
const TOOLS: &str = "systole";

/// Where agents are, on hosts and in containers.
const AGENTS: &str = "/usr/lib/ocf";

/// Where programs are looked for if the image does not say.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The machine ends a start at its timeout, and what enters the container with it; should nobody be there to do it, this
/// is how long it may take.
const LIMIT: Duration = Duration::from_secs(60);

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
    let brought = match container {
        Some(process) => bring(process, ocf_root, spawned),
        None => Err("its first process cannot be found".to_owned()),
    };
    if let Err(reason) = brought {
        outcome.rc = OcfRc::Error;
        outcome.exit_reason = format!("no remote daemon could be brought into the container: {reason}");
    }
}

/// Runs this program in a mount namespace of its own, where it can make things read-only, to enter the container.
fn bring(container: &ProcessName, ocf_root: &Path, spawned: &mut dyn FnMut(u32)) -> Result<(), String> {
    let program = own_program().map_err(|error| error.to_string())?;
    let mut command = Command::new("unshare");
    command.args(["--mount", "--"]).arg(program).args([ENTER, &container.to_string()]).arg(ocf_root);
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
    rustix::process::umask(Mode::from_raw_mode(0o022));
    let container = Container::look_at(process)?;
    let host = Host::gather(Path::new(ocf_root))?;
    let hosts = OWN_DIRS.map(identity);
    join_control_groups(process.pid);
    move_into_thread_name_spaces(container.pidfd.as_fd(), NAMESPACES)
        .context("cannot enter the container's namespaces")?;
    for (dir, host) in OWN_DIRS.into_iter().zip(hosts) {
        ensure!(host.is_none() || identity(dir) != host, "the container's {dir} is the host's");
    }
    if UnixStream::connect(systole_wire::api::SOCKET).is_ok() {
        // A start of what runs already: so does the daemon.
        return Ok(());
    }
    host.unpack()?;
    drop_capabilities(container.capabilities).context("cannot give up capabilities")?;
    container.start_daemon()
}

/// What has to be known of a container before it is entered.
struct Container {
    pidfd: OwnedFd,
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
        // Who enters one has no user and groups in there until they are set; and rootless Podman has no cluster.
        let user = |dir: &Path| fs::read_link(dir.join("ns/user")).context("cannot read a user namespace");
        ensure!(
            user(&dir)? == user(Path::new("/proc/self"))?,
            "the container has a user namespace of its own, which is not supported"
        );
        let environment = fs::read(dir.join("environ")).context("cannot read the container's environment")?;
        let status =
            fs::read_to_string(dir.join("status")).context("cannot read the container's capabilities")?;
        Ok(Self {
            pidfd,
            environment: variables(&environment),
            capabilities: bounding_set(&status)
                .context("the kernel does not say what capabilities it has")?,
            log: log(&dir.join("fd/2")).map_or_else(|_| Stdio::null(), Stdio::from),
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

/// What the container has of its own.
const NAMESPACES: ThreadNameSpaceType = ThreadNameSpaceType::MOUNT
    .union(ThreadNameSpaceType::PROCESS_ID)
    .union(ThreadNameSpaceType::NETWORK)
    .union(ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME)
    .union(ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION)
    .union(ThreadNameSpaceType::CONTROL_GROUP);

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
fn drop_capabilities(kept: CapabilitySet) -> io::Result<()> {
    clear_ambient_capability_set()?;
    let mut sets = capabilities(None)?;
    sets.inheritable = CapabilitySet::empty();
    set_capabilities(None, sets)?;
    for capability in (0..u64::BITS).map(|number| CapabilitySet::from_bits_retain(1 << number)) {
        if !kept.intersects(capability) {
            match remove_capability_from_bounding_set(capability) {
                // The kernel knows fewer than there are bits.
                Ok(()) | Err(Errno::INVAL) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// What the host puts into a container: mounts that belong nowhere yet. But for `bin` they are read-only.
struct Host {
    /// For [`BIN`]: links with the tools' names, and empty files for the programs.
    bin: OwnedFd,
    daemon: OwnedFd,
    tools: OwnedFd,
    agents: Option<OwnedFd>,
}

impl Host {
    fn gather(ocf_root: &Path) -> Result<Self> {
        let program = own_program().context("cannot find this program")?;
        let tools = program.with_file_name(TOOLS);
        ensure!(tools.exists(), "there is no {} for the agents' tools", tools.display());
        let listed = Command::new(&tools).arg("--list-tools").output().context("cannot run systole")?;
        let names = String::from_utf8_lossy(&listed.stdout);
        Ok(Self {
            bin: make_bin(names.lines()).context("cannot make a directory for the tools")?,
            daemon: read_only(&program)?,
            tools: read_only(&tools)?,
            agents: ocf_root.is_dir().then(|| read_only(ocf_root)).transpose()?,
        })
    }

    /// Mounts it all; called in the container. Nothing of the image's is followed, opened or written to.
    fn unpack(&self) -> Result<()> {
        attach(&self.bin, &make_dir(BIN)?, "")?;
        attach(&self.daemon, &self.bin, REMOTED)?;
        attach(&self.tools, &self.bin, TOOLS)?;
        match &self.agents {
            Some(agents) if !Path::new(AGENTS).exists() => attach(agents, &make_dir(AGENTS)?, ""),
            _ => Ok(()),
        }
    }
}

/// A directory in memory with what is to be in [`BIN`].
fn make_bin<'a>(names: impl Iterator<Item = &'a str>) -> io::Result<OwnedFd> {
    let filesystem = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&filesystem, "mode", "0755")?;
    fsconfig_create(&filesystem)?;
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    let bin = fsmount(&filesystem, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?;
    for program in [REMOTED, TOOLS] {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        openat(&bin, program, flags, Mode::from_raw_mode(0o755))?;
    }
    for name in names.filter(|name| !name.contains('/') && ![REMOTED, TOOLS].contains(name)) {
        symlinkat(TOOLS, &bin, name)?;
    }
    Ok(bin)
}

/// `path` as a mount of its own that nobody can write to.
fn read_only(path: &Path) -> Result<OwnedFd> {
    let cannot = || format!("cannot make {} a mount", path.display());
    mount_bind(path, path).with_context(cannot)?;
    mount_remount(path, MountFlags::BIND | MountFlags::RDONLY, "").with_context(cannot)?;
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    open_tree(CWD, path, flags).with_context(cannot)
}

/// Mounts `tree` at `name` in `dir`, or at `dir` itself if that is empty.
fn attach(tree: &OwnedFd, dir: &OwnedFd, name: &str) -> Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(tree, "", dir, name, flags).with_context(|| format!("cannot mount {name:?} in there"))
}

/// The directory `path`, made where it is missing. A symbolic link on the way is an error.
fn make_dir(path: &str) -> Result<OwnedFd> {
    let cannot = || format!("cannot make {path} in there");
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut dir = openat(CWD, "/", flags, Mode::empty()).with_context(cannot)?;
    for component in Path::new(path).components() {
        let Component::Normal(name) = component else { continue };
        match mkdirat(&dir, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error).with_context(cannot),
        }
        dir = openat(&dir, name, flags, Mode::empty()).with_context(cannot)?;
    }
    Ok(dir)
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
