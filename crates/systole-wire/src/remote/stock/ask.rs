//! The other way round: what tools of ours ask ([`crate::api`]), put to the services of a stock cluster.
//!
//! Our remote daemon does so where the cluster that drives it is Pacemaker's. A call becomes one question after another; each
//! is answered by one message.

use super::{FEATURE_SET, attr, cib, status_of};
use crate::{
    api::{AttributeOnNode, AttributeUpdate, Call, NodeReport, Refusal, RefusalKind, Reply},
    remote::xml::{Attributes, Builder},
};
use systole_cib::{
    ops::CibCall,
    xml::{Document, Element},
};

/// The exit code of acknowledgements that say nothing about the result. Source: Pacemaker's `crm_error -X`.
const INDETERMINATE: i32 = 112;

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Who is asked: `cib_rw`, `attrd` or `crmd`.
    pub service: &'static str,
    /// An XML element.
    pub xml: String,
    /// Whether an event is the answer. The response is only an acknowledgement then.
    pub by_event: bool,
}

/// How a call goes on.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Ask this next.
    Ask(Question),
    /// That is all.
    Done(Reply),
}

/// What follows on `answers`, each the answer to one question, in the order they were asked; `id` is unlike any other's
/// in the same session.
pub fn next(call: &Call, id: i32, answers: &[String]) -> Step {
    let parsed: Result<Vec<Document>, _> = answers.iter().map(|xml| Document::parse(xml.as_str())).collect();
    let Ok(documents) = parsed else {
        return refuse(RefusalKind::NotReady, "the cluster's answer cannot be read");
    };
    let answers: Vec<Element<'_>> = documents.iter().map(Document::root).collect();
    match (call, answers.as_slice()) {
        (Call::Cib, []) => ask_cib(cib::query(id)),
        (Call::Cib, [answer]) => Step::Done(cib::read_answer(*answer, |xml| match xml {
            Some(xml) => Reply::Cib { xml },
            None => unreadable(),
        })),
        (Call::Apply { change, force }, []) => apply(change, id, *force),
        (Call::Apply { .. }, [answer]) => Step::Done(cib::read_answer(*answer, |output| {
            // Services do not say which version a change has made.
            Reply::Applied { version: String::new(), output }
        })),
        (Call::Node, []) => ask_node(None, id),
        (Call::Node, [_]) => ask_cib(cib::query(id)),
        (Call::Node, [info, answer]) => Step::Done(report(*info, *answer)),
        (Call::Attribute(update), []) if update.pattern || update.node.is_empty() => {
            attributes(update_element(update, false))
        }
        (Call::Attribute(update), []) => ask_node(Some(&update.node), id),
        (Call::Attribute(update), [info]) => attributes(update_element(update, is_remote(*info))),
        // What the CIB says is to be forgotten is for who asks to find out: see `forget`.
        (Call::Cleanup { .. }, []) => ask_cib(cib::query(id)),
        (Call::Attribute(_) | Call::WriteAttributes | Call::Cleanup { .. }, answers)
            if !answers.is_empty() =>
        {
            Step::Done(acknowledged(answers))
        }
        (Call::WriteAttributes, []) => attributes(attribute_task("refresh")),
        (Call::Attributes { name: Some(name), node }, []) => {
            let query = attribute_task("query").set("attr_name", name).set_some("attr_host", node.as_ref());
            attributes(query)
        }
        (Call::Attributes { name: Some(name), .. }, [answer]) => Step::Done(values(name, *answer)),
        _ => refuse(
            RefusalKind::Usage,
            "this cannot be done from a remote node of a Pacemaker cluster: do it on a cluster node",
        ),
    }
}

/// Has the CIB's service tell of each change from now on, by an event. The response says only that this was heard.
pub fn subscription() -> Question {
    let request = Builder::new("cib-callback")
        .set("cib_op", "cib_notify")
        .set("cib_notify_type", "cib_diff_notify")
        .set("cib_notify_activate", 1);
    Question { service: "cib_rw", xml: request.text(), by_event: true }
}

/// What a tool is to be told of an event of the CIB's service; `None` if it tells of no change.
pub fn change_told(event: &str) -> Option<Reply> {
    let document = Document::parse(event).ok()?;
    let notice = document.root();
    let result = notice.child("cib_update_result").filter(|_| notice.attr("t") == Some("cib_notify"))?;
    let version = result.child("diff").and_then(|diff| diff.child("version")?.child("target"));
    let part = |name: &str| version.and_then(|version| version.attr(name)).unwrap_or("0");
    let version = ["admin_epoch", "epoch", "num_updates"].map(part).join(".");
    Some(Reply::Changed { version })
}

/// What a cluster is to forget of a resource on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forgotten<'a> {
    /// The node's name.
    pub node: &'a str,
    /// The cluster node that a remote or guest node's connection is at.
    pub host: Option<&'a str>,
    /// By the name its history has.
    pub resource: &'a str,
    /// Its agent.
    pub class: &'a str,
    /// The agent's provider.
    pub provider: Option<&'a str>,
    /// What the agent is called.
    pub kind: &'a str,
    /// Only failures of this operation: its name and interval in milliseconds.
    pub operation: Option<(&'a str, u64)>,
}

/// Has failures forgotten, and then the history, so that the resource is probed. The responses only say that this was heard.
pub fn forget(what: &Forgotten<'_>, id: i32) -> [Question; 2] {
    let failures = attribute_task("clear-failure")
        .set("attr_host", what.node)
        .set("attr_resource", what.resource)
        .set_some("attr_clear_operation", what.operation.map(|(name, _)| name))
        .set_some("attr_clear_interval", what.operation.map(|(_, interval_ms)| format!("{interval_ms}ms")))
        .set("attr_is_remote", u8::from(what.host.is_some()));
    let history = controller_request("lrm_delete", format!("lrm-delete-systole-{id}"))
        .set("crm_host_to", what.host.unwrap_or(what.node))
        .inside("crm_xml")
        .inside("rsc_op")
        // It has to have some; this is logged.
        .set("transition-key", "0:0:0:00000000-0000-0000-0000-000000000000")
        .set("on_node", what.node)
        .set_some("router_node", what.host)
        .inside("primitive")
        .set("id", what.resource)
        .set("class", what.class)
        .set_some("provider", what.provider)
        .set("type", what.kind)
        .outside()
        .inside("attributes")
        .set("crm_feature_set", FEATURE_SET)
        .set("CRM_meta_timeout", 60_000);
    let history = Question { service: "crmd", xml: history.text(), by_event: false };
    [Question { service: "attrd", xml: failures.text(), by_event: false }, history]
}

fn refuse(kind: RefusalKind, message: &str) -> Step {
    Step::Done(Reply::Refused(Refusal { kind, message: message.to_owned() }))
}

fn unreadable() -> Reply {
    let message = "the cluster's answer has no CIB in it".to_owned();
    Reply::Refused(Refusal { kind: RefusalKind::NotReady, message })
}

fn ask_cib(xml: String) -> Step {
    Step::Ask(Question { service: "cib_rw", xml, by_event: false })
}

fn apply(change: &CibCall, id: i32, force: bool) -> Step {
    match cib::request(change, id, force) {
        Some(xml) => ask_cib(xml),
        None => refuse(RefusalKind::Usage, "the change is no XML"),
    }
}

/// Asks about a node; about the one this is said on, if none is named.
fn ask_node(name: Option<&str>, id: i32) -> Step {
    let request = controller_request("node-info", format!("node-info-systole-{id}")).set_some("uname", name);
    Step::Ask(Question { service: "crmd", xml: request.text(), by_event: true })
}

fn controller_request(task: &str, reference: String) -> Builder {
    Builder::new("create_request_adv")
        .set("origin", "systole")
        .set("t", "crmd")
        .set("version", FEATURE_SET)
        .set("subt", "request")
        .set("reference", reference)
        .set("crm_task", task)
        .set("crm_sys_to", "crmd")
        .set("crm_sys_from", "systole")
}

fn attribute_task(task: &str) -> Builder {
    Builder::new("systole").set("t", "attrd").set("src", "systole").set("attr_version", 1).set("task", task)
}

fn attributes(request: Builder) -> Step {
    Step::Ask(Question { service: "attrd", xml: request.text(), by_event: false })
}

fn update_element(update: &AttributeUpdate, is_remote: bool) -> Builder {
    let task = match (update.keep_value, update.delay_ms, update.delay_if_new) {
        (true, ..) => "update-delay",
        (false, Some(_), false) => "update-both",
        _ => "update",
    };
    let host = Some(&update.node).filter(|node| !node.is_empty());
    attribute_task(task)
        .set(if update.pattern { "attr_regex" } else { "attr_name" }, &update.name)
        .set("attr_set_type", "instance_attributes")
        .set("attr_section", "status")
        .set_some("attr_value", update.value.as_ref())
        .set_some("attr_dampening", update.delay_ms.map(|ms| format!("{ms}ms")))
        .set_some("attr_host", host)
        .set_some("attr_set", update.set.as_ref())
        .set("attr_is_remote", u8::from(is_remote))
        .set("attr_is_private", u8::from(update.private))
        .set_some("attr_sync_point", update.everywhere.then_some("cluster"))
}

/// What the controller says in an answer.
fn controller_data(answer: Element<'_>) -> Option<Element<'_>> {
    answer.child("crm_xml")?.children().next()
}

fn is_remote(info: Element<'_>) -> bool {
    controller_data(info)
        .and_then(|node| node.attr("remote_node"))
        .is_some_and(|value| matches!(value, "true" | "1"))
}

/// About the node and the cluster: the first says who we are, the CIB who else is there.
fn report(info: Element<'_>, answer: Element<'_>) -> Reply {
    let Some(node) = controller_data(info).and_then(|node| attr(node, "uname")) else {
        let message = "the cluster does not know this node".to_owned();
        return Reply::Refused(Refusal { kind: RefusalKind::NotReady, message });
    };
    let id = controller_data(info).map_or(0, |node| node.number("id"));
    let has_quorum = controller_data(info)
        .and_then(|node| node.attr("have-quorum"))
        .is_some_and(|value| matches!(value, "true" | "1"));
    cib::read_answer(answer, |xml| {
        let Some(document) = xml.and_then(|xml| Document::parse(&xml).ok()) else { return unreadable() };
        let root = document.root();
        let states = root.child("status").into_iter().flat_map(Element::children);
        let members: Vec<Element<'_>> = states.filter(|state| is_member(*state)).collect();
        let dc = members
            .iter()
            .find(|state| state.id() == root.attr("dc-uuid"))
            .and_then(|state| attr(*state, "uname"));
        Reply::Node(NodeReport {
            node,
            node_id: id,
            dc,
            members: members.iter().filter_map(|state| attr(*state, "uname")).collect(),
            has_quorum,
            stack: "pacemaker".to_owned(),
            state: "remote".to_owned(),
            executor: true,
            version: attr(root, "crm_feature_set").unwrap_or_default(),
            ..NodeReport::default()
        })
    })
}

/// Whether an entry of the status section is a cluster node's that is there.
fn is_member(state: Element<'_>) -> bool {
    state.attr("remote_node").is_none() && !matches!(state.attr("crmd"), None | Some("offline" | "0"))
}

fn acknowledged(answers: &[Element<'_>]) -> Reply {
    let Some(answer) = answers.last() else { return Reply::Done };
    match answer.number::<i32>("status") {
        _ if answer.is("nack") => {
            let message = "the cluster's service cannot be reached".to_owned();
            Reply::Refused(Refusal { kind: RefusalKind::NotReady, message })
        }
        // Also what has no status: the acknowledgements of old. An update is taken up, and what comes of it not known yet.
        0 | INDETERMINATE => Reply::Done,
        status => Reply::Refused(status_of(status)),
    }
}

fn values(name: &str, answer: Element<'_>) -> Reply {
    let value = |node: Element<'_>| {
        let (host, value) = (attr(node, "attr_host")?, node.attr("attr_value")?);
        Some(AttributeOnNode { node: host, name: name.to_owned(), value: value.to_owned() })
    };
    Reply::Attributes(answer.children_named("node").filter_map(value).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use systole_cib::ops::{CibAction, CibOptions, Scope};

    fn question(call: &Call, answers: &[&str]) -> Question {
        let answers: Vec<String> = answers.iter().map(|&answer| answer.to_owned()).collect();
        match next(call, 3, &answers) {
            Step::Ask(question) => question,
            Step::Done(reply) => panic!("no question but {reply:?}"),
        }
    }

    fn reply(call: &Call, answers: &[&str]) -> Reply {
        let answers: Vec<String> = answers.iter().map(|&answer| answer.to_owned()).collect();
        match next(call, 3, &answers) {
            Step::Done(reply) => reply,
            Step::Ask(question) => panic!("no answer but {question:?}"),
        }
    }

    const INFO: &str =
        r#"<r><crm_xml><node id="far" uname="far" remote_node="true" have-quorum="true"/></crm_xml></r>"#;

    #[test]
    fn a_cib_comes_out_of_its_wrapping() {
        let asked = question(&Call::Cib, &[]);
        assert_eq!(asked.service, "cib_rw");
        let answer = r#"<cib-reply cib_rc="0"><cib_calldata><cib epoch="3"/></cib_calldata></cib-reply>"#;
        assert_eq!(reply(&Call::Cib, &[answer]), Reply::Cib { xml: r#"<cib epoch="3"/>"#.into() });
        assert!(matches!(reply(&Call::Cib, &["<cib-reply/>"]), Reply::Refused(_)));
        assert!(matches!(reply(&Call::Cib, &["no XML"]), Reply::Refused(_)));
    }

    #[test]
    fn what_a_service_refuses_is_refused() {
        let change = CibCall {
            action: CibAction::Modify,
            scope: Scope::XPath("//nvpair[@id='x']".into()),
            xml: Some("<nvpair id=\"x\" value=\"1\"/>".into()),
            options: CibOptions::default(),
        };
        let call = Call::Apply { change, force: false };
        let asked = question(&call, &[]);
        for part in
            ["cib_op=\"cib_modify\"", "cib_section=\"//nvpair[@id='x']\"", "<nvpair id=\"x\" value=\"1\"/>"]
        {
            assert!(asked.xml.contains(part), "{part} in {}", asked.xml);
        }
        for (rc, kind) in [
            (-6, RefusalKind::Change(systole_cib::ops::Failure::NotFound)),
            (-202, RefusalKind::NoQuorum),
            (-62, RefusalKind::TimedOut),
        ] {
            let answer = format!("<cib-reply cib_rc=\"{rc}\"/>");
            assert!(
                matches!(reply(&call, &[&answer]), Reply::Refused(refusal) if refusal.kind == kind),
                "{rc}"
            );
        }
        assert!(matches!(reply(&call, &["<cib-reply cib_rc=\"0\"/>"]), Reply::Applied { output: None, .. }));
    }

    #[test]
    fn a_node_learns_its_name_and_the_members() {
        let asked = question(&Call::Node, &[]);
        assert_eq!((asked.service, asked.by_event), ("crmd", true));
        let cib = r#"<cib-reply cib_rc="0"><cib_calldata><cib dc-uuid="2"><status>
            <node_state id="1" uname="a" crmd="online"/><node_state id="2" uname="b" crmd="online"/>
            <node_state id="3" uname="c" crmd="offline"/><node_state id="far" uname="far" remote_node="true"/>
            </status></cib></cib_calldata></cib-reply>"#;
        let Reply::Node(report) = reply(&Call::Node, &[INFO, cib]) else { panic!() };
        assert_eq!((report.node.as_str(), report.dc.as_deref(), report.has_quorum), ("far", Some("b"), true));
        assert_eq!(report.members, ["a", "b"]);
    }

    #[test]
    fn an_attribute_of_a_remote_node_is_said_to_be_one() {
        let update = AttributeUpdate {
            node: "far".into(),
            name: "master-redis".into(),
            value: Some("7".into()),
            ..AttributeUpdate::default()
        };
        let call = Call::Attribute(update.clone());
        assert!(question(&call, &[]).xml.contains("uname=\"far\""));
        for (info, remote) in [(INFO.to_owned(), "1"), (INFO.replace("true", "false"), "0")] {
            let asked = question(&call, &[&info]);
            assert_eq!(asked.service, "attrd");
            for part in [
                "task=\"update\"",
                "attr_value=\"7\"",
                "attr_host=\"far\"",
                &format!("attr_is_remote=\"{remote}\""),
            ] {
                assert!(asked.xml.contains(part), "{part} in {}", asked.xml);
            }
        }
        assert_eq!(reply(&call, &[INFO, "<ack status=\"0\"/>"]), Reply::Done);
        assert_eq!(reply(&call, &[INFO, "<ack status=\"112\"/>"]), Reply::Done);
        assert_eq!(reply(&call, &[INFO, "<ack/>"]), Reply::Done);
        assert!(matches!(reply(&call, &[INFO, "<nack/>"]), Reply::Refused(_)));
        let removed = Call::Attribute(AttributeUpdate { value: None, ..update });
        assert!(!question(&removed, &[INFO]).xml.contains("attr_value"));
    }

    #[test]
    fn values_are_told_by_node() {
        let call = Call::Attributes { name: Some("a".into()), node: None };
        assert!(question(&call, &[]).xml.contains("attr_name=\"a\""));
        let answer = r#"<q attr_name="a"><node attr_host="x" attr_value="1"/><node attr_host="y"/></q>"#;
        let value = AttributeOnNode { node: "x".into(), name: "a".into(), value: "1".into() };
        assert_eq!(reply(&call, &[answer]), Reply::Attributes(vec![value]));
    }

    #[test]
    fn failures_are_forgotten_and_then_the_history() {
        let what = Forgotten {
            node: "far",
            host: Some("a"),
            resource: "redis",
            class: "ocf",
            provider: Some("heartbeat"),
            kind: "redis",
            operation: Some(("monitor", 20_000)),
        };
        let [failures, history] = forget(&what, 3);
        assert_eq!((failures.service, history.service), ("attrd", "crmd"));
        for (asked, part) in [
            (&failures, "task=\"clear-failure\""),
            (&failures, "attr_host=\"far\" attr_resource=\"redis\""),
            (
                &failures,
                "attr_clear_operation=\"monitor\" attr_clear_interval=\"20000ms\" attr_is_remote=\"1\"",
            ),
            (&history, "crm_task=\"lrm_delete\""),
            (&history, "crm_host_to=\"a\""),
            (&history, "on_node=\"far\" router_node=\"a\""),
            (&history, r#"<primitive id="redis" class="ocf" provider="heartbeat" type="redis"/>"#),
        ] {
            assert!(asked.xml.contains(part), "{part} in {}", asked.xml);
        }
        let [failures, history] = forget(&Forgotten { node: "a", host: None, operation: None, ..what }, 3);
        assert!(failures.xml.contains("attr_is_remote=\"0\"") && !failures.xml.contains("attr_clear_"));
        assert!(history.xml.contains("crm_host_to=\"a\"") && !history.xml.contains("router_node"));
    }

    #[test]
    fn a_notice_of_a_change_tells_the_version_and_others_are_none() {
        assert!(subscription().xml.contains("cib_notify_type=\"cib_diff_notify\""));
        let notice = r#"<notify t="cib_notify" subt="cib_diff_notify" cib_rc="0"><cib_update_result><diff format="2">
            <version><source admin_epoch="1" epoch="4" num_updates="9"/><target admin_epoch="1" epoch="5" num_updates="0"/>
            </version></diff></cib_update_result></notify>"#;
        assert_eq!(change_told(notice), Some(Reply::Changed { version: "1.5.0".into() }));
        for other in ["<notify t=\"cib_notify\"/>", "<cib-reply cib_rc=\"0\"/>", "no XML"] {
            assert_eq!(change_told(other), None, "{other}");
        }
    }

    #[test]
    fn what_pacemaker_has_no_service_for_is_refused() {
        for call in
            [Call::Shutdown, Call::WaitIdle { timeout_ms: 1 }, Call::Attributes { name: None, node: None }]
        {
            assert!(matches!(reply(&call, &[]), Reply::Refused(_)), "{call:?}");
        }
    }

    /// What one side of this program writes, the other reads.
    #[test]
    fn our_questions_are_understood_by_our_own_services() {
        use super::super::{Service, Wish, read};
        for (call, answers, service) in [
            (Call::Cib, vec![], Service::Cib),
            (Call::Node, vec![], Service::Controller),
            (Call::WriteAttributes, vec![], Service::Attributes),
            (Call::Attributes { name: Some("a".into()), node: None }, vec![], Service::Attributes),
        ] {
            let asked = question(&call, &answers);
            let wish = read(service, "s", "far", (1, crate::remote::proxy::WANTS_RESPONSE), &asked.xml);
            assert!(matches!(wish, Ok(Wish::Ask(..))), "{call:?}: {wish:?}");
        }
    }
}
