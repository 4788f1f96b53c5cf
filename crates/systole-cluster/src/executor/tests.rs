//! Scripts: a command at the margin, what the machine does about it indented below.
//!
//! `run RSC OP INTERVAL_MS`, `ended RUN RC`, `wait MS`, `cancel KEY`, `forget RSC`, `hello`, `acknowledge N`,
//! `connected`, `disconnected`, `hang MS`, `spawned RUN`, `gone RUN`, `late RUN RC`, `stirred RSC`, `appeared RSC`, `restart`, `reboot`.

use super::*;
use std::{collections::BTreeMap, fmt::Write as _};
use systole_types::{OcfRc, Timestamp};

struct Script {
    machine: ExecutorMachine,
    kept: Option<Vec<u8>>,
    boot: u32,
    call: u64,
    millis: u64,
}

impl Script {
    fn now(&self) -> Now {
        Now {
            mono: Monotonic(Duration::from_millis(self.millis)),
            wall: Timestamp(self.millis as i64 / 1000),
        }
    }

    fn tell(&mut self, event: Event, output: &mut String) {
        for effect in self.machine.handle(self.now(), event) {
            if let Some(line) = describe(&effect) {
                writeln!(output, "    {line}").expect("text grows");
            }
            if let Effect::Persist(bytes) = effect {
                self.kept = Some(bytes);
            }
        }
    }

    fn start(&mut self, output: &mut String) {
        self.machine = ExecutorMachine::new();
        let event = Event::Started { boot_id: format!("boot{}", self.boot), state: self.kept.clone() };
        self.tell(event, output);
    }

    /// Lets time pass, from deadline to deadline.
    fn wait(&mut self, millis: u64, output: &mut String) {
        let end = self.millis + millis;
        while let Some(due) = self.machine.next_deadline().filter(|due| due.0 <= Duration::from_millis(end)) {
            self.millis = self.millis.max(due.0.as_millis() as u64);
            self.tell(Event::DeadlineReached, output);
        }
        self.millis = end;
    }

    fn command(&mut self, line: &str, output: &mut String) {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |idx: usize| words[idx].parse::<u64>().expect("a number");
        let event = match words[0] {
            "run" => {
                self.call += 1;
                said(ToExecutor::Run(Box::new(operation(self.call, words[1], words[2], number(3)))))
            }
            "cancel" => said(ToExecutor::Cancel { key: words[1].to_owned() }),
            "forget" => said(ToExecutor::Forget { resource: words[1].to_owned() }),
            "acknowledge" => said(ToExecutor::Acknowledge { number: number(1) }),
            "hello" => said(ToExecutor::Hello { protocol: PROTOCOL, node: "a".to_owned() }),
            "spawned" => Event::Spawned { run: RunId(number(1)), process: format!("pid{}", words[1]) },
            "late" => {
                let rc = OcfRc::from_code(number(2) as i32);
                let exit = AgentExit { rc, status: OpStatus::Done, exit_reason: String::new() };
                Event::LeftoverEnded { process: format!("pid{}", words[1]), exit }
            }
            "gone" => Event::LeftoverGone { process: format!("pid{}", words[1]) },
            "ended" => {
                let rc = OcfRc::from_code(number(2) as i32);
                let exit = AgentExit { rc, status: OpStatus::Done, exit_reason: String::new() };
                Event::Exited { run: RunId(number(1)), exit }
            }
            "appeared" => Event::Appeared { resource: words[1].to_owned() },
            "ping" => said(ToExecutor::Ping),
            "stirred" => Event::Stirred { resource: words[1].to_owned() },
            "connected" => Event::Connected,
            "disconnected" => Event::Disconnected,
            "wait" => return self.wait(number(1), output),
            // Time passes, and the program does not see it.
            "hang" => return self.millis += number(1),
            "restart" => return self.start(output),
            "reboot" => {
                self.boot += 1;
                return self.start(output);
            }
            other => panic!("no command {other:?}"),
        };
        self.tell(event, output);
    }
}

fn said(message: ToExecutor) -> Event {
    Event::Messages(vec![message])
}

fn operation(call: u64, resource: &str, task: &str, interval_ms: u64) -> Operation {
    Operation {
        call,
        key: format!("{resource}_{task}_{interval_ms}"),
        resource: resource.to_owned(),
        class: "ocf".to_owned(),
        provider: Some("heartbeat".to_owned()),
        agent: "Dummy".to_owned(),
        operation: task.to_owned(),
        interval_ms,
        timeout_ms: 20_000,
        start_delay_ms: 0,
        parameters: Default::default(),
        transition_key: String::new(),
        expected_rc: None,
        digests: Default::default(),
    }
}

fn describe(effect: &Effect) -> Option<String> {
    Some(match effect {
        Effect::Execute { run, operation } => format!("execute {} as {}", operation.key, run.0),
        Effect::Kill { run, signal } => {
            format!("{} {}", if *signal == KillSignal::Term { "term" } else { "kill" }, run.0)
        }
        Effect::EndLeftover { process } => format!("end leftover {process}"),
        Effect::Send(FromExecutor::Welcome { recurring, in_flight, last_call, acknowledged, .. }) => {
            format!(
                "welcome recurring {recurring:?} in flight {in_flight:?} calls {last_call} acknowledged {acknowledged}"
            )
        }
        Effect::Send(FromExecutor::Result(result)) => {
            let status = OpStatus::from_code(result.status);
            format!("result {}: {} rc {} {status}", result.number, result.operation.key, result.rc)
        }
        Effect::Send(FromExecutor::Described { agent, metadata }) => {
            format!("described {}: {metadata:?}", agent.agent)
        }
        Effect::Send(FromExecutor::Appeared { resource }) => format!("appeared {resource}"),
        Effect::Send(FromExecutor::Pong) => "pong".to_owned(),
        Effect::Describe(agent) => format!("describe {}", agent.agent),
        Effect::Log { level, message } => format!("{level}: {message}"),
        Effect::Persist(_) => return None,
    })
}

#[track_caller]
fn check(script: &str) {
    let mut runner = Script { machine: ExecutorMachine::new(), kept: None, boot: 1, call: 0, millis: 0 };
    let mut actual = String::new();
    runner.start(&mut actual);
    for line in script.lines().filter(|line| !line.starts_with(' ') && !line.is_empty()) {
        writeln!(actual, "{line}").expect("text grows");
        runner.command(line, &mut actual);
    }
    assert_eq!(actual.trim(), script.trim(), "\n--- what it did ---\n{actual}");
}

#[test]
fn operations_of_one_resource_run_one_after_the_other() {
    check(
        "
run vip start 0
    execute vip_start_0 as 1
run vip monitor 0
run web start 0
    execute web_start_0 as 2
ended 1 0
    result 1: vip_start_0 rc 0 complete
    execute vip_monitor_0 as 3
",
    );
}

#[test]
fn a_monitor_reports_its_first_result_and_changes() {
    check(
        "
run vip monitor 10000
    execute vip_monitor_10000 as 1
ended 1 0
    result 1: vip_monitor_10000 rc 0 complete
wait 9999
wait 1
    execute vip_monitor_10000 as 2
ended 2 0
wait 10000
    execute vip_monitor_10000 as 3
ended 3 7
    result 2: vip_monitor_10000 rc 7 complete
",
    );
}

#[test]
fn what_begins_to_run_by_nobodys_order_is_told() {
    check(
        "
hello
    welcome recurring [] in flight [] calls 0 acknowledged 0
appeared web
wait 999
wait 1
    appeared web
run web start 0
    execute web_start_0 as 1
appeared web
wait 1500
ended 1 0
    result 1: web_start_0 rc 0 complete
run web monitor 60000
    execute web_monitor_60000 as 2
wait 1000
ended 2 0
    result 2: web_monitor_60000 rc 0 complete
wait 5000
",
    );
}

#[test]
fn what_a_start_that_timed_out_left_behind_and_a_stop_has_ended_is_not_told() {
    check(
        "
hello
    welcome recurring [] in flight [] calls 0 acknowledged 0
run web start 0
    execute web_start_0 as 1
ended 1 1
    result 1: web_start_0 rc 1 complete
appeared web
run web stop 0
    execute web_stop_0 as 2
wait 500
ended 2 0
    result 2: web_stop_0 rc 0 complete
wait 5000
",
    );
}

#[test]
fn what_appears_while_nobody_listens_is_told_later() {
    check(
        "
appeared web
wait 5000
hello
    welcome recurring [] in flight [] calls 0 acknowledged 0
wait 1000
    appeared web
wait 5000
",
    );
}

#[test]
fn a_sign_of_a_change_brings_the_monitor_forward() {
    check(
        "
run web monitor 60000
    execute web_monitor_60000 as 1
stirred web
ended 1 0
    result 1: web_monitor_60000 rc 0 complete
wait 1
    execute web_monitor_60000 as 2
ended 2 0
stirred vip
wait 30000
stirred web
    execute web_monitor_60000 as 3
ended 3 7
    result 2: web_monitor_60000 rc 7 complete
wait 60000
    execute web_monitor_60000 as 4
",
    );
}

#[test]
fn whatever_changes_the_state_ends_the_monitors() {
    check(
        "
run vip monitor 10000
    execute vip_monitor_10000 as 1
run vip stop 0
ended 1 0
    execute vip_stop_0 as 2
ended 2 0
    result 1: vip_stop_0 rc 0 complete
wait 60000
",
    );
}

#[test]
fn an_agent_beyond_its_time_is_asked_to_end_then_killed() {
    check(
        "
run vip start 0
    execute vip_start_0 as 1
wait 20000
    term 1
wait 5000
    kill 1
ended 1 137
    result 1: vip_start_0 rc 1 Timed Out
run vip stop 0
    execute vip_stop_0 as 2
wait 30000
    term 2
    kill 2
    result 2: vip_stop_0 rc 1 Timed Out
run vip monitor 0
ended 2 137
    execute vip_monitor_0 as 3
",
    );
}

#[test]
fn a_cancelled_monitor_says_so_once() {
    check(
        "
run vip monitor 10000
    execute vip_monitor_10000 as 1
cancel vip_monitor_10000
    result 1: vip_monitor_10000 rc 1 Cancelled
ended 1 0
cancel vip_monitor_10000
wait 60000
",
    );
}

#[test]
fn results_are_kept_until_they_are_acknowledged() {
    check(
        "
run vip start 0
    execute vip_start_0 as 1
ended 1 0
    result 1: vip_start_0 rc 0 complete
run vip monitor 10000
    execute vip_monitor_10000 as 2
ended 2 0
    result 2: vip_monitor_10000 rc 0 complete
hello
    welcome recurring [(\"vip_monitor_10000\", 2)] in flight [] calls 2 acknowledged 0
    result 1: vip_start_0 rc 0 complete
    result 2: vip_monitor_10000 rc 0 complete
acknowledge 1
hello
    welcome recurring [(\"vip_monitor_10000\", 2)] in flight [] calls 2 acknowledged 1
    result 2: vip_monitor_10000 rc 0 complete
",
    );
}

#[test]
fn monitors_go_on_after_a_restart_of_the_executor() {
    check(
        "
run vip monitor 10000
    execute vip_monitor_10000 as 1
ended 1 0
    result 1: vip_monitor_10000 rc 0 complete
acknowledge 1
restart
    execute vip_monitor_10000 as 1
ended 1 0
wait 10000
    execute vip_monitor_10000 as 2
ended 2 7
    result 2: vip_monitor_10000 rc 7 complete
",
    );
}

#[test]
fn what_ran_when_the_executor_was_killed_is_waited_for() {
    check(
        "
run vip start 0
    execute vip_start_0 as 1
spawned 1
run vip monitor 0
restart
    end leftover pid1
late 1 0
    result 1: vip_start_0 rc 0 complete
    execute vip_monitor_0 as 1
",
    );
}

#[test]
fn what_ran_when_the_executor_was_killed_and_cannot_be_found_is_reported_as_unknown() {
    check(
        "
run vip start 0
    execute vip_start_0 as 1
spawned 1
run vip monitor 0
restart
    end leftover pid1
gone 1
    result 1: vip_start_0 rc 1 Internal communication failure
    execute vip_monitor_0 as 1
",
    );
}

#[test]
fn a_boot_of_the_host_leaves_nothing() {
    check(
        "
run vip monitor 10000
    execute vip_monitor_10000 as 1
ended 1 0
    result 1: vip_monitor_10000 rc 0 complete
reboot
hello
    welcome recurring [] in flight [] calls 0 acknowledged 0
",
    );
}

#[test]
fn two_results_of_a_monitor_within_a_second_can_be_told_apart() {
    let mut machine = ExecutorMachine::new();
    let now = Now { wall: Timestamp(100), ..Now::default() };
    machine.handle(now, Event::Started { boot_id: String::new(), state: None });
    machine.handle(now, said(ToExecutor::Run(Box::new(operation(1, "vip", "monitor", 10)))));
    let mut moments = Vec::new();
    for (run, rc) in [(1, OcfRc::Ok), (2, OcfRc::NotRunning), (3, OcfRc::Ok)] {
        let exit = AgentExit { rc, status: OpStatus::Done, exit_reason: String::new() };
        let effects = machine.handle(now, Event::Exited { run: RunId(run), exit });
        moments.extend(effects.iter().filter_map(|effect| match effect {
            Effect::Send(FromExecutor::Result(result)) => Some(result.at),
            _ => None,
        }));
        let later = Now { mono: now.mono + Duration::from_millis(10 * run), ..now };
        machine.handle(later, Event::DeadlineReached);
    }
    assert_eq!(moments, [100, 101, 102]);
}

#[test]
fn a_monitor_that_cannot_be_killed_is_reported_once_and_so_is_its_recovery() {
    check(
        "
run r monitor 10000
    execute r_monitor_10000 as 1
ended 1 0
    result 1: r_monitor_10000 rc 0 complete
wait 40000
    execute r_monitor_10000 as 2
    term 2
    kill 2
    result 2: r_monitor_10000 rc 1 Timed Out
ended 2 0
wait 10000
    execute r_monitor_10000 as 3
ended 3 0
    result 3: r_monitor_10000 rc 0 complete
",
    );
}

#[test]
fn a_monitor_that_was_cancelled_while_it_was_being_killed_is_not_reported() {
    check(
        "
run r monitor 10000
    execute r_monitor_10000 as 1
ended 1 0
    result 1: r_monitor_10000 rc 0 complete
wait 31000
    execute r_monitor_10000 as 2
    term 2
cancel r_monitor_10000
    result 2: r_monitor_10000 rc 1 Cancelled
wait 20000
    kill 2
",
    );
}

/// Runs an operation of `r` with one parameter of its own. What the agent got.
fn run_with(runner: &mut Script, task: &str, ip: &str, rc: OcfRc) -> BTreeMap<String, String> {
    runner.call += 1;
    let mut asked = operation(runner.call, "r", task, 0);
    asked.parameters.insert("ip".into(), ip.into());
    asked.parameters.insert("CRM_meta_timeout".into(), format!("of {ip}"));
    let effects = runner.machine.handle(runner.now(), said(ToExecutor::Run(Box::new(asked))));
    let begun = effects.iter().find_map(|effect| match effect {
        Effect::Execute { run, operation } => Some((*run, operation.parameters.clone())),
        _ => None,
    });
    let (run, parameters) = begun.expect("it runs");
    let exit = AgentExit { rc, status: OpStatus::Done, exit_reason: String::new() };
    runner.tell(Event::Exited { run, exit }, &mut String::new());
    parameters
}

#[test]
fn a_resource_is_stopped_with_the_parameters_it_runs_with() {
    for (before, rc, stopped_with) in [
        ("start", OcfRc::Ok, "old"),
        ("reload-agent", OcfRc::Ok, "old"),
        ("monitor", OcfRc::Ok, "old"),
        ("monitor", OcfRc::Promoted, "old"),
        ("monitor", OcfRc::NotRunning, "new"),
        // What it has begun, the stop has to undo.
        ("start", OcfRc::Error, "old"),
        ("migrate_from", OcfRc::Error, "old"),
        ("reload-agent", OcfRc::Error, "new"),
    ] {
        let mut runner = Script { machine: ExecutorMachine::new(), kept: None, boot: 1, call: 0, millis: 0 };
        runner.start(&mut String::new());
        run_with(&mut runner, before, "old", rc);
        runner.start(&mut String::new());
        let stop = run_with(&mut runner, "stop", "new", OcfRc::Ok);
        assert_eq!(stop["ip"], stopped_with, "after {before} {rc:?}");
        assert_eq!(stop["CRM_meta_timeout"], "of new");
        // It is stopped: if a start with other parameters fails, those are what its stop needs.
        run_with(&mut runner, "start", "newer", OcfRc::Error);
        assert_eq!(run_with(&mut runner, "stop", "newer", OcfRc::Ok)["ip"], "newer");
    }
}

#[test]
fn a_start_counts_more_than_what_the_resource_ran_with_before_an_unsuccessful_stop() {
    let mut runner = Script { machine: ExecutorMachine::new(), kept: None, boot: 1, call: 0, millis: 0 };
    runner.start(&mut String::new());
    run_with(&mut runner, "start", "former", OcfRc::Ok);
    run_with(&mut runner, "stop", "new", OcfRc::Error);
    run_with(&mut runner, "start", "new", OcfRc::Error);
    assert_eq!(run_with(&mut runner, "stop", "newer", OcfRc::Ok)["ip"], "new");
}

#[test]
fn what_was_to_be_begun_and_waited_its_turn_is_not_begun_by_the_next_program() {
    check(
        "
run r start 0
    execute r_start_0 as 1
spawned 1
run r stop 0
run r start 0
restart
    end leftover pid1
    warning: r_start_0 is not begun any more: the executor was restarted before it began
    result 1: r_start_0 rc 1 Internal communication failure
gone 1
    result 2: r_start_0 rc 1 Internal communication failure
    execute r_stop_0 as 1
ended 1 0
    result 3: r_stop_0 rc 0 complete
",
    );
}

#[test]
fn what_was_to_be_begun_and_waited_its_turn_is_not_begun_by_a_program_that_stood_still() {
    // Not begun: 6 s. It may be: 4 s.
    check(
        "
run r monitor 0
    execute r_monitor_0 as 1
run r start 0
hang 6000
ended 1 7
    warning: r_start_0 is not begun any more: the executor stood still before it began
    result 1: r_start_0 rc 1 Internal communication failure
    result 2: r_monitor_0 rc 7 complete
run r monitor 0
    execute r_monitor_0 as 2
run r promote 0
wait 15000
hang 4000
ended 2 0
    result 3: r_monitor_0 rc 0 complete
    execute r_promote_0 as 3
",
    );
}

#[test]
fn a_migration_that_waited_its_turn_is_not_begun_at_its_source_either() {
    check(
        "
run r monitor 0
    execute r_monitor_0 as 1
run r migrate_to 0
disconnected
    warning: r_migrate_to_0 is not begun any more: systoled was gone before it began
    result 1: r_migrate_to_0 rc 1 Internal communication failure
connected
run r migrate_to 0
hang 6000
ended 1 0
    warning: r_migrate_to_0 is not begun any more: the executor stood still before it began
    result 2: r_migrate_to_0 rc 1 Internal communication failure
    result 3: r_monitor_0 rc 0 complete
",
    );
}

#[test]
fn what_is_to_be_stopped_is_stopped_whatever_has_happened() {
    check(
        "
run r start 0
    execute r_start_0 as 1
run r stop 0
hang 6000
disconnected
connected
ended 1 0
    result 1: r_start_0 rc 0 complete
    execute r_stop_0 as 2
",
    );
}

#[test]
fn what_was_to_be_begun_and_waited_its_turn_is_not_begun_once_systoled_is_gone() {
    check(
        "
run r monitor 0
    execute r_monitor_0 as 1
run r start 0
disconnected
    warning: r_start_0 is not begun any more: systoled was gone before it began
    result 1: r_start_0 rc 1 Internal communication failure
connected
ended 1 7
    result 2: r_monitor_0 rc 7 complete
",
    );
}

#[test]
fn what_waits_its_turn_for_longer_than_anybody_waits_for_it_is_not_begun() {
    check(
        "
run r monitor 0
    execute r_monitor_0 as 1
wait 30000
    term 1
    kill 1
    result 1: r_monitor_0 rc 1 Timed Out
run r start 0
wait 80000
wait 1000
    warning: r_start_0 is not begun any more: it waited for too long before it could begin
    result 2: r_start_0 rc 1 Internal communication failure
run r monitor 0
ended 1 137
    execute r_monitor_0 as 2
",
    );
}

#[test]
fn what_is_asked_for_and_taken_back_at_once_is_not_begun() {
    let mut machine = ExecutorMachine::new();
    let now = Now::default();
    machine.handle(now, Event::Started { boot_id: String::new(), state: None });
    let start = ToExecutor::Run(Box::new(operation(1, "r", "start", 0)));
    let cancel = ToExecutor::Cancel { key: "r_start_0".into() };
    let effects = machine.handle(now, Event::Messages(vec![start, cancel]));
    let told: Vec<String> = effects.iter().filter_map(describe).collect();
    assert_eq!(told, ["result 1: r_start_0 rc 1 Cancelled"]);
}
