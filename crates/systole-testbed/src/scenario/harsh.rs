//! Faults of harsh stories: daemons, hosts and disks that are slow or stand still, and tools that change what is under way.

use super::{Fault, NODES, SECOND, Story, has_failure_timeout};
use crate::{Cluster, Micros, NodeIdx, station::Place};
use systole_cib::ops::{CibAction, Scope};
use systole_wire::api::{AttributeUpdate, Call};

/// What may happen beside the usual, with weights.
pub const FAULTS: [(Fault, u64); 10] = [
    (Fault::HangNode, 8),
    (Fault::HangExecutor, 8),
    (Fault::PauseHost, 5),
    (Fault::SlowDisk, 5),
    (Fault::RestartAll, 5),
    (Fault::Reconfigure, 14),
    (Fault::LoseDcs, 6),
    (Fault::Linger, 6),
    (Fault::SetAttribute, 14),
    (Fault::Maintenance, 5),
];

/// The same, where there are remote daemons.
pub const FAULTS_OF_GUESTS: [(Fault, u64); 3] =
    [(Fault::HangRemote, 8), (Fault::ShuffleResults, 5), (Fault::RepeatLate, 5)];

/// Names of the attributes that are set.
const ATTRIBUTES: [&str; 3] = ["one", "two", "three"];

/// How long it is waited for that a change is under way.
const UNDER_WAY: Micros = 5 * SECOND;

impl Story {
    /// Whether the fault made sense now.
    pub(super) fn inject_harsh(&mut self, fault: Fault, idx: NodeIdx, resource: String) -> bool {
        let cluster = &mut self.cluster;
        let is_awake = cluster.hosts[idx].awake().is_some();
        match fault {
            Fault::HangNode if is_awake => {
                let (span, works) = (cluster.random.between(1, 30) * SECOND, cluster.random.chance(40));
                cluster.hang(idx, span, works);
            }
            Fault::HangExecutor if cluster.hosts[idx].is_on => {
                let span = cluster.random.between(1, 60) * SECOND;
                cluster.hang_executor(Place::Host(idx), span);
            }
            Fault::PauseHost if cluster.hosts[idx].is_on => {
                let span = cluster.random.between(1, 20) * SECOND;
                cluster.pause(idx, span);
                if has_failure_timeout(self.seed) {
                    cluster.hosts[idx].clock_ahead = 0;
                }
            }
            Fault::SlowDisk if !cluster.hosts[idx].is_slow => {
                cluster.tell(NODES[idx], "=== disk is slow");
                cluster.hosts[idx].is_slow = true;
            }
            Fault::RestartAll => self.restart_all(),
            Fault::Reconfigure => return self.reconfigure(idx),
            Fault::LoseDcs => return self.lose_dcs(),
            Fault::Linger => {
                cluster.tell(NODES[idx], &format!("=== {resource} lingers"));
                cluster.hosts[idx].station.agents.lingering.insert(resource);
            }
            Fault::SetAttribute => return self.set_attribute(idx),
            Fault::Maintenance => return self.toggle_maintenance(idx),
            Fault::HangRemote | Fault::ShuffleResults | Fault::RepeatLate => {
                return self.inject_harsh_far(fault);
            }
            _ => return false,
        }
        true
    }

    fn inject_harsh_far(&mut self, fault: Fault) -> bool {
        let cluster = &mut self.cluster;
        let up: Vec<usize> = (0..cluster.fars.len()).filter(|far| cluster.fars[*far].is_up()).collect();
        if up.is_empty() {
            return false;
        }
        let far = *cluster.random.pick(&up);
        match fault {
            Fault::HangRemote => {
                let span = cluster.random.between(1, 40) * SECOND;
                cluster.hang_executor(Place::Far(far), span);
            }
            Fault::ShuffleResults => cluster.fars[far].shuffles_results = true,
            _ => cluster.fars[far].repeats_late = true,
        }
        true
    }

    /// As after a mistake with a package manager.
    fn restart_all(&mut self) {
        let longest = if self.cluster.random.chance(30) { 12 * SECOND } else { 3 * SECOND / 2 };
        for idx in 0..NODES.len() {
            let [node, executor] = [0, 1].map(|_| self.cluster.random.between(20_000, longest));
            if self.cluster.hosts[idx].node.is_some() {
                self.cluster.restart_node(idx, node);
            }
            self.cluster.restart_executor(idx, executor);
        }
    }

    /// A resource's configuration changes, and again while that is seen to.
    fn reconfigure(&mut self, idx: NodeIdx) -> bool {
        let is_first = self.change_setting(idx);
        if is_first && self.cluster.run_until_done(UNDER_WAY, is_at_work) {
            let end = self.cluster.now + self.cluster.random.between(0, 300_000);
            self.cluster.run_until(end);
            self.change_setting(idx);
        }
        is_first
    }

    fn change_setting(&mut self, idx: NodeIdx) -> bool {
        self.n_settings += 1;
        let n = self.n_settings;
        let resource = *self.cluster.random.pick(self.family.resources());
        let top = top_of(resource);
        let (section, xml) = match self.cluster.random.between(0, 5) {
            0 => ("resources", within(resource, &parameter(resource, "state", n))),
            1 => ("resources", within(resource, &parameter(resource, "passwd", n))),
            2 if !matches!(resource, "p" | "q") => {
                ("resources", within(resource, &monitor(resource, 7 + n % 6)))
            }
            3 => ("resources", element(top, &role(top, "Stopped"))),
            4 => ("resources", element(top, &role(top, "Started"))),
            _ => {
                let node = *self.cluster.random.pick(&NODES);
                (
                    "constraints",
                    format!(r#"<rsc_location id="at-{top}" rsc="{top}" node="{node}" score="200"/>"#),
                )
            }
        };
        self.apply(idx, CibAction::Modify, Scope::Section(section.to_owned()), xml, false)
    }

    /// The DC goes, and as soon as there is another perhaps that one too.
    fn lose_dcs(&mut self) -> bool {
        let mut n_lost = 0;
        for _ in 0..self.cluster.random.between(2, 3) {
            let is_dc = |idx: &NodeIdx| {
                let host = &self.cluster.hosts[*idx];
                host.awake().is_some_and(|node| node.dc() == Some(&host.name))
            };
            let Some(dc) = (0..NODES.len()).find(is_dc) else { break };
            match self.cluster.random.between(0, 2) {
                0 => self.cluster.power_off(dc),
                1 => {
                    let away = self.cluster.random.between(1, 12) * SECOND;
                    self.cluster.restart_node(dc, away);
                }
                _ => {
                    let span = self.cluster.random.between(6, 20) * SECOND;
                    self.cluster.hang(dc, span, false);
                }
            }
            n_lost += 1;
            let end = self.cluster.now + self.cluster.random.between(0, 8 * SECOND);
            self.cluster.run_until(end);
        }
        n_lost > 0
    }

    fn set_attribute(&mut self, idx: NodeIdx) -> bool {
        self.n_settings += 1;
        let of_itself = self.cluster.random.chance(60);
        let target =
            if of_itself { idx } else { self.cluster.random.between(0, NODES.len() as u64 - 1) as NodeIdx };
        let call = Call::Attribute(AttributeUpdate {
            node: NODES[target].to_owned(),
            name: (*self.cluster.random.pick(&ATTRIBUTES)).to_owned(),
            value: Some(format!("v{}", self.n_settings)),
            ..AttributeUpdate::default()
        });
        self.cluster.ask(idx, call).is_some()
    }

    fn toggle_maintenance(&mut self, idx: NodeIdx) -> bool {
        let from = self.cluster.random.between(0, NODES.len() as u64 - 1) as NodeIdx;
        let done = self.set_maintenance(from, idx, !self.maintenance[idx]);
        self.maintenance[idx] ^= done;
        done
    }

    fn set_maintenance(&mut self, from: NodeIdx, idx: NodeIdx, is_on: bool) -> bool {
        let (id, name) = (idx + 1, NODES[idx]);
        let pair = format!(r#"<nvpair id="nodes-{id}-maintenance" name="maintenance" value="{is_on}"/>"#);
        let xml = format!(
            r#"<node id="{id}" uname="{name}"><instance_attributes id="nodes-{id}">{pair}</instance_attributes></node>"#
        );
        self.apply(from, CibAction::Modify, Scope::Section("nodes".to_owned()), xml, false)
    }

    /// Nothing is in maintenance or stopped on purpose any more, and remote daemons are no stranger than others.
    pub(super) fn mend_settings(&mut self) {
        for idx in 0..NODES.len() {
            self.set_maintenance(0, idx, false);
        }
        let tops: std::collections::BTreeSet<&str> =
            self.family.resources().iter().map(|resource| top_of(resource)).collect();
        for top in tops {
            let xml = element(top, &role(top, "Started"));
            self.apply(0, CibAction::Modify, Scope::Section("resources".to_owned()), xml, false);
        }
        for far in &mut self.cluster.fars {
            (far.shuffles_results, far.repeats_late) = (false, false);
        }
    }
}

/// Whether anything but a monitor or a notification runs anywhere.
fn is_at_work(cluster: &Cluster) -> bool {
    let processes = cluster.hosts.iter().flat_map(|host| host.station.agents.processes.values());
    processes
        .map(|process| process.operation.operation.as_str())
        .any(|it| !matches!(it, "monitor" | "notify"))
}

/// The resource that is started and stopped as a whole.
fn top_of(resource: &str) -> &str {
    match resource {
        "g0" | "g1" => "g",
        "p" => "p-clone",
        "q" => "B",
        other => other,
    }
}

/// A resource's element with something in it.
fn element(id: &str, content: &str) -> String {
    let tag = match id {
        "g" => "group",
        "p-clone" => "clone",
        "B" => "bundle",
        _ => "primitive",
    };
    format!(r#"<{tag} id="{id}">{content}</{tag}>"#)
}

/// A primitive's element with something in it, in the element that it is in.
fn within(resource: &str, content: &str) -> String {
    let (top, own) = (top_of(resource), element(resource, content));
    if top == resource { own } else { element(top, &own) }
}

fn parameter(resource: &str, name: &str, value: u64) -> String {
    let pair = format!(r#"<nvpair id="{resource}-{name}" name="{name}" value="{value}"/>"#);
    format!(r#"<instance_attributes id="{resource}-parameters">{pair}</instance_attributes>"#)
}

fn monitor(resource: &str, secs: u64) -> String {
    format!(r#"<operations><op id="{resource}-monitor" name="monitor" interval="{secs}s"/></operations>"#)
}

fn role(top: &str, role: &str) -> String {
    let pair = format!(r#"<nvpair id="{top}-role" name="target-role" value="{role}"/>"#);
    format!(r#"<meta_attributes id="{top}-roles">{pair}</meta_attributes>"#)
}
