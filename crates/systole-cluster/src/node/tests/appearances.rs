//! What is started behind the cluster's back.

use super::*;
use crate::message::LEVEL_OF_APPEARANCES;

fn stopped() -> String {
    let resource = r#"<primitive id="r" class="ocf" provider="pacemaker" type="Dummy"/>"#;
    let meta =
        r#"<meta_attributes id="m"><nvpair id="m1" name="target-role" value="Stopped"/></meta_attributes>"#;
    let stopped = resource.replace("/>", &format!(">{meta}</primitive>"));
    assert!(CIB.contains(resource));
    CIB.replace(resource, &stopped)
}

/// What is asked of the executor after it has seen the resource begin to run.
fn asked_after_appearance(bench: &mut Bench) -> Vec<String> {
    bench.ran.clear();
    bench.running = true;
    bench.tell(Event::Executor(FromExecutor::Appeared { resource: "r".into() }));
    bench.wait(5);
    bench.ran.clone()
}

#[test]
fn what_is_started_where_it_should_not_run_is_probed_at_once_and_stopped() {
    let mut bench = Bench::with(&stopped());
    bench.view(1);
    assert_eq!(bench.ran, ["r_monitor_0"]);
    assert_eq!(asked_after_appearance(&mut bench), ["r_monitor_0", "r_stop_0"]);
    assert!(!bench.running);
    assert!(bench.logs.iter().any(|line| line.contains("r seems to have been started on a")));
}

#[test]
fn what_the_cluster_has_started_itself_is_left_alone() {
    let mut bench = Bench::start();
    bench.view(1);
    assert!(bench.running);
    assert_eq!(asked_after_appearance(&mut bench), [""; 0]);
}

#[test]
fn beside_a_member_that_does_not_know_what_to_do_nothing_is_said() {
    let mut bench = Bench::with(&stopped());
    bench.view(1);
    bench.machine.replica.level = LEVEL_OF_APPEARANCES - 1;
    assert_eq!(asked_after_appearance(&mut bench), [""; 0]);
}

#[test]
fn what_appears_while_nothing_can_be_said_of_it_is_judged_later() {
    // Before the members have agreed.
    let mut bench = Bench::with(&stopped());
    bench.view(1);
    bench.lose_layer();
    bench.ran.clear();
    bench.running = true;
    bench.tell(Event::Executor(FromExecutor::Appeared { resource: "r".into() }));
    bench.view(2);
    assert_eq!(bench.ran, ["r_monitor_0", "r_stop_0"]);
    // While a probe is under way, which may have looked before it.
    let mut bench = Bench::with(&stopped());
    bench.hangs_from = Some("monitor");
    bench.view(1);
    assert_eq!(bench.ran, ["r_monitor_0"]);
    bench.tell(Event::Executor(FromExecutor::Appeared { resource: "r".into() }));
    let mut in_flight = bench.machine.replica.ledger.in_flight.values();
    let probe = in_flight.next().expect("the probe").operation.clone();
    (bench.hangs_from, bench.running) = (None, true);
    let result = bench.result(probe, false);
    bench.tell(Event::Executor(FromExecutor::Result(Box::new(result))));
    bench.wait(5);
    assert_eq!(bench.ran, ["r_monitor_0", "r_monitor_0", "r_stop_0"]);
}
