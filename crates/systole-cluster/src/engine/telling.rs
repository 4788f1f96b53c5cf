//! Notifications that would tell of what is not in the plan.
//!
//! A copy that is left alone, since it is in maintenance mode or where no executor is, may have failed: its start is then named by the
//! notifications of others, and waited for by what comes after the starts, but not planned. The incumbent's plan is the same, and
//! stops there: all that waits for such a start stays undone until something else changes. Here the rest is done, since nothing of
//! that copy is promised by it, and the others are told of what was done only.

use super::caution::{base, without_number};
use std::{collections::BTreeSet, sync::Arc};
use systole_graph::{Action, ActionKind, TransitionGraph};

/// Has notifications tell of no start or promotion that is not in the plan. Stops and demotions may be done without an action, by fencing.
pub(super) fn tell_only_what_is_planned(graph: &mut TransitionGraph) {
    if !graph.synapses.iter().any(|synapse| told(&synapse.action).is_some()) {
        return;
    }
    let deeds = graph.synapses.iter().filter_map(|synapse| Deed::of(&synapse.action));
    let planned: Vec<Deed> = deeds.collect();
    let mut in_vain = BTreeSet::new();
    for synapse in &mut graph.synapses {
        let action = &mut synapse.action;
        let Some(told) = told(action) else { continue };
        let is_planned = |copy: &&Copy| planned.iter().any(|deed| deed.is(&told.operation, copy));
        let stays: Vec<&Copy> = told.copies.iter().filter(is_planned).collect();
        if stays.is_empty() {
            in_vain.insert(action.id);
        } else if stays.len() < told.copies.len() {
            let resources: Vec<&str> = stays.iter().map(|copy| copy.resource.as_str()).collect();
            let nodes: Vec<&str> = stays.iter().map(|copy| copy.node.as_str()).collect();
            for (what, list) in [("resource", resources.join(" ")), ("uname", nodes.join(" "))] {
                action.attributes.insert(list_name(&told.operation, what), list.into());
            }
        }
    }
    graph.synapses.retain(|synapse| !in_vain.contains(&synapse.action.id));
    for synapse in &mut graph.synapses {
        synapse.inputs.retain(|input| !in_vain.contains(input));
    }
}

/// A start or promotion that is planned.
struct Deed {
    operation: Arc<str>,
    instance: String,
    base: String,
    node: String,
}

impl Deed {
    fn of(action: &Action) -> Option<Self> {
        let ActionKind::Resource(resource) = &action.kind else { return None };
        matches!(&*action.operation, "start" | "promote").then(|| Self {
            operation: action.operation.clone(),
            instance: resource.long_id.as_ref().unwrap_or(&resource.id).to_string(),
            base: base(action).unwrap_or_default().to_owned(),
            node: action.node.as_ref().map(|(node, _)| node.to_string()).unwrap_or_default(),
        })
    }

    /// Instances that have exchanged their names are told apart by their nodes.
    fn is(&self, operation: &str, copy: &Copy) -> bool {
        let is_same = self.base == without_number(&copy.resource) && self.node == copy.node;
        *self.operation == *operation && (is_same || self.instance == copy.resource)
    }
}

/// An instance with its node, as a notification has it.
struct Copy {
    resource: String,
    node: String,
}

/// What a notification says that was done.
struct Told {
    operation: String,
    copies: Vec<Copy>,
}

/// If that is a notification of starts or promotions that were done.
fn told(action: &Action) -> Option<Told> {
    let operation = action.meta("notify_operation").filter(|it| matches!(*it, "start" | "promote"))?;
    let is_told = &*action.operation == "notify" && action.meta("notify_type") == Some("post");
    let list = |what: &str| action.attributes.get(&list_name(operation, what)).map(|list| &**list);
    let resources = list("resource")?.split_whitespace();
    let copies = resources.zip(list("uname")?.split_whitespace());
    let copy = |(resource, node): (&str, &str)| Copy { resource: resource.to_owned(), node: node.to_owned() };
    let copies: Vec<Copy> = copies.map(copy).collect();
    (is_told && !copies.is_empty()).then(|| Told { operation: operation.to_owned(), copies })
}

fn list_name(operation: &str, what: &str) -> Arc<str> {
    format!("CRM_meta_notify_{operation}_{what}").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use systole_graph::{ActionId, ResourceRef, Synapse};
    use systole_types::{NodeId, NodeUuid};

    fn synapse(id: ActionId, operation: &str, instance: &str, inputs: &[ActionId]) -> Synapse {
        let resource = ResourceRef {
            id: "p".into(),
            long_id: Some(instance.into()),
            class: "ocf".into(),
            provider: None,
            kind: "Stateful".into(),
        };
        let action = Action {
            id,
            kind: ActionKind::Resource(resource.into()),
            operation: operation.into(),
            key: format!("p_{operation}_0").into(),
            internal_key: None,
            node: Some((NodeId::new("a"), NodeUuid::new("1"))),
            router: None,
            attributes: Default::default(),
            downed: Vec::new(),
            maintenance: Vec::new(),
            about: None,
            extra: Vec::new(),
        };
        Synapse { priority: 0, action, inputs: inputs.to_vec() }
    }

    fn telling(id: ActionId, kind: &str, resources: &str, nodes: &str, inputs: &[ActionId]) -> Synapse {
        let mut synapse = synapse(id, "notify", "p:9", inputs);
        for (name, value) in
            [("type", kind), ("operation", "start"), ("start_resource", resources), ("start_uname", nodes)]
        {
            synapse.action.attributes.insert(format!("CRM_meta_notify_{name}").into(), value.into());
        }
        synapse
    }

    /// Nodes that each notification which is left says something of.
    fn told_of(synapses: Vec<Synapse>) -> Vec<(ActionId, String)> {
        let mut graph = TransitionGraph { properties: Vec::new(), synapses };
        tell_only_what_is_planned(&mut graph);
        let actions = graph.synapses.iter().map(|synapse| &synapse.action);
        let nodes = actions.filter_map(|it| Some((it.id, it.meta("notify_start_uname")?.to_owned())));
        nodes.collect()
    }

    #[test]
    fn others_are_told_of_what_is_in_the_plan_only() {
        for (resources, nodes, expected) in [
            ("p:0 p:1", "b c", Some("c")),
            ("p:0", "b", None),
            ("p:1", "c", Some("c")),
            // Instances that have exchanged their names.
            ("p:0", "a", Some("a")),
        ] {
            let synapses = vec![
                synapse(1, "start", "p:1", &[]),
                telling(2, "pre", resources, nodes, &[]),
                telling(3, "post", resources, nodes, &[1]),
            ];
            let told = told_of(synapses);
            let post = told.iter().find(|(id, _)| *id == 3).map(|(_, nodes)| nodes.as_str());
            assert_eq!(post, expected, "{resources} on {nodes}");
            assert_eq!(told[0], (2, nodes.to_owned()), "what is to be done, nobody knows better");
        }
    }
}
