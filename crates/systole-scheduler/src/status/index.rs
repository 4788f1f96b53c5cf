//! Indexes into the arenas of [`Status`](super::Status).

#![expect(clippy::disallowed_types, reason = "names are only looked up, so their order cannot show")]

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasherDefault, Hasher},
    sync::Arc,
};

macro_rules! idx {
    ($(#[$doc:meta])* $name:ident, $letter:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl $name {
            /// For vectors that run beside the arena.
            pub const fn i(self) -> usize {
                self.0 as usize
            }

            /// The index of position `i`.
            pub fn new(i: usize) -> Self {
                Self(u32::try_from(i).expect("fewer than 4 billion of them"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "{}"), self.0)
            }
        }
    };
}

idx! {
    /// A node: position in [`Status::nodes`](super::Status::nodes).
    NodeIdx, "n"
}
idx! {
    /// A resource or an instance of one: position in [`Status::resources`](super::Status::resources).
    RscIdx, "r"
}

/// A set of nodes, one bit each. Small clusters need no memory beside it.
#[derive(Clone, Debug, Default)]
pub struct NodeSet {
    first: u64,
    rest: Vec<u64>,
}

impl NodeSet {
    /// Adds a node; whether it was new.
    pub fn insert(&mut self, node: NodeIdx) -> bool {
        let (word, bit) = (node.i() / 64, 1_u64 << (node.i() % 64));
        if word > self.rest.len() {
            self.rest.resize(word, 0);
        }
        let word = if word == 0 { &mut self.first } else { &mut self.rest[word - 1] };
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    /// Takes a node out.
    pub fn remove(&mut self, node: NodeIdx) {
        let word = match node.i() / 64 {
            0 => Some(&mut self.first),
            word => self.rest.get_mut(word - 1),
        };
        if let Some(word) = word {
            *word &= !(1 << (node.i() % 64));
        }
    }

    /// Whether the node is in it.
    pub fn contains(&self, node: NodeIdx) -> bool {
        let word = match node.i() / 64 {
            0 => self.first,
            word => self.rest.get(word - 1).copied().unwrap_or(0),
        };
        word & (1 << (node.i() % 64)) != 0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.words().all(|word| word == 0)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.words().map(|word| word.count_ones() as usize).sum()
    }

    /// All, ascending.
    pub fn iter(&self) -> impl Iterator<Item = NodeIdx> + '_ {
        self.words().enumerate().flat_map(|(i, word)| {
            // Each step takes the lowest bit away.
            let rests = std::iter::successors(Some(word), |rest| Some(rest & rest.wrapping_sub(1)));
            rests
                .take_while(|rest| *rest != 0)
                .map(move |rest| NodeIdx::new(i * 64 + rest.trailing_zeros() as usize))
        })
    }

    fn words(&self) -> impl Iterator<Item = u64> + '_ {
        std::iter::once(self.first).chain(self.rest.iter().copied())
    }
}

impl Extend<NodeIdx> for NodeSet {
    fn extend<T: IntoIterator<Item = NodeIdx>>(&mut self, nodes: T) {
        nodes.into_iter().for_each(|node| {
            self.insert(node);
        });
    }
}

impl FromIterator<NodeIdx> for NodeSet {
    fn from_iter<T: IntoIterator<Item = NodeIdx>>(nodes: T) -> Self {
        let mut set = Self::default();
        set.extend(nodes);
        set
    }
}

/// Where a name is found in an arena. Looked up by exact name and never iterated, so that no order can show.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names(HashMap<Arc<str>, u32, BuildHasherDefault<NameHasher>>);

impl Names {
    /// Room for so many names.
    pub(crate) fn reserve(&mut self, n_names: usize) {
        self.0.reserve(n_names);
    }

    /// Enters a name; one that is known already stays with what it had.
    pub(crate) fn insert(&mut self, name: impl Into<Arc<str>>, index: u32) {
        self.0.entry(name.into()).or_insert(index);
    }

    /// Forgets names of positions from `first` on.
    pub(crate) fn forget_from(&mut self, first: u32) {
        self.0.retain(|_, index| *index < first);
    }

    /// What the name stands for.
    pub(crate) fn get(&self, name: &str) -> Option<u32> {
        self.0.get(name).copied()
    }
}

/// A fast hash for short names, the same in every run.
#[derive(Clone, Debug)]
pub(crate) struct NameHasher(u64);

impl Default for NameHasher {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.write_u64(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            self.write_u64(rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
    }

    fn write_u8(&mut self, byte: u8) {
        self.0 = self.0.wrapping_add(u64::from(byte));
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }
}

#[cfg(test)]
mod tests {
    use super::{NodeIdx, NodeSet};

    #[test]
    fn a_set_has_what_was_put_in_and_not_taken_out() {
        let mut set = NodeSet::default();
        assert!(set.is_empty());
        for node in [0, 63, 64, 200, 3, 64] {
            let was_there = set.contains(NodeIdx(node));
            assert_eq!(set.insert(NodeIdx(node)), !was_there, "{node}");
        }
        set.remove(NodeIdx(63));
        set.remove(NodeIdx(1000));
        assert_eq!(set.iter().map(|node| node.0).collect::<Vec<_>>(), [0, 3, 64, 200]);
        assert_eq!((set.len(), set.is_empty(), set.contains(NodeIdx(1000))), (4, false, false));
    }
}
