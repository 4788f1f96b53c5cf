//! From reasons to changes that might help. Whether they do is seen by trying.

mod places;

use super::Remedy;
use crate::{
    Event, Goal,
    why::{Answer, Asker, NodeFault, Reason, Unmanaged, Why, orders::with_parents},
};
use std::collections::BTreeSet;
use systole_cib::xml::{Document, Element};
use systole_scheduler::{
    NodeIdx, RscIdx, Status,
    note::{Cause, Companion, NotPromoted, Obstacle},
    status::NodeKind,
};
use systole_types::{ElementId, NodeId, ResourceId, Score};

/// How far reasons are followed from one resource to the next: the stack has an end.
const MAX_DEPTH: usize = 200;

/// Changes that might bring `goal` nearer, most harmless first.
pub fn suggestions(asker: &Asker<'_>, document: &Document, goal: &Goal) -> Vec<Remedy> {
    let status = &asker.transition().status;
    let node = goal.node.as_deref().and_then(|name| status.find_node(name));
    let mut collector = Collector {
        asker,
        status,
        document,
        goal,
        is_to_be_promoted: goal.promoted,
        found: Vec::new(),
        asked: BTreeSet::new(),
    };
    let named = asker.named(&goal.resource);
    let parts: Vec<RscIdx> = named.iter().flat_map(|rsc| asker.primitives(*rsc)).collect();
    for part in parts {
        collector.ask(part, node, 0);
    }
    if let Some(node) = node {
        collector.add_moves(&named, node);
    }
    // Failures expire, bans end.
    let next = status.recheck.earliest().filter(|next| *next > status.local_time().at);
    next.into_iter().for_each(|next| collector.add(Remedy::Event(Event::TimeIs(next))));
    let has_some = goal.node.is_none() && goal.copies > 1 && goal.count(status) > 0;
    let mut found = without_repeats(status, goal, collector.found);
    // Where the other copies may run is what somebody wanted.
    found.retain(|remedy| !has_some || !remedy.widens_choice());
    // The role before the place, which is moved with it.
    let is_mild = |remedy: &Remedy| matches!(remedy, Remedy::Move { promoted: true, .. });
    let is_forced = |remedy: &Remedy| matches!(remedy, Remedy::Move { force: true, .. });
    found.sort_by_key(|remedy| (remedy.rank(), !(goal.promoted && is_mild(remedy)), is_forced(remedy)));
    found
}

/// Of moves of the same group only one: of what was asked about, if that is among them.
fn without_repeats(status: &Status<'_>, goal: &Goal, found: Vec<Remedy>) -> Vec<Remedy> {
    let root = |name: &str| status.find_resource(name).map(|rsc| status.root_of(rsc));
    let as_whole = |remedy: &Remedy| match remedy {
        Remedy::Move { resource, node, promoted, force } => {
            root(resource).map(|root| (root, node.clone(), *promoted, *force))
        }
        _ => None,
    };
    let is_asked_about =
        |remedy: &Remedy| matches!(remedy, Remedy::Move { resource, .. } if *resource == goal.resource);
    let mut kept: Vec<Remedy> = Vec::new();
    for remedy in found {
        let same = as_whole(&remedy)
            .and_then(|whole| kept.iter().position(|known| as_whole(known).as_ref() == Some(&whole)));
        match same {
            Some(at) if is_asked_about(&remedy) => kept[at] = remedy,
            Some(_) => {}
            None => kept.push(remedy),
        }
    }
    kept
}

struct Collector<'c, 't> {
    asker: &'c Asker<'t>,
    status: &'c Status<'t>,
    document: &'c Document,
    goal: &'c Goal,
    /// What is asked about is wanted in the promoted role.
    is_to_be_promoted: bool,
    found: Vec<Remedy>,
    asked: BTreeSet<(RscIdx, bool)>,
}

impl Collector<'_, '_> {
    fn add(&mut self, remedy: Remedy) {
        if !self.found.contains(&remedy) {
            self.found.push(remedy);
        }
    }

    /// Looks at the reasons of one instance: those that hold everywhere, and on `node` (on all nodes, if `None`).
    fn ask(&mut self, rsc: RscIdx, node: Option<NodeIdx>, depth: usize) {
        if depth > MAX_DEPTH || !self.asked.insert((rsc, self.is_to_be_promoted)) {
            return;
        }
        let answer = self.asker.answer(rsc);
        let wanted = node.map(|node| &self.status.node(node).name).filter(|name| answer.on(name).is_some());
        let reasons: Vec<(Option<NodeId>, Reason)> = answer
            .all_reasons()
            .filter(|(at, _)| match (at, wanted) {
                (Some(at), Some(wanted)) => at == &wanted || answer.is_inside(at, wanted),
                _ => true,
            })
            .map(|(at, reason)| (at.cloned(), reason.clone()))
            .collect();
        for (at, reason) in reasons {
            self.answer_reason(rsc, &answer, node, at.as_ref(), &reason, depth);
        }
    }

    fn answer_reason(
        &mut self,
        rsc: RscIdx,
        answer: &Answer,
        node: Option<NodeIdx>,
        at: Option<&NodeId>,
        reason: &Reason,
        depth: usize,
    ) {
        match &reason.why {
            // What speaks for a node keeps nothing off.
            Why::Score(score, Cause::Location) if *score > Score::ZERO => {}
            Why::Banned(cause) | Why::Score(_, cause) => {
                self.answer_cause(rsc, node, at, reason.element.as_ref(), cause, depth);
            }
            Why::NotPromoted(why) if self.is_to_be_promoted => self.answer_unpromoted(rsc, answer, why),
            Why::Promotion(score, cause) if self.is_to_be_promoted && *score < Score::ZERO => {
                self.answer_cause(
                    rsc,
                    node.or_else(|| self.node_of(at)),
                    at,
                    reason.element.as_ref(),
                    cause,
                    depth,
                );
            }
            Why::Stuck { obstacle, .. } => {
                self.answer_obstacle(rsc, at, reason.element.as_ref(), obstacle, depth)
            }
            Why::Node(fault) => self.answer_fault(at, fault, depth),
            Why::NotAllowed { .. } | Why::Worse { .. } | Why::NoBetter { .. } | Why::BelowZero(_) => {
                if let (Some(node), true) = (at, reason.rules_out() || self.goal.node.is_some()) {
                    self.fulfil_rules(rsc, node);
                    self.add_move(rsc, node.clone(), false, false);
                    // Nothing is more than INFINITY: it has to be kept off where it is.
                    if let Why::Worse { than, score: Score::INFINITY } = &reason.why {
                        self.add_move(rsc, node.clone(), false, true);
                        self.lessen(rsc, answer, than);
                    }
                }
            }
            Why::Unmanaged(why) => self.answer_unmanaged(rsc, why),
            Why::StopAll => self.add(Remedy::SetOption { name: "stop-all-resources", value: "false" }),
            Why::NoQuorum(_) => self.answer_no_quorum(),
            Why::Failed(_) => self.forget_failures(rsc, at),
            Why::Circle(circle) => circle.orders.iter().for_each(|order| self.delete_constraint(Some(order))),
            Why::NotPromoted(_)
            | Why::Promotion(..)
            | Why::OnlyWith { .. }
            | Why::Removed
            | Why::Discovery
            | Why::GuestOfBundle(_) => {}
        }
    }

    /// Takes away what makes another node better.
    fn lessen(&mut self, rsc: RscIdx, answer: &Answer, winner: &NodeId) {
        for reason in answer.on(winner).into_iter().flat_map(|part| &part.reasons) {
            match &reason.why {
                Why::Score(score, Cause::Location) if *score > Score::ZERO => {
                    self.change_rule(rsc, Some(winner), reason.element.as_ref());
                    self.undo_location(Some(winner), reason.element.as_ref());
                }
                Why::Score(score, Cause::Colocation { .. }) if *score > Score::ZERO => {
                    self.delete_constraint(reason.element.as_ref());
                }
                _ => {}
            }
        }
    }

    fn node_of(&self, name: Option<&NodeId>) -> Option<NodeIdx> {
        self.status.find_node(name?.as_str())
    }

    fn answer_unpromoted(&mut self, rsc: RscIdx, answer: &Answer, why: &NotPromoted) {
        match why {
            NotPromoted::ToBeUnpromoted("target-role") => return self.enable(rsc),
            NotPromoted::ToBeUnpromoted(_) => return self.forget_failures(rsc, None),
            NotPromoted::NoQuorum => return self.answer_no_quorum(),
            NotPromoted::Enough(max) if *max == 0 || self.goal.node.is_some() => {
                let value = (max + 1).to_string();
                let resource = self.top_name(rsc);
                self.add(Remedy::SetMeta { resource, name: "promoted-max", value });
            }
            _ => {}
        }
        let is_meant = |host: &NodeId| self.goal.node.as_ref().is_none_or(|name| *host == name.as_str());
        if answer.hosts.iter().any(is_meant) || answer.assigned.as_ref().is_some_and(is_meant) {
            let places = answer.running_on.iter().chain(&answer.assigned).next().cloned();
            places.into_iter().for_each(|node| self.add_move(rsc, node, true, false));
        }
    }

    fn answer_cause(
        &mut self,
        rsc: RscIdx,
        node: Option<NodeIdx>,
        at: Option<&NodeId>,
        element: Option<&ElementId>,
        cause: &Cause,
        depth: usize,
    ) {
        match cause {
            Cause::Location => {
                self.change_rule(rsc, at, element);
                self.undo_location(at, element);
            }
            Cause::NodeHealth => self.heal(at),
            Cause::Colocation { with, says } => {
                let Some(other) = self.status.find_resource(with.as_str()) else { return };
                self.follow_companion(other, says, node, depth);
                self.delete_constraint(element);
            }
            Cause::Failures { .. } => {
                self.forget_failures(rsc, at);
                // Failures of what lives in it count for a container.
                for inner in self.status.rsc(rsc).contained.clone() {
                    self.forget_failures(inner, at);
                }
            }
            Cause::History(_) => self.forget_failures(rsc, at),
            Cause::ToBeStopped("target-role") => self.enable(rsc),
            Cause::ToBeStopped(_) => self.forget_failures(rsc, None),
            Cause::ShutdownLock(node) => {
                self.add(Remedy::Event(Event::NodeBack(node.clone())));
                self.add(Remedy::SetOption { name: "shutdown-lock", value: "false" });
            }
            Cause::Discovery => self.widen_discovery(rsc, at),
            Cause::Ticket { ticket, is_granted: false } => self.add(Remedy::GrantTicket(ticket.to_string())),
            Cause::Ticket { ticket, is_granted: true } => {
                self.add(Remedy::ActivateTicket(ticket.to_string()))
            }
            Cause::Capacity { name, needed, free } => {
                let Some(node) = at else { return };
                let has = self.status.find_node(node.as_str());
                let has =
                    has.and_then(|idx| self.status.node(idx).utilization.get(name).copied()).unwrap_or(0);
                let value = has + needed - free;
                self.add(Remedy::SetCapacity { node: node.clone(), name: name.to_string(), value });
            }
            Cause::EnoughInstances => self.raise_maximum(rsc),
            Cause::Inside(container) => {
                if let Some(container) = self.status.find_resource(container.as_str()) {
                    self.ask(container, node, depth + 1);
                }
            }
            Cause::Stickiness | Cause::Promotion | Cause::NodeFull | Cause::ClusterNodesOnly => {}
        }
    }

    /// What would bring another resource where one that goes with it is wanted.
    fn follow_companion(&mut self, other: RscIdx, says: &Companion, node: Option<NodeIdx>, depth: usize) {
        let is_about_role = matches!(says, Companion::IsPromotedOn(_) | Companion::IsPromotedNowhere);
        if is_about_role || matches!(says, Companion::IsElsewhere(_)) {
            let node = node.map(|node| self.status.node(node).name.clone());
            node.into_iter().for_each(|node| self.add_move(other, node, is_about_role, false));
        }
        let before = std::mem::replace(&mut self.is_to_be_promoted, is_about_role);
        for part in self.asker.primitives(other) {
            self.ask(part, node, depth + 1);
        }
        self.is_to_be_promoted = before;
    }

    fn answer_obstacle(
        &mut self,
        rsc: RscIdx,
        at: Option<&NodeId>,
        element: Option<&ElementId>,
        obstacle: &Obstacle,
        depth: usize,
    ) {
        match obstacle {
            Obstacle::Action { resource: Some(other), .. } | Obstacle::Companion(other) => {
                if let Some(other) = self.status.find_resource(other.as_str()) {
                    for part in self.asker.primitives(other) {
                        self.ask(part, None, depth + 1);
                    }
                    self.separate(rsc, other);
                }
                self.delete_constraint(element);
            }
            Obstacle::NoQuorum => self.answer_no_quorum(),
            Obstacle::NotProbed(node) => {
                let faults = self.status.find_node(node.as_str()).map(|node| self.status.node(node));
                if faults.is_some_and(|node| node.pending || !node.online) {
                    self.add(Remedy::Event(Event::NodeBack(node.clone())));
                    self.add(Remedy::Event(Event::NodeOff(node.clone())));
                }
            }
            Obstacle::NodeAway | Obstacle::NodePending => {
                let node = at.cloned();
                if let Some(node) = node {
                    self.add(Remedy::Event(Event::NodeOff(node)));
                }
            }
            Obstacle::Action { .. } | Obstacle::Unmanaged | Obstacle::Other(_) => {
                self.answer_no_quorum_if_lost()
            }
        }
    }

    fn answer_fault(&mut self, at: Option<&NodeId>, fault: &NodeFault, depth: usize) {
        let Some(node) = at.cloned() else { return };
        match fault {
            NodeFault::Standby => self.add(Remedy::Unstandby(node)),
            NodeFault::Maintenance => self.add(Remedy::Unmaintenance(node)),
            NodeFault::StandbyOnFail => self.add(Remedy::Cleanup { resource: None, node: Some(node) }),
            NodeFault::Offline | NodeFault::ShuttingDown => self.add(Remedy::Event(Event::NodeBack(node))),
            NodeFault::Unclean { can_be_fenced } => {
                if !can_be_fenced {
                    self.add(Remedy::Event(Event::NodeOff(node.clone())));
                }
                self.add(Remedy::Event(Event::NodeBack(node)));
            }
            NodeFault::NotConnected(resource) => {
                if let Some(rsc) = self.status.find_resource(resource.as_str()) {
                    let host = self.goal.node.as_deref().and_then(|name| self.status.find_node(name));
                    self.ask(rsc, host, depth + 1);
                }
            }
            NodeFault::Pending => self.add(Remedy::Event(Event::NodeBack(node))),
        }
    }

    fn answer_unmanaged(&mut self, rsc: RscIdx, why: &Unmanaged) {
        match why {
            Unmanaged::Cluster => self.add(Remedy::SetOption { name: "maintenance-mode", value: "false" }),
            Unmanaged::Node(node) => self.add(Remedy::Unmaintenance(node.clone())),
            Unmanaged::Resource => {
                let resource = self.owner_of(rsc, "maintenance");
                self.add(Remedy::SetMeta { resource, name: "maintenance", value: "false".to_owned() });
            }
            Unmanaged::IsManaged => {
                let resource = self.owner_of(rsc, "is-managed");
                match self.meta_owner(rsc, "is-managed") {
                    Some(_) => self.add(Remedy::Manage(resource)),
                    // What rsc_defaults say is overruled on the resource.
                    None => {
                        self.add(Remedy::SetMeta { resource, name: "is-managed", value: "true".to_owned() })
                    }
                }
            }
            Unmanaged::Blocked => self.forget_failures(rsc, None),
            Unmanaged::NoFenceDevice => {
                self.add(Remedy::SetOption { name: "fencing-enabled", value: "false" })
            }
            Unmanaged::Frozen => {
                let missing: Vec<String> = self
                    .status
                    .tickets
                    .iter()
                    .filter(|(_, t)| !t.granted)
                    .map(|(name, _)| name.to_string())
                    .collect();
                missing.into_iter().for_each(|ticket| self.add(Remedy::GrantTicket(ticket)));
            }
            Unmanaged::Removed => {}
        }
    }

    fn answer_no_quorum_if_lost(&mut self) {
        if !self.status.has_quorum {
            self.answer_no_quorum();
        }
    }

    fn answer_no_quorum(&mut self) {
        let away: Vec<NodeId> = self
            .status
            .nodes
            .iter()
            .filter(|node| node.kind == NodeKind::Member && !node.online)
            .map(|node| node.name.clone())
            .collect();
        // Where more nodes are needed than are tried together.
        self.add(Remedy::Event(Event::QuorumBack));
        away.into_iter().for_each(|node| self.add(Remedy::Event(Event::NodeBack(node))));
        self.add(Remedy::SetOption { name: "no-quorum-policy", value: "ignore" });
    }

    // The changes

    fn forget_failures(&mut self, rsc: RscIdx, node: Option<&NodeId>) {
        let resource = self.status.rsc(rsc).base_id().to_owned();
        self.add(Remedy::Cleanup { resource: Some(resource.clone()), node: node.cloned() });
        // Where the failure is not recorded as one any more.
        self.add(Remedy::Refresh { resource, node: node.cloned() });
    }

    fn enable(&mut self, rsc: RscIdx) {
        let owner = self.owner_of(rsc, "target-role");
        match self.meta_owner(rsc, "target-role") {
            Some(_) => self.add(Remedy::Enable(owner)),
            None => {
                self.add(Remedy::SetMeta {
                    resource: owner,
                    name: "target-role",
                    value: "Started".to_owned(),
                });
            }
        }
    }

    /// One more instance than there may be.
    fn raise_maximum(&mut self, rsc: RscIdx) {
        let clone = self.status.top_of(rsc);
        let Some(data) = self.status.rsc(clone).clone_data() else { return };
        if self.goal.node.is_some() && data.definition.is_some() {
            let resource = self.status.rsc(clone).id.to_string();
            self.add(Remedy::SetMeta { resource, name: "clone-max", value: (data.max + 1).to_string() });
        }
    }

    /// A preference for the node that was asked for.
    fn add_moves(&mut self, named: &[RscIdx], node: NodeIdx) {
        let node = self.status.node(node).name.clone();
        for rsc in named {
            self.add_move(*rsc, node.clone(), self.goal.promoted, false);
        }
    }

    fn add_move(&mut self, rsc: RscIdx, node: NodeId, promoted: bool, force: bool) {
        self.add(Remedy::Move { resource: self.top_name(rsc), node, promoted, force });
    }

    // Names

    /// The resource that constraints made by administrators are about: the outermost, for clones and bundles.
    fn top_name(&self, rsc: RscIdx) -> String {
        let root = self.status.root_of(rsc);
        let resource = self.status.rsc(root);
        if resource.is_group() || resource.is_primitive() {
            return self.status.rsc(rsc).base_id().to_owned();
        }
        resource.id.to_string()
    }

    /// The resource whose meta attribute counts: where it is set, else the one it would be set on.
    fn owner_of(&self, rsc: RscIdx, name: &str) -> String {
        self.meta_owner(rsc, name).unwrap_or_else(|| self.top_name(rsc))
    }

    fn meta_owner(&self, rsc: RscIdx, name: &str) -> Option<String> {
        let chain = with_parents(self.status, rsc).into_iter();
        let ids: Vec<ResourceId> = chain.map(|rsc| ResourceId::new(self.status.rsc(rsc).base_id())).collect();
        let sets_it = |element: Element<'_>| {
            element
                .children_named("meta_attributes")
                .any(|set| set.children().any(|pair| pair.attr("name") == Some(name)))
        };
        ids.into_iter()
            .find(|id| self.document.find_id(id.as_str()).is_some_and(sets_it))
            .map(|id| id.to_string())
    }
}
