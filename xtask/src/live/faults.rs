//! What breaks in a control plane while clients work with it, and how long each of them is without service.

use super::{
    clients::{Clients, Redis},
    openstack::{PATIENCE, Place, all_well, forgive, is_well, promoted},
};
use crate::lab::{Lab, wait_until};
use anyhow::{Context, Result, ensure};
use std::time::Duration;

/// The longest time a client was without an acknowledged write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gaps {
    /// A writer into Galera, through its virtual address.
    pub galera: Duration,
    /// A writer into Redis, through its virtual address.
    pub redis: Duration,
    /// A publisher to RabbitMQ.
    pub rabbitmq: Duration,
}

impl Gaps {
    /// Galera's, Redis', RabbitMQ's.
    pub(crate) const fn by_service(self) -> [Duration; 3] {
        [self.galera, self.redis, self.rabbitmq]
    }
}

/// A fault: what it is called, and what does it.
pub(crate) type Fault = (&'static str, fn(&Lab) -> Result<Gaps>);

/// Every fault.
pub(crate) const FAULTS: &[Fault] = &[
    ("the promoted Redis' process is killed", redis_process),
    ("a MariaDB's process is killed", mariadb_process),
    ("a RabbitMQ's process is killed", rabbitmq_process),
    ("the promoted Redis' container is killed", redis_container),
    ("the promoted Redis' remote daemon is killed", redis_remote_daemon),
    ("the promoted Redis' node loses power", power_off),
    ("the promoted Redis' node is cut off", cut_off),
];

pub(super) fn redis_process(lab: &Lab) -> Result<Gaps> {
    fault(lab, "redis", |lab, place| in_container(lab, place, &["pkill", "-9", "-x", "redis-server"]))
}

pub(super) fn mariadb_process(lab: &Lab) -> Result<Gaps> {
    fault(lab, "galera", |lab, place| in_container(lab, place, &["pkill", "-9", "-x", "mariadbd"]))
}

pub(super) fn redis_container(lab: &Lab) -> Result<Gaps> {
    fault(lab, "redis", |lab, place| on_node(lab, place, &["podman", "kill", &place.container]))
}

pub(super) fn redis_remote_daemon(lab: &Lab) -> Result<Gaps> {
    fault(lab, "redis", |lab, place| {
        // Detached: the container ends with its daemon, and whatever is run inside with it.
        let kill = ["pkill", "-9", "-f", "pacemaker.remoted|--child"];
        on_node(lab, place, &[&["podman", "exec", "--detach", &place.container], &kill[..]].concat())
    })
}

fn on_node(lab: &Lab, place: &Place, command: &[&str]) -> Result<()> {
    lab.exec(&place.node, command).map(drop)
}

fn in_container(lab: &Lab, place: &Place, command: &[&str]) -> Result<()> {
    lab.exec(&place.node, &[&["podman", "exec", &place.container], command].concat()).map(drop)
}

/// Breaks the promoted replica of `service`; afterwards all is as before, and what was acknowledged is there.
fn fault(lab: &Lab, service: &str, break_it: impl Fn(&Lab, &Place) -> Result<()>) -> Result<Gaps> {
    all_well(lab)?;
    let place = promoted(lab, &format!("{service}-bundle"), service)?;
    with_clients(lab, || {
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

pub(super) fn rabbitmq_process(lab: &Lab) -> Result<Gaps> {
    all_well(lab)?;
    let node = lab.nodes()?.first().cloned().context("there are no nodes")?;
    let place = Place { container: lab.container(&node.name, "rabbitmq-bundle")?, node: node.name };
    with_clients(lab, || {
        in_container(lab, &place, &["pkill", "-9", "-x", "beam.smp"])?;
        noticed(lab)
    })
}

pub(super) fn power_off(lab: &Lab) -> Result<Gaps> {
    all_well(lab)?;
    let place = promoted(lab, "redis-bundle", "redis")?;
    with_clients(lab, || {
        lab.run(&["kill", &place.node])?;
        wait_until("another Redis is promoted", PATIENCE, || {
            let now = promoted(lab, "redis-bundle", "redis")?;
            ensure!(now.node != place.node, "it is still on {}", now.node);
            Ok(())
        })?;
        wait_until("Redis takes writes again", PATIENCE, Redis::takes_writes)?;
        lab.boot(&place.node)
    })
}

pub(super) fn cut_off(lab: &Lab) -> Result<Gaps> {
    all_well(lab)?;
    let place = promoted(lab, "redis-bundle", "redis")?;
    with_clients(lab, || {
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

/// Has clients write into Galera and Redis and publish to RabbitMQ while `story` goes on; once all is well again, each is served, and
/// what was acknowledged is there.
///
/// # Errors
/// If not.
pub(crate) fn with_clients(lab: &Lab, story: impl FnOnce() -> Result<()>) -> Result<Gaps> {
    let clients = Clients::start(lab)?;
    let told = story().and_then(|()| {
        all_well(lab)?;
        clients.wait_for_more(PATIENCE)
    });
    let work = clients.stop();
    for (service, written) in
        [("Galera", &work.galera), ("Redis", &work.redis), ("RabbitMQ", &work.published)]
    {
        println!("          {service}: {written}");
    }
    let gaps = Gaps {
        galera: work.galera.longest_gap,
        redis: work.redis.longest_gap,
        rabbitmq: work.published.longest_gap,
    };
    told.and_then(|()| work.check(lab)).map_err(|error| error.context(failed_actions(lab)))?;
    forgive(lab)?;
    Ok(gaps)
}

/// What has failed, as the cluster tells it: on a busy machine monitors time out, and RabbitMQ's agent wipes the data of what it starts
/// anew.
fn failed_actions(lab: &Lab) -> String {
    let node = lab.nodes().ok().and_then(|nodes| nodes.into_iter().find(|node| node.init.is_some()));
    let shown = node.and_then(|node| lab.exec(&node.name, &["crm_mon", "-1"]).ok()).unwrap_or_default();
    let lines = shown.lines().skip_while(|line| !line.starts_with("Failed Resource Actions"));
    lines.map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}
