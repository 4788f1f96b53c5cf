//! Waking a loop from elsewhere: another thread, or a signal.

use std::{
    io::{self, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::net::UnixStream,
    },
    sync::Arc,
};

/// Wakes the loop that polls the other end.
#[derive(Clone, Debug)]
pub struct Waker(Arc<UnixStream>);

impl Waker {
    /// Wakes the loop; many calls before its next round count as one.
    pub fn wake(&self) {
        // A full pipe means that a wake-up is on its way already.
        let _ = (&*self.0).write(&[0]);
    }
}

/// A waker and the end to poll; call [`Signals::drain`] when it is ready.
///
/// # Errors
/// If the process has too many files open.
pub fn waker() -> io::Result<(Waker, Signals)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    theirs.set_nonblocking(true)?;
    Ok((Waker(Arc::new(ours)), Signals(theirs)))
}

/// The end to poll of a waker or of caught signals.
#[derive(Debug)]
pub struct Signals(UnixStream);

impl Signals {
    /// From now on the signals `numbers` no longer end the process but wake the loop.
    ///
    /// # Errors
    /// If a signal cannot be caught.
    pub fn catch(numbers: &[i32]) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        for &number in numbers {
            signal_hook::low_level::pipe::register(number, theirs.try_clone()?)?;
        }
        Ok(Self(ours))
    }

    /// How many wake-ups came since the last call.
    pub fn drain(&self) -> usize {
        let mut buffer = [0; 256];
        let mut n_wakes = 0;
        while let Ok(n @ 1..) = (&self.0).read(&mut buffer) {
            n_wakes += n;
        }
        n_wakes
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
