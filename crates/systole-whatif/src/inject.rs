//! Changes asked for before anything is scheduled: nodes up and down, quorum, tickets, results of operations.

use crate::record::{Membership, Operation, Recorder};
use std::str::FromStr;
use systole_cib::xml::{Document, Element, Key};
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
    type Err = InvalidOpFail;

    fn from_str(text: &str) -> Result<Self, InvalidOpFail> {
        let error = || InvalidOpFail(text.to_owned());
        let (which, rc) = text.split_once('=').ok_or_else(error)?;
        Ok(Self { which: which.to_owned(), rc: leading_number(rc).ok_or_else(error)? })
    }
}

/// Text that names no operation with its result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Invalid failed operation '{0}' (it should be RSC_TASK_INTERVAL@NODE=RC)")]
pub struct InvalidOpFail(pub String);

/// What cannot be injected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InjectError {
    /// No operation with its result.
    #[error("Invalid operation spec: {spec}.  Only found {n_fields} fields")]
    Operation {
        /// What was given.
        spec: String,
        /// How many of the three parts (operation, node, result) it has.
        n_fields: u8,
    },
    /// No such resource.
    #[error("Invalid resource name: {0}")]
    Resource(String),
    /// No such node, and none is made since none is brought up.
    #[error("node '{0}' not found: --node-up would add it to the configuration")]
    Node(String),
}

impl InjectError {
    /// Whether nothing can be said about what would happen.
    pub const fn is_fatal(&self) -> bool {
        matches!(self, Self::Node(_))
    }
}

/// One change that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Injected {
    /// There is quorum, or not.
    Quorum(String),
    /// There is a watchdog, or not.
    Watchdog(String),
    /// A node came, went or failed.
    Node(NodeEvent, String),
    /// Something was done to a ticket.
    Ticket(TicketEvent, String),
    /// An operation came to a result, as specified.
    Operation(String),
    /// A transient attribute that comes of it.
    Attribute {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
        /// The `<node_state>` it is in.
        state: String,
    },
}

/// What happens to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeEvent {
    /// `--node-up`.
    Online,
    /// `--node-down`.
    Offline,
    /// `--node-fail`.
    Failing,
}

/// What happens to a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TicketEvent {
    /// `--ticket-grant`.
    Granting,
    /// `--ticket-revoke`.
    Revoking,
    /// `--ticket-standby`.
    Standby,
    /// `--ticket-activate`.
    Activating,
}

/// Makes the changes. The answer says what was done; what could not be done is an error in its place. Nothing more is done
/// after a [fatal](InjectError::is_fatal) one.
pub fn inject(
    document: &mut Document,
    status: &Status<'_>,
    injections: &Injections,
    now: Timestamp,
) -> Vec<Result<Injected, InjectError>> {
    let mut done = Vec::new();
    let recorder = Recorder::new(document, now);
    let mut injector = Injector { recorder, status, adds_nodes: !injections.node_up.is_empty() };
    if let Err(error) = injector.inject(injections, &mut done) {
        done.push(Err(error));
    }
    done
}

struct Injector<'d, 's> {
    recorder: Recorder<'d>,
    status: &'s Status<'s>,
    /// Nodes that nobody knows are added to the configuration.
    adds_nodes: bool,
}

type Done = Vec<Result<Injected, InjectError>>;

impl Injector<'_, '_> {
    fn inject(&mut self, injections: &Injections, done: &mut Done) -> Result<(), InjectError> {
        self.options(injections, done);
        for (nodes, event) in [
            (&injections.node_up, NodeEvent::Online),
            (&injections.node_down, NodeEvent::Offline),
            (&injections.node_fail, NodeEvent::Failing),
        ] {
            for node in nodes {
                done.push(Ok(Injected::Node(event, node.clone())));
                self.node(node, event)?;
            }
        }
        for (tickets, event) in [
            (&injections.ticket_grant, TicketEvent::Granting),
            (&injections.ticket_revoke, TicketEvent::Revoking),
            (&injections.ticket_standby, TicketEvent::Standby),
            (&injections.ticket_activate, TicketEvent::Activating),
        ] {
            for ticket in tickets {
                done.push(Ok(Injected::Ticket(event, ticket.clone())));
                self.ticket(ticket, event);
            }
        }
        for spec in &injections.op_inject {
            done.push(Ok(Injected::Operation(spec.clone())));
            match self.operation(spec) {
                Ok(attributes) => done.extend(attributes.into_iter().map(Ok)),
                Err(error) if error.is_fatal() => return Err(error),
                Err(error) => done.push(Err(error)),
            }
        }
        Ok(())
    }

    fn options(&mut self, injections: &Injections, done: &mut Done) {
        if let Some(quorum) = &injections.quorum {
            done.push(Ok(Injected::Quorum(quorum.clone())));
            let root = self.recorder.document.root_key();
            if self.recorder.document.set_attr(root, "have-quorum", quorum) {
                self.recorder.count_status_change();
            }
        }
        if let Some(watchdog) = &injections.watchdog {
            done.push(Ok(Injected::Watchdog(watchdog.clone())));
            set_option(self.recorder.document, "have-watchdog", watchdog);
            self.recorder.count_configuration_change();
        }
    }

    /// The `<node_state>` of a node that the cluster knows, or is to know from now on.
    fn node_state(&mut self, node: &str) -> Result<Key, InjectError> {
        let is_known = self.status.nodes.iter().any(|known| known.name.as_str() == node)
            || self.recorder.has_node_state(node)
            || self.recorder.configured_uuid(node).is_some();
        if !is_known {
            if !self.adds_nodes {
                return Err(InjectError::Node(node.to_owned()));
            }
            self.recorder.configure_node(node);
        }
        Ok(self.recorder.node_state(node, None))
    }

    fn node(&mut self, node: &str, event: NodeEvent) -> Result<(), InjectError> {
        let state = self.node_state(node)?;
        match event {
            NodeEvent::Online => self.recorder.set_node_state(state, Membership::Up),
            NodeEvent::Offline => {
                self.recorder.set_node_state(state, Membership::Down);
                self.recorder.forget_node(state);
            }
            NodeEvent::Failing => self.recorder.set_node_state(state, Membership::Lost),
        }
        Ok(())
    }

    fn ticket(&mut self, ticket: &str, event: TicketEvent) {
        let (attribute, value) = match event {
            TicketEvent::Granting => ("granted", "true"),
            TicketEvent::Revoking => ("granted", "false"),
            TicketEvent::Standby => ("standby", "true"),
            TicketEvent::Activating => ("standby", "false"),
        };
        let status = self.recorder.status();
        let document = &mut *self.recorder.document;
        let tickets = match document.element(status).child("tickets").map(Element::key) {
            Some(known) => known,
            None => document.append(status, "tickets"),
        };
        let known =
            document.element(tickets).children().find(|known| known.id() == Some(ticket)).map(Element::key);
        let state = known.unwrap_or_else(|| document.append(tickets, "ticket_state"));
        document.set_attr(state, "id", ticket);
        if document.set_attr(state, attribute, value) {
            self.recorder.count_status_change();
        }
    }

    /// Records the result of an operation; the attributes that count it as a failure.
    fn operation(&mut self, spec: &str) -> Result<Vec<Injected>, InjectError> {
        let (key, node, rc) = parse_spec(spec)?;
        let parsed: Option<OperationKey> = key.parse().ok();
        let name = parsed.as_ref().map_or(key, |key| key.resource.as_str());
        let found = self.status.iter_resources().find(|(_, rsc)| rsc.id == *name || rsc.known_as() == name);
        let primitive = found.and_then(|(_, rsc)| rsc.primitive());
        let (Some(key), Some(primitive)) = (&parsed, primitive) else {
            return Err(InjectError::Resource(name.to_owned()));
        };
        let agent = ResourceRef {
            id: key.resource.clone(),
            long_id: None,
            class: primitive.definition.agent.class.clone(),
            provider: primitive.definition.agent.provider.clone(),
            kind: primitive.definition.agent.kind.clone(),
        };
        let operation = Operation {
            resource: name,
            task: &key.operation,
            interval_ms: u64::try_from(key.interval.as_millis()).unwrap_or(u64::MAX),
            rc,
            target_rc: OcfRc::Ok,
            exit_reason: "Simulated action result",
            notification: None,
            migration: None,
            digest: None,
        };
        let state = self.node_state(node)?;
        let is_fatal_start = &*key.operation == "start" && self.status.options.start_failure_is_fatal;
        let is_final = &*key.operation == "stop" || is_fatal_start;
        let attributes = self.recorder.add_failure(state, &operation, is_final);
        let history = self.recorder.history(state, name, name, &agent);
        self.recorder.record(state, history, &operation);
        let id = self.recorder.document.element(state).id().unwrap_or_default().to_owned();
        let injected = attributes.into_iter().map(|(name, value)| Injected::Attribute {
            name,
            value,
            state: id.clone(),
        });
        Ok(injected.collect())
    }
}

/// Takes `RSC_TASK_INTERVAL@NODE=RC` apart. Whatever follows the number is passed over, as in the reference release.
fn parse_spec(spec: &str) -> Result<(&str, &str, OcfRc), InjectError> {
    let error = |n_fields| InjectError::Operation { spec: spec.to_owned(), n_fields };
    let (key, rest) = spec.split_once('@').ok_or_else(|| error(u8::from(!spec.is_empty())))?;
    if key.is_empty() {
        return Err(error(0));
    }
    let (node, rc) = rest.split_once('=').ok_or_else(|| error(1 + u8::from(!rest.is_empty())))?;
    if node.is_empty() {
        return Err(error(1));
    }
    let rc = leading_number(rc).ok_or_else(|| error(2))?;
    Ok((key, node, OcfRc::from_code(rc)))
}

/// The number that a text begins with.
fn leading_number(text: &str) -> Option<i32> {
    let text = text.trim_start();
    let sign = usize::from(text.starts_with(['-', '+']));
    let digits = text[sign..].find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len() - sign);
    text[..sign + digits].parse().ok()
}

/// Sets a cluster option: where it is set already, else in the set that tools use by default.
fn set_option(document: &mut Document, name: &str, value: &str) {
    const DEFAULT_SET: &str = "cib-bootstrap-options";
    let mut at = document.root_key();
    for element in ["configuration", "crm_config"] {
        at = match document.element(at).child(element).map(Element::key) {
            Some(known) => known,
            None => document.append(at, element),
        };
    }
    let sets = || document.element(at).children_named("cluster_property_set");
    let known = sets().flat_map(Element::children).find(|pair| pair.attr("name") == Some(name));
    if let Some(known) = known.map(Element::key) {
        document.set_attr(known, "value", value);
        return;
    }
    let set = sets().find(|set| set.id() == Some(DEFAULT_SET)).map(Element::key);
    let set = set.unwrap_or_else(|| {
        let set = document.append(at, "cluster_property_set");
        document.set_attr(set, "id", DEFAULT_SET);
        set
    });
    let pair = document.append(set, "nvpair");
    document.set_attr(pair, "id", &format!("{DEFAULT_SET}-{name}"));
    document.set_attr(pair, "name", name);
    document.set_attr(pair, "value", value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_told_with_node_and_result() {
        let fields = |spec: &str| match parse_spec(spec) {
            Err(InjectError::Operation { n_fields, .. }) => n_fields,
            _ => 3,
        };
        for (spec, n_fields) in [
            ("", 0),
            ("@a=1", 0),
            ("ip", 1),
            ("ip@", 1),
            ("ip@a", 2),
            ("ip@a=x", 2),
            ("ip@a=7", 3),
            ("ip@a=7x", 3),
        ] {
            assert_eq!(fields(spec), n_fields, "{spec:?}");
        }
        let (key, node, rc) = parse_spec("ip_monitor_0@a=7").expect("an operation with its result");
        assert_eq!((key, node, rc), ("ip_monitor_0", "a", OcfRc::NotRunning));
    }
}
