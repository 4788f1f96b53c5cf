//! What is asked of this node while its executor is away, and how that shows.

use super::{
    levels::{join, join_since},
    *,
};
use crate::message::{
    Attach, LEVEL_OF_DEPARTURES, LEVEL_OF_LEFTOVERS, LEVEL_OF_MARKS, LEVEL_OF_WITHDRAWALS, LEVEL_OF_WORK,
};
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

/// Whether anything is asked of an executor, and not answered: nothing is planned meanwhile.
fn awaits_answers(bench: &Bench) -> bool {
    !bench.machine.replica.ledger.in_flight.is_empty()
}

#[test]
fn a_start_that_was_dropped_with_the_view_is_taken_back_too() {
    let mut bench = with_a_start_that_waits(PROTOCOL.minor);
    assert!(awaits_answers(&bench));
    bench.view(6);
    assert!(!awaits_answers(&bench));
    comes_back(&mut bench);
    assert_eq!(bench.ran, ["r_monitor_0", "r_start_0"]);
}

#[test]
fn a_probe_keeps_nobody_waiting_for_an_executor_that_is_away() {
    let mut bench = with_a_start_that_waits(PROTOCOL.minor);
    bench.set_option("cluster-name", "x");
    bench.wait(3);
    assert!(awaits_answers(&bench), "for a probe, since the start was taken back");
    bench.wait(10);
    assert!(!awaits_answers(&bench));
}

#[test]
fn what_was_asked_back_too_early_is_asked_back_again_when_the_executor_is_gone() {
    let mut bench = Bench::start();
    // The executor is there, but has to be told of the agent first.
    bench.metadata = None;
    join(&mut bench, PROTOCOL.minor);
    bench.wait(61);
    bench.set_option("cluster-name", "x");
    assert!(awaits_answers(&bench));
    bench.tell(Event::ExecutorLost);
    bench.wait(9);
    assert!(awaits_answers(&bench));
    bench.wait(3);
    assert!(!awaits_answers(&bench));
}

/// Member `b`, whose executor has said nothing yet, says this.
pub(super) fn b_says(bench: &mut Bench, number: u64, message: Message) {
    let payload = serde_json::to_string(&Envelope { view: 5, number, message }).expect("a message");
    bench.tell(Event::Delivered { from: 2, payload });
}

#[test]
fn a_member_whose_executor_has_lost_its_memory_and_is_away_may_run_something() {
    for (minor, may_run) in [(PROTOCOL.minor, true), (LEVEL_OF_WORK - 1, false)] {
        let mut bench = Bench::start();
        // What is under way here keeps b from being probed.
        bench.hangs_from = Some("monitor");
        join(&mut bench, minor);
        let attach = |acknowledged, forgetful| {
            let (lost_monitors, lost_operations) = (Vec::new(), Vec::new());
            let by = crate::message::Hand::Executor;
            let in_flight = Vec::new();
            Message::Attach(Attach {
                by,
                session: Default::default(),
                acknowledged,
                forgetful,
                lost_monitors,
                lost_operations,
                in_flight,
            })
        };
        b_says(&mut bench, 2, attach(5, false));
        bench.wait(12);
        b_says(&mut bench, 3, attach(0, true));
        bench.wait(1);
        assert!(!bench.machine.replica.has_history("b"));
        b_says(&mut bench, 4, Message::Detach);
        let booted = bench.machine.booted_without_executor();
        assert_eq!(booted.contains("b"), !may_run, "1.{minor}");
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

#[test]
fn a_node_that_has_left_goes_on_running_what_its_history_ends_with() {
    for (minor, role, class, runs_on) in [
        (PROTOCOL.minor, "Started", "ocf", true),
        (PROTOCOL.minor, "Stopped", "ocf", false),
        (PROTOCOL.minor, "Started", "stonith", false),
        (LEVEL_OF_DEPARTURES - 1, "Started", "ocf", false),
    ] {
        let agent = format!("class=\"{class}\" provider=\"pacemaker\" type=\"Dummy\"");
        let mut bench = Bench::with(&CIB.replace(r#"class="ocf" provider="pacemaker" type="Dummy""#, &agent));
        join(&mut bench, minor);
        bench.wait(90);
        target_role(&mut bench, role);
        assert_eq!(bench.running, role == "Started", "{class}: {:?}", bench.ran);
        let replica = &mut bench.machine.replica;
        assert!(!replica.has_left_running(1, "a"), "it is here");
        replica.ledger.nodes.get_mut(&1).expect("it is known").leaving = true;
        assert_eq!(replica.has_left_running(1, "a"), runs_on, "1.{minor}: {class}, {role}");
    }
}

/// `r`, which runs, is to be stopped or demoted; before that is answered, the executor is away for good.
fn with_a_stop_without_answer() -> Bench {
    let mut bench = Bench::start();
    join(&mut bench, PROTOCOL.minor);
    bench.wait(90);
    assert!(bench.running, "{:?}", bench.ran);
    bench.hangs_from = Some("stop");
    target_role(&mut bench, "Stopped");
    assert_eq!(bench.hung.len(), 1, "{:?}", bench.ran);
    bench.tell(Event::ExecutorLost);
    bench
}

/// Whether plans are made: an option that is set leads to one.
pub(super) fn plans(bench: &mut Bench, option: &str) -> bool {
    let is_wanted =
        |machine: &NodeMachine| machine.waits_for().iter().any(|what| what.contains("a new plan"));
    bench.set_option(option, "1");
    bench.wait(3);
    !is_wanted(&bench.machine)
}

#[test]
fn a_stop_without_an_answer_keeps_no_plan_waiting_once_its_executor_is_away() {
    let mut bench = with_a_stop_without_answer();
    assert!(!plans(&mut bench, "one"), "it may be back at once");
    bench.wait(10);
    assert!(plans(&mut bench, "two"));
    bench.wait(600);
    let history = bench.machine.replica.node_state("a").map(|state| state.to_text()).unwrap_or_default();
    assert!(
        history.contains("operation_key=\"r_stop_0\"") && history.contains("rc-code=\"193\""),
        "{history}"
    );
    assert!(!bench.machine.replica.takes_for_stopped(1, "r"), "a stop without a result is no stop");
    assert!(!history.contains("fail-count"), "nor has it failed: {history}");
}

#[test]
fn what_comes_of_a_stop_is_known_when_its_executor_is_back() {
    for is_known in [true, false] {
        let mut bench = with_a_stop_without_answer();
        bench.wait(60);
        let stop = bench.hung.pop().expect("it was asked for");
        bench.hangs_from = None;
        bench.ran.clear();
        let FromExecutor::Welcome { protocol, boot_id, .. } = welcome() else { panic!("a welcome") };
        bench.tell(Event::Executor(FromExecutor::Welcome {
            protocol,
            boot_id,
            recurring: Vec::new(),
            in_flight: is_known.then(|| stop.clone()).into_iter().collect(),
            unacknowledged: Vec::new(),
            last_call: 50,
            last_number: bench.n_results,
            acknowledged: bench.n_results,
        }));
        bench.wait(5);
        if is_known {
            assert_eq!(bench.ran, [""; 0], "it is waited for again");
            let result = bench.run(stop);
            bench.tell(Event::Executor(FromExecutor::Result(Box::new(result))));
            bench.wait(5);
        }
        let ran: &[&str] = if is_known { &["r_stop_0"] } else { &["r_monitor_0", "r_stop_0"] };
        assert_eq!(bench.ran, ran);
        assert!(!awaits_answers(&bench) && !bench.running);
    }
}

/// `b` has left with something that it runs, as the DC says.
fn says_that_b_has_left(bench: &mut Bench) {
    use crate::message::{MembershipUpdate, NodeUpdate, Standing};
    let left = NodeUpdate { id: 2, name: "b".into(), standing: Standing::Stranded };
    bench.machine.replica.apply_membership(&MembershipUpdate {
        dc: 1,
        has_quorum: true,
        version: "test".into(),
        stack: "hub".into(),
        nodes: vec![left],
        at: 0,
    });
}

/// `a` is alone, and `b` has left with something that it runs; of `r` there, nothing is known or a stop without an answer.
fn beside_one_that_has_left(is_stop_on_record: bool) -> Bench {
    use crate::message::{ConnectionLedger, Hand, Perform};
    let mut bench = Bench::start();
    join(&mut bench, PROTOCOL.minor);
    let replica = &mut bench.machine.replica;
    replica.ledger.nodes.get_mut(&2).expect("b has joined").leaving = true;
    if is_stop_on_record {
        replica.perform(&Perform::new(2, Hand::Executor, operation("stop", 0)));
    }
    let connection = ConnectionLedger {
        host: 2,
        start: operation("start", 0),
        monitor: None,
        session: Default::default(),
        recorded: 0,
        attached: true,
        container_on: None,
        lost: false,
        stopped: None,
    };
    replica.ledger.connections.insert("rem".into(), connection);
    says_that_b_has_left(&mut bench);
    bench.view(6);
    bench
}

#[test]
fn what_nothing_is_on_record_of_where_a_node_has_left_is_started_elsewhere() {
    let bench = beside_one_that_has_left(false);
    assert!(bench.running, "{:?}", bench.ran);
    let bench = beside_one_that_has_left(true);
    assert!(!bench.running, "it may run there: {:?}", bench.ran);
}

/// How many histories a refresh of everything on a node forgets.
fn refresh(bench: &mut Bench, node: &str) -> usize {
    let all = crate::replica::Cleanup { node: Some(node), ..Default::default() };
    bench.machine.replica.clean_up(&all).expect("there is such a node")
}

fn state_of_b(bench: &Bench) -> String {
    bench.machine.replica.node_state("b").map(|state| state.to_text()).unwrap_or_default()
}

#[test]
fn of_a_node_that_has_left_history_and_connections_stay_on_record_and_the_mark_says_so() {
    let mut bench = beside_one_that_has_left(true);
    assert_eq!(bench.machine.replica.ledger.connections.len(), 1);
    assert!(state_of_b(&bench).contains("value=\"left\""), "{}", state_of_b(&bench));
    assert_eq!(refresh(&mut bench, "b"), 0);
    assert!(state_of_b(&bench).contains("r_stop_0"));
    says_that_b_has_left(&mut bench);
    assert!(state_of_b(&bench).contains("value=\"left\""), "{}", state_of_b(&bench));
}

#[test]
fn what_runs_on_a_node_that_was_told_to_leave_is_not_forgotten_by_a_refresh() {
    for (minor, n_forgotten) in [(PROTOCOL.minor, 0), (LEVEL_OF_LEFTOVERS - 1, 1)] {
        let mut bench = Bench::start();
        join(&mut bench, minor);
        bench.wait(90);
        assert!(bench.running, "{:?}", bench.ran);
        bench.machine.replica.ledger.nodes.get_mut(&1).expect("it is known").leaving = true;
        assert_eq!(refresh(&mut bench, "a"), n_forgotten, "1.{minor}");
        assert_eq!(bench.machine.replica.has_left_running(1, "a"), n_forgotten == 0, "1.{minor}");
    }
}

#[test]
fn a_node_whose_history_may_have_been_forgotten_by_an_earlier_version_is_not_marked_as_left_later() {
    let mut bench = beside_one_that_has_left(true);
    bench.machine.replica.level = LEVEL_OF_LEFTOVERS - 1;
    says_that_b_has_left(&mut bench);
    assert!(state_of_b(&bench).contains("value=\"away\""), "{}", state_of_b(&bench));
    assert_eq!(refresh(&mut bench, "b"), 1);
    bench.machine.replica.level = LEVEL_OF_LEFTOVERS;
    for _ in 0..2 {
        says_that_b_has_left(&mut bench);
        assert!(state_of_b(&bench).contains("value=\"away\""), "{}", state_of_b(&bench));
        assert!(!bench.machine.replica.tells_all("b"), "its silence says nothing");
    }
}

#[test]
fn a_mark_that_is_there_is_changed_only_where_all_members_would() {
    for (level, reason) in [(LEVEL_OF_LEFTOVERS, "away"), (LEVEL_OF_LEFTOVERS - 1, "left")] {
        let mut bench = beside_one_that_has_left(true);
        let replica = &mut bench.machine.replica;
        replica.level = level;
        // It is back, without its executor.
        replica.ledger.nodes.get_mut(&2).expect("b has joined").leaving = false;
        says_that_b_has_left(&mut bench);
        assert!(state_of_b(&bench).contains(&format!("value=\"{reason}\"")), "{}", state_of_b(&bench));
    }
}

#[test]
fn what_an_executor_that_is_back_at_once_knows_nothing_of_keeps_no_plan_waiting() {
    let mut bench = with_a_stop_without_answer();
    bench.hangs_from = None;
    bench.ran.clear();
    comes_back(&mut bench);
    assert_eq!(bench.ran, ["r_monitor_0", "r_stop_0"]);
}
