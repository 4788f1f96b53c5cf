//! A node whose cluster layer does not come back.
//!
//! The others take it for lost, and may have what ran here run elsewhere. So it becomes a partition of its own, without
//! quorum, and does what the configuration says of such a one: it stops its resources, as a rule. One that is kept out knows
//! that the others are there: it waits for nothing, and stops its resources whatever the configuration says.

use super::NodeMachine;
use crate::Level;
use std::{collections::VecDeque, time::Duration};
use systole_cib::{
    model::Cib,
    xml::{Document, Element},
};
use systole_types::Monotonic;
use systole_wire::hub::View;

/// How long the cluster layer may be gone: a restart of it must not stop resources.
const LAYER_PATIENCE: Duration = Duration::from_secs(5);

/// The number of the view of a node alone, which no cluster layer gives.
const ALONE: u64 = u64::MAX;

/// What is to be known of a cluster layer that is not there.
#[derive(Debug, Default)]
pub(super) struct Isolation {
    /// When to stop waiting for it.
    due: Option<Monotonic>,
    is_alone: bool,
    /// Whether this node keeps out of a cluster that it knows to be there, and has not agreed with any members since.
    is_kept_out: bool,
    /// What this node said to itself.
    echoes: VecDeque<String>,
}

impl Isolation {
    /// Whether this node is a partition of its own for want of a cluster layer.
    pub fn is_alone(&self) -> bool {
        self.is_alone
    }

    /// Whether this node is without others though it knows of some that may run what it would.
    pub fn is_kept_out(&self) -> bool {
        self.is_kept_out
    }

    /// This node is about to leave the cluster layer to others.
    pub fn keep_out(&mut self) {
        self.is_kept_out = true;
    }

    /// This node has agreed with all members of the cluster layer.
    pub fn let_in(&mut self) {
        self.is_kept_out = false;
    }

    pub fn next_deadline(&self) -> Option<Monotonic> {
        self.due
    }

    /// Takes what this node says while it is alone.
    pub fn echo(&mut self, payload: String) {
        self.echoes.push_back(payload);
    }

    /// What is to be delivered next.
    pub fn next_echo(&mut self) -> Option<String> {
        self.echoes.pop_front()
    }

    /// The cluster layer is there.
    pub fn end(&mut self) {
        *self = Self { is_kept_out: self.is_kept_out, ..Self::default() };
    }
}

impl NodeMachine {
    /// There is no cluster layer: the wait for it begins, if it has not.
    pub(super) fn miss_layer(&mut self) {
        if !self.isolation.is_alone {
            let patience = if self.isolation.is_kept_out { Duration::ZERO } else { LAYER_PATIENCE };
            self.isolation.due.get_or_insert(self.now.mono + patience);
        }
    }

    /// Whether this node stops its resources by itself if the cluster layer stays away, and then leaves if it is to. One
    /// whose executor never was there can do nothing, and knows of nothing to stop.
    pub fn goes_on_alone(&self) -> bool {
        let has_work = self.local.was_there() || self.replica.has_history(&self.name);
        has_work && self.own_entry().is_some()
    }

    /// This node among those that the cluster was ever made of.
    fn own_entry(&self) -> Option<(u32, String)> {
        self.replica.known_nodes().into_iter().find(|(_, name)| *name == self.name)
    }

    /// Goes on alone once the wait is over. A node that never was in a cluster has nothing to go on with.
    pub(super) fn isolate_if_due(&mut self) {
        if self.isolation.due.is_none_or(|due| due > self.now.mono) {
            return;
        }
        self.isolation.due = None;
        let Some(own) = self.own_entry() else { return };
        let text = if self.isolation.is_kept_out {
            "this node is kept out of the cluster: it stops its resources, whatever no-quorum-policy says"
        } else {
            "the cluster layer does not come back: this node takes itself for cut off"
        };
        self.log(Level::Error, text);
        self.isolation.is_alone = true;
        self.enter(View { number: ALONE, own_id: own.0, members: vec![own], has_quorum: false });
    }
}

/// Makes of a CIB what it is for a node that is kept out: the others may run everything, so nothing is to run here.
pub(super) fn run_nothing(cib: &mut Cib) {
    let pairs = cib.cluster_options.iter_mut().flat_map(|set| &mut set.pairs);
    pairs.filter(|pair| &*pair.name == "no-quorum-policy").for_each(|pair| pair.value = Some("stop".into()));
}

/// The same of the CIB as it is kept for those who want to know why something was planned.
pub(super) fn input_of_one_kept_out(cib: &Document) -> Document {
    let mut cib = cib.clone();
    let options = cib.root().child("configuration").and_then(|it| it.child("crm_config"));
    let pairs = options.into_iter().flat_map(Element::descendants);
    let is_policy = |pair: &Element<'_>| pair.is("nvpair") && pair.attr("name") == Some("no-quorum-policy");
    let policies: Vec<_> = pairs.filter(is_policy).map(Element::key).collect();
    for policy in policies {
        cib.set_attr(policy, "value", "stop");
    }
    cib
}
