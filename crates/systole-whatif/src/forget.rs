//! What a cluster forgets or notes where `crm_simulate` does not, when an action is carried out.

use crate::record::{Membership, Recorder};
use systole_cib::{
    history::{clear_failures, erase_attributes, erase_resource, is_of_instances, set_attribute},
    xml::{Element, Key},
};
use systole_graph::{Action, ActionKind, ResourceRef};
use systole_types::{NodeUuid, ResourceId};

impl Recorder<'_> {
    /// Forgets what an action is to make the cluster forget, and notes what it tells about its node.
    pub fn forget_by(&mut self, action: &Action) {
        let Some((node, _)) = &action.node else { return };
        match (&action.kind, &*action.operation) {
            (ActionKind::Pseudo, "stonith") => {
                // A guest is off once its container is.
                let state = self.node_state(node.as_str(), None);
                self.set_node_state(state, Membership::Down);
                self.forget_node(state);
            }
            (ActionKind::Cluster, "stonith") if action.meta("stonith_action") == Some("on") => {
                self.note_unfencing(action, node.as_str());
            }
            (ActionKind::Cluster, "do_shutdown") => {
                let state = self.node_state(node.as_str(), None);
                self.set_node_state(state, Membership::Down);
                erase_attributes(self.document, &self.id_of(state));
            }
            (_, operation) => {
                let resource = match &action.kind {
                    ActionKind::Resource(resource) => Some(resource),
                    _ => action.about.as_ref(),
                };
                if let Some(resource) = resource {
                    self.forget_about(action, operation, resource, node.as_str());
                }
            }
        }
    }

    fn forget_about(&mut self, action: &Action, operation: &str, resource: &ResourceRef, node: &str) {
        let state = self.node_state(node, None);
        let uuid = self.id_of(state);
        for name in names(resource) {
            let id = ResourceId::new(name);
            match operation {
                "delete" | "lrm_delete" => {
                    if self.is_of_instances(state, name) {
                        continue;
                    }
                    erase_resource(self.document, &uuid, &id);
                    self.histories.retain(|(node, known), _| *node != state || known != name);
                }
                "clear_failcount" => {
                    clear_failures(self.document, &uuid, name, None);
                    let is_failure =
                        |entry: &Element<'_>| entry.id().is_some_and(|id| id.ends_with("_last_failure_0"));
                    self.forget_operations(state, name, &is_failure);
                }
                "cancel" => {
                    let is_monitor = |entry: &Element<'_>| {
                        entry.attr("operation") == Some("monitor")
                            && entry.attr("interval") == action.meta("interval")
                    };
                    self.forget_operations(state, name, &is_monitor);
                }
                _ => self.forget_answered(state, name, operation),
            }
        }
    }

    /// See [`is_of_instances`].
    fn is_of_instances(&self, state: Key, name: &str) -> bool {
        let mut entries = self.document.element(state).descendants();
        let entry = entries.find(|entry| entry.is("lrm_resource") && entry.id() == Some(name));
        entry.is_some_and(|entry| is_of_instances(self.document, entry))
    }

    /// A result replaces what older releases kept apart: that the operation was under way. What a record says of the
    /// parameters that matter for restarts was true of the last start.
    fn forget_answered(&mut self, state: Key, resource: &str, operation: &str) {
        let is_pending = |entry: &Element<'_>| {
            let is_under_way = entry.attr("op-status") == Some("-1")
                || entry.attr("transition-magic").is_some_and(|magic| magic.starts_with("-1:"));
            entry.attr("operation") == Some(operation) && is_under_way
        };
        self.forget_operations(state, resource, &is_pending);
        if operation == "start" {
            let last = format!("{resource}_last_0");
            let entry = self.document.element(state).descendants().find(|entry| entry.id() == Some(&last));
            if let Some(entry) = entry.map(Element::key) {
                for stale in ["op-force-restart", "op-restart-digest", "op-secure-params", "op-secure-digest"]
                {
                    self.document.remove_attr(entry, stale);
                }
            }
        }
    }

    /// The fencer notes on the node when it was unfenced, and with which parameters.
    fn note_unfencing(&mut self, action: &Action, node: &str) {
        let state = self.node_state(node, None);
        let uuid = self.id_of(state);
        let moment = self.now.0.to_string();
        let notes = [
            ("#node-unfenced", Some(moment.as_str())),
            ("#digests-all", action.meta("digests-all").or_else(|| action.meta("digests_all"))),
            ("#digests-secure", action.meta("digests-secure").or_else(|| action.meta("digests_secure"))),
        ];
        for (name, value) in notes {
            set_attribute(self.document, &uuid, name, value);
        }
    }

    fn id_of(&self, state: Key) -> NodeUuid {
        NodeUuid::new(self.document.element(state).id().unwrap_or_default())
    }

    /// Forgets some operations of a resource.
    fn forget_operations(&mut self, state: Key, resource: &str, is_meant: &dyn Fn(&Element<'_>) -> bool) {
        let is_resource = |history: &Element<'_>| history.id() == Some(resource);
        let histories = self.document.element(state).descendants().filter(|e| e.is("lrm_resource"));
        let entries: Vec<Key> = histories
            .filter(is_resource)
            .flat_map(Element::children)
            .filter(|entry| is_meant(entry))
            .map(Element::key)
            .collect();
        entries.into_iter().for_each(|entry| self.document.remove(entry));
    }
}

/// The names that a history may know an instance by.
fn names(resource: &ResourceRef) -> impl Iterator<Item = &str> {
    [Some(&resource.id), resource.long_id.as_ref()].into_iter().flatten().map(ResourceId::as_str)
}
