//! The loop of a remote daemon: cluster nodes connect with TLS, tools on this host through a Unix socket.

mod environment;
mod init;
mod libqb;

pub use environment::load as load_environment;
pub use init::{Role, role, supervise};
pub use libqb::{Names, socket_names};

use crate::{
    Config,
    executor::{Added, Executor},
};
use anyhow::{Context, Result};
use rustix::fs::chown;
use std::{
    collections::{BTreeMap, VecDeque},
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};
use systole_cluster::{
    Level, executor,
    remote::server::{Effect, Event, RemoteClient, RemoteServer, ToolId, ToolService},
};
use systole_link::{Connection, Limits, Listener, Poll, Ready, Signals};
use systole_remote::{Doorkeeper, Doors, End, SecureStream, listen};
use systole_wire::{exec::ToExecutor, remote::ToRemote};

/// Bounds of a tool's connection; what is longer would not go through the cluster's either.
const TOOL_LIMITS: Limits = Limits { line: 16 << 20, unsent: 20 << 20 };

/// How much a stock tool may say before the others have their turn.
const REQUESTS_AT_ONCE: usize = 16;

/// Who may talk to the cluster through the socket for tools, beside root.
const GROUP: &str = "haclient";

/// Where a remote daemon listens.
#[derive(Clone, Debug)]
pub struct RemoteConfig {
    /// The address cluster nodes connect to; all of this host's if `None`.
    pub address: Option<IpAddr>,
    /// The port.
    pub port: u16,
    /// The file with the cluster's key.
    pub key: PathBuf,
    /// The socket tools on this host connect to.
    pub api_socket: PathBuf,
    /// What the sockets are called that Pacemaker's own tools connect to.
    pub names: Names,
    /// The state the node is to have when it joins: `standby`...
    pub start_state: Option<String>,
}

/// Serves cluster nodes until it is told to end and the cluster has moved away what runs here.
///
/// # Errors
/// If the port or the socket cannot be had, or the kernel fails us.
pub fn run_remote(config: &Config, remote: &RemoteConfig) -> Result<()> {
    let stop = Signals::catch(&[15, 2]).context("cannot catch signals")?;
    let mut daemon = Daemon::start(config, remote)?;
    let mut n_stops = 0;
    while !daemon.is_over {
        let mut poll = Poll::new();
        let stop_idx = poll.add(&stop);
        let watched = daemon.add_to(&mut poll);
        let ready = poll.wait(daemon.timeout())?;
        if ready.has(stop_idx) {
            n_stops += stop.drain();
            if n_stops > 1 {
                daemon.executor.log(Level::Notice, "told to end twice: ending at once");
                return Ok(());
            }
            daemon.handle(Event::Terminate);
        }
        daemon.serve(&ready, &watched);
    }
    for (_, stream) in daemon.clients {
        stream.close();
    }
    Ok(())
}

fn listen_for_tools(path: &Path) -> Result<Listener> {
    let listener =
        Listener::bind(path, 0o660).with_context(|| format!("cannot listen at {}", path.display()))?;
    if let Some(gid) = systole_link::group(GROUP).filter(|_| rustix::process::geteuid().is_root()) {
        chown(path, None, Some(rustix::fs::Gid::from_raw(gid)))
            .with_context(|| format!("cannot give {} to {GROUP}", path.display()))?;
    }
    Ok(listener)
}

struct Daemon {
    executor: Executor,
    server: RemoteServer,
    doorkeeper: Doorkeeper,
    clients: BTreeMap<RemoteClient, SecureStream>,
    /// Where tools connect.
    counter: Listener,
    tools: BTreeMap<ToolId, Connection>,
    /// Where those of Pacemaker connect.
    stock_tools: libqb::Counter,
    /// What the executor has not heard yet of what was asked for: all that there is to read is asked at once, so that what is
    /// taken back in it is not begun.
    asked: Vec<ToExecutor>,
    last_id: u64,
    is_over: bool,
}

/// Where the poll has what the daemon waits for.
struct Watched {
    executor: Added,
    doors: Doors,
    counter: usize,
    clients: Vec<(RemoteClient, usize)>,
    tools: Vec<(ToolId, usize)>,
    stock_tools: libqb::Added,
}

impl Daemon {
    fn start(config: &Config, remote: &RemoteConfig) -> Result<Self> {
        let listener = listen(remote.address, remote.port)
            .with_context(|| format!("cannot listen at port {}", remote.port))?;
        let identity = fs::read_to_string("/proc/sys/kernel/random/uuid")
            .context("cannot tell this daemon from others")?;
        let (stock_tools, complaints) = libqb::Counter::open(&remote.names);
        let mut daemon = Daemon {
            executor: Executor::start(config)?,
            server: RemoteServer::new(),
            doorkeeper: Doorkeeper::new(listener, remote.key.clone())?,
            clients: BTreeMap::new(),
            counter: listen_for_tools(&remote.api_socket)?,
            tools: BTreeMap::new(),
            stock_tools,
            asked: Vec::new(),
            last_id: 0,
            is_over: false,
        };
        daemon.executor.log(Level::Notice, &format!("waiting for a cluster at port {}", remote.port));
        complaints.iter().for_each(|complaint| daemon.executor.log(Level::Warning, complaint));
        daemon.executor.handle(executor::Event::Connected);
        let identity = identity.trim().to_owned();
        daemon.handle(Event::Started { identity, start_state: remote.start_state.clone() });
        daemon.settle();
        Ok(daemon)
    }

    fn add_to<'a>(&'a self, poll: &mut Poll<'a>) -> Watched {
        let takes = |tool| self.takes_requests(tool);
        let mut tools = Vec::new();
        for (&id, tool) in &self.tools {
            match takes(id) {
                true => tools.push((id, poll.add_connection(tool))),
                false if tool.is_sending() => tools.push((id, poll.add_room(tool))),
                false => {}
            }
        }
        Watched {
            executor: self.executor.add_to(poll),
            doors: self.doorkeeper.add_to(poll),
            counter: poll.add(&self.counter),
            clients: self.clients.iter().map(|(&id, stream)| (id, stream.add_to(poll))).collect(),
            tools,
            stock_tools: self.stock_tools.add_to(poll, takes),
        }
    }

    /// How long the loop may sleep at most.
    fn timeout(&self) -> Option<Duration> {
        let timeouts = [
            self.executor.clock().until(self.server.next_deadline()),
            self.executor.timeout(),
            self.doorkeeper.patience_left(),
            self.stock_tools.timeout(),
        ];
        timeouts.into_iter().flatten().min()
    }

    fn serve(&mut self, ready: &Ready, watched: &Watched) {
        // What the cluster takes back counts before it would be begun: an agent may have ended while this program stood still.
        self.serve_clients(ready, &watched.clients);
        self.settle();
        self.executor.serve(ready, &watched.executor);
        self.serve_tools(ready, &watched.tools);
        self.serve_stock_tools(ready, &watched.stock_tools);
        let executor = &self.executor;
        let let_in = self
            .doorkeeper
            .serve(ready, &watched.doors, &mut |message| executor.log(Level::Warning, &message));
        for (stream, messages) in let_in {
            self.let_in(stream, messages);
        }
        if ready.has(watched.counter) {
            self.accept_tools();
        }
        if self.executor.clock().is_due(self.server.next_deadline()) {
            self.handle(Event::DeadlineReached);
        }
        self.settle();
    }

    /// Has the executor hear what was asked for, and the cluster what comes of it.
    fn settle(&mut self) {
        loop {
            self.handle_all(VecDeque::new());
            if self.asked.is_empty() {
                return;
            }
            let asked = std::mem::take(&mut self.asked);
            self.executor.handle(executor::Event::Messages(asked));
        }
    }

    fn handle(&mut self, event: Event) {
        self.handle_all(VecDeque::from([event]));
    }

    /// Hands events to the machine and does what it says; so with the events that come of that.
    fn handle_all(&mut self, mut events: VecDeque<Event>) {
        loop {
            events.extend(self.executor.take_said().into_iter().map(Event::Executor));
            let Some(event) = events.pop_front() else { return };
            for effect in self.server.handle(self.executor.clock().now(), event) {
                self.perform(effect, &mut events);
            }
        }
    }

    fn perform(&mut self, effect: Effect, events: &mut VecDeque<Event>) {
        match effect {
            Effect::Send { client, message } => {
                let Some(stream) = self.clients.get_mut(&client) else { return };
                match stream.send(&message.to_text()) {
                    Ok(()) => {}
                    Err(End::TooLong(length)) => {
                        let message =
                            format!("a message of {length} bytes is too long for the cluster: dropped");
                        self.executor.log(Level::Error, &message);
                    }
                    Err(end) => self.lose(client, &end, events),
                }
            }
            Effect::Drop(client) => {
                if let Some(stream) = self.clients.remove(&client) {
                    stream.close();
                }
            }
            Effect::ToExecutor(message) => self.asked.push(message),
            Effect::ToTool { tool, line } => {
                let Some(connection) = self.tools.get_mut(&tool) else { return };
                let line = [line.as_bytes(), b"\n"].concat();
                if connection.send_line(line.into()).is_err() {
                    self.tools.remove(&tool);
                    events.push_back(Event::ToolGone(tool));
                }
            }
            Effect::ToStockTool { tool, answers, xml } => {
                if let Err(reason) = self.stock_tools.tell(tool, answers, &xml) {
                    self.executor
                        .log(Level::Warning, &format!("the connection of a tool is ended: {reason}"));
                    events.push_back(Event::ToolGone(tool));
                }
            }
            Effect::DropTool(tool) => {
                self.tools.remove(&tool);
                self.stock_tools.drop_tool(tool);
            }
            Effect::Exit => self.is_over = true,
            Effect::Log { level, message } => self.executor.log(level, &message),
        }
    }

    fn lose(&mut self, client: RemoteClient, end: &End, events: &mut VecDeque<Event>) {
        if self.clients.remove(&client).is_some() {
            let message = format!("a cluster node's connection has ended: {}", end.describe());
            self.executor.log(Level::Info, &message);
            events.push_back(Event::Gone(client));
        }
    }

    fn let_in(&mut self, stream: SecureStream, messages: Vec<String>) {
        self.last_id += 1;
        let client = RemoteClient(self.last_id);
        self.clients.insert(client, stream);
        self.handle(Event::Connected(client));
        self.hear(client, messages);
    }

    fn hear(&mut self, client: RemoteClient, messages: Vec<String>) {
        for text in messages {
            match ToRemote::parse(&text) {
                Ok(message) => self.handle(Event::Received { client, message }),
                Err(error) => self.executor.log(Level::Warning, &format!("{error}: dropped")),
            }
        }
    }

    fn serve_clients(&mut self, ready: &Ready, clients: &[(RemoteClient, usize)]) {
        for &(client, idx) in clients {
            let Some(stream) = self.clients.get_mut(&client).filter(|_| ready.has(idx)) else { continue };
            let mut messages = Vec::new();
            let fate = stream.flush().and_then(|()| stream.receive(&mut messages));
            self.hear(client, messages);
            if let Err(end) = fate {
                let mut events = VecDeque::new();
                self.lose(client, &end, &mut events);
                self.handle_all(events);
            }
        }
    }

    fn serve_tools(&mut self, ready: &Ready, tools: &[(ToolId, usize)]) {
        for &(tool, idx) in tools {
            let takes = self.takes_requests(tool);
            let Some(connection) = self.tools.get_mut(&tool).filter(|_| ready.has(idx)) else { continue };
            let mut lines = Vec::new();
            let fate = connection.flush().and_then(|()| match takes {
                true => connection.receive(&mut lines),
                false => Ok(()),
            });
            for line in lines {
                let line = String::from_utf8_lossy(&line).into_owned();
                self.handle(Event::ToolSays { tool, line });
            }
            if fate.is_err() && self.tools.remove(&tool).is_some() {
                self.handle(Event::ToolGone(tool));
            }
        }
    }

    fn accept_tools(&mut self) {
        for connection in self.counter.accept(TOOL_LIMITS) {
            let Ok(uid) = connection.peer_uid() else { continue };
            let user = systole_link::user_name(uid).unwrap_or_else(|| uid.to_string());
            self.last_id += 1;
            let tool = ToolId(self.last_id);
            self.tools.insert(tool, connection);
            self.handle(Event::ToolConnected { tool, user, service: ToolService::Api });
        }
    }

    /// Whether what a tool asks can be passed on. While the cluster node that hears it does not take what waits for it, the tool
    /// has to wait: tools must not be able to fill this host's memory, or to have the connection given up.
    fn takes_requests(&self, tool: ToolId) -> bool {
        let listener = self.server.listener_of(tool).and_then(|client| self.clients.get(&client));
        !listener.is_some_and(SecureStream::is_sending)
    }

    fn serve_stock_tools(&mut self, ready: &Ready, added: &libqb::Added) {
        for visit in self.stock_tools.serve(ready, added, &mut self.last_id) {
            self.take_visit(visit);
        }
        for tool in self.stock_tools.speakers(ready, added) {
            for _ in 0..REQUESTS_AT_ONCE {
                let heard = self.takes_requests(tool).then(|| self.stock_tools.hear(tool)).flatten();
                let Some(visit) = heard else { break };
                self.take_visit(visit);
            }
        }
    }

    fn take_visit(&mut self, visit: libqb::Visit) {
        match visit {
            libqb::Visit::Connected { tool, user, service } => {
                let service = ToolService::Stock(service.to_owned());
                self.handle(Event::ToolConnected { tool, user, service });
                if let Some(visit) = self.stock_tools.welcome(tool) {
                    self.take_visit(visit);
                }
            }
            libqb::Visit::Asks { tool, request } => self.handle(Event::ToolAsks { tool, request }),
            libqb::Visit::Gone(tool) => self.handle(Event::ToolGone(tool)),
        }
    }
}
