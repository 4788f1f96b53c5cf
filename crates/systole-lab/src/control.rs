//! What `systole lab` says to the lab's supervisor, one JSON object a line over a Unix socket.

use crate::layout::Layout;
use anyhow::{Context, Result, bail, ensure};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    net::sockopt,
    process::{PidfdFlags, pidfd_open},
};
use serde::{Deserialize, Serialize};
use std::{
    io::{BufRead, BufReader, Write},
    net::Ipv4Addr,
    os::unix::net::UnixStream,
    path::PathBuf,
};

/// What is asked of the supervisor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// How the nodes are.
    Status,
    /// Cut a node's power: everything on it dies at once.
    Kill {
        /// Which.
        node: String,
    },
    /// Give a node power.
    Boot {
        /// Which.
        node: String,
        /// Start the daemons too.
        daemons: bool,
    },
    /// Take a node off the network and the cluster layer.
    Cut {
        /// Which.
        node: String,
    },
    /// Undo a cut.
    Heal {
        /// Which.
        node: String,
    },
    /// Cut every node's power and end.
    End,
}

/// What the supervisor answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The lab as it is now.
    Status(LabStatus),
    /// Done.
    Done,
    /// Not done.
    Refused {
        /// Why, and what to do.
        message: String,
    },
}

/// A lab as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabStatus {
    /// The lab's name.
    pub name: String,
    /// The CIB it was brought up with.
    pub file: PathBuf,
    /// The host's address on the lab's network.
    pub host_address: Ipv4Addr,
    /// Its nodes.
    pub nodes: Vec<NodeStatus>,
}

impl LabStatus {
    /// The node called `name`.
    ///
    /// # Errors
    /// If there is none; the error names those there are.
    pub fn node(&self, name: &str) -> Result<&NodeStatus> {
        self.nodes.iter().find(|node| node.name == name).with_context(|| {
            let names: Vec<_> = self.nodes.iter().map(|node| node.name.as_str()).collect();
            format!("there is no node {name:?}; the nodes are {}", names.join(", "))
        })
    }
}

/// A node as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// Its first process as the host numbers it; `None` if the node has no power.
    pub init: Option<u32>,
    /// Whether the node has finished booting.
    pub booted: bool,
    /// Whether it is cut off.
    pub cut: bool,
    /// How often it was given power.
    pub n_boots: u32,
}

impl NodeStatus {
    /// Its first process.
    ///
    /// # Errors
    /// If the node has no power.
    pub fn powered(&self) -> Result<u32> {
        self.init
            .with_context(|| format!("{0} has no power: `systole lab boot {0}` gives it some", self.name))
    }

    /// A file of the node as the host sees it.
    ///
    /// # Errors
    /// If the node has no power.
    pub fn path(&self, file: &str) -> Result<PathBuf> {
        Ok(PathBuf::from(format!("/proc/{}/root{file}", self.powered()?)))
    }
}

/// Whether a supervisor answers.
pub fn is_running(layout: &Layout) -> bool {
    UnixStream::connect(layout.control_socket()).is_ok()
}

/// Asks the supervisor something.
///
/// # Errors
/// If there is no supervisor, or it refuses.
pub fn ask(layout: &Layout, ask: &Ask) -> Result<Answer> {
    let Ok(stream) = UnixStream::connect(layout.control_socket()) else { return Err(not_up(layout)) };
    exchange(stream, ask)
}

fn exchange(mut stream: UnixStream, ask: &Ask) -> Result<Answer> {
    stream.write_all(&systole_wire::encode(ask)).context("cannot ask the lab's supervisor")?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).context("the lab's supervisor did not answer")?;
    match systole_wire::decode(line.as_bytes()).context("the lab's supervisor did not answer")? {
        Answer::Refused { message } => bail!(message),
        answer => Ok(answer),
    }
}

/// How long a supervisor may take to exit once it has said that all is down.
const EXIT_LIMIT: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// Asks the supervisor to take the lab down, and waits until it has exited itself.
///
/// # Errors
/// If there is no supervisor, it refuses, or it does not exit.
pub fn end(layout: &Layout) -> Result<()> {
    let Ok(stream) = UnixStream::connect(layout.control_socket()) else { return Err(not_up(layout)) };
    let peer = sockopt::socket_peercred(&stream).context("cannot tell who supervises the lab")?;
    let process = pidfd_open(peer.pid, PidfdFlags::empty()).context("cannot watch the lab's supervisor")?;
    exchange(stream, &Ask::End)?;
    let exited = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&EXIT_LIMIT))?;
    ensure!(
        exited == 1,
        "the lab is down but its supervisor (process {}) does not exit",
        peer.pid.as_raw_nonzero()
    );
    Ok(())
}

/// Asks the supervisor how the lab is.
///
/// # Errors
/// If there is no supervisor.
pub fn status(layout: &Layout) -> Result<LabStatus> {
    match ask(layout, &Ask::Status)? {
        Answer::Status(status) => Ok(status),
        other => bail!("the lab's supervisor gave a wrong answer: {other:?}"),
    }
}

fn not_up(layout: &Layout) -> anyhow::Error {
    if layout.run_dir().exists() {
        anyhow::anyhow!(
            "the lab's supervisor is gone but parts of the lab are left: `systole lab down` removes them"
        )
    } else {
        anyhow::anyhow!("no lab is up: `systole lab up FILE.xml` brings one up")
    }
}
