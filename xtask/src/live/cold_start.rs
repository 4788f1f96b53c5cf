//! A control plane whose every node loses power: the data that was written last is not on the node that is first to come back.

use super::{
    clients::{Clients, Galera, Redis},
    openstack::{self, all_well},
};
use crate::{
    lab::{Lab, Node, wait_until},
    shell,
};
use anyhow::{Context, Result, bail, ensure};
use std::time::Duration;

/// How long a node's loss and a stop of its services may take.
const PATIENCE: Duration = Duration::from_secs(240);

/// Nodes leave one by one while rows are written, so that each has more than the one before; then all come back at once, the one
/// that knows least first.
pub(super) fn all_nodes(lab: &Lab) -> Result<()> {
    all_well(lab)?;
    let nodes = lab.nodes()?;
    let [first, second, third] = nodes.as_slice() else { bail!("there are not three nodes") };
    Galera::emptied(lab)?;
    Redis::emptied()?;
    write(lab, third, 1, 2)?;
    lab.run(&["kill", &first.name])?;
    write(lab, third, 2, 1)?;
    // For as long as it has power only.
    let standby = ["--node", &second.name, "--lifetime", "reboot", "--update", "on"];
    shell::output(&mut lab.tool(third, "crm_standby", &standby))?;
    wait_until("the second node has stopped its services", PATIENCE, || {
        let running = lab.exec(&second.name, &["podman", "ps", "--quiet"])?;
        ensure!(running.trim().is_empty(), "containers still run");
        Ok(())
    })?;
    write(lab, third, 3, 0)?;
    lab.run(&["kill", &third.name])?;
    lab.run(&["kill", &second.name])?;
    for node in &nodes {
        lab.boot(&node.name)?;
    }
    let took = wait_until("everything runs again", 2 * PATIENCE, || openstack::is_well(lab))?;
    println!("          everything runs {:.1} s after the nodes have power", took.as_secs_f64());
    for node in &nodes {
        let rows = Galera::rows(lab, &node.name)?;
        ensure!(rows == [1, 2, 3].into(), "{} has the rows {rows:?}", node.name);
    }
    let members = Redis::members()?;
    ensure!(members == [1, 2, 3].into(), "Redis has {members:?}");
    let clients = Clients::start(lab)?;
    clients.wait_for_more(PATIENCE)?;
    clients.stop().check(lab)?;
    openstack::forgive(lab)
}

/// Writes a number on `node`'s Galera, and into Redis with so many copies that follow.
fn write(lab: &Lab, node: &Node, number: u64, n_followers: u64) -> Result<()> {
    wait_until("the database takes the row", PATIENCE, || Galera::insert(lab, &node.name, number))?;
    // A copy takes writes before its promotion is over, and before its agent has noted down that it was promoted last: what
    // is written then may be lost when its node is.
    wait_until("nothing is under way", PATIENCE, || lab.run(&["wait"]).map(drop))?;
    let written = || Redis::add(number, n_followers).context("Redis does not take it");
    wait_until("Redis takes the number", PATIENCE, written).map(drop)
}
