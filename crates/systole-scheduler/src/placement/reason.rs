//! Why scores are what they are: kept for [`super::Detail::Scores`] only.

use super::{
    Detail,
    colocation::Colocation,
    location::Host,
    table::{INFINITY, NodeTable},
    work::Assigner,
};
use crate::{
    NodeIdx, Note, RscIdx,
    note::{Cause, Companion, Level, NotPromoted, NoteKind},
};
use std::collections::BTreeSet;
use systole_types::{ElementId, Role, Score};

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

    /// A score counted for promoting an instance on a node (`None`: wherever it is).
    pub fn because_promoted(
        &mut self,
        rsc: RscIdx,
        node: Option<NodeIdx>,
        score: i32,
        element: Option<&ElementId>,
        cause: impl FnOnce(&Self) -> Cause,
    ) {
        if score != 0 && self.keeps_reasons() {
            let kind = NoteKind::PromotionScored(Score::finite(score.into()), cause(self));
            self.tell(rsc, node, element, kind);
        }
    }

    /// A colocation counted for promoting an instance on a node.
    pub fn because_promoted_with(
        &mut self,
        rsc: RscIdx,
        node: NodeIdx,
        change: i32,
        colocation: &Colocation<'s>,
    ) {
        let primary = colocation.primary;
        self.because_promoted(rsc, Some(node), change, colocation.element(), |work| Cause::Colocation {
            with: work.st.rsc(primary).id.clone(),
            says: work.whereabouts(colocation, node),
        });
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
        let (other_name, element) = (self.st.rsc(other).id.clone(), colocation.element());
        for (old, new) in before.iter().copied().zip(self.tables[rsc.i()].clone().iter()) {
            if old.node != new.node || old.score == new.score {
                continue;
            }
            let change = if new.score <= -INFINITY { -INFINITY } else { new.score - old.score };
            let says = match change {
                _ if !is_primary => self.whereabouts(colocation, new.node),
                _ if change <= -INFINITY => Companion::MayNot,
                ..0 => Companion::Dislikes,
                _ => Companion::Likes,
            };
            self.because(rsc, Some(new.node), change, element, |_| Cause::Colocation {
                with: other_name.clone(),
                says,
            });
        }
    }

    /// Where the primary of a colocation will be, as seen from a node.
    fn whereabouts(&self, colocation: &Colocation<'s>, node: NodeIdx) -> Companion {
        let primary = colocation.primary;
        let name = |node: &NodeIdx| self.st.node(*node).name.clone();
        let nodes = self.assigned_nodes(primary);
        match self.assigned_node(primary) {
            _ if nodes.is_empty() => Companion::IsNowhere,
            _ if colocation.primary_role == Role::Promoted => {
                let promoted = self.promoted_nodes(primary);
                match promoted.as_slice() {
                    [] => Companion::IsPromotedNowhere,
                    _ if promoted.contains(&node) => Companion::IsPromotedHere,
                    _ => Companion::IsPromotedOn(promoted.iter().map(name).collect()),
                }
            }
            Some(place) if place == node => Companion::IsHere,
            Some(place) => Companion::IsElsewhere(name(&place)),
            None => Companion::IsSeveral,
        }
    }

    /// Where instances will be promoted; of what is inside a bundle the nodes of its containers.
    fn promoted_nodes(&self, rsc: RscIdx) -> Vec<NodeIdx> {
        let of = self.inner_clone(rsc).unwrap_or(rsc);
        let children = &self.rsc[of.i()].children;
        let bearers = if children.is_empty() { std::slice::from_ref(&of) } else { children.as_slice() };
        let promoted = bearers.iter().filter(|instance| self.next_role(**instance) == Role::Promoted);
        promoted.filter_map(|instance| self.host_of(self.assigned_node(*instance)?, Host::Assigned)).collect()
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
