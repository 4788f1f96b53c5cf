//! Nodes that are told to begin in standby, or out of it: their attribute `standby` is set before anything runs there.

use super::NodeMachine;
use crate::{
    Level, StartState,
    message::{Stamp, Wish, Write},
};

impl NodeMachine {
    /// The members are settled. With quorum, this node's start state is written down, before the members hear of its executor. It
    /// stays to be written down until that was granted.
    pub(super) fn begin_in_start_state(&mut self) {
        let is_asked = self.start_wish.is_some_and(|number| self.tools.is_pending(number));
        if self.group.has_quorum() && !is_asked {
            let state = self.config.start_state;
            let wish = self.force_start_state(&self.name.clone(), false, state);
            self.start_wish = wish.filter(|number| self.tools.is_pending(*number));
        }
    }

    /// What came of a request of this node is known. Once the start state is written down, what an administrator says counts.
    pub(super) fn start_wish_answered(&mut self, number: u64, is_granted: bool) {
        if self.start_wish.take_if(|wish| *wish == number).is_some() && is_granted {
            self.config.start_state = StartState::Default;
        }
    }

    /// Has a node's start state written down, if it has one. The number of the wish.
    pub(super) fn force_start_state(
        &mut self,
        node: &str,
        is_remote: bool,
        state: StartState,
    ) -> Option<u64> {
        let standby = state.standby()?;
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
        Some(self.tools.last_wish())
    }
}
