//! The executor's binary enters a container that has nothing of ours: namespaces of their own stand in for Podman's.
//!
//! Takes root.

#![allow(missing_docs, reason = "a test")]

mod support;

use std::{
    fs, io,
    net::TcpListener,
    os::unix::{fs::PermissionsExt, net::UnixStream, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Output},
};
use support::until;

/// Namespaces of a container's own.
const OWN: [&str; 4] = ["--mount", "--pid", "--uts", "--ipc"];

/// What a container does before its first process is there: what is below `/run` becomes its own.
const RUN: &str = "mount -t tmpfs tmpfs /run";

/// A container's first process.
const FIRST: &str = "mount -t proc proc /proc && exec sleep 600";

/// In the place of the tools.
const TOOLS: &str = "#!/bin/sh\necho crm_attribute\necho crm_node\n";

struct Container {
    dir: PathBuf,
    outer: Child,
    /// The first process's number on the host.
    pid: u32,
}

impl Container {
    /// One called `name` with `namespaces`, prepared by the shell commands `prepare`; `None` if this cannot be done here.
    fn start(name: &str, namespaces: &[&str], prepare: &str) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("SKIPPED: needs root");
            return None;
        }
        let dir = std::env::temp_dir().join(format!("systole-agentless-{}-{name}", std::process::id()));
        fs::create_dir_all(&dir).expect("directory");
        fs::copy(env!("CARGO_BIN_EXE_systole-execd"), dir.join("systole-execd")).expect("executor");
        fs::write(dir.join("systole"), TOOLS).expect("tools");
        fs::set_permissions(dir.join("systole"), fs::Permissions::from_mode(0o755)).expect("tools");
        let port = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound").port();
        let outer = Command::new("unshare")
            .args(namespaces)
            .args(["--fork", "--kill-child=KILL", "sh", "-c", &format!("{prepare} && {FIRST}")])
            .env("PCMK_remote_port", port.to_string())
            .env("OF_THE_CONTAINER", "yes")
            .process_group(0)
            .spawn()
            .expect("unshare");
        let children = format!("/proc/{0}/task/{0}/children", outer.id());
        let pid = until("the first process", || {
            let pid = fs::read_to_string(&children).ok()?.trim().parse().ok()?;
            let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            command.starts_with(b"sleep").then_some(pid)
        });
        Some(Self { dir, outer, pid })
    }

    fn enter(&self) -> Output {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid)).expect("it runs");
        let start = stat.rsplit_once(')').expect("stat").1.split_whitespace().nth(19).expect("start");
        let mut command = Command::new("unshare");
        command.args(["--mount", "--"]).arg(self.dir.join("systole-execd")).arg("--enter-container");
        command.arg(format!("{}:{start}", self.pid)).arg("/nowhere").output().expect("unshare")
    }

    /// A path in the container as the host sees it.
    fn path(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.pid))
    }

    /// Numbers of the daemon's processes.
    fn daemons(&self) -> Vec<u32> {
        let namespace = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let processes = fs::read_dir("/proc").expect("proc").flatten();
        let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let is_daemon = |pid: u32| {
            let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            command.starts_with(b"/run/systole/bin/pacemaker-remoted")
        };
        pids.filter(|&pid| namespace(pid) == namespace(self.pid) && is_daemon(pid)).collect()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.outer.kill();
        let _ = self.outer.wait();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

#[test]
fn a_container_with_nothing_of_ours_gets_one_remote_daemon_and_the_tools() {
    let Some(container) = Container::start("entered", &OWN, RUN) else { return };
    let outcome = container.enter();
    assert!(outcome.status.success(), "{}", String::from_utf8_lossy(&outcome.stderr));
    let socket = container.path("/run/systole/api.sock");
    until("the daemon's socket", || UnixStream::connect(&socket).ok());

    let tool = fs::read_link(container.path("/run/systole/bin/crm_attribute")).expect("a link");
    assert_eq!(tool, Path::new("systole"));
    let written = fs::write(container.path("/run/systole/bin/systole"), "mine");
    assert_eq!(written.map_err(|error| error.kind()), Err(io::ErrorKind::ReadOnlyFilesystem));
    // What came in is seen in there only.
    assert!(!Path::new("/run/systole/bin/pacemaker-remoted").exists());

    let daemons = container.daemons();
    assert_eq!(daemons.len(), 2, "one that buries, and one that serves");
    let environment = fs::read(format!("/proc/{}/environ", daemons[0])).expect("environment");
    for variable in ["OF_THE_CONTAINER=yes", "HA_SBIN_DIR=/run/systole/bin"] {
        let is_there = environment.split(|&byte| byte == 0).any(|one| one == variable.as_bytes());
        assert!(is_there, "{variable}");
    }

    // The container is started once more, and runs already.
    assert!(container.enter().status.success());
    assert_eq!(container.daemons(), daemons);
}

#[test]
fn a_container_that_is_gone_is_not_entered() {
    let Some(mut container) = Container::start("gone", &OWN, RUN) else { return };
    let name = format!("{}:1", container.pid);
    let mut command = Command::new(env!("CARGO_BIN_EXE_systole-execd"));
    let outcome = command.args(["--enter-container", &name, "/nowhere"]).output().expect("executor");
    container.outer.kill().expect("kill");
    assert!(!outcome.status.success());
    let said = String::from_utf8_lossy(&outcome.stderr);
    assert!(said.contains("the container has ended"), "{said}");
}

#[test]
fn what_an_image_plants_is_neither_followed_nor_waited_for() {
    let planted = "mkdir -p /run/systole/bin /run/victim && echo key >/run/victim/key";
    let in_bin = [
        "ln -s /run/victim/key /run/systole/bin/pacemaker-remoted",
        "mkfifo /run/systole/bin/pacemaker-remoted",
        "ln -s /run/victim/key /run/systole/bin/systole",
    ];
    for (number, plant) in in_bin.into_iter().enumerate() {
        let prepare = format!("{RUN} && {planted} && {plant}");
        let Some(container) = Container::start(&format!("planted-{number}"), &OWN, &prepare) else { return };
        let outcome = container.enter();
        assert!(outcome.status.success(), "{plant}: {}", String::from_utf8_lossy(&outcome.stderr));
        until("the daemon", || (!container.daemons().is_empty()).then_some(()));
        assert_eq!(fs::read_to_string(container.path("/run/victim/key")).expect("it is there"), "key\n");
    }
}

#[test]
fn a_container_that_cannot_be_entered_safely_is_refused() {
    let with_user = [&OWN[..], &["--user", "--map-root-user"]].concat();
    let linked = format!("{RUN} && mkdir /run/systole /run/victim && ln -s /run/victim /run/systole/bin");
    let cases = [
        ("user", &with_user[..], RUN, "user namespace"),
        ("run", &OWN[..], "true", "the container's /run is the host's"),
        ("linked", &OWN[..], &linked, "cannot make /run/systole/bin"),
    ];
    for (name, namespaces, prepare, reason) in cases {
        let Some(container) = Container::start(name, namespaces, prepare) else { return };
        let outcome = container.enter();
        let said = String::from_utf8_lossy(&outcome.stderr);
        assert!(!outcome.status.success() && said.contains(reason), "{name}: {said}");
        assert!(container.daemons().is_empty(), "{name}");
    }
}
