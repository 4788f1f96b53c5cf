//! What it means for the CIB that nodes join, are lost, leave, are vouched for to be off, or are forgotten.

use super::{Counted, Replica, status::is_mark};
use crate::{
    message::{LEVEL_OF_DEPARTURES, LEVEL_OF_LEFTOVERS, MembershipUpdate, NodeUpdate, Standing},
    released::Released,
};
use systole_cib::xml::Element;
use systole_wire::{EXECUTOR_ATTRIBUTE, EXECUTOR_AWAY, EXECUTOR_LEFT};

impl Replica {
    /// The DC says what the membership means. Whether the configuration changed, and the transition keys of what nobody will
    /// answer any more.
    pub fn apply_membership(&mut self, update: &MembershipUpdate) -> (bool, Vec<String>) {
        let mut given_up = Vec::new();
        let root = self.cib.root_key();
        self.cib.set_attr(root, "have-quorum", if update.has_quorum { "1" } else { "0" });
        self.cib.set_attr(root, "dc-uuid", &update.dc.to_string());
        for node in &update.nodes {
            // What a former version has marked may have lost some of its history since.
            let is_complete = !self.is_marked(&node.name) || self.tells_all(&node.name);
            self.status().stand(node);
            match node.standing {
                // Before this is said there is no plan under way which had something done there; there may be on its guests.
                Standing::Off => given_up.extend(self.forget_member(node.id, &node.name)),
                Standing::Lost => {
                    self.ledger.give_up(|perform| perform.node == node.id);
                    self.set_attributes_aside(&node.name);
                }
                // Who has left has no attributes any more, but for the mark.
                Standing::Stranded if self.has_left_running(node.id, &node.name) => {
                    self.forget_attributes(&node.name);
                    self.status().stand(node);
                    if self.level >= LEVEL_OF_LEFTOVERS && is_complete {
                        self.status().mark(&node.name, EXECUTOR_LEFT);
                    }
                }
                Standing::Stranded => {
                    if self.level >= LEVEL_OF_LEFTOVERS {
                        self.status().mark(&node.name, EXECUTOR_AWAY);
                    }
                    self.restore_attributes(&node.name);
                }
                Standing::Member => self.restore_attributes(&node.name),
                Standing::Pending => {}
            }
        }
        let is_new = self.write_bootstrap(update);
        self.count(if is_new { Counted::Configuration } else { Counted::Status });
        (is_new, given_up)
    }

    /// Whether a node was told to leave: if it is no member any more, it has left in good order.
    pub fn has_left(&self, id: u32) -> bool {
        self.ledger.nodes.get(&id).is_some_and(|entry| entry.leaving)
    }

    /// Whether a node that has left in good order goes on running something, as far as is known. That its history was forgotten
    /// after that changes nothing.
    pub fn has_left_running(&self, id: u32, name: &str) -> bool {
        let is_there = || self.node_state(name).is_some_and(|state| state.attr("in_ccm") == Some("true"));
        self.level >= LEVEL_OF_DEPARTURES
            && self.has_left(id)
            && is_there()
            && (self.is_marked(name) || self.runs_something(name))
    }

    /// Whether a node's history stays as it is, since it leaves or has left: whether it does so with something that it runs, this says alone,
    /// and nothing could be probed there afterwards.
    pub fn keeps_history(&self, name: &str) -> bool {
        self.level >= LEVEL_OF_LEFTOVERS && self.id_of(name).is_some_and(|id| self.has_left(id))
    }

    /// Whether nothing runs on a node that its history is silent about: it has left with what it runs, and none of that was forgotten since.
    pub fn tells_all(&self, name: &str) -> bool {
        self.level >= LEVEL_OF_LEFTOVERS && self.mark_of(name) == Some(EXECUTOR_LEFT)
    }

    fn mark_of(&self, name: &str) -> Option<&str> {
        let mut pairs = self.mark(name)?.children();
        pairs.find(|pair| pair.attr("name") == Some(EXECUTOR_ATTRIBUTE))?.attr("value")
    }

    fn is_marked(&self, name: &str) -> bool {
        self.mark(name).is_some()
    }

    fn mark(&self, name: &str) -> Option<Element<'_>> {
        self.node_state(name)?.child("transient_attributes")?.children().find(is_mark)
    }

    /// Forgets that there ever was a node. The transition keys of what nobody will answer any more; `None` if there was no such node.
    pub fn forget_node(&mut self, name: &str) -> Option<Vec<String>> {
        let nodes =
            self.cib.root().child("configuration").and_then(|configuration| configuration.child("nodes"));
        let entries = nodes.into_iter().flat_map(|nodes| nodes.children_named("node"));
        let entries = entries.chain(self.node_state(name));
        let gone: Vec<_> =
            entries.filter(|entry| entry.attr("uname") == Some(name)).map(Element::key).collect();
        let id = self.id_of(name);
        if gone.is_empty() && id.is_none() {
            return None;
        }
        let mut given_up = Vec::new();
        if let Some(id) = id {
            given_up = self.forget_member(id, name);
            self.ledger.give_up(|perform| perform.node == id);
            self.ledger.nodes.remove(&id);
        }
        self.forget_attributes(name);
        for key in gone {
            self.cib.remove(key);
        }
        self.count(Counted::Configuration);
        Some(given_up)
    }

    /// A node is out of the way for good: what ran there can be recovered. Returns the transition keys of what nobody will
    /// answer any more.
    pub fn release(&mut self, released: &Released) -> Vec<String> {
        let given_up = match released.id() {
            Some(id) => {
                let update = NodeUpdate { id, name: released.name().to_owned(), standing: Standing::Off };
                self.ledger.give_up(|perform| perform.node == id);
                self.status().stand(&update);
                self.forget_member(id, released.name())
            }
            None => self.release_remote(released.name()),
        };
        self.count(Counted::Status);
        given_up
    }
}
