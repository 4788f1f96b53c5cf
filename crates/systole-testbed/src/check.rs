//! What must hold in every simulated cluster, at every moment.
//!
//! - **One active copy.** A resource is not started on a node while it is active on another, where both have been in the
//!   same partition, never away for longer than a restart of their daemon, since before the start was decided.
//!   Where fencing is on: while it is active on any host that has power, whatever the partitions.
//! - **One promoted copy**, likewise, of what may be promoted once; on hosts and in containers.
//! - **Nothing is begun without quorum**: a start that was decided with quorum and still waits its turn when that is lost
//!   is taken back, unless the configuration ignores quorum.
//! - **A guest node is recovered by recovering its container**: nobody connects to one again that was lost.
//! - **One DC** for all settled members of a view, and the same replica.
//! - **Versions never go back** while a daemon runs; where a replica loses against another, the other has a higher
//!   `admin_epoch` or generation.
//! - **Acknowledged writes are kept**: what was acknowledged is in the CIB of every settled member with quorum.

use crate::{
    Micros, NodeIdx, SECOND,
    agents::Process,
    far::{Far, FarIdx, Site},
    host::Host,
    network::Network,
};
use std::collections::{BTreeMap, BTreeSet};
use systole_cib::ops::CibCall;
use systole_types::CibVersion;
use systole_wire::{
    api::{Call, Reply},
    exec::Operation,
};

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
    }

    /// Something does not hold.
    pub fn fail(&mut self, what: String) {
        self.violation.get_or_insert(what);
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

    /// A resource has become active on a host.
    pub fn started(
        &mut self,
        now: Micros,
        idx: NodeIdx,
        resource: &str,
        process: &Process,
        hosts: &[Host],
        network: &Network,
    ) {
        if process.operation.class == "stonith" || self.clones.contains(&resource) {
            return;
        }
        let Some(decided) = self.decided(&process.operation.transition_key) else { return };
        for (other, host) in hosts.iter().enumerate() {
            let is_there = other != idx && host.agents.active.contains(resource);
            if is_there && self.must_know(now, decided, [idx, other], hosts, network) {
                let (name, there) = (&hosts[idx].name, &host.name);
                self.fail(format!("{resource} was started on {name} while it is active on {there}"));
            }
        }
    }

    /// A resource was promoted on a host.
    pub fn promoted(
        &mut self,
        now: Micros,
        idx: NodeIdx,
        resource: &str,
        process: &Process,
        hosts: &[Host],
        network: &Network,
    ) {
        let Some(decided) = self.decided(&process.operation.transition_key) else { return };
        for (other, host) in hosts.iter().enumerate() {
            let is_there = other != idx && host.agents.promoted.contains(resource);
            if is_there && self.must_know(now, decided, [idx, other], hosts, network) {
                let (name, there) = (&hosts[idx].name, &host.name);
                self.fail(format!("{resource} was promoted on {name} while it is promoted on {there}"));
            }
        }
    }

    /// A resource was promoted in a container.
    pub fn promoted_far(
        &mut self,
        (now, decided): (Micros, Option<Micros>),
        resource: &str,
        idx: FarIdx,
        fars: &[Far],
        hosts: &[Host],
        network: &Network,
    ) {
        let (Some(decided), Site::Container(host)) = (decided, fars[idx].site) else { return };
        for far in fars.iter().filter(|far| !std::ptr::eq(*far, &fars[idx])) {
            let Site::Container(other) = far.site else { continue };
            if far.agents.promoted.contains(resource)
                && (host == other || self.must_know(now, decided, [host, other], hosts, network))
            {
                let (name, there) = (&fars[idx].name, &far.name);
                self.fail(format!("{resource} was promoted in {name} while it is promoted in {there}"));
            }
        }
    }

    /// When a start or promotion was handed over.
    pub fn decided(&self, transition_key: &str) -> Option<Micros> {
        self.starts.get(transition_key).copied()
    }

    /// Whether what is decided for one of two hosts must not disregard the other.
    fn must_know(
        &self,
        now: Micros,
        decided: Micros,
        [one, other]: [NodeIdx; 2],
        hosts: &[Host],
        network: &Network,
    ) -> bool {
        let is_here = |host: &Host| !host.is_absent(now) && host.joined_at < decided;
        self.fencing || (is_here(&hosts[one]) && is_here(&hosts[other]) && network.share_zone(one, other))
    }

    /// A resource has become active on a host: with fencing, it must not be on a remote machine. (Without, one that is not
    /// connected to counts as off.)
    pub fn started_beside(&mut self, host: &str, resource: &str, fars: &[Far]) {
        let machines = fars.iter().filter(|far| !far.is_guest() && far.agents.active.contains(resource));
        for far in machines.filter(|_| self.fencing).map(|far| far.name.clone()).collect::<Vec<_>>() {
            self.fail(format!("{resource} was started on {host} while it is active on {far}"));
        }
    }

    /// A resource has become active at a remote daemon: see [`Self::started_beside`].
    pub fn started_far(&mut self, resource: &str, far: &Far, hosts: &[Host]) {
        let host = hosts.iter().find(|host| host.agents.active.contains(resource));
        if let Some(host) = host.filter(|_| self.fencing && !far.is_guest()) {
            let (name, there) = (&far.name, &host.name);
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
            let Some(node) = &host.node else { continue };
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
