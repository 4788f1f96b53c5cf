//! Who is at the other end of a socket.
//!
//! Asked of the C library itself: a peer outside this PID namespace (a lab's host is) has process number 0, which `rustix` takes for an
//! error, and with that the user is lost.

use std::{
    io, mem,
    os::fd::{AsRawFd, BorrowedFd},
};

/// The user number of the peer when it connected.
#[expect(unsafe_code, reason = "no safe function gives the user of a peer without a process number")]
pub(crate) fn uid(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let mut credentials = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut length = libc::socklen_t::try_from(mem::size_of_val(&credentials)).expect("it is small");
    // SAFETY: the descriptor is open while it is borrowed, and the kernel writes at most `length` bytes, which is the size of
    // what the pointer points to, a structure of plain numbers.
    let rc = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut credentials).cast(),
            &raw mut length,
        )
    };
    match rc {
        0 => Ok(credentials.uid),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::uid;
    use std::os::{fd::AsFd, unix::net::UnixStream};

    #[test]
    fn the_other_end_of_a_pair_is_this_user() {
        let (one, _other) = UnixStream::pair().expect("sockets");
        assert_eq!(uid(one.as_fd()).expect("the kernel knows"), rustix::process::geteuid().as_raw());
        let file = std::fs::File::open("/dev/null").expect("it is there");
        assert!(uid(file.as_fd()).is_err());
    }
}
