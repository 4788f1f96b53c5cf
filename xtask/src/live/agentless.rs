//! `examples/agentless.xml`: a service in an image that has nothing of a cluster's.

use super::{PATIENCE, Test, memory};
use crate::{
    lab::{Lab, wait_until},
    shell,
};
use anyhow::{Context, Result, bail, ensure};
use std::{process::Command, time::Duration};

/// The example these tests are about.
pub(super) const EXAMPLE: &str = "examples/agentless.xml";

pub(super) const TESTS: &[Test] = &[
    ("agentless: Redis runs, one is promoted, and the image has neither daemon nor agents", everything_runs),
    ("agentless: what goes into containers is linked statically", programs_are_static),
    ("agentless: a service whose process is killed is noticed at once, not after a minute", process_killed),
    (
        "agentless: a service whose process the kernel kills for want of memory is noticed at once, not after a minute",
        out_of_memory,
    ),
    ("agentless: a container is noticed to have ended although its conmon was killed", conmon_killed),
    (
        "agentless: a killed systoled and systole-execd come back, and nothing in the containers stops",
        daemons_killed,
    ),
    (
        "agentless: another Redis is promoted when the container of the promoted one is killed",
        container_killed,
    ),
    ("agentless: another Redis is promoted when the node of the promoted one loses power", power_off),
];

/// Monitors come every 20 or 60 s: what is seen within this was not seen by them.
const AT_ONCE: Duration = Duration::from_secs(5);

const BUNDLE: &str = "redis-bundle";

/// Where a copy of Redis is.
struct Place {
    node: String,
    container: String,
}

fn is_well(lab: &Lab) -> Result<()> {
    for node in lab.nodes()? {
        let instances = lab.instances(&node.name)?;
        let redis = instances.iter().filter(|instance| instance.id == "redis");
        let mut roles: Vec<&str> = redis.map(|instance| instance.role.as_str()).collect();
        roles.sort_unstable();
        ensure!(roles == ["Promoted", "Unpromoted", "Unpromoted"], "{} says {roles:?}", node.name);
        let failed = instances.iter().find(|instance| instance.failed);
        ensure!(failed.is_none(), "{} says that {failed:?} failed", node.name);
    }
    Ok(())
}

/// Waits until all is as it should be, and forgets failures, as an administrator does after a repair.
fn all_well(lab: &Lab) -> Result<()> {
    wait_until("every copy runs in its role", PATIENCE, || is_well(lab))?;
    let node = lab.nodes()?.first().cloned().context("there are no nodes")?;
    shell::output(&mut lab.tool(&node, "crm_resource", &["--cleanup"])).map(drop)?;
    lab.run(&["wait"]).map(drop)?;
    wait_until("every copy still runs in its role", PATIENCE, || is_well(lab)).map(drop)
}

/// A copy in `role`, on a node with power.
fn copy(lab: &Lab, role: &str) -> Result<Place> {
    for node in lab.nodes()?.into_iter().filter(|node| node.init.is_some()) {
        let Ok(container) = lab.container(&node.name, BUNDLE) else { continue };
        let guest = container.replace("-podman-", "-");
        let instances = lab.instances(&node.name)?;
        if instances.iter().any(|i| i.id == "redis" && i.role == role && i.nodes == [guest.clone()]) {
            return Ok(Place { node: node.name, container });
        }
    }
    bail!("no Redis is {role}")
}

fn inside(lab: &Lab, place: &Place, command: &[&str]) -> Result<String> {
    lab.exec(&place.node, &[&["podman", "exec", &place.container], command].concat())
}

fn everything_runs(lab: &Lab) -> Result<()> {
    all_well(lab)?;
    let place = copy(lab, "Promoted")?;
    let image = "localhost/redis:bare";
    for absent in ["/usr/sbin/pacemaker-remoted", "/usr/sbin/crm_attribute", "/usr/lib/ocf"] {
        let probe = ["podman", "run", "--rm", "--net=none", image, "test", "!", "-e", absent];
        lab.exec(&place.node, &probe).with_context(|| format!("{absent} is in the image"))?;
    }
    // The agent has told the cluster of the promotion by the tools, and nobody can change them from inside.
    let score = inside(
        lab,
        &place,
        &[
            "/run/systole/bin/crm_attribute",
            "-N",
            &place.node,
            "-n",
            "master-redis",
            "-l",
            "reboot",
            "-G",
            "-q",
        ],
    )?;
    ensure!(score.trim().parse::<i32>().is_ok_and(|score| score > 0), "the promotion score is {score:?}");
    let written = inside(lab, &place, &["sh", "-c", "echo >>/run/systole/bin/systole"]);
    ensure!(written.is_err(), "the container can write to the host's programs");
    is_held(lab, &place)
}

/// What holds the container's own process holds the daemon: Podman's seccomp filter, too.
fn is_held(lab: &Lab, place: &Place) -> Result<()> {
    let bounds = |process: &str| {
        let kinds = "grep -E '^(CapBnd|NoNewPrivs|Seccomp|Seccomp_filters):'";
        inside(lab, place, &["sh", "-c", &format!("{kinds} /proc/{process}/status")])
    };
    let (own, daemon) = (bounds("1")?, bounds("$(pgrep -o -f pacemaker-remoted)")?);
    ensure!(own == daemon, "the container's own process has {own:?}, the daemon {daemon:?}");
    ensure!(own.contains("Seccomp:\t2"), "Podman gives it no seccomp filter: {own:?}");
    Ok(())
}

fn programs_are_static(lab: &Lab) -> Result<()> {
    for program in ["systole", "systole-execd"] {
        let said = shell::output_whatever(Command::new("ldd").arg(lab.program(program)))?;
        ensure!(said.contains("statically linked"), "{program}: {said}");
    }
    Ok(())
}

fn out_of_memory(lab: &Lab) -> Result<()> {
    all_well(lab)?;
    let place = copy(lab, "Unpromoted")?;
    let redis = lab.pids(&place.node, "redis-server")?;
    let [redis] = redis.as_slice() else { bail!("Redis has the processes {redis:?}") };
    noticed_at_once(lab, || memory::use_up(lab, &place.node, &place.container, *redis))
}

/// After `fault`, something about the cluster is not as it should be at once, and all is well later.
fn noticed_at_once(lab: &Lab, fault: impl FnOnce() -> Result<()>) -> Result<()> {
    all_well(lab)?;
    fault()?;
    let took = wait_until("the fault is noticed", AT_ONCE, || {
        ensure!(is_well(lab).is_err(), "nothing has changed");
        Ok(())
    })?;
    println!("          noticed after {:.2} s", took.as_secs_f64());
    all_well(lab)
}

fn process_killed(lab: &Lab) -> Result<()> {
    let place = copy(lab, "Unpromoted")?;
    noticed_at_once(lab, || inside(lab, &place, &["pkill", "-9", "-x", "redis-server"]).map(drop))
}

fn conmon_killed(lab: &Lab) -> Result<()> {
    let place = copy(lab, "Unpromoted")?;
    let kill =
        "pkill -9 conmon; kill -9 $(cat /run/containers/storage/overlay-containers/*/userdata/pidfile)";
    noticed_at_once(lab, || lab.exec(&place.node, &["sh", "-c", kill]).map(drop))
}

fn daemons_killed(lab: &Lab) -> Result<()> {
    all_well(lab)?;
    let place = copy(lab, "Promoted")?;
    let redis = || inside(lab, &place, &["pidof", "redis-server"]);
    let before = redis()?;
    let daemons = ["systoled", "systole-execd"];
    let killed = daemons.map(|daemon| lab.pids(&place.node, daemon));
    lab.exec(&place.node, &["pkill", "-9", "-x", "systoled|systole-execd"])?;
    wait_until("both daemons run again", PATIENCE, || {
        for (daemon, before) in daemons.iter().zip(&killed) {
            let now = lab.pids(&place.node, daemon)?;
            let is_new = now.iter().any(|pid| before.as_ref().is_ok_and(|before| !before.contains(pid)));
            ensure!(is_new, "there is no new {daemon}");
        }
        Ok(())
    })?;
    lab.run(&["wait"])?;
    all_well(lab)?;
    ensure!(redis()? == before, "Redis was started anew");
    Ok(())
}

fn container_killed(lab: &Lab) -> Result<()> {
    all_well(lab)?;
    let place = copy(lab, "Promoted")?;
    lab.exec(&place.node, &["podman", "kill", &place.container])?;
    promoted_elsewhere(lab, &place)?;
    all_well(lab)
}

fn power_off(lab: &Lab) -> Result<()> {
    all_well(lab)?;
    let place = copy(lab, "Promoted")?;
    lab.run(&["kill", &place.node])?;
    promoted_elsewhere(lab, &place)?;
    lab.boot(&place.node)?;
    all_well(lab)
}

fn promoted_elsewhere(lab: &Lab, before: &Place) -> Result<()> {
    let took = wait_until("another Redis is promoted", PATIENCE, || {
        let now = copy(lab, "Promoted")?;
        ensure!(now.container != before.container, "it is still {}", now.container);
        Ok(())
    })?;
    println!("          another is promoted after {:.2} s", took.as_secs_f64());
    Ok(())
}
