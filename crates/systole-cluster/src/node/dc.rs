//! What the DC does: tells the CIB of the membership, has the scheduler plan, has the plan carried out.
//!
//! A new DC starts from the replica alone. It plans when every member's executor is there, every lost node was waited
//! for, and every operation of an earlier plan was answered.

mod actions;
mod uncertain;
mod without_executor;

use super::{
    NodeMachine,
    isolation::{input_of_one_kept_out, run_nothing},
};
use crate::{
    Effect, Level,
    engine::{AbortReason, Busy, CLUSTER_DELAY, Engine, Event as Told, caution::amend},
    executor::begins_something,
    message::{LEVEL_OF_WITHDRAWALS, MembershipUpdate, Message, NodeUpdate, Perform, Standing},
};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    time::Duration,
};
use systole_cib::{View, model::Cib};
use systole_graph::TransitionGraph;
use systole_types::{Monotonic, NodeId, ResourceId, Timestamp, parse_duration};
use systole_wire::exec::Operation;
use uncertain::sorted_out;
use without_executor::{leave_out, put_in_maintenance, take_for_off};

/// How long a daemon may take to come back before its node counts as lost: a restart must not move resources.
const RESTART_GRACE: Duration = Duration::from_secs(2);
/// How long a member's executor may take to come before planning goes on without it.
const ATTACH_PATIENCE: Duration = Duration::from_secs(10);
/// The same, where it is not known what the member runs: after all daemons were restarted at once, or when it is back from another
/// partition, that is known to its executor alone.
const UNKNOWN_PATIENCE: Duration = Duration::from_secs(60);
/// `cluster-recheck-interval` where the configuration does not say.
const RECHECK_INTERVAL: Duration = Duration::from_secs(15 * 60);
/// How long the DC waits after a plan that could not reach a node, lest it make one plan after another.
const PAUSE: Duration = Duration::from_secs(1);
/// How much longer than its timeout an operation of an earlier plan may take: the same as one of a present plan.
const ANSWER_PATIENCE: Duration = CLUSTER_DELAY;

/// The DC's own state; nothing of it is needed by its successor.
#[derive(Debug)]
pub(super) struct Dc {
    /// Made anew for each DC, so that results of another's plans are told apart.
    uuid: String,
    /// The number of the present or last transition.
    transition: u64,
    engine: Engine,
    /// How much text of notifications has gone along with its operations.
    n_notice_bytes: usize,
    /// What the ledger had counted of changes when it was planned.
    planned_at: u64,
    since: Monotonic,
    /// The CIB, kept up from plan to plan.
    view: View,
    /// What the CIB was last told.
    published: Option<Vec<NodeUpdate>>,
    /// Members without executor that it was last planned around.
    without_executor: BTreeSet<NodeId>,
    /// Why a new plan is needed, if it is.
    stale: Option<String>,
    /// The same, but the present plan may be carried out to its end first.
    stale_after: Option<String>,
    recheck_at: Option<Monotonic>,
    /// Whether something was taken out of the present plan that may be known to be safe once that is carried out.
    held_back: bool,
    /// Whether attributes that a former DC held back are still to be written.
    takes_over_held: bool,
    /// Attributes that are held back: how often they had changed when their time began, and when it ends.
    held: BTreeMap<String, (u64, Monotonic)>,
    /// Until when no new plan is made, since the last one could not be carried out.
    pause_until: Option<Monotonic>,
    /// When to stop waiting for nodes or answers.
    wake_at: Option<Monotonic>,
    /// What was to be begun by a plan that is out of date, and was asked back: transition keys.
    asked_back: BTreeSet<String>,
    /// When operations of an earlier plan are given up, by transition key.
    deadlines: BTreeMap<String, Monotonic>,
    /// Failcounts after a failed start and a failed stop, as the last graph had them.
    offsets: [String; 2],
}

impl Dc {
    pub fn new(seed: u128, term: u64, now: Monotonic) -> Self {
        Self {
            uuid: uuid(seed, term),
            transition: 0,
            engine: Engine::new(),
            n_notice_bytes: 0,
            planned_at: 0,
            since: now,
            view: View::default(),
            published: None,
            without_executor: BTreeSet::new(),
            stale: Some("a new DC was elected".to_owned()),
            stale_after: None,
            recheck_at: None,
            held_back: false,
            takes_over_held: true,
            held: BTreeMap::new(),
            pause_until: None,
            wake_at: None,
            asked_back: BTreeSet::new(),
            deadlines: BTreeMap::new(),
            offsets: ["INFINITY".to_owned(), "INFINITY".to_owned()],
        }
    }

    pub fn next_deadline(&self) -> Option<Monotonic> {
        let deadlines = self.deadlines.values().min().copied();
        let held = self.held.values().map(|(_, due)| *due).min();
        let own =
            [held, self.engine.next_deadline(), self.recheck_at, self.wake_at, self.pause_until, deadlines];
        own.into_iter().flatten().min()
    }
}

/// A UUID out of random bits: another one for each `term`.
fn uuid(seed: u128, term: u64) -> String {
    let mixed = seed.rotate_left((term % 128) as u32) ^ (u128::from(term) << 64) ^ u128::from(term);
    let digits = format!("{mixed:032x}");
    let mut text = String::with_capacity(36);
    for (idx, digit) in digits.chars().enumerate() {
        let dash = if [8, 12, 16, 20].contains(&idx) { "-" } else { "" };
        write!(text, "{dash}{digit}").expect("text grows");
    }
    text
}

impl NodeMachine {
    /// What this node waits for as the DC, for people who look for the reason why nothing happens; nothing if it is not.
    pub fn waits_for(&self) -> Vec<String> {
        let Some(dc) = self.dc.as_ref().filter(|_| self.is_dc()) else { return Vec::new() };
        let sent = dc.engine.all_in_flight().map(|action| format!("action {}", action.key));
        let ledger = &self.replica.ledger;
        let asked = self
            .unanswered()
            .map(|perform| format!("answer to {} of {:?}", perform.operation.key, perform.by));
        let connections = ledger.connections.iter().filter(|(_, entry)| !entry.attached && !entry.lost);
        let connections = connections.map(|(name, _)| format!("connection to {name}"));
        let casts = self.has_casts_under_way().then(|| "messages on their way".to_owned());
        let stale =
            dc.stale.clone().or(dc.stale_after.clone()).map(|why| format!("a new plan, because {why}"));
        sent.chain(asked).chain(connections).chain(casts).chain(stale).collect()
    }

    /// The present plan, if there is one, may be out of date.
    pub(super) fn plan_anew(&mut self, why: &str) {
        if let Some(dc) = &mut self.dc {
            dc.stale.get_or_insert_with(|| why.to_owned());
        }
    }

    /// As [`Self::plan_anew`], but the present plan is carried out to its end first.
    pub(super) fn plan_after_this(&mut self, why: &str) {
        if let Some(dc) = &mut self.dc {
            dc.stale_after.get_or_insert_with(|| why.to_owned());
        }
    }

    /// A member's executor is away: what it was asked back in vain while it was there, may wait for it now.
    pub(super) fn ask_back_anew(&mut self) {
        if let Some(dc) = &mut self.dc {
            dc.asked_back.clear();
        }
    }

    /// Nothing more of the present plan is to be sent.
    pub(super) fn give_up_plan(&mut self, why: &str) {
        self.plan_anew(why);
        self.tell_engine(Told::Abort(AbortReason::Changed(why.to_owned())));
    }

    /// Does what the DC has to do now, if this node is the DC. Called after every event.
    pub(super) fn direct(&mut self) {
        if !self.is_dc() {
            self.dc = None;
        }
        let Some(mut dc) = self.dc.take() else { return };
        self.direct_as(&mut dc);
        self.dc = Some(dc);
    }

    fn direct_as(&mut self, dc: &mut Dc) {
        let now = self.now.mono;
        let steps = dc.engine.handle(now, Told::DeadlineReached);
        self.perform_steps(dc, steps);
        self.give_up_overdue(dc);
        self.write_out_due_attributes(dc);
        dc.pause_until.take_if(|until| *until <= now);
        dc.wake_at = None;
        if dc.recheck_at.is_some_and(|at| at <= now) {
            dc.recheck_at = None;
            dc.stale.get_or_insert_with(|| "the time for a regular check has come".to_owned());
        }
        let Some(standings) = self.standings(dc) else { return };
        if dc.published.as_ref() != Some(&standings) {
            return self.publish(dc, standings);
        }
        if self.has_casts_under_way() {
            return;
        }
        if let Some(why) = self.reason_to_give_up(dc).filter(|_| dc.engine.is_busy()) {
            let steps = dc.engine.handle(now, Told::Abort(AbortReason::Changed(why)));
            self.perform_steps(dc, steps);
        }
        self.ask_back(dc);
        if !dc.engine.is_busy() {
            self.tell_what_is_owed();
        }
        if dc.engine.is_busy() || self.has_casts_under_way() || self.awaits_answers() {
            return;
        }
        if dc.pause_until.is_some() {
            return;
        }
        let stale_after = dc.stale_after.take();
        match dc.stale.take().or(stale_after) {
            Some(why) => self.plan(dc, &why),
            None => self.rest(),
        }
    }

    /// Why the present plan is not to be carried out further. Fencing may take until an administrator comes: another plan
    /// that is to follow this one does not wait for that, if anything is different from when this one was made.
    fn reason_to_give_up(&self, dc: &Dc) -> Option<String> {
        let is_at_its_end = dc.engine.waits_for_fencing() && dc.planned_at != self.replica.ledger.changes;
        dc.stale.clone().or_else(|| dc.stale_after.clone().filter(|_| is_at_its_end))
    }

    /// How every known node stands; `None` while that is not certain yet.
    fn standings(&mut self, dc: &mut Dc) -> Option<Vec<NodeUpdate>> {
        let mut updates = Vec::new();
        for (id, name) in self.replica.known_nodes() {
            let standing = if self.group.is_member(id) {
                self.standing_of_member(dc, id, &name)?
            } else if self.replica.node_state(&name).is_none() {
                // The replica comes from disk. Whoever is not here yet may be restarting, with all its resources.
                if !self.patience_over(dc, RESTART_GRACE) {
                    return None;
                }
                continue;
            } else if !self.was_member(&name) {
                continue;
            } else {
                self.standing_of_absent(dc, id, &name)?
            };
            updates.push(NodeUpdate { id, name, standing });
        }
        (!self.awaits_connections() || self.patience_over(dc, ATTACH_PATIENCE)).then_some(updates)
    }

    /// Whether some member has not taken up again a connection it holds. Before that, its remote node cannot be reached.
    fn awaits_connections(&self) -> bool {
        let mut connections = self.replica.ledger.connections.values();
        connections.any(|entry| !entry.attached && !entry.lost && self.group.is_member(entry.host))
    }

    /// One whose executor is away is planned around.
    fn standing_of_member(&self, dc: &mut Dc, id: u32, name: &str) -> Option<Standing> {
        if self.replica.ledger.nodes.get(&id).is_some_and(|entry| entry.attached) {
            return Some(Standing::Member);
        }
        let may_run = self.may_run_without_executor(id, name);
        let without = if may_run { Standing::Stranded } else { Standing::Pending };
        // Where a replica from disk has no state of a node that is no new one, anything may run there; and what a partition has done
        // that was apart, may be known to the executor alone.
        let is_unknown = match self.replica.node_state(name) {
            None => self.replica.is_configured(id),
            Some(state) => may_run && state.attr("in_ccm") == Some("false"),
        };
        let patience = if is_unknown { UNKNOWN_PATIENCE } else { ATTACH_PATIENCE };
        self.patience_over(dc, patience).then_some(without)
    }

    /// One that has left in good order is off, but not if it has left something running, as in maintenance mode.
    fn standing_of_absent(&self, dc: &mut Dc, id: u32, name: &str) -> Option<Standing> {
        if self.replica.has_left(id) {
            let runs_on = self.replica.has_left_running(id, name);
            return Some(if runs_on { Standing::Stranded } else { Standing::Off });
        }
        self.patience_over(dc, RESTART_GRACE).then_some(Standing::Lost)
    }

    /// Whether so much time has passed since the membership changed; if not, the DC wakes up then.
    fn patience_over(&self, dc: &mut Dc, patience: Duration) -> bool {
        let until = dc.since + patience;
        if self.now.mono < until {
            dc.wake_at = Some(dc.wake_at.map_or(until, |at| at.min(until)));
        }
        self.now.mono >= until
    }

    /// Whether the CIB takes a node for one that is or was lost as a member.
    fn was_member(&self, name: &str) -> bool {
        let state = self.replica.node_state(name);
        state.is_some_and(|state| {
            state.attr("in_ccm") != Some("false") || state.attr("expected") == Some("member")
        })
    }

    fn publish(&mut self, dc: &mut Dc, standings: Vec<NodeUpdate>) {
        for update in standings.iter().filter(|update| update.standing == Standing::Lost) {
            let text = format!("{} is lost: until it is fenced, what ran there may still run", update.name);
            self.log(Level::Warning, text);
        }
        dc.published = Some(standings.clone());
        let update = MembershipUpdate {
            dc: self.group.own_id(),
            has_quorum: self.group.has_quorum(),
            version: self.config.version.clone(),
            stack: self.config.stack.clone(),
            nodes: standings,
            at: self.now.wall.0,
        };
        self.cast(Message::Membership(update));
    }

    /// A CIB that replaced the old one may not know the cluster's nodes, or how they stand, or what the cluster is made
    /// of: it is written down again.
    pub(super) fn publish_what_is_missing(&mut self) {
        let is_missing = !self.replica.has_own_properties()
            || self.group.members().iter().any(|(id, name)| {
                !self.replica.is_configured(*id) || self.replica.node_state(name).is_none()
            });
        if let Some(dc) = self.dc.as_mut().filter(|_| is_missing) {
            dc.published = None;
        }
    }

    pub(super) fn membership_published(&mut self, update: &MembershipUpdate) {
        let (is_new, given_up) = self.replica.apply_membership(update);
        if is_new {
            self.configuration_changed();
        }
        self.close_unwanted();
        self.operations_failed(&given_up);
        self.say_own_changes_again();
        self.plan_anew("the membership changed");
    }

    /// Operations asked of members and not answered, by an earlier plan too, perhaps another DC's.
    fn unanswered(&self) -> impl Iterator<Item = &Perform> {
        self.replica.ledger.in_flight.values().filter(|perform| self.group.is_member(perform.node))
    }

    /// Sends the notifications that an earlier plan owes for what was done: a new plan will know that as done, and tell nobody.
    fn tell_what_is_owed(&mut self) {
        let can_hear = |told: &&Perform| self.group.is_member(told.node) && self.replica.can_reach(told);
        let owed: Vec<Perform> = self.replica.ledger.owed().filter(can_hear).cloned().collect();
        for told in owed {
            self.cast(Message::Perform(Box::new(told)));
        }
    }

    /// Whether a new plan has to wait for answers. What comes of a notification changes no plan.
    fn awaits_answers(&self) -> bool {
        let mut open = self.unanswered().filter(|perform| self.can_be_answered(perform));
        open.any(|perform| perform.operation.operation != "notify")
    }

    /// What a plan that is out of date was to have begun is asked back from members whose executors are away: it was decided on what
    /// may not be so any more by the time they are back. So are its probes, which would keep everything waiting.
    fn ask_back(&mut self, dc: &mut Dc) {
        if dc.stale.is_none() || self.replica.level < LEVEL_OF_WITHDRAWALS {
            return;
        }
        dc.asked_back.retain(|key| self.replica.ledger.in_flight.contains_key(key));
        // Of what is stopped there, or monitored, a state is on record that must not be forgotten with it.
        let is_probe = |it: &Operation| it.operation == "monitor" && it.interval_ms == 0;
        let operations = self.unanswered().map(|perform| &perform.operation);
        let operations = operations.filter(|it| begins_something(it) || is_probe(it));
        let keys = operations.map(|operation| operation.transition_key.clone());
        let keys: Vec<String> = keys.filter(|key| !dc.asked_back.contains(key)).collect();
        if !keys.is_empty() {
            dc.asked_back.extend(keys.iter().cloned());
            self.cast(Message::Withdraw { keys });
        }
    }

    /// Operations that nobody waits for by an engine have a deadline here.
    fn give_up_overdue(&mut self, dc: &mut Dc) {
        let now = self.now.mono;
        let in_flight = &self.replica.ledger.in_flight;
        dc.deadlines.retain(|key, _| in_flight.get(key).is_some_and(|perform| self.can_be_answered(perform)));
        let open = in_flight.iter().filter(|(_, perform)| self.can_be_answered(perform));
        let (told, asked): (Vec<_>, Vec<_>) =
            open.partition(|(_, perform)| perform.operation.operation == "notify");
        for (key, perform) in told.iter().chain(&asked) {
            if dc.deadlines.contains_key(*key) {
                continue;
            }
            // It is not begun before a notification is answered that went there earlier.
            let earlier = told.iter().filter(|(_, told)| told.is_to_the_same(perform));
            let begins =
                earlier.filter_map(|(key, _)| dc.deadlines.get(*key).copied()).fold(now, Monotonic::max);
            let limit = Duration::from_millis(perform.operation.timeout_ms) + ANSWER_PATIENCE;
            dc.deadlines.insert((*key).clone(), begins + limit);
        }
        let late = |deadline: &Monotonic| *deadline <= now;
        let keys: Vec<String> =
            dc.deadlines.iter().filter(|(_, at)| late(at)).map(|(key, _)| key.clone()).collect();
        if !keys.is_empty() {
            dc.deadlines.retain(|_, deadline| !late(deadline));
            self.cast(Message::Overdue { keys, at: self.now.wall.0 });
        }
    }

    /// Writes attributes that were held back for as long as they should be.
    fn write_out_due_attributes(&mut self, dc: &mut Dc) {
        let now = self.now.mono;
        let held: BTreeMap<&String, (u64, u64)> = self
            .replica
            .held_attributes()
            .map(|(name, entry)| (name, (entry.n_changes, entry.delay_ms)))
            .collect();
        dc.held.retain(|name, (n_changes, _)| held.get(name).is_some_and(|(now, _)| now == n_changes));
        // Nobody knows how long a former DC has held them back: they are not held back any longer, as with Pacemaker.
        let is_new = std::mem::take(&mut dc.takes_over_held);
        for (name, (n_changes, delay_ms)) in held {
            let due = if is_new { now } else { now + Duration::from_millis(delay_ms) };
            dc.held.entry(name.clone()).or_insert((n_changes, due));
        }
        let is_due = |(_, due): &(u64, Monotonic)| *due <= now;
        let names: Vec<String> =
            dc.held.iter().filter(|(_, held)| is_due(held)).map(|(name, _)| name.clone()).collect();
        if !names.is_empty() && !self.has_casts_under_way() {
            // Should the message be lost, they are due again after another such time.
            dc.held.retain(|_, held| !is_due(held));
            self.cast(Message::WriteOut { names });
        }
    }

    /// Who has not answered a notification of an earlier plan.
    fn busy(&self, dc: &Dc) -> Busy {
        let mut busy = Busy::new();
        for Perform { operation, .. } in self.unanswered() {
            let until = dc.deadlines.get(&operation.transition_key).copied();
            if let (Some(node), Some(until)) = (self.node_of(operation), until) {
                let lane = (NodeId::new(&node), ResourceId::new(&operation.resource));
                let latest = busy.entry(lane).or_insert(until);
                *latest = until.max(*latest);
            }
        }
        busy
    }

    fn plan(&mut self, dc: &mut Dc, why: &str) {
        let away = self.without_executor();
        self.tell_without_executor(dc, &away);
        self.part_with(&self.booted_without_executor());
        let cib = self.as_planned(dc.view.of(self.replica.cib()), &away);
        let mut plan = (self.config.planner)(&cib, self.now.wall);
        // What is left out of the plan counts, too: it is still to be done.
        let sorted_out = sorted_out(&plan.graph);
        if !away.is_empty() {
            // What the engine will wait for counts: a promotion waits for probes, too.
            amend(&mut plan.graph);
            self.spare_probes(&mut plan.graph);
            leave_out(&mut plan.graph, &away);
        }
        dc.held_back = self.hold_back_for_uncertain(&mut plan.graph, &cib, &away, &sorted_out);
        (dc.transition, dc.n_notice_bytes) = (dc.transition + 1, 0);
        dc.planned_at = self.replica.ledger.changes;
        dc.recheck_at = self.recheck_at(&cib, plan.recheck);
        let n_actions = plan.graph.synapses.len();
        let text = format!("transition {} has {n_actions} actions, because {why}", dc.transition);
        self.log(if n_actions > 0 { Level::Notice } else { Level::Debug }, text);
        if n_actions > 0 {
            let xml = match self.isolation.is_kept_out() {
                true => input_of_one_kept_out(self.replica.cib()).to_text(),
                false => self.replica.cib().to_text(),
            };
            self.effects.push(Effect::SaveInput { kind: plan.kind, transition: dc.transition, xml });
        }
        dc.offsets = offsets(&plan.graph);
        let begin = Told::Begin { graph: Box::new(plan.graph), busy: self.busy(dc) };
        let steps = dc.engine.handle(self.now.mono, begin);
        self.perform_steps(dc, steps);
        if !dc.engine.is_busy()
            && dc.stale.is_none()
            && dc.stale_after.is_none()
            && !self.has_casts_under_way()
        {
            self.rest();
        }
    }

    /// The CIB with what it does not say: of a node that is kept out, and of members whose executor is not there. Copied only if
    /// there are such.
    fn as_planned<'a>(&self, cib: &'a Cib, away: &BTreeSet<NodeId>) -> Cow<'a, Cib> {
        let (is_kept_out, booted) = (self.isolation.is_kept_out(), self.booted_without_executor());
        let mut cib = Cow::Borrowed(cib);
        if is_kept_out {
            run_nothing(cib.to_mut());
        }
        if !away.is_empty() {
            put_in_maintenance(cib.to_mut(), away);
        }
        if !booted.is_empty() {
            take_for_off(cib.to_mut(), &booted);
        }
        cib
    }

    fn recheck_at(&self, cib: &Cib, at: Option<Timestamp>) -> Option<Monotonic> {
        let mut pairs = cib.cluster_options.iter().flat_map(|set| &set.pairs);
        let option =
            pairs.find(|pair| &*pair.name == "cluster-recheck-interval").and_then(|pair| pair.value.clone());
        let interval = option.and_then(|text| parse_duration(&text).ok()).unwrap_or(RECHECK_INTERVAL);
        let regular = (interval > Duration::ZERO).then(|| self.now.mono + interval);
        let secs = |at: Timestamp| u64::try_from(at.0 - self.now.wall.0).unwrap_or(0).max(1);
        let special = at.map(|at| self.now.mono + Duration::from_secs(secs(at)));
        regular.into_iter().chain(special).min()
    }

    /// Nothing is left to do: everybody is told.
    fn rest(&mut self) {
        let ledger = &self.replica.ledger;
        if ledger.idle_at != Some(ledger.changes)
            && !self.unanswered().any(|perform| self.can_be_answered(perform))
        {
            let changes = ledger.changes;
            self.cast(Message::Idle { changes });
        }
    }
}

fn offsets(graph: &TransitionGraph) -> [String; 2] {
    ["failed-start-offset", "failed-stop-offset"]
        .map(|name| graph.property(name).unwrap_or("INFINITY").to_owned())
}
