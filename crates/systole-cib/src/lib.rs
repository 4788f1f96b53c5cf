//! The CIB: a lossless XML value, and a typed view over it.
//!
//! Only the format crates see XML. Everything above works with [`model::Cib`].

#![forbid(unsafe_code)]

pub mod model;
pub mod ops;
pub mod xml;
