//! Small shell agents in a directory of their own, run for real.

#![allow(missing_docs, reason = "a test")]

use std::{
    collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration, time::Instant,
};
use systole_agents::{AgentCall, Host, Outcome};
use systole_types::{OcfRc, OpStatus};

/// An OCF root of its own with one agent, `test:agent`.
struct Root(PathBuf);

impl Root {
    fn with_agent(name: &str, script: &str) -> Self {
        let root = std::env::temp_dir().join(format!("systole-agents-{}-{name}", std::process::id()));
        let dir = root.join("resource.d/test");
        fs::create_dir_all(&dir).expect("temporary directory");
        let path = dir.join("agent");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("agent");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("agent");
        Self(root)
    }

    fn run(&self, action: &str, parameters: &[(&str, &str)], timeout: Duration) -> Outcome {
        self.run_agent("agent", action, parameters, timeout)
    }

    fn run_agent(
        &self,
        agent: &str,
        action: &str,
        parameters: &[(&str, &str)],
        timeout: Duration,
    ) -> Outcome {
        let host = Host { ocf_root: self.0.clone(), ..Host::default() };
        let parameters: BTreeMap<_, _> =
            parameters.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let call = AgentCall {
            class: "ocf".into(),
            provider: Some("test".into()),
            agent: agent.into(),
            instance: "thing:1".into(),
            action: action.into(),
            parameters,
            timeout,
        };
        host.run(&call, &mut |_| {})
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const LONG: Duration = Duration::from_secs(20);

#[test]
fn an_agent_is_told_everything_in_its_environment() {
    let root = Root::with_agent(
        "environment",
        r#"echo "$1 $OCF_RESOURCE_INSTANCE $OCF_RESOURCE_PROVIDER $OCF_RESOURCE_TYPE $OCF_RA_VERSION_MAJOR.$OCF_RA_VERSION_MINOR"
        echo "$OCF_RESKEY_ip $OCF_RESKEY_CRM_meta_timeout $OCF_CHECK_LEVEL $OCF_EXIT_REASON_PREFIX"
        [ "$OCF_ROOT" = "${0%/resource.d/*}" ] && pwd
        exit 8"#,
    );
    let parameters = [("ip", "192.0.2.1"), ("CRM_meta_timeout", "20000"), ("OCF_CHECK_LEVEL", "10")];
    let outcome = root.run("monitor", &parameters, LONG);
    assert_eq!(outcome.stdout, "monitor thing:1 test agent 1.1\n192.0.2.1 20000 10 ocf-exit-reason:\n/\n");
    assert_eq!((outcome.rc, outcome.status), (OcfRc::Promoted, OpStatus::Done));
}

#[test]
fn an_exit_reason_reaches_the_result() {
    let root = Root::with_agent(
        "reason",
        r#"echo "noise" >&2; echo "${OCF_EXIT_REASON_PREFIX}image missing" >&2; exit 5"#,
    );
    let outcome = root.run("start", &[], LONG);
    assert_eq!((outcome.rc, outcome.status), (OcfRc::NotInstalled, OpStatus::Done));
    assert_eq!(outcome.exit_reason, "image missing");
}

#[test]
fn a_missing_agent_is_not_installed() {
    let root = Root::with_agent("missing", "exit 0");
    for agent in ["nothing", "../test/agent", ""] {
        let outcome = root.run_agent(agent, "monitor", &[], LONG);
        assert_eq!((outcome.rc, outcome.status), (OcfRc::NotInstalled, OpStatus::NotInstalled), "{agent:?}");
    }
}

#[test]
fn a_timeout_kills_the_whole_process_group() {
    let root = Root::with_agent(
        "timeout",
        r#"trap '' TERM; dir=${0%/resource.d/*}
        sh -c "trap '' TERM; echo \$\$ > $dir/helper; while :; do sleep 0.05; done" & wait; while :; do sleep 1; done"#,
    );
    let started = Instant::now();
    let outcome = root.run("start", &[], Duration::from_millis(300));
    assert_eq!((outcome.rc, outcome.status), (OcfRc::Error, OpStatus::TimedOut));
    assert_eq!(outcome.exit_reason, "Resource agent did not complete within 300ms");
    assert!(started.elapsed() < Duration::from_secs(5));
    let helper = fs::read_to_string(root.0.join("helper")).expect("the helper ran");
    let until = Instant::now() + Duration::from_secs(5);
    while is_alive(helper.trim()) {
        assert!(Instant::now() < until, "the helper {helper} outlived its agent's timeout");
        std::thread::yield_now();
    }
}

/// A zombie nobody has waited for yet counts as dead.
fn is_alive(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn what_an_agent_leaves_running_does_not_hold_up_its_result() {
    let root = Root::with_agent("daemon", "sleep 30 & echo $!; exit 0");
    let started = Instant::now();
    let outcome = root.run("start", &[], LONG);
    assert_eq!((outcome.rc, outcome.status), (OcfRc::Ok, OpStatus::Done));
    assert!(started.elapsed() < Duration::from_secs(10), "waited for the daemon");
    let pid = outcome.stdout.trim().to_owned();
    assert!(is_alive(&pid), "the daemon was killed");
    let _ = std::process::Command::new("kill").arg(pid).status();
}

#[test]
fn a_flood_of_output_is_bounded() {
    let root = Root::with_agent(
        "flood",
        "head -c 3000000 /dev/zero >&2; echo ocf-exit-reason:end >&2; head -c 3000000 /dev/zero",
    );
    let outcome = root.run("monitor", &[], LONG);
    assert_eq!((outcome.rc, outcome.exit_reason.as_str()), (OcfRc::Ok, "end"));
    assert_eq!(
        (outcome.stdout.len(), outcome.stderr.len()),
        (systole_agents::STDOUT_LIMIT, systole_agents::STDERR_LIMIT)
    );
}

#[test]
fn an_agent_killed_by_a_signal_is_an_error() {
    let root = Root::with_agent("signal", "kill -9 $$");
    let outcome = root.run("monitor", &[], LONG);
    assert_eq!((outcome.rc, outcome.status), (OcfRc::Error, OpStatus::Error));
    assert_eq!(outcome.exit_reason, "Resource agent interrupted by signal 9");
}
