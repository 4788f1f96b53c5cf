//! What each action of the graph is told: its names, its node, its attributes.

#![expect(
    clippy::disallowed_types,
    reason = "caches are only looked into by key, so their order cannot show"
)]

use super::{
    action::{ActIdx, Action, Flags},
    draft::Draft,
    task::{Key, Task},
};
use crate::{
    NodeIdx, RscIdx,
    status::{Attributes, Kind, NameHasher, NodeKind},
};
use std::{
    collections::{HashMap, HashSet},
    fmt::Write as _,
    hash::BuildHasherDefault,
    sync::Arc,
    time::Duration,
};
use systole_graph::{ActionKind, Attributes as ActionAttributes, ResourceRef};
use systole_types::{FEATURE_SET, NodeId, NodeUuid, ResourceId};

type FastHash = BuildHasherDefault<NameHasher>;

/// Worked out once for many actions; never iterated.
pub(super) struct Cache {
    feature_set: (Arc<str>, Arc<str>),
    /// What actions that belong to no resource are told.
    without_resource: Arc<Attributes>,
    /// Of meta attributes, as actions carry them.
    meta_names: HashMap<Arc<str>, Arc<str>, FastHash>,
    /// Names and values that many actions have.
    texts: HashSet<Arc<str>, FastHash>,
    /// What actions are told of their node, and of the result that is expected there.
    places: HashMap<(Option<NodeIdx>, Option<u8>), ActionAttributes, FastHash>,
    /// Of the resource whose probe was written last: its probes come one after the other.
    probe_keys: Option<(RscIdx, WrittenKeys)>,
    /// Of the resource that was written last: so do its actions.
    reference: Option<(RscIdx, Arc<ResourceRef>)>,
    /// What all actions of a resource are told, of the last one (and where that matters, the last node).
    common: Option<(RscIdx, Option<NodeIdx>, Common)>,
    operations: HashMap<Definition, Arc<Attributes>, FastHash>,
    /// What operations are told as such of which nothing is configured, by what they do and how often.
    plain_operations: HashMap<(Task, u32), Vec<Pair>, FastHash>,
}

/// What all actions of a resource are told.
struct Common {
    all: Attributes,
    /// Those of them that an operation has no say in.
    collective: Attributes,
}

/// A name with its value.
type Pair = (Arc<str>, Arc<str>);

/// An operation's key as histories know it, and where that is another, the key of the instance.
type WrittenKeys = (Arc<str>, Option<Arc<str>>);

/// What actions have the same attributes by.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Definition {
    rsc: RscIdx,
    /// Whose meta attributes count.
    task: Task,
    /// Whose parameters count.
    made_as: Task,
    interval_ms: u32,
    /// `None` where it makes no difference.
    node: Option<NodeIdx>,
}

impl Cache {
    pub fn new() -> Self {
        let feature_set: (Arc<str>, Arc<str>) = ("crm_feature_set".into(), FEATURE_SET.into());
        Self {
            without_resource: Arc::new(Attributes::from([feature_set.clone()])),
            feature_set,
            meta_names: HashMap::default(),
            texts: HashSet::default(),
            places: HashMap::default(),
            probe_keys: None,
            reference: None,
            common: None,
            operations: HashMap::default(),
            plain_operations: HashMap::default(),
        }
    }

    fn meta_name(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.meta_names.get(name) {
            return known.clone();
        }
        self.meta_names.entry(name.into()).or_insert_with(|| meta_name(name)).clone()
    }

    fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return known.clone();
        }
        let text: Arc<str> = text.into();
        self.texts.insert(text.clone());
        text
    }
}

impl Draft<'_, '_> {
    pub(super) fn written(&self, idx: ActIdx, cache: &mut Cache) -> systole_graph::Action {
        let action = self.a(idx);
        let is_pseudo = action.flags.has(Flags::PSEUDO);
        let kind = match (&action.task, action.rsc) {
            (Task::Fence, _) if is_pseudo => ActionKind::Pseudo,
            (Task::Fence | Task::Shutdown | Task::ClearFailCount | Task::LrmDelete, _) => ActionKind::Cluster,
            (_, Some(rsc)) if !is_pseudo => ActionKind::Resource(self.resource_ref(rsc, cache)),
            _ => ActionKind::Pseudo,
        };
        let kind_is_cluster = kind == ActionKind::Cluster;
        let has_node = !is_pseudo || matches!(action.task, Task::Fence | Task::Shutdown);
        let node =
            action.node.filter(|_| has_node || matches!(action.task, Task::ClearFailCount | Task::LrmDelete));
        let (key, internal_key) = self.keys(action, cache);
        let is_maintenance = action.name.as_deref() == Some("maintenance_nodes");
        systole_graph::Action {
            id: idx.0 + 1,
            kind,
            operation: self.operation(action, cache),
            key,
            internal_key,
            node: node.map(|node| self.node_names(node)),
            router: node.and_then(|_| self.router(idx)).map(|router| self.status.node(router).name.clone()),
            attributes: self.attributes(idx, node, cache),
            downed: node.map(|node| self.downed(idx, node)).unwrap_or_default(),
            maintenance: if is_maintenance { self.maintenance_changes() } else { Vec::new() },
            about: match action.rsc {
                Some(rsc) if kind_is_cluster => Some(self.resource_ref(rsc, cache)),
                _ => None,
            },
            extra: self.extra(action),
        }
    }

    fn node_names(&self, node: NodeIdx) -> (NodeId, NodeUuid) {
        let node = self.status.node(node);
        (node.name.clone(), node.uuid.clone())
    }

    fn extra(&self, action: &Action) -> Vec<(Arc<str>, Arc<str>)> {
        if action.task == Task::LrmDelete {
            return vec![("mode".into(), "cib".into())];
        }
        let lock = action.rsc.and_then(|rsc| self.shutdown_lock(rsc));
        let Some((locked_to, since)) = lock.filter(|_| !action.flags.has(Flags::PSEUDO)) else {
            return Vec::new();
        };
        let is_leaving = self.node[locked_to.i()].shutdown;
        if action.node == Some(locked_to) && (!is_leaving || action.task == Task::Stop) {
            return vec![("shutdown-lock".into(), since.0.to_string().into())];
        }
        Vec::new()
    }

    fn keys(&self, action: &Action, cache: &mut Cache) -> WrittenKeys {
        let Some(rsc) = action.rsc.filter(|_| action.key == Key::once(Task::Monitor)) else {
            return self.written_keys(action);
        };
        match &cache.probe_keys {
            Some((known, keys)) if *known == rsc => keys.clone(),
            _ => cache.probe_keys.insert((rsc, self.written_keys(action))).1.clone(),
        }
    }

    fn written_keys(&self, action: &Action) -> WrittenKeys {
        let Some(rsc) = action.rsc else {
            return (action.name.clone().expect("actions without a resource have a name"), None);
        };
        let resource = self.r(rsc);
        let own = self.operation_key(&resource.id, action.key);
        match &resource.history_id {
            Some(known_as) if action.task == Task::Notified => {
                (format!("{known_as}_notified_0").into(), Some(own))
            }
            Some(known_as) if matches!(action.key, Key::Notify(..)) => {
                let (kind, task) = action.notice.as_ref().map_or(("", ""), |n| (n.kind(), n.task.word()));
                (format!("{known_as}_{kind}_notify_{task}_0").into(), Some(own))
            }
            Some(known_as) => (self.operation_key(known_as, action.key), Some(own)),
            None => (own, None),
        }
    }

    /// The key of an operation, as histories know it.
    fn operation_key(&self, rsc: &ResourceId, key: Key) -> Arc<str> {
        let Key::Op(task, interval) = key else { return format!("{rsc}_{}", self.key_text(key)).into() };
        let mut text = String::with_capacity(rsc.as_str().len() + 24);
        text.push_str(rsc.as_str());
        text.push('_');
        text.push_str(self.task_names.text(task));
        if interval == 0 {
            text.push_str("_0");
        } else {
            let _ = write!(text, "_{interval}");
        }
        text.into()
    }

    fn operation(&self, action: &Action, cache: &mut Cache) -> Arc<str> {
        match &action.name {
            Some(name) if action.task == Task::AsNamed => name.clone(),
            _ => cache.text(self.task_names.text(action.task)),
        }
    }

    fn resource_ref(&self, rsc: RscIdx, cache: &mut Cache) -> Arc<ResourceRef> {
        match &cache.reference {
            Some((known, reference)) if *known == rsc => reference.clone(),
            _ => cache.reference.insert((rsc, Arc::new(self.new_resource_ref(rsc)))).1.clone(),
        }
    }

    fn new_resource_ref(&self, rsc: RscIdx) -> ResourceRef {
        let resource = self.r(rsc);
        let definition = resource.primitive().map(|primitive| &**primitive.definition);
        let xml_id = definition.map_or(&resource.id, |definition| &definition.id);
        let (id, long_id): (&ResourceId, Option<&ResourceId>) = match &resource.history_id {
            Some(known_as) if resource.removed.is_some() => (known_as, Some(&resource.id)),
            _ if resource.is_unique => (&resource.id, None),
            Some(known_as) if known_as != xml_id => (xml_id, Some(known_as)),
            _ => (xml_id, Some(&resource.id)),
        };
        ResourceRef {
            id: id.clone(),
            long_id: long_id.cloned(),
            class: definition.map_or_else(|| "".into(), |definition| definition.agent.class.clone()),
            provider: definition.and_then(|definition| definition.agent.provider.clone()),
            kind: definition.map_or_else(|| "".into(), |definition| definition.agent.kind.clone()),
        }
    }

    fn downed(&self, idx: ActIdx, node: NodeIdx) -> Vec<NodeUuid> {
        let action = self.a(idx);
        match (&action.task, action.rsc) {
            (Task::Shutdown, _) => vec![self.status.node(node).uuid.clone()],
            (Task::Fence, _) => {
                if !matches!(self.added_meta(idx, "stonith_action"), Some("off" | "reboot" | "poweroff")) {
                    return Vec::new();
                }
                let guests = self.status.node(node).running.iter().filter_map(|&rsc| {
                    let is_guest = self.r(rsc).container.is_some()
                        && self.r(rsc).primitive().is_some_and(|p| p.is_remote_connection);
                    self.r(rsc).remote_node.filter(|_| is_guest)
                });
                let nodes = std::iter::once(node).chain(guests);
                nodes.map(|node| self.status.node(node).uuid.clone()).collect()
            }
            (Task::Stop, Some(rsc)) if self.r(rsc).primitive().is_some_and(|p| p.is_remote_connection) => {
                let migrates = action.before.iter().any(|&link| {
                    let first = self.a(self.links[link as usize].first);
                    first.rsc == Some(rsc) && first.task == Task::MigrateFrom
                });
                if migrates { Vec::new() } else { vec![NodeUuid::new(self.r(rsc).id.as_str())] }
            }
            _ => Vec::new(),
        }
    }

    /// Most of what actions are told is the same for all that do the same to a resource.
    fn attributes(&self, idx: ActIdx, node: Option<NodeIdx>, cache: &mut Cache) -> ActionAttributes {
        let action = self.a(idx);
        let shared = match action.rsc {
            Some(rsc) => self.operation_attributes(rsc, action, cache),
            None => cache.without_resource.clone(),
        };
        let mut all = self.place_attributes(node, action.expected_rc, cache).on(shared);
        for (name, value) in &action.meta {
            all.insert(cache.meta_name(name), value.clone());
        }
        if let Some(notice) = &action.notice {
            for &stopped in &notice.stopped {
                for (name, value) in self.operation_meta(stopped, (Task::Notify, 0), cache) {
                    if all.get(&name).is_none() {
                        all.insert(name, value);
                    }
                }
            }
            for (name, value) in notice.attributes() {
                all.insert(cache.meta_name(name), value.into());
            }
        }
        for (name, value) in action.told.iter().flat_map(|environment| environment.iter()) {
            all.insert(cache.meta_name(name), value.clone());
        }
        if let Some(rsc) = action.rsc {
            self.add_guest_attributes(action, rsc, &mut all);
        }
        all
    }

    fn place_attributes(&self, node: Option<NodeIdx>, rc: Option<u8>, cache: &mut Cache) -> ActionAttributes {
        if let Some(known) = cache.places.get(&(node, rc)) {
            return known.clone();
        }
        let mut all = ActionAttributes::default();
        if let Some(node) = node.map(|node| self.status.node(node)) {
            all.insert(cache.text("CRM_meta_on_node"), (&node.name).into());
            all.insert(cache.text("CRM_meta_on_node_uuid"), (&node.uuid).into());
        }
        if let Some(rc) = rc {
            all.insert(cache.text("CRM_meta_op_target_rc"), rc.to_string().into());
        }
        cache.places.insert((node, rc), all.clone());
        all
    }

    /// The operation's own attributes, and its parameters and those of the resource: its meta attributes by their names in
    /// graphs, parameters by theirs. And what every action of the resource, and every action at all, is told.
    fn operation_attributes(&self, rsc: RscIdx, action: &Action, cache: &mut Cache) -> Arc<Attributes> {
        let task = match &action.key {
            Key::Notify(..) => Task::Notify,
            Key::Op(..) => action.made_as,
        };
        let primitive = self.r(rsc).primitive();
        let has_own = primitive.is_some_and(|primitive| primitive.operations_have_parameters);
        let depends_on_node = has_own || primitive.is_some_and(|primitive| primitive.node_dependent);
        let node = action.node.filter(|_| depends_on_node);
        let (made_as, interval_ms) = (action.made_as, action.key.interval_ms());
        let definition = Definition { rsc, task, made_as, interval_ms, node };
        if let Some(known) = cache.operations.get(&definition) {
            return known.clone();
        }
        let mut own = self.operation_meta(rsc, (task, interval_ms), cache);
        if let Some(node) = node.filter(|_| has_own) {
            let made_as = self.task_names.text(definition.made_as);
            let interval = Duration::from_millis(interval_ms.into());
            own.extend(self.status.operation_parameters(rsc, node, made_as, interval));
        }
        let common = self.common_attributes(rsc, node, cache);
        let mut all = common.all.clone();
        all.extend(own.into_iter().filter(|(name, _)| !common.collective.contains_key(name)));
        if primitive.is_some() {
            self.name_host(rsc, &mut all);
        }
        let all = Arc::new(all);
        cache.operations.insert(definition, all.clone());
        all
    }

    /// The operation's own attributes, by their names in graphs. Where none are configured, they are the same for all.
    fn operation_meta(&self, rsc: RscIdx, operation: (Task, u32), cache: &mut Cache) -> Vec<Pair> {
        let (task, interval_ms) = operation;
        let interval = Duration::from_millis(interval_ms.into());
        let is_plain = self.is_plain(rsc, task, interval);
        if let Some(known) = cache.plain_operations.get(&operation).filter(|_| is_plain) {
            return known.clone();
        }
        let meta = self.status.op_meta(rsc, self.task_names.text(task), interval);
        let is_usable = |name: &str| !name.bytes().any(|byte| matches!(byte, b'#' | b':'));
        let meta = meta.raw.into_iter().filter(|(name, _)| is_usable(name));
        let own: Vec<Pair> = meta.map(|(name, value)| (cache.meta_name(&name), value)).collect();
        if is_plain {
            cache.plain_operations.insert(operation, own.clone());
        }
        own
    }

    /// Whether nothing in the configuration has a say in what an operation is told as such: of collectives nothing ever has.
    /// Probes and demotes go by what is configured for recurring monitors.
    fn is_plain(&self, rsc: RscIdx, task: Task, interval: Duration) -> bool {
        let Some(primitive) = self.r(rsc).primitive() else { return true };
        !primitive.is_fence_device
            && !matches!(task, Task::Monitor | Task::Demote)
            && self.status.cib.operation_defaults.is_empty()
            && self.status.configured_operation(rsc, self.task_names.text(task), interval).is_none()
    }

    /// Parameters, and what a resource, the collectives it is part of, and every action at all add.
    fn common_attributes<'c>(&self, rsc: RscIdx, node: Option<NodeIdx>, cache: &'c mut Cache) -> &'c Common {
        let is_known = cache.common.as_ref().is_some_and(|(known, there, _)| (*known, *there) == (rsc, node));
        if !is_known {
            let collective = self.collective_attributes(rsc, cache);
            let mut all = Attributes::clone(&self.status.parameters(rsc, node));
            all.extend(collective.iter().map(|(name, value)| (name.clone(), value.clone())));
            cache.common = Some((rsc, node, Common { all, collective }));
        }
        &cache.common.as_ref().expect("they have just been worked out").2
    }

    /// An address that is where the container is.
    fn name_host(&self, rsc: RscIdx, all: &mut Attributes) {
        if all.get("addr").is_some_and(|address| &**address == "#uname")
            && self.status.needs_host_name(rsc)
            && let Some(host) = self.container_host(rsc)
        {
            all.insert("addr".into(), (&self.status.node(host).name).into());
        }
    }

    /// Where the container that a connection leads into will be, else where it is.
    pub(super) fn container_host(&self, rsc: RscIdx) -> Option<NodeIdx> {
        let container = self.r(rsc).container?;
        self.assigned[container.i()].or_else(|| self.current_node(container))
    }

    /// What a resource and the collectives it is part of add to every action.
    fn collective_attributes(&self, rsc: RscIdx, cache: &mut Cache) -> Attributes {
        let mut all = Attributes::from([cache.feature_set.clone()]);
        let mut add = |name: &str, value: &str| _ = all.insert(cache.text(name), cache.text(value));
        if self.r(rsc).is_primitive() {
            if let Some(number) = self.instance_number(rsc) {
                add("CRM_meta_clone", number);
            }
            if let Some(node) = &self.r(rsc).meta.remote_node {
                add("CRM_meta_remote_node", node.as_str());
            }
            if let Some(address) = self.r(rsc).meta.raw.get("external-ip") {
                add("pcmk_external_ip", address);
            }
            if self.r(rsc).meta.agentless && self.is_container_with_child(rsc) {
                add("CRM_meta_agentless", "true");
            }
        }
        let mut at = Some(rsc);
        while let Some(here) = at {
            let resource = self.r(here);
            if let Some(container) = resource.container.filter(|_| self.r(rsc).is_primitive()) {
                add("CRM_meta_container", self.r(container).id.as_str());
            }
            if let Kind::Clone(clone) = &resource.kind {
                add("CRM_meta_globally_unique", if clone.unique { "true" } else { "false" });
                add("CRM_meta_notify", if self.notifies(here) { "true" } else { "false" });
                add("CRM_meta_clone_max", &clone.max.to_string());
                add("CRM_meta_clone_node_max", &clone.node_max.to_string());
                if resource.is_promotable {
                    for (name, value) in [
                        ("CRM_meta_promoted_max", clone.promoted_max),
                        ("CRM_meta_promoted_node_max", clone.promoted_node_max),
                        ("CRM_meta_master_max", clone.promoted_max),
                        ("CRM_meta_master_node_max", clone.promoted_node_max),
                    ] {
                        add(name, &value.to_string());
                    }
                }
            }
            at = resource.parent;
        }
        all
    }

    /// Whether it is a bundle's container, and something is to run in there.
    fn is_container_with_child(&self, rsc: RscIdx) -> bool {
        let bundle = self.r(rsc).parent.and_then(|parent| self.r(parent).bundle());
        bundle.is_some_and(|bundle| {
            bundle.replicas.iter().any(|replica| replica.container == rsc && replica.child.is_some())
        })
    }

    /// The number of the clone instance that a resource is, or is part of.
    fn instance_number(&self, mut rsc: RscIdx) -> Option<&str> {
        loop {
            let parent = self.r(rsc).parent?;
            if self.r(parent).is_clone() {
                return self.r(rsc).id.as_str().rsplit_once(':').map(|(_, number)| number);
            }
            rsc = parent;
        }
    }

    fn add_guest_attributes(&self, action: &Action, rsc: RscIdx, all: &mut ActionAttributes) {
        let Some(node) = action.node else { return };
        let NodeKind::Guest { container, .. } = self.status.node(node).kind else { return };
        let task = match &action.key {
            Key::Notify(..) => action.notified_task(),
            Key::Op(..) => action.task,
        };
        let host = match task.work() {
            Task::Stop | Task::Demote => self.current_node(container),
            Task::Start | Task::Monitor | Task::Promote => self.assigned[container.i()],
            _ => None,
        };
        let Some(host) = host else { return };
        if let Some(target) = self.r(rsc).meta.raw.get("container-attribute-target") {
            all.insert_new("CRM_meta_container_attribute_target", target);
        }
        all.insert_new("CRM_meta_physical_host", &(&self.status.node(host).name).into());
    }
}

/// A meta attribute's name as actions carry it.
fn meta_name(name: &str) -> Arc<str> {
    format!("CRM_meta_{}", name.replace('-', "_")).into()
}
