//! Sockets of libqb, as Pacemaker's daemons offer them: stock tools on this host connect here. The daemon passes on what
//! they say; see `docs/decisions/libqb-over-sockets.md`.
//!
//! Whoever is not root, `hacluster` or in the group `haclient` is turned away. Every buffer has a limit, and a tool that
//! does not read is let go; each gets only so much attention in a round.

mod doors;
mod guest;

use doors::Door;
pub use doors::{Names, socket_names};
use guest::{Guest, Heard};
use rustix::io::Errno;
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use systole_cluster::remote::server::{MAX_TOOLS, StockRequest, ToolId};
use systole_link::{Poll, Ready};
use systole_wire::libqb::WATCHER;

/// The longest datagram. A longer one is cut, and refused for that.
const MAX_DATAGRAM: usize = 1 << 20;

/// How much may wait for all tools together, in bytes.
const MAX_UNSENT: usize = 128 << 20;

/// How long a tool may take to greet.
const GREETING: Duration = Duration::from_secs(5);

/// How many tools may be about to greet. The one that hesitates longest makes room for one more.
const MAX_STRANGERS: usize = 64;

/// After how long a tool hesitates. Greeting is the first thing it does.
const HESITATION: Duration = Duration::from_millis(200);

/// How many connections are taken up before those that stand have their turn.
const ACCEPT_AT_ONCE: usize = 64;

/// Every door, and who has come in.
pub(super) struct Counter {
    doors: Vec<Door>,
    strangers: Vec<Stranger>,
    guests: BTreeMap<ToolId, Guest>,
    /// Datagrams are received into it.
    buffer: Vec<u8>,
    /// [`MAX_UNSENT`].
    max_unsent: usize,
}

/// Somebody who has not greeted yet.
struct Stranger {
    guest: Guest,
    since: Instant,
}

/// What [`Counter::add_to`] added.
pub(super) struct Added {
    doors: Vec<usize>,
    strangers: Vec<usize>,
    guests: Vec<(ToolId, Vec<usize>)>,
}

/// Something a stock tool does.
pub(super) enum Visit {
    /// It has greeted and waits for the answer: [`Counter::welcome`], unless it is dropped.
    Connected {
        tool: ToolId,
        user: String,
        service: &'static str,
    },
    Asks {
        tool: ToolId,
        request: StockRequest,
    },
    Gone(ToolId),
}

impl Counter {
    /// Listens for every service. What of it does not succeed is said in the second part.
    pub(super) fn open(names: &Names) -> (Self, Vec<String>) {
        guest::sweep();
        let (doors, complaints) = doors::open(names);
        let buffer = vec![0; MAX_DATAGRAM];
        let (strangers, guests) = (Vec::new(), BTreeMap::new());
        (Self { doors, strangers, guests, buffer, max_unsent: MAX_UNSENT }, complaints)
    }

    /// Waits for tools; for what one asks only if it can be passed on (`takes`).
    pub(super) fn add_to<'a>(&'a self, poll: &mut Poll<'a>, takes: impl Fn(ToolId) -> bool) -> Added {
        let doors = match self.hesitates_for() {
            None => self.doors.iter().map(|door| poll.add(door)).collect(),
            Some(_) => Vec::new(),
        };
        let strangers = self.strangers.iter().map(|stranger| poll.add(stranger.guest.stream())).collect();
        let guests = self.guests.iter();
        let guests = guests.map(|(&tool, guest)| (tool, guest.add_to(poll, takes(tool)))).collect();
        Added { doors, strangers, guests }
    }

    /// How long until something is due without anything having become ready.
    pub(super) fn timeout(&self) -> Option<Duration> {
        let first = self.strangers.first().map(|stranger| stranger.since + GREETING);
        let greeting = first.map(|until| until.saturating_duration_since(Instant::now()));
        let again = self.guests.values().filter_map(Guest::again_in).min();
        greeting.into_iter().chain(again).chain(self.hesitates_for()).min()
    }

    /// How long until there is room for one more who has to greet, if there is none now.
    fn hesitates_for(&self) -> Option<Duration> {
        let first = self.strangers.first().filter(|_| self.strangers.len() >= MAX_STRANGERS)?;
        let left = (first.since + HESITATION).saturating_duration_since(Instant::now());
        Some(left).filter(|left| !left.is_zero())
    }

    /// Does what has become possible. Of `last_id`, new numbers are made.
    pub(super) fn serve(&mut self, ready: &Ready, added: &Added, last_id: &mut u64) -> Vec<Visit> {
        let mut visits = Vec::new();
        self.greet(ready, &added.strangers, last_id, &mut visits);
        for (idx, &door) in added.doors.iter().enumerate() {
            if ready.has(door) {
                self.accept(idx);
            }
        }
        for (tool, _) in &added.guests {
            let Some(guest) = self.guests.get_mut(tool) else { continue };
            if guest.flush().is_err() {
                self.guests.remove(tool);
                visits.push(Visit::Gone(*tool));
            }
        }
        visits
    }

    /// Tools that may have something to say.
    pub(super) fn speakers(&self, ready: &Ready, added: &Added) -> Vec<ToolId> {
        let is_ready = |indices: &[usize]| indices.iter().any(|&idx| ready.has(idx));
        added.guests.iter().filter(|(_, indices)| is_ready(indices)).map(|(tool, _)| *tool).collect()
    }

    /// What a tool says next, of which it says no more than one thing at a time.
    pub(super) fn hear(&mut self, tool: ToolId) -> Option<Visit> {
        match self.guests.get_mut(&tool)?.hear(&mut self.buffer) {
            Heard::Nothing => None,
            Heard::Request(request) => Some(Visit::Asks { tool, request }),
            Heard::Gone => {
                self.guests.remove(&tool);
                Some(Visit::Gone(tool))
            }
        }
    }

    /// Lets a tool in that has greeted, if it is still wanted.
    pub(super) fn welcome(&mut self, tool: ToolId) -> Option<Visit> {
        let guest = self.guests.get_mut(&tool)?;
        if guest.welcome().is_ok() {
            return None;
        }
        self.guests.remove(&tool);
        Some(Visit::Gone(tool))
    }

    /// Tells a tool something.
    pub(super) fn tell(&mut self, tool: ToolId, answers: Option<i32>, xml: &str) -> Result<(), String> {
        let Some(guest) = self.guests.get_mut(&tool) else { return Ok(()) };
        let mut told = guest.tell(answers, xml);
        let n_unsent: usize = self.guests.values().map(Guest::n_unsent).sum();
        if told.is_ok() && n_unsent > self.max_unsent {
            told = Err("too much waits for tools that do not read".to_owned());
        }
        told.inspect_err(|_| {
            self.guests.remove(&tool);
        })
    }

    /// Ends a tool's connection; if it has only greeted, it is told that there is no cluster.
    pub(super) fn drop_tool(&mut self, tool: ToolId) {
        if let Some(mut guest) = self.guests.remove(&tool) {
            guest.turn_away();
        }
    }

    /// Takes up connections. Who may not talk to the cluster is not listened to.
    fn accept(&mut self, idx: usize) {
        let now = Instant::now();
        for _ in 0..ACCEPT_AT_ONCE {
            if self.strangers.len() >= MAX_STRANGERS {
                if self.strangers[0].since + HESITATION > now {
                    return;
                }
                self.strangers.remove(0);
            }
            let Some(stream) = self.doors[idx].accept() else { return };
            match Guest::new(stream, self.doors[idx].service()) {
                Some(guest) if guest.is_allowed() => self.strangers.push(Stranger { guest, since: now }),
                Some(mut guest) => guest.turn_away(),
                None => {}
            }
        }
    }

    fn greet(&mut self, ready: &Ready, indices: &[usize], last_id: &mut u64, visits: &mut Vec<Visit>) {
        let now = Instant::now();
        for (idx, mut stranger) in std::mem::take(&mut self.strangers).into_iter().enumerate() {
            let is_ready = indices.get(idx).is_some_and(|&idx| ready.has(idx));
            match if is_ready { stranger.guest.greet() } else { Ok(false) } {
                Ok(true) => visits.extend(self.take_in(stranger.guest, last_id)),
                Ok(false) if stranger.since + GREETING > now => self.strangers.push(stranger),
                Ok(false) | Err(_) => {}
            }
        }
    }

    fn take_in(&mut self, mut guest: Guest, last_id: &mut u64) -> Option<Visit> {
        if guest.service() == WATCHER || self.guests.len() >= MAX_TOOLS {
            guest.turn_away();
            return None;
        }
        *last_id += 1;
        let (tool, user, service) = (ToolId(*last_id), guest.user(), guest.service());
        self.guests.insert(tool, guest);
        Some(Visit::Connected { tool, user, service })
    }
}

/// Whether trying again later makes sense.
fn is_passing(error: &std::io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::WOULDBLOCK | Errno::INTR | Errno::NOBUFS))
}

#[cfg(test)]
mod tests;
