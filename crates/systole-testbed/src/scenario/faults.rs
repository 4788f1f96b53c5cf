//! What happens to clusters in random stories.

use super::{NODES, Story, has_failure_timeout};
use crate::{NodeIdx, SECOND, station::Place};
use systole_cib::ops::{CibAction, CibCall, CibOptions, Scope};
use systole_wire::api::Call;

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
    /// `systoled` is stopped for a while, or the kernel sees that it works.
    HangNode,
    /// `systole-execd` is stopped for a while.
    HangExecutor,
    /// A virtual host stands still; its clock is behind afterwards.
    PauseHost,
    /// A disk takes seconds for each write.
    SlowDisk,
    /// All daemons of the cluster are killed at once.
    RestartAll,
    /// The configuration of a resource changes, and again while the cluster still sees to that.
    Reconfigure,
    /// The DC is lost, and its successor, and the next one perhaps.
    LoseDcs,
    /// Actions of a resource take long, and do not heed that they are to end.
    Linger,
    /// A tool sets a transient attribute.
    SetAttribute,
    /// A tool puts a node or the cluster into maintenance mode, or ends that.
    Maintenance,
    /// A remote daemon is stopped for a while.
    HangRemote,
    /// Results of a remote daemon overtake each other.
    ShuffleResults,
    /// A remote daemon says results again later.
    RepeatLate,
    /// The executor of a host is lost as it is told to demote or stop something.
    LoseExecutorAtWord,
    /// The same, of the node that holds the connection to a remote daemon, or of the connection.
    LoseHolderAtWord,
    /// A promoted copy is to make way for another, and who is told is lost with that word.
    Handover,
}

/// Faults of every cluster, with their weights.
pub const FAULTS: [(Fault, u64); 22] = [
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

/// Every so many writes, the whole CIB is replaced instead.
const REPLACED_EVERY: u64 = 2;

impl Story {
    /// Whether the fault made sense now.
    pub(super) fn inject(&mut self, fault: Fault) -> bool {
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
            Fault::EmptyDisk
                if cluster.hosts[idx].is_full || cluster.hosts[idx].hangs || cluster.hosts[idx].is_slow =>
            {
                self.fill_disk(idx, false);
            }
            // Where failures expire, clocks have to agree: with Pacemaker, too, the DC holds its own against the failed node's.
            Fault::SetClock if !has_failure_timeout(self.seed) => {
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
            Fault::HangNode
            | Fault::HangExecutor
            | Fault::PauseHost
            | Fault::SlowDisk
            | Fault::RestartAll
            | Fault::Reconfigure
            | Fault::LoseDcs
            | Fault::Linger
            | Fault::SetAttribute
            | Fault::Maintenance
            | Fault::HangRemote
            | Fault::ShuffleResults
            | Fault::RepeatLate => return self.inject_harsh(fault, idx, resource),
            Fault::LoseExecutorAtWord | Fault::LoseHolderAtWord | Fault::Handover => {
                return self.inject_unanswered(fault, idx);
            }
            _ => return false,
        }
        true
    }

    pub(super) fn mend_agents(&mut self, idx: NodeIdx) {
        let agents = &mut self.cluster.hosts[idx].station.agents;
        agents.failing_starts.clear();
        agents.slow.clear();
        agents.lingering.clear();
    }

    pub(super) fn fill_disk(&mut self, idx: NodeIdx, is_full: bool) {
        self.cluster.tell(NODES[idx], if is_full { "=== disk is full" } else { "=== disk has space" });
        self.cluster.hosts[idx].is_full = is_full;
        self.cluster.hosts[idx].hangs &= is_full;
        self.cluster.hosts[idx].is_slow &= is_full;
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
    /// resources and lost nodes is out of date. Daemons before minor part 6 believe it.
    fn replace_all(&mut self, idx: NodeIdx, force: bool) -> bool {
        if self.cluster.hosts.iter().any(|host| host.speaks.minor < 6) {
            return false;
        }
        let Some(node) = &self.cluster.hosts[idx].node else { return false };
        let mut cib = node.cib().clone();
        let status = cib.root().child("status").map(|status| status.key());
        let (Some(status), Some(old_status)) = (status, self.first.root().child("status")) else {
            return false;
        };
        cib.replace(status, old_status);
        self.apply(idx, CibAction::Replace, Scope::All, cib.to_text(), force)
    }

    pub(super) fn apply(
        &mut self,
        idx: NodeIdx,
        action: CibAction,
        scope: Scope,
        xml: String,
        force: bool,
    ) -> bool {
        let options = CibOptions { allow_create: true, ..CibOptions::default() };
        let change = CibCall { action, scope, xml: Some(xml), options };
        self.cluster.ask(idx, Call::Apply { change, force }).is_some()
    }

    pub(super) fn toggle_standby(&mut self, idx: NodeIdx) -> bool {
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
}
