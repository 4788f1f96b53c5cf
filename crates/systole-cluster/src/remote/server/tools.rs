//! Tools on the daemon's host: what they say goes to the cluster through the newest client.

use super::{Effect, RemoteClient, RemoteServer};
use crate::Level;
use std::collections::BTreeMap;
use systole_wire::remote::{
    FromRemote, ProxyBody, ProxyMessage,
    proxy::{API_SERVICE, line_of, wrap_line},
};

/// How many tools may be connected at once.
pub const MAX_TOOLS: usize = 256;

/// One tool's connection; a hand never uses a number twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ToolId(pub u64);

#[derive(Debug, Default)]
pub(super) struct Tools(BTreeMap<ToolId, Session>);

#[derive(Debug)]
struct Session {
    /// Who takes what it says, to the end of the session.
    provider: RemoteClient,
    user: String,
}

fn session_name(tool: ToolId) -> String {
    format!("tool-{}", tool.0)
}

impl RemoteServer {
    pub(super) fn tool_connected(&mut self, tool: ToolId, user: String) {
        let provider = self.providers.last().copied();
        let Some(provider) = provider.filter(|_| self.tools.0.len() < MAX_TOOLS) else {
            self.log(
                Level::Warning,
                "a tool is turned away: there is no cluster, or there are too many tools",
            );
            return self.effects.push(Effect::DropTool(tool));
        };
        self.tools.0.insert(tool, Session { provider, user });
        self.tell_provider(provider, tool, ProxyBody::New { service: API_SERVICE.to_owned() });
    }

    pub(super) fn tool_says(&mut self, tool: ToolId, line: &str) {
        let Some(session) = self.tools.0.get(&tool) else { return };
        let (provider, user) = (session.provider, session.user.clone());
        let request =
            ProxyBody::Request { id: 0, flags: 0, client: "tool".to_owned(), user, xml: wrap_line(line) };
        self.tell_provider(provider, tool, request);
    }

    pub(super) fn tool_gone(&mut self, tool: ToolId) {
        if let Some(session) = self.tools.0.remove(&tool) {
            self.tell_provider(session.provider, tool, ProxyBody::Destroy);
        }
    }

    /// The client is gone, and with it what its tools wait for.
    pub(super) fn end_sessions_of(&mut self, client: RemoteClient) {
        let tools: Vec<ToolId> = self
            .tools
            .0
            .iter()
            .filter(|(_, session)| session.provider == client)
            .map(|(tool, _)| *tool)
            .collect();
        for tool in tools {
            self.tools.0.remove(&tool);
            self.effects.push(Effect::DropTool(tool));
        }
    }

    /// A client says something to a tool.
    pub(super) fn tell_session(&mut self, client: RemoteClient, message: ProxyMessage) {
        let tool = self
            .tools
            .0
            .iter()
            .find(|(tool, session)| session.provider == client && session_name(**tool) == message.session)
            .map(|(tool, _)| *tool);
        let Some(tool) = tool else {
            let gone = ProxyMessage { session: message.session, body: ProxyBody::Destroy };
            if message.body != ProxyBody::Destroy {
                self.effects.push(Effect::Send { client, message: FromRemote::Proxy(gone) });
            }
            return;
        };
        match message.body {
            ProxyBody::Event { xml } | ProxyBody::Response { xml, .. } => match line_of(&xml) {
                Some(line) => self.effects.push(Effect::ToTool { tool, line }),
                None => {
                    self.log(Level::Warning, "the cluster says something that is not for our tools: dropped")
                }
            },
            ProxyBody::Destroy => {
                self.tools.0.remove(&tool);
                self.effects.push(Effect::DropTool(tool));
            }
            _ => {}
        }
    }

    fn tell_provider(&mut self, client: RemoteClient, tool: ToolId, body: ProxyBody) {
        let message = FromRemote::Proxy(ProxyMessage { session: session_name(tool), body });
        self.effects.push(Effect::Send { client, message });
    }
}
