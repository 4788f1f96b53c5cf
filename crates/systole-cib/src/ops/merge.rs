//! Modification: attributes and children of an update go into the element of the same name and id.

use crate::xml::{Document, Element, Key};
use systole_types::Score;

/// Merges `update` into `target`, as `cibadmin --modify` does. Of children with the same name and id, the first one is meant.
pub fn merge(document: &mut Document, target: Key, update: Element<'_>) {
    Merge { expand_scores: false }.update(document, target, update);
}

/// The first element from `top` down that `update` is about.
pub(super) fn find_to_update(document: &Document, top: Key, update: Element<'_>) -> Option<Key> {
    let is_meant = |e: &Element<'_>| e.is(update.name()) && e.id() == update.id();
    document.element(top).descendants().find(is_meant).map(Element::key)
}

pub(super) struct Merge {
    /// `value="value++"` and `value="value+=3"` are worked out.
    pub expand_scores: bool,
}

impl Merge {
    /// Merges `update` into `target`. Children that are not there yet are created.
    ///
    /// Recursion is bounded by the depth of `update`, which the parser bounds.
    pub fn update(&self, document: &mut Document, target: Key, update: Element<'_>) {
        for (name, value) in update.attrs() {
            let expanded =
                if self.expand_scores { expand(document.element(target), name, value) } else { None };
            document.set_attr(target, name, expanded.as_deref().unwrap_or(value));
        }
        for child in update.children() {
            let existing = document
                .element(target)
                .children()
                .find(|e| e.is(child.name()) && (child.id().is_none() || e.id() == child.id()));
            match existing.map(Element::key) {
                Some(key) => self.update(document, key, child),
                None => {
                    document.import(target, None, child);
                }
            }
        }
    }
}

/// What `NAME++` and `NAME+=N` stand for. What is there counts as 0 where it is no number; scores stay in their range.
fn expand(target: Element<'_>, name: &str, value: &str) -> Option<String> {
    let rest = value.strip_prefix(name)?;
    let added = match rest {
        "++" => Score::finite(1),
        _ => rest.strip_prefix("+=")?.parse().ok()?,
    };
    let old: Score = target.attr(name).and_then(|old| old.parse().ok()).unwrap_or(Score::ZERO);
    Some((old + added).to_string())
}
