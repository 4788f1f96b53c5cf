//! Carrying out a graph: every action succeeds, unless it is said to fail.

use crate::{
    inject::OpFail,
    record::{Membership, Operation, Recorder},
};
use std::collections::{BTreeMap, BTreeSet};
use systole_cib::xml::Document;
use systole_graph::{Action, ActionKind, ResourceRef, TransitionGraph};
use systole_scheduler::{Resource, Status};
use systole_types::{OcfRc, Timestamp};

/// One thing that was done.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Nothing but order.
    Pseudo {
        /// Operation key.
        key: String,
        /// Where, if anywhere.
        node: Option<String>,
    },
    /// An agent's operation.
    Resource {
        /// Resource, as the history knows it.
        resource: String,
        /// `start`, `monitor`...
        operation: String,
        /// Milliseconds; 0 unless recurring.
        interval_ms: u64,
        /// Where.
        node: String,
    },
    /// The cluster's own.
    Cluster {
        /// `do_shutdown`, `clear_failcount`...
        operation: String,
        /// What it is about.
        resource: Option<String>,
        /// Where.
        node: String,
    },
    /// A node was fenced, or unfenced.
    Fencing {
        /// Which node.
        target: String,
        /// `reboot`, `off`, `on`.
        action: String,
    },
    /// What counts a failure that was asked for: a transient attribute.
    Counted {
        /// The attribute's name.
        name: String,
        /// Its value.
        value: String,
        /// The `<node_state>` it is in.
        state: String,
    },
    /// An action failed, as asked for.
    Pretended {
        /// Its number in the graph.
        action: u32,
        /// Its result.
        rc: OcfRc,
    },
}

/// What came of a graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// What was done, in the order in which it was.
    pub steps: Vec<Step>,
    /// Whether all that could be done was done; a failure that was asked for does not count against it.
    pub is_complete: bool,
}

/// The resources of a cluster, and the names under which histories know their instances.
#[derive(Clone, Debug)]
pub struct Names(BTreeSet<String>);

impl Names {
    /// Those of a cluster.
    pub fn of(status: &Status<'_>) -> Self {
        let both =
            |rsc: &Resource<'_>| [Some(rsc.id.to_string()), rsc.history_id.as_ref().map(ToString::to_string)];
        Self(status.iter_resources().flat_map(|(_, rsc)| both(rsc)).flatten().collect())
    }

    fn knows(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}

/// Whether what is to be forgotten is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Memory {
    /// Histories of what was deleted, monitors that were cancelled and failures that were cleared are kept, as
    /// `crm_simulate` does.
    Keeps,
    /// All of this goes, nodes leave that are asked to, and unfencing is remembered, as in a cluster.
    Forgets,
}

/// Carries out `graph` on `document`, whose status section then says so, as `crm_simulate --simulate` does: synapses are
/// passed over in sequence, each carried out as soon as it is ready, until none is left.
pub fn carry_out(
    document: &mut Document,
    graph: &TransitionGraph,
    names: &Names,
    failures: &[OpFail],
    now: Timestamp,
) -> Outcome {
    Execution::new(graph, names, failures, Memory::Keeps, now).run_all(document)
}

/// Carries out `graph` without failures on `document`, whose status section then says so, as a cluster would.
pub fn carry_out_in_cluster(
    document: &mut Document,
    graph: &TransitionGraph,
    names: &Names,
    now: Timestamp,
) -> Outcome {
    Execution::new(graph, names, &[], Memory::Forgets, now).run_all(document)
}

struct Execution<'g> {
    graph: &'g TransitionGraph,
    names: &'g Names,
    failures: &'g [OpFail],
    memory: Memory,
    now: Timestamp,
    /// Synapses not fired yet, in sequence.
    open: Vec<usize>,
    waiting: Vec<usize>,
    followers: BTreeMap<u32, Vec<usize>>,
    is_aborted: bool,
    steps: Vec<Step>,
}

const INFINITY: i32 = 1_000_000;

impl<'g> Execution<'g> {
    fn new(
        graph: &'g TransitionGraph,
        names: &'g Names,
        failures: &'g [OpFail],
        memory: Memory,
        now: Timestamp,
    ) -> Self {
        let mut followers: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for (at, synapse) in graph.synapses.iter().enumerate() {
            synapse.inputs.iter().for_each(|&input| followers.entry(input).or_default().push(at));
        }
        Self {
            graph,
            names,
            failures,
            memory,
            now,
            open: (0..graph.synapses.len()).collect(),
            waiting: graph.synapses.iter().map(|synapse| synapse.inputs.len()).collect(),
            followers,
            is_aborted: false,
            steps: Vec::new(),
        }
    }

    fn run_all(mut self, document: &mut Document) -> Outcome {
        let mut recorder = Recorder::new(document, self.now);
        loop {
            let mut remaining = Vec::with_capacity(self.open.len());
            let mut has_fired = false;
            for at in std::mem::take(&mut self.open) {
                if self.may_fire(at) {
                    self.fire(at, &mut recorder);
                    has_fired = true;
                } else {
                    remaining.push(at);
                }
            }
            self.open = remaining;
            if !has_fired {
                break;
            }
        }
        let is_complete = self.open.is_empty() || self.is_aborted;
        Outcome { steps: self.steps, is_complete }
    }

    /// After a failure only pseudo-actions and what is of the highest priority goes on.
    fn may_fire(&self, at: usize) -> bool {
        let synapse = &self.graph.synapses[at];
        let is_allowed =
            !self.is_aborted || synapse.priority >= INFINITY || synapse.action.kind == ActionKind::Pseudo;
        self.waiting[at] == 0 && is_allowed
    }

    fn fire(&mut self, at: usize, recorder: &mut Recorder<'_>) {
        let action = &self.graph.synapses[at].action;
        let node = action.node.as_ref().map(|(name, _)| name.to_string());
        let mut has_failed = false;
        if self.memory == Memory::Forgets {
            recorder.forget_by(action);
        }
        match &action.kind {
            ActionKind::Pseudo => self.steps.push(Step::Pseudo { key: action.key.to_string(), node }),
            ActionKind::Cluster if &*action.operation == "stonith" => self.fence(action, recorder),
            ActionKind::Cluster => self.steps.push(Step::Cluster {
                operation: action.operation.to_string(),
                resource: action.about.as_ref().map(|about| about.id.to_string()),
                node: node.unwrap_or_default(),
            }),
            ActionKind::Resource(agent) => has_failed = self.run(action, agent, recorder),
        }
        for &follower in self.followers.get(&action.id).into_iter().flatten() {
            if !has_failed || self.graph.synapses[follower].priority == INFINITY {
                self.waiting[follower] -= 1;
            }
        }
    }

    fn fence(&mut self, action: &Action, recorder: &mut Recorder<'_>) {
        let target = action.node.as_ref().map(|(name, _)| name.to_string()).unwrap_or_default();
        let how = action.meta("stonith_action").unwrap_or_default().to_owned();
        if !how.eq_ignore_ascii_case("on") {
            let state = recorder.node_state(&target, None);
            recorder.set_node_state(state, Membership::Fenced);
            recorder.forget_node(state);
        }
        self.steps.push(Step::Fencing { target, action: how });
    }

    /// Runs an agent's operation; whether it failed.
    fn run(&mut self, action: &Action, agent: &ResourceRef, recorder: &mut Recorder<'_>) -> bool {
        let Some((node, uuid)) = &action.node else { return false };
        let known_as = agent.id.as_str();
        let long = agent.long_id.as_ref().map(|id| id.as_str()).filter(|long| self.names.knows(long));
        let resource = if self.names.knows(known_as) { known_as } else { long.unwrap_or(known_as) };
        let interval_ms = action.meta("interval").and_then(|value| value.parse().ok()).unwrap_or(0);
        let is_forgotten = matches!(&*action.operation, "delete" | "meta-data");
        self.steps.push(Step::Resource {
            resource: resource.to_owned(),
            operation: action.operation.to_string(),
            interval_ms: if is_forgotten { 0 } else { interval_ms },
            node: node.to_string(),
        });
        let is_cancelled = self.memory == Memory::Forgets && &*action.operation == "cancel";
        if is_forgotten || is_cancelled {
            return false;
        }
        let target_rc = action.meta("op_target_rc").and_then(|rc| rc.parse().ok()).unwrap_or(0);
        let target_rc = OcfRc::from_code(target_rc);
        let mut operation = Operation {
            resource: known_as,
            task: &action.operation,
            interval_ms,
            rc: target_rc,
            target_rc,
            exit_reason: "User-injected result",
            notification: action.meta("notify_type").zip(action.meta("notify_operation")),
            migration: action.meta("migrate_source").zip(action.meta("migrate_target")),
            digest: digest(action),
        };
        let uuid = if action.router.is_some() { node.as_str() } else { uuid.as_str() };
        let state = recorder.node_state(node.as_str(), Some(uuid));
        let history = recorder.history(state, resource, known_as, agent);
        let failure = self.failures.iter().find_map(|failure| {
            let mut names = [resource, known_as].into_iter();
            let name =
                names.find(|name| failure.is_about(name, &action.operation, interval_ms, node.as_str()))?;
            Some((name, failure.rc))
        });
        if let Some((name, rc)) = failure {
            operation.rc = OcfRc::from_code(rc);
            self.steps.push(Step::Pretended { action: action.id, rc: operation.rc });
            self.is_aborted = true;
            let offset = match &*action.operation {
                "start" => self.graph.property("failed-start-offset"),
                "stop" => self.graph.property("failed-stop-offset"),
                _ => None,
            };
            let failed = Operation { resource: name, digest: None, ..operation };
            let counted = recorder.add_failure(state, &failed, offset == Some("INFINITY"));
            let id = recorder.document.element(state).id().unwrap_or_default().to_owned();
            let steps =
                counted.into_iter().map(|(name, value)| Step::Counted { name, value, state: id.clone() });
            self.steps.extend(steps);
            operation.rc = OcfRc::from_code(rc);
            operation.digest = digest(action);
            operation.resource = known_as;
        }
        recorder.record(state, history, &operation);
        failure.is_some()
    }
}

/// The digest of what the agent was told, as the executor's answer carries it.
fn digest(action: &Action) -> Option<String> {
    let recurs = action.meta("interval").is_some();
    let mut text = String::from(" <parameters");
    for (name, value) in action.attributes.iter() {
        let is_left_out = matches!(
            &**name,
            "id" | "crm_feature_set" | "op-digest" | "on_node" | "on_node_uuid" | "pcmk_external_ip"
        ) || (name.starts_with("CRM_meta_") && !(recurs && &**name == "CRM_meta_timeout"));
        if !is_left_out {
            text.push(' ');
            text.push_str(name);
            text.push_str("=\"");
            systole_cib::xml::escape_attribute(&mut text, value);
            text.push('"');
        }
    }
    text.push_str("/>\n");
    Some(format!("{:x}", md5::compute(text)))
}
