//! What is worked out when asked for: parameters, effective operations, where a resource counts as being.

use super::{Attributes, NodeIdx, OpMeta, RscIdx, Status};
use crate::rules::{self, Input, Merge};
use std::{sync::Arc, time::Duration};
use systole_cib::model::Operation;

impl Status<'_> {
    /// Instance parameters of a primitive as they are on `node` (`None`: where no node expression holds).
    /// Its own, then those of what it is part of.
    pub fn parameters(&self, rsc: RscIdx, node: Option<NodeIdx>) -> Arc<Attributes> {
        match self.rsc(rsc).primitive() {
            None => Arc::default(),
            Some(primitive) if primitive.node_dependent => Arc::new(self.evaluate_parameters(rsc, node)),
            Some(primitive) => {
                primitive.parameters.get_or_init(|| Arc::new(self.evaluate_parameters(rsc, None))).clone()
            }
        }
    }

    fn evaluate_parameters(&self, rsc: RscIdx, node: Option<NodeIdx>) -> Attributes {
        let mut parameters = Attributes::new();
        let Some(primitive) = self.rsc(rsc).primitive() else { return parameters };
        let input =
            Input { node: node.map(|node| &self.node(node).attributes), ..Input::at(self.local_time()) };
        let own = std::iter::once(primitive.definition.parameters.as_slice());
        for sets in own.chain(primitive.inherited.iter().copied()) {
            rules::merge(sets, None, &input, Merge::KeepFirst, &mut parameters, &self.recheck);
        }
        parameters
    }

    /// The `<op>` of that name and interval, enabled or not; for the two halves of a migration also one named `migrate`.
    pub fn configured_operation(&self, rsc: RscIdx, name: &str, interval: Duration) -> Option<&Operation> {
        let operations = &self.rsc(rsc).primitive()?.definition.operations;
        let find =
            |name: &str, interval| operations.iter().find(|op| &*op.name == name && op.interval == interval);
        let is_migration = matches!(name, "migrate_to" | "migrate_from");
        find(name, interval).or_else(|| is_migration.then(|| find("migrate", Duration::ZERO)).flatten())
    }

    /// Effective properties of an operation, configured or not.
    pub fn op_meta(&self, rsc: RscIdx, name: &str, interval: Duration) -> OpMeta {
        super::operation::effective(self, rsc, name, interval)
    }

    /// Whether a node is up and need not be fenced.
    fn is_clean(&self, node: NodeIdx) -> bool {
        self.node(node).online && !self.node(node).unclean
    }

    /// How many nodes a resource counts as active on: those that are lost do not count if it can be started elsewhere
    /// without waiting for fencing.
    pub fn n_active(&self, rsc: RscIdx) -> usize {
        let rsc = self.rsc(rsc);
        let counts = |node: &&NodeIdx| rsc.meta.requires.needs_fencing() || self.is_clean(**node);
        rsc.running_on.iter().filter(counts).count()
    }

    /// The node that a resource counts as being on: the source of a migration under way, else the first it was found on;
    /// one that is up comes first if fencing is not waited for.
    pub fn current_node(&self, rsc: RscIdx) -> Option<NodeIdx> {
        let rsc = self.rsc(rsc);
        let first = rsc.running_on.first().copied();
        if let Some((source, _)) = rsc.partial_migration {
            return rsc.running_on.contains(&source).then_some(source).or(first);
        }
        if rsc.meta.requires.needs_fencing() {
            return first;
        }
        rsc.running_on.iter().copied().find(|&node| self.is_clean(node)).or(first)
    }
}
