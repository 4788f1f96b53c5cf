//! Trying changes: one at a time, then two together, then three; at last all that is mild at once.

use super::{Remedy, suggestions};
use crate::{Course, Event, Goal, Happening, Moment, Settled, follow, why::Asker};
use std::collections::BTreeSet;
use systole_cib::{read, xml::Document};
use systole_scheduler::{Status, placement::Detail};

/// How many changes are tried together at most.
const MAX_CHANGES: usize = 3;
/// How many that only take back a passing state.
const MAX_MILD: usize = 12;

/// Changes that have been seen to work.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Made together.
    pub remedies: Vec<Remedy>,
    /// What happens then that does not happen anyway.
    pub happenings: Vec<Happening>,
}

impl Verified {
    fn new(mut remedies: Vec<Remedy>, course: Course, anyway: &Course) -> Self {
        // What takes something back comes first.
        remedies.sort_by_key(|remedy| (matches!(remedy, Remedy::Move { .. }), remedy.rank()));
        // What waits for itself is planned, and never done.
        let is_stuck = matches!(anyway.settled, Settled::Stuck(_));
        let is_new = |happening: &Happening| {
            is_stuck || !anyway.happenings.iter().any(|known| known.is_same(happening))
        };
        Self { remedies, happenings: course.happenings.into_iter().filter(is_new).collect() }
    }

    fn is_dangerous(&self) -> bool {
        self.remedies.iter().any(Remedy::is_dangerous)
    }
}

/// What a search came to.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Answers of the same, smallest size.
    pub verified: Vec<Verified>,
    /// How many combinations were tried.
    pub n_tried: usize,
    /// Some were not tried: there were too many.
    pub is_cut_short: bool,
}

impl Found {
    /// Whether something milder of the same kind has been found to help.
    fn is_spared(&self, remedy: &Remedy) -> bool {
        let known = self.verified.iter().flat_map(|verified| &verified.remedies);
        known.filter(|known| *known != remedy).any(|known| match (known, remedy) {
            // Everywhere, or just where it failed: that comes to the same.
            (Remedy::Cleanup { resource: known, node: known_node }, Remedy::Cleanup { resource, node }) => {
                known == resource && (known_node.is_none() || node.is_none())
            }
            (Remedy::Cleanup { resource: Some(known), .. }, Remedy::Refresh { resource, .. }) => {
                known == resource
            }
            (Remedy::Refresh { resource: known, node: known_node }, Remedy::Refresh { resource, node }) => {
                known == resource && (known_node.is_none() || node.is_none())
            }
            (Remedy::Event(Event::NodeBack(_)), Remedy::Event(Event::QuorumBack)) => true,
            (Remedy::Event(Event::TimeIs(known)), Remedy::Event(Event::TimeIs(at))) => known <= at,
            // The milder kinds of moves are tried first.
            (Remedy::Move { resource: known, node: known_node, .. }, Remedy::Move { resource, node, .. }) => {
                known == resource && known_node == node
            }
            _ => false,
        })
    }
}

/// A search for the smallest change.
pub struct Search<'s> {
    /// How CIBs are looked at.
    pub moment: Moment,
    /// Makes a change on a copy of a CIB, as the command would; `None` if it cannot be made.
    pub make: &'s mut dyn FnMut(&Document, &Remedy) -> Option<Document>,
    /// How many combinations are tried at most.
    pub max_tried: usize,
    /// How many answers are wanted at most.
    pub max_found: usize,
}

impl Search<'_> {
    /// Changes of `document` after which `goal` is reached. `anyway` is what comes of it unchanged.
    pub fn run(&mut self, document: &Document, goal: &Goal, anyway: &Course) -> Found {
        let mut found = Found::default();
        let mut tried = BTreeSet::new();
        let start = Node { document: document.clone(), remedies: Vec::new() };
        let mut failed = self.try_all(&start, goal, anyway, &mut tried, &mut found);
        for _ in 1..MAX_CHANGES {
            if !found.verified.is_empty() || found.is_cut_short {
                break;
            }
            // A further change is derived from what stands in the way after those before.
            let bases = std::mem::take(&mut failed);
            for base in bases {
                failed.extend(self.try_all(&base, goal, anyway, &mut tried, &mut found));
                if found.verified.len() >= self.max_found || found.is_cut_short {
                    break;
                }
            }
        }
        if found.verified.is_empty() {
            found.verified.extend(self.all_mild(document, goal, anyway, &mut found.n_tried));
        }
        // What is dangerous is told only where nothing else helps.
        if found.verified.iter().any(|verified| !verified.is_dangerous()) {
            found.verified.retain(|verified| !verified.is_dangerous());
        }
        found
    }

    /// Where more stands in the way than is tried together: all that only takes back a passing state, round after round,
    /// less what turns out not to be needed.
    fn all_mild(
        &mut self,
        document: &Document,
        goal: &Goal,
        anyway: &Course,
        n_tried: &mut usize,
    ) -> Option<Verified> {
        let mut made: Vec<Remedy> = Vec::new();
        let mut changed = document.clone();
        while !is_reached(goal, &follow(changed.clone(), self.moment), self.moment) {
            let n_made = made.len();
            for remedy in self.suggest(&changed, goal) {
                if remedy.is_mild() && !made.contains(&remedy) {
                    changed = (self.make)(&changed, &remedy)?;
                    made.push(remedy);
                }
            }
            if made.len() == n_made || made.len() > MAX_MILD {
                return None;
            }
            *n_tried += 1;
        }
        for at in (0..made.len()).rev() {
            let mut fewer = made.clone();
            fewer.remove(at);
            let Some(without) = self.make_all(document, &fewer) else { continue };
            *n_tried += 1;
            if is_reached(goal, &follow(without.clone(), self.moment), self.moment) {
                (made, changed) = (fewer, without);
            }
        }
        Some(Verified::new(made, follow(changed, self.moment), anyway))
    }

    fn make_all(&mut self, document: &Document, remedies: &[Remedy]) -> Option<Document> {
        remedies.iter().try_fold(document.clone(), |document, remedy| (self.make)(&document, remedy))
    }

    fn suggest(&self, document: &Document, goal: &Goal) -> Vec<Remedy> {
        let (cib, _) = read(document);
        let transition = self.moment.schedule(&cib, Detail::Scores);
        suggestions(&Asker::new(&transition), document, goal)
    }

    /// Tries what might help after the changes of `base`; returns what did not suffice.
    fn try_all(
        &mut self,
        base: &Node,
        goal: &Goal,
        anyway: &Course,
        tried: &mut BTreeSet<Vec<Remedy>>,
        found: &mut Found,
    ) -> Vec<Node> {
        let candidates = self.suggest(&base.document, goal);
        let mut failed = Vec::new();
        for remedy in candidates {
            if found.verified.len() >= self.max_found {
                break;
            }
            let mut set = base.remedies.clone();
            set.push(remedy.clone());
            set.sort();
            set.dedup();
            if set.len() == base.remedies.len() || !tried.insert(set) {
                continue;
            }
            let has_milder = base.remedies.iter().chain([&remedy]).any(|remedy| found.is_spared(remedy));
            if has_milder || base.remedies.iter().any(|made| made.sets_the_same(&remedy)) {
                continue;
            }
            if found.n_tried >= self.max_tried {
                found.is_cut_short = true;
                break;
            }
            found.n_tried += 1;
            let Some(changed) = (self.make)(&base.document, &remedy) else { continue };
            let mut remedies = base.remedies.clone();
            remedies.push(remedy);
            let course = follow(changed.clone(), self.moment);
            if is_reached(goal, &course, self.moment) {
                found.verified.push(Verified::new(remedies, course, anyway));
            } else {
                failed.push(Node { document: changed, remedies });
            }
        }
        failed
    }
}

/// A CIB with some changes made.
struct Node {
    document: Document,
    remedies: Vec<Remedy>,
}

/// Whether a goal is reached at the end of a course.
pub fn is_reached(goal: &Goal, course: &Course, moment: Moment) -> bool {
    let (cib, _) = read(&course.document);
    goal.is_reached(&Status::unpack(&cib, moment.now))
}
