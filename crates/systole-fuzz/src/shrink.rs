//! The smallest CIB on which something still holds.

use systole_cib::xml::{Document, Element, Key};

/// Takes out of `cib` what can be taken out while `holds`: elements with all below them, the largest first, then
/// attributes. Stops after `limit` trials.
pub fn shrink(cib: &Document, limit: usize, holds: &mut dyn FnMut(&Document) -> bool) -> Document {
    let mut best = cib.clone();
    let mut n_left = limit;
    loop {
        let before = best.to_text().len();
        drop_elements(&mut best, &mut n_left, holds);
        drop_attributes(&mut best, &mut n_left, holds);
        if best.to_text().len() == before || n_left == 0 {
            return best;
        }
    }
}

fn try_without(
    best: &mut Document,
    n_left: &mut usize,
    holds: &mut dyn FnMut(&Document) -> bool,
    change: impl FnOnce(&mut Document),
) -> bool {
    if *n_left == 0 {
        return false;
    }
    *n_left -= 1;
    let mut candidate = best.clone();
    change(&mut candidate);
    let is_better = holds(&candidate);
    if is_better {
        *best = candidate;
    }
    is_better
}

/// Elements that are part of every CIB.
const KEPT: [&str; 8] =
    ["cib", "configuration", "crm_config", "nodes", "resources", "constraints", "status", "lrm_resources"];

fn drop_elements(best: &mut Document, n_left: &mut usize, holds: &mut dyn FnMut(&Document) -> bool) {
    let mut sized: Vec<(usize, Key)> = best
        .root()
        .descendants()
        .filter(|element| !KEPT.contains(&element.name()))
        .map(|element| (element.descendants().count(), element.key()))
        .collect();
    sized.sort_by_key(|(size, _)| std::cmp::Reverse(*size));
    let mut gone: Vec<Key> = Vec::new();
    for (_, key) in sized {
        if gone.contains(&key) {
            continue;
        }
        let below: Vec<Key> = best.element(key).descendants().map(Element::key).collect();
        // What names the element goes with it.
        let named = best.element(key).id().map(str::to_owned);
        let naming: Vec<Key> = match (&named, is_nameable(best.element(key))) {
            (Some(id), true) => naming(best, id, &below),
            _ => Vec::new(),
        };
        let also: Vec<Key> =
            naming.iter().flat_map(|key| best.element(*key).descendants().map(Element::key)).collect();
        let is_gone = try_without(best, n_left, holds, |document| {
            document.remove(key);
            naming.iter().for_each(|key| document.remove(*key));
        });
        if is_gone {
            gone.extend(below);
            gone.extend(also);
        }
    }
}

fn is_nameable(element: Element<'_>) -> bool {
    ["primitive", "group", "clone", "bundle", "template", "tag"].iter().any(|name| element.is(name))
}

/// Constraints, references and the like that name `id`, outermost, outside of what goes anyway.
fn naming(document: &Document, id: &str, gone: &[Key]) -> Vec<Key> {
    let Some(configuration) = document.root().child("configuration") else { return Vec::new() };
    let mut found: Vec<Key> = Vec::new();
    for element in configuration.descendants().filter(|element| !gone.contains(&element.key())) {
        let is_reference = element.is("resource_ref") || element.is("obj_ref");
        let names = element
            .attrs()
            .any(|(name, value)| value == id && (is_reference || is_reference_attribute(name)));
        if names {
            let last_of_set = is_reference.then(|| element.parent()).flatten();
            let last_of_set = last_of_set.filter(|parent| parent.children().count() == 1);
            found.push(last_of_set.unwrap_or(element).key());
        }
    }
    found
}

fn is_reference_attribute(name: &str) -> bool {
    ["rsc", "with-rsc", "first", "then", "template"].contains(&name)
}

fn drop_attributes(best: &mut Document, n_left: &mut usize, holds: &mut dyn FnMut(&Document) -> bool) {
    let kept = [
        "id",
        "name",
        "value",
        "uname",
        "execution-date",
        "validate-with",
        "class",
        "type",
        "provider",
        "operation",
        "operation_key",
        "transition-key",
        "transition-magic",
        "rc-code",
        "op-status",
        "interval",
        "call-id",
        "in_ccm",
        "crmd",
        "join",
        "expected",
    ];
    let all: Vec<(Key, String)> = best
        .root()
        .descendants()
        .flat_map(|element| element.attrs().map(move |(name, _)| (element.key(), name.to_owned())))
        .filter(|(_, name)| !kept.contains(&&**name))
        .collect();
    for (key, name) in all {
        try_without(best, n_left, holds, |document| {
            document.remove_attr(key, &name);
        });
    }
}
