//! Guests in containers, and what their lost connections mean. Node `a` holds every connection, `far` is a remote node, `g` is
//! the guest in the container `c`.

use super::*;
use crate::message::{LEVEL_OF_LEFTOVERS, MembershipUpdate, NodeUpdate, Standing};

const A: u32 = 1;

struct Bench {
    replica: Replica,
    n_results: u64,
}

impl Bench {
    /// With a connection to `far`.
    fn start() -> Self {
        let mut replica = Replica::blank();
        replica.level = LEVEL_OF_DIGESTS;
        replica.ledger.nodes.entry(A).or_default().name = "a".to_owned();
        let mut bench = Self { replica, n_results: 0 };
        let nodes = vec![NodeUpdate { id: A, name: "a".to_owned(), standing: Standing::Member }];
        let (version, stack) = ("test".to_owned(), "hub".to_owned());
        bench.replica.apply_membership(&MembershipUpdate {
            dc: A,
            has_quorum: true,
            version,
            stack,
            nodes,
            at: 1,
        });
        bench.connection("far_start_0", OcfRc::Ok);
        bench
    }

    fn result(&mut self, by: &Hand, key: &str, rc: OcfRc) -> OperationResult {
        self.n_results += 1;
        let parsed: systole_types::OperationKey = key.parse().expect("an operation key");
        let mut operation = Operation {
            call: self.n_results,
            key: key.to_owned(),
            resource: parsed.resource.to_string(),
            operation: parsed.operation.to_string(),
            interval_ms: parsed.interval.as_millis() as u64,
            transition_key: format!("{}:1:0:12345678-1234-1234-1234-123456789012", self.n_results),
            class: "ocf".to_owned(),
            provider: None,
            agent: "Dummy".to_owned(),
            timeout_ms: 20_000,
            start_delay_ms: 0,
            parameters: Default::default(),
            expected_rc: None,
            digests: Default::default(),
        };
        if operation.resource == "g" {
            operation.parameters.insert("CRM_meta_container".to_owned(), "c".to_owned());
        }
        self.replica.perform(&Perform::new(A, by.clone(), operation.clone()));
        OperationResult {
            number: self.n_results,
            operation,
            rc: rc.code(),
            status: OpStatus::Done.code(),
            exit_reason: String::new(),
            at: 2,
            exec_ms: 1,
            queue_ms: 0,
        }
    }

    /// An operation of a connection.
    fn connection(&mut self, key: &str, rc: OcfRc) {
        let result = self.result(&Hand::Connections, key, rc);
        self.replica.connections_reported(A, &[ConnectionReport { session: SessionId(1), result }]);
    }

    /// An operation of a resource on `a` or `far`.
    fn resource(&mut self, node: &str, key: &str, rc: OcfRc) {
        let by = if node == "a" { Hand::Executor } else { Hand::Remote(node.to_owned()) };
        let result = self.result(&by, key, rc);
        self.replica.record(A, &by, &[result]);
    }

    /// The container is started on a node and the guest connected to; then that connection breaks and is stopped.
    fn lose_guest_on(&mut self, node: &str) {
        self.resource(node, "c_start_0", OcfRc::Ok);
        self.connection("g_start_0", OcfRc::Ok);
        self.connection("g_monitor_30000", OcfRc::Ok);
        self.connection("g_monitor_30000", OcfRc::Error);
        self.connection("g_stop_0", OcfRc::Ok);
    }

    /// Whether the stop of the guest's connection counts.
    fn is_guest_stopped(&self) -> bool {
        self.replica.is_stopped("a", "g")
    }
}

#[test]
fn the_stop_of_a_guest_that_was_lost_counts_when_its_container_is_stopped() {
    for node in ["a", "far"] {
        let mut bench = Bench::start();
        bench.lose_guest_on(node);
        assert!(!bench.is_guest_stopped(), "on {node}, where it still runs");
        bench.resource(node, "c_stop_0", OcfRc::Ok);
        assert!(bench.is_guest_stopped(), "on {node}");
    }
}

#[test]
fn that_a_container_does_not_run_elsewhere_says_nothing_of_its_guest() {
    for (node, other) in [("a", "far"), ("far", "a")] {
        let mut bench = Bench::start();
        bench.resource(other, "c_monitor_0", OcfRc::NotRunning);
        bench.lose_guest_on(node);
        assert!(!bench.is_guest_stopped(), "on {node}, where it still runs");
        bench.resource(other, "c_monitor_0", OcfRc::NotRunning);
        assert!(!bench.is_guest_stopped(), "on {node}, where it still runs");
        bench.resource(node, "c_monitor_0", OcfRc::NotRunning);
        assert!(bench.is_guest_stopped(), "on {node}");
    }
}

#[test]
fn a_guest_is_gone_with_the_remote_node_that_its_container_was_on() {
    let mut bench = Bench::start();
    bench.lose_guest_on("far");
    let hand = Hand::Remote("g".to_owned());
    let asked = bench.result(&hand, "r_start_0", OcfRc::Ok).operation;
    let given_up = bench.replica.release_remote("far");
    assert_eq!(given_up, [asked.transition_key], "nobody will answer from the guest");
    assert_eq!(bench.replica.remote_node("g"), Some(false));
    assert!(!bench.replica.has_lost(A, "g"));
}

#[test]
fn a_guest_on_a_remote_node_only_loses_its_connection_with_the_member_that_held_it() {
    for (node, is_there) in [("a", false), ("far", true)] {
        let mut bench = Bench::start();
        bench.resource(node, "c_start_0", OcfRc::Ok);
        bench.connection("g_start_0", OcfRc::Ok);
        bench.replica.forget_member(A, "a");
        let state = bench.replica.node_state("g").expect("it was connected to");
        assert_eq!(state.attr("in_ccm") == Some("true"), is_there, "in a container on {node}");
        assert!(!bench.replica.holds(A, "g"));
    }
}

#[test]
fn what_runs_on_a_remote_node_is_not_forgotten_once_the_holder_of_its_connection_was_told_to_leave() {
    for (level, n_forgotten) in [(LEVEL_OF_LEFTOVERS, 0), (LEVEL_OF_LEFTOVERS - 1, 1)] {
        let mut bench = Bench::start();
        bench.resource("far", "r_start_0", OcfRc::Ok);
        bench.replica.level = level;
        bench.replica.ledger.nodes.get_mut(&A).expect("it is known").leaving = true;
        let refresh = crate::replica::Cleanup { node: Some("far"), ..Default::default() };
        assert_eq!(bench.replica.clean_up(&refresh), Ok(n_forgotten), "1.{level}");
    }
}
