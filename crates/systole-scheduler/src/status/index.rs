//! Indexes into the arenas of [`Status`](super::Status).

use std::fmt;

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

/// A set of nodes, one bit each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeSet(Vec<u64>);

impl NodeSet {
    /// Adds a node; whether it was new.
    pub fn insert(&mut self, node: NodeIdx) -> bool {
        let (word, bit) = (node.i() / 64, 1_u64 << (node.i() % 64));
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        let is_new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        is_new
    }

    /// Takes a node out.
    pub fn remove(&mut self, node: NodeIdx) {
        if let Some(word) = self.0.get_mut(node.i() / 64) {
            *word &= !(1 << (node.i() % 64));
        }
    }

    /// Whether the node is in it.
    pub fn contains(&self, node: NodeIdx) -> bool {
        self.0.get(node.i() / 64).is_some_and(|word| word & (1 << (node.i() % 64)) != 0)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// All, ascending.
    pub fn iter(&self) -> impl Iterator<Item = NodeIdx> + '_ {
        self.0.iter().enumerate().flat_map(|(i, &word)| {
            (0..64).filter(move |bit| word & (1 << bit) != 0).map(move |bit| NodeIdx::new(i * 64 + bit))
        })
    }
}

impl FromIterator<NodeIdx> for NodeSet {
    fn from_iter<T: IntoIterator<Item = NodeIdx>>(nodes: T) -> Self {
        let mut set = Self::default();
        nodes.into_iter().for_each(|node| {
            set.insert(node);
        });
        set
    }
}
