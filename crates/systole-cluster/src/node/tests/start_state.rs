//! `PCMK_node_start_state`, of cluster nodes and remote ones.

use super::*;

/// Node a, whose environment says `state`.
fn bench(state: StartState, cib: &str) -> Bench {
    let mut bench = Bench::with(cib);
    bench.machine.config.start_state = state;
    bench
}

/// The standby attribute of a node, as the configuration has it.
fn standby(bench: &Bench, node: &str) -> Option<String> {
    let cib = bench.machine.cib();
    let nodes = cib.root().child("configuration").and_then(|it| it.child("nodes")).expect("there are nodes");
    let entry = nodes.children_named("node").find(|entry| entry.attr("uname") == Some(node))?;
    let pair = entry.descendants().find(|pair| pair.attr("name") == Some("standby"))?;
    pair.attr("value").map(str::to_owned)
}

#[test]
fn a_node_that_begins_in_standby_runs_nothing_and_one_that_begins_online_ends_its_standby() {
    let in_standby = CIB.replace(
        r#"<node id="1" uname="a"/>"#,
        r#"<node id="1" uname="a"><instance_attributes id="s"><nvpair id="t" name="standby" value="on"/></instance_attributes></node>"#,
    );
    for (state, cib, standby_then, runs) in [
        (StartState::Standby, CIB, Some("true"), false),
        (StartState::Online, &in_standby, Some("false"), true),
        (StartState::Default, &in_standby, Some("on"), false),
        (StartState::Default, CIB, None, true),
    ] {
        let mut bench = bench(state, cib);
        bench.view(1);
        assert_eq!(standby(&bench, "a").as_deref(), standby_then, "{state}");
        assert_eq!((bench.running, bench.asked.contains(&"start".to_owned())), (runs, runs), "{state}");
    }
}

/// An administrator says that a is not in standby.
fn end_standby(bench: &mut Bench) {
    let change = bench.machine.replica.standby_change("1", "a", false, false);
    let call = systole_wire::api::Call::Apply { change, force: false };
    let request = systole_wire::api::Request { id: 1, client: "test".into(), user: None, call };
    bench.tell(Event::Request { client: crate::ClientId(7), request, groups: Vec::new() });
}

#[test]
fn what_an_administrator_says_later_counts() {
    let mut bench = bench(StartState::Standby, CIB);
    bench.view(1);
    end_standby(&mut bench);
    bench.view(2);
    assert_eq!(standby(&bench, "a").as_deref(), Some("false"));
    assert!(bench.running);
}

#[test]
fn a_remote_node_is_asked_how_it_begins_when_it_is_connected_to() {
    for (state, runs_there) in [(StartState::Standby, false), (StartState::Default, true)] {
        let mut bench = Bench::with(remote::WITH_REMOTE);
        bench.far.start_state = state;
        bench.view(1);
        assert_eq!(standby(&bench, "far").as_deref(), (!runs_there).then_some("true"));
        assert_eq!(
            bench.far.ran.contains(&"r_start_0".to_owned()),
            runs_there,
            "{state}: {:?}",
            bench.far.ran
        );
    }
}

#[test]
fn a_start_state_that_cannot_be_written_down_is_tried_again_until_it_is() {
    let mut bench = bench(StartState::Standby, CIB);
    bench.tell(Event::DiskFailed { token: crate::Token(1), error: "disk full".into() });
    bench.view(1);
    assert_eq!(standby(&bench, "a"), None);
    assert!(bench.logs.iter().any(|line| line.contains("nothing came") && line.contains("disk full")));
    let token = *bench.tokens.last().expect("the CIB was to be written");
    bench.tell(Event::Durable(token));
    bench.view(2);
    assert_eq!(standby(&bench, "a").as_deref(), Some("true"));
    // From then on an administrator's word counts.
    end_standby(&mut bench);
    bench.view(3);
    assert_eq!(standby(&bench, "a").as_deref(), Some("false"));
}
