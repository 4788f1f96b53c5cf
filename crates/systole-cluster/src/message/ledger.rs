//! What is replicated beside the CIB.

use super::{Notice, Perform};
use crate::SessionId;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use systole_wire::exec::{Operation, OperationResult};

/// What is replicated beside the CIB, and lives as long as the status section.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct Ledger {
    /// By node number.
    pub nodes: BTreeMap<u32, NodeLedger>,
    /// Operations asked for and not yet answered, by transition key.
    pub in_flight: BTreeMap<String, Perform>,
    /// Notifications of the present plan that were not sent yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Notice>,
    /// Connections to remote and guest nodes that were started and not stopped, by name.
    #[serde(default)]
    pub connections: BTreeMap<String, ConnectionLedger>,
    /// Transient attributes of which more is known than their values, by name.
    #[serde(default)]
    pub attributes: BTreeMap<String, AttributeLedger>,
    /// Transient attributes of nodes that are lost, for the case that they come back as they were.
    #[serde(default)]
    pub kept_attributes: BTreeMap<String, BTreeMap<String, String>>,
    /// What was given up since failures are counted by all members. Nothing below [`super::LEVEL_OF_COUNTS`].
    #[serde(default, skip_serializing_if = "GivenUp::is_empty")]
    pub given_up: GivenUp,
    /// Counts changes that may call for a new plan.
    pub changes: u64,
    /// As of how many changes the DC had nothing to do.
    pub idle_at: Option<u64>,
}

/// How many operations that were given up are remembered.
const MAX_GIVEN_UP: usize = 1024;

/// Operations that were given up as not answered in time, the latest last: transition keys. Their failure is counted, a late answer is
/// not another one.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct GivenUp(VecDeque<String>);

impl GivenUp {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These are given up.
    pub fn remember(&mut self, results: &[OperationResult]) {
        self.0.extend(results.iter().map(|result| result.operation.transition_key.clone()));
        self.0.drain(..self.0.len().saturating_sub(MAX_GIVEN_UP));
    }

    /// Whether an operation was given up and not answered since.
    pub fn contains(&self, transition_key: &str) -> bool {
        self.0.iter().any(|known| known == transition_key)
    }

    /// Whether a result is the late answer to one of them, which is forgotten with it.
    pub fn is_late(&mut self, result: &OperationResult) -> bool {
        let known = self.0.iter().position(|key| *key == result.operation.transition_key);
        known.and_then(|at| self.0.remove(at)).is_some()
    }
}

/// What is known of a transient attribute beside its values in the CIB.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct AttributeLedger {
    /// How long changes are held back.
    pub delay_ms: u64,
    /// The id of the set it goes to; `None` for the usual one.
    pub set: Option<String>,
    /// Whether it is kept out of the CIB.
    pub private: bool,
    /// Values that are not in the CIB, or not yet, by node; `None`: it is to be removed.
    pub held: BTreeMap<String, Option<String>>,
    /// Counts changes: with each, the time they are held back begins anew.
    pub n_changes: u64,
}

/// What is known of a connection to a remote or guest node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ConnectionLedger {
    /// The number of the cluster node that holds it.
    pub host: u32,
    /// The operation that began it: where the node is to be reached.
    pub start: Operation,
    /// The recurring monitor in force.
    pub monitor: Option<Operation>,
    /// The session whose results are recorded, and up to which number they are.
    pub session: SessionId,
    /// See `session`.
    pub recorded: u64,
    /// Whether the session is known to be up in this view.
    pub attached: bool,
    /// Of a guest: the node that its container ran on when it was connected to, if that is not the host.
    #[serde(default)]
    pub container_on: Option<String>,
    /// Whether it broke and was not recovered yet.
    pub lost: bool,
    /// That it was stopped after it broke. For a guest this counts only once the container is stopped too: until then,
    /// whatever plan comes next has to see that the guest is lost.
    #[serde(default)]
    pub stopped: Option<OperationResult>,
}

/// What is known of a node.
#[derive(Clone, Debug, PartialEq, Default, Serialize, Deserialize)]
pub(crate) struct NodeLedger {
    /// Its name.
    pub name: String,
    /// Its host's boot.
    pub boot_id: String,
    /// Results of its executor are recorded up to this number.
    pub recorded: u64,
    /// Whether its executor is there.
    pub attached: bool,
    /// Whether its executor was there since its host was booted, or it has left: `recorded` begins anew where one lost its memory.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub worked: bool,
    /// Whether it was told to leave.
    pub leaving: bool,
    /// The start of the program on it whose request was applied last.
    pub incarnation: u64,
    /// The number of that request.
    pub requests: u64,
}
