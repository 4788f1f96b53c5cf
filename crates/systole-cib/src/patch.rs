//! Patchsets: `<diff format="2">`, what changed from one CIB to another.
//!
//! The format is Pacemaker's. Elements are found by name and id on the way down; where that is not enough to tell
//! siblings apart (or there is text), the element around them is replaced as a whole. Applied to the old document, a
//! patchset gives the new one exactly: order, comments and all.

mod apply;
mod diff;

use crate::{
    read,
    xml::{Document, Element},
};
use systole_types::CibVersion;

pub use apply::apply;
pub use diff::{Versions, diff};

/// Why a patchset was not applied.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// It is none, or not of format 2.
    #[error("this is not a patchset that can be applied: {0}")]
    NotAPatch(String),
    /// It was made for another version.
    #[error(
        "the patchset is for version {source_version} of the CIB, which has version {current}: fetch the CIB again"
    )]
    OtherVersion {
        /// What it was made for.
        source_version: CibVersion,
        /// What it met.
        current: CibVersion,
    },
    /// Something it changes is not there.
    #[error("the patchset does not fit the CIB: there is nothing at {0}")]
    NoSuchElement(String),
    /// The result is not what the patchset says it must be.
    #[error("the patchset gives a CIB with digest {found} where {wanted} was expected: fetch the CIB again")]
    OtherDigest {
        /// What the patchset says.
        wanted: String,
        /// What came out.
        found: String,
    },
}

/// Writes a version into a CIB; what says so already stays as it is written.
pub(crate) fn set_version(document: &mut Document, version: CibVersion) {
    let root = document.root_key();
    for (name, number) in
        [("admin_epoch", version.admin_epoch), ("epoch", version.epoch), ("num_updates", version.num_updates)]
    {
        let is_said = match document.root().attr(name) {
            Some(text) => text.parse() == Ok(number),
            None => number == 0,
        };
        if !is_said {
            document.set_attr(root, name, &number.to_string());
        }
    }
}

/// The versions a patchset leads from and to, if it says.
pub fn versions(patch: Element<'_>) -> Option<(CibVersion, CibVersion)> {
    let version = patch.child("version")?;
    Some((read::version(version.child("source")?), read::version(version.child("target")?)))
}
