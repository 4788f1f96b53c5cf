//! Keeping the configuration on disk, and knowing where it is kept.
//!
//! A change of the configuration is acknowledged once every member whose disk works has it on disk, provided these are
//! a majority of the cluster's nodes or all members of the view: then any later partition with quorum has a member that
//! kept it. Where the disks that work are too few, changes are refused, and everything else goes on.

use super::NodeMachine;
use crate::{
    Effect, Level, Token,
    message::{Hello, Message},
};
use std::{collections::BTreeMap, time::Duration};
use systole_types::{CibVersion, Monotonic};

/// How long after a failure the disk is tried again.
const RETRY: Duration = Duration::from_secs(10);

/// How long a write may take before the disk counts as one that does not work. Less than a request may take, so that a disk
/// that hangs does not keep the others' changes from being acknowledged.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many writes are known that a disk has not answered. It may hang: it is busy with the oldest then, and will go on
/// with the newest, which supersedes what was asked for in between.
const MAX_ASKED: usize = 64;

/// What is on whose disk.
#[derive(Debug, Default)]
pub(super) struct Disk {
    last: u64,
    /// Asked for and not yet answered: the version and the configuration's fingerprint.
    asked: BTreeMap<Token, (CibVersion, String)>,
    /// Why this node cannot write, if so.
    error: Option<String>,
    retry_at: Option<Monotonic>,
    /// Since when it has been busy with a write.
    busy_since: Option<Monotonic>,
    /// Versions on members' disks in this view.
    stored: BTreeMap<u32, CibVersion>,
    /// Members who cannot write.
    broken: BTreeMap<u32, String>,
}

/// Whether a change is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// On enough disks.
    Yes,
    /// Some disk has not answered.
    NotYet,
    /// On too few, and the others cannot write: why.
    No(String),
}

impl Disk {
    pub fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.retry_at.into_iter().chain(self.hangs_at()).min()
    }

    /// When it counts as one that hangs, if it is not known already that it does not work.
    fn hangs_at(&self) -> Option<Monotonic> {
        self.busy_since.filter(|_| self.error.is_none()).map(|since| since + PATIENCE)
    }

    /// It has answered: if there is more to write, it is busy with that from now on.
    fn answered(&mut self, now: Monotonic) {
        self.busy_since = (!self.asked.is_empty()).then_some(now);
    }

    /// How many writes have not been answered.
    #[cfg(test)]
    pub fn n_asked(&self) -> usize {
        self.asked.len()
    }

    /// A new view is settled: every member writes its replica now.
    pub fn settle(&mut self, members: &BTreeMap<u32, Hello>) {
        self.stored.clear();
        // What is being written may be of a replica that lost.
        self.asked.clear();
        let broken = members.iter().filter_map(|(id, hello)| Some((*id, hello.disk_error.clone()?)));
        self.broken = broken.collect();
    }
}

impl NodeMachine {
    /// Asks for the present configuration to be written.
    pub(super) fn persist(&mut self) {
        self.disk.last += 1;
        let token = Token(self.disk.last);
        let snapshot = self.replica.snapshot();
        self.disk.busy_since.get_or_insert(self.now.mono);
        if self.disk.asked.len() >= MAX_ASKED {
            self.disk.asked.pop_last();
        }
        self.disk.asked.insert(token, (snapshot.version, self.replica.configuration_fingerprint()));
        self.effects.push(Effect::Persist { token, snapshot });
    }

    pub(super) fn durable(&mut self, token: Token) {
        let later = self.disk.asked.split_off(&Token(token.0 + 1));
        let done = std::mem::replace(&mut self.disk.asked, later).into_iter().next_back();
        self.disk.answered(self.now.mono);
        self.disk.retry_at = None;
        if self.disk.error.take().is_some() {
            self.log(Level::Notice, "the CIB can be written to disk again");
            self.tell_disk_state();
        }
        let Some((_, (version, fingerprint))) = done else { return };
        if self.group.is_settled() {
            self.cast(Message::Stored { version: version.to_string(), fingerprint });
        }
    }

    pub(super) fn disk_failed(&mut self, token: Token, error: String) {
        self.disk.asked = self.disk.asked.split_off(&Token(token.0 + 1));
        self.disk.answered(self.now.mono);
        self.disk.retry_at = Some(self.now.mono + RETRY);
        self.disk_does_not_work(error);
    }

    fn disk_does_not_work(&mut self, error: String) {
        if self.disk.error.as_ref() != Some(&error) {
            self.log(Level::Error, format!("cannot write the CIB to disk: {error}"));
            self.disk.error = Some(error);
            self.tell_disk_state();
        }
    }

    fn tell_disk_state(&mut self) {
        if self.group.is_settled() {
            self.cast(Message::DiskState { error: self.disk.error.clone() });
        }
    }

    /// The members go by what this node said when the view began: since then its disk may have failed, or work again.
    pub(super) fn correct_disk_state(&mut self) {
        if self.disk.broken.get(&self.group.own_id()) != self.disk.error.as_ref() {
            self.tell_disk_state();
        }
    }

    pub(super) fn disk_is_late(&mut self) {
        if self.disk.retry_at.is_some_and(|at| at <= self.now.mono) {
            self.disk.retry_at = None;
            self.persist();
        }
        if self.disk.hangs_at().is_some_and(|at| at <= self.now.mono) {
            self.disk_does_not_work("the disk does not answer".to_owned());
        }
    }

    /// A member has its configuration on disk. Replicas of one version are the same, or one of them is corrupt.
    pub(super) fn stored(&mut self, from: u32, version: &str, fingerprint: &str) {
        let version: CibVersion = version.parse().unwrap_or_default();
        self.disk.stored.insert(from, version);
        let own = self.replica.version();
        let is_comparable = (own.admin_epoch, own.epoch) == (version.admin_epoch, version.epoch);
        let is_authority = Some(from) == self.group.dc();
        if is_comparable && is_authority && self.replica.configuration_fingerprint() != fingerprint {
            let reason = format!(
                "this node's configuration differs from the DC's, though both have version {version}"
            );
            self.effects.push(Effect::Die { reason });
        }
    }

    pub(super) fn disk_state(&mut self, from: u32, error: Option<String>) {
        match error {
            Some(error) => self.disk.broken.insert(from, error),
            None => self.disk.broken.remove(&from),
        };
    }

    /// Whether disks that work are enough to keep a change.
    pub(super) fn can_keep(&self) -> Result<(), String> {
        let members = self.group.members();
        let broken: Vec<String> = members
            .iter()
            .filter_map(|(id, name)| Some(format!("{name} ({})", self.disk.broken.get(id)?)))
            .collect();
        let n_keepers = members.len() - broken.len();
        let n_nodes = self.replica.known_nodes().len().max(members.len());
        if broken.is_empty() || n_keepers * 2 > n_nodes {
            return Ok(());
        }
        Err(format!(
            "the CIB cannot be written to disk on {}: free space there and try again",
            broken.join(", ")
        ))
    }

    /// Whether the configuration of `version` is kept.
    pub(super) fn is_kept(&self, version: CibVersion) -> Kept {
        let is_on = |id: &u32| {
            let stored = self.disk.stored.get(id);
            stored.is_some_and(|stored| {
                (stored.admin_epoch, stored.epoch) >= (version.admin_epoch, version.epoch)
            })
        };
        let mut missing = self.group.members().iter().map(|(id, _)| id).filter(|id| !is_on(id));
        if missing.any(|id| !self.disk.broken.contains_key(id)) {
            return Kept::NotYet;
        }
        match self.can_keep() {
            Ok(()) => Kept::Yes,
            Err(_) if self.group.members().iter().all(|(id, _)| is_on(id)) => Kept::Yes,
            Err(error) => Kept::No(error),
        }
    }
}
