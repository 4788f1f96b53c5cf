//! One end of a conversation: messages in, messages out, a line each.

use crate::{Work, peer};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    collections::VecDeque,
    io::{self, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    path::Path,
    sync::Arc,
    time::Duration,
};
use systole_wire::FrameError;

/// How much is taken from one peer before the others have their turn, in bytes.
const READ_AT_ONCE: usize = 1 << 20;

/// Bounds of a connection's buffers, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The longest line accepted.
    pub line: usize,
    /// How much may wait for a peer that does not read.
    pub unsent: usize,
}

/// Why a connection is of no more use.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// The peer went away.
    #[error("the connection was closed")]
    Closed,
    /// The peer does not read.
    #[error("the peer does not read: {unsent} bytes wait for it")]
    Slow {
        /// How many bytes wait.
        unsent: usize,
    },
    /// The peer sent a line without end.
    #[error("a message is longer than {limit} bytes")]
    TooLong {
        /// The limit.
        limit: usize,
    },
    /// The system reported an error.
    #[error("the connection failed")]
    Io(#[from] io::Error),
    /// The peer sent something else than what was expected.
    #[error("the peer sent something else than what was expected")]
    Message(#[from] FrameError),
    /// The answer took too long.
    #[error("no answer came in time")]
    TimedOut,
}

/// A stream socket with framing and bounded buffers. Nothing here waits, except [`Connection::wait_message`].
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    limits: Limits,
    input: Vec<u8>,
    /// How much of `input` is known to hold no line end.
    scanned: usize,
    output: VecDeque<Arc<[u8]>>,
    /// How much of the first of `output` is written.
    written: usize,
    unsent: usize,
    /// Messages that came together with one that [`Connection::wait_message`] returned.
    waiting: VecDeque<Vec<u8>>,
}

impl Connection {
    /// Takes over a connected socket.
    ///
    /// # Errors
    /// If the socket cannot be made non-blocking.
    pub fn new(stream: UnixStream, limits: Limits) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            limits,
            input: Vec::new(),
            scanned: 0,
            output: VecDeque::new(),
            written: 0,
            unsent: 0,
            waiting: VecDeque::new(),
        })
    }

    /// Connects to the socket at `path`, without waiting for one that listens and accepts nothing.
    ///
    /// # Errors
    /// If nobody listens there, or too many wait to be accepted.
    pub fn connect(path: &Path, limits: Limits) -> io::Result<Self> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        connect(&socket, &SocketAddrUnix::new(path)?)?;
        Self::new(UnixStream::from(socket), limits)
    }

    /// The user number of who is at the other end, by the kernel's word.
    ///
    /// # Errors
    /// If the kernel does not say.
    pub fn peer_uid(&self) -> io::Result<u32> {
        peer::peer_of(self.stream.as_fd()).map(|peer| peer.uid)
    }

    /// What the process does that made the connection at the other end; `None` if it cannot be seen from here.
    pub fn peer_work(&self) -> Option<Work> {
        let peer = peer::peer_of(self.stream.as_fd()).ok()?;
        Some(peer.pid).filter(|pid| *pid > 0).and_then(Work::of)
    }

    /// Puts `message` in the peer's queue and sends as much as it takes now.
    ///
    /// # Errors
    /// If the peer is gone or its queue is full; drop the connection then.
    pub fn send<T: Serialize>(&mut self, message: &T) -> Result<(), LinkError> {
        self.send_line(systole_wire::encode(message).into())
    }

    /// As [`Self::send`], with a line that was encoded before and may be shared between peers.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn send_line(&mut self, line: Arc<[u8]>) -> Result<(), LinkError> {
        self.unsent += line.len();
        self.output.push_back(line);
        self.flush()?;
        // A single message over the limit is still sent to a peer that reads.
        if self.unsent > self.limits.unsent && self.output.len() > 1 {
            return Err(LinkError::Slow { unsent: self.unsent });
        }
        Ok(())
    }

    /// Sends as much as the peer takes now.
    ///
    /// # Errors
    /// If the peer is gone.
    pub fn flush(&mut self) -> Result<(), LinkError> {
        while let Some(line) = self.output.front() {
            match self.stream.write(&line[self.written..]) {
                Ok(n) => {
                    self.written += n;
                    self.unsent -= n;
                    if self.written == line.len() {
                        self.output.pop_front();
                        self.written = 0;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(gone(error)),
            }
        }
        Ok(())
    }

    /// Whether something waits to be sent.
    pub fn is_sending(&self) -> bool {
        !self.output.is_empty()
    }

    /// The lines that have come in, without their ends. After an error nothing more will come.
    ///
    /// # Errors
    /// If the peer is gone or sent too long a line; what it said before that is in `lines`.
    pub fn receive(&mut self, lines: &mut Vec<Vec<u8>>) -> Result<(), LinkError> {
        let mut buffer = vec![0; 64 << 10];
        let mut taken = 0;
        while taken < READ_AT_ONCE {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(LinkError::Closed),
                Ok(n) => {
                    taken += n;
                    self.input.extend_from_slice(&buffer[..n]);
                    self.split(lines);
                    if self.input.len() > self.limits.line {
                        return Err(LinkError::TooLong { limit: self.limits.line });
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(gone(error)),
            }
        }
        Ok(())
    }

    fn split(&mut self, lines: &mut Vec<Vec<u8>>) {
        let mut start = 0;
        while let Some(length) = memchr::memchr(b'\n', &self.input[self.scanned..]) {
            let end = self.scanned + length;
            lines.push(self.input[start..end].to_vec());
            start = end + 1;
            self.scanned = start;
        }
        self.input.drain(..start);
        self.scanned = self.input.len();
        if self.input.is_empty() && self.input.capacity() > READ_AT_ONCE {
            self.input = Vec::new();
        }
    }

    /// Sends `message` and waits for one answer: for tools and tests, which talk to one peer at a time.
    ///
    /// # Errors
    /// If the peer is gone, says something else, or takes longer than `timeout`.
    pub fn ask<T: Serialize, A: DeserializeOwned>(
        &mut self,
        message: &T,
        timeout: Duration,
    ) -> Result<A, LinkError> {
        self.send(message)?;
        self.wait_message(timeout)
    }

    /// Waits for one message. Not to be mixed with [`Self::receive`].
    ///
    /// # Errors
    /// As [`Self::ask`].
    pub fn wait_message<A: DeserializeOwned>(&mut self, timeout: Duration) -> Result<A, LinkError> {
        let deadline = std::time::Instant::now() + timeout;
        let mut lines = Vec::new();
        loop {
            if let Some(line) = self.waiting.pop_front() {
                return Ok(systole_wire::decode(&line)?);
            }
            let received = self.receive(&mut lines);
            self.waiting.extend(lines.drain(..));
            if !self.waiting.is_empty() {
                continue;
            }
            received?;
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            if left.is_zero() {
                return Err(LinkError::TimedOut);
            }
            let mut poll = crate::Poll::new();
            poll.add_connection(self);
            poll.wait(Some(left))?;
            self.flush()?;
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

fn gone(error: io::Error) -> LinkError {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => LinkError::Closed,
        _ => LinkError::Io(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { line: 1 << 20, unsent: 1 << 20 };

    fn pair() -> (Connection, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("socket pair");
        (Connection::new(ours, LIMITS).expect("non-blocking"), theirs)
    }

    #[test]
    fn lines_come_whole_however_they_were_cut() {
        let (mut connection, mut peer) = pair();
        let mut lines = Vec::new();
        for part in ["on", "e\ntwo\n", "\nthr", "ee\n"] {
            peer.write_all(part.as_bytes()).expect("write");
            connection.receive(&mut lines).expect("open");
        }
        assert_eq!(lines, [&b"one"[..], b"two", b"", b"three"]);
        drop(peer);
        assert!(matches!(connection.receive(&mut lines), Err(LinkError::Closed)));
    }

    #[test]
    fn a_peer_that_does_not_read_is_noticed() {
        let (mut connection, _peer) = pair();
        let line: Arc<[u8]> = vec![b'x'; 100_000].into();
        let error = (0..100).find_map(|_| connection.send_line(line.clone()).err());
        assert!(matches!(error, Some(LinkError::Slow { .. })));
    }

    #[test]
    fn one_that_accepts_nothing_is_not_waited_for() {
        let path = std::env::temp_dir().join(format!("systole-link-deaf-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let deaf = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None);
        let deaf = deaf.expect("a socket");
        rustix::net::bind(&deaf, &SocketAddrUnix::new(&path).expect("an address")).expect("a name");
        rustix::net::listen(&deaf, 2).expect("it listens");
        // Each is closed at once, as by one that has waited in vain, and stays in the queue all the same.
        let error = (0..10).find_map(|_| Connection::connect(&path, LIMITS).err()).expect("a full queue");
        let _ = std::fs::remove_file(&path);
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let (mut connection, mut peer) = pair();
        peer.set_nonblocking(true).expect("non-blocking");
        let error = (0..1000).find_map(|_| {
            let _ = peer.write(&[b'x'; 65536]);
            connection.receive(&mut Vec::new()).err()
        });
        assert!(matches!(error, Some(LinkError::TooLong { .. })));
    }
}
