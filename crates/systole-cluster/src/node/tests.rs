use super::*;
use crate::{Plan, Snapshot};
use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};
use systole_types::{OcfRc, OpStatus, Timestamp};
use systole_wire::{
    PROTOCOL,
    exec::{FromExecutor, Operation, OperationResult, ToExecutor},
    hub::View,
};

mod access;
mod agents;
mod appearances;
mod attributes;
mod bench;
mod copying;
mod executor_away;
mod failing;
mod keeping;
mod levels;
mod notifications;
mod recheck;
mod remote;
mod start_state;
mod strangers;
mod uncertain;

use bench::{Bench, welcome};

const CIB: &str = r#"<cib crm_feature_set="3.20.2" validate-with="pacemaker-4.0" admin_epoch="0" epoch="5" num_updates="0">
  <configuration>
    <crm_config><cluster_property_set id="o">
      <nvpair id="o1" name="stonith-enabled" value="false"/>
    </cluster_property_set></crm_config>
    <nodes><node id="1" uname="a"/><node id="2" uname="b"/></nodes>
    <resources><primitive id="r" class="ocf" provider="pacemaker" type="Dummy"/></resources>
    <constraints/>
  </configuration>
  <status/>
</cib>"#;

fn plan(cib: &systole_cib::model::Cib, now: Timestamp) -> Plan {
    let transition = systole_scheduler::schedule(cib, now);
    let recheck = transition.status.recheck.next();
    Plan { graph: transition.graph, recheck, ..Plan::default() }
}

#[test]
fn a_node_whose_cluster_layer_stays_away_stops_its_resources_and_starts_them_when_it_is_back() {
    let mut bench = Bench::start();
    bench.view(1);
    assert!(bench.running, "{:?}", bench.ran);
    bench.lose_layer();
    bench.wait(4);
    assert!(bench.running, "a restart of the cluster layer stops nothing");
    // Further failures to connect do not put it off.
    bench.tell(Event::ClusterLost);
    bench.wait(2);
    bench.tell(Event::ClusterLost);
    bench.wait(20);
    assert!(!bench.running, "{:?}", bench.ran);
    bench.view(2);
    assert!(bench.running, "{:?}", bench.ran);
    assert_eq!(bench.machine.settled_view(), Some(2));
}

#[test]
fn a_cluster_layer_that_is_back_in_time_changes_nothing() {
    let mut bench = Bench::start();
    bench.view(1);
    let n_ran = bench.ran.len();
    bench.lose_layer();
    bench.wait(4);
    bench.view(1);
    assert_eq!(bench.ran[n_ran..], [""; 0]);
}

#[test]
fn a_daemon_that_starts_without_a_cluster_layer_does_not_start_anything() {
    let mut bench = Bench::start();
    bench.has_layer = false;
    bench.wait(30);
    assert_eq!(bench.ran, ["r_monitor_0"]);
}

#[test]
fn a_daemon_that_starts_without_a_cluster_layer_and_an_executor_has_nothing_to_stop() {
    for has_executor in [false, true] {
        let mut bench = Bench::unwelcomed(CIB);
        bench.has_layer = false;
        if has_executor {
            bench.tell(Event::Executor(welcome()));
            bench.tell(Event::ExecutorLost);
        }
        bench.wait(30);
        assert_eq!(bench.machine.goes_on_alone(), has_executor);
    }
}

#[test]
fn transition_keys_are_not_used_again_when_the_cluster_layer_counts_from_one_again() {
    let mut bench = Bench::start();
    for _ in 0..3 {
        bench.view(1);
        bench.lose_layer();
        bench.wait(1);
        // What ran is unknown now: it is probed, by a first transition of the same actions.
        assert_eq!(bench.machine.replica.clean_up(&crate::replica::Cleanup::default()), Ok(1));
    }
    let n_ran = bench.ran.len();
    assert!(n_ran > 3, "{:?}", bench.ran);
    assert_eq!(bench.transition_keys.len(), n_ran, "{:?}", bench.transition_keys);
}

#[test]
fn what_was_being_written_when_the_members_changed_does_not_count_as_kept() {
    let mut bench = Bench::start();
    bench.view(1);
    bench.disk_hangs = true;
    bench.set_option("x", "1");
    let token = *bench.tokens.last().expect("the CIB was written");
    bench.view(2);
    assert_ne!(bench.tokens.last(), Some(&token));
    bench.casts.clear();
    bench.tell(Event::Durable(token));
    assert!(!bench.casts.iter().any(|payload| payload.contains("stored")), "{:?}", bench.casts);
}

#[test]
fn a_node_that_was_leaving_when_the_members_changed_goes_on_leaving() {
    let mut bench = Bench::start();
    bench.view(1);
    let shutdown = crate::message::AttributeChange {
        node: "a".into(),
        name: "shutdown".into(),
        to: crate::message::AttributeValue::Set("1".into()),
        ..Default::default()
    };
    bench.machine.replica.set_attributes(&[shutdown]);
    bench.machine.is_to_leave(1);
    // The farewell is lost with the view.
    bench.machine.effects.clear();
    bench.view(2);
    assert!(!bench.running, "{:?}", bench.ran);
}

#[test]
fn what_ran_on_a_lost_node_is_not_forgotten_by_a_refresh() {
    use crate::message::{MembershipUpdate, NodeUpdate, Standing};
    let mut bench = Bench::start();
    bench.view(1);
    let history = |bench: &Bench| {
        let text = bench.machine.cib().to_text();
        text.contains("operation_key=\"r_start_0\"")
    };
    let lost = NodeUpdate { id: 1, name: "a".into(), standing: Standing::Lost };
    bench.machine.replica.apply_membership(&MembershipUpdate {
        dc: 2,
        has_quorum: true,
        version: "test".into(),
        stack: "hub".into(),
        nodes: vec![lost],
        at: 0,
    });
    assert!(history(&bench));
    assert_eq!(bench.machine.replica.clean_up(&crate::replica::Cleanup::default()), Ok(0));
    assert!(history(&bench));
}

#[test]
fn a_monitor_is_not_ended_before_its_first_result_has_come() {
    for is_its_own in [true, false] {
        let mut bench = Bench::start();
        let interval = if is_its_own { 10_000 } else { 0 };
        let announced = operation("monitor", interval);
        let FromExecutor::Welcome { protocol, boot_id, .. } = welcome() else { panic!("a welcome") };
        bench.tell(Event::Executor(FromExecutor::Welcome {
            protocol,
            boot_id,
            recurring: vec![("r_monitor_10000".into(), 7)],
            in_flight: Vec::new(),
            unacknowledged: vec![announced.transition_key.clone()],
            last_call: 7,
            last_number: 1,
            acknowledged: 0,
        }));
        let members = vec![(1, "a".to_owned())];
        bench.tell(Event::View(View { number: 1, own_id: 1, members, has_quorum: true }));
        assert_eq!(bench.cancelled.len(), 0);
        bench.running = true;
        let result = bench.result(announced, true);
        bench.tell(Event::Executor(FromExecutor::Result(Box::new(result))));
        let ended: &[&str] = if is_its_own { &[] } else { &["r_monitor_10000"] };
        assert_eq!(bench.cancelled, ended);
    }
}

/// One of `r` that was asked for in an earlier life.
pub(super) fn operation(name: &str, interval_ms: u64) -> Operation {
    Operation {
        call: 7,
        key: format!("r_{name}_{interval_ms}"),
        resource: "r".into(),
        class: "ocf".into(),
        provider: Some("pacemaker".into()),
        agent: "Dummy".into(),
        operation: name.into(),
        interval_ms,
        timeout_ms: 20_000,
        start_delay_ms: 0,
        parameters: Default::default(),
        transition_key: "5:1:0:3fbb9d17-63ee-abad-676d-313ffc92f2ee".into(),
        expected_rc: None,
        digests: Default::default(),
    }
}

#[test]
fn a_start_that_waits_its_turn_when_quorum_is_lost_is_taken_back_and_the_resource_probed() {
    let mut bench = Bench::start();
    let start = operation("start", 0);
    let FromExecutor::Welcome { protocol, boot_id, .. } = welcome() else { panic!("a welcome") };
    bench.tell(Event::Executor(FromExecutor::Welcome {
        protocol,
        boot_id,
        recurring: Vec::new(),
        in_flight: vec![start.clone()],
        unacknowledged: Vec::new(),
        last_call: 7,
        last_number: 0,
        acknowledged: 0,
    }));
    bench.view(1);
    assert_eq!((bench.cancelled.len(), bench.ran.len()), (0, 0), "{:?}", bench.ran);
    let members = vec![(1, "a".to_owned())];
    bench.tell(Event::View(View { number: 2, own_id: 1, members, has_quorum: false }));
    assert_eq!(bench.cancelled, ["r_start_0"]);
    let withdrawn = OperationResult { status: OpStatus::Cancelled.code(), ..bench.result(start, false) };
    bench.tell(Event::Executor(FromExecutor::Result(Box::new(withdrawn))));
    bench.wait(5);
    assert_eq!(bench.ran, ["r_monitor_0"]);
}

/// A graph that asks for the farewell first of all, as schedulers may.
fn farewell_first(cib: &systole_cib::model::Cib, now: Timestamp) -> Plan {
    use systole_graph::ActionKind;
    let mut plan = plan(cib, now);
    let is_farewell =
        |kind: &ActionKind, operation: &str| *kind == ActionKind::Cluster && operation == "do_shutdown";
    for synapse in &mut plan.graph.synapses {
        if is_farewell(&synapse.action.kind, &synapse.action.operation) {
            (synapse.inputs, synapse.priority) = (Default::default(), 1_000_000);
        }
    }
    plan
}

#[test]
fn a_node_leaves_only_when_what_it_was_to_be_probed_for_is_known() {
    let mut bench = Bench::start();
    bench.machine.config.planner = farewell_first;
    bench.view(1);
    let call = systole_wire::api::Call::Shutdown;
    assert_eq!(bench.machine.replica.clean_up(&crate::replica::Cleanup::default()), Ok(1));
    bench.ran.clear();
    let request = systole_wire::api::Request { id: 1, client: "test".into(), user: None, call };
    bench.tell(Event::Request { client: crate::ClientId(7), request, groups: Vec::new() });
    assert_eq!(bench.ran, ["r_monitor_0", "r_stop_0"]);
    assert!(bench.has_left && !bench.running);
}

#[test]
fn a_node_leaves_though_the_fencing_of_another_is_not_confirmed() {
    use crate::message::{MembershipUpdate, NodeUpdate, Standing};
    let device = r#"<resources><primitive id="fence" class="stonith" type="fence_dummy"/>"#;
    let mut bench = Bench::with(&CIB.replace("\"false\"", "\"true\"").replace("<resources>", device));
    bench.machine.config.planner = farewell_first;
    bench.view(1);
    bench.machine.replica.apply_membership(&MembershipUpdate {
        dc: 1,
        has_quorum: true,
        version: "test".into(),
        stack: "hub".into(),
        nodes: vec![NodeUpdate { id: 2, name: "b".into(), standing: Standing::Member }],
        at: 0,
    });
    bench.wait(5);
    let is_told = |text: &String| text.contains("b has to be fenced");
    assert!(bench.logs.iter().any(is_told), "{:#?}", bench.logs);
    assert!(bench.machine.replica.clean_up(&crate::replica::Cleanup::default()).is_ok());
    bench.logs.clear();
    bench.n_inputs = 0;
    let call = systole_wire::api::Call::Shutdown;
    let request = systole_wire::api::Request { id: 1, client: "test".into(), user: None, call };
    bench.tell(Event::Request { client: crate::ClientId(7), request, groups: Vec::new() });
    bench.wait(60);
    assert!(bench.has_left && !bench.running, "{:#?}", bench.logs);
    assert!(bench.n_inputs < 6, "{:#?}", bench.logs);
}

#[test]
fn so_many_may_wait_for_rest_and_no_more() {
    let mut bench = Bench::start();
    let ask = |bench: &mut Bench, call| {
        let request = systole_wire::api::Request { id: 1, client: "test".into(), user: None, call };
        bench.tell(Event::Request { client: crate::ClientId(7), request, groups: Vec::new() });
        bench.replies.pop()
    };
    use systole_wire::api::{Call, Refusal, RefusalKind, Reply};
    for call in [Call::WaitIdle { timeout_ms: 60_000 }, Call::Shutdown] {
        let answers: Vec<_> = (0..1025).filter_map(|_| ask(&mut bench, call.clone())).collect();
        assert!(
            matches!(&answers[..], [Reply::Refused(Refusal { kind: RefusalKind::Busy, .. })]),
            "{answers:?}"
        );
    }
}

#[test]
fn a_disk_that_does_not_answer_is_asked_without_end_and_without_filling_memory() {
    let mut bench = Bench::start();
    bench.view(1);
    let n_before = bench.tokens.len();
    for number in 0..200 {
        bench.set_option("cluster-name", &number.to_string());
    }
    assert!(bench.tokens.len() > 200, "each change is asked to be written");
    assert_eq!(bench.machine.disk.n_asked(), 64);
    // The disk was busy with the first all the time. That it is done with it counts, for that one only.
    let oldest = bench.tokens[n_before];
    bench.casts.clear();
    bench.tell(Event::Durable(oldest));
    assert!(bench.casts.iter().any(|payload| payload.contains("stored")), "{:?}", bench.casts);
    assert_eq!(bench.replies.len(), 1);
    // Whatever was written with the newest counts for all before.
    let newest = *bench.tokens.last().expect("asked");
    bench.tell(Event::Durable(newest));
    assert_eq!(bench.machine.disk.n_asked(), 0);
    assert_eq!(bench.replies.len(), 200, "{:?}", bench.replies.last());
}

#[test]
fn a_plan_that_waits_for_itself_is_told_once_and_not_made_again_and_again() {
    let dummies = r#"<primitive id="r" class="ocf" provider="pacemaker" type="Dummy"/>
        <primitive id="s" class="ocf" provider="pacemaker" type="Dummy"/>"#;
    let orders = r#"<constraints><rsc_order id="1" first="r" then="s"/><rsc_order id="2" first="s" then="r"/></constraints>"#;
    let one = r#"<primitive id="r" class="ocf" provider="pacemaker" type="Dummy"/>"#;
    let mut bench = Bench::with(&CIB.replace(one, dummies).replace("<constraints/>", orders));
    bench.view(1);
    bench.wait(60);
    let about_circle = |text: &&String| text.contains("in a circle");
    assert_eq!(bench.logs.iter().filter(about_circle).count(), 1, "{:#?}", bench.logs);
    assert_eq!(bench.n_inputs, 1, "scheduler inputs that were kept");
    assert_eq!(bench.ran, ["r_monitor_0", "s_monitor_0"]);
}

#[test]
fn the_history_of_instances_that_stay_is_not_deleted_with_that_of_one_too_many() {
    let alone = r#"<primitive id="r" class="ocf" provider="pacemaker" type="Dummy"/>"#;
    let mut bench = Bench::with(&CIB.replace(alone, &format!("<clone id=\"c\">{alone}</clone>")));
    bench.view(1);
    let history = |bench: &Bench| bench.machine.cib().to_text().contains("operation_key=\"r_start_0\"");
    assert!(history(&bench));
    // There is an instance less: it goes by the same name as the others.
    let forget = Message::Forget { node: "a".into(), resource: "r".into(), action: 1 };
    bench.machine.apply(1, forget.clone());
    assert!(history(&bench), "r would seem not to run");
    let other = bench.machine.cib().to_text().replace("type=\"Dummy\"/>", "type=\"Stateful\"/>");
    bench.machine.replica = crate::replica::Replica::from_snapshot(&Snapshot {
        xml: other,
        version: CibVersion { admin_epoch: 0, epoch: 6, num_updates: 0 },
        generation: 1,
    })
    .expect("a CIB");
    bench.machine.apply(1, forget);
    assert!(!history(&bench), "this was another agent's");
}
