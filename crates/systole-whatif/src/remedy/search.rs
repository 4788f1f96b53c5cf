//! Trying changes: one at a time, then two together, then three.

use super::{Remedy, suggestions};
use crate::{Course, Event, Goal, Happening, Moment, follow, why::Asker};
use std::collections::BTreeSet;
use systole_cib::{read, xml::Document};
use systole_scheduler::{Status, placement::Detail};

/// How many changes are tried together at most.
const MAX_CHANGES: usize = 3;

/// Changes that have been seen to work.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Made together.
    pub remedies: Vec<Remedy>,
    /// What happens then that does not happen anyway.
    pub happenings: Vec<Happening>,
}

impl Verified {
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
        let mut known = self.verified.iter().flat_map(|verified| &verified.remedies);
        known.any(|known| match (known, remedy) {
            (Remedy::Cleanup { resource: Some(known), .. }, Remedy::Refresh { resource, .. }) => {
                known == resource
            }
            (Remedy::Event(Event::NodeBack(_)), Remedy::Event(Event::QuorumBack)) => true,
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
        // What is dangerous is told only where nothing else helps.
        if found.verified.iter().any(|verified| !verified.is_dangerous()) {
            found.verified.retain(|verified| !verified.is_dangerous());
        }
        found
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
        let (cib, _) = read(&base.document);
        let transition = self.moment.schedule(&cib, Detail::Scores);
        let candidates = suggestions(&Asker::new(&transition), &base.document, goal);
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
            if found.is_spared(&remedy) {
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
                // What takes something back comes first.
                remedies.sort_by_key(|remedy| (matches!(remedy, Remedy::Move { .. }), remedy.rank()));
                let is_new =
                    |happening: &Happening| !anyway.happenings.iter().any(|known| known.is_same(happening));
                let happenings = course.happenings.into_iter().filter(is_new).collect();
                found.verified.push(Verified { remedies, happenings });
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
