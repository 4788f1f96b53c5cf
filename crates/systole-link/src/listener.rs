//! A socket that others connect to.

use crate::{Connection, Limits};
use rustix::fs::{FlockOperation, Mode, chmod, flock};
use std::{
    collections::BTreeSet,
    fs, io,
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixListener,
    },
    path::{Path, PathBuf},
};

/// A listening Unix socket; its file goes with it.
#[derive(Debug)]
pub struct Listener {
    socket: UnixListener,
    path: PathBuf,
    /// Held as long as we listen, so that a socket left behind by a killed daemon can be told from one in use.
    _lock: fs::File,
}

impl Listener {
    /// Listens at `path`, with `mode` for its permissions. What a dead process left there is replaced.
    ///
    /// # Errors
    /// If another process listens there (`AddrInUse`) or the directory is not to be written.
    pub fn bind(path: &Path, mode: u32) -> io::Result<Self> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let mut lock_path = path.as_os_str().to_owned();
        lock_path.push(".lock");
        let lock = fs::OpenOptions::new().create(true).truncate(false).write(true).open(lock_path)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
            rustix::io::Errno::WOULDBLOCK => io::Error::new(
                io::ErrorKind::AddrInUse,
                format!("another process listens at {}", path.display()),
            ),
            other => other.into(),
        })?;
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let socket = UnixListener::bind(path)?;
        socket.set_nonblocking(true)?;
        chmod(path, Mode::from_raw_mode(mode))?;
        Ok(Self { socket, path: path.to_owned(), _lock: lock })
    }

    /// Everyone who has connected since. Errors of single connections are theirs alone.
    pub fn accept(&self, limits: Limits) -> Vec<Connection> {
        let mut accepted = Vec::new();
        while let Ok((stream, _)) = self.socket.accept() {
            accepted.extend(Connection::new(stream, limits));
        }
        accepted
    }

    /// The same of these users alone, whatever the socket's mode lets in. The connections of others are closed, and `log`
    /// hears of it.
    pub fn accept_from(
        &self,
        users: &BTreeSet<u32>,
        limits: Limits,
        log: &mut dyn FnMut(String),
    ) -> Vec<Connection> {
        let mut accepted = self.accept(limits);
        accepted.retain(|connection| {
            let user = connection.peer_uid();
            let is_one = user.as_ref().is_ok_and(|uid| users.contains(uid));
            if !is_one {
                let who = user.map_or_else(
                    |error| format!("nobody can say who ({error})"),
                    |uid| crate::user_name(uid).unwrap_or_else(|| format!("user {uid}")),
                );
                log(format!("a connection is closed, since {who} may not use this socket"));
            }
            is_one
        });
        accepted
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}
