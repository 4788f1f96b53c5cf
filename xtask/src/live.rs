//! Live tests: the real binaries, real containers and agents, and real faults. They wait for states, never for time.
//!
//! Most share one lab that is up all the while, so each test leaves the cluster as it found it: everything running.

mod agentless;
mod changes;
pub mod clients;
mod cluster;
mod cold_start;
mod corosync;
pub mod faults;
mod host;
mod memory;
mod mixed;
pub mod openstack;
mod parameters;
mod promotable;
mod residue;
mod under_pacemaker;

use crate::{
    lab::{self, Lab},
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
    /// Also an OpenStack control plane, agentless bundles and Pacemaker's own cluster, which takes minutes. A filter that names their tests does the
    /// same.
    #[arg(long)]
    pub slow: bool,
    /// Leave the lab up at the end.
    #[arg(long)]
    pub keep: bool,
    /// Test the lab that is up already, which must be one of the tests that FILTER chooses, and leave it up.
    #[arg(long, requires = "filter", conflicts_with_all = ["host_only", "keep"])]
    pub attach: bool,
}

/// A test: its name as a sentence, and what to do with the lab.
type Test = (&'static str, fn(&Lab) -> Result<()>);

/// Runs the tests.
///
/// # Errors
/// If one fails.
pub fn run(options: &Options) -> Result<()> {
    let is_slow = options.slow || options.filter.is_some();
    crate::packages::install_missing(if is_slow { Scope::Everything } else { Scope::Tests })?;
    let bin_dir = if options.release { shell::build_release()? } else { shell::build_debug()? };
    shell::build_corosync(options.release)?;
    let lab = Lab::new(&bin_dir);
    let mut runner = Runner { filter: options.filter.clone(), lab, n_passed: 0, failed: Vec::new() };
    let quick = [(&HUB, options.keep), (&COROSYNC, false)];
    let slow = [
        (&OPENSTACK, false),
        (&OPENSTACK_OVER_COROSYNC, false),
        (&OPENSTACK_WITH_STOCK_DAEMONS, false),
        (&UNDER_PACEMAKER, options.keep),
        (&AGENTLESS, options.keep),
    ];
    let groups = quick.into_iter().chain(slow.into_iter().filter(|_| is_slow));
    let mut groups = groups.filter(|_| !options.host_only);
    if options.attach {
        groups.for_each(|(group, _)| runner.all(&runner.lab.beside(group.lab), group.tests));
        return runner.conclude();
    }
    if runner.wants(&[host::TESTS]) {
        let lab = Lab::new(&bin_dir);
        lab.require_none()?;
        runner.all(&lab, &[host::TESTS]);
    }
    groups.try_for_each(|(group, keep)| match runner.wants(group.tests) {
        true => runner.with_cluster(group, keep),
        false => Ok(()),
    })?;
    runner.conclude()
}

/// Tests that share a lab.
struct Group {
    /// The lab's name.
    lab: &'static str,
    /// The arguments of `systole lab`.
    up: &'static [&'static str],
    /// What its coming up is called.
    comes_up: &'static str,
    /// What its going down is called.
    goes_down: &'static str,
    tests: &'static [&'static [Test]],
    /// What else has to be done before the tests.
    begin: fn(&Lab) -> Result<()>,
}

/// The lab does everything.
fn at_once(_: &Lab) -> Result<()> {
    Ok(())
}

const HUB: Group = Group {
    lab: lab::DEFAULT_NAME,
    up: &["up", EXAMPLE],
    comes_up: "a cluster comes up from a file and settles",
    goes_down: "down leaves no process, mount, interface, control group or file behind",
    tests: &[cluster::TESTS, parameters::TESTS, promotable::TESTS, mixed::TESTS],
    begin: at_once,
};

const COROSYNC: Group = Group {
    lab: lab::DEFAULT_NAME,
    up: &["up", EXAMPLE, "--stack", "corosync"],
    comes_up: "over Corosync, a cluster comes up from a file and settles",
    goes_down: "over Corosync, down leaves nothing behind",
    tests: &[corosync::TESTS],
    begin: at_once,
};

const OPENSTACK: Group = Group {
    lab: lab::DEFAULT_NAME,
    up: &["up", openstack::EXAMPLE, "--timeout", "600"],
    comes_up: "control plane: it comes up from a file and settles",
    goes_down: "control plane: down leaves nothing behind",
    tests: &[openstack::TESTS, changes::TESTS],
    begin: at_once,
};

const OPENSTACK_OVER_COROSYNC: Group = Group {
    lab: lab::DEFAULT_NAME,
    up: &["up", openstack::EXAMPLE, "--stack", "corosync", "--timeout", "600"],
    comes_up: "over Corosync, a control plane comes up from a file and settles",
    goes_down: "over Corosync, a control plane's down leaves nothing behind",
    tests: &[openstack::OVER_COROSYNC],
    begin: at_once,
};

const OPENSTACK_WITH_STOCK_DAEMONS: Group = Group {
    lab: lab::DEFAULT_NAME,
    up: &["up", openstack::EXAMPLE, "--stock-images", "--timeout", "600"],
    comes_up: "with Pacemaker's remote daemons, a control plane comes up from a file and settles",
    goes_down: "with Pacemaker's remote daemons, a control plane's down leaves nothing behind",
    tests: &[openstack::WITH_STOCK_DAEMONS],
    begin: at_once,
};

/// In a network of its own: it may be up beside the others.
const UNDER_PACEMAKER: Group = Group {
    lab: "theirs",
    up: &["up", openstack::EXAMPLE, "--no-daemons", "--subnet", "10.77.8.0/24"],
    comes_up: "under Pacemaker, a cluster with our remote daemon in a bundle comes up",
    goes_down: "under Pacemaker, a lab's down leaves nothing behind",
    tests: &[under_pacemaker::TESTS],
    begin: under_pacemaker::begin,
};

/// In a network of its own: it may be up beside the others.
const AGENTLESS: Group = Group {
    lab: "bare",
    up: &["up", agentless::EXAMPLE, "--subnet", "10.77.9.0/24"],
    comes_up: "agentless: it comes up from a file and settles",
    goes_down: "agentless: down leaves nothing behind",
    tests: &[agentless::TESTS],
    begin: at_once,
};

struct Runner {
    filter: Option<String>,
    lab: Lab,
    n_passed: usize,
    failed: Vec<&'static str>,
}

impl Runner {
    fn with_cluster(&mut self, group: &Group, keep: bool) -> Result<()> {
        let lab = self.lab.beside(group.lab);
        lab.require_none()?;
        let before = Residue::take(&lab)?;
        println!("systole lab {}, for the tests that follow", group.up.join(" "));
        let since = Instant::now();
        let up = shell::run(&mut lab.command(group.up)).and_then(|()| (group.begin)(&lab));
        let came_up = up.is_ok();
        if !came_up {
            shout(&last_words(&lab));
        }
        self.report(group.comes_up, since.elapsed(), up);
        if came_up {
            self.all(&lab, group.tests);
        }
        if keep {
            return Ok(());
        }
        let since = Instant::now();
        let result = lab.run(&["down"]).and_then(|_| before.compare(&Residue::take(&lab)?));
        self.report(group.goes_down, since.elapsed(), result);
        Ok(())
    }

    fn all(&mut self, lab: &Lab, tests: &[&[Test]]) {
        let filter = self.filter.clone();
        for (name, test) in
            tests.iter().copied().flatten().filter(|(name, _)| wanted(filter.as_deref(), name))
        {
            let since = Instant::now();
            let result = test(lab);
            self.report(name, since.elapsed(), result);
        }
    }

    fn conclude(&self) -> Result<()> {
        println!("live tests: {} passed, {} failed", self.n_passed, self.failed.len());
        match self.failed.as_slice() {
            [] => Ok(()),
            names => bail!("live tests failed: {}", names.join("; ")),
        }
    }

    fn wants(&self, tests: &[&[Test]]) -> bool {
        tests.iter().copied().flatten().any(|(name, _)| wanted(self.filter.as_deref(), name))
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
}

/// The end of what the first node's daemons said.
fn last_words(lab: &Lab) -> String {
    let node = lab.nodes().ok().and_then(|nodes| nodes.first().map(|node| node.name.clone()));
    let logs = node.and_then(|node| lab.run(&["logs", &node]).ok()).unwrap_or_default();
    let lines: Vec<_> = logs.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

fn wanted(filter: Option<&str>, name: &str) -> bool {
    filter.is_none_or(|filter| name.contains(filter))
}
