//! The names the binary answers to besides `systole`. A name is here when the tool works.

use crate::{Exit, Session};
use std::ffi::OsString;

mod cibadmin;
pub mod crm_attribute;
mod crm_error;
pub mod crm_mon;
mod crm_resource;

/// A tool with a name of its own.
pub struct Tool {
    /// What the link to the binary is called.
    pub name: &'static str,
    /// One line for `systole --list-tools --verbose` and the manual.
    pub about: &'static str,
    /// Runs it.
    pub run: fn(&mut Session<'_>, &[OsString]) -> anyhow::Result<Exit>,
}

/// Every tool there is, by name.
pub const TOOLS: &[Tool] = &[Tool { name: "crm_error", about: "explain an error code", run: crm_error::run }];

/// The tool called `name`.
pub fn find(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().find(|tool| tool.name == name)
}
