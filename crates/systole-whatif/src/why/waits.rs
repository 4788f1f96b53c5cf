//! What has to be done before something can be, by the graph.

use super::{Prior, Wait, orders::orders_between};
use std::collections::{BTreeMap, BTreeSet};
use systole_graph::{Action, ActionId, ActionKind, Synapse};
use systole_scheduler::{RscIdx, Transition};
use systole_types::ResourceId;

/// Actions of a transition's graph by number.
pub(super) struct Graph<'t> {
    transition: &'t Transition<'t>,
    by_id: BTreeMap<ActionId, &'t Synapse>,
}

impl<'t> Graph<'t> {
    pub(super) fn new(transition: &'t Transition<'t>) -> Self {
        let by_id = transition.graph.synapses.iter().map(|synapse| (synapse.action.id, synapse)).collect();
        Self { transition, by_id }
    }

    /// What is done to a resource and has to wait for something.
    pub(super) fn waits_of(&self, rsc: RscIdx) -> Vec<Wait> {
        let id = &self.transition.status.rsc(rsc).id;
        let own = self.transition.graph.synapses.iter().filter(|synapse| {
            is_change(&synapse.action.operation) && instance_of(&synapse.action) == Some(id)
        });
        own.map(|synapse| self.wait(rsc, synapse)).filter(|wait| !wait.after.is_empty()).collect()
    }

    fn wait(&self, rsc: RscIdx, synapse: &Synapse) -> Wait {
        let mut after = Vec::new();
        self.collect(rsc, synapse, &mut BTreeSet::new(), &mut after);
        Wait { task: synapse.action.operation.to_string(), node: node_of(&synapse.action), after }
    }

    /// The nearest real actions before a synapse: pseudo-actions and probes are looked through.
    fn collect(&self, rsc: RscIdx, of: &Synapse, seen: &mut BTreeSet<ActionId>, after: &mut Vec<Prior>) {
        for input in &of.inputs {
            let Some(synapse) = self.by_id.get(input).filter(|_| seen.insert(*input)) else { continue };
            match self.prior(rsc, &synapse.action) {
                Some(prior) if !after.contains(&prior) => after.push(prior),
                Some(_) => {}
                None => self.collect(rsc, synapse, seen, after),
            }
        }
    }

    fn prior(&self, rsc: RscIdx, action: &Action) -> Option<Prior> {
        let node = node_of(action);
        match &action.kind {
            ActionKind::Cluster if &*action.operation == "stonith" => {
                Some(Prior { task: "fencing".to_owned(), resource: None, node, orders: Vec::new() })
            }
            ActionKind::Resource(_) if is_change(&action.operation) => {
                let resource = instance_of(action).cloned();
                let status = &self.transition.status;
                let other = resource.as_ref().and_then(|id| status.find_resource(id.as_str()));
                let orders = match other {
                    Some(other) if other != rsc => orders_between(status, other, rsc),
                    _ => Vec::new(),
                };
                Some(Prior { task: action.operation.to_string(), resource, node, orders })
            }
            _ => None,
        }
    }
}

fn is_change(operation: &str) -> bool {
    matches!(
        operation,
        "start" | "stop" | "promote" | "demote" | "migrate_to" | "migrate_from" | "reload-agent"
    )
}

fn node_of(action: &Action) -> Option<systole_types::NodeId> {
    action.node.as_ref().map(|(name, _)| name.clone())
}

/// The instance an action is of, by its full name.
fn instance_of(action: &Action) -> Option<&ResourceId> {
    match &action.kind {
        ActionKind::Resource(agent) => Some(agent.long_id.as_ref().unwrap_or(&agent.id)),
        _ => None,
    }
}
