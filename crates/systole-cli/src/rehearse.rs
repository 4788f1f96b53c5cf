//! Trying commands on a copy of a CIB: what `systole plan` shows and `systole explain` advises is what the command does.

use crate::{Exit, Failed, Session, names, verbs};
use std::{cell::RefCell, ffi::OsString, rc::Rc};
use systole_cib::xml::Document;
use systole_types::Timestamp;
use systole_whatif::{Event, Moment, remedy::Remedy};

/// Verbs and tools that change the configuration or the state, and nothing else.
const CHANGING: [&str; 15] = [
    "resource",
    "rsc",
    "node",
    "option",
    "property",
    "constraint",
    "ticket",
    "cib",
    "cibadmin",
    "crm_resource",
    "crm_attribute",
    "crm_standby",
    "crm_failcount",
    "crm_master",
    "attrd_updater",
];

/// What may be tried, for people.
pub const LANGUAGE: &str = "a command that changes something (resource, node, option, constraint, ticket, cib, or a tool), or \
    `node lost|off|back NODE`, `quorum lost|back`, `time DATE`";

/// Carries out a command, or lets something happen, on a copy of `document`.
///
/// # Errors
/// What the command says if it fails, and if it is none that changes anything.
pub fn make(session: &Session<'_>, document: &Document, words: &[String]) -> anyhow::Result<Document> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let words = words.strip_prefix(&["systole"]).unwrap_or(&words);
    if let Some(event) = Event::from_words(words, session.local_time()) {
        return happen(document, &event, session.now);
    }
    let Some(verb) = words.first().filter(|verb| CHANGING.contains(verb)) else {
        return Err(Failed::usage(format!("{:?} cannot be planned: give {LANGUAGE}", words.join(" "))));
    };
    let args: Vec<OsString> = words.iter().map(OsString::from).collect();
    let copy = Rc::new(RefCell::new(document.clone()));
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut inner = Session {
        tool: "systole".to_owned(),
        command_line: String::new(),
        env: session.env.clone(),
        input: &mut std::io::empty(),
        out: &mut out,
        err: &mut err,
        on_terminal: false,
        now: session.now,
        utc_offset: session.utc_offset,
        rehearsal: Some(copy.clone()),
        answer_limit: None,
    };
    let exit = verbs::run(&mut inner, &args)?;
    if exit != Exit::Ok {
        let said = String::from_utf8_lossy(&err).trim().to_owned();
        return Err(Failed::new(exit, if said.is_empty() { format!("{verb} failed") } else { said }).into());
    }
    let changed = copy.borrow().clone();
    Ok(changed)
}

/// Makes a change that was suggested; `None` if that cannot be done.
pub fn make_remedy(session: &Session<'_>, document: &Document, remedy: &Remedy) -> Option<Document> {
    make(session, document, &remedy.words()).ok()
}

fn happen(document: &Document, event: &Event, now: Timestamp) -> anyhow::Result<Document> {
    if let Some(node) = event.node() {
        let (cib, _) = systole_cib::upgrade::read(document);
        let status = systole_scheduler::Status::unpack(&cib, now);
        names::node(&status, node.as_str())?;
    }
    let mut changed = document.clone();
    event.happen(&mut changed, now);
    Ok(changed)
}

/// How the CIB of this session is looked at: secrets are missing from what others have taken out of a cluster.
pub fn moment(session: &Session<'_>, is_live: bool) -> Moment {
    let origin = if is_live {
        systole_scheduler::plan::Origin::Cluster
    } else {
        systole_scheduler::plan::Origin::Shown
    };
    Moment { now: session.local_time(), origin }
}
