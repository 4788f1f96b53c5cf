//! Fencing, unfencing and shutdown of nodes. Source: Pacemaker Explained, "Fencing".

use super::{
    action::{ActIdx, Flags, Reason},
    draft::Draft,
    relation::{End, Relation},
    task::{Key, Task},
};
use crate::{
    NodeIdx, Note, RscIdx,
    note::{Level, NoteKind},
    placement::by_priority,
    status::{Device, NodeKind, Requires},
};

impl Draft<'_, '_> {
    /// Takes over what the history says of a node that has to be fenced.
    pub(super) fn take_fencing_request(&mut self, node: NodeIdx) {
        let Some(request) = self.status.fencing.iter().find(|request| request.node == node) else { return };
        if !self.status.node(node).is_guest() {
            self.fence_op(node, None, true, Some(&request.reason), request.priority_delay);
        }
    }

    /// Planning found that a node has to be fenced (for a guest node: its container recovered).
    pub(super) fn lose_node(&mut self, node: NodeIdx, reason: &str, priority_delay: bool) {
        match self.status.node(node).kind {
            NodeKind::Guest { container, .. } => {
                if !self.rsc[container.i()].failed && self.rsc[container.i()].managed {
                    self.node[node.i()].reset = true;
                    self.rsc[container.i()].failed = true;
                    self.rsc[container.i()].stop_if_failed = true;
                }
            }
            NodeKind::Remote { connection } => {
                if connection.is_none_or(|connection| self.rsc[connection.i()].managed) {
                    self.node[node.i()].reset = true;
                }
                self.node[node.i()].unclean = true;
                self.fence_op(node, None, true, Some(reason), false);
            }
            NodeKind::Member | NodeKind::Ping => {
                if !self.node[node.i()].unclean {
                    self.node[node.i()].unclean = true;
                    self.fence_op(node, None, true, Some(reason), priority_delay);
                }
            }
        }
    }

    /// The fencing of a node, with the cluster's usual action unless another is named.
    pub(super) fn fence_op(
        &mut self,
        node: NodeIdx,
        action: Option<&str>,
        mut optional: bool,
        reason: Option<&str>,
        priority_delay: bool,
    ) -> ActIdx {
        let status = self.status;
        // What the history asks for has been told with the state of the node.
        let is_told = action.is_none() && status.fencing.iter().any(|request| request.node == node);
        let action = action.unwrap_or(&status.options.fencing_action);
        let target = status.node(node);
        let key = format!("stonith-{}-{action}", target.name);
        let known = self.find_singleton(&key);
        let op = known.unwrap_or_else(|| {
            let flags = Flags::RUNNABLE.with(Flags::OPTIONAL);
            let op = self.singleton(&key, Task::Fence, Some(node), flags);
            self.add_meta(op, "on_node", target.name.as_str());
            self.add_meta(op, "on_node_uuid", target.uuid.as_str());
            self.add_meta(op, "stonith_action", action);
            op
        });
        if known.is_none() && self.have_unfencing {
            optional &= !self.add_unfencing_digests(op, node, is_told);
        }
        let delay = status.options.priority_fencing_delay;
        if !delay.is_zero() && (priority_delay || self.added_meta(op, "priority-fencing-delay").is_some()) {
            let delay = self.priority_delay(node);
            self.add_meta(op, "priority-fencing-delay", delay.to_string());
        }
        if !optional && self.can_fence(node) {
            self.unset(op, Flags::OPTIONAL);
            if let Some(reason) = reason {
                self.explain(op, Reason::Text(reason.into()), false);
            }
        } else if let Some(reason) = reason {
            self.explain(op, Reason::Text(reason.into()), false);
        }
        op
    }

    /// Digests of the parameters of devices that unfence, for the fencer to compare. Whether any has changed since the node
    /// was unfenced.
    fn add_unfencing_digests(&mut self, op: ActIdx, node: NodeIdx, is_told: bool) -> bool {
        // In the order in which resources are assigned, as far as that is known yet.
        let roots = if self.is_placed { self.placement.order.clone() } else { by_priority(self.status) };
        let devices = self.status.unfencing_devices(node, roots);
        let list = |of: fn(&Device) -> &str| devices.iter().flat_map(|device| [of(device), ","]).collect();
        let (all, open): (String, String) = (list(|device| &device.all), list(|device| &device.open));
        self.add_meta(op, "digests-all", all);
        self.add_meta(op, "digests-secure", open);
        let has_changed = devices.iter().any(|device| device.has_changed);
        for mut note in devices.into_iter().filter(|_| !is_told).filter_map(|device| device.note) {
            if let NoteKind::DeviceChanged { is_late, .. } = &mut note.kind {
                *is_late = self.is_placed;
            }
            self.notes.push(note);
        }
        has_changed
    }

    /// How long fencing of this node waits so that the more important side of a split survives, in seconds.
    fn priority_delay(&self, node: NodeIdx) -> u64 {
        let status = self.status;
        let is_member = |node: &crate::Node<'_>| node.kind == NodeKind::Member;
        if !is_member(status.node(node)) || self.node[node.i()].online {
            return 0;
        }
        let members: Vec<(NodeIdx, i32)> = status
            .iter_nodes()
            .filter(|(_, node)| is_member(node))
            .map(|(idx, _)| (idx, self.status.node(idx).priority))
            .collect();
        let n_online = members.iter().filter(|(idx, _)| self.node[idx.i()].online).count();
        let highest = members.iter().map(|(_, priority)| *priority).max().unwrap_or(0);
        let lowest = members.iter().map(|(_, priority)| *priority).min().unwrap_or(0);
        if n_online > members.len() / 2 || highest == lowest || status.node(node).priority < highest {
            return 0;
        }
        status.options.priority_fencing_delay.as_secs()
    }

    /// Unfences a node (all a device can reach, without one) because something changed.
    pub(super) fn trigger_unfencing(&mut self, rsc: Option<RscIdx>, node: Option<NodeIdx>, reason: &str) {
        let is_device = |rsc: RscIdx| self.r(rsc).primitive().is_some_and(|p| p.is_fence_device);
        if !self.have_unfencing || rsc.is_some_and(|rsc| !is_device(rsc)) {
            return;
        }
        let is_up = |draft: &Self, node: NodeIdx| {
            let state = draft.node[node.i()];
            state.online && !state.unclean && !state.shutdown
        };
        if let Some(node) = node.filter(|&node| is_up(self, node)) {
            self.fence_op(node, Some("on"), false, Some(reason), false);
        } else if let Some(rsc) = rsc {
            for node in self.allowed_nodes(rsc) {
                if is_up(self, node) {
                    self.fence_op(node, Some("on"), false, Some(reason), false);
                }
            }
        }
    }

    /// What needs unfencing waits for it.
    pub(super) fn order_after_unfencing(
        &mut self,
        rsc: RscIdx,
        node: NodeIdx,
        action: ActIdx,
        relation: Relation,
    ) {
        let is_device = self.r(rsc).primitive().is_some_and(|p| p.is_fence_device);
        if !(is_device && self.have_unfencing || self.r(rsc).meta.requires == Requires::Unfencing) {
            return;
        }
        let unfence = self.fence_op(node, Some("on"), true, None, false);
        self.link(unfence, action, relation);
        let unfenced = self.status.node(node).attribute("#node-unfenced");
        if unfenced.is_none_or(|value| value == "0") {
            let reason = format!("required by {} {}", self.r(rsc).id, self.task_text(self.a(action)));
            self.trigger_unfencing(None, Some(node), &reason);
        }
    }

    pub(super) fn order_restart_vs_unfencing(&mut self, rsc: RscIdx, node: NodeIdx) {
        let unfence = self.fence_op(node, Some("on"), true, None, false);
        let ordered = Relation::ORDERED | Relation::IF_SAME_NODE;
        self.order(End::Key(rsc, Key::once(Task::Stop)), End::Action(unfence), ordered);
        let forces = Relation::FIRST_FORCES_THEN_THERE | Relation::IF_SAME_NODE;
        self.order(End::Action(unfence), End::Key(rsc, Key::once(Task::Start)), forces);
    }

    /// Fences what needs it and shuts down what asked for it; the DC comes last.
    pub(super) fn create_fencing_and_shutdowns(&mut self) {
        let any_managed = (0..self.status.roots.len()).any(|i| self.any_managed(self.status.roots[i]));
        let mut dc_down = None;
        let (mut fencings, mut shutdowns) = (Vec::new(), Vec::new());
        for i in 0..self.status.nodes_by_name.len() {
            let node = self.status.nodes_by_name[i];
            let state = self.node[node.i()];
            let target = self.status.node(node);
            let is_dc = self.status.dc == Some(node);
            if target.is_guest() {
                if state.reset && any_managed && self.can_fence(node) {
                    self.fence_guest(node);
                }
            } else if any_managed && state.unclean && self.can_fence(node) {
                let fencing = self.fence_op(node, None, false, Some("node is unclean"), false);
                self.order_around_fencing(fencing, node);
                if is_dc {
                    dc_down = Some(fencing);
                } else {
                    if let Some(&last) = fencings.last()
                        && !self.status.options.concurrent_fencing
                    {
                        self.link(last, fencing, Relation::ORDERED);
                    }
                    fencings.push(fencing);
                }
                continue;
            } else if !target.is_remote_or_guest() && state.online && state.shutdown {
                let shutdown = self.create_shutdown(node);
                if is_dc {
                    dc_down = Some(shutdown);
                } else {
                    shutdowns.push(shutdown);
                }
            }
            if state.unclean && !target.is_guest() {
                self.notes.push(Note::new(Level::Warning, NoteKind::NotFenced).node(&target.name));
            }
        }
        let Some(dc_down) = dc_down else { return };
        if self.a(dc_down).task == Task::Shutdown {
            for shutdown in shutdowns {
                self.link(shutdown, dc_down, Relation::ORDERED);
            }
        }
        let last = fencings.len().saturating_sub(1);
        let before_dc = if self.status.options.concurrent_fencing { 0 } else { last };
        for &fencing in fencings.iter().skip(before_dc) {
            self.link(fencing, dc_down, Relation::ORDERED);
        }
    }

    fn create_shutdown(&mut self, node: NodeIdx) -> ActIdx {
        let name = format!("do_shutdown-{}", self.status.node(node).name);
        let shutdown = self.singleton(&name, Task::Shutdown, Some(node), Flags::RUNNABLE);
        for i in (0..self.actions.len()).rev() {
            let stop = ActIdx(u32::try_from(i).expect("an action's index"));
            let Some(rsc) = self.a(stop).rsc else { continue };
            if self.a(stop).node != Some(node) || self.a(stop).task != Task::Stop {
                continue;
            }
            let (resource, managed) = (self.r(rsc), self.rsc[rsc.i()].managed);
            if resource.maintenance
                || self.status.node(node).maintenance
                || !(managed || self.is_blocked(rsc))
            {
                continue;
            }
            self.unset(stop, Flags::OPTIONAL);
            let relation = Relation::ORDERED | Relation::FIRST_ENABLES_THEN;
            self.order(End::Action(stop), End::Action(shutdown), relation);
        }
        self.add_meta(shutdown, "op_no_wait", "true");
        shutdown
    }

    /// A guest node is fenced by stopping its container.
    fn fence_guest(&mut self, node: NodeIdx) {
        let NodeKind::Guest { container, connection, .. } = self.status.node(node).kind else { return };
        let stop = self.find_task(container, Task::Stop, None);
        let restarts = self.find_task(container, Task::Start, None).is_some();
        let action = if restarts { "reboot" } else { "off" };
        let fencing = self.fence_op(node, Some(action), false, Some("guest is unclean"), false);
        self.set(fencing, Flags::PSEUDO.with(Flags::RUNNABLE));
        let bound = Relation::FIRST_ENABLES_THEN | Relation::FIRST_FORCES_THEN;
        match stop {
            Some(stop) if self.is(stop, Flags::PSEUDO) => {
                if let Some(host) = self.a(stop).node {
                    let parent = self.fence_op(host, None, false, None, false);
                    self.link(parent, fencing, bound);
                }
            }
            Some(stop) => {
                self.link(stop, fencing, bound);
            }
            None => {
                if let Some(stop) = self.find_task(connection, Task::Stop, None) {
                    self.link(stop, fencing, Relation::ORDERED);
                }
            }
        }
        self.order_around_fencing(fencing, node);
    }

    /// What ran on a fenced node is down once it is fenced, and only then comes up elsewhere.
    fn order_around_fencing(&mut self, fencing: ActIdx, target: NodeIdx) {
        for root in self.roots() {
            self.order_resource_around_fencing(root, fencing, target);
        }
    }

    fn order_resource_around_fencing(&mut self, rsc: RscIdx, fencing: ActIdx, target: NodeIdx) {
        let resource = self.r(rsc);
        if !resource.children.is_empty() {
            for &child in &resource.children {
                self.order_resource_around_fencing(child, fencing, target);
            }
        } else if self.rsc[rsc.i()].managed {
            self.order_starts_after_fencing(rsc, fencing, target);
            self.order_stops_after_fencing(rsc, fencing, target);
        }
    }

    fn order_starts_after_fencing(&mut self, rsc: RscIdx, fencing: ActIdx, target: NodeIdx) {
        for action in self.list_actions_of(rsc) {
            match self.a(action).needs {
                Requires::Nothing => {}
                Requires::Quorum => {
                    let is_start = self.a(action).task == Task::Start;
                    if is_start && self.is_allowed(rsc, target) && !self.is_state_known(rsc, target) {
                        self.link(fencing, action, Relation::ORDERED | Relation::FIRST_ENABLES_THEN);
                    }
                }
                Requires::Fencing | Requires::Unfencing => {
                    self.link(fencing, action, Relation::ORDERED);
                }
            }
        }
    }

    fn is_state_known(&self, rsc: RscIdx, node: NodeIdx) -> bool {
        let resource = self.r(rsc);
        resource.known_on.contains(node)
            || resource.parent.is_some_and(|parent| {
                let parent = self.r(parent);
                parent.clone_data().is_some_and(|clone| !clone.unique) && parent.known_on.contains(node)
            })
    }

    fn order_stops_after_fencing(&mut self, rsc: RscIdx, fencing: ActIdx, target: NodeIdx) {
        let is_implied =
            self.r(rsc).meta.requires >= Requires::Fencing || self.status.node(target).is_guest();
        let is_bundled = self.is_bundled(rsc);
        let top_stop = self.find_task(self.top(rsc), Task::Stop, None);
        for stop in self.find_all(rsc, Key::once(Task::Stop), Some(target)) {
            self.set(stop, Flags::PSEUDO.with(Flags::RUNNABLE));
            if is_implied {
                if !is_bundled {
                    self.link(fencing, stop, Relation::EVEN_IN_GUEST);
                }
                if let Some(top_stop) = top_stop {
                    self.link(fencing, top_stop, Relation::EVEN_IN_GUEST);
                }
            }
            if self.notifies(rsc) {
                self.notify_after_fencing(stop, rsc, fencing);
            }
        }
        for demote in self.find_all(rsc, Key::once(Task::Demote), Some(target)) {
            let state = self.node[target.i()];
            if !state.online || state.unclean || self.rsc[rsc.i()].failed {
                self.set(demote, Flags::PSEUDO.with(Flags::RUNNABLE));
                if !is_bundled && is_implied {
                    self.link(fencing, demote, Relation::EVEN_IN_GUEST | Relation::ORDERED);
                }
            }
        }
    }
}
