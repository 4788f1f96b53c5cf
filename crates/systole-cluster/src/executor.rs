//! The executor's machine: which agent runs when, and what is told of it.

use crate::Level;
use systole_types::{Monotonic, Now, OcfRc, OpStatus};
use systole_wire::exec::{FromExecutor, Operation, ToExecutor};

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
    /// `systoled` says something.
    Message(ToExecutor),
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
    /// No process is left of the group named in [`Effect::KillLeftover`].
    LeftoverGone {
        /// Which.
        process: String,
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
    /// The program was restarted and this process group may still run: kill it (SIGKILL), and say
    /// [`Event::LeftoverGone`] once there is none of it. At once, if there is none.
    KillLeftover {
        /// As given in [`Event::Spawned`].
        process: String,
    },
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

/// The executor's machine.
#[derive(Debug, Default)]
pub struct ExecutorMachine {}

impl ExecutorMachine {
    /// A machine that waits for [`Event::Started`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in what happened and says what to do, in that order.
    pub fn handle(&mut self, now: Now, event: Event) -> Vec<Effect> {
        let _ = (now, event);
        Vec::new()
    }

    /// When the next [`Event::DeadlineReached`] is due.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        None
    }
}
