//! Notifications that would tell of what is not in the plan.
//!
//! A copy that is left alone, since it is in maintenance mode or where no executor is, may have failed: its start is then named by the
//! notifications of others, and waited for by what comes after the starts, but not planned. The incumbent's plan is the same, and
//! stops there: all that waits for such a start stays undone until something else changes. Here the rest is done, since nothing of
//! that copy is promised by it, and the others are told of what was done only.

use super::caution::without_number;
use std::{collections::BTreeSet, sync::Arc};
use systole_graph::{Action, ActionKind, TransitionGraph};

/// Has notifications tell of no start or promotion that is not in the plan. Stops and demotions may be done without an action, by fencing.
pub(super) fn tell_only_what_is_planned(graph: &mut TransitionGraph) {
    if !graph.synapses.iter().any(|synapse| told(&synapse.action).is_some()) {
        return;
    }
    let planned: BTreeSet<Deed> = graph.synapses.iter().flat_map(|synapse| deeds(&synapse.action)).collect();
    let mut in_vain = BTreeSet::new();
    for synapse in &mut graph.synapses {
        let action = &mut synapse.action;
        let Some(told) = told(action) else { continue };
        let is_planned = |copy: &&Copy| copy.as_deeds(told.operation).iter().any(|it| planned.contains(it));
        let stays: Vec<&Copy> = told.copies.iter().filter(is_planned).collect();
        if stays.is_empty() {
            in_vain.insert(action.id);
        } else if stays.len() < told.copies.len() {
            let resources: Vec<&str> = stays.iter().map(|copy| copy.resource.as_str()).collect();
            let nodes: Vec<&str> = stays.iter().map(|copy| copy.node.as_str()).collect();
            for (what, list) in [("resource", resources.join(" ")), ("uname", nodes.join(" "))] {
                action.attributes.insert(list_name(told.operation, what), list.into());
            }
        }
    }
    graph.synapses.retain(|synapse| !in_vain.contains(&synapse.action.id));
    for synapse in &mut graph.synapses {
        synapse.inputs.retain(|input| !in_vain.contains(input));
    }
}

/// A start or promotion that is planned: "start" or "promote", and of what. Instances that have exchanged their names are told apart by
/// their nodes.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Deed {
    /// By the id of the resource without the number of the instance, and the node.
    On(&'static str, String, String),
    /// By the instance.
    Of(&'static str, String),
}

/// What an action does, if it is a start or promotion.
fn deeds(action: &Action) -> Vec<Deed> {
    let ActionKind::Resource(resource) = &action.kind else { return Vec::new() };
    let operation = match &*action.operation {
        "start" | "migrate_from" => "start",
        "promote" => "promote",
        _ => return Vec::new(),
    };
    let instance = resource.long_id.as_ref().unwrap_or(&resource.id).to_string();
    let node = action.node.as_ref().map(|(node, _)| node.to_string()).unwrap_or_default();
    let base = without_number(resource.id.as_str()).to_owned();
    vec![Deed::On(operation, base, node), Deed::Of(operation, instance)]
}

/// An instance with its node, as a notification has it.
struct Copy {
    resource: String,
    node: String,
}

impl Copy {
    /// What its start or promotion may be planned as.
    fn as_deeds(&self, operation: &'static str) -> [Deed; 2] {
        let base = without_number(&self.resource).to_owned();
        [Deed::On(operation, base, self.node.clone()), Deed::Of(operation, self.resource.clone())]
    }
}

/// What a notification says that was done.
struct Told {
    operation: &'static str,
    copies: Vec<Copy>,
}

/// If that is a notification of starts or promotions that were done.
fn told(action: &Action) -> Option<Told> {
    let operation = match action.meta("notify_operation")? {
        "start" => "start",
        "promote" => "promote",
        _ => return None,
    };
    let is_told = &*action.operation == "notify" && action.meta("notify_type") == Some("post");
    let list = |what: &str| action.attributes.get(&list_name(operation, what)).map(|list| &**list);
    let resources = list("resource")?.split_whitespace();
    let copies = resources.zip(list("uname")?.split_whitespace());
    let copy = |(resource, node): (&str, &str)| Copy { resource: resource.to_owned(), node: node.to_owned() };
    let copies: Vec<Copy> = copies.map(copy).collect();
    (is_told && !copies.is_empty()).then_some(Told { operation, copies })
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
        for (deed, resources, nodes, expected) in [
            ("start", "p:0 p:1", "b c", Some("c")),
            ("start", "p:0", "b", None),
            ("start", "p:1", "c", Some("c")),
            // Instances that have exchanged their names.
            ("start", "p:0", "a", Some("a")),
            // A live migration, of which the start is a mere order.
            ("migrate_from", "p:0 p:1", "b a", Some("a")),
            ("migrate_from", "p:0", "b", None),
            ("migrate_to", "p:1", "a", None),
            ("promote", "p:1", "a", None),
        ] {
            let synapses = vec![
                synapse(1, deed, "p:1", &[]),
                telling(2, "pre", resources, nodes, &[]),
                telling(3, "post", resources, nodes, &[1]),
            ];
            let told = told_of(synapses);
            let post = told.iter().find(|(id, _)| *id == 3).map(|(_, nodes)| nodes.as_str());
            assert_eq!(post, expected, "{deed}: {resources} on {nodes}");
            assert_eq!(told[0], (2, nodes.to_owned()), "what is to be done, nobody knows better");
        }
    }
}
