//! What a stock cluster is asked to forget where one of our tools cleans up. `crm_resource` of Pacemaker asks for the same.

use crate::replica::{Cleanup, History, to_forget};
use systole_cib::xml::{Document, Element};
use systole_wire::{
    api::{Call, Refusal, RefusalKind, Reply},
    remote::stock::ask::{Forgotten, Question, Step, forget, next},
};

/// More histories than this are not forgotten at once.
const MAX_HISTORIES: usize = 256;

/// The questions to put, by the answer to a query of the CIB; or what the tool is answered instead.
pub(super) fn questions(call: &Call, cib: &str, last_id: i32) -> Result<Vec<Question>, Box<Reply>> {
    let Call::Cleanup { resource, node, only_failed, operation } = call else { return Ok(Vec::new()) };
    let Step::Done(answer) = next(&Call::Cib, last_id, &[cib.to_owned()]) else { return Ok(Vec::new()) };
    let Reply::Cib { xml } = answer else { return Err(Box::new(answer)) };
    let document = Document::parse(xml.as_str())
        .map_err(|_| refused(RefusalKind::NotReady, "the cluster's CIB cannot be read"))?;
    let operation = operation.as_ref().map(|operation| (operation.name.clone(), operation.interval_ms));
    let what = Cleanup::of(resource, node, *only_failed, &operation);
    let histories = to_forget(&document, &what).map_err(|message| refused(RefusalKind::Usage, &message))?;
    if histories.len() > MAX_HISTORIES {
        return Err(refused(RefusalKind::Usage, "this is too much at once: do it on a cluster node"));
    }
    let forgotten = histories.iter().filter_map(|history| forgotten(&document, history, what.operation));
    Ok(forgotten.flat_map(|forgotten| forget(&forgotten, last_id)).collect())
}

fn refused(kind: RefusalKind, message: &str) -> Box<Reply> {
    Box::new(Reply::Refused(Refusal { kind, message: message.to_owned() }))
}

/// `None` if nobody could be asked: the node is not there.
fn forgotten<'a>(
    cib: &'a Document,
    history: &History<'a>,
    operation: Option<(&'a str, u64)>,
) -> Option<Forgotten<'a>> {
    let is_remote = history.state.attr("remote_node").is_some_and(|value| matches!(value, "true" | "1"));
    let host = match is_remote {
        true => Some(host_of(cib, history.node)?),
        false => None,
    };
    let is_there = host.is_some() || is_online(history.state);
    Some(Forgotten {
        node: history.node,
        host,
        resource: history.resource,
        class: history.entry.attr("class")?,
        provider: history.entry.attr("provider"),
        kind: history.entry.attr("type")?,
        operation,
    })
    .filter(|_| is_there)
}

/// The cluster node that holds the connection to a remote or guest node.
fn host_of<'a>(cib: &'a Document, node: &str) -> Option<&'a str> {
    let holds = |state: &Element<'_>| {
        let resources = state.child("lrm").and_then(|lrm| lrm.child("lrm_resources"));
        let mut entries =
            resources.into_iter().flat_map(|resources| resources.children_named("lrm_resource"));
        let connection = entries.find(|entry| entry.id() == Some(node));
        let last = format!("{node}_last_0");
        let mut operations = connection.into_iter().flat_map(|entry| entry.children_named("lrm_rsc_op"));
        operations.any(|operation| {
            operation.id() == Some(&last)
                && operation.attr("rc-code") == Some("0")
                && matches!(operation.attr("operation"), Some("start" | "monitor" | "migrate_from"))
        })
    };
    let mut states = cib.root().child("status")?.children_named("node_state");
    states.find(|state| is_online(*state) && holds(state))?.attr("uname")
}

fn is_online(state: Element<'_>) -> bool {
    state.attr("crmd").is_some_and(|crmd| !matches!(crmd, "offline" | "0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Redis in a bundle, whose guest node is connected to at `a`; the copy there has failed, that at `b` is well.
    const CIB: &str = r#"<cib-reply cib_rc="0"><cib_calldata><cib>
        <configuration><crm_config/><nodes/><resources><bundle id="box"><podman image="i" replicas="2"/>
        <primitive id="redis" class="ocf" provider="heartbeat" type="redis"/></bundle></resources><constraints/></configuration>
        <status><node_state id="1" uname="a" crmd="online"><lrm id="1"><lrm_resources>
          <lrm_resource id="box-0" class="ocf" provider="pacemaker" type="remote">
            <lrm_rsc_op id="box-0_last_0" operation="start" operation_key="box-0_start_0" rc-code="0"/></lrm_resource>
        </lrm_resources></lrm></node_state>
        <node_state id="2" uname="b" crmd="online"><lrm id="2"><lrm_resources>
          <lrm_resource id="box-0" class="ocf" provider="pacemaker" type="remote">
            <lrm_rsc_op id="box-0_last_0" operation="monitor" operation_key="box-0_monitor_0" rc-code="7"/></lrm_resource>
          <lrm_resource id="box-1" class="ocf" provider="pacemaker" type="remote">
            <lrm_rsc_op id="box-1_last_0" operation="start" operation_key="box-1_start_0" rc-code="0"/></lrm_resource>
        </lrm_resources></lrm></node_state>
        <node_state id="box-0" uname="box-0" remote_node="true"><lrm id="box-0"><lrm_resources>
          <lrm_resource id="redis" class="ocf" provider="heartbeat" type="redis">
            <lrm_rsc_op id="redis_last_failure_0" operation="monitor" operation_key="redis_monitor_20000" rc-code="7"/>
          </lrm_resource></lrm_resources></lrm></node_state>
        <node_state id="box-1" uname="box-1" remote_node="true"><lrm id="box-1"><lrm_resources>
          <lrm_resource id="redis" class="ocf" provider="heartbeat" type="redis">
            <lrm_rsc_op id="redis_last_0" operation="start" operation_key="redis_start_0" rc-code="0"/>
          </lrm_resource></lrm_resources></lrm></node_state>
        </status></cib></cib_calldata></cib-reply>"#;

    fn call(resource: Option<&str>, only_failed: bool) -> Call {
        Call::Cleanup { resource: resource.map(str::to_owned), node: None, only_failed, operation: None }
    }

    /// Who is asked, and of what: resources and nodes.
    fn asked(call: &Call) -> Vec<(&'static str, String, String)> {
        let asked = questions(call, CIB, 1).expect("questions").into_iter().map(|question| {
            let document = Document::parse(question.xml.as_str()).expect("XML");
            let root = document.root();
            let attr = |element: Element<'_>, name: &str| element.attr(name).unwrap_or_default().to_owned();
            match root.child("crm_xml").and_then(|data| data.child("rsc_op")) {
                Some(operation) => {
                    let primitive = operation.child("primitive").expect("the resource");
                    let way = format!("{} by {}", attr(operation, "on_node"), attr(root, "crm_host_to"));
                    (question.service, attr(primitive, "id"), way)
                }
                None => (question.service, attr(root, "attr_resource"), attr(root, "attr_host")),
            }
        });
        asked.collect()
    }

    #[test]
    fn what_has_failed_is_forgotten_by_way_of_who_holds_the_connection() {
        let expected =
            [("attrd", "redis".into(), "box-0".into()), ("crmd", "redis".into(), "box-0 by a".into())];
        for resource in [None, Some("redis"), Some("box")] {
            assert_eq!(asked(&call(resource, true)), expected, "{resource:?}");
        }
    }

    #[test]
    fn all_of_a_resource_can_be_forgotten_and_one_that_is_not_there_cannot() {
        let nodes: Vec<String> =
            asked(&call(Some("redis"), false)).into_iter().map(|(.., node)| node).collect();
        assert_eq!(nodes, ["box-0", "box-0 by a", "box-1", "box-1 by b"]);
        let is_refused = |call: &Call, cib: &str| matches!(questions(call, cib, 1), Err(reply) if matches!(*reply, Reply::Refused(_)));
        assert!(is_refused(&call(Some("none"), true), CIB));
        assert!(is_refused(&call(None, true), "<cib-reply cib_rc=\"-62\"/>"));
    }
}
