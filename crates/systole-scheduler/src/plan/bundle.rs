//! Bundles: containers, addresses, connections, and what runs inside. Source: Pacemaker Explained, "Bundles".

use super::{
    draft::Draft,
    relation::{End, Relation},
    task::{Key, Task},
};
use crate::{
    NodeIdx, RscIdx,
    status::{NodeSet, Replica},
};

impl Draft<'_, '_> {
    /// Creates the actions of a bundle.
    pub(super) fn create_bundle_actions(&mut self, bundle: RscIdx) {
        let Some(data) = self.r(bundle).bundle() else { return };
        for replica in &data.replicas {
            let parts = [replica.ip, Some(replica.container), replica.remote];
            parts.into_iter().flatten().for_each(|part| self.create_actions(part));
        }
        let containers = self.instances(bundle);
        self.create_instance_actions(bundle, &containers);
        let Some(inner) = data.inner else { return };
        self.create_actions(inner);
        if self.r(inner).is_promotable {
            for (work, done) in [(Task::Promote, Task::Promoted), (Task::Demote, Task::Demoted)] {
                self.collective_pseudo(bundle, work, true, true);
                let done = self.collective_pseudo(bundle, done, true, true);
                self.a_mut(done).priority = 1_000_000;
            }
        }
    }

    /// Orders among a bundle's parts.
    pub(super) fn order_bundle(&mut self, bundle: RscIdx) {
        let Some(data) = self.r(bundle).bundle() else { return };
        for replica in &data.replicas {
            self.order_replica(bundle, replica);
        }
        let Some(inner) = data.inner else { return };
        let (down, up) = (Relation::THEN_SHOWS_FIRST, Relation::FIRST_SHOWS_THEN);
        self.order_tasks((bundle, Task::Start), (inner, Task::Start), down);
        self.order_tasks((inner, Task::Started), (bundle, Task::Started), up);
        self.order_tasks((bundle, Task::Stop), (inner, Task::Stop), down);
        self.order_tasks((inner, Task::Stopped), (bundle, Task::Stopped), up);
        self.order_internally(inner);
        if !self.r(inner).is_promotable {
            return;
        }
        self.order_promotable_restart(bundle);
        self.order_tasks((bundle, Task::Demote), (inner, Task::Demote), down);
        self.order_tasks((inner, Task::Demoted), (bundle, Task::Demoted), up);
        self.order_tasks((bundle, Task::Promote), (inner, Task::Promote), down);
        self.order_tasks((inner, Task::Promoted), (bundle, Task::Promoted), up);
    }

    fn order_replica(&mut self, bundle: RscIdx, replica: &Replica) {
        let container = replica.container;
        self.order_internally(container);
        let enables = Relation::FIRST_ENABLES_THEN | Relation::THEN_SHOWS_FIRST;
        self.order_tasks((bundle, Task::Start), (container, Task::Start), enables);
        if let Some(child) = replica.child {
            self.order_tasks((bundle, Task::Stop), (child, Task::Stop), Relation::THEN_SHOWS_FIRST);
        }
        self.order_tasks((bundle, Task::Stop), (container, Task::Stop), Relation::THEN_SHOWS_FIRST);
        self.order_tasks((container, Task::Start), (bundle, Task::Started), Relation::FIRST_SHOWS_THEN);
        self.order_tasks((container, Task::Stop), (bundle, Task::Stopped), Relation::FIRST_SHOWS_THEN);
        if let Some(ip) = replica.ip {
            self.order_internally(ip);
            let up = Relation::FIRST_ENABLES_THEN | Relation::EVEN_IN_GUEST;
            self.order_tasks((ip, Task::Start), (container, Task::Start), up);
            let down = Relation::THEN_NEEDS_FIRST | Relation::EVEN_IN_GUEST;
            self.order_tasks((container, Task::Stop), (ip, Task::Stop), down);
        }
        if let Some(remote) = replica.remote {
            self.order_internally(remote);
        }
    }

    /// Probes for a bundle's parts.
    pub(super) fn probe_bundle(&mut self, bundle: RscIdx, node: NodeIdx, asked: &[NodeSet]) -> bool {
        let Some(data) = self.r(bundle).bundle() else { return false };
        let mut any = false;
        for replica in &data.replicas {
            any |= replica.ip.is_some_and(|ip| self.probe(ip, node, asked));
            if let Some(child) = replica.child.filter(|_| replica.node == Some(node)) {
                any |= self.probe(child, node, asked);
            }
            if self.probe(replica.container, node, asked) {
                any = true;
                if data.per_host == 1 {
                    // Another replica's container may only come to this node once it is known that none is there.
                    for other in data.replicas.iter().filter(|other| other.container != replica.container) {
                        let relation = Relation::ORDERED | Relation::IF_SAME_NODE;
                        let then = (other.container, Task::Start);
                        self.order_tasks((replica.container, Task::Monitor), then, relation);
                    }
                }
            }
            let Some(remote) = replica.remote else { continue };
            if self.probe(remote, node, asked)
                && let Some(&probe) = self.find_on(remote, Key::once(Task::Monitor), node).last()
            {
                any = true;
                let start = End::Key(replica.container, Key::once(Task::Start));
                self.order(start, End::Action(probe), Relation::NESTED_PROBE);
            }
        }
        any
    }
}
