//! Transient attributes: what is held back, kept out of the CIB, added up, and forgotten.

use super::{levels::join, *};
use crate::{
    ClientId,
    message::{
        AttributeChange, AttributeValue, LEVEL_OF_KEEPING, LEVEL_OF_PATTERNS, MembershipUpdate, NodeUpdate,
        Standing,
    },
};
use systole_wire::api::{AttributeUpdate, Call, FailedOperation, RefusalKind, Reply, Request};

pub(super) fn ask(bench: &mut Bench, call: Call) -> Reply {
    bench.replies.clear();
    let request = Request { id: 1, client: "test".into(), user: None, call };
    bench.tell(Event::Request { client: ClientId(9), request, groups: Vec::new() });
    bench.replies.pop().expect("it is answered at once")
}

fn update(name: &str, value: &str) -> AttributeUpdate {
    AttributeUpdate {
        node: "a".into(),
        name: name.into(),
        value: Some(value.into()),
        ..AttributeUpdate::default()
    }
}

fn set(bench: &mut Bench, update: AttributeUpdate) {
    assert_eq!(ask(bench, Call::Attribute(update)), Reply::Done);
}

/// As the attribute manager knows it.
fn known(bench: &mut Bench, name: &str) -> Option<String> {
    let call = Call::Attributes { name: Some(name.into()), node: Some("a".into()) };
    let Reply::Attributes(found) = ask(bench, call) else { panic!("not the question") };
    found.into_iter().next().map(|found| found.value)
}

fn is_written(bench: &Bench, name: &str, value: &str) -> bool {
    bench.machine.cib().to_text().contains(&format!("name=\"{name}\" value=\"{value}\""))
}

#[test]
fn a_dampened_attribute_is_known_at_once_and_written_when_it_has_not_changed_for_so_long() {
    let mut bench = Bench::start();
    bench.view(1);
    set(&mut bench, AttributeUpdate { delay_ms: Some(5000), ..update("ping", "1") });
    bench.wait(3);
    set(&mut bench, update("ping", "2"));
    bench.wait(3);
    assert_eq!(known(&mut bench, "ping").as_deref(), Some("2"));
    assert!(!bench.machine.cib().to_text().contains("ping"));
    bench.wait(3);
    assert!(is_written(&bench, "ping", "2"));
}

#[test]
fn a_delay_given_with_a_value_counts_only_for_a_new_attribute() {
    let mut bench = Bench::start();
    bench.view(1);
    set(&mut bench, AttributeUpdate { delay_ms: Some(5000), ..update("ping", "1") });
    set(&mut bench, AttributeUpdate { delay_ms: Some(0), delay_if_new: true, ..update("ping", "2") });
    assert!(!bench.machine.cib().to_text().contains("ping"));
    assert_eq!(ask(&mut bench, Call::WriteAttributes), Reply::Done);
    assert!(is_written(&bench, "ping", "2"));
    let keep = AttributeUpdate { keep_value: true, delay_ms: Some(0), ..update("ping", "") };
    set(&mut bench, keep);
    set(&mut bench, update("ping", "3"));
    assert!(is_written(&bench, "ping", "3"));
}

#[test]
fn a_private_attribute_is_never_written() {
    let mut bench = Bench::start();
    bench.view(1);
    set(&mut bench, AttributeUpdate { private: true, ..update("secret", "1") });
    set(&mut bench, update("secret", "2"));
    bench.wait(30);
    assert_eq!(known(&mut bench, "secret").as_deref(), Some("2"));
    assert!(!bench.machine.cib().to_text().contains("secret"));
    set(&mut bench, AttributeUpdate { value: None, ..update("secret", "") });
    assert_eq!(known(&mut bench, "secret"), None);
}

#[test]
fn values_can_be_added_to() {
    let mut bench = Bench::start();
    bench.view(1);
    for (value, becomes) in [
        ("5", "5"),
        ("value++", "6"),
        ("value+=10", "16"),
        ("value+=-4", "12"),
        ("c++", "c++"),
        ("value++", "1"),
        ("INFINITY", "INFINITY"),
        ("value++", "INFINITY"),
    ] {
        set(&mut bench, update("n", value));
        assert!(is_written(&bench, "n", becomes), "{value} should give {becomes}");
    }
}

#[test]
fn an_attribute_goes_to_the_set_it_was_first_given() {
    let mut bench = Bench::start();
    bench.view(1);
    set(&mut bench, AttributeUpdate { set: Some("mine".into()), ..update("n", "1") });
    assert!(bench.machine.cib().to_text().contains("<instance_attributes id=\"mine\">"));
}

#[test]
fn nothing_goes_to_a_set_that_would_pass_for_the_clusters_mark() {
    let mut bench = Bench::start();
    bench.view(1);
    let into = AttributeUpdate { set: Some("my-executor-is-away".into()), ..update("n", "1") };
    let reply = ask(&mut bench, Call::Attribute(into));
    assert!(matches!(reply, Reply::Refused(refusal) if refusal.kind == RefusalKind::Usage));
}

#[test]
fn a_change_that_changes_nothing_needs_no_plan() {
    let mut bench = Bench::start();
    bench.view(1);
    set(&mut bench, update("n", "1"));
    let version = bench.machine.version();
    set(&mut bench, update("n", "1"));
    assert_eq!(bench.machine.version(), version);
}

#[test]
fn a_change_for_everybody_is_answered_when_everybody_has_it() {
    let mut bench = Bench::start();
    let members = vec![(1, "a".to_owned()), (2, "b".to_owned())];
    bench.tell(Event::View(View { number: 1, own_id: 1, members, has_quorum: true }));
    let hello = bench.casts.last().expect("it says hello").replace("\"name\":\"a\"", "\"name\":\"b\"");
    bench.tell(Event::Delivered { from: 2, payload: hello });
    bench.wait(90);
    bench.replies.clear();
    let call = Call::Attribute(AttributeUpdate { everywhere: true, ..update("n", "1") });
    let request = Request { id: 1, client: "test".into(), user: None, call };
    bench.tell(Event::Request { client: ClientId(9), request, groups: Vec::new() });
    assert!(is_written(&bench, "n", "1"));
    assert_eq!(bench.replies, []);
    let heard = bench.casts.iter().rev().find(|payload| payload.contains("heard\":{")).expect("it says so");
    let heard = heard.clone();
    bench.tell(Event::Delivered { from: 2, payload: heard });
    assert_eq!(bench.replies, [Reply::Done]);
}

fn stand(bench: &mut Bench, standing: Standing) {
    let node = NodeUpdate { id: 1, name: "a".into(), standing };
    bench.machine.replica.apply_membership(&MembershipUpdate {
        dc: 2,
        has_quorum: true,
        version: "test".into(),
        stack: "hub".into(),
        nodes: vec![node],
        at: 0,
    });
}

#[test]
fn attributes_go_with_a_lost_node_and_come_back_if_it_was_not_booted() {
    let mut bench = Bench::start();
    bench.view(1);
    set(&mut bench, update("n", "1"));
    set(&mut bench, AttributeUpdate { private: true, ..update("secret", "1") });
    stand(&mut bench, Standing::Lost);
    assert!(!is_written(&bench, "n", "1"));
    // The next DC says so, too.
    stand(&mut bench, Standing::Lost);
    assert_eq!(bench.machine.replica.attribute("a", "secret"), None);
    stand(&mut bench, Standing::Member);
    assert!(is_written(&bench, "n", "1"));
    stand(&mut bench, Standing::Off);
    stand(&mut bench, Standing::Member);
    assert!(!is_written(&bench, "n", "1"));
}

#[test]
fn attributes_of_a_node_that_is_said_to_be_lost_once_more_are_kept_by_all_members_or_none() {
    for (minor, are_kept) in [(PROTOCOL.minor, true), (LEVEL_OF_KEEPING - 1, false)] {
        let mut bench = Bench::start();
        join(&mut bench, minor);
        bench.wait(90);
        set(&mut bench, update("n", "1"));
        for standing in [Standing::Lost, Standing::Lost, Standing::Member] {
            stand(&mut bench, standing);
        }
        assert_eq!(is_written(&bench, "n", "1"), are_kept, "beside one that speaks 1.{minor}");
    }
}

#[test]
fn failures_of_one_operation_can_be_forgotten_alone() {
    let mut bench = Bench::start();
    bench.view(1);
    for operation in ["monitor_10000", "start_0"] {
        set(&mut bench, update(&format!("fail-count-r#{operation}"), "1"));
    }
    let operation = Some(FailedOperation { name: "monitor".into(), interval_ms: 10000 });
    let cleanup = Call::Cleanup { resource: Some("r".into()), node: None, only_failed: true, operation };
    assert_eq!(ask(&mut bench, cleanup), Reply::Done);
    assert_eq!(known(&mut bench, "fail-count-r#monitor_10000"), None);
    assert_eq!(known(&mut bench, "fail-count-r#start_0").as_deref(), Some("1"));
}

#[test]
fn a_node_that_is_no_member_can_be_forgotten() {
    let mut bench = Bench::start();
    bench.view(1);
    assert!(matches!(ask(&mut bench, Call::ForgetNode { node: "a".into() }), Reply::Refused(_)));
    assert!(bench.machine.cib().to_text().contains("uname=\"b\""));
    bench.replies.clear();
    let request =
        Request { id: 1, client: "test".into(), user: None, call: Call::ForgetNode { node: "b".into() } };
    bench.tell(Event::Request { client: ClientId(9), request, groups: Vec::new() });
    assert!(!bench.machine.cib().to_text().contains("uname=\"b\""));
}

#[test]
fn what_is_held_back_when_the_dc_changes_is_written_then() {
    let mut bench = Bench::start();
    bench.view(1);
    set(&mut bench, AttributeUpdate { delay_ms: Some(600_000), ..update("ping", "1") });
    bench.wait(60);
    assert!(!bench.machine.cib().to_text().contains("ping"));
    bench.view(2);
    assert!(is_written(&bench, "ping", "1"));
    // The delay itself is remembered.
    set(&mut bench, update("ping", "2"));
    bench.wait(60);
    assert!(is_written(&bench, "ping", "1"));
}

#[test]
fn a_pattern_changes_all_attributes_that_fit_and_makes_none() {
    let mut bench = Bench::start();
    bench.view(1);
    for name in ["ping-a", "ping-b", "other"] {
        set(&mut bench, update(name, "1"));
    }
    set(&mut bench, AttributeUpdate { private: true, ..update("ping-c", "1") });
    let pattern = |text: &str, value: &str| AttributeUpdate { pattern: true, ..update(text, value) };
    set(&mut bench, pattern("^ping-", "2"));
    set(&mut bench, pattern("^pong", "2"));
    for (name, value) in [("ping-a", "2"), ("ping-b", "2"), ("ping-c", "2"), ("other", "1")] {
        assert_eq!(known(&mut bench, name).as_deref(), Some(value), "{name}");
    }
    assert!(!bench.machine.cib().to_text().contains("pong"));
    set(&mut bench, AttributeUpdate { value: None, ..pattern("ping-[ab]", "") });
    assert_eq!((known(&mut bench, "ping-a"), known(&mut bench, "ping-b")), (None, None));
    let bad = Call::Attribute(pattern("(", "1"));
    assert!(
        matches!(ask(&mut bench, bad), Reply::Refused(refusal) if refusal.message.contains("regular expression"))
    );
}

/// A change of an attribute of `a` that comes from another program.
fn asked_elsewhere(bench: &mut Bench, name: &str, to: AttributeValue) {
    let change = AttributeChange { node: "a".into(), name: name.into(), to, ..AttributeChange::default() };
    bench.machine.cast(Message::Request {
        incarnation: 1,
        number: 1_000_000,
        wish: Box::new(crate::message::Wish::Attributes(vec![change])),
        heard: false,
        asker: None,
    });
}

#[test]
fn a_value_that_was_deleted_elsewhere_is_not_said_again() {
    let mut bench = Bench::start();
    bench.view(1);
    set(&mut bench, update("gone", "1"));
    set(&mut bench, update("kept", "1"));
    asked_elsewhere(&mut bench, "gone", AttributeValue::Remove);
    bench.wait(1);
    bench.view(2);
    assert_eq!((known(&mut bench, "gone"), known(&mut bench, "kept").as_deref()), (None, Some("1")));
}

/// What is said to the members for a pattern, last.
fn said(bench: &Bench, name: &str) -> bool {
    bench.casts.iter().any(|payload| payload.contains("\"attributes\"") && payload.contains(name))
}

#[test]
fn what_fits_a_pattern_is_found_by_the_members_when_they_apply_it() {
    for (minor, is_found_later) in [(PROTOCOL.minor, true), (LEVEL_OF_PATTERNS - 1, false)] {
        let mut bench = Bench::start();
        join(&mut bench, minor);
        bench.wait(90);
        set(&mut bench, update("ping-a", "1"));
        bench.casts.clear();
        // It is applied before what is asked here now.
        asked_elsewhere(&mut bench, "ping-b", AttributeValue::Set("1".into()));
        // It comes back after what was asked.
        let call = Call::Attribute(AttributeUpdate { pattern: true, ..update("^ping-", "2") });
        let request = Request { id: 1, client: "test".into(), user: None, call };
        bench.tell(Event::Request { client: ClientId(9), request, groups: Vec::new() });
        assert_eq!(said(&bench, "^ping-"), is_found_later, "beside one that speaks 1.{minor}");
        assert_eq!(known(&mut bench, "ping-a").as_deref(), Some("2"));
    }
}

#[test]
fn what_is_known_of_attributes_without_a_value_is_forgotten_when_there_are_too_many() {
    let mut bench = Bench::start();
    bench.view(1);
    set(&mut bench, AttributeUpdate { private: true, ..update("kept", "1") });
    let delayed = |number: u32| AttributeUpdate {
        value: None,
        delay_ms: Some(5000),
        ..update(&format!("n{number}"), "")
    };
    (0..1500).for_each(|number| set(&mut bench, delayed(number)));
    let known_of = &bench.machine.replica.ledger.attributes;
    assert!(known_of.len() <= 1024 && known_of.contains_key("kept") && known_of.contains_key("n1499"));
}

/// The replica is one that lacks all that tools of `a` have asked for.
fn lose_all(bench: &mut Bench, before: crate::replica::Replica) {
    bench.lose_layer();
    bench.machine.replica = before;
}

#[test]
fn what_is_added_while_a_value_is_to_be_said_again_is_added_to_that_value() {
    for (meanwhile, expected) in
        [(&["value++"][..], "2"), (&["value++", "value+=3"], "5"), (&["value++", "7"], "7")]
    {
        let mut bench = Bench::start();
        bench.view(1);
        let before = bench.machine.replica.clone();
        set(&mut bench, update("x", "1"));
        lose_all(&mut bench, before);
        for value in meanwhile {
            let request = Request {
                id: 1,
                client: "test".into(),
                user: None,
                call: Call::Attribute(update("x", value)),
            };
            bench.tell(Event::Request { client: ClientId(9), request, groups: Vec::new() });
        }
        bench.replies.clear();
        bench.view(2);
        assert_eq!(bench.replies, vec![Reply::Done; meanwhile.len()]);
        assert_eq!(known(&mut bench, "x").as_deref(), Some(expected), "{meanwhile:?}");
        // Nothing of that is added again.
        bench.lose_layer();
        bench.view(3);
        assert_eq!(known(&mut bench, "x").as_deref(), Some(expected), "{meanwhile:?}");
    }
}

#[test]
fn a_failure_that_was_set_by_hand_and_cleared_is_not_said_again() {
    for only_failed in [true, false] {
        let mut bench = Bench::start();
        bench.view(1);
        let before = bench.machine.replica.clone();
        for name in ["fail-count-r#monitor_10000", "other"] {
            set(&mut bench, update(name, "3"));
        }
        let cleanup = Call::Cleanup { resource: Some("r".into()), node: None, only_failed, operation: None };
        bench.replies.clear();
        let request = Request { id: 1, client: "test".into(), user: None, call: cleanup };
        bench.tell(Event::Request { client: ClientId(9), request, groups: Vec::new() });
        assert_eq!(known(&mut bench, "fail-count-r#monitor_10000"), None);
        lose_all(&mut bench, before);
        bench.view(2);
        assert_eq!(known(&mut bench, "other").as_deref(), Some("3"));
        assert_eq!(known(&mut bench, "fail-count-r#monitor_10000"), None, "it was cleared");
    }
}

/// The members settle on a replica that lacks what tools of `a` have asked for. Another member has no executor yet: it takes a while until the
/// DC says how the nodes stand.
fn lose_and_settle(bench: &mut Bench, before: crate::replica::Replica) {
    lose_all(bench, before);
    bench.has_layer = true;
    join(bench, PROTOCOL.minor);
}

/// The members change before the DC has said how the nodes stand.
fn settle_once_more(bench: &mut Bench) {
    bench.lose_layer();
    bench.view(6);
}

#[test]
fn what_is_to_be_said_again_is_not_forgotten_when_the_members_change_once_more() {
    for (values, expected) in [(&["1"][..], "1"), (&["1", "value++"], "2")] {
        let mut bench = Bench::start();
        bench.view(1);
        let before = bench.machine.replica.clone();
        values.iter().for_each(|value| set(&mut bench, update("x", value)));
        lose_and_settle(&mut bench, before);
        set(&mut bench, update("y", "2"));
        assert_eq!(known(&mut bench, "x"), None);
        settle_once_more(&mut bench);
        assert_eq!(known(&mut bench, "x").as_deref(), Some(expected), "{values:?}");
    }
}

/// Of requests that are not answered yet.
fn ask_for(bench: &mut Bench, call: Call) {
    let request = Request { id: 1, client: "test".into(), user: None, call };
    bench.tell(Event::Request { client: ClientId(9), request, groups: Vec::new() });
}

#[test]
fn what_was_put_off_is_not_taken_for_done_since_something_later_is() {
    for later in [&["y"][..], &["y", "z"]] {
        let mut bench = Bench::start();
        bench.view(1);
        let before = bench.machine.replica.clone();
        set(&mut bench, update("x", "1"));
        lose_and_settle(&mut bench, before);
        bench.replies.clear();
        ask_for(&mut bench, Call::Attribute(update("x", "value++")));
        assert_eq!(bench.replies, []);
        later.iter().for_each(|name| set(&mut bench, update(name, "2")));
        bench.replies.clear();
        settle_once_more(&mut bench);
        assert_eq!((bench.replies.pop(), bench.replies.len()), (Some(Reply::Done), 0), "{later:?}");
        assert_eq!(known(&mut bench, "x").as_deref(), Some("2"), "{later:?}");
        // Nothing of that is added again.
        bench.lose_layer();
        bench.view(7);
        assert_eq!(known(&mut bench, "x").as_deref(), Some("2"), "{later:?}");
    }
}

#[test]
fn what_was_put_off_is_not_said_before_the_members_are_settled() {
    let mut bench = Bench::start();
    bench.view(1);
    let before = bench.machine.replica.clone();
    set(&mut bench, update("x", "1"));
    lose_and_settle(&mut bench, before);
    ask_for(&mut bench, Call::Attribute(update("x", "value++")));
    bench.lose_layer();
    bench.has_layer = true;
    bench.casts.clear();
    ask_for(&mut bench, Call::Attribute(update("x", "7")));
    assert_eq!(bench.casts, [""; 0]);
    bench.replies.clear();
    bench.view(6);
    assert_eq!(bench.replies, [Reply::Done, Reply::Done]);
    assert_eq!(known(&mut bench, "x").as_deref(), Some("7"));
}

#[test]
fn what_is_added_for_everybody_to_know_is_added_once_though_its_value_was_lost() {
    let mut bench = Bench::start();
    bench.view(1);
    join(&mut bench, PROTOCOL.minor);
    bench.wait(90);
    let before = bench.machine.replica.clone();
    set(&mut bench, update("x", "1"));
    bench.replies.clear();
    ask_for(&mut bench, Call::Attribute(AttributeUpdate { everywhere: true, ..update("x", "value++") }));
    assert_eq!(bench.replies, []);
    assert_eq!(known(&mut bench, "x").as_deref(), Some("2"));
    lose_all(&mut bench, before);
    bench.view(6);
    assert_eq!(bench.replies, [Reply::Done]);
    assert_eq!(known(&mut bench, "x").as_deref(), Some("2"));
}

#[test]
fn a_failure_that_was_set_by_hand_is_forgotten_with_those_of_its_resource_only() {
    let cleanup = |resource: Option<&str>, node: Option<&str>| {
        let [resource, node] = [resource, node].map(|name| name.map(str::to_owned));
        move |bench: &mut Bench| {
            let (resource, node) = (resource.clone(), node.clone());
            ask_for(bench, Call::Cleanup { resource, node, only_failed: true, operation: None });
        }
    };
    let expiry = |node: &'static str, resource: &'static str, operation: &'static str| {
        move |bench: &mut Bench| {
            let operation = Some((operation.to_owned(), "10000".to_owned()));
            let (node, resource) = (node.to_owned(), resource.to_owned());
            bench.machine.cast(Message::ClearFailure { node, resource, operation, action: 0 });
            bench.wait(1);
        }
    };
    type Happening = Box<dyn Fn(&mut Bench)>;
    let happenings: [(&str, Happening, bool); 8] = [
        ("a cleanup of all", Box::new(cleanup(None, None)), false),
        ("of it", Box::new(cleanup(Some("r"), Some("a"))), false),
        ("of another node", Box::new(cleanup(Some("r"), Some("b"))), true),
        ("of nothing", Box::new(cleanup(Some("q"), None)), true),
        ("an expiry", Box::new(expiry("a", "r", "monitor")), false),
        ("of another operation", Box::new(expiry("a", "r", "start")), true),
        ("of another resource", Box::new(expiry("a", "q", "monitor")), true),
        ("of another node's", Box::new(expiry("b", "r", "monitor")), true),
    ];
    for (what, happens, is_said_again) in happenings {
        let mut bench = Bench::start();
        bench.view(1);
        let before = bench.machine.replica.clone();
        set(&mut bench, update("fail-count-r#monitor_10000", "3"));
        lose_and_settle(&mut bench, before);
        happens(&mut bench);
        bench.wait(90);
        let count = known(&mut bench, "fail-count-r#monitor_10000");
        assert_eq!(count.as_deref(), is_said_again.then_some("3"), "{what}");
    }
}
