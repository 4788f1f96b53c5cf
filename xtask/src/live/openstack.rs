//! `examples/openstack.xml`: services that live inside their containers, with clients that write all the while.

use super::{Test, cold_start, faults};
use crate::{
    lab::{Lab, wait_until},
    shell,
};
use anyhow::{Context, Result, bail, ensure};
use std::{collections::BTreeMap, fs, time::Duration};

/// The example these tests are about.
pub(crate) const EXAMPLE: &str = "examples/openstack.xml";

pub(super) const TESTS: &[Test] = &[
    ("control plane: every service runs in its role, as `systole status --classic` has it", everything_runs),
    ("control plane: a Redis whose main process is killed runs again, and writers go on", |lab| {
        faults::redis_process(lab).map(drop)
    }),
    (
        "control plane: a MariaDB whose main process is killed joins again, and no acknowledged write is lost",
        |lab| faults::mariadb_process(lab).map(drop),
    ),
    ("control plane: a killed container of the promoted Redis comes back, and writers go on", |lab| {
        faults::redis_container(lab).map(drop)
    }),
    ("control plane: a killed remote daemon comes back with its container, and writers go on", |lab| {
        faults::redis_remote_daemon(lab).map(drop)
    }),
    (
        "control plane: the node of the promoted Redis loses power: another is promoted, and no acknowledged write is lost",
        |lab| faults::power_off(lab).map(drop),
    ),
    (
        "control plane: a RabbitMQ whose main process is killed joins again, and no acknowledged message is lost",
        |lab| faults::rabbitmq_process(lab).map(drop),
    ),
    ("control plane: a node that is cut off stops everything, and no acknowledged write is lost", |lab| {
        faults::cut_off(lab).map(drop)
    }),
    (
        "control plane: all nodes lose power, and Galera starts from the one that was written to last",
        cold_start::all_nodes,
    ),
];

pub(super) const OVER_COROSYNC: &[Test] = &[
    ("over Corosync, every service of a control plane runs in its role", everything_runs),
    ("over Corosync, the node of the promoted Redis loses power, and no acknowledged write is lost", |lab| {
        faults::power_off(lab).map(drop)
    }),
    (
        "over Corosync, a control plane's node that is cut off stops everything, and no acknowledged write is lost",
        |lab| faults::cut_off(lab).map(drop),
    ),
];

pub(super) const WITH_STOCK_DAEMONS: &[Test] = &[
    ("with Pacemaker's remote daemons, every service of a control plane runs in its role", |lab| {
        everything_runs(lab)?;
        let place = promoted(lab, "redis-bundle", "redis")?;
        let images = lab.exec(&place.node, &["podman", "ps", "--format", "{{.Image}}"])?;
        let n_stock = images.lines().filter(|image| image.ends_with(":stock")).count();
        ensure!(n_stock == SERVICES.len(), "the images on {} are: {images}", place.node);
        Ok(())
    }),
    (
        "with Pacemaker's remote daemons, a killed container of the promoted Redis comes back, and writers go on",
        |lab| faults::redis_container(lab).map(drop),
    ),
    (
        "with Pacemaker's remote daemons, the node of the promoted Redis loses power, and no acknowledged write is lost",
        |lab| faults::power_off(lab).map(drop),
    ),
];

/// How long a fault may take to be over: a container's start, a database's start and its state transfer.
pub(super) const PATIENCE: Duration = Duration::from_secs(240);

/// A bundle with a resource inside: its id, its resource's, and how many are promoted.
const SERVICES: [(&str, &str, usize); 3] =
    [("galera-bundle", "galera", 3), ("rabbitmq-bundle", "rabbitmq", 0), ("redis-bundle", "redis", 1)];

/// Where a replica is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Its node.
    pub node: String,
    /// Its container.
    pub container: String,
}

/// Waits until every service runs in its role, on every node's word.
///
/// # Errors
/// If that takes too long.
pub(crate) fn all_well(lab: &Lab) -> Result<()> {
    wait_until("every service runs in its role", PATIENCE, || is_well(lab)).map(drop)
}

pub(crate) fn is_well(lab: &Lab) -> Result<()> {
    for node in lab.nodes()? {
        let instances = lab.instances(&node.name)?;
        for instance in &instances {
            ensure!(!instance.failed, "{} says that {} failed", node.name, instance.id);
            // One that is about to start has a node, too, and may take a minute more: what begins then is not what it is meant to be.
            ensure!(
                ["Started", "Promoted", "Unpromoted"].contains(&instance.role.as_str()),
                "{} says that {} is {}",
                node.name,
                instance.id,
                instance.role
            );
            ensure!(
                instance.nodes.len() == 1,
                "{} says that {} is {} on {:?}",
                node.name,
                instance.id,
                instance.role,
                instance.nodes
            );
        }
        for (_, service, n_promoted) in SERVICES {
            let roles: Vec<&str> =
                instances.iter().filter(|i| i.id == service).map(|i| i.role.as_str()).collect();
            let promoted = roles.iter().filter(|role| **role == "Promoted").count();
            ensure!(
                roles.len() == 3 && promoted == n_promoted,
                "{} says that {service} is {roles:?}",
                node.name
            );
        }
    }
    Ok(())
}

/// The lines of the four bundles, as an administrator of such a site knows them: those of the project's first issue, but for the
/// names of images and for which replica is where.
fn everything_runs(lab: &Lab) -> Result<()> {
    all_well(lab)?;
    let node = lab.nodes()?.first().cloned().context("there are no nodes")?;
    let text = shell::output(&mut lab.tool(&node, "status", &["--classic"]))?;
    let shown = bundles(&text);
    for (bundle, expected) in seed()? {
        let found = shown.get(&bundle).with_context(|| format!("no lines of {bundle} in:\n{text}"))?;
        ensure!(*found == expected, "of {bundle}, expected {expected:#?}, found {found:#?}");
    }
    Ok(())
}

/// The lines of the seed; none, said loudly, where that is not beside the repository.
fn seed() -> Result<BTreeMap<String, Vec<String>>> {
    let dir = shell::root().join("../shared/openstack/seed");
    let mut found = BTreeMap::new();
    for name in ["complex-bundles.status.txt", "simple-bundle.status.txt"] {
        let file = dir.join(name);
        let Ok(text) = fs::read_to_string(&file) else {
            shell::shout(&format!("SKIPPED: {} is not there to be compared with", file.display()));
            return Ok(BTreeMap::new());
        };
        found.extend(bundles(&text));
    }
    ensure!(found.len() == 4, "the seed has the bundles {:?}", found.keys());
    Ok(found)
}

/// The lines about each bundle, sorted, without what may differ: the image, and which replica is where.
fn bundles(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut current = None;
    for line in text.lines() {
        match line.strip_prefix("Podman container set: ").and_then(|rest| rest.split_once(" [")) {
            Some((bundle, _)) => current = Some(found.entry(bundle.to_owned()).or_default()),
            None if !line.starts_with(' ') => current = None,
            None => current.iter_mut().for_each(|lines: &mut &mut Vec<_>| lines.push(without_place(line))),
        }
    }
    found.values_mut().for_each(|lines| lines.sort_unstable());
    found
}

/// A replica's line without its number and its node's.
fn without_place(line: &str) -> String {
    let line = line.trim_end_matches(|c: char| c.is_ascii_digit());
    ["-0 ", "-1 ", "-2 "].iter().fold(line.to_owned(), |line, idx| line.replacen(idx, "-N ", 1))
}

/// The promoted replica of a bundle (the first, if there are more).
///
/// # Errors
/// If none is.
pub(crate) fn promoted(lab: &Lab, bundle: &str, service: &str) -> Result<Place> {
    for node in lab.nodes()?.into_iter().filter(|node| node.init.is_some()) {
        let Ok(container) = lab.container(&node.name, bundle) else { continue };
        let replica = container.replace("-podman-", "-");
        let is_promoted = lab
            .instances(&node.name)?
            .iter()
            .any(|i| i.id == service && i.role == "Promoted" && i.nodes == [replica.clone()]);
        if is_promoted {
            return Ok(Place { node: node.name, container });
        }
    }
    bail!("no {service} is promoted")
}

/// Forgets failures, as an administrator does after a repair.
pub(super) fn forgive(lab: &Lab) -> Result<()> {
    let node = lab.nodes()?.first().cloned().context("there are no nodes")?;
    lab.exec(&node.name, &["crm_resource", "--cleanup"])?;
    all_well(lab)
}
