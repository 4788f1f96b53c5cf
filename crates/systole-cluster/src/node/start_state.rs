//! Nodes that are told to begin in standby, or out of it: their attribute `standby` is set before anything runs there.

use super::NodeMachine;
use crate::{
    Level, StartState,
    message::{Stamp, Wish, Write},
};

impl NodeMachine {
    /// The members are settled. The first time that counts, which is with quorum, this node's start state is written down, before
    /// the members hear of its executor.
    pub(super) fn begin_in_start_state(&mut self) {
        if self.group.has_quorum() {
            let state = std::mem::take(&mut self.config.start_state);
            self.force_start_state(&self.name.clone(), false, state);
        }
    }

    /// Has a node's start state written down.
    pub(super) fn force_start_state(&mut self, node: &str, is_remote: bool, state: StartState) {
        let Some(standby) = state.standby() else { return };
        self.log(Level::Notice, format!("{node} begins as its environment says: {state}"));
        let id = if is_remote { node.to_owned() } else { self.group.own_id().to_string() };
        let change = self.replica.standby_change(&id, node, is_remote, standby);
        let stamp = Stamp {
            origin: self.name.clone(),
            client: "systoled".to_owned(),
            user: None,
            at: self.now.wall.0,
        };
        self.wish_for(None, None, Wish::Write(Write { change, force: false, stamp }), false);
    }
}
