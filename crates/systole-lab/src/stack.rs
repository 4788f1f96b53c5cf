//! The cluster layers a lab can have: the local hub, or Corosync on every node.

use crate::layout::{NODE_BIN, NODE_RUN};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::{
    fmt::Write as _,
    fs::{self, File},
    io::Read,
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

/// What gives the nodes membership, quorum and agreed order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Stack {
    /// One sequencer for all nodes, run by the lab's supervisor. Needs nothing else.
    #[default]
    Hub,
    /// A real Corosync on every node, over the lab's network.
    Corosync,
}

/// A daemon of a node.
#[derive(Clone, Debug)]
pub struct Daemon {
    /// Its name, and that of its log.
    pub name: &'static str,
    /// Where it is.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
}

/// How long Corosync waits for a node's sign of life, in milliseconds; a node is lost after little more than twice this.
const TOKEN_MS: u32 = 1000;

/// How many random bytes a lab's key is made of. Corosync wants 128 bytes at least, and OpenSSL takes 512 at most; written in
/// hexadecimal digits this is 256.
const KEY_LEN: usize = 128;

/// Where Corosync expects its key.
const KEY_FILE: &str = "/etc/corosync/authkey";

impl Stack {
    /// The daemons of the node called `node`, in the order they are started.
    pub fn daemons(self, node: &str) -> Vec<Daemon> {
        let ours = |name, arguments: &[&str]| Daemon {
            name,
            program: Path::new(NODE_BIN).join(name),
            arguments: arguments.iter().map(|text| (*text).to_owned()).collect(),
        };
        let hub_socket = format!("{NODE_RUN}/hub.sock");
        match self {
            Stack::Hub => {
                vec![ours("systole-execd", &[]), ours("systoled", &["--node", node, "--hub", &hub_socket])]
            }
            Stack::Corosync => vec![
                Daemon {
                    name: "corosync",
                    program: "/usr/sbin/corosync".into(),
                    arguments: vec!["-f".to_owned()],
                },
                ours("systole-corosync", &[]),
                ours("systole-execd", &[]),
                ours("systoled", &["--node", node, "--stack", "corosync"]),
            ],
        }
    }

    /// This build's programs that a lab with this cluster layer runs.
    pub fn programs(self) -> &'static [&'static str] {
        match self {
            Stack::Hub => &["systoled", "systole-execd"],
            Stack::Corosync => &["systoled", "systole-execd", "systole-corosync"],
        }
    }

    /// Writes what the cluster layer needs on a node.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn configure(self, nodes: &[(String, Ipv4Addr)], key: &str) -> Result<()> {
        if self == Stack::Hub {
            return Ok(());
        }
        for dir in ["/etc/corosync", "/var/lib/corosync", "/var/log/corosync"] {
            fs::create_dir_all(dir).with_context(|| format!("cannot make {dir}"))?;
        }
        fs::write("/etc/corosync/corosync.conf", corosync_conf(nodes))
            .context("cannot write corosync.conf")?;
        fs::write(KEY_FILE, key).with_context(|| format!("cannot write {KEY_FILE}"))
    }
}

/// A new secret of a lab's nodes: Corosync's, and that of connections to remote daemons.
///
/// # Errors
/// If the kernel gives no random bits.
pub fn new_key() -> Result<String> {
    let mut key = [0; KEY_LEN];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut key))
        .context("cannot read random bits")?;
    Ok(key.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    }))
}

/// `corosync.conf` of a cluster of `nodes`.
fn corosync_conf(nodes: &[(String, Ipv4Addr)]) -> String {
    let mut text = format!(
        "totem {{\n    version: 2\n    cluster_name: lab\n    transport: knet\n    token: {TOKEN_MS}\n    \
         token_coefficient: 0\n    crypto_cipher: aes256\n    crypto_hash: sha256\n    keyfile: {KEY_FILE}\n}}\n\
         quorum {{\n    provider: corosync_votequorum\n}}\n\
         logging {{\n    to_stderr: yes\n    to_syslog: no\n}}\n\
         # Corosync would leave the lab's control group otherwise, and the lab could not find it to end it.\n\
         system {{\n    move_to_root_cgroup: no\n}}\nnodelist {{\n"
    );
    for (idx, (name, address)) in nodes.iter().enumerate() {
        let _ = writeln!(
            text,
            "    node {{\n        ring0_addr: {address}\n        name: {name}\n        nodeid: {}\n    }}",
            idx + 1
        );
    }
    text + "}\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corosync_numbers_nodes_as_the_hub_does() {
        let nodes = ["a", "b"].map(|name| (name.to_owned(), Ipv4Addr::new(10, 0, 0, 1)));
        let text = corosync_conf(&nodes);
        for (name, id) in [("a", 1), ("b", 2)] {
            assert!(text.contains(&format!("name: {name}\n        nodeid: {id}\n")), "{text}");
        }
    }
}
