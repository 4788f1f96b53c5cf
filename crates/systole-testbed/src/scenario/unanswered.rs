//! Stories in which those who are told to demote or stop a copy cannot answer any more.

use super::{Fault, NODES, SECOND, Story};
use crate::{Micros, NodeIdx, cluster::Blow, far::FarIdx, station::Place};
use systole_wire::api::{AttributeUpdate, Call};

/// What may happen beside the usual of clusters with guests, with weights.
pub const FAULTS: [(Fault, u64); 3] =
    [(Fault::LoseExecutorAtWord, 10), (Fault::LoseHolderAtWord, 10), (Fault::Handover, 40)];

/// The promotable resources.
const PROMOTABLE: [&str; 2] = ["p", "q"];

/// How long it may take until a copy that has died is promoted again.
const RECOVERY: Micros = 40 * SECOND;

impl Story {
    /// Whether the fault made sense now.
    pub(super) fn inject_unanswered(&mut self, fault: Fault, idx: NodeIdx) -> bool {
        match fault {
            Fault::LoseExecutorAtWord if self.cluster.hosts[idx].is_on => self.arm_host(idx),
            Fault::LoseHolderAtWord => {
                let fars = self.cluster.fars.iter();
                let there: Vec<FarIdx> =
                    fars.enumerate().filter(|(_, far)| far.is_up()).map(|(at, _)| at).collect();
                if there.is_empty() {
                    return false;
                }
                let far = *self.cluster.random.pick(&there);
                self.arm_far(far);
            }
            Fault::Handover => return self.hand_over(),
            _ => return false,
        }
        true
    }

    /// The executor of a host is lost as it is told to demote or stop something.
    fn arm_host(&mut self, idx: NodeIdx) {
        let random = &mut self.cluster.random;
        let longest = if random.chance(70) { 60 } else { 8 };
        let span = random.between(1, longest) * SECOND;
        let blow = match random.between(0, 2) {
            0 => Blow::ExecutorEndsBefore(span),
            1 => Blow::ExecutorEndsAfter(span),
            _ => Blow::ExecutorHangs(span),
        };
        self.cluster.hosts[idx].at_word = Some(blow);
    }

    /// The node that holds the connection to a remote daemon is lost as that is told to demote or stop something, or the connection.
    fn arm_far(&mut self, far: FarIdx) {
        let random = &mut self.cluster.random;
        let span = random.between(1, 20) * SECOND;
        let blow = match random.between(0, 3) {
            0 => Blow::HolderIsOff,
            1 => Blow::HolderEnds(span),
            2 => Blow::HolderHangs(span),
            _ => Blow::SessionBreaks,
        };
        self.cluster.fars[far].at_word = Some(blow);
    }

    /// A promoted copy is to be demoted for the sake of another, in most cases where its monitor has failed before; who is told may be
    /// lost meanwhile.
    fn hand_over(&mut self) -> bool {
        let resource = *self.cluster.random.pick(&PROMOTABLE);
        let Some(place) = self.promoted_at(resource) else { return false };
        if self.cluster.random.chance(75) {
            self.cluster.crash_resource(place, resource);
            let is_back = |cluster: &crate::Cluster| is_promoted(cluster, place, resource);
            self.cluster.run_until_done(RECOVERY, is_back);
            let end = self.cluster.now + self.cluster.random.between(0, 12 * SECOND);
            self.cluster.run_until(end);
        }
        match place {
            Place::Host(idx) => self.arm_host(idx),
            Place::Far(far) => self.arm_far(far),
        }
        let from = self.cluster.random.between(0, NODES.len() as u64 - 1) as NodeIdx;
        match place {
            Place::Host(idx) if self.cluster.random.chance(40) => self.toggle_standby(idx),
            _ => self.prefer_another(from, place, resource),
        }
    }

    fn promoted_at(&self, resource: &str) -> Option<Place> {
        let cluster = &self.cluster;
        let hosts = (0..cluster.hosts.len()).map(Place::Host);
        let mut places = hosts.chain((0..cluster.fars.len()).map(Place::Far));
        places.find(|place| is_promoted(cluster, *place, resource))
    }

    /// Another copy says that it is better suited.
    fn prefer_another(&mut self, from: NodeIdx, place: Place, resource: &str) -> bool {
        self.n_settings += 1;
        let cluster = &self.cluster;
        let hosts = cluster.hosts.iter().enumerate();
        let hosts = hosts.map(|(idx, host)| (Place::Host(idx), &host.name, &host.station.agents));
        let fars = cluster.fars.iter().enumerate();
        let fars = fars.map(|(far, there)| (Place::Far(far), &there.name, &there.station.agents));
        let others = hosts.chain(fars).filter(|(other, ..)| *other != place);
        let others = others.filter(|(.., agents)| agents.active.contains(resource));
        let names: Vec<String> = others.map(|(_, name, _)| name.clone()).collect();
        if names.is_empty() {
            return false;
        }
        let node = self.cluster.random.pick(&names).clone();
        let value = Some((10 + self.n_settings).to_string());
        let name = format!("master-{resource}");
        let update = AttributeUpdate { node, name, value, ..AttributeUpdate::default() };
        self.cluster.ask(from, Call::Attribute(update)).is_some()
    }
}

fn is_promoted(cluster: &crate::Cluster, place: Place, resource: &str) -> bool {
    let agents = match place {
        Place::Host(idx) => &cluster.hosts[idx].station.agents,
        Place::Far(far) => &cluster.fars[far].station.agents,
    };
    agents.promoted.contains(resource)
}
