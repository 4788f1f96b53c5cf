//! The lab's network: one bridge, and a cable from it to every node that has power.

use crate::{
    command::{attempt, run},
    layout::Layout,
};
use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::{fs, net::Ipv4Addr, path::Path, str::FromStr};

/// The host's own address: the last in the subnet.
const HOST_PART: u8 = 254;

/// The first node's address; the others follow.
const FIRST_NODE_PART: u8 = 11;

/// The subnet's length in bits.
pub const PREFIX_LEN: u8 = 24;

/// The lab's subnet, always a `/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet(Ipv4Addr);

impl Subnet {
    /// The host's address on the bridge.
    pub fn host(self) -> Ipv4Addr {
        self.address(HOST_PART)
    }

    /// A node's address.
    pub fn node(self, node_idx: usize) -> Ipv4Addr {
        let offset = u8::try_from(node_idx).expect("a lab has few nodes");
        self.address(FIRST_NODE_PART + offset)
    }

    /// The address with the given last number.
    pub fn address(self, last: u8) -> Ipv4Addr {
        let [a, b, c, _] = self.0.octets();
        Ipv4Addr::new(a, b, c, last)
    }
}

impl FromStr for Subnet {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        let address = text.strip_suffix("/24").unwrap_or(text).parse::<Ipv4Addr>().ok();
        match address {
            Some(address) if address.octets()[3] == 0 => Ok(Subnet(address)),
            _ => bail!("{text:?} is not a subnet such as 10.77.7.0/24"),
        }
    }
}

/// Makes the bridge and gives the host its address on it.
///
/// # Errors
/// If the subnet is in use, or the bridge cannot be made.
pub fn create_bridge(layout: &Layout, subnet: Subnet) -> Result<()> {
    let address = format!("{}/{PREFIX_LEN}", subnet.host());
    let taken =
        run("ip", &["-o", "-4", "route", "show", "exact", &format!("{}/{PREFIX_LEN}", subnet.address(0))])?;
    ensure!(
        taken.trim().is_empty(),
        "the subnet {}/24 is in use on this host ({}): give another with --subnet",
        subnet.address(0),
        taken.trim()
    );
    let bridge = layout.bridge();
    run("ip", &["link", "add", &bridge, "type", "bridge", "forward_delay", "0"])?;
    run("ip", &["addr", "add", &address, "dev", &bridge])?;
    run("ip", &["link", "set", &bridge, "up"])?;
    Ok(())
}

/// Removes the bridge, if it is there.
pub fn remove_bridge(layout: &Layout) {
    attempt("ip", &["link", "del", &layout.bridge()]);
}

/// Whether the bridge exists.
pub fn bridge_exists(layout: &Layout) -> bool {
    Path::new("/sys/class/net").join(layout.bridge()).exists()
}

/// Lays a cable from the bridge to the network namespace of the process `pid`, where it is called `eth0`.
///
/// # Errors
/// If it cannot be laid.
pub fn plug(layout: &Layout, node_idx: usize, pid: u32, cut: bool) -> Result<()> {
    let port = layout.port(node_idx);
    attempt("ip", &["link", "del", &port]);
    let mac = format!("02:73:79:73:00:{:02x}", FIRST_NODE_PART as usize + node_idx);
    let pid = pid.to_string();
    run(
        "ip",
        &["link", "add", &port, "type", "veth", "peer", "name", "eth0", "address", &mac, "netns", &pid],
    )?;
    if !cut {
        connect(layout, node_idx)?;
    }
    run("ip", &["link", "set", &port, "up"])?;
    Ok(())
}

/// Removes a node's cable, if it is there.
pub fn unplug(layout: &Layout, node_idx: usize) {
    attempt("ip", &["link", "del", &layout.port(node_idx)]);
}

/// Removes every cable of the lab, whoever laid it.
pub fn remove_ports(layout: &Layout) {
    let prefix = format!("{}-", layout.bridge());
    for entry in fs::read_dir("/sys/class/net").into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(&prefix) {
            attempt("ip", &["link", "del", &name]);
        }
    }
}

/// Takes a node's cable out of the bridge. The node itself still sees a carrier, as with a broken switch.
///
/// # Errors
/// If there is no such cable.
pub fn disconnect(layout: &Layout, node_idx: usize) -> Result<()> {
    run("ip", &["link", "set", &layout.port(node_idx), "nomaster"]).map(drop)
}

/// Puts a node's cable into the bridge.
///
/// # Errors
/// If there is no such cable.
pub fn connect(layout: &Layout, node_idx: usize) -> Result<()> {
    run("ip", &["link", "set", &layout.port(node_idx), "master", &layout.bridge()]).map(drop)
}
