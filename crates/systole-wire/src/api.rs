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
        /// With `only_failed`: only where this operation failed, and its failures only.
        #[serde(default)]
        operation: Option<FailedOperation>,
    },
    /// Takes a resource to have failed on a node, as if the agent had said so by itself. Answer: [`Reply::Done`], once that is
    /// recorded.
    Fail {
        /// By the name its history has.
        resource: String,
        /// The node's name.
        node: String,
    },
    /// Sets or removes a transient node attribute. Answer: [`Reply::Done`].
    Attribute(AttributeUpdate),
    /// The values of transient node attributes as they were set last, written to the CIB or not.
    /// Answer: [`Reply::Attributes`].
    Attributes {
        /// Of this name; of any if `None`.
        #[serde(default)]
        name: Option<String>,
        /// On this node; on any if `None`.
        #[serde(default)]
        node: Option<String>,
    },
    /// Writes attributes that are held back to the CIB. Answer: [`Reply::Done`].
    WriteAttributes,
    /// Forgets that there ever was this node. It must not be a member. Answer: [`Reply::Done`], once this is on disk on
    /// every member.
    ForgetNode {
        /// Which node.
        node: String,
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

/// An operation whose failures are meant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailedOperation {
    /// `monitor`, `start`...
    pub name: String,
    /// Its interval; zero for what is done once.
    #[serde(default)]
    pub interval_ms: u64,
}

/// A change of a transient node attribute.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub struct AttributeUpdate {
    /// Which node.
    pub node: String,
    /// The attribute's name.
    pub name: String,
    /// Whether `name` is a regular expression: every attribute is meant that is known when the change is applied and fits it.
    #[serde(default)]
    pub pattern: bool,
    /// `None` removes it. `value++` and `value+=3` (any five characters before the sign) add to what it is.
    pub value: Option<String>,
    /// The value stays as it is: only what follows is meant.
    #[serde(default)]
    pub keep_value: bool,
    /// How long changes of the attribute are held back after the last one, milliseconds.
    #[serde(default)]
    pub delay_ms: Option<u64>,
    /// Whether `delay_ms` counts only if none was given before.
    #[serde(default)]
    pub delay_if_new: bool,
    /// Keep the attribute out of the CIB. Counts when the attribute is first heard of.
    #[serde(default)]
    pub private: bool,
    /// The id of the attribute's set. Counts when the attribute is first heard of.
    #[serde(default)]
    pub set: Option<String>,
    /// Answer only when every member has the change, not just this one.
    #[serde(default)]
    pub everywhere: bool,
}

/// A transient attribute's value on a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttributeOnNode {
    /// Which node.
    pub node: String,
    /// The attribute's name.
    pub name: String,
    /// Its value.
    pub value: String,
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
    /// Attributes, by node and name.
    Attributes(Vec<AttributeOnNode>),
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
    /// This node's number in the cluster layer; 0 on a remote node, which has none.
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
