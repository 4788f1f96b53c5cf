//! The CIB: a lossless XML value, and a typed view over it.
//!
//! Only the format crates see XML. Everything above works with [`model::Cib`].

#![forbid(unsafe_code)]

pub mod acl;
pub mod agent;
mod diagnostic;
pub mod digest;
pub mod history;
mod lookup;
pub mod model;
pub mod ops;
pub mod options;
pub mod patch;
mod read;
pub mod schema;
pub mod spelling;
pub mod upgrade;
pub mod validate;
pub mod verify;
pub mod xml;
pub mod xpath;

pub use diagnostic::{Diagnostic, ElementName, Severity};
pub use read::{View, date_condition, parse_bool, read, rule};
