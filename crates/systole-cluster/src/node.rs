//! The machine of one cluster node: everything `systoled` decides.

use crate::{Effect, Event, Planner};
use systole_types::{Monotonic, Now};

/// What does not change while the program runs.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The cluster layer: `hub` or `corosync`; also the CIB's `cluster-infrastructure`.
    pub stack: String,
    /// The daemon's version; also the CIB's `dc-version`.
    pub version: String,
    /// The scheduler.
    pub planner: Planner,
}

/// The machine of one cluster node.
#[derive(Debug)]
pub struct NodeMachine {
    config: NodeConfig,
}

impl NodeMachine {
    /// A machine that waits for [`Event::Started`].
    pub fn new(config: NodeConfig) -> Self {
        Self { config }
    }

    /// Takes in what happened and says what to do, in that order.
    pub fn handle(&mut self, now: Now, event: Event) -> Vec<Effect> {
        let _ = (now, event, &self.config);
        Vec::new()
    }

    /// When the next [`Event::DeadlineReached`] is due.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        None
    }
}
