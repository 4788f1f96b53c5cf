//! Who is at the other end of a socket.
//!
//! Asked of the C library itself: a peer outside this PID namespace (a lab's host is) has process number 0, which `rustix` takes for an
//! error, and with that the user is lost.

use std::{
    io, mem,
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
};

/// A user and the group it acts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The user number.
    pub uid: u32,
    /// The group number.
    pub gid: u32,
}

/// Who the peer was when it connected.
///
/// # Errors
/// If the kernel does not say.
#[expect(unsafe_code, reason = "no safe function gives the user of a peer without a process number")]
pub fn peer_of(socket: BorrowedFd<'_>) -> io::Result<Credentials> {
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
        0 => Ok(Credentials { uid: credentials.uid, gid: credentials.gid }),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Receives a datagram without waiting: its length, and who sent it, if the socket was told to ask (`SO_PASSCRED`). What
/// does not fit into `buffer` is lost.
///
/// # Errors
/// As `recvmsg(2)`.
#[expect(unsafe_code, reason = "no safe function gives the user of a sender without a process number")]
pub fn receive_from_user(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
) -> io::Result<(usize, Option<Credentials>)> {
    // Words, since headers in there have to be aligned so.
    let mut control = [0u64; 8];
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: for this structure of numbers and pointers, all zeros are a value.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    // The type differs between C libraries.
    message.msg_controllen = mem::size_of_val(&control) as _;
    // SAFETY: the descriptor is open while it is borrowed; `message` points to `buffer` and `control`, which nobody else
    // uses meanwhile, and says how long they are.
    let length = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT) };
    let Ok(length) = usize::try_from(length) else { return Err(io::Error::last_os_error()) };
    // SAFETY: the kernel has filled in `message`, and `control` still is where it points to.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    let wanted = (libc::SOL_SOCKET, libc::SCM_CREDENTIALS);
    while !header.is_null() {
        // SAFETY: `header` is not null, so the macros have found it within what the kernel has written, aligned.
        let (kind, n_bytes) =
            unsafe { (((*header).cmsg_level, (*header).cmsg_type), (*header).cmsg_len as usize) };
        // SAFETY: only computes a length.
        let whole = unsafe { libc::CMSG_LEN(mem::size_of::<libc::ucred>() as u32) } as usize;
        if kind == wanted && n_bytes >= whole {
            // SAFETY: the header says that a `ucred`, plain numbers, follows it.
            let sender: libc::ucred = unsafe { ptr::read_unaligned(libc::CMSG_DATA(header).cast()) };
            return Ok((length, Some(Credentials { uid: sender.uid, gid: sender.gid })));
        }
        // SAFETY: as above.
        header = unsafe { libc::CMSG_NXTHDR(&raw const message, header) };
    }
    Ok((length, None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::{
        fd::AsFd,
        unix::net::{UnixDatagram, UnixStream},
    };

    fn this_user() -> u32 {
        rustix::process::geteuid().as_raw()
    }

    #[test]
    fn the_other_end_of_a_pair_is_this_user() {
        let (one, _other) = UnixStream::pair().expect("sockets");
        assert_eq!(peer_of(one.as_fd()).expect("the kernel knows").uid, this_user());
        let file = std::fs::File::open("/dev/null").expect("it is there");
        assert!(peer_of(file.as_fd()).is_err());
    }

    #[test]
    fn a_datagram_tells_who_sent_it_if_that_is_asked_for() {
        let (here, there) = UnixDatagram::pair().expect("sockets");
        let mut buffer = [0; 16];
        assert!(receive_from_user(here.as_fd(), &mut buffer).is_err(), "nothing was sent");
        there.send(b"one").expect("sent");
        assert_eq!(receive_from_user(here.as_fd(), &mut buffer).expect("one"), (3, None));
        rustix::net::sockopt::set_socket_passcred(&here, true).expect("a socket");
        there.send(b"two and more than fits").expect("sent");
        let (length, sender) = receive_from_user(here.as_fd(), &mut buffer).expect("two");
        assert_eq!((length, sender.map(|sender| sender.uid)), (16, Some(this_user())));
        assert_eq!(&buffer, b"two and more tha");
    }
}
