//! Promotable clones: which instances are promoted.
//!
//! Source: Pacemaker Explained, "Promotable Clones".

use super::{
    Detail, ScoreLine,
    affinity::{Wishes, factor_of},
    colocation::Colocation,
    instances::{Match, merge_sort},
    location::Host,
    table::{INFINITY, add},
    work::Assigner,
};
use crate::{
    NodeIdx, RscIdx,
    note::{Cause, NotPromoted},
    status::{Kind, NoQuorum, NodeSet},
};
use systole_types::{Role, Score};

/// The same resource in all instances of an anonymous clone.
#[derive(Clone, Debug)]
pub(super) struct Twins {
    /// Per node, the first that is active there.
    active: Vec<Option<RscIdx>>,
    /// Where the state of any is known.
    known_on: NodeSet,
}

impl<'s> Assigner<'s, '_> {
    /// Adds promotion scores to node scores and priorities, so that instances go where they can be promoted.
    pub fn add_promotion_scores(&mut self, clone: RscIdx) {
        if std::mem::replace(&mut self.rsc[clone.i()].promotion_scores_added, true) {
            return;
        }
        self.find_twins(clone);
        for child in self.rsc[clone.i()].children.clone() {
            let mut table = std::mem::take(&mut self.tables[child.i()]);
            let scores: Vec<i32> = {
                self.tables[child.i()] = table.clone();
                let promotion = |node| {
                    if self.is_available(node) { self.promotion_score(child, node).unwrap_or(0) } else { 0 }
                };
                table.iter().map(|entry| promotion(entry.node)).collect()
            };
            for (entry, score) in table.iter_mut().zip(scores) {
                if !self.is_available(entry.node) {
                    continue;
                }
                if score > 0 {
                    entry.score = add(entry.score, score);
                    self.because(child, Some(entry.node), score, None, |_| Cause::Promotion);
                }
                self.set_priority(child, score.max(self.rsc[child.i()].priority));
            }
            self.tables[child.i()] = table;
        }
    }

    /// The promotion score an instance has on a node; `None` if nothing gives it one there. An instance of a cloned
    /// group has the sum of its members'.
    fn promotion_score(&self, rsc: RscIdx, node: NodeIdx) -> Option<i32> {
        let members = &self.rsc[rsc.i()].children;
        if !members.is_empty() {
            let scores: Vec<i32> =
                members.iter().filter_map(|member| self.promotion_score(*member, node)).collect();
            let sum = || scores.iter().map(|score| i64::from(*score)).sum::<i64>();
            return (!scores.is_empty()).then(|| Score::finite(sum()).value());
        }
        if !self.promotion_score_counts(rsc, node) {
            return None;
        }
        let resource = self.st.rsc(rsc);
        let which = if self.rsc[rsc.i()].unassigned { Host::Current } else { Host::Assigned };
        let node = if resource.meta.attributes_on_host { self.host_of(node, which)? } else { node };
        let scores = &self.promotion_scores[node.i()];
        let value = |name: &str| {
            let found = scores.binary_search_by_key(&name, |(name, _)| name);
            found.ok().map(|at| scores[at].1)
        };
        let (known_as, base) = (resource.known_as().as_str(), base_name(resource.id.as_str()));
        let has_other_name = !resource.is_unique && base != resource.id.as_str() && base != known_as;
        let value = value(known_as).or_else(|| has_other_name.then(|| value(base)).flatten())?;
        Some(self.st.options.score_of(value).map_or(0, Score::value))
    }

    /// Whether what is known of an instance lets its promotion score on a node count: where it runs or was probed; if
    /// nothing is known anywhere (when a cluster starts), everywhere.
    fn promotion_score_counts(&self, rsc: RscIdx, node: NodeIdx) -> bool {
        let resource = self.st.rsc(rsc);
        let is_allowed = || self.tables[rsc.i()].score(node).is_some_and(|score| score >= 0);
        if !resource.is_unique
            && let Some(twins) = self.twins.get(&self.member_of(rsc))
        {
            let active = twins.active[node.i()];
            if active == Some(rsc) || (active.is_none() && twins.known_on.contains(node)) {
                return is_allowed();
            }
        }
        let active = &self.fixed[rsc.i()].active;
        let is_unknown_everywhere = active.is_empty() && resource.known_on.is_empty();
        (is_unknown_everywhere || resource.known_on.contains(node) || active.contains(&node)) && is_allowed()
    }

    /// The clone that an instance, or a member of one, belongs to, and which member it is.
    fn member_of(&self, rsc: RscIdx) -> (RscIdx, usize) {
        let Some(parent) = self.parent(rsc) else { return (rsc, 0) };
        if self.st.rsc(parent).is_clone() {
            return (parent, 0);
        }
        let position = self.rsc[parent.i()].children.iter().position(|member| *member == rsc);
        (self.parent(parent).unwrap_or(parent), position.unwrap_or(0))
    }

    /// Where the instances of a clone are, member by member.
    fn find_twins(&mut self, clone: RscIdx) {
        for instance in self.rsc[clone.i()].children.clone() {
            let members = self.rsc[instance.i()].children.clone();
            let members = if members.is_empty() { vec![instance] } else { members };
            for (position, member) in members.into_iter().enumerate() {
                let n_nodes = self.nodes.len();
                let twins = self.twins.entry((clone, position));
                let twins = twins
                    .or_insert_with(|| Twins { active: vec![None; n_nodes], known_on: NodeSet::default() });
                for node in &*self.fixed[member.i()].active {
                    twins.active[node.i()].get_or_insert(member);
                }
                for node in self.st.rsc(member).known_on.iter() {
                    twins.known_on.insert(node);
                }
            }
        }
    }

    /// Chooses which instances are promoted, the worthiest first.
    pub fn choose_roles(&mut self, clone: RscIdx) {
        let Kind::Clone(data) = self.kind(clone) else { return };
        let promoted_max = data.promoted_max;
        for entry in self.tables[clone.i()].iter_mut() {
            entry.count = 0;
        }
        for instance in self.rsc[clone.i()].children.clone() {
            self.set_promotion_priority(clone, instance);
        }
        self.sort_by_worth(clone);
        let mut n_promoted = 0;
        for instance in self.rsc[clone.i()].children.clone() {
            self.show_promotion_score(instance);
            let is_eligible = self.rsc[instance.i()].promotion_priority >= 0
                && (n_promoted < promoted_max || !self.rsc[clone.i()].managed);
            let node = if is_eligible { self.node_to_promote_on(instance) } else { None };
            let is_frozen = self.rsc[instance.i()].role < Role::Promoted
                && !self.st.has_quorum
                && self.st.options.no_quorum == NoQuorum::Freeze;
            match node.filter(|_| !is_frozen) {
                None => {
                    self.explain_unpromoted(instance, promoted_max, n_promoted, is_frozen && node.is_some());
                    self.set_unpromoted(instance);
                }
                Some(node) => {
                    if let Some(entry) = self.tables[clone.i()].get_mut(node) {
                        entry.count += 1;
                    }
                    self.set_promoted(instance);
                    n_promoted += 1;
                }
            }
        }
    }

    fn explain_unpromoted(&mut self, instance: RscIdx, max: u32, n_promoted: u32, is_frozen: bool) {
        let state = &self.rsc[instance.i()];
        let (worth, node) = (state.promotion_priority, self.assigned_node(instance));
        let next_role = self.next_role(instance);
        let resource = self.st.rsc(instance);
        let why = match worth {
            _ if is_frozen => NotPromoted::NoQuorum,
            _ if node.is_none() => NotPromoted::NotRunning,
            _ if next_role == Role::Unpromoted && resource.next_role == Role::Unpromoted => {
                NotPromoted::ToBeUnpromoted(resource.next_role_reason.unwrap_or("target-role"))
            }
            -1 if node.is_some_and(|node| self.promotion_score(instance, node).is_none()) => {
                NotPromoted::NoScore
            }
            _ if worth < 0 => NotPromoted::Score(Score::finite(worth.into())),
            _ if n_promoted >= max => NotPromoted::Enough(max),
            _ => NotPromoted::NodeFull,
        };
        self.because_not_promoted(instance, node, why);
    }

    /// What an instance's promotion is worth, by its promotion score, locations for the role, and colocations.
    fn set_promotion_priority(&mut self, clone: RscIdx, instance: RscIdx) {
        if self.current_role(instance) == Role::Started {
            self.started_is_unpromoted(instance);
        }
        let Some(node) = self.assigned_node(instance) else { return };
        let next_role = self.next_role(instance);
        match next_role {
            // −1 lets a location constraint make an instance eligible, but none is without any.
            Role::Started | Role::Unknown => {
                let given = self.promotion_score(instance, node);
                self.set_priority(instance, given.unwrap_or(-1));
                self.because_promoted(instance, Some(node), given.unwrap_or(0), None, |_| Cause::Promotion);
            }
            Role::Unpromoted | Role::Stopped => self.set_priority(instance, -INFINITY),
            Role::Promoted => {}
        }
        for source in [instance, clone] {
            for index in self.rsc[source.i()].locations.clone().into_iter().rev() {
                let location = &self.locations[index as usize];
                let found = location.nodes.iter().find(|(place, _)| *place == node);
                if let (Role::Promoted, Some(&(_, score))) = (location.role, found) {
                    let id = location.id;
                    self.set_priority(instance, add(self.rsc[instance.i()].priority, score));
                    self.because_promoted(instance, Some(node), score, id, |_| Cause::Location);
                }
            }
        }
        for index in self.this_with(instance) {
            let colocation = self.colocations[index as usize];
            let change = self.apply_to_dependent(instance, colocation.primary, &colocation);
            self.because_promoted_with(instance, node, change, &colocation);
        }
        let state = &mut self.rsc[instance.i()];
        state.promotion_priority = if next_role == Role::Promoted { INFINITY } else { state.priority };
    }

    /// Weighs what instances' promotion is worth against what others wish of it, and puts the instances in order.
    fn sort_by_worth(&mut self, clone: RscIdx) {
        if std::mem::replace(&mut self.rsc[clone.i()].choosing_roles, true) {
            return;
        }
        self.rsc[clone.i()].summing = true;
        let instances = self.rsc[clone.i()].children.clone();
        for &instance in &instances {
            let worth = self.rsc[instance.i()].promotion_priority;
            if let Some(node) = self.assigned_node(instance)
                && worth >= 0
                && let Some(entry) = self.tables[clone.i()].get_mut(node)
            {
                entry.score = add(worth, entry.score);
            }
        }
        for index in self.with_this(clone) {
            self.add_wishes_for_promotion(clone, index);
        }
        self.require_promotion_tickets(clone);
        for &instance in &instances {
            self.rsc[instance.i()].promotion_priority = self.final_worth(clone, instance);
        }
        let ranked = self.with_colocated_scores(instances);
        let sorted = merge_sort(ranked, &|a, b| {
            let worth = |rsc: RscIdx| self.rsc[rsc.i()].promotion_priority;
            worth(b.0)
                .cmp(&worth(a.0))
                .then_with(|| self.current_role(b.0).cmp(&self.current_role(a.0)))
                .then_with(|| self.compare_instances(*a, *b))
        });
        self.rsc[clone.i()].children = sorted.into_iter().map(|(instance, _)| instance).collect();
        self.rsc[clone.i()].summing = false;
    }

    fn add_wishes_for_promotion(&mut self, clone: RscIdx, index: u32) {
        let colocation = self.colocations[index as usize];
        if colocation.primary_role != Role::Promoted || !self.has_influence(&colocation, colocation.primary) {
            return;
        }
        let wishes = Wishes { of_primaries: false, only_if_possible: true, only_positive: true };
        let mut table = self.tables[clone.i()].clone();
        let factor = factor_of(colocation.score);
        self.add_wishes(colocation.dependent, clone, &mut table, &colocation, factor, wishes);
        self.tables[clone.i()] = table;
    }

    fn final_worth(&self, clone: RscIdx, instance: RscIdx) -> i32 {
        let state = &self.rsc[instance.i()];
        if !state.managed && state.next_role == Role::Promoted {
            return INFINITY;
        }
        match self.assigned_node(instance) {
            None => -INFINITY,
            Some(_) if state.promotion_priority < 0 => state.promotion_priority,
            Some(node) => self.tables[clone.i()].score(node).unwrap_or(state.promotion_priority),
        }
    }

    /// The node an instance could be promoted on, if it can be.
    fn node_to_promote_on(&self, rsc: RscIdx) -> Option<NodeIdx> {
        let state = &self.rsc[rsc.i()];
        if state.children.iter().any(|member| self.node_to_promote_on(*member).is_none()) {
            return None;
        }
        let node = self.assigned_node(rsc)?;
        if !state.managed {
            if self.current_role(rsc) != Role::Promoted {
                return None;
            }
        } else if state.priority < 0
            || !self.is_available(node)
            || self.host_of(node, Host::Assigned).is_none()
        {
            return None;
        }
        let clone = self.top_below_bundle(rsc);
        let Kind::Clone(data) = self.kind(clone) else { return None };
        let entry = self.tables[clone.i()].get(node)?;
        (entry.count < data.promoted_node_max || !state.managed).then_some(node)
    }

    fn started_is_unpromoted(&mut self, rsc: RscIdx) {
        if self.rsc[rsc.i()].role == Role::Started {
            self.rsc[rsc.i()].role = Role::Unpromoted;
        }
        for child in self.rsc[rsc.i()].children.clone() {
            self.started_is_unpromoted(child);
        }
    }

    fn set_unpromoted(&mut self, rsc: RscIdx) {
        let is_active = !self.assigned_nodes(rsc).is_empty();
        self.rsc[rsc.i()].next_role = if is_active { Role::Unpromoted } else { Role::Stopped };
        for child in self.rsc[rsc.i()].children.clone() {
            self.set_unpromoted(child);
        }
    }

    fn set_promoted(&mut self, rsc: RscIdx) {
        if self.rsc[rsc.i()].next_role == Role::Unknown {
            self.rsc[rsc.i()].next_role = Role::Promoted;
        }
        for child in self.rsc[rsc.i()].children.clone() {
            self.set_promoted(child);
        }
    }

    fn show_promotion_score(&mut self, instance: RscIdx) {
        if self.detail >= Detail::Scores {
            self.scores.push(ScoreLine::Promotion {
                resource: instance,
                node: self.assigned_node(instance),
                score: Score::finite(self.rsc[instance.i()].promotion_priority.into()),
            });
        }
    }

    // Promotable clones as primaries

    /// Draws a dependent to the nodes where instances will be in a role.
    pub fn apply_from_roles(&mut self, dependent: RscIdx, clone: RscIdx, colocation: &Colocation<'s>) {
        let mut nodes = Vec::new();
        for instance in self.rsc[clone.i()].children.clone() {
            let Some(node) = self.assigned_node(instance) else { continue };
            if self.next_role(instance) != colocation.primary_role {
                continue;
            }
            nodes.push((node, self.assigned_score(instance)));
            if colocation.score < INFINITY {
                let value = self.place_value(node, colocation.attribute, clone);
                let mut table = std::mem::take(&mut self.tables[dependent.i()]);
                for entry in table.iter_mut() {
                    if value == self.place_value(entry.node, colocation.attribute, dependent) {
                        entry.score = add(entry.score, colocation.score);
                    }
                }
                self.tables[dependent.i()] = table;
            }
        }
        // Promoted with promoted binds roles only: instances may be started elsewhere.
        let binds_roles_only =
            colocation.dependent_role == Role::Promoted && colocation.primary_role == Role::Promoted;
        if colocation.score >= INFINITY && !binds_roles_only {
            // Where several instances share a node, the last one found counts.
            nodes.reverse();
            self.restrict_to(dependent, &nodes, true);
        }
    }

    /// Makes the promotion of a dependent more (or less) worthy where an instance will be in a role.
    pub fn apply_roles_to_priority(
        &mut self,
        dependent: RscIdx,
        clone: RscIdx,
        colocation: &Colocation<'s>,
    ) -> i32 {
        let by = Match::Value(colocation.attribute);
        let found = self.compatible_instance(dependent, clone, colocation.primary_role, by);
        let (priority, change) = match found {
            Some(_) => (add(self.rsc[dependent.i()].priority, colocation.score), colocation.score),
            None if colocation.score >= INFINITY => (-INFINITY, -INFINITY),
            None => return 0,
        };
        self.set_priority(dependent, priority);
        change
    }
}

/// A name without instance number: `web` of `web:0`.
fn base_name(name: &str) -> &str {
    match name.rsplit_once(':') {
        Some((base, number)) if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) => base,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_number_is_digits_after_the_last_colon() {
        for (name, base) in
            [("web:0", "web"), ("web:12", "web"), ("web", "web"), ("a:b", "a:b"), ("a:1:2", "a:1")]
        {
            assert_eq!(base_name(name), base);
        }
    }
}
