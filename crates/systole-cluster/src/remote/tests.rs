//! Both ends against each other, with an executor behind the far one.

use super::{
    Effect, Event, RemoteSession,
    server::{self, RemoteClient, RemoteServer, StockRequest, ToolId, ToolService},
};
use crate::{
    RemoteEvent,
    executor::{self, AgentExit, ExecutorMachine, RunId},
};
use std::{collections::VecDeque, time::Duration};
use systole_types::{Monotonic, Now, OcfRc, OpStatus, OperationKey, Timestamp};
use systole_wire::{
    exec::{AgentName, FromExecutor, Operation, OperationResult, ToExecutor},
    remote::{Call, FromRemote, ProxyBody, ProxyMessage, Registered, Reply, ToRemote},
};

const CLIENT: RemoteClient = RemoteClient(1);

/// A cluster node's end, and a host with a daemon, an executor and agents that do as they are told.
struct World {
    now: Now,
    session: RemoteSession,
    server: RemoteServer,
    executor: ExecutorMachine,
    /// Whether what is sent arrives.
    is_cut: bool,
    /// What agents say of themselves there.
    metadata: Option<String>,
    /// Agents that run.
    running: Vec<(RunId, Operation)>,
    /// What the far end asked of its hand, apart from messages.
    far: Vec<server::Effect>,
    /// What came out of the machine, apart from messages.
    out: Vec<Effect>,
}

impl World {
    fn new() -> Self {
        let now = Now { mono: Monotonic(Duration::from_secs(1000)), wall: Timestamp(1_700_000_000) };
        let mut world = Self {
            now,
            session: RemoteSession::new("remote-1", "node-1", now),
            server: RemoteServer::new(),
            executor: ExecutorMachine::new(),
            is_cut: false,
            metadata: None,
            running: Vec::new(),
            far: Vec::new(),
            out: Vec::new(),
        };
        world.executor(executor::Event::Started { boot_id: "boot".into(), state: None });
        world.executor(executor::Event::Connected);
        world.server(server::Event::Started { identity: "far".into(), start_state: None });
        world
    }

    /// A world whose connection is up.
    fn connected() -> Self {
        let mut world = Self::new();
        world.connect();
        assert!(world.session.is_up());
        world.out.clear();
        world
    }

    /// The hand has connected.
    fn connect(&mut self) {
        self.server(server::Event::Connected(CLIENT));
        self.tell(Event::Connected);
    }

    /// The hand drops the connection.
    fn disconnect(&mut self) {
        self.tell(Event::Lost { reason: "reset".into() });
        self.server(server::Event::Gone(CLIENT));
    }

    fn tell(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for effect in self.session.handle(self.now, event) {
                match effect {
                    Effect::Send(_) if self.is_cut => {}
                    Effect::Send(message) => {
                        // As it goes over the wire.
                        let message = ToRemote::parse(&message.to_text()).expect("readable");
                        events.extend(self.server(server::Event::Received { client: CLIENT, message }));
                    }
                    other => self.out.push(other),
                }
            }
        }
    }

    /// What happens at the far end; answers what it tells its client.
    fn server(&mut self, event: server::Event) -> Vec<Event> {
        let mut told = Vec::new();
        for effect in self.server.handle(self.now, event) {
            match effect {
                server::Effect::Send { client: CLIENT, message } => {
                    let message = FromRemote::parse(&message.to_text()).expect("readable");
                    told.push(Event::Received(message));
                }
                server::Effect::ToExecutor(message) => {
                    told.extend(self.executor(executor::Event::Message(message)));
                }
                other => self.far.push(other),
            }
        }
        told
    }

    fn executor(&mut self, event: executor::Event) -> Vec<Event> {
        let mut told = Vec::new();
        for effect in self.executor.handle(self.now, event) {
            match effect {
                executor::Effect::Execute { run, operation } => self.running.push((run, *operation)),
                executor::Effect::Send(message) => told.extend(self.server(server::Event::Executor(message))),
                executor::Effect::Describe(agent) => {
                    let metadata = self.metadata.clone();
                    told.extend(self.executor(executor::Event::Described { agent, metadata }));
                }
                _ => {}
            }
        }
        told
    }

    /// The agent that was started first ends.
    fn agent_ends(&mut self, rc: OcfRc) {
        let (run, _) = self.running.remove(0);
        let exit = AgentExit { rc, status: OpStatus::Done, exit_reason: "because".into() };
        for event in self.executor(executor::Event::Exited { run, exit }) {
            self.tell(event);
        }
    }

    fn pass(&mut self, seconds: u64) {
        let end = self.now.mono + Duration::from_secs(seconds);
        loop {
            let deadlines = [self.session.next_deadline(), self.executor.next_deadline()];
            let next = deadlines.into_iter().flatten().min().filter(|next| *next <= end);
            let Some(next) = next else { break };
            self.move_to(next);
            if self.session.next_deadline().is_some_and(|due| due <= next) {
                self.tell(Event::DeadlineReached);
            }
            if self.executor.next_deadline().is_some_and(|due| due <= next) {
                for event in self.executor(executor::Event::DeadlineReached) {
                    self.tell(event);
                }
            }
        }
        self.move_to(end);
    }

    fn move_to(&mut self, moment: Monotonic) {
        self.now.mono = self.now.mono.max(moment);
        self.now.wall = Timestamp(1_699_999_000 + i64::try_from(self.now.mono.0.as_secs()).expect("small"));
    }

    fn results(&self) -> Vec<(String, OcfRc, OpStatus)> {
        let results = self.out.iter().filter_map(|effect| match effect {
            Effect::Tell(RemoteEvent::Says(FromExecutor::Result(result))) => Some(outcome(result)),
            _ => None,
        });
        results.collect()
    }

    /// Why the session was lost, if it was.
    fn loss(&self) -> Option<&str> {
        self.out.iter().find_map(|effect| match effect {
            Effect::Tell(RemoteEvent::Lost { reason }) => Some(reason.as_str()),
            _ => None,
        })
    }
}

fn outcome(result: &OperationResult) -> (String, OcfRc, OpStatus) {
    let (rc, status) = (OcfRc::from_code(result.rc), OpStatus::from_code(result.status));
    (result.operation.operation.clone(), rc, status)
}

fn operation(resource: &str, name: &str, interval_ms: u64, number: u64) -> Operation {
    let key = OperationKey::new(resource, name, Duration::from_millis(interval_ms)).to_string();
    Operation {
        call: number,
        key,
        resource: resource.into(),
        class: "ocf".into(),
        provider: Some("test".into()),
        agent: "agent".into(),
        operation: name.into(),
        interval_ms,
        timeout_ms: 20_000,
        start_delay_ms: 0,
        parameters: [("state".to_owned(), "a b<c".to_owned()), ("0odd".to_owned(), "\u{1}".to_owned())]
            .into(),
        transition_key: format!("{number}:1:0:uuid"),
        expected_rc: None,
        digests: Default::default(),
    }
}

fn run(operation: Operation) -> Event {
    Event::Told(ToExecutor::Run(Box::new(operation)))
}

#[test]
fn another_version_is_said() {
    for (rc, version) in [(-71, "1.1"), (0, "2.0")] {
        let mut world = World::new();
        world.is_cut = true;
        world.tell(Event::Connected);
        let registered = Registered { protocol: version.into(), ..Registered::default() };
        let reply = Reply { id: 1, rc, registered: Some(registered), ..Reply::default() };
        world.tell(Event::Received(FromRemote::Reply(reply)));
        let reason = world.loss().expect("lost");
        assert!(reason.contains(&format!("protocol {version}")), "{reason}");
    }
}

#[test]
fn a_daemon_that_cannot_be_reached_or_says_nothing_is_given_up() {
    for is_connected in [false, true] {
        let mut world = World::new();
        world.is_cut = true;
        if is_connected {
            world.tell(Event::Connected);
        }
        world.pass(9);
        assert_eq!(world.loss(), None);
        world.pass(2);
        assert!(world.loss().is_some());
        assert_eq!(world.session.next_deadline(), None);
    }
}

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
fn a_loss_is_told_once_and_nothing_after_it() {
    let mut world = World::connected();
    world.tell(run(operation("db", "start", 0, 7)));
    world.tell(Event::Lost { reason: "reset".into() });
    world.tell(Event::Lost { reason: "again".into() });
    world.tell(run(operation("db", "stop", 0, 8)));
    world.agent_ends(OcfRc::Ok);
    assert_eq!((world.loss(), world.out.len()), (Some("reset"), 1), "{:?}", world.out);
}

#[test]
fn silence_is_loss() {
    let mut world = World::connected();
    world.pass(120);
    assert!(world.session.is_up(), "a daemon that answers is not lost");
    world.is_cut = true;
    world.pass(19);
    assert!(world.session.is_up());
    world.pass(10);
    assert_eq!(world.loss(), Some("no answer for 20 s"));
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

#[test]
fn a_stranger_is_refused() {
    let mut server = RemoteServer::new();
    server.handle(Now::default(), server::Event::Connected(CLIENT));
    let message = ToRemote { id: 3, call: Call::Poke };
    let effects = server.handle(Now::default(), server::Event::Received { client: CLIENT, message });
    let is_refused = |effect: &server::Effect| matches!(effect, server::Effect::Send { message: FromRemote::Reply(reply), .. } if reply.rc < 0);
    assert!(effects.iter().any(is_refused), "{effects:?}");
}

#[test]
fn tools_talk_to_the_cluster_through_the_connection() {
    let mut world = World::connected();
    let tool = ToolId(5);
    for event in world.server(connected(tool, ToolService::Api)) {
        world.tell(event);
    }
    for event in world.server(server::Event::ToolSays { tool, line: r#"{"id":1,"call":"cib"}"#.into() }) {
        world.tell(event);
    }
    let said: Vec<ProxyMessage> = world
        .out
        .iter()
        .filter_map(|effect| match effect {
            Effect::Proxy(message) => Some(message.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(said[0].body, ProxyBody::New { service: "systole".into() });
    let ProxyBody::Request { xml, user, .. } = &said[1].body else { panic!("{said:?}") };
    assert_eq!(user, "root");
    assert_eq!(systole_wire::remote::proxy::line_of(xml).as_deref(), Some(r#"{"id":1,"call":"cib"}"#));

    let xml = systole_wire::remote::proxy::wrap_line("{\"id\":1}");
    let session = said[0].session.clone();
    world.tell(Event::Proxy(ProxyMessage { session: session.clone(), body: ProxyBody::Event { xml } }));
    assert!(world.far.contains(&server::Effect::ToTool { tool, line: "{\"id\":1}".into() }));

    world.disconnect();
    assert!(world.far.contains(&server::Effect::DropTool(tool)));
    world.server(connected(ToolId(6), ToolService::Api));
    assert!(world.far.contains(&server::Effect::DropTool(ToolId(6))), "no cluster, no answer");
}

fn connected(tool: ToolId, service: ToolService) -> server::Event {
    server::Event::ToolConnected { tool, user: "root".into(), service }
}

/// A daemon that a cluster of Pacemaker's drives.
fn driven_by_a_stock_cluster() -> RemoteServer {
    let mut server = RemoteServer::new();
    server.handle(Now::default(), server::Event::Started { identity: "far".into(), start_state: None });
    server.handle(Now::default(), server::Event::Connected(CLIENT));
    let (client, protocol) = ("node".to_owned(), "1.1".to_owned());
    let call = Call::Register { client, protocol, is_provider: true, speaks_api: false };
    let message = ToRemote { id: 1, call };
    server.handle(Now::default(), server::Event::Received { client: CLIENT, message });
    server
}

/// What goes to the cluster of what comes of an event.
fn to_cluster(server: &mut RemoteServer, event: server::Event) -> Vec<ProxyMessage> {
    let effects = server.handle(Now::default(), event);
    let said = effects.into_iter().filter_map(|effect| match effect {
        server::Effect::Send { message: FromRemote::Proxy(message), .. } => Some(message),
        _ => None,
    });
    said.collect()
}

fn from_cluster(server: &mut RemoteServer, session: &str, body: ProxyBody) -> Vec<server::Effect> {
    let message = ProxyMessage { session: session.to_owned(), body };
    let message = ToRemote { id: 2, call: Call::Forward(message) };
    server.handle(Now::default(), server::Event::Received { client: CLIENT, message })
}

#[test]
fn what_stock_tools_say_is_passed_on_as_it_is() {
    let mut server = driven_by_a_stock_cluster();
    let tool = ToolId(5);
    let said = to_cluster(&mut server, connected(tool, ToolService::Stock("attrd".into())));
    assert_eq!(said[0].body, ProxyBody::New { service: "attrd".into() });
    let session = said[0].session.clone();
    let request = StockRequest { id: 9, flags: 0x200, xml: r#"<a t="attrd"/>"#.into() };
    let said = to_cluster(&mut server, server::Event::ToolAsks { tool, request });
    let ProxyBody::Request { id: 9, flags: 0x300, user, xml, .. } = &said[0].body else { panic!("{said:?}") };
    assert_eq!((user.as_str(), xml.as_str()), ("root", r#"<a t="attrd"/>"#));
    let (response, event) =
        (ProxyBody::Response { id: 9, xml: "<ack/>".into() }, ProxyBody::Event { xml: "<news/>".into() });
    for (body, answers, xml) in [(response, Some(9), "<ack/>"), (event, None, "<news/>")] {
        let effects = from_cluster(&mut server, &session, body);
        assert!(
            effects.contains(&server::Effect::ToStockTool { tool, answers, xml: xml.into() }),
            "{effects:?}"
        );
    }
    let effects = from_cluster(&mut server, &session, ProxyBody::Destroy);
    assert!(effects.contains(&server::Effect::DropTool(tool)));
}

#[test]
fn tools_of_others_leave_room_for_those_of_root() {
    let mut server = driven_by_a_stock_cluster();
    let mut is_let_in = |number: usize, user: &str| {
        let tool = ToolId(number as u64);
        let service = ToolService::Stock("attrd".into());
        let event = server::Event::ToolConnected { tool, user: user.into(), service };
        !server.handle(Now::default(), event).contains(&server::Effect::DropTool(tool))
    };
    let n_let_in = (0..server::MAX_TOOLS).filter(|number| is_let_in(*number, "hacluster")).count();
    assert!((1..server::MAX_TOOLS).contains(&n_let_in), "{n_let_in}");
    let more = (server::MAX_TOOLS..2 * server::MAX_TOOLS).filter(|number| is_let_in(*number, "root")).count();
    assert_eq!(n_let_in + more, server::MAX_TOOLS);
}

#[test]
fn a_tool_is_heard_by_the_cluster_node_it_began_with() {
    let mut server = driven_by_a_stock_cluster();
    let (early, late) = (ToolId(5), ToolId(6));
    let service = || ToolService::Stock("attrd".into());
    to_cluster(&mut server, connected(early, service()));
    let newer = RemoteClient(2);
    server.handle(Now::default(), server::Event::Connected(newer));
    let (client, protocol) = ("other".to_owned(), "1.1".to_owned());
    let call = Call::Register { client, protocol, is_provider: true, speaks_api: false };
    let message = ToRemote { id: 1, call };
    server.handle(Now::default(), server::Event::Received { client: newer, message });
    for is_connected in [false, true] {
        assert_eq!((server.listener_of(early), server.listener_of(late)), (Some(CLIENT), Some(newer)));
        if !is_connected {
            to_cluster(&mut server, connected(late, service()));
        }
    }
}

#[test]
fn a_stock_tool_that_says_no_xml_is_dropped_and_the_cluster_told() {
    let mut server = driven_by_a_stock_cluster();
    let tool = ToolId(5);
    to_cluster(&mut server, connected(tool, ToolService::Stock("attrd".into())));
    let request = StockRequest { id: 1, flags: 0, xml: "<a".into() };
    let effects = server.handle(Now::default(), server::Event::ToolAsks { tool, request });
    assert!(effects.contains(&server::Effect::DropTool(tool)));
    let is_told = |effect: &server::Effect| matches!(effect, server::Effect::Send { message: FromRemote::Proxy(message), .. } if message.body == ProxyBody::Destroy);
    assert!(effects.iter().any(is_told), "{effects:?}");
}

#[test]
fn our_tools_work_in_a_stock_cluster() {
    let mut server = driven_by_a_stock_cluster();
    let tool = ToolId(5);
    assert_eq!(to_cluster(&mut server, connected(tool, ToolService::Api)), []);
    let line = r#"{"id":4,"client":"cibadmin","call":"cib"}"#.to_owned();
    let said = to_cluster(&mut server, server::Event::ToolSays { tool, line });
    assert_eq!(said[0].body, ProxyBody::New { service: "cib_rw".into() });
    let ProxyBody::Request { id, .. } = said[1].body else { panic!("{said:?}") };
    let xml = r#"<cib-reply cib_rc="0"><cib_calldata><cib/></cib_calldata></cib-reply>"#.to_owned();
    let effects = from_cluster(&mut server, &said[1].session, ProxyBody::Response { id, xml });
    let line = r#"{"id":4,"reply":{"cib":{"xml":"<cib/>"}}}"#.to_owned();
    assert!(effects.contains(&server::Effect::ToTool { tool, line }), "{effects:?}");
    let said = to_cluster(&mut server, server::Event::ToolGone(tool));
    assert_eq!(said[0].body, ProxyBody::Destroy);
}

#[test]
fn sessions_of_different_daemons_have_different_names() {
    let names = ["one", "two"].map(|identity| {
        let mut server = driven_by_a_stock_cluster();
        let started = server::Event::Started { identity: identity.into(), start_state: None };
        server.handle(Now::default(), started);
        to_cluster(&mut server, connected(ToolId(5), ToolService::Stock("attrd".into())))[0].session.clone()
    });
    assert_ne!(names[0], names[1]);
}

#[test]
fn a_daemon_that_is_told_to_end_asks_the_cluster_first() {
    let mut world = World::connected();
    for event in world.server(server::Event::Terminate) {
        world.tell(event);
    }
    assert!(world.out.iter().any(
        |effect| matches!(effect, Effect::Proxy(message) if message.body == ProxyBody::ShutdownRequest)
    ));
    assert!(!world.far.contains(&server::Effect::Exit));
    let ack = ProxyMessage { session: String::new(), body: ProxyBody::ShutdownAck };
    world.tell(Event::Proxy(ack));
    world.pass(60);
    assert!(!world.far.contains(&server::Effect::Exit), "not while the cluster is at it");
    world.disconnect();
    assert!(world.far.contains(&server::Effect::Exit));

    let mut alone = World::new();
    alone.server(server::Event::Terminate);
    assert!(alone.far.contains(&server::Effect::Exit));
}
