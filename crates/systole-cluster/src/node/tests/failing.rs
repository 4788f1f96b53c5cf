//! Failures that an administrator makes up.

use super::{
    attributes::ask,
    levels::{join, join_since},
    *,
};
use crate::message::LEVEL_OF_COUNTS;
use systole_wire::api::{Call, RefusalKind, Reply};

fn fail(bench: &mut Bench, resource: &str, node: &str) -> Reply {
    ask(bench, Call::Fail { resource: resource.into(), node: node.into() })
}

#[test]
fn what_is_said_to_have_failed_is_counted_and_recovered() {
    let mut bench = Bench::start();
    bench.view(1);
    bench.wait(5);
    for count in ["1", "2"] {
        bench.ran.clear();
        assert_eq!(fail(&mut bench, "r", "a"), Reply::Done);
        bench.wait(5);
        assert_eq!(bench.ran, ["r_stop_0", "r_start_0"], "failure {count}");
        let counted = bench.machine.replica.attribute("a", "fail-count-r#asyncmon_0");
        assert_eq!(counted.as_deref(), Some(count));
        assert!(bench.machine.cib().to_text().contains("exit-reason=\"Simulated failure\""));
    }
}

#[test]
fn nothing_fails_where_nothing_is_known_of_it() {
    let mut bench = Bench::start();
    bench.view(1);
    for (resource, node) in [("nope", "a"), ("r", "nope")] {
        let Reply::Refused(refusal) = fail(&mut bench, resource, node) else {
            panic!("{resource} on {node}")
        };
        assert_eq!(refusal.kind, RefusalKind::NotFound, "{}", refusal.message);
    }
}

#[test]
fn what_is_done_by_a_daemon_that_was_restarted_comes_after_failures_that_were_made_up() {
    let mut bench = Bench::start();
    bench.view(1);
    bench.wait(5);
    for _ in 0..3 {
        bench.machine.replica.fail("a", "r", bench.now.wall.0).expect("it is known");
    }
    // The executor knows nothing of them.
    bench.machine.local = Executor::default();
    let FromExecutor::Welcome { protocol, boot_id, recurring, in_flight, unacknowledged, .. } = welcome()
    else {
        panic!("a welcome");
    };
    let (last_call, last_number, acknowledged) = (2, bench.n_results, bench.n_results);
    bench.ran.clear();
    bench.tell(Event::Executor(FromExecutor::Welcome {
        protocol,
        boot_id,
        recurring,
        in_flight,
        unacknowledged,
        last_call,
        last_number,
        acknowledged,
    }));
    bench.machine.plan_anew("it failed");
    bench.wait(20);
    assert_eq!(bench.ran, ["r_stop_0", "r_start_0"]);
}

/// What is recorded of failures of the monitor of `r`.
fn counted(bench: &Bench) -> Option<String> {
    bench.machine.replica.attribute("a", "fail-count-r#monitor_10000")
}

/// Once for each request of the DC's to count a failure.
fn requested(bench: &Bench) -> usize {
    bench.casts.iter().filter(|cast| cast.contains("increment")).count()
}

fn monitor() -> Operation {
    let parameters = [("CRM_meta_on_node".to_owned(), "a".to_owned())].into();
    Operation { parameters, ..operation("monitor", 10_000) }
}

fn fails(bench: &mut Bench, operation: Operation) {
    let mut result = bench.result(operation, false);
    result.rc = OcfRc::Error.code();
    bench.tell(Event::Executor(FromExecutor::Result(Box::new(result))));
}

/// The monitor of `r` is given up, and fails late, and fails again: how often it was counted, after each of these.
fn give_up_and_fail_twice<T>(bench: &mut Bench, counted: impl Fn(&Bench) -> T) -> [T; 3] {
    let keys = vec![monitor().transition_key];
    let perform = crate::message::Perform::new(1, crate::message::Hand::Executor, monitor());
    bench.hangs_from = Some("monitor");
    bench.casts.clear();
    bench.machine.cast(Message::Perform(Box::new(perform)));
    bench.wait(1);
    bench.machine.cast(Message::Overdue { keys, at: bench.now.wall.0 });
    bench.wait(1);
    let given_up = counted(bench);
    let mut fail = || {
        fails(bench, monitor());
        counted(bench)
    };
    [given_up, fail(), fail()]
}

#[test]
fn an_operation_that_was_given_up_and_fails_late_counts_as_one_failure() {
    let mut bench = Bench::start();
    join_since(&mut bench, PROTOCOL.minor, 1);
    let counts = give_up_and_fail_twice(&mut bench, counted);
    assert_eq!(counts.map(Option::unwrap_or_default), ["1", "1", "2"]);
}

#[test]
fn of_what_was_given_up_it_is_the_oldest_that_is_forgotten() {
    let result = |key: u32| OperationResult {
        number: 0,
        operation: Operation { transition_key: format!("{key:04}"), ..monitor() },
        rc: OcfRc::Error.code(),
        status: 0,
        exit_reason: String::new(),
        at: 0,
        exec_ms: 0,
        queue_ms: 0,
    };
    let mut given_up = GivenUp::default();
    (0..=1024).rev().for_each(|key| given_up.remember(&[result(key)]));
    for (key, is_late) in [(1024, false), (1023, true), (0, true), (0, false)] {
        assert_eq!(given_up.is_late(&result(key)), is_late, "{key}");
    }
}

#[test]
fn beside_older_members_the_dc_has_failures_counted() {
    let mut bench = Bench::start();
    join(&mut bench, LEVEL_OF_COUNTS - 1);
    bench.wait(90);
    assert_eq!(give_up_and_fail_twice(&mut bench, requested), [1, 1, 2]);
}

#[test]
fn a_failure_is_counted_where_it_is_recorded_though_the_dc_says_nothing_any_more() {
    let mut bench = Bench::start();
    join_since(&mut bench, PROTOCOL.minor, 1);
    assert_eq!(bench.machine.dc(), Some("b"));
    for count in ["1", "2"] {
        fails(&mut bench, monitor());
        assert_eq!(counted(&bench).as_deref(), Some(count));
    }
    assert_eq!(requested(&bench), 0);
}

#[test]
fn a_failed_start_counts_as_the_plan_says_that_it_was_part_of() {
    let options = r#"<cluster_property_set id="o">"#;
    let lenient =
        r#"<cluster_property_set id="o"><nvpair id="o9" name="start-failure-is-fatal" value="false"/>"#;
    for (cib, count) in [(CIB.to_owned(), "INFINITY"), (CIB.replace(options, lenient), "1")] {
        let mut bench = Bench::with(&cib);
        bench.hangs_from = Some("start");
        bench.view(1);
        let start = bench.hung.pop().expect("it is being started");
        fails(&mut bench, start);
        let counted = bench.machine.replica.attribute("a", "fail-count-r#start_0");
        assert_eq!(counted.as_deref(), Some(count));
    }
}
