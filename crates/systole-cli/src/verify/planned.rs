//! What shows only once a configuration is read together with the state of the cluster, and planned.
//!
//! Source: what Pacemaker 3.0.2's `crm_verify` says, which schedules what it checks.

use crate::edit;
use std::collections::BTreeSet;
use systole_cib::{
    Diagnostic, Severity,
    model::{Cib, ColocationMembers, Constraint, LocationTarget, OrderMembers, ResourceSet, TicketResources},
    parse_bool, upgrade,
    xml::{Document, Element},
};
use systole_scheduler::{
    NodeIdx, Resource, Status, Transition,
    note::{Level, NoteKind},
    placement::Detail,
    status::{Kind, NodeKind},
};
use systole_types::{ElementId, OpStatus};
use systole_whatif::{Moment, why::IgnoredOrder};

/// What planning shows.
pub struct Findings {
    /// What is noticed on the way.
    pub diagnostics: Vec<Diagnostic>,
    /// Ids of the operations that are looked at for it: of others, mistakes are none yet.
    pub operations: BTreeSet<String>,
}

/// Plans `document`. Without a status section there is no state to plan from.
pub fn findings(document: &Document, moment: Moment) -> Findings {
    let (cib, _) = upgrade::read(document);
    let mut found = Found { document, diagnostics: Vec::new(), told: BTreeSet::new() };
    if document.root().child("status").is_none() {
        let status = Status::unpack(&cib, moment.now);
        found.resources(&status);
        found.left_out(&status);
        found.constraints(&status, &cib);
        return Findings { diagnostics: found.diagnostics, operations: BTreeSet::new() };
    }
    let transition = moment.schedule(&cib, Detail::Scores);
    let status = &transition.status;
    found.resources(status);
    found.left_out(status);
    found.constraints(status, &cib);
    found.patterns(&transition);
    found.fencing_operations(&transition);
    found.nodes(&transition);
    found.failures(status);
    found.histories(status);
    found.ignored_orders(&transition);
    Findings { diagnostics: found.diagnostics, operations: operations(&transition) }
}

/// Ids of the operations that a plan is about: all that recur, stops of what is active, others of what is active or to be so.
fn operations(transition: &Transition<'_>) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for (rsc, assigned) in transition.status.resources.iter().zip(&transition.placement.assigned) {
        let (is_active, is_to_be) = (rsc.is_active(), assigned.is_some());
        for op in rsc.primitive().into_iter().flat_map(|primitive| &primitive.definition.operations) {
            let is_down = matches!(&*op.name, "stop" | "demote");
            if is_active || (is_to_be && !is_down) || !op.interval.is_zero() {
                ids.insert(op.id.to_string());
            }
        }
    }
    ids
}

struct Found<'d> {
    document: &'d Document,
    diagnostics: Vec<Diagnostic>,
    /// What was said of which element.
    told: BTreeSet<(String, String)>,
}

impl Found<'_> {
    fn tell(&mut self, severity: Severity, id: &str, message: impl Into<String>) {
        let message = message.into();
        if !self.told.insert((id.to_owned(), message.clone())) {
            return;
        }
        let configuration = edit::section(self.document, "configuration");
        let Some(element) = self.document.find_id(id).or(configuration) else { return };
        self.diagnostics.push(Diagnostic::about(severity, element, message));
    }

    /// Of a resource as configured: what a bundle implies has its shortcomings from there.
    fn tell_resource(&mut self, severity: Severity, id: &str, message: impl Into<String>) {
        let resources = edit::section(self.document, "resources");
        let is_it = |e: &Element<'_>| e.id() == Some(id);
        let Some(element) = resources.into_iter().flat_map(Element::descendants).find(is_it) else { return };
        let message = message.into();
        if self.told.insert((id.to_owned(), message.clone())) {
            self.diagnostics.push(Diagnostic::about(severity, element, message));
        }
    }

    fn warning(&mut self, id: &str, message: impl Into<String>) {
        self.tell(Severity::Warning, id, message);
    }

    /// Meta attributes that do not count as they stand.
    fn resources(&mut self, status: &Status<'_>) {
        let is_enabled = status.options.fencing_enabled;
        for rsc in status.resources.iter().filter(|rsc| rsc.removed.is_none()) {
            let id = rsc.base_id();
            let meta = |name: &str| rsc.meta.raw.get(name).map(|value| &**value);
            let requires =
                |what: &str| meta("requires").is_some_and(|value| value.eq_ignore_ascii_case(what));
            let is_device = rsc.primitive().is_some_and(|primitive| primitive.is_fence_device);
            let reason = match (requires("fencing"), requires("unfencing")) {
                (true, _) if !is_enabled => Some("it requires fencing, but fencing is disabled"),
                (_, true) if is_device => {
                    Some("taking 'requires' for 'quorum' because fence devices cannot require unfencing")
                }
                (_, true) if !is_enabled => {
                    Some("taking 'requires' for 'quorum' because fencing is disabled")
                }
                _ => None,
            };
            if let Some(reason) = reason {
                self.tell_resource(Severity::Warning, id, reason);
            }
            match &rsc.kind {
                Kind::Clone(clone) if clone.is_made_anonymous => {
                    let reason = "ignoring 'globally-unique' because only OCF agents tell instances apart";
                    self.tell_resource(Severity::Warning, id, reason);
                }
                Kind::Group(_) => {
                    for name in ["ordered", "collocated"] {
                        if meta(name).and_then(parse_bool) == Some(false) {
                            let reason =
                                format!("'{name}' of a group is deprecated: use a resource set instead");
                            self.tell_resource(Severity::Deprecated, id, reason);
                        }
                    }
                }
                _ => {}
            }
        }
    }

    /// Resources that are left out, since what is in them cannot be what they are to be.
    fn left_out(&mut self, status: &Status<'_>) {
        let kept: BTreeSet<&str> = status.resources.iter().map(Resource::base_id).collect();
        let resources = edit::section(self.document, "resources");
        for element in resources.into_iter().flat_map(Element::descendants) {
            let is_resource = matches!(element.name(), "primitive" | "group" | "clone" | "bundle");
            if let Some(id) = element.id().filter(|id| is_resource && !kept.contains(id)) {
                let reason = "ignoring the resource, which cannot be run as it is to be";
                self.tell_resource(Severity::Error, id, reason);
            }
        }
    }

    /// Patterns that are none.
    fn patterns(&mut self, transition: &Transition<'_>) {
        let errors = transition.notes.iter().filter(|note| note.level == Level::ConfigError);
        for (id, note) in errors.filter_map(|note| Some((note.element.as_ref()?, note))) {
            let is_pattern =
                self.document.find_id(id.as_str()).is_some_and(|e| e.attr("rsc-pattern").is_some());
            if is_pattern {
                self.tell(Severity::Error, id.as_str(), note.to_string());
            }
        }
    }

    /// Constraints about what is no resource as things stand.
    fn constraints(&mut self, status: &Status<'_>, cib: &Cib) {
        for constraint in &cib.constraints {
            let id = constraint_id(constraint);
            let unknown = |names: &[&ElementId]| {
                let unknown = names.iter().find(|name| status.constraint_targets(name.as_str()).is_empty());
                unknown.map(|name| format!("ignoring the constraint because '{name}' is no resource or tag"))
            };
            let unknown_in = |sets: &[ResourceSet]| {
                let mut members = status.set_members(sets).into_iter().flatten();
                let unknown = members.find(|member| member.resource.is_none())?;
                Some(format!("no resource is found for '{}'", unknown.name))
            };
            let message = match constraint {
                Constraint::Location(location) => match &location.resources {
                    LocationTarget::Resource(name) => unknown(&[name]),
                    LocationTarget::Sets(sets) => unknown_in(sets),
                    LocationTarget::Pattern { .. } => None,
                },
                Constraint::Colocation(colocation) => match &colocation.members {
                    ColocationMembers::Pair { dependent, primary, .. } => unknown(&[dependent, primary]),
                    ColocationMembers::Sets(sets) => unknown_in(sets),
                },
                Constraint::Order(order) => match &order.members {
                    OrderMembers::Pair { first, then, .. } => unknown(&[first, then]),
                    OrderMembers::Sets(sets) => unknown_in(sets),
                },
                Constraint::Ticket(ticket) => match &ticket.resources {
                    TicketResources::Resource { resource, .. } => unknown(&[resource]),
                    TicketResources::Sets(sets) => unknown_in(sets),
                },
            };
            if let Some(message) = message {
                self.tell(Severity::Error, id.as_str(), message);
            }
        }
    }

    /// `on-fail=fence` of operations of what is to run. Of what is not, it is not asked.
    fn fencing_operations(&mut self, transition: &Transition<'_>) {
        let status = &transition.status;
        if status.options.fencing_enabled {
            return;
        }
        for (rsc, assigned) in status.resources.iter().zip(&transition.placement.assigned) {
            let Some(primitive) = rsc.primitive().filter(|_| assigned.is_some()) else { continue };
            let operations = primitive.definition.operations.iter();
            for op in operations.filter(|op| &*op.name != "stop") {
                let Some(element) = self.document.find_id(op.id.as_str()) else { continue };
                if element.attr("on-fail") == Some("fence") {
                    let message = "taking 'on-fail' for 'stop' because fencing is disabled";
                    self.tell(Severity::Error, op.id.as_str(), message);
                }
            }
        }
    }

    /// Nodes that cannot be fenced, and settings of nodes that do not count.
    fn nodes(&mut self, transition: &Transition<'_>) {
        let status = &transition.status;
        for node in status.nodes.iter().filter(|node| node.state.is_some()) {
            let discovery = node.attribute("resource-discovery-enabled");
            if discovery.is_none_or(|value| parse_bool(value) == Some(true)) {
                continue;
            }
            let (severity, message) = match node.kind {
                NodeKind::Member | NodeKind::Ping => (
                    Severity::Warning,
                    "ignoring 'resource-discovery-enabled', which cluster nodes cannot be without",
                ),
                NodeKind::Remote { .. } | NodeKind::Guest { .. } => {
                    (Severity::Deprecated, "the node attribute 'resource-discovery-enabled' is deprecated")
                }
            };
            self.tell(severity, node.uuid.as_str(), format!("{}: {message}", node.name));
        }
        let unclean = transition.notes.iter().filter(|note| note.kind == NoteKind::NotFenced);
        for name in unclean.filter_map(|note| note.node.as_ref()) {
            let uuid = status.find_node(name.as_str()).map(|node| status.node(node).uuid.as_str());
            let hint = match status.options.fencing_enabled {
                true => "",
                false => ": without fencing, data and what resources do cannot be relied on",
            };
            self.warning(uuid.unwrap_or_default(), format!("{name} is unclean, but cannot be fenced{hint}"));
        }
    }

    /// `failure-timeout` of what a failure has blocked.
    fn failures(&mut self, status: &Status<'_>) {
        let with_failures = status.iter_nodes().filter(|(_, node)| !node.fail_counts.is_empty());
        let nodes: Vec<NodeIdx> = with_failures.map(|(idx, _)| idx).collect();
        for (idx, rsc) in status.iter_resources() {
            if nodes.iter().any(|node| status.is_failure_timeout_ignored(idx, *node)) {
                let message = "ignoring 'failure-timeout' because a failure with on-fail=block is on record";
                self.tell_resource(Severity::Warning, rsc.base_id(), message);
            }
        }
    }

    /// Histories that do not say what was expected, or say two things of one operation.
    fn histories(&mut self, status: &Status<'_>) {
        for node in status.nodes.iter().filter(|node| node.online) {
            let history = node.state.and_then(|state| state.history.as_ref());
            for entries in history.into_iter().flatten().map(|history| &history.operations) {
                let mut ids = BTreeSet::new();
                for entry in entries {
                    let is_judged = matches!(entry.status, OpStatus::Done | OpStatus::Error);
                    if is_judged && entry.magic.is_none() {
                        let message =
                            format!("{}: what was expected of {} is not on record", node.name, entry.op.id);
                        self.warning(node.uuid.as_str(), message);
                    }
                    if !ids.insert(&entry.op.id) {
                        let message = format!("{}: two entries are named {}", node.name, entry.op.id);
                        self.tell(Severity::Error, node.uuid.as_str(), message);
                    }
                }
            }
        }
    }

    /// Orders that are not kept, since one of the two is in the guest that the other is. Which these are is seen by scheduling.
    fn ignored_orders(&mut self, transition: &Transition<'_>) {
        for IgnoredOrder { first, then, orders } in IgnoredOrder::all(transition) {
            let constraint = orders.iter().find_map(|id| self.document.find_id(id.as_str()));
            let id = constraint.and_then(Element::id).unwrap_or_default().to_owned();
            let message = format!("{then} does not wait for {first}, which runs in the guest that {then} is");
            self.warning(&id, message);
        }
    }
}

const fn constraint_id(constraint: &Constraint) -> &ElementId {
    match constraint {
        Constraint::Location(location) => &location.id,
        Constraint::Colocation(colocation) => &colocation.id,
        Constraint::Order(order) => &order.id,
        Constraint::Ticket(ticket) => &ticket.id,
    }
}
