//! Reasons as data: what the scheduler noticed, and what follows from it.

use std::{fmt, sync::Arc};
use systole_types::{ElementId, NodeId, ResourceId};

/// One reason. `explain`, logs and the simulator all render these.
#[derive(Clone, Debug, PartialEq)]
pub struct Note {
    /// The resource it is about, if any.
    pub resource: Option<ResourceId>,
    /// The node it is about, if any.
    pub node: Option<NodeId>,
    /// The element of the configuration it comes from, if any.
    pub element: Option<ElementId>,
    /// How much it matters.
    pub level: Level,
    /// What it says.
    pub kind: NoteKind,
}

/// How much a note matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Of interest when asked for.
    Info,
    /// Worth a person's attention (`Warning` of the incumbent's logs).
    Warning,
    /// A mistake in the configuration.
    ConfigError,
}

/// What a note says. Grows with the scheduler: add a variant with data rather than a text where someone may want to ask for it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum NoteKind {
    /// The node will be fenced.
    NeedsFencing {
        /// Why.
        reason: Arc<str>,
    },
    /// An operation failed.
    OperationFailed {
        /// `RSC_monitor_10000`.
        key: Arc<str>,
        /// What follows.
        consequence: Arc<str>,
    },
    /// The resource may not run on the node.
    Banned {
        /// Why.
        reason: Arc<str>,
    },
    /// A score counted for the resource on the node.
    Scored {
        /// How much.
        score: systole_types::Score,
        /// Where it comes from.
        reason: Arc<str>,
    },
    /// The resource is found active on several nodes.
    MultipleActive {
        /// On these.
        nodes: Vec<NodeId>,
    },
    /// Anything else, as a sentence.
    Text(Arc<str>),
}

impl Note {
    /// A note about nothing in particular yet.
    pub fn new(level: Level, kind: NoteKind) -> Self {
        Self { resource: None, node: None, element: None, level, kind }
    }

    /// About this resource.
    #[must_use]
    pub fn resource(mut self, id: &ResourceId) -> Self {
        self.resource = Some(id.clone());
        self
    }

    /// About this node.
    #[must_use]
    pub fn node(mut self, name: &NodeId) -> Self {
        self.node = Some(name.clone());
        self
    }

    /// From this element of the configuration.
    #[must_use]
    pub fn element(mut self, id: &ElementId) -> Self {
        self.element = Some(id.clone());
        self
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(resource) = &self.resource {
            write!(f, "{resource}")?;
        }
        if let Some(node) = &self.node {
            write!(f, "{}{node}", if self.resource.is_some() { " on " } else { "" })?;
        }
        if self.resource.is_some() || self.node.is_some() {
            f.write_str(": ")?;
        }
        match &self.kind {
            NoteKind::NeedsFencing { reason } => write!(f, "will be fenced: {reason}")?,
            NoteKind::OperationFailed { key, consequence } => write!(f, "{key} failed: {consequence}")?,
            NoteKind::Banned { reason } => write!(f, "may not run there: {reason}")?,
            NoteKind::Scored { score, reason } => write!(f, "{score}: {reason}")?,
            NoteKind::MultipleActive { nodes } => {
                f.write_str("active on several nodes:")?;
                for node in nodes {
                    write!(f, " {node}")?;
                }
            }
            NoteKind::Text(text) => f.write_str(text)?,
        }
        match &self.element {
            Some(element) => write!(f, " (from {element})"),
            None => Ok(()),
        }
    }
}
