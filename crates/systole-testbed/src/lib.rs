//! The workshop's simulator: whole clusters on a seeded clock, network, disk, power and agents.
//!
//! The machines are the real ones of `systole-cluster`, the scheduler is the real one; everything around them is in
//! memory. A [`scenario`] injects faults, a [`check::Checker`] watches, then faults end and the cluster must come to
//! rest. The same seed gives the same story, to the letter.

#![forbid(unsafe_code)]

pub mod agents;
pub mod check;
pub mod cluster;
pub mod far;
pub mod host;
pub mod network;
pub mod notices;
mod random;
pub mod scenario;
pub mod script;
pub mod session;
pub mod station;

pub use cluster::Cluster;
pub use random::Random;

use std::{cell::RefCell, collections::VecDeque};
use systole_cib::model::Cib;
use systole_cluster::{InputKind, Plan, engine::caution};
use systole_graph::{Flaw, check};
use systole_types::Timestamp;

/// A moment, in microseconds since the simulation began; or a span.
pub type Micros = u64;

/// A host, by its place in the list.
pub type NodeIdx = usize;

/// Takes the first of a queue if its time has come.
fn pop_if<T>(queue: &mut VecDeque<T>, is_due: impl Fn(&T) -> bool) -> Option<T> {
    if is_due(queue.front()?) { queue.pop_front() } else { None }
}

/// One second.
pub const SECOND: Micros = 1_000_000;

thread_local! {
    /// What the independent checker found in graphs of this thread's cluster. A planner is a plain function, and gives nothing
    /// back but its plan.
    static FLAWS: RefCell<Vec<Flaw>> = const { RefCell::new(Vec::new()) };
}

/// The real scheduler. Every graph is checked as it will be carried out, and as it would be if a remote node were out of reach.
pub fn plan(cib: &Cib, now: Timestamp) -> Plan {
    let transition = systole_scheduler::schedule(cib, now);
    let (graph, recheck) = (transition.graph, transition.status.recheck.next());
    let mut amended = graph.clone();
    caution::amend(&mut amended);
    FLAWS.with_borrow_mut(|flaws| {
        flaws.extend(check(&amended));
        for node in caution::stopped_connections(&amended) {
            let mut without = amended.clone();
            caution::let_go(&mut without, &node);
            flaws.extend(check(&without));
        }
    });
    Plan { graph, kind: InputKind::Input, recheck }
}

/// What was found in graphs since this was asked last.
fn take_flaws() -> Vec<Flaw> {
    FLAWS.take()
}
