//! What is in the envelopes: calls to a remote daemon, its replies, and what it tells unasked.

mod text;

use super::proxy::ProxyMessage;
use std::collections::BTreeMap;

/// Names of operations, as `lrmd_op` has them.
mod op {
    pub const REGISTER: &str = "register";
    pub const REGISTER_RESOURCE: &str = "lrmd_rsc_register";
    pub const UNREGISTER_RESOURCE: &str = "lrmd_rsc_unregister";
    pub const INFO: &str = "lrmd_rsc_info";
    pub const RUN: &str = "lrmd_rsc_exec";
    pub const CANCEL: &str = "lrmd_rsc_cancel";
    pub const POKE: &str = "lrmd_rsc_poke";
    pub const NEW_CLIENT: &str = "lrmd_rsc_new_client";
    pub const RECURRING: &str = "lrmd_get_recurring";
    pub const ALERT: &str = "lrmd_alert_exec";
    pub const CHECK: &str = "lrmd_check";
    pub const FORWARD: &str = "ipc_fwd";
}

/// Call options, as `lrmd_callopt` has them.
mod option {
    pub const DROP_RECURRING: u32 = 1;
    pub const CHANGES_ONLY: u32 = 4;
}

/// Who sends what is sent from here, in `lrmd_origin`: for the peer's log.
const ORIGIN: &str = "systole";

/// A call to a remote daemon.
#[derive(Clone, Debug, PartialEq)]
pub struct ToRemote {
    /// Chosen by the caller; comes back in the reply. Positive.
    pub id: u32,
    /// What is asked.
    pub call: Call,
}

/// What can be asked of a remote daemon. Each is answered by one [`Reply`].
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// The first call of a connection.
    Register {
        /// A name for the daemon's log.
        client: String,
        /// See [`super::PROTOCOL_VERSION`].
        protocol: String,
        /// Whether what tools on the remote side say may be forwarded to this caller.
        is_provider: bool,
        /// Whether the caller also takes what our own tools say ([`super::proxy::API_SERVICE`]), as only `systoled` does.
        speaks_api: bool,
    },
    /// Makes a resource known, so that operations can be run.
    RegisterResource {
        /// The instance.
        resource: String,
        /// `ocf`, `systemd`...
        class: String,
        /// For `ocf`.
        provider: Option<String>,
        /// The agent's type.
        agent: String,
        /// Ends its recurring operations when the last connection is gone.
        drops_recurring: bool,
    },
    /// The resource is gone from the configuration; its recurring operations end.
    UnregisterResource {
        /// The instance.
        resource: String,
    },
    /// Which agent a resource has.
    Info {
        /// The instance.
        resource: String,
    },
    /// Run an operation, once or again and again. The reply has the daemon's number for it, [`Done`] what came of it.
    Run(Box<Run>),
    /// Stop a recurring operation.
    Cancel {
        /// The instance.
        resource: String,
        /// `monitor`...
        operation: String,
        /// Which of them.
        interval_ms: u64,
    },
    /// Are you there?
    Poke,
    /// Which recurring operations are in force.
    Recurring {
        /// Of this resource; of all, if `None`.
        resource: Option<String>,
    },
    /// Run an alert agent.
    Alert {
        /// The alert's id.
        id: String,
        /// The program.
        path: String,
        /// How long it may take.
        timeout_ms: u64,
        /// Its environment.
        parameters: BTreeMap<String, String>,
    },
    /// Compare settings that both hosts have to agree on.
    Check {
        /// `fencing-watchdog-timeout`, if watchdog fencing is used.
        watchdog: Option<String>,
    },
    /// Pass this on to a tool, or it is about the connection itself.
    Forward(ProxyMessage),
}

/// An operation to run.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Run {
    /// The instance, registered before.
    pub resource: String,
    /// `start`, `monitor`...
    pub operation: String,
    /// Zero: once.
    pub interval_ms: u64,
    /// How long it may take.
    pub timeout_ms: u64,
    /// How long to wait before the first run.
    pub start_delay_ms: u64,
    /// Comes back with the result: the transition key.
    pub note: String,
    /// Whether only results that differ from the last are told.
    pub changes_only: bool,
    /// Resource parameters by plain names, and `CRM_meta_...`.
    pub parameters: BTreeMap<String, String>,
}

/// From a remote daemon.
#[derive(Clone, Debug, PartialEq)]
pub enum FromRemote {
    /// The answer to a call.
    Reply(Reply),
    /// Something happened.
    Notice(Notice),
    /// From a tool on the remote side, or about the connection itself.
    Proxy(ProxyMessage),
}

/// The answer to a call.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Reply {
    /// The call's number.
    pub id: u32,
    /// Zero, a positive number where the call has a result, or a negative errno.
    pub rc: i32,
    /// The daemon's own number for the call.
    pub call: u64,
    /// The answer to [`Call::Register`].
    pub registered: Option<Registered>,
    /// The answer to [`Call::Info`]: class, provider, agent.
    pub agent: Option<(String, Option<String>, String)>,
    /// The answer to [`Call::Recurring`].
    pub recurring: Vec<Recurring>,
}

/// What a daemon says of itself.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Registered {
    /// The version of the protocol it speaks.
    pub protocol: String,
    /// Its name for this connection.
    pub client: String,
    /// For how many seconds it has been running, if it says so (2.1.6 and later).
    pub uptime: Option<u64>,
    /// The node's state at start, if the host's administrator wants one: `standby`...
    pub start_state: Option<String>,
}

/// A recurring operation in force.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Recurring {
    /// The instance.
    pub resource: String,
    /// `monitor`...
    pub operation: String,
    /// Its interval.
    pub interval_ms: u64,
    /// How long a run may take.
    pub timeout_ms: u64,
}

/// What a daemon tells unasked.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// An operation has a result.
    Done(Box<Done>),
    /// Some client's call was carried out.
    Handled {
        /// Which.
        handled: Handled,
        /// The resource it was about.
        resource: Option<String>,
        /// As in the reply.
        rc: i32,
        /// The daemon's own number for the call.
        call: u64,
    },
    /// Another client has connected.
    NewClient,
}

/// Calls that every client hears of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Handled {
    /// [`Call::Poke`].
    Poke,
    /// [`Call::RegisterResource`].
    RegisterResource,
    /// [`Call::UnregisterResource`].
    UnregisterResource,
}

impl Handled {
    const ALL: [(Self, &str); 3] = [
        (Self::Poke, op::POKE),
        (Self::RegisterResource, op::REGISTER_RESOURCE),
        (Self::UnregisterResource, op::UNREGISTER_RESOURCE),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(handled, _)| *handled == self).map_or("", |(_, name)| name)
    }
}

/// What came of an operation.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Done {
    /// What was asked for. Whether changes only were asked for is not said.
    pub run: Run,
    /// The daemon's number for the operation.
    pub call: u64,
    /// The agent's exit code as an OCF code.
    pub rc: i32,
    /// How the execution went: `op-status`.
    pub status: i32,
    /// Whether the resource was unregistered meanwhile.
    pub is_deleted: bool,
    /// When it was run last, seconds since 1970.
    pub run_at: i64,
    /// When its result changed last, seconds since 1970; 0 if it never did.
    pub changed_at: i64,
    /// How long it ran.
    pub exec_ms: u64,
    /// How long it waited its turn.
    pub queue_ms: u64,
    /// What the agent said of the reason.
    pub exit_reason: String,
    /// What the agent wrote.
    pub output: String,
}
