//! Changes asked for before anything is scheduled: nodes up and down, quorum, tickets, results of operations.

use crate::record::{Operation, Recorder};
use std::str::FromStr;
use systole_cib::xml::{Document, Element};
use systole_graph::ResourceRef;
use systole_scheduler::Status;
use systole_types::{OcfRc, OperationKey, Timestamp};

/// What to change, in the order in which it is done.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Injections {
    /// `--quorum`.
    pub quorum: Option<String>,
    /// `--watchdog`.
    pub watchdog: Option<String>,
    /// `--node-up`.
    pub node_up: Vec<String>,
    /// `--node-down`.
    pub node_down: Vec<String>,
    /// `--node-fail`.
    pub node_fail: Vec<String>,
    /// `--ticket-grant`.
    pub ticket_grant: Vec<String>,
    /// `--ticket-revoke`.
    pub ticket_revoke: Vec<String>,
    /// `--ticket-standby`.
    pub ticket_standby: Vec<String>,
    /// `--ticket-activate`.
    pub ticket_activate: Vec<String>,
    /// `--op-inject`: `RSC_TASK_INTERVAL@NODE=RC`.
    pub op_inject: Vec<String>,
}

impl Injections {
    /// Whether there is nothing to do. Quorum alone changes nothing, as in the reference release.
    pub fn is_empty(&self) -> bool {
        *self == Self { quorum: self.quorum.clone(), ..Self::default() }
    }
}

/// `RSC_TASK_INTERVAL@NODE=RC`: an action that is to fail when it is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpFail {
    /// `RSC_TASK_INTERVAL@NODE`.
    pub which: String,
    /// The result.
    pub rc: i32,
}

impl OpFail {
    pub(crate) fn is_about(&self, resource: &str, task: &str, interval_ms: u64, node: &str) -> bool {
        self.which.eq_ignore_ascii_case(&format!("{resource}_{task}_{interval_ms}@{node}"))
    }
}

impl FromStr for OpFail {
    type Err = InjectError;

    fn from_str(text: &str) -> Result<Self, InjectError> {
        let error = || InjectError::Operation(text.to_owned());
        let (which, rc) = text.split_once('=').ok_or_else(error)?;
        Ok(Self { which: which.to_owned(), rc: rc.parse().map_err(|_| error())? })
    }
}

/// What cannot be injected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InjectError {
    /// No operation with its result.
    #[error("{0:?} is not an operation with its result (RSC_TASK_INTERVAL@NODE=RC)")]
    Operation(String),
    /// No such resource.
    #[error("invalid resource name: {0}")]
    Resource(String),
}

/// One change that was made, for people.
#[derive(Clone, Debug, PartialEq)]
pub struct Injected(pub String);

/// Makes the changes. The answer says what was done; what could not be done is an error in its place.
pub fn inject(
    document: &mut Document,
    status: &Status<'_>,
    injections: &Injections,
    now: Timestamp,
) -> Vec<Result<Injected, InjectError>> {
    let mut done = Vec::new();
    let mut say = |text: String| done.push(Ok(Injected(text)));
    if let Some(quorum) = &injections.quorum {
        say(format!("Setting quorum: {quorum}"));
        let root = document.root_key();
        document.set_attr(root, "have-quorum", quorum);
    }
    if let Some(watchdog) = &injections.watchdog {
        say(format!("Setting watchdog: {watchdog}"));
        set_option(document, "have-watchdog", watchdog);
    }
    let mut recorder = Recorder::new(document, now);
    for node in &injections.node_up {
        say(format!("Bringing node {node} online"));
        recorder.set_node_up(node, true);
    }
    for node in &injections.node_down {
        say(format!("Taking node {node} offline"));
        let state = recorder.set_node_up(node, false);
        recorder.forget_node(state);
    }
    for node in &injections.node_fail {
        say(format!("Failing node {node}"));
        let state = recorder.set_node_up(node, true);
        recorder.document.set_attr(state, "in_ccm", "false");
    }
    for (tickets, word, attribute, value) in [
        (&injections.ticket_grant, "Granting", "granted", "true"),
        (&injections.ticket_revoke, "Revoking", "granted", "false"),
        (&injections.ticket_standby, "Making", "standby", "true"),
        (&injections.ticket_activate, "Activating", "standby", "false"),
    ] {
        for ticket in tickets {
            let standby = if word == "Making" { " standby" } else { "" };
            say(format!("{word} ticket {ticket}{standby}"));
            set_ticket(&mut recorder, ticket, attribute, value);
        }
    }
    for spec in &injections.op_inject {
        done.push(Ok(Injected(format!("Injecting {spec} into the configuration"))));
        match inject_operation(&mut recorder, status, spec) {
            Ok(more) => done.extend(more.into_iter().map(Ok)),
            Err(error) => done.push(Err(error)),
        }
    }
    done
}

fn set_option(document: &mut Document, name: &str, value: &str) {
    let root = document.root_key();
    let mut at = root;
    for element in ["configuration", "crm_config", "cluster_property_set"] {
        at = match document.element(at).child(element).map(Element::key) {
            Some(known) => known,
            None => document.append(at, element),
        };
    }
    if document.element(at).id().is_none() {
        document.set_attr(at, "id", "cib-bootstrap-options");
    }
    let set = document.element(at).id().unwrap_or_default().to_owned();
    let known =
        document.element(at).children().find(|pair| pair.attr("name") == Some(name)).map(Element::key);
    let pair = known.unwrap_or_else(|| document.append(at, "nvpair"));
    document.set_attr(pair, "id", &format!("{set}-{name}"));
    document.set_attr(pair, "name", name);
    document.set_attr(pair, "value", value);
}

fn set_ticket(recorder: &mut Recorder<'_>, ticket: &str, attribute: &str, value: &str) {
    let status = recorder.status();
    let document = &mut *recorder.document;
    let tickets = match document.element(status).child("tickets").map(Element::key) {
        Some(known) => known,
        None => document.append(status, "tickets"),
    };
    let known =
        document.element(tickets).children().find(|known| known.id() == Some(ticket)).map(Element::key);
    let state = known.unwrap_or_else(|| document.append(tickets, "ticket_state"));
    document.set_attr(state, "id", ticket);
    document.set_attr(state, attribute, value);
}

fn inject_operation(
    recorder: &mut Recorder<'_>,
    status: &Status<'_>,
    spec: &str,
) -> Result<Vec<Injected>, InjectError> {
    let error = || InjectError::Operation(spec.to_owned());
    let (key, rest) = spec.split_once('@').ok_or_else(error)?;
    let (node, rc) = rest.split_once('=').ok_or_else(error)?;
    let rc = OcfRc::from_code(rc.parse().map_err(|_| error())?);
    let key: OperationKey = key.parse().map_err(|_| error())?;
    let name = key.resource.as_str();
    let found = status.iter_resources().find(|(_, rsc)| rsc.id == *name || rsc.known_as() == name);
    let primitive = found.and_then(|(_, rsc)| rsc.primitive());
    let definition = &primitive.ok_or_else(|| InjectError::Resource(name.to_owned()))?.definition;
    let agent = ResourceRef {
        id: key.resource.clone(),
        long_id: None,
        class: definition.agent.class.clone(),
        provider: definition.agent.provider.clone(),
        kind: definition.agent.kind.clone(),
    };
    let operation = Operation {
        resource: name,
        task: &key.operation,
        interval_ms: u64::try_from(key.interval.as_millis()).unwrap_or(u64::MAX),
        rc,
        target_rc: OcfRc::Ok,
        action: -1,
        notification: None,
        migration: None,
        digest: None,
    };
    let state = recorder.node_state(node, None);
    let is_fatal_start = &*key.operation == "start" && status.options.start_failure_is_fatal;
    let attributes = recorder.add_failure(state, &operation, &*key.operation == "stop" || is_fatal_start);
    let history = recorder.history(state, name, name, &agent);
    recorder.record(state, history, &operation);
    let id = recorder.document.element(state).id().unwrap_or_default().to_owned();
    let injected = attributes
        .into_iter()
        .map(|(name, value)| Injected(format!("Injecting attribute {name}={value} into /node_state '{id}'")));
    Ok(injected.collect())
}
