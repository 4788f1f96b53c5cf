//! How the actions of a plan are carried out: who is asked for what, and what an answer means.

use super::{Dc, PAUSE};
use crate::{
    Level,
    engine::{AbortReason, Effect as Step, Event as Told, Outcome, caution::is_connection},
    message::{Hand, LEVEL_OF_COUNTS, LEVEL_OF_NOTICES, Message, Notice, Perform},
    node::NodeMachine,
    replica::{fail_offset, failure_of, has_succeeded},
};
use std::collections::BTreeMap;
use systole_graph::{Action, ActionId, ActionKind, ResourceRef};
use systole_types::{NodeId, OpStatus, OperationKey, TransitionKey};
use systole_wire::exec::{Operation, OperationResult};

/// How much text the notifications have at most that go along with the operations of one plan: the ledger keeps them, and a copy
/// of it has to fit into a message.
const MAX_NOTICES: usize = 4 << 20;

impl NodeMachine {
    pub(super) fn perform_steps(&mut self, dc: &mut Dc, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Perform(action) => self.perform_action(dc, &action),
                Step::TimedOut(action) => {
                    self.log(Level::Error, format!("{} was not answered in time", action.key));
                    let keys = vec![transition_key(dc, &action).to_string()];
                    dc.stale.get_or_insert_with(|| format!("{} was not answered in time", action.key));
                    self.cast(Message::Overdue { keys, at: self.now.wall.0 });
                }
                Step::Finished(Outcome::Complete) => {
                    self.log(Level::Debug, format!("transition {} is complete", dc.transition));
                    if std::mem::take(&mut dc.held_back) {
                        dc.stale.get_or_insert_with(|| "what was held back may be safe now".to_owned());
                    }
                }
                // The same plan would come of it again: something has to change first.
                Step::Finished(Outcome::Incomplete(reason @ AbortReason::Circle(_))) => {
                    self.log(Level::Error, format!("transition {} was given up: {reason}", dc.transition));
                }
                Step::Finished(Outcome::Incomplete(reason)) => {
                    self.log(Level::Info, format!("transition {} was given up: {reason}", dc.transition));
                    dc.stale.get_or_insert_with(|| reason.to_string());
                }
            }
        }
    }

    fn perform_action(&mut self, dc: &mut Dc, action: &Action) {
        let name = action.node.as_ref().map(|(name, _)| name.to_string()).unwrap_or_default();
        match &action.kind {
            ActionKind::Pseudo => self.cast(Message::Remotes {
                downed: action.downed.iter().map(ToString::to_string).collect(),
                maintenance: action
                    .maintenance
                    .iter()
                    .map(|(node, is_on)| (node.to_string(), *is_on))
                    .collect(),
                action: action.id,
            }),
            ActionKind::Resource(resource) if matches!(&*action.operation, "delete" | "lrm_delete") => {
                self.cast(Message::Forget {
                    node: name,
                    resource: resource.id.to_string(),
                    action: action.id,
                });
            }
            ActionKind::Resource(resource) => match self.member_for(action) {
                Some(node) => {
                    let operation = self.foresee(operation(dc, action, resource));
                    let (by, then) = (hand(action, resource), self.notices_after(dc, action.id));
                    self.cast(Message::Perform(Box::new(Perform { node, by, operation, then })));
                }
                None => self.action_failed(dc, action, &format!("{name} is not a member of the cluster")),
            },
            ActionKind::Cluster => self.perform_cluster_action(dc, action, &name, self.member_for(action)),
        }
    }

    /// What is to be told once an action is done, for the members to keep in mind.
    fn notices_after(&self, dc: &mut Dc, action: ActionId) -> Vec<Notice> {
        if self.replica.level < LEVEL_OF_NOTICES {
            return Vec::new();
        }
        let found = dc.engine.notices_after(action);
        let shared = &*dc;
        let order = |action: &Action| {
            let ActionKind::Resource(resource) = &action.kind else { return None };
            let node = self.member_for(action)?;
            Some(Perform::new(node, hand(action, resource), operation(shared, action, resource)))
        };
        let notices = found.into_iter().map(|notice| Notice {
            after: notice.after.iter().map(|action| transition_key(shared, action).to_string()).collect(),
            tell: notice.tell.iter().filter_map(order).collect(),
        });
        let notices: Vec<Notice> = notices.collect();
        within_bounds(notices, &mut dc.n_notice_bytes)
    }

    /// The member that sees to an action: the node it is for, or the one that passes it on.
    fn member_for(&self, action: &Action) -> Option<u32> {
        let name = action.router.as_ref().or(action.node.as_ref().map(|(name, _)| name))?;
        let mut members = self.group.members().iter();
        members.find(|(_, member)| member == name.as_str()).map(|(id, _)| *id)
    }

    fn perform_cluster_action(&mut self, dc: &mut Dc, action: &Action, name: &str, member: Option<u32>) {
        match (&*action.operation, member) {
            ("stonith", _) => {
                let text = format!(
                    "{name} has to be fenced, and there is no fence device: nothing of it is recovered until an \
                     administrator confirms that it is off"
                );
                self.log(Level::Error, text);
            }
            // A probe may find something that has to be stopped before: only the next plan can tell.
            ("do_shutdown", Some(_)) if dc.engine.is_busy_on(name) => {
                dc.stale_after.get_or_insert_with(|| format!("{name} is to leave"));
            }
            ("do_shutdown", Some(node)) => self.cast(Message::Leave { node }),
            ("clear_failcount", _) => {
                let resource = about(action, "_clear_failcount_0");
                let message = Message::ClearFailure {
                    node: name.to_owned(),
                    resource,
                    operation: None,
                    action: action.id,
                };
                self.cast(message);
            }
            ("lrm_delete", _) => {
                let resource = about(action, "_lrm_delete_0");
                self.cast(Message::Forget { node: name.to_owned(), resource, action: action.id });
            }
            (other, _) => self.action_failed(dc, action, &format!("{other} is not possible on {name:?}")),
        }
    }

    fn action_failed(&mut self, dc: &mut Dc, action: &Action, why: &str) {
        self.log(Level::Error, format!("cannot perform {}: {why}", action.key));
        let steps = dc.engine.handle(self.now.mono, Told::Failed(action.id));
        self.perform_steps(dc, steps);
    }

    /// An action that the members carry out themselves was applied.
    pub(in crate::node) fn action_done(&mut self, action: ActionId) {
        self.tell_engine(Told::Confirmed(action));
    }

    /// An operation needs no answer.
    pub(in crate::node) fn operation_done(&mut self, transition_key: &str) {
        if let Some(action) = self.own_action(transition_key) {
            self.tell_engine(Told::Confirmed(action));
        }
    }

    /// Operations will not be answered. A notification that reaches nobody is as good as heard, as a monitor that reaches
    /// nobody is as good as cancelled.
    pub(in crate::node) fn operations_failed(&mut self, transition_keys: &[String]) {
        for key in transition_keys {
            let Some(id) = self.own_action(key) else { continue };
            let Some(dc) = &mut self.dc else { return };
            let action = dc.engine.in_flight(id);
            if action.is_some_and(|action| matches!(&*action.operation, "notify" | "cancel")) {
                self.tell_engine(Told::Confirmed(id));
                continue;
            }
            let what = action.map(|action| action.key.to_string()).unwrap_or_default();
            dc.pause_until = Some(self.now.mono + PAUSE);
            self.log(Level::Warning, format!("{what} has no way to its node"));
            self.tell_engine(Told::Unreachable(id));
        }
    }

    pub(super) fn tell_engine(&mut self, told: Told) {
        let Some(mut dc) = self.dc.take() else { return };
        let steps = dc.engine.handle(self.now.mono, told);
        self.perform_steps(&mut dc, steps);
        self.dc = Some(dc);
    }

    /// The action of the present transition that a transition key names: the one place where stale answers are told.
    fn own_action(&self, transition_key: &str) -> Option<ActionId> {
        let dc = self.dc.as_ref()?;
        let key: TransitionKey = transition_key.parse().ok()?;
        let is_present = *key.uuid == *dc.uuid && u64::try_from(key.transition) == Ok(dc.transition);
        ActionId::try_from(key.action)
            .ok()
            .filter(|action| is_present && dc.engine.in_flight(*action).is_some())
    }

    /// Results were recorded: the engine goes on.
    pub(in crate::node) fn results_known(&mut self, results: &[OperationResult]) {
        let late: Vec<bool> = results.iter().map(|result| self.given_up.is_late(result)).collect();
        if !self.is_dc() {
            return;
        }
        let mut changes = Vec::new();
        for (result, is_late) in results.iter().zip(late) {
            let is_over = result.status == OpStatus::Cancelled.code();
            let succeeded = is_over || has_succeeded(result);
            if !is_late {
                changes.extend(failure_of(result));
            }
            match self.own_action(&result.operation.transition_key) {
                Some(action) if succeeded => self.tell_engine(Told::Confirmed(action)),
                Some(action) => self.tell_engine(Told::Failed(action)),
                None if is_over || result.operation.operation == "notify" => {}
                None => self.plan_anew(&format!("{} has a new result", result.operation.key)),
            }
        }
        if self.replica.level >= LEVEL_OF_COUNTS {
            // They are counted by now.
            if !changes.is_empty() {
                self.plan_anew("a failure was counted");
            }
        } else if !changes.is_empty() {
            self.change_attributes(changes);
        }
    }

    /// Where an operation was run: as the graph said.
    pub(super) fn node_of(&self, operation: &Operation) -> Option<String> {
        operation.parameters.get("CRM_meta_on_node").cloned()
    }
}

/// As many as may go along beside so much of the same plan, which is counted up. The others only this DC can send.
fn within_bounds(mut notices: Vec<Notice>, n_bytes: &mut usize) -> Vec<Notice> {
    for notice in &mut notices {
        *n_bytes += notice.after.iter().map(String::len).sum::<usize>();
        notice.tell.retain(|told| {
            let parameters = told.operation.parameters.iter();
            *n_bytes += parameters.map(|(name, value)| name.len() + value.len()).sum::<usize>();
            *n_bytes <= MAX_NOTICES
        });
    }
    notices.retain(|notice| !notice.tell.is_empty());
    notices
}

/// What a resource action is carried out by.
fn hand(action: &Action, resource: &ResourceRef) -> Hand {
    match (&action.router, &action.node) {
        (Some(_), Some((node, _))) => Hand::Remote(node.to_string()),
        _ if is_connection(resource) => Hand::Connections,
        _ => Hand::Executor,
    }
}

/// The resource a cluster action is about: as it says, else as its key does.
fn about(action: &Action, suffix: &str) -> String {
    let named = action.about.as_ref().map(|resource| resource.id.to_string());
    named.unwrap_or_else(|| action.key.strip_suffix(suffix).unwrap_or(&action.key).to_owned())
}

fn transition_key(dc: &Dc, action: &Action) -> TransitionKey {
    TransitionKey {
        action: i64::from(action.id),
        transition: i64::try_from(dc.transition).unwrap_or(-1),
        target_rc: systole_types::OcfRc::from_code(
            action.meta("op_target_rc").and_then(|rc| rc.parse().ok()).unwrap_or(0),
        ),
        uuid: dc.uuid.as_str().into(),
    }
}

/// The operation's key under the name that histories know the resource by: that of an anonymous clone, not of an instance.
fn key(action: &Action, resource: &ResourceRef) -> String {
    match action.operation_key() {
        Some(key) => OperationKey { resource: resource.id.clone(), ..key }.to_string(),
        None => action.key.to_string(),
    }
}

/// What the executor is asked for.
fn operation(dc: &Dc, action: &Action, resource: &ResourceRef) -> Operation {
    let millis = |name: &str| action.meta(name).and_then(|text| text.parse().ok()).unwrap_or(0);
    let node: Option<&NodeId> = action.node.as_ref().map(|(name, _)| name);
    let mut parameters: BTreeMap<String, String> =
        action.attributes.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    if let Some(node) = node {
        parameters.entry("CRM_meta_on_node".to_owned()).or_insert_with(|| node.to_string());
    }
    let offset = match &*action.operation {
        "start" => fail_offset(&dc.offsets[0]),
        "stop" => fail_offset(&dc.offsets[1]),
        _ => None,
    };
    parameters.extend(offset);
    Operation {
        call: 0,
        key: key(action, resource),
        resource: resource.id.to_string(),
        class: resource.class.to_string(),
        provider: resource.provider.as_deref().map(str::to_owned),
        agent: resource.kind.to_string(),
        operation: action.operation.to_string(),
        interval_ms: millis("interval"),
        timeout_ms: millis("timeout"),
        start_delay_ms: millis("start_delay"),
        parameters,
        transition_key: transition_key(dc, action).to_string(),
        expected_rc: None,
        digests: Default::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notifications_of_one_plan_are_bounded_together() {
        let notice = |n_bytes: usize| {
            let operation = Operation {
                parameters: [("x".to_owned(), "y".repeat(n_bytes))].into(),
                ..crate::node::tests::operation("notify", 0)
            };
            Notice { after: Default::default(), tell: vec![Perform::new(1, Hand::Executor, operation)] }
        };
        let mut n_bytes = 0;
        let lens = [MAX_NOTICES / 2, MAX_NOTICES / 2 - 2, 0]
            .map(|len| within_bounds(vec![notice(len)], &mut n_bytes).len());
        assert_eq!(lens, [1, 1, 0]);
    }
}
