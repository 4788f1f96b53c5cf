//! The scheduler: from a CIB to what the cluster should do next, and why.
//!
//! Pure and deterministic: the same CIB and moment give the same transition, byte for byte, on every node.
//! Three phases, each a function of finished values:
//!
//! 1. [`Status::unpack`]: what is true;
//! 2. [`placement::assign`]: where each instance should run, and in which role;
//! 3. [`plan`]: what has to be done, and what has to wait for what.

#![forbid(unsafe_code)]

pub mod note;
pub mod overview;
pub mod placement;
pub mod plan;
pub mod rules;
pub mod status;

pub use note::Note;
pub use overview::Overview;
pub use status::compare_names;
pub use status::{Node, NodeIdx, Resource, RscIdx, Status};

use systole_cib::model::Cib;
use systole_graph::{Drawing, TransitionGraph};
use systole_types::LocalTime;

/// What the cluster should do next, with everything that led there.
#[derive(Debug)]
pub struct Transition<'a> {
    /// The plan.
    pub graph: TransitionGraph,
    /// What is true.
    pub status: Status<'a>,
    /// Where each instance should run.
    pub placement: placement::Placement,
    /// What happens to each resource and node, for people.
    pub changes: Vec<plan::Change>,
    /// Everything that was considered, if [`placement::Detail::Drawing`] was asked for.
    pub drawing: Option<Drawing>,
    /// Reasons, of all phases.
    pub notes: Vec<Note>,
}

/// Works out what the cluster should do next.
pub fn schedule(cib: &Cib, now: impl Into<LocalTime>) -> Transition<'_> {
    schedule_in_detail(cib, now, placement::Detail::Result, plan::Origin::Cluster)
}

/// As [`schedule`], keeping as much of the reasoning as wanted.
pub fn schedule_in_detail(
    cib: &Cib,
    now: impl Into<LocalTime>,
    detail: placement::Detail,
    origin: plan::Origin,
) -> Transition<'_> {
    let status = Status::unpack(cib, now);
    let placement = placement::assign_in_detail(&status, detail);
    let plan = plan::plan(&status, &placement, origin, detail);
    let notes = status.notes.iter().chain(&placement.notes).chain(&plan.notes).cloned().collect();
    Transition { graph: plan.graph, status, placement, changes: plan.changes, drawing: plan.drawing, notes }
}
