//! What agents say of themselves, as far as histories have to tell it with each result.
//!
//! An operation waits until its agent has described itself, and is handed to whatever executor it is for together with the
//! digests that go into the history: so each result has them, whoever records it. This node's own executor is asked also
//! for operations on remote nodes, as Pacemaker does.

use super::NodeMachine;
use std::{collections::BTreeMap, time::Duration};
use systole_cib::agent::{AgentTraits, ReloadAction};
use systole_scheduler::status::recorded_digest;
use systole_types::Monotonic;
use systole_wire::{
    ProtocolVersion,
    exec::{AgentName, Digest, Digests, Operation, ToExecutor},
};

/// How long operations wait for an agent's description. Then they are done without.
const PATIENCE: Duration = Duration::from_secs(5);
/// Since when executors can be asked.
const ASKABLE: ProtocolVersion = ProtocolVersion { major: 1, minor: 2 };

/// Agents of this node's operations.
#[derive(Debug, Default)]
pub(super) struct Agents {
    /// Whether the executor can be asked.
    are_askable: bool,
    known: BTreeMap<AgentName, Knowledge>,
}

#[derive(Debug, Default)]
struct Knowledge {
    /// What the agent said last.
    traits: AgentTraits,
    /// Until when an answer is waited for.
    asked_until: Option<Monotonic>,
    /// Transition key of the start it was last asked for: the agent may have been updated since the one before.
    asked_for: String,
}

impl Agents {
    /// This node's executor is there. Whatever was asked of it before gets no answer any more.
    pub fn executor_is_there(&mut self, protocol: ProtocolVersion) {
        self.are_askable = protocol >= ASKABLE;
        self.executor_is_gone();
    }

    pub fn executor_is_gone(&mut self) {
        self.known.retain(|_, known| known.asked_until.is_none());
    }

    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.known.values().filter_map(|known| known.asked_until).min()
    }

    /// The agent to be asked before this operation, if it is to be asked now.
    fn ask(&mut self, operation: &Operation, now: Monotonic) -> Option<AgentName> {
        if !self.are_askable || !needs_traits(operation) {
            return None;
        }
        let name = AgentName::of(operation);
        let is_new = !self.known.contains_key(&name);
        let known = self.known.entry(name.clone()).or_default();
        let is_start = operation.operation == "start" && known.asked_for != operation.transition_key;
        if known.asked_until.is_some() || !(is_new || is_start) {
            return None;
        }
        known.asked_until = Some(now + PATIENCE);
        known.asked_for.clone_from(&operation.transition_key);
        Some(name)
    }

    /// Whether this operation has to wait.
    fn is_awaited(&self, operation: &Operation) -> bool {
        let known = self.known.get(&AgentName::of(operation)).filter(|_| needs_traits(operation));
        known.is_some_and(|known| known.asked_until.is_some())
    }

    /// What the agent says of itself.
    fn learn(&mut self, agent: AgentName, traits: AgentTraits) {
        let known = self.known.entry(agent).or_default();
        *known = Knowledge { traits, asked_until: None, asked_for: std::mem::take(&mut known.asked_for) };
    }

    /// No answer is waited for any longer than this. Whether one was.
    fn expire(&mut self, now: Monotonic) -> bool {
        let overdue = self.known.values_mut().filter(|known| known.asked_until.is_some_and(|at| at <= now));
        overdue.map(|known| known.asked_until = None).count() > 0
    }

    /// Completes an operation by what its agent says of itself.
    fn complete(&self, operation: &mut Operation) {
        let Some(known) = self.known.get(&AgentName::of(operation)).filter(|_| needs_traits(operation))
        else {
            return;
        };
        if matches!(operation.operation.as_str(), "reload" | "reload-agent") {
            let action = match known.traits.reload {
                Some((ReloadAction::Reload, _)) => "reload",
                _ => "reload-agent",
            };
            operation.operation = action.to_owned();
        }
        operation.digests = digests(operation, &known.traits);
    }
}

/// Whether the history of such an operation tells more than the digest of all parameters.
fn needs_traits(operation: &Operation) -> bool {
    let has_parameters = matches!(operation.class.as_str(), "ocf" | "stonith");
    has_parameters
        && matches!(
            operation.operation.as_str(),
            "start"
                | "monitor"
                | "promote"
                | "demote"
                | "reload"
                | "reload-agent"
                | "migrate_to"
                | "migrate_from"
                | "notify"
        )
}

fn digests(operation: &Operation, traits: &AgentTraits) -> Digests {
    let recurs = operation.interval_ms > 0;
    let digest = |counts: &dyn Fn(&str) -> bool, names: String| {
        let parameters = operation.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        Digest { names, digest: recorded_digest(parameters.filter(|(name, _)| counts(name)), recurs) }
    };
    let is_among = |names: &[String], name: &str| names.iter().any(|other| other == name);
    // A monitor that recurs is done anew anyway.
    let reload = traits.reload.as_ref().filter(|_| !recurs);
    let private = &traits.private;
    Digests {
        restart: reload.map(|(_, names)| digest(&|name| is_among(names, name), words(names))),
        secure: (!private.is_empty()).then(|| digest(&|name| !is_among(private, name), words(private))),
    }
}

/// Names as Pacemaker writes them, to be looked for with a space on either side.
fn words(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!("  {}  ", names.join(" ")) }
}

impl NodeMachine {
    /// Has an operation's agent describe itself, if need be. Whether the operation has to wait for that.
    pub(super) fn awaits_description(&mut self, operation: &Operation) -> bool {
        if let Some(agent) = self.agents.ask(operation, self.now.mono) {
            self.effects.push(super::Effect::ToExecutor(ToExecutor::Describe(agent)));
        }
        self.agents.is_awaited(operation)
    }

    /// Completes an operation before it is handed over.
    pub(super) fn complete(&self, operation: &mut Operation) {
        self.agents.complete(operation);
    }

    /// An agent has described itself, or cannot.
    pub(super) fn described(&mut self, agent: AgentName, metadata: Option<&str>) {
        let read = metadata.map(|text| AgentTraits::read(&agent.class, text)).transpose();
        let traits = read.unwrap_or_else(|error| {
            let AgentName { class, provider, agent } = &agent;
            let provider = provider.as_deref().unwrap_or_default();
            self.log(
                super::Level::Warning,
                format!("the metadata of {class}:{provider}:{agent} cannot be read: {error}"),
            );
            None
        });
        self.agents.learn(agent, traits.unwrap_or_default());
        self.send_all_unsent();
    }

    /// Operations go without the descriptions that do not come.
    pub(super) fn miss_descriptions(&mut self) {
        if self.agents.expire(self.now.mono) {
            self.send_all_unsent();
        }
    }
}
