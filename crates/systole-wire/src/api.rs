//! What tools say to `systoled`, over the Unix socket `/run/systole/api.sock`.
//!
//! A tool sends [`Request`]s and gets one [`Response`] for each, with the same number; after [`Call::Subscribe`] also
//! [`Response`]s with [`Reply::Changed`].

use serde::{Deserialize, Serialize};
use systole_cib::ops::{CibCall, Failure};

/// Where the socket is, unless `SYSTOLE_SOCKET` says otherwise.
pub const SOCKET: &str = "/run/systole/api.sock";

/// One request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by the tool; comes back in the response.
    pub id: u64,
    /// The tool's name, for logs and `update-client`.
    pub client: String,
    /// The caller's user name, for `update-user`; the daemon checks it against the socket's credentials.
    #[serde(default)]
    pub user: Option<String>,
    /// What is asked.
    pub call: Call,
}

/// What can be asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// The whole CIB as this node has it. Answer: [`Reply::Cib`].
    Cib,
    /// A change of the CIB (or a check of one), applied on every member of the partition. Answer: [`Reply::Applied`],
    /// once the change is on disk on every member.
    Apply {
        /// What to change.
        change: CibCall,
        /// Also without quorum.
        #[serde(default)]
        force: bool,
    },
    /// What this daemon knows of itself and the cluster. Answer: [`Reply::Node`].
    Node,
    /// Forget failures and history, so that resources are probed afresh. Answer: [`Reply::Done`] once the probes are back.
    Cleanup {
        /// Which; all if `None`.
        resource: Option<String>,
        /// Where; everywhere if `None`.
        node: Option<String>,
        /// Only where something failed (`cleanup`), or wherever there is history (`refresh`).
        only_failed: bool,
    },
    /// Sets or removes a transient node attribute. Answer: [`Reply::Done`].
    Attribute {
        /// Which node.
        node: String,
        /// Its name.
        name: String,
        /// `None` removes it.
        value: Option<String>,
    },
    /// Answers [`Reply::Done`] when the cluster has nothing left to do, [`Reply::Refused`] if that takes longer.
    WaitIdle {
        /// How long to wait at most, milliseconds.
        timeout_ms: u64,
    },
    /// From now on, a [`Reply::Changed`] after each change of the CIB or of membership, at least 100 ms apart.
    Subscribe,
    /// Stops this node's part in the cluster in good order: resources move away first.
    Shutdown,
    /// An administrator vouches that a lost node is off and can touch nothing. Answer: [`Reply::Done`].
    ConfirmOff {
        /// Which node.
        node: String,
    },
}

/// One response.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// The request's number.
    pub id: u64,
    /// The answer.
    pub reply: Reply,
}

/// Answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The CIB as XML.
    Cib {
        /// The document.
        xml: String,
    },
    /// The change was made.
    Applied {
        /// The CIB's version now: `admin_epoch.epoch.num_updates`.
        version: String,
        /// What a query or a changed element looks like now, as XML, where the call asked for it.
        #[serde(default)]
        output: Option<String>,
    },
    /// About the node.
    Node(NodeReport),
    /// Done.
    Done,
    /// Not done, and nothing was changed.
    Refused(Refusal),
    /// Something changed; ask again.
    Changed {
        /// The CIB's version now.
        version: String,
    },
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    /// What kind of refusal: tools map it to Pacemaker's exit codes.
    pub kind: RefusalKind,
    /// What is wrong and what to do, for the person at the console.
    pub message: String,
}

/// Kinds of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// The partition has no quorum.
    NoQuorum,
    /// The change cannot be applied: see the message.
    Change(Failure),
    /// The CIB cannot be written to disk.
    Disk,
    /// There is no DC yet, or the node is not yet part of a cluster.
    NotReady,
    /// It took too long.
    TimedOut,
    /// No such node or resource.
    NotFound,
    /// The request makes no sense.
    Usage,
    /// A queue is full; try again.
    Busy,
}

/// What a daemon knows of itself and the cluster.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct NodeReport {
    /// This node's name.
    pub node: String,
    /// This node's number in the cluster layer.
    pub node_id: u32,
    /// The DC's name, once there is one.
    pub dc: Option<String>,
    /// Members of this partition.
    pub members: Vec<String>,
    /// Whether the partition has quorum.
    pub has_quorum: bool,
    /// `hub` or `corosync`.
    pub stack: String,
    /// What the node's machines are doing: `joining`, `member`, `dc`, `stopping`...
    pub state: String,
    /// Whether the DC has nothing to do; `None` if this node is not the DC.
    pub idle: Option<bool>,
    /// Whether the executor is connected.
    pub executor: bool,
    /// Why the node cannot keep its CIB, if so.
    pub disk_error: Option<String>,
    /// The daemon's version.
    pub version: String,
}
