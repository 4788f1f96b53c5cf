//! `<cib>` and the sections of `<configuration>` other than resources and constraints.

use super::{Constraint, NodeState, Resource, Rule, Ticket};
use std::{sync::Arc, time::Duration};
use systole_types::{CibVersion, ElementId, NodeId, NodeUuid, ResourceId, Score, Timestamp};

/// A whole CIB.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cib {
    /// `admin_epoch.epoch.num_updates`.
    pub version: CibVersion,
    /// `crm_feature_set`.
    pub feature_set: Option<Arc<str>>,
    /// `validate-with`.
    pub validate_with: Option<Arc<str>>,
    /// `have-quorum`; a CIB that does not say has quorum not.
    pub have_quorum: bool,
    /// `no-quorum-panic`: the partition has had quorum, so that losing it may be a reason to fence.
    pub no_quorum_panic: bool,
    /// `dc-uuid`: the node that schedules.
    pub dc_uuid: Option<NodeUuid>,
    /// `cib-last-written`, `update-origin`, `update-client`, `update-user` as they stand.
    pub last_change: LastChange,
    /// `execution-date`: the moment the CIB asks to be scheduled at.
    pub execution_date: Option<Timestamp>,
    /// `<crm_config>`: cluster options.
    pub cluster_options: Vec<AttributeSet>,
    /// `<nodes>`.
    pub nodes: Vec<NodeEntry>,
    /// `<resources>` less templates, in order.
    pub resources: Vec<Resource>,
    /// `<template>`s: each with the primitives made from it, for constraints that name the template.
    pub templates: Vec<Tag>,
    /// Some meta attribute of a resource, template or operation, or of the resource defaults, says `requires` or `provides`
    /// unfencing, whether or not anything uses it. Rules are not looked at.
    pub mentions_unfencing: bool,
    /// `<tags>`.
    pub tags: Vec<Tag>,
    /// `<constraints>`, in order.
    pub constraints: Vec<Constraint>,
    /// `<rsc_defaults>`.
    pub resource_defaults: Vec<AttributeSet>,
    /// `<op_defaults>`.
    pub operation_defaults: Vec<AttributeSet>,
    /// `<fencing-topology>`.
    pub fencing_levels: Vec<FencingLevel>,
    /// `<status>`: `<node_state>`s.
    pub node_states: Vec<NodeState>,
    /// `<status>`: `<tickets>`.
    pub tickets: Vec<Ticket>,
}

/// Who changed the configuration last, and when: text for people.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LastChange {
    /// `cib-last-written`.
    pub at: Option<Arc<str>>,
    /// `update-origin`: a node's name.
    pub origin: Option<Arc<str>>,
    /// `update-client`.
    pub client: Option<Arc<str>>,
    /// `update-user`.
    pub user: Option<Arc<str>>,
}

/// A set of name-value pairs: `<meta_attributes>`, `<instance_attributes>`, `<utilization>`, `<cluster_property_set>`.
/// An `id-ref` has been replaced by what it refers to.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributeSet {
    /// `id`.
    pub id: ElementId,
    /// `score`: sets with a higher score are looked at first; 0 if not given.
    pub score: Score,
    /// The set counts only where this holds.
    pub rule: Option<Rule>,
    /// In document order; of pairs with the same name the first counts.
    pub pairs: Vec<NvPair>,
}

/// One `<nvpair>`.
#[derive(Clone, Debug, PartialEq)]
pub struct NvPair {
    /// `id`; an `id-ref` with a `name` of its own keeps the id of what it refers to.
    pub id: Option<ElementId>,
    /// `name`.
    pub name: Arc<str>,
    /// `value`; `None` where the pair has none.
    pub value: Option<Arc<str>>,
}

/// A `<node>`.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeEntry {
    /// `id`.
    pub uuid: NodeUuid,
    /// `uname`.
    pub name: NodeId,
    /// `type`.
    pub kind: NodeEntryKind,
    /// Permanent node attributes.
    pub attributes: Vec<AttributeSet>,
    /// Capacities.
    pub utilization: Vec<AttributeSet>,
    /// `score`, if given.
    pub score: Option<Score>,
    /// `description`.
    pub description: Option<Arc<str>>,
}

/// What a `<node>` says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum NodeEntryKind {
    /// `member` (or `normal`): runs the cluster layer. Also where `type` is missing.
    #[default]
    Member,
    /// `remote`.
    Remote,
    /// `ping`: from older days.
    Ping,
}

/// A `<tag>`, or a template with its primitives: a name for several elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Tag {
    /// The name.
    pub id: ElementId,
    /// Ids in document order.
    pub members: Vec<ElementId>,
}

/// A `<fencing-level>`.
#[derive(Clone, Debug, PartialEq)]
pub struct FencingLevel {
    /// `id`.
    pub id: ElementId,
    /// Which nodes it is for.
    pub target: FencingTarget,
    /// `index`: 1 to 9, tried in that order.
    pub index: u8,
    /// Fence devices, all of which must succeed.
    pub devices: Vec<ResourceId>,
}

/// Which nodes a fencing level is for.
#[derive(Clone, Debug, PartialEq)]
pub enum FencingTarget {
    /// One node.
    Node(NodeId),
    /// Nodes whose name matches this regular expression.
    Pattern(Arc<str>),
    /// Nodes with this attribute at this value.
    Attribute {
        /// The attribute's name.
        name: Arc<str>,
        /// Its value.
        value: Arc<str>,
    },
}

/// An `<op>` of a resource, templates and `id-ref`s resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Operation {
    /// `id`.
    pub id: ElementId,
    /// `name`: `start`, `monitor`...
    pub name: Arc<str>,
    /// `interval`; zero where it is missing, zero, or unreadable (then there is a diagnostic too).
    pub interval: Duration,
    /// Every attribute of the `<op>` but `id` and `name`, as written, in order: `interval`, `timeout`, `role`, `on-fail`, `enabled`...
    pub properties: Vec<(Arc<str>, Arc<str>)>,
    /// `<meta_attributes>` of the operation.
    pub meta: Vec<AttributeSet>,
    /// `<instance_attributes>` of the operation.
    pub parameters: Vec<AttributeSet>,
    /// It stands elsewhere: `id-ref` of the `<op>` or of the `<operations>` it is in.
    pub is_reference: bool,
}
