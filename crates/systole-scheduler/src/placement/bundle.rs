//! Bundles: containers are spread over nodes as instances are; addresses and connections follow them, and what is inside
//! is bound to its own container.
//!
//! Source: Pacemaker Explained, "Bundles".

use super::{
    candidates::Candidates as _,
    colocation::Colocation,
    instances::Match,
    location::Host,
    primitive::OnFailure,
    table::{INFINITY, add},
    work::Assigner,
};
use crate::{
    NodeIdx, RscIdx,
    note::Cause,
    status::{Kind, Replica},
};
use systole_types::Role;

impl<'s> Assigner<'s, '_> {
    pub(super) fn assign_bundle(
        &mut self,
        rsc: RscIdx,
        prefer: Option<NodeIdx>,
        on_failure: OnFailure,
    ) -> Option<NodeIdx> {
        let Kind::Bundle(bundle) = self.kind(rsc) else { return None };
        let (replicas, inner) = (bundle.replicas.clone(), bundle.inner);
        let (max, per_host) = (bundle.max, bundle.per_host);
        self.rsc[rsc.i()].assigning = true;
        self.show_scores("pcmk__bundle_assign", rsc);
        let containers = self.sort_instances(replicas.iter().map(|replica| replica.container).collect());
        self.assign_instances(rsc, &containers, max, per_host);
        for replica in &replicas {
            self.assign_replica(replica, prefer, on_failure);
        }
        if let Some(inner) = inner {
            for entry in self.tables[inner.i()].iter_mut() {
                let is_own = replicas.iter().any(|replica| replica.node == Some(entry.node));
                entry.score = if is_own { 0 } else { -INFINITY };
            }
            self.assign(inner, prefer, on_failure);
        }
        self.rsc[rsc.i()].assigning = false;
        self.rsc[rsc.i()].unassigned = false;
        None
    }

    fn assign_replica(&mut self, replica: &Replica, prefer: Option<NodeIdx>, on_failure: OnFailure) {
        if let Some(address) = replica.ip {
            self.assign(address, prefer, on_failure);
        }
        if let Some(connection) = replica.remote {
            let host = self.rsc[replica.container.i()].assigned;
            if let Some(outer) = host.and_then(|host| self.st.node(host).connection()) {
                // A container on a remote node is reached through that node's own connection.
                self.colocate_implicitly(
                    "#replica-remote-with-host-remote",
                    connection,
                    outer,
                    INFINITY,
                    true,
                );
            }
            self.assign(connection, prefer, on_failure);
        }
        let Some(child) = replica.child else { return };
        for i in 0..self.tables[child.i()].iter().len() {
            let node = self.tables[child.i()].iter().as_slice()[i].node;
            let score = if Some(node) != replica.node {
                -INFINITY
            } else if self.banned_by_failures(child, node).is_none() {
                INFINITY
            } else {
                continue;
            };
            self.tables[child.i()].get_mut(node).expect("just looked at").score = score;
            if score == INFINITY {
                self.because(child, Some(node), score, None, |work| {
                    Cause::Inside(work.st.rsc(replica.container).id.clone())
                });
            }
        }
        let clone = self.parent(child).unwrap_or(child);
        // It may be what led here, where it is colocated with its own bundle.
        let is_in_loop = std::mem::replace(&mut self.rsc[clone.i()].assigning, true);
        self.assign(child, replica.node, on_failure);
        self.rsc[clone.i()].assigning = is_in_loop;
    }

    // Bundles as primaries

    pub(super) fn apply_from_bundle(
        &mut self,
        dependent: RscIdx,
        bundle: RscIdx,
        colocation: &Colocation<'s>,
    ) -> i32 {
        if self.rsc[bundle.i()].unassigned {
            return 0;
        }
        let Kind::Bundle(data) = self.kind(bundle) else { return 0 };
        let replicas = data.replicas.clone();
        if matches!(self.kind(colocation.dependent), Kind::Clone(_) | Kind::Bundle(_)) {
            return self.apply_from_own_container(dependent, &replicas, colocation);
        }
        let mut change = 0;
        let mut hosts = Vec::new();
        for replica in &replicas {
            if colocation.score < INFINITY {
                change = add(change, self.apply_from_primary(dependent, replica.container, colocation));
                continue;
            }
            let Some(host) = self.rsc[replica.container.i()].assigned else { continue };
            let is_promoted =
                || replica.child.is_some_and(|child| self.rsc[child.i()].next_role >= Role::Promoted);
            if !self.is_blocked(replica.container)
                && (colocation.primary_role < Role::Promoted || is_promoted())
            {
                hosts.push((host, self.rsc[replica.container.i()].assigned_score));
            }
        }
        if colocation.score >= INFINITY {
            self.restrict_to(dependent, &hosts, false);
        }
        change
    }

    /// An instance goes with the container that is (or could be) on its node.
    fn apply_from_own_container(
        &mut self,
        dependent: RscIdx,
        replicas: &[Replica],
        colocation: &Colocation<'s>,
    ) -> i32 {
        match self.compatible_container(dependent, replicas) {
            Some(container) => self.apply_to_dependent(dependent, container, colocation),
            None => {
                if colocation.score >= INFINITY {
                    self.settle(dependent, None, true, OnFailure::Stop);
                }
                0
            }
        }
    }

    fn compatible_container(&self, dependent: RscIdx, replicas: &[Replica]) -> Option<RscIdx> {
        let on = |node: NodeIdx| {
            let matching = |replica: &&Replica| {
                self.instance_matches(replica.container, node, Role::Unknown, Match::Node)
            };
            replicas.iter().find(matching).map(|replica| replica.container)
        };
        let host = |node: NodeIdx| {
            if self.st.node(node).is_bundle() { self.host_of(node, Host::Assigned) } else { Some(node) }
        };
        if let Some(node) = self.assigned_node(dependent).and_then(host) {
            return on(node);
        }
        let candidates = self.sorted_candidates(&self.tables[dependent.i()], None);
        candidates.into_iter().filter_map(|entry| host(entry.node)).find_map(on)
    }
}
