//! The connection to the executor, and whether there is still somebody at its other end.
//!
//! An executor that hangs keeps its socket open: it is asked for a sign of life, which it gives from the loop that does all its
//! work. One that gives none is taken for away and its connection is closed, so that what was said there is not
//! carried out should it go on; it is connected to again, and counts as there once it has said welcome.

use crate::peer::{Attempt, Peer};
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};
use systole_hub::{Beat, Patience, Pulse};
use systole_link::{Connection, Limits};
use systole_wire::{ProtocolVersion, exec::FromExecutor};

/// Bounds of the connection.
const LIMITS: Limits = Limits { line: 16 << 20, unsent: 64 << 20 };

/// Nothing of a node is given up by this, so it may take longer than with who holds up others: an executor that was stopped for a
/// moment, or waits for a disk, is not to be planned around.
const PATIENCE: Patience = Patience {
    ask_after: Duration::from_secs(5),
    idle_after: Duration::from_secs(15),
    silent_after: Duration::from_secs(60),
};

/// Since when executors answer [`systole_wire::exec::ToExecutor::Ping`].
const ASKABLE: ProtocolVersion = ProtocolVersion { major: 1, minor: 8 };

/// The executor, as far as it can be heard.
pub(crate) struct Executor {
    peer: Peer,
    patience: Patience,
    /// Of one that has been connected to and has not said that it is of a kind that cannot be asked.
    pulse: Option<Pulse>,
    has_said_welcome: bool,
    /// Whether it was told that it does not answer, and it has not since.
    complained: bool,
}

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Check {
    /// Nothing.
    Fine,
    /// Ask it for a sign of life.
    Ask,
    /// It does not answer, and its connection is closed: whether it was there by its word, and whether this is not known yet.
    Silent { was_there: bool, is_news: bool },
}

impl Executor {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            peer: Peer::new(path, LIMITS),
            patience: PATIENCE,
            pulse: None,
            has_said_welcome: false,
            complained: false,
        }
    }

    pub(crate) fn peer_mut(&mut self) -> &mut Peer {
        &mut self.peer
    }

    pub(crate) fn connection(&self) -> Option<&Connection> {
        self.peer.connection()
    }

    /// Until when there is nothing to do unless it says something.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        let pulse = self.pulse.as_ref().map(|pulse| pulse.next_in(Instant::now()));
        self.peer.retry_in().into_iter().chain(pulse).min()
    }

    /// Tries to connect, if it is time.
    pub(crate) fn attempt(&mut self) -> Option<Attempt> {
        let attempt = self.peer.attempt();
        if matches!(attempt, Some(Attempt::Connected)) {
            self.pulse = Some(Pulse::new(self.patience, Instant::now()));
            self.has_said_welcome = false;
        }
        attempt
    }

    /// It said something.
    pub(crate) fn heard(&mut self, message: &FromExecutor) {
        if let FromExecutor::Welcome { protocol, .. } = message {
            (self.has_said_welcome, self.complained) = (true, false);
            if *protocol < ASKABLE {
                self.pulse = None;
            }
        }
        if let Some(pulse) = &mut self.pulse {
            pulse.heard(Instant::now());
        }
    }

    /// The connection is of no more use. True if there was one.
    pub(crate) fn lose(&mut self) -> bool {
        self.pulse = None;
        self.peer.lose()
    }

    /// Looks whether it is still there.
    pub(crate) fn check(&mut self) -> Check {
        let (Some(pulse), Some(connection)) = (&mut self.pulse, self.peer.connection()) else {
            return Check::Fine;
        };
        match pulse.feel(Instant::now(), || connection.peer_work()) {
            // Before its welcome it is not known what it can be asked, and the welcome is what it owes.
            Beat::Ask if self.has_said_welcome => Check::Ask,
            Beat::Ask | Beat::Fine => Check::Fine,
            Beat::Silent => {
                self.lose();
                let is_news = !std::mem::replace(&mut self.complained, true);
                Check::Silent { was_there: std::mem::take(&mut self.has_said_welcome), is_news }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{os::unix::net::UnixListener, thread};

    fn welcome(minor: u16) -> FromExecutor {
        FromExecutor::Welcome {
            protocol: ProtocolVersion { major: 1, minor },
            boot_id: "boot".into(),
            recurring: Vec::new(),
            in_flight: Vec::new(),
            unacknowledged: Vec::new(),
            last_call: 0,
            last_number: 0,
            acknowledged: 0,
        }
    }

    /// What is done about an executor that says these messages and then nothing, in order, for half a second.
    fn done_about(says: &[FromExecutor]) -> Vec<Check> {
        let path =
            std::env::temp_dir().join(format!("systoled-executor-{}-{}", std::process::id(), says.len()));
        let _ = std::fs::remove_file(&path);
        let _listener = UnixListener::bind(&path).expect("a socket");
        let ms = Duration::from_millis;
        let patience = Patience { ask_after: ms(20), idle_after: ms(60), silent_after: ms(150) };
        let mut executor = Executor { patience, ..Executor::new(path.clone()) };
        assert!(matches!(executor.attempt(), Some(Attempt::Connected)));
        says.iter().for_each(|message| executor.heard(message));
        let mut done = Vec::new();
        for _ in 0..100 {
            thread::sleep(ms(5));
            match executor.check() {
                Check::Fine => {}
                check => done.push(check),
            }
        }
        let _ = std::fs::remove_file(&path);
        assert_eq!(executor.connection().is_none(), done.iter().any(|check| *check != Check::Ask));
        done
    }

    #[test]
    fn one_that_says_nothing_is_asked_once_and_then_given_up() {
        let silent = |was_there| Check::Silent { was_there, is_news: true };
        assert_eq!(done_about(&[]), [silent(false)], "before its welcome there is nothing to ask");
        assert_eq!(done_about(&[welcome(8)]), [Check::Ask, silent(true)]);
    }

    #[test]
    fn one_of_an_older_version_is_not_asked() {
        assert_eq!(done_about(&[welcome(7), welcome(7)]), []);
    }
}
