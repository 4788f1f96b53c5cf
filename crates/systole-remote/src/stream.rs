//! A connection with TLS and messages in it, in either direction.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};
use systole_link::Poll;
use systole_tls::{Session, TlsError};
use systole_wire::remote::{Decoder, Frame, FrameError};

/// How much is taken from one peer before the others have their turn, in bytes.
const READ_AT_ONCE: usize = 256 << 10;

/// How much text is taken from one peer before the others have their turn, in bytes. A few compressed bytes may be
/// megabytes of text: without this bound the messages of one read could fill the memory.
const TEXT_AT_ONCE: usize = 1 << 20;

/// How much may wait for a peer that does not read, in bytes.
const MAX_UNSENT: usize = 64 << 20;

/// How long sent bytes may stay unacknowledged before the kernel gives the connection up.
const USER_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a connection is of no more use.
#[derive(Debug, thiserror::Error)]
pub enum End {
    /// The peer was never reached.
    #[error("{0}")]
    Unreachable(String),
    /// There is no key to connect with.
    #[error("there is no key")]
    Key(#[from] crate::KeyError),
    /// The peer went away during the handshake: a stock daemon with another key does just that.
    #[error("the peer ended the TLS handshake (is the key the same on both ends?)")]
    Handshake,
    /// The handshake failed, or the session broke.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The peer closed the connection in good order.
    #[error("the peer closed the connection")]
    Closed,
    /// The peer had not said that it would: its program or its host was lost, or somebody between ended it.
    #[error("the connection ended without a word from the peer")]
    Gone,
    /// The connection ended in the middle of a message.
    #[error("the connection was cut off in the middle of a message")]
    CutOff,
    /// What came is no message.
    #[error("the peer sent something else than a message")]
    Garbled(#[from] FrameError),
    /// The peer does not read.
    #[error("the peer does not read: {0} bytes wait for it")]
    Slow(usize),
    /// A message that no peer would take.
    #[error("a message of {0} bytes is too long to be sent")]
    TooLong(usize),
    /// The handshake took too long.
    #[error("the handshake took too long")]
    TimedOut,
    /// The system reported an error.
    #[error("the connection failed")]
    Io(#[from] io::Error),
}

impl End {
    /// The end and its causes, on one line.
    pub fn describe(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        text
    }
}

/// A connection with TLS and messages in it. Nothing here waits.
#[derive(Debug)]
pub struct SecureStream {
    socket: TcpStream,
    session: Session,
    decoder: Decoder,
    /// Whether messages may be left in the decoder.
    has_more: bool,
    /// What ended the session after the messages that are left.
    end: Option<End>,
    /// Ciphertext on its way out, and how much of it is written.
    outgoing: Vec<u8>,
    written: usize,
    /// Messages sent so far.
    last_id: u64,
}

impl SecureStream {
    /// Begins the handshake over a connected socket.
    ///
    /// # Errors
    /// If the socket has failed already.
    pub fn new(socket: TcpStream, session: Session) -> Result<Self, End> {
        socket.set_nonblocking(true)?;
        socket.set_nodelay(true)?;
        let timeout = u32::try_from(USER_TIMEOUT.as_millis()).unwrap_or(u32::MAX);
        rustix::net::sockopt::set_tcp_user_timeout(&socket, timeout).map_err(io::Error::from)?;
        let mut stream = Self {
            socket,
            session,
            decoder: Decoder::default(),
            has_more: false,
            end: None,
            outgoing: Vec::new(),
            written: 0,
            last_id: 0,
        };
        stream.flush()?;
        Ok(stream)
    }

    /// Whether both ends have proved that they know the key.
    pub fn is_established(&self) -> bool {
        self.session.is_established()
    }

    /// Whether something waits to be sent.
    pub fn is_sending(&self) -> bool {
        self.written < self.outgoing.len()
    }

    /// Sends a message, as much of it as the peer takes now.
    ///
    /// # Errors
    /// If the peer is gone or does not read.
    pub fn send(&mut self, text: &str) -> Result<(), End> {
        if !Frame::fits(text) {
            return Err(End::TooLong(text.len()));
        }
        self.last_id += 1;
        let frame = Frame::new(self.last_id, text);
        // In records of their own: see `systole_wire::remote::frame`.
        self.session.send(&frame.header)?;
        self.session.send(&frame.payload)?;
        self.flush()
    }

    /// Sends as much as the peer takes now.
    ///
    /// # Errors
    /// If the peer is gone or does not read.
    pub fn flush(&mut self) -> Result<(), End> {
        let more = self.session.take_outgoing();
        self.outgoing.extend_from_slice(&more);
        while self.is_sending() {
            match self.socket.write(&self.outgoing[self.written..]) {
                Ok(n) => self.written += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(self.gone(error)),
            }
        }
        let unsent = self.outgoing.len() - self.written;
        if unsent > MAX_UNSENT {
            return Err(End::Slow(unsent));
        }
        if unsent > 0 {
            return Ok(());
        }
        (self.outgoing, self.written) = (Vec::new(), 0);
        Ok(())
    }

    /// Waits for the peer to speak, and to take what waits to be sent.
    pub fn add_to<'a>(&'a self, poll: &mut Poll<'a>) -> usize {
        let index = poll.add_writing(self, self.is_sending());
        if self.has_more {
            poll.mark_ready(index);
        }
        index
    }

    /// The next messages that have come in, as many as are one peer's turn. After an error nothing more will come.
    ///
    /// # Errors
    /// If the peer is gone, or does not speak as it should; what it said before that is in `messages`.
    pub fn receive(&mut self, messages: &mut Vec<String>) -> Result<(), End> {
        let mut buffer = vec![0; 64 << 10];
        let (mut taken, mut room) = (0, TEXT_AT_ONCE);
        loop {
            self.decode(messages, &mut room)?;
            if self.has_more {
                return Ok(());
            }
            match self.end.take() {
                Some(End::Tls(TlsError::Closed)) => return Err(self.ended(End::Closed)),
                Some(end) => return Err(end),
                None => {}
            }
            if taken >= READ_AT_ONCE {
                return Ok(());
            }
            let n = match self.socket.read(&mut buffer) {
                Ok(0) => return Err(self.ended(End::Gone)),
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(self.gone(error)),
            };
            taken += n;
            self.end = self.take_in(&buffer[..n]).err();
        }
    }

    /// Decodes what has come in until `room` is used up.
    fn decode(&mut self, messages: &mut Vec<String>, room: &mut usize) -> Result<(), FrameError> {
        self.has_more = false;
        while let Some(text) = self.decoder.next()? {
            *room = room.saturating_sub(text.len());
            messages.push(text);
            if *room == 0 {
                self.has_more = true;
                break;
            }
        }
        Ok(())
    }

    fn take_in(&mut self, ciphertext: &[u8]) -> Result<(), End> {
        let mut plaintext = Vec::new();
        let fate = self.session.receive(ciphertext, &mut plaintext);
        self.decoder.push(&plaintext);
        // Also after an error: there may be an alert that tells the peer.
        let flushed = self.flush();
        fate?;
        flushed
    }

    /// Tells the peer that nothing more will come, if it takes that now.
    pub fn close(mut self) {
        self.session.close();
        // That the peer is gone already is as good.
        let _ = self.flush();
    }

    /// What an end is, which is `between_messages` if it came there.
    fn ended(&self, between_messages: End) -> End {
        match (self.is_established(), self.decoder.is_inside_message()) {
            (false, _) => End::Handshake,
            (true, true) => End::CutOff,
            (true, false) => between_messages,
        }
    }

    fn gone(&self, error: io::Error) -> End {
        match error.kind() {
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => self.ended(End::Gone),
            _ => End::Io(error),
        }
    }
}

impl AsFd for SecureStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests;
