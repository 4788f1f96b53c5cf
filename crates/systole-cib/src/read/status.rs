//! `<status>`.

use super::context::Reader;
use crate::{
    model::{Agent, Cib, HistoryEntry, NodeState, RecordedOp, ResourceHistory, Ticket, Verified, Writer},
    xml::Element,
};
use std::{sync::Arc, time::Duration};
use systole_types::{
    NodeId, NodeUuid, OcfRc, OpStatus, OperationKey, ResourceId, Timestamp, TransitionKey, TransitionMagic,
};

/// The result of an operation of which none is on record. It tells no state, but that the operation was run counts.
const NO_RC: OcfRc = OcfRc::Other(-1);
const NO_STATUS: OpStatus = OpStatus::Other(-2);

/// Attributes of an `<lrm_resource>`, in the order in which they are taken apart.
pub(super) const HISTORY: [&str; 6] = ["id", "class", "provider", "type", "container", "shutdown-lock"];

/// Attributes of an `<lrm_rsc_op>`, in the order in which they are taken apart.
pub(super) const ENTRY: [&str; 23] = [
    "id",
    "operation_key",
    "operation",
    "interval",
    "call-id",
    "rc-code",
    "op-status",
    "transition-magic",
    "transition-key",
    "exit-reason",
    "last-rc-change",
    "exec-time",
    "queue-time",
    "op-digest",
    "op-force-restart",
    "op-restart-digest",
    "op-secure-params",
    "op-secure-digest",
    "on_node",
    "migrate_source",
    "migrate_target",
    "crm_feature_set",
    "crm-debug-origin",
];

impl<'d> Reader<'d> {
    pub fn status(&mut self, section: Element<'d>, cib: &mut Cib) {
        for element in section.children() {
            match element.name() {
                "node_state" => {
                    let former = cib.node_states.last().and_then(|state| state.history.as_deref());
                    let state = self.node_state(element, former.unwrap_or_default());
                    cib.node_states.push(state);
                }
                "tickets" => cib.tickets.extend(self.tickets(element)),
                _ => self.unknown(element, "<status>"),
            }
        }
    }

    /// Reads a node's state. `former` are the histories of another node.
    fn node_state(&mut self, element: Element<'d>, former: &[ResourceHistory]) -> NodeState {
        let mut state = NodeState {
            uuid: element.id().map(NodeUuid::new),
            name: element.attr("uname").map(NodeId::new),
            in_ccm: self.text(element, "in_ccm"),
            crmd: self.text(element, "crmd"),
            join: self.text(element, "join"),
            expected: self.text(element, "expected"),
            is_remote: self.boolean(element, "remote_node").unwrap_or(false),
            ..NodeState::default()
        };
        for (name, value) in element.attrs() {
            if !matches!(name, "id" | "uname" | "in_ccm" | "crmd" | "join" | "expected" | "remote_node") {
                state.other.push((self.shared(name), self.shared(value)));
            }
        }
        for child in element.children() {
            match child.name() {
                "transient_attributes" => {
                    state.attributes.extend(self.parameters(child));
                    state.utilization.extend(self.utilization(child));
                }
                "lrm" => {
                    let mut former = Former(former);
                    let histories = state.history.get_or_insert_default();
                    for list in child.children_named("lrm_resources") {
                        let resources = list.children_named("lrm_resource");
                        histories.reserve_exact(resources.clone().count());
                        histories
                            .extend(resources.filter_map(|resource| self.history(resource, &mut former)));
                    }
                }
                _ => self.unknown(child, "a <node_state>"),
            }
        }
        state
    }

    /// Reads an `<lrm_resource>`, which is likely to be much like one of the `former`.
    pub fn history(&mut self, element: Element<'d>, former: &mut Former<'_>) -> Option<ResourceHistory> {
        let [id, class, provider, kind, container, shutdown_lock] = element.pick(&self.history_columns);
        let Some(id) = id.filter(|id| !id.is_empty()) else {
            self.error(element, "id is missing");
            return None;
        };
        let former = former.find(id);
        let resource = match former {
            Some(former) => former.resource.clone(),
            None => ResourceId::from(self.shared(id)),
        };
        let agent = match (class, kind) {
            (Some(class), Some(kind)) => {
                Some(self.recorded_agent((class, provider, kind), former.and_then(|f| f.agent.as_ref())))
            }
            _ => None,
        };
        // There are very many of these: room is made for just as many as there are.
        let mut operations = Vec::with_capacity(element.children_named("lrm_rsc_op").count());
        let mut former = former.map_or(&[][..], |former| &former.operations).iter();
        for operation in element.children_named("lrm_rsc_op") {
            operations.extend(self.history_entry(operation, &resource, former.next()));
        }
        Some(ResourceHistory {
            agent,
            container: container.map(ResourceId::new),
            is_mere_absence: matches!(operations.as_slice(), [only] if only.is_absence()),
            operations,
            shutdown_lock: self.number_in(element, ("shutdown-lock", shutdown_lock)).map(Timestamp),
            resource,
        })
    }

    fn recorded_agent(
        &mut self,
        (class, provider, kind): (&'d str, Option<&'d str>, &'d str),
        former: Option<&Arc<Agent>>,
    ) -> Arc<Agent> {
        let is_same = |agent: &&Arc<Agent>| {
            *agent.class == *class && agent.provider.as_deref() == provider && *agent.kind == *kind
        };
        if let Some(former) = former.filter(is_same) {
            return Arc::clone(former);
        }
        Arc::new(Agent {
            class: self.shared(class),
            provider: provider.map(|provider| self.shared(provider)),
            kind: self.shared(kind),
        })
    }

    /// Most of a CIB is entries like this, so their attributes are gone through once and not once for each that is wanted.
    fn history_entry(
        &mut self,
        element: Element<'d>,
        resource: &ResourceId,
        former: Option<&HistoryEntry>,
    ) -> Option<HistoryEntry> {
        let [
            id,
            operation_key,
            operation,
            interval,
            call_id,
            rc_code,
            op_status,
            transition_magic,
            transition_key,
            exit_reason,
            last_rc_change,
            exec_time,
            queue_time,
            digest,
            restart_names,
            restart_digest,
            secure_names,
            secure_digest,
            on_node,
            migrate_source,
            migrate_target,
            feature_set,
            origin,
        ] = element.pick(&self.entry_columns);
        let Some(id) = id.filter(|id| !id.is_empty()) else {
            self.error(element, "id is missing");
            return None;
        };
        let former_uuid = former.and_then(|former| Some(&former.magic.as_ref()?.key.uuid));
        let magic = self.magic(element, transition_magic, transition_key, former_uuid);
        let rc = self.number_in(element, ("rc-code", rc_code)).map(OcfRc::from_code);
        let status = self.number_in(element, ("op-status", op_status)).map(OpStatus::from_code);
        if rc.is_none() || status.is_none() {
            let missing = if rc.is_none() { "rc-code" } else { "op-status" };
            self.warning(element, format!("{missing} is missing: the operation has no result"));
        }
        let (rc, status) = (rc.unwrap_or(NO_RC), status.unwrap_or(NO_STATUS));
        let interval_ms = self.number_in(element, ("interval", interval)).unwrap_or(0);
        let Some(task) = operation else {
            self.warning(element, "operation is missing: the entry is ignored");
            return None;
        };
        let op = OpText {
            id,
            key: operation_key,
            task,
            interval_ms,
            digest,
            restart: Some(restart_names).zip(restart_digest),
            secure: Some(secure_names).zip(secure_digest),
            migrate_source,
            migrate_target,
        };
        let op = match former.map(|former| &former.op).filter(|former| op.is_of(former, resource)) {
            Some(former) => Arc::clone(former),
            None => Arc::new(self.recorded_op(element, &op, resource)?),
        };
        let is_magic_written = magic.is_some();
        let magic = magic.or_else(|| {
            let key = self.transition_key(element, transition_key?)?;
            Some(TransitionMagic { status, rc, key })
        });
        let former_reason = former.and_then(|former| former.exit_reason.as_ref());
        Some(HistoryEntry {
            op,
            by: self.writer(on_node, feature_set, origin),
            call_id: self.number_in(element, ("call-id", call_id)),
            rc,
            status,
            magic,
            is_magic_written,
            exit_reason: exit_reason.map(|text| self.shared_like(former_reason, text)),
            last_rc_change: self.number_in(element, ("last-rc-change", last_rc_change)).map(Timestamp),
            exec_time_ms: self.number_in(element, ("exec-time", exec_time)),
            queue_time_ms: self.number_in(element, ("queue-time", queue_time)),
            verified: Verified::default(),
        })
    }

    fn recorded_op(
        &mut self,
        element: Element<'d>,
        text: &OpText<'d>,
        resource: &ResourceId,
    ) -> Option<RecordedOp> {
        let task = self.shared(text.task);
        Some(RecordedOp {
            key: self.operation_key(element, text.key, resource, &task, text.interval_ms)?,
            has_key: text.key.is_some(),
            id: self.shared(text.id),
            task,
            interval_ms: text.interval_ms,
            digest_all: text.digest.map(|digest| self.shared(digest)),
            digest_restart: text.restart.map(|digest| self.named_digest(digest)),
            digest_secure: text.secure.map(|digest| self.named_digest(digest)),
            migrate_source: text.migrate_source.map(|node| self.shared(node).into()),
            migrate_target: text.migrate_target.map(|node| self.shared(node).into()),
        })
    }

    /// Who wrote an entry: most likely who wrote the one before.
    fn writer(
        &mut self,
        on_node: Option<&'d str>,
        feature_set: Option<&'d str>,
        origin: Option<&'d str>,
    ) -> Arc<Writer> {
        let last = &self.last_writer;
        let is_same = last.on_node.as_ref().map(NodeId::as_str) == on_node
            && last.feature_set.as_deref() == feature_set
            && last.origin.as_deref() == origin;
        if !is_same {
            self.last_writer = Arc::new(Writer {
                on_node: on_node.map(|node| self.shared(node).into()),
                feature_set: feature_set.map(|version| self.shared(version)),
                origin: origin.map(|origin| self.shared(origin)),
            });
        }
        Arc::clone(&self.last_writer)
    }

    /// `operation_key`; releases before 1.1 left it out.
    fn operation_key(
        &mut self,
        element: Element<'d>,
        written: Option<&'d str>,
        resource: &ResourceId,
        operation: &Arc<str>,
        interval_ms: u64,
    ) -> Option<OperationKey> {
        let interval = Duration::from_millis(interval_ms);
        // Hardly ever does it say anything else than the rest of the entry.
        if written.is_none_or(|written| is_key_of(written, resource, operation, interval_ms)) {
            return Some(OperationKey { resource: resource.clone(), operation: operation.clone(), interval });
        }
        let written = written?;
        match OperationKey::split(written) {
            Ok((name, operation, interval)) => {
                let is_same = resource.as_str() == name;
                let resource = if is_same { resource.clone() } else { self.shared(name).into() };
                Some(OperationKey { resource, operation: self.shared(operation), interval })
            }
            Err(error) => {
                self.error(element, format!("operation_key: {error}"));
                None
            }
        }
    }

    /// Keys had other forms before Pacemaker 1.0; the rest of such an entry still counts.
    fn magic(
        &mut self,
        element: Element<'d>,
        magic: Option<&'d str>,
        key: Option<&'d str>,
        former_uuid: Option<&Arc<str>>,
    ) -> Option<TransitionMagic> {
        let text = magic?;
        let mut magic = match TransitionMagic::read(text, |uuid| self.shared_like(former_uuid, uuid)) {
            Ok(magic) => Some(magic),
            Err(error) => {
                self.warning(element, format!("transition-magic: {error}"));
                None
            }
        };
        if let (Some(magic), None) = (&mut magic, key) {
            // Only the key counts for what result was expected: without, none was.
            magic.key.target_rc = OcfRc::from_code(-1);
        }
        if let (Some(magic), Some(key)) = (&mut magic, key)
            && text.strip_suffix(key).is_none_or(|result| !result.ends_with(';'))
            && let Some(key) = self.transition_key(element, key)
        {
            // Where the two differ (in histories of long ago), the key tells what result was expected.
            magic.key.target_rc = key.target_rc;
        }
        magic
    }

    fn transition_key(&mut self, element: Element<'d>, text: &'d str) -> Option<TransitionKey> {
        match TransitionKey::read(text, |uuid| self.shared(uuid)) {
            Ok(key) => Some(key),
            Err(error) => {
                self.warning(element, format!("transition-key: {error}"));
                None
            }
        }
    }

    /// A digest and the names of the parameters it is about.
    fn named_digest(&mut self, (names, digest): NamedDigest<'d>) -> (Option<Arc<str>>, Arc<str>) {
        let digest = self.shared(digest);
        (names.map(|names| self.shared(names)), digest)
    }

    fn tickets(&mut self, section: Element<'d>) -> Vec<Ticket> {
        let mut tickets = Vec::new();
        for element in section.children() {
            if !element.is("ticket_state") {
                self.unknown(element, "<tickets>");
                continue;
            }
            let Some(id) = self.required(element, "id") else { continue };
            let other = element
                .attrs()
                .filter(|(name, _)| !matches!(*name, "id" | "granted" | "standby" | "last-granted"))
                .map(|(name, value)| (self.shared(name), self.shared(value)))
                .collect();
            tickets.push(Ticket {
                id: self.shared(id),
                granted: self.boolean(element, "granted").unwrap_or(false),
                standby: self.boolean(element, "standby").unwrap_or(false),
                last_granted: self.number(element, "last-granted").map(Timestamp),
                other,
            });
        }
        tickets
    }
}

/// A digest, behind the names of the parameters it is about.
type NamedDigest<'d> = (Option<&'d str>, &'d str);

/// What an entry says of its operation, without what came of it.
struct OpText<'d> {
    id: &'d str,
    key: Option<&'d str>,
    task: &'d str,
    interval_ms: u64,
    digest: Option<&'d str>,
    restart: Option<NamedDigest<'d>>,
    secure: Option<NamedDigest<'d>>,
    migrate_source: Option<&'d str>,
    migrate_target: Option<&'d str>,
}

impl OpText<'_> {
    /// Whether all it says is what has been read of another entry of the resource.
    fn is_of(&self, op: &RecordedOp, resource: &ResourceId) -> bool {
        let says = |text: Option<&str>, known: &Option<Arc<str>>| text == known.as_deref();
        let names = |text: Option<&str>, known: &Option<NodeId>| text == known.as_ref().map(NodeId::as_str);
        let is_digest = |text: Option<NamedDigest<'_>>, known: &Option<(Option<Arc<str>>, Arc<str>)>| {
            text == known.as_ref().map(|(names, digest)| (names.as_deref(), &**digest))
        };
        let is_plain_key = op.key.resource == *resource
            && op.key.operation == op.task
            && op.key.interval == Duration::from_millis(op.interval_ms)
            && self.key.is_none_or(|key| is_key_of(key, resource, self.task, self.interval_ms));
        *op.id == *self.id
            && *op.task == *self.task
            && op.interval_ms == self.interval_ms
            && op.has_key == self.key.is_some()
            && is_plain_key
            && says(self.digest, &op.digest_all)
            && is_digest(self.restart, &op.digest_restart)
            && is_digest(self.secure, &op.digest_secure)
            && names(self.migrate_source, &op.migrate_source)
            && names(self.migrate_target, &op.migrate_target)
    }
}

/// Histories of another node, those that are left to come. Nodes have much the same histories in much the same sequence, and
/// what is compared with the one that comes next need not be looked for in the memory of a large cluster.
pub(super) struct Former<'h>(pub &'h [ResourceHistory]);

/// How many histories of the other node may be missing here at a time.
const MAX_GAP: usize = 8;

impl<'h> Former<'h> {
    /// The other node's history of a resource, if it is among the next.
    fn find(&mut self, resource: &str) -> Option<&'h ResourceHistory> {
        let near = &self.0[..self.0.len().min(MAX_GAP)];
        let at = near.iter().position(|history| history.resource == *resource)?;
        let found = &self.0[at];
        self.0 = &self.0[at + 1..];
        Some(found)
    }
}

/// Whether a key is that of an operation of this resource.
fn is_key_of(key: &str, resource: &ResourceId, operation: &str, interval_ms: u64) -> bool {
    let behind =
        |text: Option<_>, part: &str| text.and_then(|text: &str| text.strip_prefix(part)?.strip_prefix('_'));
    let interval = behind(behind(Some(key), resource.as_str()), operation);
    interval.and_then(|interval| interval.parse().ok()) == Some(interval_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Texts are taken over from the node before where they are the same, and only there.
    #[test]
    fn what_a_node_has_done_is_read_alike_whoever_stands_before_it() {
        let history = |id: &str, digest: &str| {
            format!(
                "<lrm_resource id=\"{id}\" class=\"ocf\" provider=\"p\" type=\"t\"><lrm_rsc_op id=\"{id}_{digest}\" \
                 operation=\"monitor\" rc-code=\"7\" op-status=\"0\" op-digest=\"{digest}\"/></lrm_resource>"
            )
        };
        let state = |node: &str, histories: &str| {
            format!(
                "<node_state id=\"{node}\"><lrm><lrm_resources>{histories}</lrm_resources></lrm></node_state>"
            )
        };
        let many: String = (0..20).map(|n| history(&format!("r{n}"), "d")).collect();
        let read = |states: &str| {
            let (cib, _) = Cib::parse(&format!("<cib><status>{states}</status></cib>")).expect("it is XML");
            cib.node_states
        };
        let before = state("a", &many);
        for (ids, digest) in
            [("r0 r1 r2", "d"), ("r1 r5", "other"), ("r19 r0", "d"), ("r2 r1 r3 x", "d"), ("", "d")]
        {
            let own: String = ids.split_whitespace().map(|id| history(id, digest)).collect();
            let own = state("b", &own);
            assert_eq!(read(&format!("{before}{own}"))[1..], read(&own), "{ids}");
        }
    }
}
