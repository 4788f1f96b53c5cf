//! Words for what is done: tasks, and the keys that tell actions of one resource apart.

use std::{collections::BTreeMap, sync::Arc};

/// What an action does: `operation` in the graph. [`TaskNames`] has its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Task {
    /// `monitor`: a probe without interval, recurring with one.
    Monitor,
    /// `start`.
    Start,
    /// `running`: a collective's start is over.
    Started,
    /// `stop`.
    Stop,
    /// `stopped`: a collective's stop is over.
    Stopped,
    /// `promote`.
    Promote,
    /// `promoted`.
    Promoted,
    /// `demote`.
    Demote,
    /// `demoted`.
    Demoted,
    /// `notify`.
    Notify,
    /// `notified`.
    Notified,
    /// `migrate_to`.
    MigrateTo,
    /// `migrate_from`.
    MigrateFrom,
    /// `reload-agent`.
    Reload,
    /// `cancel` of a recurring operation.
    Cancel,
    /// `delete`: forget an instance on a node.
    Delete,
    /// `lrm_delete`: remove a node's history of a resource from the CIB.
    LrmDelete,
    /// `clear_failcount`.
    ClearFailCount,
    /// `stonith`.
    Fence,
    /// `do_shutdown`.
    Shutdown,
    /// A pseudo-action that belongs to no resource: its own name is all there is to say of it.
    AsNamed,
    /// A recurring operation known by its name only.
    Other(TaskNumber),
}

/// Place of an operation's name in [`TaskNames`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskNumber(u32);

/// Operations that are known by their names only.
#[derive(Clone, Debug, Default)]
pub struct TaskNames {
    names: Vec<Arc<str>>,
    numbers: BTreeMap<Arc<str>, TaskNumber>,
}

impl TaskNames {
    /// The task of that name.
    pub fn task(&mut self, name: &str) -> Task {
        if let Some(known) = Task::well_known(name) {
            return known;
        }
        if let Some(known) = self.numbers.get(name) {
            return Task::Other(*known);
        }
        let name: Arc<str> = name.into();
        let number = TaskNumber(u32::try_from(self.names.len()).expect("fewer than 4 billion operations"));
        self.names.push(name.clone());
        self.numbers.insert(name, number);
        Task::Other(number)
    }

    /// `operation` in the graph; of [`Task::AsNamed`] the action has it.
    pub fn text(&self, task: Task) -> &str {
        match task {
            Task::Other(number) => &self.names[number.0 as usize],
            known => known.word(),
        }
    }
}

impl Task {
    /// The task of that name, unless it is one of an agent's own.
    pub fn well_known(name: &str) -> Option<Self> {
        Some(match name {
            "monitor" => Self::Monitor,
            "start" => Self::Start,
            "running" => Self::Started,
            "stop" => Self::Stop,
            "stopped" => Self::Stopped,
            "promote" => Self::Promote,
            "promoted" => Self::Promoted,
            "demote" => Self::Demote,
            "demoted" => Self::Demoted,
            "notify" => Self::Notify,
            "notified" => Self::Notified,
            "migrate_to" => Self::MigrateTo,
            "migrate_from" => Self::MigrateFrom,
            "reload-agent" => Self::Reload,
            "cancel" => Self::Cancel,
            "delete" => Self::Delete,
            "lrm_delete" => Self::LrmDelete,
            "clear_failcount" => Self::ClearFailCount,
            "stonith" => Self::Fence,
            "do_shutdown" => Self::Shutdown,
            _ => return None,
        })
    }

    /// `operation` in the graph, of a task that needs no other name.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Monitor => "monitor",
            Self::Start => "start",
            Self::Started => "running",
            Self::Stop => "stop",
            Self::Stopped => "stopped",
            Self::Promote => "promote",
            Self::Promoted => "promoted",
            Self::Demote => "demote",
            Self::Demoted => "demoted",
            Self::Notify => "notify",
            Self::Notified => "notified",
            Self::MigrateTo => "migrate_to",
            Self::MigrateFrom => "migrate_from",
            Self::Reload => "reload-agent",
            Self::Cancel => "cancel",
            Self::Delete => "delete",
            Self::LrmDelete => "lrm_delete",
            Self::ClearFailCount => "clear_failcount",
            Self::Fence => "stonith",
            Self::Shutdown => "do_shutdown",
            Self::AsNamed | Self::Other(_) => "",
        }
    }

    const fn number(self) -> u32 {
        match self {
            Self::Monitor => 0,
            Self::Start => 1,
            Self::Started => 2,
            Self::Stop => 3,
            Self::Stopped => 4,
            Self::Promote => 5,
            Self::Promoted => 6,
            Self::Demote => 7,
            Self::Demoted => 8,
            Self::Notify => 9,
            Self::Notified => 10,
            Self::MigrateTo => 11,
            Self::MigrateFrom => 12,
            Self::Reload => 13,
            Self::Cancel => 14,
            Self::Delete => 15,
            Self::LrmDelete => 16,
            Self::ClearFailCount => 17,
            Self::Fence => 18,
            Self::Shutdown => 19,
            Self::AsNamed => 20,
            Self::Other(_) => 21,
        }
    }

    /// For a task of a collective, the one that says it is over; others stay as they are.
    pub const fn completion(self) -> Self {
        match self {
            Self::Start => Self::Started,
            Self::Stop => Self::Stopped,
            Self::Promote => Self::Promoted,
            Self::Demote => Self::Demoted,
            Self::Notify => Self::Notified,
            other => other,
        }
    }

    /// For a task that says a collective's work is over, the work itself; others stay as they are.
    pub const fn work(self) -> Self {
        match self {
            Self::Started => Self::Start,
            Self::Stopped => Self::Stop,
            Self::Promoted => Self::Promote,
            Self::Demoted => Self::Demote,
            other => other,
        }
    }

    /// What undoes it, for symmetrical orders.
    pub const fn inverse(self) -> Self {
        match self {
            Self::Start => Self::Stop,
            Self::Stop => Self::Start,
            Self::Promote => Self::Demote,
            Self::Demote => Self::Promote,
            Self::Started => Self::Stopped,
            Self::Stopped => Self::Started,
            Self::Promoted => Self::Demoted,
            Self::Demoted => Self::Promoted,
            other => other,
        }
    }
}

/// Tasks; those that are known by their names only count as one.
#[derive(Clone, Copy, Debug, Default)]
pub struct TaskSet(u32);

impl TaskSet {
    /// Adds one.
    pub const fn insert(&mut self, task: Task) {
        self.0 |= 1 << task.number();
    }

    /// Whether a task may be among them.
    pub const fn may_have(self, task: Task) -> bool {
        self.0 & (1 << task.number()) != 0
    }
}

/// When a notification is sent, relative to what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Moment {
    /// `pre`.
    Pre,
    /// `confirmed-pre`: all have been told before.
    PreDone,
    /// `post`.
    Post,
    /// `confirmed-post`: all have been told after.
    PostDone,
}

impl Moment {
    /// As in keys and attributes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pre => "pre",
            Self::PreDone => "confirmed-pre",
            Self::Post => "post",
            Self::PostDone => "confirmed-post",
        }
    }
}

/// Tells apart the actions of one resource: its operation key less the resource's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// `start_0`, `monitor_10000` (the interval in milliseconds).
    Op(Task, u32),
    /// `pre_notify_start_0`.
    Notify(Moment, Task),
}

impl Key {
    /// The key of something done once.
    pub const fn once(task: Task) -> Self {
        Self::Op(task, 0)
    }

    /// Its task; of a notification, what that is about.
    pub const fn task(self) -> Task {
        match self {
            Self::Op(task, _) | Self::Notify(_, task) => task,
        }
    }

    /// The interval, in milliseconds.
    pub const fn interval_ms(self) -> u32 {
        match self {
            Self::Op(_, interval) => interval,
            Self::Notify(..) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_and_names_agree() {
        let known = [
            Task::Monitor,
            Task::Start,
            Task::Started,
            Task::Stop,
            Task::Stopped,
            Task::Promote,
            Task::Promoted,
            Task::Demote,
            Task::Demoted,
            Task::Notify,
            Task::Notified,
            Task::MigrateTo,
            Task::MigrateFrom,
            Task::Reload,
            Task::Cancel,
            Task::Delete,
            Task::LrmDelete,
            Task::ClearFailCount,
            Task::Fence,
            Task::Shutdown,
        ];
        let mut names = TaskNames::default();
        for task in known {
            assert_eq!(names.task(names.text(task).to_owned().as_str()), task);
        }
        assert_eq!(names.task("running"), Task::Started);
        let own = ["validate", "check", "validate"].map(|name| names.task(name));
        assert_eq!(own.map(|task| names.text(task)), ["validate", "check", "validate"]);
        assert_eq!(own[0], own[2]);
    }
}
