//! Name-value pairs of the CIB: finding, setting and removing them, wherever they are.

use crate::{Cluster, Exit, Failed};
use systole_cib::{
    ops::{CibAction, CibCall, CibOptions, Scope},
    xml::{Document, Element},
};
use systole_output::tree::Tree;

/// Elements that are resources.
pub const RESOURCE_ELEMENTS: [&str; 5] = ["primitive", "group", "clone", "master", "bundle"];

/// A place in a section that has sets of name-value pairs.
#[derive(Clone, Debug)]
pub struct Owner {
    /// The section: `resources`, `nodes`, `crm_config`, `status`...
    pub section: String,
    /// Elements from the section down to the owner, each with its attributes; empty where the section itself is meant.
    pub path: Vec<(String, Vec<(String, String)>)>,
}

/// Which set and pair are meant.
#[derive(Clone, Debug, Default)]
pub struct PairSpec {
    /// The sets' element: `meta_attributes`...
    pub sets: String,
    /// Only this set, if asked for.
    pub set_id: Option<String>,
    /// Only this pair, if asked for.
    pub pair_id: Option<String>,
    /// Name.
    pub name: Option<String>,
}

/// A pair that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// `id` of its set.
    pub set: String,
    /// `id`.
    pub id: String,
    /// `name`.
    pub name: String,
    /// `value`.
    pub value: String,
}

impl Owner {
    /// The owner that `element` of the CIB is.
    pub fn of(element: Element<'_>, section: &str) -> Self {
        let mut path = Vec::new();
        let mut at = Some(element);
        while let Some(element) = at.filter(|element| element.name() != section) {
            let id = element.id().map(|id| ("id".to_owned(), id.to_owned()));
            path.push((element.name().to_owned(), id.into_iter().collect()));
            at = element.parent();
        }
        path.reverse();
        Self { section: section.to_owned(), path }
    }

    /// The element, if it exists.
    pub fn find<'d>(&self, document: &'d Document) -> Option<Element<'d>> {
        let mut at = section(document, &self.section)?;
        for (name, attrs) in &self.path {
            let id = attrs.iter().find(|(name, _)| name == "id").map(|(_, id)| id.as_str());
            at = at.children().find(|child| child.is(name) && (id.is_none() || child.id() == id))?;
        }
        Some(at)
    }

    /// The owner's own elements as XML, without anything in them.
    pub fn to_xml(&self) -> String {
        let mut owner = self.clone();
        let Some((name, attrs)) = owner.path.pop() else { return String::new() };
        let own = attrs.iter().fold(Tree::new(&name), |tree, (name, value)| tree.attr(name, value.as_str()));
        owner.wrap(own).to_xml()
    }

    /// `inner` wrapped in the owner's elements.
    fn wrap(&self, inner: Tree) -> Tree {
        self.path.iter().rev().fold(inner, |inner, (name, attrs)| {
            let start = Tree::new(name);
            attrs.iter().fold(start, |tree, (name, value)| tree.attr(name, value.as_str())).child(inner)
        })
    }
}

/// A section of the CIB.
pub fn section<'d>(document: &'d Document, name: &str) -> Option<Element<'d>> {
    let root = document.root();
    match name {
        "status" | "configuration" => root.child(name),
        _ => root.child("configuration")?.child(name),
    }
}

/// The resource of that name, of whatever kind.
pub fn find_resource<'d>(document: &'d Document, id: &str) -> Option<Element<'d>> {
    section(document, "resources")?
        .descendants()
        .find(|element| RESOURCE_ELEMENTS.contains(&element.name()) && element.id() == Some(id))
}

/// The resource of that name; one with an instance number is found without it.
///
/// # Errors
/// If there is none.
pub fn resource<'d>(document: &'d Document, id: &str) -> anyhow::Result<Element<'d>> {
    find_resource(document, id)
        .or_else(|| {
            let (base, number) = id.rsplit_once(':')?;
            number.bytes().all(|b| b.is_ascii_digit()).then(|| find_resource(document, base))?
        })
        .ok_or_else(|| Failed::no_such(format!("Resource '{id}' not found")))
}

/// Pairs of `owner` that fit.
pub fn find_pairs(document: &Document, owner: &Owner, spec: &PairSpec) -> Vec<Pair> {
    let Some(element) = owner.find(document) else { return Vec::new() };
    let sets = element.children().filter(|set| {
        set.is(&spec.sets) && spec.set_id.as_deref().is_none_or(|wanted| set.id() == Some(wanted))
    });
    // Transient attributes have sets in their set.
    let pairs = sets.flat_map(|set| set.descendants().filter(|pair| pair.is("nvpair"))).map(|pair| {
        let set = pair.parent().and_then(|set| set.id());
        (set.unwrap_or(""), pair)
    });
    pairs
        .filter(|(_, pair)| spec.name.as_deref().is_none_or(|name| pair.attr("name") == Some(name)))
        .filter(|(_, pair)| spec.pair_id.as_deref().is_none_or(|id| pair.id() == Some(id)))
        .map(|(set, pair)| Pair {
            set: set.to_owned(),
            id: pair.id().unwrap_or("").to_owned(),
            name: pair.attr("name").unwrap_or("").to_owned(),
            value: pair.attr("value").unwrap_or("").to_owned(),
        })
        .collect()
}

/// What setting a pair did.
#[derive(Clone, Debug, PartialEq)]
pub struct Set {
    /// `id` of the pair.
    pub id: String,
    /// `id` of its set where the pair is new.
    pub new_in: Option<String>,
}

/// Sets a pair: the one that is there, else a new one in `default_set`.
///
/// # Errors
/// If several pairs fit, or the change cannot be made.
pub fn set_pair(
    cluster: &mut Cluster,
    document: &Document,
    owner: &Owner,
    spec: &PairSpec,
    default_set: &str,
    value: &str,
) -> anyhow::Result<Set> {
    let found = find_pairs(document, owner, spec);
    match found.as_slice() {
        [] => {
            let name = spec.name.clone().unwrap_or_default();
            let set = spec.set_id.clone().unwrap_or_else(|| default_set.to_owned());
            let id = spec.pair_id.clone().unwrap_or_else(|| clean_id(&format!("{set}-{name}")));
            let pair = Pair { set, id, name, value: value.to_owned() };
            create_pair(cluster, owner, &spec.sets, &pair)?;
            Ok(Set { id: pair.id, new_in: Some(pair.set) })
        }
        [pair] => {
            let pair = Pair { value: value.to_owned(), ..pair.clone() };
            modify_pair(cluster, owner, &pair, Sums::AreText)?;
            Ok(Set { id: pair.id, new_in: None })
        }
        _ => Err(several(&found)),
    }
}

/// What `value++` and `value+=3` mean as a new value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sums {
    /// What is there, and so much more.
    AreWorkedOut,
    /// These characters.
    AreText,
}

/// Gives a pair that is there its new value.
///
/// # Errors
/// If the change cannot be made.
pub fn modify_pair(cluster: &mut Cluster, owner: &Owner, pair: &Pair, sums: Sums) -> anyhow::Result<()> {
    modify(cluster, owner, nvpair(pair).attr("value", pair.value.as_str()), sums)
}

/// Makes a pair, and the set it says if that is not there. The owner has to be.
///
/// # Errors
/// If the change cannot be made.
pub fn create_pair(cluster: &mut Cluster, owner: &Owner, sets: &str, pair: &Pair) -> anyhow::Result<()> {
    let set = Tree::new(sets).attr("id", pair.set.as_str());
    let tree = owner.wrap(set.child(nvpair(pair).attr("value", pair.value.as_str())));
    let tree = if owner.path.is_empty() { Tree::new(&owner.section).child(tree) } else { tree };
    modify(cluster, owner, tree, Sums::AreText)
}

fn modify(cluster: &mut Cluster, owner: &Owner, tree: Tree, sums: Sums) -> anyhow::Result<()> {
    let call = CibCall {
        action: CibAction::Modify,
        scope: Scope::Section(owner.section.clone()),
        xml: Some(tree.to_xml()),
        options: CibOptions { expand_scores: sums == Sums::AreWorkedOut, ..CibOptions::default() },
    };
    cluster.apply(call, false)?;
    Ok(())
}

fn nvpair(pair: &Pair) -> Tree {
    let name = Some(pair.name.as_str()).filter(|name| !name.is_empty());
    Tree::new("nvpair").attr("id", pair.id.as_str()).maybe("name", name)
}

/// Removes a pair by its id and name. The set it is in stays, even if nothing is left in it.
///
/// # Errors
/// If the change cannot be made.
pub fn delete_pair(cluster: &mut Cluster, owner: &Owner, pair: &Pair) -> anyhow::Result<()> {
    cluster.apply(
        CibCall {
            action: CibAction::Delete,
            scope: Scope::Section(owner.section.clone()),
            xml: Some(nvpair(pair).to_xml()),
            options: CibOptions::default(),
        },
        false,
    )?;
    Ok(())
}

/// Several pairs fit where one is needed.
fn several(found: &[Pair]) -> anyhow::Error {
    let ids: Vec<&str> = found.iter().map(|pair| pair.id.as_str()).collect();
    Failed::new(
        Exit::Multiple,
        format!("several attributes fit: choose one by its id, with --attr-id ({})", ids.join(", ")),
    )
    .into()
}

/// `text` as an id: characters an XML id may not have become dots.
pub fn clean_id(text: &str) -> String {
    let mut id: String = text
        .chars()
        .map(|c| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.') { c } else { '.' })
        .collect();
    if id.starts_with(|c: char| !c.is_alphabetic() && c != '_') {
        id.insert(0, '_');
    }
    id
}

/// `text` as a string in an XPath.
pub fn xpath_text(text: &str) -> String {
    if text.contains('\'') { format!("\"{text}\"") } else { format!("'{text}'") }
}

/// Nodes with their values of a transient attribute, as the status section has them.
pub fn transient_values(document: &Document, name: &str) -> Vec<(String, String)> {
    let states = section(document, "status").into_iter().flat_map(|status| status.children());
    states
        .filter_map(|state| {
            let attributes = state.child("transient_attributes")?;
            let pair =
                attributes.descendants().find(|pair| pair.is("nvpair") && pair.attr("name") == Some(name))?;
            Some((state.attr("uname")?.to_owned(), pair.attr("value")?.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CIB: &str = r#"<cib><configuration><resources><clone id="c"><primitive id="p"><meta_attributes id="p-meta">
        <nvpair id="p-meta-x" name="x" value="1"/></meta_attributes></primitive></clone></resources></configuration></cib>"#;

    #[test]
    fn pairs_are_found_by_owner_set_and_name() {
        let document = Document::parse(CIB).expect("XML");
        let element = resource(&document, "p:0").expect("there");
        let owner = Owner::of(element, "resources");
        let spec = PairSpec {
            sets: "meta_attributes".to_owned(),
            name: Some("x".to_owned()),
            ..PairSpec::default()
        };
        let found = find_pairs(&document, &owner, &spec);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].set.as_str(), found[0].value.as_str()), ("p-meta", "1"));
        let other = PairSpec { set_id: Some("other".to_owned()), ..spec };
        assert!(find_pairs(&document, &owner, &other).is_empty());
        let wrapped = owner.wrap(Tree::new("x")).to_xml();
        assert_eq!(wrapped, "<clone id=\"c\">\n  <primitive id=\"p\">\n    <x/>\n  </primitive>\n</clone>\n");
    }

    #[test]
    fn ids_lose_what_an_id_may_not_have() {
        for (text, id) in [("nodes-3-#health-x", "nodes-3-.health-x"), ("a b:c", "a.b.c"), ("1-x", "_1-x")] {
            assert_eq!(clean_id(text), id);
        }
    }
}
