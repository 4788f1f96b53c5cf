//! `examples/openstack.xml`: services that live inside their containers, with clients that write all the while.

use super::{
    Test,
    writer::{Galera, Redis, Writer},
};
use crate::{
    lab::{Lab, wait_until},
    shell,
};
use anyhow::{Context, Result, bail, ensure};
use std::time::Duration;

/// The example these tests are about.
pub(crate) const EXAMPLE: &str = "examples/openstack.xml";

pub(super) const TESTS: &[Test] = &[
    ("control plane: every service runs in its role, as `systole status --classic` has it", everything_runs),
    ("control plane: a Redis whose main process is killed runs again, and writers go on", |lab| {
        fault(lab, "redis", |lab, place| in_container(lab, place, &["pkill", "-9", "-x", "redis-server"]))
    }),
    (
        "control plane: a MariaDB whose main process is killed joins again, and no acknowledged write is lost",
        |lab| fault(lab, "galera", |lab, place| in_container(lab, place, &["pkill", "-9", "-x", "mariadbd"])),
    ),
    ("control plane: a killed container of the promoted Redis comes back, and writers go on", |lab| {
        fault(lab, "redis", |lab, place| on_node(lab, place, &["podman", "kill", &place.container]))
    }),
    ("control plane: a killed remote daemon comes back with its container, and writers go on", |lab| {
        fault(lab, "redis", |lab, place| {
            // Detached: the container ends with its daemon, and whatever is run inside with it.
            let kill = ["pkill", "-9", "-f", "pacemaker.remoted|--child"];
            on_node(lab, place, &[&["podman", "exec", "--detach", &place.container], &kill[..]].concat())
        })
    }),
    (
        "control plane: the node of the promoted Redis loses power: another is promoted, and no acknowledged write is lost",
        power_off,
    ),
    ("control plane: a node that is cut off stops everything, and no acknowledged write is lost", cut_off),
];

/// How long a fault may take to be over: a container's start, a database's start and its state transfer.
const PATIENCE: Duration = Duration::from_secs(240);

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

fn is_well(lab: &Lab) -> Result<()> {
    for node in lab.nodes()? {
        let instances = lab.instances(&node.name)?;
        for instance in &instances {
            ensure!(!instance.failed, "{} says that {} failed", node.name, instance.id);
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

/// The lines of the four bundles, as an administrator of such a site knows them.
fn everything_runs(lab: &Lab) -> Result<()> {
    all_well(lab)?;
    let node = lab.nodes()?.first().cloned().context("there are no nodes")?;
    let text = shell::output(&mut lab.tool(&node, "status", &["--classic"]))?;
    let agents = [
        ("galera-bundle", "ocf::heartbeat:galera", "localhost/galera:lab"),
        ("rabbitmq-bundle", "ocf::heartbeat:rabbitmq-cluster", "localhost/rabbitmq:lab"),
        ("redis-bundle", "ocf::heartbeat:redis", "localhost/redis:lab"),
        ("haproxy-bundle-podman", "ocf::heartbeat:podman", "localhost/haproxy:lab"),
    ];
    for (replica, agent, image) in agents {
        let bundle = replica.trim_end_matches("-podman");
        let heading = format!("Podman container set: {bundle} [{image}]");
        ensure!(text.lines().any(|line| line == heading), "no line {heading:?} in:\n{text}");
        for idx in 0..3 {
            let start = format!("  {replica}-{idx}");
            let line = text.lines().find(|line| line.starts_with(&start)).context("a replica is missing")?;
            let words: Vec<&str> = line.split_whitespace().collect();
            let [_, said_agent, role, on] = words.as_slice() else { bail!("an odd line: {line}") };
            let roles: &[&str] = match replica {
                "galera-bundle" => &["Master"],
                "redis-bundle" => &["Master", "Slave"],
                _ => &["Started"],
            };
            ensure!(*said_agent == format!("({agent}):") && roles.contains(role), "{line}");
            ensure!(on.starts_with("overcloud-controller-"), "{line}");
        }
    }
    let n_masters = text.lines().filter(|l| l.contains("redis-bundle-") && l.contains("Master")).count();
    ensure!(n_masters == 1, "{n_masters} Redis are promoted:\n{text}");
    Ok(())
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

fn on_node(lab: &Lab, place: &Place, command: &[&str]) -> Result<()> {
    lab.exec(&place.node, command).map(drop)
}

fn in_container(lab: &Lab, place: &Place, command: &[&str]) -> Result<()> {
    lab.exec(&place.node, &[&["podman", "exec", &place.container], command].concat()).map(drop)
}

/// Breaks the promoted replica of `service`; afterwards all is as before, and what was acknowledged is there.
fn fault(lab: &Lab, service: &str, break_it: impl Fn(&Lab, &Place) -> Result<()>) -> Result<()> {
    all_well(lab)?;
    let place = promoted(lab, &format!("{service}-bundle"), service)?;
    with_writers(lab, || {
        break_it(lab, &place)?;
        noticed(lab)
    })
}

/// Waits until the cluster has seen that something is wrong, so that being well again means something.
fn noticed(lab: &Lab) -> Result<()> {
    wait_until("the fault is noticed", PATIENCE, || {
        ensure!(is_well(lab).is_err(), "nothing has changed");
        Ok(())
    })
    .map(drop)
}

fn power_off(lab: &Lab) -> Result<()> {
    all_well(lab)?;
    let place = promoted(lab, "redis-bundle", "redis")?;
    with_writers(lab, || {
        lab.run(&["kill", &place.node])?;
        wait_until("another Redis is promoted", PATIENCE, || {
            let now = promoted(lab, "redis-bundle", "redis")?;
            ensure!(now.node != place.node, "it is still on {}", now.node);
            Ok(())
        })?;
        wait_until("Redis takes writes again", PATIENCE, Redis::takes_writes)?;
        lab.run(&["boot", &place.node]).map(drop)
    })
}

fn cut_off(lab: &Lab) -> Result<()> {
    all_well(lab)?;
    let place = promoted(lab, "redis-bundle", "redis")?;
    with_writers(lab, || {
        lab.run(&["cut", &place.node])?;
        wait_until("the node without quorum has stopped everything", PATIENCE, || {
            let running = lab.exec(&place.node, &["podman", "ps", "--quiet"])?;
            ensure!(running.trim().is_empty(), "containers still run on {}", place.node);
            Ok(())
        })?;
        wait_until("Redis takes writes again", PATIENCE, Redis::takes_writes)?;
        lab.run(&["heal", &place.node]).map(drop)
    })
}

/// Has clients write into Galera and Redis through their virtual addresses while `story` goes on; once all is well again,
/// both take writes, and every write to Galera that was acknowledged is on every node.
///
/// # Errors
/// If not.
pub(crate) fn with_writers(lab: &Lab, story: impl FnOnce() -> Result<()>) -> Result<()> {
    let galera = Writer::start(Galera::new(lab)?);
    let redis = Writer::start(Redis::new());
    let told = story().and_then(|()| {
        all_well(lab)?;
        galera.wait_for_more(PATIENCE).context("Galera does not take writes any more")?;
        redis.wait_for_more(PATIENCE).context("Redis does not take writes any more")
    });
    let (galera, redis) = (galera.stop(), redis.stop());
    println!("          Galera: {galera}; Redis: {redis}");
    told?;
    for node in lab.nodes()? {
        let container = lab.container(&node.name, "galera-bundle")?;
        let text = lab.exec(&node.name, &["podman", "exec", &container, "mysql", "-Ne", Galera::ALL])?;
        let kept: std::collections::BTreeSet<u64> =
            text.lines().filter_map(|line| line.parse().ok()).collect();
        let lost: Vec<_> = galera.acknowledged.iter().filter(|number| !kept.contains(number)).collect();
        ensure!(
            lost.is_empty(),
            "{} of {} writes are not on {}: {lost:?}",
            lost.len(),
            kept.len(),
            node.name
        );
    }
    forgive(lab)
}

/// Forgets failures, as an administrator does after a repair.
fn forgive(lab: &Lab) -> Result<()> {
    let node = lab.nodes()?.first().cloned().context("there are no nodes")?;
    shell::output(&mut lab.tool(&node, "crm_resource", &["--cleanup"])).map(drop)?;
    all_well(lab)
}
