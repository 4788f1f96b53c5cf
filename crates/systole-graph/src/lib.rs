//! The transition graph: what the scheduler decided, and all that a transition engine has to know to carry it out.
//!
//! Read and written as Pacemaker's `<transition_graph>`.

#![forbid(unsafe_code)]

mod graph;

pub use graph::*;
