//! Remote and guest nodes: which member holds the connection to each, and what that means for the status section.
//!
//! A cluster node's history says that a connection was started there; the ledger says with what, so that a daemon which
//! was restarted can take it up again. The two are changed together.

use super::{Counted, Replica, is_success};
use crate::{
    SessionId,
    message::{ConnectionLedger, ConnectionReport, Hand, LEVEL_OF_DIGESTS, Perform},
};
use systole_cib::xml::Element;
use systole_types::{OcfRc, OpStatus, TransitionKey};
use systole_wire::exec::{Operation, OperationResult};

/// A `<node_state>`: whose history something belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Its id: a cluster node's number, a remote node's name.
    pub id: String,
    /// The node's name.
    pub name: String,
}

/// What reports on connections have changed.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Reported {
    /// Results that were not known before.
    pub news: Vec<OperationResult>,
    /// Operations on remote nodes that nobody will answer any more: transition keys.
    pub given_up: Vec<String>,
    /// A remote node with a history that does not count any more: a plan that was made with it is out of date.
    pub forgotten: Option<String>,
}

impl Replica {
    /// Where it is written down what `by` does for the cluster node numbered `node`.
    pub fn place(&self, node: u32, by: &Hand) -> Option<Place> {
        match by {
            Hand::Executor | Hand::Connections => {
                let name = self.name_of(node)?.to_owned();
                Some(Place { id: node.to_string(), name })
            }
            Hand::Remote(name) => Some(Place { id: name.clone(), name: name.clone() }),
        }
    }

    /// Whether an operation can reach those it is for: remote nodes only over a connection that stands.
    pub fn can_reach(&self, perform: &Perform) -> bool {
        match &perform.by {
            Hand::Executor | Hand::Connections => true,
            Hand::Remote(name) => self.holds(perform.node, name),
        }
    }

    /// Whether a cluster node holds the connection to a remote node, and it is not lost.
    pub fn holds(&self, node: u32, connection: &str) -> bool {
        self.ledger.connections.get(connection).is_some_and(|entry| entry.host == node && !entry.lost)
    }

    /// Whether a cluster node held the connection to a remote node and lost it, and that was not recovered yet.
    pub fn has_lost(&self, node: u32, connection: &str) -> bool {
        self.ledger.connections.get(connection).is_some_and(|entry| entry.host == node && entry.lost)
    }

    /// Connections that a cluster node holds, whether it knows of them or not.
    pub fn connections_of(&self, node: u32) -> impl Iterator<Item = (&String, &ConnectionLedger)> {
        self.ledger.connections.iter().filter(move |(_, entry)| entry.host == node && !entry.lost)
    }

    /// The highest call in the history of a resource on a node.
    pub fn last_call(&self, node: &str, resource: &str) -> u64 {
        let calls = self.operations(node, resource).filter_map(|entry| number(entry, "call-id"));
        calls.filter_map(|call| u64::try_from(call).ok()).max().unwrap_or(0)
    }

    /// The same, of all resources on a node.
    pub fn last_call_on(&self, node: &str) -> u64 {
        let resources = self.node_state(node).and_then(|state| state.child("lrm")?.child("lrm_resources"));
        let entries = resources.into_iter().flat_map(|resources| resources.children_named("lrm_resource"));
        let calls = entries.flat_map(|entry| entry.children_named("lrm_rsc_op"));
        let calls = calls.filter_map(|entry| u64::try_from(number(entry, "call-id")?).ok());
        calls.max().unwrap_or(0)
    }

    /// What became of a member's connections.
    pub fn connections_reported(&mut self, from: u32, reports: &[ConnectionReport]) -> Reported {
        let mut reported = Reported::default();
        for report in reports {
            self.connection_reported(from, report, &mut reported);
        }
        self.count_failures(&reported.news);
        self.count(Counted::Status);
        reported
    }

    fn connection_reported(&mut self, from: u32, report: &ConnectionReport, reported: &mut Reported) {
        let operation = &report.result.operation;
        let name = &operation.resource;
        let in_flight = self.ledger.in_flight.get(&operation.transition_key);
        let was_asked = in_flight.is_some_and(|perform| perform.is_for(from, &Hand::Connections));
        let is_present =
            |entry: &ConnectionLedger| entry.host == from && entry.session == report.session && !entry.lost;
        let entry = self.ledger.connections.get_mut(name).filter(|entry| is_present(entry));
        let succeeded = has_succeeded(&report.result);
        let is_break = entry.is_some() && operation.interval_ms > 0 && !succeeded;
        if !was_asked && !is_break {
            return;
        }
        match (operation.operation.as_str(), entry) {
            ("monitor", Some(entry)) if is_break => entry.lost = true,
            ("monitor", Some(entry)) if operation.interval_ms > 0 => entry.monitor = Some(operation.clone()),
            _ => {}
        }
        if was_asked {
            self.ledger.in_flight.remove(&operation.transition_key);
        }
        reported.news.push(report.result.clone());
        if let Some(entry) = self.ledger.connections.get_mut(name).filter(|entry| entry.is_lost_guest(from))
            && operation.operation == "stop"
        {
            entry.stopped = Some(report.result.clone());
            if !self.is_container_stopped(name) {
                return;
            }
            self.ledger.connections.remove(name);
        }
        self.write_down(from, &Hand::Connections, &report.result);
        match operation.operation.as_str() {
            "start" if succeeded => {
                if self.remote_is_up(from, report.session, operation) {
                    reported.forgotten = Some(name.clone());
                }
                reported.given_up.extend(self.give_up_remote(name));
            }
            "migrate_from" if succeeded => {
                reported.given_up.extend(self.give_up_remote(name));
                self.hold(from, report.session, operation);
            }
            "stop" if succeeded && self.is_held_by(from, name) => {
                reported.given_up.extend(self.remote_is_down(name));
            }
            _ if is_break => reported.given_up.extend(self.give_up_remote(name)),
            _ => {}
        }
    }

    /// Whether an operation is to stop the connection to a guest that was lost: see [`ConnectionLedger::stopped`].
    pub(super) fn is_stop_of_lost_guest(&self, perform: &Perform) -> bool {
        let entry = self.ledger.connections.get(&perform.operation.resource);
        perform.by == Hand::Connections
            && perform.operation.operation == "stop"
            && entry.is_some_and(|entry| entry.is_lost_guest(perform.node))
    }

    /// Something was done to a resource. If that is a container which does not run any more, or runs anew, the stop of a
    /// connection to a guest that was lost in it counts now.
    pub(super) fn follow_container(&mut self, place: &Place, result: &OperationResult) {
        let container = &result.operation.resource;
        let is_anew = result.operation.operation == "start" && has_succeeded(result);
        // Where it was. That it does not run elsewhere says nothing.
        let is_over = |connection: &str| {
            self.container_node(connection) == Some(&place.name) && self.is_stopped(&place.name, container)
        };
        let connections = self.ledger.connections.iter();
        let guests: Vec<String> = connections
            .filter(|(_, entry)| container_of(&entry.start) == Some(container))
            .filter(|(name, _)| is_anew || is_over(name))
            .map(|(name, _)| name.clone())
            .collect();
        let mut stopped = Vec::new();
        for guest in &guests {
            let entry = self.ledger.connections.get_mut(guest);
            stopped.extend(entry.and_then(|entry| Some((entry.host, entry.stopped.take()?))));
        }
        for (host, result) in stopped {
            self.write_down(host, &Hand::Connections, &result);
            self.remote_is_down(&result.operation.resource);
        }
    }

    /// The node that the container of a guest runs on, or ran on when the guest was connected to.
    fn container_node(&self, connection: &str) -> Option<&str> {
        let entry = self.ledger.connections.get(connection)?;
        entry.container_on.as_deref().or_else(|| self.name_of(entry.host))
    }

    /// Whether the container of a guest is stopped where it ran.
    fn is_container_stopped(&self, connection: &str) -> bool {
        let start = self.ledger.connections.get(connection).map(|entry| &entry.start);
        let container = start.and_then(container_of);
        container
            .zip(self.container_node(connection))
            .is_some_and(|(container, node)| self.is_stopped(node, container))
    }

    /// Where the history says that the container of a guest runs, if that is not on the cluster node `host`.
    fn container_elsewhere(&self, host: u32, start: &Operation) -> Option<String> {
        let container = container_of(start)?;
        let states = self.cib.root().child("status")?.children_named("node_state");
        let is_there = |state: &Element<'_>| state.attr("in_ccm") == Some("true");
        let nodes = states.filter(is_there).filter_map(|state| state.attr("uname"));
        let nodes: Vec<&str> = nodes.filter(|node| self.is_running(node, container)).collect();
        let host = self.name_of(host)?;
        nodes.first().filter(|_| !nodes.contains(&host)).map(|node| (*node).to_owned())
    }

    /// Whether a node's history ends with a resource being started, or found to run.
    fn is_running(&self, node: &str, resource: &str) -> bool {
        let last = self.operations(node, resource).max_by_key(|entry| number(*entry, "call-id"));
        last.is_some_and(|last| {
            matches!(last.attr("operation"), Some("start" | "monitor")) && number(last, "rc-code") == Some(0)
        })
    }

    /// Whether a node's history ends with a resource being stopped.
    fn is_stopped(&self, node: &str, resource: &str) -> bool {
        let last = self.operations(node, resource).max_by_key(|entry| number(*entry, "call-id"));
        last.is_some_and(|last| match last.attr("operation") {
            Some("stop") => number(last, "rc-code") == Some(0),
            Some("monitor") => number(last, "rc-code") == Some(OcfRc::NotRunning.code().into()),
            _ => false,
        })
    }

    /// Whether a node's history says that something runs there that nobody else must start. Devices for fencing and connections to
    /// remote nodes end with the daemon.
    pub(super) fn runs_something(&self, node: &str) -> bool {
        let resources = self.node_state(node).and_then(|state| state.child("lrm")?.child("lrm_resources"));
        let mut entries =
            resources.into_iter().flat_map(|resources| resources.children_named("lrm_resource"));
        let lasts = |entry: Element<'_>| {
            entry.attr("class") != Some("stonith")
                && !(entry.attr("provider") == Some("pacemaker") && entry.attr("type") == Some("remote"))
        };
        let is_missing = |entry: Element<'_>| {
            let operations = entry.children_named("lrm_rsc_op");
            let last = operations.max_by_key(|operation| number(*operation, "call-id"));
            last.is_none_or(|last| {
                last.attr("operation") == Some("monitor")
                    && number(last, "rc-code") == Some(OcfRc::NotInstalled.code().into())
            })
        };
        entries.any(|entry| {
            let is_stopped = entry.id().is_some_and(|resource| self.is_stopped(node, resource));
            lasts(entry) && !is_stopped && !is_missing(entry)
        })
    }

    /// Whether something was asked of a cluster node about a resource and not answered.
    pub fn has_under_way(&self, node: u32, resource: &str) -> bool {
        let is_there = |perform: &Perform| perform.node == node && perform.operation.resource == resource;
        self.ledger.in_flight.values().any(is_there)
    }

    /// Whether a resource is known not to run on a cluster node, with nothing under way that would start it there.
    pub fn takes_for_stopped(&self, node: u32, resource: &str) -> bool {
        !self.has_under_way(node, resource)
            && self.name_of(node).is_some_and(|name| self.is_stopped(name, resource))
    }

    /// What a node's history says of a resource.
    fn operations(&self, node: &str, resource: &str) -> impl Iterator<Item = Element<'_>> {
        let resources = self.node_state(node).and_then(|state| state.child("lrm")?.child("lrm_resources"));
        let mut entries =
            resources.into_iter().flat_map(|resources| resources.children_named("lrm_resource"));
        let history = entries.find(|entry| entry.id() == Some(resource));
        history.into_iter().flat_map(|history| history.children_named("lrm_rsc_op"))
    }

    /// Whether a node is the one whose stop of a connection ends it: nobody else has taken it over.
    fn is_held_by(&self, node: u32, connection: &str) -> bool {
        self.ledger.connections.get(connection).is_none_or(|entry| entry.host == node)
    }

    fn hold(&mut self, host: u32, session: SessionId, start: &Operation) {
        let is_told = self.level >= LEVEL_OF_DIGESTS;
        let container_on = self.container_elsewhere(host, start).filter(|_| is_told);
        let entry = ConnectionLedger {
            container_on,
            host,
            start: start.clone(),
            monitor: None,
            session,
            recorded: 0,
            attached: true,
            lost: false,
            stopped: None,
        };
        self.ledger.connections.insert(start.resource.clone(), entry);
    }

    /// A remote node was connected to: what is known of it from before does not count any more. Its attributes stay if
    /// nobody saw it go: then only the member that held the connection was lost. Whether there was a history.
    fn remote_is_up(&mut self, host: u32, session: SessionId, start: &Operation) -> bool {
        let name = &start.resource;
        if let Some(former) = self.ledger.connections.get(name).map(|entry| entry.host)
            && former != host
            && let Some(node) = self.name_of(former).map(str::to_owned)
        {
            // It was lost with the connection. Should it come back, it does not hold it any more.
            self.status().erase_resource(&node, name);
        }
        let was_lost = self.ledger.connections.get(name).is_some_and(|entry| entry.lost);
        let state = self.node_state(name);
        let was_there = state.is_some_and(|state| state.attr("in_ccm") == Some("true"));
        let had_history = state.is_some_and(|state| state.child("lrm").is_some());
        self.hold(host, session, start);
        if was_lost || !was_there {
            self.forget_attributes(name);
        }
        let mut status = self.status();
        status.erase_history(name);
        status.set_remote(name, &[("in_ccm", "true"), ("node_fenced", "0")]);
        had_history
    }

    /// A remote node is not connected to any more. Its history is kept: only the next connection tells what is true.
    fn remote_is_down(&mut self, name: &str) -> Vec<String> {
        self.ledger.connections.remove(name);
        self.forget_attributes(name);
        self.status().set_remote(name, &[("in_ccm", "false")]);
        self.give_up_remote(name)
    }

    /// Nobody will answer what is in flight on a remote node.
    fn give_up_remote(&mut self, name: &str) -> Vec<String> {
        let by = Hand::Remote(name.to_owned());
        self.ledger.give_up(|perform| perform.by == by)
    }

    /// All that is known of a cluster node goes. Guests on it went with it; other remote nodes only lost their connection.
    /// Returns the transition keys of what nobody will answer any more, as do those below.
    pub(super) fn forget_member(&mut self, id: u32, name: &str) -> Vec<String> {
        self.status().erase_history(name);
        self.forget_attributes(name);
        let given_up = self.forget_guests_on(name);
        self.ledger.connections.retain(|_, entry| entry.host != id);
        if let Some(entry) = self.ledger.nodes.get_mut(&id) {
            entry.worked = false;
        }
        given_up
    }

    /// Whether anything is on record of a resource on a node.
    pub fn knows_of(&self, node: &str, resource: &str) -> bool {
        self.operations(node, resource).next().is_some()
    }

    /// Guests went with the node that their containers ran on.
    fn forget_guests_on(&mut self, node: &str) -> Vec<String> {
        let connections = self.ledger.connections.iter();
        let gone: Vec<String> = connections
            .filter(|(name, entry)| is_guest(&entry.start) && self.container_node(name) == Some(node))
            .map(|(name, _)| name.clone())
            .collect();
        gone.iter().flat_map(|guest| self.remote_is_down(guest)).collect()
    }

    /// A remote node that was lost is out of the way.
    pub(super) fn release_remote(&mut self, name: &str) -> Vec<String> {
        let mut given_up = self.forget_guests_on(name);
        self.status().erase_history(name);
        given_up.extend(self.remote_is_down(name));
        self.status().set_remote(name, &[("node_fenced", "1")]);
        given_up
    }

    /// Whether a node is a remote one, and if so whether it is connected to.
    pub fn remote_node(&self, name: &str) -> Option<bool> {
        let state = self.node_state(name).filter(|state| state.attr("remote_node") == Some("true"))?;
        let is_lost = self.ledger.connections.get(name).is_none_or(|entry| entry.lost);
        Some(!is_lost && state.attr("in_ccm") == Some("true"))
    }

    /// What the DC says of remote nodes: some are down with what they live in, the maintenance mode of others changed.
    pub fn apply_to_remotes(&mut self, downed: &[String], maintenance: &[(String, bool)]) -> Vec<String> {
        let mut given_up = Vec::new();
        for name in downed {
            if self.id_of(name).is_some() {
                continue;
            }
            self.status().erase_history(name);
            given_up.extend(self.remote_is_down(name));
        }
        for (name, is_on) in maintenance {
            self.status().set_remote(name, &[("node_in_maintenance", if *is_on { "1" } else { "0" })]);
        }
        self.count(Counted::Status);
        given_up
    }
}

/// Whether an operation had the result it was asked to have.
pub(crate) fn has_succeeded(result: &OperationResult) -> bool {
    let key = result.operation.transition_key.parse::<TransitionKey>();
    let target = key.map_or(OcfRc::Ok.code(), |key| key.target_rc.code());
    result.status != OpStatus::Cancelled.code() && is_success(result.status, result.rc, target)
}

impl ConnectionLedger {
    /// Whether this is the connection to a guest that this host held and lost.
    fn is_lost_guest(&self, host: u32) -> bool {
        self.host == host && self.lost && is_guest(&self.start)
    }
}

/// Whether a connection is to a guest node, which ends with what it lives in.
fn is_guest(start: &Operation) -> bool {
    container_of(start).is_some()
}

/// The resource that a guest node lives in.
fn container_of(start: &Operation) -> Option<&str> {
    start.parameters.get("CRM_meta_container").map(String::as_str)
}

/// An attribute that is a whole number.
fn number(element: Element<'_>, name: &str) -> Option<i64> {
    element.attr(name)?.parse().ok()
}

#[cfg(test)]
mod tests;
