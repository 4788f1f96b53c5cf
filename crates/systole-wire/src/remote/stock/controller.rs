//! The service that knows the nodes.

use super::{EX_UNIMPLEMENT, FEATURE_SET, Heard, Kind, attr};
use crate::{
    api::{Call, Reply},
    remote::xml::{Attributes, Builder, MessageError},
};
use systole_cib::xml::{Document, Element};

pub(super) fn read(request: Element<'_>) -> Result<Heard, MessageError> {
    Ok(match request.need("crm_task")? {
        "hello" => Heard::Nothing { status: 0 },
        "node-info" => Heard::Ask(Call::Node, Kind::NodeInfo),
        "list-nodes" => Heard::Ask(Call::Cib, Kind::NodeList),
        "ping" => Heard::Ask(Call::Node, Kind::Ping),
        _ => Heard::Nothing { status: EX_UNIMPLEMENT },
    })
}

/// An answer: the request with both ends exchanged, and `data` in it.
pub(super) fn message(request: Element<'_>, data: Option<Builder>) -> String {
    let mut builder = Builder::new("create_reply_adv")
        .set("origin", "systole")
        .set("t", "crmd")
        .set("version", FEATURE_SET)
        .set("subt", "response")
        .set_some("reference", request.attr("reference"))
        .set_some("crm_task", request.attr("crm_task"))
        .set_some("crm_sys_to", request.attr("crm_sys_from"))
        .set_some("crm_sys_from", request.attr("crm_sys_to").or(Some("crmd")));
    if let Some(data) = data {
        builder = builder.inside("crm_xml").import(data.document.root());
    }
    builder.text()
}

/// About the node that is asked for: the remote node itself, if none is named.
pub(super) fn node_info(request: Element<'_>, remote: &str, reply: &Reply) -> Option<Builder> {
    let Reply::Node(report) = reply else { return None };
    let info = Builder::new("node").set("crm_subsystem", "crmd").set("have-quorum", report.has_quorum);
    let by_name = attr(request, "uname");
    let by_number = attr(request, "id").and_then(|id| id.parse::<u32>().ok()).filter(|id| *id > 0);
    let (name, id) = match (by_name, by_number) {
        (None, None) => (remote.to_owned(), remote.to_owned()),
        (None, Some(number)) if number == report.node_id => (report.node.clone(), number.to_string()),
        (None, Some(_)) => return Some(info),
        (Some(name), _) if name == report.node => (name, report.node_id.to_string()),
        (Some(name), _) => (name.clone(), name),
    };
    let is_remote = name == remote;
    let is_member = is_remote || report.members.contains(&name);
    let state = if is_member { "member" } else { "lost" };
    Some(info.set("id", id).set("uname", name).set("crmd", state).set("remote_node", is_remote))
}

/// Every cluster node: the CIB is in `reply`.
pub(super) fn node_list(reply: &Reply) -> Option<Builder> {
    let Reply::Cib { xml } = reply else { return None };
    let document = Document::parse(xml).ok()?;
    let section = |name: &str| document.root().child(name);
    let nodes = section("configuration")?.child("nodes")?;
    let is_online = |id: &str| {
        let mut states = section("status").into_iter().flat_map(Element::children);
        states.any(|state| {
            state.id() == Some(id) && !matches!(state.attr("crmd"), None | Some("offline" | "0"))
        })
    };
    let mut list = Builder::new("nodes");
    for node in nodes.children_named("node").filter(|node| !matches!(node.attr("type"), Some("remote"))) {
        let Some(id) = node.id() else { continue };
        let state = if is_online(id) { "member" } else { "lost" };
        list = list
            .inside("node")
            .set("id", id)
            .set_some("uname", node.attr("uname"))
            .set("in_ccm", state)
            .outside();
    }
    Some(list)
}

pub(super) fn ping(reply: &Reply) -> Option<Builder> {
    let Reply::Node(report) = reply else { return None };
    let state = match report.idle {
        Some(true) => "S_IDLE",
        Some(false) => "S_TRANSITION_ENGINE",
        None => "S_NOT_DC",
    };
    Some(
        Builder::new("ping_response")
            .set("crm_subsystem", "crmd")
            .set("crmd_state", state)
            .set("result", "ok"),
    )
}
