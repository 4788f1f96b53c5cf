//! The transition graph: what the scheduler decided, and all that a transition engine has to know to carry it out.
//!
//! Read and written as Pacemaker's `<transition_graph>`.

#![forbid(unsafe_code)]

mod attributes;
mod check;
mod circle;
mod dot;
mod graph;
mod read;
mod write;

pub use attributes::Attributes;
pub use check::{Flaw, check, describe};
pub use circle::circle;
pub use dot::{Arrow, DotStyle, Drawing, DrawnAction, Fate};
pub use graph::*;
pub use read::{ReadError, read_graph};
pub use write::{write_graph, write_graph_to};
