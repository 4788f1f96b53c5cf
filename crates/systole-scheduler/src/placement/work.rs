//! What placement knows and changes while it works.

use super::{
    Detail, Locked, Placement, ScoreLine,
    candidates::Candidates,
    colocation::{Colocation, Wishing},
    location::Location,
    promotable::Twins,
    table::{Discovery, Entry, NodeTable, add},
    ticket::TicketDependency,
    utilization::Capacities,
};
use crate::{
    NodeIdx, Note, RscIdx, Status,
    status::{FencingRequest, Kind, NodeSet, PlacementStrategy, Requires},
};
use std::{borrow::Cow, collections::BTreeMap, ops::Bound};
use systole_types::{Role, Score};

/// What changes about a resource while placement works.
#[derive(Clone, Debug, Default)]
pub(super) struct Mutable<'s> {
    /// No decision yet.
    pub unassigned: bool,
    /// Being decided upon: meeting it again means a loop of colocations.
    pub assigning: bool,
    /// Its preferences are being summed up: meeting it again means a loop.
    pub summing: bool,
    pub managed: bool,
    pub blocked: bool,
    /// Needs recovery: as in the status, and containers of guests that are fenced for the loss of a ticket.
    pub failed: bool,
    /// Probed for, and run, only where a location constraint says so.
    pub exclusive: bool,
    pub assigned: Option<NodeIdx>,
    /// It was decided that no node can take it; not of instances that had no turn, or only one to stay where they are.
    pub given_up: bool,
    /// Score on the node at the time it was chosen.
    pub assigned_score: i32,
    pub role: Role,
    pub next_role: Role,
    pub priority: i32,
    pub promotion_priority: i32,
    pub children: Vec<RscIdx>,
    /// Colocations that it is the dependent of, by falling priority of the primary.
    pub this_with: Vec<u32>,
    /// Colocations that it is the primary of, by falling priority of the dependent.
    pub with_this: Vec<u32>,
    pub locations: Vec<u32>,
    pub tickets: Vec<TicketDependency<'s>>,
    pub lock: Option<Locked>,
    /// Of a promotable clone: promotion scores have been added to node scores.
    pub promotion_scores_added: bool,
    /// Of a promotable clone: roles are being, or have been, chosen.
    pub choosing_roles: bool,
}

/// What never changes about a resource but is not handy in [`Status`].
#[derive(Clone, Debug)]
pub(super) struct Fixed<'s> {
    /// Nodes it is active on; for collectives too.
    pub active: Cow<'s, [NodeIdx]>,
    /// The bundle's replica it is the container, address, connection or content of.
    pub replica: Option<(RscIdx, u32)>,
    pub part: Part,
    /// Guest nodes may count as the host of their container for it.
    pub sees_hosts: bool,
}

/// What a resource is to a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    None,
    Container,
    Address,
    Connection,
    Content,
}

/// What changes about a node while placement works.
#[derive(Clone, Debug)]
pub(super) struct NodeState {
    pub online: bool,
    pub shutdown: bool,
    pub unclean: bool,
    pub standby: bool,
    pub maintenance: bool,
    /// Resources may run there, as far as the node goes: follows from the above, and is asked more than anything else.
    is_available: bool,
    /// Its name is one of its attributes.
    pub is_named: bool,
    pub n_assigned: u32,
    pub free: Capacities,
}

impl NodeState {
    /// Changes what is known of a node.
    pub fn change(&mut self, change: impl FnOnce(&mut Self)) {
        change(self);
        self.is_available =
            self.online && !(self.shutdown || self.unclean || self.standby || self.maintenance);
    }
}

/// Placement at work. Fields are filled in the order of [`super::assign_in_detail`].
pub(super) struct Assigner<'s, 'c> {
    pub st: &'s Status<'c>,
    pub rsc: Vec<Mutable<'s>>,
    pub fixed: Vec<Fixed<'s>>,
    pub tables: Vec<NodeTable>,
    pub nodes: Vec<NodeState>,
    /// Every node's name is one of its attributes.
    pub all_named: bool,
    /// Place of each node in the order of names, byte by byte: `node10` before `node9`.
    pub name_rank: Vec<u32>,
    pub colocations: Vec<Colocation<'s>>,
    pub locations: Vec<Location<'s>>,
    /// Values of the node attributes that colocations go by: a number per value, equal for values that count as equal.
    pub attribute_values: Vec<Vec<u32>>,
    pub attribute_names: BTreeMap<&'s str, u32>,
    pub fencing: Vec<FencingRequest>,
    /// Promotion scores as attributes of nodes tell them, in the order of names: by node, what for and how much.
    pub promotion_scores: Vec<Vec<(&'s str, &'s str)>>,
    /// Memory for the sums of one step, and for the table they are made for.
    pub sums: Vec<i32>,
    pub spare_table: NodeTable,
    /// Colocations that wishes are followed through.
    pub wishing: Wishing,
    /// How many colocations wishes are being followed through.
    pub chain_length: usize,
    /// Instances of promotable clones, by what they are instances of.
    pub twins: BTreeMap<(RscIdx, usize), Twins>,
    pub candidates: BTreeMap<RscIdx, NodeSet>,
    /// Top-level resources in the order in which they are assigned.
    pub order: Vec<RscIdx>,
    pub detail: Detail,
    pub scores: Vec<ScoreLine>,
    pub notes: Vec<Note>,
}

impl<'s, 'c> Assigner<'s, 'c> {
    pub fn new(st: &'s Status<'c>, detail: Detail) -> Self {
        let mut name_rank = vec![0; st.nodes.len()];
        let mut by_name: Vec<NodeIdx> = (0..st.nodes.len()).map(NodeIdx::new).collect();
        by_name.sort_by_key(|node| st.node(*node).name.as_str());
        for (rank, node) in (0..).zip(by_name) {
            name_rank[node.i()] = rank;
        }
        let mut work = Self {
            rsc: st.resources.iter().map(Mutable::of).collect(),
            fixed: Vec::with_capacity(st.resources.len()),
            tables: vec![NodeTable::default(); st.resources.len()],
            nodes: Vec::new(),
            all_named: st.nodes.iter().all(|node| node.attribute("#uname").is_some()),
            name_rank,
            colocations: Vec::new(),
            locations: Vec::new(),
            attribute_values: Vec::new(),
            attribute_names: BTreeMap::new(),
            fencing: Vec::new(),
            promotion_scores: st.nodes.iter().map(promotion_scores).collect(),
            sums: Vec::new(),
            spare_table: NodeTable::default(),
            wishing: Wishing::new(st.resources.len()),
            chain_length: 0,
            twins: BTreeMap::new(),
            candidates: BTreeMap::new(),
            order: super::by_priority(st),
            detail,
            scores: Vec::new(),
            notes: Vec::new(),
            st,
        };
        work.nodes = st
            .nodes
            .iter()
            .map(|node| NodeState {
                online: node.online,
                shutdown: node.shutdown,
                unclean: node.unclean,
                standby: node.standby || node.standby_on_fail,
                maintenance: node.maintenance,
                is_available: false,
                is_named: node.attribute("#uname").is_some(),
                n_assigned: 0,
                // Where capacity decides nothing it is kept only to be shown.
                free: match work.strategy() {
                    PlacementStrategy::Default if work.detail < Detail::Scores => Capacities::new(),
                    _ => node.utilization.clone(),
                },
            })
            .collect();
        work.nodes.iter_mut().for_each(|node| node.change(|_| {}));
        for i in 0..st.resources.len() {
            let active = work.active_nodes(RscIdx::new(i));
            let sees_hosts = st.resources[i].meta.attributes_on_host;
            work.fixed.push(Fixed { active, replica: None, part: Part::None, sees_hosts });
        }
        for (bundle, rsc) in st.iter_resources() {
            let Some(data) = rsc.bundle() else { continue };
            for (n, replica) in (0..).zip(&data.replicas) {
                let parts = [
                    (Some(replica.container), Part::Container),
                    (replica.ip, Part::Address),
                    (replica.remote, Part::Connection),
                    (replica.child, Part::Content),
                ];
                for (rsc, part) in parts {
                    if let Some(rsc) = rsc {
                        work.fixed[rsc.i()].replica = Some((bundle, n));
                        work.fixed[rsc.i()].part = part;
                    }
                }
            }
        }
        for i in 0..st.resources.len() {
            let rsc = RscIdx::new(i);
            let is_inside = work.inner_clone(rsc) == Some(work.top_below_bundle(rsc));
            work.fixed[i].sees_hosts |= is_inside;
        }
        work
    }

    /// Nodes a resource is active on; a collective's are its children's unless the history names some itself.
    fn active_nodes(&self, rsc: RscIdx) -> Cow<'s, [NodeIdx]> {
        let resource = &self.st.resources[rsc.i()];
        if !resource.running_on.is_empty() || resource.children.is_empty() {
            return Cow::Borrowed(&resource.running_on);
        }
        let mut active = Vec::new();
        for child in &resource.children {
            for node in &*self.active_nodes(*child) {
                if !active.contains(node) {
                    active.push(*node);
                }
            }
        }
        Cow::Owned(active)
    }

    pub fn strategy(&self) -> PlacementStrategy {
        self.st.options.placement_strategy
    }

    /// Everything found, for the caller.
    pub fn finish(mut self) -> Placement {
        for (i, state) in self.rsc.iter_mut().enumerate() {
            if state.next_role == Role::Unknown && self.st.resources[i].is_primitive() {
                state.next_role = if state.assigned.is_some() { Role::Started } else { Role::Stopped };
            }
        }
        let notes = self.distinct_notes();
        let dependents = |root: &RscIdx| {
            let found = self.with_this(*root);
            (!found.is_empty()).then_some((*root, found))
        };
        let mut dependents: Vec<_> = self.st.roots.iter().filter_map(dependents).collect();
        dependents.sort_by_key(|(root, _)| *root);
        let changed = self.st.iter_resources().filter_map(|(rsc, resource)| {
            let priority = self.rsc[rsc.i()].priority;
            (priority != resource.meta.priority.value()).then_some((rsc, priority))
        });
        Placement {
            dependents,
            priorities: changed.collect(),
            assigned: self.rsc.iter().map(|state| state.assigned).collect(),
            given_up: self.rsc.iter().map(|state| state.given_up).collect(),
            next_role: self.rsc.iter().map(|state| state.next_role).collect(),
            role: self.rsc.iter().map(|state| state.role).collect(),
            managed: self.rsc.iter().map(|state| state.managed).collect(),
            blocked: self.rsc.iter().map(|state| state.blocked).collect(),
            exclusive: self.rsc.iter().map(|state| state.exclusive).collect(),
            promotion_score: self
                .rsc
                .iter()
                .map(|state| Score::finite(state.promotion_priority.into()))
                .collect(),
            locks: self.rsc.iter().map(|state| state.lock).collect(),
            order: self.order,
            children: self.rsc.iter_mut().map(|state| std::mem::take(&mut state.children)).collect(),
            allowed: self.tables,
            candidates: self.candidates,
            free: self.nodes.iter_mut().map(|node| std::mem::take(&mut node.free)).collect(),
            nodes: self
                .nodes
                .iter()
                .map(|node| super::NodeOutlook {
                    online: node.online,
                    shutdown: node.shutdown,
                    unclean: node.unclean,
                    n_assigned: node.n_assigned,
                })
                .collect(),
            colocations: self.colocations.iter().map(Colocation::publish).collect(),
            fencing: self.fencing,
            scores: self.scores,
            notes,
        }
    }

    /// Remembers on which nodes resources are allowed or banned before anything is assigned.
    pub fn note_candidates(&mut self) {
        let by_capacity = self.strategy() != PlacementStrategy::Default;
        for (rsc, data) in self.st.iter_resources() {
            let has_demand = by_capacity && data.primitive().is_some_and(|own| !own.utilization.is_empty());
            if has_demand || (self.st.unfencing_in_use && data.meta.requires == Requires::Unfencing) {
                let nodes = self.tables[rsc.i()].iter().map(|entry| entry.node).collect();
                self.candidates.insert(rsc, nodes);
            }
        }
    }

    // Nodes

    /// Whether resources may run on a node, as far as the node goes.
    pub fn is_available(&self, node: NodeIdx) -> bool {
        self.nodes[node.i()].is_available
    }

    pub fn is_usable(&self, entry: &Entry) -> bool {
        entry.score >= 0 && self.is_available(entry.node)
    }

    pub fn any_usable(&self, table: &NodeTable) -> bool {
        table.iter().any(|entry| self.is_usable(entry))
    }

    /// An entry for a node that a table does not have yet: with the node's own score.
    pub fn base_entry(&self, node: NodeIdx) -> Entry {
        let is_bundle = self.st.node(node).is_bundle();
        let score =
            if is_bundle { -super::table::INFINITY } else { self.st.node(node).present_score().value() };
        let discovery = if is_bundle { Discovery::Never } else { Discovery::Always };
        Entry { node, score, count: 0, discovery }
    }

    // Resources

    pub fn kind(&self, rsc: RscIdx) -> &Kind<'c> {
        &self.st.rsc(rsc).kind
    }

    pub fn parent(&self, rsc: RscIdx) -> Option<RscIdx> {
        self.st.rsc(rsc).parent
    }

    pub fn has_children(&self, rsc: RscIdx) -> bool {
        !self.rsc[rsc.i()].children.is_empty()
    }

    /// The collective a resource is part of, up to but not including a bundle.
    pub fn top_below_bundle(&self, mut rsc: RscIdx) -> RscIdx {
        while let Some(parent) = self.parent(rsc) {
            if self.st.rsc(parent).is_bundle() {
                break;
            }
            rsc = parent;
        }
        rsc
    }

    /// The clone inside the bundle that a resource is part of (or is).
    pub fn inner_clone(&self, rsc: RscIdx) -> Option<RscIdx> {
        let root = self.st.root_of(rsc);
        self.st.rsc(root).bundle().and_then(|bundle| bundle.inner)
    }

    pub fn needs_fencing(&self, rsc: RscIdx) -> bool {
        self.st.rsc(rsc).meta.requires >= Requires::Fencing
    }

    /// The one node that counts as where a resource is, and the number of nodes it is active on.
    ///
    /// For a resource that is migrating, the source; for one that does not wait for fencing, the first clean node;
    /// otherwise the first.
    pub fn current(&self, rsc: RscIdx) -> Option<NodeIdx> {
        let active = &self.fixed[rsc.i()].active;
        if let Some((source, _)) = self.st.rsc(rsc).partial_migration
            && active.contains(&source)
        {
            return Some(source);
        }
        let is_clean = |node: &&NodeIdx| self.nodes[node.i()].online && !self.nodes[node.i()].unclean;
        if self.st.rsc(rsc).partial_migration.is_none() && !self.needs_fencing(rsc) {
            return active.iter().find(is_clean).or_else(|| active.first()).copied();
        }
        active.first().copied()
    }

    /// The nodes chosen for a resource or its members, each once.
    pub fn assigned_nodes(&self, rsc: RscIdx) -> Vec<NodeIdx> {
        fn collect(work: &Assigner<'_, '_>, rsc: RscIdx, into: &mut Vec<NodeIdx>) {
            let state = &work.rsc[rsc.i()];
            for child in &state.children {
                collect(work, *child, into);
            }
            if let (true, Some(node)) = (state.children.is_empty(), state.assigned)
                && !into.contains(&node)
            {
                into.push(node);
            }
        }
        let mut nodes = Vec::new();
        collect(self, rsc, &mut nodes);
        nodes
    }

    /// The node chosen for a resource; for a collective, if there is just one.
    pub fn assigned_node(&self, rsc: RscIdx) -> Option<NodeIdx> {
        if !self.has_children(rsc) {
            return self.rsc[rsc.i()].assigned;
        }
        match self.assigned_nodes(rsc)[..] {
            [node] => Some(node),
            _ => None,
        }
    }

    /// The score a resource had on its node when that was chosen; a collective's is its first member's.
    pub fn assigned_score(&self, rsc: RscIdx) -> i32 {
        match self.rsc[rsc.i()].children.first() {
            Some(child) => self.assigned_score(*child),
            None => self.rsc[rsc.i()].assigned_score,
        }
    }

    pub fn current_role(&self, rsc: RscIdx) -> Role {
        self.highest_role(rsc, &|state| state.role)
    }

    pub fn next_role(&self, rsc: RscIdx) -> Role {
        self.highest_role(rsc, &|state| state.next_role)
    }

    fn highest_role(&self, rsc: RscIdx, role: &dyn Fn(&Mutable<'_>) -> Role) -> Role {
        let state = &self.rsc[rsc.i()];
        if state.children.is_empty() {
            return role(state);
        }
        state.children.iter().map(|child| self.highest_role(*child, role)).max().unwrap_or_default()
    }

    /// Whether a resource or one of its members fulfils `what`.
    pub fn any_member(&self, rsc: RscIdx, what: &dyn Fn(&Self, RscIdx) -> bool) -> bool {
        what(self, rsc) || self.rsc[rsc.i()].children.iter().any(|child| self.any_member(*child, what))
    }

    pub fn is_blocked(&self, rsc: RscIdx) -> bool {
        self.any_member(rsc, &|work, rsc| work.rsc[rsc.i()].blocked)
    }

    /// The entry of a node in the table of what an instance is an instance of.
    pub fn parent_entry(&self, rsc: RscIdx, node: NodeIdx) -> Option<&Entry> {
        self.tables[self.parent(rsc).unwrap_or(rsc).i()].get(node)
    }

    // Scores

    /// Adds to the score of a resource (and its members) on a node.
    pub fn prefer(&mut self, rsc: RscIdx, node: NodeIdx, score: i32) {
        for i in 0..self.rsc[rsc.i()].children.len() {
            self.prefer(self.rsc[rsc.i()].children[i], node, score);
        }
        self.prefer_itself(rsc, node, score);
    }

    /// Adds to the score of a resource, not of its members, on a node.
    pub fn prefer_itself(&mut self, rsc: RscIdx, node: NodeIdx, score: i32) {
        let base = self.base_entry(node);
        let (entry, _) = self.tables[rsc.i()].entry(node, || base);
        entry.score = add(entry.score, score);
    }

    /// Bans a resource (and its members) from every node, taking back what was chosen for it.
    pub fn ban_everywhere(&mut self, rsc: RscIdx) {
        for node in 0..self.nodes.len() {
            self.prefer(rsc, NodeIdx::new(node), -super::table::INFINITY);
        }
        self.rsc[rsc.i()].assigned = None;
    }

    /// Writes down the scores of a resource and its members as they are, if anyone wants to know.
    pub fn show_scores(&mut self, step: &'static str, rsc: RscIdx) {
        if self.detail < Detail::Scores || self.st.rsc(rsc).removed.is_some() {
            return;
        }
        let mut entries: Vec<&Entry> = self.tables[rsc.i()].iter().collect();
        entries.sort_by_key(|entry| self.name_rank[entry.node.i()]);
        self.scores.extend(entries.into_iter().map(|entry| ScoreLine::Allocation {
            step,
            resource: rsc,
            node: entry.node,
            score: Score::finite(entry.score.into()),
        }));
        for i in 0..self.rsc[rsc.i()].children.len() {
            self.show_scores(step, self.rsc[rsc.i()].children[i]);
        }
    }
}

/// Attributes `master-NAME` of a node: names, in their order, and scores.
fn promotion_scores<'s>(node: &'s crate::Node<'_>) -> Vec<(&'s str, &'s str)> {
    const PREFIX: &str = "master-";
    let from_first = node.attributes.range::<str, _>((Bound::Included(PREFIX), Bound::Unbounded));
    let scores = from_first.map_while(|(name, score)| Some((name.strip_prefix(PREFIX)?, &**score)));
    scores.collect()
}

impl Mutable<'_> {
    fn of(rsc: &crate::Resource<'_>) -> Self {
        Self {
            unassigned: true,
            managed: rsc.managed,
            blocked: rsc.blocked,
            failed: rsc.failed,
            role: rsc.role,
            next_role: rsc.next_role,
            priority: rsc.meta.priority.value(),
            lock: rsc.shutdown_lock.map(|(node, since)| Locked { node, since }),
            children: rsc.children.clone(),
            ..Self::default()
        }
    }
}

impl Candidates for Assigner<'_, '_> {
    fn strategy(&self) -> PlacementStrategy {
        self.st.options.placement_strategy
    }

    fn is_available(&self, node: NodeIdx) -> bool {
        self.nodes[node.i()].is_available
    }

    fn free(&self, node: NodeIdx) -> &Capacities {
        &self.nodes[node.i()].free
    }

    fn n_assigned(&self, node: NodeIdx) -> u32 {
        self.nodes[node.i()].n_assigned
    }

    fn name_rank(&self, node: NodeIdx) -> u32 {
        self.name_rank[node.i()]
    }

    fn uuid(&self, node: NodeIdx) -> &str {
        self.st.node(node).uuid.as_str()
    }
}
