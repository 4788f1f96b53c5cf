//! When a node must not be forgotten.
//!
//! With a node goes what is known to run there, and that would be recovered elsewhere. So it takes the same proof: a node that
//! may still touch shared data has to be released first. And it is a change of the configuration, so it takes quorum.

use super::NodeMachine;
use systole_cib::View;
use systole_scheduler::status::Status;
use systole_wire::api::{Refusal, RefusalKind};

/// What an administrator has to do about a node that may still run something.
const CONFIRM: &str = "switch it off and confirm that it is off first (stonith_admin --confirm)";

impl NodeMachine {
    /// Why a node cannot be forgotten now, if so.
    ///
    /// Only the member that is asked looks at that: in the view in which it says the wish, quorum stays what it is, and a node that
    /// is no member does not become a danger again.
    pub(super) fn refuses_to_forget(&self, node: &str) -> Option<Refusal> {
        let of = |kind, message| Some(Refusal { kind, message });
        if let Some(refusal) = self.lacks_quorum_for_changes() {
            return Some(refusal);
        }
        if self.replica.remote_node(node) == Some(true) {
            let message = format!("{node} is connected: stop its connection first");
            return of(RefusalKind::Usage, message);
        }
        let is_member = self.group.members().iter().any(|(_, name)| name == node);
        let state = self.replica.node_state(node).filter(|_| !is_member)?;
        if state.attr("remote_node") != Some("true") && state.attr("in_ccm") != Some("false") {
            let runs_on = self.replica.id_of(node).is_some_and(|id| self.replica.has_left_running(id, node));
            if runs_on {
                let message = format!("{node} has left with what it runs: {CONFIRM}");
                return of(RefusalKind::Usage, message);
            }
            let message = format!("{node} was a member until just now: try again");
            return of(RefusalKind::NotReady, message);
        }
        let mut view = View::default();
        let status = Status::unpack(view.of(self.replica.cib()), self.now.wall);
        let is_unclean = status.find_node(node).is_some_and(|idx| status.node(idx).unclean);
        let message = format!("{node} is lost, and what ran there may still run: {CONFIRM}");
        is_unclean.then_some(Refusal { kind: RefusalKind::Usage, message })
    }

    /// The refusal of a change that takes quorum, where there is none.
    pub(super) fn lacks_quorum_for_changes(&self) -> Option<Refusal> {
        let message = "this partition has no quorum: the change is refused unless it is forced".to_owned();
        (!self.group.has_quorum()).then_some(Refusal { kind: RefusalKind::NoQuorum, message })
    }
}
