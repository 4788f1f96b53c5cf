//! What the DC orders has to agree with the configuration that it has at that moment.

use serde_json::Value;
use systole_cib::xml::{Document, Element};
use systole_wire::{EXECUTOR_ATTRIBUTE, exec::Operation};

/// The operation that a message orders, if it does.
pub fn ordered(payload: &str) -> Option<Operation> {
    if !payload.contains("\"perform\"") {
        return None;
    }
    let envelope: Value = serde_json::from_str(payload).ok()?;
    let operation = envelope.get("message")?.get("perform")?.get("operation")?;
    serde_json::from_value(operation.clone()).ok()
}

/// What is wrong with an operation that is ordered, if the CIB of who orders it says that it is not to be: on standby nothing is
/// started or promoted, in maintenance mode nothing but probes is done.
pub fn is_wrong(cib: &Document, operation: &Operation) -> Option<String> {
    let node = operation.parameters.get("CRM_meta_on_node")?;
    let starts = matches!(operation.operation.as_str(), "start" | "promote");
    let is_recurring = operation.operation == "monitor" && operation.interval_ms > 0;
    let changes = starts || is_recurring || matches!(operation.operation.as_str(), "stop" | "demote");
    let mode = match () {
        () if changes && is_in_maintenance(cib, node) => "in maintenance mode",
        () if starts && says(cib, node, "standby", "on") => "on standby",
        () => return None,
    };
    Some(format!("{} was ordered on {node}, which is {mode}", operation.key))
}

/// Whether a node, or the whole cluster, is in maintenance mode.
pub fn is_in_maintenance(cib: &Document, node: &str) -> bool {
    says(cib, node, "maintenance", "true")
}

/// Whether nothing is done about a resource since it is active, as far as is known, on a node whose executor is away.
pub fn is_left_alone(cib: &Document, resource: &str) -> bool {
    let mut histories = states_without_executor(cib).flat_map(Element::descendants);
    histories.any(|entry| entry.name() == "lrm_resource" && entry.id() == Some(resource))
}

/// Whether a node's executor is away, or it has left with what it runs.
pub fn is_without_executor(cib: &Document, node: &str) -> bool {
    states_without_executor(cib).any(|state| state.attr("uname") == Some(node))
}

fn states_without_executor(cib: &Document) -> impl Iterator<Item = Element<'_>> {
    let states =
        cib.root().child("status").into_iter().flat_map(|status| status.children_named("node_state"));
    let is_away =
        |state: &Element<'_>| state.descendants().any(|it| it.attr("name") == Some(EXECUTOR_ATTRIBUTE));
    states.filter(is_away)
}

/// Whether the configuration of a cluster node gives an attribute this value.
fn says(cib: &Document, node: &str, name: &str, value: &str) -> bool {
    let configuration = cib.root().child("configuration");
    let nodes = configuration.and_then(|configuration| configuration.child("nodes"));
    let entries = nodes.into_iter().flat_map(|nodes| nodes.children_named("node"));
    let of_node = entries.filter(|entry| entry.attr("uname") == Some(node));
    let mut pairs = of_node.flat_map(Element::descendants);
    pairs.any(|pair| pair.attr("name") == Some(name) && pair.attr("value") == Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_standby_nothing_is_begun_and_in_maintenance_mode_things_are_only_looked_at() {
        let attributes = |name: &str, value: &str| {
            let pair = format!(r#"<nvpair id="x" name="{name}" value="{value}"/>"#);
            let node =
                format!(r#"<node id="1" uname="a"><instance_attributes>{pair}</instance_attributes></node>"#);
            let text = format!("<cib><configuration><nodes>{node}</nodes></configuration></cib>");
            Document::parse(&text).expect("it is well formed")
        };
        let payload = |operation: &str, interval_ms: u64, node: &str| {
            let parameters = format!(r#"{{"CRM_meta_on_node":"{node}"}}"#);
            format!(
                r#"{{"view":1,"message":{{"perform":{{"node":1,"operation":{{"call":0,"key":"r","resource":"r","class":"ocf",
                "agent":"Dummy","operation":"{operation}","interval_ms":{interval_ms},"timeout_ms":0,"start_delay_ms":0,
                "parameters":{parameters},"transition_key":""}}}}}}}}"#
            )
        };
        let (standby, maintenance) = (attributes("standby", "on"), attributes("maintenance", "true"));
        for (operation, interval_ms, wrong_on_standby, wrong_in_maintenance) in [
            ("start", 0, true, true),
            ("promote", 0, true, true),
            ("stop", 0, false, true),
            ("demote", 0, false, true),
            ("monitor", 0, false, false),
            ("monitor", 10_000, false, true),
        ] {
            let order = |node: &str| ordered(&payload(operation, interval_ms, node)).expect("it is an order");
            let found = [&standby, &maintenance].map(|cib| is_wrong(cib, &order("a")).is_some());
            assert_eq!(found, [wrong_on_standby, wrong_in_maintenance], "{operation} {interval_ms}");
            assert_eq!(is_wrong(&maintenance, &order("b")), None);
        }
    }
}
