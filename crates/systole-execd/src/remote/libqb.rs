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
    io::Read,
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};
use systole_cluster::remote::server::{MAX_TOOLS, StockRequest, ToolId};
use systole_link::{Poll, Ready};
use systole_wire::libqb::{Greeting, greeting::GREETING_BYTES};

/// The longest datagram. A longer one is cut, and refused for that.
const MAX_DATAGRAM: usize = 1 << 20;

/// How long a tool may take to greet.
const GREETING: Duration = Duration::from_secs(5);

/// How many tools may be about to greet; the longest wait of them makes room for one more.
const MAX_STRANGERS: usize = 64;

/// How many connections are taken up before those that stand have their turn.
const ACCEPT_AT_ONCE: usize = 64;

/// Every door, and who has come in.
pub(super) struct Counter {
    doors: Vec<Door>,
    strangers: Vec<Stranger>,
    guests: BTreeMap<ToolId, Guest>,
    /// Datagrams are received into it.
    buffer: Vec<u8>,
}

/// Somebody who has not greeted yet.
struct Stranger {
    stream: UnixStream,
    service: &'static str,
    greeting: Vec<u8>,
    until: Instant,
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
        let (doors, complaints) = doors::open(names);
        let buffer = vec![0; MAX_DATAGRAM];
        (Self { doors, strangers: Vec::new(), guests: BTreeMap::new(), buffer }, complaints)
    }

    /// Waits for tools; for what they ask only if it can be passed on (`takes`).
    pub(super) fn add_to<'a>(&'a self, poll: &mut Poll<'a>, takes: bool) -> Added {
        let doors = self.doors.iter().map(|door| poll.add(door)).collect();
        let strangers = self.strangers.iter().map(|stranger| poll.add(&stranger.stream)).collect();
        let guests = self.guests.iter();
        let guests = guests.map(|(&tool, guest)| (tool, guest.add_to(poll, takes))).collect();
        Added { doors, strangers, guests }
    }

    /// How long until something is due without anything having become ready.
    pub(super) fn timeout(&self) -> Option<Duration> {
        let until = self.strangers.iter().map(|stranger| stranger.until).min();
        let greeting = until.map(|until| until.saturating_duration_since(Instant::now()));
        let again = self.guests.values().filter_map(Guest::again_in).min();
        greeting.into_iter().chain(again).min()
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
        guest.tell(answers, xml).inspect_err(|_| {
            self.guests.remove(&tool);
        })
    }

    /// Ends a tool's connection; if it has only greeted, it is told that there is no cluster.
    pub(super) fn drop_tool(&mut self, tool: ToolId) {
        if let Some(mut guest) = self.guests.remove(&tool) {
            guest.turn_away();
        }
    }

    fn accept(&mut self, idx: usize) {
        for _ in 0..ACCEPT_AT_ONCE {
            let Some(stream) = self.doors[idx].accept() else { return };
            if self.strangers.len() >= MAX_STRANGERS {
                self.strangers.remove(0);
            }
            let (service, until) = (self.doors[idx].service(), Instant::now() + GREETING);
            self.strangers.push(Stranger { stream, service, greeting: Vec::new(), until });
        }
    }

    fn greet(&mut self, ready: &Ready, indices: &[usize], last_id: &mut u64, visits: &mut Vec<Visit>) {
        let now = Instant::now();
        for (idx, mut stranger) in std::mem::take(&mut self.strangers).into_iter().enumerate() {
            if indices.get(idx).is_some_and(|&idx| ready.has(idx)) && !stranger.read() {
                continue;
            }
            if stranger.greeting.len() < GREETING_BYTES {
                if stranger.until > now {
                    self.strangers.push(stranger);
                }
                continue;
            }
            let Ok(greeting) = Greeting::read(&stranger.greeting) else { continue };
            let guest = Guest::new(stranger.stream, stranger.service, greeting);
            match guest.filter(|_| self.guests.len() < MAX_TOOLS) {
                Some(guest) if guest.is_wanted() => {
                    *last_id += 1;
                    let tool = ToolId(*last_id);
                    visits.push(Visit::Connected { tool, user: guest.user(), service: stranger.service });
                    self.guests.insert(tool, guest);
                }
                Some(mut guest) => guest.turn_away(),
                None => {}
            }
        }
    }
}

impl Stranger {
    /// Reads more of the greeting; false if nothing will come any more.
    fn read(&mut self) -> bool {
        let mut buffer = [0; GREETING_BYTES];
        let room = GREETING_BYTES - self.greeting.len();
        match self.stream.read(&mut buffer[..room]) {
            Ok(0) => false,
            Ok(n) => {
                self.greeting.extend_from_slice(&buffer[..n]);
                true
            }
            Err(error) => is_passing(&error),
        }
    }
}

/// Whether trying again later makes sense.
fn is_passing(error: &std::io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::WOULDBLOCK | Errno::INTR | Errno::NOBUFS))
}
