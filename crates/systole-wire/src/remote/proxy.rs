//! What tools on the remote side say to the cluster, forwarded through the connection.
//!
//! Each connection of a tool to the remote daemon is a session. Its messages are XML that only the services at both ends
//! understand; here they are text.

use super::xml::{Attributes, Builder, MessageError};
use systole_cib::xml::{Document, Element, Style};

/// A message of a session, or about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyMessage {
    /// The tool's connection; meaningless in messages about the remote daemon itself.
    pub session: String,
    /// What is said.
    pub body: ProxyBody,
}

/// What is said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyBody {
    /// A tool has connected to a service.
    New {
        /// `cib_ro`, `cib_rw`, `attrd`, `crmd`, `stonith-ng`.
        service: String,
    },
    /// A tool asks something.
    Request {
        /// Comes back in the response.
        id: i32,
        /// Flags of libqb's connections; see [`WANTS_RESPONSE`].
        flags: u32,
        /// The tool's name.
        client: String,
        /// The tool's user.
        user: String,
        /// What it asks, an XML element.
        xml: String,
    },
    /// The answer to a request.
    Response {
        /// The request's number.
        id: i32,
        /// An XML element.
        xml: String,
    },
    /// Something for a tool that is no answer.
    Event {
        /// An XML element.
        xml: String,
    },
    /// A session is over: said by either side.
    Destroy,
    /// The remote daemon was told to end and asks for its resources to be moved away first.
    ShutdownRequest,
    /// They are being moved; the daemon waits for the end of the connection.
    ShutdownAck,
    /// They are not; the daemon may end at once.
    ShutdownNack,
}

/// The flag of requests whose sender waits for a [`ProxyBody::Response`].
pub const WANTS_RESPONSE: u32 = 1 << 9;

/// The flag of requests that come through a remote daemon: a service then answers in a way that does not hold up the
/// cluster node between.
pub const PROXIED: u32 = 1 << 8;

impl ProxyMessage {
    /// The message as an element that others put attributes of their own on.
    pub(super) fn element(&self) -> Builder {
        let named = |operation: &str| Builder::new("lrmd_ipc_proxy").set("lrmd_ipc_op", operation);
        let of = |operation: &str| named(operation).set("lrmd_ipc_session", &self.session);
        match &self.body {
            ProxyBody::New { service } => of("new").set("lrmd_ipc_server", service),
            ProxyBody::Request { id, flags, client, user, xml } => wrap(
                of("request")
                    .set("lrmd_ipc_client", client)
                    .set("lrmd_ipc_user", user)
                    .set("lrmd_ipc_msg_id", id)
                    .set("lrmd_ipc_msg_flags", flags.cast_signed()),
                xml,
            ),
            ProxyBody::Response { id, xml } => wrap(of("response").set("lrmd_ipc_msg_id", id), xml),
            ProxyBody::Event { xml } => wrap(of("event"), xml),
            ProxyBody::Destroy => of("destroy"),
            // The peer takes what has no session for something else.
            ProxyBody::ShutdownRequest => named("shutdown_req").set("lrmd_ipc_session", "0"),
            ProxyBody::ShutdownAck => named("shutdown_ack"),
            ProxyBody::ShutdownNack => named("shutdown_nack"),
        }
    }

    pub(super) fn read(root: Element<'_>) -> Result<Self, MessageError> {
        let operation = root.need("lrmd_ipc_op")?;
        let inner = || {
            let wrapper = root.child("lrmd_ipc_msg").and_then(|wrapper| wrapper.children().next());
            wrapper
                .map(|element| element.write(Style::Compact))
                .ok_or(MessageError::Attribute { element: root.name().to_owned(), attribute: "lrmd_ipc_msg" })
        };
        let text = |attribute: &str| root.attr(attribute).unwrap_or_default().to_owned();
        let body = match operation {
            "new" => ProxyBody::New { service: root.need("lrmd_ipc_server")?.to_owned() },
            "request" => ProxyBody::Request {
                id: root.number("lrmd_ipc_msg_id"),
                // Written as a signed number.
                flags: root.number::<i32>("lrmd_ipc_msg_flags").cast_unsigned(),
                client: text("lrmd_ipc_client"),
                user: text("lrmd_ipc_user"),
                xml: inner()?,
            },
            "response" => ProxyBody::Response { id: root.number("lrmd_ipc_msg_id"), xml: inner()? },
            "event" => ProxyBody::Event { xml: inner()? },
            "destroy" => ProxyBody::Destroy,
            "shutdown_req" => ProxyBody::ShutdownRequest,
            "shutdown_ack" => ProxyBody::ShutdownAck,
            "shutdown_nack" => ProxyBody::ShutdownNack,
            other => {
                return Err(MessageError::Unknown {
                    element: root.name().to_owned(),
                    operation: other.to_owned(),
                });
            }
        };
        Ok(Self { session: text("lrmd_ipc_session"), body })
    }
}

/// Puts the element `xml` inside. What is no XML is left out, and the peer complains.
fn wrap(builder: Builder, xml: &str) -> Builder {
    let builder = builder.inside("lrmd_ipc_msg");
    let builder = match Document::parse(xml) {
        Ok(document) => builder.import(document.root()),
        Err(_) => builder,
    };
    builder.outside()
}

/// The service our own tools talk to: the API of `systoled`, a line a message in either direction.
pub const API_SERVICE: &str = "systole";

/// A line of [`crate::api`] as an element.
pub fn wrap_line(line: &str) -> String {
    Builder::new("systole").set("line", line).text()
}

/// The line in an element that [`wrap_line`] made.
pub fn line_of(xml: &str) -> Option<String> {
    let document = Document::parse(xml).ok()?;
    let root = document.root();
    root.is("systole").then(|| root.attr("line").map(str::to_owned)).flatten()
}
