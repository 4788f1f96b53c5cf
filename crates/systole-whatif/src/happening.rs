//! What happens to resources and nodes on the way to rest, by name.

use crate::{
    loss::Standing,
    settle::{Moment, Settled, settle},
    why::{Asker, Reason, Why},
};
use systole_cib::xml::Document;
use systole_scheduler::{
    Transition,
    placement::Detail,
    plan::{Change, ChangeKind},
};
use systole_types::{NodeId, ResourceId, Role};

/// Something that happens to a resource, or (without one) to the node `from`.
#[derive(Clone, Debug, PartialEq)]
pub struct Happening {
    /// What.
    pub kind: ChangeKind,
    /// To which resource.
    pub resource: Option<ResourceId>,
    /// Where it is active before.
    pub from: Option<NodeId>,
    /// Where it is active after.
    pub to: Option<NodeId>,
    /// Its role before.
    pub role: Role,
    /// Its role after.
    pub next_role: Role,
    /// What it is due to, as the scheduler says.
    pub reason: Option<String>,
    /// The reason that decided, where the scheduler's own word for it says little: filled in by [`follow_with_causes`].
    pub cause: Option<String>,
    /// It should happen, and cannot.
    pub is_blocked: bool,
}

impl Happening {
    /// A change of a transition, by name.
    pub fn new(change: &Change, transition: &Transition<'_>) -> Self {
        let node = |node: Option<_>| node.map(|node| transition.status.node(node).name.clone());
        Self {
            kind: change.kind.clone(),
            resource: change.resource.map(|rsc| transition.status.rsc(rsc).id.clone()),
            from: node(change.from),
            to: node(change.to),
            role: change.role,
            next_role: change.next_role,
            reason: change.reason.as_deref().map(str::to_owned),
            cause: None,
            is_blocked: change.is_blocked,
        }
    }

    /// Whether the other is the same happening, whatever it is due to.
    pub fn is_same(&self, other: &Self) -> bool {
        let key = |of: &Self| {
            (
                of.kind.clone(),
                of.is_blocked,
                of.resource.clone(),
                of.from.clone(),
                of.to.clone(),
                of.next_role,
            )
        };
        key(self) == key(other)
    }
}

/// What comes of a CIB.
#[derive(Debug)]
pub struct Course {
    /// All that happens until rest, in sequence, each thing once.
    pub happenings: Vec<Happening>,
    /// The CIB at rest.
    pub document: Document,
    /// Whether it came to rest, and if not, why.
    pub settled: Settled,
    /// What runs at rest; `None` where it did not come to rest.
    pub standing: Option<Standing>,
    /// Whether the partition has quorum.
    pub has_quorum: bool,
}

/// Follows a CIB to rest.
pub fn follow(document: Document, moment: Moment) -> Course {
    follow_in_detail(document, moment, Detail::Result)
}

/// Follows a CIB to rest, and finds out what causes what happens.
pub fn follow_with_causes(document: Document, moment: Moment) -> Course {
    follow_in_detail(document, moment, Detail::Scores)
}

pub(crate) fn follow_in_detail(mut document: Document, moment: Moment, detail: Detail) -> Course {
    let mut happenings: Vec<Happening> = Vec::new();
    let (mut standing, mut has_quorum) = (None, false);
    let settled = settle(&mut document, moment, detail, &mut |transition| {
        (standing, has_quorum) = (Some(Standing::of(&transition.status)), transition.status.has_quorum);
        let asker = (detail >= Detail::Scores).then(|| Asker::new(transition));
        for change in &transition.changes {
            let mut happening = Happening::new(change, transition);
            // What was stopped and cannot come back is not told again round after round.
            let is_known = |known: &Happening| {
                known.is_same(&happening) || (happening.is_blocked && known.resource == happening.resource)
            };
            if happenings.iter().any(is_known) {
                continue;
            }
            happening.cause = asker.as_ref().and_then(|asker| cause(asker, change, &happening));
            happenings.push(happening);
        }
    });
    let standing = standing.filter(|_| settled.is_at_rest());
    Course { happenings, document, settled, standing, has_quorum }
}

/// The first reason that decides: what keeps the resource off where it leaves, what is better elsewhere, what failed.
fn cause(asker: &Asker<'_>, change: &Change, happening: &Happening) -> Option<String> {
    let answer = asker.answer(change.resource?);
    let there =
        happening.from.as_ref().and_then(|node| answer.on(node)).map_or(&[][..], |part| &part.reasons);
    let first = |reasons: &[Reason], is_meant: &dyn Fn(&Reason) -> bool| {
        reasons.iter().find(|reason| is_meant(reason)).map(ToString::to_string)
    };
    let decides = |reason: &Reason| reason.rules_out();
    match change.kind {
        ChangeKind::Recover => first(there, &|reason| matches!(reason.why, Why::Failed(_))),
        ChangeKind::Move | ChangeKind::Migrate => first(there, &decides).or_else(|| {
            first(there, &|reason| matches!(reason.why, Why::Worse { .. } | Why::NoBetter { .. }))
        }),
        ChangeKind::Stop => first(&answer.reasons, &decides).or_else(|| first(there, &decides)),
        ChangeKind::Demote => answer
            .all_reasons()
            .find(|(_, reason)| matches!(reason.why, Why::NotPromoted(_)))
            .map(|(_, reason)| reason.to_string()),
        _ if change.is_blocked => answer
            .all_reasons()
            .find(|(_, reason)| matches!(reason.why, Why::Stuck { .. }))
            .map(|(_, reason)| reason.to_string()),
        _ => None,
    }
}
