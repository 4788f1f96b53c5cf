//! What agents say of themselves: what is reloaded instead of restarted, and what histories tell of it.

use super::*;
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
    bench.metadata = metadata;
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
    bench.tell(Event::Request { client: crate::ClientId(7), request });
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
fn an_agent_that_says_nothing_of_itself_is_run_a_few_seconds_later_all_the_same() {
    let mut bench = running(None, false);
    assert!(bench.running, "{:?}", bench.ran);
    assert_eq!(
        bench.machine.cib().find_id("r_last_0").and_then(|start| start.attr("op-force-restart")),
        None
    );
    // It may have been updated by the next start.
    bench.metadata = metadata("1.1", "reload-agent");
    assert_eq!(changed(&mut bench, "p2", "/run/s"), ["r_stop_0", "r_start_0"]);
    assert_eq!(changed(&mut bench, "p1", "2"), ["r_reload-agent_0"]);
}

#[test]
fn an_executor_that_is_too_old_to_be_asked_is_not_waited_for() {
    let mut bench = Bench::start();
    bench.metadata = None;
    let FromExecutor::Welcome { boot_id, .. } = welcome() else { panic!("a welcome") };
    let protocol = systole_wire::ProtocolVersion { major: 1, minor: 1 };
    bench.tell(Event::Executor(FromExecutor::Welcome {
        protocol,
        boot_id,
        recurring: Vec::new(),
        in_flight: Vec::new(),
        unacknowledged: Vec::new(),
        last_call: 0,
        last_number: 0,
        acknowledged: 0,
    }));
    let members = vec![(1, "a".to_owned())];
    bench.tell(Event::View(View { number: 1, own_id: 1, members, has_quorum: true }));
    bench.wait(3);
    assert!(bench.running, "{:?}", bench.ran);
}
