//! What begins to run at this node's executor by nobody's order: a container that was started by hand.

use super::NodeMachine;
use crate::{
    Level,
    message::{LEVEL_OF_APPEARANCES, Message},
};
use std::collections::BTreeSet;

/// How many signs of what nobody started are kept until they can be judged; each is of another resource.
const MAX_APPEARED: usize = 1024;

impl NodeMachine {
    /// Something runs at this node's executor, it seems, that nobody asked it to start.
    pub(super) fn has_appeared(&mut self, resource: String) {
        if self.local.appeared.len() < MAX_APPEARED {
            self.local.appeared.insert(resource);
        }
    }

    /// Tells the members of what has appeared where it is taken for stopped. While the members are not agreed, or something is under
    /// way with it that has not been told, it is not known yet what it is taken for.
    pub(in crate::node) fn judge_appearances(&mut self) {
        if self.local.appeared.is_empty() || !self.group.is_settled() || !self.local.is_attached {
            return;
        }
        let own_id = self.group.own_id();
        let appeared = std::mem::take(&mut self.local.appeared);
        let has_news = |resource: &String| {
            let mut results = self.local.results.iter();
            results.any(|result| result.operation.resource == *resource)
        };
        let is_open = |resource: &String| has_news(resource) || self.replica.has_under_way(own_id, resource);
        let (open, judged): (BTreeSet<_>, BTreeSet<_>) = appeared.into_iter().partition(is_open);
        self.local.appeared = open;
        for resource in judged {
            if self.replica.level >= LEVEL_OF_APPEARANCES && self.replica.takes_for_stopped(own_id, &resource)
            {
                self.cast(Message::Appeared { resource });
            }
        }
    }

    /// Something seems to run on a member that is taken for stopped there. What is true, a probe has to tell.
    pub(in crate::node) fn appeared(&mut self, from: u32, resource: &str) {
        let name = self.replica.name_of(from).unwrap_or_default().to_owned();
        if self.replica.takes_for_stopped(from, resource) && self.replica.forget(&name, resource) {
            let text = format!("{resource} seems to have been started on {name}, not by the cluster");
            self.log(Level::Warning, format!("{text}: it will be probed"));
            self.plan_anew(&text);
        }
    }
}
