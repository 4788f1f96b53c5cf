//! The graph as a value.

use crate::Attributes;
use std::{sync::Arc, time::Duration};
use systole_types::{NodeId, NodeUuid, OperationKey, ResourceId};

/// A plan: synapses, each of which may fire once all its inputs are confirmed.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct TransitionGraph {
    /// Attributes of `<transition_graph>` in the order written: `cluster-delay`, `fencing-timeout`, `failed-stop-offset`...
    pub properties: Vec<(Arc<str>, Arc<str>)>,
    /// In the scheduler's order of importance.
    pub synapses: Vec<Synapse>,
}

/// One action with what it waits for.
#[derive(Clone, Debug, PartialEq)]
pub struct Synapse {
    /// Higher is sent first where there is a choice; INFINITY is 1,000,000.
    pub priority: i32,
    /// What to do.
    pub action: Action,
    /// Numbers of actions that must be confirmed first. Ascending, no doubles.
    pub inputs: Vec<ActionId>,
}

/// An action's number in its graph.
pub type ActionId = u32;

/// One action of a graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Action {
    /// Unique in the graph.
    pub id: ActionId,
    /// What kind of action, and whom it is for.
    pub kind: ActionKind,
    /// `operation`: `start`, `monitor`, `stonith`, `notify`...
    pub operation: Arc<str>,
    /// `operation_key`, for fencing and other cluster actions too (`stonith-node1-reboot`): text.
    pub key: Arc<str>,
    /// `internal_operation_key`: with the instance number, where `key` has none.
    pub internal_key: Option<Arc<str>>,
    /// `on_node` and `on_node_uuid`.
    pub node: Option<(NodeId, NodeUuid)>,
    /// `router_node`: the cluster node that passes the action on to a remote one.
    pub router: Option<NodeId>,
    /// `<attributes>`: parameters by their plain names, and `CRM_meta_...`.
    pub attributes: Attributes,
    /// `<downed>`: nodes that the action brings down.
    pub downed: Vec<NodeUuid>,
    /// `<maintenance>`: nodes whose maintenance state changes, with the new one.
    pub maintenance: Vec<(NodeUuid, bool)>,
    /// `<primitive>` of a cluster action: the resource it is about.
    pub about: Option<Arc<ResourceRef>>,
    /// Further attributes of the element itself: `mode` of `lrm_delete`, `shutdown-lock` of a stop.
    pub extra: Vec<(Arc<str>, Arc<str>)>,
}

/// What kind of action.
#[derive(Clone, Debug, PartialEq)]
pub enum ActionKind {
    /// `<pseudo_event>`: nothing to run, orders others.
    Pseudo,
    /// `<crm_event>`: for the cluster manager itself (`stonith`, `do_shutdown`, `clear_failcount`, `lrm_delete`...).
    Cluster,
    /// `<rsc_op>`: run by an agent.
    Resource(Arc<ResourceRef>),
}

/// `<primitive>` of a resource action: which instance, managed by which agent.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceRef {
    /// `id`: the name the node's history knows the instance by.
    pub id: ResourceId,
    /// `long-id`: the instance's full name where that differs.
    pub long_id: Option<ResourceId>,
    /// `class`.
    pub class: Arc<str>,
    /// `provider`.
    pub provider: Option<Arc<str>>,
    /// `type`.
    pub kind: Arc<str>,
}

impl TransitionGraph {
    /// The value of a graph attribute.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.iter().find(|(key, _)| &**key == name).map(|(_, value)| &**value)
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.synapses.is_empty()
    }
}

impl Action {
    /// A meta attribute by its plain name: `timeout` for `CRM_meta_timeout`.
    pub fn meta(&self, name: &str) -> Option<&str> {
        self.attributes.get(format!("CRM_meta_{name}").as_str()).map(|value| &**value)
    }

    /// How long the action may take: `CRM_meta_timeout`, in milliseconds there.
    pub fn timeout(&self) -> Option<Duration> {
        self.meta("timeout")?.parse().ok().map(Duration::from_millis)
    }

    /// The operation key, where `key` is one (fencing keys are not).
    pub fn operation_key(&self) -> Option<OperationKey> {
        self.key.parse().ok()
    }
}
