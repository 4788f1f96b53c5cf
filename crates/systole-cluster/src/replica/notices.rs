//! Notifications that are still to be sent: what a plan owes to copies once its operations are done.
//!
//! The DC that has made the plan sends them, and each that is sent is struck off here. What the next DC finds to be due, it
//! sends: after a change of the membership the plan is gone, and a new one knows what was done as done.

use super::has_succeeded;
use crate::message::{Ledger, Perform};
use systole_types::TransitionKey;
use systole_wire::exec::OperationResult;

impl Ledger {
    /// An operation is asked for: what follows it is owed from now on, and it is not owed itself any more if it is a
    /// notification. Where it is the first of another plan, what earlier ones still owed is void: copies have heard it, or the
    /// operations that it was to tell of were never done.
    pub(super) fn owe(&mut self, perform: &Perform) {
        let key = &perform.operation.transition_key;
        let plan = plan_of(key);
        for notice in &mut self.notices {
            let is_owed = |told: &Perform| {
                let owed = &told.operation.transition_key;
                owed != key && plan_of(owed) == plan
            };
            notice.tell.retain(is_owed);
        }
        self.notices.extend(perform.then.iter().cloned());
        self.notices.retain(|notice| !notice.tell.is_empty());
    }

    /// An operation has a result. What is told of one that failed is never due.
    pub(super) fn follow(&mut self, result: &OperationResult) {
        let operation = &result.operation;
        let may_fail = operation.parameters.get("CRM_meta_can_fail").is_some_and(|value| value == "true");
        if may_fail || has_succeeded(result) {
            self.notices.iter_mut().for_each(|notice| _ = notice.after.remove(&operation.transition_key));
        }
    }

    /// Notifications of which all that they tell of is done.
    pub fn owed(&self) -> impl Iterator<Item = &Perform> {
        self.notices.iter().filter(|notice| notice.after.is_empty()).flat_map(|notice| &notice.tell)
    }

    /// Whoever these operations were or are to be asked of is gone. Returns the transition keys of those that were in flight.
    pub(super) fn give_up(&mut self, is_gone: impl Fn(&Perform) -> bool) -> Vec<String> {
        let gone = self.in_flight.iter().filter(|(_, perform)| is_gone(perform));
        let gone: Vec<String> = gone.map(|(key, _)| key.clone()).collect();
        self.in_flight.retain(|_, perform| !is_gone(perform));
        for notice in &mut self.notices {
            notice.tell.retain(|told| !is_gone(told));
        }
        self.notices.retain(|notice| !notice.tell.is_empty());
        gone
    }
}

/// The plan that a transition key belongs to: its number, and the DC that has made it.
fn plan_of(transition_key: &str) -> Option<(i64, std::sync::Arc<str>)> {
    let key: TransitionKey = transition_key.parse().ok()?;
    Some((key.transition, key.uuid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Hand, Notice};
    use systole_types::OcfRc;
    use systole_wire::exec::Operation;

    const UUID: &str = "12345678-1234-1234-1234-123456789012";

    fn operation(name: &str, action: u32, plan: u32) -> Operation {
        Operation {
            call: 0,
            key: format!("p_{name}_0"),
            resource: "p".to_owned(),
            class: "ocf".to_owned(),
            provider: None,
            agent: "Stateful".to_owned(),
            operation: name.to_owned(),
            interval_ms: 0,
            timeout_ms: 0,
            start_delay_ms: 0,
            parameters: Default::default(),
            transition_key: format!("{action}:{plan}:0:{UUID}"),
            expected_rc: None,
            digests: Default::default(),
        }
    }

    fn asked(name: &str, action: u32, plan: u32) -> Perform {
        Perform::new(1, Hand::Executor, operation(name, action, plan))
    }

    /// Two promotions under way, of which nodes 1 and 2 are to be told by actions 3 and 4.
    fn ledger() -> Ledger {
        let after = [1, 2].map(|action| operation("promote", action, 7).transition_key).into();
        let second = Perform { node: 2, ..asked("notify", 4, 7) };
        let then = vec![Notice { after, tell: vec![asked("notify", 3, 7), second] }];
        let mut ledger = Ledger::default();
        ledger.owe(&Perform { then, ..asked("promote", 1, 7) });
        ledger.owe(&asked("promote", 2, 7));
        ledger
    }

    fn ended(ledger: &mut Ledger, action: u32, rc: OcfRc) {
        ledger.follow(&OperationResult {
            number: 1,
            operation: operation("promote", action, 7),
            rc: rc.code(),
            status: systole_types::OpStatus::Done.code(),
            exit_reason: String::new(),
            at: 0,
            exec_ms: 0,
            queue_ms: 0,
        });
    }

    /// Numbers of the actions that are due.
    fn due(ledger: &Ledger) -> Vec<String> {
        let keys = ledger.owed().map(|told| told.operation.transition_key.clone());
        keys.map(|key| key.split(':').next().unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn a_notification_is_due_when_all_that_it_tells_of_is_done_and_until_it_is_sent() {
        let mut ledger = ledger();
        ended(&mut ledger, 1, OcfRc::Ok);
        assert_eq!(due(&ledger), [""; 0]);
        ended(&mut ledger, 2, OcfRc::Ok);
        assert_eq!(due(&ledger), ["3", "4"]);
        ledger.owe(&asked("notify", 3, 7));
        assert_eq!(due(&ledger), ["4"]);
        ledger.owe(&asked("notify", 4, 7));
        assert_eq!(ledger.notices, []);
    }

    #[test]
    fn nothing_is_due_of_what_failed_and_nothing_is_owed_of_an_earlier_plan_or_to_who_is_gone() {
        let mut one = ledger();
        ended(&mut one, 1, OcfRc::Ok);
        ended(&mut one, 2, OcfRc::Error);
        assert_eq!(due(&one), [""; 0]);
        one.owe(&asked("start", 1, 8));
        assert_eq!(one.notices, []);
        let mut other = ledger();
        [1, 2].into_iter().for_each(|action| ended(&mut other, action, OcfRc::Ok));
        other.give_up(|perform| perform.node == 2);
        assert_eq!(due(&other), ["3"]);
    }
}
