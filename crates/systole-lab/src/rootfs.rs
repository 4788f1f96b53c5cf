//! A node's view of the machine: a root file system of its own.
//!
//! Programs are the host's (`/usr` and `/etc` are copy-on-write overlays of it, so whatever is installed on the host is
//! installed on the node, and nothing a node writes reaches the host). Everything else is the node's: `/var`, `/root`
//! and the overlays' upper layers survive a power-off; `/run`, `/tmp`, `/dev/shm` do not.

use crate::{
    cgroup::{self, Hierarchy},
    init::BootOrder,
    layout::{IMAGE_STORE, NODE_BIN, NODE_RUN},
};
use anyhow::{Context, Result};
use rustix::mount::{MountFlags, UnmountFlags};
use std::{
    ffi::CString,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

/// Directories of the node's own disk.
const DIRECTORIES: &[&str] = &[
    "dev",
    "etc",
    "home",
    "media",
    "mnt",
    "opt",
    "proc",
    "root",
    "run",
    "srv",
    "sys",
    "tmp",
    "usr",
    "var/cache",
    "var/lib/containers",
    "var/lib/misc",
    "var/lib/pacemaker/cib",
    "var/lib/pacemaker/pengine",
    "var/lib/systole",
    "var/lib/systole-lab/images/store",
    "var/log/containers/stdouts",
    "var/log/pacemaker/bundles",
    "var/log/systole",
    "var/spool",
    "var/tmp",
];

/// Device files every program may expect.
const DEVICES: &[&str] =
    &["null", "zero", "full", "random", "urandom", "tty", "fuse", "net/tun", "loop-control", "kmsg"];

/// Builds the node's root and makes it this process's.
///
/// # Errors
/// If a mount fails.
pub fn enter(order: &BootOrder) -> Result<()> {
    let root = order.disk.join("root");
    for dir in DIRECTORIES {
        make_dir(&root.join(dir))?;
    }
    bind(&root, &root)?;
    for dir in ["usr", "etc"] {
        overlay(&order.disk, dir, &root)?;
    }
    host_aliases(&root)?;
    api_file_systems(&root)?;
    devices(&root)?;
    control_groups(&root, &order.hierarchies)?;
    bind_read_only(&order.bin_dir, &below(&root, NODE_BIN))?;
    if order.daemons {
        tools(&root, &order.tools)?;
    }
    bind_read_only(Path::new(IMAGE_STORE), &below(&root, IMAGE_STORE))?;
    bind(&order.hub_dir, &below(&root, NODE_RUN))?;
    if let Some(files) = &order.files {
        copy_tree(files, &root, &[("@NODE@", &order.node), ("@ADDRESS@", &order.address.to_string())])?;
    }
    boot_id(&root, &order.boot_id)?;
    change_root(&root)
}

/// `/bin` and its like: links on a merged-usr system, else the host's directories.
fn host_aliases(root: &Path) -> Result<()> {
    for name in ["bin", "sbin", "lib", "lib32", "lib64", "libx32"] {
        let host = Path::new("/").join(name);
        let here = root.join(name);
        if let Ok(target) = fs::read_link(&host) {
            let _ = symlink(target, here);
        } else if host.is_dir() {
            bind_read_only(&host, &here)?;
        }
    }
    Ok(())
}

/// The tools under all their names, over those of a Pacemaker that is installed on the host.
fn tools(root: &Path, names: &[String]) -> Result<()> {
    let program = Path::new(NODE_BIN).join("systole");
    for name in names {
        for dir in ["usr/sbin", "usr/bin"] {
            let link = root.join(dir).join(name);
            if dir == "usr/sbin" || link.symlink_metadata().is_ok() {
                let _ = fs::remove_file(&link);
                symlink(&program, &link).with_context(|| format!("cannot link {}", link.display()))?;
            }
        }
    }
    Ok(())
}

fn api_file_systems(root: &Path) -> Result<()> {
    let quiet = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", "proc", &root.join("proc"), quiet, "")?;
    mount("sysfs", "sysfs", &root.join("sys"), quiet, "")?;
    tmpfs(&root.join("run"), "mode=755")?;
    tmpfs(&root.join("tmp"), "mode=1777")?;
    make_dir(&root.join("run/lock"))?;
    let var_run = root.join("var/run");
    if var_run.symlink_metadata().is_err() {
        symlink("/run", &var_run).context("cannot link /var/run")?;
        symlink("/run/lock", root.join("var/lock")).context("cannot link /var/lock")?;
    }
    Ok(())
}

fn devices(root: &Path) -> Result<()> {
    let dev = root.join("dev");
    tmpfs(&dev, "mode=755")?;
    for device in DEVICES.iter().filter(|device| Path::new("/dev").join(device).exists()) {
        let here = dev.join(device);
        make_dir(here.parent().expect("a device is in a directory"))?;
        fs::write(&here, "").with_context(|| format!("cannot make {}", here.display()))?;
        bind(&Path::new("/dev").join(device), &here)?;
    }
    for (link, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "fd/0"),
        ("stdout", "fd/1"),
        ("stderr", "fd/2"),
        ("ptmx", "pts/ptmx"),
    ] {
        symlink(target, dev.join(link)).with_context(|| format!("cannot link /dev/{link}"))?;
    }
    for dir in ["pts", "shm", "mqueue"] {
        make_dir(&dev.join(dir))?;
    }
    let pts = MountFlags::NOSUID | MountFlags::NOEXEC;
    mount("devpts", "devpts", &dev.join("pts"), pts, "newinstance,ptmxmode=0666,mode=620")?;
    tmpfs(&dev.join("shm"), "mode=1777")?;
    mount("mqueue", "mqueue", &dev.join("mqueue"), MountFlags::NOSUID, "")
}

/// The cgroup file systems as this node's cgroup namespace shows them, at the host's places.
fn control_groups(root: &Path, hierarchies: &[Hierarchy]) -> Result<()> {
    if hierarchies.iter().any(|hierarchy| hierarchy.v1_options.is_some()) {
        tmpfs(&root.join("sys/fs/cgroup"), "mode=755")?;
    }
    for hierarchy in hierarchies {
        let here = below(root, &hierarchy.mount_point);
        make_dir(&here)?;
        match &hierarchy.v1_options {
            Some(options) => mount("cgroup", "cgroup", &here, MountFlags::empty(), options)?,
            None => {
                mount("cgroup2", "cgroup2", &here, MountFlags::empty(), "")?;
                leave_group_root(&here)?;
            }
        }
    }
    Ok(())
}

/// cgroup v2 hands controllers on only from a group without processes: containers need that of the node's own group.
fn leave_group_root(here: &Path) -> Result<()> {
    let own = here.join(cgroup::OWN_GROUP);
    make_dir(&own)?;
    fs::write(own.join("cgroup.procs"), "0").context("cannot enter the node's own control group")?;
    cgroup::delegate_controllers(here);
    Ok(())
}

/// Programs tell a reboot by `boot_id`, which the kernel has only one of.
fn boot_id(root: &Path, id: &str) -> Result<()> {
    let file = root.join("run/boot_id");
    fs::write(&file, format!("{id}\n")).context("cannot write /run/boot_id")?;
    bind(&file, &root.join("proc/sys/kernel/random/boot_id"))
}

fn change_root(root: &Path) -> Result<()> {
    std::env::set_current_dir(root).context("cannot enter the node's root")?;
    rustix::process::pivot_root(".", ".").context("cannot change the root")?;
    rustix::mount::unmount(".", UnmountFlags::DETACH).context("cannot let go of the host's root")?;
    std::env::set_current_dir("/").context("cannot enter the new root")
}

fn overlay(disk: &Path, dir: &str, root: &Path) -> Result<()> {
    let (upper, work) = (disk.join(format!("{dir}.upper")), disk.join(format!("{dir}.work")));
    make_dir(&upper)?;
    make_dir(&work)?;
    let options = format!("lowerdir=/{dir},upperdir={},workdir={}", upper.display(), work.display());
    mount("overlay", "overlay", &root.join(dir), MountFlags::empty(), &options)
}

fn tmpfs(at: &Path, options: &str) -> Result<()> {
    mount("tmpfs", "tmpfs", at, MountFlags::NOSUID, options)
}

fn mount(source: &str, kind: &str, at: &Path, flags: MountFlags, options: &str) -> Result<()> {
    let options = CString::new(options).expect("mount options have no NUL");
    rustix::mount::mount(source, at, kind, flags, options.as_c_str())
        .with_context(|| format!("cannot mount {kind} ({}) at {}", options.to_string_lossy(), at.display()))
}

fn bind(from: &Path, to: &Path) -> Result<()> {
    if from.is_dir() {
        make_dir(to)?;
    }
    rustix::mount::mount_bind(from, to)
        .with_context(|| format!("cannot mount {} at {}", from.display(), to.display()))
}

fn bind_read_only(from: &Path, to: &Path) -> Result<()> {
    bind(from, to)?;
    rustix::mount::mount_remount(to, MountFlags::BIND | MountFlags::RDONLY, "")
        .with_context(|| format!("cannot make {} read-only", to.display()))
}

/// The host's absolute path `path`, below `root`.
fn below(root: &Path, path: impl AsRef<Path>) -> PathBuf {
    root.join(path.as_ref().strip_prefix("/").expect("an absolute path"))
}

fn make_dir(dir: &Path) -> Result<()> {
    fs::create_dir_all(dir).with_context(|| format!("cannot make the directory {}", dir.display()))
}

/// Copies the files of the tree `from` into `to`, over what is there. A file `NAME.in` is a template: it becomes `NAME`,
/// with each of `values` put in for its name.
fn copy_tree(from: &Path, to: &Path, values: &[(&str, &str)]) -> Result<()> {
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        let copied = if entry.file_type()?.is_dir() {
            make_dir(&target)?;
            copy_tree(&entry.path(), &target, values)?;
            continue;
        } else if target.extension().is_some_and(|extension| extension == "in") {
            fs::read_to_string(entry.path())
                .and_then(|text| fs::write(target.with_extension(""), fill_in(text, values)))
        } else {
            fs::copy(entry.path(), &target).map(drop)
        };
        copied.with_context(|| format!("cannot copy to {}", target.display()))?;
    }
    Ok(())
}

fn fill_in(text: String, values: &[(&str, &str)]) -> String {
    values.iter().fold(text, |text, (name, value)| text.replace(name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_gets_what_is_the_nodes_own() {
        let values = [("@NODE@", "controller-0"), ("@ADDRESS@", "10.77.7.11")];
        let text = "name=rabbit@@NODE@\nbind @ADDRESS@:@PORT@".to_owned();
        assert_eq!(fill_in(text, &values), "name=rabbit@controller-0\nbind 10.77.7.11:@PORT@");
    }
}
