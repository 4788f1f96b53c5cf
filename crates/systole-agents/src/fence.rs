//! Fence agents: `/usr/sbin/fence_NAME` with `action=...` and a parameter a line on standard input.

use crate::{AgentCall, Host, Outcome, is_plain_name, process};
use std::{fmt::Write as _, fs, os::unix::fs::PermissionsExt as _, process::Command};
use systole_types::{OcfRc, OpStatus};

/// What their names begin with.
const PREFIX: &str = "fence_";

pub(crate) fn run(host: &Host, call: &AgentCall, spawned: &mut dyn FnMut(u32)) -> Outcome {
    let path = host.fence_dir.join(&call.agent);
    if !call.agent.starts_with(PREFIX) || !is_plain_name(&call.agent) || !path.is_file() {
        return Outcome::not_installed(format!("there is no fence agent {}", path.display()));
    }
    let is_line = |text: &str| !text.contains('\n');
    if !call.parameters.iter().all(|(name, value)| is_line(name) && is_line(value)) {
        return Outcome::finished(OcfRc::InvalidParam, OpStatus::Error, "a parameter has more than one line");
    }
    let mut input = format!("action={}\n", call.action);
    for (name, value) in &call.parameters {
        let _ = writeln!(input, "{name}={value}");
    }
    process::run_with_input(Command::new(path), &input, call.timeout, spawned)
}

/// The agents there are, by name.
pub(crate) fn installed(host: &Host) -> Vec<String> {
    let Ok(entries) = fs::read_dir(&host.fence_dir) else { return Vec::new() };
    let is_agent = |path: &std::path::Path| {
        fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    let mut found: Vec<String> = entries
        .flatten()
        .filter(|entry| is_agent(&entry.path()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with(PREFIX))
        .collect();
    found.sort();
    found
}
