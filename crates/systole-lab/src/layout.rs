//! Where a lab keeps its things on the host, and what they are called.

use anyhow::{Result, ensure};
use std::path::PathBuf;

/// The name a lab has unless `--name` gives another.
pub const DEFAULT_NAME: &str = "lab";

/// Where container images are kept between labs, read-only to the nodes.
pub const IMAGE_STORE: &str = "/var/lib/systole-lab/images/store";

/// The disks of every lab's nodes.
pub const LABS: &str = "/var/lib/systole-lab/labs";

/// What a node sees of the lab: the hub's socket.
pub const NODE_RUN: &str = "/run/systole-lab";

/// Where a node finds the programs of this build.
pub const NODE_BIN: &str = "/usr/libexec/systole";

/// Paths and names of one lab.
#[derive(Clone, Debug)]
pub struct Layout {
    name: String,
}

impl Layout {
    /// The layout of the lab called `name`.
    ///
    /// # Errors
    /// If the name does not fit into the name of a network interface.
    pub fn new(name: &str) -> Result<Self> {
        let fits = (1..=8).contains(&name.len());
        ensure!(
            fits && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()),
            "a lab's name has 1 to 8 lower case letters or digits, not {name:?}"
        );
        Ok(Layout { name: name.to_owned() })
    }

    /// The lab's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What goes away with the host's next boot: sockets and the plan.
    pub fn run_dir(&self) -> PathBuf {
        PathBuf::from("/run/systole-lab").join(&self.name)
    }

    /// The nodes' disks.
    pub fn state_dir(&self) -> PathBuf {
        PathBuf::from(LABS).join(&self.name)
    }

    /// One node's disks and its console.
    pub fn node_dir(&self, node: &str) -> PathBuf {
        self.state_dir().join(node)
    }

    /// The directory with the hub's socket, shown to every node at [`NODE_RUN`].
    pub fn hub_dir(&self) -> PathBuf {
        self.run_dir().join("hub")
    }

    /// The hub's socket as the host sees it.
    pub fn hub_socket(&self) -> PathBuf {
        self.hub_dir().join("hub.sock")
    }

    /// Where the supervisor takes requests.
    pub fn control_socket(&self) -> PathBuf {
        self.run_dir().join("control.sock")
    }

    /// What the supervisor was started with.
    pub fn plan_file(&self) -> PathBuf {
        self.run_dir().join("plan.json")
    }

    /// What the supervisor had to say.
    pub fn log_file(&self) -> PathBuf {
        self.run_dir().join("supervisor.log")
    }

    /// The switch all nodes are plugged into.
    pub fn bridge(&self) -> String {
        format!("sl-{}", self.name)
    }

    /// The switch's end of a node's cable.
    pub fn port(&self, node_idx: usize) -> String {
        format!("sl-{}-{node_idx}", self.name)
    }

    /// The control group of the whole lab, below each hierarchy's mount point.
    pub fn cgroup(&self) -> PathBuf {
        PathBuf::from("systole-lab").join(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_fits_into_the_name_of_an_interface() {
        for (name, fits) in
            [("lab", true), ("a2345678", true), ("", false), ("a23456789", false), ("a/b", false)]
        {
            assert_eq!(Layout::new(name).is_ok(), fits, "{name}");
        }
        assert!(Layout::new("a2345678").unwrap().port(15).len() <= 15);
    }
}
