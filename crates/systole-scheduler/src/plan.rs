//! Phase 3: what has to be done, and what has to wait for what.

use crate::{Note, Status, placement::Placement};
use std::sync::Arc;
use systole_graph::TransitionGraph;

/// Everything that has to be done.
#[derive(Clone, Debug, Default)]
pub struct Actions {
    /// Reasons.
    pub notes: Vec<Note>,
}

/// What happens to a resource or a node, for people: a line of the "Transition Summary".
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The line.
    pub text: Arc<str>,
}

/// Works out what has to be done.
pub fn plan(_status: &Status<'_>, _placement: &Placement) -> Actions {
    Actions::default()
}

/// Works out what has to wait for what.
pub fn order(actions: Actions, _status: &Status<'_>, _placement: &Placement) -> Actions {
    actions
}

/// What changes for each resource and node.
pub fn changes(_actions: &Actions, _status: &Status<'_>, _placement: &Placement) -> Vec<Change> {
    Vec::new()
}

/// Writes the plan down as a graph.
pub fn into_graph(_actions: Actions, _status: &Status<'_>, _placement: &Placement) -> TransitionGraph {
    TransitionGraph::default()
}
