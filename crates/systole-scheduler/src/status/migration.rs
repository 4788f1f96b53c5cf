//! What is left of live migrations: `migrate_to` on the source, `migrate_from` on the target, `stop` on the source. Each may
//! be missing, have failed, or be outdated by what happened later.
//!
//! Source: Pacemaker Explained, "Migrating Resources".

use super::{
    NodeIdx, RscIdx,
    history::{Entry, is_newer},
    unpack::Unpack,
};
use systole_cib::model::{HistoryEntry, ResourceHistory};
use systole_types::{NodeId, OcfRc, OpStatus, Role};

/// Code of an entry whose result has not come.
const RC_UNKNOWN: OcfRc = OcfRc::Other(193);

impl<'a> Unpack<'a> {
    /// Histories of a resource on a node, by names; usually one.
    fn histories_of(
        &self,
        rsc: RscIdx,
        node: &NodeId,
    ) -> impl Iterator<Item = &'a ResourceHistory> + use<'a> {
        let id = self.rsc(rsc).id.clone();
        let node = node.clone();
        let states = self.cib.node_states.iter().filter(move |state| state.name.as_ref() == Some(&node));
        let histories = states.filter_map(|state| state.history.as_ref()).flatten();
        histories.filter(move |history| history.resource == id)
    }

    fn operations(&self, rsc: RscIdx, node: &NodeId) -> impl Iterator<Item = &'a HistoryEntry> + use<'a> {
        self.histories_of(rsc, node).flat_map(|history| &history.operations)
    }

    /// A start, stop or migration on `node` that is newer than `than`.
    fn has_acted_after(&self, rsc: RscIdx, node: &NodeId, than: &HistoryEntry) -> bool {
        let Some(history) = only(self.histories_of(rsc, node)) else { return false };
        history.operations.iter().any(|entry| {
            !std::ptr::eq(entry, than)
                && matches!(&*entry.op.task, "start" | "stop" | "migrate_to" | "migrate_from")
                && is_newer(entry, than).is_gt()
        })
    }

    /// A monitor on `node`, newer than `than`, that found the resource not running.
    fn was_stopped_after(&self, rsc: RscIdx, node: &NodeId, than: &HistoryEntry) -> bool {
        let monitor = only(self.operations(rsc, node).filter(|entry| &*entry.op.task == "monitor"));
        monitor.is_some_and(|entry| {
            entry.rc == OcfRc::NotRunning && entry.status == OpStatus::Done && is_newer(entry, than).is_gt()
        })
    }

    /// Whether what is known of `node` is newer than the migration.
    fn has_newer_state(
        &self,
        rsc: RscIdx,
        node: &NodeId,
        migrate_to: Option<&HistoryEntry>,
        migrate_from: Option<&HistoryEntry>,
    ) -> bool {
        let Some(mut than) = migrate_from.or(migrate_to) else { return false };
        let source = than.op.migrate_source.as_ref();
        // Numbers of calls on the same node are the more reliable ones to compare.
        if let (Some(migrate_to), true) = (migrate_to, source == Some(node)) {
            than = migrate_to;
        }
        self.has_acted_after(rsc, node, than) || self.was_stopped_after(rsc, node, than)
    }

    /// Whether there is no result at all on `node`: it will be probed.
    fn is_unknown_on(&self, rsc: RscIdx, node: &NodeId) -> bool {
        self.operations(rsc, node).all(|entry| entry.rc == RC_UNKNOWN)
    }

    /// Source and target, if the entry names both and was found where it should be.
    fn ends(&self, entry: &Entry<'a>) -> Option<(&'a NodeId, &'a NodeId)> {
        let raw = entry.raw;
        let (source, target) = (raw.op.migrate_source.as_ref()?, raw.op.migrate_target.as_ref()?);
        let here = if &*raw.op.task == "migrate_to" { source } else { target };
        let is_here = here.as_str().eq_ignore_ascii_case(self.node(entry.node).name.as_str());
        is_here.then_some((source, target))
    }

    fn online_node(&self, name: &NodeId) -> Option<NodeIdx> {
        self.node_named(name.as_str()).filter(|&node| self.node(node).online)
    }

    /// The first half of a migration is done.
    pub(super) fn migrate_to_succeeded(&mut self, entry: &Entry<'a>) {
        let Some((source, target)) = self.ends(entry) else { return };
        let rsc = entry.rsc;
        let source_acted = self.has_acted_after(rsc, source, entry.raw);
        let migrate_from = self.half(rsc, target, "migrate_from", source);
        if migrate_from.is_some() && source_acted {
            return;
        }
        let target_has_newer = self.has_newer_state(rsc, target, Some(entry.raw), migrate_from);
        if source_acted && target_has_newer {
            return;
        }
        let from_status = migrate_from.map_or(OpStatus::Pending, |from| from.status);
        let from_rc = migrate_from.map_or(OcfRc::Ok, |from| from.rc);
        if from_rc == OcfRc::Ok && from_status == OpStatus::Done {
            // Both halves are done, the stop on the source is not.
            self.resources[rsc.i()].role = Role::Stopped;
            self.resources[rsc.i()].dangling_migrations.insert(0, entry.node);
            return;
        }
        self.resources[rsc.i()].role = Role::Started;
        let target_node = self.online_node(target);
        let active_on_target = target_node.filter(|_| !target_has_newer);
        if from_status != OpStatus::Pending {
            match active_on_target {
                Some(node) => self.add_running(rsc, node, true),
                None => self.forbid_migration(rsc),
            }
            return;
        }
        if target_node.is_some() && self.is_unknown_on(rsc, target) {
            return;
        }
        match active_on_target {
            Some(node) => {
                self.add_running(rsc, node, false);
                if let Some(source) = self.online_node(source) {
                    self.resources[rsc.i()].partial_migration = Some((source, node));
                }
            }
            None if !source_acted => self.forbid_migration(rsc),
            None => {}
        }
    }

    fn forbid_migration(&mut self, rsc: RscIdx) {
        self.mark_failed(rsc);
        self.resources[rsc.i()].migratable = false;
    }

    /// The first half failed: it may be active on both ends.
    pub(super) fn migrate_to_failed(&mut self, entry: &Entry<'a>) {
        let Some((source, target)) = self.ends(entry) else { return };
        let rsc = entry.rsc;
        self.resources[rsc.i()].role = Role::Started;
        let migrate_from = self.half(rsc, target, "migrate_from", source).filter(|half| half.has_succeeded());
        let target_is_known = !self.is_unknown_on(rsc, target);
        if target_is_known && !self.has_newer_state(rsc, target, Some(entry.raw), migrate_from) {
            if let Some(node) = self.online_node(target) {
                self.add_running(rsc, node, false);
            }
        } else if !self.has_acted_after(rsc, source, entry.raw) {
            self.resources[rsc.i()].dangling_migrations.insert(0, entry.node);
        }
    }

    /// The second half failed: it may be active on both ends.
    pub(super) fn migrate_from_failed(&mut self, entry: &Entry<'a>) {
        let Some((source, target)) = self.ends(entry) else { return };
        let rsc = entry.rsc;
        self.resources[rsc.i()].role = Role::Started;
        let migrate_to = self.half(rsc, source, "migrate_to", target).filter(|half| half.has_succeeded());
        let source_is_known = !self.is_unknown_on(rsc, source);
        if source_is_known
            && !self.has_newer_state(rsc, source, migrate_to, Some(entry.raw))
            && let Some(node) = self.online_node(source)
        {
            self.add_running(rsc, node, true);
        }
    }

    /// The half of a migration that was run on `node` and whose other end is `other`.
    fn half(&self, rsc: RscIdx, node: &NodeId, task: &str, other: &NodeId) -> Option<&'a HistoryEntry> {
        only(self.operations(rsc, node).filter(|entry| {
            let end = if task == "migrate_to" { &entry.op.migrate_target } else { &entry.op.migrate_source };
            &*entry.op.task == task && end.as_ref() == Some(other)
        }))
    }
}

/// The one element there is: of several, nobody could say which one is meant, and none counts (as in Pacemaker).
fn only<T>(mut elements: impl Iterator<Item = T>) -> Option<T> {
    elements.next().filter(|_| elements.next().is_none())
}
