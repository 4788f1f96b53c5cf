//! What `systoled` says to `systole-execd`, over the Unix socket `/run/systole/exec.sock`.
//!
//! The executor keeps running what it runs while nobody is connected, and keeps every result until it is acknowledged,
//! so that `systoled` may restart at any time.

use crate::ProtocolVersion;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where the socket is, unless `SYSTOLE_EXEC_SOCKET` says otherwise.
pub const SOCKET: &str = "/run/systole/exec.sock";

/// From `systoled` to the executor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToExecutor {
    /// First message. The executor answers with [`FromExecutor::Welcome`].
    Hello {
        /// The protocol spoken.
        protocol: ProtocolVersion,
        /// The node's name, for agents' environment.
        node: String,
    },
    /// Run an operation, once or (with an interval) again and again. Whatever changes the resource's state (neither a
    /// monitor nor a notification) ends its recurring operations, without a result for them.
    Run(Box<Operation>),
    /// Stop a recurring operation, or take back one that was asked for and has not begun. Answered by a result with status Cancelled (1) under the operation's own call,
    /// or by none if it was not known.
    Cancel {
        /// The operation key `RSC_OP_INTERVAL`.
        key: String,
    },
    /// The resource is gone from the configuration: forget it and cancel what recurs.
    Forget {
        /// The instance.
        resource: String,
    },
    /// Results up to and with this number have been recorded.
    Acknowledge {
        /// See [`OperationResult::number`].
        number: u64,
    },
    /// What does this agent say of itself? Answered by [`FromExecutor::Described`]. Since protocol 1.2.
    Describe(AgentName),
    /// Are you still there? Answered by [`FromExecutor::Pong`]. Since protocol 1.8.
    Ping,
}

/// Which agent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AgentName {
    /// `ocf`, `stonith`.
    pub class: String,
    /// For `ocf`.
    pub provider: Option<String>,
    /// The agent's type.
    pub agent: String,
}

impl AgentName {
    /// The agent that performs an operation.
    pub fn of(operation: &Operation) -> Self {
        let Operation { class, provider, agent, .. } = operation;
        Self { class: class.clone(), provider: provider.clone(), agent: agent.clone() }
    }
}

/// From the executor to `systoled`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FromExecutor {
    /// Answer to [`ToExecutor::Hello`]; results that were not acknowledged follow.
    Welcome {
        /// The protocol spoken.
        protocol: ProtocolVersion,
        /// Changes when the executor's host booted anew (then nothing of what it knew is left).
        boot_id: String,
        /// Recurring operations in force: operation keys with the call that asked for them.
        recurring: Vec<(String, u64)>,
        /// Operations done once that run or wait.
        in_flight: Vec<Operation>,
        /// Transition keys of the results that were not acknowledged and follow now.
        #[serde(default)]
        unacknowledged: Vec<String>,
        /// The highest call ever asked for since the host's boot; calls go on from there.
        #[serde(default)]
        last_call: u64,
        /// The number of the last result there was; lower than one acknowledged earlier if the executor lost its memory.
        #[serde(default)]
        last_number: u64,
        /// The number of the last result that was acknowledged.
        #[serde(default)]
        acknowledged: u64,
    },
    /// An operation has a result: its only one, or for a recurring one the first and each that differs from the last.
    Result(Box<OperationResult>),
    /// There is a sign that a resource has begun to run which nobody asked the executor to start. Since protocol 1.5.
    Appeared {
        /// The instance.
        resource: String,
    },
    /// Answer to [`ToExecutor::Describe`].
    Described {
        /// Which agent.
        agent: AgentName,
        /// Its metadata; `None` if it has none to give.
        metadata: Option<String>,
    },
    /// Answer to [`ToExecutor::Ping`].
    Pong,
}

/// An operation to run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operation {
    /// Chosen by `systoled`, never used twice on a host between two boots.
    pub call: u64,
    /// The operation key `RSC_OP_INTERVAL`.
    pub key: String,
    /// The instance.
    pub resource: String,
    /// `ocf`, `systemd`, `lsb`, `service`, `stonith`.
    pub class: String,
    /// For `ocf`.
    pub provider: Option<String>,
    /// The agent's type.
    pub agent: String,
    /// `start`, `monitor`...
    pub operation: String,
    /// Zero: once.
    pub interval_ms: u64,
    /// How long it may take before its process group is killed.
    pub timeout_ms: u64,
    /// How long to wait before the first run.
    #[serde(default)]
    pub start_delay_ms: u64,
    /// Resource parameters by plain names, and `CRM_meta_...`, as in the graph: agents get them as `OCF_RESKEY_...`.
    pub parameters: BTreeMap<String, String>,
    /// The transition key; comes back in the result.
    pub transition_key: String,
    /// For a recurring operation: the result that is expected and need not be reported again.
    #[serde(default)]
    pub expected_rc: Option<i32>,
    /// What histories tell of its parameters beside the digest of all, by the agent's metadata.
    #[serde(default, skip_serializing_if = "Digests::is_empty")]
    pub digests: Digests,
}

/// Digests of some of an operation's parameters, by what the agent says of them.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct Digests {
    /// Of those that call for a restart when they change; `None` if the agent cannot be reloaded.
    pub restart: Option<Digest>,
    /// Of those that are not private. The names are of those that are; `None` if there are none.
    pub secure: Option<Digest>,
}

impl Digests {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Names of parameters, and a digest of values, as histories have them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Digest {
    /// Each between spaces.
    pub names: String,
    /// MD5.
    pub digest: String,
}

/// What came of an operation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperationResult {
    /// Counts the executor's results since the host's boot.
    pub number: u64,
    /// The operation that was run.
    pub operation: Operation,
    /// The agent's exit code as an OCF code.
    pub rc: i32,
    /// How the execution went: `op-status`.
    pub status: i32,
    /// What the agent said of the reason (`ocf_exit_reason`).
    #[serde(default)]
    pub exit_reason: String,
    /// When the result was had, seconds since 1970.
    pub at: i64,
    /// How long it ran.
    pub exec_ms: u64,
    /// How long it waited its turn.
    pub queue_ms: u64,
}
