//! The container's runtime, `crun` or `runc`: it has a process started in there as the container's own are: in its namespaces and
//! control groups, with its capabilities, seccomp filter, AppArmor profile, SELinux label, limits and `no_new_privs`.

use super::{BIN, DEFAULT_PATH, REMOTED};
use crate::containers::RUNTIMES;
use anyhow::{Context, Result, bail, ensure};
use rustix::fs::{MemfdFlags, memfd_create};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{
    fs::{self, File},
    io::{Read, Write},
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A container by its runtime.
pub(super) struct Runtime {
    program: String,
    id: String,
}

/// What it says of a container. Source: OCI Runtime Specification, "State".
#[derive(Deserialize)]
pub(super) struct State {
    /// The first process's number.
    #[serde(default)]
    pub(super) pid: u32,
    /// The directory with its configuration.
    bundle: PathBuf,
}

impl Runtime {
    /// The runtime of the container called `id`: the one that has a directory of that name.
    pub(super) fn of(id: &str) -> Result<Self> {
        let dir = RUNTIMES.into_iter().find(|dir| Path::new(dir).join(id).is_dir());
        let program = dir.and_then(|dir| Path::new(dir).file_name()?.to_str());
        let program = program.with_context(|| format!("none of {RUNTIMES:?} knows the container"))?;
        Ok(Self { program: program.to_owned(), id: id.to_owned() })
    }

    /// The container's state now.
    pub(super) fn state(&self) -> Result<State> {
        let said = Command::new(&self.program).args(["state", &self.id]).output();
        let said = said.with_context(|| format!("cannot run {}", self.program))?;
        ensure!(
            said.status.success(),
            "{} says of it: {}",
            self.program,
            String::from_utf8_lossy(&said.stderr).trim()
        );
        serde_json::from_slice(&said.stdout)
            .with_context(|| format!("cannot read what {} says", self.program))
    }

    /// Starts `process` in there; whether it can be run is not known yet. What it writes to its standard error goes to `log`.
    pub(super) fn start(&self, process: &Value, log: Stdio) -> Result<()> {
        let cannot = || format!("cannot run {}", self.program);
        let what = in_memory(process.to_string().as_bytes()).with_context(cannot)?;
        let mut complaints = in_memory(&[]).with_context(cannot)?;
        let mut command = Command::new(&self.program);
        command.args(["--log", &path(&complaints), "--log-format", "json"]);
        command.args(["exec", "--detach", "--process", &path(&what), &self.id]);
        let status = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .current_dir("/")
            .status()
            .with_context(cannot)?;
        if !status.success() {
            let mut text = String::new();
            let _ = complaints.read_to_string(&mut text);
            let said = complaint(&text).unwrap_or_else(|| status.to_string());
            bail!("{} cannot start the daemon in there: {said}", self.program);
        }
        Ok(())
    }
}

impl State {
    /// The daemon, as a process of the container's.
    pub(super) fn daemon(&self) -> Result<Value> {
        let path = self.bundle.join("config.json");
        let cannot = || format!("cannot read {}", path.display());
        let config = fs::read(&path).with_context(cannot)?;
        daemon(&serde_json::from_slice(&config).with_context(cannot)?)
    }
}

/// A file that nobody else has, read from its beginning.
fn in_memory(bytes: &[u8]) -> std::io::Result<File> {
    let mut file = File::from(memfd_create("systole", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    Ok(file)
}

/// Where a child finds a file of this process's: its own position is at the beginning.
fn path(file: &File) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd())
}

/// The last message in a log of `crun`'s or `runc`'s.
fn complaint(log: &str) -> Option<String> {
    let last = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).next_back()?;
    Some(last["msg"].as_str()?.to_owned())
}

/// The remote daemon in a container with the configuration `config` (`config.json`): what holds for the container's own process holds
/// for the daemon, which is root's, as with `podman exec --user root`.
fn daemon(config: &Value) -> Result<Value> {
    let mut process = config["process"].clone();
    let fields = process.as_object_mut().context("its configuration has no process")?;
    fields.remove("consoleSize");
    process["terminal"] = json!(false);
    process["args"] = json!([format!("{BIN}/{REMOTED}"), "--remote"]);
    process["env"] = json!(environment(&process["env"]));
    process["cwd"] = json!("/");
    let umask = process["user"].get("umask").cloned();
    process["user"] = json!({"uid": 0, "gid": 0});
    if let Some(umask) = umask {
        process["user"]["umask"] = umask;
    }
    if let Some(bounding) = process["capabilities"].get("bounding").cloned() {
        process["capabilities"] = json!({"bounding": bounding, "effective": bounding, "permitted": bounding});
    }
    Ok(process)
}

/// The container's own variables, and ours.
fn environment(own: &Value) -> Vec<String> {
    let own = own.as_array().into_iter().flatten().filter_map(Value::as_str);
    let (paths, mut variables): (Vec<&str>, Vec<&str>) =
        own.partition(|variable| variable.starts_with("PATH="));
    let path = paths.last().map_or(DEFAULT_PATH, |path| &path["PATH=".len()..]);
    let path = format!("PATH={path}:{BIN}");
    // The agents' word for where the tools are, and the daemon's for burying what they leave behind.
    let ours = [&path, &format!("HA_SBIN_DIR={BIN}"), "PCMK_remote_pid1=full"];
    variables.extend(ours);
    variables.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemon_is_held_by_what_holds_the_containers_own_process() {
        let config = json!({"process": {
            "terminal": true, "consoleSize": {"height": 0, "width": 0},
            "user": {"uid": 999, "gid": 999, "umask": 18, "additionalGids": [999]},
            "args": ["redis-server"], "cwd": "/data",
            "env": ["PATH=/opt/bin:/bin", "container=podman"],
            "capabilities": {"bounding": ["CAP_CHOWN"], "inheritable": ["CAP_CHOWN"], "ambient": ["CAP_CHOWN"]},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": true, "apparmorProfile": "containers-default", "selinuxLabel": "u:r:t:s0:c1,c2",
            "oomScoreAdj": 100,
        }});
        let expected = json!({
            "terminal": false,
            "user": {"uid": 0, "gid": 0, "umask": 18},
            "args": ["/run/systole/bin/pacemaker-remoted", "--remote"], "cwd": "/",
            "env": [
                "container=podman", "PATH=/opt/bin:/bin:/run/systole/bin", "HA_SBIN_DIR=/run/systole/bin",
                "PCMK_remote_pid1=full",
            ],
            "capabilities": {"bounding": ["CAP_CHOWN"], "effective": ["CAP_CHOWN"], "permitted": ["CAP_CHOWN"]},
            "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
            "noNewPrivileges": true, "apparmorProfile": "containers-default", "selinuxLabel": "u:r:t:s0:c1,c2",
            "oomScoreAdj": 100,
        });
        assert_eq!(daemon(&config).expect("a process"), expected);
    }

    #[test]
    fn a_container_that_says_little_gets_no_more_than_it_has() {
        let process = daemon(&json!({"process": {"args": ["sh"]}})).expect("a process");
        assert_eq!(process["capabilities"], Value::Null);
        let path = format!("PATH={DEFAULT_PATH}:/run/systole/bin");
        assert_eq!(process["env"], json!([path, "HA_SBIN_DIR=/run/systole/bin", "PCMK_remote_pid1=full"]));
        assert!(daemon(&json!({})).is_err());
    }

    #[test]
    fn a_runtimes_last_message_is_the_reason() {
        let log =
            "{\"level\":\"warning\",\"msg\":\"a\"}\n{\"level\":\"error\",\"msg\":\"exec failed\"}\nrest";
        assert_eq!(complaint(log).as_deref(), Some("exec failed"));
        assert_eq!(complaint(""), None);
    }
}
