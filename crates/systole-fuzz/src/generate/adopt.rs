//! CIBs that were there before: what is done to clusters that are made up can be done to them too.

use super::sketch::{Described, Sections, Sketch};
use systole_cib::{
    parse_bool,
    xml::{Document, Element},
};
use systole_testbed::Random;

const KINDS: [&str; 6] = ["primitive", "group", "clone", "master", "bundle", "template"];

impl Sketch {
    /// Takes up a CIB; `None` if it has no nodes, no resources, or lacks a section.
    pub fn adopt(document: Document, seed: u64) -> Option<Self> {
        let sections = sections(&document)?;
        let (nodes, remotes) = (nodes(&document, sections), remotes(&document, sections));
        let all = document.element(sections.resources).descendants();
        let resources: Vec<Described> =
            all.filter(|element| KINDS.contains(&element.name())).filter_map(described).collect();
        if nodes.is_empty() || resources.is_empty() {
            return None;
        }
        // Far from the ids of any case, and of other alterations.
        let n_ids = 10_000_000 + u32::try_from(seed % 1_000_000).unwrap_or(0) * 1000;
        let mut sketch = Self {
            random: Random::new(seed),
            document,
            themes: Vec::new(),
            nodes,
            remotes,
            resources,
            sections,
            n_ids,
        };
        sketch.draw_few_themes();
        Some(sketch)
    }
}

fn sections(document: &Document) -> Option<Sections> {
    let configuration = document.root().child("configuration")?;
    let within = |name| configuration.child(name).map(Element::key);
    Some(Sections {
        configuration: configuration.key(),
        crm_config: within("crm_config")?,
        nodes: within("nodes")?,
        resources: within("resources")?,
        constraints: within("constraints")?,
        status: document.root().child("status")?.key(),
    })
}

/// Cluster nodes: id and name.
fn nodes(document: &Document, sections: Sections) -> Vec<(String, String)> {
    let all = document.element(sections.nodes).children();
    let members = all.filter(|node| node.attr("type") != Some("remote"));
    members.filter_map(|node| Some((node.id()?.to_owned(), node.attr("uname")?.to_owned()))).collect()
}

/// Names of remote nodes and guests.
fn remotes(document: &Document, sections: Sections) -> Vec<String> {
    let all = document.element(sections.resources).descendants();
    let names = all.filter_map(|element| match element.name() {
        "primitive" if element.attr("type") == Some("remote") => element.id(),
        "nvpair" if element.attr("name") == Some("remote-node") => element.attr("value"),
        _ => None,
    });
    names.map(str::to_owned).collect()
}

fn described(element: Element<'_>) -> Option<Described> {
    let says_promotable = |pair: Element<'_>| {
        pair.attr("name") == Some("promotable") && pair.attr("value").and_then(parse_bool) == Some(true)
    };
    let mut pairs = element.children_named("meta_attributes").flat_map(Element::children);
    Some(Described {
        id: element.id()?.to_owned(),
        is_promotable: element.is("master") || pairs.any(says_promotable),
        is_inner: !element.parent().is_some_and(|parent| parent.is("resources")),
        is_primitive: element.is("primitive"),
    })
}
