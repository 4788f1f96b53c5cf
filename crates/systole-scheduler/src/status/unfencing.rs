//! What devices that unfence are remembered by: node attributes with the digests of their parameters. Source: Pacemaker
//! Explained, "Unfencing".

use super::{Requires, Status};
use crate::{
    NodeIdx, Note, RscIdx,
    note::{Level, NoteKind},
    placement::by_priority,
};
use std::{collections::BTreeSet, time::Duration};

/// A device that unfences, as a node remembers it: id, agent and digest of the parameters.
pub(crate) struct Device {
    /// By all parameters.
    pub all: String,
    /// By those that are no secrets.
    pub open: String,
    /// It is no longer what the node remembers.
    pub has_changed: bool,
    /// What has changed, in words.
    pub note: Option<Note>,
}

impl Status<'_> {
    /// What has changed about devices since they unfenced the nodes that have to be fenced by what the history says.
    pub fn changes_of_unfencing(&self) -> Vec<Note> {
        if !self.unfencing_in_use {
            return Vec::new();
        }
        let mut seen = BTreeSet::new();
        let requests = self.fencing.iter().filter(|request| !self.node(request.node).is_guest());
        let nodes = requests.map(|request| request.node).filter(|node| seen.insert(*node));
        let devices = nodes.flat_map(|node| self.unfencing_devices(node, by_priority(self)));
        devices.filter_map(|device| device.note).collect()
    }

    /// The devices that unfence among the resources `roots` and what is inside, the last one first, as `node` remembers them.
    pub(crate) fn unfencing_devices(&self, node: NodeIdx, roots: Vec<RscIdx>) -> Vec<Device> {
        let mut devices = Vec::new();
        roots.into_iter().for_each(|root| self.collect_unfencing(root, &mut devices));
        devices.into_iter().rev().filter_map(|device| self.remembered_device(device, node)).collect()
    }

    fn collect_unfencing(&self, rsc: RscIdx, devices: &mut Vec<RscIdx>) {
        let resource = self.rsc(rsc);
        if resource.primitive().is_some_and(|primitive| primitive.is_fence_device) {
            let provides = resource.meta.raw.get("provides");
            let is_meant = provides.is_some_and(|what| what.eq_ignore_ascii_case("unfencing"));
            if is_meant || resource.meta.requires == Requires::Unfencing {
                devices.push(rsc);
            }
        }
        resource.children.iter().for_each(|&child| self.collect_unfencing(child, devices));
    }

    fn remembered_device(&self, idx: RscIdx, node: NodeIdx) -> Option<Device> {
        let rsc = self.rsc(idx);
        let name = format!("{}:{}:", rsc.id, rsc.primitive()?.definition.agent.kind);
        // Looked at although nothing of it is in the digests: rules about dates among it count for `recheck-by`.
        let _ = self.op_meta(idx, "stonith-on", Duration::ZERO);
        let all = name.clone() + &self.operation_digest(idx, node, "stonith-on", Duration::ZERO);
        let open = name + &self.secure_digest(idx, node, "stonith-on");
        let remembers =
            |attribute: &str, digest: &str| Some(self.node(node).attribute(attribute)?.contains(digest));
        let is_same = remembers("#digests-all", &all) != Some(false);
        let is_same_but_for_secrets = remembers("#digests-secure", &open) == Some(true);
        let summary = (!is_same_but_for_secrets).then(|| open.as_str().into());
        let note = (!is_same).then(|| {
            let note = Note::new(Level::Info, NoteKind::DeviceChanged { summary, is_late: false });
            note.resource(&rsc.id).node(&self.node(node).name)
        });
        Some(Device { all, open, has_changed: !is_same && !is_same_but_for_secrets, note })
    }
}
