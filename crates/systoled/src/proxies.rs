//! Tools on remote nodes: each is a client like those on this host, but for the way.

use crate::clients::request_event;
use std::collections::BTreeMap;
use systole_cluster::{ClientId, Event, SessionId};
use systole_types::Now;
use systole_wire::{
    api::{AttributeUpdate, Call, Refusal, RefusalKind, Reply, Request, Response},
    remote::{
        Frame, MAX_MESSAGE_BYTES, ProxyBody, ProxyMessage,
        proxy::{API_SERVICE, line_of, wrap_line},
        stock::{self, Pending, Service, Wish},
    },
};

/// Client numbers from here on are tools on remote nodes; the API socket's own count up from 1.
const FIRST_CLIENT: u64 = 1 << 63;

/// How many tools may be connected through one session.
const MAX_TOOLS: usize = 256;

/// How many answers a stock tool may wait for at once.
const MAX_PENDING: usize = 64;

/// Every tool on a remote node that is connected.
#[derive(Default)]
pub(crate) struct Proxies {
    clients: BTreeMap<ClientId, Proxy>,
    n_clients: u64,
}

struct Proxy {
    session: SessionId,
    /// The remote node.
    node: String,
    speaker: Speaker,
}

/// Who speaks; tools by the names of their own sessions with the remote daemon.
enum Speaker {
    /// A tool of ours.
    Tool(String),
    /// A tool of Pacemaker's, with what it waits for by the numbers of our requests.
    Stock { name: String, service: Service, pending: BTreeMap<u64, Pending>, n_requests: u64 },
    /// The daemon, which wants to shut down.
    Daemon,
}

impl Speaker {
    fn name(&self) -> Option<&str> {
        match self {
            Self::Tool(name) | Self::Stock { name, .. } => Some(name),
            Self::Daemon => None,
        }
    }
}

/// What comes of a message.
pub(crate) enum Outcome {
    /// For the node machine.
    Event(Event),
    /// Back to the remote side at once.
    Answer(Vec<ProxyMessage>),
    /// Both.
    Asked(Event, Vec<ProxyMessage>),
    Nothing,
}

impl Proxies {
    /// Whether a client is a tool on a remote node, or was one.
    pub(crate) fn is_proxied(&self, client: ClientId) -> bool {
        client.0 >= FIRST_CLIENT
    }

    /// Takes a message from the remote node `node`.
    pub(crate) fn take(
        &mut self,
        now: Now,
        session: SessionId,
        node: &str,
        message: ProxyMessage,
    ) -> Outcome {
        match message.body {
            ProxyBody::New { service } => match speaker(&message.session, &service) {
                Some(speaker) if self.n_of(session) < MAX_TOOLS => {
                    self.add(session, node, speaker);
                    Outcome::Nothing
                }
                _ => Outcome::Answer(vec![over(message.session)]),
            },
            ProxyBody::Request { id, flags, xml, user, .. } => {
                let client = self.find(session, &message.session);
                let proxy = client.and_then(|client| Some((client, self.clients.get_mut(&client)?)));
                let read = proxy.and_then(|(client, proxy)| proxy.read(client, (id, flags), &xml, user));
                read.unwrap_or_else(|| Outcome::Answer(vec![over(message.session)]))
            }
            ProxyBody::Destroy => match self.find(session, &message.session) {
                Some(client) => {
                    self.clients.remove(&client);
                    Outcome::Event(Event::ClientGone(client))
                }
                None => Outcome::Nothing,
            },
            ProxyBody::ShutdownRequest => {
                let client = self.add(session, node, Speaker::Daemon);
                // What a cluster node that is told to end does for itself.
                let call = Call::Attribute(AttributeUpdate {
                    node: node.to_owned(),
                    name: "shutdown".to_owned(),
                    value: Some(now.wall.0.to_string()),
                    ..AttributeUpdate::default()
                });
                let request = Request { id: 1, client: "remote daemon".to_owned(), user: None, call };
                Outcome::Event(request_event(client, request))
            }
            _ => Outcome::Nothing,
        }
    }

    /// What to tell the remote side, over which session, when `client` is answered.
    pub(crate) fn reply(
        &mut self,
        client: ClientId,
        response: &Response,
    ) -> Option<(SessionId, Vec<ProxyMessage>)> {
        let proxy = self.clients.get_mut(&client)?;
        let session = proxy.session;
        let messages = match &mut proxy.speaker {
            Speaker::Tool(name) => {
                let xml = wrap_line(&line(&proxy.node, response));
                vec![ProxyMessage { session: name.clone(), body: ProxyBody::Event { xml } }]
            }
            Speaker::Stock { name, pending, .. } => {
                let answers = pending.remove(&response.id).map(|pending| pending.answer(&response.reply));
                let message = |body| ProxyMessage { session: name.clone(), body: fitting(body) };
                answers.into_iter().flatten().map(message).collect()
            }
            Speaker::Daemon => {
                let is_done = matches!(response.reply, Reply::Done);
                self.clients.remove(&client);
                let body = if is_done { ProxyBody::ShutdownAck } else { ProxyBody::ShutdownNack };
                vec![ProxyMessage { session: String::new(), body }]
            }
        };
        Some((session, messages))
    }

    /// A session is over; its clients are gone.
    pub(crate) fn end_session(&mut self, session: SessionId) -> Vec<ClientId> {
        let gone = self.clients.iter().filter(|(_, proxy)| proxy.session == session);
        let gone: Vec<ClientId> = gone.map(|(client, _)| *client).collect();
        gone.iter().for_each(|client| {
            self.clients.remove(client);
        });
        gone
    }

    fn add(&mut self, session: SessionId, node: &str, speaker: Speaker) -> ClientId {
        self.n_clients += 1;
        let client = ClientId(FIRST_CLIENT + self.n_clients);
        self.clients.insert(client, Proxy { session, node: node.to_owned(), speaker });
        client
    }

    fn find(&self, session: SessionId, name: &str) -> Option<ClientId> {
        let is_it = |proxy: &Proxy| proxy.session == session && proxy.speaker.name() == Some(name);
        self.clients.iter().find(|(_, proxy)| is_it(proxy)).map(|(client, _)| *client)
    }

    fn n_of(&self, session: SessionId) -> usize {
        self.clients.values().filter(|proxy| proxy.session == session).count()
    }
}

/// Who speaks in a session `name` with `service`, if there is such a service.
fn speaker(name: &str, service: &str) -> Option<Speaker> {
    let name = name.to_owned();
    if service == API_SERVICE {
        return Some(Speaker::Tool(name));
    }
    let service = Service::from_name(service)?;
    Some(Speaker::Stock { name, service, pending: BTreeMap::new(), n_requests: 0 })
}

impl Proxy {
    /// What comes of a request. The remote daemon has seen to it that `user` is right; whoever has the key is trusted. The
    /// groups are those of a user with that name on this host.
    fn read(&mut self, client: ClientId, call: (i32, u32), xml: &str, user: String) -> Option<Outcome> {
        // A remote daemon does not know every user, and who is not known may not do everything.
        let user = if user.is_empty() { "nobody".to_owned() } else { user };
        let (name, service, pending, n_requests) = match &mut self.speaker {
            Speaker::Tool(_) => {
                let mut request: Request = systole_wire::decode(line_of(xml)?.as_bytes()).ok()?;
                if request.user.is_none() || user != "root" {
                    request.user = Some(user);
                }
                return Some(Outcome::Event(request_event(client, request)));
            }
            Speaker::Stock { name, service, pending, n_requests } => (name, *service, pending, n_requests),
            Speaker::Daemon => return None,
        };
        match stock::read(service, name, &self.node, call, xml).ok()? {
            Wish::Answer(bodies) => {
                let message = |body| ProxyMessage { session: name.clone(), body };
                Some(Outcome::Answer(bodies.into_iter().map(message).collect()))
            }
            Wish::Ask(..) if pending.len() >= MAX_PENDING => None,
            Wish::Ask(call, answer) => {
                *n_requests += 1;
                let message = |body| ProxyMessage { session: name.clone(), body };
                let heard = answer.at_once().into_iter().map(message).collect();
                pending.insert(*n_requests, *answer);
                let client_name = "stock tool".to_owned();
                let request = Request { id: *n_requests, client: client_name, user: Some(user), call: *call };
                Some(Outcome::Asked(request_event(client, request), heard))
            }
        }
    }
}

/// A response as a tool on the remote node `node` is to see it: that node is where it runs.
fn line(node: &str, response: &Response) -> String {
    let mut response = response.clone();
    if let Reply::Node(report) = &mut response.reply {
        (report.node, report.node_id) = (node.to_owned(), 0);
    }
    let text = |response: &Response| {
        let line = systole_wire::encode(response);
        String::from_utf8_lossy(&line).trim_end().to_owned()
    };
    let line = text(&response);
    if Frame::fits(&wrap_line(&line)) {
        return line;
    }
    let message = "the answer is too long for the connection to a remote node".to_owned();
    response.reply = Reply::Refused(Refusal { kind: RefusalKind::Usage, message });
    text(&response)
}

/// The answer to a stock tool, or what says in its place that it is too long for the connection to a remote node. A tool that
/// cannot be told so has nothing to wait for.
fn fitting(body: ProxyBody) -> ProxyBody {
    match body {
        ProxyBody::Response { id, xml } if !fits(&xml) => {
            stock::too_long(&xml).map_or(ProxyBody::Destroy, |xml| ProxyBody::Response { id, xml })
        }
        ProxyBody::Event { xml } if !fits(&xml) => {
            stock::too_long(&xml).map_or(ProxyBody::Destroy, |xml| ProxyBody::Event { xml })
        }
        body => body,
    }
}

/// Whether there is room for `xml` and what is put around it.
fn fits(xml: &str) -> bool {
    const AROUND: usize = 4096;
    xml.len() + AROUND <= MAX_MESSAGE_BYTES
}

/// There is nobody (any more) to talk to.
fn over(session: String) -> ProxyMessage {
    ProxyMessage { session, body: ProxyBody::Destroy }
}

#[cfg(test)]
mod tests {
    use super::*;
    use systole_wire::api::NodeReport;

    const SESSION: SessionId = SessionId(7);

    fn said(body: ProxyBody) -> ProxyMessage {
        ProxyMessage { session: "tool-1".to_owned(), body }
    }

    fn request(user: &str, line: &str) -> ProxyMessage {
        let xml = wrap_line(line);
        said(ProxyBody::Request { id: 0, flags: 0, client: "tool".to_owned(), user: user.to_owned(), xml })
    }

    fn with_a_tool() -> Proxies {
        let mut proxies = Proxies::default();
        let new = said(ProxyBody::New { service: API_SERVICE.to_owned() });
        assert!(matches!(proxies.take(Now::default(), SESSION, "far", new), Outcome::Nothing));
        proxies
    }

    #[test]
    fn a_tool_on_a_remote_node_is_told_that_it_runs_there() {
        let mut proxies = with_a_tool();
        let asked = request("root", r#"{"id":3,"client":"crm_node","user":"me","call":"node"}"#);
        let Outcome::Event(Event::Request { client, request, .. }) =
            proxies.take(Now::default(), SESSION, "far", asked)
        else {
            panic!("no request")
        };
        assert_eq!((request.id, request.user.as_deref()), (3, Some("me")));
        let report = NodeReport { node: "near".to_owned(), ..NodeReport::default() };
        let response = Response { id: 3, reply: Reply::Node(report) };
        let (session, answers) = proxies.reply(client, &response).expect("for a tool");
        let ProxyBody::Event { xml } = &answers[0].body else { panic!("{answers:?}") };
        assert_eq!((session, answers[0].session.as_str()), (SESSION, "tool-1"));
        assert!(line_of(xml).expect("a line").contains(r#""node":"far""#));
    }

    #[test]
    fn only_root_speaks_for_others() {
        let mut proxies = with_a_tool();
        let asked = request("guest", r#"{"id":3,"client":"x","user":"root","call":"node"}"#);
        let outcome = proxies.take(Now::default(), SESSION, "far", asked);
        assert!(
            matches!(outcome, Outcome::Event(Event::Request { request, .. }) if request.user.as_deref() == Some("guest"))
        );
    }

    #[test]
    fn a_user_whom_a_remote_daemon_does_not_know_is_not_taken_for_the_daemon_itself() {
        let mut proxies = with_a_tool();
        let asked = request("", r#"{"id":3,"client":"x","call":"node"}"#);
        let outcome = proxies.take(Now::default(), SESSION, "far", asked);
        assert!(
            matches!(outcome, Outcome::Event(Event::Request { request, .. }) if request.user.as_deref() == Some("nobody"))
        );
    }

    #[test]
    fn a_stock_tool_is_told_that_an_answer_is_too_long() {
        let value = "x".repeat(MAX_MESSAGE_BYTES);
        let answer =
            |name: &str| format!("<{name} cib_rc=\"0\" cib_callid=\"2\"><a b=\"{value}\"/></{name}>");
        let ProxyBody::Event { xml } = fitting(ProxyBody::Event { xml: answer("cib-reply") }) else {
            panic!()
        };
        assert!(
            xml.len() < 200 && xml.contains("cib_rc=\"-90\"") && xml.contains("cib_callid=\"2\""),
            "{xml}"
        );
        assert_eq!(fitting(ProxyBody::Response { id: 1, xml: answer("other") }), ProxyBody::Destroy);
        let short = ProxyBody::Event { xml: "<a/>".to_owned() };
        assert_eq!(fitting(short.clone()), short);
    }

    #[test]
    fn what_makes_no_sense_ends_the_tools_session() {
        let mut proxies = with_a_tool();
        for message in [
            request("root", "fly"),
            said(ProxyBody::New { service: "unheard_of".to_owned() }),
            ProxyMessage { session: "tool-2".to_owned(), ..request("root", "{}") },
        ] {
            let outcome = proxies.take(Now::default(), SESSION, "far", message);
            assert!(matches!(outcome, Outcome::Answer(answers) if answers[0].body == ProxyBody::Destroy));
        }
    }

    #[test]
    fn a_daemon_that_wants_to_end_is_heard() {
        let mut proxies = Proxies::default();
        let asked = said(ProxyBody::ShutdownRequest);
        let outcome = proxies.take(Now::default(), SESSION, "far", asked);
        let Outcome::Event(Event::Request { client, request, .. }) = outcome else { panic!("no request") };
        assert!(
            matches!(request.call, Call::Attribute(update) if update.node == "far" && update.name == "shutdown")
        );
        let (_, answers) = proxies.reply(client, &Response { id: 1, reply: Reply::Done }).expect("an answer");
        assert_eq!(answers[0].body, ProxyBody::ShutdownAck);
    }

    #[test]
    fn tools_go_with_their_session() {
        let mut proxies = with_a_tool();
        assert_eq!(proxies.end_session(SessionId(8)).len(), 0);
        let gone = proxies.end_session(SESSION);
        assert_eq!(gone.len(), 1);
        assert!(proxies.is_proxied(gone[0]));
        assert!(proxies.reply(gone[0], &Response { id: 1, reply: Reply::Done }).is_none());
    }
}
