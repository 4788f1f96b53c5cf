//! From 1.3 to 2.0: ACLs. What a user was allowed by itself became a role of its own.

use super::support::{append, attr, configuration, copy_into, keys, rename_attr};
use crate::xml::{Document, Element, Key};

pub(super) fn change(document: &mut Document) {
    for key in keys(configuration(document), |e| e.is("acl_user")) {
        user(document, key);
    }
    for key in keys(configuration(document), |e| e.is("role_ref")) {
        document.rename(key, "role");
    }
    for key in keys(configuration(document), is_permission) {
        permission(document, key);
    }
}

fn is_permission(element: Element<'_>) -> bool {
    matches!(element.name(), "read" | "write" | "deny")
}

fn user(document: &mut Document, key: Key) {
    document.rename(key, "acl_target");
    let permissions = keys(document.element(key).children(), is_permission);
    let Some(parent) = document.element(key).parent().map(Element::key).filter(|_| !permissions.is_empty())
    else {
        return;
    };
    let id = format!("auto-{}", attr(document, key, "id"));
    append(document, key, "role", &[("id", &id)]);
    let role = append(document, parent, "acl_role", &[("id", &id)]);
    if let Some(next) = document.element(key).next_sibling().map(Element::key) {
        document.move_to(role, parent, Some(next));
    }
    for permission in permissions {
        copy_into(document, permission, role, None);
        document.remove(permission);
    }
}

fn permission(document: &mut Document, key: Key) {
    let kind = document.element(key).name().to_owned();
    document.rename(key, "acl_permission");
    document.set_attr(key, "kind", &kind);
    if document.element(key).attr("ref").is_some() {
        document.remove_attr(key, "tag");
        document.remove_attr(key, "attribute");
        rename_attr(document, key, "ref", "reference");
    } else if document.element(key).attr("tag").is_some() {
        rename_attr(document, key, "tag", "object-type");
    } else if let Some(attribute) = document.element(key).attr("attribute").map(str::to_owned) {
        let xpath = format!("{}[@{attribute}]", attr(document, key, "xpath"));
        document.remove_attr(key, "attribute");
        document.set_attr(key, "xpath", &xpath);
    }
}
