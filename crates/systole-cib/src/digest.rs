//! Digests by which Pacemaker tells whether something changed.

use crate::xml::{Document, Style};

/// The MD5 of a text, in hexadecimal.
pub fn md5(text: &str) -> String {
    format!("{:x}", md5::compute(text))
}

/// The digest of a CIB that goes with patchsets: of all it says, but not of who wrote it when.
pub fn of_document(document: &Document) -> String {
    let mut plain = document.clone();
    let root = plain.root_key();
    for name in ["crm-debug-origin", "cib-last-written", "update-origin", "update-client", "update-user"] {
        plain.remove_attr(root, name);
    }
    md5(&plain.root().write(Style::Compact))
}
