//! Every command line tool of the cluster: one binary, many names.
//!
//! [`run`] looks at the name it was called by: a tool's name (`crm_mon`, `cibadmin`...) or `systole`, whose first
//! argument is then a verb. Each tool turns its arguments into a typed request, gets a report from a [`cluster::Cluster`]
//! and lets `systole-output` render it.

#![forbid(unsafe_code)]

pub mod args;
pub mod cluster;
pub mod dates;
pub mod edit;
pub mod exit;
pub mod names;
pub mod rehearse;
pub mod report;
pub mod resource_ops;
pub mod runner;
pub mod session;
pub mod tools;
pub mod verbs;
pub mod verify;
pub mod view;

pub use cluster::Cluster;
pub use exit::{Exit, Failed};
pub use session::Session;

use std::{ffi::OsString, io};

/// Runs the tool the session is named after with `args` (without the name itself) and tells how it ended.
///
/// What went wrong has been written to the session's standard error.
pub fn run(session: &mut Session<'_>, args: &[OsString]) -> Exit {
    session.command_line = args::command_line(&session.tool, args);
    let result = match tools::find(&session.tool) {
        Some(tool) => (tool.run)(session, args),
        None => verbs::run(session, args),
    };
    match result {
        Ok(exit) => exit,
        Err(error) if is_broken_pipe(&error) => Exit::Ok,
        Err(error) => {
            let tool = session.tool.clone();
            session.complain(&format!("{tool}: {error:#}"));
            exit::exit_of(&error)
        }
    }
}

/// Whether the reader of our output went away.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}
