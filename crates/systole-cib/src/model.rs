//! The typed view of a CIB: what the configuration and the status section say, in today's words.
//!
//! Old spellings are gone here, templates and `id-ref`s are resolved, and elements with mistakes have become
//! diagnostics. Nothing is decided: rules are kept as rules, since they depend on the time and on nodes.

mod configuration;
mod constraint;
mod resource;
mod rule;
mod status;

pub use configuration::*;
pub use constraint::*;
pub use resource::*;
pub use rule::*;
pub use status::*;

pub use crate::read::read;
