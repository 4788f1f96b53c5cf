//! Who may speak with the cluster layer: whoever can cast a message there decides what every node runs.

use std::collections::BTreeSet;

/// The user `systoled` works as.
const CLUSTER_USER: &str = "hacluster";

/// The number of the user `systoled` works as, where there is one.
pub fn cluster_user() -> Option<u32> {
    systole_link::user(CLUSTER_USER).map(|(uid, _)| uid)
}

/// The users whose connections the cluster layer takes: root, the user it runs as, and the cluster's.
pub fn trusted_users() -> BTreeSet<u32> {
    let own = rustix::process::geteuid().as_raw();
    [0, own].into_iter().chain(cluster_user()).collect()
}
