//! `systole lab`: a whole cluster on one Linux host.

use std::ffi::OsString;

/// Runs `systole lab ARGS` and returns its exit code; `args` is what follows `lab`.
///
/// What went wrong has been written to standard error.
pub fn main(args: &[OsString]) -> u8 {
    eprintln!("systole lab: there is no verb {:?} yet", args.first().cloned().unwrap_or_default());
    64
}
