//! Why scores are what they are: kept for [`super::Detail::Scores`] only.

use super::{
    Detail,
    colocation::{Colocation, Source},
    table::{INFINITY, NodeTable},
    work::Assigner,
};
use crate::{
    NodeIdx, Note, RscIdx,
    note::{Level, NoteKind},
};
use std::collections::BTreeSet;
use systole_types::{ElementId, Score};

impl<'s> Assigner<'s, '_> {
    /// Whether anyone wants to know.
    pub fn keeps_reasons(&self) -> bool {
        self.detail >= Detail::Scores
    }

    /// A score counted for a resource on a node (`None`: on every node). −INFINITY is a ban.
    pub fn because(
        &mut self,
        rsc: RscIdx,
        node: Option<NodeIdx>,
        score: i32,
        element: Option<&ElementId>,
        reason: impl FnOnce(&Self) -> String,
    ) {
        if !self.keeps_reasons() {
            return;
        }
        let reason = reason(self).into();
        let kind = if score <= -INFINITY {
            NoteKind::Banned { reason }
        } else {
            NoteKind::Scored { score: Score::finite(score.into()), reason }
        };
        let mut note = Note::new(Level::Info, kind).resource(&self.st.rsc(rsc).id);
        note.node = node.map(|node| self.st.node(node).name.clone());
        note.element = element.cloned();
        self.notes.push(note);
    }

    /// The table of a dependent as a colocation found it; `None` if nobody wants to know.
    pub fn before_colocation(&self, rsc: RscIdx) -> Option<NodeTable> {
        self.keeps_reasons().then(|| self.tables[rsc.i()].clone())
    }

    /// Tells what a colocation has changed since `before`.
    pub fn because_of_colocation(
        &mut self,
        rsc: RscIdx,
        before: Option<NodeTable>,
        colocation: &Colocation<'s>,
    ) {
        let Some(before) = before else { return };
        let other = if self.is_part_of(rsc, colocation.dependent) {
            colocation.primary
        } else {
            colocation.dependent
        };
        let is_primary = other == colocation.dependent;
        let (other_name, place) = (self.st.rsc(other).id.clone(), self.assigned_node(other));
        let element = match colocation.id {
            Source::Configured(id) => Some(id),
            Source::Implicit(_) => None,
        };
        for (old, new) in before.iter().copied().zip(self.tables[rsc.i()].clone().iter()) {
            if old.node != new.node || old.score == new.score {
                continue;
            }
            let change = if new.score <= -INFINITY { -INFINITY } else { new.score - old.score };
            self.because(rsc, Some(new.node), change, element, |work| match place {
                _ if is_primary && change <= -INFINITY => {
                    format!("{other_name}, colocated with it, may not run there")
                }
                _ if is_primary && change < 0 => {
                    format!("{other_name}, colocated with it, would rather not be there")
                }
                _ if is_primary => format!("{other_name}, colocated with it, would like to be there"),
                Some(place) if place == new.node => format!("{other_name} will be there"),
                Some(place) => format!("{other_name} will be on {}", work.st.node(place).name),
                None => format!("{other_name}, which it is colocated with, is not or in several places"),
            });
        }
    }

    fn is_part_of(&self, rsc: RscIdx, whole: RscIdx) -> bool {
        std::iter::successors(Some(rsc), |rsc| self.parent(*rsc)).any(|at| at == whole)
    }

    /// Reasons, each once: instances are tried in several places before they are settled.
    pub fn distinct_notes(&mut self) -> Vec<Note> {
        let mut told = BTreeSet::new();
        let notes = std::mem::take(&mut self.notes);
        notes.into_iter().filter(|note| told.insert(note.to_string())).collect()
    }
}
