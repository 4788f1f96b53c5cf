//! What access control lists let the user see and change who asks.
//!
//! Whatever a request would change in the CIB is held against the lists, by every member alike when it is applied. Changes of
//! attributes, cleanups and what administrators vouch for are tried on a copy. What is in no CIB is not theirs to guard: private
//! attributes' values, values that are not written yet, what a node says of itself.

use crate::{
    message::{Asker, AttributeChange, Wish},
    node::NodeMachine,
    replica::Cleanup,
};
use systole_cib::{acl::Acl, ops::Failure};
use systole_wire::api::{Refusal, RefusalKind};

/// The answer to whoever may not see or change what was asked for.
pub(super) fn denied() -> Refusal {
    Refusal { kind: RefusalKind::Change(Failure::Denied), message: "Permission denied".to_owned() }
}

impl NodeMachine {
    /// The permissions of who asks; `None` if nothing is forbidden.
    pub(super) fn acl_of(&self, asker: &Asker) -> Option<Acl> {
        Acl::in_force(self.replica.cib(), &asker.user, &asker.groups)
    }

    /// The CIB, as far as who asks may see it.
    pub(super) fn readable(&self, asker: Option<&Asker>) -> Result<String, Refusal> {
        let cib = self.replica.cib();
        match asker.and_then(|asker| self.acl_of(asker)) {
            None => Ok(cib.to_text()),
            Some(acl) => acl.readable(cib).map(|readable| readable.to_text()).ok_or_else(denied),
        }
    }

    /// Why a request is not to be said to members of which older ones would not refuse it, or not for the same reasons.
    pub(super) fn refuses_before(&self, asker: Option<&Asker>, wish: &Wish) -> Option<Refusal> {
        if !self.permits(asker, wish) {
            return Some(denied());
        }
        let Wish::Write(write) = wish else { return None };
        let error = self.replica.try_write(&write.change).err()?;
        Some(Refusal { kind: RefusalKind::Change(error.failure), message: error.message })
    }

    /// Whether who asks may change what is wished to be changed.
    pub(super) fn permits(&self, asker: Option<&Asker>, wish: &Wish) -> bool {
        let Some(acl) = asker.and_then(|asker| self.acl_of(asker)) else { return true };
        match wish {
            Wish::Write(write) => self.replica.allows_write(&acl, &write.change),
            Wish::Cleanup { resource, node, only_failed, operation } => {
                let what = Cleanup::of(resource, node, *only_failed, operation);
                // That there is nothing to clean up is told when it is carried out.
                self.replica.allows(&acl, |copy| _ = copy.clean_up(&what))
            }
            Wish::Attributes(changes) => self.permits_attributes(&acl, changes),
            // Whoever set what is held back was allowed to.
            Wish::WriteOut => true,
            Wish::ForgetNode { node } => self.replica.allows(&acl, |copy| _ = copy.forget_node(node)),
            Wish::ConfirmOff { node } => match self.released(node) {
                Ok(released) => self.replica.allows(&acl, |copy| _ = copy.release(&released)),
                Err(_) => true,
            },
            Wish::Fail { node, resource, at } => {
                self.replica.allows(&acl, |copy| _ = copy.fail(node, resource, *at))
            }
        }
    }

    /// As if nothing were held back. What is said of an attribute itself is permitted to whoever may change its values.
    fn permits_attributes(&self, acl: &Acl, changes: &[AttributeChange]) -> bool {
        for change in changes {
            let like = self.replica.changes_like_defining(change);
            let mut before = self.replica.clone();
            before.make_prompt(&change.name);
            if !like.is_empty() && !before.allows(acl, |after| _ = after.set_attributes(&like)) {
                return false;
            }
        }
        let names: Vec<String> = changes.iter().map(|change| change.name.clone()).collect();
        let mut before = self.replica.clone();
        before.write_out_attributes(&names);
        before.allows(acl, |after| {
            after.set_attributes(changes);
            after.write_out_attributes(&names);
        })
    }
}
