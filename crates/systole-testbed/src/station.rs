//! An executor and the agents it runs: on a host, or beside a remote daemon.

use crate::{Micros, NodeIdx, agents::Agents, far::FarIdx};
use std::collections::{BTreeMap, VecDeque};
use systole_cluster::executor::{self, ExecutorMachine};
use systole_types::Monotonic;
use systole_wire::exec::AgentName;

/// Where a station is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On a host.
    Host(NodeIdx),
    /// Beside a remote daemon.
    Far(FarIdx),
}

/// An executor and the agents it runs.
#[derive(Debug, Default)]
pub struct Station {
    /// The executor, while its program runs.
    pub executor: Option<ExecutorMachine>,
    /// Until when its program does nothing, though its connections are open.
    pub hangs_until: Option<Micros>,
    /// What it has not taken in meanwhile.
    pub unread: Vec<executor::Event>,
    /// Its memory; gone with the power, or with the container.
    pub executor_state: Option<Vec<u8>>,
    /// What runs here.
    pub agents: Agents,
    /// Process groups whose end the executor waits for.
    pub killed_leftovers: VecDeque<(Micros, String)>,
    /// Agents that are describing themselves, and what they will say.
    pub descriptions: BTreeMap<AgentName, (Micros, Option<String>)>,
}

impl Station {
    /// When something happens here next.
    pub fn next(&self) -> Option<Micros> {
        let awake = self.executor.as_ref().filter(|_| self.hangs_until.is_none());
        let deadline = awake.and_then(ExecutorMachine::next_deadline);
        let times = [
            self.hangs_until,
            self.killed_leftovers.front().map(|(at, _)| *at),
            self.descriptions.values().map(|(at, _)| *at).min(),
            self.agents.next(),
            deadline.map(|at| at.0.as_micros() as Micros),
        ];
        times.into_iter().flatten().min()
    }

    /// Whether the executor has something to do by now.
    pub fn is_due(&self, now: Monotonic) -> bool {
        let awake = self.executor.as_ref().filter(|_| self.hangs_until.is_none());
        awake.and_then(ExecutorMachine::next_deadline).is_some_and(|at| at <= now)
    }

    /// What an agent says of itself that has come to its end by now.
    pub fn next_description(&mut self, now: Micros) -> Option<(AgentName, Option<String>)> {
        let is_due = |(_, (at, _)): &(&AgentName, &(Micros, Option<String>))| *at <= now;
        let agent = self.descriptions.iter().find(is_due)?.0.clone();
        let (_, said) = self.descriptions.remove(&agent)?;
        Some((agent, said))
    }

    /// The executor's program is killed; what it has begun goes on.
    pub fn kill_executor(&mut self) {
        self.executor = None;
        self.hangs_until = None;
        self.unread.clear();
        self.killed_leftovers.clear();
        self.descriptions.clear();
        for process in self.agents.processes.values_mut() {
            (process.run, process.is_awaited) = (None, false);
        }
    }

    /// Everything here ends, at once. How agents behave stays as it is.
    pub fn end(&mut self) {
        let failing_starts = std::mem::take(&mut self.agents.failing_starts);
        let slow = std::mem::take(&mut self.agents.slow);
        let lingering = std::mem::take(&mut self.agents.lingering);
        let agents = Agents { failing_starts, slow, lingering, ..Agents::default() };
        *self = Self { agents, ..Self::default() };
    }

    /// Whether a recurring monitor of a resource is in force here.
    pub fn monitors(&self, resource: &str) -> bool {
        let is_its = |key: &str| key.strip_prefix(resource).is_some_and(|rest| rest.starts_with("_monitor_"));
        self.executor.as_ref().is_some_and(|executor| executor.recurring().any(is_its))
    }
}
