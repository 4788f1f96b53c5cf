//! The datagram sockets of a tool that was let in, and how it is made sure that nobody else uses them.

use super::{
    Peer,
    shared::{CONTROL, SHARED, open_directory, remove_shared},
};
use crate::remote::libqb::{doors::abstract_address, is_passing};
use rustix::{
    fs::{Gid, Uid, chown},
    io::Errno,
    net::sockopt::{set_socket_passcred, set_socket_send_buffer_size, socket_send_buffer_size},
};
use std::{
    collections::VecDeque,
    fs,
    io::{self, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::{
            fs::{DirBuilderExt, OpenOptionsExt},
            net::UnixDatagram,
        },
    },
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use systole_link::{ask_for_process, receive_from_user};
use systole_wire::libqb::greeting::CONTROL_BYTES;

/// Messages shorter than this every tool is ready for; longer than that none asks for (`PCMK_ipc_buffer` aside).
const MESSAGE_BYTES: std::ops::RangeInclusive<usize> = 128 << 10..=512 << 10;

/// When to try again what the kernel had no memory for.
const AGAIN: Duration = Duration::from_millis(20);

/// The datagram sockets of a tool that was let in.
pub(super) struct Channels {
    /// What all names begin with.
    pub(super) base: String,
    directory: PathBuf,
    /// The same, wherever its owner, the tool, may have moved it.
    shared: OwnedFd,
    pub(super) max_message: usize,
    /// Requests come in here, responses go out.
    pub(super) requests: Lane,
    pub(super) events: Lane,
    /// Whether both are tied to the tool's ends. From then on the kernel keeps others out.
    pub(super) is_tied: bool,
}

/// A socket, and what waits to go out through it.
pub(super) struct Lane {
    pub(super) socket: UnixDatagram,
    pub(super) queue: VecDeque<Vec<u8>>,
    pub(super) n_bytes: usize,
    pub(super) again_at: Option<Instant>,
}

impl Channels {
    pub(super) fn open(service: &str, peer: Peer, asked_bytes: usize) -> io::Result<Self> {
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

    pub(super) fn control(&self) -> PathBuf {
        self.directory.join(CONTROL)
    }

    /// The length of the next datagram; `None` if it is somebody else's.
    pub(super) fn receive(&mut self, buffer: &mut [u8], peer: Peer) -> io::Result<Option<usize>> {
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

    pub(super) fn is_sending(&self) -> bool {
        !self.queue.is_empty()
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
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
    use systole_link::{Credentials, ProcessMark};

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
}
