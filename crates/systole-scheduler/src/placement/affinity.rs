//! What colocations do to scores.
//!
//! Once a primary has its place, dependents are drawn to it or kept away ([`Assigner::apply_to_dependent`]). Before a
//! primary is placed, the wishes of its dependents count for it, weighed by the colocation's score, and through them the
//! wishes of *their* dependents ([`Assigner::add_wishes`]).
//!
//! Source: Pacemaker Explained, "Placing Resources Relative to Other Resources", "Colocation Influence".

use super::{
    colocation::{Colocation, NO_VALUE},
    location::Host,
    table::{Entry, INFINITY, NodeTable, SPENT, add},
    work::{Assigner, Part},
};
use crate::{NodeIdx, RscIdx, status::Kind};
use std::cell::OnceCell;
use systole_types::Role;

/// How far wishes are followed from colocation to colocation. What lies beyond does not count, so that a configuration
/// made to hurt neither exhausts the stack nor takes for ever. (A group's members are such a chain.)
pub(super) const LONGEST_CHAIN: usize = 300;

/// What a colocation decides about a dependent at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Affects {
    Nothing,
    Place,
    /// Which instances are promoted.
    Role,
}

/// How wishes are summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wishes {
    /// Follow primaries, not dependents: what would a resource's own wishes come to?
    pub of_primaries: bool,
    /// A sum is kept only if some node remains.
    pub only_if_possible: bool,
    /// A node that was wanted is not made unwanted: it is set aside.
    pub only_positive: bool,
}

/// The best scores of a resource: where every node is a place of its own, those of its table.
enum Best<'t> {
    Own(&'t NodeTable),
    ByPlace(Vec<(u32, i32)>),
}

impl<'s> Assigner<'s, '_> {
    // Attribute values

    /// The number of the value by which a colocation compares nodes, as a resource sees it.
    pub fn place_value(&self, node: NodeIdx, attribute: Option<u32>, rsc: RscIdx) -> u32 {
        let sees_hosts = self.fixed[rsc.i()].sees_hosts;
        let node =
            if sees_hosts && self.st.node(node).is_guest() { self.node_meant(node, rsc) } else { Some(node) };
        match (node, attribute) {
            (None, _) => NO_VALUE,
            (Some(node), None) if self.nodes[node.i()].is_named => node.0,
            // A remote node without an entry and not yet seen has no attributes, not even its name.
            (Some(_), None) => NO_VALUE,
            (Some(node), Some(attribute)) => self.attribute_values[attribute as usize][node.i()],
        }
    }

    /// With what is inside a bundle one can be only on the container's host; so may the resource's own wish be.
    fn node_meant(&self, node: NodeIdx, rsc: RscIdx) -> Option<NodeIdx> {
        let is_inside =
            self.st.node(node).is_bundle() && self.inner_clone(rsc) == Some(self.top_below_bundle(rsc));
        if is_inside || self.st.rsc(rsc).meta.attributes_on_host {
            self.host_of(node, Host::Assigned)
        } else {
            Some(node)
        }
    }

    /// Whether the wishes of a colocation's dependent count for `primary`: not where they would move what runs well.
    pub fn has_influence(&self, colocation: &Colocation<'_>, primary: RscIdx) -> bool {
        let active = &self.fixed[primary.i()].active;
        if self.fixed[colocation.dependent.i()].part == Part::Connection
            && !self.rsc[primary.i()].failed
            && active.len() == 1
        {
            return false;
        }
        colocation.influence || active.is_empty()
    }

    // The place of primaries, for dependents

    /// The resource whose role stands for another's: of a container what is inside.
    fn role_bearer(&self, rsc: RscIdx) -> RscIdx {
        match self.fixed[rsc.i()] {
            super::work::Fixed { replica: Some((bundle, replica)), part: Part::Container, .. } => {
                let child =
                    self.st.rsc(bundle).bundle().and_then(|data| data.replicas[replica as usize].child);
                child.unwrap_or(rsc)
            }
            _ => rsc,
        }
    }

    fn affects(
        &self,
        dependent: RscIdx,
        primary: RscIdx,
        colocation: &Colocation<'_>,
        preview: bool,
    ) -> Affects {
        if !preview && self.rsc[primary.i()].unassigned {
            return Affects::Nothing;
        }
        let (d, p) = (self.role_bearer(dependent), self.role_bearer(primary));
        let is_promotable = self.parent(d).is_some_and(|parent| self.st.rsc(parent).is_promotable);
        if colocation.dependent_role >= Role::Unpromoted && is_promotable && !self.rsc[d.i()].unassigned {
            return Affects::Role;
        }
        let differs =
            |wanted: Role, rsc: RscIdx| wanted != Role::Unknown && wanted != self.rsc[rsc.i()].next_role;
        let is_decided = !preview && !self.rsc[dependent.i()].unassigned;
        if is_decided || differs(colocation.dependent_role, d) || differs(colocation.primary_role, p) {
            return Affects::Nothing;
        }
        Affects::Place
    }

    /// Whether a mandatory colocation would bind the place of two resources, were they assigned now.
    pub fn would_bind(&self, dependent: RscIdx, primary: RscIdx, colocation: &Colocation<'_>) -> bool {
        colocation.score == INFINITY && self.affects(dependent, primary, colocation, true) == Affects::Place
    }

    /// Applies a colocation to a dependent (an instance, a member...), whatever the primary is. Returns how much the
    /// promotion priority changed.
    pub fn apply_to_dependent(
        &mut self,
        dependent: RscIdx,
        primary: RscIdx,
        colocation: &Colocation<'s>,
    ) -> i32 {
        let Kind::Group(group) = self.kind(dependent) else {
            return self.apply_from_primary(dependent, primary, colocation);
        };
        let is_colocated = group.colocated;
        let members = self.rsc[dependent.i()].children.clone();
        let mut change = 0;
        if is_colocated {
            if let Some(first) = members.first() {
                change = self.apply_to_dependent(*first, primary, colocation);
            }
        } else if colocation.score < INFINITY {
            for member in members {
                change = add(change, self.apply_from_primary(member, primary, colocation));
            }
        }
        if change != 0 {
            self.set_priority(dependent, add(change, self.rsc[dependent.i()].priority));
        }
        change
    }

    /// Applies a colocation to a primitive dependent, as the kind of its primary asks for.
    pub fn apply_from_primary(
        &mut self,
        dependent: RscIdx,
        primary: RscIdx,
        colocation: &Colocation<'s>,
    ) -> i32 {
        match self.kind(primary) {
            Kind::Primitive(_) => match self.affects(dependent, primary, colocation, false) {
                Affects::Nothing => 0,
                Affects::Role => self.apply_to_priority(dependent, primary, colocation),
                Affects::Place => {
                    self.apply_to_place(dependent, primary, colocation);
                    0
                }
            },
            Kind::Group(group) => {
                let is_colocated = group.colocated;
                self.apply_from_group(dependent, primary, colocation, is_colocated)
            }
            Kind::Clone(_) => self.apply_from_clone(dependent, primary, colocation),
            Kind::Bundle(_) => self.apply_from_bundle(dependent, primary, colocation),
        }
    }

    /// To be with a group means to be with its last member if that is a must (all of it has to be up), otherwise with
    /// its first.
    fn apply_from_group(
        &mut self,
        dependent: RscIdx,
        group: RscIdx,
        colocation: &Colocation<'s>,
        is_colocated: bool,
    ) -> i32 {
        if self.rsc[group.i()].unassigned {
            return 0;
        }
        let members = self.rsc[group.i()].children.clone();
        if is_colocated {
            let member = if colocation.score >= INFINITY { members.last() } else { members.first() };
            return member.map_or(0, |member| self.apply_from_primary(dependent, *member, colocation));
        }
        if colocation.score >= INFINITY {
            return 0;
        }
        members
            .into_iter()
            .fold(0, |sum, member| add(sum, self.apply_from_primary(dependent, member, colocation)))
    }

    fn apply_to_place(&mut self, dependent: RscIdx, primary: RscIdx, colocation: &Colocation<'s>) {
        let place = self.rsc[primary.i()].assigned;
        if place.is_none() && colocation.score < 0 {
            return;
        }
        let value = place.map(|node| self.place_value(node, colocation.attribute, primary));
        let mut table = std::mem::take(&mut self.spare_table);
        table.copy_from(&self.tables[dependent.i()]);
        for entry in table.iter_mut() {
            match value {
                None => entry.score = add(-colocation.score, entry.score),
                Some(value) if value == self.place_value(entry.node, colocation.attribute, dependent) => {
                    // A must is no preference: what counts is that everywhere else is out of the question.
                    if colocation.score < INFINITY {
                        entry.score = add(colocation.score, entry.score);
                    }
                }
                Some(_) if colocation.score >= INFINITY => entry.score = -INFINITY,
                Some(_) => {}
            }
        }
        if colocation.is_mandatory() || self.any_usable(&table) {
            std::mem::swap(&mut self.tables[dependent.i()], &mut table);
        }
        self.spare_table = table;
    }

    fn apply_to_priority(&mut self, dependent: RscIdx, primary: RscIdx, colocation: &Colocation<'s>) -> i32 {
        let Some(node) = self.rsc[dependent.i()].assigned else { return 0 };
        let place = self.rsc[primary.i()].assigned;
        if place.is_some()
            && colocation.primary_role != Role::Unknown
            && colocation.primary_role != self.rsc[self.role_bearer(primary).i()].next_role
        {
            return 0;
        }
        let value = place.map_or(NO_VALUE, |place| self.place_value(place, colocation.attribute, primary));
        let is_together = value == self.place_value(node, colocation.attribute, dependent);
        let sign = match (is_together, colocation.dependent_role) {
            (true, Role::Unpromoted) => -1,
            (true, _) => 1,
            (false, Role::Promoted) if colocation.score == INFINITY => -1,
            (false, _) => return 0,
        };
        let change = sign * colocation.score;
        self.set_priority(dependent, add(change, self.rsc[dependent.i()].priority));
        change
    }

    /// Bans a dependent from all nodes but those given; scores given with them are added if `merge`.
    pub fn restrict_to(&mut self, dependent: RscIdx, nodes: &[(NodeIdx, i32)], merge: bool) {
        let mut nodes = nodes.to_vec();
        nodes.sort_by_key(|(node, _)| *node);
        // Of several scores for a node the first given counts.
        nodes.dedup_by_key(|(node, _)| *node);
        for entry in self.tables[dependent.i()].iter_mut() {
            match nodes.binary_search_by_key(&entry.node, |(node, _)| *node) {
                Err(_) => entry.score = -INFINITY,
                Ok(found) if merge => entry.score = add(entry.score, nodes[found].1),
                Ok(_) => {}
            }
        }
    }

    // The wishes of dependents, for primaries

    /// Adds the wishes of a colocation's dependent to its primary's table.
    pub fn add_wishes_of_dependent(&mut self, primary: RscIdx, index: u32) {
        let colocation = self.colocations[index as usize];
        if !self.has_influence(&colocation, colocation.primary) {
            return;
        }
        let wishes = Wishes {
            of_primaries: false,
            only_if_possible: true,
            only_positive: self.st.rsc(primary).is_clone(),
        };
        // A chain of colocations may lead back to the primary, whose table has to be there then.
        let mut table = std::mem::take(&mut self.spare_table);
        table.copy_from(&self.tables[primary.i()]);
        self.add_wishes(
            colocation.dependent,
            primary,
            &mut table,
            &colocation,
            factor_of(colocation.score),
            wishes,
        );
        let told = self.before_colocation(primary);
        std::mem::swap(&mut self.tables[primary.i()], &mut table);
        self.spare_table = table;
        self.because_of_colocation(primary, told, &colocation);
    }

    /// Adds what `source` (and through it others) wishes to `table`, weighed by `factor`.
    pub fn add_wishes(
        &mut self,
        source: RscIdx,
        target: RscIdx,
        table: &mut NodeTable,
        colocation: &Colocation<'s>,
        factor: f32,
        wishes: Wishes,
    ) {
        if self.rsc[source.i()].summing || self.chain_length >= LONGEST_CHAIN {
            return;
        }
        self.chain_length += 1;
        self.add_wishes_of(source, target, table, colocation, factor, wishes);
        self.chain_length -= 1;
    }

    fn add_wishes_of(
        &mut self,
        source: RscIdx,
        target: RscIdx,
        table: &mut NodeTable,
        colocation: &Colocation<'s>,
        factor: f32,
        wishes: Wishes,
    ) {
        self.rsc[source.i()].summing = true;
        if let Kind::Group(_) = self.kind(source) {
            if let Some(&first) = self.rsc[source.i()].children.first() {
                self.add_wishes(first, target, table, colocation, factor, wishes);
                self.rsc[source.i()].summing = false;
            }
            return;
        }
        let mut sums = std::mem::take(&mut self.sums);
        self.add_matching(table, &mut sums, source, target, colocation, factor);
        if wishes.only_positive {
            set_aside_unwanted(table, &mut sums);
        }
        let mut sums_of = table.iter().zip(&sums);
        let is_possible = sums_of.any(|(entry, sum)| *sum >= 0 && self.is_available(entry.node));
        let is_kept = is_possible || !wishes.only_if_possible;
        if is_kept {
            table.iter_mut().zip(&sums).for_each(|(entry, sum)| entry.score = *sum);
        }
        self.sums = sums;
        if is_possible {
            self.follow(source, target, table, factor, wishes);
        }
        if is_kept && wishes.only_positive {
            for entry in table.iter_mut().filter(|entry| entry.score == SPENT) {
                entry.score = 1;
            }
        }
        self.rsc[source.i()].summing = false;
    }

    /// A resource's own table with the wishes of its primaries: by which resources are put in order where capacity
    /// matters.
    pub fn own_wishes(&mut self, rsc: RscIdx) -> NodeTable {
        let wishes = Wishes { of_primaries: true, only_if_possible: false, only_positive: false };
        let source = match self.kind(rsc) {
            Kind::Group(_) => self.rsc[rsc.i()].children.last().copied().unwrap_or(rsc),
            _ => rsc,
        };
        let mut table = self.tables[source.i()].clone();
        // A loop ends at the group, not only at its last member.
        for part in [rsc, source] {
            self.rsc[part.i()].summing = true;
        }
        if self.any_usable(&table) {
            self.follow(source, source, &mut table, 1.0, wishes);
        }
        for part in [rsc, source] {
            self.rsc[part.i()].summing = false;
        }
        table
    }

    /// Goes on to the next resources of the chain, as long as some node remains.
    fn follow(&mut self, source: RscIdx, target: RscIdx, table: &mut NodeTable, factor: f32, wishes: Wishes) {
        let wishes = Wishes { only_if_possible: true, ..wishes };
        let chain = if wishes.of_primaries { self.this_with(source).into() } else { self.wishing(source) };
        for &index in &*chain {
            let next = self.colocations[index as usize];
            let other = if wishes.of_primaries { next.primary } else { next.dependent };
            let factor = factor * next.score as f32 / INFINITY as f32;
            self.add_wishes(other, target, table, &next, factor, wishes);
        }
    }

    /// Works out each node's score with what `source` wishes added.
    fn add_matching(
        &self,
        table: &NodeTable,
        sums: &mut Vec<i32>,
        source: RscIdx,
        target: RscIdx,
        colocation: &Colocation<'s>,
        factor: f32,
    ) {
        let avoidance_counts = OnceCell::new();
        let is_left_out = |score: i32| {
            let counts = || *avoidance_counts.get_or_init(|| self.may_count_avoidance(colocation));
            let stickiness = self.st.rsc(colocation.primary).meta.stickiness.value();
            factor < 0.0 && score < 0 && !(stickiness < -score && counts())
        };
        let weighed = |score: i32| (!is_left_out(score)).then(|| weigh(factor, score));
        match self.best_scores(source, colocation) {
            // Nearly all colocations are musts of nodes: their scores count as they are.
            Best::Own(own) if factor == 1.0 && !self.fixed[target.i()].sees_hosts => {
                sum_up(table, sums, |node| Some(self.own_score(own, node)));
            }
            Best::Own(own) => {
                let host = |node| NodeIdx(self.place_value(node, None, target));
                sum_up(table, sums, |node| weighed(self.own_score(own, host(node))));
            }
            Best::ByPlace(best) => {
                let value = |node| self.place_value(node, colocation.attribute, target);
                let found = |node| best.binary_search_by_key(&value(node), |(place, _)| *place);
                let score = |node| found(node).map_or(-INFINITY, |i| best[i].1);
                sum_up(table, sums, |node| weighed(score(node)));
            }
        }
    }

    /// A resource's score on a node, by its own table.
    fn own_score(&self, own: &NodeTable, node: NodeIdx) -> i32 {
        own.score(node).filter(|_| self.is_available(node)).unwrap_or(-INFINITY)
    }

    /// What a dependent that has to keep away avoids need not attract its primary; unless the dependent can run on
    /// just one node (and the primary does not stick to its place).
    fn may_count_avoidance(&self, colocation: &Colocation<'_>) -> bool {
        let dependent = &self.tables[colocation.dependent.i()];
        let n_allowed = dependent.iter().filter(|entry| entry.score >= 0).take(2).count();
        n_allowed == 1 && self.has_influence(colocation, colocation.primary)
    }

    /// The best score of a resource among the nodes of each place.
    fn best_scores(&self, source: RscIdx, colocation: &Colocation<'s>) -> Best<'_> {
        let with_group;
        let table = if self.lacks_group_locations(source, colocation) {
            with_group = self.with_group_locations(source);
            &with_group
        } else if colocation.attribute.is_none()
            && !self.fixed[source.i()].sees_hosts
            && (self.all_named
                || self.tables[source.i()].iter().all(|entry| self.nodes[entry.node.i()].is_named))
        {
            return Best::Own(&self.tables[source.i()]);
        } else {
            &self.tables[source.i()]
        };
        let mut best: Vec<(u32, i32)> = table
            .iter()
            .filter(|entry| entry.score > -INFINITY && self.is_available(entry.node))
            .map(|entry| (self.place_value(entry.node, colocation.attribute, source), entry.score))
            .collect();
        best.sort_by_key(|&(value, score)| (value, std::cmp::Reverse(score)));
        best.dedup_by_key(|(value, _)| *value);
        Best::ByPlace(best)
    }

    /// Members other than the first do not have the scores of their group's locations in their tables; a colocation
    /// configured for one of them alone has to look them up.
    fn lacks_group_locations(&self, source: RscIdx, colocation: &Colocation<'_>) -> bool {
        colocation.is_explicit()
            && colocation.dependent == source
            && self.parent(source).is_some_and(|parent| {
                self.st.rsc(parent).is_group() && self.rsc[parent.i()].children.first() != Some(&source)
            })
    }

    fn with_group_locations(&self, member: RscIdx) -> NodeTable {
        let mut table = self.tables[member.i()].clone();
        let group = self.parent(member).expect("only asked for members");
        for location in self.locations.iter().rev().filter(|location| location.rsc == group) {
            if location.role > Role::Unknown && location.role != self.rsc[member.i()].next_role {
                continue;
            }
            for &(node, score) in &location.nodes {
                let mut new = self.base_entry(node);
                new.score = score;
                let (entry, is_new) = table.entry(node, || new);
                if !is_new {
                    entry.score = add(entry.score, score);
                }
            }
        }
        table
    }
}

/// Each node's score with what is wished of it, if anything is. What is ruled out stays so.
#[inline]
fn sum_up(table: &NodeTable, sums: &mut Vec<i32>, wish: impl Fn(NodeIdx) -> Option<i32>) {
    let sum = |entry: &Entry| match entry.score {
        ruled_out if ruled_out <= -INFINITY => ruled_out,
        score => wish(entry.node).map_or(score, |wish| add(wish, score)),
    };
    sums.clear();
    sums.extend(table.iter().map(sum));
}

/// Nodes that were wanted are not made unwanted: they are set aside.
fn set_aside_unwanted(table: &NodeTable, sums: &mut [i32]) {
    for (entry, sum) in table.iter().zip(sums) {
        if *sum < 0 && entry.score >= 0 {
            *sum = if entry.score > 0 { SPENT } else { 0 };
        }
    }
}

/// How much a colocation's score weighs wishes: as much as it is of INFINITY.
pub(super) fn factor_of(score: i32) -> f32 {
    score as f32 / INFINITY as f32
}

/// A score times a factor, rounded; never nothing of something.
fn weigh(factor: f32, score: i32) -> i32 {
    let product = f64::from(factor * score as f32);
    let rounded = (if product < 0.0 { product - 0.5 } else { product + 0.5 }) as i32;
    match rounded {
        0 if score != 0 && factor > 0.0 => 1,
        0 if score != 0 && factor < 0.0 => -1,
        rounded => rounded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_weighed_and_never_lost() {
        for (score_of_colocation, wish, weighed) in [
            (INFINITY, 100, 100),
            (500_000, 100, 50),
            (500_000, 3, 2),
            (100, 50, 1),
            (100, -50, 1),
            (-100, 50, -1),
            (-INFINITY, 7, -7),
            (INFINITY, 0, 0),
        ] {
            assert_eq!(
                weigh(factor_of(score_of_colocation), wish),
                weighed,
                "{wish} at {score_of_colocation}"
            );
        }
    }
}
