//! Phase 3: what has to be done, and what has to wait for what.
//!
//! Actions are made for everything that may have to be done, each optional or not, possible or not. Orders between
//! them come from constraints and from what resources are; they are applied once all actions exist, and then decide
//! further what has to be done and what can be: a fixed point. What is left is written down as a graph.

mod action;
mod bundle;
mod changes;
mod clone;
mod config;
mod consequence;
mod draft;
mod draw;
mod emit;
mod fencing;
mod find;
mod group;
mod instances;
mod migration;
mod notify;
mod obstacles;
mod orders;
mod primitive;
mod probes;
mod propagate;
mod recurring;
mod relation;
mod remote;
mod rest;
mod runnable;
mod summary;
mod task;
mod told;
mod tree;
mod view;

use crate::{
    NodeIdx, Note, RscIdx, Status,
    placement::{Detail, Placement, by_priority},
    status::Kind,
};
use action::ActIdx;
use draft::Draft;
use orders::Constraints;
use std::sync::Arc;
pub use summary::summary_lines;
use systole_graph::{Drawing, TransitionGraph};
use systole_types::Role;

/// What has to be done, and what comes of it.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The graph.
    pub graph: TransitionGraph,
    /// What happens to each resource and node.
    pub changes: Vec<Change>,
    /// Everything that was considered, if [`Detail::Drawing`] was asked for.
    pub drawing: Option<Drawing>,
    /// Reasons.
    pub notes: Vec<Note>,
}

/// Where the CIB comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Origin {
    /// From the cluster itself.
    #[default]
    Cluster,
    /// From somebody who may have taken out parameters that are nobody else's business: their digests then decide alone.
    Shown,
}

/// What happens to a resource or a node.
///
/// Its line in the "Transition Summary" is made by [`summary_lines`].
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What happens.
    pub kind: ChangeKind,
    /// The resource it happens to; `None`: it happens to the node `from`.
    pub resource: Option<RscIdx>,
    /// Where the resource is active now.
    pub from: Option<NodeIdx>,
    /// Where it will be.
    pub to: Option<NodeIdx>,
    /// Its role now.
    pub role: Role,
    /// Its role then.
    pub next_role: Role,
    /// What it is due to.
    pub reason: Option<Arc<str>>,
    /// It should happen, but cannot.
    pub is_blocked: bool,
}

/// What happens to a resource or a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// The node is fenced: `reboot`, `off`.
    Fence(Arc<str>),
    /// The node leaves.
    Shutdown,
    /// Started.
    Start,
    /// Stopped.
    Stop,
    /// Stopped in one place and started in another.
    Move,
    /// Moved without being stopped.
    Migrate,
    /// Stopped and started in place.
    Restart,
    /// Restarted or moved, since it failed.
    Recover,
    /// Told its new parameters.
    Reload,
    /// Promoted.
    Promote,
    /// Demoted.
    Demote,
    /// Demoted and promoted again.
    Repromote,
}

impl ChangeKind {
    /// The word in summaries.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Fence(_) => "Fence",
            Self::Shutdown => "Shutdown",
            Self::Start => "Start",
            Self::Stop => "Stop",
            Self::Move => "Move",
            Self::Migrate => "Migrate",
            Self::Restart => "Restart",
            Self::Recover => "Recover",
            Self::Reload => "Reload",
            Self::Promote => "Promote",
            Self::Demote => "Demote",
            Self::Repromote => "Re-promote",
        }
    }
}

/// Works out what has to be done, and what has to wait for what, keeping as much of the reasoning as wanted.
///
/// Resources that are at rest are left out ([`rest`]): with them, the plan would be the same.
pub fn plan(status: &Status<'_>, placement: &Placement, origin: Origin, detail: Detail) -> Plan {
    let constraints = Constraints::of(status, placement);
    // Whoever wants to know what was considered wants all of it.
    if detail == Detail::Result
        && let Some(left_out) = rest::left_out(status, placement, &constraints)
        && let Some(plan) = Draft::new(status, placement, left_out).plan(&constraints, origin, detail)
    {
        return plan;
    }
    plan_all(status, placement, &constraints, origin, detail)
}

/// As [`plan`], but leaves nothing out: to compare with.
pub fn plan_everything(status: &Status<'_>, placement: &Placement, origin: Origin, detail: Detail) -> Plan {
    plan_all(status, placement, &Constraints::of(status, placement), origin, detail)
}

/// Top-level resources that [`plan`] leaves out, unless it finds out that it must not.
pub fn left_out(status: &Status<'_>, placement: &Placement) -> Vec<RscIdx> {
    let left_out = rest::left_out(status, placement, &Constraints::of(status, placement));
    let is_left_out = |rsc: &RscIdx| left_out.as_ref().is_some_and(|left_out| left_out[rsc.i()]);
    status.roots.iter().copied().filter(is_left_out).collect()
}

fn plan_all(
    status: &Status<'_>,
    placement: &Placement,
    constraints: &Constraints<'_, '_>,
    origin: Origin,
    detail: Detail,
) -> Plan {
    let draft = Draft::new(status, placement, vec![false; status.resources.len()]);
    draft.plan(constraints, origin, detail).unwrap_or_default()
}

impl Draft<'_, '_> {
    /// Makes the plan; `None` if something turned out to have been left out that should not have been.
    fn plan(mut self, constraints: &Constraints<'_, '_>, origin: Origin, detail: Detail) -> Option<Plan> {
        let leaves_out = self.left_out.contains(&true);
        self.is_sanitized = origin == Origin::Shown;
        self.take_early_actions();
        if !self.status.lacks_fencing() {
            self.take_managed();
        }
        self.clear_outdated_locks();
        self.order_by_constraints(constraints);
        // Not yet in the order of assignment, which capacities have a say in.
        for root in by_priority(self.status) {
            if !self.left_out[root.i()] {
                self.order_internally(root);
            }
        }
        self.check_histories();
        self.take_outlook();
        self.settle_unassigned();
        self.compare_put_off();
        if self.status.options.startup_probes {
            self.create_probes();
        }
        self.clear_removed_fail_counts();
        for root in self.roots() {
            self.create_actions(root);
        }
        self.order_remote_actions();
        self.create_fencing_and_shutdowns();
        self.apply_orders();
        self.block_all_dependents();
        self.order_probes();
        self.propagate();
        self.drop_invalid_links();
        let changes = self.changes();
        let mut notes = Vec::new();
        if detail >= Detail::Scores {
            notes.append(&mut self.notes);
            notes.extend(self.obstacles());
        }
        let mut graph = self.emit();
        let drawing = (detail >= Detail::Drawing).then(|| self.draw());
        if drawing.is_none() {
            self.number_densely(&mut graph);
        }
        (!leaves_out || self.holds()).then_some(Plan { graph, changes, drawing, notes })
    }

    /// Creates the actions of a resource and all it consists of.
    fn create_actions(&mut self, rsc: RscIdx) {
        match self.r(rsc).kind {
            Kind::Primitive(_) => self.create_primitive_actions(rsc),
            Kind::Group(_) => self.create_group_actions(rsc),
            Kind::Clone(_) => self.create_clone_actions(rsc),
            Kind::Bundle(_) => self.create_bundle_actions(rsc),
        }
    }

    /// Orders actions of a resource and all it consists of among each other.
    fn order_internally(&mut self, rsc: RscIdx) {
        match self.r(rsc).kind {
            Kind::Primitive(_) => self.order_primitive(rsc),
            Kind::Group(_) => self.order_group(rsc),
            Kind::Clone(_) => self.order_clone(rsc),
            Kind::Bundle(_) => self.order_bundle(rsc),
        }
    }

    fn block_all_dependents(&mut self) {
        self.limit_looks();
        for i in (0..self.actions.len()).rev() {
            self.block_dependents(ActIdx(u32::try_from(i).expect("an action's index")));
            self.visit_changed();
        }
    }
}
