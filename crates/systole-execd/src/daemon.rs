//! The loop beside `systoled`: receive, handle, perform, sleep until the next deadline.

use crate::executor::Executor;
use anyhow::{Context, Result};
use rustix::fs::chown;
use std::{ffi::OsString, path::PathBuf};
use systole_cluster::{Level, executor::Event};
use systole_link::{Connection, Limits, Listener, Poll, Signals};
use systole_wire::exec::ToExecutor;

/// Bounds of the connection to `systoled`.
const LIMITS: Limits = Limits { line: 16 << 20, unsent: 64 << 20 };

/// Where things are.
#[derive(Clone, Debug)]
pub struct Config {
    /// The socket `systoled` connects to.
    pub socket: PathBuf,
    /// What is remembered over a restart.
    pub state_file: PathBuf,
    /// This boot's name.
    pub boot_id_file: PathBuf,
    /// Where keepers leave results; must not outlive the host's boot.
    pub run_dir: PathBuf,
    /// The directory with `resource.d` in it.
    pub ocf_root: PathBuf,
    /// A program and its arguments that calls [`crate::keep`].
    pub keeper: Vec<OsString>,
    /// Who may connect beside the executor's own user.
    pub user: String,
    /// Whether lines for developers are logged.
    pub verbose: bool,
}

/// Serves until SIGTERM; agents that run then are left alone, as after a kill.
///
/// # Errors
/// If the socket cannot be had or the kernel fails us.
pub fn run(config: &Config) -> Result<()> {
    let stop = Signals::catch(&[15, 2]).context("cannot catch signals")?;
    let listener = Listener::bind(&config.socket, 0o600)
        .with_context(|| format!("cannot listen at {}", config.socket.display()))?;
    let owner = systole_link::user(&config.user).filter(|_| rustix::process::geteuid().is_root());
    if let Some((uid, _)) = owner {
        let uid = Some(rustix::fs::Uid::from_raw(uid));
        chown(&config.socket, uid, None)
            .with_context(|| format!("cannot give the socket to {}", config.user))?;
    }
    let mut daemon = Daemon { executor: Executor::start(config)?, client: None };
    loop {
        let executor = &daemon.executor;
        let mut poll = Poll::new();
        let (stop_idx, listener_idx) = (poll.add(&stop), poll.add(&listener));
        let runs = executor.add_to(&mut poll);
        let client_idx = daemon.client.as_ref().map(|client| poll.add_connection(client));
        let ready = poll.wait(executor.timeout())?;
        if ready.has(stop_idx) {
            executor.log(Level::Info, "told to end; agents that run go on");
            return Ok(());
        }
        // What systoled takes back counts before it would be begun: an agent may have ended while this program stood still.
        if client_idx.is_some_and(|idx| ready.has(idx)) {
            daemon.serve();
        }
        daemon.executor.serve(&ready, &runs);
        if ready.has(listener_idx) {
            daemon.accept(&listener);
        }
        daemon.tell();
    }
}

/// The executor and `systoled`, if that is connected.
struct Daemon {
    executor: Executor,
    client: Option<Connection>,
}

impl Daemon {
    /// Passes on what the executor has said.
    fn tell(&mut self) {
        for message in self.executor.take_said() {
            if let Some(client) = &mut self.client
                && let Err(error) = client.send(&message)
            {
                self.client = None;
                self.executor.log(Level::Warning, &format!("lost systoled: {error}"));
                self.executor.handle(Event::Disconnected);
            }
        }
    }

    fn accept(&mut self, listener: &Listener) {
        // The newest is the one that lives: an older one belongs to a systoled that is gone.
        if let Some(connection) = listener.accept(LIMITS).into_iter().last() {
            if self.client.take().is_some() {
                self.executor.handle(Event::Disconnected);
            }
            // What was said until now was not for the one that comes.
            self.executor.take_said();
            self.client = Some(connection);
            self.executor.log(Level::Info, "systoled has connected");
            self.executor.handle(Event::Connected);
        }
    }

    /// Takes what `systoled` says.
    fn serve(&mut self) {
        let Some(client) = &mut self.client else { return };
        let mut lines = Vec::new();
        let mut fate = client.flush().and_then(|()| client.receive(&mut lines));
        if fate.is_err() {
            // Nobody stands behind it any more: this executor may have hung, and what it was asked for then may be wrong by now. A
            // systoled that is back compares what is known, and asks anew. The end is seen with the first of what was said
            // before it: a socket holds less (`net.core.wmem_default`, some 200 KiB) than is taken at once.
            lines.clear();
        }
        let mut messages = Vec::new();
        for line in lines {
            match systole_wire::decode::<ToExecutor>(&line) {
                Ok(message) => messages.push(message),
                Err(error) => {
                    fate = Err(error.into());
                    break;
                }
            }
        }
        if !messages.is_empty() {
            self.executor.handle(Event::Messages(messages));
        }
        self.tell();
        if let Err(error) = fate
            && self.client.take().is_some()
        {
            self.executor.log(Level::Info, &format!("systoled is gone, agents go on: {error}"));
            self.executor.handle(Event::Disconnected);
        }
    }
}
