//! Which instance a history is of. Histories name the instances of anonymous clones without number (or, in former days,
//! with a number that means nothing), so any instance will do, as long as each is on one node only.

use crate::status::{Kind, NodeIdx, RscIdx, text::base_name, unpack::Unpack};
use systole_types::ResourceId;

impl Unpack<'_> {
    /// The instance that the history of `id` on `node` is of; `None` if the resource is not in the configuration any more.
    /// `found` is the resource of that very name.
    pub(super) fn find_instance(
        &mut self,
        node: NodeIdx,
        id: &ResourceId,
        found: Option<RscIdx>,
    ) -> Option<RscIdx> {
        if found.is_some_and(|rsc| !self.rsc(rsc).is_primitive()) {
            return None;
        }
        let by_base_name = || {
            let instance = RscIdx(self.first_instances.get(base_name(id.as_str()))?);
            (!self.rsc(instance).is_unique && self.rsc(instance).is_primitive()).then_some(instance)
        };
        // One that was removed comes after what the configuration has: a bundle's content that is known by this name already.
        let in_bundle = || by_base_name().filter(|&instance| self.is_bundle_content_known_as(instance, id));
        let found = match found.filter(|&rsc| self.rsc(rsc).removed.is_some()) {
            Some(removed) => Some(in_bundle().unwrap_or(removed)),
            None => found,
        };
        let mut rsc = found.or_else(by_base_name)?;
        let top = self.top_of(rsc);
        if self.rsc(top).is_clone() && !self.rsc(top).is_unique {
            rsc = match self.rsc(top).parent {
                Some(bundle) => self.replica_child(bundle, node)?,
                None => self.anonymous_instance(top, node, base_name(id.as_str()))?,
            };
        }
        if found != Some(rsc) {
            let instance = &mut self.resources[rsc.i()];
            if instance.id != *id && instance.history_id.as_ref() != Some(id) {
                instance.history_id = Some(id.clone());
            }
        }
        Some(rsc)
    }

    /// Whether whatever histories say by the name of `rsc` is of it, and no instance has to be looked for.
    pub(super) fn is_no_other_meant(&self, rsc: RscIdx) -> bool {
        let top = self.rsc(self.top_of(rsc));
        let is_anonymous = top.is_clone() && !top.is_unique;
        self.rsc(rsc).is_primitive() && self.rsc(rsc).removed.is_none() && !is_anonymous
    }

    /// Whether `instance` is of what a bundle contains, and any of these is known by `id` to a history.
    fn is_bundle_content_known_as(&self, instance: RscIdx, id: &ResourceId) -> bool {
        let bundle = self.rsc(self.top_of(instance)).parent.and_then(|bundle| self.rsc(bundle).bundle());
        let mut contents =
            bundle.into_iter().flat_map(|bundle| &bundle.replicas).filter_map(|replica| replica.child);
        contents.any(|child| self.rsc(child).history_id.as_ref() == Some(id))
    }

    /// What is inside the replica whose guest node is `node`.
    fn replica_child(&self, bundle: RscIdx, node: NodeIdx) -> Option<RscIdx> {
        let replicas = &self.rsc(bundle).bundle()?.replicas;
        replicas.iter().find(|replica| replica.node == Some(node)).and_then(|replica| replica.child)
    }

    /// An instance that is on that node already (in part, of a group), else a free one, else a new one that counts as
    /// removed.
    fn anonymous_instance(&mut self, clone: RscIdx, node: NodeIdx, base: &str) -> Option<RscIdx> {
        let mut has_second_history = false;
        let mut found = None;
        for &instance in self.located.get(&(clone, node)).map_or(&[][..], Vec::as_slice) {
            match self.member(instance, base) {
                Some(member) if self.rsc(member).is_active() => has_second_history = true,
                Some(member) if found.is_none() => found = Some(member),
                _ => {}
            }
        }
        if found.is_none() && !has_second_history {
            found = self.free_instance(clone, base);
        }
        if found.is_some_and(|rsc| self.is_spared(rsc, clone, node)) {
            found = None;
        }
        found.or_else(|| {
            let instance = self.add_instance(clone)?;
            self.member(instance, base)
        })
    }

    /// Whether the number is better kept for somewhere else: the node is away, fencing it is not waited for, and there are
    /// fewer instances than nodes.
    fn is_spared(&self, rsc: RscIdx, clone: RscIdx, node: NodeIdx) -> bool {
        let there = self.node(node);
        let is_away = !there.online || there.unclean;
        let is_everywhere =
            self.rsc(clone).clone_data().is_some_and(|data| data.max as usize == self.nodes.len());
        !self.rsc(rsc).meta.requires.needs_fencing() && is_away && !there.is_guest() && !is_everywhere
    }

    /// The lowest instance that is nowhere and may be used.
    fn free_instance(&mut self, clone: RscIdx, base: &str) -> Option<RscIdx> {
        let instances = &self.rsc(clone).children;
        let is_located = |instance: &RscIdx| self.located_instances.contains(instance);
        let mut first = self.first_free.get(&clone).copied().unwrap_or(0);
        while instances.get(first).is_some_and(is_located) {
            first += 1;
        }
        let mut free = instances[first..]
            .iter()
            .filter(|instance| !is_located(instance) && !self.rsc(**instance).blocked);
        let found = free.find_map(|&instance| self.member(instance, base));
        self.first_free.insert(clone, first);
        found
    }

    /// The instance itself, or the member of an instance of a group, by its name without number.
    fn member(&self, instance: RscIdx, base: &str) -> Option<RscIdx> {
        let rsc = self.rsc(instance);
        match &rsc.kind {
            Kind::Group(_) => rsc.children.iter().copied().find(|&member| self.rsc(member).base_id() == base),
            _ => (rsc.base_id() == base).then_some(instance),
        }
    }

    /// Remembers on which node an instance of an anonymous clone is, or is about to be.
    pub(in crate::status) fn note_location(&mut self, rsc: RscIdx, node: NodeIdx) {
        let mut instance = rsc;
        while let Some(parent) = self.rsc(instance).parent {
            if self.rsc(parent).is_clone() {
                self.located_instances.insert(instance);
                let located = self.located.entry((parent, node)).or_default();
                if !located.contains(&instance) {
                    located.push(instance);
                    located.sort_unstable();
                }
                return;
            }
            instance = parent;
        }
    }
}
