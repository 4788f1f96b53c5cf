//! What the host puts into a container: mounts.

use super::{BIN, REMOTED, own_program};
use anyhow::{Context, Result, ensure};
use rustix::{
    fs::{CWD, Gid, Mode, OFlags, Uid, mkdirat, openat, symlinkat},
    io::Errno,
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, MountFlags, MoveMountFlags, OpenTreeFlags,
        fsconfig_create, fsconfig_set_string, fsmount, fsopen, mount_bind, mount_remount, move_mount,
        open_tree,
    },
    thread::{set_thread_res_gid, set_thread_res_uid},
};
use std::{
    io,
    os::fd::OwnedFd,
    path::{Component, Path},
    process::Command,
};

/// The program that is all of the tools.
const TOOLS: &str = "systole";

/// Where agents are, on hosts and in containers.
const AGENTS: &str = "/usr/lib/ocf";

/// Who is root in a container, by the host's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Root {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// What the host puts into a container: mounts that belong nowhere yet. But for `bin` they are read-only.
pub(super) struct Host {
    /// For [`BIN`]: links with the tools' names, and empty files for the programs.
    bin: OwnedFd,
    daemon: OwnedFd,
    tools: OwnedFd,
    agents: Option<OwnedFd>,
}

impl Host {
    pub(super) fn gather(ocf_root: &Path) -> Result<Self> {
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

    /// Mounts it all; called in the container, whose root is `root`. Nothing of the image's is followed, opened or written to.
    pub(super) fn unpack(&self, root: Root) -> Result<()> {
        attach(&self.bin, &make_dir(BIN, root)?, "")?;
        attach(&self.daemon, &self.bin, REMOTED)?;
        attach(&self.tools, &self.bin, TOOLS)?;
        match &self.agents {
            Some(agents) if !Path::new(AGENTS).exists() => attach(agents, &make_dir(AGENTS, root)?, ""),
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

/// The directory `path`, made where it is missing as `root`'s: a file system of the container's own has no other users. A symbolic
/// link on the way is an error.
fn make_dir(path: &str, root: Root) -> Result<OwnedFd> {
    act_as(root).context("cannot act as the container's root")?;
    let made = make_dir_there(path);
    act_as(Root { uid: 0, gid: 0 }).context("cannot act as the host's root again")?;
    made
}

/// From now on files are opened and made as `root` does it. Capabilities go with the host's root, and come back with it.
fn act_as(root: Root) -> io::Result<()> {
    let become_user = || set_thread_res_uid(None, Uid::from_raw(root.uid), None);
    let become_group = || set_thread_res_gid(None, Gid::from_raw(root.gid), None);
    match root.uid {
        0 => become_user().and_then(|()| become_group())?,
        _ => become_group().and_then(|()| become_user())?,
    }
    Ok(())
}

fn make_dir_there(path: &str) -> Result<OwnedFd> {
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
