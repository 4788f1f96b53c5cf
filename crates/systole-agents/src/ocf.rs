//! OCF agents: `OCF_ROOT/resource.d/PROVIDER/TYPE ACTION` with everything else in the environment.

use crate::{AgentCall, Host, Outcome, capture::EXIT_REASON_PREFIX, is_plain_name, process};
use std::{env, process::Command};
use systole_types::{OcfRc, OpStatus};

/// The version of the OCF standard agents are told we follow.
const RA_VERSION: (&str, &str) = ("1", "1");

/// Where agents find programs if the daemon's own environment has no `PATH`.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

pub(crate) fn run(host: &Host, call: &AgentCall, spawned: &mut dyn FnMut(u32)) -> Outcome {
    let Some(provider) = call.provider.as_deref() else {
        return Outcome::finished(
            OcfRc::NotConfigured,
            OpStatus::FatalError,
            "an OCF resource needs a provider",
        );
    };
    if !is_plain_name(provider) || !is_plain_name(&call.agent) {
        return Outcome::not_installed(format!("{provider}:{} cannot be an agent's name", call.agent));
    }
    let path = host.ocf_root.join("resource.d").join(provider).join(&call.agent);
    if !path.is_file() {
        return Outcome::not_installed(format!("there is no agent {}", path.display()));
    }
    let mut command = Command::new(&path);
    command.arg(&call.action).envs(environment(host, call));
    process::run(command, call.timeout, spawned)
}

/// What Pacemaker 2.1.5 puts into an agent's environment, beside the daemon's own.
///
/// Names are not changed: `a-b` becomes `OCF_RESKEY_a-b`, which shells cannot see and other agents can.
fn environment(host: &Host, call: &AgentCall) -> Vec<(String, String)> {
    let mut variables: Vec<(String, String)> = [
        ("OCF_RA_VERSION_MAJOR", RA_VERSION.0),
        ("OCF_RA_VERSION_MINOR", RA_VERSION.1),
        ("OCF_ROOT", &host.ocf_root.to_string_lossy()),
        ("OCF_EXIT_REASON_PREFIX", EXIT_REASON_PREFIX),
        ("OCF_RESOURCE_INSTANCE", &call.instance),
        ("OCF_RESOURCE_TYPE", &call.agent),
        ("OCF_RESOURCE_PROVIDER", call.provider.as_deref().unwrap_or_default()),
        ("LC_ALL", "C"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    let defaults = [
        ("PATH", DEFAULT_PATH),
        ("HA_debug", "0"),
        ("HA_logfacility", "daemon"),
        ("HA_LOGFACILITY", "daemon"),
    ];
    for (name, value) in defaults {
        if env::var_os(name).is_none() {
            variables.push((name.to_owned(), value.to_owned()));
        }
    }
    for (name, value) in &call.parameters {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            continue;
        }
        variables.push((format!("OCF_RESKEY_{name}"), value.clone()));
        if name == "OCF_CHECK_LEVEL" {
            variables.push((name.clone(), value.clone()));
        }
    }
    variables
}
