//! The vocabulary of the cluster: scores, ids, roles, results, times, operation and transition keys.
//!
//! Pure values without I/O. Everything here has one spelling in Rust and, where other programs read it,
//! one `FromStr` and one `Display` that agree with what Pacemaker writes.

#![forbid(unsafe_code)]

mod ids;
mod keys;
mod result;
mod role;
mod score;
mod time;
mod version;

pub use ids::{ElementId, NodeId, NodeUuid, ResourceId};
pub use keys::{KeyError, OperationKey, TransitionKey, TransitionMagic};
pub use result::{OcfRc, OpStatus};
pub use role::{Role, UnknownRole};
pub use score::{Score, ScoreError};
pub use time::{DurationError, LocalTime, Monotonic, Now, Timestamp, parse_duration, parse_number_with_unit};
pub use version::{CibVersion, CibVersionError, FEATURE_SET};
