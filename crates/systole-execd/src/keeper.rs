//! The keeper: a process between the executor and an agent, one for each run.
//!
//! It waits for the agent and writes down what came of it, so that the result is there even if the executor was killed
//! meanwhile: nobody but a parent learns a process's exit code. The executor and its keepers share nothing but files
//! below one directory: `NAME` holds the result once there is one, `NAME.group` the agent's process group.

use crate::{agentless, containers, process::ProcessName, service, watch::Found};
use serde::{Deserialize, Serialize};
use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};
use systole_agents::{AgentCall, Host, Outcome};
use systole_cluster::executor::AgentExit;
use systole_types::{OcfRc, OpStatus};
use systole_wire::exec::Operation;

/// The machine ends a run at its timeout; should nobody be there to do it, the keeper does, this much later.
const BACKSTOP: Duration = Duration::from_secs(10);

/// How much of the end of an agent's standard error is kept for the log, in bytes.
const COMPLAINT_LIMIT: usize = 2048;

/// What the executor tells a keeper, on its standard input.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Task {
    pub operation: Operation,
    pub ocf_root: PathBuf,
    pub result: PathBuf,
}

/// What a keeper writes down.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    rc: i32,
    status: i32,
    exit_reason: String,
    /// The end of what the agent wrote to standard error.
    pub complaint: String,
    /// The instance it was about.
    #[serde(default)]
    resource: String,
    /// The service's processes, if they are known.
    #[serde(default)]
    processes: Vec<String>,
    #[serde(default)]
    is_container: bool,
}

impl Report {
    fn new(outcome: Outcome, found: Found) -> Self {
        let start = outcome.stderr.len().saturating_sub(COMPLAINT_LIMIT);
        let start = (start..).find(|&at| outcome.stderr.is_char_boundary(at)).unwrap_or(0);
        Self {
            rc: outcome.rc.code(),
            status: outcome.status.code(),
            exit_reason: outcome.exit_reason,
            complaint: outcome.stderr[start..].to_owned(),
            resource: found.resource,
            processes: found.processes.iter().map(ToString::to_string).collect(),
            is_container: found.is_container,
        }
    }

    /// The report at `path`, if the keeper got that far.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(path).ok()?).ok()
    }

    /// The service's processes, if any are known.
    pub(crate) fn found(&self) -> Option<Found> {
        let processes: Vec<ProcessName> =
            self.processes.iter().filter_map(|name| name.parse().ok()).collect();
        let found = Found { resource: self.resource.clone(), processes, is_container: self.is_container };
        (!found.processes.is_empty()).then_some(found)
    }

    pub(crate) fn exit(&self) -> AgentExit {
        AgentExit {
            rc: OcfRc::from_code(self.rc),
            status: OpStatus::from_code(self.status),
            exit_reason: self.exit_reason.clone(),
        }
    }
}

/// Where the keeper of the result at `result` says what group its agent has.
pub(crate) fn group_file(result: &Path) -> PathBuf {
    result.with_extension("group")
}

/// The agent's process group, if it runs or ran.
pub(crate) fn group(result: &Path) -> Option<ProcessName> {
    fs::read_to_string(group_file(result)).ok()?.parse().ok()
}

/// Runs as a keeper: reads the task from standard input, carries it out, writes down what came of it.
///
/// # Errors
/// If there is no task to read, or the result cannot be written.
pub fn keep() -> io::Result<()> {
    let mut text = Vec::new();
    io::stdin().read_to_end(&mut text)?;
    let task: Task = serde_json::from_slice(&text)?;
    let host = Host { ocf_root: task.ocf_root, ..Host::default() };
    let mut spawned = |pid| {
        if let Some(name) = ProcessName::of(pid) {
            let _ = replace_file(&group_file(&task.result), name.to_string().as_bytes());
        }
    };
    let mut outcome = host.run(&agent_call(task.operation.clone()), &mut spawned);
    let processes = service::processes(&task.operation, &outcome);
    agentless::complete(&task.operation, &mut outcome, processes.first(), &host.ocf_root, &mut spawned);
    let found = Found {
        processes,
        is_container: containers::is_container(&task.operation),
        resource: task.operation.resource,
    };
    let report = serde_json::to_vec(&Report::new(outcome, found)).map_err(io::Error::other)?;
    replace_file(&task.result, &report)
}

fn agent_call(operation: Operation) -> AgentCall {
    AgentCall {
        class: operation.class,
        provider: operation.provider,
        agent: operation.agent,
        instance: operation.resource,
        action: operation.operation,
        parameters: operation.parameters,
        timeout: Duration::from_millis(operation.timeout_ms).saturating_add(BACKSTOP),
    }
}

/// Puts `bytes` in the place of the file at `path`, whole or not at all. It need not survive a power failure.
pub(crate) fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    fs::write(&temporary, bytes)?;
    fs::rename(&temporary, path)
}
