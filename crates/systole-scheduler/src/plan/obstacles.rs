//! Why what should be done cannot be: notes for people.

use super::{
    action::{Action, Flags, Reason},
    draft::Draft,
    task::Task,
};
use crate::{
    Note, RscIdx,
    note::{Level, NoteKind, Obstacle},
};

/// How many steps of a resource itself are gone back to what stops the first of them: stop before demote before start.
const MAX_OWN_STEPS: usize = 3;

impl Draft<'_, '_> {
    /// A note for each action of an agent that should be done, or would bring a resource where it belongs, and cannot be.
    pub(super) fn obstacles(&self) -> Vec<Note> {
        self.actions.iter().flat_map(|action| self.obstacles_of(action)).collect()
    }

    fn obstacles_of(&self, action: &Action) -> Vec<Note> {
        let (Some(rsc), Some(node)) = (action.rsc, action.node) else { return Vec::new() };
        let resource = self.r(rsc);
        let brings_home = action.task == Task::Start
            && self.assigned[rsc.i()] == Some(node)
            && !resource.running_on.contains(&node);
        let is_wanted = brings_home || !action.flags.has(Flags::OPTIONAL);
        let is_told = matches!(action.task, Task::Start | Task::Stop | Task::Promote | Task::Demote);
        if !resource.is_primitive() || !is_told || !is_wanted || action.flags.has(Flags::RUNNABLE) {
            return Vec::new();
        }
        let mut obstacles = vec![self.what_stops(action)];
        // Where it waits for several that cannot be done, each of them has to be dealt with.
        if let Obstacle::Action { .. } = obstacles[0] {
            let others = self.all_impossible(action).into_iter();
            obstacles.extend(others.filter(|other| *other != obstacles[0]).collect::<Vec<_>>());
        }
        let name = &self.status.node(node).name;
        let note = |obstacle| {
            let kind = NoteKind::Stuck { task: self.task_text(action).into(), obstacle };
            Note::new(Level::Info, kind).resource(&resource.id).node(name)
        };
        obstacles.into_iter().map(note).collect()
    }

    /// Actions of other resources that have to come first, and cannot be done.
    fn all_impossible(&self, action: &Action) -> Vec<Obstacle> {
        let mut obstacles = Vec::new();
        for first in self.impossible_before(action) {
            if let Some(rsc) = first.rsc.filter(|rsc| Some(*rsc) != action.rsc) {
                let obstacle = self.obstacle_of(first, rsc);
                if self.r(rsc).is_primitive() && !obstacles.contains(&obstacle) {
                    obstacles.push(obstacle);
                }
            }
        }
        obstacles
    }

    fn obstacle_of(&self, first: &Action, rsc: RscIdx) -> Obstacle {
        Obstacle::Action {
            resource: Some(self.r(rsc).id.clone()),
            task: self.task_names.text(first.task.work()).into(),
        }
    }

    fn impossible_before(&self, action: &Action) -> Vec<&Action> {
        let before = action.before.iter().map(|&link| self.a(self.links[link as usize].first));
        before.filter(|first| !first.flags.has(Flags::RUNNABLE)).collect()
    }

    fn what_stops(&self, action: &Action) -> Obstacle {
        let is_managed = action.rsc.is_none_or(|rsc| self.rsc[rsc.i()].managed);
        match &action.reason {
            _ if !is_managed => return Obstacle::Unmanaged,
            // Other reasons say why it has to be done.
            Some(Reason::Action("unrunnable", before)) => {
                let before = self.a(*before);
                return match before.rsc {
                    Some(rsc) => self.obstacle_of(before, rsc),
                    // Nothing but order: what it waits for itself.
                    None => self.first_impossible(before, MAX_OWN_STEPS),
                };
            }
            Some(Reason::ColocatedWith(rsc)) => return Obstacle::Companion(self.r(*rsc).id.clone()),
            Some(Reason::Text(text)) if text.contains("quorum") => return Obstacle::NoQuorum,
            Some(Reason::Text(_) | Reason::Action(..)) | None => {}
        }
        let is_away = action.node.is_some_and(|node| !self.node[node.i()].online);
        let is_pending = action.node.is_some_and(|node| self.status.node(node).pending);
        match (self.first_impossible(action, MAX_OWN_STEPS), &action.reason) {
            _ if is_away => Obstacle::NodeAway,
            _ if is_pending => Obstacle::NodePending,
            (Obstacle::Other(_), Some(Reason::Text(text))) => Obstacle::Other(text.clone()),
            (first, _) => first,
        }
    }

    /// Of what has to come first, something that cannot be done.
    fn first_impossible(&self, action: &Action, n_steps: usize) -> Obstacle {
        let impossible = self.impossible_before(action);
        let of_another = |first: &&&Action| first.rsc.is_some_and(|rsc| Some(rsc) != action.rsc);
        let own_stop =
            |first: &&&Action| first.rsc == action.rsc && matches!(first.task, Task::Stop | Task::Demote);
        let is_probe = |first: &&&Action| first.rsc == action.rsc && first.task == Task::Monitor;
        if let Some(first) = impossible.iter().find(of_another) {
            let resource = first.rsc.map(|rsc| self.r(rsc).id.clone());
            return Obstacle::Action { resource, task: self.task_names.text(first.task.work()).into() };
        }
        // It has to be stopped first, and that is what cannot be done.
        if let Some(stop) = impossible.iter().find(own_stop).filter(|_| n_steps > 0) {
            return self.first_impossible(stop, n_steps - 1);
        }
        match impossible.iter().find(is_probe).and_then(|probe| probe.node) {
            Some(node) => Obstacle::NotProbed(self.status.node(node).name.clone()),
            None => Obstacle::Other("something that has to come first cannot be done".into()),
        }
    }
}
