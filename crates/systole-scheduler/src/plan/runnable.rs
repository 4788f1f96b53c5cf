//! Whether an action can be done: by its node, by quorum, and by whether nodes can be fenced.

use super::{
    action::{ActIdx, Flags, Reason},
    draft::Draft,
    task::Task,
};
use crate::{
    NodeIdx, RscIdx,
    status::{MAX_NESTING, NoQuorum, NodeKind, Requires},
};
use systole_types::Role;

impl Draft<'_, '_> {
    /// Whether an action can be done, by its node and by quorum.
    pub(super) fn judge_runnable(&mut self, action: ActIdx, rsc: RscIdx) {
        let (flags, node, needs) = (self.a(action).flags, self.a(action).node, self.a(action).needs);
        if flags.has(Flags::PSEUDO) {
            return;
        }
        let Some(node) = node else {
            self.unset(action, Flags::RUNNABLE);
            return;
        };
        let (state, is_guest) = (self.node[node.i()], self.status.node(node).is_guest());
        let on_dc = flags.has(Flags::ON_DC);
        if !on_dc && !state.online && (!is_guest || state.reset) {
            self.unset(action, Flags::RUNNABLE);
            if self.rsc[rsc.i()].managed && self.a(action).task == Task::Stop && !state.unclean {
                self.lose_node(node, "stop is unrunnable", false);
            }
        } else if !on_dc && self.status.node(node).pending {
            self.unset(action, Flags::RUNNABLE);
        } else if needs == Requires::Nothing {
            self.a_mut(action).reason = None;
            if is_guest && !self.can_fence(node) {
                self.unset(action, Flags::RUNNABLE);
            } else {
                self.set(action, Flags::RUNNABLE);
            }
        } else {
            self.judge_by_quorum(action, rsc);
        }
    }

    fn judge_by_quorum(&mut self, action: ActIdx, rsc: RscIdx) {
        let (role, next) = (self.role(rsc), self.next_role[rsc.i()]);
        let policy = match self.status.options.no_quorum {
            _ if self.status.has_quorum => NoQuorum::Ignore,
            NoQuorum::Demote if matches!(role, Role::Promoted | Role::Unpromoted) => {
                if next > Role::Unpromoted {
                    self.next_role[rsc.i()] = Role::Unpromoted;
                }
                NoQuorum::Ignore
            }
            NoQuorum::Demote => NoQuorum::Stop,
            other => other,
        };
        match policy {
            NoQuorum::Stop => {
                self.unset(action, Flags::RUNNABLE);
                self.explain(action, Reason::Text("no quorum".into()), true);
            }
            NoQuorum::Freeze => {
                if !self.is_fully_active(rsc) || next > role {
                    self.unset(action, Flags::RUNNABLE);
                    self.explain(action, Reason::Text("quorum freeze".into()), true);
                }
            }
            _ => self.set(action, Flags::RUNNABLE),
        }
    }

    /// Whether a resource runs on a node that is up and clean, or on one that is unclean and cannot be told from it.
    fn is_fully_active(&self, rsc: RscIdx) -> bool {
        self.r(rsc).running_on.iter().any(|&node| {
            let state = self.node[node.i()];
            state.online || state.unclean || !self.rsc[rsc.i()].managed
        })
    }

    /// Whether `node` can be fenced as things stand.
    pub fn can_fence(&self, node: NodeIdx) -> bool {
        self.can_fence_within(node, MAX_NESTING)
    }

    fn can_fence_within(&self, node: NodeIdx, nesting: usize) -> bool {
        if let NodeKind::Guest { container, .. } = self.status.node(node).kind {
            let mut hosts = self.r(container).running_on.iter();
            return nesting > 0
                && hosts.all(|&host| self.node[host.i()].online || self.can_fence_within(host, nesting - 1));
        }
        let options = &self.status.options;
        options.fencing_enabled
            && self.have_fencing
            && (self.status.has_quorum
                || options.no_quorum == NoQuorum::Ignore
                || (self.node[node.i()].online && !self.may_be_elsewhere(node)))
    }

    /// Without quorum, a remote node may have been taken over by another partition if there can be one.
    fn may_be_elsewhere(&self, node: NodeIdx) -> bool {
        if self.status.options.fence_remote_without_quorum {
            return false;
        }
        let NodeKind::Remote { connection: Some(connection) } = self.status.node(node).kind else {
            return false;
        };
        self.placement.allowed[connection.i()].iter().any(|entry| !self.node[entry.node.i()].online)
    }
}
