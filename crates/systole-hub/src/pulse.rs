//! Whether a node that is connected still does anything: one that hangs must not hold up the others.

use std::time::{Duration, Instant};
use systole_wire::ProtocolVersion;

/// A node that has been silent this long is asked for a sign of life.
const ASK_AFTER: Duration = Duration::from_secs(3);

/// A node that has been silent this long is dropped. A busy daemon may think about a large cluster for seconds.
const SILENT_AFTER: Duration = Duration::from_secs(15);

/// The signs of life of one connection.
#[derive(Clone, Copy, Debug)]
pub struct Pulse {
    heard: Instant,
    asked: bool,
    ask_after: Duration,
    silent_after: Duration,
}

/// What is to be done about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// Nothing.
    Fine,
    /// Ask it for a sign of life.
    Ask,
    /// Drop it.
    Silent,
}

impl Default for Pulse {
    fn default() -> Self {
        Self::new()
    }
}

impl Pulse {
    /// A connection that was just made.
    pub fn new() -> Self {
        Self::with_patience(ASK_AFTER, SILENT_AFTER)
    }

    /// The same with other bounds than ours.
    pub fn with_patience(ask_after: Duration, silent_after: Duration) -> Self {
        Self { heard: Instant::now(), asked: false, ask_after, silent_after }
    }

    /// Whether a node of this protocol knows how to answer.
    pub fn is_known_to(protocol: ProtocolVersion) -> bool {
        (protocol.major, protocol.minor) >= (1, 1)
    }

    /// It said something.
    pub fn heard(&mut self) {
        self.heard = Instant::now();
        self.asked = false;
    }

    /// What is to be done now. Asks once in each silence.
    pub fn feel(&mut self) -> Beat {
        let silence = self.heard.elapsed();
        if silence >= self.silent_after {
            Beat::Silent
        } else if silence >= self.ask_after && !std::mem::replace(&mut self.asked, true) {
            Beat::Ask
        } else {
            Beat::Fine
        }
    }

    /// How long until there may be something to do.
    pub fn next_in(&self) -> Duration {
        let next = if self.asked { self.silent_after } else { self.ask_after };
        next.saturating_sub(self.heard.elapsed())
    }
}
