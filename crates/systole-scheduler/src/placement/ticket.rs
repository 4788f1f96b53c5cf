//! Tickets: resources of a site that has lost (or was never given) its ticket.
//!
//! Source: Pacemaker Administration and Explained, "Multi-Site Clusters and Tickets".

use super::{table::INFINITY, work::Assigner};
use crate::{
    NodeIdx, RscIdx,
    note::Cause,
    status::{FencingRequest, NodeKind},
};
use std::sync::Arc;
use systole_cib::model::{LossPolicy, TicketConstraint, TicketResources};
use systole_types::{ElementId, Role};

/// A resource needs a ticket in a role.
#[derive(Clone, Debug)]
pub(super) struct TicketDependency<'s> {
    /// The constraint that says so.
    constraint: &'s ElementId,
    ticket: Arc<str>,
    role: Role,
    loss_policy: LossPolicy,
    granted: bool,
    standby: bool,
}

impl TicketDependency<'_> {
    fn cause(&self) -> Cause {
        Cause::Ticket { ticket: self.ticket.clone(), is_granted: self.granted }
    }
}

impl<'s> Assigner<'s, '_> {
    pub fn unpack_ticket(&mut self, constraint: &'s TicketConstraint) {
        let mut needed = Vec::new();
        match &constraint.resources {
            TicketResources::Resource { resource, role } => {
                needed.extend(self.targets(&constraint.id, resource).into_iter().map(|rsc| (rsc, *role)));
            }
            TicketResources::Sets(sets) => {
                let members = self.resources_of_sets(&constraint.id, sets);
                needed.extend(members.into_iter().map(|(set, rsc)| (rsc, set.role)));
            }
        }
        let ticket = self.st.tickets.get(&constraint.ticket);
        let (granted, standby) = ticket.map_or((false, false), |ticket| (ticket.granted, ticket.standby));
        for (rsc, role) in needed {
            let role = role.filter(|role| *role != Role::Started).unwrap_or_default();
            let loss_policy = match constraint.loss_policy {
                Some(LossPolicy::Fence) if !self.st.options.fencing_enabled => LossPolicy::Stop,
                Some(policy) => policy,
                None if role == Role::Promoted => LossPolicy::Demote,
                None => LossPolicy::Stop,
            };
            let ticket = constraint.ticket.clone();
            let dependency =
                TicketDependency { constraint: &constraint.id, ticket, role, loss_policy, granted, standby };
            if !granted || standby {
                self.withhold(rsc, &dependency);
            }
            self.rsc[rsc.i()].tickets.push(dependency);
        }
    }

    /// What follows for a resource from a ticket that is not granted, or in standby.
    fn withhold(&mut self, rsc: RscIdx, ticket: &TicketDependency<'s>) {
        if self.has_children(rsc) {
            for child in self.rsc[rsc.i()].children.clone() {
                self.withhold(child, ticket);
            }
            return;
        }
        let is_lost = !ticket.granted && !self.fixed[rsc.i()].active.is_empty();
        if !is_lost {
            if ticket.role != Role::Promoted || ticket.loss_policy == LossPolicy::Stop {
                self.ban_without(rsc, ticket);
            }
            return;
        }
        let role_matches = ticket.role == Role::Unknown || ticket.role == self.rsc[rsc.i()].role;
        match ticket.loss_policy {
            LossPolicy::Stop => self.ban_without(rsc, ticket),
            // What is promoted is demoted by the choice of roles.
            LossPolicy::Demote if ticket.role == Role::Promoted => {}
            LossPolicy::Demote => self.ban_without(rsc, ticket),
            LossPolicy::Fence if role_matches => {
                self.ban_without(rsc, ticket);
                for &node in &*self.fixed[rsc.i()].active.clone() {
                    self.request_fencing(node);
                }
            }
            LossPolicy::Freeze if role_matches => {
                self.rsc[rsc.i()].managed = false;
                self.rsc[rsc.i()].blocked = true;
            }
            LossPolicy::Fence | LossPolicy::Freeze => {}
        }
    }

    fn ban_without(&mut self, rsc: RscIdx, ticket: &TicketDependency<'s>) {
        self.ban_everywhere(rsc);
        self.because(rsc, None, -INFINITY, Some(ticket.constraint), |_| ticket.cause());
    }

    /// A guest is fenced by recovering what it lives in: until then it is no worse off than before. Nothing comes of it where that has
    /// failed already, or may not be touched.
    fn request_fencing(&mut self, node: NodeIdx) {
        match self.st.node(node).kind {
            NodeKind::Guest { container, .. } => {
                let container = &mut self.rsc[container.i()];
                if container.failed || !container.managed {
                    return;
                }
                container.failed = true;
            }
            _ => self.nodes[node.i()].change(|node| node.unclean = true),
        }
        let reason = "deadman ticket was lost".into();
        self.fencing.push(FencingRequest { node, reason, priority_delay: false });
    }

    /// Nothing is promoted without the ticket that promotion needs.
    pub fn require_promotion_tickets(&mut self, clone: RscIdx) {
        let is_missing = |ticket: &TicketDependency<'_>| {
            ticket.role == Role::Promoted && (!ticket.granted || ticket.standby)
        };
        if self.rsc[clone.i()].tickets.iter().any(is_missing) {
            for node in 0..self.nodes.len() {
                self.prefer(clone, NodeIdx::new(node), -INFINITY);
            }
            let missing = self.rsc[clone.i()].tickets.iter().find(|ticket| is_missing(ticket));
            let missing = missing.expect("one is missing");
            let (cause, element) = (missing.cause(), Some(missing.constraint));
            self.because_promoted(clone, None, -INFINITY, element, |_| cause);
        }
    }
}
