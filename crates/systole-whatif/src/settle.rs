//! Scheduling and carrying out until nothing is left to do.

use crate::{Circle, Names, Outcome, Step, carry_out_in_cluster};
use systole_cib::{model::Cib, read, xml::Document};
use systole_scheduler::{Transition, placement::Detail, plan::Origin, schedule_in_detail};
use systole_types::{LocalTime, Timestamp};

/// Rounds after which a cluster that does not come to rest is given up.
pub const MAX_ROUNDS: usize = 10;

/// How a CIB is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// When; `execution-date` of the CIB is preferred.
    pub now: LocalTime,
    /// Whether secrets may have been taken out of it.
    pub origin: Origin,
}

impl Moment {
    /// Works out what the cluster should do next.
    pub fn schedule<'c>(&self, cib: &'c Cib, detail: Detail) -> Transition<'c> {
        schedule_in_detail(cib, self.now, detail, self.origin)
    }
}

/// What came of carrying plans out one after the other.
#[derive(Clone, Debug, PartialEq)]
pub enum Settled {
    /// Nothing more to do after that many rounds.
    AtRest(usize),
    /// Still something to do after all rounds, or the same again and again: what was done last.
    Restless(Vec<Step>),
    /// The last plan waits for itself.
    Stuck(Circle),
}

impl Settled {
    /// Whether nothing is left to do.
    pub const fn is_at_rest(&self) -> bool {
        matches!(self, Self::AtRest(_))
    }
}

/// Schedules `document` and carries the graph out without failures, again and again, until nothing is left to do. Each
/// round is shown to `watch` before it is carried out.
pub fn settle(
    document: &mut Document,
    moment: Moment,
    detail: Detail,
    watch: &mut dyn FnMut(&Transition<'_>),
) -> Settled {
    let mut last_steps = Vec::new();
    for round in 0..MAX_ROUNDS {
        let (cib, _) = read(document);
        let transition = moment.schedule(&cib, detail);
        watch(&transition);
        if transition.graph.is_empty() {
            return Settled::AtRest(round);
        }
        let Outcome { steps, is_complete } = carry_out_round(document, &transition, moment.now.at);
        if let Some(circle) = Circle::of(&transition).filter(|_| !is_complete) {
            return Settled::Stuck(circle);
        }
        if steps.is_empty() {
            // Only orders were left: nothing that anybody would do.
            return Settled::AtRest(round);
        }
        if steps == last_steps {
            // It goes on like this for ever.
            return Settled::Restless(steps);
        }
        last_steps = steps;
    }
    Settled::Restless(last_steps)
}

/// Carries out one graph; tells what was done to resources and nodes.
fn carry_out_round(document: &mut Document, transition: &Transition<'_>, now: Timestamp) -> Outcome {
    let names = Names::of(&transition.status);
    let mut outcome = carry_out_in_cluster(document, &transition.graph, &names, now);
    outcome.steps.retain(|step| !matches!(step, Step::Pseudo { .. }));
    outcome
}
