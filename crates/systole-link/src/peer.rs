//! Who is at the other end of a socket.
//!
//! Asked of the C library itself: a peer outside this PID namespace (a lab's host is) has process number 0, which `rustix` takes for an
//! error, and with that the user is lost.

use std::{
    io, mem,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    ptr,
};

/// A user, the group it acts as, and the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The user number.
    pub uid: u32,
    /// The group number.
    pub gid: u32,
    /// The process number; 0 if it is in a PID namespace that cannot be seen from here.
    pub pid: u32,
}

impl From<libc::ucred> for Credentials {
    fn from(peer: libc::ucred) -> Self {
        Self { uid: peer.uid, gid: peer.gid, pid: u32::try_from(peer.pid).unwrap_or(0) }
    }
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
        0 => Ok(credentials.into()),
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
    // Room for who sent it and for nothing else: descriptors that come along would be ours, and nobody would close them. Words,
    // since headers in there have to be aligned so.
    const USER: libc::c_uint = mem::size_of::<libc::ucred>() as libc::c_uint;
    // SAFETY: only computes a length.
    const N_BYTES: usize = unsafe { libc::CMSG_SPACE(USER) } as usize;
    let mut control = [0u64; N_BYTES / mem::size_of::<u64>()];
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
    let length = unsafe {
        libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC)
    };
    let Ok(length) = usize::try_from(length) else { return Err(io::Error::last_os_error()) };
    // SAFETY: the kernel has filled in `message`, and `control` still is where it points to.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    let mut sender = None;
    while !header.is_null() {
        // SAFETY: `header` is not null, so the macros have found it within what the kernel has written, aligned.
        let (kind, n_bytes, data) = unsafe {
            let kind = ((*header).cmsg_level, (*header).cmsg_type);
            (kind, (*header).cmsg_len as usize, libc::CMSG_DATA(header))
        };
        // SAFETY: only computes a length.
        let length_with = |content: libc::c_uint| unsafe { libc::CMSG_LEN(content) } as usize;
        match kind {
            (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) if n_bytes >= length_with(USER) => {
                // SAFETY: the header says that a `ucred`, plain numbers, follows it.
                let user: libc::ucred = unsafe { ptr::read_unaligned(data.cast()) };
                sender = Some(user.into());
            }
            (libc::SOL_SOCKET, libc::SCM_RIGHTS) => {
                // Where nobody asked for the sender, they get its place.
                for idx in 0..n_bytes.saturating_sub(length_with(0)) / mem::size_of::<RawFd>() {
                    // SAFETY: the header says that so many descriptors follow it. The kernel has just made them for this process,
                    // so nobody else owns them.
                    let descriptor =
                        unsafe { OwnedFd::from_raw_fd(ptr::read_unaligned(data.cast::<RawFd>().add(idx))) };
                    drop(descriptor);
                }
            }
            _ => {}
        }
        // SAFETY: as above.
        header = unsafe { libc::CMSG_NXTHDR(&raw const message, header) };
    }
    Ok((length, sender))
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

    #[test]
    fn descriptors_that_come_along_are_not_kept() {
        use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
        use std::{io, io::Read, mem::MaybeUninit};
        for asks_for_user in [true, false] {
            let (here, there) = UnixDatagram::pair().expect("sockets");
            rustix::net::sockopt::set_socket_passcred(&here, asks_for_user).expect("a socket");
            let (mut watched, sent) = UnixStream::pair().expect("sockets");
            watched.set_nonblocking(true).expect("a socket");
            let many = [sent.as_fd(), sent.as_fd(), sent.as_fd(), sent.as_fd()];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
            let mut along = SendAncillaryBuffer::new(&mut space);
            assert!(along.push(SendAncillaryMessage::ScmRights(&many)));
            let text = [io::IoSlice::new(b"x")];
            sendmsg(&there, &text, &mut along, SendFlags::empty()).expect("sent");
            drop(sent);
            let (length, sender) = receive_from_user(here.as_fd(), &mut [0; 16]).expect("one");
            assert_eq!((length, sender.is_some()), (1, asks_for_user));
            // It ends when nobody has the other end any more.
            assert_eq!(watched.read(&mut [0; 1]).expect("its end"), 0, "{asks_for_user}");
        }
    }
}
