//! `<status>`.

use super::context::Reader;
use crate::{
    model::{Agent, Cib, HistoryEntry, NodeState, ResourceHistory, Ticket},
    xml::Element,
};
use std::{fmt::Display, str::FromStr, sync::Arc, time::Duration};
use systole_types::{
    NodeId, NodeUuid, OcfRc, OpStatus, OperationKey, ResourceId, Timestamp, TransitionKey, TransitionMagic,
};

impl<'d> Reader<'d> {
    pub fn status(&mut self, section: Element<'d>, cib: &mut Cib) {
        for element in section.children() {
            match element.name() {
                "node_state" => cib.node_states.push(self.node_state(element)),
                "tickets" => cib.tickets.extend(self.tickets(element)),
                _ => self.unknown(element, "<status>"),
            }
        }
    }

    fn node_state(&mut self, element: Element<'d>) -> NodeState {
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
                    let history = child.children_named("lrm_resources").flat_map(|list| self.histories(list));
                    state.history.get_or_insert_default().extend(history.collect::<Vec<_>>());
                }
                _ => self.unknown(child, "a <node_state>"),
            }
        }
        state
    }

    fn histories(&mut self, list: Element<'d>) -> Vec<ResourceHistory> {
        list.children_named("lrm_resource").filter_map(|resource| self.history(resource)).collect()
    }

    fn history(&mut self, element: Element<'d>) -> Option<ResourceHistory> {
        let id = self.required(element, "id")?;
        let agent = match (element.attr("class"), element.attr("type")) {
            (Some(class), Some(kind)) => Some(Agent {
                class: self.shared(class),
                provider: self.text(element, "provider"),
                kind: self.shared(kind),
            }),
            _ => None,
        };
        Some(ResourceHistory {
            resource: ResourceId::new(id),
            agent,
            container: element.attr("container").map(ResourceId::new),
            operations: element
                .children_named("lrm_rsc_op")
                .filter_map(|op| self.history_entry(op, id))
                .collect(),
            shutdown_lock: self.number(element, "shutdown-lock").map(Timestamp),
        })
    }

    fn history_entry(&mut self, element: Element<'d>, resource: &str) -> Option<HistoryEntry> {
        let id = self.required(element, "id")?;
        let mut magic: Option<TransitionMagic> = self.recorded_key(element, "transition-magic");
        if let (Some(magic), Some(key)) =
            (&mut magic, self.recorded_key::<TransitionKey>(element, "transition-key"))
        {
            // Where the two differ (in histories of long ago), the key tells what result was expected.
            magic.key.target_rc = key.target_rc;
        }
        let rc = self.number(element, "rc-code").map(OcfRc::from_code);
        let Some(rc) = rc.or(magic.as_ref().map(|magic| magic.rc)) else {
            self.warning(element, "rc-code is missing: the operation is ignored");
            return None;
        };
        let status = self.number(element, "op-status").map(OpStatus::from_code);
        let status = status.or(magic.as_ref().map(|magic| magic.status)).unwrap_or(OpStatus::Done);
        let interval_ms = self.number(element, "interval").unwrap_or(0);
        let key = self.operation_key(element, resource, interval_ms)?;
        let operation = self.text(element, "operation").unwrap_or_else(|| key.operation.clone());
        Some(HistoryEntry {
            id: self.shared(id),
            operation,
            key,
            interval_ms,
            call_id: self.number(element, "call-id").unwrap_or(-1),
            rc,
            status,
            magic: magic.or_else(|| self.magic_from_key(element, status, rc)),
            exit_reason: self.text(element, "exit-reason"),
            last_rc_change: self.either(element, "last-rc-change", "last_rc_change").map(Timestamp),
            exec_time_ms: self.either(element, "exec-time", "exec_time"),
            queue_time_ms: self.either(element, "queue-time", "queue_time"),
            digest_all: self.text(element, "op-digest"),
            digest_restart: self.digest(element, "op-force-restart", "op-restart-digest"),
            digest_secure: self.digest(element, "op-secure-params", "op-secure-digest"),
            on_node: self.text(element, "on_node").map(NodeId::from),
            migrate_source: self.text(element, "migrate_source").map(NodeId::from),
            migrate_target: self.text(element, "migrate_target").map(NodeId::from),
            feature_set: self.text(element, "crm_feature_set"),
            origin: self.text(element, "crm-debug-origin"),
        })
    }

    /// `operation_key`; releases before 1.1 left it out.
    fn operation_key(
        &mut self,
        element: Element<'d>,
        resource: &str,
        interval_ms: u64,
    ) -> Option<OperationKey> {
        if element.attr("operation_key").is_some() {
            let key: OperationKey = self.value(element, "operation_key")?;
            let (resource, operation) = (self.shared(key.resource.as_str()), self.shared(&key.operation));
            return Some(OperationKey { resource: resource.into(), operation, ..key });
        }
        let operation = self.required(element, "operation")?;
        Some(OperationKey::new(resource, operation, Duration::from_millis(interval_ms)))
    }

    fn magic_from_key(
        &mut self,
        element: Element<'d>,
        status: OpStatus,
        rc: OcfRc,
    ) -> Option<TransitionMagic> {
        let key: TransitionKey = self.recorded_key(element, "transition-key")?;
        Some(TransitionMagic { status, rc, key })
    }

    /// Keys had other forms before Pacemaker 1.0; the rest of such an entry still counts.
    fn recorded_key<T: FromStr<Err: Display>>(&mut self, element: Element<'d>, name: &str) -> Option<T> {
        match element.attr(name)?.parse() {
            Ok(key) => Some(key),
            Err(error) => {
                self.warning(element, format!("{name}: {error}"));
                None
            }
        }
    }

    /// A number under today's name, or under the one of Pacemaker 1.0.
    fn either<T: FromStr>(&mut self, element: Element<'d>, name: &str, older: &str) -> Option<T> {
        self.number(element, if element.attr(name).is_some() { name } else { older })
    }

    /// A digest and the names of the parameters it is about.
    fn digest(
        &mut self,
        element: Element<'d>,
        names: &str,
        digest: &str,
    ) -> Option<(Option<Arc<str>>, Arc<str>)> {
        let digest = self.text(element, digest)?;
        Some((self.text(element, names), digest))
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
