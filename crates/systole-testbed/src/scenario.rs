//! Random stories: faults by a seed, then a time without faults in which the cluster must come to rest.

mod faults;
mod guests;
mod harsh;
mod plain;
mod unanswered;

pub use faults::Fault;
pub use plain::configuration;

use crate::{Cluster, Micros, SECOND, check::attributes, far::Site, host::Host, plan};
use faults::FAULTS;
use std::{collections::BTreeMap, fmt};
use systole_cib::xml::Document;
use systole_cluster::NodeMachine;
use systole_wire::{PROTOCOL, ProtocolVersion, api::Call};

/// Names of the simulated nodes.
pub const NODES: [&str; 3] = ["a", "b", "c"];

/// What a cluster is made of, and what happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Family {
    /// Primitives and a group on hosts.
    #[default]
    Plain,
    /// A promotable clone, a bundle with a promotable resource in its containers, and a remote node.
    Guests,
    /// As plain ones, with more that may happen.
    Harsh,
    /// As those with guests, with more that may happen.
    HarshGuests,
    /// As plain ones, with daemons on some hosts that speak an earlier minor part of the protocol, and are upgraded.
    Mixed,
    /// As those with guests; whoever is told to demote or stop a copy may be lost with that word.
    Unanswered,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 6] =
        [Self::Plain, Self::Guests, Self::Harsh, Self::HarshGuests, Self::Mixed, Self::Unanswered];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Guests => "guests",
            Self::Harsh => "harsh",
            Self::HarshGuests => "harsh-guests",
            Self::Mixed => "mixed",
            Self::Unanswered => "unanswered",
        }
    }

    fn has_guests(self) -> bool {
        matches!(self, Self::Guests | Self::HarshGuests | Self::Unanswered)
    }

    fn is_harsh(self) -> bool {
        matches!(self, Self::Harsh | Self::HarshGuests)
    }

    fn resources(self) -> &'static [&'static str] {
        if self.has_guests() { &guests::RESOURCES } else { &plain::RESOURCES }
    }

    fn faults(self) -> impl Iterator<Item = (Fault, u64)> {
        let of_guests = if self.has_guests() { &guests::FAULTS[..] } else { &[] };
        let harsh = if self.is_harsh() { &harsh::FAULTS[..] } else { &[] };
        let harsh_of_guests =
            if self.has_guests() && self.is_harsh() { &harsh::FAULTS_OF_GUESTS[..] } else { &[] };
        let unanswered = if self == Self::Unanswered { &unanswered::FAULTS[..] } else { &[] };
        let all = FAULTS.iter().chain(of_guests).chain(harsh).chain(harsh_of_guests).chain(unanswered);
        all.copied()
    }
}

/// How long the cluster may take to come to rest once nothing disturbs it.
const SETTLE_PATIENCE: Micros = 600 * SECOND;

/// How long it may take until an expired failure is cleared.
const EXPIRY_PATIENCE: u64 = 70;

/// What came of a story.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What the cluster was made of.
    pub family: Family,
    /// The story's number.
    pub seed: u64,
    /// What did not hold, if anything.
    pub violation: Option<String>,
    /// What happened, for people.
    pub story: String,
    /// How often each kind of fault was injected.
    pub faults: BTreeMap<Fault, u64>,
    /// Writes that were acknowledged.
    pub n_writes: usize,
    /// Resources started or stopped.
    pub n_changes: u64,
    /// See [`Cluster::n_held_back`].
    pub n_held_back: u64,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.violation {
            None => write!(f, "{}\nseed {}: everything held", self.story, self.seed),
            Some(violation) => {
                write!(
                    f,
                    "{}\nseed {}: {violation}\nreplay: cargo xtask simulate --seed {} --family {}",
                    self.story,
                    self.seed,
                    self.seed,
                    self.family.name()
                )
            }
        }
    }
}

/// A story under way.
struct Story {
    family: Family,
    seed: u64,
    cluster: Cluster,
    faults: BTreeMap<Fault, u64>,
    n_writes: u64,
    /// The CIB as it was when the faults began.
    first: Document,
    standby: Vec<bool>,
    maintenance: Vec<bool>,
    /// Counts what a tool has changed of resources and attributes, so that no two changes are the same.
    n_settings: u64,
    /// When everything was cleaned up, after the last fault.
    cleaned_up_at: Micros,
}

/// Tells the story of a seed.
pub fn tell(family: Family, seed: u64) -> Outcome {
    let mut story = Story::begin(family, seed);
    story.go_on();
    let cluster = story.cluster;
    let violation = cluster.checker.violation.clone();
    Outcome {
        family,
        seed,
        story: cluster.story_text(),
        violation,
        faults: story.faults,
        n_writes: cluster.checker.n_acknowledged(),
        n_held_back: cluster.n_held_back,
        n_changes: cluster.hosts.iter().map(|host| host.station.agents.n_changes).sum(),
    }
}

/// The first node's CIB at the end of the story of a seed; or the last input of a scheduler, up to so many seconds after its
/// begin.
pub fn dump(family: Family, seed: u64, secs: Option<f64>) -> String {
    let mut story = Story::begin(family, seed);
    story.cluster.keeps_inputs_until = secs.map(|secs| (secs * SECOND as f64) as Micros);
    story.go_on();
    match (secs, &story.cluster.hosts[0].node) {
        (Some(_), _) => story.cluster.last_input,
        (None, node) => node.as_ref().map_or_else(String::new, |node| node.cib().to_text()),
    }
}

/// Whether failures expire in a story.
fn has_failure_timeout(seed: u64) -> bool {
    seed % 8 == 2
}

/// What is still to come on a host.
fn what_is_restless(host: &Host) -> Option<String> {
    let processes = host.station.agents.processes.values();
    let processes: Vec<&str> = processes.map(|process| process.operation.key.as_str()).collect();
    match &host.node {
        None => Some(format!("{} has no daemon", host.name)),
        Some(node) if !node.is_idle() => Some(format!("{} is not idle", host.name)),
        Some(_) if !processes.is_empty() => Some(format!("{} runs {processes:?}", host.name)),
        Some(_) => None,
    }
}

/// How long failures count where they expire, in seconds.
const FAILURE_TIMEOUT: u64 = 20;

/// A configuration, in some stories with failures that expire.
fn with_failure_timeout(configuration: String, seed: u64) -> String {
    if !has_failure_timeout(seed) {
        return configuration;
    }
    let pair = format!(r#"<nvpair id="rd-timeout" name="failure-timeout" value="{FAILURE_TIMEOUT}s"/>"#);
    let defaults =
        format!(r#"<rsc_defaults><meta_attributes id="rd">{pair}</meta_attributes></rsc_defaults>"#);
    configuration.replace("</configuration>", &format!("{defaults}</configuration>"))
}

/// The daemons of one host or two speak an earlier minor part of the protocol until they are upgraded: one of the last four, the last of
/// them twice as often.
fn begin_in_mixed_versions(cluster: &mut Cluster, seed: u64) {
    let minor = PROTOCOL.minor - 1 - (seed % 5 % 4) as u16;
    let n_old = 1 + (seed / 5) as usize % 2;
    for nth in 0..n_old {
        let idx = (nth + (seed / 10) as usize) % NODES.len();
        cluster.hosts[idx].speaks = ProtocolVersion { minor, ..PROTOCOL };
    }
    cluster.checker.fail_counts.is_off = true;
}

impl Story {
    fn begin(family: Family, seed: u64) -> Self {
        let fencing = seed % 4 == 3;
        let policy = if seed % 8 == 5 { "ignore" } else { "stop" };
        let mut cluster = match family.has_guests() {
            false => {
                let configuration = with_failure_timeout(configuration(fencing, policy), seed);
                Cluster::new(&NODES, &configuration, plan, seed)
            }
            true => guests::cluster(fencing, policy, seed, family == Family::Unanswered),
        };
        if family == Family::Mixed {
            begin_in_mixed_versions(&mut cluster, seed);
        }
        cluster.checker.fencing = fencing;
        cluster.checker.ignores_quorum = policy == "ignore";
        for idx in 0..NODES.len() {
            cluster.power_on(idx);
        }
        let warm_up = cluster.random.between(1, 30) * SECOND;
        cluster.run_until(warm_up);
        let first =
            cluster.hosts[0].node.as_ref().map_or_else(|| Document::new("cib"), |node| node.cib().clone());
        Self {
            family,
            seed,
            cluster,
            faults: BTreeMap::new(),
            n_writes: 0,
            first,
            standby: vec![false; NODES.len()],
            maintenance: vec![false; NODES.len()],
            n_settings: 0,
            cleaned_up_at: 0,
        }
    }

    fn go_on(&mut self) {
        self.disturb();
        self.mend();
        self.come_to_rest();
    }

    fn disturb(&mut self) {
        let n_faults = self.cluster.random.between(1, 16);
        let total: u64 = self.family.faults().map(|(_, weight)| weight).sum();
        for nth in 0..n_faults {
            if nth == n_faults / 2 {
                self.upgrade(1);
            }
            let mut ticket = self.cluster.random.between(0, total - 1);
            let chosen = self.family.faults().find(|(_, weight)| {
                let is_it = ticket < *weight;
                ticket = ticket.wrapping_sub(*weight);
                is_it
            });
            if let Some((fault, _)) = chosen
                && self.inject(fault)
            {
                *self.faults.entry(fault).or_default() += 1;
                if matches!(fault, Fault::Write | Fault::ForcedWrite) && self.cluster.random.chance(40) {
                    self.interrupt();
                }
            }
            let pause = if self.cluster.random.chance(50) { 3 * SECOND } else { 20 * SECOND };
            let end = self.cluster.now + self.cluster.random.between(0, pause);
            self.cluster.run_until(end);
            self.cluster.checker.check_replicas(&self.cluster.hosts, &self.cluster.network);
        }
    }

    /// Something happens before it is known what came of a write.
    fn interrupt(&mut self) {
        let end = self.cluster.now + self.cluster.random.between(0, 40_000);
        self.cluster.run_until(end);
        let fault = *self.cluster.random.pick(&[Fault::PowerOff, Fault::Partition, Fault::RestartNode]);
        for _ in 0..self.cluster.random.between(1, 2) {
            if self.inject(fault) {
                *self.faults.entry(fault).or_default() += 1;
            }
        }
    }

    /// So many hosts get daemons of the present version, if there are some with older ones.
    fn upgrade(&mut self, n_hosts: usize) {
        let old = (0..NODES.len()).filter(|idx| self.cluster.hosts[*idx].speaks != PROTOCOL);
        for idx in old.take(n_hosts).collect::<Vec<_>>() {
            self.cluster.hosts[idx].speaks = PROTOCOL;
            self.cluster.tell(NODES[idx], "=== upgraded");
            if self.cluster.hosts[idx].node.is_some() {
                let away = self.cluster.random.between(20_000, 1_500_000);
                self.cluster.restart_node(idx, away);
            }
        }
    }

    /// Every fault ends. In half of the stories with older daemons some stay as they are.
    fn mend(&mut self) {
        if (self.seed / 16).is_multiple_of(2) {
            self.upgrade(NODES.len());
        }
        self.cluster.tell("", "=== all faults end");
        self.cluster.hosts.iter_mut().for_each(|host| host.at_word = None);
        self.cluster.fars.iter_mut().for_each(|far| far.at_word = None);
        self.cluster.partition(&[0; NODES.len()]);
        for idx in 0..NODES.len() {
            self.mend_agents(idx);
            self.fill_disk(idx, false);
            self.cluster.power_on(idx);
        }
        self.cluster.restarts_left_nodes = true;
        self.cluster.restart_left_nodes();
        let end = self.cluster.now + 100 * SECOND;
        self.cluster.run_until(end);
        for idx in 0..NODES.len() {
            self.standby[idx] = true;
            self.toggle_standby(idx);
        }
        if self.family.is_harsh() {
            self.mend_settings();
        }
        self.mend_remotes();
        self.check_failure_timeout();
        self.cleaned_up_at = self.cluster.now;
        self.cluster.ask(0, Call::Cleanup { resource: None, node: None, only_failed: true, operation: None });
    }

    fn come_to_rest(&mut self) {
        if self.cluster.checker.violation.is_some() {
            return;
        }
        let at_rest = |cluster: &Cluster| {
            cluster.hosts.iter().enumerate().all(|(idx, host)| {
                host.node.as_ref().is_some_and(|node| node.is_idle())
                    && host.station.agents.processes.is_empty()
                    && cluster.is_quiet(idx)
            }) && cluster.asked.is_empty()
        };
        if !self.cluster.run_until_done(SETTLE_PATIENCE, at_rest) {
            let open: Vec<u64> = self.cluster.asked.keys().copied().collect();
            self.cluster.tell("", &format!("requests without an answer: {open:?}"));
            let nodes = self.cluster.hosts.iter().filter_map(|host| host.node.as_ref());
            let waits: Vec<String> = nodes.flat_map(NodeMachine::waits_for).collect();
            self.cluster.tell("", &format!("the DC waits for {waits:?}"));
            let restless: Vec<String> = self.cluster.hosts.iter().filter_map(what_is_restless).collect();
            self.cluster.tell("", &format!("not at rest: {restless:?}"));
            let text = format!("the cluster does not come to rest ({} requests open)", open.len());
            self.cluster.checker.fail(text);
            return;
        }
        // Two rounds of monitors, to see that it stays there.
        let end = self.cluster.now + 25 * SECOND;
        self.cluster.run_until(end);
        self.cluster.run_until_done(60 * SECOND, at_rest);
        self.cluster.checker.check_replicas(&self.cluster.hosts, &self.cluster.network);
        self.check_resources();
        self.check_attributes();
        self.check_fail_counts();
    }

    /// Failures have expired where they do, some time after the last fault.
    fn check_failure_timeout(&mut self) {
        if !has_failure_timeout(self.seed) {
            return;
        }
        let latest = self.cluster.now - (FAILURE_TIMEOUT + EXPIRY_PATIENCE) * SECOND;
        if let Some(what) = self.cluster.checker.fail_counts.is_older_than(0, latest) {
            self.cluster.checker.fail(format!("{what} has not expired"));
        }
    }

    /// All members have the same fail counts, and none from before everything was cleaned up, or of a node's former life.
    fn check_fail_counts(&mut self) {
        let Cluster { hosts, fars, checker, .. } = &self.cluster;
        let of_hosts = hosts.iter().map(|host| (&host.name, host.past.lost_at));
        let of_fars = fars.iter().filter(|far| far.exists()).map(|far| (&far.name, far.began_at));
        let began = of_hosts.chain(of_fars).map(|(name, at)| (name, at.max(self.cleaned_up_at)));
        let counts = &checker.fail_counts;
        let outlived = |idx| began.clone().find_map(|(name, at)| counts.has_outlived(idx, name, at));
        if let Some(wrong) = (0..hosts.len()).find_map(outlived).or_else(|| counts.disagree()) {
            self.cluster.checker.fail(format!("at rest, {wrong}"));
        }
    }

    /// What tools have set of nodes' transient attributes is still there.
    fn check_attributes(&mut self) {
        let Some(daemon) = &self.cluster.hosts[0].node else { return };
        for (idx, host) in self.cluster.hosts.iter().enumerate() {
            let value_of = |name: &str| attributes::value_in(daemon.cib(), NODES[idx], name);
            if let Some(wrong) = self.cluster.checker.attributes.is_wrong(idx, host.past, value_of) {
                let text = format!("at rest, attributes of {}: {wrong}", NODES[idx]);
                return self.cluster.checker.fail(text);
            }
        }
    }

    /// Everything runs as it should.
    fn check_resources(&mut self) {
        let wrong = match self.family.has_guests() {
            true => guests::what_is_wrong_at_rest(&self.cluster, self.family != Family::Unanswered),
            false => plain::what_is_wrong_at_rest(&self.cluster),
        };
        if let Some(wrong) = wrong {
            self.cluster.checker.fail(format!("at rest, {wrong}"));
        }
    }
}
