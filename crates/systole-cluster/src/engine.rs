//! The transition engine: carries out one graph at a time.
//!
//! It fires synapses whose inputs are confirmed, the important ones first, a limited number at once. After an abort it
//! sends nothing more but notifications of what was done, and is finished when what is in flight has been answered, the last
//! notifications excepted. What is done is the graph's choice; where the order is not quite the graph's, [`caution`] says why.

pub mod caution;
mod notices;
mod telling;

pub use notices::Notice;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};
use systole_graph::{Action, ActionId, ActionKind, Synapse, TransitionGraph, circle, describe};
use systole_types::{Monotonic, NodeId, ResourceId, parse_duration};

/// How much longer than its own timeout an action may take, where the graph does not say: `cluster-delay`'s default.
pub(crate) const CLUSTER_DELAY: Duration = Duration::from_secs(60);

/// How long an action without a timeout may take.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(20);

/// The priority of what is done in any case.
const INFINITY: i32 = 1_000_000;

/// How many actions are in flight at most where `batch-limit` does not say.
const DEFAULT_BATCH_LIMIT: usize = 64;

/// A resource on a node: an executor does one thing at a time with it.
pub type Lane = (NodeId, ResourceId);

/// Resources on nodes that have not answered notifications of an earlier plan, and when these are given up at the latest.
pub type Busy = BTreeMap<Lane, Monotonic>;

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// Carry out this graph. What was going on is dropped.
    Begin {
        /// What is to be done.
        graph: Box<TransitionGraph>,
        /// Who may be late to begin with it.
        busy: Busy,
    },
    /// The action succeeded.
    Confirmed(ActionId),
    /// The action failed.
    Failed(ActionId),
    /// There is no way to where the action was to be carried out. What does not depend on it goes on, unlike after a
    /// failure: nothing was learnt that makes the rest of the plan wrong. It ends incomplete, for another plan to follow.
    Unreachable(ActionId),
    /// Whatever is in flight on this node will not be answered.
    NodeLost(NodeId),
    /// The plan is out of date.
    Abort(AbortReason),
    /// The moment `next_deadline` named has come.
    DeadlineReached,
}

/// What has to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Have this action carried out, and say what came of it.
    Perform(Box<Action>),
    /// This action was not answered in time. It counts as failed.
    TimedOut(Box<Action>),
    /// Nothing of the graph is in flight any more, and nothing more of it will be sent.
    Finished(Outcome),
}

/// How a transition ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every action was confirmed.
    Complete,
    /// Some actions were never sent.
    Incomplete(AbortReason),
}

/// Why a transition was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AbortReason {
    /// The CIB changed: what, for people.
    Changed(String),
    /// An action failed: its key.
    ActionFailed(String),
    /// An action was not carried out, since there was no way to its node: its key.
    Unreachable(String),
    /// A node was lost.
    NodeLost(NodeId),
    /// Actions wait for one another in a circle: these, each for the one before it. Planning again does not help.
    Circle(Vec<String>),
}

impl fmt::Display for AbortReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed(what) => f.write_str(what),
            Self::Circle(actions) => write!(
                f,
                "its actions wait for one another in a circle, and none of them can begin: {}; look at the order \
                 constraints between them (crm_verify names those that contradict each other)",
                actions.join(", ")
            ),
            Self::ActionFailed(key) => write!(f, "{key} failed"),
            Self::Unreachable(key) => write!(f, "{key} had no way to its node"),
            Self::NodeLost(node) => write!(f, "node {node} is lost"),
        }
    }
}

/// Carries out one graph at a time.
#[derive(Debug, Default)]
pub struct Engine {
    run: Option<Run>,
}

#[derive(Debug)]
struct Run {
    graph: TransitionGraph,
    /// Synapses not yet fired, by position, with the inputs they still wait for; important ones first.
    waiting: Vec<(usize, BTreeSet<ActionId>)>,
    in_flight: BTreeMap<ActionId, Flight>,
    aborted: Option<AbortReason>,
    /// The first action that could not be sent where it belongs.
    left_out: Option<AbortReason>,
    busy: Busy,
    /// See [`Engine::notices_after`].
    unnamed: Vec<notices::Group>,
    batch_limit: usize,
    cluster_delay: Duration,
}

#[derive(Debug)]
struct Flight {
    synapse: usize,
    /// `None` for fencing: it is confirmed or it is not, but never given up.
    deadline: Option<Monotonic>,
}

impl Engine {
    /// An engine with nothing to do.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a transition is being carried out.
    pub fn is_busy(&self) -> bool {
        self.run.is_some()
    }

    /// Whether what is in flight is fencing only.
    pub fn waits_for_fencing(&self) -> bool {
        self.run.as_ref().is_some_and(Run::waits_for_fencing)
    }

    /// The action in flight with this number.
    pub fn in_flight(&self, id: ActionId) -> Option<&Action> {
        let run = self.run.as_ref()?;
        run.in_flight.get(&id).map(|flight| run.action(flight))
    }

    /// Actions in flight.
    pub fn all_in_flight(&self) -> impl Iterator<Item = &Action> {
        self.run.iter().flat_map(|run| run.in_flight.values().map(|flight| run.action(flight)))
    }

    /// Whether the graph has something for a node to do that was not confirmed yet.
    pub fn is_busy_on(&self, node: &str) -> bool {
        self.run.as_ref().is_some_and(|run| run.is_busy_on(node))
    }

    /// Takes in what happened and says what to do, in that order.
    pub fn handle(&mut self, now: Monotonic, event: Event) -> Vec<Effect> {
        if let Event::Begin { graph, busy } = event {
            self.run = Some(Run::new(*graph, busy));
            return self.advance(now, Vec::new());
        }
        let Some(run) = &mut self.run else { return Vec::new() };
        let mut effects = Vec::new();
        match event {
            Event::Begin { .. } => {}
            Event::Confirmed(id) => run.confirm(id),
            Event::Failed(id) => run.fail(id),
            Event::Unreachable(id) => run.leave_out(id),
            Event::NodeLost(node) => run.lose(&node),
            Event::Abort(reason) => run.abort(reason),
            Event::DeadlineReached => effects = run.expire(now),
        }
        self.advance(now, effects)
    }

    /// When the next [`Event::DeadlineReached`] is due.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.run.as_ref()?.in_flight.values().filter_map(|flight| flight.deadline).min()
    }

    /// Fires what is ready, and finishes where nothing is left.
    fn advance(&mut self, now: Monotonic, mut effects: Vec<Effect>) -> Vec<Effect> {
        let Some(run) = &mut self.run else { return effects };
        while let Some(idx) = run.next_ready() {
            effects.extend(run.fire(now, idx));
        }
        if let Some(outcome) = run.outcome() {
            self.run = None;
            effects.push(Effect::Finished(outcome));
        }
        effects
    }
}

impl Run {
    fn new(mut graph: TransitionGraph, busy: Busy) -> Self {
        caution::amend(&mut graph);
        let known: BTreeSet<ActionId> = graph.synapses.iter().map(|synapse| synapse.action.id).collect();
        let inputs =
            |idx: usize| graph.synapses[idx].inputs.iter().copied().filter(|id| known.contains(id)).collect();
        let mut waiting: Vec<_> = (0..graph.synapses.len()).map(|idx| (idx, inputs(idx))).collect();
        waiting.sort_by_key(|(idx, _)| -i64::from(graph.synapses[*idx].priority));
        let limit =
            graph.property("batch-limit").and_then(|text| text.parse().ok()).filter(|limit| *limit > 0);
        let delay = graph.property("cluster-delay").and_then(|text| parse_duration(text).ok());
        Self {
            waiting,
            in_flight: BTreeMap::new(),
            aborted: None,
            left_out: None,
            busy,
            unnamed: notices::all_in(&graph),
            batch_limit: limit.unwrap_or(DEFAULT_BATCH_LIMIT),
            cluster_delay: delay.unwrap_or(CLUSTER_DELAY),
            graph,
        }
    }

    fn action(&self, flight: &Flight) -> &Action {
        &self.graph.synapses[flight.synapse].action
    }

    /// Where in `waiting` the next synapse to fire is.
    fn next_ready(&self) -> Option<usize> {
        let may_fire = |idx: usize| self.aborted.is_none() || is_told_anyway(&self.graph.synapses[idx]);
        let idx = self.waiting.iter().position(|(idx, inputs)| inputs.is_empty() && may_fire(*idx))?;
        let is_pseudo = self.graph.synapses[self.waiting[idx].0].action.kind == ActionKind::Pseudo;
        (is_pseudo || self.in_flight.len() < self.batch_limit).then_some(idx)
    }

    fn fire(&mut self, now: Monotonic, idx: usize) -> Option<Effect> {
        let (synapse, _) = self.waiting.remove(idx);
        let action = &self.graph.synapses[synapse].action;
        if action.kind == ActionKind::Pseudo && !says_something(action) {
            self.satisfy(self.graph.synapses[synapse].action.id);
            return None;
        }
        let effect = Effect::Perform(Box::new(action.clone()));
        if action.meta("op_no_wait") == Some("true") {
            self.satisfy(self.graph.synapses[synapse].action.id);
        } else {
            let delay = action
                .meta("start_delay")
                .and_then(|text| text.parse().ok())
                .map_or(Duration::ZERO, Duration::from_millis);
            let limit = action.timeout().unwrap_or(DEFAULT_TIMEOUT) + delay + self.cluster_delay;
            let begins = self.busy_until(action).map_or(now, |until| until.max(now));
            let deadline = (!is_fencing(action)).then(|| begins + limit);
            self.in_flight.insert(action.id, Flight { synapse, deadline });
        }
        Some(effect)
    }

    /// When a resource action is begun at the latest, if there is something before it.
    fn busy_until(&self, action: &Action) -> Option<Monotonic> {
        let (ActionKind::Resource(resource), Some((node, _))) = (&action.kind, &action.node) else {
            return None;
        };
        self.busy.get(&(node.clone(), resource.id.clone())).copied()
    }

    fn satisfy(&mut self, id: ActionId) {
        for (_, inputs) in &mut self.waiting {
            inputs.remove(&id);
        }
    }

    fn confirm(&mut self, id: ActionId) {
        if self.in_flight.remove(&id).is_some() {
            self.satisfy(id);
        }
    }

    fn fail(&mut self, id: ActionId) {
        let Some(flight) = self.in_flight.remove(&id) else { return };
        if self.action(&flight).meta("can_fail") == Some("true") {
            return self.satisfy(id);
        }
        self.abort(AbortReason::ActionFailed(self.action(&flight).key.to_string()));
    }

    fn leave_out(&mut self, id: ActionId) {
        let Some(flight) = self.in_flight.remove(&id) else { return };
        let action = self.action(&flight);
        let (key, node) = (action.key.to_string(), action.node.as_ref().map(|(name, _)| name.clone()));
        self.left_out.get_or_insert(AbortReason::Unreachable(key));
        if let Some(node) = node {
            self.let_go(&node);
        }
    }

    /// See [`caution::let_go`].
    fn let_go(&mut self, node: &NodeId) {
        caution::let_go(&mut self.graph, node);
        for (idx, inputs) in &mut self.waiting {
            inputs.retain(|input| self.graph.synapses[*idx].inputs.contains(input));
        }
    }

    fn lose(&mut self, node: &NodeId) {
        let graph = &self.graph;
        let is_there = |flight: &Flight| {
            let action = &graph.synapses[flight.synapse].action;
            !is_fencing(action) && action.node.as_ref().is_some_and(|(name, _)| name == node)
        };
        self.in_flight.retain(|_, flight| !is_there(flight));
        self.abort(AbortReason::NodeLost(node.clone()));
    }

    fn abort(&mut self, reason: AbortReason) {
        self.aborted.get_or_insert(reason);
    }

    fn expire(&mut self, now: Monotonic) -> Vec<Effect> {
        let is_late = |flight: &Flight| flight.deadline.is_some_and(|deadline| deadline <= now);
        let late: Vec<ActionId> =
            self.in_flight.iter().filter(|(_, f)| is_late(f)).map(|(id, _)| *id).collect();
        let mut effects = Vec::new();
        for id in late {
            effects.push(Effect::TimedOut(Box::new(self.action(&self.in_flight[&id]).clone())));
            self.fail(id);
        }
        effects
    }

    fn is_busy_on(&self, node: &str) -> bool {
        let waiting = self.waiting.iter().map(|(idx, _)| &self.graph.synapses[*idx].action);
        let in_flight = self.in_flight.values().map(|flight| self.action(flight));
        let mut resource_actions =
            waiting.chain(in_flight).filter(|action| matches!(action.kind, ActionKind::Resource(_)));
        resource_actions.any(|action| action.node.as_ref().is_some_and(|(name, _)| name.as_str() == node))
    }

    fn waits_for_fencing(&self) -> bool {
        !self.in_flight.is_empty() && self.in_flight.values().all(|flight| is_fencing(self.action(flight)))
    }

    /// Whether what is in flight need not be waited for before there is another plan. Fencing that is not confirmed will be asked
    /// for again. A notification tells what was done already, and whatever is asked of that copy next is done after it; only
    /// those that wait for its answer have to be sent before. One that comes after another which was left open is waited for,
    /// or they would become more with each plan.
    fn may_leave_open(&self) -> bool {
        let mut heard: BTreeSet<ActionId> = BTreeSet::new();
        for flight in self.in_flight.values() {
            match self.action(flight) {
                action if is_fencing(action) => {}
                action if &*action.operation == "notify" && self.busy_until(action).is_none() => {
                    _ = heard.insert(action.id)
                }
                _ => return false,
            }
        }
        let mut waiting: Vec<_> = self.waiting.iter().collect();
        loop {
            let is_next = |(idx, inputs): &&(usize, BTreeSet<ActionId>)| {
                is_told_anyway(&self.graph.synapses[*idx]) && inputs.is_subset(&heard)
            };
            let Some(at) = waiting.iter().position(is_next) else { return true };
            let action = &self.graph.synapses[waiting.swap_remove(at).0].action;
            if action.kind != ActionKind::Pseudo {
                return false;
            }
            heard.insert(action.id);
        }
    }

    /// How it ended, if it did.
    fn outcome(&self) -> Option<Outcome> {
        let reason = self.aborted.as_ref().or(self.left_out.as_ref());
        let may_end = match (&self.aborted, &self.left_out) {
            (Some(_), _) => self.may_leave_open(),
            // The answer to a notification may still let the plan go on.
            (None, Some(_)) => self.waits_for_fencing(),
            (None, None) => false,
        };
        let is_over = self.in_flight.is_empty() || may_end;
        match reason {
            _ if !is_over => None,
            Some(reason) => Some(Outcome::Incomplete(reason.clone())),
            None if self.waiting.is_empty() => Some(Outcome::Complete),
            None => {
                let actions = circle(&self.graph).into_iter().map(describe).collect();
                Some(Outcome::Incomplete(AbortReason::Circle(actions)))
            }
        }
    }
}

/// Whether a synapse fires after an abort, too: peers have to hear what was done, since the next plan knows it as done and tells
/// them no more. (A database that is promoted may change the CIB by that, and so abort the plan before its copies are told.)
/// These are notifications, and the pseudo-actions that lead to them. Source: Pacemaker 3.0.2's behaviour.
fn is_told_anyway(synapse: &Synapse) -> bool {
    let action = &synapse.action;
    let is_telling =
        &*action.operation == "notify" || action.kind == ActionKind::Pseudo && !says_something(action);
    synapse.priority >= INFINITY && is_telling
}

/// Whether a pseudo-action has to be told to the members: it says how remote and guest nodes stand.
fn says_something(action: &Action) -> bool {
    !action.downed.is_empty() || !action.maintenance.is_empty()
}

/// Whether an action isolates a node.
pub(crate) fn is_fencing(action: &Action) -> bool {
    action.kind == ActionKind::Cluster && &*action.operation == "stonith"
}

#[cfg(test)]
mod tests;
