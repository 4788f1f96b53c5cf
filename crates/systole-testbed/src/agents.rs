//! Simulated resource agents: what runs on a host, how long actions take, and how they fail.

use crate::{Micros, Random, SECOND};
use std::collections::{BTreeMap, BTreeSet};
use systole_cluster::executor::{AgentExit, RunId};
use systole_types::{OcfRc, OpStatus};
use systole_wire::exec::Operation;

/// What every agent says of itself.
pub const METADATA: &str = "<resource-agent name=\"simulated\"><version>1.1</version>\
    <parameters><parameter name=\"state\"/><parameter name=\"passwd\" reloadable=\"1\"/></parameters>\
    <actions><action name=\"reload-agent\"/></actions></resource-agent>";

/// A process of an agent.
#[derive(Clone, Debug)]
pub struct Process {
    /// Which process: new for each in a simulation.
    pub id: u64,
    /// The run it belongs to, of the executor's present program; `None` once that program was killed.
    pub run: Option<RunId>,
    /// Whether the executor's next program waits for it.
    pub is_awaited: bool,
    /// What it does.
    pub operation: Operation,
    /// When it changes the resource's state; `None` if it has, or does not.
    pub acts_at: Option<Micros>,
    /// When it ends.
    pub ends_at: Micros,
}

/// What runs on a host, and how its agents behave.
#[derive(Clone, Debug, Default)]
pub struct Agents {
    /// Resources that run here; gone with the power.
    pub active: BTreeSet<String>,
    /// Those of them that are promoted.
    pub promoted: BTreeSet<String>,
    /// Whom copies of promotable resources follow: the node of the promoted copy, as far as they were told.
    pub follows: BTreeMap<String, String>,
    /// Processes of agents, by number.
    pub processes: BTreeMap<u64, Process>,
    /// Ends of processes that nobody waited for.
    pub finished: BTreeMap<u64, AgentExit>,
    /// Resources whose start fails.
    pub failing_starts: BTreeSet<String>,
    /// Resources whose actions take longer than their timeouts.
    pub slow: BTreeSet<String>,
    /// Resources whose actions take long, though not too long, and do not heed that they are to end.
    pub lingering: BTreeSet<String>,
    /// How often each resource was started and stopped here.
    pub n_changes: u64,
}

impl Agents {
    /// Starts a process.
    pub fn spawn(&mut self, id: u64, run: RunId, operation: Operation, now: Micros, random: &mut Random) {
        let quick = random.between(2_000, 400_000);
        let takes = match &operation.resource {
            resource if self.slow.contains(resource) => operation.timeout_ms * 1000 + quick,
            resource if self.lingering.contains(resource) => random.between(SECOND, 15 * SECOND),
            _ => quick,
        };
        let changes = matches!(operation.operation.as_str(), "start" | "stop" | "promote" | "demote");
        let acts_at = changes.then_some(now + takes / 2);
        self.processes.insert(
            id,
            Process { id, run: Some(run), is_awaited: false, operation, acts_at, ends_at: now + takes },
        );
    }

    /// When something happens here next.
    pub fn next(&self) -> Option<Micros> {
        self.processes.values().map(|process| process.acts_at.unwrap_or(process.ends_at)).min()
    }

    /// The process whose moment has come.
    pub fn due(&self, now: Micros) -> Option<u64> {
        let is_due = |process: &&Process| process.acts_at.unwrap_or(process.ends_at) <= now;
        self.processes.values().find(is_due).map(|process| process.id)
    }

    /// The process changes its resource's state now.
    pub fn act(&mut self, id: u64) -> Act {
        let Some(process) = self.processes.get_mut(&id) else { return Act::Nothing };
        process.acts_at = None;
        let (resource, action) = (process.operation.resource.clone(), process.operation.operation.clone());
        match action.as_str() {
            "stop" if self.end(&resource) => {
                self.n_changes += 1;
                Act::Stopped(resource)
            }
            "promote" if self.active.contains(&resource) && self.promoted.insert(resource.clone()) => {
                Act::Promoted(resource)
            }
            "demote" => {
                self.promoted.remove(&resource);
                Act::Nothing
            }
            "start" if !self.failing_starts.contains(&resource) && self.active.insert(resource.clone()) => {
                self.n_changes += 1;
                Act::Started(resource)
            }
            _ => Act::Nothing,
        }
    }

    /// What a copy learns of the promoted one by an operation that succeeded on `node`. When it starts, it is told who is
    /// promoted then; a notification tells who was promoted since.
    pub fn learn(&mut self, operation: &Operation, node: &str) {
        let whom = match operation.operation.as_str() {
            "start" => {
                let leaving: Vec<&str> =
                    ["demote", "stop"].iter().flat_map(|what| named(operation, what)).collect();
                let mut promoted = named(operation, "promoted");
                promoted.find(|node| !leaving.contains(node)).map(str::to_owned)
            }
            "promote" => Some(node.to_owned()),
            "notify" if is_post_promote(operation) => named(operation, "promote").next().map(str::to_owned),
            "demote" => None,
            _ => return,
        };
        match whom {
            Some(whom) => _ = self.follows.insert(operation.resource.clone(), whom),
            None => _ = self.follows.remove(&operation.resource),
        }
    }

    /// A resource does not run any more. Whether it did.
    pub fn end(&mut self, resource: &str) -> bool {
        self.promoted.remove(resource);
        self.follows.remove(resource);
        self.active.remove(resource)
    }

    /// What the process says at its end.
    pub fn exit(&self, process: &Process) -> AgentExit {
        let resource = &process.operation.resource;
        let (is_active, is_promoted) = (self.active.contains(resource), self.promoted.contains(resource));
        let rc = match process.operation.operation.as_str() {
            "start" if !is_active => OcfRc::Error,
            "stop" if is_active => OcfRc::Error,
            "promote" if !is_promoted => OcfRc::Error,
            "demote" if is_promoted || !is_active => OcfRc::Error,
            "monitor" if !is_active => OcfRc::NotRunning,
            "monitor" if is_promoted => OcfRc::Promoted,
            _ => OcfRc::Ok,
        };
        AgentExit { rc, status: OpStatus::Done, exit_reason: String::new() }
    }
}

/// Nodes in one of the lists that come with the operations of resources which are notified.
pub(crate) fn named<'o>(operation: &'o Operation, what: &str) -> impl Iterator<Item = &'o str> {
    let list = operation.parameters.get(&format!("CRM_meta_notify_{what}_uname"));
    list.into_iter().flat_map(|list| list.split_whitespace())
}

fn is_post_promote(operation: &Operation) -> bool {
    let is = |name: &str, value: &str| operation.parameters.get(name).is_some_and(|is| is == value);
    is("CRM_meta_notify_type", "post") && is("CRM_meta_notify_operation", "promote")
}

/// What a process changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Nothing.
    Nothing,
    /// A resource runs.
    Started(String),
    /// It does not run any more.
    Stopped(String),
    /// It is promoted.
    Promoted(String),
}
