//! Applying a patchset.

use super::{PatchError, diff::VERSION, set_version, versions};
use crate::{
    digest, read,
    xml::{Content, Document, Element, Key},
    xpath::at_path,
};
use std::collections::{BTreeMap, BTreeSet};
use systole_types::CibVersion;

/// Applies a patchset. Returns the version the CIB has afterwards, if the patchset says one.
///
/// # Errors
/// If it is no patchset of format 2, was made for another version, or does not fit. The document may be changed in part
/// then: apply patchsets to a copy.
pub fn apply(document: &mut Document, patch: Element<'_>) -> Result<Option<CibVersion>, PatchError> {
    if !patch.is("diff") {
        return Err(PatchError::NotAPatch(format!(
            "the root element must be <diff>, not <{}>",
            patch.name()
        )));
    }
    if patch.attr("format") != Some("2") {
        return Err(PatchError::NotAPatch("only format 2 is supported".to_owned()));
    }
    let target = match versions(patch) {
        Some((source_version, target)) => {
            let current = read::version(document.root());
            if current != source_version {
                return Err(PatchError::OtherVersion { source_version, current });
            }
            Some(target)
        }
        None => None,
    };
    let before = VERSION.map(|name| document.root().attr(name).map(str::to_owned));
    changes(document, patch)?;
    for (name, before) in VERSION.into_iter().zip(before) {
        let is_number = |value: &str| value.parse::<u64>().is_ok();
        let value = document.root().attr(name).filter(|value| before.as_deref() != Some(value));
        if let Some(value) = value.filter(|value| !is_number(value)) {
            return Err(PatchError::NotAPatch(format!("it would make {name} {value:?}, which is no number")));
        }
    }
    if let Some(target) = target {
        set_version(document, target);
    }
    if let Some(wanted) = patch.attr("digest") {
        let found = digest::of_document(document);
        if found != wanted {
            return Err(PatchError::OtherDigest { wanted: wanted.to_owned(), found });
        }
    }
    Ok(target)
}

/// What goes into its place at the end.
enum Placed<'p> {
    New(Element<'p>),
    NewComment(&'p str),
    Moved(Key),
}

/// Deletions and modifications first. Then everything that moves or is new goes to its place, in the order of places,
/// by which each is final as soon as it is reached.
fn changes(document: &mut Document, patch: Element<'_>) -> Result<(), PatchError> {
    let mut placed: BTreeMap<Key, Vec<(usize, Placed<'_>)>> = BTreeMap::new();
    let mut new_root = None;
    for change in patch.children_named("change") {
        let path = change.attr("path").unwrap_or_default();
        match change.attr("operation") {
            Some("delete") if at_path(document, path) == Some(document.root_key()) => {}
            Some("delete") => delete(document, change, path)?,
            Some("modify") => modify(document, change, path)?,
            Some("create") if path.is_empty() => new_root = change.children().next(),
            Some("create" | "move") => {}
            other => return Err(PatchError::NotAPatch(format!("operation {other:?} is not known"))),
        }
    }
    if let Some(new) = new_root {
        let root = document.root_key();
        document.replace(root, new);
    }
    for change in patch.children_named("change") {
        let path = change.attr("path").unwrap_or_default();
        let position = position(change).unwrap_or(usize::MAX);
        match change.attr("operation") {
            Some("create") if !path.is_empty() => {
                let parent = find(document, path)?;
                let content = change.document().contents(change.key()).next();
                let new = match content {
                    Some((key, Content::Element(_))) => Placed::New(change.document().element(key)),
                    Some((_, Content::Comment(text))) => Placed::NewComment(text),
                    _ => return Err(PatchError::NotAPatch(format!("nothing is given to create in {path}"))),
                };
                placed.entry(parent).or_default().push((position, new));
            }
            Some("move") => {
                let key = find(document, path)?;
                let parent = document.element(key).parent().map(Element::key);
                let parent =
                    parent.ok_or_else(|| PatchError::NotAPatch("the root cannot move".to_owned()))?;
                placed.entry(parent).or_default().push((position, Placed::Moved(key)));
            }
            _ => {}
        }
    }
    let mut moved = BTreeSet::new();
    for (_, place) in placed.values().flatten() {
        if let Placed::Moved(key) = place {
            if !moved.insert(*key) {
                return Err(PatchError::NotAPatch("an element moves twice".to_owned()));
            }
            document.detach(*key);
        }
    }
    for (parent, places) in placed {
        fill(document, parent, places);
    }
    Ok(())
}

fn position(change: Element<'_>) -> Option<usize> {
    change.attr("position")?.parse().ok()
}

fn find(document: &Document, path: &str) -> Result<Key, PatchError> {
    at_path(document, path).ok_or_else(|| PatchError::NoSuchElement(path.to_owned()))
}

/// Deleting what is gone already is fine.
fn delete(document: &mut Document, change: Element<'_>, path: &str) -> Result<(), PatchError> {
    if let Some(parent) = path.strip_suffix("/comment") {
        let parent = find(document, parent)?;
        let place = position(change).unwrap_or(0);
        let node = document
            .contents(parent)
            .nth(place)
            .map(|(key, content)| (key, matches!(content, Content::Comment(_))));
        match node {
            Some((key, true)) => document.remove(key),
            _ => return Err(PatchError::NoSuchElement(path.to_owned())),
        }
    } else if let Some(key) = at_path(document, path) {
        document.remove(key);
    }
    Ok(())
}

/// The result that goes with a modification is what counts; without one, the list of what to set and unset.
fn modify(document: &mut Document, change: Element<'_>, path: &str) -> Result<(), PatchError> {
    let key = find(document, path)?;
    if let Some(result) = change.child("change-result").and_then(|result| result.children().next()) {
        let names: Vec<String> = document.element(key).attrs().map(|(name, _)| name.to_owned()).collect();
        let is_same_order = result.attrs().map(|(name, _)| name).eq(names.iter().map(String::as_str));
        if !is_same_order {
            names.iter().for_each(|name| {
                document.remove_attr(key, name);
            });
        }
        result.attrs().for_each(|(name, value)| {
            document.set_attr(key, name, value);
        });
        return Ok(());
    }
    for attr in change.child("change-list").into_iter().flat_map(|list| list.children_named("change-attr")) {
        let name = attr.attr("name").unwrap_or_default();
        if !crate::xml::is_name(name) {
            return Err(PatchError::NotAPatch(format!("{name:?} cannot be the name of an attribute")));
        }
        match attr.attr("operation") {
            Some("unset") => document.remove_attr(key, name),
            _ => document.set_attr(key, name, attr.attr("value").unwrap_or_default()),
        };
    }
    Ok(())
}

/// Puts everything into its place among `parent`'s children.
fn fill(document: &mut Document, parent: Key, mut places: Vec<(usize, Placed<'_>)>) {
    places.sort_by_key(|(position, _)| *position);
    let staying: Vec<Key> = document.contents(parent).map(|(key, _)| key).collect();
    let mut staying = staying.into_iter().peekable();
    let mut n_before = 0;
    for (position, place) in places {
        while n_before < position && staying.next().is_some() {
            n_before += 1;
        }
        let before = staying.peek().copied();
        match place {
            Placed::New(element) => {
                document.import(parent, before, element);
            }
            Placed::NewComment(text) => {
                let key = document.append_comment(parent, text);
                document.move_to(key, parent, before);
            }
            Placed::Moved(key) => document.attach(key, parent, before),
        }
        n_before += 1;
    }
}
