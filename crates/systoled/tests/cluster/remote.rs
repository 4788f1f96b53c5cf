//! A remote node: a host that has a remote daemon and no `systoled`.

use crate::harness::{Cluster, until};
use std::net::TcpListener;
use systole_wire::api::{AttributeUpdate, Call, Reply};

/// A cluster of three nodes and the remote node `far`, where `one` has to run.
pub fn cluster_with_far(name: &str) -> (Cluster, u16) {
    let port = free_port();
    (cluster_with_far_behind(name, port, port), port)
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port()
}

/// The same, but the remote daemon is at `daemon_port`, and the cluster connects to `port`.
pub fn cluster_with_far_behind(name: &str, daemon_port: u16, port: u16) -> Cluster {
    let cluster = Cluster::start(name, 3);
    cluster.start_remote("far", daemon_port);
    let connection = format!(
        r#"<primitive id="far" class="ocf" provider="pacemaker" type="remote">
        <instance_attributes id="far-i"><nvpair id="far-s" name="server" value="127.0.0.1"/>
        <nvpair id="far-p" name="port" value="{port}"/></instance_attributes>
        <operations><op id="far-m" name="monitor" interval="1s" timeout="10s"/></operations></primitive>"#
    );
    cluster.load_with(
        &["one"],
        &connection,
        r#"<rsc_location id="l" rsc="one" node="far" score="INFINITY"/>"#,
    );
    until("the resource on the remote node", || cluster.is_active("far", "one").then_some(()));
    cluster.settle();
    cluster
}

#[test]
fn a_resource_runs_on_a_remote_node_and_is_repaired_there() {
    let (cluster, _) = cluster_with_far("remote");
    assert_eq!(cluster.home_of_all("one"), ["far"]);
    cluster.break_resource("far", "one");
    until("the resource's return", || cluster.is_active("far", "one").then_some(()));
}

#[test]
fn a_changed_parameter_is_reloaded_on_a_remote_node_if_the_agent_says_it_can_be() {
    let (cluster, _) = cluster_with_far("remote-reload");
    crate::harness::check_reload(&cluster, "far");
}

#[test]
fn a_lost_remote_daemon_comes_back_to_what_still_runs() {
    let (cluster, port) = cluster_with_far("remote-lost");
    cluster.kill_program("far", "remoted");
    until("the loss to be seen", || cluster.cib("a").contains("fail-count-far").then_some(()));
    cluster.start_remote("far", port);
    let monitors = cluster.count("far", "monitor", "one");
    until("monitors again", || (cluster.count("far", "monitor", "one") > monitors + 2).then_some(()));
    cluster.settle();
    assert_eq!((cluster.count("far", "start", "one"), cluster.count("far", "stop", "one")), (1, 0));
}

#[test]
fn a_cluster_node_that_comes_back_takes_its_remote_node_up_again() {
    let (cluster, _) = cluster_with_far("remote-node");
    cluster.kill_program("a", "systoled");
    cluster.start_program("a", "systoled");
    cluster.wait_members(3);
    let monitors = cluster.count("far", "monitor", "one");
    until("monitors again", || (cluster.count("far", "monitor", "one") > monitors + 2).then_some(()));
    cluster.settle();
    assert_eq!((cluster.count("far", "start", "one"), cluster.count("far", "stop", "one")), (1, 0));
}

#[test]
fn tools_on_a_remote_node_reach_the_cluster() {
    let (cluster, _) = cluster_with_far("remote-tools");
    let Reply::Node(report) = cluster.ask("far", Call::Node) else { panic!("no report") };
    assert_eq!((report.node.as_str(), report.members.len()), ("far", 3));
    let update = AttributeUpdate {
        node: "far".to_owned(),
        name: "color".to_owned(),
        value: Some("blue".to_owned()),
        ..AttributeUpdate::default()
    };
    assert_eq!(cluster.ask("far", Call::Attribute(update)), Reply::Done);
    until("the attribute", || cluster.cib("far").contains(r#"name="color" value="blue""#).then_some(()));
}

#[test]
fn a_remote_daemon_that_is_told_to_end_is_relieved_of_its_resources_first() {
    let (cluster, _) = cluster_with_far("remote-end");
    assert!(cluster.terminate_program("far", "remoted").success());
    assert_eq!(cluster.count("far", "stop", "one"), 1);
    until("the resource elsewhere", || (cluster.home_of_all("one").len() == 1).then_some(()));
}
