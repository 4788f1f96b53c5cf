//! Random stories: faults by a seed, then a time without faults in which the cluster must come to rest.

mod guests;

use crate::{Cluster, Micros, NodeIdx, SECOND, far::Site, plan, station::Place};
use std::{collections::BTreeMap, fmt};
use systole_cib::{
    ops::{CibAction, CibCall, CibOptions, Scope},
    xml::Document,
};
use systole_cluster::NodeMachine;
use systole_wire::api::Call;

/// Names of the simulated nodes.
pub const NODES: [&str; 3] = ["a", "b", "c"];

/// The resources of a simulated cluster.
const RESOURCES: [&str; 4] = ["r0", "r1", "g0", "g1"];

/// What a cluster is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Family {
    /// Primitives and a group on hosts.
    #[default]
    Plain,
    /// A promotable clone, a bundle with a promotable resource in its containers, and a remote node.
    Guests,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 2] = [Self::Plain, Self::Guests];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Guests => "guests",
        }
    }

    fn resources(self) -> &'static [&'static str] {
        match self {
            Self::Plain => &RESOURCES,
            Self::Guests => &guests::RESOURCES,
        }
    }

    fn faults(self) -> impl Iterator<Item = (Fault, u64)> {
        let further = match self {
            Self::Plain => &[][..],
            Self::Guests => &guests::FAULTS,
        };
        FAULTS.iter().chain(further).copied()
    }
}

/// How long the cluster may take to come to rest once nothing disturbs it.
const SETTLE_PATIENCE: Micros = 600 * SECOND;

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
}

/// Kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A host loses power.
    PowerOff,
    /// A host without power gets it back.
    PowerOn,
    /// The network is cut.
    Partition,
    /// It is whole again.
    Heal,
    /// `systoled` is killed and comes back at once.
    RestartNode,
    /// `systoled` is killed and comes back late.
    LongRestartNode,
    /// `systole-execd` is killed.
    RestartExecutor,
    /// A resource dies.
    CrashResource,
    /// Starts of a resource fail on a host.
    FailStarts,
    /// Actions of a resource are slow on a host.
    Slow,
    /// Agents behave again.
    MendAgents,
    /// A disk is full.
    FillDisk,
    /// A disk hangs.
    HangDisk,
    /// It has space again, or goes on.
    EmptyDisk,
    /// A host's clock is set forward or back.
    SetClock,
    /// A tool changes the configuration.
    Write,
    /// A tool changes the configuration, with force.
    ForcedWrite,
    /// A tool puts a node on standby, or ends that.
    Standby,
    /// A tool cleans up.
    Cleanup,
    /// A node leaves in good order.
    Shutdown,
    /// A node that left is started again.
    StartLeft,
    /// An administrator confirms that a host without power is off.
    ConfirmOff,
    /// A container dies.
    KillContainer,
    /// Sessions with a remote daemon break.
    BreakSession,
    /// A remote daemon is killed; what it runs goes on.
    RestartRemote,
    /// A remote machine loses power, or gets it back.
    RemotePower,
    /// A remote daemon takes connections for a while and does not answer.
    StallHandshake,
    /// A remote daemon says its results twice.
    RepeatResults,
    /// Sessions with a remote daemon break as it is told to promote, demote or notify.
    BreakAtWord,
}

const FAULTS: [(Fault, u64); 22] = [
    (Fault::PowerOff, 6),
    (Fault::PowerOn, 10),
    (Fault::Partition, 8),
    (Fault::Heal, 10),
    (Fault::RestartNode, 10),
    (Fault::LongRestartNode, 4),
    (Fault::RestartExecutor, 8),
    (Fault::CrashResource, 12),
    (Fault::FailStarts, 3),
    (Fault::Slow, 3),
    (Fault::MendAgents, 5),
    (Fault::FillDisk, 3),
    (Fault::HangDisk, 3),
    (Fault::EmptyDisk, 5),
    (Fault::SetClock, 3),
    (Fault::Write, 12),
    (Fault::ForcedWrite, 3),
    (Fault::Standby, 4),
    (Fault::Cleanup, 3),
    (Fault::Shutdown, 3),
    (Fault::StartLeft, 3),
    (Fault::ConfirmOff, 8),
];

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

/// The configuration of simulated clusters: two primitives and a group.
pub fn configuration(fencing: bool, no_quorum_policy: &str) -> String {
    let primitive = |id: &str| {
        format!(
            r#"<primitive id="{id}" class="ocf" provider="heartbeat" type="Dummy"><operations>
            <op id="{id}-start" name="start" interval="0" timeout="20s"/>
            <op id="{id}-stop" name="stop" interval="0" timeout="20s"/>
            <op id="{id}-monitor" name="monitor" interval="10s" timeout="20s"/></operations></primitive>"#
        )
    };
    let nodes: String = NODES
        .iter()
        .enumerate()
        .map(|(idx, name)| format!(r#"<node id="{}" uname="{name}"/>"#, idx + 1))
        .collect();
    format!(
        r#"<cib crm_feature_set="3.20.2" validate-with="pacemaker-4.0" admin_epoch="0" epoch="1" num_updates="0">
        <configuration><crm_config><cluster_property_set id="options">
        <nvpair id="options-fencing" name="stonith-enabled" value="{fencing}"/>
        <nvpair id="options-quorum" name="no-quorum-policy" value="{no_quorum_policy}"/>
        </cluster_property_set><cluster_property_set id="writes" score="-1"/></crm_config>
        <nodes>{nodes}</nodes>
        <resources>{}{}<group id="g">{}{}</group>
        <primitive id="fence" class="stonith" type="fence_dummy"/></resources>
        <constraints/></configuration><status/></cib>"#,
        primitive(RESOURCES[0]),
        primitive(RESOURCES[1]),
        primitive(RESOURCES[2]),
        primitive(RESOURCES[3]),
    )
}

/// Every so many writes, the whole CIB is replaced instead.
const REPLACED_EVERY: u64 = 2;

/// A story under way.
struct Story {
    family: Family,
    cluster: Cluster,
    faults: BTreeMap<Fault, u64>,
    n_writes: u64,
    /// The CIB as it was when the faults began.
    first: Document,
    standby: Vec<bool>,
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

impl Story {
    fn begin(family: Family, seed: u64) -> Self {
        let fencing = seed % 4 == 3;
        let policy = if seed % 8 == 5 { "ignore" } else { "stop" };
        let mut cluster = match family {
            Family::Plain => Cluster::new(&NODES, &configuration(fencing, policy), plan, seed),
            Family::Guests => guests::cluster(fencing, policy, seed),
        };
        cluster.checker.fencing = fencing;
        cluster.checker.ignores_quorum = policy == "ignore";
        for idx in 0..NODES.len() {
            cluster.power_on(idx);
        }
        let warm_up = cluster.random.between(1, 30) * SECOND;
        cluster.run_until(warm_up);
        let first =
            cluster.hosts[0].node.as_ref().map_or_else(|| Document::new("cib"), |node| node.cib().clone());
        let (faults, standby) = (BTreeMap::new(), vec![false; NODES.len()]);
        Self { family, cluster, faults, n_writes: 0, first, standby }
    }

    fn go_on(&mut self) {
        self.disturb();
        self.mend();
        self.come_to_rest();
    }

    fn disturb(&mut self) {
        let n_faults = self.cluster.random.between(1, 16);
        let total: u64 = self.family.faults().map(|(_, weight)| weight).sum();
        for _ in 0..n_faults {
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

    /// Whether the fault made sense now.
    fn inject(&mut self, fault: Fault) -> bool {
        let idx = self.cluster.random.between(0, NODES.len() as u64 - 1) as NodeIdx;
        let resource = (*self.cluster.random.pick(self.family.resources())).to_owned();
        let cluster = &mut self.cluster;
        let is_on = cluster.hosts[idx].is_on;
        match fault {
            Fault::PowerOff if is_on => cluster.power_off(idx),
            Fault::PowerOn if !is_on && !cluster.is_being_confirmed(idx) => cluster.power_on(idx),
            Fault::Partition => {
                let zones: Vec<u32> = NODES.iter().map(|_| cluster.random.between(0, 1) as u32).collect();
                cluster.partition(&zones);
            }
            Fault::Heal if !cluster.network.is_whole() => cluster.partition(&[0; NODES.len()]),
            Fault::RestartNode if cluster.hosts[idx].node.is_some() => {
                let away = cluster.random.between(20_000, 1_500_000);
                cluster.restart_node(idx, away);
            }
            Fault::LongRestartNode if cluster.hosts[idx].node.is_some() => {
                let away = cluster.random.between(3, 15) * SECOND;
                cluster.restart_node(idx, away);
            }
            Fault::RestartExecutor if is_on => {
                let is_long = cluster.random.chance(25);
                let longest = if is_long { 40 * SECOND } else { 3 * SECOND };
                let away = cluster.random.between(20_000, longest);
                cluster.restart_executor(idx, away);
            }
            Fault::CrashResource if cluster.hosts[idx].station.agents.active.contains(&resource) => {
                cluster.crash_resource(Place::Host(idx), &resource);
            }
            Fault::FailStarts => {
                cluster.tell(NODES[idx], &format!("=== starts of {resource} fail"));
                cluster.hosts[idx].station.agents.failing_starts.insert(resource);
            }
            Fault::Slow => {
                cluster.tell(NODES[idx], &format!("=== {resource} is slow"));
                cluster.hosts[idx].station.agents.slow.insert(resource);
            }
            Fault::MendAgents => self.mend_agents(idx),
            Fault::FillDisk if !cluster.hosts[idx].is_full => self.fill_disk(idx, true),
            Fault::HangDisk if !cluster.hosts[idx].hangs => {
                cluster.tell(NODES[idx], "=== disk hangs");
                cluster.hosts[idx].hangs = true;
            }
            Fault::EmptyDisk if cluster.hosts[idx].is_full || cluster.hosts[idx].hangs => {
                self.fill_disk(idx, false);
            }
            Fault::SetClock => {
                let secs = cluster.random.between(0, 7200) as i64 - 3600;
                cluster.tell(NODES[idx], &format!("=== the clock is set {secs} s ahead"));
                cluster.hosts[idx].clock_ahead = secs;
            }
            Fault::Write => return self.write(idx, false),
            Fault::ForcedWrite => return self.write(idx, true),
            Fault::Standby => return self.toggle_standby(idx),
            Fault::Cleanup => {
                let call = Call::Cleanup {
                    resource: Some(resource),
                    node: None,
                    only_failed: false,
                    operation: None,
                };
                return cluster.ask(idx, call).is_some();
            }
            Fault::Shutdown => return cluster.ask(idx, Call::Shutdown).is_some(),
            Fault::StartLeft if cluster.hosts[idx].has_left => cluster.restart_left_nodes(),
            Fault::ConfirmOff if !is_on => {
                let other = (idx + 1) % NODES.len();
                return cluster.ask(other, Call::ConfirmOff { node: NODES[idx].to_owned() }).is_some();
            }
            Fault::KillContainer
            | Fault::BreakSession
            | Fault::RestartRemote
            | Fault::RemotePower
            | Fault::StallHandshake
            | Fault::RepeatResults
            | Fault::BreakAtWord => return self.inject_far(fault),
            _ => return false,
        }
        true
    }

    fn mend_agents(&mut self, idx: NodeIdx) {
        let agents = &mut self.cluster.hosts[idx].station.agents;
        agents.failing_starts.clear();
        agents.slow.clear();
    }

    fn fill_disk(&mut self, idx: NodeIdx, is_full: bool) {
        self.cluster.tell(NODES[idx], if is_full { "=== disk is full" } else { "=== disk has space" });
        self.cluster.hosts[idx].is_full = is_full;
        self.cluster.hosts[idx].hangs &= is_full;
    }

    fn write(&mut self, idx: NodeIdx, force: bool) -> bool {
        self.n_writes += 1;
        if self.n_writes.is_multiple_of(REPLACED_EVERY) && self.replace_all(idx, force) {
            return true;
        }
        let id = format!("write-{}", self.n_writes);
        let xml = format!(
            r#"<cluster_property_set id="writes"><nvpair id="{id}" name="{id}" value="1"/></cluster_property_set>"#
        );
        self.apply(idx, CibAction::Modify, Scope::Section("crm_config".to_owned()), xml, force)
    }

    /// The whole CIB is replaced by what a node has, with the status section of the story's beginning: what that says of
    /// resources and lost nodes is out of date.
    fn replace_all(&mut self, idx: NodeIdx, force: bool) -> bool {
        let Some(node) = &self.cluster.hosts[idx].node else { return false };
        let mut cib = node.cib().clone();
        let status = cib.root().child("status").map(|status| status.key());
        let (Some(status), Some(old_status)) = (status, self.first.root().child("status")) else {
            return false;
        };
        cib.replace(status, old_status);
        self.apply(idx, CibAction::Replace, Scope::All, cib.to_text(), force)
    }

    fn apply(&mut self, idx: NodeIdx, action: CibAction, scope: Scope, xml: String, force: bool) -> bool {
        let options = CibOptions { allow_create: true, ..CibOptions::default() };
        let change = CibCall { action, scope, xml: Some(xml), options };
        self.cluster.ask(idx, Call::Apply { change, force }).is_some()
    }

    fn toggle_standby(&mut self, idx: NodeIdx) -> bool {
        let value = if self.standby[idx] { "off" } else { "on" };
        let id = idx + 1;
        let xml = format!(
            r#"<node id="{id}" uname="{}"><instance_attributes id="nodes-{id}"><nvpair id="nodes-{id}-standby" name="standby" value="{value}"/></instance_attributes></node>"#,
            NODES[idx]
        );
        let from = self.cluster.random.between(0, NODES.len() as u64 - 1) as NodeIdx;
        let done = self.apply(from, CibAction::Modify, Scope::Section("nodes".to_owned()), xml, false);
        self.standby[idx] ^= done;
        done
    }

    /// Every fault ends.
    fn mend(&mut self) {
        self.cluster.tell("", "=== all faults end");
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
        self.mend_remotes();
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
    }

    /// Everything runs, once, and is monitored.
    fn check_resources(&mut self) {
        if self.family == Family::Guests {
            if let Some(wrong) = guests::what_is_wrong_at_rest(&self.cluster) {
                self.cluster.checker.fail(format!("at rest, {wrong}"));
            }
            return;
        }
        for resource in RESOURCES {
            let hosts = self.cluster.hosts.iter();
            let where_active: Vec<&str> = hosts
                .filter(|host| host.station.agents.active.contains(resource))
                .map(|host| host.name.as_str())
                .collect();
            if where_active.len() != 1 {
                let text = format!("at rest, {resource} is active on {where_active:?}");
                self.cluster.checker.fail(text);
                return;
            }
            let host = self.cluster.hosts.iter().find(|host| host.name == where_active[0]);
            let key = format!("{resource}_monitor_10000");
            let is_monitored = host
                .and_then(|host| host.station.executor.as_ref())
                .is_some_and(|executor| executor.recurring().any(|it| it == key));
            if !is_monitored {
                let text = format!("at rest, {resource} is not monitored on {}", where_active[0]);
                self.cluster.checker.fail(text);
                return;
            }
        }
    }
}
