//! Agents that are run for their metadata.

use super::{RemoteClient, RemoteServer, rc};
use systole_types::{OcfRc, OpStatus};
use systole_wire::{
    exec::{AgentName, ToExecutor},
    remote::{Done, FromRemote, Notice, Reply, Run},
};

/// How many may be wanted at once.
const MAX_WANTED: usize = 4096;

/// Agents that are describing themselves, and the calls that want to know.
#[derive(Debug, Default)]
pub(super) struct Descriptions(Vec<Wanted>);

#[derive(Debug)]
struct Wanted {
    agent: AgentName,
    run: Run,
    call: u64,
}

impl RemoteServer {
    /// Has an agent describe itself. That does not have to wait for what is done to resources.
    pub(super) fn describe(&mut self, client: RemoteClient, reply: Reply, agent: AgentName, run: Run) {
        if self.descriptions.0.len() >= MAX_WANTED {
            return self.reply(client, Reply { rc: rc::NO_SPACE, ..reply });
        }
        let call = reply.call;
        self.descriptions.0.push(Wanted { agent: agent.clone(), run, call });
        let rc = i32::try_from(call).unwrap_or(i32::MAX);
        self.reply(client, Reply { rc, ..reply });
        self.effects.push(super::Effect::ToExecutor(ToExecutor::Describe(agent)));
    }

    /// An agent has described itself, or cannot.
    pub(super) fn tell_description(&mut self, agent: &AgentName, metadata: Option<&str>) {
        let wanted = std::mem::take(&mut self.descriptions.0);
        let (told, rest) = wanted.into_iter().partition(|wanted| wanted.agent == *agent);
        self.descriptions.0 = rest;
        let told: Vec<Wanted> = told;
        for Wanted { run, call, .. } in told {
            let outcome = if metadata.is_some() { OcfRc::Ok } else { OcfRc::Error };
            let output = metadata.unwrap_or_default().to_owned();
            let (rc, status) = (outcome.code(), OpStatus::Done.code());
            let done = Done { run, call, rc, status, output, ..Done::default() };
            self.tell_all(&FromRemote::Notice(Notice::Done(Box::new(done))));
        }
    }
}
