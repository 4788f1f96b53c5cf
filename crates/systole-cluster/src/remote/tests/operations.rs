//! Operations at the far end.

use super::*;

#[test]
fn operations_run_at_the_far_end_and_their_parameters_arrive() {
    let mut world = World::connected();
    world.tell(run(operation("db", "start", 0, 7)));
    let (_, ran) = world.running[0].clone();
    assert_eq!(ran.parameters["state"], "a b<c");
    assert_eq!(ran.parameters["0odd"], "\u{fffd}", "what XML cannot say is replaced");
    assert_eq!((ran.class.as_str(), ran.agent.as_str()), ("ocf", "agent"));
    world.agent_ends(OcfRc::Ok);
    assert_eq!(world.results(), [("start".to_owned(), OcfRc::Ok, OpStatus::Done)]);
}

#[test]
fn a_recurring_monitor_tells_changes() {
    let mut world = World::connected();
    world.tell(run(operation("db", "monitor", 10_000, 8)));
    for rc in [OcfRc::Ok, OcfRc::Ok, OcfRc::NotRunning, OcfRc::NotRunning] {
        world.agent_ends(rc);
        world.pass(10);
    }
    let monitor = |rc| ("monitor".to_owned(), rc, OpStatus::Done);
    assert_eq!(world.results(), [monitor(OcfRc::Ok), monitor(OcfRc::NotRunning)]);
}

#[test]
fn a_cancelled_monitor_says_so_once() {
    let mut world = World::connected();
    world.tell(run(operation("db", "monitor", 10_000, 8)));
    world.agent_ends(OcfRc::Ok);
    world.out.clear();
    let cancel = || Event::Told(ToExecutor::Cancel { key: "db_monitor_10000".into() });
    world.tell(cancel());
    world.tell(cancel());
    assert_eq!(world.results(), [("monitor".to_owned(), OcfRc::Error, OpStatus::Cancelled)]);
}

#[test]
fn a_monitor_that_is_cancelled_while_it_runs_tells_nothing_more() {
    let mut world = World::connected();
    world.tell(run(operation("db", "monitor", 10_000, 8)));
    assert_eq!(world.running.len(), 1);
    world.tell(Event::Told(ToExecutor::Cancel { key: "db_monitor_10000".into() }));
    world.agent_ends(OcfRc::NotRunning);
    world.pass(60);
    assert_eq!(world.results(), [("monitor".to_owned(), OcfRc::Error, OpStatus::Cancelled)]);
    assert!(world.running.is_empty());
}

#[test]
fn a_monitor_that_the_daemon_does_not_know_is_cancelled_all_the_same() {
    let mut world = World::connected();
    world.tell(run(operation("db", "monitor", 10_000, 8)));
    // As after a loss of memory over there.
    world.server = RemoteServer::new();
    world.server(server::Event::Connected(CLIENT));
    let protocol = "1.1".to_owned();
    let call = Call::Register { client: "node".into(), protocol, is_provider: true, speaks_api: true };
    world.server(server::Event::Received { client: CLIENT, message: ToRemote { id: 1, call } });
    world.tell(Event::Told(ToExecutor::Cancel { key: "db_monitor_10000".into() }));
    assert_eq!(world.results(), [("monitor".to_owned(), OcfRc::Error, OpStatus::Cancelled)]);
}

#[test]
fn a_start_delay_is_waited_for_at_the_far_end() {
    let mut world = World::connected();
    world.tell(run(Operation { start_delay_ms: 5000, ..operation("db", "monitor", 10_000, 8) }));
    world.tell(run(Operation { start_delay_ms: 7000, ..operation("web", "start", 0, 9) }));
    let running = |world: &World| -> Vec<String> {
        world.running.iter().map(|(_, operation)| operation.key.clone()).collect()
    };
    world.pass(4);
    assert_eq!(running(&world), [""; 0]);
    world.pass(2);
    assert_eq!(running(&world), ["db_monitor_10000"]);
    world.pass(2);
    assert_eq!(running(&world), ["db_monitor_10000", "web_start_0"]);
}

#[test]
fn reloads_run_at_the_far_end_by_either_name_and_their_parameters_with_them() {
    for name in ["reload", "reload-agent"] {
        let mut world = World::connected();
        world.tell(run(operation("db", "monitor", 10_000, 8)));
        world.agent_ends(OcfRc::Ok);
        world.out.clear();
        world.tell(run(operation("db", name, 0, 9)));
        assert_eq!(world.running[0].1.parameters["state"], "a b<c");
        world.agent_ends(OcfRc::Ok);
        assert_eq!(world.results(), [(name.to_owned(), OcfRc::Ok, OpStatus::Done)]);
    }
}

#[test]
fn a_resource_is_stopped_at_the_far_end_with_the_parameters_it_was_started_with() {
    let mut world = World::connected();
    world.tell(run(operation("db", "start", 0, 8)));
    world.agent_ends(OcfRc::Ok);
    let mut stop = operation("db", "stop", 0, 9);
    stop.parameters.insert("state".into(), "new".into());
    world.tell(run(stop));
    assert_eq!(world.running[0].1.parameters["state"], "a b<c");
}

#[test]
fn what_changes_a_resource_ends_its_monitors() {
    let mut world = World::connected();
    world.tell(run(operation("db", "monitor", 10_000, 8)));
    world.agent_ends(OcfRc::Ok);
    world.tell(run(operation("db", "stop", 0, 9)));
    world.agent_ends(OcfRc::Ok);
    world.out.clear();
    world.pass(60);
    assert!(world.running.is_empty() && world.results().is_empty());
}

#[test]
fn a_message_told_twice_counts_once() {
    let mut world = World::connected();
    world.tell(run(operation("db", "start", 0, 7)));
    let (run, _) = world.running.remove(0);
    let exit = AgentExit { rc: OcfRc::Ok, status: OpStatus::Done, exit_reason: String::new() };
    let told = world.executor(executor::Event::Exited { run, exit });
    for event in told.iter().chain(&told).cloned() {
        world.tell(event);
    }
    assert_eq!(world.results().len(), 1);
}

#[test]
fn what_recurs_ends_with_the_last_connection() {
    let mut world = World::connected();
    world.tell(run(operation("db", "monitor", 10_000, 8)));
    world.agent_ends(OcfRc::Ok);
    world.disconnect();
    assert_eq!(world.executor.recurring().count(), 0);
}

#[test]
fn what_others_left_recurring_is_ended() {
    let mut world = World::new();
    let other = RemoteClient(9);
    world.server(server::Event::Connected(other));
    let protocol = "1.1".to_owned();
    let calls = [
        Call::Register { client: "other".into(), protocol, is_provider: false, speaks_api: false },
        Call::RegisterResource {
            resource: "db".into(),
            class: "ocf".into(),
            provider: Some("test".into()),
            agent: "agent".into(),
            drops_recurring: true,
        },
        Call::Run(Box::new(systole_wire::remote::Run {
            resource: "db".into(),
            operation: "monitor".into(),
            interval_ms: 10_000,
            timeout_ms: 20_000,
            ..Default::default()
        })),
    ];
    for call in calls {
        world.server(server::Event::Received { client: other, message: ToRemote { id: 1, call } });
    }
    assert_eq!(world.executor.recurring().count(), 1);
    world.connect();
    assert_eq!(world.executor.recurring().count(), 0);
}

#[test]
fn agents_at_the_far_end_describe_themselves() {
    let mut world = World::connected();
    let agent = AgentName { class: "ocf".into(), provider: Some("heartbeat".into()), agent: "redis".into() };
    for metadata in [Some("<resource-agent/>".to_owned()), None] {
        world.metadata = metadata.clone();
        world.out.clear();
        world.tell(Event::Told(ToExecutor::Describe(agent.clone())));
        let told = FromExecutor::Described { agent: agent.clone(), metadata };
        assert!(world.out.contains(&Effect::Tell(RemoteEvent::Says(told))), "{:?}", world.out);
    }
    assert_eq!(world.executor.recurring().count(), 0);
}
