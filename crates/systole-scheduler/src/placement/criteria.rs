//! What holds for nodes as such, before resources are looked at together: history, health, locations, locks, stickiness,
//! failures, discovery; and the colocations that follow from what resources are.
//!
//! Source: Pacemaker Explained, "Resource Options" (`resource-stickiness`, `migration-threshold`), "Tracking Node Health", "Cluster Options" (`shutdown-lock`).

use super::{
    Locked,
    table::{Discovery, Entry, INFINITY, NodeTable},
    work::{Assigner, Part},
};
use crate::{
    NodeIdx, RscIdx,
    note::Cause,
    status::{Ban, Failures, Kind, NodeKind},
};
use systole_types::{ElementId, Role, Score, Timestamp};

/// How much a replica's content wants to be in its container, before anything else is known.
const CONTENT_IN_CONTAINER: i32 = 500;
/// How much the connection to a container wants to run on the container's host: it can do so from elsewhere.
const CONNECTION_WITH_CONTAINER: i32 = 10_000;

impl<'s> Assigner<'s, '_> {
    // Tables

    /// Makes a first table for each resource: all nodes in a symmetric cluster, none in another.
    pub fn fill_tables(&mut self) {
        let nodes = || self.st.iter_nodes().filter(|(_, data)| !data.is_bundle());
        let as_configured = |(node, data): (NodeIdx, &crate::Node<'_>)| Entry {
            score: data.base_score.value(),
            ..self.base_entry(node)
        };
        let configured: NodeTable =
            nodes().filter(|(node, _)| !self.is_left_over(*node)).map(as_configured).collect();
        let with_left_over: NodeTable = nodes().map(|(node, _)| self.base_entry(node)).collect();
        for i in 0..self.tables.len() {
            let rsc = RscIdx::new(i);
            let is_guest_connection = self.is_connection(rsc) && self.st.rsc(rsc).container.is_some();
            if self.st.options.symmetric || is_guest_connection {
                let is_configured = self.st.rsc(rsc).removed.is_none();
                self.tables[i] = if is_configured { configured.clone() } else { with_left_over.clone() };
            }
            if is_guest_connection && !self.st.options.symmetric {
                self.ban_from_earlier_replicas(rsc);
            }
        }
        self.ban_from_configured_replicas();
        for i in 0..self.fixed.len() {
            self.bind_to_replica(RscIdx::new(i));
        }
    }

    /// Where nothing is allowed unless a constraint says so, connections into containers are banned by name from the
    /// nodes of all replicas made up to then: for a replica's own connection, up to its own.
    fn ban_from_earlier_replicas(&mut self, connection: RscIdx) {
        let own = self.st.rsc(connection).remote_node.filter(|node| self.st.node(*node).is_bundle());
        for (node, _) in self.st.iter_nodes().filter(|(_, data)| data.is_bundle()) {
            if own.is_none_or(|own| node <= own) {
                let banned = self.base_entry(node);
                self.tables[connection.i()].entry(node, || banned);
            }
        }
    }

    /// A remote or guest node that only the history knows still. Configured resources know nothing of it.
    fn is_left_over(&self, node: NodeIdx) -> bool {
        let data = self.st.node(node);
        let is_connected =
            data.connection().is_some_and(|connection| self.st.rsc(connection).removed.is_none());
        data.is_remote_or_guest()
            && !is_connected
            && !self.st.cib.nodes.iter().any(|entry| entry.name == data.name)
    }

    /// The nodes of a bundle's replicas run nothing but what is inside.
    fn bind_to_replica(&mut self, rsc: RscIdx) {
        let Some((bundle, replica)) = self.fixed[rsc.i()].replica else { return };
        let Some(node) = self.st.rsc(bundle).bundle().and_then(|data| data.replicas[replica as usize].node)
        else {
            return;
        };
        match self.fixed[rsc.i()].part {
            Part::Content => {
                let entry =
                    Entry { node, score: CONTENT_IN_CONTAINER, count: 0, discovery: Discovery::Exclusive };
                self.tables[rsc.i()] = [entry].into_iter().collect();
                self.rsc[rsc.i()].exclusive = true;
                if let Some(clone) = self.parent(rsc) {
                    let entry = Entry { score: -INFINITY, ..entry };
                    self.tables[clone.i()].entry(node, || entry);
                }
            }
            Part::Connection => {
                let st = self.st;
                for entry in self.tables[rsc.i()].iter_mut() {
                    if st.node(entry.node).is_remote_or_guest() {
                        entry.score = -INFINITY;
                    }
                }
            }
            Part::None | Part::Container | Part::Address => {}
        }
    }

    /// A replica's node may have an entry among the configured nodes, for its attributes. Then resources configured
    /// before the replica know it: those before the bundle are banned from it, those of the bundle itself are not (it is
    /// only found out to be a replica's node when they have been made).
    fn ban_from_configured_replicas(&mut self) {
        if !self.st.options.symmetric {
            return;
        }
        for (node, data) in self.st.iter_nodes() {
            let NodeKind::Guest { container, is_bundle: true, .. } = data.kind else { continue };
            let Some((bundle, number)) = self.fixed[container.i()].replica else { continue };
            let Some(entry) = self.st.cib.nodes.iter().find(|entry| entry.name == data.name) else {
                continue;
            };
            let banned = Entry { node, score: -INFINITY, count: 0, discovery: Discovery::Never };
            for i in 0..bundle.i() {
                self.tables[i].entry(node, || banned);
            }
            let score = entry.score.unwrap_or_default().value();
            let free = Entry { node, score, count: 0, discovery: Discovery::Always };
            let Some(bundle) = self.st.rsc(bundle).bundle() else { continue };
            for (n, replica) in (0..).zip(&bundle.replicas[..=number as usize]) {
                let connection = replica.remote.filter(|_| n < number);
                for rsc in [Some(replica.container), replica.ip, connection].into_iter().flatten() {
                    self.tables[rsc.i()].entry(node, || free);
                }
            }
        }
    }

    fn ban_from_remote_nodes(&mut self, rsc: RscIdx) {
        let st = self.st;
        let mut banned = Vec::new();
        for entry in self.tables[rsc.i()].iter_mut() {
            if st.node(entry.node).connection().is_some() {
                entry.score = -INFINITY;
                banned.push(entry.node);
            }
        }
        for node in banned {
            self.because(rsc, Some(node), -INFINITY, None, |_| Cause::ClusterNodesOnly);
        }
    }

    fn is_connection(&self, rsc: RscIdx) -> bool {
        self.st.rsc(rsc).primitive().is_some_and(|data| data.is_remote_connection)
    }

    /// What the history says about where resources may run, and node health.
    pub fn apply_history(&mut self) {
        let st = self.st;
        for ban in &st.bans {
            self.because(ban.resource, ban.node, ban.score.value(), None, |_| Cause::History(ban.reason));
            let nodes = match ban.node {
                Some(node) => node.i()..node.i() + 1,
                None => 0..ban.n_nodes,
            };
            for node in nodes.map(NodeIdx::new) {
                self.apply_ban(ban, ban.resource, node);
            }
        }
        for (node, data) in st.iter_nodes().filter(|(_, data)| data.health != Score::ZERO) {
            for root in self.order.clone() {
                if data.health > Score::ZERO || !st.rsc(root).meta.allow_unhealthy_nodes {
                    let nodes = vec![(node, data.health.value())];
                    self.new_location(None, root, Role::Unknown, nodes, Discovery::Always);
                }
            }
        }
    }

    /// Takes a ban into account for a resource, and for what is inside it if that was known by then.
    fn apply_ban(&mut self, ban: &Ban, rsc: RscIdx, node: NodeIdx) {
        if rsc.i() >= ban.n_known {
            return;
        }
        if ban.with_children {
            for i in 0..self.rsc[rsc.i()].children.len() {
                self.apply_ban(ban, self.rsc[rsc.i()].children[i], node);
            }
        }
        self.prefer_itself(rsc, node, ban.score.value());
    }

    // Locks, stickiness, failures

    /// `shutdown-lock`: what ran on a node that was shut down cleanly waits for it.
    pub fn apply_shutdown_locks(&mut self) {
        if !self.st.options.shutdown_lock {
            return;
        }
        for root in self.order.clone() {
            let lockable = match self.kind(root) {
                Kind::Primitive(_) => vec![root],
                Kind::Group(_) => self.rsc[root.i()].children.clone(),
                Kind::Clone(_) | Kind::Bundle(_) => Vec::new(),
            };
            for rsc in lockable {
                self.apply_shutdown_lock(rsc);
            }
        }
    }

    fn apply_shutdown_lock(&mut self, rsc: RscIdx) {
        let is_fence_device = self.st.rsc(rsc).primitive().is_some_and(|data| data.is_fence_device);
        if is_fence_device || self.is_connection(rsc) {
            return;
        }
        let active = &self.fixed[rsc.i()].active;
        self.rsc[rsc.i()].lock = match (self.rsc[rsc.i()].lock, &active[..]) {
            (Some(lock), []) => Some(lock),
            (None, &[node]) if self.nodes[node.i()].shutdown && !self.nodes[node.i()].unclean => {
                let asked = self.st.node(node).attribute("shutdown").and_then(|text| text.parse().ok());
                let since = asked.filter(|at| *at != 0).map_or(self.st.now, Timestamp);
                Some(Locked { node, since })
            }
            // Locked, but active: somebody started it elsewhere, and it is left alone.
            _ => None,
        };
        let Some(lock) = self.rsc[rsc.i()].lock else { return };
        let limit = i64::try_from(self.st.options.shutdown_lock_limit.as_secs()).unwrap_or(i64::MAX);
        if limit > 0 {
            let end = Timestamp(lock.since.0.saturating_add(limit).saturating_add(1));
            if end > self.st.now {
                self.st.recheck.by(end);
            }
        }
        for node in (0..self.nodes.len()).map(NodeIdx::new).filter(|node| *node != lock.node) {
            self.prefer(rsc, node, -INFINITY);
            self.because(rsc, Some(node), -INFINITY, None, |work| {
                Cause::ShutdownLock(work.st.node(lock.node).name.clone())
            });
        }
    }

    /// `resource-stickiness`: what runs in one place prefers to stay.
    pub fn apply_stickiness(&mut self) {
        for i in 0..self.rsc.len() {
            let rsc = RscIdx::new(i);
            let stickiness = self.st.rsc(rsc).meta.stickiness.value();
            if self.has_children(rsc) || !self.rsc[i].managed || stickiness < 1 {
                continue;
            }
            let [node] = self.fixed[i].active[..] else { continue };
            if self.st.options.symmetric || self.tables[i].get(node).is_some() {
                self.prefer(rsc, node, stickiness);
                self.because(rsc, Some(node), stickiness, None, |_| Cause::Stickiness);
            }
        }
    }

    /// `migration-threshold` and exclusive `resource-discovery`.
    pub fn apply_failures_and_discovery(&mut self) {
        let exclusive: Vec<RscIdx> =
            self.order.iter().copied().filter(|root| self.rsc[root.i()].exclusive).collect();
        for (node, data) in self.st.iter_nodes() {
            if !data.fail_counts.is_empty() {
                for i in 0..self.rsc.len() {
                    self.apply_threshold(RscIdx::new(i), node);
                }
            }
            for root in &exclusive {
                self.apply_exclusive_discovery(*root, node);
            }
        }
    }

    fn apply_threshold(&mut self, rsc: RscIdx, node: NodeIdx) {
        if self.has_children(rsc) {
            return;
        }
        let is_cleared = |clear: &crate::status::ClearFailCount| clear.resource == rsc && clear.node == node;
        if !self.st.clear_fail_counts.iter().any(is_cleared)
            && let Some(banned) = self.banned_by_failures(rsc, node)
        {
            self.prefer(banned, node, -INFINITY);
            self.because(banned, Some(node), -INFINITY, None, |work| {
                let count = work.st.fail_count(rsc, node, Failures::EffectiveWithContained);
                Cause::Failures { count, threshold: work.st.rsc(rsc).meta.migration_threshold }
            });
        }
    }

    /// What may not run on a node because `rsc` has failed there too often: of an anonymous clone the clone.
    pub fn banned_by_failures(&self, rsc: RscIdx, node: NodeIdx) -> Option<RscIdx> {
        let resource = self.st.rsc(rsc);
        let threshold = resource.meta.migration_threshold;
        if threshold == Score::ZERO || resource.failure_ignored {
            return None;
        }
        let n_failures = self.st.fail_count(rsc, node, Failures::EffectiveWithContained);
        let banned = if resource.is_unique { rsc } else { self.top_below_bundle(rsc) };
        (n_failures > Score::ZERO && n_failures >= threshold).then_some(banned)
    }

    fn apply_exclusive_discovery(&mut self, rsc: RscIdx, node: NodeIdx) {
        for child in self.rsc[rsc.i()].children.clone() {
            if self.rsc[child.i()].exclusive || self.rsc[self.top_below_bundle(child).i()].exclusive {
                self.apply_exclusive_discovery(child, node);
            }
        }
        if let Some(entry) = self.tables[rsc.i()].get_mut(node)
            && entry.discovery != Discovery::Exclusive
        {
            entry.score = -INFINITY;
            let element = self.exclusive_location(rsc);
            self.because(rsc, Some(node), -INFINITY, element, |_| Cause::Discovery);
        }
    }

    /// A location constraint (or a rule of one) with exclusive `resource-discovery` for a resource or what it is part of.
    fn exclusive_location(&self, rsc: RscIdx) -> Option<&'s ElementId> {
        let mut own = std::iter::successors(Some(rsc), |rsc| self.parent(*rsc))
            .flat_map(|rsc| &self.rsc[rsc.i()].locations)
            .map(|index| &self.locations[*index as usize]);
        own.find(|location| location.discovery == Discovery::Exclusive).and_then(|location| location.id)
    }

    // What follows from what resources are

    /// Adds colocations of group members, of the parts of bundles, and of guest nodes' connections.
    pub fn add_implicit_colocations(&mut self) {
        for root in self.order.clone() {
            self.add_implicit_colocations_of(root);
        }
    }

    fn add_implicit_colocations_of(&mut self, rsc: RscIdx) {
        match self.kind(rsc) {
            Kind::Primitive(_) => self.bind_to_container(rsc),
            Kind::Group(group) => {
                let is_colocated = group.colocated;
                let mut previous = None;
                for member in self.rsc[rsc.i()].children.clone() {
                    self.add_implicit_colocations_of(member);
                    if let (Some(previous), true) = (previous, is_colocated) {
                        let influence = self.st.rsc(member).meta.critical;
                        self.colocate_implicitly("#group-members", member, previous, INFINITY, influence);
                    }
                    previous = Some(member);
                }
            }
            Kind::Clone(_) => {
                for instance in self.rsc[rsc.i()].children.clone() {
                    self.add_implicit_colocations_of(instance);
                }
            }
            Kind::Bundle(bundle) => {
                let (replicas, inner) = (bundle.replicas.clone(), bundle.inner);
                for replica in replicas {
                    self.add_implicit_colocations_of(replica.container);
                    if let Some(address) = replica.ip {
                        self.add_implicit_colocations_of(address);
                        self.colocate_implicitly(
                            "#ip-with-container",
                            address,
                            replica.container,
                            INFINITY,
                            true,
                        );
                    }
                    if let Some(connection) = replica.remote {
                        self.add_implicit_colocations_of(connection);
                    }
                }
                if let Some(inner) = inner {
                    self.add_implicit_colocations_of(inner);
                }
            }
        }
    }

    /// The connection of a guest node, and anything else that lives in a container.
    fn bind_to_container(&mut self, rsc: RscIdx) {
        if !self.rsc[rsc.i()].managed {
            return;
        }
        let resource = self.st.rsc(rsc);
        let part = self.fixed[rsc.i()].part;
        if let Some(container) = resource.container.filter(|_| part != Part::Content) {
            let host_connection = if self.is_connection(rsc) {
                if part != Part::Connection {
                    // A guest node does not run on a remote node.
                    self.ban_from_remote_nodes(container);
                }
                None
            } else if self.is_connection(container) {
                Some(container)
            } else {
                self.st.rsc(container).contained.iter().copied().find(|rsc| self.is_connection(*rsc))
            };
            match host_connection {
                Some(connection) => {
                    let st = self.st;
                    let mut banned = Vec::new();
                    for entry in self.tables[rsc.i()].iter_mut() {
                        if st.node(entry.node).connection() != Some(connection) {
                            entry.score = -INFINITY;
                            banned.push(entry.node);
                        }
                    }
                    for node in banned {
                        let cause = |_: &Self| Cause::Inside(st.rsc(container).id.clone());
                        self.because(rsc, Some(node), -INFINITY, None, cause);
                    }
                }
                None => {
                    let score = if part == Part::Connection { CONNECTION_WITH_CONTAINER } else { INFINITY };
                    self.colocate_implicitly("#resource-with-container", rsc, container, score, true);
                }
            }
        }
        let is_fence_device = resource.primitive().is_some_and(|data| data.is_fence_device);
        if is_fence_device || self.is_connection(rsc) {
            self.ban_from_remote_nodes(rsc);
        }
    }
}
