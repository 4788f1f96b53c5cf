//! Tools on the daemon's host: what they say goes to the cluster through the newest client.
//!
//! Tools of ours speak the API, which `systoled` takes as it is; for a stock cluster a [`Bridge`] puts it into other words.
//! Stock tools speak to the services of a stock cluster, in whose place the daemon listens, and are not understood here:
//! what they say is passed on, and so are the answers.

use super::{Effect, RemoteClient, RemoteServer, bridge::Bridge};
use crate::Level;
use std::collections::BTreeMap;
use systole_cib::xml::Document;
use systole_wire::{
    api::{Refusal, RefusalKind, Reply, Request, Response},
    remote::{
        Frame, FromRemote, MAX_MESSAGE_BYTES, ProxyBody, ProxyMessage,
        proxy::{API_SERVICE, PROXIED, line_of, wrap_line},
    },
};

/// How many tools may be connected at once.
pub const MAX_TOOLS: usize = 256;

/// How many of these only root's can be, which agents are: others must not keep them out.
const KEPT_FOR_ROOT: usize = 64;

/// What is this much shorter than the longest message fits into one, whatever has to be written in its place in XML.
const SURELY_FITS: usize = MAX_MESSAGE_BYTES / 8;

/// One tool's connection; a hand never uses a number twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ToolId(pub u64);

/// What a tool has connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolService {
    /// The API, as our tools do.
    Api,
    /// A service of a stock cluster: `cib_rw`, `attrd`...
    Stock(String),
}

/// What a stock tool asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockRequest {
    /// Comes back with the answer.
    pub id: i32,
    /// See [`systole_wire::remote::proxy::WANTS_RESPONSE`].
    pub flags: u32,
    /// An XML element, if the tool speaks as it should.
    pub xml: String,
}

#[derive(Debug, Default)]
pub(super) struct Tools(BTreeMap<ToolId, Session>);

#[derive(Debug)]
struct Session {
    /// Who takes what it says, to the end of the session.
    provider: RemoteClient,
    user: String,
    speaks: Speaks,
}

/// What a tool speaks, and what with.
#[derive(Debug)]
enum Speaks {
    Api,
    ApiToStock(Box<Bridge>),
    Stock(String),
}

impl RemoteServer {
    /// The cluster's name for what a tool says to one of its services. Cluster nodes tell sessions of all their remote nodes
    /// apart by this alone.
    fn session_name(&self, tool: ToolId, service: Option<&str>) -> String {
        let name = format!("{}-{}", self.identity, tool.0);
        service.map_or(name.clone(), |service| format!("{name}-{service}"))
    }

    /// The tool and the service that a name is about.
    fn session_named<'a>(&self, name: &'a str) -> Option<(ToolId, Option<&'a str>)> {
        let name = name.strip_prefix(&self.identity)?.strip_prefix('-')?;
        let (number, service) =
            name.split_once('-').map_or((name, None), |(number, service)| (number, Some(service)));
        Some((ToolId(number.parse().ok()?), service))
    }

    /// The client that hears what a tool says; of a tool that is not known yet, the one that would.
    pub fn listener_of(&self, tool: ToolId) -> Option<RemoteClient> {
        let session = self.tools.0.get(&tool).map(|session| session.provider);
        session.or_else(|| self.providers.last().map(|provider| provider.client))
    }

    pub(super) fn tool_connected(&mut self, tool: ToolId, user: String, service: ToolService) {
        let provider = self.providers.last().copied();
        let most = if user == "root" { MAX_TOOLS } else { MAX_TOOLS - KEPT_FOR_ROOT };
        let Some(provider) = provider.filter(|_| self.tools.0.len() < most) else {
            self.log(
                Level::Warning,
                "a tool is turned away: there is no cluster, or there are too many tools",
            );
            return self.effects.push(Effect::DropTool(tool));
        };
        let speaks = match service {
            ToolService::Stock(service) => Speaks::Stock(service),
            ToolService::Api if provider.speaks_api => Speaks::Api,
            ToolService::Api => Speaks::ApiToStock(Box::default()),
        };
        let opened = match &speaks {
            Speaks::Api => Some(API_SERVICE.to_owned()),
            Speaks::Stock(service) => Some(service.clone()),
            Speaks::ApiToStock(_) => None,
        };
        self.tools.0.insert(tool, Session { provider: provider.client, user, speaks });
        if let Some(service) = opened {
            self.tell_provider(provider.client, tool, None, ProxyBody::New { service });
        }
    }

    /// A tool of ours asks something.
    pub(super) fn tool_says(&mut self, tool: ToolId, line: &str) {
        let Some(session) = self.tools.0.get_mut(&tool) else { return };
        let (provider, user) = (session.provider, session.user.clone());
        match &mut session.speaks {
            Speaks::Api => {
                let client = "tool".to_owned();
                let request = ProxyBody::Request { id: 0, flags: 0, client, user, xml: wrap_line(line) };
                if self.fits(tool, line.len(), &request) {
                    return self.tell_provider(provider, tool, None, request);
                }
                let refusal = "the request is too long for the connection to the cluster";
                self.refuse(tool, line, RefusalKind::Usage, refusal);
            }
            Speaks::ApiToStock(bridge) => {
                let Ok(request) = systole_wire::decode::<Request>(line.as_bytes()) else {
                    self.log(Level::Warning, "a tool says what cannot be read: its connection is ended");
                    return self.drop_tool(tool);
                };
                let said = bridge.ask(request, &user);
                self.bridge_says(tool, provider, said);
            }
            Speaks::Stock(_) => {}
        }
    }

    /// A stock tool asks something.
    pub(super) fn tool_asks(&mut self, tool: ToolId, request: StockRequest) {
        let Some(session) = self.tools.0.get(&tool) else { return };
        let (provider, user) = (session.provider, session.user.clone());
        let Speaks::Stock(service) = &session.speaks else { return };
        let length = request.xml.len();
        let body = ProxyBody::Request {
            id: request.id,
            flags: request.flags | PROXIED,
            client: format!("proxy-{service}-{}", tool.0),
            user,
            xml: request.xml,
        };
        let is_xml = matches!(&body, ProxyBody::Request { xml, .. } if Document::parse(xml).is_ok());
        if is_xml && self.fits(tool, length, &body) {
            return self.tell_provider(provider, tool, None, body);
        }
        self.log(Level::Warning, "a tool asks what cannot be passed on: its connection is ended");
        self.drop_tool(tool);
    }

    pub(super) fn tool_gone(&mut self, tool: ToolId) {
        if let Some(session) = self.tools.0.remove(&tool) {
            self.close(tool, session);
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
        let named = self.session_named(&message.session);
        let found = named.and_then(|(tool, service)| Some((tool, service, self.tools.0.get_mut(&tool)?)));
        let Some((tool, service, session)) = found.filter(|(.., session)| session.provider == client) else {
            let gone = ProxyMessage { session: message.session, body: ProxyBody::Destroy };
            if message.body != ProxyBody::Destroy {
                self.effects.push(Effect::Send { client, message: FromRemote::Proxy(gone) });
            }
            return;
        };
        match (&mut session.speaks, message.body) {
            (Speaks::ApiToStock(bridge), body) => {
                let user = session.user.clone();
                let said = bridge.hear(service.unwrap_or_default(), body, &user);
                self.bridge_says(tool, client, said);
            }
            // Said back, as stock daemons do: not every end that is told here is the end over there.
            (_, ProxyBody::Destroy) => self.drop_tool(tool),
            (Speaks::Api, ProxyBody::Event { xml } | ProxyBody::Response { xml, .. }) => {
                match line_of(&xml) {
                    Some(line) => self.effects.push(Effect::ToTool { tool, line }),
                    None => {
                        self.log(
                            Level::Warning,
                            "the cluster says something that is not for our tools: dropped",
                        );
                    }
                }
            }
            (Speaks::Stock(_), ProxyBody::Event { xml }) => {
                self.effects.push(Effect::ToStockTool { tool, answers: None, xml });
            }
            (Speaks::Stock(_), ProxyBody::Response { id, xml }) => {
                self.effects.push(Effect::ToStockTool { tool, answers: Some(id), xml });
            }
            _ => {}
        }
    }

    fn bridge_says(&mut self, tool: ToolId, provider: RemoteClient, said: super::bridge::Said) {
        for (service, body) in said.to_cluster {
            self.tell_provider(provider, tool, Some(service), body);
        }
        for response in said.to_tool {
            self.answer(tool, &response);
        }
    }

    /// Whether a message with `body` goes through the connection to the cluster; `length` is that of its text.
    fn fits(&self, tool: ToolId, length: usize, body: &ProxyBody) -> bool {
        if length <= SURELY_FITS {
            return true;
        }
        let message = ProxyMessage { session: self.session_name(tool, None), body: body.clone() };
        Frame::fits(&FromRemote::Proxy(message).to_text())
    }

    /// Answers what a tool of ours says without the cluster.
    fn refuse(&mut self, tool: ToolId, line: &str, kind: RefusalKind, message: &str) {
        let id = systole_wire::decode::<Request>(line.as_bytes()).map_or(0, |request| request.id);
        let reply = Reply::Refused(Refusal { kind, message: message.to_owned() });
        self.answer(tool, &Response { id, reply });
    }

    fn answer(&mut self, tool: ToolId, response: &Response) {
        let line = systole_wire::encode(response);
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        self.effects.push(Effect::ToTool { tool, line });
    }

    fn drop_tool(&mut self, tool: ToolId) {
        self.tool_gone(tool);
        self.effects.push(Effect::DropTool(tool));
    }

    fn close(&mut self, tool: ToolId, session: Session) {
        match session.speaks {
            Speaks::Api | Speaks::Stock(_) => {
                self.tell_provider(session.provider, tool, None, ProxyBody::Destroy);
            }
            Speaks::ApiToStock(bridge) => {
                for service in bridge.services() {
                    self.tell_provider(session.provider, tool, Some(service), ProxyBody::Destroy);
                }
            }
        }
    }

    fn tell_provider(&mut self, client: RemoteClient, tool: ToolId, service: Option<&str>, body: ProxyBody) {
        let session = self.session_name(tool, service);
        let message = FromRemote::Proxy(ProxyMessage { session, body });
        self.effects.push(Effect::Send { client, message });
    }
}
