//! Whole clusters through the real daemons on one host, without root and without namespaces: a hub, and for each node a
//! `systoled` and an executor with small shell agents whose resources are files.

#![allow(missing_docs, reason = "a test")]

mod harness;
mod middleman;
mod remote;
mod tampered;
mod tools;

use harness::{Cluster, NODES, PATIENCE, until};
use serde_json::json;
use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
};

/// Not a test of its own: other tests run this program again as a node's executor.
#[test]
fn executor_process() {
    harness::be_an_executor();
}

/// Nor this: executors run this program again as the keepers of their agents.
#[test]
fn keeper_process() {
    harness::be_a_keeper();
}

#[test]
fn a_cluster_comes_up_runs_resources_and_repairs_what_breaks() {
    let cluster = Cluster::start("repair", 3);
    cluster.load(&["one", "two", "three"]);
    cluster.settle();
    let homes = ["one", "two", "three"].map(|resource| cluster.home(resource));
    assert!(NODES.iter().all(|node| homes.contains(node)), "resources are spread: {homes:?}");

    cluster.break_resource(homes[0], "one");
    until("the resource's return", || cluster.is_active(homes[0], "one").then_some(()));
    cluster.settle();
    assert_eq!(cluster.home("one"), homes[0], "the node did not change");
}

#[test]
fn a_changed_parameter_is_reloaded_if_the_agent_says_it_can_be_and_another_restarts() {
    let cluster = Cluster::start("reload", NODES.len());
    cluster.load(&["one"]);
    cluster.settle();
    let home = cluster.home("one");
    harness::check_reload(&cluster, home);
    // So it is by an executor that has not asked the agent yet.
    cluster.kill_program(home, "executor");
    cluster.start_program(home, "executor");
    cluster.settle();
    harness::check_reload(&cluster, home);
}

#[test]
fn either_daemon_may_be_killed_and_nothing_stops() {
    let cluster = Cluster::start("killed", 3);
    cluster.load(&["one", "two", "three"]);
    cluster.settle();
    let home = cluster.home("one");
    for program in ["systoled", "executor"] {
        let (starts, stops) = (cluster.total("start"), cluster.total("stop"));
        cluster.kill_program(home, program);
        let monitors = cluster.count(home, "monitor", "one");
        cluster.start_program(home, program);
        until("monitors to go on", || (cluster.count(home, "monitor", "one") > monitors + 1).then_some(()));
        cluster.wait_members(NODES.len());
        cluster.settle();
        assert_eq!((cluster.total("start"), cluster.total("stop")), (starts, stops), "{program} was killed");
        cluster.break_resource(home, "one");
        until("recovery after a restart", || cluster.is_active(home, "one").then_some(()));
        cluster.settle();
    }
}

#[test]
fn an_executor_that_hangs_is_noticed_and_shown_and_nothing_stops() {
    use rustix::process::Signal;
    let cluster = Cluster::start("hung", 3);
    cluster.load(&["one", "two", "three"]);
    cluster.settle();
    let home = cluster.home("one");
    let (starts, stops) = (cluster.total("start"), cluster.total("stop"));
    let is_shown = || cluster.cib(home).contains("executor-is-away");
    cluster.signal(home, "executor", Signal::STOP);
    until("the executor to be missed", || (!cluster.has_executor(home)).then_some(()));
    until("the members to hear of it", || is_shown().then_some(()));
    cluster.signal(home, "executor", Signal::CONT);
    until("the executor's return", || (cluster.has_executor(home) && !is_shown()).then_some(()));
    cluster.settle();
    assert_eq!((cluster.total("start"), cluster.total("stop")), (starts, stops));
    cluster.break_resource(home, "one");
    until("recovery after that", || cluster.is_active(home, "one").then_some(()));
}

#[test]
fn a_lost_nodes_resources_start_elsewhere() {
    let cluster = Cluster::start("lost", 3);
    cluster.load(&["one", "two", "three"]);
    cluster.settle();
    let home = cluster.home("one");
    cluster.power_off(home);
    let elsewhere: Vec<&str> = NODES.into_iter().filter(|node| *node != home).collect();
    until("recovery elsewhere", || elsewhere.iter().any(|node| cluster.is_active(node, "one")).then_some(()));
    cluster.settle();
    cluster.power_on(home);
    cluster.wait_members(NODES.len());
    cluster.settle();
    cluster.home("one");
}

#[test]
fn a_node_that_is_told_to_end_lets_its_resources_move_first() {
    let cluster = Cluster::start("leave", 3);
    cluster.load(&["one", "two", "three"]);
    cluster.settle();
    let home = cluster.home("one");
    let status = cluster.terminate(home);
    assert!(status.success(), "{status}");
    assert!(!cluster.is_active(home, "one"), "it left with its resource running");
    cluster.settle();
    assert_ne!(cluster.home("one"), home);
}

#[test]
fn a_node_that_is_told_to_end_without_a_cluster_layer_stops_its_resources_first() {
    let mut cluster = Cluster::start("lonely", 2);
    cluster.load(&["one"]);
    cluster.settle();
    let home = cluster.home("one");
    cluster.slow_down(home);
    cluster.lose_layer();
    let status = cluster.terminate(home);
    assert!(status.success(), "{status}");
    assert!(!cluster.is_active(home, "one"), "it left with its resource running");
}

#[test]
fn bad_requests_are_answered_and_change_nothing() {
    let cluster = Cluster::start("bad", 3);
    cluster.load(&["one"]);
    cluster.settle();
    let before = cluster.cib("a");
    let mut stream = UnixStream::connect(cluster.dir("a").join("api.sock")).expect("connect");
    stream.set_read_timeout(Some(PATIENCE)).expect("timeout");
    let mut answers = BufReader::new(stream.try_clone().expect("clone")).lines();
    let replace = |xml: &str| json!({"apply": {"change": {"action": "replace", "xml": xml}}});
    for (request, id) in [
        ("nonsense".to_owned(), 0),
        ("\u{1}".to_owned(), 0),
        ("{}".to_owned(), 0),
        (json!({"id": 3, "client": "t", "call": "fly"}).to_string(), 3),
        (json!({"id": 4, "client": "t", "call": replace("<cib")}).to_string(), 4),
        (json!({"id": 5, "client": "t", "call": replace("<html/>")}).to_string(), 5),
    ] {
        writeln!(stream, "{request}").expect("send");
        let answer = answers.next().expect("an answer").expect("in time");
        let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
        assert_eq!(answer["id"], id, "{request}: {answer}");
        assert!(answer["reply"]["refused"]["message"].is_string(), "{request}: {answer}");
    }
    assert_eq!(cluster.cib("a"), before);
}

#[test]
fn a_client_that_does_not_read_is_dropped_and_stalls_nobody() {
    let cluster = Cluster::start("deaf", 1);
    let mut deaf = UnixStream::connect(cluster.dir("a").join("api.sock")).expect("connect");
    deaf.set_write_timeout(Some(PATIENCE)).expect("timeout");
    let requests = "{\"id\":1,\"client\":\"deaf\",\"call\":\"cib\"}\n".repeat(10_000);
    until("the end of the connection", || deaf.write_all(requests.as_bytes()).err());
    assert!(cluster.cib("a").contains("<cib"));
}

#[test]
fn daemons_killed_again_and_again_lose_nothing() {
    let cluster = Cluster::start("again", 3);
    cluster.load(&["one", "two", "three", "four", "five", "six"]);
    cluster.settle();
    let (starts, stops) = (cluster.total("start"), cluster.total("stop"));
    for round in 0..12 {
        let node = NODES[round * 7 % 3];
        let program = if round % 2 == 0 { "systoled" } else { "executor" };
        cluster.kill_program(node, program);
        cluster.start_program(node, program);
    }
    cluster.wait_members(NODES.len());
    cluster.settle();
    assert_eq!((cluster.total("start"), cluster.total("stop")), (starts, stops));
    for resource in ["one", "two", "three", "four", "five", "six"] {
        let home = cluster.home(resource);
        cluster.break_resource(home, resource);
        until("recovery", || cluster.is_active(home, resource).then_some(()));
    }
    cluster.settle();
}

#[test]
fn a_changed_configuration_is_followed() {
    let cluster = Cluster::start("changed", 3);
    cluster.load(&["one", "two"]);
    cluster.settle();
    let (one, two) = (cluster.home("one"), cluster.home("two"));
    cluster.load(&["one", "three"]);
    cluster.settle();
    assert!(!cluster.is_active(two, "two"), "a resource that is gone from the configuration runs on");
    assert_eq!(
        (cluster.home("one"), cluster.count(one, "start", "one")),
        (one, 1),
        "what did not change was restarted"
    );
    cluster.home("three");
    let monitors = cluster.count(two, "monitor", "two");
    let others = cluster.count(one, "monitor", "one");
    until("some monitors", || (cluster.count(one, "monitor", "one") > others + 4).then_some(()));
    assert_eq!(cluster.count(two, "monitor", "two"), monitors, "a resource that is gone is still watched");
    cluster.load(&[]);
    cluster.settle();
    assert!(NODES.iter().all(|node| !cluster.is_active(node, "one") && !cluster.is_active(node, "three")));
}

#[test]
fn a_node_without_quorum_ends_when_told() {
    let cluster = Cluster::start("alone", 1);
    assert!(cluster.terminate("a").success());
}
