//! The machine of one cluster node: everything `systoled` decides.
//!
//! The parts: [`membership`] agrees on one replica and one DC after each view, [`copying`] brings that replica to all, [`disk`] keeps the configuration,
//! [`isolation`] is for a node without a cluster layer, [`start_state`] has nodes begin in standby, [`local`] stands for
//! executors, [`connections`] for the sessions with remote ones, [`agents`] for what agents say of themselves,
//! [`requests`] answers tools, [`dc`] does what only the DC does. Here the events are handed to them, and messages in agreed
//! order are applied to the replica.

mod agents;
mod connections;
mod copying;
mod dc;
mod disk;
mod isolation;
mod local;
mod membership;
mod requests;
mod start_state;
#[cfg(test)]
mod tests;

use crate::{
    Effect, Event, Level, Planner, StartState,
    message::{Envelope, GivenUp, Introduction, Message},
    replica::{Replica, failures_cleared},
};
use agents::Agents;
use connections::Connections;
use copying::Copying;
use dc::Dc;
use disk::Disk;
use isolation::Isolation;
use local::Executor;
use membership::Group;
use requests::Tools;
use systole_types::{CibVersion, Monotonic, Now};
use systole_wire::ProtocolVersion;

/// What does not change while the program runs.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The cluster layer: `hub` or `corosync`; also the CIB's `cluster-infrastructure`.
    pub stack: String,
    /// The daemon's version; also the CIB's `dc-version`.
    pub version: String,
    /// How this node is to begin.
    pub start_state: StartState,
    /// What it says to speak with other members: [`systole_wire::PROTOCOL`], but where a mixed cluster is tried.
    pub protocol: ProtocolVersion,
    /// The scheduler.
    pub planner: Planner,
}

/// The machine of one cluster node.
pub struct NodeMachine {
    config: NodeConfig,
    name: String,
    boot_id: String,
    seed: u128,
    now: Now,
    replica: Replica,
    group: Group,
    copying: Copying,
    isolation: Isolation,
    disk: Disk,
    local: Executor,
    connections: Connections,
    agents: Agents,
    tools: Tools,
    dc: Option<Dc>,
    /// The number of the wish that this node's start state be written down, until it is granted.
    start_wish: Option<u64>,
    /// What was given up, for whoever is the DC when it is answered. What counts of it is in the ledger, but below level 8
    /// ([`crate::message::LEVEL_OF_COUNTS`]), where the DC has failures counted: with it this can go.
    given_up: GivenUp,
    /// How often this node became the DC. Views are numbered anew when the cluster layer starts anew; this is not.
    terms: u64,
    /// Messages cast so far, and how many of them came back in the present view or were given up with an earlier one.
    n_cast: u64,
    n_returned: u64,
    effects: Vec<Effect>,
}

impl NodeMachine {
    /// A machine that waits for [`Event::Started`].
    pub fn new(config: NodeConfig) -> Self {
        Self {
            config,
            name: String::new(),
            boot_id: String::new(),
            seed: 0,
            now: Now::default(),
            replica: Replica::blank(),
            group: Group::default(),
            copying: Copying::default(),
            isolation: Isolation::default(),
            disk: Disk::default(),
            local: Executor::default(),
            connections: Connections::default(),
            agents: Agents::default(),
            tools: Tools::default(),
            dc: None,
            start_wish: None,
            given_up: GivenUp::default(),
            terms: 0,
            n_cast: 0,
            n_returned: 0,
            effects: Vec::new(),
        }
    }

    /// Takes in what happened and says what to do, in that order.
    pub fn handle(&mut self, now: Now, event: Event) -> Vec<Effect> {
        self.now = now;
        match event {
            Event::Started { node, boot_id, seed, stored } => {
                (self.name, self.boot_id, self.seed) = (node, boot_id, seed);
                self.load(stored);
                self.miss_layer();
            }
            Event::View(view) => self.view_changed(view),
            Event::Delivered { from, payload } => self.delivered(from, &payload),
            Event::ClusterLost => self.cluster_lost(),
            Event::ExecutorConnected => self.executor_connected(),
            Event::ExecutorLost => self.executor_lost(),
            Event::Executor(message) => self.executor_says(message),
            Event::Remote { session, event } => self.remote_event(session, event),
            Event::Request { client, request, groups } => self.asked(client, request, groups),
            Event::ClientGone(client) => self.tools.forget(client),
            Event::Durable(token) => self.durable(token),
            Event::DiskFailed { token, error } => self.disk_failed(token, error),
            Event::DeadlineReached => self.disk_is_late(),
        }
        self.isolate_if_due();
        self.follow_up();
        while let Some(payload) = self.isolation.next_echo() {
            self.delivered(self.group.own_id(), &payload);
            self.follow_up();
        }
        std::mem::take(&mut self.effects)
    }

    /// What may have become possible by an event.
    fn follow_up(&mut self) {
        self.miss_executor();
        self.judge_appearances();
        self.miss_descriptions();
        self.keep_connecting();
        self.direct();
        self.serve();
    }

    /// When the next [`Event::DeadlineReached`] is due.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        let dc = self.dc.as_ref().and_then(Dc::next_deadline);
        let isolation = self.isolation.next_deadline();
        let executors =
            [self.local.next_deadline(), self.connections.next_deadline(), self.agents.next_deadline()];
        [self.disk.next_deadline(), self.tools.next_deadline(), isolation, dc]
            .into_iter()
            .chain(executors)
            .flatten()
            .min()
    }

    /// The CIB as this node has it, for tests and simulations.
    pub fn cib(&self) -> &systole_cib::xml::Document {
        self.replica.cib()
    }

    /// This node's DC, if it has one at present.
    pub fn dc(&self) -> Option<&str> {
        self.replica.name_of(self.group.dc()?)
    }

    /// The number of the present view, if this node shares its replica with all its members.
    pub fn settled_view(&self) -> Option<u64> {
        let is_shared = self.group.is_settled() && !self.isolation.is_alone();
        is_shared.then(|| self.group.view_number())
    }

    /// The version of the CIB.
    pub fn version(&self) -> CibVersion {
        self.replica.version()
    }

    /// See [`crate::Snapshot::generation`].
    pub fn generation(&self) -> u64 {
        self.replica.generation
    }

    /// Whether the DC had nothing left to do when this node last heard of it, and nothing happened since.
    pub fn is_idle(&self) -> bool {
        self.group.is_settled() && self.replica.ledger.idle_at == Some(self.replica.ledger.changes)
    }

    /// Whether this node is the DC.
    fn is_dc(&self) -> bool {
        self.group.is_settled() && self.group.dc() == Some(self.group.own_id())
    }

    fn log(&mut self, level: Level, message: impl Into<String>) {
        self.effects.push(Effect::Log { level, message: message.into() });
    }

    /// Says something to every member of the present view.
    fn cast(&mut self, mut message: Message) {
        self.n_cast += 1;
        message.reduce_to(self.replica.level);
        let envelope = Envelope { view: self.group.view_number(), number: self.n_cast, message };
        let payload = serde_json::to_string(&envelope).expect("maps have text or number keys");
        if self.isolation.is_alone() {
            self.isolation.echo(payload);
        } else {
            self.effects.push(Effect::Cast(payload));
        }
    }

    /// Whether something this node said in the present view is still on its way.
    fn has_casts_under_way(&self) -> bool {
        self.n_returned < self.n_cast
    }

    fn delivered(&mut self, from: u32, payload: &str) {
        let envelope: Envelope = match serde_json::from_str(payload) {
            Ok(envelope) => envelope,
            Err(error) => {
                if let Some((view, stranger)) = Introduction::read(payload)
                    && view == self.group.view_number()
                    && stranger.protocol.major != self.config.protocol.major
                {
                    return self.introduced(from, stranger);
                }
                let name = self.replica.name_of(from).unwrap_or("an unknown node").to_owned();
                return self.log(
                    Level::Warning,
                    format!("a message of {name} cannot be read and is dropped: {error}"),
                );
            }
        };
        if envelope.view != self.group.view_number() {
            return;
        }
        if from == self.group.own_id() {
            self.n_returned = envelope.number;
        }
        match envelope.message {
            Message::Hello(hello) => self.hello(from, hello),
            Message::Copy(copy) => self.copied(&copy),
            Message::CopyPart { xml } => self.copied_in_part(from, &xml),
            message if self.group.is_settled() => self.apply(from, message),
            _ => {}
        }
    }

    /// Applies a message in agreed order, and does this node's part of it.
    fn apply(&mut self, from: u32, message: Message) {
        match message {
            Message::Hello(_) | Message::Copy(_) | Message::CopyPart { .. } => {}
            Message::Stored { version, fingerprint } => self.stored(from, &version, &fingerprint),
            Message::DiskState { error } => self.disk_state(from, error),
            Message::Attach(attach) => self.attached(from, &attach),
            Message::Detach => self.detached(from),
            Message::Appeared { resource } => self.appeared(from, &resource),
            Message::Request { incarnation, number, wish, heard, asker } => {
                self.requested(from, (incarnation, number), &wish, asker.as_ref());
                if heard {
                    self.cast(Message::Heard { from, incarnation, number });
                }
            }
            Message::Heard { from: asker, incarnation, number } => {
                self.heard(from, asker, incarnation, number);
            }
            Message::WriteOut { names } => {
                if self.replica.write_out_attributes(&names) {
                    self.plan_anew("a node attribute was changed");
                }
            }
            Message::Membership(update) => self.membership_published(&update),
            Message::Perform(perform) => self.performed(&perform),
            Message::Leave { node } => self.is_to_leave(node),
            Message::Farewell { node } => self.leave(node),
            Message::Record { by, results } => self.recorded(from, &by, &results),
            Message::Connection { reports } => self.connections_reported(from, &reports),
            Message::Remotes { downed, maintenance, action } => {
                let given_up = self.replica.apply_to_remotes(&downed, &maintenance);
                self.close_unwanted();
                self.operations_failed(&given_up);
                self.action_done(action);
            }
            Message::Withdraw { keys } => self.asked_back(&keys),
            Message::Withdrawn { keys } => self.withdrawn(from, &keys),
            Message::Overdue { keys, at } => {
                let results = self.replica.overdue(&keys, at);
                self.results_known(&results);
                self.given_up.remember(&results);
            }
            Message::Forget { node, resource, action } => {
                if self.replica.forget(&node, &resource) {
                    self.reconcile_all_monitors();
                    self.plan_after_this("history was deleted");
                }
                self.action_done(action);
            }
            Message::ClearFailure { node, resource, operation, action } => {
                let operation = operation.as_ref().map(|(name, interval)| (name.as_str(), interval.as_str()));
                self.replica.clear_failure(&node, &resource, operation);
                if node == self.name {
                    self.forget_own_failures(failures_cleared(&resource, operation));
                }
                self.action_done(action);
            }
            Message::Idle { changes } => self.replica.ledger.idle_at = Some(changes),
        }
    }

    /// The configuration changed: it has to be kept.
    fn configuration_changed(&mut self) {
        self.persist();
    }
}
