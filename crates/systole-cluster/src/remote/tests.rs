//! Both ends against each other, with an executor behind the far one.

mod connection;
mod operations;
mod tools;

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
                    told.extend(self.executor(executor::Event::Messages(vec![message])));
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
