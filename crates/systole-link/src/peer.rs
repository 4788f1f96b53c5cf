//! Who is at the other end of a socket.
//!
//! Asked of the C library itself: a peer outside this PID namespace (a lab's host is) has process number 0, which `rustix` takes for an
//! error, and with that the user is lost.

use rustix::fs::{fstat, fstatfs};
use std::{
    io, mem,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    ptr,
};

/// Gives the peer's process as a descriptor, since Linux 6.5. Source: `asm-generic/socket.h`.
const SO_PEERPIDFD: libc::c_int = 77;

/// Each message brings its sender's process along as a descriptor.
const SO_PASSPIDFD: libc::c_int = 76;

/// That descriptor. Source: `linux/socket.h`.
const SCM_PIDFD: libc::c_int = 4;

/// Where descriptors of processes are, since Linux 6.9. Source: `linux/magic.h`.
const PID_FS: u64 = 0x5049_4446;

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

/// A process, told from every other, also where its number cannot be seen or is used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessMark(u64);

impl ProcessMark {
    /// By a descriptor of the process; `None` before Linux 6.9, where these look all alike.
    pub fn of(process: &OwnedFd) -> Option<Self> {
        let is_told = fstatfs(process).is_ok_and(|of| u64::try_from(of.f_type) == Ok(PID_FS));
        fstat(process).ok().filter(|_| is_told).map(|of| Self(of.st_ino))
    }
}

/// Who has sent a message, as far as the socket was told to ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sender {
    /// See `SO_PASSCRED`.
    pub user: Option<Credentials>,
    /// See [`ask_for_process`].
    pub process: Option<ProcessMark>,
}

/// Who the peer was when it connected.
///
/// # Errors
/// If the kernel does not say.
pub fn peer_of(socket: BorrowedFd<'_>) -> io::Result<Credentials> {
    #[expect(unsafe_code, reason = "no safe function gives the user of a peer without a process number")]
    // SAFETY: whatever the kernel writes there is a value of a structure of plain numbers.
    let peer = unsafe { option(socket, libc::SO_PEERCRED, libc::ucred { pid: 0, uid: 0, gid: 0 }) };
    peer.map(Credentials::from)
}

/// The process that the peer was when it connected, if the kernel can tell.
pub fn process_of(socket: BorrowedFd<'_>) -> Option<ProcessMark> {
    #[expect(unsafe_code, reason = "no safe function asks for it")]
    // SAFETY: whatever the kernel writes there is a number.
    let process = unsafe { option::<RawFd>(socket, SO_PEERPIDFD, -1) }.ok().filter(|fd| *fd >= 0)?;
    #[expect(unsafe_code, reason = "no safe function asks for it")]
    // SAFETY: the kernel has just made it for this process, so nobody else owns it.
    let process = unsafe { OwnedFd::from_raw_fd(process) };
    ProcessMark::of(&process)
}

/// Whether the sender's process is to be told with each message.
///
/// # Errors
/// If the kernel cannot.
#[expect(unsafe_code, reason = "no safe function asks for it")]
pub fn ask_for_process(socket: BorrowedFd<'_>, asks: bool) -> io::Result<()> {
    let asks = libc::c_int::from(asks);
    let length = libc::socklen_t::try_from(mem::size_of_val(&asks)).expect("it is small");
    // SAFETY: the descriptor is open while it is borrowed, and the kernel reads `length` bytes of a number of that size.
    let rc = unsafe {
        libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, SO_PASSPIDFD, (&raw const asks).cast(), length)
    };
    if rc == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// An option of a socket, written over `value`.
///
/// # Safety
/// Every bit pattern has to be a value of `T`.
#[expect(unsafe_code, reason = "what the kernel writes is up to the caller to know")]
unsafe fn option<T>(socket: BorrowedFd<'_>, name: libc::c_int, mut value: T) -> io::Result<T> {
    let mut length = libc::socklen_t::try_from(mem::size_of::<T>()).expect("it is small");
    // SAFETY: the descriptor is open while it is borrowed, and the kernel writes at most `length` bytes, which is the size of
    // what the pointer points to; the caller says that they are a value.
    let rc = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, name, (&raw mut value).cast(), &raw mut length)
    };
    if rc == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

/// Receives a datagram without waiting: its length, and who sent it. What does not fit into `buffer` is lost.
///
/// # Errors
/// As `recvmsg(2)`.
#[expect(unsafe_code, reason = "no safe function gives the user of a sender without a process number")]
pub fn receive_from_user(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<(usize, Sender)> {
    // Room for who sent it and for nothing else: few of other descriptors fit, and these are closed. Words, since headers in there
    // have to be aligned so.
    const USER: libc::c_uint = mem::size_of::<libc::ucred>() as libc::c_uint;
    const PROCESS: libc::c_uint = mem::size_of::<RawFd>() as libc::c_uint;
    // SAFETY: only computes lengths.
    const N_BYTES: usize = unsafe { libc::CMSG_SPACE(USER) + libc::CMSG_SPACE(PROCESS) } as usize;
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
    let mut sender = Sender::default();
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
                sender.user = Some(user.into());
            }
            (libc::SOL_SOCKET, kind @ (libc::SCM_RIGHTS | SCM_PIDFD)) => {
                // What others send gets the place of what nobody asked for.
                for idx in 0..n_bytes.saturating_sub(length_with(0)) / mem::size_of::<RawFd>() {
                    // SAFETY: the header says that so many descriptors follow it. The kernel has just made them for this process,
                    // so nobody else owns them.
                    let descriptor =
                        unsafe { OwnedFd::from_raw_fd(ptr::read_unaligned(data.cast::<RawFd>().add(idx))) };
                    if kind == SCM_PIDFD {
                        sender.process = ProcessMark::of(&descriptor);
                    }
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
        assert_eq!(receive_from_user(here.as_fd(), &mut buffer).expect("one"), (3, Sender::default()));
        rustix::net::sockopt::set_socket_passcred(&here, true).expect("a socket");
        there.send(b"two and more than fits").expect("sent");
        let (length, sender) = receive_from_user(here.as_fd(), &mut buffer).expect("two");
        assert_eq!((length, sender.user.map(|user| user.uid)), (16, Some(this_user())));
        assert_eq!(&buffer, b"two and more tha");
    }

    /// Where the kernel cannot tell, what is heard is compared by numbers.
    #[test]
    fn a_datagram_tells_which_process_sent_it() {
        let (stream, _other) = UnixStream::pair().expect("sockets");
        let Some(own) = process_of(stream.as_fd()) else {
            eprintln!("SKIPPED: needs Linux 6.9");
            return;
        };
        let (here, there) = UnixDatagram::pair().expect("sockets");
        ask_for_process(here.as_fd(), true).expect("the kernel can tell");
        let next = || receive_from_user(here.as_fd(), &mut [0; 16]).expect("one").1.process;
        there.send(b"mine").expect("sent");
        assert_eq!(next(), Some(own));
        // The child's standard input is the other end.
        let mut child = std::process::Command::new("sh");
        let status = child.args(["-c", "printf x >&0"]).stdin(OwnedFd::from(there)).status();
        assert!(status.expect("sh").success());
        let other = next();
        assert!(other.is_some() && other != Some(own), "{other:?}, this process is {own:?}");
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
            assert_eq!((length, sender.user.is_some()), (1, asks_for_user));
            // It ends when nobody has the other end any more.
            assert_eq!(watched.read(&mut [0; 1]).expect("its end"), 0, "{asks_for_user}");
        }
    }
}
