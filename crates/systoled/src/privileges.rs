//! From root to the cluster's own user.

use anyhow::{Context, Result};
use rustix::{
    fs::{Gid, Mode, Uid, chmod, chown},
    process::geteuid,
    thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};
use std::{fs, path::Path};

/// The user and group Pacemaker's daemons run as.
const USER: &str = "hacluster";
const GROUP: &str = "haclient";

/// Whom the daemon will work as.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity {
    uid: Uid,
    gid: Gid,
}

impl Identity {
    /// The cluster's user, if we are root and there is such a user; else we stay who we are.
    pub(crate) fn find() -> Option<Self> {
        if !geteuid().is_root() {
            return None;
        }
        let (uid, primary) = systole_link::user(USER)?;
        let gid = systole_link::group(GROUP).unwrap_or(primary);
        Some(Self { uid: Uid::from_raw(uid), gid: Gid::from_raw(gid) })
    }

    /// Gives `path` to the cluster's user and group.
    pub(crate) fn give(self, path: &Path) -> Result<()> {
        chown(path, Some(self.uid), Some(self.gid))
            .with_context(|| format!("cannot give {} away", path.display()))
    }

    /// Lets the cluster's group use `path`.
    pub(crate) fn share(self, path: &Path) -> Result<()> {
        chown(path, None, Some(self.gid))
            .with_context(|| format!("cannot give {} to {GROUP}", path.display()))
    }

    /// From here on the process is the cluster's user. Called while there is only one thread.
    pub(crate) fn assume(self) -> Result<()> {
        let assume = || {
            set_thread_groups(&[self.gid])?;
            set_thread_res_gid(self.gid, self.gid, self.gid)?;
            set_thread_res_uid(self.uid, self.uid, self.uid)
        };
        assume().with_context(|| format!("cannot become user {USER}"))
    }
}

/// Makes the directory `path` if it is not there; it and the files in it belong to `identity`.
pub(crate) fn prepare_dir(path: &Path, identity: Option<Identity>) -> Result<()> {
    let existed = path.is_dir();
    fs::create_dir_all(path).with_context(|| format!("cannot make the directory {}", path.display()))?;
    if !existed {
        chmod(path, Mode::from_raw_mode(0o750))?;
    }
    let Some(identity) = identity else { return Ok(()) };
    identity.give(path)?;
    // What root wrote here (an administrator who put a cib.xml in place) must not lock us out.
    for entry in fs::read_dir(path)?.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_file()) {
            identity.give(&entry.path())?;
        }
    }
    Ok(())
}
