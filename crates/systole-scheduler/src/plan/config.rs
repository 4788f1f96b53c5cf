//! What follows from changes of the configuration since operations were run.
//!
//! Source: Pacemaker Explained, "Reloading an Agent After a Definition Change".

use super::{
    action::{ActIdx, Flags, Reason},
    draft::Draft,
    relation::{End, Relation},
    task::{Key, Task},
};
use crate::{
    NodeIdx, Note, RscIdx,
    note::{Level, NoteKind},
    status::{DigestChange, EarlyAction, Failures, Resource, in_order, is_enabled},
};
use systole_cib::model::{HistoryEntry, ResourceHistory};
use systole_types::{OcfRc, OpStatus, ResourceId, Score};

/// A history entry that is compared with today's definition only when places are known: the address of a bundle's
/// connection is its container's host.
pub(super) struct PutOff<'s> {
    rsc: RscIdx,
    node: NodeIdx,
    entry: &'s HistoryEntry,
    first: &'s HistoryEntry,
}

impl<'s> Draft<'s, '_> {
    /// What the history calls for, in the order found there.
    pub(super) fn take_early_actions(&mut self) {
        for early in &self.status.early {
            if early.rsc(self.status).is_some_and(|rsc| self.left_out[rsc.i()]) {
                continue;
            }
            match early {
                EarlyAction::Fence(node) => self.take_fencing_request(*node),
                EarlyAction::Stop { rsc, node, is_required } => {
                    let stop = self.action(*rsc, Key::once(Task::Stop), Some(*node), !is_required);
                    if *is_required {
                        self.unset(stop, Flags::OPTIONAL);
                    }
                }
                EarlyAction::Demote { rsc, node } => {
                    self.action(*rsc, Key::once(Task::Demote), Some(*node), false);
                }
                EarlyAction::Recurring { rsc, node, task, interval } => {
                    let interval = u32::try_from(interval.as_millis()).unwrap_or(u32::MAX);
                    let key = Key::Op(self.task_names.task(task), interval);
                    self.action(*rsc, key, Some(*node), true);
                }
                EarlyAction::ClearFailCount(which) => {
                    let clear = &self.status.clear_fail_counts[*which];
                    let state = &mut self.node[clear.node.i()];
                    let is_reset = std::mem::replace(&mut state.reset, clear.node_is_reset);
                    let action = self.clear_fail_count(clear.resource, clear.node);
                    self.node[clear.node.i()].reset = is_reset;
                    self.order_after_remote_fencing(clear.resource, action);
                }
                EarlyAction::ClearHistory { rsc, node } => {
                    self.action(*rsc, Key::once(Task::LrmDelete), Some(*node), false);
                }
            }
        }
        for request in &self.placement.fencing {
            if self.status.node(request.node).is_guest() {
                self.lose_node(request.node, &request.reason, request.priority_delay);
                continue;
            }
            self.node[request.node.i()].unclean = true;
            self.fence_op(request.node, None, true, Some(&request.reason), request.priority_delay);
        }
    }

    /// A connection that is not to come back too soon keeps its failures until its node has been fenced.
    fn order_after_remote_fencing(&mut self, rsc: RscIdx, clear: ActIdx) {
        let resource = self.r(rsc);
        if !self.status.options.fencing_enabled || resource.reconnect_interval.is_none() {
            return;
        }
        if let Some(node) = resource.remote_node {
            let fencing = self.fence_op(node, None, true, None, false);
            self.link(fencing, clear, Relation::THEN_NEEDS_FIRST);
        }
    }

    /// A resource that runs again is no longer locked to the node it was shut down on.
    pub(super) fn clear_outdated_locks(&mut self) {
        for i in 0..self.status.resources.len() {
            let rsc = RscIdx::new(i);
            if let Some((node, _)) = self.r(rsc).shutdown_lock
                && self.shutdown_lock(rsc).is_none()
            {
                self.action(rsc, Key::once(Task::LrmDelete), Some(node), false);
            }
        }
    }

    fn clear_fail_count(&mut self, rsc: RscIdx, node: NodeIdx) -> ActIdx {
        let clear = self.action(rsc, Key::once(Task::ClearFailCount), Some(node), false);
        self.add_meta(clear, "op_no_wait", "true");
        clear
    }

    /// What was to be compared with today's parameters once places are known, the last put off first.
    pub(super) fn compare_put_off(&mut self) {
        for PutOff { rsc, node, entry, first } in std::mem::take(&mut self.put_off).into_iter().rev() {
            self.follow_definition(rsc, node, entry, first);
        }
        for failure in self.status.failures_to_compare.iter().rev() {
            let host = self.container_host(failure.rsc).map(|host| &self.status.node(host).name);
            let change =
                self.status.digest_change(failure.rsc, failure.node, failure.entry, failure.entry, host);
            if matches!(change, DigestChange::Restart | DigestChange::Reload) {
                self.clear_fail_count(failure.rsc, failure.node);
            }
        }
    }

    /// Removed resources leave no fail counts behind.
    pub(super) fn clear_removed_fail_counts(&mut self) {
        if !self.status.options.stop_removed_resources {
            return;
        }
        for root in self.roots() {
            if self.r(root).removed.is_none() {
                continue;
            }
            for i in 0..self.status.nodes_by_name.len() {
                let node = self.status.nodes_by_name[i];
                let has_failed = self.status.fail_count(root, node, Failures::Effective) != Score::ZERO;
                if self.node[node.i()].online && has_failed {
                    let clear = self.clear_fail_count(root, node);
                    let stop = End::Key(root, Key::once(Task::Stop));
                    self.order(End::Action(clear), stop, Relation::ORDERED);
                }
            }
        }
    }

    /// Compares what was run with what the configuration says today.
    pub(super) fn check_histories(&mut self) {
        let mut active = vec![Vec::new(); self.status.nodes.len()];
        for (rsc, resource) in self.status.iter_resources() {
            resource.running_on.iter().for_each(|node| active[node.i()].push(rsc));
        }
        let is_removed = |rsc: RscIdx| self.status.rsc(rsc).removed.is_some();
        let mut matters: Vec<bool> =
            (0..self.status.resources.len()).map(|rsc| is_removed(RscIdx::new(rsc))).collect();
        for i in 0..self.status.nodes_by_name.len() {
            let node = self.status.nodes_by_name[i];
            let target = self.status.node(node);
            // A lost ticket may have had the node fenced meanwhile.
            let state = self.node[node.i()];
            let is_available = state.online && !state.shutdown && !state.unclean && !target.standby;
            if !target.maintenance && !is_available {
                continue;
            }
            active[node.i()].iter().for_each(|rsc| matters[rsc.i()] = true);
            self.check_histories_of(node, &matters);
            active[node.i()].iter().for_each(|rsc| matters[rsc.i()] = self.r(*rsc).removed.is_some());
        }
    }

    /// `matters`: of which resources something may follow, those that are active there or removed. Most histories say no
    /// more than that a resource is not on the node.
    fn check_histories_of(&mut self, node: NodeIdx, matters: &[bool]) {
        for history in &self.status.node(node).histories {
            // Of what is left out, histories and resources go by the same names.
            if self.left_out[history.resource.i()] {
                continue;
            }
            let may_follow = history.is_other_agent || matters[history.resource.i()];
            if history.namesake == Some(history.resource) && !may_follow {
                continue;
            }
            if history.history.operations.is_empty() {
                continue;
            }
            // Of what is no longer run by that agent, all instances known by the name are cleaned up.
            if history.is_other_agent {
                for rsc in self.known_by(&history.history.resource) {
                    self.check_history(rsc, node, history.history);
                }
                continue;
            }
            // A history with an instance number that means nothing (any more) is looked at for the instance of that very
            // name too.
            let name = &history.history.resource;
            let namesake = history.namesake.or_else(|| self.status.find_resource(name.as_str()));
            let is_of_it = namesake.is_none_or(|namesake| namesake == history.resource);
            if is_of_it || self.r(history.resource).known_as() == name {
                self.check_history(history.resource, node, history.history);
            }
            if let Some(namesake) = namesake.filter(|&namesake| namesake != history.resource) {
                self.check_history(namesake, node, history.history);
            }
        }
    }

    /// All resources that a history of that name may be about, the last configured first.
    fn known_by(&self, name: &ResourceId) -> Vec<RscIdx> {
        let known = self.status.iter_resources().filter(|(_, rsc)| rsc.id == *name || rsc.known_as() == name);
        let mut known: Vec<RscIdx> = known.map(|(rsc, _)| rsc).collect();
        known.reverse();
        known
    }

    fn check_history(&mut self, rsc: RscIdx, node: NodeIdx, history: &'s ResourceHistory) {
        let resource = self.r(rsc);
        if !resource.is_primitive() {
            return;
        }
        if resource.removed.is_some() {
            let top = self.r(self.top(rsc));
            if top.clone_data().is_none_or(|clone| clone.unique) {
                self.clean_up(rsc, node, false);
            }
            return;
        }
        let is_active = resource.running_on.contains(&node);
        if self.is_agent_changed(rsc, node, history, is_active) {
            self.clean_up(rsc, node, false);
        }
        if !is_active {
            return;
        }
        let entries = in_order(&history.operations);
        let entries = since_last_start(&entries);
        let needs_host = resource.container.is_some() && self.status.needs_host_name(rsc);
        for entry in entries.iter().copied() {
            if entry.op.interval_ms > 0 && (resource.maintenance || self.status.node(node).maintenance) {
                let key = self.recurring_key(entry);
                self.cancel_known(rsc, key, entry.call_id, node);
            } else if !is_looked_at(entry) {
                continue;
            } else if needs_host {
                // Compared the other way round, and by whichever then is first.
                let is_same = |other: &&HistoryEntry| {
                    other.op.task == entry.op.task && other.op.interval_ms == entry.op.interval_ms
                };
                let first = entries.iter().rev().copied().find(is_same).unwrap_or(entry);
                self.put_off.push(PutOff { rsc, node, entry, first });
            } else {
                let first = self.status.first_compared(rsc, &history.operations, entries, entry);
                self.follow_definition(rsc, node, entry, first);
            }
        }
    }

    /// What follows if the definition of an operation is no longer what it was: failures are forgotten, too.
    fn follow_definition(&mut self, rsc: RscIdx, node: NodeIdx, entry: &HistoryEntry, first: &HistoryEntry) {
        let key = self.recurring_key(entry);
        if self.has_definition_changed(rsc, node, entry, first, key)
            && self.status.fail_count(rsc, node, Failures::Effective) != Score::ZERO
        {
            self.clear_fail_count(rsc, node);
        }
    }

    /// Schedules what follows if an operation's definition is no longer what it was.
    fn has_definition_changed(
        &mut self,
        rsc: RscIdx,
        node: NodeIdx,
        entry: &HistoryEntry,
        first: &HistoryEntry,
        key: Key,
    ) -> bool {
        let is_recurring = entry.op.interval_ms > 0;
        if is_recurring && !is_configured(self.r(rsc), entry) {
            if self.status.options.stop_removed_actions {
                self.cancel_known(rsc, key, entry.call_id, node);
            }
            return true;
        }
        let host = self.container_host(rsc).map(|host| &self.status.node(host).name);
        let change = self.status.digest_change(rsc, node, entry, first, host);
        if self.is_sanitized
            && change != DigestChange::None
            && self.status.is_only_private_change(rsc, node, entry)
        {
            self.note_private_change(rsc, node, entry);
            return false;
        }
        match change {
            DigestChange::None => return false,
            DigestChange::Restart => self.force_restart(rsc, key, node),
            DigestChange::Reload | DigestChange::Unknown if is_recurring => {
                self.trigger_unfencing(Some(rsc), Some(node), "Device parameters changed (reschedule)");
                let operation = self.action(rsc, key, Some(node), true);
                self.set(operation, Flags::RESCHEDULE);
            }
            DigestChange::Reload | DigestChange::Unknown if entry.op.digest_restart.is_some() => {
                self.trigger_unfencing(Some(rsc), Some(node), "Device parameters changed (reload)");
                self.reload(rsc, node);
            }
            DigestChange::Reload | DigestChange::Unknown => self.force_restart(rsc, key, node),
        }
        true
    }

    fn recurring_key(&mut self, entry: &HistoryEntry) -> Key {
        let interval = u32::try_from(entry.op.interval_ms).unwrap_or(u32::MAX);
        Key::Op(self.task_names.task(&entry.op.task), interval)
    }

    fn note_private_change(&mut self, rsc: RscIdx, node: NodeIdx, entry: &HistoryEntry) {
        // Some operations are held against what the resource was started with.
        let is_of_start =
            entry.op.interval_ms == 0 && matches!(&*entry.op.task, "monitor" | "migrate_from" | "promote");
        let operation = if is_of_start { "start".into() } else { entry.op.task.clone() };
        let kind = NoteKind::OnlyPrivateChanged {
            operation,
            interval: std::time::Duration::from_millis(entry.op.interval_ms),
            magic: entry.magic.clone(),
        };
        let note = Note::new(Level::Info, kind);
        self.notes.push(note.resource(&self.r(rsc).id).node(&self.status.node(node).name));
    }

    fn force_restart(&mut self, rsc: RscIdx, key: Key, node: NodeIdx) {
        let key = match key {
            Key::Op(Task::Monitor | Task::Promote | Task::MigrateFrom, 0) => Key::once(Task::Start),
            other => other,
        };
        let required = self.action(rsc, key, None, false);
        self.explain(required, Reason::Text("resource definition change".into()), true);
        self.trigger_unfencing(Some(rsc), Some(node), "Device parameters changed");
    }

    fn reload(&mut self, rsc: RscIdx, node: NodeIdx) {
        let state = self.rsc[rsc.i()];
        if !state.managed || state.failed {
            return;
        }
        if state.start_pending {
            self.action(rsc, Key::once(Task::Stop), Some(node), false);
            return;
        }
        self.rsc[rsc.i()].reload = true;
        let reload = self.action(rsc, Key::once(Task::Reload), Some(node), false);
        self.explain(reload, Reason::Text("resource definition change".into()), false);
        let cancels = Relation::ORDERED | Relation::THEN_CANCELS_FIRST;
        for undo in [Task::Stop, Task::Demote] {
            self.order(End::Action(reload), End::Key(rsc, Key::once(undo)), cancels);
        }
    }

    fn is_agent_changed(
        &mut self,
        rsc: RscIdx,
        node: NodeIdx,
        history: &ResourceHistory,
        is_active: bool,
    ) -> bool {
        let Some(primitive) = self.r(rsc).primitive() else { return false };
        let is_same = history.agent.as_deref() == Some(&primitive.definition.agent);
        if is_same {
            return false;
        }
        self.trigger_unfencing(Some(rsc), Some(node), "Device definition changed");
        if is_active {
            self.action(rsc, Key::once(Task::Stop), Some(node), false);
            self.rsc[rsc.i()].start_pending = true;
        }
        true
    }

    /// Makes a node forget a resource.
    fn clean_up(&mut self, rsc: RscIdx, node: NodeIdx, optional: bool) {
        let state = self.node[node.i()];
        if self.rsc[rsc.i()].failed || state.unclean || !state.online {
            return;
        }
        self.action(rsc, Key::once(Task::Delete), Some(node), optional);
        let relation = if optional { Relation::FIRST_FORCES_THEN } else { Relation::ORDERED };
        self.order_tasks((rsc, Task::Stop), (rsc, Task::Delete), relation);
        self.order_tasks((rsc, Task::Delete), (rsc, Task::Start), relation);
    }

    /// Actions made so far are for resources as they were; those that no node can take are stopped.
    pub(super) fn settle_unassigned(&mut self) {
        for i in 0..self.status.resources.len() {
            if self.placement.given_up[i] {
                self.drop_actions_of_unassigned(RscIdx::new(i));
            }
        }
    }
}

/// Whether there is an `<op>` for a recurring operation that does not say it is disabled.
pub(super) fn is_configured(resource: &Resource<'_>, entry: &HistoryEntry) -> bool {
    let interval = std::time::Duration::from_millis(entry.op.interval_ms);
    let operations = resource.primitive().map_or(&[][..], |primitive| &primitive.definition.operations);
    operations.iter().any(|op| op.name == entry.op.task && op.interval == interval && is_enabled(op))
}

/// Whether something follows if the definition of an operation is not what it was when it was run.
pub(super) fn is_looked_at(entry: &HistoryEntry) -> bool {
    entry.op.interval_ms > 0 || matches!(&*entry.op.task, "monitor" | "start" | "promote" | "migrate_from")
}

/// The operations of the present run of a resource, the one that began it first.
pub(super) fn since_last_start<'e, 'h>(entries: &'e [&'h HistoryEntry]) -> &'e [&'h HistoryEntry] {
    last_start(entries).map_or(&[], |since| &entries[since..])
}

/// Position of the operation with which the present run of the resource began; `None` if it has been stopped since.
fn last_start(entries: &[&HistoryEntry]) -> Option<usize> {
    let (mut start, mut stop, mut role_change, mut monitor) = (None, None, None, None);
    for (i, entry) in entries.iter().enumerate() {
        match &*entry.op.task {
            "stop" if entry.status == OpStatus::Done => stop = Some(i),
            "start" | "migrate_from" => start = Some(i),
            "monitor" if monitor <= stop && matches!(entry.rc, OcfRc::Ok | OcfRc::Promoted) => {
                monitor = Some(i)
            }
            "promote" | "demote" => role_change = Some(i),
            _ => {}
        }
    }
    let start = start.or(role_change).or(monitor);
    if start < stop { None } else { Some(start.unwrap_or(0)) }
}
