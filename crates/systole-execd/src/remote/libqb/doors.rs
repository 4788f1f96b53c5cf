//! Where tools knock: one listening socket per service, by the name libqb has for it.

use super::guest::is_trusted;
use rustix::{
    fs::{Mode, chmod},
    io::Errno,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with},
};
use std::{
    fs, io,
    os::{
        fd::{AsFd, BorrowedFd},
        linux::net::SocketAddrExt,
        unix::{
            fs::{FileTypeExt, MetadataExt},
            net::{SocketAddr, UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
};
use systole_wire::libqb::{SERVICES, WATCHER};

/// While this file is there, libqb uses sockets in the file system.
const FORCE_FILES: &str = "/etc/libqb/force-filesystem-sockets";

/// Where libqb looks for these: `/tmp` in Debian, `/var/run` unless whoever built it decided otherwise.
const DIRECTORIES: [&str; 2] = ["/tmp", "/var/run"];

/// The length of an abstract name. libqb fills names up with zeros, which count.
const NAME_BYTES: usize = 107;

/// What the sockets are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Names {
    /// In the kernel's name space of the network. Containers that share the host's network share this, too.
    Abstract,
    /// As files in each of these directories.
    Files(Vec<PathBuf>),
}

/// How tools on this host will look for us. In a container they are made to look in its own files: otherwise they would
/// find whoever was first to take the names in the host's network, and speak for another node. What does not work out is in
/// the second part.
pub fn socket_names(is_container: bool) -> (Names, Option<String>) {
    let force = Path::new(FORCE_FILES);
    let mut complaint = None;
    if is_container && !force.exists() {
        let made = fs::create_dir_all(force.with_file_name("")).and_then(|()| fs::write(force, ""));
        complaint = made.err().map(|error| {
            format!(
                "cannot make {FORCE_FILES}, so containers in one network get into each other's way: {error}"
            )
        });
    }
    if !force.exists() {
        return (Names::Abstract, complaint);
    }
    let directories = DIRECTORIES.iter().map(PathBuf::from).filter(|directory| directory.is_dir());
    (Names::Files(directories.collect()), complaint)
}

/// A listening socket.
pub(super) struct Door {
    listener: UnixListener,
    service: &'static str,
    file: Option<OwnFile>,
}

/// A socket's file, and by what it is known that it still is this one's.
struct OwnFile {
    path: PathBuf,
    device: u64,
    inode: u64,
}

/// Listens for every service; what of it does not succeed is said in the second part.
pub(super) fn open(names: &Names) -> (Vec<Door>, Vec<String>) {
    let (mut doors, mut complaints) = (Vec::new(), Vec::new());
    for service in SERVICES.into_iter().chain([WATCHER]) {
        let places = match names {
            Names::Abstract => vec![None],
            Names::Files(directories) => {
                directories.iter().map(|directory| Some(directory.join(service))).collect()
            }
        };
        for file in places {
            match Door::open(service, file) {
                Ok(door) => doors.push(door),
                Err(error) => complaints.push(format!(
                    "tools of Pacemaker will not find {service}: {error} (does Pacemaker run here?)"
                )),
            }
        }
    }
    (doors, complaints)
}

/// The address with an abstract name.
pub(super) fn abstract_address(name: &str) -> io::Result<SocketAddr> {
    let mut bytes = [0; NAME_BYTES];
    let name = name.as_bytes();
    bytes.get_mut(..name.len()).ok_or(io::ErrorKind::InvalidFilename)?.copy_from_slice(name);
    SocketAddr::from_abstract_name(bytes)
}

impl Door {
    fn open(service: &'static str, file: Option<PathBuf>) -> io::Result<Self> {
        let (listener, file) = match file {
            None => (UnixListener::bind_addr(&abstract_address(service)?)?, None),
            Some(path) => {
                remove_stale(&path)?;
                let listener = UnixListener::bind(&path)?;
                let made = fs::symlink_metadata(&path)?;
                // Who may come in is decided by who comes, as with abstract names.
                chmod(&path, Mode::from_raw_mode(0o777))?;
                (listener, Some(OwnFile { path, device: made.dev(), inode: made.ino() }))
            }
        };
        listener.set_nonblocking(true)?;
        Ok(Self { listener, service, file })
    }

    pub(super) fn service(&self) -> &'static str {
        self.service
    }

    /// The next one who knocks.
    pub(super) fn accept(&self) -> Option<UnixStream> {
        let (stream, _) = self.listener.accept().ok()?;
        stream.set_nonblocking(true).ok()?;
        Some(stream)
    }
}

impl AsFd for Door {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let Some(OwnFile { path, device, inode }) = &self.file else { return };
        if fs::symlink_metadata(path).is_ok_and(|it| (it.dev(), it.ino()) == (*device, *inode)) {
            let _ = fs::remove_file(path);
        }
    }
}

/// Removes a socket that nobody listens at any more, or somebody who has no business there.
fn remove_stale(path: &Path) -> io::Result<()> {
    let found = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    if is_trusted(found.uid()) && found.file_type().is_socket() {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        match connect(&socket, &SocketAddrUnix::new(path)?) {
            Err(Errno::CONNREFUSED) => {}
            // Too busy to answer is there, too.
            Ok(()) | Err(Errno::AGAIN) => return Err(io::ErrorKind::AddrInUse.into()),
            Err(error) => return Err(error.into()),
        }
    }
    fs::remove_file(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_door_takes_no_place_that_is_in_use_and_gives_up_only_its_own() {
        let directory = std::env::temp_dir().join(format!("systole-door-{}", std::process::id()));
        fs::create_dir_all(&directory).expect("a directory");
        let path = directory.join("attrd");
        let open = || Door::open("attrd", Some(path.clone()));
        let other = UnixListener::bind(&path).expect("a socket");
        assert_eq!(open().err().map(|error| error.kind()), Some(io::ErrorKind::AddrInUse));
        drop(other);
        let first = open().expect("nobody answers there");
        assert!(open().is_err());
        // Somebody takes the place by force.
        fs::remove_file(&path).expect("it is there");
        let second = open().expect("the place is free");
        drop(first);
        assert!(path.exists(), "it is the second one's");
        drop(second);
        assert!(!path.exists());
        fs::remove_dir_all(&directory).expect("removed");
    }
}
