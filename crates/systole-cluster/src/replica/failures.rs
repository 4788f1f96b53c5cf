//! Fail counts: what a failed operation adds to them.
//!
//! A failure is counted with the change that records it, so it counts once, whichever DC is lost meanwhile. Below
//! [`LEVEL_OF_COUNTS`] the DC has it counted by a message of its own.

use super::{Replica, has_succeeded};
use crate::message::{AttributeChange, AttributeValue, LEVEL_OF_COUNTS};
use systole_types::OpStatus;
use systole_wire::exec::OperationResult;

/// Where the DC says with a start or a stop what its failure counts as, if that is not INFINITY. Agents do not mind.
const OFFSET: &str = "CRM_meta_systole_fail_offset";

impl Replica {
    /// Counts what has failed of results that are being recorded. What was given up before was counted then.
    pub(super) fn count_failures(&mut self, results: &[OperationResult]) {
        if self.level < LEVEL_OF_COUNTS {
            return;
        }
        for result in results {
            if self.ledger.given_up.is_late(result) {
                continue;
            }
            for change in failure_of(result) {
                if self.node_state(&change.node).is_some() {
                    self.change_attribute(&change);
                }
            }
        }
    }

    /// Keeps in mind that these count as failed already, should they be answered after all.
    pub(super) fn remember_given_up(&mut self, results: &[OperationResult]) {
        if self.level >= LEVEL_OF_COUNTS {
            self.ledger.given_up.remember(results);
        }
    }
}

/// What a result means for fail counts. Probes do not count, nor does what nobody knows the outcome of.
pub(crate) fn failure_of(result: &OperationResult) -> Vec<AttributeChange> {
    let operation = &result.operation;
    let meta = |name: &str| operation.parameters.get(name).map(String::as_str);
    let is_over = result.status == OpStatus::Cancelled.code() || has_succeeded(result);
    let is_probe = operation.operation == "monitor" && operation.interval_ms == 0;
    let is_unknown = result.status == OpStatus::NotConnected.code();
    let is_ignored = meta("CRM_meta_on_fail") == Some("ignore");
    // Where it was run, as the graph said.
    let Some(node) = meta("CRM_meta_on_node") else { return Vec::new() };
    if is_over || is_probe || is_ignored || is_unknown || operation.operation == "notify" {
        return Vec::new();
    }
    let offset = match operation.operation.as_str() {
        "start" | "stop" => meta(OFFSET).unwrap_or("INFINITY"),
        _ => "1",
    };
    let count = match offset {
        "1" => AttributeValue::Increment,
        offset => AttributeValue::Set(offset.to_owned()),
    };
    let what = format!("{}#{}_{}", operation.resource, operation.operation, operation.interval_ms);
    let at = AttributeValue::Set(result.at.to_string());
    let change =
        |name: String, to| AttributeChange { node: node.to_owned(), name, to, ..AttributeChange::default() };
    vec![change(format!("fail-count-{what}"), count), change(format!("last-failure-{what}"), at)]
}

/// What is said with an operation so that its failure counts as so much.
pub(crate) fn fail_offset(offset: &str) -> Option<(String, String)> {
    (offset != "INFINITY").then(|| (OFFSET.to_owned(), offset.to_owned()))
}
