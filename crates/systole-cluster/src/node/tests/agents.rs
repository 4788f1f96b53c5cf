//! What agents say of themselves: what is reloaded instead of restarted, and what histories tell of it.

use super::*;
use crate::message::Hand;
use systole_cib::ops::{CibAction, CibCall, CibOptions, Scope};

const METADATA: &str = r#"<?xml version="1.0"?>
<!DOCTYPE resource-agent SYSTEM "ra-api-1.dtd">
<resource-agent name="Dummy" version="2.0">
  <version>VERSION</version>
  <parameters>
    <parameter name="state" unique="1"/>
    <parameter name="fake" reloadable="1"/>
    <parameter name="passwd" reloadable="1"/>
  </parameters>
  <actions><action name="start" timeout="20s"/><action name="ACTION" timeout="20s"/></actions>
</resource-agent>"#;

fn metadata(version: &str, action: &str) -> Option<String> {
    Some(METADATA.replace("VERSION", version).replace("ACTION", action))
}

const PARAMETERS: &str = r#"<instance_attributes id="p"><nvpair id="p1" name="fake" value="1"/>
    <nvpair id="p2" name="state" value="/run/r"/><nvpair id="p3" name="passwd" value="secret"/></instance_attributes>"#;

/// Node a, and the remote node it is connected to if the resource is to run there.
fn running(metadata: Option<String>, is_remote: bool) -> Bench {
    let place = if is_remote { "far" } else { "a" };
    let connection = r#"<primitive id="far" class="ocf" provider="pacemaker" type="remote"/>"#;
    let cib = CIB
        .replace(
            r#"type="Dummy"/>"#,
            &format!(r#"type="Dummy">{PARAMETERS}</primitive>{}"#, if is_remote { connection } else { "" }),
        )
        .replace(
            "<constraints/>",
            &format!(
                r#"<constraints><rsc_location id="l" rsc="r" node="{place}" score="INFINITY"/></constraints>"#
            ),
        );
    let mut bench = Bench::with(&cib);
    if is_remote {
        // Another agent than this node's, or one that only the remote node has.
        bench.metadata = Some(String::new());
        bench.far.metadata = metadata;
    } else {
        bench.metadata = metadata;
    }
    bench.view(1);
    bench
}

/// A tool gives a parameter another value. What is run because of that.
fn changed(bench: &mut Bench, id: &str, value: &str) -> Vec<String> {
    bench.ran.clear();
    bench.far.ran.clear();
    let change = CibCall {
        action: CibAction::Modify,
        scope: Scope::Section("resources".to_owned()),
        xml: Some(format!(r#"<nvpair id="{id}" value="{value}"/>"#)),
        options: CibOptions::default(),
    };
    let call = systole_wire::api::Call::Apply { change, force: false };
    let request = systole_wire::api::Request { id: 1, client: "test".into(), user: None, call };
    bench.tell(Event::Request { client: crate::ClientId(7), request, groups: Vec::new() });
    bench.wait(2);
    bench.ran.iter().chain(&bench.far.ran).cloned().collect()
}

#[test]
fn a_changed_parameter_that_can_be_reloaded_is_and_another_restarts() {
    let restart = vec!["r_stop_0", "r_start_0"];
    for (version, action, reload) in [
        ("1.1", "reload-agent", vec!["r_reload-agent_0"]),
        ("1.0", "reload", vec!["r_reload-agent_0"]),
        // It says nothing of parameters.
        ("1.1", "reload", restart.clone()),
    ] {
        for is_remote in [false, true] {
            let mut bench = running(metadata(version, action), is_remote);
            let case = format!("{version} {action}, remote: {is_remote}");
            assert_eq!(changed(&mut bench, "p1", "2"), reload, "{case}");
            assert_eq!(changed(&mut bench, "p2", "/run/s"), restart, "{case}");
        }
    }
}

#[test]
fn a_connection_is_kept_when_a_parameter_of_it_changes_that_can_be_reloaded() {
    let connection = r#"<primitive id="r" class="ocf" provider="pacemaker" type="remote">
        <instance_attributes id="p"><nvpair id="p1" name="fake" value="1"/>
        <nvpair id="p2" name="server" value="192.0.2.7"/></instance_attributes></primitive>"#;
    let resource = r#"<primitive id="r" class="ocf" provider="pacemaker" type="Dummy"/>"#;
    let mut bench = Bench::with(&CIB.replace(resource, connection));
    bench.metadata = metadata("1.1", "reload-agent");
    bench.view(1);
    assert_eq!(bench.far.opened.len(), 1);
    changed(&mut bench, "p1", "2");
    assert_eq!(bench.far.opened.len(), 1, "{}", bench.machine.cib().to_text());
}

#[test]
fn a_reload_is_asked_for_by_the_name_the_agent_knows() {
    for (version, action) in [("1.1", "reload-agent"), ("1.0", "reload")] {
        let mut bench = running(metadata(version, action), false);
        bench.asked.clear();
        changed(&mut bench, "p1", "2");
        assert_eq!(bench.asked, [action]);
    }
}

#[test]
fn histories_tell_what_calls_for_a_restart_and_what_is_private_as_pacemaker_does() {
    let bench = running(metadata("1.1", "reload-agent"), false);
    let cib = bench.machine.cib();
    let start = cib.find_id("r_last_0").expect("it was started");
    let digest = |text: &str| systole_cib::digest::md5(text);
    assert_eq!(start.attr("op-force-restart"), Some("  state  "));
    let state = digest(" <parameters state=\"/run/r\"/>\n");
    assert_eq!(start.attr("op-restart-digest"), Some(&*state));
    assert_eq!(start.attr("op-secure-params"), Some("  passwd  "));
    let open = digest(" <parameters fake=\"1\" state=\"/run/r\"/>\n");
    assert_eq!(start.attr("op-secure-digest"), Some(&*open));
}

#[test]
fn of_a_recurring_monitor_too_a_private_change_is_known_to_be_private() {
    let monitor =
        r#"<operations><op id="m" name="monitor" interval="10s" timeout="33s"/></operations></primitive>"#;
    let mut bench =
        Bench::with(&CIB.replace(r#"type="Dummy"/>"#, &format!(r#"type="Dummy">{PARAMETERS}{monitor}"#)));
    bench.metadata = metadata("1.1", "reload-agent");
    bench.view(1);
    bench.wait(2);
    let text = bench.machine.cib().to_text();
    let is_private_change = |from: &str, to: &str| {
        let document = systole_cib::xml::Document::parse(text.replace(from, to)).expect("a CIB");
        let (cib, _) = systole_cib::read(&document);
        let status = systole_scheduler::Status::unpack(&cib, Timestamp::default());
        let histories = cib.node_states.iter().flat_map(|state| state.history.iter().flatten());
        let mut entries = histories.flat_map(|history| &history.operations);
        let entry = entries.find(|entry| entry.op.interval_ms == 10_000).expect("it is monitored");
        let (rsc, node) = (status.find_resource("r"), status.find_node("a"));
        status.is_only_private_change(rsc.expect("r"), node.expect("a"), entry)
    };
    assert!(is_private_change(r#"value="secret""#, r#"value="another""#));
    assert!(!is_private_change(r#"value="/run/r""#, r#"value="/run/s""#));
}

#[test]
fn a_change_that_is_made_while_an_operation_is_under_way_is_reloaded_too() {
    let mut bench = running(metadata("1.1", "reload-agent"), false);
    bench.asked.clear();
    bench.hangs_from = Some("start");
    assert_eq!(changed(&mut bench, "p2", "/run/s"), ["r_stop_0", "r_start_0"]);
    let start = bench.machine.cib().find_id("r_last_0").expect("it is on record");
    let digest = |text: &str| systole_cib::digest::md5(text);
    assert_eq!(start.attr("op-status"), Some("-1"));
    assert_eq!(start.attr("op-force-restart"), Some("  state  "));
    assert_eq!(start.attr("op-restart-digest"), Some(&*digest(" <parameters state=\"/run/s\"/>\n")));
    let open = digest(" <parameters fake=\"1\" state=\"/run/s\"/>\n");
    assert_eq!(start.attr("op-secure-digest"), Some(&*open));

    assert_eq!(changed(&mut bench, "p1", "2"), [""; 0], "the start is waited for");
    bench.hangs_from = None;
    let start = bench.hung.pop().expect("the start");
    let result = bench.run(start);
    bench.ran.clear();
    bench.tell(Event::Executor(FromExecutor::Result(Box::new(result))));
    bench.wait(2);
    assert_eq!(bench.ran, ["r_reload-agent_0"]);
}

#[test]
fn an_agent_that_says_nothing_of_itself_is_run_a_few_seconds_later_all_the_same() {
    let mut bench = running(None, false);
    assert!(bench.running, "{:?}", bench.ran);
    assert_eq!(
        bench.machine.cib().find_id("r_last_0").and_then(|start| start.attr("op-force-restart")),
        None
    );
    // It is left alone for a while, and may have been updated by the next start.
    bench.wait(30);
    bench.metadata = metadata("1.1", "reload-agent");
    assert_eq!(changed(&mut bench, "p2", "/run/s"), ["r_stop_0", "r_start_0"]);
    assert_eq!(changed(&mut bench, "p1", "2"), ["r_reload-agent_0"]);
}

#[test]
fn an_executor_that_is_too_old_to_be_asked_is_not_waited_for() {
    let mut bench = Bench::start();
    bench.metadata = None;
    let mut welcome = welcome();
    if let FromExecutor::Welcome { protocol, .. } = &mut welcome {
        *protocol = systole_wire::ProtocolVersion { major: 1, minor: 1 };
    }
    bench.tell(Event::Executor(welcome));
    let members = vec![(1, "a".to_owned())];
    bench.tell(Event::View(View { number: 1, own_id: 1, members, has_quorum: true }));
    bench.wait(3);
    assert!(bench.running, "{:?}", bench.ran);
}

/// Copies of `r`: three resources of one agent.
fn three(said: Option<String>) -> Bench {
    let more = r#"type="Dummy"/><primitive id="s" class="ocf" provider="pacemaker" type="Dummy"/>
        <primitive id="t" class="ocf" provider="pacemaker" type="Dummy"/>"#;
    let mut bench = Bench::with(&CIB.replace(r#"type="Dummy"/>"#, more));
    bench.metadata = said;
    bench.view(1);
    bench
}

/// What is started within so many seconds after everything was stopped.
fn started_again(bench: &mut Bench, secs: u64) -> Vec<String> {
    bench.set_option("stop-all-resources", "true");
    bench.wait(1);
    bench.ran.clear();
    bench.set_option("stop-all-resources", "false");
    bench.wait(secs);
    bench.ran.clone()
}

#[test]
fn starts_that_wait_for_one_agent_go_together_and_those_that_follow_wait_no_more() {
    let all = ["r_start_0", "s_start_0", "t_start_0"];
    let mut bench = three(metadata("1.1", "reload-agent"));
    bench.metadata = None;
    assert_eq!(started_again(&mut bench, 2), [""; 0]);
    bench.wait(4);
    assert_eq!(bench.ran, all);
    assert_eq!(started_again(&mut bench, 1), all);
    // After a while it is asked again.
    bench.wait(60);
    assert_eq!(started_again(&mut bench, 2), [""; 0]);
}

#[test]
fn an_agent_that_once_cannot_describe_itself_is_taken_to_be_as_before() {
    let mut bench = running(metadata("1.1", "reload-agent"), false);
    bench.metadata = Some(String::new());
    assert_eq!(changed(&mut bench, "p2", "/run/s"), ["r_stop_0", "r_start_0"]);
    assert_eq!(changed(&mut bench, "p1", "2"), ["r_reload-agent_0"]);
}

#[test]
fn what_is_to_run_on_a_remote_node_runs_though_the_executor_was_gone_for_a_moment() {
    let ran = ["r_stop_0", "r_start_0"];
    // Gone before the start, after it, or back before anybody noticed that it was.
    for (before, after) in [(true, false), (false, true), (false, false)] {
        let mut bench = running(metadata("1.1", "reload-agent"), true);
        bench.metadata = None;
        if before {
            bench.tell(Event::ExecutorLost);
        }
        changed(&mut bench, "p2", "/run/s");
        if after {
            bench.tell(Event::ExecutorLost);
        }
        bench.metadata = metadata("1.1", "reload-agent");
        bench.tell(Event::Executor(welcome()));
        bench.wait(1);
        assert_eq!(bench.far.ran, ran, "lost before: {before}, after: {after}");
    }
}

#[test]
fn only_what_cannot_go_without_it_waits_for_a_description() {
    let operation = |task: &str, interval_ms| Operation {
        agent: "Other".to_owned(),
        transition_key: format!("{task} {interval_ms}"),
        ..super::operation(task, interval_ms)
    };
    // What has to wait if nothing is known, and if only the latest is not.
    for (task, interval_ms, if_unknown, if_known) in [
        ("start", 0, true, true),
        ("reload", 0, true, false),
        ("reload-agent", 0, true, false),
        ("promote", 0, true, false),
        ("migrate_from", 0, true, false),
        ("monitor", 0, true, false),
        ("monitor", 10_000, false, false),
        ("demote", 0, false, false),
        ("stop", 0, false, false),
        ("migrate_to", 0, false, false),
        ("notify", 0, false, false),
    ] {
        let mut bench = Bench::start();
        let operation = operation(task, interval_ms);
        let machine = &mut bench.machine;
        assert_eq!(machine.awaits_description(&Hand::Executor, &operation), if_unknown, "unknown: {task}");
        machine.described(
            &Hand::Executor,
            systole_wire::exec::AgentName::of(&operation),
            metadata("1.1", "reload").as_deref(),
        );
        let start = Operation { operation: "start".into(), interval_ms: 0, ..operation.clone() };
        assert!(
            machine
                .awaits_description(&Hand::Executor, &Operation { transition_key: "other".into(), ..start })
        );
        assert_eq!(machine.awaits_description(&Hand::Executor, &operation), if_known, "known: {task}");
    }
}
