//! The order in which things are unpacked, and what is only needed meanwhile.

use super::{
    EarlyAction, FailedOperation, FencingRequest, NodeIdx, NodeKind, Options, RscIdx, Status, TicketState,
    history::Namesake, index::Names,
};
use crate::{
    Note,
    note::{Level, NoteKind},
    rules::Recheck,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::{Deref, DerefMut},
};
use systole_cib::model::{Cib, Constraint, HistoryEntry};
use systole_types::{LocalTime, OperationKey, Role};

/// A status in the making.
pub(super) struct Unpack<'a> {
    status: Status<'a>,
    /// Nodes by id in small letters.
    pub(super) node_uuids: Names,
    /// Instances of anonymous clones that are on a node, per clone and node, in the order of their numbers.
    pub(super) located: BTreeMap<(RscIdx, NodeIdx), Vec<RscIdx>>,
    /// All instances in `located`.
    pub(super) located_instances: BTreeSet<RscIdx>,
    /// Per clone: instances before this position are located.
    pub(super) first_free: BTreeMap<RscIdx, usize>,
    /// Resources by the names that the histories of the last node have, in their sequence.
    pub(super) namesakes: Vec<Namesake<'a>>,
    /// Entries of the history that was looked at last: memory to be used again.
    pub(super) entries: Vec<&'a HistoryEntry>,
    /// Positions of stops in `early`.
    pub(super) stops: BTreeMap<(RscIdx, NodeIdx), usize>,
    /// What is in `failed_operations`: of several entries with the same key on a node the first is shown.
    failed_keys: BTreeSet<(NodeIdx, &'a OperationKey)>,
    /// What is in `clear_fail_counts`.
    pub(super) cleared: BTreeSet<(RscIdx, NodeIdx)>,
    /// Containers of failed bundle connections: to be stopped where they are found to run.
    pub(super) containers_to_stop: Vec<RscIdx>,
}

impl<'a> Deref for Unpack<'a> {
    type Target = Status<'a>;

    fn deref(&self) -> &Status<'a> {
        &self.status
    }
}

impl DerefMut for Unpack<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.status
    }
}

impl<'a> Unpack<'a> {
    /// Works out what is true.
    pub(super) fn run(cib: &'a Cib, now: LocalTime) -> Status<'a> {
        let now = LocalTime { at: cib.execution_date.unwrap_or(now.at), ..now };
        let recheck = Recheck::default();
        let options = Options::unpack(cib, now, &recheck);
        let mut unpack = Self {
            status: Status::empty(cib, now, recheck, options),
            node_uuids: Names::default(),
            located: BTreeMap::new(),
            located_instances: BTreeSet::new(),
            first_free: BTreeMap::new(),
            namesakes: Vec::new(),
            entries: Vec::new(),
            stops: BTreeMap::new(),
            failed_keys: BTreeSet::new(),
            cleared: BTreeSet::new(),
            containers_to_stop: Vec::new(),
        };
        unpack.unfencing_in_use = cib.mentions_unfencing;
        unpack.have_fencing = unpack.options.have_watchdog;
        unpack.configured_nodes();
        unpack.remote_nodes();
        unpack.resources();
        unpack.tickets();
        unpack.node_states();
        unpack.histories();
        unpack.stop_containers();
        unpack.finish_remote_nodes();
        unpack.finish()
    }

    fn finish(mut self) -> Status<'a> {
        self.health();
        self.status
    }

    fn tickets(&mut self) {
        let cib = self.cib;
        for constraint in &cib.constraints {
            if let Constraint::Ticket(constraint) = constraint {
                self.tickets.entry(constraint.ticket.clone()).or_default();
            }
        }
        for ticket in &cib.tickets {
            let state = TicketState { granted: ticket.granted, standby: ticket.standby, entry: Some(ticket) };
            self.tickets.insert(ticket.id.clone(), state);
        }
    }

    /// Adds a warning.
    pub(super) fn warn(&mut self, kind: NoteKind, rsc: Option<RscIdx>, node: Option<NodeIdx>) {
        let mut note = Note::new(Level::Warning, kind);
        note.resource = rsc.map(|rsc| self.rsc(rsc).id.clone());
        note.node = node.map(|node| self.node(node).name.clone());
        self.notes.push(note);
    }

    /// Records that a node has to be fenced. A guest node is fenced by recovering what it lives in; an unmanaged
    /// connection keeps its remote node from being fenced.
    pub(super) fn fence_node(&mut self, node: NodeIdx, reason: &str, priority_delay: bool) {
        match self.node(node).kind {
            NodeKind::Guest { container, .. } => self.fence_guest(node, container, reason),
            NodeKind::Remote { connection } => self.fence_remote(node, connection, reason),
            NodeKind::Member | NodeKind::Ping if self.node(node).unclean => {}
            NodeKind::Member | NodeKind::Ping => {
                self.note_fencing(node, reason);
                self.nodes[node.i()].unclean = true;
                self.request_fencing(node, reason, priority_delay);
            }
        }
    }

    fn fence_guest(&mut self, node: NodeIdx, container: RscIdx, reason: &str) {
        if !self.rsc(container).failed && self.rsc(container).managed {
            self.note_fencing(node, reason);
            self.nodes[node.i()].remote_requires_reset = true;
            self.mark_failed(container);
        }
    }

    fn fence_remote(&mut self, node: NodeIdx, connection: Option<RscIdx>, reason: &str) {
        let connection = connection.map(|rsc| (rsc, self.rsc(rsc)));
        if let Some((rsc, connection)) = connection
            && connection.removed == Some(super::Removed::ContainerFiller)
            && connection.container.is_none()
        {
            // The guest it was the connection of is gone with its container: nothing is left to fence.
            self.mark_failed(rsc);
            return;
        }
        if connection.is_none_or(|(_, connection)| connection.managed)
            && !self.node(node).remote_requires_reset
        {
            self.nodes[node.i()].remote_requires_reset = true;
            self.note_fencing(node, reason);
        }
        self.nodes[node.i()].unclean = true;
        self.request_fencing(node, reason, false);
    }

    fn note_fencing(&mut self, node: NodeIdx, reason: &str) {
        self.warn(NoteKind::NeedsFencing { reason: reason.into() }, None, Some(node));
    }

    fn request_fencing(&mut self, node: NodeIdx, reason: &str, priority_delay: bool) {
        if !self.fencing.iter().any(|request| request.node == node) {
            self.fencing.push(FencingRequest { node, reason: reason.into(), priority_delay });
            self.early.push(EarlyAction::Fence(node));
        }
    }

    /// The resource has failed and has to be stopped before it is started again.
    pub(super) fn mark_failed(&mut self, rsc: RscIdx) {
        let rsc = &mut self.resources[rsc.i()];
        rsc.failed = true;
        rsc.stop_if_failed = true;
    }

    /// A stop has to be made, whatever placement says. A stop that cannot be run on a node that is away needs the node fenced.
    pub(super) fn require_stop(&mut self, rsc: RscIdx, node: NodeIdx) {
        // Later on it may be found active elsewhere, too, and be left alone: what was asked for before stays.
        let is_required = self.rsc(rsc).managed;
        match self.stops.get(&(rsc, node)) {
            Some(&position) => self.early[position] = EarlyAction::Stop { rsc, node, is_required },
            None => {
                let position = self.early.len();
                self.stops.insert((rsc, node), position);
                self.early.push(EarlyAction::Stop { rsc, node, is_required });
            }
        }
        let there = self.node(node);
        let can_be_told = there.online || (there.is_guest() && !there.remote_requires_reset);
        if !can_be_told && self.rsc(rsc).managed && !there.unclean {
            self.fence_node(node, "stop is unrunnable", false);
        }
    }

    /// Records a failed operation for displays.
    pub(super) fn record_failure(&mut self, failure: FailedOperation<'a>) {
        if self.node(failure.node).online && self.failed_keys.insert((failure.node, &failure.entry.op.key)) {
            self.failed_operations.push(failure);
        }
    }

    /// Sets the role that failures, target-role and the like ask for.
    pub(super) fn set_next_role(&mut self, rsc: RscIdx, role: Role, why: &'static str) {
        let rsc = &mut self.resources[rsc.i()];
        if rsc.next_role != role {
            rsc.next_role = role;
            rsc.next_role_reason = Some(why);
        }
    }

    /// Where the node's name is written in any case of letters.
    pub(super) fn node_named(&self, name: &str) -> Option<NodeIdx> {
        self.find_node(name)
    }
}

/// Finds a name regardless of the case of letters.
pub(super) fn lookup(names: &Names, name: &str) -> Option<NodeIdx> {
    let found = if name.bytes().any(|c| c.is_ascii_uppercase()) {
        names.get(&name.to_ascii_lowercase())
    } else {
        names.get(name)
    };
    found.map(NodeIdx)
}
