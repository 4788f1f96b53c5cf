//! Figures of a running cluster: the same three nodes, containers and agents under us and under the incumbent.

use super::incumbent;
use crate::{
    client::Client,
    lab::{ADDRESSES, Lab, Node, wait_until},
    packages,
    shell::{self, shout},
};
use anyhow::{Context, Result, ensure};
use std::{
    fs,
    path::Path,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

/// What runs in the lab.
const EXAMPLE: &str = "examples/haproxy.xml";

/// A container's monitor comes once a minute, then the container is restarted.
const PATIENCE: Duration = Duration::from_secs(150);

/// For what no status shows.
const AFTER_REST: Duration = Duration::from_secs(2);

/// Runs of the status command.
const N_STATUS: usize = 9;

/// Containers killed.
const N_KILLS: usize = 3;

/// What was measured; `None` where it could not be.
#[derive(Debug, Default)]
struct Figures {
    /// From the first node's start to everything running.
    cold_start: Option<Duration>,
    /// `crm_mon -1r` on a node, entering the node included.
    status: Option<Duration>,
    /// Memory of a node's daemons (PSS), mebibytes: the DC's, which is the largest.
    memory_mib: Option<f64>,
    /// From a container's death to its answer: median.
    container: Option<Duration>,
    /// The longest a client was without an answer when the node with the address lost power.
    node: Option<Duration>,
}

/// Prints the table.
///
/// # Errors
/// If our own lab does not come up.
pub fn run() -> Result<()> {
    println!("\na running cluster ({EXAMPLE} on three nodes of this machine)");
    if !packages::is_root() {
        shout("SKIPPED: a lab takes root");
        return Ok(());
    }
    packages::install_missing(packages::Scope::Small)?;
    let lab = Lab::new(&shell::build_release()?);
    let ours = in_lab(&lab, &["systoled", "systole-execd"], |lab| lab.run(&["up", EXAMPLE]).map(drop))?;
    let theirs = match incumbent::missing() {
        None => {
            let figures = in_lab(&lab, &incumbent::DAEMONS, |lab| {
                lab.run(&["up", EXAMPLE, "--no-daemons"])?;
                incumbent::start(lab, EXAMPLE, |text| text)
            });
            tell(figures).unwrap_or_default()
        }
        Some(what) => {
            println!("(the incumbent is not measured: {what} is not installed)");
            Figures::default()
        }
    };
    print(&ours, &theirs);
    Ok(())
}

/// Brings a cluster up, measures it and takes it down.
fn in_lab(lab: &Lab, daemons: &[&str], up: impl FnOnce(&Lab) -> Result<()>) -> Result<Figures> {
    let since = Instant::now();
    let figures = up(lab).and_then(|()| {
        wait_until("everything runs", PATIENCE, || all_answer(lab))?;
        let cold_start = since.elapsed();
        come_to_rest(lab)?;
        Ok(measure(lab, daemons, cold_start))
    });
    lab.run(&["down"])?;
    figures
}

fn measure(lab: &Lab, daemons: &[&str], cold_start: Duration) -> Figures {
    Figures {
        cold_start: Some(cold_start),
        status: tell(status_time(lab)),
        memory_mib: tell(memory(lab, daemons)),
        container: tell(container_return(lab)),
        node: tell(node_loss(lab)),
    }
}

/// A figure that cannot be had is said to be so, and the others go on.
fn tell<T>(figure: Result<T>) -> Option<T> {
    figure.inspect_err(|error| println!("(not measured: {error:#})")).ok()
}

fn all_answer(lab: &Lab) -> Result<()> {
    for node in lab.nodes()?.iter().filter(|node| node.init.is_some()) {
        ensure!(lab.haproxy_answers(node), "HAProxy does not answer on {}", node.name);
    }
    for address in ADDRESSES {
        crate::client::fetch(address, 80).with_context(|| format!("{address} does not answer"))?;
    }
    Ok(())
}

/// Waits until starts are over: a container that dies within its start is a start that failed, which is another matter.
fn come_to_rest(lab: &Lab) -> Result<()> {
    wait_until("everything runs and nothing is under way", PATIENCE, || {
        all_answer(lab)?;
        let node = first(lab)?;
        let text = shell::output(&mut lab.exec_command(&node.name, &["crm_mon", "-1rj"]))?;
        let under_way = ["Starting", "Stopping", "Monitoring", "Stopped", "pending"];
        let found = under_way.iter().find(|word| text.contains(*word));
        ensure!(found.is_none(), "something is {}", found.unwrap_or(&""));
        Ok(())
    })?;
    // Neither shows the monitors being set up, which comes last.
    thread::sleep(AFTER_REST);
    Ok(())
}

fn status_time(lab: &Lab) -> Result<Duration> {
    let node = first(lab)?;
    let mut times = Vec::new();
    for _ in 0..N_STATUS {
        let mut command = lab.exec_command(&node.name, &["crm_mon", "-1r"]);
        let since = Instant::now();
        shell::run(command.stdout(Stdio::null()))?;
        times.push(since.elapsed());
    }
    Ok(median(times))
}

fn memory(lab: &Lab, daemons: &[&str]) -> Result<f64> {
    let mut largest = 0.0_f64;
    for node in lab.nodes()? {
        let mut kib = 0;
        for daemon in daemons {
            for pid in lab.pids(&node.name, daemon)? {
                let init = node.init.context("the node has no power")?;
                kib += pss_kib(Path::new(&format!("/proc/{init}/root/proc/{pid}/smaps_rollup")))?;
            }
        }
        largest = largest.max(kib as f64 / 1024.0);
    }
    Ok(largest)
}

fn pss_kib(smaps: &Path) -> Result<u64> {
    let text = fs::read_to_string(smaps).with_context(|| format!("cannot read {}", smaps.display()))?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:")).context("no PSS in it")?;
    line.trim().trim_end_matches("kB").trim().parse().context("an odd PSS")
}

fn container_return(lab: &Lab) -> Result<Duration> {
    let node = first(lab)?;
    let mut times = Vec::new();
    for _ in 0..N_KILLS {
        let container = lab.container(&node.name, "haproxy-bundle")?;
        lab.exec(&node.name, &["podman", "kill", &container])?;
        let since = Instant::now();
        wait_until("the container is dead", PATIENCE, || {
            ensure!(!lab.haproxy_answers(&node), "it still answers");
            Ok(())
        })?;
        wait_until("the container is back", PATIENCE, || {
            ensure!(lab.haproxy_answers(&node), "it does not answer");
            Ok(())
        })?;
        times.push(since.elapsed());
        come_to_rest(lab)?;
    }
    Ok(median(times))
}

fn node_loss(lab: &Lab) -> Result<Duration> {
    let victim = lab.address_holder(ADDRESSES[0])?;
    let client = Client::start(ADDRESSES[0]);
    wait_until("the client gets answers", PATIENCE, || {
        ensure!(client.so_far().n_answers > 10, "too few answers yet");
        Ok(())
    })?;
    lab.run(&["kill", &victim])?;
    let before = client.so_far().n_answers;
    wait_until("the client gets answers again", PATIENCE, || {
        ensure!(client.so_far().n_answers > before + 10, "too few answers yet");
        Ok(())
    })?;
    Ok(client.stop().longest_gap)
}

fn first(lab: &Lab) -> Result<Node> {
    lab.nodes()?.into_iter().next().context("there are no nodes")
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn print(ours: &Figures, theirs: &Figures) {
    println!("{:<66} {:>10} {:>10}", "", "ours", "theirs");
    let seconds =
        |time: Option<Duration>| time.map_or("-".into(), |time| format!("{:.3} s", time.as_secs_f64()));
    let mebibytes = |size: Option<f64>| size.map_or("-".into(), |size| format!("{size:.1} MiB"));
    for (what, ours, theirs) in [
        (
            "cold start: from the nodes' power to everything answering",
            seconds(ours.cold_start),
            seconds(theirs.cold_start),
        ),
        ("status: crm_mon -1r on a node, median of 9", seconds(ours.status), seconds(theirs.status)),
        ("memory: the daemons of one node, PSS", mebibytes(ours.memory_mib), mebibytes(theirs.memory_mib)),
        (
            "a container's death to its answer, median of 3",
            seconds(ours.container),
            seconds(theirs.container),
        ),
        (
            "a node's death: the client's longest time without an answer",
            seconds(ours.node),
            seconds(theirs.node),
        ),
    ] {
        println!("{what:<66} {ours:>10} {theirs:>10}");
    }
}
