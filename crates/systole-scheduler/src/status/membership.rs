//! Which nodes are up: `<node_state>`s of cluster nodes, connections of remote and guest nodes.
//!
//! Source: Pacemaker Explained, "Status", "Node State"; "Pacemaker Remote Resources".

use super::{
    NodeIdx, NodeKind,
    nodes::fail_counts,
    text::{is_true, whole_seconds},
    unpack::Unpack,
};
use crate::rules::Merge;
use systole_cib::{model::NodeState, parse_bool};
use systole_types::{Role, Timestamp};

/// Where a node is on its way into the cluster.
struct Membership<'s> {
    /// Since when it is a member of the cluster layer; 0: it is not; `None`: nothing is known.
    member: Option<i64>,
    /// Since when its controller is in the process group; 0: it is not.
    online: i64,
    join: Option<&'s str>,
    expected: Option<&'s str>,
}

impl<'s> Membership<'s> {
    fn of(state: &'s NodeState, now: Timestamp) -> Self {
        let moment = |text: &str| text.trim().parse::<i64>().ok().filter(|&at| at >= 0);
        let member = state.in_ccm.as_deref().and_then(|text| match parse_bool(text) {
            Some(true) => Some(now.0),
            Some(false) => Some(0),
            None => moment(text),
        });
        let online = match state.crmd.as_deref() {
            None => 0,
            Some(text) if text.eq_ignore_ascii_case("offline") => 0,
            Some(text) if text.eq_ignore_ascii_case("online") => 1,
            Some(text) => moment(text).unwrap_or(0),
        };
        Self { member, online, join: state.join.as_deref(), expected: state.expected.as_deref() }
    }

    fn is_member(&self) -> bool {
        self.member.is_some_and(|at| at > 0)
    }
}

impl Unpack<'_> {
    /// First pass over the status section: cluster nodes' attributes and whether they are up.
    pub(super) fn node_states(&mut self) {
        let cib = self.cib;
        for state in &cib.node_states {
            if state.uuid.is_none() {
                continue;
            }
            let Some(node) = self.find_node_any(state.uuid.as_ref(), state.name.as_ref()) else { continue };
            self.nodes[node.i()].state = Some(state);
            if self.node(node).is_remote_or_guest() {
                self.nodes[node.i()].remote_was_fenced = number(state, "node_fenced") != 0;
                continue;
            }
            self.add_attributes(node, &state.attributes, &state.utilization, Merge::Overwrite);
            self.apply_attributes(node);
            self.nodes[node.i()].unclean = false;
            self.nodes[node.i()].unseen = false;
            self.member_online(node, state);
            let without_quorum = !self.has_quorum && self.options.no_quorum == super::NoQuorum::Fence;
            if without_quorum && self.node(node).online {
                self.fence_node(node, "cluster does not have quorum", false);
            }
        }
    }

    /// Attributes that say something about the node itself.
    fn apply_attributes(&mut self, node: NodeIdx) {
        let node = &mut self.nodes[node.i()];
        node.standby |= is_true(node.attribute("standby"));
        node.maintenance |= is_true(node.attribute("maintenance"));
        node.fail_counts = fail_counts(&node.attributes);
    }

    fn member_online(&mut self, node: NodeIdx, state: &NodeState) {
        let membership = Membership::of(state, self.now);
        let shutdown = self.node(node).is_asked_to_leave();
        let there = &mut self.nodes[node.i()];
        there.shutdown = shutdown;
        there.expected_up =
            !shutdown && membership.expected.is_some_and(|word| word.eq_ignore_ascii_case("member"));
        let online = if self.options.fencing_enabled {
            self.online_with_fencing(node, &membership)
        } else {
            self.online_without_fencing(node, &membership)
        };
        self.nodes[node.i()].online = online;
    }

    fn online_without_fencing(&mut self, node: NodeIdx, membership: &Membership<'_>) -> bool {
        if !membership.is_member() {
            return false;
        }
        if membership.online > 0 {
            return membership.join.is_some_and(|join| join.eq_ignore_ascii_case("member"));
        }
        if self.node(node).expected_up {
            self.fence_node(node, "peer is unexpectedly down", false);
        }
        false
    }

    fn online_with_fencing(&mut self, node: NodeIdx, membership: &Membership<'_>) -> bool {
        if self.node(node).shutdown {
            return membership.online > 0;
        }
        let Some(member) = membership.member else {
            self.fence_node(node, "peer has not been seen by the cluster", false);
            return false;
        };
        let is_gone = member <= 0 && membership.online <= 0;
        match (membership.join, membership.expected) {
            (Some("banned"), _) => self.fence_node(node, "peer failed Pacemaker membership criteria", false),
            (join, _) if self.is_termination_requested(node) => {
                if is_gone && join == Some("down") {
                    return false;
                }
                self.fence_node(node, "fencing was requested", false);
            }
            (_, None | Some("down")) if self.is_pending_too_long(membership) => {
                self.fence_node(node, "peer pending timed out on joining the process group", false);
            }
            (_, None | Some("down")) => {
                if !is_gone {
                    self.set_pending(node);
                }
            }
            // Both sides of a partition see the other leave: the delay lets the more important one win.
            _ if member <= 0 => self.fence_node(node, "peer is no longer part of the cluster", true),
            _ if membership.online <= 0 => {
                self.fence_node(node, "peer process is no longer available", false)
            }
            (Some("member"), _) => {}
            (Some("pending" | "down"), _) => self.set_pending(node),
            _ => self.fence_node(node, "peer was in an unknown state", false),
        }
        member > 0
    }

    fn set_pending(&mut self, node: NodeIdx) {
        let node = &mut self.nodes[node.i()];
        node.standby = true;
        node.pending = true;
    }

    fn is_termination_requested(&self, node: NodeIdx) -> bool {
        let Some(value) = self.node(node).attribute("terminate") else { return false };
        parse_bool(value).unwrap_or_else(|| value.trim().parse::<i64>().is_ok_and(|at| at > 0))
    }

    /// Whether the node has been a member for longer than `node-pending-timeout` without getting any further.
    fn is_pending_too_long(&self, membership: &Membership<'_>) -> bool {
        let timeout = self.options.node_pending_timeout;
        let Some(member) = membership.member.filter(|&member| member > 0) else { return false };
        if timeout.is_zero() || membership.online > 0 {
            return false;
        }
        let deadline = Timestamp(member.saturating_add(whole_seconds(timeout)));
        if self.now >= deadline {
            return true;
        }
        self.recheck.by(deadline);
        false
    }

    /// Further passes: histories. Those of remote and guest nodes count once their connections are known to be up, which
    /// other nodes' histories tell.
    pub(super) fn histories(&mut self) {
        while self.history_pass(false) {}
        // Nodes that were not seen: with fencing, what they ran may still run there.
        self.history_pass(self.options.fencing_enabled);
    }

    fn history_pass(&mut self, all: bool) -> bool {
        let cib = self.cib;
        let mut any = false;
        for state in &cib.node_states {
            if state.uuid.is_none() || state.name.is_none() {
                continue;
            }
            let Some(node) = self.find_node_any(state.uuid.as_ref(), state.name.as_ref()) else { continue };
            if self.node(node).is_unpacked || !(all || self.is_history_due(node)) {
                continue;
            }
            if self.node(node).is_remote_or_guest() {
                self.remote_online(node);
                self.remote_attributes(node, state);
            }
            self.nodes[node.i()].is_unpacked = true;
            self.node_history(node, state);
            any = true;
        }
        any
    }

    fn is_history_due(&self, node: NodeIdx) -> bool {
        let is_started = |rsc| self.rsc(rsc).role == Role::Started;
        match self.node(node).kind {
            NodeKind::Guest { connection, container, .. } => is_started(connection) && is_started(container),
            NodeKind::Remote { connection: None } => false,
            NodeKind::Remote { connection: Some(connection) } => {
                self.options.shutdown_lock || is_started(connection)
            }
            NodeKind::Member | NodeKind::Ping => {
                self.options.fencing_enabled || self.options.shutdown_lock || self.node(node).online
            }
        }
    }

    fn remote_attributes(&mut self, node: NodeIdx, state: &NodeState) {
        let there = &mut self.nodes[node.i()];
        there.remote_maintenance = number(state, "node_in_maintenance") != 0;
        if !there.remote_requires_reset {
            there.unclean = false;
            there.unseen = false;
        }
        self.add_attributes(node, &state.attributes, &state.utilization, Merge::Overwrite);
        if self.node(node).is_asked_to_leave() {
            self.nodes[node.i()].shutdown = true;
        }
        self.apply_attributes(node);
        let connection = self.node(node).connection();
        if connection.is_some_and(|connection| !self.rsc(connection).managed) {
            self.nodes[node.i()].maintenance = true;
        }
        let discovery = self.node(node).attribute("resource-discovery-enabled").map(str::to_owned);
        let is_ignored = self.node(node).is_remote() && !self.options.fencing_enabled;
        if discovery.is_some_and(|value| !is_true(Some(&value))) && !is_ignored {
            self.nodes[node.i()].discovery = false;
        }
    }

    /// Whether a remote or guest node is up, by its connection (and what it lives in).
    fn remote_online(&mut self, node: NodeIdx) {
        let Some(connection) = self.node(node).connection() else {
            self.nodes[node.i()].online = false;
            return;
        };
        let connection = self.rsc(connection);
        let container = connection.container.map(|container| self.rsc(container));
        let host_is_lost = match (container, connection.running_on.as_slice()) {
            (Some(_), &[host]) => !self.node(host).online && self.node(host).unclean,
            _ => false,
        };
        let is_started = connection.role == Role::Started;
        let is_stopping = is_started && connection.next_role == Role::Stopped;
        let is_stopped = connection.role == Role::Stopped
            || container.is_some_and(|container| container.role == Role::Stopped);
        let container_failed = container.is_some_and(|container| container.failed);
        let connection_failed = connection.failed;

        let there = &mut self.nodes[node.i()];
        there.online |= is_started;
        there.shutdown |= is_stopping;
        if container_failed {
            there.online = false;
            there.remote_requires_reset = true;
        } else if connection_failed {
            there.online = false;
        } else if is_stopped {
            there.online = false;
            there.remote_requires_reset = false;
        } else if host_is_lost {
            there.online = false;
            there.remote_requires_reset = true;
        }
    }

    /// Connections of nodes that are leaving have to stop; nodes without history get their state now.
    pub(super) fn finish_remote_nodes(&mut self) {
        for node in self.nodes_by_name.clone() {
            if !self.node(node).is_remote_or_guest() {
                continue;
            }
            if let Some(connection) = self.node(node).connection().filter(|_| self.node(node).shutdown) {
                self.set_next_role(connection, Role::Stopped, "remote shutdown");
            }
            if !self.node(node).is_unpacked {
                self.remote_online(node);
            }
        }
    }
}

/// An attribute of a `<node_state>` that is a whole number; 0 where it is not.
fn number(state: &NodeState, name: &str) -> i64 {
    let value = state.other.iter().find(|(key, _)| &**key == name).map(|(_, value)| value);
    value.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}
