//! Whether a node that is connected still does anything: one that hangs must not hold up the others.

use std::time::{Duration, Instant};
use systole_wire::ProtocolVersion;

/// A node that has been silent this long is asked for a sign of life.
const ASK_AFTER: Duration = Duration::from_secs(3);

/// A node that has been silent this long is dropped. A busy daemon may think about a large cluster for seconds.
const SILENT_AFTER: Duration = Duration::from_secs(15);

/// A node that was told of a new membership has to say something to it, which takes no thinking, and the others wait for that.
const OWED_AFTER: Duration = Duration::from_secs(8);

/// The signs of life of one connection.
#[derive(Clone, Copy, Debug)]
pub struct Pulse {
    heard: Instant,
    asked: bool,
    /// Since when the others wait for it to say something.
    owes_since: Option<Instant>,
    ask_after: Duration,
    silent_after: Duration,
    owed_after: Duration,
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
        let owed_after = OWED_AFTER.min(silent_after);
        Self { heard: Instant::now(), asked: false, owes_since: None, ask_after, silent_after, owed_after }
    }

    /// Whether a node of this protocol knows how to answer.
    pub fn is_known_to(protocol: ProtocolVersion) -> bool {
        (protocol.major, protocol.minor) >= (1, 1)
    }

    /// It said something.
    pub fn heard(&mut self) {
        self.heard = Instant::now();
        self.asked = false;
        self.owes_since = None;
    }

    /// It is told of a new membership.
    pub fn owes_a_word(&mut self) {
        self.owes_since.get_or_insert_with(Instant::now);
    }

    /// How long until it has been silent for too long.
    fn silent_in(&self) -> Duration {
        let left = self.silent_after.saturating_sub(self.heard.elapsed());
        let owed = self.owes_since.map(|since| self.owed_after.saturating_sub(since.elapsed()));
        owed.map_or(left, |owed| owed.min(left))
    }

    /// What is to be done now. Asks once in each silence.
    pub fn feel(&mut self) -> Beat {
        if self.silent_in().is_zero() {
            Beat::Silent
        } else if self.heard.elapsed() >= self.ask_after && !std::mem::replace(&mut self.asked, true) {
            Beat::Ask
        } else {
            Beat::Fine
        }
    }

    /// How long until there may be something to do.
    pub fn next_in(&self) -> Duration {
        let ask = (!self.asked).then(|| self.ask_after.saturating_sub(self.heard.elapsed()));
        ask.map_or_else(|| self.silent_in(), |ask| ask.min(self.silent_in()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    #[test]
    fn a_node_that_has_to_speak_to_a_new_membership_is_given_less_time() {
        let mut pulse = Pulse { owed_after: Duration::ZERO, ..Pulse::with_patience(LONG, LONG) };
        assert_eq!(pulse.feel(), Beat::Fine);
        pulse.owes_a_word();
        assert_eq!((pulse.feel(), pulse.next_in()), (Beat::Silent, Duration::ZERO));
        pulse.heard();
        assert_eq!(pulse.feel(), Beat::Fine);
        assert!(pulse.next_in() > OWED_AFTER);
    }

    #[test]
    fn one_membership_after_the_other_gives_no_more_time() {
        let mut pulse = Pulse::with_patience(LONG, LONG);
        pulse.owes_a_word();
        let since = pulse.owes_since;
        pulse.owes_a_word();
        assert_eq!(pulse.owes_since, since);
    }
}
