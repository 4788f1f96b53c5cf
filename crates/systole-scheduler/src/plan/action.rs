//! Actions of a plan in the making, and what is known of them so far.

use super::task::{Key, Moment, Task};
use crate::{NodeIdx, RscIdx, status::Requires};
use std::{ops::Deref, sync::Arc};

/// An action's position in [`Draft::actions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ActIdx(pub u32);

impl ActIdx {
    /// For vectors that run beside the actions.
    pub const fn i(self) -> usize {
        self.0 as usize
    }
}

/// What is known of an action so far. A set of bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Flags(pub u16);

impl Flags {
    /// Only orders others.
    pub const PSEUDO: Self = Self(1);
    /// Can be done.
    pub const RUNNABLE: Self = Self(1 << 1);
    /// Need not be done.
    pub const OPTIONAL: Self = Self(1 << 2);
    /// Is in the graph even if it need not be done.
    pub const ALWAYS_SHOWN: Self = Self(1 << 3);
    /// Belongs to a live migration, or may be replaced by one.
    pub const MIGRATABLE: Self = Self(1 << 4);
    /// Cleans up after an interrupted migration.
    pub const MIGRATION_ABORT: Self = Self(1 << 5);
    /// A recurring operation that has to be set up anew.
    pub const RESCHEDULE: Self = Self(1 << 6);
    /// Done by the DC itself, wherever its node is.
    pub const ON_DC: Self = Self(1 << 7);
    /// For walks over links: seen.
    pub const VISITED: Self = Self(1 << 8);
    /// Is in the graph.
    pub const IN_GRAPH: Self = Self(1 << 10);

    /// Whether all of `other` are set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is set.
    pub const fn has_any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Without `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// Why an action is what it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Reason {
    /// As told.
    Text(Arc<str>),
    /// Another action cannot be done, has to be done, or cannot migrate.
    Action(&'static str, ActIdx),
    /// Placed together with this resource.
    ColocatedWith(RscIdx),
}

/// Something that may have to be done.
#[derive(Clone, Debug)]
pub struct Action {
    /// For which resource; `None`: for a node, or for nothing but order.
    pub rsc: Option<RscIdx>,
    /// Tells it apart from others of the resource.
    pub key: Key,
    /// What is done; differs from the key's for `cancel`.
    pub task: Task,
    /// The operation whose configured properties it has: what was to be done when it was made.
    pub made_as: Task,
    /// Its name where there is no resource: `stonith-node1-reboot`.
    pub name: Option<Arc<str>>,
    /// Where.
    pub node: Option<NodeIdx>,
    /// State so far.
    pub flags: Flags,
    /// What has to be before it is done.
    pub needs: Requires,
    /// Synapse priority, if higher than the resource's.
    pub priority: i32,
    /// Why.
    pub reason: Option<Reason>,
    /// How many of its `ENOUGH_OF_FIRST` inputs have to be possible.
    pub enough: u32,
    /// The result that counts as success, where that is not 0.
    pub expected_rc: Option<u8>,
    /// `CRM_meta_...` attributes beyond those of the operation's definition.
    pub meta: Vec<(&'static str, Arc<str>)>,
    /// What a notification, or a pseudo-action around notifications, is about.
    pub notice: Option<Arc<Notice>>,
    /// What notifications say, as further such attributes. Of several that have a name the last one counts.
    pub told: Vec<Arc<Environment>>,
    /// Links to what comes first; positions in `Draft::links`.
    pub before: LinkList,
    /// Links to what comes after.
    pub after: LinkList,
}

/// Attributes that notifications have in common, by their names without `CRM_meta_`.
pub type Environment = Vec<(&'static str, Arc<str>)>;

/// What a notification is about.
#[derive(Clone, Debug)]
pub struct Notice {
    /// When it is sent.
    pub moment: Moment,
    /// The pseudo-action it is sent before or after: `running` for what is told once all have been started.
    pub occasion: Task,
    /// What is done to instances: `start`.
    pub task: Task,
    /// The instances whose stops are implied by fencing and notified about: what is configured for their notifications goes
    /// for those of others, as far as nothing is for these.
    pub stopped: Vec<RscIdx>,
}

impl Notice {
    /// `pre` or `post`.
    pub const fn kind(&self) -> &'static str {
        match self.moment {
            Moment::Pre | Moment::PreDone => "pre",
            Moment::Post | Moment::PostDone => "post",
        }
    }

    /// The attributes that tell of it.
    pub fn attributes(&self) -> [(&'static str, &str); 4] {
        [
            ("notify_key_type", self.moment.as_str()),
            ("notify_key_operation", self.occasion.word()),
            ("notify_type", self.kind()),
            ("notify_operation", self.task.word()),
        ]
    }
}

/// Positions of links. Most actions have few, which take no memory of their own.
#[derive(Clone, Debug)]
pub enum LinkList {
    /// So many of the first.
    Few(u8, [u32; Self::FEW]),
    /// Any number.
    Many(Vec<u32>),
}

impl LinkList {
    const FEW: usize = 7;

    /// Adds one at the end.
    pub fn push(&mut self, link: u32) {
        match self {
            Self::Few(n, few) if usize::from(*n) < Self::FEW => {
                few[usize::from(*n)] = link;
                *n += 1;
            }
            Self::Few(_, few) => {
                let mut many = Vec::with_capacity(4 * Self::FEW);
                many.extend_from_slice(few);
                many.push(link);
                *self = Self::Many(many);
            }
            Self::Many(many) => many.push(link),
        }
    }
}

impl Default for LinkList {
    fn default() -> Self {
        Self::Few(0, [0; Self::FEW])
    }
}

impl Deref for LinkList {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        match self {
            Self::Few(n, few) => &few[..usize::from(*n)],
            Self::Many(many) => many,
        }
    }
}

impl Action {
    /// What a notification is about.
    pub fn notified_task(&self) -> Task {
        self.notice.as_ref().map_or(Task::Notify, |notice| notice.task)
    }

    /// One of which nothing is known but what it is.
    pub fn new(rsc: Option<RscIdx>, key: Key, task: Task, node: Option<NodeIdx>) -> Self {
        Self {
            rsc,
            key,
            made_as: task,
            task,
            name: None,
            node,
            flags: Flags::default(),
            needs: Requires::Nothing,
            priority: 0,
            reason: None,
            enough: 0,
            expected_rc: None,
            meta: Vec::new(),
            notice: None,
            told: Vec::new(),
            before: LinkList::default(),
            after: LinkList::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::LinkList;

    #[test]
    fn links_come_back_in_the_order_they_were_added() {
        let mut list = LinkList::default();
        for n in 0..20 {
            assert_eq!(list.to_vec(), (0..n).collect::<Vec<u32>>());
            list.push(n);
        }
    }
}
