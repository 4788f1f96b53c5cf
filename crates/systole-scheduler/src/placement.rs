//! Phase 2: where each instance should run, and in which role.

use crate::{NodeIdx, Note, RscIdx, Status};
use systole_types::Role;

/// Where each instance should run. All vectors are indexed by [`RscIdx`].
#[derive(Clone, Debug, Default)]
pub struct Placement {
    /// The node chosen for each primitive; `None`: nowhere.
    pub assigned: Vec<Option<NodeIdx>>,
    /// The role each resource should have after the transition.
    pub next_role: Vec<Role>,
    /// Lines of `crm_simulate --show-scores`, in the order worked out.
    pub scores: Vec<ScoreLine>,
    /// Reasons.
    pub notes: Vec<Note>,
}

/// One line of `crm_simulate --show-scores`.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreLine {
    /// The step that scored: `pcmk__primitive_assign`...
    pub step: &'static str,
    /// Which resource.
    pub resource: RscIdx,
    /// On which node.
    pub node: Option<NodeIdx>,
    /// How much.
    pub score: systole_types::Score,
}

/// Works out where each instance should run.
pub fn assign(status: &Status<'_>) -> Placement {
    let n = status.resources.len();
    Placement { assigned: vec![None; n], next_role: vec![Role::Unknown; n], ..Placement::default() }
}
