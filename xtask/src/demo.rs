//! `cargo xtask demo`: a cluster that loses a container, then a node, while its clients go on.

use crate::{
    client::{Answers, Client},
    lab::{ADDRESSES, Lab, Node, wait_until},
    live::{
        clients::{GALERA, Redis},
        faults, openstack,
    },
    packages::{self, Scope},
    shell,
};
use anyhow::{Context, Result, ensure};
use std::time::Duration;

/// What the demo runs.
const EXAMPLE: &str = "examples/haproxy.xml";

/// How long anything in the demo may take: a container's own monitor comes once a minute.
const PATIENCE: Duration = Duration::from_secs(120);

/// What to show.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Show the small example instead: HAProxy in front of a web service. Takes seconds.
    #[arg(long)]
    small: bool,
    /// Leave the lab up at the end.
    #[arg(long)]
    keep: bool,
}

/// Runs the demo.
pub fn run(options: &Options) -> Result<()> {
    ensure!(
        packages::is_root(),
        "the demo makes namespaces, bridges and containers, which takes root: run it with sudo"
    );
    packages::install_missing(if options.small { Scope::Small } else { Scope::Images })?;
    heading("building");
    let lab = Lab::new(&shell::build_release()?);
    lab.require_none()?;
    let result = if options.small { show(&lab) } else { control_plane(&lab) };
    if options.keep && result.is_ok() {
        println!("\nThe lab stays up. `target/release/systole lab status` shows it, `... lab down` ends it.");
        return Ok(());
    }
    heading("taking the lab down");
    let down = lab.run(&["down"]).map(drop);
    result.and(down)
}

/// A control plane whose database and Redis are written to all the while.
fn control_plane(lab: &Lab) -> Result<()> {
    heading(&format!(
        "bringing up {}: real services, run by their own agents in their containers",
        openstack::EXAMPLE
    ));
    shell::run(&mut lab.command(&["up", openstack::EXAMPLE, "--timeout", "900"]))?;
    openstack::all_well(lab)?;
    shell::run(&mut lab.command(&["status"]))?;
    let redis = openstack::promoted(lab, "redis-bundle", "redis")?;
    heading(&format!("killing {}, the container of the promoted Redis, on {}", redis.container, redis.node));
    faults::with_clients(lab, || {
        lab.exec(&redis.node, &["podman", "kill", &redis.container])?;
        let took = wait_until("Redis takes writes again", PATIENCE, Redis::takes_writes)?;
        println!("Redis takes writes again after {:.1} s", took.as_secs_f64());
        Ok(())
    })?;
    let victim = lab.address_holder(GALERA)?;
    heading(&format!("cutting the power of {victim}, which has {}, the database's address", GALERA));
    faults::with_clients(lab, || {
        lab.run(&["kill", &victim])?;
        wait_until("the address is on another node", PATIENCE, || lab.address_holder(GALERA).map(drop))?;
        shell::run(&mut lab.command(&["status"]))?;
        heading(&format!("giving {victim} power again"));
        lab.boot(&victim)
    })?;
    println!("No acknowledged write to the database is missing on any node.");
    shell::run(&mut lab.command(&["status"]))
}

fn show(lab: &Lab) -> Result<()> {
    heading(&format!("bringing up {EXAMPLE}: three nodes, real containers, real agents"));
    shell::run(&mut lab.command(&["up", EXAMPLE]))?;
    shell::run(&mut lab.command(&["status"]))?;
    wait_until("the page can be fetched", PATIENCE, || page().map(drop))?;
    println!("\nhttp://{}/ is answered by {}", ADDRESSES[0], page()?);
    kill_container(lab)?;
    kill_node(lab)
}

/// A container dies on a node without addresses: clients do not notice, and the cluster brings it back.
fn kill_container(lab: &Lab) -> Result<()> {
    let holders = holders(lab)?;
    let nodes = lab.nodes()?;
    let node = nodes.iter().find(|node| !holders.contains(&node.name)).unwrap_or(&nodes[0]);
    let container = lab.container(&node.name, "haproxy-bundle")?;
    heading(&format!("killing the container {container} on {}", node.name));
    let before = lab.container_id(&node.name, &container)?;
    let client = Client::start(ADDRESSES[0]);
    lab.exec(&node.name, &["podman", "kill", &container])?;
    let took = wait_until("the container is back", PATIENCE, || {
        ensure!(lab.haproxy_answers(node), "HAProxy does not answer on {}", node.name);
        let now = lab.container_id(&node.name, &container)?;
        ensure!(now != before, "{container} has not been replaced");
        Ok(())
    })?;
    println!("{container} is back after {:.1} s", took.as_secs_f64());
    tell(&client.stop());
    Ok(())
}

/// The node with an address dies: the address moves.
fn kill_node(lab: &Lab) -> Result<()> {
    let victim = lab.address_holder(ADDRESSES[0])?;
    heading(&format!("cutting the power of {victim}, which has {}", ADDRESSES[0]));
    let client = Client::start(ADDRESSES[0]);
    wait_until("the client gets answers", PATIENCE, || {
        ensure!(client.so_far().n_answers > 0, "no answer yet");
        Ok(())
    })?;
    lab.run(&["kill", &victim])?;
    let mut now = String::new();
    let took = wait_until("the address is on another node", PATIENCE, || {
        now = lab.address_holder(ADDRESSES[0])?;
        page().map(drop)
    })?;
    println!("{} is on {now} after {:.1} s", ADDRESSES[0], took.as_secs_f64());
    shell::run(&mut lab.command(&["status"]))?;
    heading(&format!("giving {victim} power again"));
    lab.boot(&victim)?;
    let node = lab.node(&victim)?;
    let back = wait_until("the node takes part again", PATIENCE, || takes_part(lab, &node))?;
    println!("{victim} runs its containers again after {:.1} s", back.as_secs_f64());
    shell::run(&mut lab.command(&["wait"]))?;
    tell(&client.stop());
    shell::run(&mut lab.command(&["status"]))
}

fn takes_part(lab: &Lab, node: &Node) -> Result<()> {
    ensure!(lab.haproxy_answers(node), "HAProxy does not answer on {}", node.name);
    Ok(())
}

/// The nodes that have the virtual addresses.
fn holders(lab: &Lab) -> Result<Vec<String>> {
    ADDRESSES.into_iter().map(|address| lab.address_holder(address)).collect()
}

fn page() -> Result<String> {
    crate::client::fetch(ADDRESSES[0], 80)
        .with_context(|| format!("http://{}/ does not answer", ADDRESSES[0]))
}

fn tell(answers: &Answers) {
    println!(
        "meanwhile a client fetched the page {} times ({} requests failed); the longest it was without an answer: {:.2} s",
        answers.n_answers,
        answers.n_failures,
        answers.longest_gap.as_secs_f64()
    );
}

fn heading(text: &str) {
    println!("\n== {text}");
}
