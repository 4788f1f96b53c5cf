//! A connection with a remote daemon that somebody tampers with while it is up.

use crate::{
    harness::{Cluster, NODES, until},
    middleman::{Harm, Middleman, Way},
    remote::{cluster_with_far_behind, free_port},
};
use std::{collections::BTreeMap, io::Write, os::unix::net::UnixStream};
use systole_link::{Connection, Limits};
use systole_wire::api::{Call, Reply, Request, Response};

/// How much more memory a program may have had for a moment after it was harmed, in kilobytes.
const MEMORY: u64 = 16 << 10;

/// Programs at either end.
fn programs() -> impl Iterator<Item = (&'static str, &'static str)> {
    NODES.into_iter().map(|node| (node, "systoled")).chain([("far", "remoted")])
}

/// How often the logs of an end have `reason`.
fn n_told(cluster: &Cluster, way: Way, reason: &str) -> usize {
    let is_there = |program: &str| (way == Way::ToDaemon) == (program == "remoted");
    let logs = programs().filter(|(_, program)| is_there(program));
    logs.map(|(node, program)| cluster.said(node, program).matches(reason).count()).sum()
}

/// A tool on the remote node asks the cluster something, so that there is something on its way in both directions.
fn ask_from_far(cluster: &Cluster) -> Option<UnixStream> {
    let mut stream = UnixStream::connect(cluster.dir("far").join("api.sock")).ok()?;
    stream.write_all(b"{\"id\":1,\"client\":\"test\",\"call\":\"node\"}\n").ok()?;
    Some(stream)
}

/// Whether a tool on the remote node gets an answer.
fn is_answered(cluster: &Cluster) -> bool {
    let limits = Limits { line: 1 << 20, unsent: 1 << 20 };
    let request = Request { id: 1, client: "test".to_owned(), user: None, call: Call::Node };
    let answer = Connection::connect(&cluster.dir("far").join("api.sock"), limits)
        .ok()
        .and_then(|mut tool| tool.ask::<_, Response>(&request, std::time::Duration::from_secs(1)).ok());
    matches!(answer.map(|response| response.reply), Some(Reply::Node(_)))
}

/// Does each harm in turn. Each time the end it was done to says what it saw, a new connection is made, and the resource on the
/// remote node is watched on, and is not touched.
fn check(name: &str, way: Way, harms: &[(Harm, &str)]) {
    let daemon_port = free_port();
    let middleman = Middleman::before(daemon_port);
    let cluster = cluster_with_far_behind(name, daemon_port, middleman.port);
    let memory: BTreeMap<_, _> = programs().map(|it| (it, cluster.peak_memory(it.0, it.1))).collect();
    for &(harm, reason) in harms {
        until("answers", || is_answered(&cluster).then_some(()));
        let (told, connections) = (n_told(&cluster, way, reason), middleman.n_connections());
        middleman.harm(way, harm);
        let _tool = ask_from_far(&cluster).expect("the daemon's socket");
        until("the harm", || (!middleman.is_waiting()).then_some(()));
        until("the end that was harmed to say so", || (n_told(&cluster, way, reason) > told).then_some(()));
        until("a new connection", || (middleman.n_connections() > connections).then_some(()));
        until("answers again", || is_answered(&cluster).then_some(()));
        let monitors = cluster.count("far", "monitor", "one");
        until("monitors", || (cluster.count("far", "monitor", "one") > monitors + 1).then_some(()));
    }
    cluster.settle();
    assert_eq!((cluster.count("far", "start", "one"), cluster.count("far", "stop", "one")), (1, 0));
    for ((node, program), before) in memory {
        let now = cluster.peak_memory(node, program);
        assert!(now < before + MEMORY, "{program} of {node} had {now} kB after {before} kB");
    }
    for (node, program) in programs() {
        let said = cluster.said(node, program);
        assert!(!said.contains("panicked"), "{program} of {node} panicked: {said}");
    }
}

const SESSION: &str = "the TLS session failed";
const GONE: &str = "the connection ended without a word from the peer";

const TAMPERED: [(Harm, &str); 7] = [
    (Harm::Flip, SESSION),
    (Harm::Shorten, SESSION),
    (Harm::BreakOff, GONE),
    (Harm::Replay, SESSION),
    (Harm::Swallow, SESSION),
    // The library takes such an alert although it is not encrypted. More than the end of a connection cannot be had by it, which
    // whoever is in between can have anyway: nothing here relies on how one ends.
    (Harm::ForgeEnd, "the peer closed the connection"),
    (Harm::Flood, SESSION),
];

#[test]
fn what_is_tampered_with_on_its_way_to_a_remote_daemon_is_noticed_told_and_recovered_from() {
    check("tampered-there", Way::ToDaemon, &TAMPERED);
}

#[test]
fn what_is_tampered_with_on_its_way_from_a_remote_daemon_is_noticed_told_and_recovered_from() {
    check("tampered-back", Way::ToCluster, &TAMPERED);
}

#[test]
fn a_connection_with_a_remote_daemon_that_stands_still_is_noticed_told_and_recovered_from() {
    check("stalled", Way::ToCluster, &[(Harm::Stall, "no answer for 20 s")]);
}
