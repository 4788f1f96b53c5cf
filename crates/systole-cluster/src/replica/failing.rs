//! Failures that an administrator makes up.

use super::{Counted, Replica, remote::Place};
use crate::message::feature_set;
use std::collections::BTreeMap;
use systole_types::{OcfRc, OpStatus};
use systole_wire::exec::{Digests, Operation, OperationResult};

/// The operation that has failed then: nobody asks for it, so it is no operation's place in a history that is taken.
const OPERATION: &str = "asyncmon";
/// Its transition key, of no transition: as Pacemaker's tools have it.
const TRANSITION_KEY: &str = "0:0:0:xxxxxxxx-xrsc-opxx-xcrm-resourcexxxx";

impl Replica {
    /// Writes down that a resource failed on a node. Returns the result, or that nothing is known of it there.
    pub fn fail(&mut self, node: &str, resource: &str, at: i64) -> Result<OperationResult, String> {
        let state = self.node_state(node).ok_or_else(|| format!("there is no node {node}"))?;
        let place = Place { id: state.id().unwrap_or(node).to_owned(), name: node.to_owned() };
        let key = self.status().find_resource(node, resource);
        let entry = key.map(|key| self.cib.element(key));
        let entry = entry.ok_or_else(|| format!("nothing is known of {resource} on {node}"))?;
        let text = |name: &str| entry.attr(name).map(str::to_owned);
        let operation = Operation {
            // Later than what is known of it, or it would be taken to be over.
            call: self.last_call(node, resource) + 1,
            key: format!("{resource}_{OPERATION}_0"),
            resource: resource.to_owned(),
            class: text("class").unwrap_or_default(),
            provider: text("provider"),
            agent: text("type").unwrap_or_default(),
            operation: OPERATION.to_owned(),
            interval_ms: 0,
            timeout_ms: 0,
            start_delay_ms: 0,
            parameters: BTreeMap::from([("CRM_meta_on_node".to_owned(), node.to_owned())]),
            transition_key: TRANSITION_KEY.to_owned(),
            expected_rc: None,
            digests: Digests::default(),
        };
        let result = OperationResult {
            number: 0,
            operation,
            rc: OcfRc::Error.code(),
            status: OpStatus::Done.code(),
            exit_reason: "Simulated failure".to_owned(),
            at,
            exec_ms: 0,
            queue_ms: 0,
        };
        let feature_set = feature_set(self.level);
        self.status().record(&place, &result, feature_set);
        self.count_failures(std::slice::from_ref(&result));
        self.count(Counted::Status);
        Ok(result)
    }
}
