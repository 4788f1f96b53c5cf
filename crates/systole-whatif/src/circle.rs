//! Plans that wait for themselves, and the constraints that make them.

use crate::why::orders::orders_between;
use std::fmt;
use systole_graph::{Action, ActionKind, describe};
use systole_scheduler::{RscIdx, Transition};
use systole_types::ElementId;

/// Actions that wait for one another in a circle, so that none of them ever begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circle {
    /// In sequence: each waits for the one before it, and the first for the last.
    pub actions: Vec<String>,
    /// Order constraints between their resources: one of them at least has to go.
    pub orders: Vec<ElementId>,
    resources: Vec<RscIdx>,
}

impl Circle {
    /// A circle in the graph of a transition, if there is one.
    pub fn of(transition: &Transition<'_>) -> Option<Self> {
        let actions = systole_graph::circle(&transition.graph);
        if actions.is_empty() {
            return None;
        }
        let status = &transition.status;
        let resource = |action: &&Action| status.find_resource(name_of(action)?);
        let resources: Vec<RscIdx> = actions.iter().filter_map(resource).collect();
        let mut orders: Vec<ElementId> = Vec::new();
        for (at, &first) in resources.iter().enumerate() {
            let then = resources[(at + 1) % resources.len()];
            if first != then {
                let between = orders_between(status, first, then).into_iter();
                orders.extend(between.filter(|id| !orders.contains(id)).collect::<Vec<_>>());
            }
        }
        Some(Self { actions: actions.into_iter().map(describe).collect(), orders, resources })
    }

    /// Whether something of the resource is in the circle.
    pub fn concerns(&self, rsc: RscIdx) -> bool {
        self.resources.contains(&rsc)
    }
}

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "these wait for one another in a circle, and none of them can begin: {}",
            self.actions.join(", ")
        )?;
        match self.orders.as_slice() {
            [] => Ok(()),
            [one] => write!(f, "; the order constraint {one} is part of it"),
            orders => {
                let ids: Vec<String> = orders.iter().map(ToString::to_string).collect();
                write!(f, "; these order constraints make it: {}", ids.join(", "))
            }
        }
    }
}

/// The resource that an action is about, by its full name.
fn name_of(action: &Action) -> Option<&str> {
    if let ActionKind::Resource(agent) = &action.kind {
        return Some(agent.long_id.as_ref().unwrap_or(&agent.id).as_str());
    }
    let key = action.internal_key.as_deref().unwrap_or(&action.key);
    key.rsplit_once('_')?.0.strip_suffix(&*action.operation)?.strip_suffix('_')
}
