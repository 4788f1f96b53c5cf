//! The hub's hands: one thread, many sockets.

use crate::{Beat, Link, Outgoing, Patience, Pulse, Sequencer, trusted_users};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};
use systole_link::{Connection, Limits, Listener, Poll, Signals};
use systole_wire::hub::{FromHub, ToHub};

/// Bounds of each connection: a node may fall this far behind before it is dropped from the membership.
pub const LIMITS: Limits = Limits { line: 64 << 20, unsent: 64 << 20 };

/// Why a hub cannot run.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// The socket cannot be had.
    #[error("cannot listen at {path}")]
    Listen {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The kernel failed us.
    #[error("cannot wait for nodes")]
    Wait(#[from] io::Error),
}

/// A hub that listens.
pub struct Hub {
    listener: Listener,
    sequencer: Sequencer,
    connections: BTreeMap<Link, Connection>,
    /// Of nodes that have joined and know how to answer.
    pulses: BTreeMap<Link, Pulse>,
    last_link: Link,
    limits: Limits,
    /// Who may connect.
    users: BTreeSet<u32>,
    patience: Patience,
}

impl Hub {
    /// Listens at `path` for the nodes `names`, numbered from 1 in this order.
    ///
    /// # Errors
    /// If another hub listens there, or the directory is not to be written.
    pub fn bind(path: &Path, names: impl IntoIterator<Item = String>) -> Result<Self, HubError> {
        let listener = Listener::bind(path, 0o666)
            .map_err(|source| HubError::Listen { path: path.to_owned(), source })?;
        Ok(Self {
            users: trusted_users(),
            listener,
            sequencer: Sequencer::new(names),
            connections: BTreeMap::new(),
            pulses: BTreeMap::new(),
            last_link: 0,
            limits: LIMITS,
            patience: Patience::USUAL,
        })
    }

    /// The same hub with other bounds than [`LIMITS`].
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The same hub, for these users only instead of [`trusted_users`].
    #[must_use]
    pub fn with_users(self, users: impl IntoIterator<Item = u32>) -> Self {
        Self { users: users.into_iter().collect(), ..self }
    }

    /// The same hub, for this user too: whoever the nodes of a lab work as, since they have users of their own.
    #[must_use]
    pub fn with_user(mut self, user: u32) -> Self {
        self.users.insert(user);
        self
    }

    /// The same hub with other patience than [`Patience::USUAL`].
    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// Serves until `stop` wakes up.
    ///
    /// # Errors
    /// If the kernel cannot wait for sockets.
    pub fn run(mut self, stop: &Signals) -> Result<(), HubError> {
        loop {
            let mut poll = Poll::new();
            let (stop_idx, listener_idx) = (poll.add(stop), poll.add(&self.listener));
            let links: Vec<(Link, usize)> =
                self.connections.iter().map(|(&link, c)| (link, poll.add_connection(c))).collect();
            let now = Instant::now();
            let ready = poll.wait(self.pulses.values().map(|pulse| pulse.next_in(now)).min())?;
            if ready.has(stop_idx) {
                return Ok(());
            }
            if ready.has(listener_idx) {
                self.accept();
            }
            for (link, idx) in links {
                if ready.has(idx) {
                    self.serve(link);
                }
            }
            self.feel_pulses();
        }
    }

    /// Drops nodes that hang: their connections are open, but nobody is at the other end.
    fn feel_pulses(&mut self) {
        let now = Instant::now();
        let look = |link: &Link| self.connections.get(link).and_then(Connection::peer_work);
        let pulses = self.pulses.iter_mut();
        let beats: Vec<(Link, Beat)> =
            pulses.map(|(link, pulse)| (*link, pulse.feel(now, || look(link)))).collect();
        for (link, beat) in beats {
            match beat {
                Beat::Fine => {}
                Beat::Ask => self.perform(vec![Outgoing::To(link, FromHub::Ping)]),
                Beat::Silent => {
                    eprintln!("hub: a node is dropped: it does not answer");
                    self.close(link);
                }
            }
        }
    }

    fn accept(&mut self) {
        let log = &mut |message| eprintln!("hub: {message}");
        for connection in self.listener.accept_from(&self.users, self.limits, log) {
            self.last_link += 1;
            self.connections.insert(self.last_link, connection);
        }
    }

    /// Takes what `link` says; whoever does not follow is dropped.
    fn serve(&mut self, link: Link) {
        let Some(connection) = self.connections.get_mut(&link) else { return };
        let mut lines = Vec::new();
        let fate = connection.flush().and_then(|()| connection.receive(&mut lines));
        if let Some(pulse) = self.pulses.get_mut(&link).filter(|_| !lines.is_empty()) {
            pulse.heard(Instant::now());
        }
        for line in lines {
            match systole_wire::decode::<ToHub>(&line) {
                Ok(message) => {
                    if matches!(&message, ToHub::Join { protocol, .. } if Pulse::is_known_to(*protocol)) {
                        self.pulses.insert(link, Pulse::new(self.patience, Instant::now()));
                    }
                    let out = self.sequencer.message(link, message);
                    self.perform(out);
                }
                Err(error) => {
                    eprintln!(
                        "hub: a connection sent something that is no message and is closed: {}",
                        error.source
                    );
                    self.close(link);
                    return;
                }
            }
        }
        if fate.is_err() {
            self.close(link);
        }
    }

    fn close(&mut self, link: Link) {
        self.forget(link);
        let out = self.sequencer.closed(link);
        self.perform(out);
    }

    fn forget(&mut self, link: Link) {
        self.connections.remove(&link);
        self.pulses.remove(&link);
    }

    /// Sends everything; connections that fail on the way are closed after it, so that the order stays one order.
    fn perform(&mut self, out: Vec<Outgoing>) {
        let mut todo = VecDeque::from(out);
        while let Some(outgoing) = todo.pop_front() {
            let (links, message) = match outgoing {
                Outgoing::Close(link) => {
                    self.forget(link);
                    todo.extend(self.sequencer.closed(link));
                    continue;
                }
                Outgoing::To(link, message) => (vec![link], message),
                Outgoing::ToAll(links, message) => (links, message),
            };
            let line: Arc<[u8]> = systole_wire::encode(&message).into();
            for link in links {
                let Some(connection) = self.connections.get_mut(&link) else { continue };
                if let Err(error) = connection.send_line(Arc::clone(&line)) {
                    eprintln!("hub: a node is dropped: {error}");
                    self.forget(link);
                    todo.extend(self.sequencer.closed(link));
                }
            }
        }
    }
}
