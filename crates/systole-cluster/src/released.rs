//! Proof that a node can no longer touch shared data.

/// A node that can no longer touch shared data: what ran there may be recovered elsewhere.
///
/// There is no other way to write down that a lost node is off. Where fencing is turned off, the scheduler takes a lost
/// node as it is (data is at risk then, and `status` says so); that is not a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    id: u32,
    name: String,
}

impl Released {
    /// An administrator vouches for it. Not for a member: a node that is here is not off.
    pub(crate) fn by_word_of(id: u32, name: &str, is_member: bool) -> Option<Self> {
        (!is_member).then(|| Self { id, name: name.to_owned() })
    }

    /// The node's number.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The node's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}
