//! Proof that a node can no longer touch shared data.

/// A node that can no longer touch shared data: what ran there may be recovered elsewhere.
///
/// There is no other way to write down that a lost node is off. Where fencing is turned off, the scheduler takes a lost
/// node as it is (data is at risk then, and `status` says so); that is not a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    id: Option<u32>,
    name: String,
}

impl Released {
    /// An administrator vouches for it. Not for a node that is here, as a member or over a connection: that is not off.
    pub(crate) fn by_word_of(id: Option<u32>, name: &str, is_here: bool) -> Option<Self> {
        (!is_here).then(|| Self { id, name: name.to_owned() })
    }

    /// The node's number; `None` for a remote node.
    pub fn id(&self) -> Option<u32> {
        self.id
    }

    /// The node's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}
