//! What takes the place of a copy of which nobody knows whether it was demoted or stopped.

use super::{
    executor_away::{b_says, plans},
    levels::{join, join_as},
    remote::with_fencing,
    *,
};
use crate::{
    RemoteEvent,
    message::{
        Attach, AttributeChange, AttributeValue, Hand, MembershipUpdate, NodeLedger, NodeUpdate, Perform,
        Standing,
    },
};

/// A CIB in which `r` is a promotable clone.
fn promotable(cib: &str) -> String {
    let meta =
        r#"<meta_attributes id="cm"><nvpair id="cm1" name="promotable" value="true"/></meta_attributes>"#;
    let begin = cib.find(r#"<primitive id="r""#).expect("r");
    let end = begin + cib[begin..].find("</resources>").expect("its end");
    format!("{}<clone id=\"c\">{meta}{}</clone>{}", &cib[..begin], &cib[begin..end], &cib[end..])
}

const KEY_UUID: &str = "3fbb9d17-63ee-abad-676d-313ffc92f2ee";

fn key(number: u64, rc: u8) -> String {
    format!("{number}:1:{rc}:{KEY_UUID}")
}

fn result(number: u64, name: &str, interval: u64, rc: i32, target: u8) -> OperationResult {
    let transition_key = key(number, target);
    OperationResult {
        number,
        operation: Operation { call: number, transition_key, ..operation(name, interval) },
        rc,
        status: OpStatus::Done.code(),
        exit_reason: String::new(),
        at: 1_000 + number as i64,
        exec_ms: 1,
        queue_ms: 0,
    }
}

/// A hand of node 2 or 1 had promoted a copy, and `a` is to have it now. An old failure of its monitor is on record; then it was asked
/// for `operation`, of which `came` so much.
fn had_promoted(bench: &mut Bench, node: u32, by: &Hand, operation_name: &str, came: Came) {
    let replica = &mut bench.machine.replica;
    let to = AttributeValue::Set("20".into());
    let (name, of_a) = ("master-r".into(), "a".into());
    replica.set_attributes(&[AttributeChange { node: of_a, name, to, ..Default::default() }]);
    let first = replica.recorded(node, by) + 1;
    let history = [
        result(first, "start", 0, 0, 0),
        result(first + 1, "monitor", 10_000, 7, 8),
        result(first + 2, "promote", 0, 0, 0),
    ];
    replica.record(node, by, &history);
    let number = first + 3;
    let asked = Operation { transition_key: key(number, 0), ..operation(operation_name, 0) };
    replica.perform(&Perform::new(node, by.clone(), asked));
    match came {
        Came::Nothing => {}
        Came::NothingInTime => _ = replica.overdue(&[key(number, 0)], 2_000),
        Came::Code(rc) => _ = replica.record(node, by, &[result(number, operation_name, 0, rc, 0)]),
    }
}

/// The same of `b`, whose executor is away.
fn with_another_to_promote(operation_name: &str, came: Came) -> Bench {
    let mut bench = Bench::with(&promotable(CIB));
    join(&mut bench, PROTOCOL.minor);
    had_promoted(&mut bench, 2, &Hand::Executor, operation_name, came);
    bench.wait(90);
    bench
}

fn promotes(bench: &Bench) -> bool {
    bench.ran.contains(&"r_promote_0".to_owned())
}

/// The same of `far`, a remote node, with which nobody has a connection any more.
fn beside_a_lost_remote_node(cib: &str, operation_name: &str, came: Came, is_reachable: bool) -> Bench {
    let mut bench = Bench::with(&promotable(cib));
    bench.view(1);
    had_promoted(&mut bench, 1, &Hand::Remote("far".into()), operation_name, came);
    bench.far.is_reachable = is_reachable;
    bench.ran.clear();
    let session = bench.far.session;
    bench.tell(Event::Remote { session, event: RemoteEvent::Lost { reason: "reset".into() } });
    bench
}

#[test]
fn without_fencing_a_remote_node_counts_as_off_only_once_it_cannot_be_connected_to() {
    let without =
        with_fencing().replace("\"stonith-enabled\" value=\"true\"", "\"stonith-enabled\" value=\"false\"");
    let mut bench = beside_a_lost_remote_node(&without, "demote", Came::Nothing, false);
    assert!(!promotes(&bench), "{:?}", bench.ran);
    bench.wait(200);
    assert!(promotes(&bench), "{:?}", bench.ran);
}

#[derive(Clone, Copy, Debug)]
enum Came {
    Nothing,
    NothingInTime,
    Code(i32),
}

#[test]
fn no_copy_is_promoted_before_it_is_known_that_the_former_one_was_demoted() {
    for (operation, came, is_promoted) in [
        ("demote", Came::Nothing, false),
        ("stop", Came::Nothing, false),
        ("demote", Came::NothingInTime, false),
        ("stop", Came::NothingInTime, false),
        ("demote", Came::Code(1), false),
        ("demote", Came::Code(0), true),
        ("stop", Came::Code(0), true),
    ] {
        let bench = with_another_to_promote(operation, came);
        assert!(bench.ran.contains(&"r_start_0".to_owned()), "{operation}, {came:?}: {:?}", bench.ran);
        let promoted = bench.ran.contains(&"r_promote_0".to_owned());
        assert_eq!(promoted, is_promoted, "{operation}, {came:?}: {:?}", bench.ran);
        let is_told = bench.logs.iter().any(|line| line.contains("takes the place of r on b"));
        assert_eq!(is_told, !is_promoted, "{:#?}", bench.logs);
    }
}

/// A graph that has promotions wait for nothing.
fn promote_first(cib: &systole_cib::model::Cib, now: Timestamp) -> Plan {
    let mut plan = plan(cib, now);
    let synapses = plan.graph.synapses.iter_mut();
    synapses.filter(|synapse| &*synapse.action.operation == "promote").for_each(|it| it.inputs.clear());
    plan
}

#[test]
fn a_copy_is_promoted_once_one_whose_demotion_was_given_up_is_stopped() {
    for planner in [plan, promote_first] {
        let mut bench = with_another_to_promote("demote", Came::NothingInTime);
        bench.machine.config.planner = planner;
        let attach = Attach {
            by: Hand::Executor,
            session: Default::default(),
            acknowledged: 3,
            forgetful: false,
            lost_monitors: Vec::new(),
            lost_operations: Vec::new(),
            in_flight: Vec::new(),
        };
        bench.casts.clear();
        b_says(&mut bench, 2, Message::Attach(attach));
        bench.wait(3);
        assert!(!bench.ran.contains(&"r_promote_0".to_owned()), "{:?}", bench.ran);
        // What `b` is asked for succeeds.
        let mut done = Vec::new();
        for number in 3..6 {
            let asked = std::mem::take(&mut bench.casts).into_iter().filter_map(|payload| {
                let envelope: Envelope = serde_json::from_str(&payload).expect("a message");
                let Message::Perform(perform) = envelope.message else { return None };
                (perform.node == 2).then_some(perform.operation)
            });
            let asked: Vec<Operation> = asked.collect();
            done.extend(asked.iter().map(|operation| operation.key.clone()));
            let results = asked.into_iter().zip(10 * number..).map(|(operation, number)| {
                let operation = Operation { call: number, ..operation };
                OperationResult { number, ..bench.result(operation, true) }
            });
            let results: Vec<OperationResult> = results.collect();
            b_says(&mut bench, number, Message::Record { by: Hand::Executor, results });
        }
        assert_eq!(done, ["r_stop_0", "r_start_0"]);
        assert!(bench.ran.contains(&"r_promote_0".to_owned()), "{:?}", bench.ran);
    }
}

/// The DC says how `b` stands.
fn stands(bench: &mut Bench, standing: Standing) {
    let nodes = vec![NodeUpdate { id: 2, name: "b".into(), standing }];
    let (version, stack) = ("test".into(), "hub".into());
    let update = MembershipUpdate { dc: 1, has_quorum: true, version, stack, nodes, at: 0 };
    bench.machine.membership_published(&update);
}

/// The connection to `far` was held by `b`, which is no member any more; it cannot be connected to. Before, `far` was asked for `operation`.
fn beside_one_that_held_a_connection(operation_name: &str, came: Came, standing: Standing) -> Bench {
    let mut bench = without_one_that_held_a_connection(operation_name, came, standing);
    bench.view(6);
    bench
}

/// The same, before the DC plans anew.
fn without_one_that_held_a_connection(operation_name: &str, came: Came, standing: Standing) -> Bench {
    let patient = r#"<op id="fs" name="start" interval="0s" timeout="120s"/><op id="fm""#;
    let mut bench = Bench::with(&promotable(&with_fencing()).replace(r#"<op id="fm""#, patient));
    bench.view(1);
    join(&mut bench, PROTOCOL.minor);
    bench.far.is_reachable = false;
    bench.ran.clear();
    let replica = &mut bench.machine.replica;
    let entry = replica.ledger.connections.get_mut("far").expect("connected");
    entry.host = 2;
    let operation = Operation { transition_key: key(1, 0), ..entry.start.clone() };
    assert!(replica.forget("a", "far"));
    replica.record(2, &Hand::Executor, &[OperationResult { operation, ..result(1, "start", 0, 0, 0) }]);
    replica.record(2, &Hand::Executor, &[result(2, "start", 0, 0, 0)]);
    had_promoted(&mut bench, 2, &Hand::Remote("far".into()), operation_name, came);
    bench.machine.replica.ledger.nodes.get_mut(&2).expect("b has joined").leaving =
        standing == Standing::Stranded;
    stands(&mut bench, standing);
    bench
}

#[test]
fn what_was_not_answered_on_the_remote_node_of_one_that_has_left_counts_too() {
    for (came, is_promoted) in [(Came::Nothing, false), (Came::Code(0), true)] {
        let mut bench = beside_one_that_held_a_connection("demote", came, Standing::Stranded);
        bench.wait(90);
        assert_eq!(promotes(&bench), is_promoted, "{came:?}: {:?} {:#?}", bench.ran, bench.logs);
    }
}

#[test]
fn no_copy_is_promoted_before_a_remote_node_is_connected_to_again_and_probed() {
    for (operation, came, is_promoted) in [
        ("demote", Came::Nothing, false),
        ("stop", Came::Nothing, false),
        ("demote", Came::NothingInTime, false),
        ("demote", Came::Code(1), false),
        ("demote", Came::Code(0), true),
    ] {
        let mut bench = beside_one_that_held_a_connection(operation, came, Standing::Off);
        bench.wait(20);
        assert_eq!(promotes(&bench), is_promoted, "{operation}, {came:?}: {:?} {:#?}", bench.ran, bench.logs);
        bench.far.is_reachable = true;
        bench.wait(60);
        assert!(promotes(&bench), "{operation}, {came:?}: {:?} {:#?}", bench.ran, bench.logs);
    }
}

#[test]
fn a_remote_node_counts_though_it_is_connected_to_only_after_a_probe_that_nobody_can_make() {
    let mut bench = without_one_that_held_a_connection("demote", Came::Code(1), Standing::Off);
    // The executor of `c` is away: `far`, of which nothing is on record there, is probed once it is back.
    let replica = &mut bench.machine.replica;
    let c = NodeLedger { name: "c".into(), boot_id: "boot-of-c".into(), ..NodeLedger::default() };
    replica.ledger.nodes.insert(3, c);
    replica.record(3, &Hand::Executor, &[result(1, "monitor", 0, 7, 7)]);
    join_as(&mut bench, 6, (3, "c"), |hello| hello);
    bench.far.opened.clear();
    bench.wait(90);
    assert!(bench.machine.without_executor().contains("c"));
    assert!(bench.far.opened.is_empty(), "{:?}", bench.far.opened);
    assert!(!promotes(&bench), "{:?} {:#?}", bench.ran, bench.logs);
}

#[test]
fn what_a_remote_node_was_asked_keeps_no_plan_waiting_once_who_held_its_connection_is_back() {
    for operation in ["demote", "stop"] {
        let mut bench = beside_one_that_held_a_connection(operation, Came::Nothing, Standing::Stranded);
        bench.wait(10);
        join_as(&mut bench, 7, (2, "b"), |hello| hello);
        bench.wait(30);
        assert!(plans(&mut bench, "one"), "{operation}: {:?}", bench.machine.waits_for());
        bench.wait(90);
        let far = bench.machine.replica.node_state("far").map(|state| state.to_text()).unwrap_or_default();
        assert!(!far.contains("fail-count"), "{operation}: {far}");
        assert!(!promotes(&bench), "{operation}: {:?} {:#?}", bench.ran, bench.logs);
    }
}
