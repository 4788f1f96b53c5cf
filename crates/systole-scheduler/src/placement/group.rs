//! Groups: members one after the other, each drawn to the one before.
//!
//! Source: Pacemaker Explained, "Groups", "Group Stickiness".

use super::{primitive::OnFailure, work::Assigner};
use crate::{NodeIdx, RscIdx, status::Kind};

impl Assigner<'_, '_> {
    pub(super) fn assign_group(
        &mut self,
        rsc: RscIdx,
        prefer: Option<NodeIdx>,
        on_failure: OnFailure,
    ) -> Option<NodeIdx> {
        if !self.rsc[rsc.i()].unassigned {
            return self.rsc[rsc.i()].assigned;
        }
        if self.rsc[rsc.i()].assigning {
            return None;
        }
        let members = self.rsc[rsc.i()].children.clone();
        let Some(&first) = members.first() else {
            self.rsc[rsc.i()].unassigned = false;
            return None;
        };
        self.rsc[rsc.i()].assigning = true;
        self.rsc[rsc.i()].role = self.rsc[first.i()].role;
        self.show_scores("pcmk__group_assign", rsc);
        let mut first_node = None;
        for member in members {
            let node = self.assign(member, prefer, on_failure);
            first_node = first_node.or(node);
        }
        self.rsc[rsc.i()].next_role = self.rsc[first.i()].next_role;
        self.rsc[rsc.i()].assigning = false;
        self.rsc[rsc.i()].unassigned = false;
        match self.kind(rsc) {
            Kind::Group(group) if group.colocated => first_node,
            _ => None,
        }
    }
}
