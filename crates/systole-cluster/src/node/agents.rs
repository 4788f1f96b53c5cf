//! What agents say of themselves, as far as histories have to tell it with each result.
//!
//! Operations are handed to whatever executor they are for together with the digests that go into the history: so each
//! result has them, whoever records it. Whoever is to run an agent is asked for its metadata: a remote node, or the image of a
//! container, may have another one than this node, or be the only one to have it. (Pacemaker asks its own node always.)
//!
//! A start waits for what its agent says today, since the agent may have been updated. Other operations that a later reload
//! depends on wait only while nothing is known of the agent. What ends or recurs never waits.

use super::NodeMachine;
use crate::message::Hand;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use systole_cib::agent::{AgentTraits, ReloadAction};
use systole_scheduler::status::recorded_digest;
use systole_types::Monotonic;
use systole_wire::{
    ProtocolVersion,
    exec::{AgentName, Digest, Digests, Operation, ToExecutor},
};

/// How long operations wait for an agent's description. Then they are done without.
const PATIENCE: Duration = Duration::from_secs(5);
/// For how many times as long as an agent failed to describe itself it is left alone: starts that follow one another do
/// not wait for it again and again.
const RESPITE: u32 = 10;
/// Since when executors can be asked.
const ASKABLE: ProtocolVersion = ProtocolVersion { major: 1, minor: 2 };

/// Agents of this node's operations.
#[derive(Debug, Default)]
pub(super) struct Agents {
    /// Whether this node's executor is there and can be asked.
    are_askable: bool,
    known: BTreeMap<Place, BTreeMap<AgentName, Knowledge>>,
}

/// Where agents are: on this node, or on a remote one.
type Place = Option<String>;

/// Where the agents are that a hand runs. Connections are this node's own doing.
fn place_of(by: &Hand) -> Place {
    match by {
        Hand::Executor | Hand::Connections => None,
        Hand::Remote(name) => Some(name.clone()),
    }
}

#[derive(Debug, Default)]
struct Knowledge {
    /// What the agent said last. `None` before its first answer, and before it first failed to give one.
    traits: Option<AgentTraits>,
    /// Since when an answer is waited for.
    asked_at: Option<Monotonic>,
    /// Transition keys of the starts that the last question was for.
    asked_for: BTreeSet<String>,
    /// Until when it is not asked again.
    respite: Option<Monotonic>,
}

/// What an operation has to know of its agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// What it says now.
    Latest,
    /// What it said once.
    Any,
    /// What is known goes into the history; it is not waited for.
    Nothing,
}

impl Knowledge {
    /// Whether it has to be asked for this operation.
    fn falls_short(&self, operation: &Operation, now: Monotonic) -> bool {
        let is_left_alone = self.respite.is_some_and(|until| now < until);
        match need(operation) {
            Need::Latest => !is_left_alone && !self.asked_for.contains(&operation.transition_key),
            Need::Any => self.traits.is_none(),
            Need::Nothing => false,
        }
    }

    /// The question has come to nothing: what was known counts still.
    fn fail(&mut self, now: Monotonic) {
        self.traits.get_or_insert_default();
        if let Some(asked_at) = self.asked_at.take() {
            self.respite = Some(now + (now - asked_at) * RESPITE);
        }
    }

    fn is_overdue(&self, now: Monotonic) -> bool {
        self.asked_at.is_some_and(|at| at + PATIENCE <= now)
    }
}

impl Agents {
    /// This node's executor is there. Whatever was asked of it before gets no answer any more.
    pub fn executor_is_there(&mut self, protocol: ProtocolVersion) {
        self.executor_is_gone();
        self.are_askable = protocol >= ASKABLE;
    }

    /// There is nobody to ask: nothing waits.
    pub fn executor_is_gone(&mut self) {
        self.are_askable = false;
        let here = self.known.get_mut(&None).into_iter().flat_map(BTreeMap::values_mut);
        for known in here.filter(|known| known.asked_at.is_some()) {
            known.asked_at = None;
            known.asked_for.clear();
        }
    }

    /// A remote node is gone. It may come back with other agents.
    pub fn remote_is_gone(&mut self, name: &str) {
        self.known.remove(&Some(name.to_owned()));
    }

    pub fn next_deadline(&self) -> Option<Monotonic> {
        let known = self.known.values().flat_map(BTreeMap::values);
        known.filter_map(|known| Some(known.asked_at? + PATIENCE)).min()
    }

    /// Whether this operation has to wait for its agent's description, and the agent if it is to be asked now.
    fn await_for(
        &mut self,
        place: Place,
        operation: &Operation,
        now: Monotonic,
    ) -> (bool, Option<AgentName>) {
        let is_askable = place.is_some() || self.are_askable;
        if !is_askable || need(operation) == Need::Nothing {
            return (false, None);
        }
        let name = AgentName::of(operation);
        let known = self.known.entry(place).or_default().entry(name.clone()).or_default();
        let is_asked = known.asked_at.is_some();
        if is_asked && need(operation) == Need::Latest {
            known.asked_for.insert(operation.transition_key.clone());
            return (true, None);
        }
        if !known.falls_short(operation, now) {
            return (false, None);
        }
        if is_asked {
            return (true, None);
        }
        known.asked_at = Some(now);
        known.asked_for = BTreeSet::from([operation.transition_key.clone()]);
        (true, Some(name))
    }

    /// What the agent says of itself; `None` if it cannot.
    fn learn(&mut self, place: Place, agent: AgentName, traits: Option<AgentTraits>, now: Monotonic) {
        let known = self.known.entry(place).or_default().entry(agent).or_default();
        match traits {
            Some(traits) => {
                (known.traits, known.asked_at, known.respite) = (Some(traits), None, None);
            }
            None => known.fail(now),
        }
    }

    /// No answer is waited for any longer than this. Whether one was.
    fn expire(&mut self, now: Monotonic) -> bool {
        let known = self.known.values_mut().flat_map(BTreeMap::values_mut);
        let overdue = known.filter(|known| known.is_overdue(now));
        overdue.map(|known| known.fail(now)).count() > 0
    }

    /// Completes an operation that is to be asked for by what is known of its agent anywhere: so much its history tells until it has a
    /// result. Whoever has it done knows better, and the result tells that.
    fn foresee(&self, operation: &mut Operation) {
        if !tells_of_agent(operation) {
            return;
        }
        let name = AgentName::of(operation);
        let known = self.known.values().filter_map(|known| known.get(&name)?.traits.as_ref());
        let mut told =
            known.map(|traits| digests(operation, traits)).filter(|digests| *digests != Digests::default());
        operation.digests = told.next().unwrap_or_default();
    }

    /// Completes an operation by what its agent says of itself.
    fn complete(&self, place: &Place, operation: &mut Operation) {
        operation.digests = Digests::default();
        if !tells_of_agent(operation) {
            return;
        }
        let known = self.known.get(place).and_then(|known| known.get(&AgentName::of(operation)));
        let Some(traits) = known.and_then(|known| known.traits.as_ref()) else { return };
        if matches!(operation.operation.as_str(), "reload" | "reload-agent") {
            let action = match traits.reload {
                Some((ReloadAction::Reload, _)) => "reload",
                _ => "reload-agent",
            };
            operation.operation = action.to_owned();
        }
        operation.digests = digests(operation, traits);
    }
}

/// Whether the history of such an operation tells more than the digest of all parameters.
fn tells_of_agent(operation: &Operation) -> bool {
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

/// What is sound for an operation to go without: at worst a parameter is changed by a restart later on. What a resource
/// is to be rid of, and what would be late, does not wait for that.
fn need(operation: &Operation) -> Need {
    match operation.operation.as_str() {
        _ if !tells_of_agent(operation) || operation.interval_ms > 0 => Need::Nothing,
        "start" => Need::Latest,
        "monitor" | "promote" | "reload" | "reload-agent" | "migrate_from" => Need::Any,
        _ => Need::Nothing,
    }
}

fn digests(operation: &Operation, traits: &AgentTraits) -> Digests {
    let recurs = operation.interval_ms > 0;
    let digest = |counts: &dyn Fn(&str) -> bool, names: String| {
        let parameters = operation.parameters.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        // Without the timeout of what recurs. Pacemaker's controller has it in the digest of what is not private, and no
        // scheduler, theirs or ours, has it in what that is compared with.
        Digest { names, digest: recorded_digest(parameters.filter(|(name, _)| counts(name)), false) }
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
    pub(super) fn awaits_description(&mut self, by: &Hand, operation: &Operation) -> bool {
        let (awaits, to_ask) = self.agents.await_for(place_of(by), operation, self.now.mono);
        if let Some(agent) = to_ask {
            match by {
                Hand::Remote(name) => self.tell_remote(name, ToExecutor::Describe(agent)),
                _ => self.effects.push(super::Effect::ToExecutor(ToExecutor::Describe(agent))),
            }
        }
        awaits
    }

    /// See [`Agents::foresee`].
    pub(super) fn foresee(&self, mut operation: Operation) -> Operation {
        self.agents.foresee(&mut operation);
        operation
    }

    /// Completes an operation before it is handed over.
    pub(super) fn complete(&self, by: &Hand, operation: &mut Operation) {
        self.agents.complete(&place_of(by), operation);
    }

    /// An agent has described itself, or cannot.
    pub(super) fn described(&mut self, by: &Hand, agent: AgentName, metadata: Option<&str>) {
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
        self.agents.learn(place_of(by), agent, traits, self.now.mono);
        self.send_all_unsent();
    }

    /// Operations go without the descriptions that do not come.
    pub(super) fn miss_descriptions(&mut self) {
        if self.agents.expire(self.now.mono) {
            self.send_all_unsent();
        }
    }
}
