//! A tool that has come in: the stream it greeted on, by whose end it is known to have left, and its datagram sockets.

mod channels;
mod shared;

pub(super) use shared::sweep;

use super::is_passing;
use channels::{Channels, Lane};
use rustix::io::Errno;
use std::{
    io::{self, Read, Write},
    os::{fd::AsFd, unix::net::UnixStream},
    time::{Duration, Instant},
};
use systole_cluster::remote::server::StockRequest;
use systole_link::{Credentials, Poll, ProcessMark, Sender, peer_of, process_of};
use systole_wire::{
    libqb::{Greeting, Inbox, MessageError, Outgoing, accepted, greeting::GREETING_BYTES, refused},
    remote::{proxy::WANTS_RESPONSE, stock::too_long},
};

/// Who may talk to the cluster beside root.
const USER: &str = "hacluster";
/// And whose members.
const GROUP: &str = "haclient";

/// How much may wait for a tool that does not read, in bytes: a little more than the longest answer.
const MAX_UNSENT: usize = 24 << 20;

/// How many requests a tool may wait for at once. Pacemaker's wait for one.
const MAX_IN_FLIGHT: usize = 16;

/// What a tool says.
pub(super) enum Heard {
    Nothing,
    Request(StockRequest),
    Gone,
}

/// A tool.
pub(super) struct Guest {
    stream: UnixStream,
    service: &'static str,
    peer: Peer,
    /// As much of it as there is.
    greeting: Vec<u8>,
    asked_bytes: usize,
    channels: Option<Channels>,
    inbox: Inbox,
    n_events: i32,
    /// Requests whose responses it waits for.
    n_in_flight: usize,
    /// Its stream has ended; what it said before is still to be heard.
    has_left: bool,
}

/// Who has greeted.
#[derive(Clone, Copy)]
struct Peer {
    user: Credentials,
    /// `None` on kernels that cannot tell.
    process: Option<ProcessMark>,
}

impl Peer {
    /// Whether it is of the same user.
    fn shares_user(&self, sender: &Sender) -> bool {
        sender.user.is_some_and(|user| user.uid == self.user.uid)
    }

    /// Whether it is the same process. Numbers count where the kernel has nothing better, and where they can be seen: not
    /// across PID namespaces.
    fn is(&self, sender: &Sender) -> bool {
        let pid = sender.user.map_or(0, |user| user.pid);
        match self.process {
            Some(_) => sender.process == self.process,
            None => pid == self.user.pid || pid == 0 || self.user.pid == 0,
        }
    }
}

impl Guest {
    /// Somebody who has not greeted yet, if it is still known who it is.
    pub(super) fn new(stream: UnixStream, service: &'static str) -> Option<Self> {
        let peer = Peer { user: peer_of(stream.as_fd()).ok()?, process: process_of(stream.as_fd()) };
        Some(Self {
            stream,
            service,
            peer,
            greeting: Vec::new(),
            asked_bytes: 0,
            channels: None,
            inbox: Inbox::default(),
            n_events: 0,
            n_in_flight: 0,
            has_left: false,
        })
    }

    /// Its user's name, or number.
    pub(super) fn user(&self) -> String {
        systole_link::user_name(self.peer.user.uid).unwrap_or_else(|| self.peer.user.uid.to_string())
    }

    pub(super) fn service(&self) -> &'static str {
        self.service
    }

    /// Reads more of the greeting; whether it is whole now.
    ///
    /// # Errors
    /// If it is none, or nothing will come any more.
    pub(super) fn greet(&mut self) -> io::Result<bool> {
        let mut buffer = [0; GREETING_BYTES];
        let room = GREETING_BYTES - self.greeting.len();
        match self.stream.read(&mut buffer[..room]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => self.greeting.extend_from_slice(&buffer[..n]),
            Err(error) if is_passing(&error) => {}
            Err(error) => return Err(error),
        }
        if self.greeting.len() < GREETING_BYTES {
            return Ok(false);
        }
        let greeting = Greeting::read(&self.greeting).map_err(io::Error::other)?;
        self.asked_bytes = usize::try_from(greeting.max_message).unwrap_or(usize::MAX);
        Ok(true)
    }

    /// Whether it may talk to the cluster.
    pub(super) fn is_allowed(&self) -> bool {
        is_trusted(self.peer.user.uid)
            || systole_link::group(GROUP).is_some_and(|gid| gid == self.peer.user.gid)
            || systole_link::groups_of(&self.user()).iter().any(|group| group == GROUP)
    }

    /// Ends the connection. Who has only greeted is told why: there is no such service here, or it is not for him.
    pub(super) fn turn_away(&mut self) {
        if self.channels.is_none() {
            let reason = if self.is_allowed() { Errno::REMOTEIO } else { Errno::ACCESS };
            // Who does not read the answer finds the connection closed.
            let _ = self.stream.write(&refused(reason.raw_os_error()));
        }
    }

    /// Makes its sockets and says so.
    pub(super) fn welcome(&mut self) -> io::Result<()> {
        if self.channels.is_some() {
            return Ok(());
        }
        let channels = Channels::open(self.service, self.peer, self.asked_bytes)?;
        let control = channels.control();
        let max_message = u32::try_from(channels.max_message).unwrap_or(u32::MAX);
        let answer = accepted(&control.to_string_lossy(), &channels.base, max_message);
        self.channels = Some(channels);
        // So little always has room in a socket nothing was sent through yet.
        self.stream.write_all(&answer)
    }

    pub(super) fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Waits for room for what it is to be told, and, if that can be passed on (`takes`), for what it says and for its end.
    pub(super) fn add_to<'a>(&'a self, poll: &mut Poll<'a>, takes: bool) -> Vec<usize> {
        let mut indices = Vec::new();
        for lane in self.tied_lanes() {
            if lane.is_sending() && lane.again_at.is_none() {
                indices.push(poll.add_room(&lane.socket));
            }
        }
        if takes {
            indices.push(poll.add(&self.stream));
        }
        if let Some(channels) = self.channels.as_ref().filter(|_| takes && self.is_heard()) {
            indices.push(poll.add(&channels.requests.socket));
        }
        indices
    }

    /// Nothing can be sent before the tool has spoken: until then it is not known whose the other ends are.
    fn tied_lanes(&self) -> impl Iterator<Item = &Lane> {
        let tied = self.channels.iter().filter(|channels| channels.is_tied);
        tied.flat_map(|channels| [&channels.requests, &channels.events])
    }

    /// How much waits for it, in bytes.
    pub(super) fn n_unsent(&self) -> usize {
        self.channels.as_ref().map_or(0, |it| it.requests.n_bytes + it.events.n_bytes)
    }

    fn is_sending(&self) -> bool {
        self.tied_lanes().any(Lane::is_sending)
    }

    /// Whether it has read what it was told, and does not wait for too much.
    fn is_heard(&self) -> bool {
        !self.is_sending() && self.n_in_flight < MAX_IN_FLIGHT
    }

    /// How long until something is to be tried again.
    pub(super) fn again_in(&self) -> Option<Duration> {
        let at = self.tied_lanes().filter_map(|lane| lane.again_at).min()?;
        Some(at.saturating_duration_since(Instant::now()))
    }

    /// The next request, if the tool has read all it was told.
    pub(super) fn hear(&mut self, buffer: &mut [u8]) -> Heard {
        self.look_at_stream();
        // Who has left and waits for something will not read it.
        let is_heard = self.is_heard();
        let Some(channels) = self.channels.as_mut().filter(|_| is_heard) else {
            return if self.has_left { Heard::Gone } else { Heard::Nothing };
        };
        loop {
            let datagram = match channels.receive(buffer, self.peer) {
                Ok(Some(length)) => &buffer[..length],
                // The others have their turn before the next one: somebody might send such without end.
                Ok(None) => return Heard::Nothing,
                Err(error) if is_passing(&error) => {
                    return if self.has_left { Heard::Gone } else { Heard::Nothing };
                }
                Err(_) => return Heard::Gone,
            };
            match self.inbox.take(datagram) {
                Ok(None) => {}
                Ok(Some(message)) => {
                    self.n_in_flight += usize::from(message.flags & WANTS_RESPONSE != 0);
                    let request = StockRequest { id: message.id, flags: message.flags, xml: message.text };
                    return Heard::Request(request);
                }
                Err(_) => return Heard::Gone,
            }
        }
    }

    /// The stream has nothing to say after the greeting; that it ends is how a tool leaves.
    fn look_at_stream(&mut self) {
        let mut buffer = [0; 64];
        self.has_left |= match self.stream.read(&mut buffer) {
            Ok(0) => true,
            Ok(_) => false,
            Err(error) => !is_passing(&error),
        };
    }

    /// Tells the tool something.
    pub(super) fn tell(&mut self, answers: Option<i32>, xml: &str) -> Result<(), String> {
        let Some(channels) = &mut self.channels else { return Ok(()) };
        let outgoing = match answers {
            Some(id) => {
                self.n_in_flight = self.n_in_flight.saturating_sub(1);
                Outgoing::Response(id)
            }
            None => {
                self.n_events = self.n_events.checked_add(1).unwrap_or(1);
                Outgoing::Event(self.n_events)
            }
        };
        let written = match self.inbox.write(outgoing, xml, channels.max_message) {
            Err(MessageError::AnswerTooLong(_)) => {
                let instead = too_long(xml).ok_or("an answer is too long for it")?;
                self.inbox.write(outgoing, &instead, channels.max_message)
            }
            written => written,
        };
        let datagrams = written.map_err(|error| error.to_string())?;
        let lane = if answers.is_some() { &mut channels.requests } else { &mut channels.events };
        for datagram in datagrams {
            lane.n_bytes += datagram.len();
            lane.queue.push_back(datagram);
        }
        if lane.n_bytes > MAX_UNSENT {
            return Err("it does not read what it is told".to_owned());
        }
        self.flush().map_err(|_| "it is gone".to_owned())
    }

    /// Sends as much as the tool takes now.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        match &mut self.channels {
            Some(channels) if channels.is_tied => {
                channels.requests.flush()?;
                channels.events.flush()
            }
            _ => Ok(()),
        }
    }
}

/// Whether a user may stand for the cluster.
pub(super) fn is_trusted(uid: u32) -> bool {
    uid == 0
        || uid == rustix::process::geteuid().as_raw()
        || systole_link::user(USER).is_some_and(|(hacluster, _)| hacluster == uid)
}
