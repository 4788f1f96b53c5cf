//! The CIB's service.

use super::{Heard, Kind, Pending, error_number};
use crate::{
    api::{Call, Reply},
    remote::{
        proxy::{ProxyBody, WANTS_RESPONSE},
        xml::{Attributes, Builder, MessageError},
    },
};
use systole_cib::{
    ops::{CibAction, CibCall, CibOptions, Scope},
    xml::{Document, Element, Style},
};

/// Call options, as `cib_callopt` has them. Source: crm/cib/cib_types.h of Pacemaker 3.0.
mod option {
    pub const XPATH: u32 = 1 << 1;
    pub const MULTIPLE: u32 = 1 << 2;
    pub const CAN_CREATE: u32 = 1 << 3;
    pub const DISCARD_REPLY: u32 = 1 << 4;
    pub const NO_CHILDREN: u32 = 1 << 5;
    pub const XPATH_ADDRESS: u32 = 1 << 6;
    pub const DRY_RUN: u32 = 1 << 9;
    pub const TRANSACTION: u32 = 1 << 10;
    pub const SCORE_UPDATE: u32 = 1 << 11;
    pub const SYNC: u32 = 1 << 12;
    pub const WITHOUT_QUORUM: u32 = 1 << 20;
}

/// "Not supported", as an error number.
const NOT_SUPPORTED: i32 = -95;

pub(super) fn read(request: Element<'_>, session: &str, _node: &str) -> Result<Heard, MessageError> {
    let operation = request.need("cib_op")?;
    match operation {
        "register" => {
            let answer = Builder::new("cib_result").set("t", "cib").set("cib_op", operation);
            return Ok(Heard::Answer(answer.set("cib_clientid", session).text()));
        }
        // Who wants to hear of changes hears of none, and looks again by itself.
        "cib_notify" => return Ok(Heard::Nothing { status: 0 }),
        _ => {}
    }
    let options: u32 = request.number("cib_callopt");
    let beyond_us = option::XPATH_ADDRESS | option::DRY_RUN | option::TRANSACTION;
    match action(operation, options).filter(|_| options & beyond_us == 0) {
        Some(action) => Ok(Heard::Ask(call(request, action, options), Kind::Cib)),
        None => {
            let rc = if matches!(operation, "noop" | "cib_ismaster") { 0 } else { NOT_SUPPORTED };
            Ok(Heard::Answer(message(request, rc, None)))
        }
    }
}

/// What can be done, by the service's names for it. Deleting all that is meant has an option of its own.
const ACTIONS: [(&str, CibAction); 11] = [
    ("cib_query", CibAction::Query),
    ("cib_create", CibAction::Create),
    ("cib_modify", CibAction::Modify),
    ("cib_replace", CibAction::Replace),
    ("cib_delete", CibAction::Delete),
    ("cib_delete", CibAction::DeleteAll),
    ("cib_delete_alt", CibAction::Delete),
    ("cib_erase", CibAction::Erase),
    ("cib_apply_diff", CibAction::Patch),
    ("cib_bump", CibAction::Bump),
    ("cib_upgrade", CibAction::Upgrade),
];

fn action(operation: &str, options: u32) -> Option<CibAction> {
    let action = ACTIONS.iter().find(|(name, _)| *name == operation)?.1;
    let is_for_all =
        action == CibAction::Delete && operation == "cib_delete" && options & option::MULTIPLE != 0;
    Some(if is_for_all { CibAction::DeleteAll } else { action })
}

fn call(request: Element<'_>, action: CibAction, options: u32) -> Call {
    let section = request.attr("cib_section").filter(|section| !section.is_empty());
    let scope = match section {
        None | Some("all" | "cib") => Scope::All,
        Some(xpath) if options & option::XPATH != 0 => Scope::XPath(xpath.to_owned()),
        Some(section) => Scope::Section(section.to_owned()),
    };
    let data = request.child("cib_calldata").and_then(|data| data.children().next());
    let change = CibCall {
        action,
        scope,
        xml: data.map(|data| data.write(Style::Compact)),
        options: CibOptions {
            allow_create: options & option::CAN_CREATE != 0,
            no_children: options & option::NO_CHILDREN != 0,
            expand_scores: options & option::SCORE_UPDATE != 0,
        },
    };
    Call::Apply { change, force: false }
}

/// A call is answered in its response if it was made to wait for it, else by an event.
pub(super) fn answer(pending: &Pending, request: Element<'_>, reply: &Reply) -> Vec<ProxyBody> {
    let options: u32 = request.number("cib_callopt");
    let output = match reply {
        Reply::Applied { output, .. } => output.as_deref(),
        _ => None,
    };
    let xml = message(request, error_number(reply), output);
    let wants_response = pending.flags & WANTS_RESPONSE != 0;
    let mut bodies = Vec::new();
    if wants_response && options & option::SYNC != 0 {
        bodies.push(ProxyBody::Response { id: pending.id, xml });
        return bodies;
    }
    if wants_response {
        bodies.push(ProxyBody::Response { id: pending.id, xml: super::ack(0) });
    }
    if options & option::DISCARD_REPLY == 0 {
        bodies.push(ProxyBody::Event { xml });
    }
    bodies
}

pub(super) fn message(request: Element<'_>, rc: i32, output: Option<&str>) -> String {
    let mut builder = Builder::new("cib-reply").set("t", "cib");
    for attribute in ["cib_op", "cib_callid", "cib_clientid", "cib_callopt"] {
        builder = builder.set_some(attribute, request.attr(attribute));
    }
    builder = builder.set("cib_rc", rc);
    if let Some(document) = output.and_then(|output| Document::parse(output).ok()) {
        builder = builder.inside("cib_calldata").import(document.root());
    }
    builder.text()
}

/// Asks for the whole CIB.
pub(super) fn query(id: i32) -> String {
    command("cib_query", id, option::SYNC).text()
}

/// Asks for a change, or for a part of the CIB; `None` if it comes with something that is no XML. Answered by a response.
pub(super) fn request(change: &CibCall, id: i32, force: bool) -> Option<String> {
    let (operation, _) = ACTIONS.iter().find(|(_, action)| *action == change.action)?;
    let flags = [
        (matches!(change.scope, Scope::XPath(_)), option::XPATH),
        (change.action == CibAction::DeleteAll, option::MULTIPLE),
        (change.options.allow_create, option::CAN_CREATE),
        (change.options.no_children, option::NO_CHILDREN),
        (change.options.expand_scores, option::SCORE_UPDATE),
        (force, option::WITHOUT_QUORUM),
    ];
    let options = flags.iter().filter(|(is_set, _)| *is_set).fold(option::SYNC, |sum, (_, flag)| sum | flag);
    let section = match &change.scope {
        Scope::All => None,
        Scope::Section(name) => Some(name),
        Scope::XPath(path) => Some(path),
    };
    let command = command(operation, id, options).set_some("cib_section", section);
    let Some(xml) = &change.xml else { return Some(command.text()) };
    let document = Document::parse(xml).ok()?;
    Some(command.inside("cib_calldata").import(document.root()).text())
}

fn command(operation: &str, id: i32, options: u32) -> Builder {
    Builder::new("cib_command")
        .set("t", "cib")
        .set("cib_op", operation)
        .set("cib_callid", id)
        .set("cib_callopt", options)
        .set("cib_clientname", "systole")
}

/// What an answer says: `done` makes the reply of the element in it, unless the service refuses.
pub(super) fn read_answer(answer: Element<'_>, done: impl FnOnce(Option<String>) -> Reply) -> Reply {
    if answer.is("nack") {
        return Reply::Refused(super::status_of(102));
    }
    if let Some(refusal) = super::refusal_of(answer.number("cib_rc")) {
        return Reply::Refused(refusal);
    }
    let data = answer.child("cib_calldata").and_then(|data| data.children().next());
    done(data.map(|data| data.write(Style::Compact)))
}
