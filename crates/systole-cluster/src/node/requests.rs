//! What tools ask, and when they are answered.
//!
//! A request that changes something is cast, applied by every member in agreed order, and answered when its outcome is
//! certain. Requests are numbered, so that one which is said again after a change of the membership is applied once.

mod access;
mod again;
mod answers;
mod forgetting;
mod granting;
mod own;

use super::NodeMachine;
use crate::{
    ClientId, Effect, Level,
    message::{
        Asker, AttributeChange, AttributeValue, Dampen, LEVEL_OF_PATTERNS, LEVEL_OF_REFUSALS, Message, Stamp,
        Wish, Write,
    },
    replica::{Cleanup, Replica, Valued, Written, is_id_of_mark},
};
use own::OwnChanges;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use systole_cib::{
    ops::{CibAction, CibCall},
    xml::Element,
};
use systole_types::Monotonic;
use systole_wire::api::{
    AttributeOnNode, AttributeUpdate, Call, NodeReport, Refusal, RefusalKind, Reply, Request, Response,
};

/// How many requests may wait at once: to be carried out, for rest, or for this node to leave, each.
const MAX_PENDING: usize = 1024;
/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long probes after a cleanup may take.
const PROBE_PATIENCE: Duration = Duration::from_secs(120);
/// How far apart notices of changes are at least.
const NOTICE_INTERVAL: Duration = Duration::from_millis(100);

/// The tools connected to this node.
#[derive(Debug, Default)]
pub(super) struct Tools {
    last_number: u64,
    /// The last of those that were said.
    last_said: u64,
    /// Requests that change something, by number.
    pending: BTreeMap<u64, Pending>,
    /// Who has said to have applied which of them.
    heard: BTreeMap<u64, BTreeSet<u32>>,
    waiting: Vec<Waiting>,
    subscribers: BTreeMap<ClientId, Subscriber>,
    /// Answered when this node leaves the cluster.
    shutdowns: Vec<(ClientId, u64)>,
    /// What of this node's own attributes was changed by them.
    own: OwnChanges,
    /// Requests that add to what is to be said again first.
    adding: BTreeSet<u64>,
}

/// A request that changes something.
#[derive(Debug)]
struct Pending {
    /// `None` for the machine's own.
    from: Option<(ClientId, u64)>,
    wish: Wish,
    /// Who wants it, if it is somebody who may not do everything.
    asker: Option<Asker>,
    /// Whether it is answered only when every member has it.
    everywhere: bool,
    deadline: Monotonic,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Not said to those who are members now, who are not settled yet, or since it is put off.
    Unsaid,
    /// Said, not applied.
    Said,
    /// Applied; the answer waits until it is kept.
    Applied(Written),
}

/// Someone who waits for the cluster to come to rest.
#[derive(Debug)]
struct Waiting {
    from: (ClientId, u64),
    deadline: Monotonic,
}

#[derive(Debug)]
struct Subscriber {
    request: u64,
    not_before: Monotonic,
    /// Changes and view as of the last notice.
    seen: (u64, u64),
}

impl Tools {
    pub fn forget(&mut self, client: ClientId) {
        let is_other = |from: &(ClientId, u64)| from.0 != client;
        self.waiting.retain(|waiting| is_other(&waiting.from));
        self.shutdowns.retain(is_other);
        self.subscribers.remove(&client);
    }

    /// Whether it is not known yet what came of a request.
    pub fn is_pending(&self, number: u64) -> bool {
        self.pending.contains_key(&number)
    }

    /// The number of the last request.
    pub fn last_wish(&self) -> u64 {
        self.last_number
    }

    pub fn next_deadline(&self) -> Option<Monotonic> {
        let pending = self.pending.values().map(|pending| pending.deadline);
        let waiting = self.waiting.iter().map(|waiting| waiting.deadline);
        pending.chain(waiting).chain(self.notice_at()).min()
    }

    /// When a notice that was put off is due; set while one is owed.
    fn notice_at(&self) -> Option<Monotonic> {
        self.subscribers.values().filter(|subscriber| subscriber.seen == OWED).map(|it| it.not_before).min()
    }
}

/// Marks a subscriber whose notice is put off.
const OWED: (u64, u64) = (u64::MAX, u64::MAX);

impl NodeMachine {
    pub(super) fn asked(&mut self, client: ClientId, request: Request, groups: Vec<String>) {
        let from = (client, request.id);
        let asker = Asker::of(request.user.as_deref(), groups);
        match request.call {
            Call::Cib => {
                let reply =
                    self.readable(asker.as_ref()).map_or_else(Reply::Refused, |xml| Reply::Cib { xml });
                self.reply(from, reply);
            }
            Call::Node => {
                let report = self.node_report();
                self.reply(from, Reply::Node(report));
            }
            Call::Apply { change, .. } if change.action == CibAction::Query => {
                self.asked_to_query(from, asker.as_ref(), &change);
            }
            Call::Apply { change, force } => {
                if let Err(error) = Replica::can_be_said(&change) {
                    return self.reply(from, refused(RefusalKind::Change(error.failure), error.message));
                }
                let (origin, client) = (self.name.clone(), request.client);
                let stamp = Stamp { origin, client, user: request.user, at: self.now.wall.0 };
                self.wish(from, asker, Wish::Write(Write { change, force, stamp }));
            }
            Call::Cleanup { resource, node, only_failed, operation } => {
                let operation = operation.map(|operation| (operation.name, operation.interval_ms));
                self.wish(from, asker, Wish::Cleanup { resource, node, only_failed, operation });
            }
            Call::Fail { resource, node } => {
                let at = self.now.wall.0;
                self.wish(from, asker, Wish::Fail { node, resource, at });
            }
            Call::Attribute(update) => self.asked_to_update(from, asker, update),
            Call::Attributes { name, node } => {
                let values = self.replica.attributes(name.as_deref(), node.as_deref());
                let of = |it: Valued| AttributeOnNode { node: it.node, name: it.name, value: it.value };
                self.reply(from, Reply::Attributes(values.into_iter().map(of).collect()));
            }
            Call::WriteAttributes => self.wish(from, asker, Wish::WriteOut),
            Call::ForgetNode { node } => self.wish(from, asker, Wish::ForgetNode { node }),
            Call::ConfirmOff { node } => self.wish(from, asker, Wish::ConfirmOff { node }),
            Call::WaitIdle { .. } if self.tools.waiting.len() >= MAX_PENDING => self.reply(from, too_many()),
            Call::WaitIdle { timeout_ms } => {
                let deadline = self.now.mono + Duration::from_millis(timeout_ms);
                self.tools.waiting.push(Waiting { from, deadline });
            }
            Call::Subscribe => {
                let subscriber =
                    Subscriber { request: request.id, not_before: self.now.mono, seen: self.present() };
                self.tools.subscribers.insert(client, subscriber);
            }
            Call::Shutdown => self.asked_to_leave(from, asker.as_ref()),
        }
    }

    fn asked_to_query(&mut self, from: (ClientId, u64), asker: Option<&Asker>, change: &CibCall) {
        let acl = asker.and_then(|asker| self.acl_of(asker));
        let reply = match self.replica.query(change, acl.as_ref()) {
            Ok(output) => Reply::Applied { version: self.replica.version().to_string(), output },
            Err(error) => refused(RefusalKind::Change(error.failure), error.message),
        };
        self.reply(from, reply);
    }

    /// Only privileged users may end a daemon; others go by the configuration, where access control lists are asked.
    fn asked_to_leave(&mut self, from: (ClientId, u64), asker: Option<&Asker>) {
        if asker.is_some() {
            return self.reply(from, Reply::Refused(access::denied()));
        }
        if self.tools.shutdowns.len() >= MAX_PENDING {
            return self.reply(from, too_many());
        }
        self.tools.shutdowns.push(from);
        self.wish_to_leave();
        self.tell_why_it_stays();
    }

    /// Whether this node was told to leave and has not.
    pub(super) fn is_leaving(&self) -> bool {
        !self.tools.shutdowns.is_empty()
    }

    fn asked_to_update(&mut self, from: (ClientId, u64), asker: Option<Asker>, update: AttributeUpdate) {
        if update.pattern
            && let Err(error) = regex_lite::Regex::new(&update.name)
        {
            let message = format!("{:?} is no regular expression: {error}", update.name);
            return self.reply(from, refused(RefusalKind::Usage, message));
        }
        if update.set.as_deref().is_some_and(is_id_of_mark) {
            let message =
                "a set with such an id is the cluster's own: it shows that a node is without executor";
            return self.reply(from, refused(RefusalKind::Usage, message));
        }
        let everywhere = update.everywhere;
        self.wish_for(Some(from), asker, Wish::Attributes(vec![change_of(update)]), everywhere);
    }

    /// Has transient attributes changed.
    pub(super) fn change_attributes(&mut self, changes: Vec<AttributeChange>) {
        self.wish_for(None, None, Wish::Attributes(changes), false);
    }

    fn wish_to_leave(&mut self) {
        let to = AttributeValue::Set(self.now.wall.0.to_string());
        self.change_attributes(vec![AttributeChange {
            node: self.name.clone(),
            name: "shutdown".to_owned(),
            to,
            ..AttributeChange::default()
        }]);
    }

    fn wish(&mut self, from: (ClientId, u64), asker: Option<Asker>, wish: Wish) {
        self.wish_for(Some(from), asker, wish, false);
    }

    /// Has something done, and heard of by every member before it is answered if that is wanted.
    pub(super) fn wish_for(
        &mut self,
        from: Option<(ClientId, u64)>,
        asker: Option<Asker>,
        wish: Wish,
        everywhere: bool,
    ) {
        if let Some(from) = from.filter(|_| self.tools.pending.len() >= MAX_PENDING) {
            return self.reply(from, too_many());
        }
        let earlier = |number: &u64| self.tools.pending.get(number).map(|earlier| &earlier.wish);
        let is_overruled =
            |number: &u64| earlier(number).is_some_and(|earlier| own::leaves_nothing_of(&wish, earlier));
        let before: Vec<u64> = self.tools.adding.iter().copied().filter(is_overruled).collect();
        self.say_late(before);
        self.tools.last_number += 1;
        let number = self.tools.last_number;
        let deadline = self.now.mono + PATIENCE;
        let pending = Pending { from, wish, asker, everywhere, deadline, stage: Stage::Unsaid };
        self.tools.pending.insert(number, pending);
        if self.group.is_settled() && !self.is_put_off(number) {
            self.say(number);
        }
    }

    /// A member says that a request is applied there.
    pub(super) fn heard(&mut self, by: u32, from: u32, incarnation: u64, number: u64) {
        if from != self.group.own_id() || incarnation != self.incarnation() {
            return;
        }
        let heard = self.tools.heard.entry(number).or_default();
        heard.insert(by);
        if self.group.members().iter().all(|(id, _)| heard.contains(id)) {
            self.tools.heard.remove(&number);
            if let Some(pending) = self.tools.pending.get_mut(&number) {
                pending.everywhere = false;
            }
        }
    }

    fn incarnation(&self) -> u64 {
        self.seed as u64
    }

    fn say(&mut self, number: u64) {
        let incarnation = self.incarnation();
        let Some(pending) = self.tools.pending.get(&number) else { return };
        let (mut wish, heard, asker) =
            (Box::new(pending.wish.clone()), pending.everywhere, pending.asker.clone());
        if self.replica.level < LEVEL_OF_PATTERNS {
            *wish = self.replica.spelt_out(&wish).into_owned();
        }
        if self.replica.level < wish.level() {
            return self.outcome_known(number, Err(too_old()));
        }
        if let Wish::ForgetNode { node } = &*wish
            && let Some(refusal) = self.refuses_to_forget(node)
        {
            return self.outcome_known(number, Err(refusal));
        }
        if self.replica.level < LEVEL_OF_REFUSALS
            && let Some(refusal) = self.refuses_before(asker.as_ref(), &wish)
        {
            return self.outcome_known(number, Err(refusal));
        }
        if let Some(pending) = self.tools.pending.get_mut(&number) {
            pending.stage = Stage::Said;
        }
        self.tools.last_said = self.tools.last_said.max(number);
        self.cast(Message::Request { incarnation, number, wish, heard, asker });
    }

    /// Applies a tool's request, its own or another node's.
    pub(super) fn requested(
        &mut self,
        from: u32,
        (incarnation, number): (u64, u64),
        wish: &Wish,
        asker: Option<&Asker>,
    ) {
        let changes_before = self.replica.ledger.changes;
        let Some(entry) = self.replica.ledger.nodes.get_mut(&from) else { return };
        if entry.incarnation == incarnation && entry.requests >= number {
            return;
        }
        (entry.incarnation, entry.requests) = (incarnation, number);
        let wish = self.replica.spelt_out(wish);
        let wish = &*wish;
        let acl = asker.and_then(|asker| self.acl_of(asker));
        let outcome = match self.permits(asker, wish) {
            true => self.grant(wish, acl.as_ref()),
            false => Err(access::denied()),
        };
        if outcome.is_ok() && self.replica.ledger.changes != changes_before {
            self.plan_anew(describe(wish));
        }
        if outcome.as_ref().is_ok_and(|written| written.is_configuration) {
            self.configuration_changed();
            self.publish_what_is_missing();
        }
        let is_own = from == self.group.own_id() && incarnation == self.incarnation();
        if outcome.is_ok() && !(is_own && self.tools.own.remember(number, wish, asker, &self.name)) {
            self.tools.own.overruled(wish, &self.name);
        }
        if outcome.is_ok()
            && let Wish::Cleanup { resource, node, only_failed, operation } = wish
        {
            self.forget_own_cleaned_up(&Cleanup::of(resource, node, *only_failed, operation));
        }
        if is_own {
            self.outcome_known(number, outcome);
        }
    }

    fn outcome_known(&mut self, number: u64, outcome: Result<Written, Refusal>) {
        self.start_wish_answered(number, outcome.is_ok());
        let Some(pending) = self.tools.pending.get_mut(&number) else { return };
        match outcome {
            Ok(written) => pending.stage = Stage::Applied(written),
            Err(refusal) => {
                let (from, what) = (pending.from, describe(&pending.wish));
                self.tools.pending.remove(&number);
                match from {
                    Some(from) => self.reply(from, Reply::Refused(refusal)),
                    None => self.log_refusal(what, &refusal),
                }
            }
        }
    }

    /// What this node itself wanted was not done.
    fn log_refusal(&mut self, what: &str, refusal: &Refusal) {
        let text = format!("of what this node wanted, nothing came ({what}): {}", refusal.message);
        self.log(Level::Warning, text);
    }

    fn reply(&mut self, (client, id): (ClientId, u64), reply: Reply) {
        self.effects.push(Effect::Reply { client, response: Response { id, reply } });
    }

    fn node_report(&self) -> NodeReport {
        let is_leaving = self.is_leaving();
        let state = match self.group.is_settled() {
            _ if is_leaving => "stopping",
            false => "joining",
            true if self.is_dc() => "dc",
            true => "member",
        };
        NodeReport {
            node: self.name.clone(),
            node_id: self.group.own_id(),
            dc: self.dc().map(str::to_owned),
            members: self.group.members().iter().map(|(_, name)| name.clone()).collect(),
            has_quorum: self.group.has_quorum(),
            stack: self.config.stack.clone(),
            state: state.to_owned(),
            idle: self.is_dc().then(|| self.is_idle()),
            executor: self.local.is_there(),
            disk_error: self.disk.error().map(str::to_owned),
            version: self.config.version.clone(),
        }
    }
}

/// What a tool wants of an attribute.
fn change_of(update: AttributeUpdate) -> AttributeChange {
    let to = match update.value {
        _ if update.keep_value => AttributeValue::Keep,
        None => AttributeValue::Remove,
        Some(value) => step(&value).map_or_else(|| AttributeValue::Set(value), AttributeValue::Add),
    };
    AttributeChange {
        node: update.node,
        name: update.name,
        to,
        dampen: update.delay_ms.map(|ms| Dampen { ms, if_new: update.delay_if_new }),
        private: update.private,
        set: update.set,
        pattern: update.pattern,
    }
}

/// What `value++` or `value+=N` adds. It is the sign after five characters that counts, whatever these are.
fn step(value: &str) -> Option<i32> {
    match value.get(5..)?.strip_prefix('+')? {
        "+" => Some(1),
        rest => rest.strip_prefix('=')?.parse().ok(),
    }
}

/// Whether a node asks for leave for itself.
fn is_shutdown(wish: &Wish, node: &str) -> bool {
    let Wish::Attributes(changes) = wish else { return false };
    changes.iter().any(|change| change.node == node && change.name == "shutdown")
}

/// Whether a node has a transient attribute.
fn has_attribute(state: Element<'_>, name: &str) -> bool {
    let sets = state.child("transient_attributes").into_iter();
    let mut pairs = sets
        .flat_map(|attributes| attributes.children_named("instance_attributes"))
        .flat_map(|set| set.children_named("nvpair"));
    pairs.any(|pair| pair.attr("name") == Some(name))
}

fn describe(wish: &Wish) -> &'static str {
    match wish {
        Wish::Write(_) => "the CIB was changed",
        Wish::Cleanup { .. } => "history was cleaned up",
        Wish::Attributes(_) | Wish::WriteOut => "a node attribute was changed",
        Wish::ForgetNode { .. } => "a node was removed",
        Wish::ConfirmOff { .. } => "a node was confirmed to be off",
        Wish::Fail { .. } => "a resource was said to have failed",
    }
}

fn refused(kind: RefusalKind, message: impl Into<String>) -> Reply {
    Reply::Refused(Refusal { kind, message: message.into() })
}

fn too_old() -> Refusal {
    let message = "another member is of an older version, which cannot do this yet".to_owned();
    Refusal { kind: RefusalKind::NotReady, message }
}

fn too_many() -> Reply {
    refused(RefusalKind::Busy, "too many requests are waiting: try again")
}

fn in_doubt() -> Reply {
    refused(
        RefusalKind::TimedOut,
        "the other nodes were lost meanwhile: the change may or may not have been made",
    )
}
