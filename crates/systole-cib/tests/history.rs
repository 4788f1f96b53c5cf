//! The status section as the controller leaves it.

use std::{sync::Arc, time::Duration};
use systole_cib::{
    history::{self, History, Join, Membership, MembershipFormat},
    model::{self, Agent, HistoryEntry, RecordedOp, Verified, Writer},
    xml::{Document, Style},
};
use systole_types::{
    NodeId, NodeUuid, OcfRc, OpStatus, OperationKey, ResourceId, Score, Timestamp, TransitionKey,
    TransitionMagic,
};

fn empty() -> Document {
    Document::parse("<cib epoch='1' num_updates='3' admin_epoch='0'><configuration/><status/></cib>")
        .expect("well formed")
}

fn node() -> NodeUuid {
    NodeUuid::new("1")
}

fn agent() -> Agent {
    Agent { class: "ocf".into(), provider: Some("heartbeat".into()), kind: "Dummy".into() }
}

fn of(resource: &str) -> History {
    History { node: node(), resource: ResourceId::new(resource), agent: agent(), container: None }
}

/// `vip monitor 10000 rc=7 expected=0 status=0`
fn entry(
    resource: &str,
    operation: &str,
    interval_ms: u64,
    rc: i32,
    expected: i32,
    status: i32,
) -> HistoryEntry {
    let (rc, status) = (OcfRc::from_code(rc), OpStatus::from_code(status));
    let key =
        TransitionKey { action: 12, transition: 3, target_rc: OcfRc::from_code(expected), uuid: "u".into() };
    let op = RecordedOp {
        id: "".into(),
        key: OperationKey::new(resource, operation, Duration::from_millis(interval_ms)),
        has_key: true,
        task: operation.split('_').find(|part| *part == "notify").unwrap_or(operation).into(),
        interval_ms,
        digest_all: Some("d1".into()),
        digest_restart: Some((Some(" state ".into()), "d2".into())),
        digest_secure: None,
        migrate_source: None,
        migrate_target: None,
    };
    let by = Writer {
        on_node: Some(NodeId::new("n1")),
        feature_set: Some("3.19.0".into()),
        origin: Some("test".into()),
    };
    HistoryEntry {
        op: op.into(),
        by: by.into(),
        call_id: Some(5),
        rc,
        status,
        magic: Some(TransitionMagic { status, rc, key }),
        is_magic_written: true,
        exit_reason: Some("because".into()),
        last_rc_change: Some(Timestamp(1_700_000_000)),
        exec_time_ms: Some(20),
        queue_time_ms: Some(0),
        verified: Verified::default(),
    }
}

fn entries(document: &Document) -> Vec<String> {
    let ops = document.root().descendants().filter(|e| e.is("lrm_rsc_op"));
    ops.map(|op| format!("{} {}", op.id().expect("an id"), op.attr("operation").expect("an operation")))
        .collect()
}

#[test]
fn each_result_goes_to_the_entry_it_belongs_to() {
    for (operation, interval, rc, expected, status, written) in [
        ("start", 0, 0, 0, 0, vec!["r_last_0 start"]),
        ("monitor", 0, 7, 7, 0, vec!["r_last_0 monitor"]),
        ("monitor", 0, 0, 7, 0, vec!["r_last_failure_0 monitor", "r_last_0 monitor"]),
        ("start", 0, 1, 0, 0, vec!["r_last_failure_0 start", "r_last_0 start"]),
        ("start", 0, 1, 0, 2, vec!["r_last_failure_0 start", "r_last_0 start"]),
        ("start", 0, 193, 0, -1, vec!["r_last_0 start"]),
        ("monitor", 10_000, 0, 0, 0, vec!["r_monitor_10000 monitor"]),
        ("monitor", 10_000, 7, 0, 0, vec!["r_last_failure_0 monitor"]),
        ("monitor", 10_000, 193, 0, -1, vec!["r_monitor_10000 monitor"]),
        ("migrate_to", 0, 1, 0, 0, vec!["r_migrate_to_0 migrate_to"]),
        ("post_notify_start", 0, 0, 0, 0, vec!["r_post_notify_start_0 notify"]),
        ("reload", 0, 0, 0, 0, vec!["r_last_0 start"]),
        ("reload-agent", 0, 1, 0, 4, vec!["r_last_failure_0 monitor", "r_last_0 monitor"]),
    ] {
        let mut document = empty();
        assert!(history::record(
            &mut document,
            &of("r"),
            &entry("r", operation, interval, rc, expected, status)
        ));
        assert_eq!(entries(&document), written, "{operation} {interval} {rc} {expected} {status}");
    }
}

#[test]
fn an_entry_is_written_in_pacemakers_order_and_read_back() {
    let mut document = empty();
    let mut start = entry("r", "start", 0, 0, 0, 0);
    history::record(&mut document, &of("r"), &start);
    assert!(!history::record(&mut document, &of("r"), &start), "the same result changes nothing");
    let op = document.root().child("status").expect("status").write(Style::Compact);
    assert_eq!(
        op,
        "<status><node_state id=\"1\"><lrm id=\"1\"><lrm_resources><lrm_resource id=\"r\" type=\"Dummy\" class=\"ocf\" \
         provider=\"heartbeat\"><lrm_rsc_op id=\"r_last_0\" operation_key=\"r_start_0\" operation=\"start\" \
         crm-debug-origin=\"test\" crm_feature_set=\"3.19.0\" transition-key=\"12:3:0:u\" \
         transition-magic=\"0:0;12:3:0:u\" exit-reason=\"\" on_node=\"n1\" call-id=\"5\" rc-code=\"0\" op-status=\"0\" \
         interval=\"0\" last-rc-change=\"1700000000\" exec-time=\"20\" queue-time=\"0\" op-digest=\"d1\" \
         op-force-restart=\" state \" op-restart-digest=\"d2\"/></lrm_resource></lrm_resources></lrm></node_state></status>"
    );
    let (cib, diagnostics) = model::read(&document);
    assert_eq!(diagnostics, []);
    let history = &cib.node_states[0].history.as_ref().expect("a history")[0];
    assert_eq!(history.agent.as_deref(), Some(&agent()));
    Arc::make_mut(&mut start.op).id = "r_last_0".into();
    start.exit_reason = Some("".into());
    assert_eq!(history.operations, [start]);
}

#[test]
fn what_is_recorded_under_a_name_that_instances_share_is_told_apart() {
    let mut document = empty();
    for name in ["same", "other", "gone", "like", "alone", "unique", "dense", "kept"] {
        history::record(&mut document, &of(name), &entry(name, "start", 0, 0, 0, 0));
    }
    let dummy = |id: &str| format!(r#"<primitive id="{id}" class="ocf" provider="heartbeat" type="Dummy"/>"#);
    let unique =
        r#"<meta_attributes id="m"><nvpair id="n" name="globally-unique" value="yes"/></meta_attributes>"#;
    let resources = [
        format!(r#"<clone id="c1"><group id="g">{}"#, dummy("same")),
        r#"<primitive id="other" class="ocf" provider="heartbeat" type="IPaddr2"/></group></clone>"#.into(),
        r#"<template id="t" class="ocf" provider="heartbeat" type="Dummy"/>"#.into(),
        r#"<clone id="c2"><primitive id="like" template="t"/></clone>"#.into(),
        dummy("alone"),
        format!(r#"<clone id="c3">{unique}{}</clone>"#, dummy("unique")),
        format!(r#"<bundle id="b1"><podman replicas-per-host="2"/>{}</bundle>"#, dummy("dense")),
        format!(r#"<bundle id="b2"><podman replicas="2"/>{}</bundle>"#, dummy("kept")),
    ]
    .concat();
    let configuration = format!("<configuration><resources>{resources}</resources></configuration>");
    let text = document.to_text().replace("<configuration/>", &configuration);
    let document = Document::parse(text).expect("XML");
    let entries = document.root().descendants().filter(|element| element.is("lrm_resource"));
    let kept: Vec<_> =
        entries.filter(|e| history::is_of_instances(&document, *e)).filter_map(|e| e.id()).collect();
    assert_eq!(kept, ["same", "like", "kept"]);
}

#[test]
fn what_is_forgotten_is_gone_and_nothing_else() {
    let mut document = empty();
    for operation in [
        entry("r", "start", 0, 0, 0, 0),
        entry("r", "monitor", 10, 0, 0, 0),
        entry("r", "monitor", 10, 7, 0, 0),
    ] {
        history::record(&mut document, &of("r"), &operation);
    }
    history::record(&mut document, &of("s"), &entry("s", "start", 0, 0, 0, 0));
    let resource = ResourceId::new("r");
    let monitor = OperationKey::new("r", "monitor", Duration::from_millis(10));
    assert!(history::delete_operation(&mut document, &node(), &resource, &monitor));
    assert_eq!(entries(&document), ["r_last_0 start", "s_last_0 start"]);
    assert!(!history::delete_operation(&mut document, &node(), &resource, &monitor), "it is gone");
    assert!(history::erase_resource(&mut document, &node(), &resource));
    assert_eq!(entries(&document), ["s_last_0 start"]);
    assert!(history::erase_status(&mut document, &node()));
    assert_eq!(
        document.root().child("status").expect("status").write(Style::Compact),
        "<status><node_state id=\"1\"/></status>"
    );
    assert!(history::erase_node(&mut document, &node()) && !history::erase_node(&mut document, &node()));
    assert_eq!(history::count(&mut document).to_string(), "0.1.4");
}

#[test]
fn membership_is_written_in_words_or_times() {
    let since = Timestamp(1_700_000_000);
    let joining = Membership { join: Join::Pending, ..Membership::online(since) };
    for (membership, format, written) in [
        (Membership::online(since), MembershipFormat::Words, "true online member member"),
        (Membership::online(since), MembershipFormat::Times, "1700000000 1700000000 member member"),
        (joining, MembershipFormat::Words, "true online pending member"),
        (Membership::lost(), MembershipFormat::Words, "false offline down member"),
        (Membership::shut_down(), MembershipFormat::Times, "0 0 down down"),
    ] {
        let mut document = empty();
        history::set_membership(&mut document, &node(), &NodeId::new("n1"), &membership, format, "test");
        let state = document.find_id("1").expect("a state");
        let attrs = ["in_ccm", "crmd", "join", "expected"].map(|name| state.attr(name).expect(name));
        assert_eq!(attrs.join(" "), written);
    }
}

#[test]
fn failures_are_counted_per_operation_and_cleared() {
    let mut document = empty();
    let name = history::failcount_name("r", "monitor", 10_000);
    assert_eq!(name, "fail-count-r#monitor_10000");
    for by in [Score::finite(1), Score::finite(1), Score::INFINITY] {
        history::add_failure(&mut document, &node(), "r", ("monitor", 10_000), by, Timestamp(99));
    }
    history::add_failure(&mut document, &node(), "r", ("start", 0), Score::finite(1), Timestamp(99));
    history::add_failure(&mut document, &node(), "r2", ("start", 0), Score::finite(1), Timestamp(99));
    assert_eq!(history::transient_attribute(&document, &node(), &name), Some("INFINITY"));
    let pair = document.find_id("status-1-fail-count-r.monitor_10000").expect("the id without #");
    assert_eq!(pair.parent().and_then(|set| set.id()), Some("status-1"));
    assert!(history::clear_failures(&mut document, &node(), "r", Some(("monitor", 10_000))));
    assert_eq!(history::transient_attribute(&document, &node(), "last-failure-r#start_0"), Some("99"));
    assert!(history::clear_failures(&mut document, &node(), "r", None));
    let left: Vec<_> = document.root().descendants().filter_map(|e| e.attr("name")).collect();
    assert_eq!(left, ["fail-count-r2#start_0", "last-failure-r2#start_0"]);
    assert!(history::set_attribute(&mut document, &node(), "standby", Some("on")));
    assert!(history::set_attribute(&mut document, &node(), "standby", None));
}
