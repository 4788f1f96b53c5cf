//! What every tool does around its work: read the arguments, have the work done, write the report or the error.

use crate::{
    Exit, Session,
    args::{self, Parsed},
    report::{self, OutputArgs, Report},
};
use clap::Parser;
use std::ffi::OsString;

/// Runs one of Pacemaker's tools. `output` says which of its arguments choose the form of output.
///
/// # Errors
/// What went wrong, unless programs read the output: they find it there.
pub fn run<'a, T: Parser>(
    session: &mut Session<'a>,
    words: &[OsString],
    output: impl FnOnce(&T) -> &OutputArgs,
    perform: impl FnOnce(&mut Session<'a>, &T) -> anyhow::Result<Report>,
) -> anyhow::Result<Exit> {
    let args: T = match args::parse_tool(session, words)? {
        Parsed::Go(args) => args,
        Parsed::Over(exit) => return Ok(exit),
    };
    let output = output(&args);
    report::check_destination(output)?;
    let result = perform(session, &args);
    finish(session, output, result)
}

/// Writes what came of the work.
///
/// # Errors
/// As [`run`].
pub fn finish(
    session: &mut Session<'_>,
    output: &OutputArgs,
    result: anyhow::Result<Report>,
) -> anyhow::Result<Exit> {
    match result {
        Ok(report) => report::emit(session, output, report),
        Err(error) => report::emit_error(session, output, error),
    }
}
