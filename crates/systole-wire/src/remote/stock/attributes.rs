//! The service of transient attributes.

use super::{EX_UNIMPLEMENT, Heard, Kind, attr};
use crate::{
    api::{AttributeUpdate, Call, FailedOperation, Reply},
    remote::xml::{Attributes, Builder, MessageError},
};
use systole_cib::xml::Element;

pub(super) fn read(request: Element<'_>, node: &str) -> Result<Heard, MessageError> {
    // A tool on a remote node does not know the node's name, and means it.
    let host = attr(request, "attr_host").filter(|host| host != "localhost");
    // Transient capacities: the attribute manager here has none.
    if request.attr("attr_set_type") == Some("utilization") {
        return Ok(Heard::Nothing { status: EX_UNIMPLEMENT });
    }
    Ok(match request.need("task")? {
        "update" | "update-both" if is_named(request) => {
            let update = update(request, host.unwrap_or_else(|| node.to_owned()))?;
            Heard::Ask(Call::Attribute(update), Kind::AttributeUpdate)
        }
        "query" => {
            let call = Call::Attributes { name: attr(request, "attr_name"), node: None };
            Heard::Ask(call, Kind::AttributeQuery)
        }
        "clear-failure" => {
            let resource = attr(request, "attr_resource");
            let interval_ms = duration_ms(request, "attr_clear_interval").unwrap_or(0);
            let operation =
                attr(request, "attr_clear_operation").map(|name| FailedOperation { name, interval_ms });
            let call = Call::Cleanup { resource, node: host, only_failed: true, operation };
            Heard::Ask(call, Kind::AttributeUpdate)
        }
        "update-delay" if is_named(request) => {
            let update = update(request, host.unwrap_or_else(|| node.to_owned()))?;
            Heard::Ask(Call::Attribute(AttributeUpdate { keep_value: true, ..update }), Kind::AttributeUpdate)
        }
        "refresh" => Heard::Ask(Call::WriteAttributes, Kind::AttributeUpdate),
        _ => Heard::Nothing { status: EX_UNIMPLEMENT },
    })
}

/// A span of time, in seconds there unless it has a unit.
fn duration_ms(request: Element<'_>, name: &str) -> Option<u64> {
    let span = systole_types::parse_duration(&attr(request, name)?).ok()?;
    u64::try_from(span.as_millis()).ok()
}

fn is_named(request: Element<'_>) -> bool {
    request.attr("attr_name").or(request.attr("attr_regex")).is_some()
}

/// What is wanted of an attribute, or of all that fit a pattern.
fn update(request: Element<'_>, node: String) -> Result<AttributeUpdate, MessageError> {
    let name = request.attr("attr_name");
    Ok(AttributeUpdate {
        node,
        pattern: name.is_none(),
        name: name.map_or_else(|| request.need("attr_regex"), Ok)?.to_owned(),
        value: request.attr("attr_value").map(str::to_owned),
        delay_ms: duration_ms(request, "attr_dampening"),
        delay_if_new: request.attr("task") == Some("update"),
        private: request.attr("attr_is_private").is_some_and(|value| value != "0"),
        set: attr(request, "attr_set"),
        everywhere: request.attr("attr_sync_point") == Some("cluster"),
        ..AttributeUpdate::default()
    })
}

/// The answer to a query.
pub(super) fn answer(request: Element<'_>, remote: &str, reply: &Reply) -> String {
    let name = request.attr("attr_name").unwrap_or_default();
    let host =
        attr(request, "attr_host").map(|host| if host == "localhost" { remote.to_owned() } else { host });
    let values: Vec<(&str, &str)> = match reply {
        Reply::Attributes(found) => found.iter().map(|it| (it.node.as_str(), it.value.as_str())).collect(),
        _ => Vec::new(),
    };
    let mut builder =
        Builder::new("attrd_query").set("t", "attrd").set("subt", "query").set("attr_version", 2);
    if values.is_empty() {
        return builder.text();
    }
    builder = builder.set("attr_name", name);
    let is_asked = |node: &str| host.as_deref().is_none_or(|host| host == node);
    let found: Vec<_> = values.into_iter().filter(|(node, _)| is_asked(node)).collect();
    if let Some(host) = host.as_ref().filter(|_| found.is_empty()) {
        // The attribute is there, but not for this node.
        builder = builder.inside("node").set("attr_host", host).outside();
    }
    for (node, value) in found {
        builder = builder.inside("node").set("attr_host", node).set("attr_value", value).outside();
    }
    builder.text()
}
