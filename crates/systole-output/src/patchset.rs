//! A patchset for people, as Pacemaker's tools show what changed.

use std::fmt::Write as _;
use systole_cib::{
    patch,
    xml::{Document, Element, Style},
};

/// Writes a patchset: `++` for what is new, `--` for what is gone, `+` for attributes, `+~` for what was moved.
pub fn patchset_text(document: &Document) -> String {
    let root = document.root();
    let mut out = String::new();
    if let Some((from, to)) = patch::versions(root) {
        if from == to {
            let _ = writeln!(out, "Local-only Change: {to}");
        } else {
            let digest = root.attr("digest").unwrap_or("(no digest)");
            let _ = writeln!(out, "Diff: --- {from} 2\nDiff: +++ {to} {digest}");
        }
    }
    // What is gone comes first, wherever it stands.
    let (gone, others): (Vec<_>, Vec<_>) =
        root.children_named("change").partition(|change| change.attr("operation") == Some("delete"));
    for change in gone.into_iter().chain(others) {
        let path = change.attr("path").unwrap_or_default();
        match change.attr("operation") {
            Some("create") => created(&mut out, path, change),
            Some("delete") => {
                let at = change.attr("position").map_or(String::new(), |position| format!(" ({position})"));
                let _ = writeln!(out, "-- {path}{at}");
            }
            Some("move") => {
                let _ = writeln!(out, "+~ {path} moved to offset {}", change.attr("position").unwrap_or("?"));
            }
            Some("modify") => modified(&mut out, path, change),
            _ => {}
        }
    }
    out
}

/// The element, its lines below each other.
fn created(out: &mut String, path: &str, change: Element<'_>) {
    for element in change.children() {
        for (i, line) in element.write(Style::Indented).lines().enumerate() {
            let _ = match i {
                0 => writeln!(out, "++ {path}:  {line}"),
                _ => writeln!(out, "++ {:width$}{line}", "", width = path.len() + 3),
            };
        }
    }
}

/// Attributes with new values, then those that are gone.
fn modified(out: &mut String, path: &str, change: Element<'_>) {
    let list = change.child("change-list").into_iter().flat_map(Element::children);
    let (mut set, mut unset) = (Vec::new(), Vec::new());
    for attribute in list {
        let name = attribute.attr("name").unwrap_or_default();
        match attribute.attr("operation") {
            Some("unset") => unset.push(format!("@{name}")),
            _ => set.push(format!("@{name}={}", attribute.attr("value").unwrap_or_default())),
        }
    }
    for (mark, names) in [("+ ", set), ("--", unset)] {
        if !names.is_empty() {
            let _ = writeln!(out, "{mark} {path}:  {}", names.join(", "));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patchset_reads_as_a_list_of_changes() {
        let parse = |text: &str| Document::parse(text).expect("XML");
        let old = parse(
            r#"<cib admin_epoch="0" epoch="5" num_updates="0"><configuration><nodes><node id="1" uname="a"/></nodes>
            <resources><primitive id="q" a="1" b="2"/></resources></configuration></cib>"#,
        );
        let new = parse(
            r#"<cib admin_epoch="0" epoch="7" num_updates="0"><configuration><nodes/>
            <resources><primitive id="q" b="3"/><group id="g"><primitive id="p"/></group></resources></configuration></cib>"#,
        );
        let mut patch = patch::diff(&old, &new, patch::Versions::Checked).expect("they differ");
        let root = patch.root_key();
        patch.remove_attr(root, "digest");
        assert_eq!(
            patchset_text(&patch),
            "Diff: --- 0.5.0 2\n\
             Diff: +++ 0.7.0 (no digest)\n\
             -- /cib/configuration/nodes/node[@id='1']\n\
             +  /cib:  @epoch=7\n\
             +  /cib/configuration/resources/primitive[@id='q']:  @b=3\n\
             -- /cib/configuration/resources/primitive[@id='q']:  @a\n\
             ++ /cib/configuration/resources:  <group id=\"g\">\n\
             ++                                  <primitive id=\"p\"/>\n\
             ++                                </group>\n"
        );
    }
}
