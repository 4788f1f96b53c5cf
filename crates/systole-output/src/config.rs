//! The configuration of resources for people, in the layout `pcs resource config` had up to 0.10.
//!
//! Attributes are shown as the CIB spells them, sorted by name.

use systole_cib::xml::Element;

/// Every resource below `<resources>`.
pub fn all_resources(resources: Element<'_>) -> String {
    let mut out = String::new();
    for child in resources.children().filter(|child| is_resource(*child)) {
        write(child, 0, &mut out);
    }
    out
}

/// One resource.
pub fn resource(element: Element<'_>) -> String {
    let mut out = String::new();
    write(element, 0, &mut out);
    out
}

/// Whether the element is a resource (templates are not).
pub fn is_resource(element: Element<'_>) -> bool {
    ["primitive", "group", "clone", "master", "bundle"].contains(&element.name())
}

fn write(element: Element<'_>, depth: usize, out: &mut String) {
    let id = element.id().unwrap_or("");
    match element.name() {
        "primitive" => primitive(element, id, depth, out),
        "group" => collective("Group", element, id, depth, out),
        "clone" => collective("Clone", element, id, depth, out),
        "master" => collective("Master", element, id, depth, out),
        "bundle" => bundle(element, id, depth, out),
        _ => {}
    }
}

fn primitive(element: Element<'_>, id: &str, depth: usize, out: &mut String) {
    let agent = match element.attr("template") {
        Some(template) => format!("template={template}"),
        None => ["class", "provider", "type"]
            .iter()
            .filter_map(|name| Some(format!("{name}={}", element.attr(name)?)))
            .collect::<Vec<_>>()
            .join(" "),
    };
    line(depth, &format!("Resource: {id} ({agent})"), out);
    sets(element, depth, out);
    operations(element, depth, out);
}

fn collective(kind: &str, element: Element<'_>, id: &str, depth: usize, out: &mut String) {
    line(depth, &format!("{kind}: {id}"), out);
    sets(element, depth, out);
    for child in element.children().filter(|child| is_resource(*child)) {
        write(child, depth + 1, out);
    }
}

fn bundle(element: Element<'_>, id: &str, depth: usize, out: &mut String) {
    line(depth, &format!("Bundle: {id}"), out);
    for child in element.children() {
        let name = match child.name() {
            "podman" => "Podman",
            "docker" => "Docker",
            "rkt" => "Rkt",
            _ => continue,
        };
        line(depth + 1, &joined(&format!("{name}: "), child, &[]), out);
    }
    if let Some(network) = element.child("network") {
        if network.attrs().any(|(name, _)| name != "id") {
            line(depth + 1, &joined("Network: ", network, &["id"]), out);
        }
        mappings("Port Mapping:", network, "port-mapping", depth, out);
    }
    if let Some(storage) = element.child("storage") {
        mappings("Storage Mapping:", storage, "storage-mapping", depth, out);
    }
    sets(element, depth, out);
    for child in element.children().filter(|child| is_resource(*child)) {
        write(child, depth + 1, out);
    }
}

fn mappings(title: &str, parent: Element<'_>, name: &str, depth: usize, out: &mut String) {
    let mut found = parent.children().filter(|child| child.is(name)).peekable();
    if found.peek().is_none() {
        return;
    }
    line(depth + 1, title, out);
    for mapping in found {
        let text = joined("", mapping, &["id"]);
        line(depth + 2, &format!("{text} ({})", mapping.id().unwrap_or("")), out);
    }
}

/// Parameters, meta attributes and utilization: a line each.
fn sets(element: Element<'_>, depth: usize, out: &mut String) {
    for (title, name) in [
        ("Attributes", "instance_attributes"),
        ("Meta Attrs", "meta_attributes"),
        ("Utilization", "utilization"),
    ] {
        for set in element.children().filter(|child| child.is(name)) {
            let mut pairs: Vec<(&str, &str)> = set
                .children()
                .filter(|child| child.is("nvpair"))
                .filter_map(|pair| Some((pair.attr("name")?, pair.attr("value").unwrap_or(""))))
                .collect();
            pairs.sort_unstable();
            if !pairs.is_empty() {
                line(depth + 1, &format!("{title}: {}", pairs_text(&pairs)), out);
            }
        }
    }
}

fn operations(element: Element<'_>, depth: usize, out: &mut String) {
    let Some(operations) = element.child("operations") else { return };
    let mut title = "Operations: ";
    for operation in operations.children().filter(|child| child.is("op")) {
        let name = operation.attr("name").unwrap_or("");
        let mut text = joined(&format!("{title}{name} "), operation, &["id", "name"]);
        if let Some(id) = operation.id() {
            text = format!("{} ({id})", text.trim_end());
        }
        line(depth + 1, &text, out);
        title = "            ";
    }
}

/// `lead` and the attributes except those of `hidden`, sorted.
fn joined(lead: &str, element: Element<'_>, hidden: &[&str]) -> String {
    let mut pairs: Vec<(&str, &str)> = element.attrs().filter(|(name, _)| !hidden.contains(name)).collect();
    pairs.sort_unstable();
    format!("{lead}{}", pairs_text(&pairs))
}

fn pairs_text(pairs: &[(&str, &str)]) -> String {
    pairs.iter().map(|(name, value)| format!("{name}={}", quoted(value))).collect::<Vec<_>>().join(" ")
}

/// Values with blanks stand in quotes, of the kind they do not contain.
fn quoted(value: &str) -> String {
    if !value.contains(char::is_whitespace) {
        return value.to_owned();
    }
    if !value.contains('"') {
        return format!("\"{value}\"");
    }
    if !value.contains('\'') {
        return format!("'{value}'");
    }
    format!("\"{}\"", value.replace('"', "\\\""))
}

fn line(depth: usize, text: &str, out: &mut String) {
    out.push_str(&" ".repeat(depth));
    out.push_str(text);
    out.push('\n');
}
