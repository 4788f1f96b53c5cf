//! The meaning of one history entry.

use crate::{
    note::NoteKind,
    status::{
        ClearFailCount, DigestChange, EarlyAction, FailedOperation, Failures, NodeIdx, OnFail, Pending,
        RscIdx, history::Verdict, text::whole_seconds, unpack::Unpack,
    },
};
use std::time::Duration;
use systole_cib::model::HistoryEntry;
use systole_types::{OcfRc, OpStatus, Role, Score, Timestamp};

/// An entry with where it was found, and its result as it is to be taken.
#[derive(Clone, Copy)]
pub(in crate::status) struct Entry<'a> {
    /// The resource.
    pub(in crate::status) rsc: RscIdx,
    /// The node.
    pub(in crate::status) node: NodeIdx,
    /// As written.
    pub(in crate::status) raw: &'a HistoryEntry,
    task: Verb,
    /// The result that counts as success; `None` where that is not on record.
    expected: Option<OcfRc>,
    rc: OcfRc,
    status: OpStatus,
}

/// What was done, of what tells a resource's state: a number to compare, since there are very many entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Monitor,
    Start,
    Stop,
    Promote,
    Demote,
    MigrateTo,
    MigrateFrom,
    AsyncMonitor,
}

impl Verb {
    fn named(operation: &str) -> Option<Self> {
        match operation {
            "monitor" => Some(Self::Monitor),
            "start" => Some(Self::Start),
            "stop" => Some(Self::Stop),
            "promote" => Some(Self::Promote),
            "demote" => Some(Self::Demote),
            "migrate_to" => Some(Self::MigrateTo),
            "migrate_from" => Some(Self::MigrateFrom),
            "asyncmon" => Some(Self::AsyncMonitor),
            _ => None,
        }
    }
}

impl<'a> Entry<'a> {
    fn task(&self) -> Verb {
        self.task
    }

    fn is_probe(&self) -> bool {
        self.task() == Verb::Monitor && self.raw.op.interval_ms == 0
    }

    fn is_last_failure(&self) -> bool {
        self.raw.op.id.ends_with("_last_failure_0")
    }

    /// A probe that failed in a way that means no more than "it is not running there".
    fn is_masked_probe(&self) -> bool {
        self.is_probe()
            && (matches!(self.raw.rc, OcfRc::NotInstalled | OcfRc::InvalidParam)
                || self.raw.status == OpStatus::NotInstalled)
    }

    fn as_failure(&self) -> FailedOperation<'a> {
        FailedOperation { rsc: self.rsc, node: self.node, entry: self.raw }
    }
}

impl<'a> Unpack<'a> {
    /// Takes one entry into account.
    pub(super) fn entry(
        &mut self,
        rsc: RscIdx,
        node: NodeIdx,
        raw: &'a HistoryEntry,
        verdict: &mut Verdict<'a>,
    ) {
        let is_readable = !matches!(raw.status, OpStatus::Cancelled | OpStatus::Other(_))
            && (0..=255).contains(&raw.rc.code());
        let Some(task) = Verb::named(&raw.op.task).filter(|_| is_readable) else { return };
        let expected = raw.magic.as_ref().map(|magic| magic.key.target_rc);
        let mut entry = Entry { rsc, node, raw, task, expected, rc: raw.rc, status: raw.status };
        let expired = self.check_expiry(&entry);
        self.interpret(&mut entry, &mut verdict.on_fail, expired);
        if expired && self.is_settled_by_expiry(&entry) {
            return;
        }
        if !self.is_bundled(rsc) && entry.is_masked_probe() {
            self.mask_probe(&entry, verdict);
            return;
        }
        match entry.status {
            OpStatus::Pending => self.pending(&entry, verdict.last_failure),
            OpStatus::Done => self.success(&entry, Some(entry.rc), verdict),
            OpStatus::NotInstalled => self.agent_missing(&entry, verdict),
            _ => self.failure(&entry, verdict),
        }
    }

    /// What the result has to be taken for, knowing what was expected. Degraded is as good as well; an unexpected result is
    /// an error of one kind or another; a probe may find whatever it finds.
    fn interpret(&mut self, entry: &mut Entry<'a>, on_fail: &mut OnFail, expired: bool) {
        let effective = match entry.rc {
            OcfRc::Degraded => OcfRc::Ok,
            OcfRc::DegradedPromoted => OcfRc::Promoted,
            rc => rc,
        };
        let there = self.node(entry.node);
        if effective != entry.rc {
            entry.rc = effective;
            if !expired && (!there.shutdown || there.online) {
                self.record_failure(entry.as_failure());
            }
        }
        if !self.is_bundled(entry.rsc) && entry.is_masked_probe() {
            entry.status = OpStatus::Done;
            entry.rc = OcfRc::NotRunning;
        }
        match entry.status {
            OpStatus::Done | OpStatus::Error => {}
            OpStatus::NoFenceDevice | OpStatus::NoSecrets => {
                entry.status = OpStatus::HardError;
                return;
            }
            _ => return,
        }
        let is_expected = entry.expected == Some(entry.rc);
        entry.status = if is_expected { OpStatus::Done } else { OpStatus::Error };
        self.interpret_rc(entry, on_fail, expired, is_expected);
    }

    fn interpret_rc(
        &mut self,
        entry: &mut Entry<'a>,
        on_fail: &mut OnFail,
        expired: bool,
        is_expected: bool,
    ) {
        let is_probe = entry.is_probe();
        match entry.rc {
            OcfRc::Ok => {
                if is_probe && entry.expected == Some(OcfRc::NotRunning) {
                    entry.status = OpStatus::Done;
                }
            }
            OcfRc::NotRunning => {
                if is_probe || is_expected || !self.rsc(entry.rsc).managed {
                    entry.status = OpStatus::Done;
                    self.not_running(entry.rsc);
                    *on_fail = OnFail::Ignore;
                }
            }
            OcfRc::Promoted => {
                if is_probe && !is_expected {
                    entry.status = OpStatus::Done;
                }
                if !expired || is_expected {
                    self.resources[entry.rsc.i()].role = Role::Promoted;
                }
            }
            OcfRc::FailedPromoted => {
                if !expired {
                    self.resources[entry.rsc.i()].role = Role::Promoted;
                }
                entry.status = OpStatus::Error;
            }
            OcfRc::NotConfigured => entry.status = OpStatus::FatalError,
            OcfRc::Unimplemented if entry.raw.op.interval_ms != 0 => entry.status = OpStatus::NotSupported,
            OcfRc::Unimplemented
            | OcfRc::NotInstalled
            | OcfRc::InvalidParam
            | OcfRc::InsufficientPrivilege => {
                if !expired {
                    self.block_if_unrecoverable(entry);
                }
                entry.status = OpStatus::HardError;
            }
            _ => {
                if entry.status == OpStatus::Done {
                    entry.status = OpStatus::Error;
                }
            }
        }
    }

    /// A stop that cannot succeed, on a node that cannot be fenced: nothing can be done about it.
    fn block_if_unrecoverable(&mut self, entry: &Entry<'a>) {
        if entry.task() == Verb::Stop && !self.can_fence(entry.node) {
            let rsc = &mut self.resources[entry.rsc.i()];
            rsc.managed = false;
            rsc.blocked = true;
        }
    }

    /// Whether the entry is older than `failure-timeout` allows failures to be. Fail counts that have expired with it are
    /// cleared, and those of failures that today's parameters may have made up for.
    fn check_expiry(&mut self, entry: &Entry<'a>) -> bool {
        if entry.status == OpStatus::NotInstalled {
            return false;
        }
        let mut expired = false;
        let mut effective = Score::ZERO;
        let timeout = self.rsc(entry.rsc).meta.failure_timeout;
        if let (Some(timeout), Some(last_run)) = (timeout, entry.raw.last_rc_change) {
            let timeout = whole_seconds(timeout);
            expired = self.now.0 >= last_run.0.saturating_add(timeout) && !self.must_wait_for_fencing(entry);
            let failures = self.failures_blocking(entry, Failures::Effective);
            effective = failures.count;
            if let Some(last) = failures.last_failure.filter(|_| effective != Score::ZERO) {
                let due = Timestamp(last.0.saturating_add(timeout).saturating_add(1));
                if self.now < due {
                    self.recheck.by(due);
                }
            }
        }
        let mut reason = None;
        if expired {
            if self.failures_blocking(entry, Failures::All).count != Score::ZERO {
                if effective == Score::ZERO {
                    reason = Some("it expired");
                } else {
                    expired = false;
                }
            } else if entry.is_last_failure() && self.rsc(entry.rsc).reconnect_interval.is_some() {
                reason = Some("reconnect interval is set");
            }
        }
        if !expired && entry.is_last_failure() && matches!(entry.task(), Verb::Start | Verb::Monitor) {
            if self.needs_host_name(entry.rsc) {
                self.failures_to_compare.push(entry.as_failure());
            } else if self.have_parameters_changed(entry) {
                reason = Some("resource parameters have changed");
            }
        }
        if let Some(reason) = reason {
            self.clear_fail_count(entry.rsc, entry.node, reason);
        }
        let tells_state = matches!(
            entry.rc,
            OcfRc::Ok | OcfRc::NotRunning | OcfRc::Promoted | OcfRc::Degraded | OcfRc::DegradedPromoted
        );
        expired && !(entry.is_probe() && tells_state)
    }

    /// The failed monitor of a connection that reconnects by itself stays on record until the remote node has been fenced.
    fn must_wait_for_fencing(&self, entry: &Entry<'_>) -> bool {
        let rsc = self.rsc(entry.rsc);
        rsc.reconnect_interval.is_some()
            && self.options.fencing_enabled
            && entry.raw.op.interval_ms != 0
            && entry.task() == Verb::Monitor
            && rsc.remote_node.is_some_and(|remote| !self.node(remote).remote_was_fenced)
    }

    fn have_parameters_changed(&self, entry: &Entry<'_>) -> bool {
        let change = self.digest_change(entry.rsc, entry.node, entry.raw, entry.raw, None);
        matches!(change, DigestChange::Restart | DigestChange::Reload)
    }

    fn clear_fail_count(&mut self, resource: RscIdx, node: NodeIdx, reason: &'static str) {
        let node_is_reset = self.node(node).remote_requires_reset;
        if !self.cleared.insert((resource, node)) {
            let is_same = |clear: &&mut ClearFailCount| (clear.resource, clear.node) == (resource, node);
            if let Some(clear) = self.clear_fail_counts.iter_mut().find(is_same) {
                clear.node_is_reset = node_is_reset;
            }
            return;
        }
        let position = self.clear_fail_counts.len();
        self.early.push(EarlyAction::ClearFailCount(position));
        self.clear_fail_counts.push(ClearFailCount { resource, node, reason, node_is_reset });
    }

    /// Whether an expired entry needs no further thought. An expired failure of a recurring operation means that the
    /// operation has to be started anew.
    fn is_settled_by_expiry(&mut self, entry: &Entry<'a>) -> bool {
        if !self.is_bundled(entry.rsc) && entry.is_masked_probe() && entry.expected != Some(entry.raw.rc) {
            let role = &mut self.resources[entry.rsc.i()].role;
            if *role <= Role::Stopped {
                *role = Role::Unknown;
            }
            return true;
        }
        if entry.expected == Some(entry.rc) {
            return false;
        }
        if entry.raw.op.interval_ms == 0 {
            return true;
        }
        let there = self.node(entry.node);
        if there.online && !there.unclean {
            self.expired_recurring.insert(std::ptr::from_ref(entry.raw) as usize);
            return true;
        }
        false
    }

    fn mask_probe(&mut self, entry: &Entry<'a>, verdict: &mut Verdict<'a>) {
        self.success(entry, entry.expected, verdict);
        self.record_failure(entry.as_failure());
        let banned = if self.rsc(entry.rsc).is_unique { entry.rsc } else { self.top_of(entry.rsc) };
        self.ban(banned, Some(entry.node), Score::MINUS_INFINITY, "masked-probe-failure");
    }

    fn pending(&mut self, entry: &Entry<'a>, last_failure: Option<&HistoryEntry>) {
        if last_failure.is_some_and(|failure| is_failure_of(failure, entry.raw)) {
            return;
        }
        match entry.task() {
            Verb::Start => {
                self.resources[entry.rsc.i()].start_pending = true;
                self.set_active(entry.rsc);
            }
            Verb::Promote => self.resources[entry.rsc.i()].role = Role::Promoted,
            Verb::MigrateTo if self.node(entry.node).unclean => {
                // The source is lost in the middle of it: the target may have it already.
                let target =
                    entry.raw.op.migrate_target.as_ref().and_then(|name| self.node_named(name.as_str()));
                if let Some(target) = target {
                    self.require_stop(entry.rsc, target);
                }
            }
            _ => {}
        }
        if self.rsc(entry.rsc).pending.is_none() && !entry.is_probe() {
            let interval = Duration::from_millis(entry.raw.op.interval_ms);
            let pending = Pending { task: entry.raw.op.task.clone(), interval, node: entry.node };
            self.resources[entry.rsc.i()].pending = Some(pending);
            self.note_location(entry.rsc, entry.node);
        }
    }

    /// The role after a success (or what is taken for one) with result `rc`, which may make up for earlier failures.
    fn success(&mut self, entry: &Entry<'a>, rc: Option<OcfRc>, verdict: &mut Verdict<'a>) {
        let rsc = entry.rsc;
        let mut role = self.rsc(rsc).role;
        let mut makes_up = false;
        if rc == Some(OcfRc::NotInstalled) || (!self.is_bundled(rsc) && entry.is_masked_probe()) {
            role = Role::Stopped;
        } else if rc == Some(OcfRc::NotRunning) {
            makes_up = true;
        } else {
            match entry.task() {
                Verb::Monitor => {
                    makes_up = verdict.last_failure.is_some_and(|failure| have_one_key(failure, entry.raw));
                    if role < Role::Started {
                        role = self.active_role(rsc);
                    }
                }
                Verb::Start | Verb::MigrateFrom => (role, makes_up) = (Role::Started, true),
                Verb::Stop => (role, makes_up) = (Role::Stopped, true),
                Verb::Promote => (role, makes_up) = (Role::Promoted, true),
                Verb::Demote => (role, makes_up) = (Role::Unpromoted, verdict.on_fail == OnFail::Demote),
                Verb::MigrateTo => {
                    self.migrate_to_succeeded(entry);
                    role = self.rsc(rsc).role;
                }
                _ if role < Role::Started => role = self.active_role(rsc),
                _ => {}
            }
        }
        self.resources[rsc.i()].role = role;
        if makes_up {
            self.forgive(rsc, &mut verdict.on_fail);
        }
    }

    /// A success makes up for failures unless they were to have lasting consequences.
    fn forgive(&mut self, rsc: RscIdx, on_fail: &mut OnFail) {
        match *on_fail {
            OnFail::Stop | OnFail::Ban | OnFail::Standby | OnFail::Fence => {}
            OnFail::ResetRemote if self.rsc(rsc).reconnect_interval.is_some() => {}
            _ => {
                *on_fail = OnFail::Ignore;
                self.set_next_role(rsc, Role::Unknown, "clear past failures");
            }
        }
    }

    fn active_role(&self, rsc: RscIdx) -> Role {
        if self.rsc(self.top_of(rsc)).is_promotable { Role::Unpromoted } else { Role::Started }
    }

    fn set_active(&mut self, rsc: RscIdx) {
        self.resources[rsc.i()].role = self.active_role(rsc);
    }

    fn agent_missing(&mut self, entry: &Entry<'a>, verdict: &mut Verdict<'a>) {
        let op = self.op_meta_of(entry);
        if op.on_fail == OnFail::Ignore {
            verdict.on_fail = OnFail::Ban;
        }
        self.ban(self.blamed(entry.rsc), Some(entry.node), Score::MINUS_INFINITY, "hard-error");
        self.failed(entry, op.on_fail, op.fail_role, verdict);
    }

    fn failure(&mut self, entry: &Entry<'a>, verdict: &mut Verdict<'a>) {
        if entry.status == OpStatus::NotConnected {
            // A failed-over connection would have been noticed, but to be sure.
            if let Some(connection) = self.node(entry.node).connection()
                && self.rsc(connection).managed
            {
                self.mark_failed(connection);
            }
        }
        let op = self.op_meta_of(entry);
        let is_container_stop = op.on_fail == OnFail::RestartContainer && entry.task() == Verb::Stop;
        if op.on_fail == OnFail::Ignore || is_container_stop {
            self.success(entry, entry.expected, verdict);
            self.resources[entry.rsc.i()].failure_ignored = true;
            self.record_failure(entry.as_failure());
            if op.on_fail == OnFail::RestartContainer && verdict.on_fail <= OnFail::Restart {
                verdict.on_fail = op.on_fail;
            }
            return;
        }
        self.failed(entry, op.on_fail, op.fail_role, verdict);
        match entry.status {
            OpStatus::HardError => {
                self.ban(self.blamed(entry.rsc), Some(entry.node), Score::MINUS_INFINITY, "hard-error");
            }
            OpStatus::FatalError => {
                self.ban(self.blamed(entry.rsc), None, Score::MINUS_INFINITY, "fatal-error")
            }
            _ => {}
        }
    }

    fn op_meta_of(&self, entry: &Entry<'_>) -> crate::status::OpMeta {
        self.op_meta(entry.rsc, &entry.raw.op.task, Duration::from_millis(entry.raw.op.interval_ms))
    }

    /// Whom a failure that concerns the agent as such is held against: all instances of an anonymous clone.
    fn blamed(&self, rsc: RscIdx) -> RscIdx {
        if self.rsc(rsc).is_unique { rsc } else { self.top_of(rsc) }
    }

    /// A failure that counts.
    fn failed(&mut self, entry: &Entry<'a>, on_fail: OnFail, fail_role: Role, verdict: &mut Verdict<'a>) {
        verdict.last_failure = Some(entry.raw);
        if self.options.symmetric || entry.rc != OcfRc::NotInstalled {
            let consequence = format!("{on_fail:?}").to_lowercase().into();
            let key = entry.raw.op.key.to_string().into();
            self.warn(NoteKind::OperationFailed { key, consequence }, Some(entry.rsc), Some(entry.node));
            self.record_failure(entry.as_failure());
        }
        verdict.on_fail = verdict.on_fail.max(on_fail);
        self.role_after(entry, on_fail);
        let rsc = entry.rsc;
        if entry.is_probe() && entry.rc == OcfRc::NotInstalled {
            self.resources[rsc.i()].role = Role::Stopped;
        } else if self.rsc(rsc).role < Role::Started {
            self.set_active(rsc);
        }
        if fail_role != Role::Started && self.rsc(rsc).next_role < fail_role {
            self.set_next_role(rsc, fail_role, "failure");
        }
        if fail_role == Role::Stopped {
            let top = self.top_of(rsc);
            let is_anonymous = self.rsc(top).is_clone() && !self.rsc(top).is_unique;
            self.ban_everywhere(if is_anonymous { top } else { rsc });
        }
    }

    /// The role that a failed operation leaves behind.
    fn role_after(&mut self, entry: &Entry<'a>, on_fail: OnFail) {
        let rsc = entry.rsc;
        match entry.task() {
            Verb::Stop => self.ban(rsc, Some(entry.node), Score::MINUS_INFINITY, "__stop_fail__"),
            Verb::MigrateTo => self.migrate_to_failed(entry),
            Verb::MigrateFrom => self.migrate_from_failed(entry),
            Verb::Promote => self.resources[rsc.i()].role = Role::Promoted,
            Verb::Demote if on_fail == OnFail::Block => {
                self.resources[rsc.i()].role = Role::Promoted;
                self.set_next_role(rsc, Role::Stopped, "demote with on-fail=block");
            }
            Verb::Demote if entry.rc == OcfRc::NotRunning => self.resources[rsc.i()].role = Role::Stopped,
            // To leave it promoted would be to try the same for ever; it is stopped anyway.
            Verb::Demote => self.resources[rsc.i()].role = Role::Unpromoted,
            _ => {}
        }
    }
}

/// Whether two entries are of one operation. The id stands in for a key that is not written down.
fn have_one_key(a: &HistoryEntry, b: &HistoryEntry) -> bool {
    match (a.op.has_key, b.op.has_key) {
        (true, true) => a.op.key == b.op.key,
        (false, false) => a.op.id == b.op.id,
        (true, false) => a.op.key.to_string() == *b.op.id,
        (false, true) => *a.op.id == b.op.key.to_string(),
    }
}

/// Whether `failure` is how the operation of `entry` (which has no result yet) ended.
fn is_failure_of(failure: &HistoryEntry, entry: &HistoryEntry) -> bool {
    // Whatever does not say when it was is as old as can be.
    let at = |entry: &HistoryEntry| entry.last_rc_change.map_or(0, |at| at.0);
    failure.op.task == entry.op.task
        && failure.op.interval_ms == entry.op.interval_ms
        && at(failure) >= at(entry)
}
