//! Primitives that nobody wrote down: containers, addresses and connections of bundles and guests.

use super::text::span;
use std::sync::Arc;
use systole_cib::model::{Agent, AttributeSet, NvPair, Operation, Primitive};
use systole_types::{ElementId, ResourceId, Score};

/// A primitive that nobody wrote down.
pub(super) fn implicit_primitive(
    id: &str,
    (provider, kind): (&str, &str),
    meta: Vec<AttributeSet>,
    parameters: Vec<AttributeSet>,
    operations: Vec<Operation>,
) -> Primitive {
    Primitive {
        id: ResourceId::new(id),
        description: None,
        template: None,
        agent: Agent { class: "ocf".into(), provider: Some(provider.into()), kind: kind.into() },
        meta,
        parameters,
        utilization: Vec::new(),
        operations,
    }
}

/// A set of pairs, those without value left out. They have no ids: nothing could be found by them.
pub(super) fn implicit_set<const N: usize>(id: &str, pairs: [(&str, Option<Arc<str>>); N]) -> AttributeSet {
    let pair = |(name, value): (&str, Option<Arc<str>>)| {
        let value = value?;
        Some(NvPair { id: None, name: name.into(), value: Some(value) })
    };
    AttributeSet {
        id: ElementId::new(id),
        score: Score::ZERO,
        rule: None,
        pairs: pairs.into_iter().filter_map(pair).collect(),
    }
}

/// An operation with an interval and perhaps a timeout.
pub(super) fn implicit_op(rsc: &str, name: &str, interval: &str, timeout: Option<&str>) -> Operation {
    let mut properties: Vec<(Arc<str>, Arc<str>)> = vec![("interval".into(), interval.into())];
    properties.extend(timeout.map(|timeout| ("timeout".into(), timeout.into())));
    Operation {
        id: ElementId::new([rsc, "-", name, "-", interval].concat()),
        name: name.into(),
        interval: span(interval),
        properties,
        meta: Vec::new(),
        parameters: Vec::new(),
        is_reference: false,
    }
}
