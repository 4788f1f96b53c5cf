//! What a node's operation history means for the resources in it.
//!
//! Source: Pacemaker Explained, "Status", "Resource History" and "Action History".

mod entry;
mod instance;
mod order;

pub(super) use entry::Entry;
pub(crate) use order::in_order;
pub(super) use order::is_newer;
use order::put_in_order;

use super::{
    Ban, EarlyAction, HistoryRef, NodeIdx, OnFail, Removed, Resource, RscIdx, Status,
    implicit::implicit_primitive, text::whole_seconds, unpack::Unpack,
};

use std::{borrow::Cow, sync::Arc, time::Duration};
use systole_cib::model::{HistoryEntry, NodeState, ResourceHistory};
use systole_types::{OcfRc, OpStatus, ResourceId, Role, Score, Timestamp};

impl<'a> Unpack<'a> {
    /// Unpacks the history of one node.
    pub(super) fn node_history(&mut self, node: NodeIdx, state: &'a NodeState) {
        let histories = state.history.as_deref().unwrap_or_default();
        self.nodes[node.i()].histories.reserve(histories.len());
        let mut has_removed_filler = false;
        for (n, history) in histories.iter().enumerate() {
            let namesake = self.namesake(n, &history.resource);
            if let Some(rsc) = self.resource_history(node, history, namesake) {
                has_removed_filler |= self.rsc(rsc).removed == Some(Removed::ContainerFiller);
            }
        }
        if has_removed_filler {
            self.link_removed_fillers(histories);
        }
    }

    /// The resource with this very name. Histories of most nodes name the same resources in the same sequence, so that the
    /// `n`th is likely to be the `n`th of the node before.
    fn namesake(&mut self, n: usize, name: &'a ResourceId) -> Option<Namesake<'a>> {
        if let Some(known) = self.namesakes.get(n).filter(|known| known.name == name) {
            return Some(*known);
        }
        let rsc = self.find_resource(name.as_str())?;
        let found = Namesake { name, rsc, is_meant: self.is_no_other_meant(rsc) };
        match self.namesakes.get_mut(n) {
            Some(place) => *place = found,
            None => self.namesakes.push(found),
        }
        Some(found)
    }

    fn resource_history(
        &mut self,
        node: NodeIdx,
        history: &'a ResourceHistory,
        namesake: Option<Namesake<'a>>,
    ) -> Option<RscIdx> {
        if history.operations.is_empty() && !self.options.shutdown_lock {
            return None;
        }
        let known = namesake.filter(|namesake| namesake.is_meant).map(|namesake| namesake.rsc);
        let namesake = namesake.map(|namesake| namesake.rsc);
        let rsc = match known.or_else(|| self.find_instance(node, &history.resource, namesake)) {
            Some(rsc) => rsc,
            None if history.operations.is_empty() => return None,
            None => self.removed_resource(history)?,
        };
        self.enter_history(rsc, node, namesake, history);
        if self.options.shutdown_lock {
            self.shutdown_lock(rsc, node, history);
        }
        if history.is_mere_absence && is_plain(self.rsc(rsc)) {
            self.absent(rsc, node);
            return Some(rsc);
        }
        let saved_role = std::mem::take(&mut self.resources[rsc.i()].role);
        let on_fail = self.entries_of(rsc, node, history);
        self.settle(rsc, node, on_fail);
        self.apply_target_role(rsc);
        let role = &mut self.resources[rsc.i()].role;
        *role = saved_role.max(*role);
        Some(rsc)
    }

    /// Notes whose history it is, with the node and with the resource.
    fn enter_history(
        &mut self,
        rsc: RscIdx,
        node: NodeIdx,
        namesake: Option<RscIdx>,
        history: &'a ResourceHistory,
    ) {
        let status: &mut Status<'a> = self;
        let n_nodes = status.nodes.len();
        let (resource, there) = (&mut status.resources[rsc.i()], &mut status.nodes[node.i()]);
        let agent = resource.primitive().map(|primitive| &primitive.definition.agent);
        let is_other_agent = history.agent.as_deref() != agent;
        if resource.histories.is_empty() {
            // In a small cluster most resources were probed everywhere.
            resource.histories.reserve(n_nodes.min(16));
        }
        let position = u32::try_from(there.histories.len()).unwrap_or(u32::MAX);
        resource.histories.push((node, position));
        there.histories.push(HistoryRef { resource: rsc, namesake, is_other_agent, history });
    }

    /// Takes a history's entries into account, from the oldest to the newest. Returns the failure handling that is left.
    fn entries_of(&mut self, rsc: RscIdx, node: NodeIdx, history: &'a ResourceHistory) -> OnFail {
        if history.is_mere_absence && self.rsc(rsc).meta.failure_timeout.is_none() {
            self.not_running(rsc);
            return OnFail::Ignore;
        }
        let mut entries = std::mem::take(&mut self.entries);
        put_in_order(&history.operations, &mut entries);
        let mut verdict = Verdict { on_fail: OnFail::Ignore, last_failure: None };
        for entry in &entries {
            self.entry(rsc, node, entry, &mut verdict);
        }
        self.active_recurring(rsc, node, &entries);
        self.entries = entries;
        verdict.on_fail
    }

    /// What [`Self::settle`] comes to where nothing but an absence is known: that of nearly all histories.
    fn absent(&mut self, rsc: RscIdx, node: NodeIdx) {
        let role = &mut self.resources[rsc.i()].role;
        *role = Role::Stopped.max(*role);
        self.mark_known(rsc, node);
        self.make_stops_optional(rsc, node);
    }

    /// It is known not to run, whatever was known before.
    fn not_running(&mut self, rsc: RscIdx) {
        self.resources[rsc.i()].role = Role::Stopped;
        self.set_next_role(rsc, Role::Unknown, "not running");
    }

    fn apply_target_role(&mut self, rsc: RscIdx) {
        if let Some(role) = self.target_role(self.rsc(rsc)) {
            let next = self.rsc(rsc).next_role;
            if next == Role::Unknown || role < next {
                self.set_next_role(rsc, role, "target-role");
            }
        }
    }

    /// A resource that is only known from history. It is stopped, unless the options say that it is left alone.
    fn removed_resource(&mut self, history: &'a ResourceHistory) -> Option<RscIdx> {
        let agent = history.agent.as_deref()?.clone();
        let id = history.resource.as_str();
        let mut definition = implicit_primitive(id, ("", ""), Vec::new(), Vec::new(), Vec::new());
        definition.agent = agent;
        let rsc = self.primitive(Arc::new(Cow::Owned(definition)), None, None, Vec::new());
        self.roots.push(rsc);
        let is_filler = history.container.is_some();
        self.resources[rsc.i()].removed =
            Some(if is_filler { Removed::ContainerFiller } else { Removed::Resource });
        if self.rsc(rsc).primitive().is_some_and(|primitive| primitive.is_remote_connection) {
            let node = self.ensure_remote_node(id);
            let is_configured = self.node(node).is_configured;
            self.link_remote_node(rsc);
            self.nodes[node.i()].is_configured = is_configured;
            self.nodes[node.i()].shutdown = true;
        }
        if self.options.stop_removed_resources {
            self.ban(rsc, None, Score::MINUS_INFINITY, "__removed_do_not_run__");
        } else {
            self.resources[rsc.i()].managed = false;
        }
        Some(rsc)
    }

    /// Ties removed connections to guest nodes to what they lived in, if that still exists.
    fn link_removed_fillers(&mut self, histories: &[ResourceHistory]) {
        for history in histories {
            let Some(container) = history.container.as_ref().and_then(|id| self.find_known(id)) else {
                continue;
            };
            let Some(rsc) = self.find_resource(history.resource.as_str()) else { continue };
            if self.rsc(rsc).container.is_some() || self.rsc(rsc).removed != Some(Removed::ContainerFiller) {
                continue;
            }
            self.resources[rsc.i()].container = Some(container);
            self.resources[container.i()].contained.push(rsc);
            if let Some(node) = self.rsc(rsc).remote_node {
                let kind = super::NodeKind::Guest { connection: rsc, container, is_bundle: false };
                self.nodes[node.i()].kind = kind;
            }
        }
    }

    /// The resource of that name, or the first instance that a history knows by it.
    fn find_known(&self, id: &ResourceId) -> Option<RscIdx> {
        let by_history = || self.resources.iter().position(|rsc| rsc.history_id.as_ref() == Some(id));
        self.find_resource(id.as_str()).or_else(|| by_history().map(RscIdx::new))
    }

    /// Remembers that the resource waits for a node that shut down cleanly, unless it has waited long enough.
    fn shutdown_lock(&mut self, rsc: RscIdx, node: NodeIdx, history: &ResourceHistory) {
        let Some(since) = history.shutdown_lock.filter(|at| at.0 != 0) else { return };
        let limit = self.options.shutdown_lock_limit;
        if !limit.is_zero() && self.now > Timestamp(since.0.saturating_add(whole_seconds(limit))) {
            self.early.push(EarlyAction::ClearHistory { rsc, node });
        } else {
            self.resources[rsc.i()].shutdown_lock = Some((node, since));
        }
    }

    /// Recurring operations that are active on an online node.
    fn active_recurring(&mut self, rsc: RscIdx, node: NodeIdx, entries: &[&'a HistoryEntry]) {
        if !self.node(node).online {
            return;
        }
        let (start, stop) = active_span(entries);
        for (i, entry) in entries.iter().enumerate() {
            let i = i as isize;
            let is_over = (start < stop && i <= stop) || i < start;
            if !is_over && entry.op.interval_ms != 0 && entry.status != OpStatus::Pending {
                let interval = Duration::from_millis(entry.op.interval_ms);
                self.early.push(EarlyAction::Recurring { rsc, node, task: entry.op.task.clone(), interval });
            }
        }
    }

    /// What the role and failure handling that came of a history mean for the resource and its node.
    fn settle(&mut self, rsc: RscIdx, node: NodeIdx, on_fail: OnFail) {
        let role = self.rsc(rsc).role;
        let is_active = role > Role::Stopped;
        if role != Role::Unknown {
            self.mark_known(rsc, node);
        }
        let there = self.node(node);
        if is_active && !there.online && !there.maintenance && self.rsc(rsc).managed {
            self.active_on_lost_node(rsc, node);
        }
        // Where the node is fenced anyway, its failures need no handling of their own.
        let effective = if self.node(node).unclean { OnFail::Ignore } else { on_fail };
        self.handle_failure(rsc, node, effective, is_active);
        self.remember_failed_connection(rsc);
        if is_active {
            self.add_running(rsc, node, on_fail != OnFail::Ignore);
            match effective {
                OnFail::Ignore => {}
                OnFail::Demote | OnFail::Block => self.resources[rsc.i()].failed = true,
                _ => self.mark_failed(rsc),
            }
        } else if self.rsc(rsc).history_id.as_ref().is_some_and(|id| id.as_str().contains(':')) {
            // Histories of former days carried instance numbers even where they mean nothing.
            self.resources[rsc.i()].history_id = None;
        } else {
            self.make_stops_optional(rsc, node);
        }
        let rsc = &mut self.resources[rsc.i()];
        let is_source = rsc.partial_migration.is_some_and(|(source, _)| source == node);
        if rsc.role == Role::Stopped && rsc.is_active() && is_source {
            // A stop on the source of an unfinished migration says nothing about the target.
            rsc.role = Role::Started;
        }
    }

    fn mark_known(&mut self, rsc: RscIdx, node: NodeIdx) {
        let mut up = Some(rsc);
        while let Some(rsc) = up {
            let rsc = &mut self.resources[rsc.i()];
            rsc.known_on.insert(node);
            up = rsc.parent.filter(|_| !rsc.is_unique);
        }
    }

    /// A managed resource seems to be active on a node that is away: the node has to be fenced before anything else. A guest
    /// node is recovered even without fencing. A remote node is spared if its connection can be taken up elsewhere.
    fn active_on_lost_node(&mut self, rsc: RscIdx, node: NodeIdx) {
        let id = self.rsc(rsc).id.clone();
        let there = self.node(node);
        if there.is_guest() {
            self.mark_failed(rsc);
            self.fence_node(node, &format!("{id} is thought to be active there"), false);
        } else if self.options.fencing_enabled {
            let connection_is_fine = there.is_remote()
                && there.connection().is_some_and(|connection| !self.rsc(connection).failed);
            let reason = if connection_is_fine {
                self.nodes[node.i()].unseen = true;
                format!(
                    "{id} is active there (fencing will be revoked if remote connection can be re-established elsewhere)"
                )
            } else {
                format!("{id} is thought to be active there")
            };
            self.fence_node(node, &reason, false);
        }
    }

    fn handle_failure(&mut self, rsc: RscIdx, node: NodeIdx, on_fail: OnFail, is_active: bool) {
        match on_fail {
            OnFail::Ignore => {}
            OnFail::Demote => {
                self.resources[rsc.i()].failed = true;
                self.early.push(EarlyAction::Demote { rsc, node });
            }
            OnFail::Fence => {
                let reason = format!("{} failed there", self.rsc(rsc).id);
                self.fence_node(node, &reason, false);
            }
            OnFail::Standby => {
                self.nodes[node.i()].standby = true;
                self.nodes[node.i()].standby_on_fail = true;
            }
            OnFail::Block => {
                self.resources[rsc.i()].managed = false;
                self.resources[rsc.i()].blocked = true;
            }
            OnFail::Ban => self.ban(rsc, Some(node), Score::MINUS_INFINITY, "__action_migration_auto__"),
            OnFail::Stop => self.set_next_role(rsc, Role::Stopped, "on-fail=stop"),
            OnFail::Restart => {
                if is_active {
                    self.mark_failed(rsc);
                    self.require_stop(rsc, node);
                }
            }
            OnFail::RestartContainer => self.restart_container(rsc, node, is_active),
            OnFail::ResetRemote => self.reset_remote(rsc, node, is_active),
        }
    }

    fn restart_container(&mut self, rsc: RscIdx, node: NodeIdx, is_active: bool) {
        self.mark_failed(rsc);
        match self.rsc(rsc).container {
            // A bundle's connection may run elsewhere than its container, whose place is perhaps not known yet.
            Some(container) if self.is_bundled(rsc) => self.containers_to_stop.insert(0, container),
            Some(container) => self.require_stop(container, node),
            None if is_active => self.require_stop(rsc, node),
            None => {}
        }
    }

    fn reset_remote(&mut self, rsc: RscIdx, node: NodeIdx, is_active: bool) {
        self.mark_failed(rsc);
        if self.options.fencing_enabled {
            let remote = self.rsc(rsc).remote_node.filter(|&remote| self.node(remote).is_remote());
            if let Some(remote) = remote.filter(|&remote| !self.node(remote).remote_was_fenced) {
                self.fence_node(remote, "remote connection is unrecoverable", false);
            }
        }
        if is_active {
            self.require_stop(rsc, node);
        }
        if self.rsc(rsc).reconnect_interval.is_some() {
            self.set_next_role(rsc, Role::Stopped, "remote reset");
        }
    }

    /// A failed connection to a node that is unclean: the node will be fenced even if the connection comes up elsewhere.
    fn remember_failed_connection(&mut self, rsc: RscIdx) {
        let rsc = self.rsc(rsc);
        if let Some(remote) = rsc.remote_node.filter(|_| rsc.failed)
            && self.node(remote).unclean
        {
            self.nodes[remote.i()].unseen = false;
        }
    }

    fn make_stops_optional(&mut self, rsc: RscIdx, node: NodeIdx) {
        if let Some(&position) = self.stops.get(&(rsc, node)) {
            self.early[position] = EarlyAction::Stop { rsc, node, is_required: false };
        }
    }

    /// Records that a resource is active on a node, with what follows for its parents and from being active elsewhere too.
    pub(super) fn add_running(&mut self, rsc: RscIdx, node: NodeIdx, failed: bool) {
        if self.rsc(rsc).running_on.contains(&node) {
            return;
        }
        self.resources[rsc.i()].running_on.push(node);
        if self.rsc(rsc).is_primitive() {
            self.nodes[node.i()].running.push(rsc);
            self.add_priority(rsc, node, failed);
            if self.node(node).maintenance {
                self.resources[rsc.i()].managed = false;
                self.resources[rsc.i()].maintenance = true;
            }
            self.note_location(rsc, node);
        }
        let parent = self.rsc(rsc).parent;
        if !self.rsc(rsc).managed {
            self.ban(rsc, Some(node), Score::INFINITY, "not_managed_default");
            let mut up = parent;
            while let Some(parent) = up {
                let parent = &mut self.resources[parent.i()];
                // Once for each unmanaged member: Pacemaker counts the node as often, and takes such an instance for one that
                // is active in several places.
                parent.running_on.push(node);
                up = parent.parent;
            }
            return;
        }
        if self.rsc(rsc).is_primitive() && self.n_active(rsc) > 1 {
            self.multiple_active(rsc);
        }
        if let Some(parent) = parent {
            self.add_running(parent, node, false);
        }
    }

    fn multiple_active(&mut self, rsc: RscIdx) {
        use super::MultipleActive::{Block, StopOnly, StopStart, StopUnexpected};
        let nodes = self.rsc(rsc).running_on.iter().map(|&node| self.node(node).name.clone()).collect();
        self.warn(crate::note::NoteKind::MultipleActive { nodes }, Some(rsc), None);
        match self.rsc(rsc).meta.multiple_active {
            StopOnly => self.ban_everywhere(rsc),
            Block => {
                let mut blocked = vec![rsc];
                if let Some(parent) = self.rsc(rsc).parent.map(|parent| self.rsc(parent)) {
                    let shares_policy = parent.meta.multiple_active == Block;
                    if (parent.is_group() || parent.is_bundle()) && shares_policy {
                        blocked.extend(&parent.children);
                    }
                }
                for rsc in blocked {
                    self.resources[rsc.i()].managed = false;
                    self.resources[rsc.i()].blocked = true;
                }
            }
            StopStart | StopUnexpected => {}
        }
    }

    /// A node is as important as what runs there; what runs on a guest node counts for its host.
    fn add_priority(&mut self, rsc: RscIdx, node: NodeIdx, failed: bool) {
        let rsc = self.rsc(rsc);
        let base = rsc.meta.priority.value();
        if base == 0 || failed {
            return;
        }
        let priority = base + i32::from(rsc.role == Role::Promoted);
        let mut counts_for = vec![node];
        if let super::NodeKind::Guest { container, .. } = self.node(node).kind {
            counts_for.extend(&self.rsc(container).running_on);
        }
        for node in counts_for {
            let sum = &mut self.nodes[node.i()].priority;
            *sum = sum.saturating_add(priority);
        }
    }

    /// Keeps a resource off a node, or (INFINITY) on it.
    pub(super) fn ban(
        &mut self,
        resource: RscIdx,
        node: Option<NodeIdx>,
        score: Score,
        reason: &'static str,
    ) {
        let (n_known, n_nodes) = (self.resources.len(), self.nodes.len());
        self.bans.push(Ban { resource, node, score, with_children: true, n_known, n_nodes, reason });
    }

    /// Keeps a resource, but not what is inside it, off every node.
    pub(super) fn ban_everywhere(&mut self, resource: RscIdx) {
        let (n_known, n_nodes) = (self.resources.len(), self.nodes.len());
        self.bans.push(Ban {
            resource,
            node: None,
            score: Score::MINUS_INFINITY,
            with_children: false,
            n_known,
            n_nodes,
            reason: "not to be started anywhere",
        });
    }

    /// Containers of failed bundle connections are stopped where they turned out to run.
    pub(super) fn stop_containers(&mut self) {
        for container in std::mem::take(&mut self.containers_to_stop) {
            if let Some(node) = self.current_node(container) {
                self.require_stop(container, node);
            }
        }
    }
}

/// Whether there is nothing about a resource that another history without anything but its absence could change.
fn is_plain(rsc: &Resource<'_>) -> bool {
    rsc.next_role == Role::Unknown
        && rsc.meta.target_role.is_none()
        && rsc.meta.failure_timeout.is_none()
        && rsc.partial_migration.is_none()
        && rsc.remote_node.is_none()
        && rsc.history_id.is_none()
}

/// The resource that goes by the name of a history.
#[derive(Clone, Copy)]
pub(super) struct Namesake<'a> {
    name: &'a ResourceId,
    rsc: RscIdx,
    /// On whichever node, a history of that name is of no other.
    is_meant: bool,
}

/// What a history's entries add up to.
pub(super) struct Verdict<'a> {
    /// The gravest failure handling that no later success has made up for.
    pub(super) on_fail: OnFail,
    /// The latest failure.
    pub(super) last_failure: Option<&'a HistoryEntry>,
}

/// Positions of the entries that began and ended the resource's last active time; −1 if there is none.
fn active_span(entries: &[&HistoryEntry]) -> (isize, isize) {
    let (mut start, mut stop) = (-1, -1);
    let (mut implied_by_monitor, mut implied_by_role) = (-1, -1);
    for (i, entry) in entries.iter().enumerate() {
        let i = i as isize;
        match &*entry.op.task {
            "stop" if entry.status == OpStatus::Done => stop = i,
            "start" | "migrate_from" => start = i,
            "monitor" if implied_by_monitor <= stop => {
                if matches!(entry.rc, OcfRc::Ok | OcfRc::Promoted) {
                    implied_by_monitor = i;
                }
            }
            "promote" | "demote" => implied_by_role = i,
            _ => {}
        }
    }
    if start == -1 {
        start = if implied_by_role != -1 { implied_by_role } else { implied_by_monitor };
    }
    (start, stop)
}
