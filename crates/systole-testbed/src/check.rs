//! What must hold in every simulated cluster, at every moment.
//!
//! - **One active copy.** A resource is not started on a node while it is active on another, where both have been in the
//!   same partition, never away for longer than a restart of their daemon, since before the start was decided.
//!   Where fencing is on: while it is active on any host that has power, whatever the partitions.
//! - **One promoted copy**, likewise, of what may be promoted once; on hosts and in containers.
//! - **Nothing is begun without quorum**: a start that was decided with quorum and still waits its turn when that is lost
//!   is taken back, unless the configuration ignores quorum.
//! - **A guest node is recovered by recovering its container**: nobody connects to one again that was lost,
//!   but for one on a host in maintenance mode, whose containers are left alone, and where it was lost by a node without quorum, whose
//!   word of that is lost, too: what is in the container is probed then.
//! - **Notifications tell the truth**: what one says that was done was done in its plan, what is to be done was not yet.
//! - **Who is promoted is known**: once a cluster has come to rest, every copy was told of the promoted one, when it started or by
//!   a notification, unless it or the promoted one was itself cut off or without its daemon or executor since, or nobody had quorum; or it was in maintenance
//!   mode then, or on a guest whose connection was on a node in it.
//! - **One DC** for all settled members of a view, and the same replica.
//! - **Versions never go back** while a daemon runs; where a replica loses against another, the other has a higher
//!   `admin_epoch` or generation.
//! - **Plans can be right**: the independent checker finds nothing in any graph.
//! - **Recovery waits for proof**: with fencing, what ran on a cluster node or remote machine that lost its power is started elsewhere
//!   only when somebody has vouched for that, or when it was booted and is back.
//! - **Orders agree with the configuration**: the DC has nothing started on a node that its CIB has on standby, and nothing but probes
//!   done on one in maintenance mode.
//! - **Who leaves in good order runs nothing**, but for what is in maintenance mode, or what is active on a node that is taken to be
//!   in it, too.
//! - **Values of transient attributes are kept** as long as their node is there, and no longer: see [`attributes`].
//! - **Failures count**: each that is recorded once, and nothing else; see [`fail_counts`].
//! - **Acknowledged writes are kept**: what was acknowledged is in the CIB of every settled member with quorum.

pub mod attributes;
pub mod fail_counts;
pub mod orders;
mod recovery;

use crate::{
    Micros, NodeIdx, SECOND,
    agents::{Agents, Process},
    far::{Far, Site},
    host::Host,
    network::Network,
    notices::Notices,
    station::Place,
};
use attributes::Attributes;
use fail_counts::FailCounts;
use recovery::Recovery;
use std::collections::{BTreeMap, BTreeSet};
use systole_cib::{ops::CibCall, xml::Document};
use systole_types::CibVersion;
use systole_wire::{
    api::{Call, Reply},
    exec::Operation,
};

/// All there is.
pub type World<'w> = (&'w [Host], &'w [Far], &'w Network);

/// Wherever agents run.
fn places<'w>((hosts, fars, _): World<'w>) -> impl Iterator<Item = (Place, &'w Agents)> {
    let hosts = hosts.iter().enumerate().map(|(idx, host)| (Place::Host(idx), &host.station.agents));
    hosts.chain(fars.iter().enumerate().map(|(idx, far)| (Place::Far(idx), &far.station.agents)))
}

/// The host that a place is on, if it is not on a remote machine.
fn host_of(place: Place, world: World<'_>) -> Option<NodeIdx> {
    match place {
        Place::Host(idx) => Some(idx),
        Place::Far(far) => match world.1[far].site {
            Site::NoContainer(host) | Site::Container(host) => host_of(host, world),
            Site::Machine(_) => None,
        },
    }
}

fn name_of<'w>(place: Place, (hosts, fars, _): World<'w>) -> &'w str {
    match place {
        Place::Host(idx) => &hosts[idx].name,
        Place::Far(far) => &fars[far].name,
    }
}

/// Watches a cluster.
#[derive(Debug)]
pub struct Checker {
    /// The first thing that did not hold.
    pub violation: Option<String>,
    /// Whether fencing is on: then nothing is recovered from a node that may still run.
    pub fencing: bool,
    /// Whether what is begun is the same with quorum or without.
    pub ignores_quorum: bool,
    /// Resources that run on every host.
    pub clones: &'static [&'static str],
    /// When each start and promotion was handed to its executor, by transition key.
    starts: BTreeMap<String, Micros>,
    /// What is known of notifications.
    pub notices: Notices,
    /// What is known of hosts that have lost their power.
    pub recovery: Recovery,
    /// What is known of transient attributes.
    pub attributes: Attributes,
    /// What is known of fail counts.
    pub fail_counts: FailCounts,
    /// `admin_epoch`, generation and version of each node's replica.
    versions: Vec<Option<(u64, u64, CibVersion)>>,
    /// Ids of elements whose creation was acknowledged.
    kept: BTreeSet<String>,
}

impl Checker {
    /// Of a cluster with so many hosts.
    pub fn new(n_hosts: usize) -> Self {
        Self {
            violation: None,
            fencing: false,
            ignores_quorum: false,
            clones: &[],
            starts: BTreeMap::new(),
            notices: Notices::default(),
            recovery: Recovery::default(),
            attributes: Attributes::default(),
            fail_counts: FailCounts::default(),
            versions: vec![None; n_hosts],
            kept: BTreeSet::new(),
        }
    }

    /// How many writes were acknowledged.
    pub fn n_acknowledged(&self) -> usize {
        self.kept.len()
    }

    /// The daemon of a host starts: its replica comes from disk, which may be behind.
    pub fn daemon_starts(&mut self, idx: NodeIdx) {
        self.versions[idx] = None;
        self.fail_counts.daemon_starts(idx);
    }

    /// Something does not hold.
    pub fn fail(&mut self, what: String) {
        self.violation.get_or_insert(what);
    }

    /// The DC orders an operation, while remote daemons are connected to by these hosts.
    pub fn ordered<'n>(
        &mut self,
        cib: &Document,
        operation: &Operation,
        hosts: &'n [Host],
        fars: impl Iterator<Item = (&'n str, NodeIdx)>,
    ) {
        if let Some(wrong) = orders::is_wrong(cib, operation) {
            self.fail(wrong);
        }
        if operation.operation == "promote" {
            let is_left_alone = |idx: NodeIdx| orders::is_in_maintenance(cib, &hosts[idx].name);
            let names = hosts.iter().enumerate().map(|(idx, host)| (host.name.as_str(), idx)).chain(fars);
            let left_alone = names.filter(|(_, idx)| is_left_alone(*idx)).map(|(name, _)| name.to_owned());
            self.notices.ordered(&operation.resource, left_alone.collect());
        }
    }

    /// An operation was handed to an executor.
    pub fn asked(&mut self, now: Micros, operation: &Operation) {
        if matches!(operation.operation.as_str(), "start" | "promote") {
            self.starts.insert(operation.transition_key.clone(), now);
        }
    }

    /// An executor begins an operation.
    pub fn begun(&mut self, now: Micros, operation: &Operation, host: &Host) {
        let since = host.quorum_lost_at.filter(|_| host.is_linked && !self.ignores_quorum);
        let is_start = matches!(operation.operation.as_str(), "start" | "promote");
        if since.is_some_and(|since| is_start && now - since.max(host.linked_since) > SECOND) {
            self.fail(format!("{} was begun on {}, which has no quorum", operation.key, host.name));
        }
    }

    /// A resource has become active somewhere.
    pub fn started(
        &mut self,
        now: Micros,
        place: Place,
        resource: &str,
        process: &Process,
        world: World<'_>,
    ) {
        if process.operation.class == "stonith" || self.clones.contains(&resource) {
            return;
        }
        self.must_be_alone(now, place, process, world, "started", "active", |agents| {
            agents.active.contains(resource)
        });
        self.must_not_be_far(place, resource, world);
        let name = name_of(place, world);
        if let Some(node) = self.recovery.is_too_early(resource, name) {
            let text = format!(
                "{resource} was started on {name}, and nobody knows that {node} is off, where it ran"
            );
            self.fail(text);
        }
    }

    /// A cluster node or a remote machine loses its power, with everything that runs there.
    pub fn lost_power(&mut self, node: &str, agents: &Agents) {
        if self.fencing {
            let clones = self.clones;
            let only_there =
                agents.active.iter().filter(|it| !clones.contains(&it.as_str()) && *it != "fence");
            self.recovery.lost(node, only_there);
        }
    }

    /// A node leaves in good order.
    pub fn left(&mut self, host: &Host) {
        let Some(node) = &host.node else { return };
        let until_it_leaves = attributes::value_in(node.cib(), &host.name, "maintenance");
        if orders::is_in_maintenance(node.cib(), &host.name) || until_it_leaves.as_deref() == Some("true") {
            return;
        }
        let agents = &host.station.agents;
        let starts = agents.processes.values().filter(|process| process.operation.operation == "start");
        let starts =
            starts.filter(|process| process.acts_at.is_some()).map(|process| &process.operation.resource);
        let is_known = |resource: &str| orders::is_left_alone(node.cib(), resource);
        let mut active = agents.active.iter().chain(starts);
        if let Some(resource) = active.find(|resource| *resource != "fence" && !is_known(resource)) {
            self.fail(format!("{} left in good order, and {resource} runs there", host.name));
        }
    }

    /// A resource was promoted somewhere.
    pub fn promoted(
        &mut self,
        now: Micros,
        place: Place,
        resource: &str,
        process: &Process,
        world: World<'_>,
    ) {
        let decided = self.starts.get(&process.operation.transition_key).copied();
        self.notices.promoted(decided.unwrap_or_default(), resource, name_of(place, world));
        let is_promoted = |agents: &Agents| agents.promoted.contains(resource);
        self.must_be_alone(now, place, process, world, "promoted", "promoted", is_promoted);
    }

    /// Of what a process has done at `place`, nothing is anywhere else that had to be known there.
    #[expect(clippy::too_many_arguments, reason = "what was done, where, and how to say it")]
    fn must_be_alone(
        &mut self,
        now: Micros,
        place: Place,
        process: &Process,
        world: World<'_>,
        done: &str,
        is: &str,
        is_there: impl Fn(&Agents) -> bool,
    ) {
        let Some(decided) = self.starts.get(&process.operation.transition_key).copied() else { return };
        let resource = &process.operation.resource;
        let others = places(world).filter(|(other, agents)| *other != place && is_there(agents));
        let found: Vec<Place> = others.map(|(other, _)| other).collect();
        for other in found {
            if self.must_know(now, decided, [place, other], world) {
                let (name, there) = (name_of(place, world), name_of(other, world));
                self.fail(format!("{resource} was {done} on {name} while it is {is} on {there}"));
            }
        }
    }

    /// Whether what is decided for one of two places must not disregard the other. Without fencing, a remote machine that is
    /// not connected to counts as off.
    fn must_know(&self, now: Micros, decided: Micros, places: [Place; 2], world: World<'_>) -> bool {
        let [Some(one), Some(other)] = places.map(|place| host_of(place, world)) else { return false };
        let (hosts, _, network) = world;
        let is_here = |host: &Host| !host.is_absent(now) && host.joined_at < decided;
        one == other
            || self.fencing
            || is_here(&hosts[one]) && is_here(&hosts[other]) && network.share_zone(one, other)
    }

    /// With fencing, what becomes active on a host is not active on a remote machine, nor the other way round.
    fn must_not_be_far(&mut self, place: Place, resource: &str, world: World<'_>) {
        let is_machine = |place: Place| matches!(place, Place::Far(far) if !world.1[far].is_guest());
        let is_host = |place: Place| matches!(place, Place::Host(_));
        let is_other =
            |other: Place| is_machine(place) && is_host(other) || is_host(place) && is_machine(other);
        let mut others =
            places(world).filter(|(other, agents)| is_other(*other) && agents.active.contains(resource));
        if let Some((other, _)) = others.next().filter(|_| self.fencing) {
            let (name, there) = (name_of(place, world), name_of(other, world));
            self.fail(format!("{resource} was started on {name} while it is active on {there}"));
        }
    }

    /// A tool was answered.
    pub fn answered(&mut self, call: &Call, reply: &Reply) {
        if let (Call::Apply { change, force: false }, Reply::Applied { .. }) = (call, reply)
            && let Some(id) = written_id(change)
        {
            self.kept.insert(id);
        }
    }

    /// Looks at everything that can be seen from outside.
    pub fn check(&mut self, hosts: &[Host], network: &Network) {
        let mut dcs: BTreeMap<u64, (NodeIdx, String)> = BTreeMap::new();
        for (idx, host) in hosts.iter().enumerate() {
            let Some(node) = &host.node else {
                self.versions[idx] = None;
                continue;
            };
            let rank = (node.version().admin_epoch, node.generation(), node.version());
            if let Some(before) = self.versions[idx].replace(rank).filter(|before| *before > rank) {
                self.fail(format!("the CIB of {} went back from {before:?} to {rank:?}", host.name));
            }
            let Some(view) = network.view(idx).filter(|view| node.settled_view() == Some(view.number)) else {
                continue;
            };
            let dc = node.dc().unwrap_or_default().to_owned();
            if let Some((other, theirs)) = dcs.get(&view.number).filter(|(_, theirs)| *theirs != dc) {
                let other = &hosts[*other].name;
                self.fail(format!("in one view, the DC is {theirs} for {other} and {dc} for {}", host.name));
            }
            dcs.insert(view.number, (idx, dc));
        }
    }

    /// Looks at what takes longer: whether everything acknowledged is there, and whether replicas are the same.
    pub fn check_replicas(&mut self, hosts: &[Host], network: &Network) {
        let mut texts: BTreeMap<(u64, CibVersion), (NodeIdx, String)> = BTreeMap::new();
        for (idx, host) in hosts.iter().enumerate() {
            // One that hangs may have been left out of what was waited for, and takes it in when it goes on.
            let Some(node) = host.awake() else { continue };
            let Some(view) = network.view(idx).filter(|view| node.settled_view() == Some(view.number)) else {
                continue;
            };
            let ids: BTreeSet<&str> =
                node.cib().root().descendants().filter_map(|element| element.id()).collect();
            let lost = self.kept.iter().find(|id| view.has_quorum && !ids.contains(id.as_str())).cloned();
            if let Some(id) = lost {
                self.fail(format!("{id} was acknowledged, and {} with quorum does not have it", host.name));
            }
            let text = node.cib().to_text();
            let key = (view.number, node.version());
            if let Some((other, _)) = texts.get(&key).filter(|(_, theirs)| *theirs != text) {
                let other = &hosts[*other].name;
                self.fail(format!(
                    "{other} and {} have different CIBs of version {}",
                    host.name,
                    node.version()
                ));
            }
            texts.insert(key, (idx, text));
        }
    }
}

/// The id of the element a simulated write creates: the first in its text.
fn written_id(change: &CibCall) -> Option<String> {
    let (_, rest) = change.xml.as_deref()?.split_once("<nvpair id=\"")?;
    rest.split_once('"').map(|(id, _)| id.to_owned())
}
