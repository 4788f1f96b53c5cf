//! What was edited in a document lately, so that a view of it can be kept up without reading all again.

use super::Key;
use std::sync::Arc;

/// Edits remembered at most; beyond it a view has to begin anew.
const MAX_CHANGES: usize = 1024;

/// An edit: at which node, and of what there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub at: Key,
    pub what: Changed,
}

/// What an edit is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Changed {
    /// An attribute of the node.
    Attribute,
    /// Which nodes are directly inside of it, or their names.
    Contents,
}

/// A moment in the life of one document.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    /// Kept, so that no other document can get the same one.
    identity: Arc<()>,
    n_changes: usize,
}

/// The edits of one document. A copy is another document: it begins with none.
#[derive(Debug, Default)]
pub(super) struct Changes {
    identity: Arc<()>,
    list: Vec<Change>,
    /// How many there were ever, those before the copy included.
    pub n_edits: u64,
}

impl Clone for Changes {
    fn clone(&self) -> Self {
        Self { identity: Arc::default(), list: Vec::new(), n_edits: self.n_edits }
    }
}

impl Changes {
    pub fn note(&mut self, at: Key, what: Changed) {
        self.n_edits += 1;
        if self.list.len() == MAX_CHANGES {
            self.identity = Arc::default();
            self.list.clear();
        }
        self.list.push(Change { at, what });
    }

    pub fn mark(&self) -> Mark {
        Mark { identity: Arc::clone(&self.identity), n_changes: self.list.len() }
    }

    /// Edits since `mark`; `None` if that is of another document, or too long ago.
    pub fn since(&self, mark: &Mark) -> Option<&[Change]> {
        Arc::ptr_eq(&self.identity, &mark.identity).then(|| &self.list[mark.n_changes..])
    }
}
