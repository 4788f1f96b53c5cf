//! How much each resource is wanted on each node.

use crate::NodeIdx;
use systole_types::Score;

/// INFINITY as a plain number: sums in placement are done on numbers, which also carry [`SPENT`].
pub(crate) const INFINITY: i32 = Score::INFINITY.value();

/// Marks a node that a preference of colocated resources has ruled out for the rest of a sum of preferences.
///
/// Only in tables made for such a sum, never at rest. Far below −INFINITY, so that the node counts as unusable.
pub(super) const SPENT: i32 = -100 * INFINITY;

/// The sum of two scores: −INFINITY wins, then INFINITY, and the range is kept.
pub(super) fn add(a: i32, b: i32) -> i32 {
    if a <= -INFINITY || b <= -INFINITY {
        -INFINITY
    } else if a >= INFINITY || b >= INFINITY {
        INFINITY
    } else {
        (a + b).clamp(-INFINITY, INFINITY)
    }
}

/// Whether a resource is looked for on a node. Later ones override earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Discovery {
    /// Looked for.
    #[default]
    Always,
    /// Not looked for.
    Never,
    /// Looked for here, and only where this is said.
    Exclusive,
}

/// One node of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which node.
    pub node: NodeIdx,
    /// How much the resource is wanted there; ±1,000,000 is ±INFINITY.
    pub score: i32,
    /// How many instances of a collective have been placed there.
    pub(super) count: u32,
    /// Whether the resource is looked for there.
    pub discovery: Discovery,
}

/// The nodes a resource is known to be allowed or banned on, by rising index. A node that is missing is not allowed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeTable(Vec<Entry>);

impl NodeTable {
    /// The entry of a node.
    pub fn get(&self, node: NodeIdx) -> Option<&Entry> {
        self.position(node).ok().map(|i| &self.0[i])
    }

    /// All entries.
    pub fn iter(&self) -> std::slice::Iter<'_, Entry> {
        self.0.iter()
    }

    /// Becomes the same as another, in the memory it has.
    pub(super) fn copy_from(&mut self, other: &Self) {
        self.0.clear();
        self.0.extend_from_slice(&other.0);
    }

    /// The score on a node, if it is in the table.
    pub fn score(&self, node: NodeIdx) -> Option<i32> {
        self.get(node).map(|entry| entry.score)
    }

    pub(super) fn get_mut(&mut self, node: NodeIdx) -> Option<&mut Entry> {
        self.position(node).ok().map(|i| &mut self.0[i])
    }

    pub(super) fn iter_mut(&mut self) -> std::slice::IterMut<'_, Entry> {
        self.0.iter_mut()
    }

    /// The entry of a node, made by `new` if there is none; and whether it was made.
    pub(super) fn entry(&mut self, node: NodeIdx, new: impl FnOnce() -> Entry) -> (&mut Entry, bool) {
        // Nodes mostly come in rising order.
        let (at, is_new) = match self.0.last() {
            None => (0, true),
            Some(last) if last.node < node => (self.0.len(), true),
            _ => match self.position(node) {
                Ok(at) => (at, false),
                Err(at) => (at, true),
            },
        };
        if is_new {
            self.0.insert(at, new());
        }
        (&mut self.0[at], is_new)
    }

    fn position(&self, node: NodeIdx) -> Result<usize, usize> {
        // In most tables nothing is missing before the node.
        match self.0.get(node.i()) {
            Some(entry) if entry.node == node => Ok(node.i()),
            _ => self.0.binary_search_by_key(&node, |entry| entry.node),
        }
    }
}

impl FromIterator<Entry> for NodeTable {
    fn from_iter<T: IntoIterator<Item = Entry>>(entries: T) -> Self {
        let mut entries: Vec<Entry> = entries.into_iter().collect();
        entries.sort_by_key(|entry| entry.node);
        Self(entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minus_infinity_wins_then_infinity() {
        for (a, b, sum) in [
            (INFINITY, -INFINITY, -INFINITY),
            (SPENT, INFINITY, -INFINITY),
            (INFINITY, -5, INFINITY),
            (999_999, 5, INFINITY),
            (-999_999, -5, -INFINITY),
            (3, 4, 7),
        ] {
            assert_eq!((add(a, b), add(b, a)), (sum, sum), "{a} and {b}");
        }
    }

    #[test]
    fn nodes_are_found_whatever_order_they_came_in() {
        let mut table = NodeTable::default();
        for node in [5, 1, 3, 3, 9] {
            let new = || Entry { node: NodeIdx(node), score: 0, count: 0, discovery: Discovery::Always };
            table.entry(NodeIdx(node), new).0.score += i32::try_from(node).expect("small");
        }
        let scores: Vec<_> = table.iter().map(|entry| (entry.node.0, entry.score)).collect();
        assert_eq!(scores, [(1, 1), (3, 6), (5, 5), (9, 9)]);
        assert_eq!(table.score(NodeIdx(3)), Some(6));
        assert_eq!(table.score(NodeIdx(2)), None);
    }
}
