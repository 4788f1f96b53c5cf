//! What is permitted is carried out, by every member alike, and answered by the one that was asked.

use crate::{
    message::{Wish, Write},
    node::NodeMachine,
    released::Released,
    replica::{Cleanup, Written},
};
use systole_cib::acl::Acl;
use systole_wire::api::{Refusal, RefusalKind};

impl NodeMachine {
    /// Carries out what is permitted; a list that is in force also decides what is found by searching.
    pub(super) fn grant(&mut self, wish: &Wish, acl: Option<&Acl>) -> Result<Written, Refusal> {
        match wish {
            Wish::Write(write) => self.grant_write(write, acl),
            Wish::Cleanup { resource, node, only_failed, operation } => {
                let what = Cleanup::of(resource, node, *only_failed, operation);
                let cleaned = self.replica.clean_up(&what);
                self.reconcile_all_monitors();
                cleaned.map_err(|message| Refusal { kind: RefusalKind::NotFound, message })?;
                Ok(self.written())
            }
            Wish::Attributes(changes) => {
                let unknown = changes.iter().find(|change| self.replica.node_state(&change.node).is_none());
                if let Some(change) = unknown {
                    let message = format!("there is no node {}", change.node);
                    return Err(Refusal { kind: RefusalKind::NotFound, message });
                }
                self.replica.set_attributes(changes);
                Ok(self.written())
            }
            Wish::WriteOut => {
                let names: Vec<String> =
                    self.replica.held_attributes().map(|(name, _)| name.clone()).collect();
                self.replica.write_out_attributes(&names);
                Ok(self.written())
            }
            Wish::ForgetNode { node } => self.grant_forget_node(node),
            Wish::ConfirmOff { node } => {
                let released = self.released(node)?;
                let given_up = self.replica.release(&released);
                self.close_unwanted();
                self.operations_failed(&given_up);
                Ok(self.written())
            }
            Wish::Fail { node, resource, at } => {
                let failed = self.replica.fail(node, resource, *at);
                let failure = failed.map_err(|message| Refusal { kind: RefusalKind::NotFound, message })?;
                self.count_call(node, failure.operation.call);
                self.results_known(&[failure]);
                Ok(self.written())
            }
        }
    }

    fn grant_forget_node(&mut self, node: &str) -> Result<Written, Refusal> {
        if self.group.members().iter().any(|(_, name)| name == node) {
            let message = format!("{node} is a member of the cluster: stop it first");
            return Err(Refusal { kind: RefusalKind::Usage, message });
        }
        self.can_keep().map_err(|message| Refusal { kind: RefusalKind::Disk, message })?;
        let unknown = || Refusal { kind: RefusalKind::NotFound, message: format!("there is no node {node}") };
        let given_up = self.replica.forget_node(node).ok_or_else(unknown)?;
        self.close_unwanted();
        self.operations_failed(&given_up);
        Ok(Written { is_configuration: true, ..self.written() })
    }

    fn grant_write(&mut self, write: &Write, acl: Option<&Acl>) -> Result<Written, Refusal> {
        if let Some(refusal) = self.lacks_quorum_for_changes().filter(|_| !write.force) {
            return Err(refusal);
        }
        self.can_keep().map_err(|message| Refusal { kind: RefusalKind::Disk, message })?;
        let written = self.replica.write(write, acl);
        written.map_err(|error| Refusal { kind: RefusalKind::Change(error.failure), message: error.message })
    }

    /// The proof that a node is out of the way, by an administrator's word.
    pub(super) fn released(&self, node: &str) -> Result<Released, Refusal> {
        let member = self.replica.known_nodes().into_iter().find(|(_, name)| name == node);
        let (id, is_here) = match (member, self.replica.remote_node(node)) {
            (Some((id, _)), _) => (Some(id), self.group.is_member(id)),
            (None, Some(is_connected)) => (None, is_connected),
            (None, None) => {
                let message = format!("there is no node {node}");
                return Err(Refusal { kind: RefusalKind::NotFound, message });
            }
        };
        let how = if id.is_some() { "a member of the cluster" } else { "connected" };
        Released::by_word_of(id, node, is_here).ok_or_else(|| Refusal {
            kind: RefusalKind::Usage,
            message: format!("{node} is {how}: it is not off"),
        })
    }

    fn written(&self) -> Written {
        Written { version: self.replica.version(), output: None, is_configuration: false }
    }
}
