//! What a tool shares with us in the file system: a directory with the file that libqb counts in. Both belong to the tool, which
//! may move or replace them.

use rustix::fs::{AtFlags, Mode, OFlags, unlinkat};
use std::{fs, io, os::fd::OwnedFd, path::Path, time::Duration};

/// Where shared files are made.
pub(super) const SHARED: &str = "/dev/shm";

/// The file in a directory there that libqb counts in.
pub(super) const CONTROL: &str = "control";

/// After how long what is shared has been opened, or will not be.
const LEFT_BEHIND: Duration = Duration::from_secs(60);

pub(super) fn open_directory(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?)
}

/// Removes what was shared with a tool. It is the tool's, which may have put something else there: no link is followed.
pub(super) fn remove_shared(shared: &OwnedFd, directory: &Path) {
    let _ = unlinkat(shared, CONTROL, AtFlags::empty());
    let _ = fs::remove_dir(directory);
}

/// Removes what a daemon that was killed has left behind. Tools open what is shared as soon as they are let in, so that nobody
/// misses what is older than that.
pub(in crate::remote::libqb) fn sweep() {
    sweep_in(Path::new(SHARED));
}

fn sweep_in(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(is_name_of_ours);
        let age = entry.metadata().ok().and_then(|it| it.modified().ok()?.elapsed().ok());
        if is_ours
            && age.is_some_and(|age| age > LEFT_BEHIND)
            && let Ok(shared) = open_directory(&entry.path())
        {
            remove_shared(&shared, &entry.path());
        }
    }
}

/// Whether it is `qb-` and a UUID. libqb itself has other names.
fn is_name_of_ours(name: &str) -> bool {
    let groups = name.strip_prefix("qb-").into_iter().flat_map(|uuid| uuid.split('-'));
    let is_hex = |group: &str| group.bytes().all(|byte| byte.is_ascii_hexdigit());
    groups.map(|group| if is_hex(group) { group.len() } else { 0 }).eq([8, 4, 4, 4, 12])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_is_removed_where_it_is_and_nowhere_else() {
        let uuid = fs::read_to_string("/proc/sys/kernel/random/uuid").expect("a number");
        let root = std::env::temp_dir().join(format!("systole-shared-{}", uuid.trim()));
        let (mine, moved, others) = (root.join("mine"), root.join("moved"), root.join("others"));
        for directory in [&mine, &others] {
            fs::create_dir_all(directory).expect("a directory");
            fs::write(directory.join(CONTROL), "").expect("a file");
        }
        let shared = open_directory(&mine).expect("a directory");
        fs::rename(&mine, &moved).expect("moved");
        std::os::unix::fs::symlink(&others, &mine).expect("a link");
        assert!(open_directory(&mine).is_err(), "a link is not followed");
        remove_shared(&shared, &mine);
        assert!(others.join(CONTROL).exists() && !moved.join(CONTROL).exists());
        fs::remove_dir_all(&root).expect("removed");
    }

    #[test]
    fn names_of_ours_are_told_from_those_of_libqb() {
        for (name, is_ours) in [
            ("qb-1a2b3c4d-0000-4000-8000-00000000000f", true),
            ("qb-123-456-7-AbCdEf", false),
            ("qb-1a2b3c4d-0000-4000-8000-00000000000f-x", false),
            ("1a2b3c4d-0000-4000-8000-00000000000f", false),
        ] {
            assert_eq!(is_name_of_ours(name), is_ours, "{name}");
        }
    }

    #[test]
    fn what_a_killed_daemon_left_behind_is_removed() {
        let uuid = fs::read_to_string("/proc/sys/kernel/random/uuid").expect("a number");
        let root = std::env::temp_dir().join(format!("systole-swept-{}", uuid.trim()));
        let old = std::time::SystemTime::now() - 2 * LEFT_BEHIND;
        for (name, is_old, is_kept) in [
            ("qb-1a2b3c4d-0000-4000-8000-000000000001", true, false),
            ("qb-1a2b3c4d-0000-4000-8000-000000000002", false, true),
            ("qb-123-456-7-AbCdEf", true, true),
        ] {
            let directory = root.join(name);
            fs::create_dir_all(&directory).expect("a directory");
            fs::write(directory.join(CONTROL), "").expect("a file");
            if is_old {
                let opened = fs::File::open(&directory).expect("it is there");
                opened.set_modified(old).expect("set");
            }
            sweep_in(&root);
            assert_eq!(directory.join(CONTROL).exists(), is_kept, "{name}");
            assert_eq!(directory.exists(), is_kept, "{name}");
        }
        fs::remove_dir_all(&root).expect("removed");
    }
}
