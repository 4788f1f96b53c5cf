//! Agents that run, a thread each.

use crate::{leftover, process::ProcessName};
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    collections::BTreeMap,
    io,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};
use systole_agents::{AgentCall, Host, Outcome};
use systole_cluster::executor::{AgentExit, Event, KillSignal, RunId};
use systole_link::Waker;
use systole_types::{OcfRc, OpStatus};
use systole_wire::exec::Operation;

/// The machine ends a run at its timeout; should it ever fail to, the hand does, this much later.
const BACKSTOP: Duration = Duration::from_secs(10);

/// Enough for a thread that waits for a process.
const STACK_BYTES: usize = 256 << 10;

/// Runs agents and tells what becomes of them.
///
/// The channel is bounded by the number of runs, which the machine bounds.
pub(crate) struct Runner {
    host: Arc<Host>,
    waker: Waker,
    sender: Sender<Event>,
    receiver: Receiver<Event>,
    runs: BTreeMap<RunId, Run>,
}

/// One run.
#[derive(Default)]
struct Run {
    /// Its present process group; shared with the thread that waits for it.
    group: Arc<Mutex<Option<u32>>>,
    /// It was told to end, so nothing of its group may stay.
    killed: bool,
}

impl Runner {
    pub(crate) fn new(host: Host, waker: Waker) -> Self {
        let (sender, receiver) = channel();
        Self { host: Arc::new(host), waker, sender, receiver, runs: BTreeMap::new() }
    }

    /// What happened since the last call.
    pub(crate) fn next_event(&mut self) -> Option<Event> {
        let event = self.receiver.try_recv().ok()?;
        if let Event::Exited { run, .. } = &event
            && let Some(ended) = self.runs.remove(run)
            && ended.killed
        {
            ended.signal(Signal::KILL);
        }
        Some(event)
    }

    pub(crate) fn execute(&mut self, run: RunId, operation: &Operation) {
        let group = Arc::clone(&self.runs.entry(run).or_default().group);
        let (host, waker, sender) = (Arc::clone(&self.host), self.waker.clone(), self.sender.clone());
        let call = agent_call(operation);
        let work = move || {
            let outcome = host.run(&call, &mut |pid| {
                *group.lock().unwrap_or_else(PoisonError::into_inner) = Some(pid);
                // A process that is gone already has no name to be remembered by, and needs none.
                if let Some(name) = ProcessName::of(pid) {
                    let _ = sender.send(Event::Spawned { run, process: name.to_string() });
                    waker.wake();
                }
            });
            let _ = sender.send(Event::Exited { run, exit: agent_exit(outcome) });
            waker.wake();
        };
        if let Err(error) = spawn("agent", work) {
            let exit_reason = format!("cannot start a thread: {error}");
            let exit = AgentExit { rc: OcfRc::Error, status: OpStatus::Error, exit_reason };
            let _ = self.sender.send(Event::Exited { run, exit });
            self.waker.wake();
        }
    }

    pub(crate) fn kill(&mut self, run: RunId, signal: KillSignal) {
        if let Some(run) = self.runs.get_mut(&run) {
            run.killed = true;
            run.signal(match signal {
                KillSignal::Term => Signal::TERM,
                KillSignal::Kill => Signal::KILL,
            });
        }
    }

    /// Ends what an earlier executor left running, and says when it is gone.
    pub(crate) fn kill_leftover(&mut self, process: String) {
        let (waker, sender) = (self.waker.clone(), self.sender.clone());
        let gone = Event::LeftoverGone { process: process.clone() };
        let work = move || {
            if let Ok(name) = process.parse() {
                leftover::end(&name);
            }
            let _ = sender.send(gone);
            waker.wake();
        };
        if let Err(error) = spawn("leftover", work) {
            eprintln!("error: cannot start a thread to end a leftover process: {error}");
        }
    }
}

impl Run {
    fn signal(&self, signal: Signal) {
        let group = *self.group.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pgid) = group.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw) {
            // That it is gone already is what we want.
            let _ = kill_process_group(pgid, signal);
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name.to_owned()).stack_size(STACK_BYTES).spawn(work).map(drop)
}

fn agent_call(operation: &Operation) -> AgentCall {
    AgentCall {
        class: operation.class.clone(),
        provider: operation.provider.clone(),
        agent: operation.agent.clone(),
        instance: operation.resource.clone(),
        action: operation.operation.clone(),
        parameters: operation.parameters.clone(),
        timeout: Duration::from_millis(operation.timeout_ms).saturating_add(BACKSTOP),
    }
}

fn agent_exit(outcome: Outcome) -> AgentExit {
    AgentExit { rc: outcome.rc, status: outcome.status, exit_reason: outcome.exit_reason }
}
