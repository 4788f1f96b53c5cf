//! Reports for people and programs: text, XML, JSON.
//!
//! A report is plain data, made from what the scheduler or the CIB says. Renderers only lay it out.

#![forbid(unsafe_code)]

pub mod access;
pub mod config;
pub mod diagnose;
pub mod explain;
pub mod happening;
pub mod loss;
pub mod options;
pub mod outline;
pub mod patchset;
pub mod plan;
pub mod simulation;
pub mod status;
pub mod tree;
pub mod words;
