//! Sessions with the executors of remote and guest nodes.

use crate::proxies::{Outcome, Proxies};
use std::{
    collections::{BTreeMap, VecDeque},
    io,
    path::PathBuf,
    time::Duration,
};
use systole_cluster::{
    ClientId, Endpoint, Event, Level, RemoteCommand, RemoteEvent, SessionId,
    remote::{self, Effect, RemoteSession},
};
use systole_link::{Clock, Poll, Ready, Signals, Waker, waker};
use systole_remote::{Dialer, End};
use systole_types::Now;
use systole_wire::{
    api::Response,
    remote::{FromRemote, PORT, ProxyMessage},
};

/// Every session that is open.
pub(crate) struct Remotes {
    /// This node's name, for the logs of remote daemons.
    host: String,
    key: PathBuf,
    waker: Waker,
    wakes: Signals,
    sessions: BTreeMap<SessionId, Session>,
    proxies: Proxies,
    /// What came of the last calls.
    events: VecDeque<Event>,
    log: Vec<(Level, String)>,
}

struct Session {
    machine: RemoteSession,
    dialer: Dialer,
}

/// What [`Remotes::add_to`] added.
pub(crate) struct Added {
    wakes: usize,
    sessions: Vec<(SessionId, Option<usize>)>,
}

impl Remotes {
    /// None open yet.
    pub(crate) fn new(host: &str, key: PathBuf) -> io::Result<Self> {
        let (waker, wakes) = waker()?;
        Ok(Self {
            host: host.to_owned(),
            key,
            waker,
            wakes,
            sessions: BTreeMap::new(),
            proxies: Proxies::default(),
            events: VecDeque::new(),
            log: Vec::new(),
        })
    }

    /// What happened, for the node machine.
    pub(crate) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// What is to be logged.
    pub(crate) fn take_log(&mut self) -> Vec<(Level, String)> {
        std::mem::take(&mut self.log)
    }

    /// Does what the node machine wants.
    pub(crate) fn command(&mut self, now: Now, id: SessionId, command: RemoteCommand) {
        match command {
            RemoteCommand::Open(endpoint) => self.open(now, id, &endpoint),
            RemoteCommand::Tell(message) => self.handle(now, id, remote::Event::Told(message)),
            RemoteCommand::Close => {
                if let Some(session) = self.remove(id) {
                    session.dialer.close();
                }
            }
        }
    }

    fn open(&mut self, now: Now, id: SessionId, endpoint: &Endpoint) {
        let machine = RemoteSession::new(&endpoint.node, &self.host, now);
        let port = endpoint.port.unwrap_or(PORT);
        let dialer = Dialer::new(&endpoint.address, port, &self.key, &self.waker);
        self.sessions.insert(id, Session { machine, dialer });
    }

    /// Takes a session out, with what tools wait for over it.
    fn remove(&mut self, id: SessionId) -> Option<Session> {
        self.events.extend(self.proxies.end_session(id).into_iter().map(Event::ClientGone));
        self.sessions.remove(&id)
    }

    /// Adds what the loop has to wait for.
    pub(crate) fn add_to<'a>(&'a self, poll: &mut Poll<'a>) -> Added {
        let wakes = poll.add(&self.wakes);
        let sessions = self.sessions.iter();
        Added { wakes, sessions: sessions.map(|(&id, session)| (id, session.dialer.add_to(poll))).collect() }
    }

    /// How long the loop may sleep at most.
    pub(crate) fn timeout(&self, clock: &Clock) -> Option<Duration> {
        if self.sessions.values().any(|session| session.dialer.is_over()) {
            return Some(Duration::ZERO);
        }
        clock.until(self.sessions.values().filter_map(|session| session.machine.next_deadline()).min())
    }

    /// Does what has become possible.
    pub(crate) fn serve(&mut self, clock: &Clock, ready: &Ready, added: &Added) {
        if ready.has(added.wakes) {
            self.wakes.drain();
        }
        for &(id, index) in &added.sessions {
            self.serve_one(clock, ready, id, index);
        }
        let is_due = |session: &Session| clock.is_due(session.machine.next_deadline());
        let due: Vec<SessionId> =
            self.sessions.iter().filter(|(_, session)| is_due(session)).map(|(id, _)| *id).collect();
        for id in due {
            self.handle(clock.now(), id, remote::Event::DeadlineReached);
        }
    }

    fn serve_one(&mut self, clock: &Clock, ready: &Ready, id: SessionId, index: Option<usize>) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let mut messages = Vec::new();
        let served = session.dialer.serve(ready, index, &mut messages);
        if matches!(served, Ok(true)) {
            self.handle(clock.now(), id, remote::Event::Connected);
        }
        for text in messages {
            match FromRemote::parse(&text) {
                Ok(message) => self.handle(clock.now(), id, remote::Event::Received(message)),
                Err(error) => self.log.push((Level::Warning, format!("{error}: dropped: {}", head(&text)))),
            }
        }
        if let Err(end) = served {
            self.handle(clock.now(), id, remote::Event::Lost { reason: end.describe() });
        }
    }

    /// Hands `event` to a session's machine and does what it says.
    fn handle(&mut self, now: Now, id: SessionId, event: remote::Event) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        for effect in session.machine.handle(now, event) {
            self.perform(now, id, effect);
        }
    }

    fn perform(&mut self, now: Now, id: SessionId, effect: Effect) {
        match effect {
            Effect::Send(message) => {
                let Some(session) = self.sessions.get_mut(&id) else { return };
                match session.dialer.send(&message.to_text()) {
                    Ok(()) => {}
                    Err(End::TooLong(length)) => {
                        let node = session.machine.node();
                        let message = format!("a message of {length} bytes is too long for {node}: dropped");
                        self.log.push((Level::Error, message));
                    }
                    Err(end) => {
                        let reason = end.describe();
                        self.handle(now, id, remote::Event::Lost { reason });
                    }
                }
            }
            Effect::Tell(event) => {
                if matches!(event, RemoteEvent::Lost { .. }) {
                    self.remove(id);
                }
                self.events.push_back(Event::Remote { session: id, event });
            }
            Effect::Proxy(message) => self.proxied(now, id, message),
            Effect::Log { level, message } => self.log.push((level, message)),
        }
    }

    /// Something on the remote side speaks to the cluster.
    fn proxied(&mut self, now: Now, id: SessionId, message: ProxyMessage) {
        let Some(session) = self.sessions.get(&id) else { return };
        let node = session.machine.node().to_owned();
        let (event, messages) = match self.proxies.take(now, id, &node, message) {
            Outcome::Event(event) => (Some(event), Vec::new()),
            Outcome::Answer(messages) => (None, messages),
            Outcome::Asked(event, messages) => (Some(event), messages),
            Outcome::Nothing => (None, Vec::new()),
        };
        self.events.extend(event);
        for message in messages {
            self.handle(now, id, remote::Event::Proxy(message));
        }
    }

    /// Passes an answer on to a tool on a remote node, if it is for one.
    pub(crate) fn reply(&mut self, now: Now, client: ClientId, response: &Response) -> bool {
        let Some((id, messages)) = self.proxies.reply(client, response) else {
            return self.proxies.is_proxied(client);
        };
        for message in messages {
            self.handle(now, id, remote::Event::Proxy(message));
        }
        true
    }
}

/// The beginning of a message, for the log.
fn head(text: &str) -> &str {
    let end = text.char_indices().nth(120).map_or(text.len(), |(at, _)| at);
    &text[..end]
}
