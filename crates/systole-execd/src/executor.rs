//! The executor's machine with its hands: processes, a file under `/run`, a clock. Whom it talks to is left to others.

use crate::{
    Config,
    containers::{ContainerWatch, Sign},
    description::Descriptions,
    keeper::replace_file,
    runner::Runner,
    watch::ProcessWatch,
};
use anyhow::{Context, Result};
use std::{
    collections::VecDeque,
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};
use systole_cluster::{
    Level,
    executor::{Effect, Event, ExecutorMachine},
};
use systole_link::{Clock, Poll, Ready, Signals, boot_id, waker};
use systole_wire::exec::FromExecutor;

/// The machine and what it works with.
pub(crate) struct Executor {
    machine: ExecutorMachine,
    clock: Clock,
    runner: Runner,
    descriptions: Descriptions,
    wakes: Signals,
    containers: ContainerWatch,
    processes: ProcessWatch,
    state_file: PathBuf,
    verbose: bool,
    /// Not passed on yet.
    said: Vec<FromExecutor>,
}

/// What [`Executor::add_to`] added.
pub(crate) struct Added {
    wakes: usize,
    runs: Vec<(systole_cluster::executor::RunId, usize)>,
    leftovers: Vec<usize>,
    containers: usize,
    processes: Vec<(usize, usize)>,
}

impl Executor {
    /// Takes up what an earlier executor left.
    pub(crate) fn start(config: &Config) -> Result<Self> {
        // What agents create is not for everybody: the mask Pacemaker gives them.
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o026));
        let (waker, wakes) = waker()?;
        let mut executor = Self {
            machine: ExecutorMachine::new(),
            clock: Clock::new(),
            descriptions: Descriptions::new(config, waker.clone()),
            runner: Runner::new(config, waker)
                .with_context(|| format!("cannot make the directory {}", config.run_dir.display()))?,
            wakes,
            containers: ContainerWatch::new().context("cannot watch containers")?,
            processes: ProcessWatch::resume(config.state_file.with_extension("processes")),
            state_file: config.state_file.clone(),
            verbose: config.verbose,
            said: Vec::new(),
        };
        let boot_id = boot_id(&config.boot_id_file)
            .with_context(|| format!("cannot read or make {}", config.boot_id_file.display()))?;
        executor.handle(Event::Started { boot_id, state: read_state(&config.state_file) });
        executor.runner.sweep();
        Ok(executor)
    }

    /// Adds what the loop has to wait for.
    pub(crate) fn add_to<'a>(&'a self, poll: &mut Poll<'a>) -> Added {
        let wakes = poll.add(&self.wakes);
        let (runs, leftovers) = self.runner.add_to(poll);
        let (containers, processes) = (poll.add(&self.containers), self.processes.add_to(poll));
        Added { wakes, runs, leftovers, containers, processes }
    }

    /// How long the loop may sleep at most.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        let machine = self.clock.until(self.machine.next_deadline());
        [machine, self.processes.patience_left()].into_iter().flatten().min()
    }

    /// The clock the machine goes by.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Does what has become possible.
    pub(crate) fn serve(&mut self, ready: &Ready, added: &Added) {
        self.processes.serve(ready, &added.processes);
        if ready.has(added.wakes) {
            self.wakes.drain();
        }
        self.runner.serve(ready, &added.runs, &added.leftovers);
        while let Some(event) = self.runner.next_event() {
            self.handle(event);
        }
        self.runner.forget_read();
        for (agent, metadata) in self.descriptions.take() {
            self.handle(Event::Described { agent, metadata });
        }
        if ready.has(added.containers) {
            for (sign, resource) in self.containers.signs() {
                match sign {
                    Sign::Ended => {
                        self.processes.forget(&resource);
                        let message =
                            format!("the container of {resource} seems to have ended: its monitors run now");
                        self.log(Level::Info, &message);
                        self.handle(Event::Stirred { resource });
                    }
                    Sign::Started => self.handle(Event::Appeared { resource }),
                }
            }
        }
        self.follow_signs();
        if self.clock.is_due(self.machine.next_deadline()) {
            self.handle(Event::DeadlineReached);
        }
    }

    /// Brings forward the monitors of what there is a sign of.
    fn follow_signs(&mut self) {
        for (resource, process) in self.processes.signs() {
            let message = format!("process {} of {resource} has ended: its monitors run now", process.pid);
            self.log(Level::Info, &message);
            self.handle(Event::Stirred { resource });
        }
    }

    /// Hands `event` to the machine and does what it says; so with the events that come of that.
    pub(crate) fn handle(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let spawned = match &event {
                Event::Spawned { run, .. } => Some(*run),
                _ => None,
            };
            for effect in self.machine.handle(self.clock.now(), event) {
                self.perform(effect);
            }
            // The machine has it kept now where its process is.
            if let Some(run) = spawned {
                self.runner.release(run);
            }
            while let Some(event) = self.runner.next_event() {
                events.push_back(event);
            }
        }
        for found in self.runner.take_found() {
            self.processes.watch(found);
        }
    }

    /// What the machine has said since the last call.
    pub(crate) fn take_said(&mut self) -> Vec<FromExecutor> {
        std::mem::take(&mut self.said)
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Execute { run, operation } => {
                self.containers.learn(&operation);
                self.processes.learn(&operation);
                self.runner.execute(run, *operation);
            }
            Effect::Kill { run, signal } => self.runner.kill(run, signal),
            Effect::EndLeftover { process } => self.runner.end_leftover(process),
            Effect::Describe(agent) => self.descriptions.ask(agent),
            Effect::Send(message) => self.said.push(message),
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

    pub(crate) fn log(&self, level: Level, message: &str) {
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
