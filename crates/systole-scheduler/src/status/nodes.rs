//! Which nodes there are, with their attributes.
//!
//! Source: Pacemaker Explained, "Nodes", "Node Attributes".

use super::{
    Attributes, FailCount, HealthColor, HealthStrategy, Node, NodeIdx, NodeKind,
    text::{amount, base_name, compare_names},
    unpack::{Unpack, lookup},
};
use crate::rules::{self, Input, Merge};
use std::{collections::BTreeMap, ops::Bound, sync::Arc};
use systole_cib::model::{AttributeSet, NodeEntryKind, Primitive, Resource as Configured};
use systole_types::{NodeId, NodeUuid, Score, Timestamp};

impl Unpack<'_> {
    /// Nodes of the `<nodes>` section.
    pub(super) fn configured_nodes(&mut self) {
        let cib = self.cib;
        for entry in &cib.nodes {
            let kind = match entry.kind {
                NodeEntryKind::Member => NodeKind::Member,
                NodeEntryKind::Remote => NodeKind::Remote { connection: None },
                NodeEntryKind::Ping => continue,
            };
            let node =
                self.add_node(entry.name.clone(), entry.uuid.clone(), kind, entry.score.unwrap_or_default());
            self.nodes[node.i()].is_configured = true;
            self.startup_fencing(node);
            self.add_attributes(node, &entry.attributes, &entry.utilization, Merge::KeepFirst);
        }
    }

    /// Enters a node, and keeps the order by name.
    pub(super) fn add_node(&mut self, name: NodeId, uuid: NodeUuid, kind: NodeKind, score: Score) -> NodeIdx {
        let idx = NodeIdx::new(self.nodes.len());
        self.node_names.insert(name.as_str().to_ascii_lowercase(), idx.0);
        self.node_uuids.insert(uuid.as_str().to_ascii_lowercase(), idx.0);
        let at = self
            .nodes_by_name
            .partition_point(|&other| compare_names(self.node(other).name.as_str(), name.as_str()).is_lt());
        self.nodes_by_name.insert(at, idx);
        let mut node = Node::new(name, uuid, kind, score);
        let kind = if node.is_remote_or_guest() { "remote" } else { "cluster" };
        node.attributes.insert("#kind".into(), kind.into());
        self.nodes.push(node);
        idx
    }

    /// A node counts as unclean until its state has been seen. One whose connection is gone is left alone.
    pub(super) fn startup_fencing(&mut self, node: NodeIdx) {
        let startup_fencing = self.options.startup_fencing;
        let node = &mut self.nodes[node.i()];
        if node.kind != (NodeKind::Remote { connection: None }) {
            node.unclean = startup_fencing;
        }
    }

    /// Remote and guest nodes by the resources that connect to them. (Bundles make theirs when they are unpacked.)
    pub(super) fn remote_nodes(&mut self) {
        let cib = self.cib;
        for rsc in &cib.resources {
            match rsc {
                Configured::Primitive(primitive) if is_remote_connection(primitive) => {
                    self.ensure_remote_node(primitive.id.as_str());
                }
                Configured::Primitive(primitive) => self.guest_node(primitive),
                Configured::Group(group) => group.members.iter().for_each(|member| self.guest_node(member)),
                Configured::Clone(_) | Configured::Bundle(_) => {}
            }
        }
    }

    fn guest_node(&mut self, primitive: &Primitive) {
        if let Some(name) = plain_meta(primitive, "remote-node") {
            self.ensure_remote_node(&name);
        }
    }

    pub(super) fn ensure_remote_node(&mut self, name: &str) -> NodeIdx {
        let kind = NodeKind::Remote { connection: None };
        self.node_named(name)
            .unwrap_or_else(|| self.add_node(NodeId::new(name), NodeUuid::new(name), kind, Score::ZERO))
    }

    /// The node with that id, or else that name.
    pub(super) fn find_node_any(&self, uuid: Option<&NodeUuid>, name: Option<&NodeId>) -> Option<NodeIdx> {
        let by_uuid = uuid.and_then(|uuid| lookup(&self.node_uuids, uuid.as_str()));
        by_uuid.or_else(|| name.and_then(|name| self.node_named(name.as_str())))
    }

    /// Adds node attributes of the configuration (`KeepFirst`) or the status section (`Overwrite`), and those that
    /// every node has: `#uname`, `#id`, `#is_dc`, `#cluster-name`, `#site-name`.
    pub(super) fn add_attributes(
        &mut self,
        node: NodeIdx,
        sets: &[AttributeSet],
        utilization: &[AttributeSet],
        how: Merge,
    ) {
        let is_dc = self.note_dc(node);
        let cluster_name = self.options.raw.get("cluster-name").cloned();
        let mut found = Attributes::new();
        let input = Input::at(self.local_time());
        rules::merge(sets, None, &input, Merge::KeepFirst, &mut found, &self.recheck);
        let mut capacities = Attributes::new();
        rules::merge(utilization, None, &input, Merge::KeepFirst, &mut capacities, &self.recheck);

        let node = &mut self.nodes[node.i()];
        let attributes = &mut node.attributes;
        attributes.insert("#uname".into(), node.name.as_str().into());
        attributes.insert("#id".into(), node.uuid.as_str().into());
        attributes.insert("#is_dc".into(), if is_dc { "true" } else { "false" }.into());
        attributes.extend(cluster_name.clone().map(|name| ("#cluster-name".into(), name)));
        for (name, value) in found {
            match how {
                Merge::KeepFirst => {
                    attributes.entry(name).or_insert(value);
                }
                Merge::Overwrite => {
                    attributes.insert(name, value);
                }
            }
        }
        if !attributes.contains_key("#site-name") {
            let site = attributes.get("site-name").cloned().or(cluster_name);
            attributes.extend(site.map(|site| ("#site-name".into(), site)));
        }
        for (name, value) in capacities {
            node.utilization.entry(name).or_insert_with(|| amount(&value));
        }
    }

    fn note_dc(&mut self, node: NodeIdx) -> bool {
        let is_named = self
            .cib
            .dc_uuid
            .as_ref()
            .is_some_and(|dc| dc.as_str().eq_ignore_ascii_case(self.node(node).uuid.as_str()));
        if self.dc.is_none() && is_named {
            self.dc = Some(node);
            self.nodes[node.i()].is_dc = true;
        }
        self.dc == Some(node)
    }

    /// Sums up health attributes, once all attributes are known.
    pub(super) fn health(&mut self) {
        let options = self.options.clone();
        if options.health_strategy == HealthStrategy::None {
            return;
        }
        for node in &mut self.nodes {
            let values = || {
                node.attributes.iter().filter(|(name, _)| name.starts_with("#health")).map(|(_, value)| value)
            };
            let base = match options.health_strategy {
                HealthStrategy::Progressive => options.health_base,
                _ => Score::ZERO,
            };
            let health =
                values().filter_map(|value| options.score_of(value)).fold(base, |sum, score| score + sum);
            let color = values().map(|value| color(&options, value)).max().unwrap_or_default();
            (node.health, node.health_color) = (health, color);
        }
    }
}

fn color(options: &super::Options, value: &str) -> HealthColor {
    if value.eq_ignore_ascii_case("red") {
        return HealthColor::Red;
    } else if value.eq_ignore_ascii_case("yellow") {
        return HealthColor::Yellow;
    }
    match options.score_of(value) {
        Some(score) if score <= options.health_red => HealthColor::Red,
        Some(score) if score <= options.health_yellow && options.health_yellow != options.health_green => {
            HealthColor::Yellow
        }
        _ => HealthColor::Green,
    }
}

/// Whether a primitive is the connection to a remote node.
pub(super) fn is_remote_connection(primitive: &Primitive) -> bool {
    let agent = &primitive.agent;
    agent.kind.eq_ignore_ascii_case("remote")
        && agent.class.eq_ignore_ascii_case("ocf")
        && agent.provider.as_deref().is_some_and(|provider| provider.eq_ignore_ascii_case("pacemaker"))
}

/// A meta attribute read before rules can be: the last one given.
pub(super) fn plain_meta(primitive: &Primitive, name: &str) -> Option<Arc<str>> {
    let pairs = primitive.meta.iter().flat_map(|set| &set.pairs);
    pairs.filter(|pair| &*pair.name == name).filter_map(|pair| pair.value.clone()).next_back()
}

/// Collects `fail-count-RSC#OP_INTERVAL` and `last-failure-RSC#OP_INTERVAL` of one node, by resource.
pub(super) fn fail_counts(attributes: &Attributes) -> Vec<FailCount> {
    let mut found: BTreeMap<(&str, Option<u32>, &str), FailCount> = BTreeMap::new();
    let in_range = |prefix: &'static str| {
        let attributes = attributes.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        attributes.map_while(move |(name, value)| Some((name.strip_prefix(prefix)?, value)))
    };
    for (name, value) in in_range("fail-count-") {
        if let (Some(key), Some(count)) = (split_failure(name), Score::read(value)) {
            found.entry(key).or_insert_with(|| blank(key)).count = count;
        }
    }
    for (name, value) in in_range("last-failure-") {
        if let (Some(key), Ok(at)) = (split_failure(name), value.parse()) {
            found.entry(key).or_insert_with(|| blank(key)).last_failure = Some(Timestamp(at));
        }
    }
    found.into_values().collect()
}

fn blank((resource, instance, operation): (&str, Option<u32>, &str)) -> FailCount {
    FailCount {
        resource: resource.into(),
        instance,
        operation: operation.into(),
        count: Score::ZERO,
        last_failure: None,
    }
}

/// `RSC[:N]#OP_INTERVAL` taken apart.
fn split_failure(name: &str) -> Option<(&str, Option<u32>, &str)> {
    let (resource, operation) = name.split_once('#')?;
    let (task, interval) = operation.rsplit_once('_')?;
    let is_valid = !task.is_empty() && !interval.is_empty() && interval.bytes().all(|c| c.is_ascii_digit());
    let base = base_name(resource);
    let instance = resource.get(base.len() + 1..).and_then(|number| number.parse().ok());
    is_valid.then_some((base, instance, operation))
}
