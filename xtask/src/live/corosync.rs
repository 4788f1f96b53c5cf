//! The same cluster over a real Corosync on every node: form, lose a node, regain it, lose quorum and stop.

use super::{PATIENCE, Test, cluster};
use crate::{
    lab::{Lab, wait_until},
    shell,
};
use anyhow::{Result, bail, ensure};

pub(super) const TESTS: &[Test] = &[
    ("over Corosync, everything runs and the CIB says so", formed),
    (
        "over Corosync, a node without power gives its addresses to another, and takes part again",
        cluster::power_off,
    ),
    ("over Corosync, a node that is cut off stops what it runs, and takes part again", cluster::cut_off),
    ("over Corosync, a node without quorum stops everything until the others are back", quorum_lost),
    ("a killed corosync comes back and the node is a member again", |lab| layer_killed(lab, "corosync")),
    ("a killed systole-corosync comes back and the node is a member again", |lab| {
        layer_killed(lab, "systole-corosync")
    }),
];

fn formed(lab: &Lab) -> Result<()> {
    cluster::all_well(lab)?;
    for node in lab.nodes()? {
        let args = ["--query", "--name", "cluster-infrastructure", "--quiet"];
        let said = shell::output(&mut lab.tool(&node, "crm_attribute", &args))?;
        ensure!(said.trim() == "corosync", "{} says {said:?}", node.name);
    }
    Ok(())
}

fn quorum_lost(lab: &Lab) -> Result<()> {
    let nodes = lab.nodes()?;
    let [survivor, others @ ..] = nodes.as_slice() else { bail!("there are no nodes") };
    for node in others {
        lab.run(&["kill", &node.name])?;
    }
    wait_until("the node without quorum has stopped everything", PATIENCE, || {
        let running = lab.exec(&survivor.name, &["podman", "ps", "--quiet"])?;
        ensure!(running.trim().is_empty(), "containers still run");
        let addresses = lab.exec(&survivor.name, &["ip", "-o", "-4", "addr"])?;
        ensure!(!addresses.contains("/32"), "it still has an address: {addresses}");
        Ok(())
    })?;
    for node in others {
        lab.boot(&node.name)?;
    }
    cluster::all_well(lab)
}

fn layer_killed(lab: &Lab, program: &str) -> Result<()> {
    cluster::all_well(lab)?;
    let nodes = lab.nodes()?;
    let node = &nodes[0];
    let pids = lab.pids(&node.name, program)?;
    let [pid] = pids.as_slice() else { bail!("{program} has the processes {pids:?}") };
    lab.exec(&node.name, &["kill", "-9", &pid.to_string()])?;
    wait_until("it is back", PATIENCE, || {
        let now = lab.pids(&node.name, program)?;
        ensure!(now.len() == 1 && now != pids, "{program} has the processes {now:?}");
        Ok(())
    })?;
    wait_until("every node is a member", PATIENCE, || {
        for seen_from in &nodes {
            let text = shell::output(&mut lab.tool(seen_from, "crm_node", &["--list"]))?;
            let n_members = text.lines().filter(|line| line.ends_with(" member")).count();
            ensure!(n_members == nodes.len(), "{} says: {text}", seen_from.name);
        }
        Ok(())
    })?;
    cluster::all_well(lab)
}
