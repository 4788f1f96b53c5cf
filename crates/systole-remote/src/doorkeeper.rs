//! The end that is connected to.

use crate::{End, SecureStream, read_key};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    path::PathBuf,
    time::{Duration, Instant},
};
use systole_link::{Poll, Ready};
use systole_tls::Session;

/// How long a peer may take to prove that it knows the key.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How many connections are taken up before those that stand have their turn.
const ACCEPT_AT_ONCE: usize = 64;

/// How many peers may be about to prove it; the longest wait of them makes room for one more.
const MAX_STRANGERS: usize = 32;

/// Listens for cluster nodes, and lets those in that know the key. Others can keep it from neither.
#[derive(Debug)]
pub struct Doorkeeper {
    listener: TcpListener,
    key: PathBuf,
    patience: Duration,
    strangers: Vec<Stranger>,
}

#[derive(Debug)]
struct Stranger {
    stream: SecureStream,
    address: SocketAddr,
    until: Instant,
}

/// What [`Doorkeeper::add_to`] added.
#[derive(Debug)]
pub struct Doors {
    listener: usize,
    strangers: Vec<usize>,
}

/// Listens at `address` (every address if `None`) and `port`.
///
/// # Errors
/// If the address is not ours or the port is taken.
pub fn listen(address: Option<IpAddr>, port: u16) -> io::Result<TcpListener> {
    let Some(address) = address else {
        // A socket for IPv6 takes IPv4 too, unless the host has no IPv6.
        return TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))
            .or_else(|_| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)));
    };
    TcpListener::bind((address, port))
}

impl Doorkeeper {
    /// Takes over a listening socket; the key is in the file `key`.
    ///
    /// # Errors
    /// If the socket cannot be made non-blocking.
    pub fn new(listener: TcpListener, key: PathBuf) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self { listener, key, patience: HANDSHAKE, strangers: Vec::new() })
    }

    /// The same, but peers have so long to prove that they know the key.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Waits for peers to connect and to prove themselves.
    pub fn add_to<'a>(&'a self, poll: &mut Poll<'a>) -> Doors {
        let listener = poll.add(&self.listener);
        let strangers = self.strangers.iter().map(|peer| peer.stream.add_to(poll)).collect();
        Doors { listener, strangers }
    }

    /// How long until a peer has taken too long.
    pub fn patience_left(&self) -> Option<Duration> {
        let until = self.strangers.iter().map(|peer| peer.until).min()?;
        Some(until.saturating_duration_since(Instant::now()))
    }

    /// Does what has become possible. Each peer that is let in comes with what it has said already; of those that were
    /// not let in the log hears.
    pub fn serve(
        &mut self,
        ready: &Ready,
        doors: &Doors,
        log: &mut dyn FnMut(String),
    ) -> Vec<(SecureStream, Vec<String>)> {
        let mut let_in = Vec::new();
        let now = Instant::now();
        let strangers = std::mem::take(&mut self.strangers);
        for (idx, mut peer) in strangers.into_iter().enumerate() {
            let is_ready = doors.strangers.get(idx).is_some_and(|&idx| ready.has(idx));
            let mut messages = Vec::new();
            let fate = match is_ready {
                true => peer.stream.flush().and_then(|()| peer.stream.receive(&mut messages)),
                false => Ok(()),
            };
            match fate {
                Ok(()) if peer.stream.is_established() => let_in.push((peer.stream, messages)),
                // Also one that goes on sending: it might never come to an end.
                Ok(()) if peer.until <= now => {
                    log(format!("{} was not let in: {}", peer.address, End::TimedOut.describe()));
                }
                Ok(()) => self.strangers.push(peer),
                Err(end) => log(format!("{} was not let in: {}", peer.address, end.describe())),
            }
        }
        if ready.has(doors.listener) {
            self.accept(log);
        }
        let_in
    }

    fn accept(&mut self, log: &mut dyn FnMut(String)) {
        for _ in 0..ACCEPT_AT_ONCE {
            let Ok((socket, address)) = self.listener.accept() else { return };
            let key = match read_key(&self.key) {
                Ok(key) => key,
                Err(error) => {
                    log(format!("{address} cannot be let in: {}", End::from(error).describe()));
                    continue;
                }
            };
            let stream = Session::server(&key)
                .map_err(End::from)
                .and_then(|session| SecureStream::new(socket, session));
            match stream {
                Ok(stream) => {
                    if self.strangers.len() >= MAX_STRANGERS {
                        let oldest = self.strangers.remove(0);
                        log(format!("{} was not let in: too many others ask to be", oldest.address));
                    }
                    self.strangers.push(Stranger { stream, address, until: Instant::now() + self.patience });
                }
                Err(end) => log(format!("{address} was not let in: {}", end.describe())),
            }
        }
    }
}
