//! What is asked of this node while its executor is away, and how that shows.

use super::{
    levels::{join, join_since},
    *,
};
use crate::message::{LEVEL_OF_MARKS, LEVEL_OF_WITHDRAWALS};
use systole_wire::api::{Call, Request};

/// `r` is to be started while the executor, which has stopped it, is away.
fn with_a_start_that_waits(minor: u16) -> Bench {
    let mut bench = Bench::start();
    join(&mut bench, minor);
    bench.wait(90);
    target_role(&mut bench, "Stopped");
    assert!(!bench.running, "{:?}", bench.ran);
    bench.tell(Event::ExecutorLost);
    bench.ran.clear();
    target_role(&mut bench, "Started");
    assert_eq!(bench.ran, [""; 0]);
    bench
}

fn target_role(bench: &mut Bench, role: &str) {
    bench.set_meta("target-role", role);
    bench.wait(3);
}

/// The executor is back. It remembers what it was told to do and nothing else.
fn comes_back(bench: &mut Bench) {
    let FromExecutor::Welcome { protocol, boot_id, .. } = welcome() else { panic!("a welcome") };
    bench.tell(Event::Executor(FromExecutor::Welcome {
        protocol,
        boot_id,
        recurring: Vec::new(),
        in_flight: Vec::new(),
        unacknowledged: Vec::new(),
        last_call: 50,
        last_number: bench.n_results,
        acknowledged: bench.n_results,
    }));
    bench.wait(5);
}

#[test]
fn a_start_that_waits_for_an_executor_is_done_when_it_is_back_if_nothing_has_changed() {
    let mut bench = with_a_start_that_waits(PROTOCOL.minor);
    comes_back(&mut bench);
    assert_eq!(bench.ran, ["r_start_0"]);
}

#[test]
fn a_start_that_waits_for_an_executor_is_taken_back_when_its_plan_is_out_of_date() {
    for (minor, ran) in
        [(PROTOCOL.minor, &["r_monitor_0", "r_start_0"][..]), (LEVEL_OF_WITHDRAWALS - 1, &["r_start_0"][..])]
    {
        let mut bench = with_a_start_that_waits(minor);
        bench.set_option("cluster-name", "x");
        bench.wait(3);
        comes_back(&mut bench);
        assert_eq!(bench.ran, ran, "beside one that speaks 1.{minor}");
    }
}

#[test]
fn a_member_whose_executor_is_away_is_shown_to_be_in_maintenance_until_it_is_back() {
    for (minor, is_shown) in [(PROTOCOL.minor, true), (LEVEL_OF_MARKS - 1, false)] {
        let mut bench = Bench::start();
        join(&mut bench, minor);
        bench.wait(90);
        bench.tell(Event::ExecutorLost);
        bench.wait(30);
        let shows = |bench: &Bench| {
            let state =
                bench.machine.replica.node_state("a").map(|state| state.to_text()).unwrap_or_default();
            state.contains("name=\"maintenance\" value=\"true\"") && state.contains("systole-executor")
        };
        assert_eq!(shows(&bench), is_shown, "beside one that speaks 1.{minor}");
        // It is nobody's attribute.
        assert_eq!(bench.machine.replica.attribute("a", "maintenance"), None);
        comes_back(&mut bench);
        assert!(!shows(&bench));
    }
}

#[test]
fn the_mark_of_a_member_without_executor_is_not_in_the_copy_for_members_that_do_not_know_it() {
    for (minor, is_there) in [(PROTOCOL.minor, true), (LEVEL_OF_MARKS - 1, false)] {
        let mut bench = Bench::start();
        bench.view(1);
        bench.tell(Event::ExecutorLost);
        bench.wait(30);
        bench.casts.clear();
        join_since(&mut bench, minor, 1);
        let copy = bench.casts.iter().find(|payload| payload.contains("\"copy\"")).expect("b needs one");
        assert_eq!(copy.contains("executor-is-away"), is_there, "for one that speaks 1.{minor}");
        assert_eq!(bench.machine.cib().to_text().contains("executor-is-away"), is_there);
    }
}

#[test]
fn a_node_that_cannot_leave_for_want_of_its_executor_says_so() {
    let mut bench = Bench::start();
    bench.view(1);
    bench.tell(Event::ExecutorLost);
    let request = Request { id: 1, client: "test".into(), user: None, call: Call::Shutdown };
    bench.tell(Event::Request { client: crate::ClientId(7), request, groups: Vec::new() });
    bench.wait(30);
    assert!(!bench.has_left);
    assert!(bench.logs.iter().any(|line| line.contains("cannot leave in good order")), "{:#?}", bench.logs);
    comes_back(&mut bench);
    assert!(bench.has_left && !bench.running, "{:?}", bench.ran);
}
