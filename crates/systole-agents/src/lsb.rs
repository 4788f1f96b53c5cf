//! LSB init scripts: `/etc/init.d/NAME ACTION`, whose exit codes mean other things than OCF's.

use crate::{AgentCall, Host, Outcome, is_plain_name, process};
use std::process::Command;
use systole_types::{OcfRc, OpStatus};

pub(crate) fn exists(host: &Host, name: &str) -> bool {
    is_plain_name(name) && host.lsb_dir.join(name).is_file()
}

pub(crate) fn run(host: &Host, call: &AgentCall, spawned: &mut dyn FnMut(u32)) -> Outcome {
    if !exists(host, &call.agent) {
        return Outcome::not_installed(format!(
            "there is no init script {}",
            host.lsb_dir.join(&call.agent).display()
        ));
    }
    let action = if call.action == "monitor" { "status" } else { call.action.as_str() };
    let mut command = Command::new(host.lsb_dir.join(&call.agent));
    command.arg(action);
    let mut outcome = process::run(command, call.timeout, spawned);
    if outcome.status == OpStatus::Done {
        outcome.rc = from_lsb(action, outcome.rc.code());
    }
    outcome
}

/// Source: Linux Standard Base, "Init Script Actions"; Pacemaker Explained, "LSB Resource Agents".
fn from_lsb(action: &str, code: i32) -> OcfRc {
    match (action, code) {
        ("status", 0) => OcfRc::Ok,
        ("status", 1..=3) => OcfRc::NotRunning,
        ("status", 4) => OcfRc::InsufficientPrivilege,
        ("status", _) => OcfRc::Error,
        (_, 0..=7) => OcfRc::from_code(code),
        _ => OcfRc::Error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_init_scripts_code_depends_on_the_action() {
        for (action, code, rc) in [
            ("status", 0, OcfRc::Ok),
            ("status", 1, OcfRc::NotRunning),
            ("status", 3, OcfRc::NotRunning),
            ("status", 150, OcfRc::Error),
            ("start", 0, OcfRc::Ok),
            ("start", 5, OcfRc::NotInstalled),
            ("stop", 7, OcfRc::NotRunning),
            ("stop", 99, OcfRc::Error),
        ] {
            assert_eq!(from_lsb(action, code), rc, "{action} {code}");
        }
    }
}
