//! Writing the plan down: which actions and inputs are in the graph, in which sequence, and what each action is told.

#![expect(
    clippy::disallowed_types,
    reason = "caches are only looked into by key, so their order cannot show"
)]

use super::{
    action::{ActIdx, Action, Flags},
    draft::Draft,
    relation::Relation,
    task::{Key, Task},
};
use crate::{
    NodeIdx, RscIdx,
    status::{Attributes, Kind, NameHasher, NodeKind},
};
use std::{collections::HashMap, fmt::Write as _, hash::BuildHasherDefault, sync::Arc, time::Duration};
use systole_cib::model::AttributeSet;
use systole_graph::{ActionKind, Attributes as ActionAttributes, ResourceRef, Synapse, TransitionGraph};
use systole_types::{FEATURE_SET, NodeId, NodeUuid, ResourceId};

type FastHash = BuildHasherDefault<NameHasher>;

/// Worked out once for many actions; never iterated.
struct Cache {
    feature_set: (Arc<str>, Arc<str>),
    /// What actions that belong to no resource are told.
    without_resource: Arc<Attributes>,
    meta_names: HashMap<&'static str, Arc<str>, FastHash>,
    /// Names of attributes that most actions have.
    on_node: Arc<str>,
    on_node_uuid: Arc<str>,
    target_rc: Arc<str>,
    task_names: HashMap<Task, Arc<str>, FastHash>,
    numbers: HashMap<u8, Arc<str>, FastHash>,
    operations: HashMap<Definition, Arc<Attributes>, FastHash>,
    collective: HashMap<RscIdx, Arc<Attributes>, FastHash>,
}

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
    fn new() -> Self {
        let feature_set: (Arc<str>, Arc<str>) = ("crm_feature_set".into(), FEATURE_SET.into());
        Self {
            without_resource: Arc::new(Attributes::from([feature_set.clone()])),
            feature_set,
            meta_names: HashMap::default(),
            on_node: "CRM_meta_on_node".into(),
            on_node_uuid: "CRM_meta_on_node_uuid".into(),
            target_rc: "CRM_meta_op_target_rc".into(),
            task_names: HashMap::default(),
            numbers: HashMap::default(),
            operations: HashMap::default(),
            collective: HashMap::default(),
        }
    }

    fn task_name(&mut self, task: &Task) -> Arc<str> {
        if let Some(known) = self.task_names.get(task) {
            return known.clone();
        }
        self.task_names.entry(task.clone()).or_insert(task.as_str().into()).clone()
    }

    fn meta_name(&mut self, name: &'static str) -> Arc<str> {
        self.meta_names.entry(name).or_insert_with(|| meta_name(name)).clone()
    }

    fn number(&mut self, number: u8) -> Arc<str> {
        self.numbers.entry(number).or_insert_with(|| number.to_string().into()).clone()
    }
}

impl Draft<'_, '_> {
    /// Writes the plan down.
    pub(super) fn emit(&mut self) -> TransitionGraph {
        // What rules about parameters say of the time comes too late for the moment to look again, as in the reference.
        self.note_rules_of_operations();
        let properties = self.graph_properties();
        let mut synapses = Vec::new();
        let mut cache = Cache::new();
        for root in self.roots() {
            self.emit_resource(root, &mut synapses, &mut cache);
        }
        self.add_maintenance_update();
        for i in (0..self.actions.len()).rev() {
            self.emit_action(ActIdx(u32::try_from(i).expect("an action's index")), &mut synapses, &mut cache);
        }
        self.drop_missing_inputs(&mut synapses);
        TransitionGraph { properties, synapses }
    }

    /// Numbers the actions of a graph anew, without gaps: what was considered besides does not show.
    pub(super) fn number_densely(&self, graph: &mut TransitionGraph) {
        let mut numbers = vec![0; self.actions.len() + 1];
        graph.synapses.iter().for_each(|synapse| numbers[synapse.action.id as usize] = 1);
        let mut n = 0;
        for number in &mut numbers {
            n += *number;
            *number = n;
        }
        for synapse in &mut graph.synapses {
            synapse.action.id = numbers[synapse.action.id as usize];
            synapse.inputs.iter_mut().for_each(|input| *input = numbers[*input as usize]);
        }
    }

    /// Rules about operations may say when to look again, for every action that was thought of.
    fn note_rules_of_operations(&self) {
        let has_rules = |sets: &[AttributeSet]| sets.iter().any(|set| set.rule.is_some());
        let is_general = has_rules(&self.status.cib.operation_defaults);
        for action in &self.actions {
            let Some(rsc) = action.rsc else { continue };
            let operations = self.r(rsc).primitive().map_or(&[][..], |own| &own.definition.operations);
            if is_general || operations.iter().any(|operation| has_rules(&operation.meta)) {
                let interval = Duration::from_millis(action.key.interval_ms().into());
                self.status.op_meta(rsc, action.made_as.as_str(), interval);
            }
        }
    }

    fn graph_properties(&self) -> Vec<(Arc<str>, Arc<str>)> {
        let options = &self.status.options;
        let raw = |names: &[&str], default: &str| -> Arc<str> {
            names.iter().find_map(|name| options.raw.get(*name)).cloned().unwrap_or_else(|| default.into())
        };
        let start_offset = if options.start_failure_is_fatal { "INFINITY" } else { "1" };
        let mut properties: Vec<(Arc<str>, Arc<str>)> = vec![
            ("cluster-delay".into(), raw(&["cluster-delay"], "60s")),
            ("fencing-timeout".into(), raw(&["fencing-timeout", "stonith-timeout"], "60s")),
            ("failed-stop-offset".into(), "INFINITY".into()),
            ("failed-start-offset".into(), start_offset.into()),
            ("batch-limit".into(), raw(&["batch-limit"], "0")),
            ("transition_id".into(), "1".into()),
        ];
        let limit = raw(&["migration-limit"], "-1");
        if limit.parse::<i64>().is_ok_and(|limit| limit > 0) {
            properties.push(("migration-limit".into(), limit));
        }
        if let Some(at) = self.status.recheck.earliest() {
            properties.push(("recheck-by".into(), at.0.to_string().into()));
        }
        properties
    }

    fn emit_resource(&mut self, rsc: RscIdx, synapses: &mut Vec<Synapse>, cache: &mut Cache) {
        match &self.r(rsc).kind {
            Kind::Primitive(_) | Kind::Group(_) => {
                self.emit_own(rsc, synapses, cache);
                for &child in &self.r(rsc).children {
                    self.emit_resource(child, synapses, cache);
                }
            }
            Kind::Clone(_) => {
                for action in self.list_actions_of(rsc).into_iter().rev() {
                    self.effective_flags(action, None);
                }
                self.send_notifications(rsc);
                for &child in self.parts(rsc) {
                    self.emit_resource(child, synapses, cache);
                }
                self.emit_own(rsc, synapses, cache);
            }
            Kind::Bundle(bundle) => {
                if let Some(inner) = bundle.inner {
                    self.emit_resource(inner, synapses, cache);
                }
                for replica in &bundle.replicas {
                    let parts = [replica.ip, Some(replica.container), replica.remote];
                    parts.into_iter().flatten().for_each(|part| self.emit_resource(part, synapses, cache));
                }
            }
        }
    }

    fn emit_own(&mut self, rsc: RscIdx, synapses: &mut Vec<Synapse>, cache: &mut Cache) {
        for n in (0..self.n_actions_of(rsc)).rev() {
            self.emit_action(self.nth_action_of(rsc, n), synapses, cache);
        }
    }

    fn emit_action(&mut self, action: ActIdx, synapses: &mut Vec<Synapse>, cache: &mut Cache) {
        if self.is(action, Flags::IN_GRAPH) || !self.is_shown(action) {
            return;
        }
        let flags = self.a(action).flags;
        self.a_mut(action).flags = flags.with(Flags::IN_GRAPH);
        self.merge_inputs(action);
        let inputs = self.inputs(action);
        let priority = self.a(action).rsc.map_or(0, |rsc| self.priority(rsc));
        let priority = priority.max(self.a(action).priority).max(0);
        synapses.push(Synapse { priority, action: self.written(action, cache), inputs });
    }

    /// Instances of a promotable clone have the clone's priority, whatever their own.
    fn priority(&self, rsc: RscIdx) -> i32 {
        let clone =
            self.r(rsc).parent.filter(|parent| self.r(*parent).is_promotable && self.r(*parent).is_clone());
        let of = clone.unwrap_or(rsc);
        let changed = self.placement.priorities.get(&of).copied();
        changed.unwrap_or_else(|| self.r(of).meta.priority.value())
    }

    /// Whether an action is in the graph.
    fn is_shown(&self, action: ActIdx) -> bool {
        let action = self.a(action);
        if !action.flags.has(Flags::RUNNABLE) {
            return false;
        }
        if action.flags.has(Flags::OPTIONAL) && !action.flags.has(Flags::ALWAYS_SHOWN) {
            return false;
        }
        let is_once = action.key.interval_ms() == 0;
        let is_unmanaged = action.rsc.is_some_and(|rsc| !self.rsc[rsc.i()].managed);
        if is_unmanaged && action.task != Task::Monitor && is_once {
            return false;
        }
        if action.flags.has(Flags::PSEUDO) || matches!(action.task, Task::Fence | Task::Shutdown) {
            return true;
        }
        let Some(node) = action.node else { return false };
        let state = self.node[node.i()];
        let is_reachable_guest = self.status.node(node).is_guest() && !state.reset;
        action.flags.has(Flags::ON_DC) || is_reachable_guest || (state.online && !state.unclean)
    }

    /// Several links between the same two actions count as one with all that follows from each.
    fn merge_inputs(&mut self, action: ActIdx) {
        if self.a(action).before.len() < 2 {
            return;
        }
        let before = self.a(action).before.iter();
        let mut by_first: Vec<(ActIdx, u32)> =
            before.map(|&link| (self.links[link as usize].first, link)).collect();
        by_first.sort_unstable();
        for same in by_first.chunk_by(|a, b| a.0 == b.0).filter(|same| same.len() > 1) {
            let relations = same.iter().map(|(_, link)| self.links[*link as usize].relation);
            let merged = relations.fold(Relation::NONE, |all, relation| all | relation);
            for (_, link) in same {
                self.links[*link as usize].relation = merged;
            }
        }
    }

    fn inputs(&self, action: ActIdx) -> Vec<u32> {
        let links = self.a(action).before.iter().filter(|link| self.is_input(action, **link));
        let mut inputs: Vec<u32> = links.map(|&link| self.links[link as usize].first.0 + 1).collect();
        inputs.sort_unstable();
        inputs.dedup();
        inputs
    }

    /// Whether what a link comes from is waited for in the graph.
    pub(super) fn is_input(&self, then: ActIdx, link: u32) -> bool {
        let link = self.links[link as usize];
        let (first, relation) = (link.first, link.relation);
        let (before, after) = (self.a(first), self.a(then));
        let flags = before.flags;
        let is_mere_order = !relation.has_any(Relation(
            !(Relation::ORDERED.0 | Relation::THEN_SHOWS_FIRST.0 | Relation::FIRST_SHOWS_THEN.0),
        ));
        let is_stop = before.key == Key::once(Task::Stop);
        if relation == Relation::NONE {
            return false;
        }
        if !flags.has(Flags::RUNNABLE)
            && (is_mere_order || relation.has_any(Relation::ENOUGH_OF_FIRST | Relation::STEP_OF_MIGRATION))
        {
            return false;
        }
        let migrates = flags.has(Flags::MIGRATABLE);
        if migrates
            && (relation.has(Relation::UNLESS_FIRST_MIGRATES) || (relation == Relation::ORDERED && is_stop))
        {
            return false;
        }
        if relation == Relation::IF_SAME_NODE_OR_TARGET {
            if let Some(rsc) = after.rsc.filter(|_| after.task == Task::MigrateTo) {
                return before.node == self.assigned[rsc.i()];
            }
            return before.node == after.node && !flags.has(Flags::OPTIONAL);
        }
        if relation == Relation::IF_REQUIRED_ON_SAME_NODE {
            let elsewhere = before.node.is_some() && after.node.is_some() && before.node != after.node;
            return !elsewhere && !flags.has(Flags::OPTIONAL);
        }
        if let (Some(first_rsc), true) = (before.rsc.filter(|_| before.rsc != after.rsc), is_stop) {
            let state = &self.rsc[first_rsc.i()];
            if state.failed && !state.managed && after.rsc.is_some_and(|rsc| self.r(rsc).is_clone()) {
                return false;
            }
        }
        !flags.has(Flags::OPTIONAL) || flags.has(Flags::ALWAYS_SHOWN)
    }

    /// Inputs that turned out not to be in the graph cannot be waited for. An agent's operation that cannot be without one
    /// of them (a monitor without the start, say) is left out.
    fn drop_missing_inputs(&mut self, synapses: &mut Vec<Synapse>) {
        let is_there = |draft: &Self, id: u32| draft.is(ActIdx(id - 1), Flags::IN_GRAPH);
        loop {
            let is_in_vain = |synapse: &Synapse| {
                let missing: Vec<u32> =
                    synapse.inputs.iter().copied().filter(|&id| !is_there(self, id)).collect();
                matches!(synapse.action.kind, ActionKind::Resource(_))
                    && missing.into_iter().any(|id| self.cannot_be_without(synapse.action.id, id))
            };
            let in_vain: Vec<u32> = synapses
                .iter()
                .filter(|synapse| is_in_vain(synapse))
                .map(|synapse| synapse.action.id)
                .collect();
            if in_vain.is_empty() {
                break;
            }
            for &id in &in_vain {
                self.unset(ActIdx(id - 1), Flags::IN_GRAPH.with(Flags::RUNNABLE));
            }
            synapses.retain(|synapse| is_there(self, synapse.action.id));
        }
        for synapse in synapses {
            synapse.inputs.retain(|&id| is_there(self, id));
        }
    }

    /// Whether an action makes no sense without another, which cannot be carried out.
    fn cannot_be_without(&self, then: u32, first: u32) -> bool {
        let first = ActIdx(first - 1);
        let links = self.a(ActIdx(then - 1)).before.iter().map(|&link| self.links[link as usize]);
        let mut links = links.filter(|link| link.first == first);
        !self.is(first, Flags::RUNNABLE) && links.any(|link| link.relation.has(Relation::FIRST_ENABLES_THEN))
    }

    /// Tells remote and guest nodes that their maintenance mode has changed.
    fn add_maintenance_update(&mut self) {
        if !self.maintenance_changes().is_empty() {
            let update = self.pseudo("maintenance_nodes");
            self.set(update, Flags::ALWAYS_SHOWN);
        }
    }

    fn maintenance_changes(&self) -> Vec<(NodeUuid, bool)> {
        let nodes = self.status.nodes_by_name.iter().map(|&node| self.status.node(node));
        let changed =
            nodes.filter(|node| node.is_remote_or_guest() && node.maintenance != node.remote_maintenance);
        changed.map(|node| (node.uuid.clone(), node.maintenance)).collect()
    }

    fn written(&self, idx: ActIdx, cache: &mut Cache) -> systole_graph::Action {
        let action = self.a(idx);
        let is_pseudo = action.flags.has(Flags::PSEUDO);
        let kind = match (&action.task, action.rsc) {
            (Task::Fence, _) if is_pseudo => ActionKind::Pseudo,
            (Task::Fence | Task::Shutdown | Task::ClearFailCount | Task::LrmDelete, _) => ActionKind::Cluster,
            (_, Some(rsc)) if !is_pseudo => ActionKind::Resource(self.resource_ref(rsc)),
            _ => ActionKind::Pseudo,
        };
        let kind_is_cluster = kind == ActionKind::Cluster;
        let has_node = !is_pseudo || matches!(action.task, Task::Fence | Task::Shutdown);
        let node =
            action.node.filter(|_| has_node || matches!(action.task, Task::ClearFailCount | Task::LrmDelete));
        let (key, internal_key) = self.written_keys(action);
        let is_maintenance = matches!(&action.task, Task::Other(name) if &**name == "maintenance_nodes");
        systole_graph::Action {
            id: idx.0 + 1,
            kind,
            operation: cache.task_name(&action.task),
            key,
            internal_key,
            node: node.map(|node| self.node_names(node)),
            router: node.and_then(|_| self.router(idx)).map(|router| self.status.node(router).name.clone()),
            attributes: self.attributes(idx, node, cache),
            downed: node.map(|node| self.downed(idx, node)).unwrap_or_default(),
            maintenance: if is_maintenance { self.maintenance_changes() } else { Vec::new() },
            about: match action.rsc {
                Some(rsc) if kind_is_cluster => Some(self.resource_ref(rsc)),
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

    fn written_keys(&self, action: &Action) -> (Arc<str>, Option<Arc<str>>) {
        let Some(rsc) = action.rsc else {
            return (action.name.clone().expect("actions without a resource have a name"), None);
        };
        let resource = self.r(rsc);
        let own = operation_key(&resource.id, &action.key);
        match &resource.history_id {
            Some(known_as) if action.task == Task::Notified => {
                (format!("{known_as}_notified_0").into(), Some(own))
            }
            Some(known_as) if matches!(action.key, Key::Notify(..)) => {
                let (kind, task) = action.notice.as_ref().map_or(("", ""), |n| (n.kind(), n.task.as_str()));
                (format!("{known_as}_{kind}_notify_{task}_0").into(), Some(own))
            }
            Some(known_as) => (operation_key(known_as, &action.key), Some(own)),
            None => (own, None),
        }
    }

    fn resource_ref(&self, rsc: RscIdx) -> ResourceRef {
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
        let mut all = ActionAttributes::sharing(match action.rsc {
            Some(rsc) => self.operation_attributes(rsc, action, cache),
            None => cache.without_resource.clone(),
        });
        for (name, value) in &action.meta {
            all.insert(cache.meta_name(name), value.clone());
        }
        if let Some(notice) = &action.notice {
            for (name, value) in notice.attributes() {
                all.insert(cache.meta_name(name), value.into());
            }
        }
        for (name, value) in action.told.iter().flat_map(|environment| environment.iter()) {
            all.insert(cache.meta_name(name), value.clone());
        }
        if let Some(rc) = action.expected_rc {
            all.insert(cache.target_rc.clone(), cache.number(rc));
        }
        if let Some(node) = node {
            let node = self.status.node(node);
            all.insert(cache.on_node.clone(), (&node.name).into());
            all.insert(cache.on_node_uuid.clone(), (&node.uuid).into());
        }
        if let Some(rsc) = action.rsc {
            self.add_guest_attributes(action, rsc, &mut all);
        }
        all
    }

    /// The operation's own attributes, and its parameters and those of the resource: its meta attributes by their names in
    /// graphs, parameters by theirs. And what every action of the resource, and every action at all, is told.
    fn operation_attributes(&self, rsc: RscIdx, action: &Action, cache: &mut Cache) -> Arc<Attributes> {
        let task = match &action.key {
            Key::Notify(..) => Task::Notify,
            Key::Op(..) => action.made_as.clone(),
        };
        let primitive = self.r(rsc).primitive();
        let has_own = primitive.is_some_and(|primitive| {
            primitive.definition.operations.iter().any(|operation| !operation.parameters.is_empty())
        });
        let depends_on_node = has_own || primitive.is_some_and(|primitive| primitive.node_dependent);
        let node = action.node.filter(|_| depends_on_node);
        let (made_as, interval_ms) = (action.made_as.clone(), action.key.interval_ms());
        let definition = Definition { rsc, task, made_as, interval_ms, node };
        if let Some(known) = cache.operations.get(&definition) {
            return known.clone();
        }
        let interval = Duration::from_millis(interval_ms.into());
        let meta = self.status.op_meta(rsc, definition.task.as_str(), interval);
        let usable = meta.raw.iter().filter(|(name, _)| !name.contains(['#', ':']));
        let mut all: Attributes = usable.map(|(name, value)| (meta_name(name), value.clone())).collect();
        if let Some(node) = node.filter(|_| has_own) {
            let made_as = definition.made_as.as_str();
            all.extend(self.status.operation_parameters(rsc, node, made_as, interval));
        }
        if primitive.is_some() {
            self.add_parameters(rsc, node, &mut all);
        }
        let collective = self.collective_attributes(rsc, cache);
        all.extend(collective.iter().map(|(name, value)| (name.clone(), value.clone())));
        all.extend([cache.feature_set.clone()]);
        let all = Arc::new(all);
        cache.operations.insert(definition, all.clone());
        all
    }

    /// Parameters of the resource.
    fn add_parameters(&self, rsc: RscIdx, node: Option<NodeIdx>, all: &mut Attributes) {
        for (name, value) in self.status.parameters(rsc, node).iter() {
            all.entry(name.clone()).or_insert_with(|| value.clone());
        }
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
    fn collective_attributes(&self, rsc: RscIdx, cache: &mut Cache) -> Arc<Attributes> {
        if let Some(known) = cache.collective.get(&rsc) {
            return known.clone();
        }
        let mut all = Attributes::new();
        let mut add = |name: &str, value: &str| {
            all.insert(name.into(), value.into());
        };
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
        let all = Arc::new(all);
        cache.collective.insert(rsc, all.clone());
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
            Key::Op(..) => action.task.clone(),
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

/// The key of an operation, as histories know it.
fn operation_key(rsc: &ResourceId, key: &Key) -> Arc<str> {
    let Key::Op(task, interval) = key else { return format!("{rsc}_{key}").into() };
    let mut text = String::with_capacity(rsc.as_str().len() + 24);
    text.push_str(rsc.as_str());
    text.push('_');
    text.push_str(task.as_str());
    if *interval == 0 {
        text.push_str("_0");
    } else {
        let _ = write!(text, "_{interval}");
    }
    text.into()
}

/// A meta attribute's name as actions carry it.
fn meta_name(name: &str) -> Arc<str> {
    format!("CRM_meta_{}", name.replace('-', "_")).into()
}
