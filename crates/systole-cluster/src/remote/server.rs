//! The far end: a remote daemon, as a machine between its clients (cluster nodes), its executor and the tools on its
//! host.
//!
//! It is the same to our own [`super::RemoteSession`] and to a stock cluster. Operations are run by an
//! [`crate::executor::ExecutorMachine`], which the hand drives beside this one. There may be several clients, while a
//! connection moves from one cluster node to another: all hear every result; what tools say goes to the newest.

mod bridge;
mod descriptions;
mod event;
mod tools;

pub use event::{Effect, Event, RemoteClient};

use super::operations::METADATA;
use crate::Level;
use descriptions::Descriptions;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use systole_types::{Monotonic, Now, OpStatus, OperationKey};
use systole_wire::{
    PROTOCOL,
    exec::{AgentName, FromExecutor, Operation, OperationResult, ToExecutor},
    remote::{
        Call, Done, FromRemote, Notice, PROTOCOL_VERSION, ProxyBody, ProxyMessage, RC_PROTOCOL, Recurring,
        Registered, Reply, Run, ToRemote, is_compatible, message::Handled,
    },
};
use tools::Tools;
pub use tools::{MAX_TOOLS, StockRequest, ToolId, ToolService};

/// How many clients may be connected at once. One more takes the place of that which has been silent the longest: somebody between may
/// keep connections open that no cluster node has any more.
pub const MAX_CLIENTS: usize = 16;

/// How many resources may be registered.
const MAX_RESOURCES: usize = 4096;

/// How long a daemon that is told to end waits for the cluster to say that it will be relieved of its resources.
const ACK_PATIENCE: Duration = Duration::from_secs(30);

/// Error numbers of replies. Source: errno(3), with the sign they have in messages.
mod rc {
    pub const NO_SUCH_RESOURCE: i32 = -19;
    pub const NO_SPACE: i32 = -28;
    pub const NOT_SUPPORTED: i32 = -95;
}

/// The far end's machine.
#[derive(Debug, Default)]
pub struct RemoteServer {
    started_at: Monotonic,
    identity: String,
    start_state: Option<String>,
    clients: BTreeMap<RemoteClient, Client>,
    /// Clients that take what tools say, the newest last.
    providers: Vec<Provider>,
    resources: BTreeMap<String, Resource>,
    /// Recurring operations in force, by key.
    recurring: BTreeMap<String, Operation>,
    descriptions: Descriptions,
    last_call: u64,
    tools: Tools,
    ending: Ending,
    effects: Vec<Effect>,
}

/// A cluster node that is connected.
#[derive(Debug)]
struct Client {
    /// `None` until it has said who it is.
    name: Option<String>,
    heard_at: Monotonic,
}

/// A client that takes what tools say.
#[derive(Clone, Copy, Debug)]
struct Provider {
    client: RemoteClient,
    /// Whether it understands our own tools, too.
    speaks_api: bool,
}

#[derive(Debug)]
struct Resource {
    class: String,
    provider: Option<String>,
    agent: String,
    drops_recurring: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Ending {
    #[default]
    No,
    /// The cluster was asked to relieve this host.
    Asked { patience_ends: Monotonic },
    /// It is about to: the end of its connection is ours.
    Acknowledged,
}

impl RemoteServer {
    /// A machine that waits for [`Event::Started`].
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in what happened and says what to do.
    pub fn handle(&mut self, now: Now, event: Event) -> Vec<Effect> {
        match event {
            Event::Started { identity, start_state } => {
                self.started_at = now.mono;
                (self.identity, self.start_state) = (identity, start_state);
                let hello = ToExecutor::Hello { protocol: PROTOCOL, node: String::new() };
                self.effects.push(Effect::ToExecutor(hello));
            }
            Event::Connected(client) => self.connected(now, client),
            Event::Gone(client) => self.gone(client),
            Event::Received { client, message } => self.received(now, client, message),
            Event::Executor(message) => self.executor_says(message),
            Event::ToolConnected { tool, user, service } => self.tool_connected(tool, user, service),
            Event::ToolSays { tool, line } => self.tool_says(tool, &line),
            Event::ToolAsks { tool, request } => self.tool_asks(tool, request),
            Event::ToolGone(tool) => self.tool_gone(tool),
            Event::Terminate => self.terminate(now),
            Event::DeadlineReached => self.expire(now),
        }
        std::mem::take(&mut self.effects)
    }

    /// When the next [`Event::DeadlineReached`] is due.
    pub fn next_deadline(&self) -> Option<Monotonic> {
        match self.ending {
            Ending::Asked { patience_ends } => Some(patience_ends),
            _ => None,
        }
    }

    fn connected(&mut self, now: Now, client: RemoteClient) {
        if self.clients.len() >= MAX_CLIENTS {
            self.drop_most_silent(now);
        }
        self.tell_all(&FromRemote::Notice(Notice::NewClient));
        self.clients.insert(client, Client { name: None, heard_at: now.mono });
    }

    fn drop_most_silent(&mut self, now: Now) {
        let silent = self.clients.iter().min_by_key(|(_, client)| client.heard_at);
        let Some((&client, Client { name, heard_at })) = silent else { return };
        let name = name.as_deref().unwrap_or("a client without a name");
        let seconds = (now.mono - *heard_at).as_secs();
        let message = format!(
            "{MAX_CLIENTS} clients are connected: {name}, silent for {seconds} s, makes room for one more"
        );
        self.log(Level::Warning, message);
        self.effects.push(Effect::Drop(client));
        self.gone(client);
    }

    fn gone(&mut self, client: RemoteClient) {
        if let Some(Client { name: Some(name), .. }) = self.clients.remove(&client) {
            self.log(Level::Notice, format!("{name} is gone; what runs here goes on"));
        }
        self.providers.retain(|provider| provider.client != client);
        self.end_sessions_of(client);
        if self.clients.is_empty() {
            self.drop_recurring();
        }
        if self.ending == Ending::Acknowledged && self.providers.is_empty() {
            self.effects.push(Effect::Exit);
        }
    }

    /// Nobody is left to hear of what recurs.
    fn drop_recurring(&mut self) {
        let is_dropped = |operation: &Operation| {
            self.resources.get(&operation.resource).is_none_or(|resource| resource.drops_recurring)
        };
        let keys: Vec<String> = self
            .recurring
            .iter()
            .filter(|(_, entry)| is_dropped(entry))
            .map(|(key, _)| key.clone())
            .collect();
        for key in keys {
            self.recurring.remove(&key);
            self.effects.push(Effect::ToExecutor(ToExecutor::Cancel { key }));
        }
    }

    fn received(&mut self, now: Now, client: RemoteClient, message: ToRemote) {
        let Some(known) = self.clients.get_mut(&client) else { return };
        known.heard_at = now.mono;
        let has_name = known.name.is_some();
        self.last_call += 1;
        let reply = Reply { id: message.id, call: self.last_call, ..Reply::default() };
        if !has_name && !matches!(message.call, Call::Register { .. }) {
            self.log(Level::Warning, "a client that has not said who it is asks for something: refused");
            return self.reply(client, Reply { rc: RC_PROTOCOL, ..reply });
        }
        match message.call {
            Call::Register { client: name, protocol, is_provider, speaks_api } => {
                let provider = is_provider.then_some(Provider { client, speaks_api });
                self.register(now, client, reply, name, &protocol, provider);
            }
            Call::RegisterResource { resource, class, provider, agent, drops_recurring } => {
                let known = Resource { class, provider, agent, drops_recurring };
                self.register_resource(client, reply, resource, known);
            }
            Call::UnregisterResource { resource } => self.unregister(client, reply, &resource),
            Call::Info { resource } => {
                let agent = self
                    .resources
                    .get(&resource)
                    .map(|known| (known.class.clone(), known.provider.clone(), known.agent.clone()));
                let rc = if agent.is_some() { 0 } else { rc::NO_SUCH_RESOURCE };
                self.reply(client, Reply { rc, agent, ..reply });
            }
            Call::Run(run) => self.run(client, reply, *run),
            Call::Cancel { resource, operation, interval_ms } => {
                self.cancel(client, reply, &resource, &operation, interval_ms);
            }
            Call::Poke => {
                let call = reply.call;
                self.reply(client, reply);
                self.tell_handled(Handled::Poke, None, 0, call);
            }
            Call::Recurring { resource } => self.list_recurring(client, reply, resource.as_deref()),
            Call::Alert { id, .. } => {
                self.log(Level::Warning, format!("alert {id} is not run here: that is not supported"));
                self.reply(client, Reply { rc: rc::NOT_SUPPORTED, ..reply });
            }
            // Stock daemons give no answer to this one.
            Call::Check { watchdog } => {
                if watchdog.is_some() {
                    self.log(Level::Warning, "the cluster counts on a watchdog, which nobody feeds here");
                }
            }
            Call::Forward(message) => {
                self.reply(client, reply);
                self.forwarded(client, message);
            }
        }
    }

    fn register(
        &mut self,
        now: Now,
        client: RemoteClient,
        reply: Reply,
        name: String,
        protocol: &str,
        provider: Option<Provider>,
    ) {
        let registered = Registered {
            protocol: PROTOCOL_VERSION.to_owned(),
            client: format!("systole-{}", client.0),
            uptime: Some((now.mono - self.started_at).as_secs()),
            start_state: self.start_state.clone(),
        };
        if !is_compatible(protocol) {
            let message =
                format!("{name} speaks protocol {protocol}, this daemon {PROTOCOL_VERSION}: refused");
            self.log(Level::Error, message);
            return self.reply(client, Reply { rc: RC_PROTOCOL, registered: Some(registered), ..reply });
        }
        self.log(Level::Notice, format!("{name} has connected"));
        self.clients.insert(client, Client { name: Some(name), heard_at: now.mono });
        if let Some(provider) = provider {
            self.providers.retain(|known| known.client != client);
            self.providers.push(provider);
        }
        self.reply(client, Reply { registered: Some(registered), ..reply });
    }

    fn register_resource(&mut self, client: RemoteClient, reply: Reply, resource: String, known: Resource) {
        if self.resources.len() >= MAX_RESOURCES && !self.resources.contains_key(&resource) {
            return self.reply(client, Reply { rc: rc::NO_SPACE, ..reply });
        }
        let call = reply.call;
        self.resources.insert(resource.clone(), known);
        self.reply(client, reply);
        self.tell_handled(Handled::RegisterResource, Some(resource), 0, call);
    }

    fn unregister(&mut self, client: RemoteClient, reply: Reply, resource: &str) {
        let call = reply.call;
        if self.resources.remove(resource).is_some() {
            self.recurring.retain(|_, operation| operation.resource != resource);
            let resource = resource.to_owned();
            self.effects.push(Effect::ToExecutor(ToExecutor::Forget { resource }));
        }
        self.reply(client, reply);
        self.tell_handled(Handled::UnregisterResource, Some(resource.to_owned()), 0, call);
    }

    fn run(&mut self, client: RemoteClient, reply: Reply, run: Run) {
        let Some(known) = self.resources.get(&run.resource) else {
            return self.reply(client, Reply { rc: rc::NO_SUCH_RESOURCE, ..reply });
        };
        if run.operation == METADATA {
            let agent = AgentName {
                class: known.class.clone(),
                provider: known.provider.clone(),
                agent: known.agent.clone(),
            };
            return self.describe(client, reply, agent, run);
        }
        let interval = Duration::from_millis(run.interval_ms);
        let operation = Operation {
            call: reply.call,
            key: OperationKey::new(run.resource.as_str(), &run.operation, interval).to_string(),
            resource: run.resource,
            class: known.class.clone(),
            provider: known.provider.clone(),
            agent: known.agent.clone(),
            operation: run.operation,
            interval_ms: run.interval_ms,
            timeout_ms: run.timeout_ms,
            start_delay_ms: run.start_delay_ms,
            parameters: run.parameters,
            transition_key: run.note,
            expected_rc: None,
            digests: Default::default(),
        };
        if crate::executor::changes_state(&operation) {
            // The executor ends them by itself.
            self.recurring.retain(|_, entry| entry.resource != operation.resource);
        }
        if operation.interval_ms > 0 {
            self.recurring.insert(operation.key.clone(), operation.clone());
        }
        // The daemon's number for the operation is the return code, too.
        let rc = i32::try_from(reply.call).unwrap_or(i32::MAX);
        self.reply(client, Reply { rc, ..reply });
        self.effects.push(Effect::ToExecutor(ToExecutor::Run(Box::new(operation))));
    }

    fn cancel(
        &mut self,
        client: RemoteClient,
        reply: Reply,
        resource: &str,
        operation: &str,
        interval_ms: u64,
    ) {
        let key = OperationKey::new(resource, operation, Duration::from_millis(interval_ms)).to_string();
        let rc = match (self.resources.contains_key(resource), self.recurring.contains_key(&key)) {
            (false, _) => rc::NO_SUCH_RESOURCE,
            // What is done once may still wait its turn.
            (true, false) if interval_ms > 0 => rc::NOT_SUPPORTED,
            (true, _) => 0,
        };
        self.reply(client, Reply { rc, ..reply });
        if rc == 0 {
            self.effects.push(Effect::ToExecutor(ToExecutor::Cancel { key }));
        }
    }

    fn list_recurring(&mut self, client: RemoteClient, reply: Reply, resource: Option<&str>) {
        if resource.is_some_and(|resource| !self.resources.contains_key(resource)) {
            return self.reply(client, Reply { rc: rc::NO_SUCH_RESOURCE, ..reply });
        }
        let recurring = self
            .recurring
            .values()
            .filter(|operation| resource.is_none_or(|resource| operation.resource == resource))
            .map(|operation| Recurring {
                resource: operation.resource.clone(),
                operation: operation.operation.clone(),
                interval_ms: operation.interval_ms,
                timeout_ms: operation.timeout_ms,
            })
            .collect();
        self.reply(client, Reply { recurring, ..reply });
    }

    fn executor_says(&mut self, message: FromExecutor) {
        match message {
            FromExecutor::Welcome { recurring, last_call, .. } => {
                self.last_call = self.last_call.max(last_call);
                // What an earlier daemon was asked for has nobody to hear of it any more.
                for (key, _) in recurring.into_iter().filter(|(key, _)| !self.recurring.contains_key(key)) {
                    self.effects.push(Effect::ToExecutor(ToExecutor::Cancel { key }));
                }
            }
            FromExecutor::Result(result) => self.tell_result(*result),
            FromExecutor::Described { agent, metadata } => {
                self.tell_description(&agent, metadata.as_deref());
            }
            // A cluster cannot be told: the protocol has no word for it.
            FromExecutor::Appeared { .. } | FromExecutor::Pong => {}
        }
    }

    fn tell_result(&mut self, result: OperationResult) {
        let operation = &result.operation;
        let in_force = self.recurring.get(&operation.key).is_some_and(|entry| entry.call == operation.call);
        if in_force && result.status == OpStatus::Cancelled.code() {
            self.recurring.remove(&operation.key);
        }
        let is_deleted = !self.resources.contains_key(&operation.resource);
        self.effects.push(Effect::ToExecutor(ToExecutor::Acknowledge { number: result.number }));
        self.tell_all(&FromRemote::Notice(Notice::Done(Box::new(done(result, is_deleted)))));
    }

    /// Told to end: not before the cluster has moved away what runs here, if there is a cluster.
    fn terminate(&mut self, now: Now) {
        if self.ending != Ending::No {
            return;
        }
        let Some(provider) = self.providers.last().copied() else {
            self.log(Level::Notice, "told to end, and there is no cluster to ask: ending");
            return self.effects.push(Effect::Exit);
        };
        self.log(Level::Notice, "told to end: asking the cluster to move away first what runs here");
        let message = ProxyMessage { session: "0".to_owned(), body: ProxyBody::ShutdownRequest };
        self.effects.push(Effect::Send { client: provider.client, message: FromRemote::Proxy(message) });
        self.ending = Ending::Asked { patience_ends: now.mono + ACK_PATIENCE };
    }

    fn expire(&mut self, now: Now) {
        if matches!(self.ending, Ending::Asked { patience_ends } if patience_ends <= now.mono) {
            self.log(Level::Warning, "the cluster does not answer: ending");
            self.effects.push(Effect::Exit);
        }
    }

    fn forwarded(&mut self, client: RemoteClient, message: ProxyMessage) {
        match message.body {
            ProxyBody::ShutdownAck if self.ending != Ending::No => self.ending = Ending::Acknowledged,
            ProxyBody::ShutdownNack if self.ending != Ending::No => {
                self.log(Level::Notice, "the cluster does not manage this host: ending");
                self.effects.push(Effect::Exit);
            }
            _ => self.tell_session(client, message),
        }
    }

    fn reply(&mut self, client: RemoteClient, reply: Reply) {
        self.effects.push(Effect::Send { client, message: FromRemote::Reply(reply) });
    }

    fn tell_handled(&mut self, handled: Handled, resource: Option<String>, rc: i32, call: u64) {
        self.tell_all(&FromRemote::Notice(Notice::Handled { handled, resource, rc, call }));
    }

    fn tell_all(&mut self, message: &FromRemote) {
        let clients: BTreeSet<RemoteClient> = self
            .clients
            .iter()
            .filter(|(_, known)| known.name.is_some())
            .map(|(client, _)| *client)
            .collect();
        for client in clients {
            self.effects.push(Effect::Send { client, message: message.clone() });
        }
    }

    fn log(&mut self, level: Level, message: impl Into<String>) {
        self.effects.push(Effect::Log { level, message: message.into() });
    }
}

fn done(result: OperationResult, is_deleted: bool) -> Done {
    let operation = result.operation;
    // Stock daemons leave the code of the last run there, which was a good one or nobody would care.
    let is_cancelled = result.status == OpStatus::Cancelled.code();
    Done {
        run: Run {
            resource: operation.resource,
            operation: operation.operation,
            interval_ms: operation.interval_ms,
            timeout_ms: operation.timeout_ms,
            start_delay_ms: operation.start_delay_ms,
            note: operation.transition_key,
            changes_only: false,
            parameters: operation.parameters,
        },
        call: operation.call,
        rc: if is_cancelled { 0 } else { result.rc },
        status: result.status,
        is_deleted,
        run_at: result.at - i64::try_from(result.exec_ms / 1000).unwrap_or(0),
        changed_at: result.at,
        exec_ms: result.exec_ms,
        queue_ms: result.queue_ms,
        exit_reason: result.exit_reason,
        output: String::new(),
    }
}
