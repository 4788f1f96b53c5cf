//! When requests are answered: as soon as their outcome is certain, or their time is over.

use super::{
    MAX_PENDING, NOTICE_INTERVAL, OWED, PROBE_PATIENCE, Pending, Stage, Waiting, describe, has_attribute,
    in_doubt, is_shutdown, refused,
};
use crate::{
    Effect,
    message::Wish,
    node::{NodeMachine, disk::Kept},
};
use systole_wire::api::{RefusalKind, Reply, Response};

impl NodeMachine {
    /// Answers whatever can be answered now. Called after every event.
    pub(in crate::node) fn serve(&mut self) {
        self.serve_pending();
        self.insist_on_leaving();
        self.serve_waiting();
        self.serve_subscribers();
    }

    fn serve_pending(&mut self) {
        let numbers: Vec<u64> = self.tools.pending.keys().copied().collect();
        for number in numbers {
            if let Some(reply) = self.verdict(&self.tools.pending[&number]) {
                let Some(pending) = self.tools.pending.remove(&number) else { continue };
                self.conclude(pending, reply);
            }
        }
    }

    /// What a pending request can be answered now, if anything.
    fn verdict(&self, pending: &Pending) -> Option<Reply> {
        let is_late = pending.deadline <= self.now.mono;
        match &pending.stage {
            Stage::Applied(_) if self.may_be_outvoted(&pending.wish) => Some(in_doubt()),
            Stage::Applied(written) => {
                let kept = if written.is_configuration { self.is_kept(written.version) } else { Kept::Yes };
                let done =
                    Reply::Applied { version: written.version.to_string(), output: written.output.clone() };
                match kept {
                    Kept::Yes if self.group.is_settled() && !pending.everywhere => Some(done),
                    Kept::No(error) => Some(refused(
                        RefusalKind::Disk,
                        format!("the change is in force, but may be lost when nodes restart: {error}"),
                    )),
                    _ => is_late.then(in_doubt),
                }
            }
            Stage::Said => is_late.then(in_doubt),
            Stage::Unsaid => is_late.then(|| {
                refused(
                    RefusalKind::NotReady,
                    "this node has not joined the others: the request was not passed on",
                )
            }),
        }
    }

    /// Whether a change that was granted with quorum is in a partition now that has none. It may not have reached the others, or
    /// not their disks, and theirs is the replica that wins.
    fn may_be_outvoted(&self, wish: &Wish) -> bool {
        let takes_quorum = match wish {
            Wish::Write(write) => !write.force,
            Wish::ForgetNode { .. } => true,
            _ => false,
        };
        takes_quorum && self.group.is_settled() && !self.group.has_quorum()
    }

    fn conclude(&mut self, pending: Pending, reply: Reply) {
        let is_done = matches!(reply, Reply::Applied { .. });
        let Some(from) = pending.from else {
            if let Reply::Refused(refusal) = &reply {
                self.log_refusal(describe(&pending.wish), refusal);
            }
            if !is_done && is_shutdown(&pending.wish, &self.name) {
                // Nobody heard of it, so nobody will tell this node to leave.
                let waiting = std::mem::take(&mut self.tools.shutdowns);
                waiting.into_iter().for_each(|from| self.reply(from, reply.clone()));
            }
            return;
        };
        match pending.wish {
            Wish::Cleanup { .. } if is_done && self.tools.waiting.len() < MAX_PENDING => {
                let deadline = self.now.mono + PROBE_PATIENCE;
                self.tools.waiting.push(Waiting { from, deadline });
            }
            Wish::Write(_) => self.reply(from, reply),
            _ if is_done => self.reply(from, Reply::Done),
            _ => self.reply(from, reply),
        }
    }

    /// While somebody waits for this node to leave, the members know of it. They may not know of it any more, after a
    /// replica that had the wish lost against one that has not, or not yet, before this node has a state.
    fn insist_on_leaving(&mut self) {
        let state = self.replica.node_state(&self.name);
        let is_unknown = state.is_some_and(|state| !has_attribute(state, "shutdown"));
        let is_wished = || self.tools.pending.values().any(|pending| is_shutdown(&pending.wish, &self.name));
        if !self.tools.shutdowns.is_empty() && self.group.is_settled() && is_unknown && !is_wished() {
            self.wish_to_leave();
        }
    }

    fn serve_waiting(&mut self) {
        let is_idle = self.is_idle() && self.tools.pending.is_empty();
        let now = self.now.mono;
        let (over, waiting): (Vec<Waiting>, _) = std::mem::take(&mut self.tools.waiting)
            .into_iter()
            .partition(|waiting| is_idle || waiting.deadline <= now);
        self.tools.waiting = waiting;
        for waiting in over {
            let late = || refused(RefusalKind::TimedOut, "the cluster still has something to do");
            self.reply(waiting.from, if is_idle { Reply::Done } else { late() });
        }
    }

    /// Changes and view, as subscribers count them.
    pub(super) fn present(&self) -> (u64, u64) {
        (self.replica.ledger.changes, self.group.view_number())
    }

    fn serve_subscribers(&mut self) {
        let present = self.present();
        let now = self.now.mono;
        let version = self.replica.version().to_string();
        for (client, subscriber) in &mut self.tools.subscribers {
            if subscriber.seen == present {
                continue;
            }
            if now < subscriber.not_before {
                subscriber.seen = OWED;
                continue;
            }
            (subscriber.seen, subscriber.not_before) = (present, now + NOTICE_INTERVAL);
            let reply = Reply::Changed { version: version.clone() };
            let response = Response { id: subscriber.request, reply };
            self.effects.push(Effect::Reply { client: *client, response });
        }
    }

    /// This node leaves: whoever asked for that is answered.
    pub(in crate::node) fn answer_shutdown(&mut self) {
        for from in std::mem::take(&mut self.tools.shutdowns) {
            self.reply(from, Reply::Done);
        }
    }
}
