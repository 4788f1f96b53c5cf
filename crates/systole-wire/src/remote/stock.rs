//! Stock tools on a remote node: what they say to the services of a cluster, put into the words of [`crate::api`], and
//! the answers put back.
//!
//! A stock remote daemon forwards what it hears on the sockets of Pacemaker's daemons. Requests become one call each;
//! what a service has that we have not is refused with an error number, so that no tool waits in vain. Facts are from
//! watching the tools of Pacemaker 2.1.5.

pub mod ask;
mod attributes;
mod cib;
mod controller;
mod fencing;

use super::{
    proxy::{ProxyBody, WANTS_RESPONSE},
    xml::{Builder, MessageError},
};
use crate::api::{Call, Refusal, RefusalKind, Reply};
use systole_cib::{
    ops::Failure,
    xml::{Document, Element},
};

/// The version of Pacemaker's features the messages of its controller follow here.
const FEATURE_SET: &str = "3.16.1";

/// A service of a stock cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// The CIB, read only or to be written.
    Cib,
    /// Transient attributes.
    Attributes,
    /// Nodes.
    Controller,
    /// Fencing, as far as status displays need it.
    Fencing,
}

impl Service {
    /// The service with this name, if there is one. A tool that is turned away before it has spoken may wait for ever
    /// (`crm_mon` 3.0.2 was seen to), so what we have little to say about is a service too.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "cib_ro" | "cib_rw" | "cib_shm" => Some(Self::Cib),
            "attrd" => Some(Self::Attributes),
            "crmd" => Some(Self::Controller),
            "stonith-ng" => Some(Self::Fencing),
            _ => None,
        }
    }
}

/// What becomes of a request.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish {
    /// To be answered at once.
    Answer(Vec<ProxyBody>),
    /// To be asked of the cluster.
    Ask(Box<Call>, Box<Pending>),
}

/// A request whose answer has to wait for the cluster's.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    /// The request's number.
    id: i32,
    flags: u32,
    /// The remote node it comes from.
    node: String,
    /// The request, for what has to be repeated in the answer.
    request: String,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Cib,
    AttributeUpdate,
    AttributeQuery,
    NodeInfo,
    NodeList,
    Ping,
    /// The history of a resource is deleted, or it is said to have failed.
    Resource,
    /// The histories of all resources are deleted.
    Reprobe,
}

impl Kind {
    /// Whether the answer proper is an event, which the response does not wait for.
    fn is_answered_by_event(self) -> bool {
        match self {
            Self::NodeInfo | Self::NodeList | Self::Ping | Self::Resource | Self::Reprobe => true,
            Self::Cib | Self::AttributeUpdate | Self::AttributeQuery => false,
        }
    }
}

/// Reads a request of `session`, from the remote node `node`.
///
/// # Errors
/// If it is none.
pub fn read(
    service: Service,
    session: &str,
    node: &str,
    (id, flags): (i32, u32),
    xml: &str,
) -> Result<Wish, MessageError> {
    let document = Document::parse(xml)?;
    let root = document.root();
    let heard = match service {
        Service::Cib => cib::read(root, session, node)?,
        Service::Attributes => attributes::read(root, node)?,
        Service::Controller => controller::read(root)?,
        Service::Fencing => fencing::read(root, session)?,
    };
    Ok(match heard {
        Heard::Ask(call, kind) => {
            let pending = Pending { id, flags, node: node.to_owned(), request: xml.to_owned(), kind };
            Wish::Ask(Box::new(call), Box::new(pending))
        }
        Heard::Answer(xml) if flags & WANTS_RESPONSE != 0 => {
            Wish::Answer(vec![ProxyBody::Response { id, xml }])
        }
        Heard::Answer(xml) => Wish::Answer(vec![ProxyBody::Event { xml }]),
        Heard::Nothing { status } if flags & WANTS_RESPONSE != 0 => {
            Wish::Answer(vec![ProxyBody::Response { id, xml: ack(status) }])
        }
        Heard::Nothing { .. } => Wish::Answer(Vec::new()),
        Heard::Unknown => {
            // Who waits for more than the acknowledgement would wait in vain.
            let heard =
                (flags & WANTS_RESPONSE != 0).then(|| ProxyBody::Response { id, xml: ack(EX_UNIMPLEMENT) });
            Wish::Answer(heard.into_iter().chain([ProxyBody::Destroy]).collect())
        }
    })
}

/// What a service makes of a request.
enum Heard {
    Ask(Call, Kind),
    /// The response.
    Answer(String),
    /// Nothing but an acknowledgement with this exit code, if one is wanted.
    Nothing {
        status: i32,
    },
    /// There is no such thing here, and the tool counts on an event.
    Unknown,
}

/// The exit code "not supported" of acknowledgements. Source: Pacemaker's `crm_error -X`.
const EX_UNIMPLEMENT: i32 = 3;

impl Pending {
    /// What the tool is told before the cluster has answered: that it was heard. It may not wait long for that.
    pub fn at_once(&self) -> Vec<ProxyBody> {
        if self.kind.is_answered_by_event() { self.respond(ack(0)) } else { Vec::new() }
    }

    /// What the tool is told when the cluster has answered.
    pub fn answer(&self, reply: &Reply) -> Vec<ProxyBody> {
        let Ok(document) = Document::parse(&self.request) else { return Vec::new() };
        let request = document.root();
        let event = |answer: Option<String>| match answer {
            Some(xml) => vec![ProxyBody::Event { xml }],
            None => vec![ProxyBody::Destroy],
        };
        match self.kind {
            Kind::Cib => cib::answer(self, request, reply),
            Kind::AttributeUpdate => self.respond(ack(status(reply))),
            Kind::AttributeQuery => self.respond(attributes::answer(request, &self.node, reply)),
            Kind::NodeInfo => event(Some(controller::node_info(request, &self.node, reply))),
            Kind::NodeList => event(Some(controller::node_list(request, reply))),
            Kind::Ping => event(controller::ping(request, reply)),
            Kind::Resource | Kind::Reprobe => event(controller::forgotten(request, reply)),
        }
    }

    fn respond(&self, xml: String) -> Vec<ProxyBody> {
        let wants_it = self.flags & WANTS_RESPONSE != 0;
        wants_it.then_some(ProxyBody::Response { id: self.id, xml }).into_iter().collect()
    }
}

fn ack(status: i32) -> String {
    Builder::new("ack").set("status", status).text()
}

/// The exit code for an answer.
fn status(reply: &Reply) -> i32 {
    match reply {
        Reply::Refused(refusal) => match refusal.kind {
            RefusalKind::Change(failure) => failure.exit_code(),
            RefusalKind::NoQuorum => 118,
            RefusalKind::TimedOut => 124,
            RefusalKind::NotFound => 105,
            _ => 1,
        },
        _ => 0,
    }
}

/// Error numbers of Pacemaker's older interfaces: errno, and from 201 on its own. Of several for one kind the first is told.
const ERRORS: [(i32, RefusalKind); 16] = [
    (6, RefusalKind::Change(Failure::NotFound)),
    (6, RefusalKind::NotFound),
    (13, RefusalKind::Change(Failure::Denied)),
    (17, RefusalKind::Change(Failure::Exists)),
    (22, RefusalKind::Change(Failure::BadInput)),
    (22, RefusalKind::Usage),
    (203, RefusalKind::Change(Failure::Invalid)),
    (205, RefusalKind::Change(Failure::OldVersion)),
    (206, RefusalKind::Change(Failure::PatchMismatch)),
    (202, RefusalKind::NoQuorum),
    (107, RefusalKind::NotReady),
    (62, RefusalKind::TimedOut),
    (110, RefusalKind::TimedOut),
    (11, RefusalKind::Busy),
    (16, RefusalKind::Busy),
    (5, RefusalKind::Disk),
];

/// The error number for an answer.
fn error_number(reply: &Reply) -> i32 {
    let Reply::Refused(refusal) = reply else { return 0 };
    ERRORS.iter().find(|(_, kind)| *kind == refusal.kind).map_or(-22, |(number, _)| -number)
}

/// The error number "message too long".
const TOO_LONG: i32 = -90;

/// What is said in the place of an answer that is too long to be passed on, if there is a way to say it: then no tool has
/// to wait until its own patience ends.
pub fn too_long(xml: &str) -> Option<String> {
    let document = Document::parse(xml).ok()?;
    let answer = document.root();
    answer.is("cib-reply").then(|| cib::message(answer, TOO_LONG, None))
}

/// What an error number of a service means, if it is none of those that count as success.
fn refusal_of(number: i32) -> Option<Refusal> {
    if number >= 0 {
        return None;
    }
    let kind =
        ERRORS.iter().find(|(errno, _)| *errno == -number).map_or(RefusalKind::Usage, |(_, kind)| *kind);
    let message = match kind {
        RefusalKind::Change(Failure::NotFound) => "No such device or address".to_owned(),
        RefusalKind::Change(Failure::Exists) => "File exists".to_owned(),
        RefusalKind::Change(Failure::Denied) => "Permission denied".to_owned(),
        RefusalKind::NoQuorum => "Operation requires quorum".to_owned(),
        _ => format!("the cluster refuses (error {})", -number),
    };
    Some(Refusal { kind, message })
}

/// What an exit code in an acknowledgement means.
fn status_of(status: i32) -> Refusal {
    let kind = match status {
        105 => RefusalKind::NotFound,
        118 => RefusalKind::NoQuorum,
        124 => RefusalKind::TimedOut,
        _ => RefusalKind::Usage,
    };
    Refusal { kind, message: format!("the cluster refuses (exit code {status})") }
}

fn attr(element: Element<'_>, name: &str) -> Option<String> {
    element.attr(name).filter(|value| !value.is_empty()).map(str::to_owned)
}
