//! Our end of a session against real daemons: our own, and a stock one where there is one.
//!
//! The stock daemon is `pacemaker-remoted` on the path or where `SYSTOLE_STOCK_REMOTED` says; it runs in namespaces of its
//! own, for which the test has to be root, with `ocf:pacemaker:Dummy`.

#![allow(missing_docs, reason = "a test")]

mod support;

use rustix::process::{Pid, Signal};
use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};
use support::until;
use systole_cluster::{
    RemoteEvent,
    remote::{Effect, Event, RemoteSession},
};
use systole_link::{Clock, Poll, Signals, waker};
use systole_remote::Dialer;
use systole_wire::{
    exec::{AgentName, FromExecutor, Operation, OperationResult, ToExecutor},
    remote::FromRemote,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// As `ocf:pacemaker:Dummy`, but for what it needs. It leaves its settings in the state's file, and a process behind.
const AGENT: &str = r#"#!/bin/sh
case $1 in
start)
    echo "$FROM_FILE $FROM_BOTH" > "$OCF_RESKEY_state"
    (sleep 0.3; : > "$OCF_RESKEY_state.orphan") >/dev/null 2>&1 &;;
stop) rm -f "$OCF_RESKEY_state";;
monitor) sleep "${OCF_RESKEY_takes:-0}"; [ -e "$OCF_RESKEY_state" ] || exit 7;;
meta-data) echo '<resource-agent name="agent"/>';;
esac
"#;

/// Gives the stock daemon a world of its own but for the network: it has no options for its paths.
const STOCK: &str = r#"
set -e
mount --make-rprivate /
mkdir -p "$W/upper" "$W/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$W/upper,workdir=$W/work" /etc
mkdir -p /etc/pacemaker /etc/libqb
: > /etc/libqb/force-filesystem-sockets
cp "$KEY" /etc/pacemaker/authkey
for dir in /run /var/log /dev/shm /var/lib/pacemaker; do mount -t tmpfs tmpfs $dir; done
mkdir -p /run/crm /run/lock /run/resource-agents /var/log/pacemaker /var/lib/pacemaker/cores
chown hacluster:haclient /run/crm /var/log/pacemaker /var/lib/pacemaker/cores
exec "$DAEMON" >"$W/log" 2>&1
"#;

/// Starts our daemon in a container with a file of settings: in the first process's place, or (`BELOW`) by it.
const CONTAINER: &str = r#"
set -e
mount --make-rprivate /
mkdir -p "$W/upper" "$W/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$W/upper,workdir=$W/work" /etc
mkdir -p /etc/pacemaker
cp "$W/settings" /etc/pacemaker/pcmk-init.env
mount -t tmpfs tmpfs /run
mkdir /run/w
mount --bind "$W" /run/w
touch /run/daemon
mount --bind "$DAEMON" /run/daemon
mount -t tmpfs tmpfs /tmp
cd /
[ -n "$BELOW" ] || exec /run/daemon --remote --ocf-root /run/w
/run/daemon --remote --ocf-root /run/w
exit $?
"#;

/// A daemon at work.
struct Daemon {
    root: PathBuf,
    key: PathBuf,
    port: u16,
    process: Child,
    provider: &'static str,
    agent: &'static str,
}

impl Daemon {
    /// A directory with a key in it, and a free port.
    fn prepare(name: &str) -> (PathBuf, PathBuf, u16) {
        let root = std::env::temp_dir().join(format!("systole-remote-{}-{name}", std::process::id()));
        fs::create_dir_all(&root).expect("directory");
        let key = root.join("authkey");
        fs::write(&key, (0..4096).map(|i: u32| i.to_le_bytes()[0] ^ 0x5a).collect::<Vec<u8>>()).expect("key");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        (root, key, listener.local_addr().expect("bound").port())
    }

    fn ours(name: &str) -> Self {
        let (root, key, port) = Self::prepare(name);
        write_agent(&root);
        let process = Command::new(env!("CARGO_BIN_EXE_systole-execd"))
            .args(["--remote", "--remote-address", "127.0.0.1", "--remote-port", &port.to_string()])
            .args(["--state-file".as_ref(), root.join("state").as_os_str()])
            .args(["--boot-id-file".as_ref(), root.join("boot-id").as_os_str()])
            .args(["--run-dir".as_ref(), root.join("runs").as_os_str()])
            .args(["--api".as_ref(), root.join("api.sock").as_os_str()])
            .args(["--ocf-root".as_ref(), root.as_os_str()])
            .env("PCMK_authkey_location", &key)
            .stderr(Stdio::null())
            .spawn()
            .expect("execd");
        Self { root, key, port, process, provider: "test", agent: "agent" }
    }

    /// A stock daemon, if one can be run here.
    fn stock(name: &str) -> Option<Self> {
        let program = std::env::var("SYSTOLE_STOCK_REMOTED").unwrap_or("/usr/sbin/pacemaker-remoted".into());
        let has_agent = Path::new("/usr/lib/ocf/resource.d/pacemaker/Dummy").exists();
        if !rustix::process::geteuid().is_root() || !Path::new(&program).exists() || !has_agent {
            eprintln!("SKIPPED: needs root, {program} and ocf:pacemaker:Dummy");
            return None;
        }
        let (root, key, port) = Self::prepare(name);
        let process = Command::new("unshare")
            .args([
                "--mount",
                "--ipc",
                "--pid",
                "--fork",
                "--kill-child=KILL",
                "--mount-proc",
                "sh",
                "-c",
                STOCK,
            ])
            .env("W", &root)
            .env("KEY", &key)
            .env("DAEMON", &program)
            .env("PCMK_remote_port", port.to_string())
            .env("PCMK_remote_address", "127.0.0.1")
            .env("PCMK_logfile", "/var/log/pacemaker/pacemaker.log")
            // As the first process of a container the daemon would be its own parent.
            .env("PCMK_remote_pid1", "default")
            .process_group(0)
            .spawn()
            .expect("unshare");
        Some(Self { root, key, port, process, provider: "pacemaker", agent: "Dummy" })
    }

    /// Ours in a container, if there can be one: as its first process, or below that with this `PCMK_remote_pid1`.
    fn in_container(name: &str, pid1: Option<&str>) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            eprintln!("SKIPPED: needs root");
            return None;
        }
        let (root, key, port) = Self::prepare(name);
        write_agent(&root);
        let settings = format!(
            "# of this host\nPCMK_remote_port={port}\nPCMK_authkey_location='/run/w/authkey'\n\
             FROM_FILE=file\nFROM_BOTH=file\n"
        );
        fs::write(root.join("settings"), settings).expect("settings");
        let process = Command::new("unshare")
            .args(["--mount", "--ipc", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"])
            .args(["sh", "-c", CONTAINER])
            .env("W", &root)
            .env("DAEMON", env!("CARGO_BIN_EXE_systole-execd"))
            .env("FROM_BOTH", "container")
            .env("PCMK_remote_address", "127.0.0.1")
            .envs(pid1.map(|setting| ("PCMK_remote_pid1", setting)))
            .envs(pid1.map(|_| ("BELOW", "1")))
            .stderr(Stdio::null())
            .spawn()
            .expect("unshare");
        Some(Self { root, key, port, process, provider: "test", agent: "agent" })
    }

    fn operation(&self, number: u64, name: &str, interval_ms: u64) -> Operation {
        let state = self.state();
        Operation {
            call: number,
            key: format!("r_{name}_{interval_ms}"),
            resource: "r".into(),
            class: "ocf".into(),
            provider: Some(self.provider.into()),
            agent: self.agent.into(),
            operation: name.into(),
            interval_ms,
            timeout_ms: 20_000,
            start_delay_ms: 0,
            parameters: BTreeMap::from([("state".to_owned(), state.display().to_string())]),
            transition_key: format!("{number}:1:0:4f9a2d6e-0000-0000-0000-000000000000"),
            expected_rc: None,
            digests: Default::default(),
        }
    }

    /// The file that says whether the resource runs.
    fn state(&self) -> PathBuf {
        self.root.join("resource-state")
    }

    fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn write_agent(root: &Path) {
    let agents = root.join("resource.d/test");
    fs::create_dir_all(&agents).expect("directory");
    fs::write(agents.join("agent"), AGENT).expect("agent");
    fs::set_permissions(agents.join("agent"), fs::Permissions::from_mode(0o755)).expect("agent");
}

/// What `systoled` does with a session.
struct Client {
    session: RemoteSession,
    dialer: Option<Dialer>,
    wakes: Signals,
    clock: Clock,
    heard: Vec<RemoteEvent>,
}

impl Client {
    fn connect(port: u16, key: &Path) -> Self {
        let (waker, wakes) = waker().expect("pipe");
        let clock = Clock::new();
        let session = RemoteSession::new("far", "near", clock.now());
        let dialer = Some(Dialer::new("127.0.0.1", port, key, &waker));
        Self { session, dialer, wakes, clock, heard: Vec::new() }
    }

    /// Connects as soon as the daemon listens.
    fn connect_to(daemon: &Daemon) -> Self {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut client = Self::connect(daemon.port, &daemon.key);
            match client.next() {
                RemoteEvent::Says(FromExecutor::Welcome { .. }) => return client,
                other if Instant::now() > deadline => panic!("{other:?}"),
                _ => std::thread::sleep(Duration::from_millis(100)),
            }
        }
    }

    fn handle(&mut self, event: Event) {
        for effect in self.session.handle(self.clock.now(), event) {
            match effect {
                Effect::Send(message) => {
                    let Some(dialer) = &mut self.dialer else { continue };
                    dialer.send(&message.to_text()).expect("connected");
                }
                Effect::Tell(event) => self.heard.push(event),
                Effect::Proxy(_) | Effect::Log { .. } => {}
            }
        }
    }

    fn run(&mut self, operation: Operation) {
        self.handle(Event::Told(ToExecutor::Run(Box::new(operation))));
    }

    /// The next event.
    fn next(&mut self) -> RemoteEvent {
        let deadline = Instant::now() + PATIENCE;
        while self.heard.is_empty() {
            assert!(Instant::now() < deadline, "nothing was heard in time");
            let dialer = self.dialer.as_mut().expect("not lost");
            let mut poll = Poll::new();
            poll.add(&self.wakes);
            let index = dialer.add_to(&mut poll);
            let ready = poll.wait(Some(Duration::from_millis(50))).expect("poll");
            let mut messages = Vec::new();
            let served = dialer.serve(&ready, index, &mut messages);
            if matches!(served, Ok(true)) {
                self.handle(Event::Connected);
            }
            for text in messages {
                let message = FromRemote::parse(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
                self.handle(Event::Received(message));
            }
            if let Err(end) = served {
                self.dialer = None;
                self.handle(Event::Lost { reason: end.describe() });
            }
            if self.clock.is_due(self.session.next_deadline()) {
                self.handle(Event::DeadlineReached);
            }
        }
        self.heard.remove(0)
    }

    fn result(&mut self) -> OperationResult {
        match self.next() {
            RemoteEvent::Says(FromExecutor::Result(result)) => *result,
            other => panic!("no result but {other:?}"),
        }
    }

    /// Name, code and status of the next result.
    fn outcome(&mut self) -> (String, i32, i32) {
        let result = self.result();
        (result.operation.operation, result.rc, result.status)
    }
}

fn expect(client: &mut Client, name: &str, rc: i32, status: i32) {
    assert_eq!(client.outcome(), (name.to_owned(), rc, status));
}

/// What the daemon's own agent says of itself, and that one which is not there says nothing.
fn describe(client: &mut Client, daemon: &Daemon) {
    for (agent, is_there) in [(daemon.agent, true), ("missing", false)] {
        let provider = Some(daemon.provider.to_owned());
        let name = AgentName { class: "ocf".into(), provider, agent: agent.into() };
        client.handle(Event::Told(ToExecutor::Describe(name.clone())));
        match client.next() {
            RemoteEvent::Says(FromExecutor::Described { agent, metadata }) => {
                assert_eq!(agent, name);
                assert_eq!(metadata.is_some_and(|text| text.contains("<resource-agent")), is_there);
            }
            other => panic!("no description but {other:?}"),
        }
    }
}

/// The life of a resource, a wrong key, and the loss of the daemon.
fn check(mut daemon: Daemon) {
    let mut client = Client::connect_to(&daemon);
    describe(&mut client, &daemon);
    client.run(daemon.operation(1, "monitor", 0));
    expect(&mut client, "monitor", 7, 0);
    client.run(daemon.operation(2, "start", 0));
    expect(&mut client, "start", 0, 0);
    client.run(daemon.operation(3, "monitor", 1000));
    expect(&mut client, "monitor", 0, 0);
    fs::remove_file(daemon.state()).expect("it ran");
    expect(&mut client, "monitor", 7, 0);

    client.handle(Event::Told(ToExecutor::Cancel { key: "r_monitor_1000".into() }));
    expect(&mut client, "monitor", 1, 1);
    client.run(Operation { agent: "missing".into(), ..daemon.operation(4, "start", 0) });
    let missing = client.result();
    assert_eq!(missing.rc, 5, "{missing:?}");
    client.run(daemon.operation(5, "stop", 0));
    expect(&mut client, "stop", 0, 0);

    let other = daemon.root.join("other");
    fs::write(&other, vec![9; 4096]).expect("key");
    let mut stranger = Client::connect(daemon.port, &other);
    match stranger.next() {
        RemoteEvent::Lost { reason } => assert!(reason.contains("key"), "{reason}"),
        other => panic!("{other:?}"),
    }

    daemon.kill();
    assert!(matches!(client.next(), RemoteEvent::Lost { .. }));
}

#[test]
fn our_daemon_does_what_a_session_asks() {
    check(Daemon::ours("ours"));
}

#[test]
fn a_stock_daemon_does_what_a_session_asks() {
    if let Some(daemon) = Daemon::stock("stock") {
        check(daemon);
    }
}

#[test]
fn what_recurs_ends_with_the_connection_and_the_resource_stays() {
    let daemon = Daemon::ours("loss");
    let mut client = Client::connect_to(&daemon);
    client.run(daemon.operation(1, "start", 0));
    expect(&mut client, "start", 0, 0);
    client.run(daemon.operation(2, "monitor", 500));
    expect(&mut client, "monitor", 0, 0);
    drop(client);
    let mut client = Client::connect_to(&daemon);
    assert!(daemon.state().exists());
    fs::remove_file(daemon.state()).expect("it ran");
    client.run(daemon.operation(3, "monitor", 0));
    expect(&mut client, "monitor", 7, 0);
}

/// The agent before it ends while the daemon stands still, too: both are there to be seen when it goes on.
#[test]
fn what_is_taken_back_while_the_daemon_stands_still_is_not_begun() {
    let daemon = Daemon::ours("still");
    let mut client = Client::connect_to(&daemon);
    let mut before = daemon.operation(1, "monitor", 0);
    before.parameters.insert("takes".to_owned(), "0.5".to_owned());
    client.run(before);
    client.run(daemon.operation(2, "start", 0));
    std::thread::sleep(Duration::from_millis(250));
    let signal =
        |name| rustix::process::kill_process(Pid::from_child(&daemon.process), name).expect("signal");
    signal(Signal::STOP);
    client.handle(Event::Told(ToExecutor::Cancel { key: "r_start_0".into() }));
    std::thread::sleep(Duration::from_secs(1));
    signal(Signal::CONT);
    let mut outcomes = [client.outcome(), client.outcome()];
    outcomes.sort();
    assert_eq!(outcomes, [("monitor".to_owned(), 7, 0), ("start".to_owned(), 0, 1)]);
    assert!(!daemon.state().exists());
}

/// The numbers of a process's children, those that wait to be buried too.
fn children_of(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("proc").flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let child = |pid: u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut rest = stat.rsplit_once(')')?.1.split_whitespace();
        (rest.nth(1)?.parse() == Ok(parent)).then_some(pid)
    };
    pids.filter_map(child).collect()
}

#[test]
fn a_containers_first_process_reads_its_settings_passes_signals_on_and_buries_orphans() {
    for (name, pid1, buries) in
        [("first", None, true), ("full", Some("full"), true), ("vars", Some("vars"), false)]
    {
        let Some(mut daemon) = Daemon::in_container(name, pid1) else { return };
        let mut client = Client::connect_to(&daemon);
        let parameters = BTreeMap::from([("state".to_owned(), "/run/w/resource-state".to_owned())]);
        client.run(Operation { parameters, ..daemon.operation(1, "start", 0) });
        expect(&mut client, "start", 0, 0);
        assert_eq!(fs::read_to_string(daemon.state()).expect("state"), "file container\n", "{name}");
        until("the orphan's end", || daemon.root.join("resource-state.orphan").exists().then_some(()));
        let only = |parent: u32| until("one child", || children_of(parent).first().copied());
        let mut first = only(daemon.process.id());
        if pid1.is_some() {
            first = only(first);
        }
        if buries {
            until("its burial", || (children_of(first).len() == 1).then_some(()));
        }
        drop(client);
        let first = rustix::process::Pid::from_raw(first.cast_signed()).expect("a process");
        rustix::process::kill_process(first, rustix::process::Signal::TERM).expect("it runs");
        let ended = until("the end of all", || daemon.process.try_wait().expect("unshare"));
        assert!(ended.success(), "{name}: {ended}");
    }
}
