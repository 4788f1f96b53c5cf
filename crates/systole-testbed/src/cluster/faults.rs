//! What happens to hosts and to the network: power, restarts, cuts.

use super::Cluster;
use crate::{Micros, NodeIdx, check::attributes::Past, host::Host, station::Place};
use systole_cluster::{Event, executor};
use systole_hub::Patience;
use systole_wire::{api::Call, exec::ToExecutor};

/// What happens as somebody is told to demote or stop something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blow {
    /// The executor is killed before it has read that, and is away for so long.
    ExecutorEndsBefore(Micros),
    /// The same, once it has begun.
    ExecutorEndsAfter(Micros),
    /// The executor stands still for so long, and has not read it.
    ExecutorHangs(Micros),
    /// The node that holds the connection loses its power.
    HolderIsOff,
    /// Its `systoled` is killed, and is away for so long.
    HolderEnds(Micros),
    /// It stands still.
    HolderHangs(Micros),
    /// The connection breaks.
    SessionBreaks,
}

/// Whether that is an order to take something away.
pub(super) fn is_word(message: &ToExecutor) -> bool {
    matches!(message, ToExecutor::Run(operation) if matches!(operation.operation.as_str(), "demote" | "stop"))
}

impl Cluster {
    /// Switches a host on; its daemons start by themselves.
    pub fn power_on(&mut self, idx: NodeIdx) {
        let host = &mut self.hosts[idx];
        if host.is_on {
            return;
        }
        host.is_on = true;
        host.boot += 1;
        host.node_starts_at = Some(self.now + self.random.between(100_000, 1_000_000));
        host.executor_starts_at = Some(self.now + self.random.between(100_000, 1_000_000));
        let name = host.name.clone();
        self.tell(&name, "=== powered on");
    }

    /// Takes a host's power away.
    pub fn power_off(&mut self, idx: NodeIdx) {
        let name = self.hosts[idx].name.clone();
        self.tell(&name, "=== powered off");
        self.checker.lost_power(&name, &self.hosts[idx].station.agents);
        let past = Past { lost_at: self.now, ended_at: self.now, ..self.hosts[idx].past };
        let host = &mut self.hosts[idx];
        let (disk, boot, is_full, clock_ahead, speaks) =
            (host.disk.take(), host.boot, host.is_full, host.clock_ahead, host.speaks);
        let away_since = host.away_since.or(Some(self.now));
        let mut station = std::mem::take(&mut host.station);
        station.end();
        *host =
            Host { disk, boot, speaks, is_full, clock_ahead, away_since, station, past, ..Host::new(&name) };
        self.drop_sessions_of(idx, true);
        self.containers_vanish(Place::Host(idx));
        self.forget_requests(idx);
        self.network.disconnect(idx, self.now, &mut self.random);
    }

    fn forget_requests(&mut self, idx: NodeIdx) {
        self.asked.retain(|_, (node, ..)| *node != idx);
    }

    pub(super) fn stop_node(&mut self, idx: NodeIdx) {
        let now = self.now;
        let host = &mut self.hosts[idx];
        host.node = None;
        host.past.ended_at = now;
        (host.hangs_until, host.dropped_at) = (None, None);
        host.unread.clear();
        host.away_since.get_or_insert(now);
        host.writing.clear();
        host.unlink();
        self.drop_sessions_of(idx, false);
        self.forget_requests(idx);
        self.tell_executor(Place::Host(idx), executor::Event::Disconnected);
        self.network.disconnect(idx, self.now, &mut self.random);
    }

    /// Kills `systoled`; it comes back after `away`.
    pub fn restart_node(&mut self, idx: NodeIdx, away: Micros) {
        if !self.hosts[idx].is_on {
            return;
        }
        let name = self.hosts[idx].name.clone();
        self.tell(&name, &format!("=== systoled killed, back in {} ms", away / 1000));
        self.stop_node(idx);
        self.hosts[idx].node_starts_at = Some(self.now + away);
    }

    /// `systoled` does nothing for so long, with its connections open: it hangs, or the kernel sees that it works.
    pub fn hang(&mut self, idx: NodeIdx, span: Micros, works: bool) {
        let patience = if works { Patience::USUAL.silent_after } else { Patience::USUAL.idle_after };
        let (now, patience) = (self.now, patience.as_micros() as Micros);
        let host = &mut self.hosts[idx];
        host.hangs_until = Some(now + span);
        host.dropped_at = (span > patience).then_some(now + patience);
        let name = host.name.clone();
        self.tell(&name, &format!("=== {} for {} ms", if works { "thinks" } else { "hangs" }, span / 1000));
    }

    /// A virtual host stands still with all that is on it. Its clock does not go on meanwhile.
    pub fn pause(&mut self, idx: NodeIdx, span: Micros) {
        let name = self.hosts[idx].name.clone();
        self.tell(&name, &format!("=== stands still for {} ms", span / 1000));
        if self.hosts[idx].awake().is_some() {
            self.hang(idx, span, false);
        }
        self.hang_executor(Place::Host(idx), span);
        let host = &mut self.hosts[idx];
        host.clock_ahead -= (span / crate::SECOND) as i64;
        for process in host.station.agents.processes.values_mut() {
            process.acts_at = process.acts_at.map(|at| at + span);
            process.ends_at += span;
        }
    }

    /// The cluster layer drops a daemon that hangs.
    pub(super) fn drop_hanging(&mut self, idx: NodeIdx) {
        self.hosts[idx].has_to_join = true;
        self.hosts[idx].unread.push(Event::ClusterLost);
        self.network.disconnect(idx, self.now, &mut self.random);
    }

    /// A daemon goes on, and reads what it has not read.
    pub(super) fn wake(&mut self, idx: NodeIdx) {
        let name = self.hosts[idx].name.clone();
        self.tell(&name, "=== goes on");
        for event in std::mem::take(&mut self.hosts[idx].unread) {
            self.tell_node(idx, event);
        }
        if self.hosts[idx].node.is_some() && self.network.view(idx).is_none() {
            self.network.connect(idx, self.now, &mut self.random);
        }
    }

    /// Whether a message does not reach a host's executor, since that is lost at such a word.
    pub(super) fn is_lost_at_word(&mut self, idx: NodeIdx, message: &ToExecutor) -> bool {
        if !is_word(message) {
            return false;
        }
        match self.hosts[idx].at_word.take() {
            Some(Blow::ExecutorEndsBefore(span)) => {
                self.restart_executor(idx, span);
                true
            }
            Some(blow @ Blow::ExecutorHangs(_)) => {
                self.strike(Place::Host(idx), blow);
                false
            }
            Some(blow) => {
                self.blows.push((Place::Host(idx), blow));
                false
            }
            None => false,
        }
    }

    /// What was to happen at such a word happens.
    pub(super) fn strike(&mut self, place: Place, blow: Blow) {
        let holder = match place {
            Place::Host(idx) => Some(idx),
            Place::Far(far) => {
                let mut sessions = self.sessions.iter();
                sessions
                    .find(|session| session.far == far && session.is_connected)
                    .map(|session| session.node)
            }
        };
        let Some(idx) = holder else { return };
        match (blow, place) {
            (Blow::ExecutorEndsBefore(span) | Blow::ExecutorEndsAfter(span), _) => {
                self.restart_executor(idx, span);
            }
            (Blow::ExecutorHangs(span), _) => self.hang_executor(Place::Host(idx), span),
            (Blow::HolderIsOff, _) if self.hosts[idx].is_on => self.power_off(idx),
            (Blow::HolderEnds(span), _) => self.restart_node(idx, span),
            (Blow::HolderHangs(span), _) if self.hosts[idx].awake().is_some() => self.hang(idx, span, false),
            (Blow::SessionBreaks, Place::Far(far)) => self.break_sessions(far),
            _ => {}
        }
    }

    /// Starts the daemons of nodes that left in good order.
    pub fn restart_left_nodes(&mut self) {
        let at = self.now + crate::SECOND;
        for host in self.hosts.iter_mut().filter(|host| host.has_left && host.is_on) {
            host.node_starts_at.get_or_insert(at);
        }
    }

    /// Whether someone was asked to take a host for off.
    pub fn is_being_confirmed(&self, idx: NodeIdx) -> bool {
        let is_it = |call: &Call| matches!(call, Call::ConfirmOff { node } if *node == self.hosts[idx].name);
        self.asked.values().any(|(_, call, _)| is_it(call))
    }

    /// Cuts the network: nodes with the same number can reach each other.
    pub fn partition(&mut self, zones: &[u32]) {
        self.tell("net", &format!("=== zones {zones:?}"));
        for (idx, host) in self.hosts.iter_mut().enumerate() {
            // Cut off or healed: either way the company is another, and has to agree anew.
            let is_new = |other: usize| self.network.share_zone(idx, other) != (zones[idx] == zones[other]);
            host.has_to_join |= (0..zones.len()).any(is_new);
        }
        self.network.partition(zones, self.now, &mut self.random);
        self.cut_sessions();
    }
}
