//! Requests as stock 2.1.5 tools sent them through a stock remote daemon, what the cluster is asked for them, and what
//! the tools are told.

use systole_cib::ops::{CibAction, CibCall, Failure, Scope};
use systole_wire::{
    api::{AttributeOnNode, AttributeUpdate, Call, NodeReport, Refusal, RefusalKind, Reply},
    remote::{
        ProxyBody,
        stock::{Pending, Service, Wish, read},
    },
};

/// Flags of requests whose sender waits for a response, and of those whose sender does not.
const WAITS: u32 = 768;
const GOES_ON: u32 = 256;

fn ask(service: Service, flags: u32, xml: &str) -> (Call, Pending) {
    match read(service, "session-1", "far", (3, flags), xml).expect("readable") {
        Wish::Ask(call, pending) => (*call, *pending),
        Wish::Answer(bodies) => panic!("{bodies:?}"),
    }
}

fn change(call: Call) -> CibCall {
    match call {
        Call::Apply { change, force: false } => change,
        other => panic!("{other:?}"),
    }
}

fn found(output: &str) -> Reply {
    Reply::Applied { version: "0.1.2".into(), output: Some(output.into()) }
}

fn refused(kind: RefusalKind) -> Reply {
    Reply::Refused(Refusal { kind, message: String::new() })
}

const QUERY: &str = r#"<cib_command __name__="cib_command" t="cib" cib_async_id="aaaa-bbbb" cib_op="cib_query" cib_section="//cib/configuration/crm_config//nvpair[@name='a']" cib_callid="2" cib_callopt="4354"/>"#;

#[test]
fn the_cib_is_asked_what_the_tool_asks() {
    let command = |rest: &str| format!(r#"<cib_command t="cib" cib_callid="2" {rest}</cib_command>"#);
    for (xml, action, scope, data, allow_create) in [
        (
            QUERY.to_owned(),
            CibAction::Query,
            Scope::XPath("//cib/configuration/crm_config//nvpair[@name='a']".into()),
            None,
            false,
        ),
        (command(r#"cib_op="cib_query" cib_callopt="4352">"#), CibAction::Query, Scope::All, None, false),
        (
            command(r#"cib_op="cib_query" cib_section="nodes" cib_callopt="4352">"#),
            CibAction::Query,
            Scope::Section("nodes".into()),
            None,
            false,
        ),
        (
            command(
                r#"cib_op="cib_modify" cib_section="crm_config" cib_callopt="4104"><cib_calldata><crm_config><x id="1"/></crm_config></cib_calldata>"#,
            ),
            CibAction::Modify,
            Scope::Section("crm_config".into()),
            Some(r#"<crm_config><x id="1"/></crm_config>"#),
            true,
        ),
        (
            command(r#"cib_op="cib_delete" cib_section="//x" cib_callopt="4102">"#),
            CibAction::DeleteAll,
            Scope::XPath("//x".into()),
            None,
            false,
        ),
    ] {
        let asked = change(ask(Service::Cib, WAITS, &xml).0);
        assert_eq!((asked.action, asked.scope, asked.xml.as_deref()), (action, scope, data), "{xml}");
        assert_eq!(asked.options.allow_create, allow_create, "{xml}");
    }
}

#[test]
fn an_answer_of_the_cib_comes_the_way_it_is_waited_for() {
    let pair = r#"<nvpair id="p" name="a" value="V"/>"#;
    let reply = r#"<cib-reply t="cib" cib_op="cib_query" cib_callid="2" cib_callopt="4354" cib_rc="0"><cib_calldata><nvpair id="p" name="a" value="V"/></cib_calldata></cib-reply>"#;
    let (_, pending) = ask(Service::Cib, WAITS, QUERY);
    assert_eq!(pending.answer(&found(pair)), [ProxyBody::Response { id: 3, xml: reply.into() }]);
    let (_, pending) = ask(Service::Cib, GOES_ON, &QUERY.replace("4354", "2"));
    let event = ProxyBody::Event { xml: reply.replace("4354", "2") };
    assert_eq!(pending.answer(&found(pair)), [event]);
    for (kind, rc) in [
        (RefusalKind::Change(Failure::NotFound), "-6"),
        (RefusalKind::Change(Failure::Invalid), "-203"),
        (RefusalKind::NoQuorum, "-202"),
    ] {
        let (_, pending) = ask(Service::Cib, WAITS, QUERY);
        let [ProxyBody::Response { xml, .. }] = &pending.answer(&refused(kind))[..] else {
            panic!("one response")
        };
        assert!(xml.contains(&format!("cib_rc=\"{rc}\"")), "{xml}");
    }
}

#[test]
fn what_we_cannot_do_is_said_at_once() {
    for (service, xml, expected) in [
        (
            Service::Cib,
            r#"<cib_command t="cib" cib_op="register" cib_clientname="x" cib_callopt="4096"/>"#,
            "cib_clientid=\"session-1\"",
        ),
        (
            Service::Cib,
            r#"<cib_command t="cib" cib_op="cib_query" cib_callid="2" cib_callopt="4608"/>"#,
            "cib_rc=\"-95\"",
        ),
        (Service::Cib, r#"<cib_command t="cib" cib_op="cib_schemas" cib_callid="2"/>"#, "cib_rc=\"-95\""),
        (
            Service::Attributes,
            r#"<create_attrd_op t="attrd" task="peer-remove" attr_host="x"/>"#,
            "status=\"3\"",
        ),
        (
            Service::Attributes,
            r#"<create_attrd_op t="attrd" task="update" attr_name="cpu" attr_value="4" attr_set_type="utilization"/>"#,
            "status=\"3\"",
        ),
        (
            Service::Fencing,
            r#"<stonith_command t="stonith-ng" st_op="register" st_clientname="crm_mon"/>"#,
            "st_clientid=\"session-1\"",
        ),
        (
            Service::Fencing,
            r#"<stonith_command t="stonith-ng" st_op="st_fence_history" st_callid="2" st_callopt="4096"/>"#,
            "st_callid=\"2\"",
        ),
    ] {
        let wish = read(service, "session-1", "far", (3, WAITS), xml).expect("readable");
        let Wish::Answer(bodies) = wish else { panic!("{wish:?}") };
        let [ProxyBody::Response { id: 3, xml }] = &bodies[..] else { panic!("{bodies:?}") };
        assert!(xml.contains(expected), "{xml}");
    }
    let unheard_of = r#"<create_request_adv t="crmd" crm_task="lrm_refresh"/>"#;
    let wish = read(Service::Controller, "s", "far", (2, WAITS), unheard_of).expect("readable");
    let heard = ProxyBody::Response { id: 2, xml: r#"<ack status="3"/>"#.into() };
    assert_eq!(wish, Wish::Answer(vec![heard, ProxyBody::Destroy]), "the tool would wait for an event");
    let hello = r#"<create_request_adv t="crmd" crm_task="hello"/>"#;
    let wish = read(Service::Controller, "s", "far", (2, GOES_ON), hello).expect("readable");
    assert_eq!(wish, Wish::Answer(vec![]), "nobody waits");
    for text in ["", "<x/>", "no xml"] {
        for service in [Service::Cib, Service::Attributes, Service::Controller, Service::Fencing] {
            assert!(read(service, "s", "far", (1, WAITS), text).is_err(), "{text}");
        }
    }
}

#[test]
fn attributes_without_a_host_are_the_remote_nodes() {
    for (rest, node, value) in [
        (r#"attr_value="3""#, "far", Some("3")),
        ("", "far", None),
        (r#"attr_value="3" attr_host="near""#, "near", Some("3")),
        (r#"attr_value="" attr_host="localhost""#, "far", Some("")),
    ] {
        let xml = format!(
            r#"<create_attrd_op t="attrd" src="attrd_updater" attr_name="a" task="update" {rest} attr_is_remote="0" attr_is_private="0"/>"#
        );
        let (call, pending) = ask(Service::Attributes, WAITS, &xml);
        let value = value.map(str::to_owned);
        let update = AttributeUpdate {
            node: node.into(),
            name: "a".into(),
            value,
            delay_if_new: true,
            ..AttributeUpdate::default()
        };
        assert_eq!(call, Call::Attribute(update), "{xml}");
        let [ProxyBody::Response { id: 3, xml }] = &pending.answer(&Reply::Done)[..] else {
            panic!("one response")
        };
        assert_eq!(xml, r#"<ack status="0"/>"#);
    }
}

#[test]
fn an_attribute_may_be_private_held_back_and_waited_for() {
    let xml = r#"<create_attrd_op t="attrd" attr_name="a" attr_value="1" task="update-both" attr_dampening="5s" attr_is_private="1"/>"#;
    let (call, _) = ask(Service::Attributes, WAITS, xml);
    let Call::Attribute(update) = call else { panic!("{call:?}") };
    assert_eq!((update.delay_ms, update.delay_if_new, update.private), (Some(5000), false, true));
    for (point, everywhere) in [("cluster", true), ("local", false)] {
        let xml = format!(r#"<x t="attrd" attr_name="a" task="update" attr_sync_point="{point}"/>"#);
        let (call, _) = ask(Service::Attributes, WAITS, &xml);
        let Call::Attribute(update) = call else { panic!("{call:?}") };
        assert_eq!(update.everywhere, everywhere, "{point}");
    }
}

#[test]
fn attribute_queries_are_answered_with_what_the_attribute_manager_knows() {
    let on_node = |node: &str, name: &str, value: &str| AttributeOnNode {
        node: node.into(),
        name: name.into(),
        value: value.into(),
    };
    let known = [on_node("near", "a", "1"), on_node("far", "b", "2")];
    for (rest, expected) in [
        (r#"attr_name="a""#, r#" attr_name="a"><node attr_host="near" attr_value="1"/></attrd_query>"#),
        (r#"attr_name="a" attr_host="far""#, r#" attr_name="a"><node attr_host="far"/></attrd_query>"#),
        (
            r#"attr_name="b" attr_host="far""#,
            r#" attr_name="b"><node attr_host="far" attr_value="2"/></attrd_query>"#,
        ),
        (
            r#"attr_name="b" attr_host="localhost""#,
            r#" attr_name="b"><node attr_host="far" attr_value="2"/></attrd_query>"#,
        ),
        (r#"attr_name="c""#, "/>"),
    ] {
        let xml = format!(r#"<create_attrd_op t="attrd" src="attrd_updater" {rest} task="query"/>"#);
        let (call, pending) = ask(Service::Attributes, WAITS, &xml);
        let Call::Attributes { name, node: None } = call else { panic!("{call:?}") };
        let is_it = |known: &&AttributeOnNode| Some(&known.name) == name.as_ref();
        let reply = Reply::Attributes(known.iter().filter(is_it).cloned().collect());
        let [ProxyBody::Response { xml, .. }] = &pending.answer(&reply)[..] else { panic!("one response") };
        assert_eq!(xml, &format!(r#"<attrd_query t="attrd" subt="query" attr_version="2"{expected}"#));
    }
}

#[test]
fn the_controller_knows_nodes() {
    let request = |task: &str, rest: &str| {
        format!(
            r#"<create_request_adv origin="create_controller_request" t="crmd" version="3.16.1" subt="request" reference="{task}-crm_node-1" crm_task="{task}" crm_sys_to="crmd" crm_sys_from="63_crm_node" {rest}/>"#
        )
    };
    let report = NodeReport {
        node: "near".into(),
        node_id: 1,
        members: vec!["near".into(), "next".into()],
        has_quorum: true,
        ..NodeReport::default()
    };
    let node = Reply::Node(report);
    let cib = Reply::Cib {
        xml: r#"<cib><configuration><nodes><node id="1" uname="near"/><node id="2" uname="next"/><node id="far" uname="far" type="remote"/></nodes></configuration><status><node_state id="1" crmd="online"/></status></cib>"#.into(),
    };
    for (task, rest, reply, expected) in [
        (
            "node-info",
            "",
            &node,
            r#"<node crm_subsystem="crmd" have-quorum="true" id="far" uname="far" crmd="member" remote_node="true"/>"#,
        ),
        (
            "node-info",
            r#"id="1""#,
            &node,
            r#"<node crm_subsystem="crmd" have-quorum="true" id="1" uname="near" crmd="member" remote_node="false"/>"#,
        ),
        (
            "node-info",
            r#"uname="gone""#,
            &node,
            r#"<node crm_subsystem="crmd" have-quorum="true" id="gone" uname="gone" crmd="lost" remote_node="false"/>"#,
        ),
        (
            "list-nodes",
            "",
            &cib,
            r#"<nodes><node id="1" uname="near" in_ccm="member"/><node id="2" uname="next" in_ccm="lost"/></nodes>"#,
        ),
        (
            "ping",
            r#"crm_host_to="next""#,
            &node,
            r#"<ping_response crm_subsystem="crmd" crmd_state="S_NOT_DC" result="ok"/>"#,
        ),
    ] {
        let (_, pending) = ask(Service::Controller, WAITS, &request(task, rest));
        assert!(matches!(&pending.at_once()[..], [ProxyBody::Response { .. }]), "{task} is heard");
        let bodies = pending.answer(reply);
        let [ProxyBody::Event { xml }] = &bodies[..] else { panic!("{bodies:?}") };
        assert!(xml.contains(&format!("<crm_xml>{expected}</crm_xml>")), "{xml}");
        assert!(xml.contains(&format!(r#"subt="response" reference="{task}-crm_node-1""#)), "{xml}");
        assert!(xml.contains(r#"crm_sys_to="63_crm_node" crm_sys_from="crmd""#), "{xml}");
    }
}

#[test]
fn the_controller_that_is_asked_says_who_it_is() {
    let report = NodeReport {
        node: "near".into(),
        dc: Some("next".into()),
        members: vec!["near".into(), "next".into()],
        ..NodeReport::default()
    };
    let busy = NodeReport { idle: Some(false), node: "next".into(), ..report.clone() };
    for (rest, report, expected) in [
        (r#"crm_sys_to="dc""#, &report, Some(("next", "S_IDLE"))),
        (r#"crm_sys_to="dc""#, &busy, Some(("next", "S_TRANSITION_ENGINE"))),
        (r#"crm_sys_to="crmd""#, &report, Some(("near", "S_NOT_DC"))),
        (r#"crm_sys_to="crmd" crm_host_to="near""#, &busy, Some(("near", "S_NOT_DC"))),
        (r#"crm_sys_to="crmd" crm_host_to="gone""#, &report, None),
    ] {
        let xml = format!(r#"<x t="crmd" reference="r" crm_task="ping" crm_sys_from="me" {rest}/>"#);
        let (_, pending) = ask(Service::Controller, WAITS, &xml);
        let bodies = pending.answer(&Reply::Node(report.clone()));
        match (&bodies[..], expected) {
            ([ProxyBody::Event { xml }], Some((from, state))) => {
                assert!(xml.contains(&format!("src=\"{from}\"")), "{rest}: {xml}");
                assert!(xml.contains(&format!("crmd_state=\"{state}\"")), "{rest}: {xml}");
            }
            ([ProxyBody::Destroy], None) => {}
            _ => panic!("{rest}: {bodies:?}"),
        }
    }
}

#[test]
fn a_resource_is_refreshed_or_said_to_have_failed() {
    let about = |resource: &str, rest: &str| {
        format!(
            r#"<crm_xml><rsc_op transition-key="0:1:0:x" on_node="far" {rest}><primitive id="{resource}" class="ocf"/></rsc_op></crm_xml>"#
        )
    };
    let refresh = |resource: Option<&str>, node: Option<&str>| Call::Cleanup {
        resource: resource.map(str::to_owned),
        node: node.map(str::to_owned),
        only_failed: false,
        operation: None,
    };
    let everything = r#"<crm_xml><data_for_probe_again on_node="far" router_node="near"/></crm_xml>"#;
    for (task, data, call, answer) in [
        ("lrm_delete", about("db", r#"router_node="near""#), refresh(Some("db"), Some("far")), "lrm_invoke"),
        ("lrm_fail", about("db", ""), Call::Fail { resource: "db".into(), node: "far".into() }, "lrm_invoke"),
        ("probe_again", everything.to_owned(), refresh(None, Some("far")), "probe_again"),
        ("probe_again", String::new(), refresh(None, None), "probe_again"),
    ] {
        let xml = format!(r#"<x t="crmd" reference="r" crm_task="{task}" crm_sys_from="me">{data}</x>"#);
        let (asked, pending) = ask(Service::Controller, WAITS, &xml);
        assert_eq!(asked, call, "{xml}");
        let [ProxyBody::Event { xml }] = &pending.answer(&Reply::Done)[..] else { panic!("{task}") };
        assert!(xml.contains(&format!("crm_task=\"{answer}\"")), "{xml}");
        let bodies = pending.answer(&refused(RefusalKind::NotFound));
        assert_eq!(bodies, [ProxyBody::Destroy], "a tool has to end that waits for what does not come");
    }
    let about_nothing = r#"<x t="crmd" crm_task="lrm_delete"/>"#;
    assert!(read(Service::Controller, "s", "far", (1, WAITS), about_nothing).is_err());
}
