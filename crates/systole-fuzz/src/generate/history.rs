//! How the status section came about: plans carried out, wholly or in part, with things going wrong in between.

use super::sketch::{Sketch, Theme};
use crate::NOW;
use std::collections::BTreeSet;
use systole_cib::read;
use systole_graph::{ActionKind, TransitionGraph};
use systole_scheduler::schedule;
use systole_types::Timestamp;
use systole_whatif::{Names, OpFail, carry_out};

/// Results of operations that happen.
pub const RESULTS: [i32; 9] = [1, 1, 5, 7, 2, 0, 8, 9, 190];

impl Sketch {
    /// Lets the cluster live for a while.
    pub fn live(&mut self) {
        let n_rounds = *self.random.pick(&[0, 1, 1, 2, 2, 3, 4]);
        for round in 0..n_rounds {
            let age = self.random.between(0, 2) * 1000 + 10 * (n_rounds - round);
            self.carry_plan_out(Timestamp(NOW.0 - age as i64));
            self.set_promotion_scores();
            self.suffer();
            if self.random.chance(50) {
                self.change_configuration();
            }
        }
        if n_rounds == 0 {
            self.suffer();
        }
    }

    /// One thing more: a plan is carried out as it was meant, or something happens.
    pub fn go_on(&mut self) {
        match self.random.between(0, 9) {
            0..=3 => self.carry_all_out(),
            4 => self.change_configuration(),
            _ => self.suffer_any(),
        }
    }

    fn carry_all_out(&mut self) {
        let (cib, _) = read(&self.document);
        let transition = schedule(&cib, NOW);
        let (graph, names) = (transition.graph.clone(), Names::of(&transition.status));
        drop(transition);
        carry_out(&mut self.document, &graph, &names, &[], NOW);
    }

    fn carry_plan_out(&mut self, when: Timestamp) {
        let (cib, _) = read(&self.document);
        let transition = schedule(&cib, when);
        let mut graph = transition.graph.clone();
        let names = Names::of(&transition.status);
        drop(transition);
        let mut in_flight = Vec::new();
        if self.random.chance(30) {
            in_flight = self.interrupt(&mut graph);
        }
        let failures = self.choose_failures(&graph);
        carry_out(&mut self.document, &graph, &names, &failures, when);
        for (node, key) in in_flight {
            self.make_pending(&node, &key);
        }
    }

    /// Drops some actions and all that waits for them. Answers with actions that are left, but not over.
    fn interrupt(&mut self, graph: &mut TransitionGraph) -> Vec<(String, String)> {
        let mut dropped = BTreeSet::new();
        let mut unfinished = BTreeSet::new();
        for synapse in &graph.synapses {
            if self.random.chance(20) {
                let set = if self.random.chance(40) { &mut unfinished } else { &mut dropped };
                set.insert(synapse.action.id);
            }
        }
        loop {
            let before = dropped.len();
            for synapse in &graph.synapses {
                if synapse.inputs.iter().any(|input| dropped.contains(input) || unfinished.contains(input)) {
                    dropped.insert(synapse.action.id);
                }
            }
            if dropped.len() == before {
                break;
            }
        }
        graph.synapses.retain(|synapse| !dropped.contains(&synapse.action.id));
        let is_unfinished = graph.synapses.iter().filter(|synapse| unfinished.contains(&synapse.action.id));
        let operations =
            is_unfinished.filter(|synapse| matches!(synapse.action.kind, ActionKind::Resource(_)));
        let names = operations.filter_map(|synapse| {
            Some((synapse.action.node.as_ref()?.0.to_string(), synapse.action.key.to_string()))
        });
        names.collect()
    }

    fn choose_failures(&mut self, graph: &TransitionGraph) -> Vec<OpFail> {
        let percent = if self.is_about(Theme::Failures) { 15 } else { 3 };
        let mut failures = Vec::new();
        for synapse in &graph.synapses {
            let ActionKind::Resource(rsc) = &synapse.action.kind else { continue };
            let Some((node, _)) = &synapse.action.node else { continue };
            if self.random.chance(percent) {
                let interval = synapse.action.meta("interval").unwrap_or("0");
                let which = format!("{}_{}_{interval}@{node}", rsc.id, synapse.action.operation);
                failures.push(OpFail { which, rc: *self.random.pick(&RESULTS) });
            }
        }
        failures
    }
}
