//! What agents ask of the cluster from a remote node, by our tools and, where they are installed, by Pacemaker's: `tools.txt` has
//! the calls that the agents of `resource-agents` and of Pacemaker make, and what they go by.
//!
//! Pacemaker's tools are in `/usr/sbin` or where `SYSTOLE_STOCK_TOOLS` says. They look for sockets at fixed places, so each is
//! run, as root, where these places are the test's directory.

use crate::{harness::Cluster, remote::cluster_with_far};
use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const CALLS: &str = include_str!("tools.txt");

/// A call, and what has to come of it.
struct Call<'a> {
    is_ours_only: bool,
    env: Vec<(&'a str, &'a str)>,
    tool: &'a str,
    words: Vec<&'a str>,
    line: &'a str,
    exit: i32,
    printed: Vec<&'a str>,
}

/// How a tool ended, and what it printed.
struct Outcome {
    exit: i32,
    printed: String,
    complaint: String,
}

fn calls() -> Vec<Call<'static>> {
    let mut calls: Vec<Call<'_>> = Vec::new();
    for line in CALLS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some((mark @ ("$" | "$!"), line)) = line.split_once(' ') {
            let mut words = line.split(' ').peekable();
            let mut env = Vec::new();
            while let Some(set) = words.next_if(|word| word.starts_with("OCF_")) {
                env.extend(set.split_once('='));
            }
            let tool = words.next().expect("a tool");
            let words = words.map(|word| if word == "''" { "" } else { word }).collect();
            calls.push(Call {
                is_ours_only: mark == "$!",
                env,
                tool,
                words,
                line,
                exit: 0,
                printed: Vec::new(),
            });
        } else if let Some(call) = calls.last_mut() {
            match line.strip_prefix("exit ") {
                Some(code) => call.exit = code.parse().expect("an exit code"),
                None => call.printed.push(if line == "''" { "" } else { line }),
            }
        }
    }
    calls
}

/// Whether `line` is what `pattern` says.
fn fits(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
    let parts: Vec<&str> = parts.collect();
    for (idx, part) in parts.iter().enumerate() {
        if idx + 1 == parts.len() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.is_empty()
}

/// Whether these are the lines.
fn are_as_expected(expected: &[&str], lines: &[&str]) -> bool {
    match (expected, lines) {
        ([], lines) => lines.is_empty(),
        (["...", rest @ ..], lines) => (0..=lines.len()).any(|n| are_as_expected(rest, &lines[n..])),
        ([_, ..], []) => false,
        ([pattern, rest @ ..], [line, lines @ ..]) => {
            fits(pattern, line.trim_end()) && are_as_expected(rest, lines)
        }
    }
}

/// Makes every call.
fn check(calls: impl Iterator<Item = Call<'static>>, run: impl Fn(&Call<'_>) -> Outcome) {
    let mut wrong = String::new();
    for call in calls {
        let outcome = run(&call);
        let lines: Vec<&str> = outcome.printed.lines().collect();
        if outcome.exit != call.exit || !are_as_expected(&call.printed, &lines) {
            let Outcome { exit, printed, complaint } = outcome;
            wrong += &format!("$ {}\n{printed}exit {exit}\n{complaint}", call.line);
        }
    }
    assert!(wrong.is_empty(), "not as it should be:\n{wrong}");
}

#[test]
fn our_tools_beside_a_remote_daemon_answer_what_agents_ask() {
    let (cluster, _) = cluster_with_far("our-tools");
    let socket = cluster.dir("far").join("api.sock");
    check(calls().into_iter(), |call| {
        let mut env: BTreeMap<OsString, OsString> =
            call.env.iter().map(|(name, value)| (name.into(), value.into())).collect();
        env.insert("SYSTOLE_SOCKET".into(), socket.clone().into());
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut session = systole_cli::Session {
            tool: call.tool.to_owned(),
            command_line: String::new(),
            env,
            input: &mut std::io::empty(),
            out: &mut out,
            err: &mut err,
            on_terminal: false,
            now: systole_cli::session::system_time(),
            utc_offset: 0,
            rehearsal: None,
            answer_limit: None,
        };
        let words: Vec<OsString> = call.words.iter().map(Into::into).collect();
        let exit = systole_cli::run(&mut session, &words).code();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Outcome { exit: exit.into(), printed: text(&out), complaint: text(&err) }
    });
}

/// Runs a tool where libqb's places are the directory `W`.
const BESIDE: &str = r#"
set -e
mount --make-rprivate /
mkdir -p "$W/../etc/upper" "$W/../etc/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$W/../etc/upper,workdir=$W/../etc/work" /etc
mkdir -p /etc/libqb
: > /etc/libqb/force-filesystem-sockets
mount --bind "$W" /var/run
mount --bind "$W" /tmp
exec timeout 20 "$@"
"#;

/// Where Pacemaker's own tools are, if they are and can be run.
fn stock_tools() -> Option<PathBuf> {
    let dir = PathBuf::from(std::env::var("SYSTOLE_STOCK_TOOLS").unwrap_or("/usr/sbin".into()));
    let is_stock = |tool: &Path| {
        fs::read(tool).is_ok_and(|bytes| bytes.windows(12).any(|bytes| bytes == b"libcrmcommon"))
    };
    let is_there = rustix::process::geteuid().is_root() && is_stock(&dir.join("crm_node"));
    if !is_there {
        eprintln!("SKIPPED: needs root and Pacemaker's own tools in {}", dir.display());
    }
    is_there.then_some(dir)
}

fn run_stock(cluster: &Cluster, dir: &Path, call: &Call<'_>) -> Outcome {
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", BESIDE, "sh"])
        .arg(dir.join(call.tool))
        .args(&call.words)
        .env("W", cluster.dir("far").join("qb"))
        .envs(call.env.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("unshare");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let exit = output.status.code().unwrap_or(-1);
    Outcome { exit, printed: text(&output.stdout), complaint: text(&output.stderr) }
}

#[test]
fn stock_tools_beside_a_remote_daemon_answer_what_agents_ask() {
    let Some(dir) = stock_tools() else { return };
    let (cluster, _) = cluster_with_far("stock-tools");
    // That of a new cluster is unknown to 2.1.5.
    cluster.set_schema("pacemaker-3.9");
    check(calls().into_iter().filter(|call| !call.is_ours_only), |call| run_stock(&cluster, &dir, call));
}
