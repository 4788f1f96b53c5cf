//! Failures that an administrator makes up.

use super::{attributes::ask, *};
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

#[test]
fn an_operation_that_was_given_up_and_fails_late_counts_as_one_failure() {
    let mut bench = Bench::start();
    bench.view(1);
    bench.wait(5);
    let parameters = [("CRM_meta_on_node".to_owned(), "a".to_owned())].into();
    let monitor = Operation { parameters, ..operation("monitor", 10_000) };
    let keys = vec![monitor.transition_key.clone()];
    let perform = crate::message::Perform::new(1, crate::message::Hand::Executor, monitor.clone());
    bench.hangs_from = Some("monitor");
    bench.casts.clear();
    bench.machine.cast(Message::Perform(Box::new(perform)));
    bench.wait(1);
    bench.machine.cast(Message::Overdue { keys, at: bench.now.wall.0 });
    bench.wait(1);
    let counted = |bench: &Bench| bench.casts.iter().filter(|cast| cast.contains("increment")).count();
    assert_eq!(counted(&bench), 1);
    for count in [1, 2] {
        let failed = bench.result(monitor.clone(), false);
        bench.tell(Event::Executor(FromExecutor::Result(Box::new(failed))));
        assert_eq!(counted(&bench), count, "only the first answer is late");
    }
}
