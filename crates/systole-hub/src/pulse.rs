//! Whether a node that is connected still does anything: one that hangs must not hold up the others.
//!
//! A daemon that is silent may hang, or think about a large cluster, or be kept from the processor by others. The kernel knows which: the
//! first gets nothing done and wants nothing, see [`Work`]. It is dropped much earlier.

use std::time::{Duration, Instant};
use systole_link::Work;
use systole_wire::ProtocolVersion;

/// How long a connection may be silent.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// One that has been silent this long is asked for a sign of life.
    pub ask_after: Duration,
    /// One that has been silent this long, and idle since, is dropped.
    pub idle_after: Duration,
    /// One that has been silent this long is dropped, whatever it does.
    pub silent_after: Duration,
}

impl Patience {
    /// What every cluster layer here has.
    pub const USUAL: Self = Self {
        ask_after: Duration::from_secs(2),
        idle_after: Duration::from_secs(5),
        silent_after: Duration::from_secs(15),
    };
}

/// How often one that does not answer is looked at, at least. However much later that is done, no more than this counts: whoever looks
/// may have been kept from it, and then so was the other.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The signs of life of one connection.
#[derive(Clone, Copy, Debug)]
pub struct Pulse {
    patience: Patience,
    felt: Instant,
    /// How long it has said nothing.
    silent: Duration,
    /// How long of that it has done nothing either.
    idle: Duration,
    asked: bool,
    /// What it was seen to do last.
    work: Option<Work>,
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

impl Pulse {
    /// A connection that was just made.
    pub fn new(patience: Patience, now: Instant) -> Self {
        Self { patience, felt: now, silent: Duration::ZERO, idle: Duration::ZERO, asked: false, work: None }
    }

    /// Whether a node of this protocol knows how to answer.
    pub fn is_known_to(protocol: ProtocolVersion) -> bool {
        (protocol.major, protocol.minor) >= (1, 1)
    }

    /// It said something.
    pub fn heard(&mut self, now: Instant) {
        *self = Self::new(self.patience, now);
    }

    /// What is to be done now. Asks once in each silence; whoever was asked is looked at. `None`: that cannot be seen.
    pub fn feel(&mut self, now: Instant, look: impl FnOnce() -> Option<Work>) -> Beat {
        let passed = now.saturating_duration_since(self.felt);
        let counts =
            if self.asked { passed.min(LOOK_EVERY * 2) } else { passed.min(self.patience.ask_after) };
        self.felt = now;
        self.silent += counts;
        self.idle += counts;
        if self.silent < self.patience.ask_after {
            return Beat::Fine;
        }
        let work = look();
        let before = std::mem::replace(&mut self.work, work);
        if work.is_none_or(|work| work.is_on(before)) {
            self.idle = Duration::ZERO;
        }
        if !std::mem::replace(&mut self.asked, true) {
            Beat::Ask
        } else if self.silent >= self.patience.silent_after || self.idle >= self.patience.idle_after {
            Beat::Silent
        } else {
            Beat::Fine
        }
    }

    /// How long until there may be something to do.
    pub fn next_in(&self, now: Instant) -> Duration {
        let span = if self.asked { LOOK_EVERY } else { self.patience.ask_after.saturating_sub(self.silent) };
        span.saturating_sub(now.saturating_duration_since(self.felt))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use systole_link::Doing;

    /// When a daemon that says nothing is dropped, in milliseconds, if it is looked at whenever that is due.
    fn dropped_after(mut look: impl FnMut(u64) -> Option<Work>) -> u64 {
        let start = Instant::now();
        let mut pulse = Pulse::new(Patience::USUAL, start);
        let (mut now, mut n_asked) = (start, 0);
        loop {
            now += pulse.next_in(now);
            let ms = now.duration_since(start).as_millis() as u64;
            match pulse.feel(now, || look(ms)) {
                Beat::Fine => {}
                Beat::Ask => n_asked += 1,
                Beat::Silent => {
                    assert_eq!(n_asked, 1);
                    return ms;
                }
            }
        }
    }

    fn work(doing: Doing, cpu_ticks: u64) -> Option<Work> {
        Some(Work { doing, cpu_ticks })
    }

    #[test]
    fn who_hangs_is_dropped_early_and_who_works_is_not() {
        for (what, look, after) in [
            ("stopped", (|_| work(Doing::Stopped, 7)) as fn(u64) -> Option<Work>, 5000),
            ("waits for something else", |_| work(Doing::Sleeping, 7), 5000),
            ("thinks", |ms| work(Doing::Running, ms), 15_000),
            ("thinks and waits for memory in between", |ms| work(Doing::Sleeping, ms), 15_000),
            ("gets no processor", |_| work(Doing::Running, 7), 15_000),
            ("waits for a disk", |_| work(Doing::Blocked, 7), 15_000),
            ("cannot be seen", |_| None, 15_000),
            ("works for ten seconds, then hangs", |ms| work(Doing::Sleeping, ms.min(9_900)), 15_000),
            ("works for four seconds, then hangs", |ms| work(Doing::Sleeping, ms.min(4_000)), 9000),
        ] {
            assert_eq!(dropped_after(look), after, "one that {what}");
        }
    }

    #[test]
    fn time_in_which_nobody_looked_does_not_count() {
        let start = Instant::now();
        let mut pulse = Pulse::new(Patience::USUAL, start);
        let hung = || work(Doing::Stopped, 7);
        let at = |secs| start + Duration::from_secs(secs);
        assert_eq!(pulse.feel(at(60), hung), Beat::Ask);
        assert_eq!(pulse.feel(at(120), hung), Beat::Fine);
        pulse.heard(at(120));
        assert_eq!(pulse.feel(at(121), hung), Beat::Fine);
    }
}
