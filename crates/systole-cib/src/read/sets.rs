//! Sets of name-value pairs, and operations.

use super::context::Reader;
use crate::{
    model::{AttributeSet, NvPair, Operation},
    spelling,
    xml::Element,
};
use std::sync::Arc;
use systole_types::{ElementId, Score};

/// What the pairs of a set are, which decides over older names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Names are the agent's, the user's or the node's own.
    Free,
    /// `<meta_attributes>`.
    Meta,
    /// `<cluster_property_set>`.
    Cluster,
}

impl Kind {
    fn todays_name(self, name: &str) -> &str {
        match self {
            Self::Free => name,
            Self::Meta => spelling::meta_attribute(name),
            Self::Cluster => spelling::cluster_option(name),
        }
    }
}

impl<'d> Reader<'d> {
    /// All sets of one element name in `parent`.
    pub fn sets(&mut self, parent: Element<'d>, name: &'d str, kind: Kind) -> Vec<AttributeSet> {
        parent.children_named(name).filter_map(|set| self.set(set, kind)).collect()
    }

    pub fn meta(&mut self, parent: Element<'d>) -> Vec<AttributeSet> {
        self.sets(parent, "meta_attributes", Kind::Meta)
    }

    pub fn parameters(&mut self, parent: Element<'d>) -> Vec<AttributeSet> {
        self.sets(parent, "instance_attributes", Kind::Free)
    }

    pub fn utilization(&mut self, parent: Element<'d>) -> Vec<AttributeSet> {
        self.sets(parent, "utilization", Kind::Free)
    }

    fn set(&mut self, element: Element<'d>, kind: Kind) -> Option<AttributeSet> {
        let element = self.resolve(element)?;
        let mut set = AttributeSet {
            id: self.element_id(element),
            score: self.score(element, "score").unwrap_or(Score::ZERO),
            rule: None,
            pairs: Vec::new(),
        };
        for child in element.children() {
            match child.name() {
                "nvpair" => set.pairs.extend(self.pair(child, kind)),
                "rule" if set.rule.is_none() => match self.rule(child) {
                    Some(rule) => set.rule = Some(rule),
                    None => return None,
                },
                "rule" => self.error(child, "a set can have one rule only: this one is ignored"),
                // The set's pairs were wrapped before schema 1.0.
                "attributes" => {
                    let pairs: Vec<_> =
                        child.children_named("nvpair").filter_map(|pair| self.pair(pair, kind)).collect();
                    set.pairs.extend(pairs);
                }
                _ => self.unknown(child, "a set of name-value pairs"),
            }
        }
        Some(set)
    }

    fn pair(&mut self, element: Element<'d>, kind: Kind) -> Option<NvPair> {
        let target = self.resolve(element)?;
        let Some(name) = element.attr("name").or_else(|| target.attr("name")) else {
            self.error(element, "name is missing");
            return None;
        };
        let value = self.text(target, "value");
        Some(NvPair { id: target.id().map(ElementId::new), name: self.shared(kind.todays_name(name)), value })
    }

    /// The `<op>`s of a primitive or template. Only the first `<operations>` counts.
    pub fn operations(&mut self, parent: Element<'d>) -> Vec<Operation> {
        let mut operations = Vec::new();
        let own = parent.child("operations");
        let is_reference = own.is_some_and(|list| list.attr("id-ref").is_some());
        if let Some(list) = own.and_then(|list| self.resolve(list)) {
            for child in list.children() {
                match child.name() {
                    "op" => operations.extend(self.operation(child, is_reference)),
                    "meta_attributes" | "instance_attributes" => {}
                    _ => self.unknown(child, "<operations>"),
                }
            }
        }
        operations
    }

    fn operation(&mut self, element: Element<'d>, is_reference: bool) -> Option<Operation> {
        let is_reference = is_reference || element.attr("id-ref").is_some();
        let element = self.resolve(element)?;
        let name = self.required(element, "name")?;
        let properties: Vec<(Arc<str>, Arc<str>)> = element
            .attrs()
            .filter(|(name, _)| !matches!(*name, "id" | "name"))
            .map(|(name, value)| (self.shared(name), self.shared(value)))
            .collect();
        Some(Operation {
            id: self.element_id(element),
            name: self.shared(name),
            interval: self.interval(element, "interval"),
            properties,
            meta: self.meta(element),
            parameters: self.parameters(element),
            is_reference,
        })
    }
}

/// The value some sets give a name, rules left aside. The set `cib-bootstrap-options` counts first, then those of the
/// highest score, the last of several; within a set, the first pair.
pub(crate) fn value_of<'s>(sets: &'s [AttributeSet], name: &str) -> Option<&'s str> {
    let values = sets.iter().filter_map(|set| {
        let value = set.pairs.iter().find(|pair| &*pair.name == name)?.value.as_deref()?;
        let value = Some(value).filter(|value| !value.eq_ignore_ascii_case("#default"))?;
        Some(((set.id == "cib-bootstrap-options", set.score), value))
    });
    values.max_by_key(|(rank, _)| *rank).map(|(_, value)| value)
}
