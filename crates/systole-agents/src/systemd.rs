//! systemd units, through `systemctl`.

use crate::{AgentCall, Host, Outcome, process};
use std::{
    process::Command,
    thread,
    time::{Duration, Instant},
};
use systole_types::{OcfRc, OpStatus};

/// How often a unit that is on its way to another state is looked at again.
const SETTLE: Duration = Duration::from_millis(250);

pub(crate) fn run(host: &Host, call: &AgentCall, spawned: &mut dyn FnMut(u32)) -> Outcome {
    let started = Instant::now();
    let mut outcome = match call.action.as_str() {
        "start" | "stop" | "restart" | "reload" => change(host, call, spawned),
        "monitor" | "status" => monitor(host, call, spawned),
        "meta-data" => meta_data(call),
        _ => Outcome::finished(
            OcfRc::Unimplemented,
            OpStatus::NotSupported,
            "systemd units have no such action",
        ),
    };
    outcome.elapsed = started.elapsed();
    outcome
}

fn unit(call: &AgentCall) -> String {
    let has_suffix =
        [".service", ".socket", ".mount", ".timer", ".path"].iter().any(|s| call.agent.ends_with(s));
    if has_suffix { call.agent.clone() } else { format!("{}.service", call.agent) }
}

fn systemctl(host: &Host, args: &[&str], timeout: Duration, spawned: &mut dyn FnMut(u32)) -> Outcome {
    let mut command = Command::new(&host.systemctl);
    command.args(args);
    process::run(command, timeout, spawned)
}

fn change(host: &Host, call: &AgentCall, spawned: &mut dyn FnMut(u32)) -> Outcome {
    let unit = unit(call);
    let mut outcome = systemctl(host, &[&call.action, "--", &unit], call.timeout, spawned);
    if outcome.status == OpStatus::Done {
        match (call.action.as_str(), outcome.rc.code()) {
            (_, 0) => {}
            // A unit that does not exist is certainly not running.
            ("stop", 5) => outcome.rc = OcfRc::Ok,
            (_, 5) => outcome = Outcome::not_installed(format!("there is no systemd unit {unit}")),
            _ => {
                outcome.rc = OcfRc::Error;
                outcome.exit_reason = outcome.stderr.lines().last().unwrap_or_default().to_owned();
            }
        }
    }
    outcome
}

/// A unit that is starting or stopping is waited for: its state is not known until it has settled.
fn monitor(host: &Host, call: &AgentCall, spawned: &mut dyn FnMut(u32)) -> Outcome {
    let deadline = Instant::now() + call.timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        // The main process is for whoever wants to know when it ends: it is among the outcome's output.
        let args = ["show", "--property=LoadState,ActiveState,MainPID", "--", &unit(call)];
        let mut outcome = systemctl(host, &args, left, spawned);
        if outcome.status != OpStatus::Done {
            return outcome;
        }
        let state = Observed::read(&outcome.stdout);
        if outcome.rc != OcfRc::Ok || state == Observed::Unknown {
            outcome.rc = OcfRc::Error;
            outcome.exit_reason = "systemd does not say what state the unit is in".to_owned();
            return outcome;
        }
        outcome.rc = match state {
            Observed::Running => OcfRc::Ok,
            Observed::Stopped => OcfRc::NotRunning,
            Observed::Missing if call.parameters.get("CRM_meta_interval").is_some_and(|i| i != "0") => {
                return Outcome::not_installed(format!("there is no systemd unit {}", unit(call)));
            }
            Observed::Missing => OcfRc::NotRunning,
            Observed::Changing | Observed::Unknown => {
                thread::sleep(SETTLE.min(deadline.saturating_duration_since(Instant::now())));
                continue;
            }
        };
        return outcome;
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Observed {
    Running,
    Stopped,
    Changing,
    Missing,
    Unknown,
}

impl Observed {
    fn read(show: &str) -> Self {
        let value = |name: &str| show.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        match (value("LoadState"), value("ActiveState")) {
            (Some("not-found"), Some("inactive") | None) => Self::Missing,
            (_, Some("active" | "reloading")) => Self::Running,
            (_, Some("activating" | "deactivating")) => Self::Changing,
            (_, Some("inactive" | "failed" | "maintenance")) => Self::Stopped,
            _ => Self::Unknown,
        }
    }
}

fn meta_data(call: &AgentCall) -> Outcome {
    let name: String = call.agent.chars().filter(|c| !"<>&\"'".contains(*c)).collect();
    let mut outcome = Outcome::finished(OcfRc::Ok, OpStatus::Done, "");
    outcome.stdout = format!(
        r#"<?xml version="1.0"?>
<resource-agent name="{name}" version="1.0">
  <version>1.1</version>
  <shortdesc lang="en">systemd unit {name}</shortdesc>
  <parameters/>
  <actions>
    <action name="start" timeout="100s"/>
    <action name="stop" timeout="100s"/>
    <action name="monitor" timeout="100s" interval="60s"/>
    <action name="meta-data" timeout="5s"/>
  </actions>
</resource-agent>
"#
    );
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_units_state_is_read_from_systemctl() {
        for (show, state) in [
            ("LoadState=loaded\nActiveState=active\n", Observed::Running),
            ("LoadState=loaded\nActiveState=failed\n", Observed::Stopped),
            ("ActiveState=activating\nLoadState=loaded\n", Observed::Changing),
            ("LoadState=not-found\nActiveState=inactive\n", Observed::Missing),
            ("", Observed::Unknown),
        ] {
            assert_eq!(Observed::read(show), state, "{show:?}");
        }
    }
}
