//! One node under test, and all that is around it.

use super::*;

/// Node a, with an executor whose every operation succeeds at once, and a cluster layer that can be taken away.
pub struct Bench {
    pub machine: NodeMachine,
    pub now: Now,
    pub has_layer: bool,
    /// Operation keys as the executor got them, and what was asked of the disk.
    pub ran: Vec<String>,
    /// Their actions, as the agent gets them.
    pub asked: Vec<String>,
    pub transition_keys: BTreeSet<String>,
    pub running: bool,
    pub cancelled: Vec<String>,
    pub has_left: bool,
    pub stays_away: Vec<Duration>,
    pub n_results: u64,
    pub tokens: Vec<crate::Token>,
    /// Nothing comes of what is asked of the disk; else it answers while time passes.
    pub disk_hangs: bool,
    pub casts: Vec<String>,
    pub replies: Vec<systole_wire::api::Reply>,
    pub logs: Vec<String>,
    pub n_inputs: usize,
    pub last_input: String,
    pub far: Far,
    /// The executor answers nothing that is asked from the first operation with this name on.
    pub hangs_from: Option<&'static str>,
    pub hung: Vec<Operation>,
    /// What agents say of themselves; without it they say nothing.
    pub metadata: Option<String>,
}

/// What is at the other end of this node's sessions.
#[derive(Default)]
pub struct Far {
    pub is_reachable: bool,
    pub session: crate::SessionId,
    pub start_state: StartState,
    pub opened: Vec<crate::Endpoint>,
    pub closed: Vec<crate::SessionId>,
    pub ran: Vec<String>,
    pub running: BTreeSet<String>,
    /// What is to be started there waits its turn, until it is taken back.
    pub starts_wait: bool,
    pub waiting: Vec<Operation>,
    /// What agents there say of themselves; without an answer if `None`.
    pub metadata: Option<String>,
}

impl Bench {
    pub fn start() -> Self {
        Self::with(CIB)
    }

    pub fn with(cib: &str) -> Self {
        let mut bench = Self::unwelcomed(cib);
        bench.tell(Event::Executor(welcome()));
        bench
    }

    /// Before its executor is there.
    pub fn unwelcomed(cib: &str) -> Self {
        let config = NodeConfig {
            stack: "hub".into(),
            version: "test".into(),
            start_state: StartState::default(),
            protocol: PROTOCOL,
            planner: plan,
        };
        let mut bench = Self {
            machine: NodeMachine::new(config),
            now: Now { mono: Monotonic(Duration::from_secs(100)), wall: Timestamp(1_000_000) },
            has_layer: true,
            ran: Vec::new(),
            asked: Vec::new(),
            transition_keys: BTreeSet::new(),
            running: false,
            cancelled: Vec::new(),
            has_left: false,
            stays_away: Vec::new(),
            n_results: 0,
            tokens: Vec::new(),
            disk_hangs: false,
            casts: Vec::new(),
            replies: Vec::new(),
            logs: Vec::new(),
            n_inputs: 0,
            last_input: String::new(),
            far: Far { is_reachable: true, ..Far::default() },
            hangs_from: None,
            hung: Vec::new(),
            metadata: Some(String::new()),
        };
        let version = CibVersion { admin_epoch: 0, epoch: 5, num_updates: 0 };
        let stored = Some(Snapshot { xml: cib.into(), version, generation: 1 });
        bench.tell(Event::Started { node: "a".into(), boot_id: "boot".into(), seed: 77, stored });
        bench
    }

    pub fn tell(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for effect in self.machine.handle(self.now, event) {
                match effect {
                    Effect::Cast(payload) if self.has_layer => {
                        self.casts.push(payload.clone());
                        events.push_back(Event::Delivered { from: 1, payload });
                    }
                    Effect::ToExecutor(ToExecutor::Run(operation)) if self.hangs(&operation) => {
                        self.ran.push(operation.key.clone());
                        self.asked.push(operation.operation.clone());
                        self.hung.push(*operation);
                    }
                    Effect::ToExecutor(ToExecutor::Run(operation)) => {
                        let result = self.run(*operation);
                        events.push_back(Event::Executor(FromExecutor::Result(Box::new(result))));
                    }
                    Effect::ToExecutor(ToExecutor::Cancel { key }) => self.cancelled.push(key),
                    Effect::ToExecutor(ToExecutor::Describe(agent)) if self.metadata.is_some() => {
                        let metadata = self.metadata.clone().filter(|text| !text.is_empty());
                        events.push_back(Event::Executor(FromExecutor::Described { agent, metadata }));
                    }
                    Effect::Remote { session, command } => {
                        if matches!(command, crate::RemoteCommand::Open(_)) && self.far.is_reachable {
                            let event = crate::RemoteEvent::StartState(self.far.start_state);
                            events.push_back(Event::Remote { session, event });
                        }
                        events.extend(self.far_end(session, command));
                    }
                    Effect::LeaveCluster => {
                        self.has_left = true;
                        return;
                    }
                    Effect::StayAway(pause) => self.stays_away.push(pause),
                    Effect::Reply { response, .. } => self.replies.push(response.reply),
                    Effect::Persist { token, .. } => self.tokens.push(token),
                    Effect::Log { level: Level::Debug, .. } => {}
                    Effect::Log { message, .. } => self.logs.push(message),
                    Effect::SaveInput { xml, .. } => {
                        self.n_inputs += 1;
                        self.last_input = xml;
                    }
                    _ => {}
                }
            }
        }
    }

    pub fn hangs(&self, operation: &Operation) -> bool {
        let asked = || self.asked.iter().chain([&operation.operation]);
        self.hangs_from.is_some_and(|name| asked().any(|asked| asked == name))
    }

    pub fn run(&mut self, operation: Operation) -> OperationResult {
        self.ran.push(operation.key.clone());
        self.asked.push(operation.operation.clone());
        self.transition_keys.insert(operation.transition_key.clone());
        match operation.operation.as_str() {
            "start" => self.running = true,
            "stop" => self.running = false,
            _ => {}
        }
        let is_there = self.running || operation.operation != "monitor";
        self.result(operation, is_there)
    }

    pub fn result(&mut self, operation: Operation, is_there: bool) -> OperationResult {
        self.n_results += 1;
        OperationResult {
            number: self.n_results,
            operation,
            rc: if is_there { OcfRc::Ok } else { OcfRc::NotRunning }.code(),
            status: OpStatus::Done.code(),
            exit_reason: String::new(),
            at: self.now.wall.0,
            exec_ms: 1,
            queue_ms: 0,
        }
    }

    pub fn far_end(&mut self, session: crate::SessionId, command: crate::RemoteCommand) -> Option<Event> {
        use crate::{RemoteCommand, RemoteEvent};
        let event = match command {
            RemoteCommand::Open(endpoint) => {
                self.far.opened.push(endpoint);
                self.far.session = session;
                match self.far.is_reachable {
                    true => RemoteEvent::Says(welcome()),
                    false => RemoteEvent::Lost { reason: "refused".into() },
                }
            }
            RemoteCommand::Tell(ToExecutor::Run(operation))
                if self.far.starts_wait && operation.operation == "start" =>
            {
                self.far.waiting.push(*operation);
                return None;
            }
            RemoteCommand::Tell(ToExecutor::Cancel { key }) => {
                let mut waiting = self.far.waiting.extract_if(.., |operation| operation.key == key);
                let operation = waiting.next()?;
                drop(waiting);
                let status = OpStatus::Cancelled.code();
                let result = OperationResult { status, ..self.result(operation, false) };
                RemoteEvent::Says(FromExecutor::Result(Box::new(result)))
            }
            RemoteCommand::Tell(ToExecutor::Run(operation)) => {
                let far = &mut self.far;
                far.ran.push(operation.key.clone());
                match operation.operation.as_str() {
                    "start" => _ = far.running.insert(operation.resource.clone()),
                    "stop" => _ = far.running.remove(&operation.resource),
                    _ => {}
                }
                let is_there = operation.operation != "monitor" || far.running.contains(&operation.resource);
                let result = self.result(*operation, is_there);
                RemoteEvent::Says(FromExecutor::Result(Box::new(result)))
            }
            RemoteCommand::Close => {
                self.far.closed.push(session);
                return None;
            }
            RemoteCommand::Tell(ToExecutor::Describe(agent)) if self.far.metadata.is_some() => {
                let metadata = self.far.metadata.clone();
                RemoteEvent::Says(FromExecutor::Described { agent, metadata })
            }
            RemoteCommand::Tell(_) => return None,
        };
        Some(Event::Remote { session, event })
    }

    pub fn view(&mut self, number: u64) {
        self.has_layer = true;
        let members = vec![(1, "a".to_owned())];
        self.tell(Event::View(View { number, own_id: 1, members, has_quorum: true }));
        self.wait(30);
    }

    /// A tool sets a cluster option.
    pub fn set_option(&mut self, name: &str, value: &str) {
        let pair = format!(r#"<nvpair id="o-{name}" name="{name}" value="{value}"/>"#);
        self.modify("crm_config", format!(r#"<cluster_property_set id="o">{pair}</cluster_property_set>"#));
    }

    /// A tool sets a meta attribute of `r`.
    pub fn set_meta(&mut self, name: &str, value: &str) {
        let pair = format!(r#"<nvpair id="m-{name}" name="{name}" value="{value}"/>"#);
        let set =
            format!(r#"<primitive id="r"><meta_attributes id="m">{pair}</meta_attributes></primitive>"#);
        self.modify("resources", set);
    }

    fn modify(&mut self, section: &str, xml: String) {
        use systole_cib::ops::{CibAction, CibCall, CibOptions, Scope};
        let change = CibCall {
            action: CibAction::Modify,
            scope: Scope::Section(section.to_owned()),
            xml: Some(xml),
            options: CibOptions { allow_create: true, ..CibOptions::default() },
        };
        let call = systole_wire::api::Call::Apply { change, force: false };
        let request = systole_wire::api::Request { id: 1, client: "test".into(), user: None, call };
        self.tell(Event::Request { client: crate::ClientId(7), request, groups: Vec::new() });
    }

    pub fn lose_layer(&mut self) {
        self.has_layer = false;
        self.tell(Event::ClusterLost);
    }

    pub fn wait(&mut self, secs: u64) {
        for _ in 0..secs {
            self.now.mono = self.now.mono + Duration::from_secs(1);
            self.now.wall.0 += 1;
            self.tell(Event::DeadlineReached);
            if let Some(token) = self.tokens.last().filter(|_| !self.disk_hangs) {
                self.tell(Event::Durable(*token));
            }
        }
    }
}

pub fn welcome() -> FromExecutor {
    FromExecutor::Welcome {
        protocol: PROTOCOL,
        boot_id: "boot".into(),
        recurring: Vec::new(),
        in_flight: Vec::new(),
        unacknowledged: Vec::new(),
        last_call: 0,
        last_number: 0,
        acknowledged: 0,
    }
}
