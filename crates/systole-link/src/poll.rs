//! Waiting for many things at once.

use crate::Connection;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use std::{io, os::fd::AsFd, time::Duration};

/// What one round waits for, in the order it was added.
#[derive(Default)]
pub struct Poll<'a> {
    fds: Vec<PollFd<'a>>,
    /// What is ready already, whatever the kernel says.
    at_once: Vec<usize>,
}

/// What a round found: by the index that adding gave.
#[derive(Debug, Default)]
pub struct Ready(Vec<bool>);

impl<'a> Poll<'a> {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Waits for something to read from `fd`, or its end.
    pub fn add(&mut self, fd: &'a impl AsFd) -> usize {
        self.fds.push(PollFd::new(fd, PollFlags::IN));
        self.fds.len() - 1
    }

    /// Waits for something to read from `fd`, and for room to write to it if `writes`.
    pub fn add_writing(&mut self, fd: &'a impl AsFd, writes: bool) -> usize {
        let write = if writes { PollFlags::OUT } else { PollFlags::empty() };
        self.fds.push(PollFd::new(fd, PollFlags::IN | write));
        self.fds.len() - 1
    }

    /// Waits for room to write to `fd` or its end, whatever there may be to read.
    pub fn add_room(&mut self, fd: &'a impl AsFd) -> usize {
        self.fds.push(PollFd::new(fd, PollFlags::OUT));
        self.fds.len() - 1
    }

    /// Does not wait at all, since what was added as `index` has something left of an earlier round.
    pub fn mark_ready(&mut self, index: usize) {
        self.at_once.push(index);
    }

    /// Waits for `connection`: to read, and to write if something waits to be sent.
    pub fn add_connection(&mut self, connection: &'a Connection) -> usize {
        self.add_writing(connection, connection.is_sending())
    }

    /// Waits until something is ready or `timeout` is over (never, if `None`).
    ///
    /// # Errors
    /// If the kernel cannot do it, which means a bug or no memory.
    pub fn wait(mut self, timeout: Option<Duration>) -> io::Result<Ready> {
        let timeout = if self.at_once.is_empty() { timeout } else { Some(Duration::ZERO) };
        let timeout = timeout.map(|t| Timespec {
            tv_sec: i64::try_from(t.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(t.subsec_nanos()),
        });
        match poll(&mut self.fds, timeout.as_ref()) {
            Ok(_) => {
                let mut ready: Vec<bool> = self.fds.iter().map(|fd| !fd.revents().is_empty()).collect();
                self.at_once.iter().for_each(|&index| ready[index] = true);
                Ok(Ready(ready))
            }
            Err(Errno::INTR) => Ok(Ready::default()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Ready {
    /// Whether the thing added as `index` is ready.
    pub fn has(&self, index: usize) -> bool {
        self.0.get(index).copied().unwrap_or(false)
    }
}
