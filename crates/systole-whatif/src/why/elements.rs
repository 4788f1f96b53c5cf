//! Which element of the configuration a meta attribute comes from.

use super::orders::with_parents;
use systole_cib::model::AttributeSet;
use systole_scheduler::{
    RscIdx, Status,
    note::{Cause, NotPromoted, NoteKind},
    rules::{self, Input, Recheck},
    status::Kind,
};
use systole_types::ElementId;

/// The element of the meta attribute that a note is about, if it is about one.
pub(super) fn element_of(status: &Status<'_>, rsc: RscIdx, kind: &NoteKind) -> Option<ElementId> {
    let name = match kind {
        NoteKind::Scored(_, Cause::Stickiness) => "resource-stickiness",
        NoteKind::Banned(Cause::Failures { .. }) => "migration-threshold",
        NoteKind::Banned(Cause::ToBeStopped("target-role")) => "target-role",
        NoteKind::NotPromoted(NotPromoted::ToBeUnpromoted("target-role")) => "target-role",
        NoteKind::NotPromoted(NotPromoted::Enough(_)) => "promoted-max",
        _ => return None,
    };
    meta_element(status, rsc, name)
}

/// The `<nvpair>` that gives a resource a meta attribute: its own, of what it is part of, or of `rsc_defaults`; of sets with rules, where
/// these hold. `None` where it is the built-in default.
fn meta_element(status: &Status<'_>, rsc: RscIdx, name: &str) -> Option<ElementId> {
    let sets_of = |rsc: RscIdx| -> &[AttributeSet] {
        match &status.rsc(rsc).kind {
            Kind::Primitive(data) => &data.definition.meta,
            Kind::Group(data) => &data.definition.meta,
            Kind::Clone(data) => data.definition.map_or(&[], |definition| &definition.meta),
            Kind::Bundle(data) => &data.definition.meta,
        }
    };
    let chain = with_parents(status, rsc);
    let agent = match &status.rsc(rsc).kind {
        Kind::Primitive(data) => Some(&data.definition.agent),
        _ => None,
    };
    let input = Input { agent, ..Input::at(status.local_time()) };
    let counts = |set: &&AttributeSet| {
        set.rule.as_ref().is_none_or(|rule| rules::holds(rule, &input, &Recheck::default()))
    };
    let levels = chain.iter().map(|rsc| sets_of(*rsc)).chain([status.cib.resource_defaults.as_slice()]);
    for sets in levels {
        let pairs = sets.iter().filter(counts).filter_map(|set| {
            let pair = set.pairs.iter().find(|pair| &*pair.name == name)?;
            Some((set, pair))
        });
        let pairs: Vec<_> = pairs.collect();
        // Of equals the first counts.
        if let Some((_, pair)) = pairs.iter().rev().max_by_key(|(set, _)| set.score) {
            return pair.id.clone();
        }
    }
    None
}
