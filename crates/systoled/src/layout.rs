//! Where things are on a node.

use std::path::{Path, PathBuf};

/// Paths, all of which a test can have below a directory of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// `cib.xml` and its backups.
    pub cib_dir: PathBuf,
    /// Scheduler inputs.
    pub input_dir: PathBuf,
    /// What tools connect to.
    pub api_socket: PathBuf,
    /// What the executor listens at.
    pub exec_socket: PathBuf,
    /// What the local hub listens at.
    pub hub_socket: PathBuf,
    /// This boot's name.
    pub boot_id_file: PathBuf,
}

impl Default for Layout {
    /// As on a host: state where Pacemaker keeps it, sockets under `/run`.
    fn default() -> Self {
        Self {
            cib_dir: "/var/lib/pacemaker/cib".into(),
            input_dir: "/var/lib/pacemaker/pengine".into(),
            api_socket: systole_wire::api::SOCKET.into(),
            exec_socket: systole_wire::exec::SOCKET.into(),
            hub_socket: "/run/systole/hub.sock".into(),
            boot_id_file: "/run/systole/boot-id".into(),
        }
    }
}

impl Layout {
    /// Everything of one node below `dir`, for tests and trials without root; the executor's files too.
    pub fn below(dir: &Path) -> Self {
        Self {
            cib_dir: dir.join("cib"),
            input_dir: dir.join("pengine"),
            api_socket: dir.join("api.sock"),
            exec_socket: dir.join("exec.sock"),
            hub_socket: dir.join("hub.sock"),
            boot_id_file: dir.join("boot-id"),
        }
    }
}
