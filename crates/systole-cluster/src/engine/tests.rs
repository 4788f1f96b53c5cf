//! Scripts: what the engine is told at the margin, what it does about it indented below.
//!
//! `graph TEXT` gives synapses as `NUMBER:KIND[@NODE][<INPUT,...]`, where kinds are `op`, `probe`, `probe-other`, `promote`, `pseudo` and
//! `fence`, `close`, which stops the connection to the remote node `far` (`close-other`: to `other`), `open`, which starts that to a guest in the container
//! `rsc` with the same name, and of the highest priority `notify` and `told`, a pseudo-action. `busy NODE SECONDS` before it says
//! how long `rsc` may not answer there because of a notification of an earlier plan. `owes NUMBER` asks what has to be told once that action
//! is done.

use super::*;
use std::{fmt::Write as _, sync::Arc};
use systole_graph::{ResourceRef, Synapse};
use systole_types::NodeUuid;

fn graph(text: &str) -> TransitionGraph {
    let synapses = text.split_whitespace().map(|word| {
        let (head, inputs) = word.split_once('<').unwrap_or((word, ""));
        let (head, node) = head.split_once('@').unwrap_or((head, "a"));
        let (id, kind) = head.split_once(':').expect("NUMBER:KIND");
        let inputs = inputs.split(',').filter_map(|input| input.parse().ok()).collect();
        let priority = if matches!(kind, "notify" | "told") { INFINITY } else { 0 };
        Synapse { priority, action: action(id.parse().expect("a number"), kind, node), inputs }
    });
    let properties = vec![("batch-limit".into(), "2".into()), ("cluster-delay".into(), "60s".into())];
    TransitionGraph { properties, synapses: synapses.collect() }
}

fn action(id: ActionId, kind: &str, node: &str) -> Action {
    let dummy = ResourceRef {
        id: "rsc".into(),
        long_id: None,
        class: "ocf".into(),
        provider: Some("heartbeat".into()),
        kind: "Dummy".into(),
    };
    let (kind, operation) = match kind {
        "op" => (ActionKind::Resource(dummy.into()), "start"),
        "probe" => (ActionKind::Resource(dummy.into()), "monitor"),
        "probe-other" => {
            (ActionKind::Resource(Arc::new(ResourceRef { id: "other".into(), ..dummy })), "monitor")
        }
        "promote" => (ActionKind::Resource(dummy.into()), "promote"),
        "close" => (ActionKind::Resource(Arc::new(ResourceRef { id: "far".into(), ..dummy })), "stop"),
        "close-other" => {
            (ActionKind::Resource(Arc::new(ResourceRef { id: "other".into(), ..dummy })), "stop")
        }
        "open" => (ActionKind::Resource(Arc::new(ResourceRef { id: "far".into(), ..dummy })), "start"),
        "notify" => (ActionKind::Resource(dummy.into()), "notify"),
        "fence" => (ActionKind::Cluster, "stonith"),
        _ => (ActionKind::Pseudo, "stopped"),
    };
    let timeout: (Arc<str>, Arc<str>) = ("CRM_meta_timeout".into(), "20000".into());
    let container: (Arc<str>, Arc<str>) = ("CRM_meta_container".into(), "rsc".into());
    let is_guest =
        operation == "start" && matches!(&kind, ActionKind::Resource(it) if it.id.as_str() == "far");
    Action {
        id,
        kind,
        operation: operation.into(),
        key: format!("action-{id}").into(),
        internal_key: None,
        node: Some((NodeId::new(node), NodeUuid::new(node))),
        router: (node == "guest").then(|| NodeId::new("a")),
        attributes: [timeout].into_iter().chain(is_guest.then_some(container)).collect(),
        downed: Vec::new(),
        maintenance: Vec::new(),
        about: None,
        extra: Vec::new(),
    }
}

fn describe(effect: &Effect) -> String {
    match effect {
        Effect::Perform(action) => format!("perform {}", action.id),
        Effect::TimedOut(action) => format!("{} timed out", action.id),
        Effect::Finished(Outcome::Complete) => "complete".to_owned(),
        Effect::Finished(Outcome::Incomplete(reason)) => format!("given up: {reason}"),
    }
}

#[track_caller]
fn check(script: &str) {
    let mut busy = Busy::new();
    let (mut engine, mut now, mut actual) = (Engine::new(), Monotonic::default(), String::new());
    for line in script.lines().filter(|line| !line.starts_with(' ') && !line.is_empty()) {
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        let number = || rest.parse().expect("a number");
        writeln!(actual, "{line}").expect("text grows");
        let event = match command {
            "graph" => Event::Begin { graph: Box::new(graph(rest)), busy: std::mem::take(&mut busy) },
            "busy" => {
                let (node, secs) = rest.split_once(' ').expect("NODE SECONDS");
                let until = now + Duration::from_secs(secs.parse().expect("seconds"));
                busy.insert((NodeId::new(node), "rsc".into()), until);
                continue;
            }
            "owes" => {
                let list = |actions: &[Action]| {
                    actions.iter().map(|action| action.id.to_string()).collect::<Vec<_>>().join(" ")
                };
                for notice in engine.notices_after(number()) {
                    let (after, told) = (list(&notice.after), list(&notice.tell));
                    writeln!(actual, "    after {after}: {told}").expect("text grows");
                }
                continue;
            }
            "confirmed" => Event::Confirmed(number()),
            "failed" => Event::Failed(number()),
            "unreachable" => Event::Unreachable(number()),
            "lost" => Event::NodeLost(NodeId::new(rest)),
            "changed" => Event::Abort(AbortReason::Changed("the CIB was changed".to_owned())),
            "wait" => {
                now = now + Duration::from_secs(u64::from(number()));
                Event::DeadlineReached
            }
            other => panic!("no command {other:?}"),
        };
        for effect in engine.handle(now, event) {
            writeln!(actual, "    {}", describe(&effect)).expect("text grows");
        }
    }
    assert_eq!(actual.trim(), script.trim(), "\n--- what it did ---\n{actual}");
}

#[test]
fn an_action_waits_for_its_inputs() {
    check(
        "
graph 1:op 2:pseudo<1 3:op<2
    perform 1
confirmed 1
    perform 3
confirmed 3
    complete
",
    );
}

#[test]
fn no_more_actions_are_in_flight_than_the_batch_limit() {
    check(
        "
graph 1:op 2:op 3:op
    perform 1
    perform 2
confirmed 2
    perform 3
",
    );
}

#[test]
fn an_abort_sends_nothing_more_and_waits_for_what_is_in_flight() {
    check(
        "
graph 1:op 2:op<1
    perform 1
changed
confirmed 1
    given up: the CIB was changed
",
    );
}

#[test]
fn after_an_abort_peers_are_still_told_what_was_done() {
    check(
        "
graph 1:op 2:told<1 3:notify<2 4:told<3 5:op<4 6:op
    perform 1
    perform 6
changed
confirmed 6
confirmed 1
    perform 3
    given up: the CIB was changed
",
    );
}

#[test]
fn what_is_owed_after_an_action_is_said_once_and_waits_for_actions_alone() {
    check(
        "
graph 1:op 2:op 3:told<1,2 4:notify<3 5:notify<3 6:told<4,5 7:notify<6
    perform 1
    perform 2
owes 1
    after 1 2: 4 5
owes 2
confirmed 2
confirmed 1
    perform 4
    perform 5
owes 4
    after 4 5: 7
",
    );
    check(
        "
graph 1:op 2:pseudo<1 3:told<2 4:notify<3
    perform 1
owes 1
",
    );
    check(
        "
graph 1:op 2:fence 3:told<1,2 4:notify<3 5:op 6:told<5,2 7:notify<6
    perform 1
    perform 2
owes 1
confirmed 2
    perform 5
owes 5
    after 5: 7
",
    );
}

#[test]
fn after_an_abort_only_notifications_that_others_wait_for_are_waited_for() {
    check(
        "
graph 1:op 2:notify<1 3:told<2 4:notify<3 5:op<4
    perform 1
confirmed 1
    perform 2
changed
confirmed 2
    perform 4
    given up: the CIB was changed
",
    );
    check(
        "
graph 1:op 2:notify 3:told<2 4:op<3
    perform 2
    perform 1
changed
confirmed 1
    given up: the CIB was changed
",
    );
}

#[test]
fn what_comes_after_a_notification_that_was_left_open_has_its_time_from_the_end_of_that() {
    check(
        "
busy a 300
graph 1:op@a 2:op@b
    perform 1
    perform 2
wait 80
    2 timed out
wait 299
wait 1
    1 timed out
    given up: action-2 failed
",
    );
}

#[test]
fn notifications_that_are_left_open_do_not_become_more_with_each_plan() {
    check(
        "
busy a 300
graph 1:notify@a 2:notify@b
    perform 1
    perform 2
changed
confirmed 2
confirmed 1
    given up: the CIB was changed
",
    );
}

#[test]
fn a_failure_gives_the_rest_up() {
    check(
        "
graph 1:op 2:op 3:op<1
    perform 1
    perform 2
failed 1
confirmed 2
    given up: action-1 failed
",
    );
}

#[test]
fn what_has_no_way_to_its_node_does_not_hold_up_the_rest() {
    check(
        "
graph 1:op 2:op 3:op<1 4:op<2
    perform 1
    perform 2
unreachable 1
confirmed 2
    perform 4
confirmed 4
    given up: action-1 had no way to its node
",
    );
    check(
        "
graph 1:op 2:fence
    perform 1
    perform 2
unreachable 1
    given up: action-1 had no way to its node
",
    );
}

#[test]
fn what_waits_for_a_notification_goes_on_when_something_else_has_no_way_to_its_node() {
    check(
        "
graph 1:op@far 2:notify 3:told<2 4:op@a<3
    perform 2
    perform 1
unreachable 1
confirmed 2
    perform 4
confirmed 4
    given up: action-1 had no way to its node
",
    );
}

#[test]
fn a_promotion_waits_for_the_probes_of_the_resource() {
    check(
        "
graph 1:probe@a 2:promote@b 3:op@b
    perform 1
    perform 3
confirmed 3
confirmed 1
    perform 2
",
    );
    check(
        "
graph 1:probe@a 2:promote@b
    perform 1
failed 1
    given up: action-1 failed
",
    );
}

#[test]
fn a_promotion_on_a_guest_waits_for_all_probes_on_cluster_nodes() {
    check(
        "
graph 1:probe-other@b 2:promote@guest
    perform 1
confirmed 1
    perform 2
",
    );
    check(
        "
graph 1:probe-other@b 2:promote@a
    perform 1
    perform 2
",
    );
}

#[test]
fn a_promotion_does_not_wait_for_a_probe_that_waits_for_it() {
    check(
        "
graph 1:promote@b 2:op@b<1 3:probe@far<2 4:probe@a
    perform 4
confirmed 4
    perform 1
confirmed 1
    perform 2
confirmed 2
    perform 3
",
    );
}

#[test]
fn a_stop_does_not_wait_for_the_probe_of_a_guest_whose_container_starts_after_it() {
    check(
        "
graph 1:pseudo<4 2:op@a<1 3:open@a<2 4:probe@far<3 5:op@far<4
    perform 2
confirmed 2
    perform 3
confirmed 3
    perform 4
confirmed 4
    perform 5
confirmed 5
    complete
",
    );
}

#[test]
fn the_connection_to_a_node_that_is_to_be_fenced_is_stopped_after_that() {
    check(
        "
graph 1:fence@far 2:close@a 3:open@a<1,2
    perform 1
confirmed 1
    perform 2
confirmed 2
    perform 3
",
    );
    check(
        "
graph 1:fence@other 2:close@a
    perform 1
    perform 2
",
    );
    check(
        "
graph 1:fence@far<2 2:close@a
    perform 2
",
    );
    // Each would be in order without the other.
    check(
        "
graph 1:fence@far<4 2:close@a 3:fence@other<2 4:close-other@a
    perform 4
confirmed 4
    perform 1
confirmed 1
    perform 2
confirmed 2
    perform 3
",
    );
}

#[test]
fn the_connection_to_a_node_out_of_reach_is_recovered_whatever_was_to_be_done_there_before() {
    check(
        "
graph 1:op@far 2:op@far<1 3:close@a<1,2 4:op@a<3 5:op@a<1
    perform 1
unreachable 1
    perform 3
confirmed 3
    perform 4
confirmed 4
    given up: action-1 had no way to its node
",
    );
}

#[test]
fn a_checker_can_tell_which_nodes_may_turn_out_to_be_out_of_reach() {
    let stopped = |text: &str| caution::stopped_connections(&graph(text));
    assert_eq!(stopped("1:op@far 2:close@a<1"), BTreeSet::from([NodeId::new("far")]));
    assert_eq!(stopped("1:op@far 2:open@a"), BTreeSet::new());
    assert_eq!(stopped("1:op@b 2:close@a<1"), BTreeSet::new(), "nothing was to be done there");
}

#[test]
fn an_action_that_is_not_answered_fails_after_its_timeout_and_the_cluster_delay() {
    check(
        "
graph 1:op
    perform 1
wait 79
wait 1
    1 timed out
    given up: action-1 failed
",
    );
}

#[test]
fn what_is_in_flight_on_a_lost_node_is_not_waited_for() {
    check(
        "
graph 1:op@a 2:op@b
    perform 1
    perform 2
lost a
confirmed 2
    given up: node a is lost
",
    );
}

#[test]
fn fencing_is_waited_for_without_limit_but_gives_way_to_a_new_plan() {
    check(
        "
graph 1:fence 2:op<1
    perform 1
wait 86400
changed
    given up: the CIB was changed
",
    );
}

#[test]
fn answers_to_actions_that_are_not_in_flight_are_dropped() {
    check(
        "
graph 1:op 2:op<1
    perform 1
confirmed 2
confirmed 7
failed 2
confirmed 1
    perform 2
",
    );
}

#[test]
fn actions_that_wait_for_one_another_are_named() {
    check(
        "
graph 1:op 2:op<1,3 3:op<4 4:op<2 5:op<4
    perform 1
confirmed 1
    given up: its actions wait for one another in a circle, and none of them can begin: action-4 on a, action-3 on a, action-2 on a; look at the order constraints between them (crm_verify names those that contradict each other)
",
    );
}
