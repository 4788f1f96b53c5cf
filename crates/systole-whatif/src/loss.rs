//! What the loss of nodes would do: what would be down, for want of what.

use crate::{
    Event, Happening, Moment, Settled,
    event::{majority, set_quorum},
    follow,
    goal::copies,
    happening::follow_in_detail,
    why::{Asker, Reason, Why},
};
use std::collections::BTreeMap;
use systole_cib::{read, xml::Document};
use systole_scheduler::{RscIdx, Status, placement::Detail, status::NodeKind};
use systole_types::{NodeId, ResourceId};

/// Copies of each top-level resource, and how many of them are promoted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    copies: BTreeMap<ResourceId, (u32, u32)>,
    /// Cluster nodes, and those of them that are up.
    n_members: usize,
    up: Vec<NodeId>,
}

impl Standing {
    /// What runs at rest.
    pub fn at_rest(document: &Document, moment: Moment) -> Self {
        let course = follow(document.clone(), moment);
        course.standing.unwrap_or_else(|| Self::now(&course.document, moment))
    }

    /// What runs as things stand.
    pub fn now(document: &Document, moment: Moment) -> Self {
        let (cib, _) = read(document);
        Self::of(&Status::unpack(&cib, moment.now))
    }

    pub(crate) fn of(status: &Status<'_>) -> Self {
        let count = |rsc: RscIdx| (copies(status, rsc, None, false), copies(status, rsc, None, true));
        let members = || status.nodes.iter().filter(|node| node.kind == NodeKind::Member);
        Self {
            copies: status.roots.iter().map(|root| (status.rsc(*root).id.clone(), count(*root))).collect(),
            n_members: members().count(),
            up: members().filter(|node| node.online).map(|node| node.name.clone()).collect(),
        }
    }

    /// Whether there is quorum without these nodes; see [`quorum_of`](crate::quorum_of).
    fn quorum_without(&self, lost: &[NodeId]) -> Option<bool> {
        majority(self.n_members, self.up.iter().filter(|node| !lost.contains(node)).count())
    }

    fn get(&self, id: &ResourceId) -> (u32, u32) {
        self.copies.get(id).copied().unwrap_or_default()
    }
}

/// What the loss of some nodes comes to.
#[derive(Clone, Debug)]
pub struct Loss {
    /// These are lost.
    pub nodes: Vec<NodeId>,
    /// Whether the rest has quorum.
    pub has_quorum: bool,
    /// What happens until rest.
    pub happenings: Vec<Happening>,
    /// What does not run as it did.
    pub shortfalls: Vec<Shortfall>,
    /// Whether the rest comes to rest, and if not, why.
    pub settled: Settled,
}

/// A resource that does not run as it did.
#[derive(Clone, Debug, PartialEq)]
pub struct Shortfall {
    /// Which.
    pub resource: ResourceId,
    /// Copies before and after.
    pub copies: (u32, u32),
    /// Promoted copies before and after.
    pub promoted: (u32, u32),
    /// For want of what.
    pub wants: Vec<String>,
}

impl Shortfall {
    /// Whether nothing of it runs any more (or none is promoted, where one was).
    pub const fn is_down(&self) -> bool {
        self.copies.1 == 0 || (self.promoted.0 > 0 && self.promoted.1 == 0)
    }
}

/// Cluster nodes that are up, in sets of `n`.
pub fn combinations(document: &Document, moment: Moment, n: usize) -> Vec<Vec<NodeId>> {
    let (cib, _) = read(document);
    let status = Status::unpack(&cib, moment.now);
    let nodes: Vec<NodeId> = status
        .nodes_by_name
        .iter()
        .map(|node| status.node(*node))
        .filter(|node| node.kind == NodeKind::Member && node.online)
        .map(|node| node.name.clone())
        .collect();
    let mut sets: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..n {
        let longer = |set: &Vec<usize>| {
            let from = set.last().map_or(0, |last| last + 1);
            (from..nodes.len())
                .map(|next| set.iter().copied().chain([next]).collect::<Vec<_>>())
                .collect::<Vec<_>>()
        };
        sets = sets.iter().flat_map(longer).collect();
    }
    sets.into_iter().map(|set| set.into_iter().map(|i| nodes[i].clone()).collect()).collect()
}

/// Loses nodes, and follows what comes of it to rest. `before` is what runs without the loss. What happens is told with its
/// causes if `detail` is [`Detail::Scores`].
pub fn lose(
    document: &Document,
    moment: Moment,
    nodes: &[NodeId],
    before: &Standing,
    detail: Detail,
) -> Loss {
    let mut lost = document.clone();
    for node in nodes {
        Event::NodeLost(node.clone()).write(&mut lost, moment.now.at);
    }
    if let Some(has_quorum) = before.quorum_without(nodes) {
        set_quorum(&mut lost, has_quorum);
    }
    let course = follow_in_detail(lost, moment, detail);
    let after = course.standing.clone().unwrap_or_else(|| Standing::now(&course.document, moment));
    let short: Vec<&ResourceId> = before
        .copies
        .iter()
        .filter(|(id, (copies, promoted))| {
            let (now, promoted_now) = after.get(id);
            now < *copies || promoted_now < *promoted
        })
        .map(|(id, _)| id)
        .collect();
    let mut shortfalls: Vec<Shortfall> = short
        .into_iter()
        .map(|id| {
            let ((was, promoted_was), (is, promoted_is)) = (before.get(id), after.get(id));
            let (copies, promoted) = ((was, is), (promoted_was, promoted_is));
            Shortfall { resource: id.clone(), copies, promoted, wants: Vec::new() }
        })
        .collect();
    // That a copy is missing where a node is needs no reason in a table.
    let needs_reason = |shortfall: &Shortfall| shortfall.is_down() || detail >= Detail::Scores;
    if shortfalls.iter().any(needs_reason) {
        let (cib, _) = read(&course.document);
        let transition = moment.schedule(&cib, Detail::Scores);
        let asker = Asker::new(&transition);
        for shortfall in shortfalls.iter_mut().filter(|shortfall| needs_reason(shortfall)) {
            shortfall.wants = wants(&asker, &shortfall.resource, nodes);
        }
    }
    Loss {
        nodes: nodes.to_vec(),
        has_quorum: course.has_quorum,
        happenings: course.happenings,
        shortfalls,
        settled: course.settled,
    }
}

/// What keeps a resource from running on the nodes that are left: each reason once, with its nodes.
fn wants(asker: &Asker<'_>, id: &ResourceId, lost: &[NodeId]) -> Vec<String> {
    let Some(rsc) = asker.transition().status.find_resource(id.as_str()) else { return Vec::new() };
    let mut wants: Vec<(String, Vec<NodeId>)> = Vec::new();
    let mut unpromoted = Vec::new();
    for part in asker.primitives(rsc) {
        let answer = asker.answer(part);
        let is_left_on_lost =
            !answer.running_on.is_empty() && answer.running_on.iter().all(|node| lost.contains(node));
        if !answer.running_on.is_empty() && !is_left_on_lost {
            unpromoted.extend(
                answer
                    .all_reasons()
                    .find(|(_, reason)| matches!(reason.why, Why::NotPromoted(_)))
                    .map(|(_, reason)| format!("{}: {reason}", answer.resource)),
            );
            continue;
        }
        if let Some(reason) = answer.reasons.iter().find(|reason| reason.rules_out()) {
            return vec![reason.to_string()];
        }
        // What a lost node may still run is recovered nowhere before that node is fenced.
        let counts = |node: &NodeId| match is_left_on_lost {
            true => answer.running_on.contains(node),
            false => !lost.contains(node),
        };
        for part in answer.nodes.iter().filter(|part| counts(&part.node) && !part.is_other_guest()) {
            let Some(reason) = part.reasons.iter().find(|reason| reason.rules_out()).map(Reason::to_string)
            else {
                continue;
            };
            match wants.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, nodes)) if !nodes.contains(&part.node) => nodes.push(part.node.clone()),
                Some(_) => {}
                None => wants.push((reason, vec![part.node.clone()])),
            }
        }
        if !wants.is_empty() {
            break;
        }
    }
    if wants.is_empty() {
        return unpromoted;
    }
    let text = |(reason, nodes): (String, Vec<NodeId>)| {
        let names: Vec<&str> = nodes.iter().map(NodeId::as_str).collect();
        format!("{}: {reason}", names.join(", "))
    };
    wants.into_iter().map(text).collect()
}
