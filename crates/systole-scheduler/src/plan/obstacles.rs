//! Why what should be done cannot be: notes for people.

use super::{
    action::{Action, Flags, Reason},
    draft::Draft,
    task::Task,
};
use crate::{
    Note,
    note::{Level, NoteKind, Obstacle},
};

impl Draft<'_, '_> {
    /// A note for each action of an agent that should be done, or would bring a resource where it belongs, and cannot be.
    pub(super) fn obstacles(&self) -> Vec<Note> {
        self.actions.iter().filter_map(|action| self.obstacle(action)).collect()
    }

    fn obstacle(&self, action: &Action) -> Option<Note> {
        let (rsc, node) = (action.rsc?, action.node?);
        let resource = self.r(rsc);
        let brings_home = action.task == Task::Start
            && self.assigned[rsc.i()] == Some(node)
            && !resource.running_on.contains(&node);
        let is_wanted = brings_home || !action.flags.has(Flags::OPTIONAL);
        let is_told = matches!(action.task, Task::Start | Task::Stop | Task::Promote | Task::Demote);
        if !resource.is_primitive() || !is_told || !is_wanted || action.flags.has(Flags::RUNNABLE) {
            return None;
        }
        let kind = NoteKind::Stuck { task: action.task.as_str().into(), obstacle: self.what_stops(action) };
        let name = &self.status.node(node).name;
        Some(Note::new(Level::Info, kind).resource(&resource.id).node(name))
    }

    fn what_stops(&self, action: &Action) -> Obstacle {
        match &action.reason {
            Some(Reason::Action(_, before)) => {
                let before = self.a(*before);
                return match before.rsc {
                    Some(rsc) => Obstacle::Action {
                        resource: Some(self.r(rsc).id.clone()),
                        task: before.task.work().as_str().into(),
                    },
                    // Nothing but order: what it waits for itself.
                    None => self.first_impossible(before),
                };
            }
            Some(Reason::ColocatedWith(rsc)) => return Obstacle::Companion(self.r(*rsc).id.clone()),
            Some(Reason::Text(text)) if text.contains("quorum") => return Obstacle::NoQuorum,
            Some(Reason::Text(_)) | None => {}
        }
        let is_away = action.node.is_some_and(|node| !self.node[node.i()].online);
        let is_pending = action.node.is_some_and(|node| self.status.node(node).pending);
        let is_managed = action.rsc.is_none_or(|rsc| self.rsc[rsc.i()].managed);
        match &action.reason {
            _ if !is_managed => Obstacle::Unmanaged,
            _ if is_away => Obstacle::NodeAway,
            _ if is_pending => Obstacle::NodePending,
            Some(Reason::Text(text)) => Obstacle::Other(text.clone()),
            _ => self.first_impossible(action),
        }
    }

    /// Of what has to come first, something that cannot be done.
    fn first_impossible(&self, action: &Action) -> Obstacle {
        let before = action.before.iter().map(|&link| self.a(self.links[link as usize].first));
        let impossible: Vec<&Action> = before.filter(|first| !first.flags.has(Flags::RUNNABLE)).collect();
        let of_another = |first: &&&Action| first.rsc.is_some_and(|rsc| Some(rsc) != action.rsc);
        let is_probe = |first: &&&Action| first.rsc == action.rsc && first.task == Task::Monitor;
        if let Some(first) = impossible.iter().find(of_another) {
            return Obstacle::Action {
                resource: first.rsc.map(|rsc| self.r(rsc).id.clone()),
                task: first.task.work().as_str().into(),
            };
        }
        match impossible.iter().find(is_probe).and_then(|probe| probe.node) {
            Some(node) => Obstacle::NotProbed(self.status.node(node).name.clone()),
            None => Obstacle::Other("something that has to come first cannot be done".into()),
        }
    }
}
