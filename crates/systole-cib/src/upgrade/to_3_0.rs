//! From 2.10 to 3.0: names with underscores, defaults that were cluster options, and what is a matter of the resource rather
//! than of its operations.

mod operations;
mod options;
mod resources;
mod sets;

use super::support::{configuration, keys};
use crate::xml::Document;

/// `None` if a set stands for one of another kind.
pub(super) fn change(document: &mut Document) -> Option<()> {
    sets::unfold(document)?;
    options::change(document);
    for key in keys(configuration(document), |e| e.is("node") && e.attr("type") == Some("normal")) {
        document.set_attr(key, "type", "member");
    }
    // These were never looked at.
    for key in keys(configuration(document), |e| e.is("rsc_colocation")) {
        document.remove_attr(key, "score-attribute");
        document.remove_attr(key, "score-attribute-mangle");
    }
    for key in keys(configuration(document), |e| matches!(e.name(), "primitive" | "template")) {
        let moved = operations::change(document, key);
        resources::change(document, key);
        moved.into_iter().for_each(|set| set.append_to(document, key));
    }
    sets::fold(document);
    Some(())
}
