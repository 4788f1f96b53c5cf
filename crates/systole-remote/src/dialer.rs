//! The end that connects.

use crate::{End, SecureStream, read_key};
use rustix::{
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, connect, ipproto, socket_with, sockopt::socket_error},
};
use std::{
    io,
    net::{IpAddr, SocketAddr, TcpStream, ToSocketAddrs},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, TryRecvError, channel},
    thread,
};
use systole_link::{Poll, Ready, Waker};
use systole_tls::Session;

/// A connection to a remote daemon, from its address to its end.
#[derive(Debug)]
pub struct Dialer {
    key: PathBuf,
    /// Addresses that are left to be tried.
    addresses: Vec<SocketAddr>,
    /// How it went with those that were tried.
    failures: Vec<String>,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// A thread looks up the name: that cannot be done without waiting.
    Resolving(Receiver<io::Result<Vec<SocketAddr>>>),
    Connecting(OwnedFd, SocketAddr),
    Secure(Box<SecureStream>),
    /// Nothing more will come of it.
    Over(Option<End>),
}

impl Dialer {
    /// Begins to connect to `address`, a host name or an IP address. `waker` wakes the loop that calls [`Self::serve`].
    pub fn new(address: &str, port: u16, key: &Path, waker: &Waker) -> Self {
        let mut dialer = Self {
            key: key.to_owned(),
            addresses: Vec::new(),
            failures: Vec::new(),
            stage: Stage::Over(None),
        };
        match address.parse::<IpAddr>() {
            Ok(ip) => {
                dialer.addresses.push(SocketAddr::new(ip, port));
                dialer.try_next();
            }
            Err(_) => dialer.stage = resolve(address.to_owned(), port, waker.clone()),
        }
        dialer
    }

    /// Waits for what can happen next; the index for [`Self::serve`].
    pub fn add_to<'a>(&'a self, poll: &mut Poll<'a>) -> Option<usize> {
        match &self.stage {
            Stage::Resolving(_) | Stage::Over(_) => None,
            Stage::Connecting(socket, _) => Some(poll.add_writing(socket, true)),
            Stage::Secure(stream) => Some(stream.add_to(poll)),
        }
    }

    /// Does what has become possible, and collects messages; true once when the handshake is done. Messages of the same
    /// round come after that.
    ///
    /// # Errors
    /// If the connection was not made, or has come to its end; drop the dialer then.
    pub fn serve(
        &mut self,
        ready: &Ready,
        index: Option<usize>,
        messages: &mut Vec<String>,
    ) -> Result<bool, End> {
        if let Stage::Resolving(resolver) = &self.stage {
            match resolver.try_recv() {
                Ok(Ok(addresses)) => {
                    self.addresses = addresses.into_iter().rev().collect();
                    self.try_next();
                }
                Ok(Err(error)) => self.give_up(format!("cannot look up the name: {error}")),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => self.give_up("cannot look up the name".to_owned()),
            }
        }
        let is_ready = index.is_some_and(|index| ready.has(index));
        match &mut self.stage {
            Stage::Connecting(..) if is_ready => self.connected(),
            Stage::Secure(stream) if is_ready => {
                let was_established = stream.is_established();
                stream.flush()?;
                let fate = stream.receive(messages);
                let is_news = !was_established && stream.is_established();
                // What came before the end still counts.
                if let Err(end) = fate {
                    if messages.is_empty() {
                        return Err(end);
                    }
                    self.stage = Stage::Over(Some(end));
                }
                return Ok(is_news);
            }
            _ => {}
        }
        match &mut self.stage {
            Stage::Over(end) => Err(end.take().unwrap_or(End::Closed)),
            _ => Ok(false),
        }
    }

    /// Whether [`Self::serve`] has something to say at once.
    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over(_))
    }

    /// Sends a message.
    ///
    /// # Errors
    /// If there is no connection (any more).
    pub fn send(&mut self, text: &str) -> Result<(), End> {
        match &mut self.stage {
            Stage::Secure(stream) if stream.is_established() => stream.send(text),
            _ => Err(End::Closed),
        }
    }

    /// Ends the connection in good order.
    pub fn close(self) {
        if let Stage::Secure(stream) = self.stage {
            stream.close();
        }
    }

    fn try_next(&mut self) {
        while let Some(address) = self.addresses.pop() {
            match begin(address) {
                Ok(socket) => {
                    self.stage = Stage::Connecting(socket, address);
                    return;
                }
                Err(error) => self.failures.push(format!("{address}: {error}")),
            }
        }
        let failures = self.failures.join(", ");
        self.give_up(failures);
    }

    fn give_up(&mut self, reason: String) {
        self.stage = Stage::Over(Some(End::Unreachable(reason)));
    }

    /// The kernel knows how connecting went.
    fn connected(&mut self) {
        let Stage::Connecting(socket, address) = std::mem::replace(&mut self.stage, Stage::Over(None)) else {
            return;
        };
        let error = match socket_error(&socket) {
            Ok(Ok(())) => None,
            Ok(Err(error)) | Err(error) => Some(io::Error::from(error)),
        };
        if let Some(error) = error {
            self.failures.push(format!("{address}: {error}"));
            return self.try_next();
        }
        let secure = || -> Result<SecureStream, End> {
            let session = Session::client(&read_key(&self.key)?)?;
            SecureStream::new(TcpStream::from(socket), session)
        };
        self.stage = match secure() {
            Ok(stream) => Stage::Secure(Box::new(stream)),
            Err(end) => Stage::Over(Some(end)),
        };
    }
}

/// Begins to connect, without waiting.
fn begin(address: SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    match connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(socket),
        Err(error) => Err(error.into()),
    }
}

fn resolve(name: String, port: u16, waker: Waker) -> Stage {
    let (sender, receiver) = channel();
    let work = move || {
        let addresses = (name.as_str(), port).to_socket_addrs().map(Iterator::collect);
        let _ = sender.send(addresses);
        waker.wake();
    };
    match thread::Builder::new().name("resolver".to_owned()).spawn(work) {
        Ok(_) => Stage::Resolving(receiver),
        Err(error) => Stage::Over(Some(error.into())),
    }
}
