//! What a lab could leave behind on the host.

use crate::lab::Lab;
use anyhow::{Context, Result, bail};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Everything on the host that a lab makes, at one moment; less what belongs to a lab of another name.
pub struct Residue(BTreeSet<String>);

impl Residue {
    /// Looks at the host for what belongs to `lab`; others may be up beside it.
    ///
    /// # Errors
    /// If `/proc` cannot be read.
    pub fn take(lab: &Lab) -> Result<Self> {
        let lab = lab.name();
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
        processes(lab, &mut found);
        found.retain(|item| !of_other_lab(lab, item));
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

/// Processes a lab starts: all but the supervisor and what holds a node are in namespaces other than ours (and a
/// namespace lives as long as a process in it).
fn processes(lab: &str, found: &mut BTreeSet<String>) {
    for dir in entries("/proc") {
        // A process that has ended and is not waited for has no executable.
        let Ok(program) = fs::read_link(dir.join("exe")) else { continue };
        let command = fs::read(dir.join("cmdline")).unwrap_or_default();
        let words: Vec<_> = command.split(|byte| *byte == 0).collect();
        let of_lab = words
            .windows(2)
            .any(|pair| pair[0] == b"lab" && [&b"supervise"[..], b"launch", b"init"].contains(&pair[1]));
        let groups = fs::read_to_string(dir.join("cgroup")).unwrap_or_default();
        let named = words.windows(2).find(|pair| pair[0] == b"--name").map(|pair| pair[1]);
        if of_other_lab(lab, &groups) || named.is_some_and(|name| name != lab.as_bytes()) {
            continue;
        }
        if of_lab || elsewhere(&dir) {
            found.insert(format!("process {} ({})", dir.display(), program.display()));
        }
    }
}

/// Whether a path or an interface's name has the mark of a lab other than `lab`.
fn of_other_lab(lab: &str, text: &str) -> bool {
    ["systole-lab/", "systole-lab/labs/", "class/net/sl-"].iter().any(|mark| {
        let name = text.split_once(mark).map(|(_, rest)| rest);
        let name = name.and_then(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric()).next());
        name.is_some_and(|name| !["", lab, "labs", "images"].contains(&name))
    })
}

/// Whether a process is in other namespaces than we are.
fn elsewhere(dir: &Path) -> bool {
    ["net", "mnt", "pid", "uts", "ipc"].iter().any(|kind| {
        let theirs = fs::read_link(dir.join("ns").join(kind));
        let ours = fs::read_link(Path::new("/proc/self/ns").join(kind));
        matches!((theirs, ours), (Ok(theirs), Ok(ours)) if theirs != ours)
    })
}
