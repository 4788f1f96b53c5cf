//! Putting the scheduler's notes together: one [`Asker`] per transition, asked about one resource after the other.

use super::{
    Answer, Copies, Explanation, Failure, NodeAnswer, NodeFault, Part, Reason, Unmanaged, Why,
    elements::element_of,
    orders::{orders_between, with_parents},
    waits::Graph,
};
use crate::{Circle, happening::Happening, remedy::rule};
use std::collections::BTreeMap;
use systole_cib::model::{Location, Preference, ResourceDiscovery};
use systole_scheduler::{
    NodeIdx, Note, RscIdx, Status, Transition,
    note::{Cause, NoteKind, Obstacle},
    placement::{ColocationLink, Discovery},
    status::{Kind, NoQuorum, NodeKind},
};
use systole_types::{ElementId, NodeId, ResourceId, Role, Score, Timestamp};

/// Answers questions about a transition that was scheduled with [`Detail::Scores`](systole_scheduler::placement::Detail).
pub struct Asker<'t> {
    transition: &'t Transition<'t>,
    notes: BTreeMap<&'t ResourceId, Vec<&'t Note>>,
    graph: Graph<'t>,
    circle: Option<Circle>,
}

impl<'t> Asker<'t> {
    /// Ready to be asked.
    pub fn new(transition: &'t Transition<'t>) -> Self {
        let mut notes: BTreeMap<&ResourceId, Vec<&Note>> = BTreeMap::new();
        for note in &transition.notes {
            if let Some(id) = &note.resource {
                notes.entry(id).or_default().push(note);
            }
        }
        Self { transition, notes, graph: Graph::new(transition), circle: Circle::of(transition) }
    }

    /// The transition.
    pub const fn transition(&self) -> &'t Transition<'t> {
        self.transition
    }

    fn status(&self) -> &'t Status<'t> {
        &self.transition.status
    }

    /// Resources of that name; instances are found without their number too.
    pub fn named(&self, name: &str) -> Vec<RscIdx> {
        let status = self.status();
        if let Some(rsc) = status.find_resource(name) {
            return vec![rsc];
        }
        let is_instance = |id: &str| id.rsplit_once(':').is_some_and(|(base, _)| base == name);
        status.iter_resources().filter(|(_, rsc)| is_instance(rsc.id.as_str())).map(|(idx, _)| idx).collect()
    }

    /// Everything about a resource and what it consists of.
    pub fn explain(&self, rsc: RscIdx) -> Explanation {
        let resource = self.status().rsc(rsc);
        Explanation {
            resource: resource.id.clone(),
            kind: match resource.kind {
                Kind::Primitive(_) => "primitive",
                Kind::Group(_) => "group",
                Kind::Clone(_) => "clone",
                Kind::Bundle(_) => "bundle",
            },
            copies: self.copies(rsc),
            parts: self.parts(rsc),
        }
    }

    /// Everything about the instances that a name stands for; about the resource, if it stands for one.
    pub fn explain_all(&self, name: &str, named: &[RscIdx]) -> Explanation {
        if let [one] = named {
            return self.explain(*one);
        }
        Explanation {
            resource: ResourceId::new(name),
            kind: "instances",
            copies: None,
            parts: named.iter().flat_map(|rsc| self.parts(*rsc)).collect(),
        }
    }

    fn copies(&self, rsc: RscIdx) -> Option<Copies> {
        let status = self.status();
        let (wanted, promoted_wanted) = match &status.rsc(rsc).kind {
            Kind::Clone(clone) => {
                (clone.max, if status.rsc(rsc).is_promotable { clone.promoted_max } else { 0 })
            }
            Kind::Bundle(bundle) => {
                let inner = bundle.inner.filter(|inner| status.rsc(*inner).is_promotable);
                (bundle.replicas.len() as u32, inner.map_or(0, |_| bundle.promoted_max))
            }
            _ => return None,
        };
        let count = |promoted| crate::goal::copies(status, rsc, None, promoted);
        Some(Copies { wanted, active: count(false), promoted_wanted, promoted: count(true) })
    }

    fn parts(&self, rsc: RscIdx) -> Vec<Part> {
        let part = |name: String, of: Vec<RscIdx>| Part {
            name,
            answers: of.into_iter().map(|rsc| self.answer(rsc)).collect(),
        };
        let Kind::Bundle(bundle) = &self.status().rsc(rsc).kind else {
            let primitives = self.primitives(rsc).into_iter();
            return primitives.map(|rsc| part(self.status().rsc(rsc).id.to_string(), vec![rsc])).collect();
        };
        let replicas = bundle.replicas.iter().map(|replica| {
            let parts = [Some(replica.container), replica.ip, replica.remote, replica.child];
            let primitives = parts.into_iter().flatten().flat_map(|part| self.primitives(part));
            part(format!("replica {}", replica.offset), primitives.collect())
        });
        replicas.collect()
    }

    /// A node, and where it is a guest the nodes its container is active on.
    fn with_hosts(&self, node: NodeIdx) -> Vec<NodeIdx> {
        match self.status().node(node).kind {
            NodeKind::Guest { container, .. } => {
                std::iter::once(node).chain(self.status().rsc(container).running_on.iter().copied()).collect()
            }
            _ => vec![node],
        }
    }

    /// What agents manage below (or at) a resource; of a bundle, replica by replica.
    pub fn primitives(&self, rsc: RscIdx) -> Vec<RscIdx> {
        let resource = self.status().rsc(rsc);
        match &resource.kind {
            Kind::Primitive(_) => vec![rsc],
            Kind::Bundle(bundle) => {
                let parts = bundle
                    .replicas
                    .iter()
                    .flat_map(|replica| [Some(replica.container), replica.ip, replica.remote, replica.child]);
                parts.flatten().flat_map(|part| self.primitives(part)).collect()
            }
            _ => resource.children.iter().flat_map(|child| self.primitives(*child)).collect(),
        }
    }

    /// Everything about one instance.
    pub fn answer(&self, rsc: RscIdx) -> Answer {
        let (status, placement) = (self.status(), &self.transition.placement);
        let resource = status.rsc(rsc);
        let name = |node: &NodeIdx| status.node(*node).name.clone();
        let happenings: Vec<Happening> = self
            .transition
            .changes
            .iter()
            .filter(|change| change.resource == Some(rsc))
            .map(|change| Happening::new(change, self.transition))
            .collect();
        let assigned = placement.assigned[rsc.i()];
        let is_home = resource.running_on.len() == 1 && assigned == resource.running_on.first().copied();
        let (mut reasons, nodes) = (self.reasons(rsc), self.nodes(rsc));
        reasons.extend(self.silent_musts(rsc, &nodes));
        let waits = if happenings.is_empty() { Vec::new() } else { self.graph.waits_of(rsc) };
        Answer {
            resource: resource.id.clone(),
            role: placement.role[rsc.i()],
            running_on: resource.running_on.iter().map(name).collect(),
            hosts: resource
                .running_on
                .iter()
                .flat_map(|node| self.with_hosts(*node))
                .map(|node| name(&node))
                .collect(),
            assigned: assigned.as_ref().map(name),
            next_role: placement.next_role[rsc.i()],
            is_settled: is_home && happenings.is_empty() && !resource.failed && !resource.blocked,
            reasons,
            nodes,
            happenings,
            waits,
        }
    }

    /// What holds wherever it is.
    fn reasons(&self, rsc: RscIdx) -> Vec<Reason> {
        let (status, placement) = (self.status(), &self.transition.placement);
        let resource = status.rsc(rsc);
        let mut reasons = Vec::new();
        if resource.removed.is_some() {
            reasons.push(Reason::plain(Why::Removed));
        }
        if !placement.managed[rsc.i()] {
            reasons.push(Reason::plain(Why::Unmanaged(self.why_unmanaged(rsc))));
        }
        if status.options.stop_all {
            reasons.push(Reason::plain(Why::StopAll));
        }
        if !status.has_quorum && status.options.no_quorum != NoQuorum::Ignore && resource.removed.is_none() {
            reasons.push(Reason::plain(Why::NoQuorum(status.options.no_quorum.as_str())));
        }
        if let Some(circle) = self.circle.as_ref().filter(|circle| circle.concerns(rsc)) {
            reasons.push(Reason::plain(Why::Circle(circle.clone())));
        }
        self.add_notes(rsc, None, &mut reasons);
        reasons
    }

    fn why_unmanaged(&self, rsc: RscIdx) -> Unmanaged {
        let status = self.status();
        let resource = status.rsc(rsc);
        let in_maintenance = resource.running_on.iter().find(|node| status.node(**node).maintenance);
        match in_maintenance {
            _ if resource.managed && status.options.fencing_enabled && !status.have_fencing => {
                Unmanaged::NoFenceDevice
            }
            _ if resource.managed => Unmanaged::Frozen,
            _ if resource.blocked => Unmanaged::Blocked,
            _ if status.options.maintenance => Unmanaged::Cluster,
            Some(node) => Unmanaged::Node(status.node(*node).name.clone()),
            _ if resource.maintenance => Unmanaged::Resource,
            _ if resource.removed.is_some() => Unmanaged::Removed,
            _ => Unmanaged::IsManaged,
        }
    }

    /// Notes about the instance or what it is part of: those about `node`, or about none. Each once.
    fn add_notes(&self, rsc: RscIdx, node: Option<NodeIdx>, reasons: &mut Vec<Reason>) {
        let status = self.status();
        let wanted = node.map(|node| &status.node(node).name);
        let is_inherited =
            |note: &Note| !matches!(note.kind, NoteKind::NotPromoted(_) | NoteKind::Scored(..));
        for (level, part) in with_parents(status, rsc).into_iter().enumerate() {
            for note in self.notes.get(&status.rsc(part).id).into_iter().flatten() {
                if note.node.as_ref() == wanted && (level == 0 || is_inherited(note)) {
                    let reason = self.reason(rsc, note);
                    if let Some(reason) = reason.filter(|reason| !reasons.contains(reason)) {
                        reasons.push(reason);
                    }
                }
            }
        }
    }

    /// The agent's own promotion score is told only where others count besides, and none forbids promotion.
    fn drop_idle_promotion_scores(reasons: &mut Vec<Reason>) {
        let is_agents = |reason: &Reason| matches!(reason.why, Why::Promotion(_, Cause::Promotion));
        let is_forbidden = |reason: &Reason| matches!(reason.why, Why::Promotion(Score::MINUS_INFINITY, _));
        let others =
            || reasons.iter().filter(|reason| matches!(reason.why, Why::Promotion(..)) && !is_agents(reason));
        if others().next().is_none() || others().any(is_forbidden) {
            reasons.retain(|reason| !is_agents(reason));
        }
    }

    fn reason(&self, rsc: RscIdx, note: &Note) -> Option<Reason> {
        let mut element = note.element.clone().or_else(|| element_of(self.status(), rsc, &note.kind));
        let why = match &note.kind {
            NoteKind::Banned(cause) => Why::Banned(cause.clone()),
            NoteKind::Scored(score, cause) => Why::Score(*score, cause.clone()),
            NoteKind::NotPromoted(why) => Why::NotPromoted(why.clone()),
            NoteKind::PromotionScored(score, cause) => Why::Promotion(*score, cause.clone()),
            NoteKind::Stuck { task, obstacle } => {
                if let Obstacle::Action { resource: Some(other), .. } = obstacle {
                    let other = self.status().find_resource(other.as_str());
                    element =
                        other.and_then(|other| orders_between(self.status(), other, rsc).into_iter().next());
                }
                Why::Stuck { task: task.clone(), obstacle: obstacle.clone() }
            }
            // Failures are told from the history, which knows more of them.
            _ => return None,
        };
        let until = self.holds_until(rsc, note.node.as_ref(), element.as_ref());
        Some(Reason { element, why, until })
    }

    /// When the rule `element` will not hold any more.
    fn holds_until(
        &self,
        rsc: RscIdx,
        node: Option<&NodeId>,
        element: Option<&ElementId>,
    ) -> Option<Timestamp> {
        let (status, node) = (self.status(), self.status().find_node(node?.as_str())?);
        let rule = rule::find(status, element?)?;
        rule::Place { status, rsc, node, rule }.changes_at()
    }

    fn nodes(&self, rsc: RscIdx) -> Vec<NodeAnswer> {
        let status = self.status();
        let table = &self.transition.placement.allowed[rsc.i()];
        let is_unpromoted_only = self.lacks_only_the_ticket_to_promote(rsc);
        let mut answers = Vec::new();
        for &node in &status.nodes_by_name {
            let score = table.score(node);
            if matches!(status.node(node).kind, NodeKind::Ping) {
                continue;
            }
            if let Some(bundle) = self.bundle_of_guest(node).filter(|_| score.is_none()) {
                let why = Why::GuestOfBundle(status.rsc(bundle).id.clone());
                let node = status.node(node).name.clone();
                answers.push(NodeAnswer { node, score: None, reasons: vec![Reason::plain(why)] });
                continue;
            }
            let mut reasons: Vec<Reason> =
                self.node_faults(node).into_iter().map(|fault| Reason::plain(Why::Node(fault))).collect();
            self.add_notes(rsc, Some(node), &mut reasons);
            reasons.extend(self.exclusive_discovery(rsc, node, &reasons));
            let is_banned = reasons.iter().any(|reason| matches!(reason.why, Why::Banned(_)));
            let score = match score {
                Some(_) if is_unpromoted_only && !is_banned => Some(sum(&reasons)),
                score => score,
            };
            Self::drop_idle_promotion_scores(&mut reasons);
            match score.map(|score| Score::finite(score.into())) {
                None => reasons.push(Reason::plain(Why::NotAllowed { opt_in: !status.options.symmetric })),
                Some(score) if score < Score::ZERO && !score.is_infinite() => {
                    reasons.push(Reason::plain(Why::BelowZero(score)));
                }
                Some(_) => {}
            }
            self.add_failures(rsc, node, &mut reasons);
            if !reasons.iter().any(Reason::rules_out) {
                reasons.extend(self.comparison(rsc, node, score));
            }
            answers.push(NodeAnswer {
                node: status.node(node).name.clone(),
                score: score.map(|score| Score::finite(score.into())),
                reasons,
            });
        }
        answers
    }

    /// The bundle that a node is a guest of.
    fn bundle_of_guest(&self, node: NodeIdx) -> Option<RscIdx> {
        match self.status().node(node).kind {
            NodeKind::Guest { container, .. } if self.status().node(node).is_bundle() => {
                Some(self.status().root_of(container))
            }
            _ => None,
        }
    }

    /// Which constraint allows a node by exclusive discovery, unless it is `told` already.
    fn exclusive_discovery(&self, rsc: RscIdx, node: NodeIdx, told: &[Reason]) -> Option<Reason> {
        let status = self.status();
        let entry = self.transition.placement.allowed[rsc.i()].get(node)?;
        if entry.discovery != Discovery::Exclusive || entry.score <= Score::MINUS_INFINITY.value() {
            return None;
        }
        let names = |location: &Location| match &location.preference {
            Preference::Node { node: name, .. } => *name == status.node(node).name,
            _ => rule::rules_of(location).iter().any(|rule| rule::Place { status, rsc, node, rule }.holds()),
        };
        let chain = with_parents(status, rsc);
        let location = rule::locations_about(status, &chain)
            .find(|location| location.discovery == ResourceDiscovery::Exclusive && names(location))?;
        let mut ids =
            std::iter::once(&location.id).chain(rule::rules_of(location).iter().map(|rule| &rule.id));
        let is_told = ids.any(|id| told.iter().any(|reason| reason.element.as_ref() == Some(id)));
        let reason = Reason { element: Some(location.id.clone()), why: Why::Discovery, until: None };
        (!is_told).then_some(reason)
    }

    /// A ticket that promotion needs bans from every node after places have been chosen: of that, only the promotion is meant.
    fn lacks_only_the_ticket_to_promote(&self, rsc: RscIdx) -> bool {
        let chain = with_parents(self.status(), rsc);
        let notes = || chain.iter().filter_map(|part| self.notes.get(&self.status().rsc(*part).id)).flatten();
        let forbids_promotion = |note: &Note| {
            matches!(note.kind, NoteKind::PromotionScored(Score::MINUS_INFINITY, Cause::Ticket { .. }))
        };
        let bans_everywhere = |note: &Note| note.node.is_none() && matches!(note.kind, NoteKind::Banned(_));
        notes().any(|note| forbids_promotion(note)) && !notes().any(|note| bans_everywhere(note))
    }

    /// Mandatory colocations that ban no node here: they change no score, and yet decide where it may run. Left out are those that
    /// do not say on which node: by an attribute, or with an instance that must not be promoted.
    fn silent_musts(&self, rsc: RscIdx, nodes: &[NodeAnswer]) -> Vec<Reason> {
        let (status, placement) = (self.status(), &self.transition.placement);
        if placement.assigned[rsc.i()].is_none() {
            return Vec::new();
        }
        let chain = with_parents(status, rsc);
        let is_must = |link: &&ColocationLink| {
            link.score == Score::INFINITY
                && link.dependent_role == Role::Unknown
                && link.primary_role != Role::Unpromoted
                && !link.goes_by_attribute
                && !link.id.starts_with('#')
                && chain.contains(&link.dependent)
        };
        let musts = placement.colocations.iter().filter(is_must).map(|link| Reason {
            element: Some(ElementId::new(&link.id)),
            why: Why::OnlyWith {
                with: status.rsc(link.primary).id.clone(),
                promoted: link.primary_role == Role::Promoted,
            },
            until: None,
        });
        let told = |reason: &Reason| {
            nodes.iter().flat_map(|part| &part.reasons).any(|known| known.element == reason.element)
        };
        musts.filter(|reason| !told(reason)).collect()
    }

    /// What is wrong with the node itself.
    fn node_faults(&self, idx: NodeIdx) -> Vec<NodeFault> {
        let status = self.status();
        let (node, outlook) = (status.node(idx), &self.transition.placement.nodes[idx.i()]);
        let name = |rsc: RscIdx| status.rsc(rsc).id.clone();
        let is_up = outlook.online && !outlook.shutdown;
        let is_unclean = node.unclean || outlook.unclean;
        let mut faults = Vec::new();
        match node.kind {
            NodeKind::Guest { container, .. } if !is_up => {
                faults.push(NodeFault::NotConnected(name(container)))
            }
            NodeKind::Remote { connection: Some(connection) } if !is_up && !is_unclean => {
                faults.push(NodeFault::NotConnected(name(connection)));
            }
            _ if is_unclean => faults.push(NodeFault::Unclean { can_be_fenced: status.can_fence(idx) }),
            _ if node.pending => faults.push(NodeFault::Pending),
            _ if !node.online => faults.push(NodeFault::Offline),
            _ if outlook.shutdown => faults.push(NodeFault::ShuttingDown),
            _ => {}
        }
        if node.standby_on_fail {
            faults.push(NodeFault::StandbyOnFail);
        } else if node.standby {
            faults.push(NodeFault::Standby);
        }
        if node.maintenance {
            faults.push(NodeFault::Maintenance);
        }
        faults
    }

    fn add_failures(&self, rsc: RscIdx, node: NodeIdx, reasons: &mut Vec<Reason>) {
        for failed in &self.status().failed_operations {
            if failed.rsc == rsc && failed.node == node {
                let entry = failed.entry;
                reasons.push(Reason::plain(Why::Failed(Failure {
                    operation: entry.op.task.clone(),
                    rc: entry.rc,
                    status: entry.status,
                    exit_reason: entry.exit_reason.clone(),
                    at: entry.last_rc_change,
                })));
            }
        }
    }

    /// Why not here, if the score alone decides.
    fn comparison(&self, rsc: RscIdx, node: NodeIdx, score: Option<i32>) -> Option<Reason> {
        let (status, placement) = (self.status(), &self.transition.placement);
        let winner = placement.assigned[rsc.i()].filter(|winner| *winner != node)?;
        let (score, best) = (score?, placement.allowed[rsc.i()].score(winner)?);
        let node = &placement.nodes[node.i()];
        if score < 0 || score > best || !node.online || placement.next_role[rsc.i()] == Role::Stopped {
            return None;
        }
        let than = status.node(winner).name.clone();
        Some(Reason::plain(if score < best {
            Why::Worse { than, score: Score::finite(best.into()) }
        } else {
            Why::NoBetter { than, runs_there: status.rsc(rsc).running_on.contains(&winner) }
        }))
    }
}

/// The scores that are told, together.
fn sum(reasons: &[Reason]) -> i32 {
    let told = reasons.iter().filter_map(|reason| match &reason.why {
        Why::Score(score, _) => Some(*score),
        _ => None,
    });
    told.fold(Score::ZERO, |sum, score| sum + score).value()
}
