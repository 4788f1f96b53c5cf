//! How one action depends on another, and orders that wait for their actions to exist.

use super::{ActIdx, task::Key};
use crate::RscIdx;
use std::ops::{BitOr, BitOrAssign};

/// What it means for two actions that one, `first`, comes before the other, `then`. A set of bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Relation(pub u32);

impl Relation {
    /// No relation (any more).
    pub const NONE: Self = Self(0);
    /// If both are done, `first` is done first.
    pub const ORDERED: Self = Self(1);
    /// Only if `first` is not part of a live migration.
    pub const UNLESS_FIRST_MIGRATES: Self = Self(1 << 1);
    /// If `then` has to be done, so has `first` (and without migration, if `then` cannot migrate).
    pub const THEN_NEEDS_FIRST: Self = Self(1 << 2);
    /// If `first` has to be done, so has `then`.
    pub const FIRST_FORCES_THEN: Self = Self(1 << 3);
    /// If `then` has to be done for a promoted instance, so has `first`.
    pub const PROMOTED_THEN_NEEDS_FIRST: Self = Self(1 << 4);
    /// `first` is a step of a live migration: possible only as long as `then` is.
    pub const STEP_OF_MIGRATION: Self = Self(1 << 5);
    /// `then` cannot be done without `first`.
    pub const FIRST_ENABLES_THEN: Self = Self(1 << 6);
    /// If `first` cannot be done, `then` is a real action after all.
    pub const THEN_INSTEAD: Self = Self(1 << 7);
    /// As `FIRST_FORCES_THEN`, for instances on the node of `first` only.
    pub const FIRST_FORCES_THEN_THERE: Self = Self(1 << 8);
    /// `then` probes a connection nested in the container that `first` starts.
    pub const NESTED_PROBE: Self = Self(1 << 9);
    /// `first` is a stop on the way to the start `then`, or of a later group member.
    pub const RESTART: Self = Self(1 << 10);
    /// Never both at a time. Nothing more follows from it.
    pub const SERIALIZE: Self = Self(1 << 11);
    /// Only if both are on one node.
    pub const IF_SAME_NODE: Self = Self(1 << 12);
    /// If `then` has to be done, `first` is shown in the graph.
    pub const THEN_SHOWS_FIRST: Self = Self(1 << 13);
    /// If `first` has to be done and can be, `then` is shown in the graph.
    pub const FIRST_SHOWS_THEN: Self = Self(1 << 14);
    /// From an order with `symmetrical=false`.
    pub const ASYMMETRIC: Self = Self(1 << 15);
    /// Only if both are on one node; for a migration the target counts.
    pub const IF_SAME_NODE_OR_TARGET: Self = Self(1 << 16);
    /// `then` can be done once enough such `first`s can.
    pub const ENOUGH_OF_FIRST: Self = Self(1 << 17);
    /// Only if `first` has to be done and both are on one node.
    pub const IF_REQUIRED_ON_SAME_NODE: Self = Self(1 << 18);
    /// Holds even if `first` runs on the guest node that `then` makes.
    pub const EVEN_IN_GUEST: Self = Self(1 << 19);
    /// If `then` has to be done, `first` need not.
    pub const THEN_CANCELS_FIRST: Self = Self(1 << 20);

    /// Whether all of `other` holds.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` holds.
    pub const fn has_any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Without `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl BitOr for Relation {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Relation {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// A relation between two actions.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// Comes first.
    pub first: ActIdx,
    /// Comes after.
    pub then: ActIdx,
    /// What follows from it; `NONE` once it turned out not to apply.
    pub relation: Relation,
    /// What it was made for. Whoever goes from an action to what comes after it goes by this.
    pub made_as: Relation,
}

/// One side of an order: an action, or those of a resource with a key, looked up once all exist.
#[derive(Clone, Debug)]
pub enum End {
    /// This action.
    Action(ActIdx),
    /// The actions of this resource with this key.
    Key(RscIdx, Key),
}

/// An order that waits until all actions exist.
#[derive(Clone, Debug)]
pub struct Order {
    /// Comes first.
    pub first: End,
    /// Comes after.
    pub then: End,
    /// What follows from it.
    pub relation: Relation,
}
