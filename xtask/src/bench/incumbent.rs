//! Corosync and Pacemaker in the nodes of a lab: as Debian packages them, or another Pacemaker, installed by
//! `make install DESTDIR=DIR` with `SYSTOLE_PACEMAKER=DIR`.

use crate::{
    lab::{Lab, Node, wait_until},
    shell,
};
use anyhow::{Context, Result, ensure};
use std::{env, fmt::Write as _, fs, path::Path, process::Command, time::Duration};

/// Pacemaker's daemons; Corosync's memory is not counted, since we need it too in the end.
pub const DAEMONS: [&str; 7] = [
    "pacemakerd",
    "pacemaker-based",
    "pacemaker-fenced",
    "pacemaker-execd",
    "pacemaker-attrd",
    "pacemaker-schedulerd",
    "pacemaker-controld",
];

/// It waits 20 s for nodes that may come late, and more for fencing.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is missing to run it, if something is.
pub fn missing() -> Option<&'static str> {
    ["/usr/sbin/corosync", "/usr/sbin/pacemakerd"].into_iter().find(|program| !Path::new(program).exists())
}

/// Starts both on every node and loads the configuration in `example`, as `changed`.
///
/// # Errors
/// If they do not form a cluster.
pub fn start(lab: &Lab, example: &str, changed: impl FnOnce(String) -> String) -> Result<()> {
    let nodes = lab.nodes()?;
    for node in &nodes {
        install(lab, node)?;
        start_on(lab, &node.name)?;
    }
    let first = &nodes.first().context("there are no nodes")?.name;
    wait_until("the incumbent has quorum and a DC", PATIENCE, || {
        let text = lab.exec(first, &["crm_mon", "-1"])?;
        ensure!(text.contains("partition with quorum"), "no quorum yet");
        Ok(())
    })?;
    let xml = changed(configuration(&shell::root().join(example))?);
    lab.exec(first, &["cibadmin", "--replace", "--scope", "configuration", "--xml-text", &xml]).map(drop)
}

/// Puts another Pacemaker than Debian's into a node's own `/usr`, if that is wanted.
fn install(lab: &Lab, node: &Node) -> Result<()> {
    let Some(dir) = env::var_os("SYSTOLE_PACEMAKER") else { return Ok(()) };
    let init = node.init.with_context(|| format!("{} has no power", node.name))?;
    let (from, to) = (Path::new(&dir).join("usr/."), format!("/proc/{init}/root/usr"));
    shell::run(Command::new("cp").arg("--archive").arg(from).arg(to))?;
    lab.exec(&node.name, &["ldconfig"]).map(drop)
}

/// Gives a node power again, and both.
///
/// # Errors
/// If it has power, or they do not start.
pub fn boot(lab: &Lab, node: &str) -> Result<()> {
    lab.run(&["boot", node, "--no-daemons"])?;
    start_on(lab, node)
}

fn start_on(lab: &Lab, node: &str) -> Result<()> {
    let corosync = corosync_conf(&lab.nodes()?);
    let script = format!(
        "set -e
         install -d -o hacluster -g haclient -m 750 /var/lib/pacemaker /var/lib/pacemaker/blackbox \
             /var/lib/pacemaker/cib /var/lib/pacemaker/cores /var/lib/pacemaker/pengine /run/crm /var/log/pacemaker
         install -d /var/log/cluster /var/lib/corosync /run/corosync /run/resource-agents /etc/corosync
         install -d -g haclient -m 750 /etc/pacemaker
         rm -f /etc/corosync/authkey
         echo 'only for a bench on one machine' >/etc/pacemaker/authkey
         chgrp haclient /etc/pacemaker/authkey; chmod 640 /etc/pacemaker/authkey
         cat >/etc/corosync/corosync.conf <<'END'\n{corosync}END
         corosync -f >/var/log/cluster/out 2>&1 </dev/null &
         for i in $(seq 100); do corosync-cfgtool -s >/dev/null 2>&1 && break; sleep 0.1; done
         PCMK_logfile=/var/log/pacemaker/pacemaker.log PCMK_logfacility=none \
             pacemakerd -f >/var/log/pacemaker/out 2>&1 </dev/null &"
    );
    lab.exec(node, &["sh", "-c", &script]).map(drop)
}

fn corosync_conf(nodes: &[Node]) -> String {
    let mut text = "totem {\n version: 2\n cluster_name: bench\n transport: knet\n crypto_cipher: none\n crypto_hash: none\n}\n\
                    quorum {\n provider: corosync_votequorum\n}\n\
                    logging {\n to_stderr: no\n to_syslog: no\n to_logfile: yes\n logfile: /var/log/cluster/corosync.log\n}\n\
                    nodelist {\n"
        .to_owned();
    for (idx, node) in nodes.iter().enumerate() {
        let _ = write!(
            text,
            " node {{\n ring0_addr: {}\n name: {}\n nodeid: {}\n }}\n",
            node.address,
            node.name,
            idx + 1
        );
    }
    text + "}\n"
}

/// The example's configuration in the words of Pacemaker 2.1.
fn configuration(file: &Path) -> Result<String> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let (start, end) = (text.find("<configuration>"), text.find("</configuration>"));
    let (start, end) = (start.context("no configuration")?, end.context("no configuration")?);
    let text = &text[start..end + "</configuration>".len()];
    Ok(text.replace("fencing-enabled", "stonith-enabled"))
}
