//! Executors and the agents they run, wherever they are.

use super::Cluster;
use crate::{
    Micros, NodeIdx, SECOND,
    agents::{Act, Process},
    far::Site,
    pop_if,
    station::{Place, Station},
};
use systole_cluster::{
    Event,
    executor::{self, ExecutorMachine, KillSignal},
};
use systole_types::OcfRc;
use systole_wire::exec::FromExecutor;

/// How long an executor may say nothing until its connection is closed.
const SILENT: Micros = 15 * SECOND;

impl Cluster {
    /// The executor and its agents at a place.
    pub fn station(&mut self, place: Place) -> &mut Station {
        match place {
            Place::Host(idx) => &mut self.hosts[idx].station,
            Place::Far(far) => &mut self.fars[far].station,
        }
    }

    fn name_of(&self, place: Place) -> String {
        match place {
            Place::Host(idx) => self.hosts[idx].name.clone(),
            Place::Far(far) => self.fars[far].name.clone(),
        }
    }

    /// Starts the executor's program.
    pub(super) fn begin_executor(&mut self, place: Place, boot_id: String) {
        let station = self.station(place);
        station.executor = Some(ExecutorMachine::new());
        let state = station.executor_state.clone();
        self.tell_executor(place, executor::Event::Started { boot_id, state });
    }

    /// What is due at a station.
    pub(super) fn station_acts(&mut self, place: Place) {
        self.agents_act(place);
        let now = self.now;
        if self.station(place).hangs_until.take_if(|until| *until <= now).is_some() {
            self.wake_executor(place);
        }
        while let Some((_, process)) = pop_if(&mut self.station(place).killed_leftovers, |(at, _)| *at <= now)
        {
            self.tell_executor(place, executor::Event::LeftoverGone { process });
        }
        while let Some((agent, metadata)) = self.station(place).next_description(now) {
            self.tell_executor(place, executor::Event::Described { agent, metadata });
        }
        let clock = self.clock().mono;
        if self.station(place).is_due(clock) {
            self.tell_executor(place, executor::Event::DeadlineReached);
        }
    }

    fn next_process(&mut self, place: Place) -> Option<u64> {
        let now = self.now;
        self.station(place).agents.due(now)
    }

    fn agents_act(&mut self, place: Place) {
        while let Some(id) = self.next_process(place) {
            let agents = &mut self.station(place).agents;
            let Some(process) = agents.processes.get(&id).cloned() else { return };
            if process.acts_at.is_some() {
                let act = agents.act(id);
                self.acted(place, act, &process);
                continue;
            }
            agents.processes.remove(&id);
            let exit = agents.exit(&process);
            let is_active = agents.active.contains(&process.operation.resource);
            let name = self.name_of(place);
            if exit.rc == OcfRc::Ok {
                self.station(place).agents.learn(&process.operation, &name);
                self.checker.notices.done(&process.operation, &name);
            }
            if is_active {
                self.claim_promotion(place, &name, &process.operation.resource);
            }
            match process.run {
                Some(run) => self.tell_executor(place, executor::Event::Exited { run, exit }),
                None if process.is_awaited => {
                    let process = process.id.to_string();
                    self.tell_executor(place, executor::Event::LeftoverEnded { process, exit });
                }
                None => _ = self.station(place).agents.finished.insert(process.id, exit),
            }
        }
    }

    /// An agent has changed something.
    fn acted(&mut self, place: Place, act: Act, process: &Process) {
        let name = self.name_of(place);
        match act {
            Act::Nothing => {}
            Act::Started(resource) => {
                self.tell(&name, &format!("*** {resource} runs"));
                let world = (&self.hosts[..], &self.fars[..], &self.network);
                self.checker.started(self.now, place, &resource, process, world);
                if let Some(far) = self.guest_of(&resource, place) {
                    let starts_at = self.now + self.random.between(20_000, 1_500_000);
                    self.fars[far].begin(Site::Container(place), starts_at);
                }
            }
            Act::Stopped(resource) => self.container_ends(&resource, place),
            Act::Promoted(resource) => {
                self.tell(&name, &format!("*** {resource} is promoted"));
                let world = (&self.hosts[..], &self.fars[..], &self.network);
                self.checker.promoted(self.now, place, &resource, process, world);
            }
        }
    }

    /// How long an agent takes to describe itself, and what it says: some hang until they are killed, some fail at once.
    fn description(&mut self) -> (Micros, Option<String>) {
        let metadata = Some(crate::agents::METADATA.to_owned());
        match self.random.between(0, 20) {
            0 => (4_000_000, None),
            1 => (self.random.between(1_000, 50_000), None),
            2 => (self.random.between(500_000, 3_900_000), metadata),
            _ => (self.random.between(1_000, 50_000), metadata),
        }
    }

    /// Hands an event to an executor and performs what it asks for.
    pub(super) fn tell_executor(&mut self, place: Place, event: executor::Event) {
        let clock = self.clock();
        let station = self.station(place);
        let Some(machine) = &mut station.executor else { return };
        if station.hangs_until.is_some() {
            return station.unread.push(event);
        }
        for effect in machine.handle(clock, event) {
            self.perform_for_executor(place, effect);
        }
    }

    fn perform_for_executor(&mut self, place: Place, effect: executor::Effect) {
        let now = self.now;
        match effect {
            executor::Effect::Execute { run, operation } => {
                if let Some(wrong) = self.checker.notices.is_wrong(&operation) {
                    self.checker.fail(wrong);
                }
                self.n_processes += 1;
                let id = self.n_processes;
                let agents = match place {
                    Place::Host(idx) => {
                        self.checker.begun(now, &operation, &self.hosts[idx]);
                        &mut self.hosts[idx].station.agents
                    }
                    Place::Far(far) => &mut self.fars[far].station.agents,
                };
                agents.spawn(id, run, *operation, now, &mut self.random);
                self.tell_executor(place, executor::Event::Spawned { run, process: id.to_string() });
            }
            executor::Effect::Kill { run, signal } => self.kill(place, run, signal),
            executor::Effect::EndLeftover { process } => self.end_leftover(place, process),
            executor::Effect::Describe(agent) => {
                let (takes, said) = self.description();
                self.station(place).descriptions.entry(agent).or_insert((now + takes, said));
            }
            executor::Effect::Send(message) => {
                if let FromExecutor::Result(result) = &message {
                    let boot = self.boot_of(place);
                    self.checker.fail_counts.reported(&boot, result);
                }
                self.send_from_executor(place, message);
            }
            executor::Effect::Persist(bytes) => self.station(place).executor_state = Some(bytes),
            executor::Effect::Log { level, message } => {
                self.tell(&self.name_of(place), &format!("executor: {level}: {message}"));
            }
        }
    }

    fn boot_of(&self, place: Place) -> String {
        match place {
            Place::Host(idx) => self.hosts[idx].boot_id(),
            Place::Far(far) => format!("{far} {}", self.fars[far].boot_id()),
        }
    }

    fn send_from_executor(&mut self, place: Place, message: FromExecutor) {
        match place {
            Place::Host(idx) => {
                let host = &mut self.hosts[idx];
                if host.is_linked {
                    let earliest = host.to_node.back().map_or(0, |(at, _)| *at);
                    let at = earliest.max(self.now + self.random.between(50, 2_000));
                    host.to_node.push_back((at, message));
                }
            }
            Place::Far(far) => self.fars[far].from_executor.push_back(message),
        }
    }

    /// The executor is back and asks for a run of its former program: the run's keeper tells the result, mostly.
    fn end_leftover(&mut self, place: Place, process: String) {
        let id: u64 = process.parse().unwrap_or(0);
        let is_lost = self.random.chance(30);
        let gone_at = self.now + self.random.between(100, 50_000);
        let station = self.station(place);
        if is_lost {
            station.agents.processes.remove(&id);
            station.agents.finished.remove(&id);
            station.killed_leftovers.push_back((gone_at, process));
        } else if let Some(running) = station.agents.processes.get_mut(&id) {
            running.is_awaited = true;
        } else if let Some(exit) = station.agents.finished.remove(&id) {
            self.tell_executor(place, executor::Event::LeftoverEnded { process, exit });
        } else {
            self.tell_executor(place, executor::Event::LeftoverGone { process });
        }
    }

    fn kill(&mut self, place: Place, run: executor::RunId, signal: KillSignal) {
        let is_kill = signal == KillSignal::Kill;
        let obeys = is_kill || self.random.chance(70);
        let ends_at = self.now + self.random.between(100, 20_000);
        let agents = &mut self.station(place).agents;
        let lingers = |process: &Process| agents.lingering.contains(&process.operation.resource);
        let mut processes = agents.processes.values_mut();
        let of_run = processes.find(|process| process.run == Some(run)).filter(|_| obeys);
        let of_run = of_run.filter(|process| is_kill || !lingers(process));
        if let Some(process) = of_run {
            (process.acts_at, process.ends_at) = (None, ends_at);
        }
    }

    /// Kills `systole-execd`; it comes back after `away`. Agents' processes go on.
    pub fn restart_executor(&mut self, idx: NodeIdx, away: Micros) {
        let host = &mut self.hosts[idx];
        if !host.is_on || host.station.executor.is_none() {
            return;
        }
        host.station.kill_executor();
        self.checker.notices.disturbed(self.now, &host.name);
        let host = &mut self.hosts[idx];
        let was_linked = host.is_linked;
        host.unlink();
        host.executor_dropped_at = None;
        host.executor_starts_at = Some(self.now + away);
        let name = host.name.clone();
        self.tell(&name, &format!("=== executor killed, back in {} ms", away / 1000));
        if was_linked {
            self.tell_node(idx, Event::ExecutorLost);
        }
    }

    /// An executor's program does nothing for so long, with its connections open. What it has begun goes on.
    pub fn hang_executor(&mut self, place: Place, span: Micros) {
        let (now, name) = (self.now, self.name_of(place));
        let station = self.station(place);
        if station.executor.is_none() || station.hangs_until.is_some() {
            return;
        }
        station.hangs_until = Some(now + span);
        if let Place::Host(idx) = place
            && span > SILENT
        {
            self.hosts[idx].executor_dropped_at = Some(now + SILENT);
        }
        self.tell(&name, &format!("=== executor hangs for {} ms", span / 1000));
    }

    /// `systoled` closes its connection to an executor that hangs: what that reads only later, it does not carry out.
    pub(super) fn drop_hanging_executor(&mut self, idx: NodeIdx) {
        let station = &mut self.hosts[idx].station;
        if station.hangs_until.is_none() {
            return;
        }
        station.unread.retain(|event| !matches!(event, executor::Event::Messages(_)));
        station.unread.push(executor::Event::Disconnected);
        let host = &mut self.hosts[idx];
        let was_linked = host.is_linked;
        host.unlink();
        if was_linked {
            self.tell_node(idx, Event::ExecutorLost);
        }
    }

    /// It goes on, and takes in what has come meanwhile.
    fn wake_executor(&mut self, place: Place) {
        if let Place::Host(idx) = place {
            self.hosts[idx].executor_dropped_at = None;
        }
        let name = self.name_of(place);
        self.tell(&name, "=== executor goes on");
        let unread = std::mem::take(&mut self.station(place).unread);
        for event in as_read(unread) {
            self.tell_executor(place, event);
        }
        if let Place::Host(idx) = place
            && self.hosts[idx].node.is_some()
            && !self.hosts[idx].is_linked
        {
            self.arrange_link(idx);
        }
    }

    /// A resource dies by itself.
    pub fn crash_resource(&mut self, place: Place, resource: &str) {
        if self.station(place).agents.end(resource) {
            let name = self.name_of(place);
            self.tell(&name, &format!("=== {resource} dies"));
            self.container_ends(resource, place);
        }
    }
}

/// What has come while a program stood still, as its loop takes it in: first all that was said, then what agents have done.
fn as_read(unread: Vec<executor::Event>) -> impl Iterator<Item = executor::Event> {
    use executor::Event;
    let (mut said, mut others) = (Vec::new(), Vec::new());
    for event in unread {
        match event {
            Event::Messages(messages) => match said.last_mut() {
                Some(Event::Messages(earlier)) => earlier.extend(messages),
                _ => said.push(Event::Messages(messages)),
            },
            Event::Connected | Event::Disconnected => said.push(event),
            other => others.push(other),
        }
    }
    said.into_iter().chain(others)
}
