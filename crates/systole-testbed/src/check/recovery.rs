//! With fencing, nothing is recovered before it is known that its former host is out of the way.
//!
//! That the resource happens not to run there any more is not enough: nobody can know that of a host without power.

use std::collections::{BTreeMap, BTreeSet};

/// Resources that ran where the power went, until somebody knows that nothing runs there.
#[derive(Debug, Default)]
pub struct Recovery {
    /// Nodes by resource.
    held: BTreeMap<String, BTreeSet<String>>,
}

impl Recovery {
    /// A cluster node or a remote machine has lost its power, with these resources on it.
    pub fn lost<'r>(&mut self, node: &str, resources: impl Iterator<Item = &'r String>) {
        for resource in resources {
            self.held.entry(resource.clone()).or_default().insert(node.to_owned());
        }
    }

    /// Somebody vouches for a node, or it was booted and has joined the others.
    pub fn released(&mut self, node: &str) {
        self.held.values_mut().for_each(|nodes| _ = nodes.remove(node));
        self.held.retain(|_, nodes| !nodes.is_empty());
    }

    /// Whether there is anything to watch.
    pub fn is_watching(&self) -> bool {
        !self.held.is_empty()
    }

    /// The node that a resource may still run on, for all that can be known, as it is started on another.
    pub fn is_too_early(&self, resource: &str, on: &str) -> Option<&str> {
        self.held.get(resource)?.iter().map(String::as_str).find(|node| *node != on)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_waits_for_word_of_the_node_that_was_lost_with_it() {
        let mut recovery = Recovery::default();
        recovery.lost("a", ["r".to_owned()].iter());
        recovery.lost("b", ["s".to_owned()].iter());
        assert_eq!(recovery.is_too_early("r", "b"), Some("a"));
        assert_eq!(recovery.is_too_early("r", "a"), None, "it was booted, or the start was decided before");
        assert_eq!(recovery.is_too_early("t", "b"), None);
        recovery.released("a");
        assert_eq!(recovery.is_too_early("r", "b"), None);
        assert!(recovery.is_watching());
    }
}
