//! What happens to the executor's machine, and what it has done.

use crate::Level;
use systole_types::{OcfRc, OpStatus};
use systole_wire::exec::{AgentName, FromExecutor, Operation, ToExecutor};

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The program started: the first event, exactly once. Effects tell what to do about leftovers.
    Started {
        /// Differs after each boot of the host, and only then.
        boot_id: String,
        /// The bytes of the last [`Effect::Persist`], if any. State of an earlier boot is ignored.
        state: Option<Vec<u8>>,
    },
    /// `systoled` has connected. There is at most one connection; a new one replaces the old.
    Connected,
    /// It has gone. Everything goes on.
    Disconnected,
    /// `systoled` has said something: all that there was to read, so that what it has asked for and taken back since is not begun.
    /// After a time in which the program stood still, this comes before what agents have done meanwhile.
    Messages(Vec<ToExecutor>),
    /// The process for [`Effect::Execute`] runs.
    Spawned {
        /// Which.
        run: RunId,
        /// How the hand finds the process group again after a restart, even if numbers are reused: `PID:START_TIME`.
        process: String,
    },
    /// The process for [`Effect::Execute`] has ended, or could not be started: exactly once for each.
    Exited {
        /// Which.
        run: RunId,
        /// How.
        exit: AgentExit,
    },
    /// What [`Effect::EndLeftover`] names has come to its end, and its result is known.
    LeftoverEnded {
        /// Which.
        process: String,
        /// How.
        exit: AgentExit,
    },
    /// What [`Effect::EndLeftover`] names is gone, and nobody knows how it ended.
    LeftoverGone {
        /// Which.
        process: String,
    },
    /// There is a sign that the resource's state has changed by itself (its container has ended): its monitors take
    /// their turn at once, whatever their interval. What counts is what the monitors say.
    Stirred {
        /// The instance.
        resource: String,
    },
    /// There is a sign that the resource has begun to run (its container has started), perhaps by nobody's order. If nothing is
    /// done to it and nothing watches it some time later, `systoled` is told.
    Appeared {
        /// The instance.
        resource: String,
    },
    /// What came of [`Effect::Describe`].
    Described {
        /// Which agent.
        agent: AgentName,
        /// Its metadata; `None` if it has none to give.
        metadata: Option<String>,
    },
    /// The moment `next_deadline` named has come.
    DeadlineReached,
}

/// What has to be done, in the order given.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Run the agent, in a process group of its own. Say [`Event::Spawned`], then [`Event::Exited`]; or
    /// [`Event::Exited`] alone if it cannot be started (with the status and exit reason that say why).
    Execute {
        /// New for each.
        run: RunId,
        /// What to run: `operation` of `resource` by its agent, with its parameters. Times are the machine's business.
        operation: Box<Operation>,
    },
    /// Signal the process group of a run.
    Kill {
        /// Which.
        run: RunId,
        /// How.
        signal: KillSignal,
    },
    /// The program was restarted and this run may still go on: wait for its end (it has its own limit in time) and say
    /// [`Event::LeftoverEnded`]. If nobody can tell its result, see to it that nothing is left of its process group and
    /// say [`Event::LeftoverGone`].
    EndLeftover {
        /// As given in [`Event::Spawned`].
        process: String,
    },
    /// Have the agent describe itself and say [`Event::Described`], within a few seconds.
    Describe(AgentName),
    /// Tell `systoled`. Dropped if it is not connected.
    Send(FromExecutor),
    /// Keep these bytes over a restart of the program, before the effects that follow are performed. They matter until
    /// the host's next boot only (a file under `/run`). If that fails, log it and go on.
    Persist(Vec<u8>),
    /// Write to the log.
    Log {
        /// How important.
        level: Level,
        /// A sentence.
        message: String,
    },
}

/// One run of an agent, never used twice while the program runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct RunId(pub u64);

/// How an agent's run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentExit {
    /// As an OCF code.
    pub rc: OcfRc,
    /// How the execution went. [`OpStatus::Done`] whenever the agent ran and said something; the machine itself knows
    /// of timeouts.
    pub status: OpStatus,
    /// What the agent, or the hand, said of the reason.
    pub exit_reason: String,
}

/// How to end a process group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KillSignal {
    /// SIGTERM.
    Term,
    /// SIGKILL.
    Kill,
}

impl AgentExit {
    pub(super) fn failed(status: OpStatus, exit_reason: String) -> Self {
        Self { rc: OcfRc::Error, status, exit_reason }
    }

    /// Of a run that an earlier program started.
    pub(super) fn unknown() -> Self {
        Self::failed(OpStatus::NotConnected, "the executor was restarted meanwhile".to_owned())
    }

    pub(super) fn timed_out(operation: &Operation) -> Self {
        let reason = format!("{} did not finish within {} ms", operation.operation, operation.timeout_ms);
        Self::failed(OpStatus::TimedOut, reason)
    }
}
