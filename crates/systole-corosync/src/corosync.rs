//! Corosync's libraries: what they say, one after the other, as values.

use crate::{Process, Ring};
use anyhow::{Context, Result, bail};
use rust_corosync::{CsError, DispatchFlags, NodeId, TrackFlags, cmap, cpg, quorum};
use std::{
    cell::RefCell,
    os::fd::{BorrowedFd, OwnedFd, RawFd},
    time::{Duration, Instant},
};

/// The CPG group of all nodes' processes.
const GROUP: &str = "systole";

/// How long Corosync may take to say for the first time whether there is quorum.
const FIRST_QUORUM_WITHIN: Duration = Duration::from_secs(5);

/// Something Corosync said.
#[derive(Debug)]
pub enum Heard {
    /// Corosync has formed a new membership.
    Ring(Ring),
    /// The processes of the group.
    Processes(Vec<Process>),
    /// A message of the group.
    Message(Process, Vec<u8>),
    /// Whether the partition has quorum.
    Quorum(Ring, bool),
}

/// What became of a message that was to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It is on its way.
    Yes,
    /// Corosync cannot take it at the moment.
    NotNow,
}

thread_local! {
    /// The libraries call plain functions while they dispatch, on the thread that has them do it.
    static HEARD: RefCell<Vec<Heard>> = const { RefCell::new(Vec::new()) };
}

/// The connection to the Corosync of this node.
pub struct Corosync {
    cpg: cpg::Handle,
    quorum: quorum::Handle,
    cpg_fd: OwnedFd,
    quorum_fd: OwnedFd,
    own: Process,
    node_name: Option<String>,
}

impl Corosync {
    /// Connects, without joining the group yet; with the ring Corosync is in and whether it has quorum.
    ///
    /// # Errors
    /// If Corosync does not run, does not let us in, or has no quorum provider.
    pub fn connect() -> Result<(Self, Ring, bool)> {
        // CPG first: from here on it tells of every change of the ring, so none is missed.
        let callbacks = cpg::Model1Data {
            flags: cpg::Model1Flags::None,
            deliver_fn: Some(delivered),
            confchg_fn: Some(processes_changed),
            totem_confchg_fn: Some(ring_changed),
        };
        let cpg = cpg::initialize(&cpg::ModelData::ModelV1(callbacks), 0).context("cannot connect to CPG")?;
        let node = u32::from(cpg::local_get(&cpg).context("CPG does not say which node this is")?);
        let callbacks = quorum::Model1Data {
            flags: quorum::Model1Flags::None,
            quorum_notification_fn: Some(quorum_changed),
            nodelist_notification_fn: None,
        };
        let (quorum, kind) = quorum::initialize(&quorum::ModelData::ModelV1(callbacks), 0)
            .context("cannot connect to the quorum service")?;
        if matches!(kind, quorum::QuorumType::Free) {
            bail!(
                "Corosync has no quorum provider: corosync.conf needs `quorum {{ provider: corosync_votequorum }}`"
            );
        }
        quorum::trackstart(&quorum, TrackFlags::Changes).context("cannot follow quorum")?;
        let (ring, has_quorum) = first_quorum(&quorum)?;
        let corosync = Self {
            cpg_fd: duplicate(cpg::fd_get(&cpg)?)?,
            quorum_fd: duplicate(quorum::fd_get(&quorum)?)?,
            own: Process { node, pid: std::process::id() },
            node_name: node_name(node).context("cannot read the node's name from cmap")?,
            cpg,
            quorum,
        };
        Ok((corosync, ring, has_quorum))
    }

    /// Joins the group of all nodes' processes.
    ///
    /// # Errors
    /// If CPG does not let us.
    pub fn join(&self) -> Result<()> {
        cpg::join(&self.cpg, GROUP).context("cannot join the group")
    }

    /// This process as the group knows it.
    pub fn own(&self) -> Process {
        self.own
    }

    /// The node's name in `corosync.conf`, if it has one there.
    pub fn node_name(&self) -> Option<&str> {
        self.node_name.as_deref()
    }

    /// What to wait for: either is ready when Corosync has something to say.
    pub fn fds(&self) -> [&OwnedFd; 2] {
        [&self.cpg_fd, &self.quorum_fd]
    }

    /// Everything Corosync has to say at the moment.
    ///
    /// # Errors
    /// If Corosync is gone.
    pub fn hear(&self) -> Result<Vec<Heard>> {
        // Quorum first: CPG's messages are read with what was known when they came, or later, never earlier.
        allow_again(quorum::dispatch(&self.quorum, DispatchFlags::All))
            .context("the quorum service is gone")?;
        allow_again(cpg::dispatch(&self.cpg, DispatchFlags::All)).context("CPG is gone")?;
        Ok(HEARD.take())
    }

    /// Sends a message to the group.
    ///
    /// # Errors
    /// If Corosync is gone.
    pub fn send(&self, message: &[u8]) -> Result<Sent> {
        match cpg::mcast_joined(&self.cpg, cpg::Guarantee::TypeAgreed, message) {
            Ok(()) => Ok(Sent::Yes),
            Err(CsError::CsErrTryAgain) => Ok(Sent::NotNow),
            Err(error) => Err(error).context("cannot send to the group"),
        }
    }
}

fn allow_again(result: rust_corosync::Result<()>) -> rust_corosync::Result<()> {
    match result {
        Err(CsError::CsErrTryAgain) => Ok(()),
        result => result,
    }
}

/// Waits for what votequorum says when somebody begins to follow it.
fn first_quorum(handle: &quorum::Handle) -> Result<(Ring, bool)> {
    let give_up = Instant::now() + FIRST_QUORUM_WITHIN;
    while Instant::now() < give_up {
        allow_again(quorum::dispatch(handle, DispatchFlags::All))?;
        let quorum = HEARD.with_borrow(|heard| {
            heard.iter().rev().find_map(|heard| match heard {
                Heard::Quorum(ring, has_quorum) => Some((*ring, *has_quorum)),
                _ => None,
            })
        });
        if let Some(quorum) = quorum {
            return Ok(quorum);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    bail!("Corosync does not say whether there is quorum")
}

/// The name that `nodelist` in `corosync.conf` gives the node with this number.
fn node_name(node: u32) -> Result<Option<String>> {
    let map = cmap::initialize(cmap::Map::Icmap)?;
    let entries: Vec<(String, String)> = cmap::CmapIterStart::new(&map, "nodelist.node.")?
        .into_iter()
        .filter_map(|entry| match entry.data() {
            cmap::Data::String(text) => Some((entry.key_name().to_owned(), text.clone())),
            cmap::Data::UInt32(number) => Some((entry.key_name().to_owned(), number.to_string())),
            _ => None,
        })
        .collect();
    let value = |key: &str| entries.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
    let own = entries
        .iter()
        .filter_map(|(key, value)| Some((key.strip_suffix(".nodeid")?, value)))
        .find(|(_, value)| **value == node.to_string());
    Ok(own.and_then(|(prefix, _)| value(&format!("{prefix}.name"))).map(str::to_owned))
}

/// A descriptor of our own for the same socket, so that polling it cannot outlive it.
#[expect(unsafe_code, reason = "the libraries hand out plain numbers")]
fn duplicate(fd: RawFd) -> Result<OwnedFd> {
    // SAFETY: the library that gave the number has the descriptor open as long as its handle, which the caller holds.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    fd.try_clone_to_owned().context("cannot duplicate a descriptor")
}

fn hear(heard: Heard) {
    HEARD.with_borrow_mut(|queue| queue.push(heard));
}

fn delivered(_: &cpg::Handle, _group: String, node: NodeId, pid: u32, message: &[u8], _length: usize) {
    hear(Heard::Message(Process { node: node.into(), pid }, message.to_vec()));
}

fn processes_changed(
    _: &cpg::Handle,
    _group: &str,
    members: Vec<cpg::Address>,
    _left: Vec<cpg::Address>,
    _joined: Vec<cpg::Address>,
) {
    let process = |address: cpg::Address| Process { node: address.nodeid.into(), pid: address.pid };
    hear(Heard::Processes(members.into_iter().map(process).collect()));
}

fn ring_changed(_: &cpg::Handle, ring: cpg::RingId, _members: Vec<NodeId>) {
    hear(Heard::Ring(Ring { leader: ring.nodeid.into(), sequence: ring.seq }));
}

fn quorum_changed(_: &quorum::Handle, has_quorum: bool, ring: quorum::RingId, _members: Vec<NodeId>) {
    hear(Heard::Quorum(Ring { leader: ring.nodeid.into(), sequence: ring.seq }, has_quorum));
}
