//! What node machines say to each other, in agreed order: JSON, unknown fields ignored.

mod ledger;
mod levels;

use crate::SessionId;
pub(crate) use ledger::{AttributeLedger, ConnectionLedger, GivenUp, Ledger, NodeLedger};
pub(crate) use levels::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use systole_cib::{acl::is_privileged, ops::CibCall};
use systole_wire::{
    ProtocolVersion,
    exec::{Operation, OperationResult},
};

/// A message with the view it belongs to. One that arrives in a later view is dropped by every member alike, and
/// said again by its sender if it still matters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Envelope {
    /// The view in which it was cast.
    pub view: u64,
    /// Counts the sender's messages.
    pub number: u64,
    /// What is said.
    pub message: Message,
}

/// What is said. All but the first five are applied to the replica by every member.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Message {
    /// First in each view: what I have and how long I have been here.
    Hello(Hello),
    /// The replica that won the exchange, whole.
    Copy(Box<Copy>),
    /// A part of the CIB of that replica, to be followed by others and last by what has the rest of it. Not said below
    /// [`LEVEL_OF_PARTS`].
    CopyPart { xml: String },
    /// The configuration is on my disk up to this version, and this is what it looks like.
    Stored { version: String, fingerprint: String },
    /// I cannot write my CIB to disk (or can again: `None`).
    DiskState { error: Option<String> },
    /// An executor of mine is there, and this is how its state and the history recorded of it differ.
    Attach(Attach),
    /// My executor has been gone for a while.
    Detach,
    /// There is a sign that this instance runs here, which nobody had started. Not said below [`LEVEL_OF_APPEARANCES`].
    Appeared { resource: String },
    /// What a tool on the sender's node wants. Applied once, however often it is said.
    Request {
        /// The sender's start: numbers count from 1 in each.
        incarnation: u64,
        /// Its number.
        number: u64,
        /// What is wanted.
        wish: Box<Wish>,
        /// Whether every member says when it has applied it.
        #[serde(default)]
        heard: bool,
        /// Who wants it, if it is somebody who may not do everything.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        asker: Option<Asker>,
    },
    /// A request (the sender's number and start, and its own) is applied here.
    Heard { from: u32, incarnation: u64, number: u64 },
    /// From the DC: held back values of these attributes are to be written.
    WriteOut { names: Vec<String> },
    /// From the DC: what the membership means for the CIB.
    Membership(MembershipUpdate),
    /// From the DC: have this operation run.
    Perform(Box<Perform>),
    /// From the DC: this node is to leave, nothing runs on it any more.
    Leave { node: u32 },
    /// From the DC: it knows that this node leaves in good order, so the node can go.
    Farewell { node: u32 },
    /// Results of an executor of mine, to be recorded.
    Record {
        /// Which.
        #[serde(default)]
        by: Hand,
        /// What came of its operations.
        results: Vec<OperationResult>,
    },
    /// What became of my connections to remote and guest nodes.
    Connection { reports: Vec<ConnectionReport> },
    /// From the DC: remote and guest nodes are down with what they live in, or their maintenance mode has changed.
    Remotes {
        /// Ids of nodes that are down.
        downed: Vec<String>,
        /// Ids of nodes with their new maintenance mode.
        maintenance: Vec<(String, bool)>,
        /// The action's number.
        action: u32,
    },
    /// From the DC: what of these operations (transition keys) still waits for an executor that is away is not to be done any more,
    /// since the plan it belongs to is out of date. Not said below [`LEVEL_OF_WITHDRAWALS`].
    Withdraw { keys: Vec<String> },
    /// These operations (transition keys) of mine were taken back before any executor had them. Nor this.
    Withdrawn { keys: Vec<String> },
    /// From the DC: these operations (transition keys) did not answer in time.
    Overdue { keys: Vec<String>, at: i64 },
    /// From the DC: forget what is known of this resource on this node. `action` is the action's number.
    Forget { node: String, resource: String, action: u32 },
    /// From the DC: forget the failures of an operation (name and interval; all, if `None`) of this resource there.
    ClearFailure { node: String, resource: String, operation: Option<(String, String)>, action: u32 },
    /// From the DC: nothing is left to do as of this many changes.
    Idle { changes: u64 },
}

/// A user to whom access control lists apply, if they are enabled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Asker {
    /// By name.
    pub user: String,
    /// The groups the user is in, by the word of the host where the question was asked.
    pub groups: Vec<String>,
}

impl Asker {
    /// Nobody, if the user may do everything.
    pub fn of(user: Option<&str>, groups: Vec<String>) -> Option<Self> {
        let user = user.filter(|user| !is_privileged(user))?;
        Some(Self { user: user.to_owned(), groups })
    }
}

/// What can be wanted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wish {
    /// A change of the CIB.
    Write(Write),
    /// Forget failures and history.
    Cleanup {
        resource: Option<String>,
        node: Option<String>,
        only_failed: bool,
        /// Only where this operation failed: name and interval in milliseconds.
        #[serde(default)]
        operation: Option<(String, u64)>,
    },
    /// Change transient attributes.
    Attributes(Vec<AttributeChange>),
    /// Write values of attributes that are held back.
    WriteOut,
    /// Forget that there ever was this node.
    ForgetNode { node: String },
    /// This node is vouched for to be off.
    ConfirmOff { node: String },
    /// A resource counts as failed on a node, since then.
    Fail { node: String, resource: String, at: i64 },
}

impl Wish {
    /// The lowest level at which every member understands it, and all of them the same by it.
    pub fn level(&self) -> u16 {
        match self {
            Self::Fail { .. } => LEVEL_OF_MADE_UP_FAILURES,
            Self::Write(write) if write.change.has_changed_its_meaning() => LEVEL_OF_MEANINGS,
            _ => 0,
        }
    }
}

/// One change of a transient attribute.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct AttributeChange {
    /// The node's name.
    pub node: String,
    /// The attribute's name.
    pub name: String,
    /// What becomes of it.
    pub to: AttributeValue,
    /// How long changes of the attribute are held back from now on, on whatever node.
    #[serde(default)]
    pub dampen: Option<Dampen>,
    /// Whether it is kept out of the CIB, if nobody has said anything of it before.
    #[serde(default)]
    pub private: bool,
    /// The id of the set it goes to, likewise.
    #[serde(default)]
    pub set: Option<String>,
    /// Whether `name` is a regular expression: every attribute is meant that is known when this is applied, and fits it. Not said
    /// below [`LEVEL_OF_PATTERNS`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pattern: bool,
}

/// How long changes are held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Dampen {
    /// Milliseconds since the last change.
    pub ms: u64,
    /// Only if nothing was said of that before.
    pub if_new: bool,
}

/// What becomes of a transient attribute.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AttributeValue {
    /// It stays as it is.
    #[default]
    Keep,
    /// So much is added to it.
    Add(i32),
    /// It has this value.
    Set(String),
    /// It counts one more, up to INFINITY.
    Increment,
    /// It is gone.
    Remove,
}

/// First message of each member in each view.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Hello {
    /// What I speak.
    pub protocol: ProtocolVersion,
    /// My name.
    pub name: String,
    /// My host's boot.
    pub boot_id: String,
    /// The first view I was in since I started: the smaller, the longer a member.
    pub since: u64,
    /// Whether my replica has lived through a membership, or just comes from disk.
    pub live: bool,
    /// `admin_epoch.epoch.num_updates` of my replica.
    pub version: String,
    /// See [`crate::Snapshot::generation`].
    pub generation: u64,
    /// Of the whole replica.
    pub fingerprint: String,
    /// Why I cannot write to disk, if so.
    pub disk_error: Option<String>,
}

/// What can be read of a hello, whatever major part of the protocol its sender speaks: this much of its form stays for good.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Introduction {
    /// See [`Hello::protocol`].
    pub protocol: ProtocolVersion,
    /// See [`Hello::name`].
    pub name: String,
    /// See [`Hello::since`].
    pub since: u64,
}

impl Introduction {
    /// Reads a message that may be of any version: the view it was said in, and who says hello.
    pub fn read(payload: &str) -> Option<(u64, Self)> {
        #[derive(Deserialize)]
        struct Outline {
            view: u64,
            message: Greeting,
        }
        #[derive(Deserialize)]
        struct Greeting {
            hello: Introduction,
        }
        let outline: Outline = serde_json::from_str(payload).ok()?;
        Some((outline.view, outline.message.hello))
    }
}

impl From<&Hello> for Introduction {
    fn from(hello: &Hello) -> Self {
        Self { protocol: hello.protocol, name: hello.name.clone(), since: hello.since }
    }
}

/// A whole replica.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Copy {
    /// The CIB.
    pub xml: String,
    /// See [`crate::Snapshot::generation`].
    pub generation: u64,
    /// What is replicated beside the CIB.
    pub ledger: Ledger,
}

/// A member's executor with its history, as against the replica's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Attach {
    /// Which of the member's executors.
    #[serde(default)]
    pub by: Hand,
    /// Of a remote executor: which session.
    #[serde(default)]
    pub session: SessionId,
    /// The number of the last result that was recorded in some replica.
    pub acknowledged: u64,
    /// Whether the executor lost its memory, and counts its results from 1 again.
    pub forgetful: bool,
    /// Recurring operations the replica knows and the executor does not: operation keys.
    pub lost_monitors: Vec<String>,
    /// Operations the replica takes to be in flight and nobody knows any more: transition keys.
    pub lost_operations: Vec<String>,
    /// Operations done once that are in flight.
    pub in_flight: Vec<Perform>,
}

/// A tool's change of the CIB.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Write {
    /// What to change.
    pub change: CibCall,
    /// Also without quorum.
    pub force: bool,
    /// Who asked, and when: for `update-client` and the like.
    pub stamp: Stamp,
}

/// Who changed the CIB, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    /// The node's name.
    pub origin: String,
    /// The tool's.
    pub client: String,
    /// The user's.
    pub user: Option<String>,
    /// Seconds since 1970.
    pub at: i64,
}

/// What the membership means for the CIB.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MembershipUpdate {
    /// The DC's number.
    pub dc: u32,
    /// Whether the partition has quorum.
    pub has_quorum: bool,
    /// The DC's version.
    pub version: String,
    /// The cluster layer.
    pub stack: String,
    /// What is to be said of each node.
    pub nodes: Vec<NodeUpdate>,
    /// When, seconds since 1970.
    pub at: i64,
}

/// What is to be said of one node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct NodeUpdate {
    /// Its number.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// How it stands.
    pub standing: Standing,
}

/// How a node stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Standing {
    /// A member with its executor: resources can run there.
    Member,
    /// A member whose executor is away while it may run something, or a node that has left in good order and runs something: nothing
    /// can be done there. Below [`LEVEL_OF_MARKS`], such a member is said to be one as others, and below [`LEVEL_OF_DEPARTURES`]
    /// who has left to be off.
    Stranded,
    /// A member without its executor.
    Pending,
    /// Gone without a word: what runs there may still run.
    Lost,
    /// Gone in good order, with nothing that runs there, or vouched for.
    Off,
}

/// Have an operation run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Perform {
    /// The number of the node that sees to it.
    pub node: u32,
    /// By what.
    #[serde(default)]
    pub by: Hand,
    /// What is asked for; the call's number is the node's business.
    pub operation: Operation,
    /// What is to be told once it is done, as far as that was not said with another operation before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub then: Vec<Notice>,
}

/// Notifications that are sent once operations of the same plan are done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Notice {
    /// Those that are not known to have succeeded yet: transition keys.
    pub after: BTreeSet<String>,
    /// The notifications.
    pub tell: Vec<Perform>,
}

/// What a cluster node has operations carried out by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Hand {
    /// Its executor.
    #[default]
    Executor,
    /// The daemon itself: operations of connections to remote and guest nodes.
    Connections,
    /// The executor of a remote or guest node, over the connection with this name.
    Remote(String),
}

impl Perform {
    /// An operation that nothing follows.
    pub fn new(node: u32, by: Hand, operation: Operation) -> Self {
        Self { node, by, operation, then: Vec::new() }
    }

    /// Whether this is asked of that hand of that node.
    pub fn is_for(&self, node: u32, by: &Hand) -> bool {
        self.node == node && self.by == *by
    }

    /// Whether this is asked of the same resource at the same place.
    pub fn is_to_the_same(&self, other: &Self) -> bool {
        self.is_for(other.node, &other.by) && self.operation.resource == other.operation.resource
    }
}

/// What became of a connection to a remote or guest node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ConnectionReport {
    /// The session it is about, if there is one.
    pub session: SessionId,
    /// Of an operation on the connection resource.
    pub result: OperationResult,
}

impl ConnectionReport {
    /// Whether this is the same as another report, which may have been said at a lower level.
    pub fn is_same(&self, other: &Self) -> bool {
        let of = |report: &Self| (report.session, report.result.at, report.result.rc);
        of(self) == of(other) && self.result.operation.transition_key == other.result.operation.transition_key
    }
}
