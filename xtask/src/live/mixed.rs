//! Members of different versions. An older daemon is this build's own, told to speak an earlier version of the members' protocol
//! (`SYSTOLE_SPEAK`): what is said and written down is what such a member can take; what it does with it is today's.

use super::{
    PATIENCE, Test,
    cluster::{all_well, containers, quiet_node, set_option},
};
use crate::{
    lab::{Lab, Node, wait_until},
    shell,
};
use anyhow::{Result, bail, ensure};
use systole_wire::{PROTOCOL, ProtocolVersion};

pub(super) const TESTS: &[Test] = &[
    ("a node of the previous version takes part, and is upgraded while services run", upgraded),
    ("a node of another major version is kept out, and takes part again with the right one", kept_out),
];

/// The daemon's program on a node.
const PROGRAM: &str = "/usr/libexec/systole/systoled";

/// Where it can be reached while another stands in its place.
const ASIDE: &str = "/run/aside";

fn upgraded(lab: &Lab) -> Result<()> {
    all_well(lab)?;
    let node = quiet_node(lab)?;
    let before = containers(lab)?;
    let previous = ProtocolVersion { minor: PROTOCOL.minor - 1, ..PROTOCOL };
    let text = format!("protocol {}.{} only", previous.major, previous.minor);
    speaking(lab, &node, previous, || {
        wait_until("all keep to what it can read", PATIENCE, || {
            for seen_from in lab.nodes()?.iter().filter(|other| other.name != node.name) {
                ensure!(log(lab, seen_from)?.contains(&text), "{} does not say so", seen_from.name);
            }
            Ok(())
        })?;
        all_well(lab)?;
        for asked in lab.nodes()? {
            set_option(lab, &asked, &asked.name)?;
        }
        let other_root =
            shell::output(&mut lab.tool(&node, "cibadmin", &["--replace", "--xml-text", "<cib/>"]));
        ensure!(other_root.is_err(), "a CIB without anything was taken");
        ensure!(containers(lab)? == before, "a container was restarted");
        Ok(())
    })?;
    all_well(lab)?;
    set_option(lab, &node, "upgraded")?;
    ensure!(containers(lab)? == before, "a container was restarted");
    let text = |node: &Node| {
        let query = ["--query", "--scope", "configuration"];
        shell::output(&mut lab.tool(node, "cibadmin", &query))
    };
    wait_until("all have the same configuration", PATIENCE, || {
        let texts = lab.nodes()?.iter().map(text).collect::<Result<Vec<_>>>()?;
        ensure!(texts.windows(2).all(|two| two[0] == two[1]), "they differ");
        Ok(())
    })
    .map(drop)
}

fn kept_out(lab: &Lab) -> Result<()> {
    all_well(lab)?;
    let node = quiet_node(lab)?;
    let stranger = ProtocolVersion { major: PROTOCOL.major + 1, minor: 0 };
    speaking(lab, &node, stranger, || {
        wait_until("it says that it stays out", PATIENCE, || {
            ensure!(log(lab, &node)?.contains("it stays out"), "it does not say so");
            Ok(())
        })?;
        wait_until("it has stopped everything", PATIENCE, || {
            let running = lab.exec(&node.name, &["podman", "ps", "--quiet"])?;
            ensure!(running.trim().is_empty(), "containers still run on {}", node.name);
            Ok(())
        })?;
        let others = lab.nodes()?.into_iter().filter(|other| other.name != node.name);
        for other in others {
            wait_until("the others go on without it", PATIENCE, || {
                let text = shell::output(&mut lab.tool(&other, "crm_node", &["--list"]))?;
                let n_members = text.lines().filter(|line| line.ends_with(" member")).count();
                ensure!(n_members + 1 == lab.nodes()?.len(), "{} says: {text}", other.name);
                set_option(lab, &other, "without")
            })?;
        }
        Ok(())
    })?;
    all_well(lab)
}

/// Has the node's daemon restarted with another version of the protocol, does what there is to do, and has it restarted as it was.
fn speaking(
    lab: &Lab,
    node: &Node,
    version: ProtocolVersion,
    what: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let ProtocolVersion { major, minor } = version;
    let aside = format!("{ASIDE}/systoled");
    let script = format!("#!/bin/sh\nSYSTOLE_SPEAK={major}.{minor} exec {aside} \"$@\"\n");
    let put = format!(
        "mkdir -p {ASIDE} && touch {aside} && mount --bind {PROGRAM} {aside} && printf '%s' '{script}' > {ASIDE}/script && \
         chmod 755 {ASIDE}/script && mount --bind {ASIDE}/script {PROGRAM}"
    );
    lab.exec(&node.name, &["sh", "-c", &put])?;
    let done = restart(lab, node).and_then(|()| what());
    lab.exec(&node.name, &["umount", PROGRAM])?;
    restart(lab, node)?;
    lab.exec(&node.name, &["umount", "--lazy", &aside])?;
    done
}

fn restart(lab: &Lab, node: &Node) -> Result<()> {
    let pids = lab.pids(&node.name, "systoled")?;
    let [pid] = pids.as_slice() else { bail!("systoled has the processes {pids:?}") };
    lab.exec(&node.name, &["kill", "-9", &pid.to_string()])?;
    wait_until("the daemon is back", PATIENCE, || {
        let now = lab.pids(&node.name, "systoled")?;
        ensure!(now.len() == 1 && now != pids, "systoled has the processes {now:?}");
        Ok(())
    })
    .map(drop)
}

fn log(lab: &Lab, node: &Node) -> Result<String> {
    lab.run(&["logs", &node.name])
}
