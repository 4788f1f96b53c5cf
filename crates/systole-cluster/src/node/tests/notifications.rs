//! Notifications that hang, and what is asked of their copies meanwhile; notifications of a plan that is gone.

use super::*;

const CLONE: &str = r#"<clone id="c"><meta_attributes id="cm"><nvpair id="cm1" name="notify" value="true"/></meta_attributes>
  <primitive id="r" class="ocf" provider="pacemaker" type="Dummy"><operations>
    <op id="rm" name="monitor" interval="10s" timeout="20s"/><op id="rn" name="notify" interval="0s" timeout="300s"/>
  </operations></primitive></clone>"#;

#[test]
fn a_monitor_that_waits_behind_a_notification_is_not_taken_for_a_failure() {
    let resource = r#"<primitive id="r" class="ocf" provider="pacemaker" type="Dummy"/>"#;
    let mut bench = Bench::with(&CIB.replace(resource, CLONE));
    bench.hangs_from = Some("notify");
    bench.view(1);
    assert_eq!(bench.ran, ["r_monitor_0", "r_start_0", "r_post_notify_start_0"]);
    bench.set_option("transition-delay", "0s");
    bench.wait(1);
    assert_eq!(bench.ran.last().map(String::as_str), Some("r_monitor_10000"), "it is asked for behind it");
    bench.wait(300);
    let state = bench.machine.replica.node_state("a").map(|state| state.to_text()).unwrap_or_default();
    assert!(!state.contains("fail-count") && bench.ran.len() == 4, "{:?} {state}", bench.ran);
    // Both have had their time, one after the other.
    bench.wait(200);
    assert!(bench.logs.iter().any(|line| line.contains("r_monitor_10000 was not answered in time")));
}

#[test]
fn a_new_dc_sends_what_the_last_one_owed_when_the_operation_is_done() {
    let resource = r#"<primitive id="r" class="ocf" provider="pacemaker" type="Dummy"/>"#;
    for (is_there, told) in [(true, 1), (false, 0)] {
        let mut bench = Bench::with(&CIB.replace(resource, CLONE));
        bench.hangs_from = Some("start");
        bench.view(1);
        assert_eq!(bench.ran, ["r_monitor_0", "r_start_0"]);
        // With the view the plan is gone.
        bench.view(2);
        assert_eq!(bench.ran.len(), 2, "a new plan waits for the answer: {:?}", bench.ran);
        let in_flight = &bench.machine.replica.ledger.in_flight;
        let start = in_flight.values().next().expect("it is in flight").operation.clone();
        (bench.hangs_from, bench.running) = (None, is_there);
        let mut result = bench.result(start, is_there);
        result.rc = if is_there { OcfRc::Ok } else { OcfRc::Error }.code();
        bench.tell(Event::Executor(FromExecutor::Result(Box::new(result))));
        bench.wait(5);
        let told_of = bench.ran.iter().filter(|key| *key == "r_post_notify_start_0");
        assert_eq!(told_of.count(), told, "{:?}", bench.ran);
        let is_over = bench.machine.replica.ledger.notices.is_empty();
        assert!(is_over || !is_there, "{:?}", bench.machine.replica.ledger.notices);
    }
}
