//! The loop: receive, handle, perform, sleep until the next deadline.

use crate::{
    clients::Clients,
    executor::{Check, Executor},
    inputs::Inputs,
    layout::Layout,
    peer::{Attempt, Peer},
    privileges::{Identity, prepare_dir},
    remotes::{Added, Remotes},
    store::CibStore,
    writer::Writer,
};
use anyhow::{Context, Result, anyhow};
use std::{
    collections::VecDeque,
    fs::File,
    io::Read,
    time::{Duration, Instant},
};
use systole_cluster::{ClientId, Effect, Event, Level, NodeConfig, NodeMachine, Planner, StartState};
use systole_link::{Clock, LinkError, Listener, Poll, Ready, Signals, boot_id, waker};
use systole_wire::{
    PROTOCOL, ProtocolVersion,
    api::{Call, Request},
    exec::{FromExecutor, ToExecutor},
    hub::{FromHub, ToHub},
};

/// How long last messages may take to go out when the program ends.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long the program waits at its end for a disk that does not answer.
const LAST_WRITE: Duration = Duration::from_secs(20);

/// How long a node that is told to end waits for a cluster layer that is not there, if it has nothing to stop.
const LONELY_PATIENCE: Duration = Duration::from_secs(5);

/// The client number of requests that come from signals; no tool has it.
const SELF: ClientId = ClientId(0);

/// What the daemon is told when it starts.
#[derive(Clone, Debug)]
pub struct Config {
    /// The node's name.
    pub node: String,
    /// What the cluster layer is called in the CIB (`cluster-infrastructure`).
    pub stack: String,
    /// Where things are.
    pub layout: Layout,
    /// How the node is to begin.
    pub start_state: StartState,
    /// What it says to speak with the other members.
    pub protocol: ProtocolVersion,
    /// The scheduler.
    pub planner: Planner,
    /// Whether lines for developers are logged.
    pub verbose: bool,
}

/// Serves until the node has left the cluster in good order.
///
/// # Errors
/// If the node cannot take part, or can go on only by starting anew.
pub fn run(config: &Config) -> Result<()> {
    let signals = Signals::catch(&[15, 2]).context("cannot catch signals")?;
    let mut daemon = Daemon::start(config)?;
    let boot_id = boot_id(&config.layout.boot_id_file)
        .with_context(|| format!("cannot read or make {}", config.layout.boot_id_file.display()));
    let identity = daemon.identity;
    let boot_id = boot_id?;
    if let Some(identity) = identity {
        identity.assume()?;
    }
    let mut threads = Threads::start(config)?;
    daemon.begin(config, boot_id, &mut threads)?;
    loop {
        let ready = daemon.wait(&signals, &threads)?;
        if ready.signals > 0 && !daemon.end_asked(ready.signals) {
            return Ok(());
        }
        daemon.serve(&ready, &mut threads)?;
        if let Some(end) = daemon.end.take() {
            daemon.say_farewell(&threads);
            return end;
        }
    }
}

/// The threads beside the loop.
struct Threads {
    writer: Writer,
    inputs: Inputs,
    wakes: Signals,
}

impl Threads {
    /// Started after the change of user, which is a thread's own affair on Linux.
    fn start(config: &Config) -> Result<Self> {
        let (waker, wakes) = waker()?;
        let writer = Writer::start(CibStore::new(&config.layout.cib_dir), waker)?;
        let inputs = Inputs::start(config.layout.input_dir.clone())?;
        Ok(Self { writer, inputs, wakes })
    }
}

struct Daemon {
    node: String,
    machine: NodeMachine,
    clock: Clock,
    clients: Clients,
    hub: Peer,
    executor: Executor,
    remotes: Remotes,
    identity: Option<Identity>,
    verbose: bool,
    /// When SIGTERM came; the next one ends the program at once.
    leaving_since: Option<Instant>,
    /// Set when the machine wants the program to end.
    end: Option<Result<()>>,
}

/// What a round of waiting found.
struct Round {
    ready: Ready,
    listener: usize,
    clients: Vec<(ClientId, usize)>,
    hub: Option<usize>,
    executor: Option<usize>,
    remotes: Added,
    wakes: usize,
    signals: usize,
}

impl Daemon {
    /// What needs root, if there is any of it.
    fn start(config: &Config) -> Result<Self> {
        let layout = &config.layout;
        let identity = Identity::find();
        for dir in [&layout.cib_dir, &layout.input_dir] {
            prepare_dir(dir, identity)?;
        }
        let listener = Listener::bind(&layout.api_socket, 0o660)
            .with_context(|| format!("cannot listen at {}", layout.api_socket.display()))?;
        if let Some(identity) = identity {
            identity.share(&layout.api_socket)?;
        }
        let node_config = NodeConfig {
            stack: config.stack.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            start_state: config.start_state,
            protocol: config.protocol,
            planner: config.planner,
        };
        Ok(Self {
            node: config.node.clone(),
            machine: NodeMachine::new(node_config),
            clock: Clock::new(),
            clients: Clients::new(listener),
            hub: Peer::new(layout.hub_socket.clone(), systole_hub::LIMITS),
            executor: Executor::new(layout.exec_socket.clone()),
            remotes: Remotes::new(&config.node, systole_remote::key_path())?,
            identity,
            verbose: config.verbose,
            leaving_since: None,
            end: None,
        })
    }

    fn begin(&mut self, config: &Config, boot_id: String, threads: &mut Threads) -> Result<()> {
        let found = CibStore::new(&config.layout.cib_dir).load();
        for warning in found.warnings {
            self.log(Level::Warning, &warning);
        }
        let mut seed = [0; 16];
        File::open("/dev/urandom")
            .and_then(|mut f| f.read_exact(&mut seed))
            .context("cannot read random bits")?;
        let started = Event::Started {
            node: config.node.clone(),
            boot_id,
            seed: u128::from_ne_bytes(seed),
            stored: found.snapshot,
        };
        self.handle(started, threads);
        Ok(())
    }

    fn wait(&self, signals: &Signals, threads: &Threads) -> Result<Round> {
        let mut poll = Poll::new();
        let (signals_idx, wakes) = (poll.add(signals), poll.add(&threads.wakes));
        let (listener, clients) = self.clients.add_to(&mut poll);
        let hub = self.hub.connection().map(|connection| poll.add_connection(connection));
        let executor = self.executor.connection().map(|connection| poll.add_connection(connection));
        let remotes = self.remotes.add_to(&mut poll);
        let machine = self.clock.until(self.machine.next_deadline());
        let remote = self.remotes.timeout(&self.clock);
        let timeouts = [machine, remote, self.hub.retry_in(), self.executor.timeout(), self.patience_left()];
        let timeout = timeouts.into_iter().flatten().min();
        let ready = poll.wait(timeout)?;
        let signals = if ready.has(signals_idx) { signals.drain() } else { 0 };
        Ok(Round { ready, listener, clients, hub, executor, remotes, wakes, signals })
    }

    /// SIGTERM: the first asks the node to leave in good order; false if there was one before.
    fn end_asked(&mut self, n_signals: usize) -> bool {
        let again = self.leaving_since.replace(Instant::now()).is_some() || n_signals > 1;
        let message = if again {
            "told to end twice: ending at once, resources stay as they are"
        } else {
            "told to end: resources move away first"
        };
        self.log(Level::Notice, message);
        !again
    }

    fn serve(&mut self, round: &Round, threads: &mut Threads) -> Result<()> {
        if round.signals > 0 {
            let request = Request { id: 0, client: "signal".to_owned(), user: None, call: Call::Shutdown };
            self.handle(Event::Request { client: SELF, request, groups: Vec::new() }, threads);
        }
        if round.ready.has(round.wakes) {
            threads.wakes.drain();
            for event in threads.writer.results() {
                self.handle(event, threads);
            }
        }
        if round.hub.is_some_and(|idx| round.ready.has(idx)) {
            self.serve_hub(threads);
        }
        if round.executor.is_some_and(|idx| round.ready.has(idx)) {
            self.serve_executor(threads);
        }
        self.check_executor(threads);
        self.remotes.serve(&self.clock, &round.ready, &round.remotes);
        self.handle_all(VecDeque::new(), threads);
        for event in self.clients.serve(&round.ready, round.listener, &round.clients) {
            self.handle(event, threads);
        }
        self.reconnect(threads);
        if self.clock.is_due(self.machine.next_deadline()) {
            self.handle(Event::DeadlineReached, threads);
        }
        if self.patience_left() == Some(Duration::ZERO) {
            self.log(
                Level::Warning,
                "there is no cluster layer to leave: ending, resources stay as they are",
            );
            self.end = Some(Ok(()));
        }
        Ok(())
    }

    /// How much longer to wait for the cluster layer before ending without it. A node that was in a cluster, and
    /// whose executor is or was there, stops its resources alone, which takes as long as it takes: others may start them.
    fn patience_left(&self) -> Option<Duration> {
        let is_stuck = self.hub.connection().is_none() && !self.machine.goes_on_alone();
        let since = self.leaving_since.filter(|_| is_stuck)?;
        Some(LONELY_PATIENCE.saturating_sub(since.elapsed()))
    }

    fn reconnect(&mut self, threads: &mut Threads) {
        match self.hub.attempt() {
            Some(Attempt::Connected) => {
                self.log(Level::Info, "connected to the hub");
                let join = ToHub::Join { protocol: PROTOCOL, node: self.node.clone() };
                let mut events = VecDeque::new();
                self.send_hub(&join, &mut events);
                self.handle_all(events, threads);
            }
            Some(Attempt::Failed(Some(error))) => {
                self.log(Level::Warning, &format!("cannot reach the hub, trying again and again: {error}"));
            }
            Some(Attempt::Failed(None)) | None => {}
        }
        match self.executor.attempt() {
            Some(Attempt::Connected) => {
                self.log(Level::Info, "connected to the executor");
                self.handle(Event::ExecutorConnected, threads);
            }
            Some(Attempt::Failed(Some(error))) => {
                self.log(
                    Level::Warning,
                    &format!("cannot reach the executor, trying again and again: {error}"),
                );
            }
            Some(Attempt::Failed(None)) | None => {}
        }
    }

    fn serve_hub(&mut self, threads: &mut Threads) {
        let Some((messages, fate)) = receive::<FromHub>(&mut self.hub) else { return };
        for message in messages {
            match message {
                FromHub::View(view) => self.handle(Event::View(view), threads),
                FromHub::Deliver { from, payload } => {
                    self.handle(Event::Delivered { from, payload }, threads)
                }
                FromHub::Refused { message } => {
                    self.log(Level::Error, &format!("the hub refuses this node: {message}"))
                }
                FromHub::Ping => {
                    let mut events = VecDeque::new();
                    self.send_hub(&ToHub::Pong, &mut events);
                    self.handle_all(events, threads);
                }
                FromHub::Nodes { .. } => {}
            }
            if self.hub.connection().is_none() {
                // What else it said belongs to the connection that is over, and the machine knows of its end already.
                return;
            }
        }
        if let Err(error) = fate
            && self.hub.lose()
        {
            self.log(Level::Warning, &format!("lost the hub: {error}"));
            self.handle(Event::ClusterLost, threads);
        }
    }

    fn serve_executor(&mut self, threads: &mut Threads) {
        let Some((messages, fate)) = receive::<FromExecutor>(self.executor.peer_mut()) else { return };
        for message in messages {
            self.executor.heard(&message);
            self.handle(Event::Executor(message), threads);
            if self.executor.connection().is_none() {
                // As with the hub: after its end, a welcome would make the machine think that it is there.
                return;
            }
        }
        if let Err(error) = fate
            && self.executor.lose()
        {
            self.log(Level::Warning, &format!("lost the executor: {error}"));
            self.handle(Event::ExecutorLost, threads);
        }
    }

    /// One that hangs, its socket open, is as good as gone.
    fn check_executor(&mut self, threads: &mut Threads) {
        match self.executor.check() {
            Check::Fine => {}
            Check::Ask => {
                let mut events = VecDeque::new();
                self.perform(Effect::ToExecutor(ToExecutor::Ping), &mut events, threads);
                self.handle_all(events, threads);
            }
            Check::Silent { was_there, is_news } => {
                if is_news {
                    let text = match was_there {
                        true => {
                            "the executor does not answer, though its socket is open: it is taken for away. Restart it if it does not \
                             go on; what it runs goes on meanwhile"
                        }
                        false => {
                            "the executor does not say welcome, though its socket is open: it hangs, or is of another major version of \
                             the protocol, which its log says. What it runs goes on meanwhile"
                        }
                    };
                    self.log(Level::Error, text);
                }
                if was_there {
                    self.handle(Event::ExecutorLost, threads);
                }
            }
        }
    }

    /// Hands `event` to the machine and does what it says; so with the events that come of that.
    fn handle(&mut self, event: Event, threads: &mut Threads) {
        self.handle_all(VecDeque::from([event]), threads);
    }

    fn handle_all(&mut self, mut events: VecDeque<Event>, threads: &mut Threads) {
        loop {
            for (level, message) in self.remotes.take_log() {
                self.log(level, &message);
            }
            let Some(event) = events.pop_front().or_else(|| self.remotes.next_event()) else { return };
            for effect in self.machine.handle(self.clock.now(), event) {
                self.perform(effect, &mut events, threads);
            }
        }
    }

    fn perform(&mut self, effect: Effect, events: &mut VecDeque<Event>, threads: &mut Threads) {
        match effect {
            Effect::Cast(payload) => self.send_hub(&ToHub::Cast { payload }, events),
            Effect::ToExecutor(message) => {
                if let Some(connection) = self.executor.peer_mut().connection_mut()
                    && let Err(error) = connection.send(&message)
                {
                    self.executor.lose();
                    self.log(Level::Warning, &format!("lost the executor: {error}"));
                    events.push_back(Event::ExecutorLost);
                }
            }
            Effect::Remote { session, command } => self.remotes.command(self.clock.now(), session, command),
            Effect::Persist { token, snapshot } => threads.writer.write(token, snapshot),
            Effect::Reply { client, response } => {
                let is_told = self.remotes.reply(self.clock.now(), client, &response)
                    || self.clients.reply(client, &response);
                if !is_told {
                    events.push_back(Event::ClientGone(client));
                }
            }
            Effect::SaveInput { kind, transition, xml } => threads.inputs.keep(kind, transition, xml),
            Effect::Log { level, message } => self.log(level, &message),
            Effect::StayAway(pause) => {
                self.hub.stay_away(pause);
                events.push_back(Event::ClusterLost);
            }
            Effect::LeaveCluster => self.end = Some(Ok(())),
            Effect::Die { reason } => self.end = Some(Err(anyhow!(reason))),
        }
    }

    fn send_hub(&mut self, message: &ToHub, events: &mut VecDeque<Event>) {
        if let Some(connection) = self.hub.connection_mut()
            && let Err(error) = connection.send(message)
        {
            self.hub.lose();
            self.log(Level::Warning, &format!("lost the hub: {error}"));
            events.push_back(Event::ClusterLost);
        }
    }

    /// Lets out what was said already: to the cluster, to the executor, to tools, and to the disk.
    fn say_farewell(&mut self, threads: &Threads) {
        if !threads.writer.finish(LAST_WRITE) {
            self.log(Level::Error, "the disk does not answer: the last state of the CIB may not be on it");
        }
        let deadline = Instant::now() + FAREWELL;
        let peers = [&mut self.hub, self.executor.peer_mut()];
        for connection in peers.into_iter().filter_map(Peer::connection_mut) {
            while connection.is_sending() && Instant::now() < deadline {
                let mut poll = Poll::new();
                poll.add_connection(connection);
                if poll.wait(Some(Duration::from_millis(20))).is_err() || connection.flush().is_err() {
                    break;
                }
            }
        }
        while self.clients.is_sending() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
            self.clients.flush();
        }
    }

    fn log(&self, level: Level, message: &str) {
        if level > Level::Debug || self.verbose {
            systole_link::log_line("systoled", level, message);
        }
    }
}

/// What `peer` has said, and whether it is still there. A peer that talks nonsense is not.
fn receive<T: serde::de::DeserializeOwned>(peer: &mut Peer) -> Option<(Vec<T>, Result<(), LinkError>)> {
    let connection = peer.connection_mut()?;
    let mut lines = Vec::new();
    let mut fate = connection.flush().and_then(|()| connection.receive(&mut lines));
    let mut messages = Vec::new();
    for line in lines {
        match systole_wire::decode(&line) {
            Ok(message) => messages.push(message),
            Err(error) => {
                fate = Err(error.into());
                break;
            }
        }
    }
    Some((messages, fate))
}
