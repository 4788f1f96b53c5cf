//! From a view to one replica and one DC.
//!
//! After each view every member says hello. Hellos arrive in the same order everywhere, so with the last of them
//! everybody knows the same: who has been a member longest (the DC), and whose replica wins. If not all have that one
//! already, its holder casts it, and with its arrival the members are settled.

use super::{Copying, Dc, NodeMachine};
use crate::{
    Effect, Level, Snapshot,
    message::{Copy, Hand, Hello, Introduction, Message},
    replica::Replica,
};
use std::{cmp::Reverse, collections::BTreeMap, time::Duration};
use systole_types::CibVersion;
use systole_wire::{ProtocolVersion, hub::View};

/// How long a node stays out of a cluster that speaks another major part of the protocol before it looks again. Each look
/// disturbs the cluster, so it takes twice as long each time, up to the longest.
const STRANGERS_PAUSE: Duration = Duration::from_secs(60);
const LONGEST_PAUSE: Duration = Duration::from_secs(15 * 60);

/// This node's place among the members.
#[derive(Debug, Default)]
pub(super) struct Group {
    view: Option<View>,
    /// The first view since the program started.
    since: Option<u64>,
    phase: Phase,
    hellos: BTreeMap<u32, Hello>,
    /// Members that speak another major part of the protocol.
    strangers: BTreeMap<u32, Introduction>,
    /// How long this node last stayed out because of them, if it has agreed with nobody since.
    paused_for: Option<Duration>,
    /// Whether the replica has lived through a membership.
    live: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// No view.
    #[default]
    Alone,
    /// Not all hellos are here.
    Exchanging,
    /// They are, and the winner's replica is on its way.
    AwaitingCopy { dc: u32 },
    /// All members have the same replica.
    Settled { dc: u32 },
}

impl Group {
    pub fn view_number(&self) -> u64 {
        self.view.as_ref().map_or(0, |view| view.number)
    }

    pub fn own_id(&self) -> u32 {
        self.view.as_ref().map_or(0, |view| view.own_id)
    }

    pub fn has_quorum(&self) -> bool {
        self.view.as_ref().is_some_and(|view| view.has_quorum)
    }

    /// Whether this node is in a view without quorum.
    pub fn lacks_quorum(&self) -> bool {
        self.view.as_ref().is_some_and(|view| !view.has_quorum)
    }

    /// Number and name of each member.
    pub fn members(&self) -> &[(u32, String)] {
        self.view.as_ref().map_or(&[], |view| &view.members)
    }

    pub fn is_member(&self, node: u32) -> bool {
        self.members().iter().any(|(id, _)| *id == node)
    }

    /// Whether the winner's replica is on its way.
    pub fn awaits_copy(&self) -> bool {
        matches!(self.phase, Phase::AwaitingCopy { .. })
    }

    pub fn is_settled(&self) -> bool {
        matches!(self.phase, Phase::Settled { .. })
    }

    pub fn dc(&self) -> Option<u32> {
        match self.phase {
            Phase::Settled { dc } => Some(dc),
            _ => None,
        }
    }
}

/// What makes a replica win, most important first.
///
/// `admin_epoch` is the administrator's. The generation makes a partition that had quorum win over one that had not,
/// whatever the latter was forced to change: what was acknowledged is never lost. A replica that has lived through a
/// membership wins over one from disk, which has no status section.
fn strength(hello: &Hello) -> (u64, u64, u64, bool, u64) {
    let version: CibVersion = hello.version.parse().unwrap_or_default();
    (version.admin_epoch, hello.generation, version.epoch, hello.live, version.num_updates)
}

/// The member who has been one longest; of several the one with the lowest number.
fn elect(hellos: &BTreeMap<u32, Hello>) -> u32 {
    let elected = hellos.iter().min_by_key(|(id, hello)| (hello.since, **id));
    elected.map(|(id, _)| *id).expect("a view has members")
}

/// Whose replica wins: the DC's if it is among the strongest.
fn winner(hellos: &BTreeMap<u32, Hello>, dc: u32) -> u32 {
    let best = hellos.values().map(strength).max().expect("a view has members");
    let mut strongest = hellos.iter().filter(|(_, hello)| strength(hello) == best).map(|(id, _)| *id);
    if strength(&hellos[&dc]) == best { dc } else { strongest.next().expect("the best is one of them") }
}

impl NodeMachine {
    /// Takes what was on disk for the first replica.
    pub(super) fn load(&mut self, stored: Option<Snapshot>) {
        match stored.as_ref().map(Replica::from_snapshot) {
            None => self.log(Level::Notice, "there is no CIB on disk: starting with an empty one"),
            Some(Ok(replica)) => {
                self.log(Level::Info, format!("the CIB on disk has version {}", replica.version()));
                self.replica = replica;
            }
            Some(Err(error)) => {
                let message = format!("the CIB on disk is not usable, starting with an empty one: {error}");
                self.log(Level::Error, message);
            }
        }
    }

    pub(super) fn view_changed(&mut self, view: View) {
        self.group.since.get_or_insert(view.number);
        self.isolation.end();
        self.enter(view);
    }

    /// Begins the exchange with the members of `view`.
    pub(super) fn enter(&mut self, view: View) {
        let names: Vec<&str> = view.members.iter().map(|(_, name)| name.as_str()).collect();
        let quorum = if view.has_quorum { "with" } else { "without" };
        self.log(Level::Notice, format!("members are now {} ({quorum} quorum)", names.join(" ")));
        self.group.phase = Phase::Exchanging;
        self.copying = Copying::default();
        self.group.hellos.clear();
        self.group.strangers.clear();
        self.group.view = Some(view);
        self.n_returned = self.n_cast;
        self.local.detach();
        self.connections.detach();
        self.withdraw_starts();
        let hello = Hello {
            protocol: self.config.protocol,
            name: self.name.clone(),
            boot_id: self.boot_id.clone(),
            since: self.group.since.unwrap_or_default(),
            live: self.group.live,
            version: self.replica.version().to_string(),
            generation: self.replica.generation,
            fingerprint: self.replica.fingerprint(),
            disk_error: self.disk.error().map(str::to_owned),
        };
        self.cast(Message::Hello(hello));
    }

    pub(super) fn cluster_lost(&mut self) {
        self.miss_layer();
        if self.isolation.is_alone() {
            return;
        }
        self.log(Level::Warning, "the connection to the cluster layer is lost");
        self.group.phase = Phase::Alone;
        self.group.view = None;
        self.dc = None;
        self.local.detach();
        self.connections.detach();
    }

    pub(super) fn hello(&mut self, from: u32, hello: Hello) {
        if hello.protocol.major != self.config.protocol.major {
            return self.introduced(from, Introduction::from(&hello));
        }
        self.group.hellos.insert(from, hello);
        self.compare_hellos();
    }

    /// A member that speaks another major part of the protocol says hello.
    pub(super) fn introduced(&mut self, from: u32, stranger: Introduction) {
        self.group.strangers.insert(from, stranger);
        self.compare_hellos();
    }

    /// Goes on, once every member has said hello.
    fn compare_hellos(&mut self) {
        let Group { hellos, strangers, .. } = &self.group;
        let has_said = |id: &u32| hellos.contains_key(id) || strangers.contains_key(id);
        let all_here = self.group.members().iter().all(|(id, _)| has_said(id));
        if self.group.phase != Phase::Exchanging || !all_here {
            return;
        }
        if !self.group.strangers.is_empty() {
            return self.part_from_strangers();
        }
        let dc = elect(&self.group.hellos);
        let best = winner(&self.group.hellos, dc);
        let best_hello = &self.group.hellos[&best];
        let is_same = |hello: &Hello| {
            strength(hello) == strength(best_hello) && hello.fingerprint == best_hello.fingerprint
        };
        if self.group.hellos.values().all(is_same) {
            return self.settle(dc);
        }
        self.group.phase = Phase::AwaitingCopy { dc };
        if best == self.group.own_id() {
            let level =
                self.group.hellos.values().map(|hello| hello.protocol.minor).min().unwrap_or_default();
            self.begin_copy(level);
        }
    }

    /// Members cannot agree with those that speak another major part of the protocol. The part that most of them speak stays, of
    /// several such the one of who has been a member longest; the others go, so that the next view has one kind only. Nothing is
    /// settled before that.
    fn part_from_strangers(&mut self) {
        let own_major = self.config.protocol.major;
        let Group { hellos, strangers, .. } = &self.group;
        let own = hellos.iter().map(|(id, hello)| (hello.since, *id, own_major, &hello.name));
        let others = strangers.iter().map(|(id, it)| (it.since, *id, it.protocol.major, &it.name));
        let all: Vec<_> = own.chain(others).collect();
        let speakers = |part: u16| all.iter().filter(move |(_, _, major, _)| *major == part);
        let foremost =
            all.iter().min_by_key(|(since, id, major, _)| (Reverse(speakers(*major).count()), *since, *id));
        let Some((_, _, major, _)) = foremost.copied() else { return };
        if major != own_major {
            let names: Vec<&str> = speakers(major).map(|(_, _, _, name)| name.as_str()).collect();
            let text = format!(
                "the cluster ({}) speaks protocol {major}.x, this node {own_major}.x: it stays out. Install the version of Systole here \
                 that the cluster has, or stop the cluster, upgrade every node, and start it again",
                names.join(" ")
            );
            self.log(Level::Error, text);
            return self.stay_out();
        }
        let texts: Vec<String> = strangers
            .values()
            .map(|it| {
                let (name, theirs) = (&it.name, it.protocol.major);
                format!(
                    "{name} speaks protocol {theirs}.x, this cluster {own_major}.x: it is kept out, and until it has left nothing is done. \
                     Stop Systole there, and install the version that the cluster has"
                )
            })
            .collect();
        texts.into_iter().for_each(|text| self.log(Level::Error, text));
    }

    fn stay_out(&mut self) {
        let pause = self.group.paused_for.map_or(STRANGERS_PAUSE, |last| (last * 2).min(LONGEST_PAUSE));
        self.group.paused_for = Some(pause);
        self.isolation.keep_out();
        self.effects.push(Effect::StayAway(pause));
    }

    pub(super) fn copied(&mut self, copy: &Copy) {
        let Phase::AwaitingCopy { dc } = self.group.phase else { return };
        match Replica::from_copy(&self.copying.complete(copy)) {
            Ok(replica) => self.replica = replica,
            Err(error) => {
                let reason = format!("the CIB that was received cannot be read: {error}");
                return self.effects.push(Effect::Die { reason });
            }
        }
        self.settle(dc);
    }

    /// All members have the same replica.
    fn settle(&mut self, dc: u32) {
        let hellos = std::mem::take(&mut self.group.hellos);
        let members: BTreeMap<u32, Hello> =
            hellos.into_iter().filter(|(id, _)| self.group.is_member(*id)).collect();
        self.replica.settle(&members, self.group.has_quorum());
        let ProtocolVersion { major, minor } = self.config.protocol;
        if self.replica.level < minor {
            let text = format!("a member speaks protocol {major}.{} only", self.replica.level);
            self.log(Level::Notice, format!("{text}: what was added to it since is left out"));
        }
        self.group.phase = Phase::Settled { dc };
        self.group.live = true;
        if !self.isolation.is_alone() {
            self.isolation.let_in();
            self.group.paused_for = None;
        }
        let name = self.replica.name_of(dc).unwrap_or_default().to_owned();
        self.log(Level::Notice, format!("{name} is the DC; the CIB has version {}", self.replica.version()));
        self.disk.settle(&members);
        self.persist();
        self.correct_disk_state();
        self.terms += u64::from(dc == self.group.own_id());
        self.dc = (dc == self.group.own_id()).then(|| Dc::new(self.seed, self.terms, self.now.mono));
        self.repeat_requests();
        self.begin_in_start_state();
        self.attach(&Hand::Executor);
        self.attach_connections();
    }
}
