//! The executor's binary enters a container that has nothing of ours, made by `runc` as Podman has it make them.
//!
//! Takes root and `runc`.

#![allow(missing_docs, reason = "a test")]

mod support;

use serde_json::{Value, json};
use std::{
    fs, io,
    net::TcpListener,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown, symlink},
        net::UnixStream,
    },
    path::{Path, PathBuf},
    process::{Command, Output},
};
use support::until;

/// In the place of the tools.
const TOOLS: &str = "#!/bin/sh\necho crm_attribute\necho crm_node\n";

/// Who is root in a container with a user namespace of its own.
const MAPPED_ROOT: u32 = 100_000;

/// How a container differs from the ordinary.
#[derive(Default)]
struct Kind {
    /// Shell commands that are carried out before there is anything of ours.
    prepare: &'static str,
    /// Whether its `/run` is the host's.
    has_hosts_run: bool,
    has_user_namespace: bool,
}

struct Container {
    dir: PathBuf,
    id: String,
    /// The first process's number on the host.
    pid: u32,
}

impl Container {
    /// One called `name`; `None` if this cannot be done here.
    fn start(name: &str, kind: &Kind) -> Option<Self> {
        let has_runc = Command::new("runc").arg("--version").output().is_ok();
        if !rustix::process::geteuid().is_root() || !has_runc {
            eprintln!("SKIPPED: needs root and runc");
            return None;
        }
        let id = format!("systole-agentless-{}-{name}", std::process::id());
        let dir = std::env::temp_dir().join(&id);
        make_root(&dir.join("rootfs"), if kind.has_user_namespace { MAPPED_ROOT } else { 0 });
        fs::copy(env!("CARGO_BIN_EXE_systole-execd"), dir.join("systole-execd")).expect("executor");
        fs::write(dir.join("systole"), TOOLS).expect("tools");
        fs::set_permissions(dir.join("systole"), fs::Permissions::from_mode(0o755)).expect("tools");
        fs::write(dir.join("config.json"), configuration(kind).to_string()).expect("configuration");
        let mut container = Self { dir, id, pid: 0 };
        let log = fs::File::create(container.dir.join("log")).expect("log");
        let run = Command::new("runc")
            .args(["run", "--detach", "--bundle"])
            .args([container.dir.as_os_str(), container.id.as_ref()])
            .stdin(std::process::Stdio::null())
            .stdout(log.try_clone().expect("log"))
            .stderr(log)
            .status()
            .expect("runc");
        let said = || fs::read_to_string(container.dir.join("log")).unwrap_or_default();
        assert!(run.success(), "{name}: {}", said());
        container.pid = until("the first process", || {
            let state = Command::new("runc").args(["state", &container.id]).output().ok()?;
            let state: Value = serde_json::from_slice(&state.stdout).ok()?;
            let pid = u32::try_from(state["pid"].as_u64()?).ok()?;
            let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
            command.starts_with(b"sleep").then_some(pid)
        });
        Some(container)
    }

    fn enter(&self) -> Output {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--"]).arg(self.dir.join("systole-execd")).arg("--enter-container");
        command.args([&process_name(self.pid), &self.id, "/nowhere"]).output().expect("unshare")
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
        let _ = Command::new("runc").args(["delete", "--force", &self.id]).output();
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// The host's programs, and nothing else of it.
fn make_root(root: &Path, owner: u32) {
    for dir in ["", "usr", "etc", "tmp", "var", "run", "proc", "dev"] {
        fs::create_dir_all(root.join(dir)).expect("directory");
        chown(root.join(dir), Some(owner), Some(owner)).expect("owner");
    }
    for link in ["bin", "sbin", "lib", "lib64"] {
        if let Ok(target) = fs::read_link(Path::new("/").join(link)) {
            symlink(target, root.join(link)).expect("link");
        }
    }
}

/// The container's `config.json`: much as Podman writes it, with a seccomp filter that lets everything but one call pass.
fn configuration(kind: &Kind) -> Value {
    let port = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound").port();
    let first = format!("{} exec sleep 600", kind.prepare);
    let capabilities =
        json!(["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_KILL", "CAP_SETGID", "CAP_SETUID"]);
    let run = match kind.has_hosts_run {
        true => json!({"destination": "/run", "type": "bind", "source": "/run", "options": ["rbind", "rw"]}),
        false => json!({"destination": "/run", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]}),
    };
    let mut namespaces: Vec<Value> =
        ["pid", "mount", "ipc", "uts"].map(|kind| json!({"type": kind})).into_iter().collect();
    let mut linux = json!({});
    if kind.has_user_namespace {
        namespaces.push(json!({"type": "user"}));
        for map in ["uidMappings", "gidMappings"] {
            linux[map] = json!([{"containerID": 0, "hostID": MAPPED_ROOT, "size": 65536}]);
        }
    }
    linux["namespaces"] = namespaces.into();
    linux["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["sethostname"], "action": "SCMP_ACT_ERRNO"}],
    });
    json!({
        "ociVersion": "1.0.2",
        "root": {"path": "rootfs"},
        "process": {
            "user": {"uid": 0, "gid": 0}, "args": ["sh", "-c", first], "cwd": "/", "noNewPrivileges": true,
            "env": ["PATH=/usr/sbin:/usr/bin", "OF_THE_CONTAINER=yes", format!("PCMK_remote_port={port}")],
            "capabilities": {"bounding": capabilities, "effective": capabilities, "permitted": capabilities},
            "rlimits": [{"type": "RLIMIT_CORE", "hard": 4096, "soft": 4096}],
        },
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
            {"destination": "/usr", "type": "bind", "source": "/usr", "options": ["rbind", "ro"]},
            run,
        ],
        "linux": linux,
    })
}

/// How the executor names the process `pid`.
fn process_name(pid: u32) -> String {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let start = stat.rsplit_once(')').expect("stat").1.split_whitespace().nth(19).expect("start");
    format!("{pid}:{start}")
}

/// A process's lines in `/proc` about what it may do.
fn bounds(pid: u32) -> Vec<String> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let kinds = ["CapBnd:", "CapEff:", "NoNewPrivs:", "Seccomp:", "Seccomp_filters:"];
    let lines = status.lines().filter(|line| kinds.iter().any(|kind| line.starts_with(kind)));
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("it runs");
    let cores = limits.lines().filter(|line| line.starts_with("Max core file size"));
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("it runs");
    lines.chain(cores).chain(groups.lines()).map(str::to_owned).collect()
}

#[test]
fn a_container_with_nothing_of_ours_gets_one_remote_daemon_and_the_tools() {
    let Some(container) = Container::start("entered", &Kind::default()) else { return };
    let outcome = container.enter();
    assert!(outcome.status.success(), "{}", String::from_utf8_lossy(&outcome.stderr));
    UnixStream::connect(container.path("/run/systole/api.sock")).expect("the daemon listens already");

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
fn what_holds_the_containers_own_process_holds_the_daemon() {
    let Some(container) = Container::start("held", &Kind::default()) else { return };
    let outcome = container.enter();
    assert!(outcome.status.success(), "{}", String::from_utf8_lossy(&outcome.stderr));
    let own = bounds(container.pid);
    for held in ["NoNewPrivs:\t1", "Seccomp:\t2", "Seccomp_filters:\t1"] {
        assert!(own.iter().any(|line| line == held), "{held} is not in {own:?}");
    }
    let daemons = container.daemons();
    assert_eq!(daemons.len(), 2);
    for daemon in daemons {
        assert_eq!(bounds(daemon), own);
    }
}

#[test]
fn a_container_with_a_user_namespace_of_its_own_is_entered_as_its_root() {
    let kind = Kind { has_user_namespace: true, ..Kind::default() };
    let Some(container) = Container::start("user", &kind) else { return };
    let outcome = container.enter();
    assert!(outcome.status.success(), "{}", String::from_utf8_lossy(&outcome.stderr));
    let namespace = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/user")).expect("it runs");
    for daemon in container.daemons() {
        let about = fs::metadata(format!("/proc/{daemon}")).expect("it runs");
        assert_eq!((about.uid(), about.gid()), (MAPPED_ROOT, MAPPED_ROOT));
        assert_eq!(namespace(daemon), namespace(container.pid));
    }
    let made = fs::metadata(container.path("/run/systole")).expect("a directory");
    assert_eq!(made.uid(), MAPPED_ROOT);
}

#[test]
fn a_container_that_is_gone_is_not_entered() {
    let Some(container) = Container::start("gone", &Kind::default()) else { return };
    let enter = |process: &str, id: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_systole-execd"));
        let outcome =
            command.args(["--enter-container", process, id, "/nowhere"]).output().expect("executor");
        assert!(!outcome.status.success());
        String::from_utf8_lossy(&outcome.stderr).into_owned()
    };
    let said = enter(&format!("{}:1", container.pid), &container.id);
    assert!(said.contains("the container has ended"), "{said}");
    let own = process_name(std::process::id());
    let said = enter(&own, &container.id);
    assert!(said.contains("the container has been started anew"), "{said}");
    let said = enter(&own, "nobody's");
    assert!(said.contains("knows the container"), "{said}");
}

#[test]
fn what_an_image_plants_is_neither_followed_nor_waited_for() {
    let planted = [
        "mkdir -p /run/systole/bin /run/victim && echo key >/run/victim/key && \
         ln -s /run/victim/key /run/systole/bin/pacemaker-remoted &&",
        "mkdir -p /run/systole/bin /run/victim && echo key >/run/victim/key && \
         mkfifo /run/systole/bin/pacemaker-remoted &&",
        "mkdir -p /run/systole/bin /run/victim && echo key >/run/victim/key && \
         ln -s /run/victim/key /run/systole/bin/systole &&",
    ];
    for (number, prepare) in planted.into_iter().enumerate() {
        let kind = Kind { prepare, ..Kind::default() };
        let Some(container) = Container::start(&format!("planted-{number}"), &kind) else { return };
        let outcome = container.enter();
        assert!(outcome.status.success(), "{prepare}: {}", String::from_utf8_lossy(&outcome.stderr));
        assert!(!container.daemons().is_empty());
        assert_eq!(fs::read_to_string(container.path("/run/victim/key")).expect("it is there"), "key\n");
    }
}

#[test]
fn a_container_that_cannot_be_entered_safely_is_refused() {
    let linked = "mkdir /run/systole /run/victim && ln -s /run/victim /run/systole/bin &&";
    let cases = [
        ("run", Kind { has_hosts_run: true, ..Kind::default() }, "the container's /run is the host's"),
        ("linked", Kind { prepare: linked, ..Kind::default() }, "cannot make /run/systole/bin"),
    ];
    for (name, kind, reason) in cases {
        let Some(container) = Container::start(name, &kind) else { return };
        let outcome = container.enter();
        let said = String::from_utf8_lossy(&outcome.stderr);
        assert!(!outcome.status.success() && said.contains(reason), "{name}: {said}");
        assert!(container.daemons().is_empty(), "{name}");
    }
}

#[test]
fn a_daemon_that_cannot_run_in_there_is_told() {
    let Some(container) = Container::start("loader", &Kind::default()) else { return };
    // Tests are linked with the host's C library, whose loader is looked for here.
    fs::remove_file(container.path("/lib64")).expect("a link");
    let outcome = container.enter();
    let said = String::from_utf8_lossy(&outcome.stderr);
    assert!(!outcome.status.success() && said.contains("is it linked statically?"), "{said}");
}
