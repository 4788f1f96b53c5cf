//! A tool that has come in: the stream it greeted on, by whose end it is known to have left, and its datagram sockets.

use super::{doors::abstract_address, is_passing};
use rustix::{
    fs::{Gid, Uid, chown},
    io::Errno,
    net::sockopt::{set_socket_passcred, set_socket_send_buffer_size, socket_send_buffer_size},
};
use std::{
    collections::VecDeque,
    fs,
    io::{self, Read, Write},
    os::{
        fd::AsFd,
        unix::{
            fs::{DirBuilderExt, OpenOptionsExt},
            net::{UnixDatagram, UnixStream},
        },
    },
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use systole_cluster::remote::server::StockRequest;
use systole_link::{Poll, peer_of, receive_from_user};
use systole_wire::{
    libqb::{
        Greeting, Inbox, MessageError, Outgoing, accepted,
        greeting::{CONTROL_BYTES, GREETING_BYTES},
        refused,
    },
    remote::{proxy::WANTS_RESPONSE, stock::too_long},
};

/// Who may talk to the cluster beside root.
const USER: &str = "hacluster";
/// And whose members.
const GROUP: &str = "haclient";

/// Where shared files are made.
const SHARED: &str = "/dev/shm";

/// Messages shorter than this every tool is ready for; longer than that none asks for (`PCMK_ipc_buffer` aside).
const MESSAGE_BYTES: std::ops::RangeInclusive<usize> = 128 << 10..=512 << 10;

/// How much may wait for a tool that does not read, in bytes: a little more than the longest answer.
const MAX_UNSENT: usize = 24 << 20;

/// How many requests a tool may wait for at once. Pacemaker's wait for one.
const MAX_IN_FLIGHT: usize = 16;

/// When to try again what the kernel had no memory for.
const AGAIN: Duration = Duration::from_millis(20);

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
    uid: u32,
    gid: u32,
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

/// The datagram sockets of a tool that was let in.
struct Channels {
    /// What all names begin with.
    base: String,
    directory: PathBuf,
    max_message: usize,
    /// Requests come in here, responses go out.
    requests: Lane,
    events: Lane,
    /// Whether both are tied to the tool's ends. From then on the kernel keeps others out.
    is_tied: bool,
}

/// A socket, and what waits to go out through it.
struct Lane {
    socket: UnixDatagram,
    queue: VecDeque<Vec<u8>>,
    n_bytes: usize,
    again_at: Option<Instant>,
}

impl Guest {
    /// Somebody who has not greeted yet, if it is still known who it is.
    pub(super) fn new(stream: UnixStream, service: &'static str) -> Option<Self> {
        let peer = peer_of(stream.as_fd()).ok()?;
        Some(Self {
            stream,
            service,
            uid: peer.uid,
            gid: peer.gid,
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
        systole_link::user_name(self.uid).unwrap_or_else(|| self.uid.to_string())
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
        self.uid == rustix::process::geteuid().as_raw()
            || self.uid == 0
            || systole_link::user(USER).is_some_and(|(uid, _)| uid == self.uid)
            || systole_link::group(GROUP).is_some_and(|gid| gid == self.gid)
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
        let channels = Channels::open(self.service, (self.uid, self.gid), self.asked_bytes)?;
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
                indices.push(poll.add_writing(&lane.socket, true));
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
            let datagram = match channels.receive(buffer, self.uid) {
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

impl Channels {
    fn open(service: &str, (uid, gid): (u32, u32), asked_bytes: usize) -> io::Result<Self> {
        // Nobody can guess it, and so take the tool's names before the tool does.
        let unique = fs::read_to_string("/proc/sys/kernel/random/uuid")?;
        let directory = Path::new(SHARED).join(format!("qb-{}", unique.trim()));
        fs::DirBuilder::new().mode(0o700).create(&directory)?;
        let base = format!("{}-{service}", directory.display());
        let lanes = Lane::bind(&format!("{base}-request"))
            .and_then(|requests| Ok((requests, Lane::bind(&format!("{base}-event-tx"))?)));
        let (requests, events) = lanes.inspect_err(|_| _ = fs::remove_dir(&directory))?;
        let wanted = asked_bytes.clamp(*MESSAGE_BYTES.start(), *MESSAGE_BYTES.end());
        let max_message = wanted.min(requests.room(wanted)?).min(events.room(wanted)?);
        // From here on, dropping it removes the files.
        let channels = Self { base, directory, max_message, requests, events, is_tied: false };
        set_socket_passcred(&channels.requests.socket, true)?;
        let control = channels.control();
        let mut file = fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&control)?;
        file.write_all(&[0; CONTROL_BYTES])?;
        for path in [&control, &channels.directory] {
            chown(path, Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))?;
        }
        Ok(channels)
    }

    fn control(&self) -> PathBuf {
        self.directory.join("control")
    }

    /// The length of the next datagram; `None` if it is somebody else's.
    fn receive(&mut self, buffer: &mut [u8], uid: u32) -> io::Result<Option<usize>> {
        let (length, sender) = receive_from_user(self.requests.socket.as_fd(), buffer)?;
        if sender.is_none_or(|sender| sender.uid != uid) {
            return Ok(None);
        }
        if !self.is_tied {
            self.requests.socket.connect_addr(&abstract_address(&format!("{}-response", self.base))?)?;
            self.events.socket.connect_addr(&abstract_address(&format!("{}-event", self.base))?)?;
            self.is_tied = true;
        }
        Ok(Some(length))
    }
}

impl Drop for Channels {
    fn drop(&mut self) {
        if self.is_tied {
            // A tool that waits for an event does not look at the stream; nothing at all tells it that we are gone.
            for lane in [&self.requests, &self.events] {
                let _ = lane.socket.send(&[]);
            }
        }
        // The tool does so, too.
        let _ = fs::remove_file(self.control());
        let _ = fs::remove_dir(&self.directory);
    }
}

impl Lane {
    fn bind(name: &str) -> io::Result<Self> {
        let socket = UnixDatagram::bind_addr(&abstract_address(name)?)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket, queue: VecDeque::new(), n_bytes: 0, again_at: None })
    }

    /// How long a datagram may be that the kernel takes, if it should take `wanted` bytes. The tool's end is like ours.
    fn room(&self, wanted: usize) -> io::Result<usize> {
        if socket_send_buffer_size(&self.socket)? <= wanted {
            set_socket_send_buffer_size(&self.socket, wanted)?;
        }
        // A little of it is the kernel's own.
        Ok(socket_send_buffer_size(&self.socket)?.saturating_sub(64))
    }

    fn is_sending(&self) -> bool {
        !self.queue.is_empty()
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.again_at.take_if(|at| *at <= Instant::now()).is_none() && self.again_at.is_some() {
            return Ok(());
        }
        while let Some(datagram) = self.queue.front() {
            match self.socket.send(datagram) {
                Ok(_) => {
                    self.n_bytes -= datagram.len();
                    self.queue.pop_front();
                }
                Err(error) if Errno::from_io_error(&error) == Some(Errno::NOBUFS) => {
                    self.again_at = Some(Instant::now() + AGAIN);
                    return Ok(());
                }
                Err(error) if is_passing(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
