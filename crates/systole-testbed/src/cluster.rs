//! A whole simulated cluster: hosts, network and clock, and everything that happens on them.

mod executors;
mod faults;
mod remote;

pub use faults::Blow;

use crate::{
    Micros, NodeIdx, Random,
    check::{Checker, fail_counts::Hearing, orders},
    far::{Far, Site},
    host::Host,
    network::{Arrival, Network, id_of},
    pop_if,
    session::{Asleep, Session},
    station::Place,
    take_flaws,
};
use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Write as _,
    time::Duration,
};
use systole_cluster::{
    ClientId, Effect, Event, Level, NodeConfig, NodeMachine, Planner, Snapshot, StartState, executor,
};
use systole_types::{Monotonic, Now, Timestamp};
use systole_wire::{
    api::{Call, Reply, Request},
    exec::{FromExecutor, ToExecutor},
};

/// The wall clock at the beginning of a simulation.
const EPOCH: i64 = 1_750_000_000;

/// How often something may happen at the same moment: more, and the cluster goes round in circles.
const MAX_STEPS_AT_ONCE: u32 = 10_000;

/// How many lines of the story are kept.
const MAX_STORY: usize = 40000;

/// A cluster.
pub struct Cluster {
    /// The hosts.
    pub hosts: Vec<Host>,
    /// Remote daemons.
    pub fars: Vec<Far>,
    /// Sessions with them.
    pub sessions: Vec<Session>,
    /// The cluster layer.
    pub network: Network,
    /// Since the simulation began.
    pub now: Micros,
    /// The one source of chance.
    pub random: Random,
    /// What must hold.
    pub checker: Checker,
    planner: Planner,
    n_processes: u64,
    n_steps_at_once: u32,
    n_requests: u64,
    n_clients: u64,
    /// Requests not yet answered: where, what and since when.
    pub asked: BTreeMap<u64, (NodeIdx, Call, Micros)>,
    /// Answers, in order.
    pub answers: Vec<(u64, Reply)>,
    /// Resources whose agents ask for a promotion score.
    pub promotable: &'static [&'static str],
    /// Whether nodes that leave in good order are started again at once.
    pub restarts_left_nodes: bool,
    /// Up to when the last scheduler input is kept.
    pub keeps_inputs_until: Option<Micros>,
    /// See `keeps_inputs_until`.
    pub last_input: String,
    /// How often something was left out of a plan, since it was not known whether what it would take the place of was demoted or stopped.
    pub n_held_back: u64,
    /// What is about to happen, to whom.
    blows: Vec<(Place, Blow)>,
    /// What happened, for people.
    pub story: VecDeque<String>,
}

impl Cluster {
    /// Hosts with these names, without power, with `cib` on their disks.
    pub fn new(names: &[&str], cib: &str, planner: Planner, seed: u64) -> Self {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let snapshot = Snapshot { xml: cib.to_owned(), version: Default::default(), generation: 0 };
        let mut hosts: Vec<Host> = names.iter().map(|name| Host::new(name)).collect();
        for host in &mut hosts {
            host.disk = Some(snapshot.clone());
        }
        Self {
            network: Network::new(&names),
            checker: Checker::new(hosts.len()),
            hosts,
            fars: Vec::new(),
            sessions: Vec::new(),
            now: 0,
            random: Random::new(seed),
            planner,
            n_processes: 0,
            n_steps_at_once: 0,
            n_requests: 0,
            n_clients: 0,
            asked: BTreeMap::new(),
            answers: Vec::new(),
            promotable: &[],
            restarts_left_nodes: false,
            keeps_inputs_until: None,
            last_input: String::new(),
            n_held_back: 0,
            blows: Vec::new(),
            story: VecDeque::new(),
        }
    }

    /// Adds a line to the story.
    pub fn tell(&mut self, who: &str, what: &str) {
        if self.story.len() >= MAX_STORY {
            self.story.pop_front();
        }
        let secs = self.now as f64 / 1e6;
        self.story.push_back(format!("{secs:10.4} {who:<6} {what}"));
    }

    /// The story as text.
    pub fn story_text(&self) -> String {
        self.story.iter().fold(String::new(), |mut text, line| {
            writeln!(text, "{line}").expect("text grows");
            text
        })
    }

    /// Lets time pass up to `end`.
    pub fn run_until(&mut self, end: Micros) {
        while self.checker.violation.is_none() {
            let Some(next) = self.next().filter(|next| *next <= end) else { break };
            self.advance(next);
        }
        self.now = self.now.max(end);
    }

    /// Lets time pass until `done`, `patience` at most. Whether it came to that.
    pub fn run_until_done(&mut self, patience: Micros, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now + patience;
        while !done(self) {
            let Some(next) = self.next().filter(|next| *next <= end && self.checker.violation.is_none())
            else {
                return false;
            };
            self.advance(next);
        }
        true
    }

    /// Does what is due at `next`, or late.
    fn advance(&mut self, next: Micros) {
        self.n_steps_at_once = if next > self.now { 0 } else { self.n_steps_at_once + 1 };
        if self.n_steps_at_once > MAX_STEPS_AT_ONCE {
            self.checker.fail("something happens again and again without time passing".to_owned());
        }
        self.now = self.now.max(next);
        self.step();
        self.check();
    }

    fn next(&self) -> Option<Micros> {
        let hosts = self.hosts.iter().filter_map(Host::next);
        let arrivals = (0..self.hosts.len()).filter_map(|node| self.network.next_arrival(node));
        let fars = self.fars.iter().filter_map(Far::next);
        let sessions = self.sessions.iter().filter_map(|session| session.next(self.asleep(session)));
        hosts.chain(arrivals).chain(fars).chain(sessions).min()
    }

    /// Which ends of a session do nothing at present.
    fn asleep(&self, session: &Session) -> Asleep {
        Asleep {
            near: self.hosts[session.node].hangs_until.is_some(),
            far: self.fars[session.far].station.hangs_until.is_some(),
        }
    }

    fn clock(&self) -> Now {
        Now {
            mono: Monotonic(Duration::from_micros(self.now)),
            wall: Timestamp(EPOCH + (self.now / 1_000_000) as i64),
        }
    }

    /// Everything that is due now, once.
    fn step(&mut self) {
        for idx in 0..self.hosts.len() {
            self.start_what_is_due(idx);
            self.station_acts(Place::Host(idx));
            self.disk_acts(idx);
            self.link_delivers(idx);
            while let Some(arrival) = self.network.receive(idx, self.now) {
                let event = match arrival {
                    Arrival::View(view) => Event::View(view),
                    Arrival::Message { from, payload } => Event::Delivered { from, payload },
                };
                self.tell_node(idx, event);
            }
            let now = self.clock().mono;
            let deadline = self.hosts[idx].awake().and_then(NodeMachine::next_deadline);
            if deadline.is_some_and(|at| at <= now) {
                self.tell_node(idx, Event::DeadlineReached);
            }
        }
        (0..self.fars.len()).for_each(|far| self.far_acts(far));
        self.sessions_act();
        for (place, blow) in std::mem::take(&mut self.blows) {
            self.strike(place, blow);
        }
    }

    fn start_what_is_due(&mut self, idx: NodeIdx) {
        let now = self.now;
        let host = &mut self.hosts[idx];
        if host.node_starts_at.take_if(|at| *at <= now).is_some() {
            self.start_node(idx);
        }
        let host = &mut self.hosts[idx];
        if host.executor_starts_at.take_if(|at| *at <= now).is_some() {
            self.start_executor(idx);
        }
        let host = &mut self.hosts[idx];
        if host.dropped_at.take_if(|at| *at <= now).is_some() {
            self.drop_hanging(idx);
        }
        if self.hosts[idx].executor_dropped_at.take_if(|at| *at <= now).is_some() {
            self.drop_hanging_executor(idx);
        }
        if self.hosts[idx].hangs_until.take_if(|until| *until <= now).is_some() {
            self.wake(idx);
        }
        let host = &mut self.hosts[idx];
        if host.links_at.take_if(|at| *at <= now).is_some()
            && host.node.is_some()
            && host.station.executor.is_some()
        {
            host.is_linked = true;
            host.linked_since = now;
            self.tell_executor(Place::Host(idx), executor::Event::Connected);
            self.tell_node(idx, Event::ExecutorConnected);
        }
    }

    fn start_node(&mut self, idx: NodeIdx) {
        let seed = (u128::from(self.random.bits()) << 64) | u128::from(self.random.bits());
        let host = &mut self.hosts[idx];
        let config = NodeConfig {
            stack: "hub".to_owned(),
            version: "simulated".to_owned(),
            start_state: StartState::default(),
            protocol: host.speaks,
            planner: self.planner,
        };
        host.node = Some(NodeMachine::new(config));
        // What its former program saw break, it may not have told anybody.
        let is_known_here = |far: &Far| match far.site {
            Site::Container(Place::Host(host)) => host == idx,
            Site::Container(Place::Far(_)) => true,
            Site::NoContainer(_) | Site::Machine(_) => false,
        };
        for far in self.fars.iter_mut().filter(|far| is_known_here(far)) {
            far.broken_in = None;
        }
        host.has_left = false;
        self.checker.daemon_starts(idx);
        host.has_to_join |= host.is_absent(self.now);
        host.away_since = None;
        let event = Event::Started {
            node: host.name.clone(),
            boot_id: host.boot_id(),
            seed,
            stored: host.disk.clone(),
        };
        self.tell_node(idx, event);
        self.network.connect(idx, self.now, &mut self.random);
        self.arrange_link(idx);
    }

    fn start_executor(&mut self, idx: NodeIdx) {
        let boot_id = self.hosts[idx].boot_id();
        self.begin_executor(Place::Host(idx), boot_id);
        self.arrange_link(idx);
    }

    fn arrange_link(&mut self, idx: NodeIdx) {
        self.hosts[idx].unlink();
        self.hosts[idx].links_at = Some(self.now + self.random.between(1_000, 200_000));
    }

    fn disk_acts(&mut self, idx: NodeIdx) {
        let now = self.now;
        if self.hosts[idx].hangs {
            return;
        }
        while let Some((_, token, snapshot)) = pop_if(&mut self.hosts[idx].writing, |(at, ..)| *at <= now) {
            let event = if self.hosts[idx].is_full {
                Event::DiskFailed { token, error: "No space left on device".to_owned() }
            } else {
                self.hosts[idx].disk = Some(snapshot);
                Event::Durable(token)
            };
            self.tell_node(idx, event);
        }
    }

    fn link_delivers(&mut self, idx: NodeIdx) {
        let now = self.now;
        while let Some((_, message)) = pop_if(&mut self.hosts[idx].to_executor, |(at, _)| *at <= now) {
            if self.is_lost_at_word(idx, &message) {
                continue;
            }
            if let ToExecutor::Run(operation) = &message
                && operation.operation != "monitor"
            {
                let text = format!("runs {} ({})", operation.key, operation.transition_key);
                self.tell(&self.hosts[idx].name.clone(), &text);
            }
            self.tell_executor(Place::Host(idx), executor::Event::Messages(vec![message]));
        }
        while let Some((_, message)) = pop_if(&mut self.hosts[idx].to_node, |(at, _)| *at <= now) {
            self.tell_node(idx, Event::Executor(message));
        }
    }

    /// Hands an event to a node's machine and performs what it asks for.
    pub fn tell_node(&mut self, idx: NodeIdx, event: Event) {
        if self.hosts[idx].hangs_until.is_some() {
            return self.hosts[idx].unread.push(event);
        }
        let mut clock = self.clock();
        clock.wall.0 += self.hosts[idx].clock_ahead;
        let Some(node) = &mut self.hosts[idx].node else { return };
        let heard = match &event {
            Event::Delivered { from, payload } => Some((*from, payload.clone())),
            _ => None,
        };
        let was_settled = node.settled_view().is_some();
        if event == Event::ClusterLost {
            self.checker.fail_counts.strays(idx);
        }
        let effects = node.handle(clock, event);
        if let Some((from, payload)) = heard {
            self.check_fail_counts(idx, from, was_settled, &payload);
        }
        for flaw in take_flaws() {
            self.checker.fail(format!("a plan cannot be right: {flaw}"));
        }
        for effect in effects {
            self.perform(idx, effect);
        }
    }

    /// A daemon has heard something: of what has failed, its CIB says what it should.
    fn check_fail_counts(&mut self, idx: NodeIdx, from: u32, was_settled: bool, payload: &str) {
        let Some(node) = &self.hosts[idx].node else { return };
        let is_settled = node.settled_view().is_some();
        let hearing = Hearing { by: idx, from: from as NodeIdx - 1, was_settled, is_settled };
        let lost_at = |name: &str| {
            let host = self.hosts.iter().find(|host| host.name == name);
            host.map(|host| host.past.lost_at)
        };
        let checked = &mut self.checker.fail_counts;
        if let Some(wrong) = checked.heard(self.now, hearing, payload, node.cib(), lost_at) {
            let name = self.hosts[idx].name.clone();
            self.checker.fail(format!("{name}: {wrong}"));
        }
    }

    fn perform(&mut self, idx: NodeIdx, effect: Effect) {
        match effect {
            Effect::Cast(payload) => {
                self.checker.fail_counts.says(idx, &payload);
                if let Some(operation) = orders::ordered(&payload)
                    && let Some(node) = &self.hosts[idx].node
                {
                    let fars = self.sessions.iter().filter(|session| session.is_up);
                    let fars = fars.map(|session| (self.fars[session.far].name.as_str(), session.node));
                    self.checker.ordered(node.cib(), &operation, &self.hosts, fars);
                }
                self.network.cast(idx, &payload, self.now, &mut self.random);
            }
            Effect::ToExecutor(message) => self.pass_to_executor(idx, message),
            Effect::Persist { token, snapshot } => {
                let host = &mut self.hosts[idx];
                let earliest = host.writing.back().map_or(0, |(at, ..)| *at);
                let longest = if host.is_slow { 6_000_000 } else { 30_000 };
                let at = earliest.max(self.now + self.random.between(500, longest));
                host.writing.push_back((at, token, snapshot));
            }
            Effect::Reply { client, response } => self.answered(client, response.reply),
            Effect::SaveInput { xml, .. } => {
                if self.keeps_inputs_until.is_some_and(|end| self.now <= end) {
                    self.last_input = xml;
                }
            }
            Effect::Remote { session, command } => self.remote_command(idx, session, command),
            Effect::Log { level, message } => {
                self.n_held_back += u64::from(message.starts_with("nothing takes the place of "));
                if level > Level::Debug {
                    self.tell(&self.hosts[idx].name.clone(), &format!("{level}: {message}"));
                }
            }
            Effect::LeaveCluster => {
                self.checker.left(&self.hosts[idx]);
                self.hosts[idx].past.left_at = self.now;
                self.stop_node(idx);
                self.hosts[idx].has_left = true;
                if self.restarts_left_nodes {
                    self.restart_left_nodes();
                }
            }
            Effect::StayAway(_) => self.checker.fail("all members are of one version".to_owned()),
            Effect::Die { reason } => {
                let name = self.hosts[idx].name.clone();
                self.checker.fail(format!("{name} stopped itself: {reason}"));
            }
        }
    }

    fn pass_to_executor(&mut self, idx: NodeIdx, message: ToExecutor) {
        if let ToExecutor::Run(operation) = &message {
            let now = self.now;
            self.checker.asked(now, operation);
        }
        if let ToExecutor::Acknowledge { number } = message {
            let boot = self.hosts[idx].boot_id();
            if let Some(wrong) = self.checker.fail_counts.acknowledged(idx, &boot, number) {
                self.checker.fail(wrong);
            }
        }
        let host = &mut self.hosts[idx];
        if host.is_linked {
            let earliest = host.to_executor.back().map_or(0, |(at, _)| *at);
            let at = earliest.max(self.now + self.random.between(50, 2_000));
            host.to_executor.push_back((at, message));
        }
    }

    fn answered(&mut self, client: ClientId, reply: Reply) {
        if let Some((node, call, _)) = self.asked.remove(&client.0) {
            self.checker.answered(&call, &reply);
            let view = self.network.view(node).filter(|view| view.has_quorum);
            let members = view.iter().flat_map(|view| &view.members).map(|(id, _)| *id as NodeIdx - 1);
            let members: Vec<NodeIdx> = members.collect();
            let view = view.map(|view| (view.number, &members[..]));
            self.checker.attributes.answered(self.now, client.0, &reply, view);
            let name = self.hosts[node].name.clone();
            if !matches!(reply, Reply::Done | Reply::Cib { .. }) {
                self.tell(&name, &format!("answers request {}: {reply:?}", client.0));
            }
            self.answers.push((client.0, reply));
        }
    }

    fn check(&mut self) {
        for idx in 0..self.hosts.len() {
            let view = self.network.view(idx);
            let host = &mut self.hosts[idx];
            let lacks_quorum = host.node.is_some() && view.is_some_and(|view| !view.has_quorum);
            host.quorum_lost_at = lacks_quorum.then(|| host.quorum_lost_at.unwrap_or(self.now));
            let view = view.map(|view| view.number);
            let settled_view = self.hosts[idx].node.as_ref().and_then(NodeMachine::settled_view);
            let is_settled = settled_view.is_some() && settled_view == view;
            if self.hosts[idx].has_to_join && is_settled && self.network.is_complete(idx) {
                self.hosts[idx].has_to_join = false;
                self.hosts[idx].joined_at = self.now;
            }
        }
        self.note_who_is_disturbed();
        self.note_who_has_joined();
        self.checker.check(&self.hosts, &self.network);
    }

    /// Who was without power and is in a view that is settled is known to have been booted.
    fn note_who_has_joined(&mut self) {
        let view_of = |idx: NodeIdx| self.network.view(idx).map(|view| view.number);
        self.checker.attributes.heard(self.now, view_of);
        let has_quorum = |idx: NodeIdx| self.network.view(idx).is_some_and(|view| view.has_quorum);
        if !(0..self.hosts.len()).any(|idx| self.hosts[idx].node.is_some() && has_quorum(idx)) {
            self.checker.attributes.forgotten(self.now);
        }
        if !self.checker.recovery.is_watching() {
            return;
        }
        for (idx, host) in self.hosts.iter().enumerate() {
            let settled = host.node.as_ref().and_then(NodeMachine::settled_view);
            let view = self.network.view(idx).filter(|view| settled == Some(view.number));
            for (_, name) in view.iter().flat_map(|view| &view.members) {
                self.checker.recovery.released(name);
            }
        }
    }

    /// Nodes without a daemon, an executor or quorum may miss what they are told, and remote daemons that no other node
    /// is connected to. What is promoted without quorum, the others do not get to know either.
    fn note_who_is_disturbed(&mut self) {
        let has_quorum = |idx: NodeIdx| self.network.view(idx).is_some_and(|view| view.has_quorum);
        // One that hangs is waited for, until its daemon closes the connection.
        let has_executor =
            |idx: NodeIdx| self.hosts[idx].station.executor.is_some() && self.hosts[idx].is_linked;
        let is_there =
            |idx: NodeIdx| self.hosts[idx].awake().is_some() && has_executor(idx) && has_quorum(idx);
        let notices = &mut self.checker.notices;
        let mut is_any_there = false;
        for (idx, host) in self.hosts.iter().enumerate() {
            match is_there(idx) {
                true => is_any_there = true,
                false => notices.disturbed(self.now, &host.name),
            }
        }
        let reaches = |session: &Session| session.is_up && is_there(session.node);
        for (idx, far) in self.fars.iter().enumerate().filter(|(_, far)| far.exists()) {
            if !self.sessions.iter().any(|session| session.far == idx && reaches(session)) {
                notices.disturbed(self.now, &far.name);
            }
        }
        if !is_any_there {
            notices.forgotten(self.now);
        }
    }

    /// A tool asks something of a node's daemon. Its number, if the daemon runs.
    pub fn ask(&mut self, idx: NodeIdx, call: Call) -> Option<u64> {
        self.hosts[idx].node.as_ref()?;
        self.n_requests += 1;
        let number = self.n_requests;
        self.tell(&self.hosts[idx].name.clone(), &format!("is asked {number}: {call:?}"));
        self.asked.insert(number, (idx, call.clone(), self.now));
        match &call {
            Call::ConfirmOff { node } => self.checker.recovery.released(node),
            Call::Attribute(update) => {
                let about = self.hosts.iter().position(|host| host.name == update.node);
                self.checker.attributes.asked(self.now, number, idx, about, &call);
            }
            _ => {}
        }
        let request = Request { id: number, client: "simulator".to_owned(), user: None, call };
        self.tell_node(idx, Event::Request { client: ClientId(number), request, groups: Vec::new() });
        Some(number)
    }

    /// The number of a host in the cluster layer.
    pub fn id(&self, idx: NodeIdx) -> u32 {
        id_of(idx)
    }

    /// Whether a message of the executor is under way to the daemon.
    pub fn is_quiet(&self, idx: NodeIdx) -> bool {
        let is_result = |message: &(Micros, FromExecutor)| matches!(message.1, FromExecutor::Result(_));
        !self.hosts[idx].to_node.iter().any(is_result)
    }
}
