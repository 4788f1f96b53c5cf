//! Notifications that hang, and what is asked of their copies meanwhile.

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
