//! A connection the daemon keeps up: to the hub or the executor.

use std::{
    io,
    path::PathBuf,
    time::{Duration, Instant},
};
use systole_link::{Connection, Limits};

/// How long to wait between attempts to connect.
const RETRY: Duration = Duration::from_millis(100);

/// One end of a connection that is made again whenever it breaks.
pub(crate) struct Peer {
    path: PathBuf,
    limits: Limits,
    connection: Option<Connection>,
    retry_at: Option<Instant>,
    /// Whether the failure to connect was logged already.
    complained: bool,
}

/// What came of an attempt.
pub(crate) enum Attempt {
    /// It is up now.
    Connected,
    /// It is not; the error is there the first time only.
    Failed(Option<io::Error>),
}

impl Peer {
    pub(crate) fn new(path: PathBuf, limits: Limits) -> Self {
        Self { path, limits, connection: None, retry_at: Some(Instant::now()), complained: false }
    }

    pub(crate) fn connection(&self) -> Option<&Connection> {
        self.connection.as_ref()
    }

    pub(crate) fn connection_mut(&mut self) -> Option<&mut Connection> {
        self.connection.as_mut()
    }

    /// How long until the next attempt is due.
    pub(crate) fn retry_in(&self) -> Option<Duration> {
        self.retry_at.map(|at| at.saturating_duration_since(Instant::now()))
    }

    /// Tries to connect, if it is time.
    pub(crate) fn attempt(&mut self) -> Option<Attempt> {
        if self.retry_at.is_none_or(|at| Instant::now() < at) {
            return None;
        }
        Some(match Connection::connect(&self.path, self.limits) {
            Ok(connection) => {
                self.connection = Some(connection);
                self.retry_at = None;
                self.complained = false;
                Attempt::Connected
            }
            Err(error) => {
                self.retry_at = Some(Instant::now() + RETRY);
                Attempt::Failed((!std::mem::replace(&mut self.complained, true)).then_some(error))
            }
        })
    }

    /// Ends the connection, and makes none before `pause` is over.
    pub(crate) fn stay_away(&mut self, pause: Duration) {
        self.connection = None;
        self.retry_at = Some(Instant::now() + pause);
    }

    /// The connection is of no more use. True if there was one.
    pub(crate) fn lose(&mut self) -> bool {
        self.retry_at.get_or_insert_with(|| Instant::now() + RETRY);
        self.connection.take().is_some()
    }
}
