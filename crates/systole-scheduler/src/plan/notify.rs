//! Notifications: instances are told before and after their peers start, stop, are promoted or demoted.
//!
//! Source: Pacemaker Administration, "Clone Resource Agent Requirements", "Notifications".

use super::{
    action::{ActIdx, Environment, Flags, Notice},
    draft::Draft,
    relation::Relation,
    task::{Key, Moment, Task},
};
use crate::{NodeIdx, RscIdx, status::NodeKind};
use std::sync::Arc;
use systole_types::Role;

const PRIORITY: i32 = 1_000_000;

/// The pseudo-actions around notifications of one task.
#[derive(Clone, Debug)]
pub struct Notifications {
    task: Task,
    pre: Option<(ActIdx, ActIdx)>,
    post: Option<(ActIdx, ActIdx)>,
}

/// All notifications of a clone.
#[derive(Clone, Debug, Default)]
pub struct CloneNotifications {
    start: Option<Notifications>,
    stop: Option<Notifications>,
    promote: Option<Notifications>,
    demote: Option<Notifications>,
}

/// Who does what where.
#[derive(Default)]
struct Peers {
    start: Vec<(RscIdx, NodeIdx)>,
    stop: Vec<(RscIdx, NodeIdx)>,
    promote: Vec<(RscIdx, NodeIdx)>,
    demote: Vec<(RscIdx, NodeIdx)>,
    active: Vec<(RscIdx, NodeIdx)>,
    promoted: Vec<(RscIdx, NodeIdx)>,
    unpromoted: Vec<(RscIdx, NodeIdx)>,
    inactive: Vec<RscIdx>,
}

/// Names under which agents are told of resources, and of the nodes they are on.
type Names = (&'static str, &'static str);

/// Instances, each with the node it is on.
type Members = Vec<(RscIdx, NodeIdx)>;

impl Draft<'_, '_> {
    pub(super) fn create_clone_notifications(
        &mut self,
        clone: RscIdx,
        start: (ActIdx, ActIdx),
        stop: (ActIdx, ActIdx),
    ) {
        if !self.notifies(clone) || self.notifications.contains_key(&clone) {
            return;
        }
        let start = self.notification_frame(clone, Task::Start, Some(start.0), Some(start.1));
        let stop = self.notification_frame(clone, Task::Stop, Some(stop.0), Some(stop.1));
        self.link_frames(&stop, &start);
        let all = CloneNotifications { start: Some(start), stop: Some(stop), promote: None, demote: None };
        self.notifications.insert(clone, all);
    }

    pub(super) fn create_promote_notifications(&mut self, clone: RscIdx, promote: ActIdx, promoted: ActIdx) {
        if self.notifies(clone) {
            let frame = self.notification_frame(clone, Task::Promote, Some(promote), Some(promoted));
            self.notifications.entry(clone).or_default().promote = Some(frame);
        }
    }

    pub(super) fn create_demote_notifications(&mut self, clone: RscIdx, demote: ActIdx, demoted: ActIdx) {
        if !self.notifies(clone) {
            return;
        }
        let demote = self.notification_frame(clone, Task::Demote, Some(demote), Some(demoted));
        let all = self.notifications.entry(clone).or_default();
        all.demote = Some(demote.clone());
        let CloneNotifications { start: Some(start), stop: Some(stop), promote: Some(promote), .. } =
            all.clone()
        else {
            return;
        };
        self.link_frames(&stop, &promote);
        self.link_frames(&start, &promote);
        self.link_frames(&demote, &promote);
        self.link_frames(&demote, &start);
        self.link_frames(&demote, &stop);
    }

    fn link_frames(&mut self, first: &Notifications, then: &Notifications) {
        if let (Some((_, done)), Some((pre, _))) = (first.post, then.pre) {
            self.link(done, pre, Relation::ORDERED);
        }
    }

    /// The pseudo-actions that notifications about `task` are sent between.
    fn notification_frame(
        &mut self,
        rsc: RscIdx,
        task: Task,
        begin: Option<ActIdx>,
        end: Option<ActIdx>,
    ) -> Notifications {
        let pre = begin.map(|begin| {
            let pre = self.frame_action(rsc, begin, task, Moment::Pre);
            let done = self.frame_action(rsc, begin, task, Moment::PreDone);
            self.set(pre, Flags::RUNNABLE);
            self.set(done, Flags::RUNNABLE);
            self.link(pre, done, Relation::ORDERED);
            self.link(done, begin, Relation::ORDERED);
            (pre, done)
        });
        let post = end.map(|end| {
            let post = self.frame_action(rsc, end, task, Moment::Post);
            let done = self.frame_action(rsc, end, task, Moment::PostDone);
            for action in [post, done] {
                self.a_mut(action).priority = PRIORITY;
                if self.is(end, Flags::RUNNABLE) {
                    self.set(action, Flags::RUNNABLE);
                } else {
                    self.unset(action, Flags::RUNNABLE);
                }
            }
            self.link(end, post, Relation::FIRST_FORCES_THEN);
            self.link(post, done, Relation::FIRST_FORCES_THEN);
            (post, done)
        });
        if let (Some((_, pre_done)), Some((post, _))) = (pre, post) {
            self.link(pre_done, post, Relation::ORDERED);
        }
        Notifications { task, pre, post }
    }

    fn frame_action(&mut self, rsc: RscIdx, about: ActIdx, task: Task, moment: Moment) -> ActIdx {
        let key = Key::Notify(moment, self.a(about).task);
        let is_done = matches!(moment, Moment::PreDone | Moment::PostDone);
        let does = if is_done { Task::Notified } else { Task::Notify };
        let optional = self.is(about, Flags::OPTIONAL);
        let action = self.action_doing(rsc, key, does, None, optional);
        self.set(action, Flags::PSEUDO);
        let occasion = self.a(about).task;
        let stopped = if self.r(rsc).is_primitive() { vec![rsc] } else { Vec::new() };
        self.a_mut(action).notice = Some(Arc::new(Notice { moment, occasion, task, stopped }));
        action
    }

    /// Sends a clone's notifications: done last, when it is known what happens.
    pub(super) fn send_notifications(&mut self, clone: RscIdx) {
        let Some(all) = self.notifications.get(&clone).cloned() else { return };
        for frame in [all.start, all.stop, all.promote, all.demote].into_iter().flatten() {
            let mut peers = Peers::default();
            self.collect_peers(clone, true, &mut peers);
            let environment = self.environment(clone, &frame, &mut peers);
            self.notify_instances(clone, &frame, &peers, &environment);
        }
    }

    /// What is implied by fencing is notified about too.
    pub(super) fn notify_after_fencing(&mut self, stop: ActIdx, rsc: RscIdx, fencing: ActIdx) {
        let frame = self.notification_frame(rsc, Task::Stop, None, Some(fencing));
        let mut peers = Peers::default();
        self.collect_peers(rsc, false, &mut peers);
        let Some(node) = self.a(stop).node else { return };
        let environment = Arc::new(vec![
            ("notify_stop_resource", Arc::from(self.r(rsc).id.as_str())),
            ("notify_stop_uname", Arc::from(self.status.node(node).name.as_str())),
        ]);
        self.notify_instances(self.top(rsc), &frame, &peers, &environment);
    }

    fn collect_peers(&self, rsc: RscIdx, with_actions: bool, peers: &mut Peers) {
        let resource = self.r(rsc);
        if !resource.children.is_empty() {
            self.parts(rsc).iter().for_each(|&child| self.collect_peers(child, with_actions, peers));
            return;
        }
        match (self.role(rsc), resource.running_on.first()) {
            (Role::Started, Some(&node)) => peers.active.push((rsc, node)),
            (Role::Unpromoted, Some(&node)) => {
                peers.unpromoted.push((rsc, node));
                peers.active.push((rsc, node));
            }
            (Role::Promoted, Some(&node)) => {
                peers.promoted.push((rsc, node));
                peers.active.push((rsc, node));
            }
            (Role::Stopped, _) => peers.inactive.push(rsc),
            _ => {}
        }
        if !with_actions {
            return;
        }
        for action in self.actions_of(rsc) {
            let action = self.a(action);
            let Some(node) = action.node.filter(|_| !action.flags.has(Flags::OPTIONAL)) else { continue };
            let is_implied = action.task == Task::Stop && self.node[node.i()].unclean;
            if !is_implied && !action.flags.has(Flags::RUNNABLE) {
                continue;
            }
            match action.task {
                Task::Start => peers.start.push((rsc, node)),
                Task::Stop => peers.stop.push((rsc, node)),
                Task::Promote => peers.promote.push((rsc, node)),
                Task::Demote => peers.demote.push((rsc, node)),
                _ => {}
            }
        }
    }

    /// What agents are told, as `OCF_RESKEY_CRM_meta_notify_...`. Marks the frame as required if there is news.
    fn environment(&mut self, clone: RscIdx, frame: &Notifications, peers: &mut Peers) -> Arc<Environment> {
        let news = match frame.task {
            Task::Start => &peers.start,
            Task::Stop => &peers.stop,
            Task::Promote => &peers.promote,
            _ => &peers.demote,
        };
        if !news.is_empty() {
            for (first, done) in [frame.pre, frame.post].into_iter().flatten() {
                self.unset(first, Flags::OPTIONAL);
                self.unset(done, Flags::OPTIONAL);
            }
        }
        let mut environment = Environment::new();
        let lists: [(&[Names], &mut Members); 7] = [
            (&[("notify_stop_resource", "notify_stop_uname")], &mut peers.stop),
            (&[("notify_start_resource", "notify_start_uname")], &mut peers.start),
            (&[("notify_demote_resource", "notify_demote_uname")], &mut peers.demote),
            (&[("notify_promote_resource", "notify_promote_uname")], &mut peers.promote),
            (&[("notify_active_resource", "notify_active_uname")], &mut peers.active),
            (
                &[
                    ("notify_unpromoted_resource", "notify_unpromoted_uname"),
                    ("notify_slave_resource", "notify_slave_uname"),
                ],
                &mut peers.unpromoted,
            ),
            (
                &[
                    ("notify_promoted_resource", "notify_promoted_uname"),
                    ("notify_master_resource", "notify_master_uname"),
                ],
                &mut peers.promoted,
            ),
        ];
        for (names, list) in lists {
            list.sort_by(|a, b| {
                let key = |entry: &(RscIdx, NodeIdx)| (&self.r(entry.0).id, &self.status.node(entry.1).uuid);
                key(a).cmp(&key(b))
            });
            list.dedup_by_key(|entry| entry.0);
            let resources = words(list.iter().map(|(rsc, _)| self.r(*rsc).id.as_str()));
            let nodes = words(list.iter().map(|(_, node)| self.status.node(*node).name.as_str()));
            for (resource_name, node_name) in names {
                environment.push((resource_name, resources.clone()));
                environment.push((node_name, nodes.clone()));
            }
        }
        peers.inactive.sort_by(|a, b| self.r(*a).id.cmp(&self.r(*b).id));
        let inactive = words(peers.inactive.iter().map(|rsc| self.r(*rsc).id.as_str()));
        environment.push(("notify_inactive_resource", inactive));
        let available = self.allowed_nodes(clone);
        let name = |node: &NodeIdx| self.status.node(*node).name.as_str();
        environment.push(("notify_available_uname", words(available.iter().map(name))));
        let all = &self.status.nodes_by_name;
        environment.push(("notify_all_uname", words(all.iter().map(name))));
        if self.r(clone).meta.attributes_on_host {
            let hosts: Vec<NodeIdx> = all.iter().map(|&node| self.host_of(node)).collect();
            environment.push(("notify_all_hosts", words(hosts.iter().map(name))));
        }
        Arc::new(environment)
    }

    /// The node itself, or the host of a guest node's container.
    fn host_of(&self, node: NodeIdx) -> NodeIdx {
        match self.status.node(node).kind {
            NodeKind::Guest { container, .. } => self.current_node(container).unwrap_or(node),
            _ => node,
        }
    }

    fn notify_instances(
        &mut self,
        rsc: RscIdx,
        frame: &Notifications,
        peers: &Peers,
        environment: &Arc<Environment>,
    ) {
        if !self.r(rsc).children.is_empty() {
            for &child in self.parts(rsc) {
                self.notify_instances(child, frame, peers, environment);
            }
            return;
        }
        for action in self.list_actions_of(rsc) {
            let is_news =
                matches!(self.a(action).task, Task::Start | Task::Stop | Task::Promote | Task::Demote);
            if is_news && !self.is(action, Flags::OPTIONAL) && self.a(action).node.is_some() {
                self.tell(action, environment);
            }
        }
        let nothing_new = match frame.task {
            Task::Start => peers.start.is_empty(),
            Task::Promote => peers.promote.is_empty(),
            Task::Demote => peers.demote.is_empty(),
            _ => false,
        };
        if nothing_new {
            return;
        }
        if self.role(rsc) != Role::Stopped && matches!(frame.task, Task::Stop | Task::Demote) {
            let stop = self.find_task(rsc, Task::Stop, None);
            for node in self.r(rsc).running_on.clone() {
                let state = self.node[node.i()];
                let is_implied = stop.is_some_and(|stop| self.is(stop, Flags::PSEUDO));
                if is_implied && (state.unclean || state.reset) {
                    continue;
                }
                self.notify_before(rsc, node, frame, environment);
                if frame.task == Task::Demote || stop.is_none_or(|stop| self.is(stop, Flags::OPTIONAL)) {
                    self.notify_after(rsc, node, frame, environment);
                }
            }
        }
        if self.next_role[rsc.i()] != Role::Stopped && matches!(frame.task, Task::Start | Task::Promote) {
            let start = self.find_task(rsc, Task::Start, None);
            let connection = start
                .and_then(|start| self.a(start).node)
                .and_then(|node| self.status.node(node).connection())
                .and_then(|connection| self.find_task(connection, Task::Start, None));
            if connection.is_some_and(|start| !self.is(start, Flags::RUNNABLE)) {
                return;
            }
            let Some(node) = self.assigned[rsc.i()] else { return };
            if frame.task != Task::Start || start.is_none_or(|start| self.is(start, Flags::OPTIONAL)) {
                self.notify_before(rsc, node, frame, environment);
            }
            self.notify_after(rsc, node, frame, environment);
        }
    }

    fn tell(&mut self, action: ActIdx, environment: &Arc<Environment>) {
        self.a_mut(action).told.push(environment.clone());
    }

    fn notify_before(
        &mut self,
        rsc: RscIdx,
        node: NodeIdx,
        frame: &Notifications,
        environment: &Arc<Environment>,
    ) {
        if let Some((op, done)) = frame.pre {
            self.notify_one(rsc, node, op, done, environment);
        }
    }

    fn notify_after(
        &mut self,
        rsc: RscIdx,
        node: NodeIdx,
        frame: &Notifications,
        environment: &Arc<Environment>,
    ) {
        let Some((op, done)) = frame.post else { return };
        if let Some(notify) = self.notify_one(rsc, node, op, done, environment) {
            self.a_mut(notify).priority = PRIORITY;
        }
        for action in self.list_actions_of(rsc) {
            if self.a(action).key.interval_ms() > 0 && self.a(action).task != Task::Cancel {
                self.link(done, action, Relation::ORDERED);
            }
        }
    }

    fn notify_one(
        &mut self,
        rsc: RscIdx,
        node: NodeIdx,
        op: ActIdx,
        done: ActIdx,
        environment: &Arc<Environment>,
    ) -> Option<ActIdx> {
        if !self.node[node.i()].online || !self.is(op, Flags::RUNNABLE) {
            return None;
        }
        let notice = self.a(op).notice.clone()?;
        let moment = if notice.kind() == "pre" { Moment::Pre } else { Moment::Post };
        let about = notice.task;
        let (task, optional) = (self.a(op).task, self.is(op, Flags::OPTIONAL));
        let notify = self.action_doing(rsc, Key::Notify(moment, about), task, Some(node), optional);
        match &mut self.a_mut(notify).notice {
            none @ None => *none = Some(notice),
            Some(known) if !notice.stopped.is_empty() => {
                Arc::make_mut(known).stopped.extend(&notice.stopped);
            }
            Some(_) => {}
        }
        self.tell(notify, environment);
        self.link(op, notify, Relation::ORDERED);
        self.link(notify, done, Relation::ORDERED);
        Some(notify)
    }
}

/// Words separated by spaces; one space if there are none.
fn words<'w>(words: impl Iterator<Item = &'w str>) -> Arc<str> {
    let words: Vec<&str> = words.collect();
    if words.is_empty() { " ".into() } else { words.join(" ").into() }
}
