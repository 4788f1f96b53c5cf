//! Scheduling and carrying out until nothing is left to do.

use crate::{
    Step, carry_out,
    record::{Membership, Recorder},
};
use std::collections::BTreeSet;
use systole_cib::{model::Cib, read, xml::Document};
use systole_scheduler::{Transition, placement::Detail, plan::Origin, schedule_in_detail};
use systole_types::Timestamp;

/// Rounds after which a cluster that does not come to rest is given up.
pub const MAX_ROUNDS: usize = 10;

/// How a CIB is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// When; `execution-date` of the CIB is preferred.
    pub now: Timestamp,
    /// Whether secrets may have been taken out of it.
    pub origin: Origin,
}

impl Moment {
    /// Works out what the cluster should do next.
    pub fn schedule<'c>(&self, cib: &'c Cib, detail: Detail) -> Transition<'c> {
        schedule_in_detail(cib, cib.execution_date.unwrap_or(self.now), detail, self.origin)
    }
}

/// Schedules `document` and carries the graph out without failures, again and again, until nothing is left to do: then the
/// answer is `true`. Each round is shown to `watch` before it is carried out.
pub fn settle(
    document: &mut Document,
    moment: Moment,
    detail: Detail,
    watch: &mut dyn FnMut(&Transition<'_>),
) -> bool {
    let mut last_steps = Vec::new();
    for _ in 0..MAX_ROUNDS {
        let (cib, _) = read(document);
        let transition = moment.schedule(&cib, detail);
        watch(&transition);
        if transition.graph.is_empty() {
            return true;
        }
        let steps = carry_out_round(document, &transition, moment.now);
        if steps.is_empty() {
            // Only orders were left: nothing that anybody would do.
            return true;
        }
        if steps == last_steps {
            // It goes on like this for ever.
            return false;
        }
        last_steps = steps;
    }
    false
}

/// Carries out one graph; tells what was done to resources and nodes.
fn carry_out_round(document: &mut Document, transition: &Transition<'_>, now: Timestamp) -> Vec<Step> {
    let names: BTreeSet<&str> = transition
        .status
        .iter_resources()
        .flat_map(|(_, rsc)| [Some(rsc.id.as_str()), rsc.history_id.as_ref().map(|id| id.as_str())])
        .flatten()
        .collect();
    let outcome = carry_out(document, &transition.graph, &|name| names.contains(name), &[], now);
    forget(document, &outcome.steps, now);
    outcome.steps.into_iter().filter(|step| !matches!(step, Step::Pseudo { .. })).collect()
}

/// What a cluster forgets and `crm_simulate` keeps: monitors that were cancelled, and all that was in a guest that is gone.
fn forget(document: &mut Document, steps: &[Step], now: Timestamp) {
    let mut recorder = Recorder::new(document, now);
    for step in steps {
        match step {
            Step::Pseudo { key, node: Some(node) } if key.starts_with("stonith-") => {
                let state = recorder.node_state(node, None);
                recorder.set_node_state(state, Membership::Down);
                recorder.forget_node(state);
            }
            Step::Resource { resource, operation, interval_ms, node } if operation == "cancel" => {
                let state = recorder.node_state(node, None);
                recorder.forget_recurring(state, resource, *interval_ms);
            }
            _ => {}
        }
    }
}
