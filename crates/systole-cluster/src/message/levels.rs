//! What members of different versions say to each other (`docs/decisions/levels-of-messages.md`): the level is the lowest minor part of the
//! protocol among them, and what only later ones know is neither said nor written down.

use super::{Message, Standing};
use systole_types::FEATURE_SET;
use systole_wire::exec::{Digests, Operation};

/// Since which level (see [`Message::reduce_to`]) results tell digests of parameters, and the ledger the containers of guests.
pub(crate) const LEVEL_OF_DIGESTS: u16 = 2;

/// Since which level a resource can be taken to have failed.
pub(crate) const LEVEL_OF_MADE_UP_FAILURES: u16 = 4;

/// Since which level members know what to do about what was started behind the cluster's back.
pub(crate) const LEVEL_OF_APPEARANCES: u16 = 5;

/// Since which level a CIB that takes the place of all leaves the status section as it is, and calls mean what they do now
/// (see [`CibCall::has_changed_its_meaning`]).
pub(crate) const LEVEL_OF_MEANINGS: u16 = 6;

/// Since which level everything is refused that is refused now: another root or order of sections, what access control lists deny,
/// and a status section that takes the place of the present one. Below it, the member that is asked refuses it before it says it.
pub(crate) const LEVEL_OF_REFUSALS: u16 = 7;

/// Since which level operations bring along the notifications that follow them.
pub(crate) const LEVEL_OF_NOTICES: u16 = 7;

/// Since which level what waits for an executor that is away is taken back when its plan is out of date.
pub(crate) const LEVEL_OF_WITHDRAWALS: u16 = 8;

/// Since which level it is the members that find what fits a pattern of attributes' names. Below it, the one that is asked does.
pub(crate) const LEVEL_OF_PATTERNS: u16 = 8;

/// Since which level what is known of attributes without a value is forgotten when there are too many.
pub(crate) const LEVEL_OF_FORGETTING: u16 = 8;

/// Since which level a lost node's attributes stay in mind when it is said once more that it is lost.
pub(crate) const LEVEL_OF_KEEPING: u16 = 8;

/// Since which level the CIB shows which members are without executor.
pub(crate) const LEVEL_OF_MARKS: u16 = 8;

/// Since which level it is kept in mind of a member that its executor was there.
pub(crate) const LEVEL_OF_WORK: u16 = 8;

/// Since which level a node that has left in good order while something ran there is planned around.
pub(crate) const LEVEL_OF_DEPARTURES: u16 = 8;

/// Since which level a replica is sent in parts.
pub(crate) const LEVEL_OF_PARTS: u16 = 8;

/// Since which level failures are counted with the change that records them, and not by a request of the DC's.
pub(crate) const LEVEL_OF_COUNTS: u16 = 8;

/// Since which level it is another member that confirms that the DC leaves in good order.
pub(crate) const LEVEL_OF_FAREWELLS: u16 = 9;

/// Since which level a node that has left with what it runs is told apart from a member without executor: its mark says so, and what
/// its history says stays, from when it is told to leave.
pub(crate) const LEVEL_OF_LEFTOVERS: u16 = 9;

/// Since which level histories are of the feature set that is known now.
pub(crate) const LEVEL_OF_FEATURE_SET: u16 = 10;

/// The one that members write down below that level.
const FORMER_FEATURE_SET: &str = "3.20.2";

/// The feature set that histories are of: each member writes it down itself.
pub(crate) fn feature_set(level: u16) -> &'static str {
    if level < LEVEL_OF_FEATURE_SET { FORMER_FEATURE_SET } else { FEATURE_SET }
}

impl Message {
    /// Takes out what members that speak the protocol up to this minor part would pass over while others apply it.
    pub fn reduce_to(&mut self, level: u16) {
        if level < LEVEL_OF_NOTICES
            && let Self::Perform(perform) = self
        {
            perform.then.clear();
        }
        if level < LEVEL_OF_MARKS
            && let Self::Membership(update) = self
        {
            let stranded = update.nodes.iter_mut().filter(|node| node.standing == Standing::Stranded);
            stranded.for_each(|node| node.standing = Standing::Member);
        }
        if level < LEVEL_OF_REFUSALS
            && let Self::Request { asker, .. } = self
        {
            // The sender has asked the access control lists of its own replica.
            *asker = None;
        }
        if level < LEVEL_OF_DIGESTS {
            self.drop_digests();
        }
    }

    fn drop_digests(&mut self) {
        let forget = |operation: &mut Operation| operation.digests = Digests::default();
        match self {
            Self::Record { results, .. } => {
                results.iter_mut().for_each(|result| forget(&mut result.operation));
            }
            Self::Connection { reports } => {
                reports.iter_mut().for_each(|report| forget(&mut report.result.operation));
            }
            Self::Attach(attach) => {
                attach.in_flight.iter_mut().for_each(|perform| forget(&mut perform.operation));
            }
            Self::Perform(perform) => forget(&mut perform.operation),
            // Nothing of these is newer than the first level, but for wishes (see `Wish::level`), and what is not said below its own
            // level. What a copy has, is there already.
            Self::Hello(_)
            | Self::Copy(_)
            | Self::CopyPart { .. }
            | Self::Stored { .. }
            | Self::DiskState { .. }
            | Self::Detach
            | Self::Appeared { .. }
            | Self::Request { .. }
            | Self::Heard { .. }
            | Self::WriteOut { .. }
            | Self::Membership(_)
            | Self::Leave { .. }
            | Self::Farewell { .. }
            | Self::Remotes { .. }
            | Self::Withdraw { .. }
            | Self::Withdrawn { .. }
            | Self::Overdue { .. }
            | Self::Forget { .. }
            | Self::ClearFailure { .. }
            | Self::Idle { .. } => {}
        }
    }
}
