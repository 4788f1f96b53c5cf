//! Changes of a CIB: what `cibadmin` and every other writer asks for, applied to the lossless value.
//!
//! Pure: the same call on the same document gives the same document on every node.

mod accept;
mod apply;
mod meaning;
mod merge;
mod query;
mod sections;

pub use apply::{Applied, Changed, OpError, Rules, Stamp, apply, apply_as, apply_by};
pub use merge::merge;

use serde::{Deserialize, Serialize};

/// A change (or query) of the CIB.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CibCall {
    /// What to do.
    pub action: CibAction,
    /// Where: the whole document unless narrowed.
    #[serde(default)]
    pub scope: Scope,
    /// The XML that goes with the action.
    #[serde(default)]
    pub xml: Option<String>,
    /// For [`CibAction::Modify`]: create what is missing. For [`CibAction::Query`]: leave children out.
    #[serde(default)]
    pub options: CibOptions,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CibAction {
    /// Return what is at the scope.
    Query,
    /// Add a new element; it must not exist yet.
    Create,
    /// Merge attributes and children into existing elements, matched by name and id.
    Modify,
    /// Put an element in the place of the one with its name and id.
    Replace,
    /// Remove the first element that matches (by id, or by all given attributes).
    Delete,
    /// Remove every match.
    DeleteAll,
    /// Empty the configuration and the status.
    Erase,
    /// Apply a patchset (`<diff format="2">`).
    Patch,
    /// Count `epoch` up.
    Bump,
    /// Bring the document to the newest schema.
    Upgrade,
}

/// Where an action applies.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// The whole document.
    #[default]
    All,
    /// A section: `configuration`, `nodes`, `resources`, `constraints`, `crm_config`, `status`, `tags`, `alerts`...
    Section(String),
    /// What an XPath finds.
    XPath(String),
}

impl Scope {
    /// Whether a CIB may have a section of that name.
    pub fn is_section(name: &str) -> bool {
        sections::is_known(name)
    }

    /// Whether every CIB has a section of that name.
    pub fn is_required_section(name: &str) -> bool {
        sections::is_required(name)
    }
}

/// Modifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct CibOptions {
    /// Modify may create what is missing.
    #[serde(default)]
    pub allow_create: bool,
    /// A query returns elements without their children.
    #[serde(default)]
    pub no_children: bool,
    /// `value="count++"` and `value="count+=3"` are worked out (`--score`).
    #[serde(default)]
    pub expand_scores: bool,
}

/// Why a call was refused. The exit codes are those of Pacemaker's tools.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// Nothing there (exit code 105).
    NotFound,
    /// It exists already (108).
    Exists,
    /// The XML or the XPath cannot be read (65).
    BadInput,
    /// The result would not be valid (78).
    Invalid,
    /// The new CIB's version is lower than the current one's (103).
    OldVersion,
    /// A patchset does not fit this CIB (the diff's own version is ahead or behind, or digests differ) (103).
    PatchMismatch,
    /// The user may not do that (4).
    Denied,
}

impl Failure {
    /// The exit code Pacemaker's tools have for this.
    pub const fn exit_code(self) -> i32 {
        match self {
            Self::Denied => 4,
            Self::NotFound => 105,
            Self::Exists => 108,
            Self::BadInput => 65,
            Self::Invalid => 78,
            Self::OldVersion | Self::PatchMismatch => 103,
        }
    }
}
