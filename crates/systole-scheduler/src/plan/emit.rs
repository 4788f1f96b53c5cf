//! Writing the plan down: which actions and inputs are in the graph, and in which sequence.

use super::{
    action::{ActIdx, Flags},
    draft::Draft,
    relation::Relation,
    task::{Key, Task},
    told::Cache,
};
use crate::{
    RscIdx, rules,
    status::{Kind, leading_integer},
};
use std::{sync::Arc, time::Duration};
use systole_graph::{ActionKind, Synapse, TransitionGraph};
use systole_types::{NodeUuid, parse_duration};

/// What has been written down so far, and what is of use for the rest.
struct Written {
    synapses: Vec<Synapse>,
    cache: Cache,
    /// The priority of the resource that was written last: so do its actions.
    priority: Option<(RscIdx, i32)>,
    /// By action, what follows from links that come from it; all `NONE` but while inputs are merged.
    relations: Vec<Relation>,
}

impl Draft<'_, '_> {
    /// Writes the plan down.
    pub(super) fn emit(&mut self) -> TransitionGraph {
        // What rules about parameters say of the time comes too late for the moment to look again, as in the reference.
        self.note_rules_of_operations();
        let properties = self.graph_properties();
        let relations = vec![Relation::NONE; self.actions.len()];
        let mut written = Written {
            synapses: Vec::with_capacity(self.actions.len()),
            cache: Cache::new(),
            priority: None,
            relations,
        };
        for root in self.roots() {
            self.emit_resource(root, &mut written);
        }
        self.add_maintenance_update();
        for i in (0..self.actions.len()).rev() {
            self.emit_action(ActIdx(u32::try_from(i).expect("an action's index")), &mut written);
        }
        let mut synapses = written.synapses;
        self.drop_missing_inputs(&mut synapses);
        TransitionGraph { properties, synapses }
    }

    /// Numbers the actions of a graph anew, without gaps: what was considered besides does not show.
    pub(super) fn number_densely(&self, graph: &mut TransitionGraph) {
        let mut numbers = vec![0; self.actions.len() + 1];
        graph.synapses.iter().for_each(|synapse| numbers[synapse.action.id as usize] = 1);
        let mut n = 0;
        for number in &mut numbers {
            n += *number;
            *number = n;
        }
        for synapse in &mut graph.synapses {
            synapse.action.id = numbers[synapse.action.id as usize];
            synapse.inputs.iter_mut().for_each(|input| *input = numbers[*input as usize]);
        }
    }

    /// Rules about operations may say when to look again, for every action that was thought of.
    fn note_rules_of_operations(&self) {
        let is_general = rules::are_in(&self.status.cib.operation_defaults);
        for action in &self.actions {
            let Some(rsc) = action.rsc else { continue };
            let primitive = self.r(rsc).primitive();
            let operations = primitive.map_or(&[][..], |own| &own.definition.operations);
            let interval = Duration::from_millis(action.key.interval_ms().into());
            // The timeout of a fence device's start or probe is among its parameters.
            let asks_device = matches!(action.key, Key::Op(Task::Start, 0) | Key::Op(Task::Monitor, 0))
                && primitive
                    .is_some_and(|own| own.is_fence_device && rules::are_in(&own.definition.parameters));
            if asks_device {
                self.status.parameters(rsc, action.node);
            }
            if is_general || asks_device || operations.iter().any(|operation| rules::are_in(&operation.meta))
            {
                self.status.op_meta(rsc, self.task_names.text(action.made_as), interval);
            }
            if let Some(node) = action.node
                && operations.iter().any(|operation| rules::are_in(&operation.parameters))
            {
                self.status.operation_parameters(rsc, node, self.task_names.text(action.made_as), interval);
            }
        }
    }

    fn graph_properties(&self) -> Vec<(Arc<str>, Arc<str>)> {
        let options = &self.status.options;
        let raw = |names: &[&str], default: &str| -> Arc<str> {
            names.iter().find_map(|name| options.raw.get(*name)).cloned().unwrap_or_else(|| default.into())
        };
        let batch_limit = raw(&["batch-limit"], "0");
        let batch_limit = if batch_limit.parse::<i64>().is_ok() { batch_limit } else { "0".into() };
        let delay = |names: &[&str]| match raw(names, "60s") {
            given if parse_duration(&given).is_ok() => given,
            _ => "60s".into(),
        };
        let start_offset = if options.start_failure_is_fatal { "INFINITY" } else { "1" };
        let mut properties: Vec<(Arc<str>, Arc<str>)> = vec![
            ("cluster-delay".into(), delay(&["cluster-delay"])),
            ("fencing-timeout".into(), delay(&["fencing-timeout", "stonith-timeout"])),
            ("failed-stop-offset".into(), "INFINITY".into()),
            ("failed-start-offset".into(), start_offset.into()),
            ("batch-limit".into(), batch_limit),
            ("transition_id".into(), "1".into()),
        ];
        let limit = raw(&["migration-limit"], "-1");
        if leading_integer(&limit) > 0 {
            properties.push(("migration-limit".into(), limit));
        }
        if let Some(at) = self.status.recheck.earliest() {
            properties.push(("recheck-by".into(), at.0.to_string().into()));
        }
        properties
    }

    fn emit_resource(&mut self, rsc: RscIdx, written: &mut Written) {
        match &self.r(rsc).kind {
            Kind::Primitive(_) | Kind::Group(_) => {
                self.emit_own(rsc, written);
                for &child in &self.r(rsc).children {
                    self.emit_resource(child, written);
                }
            }
            Kind::Clone(_) => {
                for action in self.list_actions_of(rsc).into_iter().rev() {
                    self.effective_flags(action, None);
                }
                self.send_notifications(rsc);
                for &child in self.parts(rsc) {
                    self.emit_resource(child, written);
                }
                self.emit_own(rsc, written);
            }
            Kind::Bundle(bundle) => {
                if let Some(inner) = bundle.inner {
                    self.emit_resource(inner, written);
                }
                for replica in &bundle.replicas {
                    let parts = [replica.ip, Some(replica.container), replica.remote];
                    parts.into_iter().flatten().for_each(|part| self.emit_resource(part, written));
                }
            }
        }
    }

    fn emit_own(&mut self, rsc: RscIdx, written: &mut Written) {
        for n in (0..self.n_actions_of(rsc)).rev() {
            self.emit_action(self.nth_action_of(rsc, n), written);
        }
    }

    fn emit_action(&mut self, action: ActIdx, written: &mut Written) {
        if self.is(action, Flags::IN_GRAPH) || !self.is_shown(action) {
            return;
        }
        let flags = self.a(action).flags;
        self.a_mut(action).flags = flags.with(Flags::IN_GRAPH);
        self.merge_inputs(action, &mut written.relations);
        let inputs = self.inputs(action);
        let priority = match (self.a(action).rsc, written.priority) {
            (None, _) => 0,
            (Some(rsc), Some((known, priority))) if rsc == known => priority,
            (Some(rsc), _) => written.priority.insert((rsc, self.priority(rsc))).1,
        };
        let priority = priority.max(self.a(action).priority).max(0);
        let action = self.written(action, &mut written.cache);
        written.synapses.push(Synapse { priority, action, inputs });
    }

    /// Instances of a promotable clone have the clone's priority, whatever their own.
    fn priority(&self, rsc: RscIdx) -> i32 {
        let clone =
            self.r(rsc).parent.filter(|parent| self.r(*parent).is_promotable && self.r(*parent).is_clone());
        let of = clone.unwrap_or(rsc);
        let changed = self.placement.priorities.get(&of).copied();
        changed.unwrap_or_else(|| self.r(of).meta.priority.value())
    }

    /// Whether an action is in the graph.
    fn is_shown(&self, action: ActIdx) -> bool {
        let action = self.a(action);
        if !action.flags.has(Flags::RUNNABLE) {
            return false;
        }
        if action.flags.has(Flags::OPTIONAL) && !action.flags.has(Flags::ALWAYS_SHOWN) {
            return false;
        }
        let is_once = action.key.interval_ms() == 0;
        let is_unmanaged = action.rsc.is_some_and(|rsc| !self.rsc[rsc.i()].managed);
        if is_unmanaged && action.task != Task::Monitor && is_once {
            return false;
        }
        if action.flags.has(Flags::PSEUDO) || matches!(action.task, Task::Fence | Task::Shutdown) {
            return true;
        }
        let Some(node) = action.node else { return false };
        let state = self.node[node.i()];
        let is_reachable_guest = self.status.node(node).is_guest() && !state.reset;
        action.flags.has(Flags::ON_DC) || is_reachable_guest || (state.online && !state.unclean)
    }

    /// Several links between the same two actions count as one with all that follows from each.
    fn merge_inputs(&mut self, action: ActIdx, merged: &mut Vec<Relation>) {
        // Notifications are made on the way.
        merged.resize(self.actions.len(), Relation::NONE);
        let before = &self.actions[action.i()].before;
        for &link in before.iter() {
            let link = &self.links[link as usize];
            merged[link.first.i()] |= link.relation;
        }
        for &link in before.iter() {
            let link = &mut self.links[link as usize];
            link.relation = merged[link.first.i()];
        }
        for &link in before.iter() {
            merged[self.links[link as usize].first.i()] = Relation::NONE;
        }
    }

    fn inputs(&self, action: ActIdx) -> Vec<u32> {
        let links = self.a(action).before.iter().filter(|link| self.is_input(action, **link));
        let mut inputs: Vec<u32> = links.map(|&link| self.links[link as usize].first.0 + 1).collect();
        inputs.sort_unstable();
        inputs.dedup();
        inputs
    }

    /// Whether what a link comes from is waited for in the graph.
    pub(super) fn is_input(&self, then: ActIdx, link: u32) -> bool {
        let link = self.links[link as usize];
        let (first, relation) = (link.first, link.relation);
        let (before, after) = (self.a(first), self.a(then));
        let flags = before.flags;
        let is_mere_order = !relation.has_any(Relation(
            !(Relation::ORDERED.0 | Relation::THEN_SHOWS_FIRST.0 | Relation::FIRST_SHOWS_THEN.0),
        ));
        let is_stop = matches!(before.key, Key::Op(Task::Stop, 0));
        if relation == Relation::NONE {
            return false;
        }
        if !flags.has(Flags::RUNNABLE)
            && (is_mere_order || relation.has_any(Relation::ENOUGH_OF_FIRST | Relation::STEP_OF_MIGRATION))
        {
            return false;
        }
        let migrates = flags.has(Flags::MIGRATABLE);
        if migrates
            && (relation.has(Relation::UNLESS_FIRST_MIGRATES) || (relation == Relation::ORDERED && is_stop))
        {
            return false;
        }
        if relation == Relation::IF_SAME_NODE_OR_TARGET {
            if let Some(rsc) = after.rsc.filter(|_| after.task == Task::MigrateTo) {
                return before.node == self.assigned[rsc.i()];
            }
            return before.node == after.node && !flags.has(Flags::OPTIONAL);
        }
        if relation == Relation::IF_REQUIRED_ON_SAME_NODE {
            let elsewhere = before.node.is_some() && after.node.is_some() && before.node != after.node;
            return !elsewhere && !flags.has(Flags::OPTIONAL);
        }
        if let (Some(first_rsc), true) = (before.rsc.filter(|_| before.rsc != after.rsc), is_stop) {
            let state = &self.rsc[first_rsc.i()];
            if state.failed && !state.managed && after.rsc.is_some_and(|rsc| self.r(rsc).is_clone()) {
                return false;
            }
        }
        !flags.has(Flags::OPTIONAL) || flags.has(Flags::ALWAYS_SHOWN)
    }

    /// Inputs that turned out not to be in the graph cannot be waited for. An agent's operation that cannot be without one
    /// of them (a monitor without the start, say) is left out.
    fn drop_missing_inputs(&mut self, synapses: &mut Vec<Synapse>) {
        let is_there = |draft: &Self, id: u32| draft.is(ActIdx(id - 1), Flags::IN_GRAPH);
        loop {
            let is_in_vain = |synapse: &Synapse| {
                let missing: Vec<u32> =
                    synapse.inputs.iter().copied().filter(|&id| !is_there(self, id)).collect();
                matches!(synapse.action.kind, ActionKind::Resource(_))
                    && missing.into_iter().any(|id| self.cannot_be_without(synapse.action.id, id))
            };
            let in_vain: Vec<u32> = synapses
                .iter()
                .filter(|synapse| is_in_vain(synapse))
                .map(|synapse| synapse.action.id)
                .collect();
            if in_vain.is_empty() {
                break;
            }
            for &id in &in_vain {
                self.unset(ActIdx(id - 1), Flags::IN_GRAPH.with(Flags::RUNNABLE));
            }
            synapses.retain(|synapse| is_there(self, synapse.action.id));
        }
        for synapse in synapses {
            synapse.inputs.retain(|&id| is_there(self, id));
        }
    }

    /// Whether an action makes no sense without another, which cannot be carried out.
    fn cannot_be_without(&self, then: u32, first: u32) -> bool {
        let first = ActIdx(first - 1);
        let links = self.a(ActIdx(then - 1)).before.iter().map(|&link| self.links[link as usize]);
        let mut links = links.filter(|link| link.first == first);
        !self.is(first, Flags::RUNNABLE) && links.any(|link| link.relation.has(Relation::FIRST_ENABLES_THEN))
    }

    /// Tells remote and guest nodes that their maintenance mode has changed.
    fn add_maintenance_update(&mut self) {
        if !self.maintenance_changes().is_empty() {
            let update = self.pseudo("maintenance_nodes");
            self.set(update, Flags::ALWAYS_SHOWN);
        }
    }

    pub(super) fn maintenance_changes(&self) -> Vec<(NodeUuid, bool)> {
        let nodes = self.status.nodes_by_name.iter().map(|&node| self.status.node(node));
        let changed =
            nodes.filter(|node| node.is_remote_or_guest() && node.maintenance != node.remote_maintenance);
        changed.map(|node| (node.uuid.clone(), node.maintenance)).collect()
    }
}
