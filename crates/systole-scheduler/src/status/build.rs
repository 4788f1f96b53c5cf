//! The resource tree, from the configuration: instances of clones expanded, meta attributes worked out.

use super::{
    Attributes, CloneData, GroupData, Kind, Meta, PrimitiveData, Resource, RscIdx,
    clone::{may_be_promoted, may_be_unique},
    meta::Context,
    nodes::is_remote_connection,
    text::{amount, is_true},
    unpack::Unpack,
};
use crate::rules::{self, Input, Merge};
use std::{borrow::Cow, sync::Arc};
use systole_cib::{
    model::{self, Agent, AttributeSet, Primitive, Resource as Configured},
    parse_bool,
};
use systole_types::{ResourceId, Role};

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
            operations_have_parameters: definition.operations.iter().any(|op| !op.parameters.is_empty()),
            is_fence_device,
            is_remote_connection: is_remote,
            utilization: utilization.into_iter().map(|(name, value)| (name, amount(&value))).collect(),
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

    pub(super) fn group(
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
        let is_promotable = parent.is_some_and(|parent| self.rsc(parent).is_promotable);
        for member in &group.members {
            if is_promotable && !may_be_promoted(&member.agent) {
                // Left out, although its class is known by then.
                self.have_fencing |= member.agent.class.eq_ignore_ascii_case("stonith");
                continue;
            }
            let mut inherited = vec![group.parameters.as_slice()];
            inherited.extend(parent.into_iter().flat_map(|parent| self.inherited_parameters(parent)));
            self.primitive(Arc::new(Cow::Borrowed(member)), Some(idx), instance, inherited);
        }
        (!group.members.is_empty()).then_some(idx)
    }

    /// Parameter sets that what is in a clone inherits from it.
    pub(super) fn inherited_parameters(&self, parent: RscIdx) -> Vec<&'a [AttributeSet]> {
        match &self.rsc(parent).kind {
            Kind::Clone(CloneData { definition: Some(clone), .. }) => vec![clone.parameters.as_slice()],
            _ => Vec::new(),
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
pub(super) fn numbered(base: &str, number: u32) -> ResourceId {
    ResourceId::new(format!("{base}:{number}"))
}
