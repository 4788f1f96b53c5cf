//! Signs of Podman's containers: one that ends, or begins to run by nobody's order, is noticed at once, not at the next round of
//! its monitor a minute later, or the next probe.
//!
//! Podman has `conmon` leave a file named after a container in its `exits` directory when the container ends, and its runtime
//! makes a directory of that name when it starts one. That is a sign only: it brings the resource's own monitor forward, or
//! has the cluster probe it, and what the agent says counts.

use rustix::{
    fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags},
    io::Errno,
};
use std::{
    collections::BTreeMap,
    fs, io,
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};
use systole_wire::exec::Operation;

/// Where root's Podman has its containers' ends noted.
const EXITS: &str = "/run/libpod/exits";

/// Where the runtimes it uses have what runs. The directories are made by the first container after a boot.
pub(crate) const RUNTIMES: [&str; 2] = ["/run/crun", "/run/runc"];

/// What these directories are in.
const RUN: &str = "/run";

/// Where it keeps their names. Later versions have those that are removed when they end (`--rm`) in a list of their own.
const NAMES: [&str; 2] = [
    "/var/lib/containers/storage/overlay-containers/containers.json",
    "/var/lib/containers/storage/overlay-containers/volatile-containers.json",
];

/// Room for some forty notices at a time; more wait in the kernel.
const BUFFER_BYTES: usize = 4 << 10;

/// Watches containers start and end.
pub(crate) struct ContainerWatch {
    notices: OwnedFd,
    /// What is watched: by the number the kernel gave it.
    watched: BTreeMap<i32, Watched>,
    /// Instances by the name of their container.
    instances: BTreeMap<String, String>,
}

/// A directory, and what it means when something is made in it.
#[derive(Debug)]
struct Watched {
    directory: PathBuf,
    meaning: Meaning,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    /// There is a sign of the container of that name.
    Sign(Sign),
    /// If it is a runtime's directory: the first container has started.
    Home,
}

/// What a notice from a directory means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sign {
    /// A container has ended.
    Ended,
    /// A container has started.
    Started,
}

impl ContainerWatch {
    /// Watches nothing yet.
    pub(crate) fn new() -> io::Result<Self> {
        let notices = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        Ok(Self { notices, watched: BTreeMap::new(), instances: BTreeMap::new() })
    }

    /// Learns from an operation about to run which instance has which container.
    pub(crate) fn learn(&mut self, operation: &Operation) {
        let Some(container) = container_name(operation) else { return };
        self.instances.insert(container.to_owned(), operation.resource.clone());
        if !self.watches(Meaning::Sign(Sign::Ended)) {
            self.watch(Path::new(EXITS), Meaning::Sign(Sign::Ended));
        }
        if !self.watches(Meaning::Sign(Sign::Started)) {
            self.watch_runtimes(Path::new(RUN));
        }
    }

    fn watches(&self, meaning: Meaning) -> bool {
        self.watched.values().any(|watched| watched.meaning == meaning)
    }

    /// Watches the directories of runtimes in `run`; while there are none, for one to appear.
    fn watch_runtimes(&mut self, run: &Path) {
        if !self.watches(Meaning::Home) {
            self.watch(run, Meaning::Home);
        }
        for name in runtime_names() {
            self.watch(&run.join(name), Meaning::Sign(Sign::Started));
        }
    }

    fn watch(&mut self, directory: &Path, meaning: Meaning) {
        let flags = WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::ONLYDIR;
        if let Ok(number) = inotify::add_watch(&self.notices, directory, flags) {
            self.watched.insert(number, Watched { directory: directory.to_owned(), meaning });
        }
    }

    /// The instances whose containers have started or ended since the last call. Where it is not known which has ended, it may be
    /// any: all are named. What started and has no name any more is gone again, and was nobody's: the cluster's containers stay
    /// on the list until they are removed.
    pub(crate) fn signs(&mut self) -> Vec<(Sign, String)> {
        let notices = self.read();
        if notices.is_empty() {
            return Vec::new();
        }
        let names = all_names();
        let mut signs = Vec::new();
        for (sign, id) in notices {
            let meant: Vec<&String> = match (names.get(&id), sign) {
                (Some(names), _) => names.iter().filter_map(|name| self.instances.get(name)).collect(),
                (None, Sign::Ended) => self.instances.values().collect(),
                (None, Sign::Started) => Vec::new(),
            };
            signs.extend(meant.into_iter().map(|instance| (sign, instance.clone())));
        }
        signs.dedup();
        signs
    }

    /// Ids of containers there is a sign of.
    fn read(&mut self) -> Vec<(Sign, String)> {
        let (mut notices, mut appeared) = (Vec::new(), Vec::new());
        let mut buffer = [MaybeUninit::uninit(); BUFFER_BYTES];
        let mut reader = Reader::new(&self.notices, &mut buffer);
        loop {
            match reader.next() {
                Ok(event) => {
                    let name = event.file_name().and_then(|name| name.to_str().ok()).unwrap_or_default();
                    match self.watched.get(&event.wd()) {
                        Some(Watched { meaning: Meaning::Sign(sign), .. }) if is_id(name) => {
                            notices.push((*sign, name.to_owned()));
                        }
                        Some(Watched { meaning: Meaning::Home, directory })
                            if runtime_names().any(|runtime| runtime == name) =>
                        {
                            appeared.push(directory.join(name));
                        }
                        _ => {}
                    }
                    // The directory is gone: it is looked for again with the next operation.
                    if event.events().contains(ReadFlags::IGNORED) {
                        self.watched.remove(&event.wd());
                    }
                }
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
        for directory in appeared {
            self.watch(&directory, Meaning::Sign(Sign::Started));
            // What was made in it before it was watched; perhaps told twice.
            let entries = fs::read_dir(&directory).into_iter().flatten().flatten();
            let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
            notices.extend(names.filter(|name| is_id(name)).map(|name| (Sign::Started, name)));
        }
        notices
    }
}

impl AsFd for ContainerWatch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.notices.as_fd()
    }
}

/// Whether the operation's resource is one of Podman's containers.
pub(crate) fn is_container(operation: &Operation) -> bool {
    operation.class == "ocf" && operation.agent == "podman"
}

/// The name of the container that the operation's resource is, if it is one of Podman's.
pub(crate) fn container_name(operation: &Operation) -> Option<&str> {
    let name = operation.parameters.get("name").unwrap_or(&operation.resource);
    is_container(operation).then_some(name)
}

/// The id of Podman's container called `name`, if there is one.
pub(crate) fn id_of(name: &str) -> Option<String> {
    all_names().into_iter().find(|(_, names)| names.iter().any(|one| one == name)).map(|(id, _)| id)
}

/// What the runtimes' directories are called.
fn runtime_names() -> impl Iterator<Item = &'static str> {
    RUNTIMES.into_iter().filter_map(|directory| Path::new(directory).file_name()?.to_str())
}

/// Whether a file's name is a container's id, and not that of a file still being written.
fn is_id(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Containers' names by id.
fn all_names() -> BTreeMap<String, Vec<String>> {
    NAMES.into_iter().filter_map(|list| fs::read(list).ok()).flat_map(|bytes| names(&bytes)).collect()
}

/// Containers' names by id, out of one of Podman's own lists; nothing if it cannot be read.
fn names(list: &[u8]) -> BTreeMap<String, Vec<String>> {
    let list: serde_json::Value = serde_json::from_slice(list).unwrap_or_default();
    let containers = list.as_array().into_iter().flatten();
    let entry = |container: &serde_json::Value| {
        let names = container["names"].as_array()?.iter().filter_map(|name| Some(name.as_str()?.to_owned()));
        Some((container["id"].as_str()?.to_owned(), names.collect()))
    };
    containers.filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_podmans_list() {
        let list = br#"[{"id": "4f", "names": ["web-bundle-podman-0"], "layer": "x"}, {"id": "5a"}]"#;
        let expected = BTreeMap::from([("4f".to_owned(), vec!["web-bundle-podman-0".to_owned()])]);
        assert_eq!(names(list), expected);
        assert_eq!(names(b"[{"), BTreeMap::new());
    }

    #[test]
    fn a_directory_named_after_a_container_is_a_sign_of_what_it_stands_for() {
        let id = "5f57911fe71281fb6348d1c098b0728b7d3aaeb625cd41f8a980402a1e6f3379";
        let base = std::env::temp_dir().join(format!("systole-containers-{}", std::process::id()));
        let (exits, runtime) = (base.join("exits"), base.join("runc"));
        fs::create_dir_all(&exits).expect("directory");
        let mut watch = ContainerWatch::new().expect("inotify");
        watch.instances.insert("web".to_owned(), "web-podman-0".to_owned());
        watch.watch(&exits, Meaning::Sign(Sign::Ended));
        watch.watch_runtimes(&base);
        assert_eq!(watch.signs(), []);
        // By the first container after a boot.
        fs::create_dir_all(runtime.join(id)).expect("directory");
        fs::create_dir(base.join("something-else")).expect("directory");
        assert_eq!(watch.read(), [(Sign::Started, id.to_owned())]);
        fs::remove_dir(runtime.join(id)).expect("it is there");
        assert_eq!(watch.read(), []);
        // Podman does not know this container: any may be the one that ended, but what started is gone again.
        let all = vec![(Sign::Ended, "web-podman-0".to_owned())];
        for (directory, signs) in [(&runtime, Vec::new()), (&exits, all)] {
            fs::create_dir(directory.join("something-else")).expect("directory");
            assert_eq!(watch.signs(), []);
            fs::create_dir(directory.join(id)).expect("directory");
            assert_eq!(watch.signs(), signs);
        }
        fs::remove_dir_all(&base).expect("it is there");
        // The kernel takes its time to let go of a directory.
        for _ in 0..500 {
            assert_eq!(watch.signs(), []);
            if watch.watched.is_empty() {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("directories that are gone are still watched: {:?}", watch.watched);
    }

    #[test]
    fn files_being_written_are_no_ids() {
        let id = "5f57911fe71281fb6348d1c098b0728b7d3aaeb625cd41f8a980402a1e6f3379";
        for (name, is) in [(id, true), (&format!("{id}.A1B2C3"), false), ("", false)] {
            assert_eq!(is_id(name), is, "{name}");
        }
    }
}
