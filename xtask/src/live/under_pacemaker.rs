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
    (
        "under Pacemaker, a Redis is promoted again when the container of the promoted one is killed, and the rest is told",
        container_killed,
    ),
    ("under Pacemaker, a Redis that may not be promoted any more is demoted, and stays", demoted),
    ("under Pacemaker, tools of ours beside our remote daemon find the cluster", our_tools),
    ("under Pacemaker, a tool of ours beside our remote daemon hears of changes", changes_are_told),
    (
        "under Pacemaker, a tool of ours beside our remote daemon has failures forgotten",
        failures_are_forgotten,
    ),
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
    place_on(lab, &lab.nodes()?.first().context("there are no nodes")?.name)
}

fn place_on(lab: &Lab, node: &str) -> Result<Place> {
    let container = lab.container(node, BUNDLE)?;
    let guest = container.replace("-podman-", "-");
    Ok(Place { node: node.to_owned(), container, guest })
}

fn one_is_promoted(lab: &Lab) -> Result<()> {
    all_well(lab)?;
    let place = a_container(lab)?;
    let daemon =
        lab.exec(&place.node, &["podman", "exec", &place.container, "pacemaker-remoted", "--version"])?;
    ensure!(daemon.contains("systole"), "it is not our daemon: {daemon}");
    Ok(())
}

/// Waits until one copy is promoted and two follow it: they learn by notifications whom to follow. Where that one is.
fn all_well(lab: &Lab) -> Result<Place> {
    let mut promoted = None;
    wait_until("one Redis is promoted and two follow it", PATIENCE, || {
        let place = the_promoted(lab)?;
        let links = places(lab)?.iter().map(|copy| follows(lab, copy)).collect::<Result<Vec<_>>>()?;
        let n_following = links.iter().filter(|of| of.as_deref() == Some(&place.node)).count();
        ensure!(n_following == 2, "they follow {links:?}, {} is promoted", place.guest);
        promoted = Some(place);
        Ok(())
    })?;
    promoted.context("none is promoted")
}

fn the_promoted(lab: &Lab) -> Result<Place> {
    let node = lab.nodes()?.first().context("there are no nodes")?.name.clone();
    let instances = lab.instances(&node)?;
    let instances: Vec<_> = instances.iter().filter(|it| it.id == "redis").collect();
    let mut roles: Vec<&str> = instances.iter().map(|it| it.role.as_str()).collect();
    roles.sort_unstable();
    ensure!(roles == ["Promoted", "Unpromoted", "Unpromoted"], "they are {roles:?}");
    let promoted = instances.iter().find(|it| it.role == "Promoted").context("none is promoted")?;
    places(lab)?.into_iter().find(|place| promoted.nodes.contains(&place.guest)).context("it is nowhere")
}

fn places(lab: &Lab) -> Result<Vec<Place>> {
    lab.nodes()?.iter().map(|node| place_on(lab, &node.name)).collect()
}

/// The host that a copy follows, if it does.
fn follows(lab: &Lab, place: &Place) -> Result<Option<String>> {
    let ask = ["redis-cli", "-s", "/var/run/redis/redis.sock", "info", "replication"];
    let said = lab.exec(&place.node, &[&["podman", "exec", &place.container], &ask[..]].concat())?;
    let value = |name: &str| said.lines().find_map(|line| line.trim().strip_prefix(name));
    let is_up = value("master_link_status:") == Some("up");
    Ok(value("master_host:").filter(|_| is_up).map(str::to_owned))
}

fn container_killed(lab: &Lab) -> Result<()> {
    let place = all_well(lab)?;
    let container = lab.container_id(&place.node, &place.container)?;
    lab.exec(&place.node, &["podman", "kill", &place.container])?;
    let took = wait_until("the container runs anew", PATIENCE, || {
        let now = lab.container_id(&place.node, &place.container)?;
        ensure!(now != container, "it is the same container");
        Ok(())
    })?;
    println!("          the container runs anew after {:.2} s", took.as_secs_f64());
    all_well(lab).map(drop)
}

fn demoted(lab: &Lab) -> Result<()> {
    let before = all_well(lab)?;
    let server = || lab.exec(&before.node, &["podman", "exec", &before.container, "pidof", "redis-server"]);
    let process = server()?;
    lab.exec(&before.node, &["crm_resource", "--ban", "--promoted", "-r", BUNDLE, "-N", &before.guest])?;
    wait_until("another Redis is promoted", PATIENCE, || {
        let now = the_promoted(lab)?;
        ensure!(now.guest != before.guest, "it is still {}", now.guest);
        Ok(())
    })?;
    all_well(lab)?;
    ensure!(server()? == process, "it was stopped");
    lab.exec(&before.node, &["crm_resource", "--clear", "-r", BUNDLE]).map(drop)?;
    all_well(lab).map(drop)
}

fn our_tools(lab: &Lab) -> Result<()> {
    let place = a_container(lab)?;
    check(&place, |command| lab.exec(&place.node, &[&["podman", "exec", &place.container], command].concat()))
}

fn changes_are_told(lab: &Lab) -> Result<()> {
    all_well(lab)?;
    let place = a_container(lab)?;
    let inside =
        |script: &str| lab.exec(&place.node, &["podman", "exec", &place.container, "sh", "-c", script]);
    // It looks again by itself after ten minutes.
    inside(
        "crm_mon --daemonize --show-node-attributes --output-as=html --output-to=/tmp/followed --interval=600 \
         --pid-file=/tmp/followed.pid",
    )?;
    let shows = |what: &str| {
        let script = format!("grep {what} /tmp/followed");
        wait_until(&format!("crm_mon shows {what}"), PATIENCE, || inside(&script).map(drop)).map(drop)
    };
    shows(BUNDLE)?;
    inside("attrd_updater -n heard-of -U 5")?;
    let shown = shows("heard-of");
    inside("attrd_updater -n heard-of -D; kill $(cat /tmp/followed.pid)")?;
    shown
}

fn failures_are_forgotten(lab: &Lab) -> Result<()> {
    let promoted = all_well(lab)?;
    let other = places(lab)?.into_iter().find(|place| place.guest != promoted.guest).context("no other")?;
    let inside =
        |command: &[&str]| lab.exec(&other.node, &[&["podman", "exec", &other.container], command].concat());
    inside(&["pkill", "-9", "-x", "redis-server"])?;
    let failures = || lab.exec(&other.node, &["crm_mon", "-1"]);
    wait_until("the failure is seen", PATIENCE, || {
        ensure!(failures()?.contains("Failed Resource Actions"), "nothing failed");
        Ok(())
    })?;
    all_well(lab)?;
    inside(&["crm_resource", "--cleanup"])?;
    wait_until("the failure is forgotten", PATIENCE, || {
        let text = failures()?;
        ensure!(!text.contains("Failed Resource Actions"), "{text}");
        Ok(())
    })?;
    all_well(lab).map(drop)
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
