//! A tool that has come in: the stream it greeted on, by whose end it is known to have left, and its datagram sockets.

use super::{doors::abstract_address, is_passing};
use rustix::{
    fs::{AtFlags, Gid, Mode, OFlags, Uid, chown, unlinkat},
    io::Errno,
    net::sockopt::{set_socket_passcred, set_socket_send_buffer_size, socket_send_buffer_size},
};
use std::{
    collections::VecDeque,
    fs,
    io::{self, Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::{
            fs::{DirBuilderExt, OpenOptionsExt},
            net::{UnixDatagram, UnixStream},
        },
    },
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use systole_cluster::remote::server::StockRequest;
use systole_link::{
    Credentials, Poll, ProcessMark, Sender, ask_for_process, peer_of, process_of, receive_from_user,
};
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

/// The file in a directory there that libqb counts in.
const CONTROL: &str = "control";

/// After how long what is shared has been opened, or will not be.
const LEFT_BEHIND: Duration = Duration::from_secs(60);

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

/// The datagram sockets of a tool that was let in.
struct Channels {
    /// What all names begin with.
    base: String,
    directory: PathBuf,
    /// The same, wherever its owner, the tool, may have moved it.
    shared: OwnedFd,
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

impl Channels {
    fn open(service: &str, peer: Peer, asked_bytes: usize) -> io::Result<Self> {
        // Nobody can guess it. Names of sockets show in /proc/net/unix once they are there, so who speaks first is looked at, too.
        let unique = fs::read_to_string("/proc/sys/kernel/random/uuid")?;
        let directory = Path::new(SHARED).join(format!("qb-{}", unique.trim()));
        fs::DirBuilder::new().mode(0o700).create(&directory)?;
        let shared = open_directory(&directory)?;
        let base = format!("{}-{service}", directory.display());
        let lanes = Lane::bind(&format!("{base}-request"))
            .and_then(|requests| Ok((requests, Lane::bind(&format!("{base}-event-tx"))?)));
        let (requests, events) = lanes.inspect_err(|_| _ = fs::remove_dir(&directory))?;
        let wanted = asked_bytes.clamp(*MESSAGE_BYTES.start(), *MESSAGE_BYTES.end());
        let max_message = wanted.min(requests.room(wanted)?).min(events.room(wanted)?);
        // From here on, dropping it removes the files.
        let channels = Self { base, directory, shared, max_message, requests, events, is_tied: false };
        set_socket_passcred(&channels.requests.socket, true)?;
        if peer.process.is_some() {
            ask_for_process(channels.requests.socket.as_fd(), true)?;
        }
        let control = channels.control();
        let mut file = fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&control)?;
        file.write_all(&[0; CONTROL_BYTES])?;
        for path in [&control, &channels.directory] {
            chown(path, Some(Uid::from_raw(peer.user.uid)), Some(Gid::from_raw(peer.user.gid)))?;
        }
        Ok(channels)
    }

    fn control(&self) -> PathBuf {
        self.directory.join(CONTROL)
    }

    /// The length of the next datagram; `None` if it is somebody else's.
    fn receive(&mut self, buffer: &mut [u8], peer: Peer) -> io::Result<Option<usize>> {
        let (length, sender) = receive_from_user(self.requests.socket.as_fd(), buffer)?;
        // Another process of the same user may have read the socket's name. Afterwards, the kernel keeps it out.
        if !peer.shares_user(&sender) || !self.is_tied && !peer.is(&sender) {
            return Ok(None);
        }
        if !self.is_tied {
            self.requests.socket.connect_addr(&abstract_address(&format!("{}-response", self.base))?)?;
            self.events.socket.connect_addr(&abstract_address(&format!("{}-event", self.base))?)?;
            if peer.process.is_some() {
                ask_for_process(self.requests.socket.as_fd(), false)?;
            }
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
        remove_shared(&self.shared, &self.directory);
    }
}

fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?)
}

/// Removes what was shared with a tool. It is the tool's, which may have put something else there: no link is followed.
fn remove_shared(shared: &OwnedFd, directory: &Path) {
    let _ = unlinkat(shared, CONTROL, AtFlags::empty());
    let _ = fs::remove_dir(directory);
}

/// Removes what a daemon that was killed has left behind. Tools open what is shared as soon as they are let in, so that nobody
/// misses what is older than that.
pub(super) fn sweep() {
    sweep_in(Path::new(SHARED));
}

fn sweep_in(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(is_name_of_ours);
        let age = entry.metadata().ok().and_then(|it| it.modified().ok()?.elapsed().ok());
        if is_ours
            && age.is_some_and(|age| age > LEFT_BEHIND)
            && let Ok(shared) = open_directory(&entry.path())
        {
            remove_shared(&shared, &entry.path());
        }
    }
}

/// Whether it is `qb-` and a UUID. libqb itself has other names.
fn is_name_of_ours(name: &str) -> bool {
    let groups = name.strip_prefix("qb-").into_iter().flat_map(|uuid| uuid.split('-'));
    let is_hex = |group: &str| group.bytes().all(|byte| byte.is_ascii_hexdigit());
    groups.map(|group| if is_hex(group) { group.len() } else { 0 }).eq([8, 4, 4, 4, 12])
}

/// Whether a user may stand for the cluster.
pub(super) fn is_trusted(uid: u32) -> bool {
    uid == 0
        || uid == rustix::process::geteuid().as_raw()
        || systole_link::user(USER).is_some_and(|(hacluster, _)| hacluster == uid)
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

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    use std::process::Command;

    #[test]
    fn what_is_shared_is_removed_where_it_is_and_nowhere_else() {
        let uuid = fs::read_to_string("/proc/sys/kernel/random/uuid").expect("a number");
        let root = std::env::temp_dir().join(format!("systole-shared-{}", uuid.trim()));
        let (mine, moved, others) = (root.join("mine"), root.join("moved"), root.join("others"));
        for directory in [&mine, &others] {
            fs::create_dir_all(directory).expect("a directory");
            fs::write(directory.join(CONTROL), "").expect("a file");
        }
        let shared = open_directory(&mine).expect("a directory");
        fs::rename(&mine, &moved).expect("moved");
        std::os::unix::fs::symlink(&others, &mine).expect("a link");
        assert!(open_directory(&mine).is_err(), "a link is not followed");
        remove_shared(&shared, &mine);
        assert!(others.join(CONTROL).exists() && !moved.join(CONTROL).exists());
        fs::remove_dir_all(&root).expect("removed");
    }

    #[test]
    fn names_of_ours_are_told_from_those_of_libqb() {
        for (name, is_ours) in [
            ("qb-1a2b3c4d-0000-4000-8000-00000000000f", true),
            ("qb-123-456-7-AbCdEf", false),
            ("qb-1a2b3c4d-0000-4000-8000-00000000000f-x", false),
            ("1a2b3c4d-0000-4000-8000-00000000000f", false),
        ] {
            assert_eq!(is_name_of_ours(name), is_ours, "{name}");
        }
    }

    /// Whether the first datagram counts that this process sends where `peer` has greeted.
    fn is_heard(peer: Peer) -> bool {
        let mut channels = Channels::open("attrd", peer, 0).expect("sockets");
        let name = |end: &str| abstract_address(&format!("{}-{end}", channels.base)).expect("a name");
        let tool = UnixDatagram::bind_addr(&name("response")).expect("bound");
        let _events = UnixDatagram::bind_addr(&name("event")).expect("bound");
        tool.send_to_addr(b"x", &name("request")).expect("sent");
        channels.receive(&mut [0; 16], peer).expect("received") == Some(1)
    }

    #[test]
    fn a_tool_is_the_process_that_has_greeted() {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let own = std::process::id();
        for (pid, counts) in [(own, true), (0, true), (own + 1, false)] {
            let peer = Peer { user: Credentials { uid, gid, pid }, process: None };
            assert_eq!(is_heard(peer), counts, "{pid}, sent by {own}");
        }
    }

    #[test]
    fn a_tool_in_another_pid_namespace_is_the_process_that_has_greeted_all_the_same() {
        let mark = |pid: Pid| ProcessMark::of(&pidfd_open(pid, PidfdFlags::empty()).expect("it runs"));
        let mut other = Command::new("sleep").arg("60").spawn().expect("sleep");
        let (own, stranger) = (mark(rustix::process::getpid()), mark(Pid::from_child(&other)));
        other.kill().and_then(|()| other.wait()).expect("it runs");
        if own.is_none() {
            eprintln!("SKIPPED: needs Linux 6.9");
            return;
        }
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        // Numbers are not seen.
        let user = Credentials { uid, gid, pid: 0 };
        assert!(is_heard(Peer { user, process: own }));
        assert!(!is_heard(Peer { user, process: stranger }), "numbers would not tell");
    }

    #[test]
    fn what_a_killed_daemon_left_behind_is_removed() {
        let uuid = fs::read_to_string("/proc/sys/kernel/random/uuid").expect("a number");
        let root = std::env::temp_dir().join(format!("systole-swept-{}", uuid.trim()));
        let old = std::time::SystemTime::now() - 2 * LEFT_BEHIND;
        for (name, is_old, is_kept) in [
            ("qb-1a2b3c4d-0000-4000-8000-000000000001", true, false),
            ("qb-1a2b3c4d-0000-4000-8000-000000000002", false, true),
            ("qb-123-456-7-AbCdEf", true, true),
        ] {
            let directory = root.join(name);
            fs::create_dir_all(&directory).expect("a directory");
            fs::write(directory.join(CONTROL), "").expect("a file");
            if is_old {
                let opened = fs::File::open(&directory).expect("it is there");
                opened.set_modified(old).expect("set");
            }
            sweep_in(&root);
            assert_eq!(directory.join(CONTROL).exists(), is_kept, "{name}");
            assert_eq!(directory.exists(), is_kept, "{name}");
        }
        fs::remove_dir_all(&root).expect("removed");
    }
}
