//! What happens to resources and nodes, for people: the "Transition Summary".

use super::{
    Change, ChangeKind,
    action::{ActIdx, Flags, Reason},
    draft::Draft,
    task::{Key, Task},
};
use crate::{NodeIdx, RscIdx, status::Kind, status::NodeKind};
use systole_types::Role;

impl Draft<'_, '_> {
    /// What changes, nodes first.
    pub(super) fn changes(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        self.node_changes(&mut changes);
        let n_nodes = changes.len();
        for root in self.roots() {
            self.resource_changes(root, &mut changes);
        }
        self.lay_out(&mut changes[n_nodes..]);
        changes
    }

    fn node_changes(&self, changes: &mut Vec<Change>) {
        for i in (0..self.actions.len()).rev() {
            let idx = ActIdx(u32::try_from(i).expect("an action's index"));
            let action = self.a(idx);
            if action.rsc.is_some() || action.flags.has(Flags::OPTIONAL) {
                continue;
            }
            let Some(node) = action.node else { continue };
            let (kind, how) = match action.task {
                Task::Shutdown => (ChangeKind::Shutdown, String::new()),
                Task::Fence => {
                    let how = self.added_meta(idx, "stonith_action").unwrap_or_default();
                    (ChangeKind::Fence(how.into()), format!(" ({how})"))
                }
                _ => continue,
            };
            let target = self.status.node(node);
            let name = match target.kind {
                NodeKind::Guest { container, .. } => {
                    format!("{} (resource: {})", target.name, self.r(container).id)
                }
                _ => target.name.to_string(),
            };
            // What needs no reason, a node's own wish to leave, is not listed.
            let Some(reason) = self.reason_text(idx) else { continue };
            let text = format!("{}{how} {name} '{reason}'", kind.word());
            changes.push(Change {
                kind,
                resource: None,
                from: Some(node),
                to: None,
                role: Role::Unknown,
                next_role: Role::Unknown,
                reason: Some(reason.into()),
                is_blocked: !self.is(idx, Flags::RUNNABLE),
                text: text.into(),
            });
        }
    }

    fn resource_changes(&mut self, rsc: RscIdx, changes: &mut Vec<Change>) {
        match &self.r(rsc).kind {
            Kind::Bundle(bundle) => {
                for replica in &bundle.replicas {
                    let parts = [replica.ip, Some(replica.container), replica.remote, replica.child];
                    parts.into_iter().flatten().for_each(|part| self.resource_changes(part, changes));
                }
            }
            Kind::Primitive(_) => self.instance_changes(rsc, changes),
            _ => {
                for &child in self.parts(rsc) {
                    self.resource_changes(child, changes);
                }
            }
        }
    }

    fn instance_changes(&mut self, rsc: RscIdx, changes: &mut Vec<Change>) {
        let next = self.assigned[rsc.i()];
        let current = self.current_node(rsc);
        if (current.is_none() && (self.r(rsc).removed.is_some() || next.is_none()))
            || !self.rsc[rsc.i()].managed
        {
            return;
        }
        let mut role = self.role(rsc);
        if current.is_some() && role == Role::Stopped {
            role = Role::Started;
        }
        let mut describe =
            |draft: &Self, what: ChangeKind, from, to, action: Option<ActIdx>, because: Option<ActIdx>| {
                if let Some(action) = action {
                    let actions = (action, because.unwrap_or(action));
                    changes.push(draft.change(what, rsc, (role, from), to, actions));
                }
            };
        let key = |task: Task| Key::once(task);
        let start = self.find(rsc, &key(Task::Start), next);
        let can_start = start.is_some_and(|start| self.is(start, Flags::RUNNABLE));
        let mut stop = self.find(rsc, &key(Task::Stop), current.filter(|_| can_start));
        if stop.is_none() && self.rsc[rsc.i()].stop_unexpected {
            stop = self.find(rsc, &key(Task::Stop), None);
        }
        let promote = self.find(rsc, &key(Task::Promote), next);
        let demote = self.find(rsc, &key(Task::Demote), next);
        let is_moving = current.is_some() && next.is_some() && current != next;
        let state = self.rsc[rsc.i()];
        let next_role = self.next_role[rsc.i()];
        let is_due = |draft: &Self, action: Option<ActIdx>| {
            action.is_some_and(|action| !draft.is(action, Flags::OPTIONAL))
        };
        if role == next_role {
            let migrates = self.find(rsc, &key(Task::MigrateFrom), next);
            let can_migrate = migrates.is_some_and(|from| self.is(from, Flags::RUNNABLE));
            if can_migrate && current.is_some() {
                describe(self, ChangeKind::Migrate, current, next, start, None);
            } else if state.reload {
                describe(self, ChangeKind::Reload, current, next, start, None);
            } else if !is_due(self, start) {
                if is_due(self, demote) && is_due(self, promote) {
                    describe(self, ChangeKind::Repromote, current, next, promote, demote);
                }
            } else if !can_start {
                let because = stop.filter(|&stop| self.a(stop).reason.is_some()).or(start);
                describe(self, ChangeKind::Stop, current, None, stop, because);
            } else if is_moving {
                let what = if state.failed { ChangeKind::Recover } else { ChangeKind::Move };
                describe(self, what, current, next, stop, None);
            } else if state.failed {
                describe(self, ChangeKind::Recover, current, None, stop, None);
            } else {
                describe(self, ChangeKind::Restart, current, next, start, None);
            }
            return;
        }
        if stop.is_some() && (next_role == Role::Stopped || (start.is_some() && !can_start)) {
            for node in self.r(rsc).running_on.clone() {
                let stop = self.find(rsc, &key(Task::Stop), Some(node));
                let because = stop.filter(|&stop| self.a(stop).reason.is_some()).or(start);
                describe(self, ChangeKind::Stop, Some(node), None, stop, because);
            }
        } else if stop.is_some() && state.failed && state.stop_if_failed {
            describe(self, ChangeKind::Recover, current, next, stop, start);
        } else if is_moving {
            describe(self, ChangeKind::Move, current, next, stop, None);
        } else if state.reload {
            describe(self, ChangeKind::Reload, current, next, start, None);
        } else if is_due(self, stop) {
            describe(self, ChangeKind::Restart, current, next, start, None);
        } else if role == Role::Promoted {
            describe(self, ChangeKind::Demote, current, next, demote, None);
        } else if next_role == Role::Promoted {
            describe(self, ChangeKind::Promote, current, next, promote, None);
        } else if role == Role::Stopped && next_role > Role::Stopped {
            describe(self, ChangeKind::Start, current, next, start, None);
        }
    }

    fn change(
        &self,
        kind: ChangeKind,
        rsc: RscIdx,
        (role, from): (Role, Option<NodeIdx>),
        to: Option<NodeIdx>,
        (action, because): (ActIdx, ActIdx),
    ) -> Change {
        Change {
            kind,
            resource: Some(rsc),
            from,
            to,
            role,
            next_role: self.next_role[rsc.i()],
            reason: self.reason_text(because).map(Into::into),
            is_blocked: !self.is(action, Flags::RUNNABLE),
            text: "".into(),
        }
    }

    /// Writes the lines about resources, in columns. A name that is longer than all before it widens its column by two
    /// more, as in the reference release.
    fn lay_out(&self, changes: &mut [Change]) {
        let id = |change: &Change| change.resource.map_or("", |rsc| self.r(rsc).id.as_str());
        let details: Vec<String> = changes
            .iter()
            .map(|change| self.details((change.role, change.next_role), change.from, change.to))
            .collect();
        let details_width = details.iter().map(String::len).fold(5, usize::max);
        let id_width = changes.iter().map(|change| id(change).len());
        let id_width = id_width.fold(5, |width, len| if len > width { len + 2 } else { width });
        for (change, details) in changes.iter_mut().zip(details) {
            let because = match (&change.reason, change.is_blocked) {
                (Some(reason), true) => format!("  due to {reason} (blocked)"),
                (Some(reason), false) => format!("  due to {reason}"),
                (None, true) => "  blocked".to_owned(),
                (None, false) => String::new(),
            };
            let (what, id) = (change.kind.word(), id(change));
            let text = format!("{what:<8}   {id:<id_width$}   ( {details:>details_width$} ){because}");
            change.text = text.into();
        }
    }

    fn details(&self, (role, next): (Role, Role), from: Option<NodeIdx>, to: Option<NodeIdx>) -> String {
        let name = |node: NodeIdx| self.node_name(node);
        let needs_role = role > Role::Started || next > Role::Unpromoted;
        match (from, to) {
            (None, None) => String::new(),
            (None, Some(to)) if needs_role => format!("{role} -> {next} {}", name(to)),
            (None, Some(to)) => name(to),
            (Some(from), None) if needs_role => format!("{role} {}", name(from)),
            (Some(from), None) => name(from),
            (Some(from), Some(to)) => match (role == next, from == to) {
                (true, true) if needs_role => format!("{role} {}", name(from)),
                (true, true) => name(from),
                (true, false) if needs_role => format!("{} -> {} {role}", name(from), name(to)),
                (true, false) => format!("{} -> {}", name(from), name(to)),
                (false, true) => format!("{role} -> {next} {}", name(from)),
                (false, false) => format!("{role} {} -> {next} {}", name(from), name(to)),
            },
        }
    }

    fn node_name(&self, node: NodeIdx) -> String {
        self.status.node(node).name.to_string()
    }

    fn reason_text(&self, action: ActIdx) -> Option<String> {
        Some(match self.a(action).reason.as_ref()? {
            Reason::Text(text) => text.to_string(),
            Reason::ColocatedWith(rsc) => format!("colocation with {}", self.r(*rsc).id),
            Reason::Action(what, because) => {
                let because = self.a(*because);
                match because.rsc {
                    Some(rsc) => format!("{what} {} {}", self.r(rsc).id, because.task),
                    None => format!("{what} {}", because.task),
                }
            }
        })
    }
}
