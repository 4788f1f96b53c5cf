//! The processes of a service that an agent has started, found by the traces services leave: pid files, systemd's main
//! process, the first process of a container.
//!
//! Looked for by the keeper once an action went well, since only then there is something to look for. Finding none, or one
//! too many, does no harm: the end of a process is a sign, and what the monitor says counts.

use crate::process::{ProcessName, stat};
use std::{
    fs,
    path::{Path, PathBuf},
};
use systole_agents::Outcome;
use systole_types::OcfRc;
use systole_wire::exec::Operation;

/// Where services leave pid files.
const RUN: &str = "/run";

/// How far below that directory: `/run/NAME.pid`, `/run/NAME/NAME.pid`.
const MAX_DEPTH: usize = 3;

/// More entries than this are not looked at.
const MAX_ENTRIES: usize = 4096;

/// Longer files hold something else.
const MAX_BYTES: u64 = 64;

/// A service has few processes that matter.
const MAX_PROCESSES: usize = 8;

/// Podman's files about running containers.
const CONTAINERS: &str = "/run/containers/storage/overlay-containers";

/// The processes of the resource that `operation` was about, as far as they can be told after `outcome`.
pub(crate) fn processes(operation: &Operation, outcome: &Outcome) -> Vec<ProcessName> {
    let runs = matches!(outcome.rc, OcfRc::Ok | OcfRc::Promoted);
    if !runs || ends(operation) || operation.operation == "notify" {
        return Vec::new();
    }
    let mut found: Vec<ProcessName> = match (operation.class.as_str(), operation.agent.as_str()) {
        ("systemd" | "service", _) => main_process(&outcome.stdout).into_iter().collect(),
        ("ocf", "podman") => container(operation).into_iter().collect(),
        _ => by_pid_files(operation),
    };
    found.truncate(MAX_PROCESSES);
    found
}

/// Whether the resource does not run here once `operation` has gone well.
pub(crate) fn ends(operation: &Operation) -> bool {
    matches!(operation.operation.as_str(), "stop" | "migrate_to")
}

/// Of what `systemctl show` printed.
fn main_process(shown: &str) -> Option<ProcessName> {
    let pid = shown.lines().find_map(|line| line.strip_prefix("MainPID="))?.trim().parse().ok()?;
    living(pid)
}

/// The first process of the container that `ocf:heartbeat:podman` manages.
fn container(operation: &Operation) -> Option<ProcessName> {
    let name = crate::containers::container_name(operation)?;
    let id = crate::containers::id_of(name)?;
    read_pid(&Path::new(CONTAINERS).join(id).join("userdata/pidfile"))
}

/// Those in the files that parameters such as `pidfile` name, or else those in pid files below `/run` that are younger
/// than this action.
fn by_pid_files(operation: &Operation) -> Vec<ProcessName> {
    let named = operation.parameters.iter().filter(|(name, value)| {
        name.to_ascii_lowercase().contains("pid") && !name.starts_with("CRM_meta_") && value.starts_with('/')
    });
    let named: Vec<ProcessName> = named.filter_map(|(_, file)| read_pid(Path::new(file))).collect();
    if !named.is_empty() || !systole_cluster::executor::changes_state(operation) {
        return named;
    }
    let Some(own) = ProcessName::of(std::process::id()) else { return Vec::new() };
    let mut found: Vec<ProcessName> = pid_files(Path::new(RUN))
        .iter()
        .filter_map(|file| read_pid(file))
        .filter(|process| process.start_time >= own.start_time && !is_of_another(process.pid, operation))
        .collect();
    found.sort_by_key(|process| process.pid);
    found.dedup();
    found
}

/// Agents' children inherit what the agent was told of its instance.
fn is_of_another(pid: u32, operation: &Operation) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let instance =
        environment.split(|&byte| byte == 0).find_map(|v| v.strip_prefix(b"OCF_RESOURCE_INSTANCE="));
    instance.is_some_and(|instance| instance != operation.resource.as_bytes())
}

/// Files called `*.pid` or `pid` at or below `dir`.
fn pid_files(dir: &Path) -> Vec<PathBuf> {
    let (mut found, mut n_seen) = (Vec::new(), 0);
    let mut todo = vec![(dir.to_owned(), 1)];
    while let Some((dir, depth)) = todo.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            n_seen += 1;
            if n_seen > MAX_ENTRIES {
                return found;
            }
            let Ok(kind) = entry.file_type() else { continue };
            let name = entry.file_name();
            let is_named_so = name == "pid" || Path::new(&name).extension().is_some_and(|end| end == "pid");
            if kind.is_dir() && depth < MAX_DEPTH {
                todo.push((entry.path(), depth + 1));
            } else if kind.is_file() && is_named_so {
                found.push(entry.path());
            }
        }
    }
    found
}

/// The living process whose number is what the file at `path` begins with.
fn read_pid(path: &Path) -> Option<ProcessName> {
    let about = fs::metadata(path).ok()?;
    if !about.is_file() || about.len() > MAX_BYTES {
        return None;
    }
    let text = fs::read_to_string(path).ok()?;
    living(text.split_whitespace().next()?.parse().ok()?)
}

fn living(pid: u32) -> Option<ProcessName> {
    let stat = stat(pid).filter(|stat| !matches!(stat.state, 'Z' | 'X'))?;
    Some(ProcessName { pid, start_time: stat.start_time })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pid_files_are_found_by_their_names_and_not_too_deep() {
        let root = std::env::temp_dir().join(format!("systole-service-{}", std::process::id()));
        for dir in ["redis", "a/b", "a/b/c"] {
            fs::create_dir_all(root.join(dir)).expect("directory");
        }
        let own = std::process::id().to_string();
        for (file, text) in [
            ("one.pid", own.as_str()),
            ("redis/pid", own.as_str()),
            ("a/b/three.pid", "1 and more"),
            ("a/b/c/four.pid", own.as_str()),
            ("pid.txt", own.as_str()),
        ] {
            fs::write(root.join(file), text).expect("file");
        }
        let mut found = pid_files(&root);
        found.sort();
        let expected = ["a/b/three.pid", "one.pid", "redis/pid"].map(|file| root.join(file));
        assert_eq!(found, expected);
        assert_eq!(read_pid(&found[1]), ProcessName::of(std::process::id()));
        assert_eq!(read_pid(&found[0]).map(|process| process.pid), Some(1));
        for text in ["", "none", "0", "-1", "999999999"] {
            fs::write(&found[1], text).expect("file");
            assert_eq!(read_pid(&found[1]), None, "{text:?}");
        }
        fs::remove_dir_all(root).expect("directory");
    }

    #[test]
    fn systemd_names_the_main_process() {
        let own = std::process::id();
        assert_eq!(main_process(&format!("ActiveState=active\nMainPID={own}\n")), ProcessName::of(own));
        for shown in ["", "MainPID=0\n", "MainPID=\n", "ExecMainPID=1\n"] {
            assert_eq!(main_process(shown), None, "{shown:?}");
        }
    }
}
