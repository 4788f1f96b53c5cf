//! Access control lists: what a user who may not do everything gets to see and to change.

use super::*;
use crate::message::{LEVEL_OF_MEANINGS, LEVEL_OF_REFUSALS};
use systole_cib::ops::{CibAction, CibCall, CibOptions, Failure, Scope};
use systole_wire::api::{AttributeUpdate, Call, Refusal, RefusalKind, Reply, Request};

/// Of a cluster in which whoever is in group `ops` may see everything, and change options and transient attributes.
fn bench(enabled: &str) -> Bench {
    let acls = r#"<acls><acl_role id="op">
        <acl_permission id="see" kind="read" xpath="/cib"/>
        <acl_permission id="options" kind="write" xpath="//crm_config"/>
        <acl_permission id="attributes" kind="write" xpath="//transient_attributes"/>
      </acl_role><acl_group id="ops"><role id="op"/></acl_group></acls></configuration>"#;
    let option = format!(r#"<nvpair id="acl" name="enable-acl" value="{enabled}"/></cluster_property_set>"#);
    let cib = CIB.replace("</configuration>", acls).replace("</cluster_property_set>", &option);
    let mut bench = Bench::with(&cib);
    bench.view(1);
    bench.tell(Event::Durable(*bench.tokens.last().expect("it is kept")));
    bench.wait(1);
    // There are attributes already: to make their set is another permission.
    assert_eq!(ask(&mut bench, "root", &[], attribute("ping")), Some(Reply::Done));
    bench
}

/// The answer, if there is one at once.
fn ask(bench: &mut Bench, user: &str, groups: &[&str], call: Call) -> Option<Reply> {
    bench.replies.clear();
    let request = Request { id: 1, client: "test".into(), user: Some(user.into()), call };
    let groups = groups.iter().map(|group| (*group).to_owned()).collect();
    bench.tell(Event::Request { client: crate::ClientId(7), request, groups });
    bench.replies.pop()
}

fn attribute(name: &str) -> Call {
    let (node, value) = ("a".to_owned(), Some("1".to_owned()));
    Call::Attribute(AttributeUpdate { node, name: name.into(), value, ..AttributeUpdate::default() })
}

fn apply(action: CibAction, section: &str, xml: Option<&str>) -> Call {
    let options = CibOptions { allow_create: true, ..CibOptions::default() };
    let scope = Scope::Section(section.to_owned());
    Call::Apply { change: CibCall { action, scope, xml: xml.map(str::to_owned), options }, force: false }
}

fn is_denied(reply: Option<&Reply>) -> bool {
    let Some(Reply::Refused(Refusal { kind, message })) = reply else { return false };
    *kind == RefusalKind::Change(Failure::Denied) && message == "Permission denied"
}

fn calls() -> Vec<(&'static str, Call)> {
    let option = r#"<cluster_property_set id="o"><nvpair id="o2" name="no-quorum-policy" value="stop"/></cluster_property_set>"#;
    vec![
        ("see the CIB", Call::Cib),
        ("query", apply(CibAction::Query, "resources", None)),
        ("change an option", apply(CibAction::Modify, "crm_config", Some(option))),
        ("set an attribute", attribute("pong")),
        ("delete a resource", apply(CibAction::Delete, "resources", Some(r#"<primitive id="r"/>"#))),
        ("clean up", Call::Cleanup { resource: None, node: None, only_failed: false, operation: None }),
        ("forget a node", Call::ForgetNode { node: "b".into() }),
        ("confirm a node off", Call::ConfirmOff { node: "b".into() }),
        ("end the daemon", Call::Shutdown),
    ]
}

#[test]
fn a_user_sees_and_changes_what_the_lists_allow_the_users_groups() {
    let (seeing, changing) = (2, 4);
    for (who, groups, n_allowed) in
        [("alice", &["ops"][..], changing), ("alice", &["other"], 0), ("root", &[], 9), ("hacluster", &[], 9)]
    {
        for (idx, (what, call)) in calls().into_iter().enumerate() {
            let mut bench = bench("true");
            let before = bench.machine.version();
            let denied = is_denied(ask(&mut bench, who, groups, call).as_ref());
            assert_eq!(denied, idx >= n_allowed, "{who} of {groups:?}: {what}");
            if denied || idx < seeing {
                assert_eq!(bench.machine.version(), before, "{what}");
            }
        }
    }
}

#[test]
fn where_lists_are_not_enabled_only_privileged_users_end_a_daemon() {
    for (what, call) in calls() {
        let is_refused = is_denied(ask(&mut bench("false"), "alice", &[], call).as_ref());
        assert_eq!(is_refused, what == "end the daemon", "{what}");
    }
}

#[test]
fn what_a_user_may_not_see_is_not_in_the_answers() {
    let mut bench = bench("true");
    let role =
        r#"<acl_role id="op"><acl_permission id="secret" kind="deny" xpath="//primitive"/></acl_role>"#;
    let hidden = ask(&mut bench, "root", &[], apply(CibAction::Modify, "acls", Some(role)));
    assert!(!is_denied(hidden.as_ref()));
    for (who, is_seen) in [("alice", false), ("root", true)] {
        let Some(Reply::Cib { xml }) = ask(&mut bench, who, &["ops"], Call::Cib) else { panic!("no CIB") };
        assert_eq!(xml.contains("<primitive"), is_seen, "{who}");
        let reply = ask(&mut bench, who, &["ops"], apply(CibAction::Query, "resources", None));
        let Some(Reply::Applied { output: Some(xml), .. }) = reply else { panic!("no answer: {reply:?}") };
        assert_eq!(xml.contains("<primitive"), is_seen, "{who}");
    }
}

#[test]
fn beside_a_member_that_does_not_ask_the_lists_the_one_that_is_asked_does() {
    for (minor, is_told) in [(PROTOCOL.minor, true), (LEVEL_OF_REFUSALS - 1, false)] {
        let mut bench = bench("true");
        bench.machine.replica.level = minor;
        bench.casts.clear();
        let refused = ask(&mut bench, "alice", &["ops"], Call::ForgetNode { node: "b".into() });
        assert!(is_denied(refused.as_ref()), "{refused:?}");
        assert_eq!(bench.casts.iter().any(|payload| payload.contains("forget_node")), is_told);
        assert!(ask(&mut bench, "alice", &["ops"], attribute("pong")) == Some(Reply::Done));
        assert_eq!(bench.casts.iter().any(|payload| payload.contains("alice")), is_told);
    }
}

/// Ways to say something of an attribute beside its value.
fn definitions(name: &str) -> [AttributeUpdate; 3] {
    let update = || AttributeUpdate {
        node: "a".into(),
        name: name.into(),
        value: Some("5".into()),
        ..AttributeUpdate::default()
    };
    [
        AttributeUpdate { delay_ms: Some(3_600_000), keep_value: true, ..update() },
        AttributeUpdate { private: true, ..update() },
        AttributeUpdate { set: Some("elsewhere".into()), keep_value: true, ..update() },
    ]
}

#[test]
fn only_who_may_change_an_attribute_says_how_it_is_kept() {
    for name in ["master-r", "standby", "ping"] {
        for update in definitions(name) {
            for (groups, is_allowed) in [(&["other"][..], false), (&["ops"], true)] {
                let mut bench = bench("true");
                let before = bench.machine.replica.ledger.attributes.clone();
                let reply = ask(&mut bench, "alice", groups, Call::Attribute(update.clone()));
                assert_eq!(is_denied(reply.as_ref()), !is_allowed, "{groups:?}: {update:?}");
                let is_said = bench.machine.replica.ledger.attributes != before;
                assert_eq!(is_said, is_allowed, "{groups:?}: {update:?}");
            }
        }
    }
}

#[test]
fn what_the_cluster_goes_by_is_never_held_back() {
    for name in ["shutdown", "fail-count-r#monitor_10000", "last-failure-r#monitor_10000"] {
        let mut bench = bench("true");
        for update in definitions(name) {
            assert_eq!(ask(&mut bench, "root", &[], Call::Attribute(update)), Some(Reply::Done));
        }
        let value = AttributeUpdate {
            node: "a".into(),
            name: name.into(),
            value: Some("7".into()),
            ..AttributeUpdate::default()
        };
        ask(&mut bench, "root", &[], Call::Attribute(value));
        assert!(
            bench.machine.replica.cib().to_text().contains(&format!("name=\"{name}\" value=\"7\"")),
            "{name}"
        );
    }
}

#[test]
fn a_change_finds_by_searching_only_what_who_asks_may_see() {
    let delete = |xpath: &str| {
        let change = CibCall {
            action: CibAction::Delete,
            scope: Scope::XPath(xpath.to_owned()),
            xml: None,
            options: CibOptions::default(),
        };
        Call::Apply { change, force: false }
    };
    for level in [PROTOCOL.minor, LEVEL_OF_REFUSALS - 1, LEVEL_OF_MEANINGS - 1] {
        let mut bench = bench("true");
        let role = r#"<acl_role id="op"><acl_permission id="secret" kind="deny" xpath="//nvpair[@id='acl']"/></acl_role>"#;
        ask(&mut bench, "root", &[], apply(CibAction::Modify, "acls", Some(role)));
        bench.machine.replica.level = level;
        let before = bench.machine.replica.cib().to_text();
        let reply =
            ask(&mut bench, "alice", &["ops"], delete("//nvpair[@name='enable-acl' and @value='true']"));
        assert_eq!(is_denied(reply.as_ref()), level < LEVEL_OF_REFUSALS, "{reply:?}");
        assert_eq!(bench.machine.replica.cib().to_text(), before);
    }
}
