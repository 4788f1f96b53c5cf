//! Clones: their numbers, and their instances.

use super::{
    Attributes, CloneData, Kind, Meta, PrimitiveData, Removed, Resource, RscIdx,
    build::numbered,
    text::{at_least, is_true},
    unpack::Unpack,
};
use crate::note::{Level, Note, NoteKind};
use std::{borrow::Cow, sync::Arc};
use systole_cib::model::{self, Agent, CloneChild};
use systole_types::{ResourceId, Score};

/// More instances than this, or than there are nodes, no clone gets, whatever its configuration says.
const MAX_INSTANCES: u32 = 1_000;

impl<'a> Unpack<'a> {
    pub(super) fn clone(&mut self, clone: &'a model::CloneResource) -> Option<RscIdx> {
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
        if promotable && !agents.iter().any(|agent| may_be_promoted(agent)) {
            // The clone is refused, but what is in it is known by then.
            self.have_fencing |= agents.iter().any(|agent| agent.class.eq_ignore_ascii_case("stonith"));
            return None;
        }
        if agents.is_empty() {
            return None;
        }
        let can_be_unique = agents.iter().all(|agent| may_be_unique(agent));
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
    /// `force-anon-clone-max` has it). Those of the `former` last one do not any more.
    fn leave_unique(&mut self, former: Option<RscIdx>, instance: RscIdx) {
        for member in former.map(|former| self.rsc(former).children.clone()).unwrap_or_default() {
            self.resources[member.i()].is_unique = false;
        }
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
        let former = data.is_made_anonymous.then(|| self.rsc(clone).children.last().copied());
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
        if let Some(former) = former {
            self.leave_unique(former, instance);
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
}

/// Whether agents of that class can tell the instances of a clone apart.
pub(super) fn may_be_unique(agent: &Agent) -> bool {
    agent.class.eq_ignore_ascii_case("ocf") || agent.class.eq_ignore_ascii_case("stonith")
}

/// Whether agents of that class can promote.
pub(super) fn may_be_promoted(agent: &Agent) -> bool {
    agent.class.eq_ignore_ascii_case("ocf")
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
        min: number("clone-min"),
        interleave: is_true(text("interleave")),
        ordered: is_true(text("ordered")),
        unique,
        is_made_anonymous: false,
    }
}
