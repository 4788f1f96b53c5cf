//! The service of transient attributes.

use super::{EX_UNIMPLEMENT, Heard, Kind, attr};
use crate::{
    api::{Call, Reply},
    remote::xml::{Attributes, Builder, MessageError},
};
use systole_cib::{
    ops::{CibAction, CibCall, CibOptions, Scope},
    xml::{Document, Element},
};

pub(super) fn read(request: Element<'_>, node: &str) -> Result<Heard, MessageError> {
    // A tool on a remote node does not know the node's name, and means it.
    let host = attr(request, "attr_host").filter(|host| host != "localhost");
    Ok(match request.need("task")? {
        "update" | "update-both" if request.attr("attr_name").is_some() => {
            let value = request.attr("attr_value").map(str::to_owned);
            let name = request.need("attr_name")?.to_owned();
            let node = host.unwrap_or_else(|| node.to_owned());
            Heard::Ask(Call::Attribute { node, name, value }, Kind::AttributeUpdate)
        }
        "query" => {
            let change = CibCall {
                action: CibAction::Query,
                scope: Scope::Section("status".to_owned()),
                xml: None,
                options: CibOptions::default(),
            };
            Heard::Ask(Call::Apply { change, force: false }, Kind::AttributeQuery)
        }
        "clear-failure" => {
            let resource = attr(request, "attr_resource");
            let call = Call::Cleanup { resource, node: host, only_failed: true };
            Heard::Ask(call, Kind::AttributeUpdate)
        }
        // How long to gather changes is not kept here, and all is written already.
        "update-delay" | "refresh" => Heard::Nothing { status: 0 },
        _ => Heard::Nothing { status: EX_UNIMPLEMENT },
    })
}

/// The answer to a query: the status section is in `reply`.
pub(super) fn answer(request: Element<'_>, remote: &str, reply: &Reply) -> String {
    let name = request.attr("attr_name").unwrap_or_default();
    let host =
        attr(request, "attr_host").map(|host| if host == "localhost" { remote.to_owned() } else { host });
    let status = match reply {
        Reply::Applied { output: Some(output), .. } => Document::parse(output).ok(),
        _ => None,
    };
    let mut values = Vec::new();
    for state in status.iter().flat_map(|status| status.root().children_named("node_state")) {
        let node = state.attr("uname").or(state.id()).unwrap_or_default();
        let transient = state.children_named("transient_attributes").flat_map(Element::descendants);
        let pair =
            transient.filter(|element| element.is("nvpair")).find(|pair| pair.attr("name") == Some(name));
        if let Some(value) = pair.and_then(|pair| pair.attr("value")) {
            values.push((node, value));
        }
    }
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
