//! The parameters that resources run with, which their stops need.
//!
//! A plan has the parameters of today's configuration. Whoever changes an address has the resource restarted, and it is the
//! former address that has to be taken off. So it is in Pacemaker.
//!
//! Other than there, a start counts from when it begins, whatever comes of it: what it did halfway is what the stop after
//! it has to undo. Pacemaker's stop gets the parameters of the last start that succeeded, even if a stop did since.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use systole_types::{OcfRc, OpStatus};
use systole_wire::exec::{Operation, OperationResult};

/// Parameters of the resources that may run, as they were started, reloaded or found.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct FormerParameters(BTreeMap<String, BTreeMap<String, String>>);

impl FormerParameters {
    /// What an operation has come to.
    pub fn learn(&mut self, result: &OperationResult) {
        let operation = &result.operation;
        let rc = OcfRc::from_code(result.rc);
        if operation.interval_ms > 0 || result.status != OpStatus::Done.code() {
            return;
        }
        match operation.operation.as_str() {
            "reload" | "reload-agent" if rc == OcfRc::Ok => self.keep(operation),
            "monitor" if matches!(rc, OcfRc::Ok | OcfRc::Promoted) => self.keep(operation),
            "stop" if rc == OcfRc::Ok => self.forget(&operation.resource),
            _ => {}
        }
    }

    fn keep(&mut self, operation: &Operation) {
        let own = operation.parameters.iter().filter(|(name, _)| is_own(name));
        let own = own.map(|(name, value)| (name.clone(), value.clone()));
        self.0.insert(operation.resource.clone(), own.collect());
    }

    pub fn forget(&mut self, resource: &str) {
        self.0.remove(resource);
    }

    /// An operation is about to begin: a stop gets the parameters it needs, those of a start are kept for its stop.
    pub fn begin(&mut self, operation: &mut Operation) {
        match operation.operation.as_str() {
            "start" | "migrate_from" => self.keep(operation),
            "stop" => self.complete(operation),
            _ => {}
        }
    }

    fn complete(&self, operation: &mut Operation) {
        let Some(former) = self.0.get(&operation.resource) else { return };
        operation.parameters.retain(|name, _| !is_own(name));
        operation.parameters.extend(former.clone());
    }
}

/// Whether a parameter is the resource's, and not one of how the operation is done.
fn is_own(name: &str) -> bool {
    !name.starts_with("CRM_meta_") && name != "crm_feature_set"
}
