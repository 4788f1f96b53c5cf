//! What happens around remote daemons: sessions come and go, containers end, messages pass.

use super::Cluster;
use crate::{
    Micros, NodeIdx, SECOND,
    check::orders,
    far::{FarIdx, Site},
    session::{Session, Wire},
    station::Place,
};
use systole_cluster::{
    Event, Level, NodeMachine, RemoteCommand, RemoteEvent, SessionId, executor,
    remote::{
        self,
        server::{self, RemoteClient, RemoteServer},
    },
};
use systole_wire::{
    api::{AttributeUpdate, Call},
    exec::{FromExecutor, ToExecutor},
    remote::{FromRemote, Notice, ToRemote},
};

/// How long it takes a daemon, at most, to hear that a client is gone which could not say so.
const GONE_UNHEARD: Micros = 35 * SECOND;

impl Cluster {
    /// The remote daemon in the container that a resource is at a place.
    pub(super) fn guest_of(&self, resource: &str, place: Place) -> Option<FarIdx> {
        let (bundle, number) = resource.split_once("-podman-")?;
        self.far_named(&format!("{bundle}-{number}"), place)
    }

    /// The remote daemon with this name: of guests, the one whose container is at that place.
    fn far_named(&self, name: &str, place: Place) -> Option<FarIdx> {
        self.fars.iter().position(|far| far.name == name && far.host().is_none_or(|at| at == place))
    }

    /// A container has ended, if the resource is one.
    pub(super) fn container_ends(&mut self, resource: &str, place: Place) {
        if let Some(far) = self.guest_of(resource, place) {
            self.far_ends(far, Site::NoContainer(place), false);
        }
    }

    /// What was at a place that has lost its power is gone, and nobody is told.
    pub(super) fn containers_vanish(&mut self, place: Place) {
        for far in 0..self.fars.len() {
            if self.fars[far].site == Site::Container(place) {
                self.far_ends(far, Site::NoContainer(place), true);
            }
        }
    }

    /// Everything at a remote daemon ends, itself included.
    fn far_ends(&mut self, far: FarIdx, site: Site, is_silent: bool) {
        self.fars[far].end(site);
        self.end_sessions_with(far, "the remote host is gone", is_silent);
    }

    /// A remote daemon is killed and comes back; what it has begun goes on.
    pub fn restart_far_daemon(&mut self, far: FarIdx, away: Micros) {
        let there = &mut self.fars[far];
        let name = there.name.clone();
        there.end_daemon();
        there.starts_at = Some(self.now + away);
        self.tell(&name, &format!("=== remote daemon killed, back in {} ms", away / 1000));
        self.end_sessions_with(far, "connection reset", false);
    }

    /// Breaks the sessions with a remote daemon, which can be connected to again at once.
    pub fn break_sessions(&mut self, far: FarIdx) {
        let name = self.fars[far].name.clone();
        self.tell(&name, "=== sessions break");
        self.end_sessions_with(far, "connection reset", false);
        let clients = self.sessions.iter().filter(|session| session.far == far && session.is_connected);
        let clients: Vec<RemoteClient> = clients.map(|session| session.client).collect();
        clients.into_iter().for_each(|client| self.client_gone(far, client));
    }

    /// A remote daemon takes connections for a while, and does not answer.
    pub fn stall(&mut self, far: FarIdx, span: Micros) {
        let name = self.fars[far].name.clone();
        self.fars[far].stalls_until = self.now + span;
        self.tell(&name, &format!("=== answers nobody new for {} ms", span / 1000));
    }

    /// Switches a remote machine on or off.
    pub fn power_far(&mut self, far: FarIdx, is_on: bool) {
        let name = self.fars[far].name.clone();
        self.tell(&name, if is_on { "=== powered on" } else { "=== powered off" });
        if is_on {
            let starts_at = self.now + self.random.between(100_000, SECOND);
            self.fars[far].begin(Site::Machine(true), starts_at);
        } else {
            self.checker.lost_power(&name, &self.fars[far].station.agents);
            self.far_ends(far, Site::Machine(false), true);
            self.containers_vanish(Place::Far(far));
        }
    }

    fn end_sessions_with(&mut self, far: FarIdx, reason: &str, is_silent: bool) {
        let at = self.now + 500;
        for session in self.sessions.iter_mut().filter(|session| session.far == far && !session.is_cut) {
            if !is_silent {
                session.to_far.clear();
                session.send_near(Wire::Reset(reason.to_owned()), at);
            } else {
                session.cut();
            }
        }
    }

    /// A node's daemon is gone. What it has sent arrives, unless its host has lost its power.
    pub(super) fn drop_sessions_of(&mut self, node: NodeIdx, is_silent: bool) {
        for idx in 0..self.sessions.len() {
            if self.sessions[idx].node == node {
                self.checker.notices.disturbed(self.now, &self.fars[self.sessions[idx].far].name);
                if is_silent {
                    self.cut_session(idx);
                }
                self.sessions[idx].leave();
            }
        }
    }

    /// Sessions that go through a cut are of no more use; both ends find out by themselves.
    pub(super) fn cut_sessions(&mut self) {
        for idx in 0..self.sessions.len() {
            let (node, far) = (self.sessions[idx].node, self.sessions[idx].far);
            if !self.reaches(node, far) {
                self.cut_session(idx);
            }
        }
    }

    fn cut_session(&mut self, idx: usize) {
        let at = self.now + self.random.between(SECOND, GONE_UNHEARD);
        let session = &mut self.sessions[idx];
        session.cut();
        if std::mem::take(&mut session.is_connected) {
            self.fars[session.far].leaving.push((at, session.client));
        }
    }

    /// Whether packets get from a node to a remote daemon's host. Remote machines are beside the first node.
    fn reaches(&self, node: NodeIdx, far: FarIdx) -> bool {
        match self.fars[far].site {
            Site::NoContainer(_) => false,
            Site::Container(Place::Host(host)) => self.network.share_zone(node, host),
            Site::Container(Place::Far(host)) => self.reaches(node, host),
            Site::Machine(is_on) => is_on && self.network.share_zone(node, 0),
        }
    }

    pub(super) fn remote_command(&mut self, node: NodeIdx, id: SessionId, command: RemoteCommand) {
        let mut sessions = self.sessions.iter();
        let known = sessions
            .position(|session| session.node == node && session.id == id && session.machine.is_some());
        match (command, known) {
            (RemoteCommand::Open(endpoint), _) => {
                self.open_session(node, id, &endpoint.node, &endpoint.address)
            }
            (RemoteCommand::Tell(message), Some(idx)) => {
                if let ToExecutor::Run(operation) = &message {
                    self.checker.asked(self.now, operation);
                }
                self.session_hears(idx, remote::Event::Told(message));
            }
            (RemoteCommand::Close, Some(idx)) => self.sessions[idx].leave(),
            (_, None) => {}
        }
    }

    fn open_session(&mut self, node: NodeIdx, id: SessionId, name: &str, address: &str) {
        let host = self.hosts.iter().position(|host| host.name == address).map(Place::Host);
        let machine =
            || self.fars.iter().position(|far| far.name == address && !far.is_guest()).map(Place::Far);
        let place = host.or_else(machine).unwrap_or(Place::Host(node));
        let Some(far) = self.far_named(name, place) else {
            return self.checker.fail(format!("nobody has a node {name} at {address}"));
        };
        self.n_clients += 1;
        let connects_at = self.now + self.random.between(1_000, 60_000);
        let client = RemoteClient(self.n_clients);
        let host = self.hosts[node].name.clone();
        let session = Session::open((id, node), (far, name), &host, client, self.clock(), connects_at);
        self.sessions.push(session);
    }

    /// Everything of sessions that is due.
    pub(super) fn sessions_act(&mut self) {
        let now = self.now;
        for idx in 0..self.sessions.len() {
            let asleep = self.asleep(&self.sessions[idx]);
            if !asleep.near && self.sessions[idx].connects_at.take_if(|at| *at <= now).is_some() {
                self.connect_session(idx);
            }
            while !asleep.far
                && let Some(text) = self.sessions[idx].due_far(now)
            {
                self.far_hears(idx, &text);
            }
            if asleep.near {
                continue;
            }
            while let Some(wire) = self.sessions[idx].due_near(now) {
                self.near_hears(idx, wire);
            }
            let clock = self.clock().mono;
            let deadline = self.sessions[idx].machine.as_ref().and_then(remote::RemoteSession::next_deadline);
            if deadline.is_some_and(|at| at <= clock) {
                self.session_hears(idx, remote::Event::DeadlineReached);
            }
        }
        // Telling a node may open and close sessions.
        while let Some((idx, event)) = self.next_for_node() {
            let (node, session) = (self.sessions[idx].node, self.sessions[idx].id);
            self.note(idx, &event);
            self.tell_node(node, Event::Remote { session, event });
        }
        let over: Vec<(FarIdx, RemoteClient)> = self
            .sessions
            .iter()
            .filter(|session| session.is_over() && session.is_connected)
            .map(|session| (session.far, session.client))
            .collect();
        self.sessions.retain(|session| !session.is_over());
        over.into_iter().for_each(|(far, client)| self.client_gone(far, client));
    }

    fn next_for_node(&mut self) -> Option<(usize, RemoteEvent)> {
        let (now, hosts) = (self.now, &self.hosts);
        let mut sessions = self.sessions.iter_mut().enumerate();
        sessions.find_map(|(idx, session)| {
            let is_awake = hosts[session.node].hangs_until.is_none();
            Some((idx, is_awake.then(|| session.due_node(now)).flatten()?))
        })
    }

    /// A node hears that a session is up, or over.
    fn note(&mut self, idx: usize, event: &RemoteEvent) {
        let node = self.sessions[idx].node;
        let settled = self.hosts[node].node.as_ref().and_then(NodeMachine::settled_view);
        let view = self.network.view(node).filter(|view| view.has_quorum);
        // Without quorum, it is said in a replica that loses against the others'.
        let is_heard = view.is_some_and(|view| settled == Some(view.number));
        let session = &mut self.sessions[idx];
        match event {
            RemoteEvent::Says(FromExecutor::Welcome { .. }) => session.is_up = true,
            RemoteEvent::Says(_) | RemoteEvent::StartState(_) => {}
            RemoteEvent::Lost { .. } => {
                let there = &mut self.fars[session.far];
                self.checker.notices.disturbed(self.now, &there.name);
                if session.is_up && is_heard {
                    there.broken_in = Some(there.incarnation);
                }
                session.leave();
            }
        }
    }

    fn connect_session(&mut self, idx: usize) {
        let (node, far, now) = (self.sessions[idx].node, self.sessions[idx].far, self.now);
        let (reaches, there) = (self.reaches(node, far), &self.fars[far]);
        if !reaches && there.exists()
            || there.is_up() && (now < there.stalls_until || there.station.hangs_until.is_some())
        {
            return self.sessions[idx].cut();
        }
        if !there.is_up() {
            return self.sessions[idx].send_near(Wire::Reset("connection refused".to_owned()), now + 500);
        }
        let name = there.name.clone();
        // Without fencing, a remote machine that is not connected to counts as off, with the containers on it.
        let counts = self.checker.fencing || !matches!(there.host(), Some(Place::Far(_)));
        if self.is_container_left_alone(node, far) {
            self.fars[far].broken_in = None;
        }
        let there = &self.fars[far];
        if there.is_guest() && counts && there.broken_in == Some(there.incarnation) {
            self.checker.fail(format!("{name} was lost, and its container was not recovered"));
        }
        if !there.is_guest() {
            self.checker.recovery.released(&name);
        }
        self.tell(&name, &format!("is connected to by {}", self.hosts[node].name));
        self.sessions[idx].is_connected = true;
        let client = self.sessions[idx].client;
        self.tell_server(far, server::Event::Connected(client));
        self.session_hears(idx, remote::Event::Connected);
    }

    /// Whether the container is on a host in maintenance mode or without executor, where it is not recovered: only the connection is.
    fn is_container_left_alone(&self, node: NodeIdx, far: FarIdx) -> bool {
        let (Some(Place::Host(host)), Some(daemon)) = (self.fars[far].host(), &self.hosts[node].node) else {
            return false;
        };
        let (cib, name) = (daemon.cib(), &self.hosts[host].name);
        orders::is_in_maintenance(cib, name) || orders::is_without_executor(cib, name)
    }

    /// A message arrives at a remote daemon.
    fn far_hears(&mut self, idx: usize, text: &str) {
        let (far, client) = (self.sessions[idx].far, self.sessions[idx].client);
        let message = match ToRemote::parse(text) {
            Ok(message) => message,
            Err(error) => return self.checker.fail(format!("a message of a node cannot be read: {error}")),
        };
        self.tell_server(far, server::Event::Received { client, message });
    }

    /// Something arrives at a node's end.
    fn near_hears(&mut self, idx: usize, wire: Wire) {
        match wire {
            Wire::Reset(reason) => self.session_hears(idx, remote::Event::Lost { reason }),
            Wire::Text(text) => match FromRemote::parse(&text) {
                Ok(message) => self.session_hears(idx, remote::Event::Received(message)),
                Err(error) => {
                    self.checker.fail(format!("a message of a remote daemon cannot be read: {error}"))
                }
            },
        }
    }

    fn session_hears(&mut self, idx: usize, event: remote::Event) {
        let (clock, now) = (self.clock(), self.now);
        let Some(machine) = &mut self.sessions[idx].machine else { return };
        for effect in machine.handle(clock, event) {
            match effect {
                remote::Effect::Send(message) => {
                    let at = now + self.random.between(50, 3_000);
                    self.sessions[idx].send_far(message.to_text(), at);
                }
                remote::Effect::Tell(event) => self.sessions[idx].to_node.push_back((now, event)),
                remote::Effect::Proxy(_) => {}
                remote::Effect::Log { level, message } if level > Level::Debug => {
                    let name = self.hosts[self.sessions[idx].node].name.clone();
                    self.tell(&name, &format!("session: {level}: {message}"));
                }
                remote::Effect::Log { .. } => {}
            }
        }
    }

    /// Hands an event to a remote daemon, and what its executor says of that.
    fn tell_server(&mut self, far: FarIdx, event: server::Event) {
        let clock = self.clock();
        let Some(server) = &mut self.fars[far].server else { return };
        for effect in server.handle(clock, event) {
            self.perform_for_server(far, effect);
        }
        if let Some(message) = self.fars[far].from_executor.pop_front() {
            self.tell_server(far, server::Event::Executor(message));
        }
    }

    fn perform_for_server(&mut self, far: FarIdx, effect: server::Effect) {
        match effect {
            server::Effect::Send { client, message } => self.send_from_far(far, client, &message),
            server::Effect::Drop(client) => {
                let at = self.now + 500;
                let session = self.sessions.iter_mut().find(|session| session.client == client);
                if let Some(session) = session {
                    session.is_connected = false;
                    session.send_near(Wire::Reset("the daemon closed the connection".to_owned()), at);
                }
            }
            server::Effect::ToExecutor(message) => self.pass_to_far_executor(far, message),
            server::Effect::ToTool { .. }
            | server::Effect::ToStockTool { .. }
            | server::Effect::DropTool(_)
            | server::Effect::Log { .. } => {}
            server::Effect::Exit => self.fars[far].end_daemon(),
        }
    }

    fn send_from_far(&mut self, far: FarIdx, client: RemoteClient, message: &FromRemote) {
        let mut at = self.now + self.random.between(50, 3_000);
        let FromRemote::Notice(Notice::Done(done)) = message else {
            let session = self.sessions.iter_mut().find(|session| session.client == client);
            return session
                .into_iter()
                .for_each(|session| session.send_near(Wire::Text(message.to_text()), at));
        };
        let there = &mut self.fars[far];
        let (n_times, shuffles) = (if there.repeats_results { 2 } else { 1 }, there.shuffles_results);
        if shuffles {
            let last = there.last_result_at.entry(done.run.resource.clone()).or_default();
            at = (at + self.random.between(0, 2 * SECOND)).max(*last);
            *last = at;
        }
        let again_at = there.repeats_late.then(|| at + self.random.between(0, 6 * SECOND));
        let session = self.sessions.iter_mut().find(|session| session.client == client);
        let Some(session) = session else { return };
        let wire = Wire::Text(message.to_text());
        match shuffles {
            true => session.send_stray(wire.clone(), at),
            false => (0..n_times).for_each(|_| session.send_near(wire.clone(), at)),
        }
        if let Some(again_at) = again_at {
            session.send_stray(wire, again_at);
        }
    }

    fn pass_to_far_executor(&mut self, far: FarIdx, message: ToExecutor) {
        if super::faults::is_word(&message)
            && let Some(blow) = self.fars[far].at_word.take()
        {
            self.blows.push((Place::Far(far), blow));
        }
        let mut breaks = false;
        if let ToExecutor::Run(operation) = &message
            && operation.operation != "monitor"
        {
            let name = self.fars[far].name.clone();
            self.tell(&name, &format!("runs {} ({})", operation.key, operation.transition_key));
            breaks = matches!(operation.operation.as_str(), "promote" | "demote" | "notify")
                && std::mem::take(&mut self.fars[far].breaks_at_word);
        }
        self.tell_executor(Place::Far(far), executor::Event::Messages(vec![message]));
        if breaks {
            self.break_sessions(far);
        }
    }

    fn client_gone(&mut self, far: FarIdx, client: RemoteClient) {
        if let Some(session) = self.sessions.iter_mut().find(|session| session.client == client) {
            session.is_connected = false;
        }
        if let Some(until) = self.fars[far].station.hangs_until {
            return self.fars[far].leaving.push((until, client));
        }
        self.tell_server(far, server::Event::Gone(client));
    }

    /// Everything at a remote daemon that is due.
    pub(super) fn far_acts(&mut self, far: FarIdx) {
        let now = self.now;
        if self.fars[far].starts_at.take_if(|at| *at <= now).is_some() && self.fars[far].exists() {
            self.start_far_daemon(far);
        }
        let (gone, leaving) =
            std::mem::take(&mut self.fars[far].leaving).into_iter().partition(|(at, _)| *at <= now);
        self.fars[far].leaving = leaving;
        let gone: Vec<(Micros, RemoteClient)> = gone;
        gone.into_iter().for_each(|(_, client)| self.client_gone(far, client));
        self.station_acts(Place::Far(far));
        if self.fars[far].station.hangs_until.is_some() {
            return;
        }
        let clock = self.clock().mono;
        let deadline = self.fars[far].server.as_ref().and_then(RemoteServer::next_deadline);
        if deadline.is_some_and(|at| at <= clock) {
            self.tell_server(far, server::Event::DeadlineReached);
        }
        while let Some(message) = self.fars[far].from_executor.pop_front() {
            self.tell_server(far, server::Event::Executor(message));
        }
    }

    fn start_far_daemon(&mut self, far: FarIdx) {
        let there = &mut self.fars[far];
        there.server = Some(RemoteServer::new());
        let (name, boot_id) = (there.name.clone(), there.boot_id());
        self.begin_executor(Place::Far(far), boot_id);
        self.tell_executor(Place::Far(far), executor::Event::Connected);
        let identity = name.clone();
        self.tell_server(far, server::Event::Started { identity, start_state: None });
        self.tell(&name, "remote daemon is up");
    }

    /// An agent asks for a promotion score on `node`, unless it has one. Its tool finds the daemon of the host it is on, or
    /// of the node that is connected to the remote machine it is on.
    pub(super) fn claim_promotion(&mut self, place: Place, node: &str, resource: &str) {
        if !self.promotable.contains(&resource) {
            return;
        }
        let Some(host) = self.host_for_tools(place) else { return };
        let Some(daemon) = &self.hosts[host].node else { return };
        let name = format!("master-{resource}");
        let states = daemon.cib().root().child("status");
        let state = states
            .into_iter()
            .flat_map(|status| status.children())
            .find(|state| state.attr("uname") == Some(node));
        let Some(state) = state else { return };
        let has_score = state.descendants().any(|pair| pair.attr("name") == Some(&name));
        let call = Call::Attribute(AttributeUpdate {
            node: node.to_owned(),
            name,
            value: Some("5".to_owned()),
            ..AttributeUpdate::default()
        });
        if !has_score && !self.asked.values().any(|(_, asked, _)| *asked == call) {
            self.ask(host, call);
        }
    }

    fn host_for_tools(&self, place: Place) -> Option<NodeIdx> {
        match place {
            Place::Host(host) => Some(host),
            Place::Far(far) => {
                let mut sessions = self.sessions.iter().rev();
                let session =
                    sessions.find(|session| session.far == far && session.is_up && !session.is_cut)?;
                Some(session.node)
            }
        }
    }
}
