//! Whether plans, carried out without failures, come to rest.

use std::collections::BTreeSet;
use systole_cib::{read, xml::Document};
use systole_graph::{Action, ActionKind, Flaw, check};
use systole_scheduler::schedule;
use systole_types::Timestamp;
use systole_whatif::carry_out;

/// What came of carrying plans out one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// Nothing more to do after that many rounds.
    AtRest(usize),
    /// A plan that cannot be carried out, or must not be.
    Flawed(Vec<Flaw>),
    /// Still something to do after all rounds: the operations of the last plan.
    Restless(Vec<String>),
}

/// Whether nothing is left to do about an action: it does nothing, or what it does is not recorded by a simulation (nor by the
/// incumbent's).
fn is_over(action: &Action) -> bool {
    let is_unrecorded =
        matches!(&*action.operation, "do_shutdown" | "delete" | "lrm_delete" | "clear_failcount");
    action.kind == ActionKind::Pseudo || is_unrecorded
}

/// Carries out plan after plan, at most `max_rounds`.
pub fn settle(document: &mut Document, now: Option<Timestamp>, max_rounds: usize) -> Settled {
    let mut left = Vec::new();
    for round in 0..=max_rounds {
        let (cib, _) = read(document);
        let now = now.or(cib.execution_date).unwrap_or(crate::NOW);
        let transition = schedule(&cib, now);
        let flaws = check(&transition.graph);
        if !flaws.is_empty() {
            return Settled::Flawed(flaws);
        }
        if transition.graph.synapses.iter().all(|synapse| is_over(&synapse.action)) {
            return Settled::AtRest(round);
        }
        let graph = transition.graph.clone();
        let known: BTreeSet<String> = transition
            .status
            .iter_resources()
            .flat_map(|(_, rsc)| [Some(rsc.id.to_string()), rsc.history_id.as_ref().map(ToString::to_string)])
            .flatten()
            .collect();
        drop(transition);
        left = graph.synapses.iter().map(|synapse| synapse.action.key.to_string()).collect();
        carry_out(document, &graph, &|name| known.contains(name), &[], now);
    }
    Settled::Restless(left)
}
