//! Control groups: each node has one of its own in every hierarchy, so that all it ever started can be found and ended.
//!
//! Works with cgroup v2, with v1, and with both side by side (hybrid).

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// How long the kernel may take to let go of killed processes.
const EMPTY_WITHIN: Duration = Duration::from_secs(20);

/// The group below a node's own that holds its processes other than containers (cgroup v2 only).
pub const OWN_GROUP: &str = "node";

/// A mounted cgroup hierarchy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hierarchy {
    /// Where it is mounted.
    pub mount_point: PathBuf,
    /// What to mount it with: `cpu,cpuacct`, `name=systemd`; `None` for cgroup v2.
    pub v1_options: Option<String>,
}

/// The hierarchies of this host.
///
/// # Errors
/// If `/proc/mounts` cannot be read.
pub fn hierarchies() -> Result<Vec<Hierarchy>> {
    let mounts = fs::read_to_string("/proc/mounts").context("cannot read /proc/mounts")?;
    Ok(parse_mounts(&mounts))
}

fn parse_mounts(mounts: &str) -> Vec<Hierarchy> {
    let mut found: Vec<Hierarchy> = Vec::new();
    for line in mounts.lines() {
        let mut fields = line.split_whitespace().skip(1);
        let (Some(at), Some(kind), Some(options)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let v1_options = match kind {
            "cgroup" => Some(v1_options(options)),
            "cgroup2" => None,
            _ => continue,
        };
        if found.iter().all(|known| known.v1_options != v1_options) {
            found.push(Hierarchy { mount_point: PathBuf::from(at), v1_options });
        }
    }
    found
}

/// Of a v1 mount's options those that name the hierarchy.
fn v1_options(options: &str) -> String {
    let general = ["rw", "ro", "relatime", "noatime", "nosuid", "nodev", "noexec", "xattr", "clone_children"];
    let named = options.split(',').any(|option| option.starts_with("name="));
    let kept =
        options.split(',').filter(|option| !general.contains(option) && !option.contains("release_agent"));
    let kept = kept.collect::<Vec<_>>().join(",");
    if named { format!("none,{kept}") } else { kept }
}

/// Makes the group `path` (relative) in every hierarchy.
///
/// # Errors
/// If a group cannot be made.
pub fn create(hierarchies: &[Hierarchy], path: &Path) -> Result<()> {
    for hierarchy in hierarchies {
        let mut dir = hierarchy.mount_point.clone();
        for part in path {
            if hierarchy.v1_options.is_none() {
                delegate_controllers(&dir);
            }
            let parent = dir.clone();
            dir.push(part);
            match fs::create_dir(&dir) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(error)
                        .with_context(|| format!("cannot make the control group {}", dir.display()));
                }
                _ => {}
            }
            inherit_cpuset(&parent, &dir);
        }
    }
    Ok(())
}

/// Hands every controller that `dir` has on to its children (v2); a controller that cannot be had is done without.
pub fn delegate_controllers(dir: &Path) {
    let controllers = fs::read_to_string(dir.join("cgroup.controllers")).unwrap_or_default();
    for controller in controllers.split_whitespace() {
        let _ = fs::write(dir.join("cgroup.subtree_control"), format!("+{controller}"));
    }
}

/// A v1 cpuset takes no process before it has processors and memory.
fn inherit_cpuset(parent: &Path, dir: &Path) {
    for file in ["cpuset.cpus", "cpuset.mems"] {
        let empty = fs::read_to_string(dir.join(file)).is_ok_and(|value| value.trim().is_empty());
        if let (true, Ok(value)) = (empty, fs::read(parent.join(file))) {
            let _ = fs::write(dir.join(file), value);
        }
    }
}

/// Puts the calling process into the group `path` of every hierarchy.
///
/// # Errors
/// If it is not let in.
pub fn enter(hierarchies: &[Hierarchy], path: &Path) -> Result<()> {
    for hierarchy in hierarchies {
        let group = hierarchy.mount_point.join(path);
        let own = group.join(OWN_GROUP);
        let procs = if own.exists() { own } else { group }.join("cgroup.procs");
        fs::write(&procs, "0").with_context(|| format!("cannot enter {}", procs.display()))?;
    }
    Ok(())
}

/// Moves a process to the group `path`, where cgroup v2 is in use; makes the group.
///
/// # Errors
/// If it is not let in.
pub fn set_apart(hierarchies: &[Hierarchy], path: &Path, pid: u32) -> Result<()> {
    for hierarchy in hierarchies.iter().filter(|hierarchy| hierarchy.v1_options.is_none()) {
        let group = hierarchy.mount_point.join(path);
        fs::create_dir_all(&group).with_context(|| format!("cannot make {}", group.display()))?;
        let procs = group.join("cgroup.procs");
        fs::write(&procs, pid.to_string()).with_context(|| format!("cannot enter {}", procs.display()))?;
    }
    Ok(())
}

/// Every process in the group `path` or below.
pub fn processes(hierarchies: &[Hierarchy], path: &Path) -> Vec<i32> {
    let mut pids = Vec::new();
    for hierarchy in hierarchies {
        for dir in subtree(&hierarchy.mount_point.join(path)) {
            let procs = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
            pids.extend(procs.lines().filter_map(|line| line.parse::<i32>().ok()).filter(|pid| *pid > 0));
        }
    }
    pids.sort_unstable();
    pids.dedup();
    pids
}

/// Lets everything in the group `path` go on that is held: a paused container, which with cgroup v1 cannot even die.
pub fn thaw(hierarchies: &[Hierarchy], path: &Path) {
    for dir in hierarchies.iter().flat_map(|hierarchy| subtree(&hierarchy.mount_point.join(path))) {
        for (file, value) in [("freezer.state", "THAWED"), ("cgroup.freeze", "0")] {
            let file = dir.join(file);
            if file.exists() {
                // One that cannot be written to is on its way out.
                let _ = fs::write(file, value);
            }
        }
    }
}

/// Kills everything in the group `path` and removes it.
///
/// # Errors
/// If something cannot be killed in time.
pub fn destroy(hierarchies: &[Hierarchy], path: &Path) -> Result<()> {
    let give_up = Instant::now() + EMPTY_WITHIN;
    loop {
        let pids = processes(hierarchies, path);
        for pid in pids.iter().filter_map(|pid| rustix::process::Pid::from_raw(*pid)) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        thaw(hierarchies, path);
        if pids.is_empty() && remove(hierarchies, path) {
            remove_parents(hierarchies, path);
            return Ok(());
        }
        anyhow::ensure!(
            Instant::now() < give_up,
            "processes {pids:?} in the control group {} do not die: see what they wait for, then run `systole lab down` again",
            path.display()
        );
        thread::sleep(Duration::from_millis(10));
    }
}

/// Removes the empty groups of `path`; whether all are gone.
fn remove(hierarchies: &[Hierarchy], path: &Path) -> bool {
    hierarchies.iter().all(|hierarchy| {
        let top = hierarchy.mount_point.join(path);
        for dir in subtree(&top).iter().rev() {
            let _ = fs::remove_dir(dir);
        }
        !top.exists()
    })
}

/// Removes the groups above `path` that have nothing in them any more.
fn remove_parents(hierarchies: &[Hierarchy], path: &Path) {
    for hierarchy in hierarchies {
        for parent in path.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()) {
            let _ = fs::remove_dir(hierarchy.mount_point.join(parent));
        }
    }
}

/// `top` and every group below it, parents first.
fn subtree(top: &Path) -> Vec<PathBuf> {
    let mut dirs = vec![top.to_owned()];
    let mut next_idx = 0;
    while let Some(dir) = dirs.get(next_idx).cloned() {
        let entries = fs::read_dir(dir).into_iter().flatten().flatten();
        dirs.extend(
            entries
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                .map(|entry| entry.path()),
        );
        next_idx += 1;
    }
    dirs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_in_a_group_or_below_goes_on() {
        let root = std::env::temp_dir().join(format!("systole-lab-cgroup-{}", std::process::id()));
        let paused = root.join("lab/node/libpod-1");
        fs::create_dir_all(&paused).expect("directories");
        for (file, held) in [("freezer.state", "FROZEN"), ("cgroup.freeze", "1")] {
            fs::write(paused.join(file), held).expect("a file");
        }
        let hierarchy = Hierarchy { mount_point: root.clone(), v1_options: None };
        thaw(&[hierarchy], Path::new("lab"));
        for (file, goes_on) in [("freezer.state", "THAWED"), ("cgroup.freeze", "0")] {
            assert_eq!(fs::read_to_string(paused.join(file)).expect("a file"), goes_on);
            assert!(!root.join("lab").join(file).exists(), "none is made");
        }
        fs::remove_dir_all(&root).expect("removed");
    }

    #[test]
    fn hierarchies_of_both_versions_are_recognised() {
        let hybrid = "\
            tmpfs /sys/fs/cgroup tmpfs rw,mode=755 0 0\n\
            cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0\n\
            cgroup /sys/fs/cgroup/systemd cgroup rw,relatime,xattr,name=systemd 0 0\n\
            cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\n";
        let found = parse_mounts(hybrid);
        let options: Vec<_> = found.iter().map(|hierarchy| hierarchy.v1_options.as_deref()).collect();
        assert_eq!(options, [Some("cpu,cpuacct"), Some("none,name=systemd"), None]);
    }
}
