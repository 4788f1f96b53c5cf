//! Actions on remote and guest nodes: what they have to do with the node's connection.
//!
//! Source: Pacemaker Remote, "Pacemaker Remote and the Cluster".

use super::{
    action::{ActIdx, Flags},
    draft::Draft,
    relation::{End, Relation},
    task::{Key, Task},
};
use crate::{NodeIdx, RscIdx, status::NodeKind};
use systole_types::Role;

/// What becomes of a remote node's connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Connection {
    /// It was down and will be up; what is on the node is not known yet.
    Unknown,
    /// Up, and stays so.
    Alive,
    /// Its host is lost; the node itself is fine.
    Resting,
    /// Lost; what runs on the node cannot be reached.
    Failed,
    /// Down cleanly, or will be.
    Stopped,
}

impl Draft<'_, '_> {
    fn connection_state(&self, node: NodeIdx, connection: RscIdx) -> Connection {
        let host = self.current_node(connection);
        let host_state = host.map(|host| self.node[host.i()]);
        let resource = self.r(connection);
        if self.next_role[connection.i()] == Role::Stopped || self.assigned[connection.i()].is_none() {
            if host_state.is_some_and(|host| host.unclean) {
                return Connection::Failed;
            }
            if !self.rsc[connection.i()].failed {
                return Connection::Stopped;
            }
            let reconnects = resource.reconnect_interval.is_some();
            let target = self.status.node(node);
            if self.next_role[connection.i()] == Role::Stopped
                && reconnects
                && target.remote_was_fenced
                && !target.is_asked_to_leave()
            {
                return Connection::Unknown;
            }
            return Connection::Failed;
        }
        match host_state {
            None => Connection::Unknown,
            Some(host) if host.unclean || !host.online => Connection::Resting,
            Some(_)
                if resource.running_on.len() > 1 && self.rsc[connection.i()].partial_migration.is_some() =>
            {
                Connection::Resting
            }
            Some(_) => Connection::Alive,
        }
    }

    /// Whether a remote node's connection is lost for good.
    pub(super) fn is_failed_remote(&self, node: NodeIdx) -> bool {
        match self.status.node(node).kind {
            NodeKind::Remote { connection: Some(connection) } => {
                self.connection_state(node, connection) == Connection::Failed
            }
            _ => false,
        }
    }

    /// Orders actions on remote and guest nodes with the connections to them.
    pub(super) fn order_remote_actions(&mut self) {
        for i in (0..self.actions.len()).rev() {
            let action = ActIdx(u32::try_from(i).expect("an action's index"));
            let Some(rsc) = self.a(action).rsc else { continue };
            let is_connection = self.r(rsc).primitive().is_some_and(|p| p.is_remote_connection);
            if is_connection && self.a(action).task == Task::ClearFailCount {
                let start = End::Key(rsc, Key::once(Task::Start));
                self.order(End::Action(action), start, Relation::ORDERED);
                continue;
            }
            let Some(node) = self.a(action).node else { continue };
            let Some(connection) = self.status.node(node).connection() else { continue };
            if self.is(action, Flags::PSEUDO) {
                continue;
            }
            if self.a(action).task == Task::Start {
                for other in self.list_actions_of(rsc) {
                    if self.a(other).node != Some(node) && self.a(other).task == Task::Stop {
                        let start = End::Key(connection, Key::once(Task::Start));
                        self.order(start, End::Action(other), Relation::ORDERED);
                    }
                }
            }
            match self.r(connection).container {
                Some(container) => self.order_with_guest(action, node, connection, container),
                None => self.order_with_connection(action, node, connection),
            }
        }
    }

    fn order_after_start(&mut self, of: RscIdx, action: ActIdx, extra: Relation) {
        let relation = Relation::EVEN_IN_GUEST | Relation::FIRST_ENABLES_THEN | extra;
        self.order(End::Key(of, Key::once(Task::Start)), End::Action(action), relation);
    }

    fn order_before_stop(&mut self, action: ActIdx, of: RscIdx, extra: Relation) {
        let stop = End::Key(of, Key::once(Task::Stop));
        self.order(End::Action(action), stop, Relation::EVEN_IN_GUEST | extra);
    }

    fn order_with_connection(&mut self, action: ActIdx, node: NodeIdx, connection: RscIdx) {
        let state = self.connection_state(node, connection);
        let recurs = self.a(action).key.interval_ms() > 0;
        match self.a(action).task {
            Task::Start | Task::Promote => {
                let extra =
                    if state == Connection::Failed { Relation::FIRST_FORCES_THEN } else { Relation::NONE };
                self.order_after_start(connection, action, extra);
            }
            Task::Stop | Task::MigrateTo | Task::MigrateFrom => match state {
                Connection::Alive => self.order_before_stop(action, connection, Relation::THEN_NEEDS_FIRST),
                Connection::Failed => {
                    let reason = "resources are active but connection is unrecoverable";
                    self.lose_node(node, reason, false);
                }
                _ if self.next_role[connection.i()] == Role::Stopped => {
                    self.order_before_stop(action, connection, Relation::THEN_NEEDS_FIRST);
                }
                _ => self.order_after_start(connection, action, Relation::NONE),
            },
            Task::Demote => {
                if matches!(state, Connection::Resting | Connection::Unknown) {
                    self.order_after_start(connection, action, Relation::NONE);
                }
            }
            _ if recurs => self.order_after_start(connection, action, Relation::FIRST_FORCES_THEN),
            task => {
                if task == Task::Monitor && state == Connection::Failed {
                    let reason = "resources are in unknown state and connection is unrecoverable";
                    self.lose_node(node, reason, false);
                }
                if state == Connection::Stopped && self.current_node(connection).is_some() {
                    self.order_before_stop(action, connection, Relation::FIRST_ENABLES_THEN);
                } else {
                    self.order_after_start(connection, action, Relation::NONE);
                }
            }
        }
    }

    fn order_with_guest(&mut self, action: ActIdx, node: NodeIdx, connection: RscIdx, container: RscIdx) {
        if self.rsc[container.i()].failed {
            self.lose_node(node, "container failed", false);
        }
        let recurs = self.a(action).key.interval_ms() > 0;
        match &self.a(action).task {
            Task::Start | Task::Promote => {
                self.order_after_start(container, action, Relation::FIRST_FORCES_THEN);
                self.order_after_start(connection, action, Relation::NONE);
            }
            Task::Stop | Task::Demote | Task::MigrateTo | Task::MigrateFrom => {
                // With a failed container they are implied by its stop.
                if !self.rsc[container.i()].failed {
                    self.order_before_stop(action, connection, Relation::NONE);
                }
            }
            Task::Cancel | Task::Other(_) if recurs => {}
            _ if recurs => self.order_after_start(connection, action, Relation::FIRST_FORCES_THEN),
            _ => self.order_after_start(connection, action, Relation::NONE),
        }
    }

    /// The cluster node that passes an action on to a remote or guest node.
    pub(super) fn router(&self, action: ActIdx) -> Option<NodeIdx> {
        let connection = self.status.node(self.a(action).node?).connection()?;
        if self.a(action).task == Task::Fence {
            return None;
        }
        let (began, ended) = (self.current_node(connection), self.assigned[connection.i()]);
        let (Some(began), Some(ended)) = (began, ended) else { return began.or(ended) };
        let is_partial =
            self.r(connection).container.is_none() && self.rsc[connection.i()].partial_migration.is_some();
        let task = match &self.a(action).key {
            Key::Notify(..) => self.a(action).notified_task(),
            Key::Op(..) => self.a(action).task,
        };
        let is_before =
            matches!(task, Task::Cancel | Task::Stop | Task::Demote | Task::MigrateFrom | Task::MigrateTo);
        Some(if is_before && !is_partial { began } else { ended })
    }
}
