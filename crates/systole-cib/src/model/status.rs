//! `<status>`.

use super::{Agent, AttributeSet};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use systole_types::{
    NodeId, NodeUuid, OcfRc, OpStatus, OperationKey, ResourceId, Timestamp, TransitionMagic,
};

/// A `<node_state>`. Texts that Pacemaker's releases fill differently are kept as written: the scheduler judges them.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct NodeState {
    /// `id`.
    pub uuid: Option<NodeUuid>,
    /// `uname`.
    pub name: Option<NodeId>,
    /// `in_ccm`: a boolean, or since 2.1.7 when the node became a member.
    pub in_ccm: Option<Arc<str>>,
    /// `crmd`: `online`, `offline`, or since 2.1.7 when the node's controller joined the process group.
    pub crmd: Option<Arc<str>>,
    /// `join`: `member`, `pending`, `down`, `banned`.
    pub join: Option<Arc<str>>,
    /// `expected`: `member` or `down`.
    pub expected: Option<Arc<str>>,
    /// `remote_node`: a remote or guest node's state.
    pub is_remote: bool,
    /// `node_fenced`, `node_in_maintenance` and other attributes, as written.
    pub other: Vec<(Arc<str>, Arc<str>)>,
    /// `<transient_attributes>`.
    pub attributes: Vec<AttributeSet>,
    /// Capacities, beside those of the configuration.
    pub utilization: Vec<AttributeSet>,
    /// `<lrm>`: `None` if there is none.
    pub history: Option<Vec<ResourceHistory>>,
}

/// An `<lrm_resource>`: what was done to one instance on one node.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceHistory {
    /// `id`: with or without instance number.
    pub resource: ResourceId,
    /// The agent at that time; `None` if class or type is missing.
    pub agent: Option<Arc<Agent>>,
    /// `container`: the resource this guest connection is contained in.
    pub container: Option<ResourceId>,
    /// `<lrm_rsc_op>`s in document order.
    pub operations: Vec<HistoryEntry>,
    /// `shutdown-lock`: since when the resource is locked to its node.
    pub shutdown_lock: Option<Timestamp>,
    /// All that is on record is a probe that found, as expected, that the resource is not there: true of most histories of
    /// a large cluster, whose entries then need not be looked at.
    pub is_mere_absence: bool,
}

/// An `<lrm_rsc_op>`: the last result of one operation.
///
/// A large cluster has hundreds of thousands of them. What is the same for many of them is there once, and shared.
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryEntry {
    /// What was done.
    pub op: Arc<RecordedOp>,
    /// Who wrote it down.
    pub by: Arc<Writer>,
    /// `call-id`; −1 while there is no result.
    pub call_id: Option<i64>,
    /// `rc-code`; −1 if there is none.
    pub rc: OcfRc,
    /// `op-status`; −2 if there is none.
    pub status: OpStatus,
    /// `transition-magic`, or what it would be by `transition-key`.
    pub magic: Option<TransitionMagic>,
    /// Whether `transition-magic` is there and can be read. Where it is not, nobody can tell which of two entries is newer if one
    /// of them is pending.
    pub is_magic_written: bool,
    /// `exit-reason`.
    pub exit_reason: Option<Arc<str>>,
    /// `last-rc-change`.
    pub last_rc_change: Option<Timestamp>,
    /// `exec-time`, milliseconds.
    pub exec_time_ms: Option<u64>,
    /// `queue-time`, milliseconds.
    pub queue_time_ms: Option<u64>,
    /// Whether it is known to be of today's parameters.
    pub verified: Verified,
}

/// An operation on record, without what came of it: a resource's probes have it in common on all nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedOp {
    /// `id`: `RSC_last_0`, `RSC_last_failure_0`, `RSC_monitor_10000`.
    pub id: Arc<str>,
    /// `operation_key`.
    pub key: OperationKey,
    /// Whether `operation_key` is written down: displays call an entry without it by its id.
    pub has_key: bool,
    /// `operation`: the task.
    pub task: Arc<str>,
    /// `interval`, in milliseconds.
    pub interval_ms: u64,
    /// `op-digest`: of all parameters.
    pub digest_all: Option<Arc<str>>,
    /// `op-force-restart` and `op-restart-digest`: names (space separated, as written; all parameters if the attribute is
    /// missing, none if it is empty) and digest of what forces a restart.
    pub digest_restart: Option<(Option<Arc<str>>, Arc<str>)>,
    /// `op-secure-params` and `op-secure-digest`: names of what is secret, and digest of the rest.
    pub digest_secure: Option<(Option<Arc<str>>, Arc<str>)>,
    /// `migrate_source`.
    pub migrate_source: Option<NodeId>,
    /// `migrate_target`.
    pub migrate_target: Option<NodeId>,
}

/// Who wrote an entry down: the same for most entries of a node.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Writer {
    /// `on_node`.
    pub on_node: Option<NodeId>,
    /// `crm_feature_set` of the writer.
    pub feature_set: Option<Arc<str>>,
    /// `crm-debug-origin`.
    pub origin: Option<Arc<str>>,
}

impl HistoryEntry {
    /// The number of the call; −1 where there is none.
    pub fn call(&self) -> i64 {
        self.call_id.unwrap_or(-1)
    }

    /// Whether it was done, and had nothing to complain of.
    pub fn has_succeeded(&self) -> bool {
        (self.rc, self.status) == (OcfRc::Ok, OpStatus::Done)
    }

    /// A probe that found, as expected, that the resource is not there.
    pub(crate) fn is_absence(&self) -> bool {
        (self.rc, self.status) == (OcfRc::NotRunning, OpStatus::Done)
            && self.magic.as_ref().is_some_and(|magic| magic.key.target_rc == OcfRc::NotRunning)
            && &*self.op.task == "monitor"
            && self.op.interval_ms == 0
            && !self.op.id.ends_with("_last_failure_0")
    }
}

/// That the digest of an entry was found to be that of a definition in the same CIB: such a comparison takes longer than all
/// else a plan does about an operation. It is no content: copies do not have it, and all are equal. What is read anew has not
/// been compared, and a [`View`](crate::View) reads everything anew when anything but a history has changed.
/// So it rests on nobody editing a configuration inside a [`Cib`](super::Cib) that has been planned from.
#[derive(Debug, Default)]
pub struct Verified(AtomicUsize);

impl Verified {
    /// Whether it was compared with that very definition.
    pub fn is_of<T>(&self, definition: &T) -> bool {
        self.0.load(Ordering::Relaxed) == std::ptr::from_ref(definition).addr()
    }

    /// It was, and they are the same.
    pub fn set_of<T>(&self, definition: &T) {
        self.0.store(std::ptr::from_ref(definition).addr(), Ordering::Relaxed);
    }
}

impl Clone for Verified {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Verified {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// A `<ticket_state>`.
#[derive(Clone, Debug, PartialEq)]
pub struct Ticket {
    /// `id`.
    pub id: Arc<str>,
    /// `granted`.
    pub granted: bool,
    /// `standby`.
    pub standby: bool,
    /// `last-granted`.
    pub last_granted: Option<Timestamp>,
    /// Further attributes, as written.
    pub other: Vec<(Arc<str>, Arc<str>)>,
}
