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

fn action(operation: &str, options: u32) -> Option<CibAction> {
    Some(match operation {
        "cib_query" => CibAction::Query,
        "cib_create" => CibAction::Create,
        "cib_modify" => CibAction::Modify,
        "cib_replace" => CibAction::Replace,
        "cib_delete" if options & option::MULTIPLE != 0 => CibAction::DeleteAll,
        "cib_delete" | "cib_delete_alt" => CibAction::Delete,
        "cib_erase" => CibAction::Erase,
        "cib_apply_diff" => CibAction::Patch,
        "cib_bump" => CibAction::Bump,
        "cib_upgrade" => CibAction::Upgrade,
        _ => return None,
    })
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

fn message(request: Element<'_>, rc: i32, output: Option<&str>) -> String {
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
