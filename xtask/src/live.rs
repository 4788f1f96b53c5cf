//! Live tests: the real binaries, real containers and agents, and real faults. They wait for states, never for time.
//!
//! Most share one lab that is up all the while, so each test leaves the cluster as it found it: everything running.

mod cluster;
mod corosync;
mod host;
pub mod openstack;
mod residue;
pub mod writer;

use crate::{
    lab::Lab,
    packages::Scope,
    shell::{self, shout},
};
use anyhow::{Result, bail};
use residue::Residue;
use std::time::{Duration, Instant};

/// How long a cluster may take to do anything here: a container's own monitor comes once a minute.
const PATIENCE: Duration = Duration::from_secs(90);

/// The example every test is about.
const EXAMPLE: &str = "examples/haproxy.xml";

/// Which tests, and how.
#[derive(Debug, Default, clap::Args)]
pub struct Options {
    /// Only tests with this in their name.
    pub filter: Option<String>,
    /// Only tests of the host's side: nodes without daemons.
    #[arg(long)]
    pub host_only: bool,
    /// Test the release build.
    #[arg(long)]
    pub release: bool,
    /// Also an OpenStack control plane, which takes a quarter of an hour. A filter that names its tests does the same.
    #[arg(long)]
    pub slow: bool,
    /// Leave the lab up at the end.
    #[arg(long)]
    pub keep: bool,
}

/// A test: its name as a sentence, and what to do with the lab.
type Test = (&'static str, fn(&Lab) -> Result<()>);

/// Runs the tests.
///
/// # Errors
/// If one fails.
pub fn run(options: &Options) -> Result<()> {
    let slow = options.slow || options.filter.is_some();
    crate::packages::install_missing(if slow { Scope::Everything } else { Scope::Corosync })?;
    let bin_dir = if options.release { shell::build_release()? } else { shell::build_debug()? };
    shell::build_corosync(options.release)?;
    let lab = Lab::new(&bin_dir);
    if lab.nodes().is_ok() {
        bail!("a lab is up already: `{}/systole lab down` ends it", bin_dir.display());
    }
    let mut runner = Runner { filter: options.filter.clone(), lab, n_passed: 0, failed: Vec::new() };
    runner.all(host::TESTS);
    if !options.host_only && runner.wants(cluster::TESTS) {
        runner.with_cluster(&HUB, options.keep)?;
    }
    if !options.host_only && runner.wants(corosync::TESTS) {
        runner.with_cluster(&COROSYNC, false)?;
    }
    if !options.host_only && slow && runner.wants(openstack::TESTS) {
        runner.with_cluster(&OPENSTACK, false)?;
    }
    println!("live tests: {} passed, {} failed", runner.n_passed, runner.failed.len());
    match runner.failed.as_slice() {
        [] => Ok(()),
        names => bail!("live tests failed: {}", names.join("; ")),
    }
}

/// Tests that share a lab.
struct Group {
    /// The arguments of `systole lab`.
    up: &'static [&'static str],
    /// What its coming up is called.
    comes_up: &'static str,
    /// What its going down is called.
    goes_down: &'static str,
    tests: &'static [Test],
}

const HUB: Group = Group {
    up: &["up", EXAMPLE],
    comes_up: "a cluster comes up from a file and settles",
    goes_down: "down leaves no process, mount, interface, control group or file behind",
    tests: cluster::TESTS,
};

const COROSYNC: Group = Group {
    up: &["up", EXAMPLE, "--stack", "corosync"],
    comes_up: "over Corosync, a cluster comes up from a file and settles",
    goes_down: "over Corosync, down leaves nothing behind",
    tests: corosync::TESTS,
};

const OPENSTACK: Group = Group {
    up: &["up", openstack::EXAMPLE, "--timeout", "600"],
    comes_up: "control plane: it comes up from a file and settles",
    goes_down: "control plane: down leaves nothing behind",
    tests: openstack::TESTS,
};

struct Runner {
    filter: Option<String>,
    lab: Lab,
    n_passed: usize,
    failed: Vec<&'static str>,
}

impl Runner {
    fn with_cluster(&mut self, group: &Group, keep: bool) -> Result<()> {
        let before = Residue::take()?;
        println!("systole lab {}, for the tests that follow", group.up.join(" "));
        let since = Instant::now();
        let up = shell::run(&mut self.lab.command(group.up));
        let came_up = up.is_ok();
        if !came_up {
            shout(&self.last_words());
        }
        self.report(group.comes_up, since.elapsed(), up);
        if came_up {
            self.all(group.tests);
        }
        if keep {
            return Ok(());
        }
        let since = Instant::now();
        let result = self.lab.run(&["down"]).and_then(|_| before.compare(&Residue::take()?));
        self.report(group.goes_down, since.elapsed(), result);
        Ok(())
    }

    fn all(&mut self, tests: &[Test]) {
        let filter = self.filter.clone();
        for (name, test) in tests.iter().filter(|(name, _)| wanted(filter.as_deref(), name)) {
            let since = Instant::now();
            let result = test(&self.lab);
            self.report(name, since.elapsed(), result);
        }
    }

    fn wants(&self, tests: &[Test]) -> bool {
        tests.iter().any(|(name, _)| wanted(self.filter.as_deref(), name))
    }

    fn report(&mut self, name: &'static str, took: Duration, result: Result<()>) {
        match result {
            Ok(()) => {
                self.n_passed += 1;
                println!("ok      {:6.1} s  {name}", took.as_secs_f64());
            }
            Err(error) => {
                self.failed.push(name);
                println!("FAILED  {:6.1} s  {name}: {error:#}", took.as_secs_f64());
            }
        }
    }

    /// The end of what the first node's daemons said.
    fn last_words(&self) -> String {
        let node = self.lab.nodes().ok().and_then(|nodes| nodes.first().map(|node| node.name.clone()));
        let logs = node.and_then(|node| self.lab.run(&["logs", &node]).ok()).unwrap_or_default();
        let lines: Vec<_> = logs.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

fn wanted(filter: Option<&str>, name: &str) -> bool {
    filter.is_none_or(|filter| name.contains(filter))
}
