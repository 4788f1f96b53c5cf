//! What happens to resources and nodes on the way to rest, by name.

use crate::settle::{Moment, settle};
use systole_cib::xml::Document;
use systole_scheduler::{
    Transition,
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
            is_blocked: change.is_blocked,
        }
    }

    /// Whether the other is the same happening, whatever it is due to.
    pub fn is_same(&self, other: &Self) -> bool {
        let key =
            |of: &Self| (of.kind.clone(), of.resource.clone(), of.from.clone(), of.to.clone(), of.next_role);
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
    /// Whether it came to rest.
    pub is_at_rest: bool,
}

/// Follows a CIB to rest.
pub fn follow(mut document: Document, moment: Moment) -> Course {
    let mut happenings: Vec<Happening> = Vec::new();
    let is_at_rest = settle(&mut document, moment, &mut |transition| {
        for change in &transition.changes {
            let happening = Happening::new(change, transition);
            if !happenings.iter().any(|known| known.is_same(&happening)) {
                happenings.push(happening);
            }
        }
    });
    Course { happenings, document, is_at_rest }
}
