//! What a lab could leave behind on the host.

use anyhow::{Context, Result, bail};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Everything on the host that a lab makes, at one moment.
pub struct Residue(BTreeSet<String>);

impl Residue {
    /// Looks at the host.
    ///
    /// # Errors
    /// If `/proc` cannot be read.
    pub fn take() -> Result<Self> {
        let mut found = BTreeSet::new();
        let mounts = fs::read_to_string("/proc/self/mounts").context("cannot read the mounts")?;
        found.extend(mounts.lines().map(|line| format!("mount {line}")));
        found.extend(entries("/sys/class/net").map(|path| format!("interface {}", path.display())));
        for dir in
            ["/run/systole-lab", "/var/lib/systole-lab/labs", "/run/netns", "/run/libpod", "/run/containers"]
        {
            found.extend(entries(dir).map(|path| format!("file {}", path.display())));
        }
        groups(Path::new("/sys/fs/cgroup"), &mut found);
        processes(&mut found);
        Ok(Residue(found))
    }

    /// Makes sure that nothing of a lab is there `after` that was not there before.
    ///
    /// # Errors
    /// If there is; the error names it.
    pub fn compare(&self, after: &Residue) -> Result<()> {
        let left: Vec<_> = after.0.difference(&self.0).map(String::as_str).collect();
        if left.is_empty() { Ok(()) } else { bail!("left behind: {}", left.join(", ")) }
    }
}

fn entries(dir: impl AsRef<Path>) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// Control groups with "systole" or a container's marks in their names; others come and go on a busy host.
fn groups(dir: &Path, found: &mut BTreeSet<String>) {
    for path in entries(dir).filter(|path| path.is_dir()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if ["systole", "libpod", "conmon"].iter().any(|mark| name.contains(mark)) {
            found.insert(format!("control group {}", path.display()));
        }
        groups(&path, found);
    }
}

/// Processes a lab starts, and any in a namespace other than ours (a namespace lives as long as a process in it).
fn processes(found: &mut BTreeSet<String>) {
    const PROGRAMS: [&str; 6] = ["conmon", "haproxy", "systoled", "systole-execd", "unshare", "httpd"];
    for dir in entries("/proc") {
        // A process that has ended and is not waited for has no executable.
        let Ok(program) = fs::read_link(dir.join("exe")) else { continue };
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let command = fs::read(dir.join("cmdline")).unwrap_or_default();
        let in_lab = command.split(|byte| *byte == 0).any(|word| word == b"lab");
        if PROGRAMS.contains(&name.as_str()) || (name.starts_with("systole") && in_lab) || elsewhere(&dir) {
            found.insert(format!("process {} ({})", dir.display(), program.display()));
        }
    }
}

/// Whether a process is in other namespaces than we are.
fn elsewhere(dir: &Path) -> bool {
    ["net", "mnt", "pid", "uts", "ipc"].iter().any(|kind| {
        let theirs = fs::read_link(dir.join("ns").join(kind));
        let ours = fs::read_link(Path::new("/proc/self/ns").join(kind));
        matches!((theirs, ours), (Ok(theirs), Ok(ours)) if theirs != ours)
    })
}
