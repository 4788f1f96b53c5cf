//! A remote node: what is done there, where it is written down, and what comes of a lost connection.

use super::*;
use crate::RemoteEvent;

pub(super) const WITH_REMOTE: &str = r#"<cib crm_feature_set="3.20.2" validate-with="pacemaker-4.0" admin_epoch="0" epoch="5" num_updates="0">
  <configuration>
    <crm_config><cluster_property_set id="o">
      <nvpair id="o1" name="stonith-enabled" value="false"/>
    </cluster_property_set></crm_config>
    <nodes><node id="1" uname="a"/></nodes>
    <resources>
      <primitive id="far" class="ocf" provider="pacemaker" type="remote">
        <instance_attributes id="fi">
          <nvpair id="fi1" name="server" value="192.0.2.7"/><nvpair id="fi2" name="port" value="3999"/>
        </instance_attributes>
        <operations><op id="fm" name="monitor" interval="30s" timeout="30s"/></operations>
      </primitive>
      <primitive id="r" class="ocf" provider="pacemaker" type="Dummy">
        <operations><op id="rm" name="monitor" interval="10s" timeout="20s"/></operations>
      </primitive>
    </resources>
    <constraints><rsc_location id="l" rsc="r" node="far" score="INFINITY"/></constraints>
  </configuration>
  <status/>
</cib>"#;

fn state(bench: &Bench, node: &str) -> String {
    bench.machine.replica.node_state(node).map(|state| state.to_text()).unwrap_or_default()
}

fn break_session(bench: &mut Bench) {
    let session = bench.far.session;
    let event = RemoteEvent::Lost { reason: "reset".into() };
    bench.tell(Event::Remote { session, event });
}

#[test]
fn resources_run_on_a_remote_node_over_its_connection() {
    let mut bench = Bench::with(WITH_REMOTE);
    bench.view(1);
    let endpoint = &bench.far.opened[0];
    assert_eq!((&*endpoint.address, endpoint.port), ("192.0.2.7", Some(3999)));
    assert_eq!(bench.far.ran, ["r_monitor_0", "r_start_0", "r_monitor_10000"]);
    assert!(!bench.ran.iter().any(|key| key.starts_with("far")), "no agent is run for a connection");
    let (here, there) = (state(&bench, "a"), state(&bench, "far"));
    assert!(here.contains("far_monitor_30000") && !here.contains("\"r_start_0"), "{here}");
    assert!(there.contains("remote_node=\"true\"") && there.contains("in_ccm=\"true\""), "{there}");
    assert!(there.contains("r_start_0") && there.contains("on_node=\"far\""), "{there}");
}

#[test]
fn a_lost_connection_is_a_failed_monitor_at_once_and_what_ran_is_probed_over_the_next() {
    let mut bench = Bench::with(WITH_REMOTE);
    bench.view(1);
    bench.far.ran.clear();
    break_session(&mut bench);
    bench.wait(5);
    assert!(state(&bench, "a").contains("fail-count-far#monitor_30000"), "{}", state(&bench, "a"));
    assert_eq!(bench.far.opened.len(), 2);
    assert_eq!(
        bench.far.ran,
        ["r_monitor_0", "r_monitor_10000"],
        "it still ran, so it was not started again"
    );
}

#[test]
fn a_connection_is_tried_again_until_its_start_times_out() {
    let mut bench = Bench::with(WITH_REMOTE);
    bench.far.is_reachable = false;
    bench.view(1);
    let n_tries = bench.far.opened.len();
    assert!((10..=25).contains(&n_tries), "{n_tries}");
    assert!(state(&bench, "a").contains("fail-count-far#start_0"));
    assert_eq!(bench.far.ran, [""; 0]);
}

#[test]
fn why_a_connection_does_not_come_about_is_told_once_and_in_its_failed_start() {
    let mut bench = Bench::with(WITH_REMOTE);
    bench.far.is_reachable = false;
    bench.view(1);
    let told = |bench: &Bench, what: &str| bench.logs.iter().filter(|line| *line == what).count();
    assert_eq!(told(&bench, "cannot connect to far yet: refused"), 1, "{:#?}", bench.logs);
    assert_eq!(told(&bench, "cannot connect to far: refused"), 1, "{:#?}", bench.logs);
    let here = state(&bench, "a");
    assert!(
        here.contains("exit-reason=\"cannot connect to the remote executor in time: refused\""),
        "{here}"
    );
}

#[test]
fn transient_attributes_of_a_remote_node_go_with_its_connection() {
    let mut bench = Bench::with(WITH_REMOTE);
    bench.view(1);
    let change = crate::message::AttributeChange {
        node: "far".into(),
        name: "ping".into(),
        to: crate::message::AttributeValue::Set("1".into()),
        ..Default::default()
    };
    bench.machine.replica.set_attributes(&[change]);
    assert!(state(&bench, "far").contains("\"ping\""));
    break_session(&mut bench);
    bench.wait(5);
    assert!(!state(&bench, "far").contains("\"ping\""));
}

pub(super) fn with_fencing() -> String {
    let device = r#"<resources><primitive id="fence" class="stonith" type="fence_dummy"/>"#;
    WITH_REMOTE.replace("\"false\"", "\"true\"").replace("<resources>", device)
}

/// An administrator says that `far` is off.
fn confirm(bench: &mut Bench) -> Option<systole_wire::api::Reply> {
    bench.replies.clear();
    let call = systole_wire::api::Call::ConfirmOff { node: "far".into() };
    let request = systole_wire::api::Request { id: 1, client: "test".into(), user: None, call };
    bench.tell(Event::Request { client: crate::ClientId(9), request, groups: Vec::new() });
    bench.replies.pop()
}

#[test]
fn a_remote_node_can_be_vouched_to_be_off_when_it_is_not_connected_to() {
    let mut bench = Bench::with(&with_fencing());
    bench.view(1);
    assert!(matches!(confirm(&mut bench), Some(systole_wire::api::Reply::Refused(_))));
    bench.far.is_reachable = false;
    break_session(&mut bench);
    bench.wait(2);
    assert!(state(&bench, "far").contains("\"r_start_0"), "what may still run there is not forgotten");
    assert_eq!(confirm(&mut bench), Some(systole_wire::api::Reply::Done));
    let there = state(&bench, "far");
    assert!(there.contains("node_fenced=\"1\"") && !there.contains("\"r_start_0"), "{there}");
}

#[test]
fn the_connection_to_a_guest_is_closed_when_the_node_of_its_container_is_vouched_to_be_off() {
    let container = r#"<primitive id="r" class="ocf" provider="pacemaker" type="Dummy"><meta_attributes id="rt">
        <nvpair id="rt1" name="remote-node" value="g"/></meta_attributes>"#;
    let resource = r#"<primitive id="r" class="ocf" provider="pacemaker" type="Dummy">"#;
    let mut bench = Bench::with(&with_fencing().replace(resource, container));
    bench.view(1);
    let session_with = |bench: &Bench, name: &str| {
        bench.machine.connections.session_of(&crate::message::Hand::Remote(name.into()))
    };
    let guest = session_with(&bench, "g");
    let entry = bench.machine.replica.ledger.connections.get_mut("g").expect("connected");
    // As that of a bundle can be.
    entry.container_on = Some("far".into());
    bench.far.is_reachable = false;
    let event = RemoteEvent::Lost { reason: "reset".into() };
    let session = session_with(&bench, "far");
    bench.tell(Event::Remote { session, event });
    bench.wait(2);
    assert!(!bench.far.closed.contains(&guest));
    assert_eq!(confirm(&mut bench), Some(systole_wire::api::Reply::Done));
    assert!(bench.far.closed.contains(&guest), "{:?}", bench.far.closed);
}

#[test]
fn a_break_that_went_into_a_replica_which_lost_is_told_again() {
    let mut bench = Bench::with(WITH_REMOTE);
    bench.view(1);
    bench.set_option("maintenance-mode", "true");
    let before = bench.machine.replica.clone();
    break_session(&mut bench);
    assert!(state(&bench, "a").contains("far_last_failure_0"), "{}", state(&bench, "a"));
    bench.machine.replica = before;
    bench.view(2);
    assert_eq!(bench.far.opened.len(), 1, "it is not taken up again as if nothing had happened");
    assert!(state(&bench, "a").contains("far_last_failure_0"), "{}", state(&bench, "a"));
}

#[test]
fn the_failure_of_a_lost_connection_is_not_cleared_before_it_is_recovered() {
    let mut bench = Bench::with(WITH_REMOTE);
    bench.view(1);
    bench.set_option("maintenance-mode", "true");
    break_session(&mut bench);
    bench.machine.replica.clear_failure("a", "far", None);
    let here = state(&bench, "a");
    assert!(here.contains("far_last_failure_0") && !here.contains("fail-count-far"), "{here}");
}

#[test]
fn what_ran_on_a_lost_remote_node_is_not_forgotten_by_a_refresh() {
    let is_kept = |bench: &mut Bench| {
        assert!(bench.machine.replica.clean_up(&crate::replica::Cleanup::default()).is_ok());
        state(bench, "far").contains("\"r_start_0")
    };
    let mut bench = Bench::with(WITH_REMOTE);
    bench.view(1);
    bench.set_option("maintenance-mode", "true");
    let connected = bench.machine.replica.clone();
    break_session(&mut bench);
    assert!(is_kept(&mut bench), "{}", state(&bench, "far"));
    let here = state(&bench, "a");
    assert!(here.contains("far_last_failure_0") && here.contains("\"far_start_0"), "{here}");
    // The same where the member that held the connection was lost with it.
    bench.machine.replica = connected.clone();
    let entry = bench.machine.replica.ledger.connections.get_mut("far").expect("connected");
    entry.host = 2;
    assert!(is_kept(&mut bench), "{}", state(&bench, "far"));
    bench.machine.replica = connected;
    assert!(!is_kept(&mut bench), "what can be probed is forgotten");
}

#[test]
fn a_session_is_closed_when_another_member_holds_the_connection() {
    let mut bench = Bench::with(WITH_REMOTE);
    bench.view(1);
    let entry = bench.machine.replica.ledger.connections.get_mut("far").expect("connected");
    entry.host = 2;
    // Whatever is reported of connections makes it known.
    bench.casts.clear();
    bench.machine.connections_reported(2, &[]);
    let effects = std::mem::take(&mut bench.machine.effects);
    let is_close =
        |effect: &Effect| matches!(effect, Effect::Remote { command: crate::RemoteCommand::Close, .. });
    assert!(effects.iter().any(is_close), "{effects:?}");
    // What still comes from there is told to nobody, and not again and again.
    let operation = bench.machine.replica.ledger.connections["far"].start.clone();
    let result = bench.result(operation, true);
    let session = bench.far.session;
    let event = RemoteEvent::Says(FromExecutor::Result(Box::new(result)));
    bench.tell(Event::Remote { session, event });
    assert!(!bench.casts.iter().any(|payload| payload.contains("record")), "{:?}", bench.casts);
}

#[test]
fn a_result_is_later_than_the_last_of_its_operation_though_clocks_are_set_back() {
    use crate::message::Hand;
    let mut bench = Bench::with(WITH_REMOTE);
    bench.view(1);
    let far = Hand::Remote("far".into());
    for (by, node, key) in [(&far, "far", "r_monitor_10000"), (&Hand::Connections, "a", "far_monitor_30000")]
    {
        let last = bench.machine.replica.recurring_changed_at(node, key).expect("recorded");
        let operation = Operation { key: key.into(), ..super::operation("monitor", 10_000) };
        for (at, expected) in [(last - 829, last + 1), (last, last + 1), (last + 5, last + 5)] {
            assert_eq!(bench.machine.moment_after_the_last(by, &operation, at), expected, "{key}");
        }
        let once = Operation { interval_ms: 0, ..operation };
        assert_eq!(bench.machine.moment_after_the_last(by, &once, 5), 5, "calls have an order of their own");
    }
}

#[test]
fn a_start_that_waits_its_turn_on_a_remote_node_when_quorum_is_lost_is_taken_back() {
    let mut bench = Bench::with(
        &WITH_REMOTE
            .replace("\"o1\"", "\"o2\" name=\"no-quorum-policy\" value=\"freeze\"/><nvpair id=\"o1\""),
    );
    bench.far.starts_wait = true;
    bench.view(1);
    assert_eq!((bench.far.waiting.len(), &bench.far.ran[..]), (1, &["r_monitor_0".to_owned()][..]));
    assert!(state(&bench, "far").contains("r_start_0"));
    let members = vec![(1, "a".to_owned())];
    bench.tell(Event::View(View { number: 2, own_id: 1, members, has_quorum: false }));
    bench.wait(5);
    assert_eq!(bench.far.waiting, []);
    assert!(!state(&bench, "far").contains("r_start_0"), "{}", state(&bench, "far"));
    assert_eq!(bench.far.ran, ["r_monitor_0", "r_monitor_0"], "what is true is found out");
}
