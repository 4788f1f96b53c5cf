//! The service that knows the nodes.

use super::{FEATURE_SET, Heard, Kind, attr};
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
        "lrm_delete" => {
            let (resource, node) = resource_on_node(request)?;
            Heard::Ask(refresh(Some(resource), Some(node)), Kind::Resource)
        }
        "lrm_fail" => {
            let (resource, node) = resource_on_node(request)?;
            Heard::Ask(Call::Fail { resource, node }, Kind::Resource)
        }
        "probe_again" => {
            let node = data(request).and_then(|data| attr(data, "on_node"));
            Heard::Ask(refresh(None, node), Kind::Reprobe)
        }
        _ => Heard::Unknown,
    })
}

/// Has histories forgotten, so that what they are about is probed.
fn refresh(resource: Option<String>, node: Option<String>) -> Call {
    Call::Cleanup { resource, node, only_failed: false, operation: None }
}

/// What a request is about.
fn data(request: Element<'_>) -> Option<Element<'_>> {
    request.child("crm_xml")?.children().next()
}

/// The resource, by the name its history has, and the node.
fn resource_on_node(request: Element<'_>) -> Result<(String, String), MessageError> {
    let missing = |attribute| MessageError::Attribute { element: request.name().to_owned(), attribute };
    let data = data(request).ok_or_else(|| missing("crm_xml"))?;
    let primitive = data.child("primitive").ok_or_else(|| missing("primitive"))?;
    Ok((primitive.need("id")?.to_owned(), data.need("on_node")?.to_owned()))
}

/// An answer: the request with both ends exchanged, and `data` in it.
fn message(request: Element<'_>, task: Option<&str>, from: Option<&str>, data: Option<Builder>) -> String {
    let mut builder = Builder::new("create_reply_adv")
        .set("origin", "systole")
        .set("t", "crmd")
        .set("version", FEATURE_SET)
        .set("subt", "response")
        .set_some("reference", request.attr("reference"))
        .set_some("crm_task", task.or(request.attr("crm_task")))
        .set_some("crm_sys_to", request.attr("crm_sys_from"))
        .set_some("crm_sys_from", request.attr("crm_sys_to").or(Some("crmd")))
        .set_some("src", from);
    if let Some(data) = data {
        builder = builder.inside("crm_xml").import(data.document.root());
    }
    builder.text()
}

/// About the node that is asked for: the remote node itself, if none is named.
pub(super) fn node_info(request: Element<'_>, remote: &str, reply: &Reply) -> String {
    message(request, None, None, info(request, remote, reply))
}

fn info(request: Element<'_>, remote: &str, reply: &Reply) -> Option<Builder> {
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
pub(super) fn node_list(request: Element<'_>, reply: &Reply) -> String {
    message(request, None, None, list(reply))
}

fn list(reply: &Reply) -> Option<Builder> {
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

/// The state of the controller that is asked: the DC's, if none is named. None answers on a node that is no member.
pub(super) fn ping(request: Element<'_>, reply: &Reply) -> Option<String> {
    let Reply::Node(report) = reply else { return None };
    let named = attr(request, "crm_host_to");
    let asked = match named {
        None if request.attr("crm_sys_to") == Some("dc") => report.dc.clone()?,
        None => report.node.clone(),
        Some(name) => name,
    };
    if !report.members.contains(&asked) {
        return None;
    }
    let state = match (report.dc.as_ref() == Some(&asked), report.idle) {
        (true, Some(false)) => "S_TRANSITION_ENGINE",
        (true, _) => "S_IDLE",
        (false, _) => "S_NOT_DC",
    };
    let data = Builder::new("ping_response")
        .set("crm_subsystem", "crmd")
        .set("crmd_state", state)
        .set("result", "ok");
    Some(message(request, None, Some(&asked), Some(data)))
}

/// That it is done: what is asked of a resource is answered in the executor's name.
pub(super) fn forgotten(request: Element<'_>, reply: &Reply) -> Option<String> {
    let is_about_one = request.attr("crm_task") != Some("probe_again");
    matches!(reply, Reply::Done).then(|| message(request, is_about_one.then_some("lrm_invoke"), None, None))
}
