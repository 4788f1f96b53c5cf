//! The resource tree, from the configuration: instances of clones expanded, meta attributes worked out.

use super::{
    Attributes, CloneData, GroupData, Kind, Meta, NodeKind, PrimitiveData, Removed, Resource, RscIdx,
    meta::Context,
    nodes::{is_remote_connection, plain_meta},
    text::{at_least, is_true, leading_integer, parse_bool, span},
    unpack::Unpack,
};
use crate::{
    note::{Level, Note, NoteKind},
    rules::{self, Input, Merge},
};
use std::{borrow::Cow, sync::Arc, time::Duration};
use systole_cib::model::{
    self, Agent, AttributeSet, CloneChild, NvPair, Operation, Primitive, Resource as Configured,
};
use systole_types::{ElementId, ResourceId, Role, Score};

/// More instances than this, or than there are nodes, no clone gets, whatever its configuration says.
const MAX_INSTANCES: u32 = 1_000;

/// Beyond this number of resources, each further clone or bundle gets one instance only: a small CIB can ask for more
/// instances than any memory holds.
const MAX_RESOURCES: usize = 100_000;

/// A primitive's definition: borrowed from the CIB, or made for it.
pub(super) type Definition<'a> = Arc<Cow<'a, Primitive>>;

impl<'a> Unpack<'a> {
    /// All configured resources, the implicit connections to guest nodes after them, by priority.
    pub(super) fn resources(&mut self) {
        let cib = self.cib;
        self.make_room();
        for rsc in &cib.resources {
            let built = match rsc {
                Configured::Primitive(primitive) => {
                    Some(self.primitive(Arc::new(Cow::Borrowed(primitive)), None, None, Vec::new()))
                }
                Configured::Group(group) => self.group(group, None, None),
                Configured::Clone(clone) => self.clone(clone),
                Configured::Bundle(bundle) => self.bundle(bundle),
            };
            self.roots.extend(built);
        }
        for rsc in &cib.resources {
            match rsc {
                Configured::Primitive(primitive) if !is_remote_connection(primitive) => {
                    self.guest_connection(primitive)
                }
                Configured::Group(group) => {
                    group.members.iter().for_each(|member| self.guest_connection(member))
                }
                _ => {}
            }
        }
        self.link_containers();
        self.link_remote_nodes();
        let mut roots = std::mem::take(&mut self.roots);
        roots.sort_by_key(|&rsc| std::cmp::Reverse(self.rsc(rsc).meta.priority));
        self.roots = roots;
    }

    /// Makes room for as many resources as a node knows of: growing step by step would copy all of them again and again.
    fn make_room(&mut self) {
        let histories = self.cib.node_states.iter().filter_map(|state| state.history.as_ref());
        let n_known = histories.map(Vec::len).max().unwrap_or(0);
        // Instances beside the one that is on the node, collectives.
        let n_resources = n_known.saturating_mul(2).min(MAX_RESOURCES);
        self.resources.reserve(n_resources);
        self.by_name.reserve(n_resources);
    }

    /// Enters a resource.
    pub(super) fn add(&mut self, rsc: Resource<'a>) -> RscIdx {
        let idx = RscIdx::new(self.resources.len());
        self.by_name.insert(&rsc.id, idx.0);
        if rsc.instance == Some(0) {
            self.first_instances.insert(rsc.base_id(), idx.0);
        }
        if let Some(parent) = rsc.parent {
            self.resources[parent.i()].children.push(idx);
        }
        self.resources.push(rsc);
        idx
    }

    /// How many more instances of so many resources each there may be; always one.
    pub(super) fn room_for(&self, n_resources: usize) -> u32 {
        let left = MAX_RESOURCES.saturating_sub(self.resources.len());
        u32::try_from(left / n_resources).unwrap_or(u32::MAX).max(1)
    }

    /// Takes back the resources from `first` on: their configuration turned out to be unusable.
    pub(super) fn forget_from(&mut self, first: RscIdx) {
        self.resources.truncate(first.i());
        self.by_name.forget_from(first.0);
        self.first_instances.forget_from(first.0);
    }

    pub(super) fn primitive(
        &mut self,
        definition: Definition<'a>,
        parent: Option<RscIdx>,
        instance: Option<u32>,
        inherited: Vec<&'a [AttributeSet]>,
    ) -> RscIdx {
        let raw = self.merge_meta(&definition.meta, Some(&definition.agent), parent);
        let is_fence_device = definition.agent.class.eq_ignore_ascii_case("stonith");
        let is_remote = is_remote_connection(&definition);
        self.have_fencing |= is_fence_device;
        let meta = Meta::read(raw, self.context(is_fence_device, is_remote));
        let node_dependent = rules::depends_on_node(&definition.parameters)
            || inherited.iter().any(|sets| rules::depends_on_node(sets));
        let has_rules = has_rules(&definition) || inherited.iter().any(|sets| rules::are_in(sets));
        let mut utilization = Attributes::new();
        let input = Input::at(self.local_time());
        rules::merge(
            &definition.utilization,
            None,
            &input,
            Merge::KeepFirst,
            &mut utilization,
            &self.recheck,
        );
        let id = own_id(&definition.id, instance);
        let kind = Kind::Primitive(PrimitiveData {
            inherited,
            node_dependent,
            has_rules,
            is_fence_device,
            is_remote_connection: is_remote,
            utilization: utilization
                .into_iter()
                .map(|(name, value)| (name, leading_integer(&value)))
                .collect(),
            definition,
            parameters: Arc::default(),
        });
        let mut rsc = Resource::new(id, kind, meta, self.options.maintenance);
        rsc.parent = parent;
        rsc.instance = instance;
        self.set_clone_flags(&mut rsc);
        rsc.next_role = self.target_role(&rsc).unwrap_or_default();
        let idx = self.add(rsc);
        self.set_reconnect_interval(idx);
        idx
    }

    /// A connection to a remote node that tries again every so often: its failures expire at that interval.
    fn set_reconnect_interval(&mut self, idx: RscIdx) {
        let rsc = self.rsc(idx);
        let is_remote_node = rsc.primitive().is_some_and(|primitive| primitive.is_remote_connection)
            && rsc.meta.container.is_none();
        if !is_remote_node {
            return;
        }
        let interval = self.parameters(idx, None).get("reconnect_interval").map(|value| span(value));
        if let Some(interval) = interval {
            let rsc = &mut self.resources[idx.i()];
            let interval: Option<Duration> = (!interval.is_zero()).then_some(interval);
            rsc.reconnect_interval = interval;
            rsc.meta.failure_timeout = interval;
        }
    }

    fn group(
        &mut self,
        group: &'a model::Group,
        parent: Option<RscIdx>,
        instance: Option<u32>,
    ) -> Option<RscIdx> {
        let raw = self.merge_meta(&group.meta, None, parent);
        let unless_false = |name: &str| raw.get(name).and_then(|value| parse_bool(value)) != Some(false);
        let (ordered, colocated) = (unless_false("ordered"), unless_false("collocated"));
        let meta = Meta::read(raw, self.context(false, false));
        let kind = Kind::Group(GroupData { definition: group, ordered, colocated });
        let mut rsc = Resource::new(own_id(&group.id, instance), kind, meta, self.options.maintenance);
        rsc.parent = parent;
        rsc.instance = instance;
        self.set_clone_flags(&mut rsc);
        rsc.next_role = self.target_role(&rsc).unwrap_or_default();
        let idx = self.add(rsc);
        for member in &group.members {
            let mut inherited = vec![group.parameters.as_slice()];
            inherited.extend(parent.into_iter().flat_map(|parent| self.inherited_parameters(parent)));
            self.primitive(Arc::new(Cow::Borrowed(member)), Some(idx), instance, inherited);
        }
        (!group.members.is_empty()).then_some(idx)
    }

    /// Parameter sets that what is in a clone inherits from it.
    fn inherited_parameters(&self, parent: RscIdx) -> Vec<&'a [AttributeSet]> {
        match &self.rsc(parent).kind {
            Kind::Clone(CloneData { definition: Some(clone), .. }) => vec![clone.parameters.as_slice()],
            _ => Vec::new(),
        }
    }

    fn clone(&mut self, clone: &'a model::CloneResource) -> Option<RscIdx> {
        let mut raw = self.merge_meta(&clone.meta, None, None);
        if clone.is_legacy_master {
            raw.insert("promotable".into(), "true".into());
        }
        let agents: Vec<&Agent> = match &clone.child {
            CloneChild::Primitive(primitive) => vec![&primitive.agent],
            CloneChild::Group(group) => group.members.iter().map(|member| &member.agent).collect(),
        };
        let promotable = is_true(raw.get("promotable").map(|value| &**value));
        let asked = at_least(raw.get("clone-max").map(|value| &**value), 0).unwrap_or(0);
        let cannot_be_promoted = agents.iter().find(|agent| !may_be_promoted(agent));
        if let Some(agent) = cannot_be_promoted.filter(|_| promotable) {
            // The clone is refused, but what is in it is known by then.
            self.have_fencing |= agent.class.eq_ignore_ascii_case("stonith");
            return None;
        }
        if agents.is_empty() {
            return None;
        }
        let can_be_unique = agents.iter().all(|agent| may_be_unique(agent));
        let wanted_unique = read_clone(&raw, 0).unique;
        let first = RscIdx::new(self.resources.len());
        let idx = self.clone_node(clone.id.clone(), raw, Some(clone), None, can_be_unique);
        let room = self.room_for(1 + agents.len());
        if let Kind::Clone(data) = &mut self.resources[idx.i()].kind {
            data.max = data.max.min(room);
        }
        let n_instances = self.rsc(idx).clone_data().map_or(0, |data| data.max).max(1);
        self.say_if_cut_short(&clone.id, asked, n_instances);
        for _ in 0..n_instances {
            if self.add_instance(idx).is_none() {
                self.forget_from(first);
                return None;
            }
        }
        let meant_to_be_unique = wanted_unique && !can_be_unique;
        if let Some(&last) = self.rsc(idx).children.last().filter(|_| meant_to_be_unique) {
            self.leave_unique(last);
        }
        Some(idx)
    }

    /// Whoever asks for more instances than can be planned is told so.
    pub(super) fn say_if_cut_short(&mut self, rsc: &ResourceId, asked: u32, given: u32) {
        if asked > given {
            let text =
                format!("{rsc} asks for {asked} instances, more than can be planned, and gets {given}");
            self.notes.push(Note::new(Level::ConfigError, NoteKind::Text(text.into())).resource(rsc));
        }
    }

    /// A clone that is anonymous only because some member's class knows no unique instances: in Pacemaker the other members
    /// of the last instance keep thinking that they are unique, which shows in the names of their actions (the corpus's
    /// `force-anon-clone-max` has it).
    fn leave_unique(&mut self, instance: RscIdx) {
        for member in self.rsc(instance).children.clone() {
            let knows_unique = |primitive: &PrimitiveData<'_>| may_be_unique(&primitive.definition.agent);
            self.resources[member.i()].is_unique = self.rsc(member).primitive().is_some_and(knows_unique);
        }
    }

    /// Enters a clone, without instances.
    pub(super) fn clone_node(
        &mut self,
        id: ResourceId,
        mut raw: Attributes,
        definition: Option<&'a model::CloneResource>,
        parent: Option<RscIdx>,
        can_be_unique: bool,
    ) -> RscIdx {
        let mut data = read_clone(&raw, self.nodes.len());
        if data.unique && !can_be_unique {
            data.unique = false;
            data.is_made_anonymous = true;
            data.node_max = 1;
            data.max = data.max.min(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        }
        data.definition = definition;
        let unique = data.unique;
        let is_sticky = raw.contains_key("resource-stickiness");
        raw.entry("resource-stickiness".into()).or_insert_with(|| "1".into());
        raw.insert("globally-unique".into(), if unique { "true" } else { "false" }.into());
        let promotable = is_true(raw.get("promotable").map(|value| &**value));
        let mut meta = Meta::read(raw, self.context(false, false));
        if !is_sticky {
            // The default is for instances; the clone as a whole has none.
            meta.stickiness = Score::ZERO;
        }
        let mut rsc = Resource::new(id, Kind::Clone(data), meta, self.options.maintenance);
        rsc.parent = parent;
        rsc.is_unique = unique;
        rsc.is_promotable = promotable;
        rsc.next_role = self.target_role(&rsc).unwrap_or_default();
        self.add(rsc)
    }

    /// Adds the next instance of a clone; beyond `clone-max` it counts as removed.
    pub(super) fn add_instance(&mut self, clone: RscIdx) -> Option<RscIdx> {
        let number = u32::try_from(self.rsc(clone).children.len()).ok()?;
        let data = self.rsc(clone).clone_data()?;
        let is_removed = number >= data.max;
        let (max, definition) = (data.max, data.definition);
        let instance = match self.rsc(clone).children.first() {
            Some(&first) => self.copy_instance(first, number, clone),
            None => {
                let instance = match &definition?.child {
                    CloneChild::Primitive(primitive) => {
                        let inherited = self.inherited_parameters(clone);
                        self.primitive(
                            Arc::new(Cow::Borrowed(primitive)),
                            Some(clone),
                            Some(number),
                            inherited,
                        )
                    }
                    CloneChild::Group(group) => self.group(group, Some(clone), Some(number))?,
                };
                self.insert_raw_meta(instance, "clone-max", &max.to_string());
                instance
            }
        };
        if is_removed {
            self.mark_removed(instance);
        }
        Some(instance)
    }

    fn copy_instance(&mut self, first: RscIdx, number: u32, parent: RscIdx) -> RscIdx {
        let template = self.rsc(first);
        let id = numbered(template.base_id(), number);
        let mut copy = template.like(id, number, parent, self.options.maintenance);
        copy.next_role = self.target_role(&copy).unwrap_or_default();
        let members = template.children.clone();
        let idx = self.add(copy);
        for member in members {
            self.copy_instance(member, number, idx);
        }
        idx
    }

    fn mark_removed(&mut self, rsc: RscIdx) {
        self.resources[rsc.i()].removed = Some(Removed::Instance);
        for child in self.rsc(rsc).children.clone() {
            self.mark_removed(child);
        }
    }

    /// Adds a meta attribute that others do not inherit.
    pub(super) fn insert_raw_meta(&mut self, rsc: RscIdx, name: &str, value: &str) {
        Arc::make_mut(&mut self.resources[rsc.i()].meta.raw).insert(name.into(), value.into());
    }

    /// Own sets, then the sets of parents (the nearest first), then defaults, then what the parent has besides. What a parent
    /// takes back (`#default`) is taken back from its own sets only, what defaults take back from all.
    pub(super) fn merge_meta(
        &self,
        own: &[AttributeSet],
        agent: Option<&Agent>,
        parent: Option<RscIdx>,
    ) -> Attributes {
        let input = Input { agent, ..Input::at(self.local_time()) };
        let mut raw = Attributes::new();
        let merge = |sets: &[AttributeSet], into: &mut Attributes| {
            rules::merge(sets, None, &input, Merge::KeepFirst, into, &self.recheck);
        };
        merge(own, &mut raw);
        let mut ancestor = parent;
        while let Some(idx) = ancestor {
            let mut inherited = Attributes::new();
            merge(self.own_meta(idx), &mut inherited);
            inherited.into_iter().for_each(|(name, value)| _ = raw.entry(name).or_insert(value));
            ancestor = self.rsc(idx).parent;
        }
        merge(&self.cib.resource_defaults, &mut raw);
        raw.retain(|_, value| !value.eq_ignore_ascii_case("#default"));
        if let Some(parent) = parent {
            for (name, value) in &*self.rsc(parent).meta.raw {
                raw.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        raw
    }

    fn own_meta(&self, rsc: RscIdx) -> &[AttributeSet] {
        match &self.rsc(rsc).kind {
            Kind::Primitive(data) => &data.definition.meta,
            Kind::Group(data) => &data.definition.meta,
            Kind::Clone(data) => data.definition.map_or(&[], |clone| &clone.meta),
            Kind::Bundle(data) => &data.definition.meta,
        }
    }

    pub(super) fn context(&self, is_fence_device: bool, is_remote_connection: bool) -> Context<'_> {
        Context {
            options: &self.options,
            unfencing_in_use: self.unfencing_in_use,
            is_fence_device,
            is_remote_connection,
        }
    }

    /// Whether it is part of a clone, of what kind.
    fn set_clone_flags(&self, rsc: &mut Resource<'a>) {
        let mut top = rsc.parent;
        while let Some(parent) = top.and_then(|top| self.rsc(top).parent) {
            if self.rsc(parent).is_bundle() {
                break;
            }
            top = Some(parent);
        }
        if let Some(clone) = top.and_then(|top| self.rsc(top).clone_data()) {
            // What is in the clone may say otherwise than the clone; it inherits what it does not say.
            let says = |name: &str| is_true(rsc.meta.raw.get(name).map(|value| &**value));
            let can_be_unique =
                rsc.primitive().is_none_or(|primitive| may_be_unique(&primitive.definition.agent));
            rsc.is_unique = says("globally-unique") && can_be_unique && !clone.is_made_anonymous;
            rsc.is_promotable = says("promotable");
        }
    }

    /// The role that `target-role` asks for, where it asks for something special.
    pub(super) fn target_role(&self, rsc: &Resource<'_>) -> Option<Role> {
        match rsc.meta.target_role? {
            Role::Unknown | Role::Started => None,
            Role::Stopped => Some(Role::Stopped),
            Role::Unpromoted if self.is_in_promotable(rsc) => Some(Role::Unpromoted),
            Role::Unpromoted | Role::Promoted => None,
        }
    }

    fn is_in_promotable(&self, rsc: &Resource<'_>) -> bool {
        let mut is_promotable = rsc.is_promotable;
        let mut parent = rsc.parent.map(|parent| self.rsc(parent)).filter(|parent| !parent.is_bundle());
        while let Some(up) = parent {
            is_promotable = up.is_promotable;
            parent = up.parent.map(|parent| self.rsc(parent)).filter(|parent| !parent.is_bundle());
        }
        is_promotable
    }

    /// The implicit connection to the guest node of a primitive with `remote-node`.
    fn guest_connection(&mut self, primitive: &Primitive) {
        let name = plain_meta(primitive, "remote-node").filter(|name| !name.is_empty());
        let Some(name) = name else { return };
        let connection = Connection {
            name: &name,
            container: Some(primitive.id.as_str()),
            allow_migrate: plain_meta(primitive, "remote-allow-migrate"),
            is_managed: plain_meta(primitive, "is-managed"),
            start_timeout: plain_meta(primitive, "remote-connect-timeout").or_else(|| Some("60s".into())),
            address: plain_meta(primitive, "remote-addr"),
            port: plain_meta(primitive, "remote-port"),
        };
        let idx = self.primitive(Arc::new(Cow::Owned(connection.definition())), None, None, Vec::new());
        self.roots.push(idx);
    }

    /// Ties connections (and whatever names a `container`) to what they live in.
    fn link_containers(&mut self) {
        for i in 0..self.resources.len() {
            let rsc = &self.resources[i];
            let Some(container) = rsc.meta.container.clone().filter(|_| rsc.is_primitive()) else { continue };
            if let Some(container) = self.find_resource(&container).filter(|container| container.i() != i) {
                self.resources[i].container = Some(container);
                self.resources[container.i()].contained.push(RscIdx::new(i));
            }
        }
    }

    fn link_remote_nodes(&mut self) {
        for rsc in self.roots.clone() {
            self.link_remote_node(rsc);
        }
    }

    /// Ties a top-level connection to its node.
    pub(super) fn link_remote_node(&mut self, rsc: RscIdx) {
        if !self.rsc(rsc).primitive().is_some_and(|primitive| primitive.is_remote_connection) {
            return;
        }
        let Some(node) = self.node_named(self.rsc(rsc).id.as_str()) else { return };
        self.resources[rsc.i()].remote_node = Some(node);
        self.nodes[node.i()].is_configured = true;
        match self.rsc(rsc).container {
            Some(container) => {
                let kind = NodeKind::Guest { connection: rsc, container, is_bundle: false };
                self.nodes[node.i()].kind = kind;
                self.nodes[node.i()].attributes.insert("#kind".into(), "container".into());
            }
            None => {
                self.nodes[node.i()].kind = NodeKind::Remote { connection: Some(rsc) };
                self.startup_fencing(node);
            }
        }
    }
}

/// Whether agents of that class can tell the instances of a clone apart.
pub(super) fn may_be_unique(agent: &Agent) -> bool {
    agent.class.eq_ignore_ascii_case("ocf") || agent.class.eq_ignore_ascii_case("stonith")
}

/// Whether agents of that class can promote.
pub(super) fn may_be_promoted(agent: &Agent) -> bool {
    agent.class.eq_ignore_ascii_case("ocf")
}

/// Whether some of a primitive's parameters, or properties of its operations, are under a rule.
fn has_rules(primitive: &Primitive) -> bool {
    let operations = &primitive.operations;
    rules::are_in(&primitive.parameters)
        || operations.iter().any(|op| rules::are_in(&op.parameters) || rules::are_in(&op.meta))
}

/// The name of what is configured under `id`: of an instance, with its number.
fn own_id(id: &ResourceId, instance: Option<u32>) -> ResourceId {
    instance.map_or_else(|| id.clone(), |number| numbered(id.as_str(), number))
}

/// A name with instance number.
fn numbered(base: &str, number: u32) -> ResourceId {
    ResourceId::new(format!("{base}:{number}"))
}

/// Numbers and flags of a clone by its meta attributes. Source: Pacemaker Explained, "Clone Options".
fn read_clone<'a>(raw: &Attributes, n_nodes: usize) -> CloneData<'a> {
    let text = |name: &str| raw.get(name).map(|value| &**value);
    let number = |name: &str| at_least(text(name), 0);
    let promotable = is_true(text("promotable"));
    let promoted = |name, old_name| match number(name).or_else(|| number(old_name)) {
        _ if !promotable => 0,
        given => given.unwrap_or(1),
    };
    let node_max = number("clone-node-max").unwrap_or(1);
    let unique = match text("globally-unique") {
        Some(value) => is_true(Some(value)),
        None => node_max > 1,
    };
    CloneData {
        definition: None,
        max: number("clone-max")
            .unwrap_or_else(|| u32::try_from(n_nodes.max(1)).unwrap_or(u32::MAX))
            .min(u32::try_from(n_nodes).unwrap_or(u32::MAX).max(MAX_INSTANCES)),
        node_max: if unique { node_max } else { node_max.min(1) },
        promoted_max: promoted("promoted-max", "master-max"),
        promoted_node_max: promoted("promoted-node-max", "master-node-max"),
        min: number("clone-min").unwrap_or(0),
        interleave: is_true(text("interleave")),
        ordered: is_true(text("ordered")),
        unique,
        is_made_anonymous: false,
    }
}

/// What an implicit connection to a guest node is made of.
pub(super) struct Connection<'c> {
    /// Name of the node, and of the connection.
    pub name: &'c str,
    /// What the node lives in.
    pub container: Option<&'c str>,
    /// `remote-allow-migrate`.
    pub allow_migrate: Option<Arc<str>>,
    /// `is-managed`.
    pub is_managed: Option<Arc<str>>,
    /// `remote-connect-timeout`.
    pub start_timeout: Option<Arc<str>>,
    /// Address to connect to.
    pub address: Option<Arc<str>>,
    /// Port to connect to.
    pub port: Option<Arc<str>>,
}

impl Connection<'_> {
    /// The primitive that it would be if somebody wrote it down.
    pub(super) fn definition(self) -> Primitive {
        let name = self.name;
        let meta = [
            ("internal_rsc", Some("true".into())),
            ("container", self.container.map(Arc::from)),
            ("allow-migrate", self.allow_migrate),
            ("is-managed", self.is_managed),
        ];
        let parameters = [("addr", self.address), ("port", self.port)];
        let mut operations = vec![implicit_op(name, "monitor", "30s", Some("30s"))];
        operations.extend(self.start_timeout.map(|timeout| implicit_op(name, "start", "0", Some(&timeout))));
        implicit_primitive(
            name,
            ("pacemaker", "remote"),
            vec![implicit_set(format!("{name}-meta_attributes"), meta)],
            vec![implicit_set(format!("{name}-instance_attributes"), parameters)],
            operations,
        )
    }
}

/// A primitive that nobody wrote down.
pub(super) fn implicit_primitive(
    id: &str,
    (provider, kind): (&str, &str),
    meta: Vec<AttributeSet>,
    parameters: Vec<AttributeSet>,
    operations: Vec<Operation>,
) -> Primitive {
    Primitive {
        id: ResourceId::new(id),
        description: None,
        template: None,
        agent: Agent { class: "ocf".into(), provider: Some(provider.into()), kind: kind.into() },
        meta,
        parameters,
        utilization: Vec::new(),
        operations,
    }
}

/// A set of pairs, those without value left out.
pub(super) fn implicit_set<const N: usize>(id: String, pairs: [(&str, Option<Arc<str>>); N]) -> AttributeSet {
    let pair = |(name, value): (&str, Option<Arc<str>>)| {
        let value = value?;
        Some(NvPair {
            id: Some(ElementId::new(format!("{id}-{name}"))),
            name: name.into(),
            value: Some(value),
        })
    };
    AttributeSet {
        id: ElementId::new(&id),
        score: Score::ZERO,
        rule: None,
        pairs: pairs.into_iter().filter_map(pair).collect(),
    }
}

/// An operation with an interval and perhaps a timeout.
pub(super) fn implicit_op(rsc: &str, name: &str, interval: &str, timeout: Option<&str>) -> Operation {
    let mut properties: Vec<(Arc<str>, Arc<str>)> = vec![("interval".into(), interval.into())];
    properties.extend(timeout.map(|timeout| ("timeout".into(), timeout.into())));
    Operation {
        id: ElementId::new(format!("{rsc}-{name}-{interval}")),
        name: name.into(),
        interval: span(interval),
        properties,
        meta: Vec::new(),
        parameters: Vec::new(),
    }
}
