//! Operations of resources on the remote node: what was asked for and not answered yet.

use super::{Effect, RemoteSession};
use crate::{
    Level, RemoteEvent,
    executor::{FormerParameters, changes_state},
};
use std::{collections::BTreeMap, time::Duration};
use systole_types::{Now, OcfRc, OpStatus, OperationKey};
use systole_wire::{
    exec::{AgentName, FromExecutor, Operation, OperationResult, ToExecutor},
    remote::{Call, Done, Recurring, Reply, Run},
};

/// How many operations may be in flight or recur on one remote node.
const MAX_OPERATIONS: usize = 4096;

/// The action by which agents describe themselves.
pub(super) const METADATA: &str = "meta-data";

/// How long that may take: less than it is waited for.
const DESCRIBING: Duration = Duration::from_secs(4);

/// What is known of the far end's work.
#[derive(Debug, Default)]
pub(super) struct Operations {
    /// Resources the daemon knows, with the agent they have there.
    registered: BTreeMap<String, (String, Option<String>, String)>,
    /// Done once, by transition key.
    in_flight: BTreeMap<String, Operation>,
    /// By operation key.
    recurring: BTreeMap<String, InForce>,
    /// Calls whose reply matters.
    awaited: BTreeMap<u32, Awaited>,
    /// Agents that are describing themselves, by the resource that stands for one.
    described: BTreeMap<String, AgentName>,
    /// The number of the last result.
    last_number: u64,
    /// What resources run with, as far as this session knows: the daemons of others do not keep it.
    former: FormerParameters,
}

#[derive(Debug)]
struct InForce {
    operation: Operation,
    /// Exit code, status and moment last reported.
    reported: Option<(i32, i32, i64)>,
    is_cancelled: bool,
}

#[derive(Debug)]
enum Awaited {
    /// An agent's description, by the resource that stands for it.
    Description(String),
    /// An operation, by its transition key.
    Run(String),
    /// The end of a recurring operation, by its key.
    Cancel(String),
}

impl RemoteSession {
    pub(super) fn told(&mut self, now: Now, message: ToExecutor) {
        match message {
            ToExecutor::Run(operation) => self.run(now, *operation),
            ToExecutor::Cancel { key } => self.cancel(&key),
            ToExecutor::Forget { resource } => self.forget(&resource),
            ToExecutor::Describe(agent) => self.describe(agent),
            // The session greets by itself, and keeps nothing for anybody.
            ToExecutor::Hello { .. } | ToExecutor::Acknowledge { .. } | ToExecutor::Ping => {}
        }
    }

    fn run(&mut self, now: Now, mut operation: Operation) {
        if self.operations.in_flight.len() + self.operations.recurring.len() >= MAX_OPERATIONS {
            let reason = format!("{MAX_OPERATIONS} operations are in flight on {} already", self.node);
            return self.report(own_result(operation, now, OpStatus::Error, &reason));
        }
        self.operations.former.begin(&mut operation);
        if changes_state(&operation) {
            self.end_recurring(&operation.resource);
        }
        self.make_known(&operation);
        let run = Run {
            resource: operation.resource.clone(),
            operation: operation.operation.clone(),
            interval_ms: operation.interval_ms,
            timeout_ms: operation.timeout_ms,
            start_delay_ms: operation.start_delay_ms,
            note: operation.transition_key.clone(),
            changes_only: operation.interval_ms > 0,
            parameters: operation.parameters.clone(),
        };
        let id = self.send(Call::Run(Box::new(run)));
        self.operations.awaited.insert(id, Awaited::Run(operation.transition_key.clone()));
        if operation.interval_ms > 0 {
            let key = operation.key.clone();
            let entry = InForce { operation, reported: None, is_cancelled: false };
            self.operations.recurring.insert(key, entry);
        } else {
            self.operations.in_flight.insert(operation.transition_key.clone(), operation);
        }
    }

    /// Daemons run an agent for its metadata as they do for everything else; a resource of its own stands for it meanwhile.
    fn describe(&mut self, agent: AgentName) {
        let AgentName { class, provider, agent: name } = agent.clone();
        let resource = format!("systole-{class}-{}-{name}", provider.as_deref().unwrap_or_default());
        self.send(Call::RegisterResource {
            resource: resource.clone(),
            class,
            provider,
            agent: name,
            drops_recurring: true,
        });
        let run = Run {
            resource: resource.clone(),
            operation: METADATA.to_owned(),
            timeout_ms: u64::try_from(DESCRIBING.as_millis()).unwrap_or(u64::MAX),
            note: resource.clone(),
            ..Run::default()
        };
        let id = self.send(Call::Run(Box::new(run)));
        self.operations.awaited.insert(id, Awaited::Description(resource.clone()));
        self.operations.described.insert(resource, agent);
    }

    /// An agent has described itself, or cannot.
    fn described(&mut self, resource: &str, metadata: Option<String>) {
        let Some(agent) = self.operations.described.remove(resource) else { return };
        self.send(Call::UnregisterResource { resource: resource.to_owned() });
        let description = FromExecutor::Described { agent, metadata };
        self.effects.push(Effect::Tell(RemoteEvent::Says(description)));
    }

    /// A daemon runs operations of resources only that were registered in its life.
    fn make_known(&mut self, operation: &Operation) {
        let agent = (operation.class.clone(), operation.provider.clone(), operation.agent.clone());
        if self.operations.registered.get(&operation.resource) == Some(&agent) {
            return;
        }
        let (class, provider, name) = agent.clone();
        self.send(Call::RegisterResource {
            resource: operation.resource.clone(),
            class,
            provider,
            agent: name,
            drops_recurring: true,
        });
        self.operations.registered.insert(operation.resource.clone(), agent);
    }

    fn end_recurring(&mut self, resource: &str) {
        let keys: Vec<String> = self
            .operations
            .recurring
            .iter()
            .filter(|(_, entry)| entry.operation.resource == resource)
            .map(|(key, _)| key.clone())
            .collect();
        for key in keys {
            if let Some(entry) = self.operations.recurring.remove(&key) {
                self.send(cancel_call(&entry.operation));
            }
        }
    }

    fn cancel(&mut self, key: &str) {
        let Some(entry) = self.operations.recurring.get_mut(key) else { return self.take_back(key) };
        entry.is_cancelled = true;
        let call = cancel_call(&entry.operation);
        let id = self.send(call);
        self.operations.awaited.insert(id, Awaited::Cancel(key.to_owned()));
    }

    /// What is done once is told to have been cancelled if it had not begun; else its result comes as ever.
    fn take_back(&mut self, key: &str) {
        let waiting = self.operations.in_flight.values().filter(|operation| operation.key == key);
        for call in waiting.map(cancel_call).collect::<Vec<_>>() {
            self.send(call);
        }
    }

    fn forget(&mut self, resource: &str) {
        self.end_recurring(resource);
        self.operations.former.forget(resource);
        if self.operations.registered.remove(resource).is_some() {
            self.send(Call::UnregisterResource { resource: resource.to_owned() });
        }
    }

    /// Ends what recurs at the far end and was not asked for through this connection.
    pub(super) fn end_strangers(&mut self, strangers: &[Recurring]) {
        for stranger in strangers {
            self.send(Call::Cancel {
                resource: stranger.resource.clone(),
                operation: stranger.operation.clone(),
                interval_ms: stranger.interval_ms,
            });
        }
    }

    /// A reply to a call about an operation.
    pub(super) fn operation_replied(&mut self, now: Now, reply: &Reply) {
        match self.operations.awaited.remove(&reply.id) {
            Some(Awaited::Run(transition_key)) if reply.rc < 0 => {
                let reason = format!("the remote daemon refused the operation (error {})", -reply.rc);
                if let Some(operation) = self.take(&transition_key) {
                    let failure = OpStatus::Error;
                    self.report(own_result(operation, now, failure, &reason));
                }
            }
            Some(Awaited::Description(resource)) if reply.rc < 0 => self.described(&resource, None),
            // The daemon did not know it: then nothing else will tell that it has ended.
            Some(Awaited::Cancel(key)) if reply.rc < 0 => self.cancelled(now, &key),
            _ => {}
        }
    }

    /// Whatever has this transition key is over.
    fn take(&mut self, transition_key: &str) -> Option<Operation> {
        if let Some(operation) = self.operations.in_flight.remove(transition_key) {
            return Some(operation);
        }
        let key = self.recurring_key(transition_key)?;
        self.operations.recurring.remove(&key).map(|entry| entry.operation)
    }

    fn recurring_key(&self, transition_key: &str) -> Option<String> {
        let mut entries = self.operations.recurring.iter();
        entries
            .find(|(_, entry)| entry.operation.transition_key == transition_key)
            .map(|(key, _)| key.clone())
    }

    fn cancelled(&mut self, now: Now, key: &str) {
        if let Some(entry) = self.operations.recurring.remove(key) {
            let cancelled = OpStatus::Cancelled;
            self.report(own_result(entry.operation, now, cancelled, ""));
        }
    }

    /// An operation has a result. Results of what others asked for are told to us too, and passed over.
    pub(super) fn done(&mut self, now: Now, done: Done) {
        let note = &done.run.note;
        if done.run.operation == METADATA && self.operations.described.contains_key(note) {
            let is_good = done.rc == 0 && done.status == OpStatus::Done.code();
            return self.described(&note.clone(), is_good.then_some(done.output));
        }
        if let Some(operation) = self.operations.in_flight.remove(note) {
            return self.report(result(operation, now, &done));
        }
        let Some(key) = self.recurring_key(note) else {
            let interval = Duration::from_millis(done.run.interval_ms);
            let what = OperationKey::new(done.run.resource.as_str(), &done.run.operation, interval);
            let message = format!("{} told of {what}, which was not asked for here: passed over", self.node);
            return self.log(Level::Debug, message);
        };
        if done.status == OpStatus::Cancelled.code() {
            return self.cancelled(now, &key);
        }
        let Some(entry) = self.operations.recurring.get_mut(&key) else { return };
        let outcome = (done.rc, done.status);
        if entry.is_cancelled || entry.reported.is_some_and(|(rc, status, _)| (rc, status) == outcome) {
            return;
        }
        // History tells two results of one call apart by whole seconds only, and must take the newer for the newer.
        let at = entry.reported.map_or(now.wall.0, |(_, _, at)| now.wall.0.max(at + 1));
        entry.reported = Some((done.rc, done.status, at));
        let operation = entry.operation.clone();
        self.report(OperationResult { at, ..result(operation, now, &done) });
    }

    fn report(&mut self, result: OperationResult) {
        self.operations.last_number += 1;
        let result = OperationResult { number: self.operations.last_number, ..result };
        self.operations.former.learn(&result);
        self.effects.push(Effect::Tell(RemoteEvent::Says(FromExecutor::Result(Box::new(result)))));
    }
}

fn cancel_call(operation: &Operation) -> Call {
    Call::Cancel {
        resource: operation.resource.clone(),
        operation: operation.operation.clone(),
        interval_ms: operation.interval_ms,
    }
}

fn result(operation: Operation, now: Now, done: &Done) -> OperationResult {
    OperationResult {
        number: 0,
        operation,
        rc: done.rc,
        status: done.status,
        exit_reason: done.exit_reason.clone(),
        at: now.wall.0,
        exec_ms: done.exec_ms,
        queue_ms: done.queue_ms,
    }
}

/// A result that no agent is behind.
fn own_result(operation: Operation, now: Now, status: OpStatus, reason: &str) -> OperationResult {
    OperationResult {
        number: 0,
        operation,
        rc: OcfRc::Error.code(),
        status: status.code(),
        exit_reason: reason.to_owned(),
        at: now.wall.0,
        exec_ms: 0,
        queue_ms: 0,
    }
}
