//! Running agents: OCF, LSB and systemd, the way Pacemaker's executor runs them.
//!
//! [`Host::run`] carries out one action of one resource, waits for its end, kills its whole process group when its time
//! is up, and says what came of it in the cluster's terms. It blocks; whoever needs more at once starts more processes.

#![forbid(unsafe_code)]

mod capture;
mod fence;
mod lsb;
mod ocf;
mod process;
mod systemd;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};
use systole_types::{OcfRc, OpStatus};

pub use process::{GRACE, run as run_program};

/// One action of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentCall {
    /// `ocf`, `lsb`, `systemd` or `service`.
    pub class: String,
    /// For `ocf`: the directory below `resource.d`.
    pub provider: Option<String>,
    /// The agent's type: a script's or a unit's name.
    pub agent: String,
    /// The instance the agent is told it works for.
    pub instance: String,
    /// `start`, `stop`, `monitor`, `meta-data`, `validate-all`...
    pub action: String,
    /// Plain names and `CRM_meta_...`; agents see each as `OCF_RESKEY_NAME`.
    pub parameters: BTreeMap<String, String>,
    /// After this the process group is killed.
    pub timeout: Duration,
}

/// What came of an action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The agent's answer as an OCF code.
    pub rc: OcfRc,
    /// How the execution went.
    pub status: OpStatus,
    /// Why, in the agent's words or ours; empty if nobody said.
    pub exit_reason: String,
    /// The first [`STDOUT_LIMIT`] bytes of standard output.
    pub stdout: String,
    /// The last [`STDERR_LIMIT`] bytes of standard error.
    pub stderr: String,
    /// How long it ran.
    pub elapsed: Duration,
}

/// How much of an agent's standard output is kept, in bytes: enough for any agent's meta-data.
pub const STDOUT_LIMIT: usize = 1 << 20;
/// How much of the end of an agent's standard error is kept, in bytes.
pub const STDERR_LIMIT: usize = 16 << 10;

impl Outcome {
    fn finished(rc: OcfRc, status: OpStatus, exit_reason: impl Into<String>) -> Self {
        Self {
            rc,
            status,
            exit_reason: exit_reason.into(),
            stdout: String::new(),
            stderr: String::new(),
            elapsed: Duration::ZERO,
        }
    }

    fn not_installed(exit_reason: impl Into<String>) -> Self {
        Self::finished(OcfRc::NotInstalled, OpStatus::NotInstalled, exit_reason)
    }
}

/// Where agents are on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// `/usr/lib/ocf`: agents get it as `OCF_ROOT`.
    pub ocf_root: PathBuf,
    /// `/etc/init.d`.
    pub lsb_dir: PathBuf,
    /// The program that talks to systemd.
    pub systemctl: PathBuf,
    /// `/usr/sbin`, where fence agents are.
    pub fence_dir: PathBuf,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            ocf_root: "/usr/lib/ocf".into(),
            lsb_dir: "/etc/init.d".into(),
            systemctl: "systemctl".into(),
            fence_dir: "/usr/sbin".into(),
        }
    }
}

impl Host {
    /// Runs a fence agent: `call.action` is `metadata`, `validate-all`, `monitor`... Any result but 0 is a failure.
    pub fn run_fence_agent(&self, call: &AgentCall, spawned: &mut dyn FnMut(u32)) -> Outcome {
        fence::run(self, call, spawned)
    }

    /// Fence agents there are, by name.
    pub fn fence_agents(&self) -> Vec<String> {
        fence::installed(self)
    }

    /// Runs `call` to its end. `spawned` is told the number of each process group as it comes into being, so that
    /// somebody else can kill it if this process dies.
    pub fn run(&self, call: &AgentCall, spawned: &mut dyn FnMut(u32)) -> Outcome {
        match call.class.as_str() {
            "ocf" => ocf::run(self, call, spawned),
            "lsb" => lsb::run(self, call, spawned),
            "systemd" => systemd::run(self, call, spawned),
            "service" if lsb::exists(self, &call.agent) => lsb::run(self, call, spawned),
            "service" => systemd::run(self, call, spawned),
            other => {
                Outcome::not_installed(format!("resource class {other:?} is not supported on this host"))
            }
        }
    }
}

/// Whether `name` can be one component of an agent's path.
fn is_plain_name(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains(['/', '\0'])
}
