//! Why scores are what they are: kept for [`super::Detail::Scores`] only.

use super::{
    Detail,
    colocation::{Colocation, Source},
    table::{INFINITY, NodeTable},
    work::Assigner,
};
use crate::{
    NodeIdx, Note, RscIdx,
    note::{Cause, Companion, Level, NotPromoted, NoteKind},
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
        cause: impl FnOnce(&Self) -> Cause,
    ) {
        if !self.keeps_reasons() {
            return;
        }
        let cause = cause(self);
        let kind = if score <= -INFINITY {
            NoteKind::Banned(cause)
        } else {
            NoteKind::Scored(Score::finite(score.into()), cause)
        };
        self.tell(rsc, node, element, kind);
    }

    /// An instance is not promoted.
    pub fn because_not_promoted(&mut self, instance: RscIdx, node: Option<NodeIdx>, why: NotPromoted) {
        if self.keeps_reasons() {
            self.tell(instance, node, None, NoteKind::NotPromoted(why));
        }
    }

    fn tell(&mut self, rsc: RscIdx, node: Option<NodeIdx>, element: Option<&ElementId>, kind: NoteKind) {
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
            let says = match place {
                _ if is_primary && change <= -INFINITY => Companion::MayNot,
                _ if is_primary && change < 0 => Companion::Dislikes,
                _ if is_primary => Companion::Likes,
                Some(place) if place == new.node => Companion::IsHere,
                Some(place) => Companion::IsElsewhere(self.st.node(place).name.clone()),
                None if self.assigned_nodes(other).is_empty() => Companion::IsNowhere,
                None => Companion::IsSeveral,
            };
            self.because(rsc, Some(new.node), change, element, |_| Cause::Colocation {
                with: other_name.clone(),
                says,
            });
        }
    }

    /// How many reasons there are, to take back with [`Assigner::forget_reasons`] what is said from now on.
    pub fn n_reasons(&self) -> usize {
        self.notes.len()
    }

    /// Takes back what was said about a resource (and its members) since: what it was true of is not done.
    pub fn forget_reasons(&mut self, rsc: RscIdx, since: usize) {
        if !self.keeps_reasons() {
            return;
        }
        let mut names = vec![self.st.rsc(rsc).id.clone()];
        names.extend(self.rsc[rsc.i()].children.iter().map(|child| self.st.rsc(*child).id.clone()));
        let mut at = 0;
        self.notes.retain(|note| {
            at += 1;
            at <= since || note.resource.as_ref().is_none_or(|id| !names.contains(id))
        });
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
