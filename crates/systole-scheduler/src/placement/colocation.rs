//! Colocation constraints: unpacking them, and which count for a resource.
//!
//! Source: Pacemaker Explained, "Placing Resources Relative to Other Resources".

use super::{
    table::INFINITY,
    work::{Assigner, Part},
};
use crate::{
    RscIdx,
    status::{Kind, SetMember},
};
use std::{cmp::Ordering, collections::BTreeMap, rc::Rc, sync::Arc};
use systole_cib::model::{self, ColocationMembers, ResourceSet};
use systole_types::{ElementId, Role, Score};

/// One resource with another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Colocation<'s> {
    pub id: Source<'s>,
    pub dependent: RscIdx,
    pub primary: RscIdx,
    pub score: i32,
    /// Only in this role; `Unknown`: in any.
    pub dependent_role: Role,
    pub primary_role: Role,
    /// The node attribute that "the same place" goes by; `None`: the node itself.
    pub attribute: Option<u32>,
    /// The dependent's preferences count for the primary.
    pub influence: bool,
}

/// Where a colocation comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'s> {
    /// The constraint, or the set in it.
    Configured(&'s ElementId),
    /// What the resources are: members of a group, parts of a bundle, a guest node's connection.
    Implicit(&'static str),
}

/// One resource with another, as ordering needs to know it.
#[derive(Clone, Debug, PartialEq)]
pub struct ColocationLink {
    /// The constraint, or the set in it; of implicit ones a word that begins with `#`.
    pub id: Arc<str>,
    /// Placed relative to the primary.
    pub dependent: RscIdx,
    /// What it is placed with.
    pub primary: RscIdx,
    /// How much.
    pub score: Score,
    /// The dependent only in this role; `Unknown`: in any.
    pub dependent_role: Role,
    /// The primary only in this role; `Unknown`: in any.
    pub primary_role: Role,
    /// "The same place" is a node with the same value of some attribute, not the node itself.
    pub goes_by_attribute: bool,
}

impl<'s> Colocation<'s> {
    /// The element of the configuration it comes from, if any.
    pub const fn element(&self) -> Option<&'s ElementId> {
        match self.id {
            Source::Configured(id) => Some(id),
            Source::Implicit(_) => None,
        }
    }

    pub fn is_mandatory(&self) -> bool {
        self.score.abs() >= INFINITY
    }

    pub fn is_explicit(&self) -> bool {
        matches!(self.id, Source::Configured(_))
    }

    pub fn publish(&self) -> ColocationLink {
        let id = match self.id {
            Source::Configured(id) => id.as_str(),
            Source::Implicit(name) => name,
        };
        ColocationLink {
            id: id.into(),
            dependent: self.dependent,
            primary: self.primary,
            score: Score::finite(self.score.into()),
            dependent_role: self.dependent_role,
            primary_role: self.primary_role,
            goes_by_attribute: self.attribute.is_some(),
        }
    }
}

/// A `<resource_set>`, or what a template or tag stands for: what it names, with what they have in common.
struct Members {
    /// `None`: there is no such resource.
    resources: Vec<Option<RscIdx>>,
    role: Option<Role>,
    sequential: bool,
}

impl<'s> Assigner<'s, '_> {
    pub fn unpack_constraints(&mut self) {
        for constraint in &self.st.cib.constraints {
            match constraint {
                model::Constraint::Location(location) => self.unpack_location(location),
                model::Constraint::Colocation(colocation) => self.unpack_colocation(colocation),
                model::Constraint::Ticket(ticket) => self.unpack_ticket(ticket),
                model::Constraint::Order(_) => {}
            }
        }
    }

    fn unpack_colocation(&mut self, constraint: &'s model::Colocation) {
        match &constraint.members {
            ColocationMembers::Pair { dependent, dependent_role, primary, primary_role } => {
                let dependents = self.targets(&constraint.id, dependent);
                let primaries = self.targets(&constraint.id, primary);
                let is_tag = |work: &Self, id: &ElementId| work.st.find_for_constraint(id.as_str()).is_none();
                match (is_tag(self, dependent), is_tag(self, primary)) {
                    // Templates and tags are not colocated with one another.
                    (true, true) => {}
                    (false, false) => {
                        let attribute =
                            constraint.node_attribute.as_deref().map(|name| self.intern_attribute(name));
                        if let (Some(dependent), Some(primary)) = (dependents.first(), primaries.first()) {
                            let roles = (*dependent_role, *primary_role);
                            self.configured(
                                constraint,
                                &constraint.id,
                                None,
                                attribute,
                                (*dependent, *primary),
                                roles,
                            );
                        }
                    }
                    _ => {
                        // What of a tag is not there is passed over.
                        let members = |name: &ElementId, role| Members {
                            resources: self.st.stands_for(name.as_str()).unwrap_or_default(),
                            role,
                            sequential: false,
                        };
                        let dependents = members(dependent, *dependent_role);
                        let primaries = members(primary, *primary_role);
                        self.colocate_sets(constraint, &dependents, &primaries);
                    }
                }
            }
            ColocationMembers::Sets(sets) => {
                let mut previous: Option<Members> = None;
                for (set, named) in sets.iter().zip(self.st.set_members(sets)) {
                    self.colocate_within(constraint, set, &named);
                    let members = self.members(constraint, set, &named);
                    if let Some(previous) = previous {
                        self.colocate_sets(constraint, &previous, &members);
                    }
                    previous = Some(members);
                }
            }
        }
    }

    fn members(
        &mut self,
        constraint: &model::Colocation,
        set: &ResourceSet,
        named: &[SetMember<'_>],
    ) -> Members {
        for member in named.iter().filter(|member| member.resource.is_none()) {
            self.note_unknown(&constraint.id, member.name);
        }
        let resources = named.iter().map(|member| member.resource).collect();
        Members { resources, role: set.role, sequential: set.sequential }
    }

    /// Members of a set among themselves: each with the one before; apart from all before if the score is negative.
    ///
    /// "Before" ends where a member's own name stands. A clone that is called by the name of what is in it is kept apart from
    /// all members, later ones and itself included.
    fn colocate_within(
        &mut self,
        constraint: &'s model::Colocation,
        set: &'s ResourceSet,
        named: &[SetMember<'_>],
    ) {
        let score = set.score.or(constraint.score).map_or(0, Score::value);
        if score == 0 || !set.sequential {
            return;
        }
        let roles = (set.role, set.role);
        // Nothing after a member that does not exist counts.
        let known: Vec<(&ElementId, RscIdx)> =
            named.iter().map_while(|member| Some((member.name, member.resource?))).collect();
        for (i, &(_, dependent)) in known.iter().enumerate() {
            let own_name = self.st.rsc(dependent).id.as_str();
            let is_named = |(name, _): &(&ElementId, RscIdx)| name.as_str() == own_name;
            let end = known.iter().position(is_named).unwrap_or(known.len());
            let primaries = if score > 0 { i.saturating_sub(1)..i } else { 0..end };
            for &(_, primary) in &known[primaries] {
                let (dependent, primary) =
                    if set.with_next && score > 0 { (primary, dependent) } else { (dependent, primary) };
                self.configured(constraint, &set.id, Some(score), None, (dependent, primary), roles);
            }
        }
    }

    /// A set with the next: the first of a sequential set stands for it as dependent, the last as primary. Where that one
    /// does not exist, the sets have nothing to do with each other.
    fn colocate_sets(
        &mut self,
        constraint: &'s model::Colocation,
        dependents: &Members,
        primaries: &Members,
    ) {
        let dependent_part = match (dependents.sequential, dependents.resources.first()) {
            (true, Some(first)) => std::slice::from_ref(first),
            _ => &dependents.resources,
        };
        let primary_part = match (primaries.sequential, primaries.resources.last()) {
            (true, Some(last)) => std::slice::from_ref(last),
            _ => &primaries.resources,
        };
        for &dependent in dependent_part.iter().flatten() {
            for &primary in primary_part.iter().flatten() {
                let roles = (dependents.role, primaries.role);
                self.configured(constraint, &constraint.id, None, None, (dependent, primary), roles);
            }
        }
    }

    fn configured(
        &mut self,
        constraint: &'s model::Colocation,
        id: &'s ElementId,
        score: Option<i32>,
        attribute: Option<u32>,
        (dependent, primary): (RscIdx, RscIdx),
        (dependent_role, primary_role): (Option<Role>, Option<Role>),
    ) {
        let role = |role: Option<Role>| role.filter(|role| *role != Role::Started).unwrap_or_default();
        self.colocate(Colocation {
            id: Source::Configured(id),
            dependent,
            primary,
            score: score.or(constraint.score.map(Score::value)).unwrap_or(0),
            dependent_role: role(dependent_role),
            primary_role: role(primary_role),
            attribute,
            influence: constraint.influence.unwrap_or(self.st.rsc(dependent).meta.critical),
        });
    }

    pub fn colocate_implicitly(
        &mut self,
        name: &'static str,
        dependent: RscIdx,
        primary: RscIdx,
        score: i32,
        influence: bool,
    ) {
        self.colocate(Colocation {
            id: Source::Implicit(name),
            dependent,
            primary,
            score,
            dependent_role: Role::Unknown,
            primary_role: Role::Unknown,
            attribute: None,
            influence,
        });
    }

    fn colocate(&mut self, colocation: Colocation<'s>) {
        if colocation.score == 0 {
            return;
        }
        let (dependent, primary) = (colocation.dependent, colocation.primary);
        let index = u32::try_from(self.colocations.len()).expect("fewer than 4 billion of them");
        self.colocations.push(colocation);
        self.wishing.forget();
        let mut list = std::mem::take(&mut self.rsc[dependent.i()].this_with);
        self.insert_sorted(&mut list, index, Side::Primary);
        self.rsc[dependent.i()].this_with = list;
        let mut list = std::mem::take(&mut self.rsc[primary.i()].with_this);
        self.insert_sorted(&mut list, index, Side::Dependent);
        self.rsc[primary.i()].with_this = list;
    }

    /// The number by which a node attribute is known in colocations.
    fn intern_attribute(&mut self, name: &'s str) -> u32 {
        if let Some(&known) = self.attribute_names.get(name) {
            return known;
        }
        let mut numbers = BTreeMap::new();
        let value_of =
            |node: &crate::Node<'_>, numbers: &mut BTreeMap<String, u32>| match node.attribute(name) {
                None => NO_VALUE,
                Some(value) => {
                    let next = u32::try_from(numbers.len()).expect("fewer values than nodes");
                    *numbers.entry(value.to_ascii_lowercase()).or_insert(next)
                }
            };
        let values = self.st.nodes.iter().map(|node| value_of(node, &mut numbers)).collect();
        let number = u32::try_from(self.attribute_values.len()).expect("fewer than 4 billion of them");
        self.attribute_values.push(values);
        self.attribute_names.insert(name, number);
        number
    }

    // Which colocations count for a resource

    /// Colocations to apply to a resource as their dependent: its own, and those of what it is part of, as far as it
    /// is the one to apply them.
    pub fn this_with(&self, rsc: RscIdx) -> Vec<u32> {
        let mut list = Vec::new();
        self.gather(rsc, rsc, Side::Primary, &mut list);
        list
    }

    /// Colocations to apply to a resource as their primary.
    pub fn with_this(&self, rsc: RscIdx) -> Vec<u32> {
        let mut list = Vec::new();
        self.gather(rsc, rsc, Side::Dependent, &mut list);
        list
    }

    /// Those of them whose dependents have a say in where the resource goes. Asked for again and again while wishes are
    /// followed, so they are kept as long as nothing changes them: a new colocation, another priority of a dependent, or that
    /// a resource has failed.
    pub fn wishing(&mut self, rsc: RscIdx) -> Rc<[u32]> {
        if let Some(known) = &self.wishing.lists[rsc.i()] {
            return known.clone();
        }
        let mut list = self.with_this(rsc);
        list.retain(|index| {
            let colocation = &self.colocations[*index as usize];
            self.has_influence(colocation, colocation.primary)
        });
        let list: Rc<[u32]> = list.into();
        // Which of a bundle's colocations count for what is inside changes in the course of the assignment.
        if !self.st.rsc(self.st.root_of(rsc)).is_bundle() {
            self.wishing.keep(rsc, &list);
        }
        list
    }

    /// Changes a resource's priority, and with it the order of colocations.
    pub fn set_priority(&mut self, rsc: RscIdx, priority: i32) {
        let state = &mut self.rsc[rsc.i()];
        if state.priority != priority && !state.this_with.is_empty() {
            self.wishing.forget();
        }
        state.priority = priority;
    }

    /// Those colocations, in a list that is there already.
    fn gather(&self, rsc: RscIdx, asker: RscIdx, other: Side, list: &mut Vec<u32>) {
        let own = match other {
            Side::Primary => &self.rsc[rsc.i()].this_with,
            Side::Dependent => &self.rsc[rsc.i()].with_this,
        };
        match self.kind(rsc) {
            Kind::Primitive(_) if rsc == asker => {
                self.merge(list, own, other);
                self.gather_from_parent(rsc, asker, other, list);
            }
            Kind::Primitive(_) => {
                for &index in own {
                    if self.colocations[index as usize].is_explicit() {
                        self.insert(list, index, other);
                    }
                }
            }
            Kind::Group(group) => self.gather_of_group(rsc, asker, other, list, group.colocated),
            Kind::Clone(_) => {
                self.merge(list, own, other);
                self.gather_from_parent(rsc, asker, other, list);
            }
            Kind::Bundle(bundle) => {
                if self.bundle_applies(rsc, bundle.inner, asker) {
                    self.merge(list, own, other);
                }
            }
        }
    }

    fn gather_from_parent(&self, rsc: RscIdx, asker: RscIdx, other: Side, list: &mut Vec<u32>) {
        if let Some(parent) = self.parent(rsc) {
            self.gather(parent, asker, other, list);
        }
    }

    /// A group's colocations are applied by its first member where it is the dependent, by its last where it is the
    /// primary; colocations inside the group pass them on.
    fn gather_of_group(
        &self,
        group: RscIdx,
        asker: RscIdx,
        other: Side,
        list: &mut Vec<u32>,
        is_colocated: bool,
    ) {
        let state = &self.rsc[group.i()];
        let (own, speaker) = match other {
            Side::Primary => (&state.this_with, state.children.first()),
            Side::Dependent => (&state.with_this, state.children.last()),
        };
        let Some(speaker) = speaker else { return };
        if asker == group || asker == *speaker {
            self.merge(list, own, other);
            self.gather_from_parent(group, asker, other, list);
            if is_colocated {
                for member in state.children.iter().filter(|member| **member != asker) {
                    self.gather(*member, asker, other, list);
                }
            }
        } else if other == Side::Primary {
            // An unmanaged member passes nothing on: those after it apply the group's requirements themselves.
            let mut before = state.children.iter().take_while(|member| **member != asker);
            if before.any(|member| !self.rsc[member.i()].managed) {
                for &index in own {
                    if self.colocations[index as usize].score == INFINITY {
                        self.insert(list, index, other);
                    }
                }
            }
        }
    }

    /// A bundle's colocations are applied by its containers; by what is inside once roles are chosen.
    fn bundle_applies(&self, bundle: RscIdx, inner: Option<RscIdx>, asker: RscIdx) -> bool {
        if asker == bundle || self.fixed[asker.i()].part == Part::Container {
            return true;
        }
        let Some(inner) = inner else { return false };
        if !self.st.rsc(inner).is_promotable || self.top_below_bundle(asker) != inner {
            return false;
        }
        if asker == inner { self.rsc[inner.i()].choosing_roles } else { !self.rsc[asker.i()].unassigned }
    }

    /// Adds a list to another.
    ///
    /// Where the other is not empty, the *first* of the added ones is put in as often as there are added ones, and the
    /// rest not at all. That is what Pacemaker 3.0.2 does, and scores tell; its intention was surely another.
    fn merge(&self, list: &mut Vec<u32>, added: &[u32], other: Side) {
        if list.is_empty() {
            list.extend_from_slice(added);
        } else {
            for _ in added {
                self.insert(list, added[0], other);
            }
        }
    }

    /// Puts a colocation in its place in a list that is in order; before its equals.
    fn insert_sorted(&self, list: &mut Vec<u32>, index: u32, other: Side) {
        let at = list.partition_point(|&present| self.compare(index, present, other).is_gt());
        list.insert(at, index);
    }

    /// Puts a colocation before the first that does not come before it. Priorities may have changed since the list was
    /// put in order.
    fn insert(&self, list: &mut Vec<u32>, index: u32, other: Side) {
        let at = list
            .iter()
            .position(|&present| self.compare(index, present, other).is_le())
            .unwrap_or(list.len());
        list.insert(at, index);
    }

    /// By falling priority of the other resource; bundles, clones, groups, then primitives; promotable clones first; at
    /// last by name.
    fn compare(&self, a: u32, b: u32, other: Side) -> Ordering {
        let key = |index: u32| {
            let colocation = &self.colocations[index as usize];
            match other {
                Side::Primary => colocation.primary,
                Side::Dependent => colocation.dependent,
            }
        };
        let (a, b) = (key(a), key(b));
        let rank = |rsc: RscIdx| match self.kind(rsc) {
            Kind::Primitive(_) => 0,
            Kind::Group(_) => 1,
            Kind::Clone(_) => 2 + i32::from(self.st.rsc(rsc).is_promotable),
            Kind::Bundle(_) => 4,
        };
        let priority = |rsc: RscIdx| self.rsc[rsc.i()].priority;
        priority(b)
            .cmp(&priority(a))
            .then_with(|| rank(b).cmp(&rank(a)))
            .then_with(|| self.st.rsc(a).id.as_str().cmp(self.st.rsc(b).id.as_str()))
    }
}

/// Lists of [`Assigner::wishing`] that were asked for.
pub(super) struct Wishing {
    lists: Vec<Option<Rc<[u32]>>>,
    kept: Vec<RscIdx>,
}

impl Wishing {
    /// None yet, for so many resources.
    pub fn new(n_resources: usize) -> Self {
        Self { lists: vec![None; n_resources], kept: Vec::new() }
    }

    fn keep(&mut self, rsc: RscIdx, list: &Rc<[u32]>) {
        self.lists[rsc.i()] = Some(list.clone());
        self.kept.push(rsc);
    }

    fn forget(&mut self) {
        for rsc in self.kept.drain(..) {
            self.lists[rsc.i()] = None;
        }
    }
}

/// The number of "no such attribute".
pub(super) const NO_VALUE: u32 = u32::MAX;

/// Which side of a colocation is another resource than the one asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Primary,
    Dependent,
}
