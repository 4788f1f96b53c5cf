//! The hub's hands: one thread, many sockets.

use crate::{Link, Outgoing, Sequencer};
use std::{
    collections::{BTreeMap, VecDeque},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};
use systole_link::{Connection, Limits, Listener, Poll, Signals};
use systole_wire::hub::ToHub;

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
    last_link: Link,
    limits: Limits,
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
            listener,
            sequencer: Sequencer::new(names),
            connections: BTreeMap::new(),
            last_link: 0,
            limits: LIMITS,
        })
    }

    /// The same hub with other bounds than [`LIMITS`].
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
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
            let ready = poll.wait(None)?;
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
        }
    }

    fn accept(&mut self) {
        for connection in self.listener.accept(self.limits) {
            self.last_link += 1;
            self.connections.insert(self.last_link, connection);
        }
    }

    /// Takes what `link` says; whoever does not follow is dropped.
    fn serve(&mut self, link: Link) {
        let Some(connection) = self.connections.get_mut(&link) else { return };
        let mut lines = Vec::new();
        let fate = connection.flush().and_then(|()| connection.receive(&mut lines));
        for line in lines {
            match systole_wire::decode::<ToHub>(&line) {
                Ok(message) => {
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
        self.connections.remove(&link);
        let out = self.sequencer.closed(link);
        self.perform(out);
    }

    /// Sends everything; connections that fail on the way are closed after it, so that the order stays one order.
    fn perform(&mut self, out: Vec<Outgoing>) {
        let mut todo = VecDeque::from(out);
        while let Some(outgoing) = todo.pop_front() {
            let (links, message) = match outgoing {
                Outgoing::Close(link) => {
                    self.connections.remove(&link);
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
                    self.connections.remove(&link);
                    todo.extend(self.sequencer.closed(link));
                }
            }
        }
    }
}
