//! Words for what is done: tasks, and the keys that tell actions of one resource apart.

use std::{fmt, sync::Arc};

/// What an action does: `operation` in the graph.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
    /// A pseudo-action, or a recurring operation, known by its name only.
    Other(Arc<str>),
}

impl Task {
    /// The task of that name.
    pub fn named(name: &str) -> Self {
        match name {
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
            other => Self::Other(other.into()),
        }
    }

    /// `operation` in the graph.
    pub fn as_str(&self) -> &str {
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
            Self::Other(name) => name,
        }
    }

    /// For a task of a collective, the one that says it is over; others stay as they are.
    pub fn completion(&self) -> Self {
        match self {
            Self::Start => Self::Started,
            Self::Stop => Self::Stopped,
            Self::Promote => Self::Promoted,
            Self::Demote => Self::Demoted,
            Self::Notify => Self::Notified,
            other => other.clone(),
        }
    }

    /// For a task that says a collective's work is over, the work itself; others stay as they are.
    pub fn work(&self) -> Self {
        match self {
            Self::Started => Self::Start,
            Self::Stopped => Self::Stop,
            Self::Promoted => Self::Promote,
            Self::Demoted => Self::Demote,
            other => other.clone(),
        }
    }

    /// What undoes it, for symmetrical orders.
    pub fn inverse(&self) -> Self {
        match self {
            Self::Start => Self::Stop,
            Self::Stop => Self::Start,
            Self::Promote => Self::Demote,
            Self::Demote => Self::Promote,
            Self::Started => Self::Stopped,
            Self::Stopped => Self::Started,
            Self::Promoted => Self::Demoted,
            Self::Demoted => Self::Promoted,
            other => other.clone(),
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

    /// The interval, in milliseconds.
    pub const fn interval_ms(&self) -> u32 {
        match self {
            Self::Op(_, interval) => *interval,
            Self::Notify(..) => 0,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Op(task, interval) => write!(f, "{}_{interval}", task.as_str()),
            Self::Notify(moment, task) => write!(f, "{}_notify_{}_0", moment.as_str(), task.as_str()),
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
        for task in known {
            assert_eq!(Task::named(task.as_str()), task);
        }
        assert_eq!(Task::named("running"), Task::Started);
        assert_eq!(Task::named("validate").as_str(), "validate");
        assert_eq!(Key::Op(Task::Monitor, 10_000).to_string(), "monitor_10000");
        assert_eq!(Key::Notify(Moment::PostDone, Task::Start).to_string(), "confirmed-post_notify_start_0");
    }
}
