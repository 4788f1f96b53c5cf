//! The loop: receive, handle, perform, sleep until the next deadline.

use crate::{containers::ContainerWatch, keeper::replace_file, runner::Runner};
use anyhow::{Context, Result};
use rustix::fs::chown;
use std::{
    collections::VecDeque,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};
use systole_cluster::{
    Level,
    executor::{Effect, Event, ExecutorMachine},
};
use systole_link::{Clock, Connection, Limits, Listener, Poll, Signals, boot_id, waker};
use systole_wire::exec::{FromExecutor, ToExecutor};

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
    // What agents create is not for everybody: the mask Pacemaker gives them.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o026));
    let stop = Signals::catch(&[15, 2]).context("cannot catch signals")?;
    let listener = Listener::bind(&config.socket, 0o600)
        .with_context(|| format!("cannot listen at {}", config.socket.display()))?;
    let owner = systole_link::user(&config.user).filter(|_| rustix::process::geteuid().is_root());
    if let Some((uid, _)) = owner {
        let uid = Some(rustix::fs::Uid::from_raw(uid));
        chown(&config.socket, uid, None)
            .with_context(|| format!("cannot give the socket to {}", config.user))?;
    }
    let (waker, wakes) = waker()?;
    let mut executor = Executor {
        machine: ExecutorMachine::new(),
        clock: Clock::new(),
        runner: Runner::new(config, waker)
            .with_context(|| format!("cannot make the directory {}", config.run_dir.display()))?,
        containers: ContainerWatch::new().context("cannot watch for containers that end")?,
        client: None,
        state_file: config.state_file.clone(),
        verbose: config.verbose,
    };
    let boot_id = boot_id(&config.boot_id_file)
        .with_context(|| format!("cannot read or make {}", config.boot_id_file.display()))?;
    executor.handle(Event::Started { boot_id, state: read_state(&config.state_file) });
    executor.runner.sweep();
    loop {
        let mut poll = Poll::new();
        let (stop_idx, wakes_idx, listener_idx) = (poll.add(&stop), poll.add(&wakes), poll.add(&listener));
        let (runs, leftovers) = executor.runner.add_to(&mut poll);
        let containers_idx = poll.add(&executor.containers);
        let client_idx = executor.client.as_ref().map(|client| poll.add_connection(client));
        let ready = poll.wait(executor.clock.until(executor.machine.next_deadline()))?;
        if ready.has(stop_idx) {
            executor.log(Level::Info, "told to end; agents that run go on");
            return Ok(());
        }
        if ready.has(wakes_idx) {
            wakes.drain();
        }
        executor.runner.serve(&ready, &runs, &leftovers);
        executor.handle_runs();
        if ready.has(containers_idx) {
            for resource in executor.containers.ended() {
                executor.handle(Event::Stirred { resource });
            }
        }
        if client_idx.is_some_and(|idx| ready.has(idx)) {
            executor.serve();
        }
        if ready.has(listener_idx) {
            executor.accept(&listener);
        }
        if executor.clock.is_due(executor.machine.next_deadline()) {
            executor.handle(Event::DeadlineReached);
        }
    }
}

struct Executor {
    machine: ExecutorMachine,
    clock: Clock,
    runner: Runner,
    containers: ContainerWatch,
    client: Option<Connection>,
    state_file: PathBuf,
    verbose: bool,
}

impl Executor {
    /// Hands `event` to the machine and does what it says; so with the events that come of that.
    fn handle(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let spawned = match &event {
                Event::Spawned { run, .. } => Some(*run),
                _ => None,
            };
            for effect in self.machine.handle(self.clock.now(), event) {
                self.perform(effect, &mut events);
            }
            // The machine has it kept now where its process is.
            if let Some(run) = spawned {
                self.runner.release(run);
            }
            while let Some(event) = self.runner.next_event() {
                events.push_back(event);
            }
        }
    }

    /// Hands over what became of runs.
    fn handle_runs(&mut self) {
        while let Some(event) = self.runner.next_event() {
            self.handle(event);
        }
        self.runner.forget_read();
    }

    fn perform(&mut self, effect: Effect, events: &mut VecDeque<Event>) {
        match effect {
            Effect::Execute { run, operation } => {
                self.containers.learn(&operation);
                self.runner.execute(run, *operation);
            }
            Effect::Kill { run, signal } => self.runner.kill(run, signal),
            Effect::EndLeftover { process } => self.runner.end_leftover(process),
            Effect::Send(message) => self.send(&message, events),
            Effect::Persist(bytes) => {
                if let Err(error) = replace_file(&self.state_file, &bytes) {
                    let path = self.state_file.display();
                    self.log(
                        Level::Error,
                        &format!("cannot write {path}, a restart would forget what runs: {error}"),
                    );
                }
            }
            Effect::Log { level, message } => self.log(level, &message),
        }
    }

    fn send(&mut self, message: &FromExecutor, events: &mut VecDeque<Event>) {
        if let Some(client) = &mut self.client
            && let Err(error) = client.send(message)
        {
            self.client = None;
            self.log(Level::Warning, &format!("lost systoled: {error}"));
            events.push_back(Event::Disconnected);
        }
    }

    fn accept(&mut self, listener: &Listener) {
        // The newest is the one that lives: an older one belongs to a systoled that is gone.
        if let Some(connection) = listener.accept(LIMITS).into_iter().last() {
            if self.client.replace(connection).is_some() {
                self.handle(Event::Disconnected);
            }
            self.log(Level::Info, "systoled has connected");
            self.handle(Event::Connected);
        }
    }

    /// Takes what `systoled` says.
    fn serve(&mut self) {
        let Some(client) = &mut self.client else { return };
        let mut lines = Vec::new();
        let mut fate = client.flush().and_then(|()| client.receive(&mut lines));
        for line in lines {
            match systole_wire::decode::<ToExecutor>(&line) {
                Ok(message) => self.handle(Event::Message(message)),
                Err(error) => {
                    fate = Err(error.into());
                    break;
                }
            }
        }
        if let Err(error) = fate
            && self.client.take().is_some()
        {
            self.log(Level::Info, &format!("systoled is gone, agents go on: {error}"));
            self.handle(Event::Disconnected);
        }
    }

    fn log(&self, level: Level, message: &str) {
        if level > Level::Debug || self.verbose {
            systole_link::log_line("execd", level, message);
        }
    }
}

fn read_state(path: &Path) -> Option<Vec<u8>> {
    match fs::read(path) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            eprintln!("error: cannot read {}, starting as if nothing ran: {error}", path.display());
            None
        }
    }
}
