//! Under a cluster of Pacemaker's own: our remote daemon in the containers, and tools of both kinds beside it.

use super::{Test, openstack};
use crate::{
    bench::incumbent,
    lab::{Lab, wait_until},
    packages,
};
use anyhow::{Context, Result, bail, ensure};
use std::time::Duration;

pub(super) const TESTS: &[Test] = &[
    (
        "under Pacemaker, our remote daemons run Redis in containers, and their scores have one promoted",
        one_is_promoted,
    ),
    ("under Pacemaker, tools of ours beside our remote daemon find the cluster", our_tools),
    ("under Pacemaker, tools of Pacemaker's beside our remote daemon find the cluster", stock_tools),
];

/// Pacemaker waits for a container's next monitor, and for its own start.
const PATIENCE: Duration = Duration::from_secs(240);

const BUNDLE: &str = "redis-bundle";

/// Runs a tool of the node's as one in the container of process `P` would run: with its sockets, which Debian's libqb looks for in
/// `/tmp`, its files of shared memory, and the mark that makes libqb look there. By links, since a container's directories
/// cannot be mounted elsewhere.
const BESIDE: &str = r#"
set -e
mount --make-rprivate /
test -e "/proc/$P/root/etc/libqb/force-filesystem-sockets"
mkdir -p /etc/libqb
mount -t tmpfs tmpfs /etc/libqb
: > /etc/libqb/force-filesystem-sockets
mount -t tmpfs tmpfs /dev
mknod /dev/null c 1 3
mknod /dev/urandom c 1 9
ln -s "/proc/$P/root/dev/shm" /dev/shm
mount -t tmpfs tmpfs /tmp
ln -s "/proc/$P/root/tmp/"* /tmp
exec "$@"
"#;

/// Starts the cluster, if it is installed.
pub(super) fn begin(lab: &Lab) -> Result<()> {
    if let Some(what) = incumbent::missing() {
        bail!("{what} is not installed");
    }
    packages::install_missing(packages::Scope::Images)?;
    incumbent::start(lab, openstack::EXAMPLE, only_redis)
}

/// The configuration with the bundle of Redis and nothing else in it.
fn only_redis(xml: String) -> String {
    let cut = |from: &str, to: &str| {
        let start = xml.find(from)?;
        let end = start + xml[start..].find(to)? + to.len();
        Some((start, end))
    };
    let bundle = cut(&format!("<bundle id=\"{BUNDLE}\">"), "</bundle>");
    let (resources, constraints) =
        (cut("<resources>", "</resources>"), cut("<constraints>", "</constraints>"));
    let (Some(bundle), Some(resources), Some(constraints)) = (bundle, resources, constraints) else {
        return xml;
    };
    [
        &xml[..resources.0],
        "<resources>",
        &xml[bundle.0..bundle.1],
        "</resources>",
        &xml[resources.1..constraints.0],
        "<constraints/>",
        &xml[constraints.1..],
    ]
    .concat()
}

/// A container with our remote daemon in it.
struct Place {
    node: String,
    container: String,
    /// The node that it is.
    guest: String,
}

fn a_container(lab: &Lab) -> Result<Place> {
    let node = lab.nodes()?.first().context("there are no nodes")?.name.clone();
    let container = lab.container(&node, BUNDLE)?;
    let guest = container.replace("-podman-", "-");
    Ok(Place { node, container, guest })
}

fn one_is_promoted(lab: &Lab) -> Result<()> {
    let node = lab.nodes()?.first().context("there are no nodes")?.name.clone();
    wait_until("one Redis is promoted and two are not", PATIENCE, || {
        let instances = lab.instances(&node)?;
        let mut roles: Vec<&str> =
            instances.iter().filter(|it| it.id == "redis").map(|it| it.role.as_str()).collect();
        roles.sort_unstable();
        ensure!(roles == ["Promoted", "Unpromoted", "Unpromoted"], "they are {roles:?}");
        Ok(())
    })?;
    let place = a_container(lab)?;
    let daemon =
        lab.exec(&place.node, &["podman", "exec", &place.container, "pacemaker-remoted", "--version"])?;
    ensure!(daemon.contains("systole"), "it is not our daemon: {daemon}");
    Ok(())
}

fn our_tools(lab: &Lab) -> Result<()> {
    let place = a_container(lab)?;
    check(&place, |command| lab.exec(&place.node, &[&["podman", "exec", &place.container], command].concat()))
}

fn stock_tools(lab: &Lab) -> Result<()> {
    let place = a_container(lab)?;
    let format = ["podman", "inspect", "--format", "{{.State.Pid}}", &place.container];
    let process = format!("P={}", lab.exec(&place.node, &format)?.trim());
    check(&place, |command| {
        let beside = ["env", &process, "unshare", "--mount", "sh", "-c", BESIDE, "sh"];
        lab.exec(&place.node, &[&beside[..], command].concat())
    })
}

/// What agents ask there.
fn check(place: &Place, run: impl Fn(&[&str]) -> Result<String>) -> Result<()> {
    let name = run(&["crm_node", "-n"])?;
    ensure!(name.trim() == place.guest, "crm_node says {name:?} in {}", place.guest);
    let attribute = ["-N", &place.guest, "-l", "reboot", "--name", "tried"];
    run(&[&["crm_attribute"], &attribute[..], &["-v", "7"]].concat())?;
    wait_until("the attribute is there", PATIENCE, || {
        let value = run(&[&["crm_attribute"], &attribute[..], &["--query", "--quiet"]].concat())?;
        ensure!(value.trim() == "7", "it is {value:?}");
        Ok(())
    })?;
    run(&[&["crm_attribute"], &attribute[..], &["-D"]].concat())?;
    let status = run(&["crm_mon", "-1"])?;
    ensure!(status.contains(BUNDLE), "crm_mon says: {status}");
    let cib = run(&["cibadmin", "-Q"])?;
    ensure!(cib.contains("master-redis"), "no promotion score is in the CIB");
    run(&["attrd_updater", "-n", "tried-too", "-U", "5"])?;
    wait_until("the value is known", PATIENCE, || {
        let value = run(&["attrd_updater", "-n", "tried-too", "-Q", "-N", &place.guest])?;
        ensure!(value.contains("value=\"5\""), "it is {value:?}");
        Ok(())
    })?;
    let list = run(&["crm_resource", "--list"])?;
    ensure!(list.contains("redis"), "crm_resource says: {list}");
    Ok(())
}
