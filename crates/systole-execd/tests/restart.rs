//! The executor's binary with small shell agents: killed, started again, spoken to badly, and services that die.

#![allow(missing_docs, reason = "a test")]

mod support;

use std::{
    fs,
    io::Write,
    os::unix::{fs::PermissionsExt, net::UnixStream},
    path::PathBuf,
    process::{Child, Command},
};
use support::{PATIENCE, until};
use systole_link::{Connection, Limits};
use systole_wire::{
    PROTOCOL,
    exec::{AgentName, FromExecutor, Operation, OperationResult, ToExecutor},
};

const LIMITS: Limits = Limits { line: 1 << 20, unsent: 1 << 20 };

/// Counts its actions in files beside `resource.d`; `monitor` says what the file `rc` says. With a `file`, it starts a
/// service that has its process number there.
const AGENT: &str = r#"#!/bin/sh
root=${0%/resource.d/*}
echo x >> "$root/$1"
case $1 in
slow) : > "$root/slow-runs"; while [ ! -e "$root/go" ]; do sleep 0.01; done; exit 4;;
meta-data) cat "$root/metadata";;
start) [ -z "$OCF_RESKEY_file" ] || { sleep 600 >/dev/null 2>&1 & echo $! > "$OCF_RESKEY_file"; };;
monitor)
    [ -z "$OCF_RESKEY_file" ] || grep -q sleep "/proc/$(cat "$OCF_RESKEY_file")/cmdline" || exit 7
    exit $(cat "$root/rc" 2>/dev/null || echo 0);;
esac
"#;

/// An executor in a directory of its own.
struct Host {
    root: PathBuf,
    executor: Child,
}

impl Host {
    fn start(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("systole-execd-{}-{name}", std::process::id()));
        fs::create_dir_all(root.join("resource.d/test")).expect("directory");
        let agent = root.join("resource.d/test/agent");
        fs::write(&agent, AGENT).expect("agent");
        fs::set_permissions(&agent, fs::Permissions::from_mode(0o755)).expect("agent");
        let executor = Self::spawn(&root);
        Self { root, executor }
    }

    fn spawn(root: &PathBuf) -> Child {
        Command::new(env!("CARGO_BIN_EXE_systole-execd"))
            .arg("--socket")
            .arg(root.join("exec.sock"))
            .arg("--state-file")
            .arg(root.join("state"))
            .arg("--boot-id-file")
            .arg(root.join("boot-id"))
            .arg("--run-dir")
            .arg(root.join("runs"))
            .arg("--ocf-root")
            .arg(root)
            .spawn()
            .expect("systole-execd")
    }

    /// Kills the executor as `kill -9` does and starts it again.
    fn restart(&mut self) {
        self.executor.kill().expect("kill");
        self.executor.wait().expect("wait");
        self.executor = Self::spawn(&self.root);
    }

    fn connect(&self) -> Connection {
        let mut connection =
            until("the socket", || Connection::connect(&self.root.join("exec.sock"), LIMITS).ok());
        let hello = ToExecutor::Hello { protocol: PROTOCOL, node: "a".into() };
        connection.send(&hello).expect("hello");
        connection
    }

    fn count(&self, action: &str) -> usize {
        fs::read_to_string(self.root.join(action)).map_or(0, |text| text.lines().count())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.executor.kill();
        let _ = self.executor.wait();
        let _ = fs::remove_dir_all(&self.root);
    }
}

fn operation(call: u64, operation: &str, interval_ms: u64) -> ToExecutor {
    with_parameters(call, operation, interval_ms, &[])
}

fn with_parameters(call: u64, operation: &str, interval_ms: u64, parameters: &[(&str, &str)]) -> ToExecutor {
    ToExecutor::Run(Box::new(Operation {
        call,
        key: format!("thing_{operation}_{interval_ms}"),
        resource: "thing".into(),
        class: "ocf".into(),
        provider: Some("test".into()),
        agent: "agent".into(),
        operation: operation.into(),
        interval_ms,
        timeout_ms: 20_000,
        start_delay_ms: 0,
        parameters: parameters.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
        transition_key: "1:1:0:x".into(),
        expected_rc: Some(0),
        digests: Default::default(),
    }))
}

fn welcome(connection: &mut Connection) -> (Vec<(String, u64)>, Vec<u64>) {
    match connection.wait_message(PATIENCE).expect("welcome") {
        FromExecutor::Welcome { recurring, in_flight, .. } => {
            (recurring, in_flight.iter().map(|o| o.call).collect())
        }
        other => panic!("not a welcome: {other:?}"),
    }
}

fn result(connection: &mut Connection) -> OperationResult {
    match connection.wait_message(PATIENCE).expect("result") {
        FromExecutor::Result(result) => *result,
        other => panic!("not a result: {other:?}"),
    }
}

fn described(connection: &mut Connection, agent: &str) -> Option<String> {
    let name = AgentName { class: "ocf".into(), provider: Some("test".into()), agent: agent.into() };
    connection.send(&ToExecutor::Describe(name.clone())).expect("question");
    match connection.wait_message(PATIENCE).expect("description") {
        FromExecutor::Described { agent, metadata } if agent == name => metadata,
        other => panic!("not its description: {other:?}"),
    }
}

#[test]
fn agents_are_asked_what_they_are_until_they_say_and_again_when_their_file_has_changed() {
    let host = Host::start("description");
    let mut client = host.connect();
    welcome(&mut client);
    assert_eq!(described(&mut client, "missing"), None);
    assert_eq!(described(&mut client, "agent"), None);
    for metadata in ["<one/>", "<two/>"] {
        fs::write(host.root.join("metadata"), metadata).expect("metadata");
        let agent = host.root.join("resource.d/test/agent");
        fs::write(&agent, format!("{AGENT}# {metadata} is what it says\n")).expect("agent");
        assert_eq!(described(&mut client, "agent").as_deref(), Some(metadata));
        let n_runs = host.count("meta-data");
        assert_eq!(described(&mut client, "agent").as_deref(), Some(metadata));
        assert_eq!(host.count("meta-data"), n_runs, "it was run although nothing has changed");
    }
}

#[test]
fn monitors_outlive_the_executor_and_its_client() {
    let mut host = Host::start("monitors");
    let mut client = host.connect();
    assert_eq!(welcome(&mut client), (vec![], vec![]));
    client.send(&operation(1, "start", 0)).expect("start");
    assert_eq!(result(&mut client).rc, 0);
    client.send(&operation(2, "monitor", 100)).expect("monitor");
    assert_eq!(result(&mut client).rc, 0);
    drop(client);
    let before = host.count("monitor");
    until("the monitor to go on without a client", || (host.count("monitor") > before + 1).then_some(()));

    host.restart();
    let before = host.count("monitor");
    until("the monitor to go on after a restart", || (host.count("monitor") > before + 1).then_some(()));
    assert_eq!(host.count("start"), 1);

    fs::write(host.root.join("rc"), "7").expect("rc");
    let mut client = host.connect();
    assert_eq!(welcome(&mut client).0, [("thing_monitor_100".to_owned(), 2)]);
    let failure = until("the failure to be reported", || Some(result(&mut client)).filter(|r| r.rc == 7));
    assert_eq!(failure.operation.call, 2);
}

#[test]
fn an_action_outlives_the_executor_and_its_result_is_kept() {
    for moment in ["while it is away", "after it is back"] {
        let mut host = Host::start(&format!("kept-{}", moment.len()));
        let mut client = host.connect();
        welcome(&mut client);
        client.send(&operation(1, "slow", 0)).expect("slow");
        until("the agent to run", || host.root.join("slow-runs").exists().then_some(()));
        let go = || fs::write(host.root.join("go"), "").expect("go");
        if moment == "while it is away" {
            host.executor.kill().expect("kill");
            host.executor.wait().expect("wait");
            go();
            until("the result", || {
                let names = fs::read_dir(host.root.join("runs")).expect("runs").flatten();
                names.map(|entry| entry.path()).find(|path| path.extension().is_none())
            });
            host.executor = Host::spawn(&host.root);
        } else {
            host.restart();
            until("the executor", || Connection::connect(&host.root.join("exec.sock"), LIMITS).ok());
            fs::write(host.root.join("go"), "").expect("go");
        }
        let mut client = host.connect();
        welcome(&mut client);
        let result = result(&mut client);
        assert_eq!((result.operation.call, result.rc, result.status), (1, 4, 0), "{moment}");
        assert_eq!(host.count("slow"), 1, "{moment}");
        until("files to be removed", || {
            (fs::read_dir(host.root.join("runs")).expect("runs").count() == 0).then_some(())
        });
    }
}

#[test]
fn an_action_that_was_killed_with_the_executor_is_reported_as_unknown() {
    let mut host = Host::start("unknown");
    let mut client = host.connect();
    welcome(&mut client);
    client.send(&operation(1, "slow", 0)).expect("slow");
    until("the agent to run", || host.root.join("slow-runs").exists().then_some(()));
    host.executor.kill().expect("kill");
    host.executor.wait().expect("wait");
    let agent = until("the agent's group", || {
        let files = fs::read_dir(host.root.join("runs")).expect("runs").flatten();
        files.filter_map(|file| fs::read_to_string(file.path()).ok()).find_map(|text| {
            let (group, _) = text.split_once(':')?;
            Some(group.to_owned())
        })
    });
    // The keeper goes first, so that it cannot write down how the agent ended.
    let stat = fs::read_to_string(format!("/proc/{agent}/stat")).expect("the agent runs");
    let keeper = stat.rsplit_once(')').expect("stat").1.split_whitespace().nth(1).expect("parent").to_owned();
    for pid in [&keeper, &agent] {
        Command::new("kill").args(["-9", pid]).status().expect("kill");
    }
    host.executor = Host::spawn(&host.root);
    let mut client = host.connect();
    welcome(&mut client);
    let result = result(&mut client);
    assert_eq!((result.operation.call, result.status), (1, 8));
}

#[test]
fn nonsense_on_the_socket_stops_nothing() {
    let host = Host::start("nonsense");
    let mut client = host.connect();
    welcome(&mut client);
    client.send(&operation(1, "monitor", 100)).expect("monitor");
    result(&mut client);
    for nonsense in [&b"\xff\n"[..], b"{\"run\":{}}\n", b"\n"] {
        let mut stream = UnixStream::connect(host.root.join("exec.sock")).expect("connect");
        stream.write_all(nonsense).expect("write");
    }
    let before = host.count("monitor");
    until("the monitor to go on", || (host.count("monitor") > before + 1).then_some(()));
    assert_eq!(welcome(&mut host.connect()).0.len(), 1);
}

#[test]
fn a_service_whose_process_dies_is_looked_at_at_once() {
    // A file that a parameter names, a file that only its place below /run tells of, and either over a restart.
    let run = PathBuf::from(format!("/run/systole-test-{}", std::process::id()));
    for (name, restarts) in [("pidfile", false), ("pidfile", true), ("file", false), ("file", true)] {
        let mut host = Host::start(&format!("service-{name}-{restarts}"));
        let file = if name == "file" { run.join("thing.pid") } else { host.root.join("number") };
        if name == "file" && fs::create_dir_all(&run).is_err() {
            eprintln!("SKIPPED: needs to write below /run");
            continue;
        }
        let file_text = file.to_string_lossy();
        let parameters = [("file", &*file_text), (name, &*file_text)];
        let mut client = host.connect();
        welcome(&mut client);
        client.send(&with_parameters(1, "start", 0, &parameters)).expect("start");
        assert_eq!(result(&mut client).rc, 0);
        // Recurring monitors come once in ten minutes.
        client.send(&with_parameters(2, "monitor", 600_000, &parameters)).expect("monitor");
        assert_eq!(result(&mut client).rc, 0);
        if restarts {
            host.restart();
            client = host.connect();
            welcome(&mut client);
            // Its first round after the restart is not what this is about.
            let before = host.count("monitor");
            until("the monitor's first round", || (host.count("monitor") >= before.max(2)).then_some(()));
        }
        let pid = fs::read_to_string(&file).expect("the service runs");
        Command::new("kill").args(["-9", pid.trim()]).status().expect("kill");
        let told = until("the news", || Some(result(&mut client)).filter(|result| result.rc == 7));
        assert_eq!(told.operation.call, 2, "{name}, restarted: {restarts}");
    }
    let _ = fs::remove_dir_all(run);
}
